//! The form of the file, and how connections to it are opened.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::{M, Migrations};

use super::WalOptions;
use crate::error::WalError;

/// Marks the file as one of ours: "SpWl".
const APPLICATION_ID: i32 = 0x5370_576c;

/// The bytes of a page.
pub(super) const PAGE_SIZE: u32 = 16384;

/// How long a connection waits for one of another process.
const PATIENCE: Duration = Duration::from_secs(10);

/// The steps from an empty file to the newest form. A step is never changed once it is released.
const STEPS: &[M<'_>] = &[
    M::up(
        // The id is `APPLICATION_ID`. It is set together with the tables: a file that has them is ours.
        // AUTOINCREMENT: the number of a batch is never used again, even if all are removed.
        "PRAGMA application_id = 1399871340;
    CREATE TABLE batches (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        received INTEGER NOT NULL,
        index_name TEXT NOT NULL,
        sourcetype TEXT,
        source TEXT,
        host TEXT,
        format TEXT NOT NULL,
        events INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        body BLOB NOT NULL
    ) STRICT;
    CREATE TABLE set_aside (
        number INTEGER PRIMARY KEY,
        received INTEGER NOT NULL,
        index_name TEXT NOT NULL,
        sourcetype TEXT,
        source TEXT,
        host TEXT,
        format TEXT NOT NULL,
        events INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        body BLOB NOT NULL
    ) STRICT;
    CREATE TABLE marks (
        key TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;",
    ),
    M::up(
        "CREATE TABLE arrivals (
        number INTEGER NOT NULL,
        index_name TEXT NOT NULL,
        spans TEXT NOT NULL,
        PRIMARY KEY (number, index_name)
    ) STRICT, WITHOUT ROWID;",
    ),
    M::up(
        "CREATE TABLE pending (
        number INTEGER NOT NULL,
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (number, key)
    ) STRICT, WITHOUT ROWID;",
    ),
];

/// Opens the file for the one writer, and brings it to the newest form.
pub(super) fn open_to_write(path: &Path, options: WalOptions) -> Result<Connection, WalError> {
    let open = || {
        let connection = Connection::open(path)?;
        connection.busy_timeout(PATIENCE)?;
        Ok(connection)
    };
    let mut connection = open().map_err(|source| failed(path, source))?;
    // The settings below change the file, which must not be that of another program.
    check(&connection, path, Empty::Accepted)?;
    let set = || {
        // These two hold only if they come before the first table.
        connection.pragma_update(None, "page_size", PAGE_SIZE)?;
        connection.pragma_update(None, "auto_vacuum", "incremental")?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        // SQLite's own log shrinks to this size when it has been moved into the file.
        connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
        if let Some(most) = options.most_pages {
            connection.pragma_update(None, "max_page_count", most)?;
        }
        Ok(())
    };
    set().map_err(|source| failed(path, source))?;
    let migrations = Migrations::from_slice(STEPS);
    migrations.to_latest(&mut connection).map_err(|error| match error {
        rusqlite_migration::Error::RusqliteError { err, .. } => failed(path, err),
        error => form(path, error.to_string()),
    })?;
    Ok(connection)
}

/// Opens the file for one of any number of readers.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, WalError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(PATIENCE)?;
        Ok(connection)
    };
    let connection = open().map_err(|source| failed(path, source))?;
    match check(&connection, path, Empty::Refused) {
        Ok(()) => return Ok(connection),
        Err(WalError::Open { source, .. }) if is_half_written(&source) => {}
        Err(error) => return Err(error),
    }
    // Who wrote it was stopped before SQLite's own log was in use. Only one who may write takes that back.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mended = Connection::open_with_flags(path, flags);
    let mended = mended.and_then(|one| one.query_row("PRAGMA user_version", [], |_| Ok(())));
    mended.map_err(|source| failed(path, source))?;
    check(&connection, path, Empty::Refused)?;
    Ok(connection)
}

/// Returns true if a transaction must be taken back before the file can be read.
fn is_half_written(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|error| error.extended_code);
    code == Some(rusqlite::ffi::SQLITE_READONLY_ROLLBACK)
}

