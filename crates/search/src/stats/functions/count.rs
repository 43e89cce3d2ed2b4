//! `count`: counts rows, the values of a field, or the rows for which an expression is true.

use spilltrail_event::{Kind, Value};

use super::CALLS;
use crate::stats::{Feed, Statistic, StatsFunction, load, save, start};

pub(super) static COUNT: StatsFunction = StatsFunction {
    name: "count",
    aliases: &["c"],
    summary: "Count the rows, or the values of a field. Each value of a multivalue field counts.",
    examples: &[
        (CALLS, "count", "3"),
        (CALLS, "count(ip)", "2"),
        (CALLS, "count(eval(ip=\"192.0.2.1\"))", "1"),
    ],
    has_parameter: false,
    sees_order: false,
    feed: Feed::Members,
    kind: |_| Kind::Number,
    start: start!(_ => Count::default()),
    differs: &[],
};

#[derive(Debug, Default)]
struct Count(u64);

impl Statistic for Count {
    fn update(&mut self, _: &Value<'_>, _: Option<f64>) {
        self.0 += 1;
    }

    #[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
    fn value(&self) -> Value<'static> {
        Value::Number(self.0 as f64)
    }

    fn save(&self) -> Vec<u8> {
        save(&self.0)
    }

    fn merge(&mut self, saved: &[u8]) {
        self.0 += load::<u64>(saved).unwrap_or_default();
    }

    fn forget(&mut self, _: &Value<'_>, _: Option<f64>) -> bool {
        self.0 -= 1;
        true
    }
}
