//! A pool of PHP processes, each the app's own `queue:work` with our `pop()`: it runs every job class, unchanged.
//!
//! Owns how many children there are, which of them are free, and when each is replaced. Never reserves or settles a
//! job. To read on: `runner/` (the child, a script for each framework), `child.rs` (its keeper). Counterpart in PHP: Supervisor's `numprocs`.

mod child;
mod frame;
mod output;
mod runner;
mod spawn;
mod supervise;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

pub(crate) use child::{Assignment, Death, Report};
use child::{Newborn, Order};
#[cfg(fuzzing)]
pub use frame::property as fuzzing;
pub use runner::Runner;

use crate::events::{Event, Events};

/// How a pool is run.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolOptions {
    /// What makes a PHP process a child: the app's framework.
    pub runner: Runner,
    /// How many children: so many PHP jobs run at once.
    pub children: usize,
    /// The PHP binary.
    pub php: String,
    /// The app, as named: a symlink in it is followed anew for each child.
    pub directory: PathBuf,
    /// The children's command line behind `artisan` or its like: `queue:work`, the connection, `--queue=...` and the rest.
    pub arguments: Vec<String>,
    /// A child is replaced after so many jobs; 0 is never.
    pub max_jobs: u64,
    /// A child is replaced after so long; zero is never.
    pub max_time: Duration,
}

impl Default for PoolOptions {
    /// No children; the Laravel app of this directory, its default queue.
    fn default() -> Self {
        let arguments = ["queue:work", "redis", "--queue=default", "--sleep=0"];
        PoolOptions {
            runner: Runner::LARAVEL,
            children: 0,
            php: "php".into(),
            directory: ".".into(),
            arguments: arguments.map(str::to_owned).to_vec(),
            max_jobs: 0,
            max_time: Duration::ZERO,
        }
    }
}

/// A pool; clones are the same one.
#[derive(Clone)]
pub(crate) struct Pool(Arc<Inner>);

struct Inner {
    options: PoolOptions,
    events: Events,
    /// Called when a child has become free, or the app's restart signal has changed.
    news: Box<dyn Fn(News) + Send + Sync>,
    state: Mutex<State>,
    /// Something changed that the supervisor may have to act on.
    changed: Notify,
    keepers: TaskTracker,
}

/// What a pool tells the worker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum News {
    /// A child waits for a job.
    Free,
    /// `queue:restart` was run.
    Restart,
    /// The app is down for maintenance.
    Down,
}

#[derive(Default)]
struct State {
    children: BTreeMap<u64, Entry>,
    next_id: u64,
    next_token: u64,
    /// Attempts that need a child before any other job gets one.
    waiting: VecDeque<oneshot::Sender<Seat>>,
    /// The restart signal as last read by a child.
    restart: Option<String>,
    /// How often in a row a child ended before it was ready.
    stillborn: u32,
    /// No child is started before this.
    not_before: Option<Instant>,
    /// A child ended in order without having asked for anything: what `queue:work --once` does in maintenance.
    left_at_once: bool,
    /// No job will come any more, but for those that have to be failed.
    draining: bool,
    closing: bool,
}

struct Entry {
    pid: u32,
    phase: Phase,
    orders: UnboundedSender<Order>,
    stage: Arc<tokio::sync::Mutex<()>>,
    born: Instant,
    jobs: u64,
    /// The restart signal as this child last read it.
    restart: Option<String>,
    /// To be replaced: the code, or this child, is old.
    stale: bool,
    /// Leaves when it next asks.
    retiring: bool,
    /// Does not ask: the app is down for maintenance.
    down: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    /// Has not asked yet.
    Booting,
    /// Waits for a job.
    Ready,
    /// Has a job, or one is on its way to it.
    Busy,
    /// Has settled its job and will ask in a moment.
    Soon,
    /// Alive but not asking: between two waits, paused, in maintenance.
    Away,
}

impl Pool {
    /// Starts the children; `news` is called from their keepers.
    pub(crate) fn start(
        options: PoolOptions,
        events: Events,
        news: impl Fn(News) + Send + Sync + 'static,
    ) -> Self {
        let pool = Pool(Arc::new(Inner {
            options,
            events,
            news: Box::new(news),
            state: Mutex::default(),
            changed: Notify::new(),
            keepers: TaskTracker::new(),
        }));
        // With the keepers: a child that is just being started is waited for, too.
        pool.0.keepers.spawn(supervise::supervise(pool.clone()));
        pool
    }

