//! Compares the events of files with the rows that the decoder gives of them.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use spilltrail_event::fields;
use spilltrail_event::stored::LEADS;

use super::*;
use crate::decoder::tests::archives::tar_of;
use crate::decoder::tests::gzip;
use crate::leads::tests::{Row, files_in, request, rows_of};
use crate::{DecodeOptions, Decoder, Rows};

/// Both ways of reading files.
struct Ways {
    reader: EventReader,
    decoder: Decoder,
}

impl Ways {
    fn new(sourcetype: Option<&str>) -> Self {
        let request = request(&[fields::EVENT_TEXT, fields::EVENT_FORMAT, fields::EVENT_SOURCE]);
        let options = DecodeOptions {
            sourcetype: sourcetype.map(str::to_owned),
            ..DecodeOptions::new([request])
        };
        let scratch = options.scratch;
        let reader = EventReader::new(sourcetype, StopToken::default(), scratch);
        Self { reader, decoder: Decoder::new(&options) }
    }

    /// Returns the rows of a file, read whole or as a stream, and what is told of it.
    fn decoded(&mut self, file: &[u8], is_whole: bool, origin: &Origin) -> (Vec<Row>, String) {
        let mut rows = Vec::new();
        let mut keep = |_: usize, found: Rows| {
            rows.extend(rows_of(&found.into_batch().unwrap()));
            ControlFlow::Continue(())
        };
        let mut report = if is_whole {
            self.decoder.decode_whole(&mut file.to_vec(), origin, &mut keep)
        } else {
            self.decoder.decode(input(file), origin, &mut keep)
        };
        let _ = self.decoder.finish(&mut keep);
        report.matched = 0;
        (rows, format!("{report:?}"))
    }

    fn read(&mut self, file: &[u8], is_whole: bool, origin: &Origin) -> (Vec<Row>, String) {
        let mut rows = Vec::new();
        let mut visit = |event: &FoundEvent<'_>| {
            let Leads { time, values } = &event.leads;
            let values = values.iter().map(|value| value.as_deref().map(str::to_owned));
            let texts = [event.text, event.format.name(), &**event.source];
            rows.push((texts.map(str::to_owned).to_vec(), *time, values.collect()));
            ControlFlow::Continue(())
        };
        let mut report = if is_whole {
            self.reader.read_whole(&mut file.to_vec(), origin, &mut visit)
        } else {
            self.reader.read(input(file), origin, &mut visit)
        };
        report.matched = 0;
        (rows, format!("{report:?}"))
    }

    /// Checks that both ways find the same in a file, and returns the number of its events.
    fn compare(&mut self, name: &str, file: &[u8]) -> usize {
        let origin = Origin::new(name);
        let mut events = 0;
        for is_whole in [true, false] {
            let (mut expected, told) = self.decoded(file, is_whole, &origin);
            // Other formats have no columns for leads.
            for (texts, _, leads) in &mut expected {
                if texts[1] != "cloudtrail" {
                    *leads = vec![None; LEADS.len()];
                }
            }
            let found = self.read(file, is_whole, &origin);
            assert_eq!(found.0, expected, "{name} {is_whole}");
            assert_eq!(found.1, told, "{name} {is_whole}");
            events = expected.len();
        }
        events
    }
}

fn input(file: &[u8]) -> Input {
    Input::Seekable(Box::new(Cursor::new(file.to_vec())))
}

const EVENT: &str = r#"{"eventVersion":"1.08","userIdentity":{"arn":"a"},"eventTime":"2026-03-17T10:00:00Z","eventSource":"s3.amazonaws.com","eventName":"GetObject","eventID":"e"}"#;

#[test]
fn each_event_of_a_file_comes_as_the_decoder_gives_it() {
    let records = format!("{{\"Records\":[{EVENT},{EVENT},{{\"a\":1}}]}}");
    let zipped = gzip(records.as_bytes());
    let lake = r#"{"cloud":{"provider":"AWS"},"api":{"operation":"x","service":{"name":"s"}},"time":1773741600000,"metadata":{"product":{"name":"CloudTrail"},"uid":"u"},"class_uid":6003}"#;
    let files: &[(&str, Vec<u8>, usize)] = &[
        ("records.json", records.clone().into_bytes(), 3),
        ("records.json.gz", zipped.clone(), 3),
        ("cut.json.gz", zipped[..zipped.len() - 20].to_vec(), 1),
        ("lines.json", format!("{EVENT}\n{EVENT}\n").into_bytes(), 2),
        ("escaped.json", EVENT.replace("\"a\"", "\"\\u0061\\n\"").into_bytes(), 1),
        ("spaces.json", EVENT.replace(':', " : ").into_bytes(), 1),
        ("rows.json", b"{\"_time\":5,\"eventName\":\"x\"}\n{\"b\":[1,2]}".to_vec(), 2),
        ("table.csv", b"eventTime,eventName\n2026-03-17T10:00:00Z,x\n1,y\n".to_vec(), 2),
        ("lake.json", lake.as_bytes().to_vec(), 1),
        ("some.tar", tar_of(&[("a.json.gz", &zipped), ("b/c.json", EVENT.as_bytes())]), 4),
        ("words.txt", b"no event at all".to_vec(), 0),
        ("empty.json", Vec::new(), 0),
    ];
    for sourcetype in [None, Some("aws:cloudtrail"), Some("json"), Some("mine")] {
        let mut ways = Ways::new(sourcetype);
        for (name, file, events) in files {
            assert_eq!(ways.compare(name, file), *events, "{sourcetype:?} {name}");
        }
    }
}

#[test]
fn reading_ends_where_the_visitor_wants() {
    let text = format!("{{\"Records\":[{EVENT},{EVENT},{EVENT}]}}");
    let mut reader = Ways::new(None).reader;
    for (is_whole, most) in [(true, 1), (true, 2), (false, 1), (false, 2)] {
        let mut seen = 0;
        let mut visit = |_: &FoundEvent<'_>| {
            seen += 1;
            if seen == most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let origin = Origin::new("f");
        let report = if is_whole {
            reader.read_whole(&mut text.clone().into_bytes(), &origin, &mut visit)
        } else {
            reader.read(input(text.as_bytes()), &origin, &mut visit)
        };
        assert_eq!((seen, report.stopped), (most, true));
    }
}

#[test]
fn samples_and_packs_and_other_logs_are_read_alike() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let others = std::env::var_os("SPILLTRAIL_TEST_CASES").map(PathBuf::from);
    let folders = ["samples", "packs"].map(|folder| root.join(folder)).into_iter();
    let folders = folders.chain(others.map(|others| others.join("corpus")));
    let mut ways = Ways::new(None);
    let mut events = 0;
    for path in folders.flat_map(|folder| files_in(&folder)) {
        events += ways.compare(&path.display().to_string(), &std::fs::read(&path).unwrap());
    }
    assert!(events > 1000, "{events}");
}
