//! Rules out row groups by the smallest and largest values of their columns.
//!
//! Only what a row group's values must satisfy is concluded. Statistics in the form of old writers
//! compare texts as signed bytes, and are not used.

use parquet::basic::{ColumnOrder, SortOrder, Type as Physical};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;
use spilltrail_event::ValueRange;

use arrow_schema::{DataType, TimeUnit};

use super::need::Need;
use super::schema::Schema;
use crate::event_view::{EventTime, OTHER_TIMES};
use crate::record::Format;

const SECOND: f64 = 1.0;
const DAY: f64 = 86_400.0;

/// A row group and what describes it.
pub(super) struct Group<'a> {
    pub(super) metadata: &'a ParquetMetaData,
    pub(super) group: &'a RowGroupMetaData,
    pub(super) schema: &'a Schema,
}

impl Group<'_> {
    /// Returns true if no event of the row group satisfies any of the conditions.
    pub(super) fn is_ruled_out(&self, need: &Need) -> bool {
        let Some(conditions) = &need.conditions else { return false };
        let range = |field: &str| if need.is_member(field) { self.range(field) } else { None };
        let times = self.times(need.format);
        !conditions.iter().any(|condition| condition.may_match(&range, times))
    }

    /// Returns what is known of a member whose values are texts.
    fn range(&self, member: &str) -> Option<ValueRange<'_>> {
        self.range_of(self.schema.text_at(member)?)
    }

    /// Returns what is known of a leaf whose values are texts.
    pub(super) fn range_of(&self, leaf: usize) -> Option<ValueRange<'_>> {
        let statistics = self.group.columns().get(leaf)?.statistics()?;
        let rows = u64::try_from(self.group.num_rows()).ok()?;
        if rows > 0 && statistics.null_count_opt() == Some(rows) {
            return Some(ValueRange::Absent);
        }
        let (least, most) = self.bounds(leaf, SortOrder::UNSIGNED, statistics)?;
        Some(ValueRange::Between(least, most))
    }

    /// Returns the smallest and the largest value of a leaf of microseconds.
    pub(super) fn micros_of(&self, leaf: usize) -> Option<(i64, i64)> {
        let statistics = self.group.columns().get(leaf)?.statistics()?;
        let (least, most) = self.bounds(leaf, SortOrder::SIGNED, statistics)?;
        let number = |bytes: &[u8]| bytes.try_into().ok().map(i64::from_le_bytes);
        Some((number(least)?, number(most)?))
    }

    /// Returns the bounds of the values of a leaf if they were compared in this order.
    fn bounds<'s>(
        &self,
        leaf: usize,
        order: SortOrder,
        statistics: &'s Statistics,
    ) -> Option<(&'s [u8], &'s [u8])> {
        let orders = self.metadata.file_metadata().column_orders()?;
        let is_sound = orders.get(leaf) == Some(&ColumnOrder::TYPE_DEFINED_ORDER(order))
            && !statistics.is_min_max_deprecated();
        let (least, most) = (statistics.min_bytes_opt()?, statistics.max_bytes_opt()?);
        is_sound.then_some((least, most))
    }

    /// Returns a range that contains the times of all events, if every event has one.
    fn times(&self, format: Format) -> Option<(f64, f64)> {
        let member = match format {
            Format::CloudTrail => "eventTime",
            Format::Lake => "time",
            _ => return None,
        };
        // An event whose time is not readable may have another one.
        if format == Format::CloudTrail
            && OTHER_TIMES.iter().any(|other| self.schema.has_member(other))
        {
            return None;
        }
        let leaf = self.schema.leaf_at(member)?;
        let column = self.group.columns().get(leaf)?;
        let statistics = column.statistics()?;
        if statistics.null_count_opt() != Some(0) {
            return None;
        }
        match (column.column_type(), &self.schema.leaves[leaf].data_type) {
            (Physical::BYTE_ARRAY, _) => {
                let (least, most) = self.bounds(leaf, SortOrder::UNSIGNED, statistics)?;
                times_of_texts(least, most)
            }
            (Physical::INT64, data_type) => {
                let (least, most) = self.bounds(leaf, SortOrder::SIGNED, statistics)?;
                let number = |bytes: &[u8]| bytes.try_into().ok().map(i64::from_le_bytes);
                times_of_numbers(data_type, number(least)?, number(most)?)
            }
            _ => None,
        }
    }
}

/// Returns the range of times whose texts are between two others, byte by byte.
///
/// All of them begin with the same year and dash, and are dates in the form of ISO 8601 if they are
/// times at all. Their order is that of the dates; the clock may come in other forms, and in any
/// zone.
fn times_of_texts(least: &[u8], most: &[u8]) -> Option<(f64, f64)> {
    let date = |text: &[u8]| {
        let date = std::str::from_utf8(text.get(..10)?).ok()?;
        EventTime::read(date).epoch
    };
    let is_year =
        |text: &[u8]| text.get(4) == Some(&b'-') && text[..4].iter().all(u8::is_ascii_digit);
    if !is_year(least) || least.get(..5) != most.get(..5) {
        return None;
    }
    Some((date(least)? - 2.0 * DAY, date(most)? + 3.0 * DAY))
}

/// Returns the range of times between two numbers.
fn times_of_numbers(data_type: &DataType, least: i64, most: i64) -> Option<(f64, f64)> {
    let unit = match data_type {
        DataType::Timestamp(TimeUnit::Millisecond, _) => 1e3,
        DataType::Timestamp(TimeUnit::Microsecond, _) => 1e6,
        DataType::Timestamp(TimeUnit::Nanosecond, _) => 1e9,
        // Milliseconds are told from other units by the size of the number.
        DataType::Int64 if least > 100_000_000_000 && most < 100_000_000_000_000 => 1e3,
        _ => return None,
    };
    Some((least as f64 / unit - SECOND, most as f64 / unit + SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_bounds() {
        let day = 1_773_705_600.0;
        for (least, most, expected) in [
            ("2026-03-17T10:00:00Z", "2026-03-18T", Some((day - 2.0 * DAY, day + 4.0 * DAY))),
            ("2026-03-17", "2026-03-17 10:00", Some((day - 2.0 * DAY, day + 3.0 * DAY))),
            ("2025-12-31T10:00:00Z", "2026-01-01T10:00:00Z", None),
            ("1773705600", "1773705601", None),
            ("2026-03-1", "2026-03-2", None),
            ("2026-x", "2026-y", None),
        ] {
            assert_eq!(times_of_texts(least.as_bytes(), most.as_bytes()), expected, "{least}");
        }
        let millis = DataType::Timestamp(TimeUnit::Millisecond, None);
        assert_eq!(times_of_numbers(&millis, 5_000, 6_000), Some((4.0, 7.0)));
        assert_eq!(times_of_numbers(&DataType::Int64, 5_000, 6_000), None);
        let found = times_of_numbers(&DataType::Int64, 1_773_705_600_000, 1_773_705_601_000);
        assert_eq!(found, Some((day - 1.0, day + 2.0)));
    }
}
