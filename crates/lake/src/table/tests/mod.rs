//! Tests of the table of events.

mod compaction;
mod files;
mod retention;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use spilltrail_event::stored::LEADS;

use super::*;

/// 2026-11-29T12:00:00Z in microseconds.
const NOON: i64 = 1_795_953_600_000_000;

/// A day in microseconds.
const DAY: i64 = 86_400_000_000;

/// Returns rows of events: the index, the time and the text.
fn rows(events: &[(&str, Option<i64>, &str)]) -> RecordBatch {
    let mut builder = RowsBuilder::new();
    for (index, time, raw) in events {
        let mut leads = [None; LEADS.len()];
        leads[0] = Some("GetObject");
        let row = EventRow { index, time: *time, leads, raw: (*raw).into(), ..EventRow::default() };
        builder.push(&row).unwrap();
    }
    assert_eq!(builder.len(), events.len());
    builder.finish()
}

#[test]
fn a_text_that_is_not_utf8_can_be_read_and_keeps_its_bytes() {
    use deltalake_core::arrow::array::{Array, AsArray};

    let mut builder = RowsBuilder::new();
    for raw in [&b"caf\xc3\xa9"[..], b"caf\xe9 {", b""] {
        builder.push(&EventRow { index: "main", raw: raw.into(), ..EventRow::default() }).unwrap();
    }
    let rows = builder.finish();
    let texts = rows.column_by_name("_raw").unwrap().as_string_view();
    let texts: Vec<&str> = (0..3).map(|row| texts.value(row)).collect();
    assert_eq!(texts, ["caf\u{e9}", "caf\u{fffd} {", ""]);
    let bytes = rows.column_by_name("_raw_bytes").unwrap().as_binary_view();
    assert!(bytes.is_null(0) && bytes.is_null(2));
    assert_eq!(bytes.value(1), b"caf\xe9 {");
}

/// Rows that do not say where they belong are in no folder.
#[tokio::test]
async fn rows_without_a_folder_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut table = EventTable::open(folder.path()).await.unwrap();
    for name in rows::PARTITIONS {
        let mut batch = rows(&[("main", Some(NOON), "a")]);
        batch.remove_column(batch.schema().index_of(name).unwrap());
        let error = table.append([batch], 1).await.unwrap_err();
        assert!(matches!(error, TableError::Rows(_)), "{name}: {error}");
    }
    assert_eq!((table.last_number().await.unwrap(), folders(&table)), (0, Vec::new()));
}

/// A reader of the table reads rows that are no file of it.
#[tokio::test]
async fn rows_make_a_file_like_those_of_the_table() {
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder as Reader;

    let folder = tempfile::tempdir().unwrap();
    let mut table = EventTable::open(folder.path()).await.unwrap();
    let batch = rows(&[("main", Some(NOON), "an event with a text")]);
    let alone = folder.path().join("alone.parquet");
    std::fs::write(&alone, file_of(&batch).unwrap()).unwrap();
    table.append([batch], 1).await.unwrap();
    let read = |path: &Path| {
        let reader = Reader::try_new(std::fs::File::open(path).unwrap()).unwrap();
        let rows = reader.build().unwrap().next().unwrap().unwrap();
        let names = rows.schema();
        let names = names.fields().iter().map(|field| field.name().clone());
        names.zip(rows.columns().to_vec()).collect::<BTreeMap<_, _>>()
    };
    let mut found = read(&alone);
    // The folder says these of a file of the table.
    assert!(rows::PARTITIONS.iter().all(|name| found.remove(*name).is_some()));
    assert_eq!(found, read(&table.files().unwrap()[0].path));
}

