//! What a puller tells besides objects.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::notice::{NoticeError, RecordError, SkipReason, Skipped};

/// Something that somebody may want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// A message has something of which nothing is to be read. If it has nothing else, it is deleted.
    Skipped {
        /// The name of the message.
        message: String,
        /// What is skipped.
        skipped: Skipped,
    },
    /// A message cannot be read. It is given back, for the queue of those that fail again and again.
    Unreadable {
        /// The name of the message.
        message: String,
        /// How many times it was received.
        receives: u32,
        /// Why.
        error: NoticeError,
    },
    /// A record of a message cannot be read. The others are stored; then the message is given back.
    Damaged {
        /// The name of the message.
        message: String,
        /// Why.
        error: RecordError,
    },
    /// The queue answers again, after it could not be asked for messages.
    Reached,
    /// A message is no longer held, because the queue refused. It will come again.
    Lost {
        /// The name of the message.
        message: String,
        /// What the queue said, such as `ReceiptHandleIsInvalid`.
        code: String,
    },
}

/// Is told notes. It must not wait.
pub type Observer = Arc<dyn Fn(Note) + Send + Sync>;

/// What a puller has done since it started.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Counts {
    /// Messages that were received.
    pub received: u64,
    /// Objects that were handed out.
    pub objects: u64,
    /// Objects that the caller has stored.
    pub stored: u64,
    /// Objects that the caller could not store.
    pub failed: u64,
    /// Objects that a message names again, while or after they were stored.
    pub repeated: u64,
    /// Objects of which something newer was there.
    pub older: u64,
    /// Messages that were deleted.
    pub deleted: u64,
    /// Messages that were given back.
    pub returned: u64,
    /// How many times a message was held longer.
    pub extended: u64,
    /// Messages that were no longer held before they were stored or deleted.
    pub lost: u64,
    /// Messages that cannot be read.
    pub unreadable: u64,
    /// Records that cannot be read.
    pub damaged: u64,
    /// What was skipped, by reason.
    pub skipped: BTreeMap<SkipReason, u64>,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Skipped { message, skipped } => {
                let reason = skipped.reason.name();
                write!(f, "message {message}: skipped `{}` ({reason})", skipped.what)
            }
            Self::Unreadable { message, receives, error } => {
                write!(f, "message {message}, received {receives} times: {error}")
            }
            Self::Damaged { message, error } => write!(f, "message {message}: {error}"),
            Self::Reached => f.write_str("the queue answers again"),
            Self::Lost { message, code } => {
                write!(f, "message {message} is no longer held")?;
                if code.is_empty() { Ok(()) } else { write!(f, ": {code}") }
            }
        }
    }
}
