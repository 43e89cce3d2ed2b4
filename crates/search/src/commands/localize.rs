//! `localize`: the times at which events are close together.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result as EngineResult;
use datafusion::execution::TaskContext;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::{Field, Kind, Value, fields};
use spilltrail_spl::Arguments;

use super::{
    Argument, Codec, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes, seconds,
};
use crate::lineage::Lineage;
use crate::operators::{Operator, Running, gather};
use crate::planning::plan::{Needs, Plan};
use crate::rows::arrow::to_array;
use crate::rows::state::state_of;

/// The fields of a region.
const OUTPUTS: [&str; 6] = [fields::TIME, "starttime", "endtime", "count", "duration", "density"];

static DOC: CommandDoc = CommandDoc {
    name: "localize",
    aliases: &[],
    kind: CommandKind::Transforming,
    summary: "Return the regions of time in which events are close together, for a later `map`.",
    syntax: "localize [maxpause=<span>] [timeafter=<span>] [timebefore=<span>]",
    arguments: &[
        Argument::option("maxpause", Takes::Text).default("1m").doc(
            "The longest time between two neighbors of a region, such as `30s`, `5m` or `1h`.",
        ),
        Argument::option("timeafter", Takes::Text)
            .default("30s")
            .doc("How much later than its last event a region ends."),
        Argument::option("timebefore", Takes::Text)
            .default("30s")
            .doc("How much earlier than its first event a region starts."),
    ],
    examples: &[
        Example {
            title: "Three events in a minute, and another one an hour later",
            events: r#"{"_time":3600,"n":"4"}
{"_time":60,"n":"3"}
{"_time":40,"n":"2"}
{"_time":30,"n":"1"}"#,
            search: "| localize maxpause=30s timebefore=10s timeafter=20s | table starttime endtime count duration density",
            results: r#"{"starttime":3590,"endtime":3620,"count":1,"duration":30,"density":0.03333333333333333}
{"starttime":20,"endtime":80,"count":3,"duration":60,"density":0.05}"#,
        },
        Example {
            title: "All events around each error",
            events: r#"{"_time":1000,"user":"bob","code":"ok"}
{"_time":110,"user":"ann","code":"denied"}
{"_time":100,"user":"ann","code":"ok"}"#,
            search: "search code=denied | localize | map search=\"search earliest=$starttime$ latest=$endtime$ | table user code\"",
            results: r#"{"user":"ann","code":"denied"}
{"user":"ann","code":"ok"}"#,
        },
    ],
    differs: &[
        "The number of events is `count`, their number per second `density`. `duration` is the time from `starttime` to `endtime`; without any, there is no density.",
        "Rows are read in their order, as events are found: latest first. Rows without `_time` are left out.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::operator::<Localize>("localize");

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    arguments.finish_with_options()?;
    Ok(Box::new(Localize {
        pause: seconds("maxpause", arguments),
        after: seconds("timeafter", arguments),
        before: seconds("timebefore", arguments),
    }))
}

/// Returns the seconds of an option, and reports those that are negative.
fn seconds(name: &str, arguments: &mut Arguments<'_>) -> f64 {
    let seconds = seconds::of_option(name, arguments).unwrap_or_default();
    if seconds < 0.0 {
        let place = arguments.given_at(name).unwrap_or_else(|| arguments.span());
        let message = format!("expected no negative time for `{name}`, found `{seconds}`");
        arguments.report(Diagnostic::error(Code::BAD_OPTION, message).at(place));
    }
    seconds
}

/// Returns the regions of time in which rows are close together.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Localize {
    /// The longest time between two neighbors, in seconds.
    #[serde(with = "spilltrail_event::exact")]
    pause: f64,
    #[serde(with = "spilltrail_event::exact")]
    after: f64,
    #[serde(with = "spilltrail_event::exact")]
    before: f64,
}

#[async_trait]
impl Command for Localize {
    fn needs(&self, _: Needs) -> Needs {
        Needs { order: true, ..Needs::only([fields::TIME]) }
    }

    fn output(&self, _: Option<Vec<String>>) -> Option<Vec<String>> {
        Some(OUTPUTS.map(str::to_owned).to_vec())
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let mut plan = stage.input(input)?.operator(Arc::new(*self));
        plan.transformed = true;
        Ok(plan)
    }

    fn trace(&self, lineage: &mut Lineage) {
        lineage.group(["starttime".to_owned(), "endtime".to_owned()], OUTPUTS.map(str::to_owned));
    }
}

