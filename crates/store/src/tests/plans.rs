//! How what is read often is read: by an index, and never all findings or runs.

use std::cell::RefCell;

use rusqlite::trace::{TraceEvent, TraceEventCodes};
use spilltrail_schedule::Moment;

use super::{file, finding, finish, store};
use crate::*;

thread_local! {
    /// What was asked of the file.
    static ASKED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn note(event: TraceEvent<'_>) {
    if let TraceEvent::Stmt(_, sql) = event {
        ASKED.with_borrow_mut(|asked| asked.push(sql.to_owned()));
    }
}

/// Returns the steps in which the file answers what a reader asks.
fn plan(reader: &StoreReader, read: &dyn Fn(&StoreReader)) -> Vec<String> {
    reader.connection.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(note));
    read(reader);
    reader.connection.trace_v2(TraceEventCodes::empty(), None);
    let mut steps = Vec::new();
    for sql in ASKED.take().into_iter().filter(|sql| sql.starts_with("SELECT")) {
        let explain = format!("EXPLAIN QUERY PLAN {sql}");
        let mut statement = reader.connection.prepare(&explain).unwrap();
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().unwrap() {
            steps.push(row.get::<_, String>(3).unwrap());
        }
    }
    steps
}

#[test]
fn what_is_read_often_is_read_by_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    finish(&mut store, 3600, 1, &[finding("x", "1"), finding("y", "1")]);
    store.queue("hook", 2, &[1, 2], Moment(0)).unwrap();
    let reader = StoreReader::open(&file(&folder)).unwrap();
    let everything = Filter {
        is_all: true,
        detection: Some("list*".into()),
        urgency: Some(Level::Low),
        severity: Some(Level::Low),
        text: Some("bucket".into()),
        happened: Span { since: Some(Moment(0)), until: None },
        ..Filter::default()
    };
    let since = RunFilter { since: Some(Moment(0)), ..RunFilter::default() };
    type Read<'a> = &'a dyn Fn(&StoreReader);
    let cases: [(&str, Read<'_>, &[&str]); 7] = [
        (
            "counted",
            &|reader| assert_eq!(super::counted(reader, 0, 9999).len(), 2),
            &["SEARCH findings USING INDEX findings_by_told (told>? AND told<?)"],
        ),
        (
            "counted_days",
            &|reader| assert_eq!(reader.counted_days().unwrap().len(), 1),
            &["SEARCH findings USING COVERING INDEX findings_by_told (told>?)"],
        ),
        (
            "list",
            &|reader| assert_eq!(reader.list(&Filter::default(), None, 9).unwrap().total, 2),
            &[
                "SCAN findings USING COVERING INDEX heads_by_age",
                "SCAN findings USING INDEX heads_by_age",
            ],
        ),
        (
            "list with filters",
            &|reader| assert_eq!(reader.list(&everything, None, 9).unwrap().total, 2),
            &[
                "SCAN findings USING COVERING INDEX heads_by_age",
                "SCAN findings USING INDEX heads_by_age",
            ],
        ),
        (
            "runs_of",
            &|reader| assert_eq!(reader.runs_of("a", &since, 9).unwrap().rows.len(), 1),
            &["SEARCH runs USING INDEX sqlite_autoindex_runs_1 (schedule=? AND nominal>?)"],
        ),
        (
            "covered",
            &|reader| assert_eq!(reader.covered(Moment(0)).unwrap().len(), 1),
            &["SEARCH runs USING INDEX runs_by_nominal (nominal>?)"],
        ),
        (
            "due",
            &|reader| assert_eq!(reader.due("hook", Moment(9), 9).unwrap().len(), 2),
            &["SEARCH deliveries USING INDEX deliveries_due (output=? AND next<?)"],
        ),
    ];
    for (name, read, expected) in cases {
        let steps = plan(&reader, read);
        for step in expected {
            assert!(steps.iter().any(|one| one == step), "{name}: {steps:#?}");
        }
        for step in &steps {
            let is_by_index = !step.starts_with("SCAN") || expected.contains(&step.as_str());
            assert!(is_by_index, "{name}: {step}");
            // At most those of the same time are sorted, never all.
            assert_ne!(step, "USE TEMP B-TREE FOR ORDER BY", "{name}");
        }
    }
}
