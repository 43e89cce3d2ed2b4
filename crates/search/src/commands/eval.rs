//! `eval`: sets fields to the values of expressions.

use std::collections::BTreeSet;

use async_trait::async_trait;
use datafusion::common::DataFusionError;
use datafusion::logical_expr::{Expr, lit, when};
use indexmap::{IndexMap, IndexSet};
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::Kind;
use spilltrail_event::fields::RAW;
use spilltrail_spl::{Arguments, Assignment};

use super::subsearch;
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Parts, Stage, Takes};
use crate::lineage::Lineage;
use crate::operators::KeptRows;
use crate::planning::eval;
use crate::planning::eval_udf;
use crate::planning::plan::{Needs, Plan, column};
use crate::planning::reserved;
use crate::rows::arrow::ColumnReader;
use crate::rows::convert;

static DOC: CommandDoc = CommandDoc {
    name: "eval",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Set fields to the values of expressions. A null value removes the field.",
    syntax: "eval <field>=<expression> [, <field>=<expression>] …",
    arguments: &[
        Argument::positional("field", Takes::Field)
            .doc("The field to set. `{name}` in it is replaced by the value of that field."),
        Argument::positional("expression", Takes::Expression).doc("The value to set."),
    ],
    examples: &[
        Example {
            title: "Later assignments see earlier ones",
            events: r#"{"bytes":"2048"}"#,
            search: "| eval kb=bytes/1024, size=kb.\" kB\"",
            results: r#"{"bytes":"2048","kb":2,"size":"2 kB"}"#,
        },
        Example {
            title: "A field named after the value of another field",
            events: r#"{"key":"color","value":"red"}"#,
            search: "| eval {key}=value | table color",
            results: r#"{"color":"red"}"#,
        },
    ],
    differs: &[],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct Eval {
    assignments: Vec<Assignment>,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let assignments = arguments.assignments()?;
    arguments.finish()?;
    Ok(Box::new(Eval { assignments }))
}

/// Returns the field names in braces in a target, such as `key` in `{key}`.
fn named_in(target: &str) -> Vec<String> {
    target
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}').map(|(name, _)| name.to_owned()))
        .filter(|name| !name.is_empty())
        .collect()
}

#[async_trait]
impl Command for Eval {
    fn parts(&self) -> Parts<'_> {
        let values = self.assignments.iter().map(|assignment| &assignment.value).collect();
        Parts { values, ..Parts::default() }
    }

    fn follows_source(&mut self) -> bool {
        self.assignments.iter().all(|assignment| assignment.target.value != RAW)
    }

    fn needs(&self, after: Needs) -> Needs {
        self.assignments.iter().rev().fold(after, |needs, assignment| {
            // The assignment replaces its target, so the old values are needed only if an
            // expression reads them. A target named by a value replaces no field in every row.
            let inner = named_in(&assignment.target.value);
            let needs =
                if inner.is_empty() { needs.without([&assignment.target.value]) } else { needs };
            needs.and(eval::field_names(&assignment.value)).and(inner)
        })
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        let mut names = before?;
        for assignment in &self.assignments {
            // The values decide the names, so they are unknown before the search runs.
            if !named_in(&assignment.target.value).is_empty() {
                return None;
            }
            names.push(assignment.target.value.clone());
        }
        Some(names)
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let mut plan = stage.input(input)?;
        // Assignments that do not depend on each other are combined into one step of the plan.
        let mut together = IndexMap::new();
        let refused = |error| stage.refused(error);
        for assignment in &self.assignments {
            let value =
                subsearch::splice(&assignment.value, subsearch::Spliced::Value, stage.context)
                    .await?;
            let target = &assignment.target.value;
            let is_named_by_value = !named_in(target).is_empty();
            let sees = |name: &String| name.contains('*') || together.contains_key(name);
            // A target named by a value can be any field, so earlier assignments are applied first.
            if is_named_by_value
                || together.contains_key(target)
                || eval::field_names(&value).iter().any(sees)
            {
                plan = plan.with_columns(columns(&mut together)).map_err(refused)?;
            }
            let compiled = eval::expression(&value, &plan, stage.context)?;
            let kind = compiled.storable()?;
            let expr = eval_udf::into_expr(compiled);
            if is_named_by_value {
                plan = named_by_value(plan, target, expr, kind, stage).await?;
            } else {
                together.insert(target.clone(), (expr, kind));
            }
        }
        plan.with_columns(columns(&mut together)).map_err(refused)
    }

    fn trace(&self, lineage: &mut Lineage) {
        for Assignment { target, value } in &self.assignments {
            if !named_in(&target.value).is_empty() {
                continue;
            }
            if eval::differs_between_runs(value) {
                lineage.measure([target.value.clone()]);
            } else {
                lineage.assign(&target.value, &eval::field_names(value));
            }
        }
    }
}

