//! What an input looks at, and what it leaves alone.

use std::collections::BTreeMap;
use std::time::Duration;

use spilltrail_lake::{EventRow, Mark, RowsBuilder, WalReader};
use spilltrail_source::S3Options;

use super::*;
use crate::serve::inputs::{InputOptions, look};
use crate::unread::UnreadKind;

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_read_in_part_is_left_alone_until_it_changes() {
    let simulation = Simulation::new().await;
    let logs = simulation.folder.path().join("logs");
    fs::create_dir(&logs).unwrap();
    let event = r#"{"eventVersion":"1.08","eventTime":"2026-11-02T00:00:00Z","eventSource":"iam.amazonaws.com","eventName":"CreateUser"}"#;
    let file = logs.join("one.json");
    fs::write(&file, format!("{{\"Records\":[{event},{event},{{\"eventVersion\":")).unwrap();
    let input = InputOptions {
        name: "logs".to_owned(),
        logs: vec![logs.display().to_string()],
        queue: None,
        index: "main".to_owned(),
        sourcetype: None,
        every: Duration::from_secs(1),
        days: None,
        dedup: false,
        s3: S3Options::default(),
    };
    let runner = &simulation.server.runner;
    let first = look(runner, &input, &BTreeMap::new()).await.unwrap();
    assert_eq!((first.events, first.partly.len()), (2, 1));
    assert!(first.unread.iter().any(|unread| unread.kind == UnreadKind::Damaged));
    let left: BTreeMap<_, _> = first.partly.into_iter().collect();
    let again = look(runner, &input, &left).await.unwrap();
    assert_eq!((again.events, again.before, again.partly.len()), (0, 0, 0));
    assert!(!again.unread.iter().any(|unread| unread.kind == UnreadKind::Damaged));
    // Whoever wrote it has come to its end.
    fs::write(&file, format!("{{\"Records\":[{event},{event},{event}]}}")).unwrap();
    let last = look(runner, &input, &left).await.unwrap();
    assert_eq!((last.events, last.before, last.partly.len()), (1, 2, 0));
}

/// An ingestion was killed after its events were in the table, or before.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_ingestion_left_open_is_settled_before_inputs_are_looked_at() {
    for is_added in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let lake = DataFolder::new(&options(folder.path()).data).lake();
        fs::create_dir_all(lake.log().parent().unwrap()).unwrap();
        let wal = Wal::open(&lake.log(), WalOptions::default()).unwrap();
        let mark = |value: &str| Mark { key: "file".into(), value: value.into() };
        let number = wal.pend(vec![mark("read")], Vec::new()).unwrap().await.unwrap().unwrap();
        let mut table = EventTable::open(&lake.table()).await.unwrap();
        if is_added {
            let mut rows = RowsBuilder::new();
            rows.push(&EventRow { index: "main", ..EventRow::default() }).unwrap();
            table.append(vec![rows.finish()], number).await.unwrap();
        }
        drop((wal, table));
        fs::create_dir_all(folder.path().join("content")).unwrap();
        fs::write(folder.path().join("content/keys.yml"), DETECTION).unwrap();
        let simulation = Simulation::open(folder, START).await;
        let reader = WalReader::open(simulation.server.runner.wal.path()).unwrap();
        let expected = is_added.then(|| "read".to_owned());
        assert_eq!(
            (reader.mark("file").unwrap(), reader.has_pending().unwrap()),
            (expected, false)
        );
    }
}
