//! Decodes a file: as a whole and as a stream, for a search that wants some fields and for the names
//! of all fields.

use std::io::Cursor;
use std::ops::ControlFlow;

use spilltrail_decode::{DecodeOptions, Decoder, Discovery, Input, Origin, Profile, kind_of};
use spilltrail_event::{Demand, Field, Predicate, ScanRequest, StopToken};

const FIELDS: [&str; 8] = [
    "_time",
    "_raw",
    "eventName",
    "user",
    "userIdentity.arn",
    "requestParameters.bucketName",
    "responseElements.*",
    "sourcetype",
];

pub(crate) fn run(data: &[u8]) {
    let fields = FIELDS.map(|name| Field::new(name, kind_of(name, Profile::Superset)));
    let request = ScanRequest { predicate: Predicate::All, fields: fields.to_vec() };
    let options = DecodeOptions::new(vec![request]);
    let origin = Origin::new("fuzz");
    let whole = rows(&options, |decoder, sink| {
        decoder.decode_whole(&mut data.to_vec(), &origin, sink).rows
    });
    let stream = rows(&options, |decoder, sink| {
        decoder.decode(Input::Stream(Box::new(Cursor::new(data.to_vec()))), &origin, sink).rows
    });
    assert_eq!(whole, stream, "the file as a whole, and as a stream");
    let mut discovery = Discovery::new(
        &Predicate::All,
        &Demand::all(),
        Profile::Superset,
        None,
        StopToken::default(),
        || Box::new(Cursor::new(Vec::new())),
    );
    discovery.read_whole(&mut data.to_vec(), &origin);
    let _ = discovery.take();
}

/// Returns how many rows the report and the sink count.
fn rows(
    options: &DecodeOptions,
    decode: impl FnOnce(&mut Decoder, spilltrail_decode::Sink<'_>) -> u64,
) -> (u64, usize) {
    let mut decoder = Decoder::new(options);
    let mut count = 0;
    let mut sink = |_: usize, rows: spilltrail_decode::Rows| {
        count += rows.count();
        ControlFlow::Continue(())
    };
    let reported = decode(&mut decoder, &mut sink);
    let _ = decoder.finish(&mut sink);
    (reported, count)
}