/// What to do with a database that nobody has written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Empty {
    /// It becomes ours.
    Accepted,
    /// It is not a log yet.
    Refused,
}

/// Refuses the file of another program, and that of a newer version of this one. Changes nothing.
fn check(connection: &Connection, path: &Path, empty: Empty) -> Result<(), WalError> {
    let number = |sql: &str| {
        let value = connection.query_row(sql, [], |row| row.get::<_, i32>(0));
        value.map_err(|source| failed(path, source))
    };
    let (id, version) = (number("PRAGMA application_id")?, number("PRAGMA user_version")?);
    if id != APPLICATION_ID {
        // Other programs leave both numbers at zero, too.
        let is_empty =
            (id, version) == (0, 0) && number("SELECT count(*) FROM sqlite_schema")? == 0;
        return match (is_empty, empty) {
            (true, Empty::Accepted) => Ok(()),
            (true, Empty::Refused) => Err(form(path, "nothing was stored in it yet".to_owned())),
            (false, _) => Err(form(path, "it is the database of another program".to_owned())),
        };
    }
    if usize::try_from(version).is_ok_and(|version| version > STEPS.len()) {
        let newest = STEPS.len();
        let reason = format!("its form is {version}, and this version knows those up to {newest}");
        return Err(form(path, reason));
    }
    Ok(())
}

fn failed(path: &Path, source: rusqlite::Error) -> WalError {
    WalError::Open { path: path.to_owned(), source: Arc::new(source) }
}

fn form(path: &Path, reason: String) -> WalError {
    WalError::Form { path: path.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pragma(connection: &Connection, name: &str) -> String {
        let value = connection.pragma_query_value(None, name, |row| row.get(0));
        match value.unwrap() {
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_steps_alone_mark_the_file_as_ours() {
        let mut connection = Connection::open_in_memory().unwrap();
        Migrations::from_slice(STEPS).to_latest(&mut connection).unwrap();
        assert_eq!(pragma(&connection, "application_id"), APPLICATION_ID.to_string());
    }

    /// Whoever made the file was killed within its first transactions.
    #[test]
    fn what_was_written_in_part_is_taken_back_before_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let [path, copy] = ["wal.sqlite", "copy.sqlite"].map(|name| folder.path().join(name));
        let connection = open_to_write(&path, WalOptions::default()).unwrap();
        connection.pragma_update(None, "journal_mode", "delete").unwrap();
        connection.pragma_update(None, "cache_size", 1).unwrap();
        let mark = "INSERT INTO marks VALUES (?1, hex(randomblob(20000)))";
        connection.execute(mark, ["before"]).unwrap();
        connection.execute_batch("BEGIN").unwrap();
        for number in 0..20 {
            connection.execute(mark, [format!("within {number}")]).unwrap();
        }
        std::fs::copy(&path, &copy).unwrap();
        let journal = |of: &Path| of.with_extension("sqlite-journal");
        std::fs::copy(journal(&path), journal(&copy)).unwrap();
        let read = open_to_read(&copy).unwrap();
        let count = "SELECT count(*) FROM marks";
        assert_eq!(read.query_row(count, [], |row| row.get::<_, u64>(0)).unwrap(), 1);
        // And it is read only.
        assert!(read.execute("DELETE FROM marks", []).is_err());
    }

    #[test]
    fn commits_wait_for_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wal.sqlite");
        let most_pages = Some(5000);
        let options = WalOptions { most_pages, ..WalOptions::default() };
        let connection = open_to_write(&path, options).unwrap();
        for (name, expected) in [
            ("journal_mode", "wal"),
            // 2 is FULL: each commit is synced, and not only each checkpoint.
            ("synchronous", "2"),
            // 2 is INCREMENTAL.
            ("auto_vacuum", "2"),
            ("page_size", "16384"),
            ("max_page_count", "5000"),
        ] {
            assert_eq!(pragma(&connection, name), expected, "{name}");
        }
    }
}
