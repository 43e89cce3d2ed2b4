//! What the texts of a batch hold: they are read as log files are.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::Cursor;
use std::ops::ControlFlow;

use datafusion::arrow::array::{Array, AsArray, RecordBatch, StringViewArray};
use datafusion::arrow::datatypes::Float64Type;
use datafusion::arrow::error::ArrowError;
use spilltrail_decode::{
    Arrived, Damage, DamageKind, DecodeOptions, Decoder, Format, Input, LeadReader, Leads, Origin,
    RawRecord, Rows,
};
use spilltrail_event::{Field, Kind, Predicate, ScanRequest, fields, stored};
use spilltrail_lake::{BatchError, Events, Origin as LakeOrigin};

/// The most rows that the texts of a batch give that hold events; texts beyond are kept as they are. CloudTrail's
/// events are longer than so many in a batch could be.
pub(super) const MOST_FOUND: usize = 250_000;

/// A name that each event of CloudTrail has, and few other texts.
const OF_CLOUDTRAIL: &str = "\"eventSource\"";

/// The rows that the texts of a batch give, in their order.
pub(super) struct Found<'e> {
    /// For each text that is one record of CloudTrail, as it writes them, the text and what gets columns; it
    /// is its own row. `None` for others, whose rows are in `rows`.
    pub(super) quick: Vec<Option<(&'e str, Leads<'e>)>>,
    pub(super) rows: Vec<RecordBatch>,
    /// For each text, what it is. Those at which somebody has looked before are events.
    pub(super) arrived: Vec<Arrived>,
    /// The first damage of each text that holds events, if it has any.
    pub(super) damaged: BTreeMap<usize, Damage>,
}

/// A row that a text gives.
pub(super) struct FoundRow<'r> {
    /// The number of the text, from zero.
    pub(super) number: usize,
    pub(super) text: &'r str,
    pub(super) format: &'r str,
    /// In microseconds since the epoch.
    pub(super) time: Option<i64>,
    pub(super) leads: [Option<&'r str>; stored::LEADS.len()],
}

/// Returns the number of a text; what is inside an archive has its name behind it.
fn number_of(source: &str) -> usize {
    source.split(':').next().and_then(|number| number.parse().ok()).unwrap_or(usize::MAX)
}

/// Returns true for a text that is a line of words, and cannot hold an event: no JSON, also with percent signs,
/// no table, nothing that is packed. A decoder would find nothing in it, at far more cost.
pub(super) fn is_a_line(text: &str) -> bool {
    /// Shorter texts hold no event, however they are packed.
    const SHORTEST: usize = 16;
    let holds = |byte: u8| matches!(byte, b'{' | b'[' | b'\n' | b'\r' | 0);
    let is_packed = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'+' | b'/' | b'=' | b'_' | b'-' | b' ' | b'\t')
    };
    let is_written = text.len() < SHORTEST || !text.bytes().all(is_packed);
    let has_percent = |code: &[u8]| {
        code[0] == b'%' && matches!(code[1], b'7' | b'5') && matches!(code[2], b'b' | b'B')
    };
    is_written && !text.bytes().any(holds) && !text.as_bytes().windows(3).any(has_percent)
}

/// What is wrong with a text that has the names of CloudTrail's events, and none of these.
fn no_event() -> Damage {
    Damage {
        offset: 0,
        kind: DamageKind::InvalidJson,
        message: "it looks like a part of an event of CloudTrail, and is no JSON".to_owned(),
    }
}

/// What is wrong with a text behind too many rows.
fn too_many() -> Damage {
    Damage {
        offset: 0,
        kind: DamageKind::RecordTooLarge,
        message: format!("what was sent together has more than {MOST_FOUND} records"),
    }
}

