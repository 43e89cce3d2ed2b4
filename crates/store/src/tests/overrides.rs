//! Overrides of schedules, and how a server notices them.

use spilltrail_schedule::Moment;

use super::{file, finding, finish, spec, store};
use crate::*;

#[test]
fn overrides_are_set_and_cleared() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = Desk::open(&file(&folder)).unwrap();
    let off = Override { is_enabled: Some(false), reason: "noisy".into(), ..Override::default() };
    let often = Override {
        cron: Some("*/5 * * * *".into()),
        earliest: Some("-10m@m".into()),
        latest: Some("-5m@m".into()),
        window: Some("auto".into()),
        ..Override::default()
    };
    for (detection, set, who, time) in
        [("b", &off, "ann", 1), ("a", &off, "ann", 2), ("b", &often, "bob", 3)]
    {
        desk.set_override(detection, set, who, Moment(time)).unwrap();
    }
    let stored = |detection: &str, set: &Override, who: &str, time| StoredOverride {
        detection: detection.into(),
        set: set.clone(),
        who: who.into(),
        time: Moment(time),
    };
    // The second one replaces the first as a whole.
    let expected = [stored("a", &off, "ann", 2), stored("b", &often, "bob", 3)];
    assert_eq!(desk.reader().overrides().unwrap(), expected);
    assert!(desk.clear_override("b").unwrap());
    assert!(!desk.clear_override("b").unwrap());
    assert_eq!(desk.reader().overrides().unwrap(), expected[..1]);
    assert_eq!(desk.reader().changed().unwrap().overrides, 4);
}

#[test]
fn overrides_make_schedules_or_are_refused() {
    let text = |text: &str| Some(text.to_owned());
    let apply = |set: &Override| {
        set.applied_to(&spec(), Moment(0)).map(|schedule| {
            let spec = schedule.spec();
            format!("{} {} {} {}", spec.cron, spec.earliest, spec.latest, spec.window)
        })
    };
    let stated = "0 * * * * -70m@m -10m@m";
    for (set, expected) in [
        (Override::default(), format!("{stated} 5")),
        (Override { is_enabled: Some(false), ..Override::default() }, format!("{stated} 5")),
        (Override { window: text("auto"), ..Override::default() }, format!("{stated} auto")),
        (Override { window: text("0"), ..Override::default() }, format!("{stated} none")),
        (Override { window: text(""), ..Override::default() }, format!("{stated} none")),
        (Override { latest: text(""), ..Override::default() }, "0 * * * * -70m@m  5".to_owned()),
        // A gap may be meant.
        (
            Override { cron: text("0 6 * * *"), window: text("59"), ..Override::default() },
            "0 6 * * * -70m@m -10m@m 59".to_owned(),
        ),
    ] {
        assert_eq!(apply(&set), Ok(expected), "{set:?}");
    }
    let long = "x".repeat(1001);
    for (set, expected) in [
        (Override { cron: text("never"), ..Override::default() }, "`never` is not a schedule"),
        (Override { cron: text(""), ..Override::default() }, "`` is not a schedule"),
        (Override { earliest: text("soon"), ..Override::default() }, "earliest: `soon` is not"),
        (Override { earliest: text(""), ..Override::default() }, "`earliest` is empty"),
        (Override { window: text("-1"), ..Override::default() }, "`-1` is no window: expected"),
        (Override { window: text("10081"), ..Override::default() }, "`10081` is no window"),
        (Override { window: text("60"), ..Override::default() }, "the window of 60 minutes is"),
        (Override { cron: text("0 0 31 2 *"), ..Override::default() }, "the schedule `0 0 31"),
        (Override { latest: text("+1h"), ..Override::default() }, "the run of 1970-01-01T01"),
        (Override { latest: text("-2h"), ..Override::default() }, "the run of 1970-01-01T01"),
        (Override { cron: Some(long), ..Override::default() }, "the cron has 1001 bytes: expected"),
    ] {
        let error = apply(&set).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{set:?}: {error}");
        if let OverrideError::Unsound(concern) = &error {
            assert!(error.to_string().ends_with(concern.help()), "{error}");
        }
    }
}

#[test]
fn a_server_notices_what_users_change() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    let mut desk = Desk::open(&file(&folder)).unwrap();
    let before = store.reader().changed().unwrap();
    finish(&mut store, 3600, 1, &[finding("x", "1")]);
    assert_eq!(store.reader().changed().unwrap(), before, "its own runs are no changes");
    desk.set_override("a", &Override::default(), "ann", Moment(1)).unwrap();
    desk.add_allow(&AllowRule::default(), Moment(1)).unwrap();
    let note = Change { comment: Some("seen".into()), ..Change::default() };
    desk.change(&["x"], &note, "ann", Moment(1)).unwrap();
    let expected = DeskChanges { triage: 1, allow: 1, overrides: 1 };
    assert_eq!(store.reader().changed().unwrap(), expected);
}
