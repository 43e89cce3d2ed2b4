//! `format`: makes one search expression of all rows.

use std::sync::Arc;

use async_trait::async_trait;
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::Value;
use spilltrail_spl::Arguments;

use super::{Command, CommandDoc, CommandKind, Entry, Example, Stage, options};
use crate::operators::{Summarize, Summary};
use crate::planning::plan::{Needs, Plan};

static DOC: CommandDoc = CommandDoc {
    name: "format",
    aliases: &[],
    kind: CommandKind::Transforming,
    summary: "Makes one search expression of all rows, as a subsearch gives it to the search around it.",
    syntax: "format [mvsep=<text>] [maxresults=<int>] [emptystr=<text>] [\"<row begins>\" \"<fields begin>\" \"<between fields>\" \"<fields end>\" \"<between rows>\" \"<row ends>\"]",
    arguments: &[
        ("mvsep", "What stands between the values of a multivalue. Default `OR`."),
        ("maxresults", "How many rows are taken; 0, the default, is all."),
        ("emptystr", "The text where there are no rows. Default `NOT( )`."),
    ],
    examples: &[
        Example {
            title: "Rows are alternatives, the fields of a row hold together",
            events: "{\"user\":\"ann\",\"ip\":\"192.0.2.1\"}\n{\"user\":\"bob\"}",
            search: "| format",
            results: r#"{"search":"( ( ip=\"192.0.2.1\" AND user=\"ann\" ) OR ( user=\"bob\" ) )"}"#,
        },
        Example {
            title: "No rows match nothing",
            events: r#"{"user":"ann"}"#,
            search: "| search user=bob | format | table search",
            results: r#"{"search":"NOT( )"}"#,
        },
    ],
    differs: &[],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct Format {
    text: Arc<Expression>,
}

/// The words that an expression is put together with.
#[derive(Debug)]
struct Expression {
    between_values: String,
    limit: usize,
    empty: String,
    /// Row begins, fields begin, between fields, fields end, between rows, row ends.
    words: [String; 6],
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut text = Expression {
        between_values: "OR".to_owned(),
        limit: usize::MAX,
        empty: "NOT( )".to_owned(),
        words: ["(", "(", "AND", ")", "OR", ")"].map(str::to_owned),
    };
    let mut words = Vec::new();
    while !arguments.is_empty() {
        if let Some((name, value)) = arguments.any_option() {
            match name.value.to_ascii_lowercase().as_str() {
                "mvsep" => text.between_values = value.value,
                "maxresults" => match options::count(&value)? {
                    0 => {}
                    count => text.limit = count,
                },
                "emptystr" => text.empty = value.value,
                _ => return Err(options::unknown("format", &name)),
            }
        } else if let Some(word) = arguments.quoted() {
            words.push(word.value);
        } else {
            arguments.finish()?;
        }
    }
    if !words.is_empty() {
        let count = words.len();
        text.words = words.try_into().map_err(|_| {
            let message = format!("expected six texts, found {count}");
            Diagnostic::error(Code::BAD_ARGUMENT, message).at(arguments.span())
        })?;
    }
    Ok(Box::new(Format { text: Arc::new(text) }))
}

#[async_trait]
impl Command for Format {
    fn needs(&self, _: Needs) -> Needs {
        Needs { order: true, ..Needs::only(["*"]) }
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        Ok(Summarize::on(stage.input(input)?, self.text.clone()))
    }
}

/// Returns `field="value"`, quotes and backslashes escaped.
pub(super) fn equals(field: &str, value: &str) -> String {
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
    let is_plain = |c: char| c.is_alphanumeric() || "_.-:{}@".contains(c);
    if field.chars().all(is_plain) {
        format!("{field}=\"{escaped}\"")
    } else {
        format!("\"{field}\"=\"{escaped}\"")
    }
}

impl Summary for Expression {
    fn name(&self) -> &'static str {
        "format"
    }

    fn state(&self) -> String {
        format!("{self:?}")
    }

    fn limit(&self) -> usize {
        self.limit
    }

    fn row(&self, row: &[(String, Value<'_>)]) -> Option<String> {
        let [_, begin, between, end, _, _] = &self.words;
        let mut fields: Vec<&(String, Value<'_>)> =
            row.iter().filter(|(name, value)| !name.starts_with('_') && !value.is_null()).collect();
        fields.sort_by(|a, b| a.0.cmp(&b.0));
        let parts: Vec<String> =
            fields.into_iter().map(|(name, value)| self.field(name, value)).collect();
        let between = format!(" {between} ");
        (!parts.is_empty()).then(|| format!("{begin} {} {end}", parts.join(&between)))
    }

    fn text(&self, rows: Vec<String>) -> String {
        let [begin, _, _, _, between, end] = &self.words;
        if rows.is_empty() {
            return self.empty.clone();
        }
        format!("{begin} {} {end}", rows.join(&format!(" {between} ")))
    }
}

impl Expression {
    fn field(&self, name: &str, value: &Value<'_>) -> String {
        match (name, value) {
            // As with every subsearch, these stand as they are.
            ("search" | "query", value) => value.to_text().unwrap_or_default().into_owned(),
            (_, Value::Multi(members)) => {
                let parts: Vec<String> = members.iter().map(|text| equals(name, text)).collect();
                format!("( {} )", parts.join(&format!(" {} ", self.between_values)))
            }
            (_, value) => equals(name, &value.to_text().unwrap_or_default()),
        }
    }
}
