//! Holds rows back that are about the same as rows which were reported a short time ago.
//!
//! As Splunk's `alert.suppress` with `alert.digest_mode = 1`: a row is held back if a run before this
//! one reported a row with the same values of the fields, and the period since then has not passed.
//! Rows of one run do not hold each other back. Without fields, all rows count as the same.
//!
//! Time is the nominal time of runs, never the clock's. A run that catches up, or runs again because
//! events were late, therefore gives the answer that it would have given in time: it looks only at what
//! runs with earlier nominal times reported, and not at what it reported itself. If it reports something
//! else than before, what later runs held back or reported no longer holds, and these run again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::moment::Moment;

/// The most reports that a state has; beyond that it forgets the oldest.
pub const MOST_REPORTS: usize = 100_000;

/// How long a state keeps reports beyond the period, in seconds: a week, so that runs that run again
/// find those before them.
pub const KEPT: i64 = 7 * 86_400;

/// The longest period in seconds: ten years.
const LONGEST: i64 = 10 * 366 * 86_400;

/// What is throttled, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Throttle {
    /// The fields whose values make rows the same; empty for all rows.
    pub fields: Vec<String>,
    /// The period in seconds.
    pub period: i64,
}

/// The error for a text that is no period.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a period: expected a number and `s`, `m`, `h` or `d`, such as `24h`")]
pub struct PeriodError {
    /// The text.
    pub text: String,
}

/// What the values of a row in the fields of a throttle are, as a hash.
///
/// A hash, because values can be as long as a sender of events likes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ThrottleKey(String);

/// What is decided about a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is reported.
    Report,
    /// It is held back.
    HoldBack {
        /// The nominal time of the run that reported the same.
        reported: Moment,
        /// The moment from which on the same would be reported again.
        until: Moment,
    },
}

/// What was reported when. Store it in the transaction that stores the findings of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThrottleState {
    /// The nominal times of the runs that reported each key, in order.
    reports: BTreeMap<ThrottleKey, Vec<Moment>>,
    /// The newest nominal time of a run.
    newest: Moment,
    /// How many reports were forgotten because there were too many: the same may have been reported
    /// again too soon, but nothing was held back that should not be.
    #[serde(default)]
    pub forgotten: u64,
    /// The runs that are to run again, in their order, because one before them reports something else
    /// than it did. Whoever has run them clears it.
    #[serde(default)]
    pub disturbed: Option<Disturbed>,
}

impl ThrottleState {
    /// Forgets what is after a moment, as if nothing had run since.
    pub fn cut(&mut self, moment: Moment) {
        for reports in self.reports.values_mut() {
            reports.retain(|report| *report <= moment);
        }
        self.reports.retain(|_, reports| !reports.is_empty());
        self.newest = self.newest.min(moment);
        self.disturbed = self.disturbed.filter(|disturbed| disturbed.after <= moment);
    }
}

/// Runs whose answers no longer hold: those after one nominal time, up to another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disturbed {
    /// The nominal time of the last run before them.
    pub after: Moment,
    /// The last nominal time.
    pub to: Moment,
}

impl Throttle {
    /// Reads the fields and the period of a detection: `throttling` in published content, or
    /// `alert.suppress.fields` and `alert.suppress.period`.
    ///
    /// # Errors
    /// Fails if the period is none, or longer than ten years.
    pub fn new(fields: Vec<String>, period: &str) -> Result<Self, PeriodError> {
        let error = || PeriodError { text: period.to_owned() };
        let text = period.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(error)?;
        let unit = match &text[digits..] {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return Err(error()),
        };
        let number = text[..digits].parse::<i64>().ok().and_then(|number| number.checked_mul(unit));
        let period = number.filter(|period| (1..=LONGEST).contains(period)).ok_or_else(error)?;
        Ok(Self { fields, period })
    }

    /// Returns the key of a row, given the values of its fields in the order of
    /// [`fields`](Self::fields); `None` for a field that the row does not have, which is not the same as
    /// an empty value. A multivalue has several values.
    #[must_use]
    pub fn key<'a>(&self, values: impl IntoIterator<Item = Option<&'a [&'a str]>>) -> ThrottleKey {
        let mut hash = Sha256::new();
        // Lengths keep values apart whose texts would run together.
        for values in values {
            let Some(values) = values else {
                hash.update(u64::MAX.to_be_bytes());
                continue;
            };
            hash.update((values.len() as u64).to_be_bytes());
            for value in values {
                hash.update((value.len() as u64).to_be_bytes());
                hash.update(value.as_bytes());
            }
        }
        let mut text = String::with_capacity(32);
        for byte in hash.finalize().iter().take(16) {
            // Writing to a text never fails.
            let _ = write!(text, "{byte:02x}");
        }
        ThrottleKey(text)
    }

