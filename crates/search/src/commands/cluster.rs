//! `cluster`: groups events by how similar a field's text is.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::fields::RAW;
use spilltrail_event::{Field, Kind, Value};
use spilltrail_spl::{Arguments, parse as parse_search};

use super::running::{InOrder, RowByRow};
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use super::{pipeline, subsearch};
use crate::lineage::Lineage;
use crate::operators::Codec;
use crate::planning::plan::{Needs, Plan};

/// An event is compared with this many clusters, the newest ones.
const MOST_CLUSTERS: usize = 10_000;

static DOC: CommandDoc = CommandDoc {
    name: "cluster",
    aliases: &["slc"],
    kind: CommandKind::CentralizedStreaming,
    summary: "Group events by how similar they are, and return the first of each group.",
    syntax: "cluster [t=<num>] [field=<field>] [match=termlist|termset|ngramset] [delims=<text>] [showcount=<bool>] [countfield=<field>] [labelfield=<field>] [labelonly=<bool>]",
    arguments: &[
        Argument::option("t", Takes::Number).default("0.8").doc(
            "How similar an event is to its cluster at least: more than 0, less than 1.",
        ),
        Argument::option("field", Takes::Field).default("_raw").doc("The field to compare."),
        Argument::option("match", Takes::OneOf(&["termlist", "termset", "ngramset"]))
            .default("termlist")
            .doc("What is compared: the terms in their order, the set of terms, or the set of all runs of three characters."),
        Argument::option("delims", Takes::Text)
            .doc("The characters that separate terms. Default: all but letters and digits."),
        Argument::option("showcount", Takes::Bool)
            .default("false")
            .doc("Whether to add the number of events of each cluster."),
        Argument::option("countfield", Takes::Field)
            .default("cluster_count")
            .doc("The field for the number of events."),
        Argument::option("labelfield", Takes::Field)
            .default("cluster_label")
            .doc("The field for the number of the cluster."),
        Argument::option("labelonly", Takes::Bool)
            .default("false")
            .doc("Whether to return all events, each with the number of its cluster."),
    ],
    examples: &[
        Example {
            title: "Texts that differ in one word",
            events: r#"{"m":"login of ann from web failed"}
{"m":"disk full"}
{"m":"login of bob from web failed"}"#,
            search: "| cluster t=0.7 field=m showcount=t | table m cluster_count cluster_label",
            results: r#"{"m":"login of ann from web failed","cluster_count":2,"cluster_label":1}
{"m":"disk full","cluster_count":1,"cluster_label":2}"#,
        },
        Example {
            title: "Every event with the number of its cluster",
            events: r#"{"m":"a b"}
{"m":"b a"}
{"m":"c"}"#,
            search: "| cluster field=m match=termset labelonly=t labelfield=group",
            results: r#"{"m":"a b","group":1}
{"m":"b a","group":1}
{"m":"c","group":2}"#,
        },
    ],
    differs: &[
        "Splunk does not document how similarity is measured. In Spilltrail it is, with `termlist`, the part of the places that have the same term; with `termset` and `ngramset`, the cosine of the two sets.",
        "An event joins the first cluster whose first event is similar enough, of the 10,000 newest.",
        "Events without the field have no cluster; they are returned with `labelonly=t` only.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::operator::<InOrder<Clusters>>(Clusters::NAME);

#[derive(Debug)]
struct Cluster {
    field: String,
    label: String,
    count: Option<String>,
    is_only_labeling: bool,
    clusters: Clusters,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Match {
    TermList,
    TermSet,
    NgramSet,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    arguments.finish_with_options()?;
    let least: f64 = arguments.value("t");
    if !(least > 0.0 && least < 1.0) {
        let message = format!("expected a number between 0 and 1 for `t`, found `{least}`");
        let place = arguments.given_at("t").unwrap_or_else(|| arguments.span());
        arguments.report(Diagnostic::error(Code::BAD_OPTION, message).at(place));
    }
    let matching = match arguments.value("match") {
        "termset" => Match::TermSet,
        "ngramset" => Match::NgramSet,
        _ => Match::TermList,
    };
    if matching == Match::NgramSet {
        arguments.without_effect("delims", "`match=ngramset` compares characters, not terms");
    }
    let has_count: bool = arguments.value("showcount");
    if !has_count {
        arguments.without_effect("countfield", "it needs `showcount=t`");
    }
    let delimiters = arguments.given::<String>("delims").map(|given| given.value);
    Ok(Box::new(Cluster {
        field: arguments.value("field"),
        label: arguments.value("labelfield"),
        count: has_count.then(|| arguments.value("countfield")),
        is_only_labeling: arguments.value("labelonly"),
        clusters: Clusters { least, matching, delimiters },
    }))
}

#[async_trait]
impl Command for Cluster {
    fn needs(&self, after: Needs) -> Needs {
        let added = self.count.iter().chain([&self.label]);
        Needs { order: true, ..after.without(added) }.and([&self.field])
    }

    fn follows_source(&mut self) -> bool {
        self.label != RAW && self.count.as_deref() != Some(RAW)
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        let mut names = before?;
        names.push(self.label.clone());
        names.extend(self.count.clone());
        Some(names)
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        let operator = InOrder {
            inputs: vec![self.field.clone()],
            outputs: vec![Field::new(&self.label, Kind::Number)],
            function: self.clusters.clone(),
        };
        let plan = input.forgetting([self.label.as_str()]).operator(Arc::new(operator));
        let label = subsearch::quoted(&self.label);
        let mut rest = Vec::new();
        if let Some(count) = &self.count {
            rest.push(format!("eventstats count as {} by {label}", subsearch::quoted(count)));
        }
        if !self.is_only_labeling {
            rest.push(format!("dedup {label}"));
        }
        if rest.is_empty() {
            return Ok(plan);
        }
        let (rest, _) = parse_search(&format!("| {}", rest.join(" | ")));
        let after = stage.after.clone().and([&self.label]);
        pipeline::plan_on(plan, &rest, stage.context, after).await.map_err(subsearch::first)
    }

    fn trace(&self, lineage: &mut Lineage) {
        lineage.measure(self.count.iter().chain([&self.label]).cloned());
    }
}

/// Gives each event the number of its cluster.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Clusters {
    #[serde(with = "spilltrail_event::exact")]
    least: f64,
    matching: Match,
    delimiters: Option<String>,
}

/// The clusters so far.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The parts of the first event of each cluster that is compared, oldest first.
    firsts: std::collections::VecDeque<Vec<String>>,
    /// The number of clusters that are no longer compared.
    dropped: usize,
    /// The cluster of each text, because logs repeat themselves.
    texts: HashMap<String, usize>,
    bytes: usize,
}

impl RowByRow for Clusters {
    const NAME: &'static str = "cluster";

    type Memory = Known;

    fn next<'a>(
        &self,
        known: &mut Known,
        inputs: &[Value<'a>],
        _: Vec<Value<'a>>,
    ) -> Vec<Value<'a>> {
        let Some(text) = inputs[0].to_text() else { return vec![Value::Null] };
        if let Some(label) = known.texts.get(text.as_ref()) {
            return vec![number(*label)];
        }
        let parts = self.parts(&text);
        let similar =
            known.firsts.iter().position(|first| self.similarity(first, &parts) >= self.least);
        let place = similar.unwrap_or(known.firsts.len());
        let label = known.dropped + place + 1;
        if similar.is_none() {
            known.bytes += parts.iter().map(|part| part.len() + 24).sum::<usize>() + 24;
            known.firsts.push_back(parts);
            if known.firsts.len() > MOST_CLUSTERS
                && let Some(oldest) = known.firsts.pop_front()
            {
                known.bytes -= oldest.iter().map(|part| part.len() + 24).sum::<usize>() + 24;
                known.dropped += 1;
            }
        }
        // The texts are a shortcut only, so few of them are enough.
        if known.texts.len() >= MOST_CLUSTERS {
            known.bytes -= known.texts.keys().map(|text| text.len() + 48).sum::<usize>();
            known.texts.clear();
        }
        known.bytes += text.len() + 48;
        known.texts.insert(text.into_owned(), label);
        vec![number(label)]
    }

    fn held(known: &Known) -> usize {
        known.bytes
    }
}

