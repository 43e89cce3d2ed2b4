//! Tables of firings, and a slow second answer that walks minute by minute.

use std::collections::BTreeSet;

use jiff::civil::DateTime;
use jiff::{Timestamp, ToSpan as _};

use super::*;

fn moment(text: &str) -> Moment {
    text.parse::<Timestamp>().unwrap().into()
}

/// Returns firings after a moment, in local time with offset.
fn firings(cron: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let (cron, zone) = (Cron::parse(cron).unwrap(), zone_of(zone).unwrap());
    let mut at = moment(after);
    let mut found = Vec::new();
    while let Some(next) = cron.next(at, &zone).filter(|_| found.len() < count) {
        // What comes before the next firing is the last one, if that is one.
        if !found.is_empty() {
            assert_eq!(cron.previous(next, &zone), Some(at));
        }
        let local = next.timestamp().unwrap().to_zoned(zone.clone());
        found.push(local.strftime("%m-%d %H:%M %:z").to_string());
        at = next;
    }
    found
}

#[test]
fn ordinary_firings() {
    for (cron, after, expected) in [
        ("0 * * * *", "2026-11-29T12:00:00Z", ["11-29 13:00", "11-29 14:00"]),
        ("0 * * * *", "2026-11-29T12:00:01Z", ["11-29 13:00", "11-29 14:00"]),
        ("*/5 * * * *", "2026-11-29T12:54:59Z", ["11-29 12:55", "11-29 13:00"]),
        ("10-40/15,59 * * * *", "2026-11-29T12:25:00Z", ["11-29 12:40", "11-29 12:59"]),
        ("10 0 * * *", "2026-11-29T12:00:00Z", ["11-30 00:10", "12-01 00:10"]),
        ("0 0 * * 7", "2026-11-29T00:00:00Z", ["12-06 00:00", "12-13 00:00"]),
        ("0 0 * * 1-5", "2026-11-27T00:00:00Z", ["11-30 00:00", "12-01 00:00"]),
        // One of the fields of days is enough.
        ("0 0 13 * 5", "2026-11-12T12:00:00Z", ["11-13 00:00", "11-20 00:00"]),
        ("0 0 13 * 5", "2026-12-11T12:00:00Z", ["12-13 00:00", "12-18 00:00"]),
        ("0 0 29 2 *", "2026-11-29T00:00:00Z", ["02-29 00:00", "02-29 00:00"]),
        ("59 23 31 12 *", "2026-12-31T23:59:00Z", ["12-31 23:59", "12-31 23:59"]),
    ] {
        let found = firings(cron, "UTC", after, 2);
        assert_eq!(found, expected.map(|local| format!("{local} +00:00")), "{cron} {after}");
    }
}

