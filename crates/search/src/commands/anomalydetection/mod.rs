//! `anomalydetection`: finds improbable rows.

mod histogram;
mod operator;
mod values;
mod zscore;

use std::sync::Arc;

use async_trait::async_trait;
use spilltrail_diagnostic::{Code, Diagnostic, Span, Spanned};
use spilltrail_spl::Arguments;

use self::histogram::Threshold;
use self::operator::{Action, Anomalies, HISTOGRAM_COLUMNS, Method, score_columns};
use super::outlier::Outlier;
use super::{Command, CommandDoc, CommandKind, Entry, Example, Stage, options, table};
use crate::planning::plan::{Needs, Plan};

/// The probability below which `method=zscore` finds a value anomalous.
const ZSCORE_THRESHOLD: f64 = 0.01;

static DOC: CommandDoc = CommandDoc {
    name: "anomalydetection",
    aliases: &[],
    kind: CommandKind::Dataset,
    summary: "Finds improbable rows, by how frequent the values of their fields are.",
    syntax: "anomalydetection [method=histogram|zscore|iqr] [action=filter|annotate|summary] [pthresh=<num>] [cutoff=<bool>] [<field> …]",
    arguments: &[
        ("method", "`histogram` (default), `zscore`, or `iqr`, which is `outlier`."),
        (
            "action",
            "`filter` (default) gives anomalies, `annotate` all rows, `summary` what the scores are like; with `iqr` as for `outlier`.",
        ),
        ("pthresh", "A row (with `zscore`, a value) less probable than this is an anomaly."),
        (
            "cutoff",
            "With `histogram`: whether the threshold is lowered to get few anomalies. Default true.",
        ),
        ("param, uselower, mark", "With `iqr`: as for `outlier`."),
        ("field", "The fields to look at. Default: all that are not internal."),
    ],
    examples: &[
        Example {
            title: "The one user that differs",
            events: r#"{"user":"ann"}
{"user":"ann"}
{"user":"ann"}
{"user":"ann"}
{"user":"bob"}"#,
            search: "| anomalydetection user | table user probable_cause probable_cause_freq",
            results: r#"{"user":"bob","probable_cause":"user","probable_cause_freq":0.2}"#,
        },
        Example {
            title: "All rows, anomalies with their cause",
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
    ],
    differs: &[
        "Splunk does not publish the details of its histogram. Here a field is numeric if all its values are finite numbers; it gets equal bins from its smallest to its greatest number, as wide as Scott's rule says, the last one closed.",
        "Quartiles are interpolated, and a row is an anomaly if it is strictly below the threshold.",
        "`cutoff=true` lowers the threshold until no more than 5 percent of the rows (at least one) are below it; rows of the same probability stay together, and the least probable ones stay in any case.",
        "Of equally rare values, the first field in the list is the cause. A multivalue counts as one value.",
        "`annotate` gives `log_event_prob` and `max_freq` to all rows, `probable_cause` and `probable_cause_freq` to anomalies only.",
        "`thresh` in the summary is a natural logarithm, as the other columns are.",
        "`method=zscore` scores a category by its frequency, and a number by the probability that a normal distribution has for numbers as far from the mean.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

/// The options as they are written.
#[derive(Debug, Default)]
struct Written {
    fields: Vec<String>,
    method: Option<Spanned<String>>,
    action: Option<Spanned<String>>,
    threshold: Option<Spanned<String>>,
    cutoff: Option<(Span, bool)>,
    /// Options that only `method=iqr` has.
    others: Vec<(Spanned<String>, Spanned<String>)>,
}

#[derive(Debug)]
struct AnomalyDetection {
    fields: Vec<String>,
    method: Method,
    action: Action,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut written = Written::default();
    while !arguments.is_empty() {
        if let Some((name, value)) = arguments.any_option() {
            match name.value.to_ascii_lowercase().as_str() {
                "method" => written.method = Some(value),
                "action" => written.action = Some(value),
                "pthresh" => written.threshold = Some(value),
                "cutoff" => written.cutoff = Some((name.span, options::boolean(&value)?)),
                _ => written.others.push((name, value)),
            }
        } else {
            written.fields.extend(arguments.fields()?.into_iter().map(|field| field.value));
        }
    }
    let method = written.method.as_ref().map_or("histogram", |method| method.value.as_str());
    match method.to_ascii_lowercase().as_str() {
        "histogram" => written.histogram(),
        "zscore" => written.zscore(),
        "iqr" => written.iqr(),
        other => {
            let message = format!("expected `histogram`, `zscore` or `iqr`, found `{other}`");
            let span = written.method.map_or(arguments.span(), |method| method.span);
            Err(Diagnostic::error(Code::BAD_OPTION, message).at(span))
        }
    }
}

impl Written {
    fn histogram(self) -> Result<Box<dyn Command>, Diagnostic> {
        self.no_others()?;
        let threshold = match (self.probability()?, self.cutoff) {
            (Some(probability), _) => Threshold::Probability(probability),
            (None, Some((_, false))) => Threshold::Quartiles,
            (None, _) => Threshold::Cutoff,
        };
        self.command(Method::Histogram(threshold))
    }

    fn zscore(self) -> Result<Box<dyn Command>, Diagnostic> {
        self.no_others()?;
        self.no_cutoff()?;
        let threshold = self.probability()?.unwrap_or(ZSCORE_THRESHOLD);
        self.command(Method::ZScore(threshold))
    }

    fn iqr(self) -> Result<Box<dyn Command>, Diagnostic> {
        self.no_cutoff()?;
        if let Some(threshold) = &self.threshold {
            let message = "`pthresh` is not an option of `method=iqr`";
            return Err(Diagnostic::error(Code::BAD_OPTION, message)
                .at(threshold.span)
                .help("use `param` for how far outside the quartiles outliers are"));
        }
        let mut outlier = Outlier::of(self.fields);
        let action =
            self.action.map(|value| (Spanned::new("action".to_owned(), value.span), value));
        for (name, value) in self.others.iter().chain(&action) {
            if !outlier.option(name, value)? {
                return Err(options::unknown("anomalydetection", name));
            }
        }
        Ok(Box::new(outlier))
    }

    fn no_others(&self) -> Result<(), Diagnostic> {
        let unknown = self.others.first();
        unknown.map_or(Ok(()), |(name, _)| Err(options::unknown("anomalydetection", name)))
    }

    fn no_cutoff(&self) -> Result<(), Diagnostic> {
        let Some((span, _)) = self.cutoff else { return Ok(()) };
        let message = "`cutoff` is an option of `method=histogram` only";
        Err(Diagnostic::error(Code::BAD_OPTION, message).at(span))
    }

    fn probability(&self) -> Result<Option<f64>, Diagnostic> {
        let Some(value) = &self.threshold else { return Ok(None) };
        let probability = options::number(value)?;
        if !(0.0..=1.0).contains(&probability) {
            let message = format!("expected a number from 0 to 1, found `{}`", value.value);
            return Err(Diagnostic::error(Code::BAD_OPTION, message).at(value.span));
        }
        Ok(Some(probability))
    }

    fn command(self, method: Method) -> Result<Box<dyn Command>, Diagnostic> {
        let written = self.action.as_ref().map_or("filter", |action| action.value.as_str());
        let action = match written.to_ascii_lowercase().as_str() {
            "filter" => Action::Filter,
            "annotate" => Action::Annotate,
            "summary" => Action::Summary,
            other => {
                let message =
                    format!("expected `filter`, `annotate` or `summary`, found `{other}`");
                let diagnostic = Diagnostic::error(Code::BAD_OPTION, message);
                return Err(match self.action {
                    Some(action) => diagnostic.at(action.span),
                    None => diagnostic,
                });
            }
        };
        Ok(Box::new(AnomalyDetection { fields: self.fields, method, action }))
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
        let is_listed = !self.fields.is_empty();
        let fields =
            if is_listed { table::spread(&input, &self.fields) } else { input.covered("*") };
        let (method, action) = (self.method, self.action);
        let mut plan = input.operator(Arc::new(Anomalies { fields, is_listed, method, action }));
        plan.transformed |= action == Action::Summary;
        Ok(plan)
    }
}
