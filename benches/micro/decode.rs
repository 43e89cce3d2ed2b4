//! What each step of reading costs: inflate, split, extract, and all of them together.
//!
//! All steps work on the same generated text, so that their figures can be subtracted from each other:
//! decoding does all of them. To add a step, write a function
//! like those below with `#[divan::bench]`; [`logs`] has the text and [`Logs::records`] its records.
//! `cargo bench -p spilltrail-bench` runs all, `cargo bench -p spilltrail-bench -- split` some.

use std::fs;
use std::io::{Cursor, Read};
use std::ops::ControlFlow;
use std::sync::LazyLock;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use libdeflater::Decompressor;
use spilltrail_bench::generate::{Files, Recipe, generate};
use spilltrail_decode::{
    DecodeOptions, Decoder, Input, Item, Origin, Profile, RawRecord, Splitter, kind_of,
};
use spilltrail_event::{CaseRule, Comparison, Field, Pattern, Predicate, ScanRequest};
use walkdir::WalkDir;

/// Generated logs: one file of a few thousand events.
struct Logs {
    compressed: Vec<u8>,
    text: String,
}

/// Events of a region are in a file of their own; this one has more than half of them.
const EVENTS: u64 = 12_000;

static LOGS: LazyLock<Logs> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let recipe = Recipe { events: EVENTS, days: 1, seed: 5, files: Files::Of(EVENTS) };
    generate(&recipe, folder.path()).expect("logs are generated");
    let files = WalkDir::new(folder.path().join("AWSLogs")).into_iter().flatten();
    let files = files.filter(|entry| entry.file_type().is_file());
    let compressed = files.filter_map(|entry| fs::read(entry.path()).ok());
    let compressed = compressed.max_by_key(Vec::len).expect("there are files");
    let mut text = String::new();
    flate2::read::GzDecoder::new(&*compressed).read_to_string(&mut text).expect("gzip");
    Logs { compressed, text }
});

fn logs() -> &'static Logs {
    &LOGS
}

impl Logs {
    fn bytes(&self) -> BytesCount {
        BytesCount::of_str(&self.text)
    }

    fn input(&self) -> Input {
        Input::Seekable(Box::new(Cursor::new(self.compressed.clone())))
    }

    /// Returns each record's own text, where splitting is not what is measured.
    fn records(&self) -> Vec<(String, RawRecord<'static>)> {
        let mut splitter = Splitter::new(self.text.as_bytes());
        let mut records = Vec::new();
        while let Some(item) = splitter.next_item() {
            if let Item::Record(record) = item {
                let empty = RawRecord { text: "", ..record };
                records.push((record.text.to_owned(), empty));
            }
        }
        records
    }
}

/// The fields of a usual detection.
fn request(predicate: Predicate) -> ScanRequest {
    let names = ["_time", "eventName", "src_ip", "user_arn", "errorCode", "aws_account_id"];
    let fields = names.map(|name| Field::new(name, kind_of(name, Profile::Superset)));
    ScanRequest { predicate, fields: fields.to_vec() }
}

fn event_name(name: &str) -> Predicate {
    Predicate::Compare {
        field: "eventName".to_owned(),
        op: Comparison::Eq,
        value: Pattern::new(name, CaseRule::Ignore),
    }
}

fn main() {
    divan::main();
}

/// As it streams through bounded memory.
#[divan::bench]
fn inflate_streaming(bencher: Bencher<'_, '_>) {
    let logs = logs();
    let mut buffer = vec![0; 64 * 1024];
    bencher.counter(logs.bytes()).bench_local(|| {
        let mut reader = flate2::read::MultiGzDecoder::new(&*logs.compressed);
        while reader.read(&mut buffer).is_ok_and(|length| length > 0) {}
    });
}

/// Whole files at once, as the floor does.
#[divan::bench]
fn inflate_whole(bencher: Bencher<'_, '_>) {
    let logs = logs();
    let mut inflater = Decompressor::new();
    let mut text = vec![0; logs.text.len()];
    bencher
        .counter(logs.bytes())
        .bench_local(|| inflater.gzip_decompress(&logs.compressed, &mut text));
}

#[divan::bench]
fn split(bencher: Bencher<'_, '_>) {
    let logs = logs();
    bencher.counter(logs.bytes()).bench_local(|| {
        let mut splitter = Splitter::new(logs.text.as_bytes());
        while let Some(item) = splitter.next_item() {
            black_box(&item);
        }
    });
}

fn extract(bencher: Bencher<'_, '_>, predicate: Predicate) {
    let logs = logs();
    let records = logs.records();
    let origin = Origin::new("generated");
    let mut decoder = Decoder::new(&DecodeOptions::new([request(predicate)]));
    bencher.counter(logs.bytes()).bench_local(|| {
        let mut sink = |_, batch| {
            black_box(batch);
            ControlFlow::Continue(())
        };
        for (text, record) in &records {
            let _ = decoder.decode_event(&RawRecord { text, ..*record }, &origin, &mut sink);
        }
        decoder.finish(&mut sink)
    });
}

/// A name that no event has: the price of looking.
#[divan::bench]
fn extract_nothing(bencher: Bencher<'_, '_>) {
    extract(bencher, event_name("CreateTrail"));
}

/// About six percent.
#[divan::bench]
fn extract_some(bencher: Bencher<'_, '_>) {
    extract(bencher, event_name("GetObject"));
}

#[divan::bench]
fn extract_everything(bencher: Bencher<'_, '_>) {
    extract(bencher, Predicate::All);
}

/// From the file's bytes to batches: as it streams through bounded memory.
#[divan::bench]
fn decode_streaming(bencher: Bencher<'_, '_>) {
    let logs = logs();
    let origin = Origin::new("generated");
    let mut decoder = Decoder::new(&DecodeOptions::new([request(event_name("GetObject"))]));
    bencher.counter(logs.bytes()).bench_local(|| {
        decoder.decode(logs.input(), &origin, &mut |_, batch| {
            black_box(batch);
            ControlFlow::Continue(())
        })
    });
}

fn decode_whole(bencher: Bencher<'_, '_>, requests: Vec<ScanRequest>) {
    let logs = logs();
    let origin = Origin::new("generated");
    let mut decoder = Decoder::new(&DecodeOptions::new(requests));
    let mut file = Vec::new();
    bencher.counter(logs.bytes()).bench_local(|| {
        file.clone_from(&logs.compressed);
        decoder.decode_whole(&mut file, &origin, &mut |_, batch| {
            black_box(batch);
            ControlFlow::Continue(())
        })
    });
}

/// The short way, where no event is wanted: inflate, cut, dispatch.
#[divan::bench]
fn decode_whole_nothing(bencher: Bencher<'_, '_>) {
    decode_whole(bencher, vec![request(event_name("CreateTrail"))]);
}

/// The short way for one search.
#[divan::bench]
fn decode_whole_some(bencher: Bencher<'_, '_>) {
    decode_whole(bencher, vec![request(event_name("GetObject"))]);
}

/// The short way for a hundred searches of which one finds something.
#[divan::bench]
fn decode_whole_hundred(bencher: Bencher<'_, '_>) {
    let others = (0..99).map(|number| request(event_name(&format!("Nobody{number}"))));
    decode_whole(bencher, others.chain([request(event_name("GetObject"))]).collect());
}