/// The firings around each change of clocks, of times of a day and of rhythms.
#[test]
fn changes_of_clocks() {
    let berlin = ("Europe/Berlin", "2026-03-29T00:00:00Z", "2026-10-24T23:00:00Z");
    let new_york = ("America/New_York", "2026-03-08T06:00:00Z", "2026-11-01T04:30:00Z");
    let lord_howe = ("Australia/Lord_Howe", "2026-10-03T14:15:00Z", "2026-04-04T13:59:00Z");
    for (cron, (zone, forward, back), expected_forward, expected_back) in [
        (
            "30 2 * * *",
            berlin,
            ["03-29 03:00 +02:00", "03-30 02:30 +02:00"],
            ["10-25 02:30 +02:00", "10-26 02:30 +01:00"],
        ),
        (
            "*/30 2 * * *",
            berlin,
            ["03-29 03:00 +02:00", "03-30 02:00 +02:00"],
            ["10-25 02:00 +02:00", "10-25 02:30 +02:00"],
        ),
        // It fires together with the one that was skipped.
        (
            "0 2,3 * * *",
            berlin,
            ["03-29 03:00 +02:00", "03-30 02:00 +02:00"],
            ["10-25 02:00 +02:00", "10-25 03:00 +01:00"],
        ),
        (
            "0 * * * *",
            berlin,
            ["03-29 03:00 +02:00", "03-29 04:00 +02:00"],
            ["10-25 02:00 +02:00", "10-25 02:00 +01:00"],
        ),
        (
            "30 */2 * * *",
            berlin,
            ["03-29 04:30 +02:00", "03-29 06:30 +02:00"],
            ["10-25 02:30 +02:00", "10-25 02:30 +01:00"],
        ),
        (
            "15 2 * * *",
            new_york,
            ["03-08 03:00 -04:00", "03-09 02:15 -04:00"],
            ["11-01 02:15 -05:00", "11-02 02:15 -05:00"],
        ),
        (
            "45 1 * * *",
            new_york,
            ["03-08 01:45 -05:00", "03-09 01:45 -04:00"],
            ["11-01 01:45 -04:00", "11-02 01:45 -05:00"],
        ),
        (
            "45 * * * *",
            new_york,
            ["03-08 01:45 -05:00", "03-08 03:45 -04:00"],
            ["11-01 00:45 -04:00", "11-01 01:45 -04:00"],
        ),
        // Half an hour is skipped, and repeated.
        (
            "15 2 * * *",
            lord_howe,
            ["10-04 02:30 +11:00", "10-05 02:15 +11:00"],
            ["04-05 02:15 +10:30", "04-06 02:15 +10:30"],
        ),
        (
            "0 * * * *",
            lord_howe,
            ["10-04 01:00 +10:30", "10-04 03:00 +11:00"],
            ["04-05 01:00 +11:00", "04-05 02:00 +10:30"],
        ),
        (
            "45 1 * * *",
            lord_howe,
            ["10-04 01:45 +10:30", "10-05 01:45 +11:00"],
            ["04-05 01:45 +11:00", "04-06 01:45 +10:30"],
        ),
        (
            "15,45 */1 * * *",
            lord_howe,
            ["10-04 01:15 +10:30", "10-04 01:45 +10:30"],
            ["04-05 01:15 +11:00", "04-05 01:45 +11:00"],
        ),
    ] {
        assert_eq!(firings(cron, zone, forward, 2), expected_forward, "{cron} {zone} forward");
        assert_eq!(firings(cron, zone, back, 2), expected_back, "{cron} {zone} back");
    }
    let twice = ["04-05 01:45 +11:00", "04-05 01:45 +10:30"];
    assert_eq!(firings("45 */1 * * *", "Australia/Lord_Howe", "2026-04-04T14:00:00Z", 2), twice);
    let kolkata = ["11-30 05:30 +05:30", "12-01 05:30 +05:30"];
    assert_eq!(firings("30 5 * * *", "Asia/Kolkata", "2026-11-29T12:00:00Z", 2), kolkata);
}

/// Expands a field by its meaning, apart from the code that is tested.
fn values(field: &str, least: u32, most: u32) -> BTreeSet<u32> {
    let mut all = BTreeSet::new();
    for piece in field.split(',') {
        let (range, step) = piece.split_once('/').unwrap_or((piece, "1"));
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (first.parse().unwrap(), last.parse().unwrap()),
            None if range == "*" => (least, most),
            None => (range.parse().unwrap(), range.parse().unwrap()),
        };
        all.extend((first..=last).step_by(step.parse().unwrap()));
    }
    all
}

/// An expression as the values of its fields.
struct Expanded<'a> {
    fields: Vec<&'a str>,
    values: Vec<BTreeSet<u32>>,
}

impl<'a> Expanded<'a> {
    fn new(cron: &'a str) -> Self {
        let fields: Vec<&str> = cron.split(' ').collect();
        let ranges = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)];
        let values =
            fields.iter().zip(ranges).map(|(field, (least, most))| values(field, least, most));
        let values = values.collect();
        Self { fields, values }
    }

    fn matches(&self, local: DateTime) -> bool {
        let has = |index: usize, value: i8| self.values[index].contains(&(value as u32));
        let weekday = local.weekday().to_sunday_zero_offset();
        let of_week = has(4, weekday) || (weekday == 0 && has(4, 7));
        let of_month = has(2, local.day());
        let day = match (self.fields[2], self.fields[4]) {
            ("*", _) => of_week,
            (_, "*") => of_month,
            _ => of_week || of_month,
        };
        day && has(0, local.minute()) && has(1, local.hour()) && has(3, local.month())
    }
}

