//! What parent and child say to each other: a JSON head, a raw body, each with its length before it.
//!
//! Lengths are 32 bits, big endian, head's first. A child's frames are bounded and carry no body; what breaks the rules
//! ends that child, never the parent. Counterpart: `Link` in `runner/link.php`.

use std::io;

use bytes::{Buf, Bytes};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The version of this protocol; a child says its own in its first frame.
pub(super) const PROTOCOL: u32 = 1;
/// The largest head that a child may send: an exception's message and a little more.
const LARGEST_HEAD: u32 = 256 << 10;

/// Bytes that are copied together to be written at once.
const ONE_WRITE: usize = 64 << 10;

/// What a child says.
#[derive(Debug, Deserialize, PartialEq)]
#[cfg_attr(any(test, fuzzing), derive(Clone, Serialize))]
#[serde(tag = "say", rename_all = "snake_case")]
pub(super) enum Said {
    /// It runs; the app is yet to boot.
    Hello { protocol: u32, pid: u32, php: String },
    /// It wants a job. `restart` is the restart signal it found in the app's cache, empty for none; absent where it did
    /// not look.
    Ask { restart: Option<String> },
    /// The app is down for maintenance: it will not ask while it is.
    Down,
    /// It no longer wants one.
    Withdraw,
    /// It has read the head of a job.
    Started { token: u64 },
    /// It is about to fail the job: is it still held? Waits for the answer.
    Confirm { token: u64 },
    /// The job was removed.
    Deleted { token: u64 },
    /// The job is to run again at this Unix second.
    Released { token: u64, at: i64 },
    /// The job threw.
    Threw { token: u64, class: String, message: String },
    /// The job failed for good and was recorded by the app.
    Failed { token: u64, class: String, message: String },
    /// The worker has ended in order; the process is about to.
    Done { status: i64 },
    /// The job's time is up; the process is about to end itself.
    TimedOut { token: u64 },
}

/// What the parent says.
#[derive(Serialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub(super) enum Tell<'a> {
    /// A job: the body holds the popped bytes (`raw` of them), then the reserved bytes.
    Job {
        token: u64,
        queue: &'a str,
        raw: usize,
        /// Fail it, with this reason, instead of running it.
        #[serde(skip_serializing_if = "Option::is_none")]
        fail: Option<&'a str>,
    },
    /// There is none: the answer to a withdrawal.
    Nothing,
    /// Whether the job is still held: the answer to a confirmation.
    Held { held: bool },
    /// Leave.
    Quit,
}

/// The bytes of a frame, but for the body.
pub(super) fn head(tell: &Tell<'_>, body: usize) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(tell)?;
    let lengths = [json.len(), body].map(|length| u32::try_from(length).map_err(io::Error::other));
    let [head, body] = lengths;
    let mut frame = Vec::with_capacity(8 + json.len());
    frame.extend_from_slice(&head?.to_be_bytes());
    frame.extend_from_slice(&body?.to_be_bytes());
    frame.extend_from_slice(&json);
    Ok(frame)
}

/// Writes a frame.
pub(super) async fn write(
    stream: &mut (impl AsyncWriteExt + Unpin),
    tell: &Tell<'_>,
    body: [&[u8]; 2],
) -> io::Result<()> {
    let mut frame = head(tell, body[0].len() + body[1].len())?;
    // A job of usual size is one write, so that its child wakes once.
    for part in body {
        if frame.len() + part.len() <= ONE_WRITE {
            frame.extend_from_slice(part);
        } else {
            stream.write_all(&frame).await?;
            frame.clear();
            stream.write_all(part).await?;
        }
    }
    stream.write_all(&frame).await?;
    stream.flush().await
}

/// Reads frames off a stream, however they are cut up on their way.
#[derive(Default)]
pub(super) struct Frames {
    buffer: bytes::BytesMut,
}

