//! `map`: runs a search for each row, with values of the row in its text.

use std::collections::BTreeSet;

use async_trait::async_trait;
use spilltrail_diagnostic::{Code, Diagnostic, Severity, Span, Spanned};
use spilltrail_event::{Field, Value};
use spilltrail_spl::{
    Arguments, Pipeline, expand_macros, parse as parse_search, parse_nested, reserved_in,
};

use super::subsearch::{self, MAX_APPENDED_ROWS};
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::lineage::Lineage;
use crate::operators::KeptRows;
use crate::planning::facts::{Facts, Role};
use crate::planning::plan::{Needs, Plan};
use crate::planning::stand_in::stand_in;
use crate::rows::Row;

/// The largest number of searches that one `map` runs, and that all of a search run together: one inside
/// another runs as many for each of its rows.
const MAX_SEARCHES: u64 = 10_000;

/// The variable with the number of the row, from 1.
const SERIAL: &str = "_serial_id";

static DOC: CommandDoc = CommandDoc {
    name: "map",
    aliases: &[],
    kind: CommandKind::Transforming,
    summary: "Run a search for each row, with values of the row in place of `$field$`. Its rows replace the row.",
    syntax: "map [search=<text>] [maxsearches=<int>] [<subsearch>]",
    arguments: &[
        Argument::option("search", Takes::Text).doc(
            "The search. `$field$` stands for the value of a field, and `$_serial_id$` for the number of the row.",
        ),
        Argument::option("maxsearches", Takes::Count)
            .default("10")
            .between(1, MAX_SEARCHES)
            .doc("The largest number of rows for which the search runs."),
        Argument::positional("subsearch", Takes::Subsearch)
            .doc("The search in square brackets, instead of `search=`."),
    ],
    examples: &[
        Example {
            title: "A search for each row",
            events: "{\"user\":\"ann\",\"n\":\"2\"}\n{\"user\":\"bob\",\"n\":\"5\"}",
            search: "| map search=\"| makeresults | eval who=\\\"$user$\\\", twice=$n$*2 | table who twice\"",
            results: "{\"who\":\"ann\",\"twice\":4}\n{\"who\":\"bob\",\"twice\":10}",
        },
        Example {
            title: "In brackets, for the first row only",
            events: "{\"n\":\"2\"}\n{\"n\":\"5\"}",
            search: "| map maxsearches=1 [| makeresults | eval row=$_serial_id$, n=$n$ | table row n]",
            results: r#"{"row":1,"n":2}"#,
        },
    ],
    differs: &[
        "In quotes, quotes and backslashes of a value are escaped. Elsewhere, a value with a pipe, a bracket, a quote or a backtick is put into quotes, so that a value cannot add commands.",
        "A row that lacks one of the fields is skipped, with a warning.",
        "All `map` commands of a search run 10000 searches together, with those inside others.",
        "A saved search is run by `map search=\"| savedsearch …\"`, not by its name alone.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct Map {
    template: Spanned<String>,
    /// Whether the text is that of square brackets, whose macros are expanded already.
    is_nested: bool,
    max_searches: usize,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut nested: Option<Spanned<String>> = None;
    while arguments.more() {
        if nested.is_some() {
            arguments.finish()?;
        }
        match arguments.bracketed() {
            Some(text) => {
                nested = Some(text.map(|text| Spanned::new(text.value.to_owned(), text.span))?);
            }
            None => {
                let name = arguments.field()?;
                let message = format!("`map` does not run `{}` by its name alone", name.value);
                let help = format!(
                    "write `map search=\"| savedsearch {} token=$field$\"`, or the search itself",
                    name.value
                );
                return Err(Diagnostic::unsupported(Code::UNSUPPORTED_SYNTAX, message)
                    .at(name.span)
                    .help(help));
            }
        }
    }
    let is_nested = nested.is_some();
    if is_nested {
        arguments.without_effect("search", "the search is in brackets");
    }
    let Some(template) = nested.or_else(|| arguments.given("search")) else {
        return Err(Diagnostic::error(Code::MISSING_ARGUMENT, "expected a search")
            .at(arguments.span())
            .help("for example `map search=\"search user=$user$ | stats count\"`"));
    };
    let max_searches = arguments.value("maxsearches");
    Ok(Box::new(Map { template, is_nested, max_searches }))
}

/// A piece of a template.
#[derive(Debug, PartialEq)]
enum Piece<'t> {
    Text(&'t str),
    Variable { name: &'t str, is_quoted: bool },
}

/// Returns the pieces of a template. A variable is a name between two dollar signs.
fn pieces(template: &str) -> Vec<Piece<'_>> {
    let is_name =
        |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '{' | '}' | '@' | ':' | '-');
    let mut pieces = Vec::new();
    let (mut start, mut is_quoted, mut is_escaped) = (0, false, false);
    // A variable is skipped by its bytes, so that each character is seen once.
    let mut next = 0;
    while let Some(c) = template[next..].chars().next() {
        let at = next;
        next += c.len_utf8();
        match c {
            '"' if !is_escaped => is_quoted = !is_quoted,
            '$' => {
                let rest = &template[at + 1..];
                let end = rest.find(|c: char| !is_name(c)).unwrap_or(rest.len());
                if end > 0 && rest[end..].starts_with('$') {
                    pieces.push(Piece::Text(&template[start..at]));
                    pieces.push(Piece::Variable { name: &rest[..end], is_quoted });
                    start = at + 1 + end + 1;
                    next = start;
                }
            }
            _ => {}
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    pieces.push(Piece::Text(&template[start..]));
    pieces
}

/// Returns the value as a piece of SPL text.
fn written(value: &str, is_quoted: bool) -> String {
    let is_plain =
        !value.is_empty() && !value.contains(['|', '[', ']', '"', '`', '\\', '\n', '\r']);
    match (is_quoted, is_plain) {
        (true, _) => subsearch::escaped(value),
        (false, true) => value.to_owned(),
        (false, false) => subsearch::quoted(value),
    }
}

impl Map {
    /// Returns the template with its macros expanded: a value that is filled in before could add
    /// commands through an argument of a macro.
    fn expanded(&self, stage: &Stage<'_>) -> Result<String, Diagnostic> {
        if self.is_nested {
            return Ok(self.template.value.clone());
        }
        let (expansion, messages) = expand_macros(&self.template.value, &stage.context.macros);
        match messages.into_iter().find(|one| one.severity > Severity::Warning) {
            Some(wrong) => Err(within(wrong, &self.template.value, self.template.span)),
            None => Ok(expansion.text),
        }
    }

    /// Returns the names of the fields whose values are needed.
    fn variables(&self) -> BTreeSet<&str> {
        let names = pieces(&self.template.value).into_iter().filter_map(|piece| match piece {
            Piece::Variable { name, .. } if name != SERIAL => Some(name),
            _ => None,
        });
        names.collect()
    }

    /// Returns the search for a row, or the name of a field that the row lacks. The template has no
    /// macros; `wanted` are the variables of the one that the user wrote.
    fn filled<'t>(
        template: &[Piece<'t>],
        wanted: &BTreeSet<&str>,
        row: &Row,
        number: usize,
    ) -> Result<String, &'t str> {
        let mut text = String::new();
        for piece in template {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Variable { name, .. } if *name == SERIAL => {
                    text.push_str(&number.to_string());
                }
                // A macro may have dollar signs of its own.
                Piece::Variable { name, .. } if !wanted.contains(name) => {
                    text.extend(["$", *name, "$"]);
                }
                Piece::Variable { name, is_quoted } => {
                    let value = row.get(*name).and_then(Value::to_text).ok_or(*name)?;
                    text.push_str(&written(&value, *is_quoted));
                }
            }
        }
        Ok(text)
    }

    /// Returns the commands of a search.
    fn parsed(&self, text: &str) -> Result<Pipeline, Diagnostic> {
        let (mut pipeline, diagnostics) = if self.is_nested {
            // The template is checked with the whole search, but a value can have any characters.
            if let Some(refused) = reserved_in(text) {
                return Err(within(refused, text, self.template.span));
            }
            parse_nested(text, 0)
        } else {
            parse_search(text)
        };
        let wrong = diagnostics.into_iter().find(|one| one.severity > Severity::Warning);
        if let Some(wrong) = wrong {
            return Err(within(wrong, text, self.template.span));
        }
        pipeline.span = self.template.span;
        Ok(pipeline)
    }

    /// Returns the commands with a word for each variable, if they can be read without a row.
    fn sample(&self) -> Option<Pipeline> {
        // A macro is read once it is expanded.
        if self.template.value.contains('`') {
            return None;
        }
        sample(
            &self.template.value,
            if self.is_nested { |text| parse_nested(text, 0) } else { parse_search },
        )
    }
}

