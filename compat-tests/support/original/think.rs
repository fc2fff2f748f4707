//! think-queue's consumer on Redis, in version 3 and before.

use redis::{Connection, RedisResult, Value};

use super::{Original, Settings, Taken, ask, second};
use crate::support::wire::{Wire, counted};

/// A consumer of think-queue.
pub(super) struct Think {
    wire: Wire,
    link: Connection,
    settings: Settings,
}

impl Think {
    pub(super) fn new(wire: Wire, link: Connection, settings: Settings) -> Think {
        Think { wire, link, settings }
    }

    fn is_3(&self) -> bool {
        self.wire == Wire::Think
    }

    /// Moves what is due to the list, all or nothing: another consumer that touched the set meanwhile undoes it.
    fn migrate(&mut self, from: &str, counts: bool) -> RedisResult<()> {
        let (now, ready) = (second().to_string(), self.wire.ready());
        let link = &mut self.link;
        let () = ask(link, "WATCH", from, &[])?;
        let due: Vec<Vec<u8>> = ask(link, "ZRANGEBYSCORE", from, &[b"-inf", now.as_bytes()])?;
        if !due.is_empty() {
            let moved: Vec<Vec<u8>> =
                if counts { due.iter().map(|member| counted(member, 1).1).collect() } else { due };
            let _: Value = redis::cmd("MULTI").query(link)?;
            let portion = match self.wire {
                Wire::Think => {
                    let last = (moved.len() - 1).to_string();
                    let _: Value = ask(link, "ZREMRANGEBYRANK", from, &[b"0", last.as_bytes()])?;
                    100
                }
                _ => {
                    let _: Value = ask(link, "ZREMRANGEBYSCORE", from, &[b"-inf", now.as_bytes()])?;
                    moved.len()
                }
            };
            for portion in moved.chunks(portion) {
                let words: Vec<&[u8]> = portion.iter().map(Vec::as_slice).collect();
                let _: Value = ask(link, "RPUSH", ready, &words)?;
            }
            let _: Value = redis::cmd("EXEC").query(link)?;
        }
        redis::cmd("UNWATCH").exec(link)
    }

    fn put(&mut self, part: &str, at: i64, member: &[u8]) -> RedisResult<()> {
        ask(&mut self.link, "ZADD", &self.wire.key(part), &[at.to_string().as_bytes(), member])
    }
}

impl Original for Think {
    fn pop(&mut self) -> RedisResult<Option<Taken>> {
        let ready = self.wire.ready();
        self.migrate(&self.wire.key("delayed"), false)?;
        self.migrate(&self.wire.key("reserved"), !self.is_3())?;
        let popped: Option<Vec<u8>> = match self.settings.block_for {
            Some(seconds) => {
                let found: Option<(Vec<u8>, Vec<u8>)> =
                    ask(&mut self.link, "BLPOP", ready, &[seconds.to_string().as_bytes()])?;
                found.map(|(_, popped)| popped)
            }
            None => ask(&mut self.link, "LPOP", ready, &[])?,
        };
        let Some(popped) = popped else { return Ok(None) };
        let (attempts, reserved) = counted(&popped, i64::from(self.is_3()));
        self.put("reserved", second() + self.settings.retry_after, &reserved)?;
        Ok(Some(Taken { popped, reserved, attempts }))
    }

    fn delete(&mut self, taken: &Taken) -> RedisResult<()> {
        ask(&mut self.link, "ZREM", &self.wire.key("reserved"), &[&taken.reserved])
    }

    fn release(&mut self, taken: &Taken, delay: i64) -> RedisResult<()> {
        self.delete(taken)?;
        let (_, released) = counted(&taken.reserved, i64::from(!self.is_3()));
        self.put("delayed", second() + delay, &released)
    }

    fn fail(&mut self, taken: &Taken) -> RedisResult<()> {
        self.delete(taken)
    }
}
