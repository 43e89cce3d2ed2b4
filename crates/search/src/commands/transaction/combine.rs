//! The operator that makes one row of the events of each transaction.

use std::borrow::Cow;
use std::collections::BTreeSet;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use serde::{Deserialize, Serialize};
use spilltrail_eval::limits;
use spilltrail_event::{Field, Kind, Value, fields};

use super::assign::{CLOSED, ENDING, NUMBER, ORPHAN};
use crate::error::to_engine;
use crate::operators::{Operator, Running, gather};
use crate::rows;
use crate::rows::arrow::{ColumnBuilder, ColumnReader, kind_of};
use crate::rows::state::state_of;

/// The fields that a transaction gets.
pub(super) const DURATION: &str = "duration";
pub(super) const EVENT_COUNT: &str = "eventcount";
pub(super) const CLOSED_TRANSACTION: &str = "closed_txn";
pub(super) const IS_ORPHAN: &str = "_txn_orphan";

/// Which fields keep all values of the events in their order, instead of each value once, sorted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Lists {
    All(bool),
    Fields(Vec<String>),
}

/// Turns neighboring rows with the same number into one row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Combine {
    /// The fields that keep all values.
    pub(super) lists: Lists,
    /// The value that stands in lists for a missing one.
    pub(super) null: String,
    /// Whether `_raw` is a multivalue.
    pub(super) raw_is_multiple: bool,
    /// Whether `_txn_orphan` is set.
    pub(super) has_orphans: bool,
}

impl Combine {
    fn is_list(&self, name: &str) -> bool {
        name == fields::RAW
            || match &self.lists {
                Lists::All(all) => *all,
                Lists::Fields(names) => names.iter().any(|listed| listed == name),
            }
    }

    /// Returns the fields that a transaction gets besides those of its events.
    fn added(&self) -> Vec<Field> {
        let orphan = self.has_orphans.then_some(IS_ORPHAN);
        let names = [DURATION, EVENT_COUNT, CLOSED_TRANSACTION].into_iter().chain(orphan);
        names.map(|name| Field::new(name, Kind::Number)).collect()
    }
}

impl Operator for Combine {
    fn name(&self) -> &'static str {
        "transaction_combine"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn output(&self, input: &[Field]) -> Vec<Field> {
        let own = input.iter().filter(|field| field.name != NUMBER && field.name != ENDING);
        let own: Vec<Field> = own
            .map(|field| match field.name.as_str() {
                fields::TIME => Field::new(fields::TIME, Kind::Number),
                fields::RAW if !self.raw_is_multiple => Field::new(fields::RAW, Kind::Text),
                name => Field::new(name, Kind::Multi),
            })
            .collect();
        gather::fields_with(&own, &self.added())
    }

    fn needs_rows(&self) -> bool {
        true
    }

    fn start(
        &self,
        input: SchemaRef,
        output: SchemaRef,
        _: &TaskContext,
    ) -> Result<Box<dyn Running>> {
        let columns = output.fields().iter();
        let columns = columns
            .map(|field| Column {
                name: field.name().clone(),
                input: input.index_of(field.name()).ok(),
                is_list: self.is_list(field.name()),
                kind: kind_of(field.data_type()),
                values: Vec::new(),
                distinct: BTreeSet::new(),
                has_value: false,
            })
            .collect();
        Ok(Box::new(Combining {
            combine: self.clone(),
            input,
            output,
            columns,
            group: None,
            bytes: 0,
        }))
    }
}

/// A column of the output, with the values of the transaction so far.
struct Column {
    name: String,
    input: Option<usize>,
    is_list: bool,
    kind: Kind,
    /// The values of a list, newest first.
    values: Vec<String>,
    /// The values of any other column.
    distinct: BTreeSet<String>,
    has_value: bool,
}

/// The transaction whose rows are being read.
struct Group {
    number: f64,
    ending: f64,
    newest: Option<f64>,
    oldest: Option<f64>,
    events: f64,
}

struct Combining {
    combine: Combine,
    input: SchemaRef,
    output: SchemaRef,
    columns: Vec<Column>,
    group: Option<Group>,
    /// The size of the values of the transaction.
    bytes: usize,
}

/// Rows of the output that are being made.
struct Made {
    builders: Vec<ColumnBuilder>,
    rows: usize,
}

impl Combining {
    fn builders(&self) -> Made {
        let builders = self.columns.iter().map(|column| ColumnBuilder::new(column.kind)).collect();
        Made { builders, rows: 0 }
    }

    /// Ends the current transaction, and adds its row.
    fn end(&mut self, made: &mut Made) {
        let Some(group) = self.group.take() else { return };
        for (column, builder) in self.columns.iter_mut().zip(&mut made.builders) {
            builder.push(column.result(&group, &self.combine));
        }
        made.rows += 1;
        self.bytes = 0;
    }

