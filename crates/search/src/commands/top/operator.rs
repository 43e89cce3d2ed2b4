//! The operator of `top` and `rare`: keeps the first rows of each group, and computes percentages.

use std::collections::VecDeque;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use serde::{Deserialize, Serialize};
use spilltrail_event::{Field, Kind, Value};

use crate::operators::gather::{self, Gathering, Given, HeldRows};
use crate::operators::key;
use crate::rows::arrow::{ColumnBuilder, ColumnReader, kind_of};

/// The value of the fields in the row that stands for all left-out values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Other(pub(super) String);

/// Keeps the first rows of each group of rows that follow each other.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct First {
    /// The columns by which rows are grouped.
    pub(super) by: Vec<String>,
    /// The columns with the values that are counted.
    pub(super) fields: Vec<String>,
    /// The column with the number of events of each row.
    pub(super) counts: String,
    /// The number of rows to keep in each group; 0 keeps all.
    pub(super) limit: usize,
    /// The output column for the number of events.
    pub(super) count: Option<String>,
    /// The output column for the percentage of the events of the group.
    pub(super) percent: Option<String>,
    /// Whether a row is added for the others.
    pub(super) other: Option<Other>,
}

impl Gathering for First {
    const NAME: &'static str = "first_of_groups";

    fn output(&self, input: &[Field]) -> Vec<Field> {
        let kind = |name: &String| input.iter().find(|field| field.name == *name).map(|f| f.kind);
        let by = self.by.iter().map(|name| Field::new(name, kind(name).unwrap_or(Kind::Text)));
        let fields = self.fields.iter().map(|name| {
            let kind = kind(name).unwrap_or(Kind::Text);
            // The row for the others has a text.
            Field::new(name, if self.other.is_some() { kind.or(Kind::Text) } else { kind })
        });
        let count = self.count.iter().map(|name| Field::new(name, Kind::Number));
        let percent = self.percent.iter().map(|name| Field::new(name, Kind::Text));
        by.chain(fields).chain(count).chain(percent).collect()
    }

    fn given(self, mut rows: HeldRows, output: SchemaRef) -> Result<Given> {
        let mut groups = self.groups(&mut rows)?;
        // The number of rows of the first group in `groups` that have been seen.
        let mut seen = 0;
        Ok(Box::new(
            rows.give()?.map(move |batch| self.ranked(&batch?, &output, &mut groups, &mut seen)),
        ))
    }
}

/// A group of rows.
#[derive(Debug, Clone, Copy, Default)]
struct Group {
    rows: usize,
    events: f64,
    /// The events of the rows that are kept.
    kept: f64,
}

impl First {
    /// Returns the groups in the order of their rows.
    fn groups(&self, rows: &mut HeldRows) -> Result<VecDeque<Group>> {
        let mut groups: VecDeque<Group> = VecDeque::new();
        let mut last: Option<Vec<u8>> = None;
        for batch in rows.replay()? {
            let batch = batch?;
            let columns = key::readers(&batch, &self.by)?;
            let counts = gather::reader(&batch, &self.counts)?;
            let before = groups.len();
            for row in 0..batch.num_rows() {
                let key = key::whole(&columns, row);
                if groups.is_empty() || key != last {
                    groups.push_back(Group::default());
                    last = key;
                }
                let Some(group) = groups.back_mut() else { continue };
                let events = counts.as_ref().and_then(|counts| counts.value(row).as_number());
                let events = events.unwrap_or(0.0);
                group.events += events;
                if self.keeps(group.rows) {
                    group.kept += events;
                }
                group.rows += 1;
            }
            rows.learn((groups.len() - before) * size_of::<Group>())?;
        }
        Ok(groups)
    }

    /// Returns true if the row at this place in its group is kept.
    fn keeps(&self, place: usize) -> bool {
        self.limit == 0 || place < self.limit
    }

    fn ranked(
        &self,
        batch: &RecordBatch,
        output: &SchemaRef,
        groups: &mut VecDeque<Group>,
        seen: &mut usize,
    ) -> Result<RecordBatch> {
        let mut out = Out::new(self, batch, output)?;
        for row in 0..batch.num_rows() {
            let Some(group) = groups.front().copied() else { continue };
            if self.keeps(*seen) {
                let events = out.events(row);
                out.push(row, None, events, group.events);
            }
            *seen += 1;
            if *seen == group.rows {
                if let Some(Other(text)) = &self.other
                    && !self.keeps(group.rows - 1)
                {
                    out.push(row, Some(text), group.events - group.kept, group.events);
                }
                groups.pop_front();
                *seen = 0;
            }
        }
        out.finish(output)
    }
}

/// The output columns of one batch.
struct Out {
    by: Vec<Option<ColumnReader>>,
    fields: Vec<Option<ColumnReader>>,
    counts: Option<ColumnReader>,
    has: (bool, bool),
    columns: Vec<ColumnBuilder>,
    rows: usize,
}

impl Out {
    fn new(first: &First, batch: &RecordBatch, output: &SchemaRef) -> Result<Self> {
        let kinds = output.fields().iter().map(|field| kind_of(field.data_type()));
        Ok(Self {
            by: key::readers(batch, &first.by)?,
            fields: key::readers(batch, &first.fields)?,
            counts: gather::reader(batch, &first.counts)?,
            has: (first.count.is_some(), first.percent.is_some()),
            columns: kinds.map(ColumnBuilder::new).collect(),
            rows: 0,
        })
    }

    fn events(&self, row: usize) -> f64 {
        let events = self.counts.as_ref().and_then(|counts| counts.value(row).as_number());
        events.unwrap_or(0.0)
    }

    /// Adds a row with the BY fields of an input row. If `other` is set, it is the value of all
    /// other fields.
    fn push(&mut self, row: usize, other: Option<&str>, events: f64, of: f64) {
        let Self { by, fields, columns, has, .. } = self;
        let value = |reader: &Option<ColumnReader>| {
            reader.as_ref().map_or(Value::Null, |reader| reader.value(row).into_owned())
        };
        let by = by.iter().map(value);
        let fields = fields.iter().map(|reader| match other {
            Some(text) => Value::text(text.to_owned()),
            None => value(reader),
        });
        let count = has.0.then_some(Value::Number(events));
        let percent = has.1.then(|| Value::text(format!("{:.6}", events / of * 100.0)));
        let values = by.chain(fields).chain(count).chain(percent);
        columns.iter_mut().zip(values).for_each(|(column, value)| column.push(value));
        self.rows += 1;
    }

    fn finish(self, output: &SchemaRef) -> Result<RecordBatch> {
        let columns = self.columns.into_iter().map(ColumnBuilder::finish).collect();
        gather::of_columns(output, columns, self.rows)
    }
}
