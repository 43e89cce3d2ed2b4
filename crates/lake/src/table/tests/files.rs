//! What the log of the table knows of its files.

use std::fs::File;

use deltalake_core::arrow::array::{Array, AsArray};
use deltalake_core::arrow::datatypes::TimestampMicrosecondType;
use jiff::civil::date;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::*;

#[tokio::test]
async fn files_tell_what_a_reader_can_skip() {
    let folder = tempfile::tempdir().unwrap();
    let mut table = EventTable::open(folder.path()).await.unwrap();
    let (first, last) = (NOON + 1_234_567, NOON + 9_000_001);
    table
        .append(&[rows(&[("a", Some(last), "1"), ("a", Some(first), "2"), ("b", None, "3")])], 1)
        .await
        .unwrap();
    let mut files = table.files().unwrap();
    files.sort_by(|one, other| one.index.cmp(&other.index));
    let [a, b] = files.as_slice() else { panic!("{files:?}") };
    assert_eq!((a.index.as_str(), a.day, a.rows), ("a", Some(date(2026, 11, 29)), 2));
    // The log rounds to milliseconds; no event is outside.
    assert_eq!((a.min_time, a.max_time), (Some(NOON + 1_234_000), Some(NOON + 9_000_999)));
    assert_eq!((b.index.as_str(), b.day, b.rows), ("b", None, 1));
    assert_eq!((b.min_time, b.max_time), (None, None));
    assert!(a.bytes > 0 && a.path.metadata().unwrap().len() == a.bytes);
    assert!(a.max_received.is_some_and(|time| time >= 0));
    assert!(!a.has_fields && !b.has_fields);
    let mut builder = RowsBuilder::new();
    for fields in [None, Some("{\"region\":\"eu\"}")] {
        builder.push(&EventRow { index: "c", fields, ..EventRow::default() }).unwrap();
    }
    table.append([builder.finish()], 2).await.unwrap();
    let with_fields = |file: &TableFile| file.index == "c" && file.has_fields;
    assert!(table.files().unwrap().iter().any(with_fields));
}

/// The rows of a file are sorted, so that a search for a call reads little of it.
#[tokio::test]
async fn rows_of_a_file_are_sorted() {
    let folder = tempfile::tempdir().unwrap();
    let mut table = EventTable::open(folder.path()).await.unwrap();
    let mut builder = RowsBuilder::new();
    for (number, name) in ["Put", "Get", "Put", "Get", "List"].into_iter().enumerate() {
        let mut leads = [None; LEADS.len()];
        leads[0] = Some(name);
        let time = Some(NOON - number as i64);
        builder.push(&EventRow { index: "a", time, leads, ..EventRow::default() }).unwrap();
    }
    table.append([builder.finish()], 1).await.unwrap();
    let file = table.files().unwrap().pop().unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&file.path).unwrap());
    let rows = reader.unwrap().build().unwrap().next().unwrap().unwrap();
    let names = rows.column_by_name("eventName").unwrap().as_string::<i32>();
    let names: Vec<&str> = names.iter().flatten().collect();
    assert_eq!(names, ["Get", "Get", "List", "Put", "Put"]);
    let times = rows.column_by_name("_time").unwrap();
    let times = times.as_primitive::<TimestampMicrosecondType>().values();
    assert_eq!(times[..2], [NOON - 3, NOON - 1]);
}

/// Whatever an index is called, and whatever the time is, the table can be read afterwards.
#[tokio::test]
async fn any_index_and_any_time_can_be_stored() {
    let folder = tempfile::tempdir().unwrap();
    let mut table = EventTable::open(folder.path()).await.unwrap();
    let indexes = ["", "a/b =é", "100%", "%41", "..", "a'b", "x y", "#1"];
    let year = |year: i64| (year - 1970) * 31_556_952_000_000;
    let times =
        [i64::MIN, year(-290_000), year(-5), 0, year(9990), year(12_000), year(200_000), i64::MAX];
    let mut number = 0;
    for index in indexes.into_iter().chain(indexes) {
        number += 1;
        let events = times.map(|time| (index, Some(time), "e"));
        table.append(&[rows(&events)], number).await.unwrap();
    }
    let again = EventTable::find(folder.path()).await.unwrap().unwrap();
    for file in again.files().unwrap() {
        assert!(is_there(&file.path), "{}", file.path.display());
        assert_eq!(file.day.is_some(), file.min_time.is_some());
        // Where there is no day, there is no time.
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&file.path).unwrap());
        for batch in reader.unwrap().build().unwrap() {
            let nulls = batch.unwrap().column_by_name("_time").unwrap().null_count();
            assert_eq!(nulls as u64, if file.day.is_some() { 0 } else { file.rows });
        }
    }
    let mut expected = indexes;
    expected.sort_unstable();
    let found = again.indexes().unwrap();
    assert_eq!(found.iter().map(|one| one.index.as_str()).collect::<Vec<_>>(), expected);
    assert!(found.iter().all(|one| one.events == 2 * times.len() as u64), "{found:?}");
    // Each folder becomes one file.
    let how = Compaction { least_files: 2, ..Compaction::default() };
    while table.compact(&how).await.unwrap().is_some() {}
    let files = table.files().unwrap();
    assert_eq!(files.len(), indexes.len() * 3, "{files:?}");
    assert!(files.iter().all(|file| is_there(&file.path)));
    let compacted = table.indexes().unwrap();
    let events = |sizes: &[IndexSize]| sizes.iter().map(|one| one.events).collect::<Vec<_>>();
    assert_eq!(events(&compacted), events(&found));
}

