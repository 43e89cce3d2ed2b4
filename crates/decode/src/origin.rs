//! Where events are from, and the keys that stand for it beside events that are kept whole.

use std::borrow::Cow;
use std::sync::Arc;

use crate::given::{Given, GivenFields};

/// Separates the key of a table from the origin that one of its events names.
const SEPARATOR: char = '\u{1}';

/// The origin of an event: the values of `source`, `host` and `index`, and what its sender gave beside
/// its text.
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
    /// What the sender gave beside the text of the event.
    pub given: Given,
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
    /// The time that counts instead of the text's, in microseconds since the epoch.
    pub time: Option<i64>,
    /// The fields that count instead of the text's, as a flat JSON object.
    pub fields: Option<&'a str>,
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
            given: Given::default(),
        }
    }

    /// Returns the origin of an event in a table of this origin. What the event does not say is as for
    /// the table. Fields that are no flat object are left out.
    #[must_use]
    pub fn of_event(&self, own: OwnOrigin<'_>) -> Self {
        let fields = own.fields.and_then(GivenFields::read);
        let mut key = self.key.as_ref().unwrap_or(&self.source).to_string();
        key.push(SEPARATOR);
        for value in [own.source, own.host, own.sourcetype] {
            push_part(&mut key, value);
        }
        Self {
            source: own.source.map_or_else(|| self.source.clone(), Into::into),
            host: own.host.map_or_else(|| self.host.clone(), Into::into),
            sourcetype: own.sourcetype.map(Into::into).or_else(|| self.sourcetype.clone()),
            key: Some(key.into()),
            given: Given { time: own.time, fields: fields.map(Into::into) },
            ..self.clone()
        }
    }

    /// Returns the key of the table, and what its event says, if a key is one of [`Origin::of_event`].
    #[must_use]
    pub fn parts_of_key(key: &str) -> Option<(&str, OwnOrigin<'_>)> {
        let (table, mut rest) = key.split_once(SEPARATOR)?;
        let mut next = || next_part(&mut rest);
        let (source, host, sourcetype) = (next()?, next()?, next()?);
        let mut own = OwnOrigin { source, host, sourcetype, ..OwnOrigin::default() };
        if !rest.is_empty() {
            let mut next = || next_part(&mut rest);
            own.time = next()?.map(str::parse).transpose().ok()?;
            own.fields = next()?;
        }
        Some((table, own))
    }

    /// Returns what stands for the origin beside the text of an event that is kept whole. It has what the
    /// sender gave: the time only if `with_time` is set, because that of most events stands in their text.
    pub(crate) fn key_of_event(&self, with_time: bool) -> Cow<'_, str> {
        let key = self.key.as_ref().unwrap_or(&self.source);
        let time = self.given.time.filter(|_| with_time).map(|time| time.to_string());
        let fields = self.given.fields.as_ref().map(|fields| fields.text());
        if time.is_none() && fields.is_none() {
            return Cow::Borrowed(key);
        }
        let mut key = key.to_string();
        push_part(&mut key, time.as_deref());
        push_part(&mut key, fields);
        Cow::Owned(key)
    }
}

/// Adds a part to a key, from which [`next_part`] takes it.
fn push_part(key: &mut String, part: Option<&str>) {
    match part {
        Some(part) => key.push_str(&format!("{}:{part}", part.len())),
        None => key.push('-'),
    }
}

/// Takes the next part off the rest of a key; `None` if it is none.
fn next_part<'k>(rest: &mut &'k str) -> Option<Option<&'k str>> {
    if let Some(after) = rest.strip_prefix('-') {
        *rest = after;
        return Some(None);
    }
    let (length, after) = rest.split_once(':')?;
    let (part, after) = after.split_at_checked(length.parse().ok()?)?;
    *rest = after;
    Some(Some(part))
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
            OwnOrigin {
                source: Some("s3://b/k"),
                host: Some(""),
                time: Some(-5),
                fields: Some(r#"{"a":["é",1]}"#),
                ..OwnOrigin::default()
            },
            OwnOrigin {
                source: Some("5:\u{1}-é"),
                sourcetype: Some("3:-"),
                fields: Some("{}"),
                ..OwnOrigin::default()
            },
        ] {
            let origin = table.of_event(own);
            assert_eq!(Origin::parts_of_key(&origin.key_of_event(true)), Some(("\0 7", own)));
            let timeless = OwnOrigin { time: None, ..own };
            assert_eq!(Origin::parts_of_key(&origin.key_of_event(false)), Some(("\0 7", timeless)));
            assert_eq!(&*origin.source, own.source.unwrap_or("table"));
            assert_eq!(origin.sourcetype.as_deref(), Some(own.sourcetype.unwrap_or("t")));
            assert_eq!(origin.index, table.index);
        }
        for key in [
            "",
            "\0 7",
            "f\u{1}",
            "f\u{1}--",
            "f\u{1}9:a--",
            "f\u{1}x:a--",
            "f\u{1}---1:x-",
            "f\u{1}----x",
            "f\u{1}----",
            "f\u{1}---x",
        ] {
            assert_eq!(Origin::parts_of_key(key), None, "{key}");
        }
    }
}
