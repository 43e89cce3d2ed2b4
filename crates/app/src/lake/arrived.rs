//! Makes rows of events that have arrived: the fields by which searches pick events get columns.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
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
use spilltrail_lake::{
    Arrival, BatchError, EventRow, Events, Origin as LakeOrigin, Rows as MovingRows, RowsBuilder,
    StoredBatch,
};
use spilltrail_schedule::{Minutes, Moment};

/// The microseconds of a second.
const MICROS: i64 = 1_000_000;

/// The format of a text that is an event itself.
const TEXT: &str = "other";

/// The format of an object that is an event, whatever lists it has.
const OBJECT: &str = "json";

/// The sourcetype of such a text, unless its sender names another one.
pub(crate) const TEXT_SOURCETYPE: &str = "httpevent";

/// The most rows that the texts of a batch give that hold events; texts beyond are kept as they are. CloudTrail's
/// events are longer than so many in a batch could be.
const MOST_FOUND: usize = 250_000;

/// A name that each event of CloudTrail has, and few other texts.
const OF_CLOUDTRAIL: &str = "\"eventSource\"";

/// The most arrivals that one move tells of; batches beyond share the last one of their index.
const MOST_ARRIVALS: usize = 256;

/// Makes the rows of batches that move to the table, and tells when their events happened.
#[derive(Default)]
pub(crate) struct MovedRows {
    arrivals: Vec<(u64, String, Minutes)>,
    partly: Option<Partly>,
}

/// Texts that were sent, and cannot be read, or only in part.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Partly {
    texts: u64,
    /// Where the first of them belongs, and what is wrong with it.
    first: String,
}

impl fmt::Display for Partly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { texts, first } = self;
        let (texts_have, are) = if *texts == 1 {
            ("text that was sent has", "is")
        } else {
            ("texts that were sent have", "are")
        };
        write!(
            f,
            "{texts} {texts_have} records that cannot be read, and {are} kept as a whole beside the others; no \
             detection finds such records: {first}"
        )
    }
}

impl MovedRows {
    /// Returns what could be read only in part since the last call.
    pub(crate) fn take_partly(&mut self) -> Option<Partly> {
        self.partly.take()
    }
}

/// What is seen of events that become rows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Seen<'a> {
    /// The time of one, in microseconds since the epoch.
    Time(i64),
    /// A text has a record that cannot be read.
    Damage(&'a Damage),
}

impl MovingRows for MovedRows {
    fn add(&mut self, batch: &StoredBatch, rows: &mut RowsBuilder) -> Result<(), BatchError> {
        let (number, index) = (batch.number, &batch.batch.origin.index);
        let is_full = self.arrivals.len() >= MOST_ARRIVALS;
        let shared = self.arrivals.iter().rposition(|(_, of, _)| of == index);
        let place = match shared.filter(|_| is_full) {
            Some(place) => place,
            None => {
                self.arrivals.push((number, index.clone(), Minutes::default()));
                self.arrivals.len() - 1
            }
        };
        let (last, _, minutes) = &mut self.arrivals[place];
        *last = number;
        let partly = &mut self.partly;
        rows_of(batch, rows, &mut |seen| match seen {
            Seen::Time(time) => minutes.add(Moment(time.div_euclid(MICROS))),
            Seen::Damage(damage) => {
                let first = || {
                    let source = batch.batch.origin.source.as_deref().unwrap_or("unknown");
                    format!("the first is of source {source} in index {index}, at {damage}")
                };
                partly.get_or_insert_with(|| Partly { texts: 0, first: first() }).texts += 1;
            }
        })
    }

    fn arrivals(&mut self) -> Vec<Arrival> {
        let arrivals = std::mem::take(&mut self.arrivals);
        let arrival = |(number, index, minutes): (u64, String, Minutes)| {
            let spans = minutes.into_spans().into_iter();
            let spans: Vec<_> = spans.map(|span| (span.from.0, span.to.0)).collect();
            (!spans.is_empty()).then_some(Arrival { number, index, spans })
        };
        arrivals.into_iter().filter_map(arrival).collect()
    }
}

