//! `set`: combines the results of two subsearches as sets.

use std::collections::HashMap;

use async_trait::async_trait;
use datafusion::arrow::array::{BooleanArray, RecordBatch};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::common::Result as EngineResult;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_spl::{Arguments, Pipeline};

use super::subsearch::{self, MAX_APPENDED_ROWS};
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Parts, Stage, Takes};
use crate::context::SearchContext;
use crate::lineage::Lineage;
use crate::operators::{KeptRows, key};
use crate::planning::plan::{Needs, Plan};
use crate::rows;

const OPERATIONS: [(&str, Operation); 3] = [
    ("union", Operation::Union),
    ("diff", Operation::Difference),
    ("intersect", Operation::Intersection),
];

static DOC: CommandDoc = CommandDoc {
    name: "set",
    aliases: &[],
    kind: CommandKind::Generating,
    summary: "Return the results of two searches that either, only one or both of them have.",
    syntax: "set union|diff|intersect [<subsearch>] [<subsearch>]",
    arguments: &[
        Argument::positional("operation", Takes::OneOf(&["union", "diff", "intersect"])).doc(
            "Which results are returned, each once: those of either search (`union`), of exactly one of them (`diff`), or of both (`intersect`).",
        ),
        Argument::positional("subsearch", Takes::Subsearch).doc(
            "Two searches. Results are the same if all their fields are, also `_time` and `_raw`: remove those with `fields` or `table` to compare events by some of their fields.",
        ),
    ],
    examples: &[
        Example {
            title: "Users of both actions",
            events: r#"{"_time":1,"user":"ann","action":"get"}
{"_time":2,"user":"bob","action":"get"}
{"_time":3,"user":"ann","action":"put"}"#,
            search: "| set intersect [search action=get | table user] [search action=put | table user]",
            results: r#"{"user":"ann"}"#,
        },
        Example {
            title: "Users of one action and not of the other",
            events: r#"{"_time":1,"user":"ann","action":"get"}
{"_time":2,"user":"bob","action":"get"}
{"_time":3,"user":"ann","action":"put"}
{"_time":4,"user":"eve","action":"put"}"#,
            search: "| set diff [search action=get | stats count by user] [search action=put | stats count by user]",
            results: "{\"user\":\"bob\",\"count\":1}\n{\"user\":\"eve\",\"count\":1}",
        },
    ],
    differs: &[
        "Splunk ignores results of a subsearch beyond the first 50,000 in silence; here a warning says so (SPL3001).",
        "The results of the first search come first, and those of the second one after them, each in its order.",
        "A missing value is the same as another one, and a number the same as its text.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

/// Which results are returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Union,
    Difference,
    Intersection,
}

#[derive(Debug)]
struct SetOf {
    operation: Operation,
    searches: [Pipeline; 2],
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let help = "for example `set diff [search a=1 | table user] [search b=2 | table user]`";
    let Some(word) = arguments.word() else {
        let message = "expected `union`, `diff` or `intersect`";
        return Err(Diagnostic::error(Code::MISSING_ARGUMENT, message)
            .at(arguments.span())
            .help(help));
    };
    let known = OPERATIONS.iter().find(|(name, _)| word.value.eq_ignore_ascii_case(name));
    let Some((_, operation)) = known else {
        let message = format!("expected `union`, `diff` or `intersect`, found `{}`", word.value);
        return Err(Diagnostic::error(Code::BAD_ARGUMENT, message).at(word.span).help(help));
    };
    let mut searches = Vec::new();
    while let Some(search) = arguments.subsearch() {
        searches.push(search?);
    }
    arguments.finish()?;
    let found = searches.len();
    let searches = <[Pipeline; 2]>::try_from(searches).map_err(|_| {
        let code = if found < 2 { Code::MISSING_ARGUMENT } else { Code::BAD_ARGUMENT };
        let message = format!("expected two searches in square brackets, found {found}");
        Diagnostic::error(code, message).at(arguments.span()).help(help)
    })?;
    Ok(Box::new(SetOf { operation: *operation, searches }))
}

#[async_trait]
impl Command for SetOf {
    fn parts(&self) -> Parts<'_> {
        Parts { pipelines: self.searches.iter().collect(), ..Parts::default() }
    }

    fn needs(&self, _: Needs) -> Needs {
        Needs::only::<&str>([])
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        stage.must_be_first(input.as_ref())?;
        let refused = |error| stage.refused(error);
        // All fields are compared, whatever later commands need.
        let needs = || Needs { order: true, ..stage.after.clone().and_all() };
        let [first, second] = &self.searches;
        let first = subsearch::run(first, stage.context, MAX_APPENDED_ROWS, needs()).await?;
        let second = subsearch::run(second, stage.context, MAX_APPENDED_ROWS, needs()).await?;
        let of_first = first.len();
        let all = subsearch::together(vec![first, second], stage.context).map_err(refused)?;
        let rows = self.operation.rows(&all, of_first, stage.context).map_err(refused)?;
        rows.into_plan().map_err(refused)
    }

    fn trace(&self, lineage: &mut Lineage) {
        self.searches.iter().for_each(|search| lineage.append_rows_of(search));
    }
}

/// The searches that have a result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Origin {
    first: bool,
    second: bool,
}

impl Operation {
    /// Returns true if a result with this origin is returned.
    fn takes(self, origin: Origin) -> bool {
        match self {
            Self::Union => true,
            Self::Difference => origin.first != origin.second,
            Self::Intersection => origin.first && origin.second,
        }
    }

