//! Payloads that the stock pop loses, and odd ones that it runs: the first are set aside byte for byte, the second
//! are reserved with nothing changed but the digits of their attempts.

use handover::queue::{Queue, Reservation, State};

use super::{Driven, redis_queue};
use crate::support::redis::Redis;

fn nested(depth: usize) -> Vec<u8> {
    format!(r#"{{"job":"A@b","data":{}{},"attempts":0}}"#, "[".repeat(depth), "]".repeat(depth)).into_bytes()
}

#[tokio::test]
async fn row_17_what_nobody_can_read_is_set_aside_byte_for_byte() {
    let redis = Redis::start();
    let queue = redis_queue(&redis);
    let mut q = Driven::new(&queue);
    let unreadable: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"not JSON".to_vec(),
        br#"["a",{"attempts":0}]"#.to_vec(),
        b"7".to_vec(),
        br#"{"job":"A@b"}"#.to_vec(),
        br#"{"job":"A@b","attempts":null}"#.to_vec(),
        br#"{"job":"A@b","attempts":1.5}"#.to_vec(),
        br#"{"job":"A@b","attempts":{"n":1}}"#.to_vec(),
        br#"{"job":"A@b","attempts":[]}"#.to_vec(),
        br#"{"job":"A@b","attempts":true}"#.to_vec(),
        br#"{"job":"A@b","attempts":"many"}"#.to_vec(),
        br#"{"job":"A@b","x":"\ud800","attempts":0}"#.to_vec(),
        nested(2000),
        vec![b'x'; 50 << 20],
        b"\x00\x00\x00\x02\x14\x01\x11\x03job\x06\x00".to_vec(),
        br#"a:1:{s:8:"attempts";i:0;}"#.to_vec(),
        b"{\"job\":\"A\x00b\",\"attempts\":0}".to_vec(),
        b"\x00\x00".to_vec(),
    ];
    for payload in &unreadable {
        queue.push("q", payload).await.unwrap();
    }
    q.push(&super::job("sound", 0)).await;
    let mut reserved = Vec::new();
    while q.sizes().await[0] > 0 {
        reserved.extend(q.reserve(1).await);
    }
    assert_eq!(reserved.len(), 1, "the worker goes on to the sound one");
    reserved.into_iter().for_each(Reservation::close);
    let aside = queue.peek("q", State::Quarantined, 0, 99).await.unwrap();
    assert_eq!(aside.len(), unreadable.len());
    for (aside, pushed) in aside.iter().zip(&unreadable) {
        assert!(aside.payload == *pushed, "{}", pushed[..pushed.len().min(60)].escape_ascii());
    }
}

#[tokio::test]
async fn what_stock_runs_is_reserved_with_only_its_attempts_changed() {
    let redis = Redis::start();
    let queue = redis_queue(&redis);
    let mut q = Driven::new(&queue);
    let big = format!(r#"{{"job":"A@b","attempts":0,"data":"{}"}}"#, "y".repeat(50 << 20));
    let big_after = format!(r#"{{"job":"A@b","attempts":1,"data":"{}"}}"#, "y".repeat(50 << 20));
    for (popped, reserved) in [
        (r#"{"attempts":"1","job":"A@b"}"#, r#"{"attempts":2,"job":"A@b"}"#),
        (r#"{"attempts":3,"job":"A@b","attempts":9}"#, r#"{"attempts":3,"job":"A@b","attempts":10}"#),
        (
            r#"{"job":"A@b","attempts":9,"attempts":0,"z":1}"#,
            r#"{"job":"A@b","attempts":9,"attempts":1,"z":1}"#,
        ),
        (r#"{"data":{"attempts":5},"attempts":0}"#, r#"{"data":{"attempts":5},"attempts":1}"#),
        (r#"{"attempts":0,"data":{"attempts":5}}"#, r#"{"attempts":1,"data":{"attempts":5}}"#),
        (r#"{"attempts":0,"x":"\",\"attempts\":7}"}"#, r#"{"attempts":1,"x":"\",\"attempts\":7}"}"#),
        (r#"{"attempts":0,"x":"\\\\","y":["]{",{}]}"#, r#"{"attempts":1,"x":"\\\\","y":["]{",{}]}"#),
        (r#" { "attempts" : 12 , "job":"A@b" } "#, r#" { "attempts" : 13 , "job":"A@b" } "#),
        (r#"{"attempt\u0073":4,"job":"A@b"}"#, r#"{"attempt\u0073":5,"job":"A@b"}"#),
        (r#"{"id":"x","attempts":99,"delay":null}"#, r#"{"id":"x","attempts":100,"delay":null}"#),
        (r#"{"id":"x","attempts":0,"delay":60}"#, r#"{"id":"x","attempts":1,"delay":60}"#),
        (
            r#"{"n":1.10,"e":[],"b":9007199254740993,"u":"\u00e9/","attempts":0}"#,
            r#"{"n":1.10,"e":[],"b":9007199254740993,"u":"\u00e9/","attempts":1}"#,
        ),
        (&big, &big_after),
    ] {
        q.push(popped).await;
        let done = q.exchange(&[], 1, 0).await;
        let shown = &popped[..popped.len().min(80)];
        let [reservation] = &done.reserved[..] else { panic!("{shown}: {:?}", done.quarantined) };
        assert!(reservation.popped() == popped.as_bytes(), "{shown}");
        assert!(reservation.reserved() == reserved.as_bytes(), "{shown}");
        let standing = queue.peek("q", State::Reserved, 0, 1).await.unwrap();
        assert!(standing[0].payload == reserved.as_bytes(), "{shown}");
        done.reserved.into_iter().for_each(Reservation::close);
        redis.flush();
    }
}
