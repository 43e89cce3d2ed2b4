//! `return`: turns the first rows of a subsearch into a text that the outer search contains.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::Value;
use spilltrail_spl::Arguments;

use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::operators::{Codec, Summarize, Summary};
use crate::planning::plan::{Needs, Plan};
use crate::rows::state::state_of;

static DOC: CommandDoc = CommandDoc {
    name: "return",
    aliases: &[],
    kind: CommandKind::Transforming,
    summary: "Return the first rows of a subsearch to the outer search, as text.",
    syntax: "return [<count>] <field>|<name>=<field>|$<field> …",
    arguments: &[
        Argument::positional("count", Takes::Count).default("1").doc("The number of rows."),
        Argument::positional("field", Takes::Fields).doc(
            "`field` returns `field=\"value\"`, `name=field` returns `name=\"value\"`, and `$field` returns only the value.",
        ),
    ],
    examples: &[
        Example {
            title: "Two rows as a condition",
            events: "{\"user\":\"ann\"}\n{\"user\":\"bob\"}\n{\"user\":\"eve\"}",
            search: "| return 2 who=user",
            results: r#"{"search":"(who=\"ann\") OR (who=\"bob\")"}"#,
        },
        Example {
            title: "Only the value",
            events: "{\"n\":\"7\"}",
            search: "| return $n",
            results: r#"{"search":"7"}"#,
        },
    ],
    differs: &["A single row has no parentheses around it."],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::summary::<RowsAsText>("return");

#[derive(Debug)]
struct Return {
    text: Arc<RowsAsText>,
}

/// The summary that turns the first `count` rows into one text.
#[derive(Debug, Serialize, Deserialize)]
struct RowsAsText {
    count: usize,
    parts: Vec<Part>,
}

/// A field, and the name in `name=value`; `None` returns the value alone.
#[derive(Debug, Serialize, Deserialize)]
struct Part {
    name: Option<String>,
    field: String,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let count = arguments.count().map_or(1, |count| count.value);
    let mut parts = Vec::new();
    while !arguments.is_empty() {
        if let Some((name, field)) = arguments.any_option() {
            parts.push(Part { name: Some(name.value), field: field.value });
        } else {
            let field = arguments.field()?.value;
            parts.push(match field.strip_prefix('$') {
                Some(field) => Part { name: None, field: field.to_owned() },
                None => Part { name: Some(field.clone()), field },
            });
        }
        arguments.symbol(",");
    }
    if parts.is_empty() {
        return Err(
            Diagnostic::error(Code::MISSING_ARGUMENT, "expected a field").at(arguments.span())
        );
    }
    Ok(Box::new(Return { text: Arc::new(RowsAsText { count, parts }) }))
}

#[async_trait]
impl Command for Return {
    fn needs(&self, _: Needs) -> Needs {
        let needs = Needs::only(self.text.parts.iter().map(|part| part.field.as_str()));
        Needs { order: true, ..needs }
    }

    fn output(&self, _: Option<Vec<String>>) -> Option<Vec<String>> {
        Some(vec!["search".to_owned()])
    }

    fn compared(&self, _: Option<Vec<String>>) -> Option<Vec<String>> {
        // A value without a name may contain any comparison, so the names are not known.
        self.text.parts.iter().map(|part| part.name.clone()).collect()
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        Ok(Summarize::on(stage.input(input)?, self.text.clone()))
    }
}

impl Summary for RowsAsText {
    fn name(&self) -> &'static str {
        "return"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn limit(&self) -> usize {
        self.count
    }

    fn row(&self, row: &[(String, Value<'_>)]) -> Option<String> {
        let parts: Vec<String> = self
            .parts
            .iter()
            .filter_map(|part| {
                let (_, value) = row.iter().find(|(name, _)| *name == part.field)?;
                let text = value.to_text()?;
                Some(match &part.name {
                    None => text.into_owned(),
                    Some(name) => super::format::equals(name, &text),
                })
            })
            .collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    }

    fn text(&self, rows: Vec<String>) -> String {
        match rows.as_slice() {
            [] => String::new(),
            [row] => row.clone(),
            rows => rows.iter().map(|row| format!("({row})")).collect::<Vec<_>>().join(" OR "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_alternatives() {
        let part = |name: Option<&str>, field: &str| Part {
            name: name.map(str::to_owned),
            field: field.to_owned(),
        };
        let text = RowsAsText { count: 2, parts: vec![part(Some("u"), "user"), part(None, "n")] };
        let row = |user: &'static str, n: f64| {
            vec![("user".to_owned(), Value::text(user)), ("n".to_owned(), Value::Number(n))]
        };
        let rows: Vec<String> =
            [row("a\"b", 1.0), row("c", 2.0)].iter().filter_map(|row| text.row(row)).collect();
        assert_eq!(text.text(rows), r#"(u="a\"b" 1) OR (u="c" 2)"#);
        assert_eq!(text.row(&[("other".to_owned(), Value::text("x"))]), None);
        assert_eq!(text.text(Vec::new()), "");
    }
}
