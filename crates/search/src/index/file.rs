//! The file of an index: its tables, pragmas and metadata.

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags, OptionalExtension};
use serde_json::{Map, Value};

use super::checked_vfs;
use super::checksum::{PAGE_BYTES, RESERVED_BYTES};
use crate::error::{Error, Result};
use crate::guard;
use crate::mapping::{Layout, Mapping};

/// Statements that are kept prepared for each connection.
const STATEMENT_CACHE: usize = 64;
/// The key of the catalog's entry in the metadata.
const IDENTITY: &str = "identity";
/// Bytes at the beginning of a file that say what it is.
const HEAD_BYTES: usize = 100;

/// Creates the file, whose pages have checksums, with its tables.
///
/// # Errors
/// When it is there already, or SQLite fails.
pub fn create(path: &Path, durable: bool) -> Result<Connection> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    drop(options.open(path)?);
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE, true)?;
    connection.pragma_update(None, "page_size", PAGE_BYTES as i64)?;
    checked_vfs::reserve(&connection)?;
    set_up_writer(&connection, durable)?;
    connection.execute_batch(
        "CREATE TABLE docs(seq INTEGER PRIMARY KEY, id TEXT, version INTEGER NOT NULL, source TEXT NOT NULL);
         CREATE UNIQUE INDEX docs_id ON docs(id) WHERE id IS NOT NULL;
         CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;",
    )?;
    Ok(connection)
}

/// Opens a file that is there for the writer. `checked`: do its pages have checksums?
///
/// # Errors
/// When it is not there or is empty, or SQLite fails.
pub fn open_writer(path: &Path, durable: bool, checked: bool) -> Result<Connection> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE, checked)?;
    set_up_writer(&connection, durable)?;
    // A file without tables is none that was ever used.
    connection.query_row("SELECT count(*) FROM meta", [], |_| Ok(()))?;
    Ok(connection)
}

fn open(path: &Path, flags: OpenFlags, checked: bool) -> Result<Connection> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = if checked {
        checked_vfs::register()?;
        Connection::open_with_flags_and_vfs(path, flags, checked_vfs::NAME)?
    } else {
        Connection::open_with_flags(path, flags)?
    };
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    Ok(connection)
}

fn set_up_writer(connection: &Connection, durable: bool) -> Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", if durable { "FULL" } else { "OFF" })?;
    connection.pragma_update(None, "cache_size", -65_536)?;
    connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
    Ok(())
}

/// What a file says of itself without the catalog.
#[derive(Debug)]
pub struct Peek {
    /// The entry that the catalog had for it; none in a file whose creation was not finished, and in files of versions that did
    /// not write it.
    pub identity: Option<String>,
    /// The number of its documents.
    pub documents: i64,
    /// Do its pages have checksums?
    pub checked: bool,
}

/// Looks into a file that nobody has open.
///
/// # Errors
/// When it is no file of an index, or is damaged.
pub fn peek(path: &Path) -> Result<Peek> {
    let checked = has_checksums(path)?;
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE, checked)?;
    let documents = connection.query_row("SELECT count(*) FROM docs", [], |row| row.get(0))?;
    Ok(Peek { identity: text(&connection, IDENTITY)?, documents, checked })
}

/// Does the head of the file say that its pages have room for checksums?
fn has_checksums(path: &Path) -> Result<bool> {
    let mut head = [0; HEAD_BYTES];
    std::io::Read::read_exact(&mut std::fs::File::open(path)?, &mut head)?;
    // SQLite's file format, section 1.3: the bytes at the end of each page that are not used.
    Ok(usize::from(head[20]) == RESERVED_BYTES)
}

/// Is there a file with something in it?
pub fn is_there(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.len() > 0)
}

/// A text of the metadata.
fn text(connection: &Connection, key: &str) -> Result<Option<String>> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE key = ?")?;
    Ok(statement.query_row([key], |row| row.get(0)).optional()?)
}

/// The catalog's entry, as the file has it.
///
/// # Errors
/// When SQLite fails.
pub fn identity(connection: &Connection) -> Result<Option<String>> {
    text(connection, IDENTITY)
}

/// Writes the catalog's entry into the file, so that it can be told what it is when the catalog is lost.
///
/// # Errors
/// When SQLite fails.
pub fn set_identity(connection: &Connection, entry: &str) -> Result<()> {
    let mut statement = connection.prepare_cached("INSERT OR REPLACE INTO meta(key, value) VALUES(?, ?)")?;
    statement.execute((IDENTITY, entry))?;
    Ok(())
}

/// Opens the file for reading.
///
/// # Errors
/// When SQLite cannot.
pub fn open_reader(path: &Path, checked: bool) -> Result<Connection> {
    let mut connection = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY, checked)?;
    guard::watch(&mut connection)?;
    connection.pragma_update(None, "cache_size", -16_384)?;
    if !checked {
        // Nobody looks at the bytes of a mapped file.
        connection.pragma_update(None, "mmap_size", 1_i64 << 30)?;
    }
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
    let text = |key: &str| text(connection, key);
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
