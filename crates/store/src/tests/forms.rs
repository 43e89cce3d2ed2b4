//! Files: of other programs, of other versions, and half made.

use rusqlite_migration::Migrations;
use spilltrail_schedule::Moment;

use super::{file, finding, finish, store};
use crate::steps::STEPS;
use crate::*;

#[test]
fn files_that_are_no_store_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder);
    let open = || Store::open(&path).map(drop).unwrap_err().to_string();
    let read = || StoreReader::open(&path).map(drop).unwrap_err().to_string();
    let store = Store::open(&path).unwrap();
    assert!(open().contains("another process writes to"), "{}", open());
    drop(store);
    let change = |sql: &str| {
        rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    };
    change("PRAGMA user_version = 99");
    assert!(open().contains("its form is 99, and this version knows those up to"), "{}", open());
    assert!(read().contains("its form is 99"), "{}", read());
    change("PRAGMA user_version = 1; PRAGMA application_id = 5");
    assert!(open().contains("the database of another program"), "{}", open());
    std::fs::remove_file(&path).unwrap();
    assert!(read().contains("cannot open"), "{}", read());
    // Another program's file has no mark, and is left as it is.
    change("CREATE TABLE t (x)");
    let before = std::fs::read(&path).unwrap();
    assert!(open().contains("the database of another program"), "{}", open());
    assert_eq!(std::fs::read(&path).unwrap(), before);
    std::fs::write(&path, "no database, but a text that is long enough to be none").unwrap();
    assert!(open().contains("cannot open"), "{}", open());
}

/// A process that is killed while it makes the file leaves one that can be opened.
#[test]
fn a_file_that_is_half_made_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder);
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "application_id", 0x5370_5374).unwrap();
    drop(connection);
    finish(&mut store(&folder), 3600, 1, &[]);
}

/// Makes a file of the first form, as the version before this one has written it.
fn first_form(folder: &tempfile::TempDir) {
    let mut connection = rusqlite::Connection::open(file(folder)).unwrap();
    connection.pragma_update(None, "application_id", 0x5370_5374).unwrap();
    connection.pragma_update(None, "journal_mode", "wal").unwrap();
    Migrations::from_slice(&STEPS[..1]).to_latest(&mut connection).unwrap();
    let body = r#"{"detection": {"name": "Listing Buckets"}, "notable": true,
                   "rule_title": "x listed buckets", "risk_message": "no"}"#;
    for (nominal, id, severity, state, body) in [
        (3600, "x", Some("high"), "new", body),
        (7200, "x", Some("high"), "withdrawn", body),
        (3600, "y", Some("critical"), "new", r#"{"notable": false, "risk_message": "y did"}"#),
        (3600, "z", None, "new", "no JSON"),
    ] {
        let sql =
            "INSERT INTO findings (detection, nominal, id, attempt, severity, hash, state, body)
                   VALUES ('a', ?1, ?2, 1, ?3, '1', ?4, ?5)";
        connection.execute(sql, (nominal, id, severity, state, body)).unwrap();
    }
}

#[test]
fn a_file_of_the_first_form_is_brought_to_the_newest() {
    for by_desk in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        first_form(&folder);
        let error = StoreReader::open(&file(&folder)).unwrap_err().to_string();
        assert!(error.contains("its form is 1; whoever writes to it brings it to"), "{error}");
        if by_desk {
            drop(Desk::open(&file(&folder)).unwrap());
        } else {
            drop(Store::open(&file(&folder)).unwrap());
        }
        let reader = StoreReader::open(&file(&folder)).unwrap();
        assert_eq!(reader.findings(Moment(0)).unwrap().len(), 4);
        let all = Filter { is_all: true, ..Filter::default() };
        let page = reader.list(&all, None, 10).unwrap();
        let shown: Vec<String> = page
            .rows
            .iter()
            .map(|row| {
                let Listed { id, nominal, name, title, is_notable, urgency, runs, .. } = row;
                format!("{id} {} {name}|{title} {is_notable} {} {runs}", nominal.0, urgency.name())
            })
            .collect();
        let expected = [
            "z 3600 | false low 1",
            "y 3600 |y did false high 1",
            "x 3600 Listing Buckets|x listed buckets true medium 2",
        ];
        assert_eq!(shown, expected);
    }
}

/// Entries of the allow-list had one field each.
#[test]
fn entries_of_one_field_get_a_condition() {
    const BEFORE: usize = 10;
    let folder = tempfile::tempdir().unwrap();
    let mut connection = rusqlite::Connection::open(file(&folder)).unwrap();
    connection.pragma_update(None, "application_id", 0x5370_5374).unwrap();
    Migrations::from_slice(&STEPS[..BEFORE]).to_latest(&mut connection).unwrap();
    let sql = "INSERT INTO allow
                   (detection, field, value, owner, reason, created, expires, is_enabled, hits)
               VALUES ('a*', 'user', 'the \"one\"', 'ann', 'known', 3, 9, 1, 2)";
    connection.execute(sql, []).unwrap();
    drop(connection);
    let desk = Desk::open(&file(&folder)).unwrap();
    let entries = desk.reader().allow_list(false).unwrap();
    let condition = AllowCondition { field: "user".into(), value: "the \"one\"".into() };
    let AllowEntry { rule, hits, .. } = &entries[0];
    assert_eq!((&rule.conditions, rule.expires, *hits), (&vec![condition], Some(Moment(9)), 2));
    assert_eq!(rule.starts, None);
}

#[test]
fn a_desk_is_open_beside_a_store() {
    let folder = tempfile::tempdir().unwrap();
    // A desk makes the file, and does not keep a server from it.
    let desk = Desk::open(&file(&folder)).unwrap();
    let mut store = store(&folder);
    finish(&mut store, 3600, 1, &[finding("x", "1")]);
    assert_eq!(desk.reader().findings(Moment(0)).unwrap().len(), 1);
    assert_eq!(desk.path(), store.path());
}
