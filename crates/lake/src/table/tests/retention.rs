//! Old events leave the table, and files the disk.

use jiff::civil::date;

use super::*;

/// An event that arrived at a time.
fn received(index: &str, received: i64) -> RecordBatch {
    let mut builder = RowsBuilder::new();
    builder.push(&EventRow { index, received, raw: "r".into(), ..EventRow::default() }).unwrap();
    builder.finish()
}

/// Returns what is in the table: indexes and days.
fn days(table: &EventTable) -> Vec<String> {
    let files = table.files().unwrap();
    let mut days: Vec<String> = files
        .iter()
        .map(|file| format!("{} {}", file.index, file.day.map_or("none".into(), |d| d.to_string())))
        .collect();
    days.sort_unstable();
    days
}

#[tokio::test]
async fn days_before_one_are_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let mut table = EventTable::open(folder.path()).await.unwrap();
    let midnight = NOON - DAY / 2;
    let events = [
        ("a'b", Some(NOON - DAY), "1"),
        ("a'b", Some(midnight - 1), "2"),
        ("a'b", Some(midnight), "3"),
        ("b", Some(NOON - DAY), "4"),
    ];
    let batches = [rows(&events), received("b", NOON - DAY)];
    table.append(&batches, 1).await.unwrap();
    table.append(&[received("a'b", midnight - 1_000)], 2).await.unwrap();
    // One of the events of this file arrived on the day itself.
    table.append(&[received("a'b", midnight - 1_000), received("a'b", midnight)], 3).await.unwrap();
    let day = date(2026, 11, 29);
    let old: Vec<TableFile> = table.files().unwrap();
    assert_eq!(
        days(&table),
        ["a'b 2026-11-28", "a'b 2026-11-29", "a'b none", "a'b none", "b 2026-11-28", "b none"]
    );
    let dropped = table.drop_before("a'b", day).await.unwrap();
    assert_eq!((dropped.files, dropped.rows), (2, 3));
    let left = ["a'b 2026-11-29", "a'b none", "b 2026-11-28", "b none"];
    assert_eq!(days(&table), left);
    assert_eq!(table.last_number().await.unwrap(), 3);
    // There is nothing more, and no commit for it.
    let version = table.table.version();
    assert_eq!(table.drop_before("a'b", day).await.unwrap(), Dropped::default());
    assert_eq!(table.drop_before("unknown", day).await.unwrap(), Dropped::default());
    assert_eq!(table.table.version(), version);
    // The files stay for those who opened the table before.
    assert!(old.iter().all(|file| is_there(&file.path)));
    assert_eq!(table.vacuum(earlier()).await.unwrap(), Vacuumed::default());
    assert!(old.iter().all(|file| is_there(&file.path)));
    let vacuumed = table.vacuum(later()).await.unwrap();
    assert_eq!(vacuumed, Vacuumed { files: 2, bytes: dropped.bytes });
    let again = EventTable::find(folder.path()).await.unwrap().unwrap();
    assert_eq!(days(&again), left);
    assert!(again.files().unwrap().iter().all(|file| is_there(&file.path)));
    assert_eq!(old.iter().filter(|file| is_there(&file.path)).count(), 4);
}

/// What a process leaves that is killed while it writes files is deleted once it is old.
#[tokio::test]
async fn files_that_no_commit_names_are_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let mut table = EventTable::open(folder.path()).await.unwrap();
    table.append(&[rows(&[("a", Some(NOON), "1")])], 1).await.unwrap();
    let day = table.folder.join("index=a/day=2026-11-29");
    let whole = day.join("part-00000-0.parquet");
    let half = day.join("part-00000-1.parquet#1");
    let of_log = table.folder.join("_delta_log/00000000000000000009.json#12");
    let of_others = day.join("notes#1");
    for path in [&whole, &half, &of_log, &of_others] {
        std::fs::write(path, "xyz").unwrap();
    }
    let vacuumed = table.vacuum(earlier()).await.unwrap();
    assert_eq!(vacuumed, Vacuumed::default());
    assert!(is_there(&whole) && is_there(&half) && is_there(&of_log));
    let vacuumed = table.vacuum(later()).await.unwrap();
    assert!([&whole, &half, &of_log].iter().all(|path| !is_there(path)), "{vacuumed:?}");
    assert!(is_there(&of_others));
    let files = table.files().unwrap();
    assert!(files.len() == 1 && is_there(&files[0].path));
}
