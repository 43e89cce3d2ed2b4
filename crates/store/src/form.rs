//! The form of the file, and how connections to it are opened.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::Migrations;

use crate::error::StoreError;
use crate::steps::STEPS;

/// Marks the file as one of ours: "SpSt".
const APPLICATION_ID: i32 = 0x5370_5374;

/// How long a connection waits for one of another process.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Opens the file for the one writer, and brings it to the newest form.
pub(crate) fn open_to_write(path: &Path) -> Result<Connection, StoreError> {
    let open = || {
        let connection = Connection::open(path)?;
        settle(&connection)?;
        Ok(connection)
    };
    let mut connection = open().map_err(|source| failed(path, source))?;
    // The file of another program is refused before anything about it is changed.
    check(&connection, path)?;
    let prepare = || {
        // The mark comes before the tables: whenever the process is killed, the file is known as ours.
        connection.pragma_update(None, "application_id", APPLICATION_ID)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        // SQLite's own log shrinks to this size when it has been moved into the file.
        connection.pragma_update(None, "journal_size_limit", 64 << 20)
    };
    prepare().map_err(|source| failed(path, source))?;
    let migrations = Migrations::from_slice(STEPS);
    migrations.to_latest(&mut connection).map_err(|error| match error {
        rusqlite_migration::Error::RusqliteError { err, .. } => failed(path, err),
        error => form(path, error.to_string()),
    })?;
    Ok(connection)
}

/// Opens the file for one of any number of writers beside the one writer. Returns `None` if the file is
/// not there, or must first be brought to the newest form.
pub(crate) fn open_to_share(path: &Path) -> Result<Option<Connection>, StoreError> {
    if !path.try_exists().map_err(|error| form(path, error.to_string()))? {
        return Ok(None);
    }
    let open = || {
        let connection = Connection::open(path)?;
        settle(&connection)?;
        connection.pragma_update(None, "synchronous", "full")?;
        Ok(connection)
    };
    let connection = open().map_err(|source| failed(path, source))?;
    let version = check(&connection, path)?;
    Ok((version == STEPS.len()).then_some(connection))
}

/// Opens the file for one of any number of readers.
pub(crate) fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let connection = Connection::open_with_flags(path, flags)?;
        settle(&connection)?;
        Ok(connection)
    };
    let connection = open().map_err(|source| failed(path, source))?;
    let version = check(&connection, path)?;
    if version < STEPS.len() {
        let newest = STEPS.len();
        let reason = format!("its form is {version}; whoever writes to it brings it to {newest}");
        return Err(form(path, reason));
    }
    Ok(connection)
}

/// Sets what all connections have.
fn settle(connection: &Connection) -> rusqlite::Result<()> {
    // A run that is stored uses more statements, one after the other for each finding, than are kept
    // by themselves.
    connection.set_prepared_statement_cache_capacity(64);
    connection.busy_timeout(PATIENCE)
}

/// Refuses the file of another program, and that of a newer version of this one; returns the number of
/// its form.
fn check(connection: &Connection, path: &Path) -> Result<usize, StoreError> {
    let number = |name: &str| {
        let value = connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
        value.map_err(|source| failed(path, source))
    };
    let (id, version) = (number("application_id")?, number("user_version")?);
    let tables = "SELECT count(*) FROM sqlite_master";
    let tables = connection.query_row(tables, [], |row| row.get::<_, i64>(0));
    let tables = tables.map_err(|source| failed(path, source))?;
    if id != APPLICATION_ID && (id, version, tables) != (0, 0, 0) {
        return Err(form(path, "it is the database of another program".to_owned()));
    }
    match usize::try_from(version) {
        Ok(version) if version <= STEPS.len() => Ok(version),
        _ => {
            let newest = STEPS.len();
            let known = format!("this version knows those up to {newest}");
            Err(form(path, format!("its form is {version}, and {known}")))
        }
    }
}

/// Returns the error of a file that cannot be opened; what is in the way for a while stays told apart.
fn failed(path: &Path, source: rusqlite::Error) -> StoreError {
    match StoreError::from(source) {
        StoreError::Failed(source) => StoreError::Open { path: path.to_owned(), source },
        passing => passing,
    }
}

fn form(path: &Path, reason: String) -> StoreError {
    StoreError::Form { path: path.to_owned(), reason }
}
