//! Puts jobs that were moved aside as timed out back to wait, for workers that were told to (`--reload=timeout`).
//!
//! In a task of its own; what was moved aside by mistake, because its worker still runs it, then runs twice: nobody but
//! the operator can know. Counterpart in PHP: `Hyperf\AsyncQueue\Listener\ReloadChannelListener`.

use std::sync::Arc;

use tokio::time::{MissedTickBehavior, interval};

use super::connection::Connection;
use crate::events::{Event, Events};
use crate::queue::State;

/// Looks at each queue as often as a reservation may end, until it is dropped.
pub(super) async fn reload(connection: Arc<Connection>, events: Events) {
    let mut looks = interval(connection.lease());
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        look(&connection, &events).await;
    }
}

/// Looks at each queue once.
pub(super) async fn look(connection: &Connection, events: &Events) {
    for queue in &connection.queues {
        match connection.queue.reload(queue, State::Timeout).await {
            Ok(0) => {}
            Ok(jobs) => events.emit(Event::Reloaded { queue: queue.as_str().into(), jobs }),
            // The ledger tells of a queue that is away.
            Err(error) => tracing::debug!("{error}"),
        }
    }
}
