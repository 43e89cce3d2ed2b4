//! Times, accounts and regions that searches can match, which paths are compared with.
//!
//! [`Wanted::of`] derives from a predicate only conditions that hold for every event it matches. So
//! [`Wanted::rules_out`] returns a reason only for files without such an event.

use std::collections::BTreeSet;

use spilltrail_event::{Comparison, Pattern, Predicate, TimeBounds, fields};

use crate::layout::{CLOCK_SKEW, LATE_DELIVERY, Layout, Reason, Service};

/// The field with the account of the file. `aws_account_id` is missing: it may be the caller's.
const ACCOUNT_FIELDS: &[&str] = &["recipientAccountId"];

/// The fields with the region of the file.
const REGION_FIELDS: &[&str] = &["awsRegion", "region", "vendor_region"];

/// The regions that events of global services name. A trail of any single region received such
/// events until 2021, so these regions rule out no file.
const GLOBAL_REGIONS: &[&str] =
    &["us-east-1", "us-gov-west-1", "cn-north-1", "us-iso-east-1", "us-isob-east-1"];

/// Bounds on the events that searches can match: time, accounts and regions.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Wanted {
    /// The time range of the events.
    pub time: TimeBounds,
    /// The accounts; `None` means all.
    pub accounts: Option<BTreeSet<String>>,
    /// The regions, in lowercase; `None` means all.
    pub regions: Option<BTreeSet<String>>,
    /// The indexes, in lowercase; `None` means all. Only stored events are known to be in one.
    pub indexes: Option<BTreeSet<String>>,
}

impl Wanted {
    /// Returns bounds that no event satisfies, the neutral element of [`Wanted::union`].
    #[must_use]
    pub fn nothing() -> Self {
        let time = TimeBounds { earliest: Some(f64::INFINITY), latest: Some(f64::NEG_INFINITY) };
        let none = || Some(BTreeSet::new());
        Self { time, accounts: none(), regions: none(), indexes: none() }
    }

    /// Returns bounds on the time only.
    #[must_use]
    pub fn in_time(time: TimeBounds) -> Self {
        Self { time, ..Self::default() }.normalized()
    }

    /// Returns bounds that every event matched by `predicate` satisfies.
    #[must_use]
    pub fn of(predicate: &Predicate) -> Self {
        match predicate {
            Predicate::Nothing => Self::nothing(),
            Predicate::And(parts) => parts
                .iter()
                .fold(Self::default(), |wanted, part| wanted.intersection(Self::of(part))),
            Predicate::Or(parts) => Self::any(parts.iter().map(Self::of)),
            Predicate::Time(time) => Self::in_time(*time),
            Predicate::Compare { field, op: Comparison::Eq, value } => Self::of_value(field, value),
            Predicate::In { field, values } => {
                Self::any(values.patterns().iter().map(|value| Self::of_value(field, value)))
            }
            Predicate::Cases { field, cases } => {
                Self::any(cases.all().iter().map(|(value, condition)| {
                    Self::of_value(field, value).intersection(Self::of(condition))
                }))
            }
            // All stored events have an index.
            Predicate::Not(part) if **part == Predicate::Exists(fields::INDEX.to_owned()) => {
                Self { indexes: Some(BTreeSet::new()), ..Self::default() }
            }
            Predicate::All
            | Predicate::Not(_)
            | Predicate::Exists(_)
            | Predicate::Compare { .. }
            | Predicate::Keyword(_) => Self::default(),
        }
    }

    fn any(parts: impl Iterator<Item = Self>) -> Self {
        parts.fold(Self::nothing(), Self::union)
    }

    fn of_value(field: &str, value: &Pattern) -> Self {
        if value.is_wild() {
            return Self::default();
        }
        // Paths are in lowercase, so this holds whether or not the comparison is case-sensitive.
        let values = || Some(BTreeSet::from([value.text.to_lowercase()]));
        if ACCOUNT_FIELDS.contains(&field) {
            return Self { accounts: values(), ..Self::default() };
        }
        if field == fields::INDEX {
            return Self { indexes: values(), ..Self::default() };
        }
        if REGION_FIELDS.contains(&field)
            && !GLOBAL_REGIONS.iter().any(|global| value.matches(global))
        {
            return Self { regions: values(), ..Self::default() };
        }
        Self::default()
    }

