//! A collector of events over HTTP, as senders of Splunk's HTTP Event Collector expect it.
//!
//! [`Collector`] has the routes; where events go is behind [`Inbox`].
//!
//! | Path below `/services/collector` | What it does |
//! |---|---|
//! | (nothing), `/event`, `/event/1.0` | takes JSON objects, one after the other or in arrays |
//! | `/raw`, `/raw/1.0` | takes lines, with `host`, `source`, `sourcetype`, `index` and `time` in the query |
//! | `/ack` | tells which requests of a channel are stored |
//! | `/health`, `/health/1.0` | tells whether events can be stored |
//!
//! # What is stored
//!
//! - The text of an event is the string that it is, or the bytes of any other JSON as they were sent. A
//!   line is stored without its end, byte for byte. One line with many records of CloudTrail
//!   (`{"Records":[…]}`) is one event here; whoever reads events splits it.
//! - A time has microseconds; the digits after the sixth round half up. One before 1970 or after the year
//!   9999 is refused, and so are milliseconds.
//! - An event without a time has none here: it counts with that of its text, or of its arrival.
//! - A request is one commit, unless it has more than [`Options::part_bytes`]. Events of one origin are a
//!   batch, and the batches are in the order of their first events.
//!
//! - Of several members of an object with one name, the last counts. Empty names are none.
//!
//! # What an answer means
//!
//! - 200 without `ackId`: all events are on the disk.
//! - 200 with `ackId`: all events are taken; `/ack` tells once when they are on the disk.
//! - `invalid-event-number` *n*: the events before number *n*, counted from 0, are on the disk, and no
//!   others.
//! - Any other answer: nothing is stored, but for the parts of a request that has several.
//!
//! Whoever gets no answer, or 5xx, can send again; then events can come twice, as in Splunk.

mod auth;
mod body;
mod budget;
mod channels;
mod collector;
mod envelope;
mod handlers;
mod inbox;
mod ingest;
mod query;
mod reply;
mod split;
mod time;
mod tokens;

pub use body::BodyOptions;
pub(crate) use body::BodyReader;
pub use channels::AckOptions;
pub use collector::{Collector, Options};
pub use inbox::{Inbox, InboxError, Stored, Tell, WalInbox};
pub use reply::Code;
pub(crate) use reply::Reply;
pub use tokens::{DEFAULT_INDEX, Token, TokenError, Tokens, is_index};
