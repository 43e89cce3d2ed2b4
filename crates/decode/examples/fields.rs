//! Prints every field of every event in a file, as one JSON object per line.

use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::ops::ControlFlow;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef};
use serde_json::{Map, Value};
use spilltrail_decode::{DecodeOptions, Decoder, Discovery, Input, Origin, Profile, Rows};
use spilltrail_event::{Demand, Predicate, ScanRequest, StopToken};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: fields FILE [ta-7.0]")?;
    let profile = match arguments.next().as_deref() {
        Some("ta-7.0") => Profile::Ta70,
        _ => Profile::Superset,
    };
    let origin = Origin::new(path.as_str());
    let open = || File::open(&path).map(|file| Input::Seekable(Box::new(file)));
    let mut discovery = Discovery::new(
        &Predicate::All,
        &Demand::all(),
        profile,
        None,
        StopToken::default(),
        || Box::new(std::io::Cursor::new(Vec::new())),
    );
    discovery.read(open()?, &origin);
    let request = ScanRequest { predicate: Predicate::All, fields: discovery.fields() };
    let mut decoder = Decoder::new(&DecodeOptions { profile, ..DecodeOptions::new([request]) });
    let mut out = std::io::stdout().lock();
    let report = decoder.decode(open()?, &origin, &mut |_, rows| match print(rows, &mut out) {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    });
    let _ = decoder.finish(&mut |_, rows| match print(rows, &mut out) {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    });
    writeln!(std::io::stderr(), "{}", serde_json::to_string(&report)?)?;
    Ok(())
}

fn print(rows: Rows, out: &mut impl Write) -> std::io::Result<()> {
    let batch = rows.into_batch().map_err(std::io::Error::other)?;
    for row in 0..batch.num_rows() {
        let mut object = Map::new();
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            if !column.is_null(row) {
                object.insert(field.name().clone(), value(column, row));
            }
        }
        writeln!(out, "{}", Value::Object(object))?;
    }
    Ok(())
}

fn value(column: &ArrayRef, row: usize) -> Value {
    if let Some(numbers) = column.as_primitive_opt::<Float64Type>() {
        return Value::from(numbers.value(row));
    }
    if let Some(texts) = column.as_string_view_opt() {
        return Value::from(texts.value(row));
    }
    let members = column.as_list::<i32>().value(row);
    let texts: Vec<_> = members.as_string_view().iter().flatten().collect();
    match texts.as_slice() {
        [text] => Value::from(*text),
        texts => Value::from(texts),
    }
}
