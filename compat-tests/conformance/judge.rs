//! One payload through a reserve in Redis, in memory and by Laravel's own script: do they agree?
//!
//! For a test and for a fuzz target, which includes this file; so it knows neither. Starts no server.
//! Counterpart in PHP: `Illuminate\Queue\LuaScripts::pop`.

use handover::MemoryQueue;
use handover::dialect::Laravel;
use handover::job::Payload;
use handover::queue::{Exchange, Exchanged, Queue, RedisQueue, RedisQueueOptions, Reservation, State, Token};

const Q: &str = "q";
const NOW: i64 = 1_700_000_000;
const LEASE: i64 = 90;

/// What stock does to the payload that it popped.
const STOCK: &str = "
    local reserved = cjson.decode(ARGV[1])
    reserved['attempts'] = reserved['attempts'] + 1
    cjson.encode(reserved)
    return string.format('%.17g', reserved['attempts'])
";

/// The queues, and the server under one of them.
pub struct Judge {
    runtime: tokio::runtime::Runtime,
    queue: RedisQueue,
    server: redis::Connection,
    stock: redis::Script,
}

/// What a queue did: the reserved bytes and attempts, or why the payload was set aside.
type Verdict = Result<(Vec<u8>, i64), String>;

impl Judge {
    /// On this server, which should be nobody else's.
    pub fn new(url: &str) -> Judge {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let server = handover::redis::Redis::new(url).expect("an address");
        let queue = RedisQueue::new(server, Laravel::new(""), RedisQueueOptions::default());
        let server = redis::Client::open(url).and_then(|client| client.get_connection()).expect("a server");
        Judge { runtime, queue, server, stock: redis::Script::new(STOCK) }
    }

    /// Panics where the three differ, but for what is said here.
    pub fn judge(&mut self, payload: &[u8]) {
        let () = redis::cmd("FLUSHALL").query(&mut self.server).expect("an empty server");
        let ours = self.runtime.block_on(reserved(&self.queue, payload));
        let model = self.runtime.block_on(reserved(&MemoryQueue::new(), payload));
        let stock = self.stock.arg(payload).invoke::<String>(&mut self.server);
        let shown = payload.escape_ascii();
        let readable = Payload::parse(payload.to_vec());
        match (&ours, &model) {
            (Ok(ours), Ok(model)) => assert_eq!(ours, model, "{shown}"),
            // Redis reads more than JSON (invalid UTF-8, 007, NaN). The worker, which reads the payload next, sets it
            // aside then, as what PHP cannot read.
            (Ok(_), Err(_)) if readable.is_err() => {}
            // A number in a text may be in Lua's own notation: 0x1F, or cut at a NUL. Memory has only the usual one.
            (Ok(_), Err(_)) if lua_alone(readable.as_ref().ok()) => {}
            // Memory leaves alone what it need not read: single surrogates, nesting beyond 1000. Redis can read neither.
            (Err(why), Ok(_)) if why.starts_with("not JSON that PHP and Redis can read") => {}
            (Err(_), Err(_)) => {}
            _ => panic!("Redis {ours:?}, memory {model:?}: {shown}"),
        }
        match (stock, &ours) {
            (Ok(count), Ok((_, attempts))) => assert_eq!(count, attempts.to_string(), "{shown}"),
            // Stock would count on from 1.5, and beyond what a script can write as digits.
            (Ok(count), Err(why)) => {
                let before = count.parse::<f64>().expect("a number") - 1.0;
                let odd = before.fract() != 0.0 || before.abs() > 1e9;
                assert!(odd && why == "attempts is not a whole number", "stock runs it: {why}: {shown}");
            }
            (Err(error), _) => assert!(!error.is_io_error(), "{error}"),
        }
    }
}

fn lua_alone(payload: Option<&Payload>) -> bool {
    let attempts = payload.and_then(|payload| payload.field("attempts"));
    let text = attempts.and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
    text.is_some_and(|text| text.contains(['x', 'X', '\0']))
}