/// Empties `together` and returns the columns that it held.
fn columns(together: &mut IndexMap<String, (Expr, Kind)>) -> Vec<(String, Expr, Kind)> {
    together.drain(..).map(|(name, (expr, kind))| (name, expr, kind)).collect()
}

/// Plans `eval {field}=…`, where the name of the target depends on the row.
///
/// Each possible name becomes a column that is set where the row's target has that name. If all
/// fields that later commands need are known, those are the possible names. Otherwise the search up
/// to here runs now, and the target names found in its rows are used.
async fn named_by_value(
    plan: Plan,
    target: &str,
    value: Expr,
    kind: Kind,
    stage: &Stage<'_>,
) -> Result<Plan, Diagnostic> {
    const NAME: &str = "\u{1}name";
    const VALUE: &str = "\u{1}value";
    let refused = |error| stage.refused(error);
    let own: IndexSet<String> = plan.names().into_iter().collect();
    let name = target_name(target, &plan);
    let mut plan = plan
        .with_columns(vec![(NAME.to_owned(), name, Kind::Text), (VALUE.to_owned(), value, kind)])
        .map_err(refused)?;
    let mut names: Vec<String> = if stage.after.fields.is_open() {
        let rows = subsearch::collect(plan, stage.context, None).await.map_err(refused)?;
        let names = seen_names(&rows, NAME).map_err(refused)?;
        if let Some(name) = names.iter().find(|name| makes_itself(target, name)) {
            return Err(Diagnostic::error(
                Code::BAD_ARGUMENT,
                format!("the field name `{target}` becomes `{name}`, which names itself"),
            )
            .at(stage.span)
            .help("the value of a field in braces is the name; it must not hold these braces"));
        }
        plan = rows.into_plan().map_err(refused)?;
        names.into_iter().collect()
    } else {
        stage.after.fields.names.iter().cloned().collect()
    };
    reserved::leave_out(&mut names, |name| name, stage.context);
    let columns = names
        .into_iter()
        .filter(|name| !own.contains(name) || stage.after.fields.wants(name))
        .map(|name| {
            let known = plan.kind(&name);
            let wide = known.map_or(kind, |known| known.or(kind));
            let old = match known {
                Some(known) => convert::to_kind(column(&name), known, wide),
                None => lit(datafusion::common::ScalarValue::try_from(
                    &crate::planning::plan::data_type(wide),
                )
                .map_err(refused)?),
            };
            let new = convert::to_kind(column(VALUE), kind, wide);
            let is_named =
                column(NAME).eq(lit(datafusion::common::ScalarValue::Utf8View(Some(name.clone()))));
            let expr = when(is_named, new).otherwise(old).map_err(refused)?;
            Ok((name, expr, wide))
        })
        .collect::<Result<Vec<_>, Diagnostic>>()?;
    let mut kept = own;
    kept.extend(columns.iter().map(|(name, _, _)| name.clone()));
    let kept: Vec<String> = kept.into_iter().collect();
    plan.with_columns(columns).and_then(|plan| plan.select(&kept)).map_err(refused)
}

/// Returns true if the name made from a target has one of the target's own names in braces, so that
/// making names of it would never end.
fn makes_itself(target: &str, name: &str) -> bool {
    named_in(name).iter().any(|inner| named_in(target).contains(inner))
}