    fn options(&self) -> &PoolOptions {
        &self.0.options
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many jobs it would take now.
    pub(crate) fn free(&self) -> usize {
        let state = self.state();
        if !state.waiting.is_empty() {
            return 0;
        }
        state.children.values().filter(|child| child.takes_a_job()).count()
    }

    /// How many have booted.
    pub(crate) fn ready(&self) -> usize {
        self.state().children.values().filter(|child| child.is_up()).count()
    }

    /// A child for a job, one that waits before one that is about to.
    pub(crate) fn take(&self) -> Option<Seat> {
        let mut state = self.state();
        let free = |phase| move |(_, child): &(&u64, &mut Entry)| child.takes_a_job() && child.phase == phase;
        let ready = state.children.iter_mut().find(free(Phase::Ready)).map(|(&id, _)| id);
        let id = ready.or_else(|| state.children.iter_mut().find(free(Phase::Soon)).map(|(&id, _)| id))?;
        Some(self.seat(&mut state, id))
    }

    /// A child as soon as there is one; `None` while the app does not boot.
    pub(crate) async fn wait(&self) -> Option<Seat> {
        let waiting = {
            let mut state = self.state();
            let ready =
                state.children.iter().find(|(_, child)| child.phase == Phase::Ready && !child.retiring);
            if let Some(id) = ready.map(|(&id, _)| id) {
                return Some(self.seat(&mut state, id));
            }
            if state.stillborn > 0 || state.closing {
                return None;
            }
            let (answer, waiting) = oneshot::channel();
            state.waiting.push_back(answer);
            waiting
        };
        self.0.changed.notify_one();
        waiting.await.ok()
    }

    fn seat(&self, state: &mut State, id: u64) -> Seat {
        let token = state.next_token;
        state.next_token += 1;
        let child = state.children.get_mut(&id).expect("just found");
        child.phase = Phase::Busy;
        child.jobs += 1;
        Seat { pool: self.clone(), id, token, orders: child.orders.clone(), stage: child.stage.clone() }
    }

    /// No further jobs. Where a signal was the reason the children hear it, as a PHP worker would from Supervisor:
    /// `Interruptible` jobs are told, the others run on.
    pub(crate) fn drain(&self, interrupted: bool) {
        self.state().draining = true;
        if !interrupted {
            return;
        }
        for child in self.state().children.values().filter(|child| child.phase != Phase::Booting) {
            let _ = child.orders.send(Order::Terminate);
        }
    }

    /// Ends all children and waits until they are gone; those that linger are killed after ten seconds.
    pub(crate) async fn close(&self) {
        {
            let mut state = self.state();
            state.closing = true;
            state.waiting.clear();
            for child in state.children.values_mut() {
                child.retiring = true;
                let _ = child.orders.send(Order::Quit);
                if child.phase != Phase::Ready {
                    let _ = child.orders.send(Order::Terminate);
                }
            }
        }
        self.0.changed.notify_one();
        self.0.keepers.close();
        if tokio::time::timeout(Duration::from_secs(10), self.0.keepers.wait()).await.is_err() {
            for child in self.state().children.values() {
                let _ = child.orders.send(Order::Kill);
            }
            self.0.keepers.wait().await;
        }
    }

    /// A child asked; false where it is to leave instead.
    fn is_ready(&self, id: u64, restart: Option<String>) -> bool {
        self.heard_restart(id, restart);
        let mut state = self.state();
        let State { children, waiting, stillborn, left_at_once, .. } = &mut *state;
        let Some(child) = children.get_mut(&id) else { return false };
        if child.retiring {
            child.phase = Phase::Away;
            return false;
        }
        child.down = false;
        let was = std::mem::replace(&mut child.phase, Phase::Ready);
        let pid = child.pid;
        if was == Phase::Booting {
            *stillborn = 0;
            *left_at_once = false;
            let ready = children.values().filter(|child| child.is_up()).count();
            self.0.events.emit(Event::PhpReady { pid, ready });
            self.0.changed.notify_one();
        }
        while let Some(answer) = waiting.pop_front() {
            if !answer.is_closed() {
                let seat = self.seat(&mut state, id);
                let _ = answer.send(seat);
                return true;
            }
        }
        drop(state);
        self.worn_out(id);
        (self.0.news)(News::Free);
        true
    }

    /// Marks a child that has done its share, so that it is replaced.
    fn worn_out(&self, id: u64) {
        let PoolOptions { max_jobs, max_time, .. } = *self.options();
        let mut state = self.state();
        let Some(child) = state.children.get_mut(&id) else { return };
        let worn =
            max_jobs > 0 && child.jobs >= max_jobs || !max_time.is_zero() && child.born.elapsed() >= max_time;
        if worn && !std::mem::replace(&mut child.stale, true) {
            self.0.changed.notify_one();
        }
    }

    /// What a child read of the app's restart signal.
    fn heard_restart(&self, id: u64, restart: Option<String>) {
        let Some(restart) = restart else { return };
        let mut state = self.state();
        let State { children, restart: known, .. } = &mut *state;
        let Some(child) = children.get_mut(&id) else { return };
        let read_before = child.restart.replace(restart.clone());
        // Children of two releases may read two caches: only a reading that changed, or a new child's first, is news.
        if read_before.as_ref() == Some(&restart) {
            return;
        }
        child.stale |= read_before.is_some();
        if known.as_ref() == Some(&restart) {
            self.0.changed.notify_one();
            return;
        }
        let first = known.replace(restart.clone()).is_none();
        if first {
            return;
        }
        for child in children.values_mut() {
            child.stale |= child.restart.as_ref().is_some_and(|read| *read != restart);
        }
        drop(state);
        self.0.changed.notify_one();
        (self.0.news)(News::Restart);
    }

    /// A child does not wait any more; false where a job is on its way to it.
    fn is_away(&self, id: u64) -> bool {
        let mut state = self.state();
        let child = state.children.get_mut(&id).filter(|child| child.phase == Phase::Ready);
        child.map(|child| child.phase = Phase::Away).is_some()
    }

    /// A child that does not ask because of maintenance.
    fn is_down_for_maintenance(&self, id: u64) {
        if let Some(child) = self.state().children.get_mut(&id) {
            child.down = true;
        }
        (self.0.news)(News::Down);
    }

    /// A child has ended in order; where it never asked, it had no wish to.
    fn is_done(&self, id: u64) {
        let mut state = self.state();
        if state.children.get(&id).is_some_and(|child| child.phase == Phase::Booting) {
            state.left_at_once = true;
            drop(state);
            (self.0.news)(News::Down);
        }
    }

    /// True where the app is down for maintenance and no child asks.
    pub(crate) fn is_down(&self) -> bool {
        let state = self.state();
        if state.left_at_once {
            return true;
        }
        let mut staying = state.children.values().filter(|child| !child.retiring).peekable();
        staying.peek().is_some() && staying.all(|child| child.down)
    }

    /// A child that was thought to be done is not.
    fn is_busy(&self, id: u64) {
        if let Some(child) = self.state().children.get_mut(&id) {
            child.phase = Phase::Busy;
        }
    }
}

impl Entry {
    fn takes_a_job(&self) -> bool {
        matches!(self.phase, Phase::Ready | Phase::Soon) && !self.retiring
    }