/// Adds the rows of the events of a batch, and tells what is seen of them. Texts that nobody has looked at
/// yet are read as log files are, so that one may give several rows, or none and be an event itself. If a
/// part of one cannot be read, the text is an event beside those that can.
///
/// # Errors
/// Fails if the batch is damaged.
pub(crate) fn rows_of(
    batch: &StoredBatch,
    rows: &mut RowsBuilder,
    see: &mut dyn FnMut(Seen<'_>),
) -> Result<(), BatchError> {
    let StoredBatch { received, batch, .. } = batch;
    let of_batch = &batch.origin;
    // What arrives without any time is from now. What comes from files is from whenever it says.
    let arrival = of_batch.format.is_empty().then_some(*received);
    let events = batch.events()?;
    let found = Found::of(&events, of_batch)?;
    let arrived = |number: usize| found.arrived.get(number).copied().unwrap_or(Arrived::Events);
    let mut found_rows = found.rows().peekable();
    let (mut number, mut pushed) = (0_usize, Ok(()));
    events.each(|event| {
        let of_event = EventRow {
            index: &of_batch.index,
            time: event.time.or(arrival),
            received: *received,
            source: of_batch.source.as_deref(),
            sourcetype: of_batch.sourcetype.as_deref(),
            host: of_batch.host.as_deref(),
            fields: event.fields,
            format: if of_batch.format.is_empty() { TEXT } else { &of_batch.format },
            leads: Default::default(),
            raw: event.raw.into(),
        };
        if let Some(Some((text, Leads { time, values }))) = found.quick.get(number) {
            let time = time.or(event.time).or(arrival);
            time.into_iter().for_each(|time| see(Seen::Time(time)));
            let leads = values.each_ref().map(|value| value.as_deref());
            let raw = (*text).into();
            let row = EventRow { time, format: stored::WITH_LEADS, leads, raw, ..of_event };
            pushed = pushed.clone().and_then(|()| rows.push(&row));
            number += 1;
            return;
        }
        let (mut is_text, mut is_whole) = (true, false);
        while let Some(row) = found_rows.next_if(|row| row.number == number) {
            match arrived(number) {
                Arrived::Text => continue,
                // It was read as a list of events, and is one.
                Arrived::Object if row.text.as_bytes() != event.raw.trim_ascii() => continue,
                Arrived::Object | Arrived::Events => {}
            }
            is_text = false;
            // What is damaged within an event, such as a value that is packed, is in its text.
            is_whole |= row.text.as_bytes() == event.raw.trim_ascii();
            let FoundRow { text, format, leads, .. } = row;
            // Nobody knows better than CloudTrail when its events happened; others have the time that
            // their sender gives. Readers of rows go by this.
            let time = match format {
                stored::WITH_LEADS => row.time.or(event.time),
                _ => event.time.or(row.time),
            };
            let time = time.or(arrival);
            let row = EventRow { time, format, leads, raw: text.into(), ..of_event };
            time.into_iter().for_each(|time| see(Seen::Time(time)));
            pushed = pushed.clone().and_then(|()| rows.push(&row));
        }
        let damage = found.damaged.get(&number).filter(|_| !is_whole);
        if let Some(damage) = damage {
            see(Seen::Damage(damage));
        }
        if is_text || damage.is_some() {
            of_event.time.into_iter().for_each(|time| see(Seen::Time(time)));
            let row = match arrived(number) {
                Arrived::Object => EventRow { format: OBJECT, ..of_event },
                Arrived::Text => EventRow {
                    sourcetype: of_event.sourcetype.or(Some(TEXT_SOURCETYPE)),
                    ..of_event
                },
                Arrived::Events => of_event,
            };
            pushed = pushed.clone().and_then(|()| rows.push(&row));
        }
        number += 1;
    })?;
    pushed
}

/// The rows that the texts of a batch give, in their order.
struct Found<'e> {
    /// For each text that is one record of CloudTrail, as it writes them, the text and what gets columns; it
    /// is its own row. `None` for others, whose rows are in `rows`.
    quick: Vec<Option<(&'e str, Leads<'e>)>>,
    rows: Vec<RecordBatch>,
    /// For each text, what it is. Those at which somebody has looked before are events.
    arrived: Vec<Arrived>,
    /// The first damage of each text that holds events, if it has any.
    damaged: BTreeMap<usize, Damage>,
}

