//! Rows of the table of observable behaviours that only a queue on Redis shows.

use handover::dialect::{Counting, Laravel};
use handover::job::Settlement;
use handover::queue::{Queue, RedisQueue, RedisQueueOptions, Reservation};

use super::{Driven, LEASE, NOW, job, redis_queue};
use crate::support::redis::Redis;

#[tokio::test]
async fn row_14_a_migration_batch_size_moves_only_so_many_of_the_lowest() {
    let redis = Redis::start();
    let server = handover::redis::Redis::new(&redis.url(0)).unwrap();
    let options = RedisQueueOptions { migration_batch_size: Some(2), ..RedisQueueOptions::default() };
    let queue = RedisQueue::new(server, Laravel::new(""), options);
    let mut q = Driven::new(&queue);
    for (n, id) in ["e", "d", "c", "b", "a"].into_iter().enumerate() {
        queue.later("q", job(id, 0).as_bytes(), NOW - n as i64).await.unwrap();
    }
    let reserved = q.reserve(1).await;
    assert_eq!(reserved[0].popped(), job("a", 0).as_bytes());
    assert_eq!(q.sizes().await, [1, 3, 1, 0]);
    reserved.into_iter().for_each(Reservation::close);
}

#[tokio::test]
async fn row_22_a_delete_after_the_reservation_expired_leaves_the_job() {
    let redis = Redis::start();
    let queue = redis_queue(&redis);
    let mut q = Driven::new(&queue);
    q.push(&job("a", 0)).await;
    let late = q.reserve(1).await.remove(0);
    q.now = NOW + LEASE + 1;
    // Another worker's poll moves it to the list and takes it.
    let second = q.reserve(1).await.remove(0);
    assert!(!q.settle(late, Settlement::Delete).await);
    assert_eq!(q.sizes().await, [0, 0, 1, 0]);
    assert_eq!(second.attempts(), 2);
    second.close();
}

#[tokio::test]
async fn a_key_of_another_type_changes_nothing() {
    let redis = Redis::start();
    let queue = redis_queue(&redis);
    let mut q = Driven::new(&queue);
    q.push(&job("a", 0)).await;
    q.push(&job("b", 0)).await;
    let held = q.reserve(1).await.remove(0);
    for (key, others) in [
        ("queues:q:notify", ["queues:q", "queues:q:reserved"]),
        ("queues:q:quarantine", ["queues:q", "queues:q:reserved"]),
        ("queues:q:delayed", ["queues:q", "queues:q:reserved"]),
    ] {
        let () = redis.query(&["DEL", key]);
        let () = redis.query(&["SET", key, "a string"]);
        let before: Vec<Option<Vec<u8>>> = others.iter().map(|key| redis.query(&["DUMP", key])).collect();
        let edit = handover::queue::AttemptsEdit { at: job("a", 0).rfind('0').unwrap(), len: 1, attempts: 1 };
        let same = Reservation::new("q", job("a", 0).into_bytes(), edit, Counting::AtReserve, held.token());
        let settle = [handover::queue::Settling { reservation: same, settlement: Settlement::Delete }];
        let ask = handover::queue::Exchange {
            settle: &settle,
            want: 5,
            now: NOW,
            lease: LEASE,
            token: handover::queue::Token::new(9),
            ..Default::default()
        };
        let error = queue.exchange("q", ask).await.expect_err("another type");
        assert!(error.to_string().contains("WRONGTYPE"), "{error}");
        let after: Vec<Option<Vec<u8>>> = others.iter().map(|key| redis.query(&["DUMP", key])).collect();
        assert!(before == after, "{key}");
        settle.into_iter().for_each(|settling| settling.reservation.close());
        let () = redis.query(&["DEL", key]);
    }
    assert!(q.settle(held, Settlement::Delete).await);
}
