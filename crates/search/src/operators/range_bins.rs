//! Bins whose width depends on the range of the values, so all rows must be read first.

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use spilltrail_event::{Field, Kind};

use super::gather::{self, Gathering, Given, HeldRows};
use crate::rows::arrow::ColumnBuilder;
use crate::rows::arrow::kind_of;
use crate::rows::bins::{self, NumberBins, TimeBins};
use crate::rows::mapped::{self, ValueFunction};
use crate::rows::zone;

/// Puts the values of a column into at most `count` bins of a round width.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RangeBins {
    /// The column whose values are put into bins.
    pub column: String,
    /// The column that receives the bins.
    pub output: String,
    /// The maximum number of bins.
    pub count: usize,
    /// The minimum width of a bin; for times, in seconds.
    #[serde(with = "spilltrail_event::exact")]
    pub minimum: f64,
    /// The start of the range, unless a row has a lower value.
    #[serde(with = "spilltrail_event::exact::option")]
    pub start: Option<f64>,
    /// The end of the range, unless a row has a higher value.
    #[serde(with = "spilltrail_event::exact::option")]
    pub end: Option<f64>,
    /// The time zone if the values are times.
    #[serde(with = "zone::option")]
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

impl Gathering for RangeBins {
    const NAME: &'static str = "range_bins";

    fn output(&self, input: &[Field]) -> Vec<Field> {
        let kind = input.iter().find(|field| field.name == self.column).map(|field| field.kind);
        match kind {
            Some(kind) => gather::fields_with(input, &[Field::new(&self.output, self.kind(kind))]),
            None => input.to_vec(),
        }
    }

    fn given(self, mut rows: HeldRows, output: SchemaRef) -> Result<Given> {
        let Ok(field) = output.field_with_name(&self.output) else {
            // The input column does not exist, so the rows stay as they are.
            return Ok(Box::new(rows.give()?));
        };
        let kind = kind_of(field.data_type());
        let mut range: Option<(f64, f64)> = None;
        let mut see = |number: f64| {
            let (low, high) = range.unwrap_or((number, number));
            range = Some((low.min(number), high.max(number)));
        };
        for batch in rows.replay()? {
            let batch = batch?;
            let Some(reader) = gather::reader(&batch, &self.column)? else { continue };
            for row in 0..batch.num_rows() {
                let value = reader.value(row);
                match value.as_number() {
                    Some(number) => see(number),
                    None => value
                        .members()
                        .iter()
                        .filter_map(|member| spilltrail_event::parse_number(member))
                        .for_each(&mut see),
                }
            }
        }
        self.start.into_iter().chain(self.end).for_each(see);
        let (low, high) = range.unwrap_or_default();
        let bins = self.bins(low, high);
        Ok(Box::new(rows.give()?.map(move |batch| {
            let batch = batch?;
            let Some(reader) = gather::reader(&batch, &self.column)? else { return Ok(batch) };
            let mut column = ColumnBuilder::new(kind);
            let values = (0..batch.num_rows()).map(|row| reader.value(row));
            values.for_each(|value| column.push(mapped::value(bins.as_ref(), &value)));
            gather::batch_with(&batch, &output, &[(self.output.clone(), column.finish())])
        })))
    }
}
