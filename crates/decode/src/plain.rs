//! Tells texts that are events themselves from texts that hold events.

use serde::de::IgnoredAny;

use crate::report::FileReport;

/// What a text is that arrived as one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrived {
    /// It holds events, as a file does: those of AWS, or several objects.
    Events,
    /// It is an event, whatever is in it: one JSON object.
    Object,
    /// It is an event, whatever is in it: a line of syslog, for example.
    Text,
}

impl Arrived {
    /// Tells what a text is. `report` is that of reading it as a file.
    ///
    /// A text that holds an event of AWS holds events, whatever is around it. Of JSON, a single object is
    /// an event, also if it has a list under a name that lists of events have, and objects one after the
    /// other, or in an array, are events. Anything else stays whole: of a line with an object in it, the
    /// rest counts, too.
    #[must_use]
    pub fn of(text: &[u8], report: &FileReport) -> Self {
        if report.events > report.rows {
            return Self::Events;
        }
        let Some(begins) = values(text) else { return Self::Text };
        let is_whole = report.damage_count == 0 && report.skipped.is_empty();
        match begins[..] {
            [b'{'] => Self::Object,
            // Numbers and words between objects are no events, and must not be lost.
            _ if !is_whole || report.events == 0 => Self::Text,
            _ if begins.iter().all(|begin| matches!(begin, b'{' | b'[')) => Self::Events,
            _ => Self::Text,
        }
    }
}

/// Returns with which byte each of the values begins that a text has one after the other; `None` if it has
/// anything else.
fn values(text: &[u8]) -> Option<Vec<u8>> {
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
    let mut begins = Vec::new();
    loop {
        let rest = text.get(values.byte_offset()..)?;
        let begin = rest.iter().copied().find(|byte| !byte.is_ascii_whitespace());
        match values.next() {
            None => return Some(begins),
            Some(Ok(_)) => begins.push(begin?),
            Some(Err(_)) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::ops::ControlFlow;

    use spilltrail_event::{Predicate, ScanRequest};

    use super::*;
    use crate::{DecodeOptions, Decoder, Input, Origin};

    #[test]
    fn texts_that_are_events_themselves() {
        use Arrived::{Events, Object, Text};
        let event = r#"{"eventVersion":"1.08","eventTime":"2024-05-06T07:08:09Z","eventName":"A","eventSource":"s"}"#;
        let records = format!("{{\"Records\":[{event},{event}]}}");
        let in_syslog = format!("<14>1 2024-05-06T07:08:09Z host app - - - {event}");
        let request = ScanRequest { predicate: Predicate::All, fields: Vec::new() };
        let mut decoder = Decoder::new(&DecodeOptions::new([request]));
        for (text, expected) in [
            ("Nov 29 10:00:00 host sshd: Failed password for root", Text),
            ("user=ann action=login", Text),
            ("first\nsecond\n\tthird", Text),
            ("a,b,c", Text),
            ("a,b\n1,2\n3,4", Text),
            ("a: 1\nb: 2", Text),
            ("hello", Text),
            ("5", Text),
            ("true", Text),
            ("[1,2]", Text),
            ("\"quoted\"", Text),
            ("", Text),
            ("caf\u{e9}", Text),
            (r#"Nov 29 10:00:00 host app: {"user":"ann"}"#, Text),
            (r#"{"user":"ann"} and more"#, Text),
            (r#"{"user":"ann","action":"lo"#, Text),
            (r#"{"user":"ann"} {"user":"#, Text),
            ("{'user': 'ann'} {not json}", Text),
            ("[2026-03-17 10:00:00] started", Text),
            ("bm90aGluZw==", Text),
            (r#"{"user":"ann"}"#, Object),
            (" {\"user\":\"ann\",\n\"list\":[{\"a\":1}]} ", Object),
            (r#"[{"user":"ann"},{"user":"bob"}]"#, Events),
            ("{\"user\":\"ann\"}\n{\"user\":\"bob\"}", Events),
            (r#"{"message":"{\"a\":1}"}"#, Object),
            (event, Events),
            (&records, Events),
            (&in_syslog, Events),
            (r#"{"user":"ann"} 200"#, Text),
            (r#"200 {"user":"ann"}"#, Text),
            (r#"{"user":"ann","results":[{"id":1},{"id":2}],"status":"ok"}"#, Object),
            (r#"{"results":[]}"#, Object),
            (r#"{"Records":[]}"#, Object),
            ("{}", Object),
        ] {
            let input = Input::Seekable(Box::new(Cursor::new(text.as_bytes().to_vec())));
            let mut sink = |_, _| ControlFlow::Continue(());
            let report = decoder.decode(input, &Origin::new("f"), &mut sink);
            assert_eq!(Arrived::of(text.as_bytes(), &report), expected, "{text}");
        }
    }
}
