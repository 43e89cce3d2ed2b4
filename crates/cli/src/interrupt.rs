//! Handles the signals that end a program. The first signal cancels the run. If the run does not end in time,
//! or a second signal arrives, the program exits.

use std::io::Result;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use spilltrail_app::CancellationToken;

use crate::status;

/// Listens for signals until it is dropped. Does nothing on systems without signals.
#[derive(Debug)]
pub(crate) struct Interrupts {
    /// Number of the first signal; zero if none was received.
    received: Arc<AtomicI32>,
    #[cfg(unix)]
    listening: signal_hook::iterator::Handle,
    threads: Vec<JoinHandle<()>>,
}

impl Interrupts {
    /// Returns the exit status of a run that a signal stopped.
    pub(crate) fn status(&self) -> ExitCode {
        status::of_signal(self.received.load(Ordering::Relaxed))
    }

    /// Returns the name of the signal that stopped the run.
    pub(crate) fn name(&self) -> &'static str {
        name(self.received.load(Ordering::Relaxed))
    }
}

fn name(signal: i32) -> &'static str {
    #[cfg(unix)]
    let name = signal_hook::low_level::signal_name(signal);
    #[cfg(not(unix))]
    let name = None;
    name.unwrap_or("a signal")
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        #[cfg(unix)]
        self.listening.close();
        for thread in self.threads.drain(..) {
            // If the thread panicked, the panic hook has already printed the message.
            let _ = thread.join();
        }
    }
}

/// Starts listening: the first signal cancels `cancel`. If the run has not ended after `patience`, the
/// program exits without it; the folder `temporary` is removed first.
///
/// # Errors
/// Fails if the signal handler or the thread cannot be created.
#[cfg(unix)]
pub(crate) fn listen(
    cancel: CancellationToken,
    temporary: Option<PathBuf>,
    patience: Duration,
) -> Result<Interrupts> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    use std::thread::Builder;

    // With `nohup`, the program starts with an ignored SIGHUP, and is to run on.
    let hangups = [SIGHUP, SIGQUIT].into_iter().filter(|signal| !unix::is_ignored(*signal));
    let mut signals =
        signal_hook::iterator::Signals::new([SIGINT, SIGTERM].into_iter().chain(hangups))?;
    let received = Arc::new(AtomicI32::new(0));
    let (sender, receiver) = std::sync::mpsc::channel();
    let mut interrupts =
        Interrupts { received: received.clone(), listening: signals.handle(), threads: Vec::new() };
    interrupts.threads.push(Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            // Sending fails only after the receiver was dropped, when the program is ending.
            let _ = sender.send(signal);
        }
    })?);
    interrupts.threads.push(Builder::new().name("interrupt".to_owned()).spawn(move || {
        unix::watch(&receiver, &received, &cancel, temporary.as_deref(), patience);
    })?);
    Ok(interrupts)
}

/// Returns a value that never receives a signal, for systems without them.
///
/// # Errors
/// Never fails; the signature matches that of systems with signals.
#[cfg(not(unix))]
pub(crate) fn listen(_: CancellationToken, _: Option<PathBuf>, _: Duration) -> Result<Interrupts> {
    Ok(Interrupts { received: Arc::default(), threads: Vec::new() })
}

#[cfg(unix)]
mod unix {
    use std::path::Path;
    use std::sync::atomic::{AtomicI32, Ordering};
    use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
    use std::time::Duration;

    use spilltrail_app::CancellationToken;
    use spilltrail_diagnostic::Code;

    use super::name;
    use crate::{report, status, temporary};

    /// Time that writing the last message may take. The run may itself be blocked on that output.
    const LAST_WORDS: Duration = Duration::from_millis(100);

    /// Returns true if the program ignores a signal, because whoever started it wants that.
    pub(super) fn is_ignored(signal: i32) -> bool {
        #[expect(unsafe_code, reason = "there is no safe call for it")]
        // SAFETY: Without a new action, `sigaction` only fills in the present one, a plain structure
        // of C, of which all zeros is a value.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            libc::sigaction(signal, std::ptr::null(), &raw mut action) == 0
                && action.sa_sigaction == libc::SIG_IGN
        }
    }

    /// Waits for signals until the sender is dropped.
    pub(super) fn watch(
        signals: &Receiver<i32>,
        received: &AtomicI32,
        cancel: &CancellationToken,
        temporary: Option<&Path>,
        patience: Duration,
    ) {
        let Ok(signal) = signals.recv() else { return };
        received.store(signal, Ordering::Relaxed);
        cancel.cancel();
        let message = match signals.recv_timeout(patience) {
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {
                format!("stopped by {}; what was running did not end in time", name(signal))
            }
            Ok(second) => format!("stopped by {}, and at once by {}", name(signal), name(second)),
        };
        if let Some(folder) = temporary {
            temporary::remove(folder);
        }
        let (sender, said) = sync_channel(1);
        std::thread::spawn(move || {
            report::line(format_args!("error[{}]: {message}", Code::CANCELED));
            // Sending fails if the write took too long and the receiver stopped waiting.
            let _ = sender.send(());
        });
        let _ = said.recv_timeout(LAST_WORDS);
        std::process::exit(status::number_of_signal(signal).into());
    }
}
