//! A look into the serialized command of an object job.

use super::Payload;

/// The command of an object job.
#[derive(Debug)]
pub struct Command {
    class: String,
    serialized: String,
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
        Some(Command { class: data.command_name, serialized: data.command })
    }

    /// The class of the command, as `data.commandName` gives it.
    pub fn class(&self) -> &str {
        &self.class
    }

    /// PHP's serialized form of the command, or the encrypted envelope around it.
    pub fn serialized(&self) -> &str {
        &self.serialized
    }
}
