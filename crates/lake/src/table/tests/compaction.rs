//! Small files become one.

use deltalake_core::arrow::array::AsArray;
use jiff::civil::date;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::fs::File;

use super::super::compaction::chosen;
use super::*;

/// An event of a service and a call, with its second as its text.
fn called(index: &str, source: &str, name: &str, second: i64) -> RecordBatch {
    let mut leads = [None; LEADS.len()];
    leads[LEADS.iter().position(|one| *one == "eventSource").unwrap()] = Some(source);
    leads[LEADS.iter().position(|one| *one == "eventName").unwrap()] = Some(name);
    let mut builder = RowsBuilder::new();
    let raw = second.to_string();
    let time = Some(NOON + second * 1_000_000);
    builder
        .push(&EventRow { index, time, leads, raw: raw.as_str().into(), ..EventRow::default() })
        .unwrap();
    builder.finish()
}

/// Returns the service, the call and the text of each row of a file.
fn read(path: &Path) -> Vec<String> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let mut found = Vec::new();
    for batch in reader.build().unwrap() {
        let batch = batch.unwrap();
        let column = |name: &str| batch.column_by_name(name).unwrap().as_string::<i32>().clone();
        let columns = ["eventSource", "eventName", "_raw"].map(column);
        for row in 0..batch.num_rows() {
            found
                .push(columns.iter().map(|column| column.value(row)).collect::<Vec<_>>().join(" "));
        }
    }
    found
}

/// Adds a file for each event.
async fn table_of(folder: &Path, events: &[(&str, &str, &str, i64)]) -> EventTable {
    let mut table = EventTable::open(folder).await.unwrap();
    for (number, (index, source, name, second)) in (1..).zip(events) {
        table.append(&[called(index, source, name, *second)], number).await.unwrap();
    }
    table
}

const EVENTS: [(&str, &str, &str, i64); 6] = [
    ("a", "sts", "AssumeRole", 5),
    ("a", "iam", "ListUsers", 4),
    ("b", "iam", "ListUsers", 4),
    ("a", "sts", "AssumeRole", 3),
    ("a", "iam", "CreateUser", 9),
    ("b", "ec2", "RunInstances", 1),
];

#[tokio::test]
async fn small_files_become_one_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut table = table_of(folder.path(), &EVENTS).await;
    let before = table.files().unwrap();
    let how = Compaction::default();
    let done = table.compact(&how).await.unwrap().unwrap();
    assert_eq!((done.index.as_str(), done.day), ("a", Some(date(2026, 11, 29))));
    assert_eq!((done.files, done.rows), (4, 4));
    assert!(done.bytes < done.bytes_before);
    // Whoever follows the log is told that no events changed.
    let commit = table.folder.join("_delta_log/00000000000000000007.json");
    let commit = std::fs::read_to_string(commit).unwrap();
    assert_eq!(commit.matches("\"dataChange\":false").count(), 5, "{commit}");
    assert!(!commit.contains("\"dataChange\":true"), "{commit}");
    let files = table.files().unwrap();
    let a = files.iter().find(|file| file.index == "a").unwrap();
    assert_eq!(
        read(&a.path),
        ["iam CreateUser 9", "iam ListUsers 4", "sts AssumeRole 3", "sts AssumeRole 5"]
    );
    assert_eq!((files.len(), a.rows, a.bytes), (3, 4, done.bytes));
    let expected = (Some(NOON + 3_000_000), Some(NOON + 9_000_999));
    assert_eq!((a.min_time, a.max_time), expected);
    // The next ones, until there are none. No commit is made for that.
    assert_eq!(table.compact(&how).await.unwrap().unwrap().index, "b");
    let version = table.table.version();
    assert_eq!(table.compact(&how).await.unwrap(), None);
    assert_eq!((table.table.version(), table.files().unwrap().len()), (version, 2));
    assert_eq!(table.last_number().await.unwrap(), 6);
    // Who opened the table before reads on.
    assert_eq!(before.iter().map(|file| read(&file.path).len()).sum::<usize>(), 6);
    assert_eq!(table.vacuum(later()).await.unwrap().files, 6);
    let again = EventTable::find(folder.path()).await.unwrap().unwrap();
    let files = again.files().unwrap();
    assert_eq!(files.iter().map(|file| read(&file.path).len()).sum::<usize>(), 6);
}

