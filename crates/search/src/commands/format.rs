//! `format`: combines all rows into one search expression.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::Value;
use spilltrail_spl::Arguments;

use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes, subsearch};
use crate::operators::{Codec, Summarize, Summary};
use crate::planning::plan::{Needs, Plan};
use crate::rows::state::state_of;

static DOC: CommandDoc = CommandDoc {
    name: "format",
    aliases: &[],
    kind: CommandKind::Transforming,
    summary: "Combine all rows into one search expression, in the form in which a subsearch passes its results to the outer search.",
    syntax: "format [mvsep=<text>] [maxresults=<int>] [emptystr=<text>] [\"<row begins>\" \"<fields begin>\" \"<between fields>\" \"<fields end>\" \"<between rows>\" \"<row ends>\"]",
    arguments: &[
        Argument::option("mvsep", Takes::Text)
            .default("OR")
            .doc("The operator between the values of a multivalue field."),
        Argument::option("maxresults", Takes::Count)
            .default("0")
            .doc("The number of rows to use; 0 means all."),
        Argument::option("emptystr", Takes::Text)
            .default("NOT( )")
            .doc("The text to return if there are no rows."),
        Argument::positional("words", Takes::Text).doc(
            "Six quoted texts: before the rows, before the fields of a row, between fields, after the fields of a row, between rows, and after the rows. Default: `(` `(` `AND` `)` `OR` `)`.",
        ),
    ],
    examples: &[
        Example {
            title: "Rows are joined by OR, the fields of a row by AND",
            events: "{\"user\":\"ann\",\"ip\":\"192.0.2.1\"}\n{\"user\":\"bob\"}",
            search: "| format",
            results: r#"{"search":"( ( ip=\"192.0.2.1\" AND user=\"ann\" ) OR ( user=\"bob\" ) )"}"#,
        },
        Example {
            title: "Without rows, the expression matches nothing",
            events: r#"{"user":"ann"}"#,
            search: "| search user=bob | format | table search",
            results: r#"{"search":"NOT( )"}"#,
        },
    ],
    differs: &[],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::summary::<Expression>("format");

#[derive(Debug)]
struct Format {
    text: Arc<Expression>,
}

/// The texts that surround and separate rows, fields and values in the expression.
#[derive(Debug, Serialize, Deserialize)]
struct Expression {
    /// The text between the values of a multivalue.
    between_values: String,
    /// The maximum number of rows.
    limit: usize,
    /// The result without rows.
    empty: String,
    /// Six texts in order: row begin, fields begin, between fields, fields end, between rows, row
    /// end.
    words: [String; 6],
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut words = Vec::new();
    while arguments.more() {
        match arguments.quoted() {
            Some(word) => words.push(word.value),
            None => arguments.finish()?,
        }
    }
    let count = words.len();
    let words = match words.try_into() {
        Ok(words) => words,
        Err(_) if count == 0 => Expression::default().words,
        Err(_) => {
            let message = format!("expected six texts, found {count}");
            return Err(Diagnostic::error(Code::BAD_ARGUMENT, message).at(arguments.span()));
        }
    };
    let limit = match arguments.value("maxresults") {
        0 => usize::MAX,
        limit => limit,
    };
    let (between_values, empty) = (arguments.value("mvsep"), arguments.value("emptystr"));
    Ok(Box::new(Format { text: Arc::new(Expression { between_values, limit, empty, words }) }))
}

#[async_trait]
impl Command for Format {
    fn needs(&self, _: Needs) -> Needs {
        Needs { order: true, ..Needs::only(["*"]) }
    }

    fn output(&self, _: Option<Vec<String>>) -> Option<Vec<String>> {
        Some(vec!["search".to_owned()])
    }

    fn compared(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        // With texts set by the user, the expression may contain comparisons of any field.
        self.text.is_plain().then_some(before).flatten()
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        Ok(Summarize::on(stage.input(input)?, self.text.clone()))
    }
}

/// Returns the comparison `field="value"`, with the field in quotes too if it needs them.
pub(super) fn equals(field: &str, value: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_.-:{}@".contains(c);
    let value = subsearch::quoted(value);
    if field.chars().all(is_plain) {
        format!("{field}={value}")
    } else {
        format!("{}={value}", subsearch::quoted(field))
    }
}

impl Summary for Expression {
    fn name(&self) -> &'static str {
        "format"
    }

    fn state(&self) -> String {
        state_of(self)
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

impl Default for Expression {
    fn default() -> Self {
        Self {
            between_values: "OR".to_owned(),
            limit: usize::MAX,
            empty: "NOT( )".to_owned(),
            words: ["(", "(", "AND", ")", "OR", ")"].map(str::to_owned),
        }
    }
}

impl Expression {
    /// Returns true if all texts are the default ones.
    fn is_plain(&self) -> bool {
        let plain = Self::default();
        let own = (&self.between_values, &self.empty, &self.words);
        own == (&plain.between_values, &plain.empty, &plain.words)
    }

    fn field(&self, name: &str, value: &Value<'_>) -> String {
        match (name, value) {
            // As in every subsearch, these two fields hold search text that is inserted unchanged.
            ("search" | "query", value) => value.to_text().unwrap_or_default().into_owned(),
            (_, Value::Multi(members)) => {
                let parts: Vec<String> = members.iter().map(|text| equals(name, text)).collect();
                format!("( {} )", parts.join(&format!(" {} ", self.between_values)))
            }
            (_, value) => equals(name, &value.to_text().unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_spl::{SearchExpr, parse_search};

    use super::*;

    #[test]
    fn comparisons_are_read_as_they_were() {
        for (field, value, expected) in [
            ("user.name", "a b", r#"user.name="a b""#),
            ("a b", r#"x"\"#, r#""a b"="x\"\\""#),
            (r#"a"b"#, "x", r#""a\"b"="x""#),
            (r"a\", "x", r#""a\\"="x""#),
        ] {
            let text = equals(field, value);
            assert_eq!(text, expected);
            let read = parse_search(&text).unwrap();
            let SearchExpr::Compare { field: found, .. } = read else { panic!("{text}") };
            assert_eq!(found.value, field);
        }
    }
}
