//! The HTTP edge.
//!
//! [`hec`] takes events from the senders of Splunk's HTTP Event Collector. [`api`] answers questions about
//! findings, schedules and searches. [`serve()`] serves their routers, or any other one, on a listener, plainly
//! or with [`tls`].

pub use axum::Router;

pub mod api;
mod audit;
mod files;
mod health;
pub mod hec;
mod ids;
mod metrics;
mod places;
mod secret;
mod serve;
pub mod tls;

pub use audit::{Audit, Change, LogAudit, Part, Refusal, RefusalReason};
pub use files::replace_private;
pub use health::{PartState, Readiness};
pub use metrics::{Delivered, METRICS_TYPE, Metrics, Task};
pub use secret::{SecretError, TokenHash, new_token};
pub use serve::{ClientAddress, Plain, ServeOptions, Wire, serve};
