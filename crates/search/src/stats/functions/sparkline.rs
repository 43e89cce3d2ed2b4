//! `sparkline`: a statistic for each of up to 100 spans of time.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use spilltrail_event::{Kind, Value, format_number};
use spilltrail_spl::time::{Span, Unit};

use super::CALLS;
use crate::rows::bins::{TimeBins, longer_step, seconds, time_step};
use crate::rows::zone;
use crate::stats::{Feed, Statistic, StatsFunction, load, named, save, start};

/// The most spans of a sparkline (limits.conf `[stats] sparkline_maxsize`).
const MOST: usize = 100;

/// What Splunk writes before the values of a sparkline.
pub const MARK: &str = "##__SPARKLINE__##";

pub(crate) static SPARKLINE: StatsFunction = StatsFunction {
    name: "sparkline",
    aliases: &[],
    summary: "Return a statistic for each span of time, as a multivalue that begins with `##__SPARKLINE__##`: `sparkline`, `sparkline(<function>(<field>))` or `sparkline(<function>(<field>), <span>)`.",
    examples: &[(
        CALLS,
        "sparkline(count, 5s)",
        "[\"##__SPARKLINE__##\",\"1\",\"0\",\"1\",\"0\",\"1\"]",
    )],
    has_parameter: false,
    sees_order: false,
    feed: Feed::MembersWithTime,
    kind: |_| Kind::Multi,
    start: start!(_ => Sparkline::new(Spark::default())),
    differs: &[
        "Without a time range (`--earliest` and `--latest`), the spans go from the first to the last event that is counted in any group.",
        "A span that gives more than 100 values is lengthened, with a warning.",
    ],
};

/// What a sparkline consists of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spark {
    /// The name of the function of each span.
    pub function: String,
    /// The number in its name.
    #[serde(with = "spilltrail_event::exact")]
    pub parameter: f64,
    /// The shortest span.
    pub span: Span,
    /// The first instant of the time range.
    #[serde(with = "spilltrail_event::exact::option")]
    pub earliest: Option<f64>,
    /// The first instant after the time range.
    #[serde(with = "spilltrail_event::exact::option")]
    pub latest: Option<f64>,
    /// The time zone in which days begin.
    #[serde(with = "zone")]
    pub zone: TimeZone,
}

impl Default for Spark {
    fn default() -> Self {
        Self {
            function: "count".to_owned(),
            parameter: 0.0,
            span: Span { count: 1, unit: Unit::Second },
            earliest: None,
            latest: None,
            zone: TimeZone::UTC,
        }
    }
}

impl Spark {
    /// Returns the statistic of a span without values.
    fn start(&self) -> Box<dyn Statistic> {
        let function = named(&self.function).unwrap_or(&super::count::COUNT);
        (function.start.one)(self.parameter)
    }

    /// Returns the bounds of the time range if both are known. A range from 0 is that of all
    /// events.
    #[must_use]
    pub fn range(&self) -> Option<(f64, f64)> {
        let (earliest, latest) = (self.earliest?, self.latest?);
        (earliest > 0.0 && latest > earliest).then_some((earliest, latest - 1e-6))
    }
}

impl Spark {
    /// Returns true if the time range has more spans than a sparkline can have, and they are not
    /// those of the shortest default.
    pub(crate) fn is_lengthened(&self) -> bool {
        self.span != Self::default().span && self.range().is_some_and(|range| self.exceeds(range))
    }

    fn exceeds(&self, (earliest, latest): (f64, f64)) -> bool {
        latest - earliest > seconds(self.span) * (MOST - 1) as f64
    }
}

/// The statistic of each span.
#[derive(Debug)]
pub(crate) struct Sparkline {
    spark: Spark,
    bins: TimeBins,
    /// The statistics by the start of their span, in microseconds.
    spans: BTreeMap<i64, Box<dyn Statistic>>,
    held: usize,
}

/// The bytes of a span besides what its statistic holds on the heap.
const HELD: usize = 64;

impl Sparkline {
    pub(crate) fn new(spark: Spark) -> Self {
        let span = match spark.range() {
            Some(range @ (earliest, latest)) if spark.exceeds(range) => {
                time_step(earliest, latest, MOST, seconds(spark.span))
            }
            _ => spark.span,
        };
        let bins = TimeBins::new(span, spark.zone.clone());
        Self { spark, bins, spans: BTreeMap::new(), held: 0 }
    }

