//! The fence where it counts: a settlement that took effect but whose answer was lost is sent again after another worker
//! has reserved the same job. It must not touch what is the other's by then. The same for every dialect.

use handover::dialect::{Dialect, Hyperf, Laravel, Think};
use handover::job::Settlement;
use handover::queue::{Exchange, Queue, RedisQueue, RedisQueueOptions, Settling, State, Token};
use handover::redis::Redis as Link;

use super::{Driven, LEASE, NOW, speaking};
use crate::support::proxy::{Fault, Proxy, When};
use crate::support::redis::Redis;

/// A job that A, behind a proxy, has reserved, and B as another worker.
async fn reserved_by_a(
    dialect: &Dialect,
    play: impl AsyncFnOnce(&Proxy, &RedisQueue, handover::queue::Reservation, Driven<'_>),
) {
    let redis = Redis::start();
    let proxy = Proxy::new(&redis);
    let link = Link::new(&proxy.url(0)).unwrap();
    let a = RedisQueue::new(link, dialect.clone(), RedisQueueOptions::default());
    let direct = speaking(&redis, dialect.clone());
    let b = Driven::new(&direct).speaking(dialect);
    b.push(&first(&b)).await;
    let ask = Exchange { want: 1, token: Token::new(77), now: NOW, lease: LEASE, ..Exchange::default() };
    let reservation = a.exchange("q", ask).await.unwrap().reserved.remove(0);
    play(&proxy, &a, reservation, b).await;
}

/// The job as it was pushed.
fn first(b: &Driven<'_>) -> String {
    b.job("x", 0)
}

/// A settles; the answer is lost; `meanwhile` makes the job ready again; B reserves it; A settles again.
async fn sent_again_after_b_has_it(
    dialect: Dialect,
    settlement: Settlement,
    meanwhile: impl AsyncFn(&mut Driven<'_>),
) {
    let play = async |proxy: &Proxy, a: &RedisQueue, reservation, mut b: Driven<'_>| {
        let settling = [Settling { reservation, settlement }];
        let again = || Exchange { settle: &settling, now: NOW, lease: LEASE, ..Exchange::default() };
        proxy.arm(When::script("settled, jobs, aside"), Fault::CutAfter);
        a.exchange("q", again()).await.expect_err("the answer is lost");
        assert_eq!(proxy.fired(), 1);

        meanwhile(&mut b).await;
        let others = b.reserve(1).await.remove(0);
        let standing = b.queue.peek("q", State::Reserved, 0, 9).await.unwrap();
        assert_eq!(a.exchange("q", again()).await.unwrap().settled, [false]);
        assert_eq!(b.queue.peek("q", State::Reserved, 0, 9).await.unwrap(), standing);
        assert_eq!(b.sizes().await, [0, 0, 1, 0]);
        assert!(b.settle(others, Settlement::Delete).await, "it is still B's");
        settling.into_iter().for_each(|settling| settling.reservation.close());
    };
    reserved_by_a(&dialect, play).await;
}

async fn a_hand_back_sent_again_leaves_the_next_reservation_of_the_same_bytes_alone(dialect: Dialect) {
    sent_again_after_b_has_it(dialect, Settlement::HandBack, async |_| {}).await;
}

async fn a_release_sent_again_leaves_the_next_reservation_alone(dialect: Dialect) {
    let release = Settlement::Release { at: NOW + 5 };
    sent_again_after_b_has_it(dialect, release, async |b| b.now = NOW + 5).await;
}

async fn a_failure_sent_again_leaves_the_retried_job_alone(dialect: Dialect) {
    let failure = Settlement::Fail(handover::Exception::msg("boom"));
    // A retry pushes the payload again, with the count it had: the same bytes.
    sent_again_after_b_has_it(dialect, failure, async |b| b.push(&first(b)).await).await;
}

async fn a_deletion_sent_again_leaves_an_equal_job_alone(dialect: Dialect) {
    sent_again_after_b_has_it(dialect, Settlement::Delete, async |b| b.push(&first(b)).await).await;
}

async fn a_renewal_whose_answer_was_lost_renews_nothing_of_the_next_holder(dialect: Dialect) {
    let play = async |proxy: &Proxy, a: &RedisQueue, held, mut b: Driven<'_>| {
        // The renewal takes effect and its answer is lost; the job becomes B's when that is over, too.
        proxy.arm(When::script("Moves the expiry"), Fault::CutAfter);
        a.renew("q", &[&held], NOW + 2 * LEASE).await.expect_err("the answer is lost");
        let renewed = b.queue.peek("q", State::Reserved, 0, 9).await.unwrap();
        assert_eq!(renewed[0].at, Some(held.token().score(NOW + 2 * LEASE)));
        b.now = NOW + 2 * LEASE + 1;
        if b.loses_expired() {
            assert!(b.reserve(1).await.is_empty());
            b.push(&first(&b)).await;
        }
        let others = b.reserve(1).await.remove(0);
        let standing = b.queue.peek("q", State::Reserved, 0, 9).await.unwrap();
        assert_eq!(a.renew("q", &[&held], NOW + 9 * LEASE).await.unwrap(), [false]);
        assert_eq!(b.queue.peek("q", State::Reserved, 0, 9).await.unwrap(), standing);
        assert!(b.settle(others, Settlement::Delete).await, "it is still B's");
        held.close();
    };
    reserved_by_a(&dialect, play).await;
}

macro_rules! for_every_dialect {
    ($($module:ident: $dialect:expr),* ; $tests:tt) => {
        $(for_every_dialect!(@ $module $dialect, $tests);)*
    };
    (@ $module:ident $dialect:expr, {$($name:ident),* $(,)?}) => {
        mod $module {
            use super::*;
            $(
                #[tokio::test]
                async fn $name() {
                    super::$name($dialect.into()).await;
                }
            )*
        }
    };
}

for_every_dialect! {
    laravel: Laravel::new(""),
    think: Think::new(""),
    think_before_3: Think::new("").version((1, 1, 6)),
    hyperf: Hyperf::new("")
    ; {
        a_hand_back_sent_again_leaves_the_next_reservation_of_the_same_bytes_alone,
        a_release_sent_again_leaves_the_next_reservation_alone,
        a_failure_sent_again_leaves_the_retried_job_alone,
        a_deletion_sent_again_leaves_an_equal_job_alone,
        a_renewal_whose_answer_was_lost_renews_nothing_of_the_next_holder,
    }
}
