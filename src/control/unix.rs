//! Unix signals as words. Never acts on one.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// TERM, INT, QUIT: finish and stop; a second one: hand back and stop.
    Stop,
    /// USR2: reserve nothing more for now.
    Pause,
    /// CONT: go on.
    Resume,
}

/// Listens from now on; the words arrive in the order of the signals.
///
/// Must be called inside a tokio runtime. SIGCONT has no name in tokio; 18 is its number on Linux.
pub fn signals() -> std::io::Result<mpsc::UnboundedReceiver<Signal>> {
    let (tell, told) = mpsc::unbounded_channel();
    for (kind, word) in [
        (SignalKind::terminate(), Signal::Stop),
        (SignalKind::interrupt(), Signal::Stop),
        (SignalKind::quit(), Signal::Stop),
        (SignalKind::user_defined2(), Signal::Pause),
        (SignalKind::from_raw(if cfg!(target_os = "linux") { 18 } else { 19 }), Signal::Resume),
    ] {
        let mut stream = signal(kind)?;
        let tell = tell.clone();
        tokio::spawn(async move { while stream.recv().await.is_some() && tell.send(word).is_ok() {} });
    }
    Ok(told)
}
