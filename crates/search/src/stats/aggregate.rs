//! Aggregates as part of a plan.

use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};
use spilltrail_event::Kind;

use super::functions::sparkline::{Spark, Sparkline};
use super::groups::Groups;
use super::{AllNumbers, Feed, GroupStatistics, Start, Statistic, StatsFunction, functions};
use crate::rows::state::state_of;

/// A resolved aggregate, as plain data.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PlannedAggregate {
    /// The function's name as listed in [`functions::FUNCTIONS`].
    pub function: String,
    /// The number in the function's name, such as 95 in `perc95`.
    #[serde(with = "spilltrail_event::exact")]
    pub parameter: f64,
    /// True if the result is null once a value is not a number.
    pub all_numbers: bool,
    /// The input column; `None` if the aggregate counts rows.
    pub input: Option<String>,
    /// The output column.
    pub output: String,
    /// The output column's kind.
    pub kind: Kind,
    /// What the aggregate consists of if it is a sparkline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spark: Option<Spark>,
}

impl PlannedAggregate {
    /// Returns the aggregate that counts rows.
    #[must_use]
    pub fn count(output: &str) -> Self {
        Self {
            function: "count".to_owned(),
            parameter: 0.0,
            all_numbers: false,
            input: None,
            output: output.to_owned(),
            kind: Kind::Number,
            spark: None,
        }
    }

    fn definition(&self) -> &'static StatsFunction {
        // A function with a number in its name is found only with a number; any valid one does.
        functions::find(&self.function)
            .or_else(|| functions::find(&format!("{}0", self.function)))
            .map(|(function, _)| function)
            .expect("planned aggregates name listed functions")
    }

    /// Returns a new statistic without values.
    #[must_use]
    pub fn start(&self) -> Box<dyn Statistic> {
        let statistic: Box<dyn Statistic> = match &self.spark {
            Some(spark) => Box::new(Sparkline::new(spark.clone())),
            None => (self.definition().start.one)(self.parameter),
        };
        if self.all_numbers { Box::new(AllNumbers::new(statistic)) } else { statistic }
    }

    /// Returns statistics of groups, initially without groups.
    #[must_use]
    pub fn start_groups(&self) -> Box<dyn GroupStatistics> {
        if let Some(spark) = self.spark.clone() {
            return Box::new(Groups::new(0.0, move |_| Sparkline::new(spark.clone())));
        }
        let Start { groups, all_numbers, .. } = self.definition().start;
        if self.all_numbers { all_numbers(self.parameter) } else { groups(self.parameter) }
    }

    /// Returns the function's input.
    #[must_use]
    pub fn feed(&self) -> Feed {
        self.definition().feed
    }

    fn key(&self) -> (&str, u64, bool, &Option<String>, &str, Kind, Option<String>) {
        let Self { function, parameter, all_numbers, input, output, kind, spark } = self;
        let spark = spark.as_ref().map(state_of);
        (function, parameter.to_bits(), *all_numbers, input, output, *kind, spark)
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
