//! What the log of the table says of a file: by that, readers leave files out.
//!
//! The form is that of Delta Lake's protocol, "Per-file Statistics". Texts may be cut: the smallest is then
//! smaller, and the largest larger than any that is there. Times are rounded down to milliseconds.

use jiff::Timestamp;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;
use serde_json::{Map, Value, json};

use super::rows;

/// Returns the statistics of a file that was written: its number of rows, and of the compared columns the
/// smallest and the largest value and the number of nulls.
pub(super) fn of(metadata: &ParquetMetaData) -> Value {
    let compared = rows::compared();
    let schema = metadata.file_metadata().schema_descr();
    let (mut least, mut most, mut nulls) = (Map::new(), Map::new(), Map::new());
    for (place, column) in schema.columns().iter().enumerate() {
        let name = column.name();
        let groups = metadata.row_groups().iter();
        let groups: Option<Vec<Of<'_>>> = groups.map(|group| Of::column(group, place)).collect();
        let Some(groups) = groups.filter(|_| compared.contains(&name)) else { continue };
        nulls.insert(name.to_owned(), groups.iter().map(|group| group.nulls).sum::<u64>().into());
        // A group with nothing but nulls says nothing against the others.
        let ranges: Option<Vec<(Bound<'_>, Bound<'_>)>> = groups
            .iter()
            .filter(|group| group.nulls < group.rows)
            .map(|group| group.range)
            .collect();
        let Some(ranges) = ranges else { continue };
        let smallest = ranges.iter().map(|(smallest, _)| *smallest).min();
        let largest = ranges.iter().map(|(_, largest)| *largest).max();
        if let Some((smallest, largest)) =
            smallest.and_then(Bound::shown).zip(largest.and_then(Bound::shown))
        {
            least.insert(name.to_owned(), smallest.into());
            most.insert(name.to_owned(), largest.into());
        }
    }
    let rows = metadata.file_metadata().num_rows();
    json!({"numRecords": rows, "minValues": least, "maxValues": most, "nullCount": nulls})
}

/// What a row group says of a column.
struct Of<'m> {
    rows: u64,
    nulls: u64,
    /// The smallest and the largest value.
    range: Option<(Bound<'m>, Bound<'m>)>,
}

/// A value of a column of which all have the same kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Bound<'m> {
    /// Microseconds since the epoch.
    Time(i64),
    Text(&'m [u8]),
}

impl<'m> Of<'m> {
    fn column(group: &'m RowGroupMetaData, place: usize) -> Option<Self> {
        let found = group.column(place).statistics()?;
        let range = match found {
            Statistics::Int64(found) => {
                let bound = |time: &i64| Bound::Time(*time);
                found.min_opt().map(bound).zip(found.max_opt().map(bound))
            }
            Statistics::ByteArray(found) => {
                let least = found.min_opt().map(|text| Bound::Text(text.data()));
                least.zip(found.max_opt().map(|text| Bound::Text(text.data())))
            }
            _ => None,
        };
        let rows = u64::try_from(group.num_rows()).ok()?;
        Some(Self { rows, nulls: found.null_count_opt()?, range })
    }
}

impl Bound<'_> {
    fn shown(self) -> Option<String> {
        match self {
            Self::Time(time) => {
                let time = Timestamp::from_microsecond(time).ok()?;
                let down = time.as_millisecond() - i64::from(time.subsec_microsecond() < 0);
                Some(format!("{:.3}", Timestamp::from_millisecond(down).ok()?))
            }
            Self::Text(text) => Some(std::str::from_utf8(text).ok()?.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use spilltrail_event::stored::LEADS;

    use super::*;
    use crate::table::{EventRow, RowsBuilder, file_of};

    fn stats(rows: &[(Option<i64>, Option<&str>)]) -> Value {
        let mut builder = RowsBuilder::new();
        for (time, name) in rows {
            let mut leads = [None; LEADS.len()];
            leads[0] = *name;
            builder.push(&EventRow { time: *time, leads, ..EventRow::default() }).unwrap();
        }
        let file = bytes::Bytes::from(file_of(&builder.finish()).unwrap());
        of(SerializedFileReader::new(file).unwrap().metadata())
    }

    #[test]
    fn values_are_between_those_that_are_told() {
        const SECOND: i64 = 1_700_000_000_000_000;
        let long = "x".repeat(500);
        for (rows, times, names, nulls) in [
            (&[(Some(SECOND), Some("a"))][..], ["2023-11-14T22:13:20.000Z"; 2], ["a", "a"], [0, 0]),
            (
                &[(Some(SECOND + 1999), Some("b")), (None, None), (Some(SECOND - 1), Some("a"))],
                ["2023-11-14T22:13:19.999Z", "2023-11-14T22:13:20.001Z"],
                ["a", "b"],
                [1, 1],
            ),
            // Before 1970, down is away from zero.
            (
                &[(Some(-1), None), (Some(-2001), None)],
                ["1969-12-31T23:59:59.997Z", "1969-12-31T23:59:59.999Z"],
                ["", ""],
                [0, 2],
            ),
            // More rows than a group has, one of which has only nulls.
            (
                &[vec![(None, None); 50_000], vec![(Some(0), Some("z"))]].concat(),
                ["1970-01-01T00:00:00.000Z"; 2],
                ["z", "z"],
                [50_000, 50_000],
            ),
        ] {
            let found = stats(rows);
            assert_eq!(found["numRecords"], rows.len());
            for (column, range, nulls) in [("_time", times, nulls[0]), (LEADS[0], names, nulls[1])]
            {
                let told = [&found["minValues"][column], &found["maxValues"][column]];
                let expected =
                    range.map(|value| if value.is_empty() { Value::Null } else { value.into() });
                assert_eq!(told.map(Clone::clone), expected, "{column} {found}");
                assert_eq!(found["nullCount"][column], nulls, "{column}");
            }
        }
        let found = stats(&[(None, Some(&long))]);
        let told = |which: &str| found[which][LEADS[0]].as_str().unwrap().to_owned();
        let (least, most) = (told("minValues"), told("maxValues"));
        assert!(least.as_str() <= long.as_str() && long <= most, "{least} {most}");
        assert!(least.len() + most.len() < 200 && found["minValues"].get("_time").is_none());
        // Texts of events are in no statistics.
        assert!(found["nullCount"].get("_raw").is_none(), "{found}");
    }
}
