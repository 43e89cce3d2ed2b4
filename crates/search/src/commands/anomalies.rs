//! `anomalies`: finds events that are unlike the events before them.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::logical_expr::lit;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::Diagnostic;
use spilltrail_event::{Field, Kind, Value};
use spilltrail_spl::Arguments;

use super::cluster::terms;
use super::running::{InOrder, RowByRow};
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::lineage::Lineage;
use crate::operators::Codec;
use crate::planning::aggregate;
use crate::planning::plan::{Needs, Plan, column};

/// The field with the score.
const SCORE: &str = "unexpectedness";

static DOC: CommandDoc = CommandDoc {
    name: "anomalies",
    aliases: &[],
    kind: CommandKind::CentralizedStreaming,
    summary: "Find events that are unlike the events before them.",
    syntax: "anomalies [threshold=<num>] [labelonly=<bool>] [normalize=<bool>] [maxvalues=<int>] [field=<field>] [BY <field> …]",
    arguments: &[
        Argument::option("threshold", Takes::Number)
            .default("0.01")
            .doc("Events are returned if their `unexpectedness` is above this."),
        Argument::option("labelonly", Takes::Bool)
            .default("false")
            .doc("Whether to return all events, each with its `unexpectedness`."),
        Argument::option("normalize", Takes::Bool)
            .default("true")
            .doc("Whether all digits count as the same character."),
        Argument::option("maxvalues", Takes::Count)
            .default("100")
            .between(1, 100_000)
            .doc("The number of earlier events that an event is compared with."),
        Argument::option("field", Takes::Field).default("_raw").doc("The field to compare."),
        Argument::option("denylist", Takes::Text)
            .refused("leave events out with `search NOT …` before the command")
            .doc("A file of events that are not anomalies."),
        Argument::option("denylistthreshold", Takes::Number)
            .default("0.05")
            .refused("leave events out with `search NOT …` before the command")
            .doc("How similar an event is to one of `denylist`."),
        Argument::keyword("BY", Takes::Fields)
            .doc("Fields; events are compared with those that have the same values."),
    ],
    examples: &[
        Example {
            title: "A term that was not seen before",
            events: r#"{"m":"user ann in"}
{"m":"user ann in"}
{"m":"user eve in"}"#,
            search: "| anomalies field=m | table m unexpectedness",
            results: r#"{"m":"user ann in","unexpectedness":1}
{"m":"user eve in","unexpectedness":0.16666666666666666}"#,
        },
        Example {
            title: "All events, compared by host",
            events: r#"{"h":"a","m":"up 1"}
{"h":"b","m":"up 1"}
{"h":"a","m":"up 2"}"#,
            search: "| anomalies labelonly=t field=m by h",
            results: r#"{"h":"a","m":"up 1","unexpectedness":1}
{"h":"b","m":"up 1","unexpectedness":1}
{"h":"a","m":"up 2","unexpectedness":0}"#,
        },
    ],
    differs: &[
        "Splunk scores an event by `(s(P and X) - s(P)) / (s(P) + s(X))`, with the earlier events P, and does not document s. In Spilltrail, s is the number of distinct terms of letters and digits.",
        "Events without the field get no score and are returned with `labelonly=t` only.",
        "With BY, an event is compared with earlier ones that have the same values, and one that lacks a field gets no score.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::operator::<InOrder<Unexpected>>(Unexpected::NAME);

#[derive(Debug)]
struct AnomaliesOf {
    field: String,
    by: Vec<String>,
    threshold: f64,
    is_only_labeling: bool,
    scoring: Unexpected,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut by = Vec::new();
    arguments.options();
    if arguments.keyword("by").is_some() {
        by = arguments.fields()?;
    }
    arguments.finish_with_options()?;
    aggregate::check_by(&by, arguments);
    if arguments.value("labelonly") {
        arguments.without_effect("threshold", "`labelonly=t` returns all events");
    }
    Ok(Box::new(AnomaliesOf {
        field: arguments.value("field"),
        by: aggregate::names(&by),
        threshold: arguments.value("threshold"),
        is_only_labeling: arguments.value("labelonly"),
        scoring: Unexpected {
            most: arguments.value("maxvalues"),
            is_normalized: arguments.value("normalize"),
        },
    }))
}

#[async_trait]
impl Command for AnomaliesOf {
    fn needs(&self, after: Needs) -> Needs {
        Needs { order: true, ..after.without([SCORE]) }.and([&self.field]).and(&self.by)
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        let mut names = before?;
        names.push(SCORE.to_owned());
        Some(names)
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        let operator = InOrder {
            inputs: [&self.field].into_iter().chain(&self.by).cloned().collect(),
            outputs: vec![Field::new(SCORE, Kind::Number)],
            function: self.scoring.clone(),
        };
        let plan = input.forgetting([SCORE]).operator(Arc::new(operator));
        if self.is_only_labeling {
            return Ok(plan);
        }
        let is_unexpected = column(SCORE).gt(lit(self.threshold));
        plan.filter(is_unexpected).map_err(|error| stage.refused(error))
    }

    fn trace(&self, lineage: &mut Lineage) {
        lineage.measure([SCORE.to_owned()]);
    }
}

/// Scores each event by the terms that the events before it do not have.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Unexpected {
    most: usize,
    is_normalized: bool,
}

/// The earlier events of one group.
#[derive(Debug, Default)]
struct Earlier {
    events: VecDeque<BTreeSet<String>>,
    /// How many of the events have each term.
    counts: HashMap<String, usize>,
}

/// The earlier events of each group.
#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: HashMap<Vec<String>, Earlier>,
    bytes: usize,
}

