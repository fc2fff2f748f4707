//! Three clients do anything in any order; after each step the real Redis must hold what a small model says: the same
//! payloads at the same places in the same order, and a wake-up token for each ready job.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use handover::dialect::{Counting, Dialect, Hyperf, Laravel, Think};
use handover::job::Settlement;
use handover::queue::{Exchange, Queue, RedisQueue, Reservation, Settling, State, Token};
use proptest::prelude::*;

use super::{LEASE, NOW, speaking};
use crate::support::redis::Redis;

const Q: &str = "q";

#[derive(Clone, Debug)]
enum Step {
    Push(u8),
    Later(u8, i64),
    Reserve {
        client: usize,
        want: usize,
        waits: bool,
    },
    Settle {
        client: usize,
        pick: usize,
        how: u8,
    },
    /// An answer is lost: the client asks what it holds.
    Recover {
        client: usize,
    },
    Renew {
        client: usize,
    },
    Pass(i64),
    Clear,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let client = 0..3_usize;
    let step = prop_oneof![
        4 => (0..12_u8).prop_map(Step::Push),
        2 => (0..12_u8, 0..60_i64).prop_map(|(kind, wait)| Step::Later(kind, wait)),
        5 => (client.clone(), 0..4_usize, any::<bool>())
            .prop_map(|(client, want, waits)| Step::Reserve { client, want, waits }),
        6 => (client.clone(), any::<usize>(), 0..7_u8)
            .prop_map(|(client, pick, how)| Step::Settle { client, pick, how }),
        1 => client.clone().prop_map(|client| Step::Recover { client }),
        1 => client.prop_map(|client| Step::Renew { client }),
        2 => (1..120_i64).prop_map(Step::Pass),
        1 => Just(Step::Clear),
    ];
    prop::collection::vec(step, 1..40)
}

