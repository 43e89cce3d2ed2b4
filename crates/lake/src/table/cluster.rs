//! Sorts rows, so that searches read little of a file: what they ask for is together.
//!
//! Rows have their texts as views, so that they are put together, sorted and handed over without copies of the
//! texts.

use std::collections::HashMap;
use std::ops::Range;

use deltalake_core::arrow::array::{
    Array, AsArray, GenericByteViewArray, RecordBatch, StringViewArray, UInt32Array, new_null_array,
};
use deltalake_core::arrow::compute::{concat_batches, partition, take};
use deltalake_core::arrow::datatypes::{
    BinaryViewType, ByteViewType, DataType, SchemaRef, StringViewType, TimestampMicrosecondType,
};
use deltalake_core::arrow::error::ArrowError;

use spilltrail_event::stored;

use super::rows::PARTITIONS;

/// Rows that are handed over together.
pub(super) const ROWS_TOGETHER: usize = 8192;

/// The texts by which rows are sorted, before their times: first those that say the file.
const ORDER: [&str; 4] = [PARTITIONS[0], PARTITIONS[1], "eventSource", "eventName"];

/// Rows in order: those of one file together.
#[derive(Debug)]
pub(super) struct Sorted {
    rows: RecordBatch,
    order: UInt32Array,
}

impl Sorted {
    /// Sorts rows. Returns `None` if there are none.
    pub(super) fn of(rows: Vec<RecordBatch>) -> Result<Option<Self>, ArrowError> {
        let Some(first) = rows.first() else { return Ok(None) };
        let whole = concat_batches(&first.schema(), &rows)?;
        drop(rows);
        let order = order_of(&whole);
        Ok((!order.is_empty()).then_some(Self { rows: whole, order }))
    }

    /// Returns the rows that belong into one folder, for each, as places in the order.
    pub(super) fn folders(&self) -> Result<Vec<Range<usize>>, ArrowError> {
        let columns = PARTITIONS.into_iter().filter_map(|name| self.rows.column_by_name(name));
        let columns = columns.map(|column| take(column, &self.order, None));
        Ok(partition(&columns.collect::<Result<Vec<_>, _>>()?)?.ranges())
    }

    /// Returns the number of rows.
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// Returns the index and the day of the row at a place in the order.
    pub(super) fn folder(&self, place: usize) -> Result<[&str; 2], ArrowError> {
        let row = self.order.value(place) as usize;
        let value = |name: &str| {
            let texts = self.rows.column_by_name(name)?.as_string_view_opt()?;
            Some(texts.value(row))
        };
        let [index, day] = PARTITIONS.map(value);
        index.zip(day).map(|(index, day)| [index, day]).ok_or_else(|| {
            ArrowError::SchemaError("rows without an index and a day as views".to_owned())
        })
    }

    /// Returns rows at places in the order, some at a time, with these columns. What the rows lack is null.
    pub(super) fn parts(
        &self,
        places: Range<usize>,
        schema: &SchemaRef,
    ) -> impl Iterator<Item = Result<RecordBatch, ArrowError>> {
        let end = places.end;
        places.step_by(ROWS_TOGETHER).map(move |from| {
            let order = self.order.slice(from, ROWS_TOGETHER.min(end - from));
            let columns =
                schema.fields().iter().map(|field| match self.rows.column_by_name(field.name()) {
                    Some(column) => take(column, &order, None),
                    None => Ok(new_null_array(field.data_type(), order.len())),
                });
            RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, _>>()?)
        })
    }
}

/// Returns the rows in order. Nulls come first, and equal rows stay as they are.
fn order_of(rows: &RecordBatch) -> UInt32Array {
    let ranks = ORDER.map(|name| Some(ranks_of(rows.column_by_name(name)?.as_string_view_opt()?)));
    let times = rows.column_by_name(stored::TIME);
    let times = times.and_then(|times| times.as_primitive_opt::<TimestampMicrosecondType>());
    // More rows than a number of four bytes can count would take a terabyte of views.
    let keys = (0..rows.num_rows()).map(|row| {
        let ranks = ranks.each_ref().map(|ranks| ranks.as_ref().map(|ranks| ranks[row]));
        let time = times.filter(|times| times.is_valid(row)).map(|times| times.value(row));
        (ranks.map(Option::unwrap_or_default), time, row as u32)
    });
    let mut keys: Vec<_> = keys.collect();
    keys.sort_unstable();
    keys.into_iter().map(|(.., row)| row).collect::<Vec<_>>().into()
}

/// Returns for each row the place of its text among the different ones. They are few, and comparing numbers
/// is faster than comparing the texts of rows.
fn ranks_of(texts: &StringViewArray) -> Vec<u32> {
    let mut numbers = HashMap::new();
    let mut last = None;
    let of_rows = texts.iter().map(|text| match last {
        // Rows of one file mostly have the same.
        Some((of_last, number)) if of_last == text => number,
        _ => {
            let next = numbers.len() as u32;
            let number = *numbers.entry(text).or_insert(next);
            last = Some((text, number));
            number
        }
    });
    let of_rows: Vec<u32> = of_rows.collect();
    let mut different: Vec<(Option<&str>, u32)> = numbers.into_iter().collect();
    different.sort_unstable();
    let mut ranks = vec![0; different.len()];
    for (rank, (_, number)) in (0..).zip(different) {
        ranks[number as usize] = rank;
    }
    of_rows.into_iter().map(|number| ranks[number as usize]).collect()
}

