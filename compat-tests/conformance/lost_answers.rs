//! The fence where it counts: a settlement that took effect but whose answer was lost is sent again after another worker
//! has reserved the same job. It must not touch what is the other's by then.

use handover::dialect::Laravel;
use handover::job::Settlement;
use handover::queue::{Exchange, Queue, RedisQueue, RedisQueueOptions, Settling, State, Token};
use handover::redis::Redis as Link;

use super::{Driven, LEASE, NOW, job, redis_queue};
use crate::support::proxy::{Fault, Proxy, When};
use crate::support::redis::Redis;

/// A settles; the answer is lost; `meanwhile` makes the job ready again; B reserves it; A settles again.
async fn sent_again_after_b_has_it(settlement: Settlement, meanwhile: impl AsyncFn(&mut Driven<'_>)) {
    let redis = Redis::start();
    let proxy = Proxy::new(&redis);
    let link = Link::new(&proxy.url(0)).unwrap();
    let a = RedisQueue::new(link, Laravel::new(""), RedisQueueOptions::default());
    let direct = redis_queue(&redis);
    let mut b = Driven::new(&direct);
    b.push(&job("x", 0)).await;
    let ask = Exchange { want: 1, token: Token::new(77), now: NOW, lease: LEASE, ..Exchange::default() };
    let reservation = a.exchange("q", ask).await.unwrap().reserved.remove(0);

    let settling = [Settling { reservation, settlement }];
    let again = || Exchange { settle: &settling, now: NOW, lease: LEASE, ..Exchange::default() };
    proxy.arm(When::script("settled, jobs, aside"), Fault::CutAfter);
    a.exchange("q", again()).await.expect_err("the answer is lost");
    assert_eq!(proxy.fired(), 1);

    meanwhile(&mut b).await;
    let others = b.reserve(1).await.remove(0);
    let standing = direct.peek("q", State::Reserved, 0, 9).await.unwrap();
    assert_eq!(a.exchange("q", again()).await.unwrap().settled, [false]);
    assert_eq!(direct.peek("q", State::Reserved, 0, 9).await.unwrap(), standing);
    assert_eq!(b.sizes().await, [0, 0, 1, 0]);
    assert!(b.settle(others, Settlement::Delete).await, "it is still B's");
    settling.into_iter().for_each(|settling| settling.reservation.close());
}

#[tokio::test]
async fn a_hand_back_sent_again_leaves_the_next_reservation_of_the_same_bytes_alone() {
    sent_again_after_b_has_it(Settlement::HandBack, async |_| {}).await;
}

#[tokio::test]
async fn a_release_sent_again_leaves_the_next_reservation_alone() {
    sent_again_after_b_has_it(Settlement::Release { at: NOW + 5 }, async |b| b.now = NOW + 5).await;
}

#[tokio::test]
async fn a_failure_sent_again_leaves_the_retried_job_alone() {
    let failure = Settlement::Fail(handover::Exception::msg("boom"));
    // queue:retry pushes the payload again, attempts at nought: the same bytes.
    sent_again_after_b_has_it(failure, async |b| b.push(&job("x", 0)).await).await;
}

#[tokio::test]
async fn a_deletion_sent_again_leaves_an_equal_job_alone() {
    sent_again_after_b_has_it(Settlement::Delete, async |b| b.push(&job("x", 0)).await).await;
}

#[tokio::test]
async fn a_renewal_whose_answer_was_lost_renews_nothing_of_the_next_holder() {
    let redis = Redis::start();
    let proxy = Proxy::new(&redis);
    let link = Link::new(&proxy.url(0)).unwrap();
    let a = RedisQueue::new(link, Laravel::new(""), RedisQueueOptions::default());
    let direct = redis_queue(&redis);
    let mut b = Driven::new(&direct);
    b.push(&job("x", 0)).await;
    let ask = Exchange { want: 1, token: Token::new(77), now: NOW, lease: LEASE, ..Exchange::default() };
    let held = a.exchange("q", ask).await.unwrap().reserved.remove(0);

    // The renewal takes effect and its answer is lost; a hand-back of the same bytes makes the job B's.
    proxy.arm(When::script("Moves the expiry"), Fault::CutAfter);
    a.renew("q", &[&held], NOW + 2 * LEASE).await.expect_err("the answer is lost");
    let renewed = direct.peek("q", State::Reserved, 0, 9).await.unwrap();
    assert_eq!(renewed[0].at, Some(held.token().score(NOW + 2 * LEASE)));
    b.now = NOW + 2 * LEASE + 1;
    let others = b.reserve(1).await.remove(0);
    let standing = direct.peek("q", State::Reserved, 0, 9).await.unwrap();
    assert_eq!(a.renew("q", &[&held], NOW + 9 * LEASE).await.unwrap(), [false]);
    assert_eq!(direct.peek("q", State::Reserved, 0, 9).await.unwrap(), standing);
    assert!(b.settle(others, Settlement::Delete).await, "it is still B's");
    held.close();
}
