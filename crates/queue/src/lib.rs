//! Which objects are new in S3, from the notifications in a queue of SQS.
//!
//! AWS delivers logs to a bucket, and S3, CloudTrail or EventBridge tells a queue of each new object.
//! A [`Puller`] hands out those objects; the caller stores what is in them and says so; only then is the
//! message deleted. What fails stays in the queue, and what fails again and again goes where the queue
//! puts such messages.
//!
//! ```no_run
//! # async fn store(_: &spilltrail_queue::ObjectRef) -> Result<(), ()> { Ok(()) }
//! # async fn example(
//! #     credentials: spilltrail_queue::Credentials,
//! #     stop: &tokio_util::sync::CancellationToken,
//! # ) -> Result<(), spilltrail_queue::QueueError> {
//! use std::sync::Arc;
//! use spilltrail_queue::{PullOptions, Puller, Queue, QueueOptions, client};
//!
//! // `credentials` are those of the bucket: `AmazonS3Builder::build()?.credentials()`.
//! let options = QueueOptions::new("https://sqs.eu-west-1.amazonaws.com/111122223333/trail");
//! let queue = Queue::open(&options, credentials, client()?)?;
//! let observer = Arc::new(|note| println!("{note}"));
//! let mut puller = Puller::start(queue, PullOptions::default(), stop, observer)?;
//! loop {
//!     match puller.next().await {
//!         Ok(Some(batch)) => {
//!             let mut failed = Vec::new();
//!             for (place, object) in batch.objects.iter().enumerate() {
//!                 if store(object).await.is_err() {
//!                     failed.push(place);
//!                 }
//!             }
//!             batch.failed(&failed);
//!         }
//!         Ok(None) => break,
//!         // The next call waits before it asks again.
//!         Err(error) if error.is_retry() => println!("{error}"),
//!         Err(error) => return Err(error),
//!     }
//! }
//! puller.finish().await;
//! # Ok(())
//! # }
//! ```
//!
//! - A message is deleted only if all its objects were stored, or it has nothing to read; a message that
//!   cannot be read is never deleted.
//! - An object may come more than once, after a failure or a restart. Whoever stores it must know it by
//!   its name.
//! - No text of a message is a panic, and memory is bounded, whatever a queue has.
//! - No secret is in an error, a note or debug output.

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
pub use notice::ObjectRef;
pub use puller::{Batch, Counts, MOST_OUT, MOST_WINDOW, Note, Observer, PullOptions, Puller};
pub use queue::{LONGEST_VISIBILITY, LONGEST_WAIT, MOST_MESSAGES, Queue, QueueOptions};
pub use transport::{Credentials, client};
