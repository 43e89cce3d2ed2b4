//! `autoregress`: adds the values that a field has in the rows before.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_eval::limits;
use spilltrail_event::{Field, Kind, Value};
use spilltrail_spl::Arguments;

use super::running::{InOrder, RowByRow};
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::lineage::Lineage;
use crate::operators::Codec;
use crate::planning::plan::{Needs, Plan};

/// The largest distance of a row whose value is added (limits.conf `[autoregress] maxp`).
const MAX_DISTANCE: usize = 50_000;

/// The largest number of fields that a range adds (limits.conf `[autoregress] maxrange`).
const MAX_RANGE: usize = 1000;

static DOC: CommandDoc = CommandDoc {
    name: "autoregress",
    aliases: &[],
    kind: CommandKind::CentralizedStreaming,
    summary: "Add the values that a field has in the rows before.",
    syntax: "autoregress <field> [AS <name>] [p=<int>|<int>-<int>]",
    arguments: &[
        Argument::positional("field", Takes::Field).doc("The field whose values are added."),
        Argument::keyword("AS", Takes::Field).doc(
            "The field that gets the value. Default: `field_p1` for the row before, and so on.",
        ),
        Argument::option("p", Takes::Text).default("1").doc(
            "How many rows before, up to 50000, or a range such as `1-3` of up to 1000 numbers.",
        ),
    ],
    examples: &[
        Example {
            title: "The value of the row before",
            events: "{\"ip\":\"10.0.0.1\"}\n{\"ip\":\"10.0.0.9\"}",
            search: "| autoregress ip AS before",
            results: "{\"ip\":\"10.0.0.1\"}\n{\"ip\":\"10.0.0.9\",\"before\":\"10.0.0.1\"}",
        },
        Example {
            title: "The values of two rows",
            events: "{\"n\":\"1\"}\n{\"n\":\"2\"}\n{\"n\":\"3\"}",
            search: "| autoregress n p=1-2",
            results: "{\"n\":\"1\"}\n{\"n\":\"2\",\"n_p1\":\"1\"}\n{\"n\":\"3\",\"n_p1\":\"2\",\"n_p2\":\"1\"}",
        },
    ],
    differs: &[],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::operator::<InOrder<Earlier>>(Earlier::NAME);

#[derive(Debug)]
struct AutoRegress {
    field: String,
    first: usize,
    outputs: Vec<String>,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    arguments.options();
    let field = arguments.one_field()?.value;
    let mut output = None;
    while arguments.more() {
        if output.is_some() || arguments.keyword("as").is_none() {
            arguments.finish()?;
        }
        output = Some(arguments.one_field()?);
    }
    let text: String = arguments.value("p");
    let Some((first, last)) = range(&text) else {
        let span = arguments.given_at("p").unwrap_or_else(|| arguments.span());
        let message = format!(
            "expected a number from 1 to {MAX_DISTANCE} or a range such as `1-3` for `p`, found `{text}`"
        );
        return Err(Diagnostic::error(Code::BAD_OPTION, message).at(span));
    };
    if last - first >= MAX_RANGE {
        let span = arguments.given_at("p").unwrap_or_else(|| arguments.span());
        let message = format!("a range has at most {MAX_RANGE} numbers, and `{text}` has more");
        return Err(Diagnostic::error(Code::BAD_OPTION, message).at(span));
    }
    let outputs = match output {
        Some(output) if first == last => vec![output.value],
        Some(output) => {
            let message = "a range of rows needs a field for each, so `AS` cannot name one";
            return Err(Diagnostic::error(Code::BAD_ARGUMENT, message)
                .at(output.span)
                .help("rename the fields with `rename` afterwards"));
        }
        None => (first..=last).map(|distance| format!("{field}_p{distance}")).collect(),
    };
    Ok(Box::new(AutoRegress { field, first, outputs }))
}

fn range(text: &str) -> Option<(usize, usize)> {
    let number = |text: &str| {
        text.trim().parse::<usize>().ok().filter(|number| (1..=MAX_DISTANCE).contains(number))
    };
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (number(first)?, number(last)?),
        None => (number(text)?, number(text)?),
    };
    (first <= last).then_some((first, last))
}

