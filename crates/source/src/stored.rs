//! Tables of stored events, such as those of a lake: each row names its own origin.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::dataset::Labels;
use crate::inputs::{InputProblem, LogFile, Place};
use crate::layout::Reason;
use crate::logs::{Logs, ReadOptions};
use crate::wanted::Wanted;

/// A table of stored events.
#[derive(Debug, Clone)]
pub struct StoredTable {
    /// The name in messages.
    pub name: Arc<str>,
    /// Where the table is.
    pub place: StoredPlace,
    /// The size in bytes.
    pub size: u64,
    /// What is known of its events.
    pub facts: StoredFacts,
}

/// What is known of all events of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredFacts {
    /// Their index.
    pub index: Arc<str>,
    /// Their number.
    pub events: u64,
    /// The first and the last time, in epoch seconds; `None` if an event may have another one or none.
    pub times: Option<(f64, f64)>,
    /// Whether some may be plain rows, and no events of AWS.
    pub has_rows: bool,
}

/// Where a table is.
#[derive(Debug, Clone)]
pub enum StoredPlace {
    /// In a file on disk.
    File(PathBuf),
    /// With something that gives its bytes when they are needed.
    Kept(Arc<dyn KeptTable>),
}

/// A table that is no file, such as events that have just arrived.
pub trait KeptTable: Debug + Send + Sync {
    /// Returns the bytes of the table, as they are in a file.
    ///
    /// # Errors
    /// Fails if they cannot be read.
    fn bytes(&self) -> io::Result<Vec<u8>>;
}

impl Logs {
    /// Creates logs from tables of stored events. `problems` has the names and reasons of what is known to
    /// be missing.
    #[must_use]
    pub fn of_stored(
        tables: Vec<StoredTable>,
        problems: Vec<(String, String)>,
        options: ReadOptions,
    ) -> Self {
        let (mut files, mut facts) = (Vec::new(), Vec::new());
        for StoredTable { name, place, size, facts: of_table } in tables {
            let place = match place {
                StoredPlace::File(path) if path.to_str() == Some(&*name) => Place::Named,
                StoredPlace::File(path) => Place::Disk(path.into()),
                StoredPlace::Kept(kept) => Place::Kept(kept),
            };
            files.push(LogFile { place, name, size, is_named: false });
            facts.push(of_table);
        }
        let mut logs = Self::of_tables(files, facts, options);
        let problem = |(name, reason): (String, String)| InputProblem::new(name, reason);
        logs.add_problems(problems.into_iter().map(problem));
        logs
    }

    /// Returns the indexes of stored events, with the number of events of each; `None` for other logs.
    #[must_use]
    pub fn indexes(&self) -> Option<BTreeMap<String, u64>> {
        let mut indexes = BTreeMap::new();
        for facts in &self.stored {
            *indexes.entry(facts.index.to_string()).or_default() += facts.events;
        }
        (!indexes.is_empty()).then_some(indexes)
    }

    /// Creates logs from the files of tables, with what is known of each.
    pub(crate) fn of_tables(
        files: Vec<LogFile>,
        facts: Vec<StoredFacts>,
        options: ReadOptions,
    ) -> Self {
        let of_table =
            |facts: &StoredFacts| Labels { index: Some(facts.index.clone()), ..Labels::default() };
        let labels = facts.iter().map(of_table).collect();
        let mut logs = Self::labeled(files, labels, Vec::new(), options);
        logs.stored = facts;
        logs
    }
}

impl StoredFacts {
    /// Returns why a table holds no wanted event, or `None` if it must be read.
    pub(crate) fn rules_out(&self, wanted: &Wanted) -> Option<Reason> {
        let of_index = |indexes: &std::collections::BTreeSet<String>| {
            indexes.contains(&self.index.to_lowercase())
        };
        if wanted.indexes.as_ref().is_some_and(|indexes| !of_index(indexes)) {
            return Some(Reason::Index);
        }
        let (first, last) = self.times?;
        if wanted.time.earliest.is_some_and(|earliest| last < earliest) {
            Some(Reason::TooEarly)
        } else if wanted.time.latest.is_some_and(|latest| first >= latest) {
            Some(Reason::TooLate)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_event::{CaseRule, Comparison, Pattern, Predicate, TimeBounds};

    use super::*;

    #[test]
    fn tables_are_ruled_out_by_what_is_known_of_them() {
        let index = |text: &str| Predicate::Compare {
            field: "index".to_owned(),
            op: Comparison::Eq,
            value: Pattern::new(text, CaseRule::Ignore),
        };
        let time = |earliest, latest| Predicate::Time(TimeBounds { earliest, latest });
        let facts = |times| StoredFacts { index: "aws".into(), events: 1, times, has_rows: false };
        let known = Some((100.0, 200.0));
        for (predicate, times, reason) in [
            (Predicate::All, known, None),
            (index("AWS"), known, None),
            (index("a*"), known, None),
            (index("main"), known, Some(Reason::Index)),
            (index("main"), None, Some(Reason::Index)),
            (Predicate::Or(vec![index("main"), index("aws")]), known, None),
            (Predicate::Not(Box::new(index("aws"))), known, None),
            // What a search for an index of logs becomes, for events with and without one.
            (
                Predicate::Or(vec![
                    index("main"),
                    Predicate::Not(Box::new(Predicate::Exists("index".to_owned()))),
                ]),
                known,
                Some(Reason::Index),
            ),
            (time(Some(200.0), None), known, None),
            (time(Some(201.0), None), known, Some(Reason::TooEarly)),
            (time(Some(201.0), None), None, None),
            (time(None, Some(100.0)), known, Some(Reason::TooLate)),
            (time(None, Some(100.5)), known, None),
        ] {
            let found = facts(times).rules_out(&Wanted::of(&predicate));
            assert_eq!(found, reason, "{predicate:?} {times:?}");
        }
    }
}
