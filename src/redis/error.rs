//! Why Redis did not do what was asked, and whether it may have done so nevertheless.

use redis::{ErrorKind, RedisError};

/// Why Redis did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub struct Error {
    source: RedisError,
    /// There was no connection to send it on.
    never_sent: bool,
}

impl Error {
    pub(super) fn never_sent(source: RedisError) -> Self {
        Error { source, never_sent: true }
    }

    /// True where the command may have taken effect, or may yet: it was sent, and no answer came. Also where the
    /// connection was cut, for what stood between may still deliver it.
    pub fn may_have_happened(&self) -> bool {
        !self.never_sent && !self.is_refusal()
    }

    /// True where Redis answered, with an error. Our scripts fail before they write, if at all.
    pub fn is_refusal(&self) -> bool {
        self.source.code().is_some()
    }

    /// True where this Redis is too old for what was asked.
    pub fn is_unknown_command(&self) -> bool {
        self.source.detail().is_some_and(|text| text.contains("unknown command"))
    }

    /// Where a cluster keeps the slot that was asked for by now, and whether for this one call only.
    pub(super) fn redirection(&self) -> Option<(&str, u16, bool)> {
        let (node, _) = self.source.redirect_node()?;
        let (host, port) = node.rsplit_once(':')?;
        Some((host, port.parse().ok()?, self.source.code() == Some("ASK")))
    }

    /// True where another node of a cluster may answer although this one did not.
    pub(super) fn is_about_this_node(&self) -> bool {
        self.never_sent || self.source.is_timeout() || self.source.code() == Some("CLUSTERDOWN")
    }
}

impl From<RedisError> for Error {
    fn from(source: RedisError) -> Self {
        Error { source, never_sent: false }
    }
}

pub(super) fn timed_out() -> RedisError {
    RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut))
}

/// What a server says that is not the one to ask, or not now.
const ELSEWHERE: [&str; 8] =
    ["READONLY", "NOAUTH", "NOPERM", "LOADING", "MASTERDOWN", "OOM", "CLUSTERDOWN", "NOREPLICAS"];

/// True for what another connection may cure: a broken link, or a server that is not the one to ask.
pub(super) fn asks_for_a_new_dial(error: &RedisError) -> bool {
    let broken = error.is_timeout() || error.is_io_error() || error.is_connection_dropped();
    let kind = matches!(error.kind(), ErrorKind::Io | ErrorKind::Parse | ErrorKind::AuthenticationFailed);
    // Redis before 7 reports what a script ran into as ERR, with the code further on in the text.
    let named = |code: &str| {
        ELSEWHERE.contains(&code)
            || error.detail().is_some_and(|text| ELSEWHERE.iter().any(|code| text.contains(code)))
    };
    broken || kind || error.code().is_some_and(named)
}
