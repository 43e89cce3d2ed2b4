//! Cuts lists of values at a limit, and counts the rows with longer ones.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet};
use serde::{Deserialize, Serialize};
use spilltrail_event::{Field, Kind, Value};

use super::{Operator, Running, gather, observed};
use crate::rows::arrow::{ColumnBuilder, ColumnReader};
use crate::rows::state::state_of;

/// Keeps the first values of multivalue columns. A metric counts the rows that lose values.
#[derive(Debug, Serialize, Deserialize)]
pub struct CutLists {
    /// The columns whose values are cut.
    pub columns: Vec<String>,
    /// The number of values that are kept.
    pub limit: usize,
    /// The start and the end of the command's name in the search.
    pub at: (usize, usize),
}

impl Operator for CutLists {
    fn name(&self) -> &'static str {
        "cut_lists"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn output(&self, input: &[Field]) -> Vec<Field> {
        input.to_vec()
    }

    fn keeps_rows(&self) -> bool {
        true
    }

    fn needs_rows(&self) -> bool {
        true
    }

    fn start(&self, _: SchemaRef, output: SchemaRef, _: &TaskContext) -> Result<Box<dyn Running>> {
        let is_cut = |name: &String| self.columns.contains(name);
        let fields = output.fields().iter().enumerate();
        let columns = fields.filter(|(_, field)| is_cut(field.name())).map(|(index, _)| index);
        Ok(Box::new(Cutting {
            columns: columns.collect(),
            limit: self.limit,
            at: self.at,
            output,
            count: Count::new(),
        }))
    }
}

struct Cutting {
    columns: Vec<usize>,
    limit: usize,
    at: (usize, usize),
    output: SchemaRef,
    count: Count,
}

impl Running for Cutting {
    fn observe(&mut self, metrics: &ExecutionPlanMetricsSet) {
        self.count = observed::list_counter(metrics, self.limit, self.at);
    }

    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        let rows = batch.num_rows();
        let mut is_cut = vec![false; rows];
        let mut columns = batch.columns().to_vec();
        for index in &self.columns {
            let column = &mut columns[*index];
            let lists = column.as_list_opt::<i32>();
            let is_long = |row| {
                lists.is_some_and(|lists| {
                    lists.is_valid(row)
                        && lists.value_length(row).unsigned_abs() as usize > self.limit
                })
            };
            let long: Vec<usize> = (0..rows).filter(|row| is_long(*row)).collect();
            if !long.is_empty() {
                *column = self.cut(column)?;
                long.into_iter().for_each(|row| is_cut[row] = true);
            }
        }
        self.count.add(is_cut.into_iter().filter(|is_cut| *is_cut).count());
        gather::of_columns(&self.output, columns, rows).map(Some)
    }
}

impl Cutting {
    /// Returns the column with the first values of each row.
    fn cut(&self, column: &ArrayRef) -> Result<ArrayRef> {
        let reader = ColumnReader::new(column)?;
        let mut cut = ColumnBuilder::new(Kind::Multi);
        for row in 0..column.len() {
            match reader.value(row) {
                Value::Multi(mut members) => {
                    members.truncate(self.limit);
                    cut.push(Value::multi(members));
                }
                other => cut.push(other),
            }
        }
        Ok(cut.finish())
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use crate::testing::{context, rows, table_of};

    #[tokio::test]
    async fn cut_lists_are_told() {
        for (search, expected, is_told) in [
            ("stats list(a) as l", "100", true),
            ("stats list(a) as l by a", "100", true),
            ("stats list(*) as *, list(a) as l", "100", true),
            ("eventstats list(a) as l", "100", true),
            ("streamstats list(a) as l", "100", true),
            ("streamstats window=101 list(a) as l", "100", true),
            ("chart list(a) as l over b", "100", true),
            ("head 100 | stats list(a) as l", "100", false),
            ("streamstats window=100 list(a) as l", "100", false),
            ("stats values(_time) as l", "1", false),
        ] {
            let context = context(rows(""), 64 << 20);
            let search = format!(
                "| makeresults count=101 | eval a=\"x\", b=1 | {search} | eval n=mvcount(l) | stats max(n) as n"
            );
            let expected = vec!["n".to_owned(), expected.to_owned()];
            assert_eq!(table_of(&search, &context).await, Ok(expected), "{search}");
            let told: Vec<_> = context.observations.messages();
            let is_limit = told.iter().any(|one| one.code == Code::LIMIT && !one.labels.is_empty());
            assert_eq!(is_limit, is_told, "{search}: {told:?}");
        }
    }
}
