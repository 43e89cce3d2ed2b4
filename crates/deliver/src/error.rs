//! Why a message was not delivered, or a configuration cannot be used.
//!
//! Addresses are named by their host, and secrets are taken out of what servers answer
//! (`redact`).

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

/// Why an attempt failed, and whether another one can succeed.
#[derive(Debug, Error)]
pub enum DeliveryError {
    /// A later attempt can succeed: the network, the service or a file is not available now.
    #[error("{reason}")]
    Retry {
        reason: Reason,
        /// How long the service asks to wait; `None` if it does not say.
        after: Option<Duration>,
    },
    /// The same attempt fails again until somebody changes the configuration or the service.
    #[error("{reason}")]
    Permanent { reason: Reason },
}

/// What went wrong.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Reason {
    /// The configuration of the output cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A variable that should have a secret is not set.
    #[error("environment variable `{variable}` of key `{key}` is not set, or is empty")]
    Variable { key: &'static str, variable: String },
    /// A file that should have a secret cannot be read.
    #[error("file `{}` of key `{key}` cannot be read: {source}", path.display())]
    SecretFile { key: &'static str, path: PathBuf, source: io::Error },
    /// A secret was read, but cannot be used.
    #[error("the value of key `{key}` cannot be used: expected {expected}")]
    Secret { key: &'static str, expected: &'static str },
    /// No connection, or it broke.
    #[error("`{peer}` cannot be reached: {detail}")]
    Network { peer: String, detail: String },
    /// The time limit passed.
    #[error("no answer within the time limit")]
    Time,
    /// The service refused.
    #[error("`{peer}` answered with status {status}{}", quoted(answer))]
    Status { peer: String, status: u16, answer: String },
    /// The service is at another address.
    #[error(
        "`{peer}` answered with status {status} and another address; redirects are not followed"
    )]
    Redirect { peer: String, status: u16 },
    /// A mail server refused or broke the protocol.
    #[error("mail server `{peer}`: {detail}")]
    Mail { peer: String, detail: String },
    /// A file cannot be written.
    #[error("file `{}` cannot be written: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    /// Another program, or an output that names the file by another path, holds its lock.
    #[error("file `{}` is locked by another writer", path.display())]
    Locked { path: PathBuf },
    /// The time limit passed for a file. What was to be written may still be.
    #[error("file `{}` does not answer within the time limit", path.display())]
    Hangs { path: PathBuf },
    /// An attempt that nobody waits for any more still works on the file.
    #[error("an earlier attempt at file `{}` has not ended", path.display())]
    Busy { path: PathBuf },
    /// The work on a file ended without a result.
    #[error("the work on file `{}` was interrupted", path.display())]
    Interrupted { path: PathBuf },
}

/// What is wrong with the configuration of an output.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("output `{output}`: {message}")]
pub struct ConfigError {
    /// The name of the output.
    pub output: String,
    /// What was expected, and what was found.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

impl Reason {
    /// Returns the status that a service answered with over HTTP, if it answered.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } | Self::Redirect { status, .. } => Some(*status),
            _ => None,
        }
    }
}

impl DeliveryError {
    /// Returns an error after which another attempt can succeed.
    pub(crate) fn retry(reason: Reason) -> Self {
        Self::Retry { reason, after: None }
    }

    /// Returns an error after which the same attempt fails again.
    pub(crate) fn permanent(reason: Reason) -> Self {
        Self::Permanent { reason }
    }

    /// Returns an error for a peer that cannot be reached.
    pub(crate) fn network(peer: &str, detail: impl Into<String>) -> Self {
        Self::retry(Reason::Network { peer: peer.to_owned(), detail: detail.into() })
    }

    /// Returns true if another attempt can succeed.
    #[must_use]
    pub fn is_retry(&self) -> bool {
        matches!(self, Self::Retry { .. })
    }

    /// Returns what went wrong.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        match self {
            Self::Retry { reason, .. } | Self::Permanent { reason } => reason,
        }
    }
}

fn quoted(answer: &str) -> String {
    if answer.is_empty() { String::new() } else { format!(": `{answer}`") }
}