    /// Decides about the rows of a run, and takes note of what it reports. If the run ran before, this
    /// replaces what it reported then, and later runs may have to run again:
    /// [`disturbed`](ThrottleState::disturbed) says which.
    pub fn decide(
        &self,
        state: &mut ThrottleState,
        nominal: Moment,
        rows: &[ThrottleKey],
    ) -> Vec<Verdict> {
        self.decide_again(state, nominal, rows, false)
    }

    /// Does what [`decide`](Self::decide) does for a run that may lack rows which it had when it ran
    /// before: what it reported then stays reported.
    pub fn decide_partly(
        &self,
        state: &mut ThrottleState,
        nominal: Moment,
        rows: &[ThrottleKey],
    ) -> Vec<Verdict> {
        self.decide_again(state, nominal, rows, true)
    }

    /// Decides about the rows of a run. What it reported before stays reported if `keeps` says so.
    fn decide_again(
        &self,
        state: &mut ThrottleState,
        nominal: Moment,
        rows: &[ThrottleKey],
        keeps: bool,
    ) -> Vec<Verdict> {
        let verdicts = rows.iter().map(|key| self.verdict(state, nominal, key)).collect::<Vec<_>>();
        // Only a run that ran before has reported anything, and only then is there something to disturb.
        let ran = state.newest >= nominal;
        let before = if ran { state.reported(nominal) } else { BTreeSet::new() };
        if ran && !keeps {
            state.retract(nominal);
        }
        for (key, verdict) in rows.iter().zip(&verdicts) {
            if *verdict == Verdict::Report {
                state.report(key, nominal);
            }
        }
        if state.newest > nominal && state.reported(nominal) != before {
            state.disturb(nominal, nominal.plus(self.period));
        }
        state.newest = state.newest.max(nominal);
        state.expire(state.newest.plus(-(self.period.saturating_add(KEPT))));
        verdicts
    }

    fn verdict(&self, state: &ThrottleState, nominal: Moment, key: &ThrottleKey) -> Verdict {
        let reports = state.reports.get(key).map_or(&[][..], Vec::as_slice);
        let earlier = reports.partition_point(|reported| *reported < nominal);
        match reports[..earlier].last() {
            Some(&reported) if reported.plus(self.period) > nominal => {
                Verdict::HoldBack { reported, until: reported.plus(self.period) }
            }
            _ => Verdict::Report,
        }
    }
}

