//! An aggregate as plans have it.

use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};
use spilltrail_event::Kind;

use super::{AllNumbers, Feed, GroupStatistics, Start, Statistic, StatsFunction, functions};

/// An aggregate ready to run. Plain data.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PlannedAggregate {
    /// The function's listed name.
    pub function: String,
    /// The number in its name.
    #[serde(with = "spilltrail_event::exact")]
    pub parameter: f64,
    /// True if one value that is no number suppresses the statistic.
    pub all_numbers: bool,
    /// The column it takes; none counts rows.
    pub input: Option<String>,
    /// The column it makes.
    pub output: String,
    /// That column's kind.
    pub kind: Kind,
}

impl PlannedAggregate {
    fn definition(&self) -> &'static StatsFunction {
        functions::find(&self.function)
            .or_else(|| functions::find(&format!("{}0", self.function)))
            .map(|(function, _)| function)
            .expect("planned aggregates name listed functions")
    }

    /// Returns a fresh statistic.
    #[must_use]
    pub fn start(&self) -> Box<dyn Statistic> {
        let statistic = (self.definition().start.one)(self.parameter);
        if self.all_numbers { Box::new(AllNumbers::new(statistic)) } else { statistic }
    }

    /// Returns statistics for groups.
    #[must_use]
    pub fn start_groups(&self) -> Box<dyn GroupStatistics> {
        let Start { groups, all_numbers, .. } = self.definition().start;
        if self.all_numbers { all_numbers(self.parameter) } else { groups(self.parameter) }
    }

    /// Returns what the function is fed with.
    #[must_use]
    pub fn feed(&self) -> Feed {
        self.definition().feed
    }

    fn key(&self) -> (&str, u64, bool, &Option<String>, &str, Kind) {
        let parameter = self.parameter.to_bits();
        (&self.function, parameter, self.all_numbers, &self.input, &self.output, self.kind)
    }
}

impl PartialEq for PlannedAggregate {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for PlannedAggregate {}

impl Hash for PlannedAggregate {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.key().hash(hasher);
    }
}
