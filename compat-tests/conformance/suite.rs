//! The promises themselves.

use handover::job::Settlement;
use handover::queue::{Reservation, Settling, State, Token};

use super::{Driven, LEASE, NOW};

fn close(reserved: Vec<Reservation>) {
    reserved.into_iter().for_each(Reservation::close);
}

pub async fn jobs_are_reserved_in_order_and_only_their_attempts_change(mut q: Driven<'_>) {
    for id in ["a", "b", "c"] {
        q.push(&q.job(id, 4)).await;
    }
    let reserved = q.reserve(2).await;
    assert_eq!(q.ids(&reserved), ["a", "b"]);
    assert_eq!(reserved[0].popped(), q.job("a", 4).as_bytes());
    assert_eq!(reserved[0].reserved(), q.job("a", 4 + q.raise()).as_bytes());
    assert_eq!(reserved[0].attempts(), q.number(4));
    assert_eq!(q.sizes().await, [1, 0, 2, 0]);
    let standing = q.queue.peek("q", State::Reserved, 0, 9).await.unwrap();
    assert_eq!(standing[0].payload, q.job("a", 4 + q.raise()));
    assert_eq!(standing[0].at, Some(reserved[0].token().score(NOW + LEASE)));
    for reservation in reserved {
        assert!(q.settle(reservation, Settlement::Delete).await);
    }
    assert_eq!(q.sizes().await, [1, 0, 0, 0]);
}

pub async fn many_pushed_at_once_are_jobs_like_any(mut q: Driven<'_>) {
    let many = |ids: &[&str]| ids.iter().map(|id| q.job(id, 0).into_bytes()).collect::<Vec<_>>();
    q.push(&q.job("first", 0)).await;
    q.queue.push_all("q", &many(&["a", "b", "c"])).await.unwrap();
    q.queue.push_all("q", &[]).await.unwrap();
    let later: Vec<_> = [NOW + 5, NOW + 1].into_iter().zip(many(&["e", "d"])).collect();
    q.queue.later_all("q", &later).await.unwrap();
    q.queue.later_all("q", &[]).await.unwrap();
    assert_eq!(q.sizes().await, [4, 2, 0, 0]);
    q.assert_tokens(4).await;
    let reserved = q.reserve(9).await;
    assert_eq!(q.ids(&reserved), ["first", "a", "b", "c"]);
    close(reserved);
    q.now = NOW + 5;
    let reserved = q.reserve(9).await;
    assert_eq!(q.ids(&reserved), q.due(["d", "e"]));
    close(reserved);
}

pub async fn a_release_is_delayed_with_its_attempts_spent(mut q: Driven<'_>) {
    q.push(&q.job("a", 0)).await;
    let reservation = q.reserve(1).await.remove(0);
    assert!(q.settle(reservation, Settlement::Release { at: NOW + 30 }).await);
    let delayed = q.queue.peek("q", State::Delayed, 0, 9).await.unwrap();
    assert_eq!(
        (delayed[0].payload.as_ref(), delayed[0].at),
        (q.job("a", 1).as_bytes(), Some((NOW + 30) as f64))
    );
    q.now = NOW + 29;
    assert!(q.reserve(1).await.is_empty());
    q.now = NOW + 30;
    let again = q.reserve(1).await.remove(0);
    assert_eq!(again.attempts(), q.number(1));
    again.close();
}

pub async fn jobs_handed_back_stand_at_the_head_in_their_first_order(mut q: Driven<'_>) {
    for id in ["a", "b", "c", "d"] {
        q.push(&q.job(id, 0)).await;
    }
    let settle: Vec<Settling> = q
        .reserve(3)
        .await
        .into_iter()
        .map(|reservation| Settling { reservation, settlement: Settlement::HandBack })
        .collect();
    let done = q.exchange(&settle, 0, 0).await;
    assert_eq!(done.settled, [true, true, true]);
    settle.into_iter().for_each(|settling| settling.reservation.close());
    let pending = q.queue.peek("q", State::Pending, 0, 9).await.unwrap();
    let pending: Vec<_> = pending.iter().map(|peeked| peeked.payload.as_ref().to_vec()).collect();
    assert_eq!(pending, ["a", "b", "c", "d"].map(|id| q.job(id, 0).into_bytes()));
    // One wake-up token for each job that is ready.
    q.assert_tokens(4).await;
}

