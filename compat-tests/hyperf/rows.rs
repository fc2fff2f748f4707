//! Rows of Hyperf's table of observable behaviours that a queue on Redis shows.

use handover::job::Settlement;
use handover::queue::{Queue, RedisQueue, Reservation, Settling, State};
use handover::{Dispatch, Exception, Producer};

use super::of;
use crate::conformance::{Driven, LEASE, NOW, message, speaking};
use crate::support::process::{Finished, Running, command};
use crate::support::redis::Redis;

/// A queue of the newest version, and its Redis.
fn started() -> (Redis, RedisQueue) {
    let redis = Redis::start();
    let queue = speaking(&redis, of("3.2.4"));
    (redis, queue)
}

fn driven(queue: &RedisQueue) -> Driven<'_> {
    Driven::new(queue).speaking(&of("3.2.4"))
}

fn close(reserved: Vec<Reservation>) {
    reserved.into_iter().for_each(Reservation::close);
}

#[tokio::test]
async fn rows_1_and_2_a_push_is_the_head_of_the_list_and_the_first_pushed_runs_first() {
    let (redis, queue) = started();
    let mut q = driven(&queue);
    for id in ["a", "b", "c"] {
        q.push(&message(id, 0)).await;
    }
    let list: Vec<String> = redis.query(&["LRANGE", "q:waiting", "0", "-1"]);
    assert_eq!(list, ["c", "b", "a"].map(|id| message(id, 0)));
    assert_eq!(q.standing(State::Pending).await, ["a", "b", "c"].map(|id| message(id, 0)));
    let page = queue.peek("q", State::Pending, 1, 1).await.unwrap();
    assert_eq!(page[0].payload, message("b", 0));
    let reserved = q.reserve(9).await;
    assert_eq!(q.ids(&reserved), ["a", "b", "c"]);
    close(reserved);
}

#[tokio::test]
async fn rows_3_and_4_a_message_for_later_has_its_second_and_an_equal_one_moves_it() {
    let (redis, queue) = started();
    for at in [NOW + 5, NOW + 9] {
        queue.later("q", message("a", 0).as_bytes(), at).await.unwrap();
        let delayed: Vec<(String, i64)> = redis.query(&["ZRANGE", "q:delayed", "0", "-1", "WITHSCORES"]);
        assert_eq!(delayed, [(message("a", 0), at)]);
    }
}

#[tokio::test]
async fn rows_5_and_7_of_what_is_due_the_latest_goes_first_behind_what_waits() {
    let (_redis, queue) = started();
    let mut q = driven(&queue);
    q.push(&message("waits", 0)).await;
    for (id, at) in [("9", NOW - 9), ("1", NOW - 1), ("5", NOW - 5), ("now", NOW), ("later", NOW + 1)] {
        queue.later("q", message(id, 0).as_bytes(), at).await.unwrap();
    }
    let reserved = q.reserve(9).await;
    assert_eq!(q.ids(&reserved), ["waits", "now", "1", "5", "9"]);
    assert_eq!(q.sizes().await, [0, 1, 5, 0]);
    close(reserved);
}

#[tokio::test]
async fn row_6_a_hundred_due_messages_move_at_a_time_the_latest_first_and_the_rest_is_told() {
    let (_redis, queue) = started();
    let mut q = driven(&queue);
    let id = |n: i64| format!("{n:03}");
    let later: Vec<_> = (0..150).map(|n| (NOW - n, message(&id(n), 0).into_bytes())).collect();
    for batch in later.chunks(100) {
        queue.later_all("q", batch).await.unwrap();
    }
    let first = q.exchange(&[], 1, 0).await;
    assert_eq!(q.ids(&first.reserved), ["000"]);
    assert_eq!((first.left, first.next_due), (99, Some(NOW - 149)));
    let waiting = q.standing(State::Pending).await;
    assert_eq!((&waiting[0], &waiting[98]), (&message("001", 0), &message("099", 0)));
    let second = q.exchange(&[], 1, 0).await;
    assert_eq!(q.ids(&second.reserved), ["001"]);
    assert_eq!(q.standing(State::Pending).await[148 - 1], message("149", 0));
    close(first.reserved);
    close(second.reserved);
}

#[tokio::test]
async fn rows_8_and_9_a_reservation_is_the_message_itself_and_success_leaves_nothing() {
    let (redis, queue) = started();
    let mut q = driven(&queue);
    q.push(&message("a", 3)).await;
    let reservation = q.reserve(1).await.remove(0);
    assert_eq!(reservation.attempts(), 4);
    let reserved: Vec<(String, f64)> = redis.query(&["ZRANGE", "q:reserved", "0", "-1", "WITHSCORES"]);
    assert_eq!((&reserved[0].0, reserved[0].1.floor() as i64), (&message("a", 3), NOW + LEASE));
    assert!(q.settle(reservation, Settlement::Delete).await);
    let keys: Vec<String> = redis.query(&["KEYS", "*"]);
    assert_eq!(keys, [""; 0]);
}

