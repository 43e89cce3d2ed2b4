//! From local times that match to moments.
//!
//! `croner` is asked only for local times, without a zone. What the changes of clocks mean is decided
//! here: it would decide by the fields of minutes and hours together, and a rhythm within one hour,
//! such as `*/5 2 * * *`, would lose a day.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// Returns the first moment after `after` at which the clock shows a matching time.
pub(super) fn next_of_rhythm(
    pattern: &croner::Cron,
    after: Timestamp,
    zone: &TimeZone,
) -> Option<Timestamp> {
    let (mut from, mut inclusive) = (after, false);
    // Each round looks at the time with one offset, of which there are a few a year.
    loop {
        let offset = zone.to_offset(from);
        let local = offset.to_datetime(from);
        let local = pattern.find_next_occurrence(&local, inclusive).ok()?;
        let found = offset.to_timestamp(local).ok()?;
        match zone.following(from).next() {
            Some(change) if change.timestamp() <= found => {
                (from, inclusive) = (change.timestamp(), true);
            }
            _ => return Some(found),
        }
    }
}

/// Returns the last moment before `before` at which the clock shows a matching time.
pub(super) fn previous_of_rhythm(
    pattern: &croner::Cron,
    mut before: Timestamp,
    zone: &TimeZone,
) -> Option<Timestamp> {
    loop {
        let offset = zone.to_offset(second_before(before)?);
        let found = local_before(pattern, offset.to_datetime(before))?;
        let found = offset.to_timestamp(found).ok()?;
        match zone.preceding(before).next() {
            Some(change) if found < change.timestamp() => before = change.timestamp(),
            _ => return Some(found),
        }
    }
}

/// Returns the first moment after `after` that stands for a matching time of a day.
pub(super) fn next_of_day(
    pattern: &croner::Cron,
    after: Timestamp,
    zone: &TimeZone,
) -> Option<Timestamp> {
    let mut local = zone.to_datetime(after);
    // Later local times never stand for earlier moments. Those up to `after` are passed over: the ones
    // that are repeated, in their second hour.
    loop {
        local = pattern.find_next_occurrence(&local, false).ok()?;
        let found = once(local, zone)?;
        if found > after {
            return Some(found);
        }
    }
}

/// Returns the last moment before `before` that stands for a matching time of a day.
pub(super) fn previous_of_day(
    pattern: &croner::Cron,
    before: Timestamp,
    zone: &TimeZone,
) -> Option<Timestamp> {
    let mut local = zone.to_datetime(before);
    // If clocks have just been set back, they showed later times before.
    let at_or_before = before.checked_add(SignedDuration::from_secs(1)).ok()?;
    if let Some(change) = zone.preceding(at_or_before).next() {
        let old = zone.to_offset(second_before(change.timestamp())?);
        local = local.max(old.to_datetime(change.timestamp()));
    }
    loop {
        local = local_before(pattern, local)?;
        let found = once(local, zone)?;
        if found < before {
            return Some(found);
        }
    }
}

/// Returns the moment that stands for a local time: the first one if it is repeated, and the moment at
/// which the clock is set forward if it is skipped.
fn once(local: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(local).ok(),
        AmbiguousOffset::Fold { before, .. } => before.to_timestamp(local).ok(),
        AmbiguousOffset::Gap { before, .. } => {
            // With the old offset, the local time is at or after the change.
            let after = before.to_timestamp(local).ok()?;
            let after = after.checked_add(SignedDuration::from_secs(1)).ok()?;
            zone.preceding(after).next().map(|change| change.timestamp())
        }
    }
}

fn local_before(pattern: &croner::Cron, local: DateTime) -> Option<DateTime> {
    pattern.find_previous_occurrence(&local, false).ok()
}

fn second_before(timestamp: Timestamp) -> Option<Timestamp> {
    timestamp.checked_sub(SignedDuration::from_secs(1)).ok()
}
