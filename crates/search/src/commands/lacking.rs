//! Tells the fields that commands name and that the rows of a table cannot have: unlike events, a table
//! is known before the search runs.

use spilltrail_diagnostic::{Code, Diagnostic, similar};
use spilltrail_spl::Pipeline;

use super::named::{ASK_FOR_VALUES, CHOOSE_ROWS, place};
use super::pipeline::Step;
use crate::context::SearchContext;
use crate::planning::facts::Facts;
use crate::planning::plan::Plan;

/// Commands that begin a pipeline with the rows of a table.
const READ_TABLES: &[&str] = &["inputcsv", "inputlookup"];

/// The fields of the rows of a table.
#[derive(Debug)]
pub(super) struct TableFields {
    table: String,
    names: Vec<String>,
}

impl TableFields {
    /// Returns the fields of the rows that the first command of a pipeline reads from a table, if it
    /// does. Nothing is known of a table that is not there.
    pub(super) fn of(step: &Step, plan: &Plan) -> Option<Self> {
        let names: Vec<String> = plan.fields().map(|(name, _)| name.to_owned()).collect();
        let reads = READ_TABLES.contains(&step.entry.doc.name) && !names.is_empty();
        let mut facts = Facts::default();
        step.command.facts(&mut facts);
        let table = facts.lookups_read.pop_first().filter(|_| reads)?;
        Some(Self { table, names })
    }

    /// Tells the fields that a command names and the rows lack. Returns the fields of its rows, if they
    /// are known.
    pub(super) fn follow(
        self,
        step: &Step,
        pipeline: &Pipeline,
        context: &SearchContext,
    ) -> Option<Self> {
        let Self { table, names } = self;
        let written = pipeline.commands.get(step.index)?;
        let lacks =
            |name: &String| !name.starts_with('_') && !name.contains('*') && !names.contains(name);
        for name in named(step, &written.arguments.value).into_iter().filter(lacks) {
            let message = format!("the rows of the lookup `{table}` have no field `{name}`");
            let help = match similar(&name, names.iter().map(String::as_str)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("they have `{}`", names.join("`, `")),
            };
            let warning = Diagnostic::warning(Code::LOST_FIELD, message);
            context.observations.message(warning.at(place(&name, written)).help(help));
        }
        let names = step.command.output(Some(names))?;
        Some(Self { table, names })
    }
}

/// Returns the fields that a command names to choose rows or fields.
fn named(step: &Step, arguments: &str) -> Vec<String> {
    let command = step.entry.doc.name;
    let asks = ASK_FOR_VALUES.iter().any(|function| arguments.contains(function));
    if (CHOOSE_ROWS.contains(&command) && !asks) || matches!(command, "return" | "stats") {
        return step.command.reads();
    }
    if !matches!(command, "fields" | "table") {
        return Vec::new();
    }
    // A field that is removed may be absent.
    let keeps = |name: &String| {
        let kept = step.command.output(Some(vec![name.clone()]));
        kept.is_some_and(|kept| kept.contains(name))
    };
    let listed = step.command.listed().into_iter().map(str::to_owned);
    listed.filter(keeps).collect()
}

#[cfg(test)]
mod tests {
    use crate::testing::{context, rows, table_of};

    #[tokio::test]
    async fn fields_that_a_table_lacks_are_told() {
        for (search, told) in [
            ("user=* NOT [| inputlookup t | fields user]", "user"),
            ("user=* NOT [| inputlookup t | table usr, n]", "usr"),
            ("* | append [| inputlookup t where n=1 | search user=ann]", "user"),
            ("| inputlookup t | stats count by user", "user"),
            ("| inputlookup t | return 5 user", "user"),
            ("| inputlookup t | rename who as user | fields user n", ""),
            ("| inputlookup t | eval user=who | fields user", ""),
            ("| inputlookup t | fields - user", ""),
            ("| inputlookup t | fields w*, _key | where isnull(n)", ""),
            ("| inputlookup t | spath | fields user", ""),
            ("| inputlookup t | stats count as n by who | where user=1", "user"),
            ("| inputlookup nosuch | fields user", ""),
            ("* | inputlookup append=t t | fields user", ""),
        ] {
            let context = context(rows("{\"user\":\"ann\"}"), 64 << 20);
            let fill = "| makeresults | eval who=\"ann\", n=1 | table who n | outputlookup t";
            table_of(fill, &context).await.unwrap();
            table_of(search, &context).await.unwrap();
            let messages = context.observations.messages().into_iter();
            let messages = messages.filter(|one| one.message.contains("have no field"));
            let found: Vec<String> = messages
                .map(|one| one.span().map_or(String::new(), |at| search[at.start..at.end].into()))
                .collect();
            assert_eq!(found.join(" "), told, "{search}");
        }
    }
}
