//! The series of a chart: the values of the split field, which of them get columns, and the
//! function that names the series of a row.

use std::collections::{BTreeSet, HashMap};

use datafusion::common::Result;
use datafusion::execution::memory_pool::MemoryConsumer;
use serde::{Deserialize, Serialize};
use spilltrail_event::{Kind, Value};

use crate::context::SearchContext;
use crate::operators::{KeptRows, RowFunction, gather};
use crate::rows::bins::{LowerBounds, NumberBins, TimeBins};
use crate::rows::mapped::{self, ValueFunction};
use crate::rows::sort_key::AutoKey;
use crate::rows::state::state_of;
use crate::stats::{Statistic, functions};

/// Bins of the values of a field of a chart.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in super::super) enum FieldBins {
    /// Bins of times.
    Time(TimeBins),
    /// Bins of numbers, which are represented by their lower bounds until they get their label.
    Number(LowerBounds),
}

impl FieldBins {
    pub(in super::super) fn function(&self) -> &dyn ValueFunction {
        match self {
            Self::Time(bins) => bins,
            Self::Number(bins) => bins,
        }
    }

    /// Returns the bin after the one that begins at `start`, or `None` if bins do not follow each
    /// other at equal distances.
    pub(in super::super) fn next(&self, start: f64) -> Option<f64> {
        let next = match self {
            Self::Time(bins) => bins.next(start),
            Self::Number(LowerBounds(bins)) => {
                let NumberBins::Linear { width } = bins else { return None };
                bins.bounds(start + 1.5 * width)?.0
            }
        };
        (next > start).then_some(next)
    }

    /// Returns what is shown for a bin.
    pub(in super::super) fn label(&self, bin: &Value<'_>) -> Value<'static> {
        match self {
            Self::Time(_) => bin.clone().into_owned(),
            Self::Number(bins) => bins.label(bin),
        }
    }
}

/// Sets the series of a row: the value of the split field, its bin, or the series that stands for
/// it. A multivalue has one series for each of its values.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct SeriesOf {
    /// The bins of the values.
    pub(super) bins: Option<FieldBins>,
    /// The series of rows without a value; without it, such rows have none.
    pub(super) null: Option<String>,
    /// The series that keep their name and the one that all others get; without it, all keep it.
    pub(super) others: Option<(BTreeSet<String>, String)>,
}

impl SeriesOf {
    fn named(&self, member: &str) -> String {
        let value = Value::text(member);
        let value = match &self.bins {
            Some(bins) => mapped::value(bins.function(), &value),
            None => value,
        };
        let text = value.to_text().unwrap_or_default().into_owned();
        match &self.others {
            Some((kept, other)) if !kept.contains(&text) => other.clone(),
            _ => text,
        }
    }
}

impl RowFunction for SeriesOf {
    fn name(&self) -> &'static str {
        "series_of"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn compute<'a>(&'a self, inputs: &[Value<'a>], outputs: &mut [Value<'a>]) {
        let [input] = inputs else { return };
        let [output] = outputs else { return };
        let members = input.members();
        *output = match (&self.null, members.is_empty()) {
            (Some(null), true) => Value::text(null.clone()),
            _ => Value::multi(members.iter().map(|member| self.named(member).into()).collect()),
        };
    }
}

/// The number of series to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ends {
    /// Whether the series with the lowest scores are kept instead of those with the highest.
    pub(super) is_bottom: bool,
    pub(super) count: usize,
}

/// What a `WHERE` clause demands of a series.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Where {
    /// The statistics function over the cells of a series; `count` counts its events.
    pub(super) function: String,
    pub(super) condition: Condition,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Condition {
    /// `in top5` and `notin bottom3`
    Among { ends: Ends, is_not: bool },
    /// `> 10`
    Above(f64),
    /// `< 10`
    Below(f64),
}

/// The series that a chart shows.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    /// The series with a column of their own, in order.
    pub(super) kept: Vec<String>,
    pub(super) has_null: bool,
    pub(super) has_others: bool,
}

/// How series are chosen.
#[derive(Debug, Clone)]
pub(super) struct Choice<'a> {
    /// The column with the series of a group.
    pub(super) series: &'a str,
    /// The column with the number of events of a group.
    pub(super) events: &'a str,
    /// The column with the cells of a group.
    pub(super) cells: &'a str,
    /// Whether series are scored by the sum of their cells, and not by their events.
    pub(super) by_cells: bool,
    /// The series of rows without a value.
    pub(super) null: Option<&'a str>,
    pub(super) limit: Option<Ends>,
    pub(super) clause: Option<&'a Where>,
}

