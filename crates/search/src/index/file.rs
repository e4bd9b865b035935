//! The file of an index: its tables, pragmas and metadata.

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags, OptionalExtension};
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::mapping::{Layout, Mapping};

/// Statements that are kept prepared for each connection.
const STATEMENT_CACHE: usize = 64;

/// Opens the file for the writer, and creates its tables if they are not there.
///
/// # Errors
/// When SQLite cannot.
pub fn open_writer(path: &Path, durable: bool) -> Result<Connection> {
    let connection = Connection::open(path)?;
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    connection.pragma_update(None, "page_size", 8192)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", if durable { "FULL" } else { "OFF" })?;
    connection.pragma_update(None, "cache_size", -65_536)?;
    connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS docs(seq INTEGER PRIMARY KEY, id TEXT, version INTEGER NOT NULL, source TEXT NOT NULL);
         CREATE UNIQUE INDEX IF NOT EXISTS docs_id ON docs(id) WHERE id IS NOT NULL;
         CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;",
    )?;
    Ok(connection)
}

/// Opens the file for reading.
///
/// # Errors
/// When SQLite cannot.
pub fn open_reader(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    connection.pragma_update(None, "cache_size", -16_384)?;
    connection.pragma_update(None, "mmap_size", 1_i64 << 30)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

/// A number of the metadata.
///
/// # Errors
/// When SQLite fails.
pub fn number(connection: &Connection, key: &str) -> Result<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE key = ?")?;
    Ok(statement.query_row([key], |row| row.get(0)).optional()?)
}

/// Sets a number of the metadata.
///
/// # Errors
/// When SQLite fails.
pub fn set_number(connection: &Connection, key: &str, value: i64) -> Result<()> {
    let mut statement = connection.prepare_cached("INSERT OR REPLACE INTO meta(key, value) VALUES(?, ?)")?;
    statement.execute((key, value))?;
    Ok(())
}

/// The mapping as the connection's snapshot has it.
///
/// # Errors
/// When SQLite fails, or the file is damaged.
pub fn load_mapping(connection: &Connection, index: &str) -> Result<Arc<Mapping>> {
    let text = |key: &str| -> Result<Option<String>> {
        let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE key = ?")?;
        Ok(statement.query_row([key], |row| row.get(0)).optional()?)
    };
    let damaged = |what: &str| Error::Corrupt(format!("the {what} of index [{index}] is damaged"));
    let body: Map<String, Value> = match text("mapping")? {
        Some(text) => serde_json::from_str(&text).map_err(|_| damaged("mapping"))?,
        None => Map::new(),
    };
    let layout: Layout = match text("layout")? {
        Some(text) => serde_json::from_str(&text).map_err(|_| damaged("layout"))?,
        None => Layout::default(),
    };
    let generation = number(connection, "generation")?.unwrap_or(0);
    Mapping::compile(index, body, layout, generation, usize::MAX)
}

/// Writes the mapping, and adds the columns that are new since `before`, in the transaction that is open.
///
/// # Errors
/// When SQLite fails.
pub fn store_mapping(connection: &Connection, before: &Layout, mapping: &Mapping) -> Result<()> {
    for number in before.columns.len()..mapping.layout.columns.len() {
        connection.execute_batch(&format!("ALTER TABLE docs ADD COLUMN c{number}"))?;
    }
    let set = |key: &str, text: String| -> Result<()> {
        let mut statement =
            connection.prepare_cached("INSERT OR REPLACE INTO meta(key, value) VALUES(?, ?)")?;
        statement.execute((key, text))?;
        Ok(())
    };
    let text = |what: std::result::Result<String, serde_json::Error>| {
        what.map_err(|error| Error::Corrupt(error.to_string()))
    };
    set("mapping", text(serde_json::to_string(&mapping.body))?)?;
    set("layout", text(serde_json::to_string(&mapping.layout))?)?;
    set_number(connection, "generation", mapping.generation)
}

/// Creates the SQLite index of a column.
///
/// # Errors
/// When SQLite fails.
pub fn create_column_index(connection: &Connection, column: u32) -> Result<()> {
    connection.execute_batch(&format!("CREATE INDEX IF NOT EXISTS docs_c{column} ON docs(c{column})"))?;
    Ok(())
}
