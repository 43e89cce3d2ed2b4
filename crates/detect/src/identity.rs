//! Identifies the rows of a detection: identifying values, ids and times.

use sha2::{Digest, Sha256};
use spilltrail_event::Value;
use spilltrail_event::fields::TIME;
use spilltrail_search::context::SearchContext;
use spilltrail_search::lineage::Lineage;
use spilltrail_search::rows::Row;

/// Fields that name the actor, in order of preference.
const IDENTITIES: &[&str] = &[
    "user_arn",
    "userIdentity.arn",
    "user",
    "user_name",
    "userName",
    "src_user",
    "userIdentity.userName",
    "userIdentity.principalId",
    "actor.user.uid",
    "actor.user.name",
    "accessKeyId",
    "risk_object",
];

/// Fields with the time of a row's last event, in order of preference; names are case-insensitive.
const TIMES: &[&str] = &["lasttime", "last_time", "lastseen", "last_seen", "latest", "endtime"];

/// Fields with the time of a row's first event, in order of preference.
const FIRST_TIMES: &[&str] = &[
    "firsttime",
    "first_time",
    "firstseen",
    "first_seen",
    "earliest",
    "starttime",
    "eventtime",
    "time",
];

/// Returns the actor of a row: the first value of the preferred field that it has.
#[must_use]
pub fn identity(row: &Row) -> Option<String> {
    let value =
        IDENTITIES.iter().find_map(|name| row.get(*name).filter(|value| !value.is_null()))?;
    value.members().first().map(|member| member.clone().into_owned())
}

/// Returns the time of a row, according to its own fields.
pub(crate) fn time(row: &Row, context: &SearchContext) -> Option<f64> {
    instant(row.get(TIME), context)
        .or_else(|| instant(named(TIMES, row), context))
        .or_else(|| instant(named(FIRST_TIMES, row), context))
}

/// Returns the time of a row's first event, according to its own fields.
pub(crate) fn first_time(row: &Row, context: &SearchContext) -> Option<f64> {
    instant(named(FIRST_TIMES, row).or_else(|| row.get(TIME)), context)
}

/// Returns the time of a row's last event, according to its own fields.
pub(crate) fn last_time(row: &Row, context: &SearchContext) -> Option<f64> {
    instant(named(TIMES, row).or_else(|| row.get(TIME)), context)
}

fn named<'a>(names: &[&str], row: &'a Row) -> Option<&'a Value<'static>> {
    let named = |name: &&str| row.iter().find(|(field, _)| field.eq_ignore_ascii_case(name));
    names.iter().find_map(named).map(|(_, value)| value)
}

/// Parses a value as a time; for a multivalue, returns the latest.
fn instant(value: Option<&Value<'_>>, context: &SearchContext) -> Option<f64> {
    let instants = value?.members().into_iter().filter_map(|text| context.instant(&text));
    instants.filter(|time| time.is_finite()).reduce(f64::max)
}

/// Assigns ids to the rows of a detection's run.
///
/// The id of a row is derived from the detection and the values that identify the row, so another
/// run over another time range assigns the same id. Rows that share these values are numbered by
/// their other values, regardless of the order of the rows.
#[derive(Debug)]
pub(crate) struct Ids<'a> {
    detection: &'a str,
    lineage: &'a Lineage,
    rows: Vec<Fingerprint>,
}

/// Hashes of a row. Sorting by them makes the numbering independent of the order of the rows.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fingerprint {
    /// Hash of the values that identify the row.
    identity: [u8; 16],
    /// Hash of the values that do not change with the time range.
    stable: [u8; 16],
    /// Hash of all values.
    whole: [u8; 16],
    /// Index of the row in the run.
    index: usize,
}

impl<'a> Ids<'a> {
    pub(crate) fn new(detection: &'a str, lineage: &'a Lineage) -> Self {
        Self { detection, lineage, rows: Vec::new() }
    }