/// Returns all firings within some days, by looking at the clock each minute.
fn watched(cron: &str, zone: &TimeZone, from: Timestamp, minutes: i64) -> Vec<Moment> {
    let is_rhythm = cron.split(' ').nth(1).unwrap().contains(['*', '/']);
    let expanded = Expanded::new(cron);
    let mut found = Vec::new();
    let mut latest = zone.to_datetime(from - 1.minute());
    for minute in 0..minutes {
        let at = from + minute.minutes();
        let shown = zone.to_datetime(at);
        if is_rhythm {
            found.extend(expanded.matches(shown).then(|| Moment::from(at)));
            continue;
        }
        // Times of a day fire when the clock shows them, or a later one, for the first time.
        let mut fires = false;
        while latest < shown {
            latest += 1.minute();
            fires |= expanded.matches(latest);
        }
        found.extend(fires.then(|| Moment::from(at)));
    }
    found
}

#[test]
fn the_clock_agrees() {
    let mut random = fastrand::Rng::with_seed(7);
    let zones = [
        ("Europe/Berlin", ["2026-03-28T00:00:00Z", "2026-10-24T00:00:00Z"]),
        ("America/New_York", ["2026-03-07T00:00:00Z", "2026-10-31T00:00:00Z"]),
        ("Australia/Lord_Howe", ["2026-10-03T00:00:00Z", "2026-04-04T00:00:00Z"]),
        // The zone skipped a whole day.
        ("Pacific/Apia", ["2011-12-29T00:00:00Z", "2012-03-31T00:00:00Z"]),
        ("Asia/Kolkata", ["2026-02-27T12:00:00Z", "2028-02-28T00:00:00Z"]),
        // Midnight is skipped.
        ("America/Asuncion", ["2023-09-30T12:00:00Z", "2024-03-23T12:00:00Z"]),
    ];
    let minutes = ["0", "*", "*/7", "5,35", "30-59/15", "59"];
    let hours = ["*", "*/2", "0", "1", "2", "2,3", "0-4", "1-23/5", "23", "0,12"];
    let days = [("*", "*"), ("*", "0"), ("*", "7"), ("28-31", "*"), ("1", "6"), ("30", "*")];
    for _ in 0..120 {
        let (zone_name, starts) = zones[random.usize(..zones.len())];
        let (of_month, of_week) = days[random.usize(..days.len())];
        let cron = format!(
            "{} {} {of_month} * {of_week}",
            minutes[random.usize(..minutes.len())],
            hours[random.usize(..hours.len())],
        );
        let zone = zone_of(zone_name).unwrap();
        let start: Timestamp = starts[random.usize(..2)].parse().unwrap();
        let expected = watched(&cron, &zone, start, 3 * 24 * 60);
        let parsed = Cron::parse(&cron).unwrap();
        let (from, to) = (Moment::from(start), Moment::from(start).plus(3 * 86_400));
        let forwards: Vec<Moment> =
            std::iter::successors(parsed.next(from.plus(-1), &zone), |at| parsed.next(*at, &zone))
                .take_while(|at| *at < to)
                .collect();
        assert_eq!(forwards, expected, "{cron} {zone_name} {start}");
        let mut backwards: Vec<Moment> =
            std::iter::successors(parsed.previous(to, &zone), |at| parsed.previous(*at, &zone))
                .take_while(|at| *at >= from)
                .collect();
        backwards.reverse();
        assert_eq!(backwards, expected, "backwards: {cron} {zone_name} {start}");
    }
}

