//! The operator that numbers the events of each transaction.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, RecordBatch};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_eval::cancel::is_canceled;
use spilltrail_eval::limits;
use spilltrail_event::{Field, Kind, fields};

use super::grouping::{Ending, Event, Grouper, Rules};
use crate::error::to_engine;
use crate::operators::gather::{self, Given, HeldRows, Room};
use crate::operators::held::Replay;
use crate::operators::{Operator, Running, key};
use crate::rows::arrow::ColumnReader;
use crate::rows::state::state_of;

/// The column with the number of the transaction.
pub(super) const NUMBER: &str = "\u{1}transaction";
/// The column that tells how the transaction ended, as [`of_ending`] writes it.
pub(super) const ENDING: &str = "\u{1}ending";
/// The columns that have a value where the event satisfies the condition for the first and for the
/// last event.
pub(super) const IS_START: &str = "\u{1}start";
pub(super) const IS_END: &str = "\u{1}end";

/// The value of [`ENDING`] for a transaction that ended before it was complete.
pub(super) const NOT_CLOSED: u8 = 0;
/// The value of [`ENDING`] for a complete transaction.
pub(super) const CLOSED: u8 = 1;
/// The value of [`ENDING`] for an event without a transaction.
pub(super) const ORPHAN: u8 = 2;

/// Numbers the events of each transaction in [`NUMBER`], and drops those that are not wanted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Assign {
    /// The fields by which events are grouped.
    pub(super) fields: Vec<String>,
    /// The rules.
    pub(super) rules: Rules,
    /// Whether transactions that are not complete are wanted.
    pub(super) keeps_evicted: bool,
    /// Whether events without a transaction are wanted.
    pub(super) keeps_orphans: bool,
}

impl Operator for Assign {
    fn name(&self) -> &'static str {
        "transaction_assign"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn output(&self, input: &[Field]) -> Vec<Field> {
        let added = [NUMBER, ENDING].map(|name| Field::new(name, Kind::Number));
        gather::fields_with(input, &added)
    }

    fn needs_rows(&self) -> bool {
        true
    }

    fn start(
        &self,
        _: SchemaRef,
        output: SchemaRef,
        context: &TaskContext,
    ) -> Result<Box<dyn Running>> {
        Ok(Box::new(Assigning {
            assign: self.clone(),
            held: Some(HeldRows::new("transaction", output, &Room::of(context))),
            grouper: Some(Grouper::new(self.rules.clone())),
            last_time: None,
            given: Box::new(std::iter::empty()),
        }))
    }
}

struct Assigning {
    assign: Assign,
    /// The rows with their numbers; `None` once they are returned.
    held: Option<HeldRows>,
    grouper: Option<Grouper>,
    last_time: Option<f64>,
    given: Given,
}

impl Assigning {
    /// Checks that times only descend.
    fn check(&mut self, time: Option<f64>) -> Result<()> {
        if let (Some(time), Some(last)) = (time, self.last_time)
            && time > last
        {
            let message = "`transaction` needs rows with the newest first";
            return Err(to_engine(
                Diagnostic::error(Code::UNORDERED, message)
                    .help("put `| sort 0 - _time` before the `transaction`"),
            ));
        }
        self.last_time = time.or(self.last_time);
        Ok(())
    }
}

impl Running for Assigning {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        let readers = key::readers(&batch, &self.assign.fields)?;
        let times = gather::reader(&batch, fields::TIME)?;
        let starts = gather::reader(&batch, IS_START)?;
        let ends = gather::reader(&batch, IS_END)?;
        let is_set = |reader: &Option<ColumnReader>, row: usize| {
            reader.as_ref().is_some_and(|reader| !reader.value(row).is_null())
        };
        let mut numbers: Vec<Option<f64>> = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            if is_canceled() {
                return Err(to_engine(limits::canceled()));
            }
            let time = times.as_ref().and_then(|times| times.value(row).as_number());
            self.check(time)?;
            let values: Vec<_> = readers
                .iter()
                .map(|reader| reader.as_ref().map(|reader| reader.value(row)))
                .collect();
            let event = Event {
                values: values
                    .iter()
                    .map(|value| value.as_ref().map(|value| value.members()).unwrap_or_default())
                    .collect(),
                time,
                is_start: is_set(&starts, row),
                is_end: is_set(&ends, row),
            };
            let Some(grouper) = &mut self.grouper else { return Ok(None) };
            let mut number = grouper.take(&event);
            if number.is_none() && self.assign.keeps_orphans {
                number = grouper.orphan();
            }
            numbers.push(number.map(f64::from));
        }
        let Some(held) = &mut self.held else { return Ok(None) };
        let kept: BooleanArray = numbers.iter().map(|number| Some(number.is_some())).collect();
        let endings: ArrayRef = Arc::new(Float64Array::new_null(batch.num_rows()));
        let added = [
            (NUMBER.to_owned(), Arc::new(Float64Array::from(numbers)) as ArrayRef),
            (ENDING.to_owned(), endings),
        ];
        let numbered = gather::batch_with(&batch, held.schema(), &added)?;
        held.push(&filter_record_batch(&numbered, &kept)?)?;
        Ok(None)
    }

    fn finish(&mut self) -> Result<Option<RecordBatch>> {
        if let (Some(held), Some(grouper)) = (self.held.take(), self.grouper.take()) {
            let assign = &self.assign;
            let endings = grouper.finish().into_iter();
            let endings = endings.map(|ending| of_ending(ending, assign)).collect();
            self.given = Box::new(Ended { rows: held.give()?, endings });
        }
        self.given.next().transpose()
    }

    fn held(&self) -> usize {
        self.grouper.as_ref().map_or(0, Grouper::held)
    }
}

/// Returns the value of [`ENDING`] for a transaction that ended so; `None` if it is not wanted.
fn of_ending(ending: Ending, assign: &Assign) -> Option<u8> {
    match ending {
        Ending::Closed => Some(CLOSED),
        Ending::Left => Some(NOT_CLOSED),
        Ending::Evicted | Ending::Open => assign.keeps_evicted.then_some(NOT_CLOSED),
        Ending::Orphan => Some(ORPHAN),
    }
}

/// The held rows with the ending of their transactions.
struct Ended {
    rows: Replay,
    endings: Vec<Option<u8>>,
}

impl Iterator for Ended {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.rows.next()?;
        Some(batch.and_then(|batch| self.with_endings(&batch)))
    }
}

impl Ended {
    fn with_endings(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let numbers = gather::reader(batch, NUMBER)?;
        let ending = |row: usize| {
            let number = numbers.as_ref()?.value(row).as_number()?;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "the numbers are indices"
            )]
            let ending = self.endings.get(number as usize)?;
            ending.map(f64::from)
        };
        let endings: Float64Array = (0..batch.num_rows()).map(ending).collect();
        let kept: BooleanArray =
            (0..batch.num_rows()).map(|row| Some(endings.is_valid(row))).collect();
        let added = [(ENDING.to_owned(), Arc::new(endings) as ArrayRef)];
        let batch = gather::batch_with(batch, &batch.schema(), &added)?;
        Ok(filter_record_batch(&batch, &kept)?)
    }
}