/// Returns the bytes that rows take. Their views may share blocks with those of other rows, and the memory of
/// a block would count with each of them.
pub(super) fn bytes_of_rows(rows: &RecordBatch) -> usize {
    fn bytes_of_all<V: ByteViewType>(values: &GenericByteViewArray<V>) -> usize {
        let bytes = values.lengths().map(|bytes| bytes as usize).sum::<usize>();
        size_of_val(&**values.views()) + bytes
    }
    let bytes = rows.columns().iter().map(|column| match column.data_type() {
        DataType::Utf8View => bytes_of_all::<StringViewType>(column.as_byte_view()),
        DataType::BinaryView => bytes_of_all::<BinaryViewType>(column.as_byte_view()),
        _ => column.get_array_memory_size(),
    });
    bytes.sum()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use deltalake_core::arrow::datatypes::{Field, Schema};

    use super::*;
    use crate::table::{EventRow, RowsBuilder};

    fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![Field::new("_raw", DataType::Utf8View, true)]))
    }

    fn rows(events: &[(&str, &str, &str)]) -> RecordBatch {
        let mut builder = RowsBuilder::new();
        for (index, name, raw) in events {
            let mut leads = [None; spilltrail_event::stored::LEADS.len()];
            leads[0] = Some(*name);
            let raw = (*raw).into();
            builder.push(&EventRow { index, leads, raw, ..EventRow::default() }).unwrap();
        }
        builder.finish()
    }

    /// Returns for each folder its index and the texts of its parts.
    fn texts(rows: Vec<RecordBatch>) -> Vec<String> {
        let Some(sorted) = Sorted::of(rows).unwrap() else { return Vec::new() };
        let mut found = Vec::new();
        for places in sorted.folders().unwrap() {
            let index = sorted.folder(places.start).unwrap()[0];
            for part in sorted.parts(places, &schema()) {
                let part = part.unwrap();
                let texts = part.column_by_name("_raw").unwrap().as_string_view();
                let texts: Vec<String> =
                    texts.iter().map(|text| text.unwrap().to_owned()).collect();
                found.push(format!("{index}: {}", texts.join(" ")));
            }
        }
        found
    }

    #[test]
    fn rows_of_one_folder_and_call_are_together() {
        let one = || rows(&[("b", "Get", "3"), ("a", "Put", "2"), ("a", "Get", "1")]);
        let other = || rows(&[("a", "Get", "1"), ("b", "Put", "4")]);
        for (batches, expected) in [
            (vec![], &[][..]),
            (vec![rows(&[])], &[]),
            (vec![one()], &["a: 1 2", "b: 3"]),
            (vec![one(), rows(&[]), other()], &["a: 1 1 2", "b: 3 4"]),
        ] {
            assert_eq!(texts(batches), expected);
        }
    }

    /// The order is that of the values of the rows, nulls first.
    #[test]
    fn rows_are_in_the_order_of_their_values() {
        let mut random = fastrand::Rng::with_seed(2);
        let mut some = |values: &[&'static str]| random.choice(values.iter().copied());
        let mut builder = RowsBuilder::new();
        let mut expected = Vec::new();
        for number in 0..3000 {
            let index = some(&["a", "b", "an index with a long name"]).unwrap();
            let leads_of = [
                some(&["", "Get", "GetObject", "a call with a long name", "-"]),
                some(&["s3.amazonaws.com", "s3.amazonaws", "sts.amazonaws.com", "-"]),
            ];
            let [name, source] = leads_of.map(|value| value.filter(|value| *value != "-"));
            let time = (number % 5 > 0).then_some(i64::from(7919 * number % 97) * 3_600_000_000);
            let mut leads = [None; stored::LEADS.len()];
            let at = |name: &str| stored::LEADS.iter().position(|one| *one == name).unwrap();
            leads[at("eventName")] = name;
            leads[at("eventSource")] = source;
            let raw = number.to_string();
            let raw = raw.as_str().into();
            builder.push(&EventRow { index, time, leads, raw, ..EventRow::default() }).unwrap();
            let day = time.map_or("none".to_owned(), |time| {
                jiff::Timestamp::from_microsecond(time).unwrap().to_string()[..10].to_owned()
            });
            expected.push((index, day, source, name, time, number));
        }
        expected.sort_unstable();
        let sorted = Sorted::of(vec![builder.finish()]).unwrap().unwrap();
        let found: Vec<i32> = sorted.order.values().iter().map(|row| *row as i32).collect();
        assert_eq!(found, expected.iter().map(|row| row.5).collect::<Vec<_>>());
    }

    /// However many the rows are, those that are handed over together are not.
    #[test]
    fn parts_are_bounded() {
        let events: Vec<(String, String)> =
            (0..20_000).map(|row| (format!("n{row:05}"), row.to_string())).collect();
        let batches = events.chunks(7).map(|some| {
            let some: Vec<_> = some.iter().map(|(name, raw)| ("a", &**name, &**raw)).collect();
            rows(&some)
        });
        let found = texts(batches.collect());
        let counts: Vec<usize> = found.iter().map(|part| part.matches(' ').count()).collect();
        assert_eq!(counts, [ROWS_TOGETHER, ROWS_TOGETHER, 20_000 - 2 * ROWS_TOGETHER]);
        let all: Vec<&str> = found.iter().flat_map(|part| part[3..].split(' ')).collect();
        assert_eq!(all, events.iter().map(|(_, raw)| raw.as_str()).collect::<Vec<_>>());
    }
}
