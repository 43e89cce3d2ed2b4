//! Runs a command that reads logs, with a runtime, a temporary folder and signal handling.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use spilltrail_app::{AppError, CancellationToken};
use spilltrail_search::stack;

use crate::interrupt::{self, Interrupts};
use crate::report;
use crate::temporary::TemporaryFolder;

/// Time that blocking tasks may take to end when the program exits. The limit is needed because a
/// read from a pipe to which nothing is written never ends.
const PATIENCE: Duration = Duration::from_millis(200);

/// Time that a command may take to end after a signal.
const PROMPT: Duration = Duration::from_millis(800);
/// Time that a server may take: requests under way are answered, and what was taken is stored.
const ORDERLY: Duration = Duration::from_secs(20);

/// Runs a command until it ends, or until a signal cancels its token.
///
/// # Errors
/// Returns the error of the command. Cancellation is not returned but reported here.
pub(crate) fn run<F>(command: impl FnOnce(CancellationToken) -> F) -> Result<ExitCode>
where
    F: Future<Output = Result<ExitCode>>,
{
    run_with(PROMPT, command)
}

/// Runs a server, which ends in good order when a signal tells it to.
///
/// # Errors
/// As [`run`].
pub(crate) fn run_server<F>(command: impl FnOnce(CancellationToken) -> F) -> Result<ExitCode>
where
    F: Future<Output = Result<ExitCode>>,
{
    run_with(ORDERLY, command)
}

fn run_with<F>(patience: Duration, command: impl FnOnce(CancellationToken) -> F) -> Result<ExitCode>
where
    F: Future<Output = Result<ExitCode>>,
{
    let temporary = TemporaryFolder::new();
    let cancel = CancellationToken::new();
    let path = temporary.path().map(ToOwned::to_owned);
    let interrupts =
        interrupt::listen(cancel.clone(), path, patience).context("cannot listen for signals")?;
    let runtime = stack::runtime().context("the runtime cannot start")?;
    let outcome = runtime.block_on(command(cancel));
    let outcome = report_stop(outcome, &interrupts);
    runtime.shutdown_timeout(PATIENCE);
    outcome
}

fn report_stop(outcome: Result<ExitCode>, interrupts: &Interrupts) -> Result<ExitCode> {
    match outcome.as_ref().err().and_then(|error| error.downcast_ref()) {
        Some(AppError::Cancelled(done)) => {
            report::stopped(interrupts.name(), done);
            Ok(interrupts.status())
        }
        _ => outcome,
    }
}
