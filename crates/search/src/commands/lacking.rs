//! Tells the fields that commands name and that the rows of a table cannot have: unlike events, a table
//! is known before the search runs.

use spilltrail_diagnostic::{Code, Diagnostic, Spanned, similar};
use spilltrail_spl::Pipeline;

use super::named::{CHOOSE_ROWS, Names, place, some_of};
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
        if !READ_TABLES.contains(&step.entry.doc.name) {
            return None;
        }
        let names: Vec<String> = plan.fields().map(|(name, _)| name.to_owned()).collect();
        let mut facts = Facts::default();
        step.command.facts(&mut facts);
        let table = facts.lookups_read.pop_first().filter(|_| !names.is_empty())?;
        Some(Self { table, names })
    }

    /// Tells the fields that a command names to choose rows or fields, and that the rows lack. Returns the
    /// fields of its rows, if they are known from the table alone.
    pub(super) fn follow(
        self,
        step: &Step,
        pipeline: &Pipeline,
        context: &SearchContext,
    ) -> Option<Self> {
        let Self { table, names } = self;
        for field in lacking(step, pipeline, &names)? {
            context.observations.message(warning(&table, &field, &names));
        }
        // Behind a command that makes a table, the fields are known without this one.
        let is_known = step.command.output(None).is_some();
        let names = step.command.output(Some(names)).filter(|_| !is_known)?;
        Some(Self { table, names })
    }
}

/// Returns the warning about a field that the rows of a table, with fields of these names, lack.
pub(super) fn warning(table: &str, field: &Spanned<String>, names: &[String]) -> Diagnostic {
    let name = &field.value;
    let help = match similar(name, names.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("they have {}", some_of(names)),
    };
    let message = format!("the rows of the lookup `{table}` have no field `{name}`");
    Diagnostic::warning(Code::LOST_FIELD, message).at(field.span).help(help)
}

/// Returns the fields that a command names to choose rows or fields, and that are not among the `names` of
/// the rows; `None` if the command is not known.
fn lacking(step: &Step, pipeline: &Pipeline, names: &[String]) -> Option<Vec<Spanned<String>>> {
    let written = pipeline.commands.get(step.index)?;
    let command = step.entry.doc.name;
    let lacks = |name: &str| {
        !name.contains('*') && !name.starts_with('_') && !names.iter().any(|n| n == name)
    };
    let Names { read, optional } = Names::of(step, written);
    if CHOOSE_ROWS.contains(&command) || matches!(command, "return" | "stats") {
        return Some(read.into_iter().filter(|name| lacks(&name.value)).collect());
    }
    if !matches!(command, "fields" | "table") {
        return Some(Vec::new());
    }
    // A field that is removed may be absent, and so may some of those that are kept.
    let keeps = |name: &String| {
        let kept = step.command.output(Some(vec![name.clone()]));
        kept.is_some_and(|kept| kept.contains(name))
    };
    let kept = optional.into_iter().filter(keeps);
    let placed = |name: String| Spanned { span: place(&name, written), value: name };
    Some(kept.filter(|name| lacks(name)).map(placed).collect())
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
            ("| inputlookup t | stats count as n by who | where user=1", ""),
            ("| inputlookup nosuch | fields user", ""),
            ("| inputlookup t | table who nn", "nn"),
            ("| inputlookup t | stats count(eval(isnull(gone))) as x", ""),
            ("| inputlookup t | where n=true", ""),
            ("| inputlookup t | where isnotnull(n) AND usr=1", "usr"),
            ("| inputlookup t | where match(who, \"isnull\") OR usr=1", "usr"),
            ("| inputlookup t where usr=1", "usr"),
            ("| inputlookup t where who=ann NOT user=b", "user"),
            ("| inputlookup t where _key=1", ""),
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
