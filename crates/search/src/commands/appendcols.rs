//! `appendcols`: adds the fields of the first subsearch row to the first input row, those of the
//! second to the second, and so on.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result as EngineResult;
use datafusion::execution::TaskContext;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::Diagnostic;
use spilltrail_event::{Field, Value};
use spilltrail_spl::{Arguments, Pipeline};

use super::append::{MAXOUT, MAXTIME, SUBSEARCH, TIMEOUT, maxout, subsearch_and_options};
use super::{
    Argument, Command, CommandDoc, CommandKind, Entry, Example, Parts, Stage, Takes, subsearch,
};
use crate::lineage::Lineage;
use crate::operators::gather::{self, Given};
use crate::operators::{CarriedRows, Codec, Operator, Running};
use crate::planning::plan::{Needs, Plan, kind_of};
use crate::rows::arrow::{ColumnBuilder, ColumnReader};
use crate::rows::cut::BATCH_ROWS;
use crate::rows::state::state_of;

static DOC: CommandDoc = CommandDoc {
    name: "appendcols",
    aliases: &[],
    kind: CommandKind::Dataset,
    summary: "Add the fields of a subsearch's rows to the results, row by row: the first row to the first, and so on.",
    syntax: "appendcols [override=<bool>] [maxout=<int>] [maxtime=<int>] [timeout=<int>] [<subsearch>]",
    arguments: &[
        Argument::option("override", Takes::Bool)
            .default("false")
            .doc("Whether the subsearch's value replaces an existing value."),
        MAXOUT,
        MAXTIME,
        TIMEOUT,
        SUBSEARCH,
    ],
    examples: &[
        Example {
            title: "Two counts side by side",
            events: "{\"a\":\"1\"}\n{\"a\":\"2\"}",
            search: "| stats count as one | appendcols [| makeresults count=3 | stats count as other]",
            results: r#"{"one":2,"other":3}"#,
        },
        Example {
            title: "An existing column is replaced only on request",
            events: "{\"a\":\"1\"}",
            search: "| stats count | appendcols override=t [| makeresults count=4 | stats count]",
            results: r#"{"count":4}"#,
        },
    ],
    differs: &[
        "If the subsearch has more rows than the results, the extra rows are added at the end.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::operator::<Beside>("appendcols");

#[derive(Debug)]
struct AppendColumns {
    overrides: bool,
    limit: usize,
    subsearch: Pipeline,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let subsearch = subsearch_and_options(arguments)?;
    let (overrides, limit) = (arguments.value("override"), maxout(arguments));
    Ok(Box::new(AppendColumns { overrides, limit, subsearch }))
}

#[async_trait]
impl Command for AppendColumns {
    fn parts(&self) -> Parts<'_> {
        Parts { pipelines: vec![&self.subsearch], ..Parts::default() }
    }

    fn needs(&self, after: Needs) -> Needs {
        Needs { order: true, ..after }
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        super::pipeline::with_output_of(&self.subsearch, None, before)
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let mut input = stage.input(input)?;
        let needs = Needs { order: true, ..stage.after.clone() };
        let rows = subsearch::run(&self.subsearch, stage.context, self.limit, needs).await?;
        // Internal fields of the subsearch, such as `_time`, are not added.
        let external = |field: &&Field| !field.name.starts_with('_');
        let fields: Vec<Field> = rows
            .fields
            .iter()
            .filter(external)
            .map(|field| {
                // The output column holds values of both sides, so its kind must cover both.
                let wide = input.kind(&field.name).map_or(field.kind, |kind| kind.or(field.kind));
                Field::new(&field.name, wide)
            })
            .collect();
        if self.overrides {
            input = input.forgetting(fields.iter().map(|field| field.name.as_str()));
        }
        let rows = CarriedRows::new(rows).map_err(|error| stage.refused(error))?;
        Ok(input.operator(Arc::new(Beside { fields, rows, overrides: self.overrides })))
    }

    fn trace(&self, lineage: &mut Lineage) {
        let mut added = Lineage::default();
        added.follow(&self.subsearch);
        lineage.join(&added);
    }
}

/// Adds the fields of the stored subsearch rows to the input rows, in order.
#[derive(Debug, Serialize, Deserialize)]
struct Beside {
    fields: Vec<Field>,
    rows: CarriedRows,
    overrides: bool,
}

impl Operator for Beside {
    fn name(&self) -> &'static str {
        "appendcols"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn identity(&self) -> String {
        format!("{:?} {} {}", self.fields, self.rows.identity(), self.overrides)
    }

    fn output(&self, input: &[Field]) -> Vec<Field> {
        let set = |field: &Field| self.fields.iter().find(|set| set.name == field.name);
        let known = |name: &str| input.iter().any(|field| field.name == name);
        let new = self.fields.iter().filter(|field| !known(&field.name));
        input.iter().map(|field| set(field).unwrap_or(field)).chain(new).cloned().collect()
    }

    fn start(
        &self,
        _: SchemaRef,
        output: SchemaRef,
        _: &TaskContext,
    ) -> EngineResult<Box<dyn Running>> {
        let left = Box::new(self.rows.batches()?);
        Ok(Box::new(Placing { output, left, rest: None, overrides: self.overrides }))
    }
}

struct Placing {
    output: SchemaRef,
    /// The subsearch rows after those in `rest`.
    left: Given,
    /// The unused end of the last batch taken from `left`.
    rest: Option<RecordBatch>,
    overrides: bool,
}

impl Placing {
    /// Returns the next subsearch rows: `count` of them, or fewer at the end, or `None` if all are
    /// used.
    fn beside(&mut self, count: usize) -> EngineResult<Option<RecordBatch>> {
        let mut parts: Vec<RecordBatch> = Vec::new();
        let mut missing = count;
        while missing > 0 {
            let batch = match self.rest.take() {
                Some(rest) => rest,
                None => match self.left.next() {
                    Some(batch) => batch?,
                    None => break,
                },
            };
            let taken = batch.num_rows().min(missing);
            if taken < batch.num_rows() {
                self.rest = Some(batch.slice(taken, batch.num_rows() - taken));
            }
            parts.push(batch.slice(0, taken));
            missing -= taken;
        }
        let Some(first) = parts.first() else { return Ok(None) };
        Ok(Some(concat_batches(&first.schema(), &parts)?))
    }

    /// Returns `count` rows that combine the fields of `batch` and `beside` row by row.
    ///
    /// Either batch may be absent, and `beside` may be shorter than `count`; the missing values are
    /// null.
    fn rows(
        &self,
        batch: Option<&RecordBatch>,
        beside: Option<&RecordBatch>,
        count: usize,
    ) -> EngineResult<RecordBatch> {
        let mut columns: Vec<ArrayRef> = Vec::new();
        for field in self.output.fields() {
            let reader = |batch: Option<&RecordBatch>| {
                let column = batch.and_then(|batch| batch.column_by_name(field.name()));
                column.map(ColumnReader::new).transpose()
            };
            let own = reader(batch)?;
            let beside = if field.name().starts_with('_') { None } else { reader(beside)? };
            let mut builder = ColumnBuilder::new(kind_of(field.data_type()));
            for row in 0..count {
                let value = |reader: &Option<ColumnReader>| {
                    reader.as_ref().map_or(Value::Null, |reader| reader.value(row).into_owned())
                };
                let (own, beside) = (value(&own), value(&beside));
                let takes_beside = !beside.is_null() && (self.overrides || own.is_null());
                builder.push(if takes_beside { beside } else { own });
            }
            columns.push(builder.finish());
        }
        gather::of_columns(&self.output, columns, count)
    }
}

impl Running for Placing {
    fn push(&mut self, batch: RecordBatch) -> EngineResult<Option<RecordBatch>> {
        let beside = self.beside(batch.num_rows())?;
        self.rows(Some(&batch), beside.as_ref(), batch.num_rows()).map(Some)
    }

    fn finish(&mut self) -> EngineResult<Option<RecordBatch>> {
        // Subsearch rows that are left over follow the input rows.
        let Some(beside) = self.beside(BATCH_ROWS)? else { return Ok(None) };
        self.rows(None, Some(&beside), beside.num_rows()).map(Some)
    }
}