    /// Adds the next row of the run.
    pub(crate) fn add(&mut self, row: &Row) {
        let present: Vec<&str> = row
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, _)| name.as_str())
            .collect();
        let mut names = present.clone();
        names.sort_unstable();
        let identifying = self.lineage.identifying(&present);
        let stable: Vec<&str> =
            names.iter().copied().filter(|name| !self.lineage.is_measure(name)).collect();
        self.rows.push(Fingerprint {
            identity: self.digest(row, &identifying),
            stable: self.digest(row, &stable),
            whole: self.digest(row, &names),
            index: self.rows.len(),
        });
    }

    /// Returns the ids of the rows, in the order in which they were added.
    pub(crate) fn finish(mut self) -> Vec<String> {
        self.rows.sort_unstable();
        let mut ids = vec![String::new(); self.rows.len()];
        for same in self.rows.chunk_by(|a, b| a.identity == b.identity) {
            for (number, row) in same.iter().enumerate() {
                // The first row has the plain id; the others get a number as suffix.
                let id = hex(&row.identity);
                ids[row.index] = if number == 0 { id } else { format!("{id}-{}", number + 1) };
            }
        }
        ids
    }

    fn digest(&self, row: &Row, names: &[&str]) -> [u8; 16] {
        let mut hash = Sha256::new();
        // Each part is preceded by its length, so that different lists of parts have different
        // hashes.
        let mut add = |part: &str| {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        };
        add(self.detection);
        for name in names {
            let members = row.get(*name).map(Value::members).unwrap_or_default();
            add(name);
            add(&members.len().to_string());
            members.iter().for_each(|member| add(member));
        }
        let mut digest = [0; 16];
        digest.copy_from_slice(&hash.finalize()[..16]);
        digest
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use spilltrail_search::analysis::analyze;
    use spilltrail_spl::MacroSet;

    fn row(fields: &[(&str, Value<'static>)]) -> Row {
        fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    fn ids(detection: &str, search: &str, rows: &[&Row]) -> Vec<String> {
        let lineage = analyze(search, &MacroSet::builtin()).lineage();
        let mut ids = Ids::new(detection, &lineage);
        rows.iter().for_each(|row| ids.add(row));
        ids.finish()
    }

    #[test]
    fn ids_follow_the_group_and_nothing_else() {
        // The counted field, the field to group by, and both with any name.
        for (statistic, by) in [
            ("count", "account"),
            ("count", "count(x)"),
            ("first_count", "country"),
            ("discount", "first_count"),
            ("account", "discount"),
            ("firstTime", "lastTime"),
        ] {
            let search = format!("* | stats dc(x) as {statistic} by \"{by}\"");
            let found = |by_value: &'static str, n: f64| {
                row(&[(by, Value::text(by_value)), (statistic, Value::Number(n))])
            };
            let (base, recounted, other) = (found("a", 3.0), found("a", 4.0), found("b", 3.0));
            let expected = ids("d", &search, &[&base]);
            assert_eq!(ids("d", &search, &[&recounted]), expected, "{search}");
            assert_ne!(ids("d", &search, &[&other]), expected, "{search}");
            assert_ne!(ids("e", &search, &[&base]), expected, "{search}");
        }
    }

    #[test]
    fn rows_of_one_group_are_told_apart_by_their_contents() {
        let search = "* | stats values(x) as x count by user | eval y=x";
        let found = |x: &'static str| row(&[("user", Value::text("ann")), ("x", Value::text(x))]);
        let (one, two) = (found("1"), found("2"));
        let (forward, backward) =
            (ids("d", search, &[&one, &two]), ids("d", search, &[&two, &one]));
        assert_ne!(forward[0], forward[1]);
        assert_eq!(forward, [backward[1].as_str(), backward[0].as_str()]);
        let same = ids("d", search, &[&one, &one]);
        assert_ne!(same[0], same[1]);
        // Each value is a separate row, whose id does not depend on the other rows.
        let search = "* | stats values(x) as x by user | mvexpand x";
        assert_eq!(ids("d", search, &[&one, &two])[1], ids("d", search, &[&two])[0]);
    }

    #[test]
    fn the_best_identity_is_taken() {
        let both = row(&[("user", Value::text("ann")), ("user_arn", Value::text("arn:ann"))]);
        assert_eq!(identity(&both).as_deref(), Some("arn:ann"));
        let many = row(&[("user", Value::multi(vec!["ann".into(), "bob".into()]))]);
        assert_eq!(identity(&many).as_deref(), Some("ann"));
        assert_eq!(identity(&row(&[("count", Value::Number(1.0))])), None);
    }
}