    fn finished(&self, made: Made) -> Result<Option<RecordBatch>> {
        if made.rows == 0 {
            return Ok(None);
        }
        let columns = made.builders.into_iter().map(ColumnBuilder::finish).collect();
        gather::of_columns(&self.output, columns, made.rows).map(Some)
    }

    fn add(&mut self, values: &[Value<'_>]) {
        let time = self.input.index_of(fields::TIME).ok();
        let time = time.and_then(|index| values.get(index)?.as_number());
        if let Some(group) = &mut self.group {
            group.events += 1.0;
            group.newest = group.newest.or(time);
            group.oldest = time.or(group.oldest);
        }
        for column in &mut self.columns {
            let Some(value) = column.input.and_then(|index| values.get(index)) else { continue };
            if column.name == fields::TIME {
                continue;
            }
            let members = value.members();
            column.has_value |= !members.is_empty();
            if column.is_list {
                if members.is_empty() && column.name != fields::RAW {
                    self.bytes += self.combine.null.len() + limits::MEMBER;
                    column.values.push(self.combine.null.clone());
                }
                // The list is reversed at the end.
                for member in members.iter().rev() {
                    self.bytes += member.len() + limits::MEMBER;
                    column.values.push(member.clone().into_owned());
                }
                continue;
            }
            for member in members {
                if !column.distinct.contains(member.as_ref()) {
                    self.bytes += member.len() + limits::MEMBER;
                    column.distinct.insert(member.into_owned());
                }
            }
        }
    }
}

impl Column {
    /// Returns the value for a transaction, and forgets its values.
    fn result(&mut self, group: &Group, combine: &Combine) -> Value<'static> {
        let values = std::mem::take(&mut self.values);
        let distinct = std::mem::take(&mut self.distinct);
        let has_value = std::mem::take(&mut self.has_value);
        let is_orphan = group.ending >= f64::from(ORPHAN);
        let of_transaction =
            |number: f64| if is_orphan { Value::Null } else { Value::Number(number) };
        match self.name.as_str() {
            fields::TIME => group.oldest.map_or(Value::Null, Value::Number),
            DURATION => {
                let span = group.newest.zip(group.oldest).map_or(0.0, |(new, old)| new - old);
                // Times have microseconds; what is beyond them is an error of the subtraction.
                of_transaction((span * 1e6).round() / 1e6)
            }
            EVENT_COUNT => of_transaction(group.events),
            CLOSED_TRANSACTION => {
                of_transaction(if group.ending >= f64::from(CLOSED) { 1.0 } else { 0.0 })
            }
            IS_ORPHAN if combine.has_orphans => {
                if is_orphan {
                    Value::Number(1.0)
                } else {
                    Value::Null
                }
            }
            _ if !has_value => Value::Null,
            fields::RAW if !combine.raw_is_multiple => {
                let lines: Vec<String> = values.into_iter().rev().collect();
                Value::Text(Cow::Owned(lines.join("\n")))
            }
            _ if self.is_list => Value::multi(values.into_iter().rev().map(Cow::Owned).collect()),
            _ => Value::multi(distinct.into_iter().map(Cow::Owned).collect()),
        }
    }
}

impl Running for Combining {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        let readers = rows::readers(batch.columns())?;
        let (numbers, endings) = (gather::reader(&batch, NUMBER)?, gather::reader(&batch, ENDING)?);
        let number = |reader: &Option<ColumnReader>, row: usize| {
            reader.as_ref().and_then(|reader| reader.value(row).as_number()).unwrap_or_default()
        };
        let mut made = self.builders();
        for row in 0..batch.num_rows() {
            let own = number(&numbers, row);
            if self.group.as_ref().is_none_or(|group| group.number.to_bits() != own.to_bits()) {
                self.end(&mut made);
                let ending = number(&endings, row);
                let (newest, oldest, events) = (None, None, 0.0);
                self.group = Some(Group { number: own, ending, newest, oldest, events });
            }
            let values: Vec<Value<'_>> = readers.iter().map(|reader| reader.value(row)).collect();
            self.add(&values);
            let bytes = self.bytes;
            limits::watch(|| limits::allows("transaction", bytes)).map_err(to_engine)?;
        }
        self.finished(made)
    }

    fn finish(&mut self) -> Result<Option<RecordBatch>> {
        let mut made = self.builders();
        self.end(&mut made);
        self.finished(made)
    }

    fn held(&self) -> usize {
        // Each value is a text of its own in a vector or a tree.
        4 * self.bytes
    }
}
