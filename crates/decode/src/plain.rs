//! Tells texts that are events themselves from texts that hold events.

use serde::de::IgnoredAny;

use crate::report::FileReport;

/// Returns true if a text that arrived as one event is one as it is, such as a line of syslog. `report` is
/// that of reading it as a file.
///
/// A text that holds an event of AWS is none, whatever is around it, and neither is one that is JSON and
/// nothing else. Anything else stays whole: of a line with an object in it, the rest counts, too.
#[must_use]
pub fn is_plain_text(text: &[u8], report: &FileReport) -> bool {
    if report.events > report.rows {
        return false;
    }
    let is_whole = report.damage_count == 0 && report.skipped.is_empty();
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
    report.events == 0 || !is_whole || !values.all(|value| value.is_ok())
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
        let event = r#"{"eventVersion":"1.08","eventTime":"2024-05-06T07:08:09Z","eventName":"A","eventSource":"s"}"#;
        let records = format!("{{\"Records\":[{event},{event}]}}");
        let in_syslog = format!("<14>1 2024-05-06T07:08:09Z host app - - - {event}");
        let request = ScanRequest { predicate: Predicate::All, fields: Vec::new() };
        let mut decoder = Decoder::new(&DecodeOptions::new([request]));
        for (text, expected) in [
            ("Nov 29 10:00:00 host sshd: Failed password for root", true),
            ("user=ann action=login", true),
            ("first\nsecond\n\tthird", true),
            ("a,b,c", true),
            ("a,b\n1,2\n3,4", true),
            ("a: 1\nb: 2", true),
            ("hello", true),
            ("5", true),
            ("true", true),
            ("[1,2]", true),
            ("\"quoted\"", true),
            ("", true),
            ("caf\u{e9}", true),
            (r#"Nov 29 10:00:00 host app: {"user":"ann"}"#, true),
            (r#"{"user":"ann"} and more"#, true),
            (r#"{"user":"ann","action":"lo"#, true),
            (r#"{"user":"ann"} {"user":"#, true),
            ("{'user': 'ann'} {not json}", true),
            ("[2026-03-17 10:00:00] started", true),
            ("bm90aGluZw==", true),
            (r#"{"user":"ann"}"#, false),
            (" {\"user\":\"ann\",\n\"list\":[{\"a\":1}]} ", false),
            (r#"[{"user":"ann"},{"user":"bob"}]"#, false),
            ("{\"user\":\"ann\"}\n{\"user\":\"bob\"}", false),
            (r#"{"message":"{\"a\":1}"}"#, false),
            (event, false),
            (&records, false),
            (&in_syslog, false),
        ] {
            let input = Input::Seekable(Box::new(Cursor::new(text.as_bytes().to_vec())));
            let mut sink = |_, _| ControlFlow::Continue(());
            let report = decoder.decode(input, &Origin::new("f"), &mut sink);
            assert_eq!(is_plain_text(text.as_bytes(), &report), expected, "{text}");
        }
    }
}
