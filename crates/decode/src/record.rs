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
    /// A row of a Parquet file that is no event of AWS, as a JSON object, sourcetype `parquet`.
    Parquet,
}

impl Format {
    /// Returns true for rows of fields, which are no events of AWS.
    pub(crate) fn is_row(self) -> bool {
        matches!(self, Self::Json | Self::Other | Self::Csv | Self::Parquet)
    }

    /// Returns true for rows whose own fields replace those that every event has, such as `source`.
    pub(crate) fn has_own_names(self) -> bool {
        matches!(self, Self::Json | Self::Csv | Self::Parquet)
    }

    /// All formats.
    pub(crate) const ALL: [Self; FORMATS] = [
        Self::CloudTrail,
        Self::Lake,
        Self::ModelInvocation,
        Self::Json,
        Self::Other,
        Self::Csv,
        Self::Parquet,
    ];

    /// Returns the name of the format, by which [`Format::named`] finds it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CloudTrail => "cloudtrail",
            Self::Lake => "lake",
            Self::ModelInvocation => "model_invocation",
            Self::Json => "json",
            Self::Other => "other",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        }
    }

    /// Returns the format that an event was kept with, from its field
    /// [`EVENT_FORMAT`](spilltrail_event::fields::EVENT_FORMAT).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// The number of formats.
pub(crate) const FORMATS: usize = Format::Parquet as usize + 1;

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