impl<'e> Found<'e> {
    /// Reads the texts of a batch.
    ///
    /// # Errors
    /// Fails if the batch is damaged.
    pub(super) fn of(events: &'e Events, of_batch: &LakeOrigin) -> Result<Self, BatchError> {
        let format = match of_batch.format.as_str() {
            "" => None,
            name => Some(
                Format::named(name)
                    .ok_or(BatchError::Damaged("this version does not know its format"))?,
            ),
        };
        let texts = [fields::EVENT_SOURCE, fields::EVENT_TEXT, fields::EVENT_FORMAT];
        let mut fields: Vec<Field> = texts
            .into_iter()
            .chain(stored::LEADS)
            .map(|name| Field::new(name, Kind::Text))
            .collect();
        fields.push(Field::new(fields::TIME, Kind::Number));
        let request = ScanRequest { predicate: Predicate::All, fields };
        let mut decoder = Decoder::new(&DecodeOptions::new([request]));
        let mut origin = Origin {
            sourcetype: super::sourcetype_of(of_batch).map(Into::into),
            ..Origin::new("")
        };
        let mut found: Vec<Result<RecordBatch, ArrowError>> = Vec::new();
        let count = Cell::new(0);
        // It breaks only among what texts hold that nobody has looked at, and there the count says so.
        let mut keep = |_: usize, rows: Rows| {
            let rows = rows.into_batch();
            count.set(count.get() + rows.as_ref().map_or(0, RecordBatch::num_rows));
            found.push(rows);
            if count.get() > MOST_FOUND {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let may_be_quick = matches!(format, None | Some(Format::CloudTrail));
        let mut reader = LeadReader::new(super::sourcetype_of(of_batch));
        let (mut quick, mut arrived) = (Vec::new(), Vec::new());
        let mut damaged = BTreeMap::new();
        let may_be_event = |raw: &[u8]| String::from_utf8_lossy(raw).contains(OF_CLOUDTRAIL);
        events.each(|event| {
            let number = quick.len();
            let text = std::str::from_utf8(event.raw);
            let leads = text.ok().filter(|_| may_be_quick);
            let leads = leads.and_then(|text| Some((text, reader.read(text)?)));
            let is_quick = leads.is_some();
            quick.push(leads);
            if is_quick {
                arrived.push(Arrived::Events);
                return;
            }
            origin.source = number.to_string().into();
            match (format, text) {
                (Some(format), Ok(text)) => {
                    let record = RawRecord { text, offset: 0, format };
                    let _ = decoder.decode_event(&record, &origin, &mut keep);
                    arrived.push(Arrived::Events);
                }
                (Some(_), Err(_)) => arrived.push(Arrived::Events),
                (None, Ok(text)) if is_a_line(text) => {
                    arrived.push(Arrived::Text);
                    if may_be_event(event.raw) {
                        damaged.insert(number, no_event());
                    }
                }
                (None, _) if count.get() > MOST_FOUND => {
                    arrived.push(Arrived::Text);
                    damaged.insert(number, too_many());
                }
                (None, _) => {
                    let text = Input::Seekable(Box::new(Cursor::new(event.raw.to_vec())));
                    let report = decoder.decode(text, &origin, &mut keep);
                    if count.get() > MOST_FOUND {
                        arrived.push(Arrived::Text);
                        damaged.insert(number, too_many());
                        return;
                    }
                    let is = Arrived::of(event.raw, &report);
                    arrived.push(is);
                    // Others are kept as a whole in any case.
                    let damage = report.damages.into_iter().next();
                    let damage = match (is, damage) {
                        (Arrived::Events, damage) => damage,
                        (_, Some(damage)) => Some(damage).filter(|_| may_be_event(event.raw)),
                        (Arrived::Object, None) => None,
                        (Arrived::Text, None) => may_be_event(event.raw).then(no_event),
                    };
                    damaged.extend(damage.map(|damage| (number, damage)));
                }
            }
        })?;
        let _ = decoder.finish(&mut keep);
        let found: Result<Vec<RecordBatch>, ArrowError> = found.into_iter().collect();
        let rows = found.map_err(|_| BatchError::Damaged("its events cannot be read"))?;
        Ok(Self { quick, rows, arrived, damaged })
    }

    /// Returns the rows, in the order of their texts.
    pub(super) fn rows(&self) -> impl Iterator<Item = FoundRow<'_>> {
        self.rows.iter().flat_map(|batch| {
            let columns: Vec<Option<&StringViewArray>> =
                batch.columns().iter().map(|column| column.as_string_view_opt()).collect();
            let times =
                batch.columns().last().and_then(|column| column.as_primitive_opt::<Float64Type>());
            (0..batch.num_rows()).map(move |row| {
                let cell = |column: usize| {
                    let texts = columns[column].filter(|texts| texts.is_valid(row))?;
                    Some(texts.value(row))
                };
                let format = cell(2).unwrap_or_default();
                let has_leads = format == stored::WITH_LEADS;
                let time = times.filter(|times| times.is_valid(row)).map(|times| times.value(row));
                FoundRow {
                    number: cell(0).map_or(usize::MAX, number_of),
                    text: cell(1).unwrap_or_default(),
                    format,
                    time: time.map(|time| (time * 1e6).round() as i64),
                    leads: std::array::from_fn(|lead| cell(3 + lead).filter(|_| has_leads)),
                }
            })
        })
    }
}
