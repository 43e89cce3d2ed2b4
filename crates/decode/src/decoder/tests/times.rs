//! Tests what a file's report says about the times of its events.

use super::*;
use crate::Untimed;

/// Events without a time are counted in files that are read at once and in others alike.
#[test]
fn events_without_a_time_are_counted() {
    let record = |time: &str| {
        format!(r#"{{"eventVersion":"1.08",{time}"eventName":"A","eventSource":"s"}}"#)
    };
    let good = record(r#""eventTime":"2024-05-06T07:08:09Z","#);
    let bad = record(r#""eventTime":"2024-13-06T07:08:09Z","#);
    let never = record(r#""eventTime":"2026-02-30T10:00:00Z","#);
    let late = record(r#""eventTime":"9999-12-31T23:59:59Z","#);
    let none = record("");
    let untimed = |events, rows, trail, first: Option<&str>| Untimed {
        events,
        rows,
        trail,
        first: first.map(str::to_owned),
    };
    for (text, expected) in [
        (format!("{good}\n{good}"), untimed(0, 0, 0, None)),
        (format!("{good}\n{bad}\n{none}"), untimed(2, 0, 2, Some("2024-13-06T07:08:09Z"))),
        (format!("{none}\n{good}"), untimed(1, 0, 1, None)),
        (format!("{good}\n{never}"), untimed(1, 0, 1, Some("2026-02-30T10:00:00Z"))),
        (r#"{"user":"ann"} {"user":"bob","_time":5}"#.to_owned(), untimed(0, 1, 0, None)),
        (r#"{"user":"ann","_time":"soon"}"#.to_owned(), untimed(1, 0, 0, Some("soon"))),
        ("user,_time\nann,soon\nbob,\n".to_owned(), untimed(1, 1, 0, Some("soon"))),
    ] {
        let options = DecodeOptions::new([request(Predicate::All, &[])]);
        let (_, report) = decode(&options, stream(text.clone().into_bytes()));
        assert_eq!(report.untimed, expected, "{text}");
        let (_, report) = decode_whole(&options, text.clone().into_bytes());
        assert_eq!(report.untimed, expected, "{text}");
    }

    let mut decoder = Decoder::new(&DecodeOptions::new([]));
    decoder.set_horizon(1_800_000_000.0);
    for text in [format!("{late}\n{good}\n{late}"), format!("[{good},{late},{late}]")] {
        let text = text.into_bytes();
        let report = decoder.decode_whole(&mut text.clone(), &Origin::new("f"), &mut |_, _| {
            ControlFlow::Continue(())
        });
        assert_eq!((report.newest, report.beyond), (Some(1_714_979_289.0), 2));
        assert_eq!(report.farthest, Some(253_402_300_799.0));
    }
}