/// A file that was written before the table had a column becomes one with newer files.
#[tokio::test]
async fn files_can_be_older_than_a_column() {
    let folder = tempfile::tempdir().unwrap();
    let mut table = table_of(folder.path(), &EVENTS).await;
    let files = table.files().unwrap();
    let old = files.iter().find(|file| read(&file.path) == ["sts AssumeRole 5"]).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&old.path).unwrap());
    let mut rows = reader.unwrap().build().unwrap().next().unwrap().unwrap();
    rows.remove_column(rows.schema().index_of("eventName").unwrap());
    std::fs::write(&old.path, file_of(&rows).unwrap()).unwrap();
    assert_eq!(table.compact(&Compaction::default()).await.unwrap().unwrap().files, 4);
    let files = table.files().unwrap();
    let path = &files.iter().find(|file| file.index == "a").unwrap().path;
    // A null is read as nothing.
    assert_eq!(read(path), ["iam CreateUser 9", "iam ListUsers 4", "sts  5", "sts AssumeRole 3"]);
}

/// Events that are sorted in several runs are all there, and each run is in order.
#[tokio::test]
async fn rows_are_sorted_in_runs() {
    let folder = tempfile::tempdir().unwrap();
    let mut table = EventTable::open(folder.path()).await.unwrap();
    let mut random = fastrand::Rng::with_seed(3);
    for number in 1..=3 {
        let rows: Vec<RecordBatch> = (0..400)
            .map(|second| called("a", ["x", "y", "z"][random.usize(0..3)], "n", second))
            .collect();
        table.append(rows, number).await.unwrap();
    }
    let mut before: Vec<String> = Vec::new();
    table.files().unwrap().iter().for_each(|file| before.extend(read(&file.path)));
    let how = Compaction { run_bytes: 50_000, ..Compaction::default() };
    assert_eq!(table.compact(&how).await.unwrap().unwrap().rows, 1200);
    let mut after = read(&table.files().unwrap()[0].path);
    let sources: Vec<&str> = after.iter().map(|row| &row[..1]).collect();
    let runs = 1 + sources.windows(2).filter(|pair| pair[0] > pair[1]).count();
    assert!((2..100).contains(&runs), "{runs}");
    before.sort_unstable();
    after.sort_unstable();
    assert_eq!(before, after);
}

/// The sizes of the files of a day, and how many of the smallest become one.
#[test]
fn files_are_chosen_so_that_events_are_rarely_rewritten() {
    let how = Compaction { most_bytes: 100, ..Compaction::default() };
    let file = |bytes: &u64| TableFile {
        path: PathBuf::from(format!("{bytes}")),
        index: "a".to_owned(),
        day: None,
        rows: 1,
        bytes: *bytes,
        min_time: None,
        max_time: None,
        max_received: None,
        formats: None,
        has_fields: false,
    };
    for (sizes, expected) in [
        (&[][..], 0),
        (&[1], 0),
        (&[1, 1], 2),
        (&[10, 11], 2),
        // The large one would be rewritten for each small one that comes.
        (&[2, 40], 0),
        (&[1, 1, 40], 2),
        (&[10, 10, 40], 3),
        // What is large enough stays.
        (&[30, 60], 0),
        (&[30, 40, 60], 2),
        (&[40, 40, 40], 2),
        (&[1, 50, 50], 0),
        (&[100, 100], 0),
    ] {
        let chosen = chosen(sizes.iter().map(file).collect(), &how).unwrap_or_default();
        assert_eq!(chosen.len(), expected, "{sizes:?}");
    }
    let many = Compaction { least_files: 4, ..how };
    assert!(chosen([1, 1, 1].iter().map(file).collect(), &many).is_none());
    assert_eq!(chosen([1, 1, 1, 1].iter().map(file).collect(), &many).unwrap().len(), 4);
}

