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

/// How long a connection waits for one of another process.
const PATIENCE: Duration = Duration::from_secs(10);

/// The steps from an empty file to the newest form. A step is never changed once it is released.
const STEPS: &[M<'_>] = &[M::up(
    // AUTOINCREMENT: the number of a batch is never used again, even if all are removed.
    "CREATE TABLE batches (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        received INTEGER NOT NULL,
        index_name TEXT NOT NULL,
        sourcetype TEXT,
        source TEXT,
        host TEXT,
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
        events INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        body BLOB NOT NULL
    ) STRICT;
    CREATE TABLE marks (
        key TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;",
)];

/// Opens the file for the one writer, and brings it to the newest form.
pub(super) fn open_to_write(path: &Path, options: WalOptions) -> Result<Connection, WalError> {
    let open = || {
        let connection = Connection::open(path)?;
        connection.busy_timeout(PATIENCE)?;
        // These two hold only if they come before the first table.
        connection.pragma_update(None, "page_size", 16384)?;
        connection.pragma_update(None, "auto_vacuum", "incremental")?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        // SQLite's own log shrinks to this size when it has been moved into the file.
        connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
        if let Some(most) = options.most_pages {
            connection.pragma_update(None, "max_page_count", most)?;
        }
        Ok(connection)
    };
    let mut connection = open().map_err(|source| failed(path, source))?;
    check(&connection, path)?;
    let migrations = Migrations::from_slice(STEPS);
    migrations.to_latest(&mut connection).map_err(|error| form(path, error.to_string()))?;
    let marked = connection.pragma_update(None, "application_id", APPLICATION_ID);
    marked.map_err(|source| failed(path, source))?;
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
    check(&connection, path)?;
    Ok(connection)
}

/// Refuses the file of another program, and that of a newer version of this one.
fn check(connection: &Connection, path: &Path) -> Result<(), WalError> {
    let number = |name: &str| {
        let value = connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
        value.map_err(|source| failed(path, source))
    };
    let (id, version) = (number("application_id")?, number("user_version")?);
    if id != APPLICATION_ID && (id, version) != (0, 0) {
        return Err(form(path, "it is the database of another program".to_owned()));
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
