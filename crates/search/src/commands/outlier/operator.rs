//! The operator of `outlier`: finds numbers far outside the quartiles of their column.

use datafusion::arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use serde::{Deserialize, Serialize};
use spilltrail_event::{Field, Kind, Value, format_number};

use crate::operators::gather::{self, Gathering, Given, HeldRows};
use crate::rows::arrow::kind_of;
use crate::rows::arrow::{ColumnBuilder, ColumnReader};
use crate::stats::functions::percentiles::interpolated;

/// The treatment of an outlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum OutlierAction {
    /// Its row is removed.
    Remove,
    /// Its value becomes the bound that it exceeds.
    Truncate {
        /// Whether truncated values get the prefix `000`.
        is_marked: bool,
    },
}

/// Treats numbers as outliers if they exceed the third quartile by more than `factor` times the
/// interquartile range.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Outliers {
    /// The columns to check. Values that are not numbers are never outliers.
    pub(super) columns: Vec<String>,
    /// The distance from the quartile, in interquartile ranges.
    #[serde(with = "spilltrail_event::exact")]
    pub(super) factor: f64,
    /// Whether numbers as far below the first quartile are outliers too.
    pub(super) use_lower: bool,
    /// The treatment of the outliers.
    pub(super) action: OutlierAction,
}

/// Returns the bounds beyond which numbers are outliers, or `None` if `numbers` is empty.
#[must_use]
pub(crate) fn fences(mut numbers: Vec<f64>, factor: f64, use_lower: bool) -> Option<(f64, f64)> {
    numbers.sort_by(f64::total_cmp);
    let (first, third) = (interpolated(&numbers, 0.25)?, interpolated(&numbers, 0.75)?);
    let reach = factor * (third - first);
    let lower = if use_lower { first - reach } else { f64::NEG_INFINITY };
    Some((lower, third + reach))
}

impl Gathering for Outliers {
    const NAME: &'static str = "outliers";

    fn output(&self, input: &[Field]) -> Vec<Field> {
        let is_marked = self.action == OutlierAction::Truncate { is_marked: true };
        input
            .iter()
            .map(|field| {
                let is_widened = is_marked && self.columns.contains(&field.name);
                let kind = if is_widened { field.kind.or(Kind::Text) } else { field.kind };
                Field::new(&field.name, kind)
            })
            .collect()
    }

    fn given(self, mut rows: HeldRows, output: SchemaRef) -> Result<Given> {
        rows.learn(size_of::<f64>() * rows.count())?;
        // The fences depend on all numbers of a column, so every row is read before the first is
        // returned.
        let mut all_fences = Vec::new();
        for name in &self.columns {
            let mut numbers = Vec::new();
            for batch in rows.replay()? {
                let batch = batch?;
                let Some(reader) = gather::reader(&batch, name)? else { continue };
                let found = (0..batch.num_rows()).filter_map(|row| reader.value(row).as_number());
                numbers.extend(found.filter(|number| number.is_finite()));
            }
            all_fences.push(fences(numbers, self.factor, self.use_lower));
        }
        Ok(Box::new(rows.give()?.map(move |batch| {
            let batch = batch?;
            match self.action {
                OutlierAction::Remove => self.removed(&batch, &all_fences),
                OutlierAction::Truncate { is_marked } => {
                    self.truncated(&batch, &all_fences, &output, is_marked)
                }
            }
        })))
    }
}

impl Outliers {
    /// Returns the columns of the batch that have fences, that is, that have numbers.
    fn fenced<'a>(
        &'a self,
        batch: &'a RecordBatch,
        fences: &'a [Option<(f64, f64)>],
    ) -> impl Iterator<Item = Result<(&'a String, ColumnReader, (f64, f64))>> {
        self.columns.iter().zip(fences).filter_map(|(name, fences)| {
            let fences = (*fences)?;
            let reader = gather::reader(batch, name).transpose()?;
            Some(reader.map(|reader| (name, reader, fences)))
        })
    }

    fn removed(&self, batch: &RecordBatch, fences: &[Option<(f64, f64)>]) -> Result<RecordBatch> {
        let mut kept = vec![true; batch.num_rows()];
        for found in self.fenced(batch, fences) {
            let (_, reader, (lower, upper)) = found?;
            for (row, kept) in kept.iter_mut().enumerate() {
                let number = reader.value(row).as_number();
                *kept &= number.is_none_or(|number| (lower..=upper).contains(&number));
            }
        }
        Ok(filter_record_batch(batch, &BooleanArray::from(kept))?)
    }

    fn truncated(
        &self,
        batch: &RecordBatch,
        fences: &[Option<(f64, f64)>],
        output: &SchemaRef,
        is_marked: bool,
    ) -> Result<RecordBatch> {
        let mut set: Vec<(String, ArrayRef)> = Vec::new();
        for found in self.fenced(batch, fences) {
            let (name, reader, (lower, upper)) = found?;
            let field = output.field_with_name(name)?;
            let mut column = ColumnBuilder::new(kind_of(field.data_type()));
            for row in 0..batch.num_rows() {
                let value = reader.value(row);
                column.push(match value.as_number() {
                    Some(number) if !(lower..=upper).contains(&number) => {
                        let fence = number.clamp(lower, upper);
                        if is_marked {
                            Value::text(format!("000{}", format_number(fence)))
                        } else {
                            Value::Number(fence)
                        }
                    }
                    _ => value,
                });
            }
            set.push((name.clone(), column.finish()));
        }
        gather::batch_with(batch, output, &set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fences_stand_around_the_quartiles() {
        let numbers = || vec![4.0, 1.0, 3.0, 2.0, 5.0];
        assert_eq!(fences(numbers(), 1.5, true), Some((-1.0, 7.0)));
        assert_eq!(fences(numbers(), 2.0, false), Some((f64::NEG_INFINITY, 8.0)));
        assert_eq!(fences(vec![7.0], 2.5, true), Some((7.0, 7.0)));
        assert_eq!(fences(vec![], 2.5, true), None);
    }
}
