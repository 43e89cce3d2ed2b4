//! `anomalydetection`: finds improbable rows.

mod histogram;
mod operator;
mod values;
pub(super) mod zscore;

use std::sync::Arc;

use async_trait::async_trait;
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_spl::Arguments;

use self::histogram::Threshold;
use self::operator::{Action, Anomalies, HISTOGRAM_COLUMNS, Method, score_columns};
use self::zscore::ZScore;
use super::outlier::{MARK, Outlier, PARAM, USELOWER};
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes, table};
use crate::lineage::Lineage;
use crate::operators::Codec;
use crate::planning::plan::{Needs, Plan};

/// The default threshold of `method=zscore`: values with a lower probability are anomalous.
const ZSCORE_THRESHOLD: f64 = 0.01;

/// The actions of all methods: first the three of `histogram` and `zscore`, then the four of `iqr`.
const ACTIONS: &[&str] = &["filter", "annotate", "summary", "tf", "transform", "rm", "remove"];

static DOC: CommandDoc = CommandDoc {
    name: "anomalydetection",
    aliases: &[],
    kind: CommandKind::Dataset,
    summary: "Find improbable rows, from the frequency of their field values.",
    syntax: "anomalydetection [method=histogram|zscore|iqr] [action=filter|annotate|summary|tf|transform|rm|remove] [pthresh=<num>] [cutoff=<bool>] [param=<num>] [uselower=<bool>] [mark=<bool>] [<field> …]",
    arguments: &[
        Argument::option("method", Takes::OneOf(&["histogram", "zscore", "iqr"]))
            .default("histogram")
            .doc("How to score rows; `iqr` is the same as `outlier`."),
        Argument::option("action", Takes::OneOf(ACTIONS)).doc(
            "`filter` (default) returns only anomalies, `annotate` all rows, `summary` statistics of the scores; with `iqr`, the actions of `outlier`.",
        ),
        Argument::option("pthresh", Takes::Number)
            .between(0, 1)
            .doc("The probability below which a row (with `zscore`, a value) is an anomaly."),
        Argument::option("cutoff", Takes::Bool).default("true").doc(
            "With `histogram` and without `pthresh`: whether to lower the threshold to get few anomalies.",
        ),
        PARAM,
        USELOWER,
        MARK,
        Argument::positional("field", Takes::Fields)
            .doc("The fields to score. Default: all fields whose names do not begin with `_`."),
    ],
    examples: &[
        Example {
            title: "The user that differs from the others",
            events: r#"{"user":"ann"}
{"user":"ann"}
{"user":"ann"}
{"user":"ann"}
{"user":"bob"}"#,
            search: "| anomalydetection user | table user probable_cause probable_cause_freq",
            results: r#"{"user":"bob","probable_cause":"user","probable_cause_freq":0.2}"#,
        },
        Example {
            title: "All rows, with the cause of each anomaly",
            events: r#"{"user":"ann","code":"ok"}
{"user":"ann","code":"ok"}
{"user":"ann","code":"ok"}
{"user":"ann","code":"denied"}"#,
            search: r#"| anomalydetection "user" "code" action=annotate pthresh=0.5 | fields user code probable_cause max_freq"#,
            results: r#"{"user":"ann","code":"ok","max_freq":1}
{"user":"ann","code":"ok","max_freq":1}
{"user":"ann","code":"ok","max_freq":1}
{"user":"ann","code":"denied","probable_cause":"code","max_freq":1}"#,
        },
        Example {
            title: "Truncate and mark numbers far outside the quartiles",
            events: r#"{"n":"1"}
{"n":"2"}
{"n":"3"}
{"n":"4"}
{"n":"90"}"#,
            search: "| anomalydetection method=iqr action=tf param=2.5 uselower=false mark=true n",
            results: r#"{"n":"1"}
{"n":"2"}
{"n":"3"}
{"n":"4"}
{"n":"0009"}"#,
        },
    ],
    differs: &[
        "Splunk does not document the details of its histogram. In Spilltrail, a field is numeric if all of its values are finite numbers. Its bins have equal widths by Scott's rule, from the smallest to the largest number, and the last bin includes its upper bound.",
        "Quartiles are interpolated, and a row is an anomaly if it is strictly below the threshold.",
        "`cutoff=true` lowers the threshold until at most 5 percent of the rows, but at least one, are below it. Rows of equal probability are kept or dropped together, and the least probable rows are always kept.",
        "If several fields have equally rare values, the first in the list is the cause. A multivalue field counts as one value.",
        "`annotate` adds `log_event_prob` and `max_freq` to all rows, and `probable_cause` and `probable_cause_freq` only to anomalies.",
        "`thresh` in the summary is a natural logarithm, as the other columns are.",
        "`method=zscore` scores a category by its frequency, and a number by how probable a number that far from the mean is in a normal distribution.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::gathering::<operator::Anomalies>();

/// Returns the command that scores values by these rules: `anomalousvalue` is the same as
/// `method=zscore`.
pub(super) fn of_values(fields: Vec<String>, action: &str, rules: ZScore) -> Box<dyn Command> {
    let action = action_of(action);
    Box::new(AnomalyDetection { fields, method: Method::ZScore(rules), action })
}

fn action_of(name: &str) -> Action {
    match name {
        "annotate" => Action::Annotate,
        "summary" => Action::Summary,
        _ => Action::Filter,
    }
}

#[derive(Debug)]
struct AnomalyDetection {
    fields: Vec<String>,
    method: Method,
    action: Action,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut fields = Vec::new();
    while arguments.more() {
        fields.extend(arguments.fields()?.into_iter().map(|field| field.value));
    }
    match arguments.value("method") {
        "iqr" => {
            only_with(&["pthresh", "cutoff"], "`histogram` and `zscore`", arguments);
            let action = action(&ACTIONS[3..], arguments);
            Ok(Box::new(Outlier::new(fields, action, arguments)))
        }
        method => {
            only_with(&["param", "uselower", "mark"], "`iqr`", arguments);
            let method = if method == "zscore" { zscore(arguments) } else { histogram(arguments) };
            let action = action_of(action(&ACTIONS[..3], arguments));
            Ok(Box::new(AnomalyDetection { fields, method, action }))
        }
    }
}

fn histogram(arguments: &mut Arguments<'_>) -> Method {
    let threshold = arguments.given("pthresh").map(|threshold| threshold.value);
    if threshold.is_some() {
        arguments.without_effect("cutoff", "`pthresh` is the threshold");
    }
    Method::Histogram(match threshold {
        Some(probability) => Threshold::Probability(probability),
        None if arguments.value("cutoff") => Threshold::Cutoff,
        None => Threshold::Quartiles,
    })
}

fn zscore(arguments: &mut Arguments<'_>) -> Method {
    only_with(&["cutoff"], "`histogram`", arguments);
    let threshold = arguments.given("pthresh").map(|threshold| threshold.value);
    Method::ZScore(ZScore::below(threshold.unwrap_or(ZSCORE_THRESHOLD)))
}

/// Reports the given `options` as errors because only `methods` have them.
fn only_with(options: &[&str], methods: &str, arguments: &mut Arguments<'_>) {
    for option in options {
        if let Some(span) = arguments.given_at(option) {
            let message = format!("`{option}` is an option of the method {methods} only");
            arguments.report(Diagnostic::error(Code::BAD_OPTION, message).at(span));
        }
    }
}

/// Returns the action, by default the first of `known`. Reports an action that is not in `known`.
fn action(known: &[&'static str], arguments: &mut Arguments<'_>) -> &'static str {
    match arguments.given::<&'static str>("action") {
        None => known[0],
        Some(action) => {
            if !known.contains(&action.value) {
                let message = format!(
                    "expected an action of the method, `{}`, found `{}`",
                    known.join("`, `"),
                    action.value
                );
                arguments.report(Diagnostic::error(Code::BAD_OPTION, message).at(action.span));
            }
            action.value
        }
    }
}

#[async_trait]
impl Command for AnomalyDetection {
    fn needs(&self, after: Needs) -> Needs {
        let needs = match (self.action, self.method) {
            (Action::Summary, _) => Needs::only::<&str>([]),
            (_, Method::Histogram(_)) => after.without(HISTOGRAM_COLUMNS.map(|(name, _)| name)),
            (_, Method::ZScore(_)) => {
                after.without(self.fields.iter().flat_map(|field| score_columns(field)))
            }
        };
        if self.fields.is_empty() { needs.and(["*"]) } else { needs.and(&self.fields) }
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        // Without a list, `covered("*")` returns the fields that are not internal.
        let is_listed = !self.fields.is_empty();
        let fields =
            if is_listed { table::spread(&input, &self.fields) } else { input.covered("*") };
        let (method, action) = (self.method, self.action);
        let mut plan = input.operator(Arc::new(Anomalies { fields, is_listed, method, action }));
        plan.transformed |= action == Action::Summary;
        Ok(plan)
    }

    fn trace(&self, lineage: &mut Lineage) {
        lineage.measure(HISTOGRAM_COLUMNS.map(|(name, _)| name.to_owned()));
        lineage.measure(score_columns("*"));
    }
}
