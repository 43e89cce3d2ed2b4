//! Defines a single event as it appears in a file.

/// The maximum size of a record in bytes, the same as Splunk's limit for this sourcetype.
pub const MAX_RECORD: usize = 8 * 1024 * 1024;

/// The maximum nesting depth of values.
pub(crate) const MAX_DEPTH: usize = 256;

/// The format in which an event's text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// A CloudTrail record, sourcetype `aws:cloudtrail`.
    CloudTrail,
    /// An OCSF event, sourcetype `aws:cloudtrail:lake`.
    Lake,
    /// A record of Bedrock's model invocation log, sourcetype `json_no_timestamp`.
    ModelInvocation,
    /// Any other JSON object, sourcetype `json`.
    Json,
    /// A JSON object of a sourcetype that the user named.
    Other,
    /// A row of a table of separated values, as a JSON object of texts, sourcetype `csv`.
    Csv,
}

/// The number of formats.
pub(crate) const FORMATS: usize = Format::Csv as usize + 1;

/// The text of one event, which is valid JSON and valid UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawRecord<'a> {
    /// The text, exactly as it was delivered.
    pub text: &'a str,
    /// The offset in the uncompressed stream of the event, or of the envelope that holds it as a
    /// string.
    pub offset: u64,
    /// The format, detected from its keys.
    pub format: Format,
}
