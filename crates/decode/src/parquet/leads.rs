//! Decides by the columns of fields by which searches pick events which stored events some search may
//! match.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::BinaryViewArray;
use foldhash::fast::RandomState;
use spilltrail_event::{Predicate, ValueRange, fields};

use super::stored::value;

/// The most combinations of values that are remembered. Of events that are picked by name, source and
/// region, a row group has a few hundred; if ids are compared, each event has one of its own.
const MOST: usize = 4096;

/// What is certain of events with the same values.
#[derive(Debug, Clone)]
enum Verdict {
    /// Whether some condition may hold, at any time.
    Certain(bool),
    /// The indices of the conditions that may hold, which is a matter of the time, too.
    AtTimes(Arc<[usize]>),
}

/// The conditions of searches, and what is known of values that events had so far.
pub(super) struct Verdicts<'n> {
    conditions: &'n [Predicate],
    /// The names of the fields that have columns, in the order of these.
    names: Vec<&'static str>,
    /// By the values, each after its length.
    known: HashMap<Box<[u8]>, Verdict, RandomState>,
    /// The values of the current event, and of the one before.
    key: Vec<u8>,
    last_key: Vec<u8>,
    last: Option<Verdict>,
}

impl<'n> Verdicts<'n> {
    pub(super) fn new(
        conditions: &'n [Predicate],
        names: impl Iterator<Item = &'static str>,
    ) -> Self {
        Self {
            conditions,
            names: names.collect(),
            known: HashMap::default(),
            key: Vec::new(),
            last_key: Vec::new(),
            last: None,
        }
    }

    /// Returns true if an event may satisfy a condition: the one in a row of these columns, at a time
    /// within `times`, which is `None` if it is not known.
    pub(super) fn may_match(
        &mut self,
        columns: &[Option<&BinaryViewArray>],
        row: usize,
        times: Option<(f64, f64)>,
    ) -> bool {
        self.key.clear();
        for column in columns {
            let value = column.and_then(|column| value(column, row));
            // An event without the field is not one with an empty text.
            let length = value.map_or(0, |value| value.len() as u64 + 1);
            self.key.extend_from_slice(&length.to_le_bytes());
            self.key.extend_from_slice(value.unwrap_or_default());
        }
        let range = |field: &str| {
            let column = columns.get(self.names.iter().position(|name| *name == field)?)?;
            Some(match column.and_then(|column| value(column, row)) {
                Some(value) => ValueRange::Between(value, value),
                None => ValueRange::Absent,
            })
        };
        if self.last.is_none() || self.key != self.last_key {
            let found = match self.known.get(&*self.key) {
                Some(known) => known.clone(),
                None => {
                    let found = verdict(self.conditions, &range);
                    if self.known.len() < MOST {
                        self.known.insert(self.key.as_slice().into(), found.clone());
                    }
                    found
                }
            };
            self.last = Some(found);
            std::mem::swap(&mut self.key, &mut self.last_key);
        }
        match &self.last {
            Some(Verdict::Certain(may)) => *may,
            Some(Verdict::AtTimes(left)) => left
                .iter()
                .any(|index| times.is_none() || self.conditions[*index].may_match(&range, times)),
            None => true,
        }
    }
}

/// Returns what is certain of events with values in these ranges.
fn verdict<'r>(
    conditions: &[Predicate],
    range: &dyn Fn(&str) -> Option<ValueRange<'r>>,
) -> Verdict {
    let left: Vec<usize> =
        (0..conditions.len()).filter(|index| conditions[*index].may_match(range, None)).collect();
    if left.is_empty() {
        return Verdict::Certain(false);
    }
    if left.iter().any(|index| !conditions[*index].fields().contains(fields::TIME)) {
        return Verdict::Certain(true);
    }
    Verdict::AtTimes(left.into())
}

#[cfg(test)]
mod tests {
    use spilltrail_event::{CaseRule, Comparison, Pattern, TimeBounds};

    use super::*;

    #[test]
    fn what_is_remembered_is_what_the_conditions_say() {
        let equals = |field: &str, value: &str| Predicate::Compare {
            field: field.to_owned(),
            op: Comparison::Eq,
            value: Pattern::new(value, CaseRule::Ignore),
        };
        let after = |time| Predicate::Time(TimeBounds { earliest: Some(time), latest: None });
        let conditions = [
            Predicate::And(vec![equals("name", "a*"), after(50.0)]),
            Predicate::And(vec![equals("name", "b"), equals("id", "*7"), equals("other", "x")]),
            Predicate::And(vec![
                Predicate::Exists("id".to_owned()),
                equals("name", ""),
                after(20.0),
            ]),
        ];
        let mut random = fastrand::Rng::with_seed(11);
        let rows = MOST * 3;
        let names: Vec<Option<&str>> = (0..rows)
            .map(|_| random.choice([None, Some(""), Some("a1"), Some("b")]).flatten())
            .collect();
        // More of them than are remembered.
        let ids: Vec<Option<String>> =
            (0..rows).map(|row| (row % 3 > 0).then(|| (row % (MOST * 2)).to_string())).collect();
        let columns = [
            names.iter().map(|name| name.map(str::as_bytes)).collect::<BinaryViewArray>(),
            ids.iter().map(|id| id.as_deref().map(str::as_bytes)).collect::<BinaryViewArray>(),
        ];
        let columns = columns.each_ref().map(Some);
        let mut verdicts = Verdicts::new(&conditions, ["name", "id"].into_iter());
        let mut matched = 0;
        for row in 0..rows {
            let range = |field: &str| {
                let value = match field {
                    "name" => names[row],
                    "id" => ids[row].as_deref(),
                    _ => return None,
                };
                let bytes = value.map(str::as_bytes);
                Some(bytes.map_or(ValueRange::Absent, |bytes| ValueRange::Between(bytes, bytes)))
            };
            let time = f64::from(random.u8(0..100));
            let times = Some((time, time)).filter(|_| random.bool());
            let expected = conditions.iter().any(|one| one.may_match(&range, times));
            assert_eq!(verdicts.may_match(&columns, row, times), expected, "{row} {times:?}");
            matched += usize::from(expected);
        }
        assert!(verdicts.known.len() == MOST && matched > 100 && matched < rows - 100);
    }
}
