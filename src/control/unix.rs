//! Unix signals as words. Never acts on one. Counterpart in PHP: `listenForSignals` of `Illuminate\Queue\Worker`.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::Signal;

/// Listens from now on; the words arrive in the order of the signals.
///
/// Must be called inside a tokio runtime. SIGCONT has no name in tokio; 18 is its number on Linux.
///
/// # Errors
/// Where the system lets nobody listen.
pub fn signals(tell: &mpsc::UnboundedSender<Signal>) -> std::io::Result<()> {
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
    Ok(())
}