/// Bytes of a term in a set besides its text.
const TERM: usize = 64;

impl RowByRow for Unexpected {
    const NAME: &'static str = "unexpectedness";

    type Memory = Groups;

    #[expect(clippy::cast_precision_loss, reason = "terms are fewer than 2^53")]
    fn next<'a>(
        &self,
        memory: &mut Groups,
        inputs: &[Value<'a>],
        _: Vec<Value<'a>>,
    ) -> Vec<Value<'a>> {
        let Some(text) = inputs[0].to_text() else { return vec![Value::Null] };
        let key: Option<Vec<String>> =
            inputs[1..].iter().map(|value| value.to_text().map(|text| text.into_owned())).collect();
        let Some(key) = key else { return vec![Value::Null] };
        let text = if self.is_normalized {
            text.replace(|c: char| c.is_ascii_digit(), "0")
        } else {
            text.into_owned()
        };
        let own: BTreeSet<String> = terms(&text, None).map(str::to_owned).collect();
        if !memory.groups.contains_key(&key) {
            memory.bytes += key.iter().map(|part| part.len() + TERM).sum::<usize>() + 2 * TERM;
        }
        let earlier = memory.groups.entry(key).or_default();
        let new = own.iter().filter(|term| !earlier.counts.contains_key(*term)).count();
        let all = earlier.counts.len() + own.len();
        let score = if all == 0 { 0.0 } else { new as f64 / all as f64 };
        for term in &own {
            match earlier.counts.get_mut(term) {
                Some(count) => *count += 1,
                None => {
                    memory.bytes += term.len() + TERM;
                    earlier.counts.insert(term.clone(), 1);
                }
            }
            memory.bytes += term.len() + TERM;
        }
        earlier.events.push_back(own);
        if earlier.events.len() > self.most
            && let Some(oldest) = earlier.events.pop_front()
        {
            for term in oldest {
                memory.bytes -= term.len() + TERM;
                if let Some(count) = earlier.counts.get_mut(&term) {
                    *count -= 1;
                    if *count == 0 {
                        earlier.counts.remove(&term);
                        memory.bytes -= term.len() + TERM;
                    }
                }
            }
        }
        vec![Value::Number(score)]
    }

    fn held(memory: &Groups) -> usize {
        memory.bytes
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use crate::testing::table;

    #[tokio::test]
    async fn events_are_scored_by_what_is_new() {
        let rows = "{\"m\":\"a b\"}\n{\"m\":\"a 1\"}\n{\"m\":\"a 2\"}\n{}\n{\"m\":\"b\"}";
        for (options, expected) in [
            ("labelonly=t", vec!["a b 1", "a 1 0.25", "a 2 0", "- -", "b 0"]),
            ("labelonly=t normalize=f", vec!["a b 1", "a 1 0.25", "a 2 0.2", "- -", "b 0"]),
            // Of the two earlier events, none has the last term.
            (
                "labelonly=t maxvalues=2",
                vec!["a b 1", "a 1 0.25", "a 2 0", "- -", "b 0.3333333333333333"],
            ),
            ("threshold=0.24", vec!["a b 1", "a 1 0.25"]),
        ] {
            let search = format!("| anomalies field=m {options} | table m unexpectedness");
            let mut expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            expected.insert(0, "m | unexpectedness".to_owned());
            assert_eq!(table(&search, rows).await, Ok(expected), "{options}");
        }
        for (options, code) in [
            ("denylist=x.csv", Code::UNSUPPORTED_OPTION),
            ("maxvalues=0", Code::BAD_OPTION),
            ("by h*", Code::BAD_ARGUMENT),
        ] {
            let search = format!("| anomalies {options}");
            assert_eq!(table(&search, rows).await, Err(vec![code]), "{options}");
        }
    }
}
