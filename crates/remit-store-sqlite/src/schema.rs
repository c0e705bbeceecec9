//! Whose file it is, and the tables that `tables.sql` makes in an empty one.

use rusqlite::Connection;

/// Says that a file is ours, in its header ("Rmit").
const APPLICATION_ID: i64 = 0x526d_6974;
/// The version of these tables.
const VERSION: i64 = 3;
const TABLES: &str = include_str!("tables.sql");

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SchemaError {
    #[error("the file is an SQLite database of another application")]
    Foreign,
    #[error("the file has schema version {0}, and this program knows versions up to {VERSION}: use a newer program")]
    Newer(i64),
    #[error(
        "the file has schema version {0}, of a program that was never released: move it away, and a new one is begun"
    )]
    Unreleased(i64),
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

/// Checks whose file it is and, in an empty one, makes the tables. All of it or none.
pub(crate) fn prepare(db: &Connection) -> Result<(), SchemaError> {
    if check(db)? {
        return Ok(());
    }
    db.execute_batch(&format!(
        "BEGIN IMMEDIATE; {TABLES} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; COMMIT;"
    ))?;
    Ok(())
}

/// Whether the file holds our tables; false when it is empty.
pub(crate) fn check(db: &Connection) -> Result<bool, SchemaError> {
    let number = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0));
    let (application, version) = (number("PRAGMA application_id")?, number("PRAGMA user_version")?);
    match (application, version) {
        (APPLICATION_ID, VERSION) => Ok(true),
        (APPLICATION_ID, older @ ..VERSION) => Err(SchemaError::Unreleased(older)),
        (APPLICATION_ID, newer) => Err(SchemaError::Newer(newer)),
        (0, 0) if number("SELECT count(*) FROM sqlite_schema")? == 0 => Ok(false),
        _ => Err(SchemaError::Foreign),
    }
}