/// What is known of a series.
#[derive(Debug, Default)]
struct Seen {
    sum: f64,
    events: f64,
    cells: Option<Box<dyn Statistic>>,
}

/// The bytes that a series takes besides its name.
const HELD: usize = 160;

impl Choice<'_> {
    /// Chooses among the series of the groups.
    ///
    /// # Errors
    /// Fails if the groups cannot be read, or if memory does not suffice for all series.
    pub(super) fn of(&self, groups: &KeptRows, context: &SearchContext) -> Result<Chosen> {
        let pool = context.session.runtime_env().memory_pool.clone();
        let memory = MemoryConsumer::new("chart").register(&pool);
        let mut all: HashMap<String, Seen> = HashMap::new();
        let statistic = self.clause.filter(|clause| clause.function != "count");
        let statistic = statistic.and_then(|clause| functions::find(&clause.function));
        for batch in groups.batches()? {
            let batch = batch?;
            let reader = |name: &str| gather::reader(&batch, name);
            let (series, events, cells) =
                (reader(self.series)?, reader(self.events)?, reader(self.cells)?);
            for row in 0..batch.num_rows() {
                let name = series.as_ref().map_or(Value::Null, |series| series.value(row));
                let Some(name) = name.to_text() else { continue };
                if !all.contains_key(&*name) {
                    memory.try_grow(name.len() + HELD)?;
                    let cells = statistic.map(|(found, number)| (found.start.one)(number));
                    all.insert(name.clone().into_owned(), Seen { cells, ..Seen::default() });
                }
                let Some(seen) = all.get_mut(&*name) else { continue };
                let number = |reader: &Option<crate::rows::arrow::ColumnReader>| {
                    reader.as_ref().and_then(|reader| reader.value(row).as_number())
                };
                seen.events += number(&events).unwrap_or(0.0);
                seen.sum += number(&cells).filter(|cell| cell.is_finite()).unwrap_or(0.0);
                if let Some((statistic, cells)) = seen.cells.as_mut().zip(cells.as_ref()) {
                    let cell = cells.value(row);
                    for member in cell.members() {
                        statistic.update(&Value::Text(member), None);
                    }
                }
            }
        }
        Ok(self.chosen(all))
    }

    fn chosen(&self, mut all: HashMap<String, Seen>) -> Chosen {
        let has_null = self.null.is_some_and(|null| all.remove(null).is_some());
        let count = all.len();
        let mut scored: Vec<(String, Seen)> = all.into_iter().collect();
        if let Some(clause) = self.clause {
            let value = |seen: &Seen| match &seen.cells {
                Some(statistic) => statistic.value().as_number(),
                None => Some(seen.events),
            };
            match &clause.condition {
                Condition::Above(least) => {
                    scored.retain(|(_, seen)| value(seen).is_some_and(|value| value > *least));
                }
                Condition::Below(most) => {
                    scored.retain(|(_, seen)| value(seen).is_some_and(|value| value < *most));
                }
                Condition::Among { ends, is_not } => {
                    rank(&mut scored, *ends, |seen| value(seen).unwrap_or(f64::NEG_INFINITY));
                    if *is_not {
                        scored.drain(..ends.count.min(scored.len()));
                    } else {
                        scored.truncate(ends.count);
                    }
                }
            }
        }
        if let Some(limit) = self.limit {
            let by_cells = self.by_cells;
            rank(&mut scored, limit, |seen| if by_cells { seen.sum } else { seen.events });
            scored.truncate(limit.count);
        }
        let has_others = scored.len() < count;
        let mut kept: Vec<String> = scored.into_iter().map(|(name, _)| name).collect();
        kept.sort_by_cached_key(|name| {
            AutoKey::of(&Value::text(name.as_str())).map(AutoKey::into_owned)
        });
        Chosen { kept, has_null, has_others }
    }
}

/// Sorts series by their score, and those with the same score by their name.
fn rank(series: &mut [(String, Seen)], ends: Ends, score: impl Fn(&Seen) -> f64) {
    series.sort_by(|(one, a), (other, b)| {
        let order = score(a).total_cmp(&score(b));
        let order = if ends.is_bottom { order } else { order.reverse() };
        order.then_with(|| one.cmp(other))
    });
}

/// Returns the kind of the series of a field.
pub(super) fn kind_of_series(field: Option<Kind>) -> Kind {
    field.map_or(Kind::Text, |kind| kind.or(Kind::Text))
}
