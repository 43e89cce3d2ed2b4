//! Counts the CloudTrail events of sources that cannot give `requestParameters`.
//!
//! CloudTrail writes this member into every event of an API call, if only as `null`. A source in which
//! no event has it, such as the console's event history or a table without the column, says nothing
//! about what was asked for, and searches for that find nothing.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::json::text_member;
use crate::report::FileReport;

const KEY: &str = "requestParameters";

static QUOTED: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"requestParameters\""));

/// What the events of one text have shown so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Parameters {
    /// True once an event has the member; then nothing more is looked at.
    are_there: bool,
    /// The number of API calls without it.
    calls: u64,
    /// The number of events without it that do not say whether they are API calls, and whether they
    /// have a version, as all events have that CloudTrail itself wrote.
    versioned: u64,
    bare: u64,
}

impl Parameters {
    /// Looks at a CloudTrail event. As CloudTrail writes events, only the first one is looked at.
    #[inline]
    pub(crate) fn see(&mut self, record: &str) {
        if !self.are_there {
            self.look(record);
        }
    }

    fn look(&mut self, record: &str) {
        if QUOTED.find(record.as_bytes()).is_some() && text_member(record, KEY).is_some() {
            self.are_there = true;
            return;
        }
        match text_member(record, "eventType").as_deref() {
            Some("AwsApiCall") => self.calls += 1,
            // Events of sign-ins and services may have none.
            Some(_) => {}
            None if text_member(record, "eventVersion").is_some() => self.versioned += 1,
            None => self.bare += 1,
        }
    }

    /// Adds what the events of a text have shown to the report of its file. `has_column` says whether
    /// the text is a table with a column for the member, if it is a table.
    pub(crate) fn tell(&self, has_column: Option<bool>, report: &mut FileReport) {
        report.thin += self.lacking(has_column);
        report.has_parameters |= has_column.unwrap_or(self.are_there);
    }

    /// Returns the number of events that lack the member because the source cannot give it.
    fn lacking(&self, has_column: Option<bool>) -> u64 {
        match has_column {
            Some(true) => 0,
            Some(false) => self.calls + self.versioned + self.bare,
            None if self.are_there => 0,
            // A single record that is written by hand may leave out what does not matter.
            None => self.calls + self.bare,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_without_parameters() {
        let call = r#"{"eventVersion":"1","eventType":"AwsApiCall","eventName":"A"}"#;
        let null = r#"{"eventType":"AwsApiCall","eventName":"A","requestParameters":null}"#;
        let inner = r#"{"eventType":"AwsApiCall","eventName":"A","x":{"requestParameters":1}}"#;
        let sign_in = r#"{"eventVersion":"1","eventType":"AwsConsoleSignIn"}"#;
        let insight = r#"{"eventVersion":"1","eventType":"AwsCloudTrailInsight"}"#;
        let untyped = r#"{"eventVersion":"1","eventName":"A","eventSource":"s"}"#;
        let bare = r#"{"eventName":"A","eventSource":"s"}"#;
        for (records, lacking) in [
            (&[call, call][..], 2),
            (&[null, call], 0),
            (&[call, null, call], 0),
            (&[inner], 1),
            (&[sign_in, insight], 0),
            (&[untyped], 0),
            (&[bare, sign_in, call], 2),
        ] {
            let mut parameters = Parameters::default();
            records.iter().for_each(|record| parameters.see(record));
            assert_eq!(parameters.lacking(None), lacking, "{records:?}");
            assert_eq!(parameters.lacking(Some(true)), 0, "{records:?}");
        }
        let mut parameters = Parameters::default();
        [call, untyped, bare, sign_in].iter().for_each(|record| parameters.see(record));
        assert_eq!(parameters.lacking(Some(false)), 3);
    }
}
