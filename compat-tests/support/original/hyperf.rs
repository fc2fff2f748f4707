//! Hyperf's consumer on Redis, from 3.1.9 on, where a message is reserved before it is looked into.

use redis::{Connection, RedisResult};

use super::{Original, Settings, Taken, ask, second};
use crate::support::wire::{Wire, counted};

/// How many messages one round moves.
const ROUND: &str = "100";

/// A consumer of async-queue.
pub(super) struct Hyperf {
    wire: Wire,
    link: Connection,
    settings: Settings,
}

impl Hyperf {
    pub(super) fn new(wire: Wire, link: Connection, settings: Settings) -> Hyperf {
        Hyperf { wire, link, settings }
    }

    /// Moves what is due, one by one, the one that is due last first.
    fn move_due(&mut self, from: &str, to: &str) -> RedisResult<()> {
        let now = second().to_string();
        let words: [&[u8]; 5] = [now.as_bytes(), b"-inf", b"LIMIT", b"0", ROUND.as_bytes()];
        let due: Vec<Vec<u8>> = ask(&mut self.link, "ZREVRANGEBYSCORE", from, &words)?;
        for member in due {
            if self.removes(from, &member)? {
                self.puts_in_front(to, &member)?;
            }
        }
        Ok(())
    }

    fn removes(&mut self, from: &str, member: &[u8]) -> RedisResult<bool> {
        let removed: usize = ask(&mut self.link, "ZREM", from, &[member])?;
        Ok(removed == 1)
    }

    fn puts_in_front(&mut self, list: &str, member: &[u8]) -> RedisResult<()> {
        ask(&mut self.link, "LPUSH", list, &[member])
    }

    fn put_off(&mut self, part: &str, seconds: i64, member: &[u8]) -> RedisResult<()> {
        let at = (second() + seconds).to_string();
        ask(&mut self.link, "ZADD", &self.wire.key(part), &[at.as_bytes(), member])
    }
}

impl Original for Hyperf {
    fn pop(&mut self) -> RedisResult<Option<Taken>> {
        let [delayed, reserved, timeout] = ["delayed", "reserved", "timeout"].map(|part| self.wire.key(part));
        let waiting = self.wire.ready();
        self.move_due(&delayed, waiting)?;
        self.move_due(&reserved, &timeout)?;
        let seconds = self.settings.block_for.unwrap_or(1.0).to_string();
        let found: Option<(Vec<u8>, Vec<u8>)> = ask(&mut self.link, "BRPOP", waiting, &[seconds.as_bytes()])?;
        let Some((_, popped)) = found else { return Ok(None) };
        self.put_off("reserved", self.settings.retry_after, &popped)?;
        let attempts = counted(&popped, 1).0;
        Ok(Some(Taken { reserved: popped.clone(), popped, attempts }))
    }

    fn delete(&mut self, taken: &Taken) -> RedisResult<()> {
        self.removes(&self.wire.key("reserved"), &taken.reserved).map(drop)
    }

    fn release(&mut self, taken: &Taken, delay: i64) -> RedisResult<()> {
        if self.removes(&self.wire.key("reserved"), &taken.reserved)? {
            self.put_off("delayed", delay, &counted(&taken.popped, 1).1)?;
        }
        Ok(())
    }

    fn fail(&mut self, taken: &Taken) -> RedisResult<()> {
        if self.removes(&self.wire.key("reserved"), &taken.reserved)? {
            self.puts_in_front(&self.wire.key("failed"), &taken.popped)?;
        }
        Ok(())
    }
}