/// Values that rows have in common are kept once, and come back in each.
#[test]
fn a_source_is_kept_once() {
    use deltalake_core::arrow::array::AsArray;

    let sources = ["s3://bucket/AWSLogs/1/CloudTrail/one.json.gz", "s3://bucket/two.json.gz"];
    let mut builder = RowsBuilder::new();
    for row in 0..1000 {
        let source = Some(sources[row / 400 % 2]);
        builder.push(&EventRow { source, ..EventRow::default() }).unwrap();
    }
    let rows = builder.finish();
    let column = rows.column_by_name("source").unwrap().as_string_view();
    let kept: usize = column.data_buffers().iter().map(|block| block.len()).sum();
    assert_eq!(kept, sources.concat().len());
    assert_eq!([0, 399, 400, 999].map(|row| column.value(row)), [0, 0, 1, 0].map(|at| sources[at]));
}

fn is_there(path: &Path) -> bool {
    path.try_exists().unwrap()
}

/// A moment an hour before the files of a test are written.
fn earlier() -> SystemTime {
    written() - Duration::from_hours(1)
}

/// A moment an hour after it.
fn later() -> SystemTime {
    written() + Duration::from_hours(1)
}

/// Returns when a file is written that is written now.
fn written() -> SystemTime {
    tempfile::tempfile().unwrap().metadata().unwrap().modified().unwrap()
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
    let next_day = NOON + DAY;
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
    assert_eq!(
        found[1..],
        ["index=main/day=2026-11-29 1", "index=main/day=2026-11-30 1", "index=main/day=none 1",]
    );
    // It is the same table when it is opened again.
    let again = EventTable::open(&folder.path().join("events")).await.unwrap();
    assert_eq!((again.last_number().await.unwrap(), folders(&again)), (3, found));
}

#[test]
fn a_builder_is_made_in_any_way() {
    for mut builder in [RowsBuilder::new(), RowsBuilder::default(), RowsBuilder::with_capacity(9)] {
        let mut leads = [None; LEADS.len()];
        leads[0] = Some("GetObject");
        builder
            .push(&EventRow { index: "main", raw: "a".into(), leads, ..EventRow::default() })
            .unwrap();
        assert_eq!(builder.finish(), rows(&[("main", None, "a")]));
    }
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

/// What was synced of the table since the last time, as paths in it.
fn synced(table: &EventTable) -> Vec<String> {
    let paths = std::mem::take(&mut *table.disk.synced.lock().unwrap());
    let inside = paths.iter().map(|path| path.strip_prefix(&table.folder).unwrap_or(path));
    inside.map(|path| path.display().to_string()).collect()
}

#[tokio::test]
async fn what_is_committed_is_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lake/events");
    let mut table = EventTable::open(&path).await.unwrap();
    let first = synced(&table);
    assert_eq!(first[..3], ["_delta_log/00000000000000000000.json", "_delta_log", ""]);
    // The folders above may be new, too.
    let above = [folder.path().join("lake"), folder.path().to_owned()];
    assert_eq!(first[3..5], above.map(|path| path.canonicalize().unwrap().display().to_string()));
    let batch = [rows(&[("main", Some(NOON), "a"), ("main", None, "b")])];
    table.append(&batch, 1).await.unwrap();
    let mut files: Vec<String> = Vec::new();
    for file in table.files().unwrap() {
        files.push(file.path.strip_prefix(&table.folder).unwrap().display().to_string());
    }
    let folders = ["index=main/day=none", "index=main/day=2026-11-29", "index=main", ""];
    let found = synced(&table);
    let at = |path: &str| found.iter().position(|one| one == path);
    let commit = at("_delta_log/00000000000000000001.json");
    for path in files.iter().map(String::as_str).chain(folders) {
        assert!(at(path).is_some() && at(path) < commit, "{path} in {found:?}");
    }
    assert!(found.iter().rposition(|one| one == "_delta_log") > commit);
    // Who finds that it was done by a process that may have been killed waits for the same.
    let mut other = EventTable::find(&path).await.unwrap().unwrap();
    assert_eq!(synced(&other), Vec::<String>::new());
    assert_eq!(other.append(&batch, 1).await.unwrap(), Added::Before);
    let found = synced(&other);
    for path in files.iter().map(String::as_str).chain(folders) {
        assert!(found.iter().any(|one| one == path), "{path} in {found:?}");
    }
    assert!(found.iter().any(|one| one == "_delta_log/00000000000000000001.json"), "{found:?}");
}