    /// Returns the starts of the spans from `first` to `last`.
    fn starts(&self, first: f64, last: f64) -> Vec<f64> {
        let mut starts = vec![first];
        let mut start = first;
        while start < last && starts.len() <= MOST {
            let next = self.bins.next(start);
            if next.is_nan() || next <= start {
                break;
            }
            starts.push(next);
            start = next;
        }
        starts
    }

    /// Returns the first and the last start of a span.
    fn ends(&self) -> Option<(f64, f64)> {
        let (first, _) = self.spans.first_key_value()?;
        let (last, _) = self.spans.last_key_value()?;
        Some((micro(*first), micro(*last)))
    }

    /// Lengthens the spans until there are few enough.
    fn lengthen(&mut self) {
        while let Some((first, last)) = self.ends()
            && self.starts(first, last).len() > MOST
            && let Some(span) = longer_step(self.bins.span)
        {
            self.put_into(span);
        }
    }

    /// Puts the statistics into longer spans.
    fn put_into(&mut self, span: Span) {
        self.bins.span = span;
        for (start, statistic) in std::mem::take(&mut self.spans) {
            let start = key(self.bins.floor(micro(start)));
            match self.spans.get_mut(&start) {
                Some(known) => known.merge(&statistic.save()),
                None => {
                    self.spans.insert(start, statistic);
                }
            }
        }
        self.held = self.spans.values().map(|one| one.held() + size_of_val(&**one) + HELD).sum();
    }

    fn change(&mut self, start: f64, change: impl FnOnce(&mut dyn Statistic)) {
        let Self { spark, spans, held, .. } = self;
        let statistic = spans.entry(key(start)).or_insert_with(|| {
            let statistic = spark.start();
            *held += size_of_val(&*statistic) + statistic.held() + HELD;
            statistic
        });
        let before = statistic.held();
        change(statistic.as_mut());
        *held = *held + statistic.held() - before;
    }
}

/// Returns a time as whole microseconds, which sort as times do.
fn key(time: f64) -> i64 {
    (time * 1e6).round() as i64
}

fn micro(key: i64) -> f64 {
    key as f64 / 1e6
}

/// The saved form of a sparkline.
#[derive(Serialize, Deserialize)]
struct Saved {
    span: Span,
    spans: Vec<(i64, Vec<u8>)>,
}

impl Statistic for Sparkline {
    fn update(&mut self, value: &Value<'_>, time: Option<f64>) {
        let Some(start) = time.map(|time| self.bins.floor(time)).filter(|start| start.is_finite())
        else {
            return;
        };
        let is_new = !self.spans.contains_key(&key(start));
        self.change(start, |statistic| statistic.update(value, time));
        if is_new {
            self.lengthen();
        }
    }