impl Operator for Localize {
    fn name(&self) -> &'static str {
        "localize"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn output(&self, _: &[Field]) -> Vec<Field> {
        OUTPUTS.map(|name| Field::new(name, Kind::Number)).to_vec()
    }

    fn needs_rows(&self) -> bool {
        true
    }

    fn start(
        &self,
        _: SchemaRef,
        output: SchemaRef,
        _: &TaskContext,
    ) -> EngineResult<Box<dyn Running>> {
        Ok(Box::new(Localizing { settings: *self, output, region: None }))
    }
}

/// Rows next to each other.
#[derive(Debug, Clone, Copy)]
struct Region {
    first: f64,
    last: f64,
    /// The time of the row that was read last.
    latest_read: f64,
    count: f64,
}

struct Localizing {
    settings: Localize,
    output: SchemaRef,
    /// The region that may go on.
    region: Option<Region>,
}

impl Localizing {
    fn given(&self, regions: &[Region]) -> EngineResult<Option<RecordBatch>> {
        if regions.is_empty() {
            return Ok(None);
        }
        let start = |region: &Region| region.first - self.settings.before;
        let end = |region: &Region| region.last + self.settings.after;
        let length = |region: &Region| end(region) - start(region);
        let density = |region: &Region| {
            let length = length(region);
            if length > 0.0 { Value::Number(region.count / length) } else { Value::Null }
        };
        let column = |value: &dyn Fn(&Region) -> Value<'static>| {
            to_array(Kind::Number, regions.iter().map(value))
        };
        let columns = vec![
            column(&|region| Value::Number(region.first)),
            column(&|region| Value::Number(start(region))),
            column(&|region| Value::Number(end(region))),
            column(&|region| Value::Number(region.count)),
            column(&|region| Value::Number(length(region))),
            column(&density),
        ];
        gather::of_columns(&self.output, columns, regions.len()).map(Some)
    }
}

impl Running for Localizing {
    fn push(&mut self, batch: RecordBatch) -> EngineResult<Option<RecordBatch>> {
        let Some(times) = gather::reader(&batch, fields::TIME)? else { return Ok(None) };
        let mut ended = Vec::new();
        for row in 0..batch.num_rows() {
            let time = times.value(row).as_number().filter(|time| time.is_finite());
            let Some(time) = time else { continue };
            let is_near =
                |region: &&mut Region| (region.latest_read - time).abs() <= self.settings.pause;
            if let Some(region) = self.region.as_mut().filter(is_near) {
                region.first = region.first.min(time);
                region.last = region.last.max(time);
                region.latest_read = time;
                region.count += 1.0;
            } else {
                let next = Region { first: time, last: time, latest_read: time, count: 1.0 };
                ended.extend(self.region.replace(next));
            }
        }
        self.given(&ended)
    }

    fn finish(&mut self) -> EngineResult<Option<RecordBatch>> {
        let last: Vec<Region> = self.region.take().into_iter().collect();
        self.given(&last)
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use crate::testing::table;

    #[tokio::test]
    async fn a_region_ends_at_a_longer_pause() {
        let rows =
            "{\"_time\":300}\n{\"_time\":240}\n{\"_time\":179}\n{\"x\":\"1\"}\n{\"_time\":100.5}";
        for (search, expected) in [
            ("| localize", vec!["240 210 330 2", "179 149 209 1", "100.5 70.5 130.5 1"]),
            ("| localize maxpause=79s timebefore=0s timeafter=0", vec!["100.5 100.5 300 4"]),
            ("| localize maxpause=5m", vec!["100.5 70.5 330 4"]),
            // Rows in another order are as near to each other.
            ("| sort _time | localize maxpause=61s", vec!["100.5 70.5 130.5 1", "179 149 330 3"]),
            ("| where x=2 | localize", vec![]),
            ("| fields x | fields - _time | localize", vec![]),
        ] {
            let search = format!("{search} | table _time starttime endtime count");
            let found = table(&search, rows).await.unwrap();
            assert_eq!(found[1..], expected, "{search}");
        }
        // One instant has no density.
        let search = "| head 1 | localize timebefore=0s timeafter=0s | table duration density";
        let expected = ["duration | density", "0 -"].map(str::to_owned).to_vec();
        assert_eq!(table(search, rows).await, Ok(expected));
        for (search, code) in [
            ("| localize maxpause=x", Code::BAD_OPTION),
            ("| localize timeafter=-5s", Code::BAD_OPTION),
            ("| localize 5m", Code::TRAILING_TEXT),
        ] {
            assert_eq!(table(search, rows).await, Err(vec![code]), "{search}");
        }
    }
}