/// A file that could not be written is not taken for one that is on the disk because nobody is told twice.
#[tokio::test]
async fn a_commit_that_cannot_be_synced_is_written_anew() {
    let folder = tempfile::tempdir().unwrap();
    let mut table = EventTable::open(folder.path()).await.unwrap();
    let commit = table.folder.join("_delta_log/00000000000000000001.json");
    table.disk.failing.lock().unwrap().insert(commit.clone());
    // Its place is taken, so that a copy cannot be made.
    let mut copy = commit.clone().into_os_string();
    copy.push(format!("#{}", std::process::id()));
    std::fs::create_dir(&copy).unwrap();
    let batch = [rows(&[("main", Some(NOON), "a")])];
    let told = table.append(&batch, 1).await.unwrap_err().to_string();
    assert!(told.contains("00000000000000000001.json"), "{told}");
    assert!(table.append(&batch, 1).await.is_err());
    std::fs::remove_dir(&copy).unwrap();
    let (text, before) = (std::fs::read(&commit).unwrap(), std::fs::File::open(&commit).unwrap());
    assert_eq!(table.append(&batch, 1).await.unwrap(), Added::Before);
    assert_eq!(std::fs::read(&commit).unwrap(), text);
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let now = commit.metadata().unwrap();
        assert_ne!(now.ino(), before.metadata().unwrap().ino());
    }
    let names = std::fs::read_dir(table.folder.join("_delta_log")).unwrap();
    let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["00000000000000000000.json", "00000000000000000001.json"]);
}

#[tokio::test]
async fn checkpoints_are_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let mut table = EventTable::open(folder.path()).await.unwrap();
    for number in 1..=100 {
        table.append(&[rows(&[("main", Some(NOON), "a")])], number).await.unwrap();
    }
    let checkpoint = "_delta_log/00000000000000000099.checkpoint.parquet";
    let found = synced(&table);
    for path in [checkpoint, "_delta_log/_last_checkpoint"] {
        assert!(is_there(&table.folder.join(path)), "{path}");
        assert!(found.iter().any(|one| one == path), "{path}");
    }
    // The same is known from the checkpoint as from the commits.
    let again = EventTable::find(folder.path()).await.unwrap().unwrap();
    let sorted = |table: &EventTable| {
        let mut files = table.files().unwrap();
        files.sort_by(|one, other| one.path.cmp(&other.path));
        files
    };
    assert_eq!(sorted(&again), sorted(&table));
    assert_eq!(again.last_number().await.unwrap(), 100);
}

#[tokio::test]
async fn of_several_at_a_time_one_creates_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t");
    let open = || EventTable::open(&path);
    let (one, two, three, four) = tokio::join!(open(), open(), open(), open());
    for mut table in [one.unwrap(), two.unwrap(), three.unwrap(), four.unwrap()] {
        table.refresh().await.unwrap();
        assert_eq!(table.table.version(), Some(0));
    }
}

/// Tasks that use the table can run on any thread.
#[tokio::test]
async fn tasks_can_move_between_threads() {
    fn is_send<T: Send>(_: &T) {}
    let folder = tempfile::tempdir().unwrap();
    let mut table = EventTable::open(folder.path()).await.unwrap();
    is_send(&EventTable::open(folder.path()));
    is_send(&table.append(&[], 1));
    is_send(&table.compact(&Compaction::default()));
    is_send(&table.drop_before("a", jiff::civil::date(2026, 1, 1)));
    is_send(&table.vacuum(SystemTime::UNIX_EPOCH));
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
    let commit = path.join("_delta_log/00000000000000000000.json");
    std::fs::write(&commit, "{").unwrap();
    let error = EventTable::open(&path).await.unwrap_err();
    assert!(matches!(error, TableError::EmptyCommit { .. }), "{error}");
    std::fs::write(&commit, r#"{"commitInfo":"#).unwrap();
    let error = EventTable::open(&path).await.unwrap_err();
    assert!(matches!(error, TableError::Table(_)), "{error}");
}