impl Frames {
    /// The next frame; `None` where the stream ended between two. May be dropped while it waits: nothing is lost.
    pub(super) async fn next(
        &mut self,
        stream: &mut (impl AsyncReadExt + Unpin),
    ) -> io::Result<Option<Said>> {
        loop {
            if let Some(head) = self.take()? {
                let said = serde_json::from_slice(&head);
                return said.map(Some).map_err(|error| broken(format!("not a frame of ours: {error}")));
            }
            if stream.read_buf(&mut self.buffer).await? == 0 {
                return if self.buffer.is_empty() { Ok(None) } else { Err(broken("cut off within a frame")) };
            }
        }
    }

    /// The head of a whole frame in the buffer.
    fn take(&mut self) -> io::Result<Option<Bytes>> {
        if self.buffer.len() < 8 {
            return Ok(None);
        }
        let (head, body) = ((&self.buffer[0..4]).get_u32(), (&self.buffer[4..8]).get_u32());
        if head > LARGEST_HEAD || body != 0 {
            return Err(broken(format!("a head of {head} bytes and a body of {body}")));
        }
        let whole = 8 + head as usize;
        if self.buffer.len() < whole {
            return Ok(None);
        }
        let frame = self.buffer.split_to(whole).freeze();
        Ok(Some(frame.slice(8..)))
    }
}

