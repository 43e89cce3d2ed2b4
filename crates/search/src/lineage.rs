//! What tells the rows of a search apart in every run, whatever range of events it reads.
//!
//! A row of `stats … by user` is about a user: its counts and times move with the range, `user` does
//! not. [`Lineage`] follows the fields through a pipeline and keeps which of them rows were grouped
//! by and which were computed from many rows, so that no field is judged by its name.

use std::collections::BTreeSet;

use spilltrail_event::fields::{self, covers};

/// The field that identifies a CloudTrail event.
const EVENT_ID: &str = "eventID";

/// Fields that say how an event was read, not what it is: the same event may be in another file.
const PROVENANCE: &[&str] =
    &[fields::SOURCE, fields::INDEX, "_indextime", "linecount", "splunk_server"];

/// Which fields of a search's rows identify a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lineage {
    /// What rows stand for; several after `append` and its like.
    units: BTreeSet<Unit>,
    /// Fields of which `mvexpand` gave each value a row of its own.
    expanded: BTreeSet<String>,
    /// Names and patterns of fields that were computed from many rows, or from the clock.
    measures: BTreeSet<String>,
}

/// What a row stands for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Unit {
    /// An event, or a row that has lost what it was grouped by.
    Row,
    /// All rows with the same values of these fields; no field means that all rows became one.
    Group(Vec<String>),
}

impl Default for Lineage {
    fn default() -> Self {
        Self {
            units: BTreeSet::from([Unit::Row]),
            expanded: BTreeSet::new(),
            measures: BTreeSet::new(),
        }
    }
}