#[tokio::test]
async fn row_10_a_failure_puts_the_very_bytes_at_the_head_of_the_failed_list_in_one_step() {
    let (redis, queue) = started();
    let mut q = driven(&queue);
    let _: i64 = redis.query(&["LPUSH", "q:failed", "earlier"]);
    q.push(&message("a", 2)).await;
    let reservation = q.reserve(1).await.remove(0);
    assert!(q.settle(reservation, Settlement::Fail(Exception::msg("boom"))).await);
    let failed: Vec<String> = redis.query(&["LRANGE", "q:failed", "0", "-1"]);
    assert_eq!(failed, [message("a", 2), "earlier".to_owned()]);
    let sizes = queue.size("q").await.unwrap();
    assert_eq!((sizes.pending, sizes.reserved, sizes.failed), (0, 0, Some(2)));
}

#[tokio::test]
async fn row_16_what_was_swept_into_the_timeout_list_is_settled_no_more() {
    let (redis, queue) = started();
    let mut q = driven(&queue);
    let ways = [
        Settlement::Fail(Exception::msg("boom")),
        Settlement::Release { at: NOW },
        Settlement::HandBack,
        Settlement::Delete,
    ];
    q.push(&message("a", 0)).await;
    for settlement in ways {
        let late = q.reserve(1).await.remove(0);
        q.now += LEASE + 1;
        assert!(q.reserve(1).await.is_empty());
        assert!(!q.settle(late, settlement).await);
        let sizes = queue.size("q").await.unwrap();
        assert_eq!((q.sizes().await, sizes.timeout, sizes.failed), ([0, 0, 0, 0], Some(1), Some(0)));
        // As queue:reload does.
        let moved: String = redis.query(&["RPOPLPUSH", "q:timeout", "q:waiting"]);
        assert_eq!(moved, message("a", 0));
    }
}

#[tokio::test]
async fn row_17_the_sizes_tell_the_lists_that_are_hyperfs() {
    let (redis, queue) = started();
    for (list, count) in [("q:waiting", 1), ("q:timeout", 2), ("q:failed", 3)] {
        for n in 0..count {
            let _: i64 = redis.query(&["LPUSH", list, &format!("{list}{n}")]);
        }
    }
    let sizes = queue.size("q").await.unwrap();
    assert_eq!((sizes.pending, sizes.timeout, sizes.failed), (1, Some(2), Some(3)));
    let q = driven(&queue);
    // The order in which queue:reload takes them.
    assert_eq!(q.standing(State::Failed).await, ["q:failed0", "q:failed1", "q:failed2"]);
    assert_eq!(q.standing(State::Timeout).await, ["q:timeout0", "q:timeout1"]);
}

#[tokio::test]
async fn rows_21_to_23_every_shape_goes_round_in_its_shape() {
    let (redis, queue) = started();
    let job = "O:9:\"App\\Job\\A\":1:{s:14:\"\0*\0maxAttempts\";i:20;}";
    let inner = |n| format!("a:2:{{i:0;{job}i:1;i:{n};}}");
    let shapes: [&dyn Fn(i64) -> String; 6] = [
        &|n| {
            format!(
                "O:25:\"Hyperf\\AsyncQueue\\Message\":2:{{s:6:\"\0*\0job\";{job}s:11:\"\0*\0attempts\";i:{n};}}"
            )
        },
        &|n| format!("C:25:\"Hyperf\\AsyncQueue\\Message\":{}:{{{}}}", inner(n).len(), inner(n)),
        &|n| format!("O:28:\"Hyperf\\AsyncQueue\\JobMessage\":2:{{i:0;{job}i:1;i:{n};}}"),
        &|n| format!("O:25:\"Hyperf\\AsyncQueue\\Message\":2:{{i:0;{job}i:1;i:{n};}}"),
        &|n| {
            format!("O:28:\"Hyperf\\AsyncQueue\\JobMessage\":2:{{s:3:\"job\";{job}s:8:\"attempts\";i:{n};}}")
        },
        &|n| {
            format!(
                "O:28:\"Hyperf\\AsyncQueue\\JobMessage\":4:{{i:0;{job}i:1;i:{n};s:3:\"job\";r:2;s:8:\"attempts\";i:{n};}}"
            )
        },
    ];
    for shape in shapes {
        let mut q = driven(&queue);
        q.push(&shape(8)).await;
        for n in 8..11 {
            let reservation = q.reserve(1).await.remove(0);
            assert_eq!((reservation.popped().as_ref(), reservation.attempts()), (shape(n).as_bytes(), n + 1));
            assert!(q.settle(reservation, Settlement::Release { at: q.now }).await);
            let delayed: Vec<String> = redis.query(&["ZRANGE", "q:delayed", "0", "-1"]);
            assert_eq!(delayed, [shape(n + 1)]);
        }
        redis.flush();
    }
}