/// A row that a text gives.
struct FoundRow<'r> {
    /// The number of the text, from zero.
    number: usize,
    text: &'r str,
    format: &'r str,
    /// In microseconds since the epoch.
    time: Option<i64>,
    leads: [Option<&'r str>; stored::LEADS.len()],
}

/// Returns the number of a text; what is inside an archive has its name behind it.
fn number_of(source: &str) -> usize {
    source.split(':').next().and_then(|number| number.parse().ok()).unwrap_or(usize::MAX)
}

/// Returns true for a text that is a line of words, and cannot hold an event: no JSON, also with percent signs,
/// no table, nothing that is packed. A decoder would find nothing in it, at far more cost.
fn is_a_line(text: &str) -> bool {
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
    fn of(events: &'e Events, of_batch: &LakeOrigin) -> Result<Self, BatchError> {
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
            sourcetype: of_batch.sourcetype.as_deref().map(Into::into),
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
        let mut reader = LeadReader::new(of_batch.sourcetype.as_deref());
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

    fn rows(&self) -> impl Iterator<Item = FoundRow<'_>> {
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

#[cfg(test)]
mod tests {
    use datafusion::arrow::datatypes::TimestampMicrosecondType;
    use spilltrail_event::{CaseRule, Comparison, Keyword, KeywordKind, Pattern, TimeBounds};
    use spilltrail_lake::{BatchBuilder, Event, file_of};

    use super::*;

    fn rows(format: &str, events: &[(&str, Option<i64>)]) -> RecordBatch {
        let origin = LakeOrigin {
            index: "main".into(),
            source: Some("s".into()),
            format: format.into(),
            ..LakeOrigin::default()
        };
        let mut builder = BatchBuilder::new(origin);
        for (raw, time) in events {
            builder.push(Event { raw: raw.as_bytes(), time: *time, fields: None }).unwrap();
        }
        let batch = builder.finish().unwrap();
        let mut rows = RowsBuilder::new();
        rows_of(&StoredBatch { number: 1, received: 7, batch }, &mut rows, &mut |_| ()).unwrap();
        rows.finish()
    }

    #[test]
    fn each_event_is_a_row_with_its_leads() {
        let event = |n: u32| {
            format!(
                r#"{{"eventSource":"s3.amazonaws.com","eventName":"E{n}","eventTime":"2026-03-17T10:00:00.{:03}Z"}}"#,
                n % 1000
            )
        };
        let many: Vec<String> = (0..20_000).map(event).collect();
        let given: Vec<(&str, Option<i64>)> = many.iter().map(|text| (&**text, Some(5))).collect();
        let found = rows("cloudtrail", &given);
        assert_eq!(found.num_rows(), many.len());
        let column = |name: &str| found.column_by_name(name).unwrap().clone();
        let (names, texts) = (column("eventName"), column("_raw"));
        let regions = column("awsRegion");
        for (row, text) in many.iter().enumerate() {
            assert_eq!(names.as_string_view().value(row), format!("E{row}"));
            assert_eq!(texts.as_string_view().value(row), text);
            assert!(regions.is_null(row));
        }
        let times = column("_time");
        let times = times.as_primitive::<TimestampMicrosecondType>();
        assert_eq!(times.value(1), 1_773_741_600_001_000);
    }

    #[test]
    fn what_is_no_event_of_aws_has_no_leads_and_the_time_of_its_sender() {
        let found = rows(
            "json",
            &[
                (r#"{"eventName":"x"}"#, Some(5)),
                (r#"{"_time":1e9}"#, Some(5)),
                (r#"{"_time":1e9}"#, None),
                (r#"{"a":1}"#, None),
            ],
        );
        assert!(found.column_by_name("eventName").unwrap().is_null(0));
        let times = found.column_by_name("_time").unwrap();
        let times = times.as_primitive::<TimestampMicrosecondType>();
        assert_eq!((times.value(0), times.value(1)), (5, 5));
        assert_eq!(times.value(2), 1_000_000_000_000_000);
        assert!(times.is_null(3));
    }

    /// What a batch with these texts gives: the format of each row with its text, and what is told of it.
    fn arrived(texts: &[&str]) -> (Vec<(String, String)>, Option<String>) {
        let origin = LakeOrigin { index: "main".into(), ..LakeOrigin::default() };
        let mut builder = BatchBuilder::new(origin);
        for text in texts {
            builder.push(Event { raw: text.as_bytes(), time: None, fields: None }).unwrap();
        }
        let (batch, mut rows) = (builder.finish().unwrap(), RowsBuilder::new());
        let mut moved = MovedRows::default();
        moved.add(&StoredBatch { number: 1, received: 7, batch }, &mut rows).unwrap();
        let rows = rows.finish();
        let column = |name: &str| rows.column_by_name(name).unwrap().clone();
        let (formats, raws) = (column(stored::FORMAT), column(stored::RAW));
        let of = |row| {
            let text = raws.as_string_view().value(row);
            (formats.as_string_view().value(row).to_owned(), text.to_owned())
        };
        let found = (0..rows.num_rows()).map(of).collect();
        (found, moved.take_partly().map(|partly| partly.to_string()))
    }

    /// What looks like CloudTrail's and cannot be read is told: no detection finds it.
    #[test]
    fn texts_that_may_have_been_events_are_told() {
        let whole =
            r#"{"eventVersion":"1.1","eventSource":"s3.amazonaws.com","eventName":"A","x":"y"}"#;
        let deep = whole.replace("\"y\"", &("[".repeat(300) + &"]".repeat(300)));
        for (text, is_told) in [
            (whole, false),
            (&whole[..60], true),
            (&*whole.replace('y', "\t"), true),
            (&*whole.replace("\"y\"", "NaN"), true),
            (&*deep, true),
            ("  \"eventSource\": \"s3.amazonaws.com\",", true),
            (&*format!("<5>Nov 30 host app: {}", &whole[..60]), true),
            (r#"{"a":"#, false),
            ("eventSource is a name", false),
            (r#"{"message":"the \"eventSource\" is missing"}"#, false),
        ] {
            let (found, told) = arrived(&[text]);
            assert_eq!(told.is_some(), is_told, "{text}: {found:?} {told:?}");
            assert_eq!(found.len(), 1, "{text}");
            assert_eq!(found[0].1, text);
        }
    }

    /// Some bytes of a text may be a row of half a kilobyte.
    #[test]
    fn texts_with_very_many_records_are_kept_as_they_are() {
        let record = r#"{"a":1}"#;
        let many = format!("[{}]", vec![record; MOST_FOUND + 10_000].join(","));
        let (found, told) = arrived(&[record, &many, record]);
        let told = told.unwrap();
        assert!(told.contains("2 texts") && told.contains("more than 250000 records"), "{told}");
        let lengths: Vec<_> = found.iter().map(|(_, text)| text.len()).collect();
        assert_eq!(lengths, [record.len(), many.len(), record.len()]);
    }

    #[test]
    fn texts_that_nobody_has_looked_at_are_read_as_files() {
        let event = r#"{"eventSource":"s","eventName":"A","eventTime":"2026-03-17T10:00:00Z"}"#;
        let records = format!("{{\"Records\":[{event},{event}]}}");
        let found = rows(
            "",
            &[
                (&records, None),
                ("plain words", Some(70)),
                (event, None),
                (r#"{"a":1}"#, None),
                (r#"Nov 29 host app: {"a":1}"#, None),
                (r#"{"a":1} and more"#, None),
                (r#"{"user":"ann","results":[{"id":1},{"id":2}]}"#, None),
            ],
        );
        let texts = |name: &str| -> Vec<String> {
            let column = found.column_by_name(name).unwrap().clone();
            let texts = column.as_string_view();
            texts.iter().map(|text| text.unwrap_or("-").to_owned()).collect()
        };
        let list = r#"{"user":"ann","results":[{"id":1},{"id":2}]}"#;
        let lines = [r#"Nov 29 host app: {"a":1}"#, r#"{"a":1} and more"#];
        assert_eq!(
            texts("_raw"),
            [event, event, "plain words", event, r#"{"a":1}"#, lines[0], lines[1], list]
        );
        let formats =
            ["cloudtrail", "cloudtrail", "other", "cloudtrail", "json", "other", "other", "json"];
        assert_eq!(texts("format"), formats);
        assert_eq!(texts("eventName"), ["A", "A", "-", "A", "-", "-", "-", "-"]);
        let sourcetypes = ["-", "-", "httpevent", "-", "-", "httpevent", "httpevent", "-"];
        assert_eq!(texts("sourcetype"), sourcetypes);
        let times = found.column_by_name("_time").unwrap();
        let times = times.as_primitive::<TimestampMicrosecondType>().values();
        // What has no time at all has that of its arrival.
        let happened = 1_773_741_600_000_000;
        assert_eq!(*times, [happened, happened, 70, happened, 7, 7, 7, 7]);
    }

    /// Of a list with a record that cannot be read, the others are events, and nothing of it is lost.
    #[test]
    fn a_list_that_is_read_in_part_is_kept_as_a_whole() {
        let event = r#"{"eventSource":"s","eventName":"A","eventTime":"2026-03-17T10:00:00Z"}"#;
        let cut = format!("{{\"Records\":[{event},{{\"eventSource\":\"s\",\"eventName\":]}}");
        let whole = format!("{{\"Records\":[{event}]}}");
        // A value that looks packed and cannot be unpacked is in its event as it is.
        let packed = format!("UEsDBA{}", "cHBw".repeat(100));
        let packed =
            event.replace('}', &format!(",\"eventVersion\":\"1.08\",\"pad\":\"{packed}==\"}}"));
        for (text, expected, told) in [
            (&cut, &[event, &cut][..], true),
            (&whole, &[event], false),
            (&packed, &[&packed], false),
            (&"no event".to_owned(), &["no event"], false),
        ] {
            let origin = LakeOrigin { index: "main".into(), ..LakeOrigin::default() };
            let mut builder = BatchBuilder::new(origin);
            builder.push(Event { raw: text.as_bytes(), time: None, fields: None }).unwrap();
            let batch = StoredBatch { number: 1, received: 7, batch: builder.finish().unwrap() };
            let (mut moved, mut rows) = (MovedRows::default(), RowsBuilder::new());
            moved.add(&batch, &mut rows).unwrap();
            let rows = rows.finish();
            let texts = rows.column_by_name("_raw").unwrap().as_string_view();
            assert_eq!(texts.iter().flatten().collect::<Vec<_>>(), expected);
            let partly = moved.take_partly().map(|partly| partly.to_string());
            assert_eq!(partly.is_some(), told, "{partly:?}");
            if let Some(partly) = partly {
                assert!(partly.starts_with("1 text that was sent has records that"), "{partly}");
                assert!(partly.contains("index main, at byte "), "{partly}");
            }
        }
    }

    /// Returns what searches find of a batch of events that nobody has looked at: some of their fields.
    fn found(events: &[Event<'_>], predicate: Predicate) -> Vec<[String; 6]> {
        let origin = LakeOrigin { index: "main".into(), ..LakeOrigin::default() };
        let mut builder = BatchBuilder::new(origin);
        events.iter().for_each(|event| builder.push(*event).unwrap());
        let batch =
            StoredBatch { number: 1, received: 9_000_000, batch: builder.finish().unwrap() };
        let mut rows = RowsBuilder::new();
        rows_of(&batch, &mut rows, &mut |_| ()).unwrap();
        let names = [fields::TIME, "user", "region", "eventName", fields::SOURCETYPE, fields::RAW];
        let request = ScanRequest {
            predicate,
            fields: names.map(|name| Field::new(name, Kind::Text)).into(),
        };
        let mut decoder = Decoder::new(&DecodeOptions::new([request]));
        let mut shown = Vec::new();
        let mut keep = |_: usize, rows: Rows| {
            let batch = rows.into_batch().unwrap();
            shown.extend((0..batch.num_rows()).map(|row| {
                std::array::from_fn(|column| {
                    let column = batch.column(column).as_string_view();
                    if column.is_null(row) { "-" } else { column.value(row) }.to_owned()
                })
            }));
            ControlFlow::Continue(())
        };
        let file = Cursor::new(file_of(&rows.finish()).unwrap());
        let table = Origin { is_stored: true, ..Origin::new("t") };
        let report = decoder.decode(Input::Seekable(Box::new(file)), &table, &mut keep);
        assert!(decoder.finish(&mut keep).is_continue());
        assert_eq!(report.damage_count, 0, "{report:?}");
        shown
    }

    #[test]
    fn what_arrives_is_found_as_its_sender_says() {
        let event = r#"{"eventSource":"s","eventName":"A","eventTime":"2026-03-17T10:00:00Z"}"#;
        let plain = r#"{"user":"ann","_time":5}"#;
        let line = "Nov 29 10:00:00 host sshd: Failed password";
        let given = Some(r#"{"region":"europe"}"#);
        let time = Some(7_000_000);
        let one = |raw: &'static str, time, fields| Event { raw: raw.as_bytes(), time, fields };
        let events = [
            one(plain, time, given),
            one(plain, None, None),
            one(r#"{"user":"bob"}"#, None, None),
            one(line, time, given),
            one(line, None, None),
            one(event, time, given),
            one(
                r#"{"eventSource":"s","eventName":"B","requestID":"r","awsRegion":"x"}"#,
                time,
                None,
            ),
            Event { raw: b"caf\xe9 closed", time, fields: None },
        ];
        let all = found(&events, Predicate::All);
        let shown: Vec<String> = all.iter().map(|row| row[..5].join(",")).collect();
        assert_eq!(
            shown,
            [
                "7,ann,europe,-,json",
                "5,ann,-,-,json",
                "9,bob,-,-,json",
                "7,-,europe,-,httpevent",
                "9,-,-,-,httpevent",
                "1773741600,-,europe,A,aws:cloudtrail",
                "7,-,x,B,aws:cloudtrail",
                "7,-,-,-,httpevent",
            ]
        );
        let word =
            |text| Predicate::Keyword(Keyword::new(text, KeywordKind::Plain, CaseRule::Ignore));
        let equals = |field: &str, value| Predicate::Compare {
            field: field.to_owned(),
            op: Comparison::Eq,
            value: Pattern::new(value, CaseRule::Ignore),
        };
        let until =
            |latest| Predicate::Time(TimeBounds { earliest: Some(6.0), latest: Some(latest) });
        for (predicate, expected) in [
            (word("failed"), &[3, 4][..]),
            (word("closed"), &[7]),
            (word("europe"), &[]),
            (equals("region", "europe"), &[0, 3, 5]),
            (Predicate::And(vec![equals("eventName", "a"), equals("region", "europe")]), &[5]),
            (until(8.0), &[0, 3, 6, 7]),
            (until(10.0), &[0, 2, 3, 4, 6, 7]),
        ] {
            let expected: Vec<_> = expected.iter().map(|place| all[*place].clone()).collect();
            assert_eq!(found(&events, predicate.clone()), expected, "{predicate:?}");
        }
    }

    /// What is not decoded holds no event that a decoder would find.
    #[test]
    fn lines_of_words_hold_no_events() {
        let mut random = fastrand::Rng::with_seed(5);
        let pieces = [
            "a",
            "GET /x HTTP/1.1",
            " ",
            "eventName=A",
            ",",
            "\"",
            "\\u007b",
            ":",
            "H4sIAAAA",
            "é",
            "\t",
            "=",
            "PAR1",
        ];
        let mut lines = 0;
        for _ in 0..20_000 {
            let count = random.usize(1..8);
            let text: String = (0..count).map(|_| pieces[random.usize(..pieces.len())]).collect();
            if !is_a_line(&text) {
                continue;
            }
            lines += 1;
            let request = ScanRequest { predicate: Predicate::All, fields: Vec::new() };
            let mut decoder = Decoder::new(&DecodeOptions::new([request]));
            let input = Input::Seekable(Box::new(Cursor::new(text.clone().into_bytes())));
            let report =
                decoder.decode(input, &Origin::new("t"), &mut |_, _| ControlFlow::Continue(()));
            assert_eq!(Arrived::of(text.as_bytes(), &report), Arrived::Text, "{text:?}");
        }
        assert!(lines > 10_000, "{lines}");
        for text in [
            r#"{"a":1}"#,
            "a\nb",
            "see [1]",
            "H4sIAAAAAAAAA6tWKkktLlGyUlAqSMzMU6oFAMY8",
            "a b\0",
            " eyJldmVudE5hbWUiOiJBIn0=",
            "%7B\"a\": 1}",
            "%5b 1, 2",
        ] {
            assert!(!is_a_line(text), "{text}");
        }
    }
}
