//! `rangemap`: names the ranges that a number is in.

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::{Code, Diagnostic, Spanned};
use spilltrail_event::{Field, Kind, Value};
use spilltrail_spl::Arguments;

use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::lineage::Lineage;
use crate::operators::{Codec, Derive, RowFunction};
use crate::planning::plan::{Needs, Plan};
use crate::rows::state::state_of;

/// The field that gets the names.
const OUTPUT: &str = "range";

static DOC: CommandDoc = CommandDoc {
    name: "rangemap",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Set `range` to the names of the ranges that a number is in.",
    syntax: "rangemap field=<field> <name>:<from>-<to> … [default=<text>]",
    arguments: &[
        Argument::option("field", Takes::Field).doc("The field with the number."),
        Argument::positional("range", Takes::Text).doc(
            "The ranges: an equals sign stands between the name and the bounds, which belong to the range.",
        ),
        Argument::option("default", Takes::Text)
            .default("None")
            .doc("The name if the number is in no range."),
    ],
    examples: &[
        Example {
            title: "Three ranges",
            events: "{\"n\":\"5\"}\n{\"n\":\"60\"}\n{\"n\":\"-1\"}",
            search: "| rangemap field=n low=0-30 elevated=31-100 default=other",
            results: "{\"n\":\"5\",\"range\":\"low\"}\n{\"n\":\"60\",\"range\":\"elevated\"}\n{\"n\":\"-1\",\"range\":\"other\"}",
        },
        Example {
            title: "Ranges may overlap, and begin below zero",
            events: r#"{"n":"-3"}"#,
            search: "| rangemap field=n cold=-50-0 mild=-5-20",
            results: r#"{"n":"-3","range":["cold","mild"]}"#,
        },
    ],
    differs: &["A multivalue has the ranges of all its values."],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::derive::<Ranges>("rangemap");

#[derive(Debug)]
struct RangeMap {
    field: String,
    ranges: Arc<Ranges>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Ranges {
    ranges: Vec<Range>,
    default: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Range {
    name: String,
    #[serde(with = "spilltrail_event::exact")]
    from: f64,
    #[serde(with = "spilltrail_event::exact")]
    to: f64,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let (mut field, mut default): (Option<Spanned<String>>, Option<Spanned<String>>) = (None, None);
    let mut ranges = Vec::new();
    // The names of ranges are written like options, so all options are read here.
    while let Some((name, value)) = arguments.any_option() {
        match name.value.to_ascii_lowercase().as_str() {
            option @ ("field" | "default") => {
                let known = if option == "field" { &mut field } else { &mut default };
                let span = value.span;
                if let Some(earlier) = known.replace(value) {
                    arguments.written_twice(option, earlier.span, span);
                }
            }
            _ => match range(&name.value, &value) {
                Some(range) => ranges.push(range),
                None => {
                    let message = format!(
                        "`{}` is no range such as `0-30`, and `rangemap` has no option `{}`",
                        value.value, name.value
                    );
                    arguments.report(Diagnostic::error(Code::BAD_OPTION, message).at(value.span));
                }
            },
        }
        arguments.symbol(",");
    }
    arguments.finish()?;
    let Some(field) = field.filter(|field| !field.value.is_empty()) else {
        return Err(Diagnostic::error(Code::MISSING_ARGUMENT, "expected `field=`")
            .at(arguments.span())
            .help("for example `rangemap field=count low=0-10 high=11-1000`"));
    };
    arguments.each_is_one_field(std::slice::from_ref(&field));
    if ranges.is_empty() && !arguments.has_errors() {
        let message = "without ranges, all values get the default";
        let warning = Diagnostic::warning(Code::NO_EFFECT, message).at(arguments.span());
        arguments.report(warning.help("add one, for example `low=0-10`"));
    }
    let field = field.value;
    let default = default.map_or_else(|| "None".to_owned(), |default| default.value);
    Ok(Box::new(RangeMap { field, ranges: Arc::new(Ranges { ranges, default }) }))
}

/// Parses `from-to`, where both may be negative.
fn range(name: &str, text: &Spanned<String>) -> Option<Range> {
    let text = text.value.trim();
    // The first character may be a sign, so the hyphen between the bounds is a later one.
    let hyphen = text.get(1..)?.find('-')? + 1;
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    let (from, to) = (number(&text[..hyphen])?, number(&text[hyphen + 1..])?);
    (from <= to).then(|| Range { name: name.to_owned(), from, to })
}

#[async_trait]
impl Command for RangeMap {
    fn needs(&self, after: Needs) -> Needs {
        after.without([OUTPUT]).and([&self.field])
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        let mut names = before?;
        names.push(OUTPUT.to_owned());
        Some(names)
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        let output = Field::new(OUTPUT, Kind::Multi);
        Ok(Derive::on(input, vec![self.field.clone()], [output], self.ranges.clone()))
    }

    fn trace(&self, lineage: &mut Lineage) {
        lineage.assign(OUTPUT, std::slice::from_ref(&self.field));
    }
}

impl RowFunction for Ranges {
    fn name(&self) -> &'static str {
        "rangemap"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn compute<'a>(&'a self, inputs: &[Value<'a>], outputs: &mut [Value<'a>]) {
        let numbers: Vec<f64> = inputs[0]
            .members()
            .iter()
            .filter_map(|member| spilltrail_event::parse_number(member))
            .collect();
        let holds =
            |range: &&Range| numbers.iter().any(|number| (range.from..=range.to).contains(number));
        let names: Vec<Cow<'a, str>> = self
            .ranges
            .iter()
            .filter(holds)
            .map(|range| Cow::Borrowed(range.name.as_str()))
            .collect();
        outputs[0] =
            if names.is_empty() { Value::text(self.default.as_str()) } else { Value::multi(names) };
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Span;

    use crate::testing::table;

    use super::*;

    #[tokio::test]
    async fn mistakes_are_reported() {
        for (options, code) in [
            ("low=0-1", Code::MISSING_ARGUMENT),
            ("field=a*  low=0-1", Code::BAD_ARGUMENT),
            ("field=a low=1", Code::BAD_OPTION),
        ] {
            let found = table(&format!("| rangemap {options}"), "{\"a\":\"1\"}").await;
            assert_eq!(found, Err(vec![code]), "{options}");
        }
        // As for other options, the last one counts, and the other has no effect.
        let twice = ["field=n field=a low=0-1", "field=a default=x default=y low=0-1"];
        for options in twice.into_iter().chain(["field=a"]) {
            let (pipeline, _) = spilltrail_spl::parse(&format!("| rangemap {options}"));
            let (_, found) = ENTRY.read(&pipeline.commands[0]);
            let codes: Vec<Code> = found.iter().map(|one| one.code).collect();
            assert_eq!(codes, [Code::NO_EFFECT], "{options}");
        }
    }

    #[test]
    fn bounds_may_be_negative() {
        for (text, expected) in [
            ("0-30", Some((0.0, 30.0))),
            ("-5-5", Some((-5.0, 5.0))),
            ("-50--10", Some((-50.0, -10.0))),
            ("1.5-2", Some((1.5, 2.0))),
            ("5-1", None),
            ("5", None),
            ("-", None),
            ("a-b", None),
            ("", None),
        ] {
            let text = Spanned::new(text.to_owned(), Span::default());
            let found = range("x", &text).map(|range| (range.from, range.to));
            assert_eq!(found, expected, "{}", text.value);
        }
    }
}