/// Returns the commands of a template with a word for each variable, if they can be read without a row.
fn sample(template: &str, parse: fn(&str) -> (Pipeline, Vec<Diagnostic>)) -> Option<Pipeline> {
    let sample: String = pieces(template)
        .into_iter()
        .map(|piece| match piece {
            Piece::Text(text) => text.to_owned(),
            Piece::Variable { name, .. } => stand_in(name),
        })
        .collect();
    let (pipeline, problems) = parse(&sample);
    let (_, wrong) = super::pipeline::read_all(&pipeline);
    (problems.is_empty() && wrong.is_empty()).then_some(pipeline)
}

/// Returns a diagnostic about a search of a row at the place of the template.
fn within(diagnostic: Diagnostic, text: &str, span: Span) -> Diagnostic {
    let shown: String = text.chars().take(200).collect();
    Diagnostic { labels: Vec::new(), ..diagnostic }
        .at(span)
        .note(format!("in the search for a row: `{shown}`"))
}

#[async_trait]
impl Command for Map {
    fn needs(&self, _: Needs) -> Needs {
        Needs { order: true, ..Needs::only(self.variables()) }
    }

    fn facts(&self, facts: &mut Facts) {
        if !self.is_nested {
            return facts.template(&self.template, |text| sample(text, parse_search));
        }
        match self.sample() {
            Some(sample) => facts.nested(&sample, Role::Rows),
            None => facts.unknown_events("map"),
        }
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let refused = |error| stage.refused(error);
        let input = stage.input(input)?;
        // A lookup that nothing defines, which is told, may have given the rows any field.
        let may_be_lost =
            || stage.context.observations.lookups().iter().any(|lookup| !lookup.exists);
        for name in self.variables() {
            if input.kind(name).is_none() && !may_be_lost() {
                let message = format!("no row has the field `{name}` that the search names");
                return Err(Diagnostic::error(Code::BAD_ARGUMENT, message)
                    .at(self.template.span)
                    .help("a field is written between dollar signs, as in `$user$`"));
            }
        }
        let rows = subsearch::collect(input, stage.context, Some(self.max_searches + 1))
            .await
            .map_err(refused)?;
        if rows.len() > self.max_searches {
            stage.context.observations.message(
                Diagnostic::warning(
                    Code::LIMIT,
                    format!("`map` has more than {} rows; the rest is left out", self.max_searches),
                )
                .at(stage.span)
                .help("raise `maxsearches`"),
            );
        }
        let rows = rows.truncated(self.max_searches).in_memory().map_err(refused)?;
        let needs = Needs { order: true, ..stage.after.clone() };
        let template = self.expanded(stage)?;
        let (template, wanted) = (pieces(&template), self.variables());
        let mut all: Vec<KeptRows> = Vec::new();
        for (number, row) in rows.iter().enumerate() {
            let text = match Self::filled(&template, &wanted, &row, number + 1) {
                Ok(text) => text,
                Err(missing) => {
                    stage.context.observations.message(
                        Diagnostic::warning(
                            Code::LEFT_OUT,
                            format!("`map` skips rows without the field `{missing}`"),
                        )
                        .at(stage.span)
                        .help("fill it in with `fillnull` before"),
                    );
                    continue;
                }
            };
            if !stage.context.observations.may_run_another(MAX_SEARCHES) {
                let message = format!(
                    "`map` has run {MAX_SEARCHES} searches, with those inside others; the rest is left out"
                );
                stage.context.observations.message(
                    Diagnostic::warning(Code::LIMIT, message).at(stage.span).help(
                        "run it for fewer rows, or join tables instead of a `map` inside `map`",
                    ),
                );
                break;
            }
            let pipeline = self.parsed(&text)?;
            let found = subsearch::run(&pipeline, stage.context, MAX_APPENDED_ROWS, needs.clone());
            let found = found.await.map_err(|wrong| within(wrong, &text, self.template.span))?;
            all.push(found);
        }
        let mut joined = subsearch::together(all, stage.context).map_err(refused)?;
        if joined.fields.is_empty() {
            // A plan has at least one column.
            joined.fields.push(Field::new("_", spilltrail_event::Kind::Text));
            let none = KeptRows::new(joined.fields, true, &stage.context.session.runtime_env());
            return none.into_plan().map_err(refused);
        }
        joined.into_plan().map_err(refused)
    }

