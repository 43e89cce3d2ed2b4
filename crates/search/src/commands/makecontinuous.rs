//! `makecontinuous`: puts the values of a field into bins, and adds rows for empty bins.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{RecordBatch, UInt32Array};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result as EngineResult;
use datafusion::execution::TaskContext;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::Diagnostic;
use spilltrail_event::{Field, Kind, Value, fields};
use spilltrail_spl::Arguments;

use super::bin;
use super::chart::{
    ALIGNTIME, END, FieldBins, FieldOf, MAX_BINS, MINSPAN, SPAN, START, bins, bins_option,
    field_bins, too_many_bins, within,
};
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes, subsearch};
use crate::lineage::Lineage;
use crate::operators::{Codec, Operator, Running, gather};
use crate::planning::order;
use crate::planning::plan::{Needs, Plan, column};
use crate::rows::arrow::{ColumnBuilder, kind_of};
use crate::rows::cut::BATCH_ROWS;
use crate::rows::mapped;
use crate::rows::sort_key::{SortAs, sort_key};
use crate::rows::state::state_of;

static DOC: CommandDoc = CommandDoc {
    name: "makecontinuous",
    aliases: &[],
    kind: CommandKind::Transforming,
    summary: "Group the values of a field into bins, and add rows for bins without any.",
    syntax: "makecontinuous [<field>] [span=<span>|bins=<int>] [minspan=<span>] [aligntime=<time>] [start=<num>] [end=<num>]",
    arguments: &[
        Argument::positional("field", Takes::Field)
            .doc("The field with times or numbers. Default: `_time`."),
        SPAN,
        bins_option("100"),
        MINSPAN,
        ALIGNTIME,
        START,
        END,
    ],
    examples: &[
        Example {
            title: "An hour without events gets a row",
            events: r#"{"_time":1700000000,"n":"1"}
{"_time":1700007200,"n":"2"}"#,
            search: "| makecontinuous _time span=1h",
            results: r#"{"_time":1699999200,"n":"1"}
{"_time":1700002800}
{"_time":1700006400,"n":"2"}"#,
        },
        Example {
            title: "Ranges of numbers",
            events: "{\"n\":\"25\",\"u\":\"ann\"}\n{\"n\":\"3\",\"u\":\"bob\"}",
            search: "| makecontinuous n span=10",
            results: "{\"n\":\"0-10\",\"u\":\"bob\"}\n{\"n\":\"10-20\"}\n{\"n\":\"20-30\",\"u\":\"ann\"}",
        },
        Example {
            title: "At most four bins, as wide as the values need",
            events: "{\"n\":\"25\"}\n{\"n\":\"3\"}",
            search: "| makecontinuous n bins=4",
            results: "{\"n\":\"0-10\"}\n{\"n\":\"10-20\"}\n{\"n\":\"20-30\"}",
        },
    ],
    differs: &[
        "Rows are sorted by the field. Those with the same bin keep their order, and those without a number come last.",
        "Numbers become ranges such as `0-10`, as with `bin`.",
        "More than 50,000 bins are an error.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::operator::<Continuous>("continuous");

#[derive(Debug)]
struct MakeContinuous {
    field: FieldOf,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut field = None;
    while arguments.more() {
        if field.is_some() {
            arguments.finish()?;
        }
        field = Some(arguments.one_field()?);
    }
    let span = arguments.span();
    let field = field.unwrap_or(spilltrail_diagnostic::Spanned::new(fields::TIME.to_owned(), span));
    let bins = bins(arguments, field.value == fields::TIME)?;
    bin::doubt_span(&field.value, &bins.width, field.span, arguments);
    Ok(Box::new(MakeContinuous { field: FieldOf { field, bins: Some(bins) } }))
}

#[async_trait]
impl Command for MakeContinuous {
    fn needs(&self, after: Needs) -> Needs {
        after.and([&self.field.field.value])
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        before
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let refused = |error| stage.refused(error);
        let mut plan = stage.input(input)?;
        let name = &self.field.field.value;
        let Some(kind) = plan.kind(name) else { return Ok(plan) };
        let rows = if self.field.has_chosen_bins() {
            Some(subsearch::collect(plan.clone(), stage.context, None).await.map_err(refused)?)
        } else {
            None
        };
        let bins = field_bins(&self.field, None, rows.as_ref(), stage)?;
        if let Some(rows) = rows {
            plan = rows.into_plan().map_err(refused)?;
        }
        let Some(bins) = bins else { return Ok(plan) };
        plan = within(plan, &self.field).map_err(refused)?;
        if self.field.has_ends() {
            // A row without the field is not within them.
            plan = plan.filter(column(name).is_not_null()).map_err(refused)?;
        }
        let key = match kind {
            Kind::Number => column(name),
            _ => sort_key(column(name), SortAs::Auto),
        };
        let plan = order::stable_sort(plan, vec![key.sort(true, false)]).map_err(refused)?;
        let plan = plan.forgetting([name.as_str()]);
        Ok(plan.operator(Arc::new(Continuous { column: name.clone(), bins })))
    }

    fn trace(&self, lineage: &mut Lineage) {
        if self.field.has_chosen_bins() {
            lineage.measure([self.field.field.value.clone()]);
        }
    }
}

/// Puts the values of a column, which the rows are sorted by, into bins, and adds rows that have
/// nothing but a bin.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Continuous {
    column: String,
    bins: FieldBins,
}

impl Operator for Continuous {
    fn name(&self) -> &'static str {
        "continuous"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn output(&self, input: &[Field]) -> Vec<Field> {
        let kind = |field: &Field| match &self.bins {
            FieldBins::Number(_) if field.name == self.column => field.kind.or(Kind::Text),
            _ => field.kind,
        };
        input.iter().map(|field| Field::new(&field.name, kind(field))).collect()
    }

    fn needs_rows(&self) -> bool {
        true
    }

    fn start(
        &self,
        _: SchemaRef,
        output: SchemaRef,
        _: &TaskContext,
    ) -> EngineResult<Box<dyn Running>> {
        let continuous = self.clone();
        Ok(Box::new(Filling { continuous, output, last: None, added: 0, rest: None }))
    }
}

/// The value of a row, and the row of the batch that it is, unless it is added.
type Filled = (Value<'static>, Option<u32>);

struct Filling {
    continuous: Continuous,
    output: SchemaRef,
    /// The bin of the last row that has one.
    last: Option<f64>,
    /// The number of rows added.
    added: usize,
    /// The newest batch, and the rows that are not yet returned.
    rest: Option<(RecordBatch, VecDeque<Filled>)>,
}

impl Filling {
    /// Returns the rows of a batch with those added between them.
    fn filled(&mut self, batch: &RecordBatch) -> EngineResult<VecDeque<Filled>> {
        let bins = &self.continuous.bins;
        let mut rows = VecDeque::new();
        let reader = gather::reader(batch, &self.continuous.column)?;
        for (row, number) in (0..batch.num_rows()).zip(0u32..) {
            let value = reader.as_ref().map_or(Value::Null, |reader| reader.value(row));
            let bin = mapped::value(bins.function(), &value);
            if let Some(start) = bin.as_number() {
                let mut next = self.last.and_then(|last| bins.next(last));
                while let Some(empty) = next.filter(|next| *next < start) {
                    self.added += 1;
                    if self.added > MAX_BINS {
                        return Err(too_many_bins());
                    }
                    rows.push_back((Value::Number(empty), None));
                    next = bins.next(empty);
                }
                self.last = Some(start);
            }
            rows.push_back((bin, Some(number)));
        }
        Ok(rows)
    }
}

impl Running for Filling {
    fn push(&mut self, batch: RecordBatch) -> EngineResult<Option<RecordBatch>> {
        let rows = self.filled(&batch)?;
        self.rest = Some((batch, rows));
        self.more()
    }

    fn more(&mut self) -> EngineResult<Option<RecordBatch>> {
        let Some((batch, rows)) = &mut self.rest else { return Ok(None) };
        let count = rows.len().min(BATCH_ROWS);
        if count == 0 {
            self.rest = None;
            return Ok(None);
        }
        let mut numbers = Vec::with_capacity(count);
        let kind = self.output.field_with_name(&self.continuous.column)?.data_type();
        let mut values = ColumnBuilder::new(kind_of(kind));
        for (bin, number) in rows.drain(..count) {
            let label = match bin {
                Value::Multi(_) | Value::Null => bin,
                bin => self.continuous.bins.label(&bin),
            };
            values.push(label);
            numbers.push(number);
        }
        let numbers = UInt32Array::from(numbers);
        let values = values.finish();
        let mut columns = Vec::with_capacity(batch.num_columns());
        for (field, column) in self.output.fields().iter().zip(batch.columns()) {
            columns.push(if *field.name() == self.continuous.column {
                values.clone()
            } else {
                take(column, &numbers, None)?
            });
        }
        gather::of_columns(&self.output, columns, count).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use crate::testing::table;

    #[tokio::test]
    async fn empty_bins_get_rows() {
        let rows = r#"{"_time":100,"n":"41","u":"a"}
{"_time":10,"n":"none","u":"b"}
{"_time":95,"n":"7","u":"c"}
{"_time":55,"u":"d"}"#;
        for (search, expected) in [
            (
                "| table _time u | makecontinuous span=30s",
                vec!["_time | u", "0 b", "30 d", "60 -", "90 c", "90 a"],
            ),
            (
                "| table n u | makecontinuous n span=20",
                vec!["n | u", "0-20 c", "20-40 -", "40-60 a", "none b", "- d"],
            ),
            (
                "| table n u | makecontinuous bins=3 n start=1 end=60",
                vec!["n | u", "0-50 c", "0-50 a"],
            ),
            ("| table u | makecontinuous n", vec!["u", "a", "b", "c", "d"]),
        ] {
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(table(search, rows).await, Ok(expected), "{search}");
        }
        for (search, code) in [
            ("| makecontinuous a b", Code::TRAILING_TEXT),
            ("| makecontinuous a*", Code::BAD_ARGUMENT),
            ("| makecontinuous span=never", Code::BAD_OPTION),
            ("| makecontinuous span=1ms", Code::LIMIT),
        ] {
            assert_eq!(table(search, rows).await, Err(vec![code]), "{search}");
        }
    }
}
