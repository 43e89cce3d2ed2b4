//! `sort`: sorts rows by fields.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::logical_expr::SortExpr;
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::Kind;
use spilltrail_spl::Arguments;

use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::operators::{CountAs, CountRows};
use crate::planning::order::stable_sort;
use crate::planning::plan::{Needs, Plan, column};
use crate::rows::sort_key::{SortAs, sort_key};

static DOC: CommandDoc = CommandDoc {
    name: "sort",
    aliases: &[],
    kind: CommandKind::Dataset,
    summary: "Sort rows by fields. Rows without the field come last, whatever the direction.",
    syntax: "sort [<count>|limit=<int>] [+|-]<field> … [d|desc]",
    arguments: &[
        Argument::positional("count", Takes::Count)
            .doc("The number of rows to keep; short for `limit=`."),
        Argument::option("limit", Takes::Count)
            .default("10000")
            .doc("The number of rows to keep; 0 means all."),
        Argument::positional("field", Takes::Fields)
            .doc("Field names, or `auto(f)`, `num(f)`, `str(f)`, `ip(f)` to set how values compare. `-` sorts in descending order."),
        Argument::keyword("DESC", Takes::Bool).doc("Reverse the whole order; short: `D`."),
    ],
    examples: &[
        Example {
            title: "Descending order; numbers compare by value",
            events: "{\"n\":\"9\"}\n{\"n\":\"10\"}\n{\"x\":\"1\"}",
            search: "| sort - n | table n",
            results: "{\"n\":\"10\"}\n{\"n\":\"9\"}\n{}",
        },
        Example {
            title: "As text",
            events: "{\"n\":\"9\"}\n{\"n\":\"10\"}",
            search: "| sort str(n)",
            results: "{\"n\":\"10\"}\n{\"n\":\"9\"}",
        },
    ],
    differs: &["If a field holds both numbers and other text, the numbers come first."],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct Sort {
    limit: usize,
    /// Whether the search sets the limit, so that cut rows are meant.
    is_limited: bool,
    keys: Vec<Key>,
    is_reversed: bool,
}

/// A field to sort by, with its type and direction.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) field: String,
    sort_as: SortAs,
    is_descending: bool,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    arguments.options();
    let count = arguments.count().map(|count| count.value);
    let mut sort = Sort { limit: 0, is_limited: false, keys: Vec::new(), is_reversed: false };
    while arguments.more() {
        let is_last_word = !sort.keys.is_empty()
            && (arguments.keyword("desc").is_some() || arguments.keyword("d").is_some());
        if is_last_word {
            sort.is_reversed = true;
            arguments.finish_with_options()?;
            break;
        }
        sort.keys.push(key(arguments)?);
        arguments.symbol(",");
    }
    if count.is_some() {
        arguments.without_effect("limit", "the number of rows is given without a name too");
    }
    sort.is_limited = count.is_some() || arguments.given_at("limit").is_some();
    sort.limit = count.unwrap_or_else(|| arguments.value("limit"));
    if sort.keys.is_empty() {
        return Err(Diagnostic::error(Code::MISSING_ARGUMENT, "expected a field to sort by")
            .at(arguments.span()));
    }
    Ok(Box::new(sort))
}

fn key(arguments: &mut Arguments<'_>) -> Result<Key, Diagnostic> {
    let is_descending = arguments.symbol("-").is_some();
    if !is_descending {
        arguments.symbol("+");
    }
    // Field names such as `sum(bytes)` may have parentheses, so `num(n)` is first parsed as a
    // name.
    let field = arguments.field()?.value;
    let (field, sort_as) = match typed(&field) {
        Some((inner, sort_as)) => (inner.to_owned(), sort_as),
        None => (field, SortAs::Detected),
    };
    Ok(Key { field, sort_as, is_descending })
}

/// Parses `auto(f)`, `num(f)`, `str(f)` and `ip(f)`; returns the field and the kind of order, or
/// `None` for any other text.
fn typed(text: &str) -> Option<(&str, SortAs)> {
    let (name, inner) = text.strip_suffix(')')?.split_once('(')?;
    let sort_as = match name {
        "auto" => SortAs::Detected,
        "num" => SortAs::Number,
        "str" => SortAs::Text,
        "ip" => SortAs::Address,
        _ => return None,
    };
    Some((inner.trim(), sort_as))
}

/// Parses one or more fields to sort by, up to an option or the end.
pub(super) fn keys(arguments: &mut Arguments<'_>) -> Result<Vec<Key>, Diagnostic> {
    let mut keys = vec![key(arguments)?];
    arguments.symbol(",");
    while !arguments.is_empty() && arguments.clone().any_option().is_none() {
        keys.push(key(arguments)?);
        arguments.symbol(",");
    }
    Ok(keys)
}

/// Returns the sort expressions over the columns of `plan`.
///
/// Fields that are not columns are skipped. Rows without the field are last in both directions.
pub(super) fn expressions(keys: &[Key], plan: &Plan, is_reversed: bool) -> Vec<SortExpr> {
    keys.iter()
        .filter_map(|key| {
            let kind = plan.kind(&key.field)?;
            let is_plain =
                kind == Kind::Number && matches!(key.sort_as, SortAs::Detected | SortAs::Number);
            let value = column(&key.field);
            let value = if is_plain { value } else { sort_key(value, key.sort_as) };
            Some(value.sort(key.is_descending == is_reversed, false))
        })
        .collect()
}

#[async_trait]
impl Command for Sort {
    fn needs(&self, after: Needs) -> Needs {
        // Rows with equal keys keep their order, so the input's order is needed wherever the
        // output's is.
        after.and(self.keys.iter().map(|key| key.field.as_str()))
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        before
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let refused = |error| stage.refused(error);
        let input = stage.input(input)?;
        let keys = expressions(&self.keys, &input, self.is_reversed);
        let input = if self.is_limited || self.limit == 0 {
            input
        } else {
            let (limit, at) = (self.limit as u64, (stage.span.start, stage.span.end));
            input.operator(Arc::new(CountRows { count_as: CountAs::Sorted { limit, at } }))
        };
        let plan = stable_sort(input, keys).map_err(refused)?;
        if self.limit == 0 { Ok(plan) } else { plan.limit(self.limit).map_err(refused) }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{context, rows, table_of};

    /// Splunk keeps 10,000 rows unless the search says how many.
    #[tokio::test]
    async fn a_cut_is_told_unless_it_is_meant() {
        for (sort, kept, message) in [
            ("sort n", "10000", Some("`sort` keeps 10000 of 10001 rows")),
            ("sort n | head 3", "3", Some("`sort` keeps 10000 of 10001 rows")),
            ("sort 10000 n", "10000", None),
            ("sort limit=10000 n", "10000", None),
            ("sort 0 n", "10001", None),
            ("head 10000 | sort n", "10000", None),
        ] {
            let context = context(rows(""), 64 << 20);
            let search = format!(
                "| makeresults count=10001 | streamstats count as n | {sort} | stats count"
            );
            let found = table_of(&search, &context).await;
            assert_eq!(found, Ok(vec!["count".to_owned(), kept.to_owned()]), "{sort}");
            let messages = context.observations.messages();
            let messages: Vec<&str> =
                messages.iter().map(|message| message.message.as_str()).collect();
            assert_eq!(messages, message.into_iter().collect::<Vec<_>>(), "{sort}");
        }
    }
}
