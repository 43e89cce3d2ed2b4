//! What tells the rows of a detection apart: identifying values, ids, times.

use std::collections::HashMap;

use sha2::{Digest, Sha256};
use spilltrail_event::fields::TIME;
use spilltrail_event::{TimeBounds, Value};
use spilltrail_search::context::SearchContext;
use spilltrail_search::rows::Row;

/// Fields that say who acted, best first.
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
];

/// Fields that say when the events of a row were, best first; compared without case.
const TIMES: &[&str] = &["lasttime", "last_time", "lastseen", "last_seen", "latest", "endtime"];

/// As [`TIMES`], for rows that only say when it began.
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

/// Returns who acted in a row: the first value of the best field that it has.
#[must_use]
pub fn identity(row: &Row) -> Option<String> {
    let value =
        IDENTITIES.iter().find_map(|name| row.get(*name).filter(|value| !value.is_null()))?;
    value.members().first().map(|member| member.clone().into_owned())
}

/// Returns when a row happened by its own fields.
pub(crate) fn time(row: &Row, context: &SearchContext) -> Option<f64> {
    let instant = |value: &Value<'_>| {
        let instants = value.members().into_iter().filter_map(|text| context.instant(&text));
        instants.filter(|time| time.is_finite()).reduce(f64::max)
    };
    let named = |names: &[&str]| {
        names.iter().find_map(|name| {
            let (_, value) = row.iter().find(|(field, _)| field.eq_ignore_ascii_case(name))?;
            instant(value)
        })
    };
    row.get(TIME).and_then(instant).or_else(|| named(TIMES)).or_else(|| named(FIRST_TIMES))
}

/// Gives rows of one run their ids.
#[derive(Debug)]
pub(crate) struct Ids<'a> {
    detection: &'a str,
    grouping: &'a [String],
    range: TimeBounds,
    seen: HashMap<String, u64>,
}

impl<'a> Ids<'a> {
    pub(crate) fn new(detection: &'a str, grouping: &'a [String], range: TimeBounds) -> Self {
        Self { detection, grouping, range, seen: HashMap::new() }
    }

    /// Returns the id of a row: the same in every run over the same range that gives a row with the
    /// same identifying values, whatever its counts. Rows that share them are told apart by their
    /// order.
    pub(crate) fn id(&mut self, row: &Row) -> String {
        let mut hash = Sha256::new();
        // Every part is preceded by its length, so that no two lists of parts hash alike.
        let mut add = |part: &str| {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        };
        add(self.detection);
        for bound in [self.range.earliest, self.range.latest] {
            add(&bound.map(spilltrail_event::format_number).unwrap_or_default());
        }
        for (name, value) in identifying(row, self.grouping) {
            add(name);
            value.members().iter().for_each(|member| add(member));
        }
        let id = hex(&hash.finalize()[..16]);
        let repeated = self.seen.entry(id.clone()).or_default();
        *repeated += 1;
        if *repeated == 1 { id } else { format!("{id}-{repeated}") }
    }
}

/// Returns the fields that tell a row from others: those it was grouped by, or, where later commands
/// dropped some of them, all that are neither counts nor times.
fn identifying<'a>(row: &'a Row, grouping: &'a [String]) -> Vec<(&'a str, &'a Value<'static>)> {
    let grouped: Vec<_> =
        grouping.iter().filter_map(|name| Some((name.as_str(), row.get(name)?))).collect();
    if !grouped.is_empty() && grouped.len() == grouping.len() {
        return grouped;
    }
    let mut fields: Vec<_> = row
        .iter()
        .filter(|(name, value)| !is_measure(name, value))
        .map(|(name, value)| (name.as_str(), value))
        .collect();
    fields.sort_by_key(|(name, _)| *name);
    fields
}

fn is_measure(name: &str, value: &Value<'_>) -> bool {
    let lower = name.to_ascii_lowercase();
    matches!(value, Value::Number(_))
        || lower.contains("count")
        || lower.contains('(')
        || TIMES.contains(&lower.as_str())
        || FIRST_TIMES.contains(&lower.as_str())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(fields: &[(&str, Value<'static>)]) -> Row {
        fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    fn id(detection: &str, row: &Row, grouping: &[&str], latest: Option<f64>) -> String {
        let grouping: Vec<String> = grouping.iter().map(|name| (*name).to_owned()).collect();
        let range = TimeBounds { earliest: None, latest };
        Ids::new(detection, &grouping, range).id(row)
    }

    #[test]
    fn ids_follow_the_identifying_values_and_nothing_else() {
        let base = row(&[
            ("user", Value::text("ann")),
            ("count", Value::Number(3.0)),
            ("firstTime", Value::text("2026-01-01T00:00:00")),
        ]);
        let recounted = row(&[
            ("count", Value::Number(4.0)),
            ("user", Value::text("ann")),
            ("firstTime", Value::text("2026-01-02T00:00:00")),
        ]);
        let other = row(&[("user", Value::text("bob")), ("count", Value::Number(3.0))]);
        for grouping in [&["user"][..], &["gone", "user"], &[]] {
            let expected = id("d", &base, grouping, None);
            assert_eq!(id("d", &recounted, grouping, None), expected, "{grouping:?}");
            assert_ne!(id("d", &other, grouping, None), expected);
            assert_ne!(id("e", &base, grouping, None), expected);
            assert_ne!(id("d", &base, grouping, Some(1.0)), expected);
        }
        let mut ids = Ids::new("d", &[], TimeBounds::default());
        assert_ne!(ids.id(&base), ids.id(&base));
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
