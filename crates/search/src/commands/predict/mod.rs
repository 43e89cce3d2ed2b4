//! `predict`: predicts the next numbers of series.

mod model;
mod operator;

use std::sync::Arc;

use async_trait::async_trait;
use spilltrail_diagnostic::{Code, Diagnostic, Spanned};
use spilltrail_event::fields;
use spilltrail_spl::Arguments;

use self::model::LONGEST_PERIOD;
use self::operator::{Algorithm, Predictions, Series};
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::lineage::Lineage;
use crate::operators::Codec;
use crate::planning::plan::{Needs, Plan};

static DOC: CommandDoc = CommandDoc {
    name: "predict",
    aliases: &[],
    kind: CommandKind::Dataset,
    summary: "Predict the next numbers of series, such as the columns of `timechart`.",
    syntax: "predict <field> [AS <name>] … [algorithm=LL|LLT|LLP|LLP5|LLB|BiLL] [future_timespan=<int>] [holdback=<int>] [period=<int>] [suppress=<field>] [upper<N>=<field>] [lower<N>=<field>]",
    arguments: &[
        Argument::positional("field", Takes::Fields)
            .doc("The fields with numbers, each with an optional name for its prediction after `AS`."),
        Argument::option("algorithm", Takes::OneOf(&["LL", "LLT", "LLP", "LLP5", "LLB", "BiLL"]))
            .default("LLP5")
            .doc("The model: `LL` has a level, `LLT` also a trend, `LLP` also a pattern that repeats itself; `LLP5` combines `LLT` and `LLP`. `LLB` and `BiLL` are not supported."),
        Argument::option("future_timespan", Takes::Count)
            .default("5")
            .between(0, 10_000)
            .doc("How many points to predict after the last one that is used."),
        Argument::option("holdback", Takes::Count)
            .default("0")
            .doc("How many of the last points are not used, to compare them with the prediction."),
        Argument::option("period", Takes::Count)
            .between(2, LONGEST_PERIOD as u64)
            .doc("After how many points the pattern repeats itself. Default: found from the numbers."),
        Argument::option("correlate", Takes::Field)
            .refused("only the models for two series use it; choose another `algorithm`")
            .doc("The other series of `algorithm=LLB`."),
        Argument::option("suppress", Takes::Field)
            .doc("A field whose prediction is not shown."),
        Argument::positional("bound", Takes::Text)
            .doc("`upper95=<name>` or `lower95=<name>`: how many percent of the numbers, from 0 to 100, are expected between the prediction's two bounds, and a name for the bound. Default 95 and `upper95(…)`."),
    ],
    examples: &[
        Example {
            title: "What comes next",
            events: r#"{"_time":0,"count":"4"}
{"_time":60,"count":"4"}
{"_time":120,"count":"4"}
{"_time":180,"count":"4"}"#,
            search: "| predict count AS next algorithm=LL future_timespan=2 | eval next=round(next) | table _time count next",
            results: r#"{"_time":0,"count":"4","next":4}
{"_time":60,"count":"4","next":4}
{"_time":120,"count":"4","next":4}
{"_time":180,"count":"4","next":4}
{"_time":240,"next":4}
{"_time":300,"next":4}"#,
        },
        Example {
            title: "The bounds are columns, too",
            events: r#"{"_time":0,"n":"1"}
{"_time":1,"n":"2"}
{"_time":2,"n":"3"}
{"_time":3,"n":"4"}
{"_time":4,"n":"5"}"#,
            search: "| predict n algorithm=LLT future_timespan=1 | tail 1 | foreach \"prediction(n)\" \"upper95(prediction(n))\" \"lower95(prediction(n))\" [eval \"<<FIELD>>\"=round('<<FIELD>>')] | fields _time prediction(n) upper95(prediction(n)) lower95(prediction(n))",
            results: r#"{"_time":5,"prediction(n)":6,"upper95(prediction(n))":6,"lower95(prediction(n))":6}"#,
        },
    ],
    differs: &[
        "Splunk's models have the same parts but estimate them in a way that is not documented, so the numbers differ.",
        "`LLB` and `BiLL`, which use a second series, are not supported.",
        "A field that no row has, or that has no numbers, has no prediction.",
        "Series that would take more than some seconds to predict are an error: those of more than 100,000 points, and long ones with a long period.",
        "Without `_time`, points after the last one have no time.",
        "A pattern is looked for if the series is at least twice as long; without one, `LLP` is `LL`, and `LLP5` is `LLT`.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::gathering::<Predictions>();

#[derive(Debug)]
struct Predict {
    predictions: Predictions,
}

/// The name and the percentage of a bound.
type Bound = (f64, Option<Spanned<String>>);

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut series: Vec<(Spanned<String>, Option<Spanned<String>>)> = Vec::new();
    let (mut upper, mut lower): (Bound, Bound) = ((95.0, None), (95.0, None));
    loop {
        if let Some((name, bound)) = bound(arguments)? {
            let side = if name.starts_with("upper") { &mut upper } else { &mut lower };
            if let (Some(earlier), Some(again)) = (&side.1, &bound.1) {
                let option = if name.starts_with("upper") { "upper" } else { "lower" };
                arguments.written_twice(option, earlier.span, again.span);
            }
            *side = bound;
            continue;
        }
        if arguments.keyword("as").is_some() {
            let name = arguments.one_field()?;
            match series.last_mut() {
                Some((_, output @ None)) => *output = Some(name),
                _ => return Err(no_field(arguments)),
            }
            continue;
        }
        if !arguments.one_option() {
            if arguments.is_empty() {
                break;
            }
            arguments.symbol(",");
            series.push((arguments.field()?, None));
        }
    }
    if series.is_empty() {
        return Err(no_field(arguments));
    }
    let algorithm = match arguments.value("algorithm") {
        "LL" => Algorithm::Level,
        "LLT" => Algorithm::Trend,
        "LLP" => Algorithm::Pattern,
        name @ ("LLB" | "BiLL") => {
            let message = format!("`predict algorithm={name}` is not supported");
            let place = arguments.given_at("algorithm").unwrap_or_else(|| arguments.span());
            let help = "`LLP5`, `LLP`, `LLT` and `LL` predict each series by itself";
            arguments.report(
                Diagnostic::unsupported(Code::UNSUPPORTED_OPTION, message).at(place).help(help),
            );
            Algorithm::Level
        }
        _ => Algorithm::Combined,
    };
    let period = arguments.given::<usize>("period").map(|period| period.value);
    if matches!(algorithm, Algorithm::Level | Algorithm::Trend) {
        arguments.without_effect("period", "the model has no pattern");
    }
    let read: Vec<Spanned<String>> = series.iter().map(|(field, _)| field.clone()).collect();
    arguments.each_is_one_field(&read);
    if let (true, Some(name)) = (series.len() > 1, upper.1.as_ref().or(lower.1.as_ref())) {
        let message = "the name of a bound is for one field only";
        arguments.report(
            Diagnostic::error(Code::BAD_ARGUMENT, message)
                .at(name.span)
                .help("use one `predict` for each field"),
        );
    }
    if let Some(hidden) = arguments.given::<String>("suppress") {
        let count = series.len();
        series.retain(|(field, _)| field.value != hidden.value);
        if series.len() == count {
            arguments.without_effect("suppress", "it is none of the fields to predict");
        }
    }
    let named = |prediction: &str, side: &str, bound: &Bound| match &bound.1 {
        Some(name) => name.value.clone(),
        None => format!("{side}{}({prediction})", bound.0),
    };
    let series: Vec<(Spanned<String>, Spanned<String>)> = series
        .into_iter()
        .map(|(field, output)| {
            let default = || format!("prediction({})", field.value);
            let output = output.unwrap_or_else(|| Spanned::new(default(), field.span));
            (field, output)
        })
        .collect();
    let bounds: Vec<Spanned<String>> = upper.1.iter().chain(&lower.1).cloned().collect();
    arguments.each_is_one_field(&bounds);
    arguments.each_once(series.iter().map(|(_, output)| output).chain(&bounds));
    let series = series
        .into_iter()
        .map(|(field, output)| Series {
            field: field.value,
            upper: named(&output.value, "upper", &upper),
            lower: named(&output.value, "lower", &lower),
            output: output.value,
        })
        .collect();
    Ok(Box::new(Predict {
        predictions: Predictions {
            series,
            algorithm,
            period,
            ahead: arguments.value("future_timespan"),
            held_back: arguments.value("holdback"),
            upper: upper.0,
            lower: lower.0,
        },
    }))
}

fn no_field(arguments: &Arguments<'_>) -> Diagnostic {
    Diagnostic::error(Code::MISSING_ARGUMENT, "expected a field to predict")
        .at(arguments.span())
        .help("for example `predict count`")
}

/// Takes `upper95=name` or `lower95=name`, if it comes next; returns the option's name and the bound.
fn bound(arguments: &mut Arguments<'_>) -> Result<Option<(String, Bound)>, Diagnostic> {
    let Some((name, value)) = arguments.clone().any_option() else { return Ok(None) };
    let lower = name.value.to_ascii_lowercase();
    let Some(percent) = lower.strip_prefix("upper").or_else(|| lower.strip_prefix("lower")) else {
        return Ok(None);
    };
    arguments.any_option();
    arguments.symbol(",");
    let number: Option<f64> = percent.parse().ok().filter(|number| (0.0..100.0).contains(number));
    let Some(number) = number.filter(|_| !value.value.is_empty()) else {
        let message = format!(
            "expected a percentage and a name such as `upper95=high`, found `{}={}`",
            name.value, value.value
        );
        return Err(Diagnostic::error(Code::BAD_OPTION, message).at(name.span.to(value.span)));
    };
    Ok(Some((lower, (number, Some(value)))))
}

#[async_trait]
impl Command for Predict {
    fn needs(&self, after: Needs) -> Needs {
        let made = self.predictions.series.iter().flat_map(Series::outputs);
        let read = self.predictions.series.iter().map(|series| &series.field);
        Needs { order: true, ..after.without(made) }.and([fields::TIME]).and(read)
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        let mut names = before?;
        names.extend(self.predictions.series.iter().flat_map(Series::outputs).cloned());
        Some(names)
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        let made: Vec<&str> =
            self.predictions.series.iter().flat_map(Series::outputs).map(String::as_str).collect();
        for series in self.predictions.series.iter().filter(|one| input.kind(&one.field).is_none())
        {
            let message =
                format!("`predict` has nothing to predict: no row has `{}`", series.field);
            stage.context.observations.message(
                Diagnostic::warning(Code::NO_EFFECT, message).at(stage.span).help(
                    "its prediction has no values; check the name, or use `timechart` before",
                ),
            );
        }
        Ok(input.forgetting(made).operator(Arc::new(self.predictions.clone())))
    }

    fn trace(&self, lineage: &mut Lineage) {
        lineage.measure(self.predictions.series.iter().flat_map(Series::outputs).cloned());
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use crate::testing::{context, rows, table, table_of};

    fn events() -> String {
        let row = |n: u32| {
            format!(
                "{{\"_time\":{},\"n\":\"{}\",\"m\":\"7\"}}",
                n * 60,
                [1, 5, 9, 2][n as usize % 4]
            )
        };
        (0..24).map(row).collect::<Vec<_>>().join("\n")
    }

    #[tokio::test]
    async fn patterns_are_predicted() {
        for (options, expected) in [
            (
                "n algorithm=LLP",
                vec!["1380 2 2", "1440 - 1", "1500 - 5", "1560 - 9", "1620 - 2", "1680 - 1"],
            ),
            (
                "n future_timespan=2 algorithm=llp period=4",
                vec!["1380 2 2", "1440 - 1", "1500 - 5"],
            ),
            ("n algorithm=LLP holdback=2 future_timespan=3", vec!["1380 2 2", "1440 - 1"]),
            ("n algorithm=LLP holdback=2 future_timespan=1", vec!["1380 2 -"]),
        ] {
            let search = format!(
                "| predict {options} | eval p=round('prediction(n)') | where _time>=1380 | table _time n p"
            );
            let found = table(&search, &events()).await.map(|rows| rows[1..].to_vec());
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(found, Ok(expected), "{options}");
        }
    }

    /// A time that is no number, and fields without numbers, are no reason to fail.
    #[tokio::test]
    async fn what_cannot_be_predicted_has_no_values() {
        for (search, expected) in [
            ("| eval _time=_time.\"x\" | predict n future_timespan=1 | stats count", "25"),
            ("| predict nosuch | stats count count(prediction(nosuch)) as n", "24 0"),
            ("| eval n=\"x\" | predict n | stats count count(prediction(n)) as n", "24 0"),
        ] {
            let context = context(rows(&events()), 64 << 20);
            let found = table_of(search, &context).await.map(|rows| rows[1].clone());
            assert_eq!(found.as_deref(), Ok(expected), "{search}");
            let is_told =
                context.observations.messages().iter().any(|one| one.message.contains("`nosuch`"));
            assert_eq!(is_told, search.contains("nosuch"), "{search}");
        }
    }

    #[tokio::test]
    async fn too_much_work_is_refused() {
        let many =
            "| makeresults count=20000 | streamstats count as n | eval _time=n, n=n%7, m=n, k=n";
        for (options, is_refused) in [
            ("n algorithm=LL", false),
            ("n algorithm=LLP period=500", true),
            ("n m k algorithm=LLP period=60", true),
        ] {
            let found = table(&format!("{many} | predict {options} | stats count"), "").await;
            assert_eq!(found == Err(vec![Code::LIMIT]), is_refused, "{options}: {found:?}");
        }
    }

    #[tokio::test]
    async fn columns_have_names() {
        for (options, expected) in [
            ("m as x upper90=hi lower80=lo", "_time | m | n | x | hi | lo"),
            ("m as x upper90=a upper95=hi lower80=lo", "_time | m | n | x | hi | lo"),
            (
                "m, n as y",
                "_time | m | n | prediction(m) | upper95(prediction(m)) | lower95(prediction(m)) | y | upper95(y) | lower95(y)",
            ),
            (
                "nosuch",
                "_time | m | n | prediction(nosuch) | upper95(prediction(nosuch)) | lower95(prediction(nosuch))",
            ),
            ("m as x n suppress=n", "_time | m | n | x | upper95(x) | lower95(x)"),
        ] {
            let search = format!("| predict {options} | head 1");
            let found = table(&search, &events()).await.map(|rows| rows[0].clone());
            let mut names: Vec<String> = found.unwrap().split(" | ").map(str::to_owned).collect();
            let mut wanted: Vec<String> = expected.split(" | ").map(str::to_owned).collect();
            names.sort();
            wanted.sort();
            assert_eq!(names, wanted, "{options}");
        }
        for (options, code) in [
            ("", Code::MISSING_ARGUMENT),
            ("as x", Code::MISSING_ARGUMENT),
            ("m algorithm=LLB", Code::UNSUPPORTED_OPTION),
            ("m upper=hi", Code::BAD_OPTION),
            ("m upper200=hi", Code::BAD_OPTION),
            ("m n upper95=hi", Code::BAD_ARGUMENT),
            ("m*", Code::BAD_ARGUMENT),
            ("m AS x*", Code::BAD_ARGUMENT),
            ("m AS x n AS x", Code::BAD_ARGUMENT),
            ("m m", Code::BAD_ARGUMENT),
            ("m AS x upper95=x", Code::BAD_ARGUMENT),
            ("m upper95=h*", Code::BAD_ARGUMENT),
            ("m period=1", Code::BAD_OPTION),
            ("m correlate=n", Code::UNSUPPORTED_OPTION),
        ] {
            let search = format!("| predict {options}");
            assert_eq!(table(&search, &events()).await, Err(vec![code]), "{options}");
        }
    }
}
