//! `reltime`: tells in words how long ago a time is.

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::{Code, Diagnostic, Spanned};
use spilltrail_event::{Field, Kind, Value, fields};
use spilltrail_spl::Arguments;

use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::lineage::Lineage;
use crate::operators::{Codec, Derive, RowFunction};
use crate::planning::facts::Facts;
use crate::planning::plan::{Needs, Plan};
use crate::rows::state::state_of;

/// The field for the words if only `_time` is read.
const OUTPUT: &str = "reltime";

static DOC: CommandDoc = CommandDoc {
    name: "reltime",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Add how long ago a time is, in words.",
    syntax: "reltime [timefield=<field>] [prefix=<text>]",
    arguments: &[
        Argument::option("timefield", Takes::Text)
            .default("_time")
            .doc("The fields with the times, in seconds since 1970; several are separated by commas, in quotes."),
        Argument::option("prefix", Takes::Text).doc(
            "What the names of the new fields begin with. Default: `reltime` for `_time`, and else the fields themselves are replaced.",
        ),
    ],
    examples: &[
        Example {
            title: "The time of events; the search runs at 1700000000",
            events: "{\"_time\":1699999990}\n{\"_time\":1699990000}\n{\"_time\":1690000000}",
            search: "| reltime | table reltime",
            results: "{\"reltime\":\"10 seconds ago\"}\n{\"reltime\":\"2 hours ago\"}\n{\"reltime\":\"3 months ago\"}",
        },
        Example {
            title: "Other fields",
            events: r#"{"seen":"1699999880","left":"1700000061"}"#,
            search: "| reltime timefield=\"seen,left\" prefix=when_",
            results: r#"{"seen":"1699999880","left":"1700000061","when_seen":"2 minutes ago","when_left":"1 minute from now"}"#,
        },
    ],
    differs: &[
        "The largest unit that fits is used, rounded down; a month has 30 days and a year 365.",
        "A time in the future is `from now`.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::derive::<Relative>("reltime");

#[derive(Debug)]
struct RelTime {
    fields: Vec<String>,
    outputs: Vec<String>,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    arguments.finish_with_options()?;
    let text: String = arguments.value("timefield");
    let names = text.split(|c: char| c == ',' || c.is_whitespace());
    let fields: Vec<String> = names.filter(|name| !name.is_empty()).map(str::to_owned).collect();
    if fields.is_empty() {
        return Err(Diagnostic::error(Code::BAD_OPTION, "expected a field for `timefield`")
            .at(arguments.given_at("timefield").unwrap_or_else(|| arguments.span())));
    }
    if let Some(place) = arguments.given_at("timefield") {
        let written = fields.iter().map(|field| Spanned::new(field.clone(), place));
        arguments.each_is_one_field(&written.collect::<Vec<_>>());
    }
    let prefix = arguments.given::<String>("prefix").map(|prefix| prefix.value);
    let output = |field: &String| match &prefix {
        Some(prefix) => format!("{prefix}{field}"),
        None if field == fields::TIME => OUTPUT.to_owned(),
        None => field.clone(),
    };
    let outputs = fields.iter().map(output).collect();
    Ok(Box::new(RelTime { fields, outputs }))
}

#[async_trait]
impl Command for RelTime {
    fn needs(&self, after: Needs) -> Needs {
        after.without(&self.outputs).and(&self.fields)
    }

    fn facts(&self, facts: &mut Facts) {
        facts.present("reltime");
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        let mut names = before?;
        names.extend(self.outputs.iter().cloned());
        Some(names)
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        let outputs = self.outputs.iter().map(|name| Field::new(name, Kind::Text));
        let outputs: Vec<Field> = outputs.collect();
        let function = Relative { now: stage.context.now };
        Ok(Derive::on(input, self.fields.clone(), outputs, Arc::new(function)))
    }

    fn trace(&self, lineage: &mut Lineage) {
        lineage.measure(self.outputs.iter().cloned());
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Relative {
    #[serde(with = "spilltrail_event::exact")]
    now: f64,
}

impl RowFunction for Relative {
    fn name(&self) -> &'static str {
        "reltime"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn compute<'a>(&'a self, inputs: &[Value<'a>], outputs: &mut [Value<'a>]) {
        for (input, output) in inputs.iter().zip(outputs) {
            *output = match input.as_number() {
                Some(time) if time.is_finite() => Value::Text(Cow::Owned(words(self.now - time))),
                _ => Value::Null,
            };
        }
    }
}

/// Units with their seconds, the largest first.
const UNITS: [(&str, f64); 6] = [
    ("year", 365.0 * 86_400.0),
    ("month", 30.0 * 86_400.0),
    ("day", 86_400.0),
    ("hour", 3_600.0),
    ("minute", 60.0),
    ("second", 1.0),
];

fn words(seconds: f64) -> String {
    if seconds.abs() < 1.0 {
        return "now".to_owned();
    }
    let fitting = UNITS.iter().find(|(_, length)| seconds.abs() >= *length);
    let (unit, length) = fitting.copied().unwrap_or(UNITS[UNITS.len() - 1]);
    let count = (seconds.abs() / length).floor();
    let plural = if count > 1.0 { "s" } else { "" };
    let side = if seconds > 0.0 { "ago" } else { "from now" };
    format!("{count} {unit}{plural} {side}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_unit_counts() {
        for (seconds, expected) in [
            (0.4, "now"),
            (1.0, "1 second ago"),
            (59.9, "59 seconds ago"),
            (60.0, "1 minute ago"),
            (7_300.0, "2 hours ago"),
            (86_400.0 * 29.0, "29 days ago"),
            (86_400.0 * 800.0, "2 years ago"),
            (-61.0, "1 minute from now"),
        ] {
            assert_eq!(words(seconds), expected);
        }
    }
}
