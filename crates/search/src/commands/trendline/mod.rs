//! `trendline`: adds moving averages of fields.

mod operator;

use std::sync::Arc;

use async_trait::async_trait;
use spilltrail_diagnostic::{Code, Diagnostic, Spanned};
use spilltrail_spl::Arguments;

use self::operator::{Trend, TrendKind, Trends};
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::lineage::Lineage;
use crate::operators::Codec;
use crate::planning::plan::{Needs, Plan};

static DOC: CommandDoc = CommandDoc {
    name: "trendline",
    aliases: &[],
    kind: CommandKind::CentralizedStreaming,
    summary: "Add moving averages of fields.",
    syntax: "trendline (sma|wma|ema)<period>(<field>) [AS <name>] …",
    arguments: &[
        Argument::call("sma<period>", Takes::Field)
            .between(2, 10_000)
            .doc("Simple moving average over `period` values. The rows before have no average."),
        Argument::call("wma<period>", Takes::Field)
            .between(2, 10_000)
            .doc("Weighted moving average: the newest value counts most."),
        Argument::call("ema<period>", Takes::Field)
            .between(2, 10_000)
            .doc("Exponential moving average."),
        Argument::keyword("AS", Takes::Field)
            .doc("The field that gets the average. Default: as it is written."),
    ],
    examples: &[
        Example {
            title: "The mean of two neighbours",
            events: "{\"n\":\"1\"}\n{\"n\":\"3\"}\n{\"n\":\"8\"}",
            search: "| trendline sma2(n) AS mean",
            results: "{\"n\":\"1\"}\n{\"n\":\"3\",\"mean\":2}\n{\"n\":\"8\",\"mean\":5.5}",
        },
        Example {
            title: "Without AS the column is named as it is written",
            events: "{\"n\":\"3\"}\n{\"n\":\"6\"}",
            search: "| trendline wma2(n) | tail 1",
            results: r#"{"n":"6","wma2(n)":5}"#,
        },
    ],
    differs: &[
        "`ema` gives the newest value the weight 2 / (period + 1), and starts with the first value.",
        "A row without a number is skipped and gets no average.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::operator::<operator::Trends>("trends");

#[derive(Debug)]
struct Trendline {
    trends: Vec<Trend>,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut trends = Vec::new();
    while let Some(written) = arguments.word() {
        let (kind, period) = average(&written)?;
        if arguments.symbol("(").is_none() {
            return Err(expected("`(`", &written));
        }
        let column = arguments.one_field()?.value;
        if arguments.symbol(")").is_none() {
            return Err(expected("`)`", &written));
        }
        let output = match arguments.keyword("as") {
            Some(_) => arguments.one_field()?.value,
            None => format!("{}({column})", written.value),
        };
        trends.push(Trend { column, output, kind, period });
        arguments.symbol(",");
    }
    arguments.finish()?;
    if trends.is_empty() {
        return Err(Diagnostic::error(Code::MISSING_ARGUMENT, "expected a moving average")
            .at(arguments.span())
            .help("for example `trendline sma5(count)`"));
    }
    Ok(Box::new(Trendline { trends }))
}

fn average(written: &Spanned<String>) -> Result<(TrendKind, usize), Diagnostic> {
    let text = written.value.to_ascii_lowercase();
    let kinds =
        [("sma", TrendKind::Simple), ("wma", TrendKind::Weighted), ("ema", TrendKind::Exponential)];
    let found = kinds.iter().find_map(|(name, kind)| Some((*kind, text.strip_prefix(name)?)));
    let period = found.and_then(|(kind, period)| Some((kind, period.parse::<usize>().ok()?)));
    period.filter(|(_, period)| (2..=10_000).contains(period)).ok_or_else(|| {
        let message = format!("`{}` is not a moving average", written.value);
        Diagnostic::error(Code::BAD_ARGUMENT, message)
            .at(written.span)
            .help("`sma`, `wma` or `ema` and a period from 2 to 10000, as in `sma5(count)`")
    })
}

fn expected(what: &str, after: &Spanned<String>) -> Diagnostic {
    let message = format!("expected {what} after `{}`", after.value);
    Diagnostic::error(Code::EXPECTED, message).at(after.span)
}

#[async_trait]
impl Command for Trendline {
    fn needs(&self, after: Needs) -> Needs {
        let outputs = self.trends.iter().map(|trend| &trend.output);
        let needs = Needs { order: true, ..after.without(outputs) };
        needs.and(self.trends.iter().map(|trend| &trend.column))
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        let mut names = before?;
        names.extend(self.trends.iter().map(|trend| trend.output.clone()));
        Some(names)
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        Ok(stage.input(input)?.operator(Arc::new(Trends(self.trends.clone()))))
    }

    fn trace(&self, lineage: &mut Lineage) {
        lineage.measure(self.trends.iter().map(|trend| trend.output.clone()));
    }
}
