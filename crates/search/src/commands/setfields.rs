//! `setfields`: sets fields to the same values in all rows.

use async_trait::async_trait;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::lit;
use indexmap::IndexMap;
use spilltrail_diagnostic::{Code, Diagnostic, Span};
use spilltrail_event::Kind;
use spilltrail_spl::Arguments;

use super::extract::cleaned;
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::lineage::Lineage;
use crate::planning::plan::{Needs, Plan};

static DOC: CommandDoc = CommandDoc {
    name: "setfields",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Set fields to texts, the same in all rows.",
    syntax: "setfields <field>=<text> [, <field>=<text>] …",
    arguments: &[
        Argument::positional("field", Takes::Field).doc(
            "The field to set, whether rows have it or not. Characters of its name other than letters and digits become `_`, and `_` at its start is removed.",
        ),
        Argument::positional("text", Takes::Text)
            .doc("Its value; in quotes if it has blanks, commas or parentheses."),
    ],
    examples: &[
        Example {
            title: "Two fields for all rows",
            events: "{\"user\":\"ann\",\"team\":\"x\"}\n{\"user\":\"bob\"}",
            search: "| setfields team=\"blue team\", reviewed=no",
            results: r#"{"user":"ann","team":"blue team","reviewed":"no"}
{"user":"bob","team":"blue team","reviewed":"no"}"#,
        },
        Example {
            title: "The value is a text, and no expression",
            events: r#"{"bytes":"10"}"#,
            search: "| setfields size=bytes",
            results: r#"{"bytes":"10","size":"bytes"}"#,
        },
    ],
    differs: &["An empty text, `field=\"\"`, is a value."],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct SetFields {
    values: IndexMap<String, String>,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let expected = |at: Span| {
        Diagnostic::error(Code::MISSING_ARGUMENT, "expected a field and its value")
            .at(at)
            .help("for example `setfields team=\"blue team\", reviewed=no`")
    };
    let mut values: IndexMap<String, (String, Span)> = IndexMap::new();
    while !arguments.is_empty() {
        let name = arguments.one_field()?;
        if arguments.symbol("=").is_none() {
            return Err(expected(name.span));
        }
        let Some(value) = arguments.word() else { return Err(expected(name.span)) };
        let whole = name.span.to(value.span);
        let key = cleaned(&name.value);
        if key.is_empty() {
            let message = format!("`{}` has no letters or digits", name.value);
            return Err(Diagnostic::error(Code::BAD_ARGUMENT, message).at(name.span));
        }
        if let Some((_, earlier)) = values.insert(key, (value.value, whole)) {
            arguments.written_twice(&name.value, earlier, whole);
        }
        arguments.symbol(",");
    }
    if values.is_empty() {
        return Err(expected(arguments.span()));
    }
    let values = values.into_iter().map(|(name, (value, _))| (name, value)).collect();
    Ok(Box::new(SetFields { values }))
}

#[async_trait]
impl Command for SetFields {
    fn needs(&self, after: Needs) -> Needs {
        after.without(self.values.keys())
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        let mut names = before?;
        names.extend(self.values.keys().cloned());
        Some(names)
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let columns = self.values.iter().map(|(name, value)| {
            let text = ScalarValue::Utf8View(Some(value.clone()));
            (name.clone(), lit(text), Kind::Text)
        });
        let columns = columns.collect();
        stage.input(input)?.with_columns(columns).map_err(|error| stage.refused(error))
    }

    fn trace(&self, lineage: &mut Lineage) {
        self.values.keys().for_each(|name| lineage.assign(name, &[]));
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use crate::testing::table;

    #[tokio::test]
    async fn texts_are_set_in_all_rows() {
        let rows = "{\"_time\":1,\"a\":\"1\"}\n{\"_time\":2,\"b\":\"2\"}";
        for (search, expected) in [
            ("| setfields c=x | table a c", ["a | c", "1 x", "- x"]),
            ("| setfields a = \"b\" , c=\"\" | table a c", ["a | c", "b ", "b "]),
            ("| setfields a=1,c=a*b | table a c", ["a | c", "1 a*b", "1 a*b"]),
            // Search Reference: the names are cleaned.
            (
                "| setfields 'my field'=x a.b=y | table my*, a*",
                ["my_field | a | a_b", "x 1 y", "x - y"],
            ),
            ("| setfields _time=60 | table _time time", ["_time | time", "1 60", "2 60"]),
            // The last one counts.
            ("| setfields c=x c=y | table a c", ["a | c", "1 y", "- y"]),
        ] {
            let expected = expected.map(str::to_owned).to_vec();
            assert_eq!(table(search, rows).await, Ok(expected), "{search}");
        }
        for (search, code) in [
            ("| setfields", Code::MISSING_ARGUMENT),
            ("| setfields a", Code::MISSING_ARGUMENT),
            ("| setfields a=", Code::MISSING_ARGUMENT),
            ("| setfields a*=1", Code::BAD_ARGUMENT),
            ("| setfields '- '=1", Code::BAD_ARGUMENT),
        ] {
            assert_eq!(table(search, rows).await, Err(vec![code]), "{search}");
        }
    }
}