/// Returns the distinct texts in a column of stored rows.
fn seen_names(rows: &KeptRows, column: &str) -> Result<BTreeSet<String>, DataFusionError> {
    let mut names = BTreeSet::new();
    for batch in rows.batches()? {
        let batch = batch?;
        let Some(column) = batch.column_by_name(column) else { continue };
        let column = ColumnReader::new(column)?;
        for row in 0..batch.num_rows() {
            if let Some(name) = column.value(row).to_text()
                && !names.contains(&*name)
            {
                names.insert(name.into_owned());
            }
        }
    }
    Ok(names)
}

/// Returns an expression for the name of a target: the text outside braces joined with the values
/// of the fields inside them. It is null where such a field is absent, so that nothing is set.
fn target_name(target: &str, plan: &Plan) -> Expr {
    let mut parts = Vec::new();
    let mut rest = target;
    while let Some((before, (name, after))) =
        rest.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
    {
        parts.push(convert::text(before));
        parts.push(match plan.kind(name) {
            Some(kind) => convert::to_kind(column(name), kind, Kind::Text),
            None => crate::planning::plan::null_text(),
        });
        rest = after;
    }
    parts.push(convert::text(rest));
    convert::concat(parts)
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use crate::context::SearchContext;
    use crate::testing::{context, rows, table, table_of};

    /// The time of the run may have a fraction; only `time()` shows it.
    #[tokio::test]
    async fn now_has_whole_seconds() {
        let context = SearchContext { now: 75.5, ..context(rows("{}"), 64 << 20) };
        let found = table_of("| eval n=now(), t=time() | table n t", &context).await;
        assert_eq!(found, Ok(["n | t", "75 75.5"].map(str::to_owned).to_vec()));
    }

    #[tokio::test]
    async fn a_name_that_makes_itself_is_an_error() {
        for (value, expected) in [
            ("x", Ok(vec!["p | x", "x 1"])),
            ("x{}.y", Ok(vec!["p | x{}.y", "x{}.y 1"])),
            ("{p}", Err(vec![Code::BAD_ARGUMENT])),
            ("a{p}b", Err(vec![Code::BAD_ARGUMENT])),
        ] {
            let rows = format!("{{\"p\":\"{value}\"}}");
            let expected = expected.map(|rows| rows.into_iter().map(str::to_owned).collect());
            assert_eq!(table("| eval {p}=1", &rows).await, expected, "{value}");
        }
    }

    /// The results are those of public reports.
    #[tokio::test]
    async fn products_keep_the_figures_of_fields() {
        for (a, b, product) in [
            ("3", "0.5", "2"),
            ("0.014", "0.230", "0.0032"),
            ("0.0140", "0.230", "0.00322"),
            ("1100", "0.9", "990"),
            ("2.10", "1024", "2150"),
            ("2.1000", "1024", "2150.4"),
            ("2.10000", "1024.10", "2150.61"),
        ] {
            for search in [
                format!("| eval a={a} | eval b={b} | eval c=a*b | table c"),
                format!("| eval c={a}*{b} | table c"),
                format!("| eval c=\"\" . {a}*{b} | table c"),
            ] {
                let found = table(&search, "{}").await;
                assert_eq!(found, Ok(vec!["c".to_owned(), product.to_owned()]), "{search}");
            }
            let row = format!("{{\"a\":\"{a}\",\"b\":\"{b}\"}}");
            let found = table("| eval c=if(a>0, a*b, 0) | table c", &row).await;
            assert_eq!(found, Ok(vec!["c".to_owned(), product.to_owned()]), "{row}");
        }
        let sum = table("| stats sum(eval(a*0.5)) as s", "{\"a\":\"5\"}").await;
        assert_eq!(sum, Ok(vec!["s".to_owned(), "2.5".to_owned()]));
        let exact =
            table("| eval c=exact(a*0.5), d=a*0.5+1, e=a/2 | table c d e", "{\"a\":\"5\"}").await;
        assert_eq!(exact, Ok(vec!["c | d | e".to_owned(), "2.5 3.5 2.5".to_owned()]));
    }
}
