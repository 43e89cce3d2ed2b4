//! Overrides of schedules, and how a server notices them.

use spilltrail_schedule::Moment;

use super::{file, finding, finish, store};
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
