//! The connections to one server: one that all commands share, and those that wait.
//!
//! Every call has a deadline. A connection that timed out, broke, or answers for a server that cannot serve us is dropped
//! and dialled anew, name resolution and sentinels included, at the next call. Never sends a command twice.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, RedisError, Script, Value, cmd, pipe};
use tokio::sync::Mutex;

use super::address::Node;
use super::error::{Error, asks_for_a_new_dial, timed_out};

/// The deadline of a call.
pub(super) const DEADLINE: Duration = Duration::from_secs(5);
/// The deadline of dialling, greetings included.
const DIAL: Duration = Duration::from_secs(3);
/// The same for a sentinel, of which there are others.
const ASK: Duration = Duration::from_secs(1);

/// How the server is found.
#[derive(Debug)]
pub(super) enum Place {
    /// It is this one.
    Here(Node),
    /// It is the one that these name.
    Named { sentinels: Vec<Node>, service: String, master: Node },
}

/// The way to one server.
#[derive(Debug)]
pub(super) struct Link {
    place: Place,
    commands: Mutex<Option<Dialled>>,
}

#[derive(Clone)]
struct Dialled {
    connection: MultiplexedConnection,
    /// Tells this dial from a later one.
    id: u64,
}

impl std::fmt::Debug for Dialled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Dialled({})", self.id)
    }
}

/// What is asked of a server.
pub(super) enum Call<'a> {
    /// One command.
    Command(&'a Cmd),
    /// A script, by its digest; it is loaded where the server does not know it yet.
    Script(&'a Script, &'a Cmd),
}

impl Call<'_> {
    fn command(&self) -> &Cmd {
        match self {
            Call::Command(command) | Call::Script(_, command) => command,
        }
    }
}

impl Link {
    pub(super) fn new(place: Place) -> Self {
        Link { place, commands: Mutex::new(None) }
    }

    /// A connection of its own for calls that wait: its caller sets their deadlines.
    pub(super) async fn dial_to_wait(&self) -> Result<MultiplexedConnection, Error> {
        self.dial(None).await
    }

    async fn dial(&self, deadline: Option<Duration>) -> Result<MultiplexedConnection, Error> {
        let dialled = match &self.place {
            Place::Here(node) => dial(node, deadline, DIAL).await,
            Place::Named { sentinels, service, master } => {
                dial_master(sentinels, service, master, deadline).await
            }
        };
        dialled.map_err(Error::never_sent)
    }

    async fn commands(&self) -> Result<Dialled, Error> {
        let mut slot = self.commands.lock().await;
        if let Some(dialled) = &*slot {
            return Ok(dialled.clone());
        }
        let connection = self.dial(Some(DEADLINE)).await?;
        Ok(slot.insert(Dialled { connection, id: fastrand::u64(..) }).clone())
    }

    /// Sends a call; `asking` lets a node of a cluster answer for a slot that is on its way to it.
    pub(super) async fn call(&self, call: &Call<'_>, asking: bool) -> Result<Value, Error> {
        let Dialled { mut connection, id } = self.commands().await?;
        let mut answer = send(&mut connection, call.command(), asking).await;
        if let Call::Script(script, command) = call
            && answer.as_ref().is_err_and(|error| error.code() == Some("NOSCRIPT"))
        {
            answer = match script.prepare_invoke().load_async(&mut connection).await {
                Ok(_) => send(&mut connection, command, asking).await,
                Err(error) => Err(error),
            };
        }
        if answer.as_ref().is_err_and(asks_for_a_new_dial) {
            let mut slot = self.commands.lock().await;
            if slot.as_ref().is_some_and(|dialled| dialled.id == id) {
                *slot = None;
            }
        }
        Ok(answer?)
    }
}

async fn send(
    connection: &mut MultiplexedConnection,
    command: &Cmd,
    asking: bool,
) -> Result<Value, RedisError> {
    if !asking {
        return command.query_async(connection).await;
    }
    // Both on one connection with nothing between: the leave holds for the next command only.
    let answers: (Value,) =
        pipe().cmd("ASKING").ignore().add_command(command.clone()).query_async(connection).await?;
    Ok(answers.0)
}

async fn dial(
    node: &Node,
    deadline: Option<Duration>,
    within: Duration,
) -> Result<MultiplexedConnection, RedisError> {
    let config =
        AsyncConnectionConfig::new().set_connection_timeout(Some(within)).set_response_timeout(deadline);
    let client = node.client()?;
    let dialled = async {
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        // A server that lets nobody in says so here; a script, it would only hang up on.
        match cmd("PING").query_async::<Value>(&mut connection).await {
            // Let in, though not to say this.
            Err(error) if error.code() != Some("NOPERM") => Err(error),
            _ => Ok(connection),
        }
    };
    tokio::time::timeout(within, dialled).await.map_err(|_| timed_out())?
}

/// Asks one sentinel after the other for the master, and believes the one whose master says so, too.
async fn dial_master(
    sentinels: &[Node],
    service: &str,
    master: &Node,
    deadline: Option<Duration>,
) -> Result<MultiplexedConnection, RedisError> {
    let mut last = None;
    for sentinel in sentinels {
        match named_by(sentinel, service, master, deadline).await {
            Ok(connection) => return Ok(connection),
            Err(error) => last = Some(error),
        }
    }
    Err(last.expect("an address names at least one sentinel"))
}

async fn named_by(
    sentinel: &Node,
    service: &str,
    master: &Node,
    deadline: Option<Duration>,
) -> Result<MultiplexedConnection, RedisError> {
    let odd = |what, detail: String| RedisError::from((redis::ErrorKind::Client, what, detail));
    let mut connection = dial(sentinel, Some(ASK), ASK).await?;
    let ask = cmd("SENTINEL").arg("get-master-addr-by-name").arg(service).to_owned();
    let named: Option<(String, u16)> = ask.query_async(&mut connection).await?;
    let Some((host, port)) = named else {
        return Err(odd("The sentinels know no master of this name", service.to_owned()));
    };
    let mut connection = dial(&master.at(&host, port), deadline, DIAL).await?;
    let role = tokio::time::timeout(ASK, cmd("ROLE").query_async::<Vec<Value>>(&mut connection)).await;
    let role = role.map_err(|_| timed_out())??;
    match role.first() {
        Some(Value::BulkString(role)) if role == b"master" => Ok(connection),
        _ => Err(odd("The sentinels name a server that is not the master yet", format!("{host}:{port}"))),
    }
}
