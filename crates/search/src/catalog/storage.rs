//! The file that keeps the cluster's metadata.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rusqlite::Connection;

use super::state::{IndexMeta, Kind, State};
use crate::error::{Error, Result};

/// The metadata: read from memory, changed on the disk first.
#[derive(Debug)]
pub struct Catalog {
    connection: Mutex<Connection>,
    state: RwLock<Arc<State>>,
}

impl Catalog {
    /// Opens the file, which is created if it is not there.
    ///
    /// # Errors
    /// When SQLite fails, or the file is damaged.
    pub fn open(path: &Path, durable: bool) -> Result<Self> {
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", if durable { "FULL" } else { "OFF" })?;
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS entries(kind TEXT, name TEXT, body TEXT NOT NULL, PRIMARY KEY(kind, name)) WITHOUT ROWID",
        )?;
        let state = load(&connection)?;
        Ok(Self { connection: Mutex::new(connection), state: RwLock::new(Arc::new(state)) })
    }

    /// What is known at present.
    pub fn state(&self) -> Arc<State> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the metadata, all or nothing, one change after the other. Says also which indices that were there have another
    /// entry now.
    ///
    /// # Errors
    /// When `change` fails or the disk does: then nothing has changed.
    pub fn change<T>(
        &self,
        change: impl FnOnce(&mut State) -> Result<T>,
    ) -> Result<(T, Vec<Arc<IndexMeta>>)> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.state();
        let mut new = State::clone(&old);
        let result = change(&mut new)?;
        let transaction = connection.transaction()?;
        store(&transaction, &old, &new)?;
        transaction.commit()?;
        let is_another = |meta: &&Arc<IndexMeta>| {
            old.indices
                .get(&meta.name)
                .is_some_and(|before| before.uuid == meta.uuid && !Arc::ptr_eq(before, meta))
        };
        let changed = new.indices.values().filter(is_another).cloned().collect();
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
        Ok((result, changed))
    }
}

const INDEX: &str = "index";

fn load(connection: &Connection) -> Result<State> {
    let mut state = State::default();
    let mut statement = connection.prepare("SELECT kind, name, body FROM entries")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (kind, name, body): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let damaged = |_| Error::Corrupt(format!("the catalog's entry [{kind}/{name}] is damaged"));
        if kind == INDEX {
            state.indices.insert(name.clone(), serde_json::from_str(&body).map(Arc::new).map_err(damaged)?);
        } else if let Some(known) = Kind::by_name(&kind) {
            let value = serde_json::from_str(&body).map(Arc::new).map_err(damaged)?;
            state.things.insert((known, name.clone()), value);
        }
    }
    Ok(state)
}

/// Writes what differs.
fn store(connection: &Connection, old: &State, new: &State) -> Result<()> {
    let mut put =
        connection.prepare_cached("INSERT OR REPLACE INTO entries(kind, name, body) VALUES(?, ?, ?)")?;
    let mut drop = connection.prepare_cached("DELETE FROM entries WHERE kind = ? AND name = ?")?;
    let text = |body: serde_json::Result<String>| body.map_err(|error| Error::Corrupt(error.to_string()));
    for (name, meta) in &new.indices {
        if !old.indices.get(name).is_some_and(|before| Arc::ptr_eq(before, meta)) {
            put.execute((INDEX, name, text(serde_json::to_string(&**meta))?))?;
        }
    }
    for name in old.indices.keys().filter(|name| !new.indices.contains_key(*name)) {
        drop.execute((INDEX, name))?;
    }
    for ((kind, name), value) in &new.things {
        let before = old.things.get(&(*kind, name.clone()));
        if !before.is_some_and(|before| Arc::ptr_eq(before, value)) {
            put.execute((kind.name(), name, text(serde_json::to_string(&**value))?))?;
        }
    }
    for (kind, name) in old.things.keys().filter(|key| !new.things.contains_key(*key)) {
        drop.execute((kind.name(), name))?;
    }
    Ok(())
}
