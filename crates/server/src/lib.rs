//! The HTTP edge.
//!
//! [`hec`] takes events from the senders of Splunk's HTTP Event Collector. [`serve()`] serves its router, or
//! any other one, on a listener, plainly or with [`tls`].

mod audit;
pub mod hec;
mod secret;
mod serve;
pub mod tls;

pub use audit::{Audit, Change, LogAudit, Part, Refusal, RefusalReason};
pub use secret::{SecretError, TokenHash, new_token};
pub use serve::{ClientAddress, Plain, ServeOptions, Wire, serve};
