//! A look into the serialized command of an object job.
//!
//! Costs nothing until somebody asks: the class comes from the envelope, the properties are parsed on first use.
//! Never runs anything: what the command means to PHP is named, not done.
//! Counterpart in PHP: `Illuminate\Queue\CallQueuedHandler::getCommand`.

use std::sync::OnceLock;

use super::Payload;
use crate::php;

/// The command of an object job.
#[derive(Debug)]
pub struct Command {
    class: String,
    serialized: Vec<u8>,
    value: OnceLock<Result<php::Value, php::Error>>,
}

impl Command {
    pub(super) fn of(payload: &Payload) -> Option<Self> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Data {
            command_name: String,
            command: String,
        }
        let data: Data = serde_json::from_str(payload.data()?.get()).ok()?;
        Some(Command {
            class: data.command_name,
            serialized: data.command.into_bytes(),
            value: OnceLock::new(),
        })
    }

    /// A command that was read already, out of a message.
    pub(super) fn parsed(class: String, value: php::Value) -> Self {
        Command { class, serialized: value.write(), value: OnceLock::from(Ok(value)) }
    }

    /// The class of the command, as `data.commandName` gives it, or a message's job.
    pub fn class(&self) -> &str {
        &self.class
    }

    /// PHP's serialized form of the command, or the encrypted envelope around it.
    pub fn serialized(&self) -> &[u8] {
        &self.serialized
    }

    /// True where the command is encrypted: Laravel tells the two apart by the first two bytes.
    pub fn is_encrypted(&self) -> bool {
        !self.serialized.starts_with(b"O:")
    }

    /// The command's properties, parsed once.
    pub fn value(&self) -> Result<&php::Value, php::Error> {
        self.value.get_or_init(|| php::parse(&self.serialized)).as_ref().map_err(Clone::clone)
    }

    /// What the command asks of Laravel beyond running it, which no native handler can give it yet; `None` where it
    /// asks for nothing.
    pub fn asks_for(&self) -> Option<&'static str> {
        if self.is_encrypted() {
            return Some("its command is encrypted");
        }
        let command = self.value().ok()?;
        let filled =
            |name| command.get(name).and_then(php::Value::as_array).is_some_and(|array| !array.is_empty());
        if filled("chained") {
            Some("it carries a chain to go on with")
        } else if filled("chainCatchCallbacks") {
            Some("its chain catches failures with PHP closures")
        } else if command.get("debounceOwner").is_some_and(|owner| !owner.is_null()) {
            Some("it is debounced through the app's cache")
        } else if command.get("batchId").is_some_and(|id| !id.is_null()) {
            Some("it counts towards a batch")
        } else if filled("middleware") {
            Some("it carries job middleware")
        } else {
            None
        }
    }
}
