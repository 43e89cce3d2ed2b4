//! The operator of `trendline`: computes moving averages row by row.

use std::collections::VecDeque;

use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use serde::{Deserialize, Serialize};
use spilltrail_event::{Field, Kind, Value};

use crate::operators::{Operator, Running, gather};
use crate::rows::arrow::{ColumnBuilder, ColumnReader};
use crate::rows::state::state_of;

/// The kind of a moving average: how the numbers of its window are weighted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum TrendKind {
    /// All numbers have the same weight.
    Simple,
    /// The oldest number has the weight 1, the next one 2, and so on.
    Weighted,
    /// The newest number has the weight 2 / (period + 1), and the previous average has the rest.
    /// The first number starts the average.
    Exponential,
}

/// A moving average of a column.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Trend {
    /// The column to average.
    pub(super) column: String,
    /// The column that gets the average.
    pub(super) output: String,
    /// The kind of average.
    pub(super) kind: TrendKind,
    /// The number of values in the window. Rows get no average before this many have been read.
    pub(super) period: usize,
}

/// Adds moving averages. A row whose column has no number gets no average and does not count.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Trends(pub Vec<Trend>);

impl Operator for Trends {
    fn name(&self) -> &'static str {
        "trends"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn output(&self, input: &[Field]) -> Vec<Field> {
        let made = self.0.iter().map(|trend| Field::new(&trend.output, Kind::Number));
        gather::fields_with(input, &made.collect::<Vec<_>>())
    }

    fn needs_rows(&self) -> bool {
        true
    }

    fn start(&self, _: SchemaRef, output: SchemaRef, _: &TaskContext) -> Result<Box<dyn Running>> {
        let averages = self.0.iter().map(|trend| Average::new(trend.kind, trend.period)).collect();
        Ok(Box::new(Trending { trends: self.0.clone(), averages, output }))
    }
}

struct Trending {
    trends: Vec<Trend>,
    averages: Vec<Average>,
    output: SchemaRef,
}

impl Running for Trending {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        let mut set: Vec<(String, ArrayRef)> = Vec::new();
        for (trend, average) in self.trends.iter().zip(&mut self.averages) {
            let reader = batch.column_by_name(&trend.column).map(ColumnReader::new).transpose()?;
            let mut column = ColumnBuilder::new(Kind::Number);
            for row in 0..batch.num_rows() {
                let number = reader.as_ref().and_then(|reader| reader.value(row).as_number());
                let averaged = number.and_then(|number| average.add(number));
                column.push(averaged.map_or(Value::Null, Value::Number));
            }
            set.push((trend.output.clone(), column.finish()));
        }
        gather::batch_with(&batch, &self.output, &set).map(Some)
    }

    fn held(&self) -> usize {
        self.averages.iter().map(|average| average.window.capacity() * 8).sum()
    }
}

/// The state of a moving average.
#[derive(Debug)]
struct Average {
    kind: TrendKind,
    period: usize,
    window: VecDeque<f64>,
    exponential: Option<f64>,
}

impl Average {
    fn new(kind: TrendKind, period: usize) -> Self {
        Self { kind, period, window: VecDeque::new(), exponential: None }
    }

    /// Adds the next number; returns the average, or `None` while there are too few numbers.
    #[expect(clippy::cast_precision_loss, reason = "periods are small")]
    fn add(&mut self, number: f64) -> Option<f64> {
        self.window.push_back(number);
        if self.window.len() > self.period {
            self.window.pop_front();
        }
        let period = self.period as f64;
        let alpha = 2.0 / (period + 1.0);
        let before = self.exponential.unwrap_or(number);
        let exponential = alpha * number + (1.0 - alpha) * before;
        self.exponential = Some(exponential);
        if self.window.len() < self.period {
            return None;
        }
        Some(match self.kind {
            TrendKind::Simple => self.window.iter().sum::<f64>() / period,
            TrendKind::Weighted => {
                let weighted = self.window.iter().zip(1u32..).map(|(n, w)| n * f64::from(w));
                weighted.sum::<f64>() / (period * (period + 1.0) / 2.0)
            }
            TrendKind::Exponential => exponential,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_move() {
        let averages = |kind, period, numbers: &[f64]| -> Vec<Option<f64>> {
            let mut average = Average::new(kind, period);
            numbers.iter().map(|number| average.add(*number)).collect()
        };
        let numbers = [2.0, 4.0, 6.0, 11.0];
        let simple = averages(TrendKind::Simple, 3, &numbers);
        assert_eq!(simple, [None, None, Some(4.0), Some(7.0)]);
        let weighted = averages(TrendKind::Weighted, 2, &[3.0, 6.0, 0.0]);
        assert_eq!(weighted, [None, Some(5.0), Some(2.0)]);
        let exponential = averages(TrendKind::Exponential, 3, &numbers);
        assert_eq!(exponential, [None, None, Some(4.5), Some(7.75)]);
    }
}
