//! Determines which fields identify a row in every run, whatever range of events the run reads.
//!
//! A row of `stats … by user` is about a user. Its counts and times change with the range; `user`
//! does not. [`Lineage`] follows the fields through a pipeline, and records the fields by which
//! rows were grouped and the fields computed from many rows. So no field has to be judged by its
//! name.

use std::collections::BTreeSet;

use spilltrail_event::fields::{self, covers};

/// The field that identifies a CloudTrail event.
const EVENT_ID: &str = "eventID";

/// Fields that depend on where an event was read; the same event may be in two files.
const PROVENANCE: &[&str] =
    &[fields::SOURCE, fields::INDEX, "_indextime", "linecount", "splunk_server"];

/// The fields that identify the rows of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lineage {
    /// The units that rows represent; several after commands such as `append`.
    units: BTreeSet<Unit>,
    /// The fields that `mvexpand` expanded to one row per value.
    expanded: BTreeSet<String>,
    /// The names and patterns of fields that were computed from many rows, or from the clock.
    measures: BTreeSet<String>,
}

/// The unit that a row represents.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Unit {
    /// An event, or a row that has lost a field by which it was grouped.
    Row,
    /// All rows with the same values of these fields; without fields, all rows together.
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
    /// Returns the fields among `present` that identify a row, in a fixed order.
    ///
    /// They are the fields by which the row was grouped. An event is identified by its `eventID`.
    /// An event without one is identified by all fields, except those computed from many rows and
    /// those that depend on where the event was read. Fields expanded by `mvexpand` are added.
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

    /// Returns the fields whose values are the same in every run that returns the row, because they
    /// were computed from this row alone.
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

    /// Returns the fields by which a row was grouped, or `None` if the row represents only itself.
    ///
    /// If the row has the fields of several groupings, the grouping with the most fields is used.
    fn group_of(&self, has: &dyn Fn(&str) -> bool) -> Option<&[String]> {
        let stands_for_itself = self.units.contains(&Unit::Row);
        // If events and groups are mixed, only events have an id.
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

    /// Records that rows are grouped; `measures` are the names of the statistics of each group.
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

    /// Records that only one row is kept for each combination of values of these fields.
    pub(crate) fn keep_first_of(&mut self, fields: &[String]) {
        // Statistics change with the range, so they cannot identify rows. If a field is one, the
        // fields that identified rows before still do.
        let identifies = |name: &String| !self.is_measure(name) && !name.contains('*');
        if fields.iter().all(identifies) {
            self.units = BTreeSet::from([Unit::Group(fields.to_vec())]);
            self.expanded.clear();
        }
    }

    /// Records that fields are set to values computed from many rows or from the clock.
    pub(crate) fn measure(&mut self, names: impl IntoIterator<Item = String>) {
        for name in names {
            self.lose(|field| *field == name);
            self.measures.insert(name);
        }
    }

    /// Records that a field is set to a value computed from the fields `reads` of its row.
    pub(crate) fn assign(&mut self, name: &str, reads: &[String]) {
        if reads.iter().any(|read| self.is_measure(read)) {
            self.measure([name.to_owned()]);
        } else {
            self.measures.remove(name);
        }
    }

    /// Records that fields are renamed.
    ///
    /// `to` is the new name, or a pattern with as many `*` as the old one. `renamed` returns the
    /// new name of a field, or `None` if the field keeps its name.
    pub(crate) fn rename(&mut self, to: &str, renamed: &dyn Fn(&str) -> Option<String>) {
        // An existing field with the new name is overwritten.
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

    /// Records that only the fields accepted by `keeps` are kept.
    pub(crate) fn retain(&mut self, keeps: impl Fn(&str) -> bool) {
        self.lose(|field| !keeps(field));
        self.expanded.retain(|field| keeps(field));
    }

    /// Records that each value of a field becomes a row of its own.
    pub(crate) fn expand(&mut self, name: &str) {
        self.expanded.insert(name.to_owned());
    }

    /// Records that rows of another lineage are appended.
    pub(crate) fn append(&mut self, other: Self) {
        self.units.extend(other.units);
        self.expanded.extend(other.expanded);
        self.measures.extend(other.measures);
    }

    /// Records that fields of another lineage's rows are joined to these rows.
    pub(crate) fn join(&mut self, other: &Self) {
        self.measures.extend(other.measures.iter().cloned());
    }

    /// Turns groups with a field for which `is_lost` is true into rows that represent themselves.
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

    /// The fields of the rows in the cases.
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
            // The fields of the group are renamed later.
            ("* | stats count by arn | rename arn as who", "who"),
            ("* | stats count by a.user | rename a.* as *", "user"),
            ("* | stats count by user | rename count as n", "user"),
            ("* | stats count by user | eval user=lower(user), n=count*2", "user"),
            ("* | stats count by user | fields user n | table user n", "user"),
            // A statistic overwrites the field of the group.
            ("* | stats count by user | rename count as user", STABLE_WITHOUT_USER),
            // The field of the group is lost, so all fields that are not statistics identify a row.
            ("* | stats count by bucket | eval who=bucket | fields - bucket", STABLE_WITHOUT_COUNT),
            (
                "* | stats values(user) as user count as n by ip | eval x=n | table user n x",
                "_time account count country discount eventName first_count user who",
            ),
            // Rows are expanded, or some are removed.
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