fn broken(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

/// What holds for any bytes, in any pieces; a fuzz target runs it too.
#[cfg(any(test, fuzzing))]
#[allow(missing_docs, unreachable_pub, reason = "public to the fuzz targets alone")]
pub mod property {
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    use tokio::io::{AsyncRead, ReadBuf};

    use super::*;

    /// The makings of one thing that a child may say.
    pub type Makings = (u8, u64, String, String);

    /// However the stream is cut: what the child said is read back, then of any bytes what the protocol makes of them,
    /// and the buffer stays within its bound.
    pub fn holds(said: &[Makings], bytes: &[u8], cuts: &[u8]) {
        let said: Vec<Said> = said.iter().map(made).collect();
        let mut stream: Vec<u8> = Vec::new();
        for said in &said {
            stream.extend(framed(&serde_json::to_vec(said).expect("JSON")));
        }
        stream.extend_from_slice(bytes);
        let (mut expected, end) = by_the_protocol(bytes);
        expected.splice(0..0, said);
        assert_eq!(read(&stream, cuts), (expected, end));
    }

    fn made((kind, number, first, second): &Makings) -> Said {
        let (token, class, message) = (*number, first.clone(), second.clone());
        match kind % 12 {
            0 => Said::Hello { protocol: *number as u32, pid: u32::from(*kind), php: class },
            1 => Said::Ask { restart: (number % 2 == 0).then_some(class) },
            2 => Said::Down,
            3 => Said::Withdraw,
            4 => Said::Started { token },
            5 => Said::Confirm { token },
            6 => Said::Deleted { token },
            7 => Said::Released { token, at: *number as i64 },
            8 => Said::Threw { token, class, message },
            9 => Said::Failed { token, class, message },
            10 => Said::Done { status: *number as i64 },
            _ => Said::TimedOut { token },
        }
    }

    pub(super) fn framed(json: &[u8]) -> Vec<u8> {
        [&(json.len() as u32).to_be_bytes()[..], &[0; 4], json].concat()
    }

    /// What the header of this file says, on bytes that are all there: the frames, and whether they end in order.
    fn by_the_protocol(mut bytes: &[u8]) -> (Vec<Said>, bool) {
        let mut said = Vec::new();
        while let [a, b, c, d, 0, 0, 0, 0, rest @ ..] = bytes {
            let length = u32::from_be_bytes([*a, *b, *c, *d]);
            let Some(head) = rest.get(..length as usize).filter(|_| length <= LARGEST_HEAD) else { break };
            let Ok(frame) = serde_json::from_slice(head) else { break };
            said.push(frame);
            bytes = &rest[head.len()..];
        }
        (said, bytes.is_empty())
    }

    fn read(stream: &[u8], cuts: &[u8]) -> (Vec<Said>, bool) {
        let mut pieces = Pieces { rest: stream, cuts: cuts.iter().cycle(), paused: false };
        let (mut frames, mut said) = (Frames::default(), Vec::new());
        loop {
            // Each wait is dropped and begun anew: nothing may be lost by that.
            let next = pin!(frames.next(&mut pieces)).poll(&mut Context::from_waker(Waker::noop()));
            let most = 2 * (8 + LARGEST_HEAD as usize);
            assert!(frames.buffer.capacity() <= most, "{} bytes", frames.buffer.capacity());
            match next {
                Poll::Pending => {}
                Poll::Ready(Ok(Some(frame))) => said.push(frame),
                Poll::Ready(end) => return (said, end.is_ok()),
            }
        }
    }

    /// A stream that hands out as many bytes as its cuts say, and a pause after each piece.
    struct Pieces<'a> {
        rest: &'a [u8],
        cuts: std::iter::Cycle<std::slice::Iter<'a, u8>>,
        paused: bool,
    }

    impl AsyncRead for Pieces<'_> {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            into: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            self.paused = !self.paused;
            if self.paused {
                return Poll::Pending;
            }
            let cut = self.cuts.next().map_or(usize::MAX, |cut| usize::from(*cut) + 1);
            let (piece, rest) = self.rest.split_at(cut.min(self.rest.len()).min(into.remaining()));
            into.put_slice(piece);
            self.rest = rest;
            Poll::Ready(Ok(()))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_are_what_the_protocol_makes_of_them(
            said in vec(any::<property::Makings>(), 0..6),
            large in prop_oneof![9 => Just(0_usize), 1 => 0..300_000_usize],
            bytes in vec(any::<u8>(), 0..40),
            heads in vec(prop_oneof![
                Just("{\"say\":\"ask\"}".to_owned()),
                ".{0,20}",
                "\\{\"say\":\"(down|released|done)\"(,\"(token|at|status)\":-?[0-9]{1,20}){0,3}\\}",
            ], 0..4),
            cuts in vec(any::<u8>(), 0..9),
        ) {
            let large = format!("{{\"say\":\"down\",\"x\":\"{}\"}}", "y".repeat(large));
            let heads: Vec<u8> = heads.iter().chain([&large]).flat_map(|head| property::framed(head.as_bytes())).collect();
            property::holds(&said, &[heads, bytes].concat(), &cuts);
        }
    }

    fn framed(json: &str) -> Vec<u8> {
        property::framed(json.as_bytes())
    }

    #[tokio::test]
    async fn frames_are_read_however_they_are_cut() {
        let bytes = [framed(r#"{"say":"ask"}"#), framed(r#"{"say":"released","token":7,"at":12}"#)].concat();
        for piece in [1, 3, 8, 100] {
            let (mut ours, mut theirs) = tokio::io::duplex(piece);
            let sent = bytes.clone();
            tokio::spawn(async move { theirs.write_all(&sent).await });
            let mut frames = Frames::default();
            assert_eq!(frames.next(&mut ours).await.unwrap(), Some(Said::Ask { restart: None }));
            assert_eq!(frames.next(&mut ours).await.unwrap(), Some(Said::Released { token: 7, at: 12 }));
            assert_eq!(frames.next(&mut ours).await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn what_breaks_the_rules_is_an_error() {
        for (bytes, told) in [
            (vec![0xff; 8], "a head of 4294967295 bytes"),
            ([&[0, 0, 0, 2, 0, 0, 0, 1][..], b"{}x"].concat(), "a body of 1"),
            (framed("{}"), "not a frame of ours"),
            (framed(r#"{"say":"released","token":-1,"at":0}"#), "not a frame of ours"),
            (framed(&"[".repeat(4000)), "not a frame of ours"),
            (framed(r#"{"say":"ask"}"#)[..9].to_vec(), "cut off"),
        ] {
            let error = Frames::default().next(&mut bytes.as_slice()).await.unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn a_job_is_a_head_with_its_length_and_the_bodys() {
        let tell = Tell::Job { token: 3, queue: "high", raw: 5, fail: None };
        let frame = head(&tell, 11).unwrap();
        let json = br#"{"say":"job","token":3,"queue":"high","raw":5}"#;
        assert_eq!(frame[..8], [0, 0, 0, json.len() as u8, 0, 0, 0, 11]);
        assert_eq!(&frame[8..], json);
    }
}
