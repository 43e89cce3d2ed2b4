//! `selfjoin`: joins rows with later rows that have the same values.

use std::collections::HashMap;

use async_trait::async_trait;
use datafusion::arrow::array::{Array, ArrayRef, RecordBatch};
use datafusion::arrow::compute::interleave;
use datafusion::common::Result as EngineResult;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use spilltrail_diagnostic::{Code, Diagnostic, Spanned};
use spilltrail_spl::Arguments;

use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes, subsearch};
use crate::context::SearchContext;
use crate::operators::{KeptRows, gather, key};
use crate::planning::plan::{Needs, Plan};
use crate::rows::cut::BATCH_ROWS;

/// The maximum number of rows that are joined.
const MAX_ROWS: usize = 100_000;

/// The maximum number of joined rows.
const MAX_JOINED: usize = 1_000_000;

static DOC: CommandDoc = CommandDoc {
    name: "selfjoin",
    aliases: &[],
    kind: CommandKind::Dataset,
    summary: "Join each row with the next row that has the same values of some fields.",
    syntax: "selfjoin [overwrite=<bool>] [max=<int>] [keepsingle=<bool>] <field> …",
    arguments: &[
        Argument::option("overwrite", Takes::Bool).default("true").doc(
            "Whether the values of the later row replace those of the earlier one. Otherwise they are added where the earlier row has none.",
        ),
        Argument::option("max", Takes::Count)
            .default("1")
            .doc("With how many later rows each row is joined; 0 for all of them."),
        Argument::option("keepsingle", Takes::Bool)
            .default("false")
            .doc("Whether rows are kept that no other row has the same values as."),
        Argument::positional("field", Takes::Fields)
            .doc("The fields whose values the rows must have in common."),
    ],
    examples: &[
        Example {
            title: "The start and the end of each session in one row",
            events: r#"{"id":"1","start":"10:00"}
{"id":"2","start":"10:05"}
{"id":"1","end":"10:20"}"#,
            search: "| selfjoin id | table id start end",
            results: r#"{"id":"1","start":"10:00","end":"10:20"}"#,
        },
        Example {
            title: "Values of the earlier row count, and a row without another one stays",
            events: r#"{"user":"ann","ip":"10.0.0.1"}
{"user":"ann","ip":"10.0.0.2","agent":"curl"}
{"user":"bob","ip":"10.0.0.3"}"#,
            search: "| selfjoin overwrite=f keepsingle=t user | table user ip agent",
            results: r#"{"user":"ann","ip":"10.0.0.1","agent":"curl"}
{"user":"bob","ip":"10.0.0.3"}"#,
        },
    ],
    differs: &[
        "Rows are joined in their order, whatever their `_time`. The joined rows are in the order of the earlier rows.",
        "Rows without one of the fields are joined with none, and are left out with `keepsingle=t`, too.",
        "Splunk joins the first 100,000 rows in silence; here a warning says so (SPL3001). More than 1,000,000 joined rows are an error.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct SelfJoin {
    keys: Vec<String>,
    joining: Joining,
}

/// Which rows are joined, and whose values count.
#[derive(Debug, Clone, Copy)]
struct Joining {
    overwrites: bool,
    /// The maximum number of later rows for each row.
    most: usize,
    keeps_single: bool,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut fields: Vec<Spanned<String>> = Vec::new();
    while arguments.more() {
        fields.extend(arguments.fields()?);
    }
    if fields.is_empty() {
        return Err(Diagnostic::error(Code::MISSING_ARGUMENT, "expected a field to join by")
            .at(arguments.span())
            .help("for example `selfjoin session_id`"));
    }
    arguments.each_is_one_field(&fields);
    arguments.each_once(&fields);
    let most = match arguments.value("max") {
        0 => usize::MAX,
        most => most,
    };
    let joining = Joining {
        overwrites: arguments.value("overwrite"),
        most,
        keeps_single: arguments.value("keepsingle"),
    };
    let keys = fields.into_iter().map(|field| field.value).collect();
    Ok(Box::new(SelfJoin { keys, joining }))
}

#[async_trait]
impl Command for SelfJoin {
    fn needs(&self, after: Needs) -> Needs {
        Needs { order: true, ..after.and(&self.keys) }
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        before
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let refused = |error| stage.refused(error);
        let input = stage.input(input)?;
        let styles = input.styles();
        let rows = subsearch::collect(input, stage.context, Some(MAX_ROWS + 1)).await;
        let mut rows = rows.map_err(refused)?;
        if rows.len() > MAX_ROWS {
            let message =
                format!("`selfjoin` joins the first {MAX_ROWS} rows; the rest is left out");
            stage.context.observations.message(
                Diagnostic::warning(Code::LIMIT, message)
                    .at(stage.span)
                    .help("keep fewer rows before it, or group them with `stats`"),
            );
            rows = rows.truncated(MAX_ROWS);
        }
        let environment = stage.context.session.runtime_env();
        let memory = MemoryConsumer::new("selfjoin").register(&environment.memory_pool);
        let groups = self.groups(&rows, &memory).map_err(refused)?;
        let Some(pairs) = self.joining.pairs(&groups, rows.len()) else {
            let message = format!("the rows would become more than {MAX_JOINED} joined rows");
            return Err(Diagnostic::error(Code::TOO_LARGE, message)
                .at(stage.span)
                .help("set `max`, or join by more fields"));
        };
        memory.try_grow(pairs.len() * size_of::<Pair>()).map_err(refused)?;
        let joined = self.joining.joined(&rows, &pairs, stage.context, &memory);
        let plan = joined.and_then(KeptRows::into_plan).map_err(refused)?;
        Ok(plan.with_styles(styles))
    }
}

/// The numbers of an earlier and a later row that become one; `None` for a row that stays alone.
type Pair = (usize, Option<usize>);

impl SelfJoin {
    /// Returns the number of the group of each row; `None` if the row lacks a field.
    fn groups(
        &self,
        rows: &KeptRows,
        memory: &MemoryReservation,
    ) -> EngineResult<Vec<Option<usize>>> {
        let mut numbers: HashMap<Vec<u8>, usize> = HashMap::new();
        let mut groups = Vec::new();
        for batch in rows.batches()? {
            let batch = batch?;
            let readers = key::readers(&batch, &self.keys)?;
            for row in 0..batch.num_rows() {
                memory.try_grow(size_of::<Option<usize>>())?;
                let Some(key) = key::whole(&readers, row) else {
                    groups.push(None);
                    continue;
                };
                let next = numbers.len();
                if !numbers.contains_key(&key) {
                    memory.try_grow(key.len() + key::HELD)?;
                }
                groups.push(Some(*numbers.entry(key).or_insert(next)));
            }
        }
        Ok(groups)
    }
}

impl Joining {
    /// Returns which rows are joined, in order; `None` if there are too many.
    fn pairs(self, groups: &[Option<usize>], rows: usize) -> Option<Vec<Pair>> {
        // The next row of the same group.
        let mut next: Vec<Option<usize>> = vec![None; rows];
        let mut last: HashMap<usize, usize> = HashMap::new();
        let mut is_first = vec![false; rows];
        for (row, group) in groups.iter().enumerate() {
            let Some(group) = group else { continue };
            match last.insert(*group, row) {
                Some(before) => next[before] = Some(row),
                None => is_first[row] = true,
            }
        }
        let mut pairs = Vec::new();
        for row in 0..rows {
            let mut other = next[row];
            if other.is_none() && is_first[row] && self.keeps_single {
                pairs.push((row, None));
            }
            let mut left = self.most;
            while let Some(later) = other.filter(|_| left > 0) {
                pairs.push((row, Some(later)));
                if pairs.len() > MAX_JOINED {
                    return None;
                }
                (other, left) = (next[later], left - 1);
            }
        }
        Some(pairs)
    }

    /// Returns the joined rows.
    fn joined(
        self,
        rows: &KeptRows,
        pairs: &[Pair],
        context: &SearchContext,
        memory: &MemoryReservation,
    ) -> EngineResult<KeptRows> {
        let mut batches: Vec<RecordBatch> = Vec::new();
        // The batch and the place of each row.
        let mut places: Vec<(usize, usize)> = Vec::new();
        for batch in rows.batches()? {
            let batch = batch?;
            let added = batch.num_rows() * size_of::<(usize, usize)>();
            memory.try_grow(batch.get_array_memory_size() + added)?;
            places.extend((0..batch.num_rows()).map(|row| (batches.len(), row)));
            batches.push(batch);
        }
        let environment = context.session.runtime_env();
        let mut joined = KeptRows::new(rows.fields.clone(), rows.transformed, &environment);
        let Some(schema) = batches.first().map(RecordBatch::schema) else { return Ok(joined) };
        for pairs in pairs.chunks(BATCH_ROWS) {
            let columns = (0..schema.fields().len()).map(|index| {
                let parts: Vec<&ArrayRef> =
                    batches.iter().map(|batch| batch.column(index)).collect();
                let chosen: Vec<(usize, usize)> =
                    pairs.iter().map(|pair| self.chosen(*pair, &parts, &places)).collect();
                let parts: Vec<&dyn Array> = parts.into_iter().map(AsRef::as_ref).collect();
                Ok(interleave(&parts, &chosen)?)
            });
            let columns = columns.collect::<EngineResult<Vec<_>>>()?;
            joined.push(&gather::of_columns(&schema, columns, pairs.len())?)?;
        }
        Ok(joined)
    }

    /// Returns the place of the value that a joined row has in a column.
    fn chosen(
        self,
        (earlier, later): Pair,
        parts: &[&ArrayRef],
        places: &[(usize, usize)],
    ) -> (usize, usize) {
        let earlier = places[earlier];
        let Some(later) = later.map(|later| places[later]) else { return earlier };
        let has_value = |(batch, row): (usize, usize)| parts[batch].is_valid(row);
        let (wanted, other) = if self.overwrites { (later, earlier) } else { (earlier, later) };
        if has_value(wanted) { wanted } else { other }
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use super::*;
    use crate::testing::{context, rows, table, table_of};

    #[test]
    fn each_row_is_joined_with_the_next_ones_of_its_group() {
        let groups = [Some(0), Some(1), Some(0), None, Some(2), Some(0), Some(1)];
        for (most, keeps_single, expected) in [
            (1, false, vec![(0, Some(2)), (1, Some(6)), (2, Some(5))]),
            (1, true, vec![(0, Some(2)), (1, Some(6)), (2, Some(5)), (4, None)]),
            (usize::MAX, false, vec![(0, Some(2)), (0, Some(5)), (1, Some(6)), (2, Some(5))]),
        ] {
            let joining = Joining { overwrites: true, most, keeps_single };
            assert_eq!(joining.pairs(&groups, groups.len()), Some(expected), "{most}");
        }
        let joining = Joining { overwrites: true, most: usize::MAX, keeps_single: false };
        assert_eq!(joining.pairs(&vec![Some(0); 2_000], 2_000), None);
        let joining = Joining { most: 10, ..joining };
        assert_eq!(
            joining.pairs(&vec![Some(0); 2_000], 2_000).map(|pairs| pairs.len()),
            Some(19_945)
        );
    }

    const ROWS: &str = r#"{"k":"x","a":"1","b":"p1","c":"q1"}
{"k":"x","a":"2","b":"p2"}
{"k":"y","a":"9","m":["u","v"]}
{"k":"x","a":"3","b":"p3","c":"q3"}
{"a":"8"}
{"k":["x","y"],"a":"7"}
{"k":"x","a":"4","b":"p4"}"#;

    #[tokio::test]
    async fn values_of_the_later_row_count_where_it_has_some() {
        let joined = "k | a | b | c | m";
        for (options, expected) in [
            ("k", vec![joined, "x 2 p2 q1 -", "x 3 p3 q3 -", "x 4 p4 q3 -"]),
            ("overwrite=f k", vec![joined, "x 1 p1 q1 -", "x 2 p2 q3 -", "x 3 p3 q3 -"]),
            (
                "k keepsingle=t",
                vec![
                    joined,
                    "x 2 p2 q1 -",
                    "x 3 p3 q3 -",
                    "y 9 - - u v",
                    "x 4 p4 q3 -",
                    "x y 7 - - -",
                ],
            ),
            (
                "max=2 k",
                vec![
                    joined,
                    "x 2 p2 q1 -",
                    "x 3 p3 q3 -",
                    "x 3 p3 q3 -",
                    "x 4 p4 - -",
                    "x 4 p4 q3 -",
                ],
            ),
            ("k a", vec![joined]),
            ("nosuch", vec![joined]),
        ] {
            let search = format!("| table k a b c m | selfjoin {options}");
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(table(&search, ROWS).await, Ok(expected), "{options}");
        }
        for (options, code) in [
            ("", Code::MISSING_ARGUMENT),
            ("k*", Code::BAD_ARGUMENT),
            ("k k", Code::BAD_ARGUMENT),
            ("max=-1 k", Code::BAD_OPTION),
        ] {
            let search = format!("| selfjoin {options}");
            assert_eq!(table(&search, ROWS).await, Err(vec![code]), "{options}");
        }
        let search = "| makeresults count=2000 | eval k=1 | selfjoin max=0 k";
        assert_eq!(table(search, ROWS).await, Err(vec![Code::TOO_LARGE]));
    }

    #[tokio::test]
    async fn rows_beyond_the_limit_are_told() {
        let context = context(rows(""), 256 << 20);
        let search = "| makeresults count=100002 | eval k=1 | table k | selfjoin k | stats count";
        let found = table_of(search, &context).await;
        assert_eq!(found, Ok(vec!["count".to_owned(), "99999".to_owned()]));
        let messages = context.observations.messages();
        assert_eq!(messages.iter().map(|told| told.code).collect::<Vec<_>>(), [Code::LIMIT]);
    }
}
