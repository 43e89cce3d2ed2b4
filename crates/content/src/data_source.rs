//! Data sources: the events that content expects to be there.

use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::Diagnostic;

use crate::yaml::{self, Text};

/// A kind of events that feeds detections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DataSource {
    /// The name that detections use.
    pub name: String,
    /// The `source` of its events; empty if any.
    pub source: String,
    /// The `sourcetype` of its events; empty if any.
    pub sourcetype: String,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "the keys of a data source")]
struct RawDataSource {
    #[serde(default)]
    name: Text,
    #[serde(default)]
    source: Text,
    #[serde(default)]
    sourcetype: Text,
}

/// Reads the file of a data source.
pub(crate) fn read(text: &str) -> Result<DataSource, Diagnostic> {
    let RawDataSource { name, source, sourcetype } = yaml::read(text)?;
    Ok(DataSource { name: name.0, source: source.0, sourcetype: sourcetype.0 })
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_data_source_names_its_events() {
        let text = "name: n\nsource: s\nsourcetype: aws:cloudtrail\nfields: [a]\n";
        let source = read(text).unwrap();
        assert_eq!((source.source.as_str(), source.sourcetype.as_str()), ("s", "aws:cloudtrail"));
        assert!(read("- a list").is_err());
    }
}
