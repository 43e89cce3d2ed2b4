//! What it costs to make a row of an event that arrived on its own: processor time for each event of the
//! reader of single events, and of the decoder, given the event or a file that holds only it.
//!
//! `cargo bench -p spilltrail-decode --bench leads -- LOGS` takes the first events of CloudTrail below
//! the folder LOGS, such as those that `spilltrail-bench generate` writes. Rounds alternate between the
//! ways, and the fastest one of each counts, so that other work on the machine disturbs all alike.

#![expect(clippy::print_stdout, reason = "the figures are what the program is for")]
#![expect(clippy::unwrap_used, reason = "a figure of half of the data would be wrong")]

use std::fs;
use std::hint::black_box;
use std::io::{Cursor, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cpu_time::ProcessTime;
use spilltrail_decode::{
    DecodeOptions, Decoder, Format, Input, Item, LeadReader, Origin, RawRecord, Rows, Splitter,
};
use spilltrail_event::{Field, Kind, Predicate, ScanRequest, fields, stored};

const ROUNDS: usize = 7;
const EVENTS: usize = 10_000;

/// Adds the events of the files below a folder, until there are enough.
fn add_events(folder: &Path, events: &mut Vec<String>) {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            add_events(&path, events);
            continue;
        }
        let (bytes, mut text) = (fs::read(&path).unwrap(), Vec::new());
        if bytes.starts_with(b"\x1f\x8b") {
            flate2::read::MultiGzDecoder::new(&*bytes).read_to_end(&mut text).unwrap();
        } else {
            text = bytes;
        }
        let mut splitter = Splitter::new(&*text);
        while events.len() < EVENTS
            && let Some(item) = splitter.next_item()
        {
            if let Item::Record(RawRecord { text, format: Format::CloudTrail, .. }) = item {
                events.push(text.to_owned());
            }
        }
    }
}

fn decoder() -> Decoder {
    let texts = [fields::EVENT_SOURCE, fields::EVENT_TEXT, fields::EVENT_FORMAT];
    let mut columns: Vec<Field> =
        texts.into_iter().chain(stored::LEADS).map(|name| Field::new(name, Kind::Text)).collect();
    columns.push(Field::new(fields::TIME, Kind::Number));
    let request = ScanRequest { predicate: Predicate::All, fields: columns };
    Decoder::new(&DecodeOptions::new([request]))
}

/// Returns how many events the reader of single ones reads.
fn read(events: &[String]) -> usize {
    let mut reader = LeadReader::new(None);
    events.iter().filter(|event| black_box(reader.read(event)).is_some()).count()
}

fn decode(events: &[String], are_files: bool) -> usize {
    let (mut decoder, mut count) = (decoder(), 0);
    let mut origin = Origin::new("");
    let mut sink = |_: usize, rows: Rows| {
        count += black_box(rows.into_batch().unwrap()).num_rows();
        ControlFlow::Continue(())
    };
    for (number, event) in events.iter().enumerate() {
        origin.source = number.to_string().into();
        if are_files {
            let file = Input::Seekable(Box::new(Cursor::new(event.as_bytes().to_vec())));
            decoder.decode(file, &origin, &mut sink);
        } else {
            let record = RawRecord { text: event, offset: 0, format: Format::CloudTrail };
            let _ = decoder.decode_event(&record, &origin, &mut sink);
        }
    }
    let _ = decoder.finish(&mut sink);
    count
}

fn main() {
    // Cargo passes `--bench`, too.
    let Some(folder) = std::env::args().skip(1).find(|argument| !argument.starts_with('-')) else {
        println!("usage: cargo bench -p spilltrail-decode --bench leads -- LOGS");
        return;
    };
    let mut events = Vec::new();
    add_events(Path::new(&folder), &mut events);
    let bytes: usize = events.iter().map(String::len).sum();
    println!("{} events of {} bytes", events.len(), bytes / events.len().max(1));
    type Way = fn(&[String]) -> usize;
    let ways: [(&str, Way); 3] = [
        ("reader of single events", read),
        ("decoder, as events", |events| decode(events, false)),
        ("decoder, as files", |events| decode(events, true)),
    ];
    let (mut least, mut counts) = ([Duration::MAX; 3], [0; 3]);
    for _ in 0..ROUNDS {
        for (place, (_, way)) in ways.iter().enumerate() {
            let start = ProcessTime::now();
            counts[place] = way(&events);
            least[place] = least[place].min(start.elapsed());
        }
    }
    let each = least.map(|spent| spent.as_nanos() as f64 / events.len().max(1) as f64);
    println!("{:25} {:>8} {:>6} {:>7}", "", "ns/event", "ratio", "events");
    for (place, (name, _)) in ways.iter().enumerate() {
        println!("{name:25} {:8.0} {:6.1} {:7}", each[place], each[place] / each[0], counts[place]);
    }
}