/// What other processes do while files are rewritten, and whether they are replaced then.
#[tokio::test]
async fn others_can_change_the_table_at_the_same_time() {
    for (what, is_replaced) in [("append", true), ("compact", false), ("drop", false)] {
        let folder = tempfile::tempdir().unwrap();
        let mut one = table_of(folder.path(), &EVENTS).await;
        let mut other = EventTable::open(folder.path()).await.unwrap();
        let how = Compaction::default();
        let chosen = chosen(one.files().unwrap(), &how).unwrap();
        let file = one.rewritten(&chosen, &how).unwrap();
        match what {
            "append" => drop(other.append(&[called("a", "s3", "GetObject", 7)], 7).await.unwrap()),
            "compact" => drop(other.compact(&how).await.unwrap().unwrap()),
            _ => drop(other.drop_before("a", date(2027, 1, 1)).await.unwrap()),
        }
        let replaced = one.replace(&chosen, file, &how).await.unwrap();
        assert_eq!(replaced.is_some(), is_replaced, "{what}");
        let mut rows = Vec::new();
        one.refresh().await.unwrap();
        for file in one.files().unwrap().iter().filter(|file| file.index == "a") {
            rows.extend(read(&file.path));
        }
        rows.sort_unstable();
        let mut expected: Vec<String> = EVENTS
            .iter()
            .filter(|(index, ..)| *index == "a" && what != "drop")
            .map(|(_, source, name, second)| format!("{source} {name} {second}"))
            .collect();
        expected.extend((what == "append").then(|| "s3 GetObject 7".to_owned()));
        expected.sort_unstable();
        assert_eq!(rows, expected, "{what}");
    }
}

/// The library must not move a commit past one that rewrote the same files: events would be there twice.
#[tokio::test]
async fn a_commit_is_not_moved_past_another() {
    let folder = tempfile::tempdir().unwrap();
    let mut one = table_of(folder.path(), &EVENTS).await;
    let mut other = EventTable::open(folder.path()).await.unwrap();
    let how = Compaction::default();
    let chosen = chosen(one.files().unwrap(), &how).unwrap();
    let file = one.rewritten(&chosen, &how).unwrap();
    let mut actions = one.removals(&chosen, false).unwrap();
    actions.push(Action::Add(Add { data_change: false, ..file }));
    other.compact(&how).await.unwrap().unwrap();
    let operation = DeltaOperation::Optimize { predicate: None, target_size: 0 };
    let error = one.commit(Change { actions, operation, number: None }).await.unwrap_err();
    assert!(is_conflict(&error), "{error}");
}

/// An append never has to be tried again by its caller because files are rewritten.
#[tokio::test]
async fn appends_come_in_while_files_are_rewritten() {
    let folder = tempfile::tempdir().unwrap();
    let mut one = table_of(folder.path(), &EVENTS).await;
    let mut other = EventTable::open(folder.path()).await.unwrap();
    let append = async {
        for number in 7..20 {
            let rows = [called("a", "s3", "GetObject", 7)];
            assert_eq!(other.append(&rows, number).await.unwrap(), Added::Now);
        }
    };
    let compact = async {
        for _ in 0..20 {
            one.compact(&Compaction::default()).await.unwrap();
        }
    };
    tokio::join!(append, compact);
    one.refresh().await.unwrap();
    let rows: usize = one.files().unwrap().iter().map(|file| read(&file.path).len()).sum();
    assert_eq!(rows, 19);
}

/// A file that cannot be read is told once, stays as it is, and keeps no others from becoming one.
#[tokio::test]
async fn damaged_files_are_left_alone() {
    for damage in ["missing", "truncated", "changed", "empty"] {
        let folder = tempfile::tempdir().unwrap();
        let mut table = table_of(folder.path(), &EVENTS).await;
        let files = table.files().unwrap();
        let path = &files.iter().find(|file| file.index == "a").unwrap().path;
        let mut bytes = std::fs::read(path).unwrap();
        match damage {
            "missing" => std::fs::remove_file(path).unwrap(),
            "truncated" => std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap(),
            "changed" => {
                // The first page, behind the magic bytes.
                bytes[4..60].fill(0xff);
                std::fs::write(path, &bytes).unwrap();
            }
            _ => std::fs::write(path, "").unwrap(),
        }
        let how = Compaction::default();
        let error = table.compact(&how).await.unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, TableError::File { .. }), "{damage}: {text}");
        assert!(text.contains(&path.display().to_string()), "{damage}: {text}");
        assert_eq!(table.compact(&how).await.unwrap().unwrap().rows, 3, "{damage}");
        assert_eq!(table.compact(&how).await.unwrap().unwrap().index, "b", "{damage}");
        assert_eq!(table.compact(&how).await.unwrap(), None, "{damage}");
        let left = table.files().unwrap();
        assert!(left.iter().any(|file| file.path == *path), "{damage}");
        assert_eq!(left.iter().map(|file| file.rows).sum::<u64>(), 6, "{damage}");
    }
}