    fn value(&self) -> Value<'static> {
        let Some((mut first, mut last)) = self.ends() else { return Value::Null };
        if let Some((earliest, latest)) = self.spark.range() {
            first = first.min(self.bins.floor(earliest));
            last = last.max(self.bins.floor(latest));
        }
        let number = |start: f64| {
            let value = self.spans.get(&key(start)).map(|statistic| statistic.value());
            let text = value.as_ref().and_then(Value::to_text).map(Cow::into_owned);
            Cow::Owned(text.unwrap_or_else(|| format_number(0.0)))
        };
        let values = self.starts(first, last).into_iter().map(number);
        Value::multi(std::iter::once(Cow::Borrowed(MARK)).chain(values).collect())
    }

    fn save(&self) -> Vec<u8> {
        let spans = self.spans.iter().map(|(start, one)| (*start, one.save())).collect();
        save(&Saved { span: self.bins.span, spans })
    }

    fn merge(&mut self, saved: &[u8]) {
        let Some(saved) = load::<Saved>(saved) else { return };
        if seconds(saved.span) > seconds(self.bins.span) {
            self.put_into(saved.span);
        }
        for (start, state) in saved.spans {
            let start = self.bins.floor(micro(start));
            self.change(start, |statistic| statistic.merge(&state));
        }
        self.lengthen();
    }

    fn held(&self) -> usize {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_event::TimeBounds;

    use crate::context::SearchContext;
    use crate::testing::{context, rows, table, table_of};

    #[tokio::test]
    async fn spans_have_values() {
        let events = r#"{"_time":1000,"u":"a","n":"4"}
{"_time":1000,"u":"b","n":"6"}
{"_time":1130,"u":"a","n":["1","3"]}"#;
        for (search, expected) in [
            (
                "| stats sparkline(sum(n), 1m) as s by u",
                vec!["u | s", "a ##__SPARKLINE__## 4 0 4", "b ##__SPARKLINE__## 6 0 0"],
            ),
            // The spans are lengthened until there are at most 100.
            (
                "| stats sparkline(count,1m) as s, count",
                vec!["s | count", "##__SPARKLINE__## 2 0 1 3"],
            ),
            ("| where u=\"b\" | stats sparkline", vec!["sparkline", "##__SPARKLINE__## 1"]),
            ("| where u=\"c\" | stats sparkline(avg(n))", vec!["sparkline(avg(n))", "-"]),
            (
                "| chart sparkline(max(n),2m) as s over u",
                vec!["u | s", "a ##__SPARKLINE__## 4 3", "b ##__SPARKLINE__## 6 0"],
            ),
            ("| stats sparkline as s | eval n=mvcount(s)-1 | table n", vec!["n", "27"]),
        ] {
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(table(search, events).await, Ok(expected), "{search}");
        }
        // Each row has the range of all groups.
        let search = "| eventstats sparkline(count, 1m) as s by u | table u s";
        let spark = |values: &str| format!("##__SPARKLINE__## {values}");
        let expected = vec![
            "u | s".to_owned(),
            format!("a {}", spark("1 0 1")),
            format!("b {}", spark("1 0 0")),
            format!("a {}", spark("1 0 1")),
        ];
        assert_eq!(table(search, events).await, Ok(expected));
        let search = "| tstats sparkline(count(n), 1m) as s by u";
        let expected = vec![
            "u | s".to_owned(),
            format!("a {}", spark("1 0 2")),
            format!("b {}", spark("1 0 0")),
        ];
        assert_eq!(table(search, events).await, Ok(expected));
        let range = TimeBounds { earliest: Some(900.0), latest: Some(1200.0) };
        let context = SearchContext { range, ..context(rows(events), 64 << 20) };
        let found = table_of("| stats sparkline(count,1m) as s by u", &context).await;
        let expected = ["u | s", "a ##__SPARKLINE__## 0 1 0 1 0", "b ##__SPARKLINE__## 0 1 0 0 0"];
        assert_eq!(found, Ok(expected.map(str::to_owned).to_vec()));
    }

    #[tokio::test]
    async fn a_span_that_is_lengthened_is_told() {
        let events = "{\"_time\":1000,\"u\":\"a\"}\n{\"_time\":1135,\"u\":\"b\"}";
        for (call, values, is_told) in [
            ("sparkline(count, 1ms)", "28", true),
            ("sparkline(count, 5s)", "28", false),
            ("sparkline(count)", "28", false),
        ] {
            let context = context(rows(events), 64 << 20);
            let search = format!("| stats {call} as s by u | eval n=mvcount(s)-1 | table n");
            let found = table_of(&search, &context).await;
            assert_eq!(found, Ok(vec!["n".to_owned(), values.to_owned(), values.to_owned()]));
            assert_eq!(!context.observations.messages().is_empty(), is_told, "{call}");
        }
    }

    #[tokio::test]
    async fn mistakes_are_reported() {
        use spilltrail_diagnostic::Code;
        for (search, code) in [
            ("| stats sparkline(n)", Code::BAD_ARGUMENT),
            ("| streamstats sparkline(count)", Code::UNSUPPORTED_FUNCTION),
            ("| stats sparkline(nosuch(n))", Code::UNKNOWN_FUNCTION),
            ("| stats sparkline(sparkline(n))", Code::BAD_ARGUMENT),
            ("| stats sparkline(count, soon)", Code::BAD_ARGUMENT),
            ("| stats sparkline(count, 1m, 2m)", Code::BAD_ARGUMENT),
        ] {
            assert_eq!(table(search, "").await, Err(vec![code]), "{search}");
        }
    }
}
