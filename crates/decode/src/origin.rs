//! Where events are from, and the keys that stand for it beside events that are kept whole.

use std::sync::Arc;

/// Separates the key of a table from the origin that one of its events names.
const SEPARATOR: char = '\u{1}';

/// The origin of an event: the values of `source`, `host` and `index`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The file or stream.
    pub source: Arc<str>,
    /// The host; for the add-on's events, the collector's host.
    pub host: Arc<str>,
    /// The index of all events of the origin. If `None`, events have no index, except rows with a
    /// field `index` of their own.
    pub index: Option<Arc<str>>,
    /// The sourcetype of all events of the origin, instead of the one that the user named or that
    /// is detected.
    pub sourcetype: Option<Arc<str>>,
    /// What stands for the origin beside the text of an event that is kept whole. If `None`, that is
    /// the source, which then tells all of the origin.
    pub key: Option<Arc<str>>,
    /// Whether the file is a table of stored events, whose rows name their own origins.
    pub is_stored: bool,
}

/// What an event of a table of stored events says of its origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OwnOrigin<'a> {
    /// The file or stream.
    pub source: Option<&'a str>,
    /// The host.
    pub host: Option<&'a str>,
    /// The sourcetype.
    pub sourcetype: Option<&'a str>,
}

impl Origin {
    /// Returns the origin for a file or stream, without an index.
    pub fn new(source: impl Into<Arc<str>>) -> Self {
        Self {
            source: source.into(),
            host: "localhost".into(),
            index: None,
            sourcetype: None,
            key: None,
            is_stored: false,
        }
    }

    /// Returns the origin of an event in a table of this origin. What the event does not say is as for
    /// the table.
    #[must_use]
    pub fn of_event(&self, own: OwnOrigin<'_>) -> Self {
        let mut key = self.key.as_ref().unwrap_or(&self.source).to_string();
        key.push(SEPARATOR);
        for value in [own.source, own.host, own.sourcetype] {
            match value {
                Some(value) => key.push_str(&format!("{}:{value}", value.len())),
                None => key.push('-'),
            }
        }
        Self {
            source: own.source.map_or_else(|| self.source.clone(), Into::into),
            host: own.host.map_or_else(|| self.host.clone(), Into::into),
            sourcetype: own.sourcetype.map(Into::into).or_else(|| self.sourcetype.clone()),
            key: Some(key.into()),
            ..self.clone()
        }
    }

    /// Returns the key of the table, and what its event says, if a key is one of [`Origin::of_event`].
    #[must_use]
    pub fn parts_of_key(key: &str) -> Option<(&str, OwnOrigin<'_>)> {
        let (table, mut rest) = key.split_once(SEPARATOR)?;
        let mut next = || {
            if let Some(after) = rest.strip_prefix('-') {
                rest = after;
                return Some(None);
            }
            let (length, after) = rest.split_once(':')?;
            let (value, after) = after.split_at_checked(length.parse().ok()?)?;
            rest = after;
            Some(Some(value))
        };
        Some((table, OwnOrigin { source: next()?, host: next()?, sourcetype: next()? }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_leads_back_to_the_origin() {
        let table = Origin {
            index: Some("aws".into()),
            sourcetype: Some("t".into()),
            key: Some("\0 7".into()),
            ..Origin::new("table")
        };
        for own in [
            OwnOrigin::default(),
            OwnOrigin { source: Some("s3://b/k"), host: Some(""), sourcetype: None },
            OwnOrigin { source: Some("5:\u{1}-é"), host: None, sourcetype: Some("3:-") },
        ] {
            let origin = table.of_event(own);
            let key = origin.key.clone().unwrap();
            assert_eq!(Origin::parts_of_key(&key), Some(("\0 7", own)));
            assert_eq!(&*origin.source, own.source.unwrap_or("table"));
            assert_eq!(origin.sourcetype.as_deref(), Some(own.sourcetype.unwrap_or("t")));
            assert_eq!(origin.index, table.index);
        }
        for key in ["", "\0 7", "f\u{1}", "f\u{1}--", "f\u{1}9:a--", "f\u{1}x:a--"] {
            assert_eq!(Origin::parts_of_key(key), None, "{key}");
        }
    }
}
