//! Keeps the number of children up, and renews them one by one: a replacement is ready before an old one leaves.
//!
//! Plans purely, then acts.

use tokio::time::Instant;

use super::*;

/// Longest pause between two starts while the app does not boot.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What is to be done now.
#[derive(Debug, PartialEq)]
enum Plan {
    Start,
    Retire(u64),
    Wait,
    End,
}

fn plan(state: &State, wanted: usize) -> Plan {
    if state.closing {
        return Plan::End;
    }
    if state.draining && state.waiting.is_empty() {
        return Plan::Wait;
    }
    let staying = || state.children.iter().filter(|(_, child)| !child.retiring);
    let up = staying().filter(|(_, child)| child.is_up()).count();
    let booting = staying().count() - up;
    let stale = || staying().filter(|(_, child)| child.stale);
    if staying().count() < wanted {
        return Plan::Start;
    }
    if stale().next().is_none() {
        return Plan::Wait;
    }
    if up > wanted {
        // One that has nothing to do leaves first.
        let idle = stale().find(|(_, child)| child.phase == Phase::Ready);
        return Plan::Retire(*idle.or_else(|| stale().next()).expect("there is one").0);
    }
    if booting == 0 { Plan::Start } else { Plan::Wait }
}

/// Runs until the pool is closed.
pub(super) async fn supervise(pool: Pool) {
    loop {
        let (plan, not_before) = {
            let state = pool.state();
            (plan(&state, pool.options().children), state.not_before)
        };
        match plan {
            Plan::End => return,
            Plan::Wait => pool.0.changed.notified().await,
            Plan::Start if not_before.is_some_and(|at| at > Instant::now()) => tokio::select! {
                () = tokio::time::sleep_until(not_before.expect("guarded")) => {}
                () = pool.0.changed.notified() => {}
            },
            Plan::Start => start(&pool).await,
            Plan::Retire(id) => {
                let mut state = pool.state();
                let child = state.children.get_mut(&id).expect("just planned");
                child.retiring = true;
                if child.phase == Phase::Ready {
                    child.phase = Phase::Away;
                    let _ = child.orders.send(Order::Quit);
                }
            }
        }
    }
}

async fn start(pool: &Pool) {
    let newborn = match Newborn::start(pool).await {
        Ok(newborn) => newborn,
        Err(error) => {
            let PoolOptions { php, directory, .. } = pool.options();
            let how = format!("[{php}] cannot be started in [{}]: {error}", directory.display());
            pool.stillborn(&Death { how, killed: false, said: String::new() });
            return;
        }
    };
    let (orders, inbox) = unbounded_channel();
    let pid = newborn.pid;
    let id = {
        let mut state = pool.state();
        let id = state.next_id;
        state.next_id += 1;
        let entry = Entry {
            pid,
            phase: Phase::Booting,
            orders,
            stage: Arc::default(),
            born: Instant::now(),
            jobs: 0,
            restart: None,
            stale: false,
            retiring: state.closing,
            down: false,
        };
        if state.closing {
            let _ = entry.orders.send(Order::Kill);
        }
        state.children.insert(id, entry);
        id
    };
    let keeping = newborn.keep(id, pool.clone(), inbox);
    let pool = pool.clone();
    pool.clone().0.keepers.spawn(async move {
        let death = keeping.await;
        pool.ended(id, &death);
    });
}

impl Pool {
    /// A child is gone.
    fn ended(&self, id: u64, death: &Death) {
        let (entry, ready, draining) = {
            let mut state = self.state();
            let Some(entry) = state.children.remove(&id) else { return };
            let ready = state.children.values().filter(|child| child.is_up()).count();
            (entry, ready, state.draining)
        };
        let how = death.how.clone();
        // One that ends without ever having run a job, soon after it was ready, is no better than one that never was;
        // while the worker ends that is what all are told to do.
        let useless = !draining && entry.jobs == 0 && entry.born.elapsed() < Duration::from_secs(2);
        if (entry.phase == Phase::Booting || useless) && !entry.retiring {
            self.stillborn(death);
        } else {
            self.0.events.emit(Event::PhpEnded { pid: entry.pid, how, ready });
        }
        self.0.changed.notify_one();
    }

    /// A child did not come to ask: the app does not boot, or PHP does not run. Told once; tried again and again.
    fn stillborn(&self, death: &Death) {
        let first = {
            let mut state = self.state();
            state.stillborn += 1;
            let pause = Duration::from_secs(1 << state.stillborn.min(6).saturating_sub(1)).min(LONGEST_PAUSE);
            state.not_before = Some(Instant::now() + pause);
            // Whoever waits for a child in vain does without.
            state.waiting.clear();
            state.stillborn == 1 && !state.closing && !state.left_at_once
        };
        if first {
            let Death { how, said, .. } = death;
            self.0.events.emit(Event::PhpDoesNotBoot { how: how.clone(), said: said.clone() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(children: &[(Phase, bool, bool)]) -> State {
        let entry = |&(phase, stale, retiring): &(Phase, bool, bool)| Entry {
            pid: 1,
            phase,
            orders: unbounded_channel().0,
            stage: Arc::default(),
            born: Instant::now(),
            jobs: 0,
            restart: None,
            stale,
            retiring,
            down: false,
        };
        let children = children.iter().map(entry).enumerate().map(|(id, entry)| (id as u64, entry)).collect();
        State { children, ..State::default() }
    }

    #[test]
    fn a_replacement_is_up_before_an_old_one_leaves() {
        use Phase::{Booting, Busy, Ready};
        for (children, expected) in [
            (&[][..], Plan::Start),
            (&[(Booting, false, false)], Plan::Start),
            (&[(Booting, false, false), (Booting, false, false)], Plan::Wait),
            (&[(Ready, false, false), (Busy, false, false)], Plan::Wait),
            // Both are old: one more is started, and only when it is up does one leave, an idle one first.
            (&[(Busy, true, false), (Ready, true, false)], Plan::Start),
            (&[(Busy, true, false), (Ready, true, false), (Booting, false, false)], Plan::Wait),
            (&[(Busy, true, false), (Ready, true, false), (Ready, false, false)], Plan::Retire(1)),
            (&[(Busy, true, false), (Ready, true, true), (Ready, false, false)], Plan::Start),
            (&[(Busy, true, false), (Ready, false, false), (Ready, false, false)], Plan::Retire(0)),
            (&[(Busy, true, true), (Ready, false, false), (Ready, false, false)], Plan::Wait),
        ] {
            assert_eq!(plan(&state(children), 2), expected, "{:?}", children);
        }
        assert_eq!(plan(&State { closing: true, ..State::default() }, 2), Plan::End);
    }
}