    /// Returns the results among `all`, of which the first `of_first` are those of the first search.
    fn rows(
        self,
        all: &KeptRows,
        of_first: usize,
        context: &SearchContext,
    ) -> EngineResult<KeptRows> {
        let environment = context.session.runtime_env();
        let memory = MemoryConsumer::new("set").register(&environment.memory_pool);
        let mut origins: HashMap<Vec<u8>, Origin> = HashMap::new();
        let mut number = 0;
        for batch in all.batches()? {
            for key in keys(&batch?)? {
                let is_first = number < of_first;
                number += 1;
                reserve(&memory, &origins, &key)?;
                let origin = origins.entry(key).or_default();
                origin.first |= is_first;
                origin.second |= !is_first;
            }
        }
        let mut rows = KeptRows::new(all.fields.clone(), all.transformed, &environment);
        for batch in all.batches()? {
            let batch = batch?;
            // A result that is returned is removed, so that it is returned once.
            let is_taken = |key| origins.remove(&key).is_some_and(|origin| self.takes(origin));
            let taken: BooleanArray = keys(&batch)?.into_iter().map(is_taken).map(Some).collect();
            rows.push(&filter_record_batch(&batch, &taken)?)?;
        }
        Ok(rows)
    }
}

/// Reserves memory for a key that is not yet known.
fn reserve(
    memory: &MemoryReservation,
    origins: &HashMap<Vec<u8>, Origin>,
    key: &[u8],
) -> EngineResult<()> {
    if origins.contains_key(key) { Ok(()) } else { memory.try_grow(key.len() + key::HELD) }
}

/// Returns a key for each row; keys are equal exactly if all values of the rows are.
fn keys(batch: &RecordBatch) -> EngineResult<Vec<Vec<u8>>> {
    let readers = rows::readers(batch.columns())?;
    let key = |row: usize| key::with_absent(readers.iter().map(|reader| reader.value(row)));
    Ok((0..batch.num_rows()).map(key).collect())
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use super::*;
    use crate::testing::{context, rows, table, table_of};

    #[test]
    fn operations_take_results_by_their_origin() {
        for (first, second, expected) in
            [(true, false, [true, true, false]), (true, true, [true, false, true])]
        {
            let taken = OPERATIONS.map(|(_, operation)| operation.takes(Origin { first, second }));
            assert_eq!(taken, expected, "{first} {second}");
            // The order of the searches does not count.
            let other = Origin { first: second, second: first };
            assert_eq!(OPERATIONS.map(|(_, operation)| operation.takes(other)), expected);
        }
    }

    const ROWS: &str = r#"{"_time":1,"a":"1","b":"x","m":["p","q"]}
{"_time":2,"a":"2","b":"x"}
{"_time":3,"a":"1","b":"y","m":["p","q"]}
{"_time":4,"a":"2","b":"y","m":"q"}
{"_time":5,"a":"1","b":"x","m":["p","q"]}"#;

    #[tokio::test]
    async fn results_are_compared_in_all_fields() {
        for (search, expected) in [
            (
                "union [search b=x | table a m] [search b=y | table a m]",
                vec!["a | m", "1 p q", "2 -", "2 q"],
            ),
            ("diff [search b=x | table a m] [search b=y | table a m]", vec!["a | m", "2 -", "2 q"]),
            ("INTERSECT [search b=x | table a m] [search b=y | table a m]", vec!["a | m", "1 p q"]),
            // Fields that only one search has are missing in the results of the other.
            ("intersect [search b=x | table a] [search b=y | table a b]", vec!["a | b"]),
            (
                "intersect [search b=x | table a] [search b=y | table a c]",
                vec!["a | c", "1 -", "2 -"],
            ),
            // Events differ in their time, which `fields` keeps.
            (
                "union [search b=x a=1 | fields a] [search b=y a=1 | fields a] | stats count",
                vec!["count", "3"],
            ),
            (
                "union [search b=x | fields a | fields - _*] [search b=y | fields a | fields - _*] | stats count",
                vec!["count", "2"],
            ),
            // A number is the same as its text.
            (
                "intersect [search b=y | eval n=a+0 | table n] [search b=x | rename a as n | table n]",
                vec!["n", "2", "1"],
            ),
            ("union [search b=z | table a] [search b=z | table a]", vec!["a"]),
        ] {
            let search = format!("| set {search}");
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(table(&search, ROWS).await, Ok(expected), "{search}");
        }
    }

    #[tokio::test]
    async fn mistakes_and_limits() {
        for (search, code) in [
            ("| set", Code::MISSING_ARGUMENT),
            ("| set union [search a=1]", Code::MISSING_ARGUMENT),
            ("| set union [search a=1] [search a=2] [search b=3]", Code::BAD_ARGUMENT),
            ("| set merge [search a=1] [search a=2]", Code::BAD_ARGUMENT),
            ("* | set union [search a=1] [search a=2]", Code::NOT_GENERATING),
            ("| set union [search a=1 | nosuch] [search a=2]", Code::UNSUPPORTED_COMMAND),
        ] {
            assert_eq!(table(search, ROWS).await, Err(vec![code]), "{search}");
        }
        let context = context(rows(""), 64 << 20);
        let search = "| set union [| makeresults count=50001 | streamstats count as n | table n] [| makeresults count=3 | eval n=\"x\" | table n] | stats count";
        let found = table_of(search, &context).await;
        assert_eq!(found, Ok(vec!["count".to_owned(), "50001".to_owned()]));
        let told: Vec<Code> =
            context.observations.messages().iter().map(|message| message.code).collect();
        assert_eq!(told, [Code::LIMIT]);
    }
}
