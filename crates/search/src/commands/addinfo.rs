//! `addinfo`: adds fields about the search itself.

use async_trait::async_trait;
use datafusion::logical_expr::{Expr, lit};
use datafusion::scalar::ScalarValue;
use spilltrail_diagnostic::Diagnostic;
use spilltrail_event::Kind;
use spilltrail_spl::Arguments;

use super::{Command, CommandDoc, CommandKind, Entry, Example, Stage};
use crate::lineage::Lineage;
use crate::planning::facts::Facts;
use crate::planning::plan::{Needs, Plan};
use crate::rows::convert;

/// The fields: the bounds of the time range, an id, and the time of the search.
const FIELDS: [&str; 4] = ["info_min_time", "info_max_time", "info_sid", "info_search_time"];

/// What Splunk writes for a time range without an end.
const WITHOUT_END: &str = "+Infinity";

static DOC: CommandDoc = CommandDoc {
    name: "addinfo",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Add the time range of the search to each row, its time, and an id.",
    syntax: "addinfo",
    arguments: &[],
    examples: &[
        Example {
            title: "A search over all time",
            events: r#"{"n":"1"}"#,
            search: "| addinfo | table n info_min_time info_max_time",
            results: r#"{"n":"1","info_min_time":0,"info_max_time":"+Infinity"}"#,
        },
        Example {
            title: "Events of the last hour before the search",
            events: "{\"_time\":1699999000,\"n\":\"1\"}\n{\"_time\":1,\"n\":\"2\"}",
            search: "| addinfo | where _time > info_search_time-3600 | table n",
            results: r#"{"n":"1"}"#,
        },
    ],
    differs: &[
        "`info_sid` is made from the time of the search: the same search at the same time has the same id.",
        "The range is that of the run; `earliest` and `latest` in the search do not change it.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct AddInfo;

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    arguments.finish()?;
    Ok(Box::new(AddInfo))
}

fn number(number: f64) -> Expr {
    lit(ScalarValue::Float64(Some(number)))
}

#[async_trait]
impl Command for AddInfo {
    fn needs(&self, after: Needs) -> Needs {
        after.without(FIELDS)
    }

    fn facts(&self, facts: &mut Facts) {
        facts.present("addinfo");
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        let mut names = before?;
        names.extend(FIELDS.map(str::to_owned));
        Some(names)
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        let (range, now) = (stage.context.range, stage.context.now);
        let latest = match range.latest {
            Some(latest) => (number(latest), Kind::Number),
            None => (convert::text(WITHOUT_END), Kind::Text),
        };
        let values = [
            (number(range.earliest.unwrap_or(0.0)), Kind::Number),
            latest,
            (convert::text(&format!("{now:.3}")), Kind::Text),
            (number(now), Kind::Number),
        ];
        let columns = FIELDS.into_iter().zip(values);
        let columns = columns.map(|(name, (value, kind))| (name.to_owned(), value, kind)).collect();
        input.with_columns(columns).map_err(|error| stage.refused(error))
    }

    fn trace(&self, lineage: &mut Lineage) {
        lineage.measure(FIELDS.map(str::to_owned));
    }
}