#[expect(clippy::cast_precision_loss, reason = "rows are fewer than 2^53")]
fn number<'a>(count: usize) -> Value<'a> {
    Value::Number(count as f64)
}

impl Clusters {
    /// Returns what is compared of a text.
    fn parts(&self, text: &str) -> Vec<String> {
        match self.matching {
            Match::TermList => terms(text, self.delimiters.as_deref()).map(str::to_owned).collect(),
            Match::TermSet => distinct(terms(text, self.delimiters.as_deref()).map(str::to_owned)),
            Match::NgramSet => {
                let characters: Vec<char> = text.chars().collect();
                if characters.len() < 3 {
                    return vec![text.to_owned()];
                }
                distinct(characters.windows(3).map(|three| three.iter().collect()))
            }
        }
    }

    /// Returns how similar two texts are, from 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "terms are fewer than 2^53")]
    fn similarity(&self, one: &[String], other: &[String]) -> f64 {
        let (shorter, longer) = (one.len().min(other.len()), one.len().max(other.len()));
        if longer == 0 {
            return 1.0;
        }
        if self.matching == Match::TermList {
            // More terms than the shorter text has cannot be equal.
            if (shorter as f64) < self.least * longer as f64 {
                return 0.0;
            }
            let equal = one.iter().zip(other).filter(|(one, other)| one == other).count();
            return equal as f64 / longer as f64;
        }
        let common = one.iter().filter(|part| other.binary_search(part).is_ok()).count();
        common as f64 / ((one.len() * other.len()) as f64).sqrt()
    }
}

