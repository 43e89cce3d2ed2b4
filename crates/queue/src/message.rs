//! What a queue hands out.

use std::fmt;

/// What stands for one message while it is held. It is a secret of whoever received the message, and
/// a message that is received again has another one.
#[derive(Clone, PartialEq, Eq)]
pub struct Receipt(pub(crate) String);

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Receipt(…)")
    }
}

/// A message that was received. Nobody else gets it until its visibility timeout has passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The name of the message; each time that it is received, it has the same one.
    pub id: String,
    /// What it says; [`notice::read`](crate::notice::read) reads it.
    pub body: String,
    /// What stands for it.
    pub receipt: Receipt,
    /// How many times it was received, with this one. It is approximate.
    pub receives: u32,
    /// When it was sent, in milliseconds since the epoch; `None` if the queue does not say.
    pub sent: Option<u64>,
}

/// Why one of several messages was not deleted or held longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Which of those that were given, from 0.
    pub index: usize,
    /// The name of the error, such as `ReceiptHandleIsInvalid`.
    pub code: String,
    /// True if the same request fails again.
    pub is_final: bool,
}

/// How a queue is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// How many messages wait, about.
    pub waiting: u64,
    /// How many messages are held by somebody, about.
    pub held: u64,
    /// How many messages are not to be received yet, about.
    pub delayed: u64,
    /// For how long messages are kept, in seconds, if the queue says so.
    pub retention: Option<u64>,
    /// Where messages go that fail again and again; `None` if they stay until they are too old.
    pub redrive: Option<Redrive>,
}

/// Where messages go that fail again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redrive {
    /// The name (ARN) of the other queue.
    pub target: String,
    /// How many times a message is received before it goes there.
    pub receives: u32,
}
