//! The operator of `fillnull` without a list of fields: fills each column that has a value in some
//! row.

use std::collections::BTreeSet;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use serde::{Deserialize, Serialize};
use spilltrail_event::{Field, Value};

use crate::operators::gather::{self, HeldRows, Room};
use crate::operators::held::Replay;
use crate::operators::{Operator, Running};
use crate::rows::arrow::kind_of;
use crate::rows::arrow::{ColumnBuilder, ColumnReader};
use crate::rows::state::state_of;

/// Replaces nulls with a fixed value. Columns that are null in every row, and internal columns, are
/// not changed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Fill {
    /// The replacement for nulls.
    pub(super) value: String,
}

impl Fill {
    fn covers(name: &str) -> bool {
        !name.starts_with('_')
    }

    /// Returns the kind for a column of `kind` that also holds `value`.
    #[must_use]
    pub(super) fn kind(value: &str, kind: spilltrail_event::Kind) -> spilltrail_event::Kind {
        match spilltrail_event::parse_number(value) {
            Some(_) => kind,
            None => kind.or(spilltrail_event::Kind::Text),
        }
    }
}

impl Operator for Fill {
    fn name(&self) -> &'static str {
        "fill"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn output(&self, input: &[Field]) -> Vec<Field> {
        input
            .iter()
            .map(|field| {
                let is_covered = Self::covers(&field.name);
                let kind =
                    if is_covered { Self::kind(&self.value, field.kind) } else { field.kind };
                Field::new(&field.name, kind)
            })
            .collect()
    }

    fn needs_rows(&self) -> bool {
        true
    }

    fn start(
        &self,
        input: SchemaRef,
        output: SchemaRef,
        context: &TaskContext,
    ) -> Result<Box<dyn Running>> {
        let unseen = (0..input.fields().len())
            .filter(|index| Self::covers(input.field(*index).name()))
            .collect();
        Ok(Box::new(Filling {
            value: self.value.clone(),
            output,
            unseen,
            held: Some(HeldRows::new(self.name(), input, &Room::of(context))),
            released: None,
            last: None,
        }))
    }
}

/// Holds rows until each column has had a value. Until then, a null may have to stay, because a
/// column without any value is not changed.
struct Filling {
    value: String,
    output: SchemaRef,
    /// The indices of columns to fill that have had no value yet.
    unseen: BTreeSet<usize>,
    /// The rows to hold; `None` once they are released.
    held: Option<HeldRows>,
    /// The released rows that are not yet returned.
    released: Option<Replay>,
    /// The newest batch, to return after the released rows.
    last: Option<RecordBatch>,
}

impl Filling {
    /// Returns the batch with nulls replaced, except in columns that have had no value.
    fn filled(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let mut columns = batch.columns().to_vec();
        for (index, field) in self.output.fields().iter().enumerate() {
            if !Fill::covers(field.name()) {
                continue;
            }
            let reader = ColumnReader::new(&columns[index])?;
            let mut builder = ColumnBuilder::new(kind_of(field.data_type()));
            for row in 0..batch.num_rows() {
                builder.push(match reader.value(row) {
                    Value::Null if !self.unseen.contains(&index) => {
                        Value::text(self.value.as_str())
                    }
                    value => value,
                });
            }
            columns[index] = builder.finish();
        }
        gather::of_columns(&self.output, columns, batch.num_rows())
    }

    fn release(&mut self) -> Result<()> {
        if let Some(held) = self.held.take() {
            self.released = Some(held.give()?);
        }
        Ok(())
    }

    /// Returns the next released rows in input order, or `None` if all are returned.
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        if let Some(batch) = self.released.as_mut().and_then(Iterator::next) {
            return Ok(Some(self.filled(&batch?)?));
        }
        self.released = None;
        self.last.take().map(|batch| self.filled(&batch)).transpose()
    }
}

impl Running for Filling {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        for index in std::mem::take(&mut self.unseen) {
            let reader = ColumnReader::new(batch.column(index))?;
            if (0..batch.num_rows()).all(|row| reader.value(row).is_null()) {
                self.unseen.insert(index);
            }
        }
        if let Some(held) = self.held.as_mut().filter(|_| !self.unseen.is_empty()) {
            held.push(&batch)?;
            return Ok(None);
        }
        // All columns have had a value. Held rows, if any, go out before this batch.
        self.release()?;
        self.last = Some(batch);
        self.next()
    }

    fn more(&mut self) -> Result<Option<RecordBatch>> {
        self.next()
    }

    fn finish(&mut self) -> Result<Option<RecordBatch>> {
        self.release()?;
        self.next()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use spilltrail_event::Kind;

    use super::*;
    use crate::rows::arrow::schema_of;
    use crate::rows::arrow::{from_array, to_array};

    #[test]
    fn rows_wait_until_every_column_has_had_a_value() {
        let fill = Fill { value: "none".to_owned() };
        let names = [("a", Kind::Number), ("b", Kind::Text), ("c", Kind::Text)];
        let input = schema_of(names);
        let fields: Vec<Field> = names.map(|(name, kind)| Field::new(name, kind)).into();
        let output = fill.output(&fields);
        let output = schema_of(output.iter().map(|f| (f.name.as_str(), f.kind)));
        let context = TaskContext::default();
        let mut running = fill.start(input.clone(), output, &context).unwrap();
        let row = |a: Value<'static>, b: Value<'static>| {
            let columns = vec![
                to_array(Kind::Number, [a]),
                to_array(Kind::Text, [b]),
                to_array(Kind::Text, [Value::Null]),
            ];
            RecordBatch::try_new(Arc::clone(&input), columns).unwrap()
        };
        assert!(running.push(row(Value::Number(1.0), Value::Null)).unwrap().is_none());
        assert!(running.push(row(Value::Null, Value::text("x"))).unwrap().is_none());
        assert!(context.memory_pool().reserved() > 0);
        let mut rows = Vec::new();
        while let Some(batch) = running.finish().unwrap() {
            let column = |index: usize| from_array(batch.column(index)).unwrap().remove(0);
            rows.push([column(0), column(1), column(2)]);
        }
        let want = [
            [Value::text("1"), Value::text("none"), Value::Null],
            [Value::text("none"), Value::text("x"), Value::Null],
        ];
        assert_eq!(rows, want);
    }
}