/// Pushes it, reserves it and recovers the reservation.
async fn reserved(queue: &dyn Queue, payload: &[u8]) -> Verdict {
    queue.push(Q, payload).await.expect("a push");
    let token = Token::new(7);
    let ask = Exchange { want: 1, token, now: NOW, lease: LEASE, ..Exchange::default() };
    let Exchanged { reserved, quarantined, .. } = queue.exchange(Q, ask).await.expect("a reserve");
    let standing = async |state| queue.peek(Q, state, 0, 9).await.expect("a look");
    let Some(reservation) = reserved.into_iter().next() else {
        let aside = standing(State::Quarantined).await;
        assert!(aside.len() == 1 && aside[0].payload == payload);
        let (size, why) = quarantined.into_iter().next().expect("a reason");
        assert_eq!(size, payload.len());
        return Err(why);
    };
    assert!(reservation.popped() == payload);
    let held = standing(State::Reserved).await;
    assert!(held.len() == 1 && held[0].payload == reservation.reserved());
    let found = queue.recover(Q, token, NOW + LEASE).await.expect("a recovery");
    let told = |held: &Reservation| (held.reserved(), held.attempts());
    let verdict = told(&reservation);
    assert!(found.len() == 1 && told(&found[0]) == verdict);
    assert!(found[0].same_job(&reservation));
    found.into_iter().chain([reservation]).for_each(Reservation::close);
    Ok(verdict)
}

/// A payload made of these choices: mostly JSON, rich in counts of attempts at odd places.
pub fn payload(choices: &[u8]) -> Vec<u8> {
    let mut choices = choices.iter().copied();
    let mut out = Vec::new();
    object(&mut choices, &mut out, 0);
    out
}

const KEYS: [&str; 12] = [
    r#""attempts""#,
    r#""attempts""#,
    r#""attempts""#,
    r#""attempt\u0073""#,
    r#""\u0061ttempts""#,
    r#""delay""#,
    r#""job""#,
    r#""""#,
    r#""attempts\"""#,
    r#""a,\"attempts\":1}""#,
    r#"" attempts""#,
    r#""\\attempts""#,
];
const SPACES: [&str; 8] = ["", "", "", "", " ", "\t\r\n", "\x0b", "\0"];
const SCALARS: [&str; 40] = [
    "0",
    "1",
    "9",
    "60",
    "99",
    "-1",
    "-0",
    "0.0",
    "1.0",
    "1.5",
    "1e2",
    "1E+0",
    "1e-1",
    "1000000000",
    "999999999",
    "-1000000000",
    "1000000001",
    "9007199254740993",
    "1e400",
    "0.99999999999999999",
    "00",
    "007",
    "+1",
    "0x10",
    "NaN",
    "-Infinity",
    "null",
    "true",
    "false",
    r#""A@b""#,
    r#""1""#,
    r#"" 12 ""#,
    r#""0x1F""#,
    r#""1e3""#,
    r#""nan""#,
    r#""5\u0000""#,
    r#""\u00a05""#,
    r#""\ud800""#,
    r#""\ud83d\ude00\\""#,
    r#""{\",\"attempts\":7}""#,
];

type Choices<'a> = std::iter::Copied<std::slice::Iter<'a, u8>>;

fn pick<'t>(choices: &mut Choices<'_>, among: &[&'t str]) -> &'t [u8] {
    among[usize::from(choices.next().unwrap_or(0)) % among.len()].as_bytes()
}

fn object(choices: &mut Choices<'_>, out: &mut Vec<u8>, depth: usize) {
    out.push(b'{');
    for index in 0..choices.next().unwrap_or(0) % 6 {
        out.extend_from_slice(if index > 0 { b"," } else { b"" });
        out.extend_from_slice(pick(choices, &SPACES));
        out.extend_from_slice(pick(choices, &KEYS));
        out.extend_from_slice(pick(choices, &SPACES));
        out.push(b':');
        value(choices, out, depth);
    }
    out.push(b'}');
    out.extend_from_slice(pick(choices, &SPACES));
}

fn value(choices: &mut Choices<'_>, out: &mut Vec<u8>, depth: usize) {
    out.extend_from_slice(pick(choices, &SPACES));
    match choices.next().unwrap_or(0) {
        200..=215 if depth < 9 => object(choices, out, depth + 1),
        216..=231 if depth < 9 => {
            out.push(b'[');
            for index in 0..choices.next().unwrap_or(0) % 4 {
                out.extend_from_slice(if index > 0 { b"," } else { b"" });
                value(choices, out, depth + 1);
            }
            out.push(b']');
        }
        232..=239 => {
            let levels = usize::from(choices.next().unwrap_or(0)) * 5;
            out.extend_from_slice("[".repeat(levels).as_bytes());
            out.extend_from_slice("]".repeat(levels).as_bytes());
        }
        240..=255 => {
            let text: Vec<u8> = choices.take(5).collect();
            out.extend_from_slice(&[b"\"", &text[..], b"\""].concat());
        }
        _ => out.extend_from_slice(pick(choices, &SCALARS)),
    }
    out.extend_from_slice(pick(choices, &SPACES));
}
