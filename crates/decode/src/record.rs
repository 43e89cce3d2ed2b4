//! One event as a file has it.

/// The largest record that is read, in bytes: Splunk's own cut-off for this sourcetype.
pub const MAX_RECORD: usize = 8 * 1024 * 1024;

/// How deep values may be nested.
pub(crate) const MAX_DEPTH: usize = 256;

/// How an event's text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// A CloudTrail record, sourcetype `aws:cloudtrail`.
    CloudTrail,
    /// An OCSF event, sourcetype `aws:cloudtrail:lake`.
    Lake,
    /// Any other JSON object, sourcetype `json`.
    Json,
    /// A JSON object of a sourcetype that the user named.
    Other,
}

/// One event's own text, valid JSON and valid UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawRecord<'a> {
    /// The text, exactly as it was delivered.
    pub text: &'a str,
    /// Where it, or the envelope that has it as a string, begins in the uncompressed stream.
    pub offset: u64,
    /// How it is read, told by its keys.
    pub format: Format,
}
