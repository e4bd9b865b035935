//! Snapshots of an index: a read transaction, with the mapping that belongs to it.

use std::sync::{Arc, PoisonError};

use rusqlite::{Connection, OptionalExtension};

use super::apply;
use super::auto_id;
use super::file;
use super::handle::Index;
use crate::error::Result;
use crate::mapping::Mapping;

/// So many connections are kept when nobody reads.
const POOL: usize = 4;

/// A snapshot. It sees what had been committed when it was made, however long it lives.
#[derive(Debug)]
pub struct Reader {
    index: Arc<Index>,
    mapping: Arc<Mapping>,
    connection: Option<Connection>,
}

/// A document as it is stored.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its id.
    pub id: String,
    /// Its sequence number.
    pub seq: i64,
    /// Its version.
    pub version: i64,
    /// Its source, as it was sent.
    pub source: String,
}

impl Reader {
    pub(super) fn new(index: Arc<Index>) -> Result<Self> {
        let connection = index.connect()?;
        connection.execute_batch("BEGIN")?;
        // The first read fixes the snapshot, and says which mapping belongs to it.
        let generation = file::number(&connection, "generation")?.unwrap_or(0);
        let mut mapping = index.mapping();
        if mapping.generation != generation {
            mapping = file::load_mapping(&connection, &index.name)?;
        }
        Ok(Self { index, mapping, connection: Some(connection) })
    }

    /// The index.
    pub fn index(&self) -> &Arc<Index> {
        &self.index
    }

    /// The mapping of the snapshot.
    pub fn mapping(&self) -> &Arc<Mapping> {
        &self.mapping
    }

    /// The connection to read with.
    pub fn connection(&self) -> &Connection {
        self.connection.as_ref().expect("the connection is only taken when the reader is dropped")
    }

    /// The id of a row whose column `id` says this.
    pub fn id(&self, seq: i64, id: Option<&str>) -> String {
        id.map_or_else(|| auto_id::encode(self.index.salt(), seq), str::to_owned)
    }

    /// The document with this id.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn get(&self, id: &str) -> Result<Option<Stored>> {
        match apply::find(self.connection(), self.index.salt(), id)? {
            Some(found) => self.fetch(found.seq),
            None => Ok(None),
        }
    }

    /// The document in a row.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn fetch(&self, seq: i64) -> Result<Option<Stored>> {
        let mut statement =
            self.connection().prepare_cached("SELECT id, version, source FROM docs WHERE seq = ?")?;
        let stored = statement.query_row([seq], |row| {
            let id = row.get_ref(0)?.as_str_or_null().map_err(rusqlite::Error::from)?;
            Ok(Stored { id: self.id(seq, id), seq, version: row.get(1)?, source: row.get(2)? })
        });
        Ok(stored.optional()?)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        if connection.execute_batch("ROLLBACK").is_ok() {
            let mut pool = self.index.readers.lock().unwrap_or_else(PoisonError::into_inner);
            if pool.len() < POOL {
                pool.push(connection);
            }
        }
    }
}