#[tokio::test]
async fn indexes_are_counted_without_reading_files() {
    let folder = tempfile::tempdir().unwrap();
    let mut table = EventTable::open(folder.path()).await.unwrap();
    assert_eq!(table.indexes().unwrap(), []);
    let events = [
        ("a", Some(NOON), "1"),
        ("a", Some(NOON - DAY), "2"),
        ("b", None, "3"),
        ("a", Some(NOON + 5_000), "4"),
        ("a", None, "5"),
    ];
    table.append(&[rows(&events)], 1).await.unwrap();
    table.append(&[rows(&[("b", Some(7_000), "6")])], 2).await.unwrap();
    let files = table.files().unwrap();
    for file in &files {
        std::fs::remove_file(&file.path).unwrap();
    }
    let bytes = |index: &str| {
        files.iter().filter(|file| file.index == index).map(|file| file.bytes).sum::<u64>()
    };
    let a = IndexSize {
        index: "a".into(),
        files: 3,
        events: 4,
        bytes: bytes("a"),
        first_time: Some(NOON - DAY),
        last_time: Some(NOON + 5_000),
    };
    let b = IndexSize {
        index: "b".into(),
        files: 2,
        events: 2,
        bytes: bytes("b"),
        first_time: Some(7_000),
        last_time: Some(7_000),
    };
    assert_eq!(table.indexes().unwrap(), [a, b]);
}

/// Returns the files below a folder that are no logs.
fn parquet_below(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(parquet_below(&path));
        } else if path.extension().is_some_and(|end| end == "parquet") {
            found.push(path);
        }
    }
    found
}

/// A disk that is full must not fill up with parts of files.
#[tokio::test]
async fn files_that_are_not_ended_are_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let mut table = EventTable::open(folder.path()).await.unwrap();
    let rows = rows(&[("a", None, "x"), ("b", None, "y"), ("b", None, "z")]);
    let sorted = super::super::cluster::Sorted::of(vec![rows.clone()]).unwrap().unwrap();
    let mut files = super::super::writing::Files::of(&table);
    for places in sorted.folders().unwrap() {
        let of_rows = sorted.folder(places.start).unwrap();
        files.write(&sorted, places, of_rows).unwrap();
    }
    assert_eq!(parquet_below(folder.path()).len(), 2);
    drop(files);
    assert_eq!(parquet_below(folder.path()), Vec::<std::path::PathBuf>::new());
    table.append([rows], 1).await.unwrap();
    assert_eq!(parquet_below(folder.path()).len(), 2);
}

/// Whatever an index is called, its files are found again.
#[tokio::test]
async fn indexes_have_any_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut table = EventTable::open(folder.path()).await.unwrap();
    let names = ["", "_internal", "a b/c%20=é", "..", "a-b_c.d"];
    let rows = names.map(|index| {
        let mut builder = RowsBuilder::new();
        builder.push(&EventRow { index, ..EventRow::default() }).unwrap();
        builder.finish()
    });
    table.append(rows, 1).await.unwrap();
    for table in [table, EventTable::find(folder.path()).await.unwrap().unwrap()] {
        let files = table.files().unwrap();
        let mut found: Vec<&str> = files.iter().map(|file| file.index.as_str()).collect();
        found.sort_unstable();
        assert_eq!(found, ["", "..", "_internal", "a b/c%20=é", "a-b_c.d"]);
        assert!(files.iter().all(|file| file.path.metadata().unwrap().len() == file.bytes));
    }
}
