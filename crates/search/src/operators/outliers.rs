//! Numbers far outside the middle half of their column.

use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use spilltrail_event::{Field, Kind, Value, format_number};

use super::gather::{self, Gather};
use super::{Operator, Running};
use crate::expression::arrow::{ColumnBuilder, ColumnReader};
use crate::plan::kind_of;
use crate::stats::functions::percentiles::interpolated;

/// What happens to an outlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutlierAction {
    /// Its row is removed.
    Remove,
    /// It is moved to the fence.
    Truncate {
        /// Whether moved values begin with `000`.
        is_marked: bool,
    },
}

/// Finds numbers above the third quartile by more than `factor` times the distance of the quartiles.
#[derive(Debug, Clone)]
pub struct Outliers {
    /// The columns; values that are no numbers never are outliers.
    pub columns: Vec<String>,
    /// How far outside.
    pub factor: f64,
    /// Whether numbers as far below the first quartile are outliers too.
    pub use_lower: bool,
    /// What happens to them.
    pub action: OutlierAction,
}

/// Returns the bounds beyond which numbers are outliers; none if there are no numbers.
#[must_use]
pub(crate) fn fences(mut numbers: Vec<f64>, factor: f64, use_lower: bool) -> Option<(f64, f64)> {
    numbers.sort_by(f64::total_cmp);
    let (first, third) = (interpolated(&numbers, 0.25)?, interpolated(&numbers, 0.75)?);
    let reach = factor * (third - first);
    let lower = if use_lower { first - reach } else { f64::NEG_INFINITY };
    Some((lower, third + reach))
}

impl Operator for Outliers {
    fn name(&self) -> &'static str {
        "outliers"
    }

    fn state(&self) -> String {
        format!("{self:?}")
    }

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

    fn needs_rows(&self) -> bool {
        true
    }

    fn start(&self, _: SchemaRef, output: SchemaRef) -> Result<Box<dyn Running>> {
        let operator = self.clone();
        Ok(Gather::start(move |batches| match operator.action {
            OutlierAction::Remove => operator.removed(batches),
            OutlierAction::Truncate { is_marked } => {
                operator.truncated(batches, &output, is_marked)
            }
        }))
    }
}

impl Outliers {
    fn removed(&self, batches: &[RecordBatch]) -> Result<Vec<RecordBatch>> {
        let mut kept = vec![true; gather::row_count(batches)];
        for name in &self.columns {
            let readers = gather::readers(batches, name)?;
            let Some((lower, upper)) = self.fences_of(&readers) else { continue };
            for (kept, value) in kept.iter_mut().zip(gather::values(&readers)) {
                let number = value.as_number();
                *kept &= number.is_none_or(|number| (lower..=upper).contains(&number));
            }
        }
        gather::filtered(batches, &kept)
    }

    fn truncated(
        &self,
        batches: &[RecordBatch],
        output: &SchemaRef,
        is_marked: bool,
    ) -> Result<Vec<RecordBatch>> {
        let mut set: Vec<(String, ArrayRef)> = Vec::new();
        for name in &self.columns {
            let readers = gather::readers(batches, name)?;
            let Some((lower, upper)) = self.fences_of(&readers) else { continue };
            let field = output.field_with_name(name)?;
            let mut column = ColumnBuilder::new(kind_of(field.data_type()));
            for value in gather::values(&readers) {
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
        gather::batches_with(batches, output, &set)
    }

    fn fences_of(&self, readers: &[(usize, ColumnReader)]) -> Option<(f64, f64)> {
        let numbers = gather::values(readers)
            .filter_map(|value| value.as_number())
            .filter(|number| number.is_finite());
        fences(numbers.collect(), self.factor, self.use_lower)
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