#[test]
fn what_never_fires_has_no_next() {
    for cron in ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "* * 30-31 2 *"] {
        let cron = Cron::parse(cron).unwrap();
        assert_eq!(cron.next(Moment(0), &TimeZone::UTC), None);
        assert_eq!(cron.previous(Moment(0), &TimeZone::UTC), None);
    }
    // The day of the week is enough.
    assert!(Cron::parse("0 0 30 2 1").unwrap().next(Moment(0), &TimeZone::UTC).is_some());
    for at in [i64::MAX, i64::MIN, 253_402_207_200, -377_705_023_201] {
        for cron in ["0 0 1 1 *", "* * * * *"] {
            let cron = Cron::parse(cron).unwrap();
            let berlin = zone_of("Europe/Berlin").unwrap();
            let _ = (cron.next(Moment(at), &berlin), cron.previous(Moment(at), &berlin));
        }
    }
}

#[test]
fn mistakes_have_a_place_and_a_help() {
    for (text, place, reason, help) in [
        ("0 25 * * *", "25", "expected 0 to 23 for the hour, found `25`", "a field is `*`, `5`"),
        ("0 0 * * MON", "MON", "`MON` is a name, and the day of the week has to be", "write `1`"),
        ("0 0 * dec *", "dec", "`dec` is a name, and the month has to be a number", "write `12`"),
        ("0 0 * * mon-fri", "mon-fri", "`mon` is a name", "write `1`"),
        ("0 0 0 * * *", "*", "expected 5 fields, found 6", "neither seconds nor years"),
        ("0 0 * *", "0 0 * *", "expected 5 fields, found 4", "write `minute hour"),
        ("", "", "expected 5 fields, found 0", "write `minute hour"),
        ("@hourly", "@hourly", "`@hourly` is a nickname", "write `0 * * * *`"),
        (" 0,,5 * * * *", "", "expected 0 to 59 for the minute, found nothing", "a field is"),
        ("0/15 * * * *", "0/15", "`0/15` has a step, but no range", "write `0-59/15`"),
        ("*/90 * * * *", "*/90", "`90` is not a step for the minute: expected 1 to 59", "`*/5`"),
        ("*/0 * * * *", "*/0", "`0` is not a step", "write a step"),
        ("50-10 * * * *", "50-10", "goes from 50 down to 10", "write `50-59,0-10`"),
        ("0 0 L * *", "L", "expected 1 to 31 for the day of the month, found `L`", "a field is"),
        ("0 0 15W * *", "15W", "found `15W`", "a field is"),
        ("0 0 * * 5#2", "5#2", "found `5#2`", "a field is"),
        ("0 0 ? * 1", "?", "found `?`", "a field is"),
        ("0 0 +1 * *", "+1", "found `+1`", "a field is"),
        ("0 0 1 * 8", "8", "expected 0 to 7 for the day of the week, found `8`", "a field is"),
        ("ä ö ü * *", "ä", "found `ä`", "a field is"),
    ] {
        let error = Cron::parse(text).unwrap_err();
        assert!(error.reason.contains(reason), "{text}: {}", error.reason);
        assert!(error.help.contains(help), "{text}: {}", error.help);
        let found = text.get(error.from..error.to.min(text.len())).unwrap();
        assert!(found == place || place.is_empty(), "{text}: {found}");
    }
    let error = Cron::parse("0 25 * * *").unwrap_err();
    let expected = "`0 25 * * *` is not a schedule: expected 0 to 23 for the hour, found `25`";
    assert_eq!(error.to_string(), expected);
    assert!(Cron::parse(&"1,".repeat(10_000)).unwrap_err().text.len() < 100);
}

#[test]
fn zones_have_names() {
    assert!(zone_of("europe/berlin").is_ok());
    for (name, expected) in [
        ("Berlin", "there is no time zone `Berlin`; did you mean `Europe/Berlin`?"),
        ("US/new york", "there is no time zone `US/new york`; did you mean `America/New_York`?"),
        ("Mars/Olympus", "there is no time zone `Mars/Olympus`"),
    ] {
        assert_eq!(zone_of(name).unwrap_err().to_string(), expected);
    }
}