#[tokio::test]
async fn row_30_what_a_killed_consumer_held_goes_to_the_timeout_list_with_anybodys_next_pop() {
    let (redis, queue) = started();
    let mut q = driven(&queue);
    // As a consumer of Hyperf leaves it, and as ours does.
    let score = (NOW + LEASE).to_string();
    let _: i64 = redis.query(&["ZADD", "q:reserved", &score, &message("theirs", 0)]);
    q.push(&message("ours", 0)).await;
    close(q.reserve(1).await);
    q.now += LEASE - 1;
    assert!(q.reserve(1).await.is_empty());
    assert_eq!(queue.size("q").await.unwrap().timeout, Some(0));
    q.now += 1;
    assert!(q.reserve(1).await.is_empty());
    assert_eq!(q.standing(State::Timeout).await, [message("theirs", 0)]);
    q.now += 1;
    assert!(q.reserve(1).await.is_empty());
    assert_eq!(q.standing(State::Timeout).await, [message("theirs", 0), message("ours", 0)]);
}

#[tokio::test]
async fn equal_messages_are_jobs_of_their_own() {
    let (_redis, queue) = started();
    let mut q = driven(&queue);
    let retry = Settlement::Release { at: NOW + 5 };
    q.push(&message("a", 0)).await;
    q.push(&message("a", 0)).await;
    let first = q.reserve(9).await;
    assert_eq!((first.len(), q.sizes().await), (1, [1, 0, 1, 0]));
    let settle: Vec<_> =
        first.into_iter().map(|reservation| Settling { reservation, settlement: retry.clone() }).collect();
    let second = q.exchange(&settle, 1, 0).await.reserved.remove(0);
    close(settle.into_iter().map(|settling| settling.reservation).collect());
    assert_eq!(second.popped(), message("a", 0).as_bytes());
    // Its retry has the same bytes as the one that waits: it is ready at once, and neither is lost.
    assert!(q.settle(second, retry).await);
    assert_eq!(q.sizes().await, [1, 1, 0, 0]);
    q.now += 5;
    let third = q.reserve(9).await;
    assert_eq!((third.len(), third[0].attempts(), q.sizes().await), (1, 2, [1, 0, 1, 0]));
    close(third);
}

#[tokio::test]
async fn nothing_is_pushed_into_a_channel_from_here() {
    let (redis, queue) = started();
    let producer = Producer::on(queue);
    for job in [
        Dispatch::named("App\\Job\\A", serde_json::json!({})),
        Dispatch::object(handover::php::object("App\\Job\\A").of(&serde_json::json!({})).unwrap()),
    ] {
        let error = producer.dispatch(job).await.unwrap_err().to_string();
        assert!(error.contains("push the job from the app itself"), "{error}");
    }
    let keys: Vec<String> = redis.query(&["KEYS", "*"]);
    assert_eq!(keys, [""; 0]);
}

/// What `handover` answers to these words about this Redis.
fn asked(redis: &Redis, words: &[&str]) -> Finished {
    let mut command = command(env!("CARGO_BIN_EXE_handover"));
    command.args(words).args(["--dialect", "hyperf", "--redis", &redis.url(0)]);
    Running::start(command).finish()
}

#[test]
fn row_17_from_the_shell_a_channel_is_looked_at_and_cleared_and_nothing_is_pushed() {
    let redis = Redis::start();
    for list in ["waiting", "timeout", "failed"] {
        let _: i64 = redis.query(&["LPUSH", &format!("{{queue}}:{list}"), &message("a", 2)]);
    }
    let shown = asked(&redis, &["queue:inspect"]);
    for line in ["[redis:{queue}]", "pending: 1", "timed out: 1", "failed: 1", "App\\Job\\A attempts 2"] {
        assert!(shown.stdout.contains(line), "{line}: {}{}", shown.stdout, shown.stderr);
    }
    let refused = asked(&redis, &["push", "App\\Job\\A"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("push the job from the app itself"), "{}", refused.stderr);
    let cleared = asked(&redis, &["queue:clear"]);
    assert!(cleared.stdout.contains("Cleared 1 job from the [{queue}] queue"), "{}", cleared.stdout);
    let mut left: Vec<String> = redis.query(&["KEYS", "*"]);
    left.sort();
    assert_eq!(left, ["{queue}:failed", "{queue}:timeout"]);
}
