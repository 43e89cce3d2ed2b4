//! Runs a command that reads logs: with a runtime, a folder for temporary files, and an ear for signals.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use spilltrail_app::{AppError, CancellationToken};
use spilltrail_search::stack;

use crate::interrupt::{self, Interrupts};
use crate::report;
use crate::temporary::TemporaryFolder;

/// How long work that blocks may take to end once nobody waits for it: a read of a pipe that is not
/// written to never does.
const PATIENCE: Duration = Duration::from_millis(200);

/// Runs a command to its end, or until a signal cancels its token.
///
/// # Errors
/// What the command fails with, but that it was cancelled, which is reported here.
pub(crate) fn run<F>(command: impl FnOnce(CancellationToken) -> F) -> Result<ExitCode>
where
    F: Future<Output = Result<ExitCode>>,
{
    let temporary = TemporaryFolder::new();
    let cancel = CancellationToken::new();
    let path = temporary.path().map(ToOwned::to_owned);
    let interrupts =
        interrupt::listen(cancel.clone(), path).context("cannot listen for signals")?;
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
