//! One row for each member of a multivalue.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use spilltrail_event::{Field, Kind, Value};

use super::{Operator, Running};
use crate::rows::arrow::{ColumnBuilder, ColumnReader};

/// Which rows a value becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// One for each member; none for an absent value.
    Members,
    /// One for each distinct member; none for an absent value.
    DistinctMembers,
    /// One for each member; an absent value keeps its row.
    MembersOrAbsent,
}

/// Gives a row for each member of `column`, which becomes single-valued.
#[derive(Debug)]
pub struct Expand {
    /// The multivalue column.
    pub column: String,
    /// What absent and repeated members become.
    pub whole: Whole,
    /// Members taken of one value at most; 0 is all.
    pub limit: usize,
}

impl Operator for Expand {
    fn name(&self) -> &'static str {
        "expand"
    }

    fn state(&self) -> String {
        format!("{} {:?} {}", self.column, self.whole, self.limit)
    }

    fn output(&self, input: &[Field]) -> Vec<Field> {
        input
            .iter()
            .map(|field| {
                let kind = if field.name == self.column { Kind::Text } else { field.kind };
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
        _: &TaskContext,
    ) -> Result<Box<dyn Running>> {
        let index = input.index_of(&self.column)?;
        Ok(Box::new(Expanding { output, index, whole: self.whole, limit: self.limit }))
    }
}

struct Expanding {
    output: SchemaRef,
    index: usize,
    whole: Whole,
    limit: usize,
}

impl Expanding {
    fn members<'a>(&self, value: Value<'a>) -> Vec<std::borrow::Cow<'a, str>> {
        let mut members = value.into_members();
        if self.whole == Whole::DistinctMembers {
            let mut seen = std::collections::HashSet::new();
            members.retain(|member| seen.insert(member.clone()));
        }
        if self.limit > 0 {
            members.truncate(self.limit);
        }
        members
    }
}

impl Running for Expanding {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        let reader = ColumnReader::new(batch.column(self.index))?;
        let mut rows: Vec<u32> = Vec::with_capacity(batch.num_rows());
        let mut values = ColumnBuilder::new(Kind::Text);
        for row in 0..batch.num_rows() {
            let number = u32::try_from(row).unwrap_or(u32::MAX);
            let members = self.members(reader.value(row));
            if members.is_empty() && self.whole == Whole::MembersOrAbsent {
                rows.push(number);
                values.push(Value::Null);
            }
            for member in members {
                rows.push(number);
                values.push(Value::Text(member));
            }
        }
        let rows = UInt32Array::from(rows);
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(batch.num_columns());
        for (index, column) in batch.columns().iter().enumerate() {
            if index == self.index {
                columns.push(Arc::new(datafusion::arrow::array::NullArray::new(0)));
            } else {
                columns.push(take(column, &rows, None)?);
            }
        }
        columns[self.index] = values.finish();
        Ok(Some(RecordBatch::try_new(self.output.clone(), columns)?))
    }
}