    fn trace(&self, lineage: &mut Lineage) {
        *lineage = Lineage::default();
        if let Some(sample) = self.sample() {
            lineage.follow(&sample);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use spilltrail_spl::{MacroDefinition, MacroSet};

    use crate::run;
    use crate::testing::{context, rows};

    #[test]
    fn variables_are_names_between_dollar_signs() {
        let text = |text| Piece::Text(text);
        let variable = |name, is_quoted| Piece::Variable { name, is_quoted };
        for (template, expected) in [
            ("a=$b$ c", vec![text("a="), variable("b", false), text(" c")]),
            ("\"$b.c{}$\"", vec![text("\""), variable("b.c{}", true), text("\"")]),
            ("\"\\\"$b$", vec![text("\"\\\""), variable("b", true), text("")]),
            (
                "$a$$b$",
                vec![text(""), variable("a", false), text(""), variable("b", false), text("")],
            ),
            (
                "é$é$\\\"$b$",
                vec![text("é"), variable("é", false), text("\\\""), variable("b", false), text("")],
            ),
            ("\"x$\" $ $$ $a b$", vec![text("\"x$\" $ $$ $a b$")]),
        ] {
            assert_eq!(pieces(template), expected, "{template}");
        }
    }

    #[test]
    fn values_cannot_add_commands() {
        for (value, is_quoted, expected) in [
            ("ann", false, "ann"),
            ("a=1 OR b=2", false, "a=1 OR b=2"),
            ("x | outputlookup y", false, "\"x | outputlookup y\""),
            ("[search x]", false, "\"[search x]\""),
            ("", false, "\"\""),
            ("a\" | delete \"", true, "a\\\" | delete \\\""),
            ("c:\\x", true, "c:\\\\x"),
        ] {
            assert_eq!(written(value, is_quoted), expected, "{value}");
        }
    }

    /// Returns the rows of a search as text, or the first message, and the number of warnings.
    async fn found(search: &str) -> (String, usize) {
        const ROWS: &str =
            "{\"u\":\"ann\",\"n\":\"1\"}\n{\"u\":\"b | c\"}\n{\"u\":\"bob\",\"n\":\"3\"}";
        let mut context = context(rows(ROWS), 64 << 20);
        let mut macros = MacroSet::builtin();
        macros.insert(MacroDefinition {
            name: "who".to_owned(),
            arguments: vec!["u".to_owned()],
            definition: "eval x=\"$u$\"".to_owned(),
            is_eval: false,
            validation: None,
            error_message: None,
            origin: "a test".to_owned(),
        });
        context.macros = Arc::new(macros);
        match run::prepare(search, None, &context).await {
            Err(diagnostics) => (diagnostics[0].message.clone(), 0),
            Ok(prepared) => {
                let rows = prepared.collect(&context).await.unwrap();
                let cell = |(name, value): (String, Value<'static>)| {
                    format!("{name}={}", value.members().join(","))
                };
                let rows =
                    rows.iter().map(|row| row.into_iter().map(cell).collect::<Vec<_>>().join(" "));
                (rows.collect::<Vec<_>>().join("; "), context.observations.messages().len())
            }
        }
    }

    #[tokio::test]
    async fn a_search_for_each_row() {
        for (search, expected, warnings) in [
            (
                "| map search=\"| makeresults | eval x=\\\"$u$\\\" | table x\"",
                "x=ann; x=b | c; x=bob",
                0,
            ),
            ("| map search=\"| makeresults | eval x=$n$+1 | table x\"", "x=2; x=4", 1),
            ("| map maxsearches=2 [| makeresults | eval x=\"$u$\" | table x]", "x=ann; x=b | c", 1),
            ("| where u=\"nobody\" | map [| makeresults | eval x=\"$u$\"]", "", 0),
            ("| map search=\"search u=$u$ | table n\" | stats sum(n) as n", "n=4", 0),
            (
                "| map [| makeresults | eval x=\"$z$\"]",
                "no row has the field `z` that the search names",
                0,
            ),
            // The lookup, of which a warning tells, may have given the field.
            ("| lookup nosuch u | where z>1 | map [| makeresults | eval x=\"$z$\"]", "", 1),
            // A value cannot add commands as an argument of a macro either.
            (
                "| eval u=\"x\\\" | eval x=\\\"no\" | head 1 | map search=\"| makeresults | `who($u$)` | table x\"",
                "x=x\" | eval x=\"no",
                0,
            ),
            ("| map [| nosuch $u$]", "the command `nosuch` is not supported", 0),
            (
                "| map search=\"| makeresults | eval x=foo($n$)\"",
                "there is no eval function `foo`",
                0,
            ),
            ("| map search=\"search `nosuch`\"", "unknown macro `nosuch`", 0),
            (
                "| eval u=urldecode(\"%01\") | map [| makeresults | eval \"$u$\"=1]",
                "a search cannot have the control character U+0001",
                0,
            ),
            ("| map my_search", "`map` does not run `my_search` by its name alone", 0),
            ("| map", "expected a search", 0),
        ] {
            assert_eq!(found(search).await, (expected.to_owned(), warnings), "{search}");
        }
    }

    #[tokio::test]
    async fn maps_inside_others_have_one_limit() {
        let search = "| map [| makeresults count=3 | eval u=\"$u$\" | map [| makeresults | eval x=1 | table x]] | stats sum(x) as n";
        for (before, expected, told) in [
            (0, "n=9", ""),
            (MAX_SEARCHES - 6, "n=4", "SPL3001 SPL3001"),
            (MAX_SEARCHES, "", "SPL3001"),
        ] {
            let context = context(rows("{\"u\":\"a\"}\n{\"u\":\"b\"}\n{\"u\":\"c\"}"), 64 << 20);
            for _ in 0..before {
                assert!(context.observations.may_run_another(MAX_SEARCHES));
            }
            let prepared = run::prepare(search, None, &context).await.unwrap();
            let found = prepared.collect(&context).await.unwrap();
            let shown: Vec<String> = found
                .iter()
                .flatten()
                .map(|(name, value)| format!("{name}={}", value.members().join(",")))
                .collect();
            let messages = context.observations.messages();
            let codes: Vec<String> = messages.iter().map(|one| one.code.to_string()).collect();
            assert_eq!((shown.join(" ").as_str(), codes.join(" ").as_str()), (expected, told));
        }
    }
}