impl ThrottleState {
    /// Returns how many reports it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.reports.values().map(Vec::len).sum()
    }

    /// Returns whether it has no report.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reports.is_empty()
    }

    /// Returns what a run reported.
    fn reported(&self, nominal: Moment) -> BTreeSet<ThrottleKey> {
        let has = |reports: &Vec<Moment>| reports.binary_search(&nominal).is_ok();
        self.reports.iter().filter(|(_, of)| has(of)).map(|(key, _)| key.clone()).collect()
    }

    /// Lets the runs after one run again.
    fn disturb(&mut self, after: Moment, to: Moment) {
        let before = self.disturbed.unwrap_or(Disturbed { after, to });
        let (after, to) = (before.after.min(after), before.to.max(to));
        self.disturbed = Some(Disturbed { after, to });
    }

    fn report(&mut self, key: &ThrottleKey, nominal: Moment) {
        let reports = self.reports.entry(key.clone()).or_default();
        if let Err(index) = reports.binary_search(&nominal) {
            reports.insert(index, nominal);
        }
    }

    /// Forgets what a run reported before.
    fn retract(&mut self, nominal: Moment) {
        self.reports.retain(|_, reports| {
            if let Ok(index) = reports.binary_search(&nominal) {
                reports.remove(index);
            }
            !reports.is_empty()
        });
    }

    /// Forgets reports up to a moment, and the oldest ones beyond [`MOST_REPORTS`].
    fn expire(&mut self, floor: Moment) {
        self.forget(floor);
        let count = self.len();
        if count <= MOST_REPORTS {
            return;
        }
        let mut all: Vec<Moment> = self.reports.values().flatten().copied().collect();
        let (_, floor, _) = all.select_nth_unstable(count - MOST_REPORTS - 1);
        let floor = *floor;
        self.forget(floor);
        self.forgotten = self.forgotten.saturating_add((count - self.len()) as u64);
    }

    fn forget(&mut self, floor: Moment) {
        self.reports.retain(|_, reports| {
            reports.drain(..reports.partition_point(|reported| *reported <= floor));
            !reports.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3600;

    fn throttle(period: &str) -> Throttle {
        Throttle::new(vec!["user".to_owned()], period).unwrap()
    }

    fn key(throttle: &Throttle, value: &str) -> ThrottleKey {
        throttle.key([Some(&[value][..])])
    }

    /// Runs at an hour over rows of these users, and returns which are reported.
    fn run(throttle: &Throttle, state: &mut ThrottleState, hour: i64, users: &[&str]) -> Vec<bool> {
        let rows: Vec<ThrottleKey> = users.iter().map(|user| key(throttle, user)).collect();
        let verdicts = throttle.decide(state, Moment(hour * HOUR), &rows);
        verdicts.into_iter().map(|verdict| verdict == Verdict::Report).collect()
    }

    /// After a clock that was far ahead, a throttle holds back as before. What was reported before the clock was
    /// wrong is forgotten, so that it is told once too often.
    #[test]
    fn what_is_cut_off_holds_nothing_back() {
        let throttle = throttle("3h");
        let mut state = ThrottleState::default();
        for (hour, users, reported) in
            [(1, &["ann"][..], &[true][..]), (9000, &["ann", "bob"], &[true, true])]
        {
            assert_eq!(run(&throttle, &mut state, hour, users), reported);
        }
        state.cut(Moment(HOUR));
        for (hour, reported) in [(2, true), (3, false), (4, false), (5, true)] {
            assert_eq!(run(&throttle, &mut state, hour, &["ann"]), [reported], "{hour}");
        }
    }

    #[test]
    fn periods() {
        for (text, expected) in [
            ("86400s", Some(86_400)),
            ("24h", Some(86_400)),
            ("5m", Some(300)),
            (" 1d ", Some(86_400)),
            ("0s", None),
            ("1", None),
            ("h", None),
            ("-1h", None),
            ("1w", None),
            ("1.5h", None),
            ("99999999999999999999s", None),
            ("99999999999d", None),
            ("", None),
        ] {
            let found = Throttle::new(vec![], text).ok().map(|throttle| throttle.period);
            assert_eq!(found, expected, "{text}");
        }
        assert_eq!(
            Throttle::new(vec![], "1w").unwrap_err().to_string(),
            "`1w` is not a period: expected a number and `s`, `m`, `h` or `d`, such as `24h`"
        );
    }

    #[test]
    fn the_same_is_held_back_until_the_period_is_over() {
        let throttle = throttle("3h");
        let mut state = ThrottleState::default();
        // Rows of one run do not hold each other back.
        assert_eq!(run(&throttle, &mut state, 0, &["a", "a", "b"]), [true, true, true]);
        assert_eq!(run(&throttle, &mut state, 1, &["a", "c"]), [false, true]);
        // What is held back does not begin the period anew.
        assert_eq!(run(&throttle, &mut state, 2, &["a"]), [false]);
        assert_eq!(run(&throttle, &mut state, 3, &["a", "b", "c"]), [true, true, false]);
        let verdict = throttle.decide(&mut state, Moment(4 * HOUR), &[key(&throttle, "a")]);
        let until = Moment(6 * HOUR);
        assert_eq!(verdict, [Verdict::HoldBack { reported: Moment(3 * HOUR), until }]);
    }

    #[test]
    fn a_run_that_runs_again_answers_the_same() {
        let throttle = throttle("3h");
        let mut state = ThrottleState::default();
        for hour in 0..6 {
            run(&throttle, &mut state, hour, &["a"]);
        }
        let before = state.clone();
        for (hour, expected) in [(0, true), (1, false), (3, true), (5, false), (0, true)] {
            assert_eq!(run(&throttle, &mut state, hour, &["a"]), [expected], "{hour}");
        }
        assert_eq!(state, before);
        // Late events add a finding, and it is held back or not as if they had been in time.
        assert_eq!(run(&throttle, &mut state, 4, &["a", "b"]), [false, true]);
        assert_eq!(run(&throttle, &mut state, 6, &["b"]), [false]);
        // What is no longer found holds nothing back.
        assert_eq!(run(&throttle, &mut state, 3, &[]), [false; 0]);
        assert_eq!(run(&throttle, &mut state, 4, &["a", "b"]), [true, true]);
    }

    #[test]
    fn keys_keep_values_apart() {
        let throttle = Throttle::new(vec!["x".into(), "y".into()], "1h").unwrap();
        let rows: [[Option<&[&str]>; 2]; 7] = [
            [Some(&["ab"]), Some(&["c"])],
            [Some(&["a"]), Some(&["bc"])],
            [Some(&["a", "b"]), Some(&["c"])],
            [Some(&[""]), Some(&["c"])],
            [Some(&[]), Some(&["c"])],
            [None, Some(&["c"])],
            [Some(&["c"]), None],
        ];
        let keys: std::collections::BTreeSet<ThrottleKey> =
            rows.into_iter().map(|row| throttle.key(row)).collect();
        assert_eq!(keys.len(), rows.len());
        // Without fields, all rows are the same.
        let all = Throttle::new(vec![], "1h").unwrap();
        assert_eq!(all.key([]), all.key([]));
    }

    #[test]
    fn what_is_over_leaves() {
        let throttle = throttle("1h");
        let mut state = ThrottleState::default();
        for hour in 0..5000 {
            run(&throttle, &mut state, hour, &[&hour.to_string(), "always"]);
        }
        let kept = (KEPT / HOUR + 1) as usize;
        assert_eq!((state.len(), state.forgotten), (2 * kept, 0));
    }

    #[test]
    fn reports_are_bounded() {
        let throttle = throttle("24h");
        let mut state = ThrottleState::default();
        let keys = |from: usize| -> Vec<ThrottleKey> {
            (from..from + 60_000).map(|user| key(&throttle, &user.to_string())).collect()
        };
        throttle.decide(&mut state, Moment(0), &keys(0));
        throttle.decide(&mut state, Moment(HOUR), &keys(100_000));
        assert_eq!((state.len(), state.forgotten), (60_000, 60_000));
        // Too many of one moment leave together: the same is reported again rather than held back.
        let verdicts = throttle.decide(&mut state, Moment(2 * HOUR), &keys(0));
        assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Report));
    }

    #[test]
    fn the_state_is_data() {
        let throttle = throttle("1h");
        let mut state = ThrottleState::default();
        run(&throttle, &mut state, 1, &["a"]);
        let text = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<ThrottleState>(&text).unwrap(), state);
    }

    #[test]
    fn a_run_that_lacks_rows_takes_no_report_back() {
        let throttle = throttle("3h");
        let mut state = ThrottleState::default();
        assert_eq!(run(&throttle, &mut state, 0, &["ann"]), [true]);
        assert_eq!(run(&throttle, &mut state, 1, &["ann"]), [false]);
        let rows = [key(&throttle, "bob")];
        let mut partly = state.clone();
        throttle.decide_partly(&mut partly, Moment(0), &rows);
        assert_eq!(run(&throttle, &mut partly, 1, &["ann", "bob"]), [false, false]);
        throttle.decide(&mut state, Moment(0), &rows);
        assert_eq!(run(&throttle, &mut state, 1, &["ann", "bob"]), [true, false]);
    }

    /// Runs that are repeated when an earlier one was, in their order, give what they give in order.
    #[test]
    fn disturbed_runs_lead_to_what_runs_in_order_give() {
        let throttle = throttle("3h");
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..500 {
            let hours = 8;
            let late = random.usize(..8);
            let mut users = |_: i64| -> Vec<&str> {
                ["ann", "bob"].into_iter().filter(|_| random.u8(..3) == 0).collect()
            };
            let first: Vec<Vec<&str>> = (0..hours).map(&mut users).collect();
            let mut last = first.clone();
            last[late] = users(0);
            let (mut state, mut in_order) = (ThrottleState::default(), ThrottleState::default());
            let all = |state: &mut ThrottleState, rows: &[Vec<&str>]| -> Vec<Vec<bool>> {
                let of = |hour: usize| run(&throttle, state, hour as i64, &rows[hour]);
                (0..rows.len()).map(of).collect()
            };
            let expected = all(&mut in_order, &last);
            let mut found = all(&mut state, &first);
            assert_eq!(state.disturbed, None);
            found[late] = run(&throttle, &mut state, late as i64, &last[late]);
            let mut next = state.disturbed.map_or(hours, |disturbed| disturbed.after.0 / HOUR + 1);
            while next < hours && state.disturbed.is_some_and(|it| next * HOUR <= it.to.0) {
                let index = usize::try_from(next).unwrap();
                found[index] = run(&throttle, &mut state, next, &last[index]);
                next += 1;
            }
            state.disturbed = None;
            assert_eq!(found, expected, "{first:?} {last:?}");
            assert_eq!(state, in_order);
        }
    }
}
