//! The columns of a table of stored events, such as those of a lake: one row for each event.
//!
//! Who writes the table and who reads it share nothing but these names. A table is one of stored events
//! if it has all of [`OF_ALL`].

/// The time of the event as a timestamp in microseconds; null if it has none.
pub const TIME: &str = "_time";
/// When the event arrived, as a timestamp in microseconds.
pub const INDEX_TIME: &str = "_indextime";
/// The text of the event.
pub const RAW: &str = "_raw";
/// The format in which the text was recognized, as the name of [`EVENT_FORMAT`](crate::fields::EVENT_FORMAT).
pub const FORMAT: &str = "format";
/// The file or stream that the event came from.
pub const SOURCE: &str = "source";
/// The host that the event came from.
pub const HOST: &str = "host";
/// The sourcetype that was named for the event; null if it follows from the format.
pub const SOURCETYPE: &str = "sourcetype";
/// The fields that the sender gave beside the text, as a flat JSON object; null if there are none.
pub const FIELDS: &str = "fields";

/// The columns by which a table of stored events is recognized.
pub const OF_ALL: [&str; 4] = [TIME, INDEX_TIME, RAW, FORMAT];

/// Fields by which searches pick events, and which have a column of their own for events of
/// [`WITH_LEADS`]. A null is an event without the field; events of other formats have only nulls. Each is
/// a member of the event, so that it does not depend on the rules by which fields are derived.
pub const LEADS: [&str; 6] =
    ["eventName", "eventSource", "awsRegion", "recipientAccountId", "sourceIPAddress", "eventID"];

/// The format whose events have values in the columns of [`LEADS`].
pub const WITH_LEADS: &str = "cloudtrail";
