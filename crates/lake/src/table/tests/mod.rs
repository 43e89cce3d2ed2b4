//! Tests of the table of events.

use std::collections::BTreeMap;

use super::*;

/// 2026-11-29T12:00:00Z in microseconds.
const NOON: i64 = 1_795_953_600_000_000;

fn rows(events: &[(&str, Option<i64>, &str)]) -> RecordBatch {
    let mut builder = RowsBuilder::new();
    for (index, time, raw) in events {
        let mut leads = [None; LEADS.len()];
        leads[0] = Some("GetObject");
        let row =
            EventRow { index, time: *time, leads, raw: raw.as_bytes(), ..EventRow::default() };
        builder.push(&row).unwrap();
    }
    assert_eq!(builder.len(), events.len());
    builder.finish()
}

/// Returns the number of files in each folder of the table.
fn folders(table: &EventTable) -> Vec<String> {
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for file in table.files().unwrap() {
        assert_eq!(file.path.metadata().unwrap().len(), file.bytes);
        let folder = file.path.parent().unwrap().strip_prefix(&table.folder).unwrap();
        *found.entry(folder.display().to_string()).or_default() += 1;
    }
    found.into_iter().map(|(folder, files)| format!("{folder} {files}")).collect()
}

#[tokio::test]
async fn events_are_in_folders_by_index_and_day() {
    let folder = tempfile::tempdir().unwrap();
    let mut table = EventTable::open(&folder.path().join("events")).await.unwrap();
    assert_eq!((table.last_number().await.unwrap(), folders(&table)), (0, Vec::new()));
    let next_day = NOON + 86_400_000_000;
    let batch = rows(&[
        ("main", Some(NOON), "a"),
        ("main", Some(next_day), "b"),
        ("main", Some(NOON + 1), "c"),
        ("a/b =é", Some(-1), "d"),
        ("main", None, "e"),
        ("main", Some(i64::MAX), "f"),
    ]);
    assert_eq!(table.append(&[batch], 3).await.unwrap(), Added::Now);
    let found = folders(&table);
    assert_eq!(found.len(), 4, "{found:?}");
    for (at, expected) in [
        (1, "index=main/day=2026-11-29 1"),
        (2, "index=main/day=2026-11-30 1"),
        (3, "index=main/day=none 1"),
    ] {
        assert_eq!(found[at], expected);
    }
    // It is the same table when it is opened again.
    let again = EventTable::open(&folder.path().join("events")).await.unwrap();
    assert_eq!((again.last_number().await.unwrap(), folders(&again)), (3, found));
}

#[tokio::test]
async fn batches_come_in_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut one = EventTable::open(folder.path()).await.unwrap();
    let mut other = EventTable::open(folder.path()).await.unwrap();
    let batch = [rows(&[("main", Some(NOON), "a")])];
    assert_eq!(one.append(&batch, 5).await.unwrap(), Added::Now);
    // Another process does not know yet that it was done.
    assert_eq!(other.append(&batch, 5).await.unwrap(), Added::Before);
    assert_eq!(one.append(&batch, 4).await.unwrap(), Added::Before);
    assert_eq!(other.append(&batch, 6).await.unwrap(), Added::Now);
    one.refresh().await.unwrap();
    assert_eq!((one.last_number().await.unwrap(), one.files().unwrap().len()), (6, 2));
}

/// Of several processes that move the same batches at the same time, one adds them.
#[tokio::test]
async fn of_several_at_a_time_one_adds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t");
    for number in 1..=5 {
        let add = || async {
            let mut table = EventTable::open(&path).await.unwrap();
            table.append(&[rows(&[("main", Some(NOON), "a")])], number).await.unwrap()
        };
        let (one, two, three, four) = tokio::join!(add(), add(), add(), add());
        let now = [one, two, three, four].into_iter().filter(|added| *added == Added::Now).count();
        assert_eq!(now, 1, "{number}");
        let table = EventTable::open(&path).await.unwrap();
        let files = table.files().unwrap().len();
        assert_eq!((table.last_number().await.unwrap(), files as u64), (number, number));
    }
}

#[tokio::test]
async fn folders_that_cannot_be_used_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = EventTable::open(&file).await.unwrap_err();
    assert!(matches!(error, TableError::Folder { .. }), "{error}");
    let path = folder.path().join("t");
    assert!(EventTable::find(&path).await.unwrap().is_none());
    assert!(EventTable::find(folder.path()).await.unwrap().is_none());
    EventTable::open(&path).await.unwrap();
    assert!(EventTable::find(&path).await.unwrap().is_some());
    std::fs::write(path.join("_delta_log/00000000000000000000.json"), "{").unwrap();
    let error = EventTable::open(&path).await.unwrap_err();
    assert!(matches!(error, TableError::Table(_)), "{error}");
}