    /// Returns the bounds of events that satisfy both `self` and `other`.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        let both = |a: Option<BTreeSet<String>>, b: Option<BTreeSet<String>>| match (a, b) {
            (Some(a), Some(b)) => Some(a.intersection(&b).cloned().collect()),
            (a, b) => a.or(b),
        };
        Self {
            time: self.time.and(other.time),
            accounts: both(self.accounts, other.accounts),
            regions: both(self.regions, other.regions),
            indexes: both(self.indexes, other.indexes),
        }
        .normalized()
    }

    /// Returns bounds that contain both, and perhaps more, such as the accounts of one with the
    /// times of the other.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        let either = |a: Option<BTreeSet<String>>, b: Option<BTreeSet<String>>| {
            let (mut a, b) = (a?, b?);
            a.extend(b);
            Some(a)
        };
        let bound = |a: Option<f64>, b: Option<f64>, f: fn(f64, f64) -> f64| Some(f(a?, b?));
        Self {
            time: TimeBounds {
                earliest: bound(self.time.earliest, other.time.earliest, f64::min),
                latest: bound(self.time.latest, other.time.latest, f64::max),
            },
            accounts: either(self.accounts, other.accounts),
            regions: either(self.regions, other.regions),
            indexes: either(self.indexes, other.indexes),
        }
    }

    /// Returns [`Wanted::nothing`] if the time range or a set is empty, since then no event
    /// satisfies all bounds.
    fn normalized(self) -> Self {
        let is_empty =
            |set: &Option<BTreeSet<String>>| set.as_ref().is_some_and(BTreeSet::is_empty);
        let no_time = match (self.time.earliest, self.time.latest) {
            (Some(earliest), Some(latest)) => earliest >= latest,
            _ => false,
        };
        // Events of files have no index, and match any that is named.
        if no_time || is_empty(&self.accounts) || is_empty(&self.regions) {
            return Self::nothing();
        }
        self
    }

    /// Returns why a file with this path holds no wanted event, or `None` if it must be read.
    #[must_use]
    pub fn rules_out(&self, path: &str) -> Option<Reason> {
        let layout = Layout::parse(path)?;
        if layout.service == Service::Digest {
            return Some(Reason::Digest);
        }
        let delivered = layout.delivered as f64;
        self.rules_out_account(layout.account)
            .or_else(|| self.rules_out_region(layout.region))
            .or_else(|| self.rules_out_delivery(delivered, delivered))
    }

    pub(crate) fn rules_out_account(&self, account: &str) -> Option<Reason> {
        let accounts = self.accounts.as_ref()?;
        (!accounts.contains(account)).then_some(Reason::Account)
    }

    pub(crate) fn rules_out_region(&self, region: &str) -> Option<Reason> {
        let regions = self.regions.as_ref()?;
        (!regions.contains(region)).then_some(Reason::Region)
    }

    /// Returns why files delivered from `first` to `last` hold no event in the time range, if so.
    pub(crate) fn rules_out_delivery(&self, first: f64, last: f64) -> Option<Reason> {
        if self.time.earliest.is_some_and(|earliest| last + CLOCK_SKEW < earliest) {
            Some(Reason::TooEarly)
        } else if self.time.latest.is_some_and(|latest| first - LATE_DELIVERY >= latest) {
            Some(Reason::TooLate)
        } else {
            None
        }
    }

    /// Returns true if the time range rules out no file delivered from `first` to `last`.
    pub(crate) fn takes_all_delivered(&self, first: f64, last: f64) -> bool {
        self.rules_out_delivery(first, first).is_none()
            && self.rules_out_delivery(last, last).is_none()
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_event::CaseRule;

    use super::*;

    // 2026-03-17T15:10:00Z
    const DELIVERED: f64 = 1_773_760_200.0;
    const HOUR: f64 = 3600.0;

    fn path(account: &str, service: &str, region: &str) -> String {
        format!(
            "logs/AWSLogs/{account}/{service}/{region}/2026/03/17/{account}_{service}_{region}_\
             20260317T1510Z_abc.json.gz"
        )
    }

    fn is(field: &str, text: &str) -> Predicate {
        compare(field, Comparison::Eq, text)
    }

    fn compare(field: &str, op: Comparison, text: &str) -> Predicate {
        Predicate::Compare {
            field: field.to_owned(),
            op,
            value: Pattern::new(text, CaseRule::Ignore),
        }
    }

    /// Matches ten values of a field.
    fn among(field: &str, prefix: &str) -> Predicate {
        Predicate::any((0..10).map(|digit| is(field, &format!("{prefix}{digit}"))).collect())
    }

    /// Matches ten rows of two fields, one of which is the account.
    fn rows(prefix: &str) -> Predicate {
        let row = |digit| {
            let account = is("recipientAccountId", &format!("{prefix}{digit}"));
            Predicate::And(vec![is("user", &format!("u{digit}")), account])
        };
        Predicate::any((0..10).map(row).collect())
    }

    fn between(earliest: Option<f64>, latest: Option<f64>) -> Predicate {
        Predicate::Time(TimeBounds { earliest, latest })
    }

    #[test]
    fn times_with_their_allowances() {
        let path = path("111122223333", "CloudTrail", "eu-west-1");
        for (earliest, latest, reason) in [
            (None, None, None),
            (Some(DELIVERED), None, None),
            // Events up to 15 minutes after the delivery may be in the file.
            (Some(DELIVERED + 900.0), None, None),
            (Some(DELIVERED + 901.0), None, Some(Reason::TooEarly)),
            // Events up to a day before the delivery may be in the file.
            (None, Some(DELIVERED - 23.0 * HOUR), None),
            (None, Some(DELIVERED - 24.0 * HOUR), Some(Reason::TooLate)),
            (Some(DELIVERED - 2.0 * HOUR), Some(DELIVERED - HOUR), None),
        ] {
            let wanted = Wanted::of(&between(earliest, latest));
            assert_eq!(wanted.rules_out(&path), reason, "{earliest:?} {latest:?}");
        }
        let past = Wanted::of(&between(None, Some(0.0)));
        assert_eq!(past.rules_out("logs/odd.json.gz"), None);
    }

    #[test]
    fn accounts_and_regions() {
        let here = path("111122223333", "CloudTrail", "eu-west-1");
        let and = Predicate::And;
        let or = Predicate::Or;
        let (account, other) =
            (is("recipientAccountId", "111122223333"), is("recipientAccountId", "444455556666"));
        let (region, elsewhere) = (is("awsRegion", "EU-West-1"), is("region", "eu-west-2"));
        for (predicate, reason) in [
            (account.clone(), None),
            (other.clone(), Some(Reason::Account)),
            (or(vec![account.clone(), other.clone()]), None),
            (and(vec![account.clone(), other.clone()]), Some(Reason::Account)),
            (region.clone(), None),
            (elsewhere.clone(), Some(Reason::Region)),
            (and(vec![account.clone(), elsewhere.clone()]), Some(Reason::Region)),
            (or(vec![account.clone(), elsewhere.clone()]), None),
            (or(vec![Predicate::Nothing, elsewhere.clone()]), Some(Reason::Region)),
            (or(vec![Predicate::Exists("a".into()), elsewhere.clone()]), None),
            (Predicate::Not(Box::new(account.clone())), None),
            (compare("awsRegion", Comparison::Ne, "eu-west-1"), None),
            (compare("recipientAccountId", Comparison::Gt, "2"), None),
            (is("awsRegion", "us-*"), None),
            (is("recipientAccountId", "4444*"), None),
            // The caller's account, and events of global services, may be in files of another
            // account or region.
            (is("aws_account_id", "444455556666"), None),
            (is("awsRegion", "us-east-1"), None),
            (Predicate::Nothing, Some(Reason::Account)),
            (among("recipientAccountId", "44445555665"), Some(Reason::Account)),
            (among("recipientAccountId", "11112222333"), None),
            (among("awsRegion", "us-east-"), None),
            (rows("44445555665"), Some(Reason::Account)),
            (rows("11112222333"), None),
        ] {
            assert_eq!(Wanted::of(&predicate).rules_out(&here), reason, "{predicate:?}");
        }
        let digest = path("111122223333", "CloudTrail-Digest", "eu-west-1");
        assert_eq!(
            Wanted::default()
                .rules_out(&digest.replace("_2026", "_trail_x-1_2026").replace("_abc", "")),
            Some(Reason::Digest)
        );
    }

    #[test]
    fn a_union_contains_its_parts() {
        let early = Wanted::in_time(TimeBounds { earliest: Some(1.0), latest: Some(2.0) });
        let late = Wanted::in_time(TimeBounds { earliest: Some(5.0), latest: None });
        let both = early.clone().union(late);
        assert_eq!(both.time, TimeBounds { earliest: Some(1.0), latest: None });
        assert_eq!(Wanted::nothing().union(early.clone()), early);
        // A search that can match nothing does not widen the bounds of another search.
        let never = Wanted::of(&between(Some(2.0), Some(1.0)));
        assert_eq!(never.union(early.clone()), early);
    }
}
