//! Bins whose width depends on the range of the values, so that all rows must be seen first.

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use jiff::tz::TimeZone;
use spilltrail_event::{Field, Kind};

use super::gather::{self, Gather};
use super::{Operator, Running};
use crate::bins::{self, NumberBins, TimeBins};
use crate::expression::arrow::ColumnBuilder;
use crate::mapped::{self, ValueFunction};

/// Puts the values of a column into at most `count` bins of a round width.
#[derive(Debug, Clone)]
pub struct RangeBins {
    /// The column.
    pub column: String,
    /// The column that gets the bins.
    pub output: String,
    /// How many bins there may be.
    pub count: usize,
    /// The smallest width; for times in seconds.
    pub minimum: f64,
    /// A value that the range begins with, if no row has a lower one.
    pub start: Option<f64>,
    /// A value that the range ends with, if no row has a higher one.
    pub end: Option<f64>,
    /// The zone, if the values are times.
    pub zone: Option<TimeZone>,
}

impl RangeBins {
    fn kind(&self, input: Kind) -> Kind {
        if self.zone.is_some() { input } else { input.or(Kind::Text) }
    }

    fn bins(&self, low: f64, high: f64) -> Box<dyn ValueFunction> {
        match &self.zone {
            Some(zone) => {
                let span = bins::time_step(low, high, self.count, self.minimum);
                Box::new(TimeBins::new(span, zone.clone()))
            }
            None => {
                let width = bins::number_step(low, high, self.count, self.minimum);
                Box::new(NumberBins::Linear { width })
            }
        }
    }
}

impl Operator for RangeBins {
    fn name(&self) -> &'static str {
        "range_bins"
    }

    fn state(&self) -> String {
        format!("{self:?}")
    }

    fn output(&self, input: &[Field]) -> Vec<Field> {
        let kind = input.iter().find(|field| field.name == self.column).map(|field| field.kind);
        match kind {
            Some(kind) => gather::fields_with(input, &[Field::new(&self.output, self.kind(kind))]),
            None => input.to_vec(),
        }
    }

    fn needs_rows(&self) -> bool {
        true
    }

    fn start(&self, _: SchemaRef, output: SchemaRef) -> Result<Box<dyn Running>> {
        let operator = self.clone();
        Ok(Gather::start(move |batches| {
            let Ok(field) = output.field_with_name(&operator.output) else {
                // No row has the column.
                return Ok(batches.to_vec());
            };
            let readers = gather::readers(batches, &operator.column)?;
            let values = || gather::values(&readers);
            let numbers = values()
                .flat_map(|value| match value.as_number() {
                    Some(number) => vec![number],
                    None => value
                        .members()
                        .iter()
                        .filter_map(|member| spilltrail_event::parse_number(member))
                        .collect(),
                })
                .chain(operator.start)
                .chain(operator.end);
            let range = numbers.fold(None, |range: Option<(f64, f64)>, number| {
                let (low, high) = range.unwrap_or((number, number));
                Some((low.min(number), high.max(number)))
            });
            let (low, high) = range.unwrap_or_default();
            let bins = operator.bins(low, high);
            let mut column = ColumnBuilder::new(crate::plan::kind_of(field.data_type()));
            values().for_each(|value| column.push(mapped::value(bins.as_ref(), &value)));
            let set = [(operator.output, column.finish())];
            gather::batches_with(batches, &output, &set)
        }))
    }
}