impl Lineage {
    /// Returns the fields that identify a row among those it has, in a fixed order.
    ///
    /// They are the fields it was grouped by. A row that is an event has its `eventID`, or all fields
    /// but those that were computed from many rows or that say where the event was read.
    #[must_use]
    pub fn identifying<'a>(&self, present: &[&'a str]) -> Vec<&'a str> {
        let has = |name: &str| present.contains(&name);
        let mut named: BTreeSet<&str> = match self.group_of(&has) {
            Some(group) => group.iter().map(String::as_str).collect(),
            None if has(EVENT_ID) && !self.is_measure(EVENT_ID) => BTreeSet::from([EVENT_ID]),
            None => self.stable(present),
        };
        named.extend(self.expanded.iter().map(String::as_str));
        let mut identifying: Vec<&str> =
            present.iter().copied().filter(|name| named.contains(name)).collect();
        identifying.sort_unstable();
        identifying
    }

    /// Returns the fields that are the same in every run that gives the row: those that were computed
    /// from no other rows.
    fn stable<'a>(&self, present: &[&'a str]) -> BTreeSet<&'a str> {
        let is_stable = |name: &&str| !self.is_measure(name) && !PROVENANCE.contains(name);
        present.iter().copied().filter(is_stable).collect()
    }

    /// Returns true if the field was computed from many rows, or from the clock.
    #[must_use]
    pub fn is_measure(&self, name: &str) -> bool {
        self.measures
            .iter()
            .any(|measure| measure == name || (measure.contains('*') && covers(measure, name)))
    }

    /// Returns the fields that a row was grouped by: of the groupings whose fields it has, the one
    /// with the most. `None` if it stands for itself.
    fn group_of(&self, has: &dyn Fn(&str) -> bool) -> Option<&[String]> {
        let stands_for_itself = self.units.contains(&Unit::Row);
        // Where events and groups are mixed, only an event has an id.
        if stands_for_itself && has(EVENT_ID) && !self.is_measure(EVENT_ID) {
            return None;
        }
        let groups = self.units.iter().filter_map(|unit| match unit {
            Unit::Group(fields) if fields.iter().all(|field| has(field)) => Some(fields.as_slice()),
            _ => None,
        });
        let group = groups.max_by_key(|fields| fields.len())?;
        (!group.is_empty() || !stands_for_itself).then_some(group)
    }

    /// Rows become one for each group; `measures` are the names of its statistics.
    pub(crate) fn group(
        &mut self,
        by: impl IntoIterator<Item = String>,
        measures: impl IntoIterator<Item = String>,
    ) {
        let by: Vec<String> = by.into_iter().collect();
        self.expanded.clear();
        self.measures = measures.into_iter().filter(|name| !by.contains(name)).collect();
        self.units = BTreeSet::from([Unit::Group(by)]);
    }

    /// Of the rows with the same values of these fields, one is left.
    pub(crate) fn keep_first_of(&mut self, fields: &[String]) {
        // A statistic moves with the range, so it identifies nothing; what did before still does.
        let identifies = |name: &String| !self.is_measure(name) && !name.contains('*');
        if fields.iter().all(identifies) {
            self.units = BTreeSet::from([Unit::Group(fields.to_vec())]);
            self.expanded.clear();
        }
    }

    /// Fields are added, or replaced, by values computed from many rows or from the clock.
    pub(crate) fn measure(&mut self, names: impl IntoIterator<Item = String>) {
        for name in names {
            self.lose(|field| *field == name);
            self.measures.insert(name);
        }
    }

    /// A field gets a value computed from fields of its row.
    pub(crate) fn assign(&mut self, name: &str, reads: &[String]) {
        if reads.iter().any(|read| self.is_measure(read)) {
            self.measure([name.to_owned()]);
        } else {
            self.measures.remove(name);
        }
    }

    /// Fields get new names; a pattern has as many `*` on both sides. `renamed` gives the new name
    /// of a field that is concerned.
    pub(crate) fn rename(&mut self, to: &str, renamed: &dyn Fn(&str) -> Option<String>) {
        // A field that had the name before is replaced.
        if !to.contains('*') && renamed(to).is_none() {
            self.lose(|field| field == to);
            self.measures.remove(to);
        }
        let moved = |name: String| renamed(&name).unwrap_or(name);
        let all = |names: &mut BTreeSet<String>| {
            *names = std::mem::take(names).into_iter().map(moved).collect();
        };
        all(&mut self.measures);
        all(&mut self.expanded);
        self.units = std::mem::take(&mut self.units)
            .into_iter()
            .map(|unit| match unit {
                Unit::Row => Unit::Row,
                Unit::Group(fields) => Unit::Group(fields.into_iter().map(moved).collect()),
            })
            .collect();
    }

    /// Fields other than these are dropped.
    pub(crate) fn retain(&mut self, keeps: impl Fn(&str) -> bool) {
        self.lose(|field| !keeps(field));
        self.expanded.retain(|field| keeps(field));
    }

    /// Each value of a field becomes a row.
    pub(crate) fn expand(&mut self, name: &str) {
        self.expanded.insert(name.to_owned());
    }

    /// Rows of another lineage are added.
    pub(crate) fn append(&mut self, other: Self) {
        self.units.extend(other.units);
        self.expanded.extend(other.expanded);
        self.measures.extend(other.measures);
    }

    /// Fields of another lineage's rows are put beside those of these rows.
    pub(crate) fn join(&mut self, other: &Self) {
        self.measures.extend(other.measures.iter().cloned());
    }

    /// Rows whose grouping has lost one of these fields stand for themselves from here on.
    fn lose(&mut self, is_lost: impl Fn(&str) -> bool) {
        self.units = std::mem::take(&mut self.units)
            .into_iter()
            .map(|unit| match unit {
                Unit::Group(fields) if fields.iter().any(|field| is_lost(field)) => Unit::Row,
                unit => unit,
            })
            .collect();
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_spl::MacroSet;

    use crate::analysis::analyze;

    /// Fields that the rows of the cases have.
    const FIELDS: &[&str] = &[
        "_time",
        "account",
        "count",
        "country",
        "discount",
        "eventName",
        "first_count",
        "n",
        "source",
        "user",
        "who",
        "x",
    ];

    fn identifying(search: &str, present: &[&'static str]) -> String {
        let analysis = analyze(search, &MacroSet::builtin());
        analysis.lineage().identifying(present).join(" ")
    }

    #[test]
    fn rows_are_identified_by_what_they_were_grouped_by() {
        for (search, expected) in [
            ("* | stats count by account country", "account country"),
            ("* | stats count as n by count", "count"),
            ("* | stats dc(x) as account by discount", "discount"),
            ("* | stats sum(x) as discount, values(x) as x by first_count", "first_count"),
            ("* | stats first(n) as first_count", ""),
            ("* | bin _time span=1h | stats count by _time user", "_time user"),
            ("* | stats count by user x | stats dc(x) as n by user", "user"),
            ("| tstats count where user=ann by user _time span=1h", "_time user"),
            // Names that the group gets later.
            ("* | stats count by arn | rename arn as who", "who"),
            ("* | stats count by a.user | rename a.* as *", "user"),
            ("* | stats count by user | rename count as n", "user"),
            ("* | stats count by user | eval user=lower(user), n=count*2", "user"),
            ("* | stats count by user | fields user n | table user n", "user"),
            // A statistic takes the name of the group.
            ("* | stats count by user | rename count as user", STABLE_WITHOUT_USER),
            // The group is lost: what was not counted is left.
            ("* | stats count by bucket | eval who=bucket | fields - bucket", STABLE_WITHOUT_COUNT),
            (
                "* | stats values(user) as user count as n by ip | eval x=n | table user n x",
                "_time account count country discount eventName first_count user who",
            ),
            // Rows are multiplied, or some are left out.
            ("* | stats values(x) as x by user | mvexpand x", "user x"),
            ("* | stats count by user x | dedup user", "user"),
            ("* | stats count by user | dedup count", "user"),
            ("* | dedup user eventName | table user eventName n", "eventName user"),
            (
                "* | stats count by user | append [search a=b | stats count by user account]",
                "account user",
            ),
            ("* | stats count by user | appendpipe [stats sum(count) as n]", "user"),
            (
                "* | stats count by user | streamstats count as n | eventstats avg(count) as x",
                "user",
            ),
        ] {
            assert_eq!(identifying(search, FIELDS), expected, "{search}");
        }
    }

    const STABLE: &str = "_time account count country discount eventName first_count n user who x";
    const STABLE_WITHOUT_USER: &str =
        "_time account count country discount eventName first_count n who x";
    const STABLE_WITHOUT_N: &str =
        "_time account count country discount eventName first_count user who x";
    const STABLE_WITHOUT_COUNT: &str =
        "_time account country discount eventName first_count n user who x";

    #[test]
    fn events_are_identified_by_their_id_or_by_all_that_is_theirs() {
        let with_id: Vec<&str> = [FIELDS, &["eventID"]].concat();
        for (search, expected) in [
            ("account=1", STABLE),
            ("* | eval who=upper(user)", STABLE),
            ("* | eventstats count by user", STABLE_WITHOUT_COUNT),
            (
                "* | eventstats count as n by user | eval x=n-1",
                "_time account count country discount eventName first_count user who",
            ),
            (
                "* | eval x=now(), n=strftime(x, \"%F\")",
                "_time account count country discount eventName first_count user who",
            ),
            (
                "* | eval x=random()",
                "_time account count country discount eventName first_count n user who",
            ),
            ("* | outlier n", STABLE_WITHOUT_N),
            ("* | outlier action=remove n", STABLE),
            ("* | anomalydetection method=iqr n", STABLE_WITHOUT_N),
            ("* | bin n", STABLE_WITHOUT_N),
            ("* | bin n span=5", STABLE),
            (
                "| makeresults | eval user=\"ann\"",
                "account count country discount eventName first_count n user who x",
            ),
        ] {
            assert_eq!(identifying(search, FIELDS), expected, "{search}");
            let own = if search.starts_with('|') { expected } else { "eventID" };
            if own == "eventID" {
                assert_eq!(identifying(search, &with_id), own, "{search}");
            }
        }
        assert_eq!(identifying("* | mvexpand x", &with_id), "eventID x");
    }
}