#[async_trait]
impl Command for AutoRegress {
    fn needs(&self, after: Needs) -> Needs {
        Needs { order: true, ..after.without(&self.outputs) }.and([&self.field])
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        let mut names = before?;
        names.extend(self.outputs.iter().cloned());
        Some(names)
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        let kind = input.kind(&self.field).unwrap_or(Kind::Text);
        let outputs = self.outputs.iter().map(|name| Field::new(name, kind)).collect();
        let last = self.first + self.outputs.len() - 1;
        let function = Earlier { first: self.first, last };
        let operator = InOrder { inputs: vec![self.field.clone()], outputs, function };
        let names = self.outputs.iter().map(String::as_str);
        Ok(input.forgetting(names).operator(Arc::new(operator)))
    }

    fn trace(&self, lineage: &mut Lineage) {
        lineage.measure(self.outputs.iter().cloned());
    }
}

/// The values of the rows from `first` to `last` before.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Earlier {
    first: usize,
    last: usize,
}

impl RowByRow for Earlier {
    const NAME: &'static str = "autoregress";

    /// The values of the rows before, newest first.
    type Memory = VecDeque<Value<'static>>;

    fn next<'a>(
        &self,
        before: &mut Self::Memory,
        inputs: &[Value<'a>],
        _: Vec<Value<'a>>,
    ) -> Vec<Value<'a>> {
        let at = |distance: usize| before.get(distance - 1).cloned().unwrap_or(Value::Null);
        let values = (self.first..=self.last).map(at).collect();
        before.push_front(inputs[0].clone().into_owned());
        before.truncate(self.last);
        values
    }

    fn held(before: &Self::Memory) -> usize {
        before.iter().map(|value| limits::size(value) + size_of::<Value<'_>>()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::table;

    #[tokio::test]
    async fn values_are_those_of_earlier_rows() {
        let rows = r#"{"n":"1","m":["a","b"]}
{"n":"2"}
{"n":"x","m":"c"}
{"n":"4"}"#;
        for (search, expected) in [
            ("n AS b | table n b", vec!["n | b", "1 -", "2 1", "x 2", "4 x"]),
            ("n p=3 | table n n_p3", vec!["n | n_p3", "1 -", "2 -", "x -", "4 1"]),
            ("n p=2-3 | table n_p2 n_p3", vec!["n_p2 | n_p3", "- -", "- -", "1 -", "2 1"]),
            // A missing value is one, too, and several values are moved together.
            ("m p=1 | table m_p1", vec!["m_p1", "-", "a b", "-", "c"]),
            ("n AS n | table n", vec!["n", "-", "1", "2", "x"]),
            ("nosuch AS b | table n b", vec!["n | b", "1 -", "2 -", "x -", "4 -"]),
        ] {
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            let found = table(&format!("| autoregress {search}"), rows).await;
            assert_eq!(found, Ok(expected), "{search}");
        }
        for (search, code) in [
            ("n AS b p=1-2", Code::BAD_ARGUMENT),
            ("n* p=1", Code::BAD_ARGUMENT),
            ("n p=0", Code::BAD_OPTION),
            ("n p=1-2000", Code::BAD_OPTION),
        ] {
            let found = table(&format!("| autoregress {search}"), rows).await;
            assert_eq!(found, Err(vec![code]), "{search}");
        }
    }

    #[test]
    fn ranges() {
        for (text, expected) in [
            ("1", Some((1, 1))),
            ("2-5", Some((2, 5))),
            ("0", None),
            ("5-2", None),
            ("50001", None),
            ("x", None),
        ] {
            assert_eq!(range(text), expected, "{text}");
        }
    }
}
