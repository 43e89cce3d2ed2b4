//! Decodes a file: as a whole and as a stream, for a search that wants some fields and for the names
//! of all fields.

use std::io::Cursor;
use std::ops::ControlFlow;

use spilltrail_decode::{
    DamageKind, DecodeOptions, Decoder, Discovery, FileReport, Input, Origin, Profile, Rows, Sink,
    kind_of,
};
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
    let (whole, _) =
        decode(&options, |decoder, sink| decoder.decode_whole(&mut data.to_vec(), &origin, sink));
    let (stream, report) = decode(&options, |decoder, sink| {
        decoder.decode(Input::Stream(Box::new(Cursor::new(data.to_vec()))), &origin, sink)
    });
    // A file as CloudTrail writes it is cut by brackets alone when it is read as a whole: damage inside
    // a nested value then costs no event, and is not reported.
    if report.damages.iter().any(|damage| damage.kind == DamageKind::InvalidJson) {
        let is_more = whole.0 >= stream.0 && whole.1 >= stream.1;
        assert!(is_more, "the file as a whole has {whole:?}, and as a stream {stream:?}");
    } else {
        assert_eq!(whole, stream, "the file as a whole, and as a stream");
    }
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

/// Returns how many rows the report and the sink count, and the report.
fn decode(
    options: &DecodeOptions,
    read: impl FnOnce(&mut Decoder, Sink<'_>) -> FileReport,
) -> ((u64, usize), FileReport) {
    let mut decoder = Decoder::new(options);
    let mut count = 0;
    let mut sink = |_: usize, rows: Rows| {
        count += rows.count();
        ControlFlow::Continue(())
    };
    let report = read(&mut decoder, &mut sink);
    let _ = decoder.finish(&mut sink);
    ((report.rows, count), report)
}
