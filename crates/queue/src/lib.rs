//! Which objects are new, from a queue of SQS.

mod address;
mod error;
mod message;
pub mod notice;
mod puller;
mod queue;
#[cfg(test)]
mod tests;
mod text;
mod transport;
mod wire;

pub use error::{Class, Fault, QueueError};
pub use message::{Message, Receipt, Redrive, Rejected, Standing};
pub use puller::{Batch, Counts, MOST_OUT, MOST_WINDOW, Note, Observer, PullOptions, Puller};
pub use queue::{LONGEST_VISIBILITY, LONGEST_WAIT, MOST_MESSAGES, Queue, QueueOptions};
pub use transport::{Credentials, client};