pub async fn a_late_settlement_of_a_job_that_was_handed_back_changes_nothing(mut q: Driven<'_>) {
    q.push(&q.job("a", 0)).await;
    let first = q.reserve(1).await.remove(0);
    // The same reservation again, as a worker knows it that never heard the answer.
    let (counting, attempts, pushed) = (q.counting, q.number(0), q.job("a", 0));
    let late = || {
        let at = pushed.rfind('0').unwrap();
        let edit = handover::queue::AttemptsEdit { at, len: 1, attempts };
        Reservation::new("q", pushed.clone().into_bytes(), edit, counting, first.token())
    };
    let lates = [late(), late(), late(), late(), late()];
    assert!(q.settle(first, Settlement::HandBack).await);
    let second = q.reserve(1).await.remove(0);
    assert_eq!(second.reserved(), lates[0].reserved(), "the bytes are no fence");
    let before = (q.sizes().await, q.queue.peek("q", State::Reserved, 0, 9).await.unwrap());

    assert_eq!(q.queue.renew("q", &[&lates[0]], NOW + 500).await.unwrap(), [false]);
    let [renewed, a, b, c, d] = lates;
    renewed.close();
    let failure = handover::Exception::msg("late");
    for (late, settlement) in [
        (a, Settlement::Delete),
        (b, Settlement::Release { at: NOW }),
        (c, Settlement::Fail(failure)),
        (d, Settlement::HandBack),
    ] {
        assert!(!q.settle(late, settlement).await);
    }
    assert_eq!((q.sizes().await, q.queue.peek("q", State::Reserved, 0, 9).await.unwrap()), before);
    assert!(q.settle(second, Settlement::Delete).await);
    assert_eq!(q.sizes().await, [0, 0, 0, 0]);
}

pub async fn a_lost_reserve_is_recovered_by_its_token(mut q: Driven<'_>) {
    for id in ["a", "b", "c"] {
        q.push(&q.job(id, 9)).await;
    }
    let other = q.reserve(1).await;
    let lost = q.reserve(2).await;
    let token = lost[0].token();
    close(lost);
    let mut found = q.queue.recover("q", token, NOW + LEASE).await.unwrap();
    found.sort_by_key(|reservation| reservation.popped().clone());
    assert_eq!(q.ids(&found), ["b", "c"]);
    assert_eq!(found[0].popped(), q.job("b", 9).as_bytes());
    assert_eq!(found[0].attempts(), q.number(9));
    for reservation in found {
        assert!(q.settle(reservation, Settlement::HandBack).await);
    }
    assert!(q.queue.recover("q", Token::new(99), NOW + LEASE).await.unwrap().is_empty());
    assert_eq!(q.sizes().await, [2, 0, 1, 0]);
    close(other);
}

pub async fn renewing_moves_the_expiry_and_tells_what_is_gone(mut q: Driven<'_>) {
    q.push(&q.job("a", 0)).await;
    q.push(&q.job("b", 0)).await;
    let reserved = q.reserve(2).await;
    let held: Vec<&Reservation> = reserved.iter().collect();
    assert_eq!(q.queue.renew("q", &held, NOW + 500).await.unwrap(), [true, true]);
    q.now = NOW + LEASE + 1;
    assert!(q.reserve(1).await.is_empty(), "a renewed reservation has not expired");
    q.now = NOW + 501;
    let again = q.reserve(1).await;
    if q.loses_expired() {
        assert!(again.is_empty());
        let mut gone = q.standing(State::Timeout).await;
        gone.sort();
        assert_eq!(gone, [q.job("a", 0), q.job("b", 0)]);
    } else {
        assert_eq!(again[0].attempts(), q.number(1));
    }
    assert_eq!(q.queue.renew("q", &held, NOW + 900).await.unwrap(), [false, false]);
    close(again);
    close(reserved);
}