/// Returns the parts in order, each once.
fn distinct(parts: impl Iterator<Item = String>) -> Vec<String> {
    parts.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Returns the terms of a text: what stands between `delimiters`, or between characters that are
/// neither letters nor digits.
pub(super) fn terms<'a>(
    text: &'a str,
    delimiters: Option<&'a str>,
) -> impl Iterator<Item = &'a str> + 'a {
    let ends = move |c: char| match delimiters {
        Some(delimiters) => delimiters.contains(c),
        None => !c.is_alphanumeric(),
    };
    text.split(ends).filter(|term| !term.is_empty())
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use crate::testing::table;

    #[tokio::test]
    async fn similar_events_are_one_cluster() {
        let rows = "{\"m\":\"a b c d\"}\n{\"m\":\"a b x d\"}\n{\"m\":\"d c b a\"}\n{\"n\":\"1\"}\n{\"m\":\"a b c d\"}";
        for (options, expected) in [
            ("t=0.75", vec!["a b c d 1", "d c b a 2"]),
            ("t=0.76", vec!["a b c d 1", "a b x d 2", "d c b a 3"]),
            ("t=0.9 match=termset", vec!["a b c d 1", "a b x d 2"]),
            ("t=0.5 match=ngramset", vec!["a b c d 1", "a b x d 2", "d c b a 3"]),
            ("t=0.75 delims=\"c\"", vec!["a b c d 1", "a b x d 2", "d c b a 3"]),
            ("t=0.7 labelonly=t", vec!["a b c d 1", "a b x d 1", "d c b a 2", "- -", "a b c d 1"]),
        ] {
            let search = format!("| cluster field=m {options} | table m cluster_label");
            let mut expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            expected.insert(0, "m | cluster_label".to_owned());
            assert_eq!(table(&search, rows).await, Ok(expected), "{options}");
        }
        for options in ["t=0", "t=1", "match=letters", "t=x"] {
            let search = format!("| cluster {options}");
            assert_eq!(table(&search, rows).await, Err(vec![Code::BAD_OPTION]), "{options}");
        }
    }
}