    /// Booted, and not about to leave.
    fn is_up(&self) -> bool {
        self.phase != Phase::Booting && !self.retiring
    }
}

/// A child taken for one job.
pub(crate) struct Seat {
    pool: Pool,
    id: u64,
    /// The assignment's number.
    pub(crate) token: u64,
    orders: UnboundedSender<Order>,
    stage: Arc<tokio::sync::Mutex<()>>,
}

impl Seat {
    /// Gives it the job.
    pub(crate) fn run(&self, job: Assignment) {
        let _ = self.orders.send(Order::Run(job));
    }

    /// Answers its question whether its job is still held.
    pub(crate) fn held(&self, held: bool) {
        let _ = self.orders.send(Order::Held(held));
    }

    /// One attempt of a child after the other: what is told of the next waits for the end of the last.
    pub(crate) async fn stage(&self) -> tokio::sync::OwnedMutexGuard<()> {
        self.stage.clone().lock_owned().await
    }

    /// The job is settled: the child will want another in a moment.
    pub(crate) fn soon(&self) {
        let mut state = self.pool.state();
        let child = state.children.get_mut(&self.id).filter(|child| child.phase == Phase::Busy);
        if let Some(child) = child.filter(|child| !child.stale) {
            child.phase = Phase::Soon;
        }
    }

    /// Ends the child, whatever it does.
    pub(crate) fn kill(&self) {
        let _ = self.orders.send(Order::Kill);
    }
}