pub async fn equal_payloads_released_stay_as_many(mut q: Driven<'_>) {
    for _ in 0..3 {
        q.push(&q.job("same", 0)).await;
    }
    let mut ran = 0;
    for round in 0..3 {
        for _ in 0..3 {
            // Each waits with the others of its kind, whatever their times.
            let Some(reservation) = q.reserve(1).await.pop() else { break };
            assert!(q.settle(reservation, Settlement::Release { at: NOW + 30 + round }).await);
            ran += 1;
        }
        assert_eq!(q.sizes().await.iter().sum::<u64>(), 3, "none is lost");
    }
    assert!(ran >= 2);
    let mut done = 0;
    for _ in 0..4 {
        q.now += 60;
        while let Some(reservation) = q.reserve(1).await.pop() {
            assert!(q.settle(reservation, Settlement::Delete).await);
            done += 1;
        }
    }
    assert_eq!(done, 3);
    assert_eq!(q.sizes().await, [0, 0, 0, 0]);
}

pub async fn equal_payloads_never_share_a_reservation(mut q: Driven<'_>) {
    q.push(&q.job("same", 0)).await;
    q.push(&q.job("same", 0)).await;
    q.push(&q.job("other", 0)).await;
    let reserved = q.reserve(9).await;
    assert_eq!(q.ids(&reserved), ["same", "other"]);
    assert_eq!(q.sizes().await, [1, 0, 2, 0]);
    for reservation in reserved {
        assert!(q.settle(reservation, Settlement::Delete).await);
    }
    let second = q.reserve(9).await;
    assert_eq!(q.ids(&second), ["same"]);
    close(second);
}

pub async fn due_jobs_move_before_expired_reservations(mut q: Driven<'_>) {
    q.push(&q.job("held", 0)).await;
    close(q.reserve(1).await);
    q.queue.later("q", q.job("second", 0).as_bytes(), NOW + 20).await.unwrap();
    q.queue.later("q", q.job("first", 0).as_bytes(), NOW + 10).await.unwrap();
    q.queue.later("q", q.job("not yet", 0).as_bytes(), NOW + 900).await.unwrap();
    q.now = NOW + LEASE + 1;
    let reserved = q.reserve(9).await;
    assert_eq!(q.ids(&reserved)[..2], q.due(["first", "second"]));
    if q.loses_expired() {
        assert_eq!(reserved.len(), 2);
        assert_eq!(q.standing(State::Timeout).await, [q.job("held", 0)]);
    } else {
        assert_eq!(q.ids(&reserved[2..]), ["held"]);
        assert_eq!(reserved[2].attempts(), q.number(1));
    }
    assert_eq!(q.queue.wait(&["q".into()], 0.05).await.unwrap(), [""; 0], "their tokens went with them");
    close(reserved);
}

pub async fn the_next_due_time_is_told(mut q: Driven<'_>) {
    assert_eq!(q.exchange(&[], 1, 0).await.next_due, None);
    q.queue.later("q", q.job("a", 0).as_bytes(), NOW + 50).await.unwrap();
    assert_eq!(q.exchange(&[], 1, 0).await.next_due, Some(NOW + 50));
    q.push(&q.job("b", 0)).await;
    q.now = NOW - 60;
    let done = q.exchange(&[], 1, 0).await;
    // The token in the fraction makes a reservation due with the next whole second.
    assert_eq!(done.next_due, Some(NOW - 60 + LEASE + 1));
    close(done.reserved);
}

pub async fn clearing_leaves_what_was_set_aside(mut q: Driven<'_>) {
    q.push("junk").await;
    let aside = q.reserve(1).await;
    for junk in aside {
        // No script looks into a message: what cannot be read is found out here.
        assert!(q.settle(junk, Settlement::Quarantine).await);
    }
    q.push(&q.job("failed", 0)).await;
    let failed = q.reserve(1).await.remove(0);
    assert!(q.settle(failed, Settlement::Fail(handover::Exception::msg("boom"))).await);
    q.push(&q.job("a", 0)).await;
    close(q.reserve(2).await);
    q.push(&q.job("b", 0)).await;
    q.queue.later("q", q.job("c", 0).as_bytes(), NOW + 50).await.unwrap();
    assert_eq!(q.sizes().await, [1, 1, 1, 1]);
    assert_eq!(q.queue.clear("q").await.unwrap(), 3);
    assert_eq!(q.sizes().await, [0, 0, 0, 1]);
    let kept = if q.loses_expired() { vec![q.job("failed", 0)] } else { Vec::new() };
    assert_eq!(q.standing(State::Failed).await, kept);
    assert_eq!(q.queue.wait(&["q".into()], 0.05).await.unwrap(), [""; 0]);
}
