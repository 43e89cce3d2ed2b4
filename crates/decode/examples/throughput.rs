//! Measures how fast files are decoded.
//!
//! `throughput FIELD=VALUE FILE…` prints the MB/s of text on one core and the number of matched
//! events. `*` instead of the comparison matches every event.

use std::error::Error;
use std::io::Write;
use std::ops::ControlFlow;
use std::time::Instant;

use spilltrail_decode::{DecodeOptions, Decoder, FileReport, Origin, Profile, kind_of};
use spilltrail_event::{CaseRule, Comparison, Field, Pattern, Predicate, ScanRequest};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let test = arguments.next().ok_or("usage: throughput FIELD=VALUE FILE…")?;
    let predicate = match test.split_once('=') {
        Some((field, value)) => Predicate::Compare {
            field: field.to_owned(),
            op: Comparison::Eq,
            value: Pattern::new(value, CaseRule::Ignore),
        },
        None => Predicate::All,
    };
    let names = ["_time", "eventName", "src_ip", "user_arn", "errorCode", "awsRegion"];
    let fields = names.map(|name| Field::new(name, kind_of(name, Profile::Superset)));
    let request = ScanRequest { predicate, fields: fields.to_vec() };
    let mut decoder = Decoder::new(&DecodeOptions::new([request]));
    let mut total = FileReport::default();
    let started = Instant::now();
    for path in arguments {
        let mut file = std::fs::read(&path)?;
        let origin = Origin::new(path);
        let mut drop = |_, _| ControlFlow::Continue(());
        total.merge(&decoder.decode_whole(&mut file, &origin, &mut drop));
    }
    let seconds = started.elapsed().as_secs_f64();
    let megabytes = total.bytes_inflated as f64 / 1e6;
    writeln!(
        std::io::stdout(),
        "{:.0} MB/s: {megabytes:.0} MB in {seconds:.3} s; {} of {} events matched, {} damages",
        megabytes / seconds,
        total.matched,
        total.events,
        total.damage_count,
    )?;
    Ok(())
}