/// Few kinds, so that equal payloads meet; the last two can never run, and a script cannot tell it of a message.
fn payload(counting: Counting, kind: u8) -> String {
    match kind {
        10 => "junk".to_owned(),
        _ if counting == Counting::AtRelease => {
            format!("O:28:\"Hyperf\\AsyncQueue\\JobMessage\":2:{{i:0;i:{kind};i:1;i:0;}}")
        }
        11 => r#"{"attempts":null}"#.to_owned(),
        _ => format!(r#"{{"id":{kind},"attempts":0}}"#),
    }
}

/// What Redis should hold, the next to run first. A readable payload's count is at its end.
#[derive(Debug, Default)]
struct Model {
    counting: Counting,
    list: Vec<String>,
    /// By payload: when it is due.
    delayed: BTreeMap<String, i64>,
    /// By payload: token and end.
    reserved: BTreeMap<String, (u32, i64)>,
    quarantine: Vec<String>,
    timeout: Vec<String>,
    failed: Vec<String>,
}

impl Model {
    fn payload(&self, kind: u8) -> String {
        payload(self.counting, kind)
    }

    fn exchange(&mut self, now: i64, want: usize, token: u32) -> Vec<String> {
        let mut due: Vec<_> =
            self.delayed.iter().filter(|(_, at)| **at <= now).map(|(p, at)| (*at, p.clone())).collect();
        due.sort();
        if self.counting == Counting::AtRelease {
            due.reverse();
        }
        let due_delayed = due.into_iter().map(|(_, payload)| payload);
        let mut expired: Vec<_> = self
            .reserved
            .iter()
            .filter(|(_, reserved)| over(reserved, now))
            .map(|(p, (n, end))| (*end, *n, p.clone()))
            .collect();
        expired.sort();
        let expired = expired.into_iter().map(|(_, _, payload)| payload);
        let back: Vec<String> = match self.counting {
            Counting::AtReserve => expired.collect(),
            Counting::AtReturn => {
                expired.map(|payload| raised(&payload).expect("it was read once")).collect()
            }
            Counting::AtRelease => {
                self.timeout.extend(expired.rev());
                Vec::new()
            }
        };
        let moved: Vec<_> = due_delayed.chain(back).collect();
        self.delayed.retain(|_, at| *at > now);
        self.reserved.retain(|_, reserved| !over(reserved, now));
        self.list.extend(moved);
        let mut popped = Vec::new();
        for _ in 0..self.list.len() {
            if popped.len() == want {
                break;
            }
            let payload = self.list.remove(0);
            let member = match self.counting {
                Counting::AtReserve => raised(&payload),
                Counting::AtReturn => raised(&payload).map(|_| payload.clone()),
                Counting::AtRelease => Some(payload.clone()),
            };
            match member {
                None => self.quarantine.push(payload),
                Some(member) if self.reserved.contains_key(&member) => self.list.push(payload),
                Some(member) => {
                    self.reserved.insert(member, (token, now + LEASE));
                    popped.push(payload);
                }
            }
        }
        popped
    }

    /// Where an equal payload waits already, this one waits among the reserved, under nobody's token, as what comes back
    /// from there as this payload; where one is there, too, or nothing would come back as it, it is ready at once.
    fn put_off(&mut self, payload: String, member: String, at: i64) {
        if let Entry::Vacant(place) = self.delayed.entry(payload.clone()) {
            place.insert(at);
            return;
        }
        let resting = match self.counting {
            Counting::AtReserve => Some(payload.clone()),
            Counting::AtReturn => Some(member).filter(|member| *member != payload),
            // Nothing comes back from there.
            Counting::AtRelease => None,
        };
        match resting.map(|resting| self.reserved.entry(resting)) {
            Some(Entry::Vacant(place)) => drop(place.insert((0, at))),
            _ => self.list.push(payload),
        }
    }

    fn settle(&mut self, Settling { reservation, settlement }: &Settling) -> bool {
        let member = String::from_utf8(reservation.reserved()).unwrap();
        if self.reserved.get(&member).is_none_or(|(n, _)| *n != reservation.token().number()) {
            return false;
        }
        self.reserved.remove(&member);
        let popped = String::from_utf8(reservation.popped().to_vec()).unwrap();
        match settlement {
            Settlement::Fail(_) if self.counting == Counting::AtRelease => self.failed.push(popped),
            Settlement::Delete | Settlement::Fail(_) => {}
            Settlement::Release { at } => {
                self.put_off(String::from_utf8(reservation.released()).unwrap(), member, *at);
            }
            Settlement::HandBackLater { at } => self.put_off(popped, member, *at),
            Settlement::HandBack => self.list.insert(0, popped),
            Settlement::Quarantine => self.quarantine.push(popped),
        }
        true
    }
}

/// A token in the fraction of a score makes it due with the next whole second.
fn over((token, end): &(u32, i64), now: i64) -> bool {
    end + i64::from(*token > 0) <= now
}

fn raised(payload: &str) -> Option<String> {
    let end = if payload.ends_with(";}") { ";}" } else { "}" };
    let (head, count) = payload.strip_suffix(end)?.rsplit_once(':')?;
    Some(format!("{head}:{}{end}", count.parse::<i64>().ok()? + 1))
}

struct World {
    server: Redis,
    clients: [RedisQueue; 3],
    held: [Vec<Reservation>; 3],
    model: Model,
    now: i64,
    tokens: u32,
    has_tokens: bool,
}

impl World {
    async fn step(&mut self, step: Step) {
        match step {
            Step::Push(kind) => {
                let payload = self.model.payload(kind);
                self.clients[0].push(Q, payload.as_bytes()).await.unwrap();
                self.model.list.push(payload);
            }
            Step::Later(kind, wait) => {
                let payload = self.model.payload(kind);
                self.clients[1].later(Q, payload.as_bytes(), self.now + wait).await.unwrap();
                self.model.delayed.insert(payload, self.now + wait);
            }
            Step::Reserve { client, want, waits } => self.reserve(client, want, waits).await,
            Step::Settle { client, pick, how } => self.settle(client, pick, how).await,
            Step::Recover { client } => {
                let Some(last) = self.held[client].last() else { return };
                let token = last.token();
                let member = String::from_utf8(last.reserved()).unwrap();
                let stands = self.model.reserved.get(&member).filter(|(n, _)| *n == token.number());
                let end = stands.map_or(self.now + LEASE, |(_, end)| *end);
                let mut found: Vec<_> = self.clients[client]
                    .recover(Q, token, end)
                    .await
                    .unwrap()
                    .into_iter()
                    .map(|found| {
                        let member = String::from_utf8(found.reserved()).unwrap();
                        found.close();
                        member
                    })
                    .collect();
                found.sort();
                let stands =
                    self.model.reserved.iter().filter(|(_, stands)| **stands == (token.number(), end));
                let expected: Vec<_> = stands.map(|(member, _)| member.clone()).collect();
                assert_eq!(found, expected);
            }
            Step::Renew { client } => {
                let held: Vec<_> = self.held[client].iter().collect();
                let answers = self.clients[client].renew(Q, &held, self.now + LEASE).await.unwrap();
                for (held, answer) in held.into_iter().zip(answers) {
                    let member = String::from_utf8(held.reserved()).unwrap();
                    let stands = self.model.reserved.get_mut(&member);
                    let stands = stands.filter(|(n, _)| *n == held.token().number());
                    assert_eq!(answer, stands.is_some());
                    if let Some((_, end)) = stands {
                        *end = (*end).max(self.now + LEASE);
                    }
                }
            }
            Step::Pass(seconds) => self.now += seconds,
            Step::Clear => {
                let Model { list, delayed, reserved, .. } = &mut self.model;
                let count = (list.len() + delayed.len() + reserved.len()) as u64;
                list.clear();
                delayed.clear();
                reserved.clear();
                assert_eq!(self.clients[2].clear(Q).await.unwrap(), count);
            }
        }
    }

    async fn reserve(&mut self, client: usize, want: usize, waits: bool) {
        let queue = &self.clients[client];
        let mut woken = 0;
        if waits && !self.model.list.is_empty() {
            assert_eq!(queue.wait(&[Q.to_owned()], 5.0).await.unwrap(), [Q]);
            woken = 1;
        }
        self.tokens += 1;
        let token = Token::new(self.tokens);
        let ask = Exchange { want, token, now: self.now, lease: LEASE, woken, settle: &[] };
        let done = queue.exchange(Q, ask).await.unwrap();
        let popped = if want > 0 { self.model.exchange(self.now, want, self.tokens) } else { Vec::new() };
        let taken: Vec<_> = done.reserved.iter().map(|taken| taken.popped().to_vec()).collect();
        assert_eq!(taken, popped.into_iter().map(String::into_bytes).collect::<Vec<_>>());
        assert_eq!(done.left as usize, self.model.list.len());
        let delayed = self.model.delayed.values().copied();
        // The fraction is due with the next second.
        let expiring = self.model.reserved.values().map(|(token, end)| end + i64::from(*token > 0));
        assert_eq!(done.next_due, delayed.chain(expiring).min());
        self.held[client].extend(done.reserved);
    }

    async fn settle(&mut self, client: usize, pick: usize, how: u8) {
        let held = &mut self.held[client];
        if held.is_empty() {
            return;
        }
        let reservation = held.remove(pick % held.len());
        let settlement = match how {
            0 => Settlement::Delete,
            1 => Settlement::Release { at: self.now },
            2 => Settlement::Release { at: self.now + 30 },
            3 => Settlement::HandBack,
            5 => Settlement::HandBackLater { at: self.now + 30 },
            6 => Settlement::Fail(handover::Exception::msg("boom")),
            _ => Settlement::Quarantine,
        };
        let settle = [Settling { reservation, settlement }];
        let ask = Exchange { settle: &settle, now: self.now, ..Exchange::default() };
        let done = self.clients[client].exchange(Q, ask).await.unwrap();
        assert_eq!(done.settled, [self.model.settle(&settle[0])]);
        settle.into_iter().for_each(|settling| settling.reservation.close());
    }

    async fn check(&self) {
        let state = async |state| {
            let peeked = self.clients[0].peek(Q, state, 0, 1000).await.unwrap();
            peeked
                .into_iter()
                .map(|p| (String::from_utf8(p.payload.to_vec()).unwrap(), p.at))
                .collect::<Vec<_>>()
        };
        let plain = |payloads: &[String]| payloads.iter().map(|p| (p.clone(), None)).collect::<Vec<_>>();
        assert_eq!(state(State::Pending).await, plain(&self.model.list));
        assert_eq!(state(State::Quarantined).await, plain(&self.model.quarantine));
        assert_eq!(state(State::Timeout).await, plain(&self.model.timeout));
        assert_eq!(state(State::Failed).await, plain(&self.model.failed));
        let delayed: BTreeMap<_, _> = state(State::Delayed).await.into_iter().collect();
        let expected = self.model.delayed.iter().map(|(p, at)| (p.clone(), Some(*at as f64)));
        assert_eq!(delayed, expected.collect());
        let reserved: BTreeMap<_, _> = state(State::Reserved).await.into_iter().collect();
        let score = |(n, end): &(u32, i64)| Some(Token::new(*n).score(*end));
        let expected = self.model.reserved.iter().map(|(p, stands)| (p.clone(), score(stands)));
        assert_eq!(reserved, expected.collect());
        if self.has_tokens {
            let tokens: usize = self.server.query(&["LLEN", "queues:q:notify"]);
            assert_eq!(tokens, self.model.list.len(), "a token for each ready job");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn redis_holds_what_the_model_says(steps in steps()) {
        play(steps, Laravel::new("").into());
    }

    #[test]
    fn redis_holds_what_the_model_says_of_think_queue(steps in steps()) {
        play(steps, Think::new("").into());
    }

    #[test]
    fn redis_holds_what_the_model_says_of_think_queue_before_3(steps in steps()) {
        play(steps, Think::new("").version((1, 1, 6)).into());
    }

    #[test]
    fn redis_holds_what_the_model_says_of_hyperf(steps in steps()) {
        play(steps, Hyperf::new("").into());
    }
}

fn play(steps: Vec<Step>, dialect: Dialect) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let server = Redis::start();
        let clients = [(); 3].map(|()| speaking(&server, dialect.clone()));
        let held = [const { Vec::new() }; 3];
        let model = Model { counting: dialect.counting(), ..Model::default() };
        let has_tokens = dialect.rules().has_wake_ups;
        let mut world = World { server, clients, held, model, now: NOW, tokens: 0, has_tokens };
        for step in steps {
            world.step(step).await;
            world.check().await;
        }
        world.held.into_iter().flatten().for_each(Reservation::close);
    });
}
