//! Opening the store, and what all its parts share.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::open_indices::OpenIndices;
use super::ownership::Ownership;
use crate::catalog::{Catalog, Expand, IndexMeta, State, Target};
use crate::error::{Error, Result};
use crate::index::{Index, checked_vfs, file};
use crate::search::Contexts;

/// Milliseconds since the epoch.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// How the store behaves.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Is every acknowledged write on the disk? Only tests and throw-away stores should say no.
    pub durable: bool,
    /// Does a write to a missing index create it (`action.auto_create_index`)?
    pub auto_create_index: bool,
    /// The most buckets of an answer (`search.max_buckets`).
    pub max_buckets: usize,
    /// Indices that are kept open, each with a thread and up to fifteen files; the others are opened when they are used.
    pub open_indices: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { durable: true, auto_create_index: true, max_buckets: 65_536, open_indices: 64 }
    }
}

/// The embedded store. All methods block; clones share the same store.
#[derive(Clone)]
pub struct Search {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    folder: PathBuf,
    clock: Clock,
    pub(crate) options: Options,
    pub(crate) catalog: Catalog,
    pub(crate) contexts: Mutex<Contexts>,
    open: Mutex<OpenIndices>,
    /// What was found at the start and is left as it is.
    left_alone: Vec<String>,
    /// Held as long as the store is open.
    owned: Ownership,
}

impl std::fmt::Debug for Search {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Search").field("folder", &self.inner.folder).finish_non_exhaustive()
    }
}

impl Search {
    /// Opens the store in `folder`, which is created if it is not there.
    ///
    /// # Errors
    /// When another process has it open, the file system fails or a file is damaged.
    pub fn open(folder: &Path, clock: Clock, options: Options) -> Result<Self> {
        let owned = Ownership::take(folder)?;
        let folder = folder.canonicalize()?;
        let catalog = Catalog::open(&folder.join("catalog.db"), options.durable)
            .map_err(|error| damaged_catalog(&folder, &error))?;
        let left_alone = super::dangling::settle(&catalog, &folder.join("indices"))?;
        let inner = Inner {
            folder,
            clock,
            options,
            catalog,
            contexts: Mutex::new(Contexts::default()),
            open: Mutex::new(OpenIndices::new(options.open_indices)),
            left_alone,
            owned,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Changes the catalog. The files of indices whose entries change keep the new ones.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        self.inner.owned.check()?;
        let (result, changed) = self.inner.catalog.change(change)?;
        for meta in changed {
            match self.index_of(&meta) {
                Ok(index) => self.keep_identity(&index, &meta),
                Err(error) => {
                    tracing::warn!(index = meta.name, %error, "the file does not know its new entry");
                }
            }
        }
        Ok(result)
    }

    /// Writes the catalog's entry into the index's file. Without it the index works as well; only a lost catalog could not be
    /// made again from its file.
    pub(crate) fn keep_identity(&self, index: &Index, meta: &IndexMeta) {
        let kept = serde_json::to_string(meta)
            .map_err(|error| Error::Corrupt(error.to_string()))
            .and_then(|entry| index.set_identity(entry));
        if let Err(error) = kept {
            tracing::warn!(index = meta.name, %error, "the file does not know its entry");
        }
    }

    /// Open indices that cannot be used as a whole, with what is wrong with their files.
    pub fn red_indices(&self) -> Vec<(String, String)> {
        let state = self.state();
        let open = state.indices.values().filter(|meta| meta.open);
        open.filter_map(|meta| self.damage_of(meta).map(|why| (meta.name.clone(), why))).collect()
    }

    /// What is wrong with the index's file, if something is.
    pub(crate) fn damage_of(&self, meta: &IndexMeta) -> Option<String> {
        let path = self.path_of(&meta.uuid);
        if !file::is_there(&path) {
            return Some(format!("its file [{}] is missing or empty", path.display()));
        }
        checked_vfs::damage_of(&path)
    }

    /// What was found in the folder and is left as it is: files that nobody knows.
    pub fn left_alone(&self) -> &[String] {
        &self.inner.left_alone
    }

    /// Is the folder still the one that was opened?
    ///
    /// # Errors
    /// When it was removed or replaced.
    pub fn check_folder(&self) -> Result<()> {
        self.inner.owned.check()
    }

    /// The present, in milliseconds since the epoch.
    pub(crate) fn now_ms(&self) -> i64 {
        (self.inner.clock)()
    }

    /// How long something has taken, in milliseconds.
    pub(crate) fn took(&self, since_ms: i64) -> i64 {
        (self.now_ms() - since_ms).max(0)
    }

    pub(crate) fn state(&self) -> Arc<State> {
        self.inner.catalog.state()
    }

    pub(crate) fn path_of(&self, uuid: &str) -> PathBuf {
        self.inner.folder.join("indices").join(format!("{uuid}.db"))
    }

    /// The open index behind an entry of the catalog.
    pub(crate) fn index_of(&self, meta: &IndexMeta) -> Result<Arc<Index>> {
        let mut open = self.inner.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = open.get(&meta.uuid) {
            return Ok(index);
        }
        // An entry that was read before the index was deleted must not bring its file back.
        if self.state().indices.get(&meta.name).is_none_or(|known| known.uuid != meta.uuid) {
            return Err(Error::IndexNotFound { index: meta.name.clone() });
        }
        let path = self.path_of(&meta.uuid);
        if let Some(why) = self.damage_of(meta).filter(|_| !file::is_there(&path)) {
            return Err(Error::Unavailable { index: meta.name.clone(), why });
        }
        let opened = Index::open(&path, &meta.name, &meta.uuid, self.inner.options.durable, meta.checked);
        let index = opened.map_err(|error| match error {
            Error::Damaged(cause) => {
                checked_vfs::note_damage(&path, &format!("it cannot be opened: {cause}"));
                let what = checked_vfs::damage_of(&path).unwrap_or_else(|| cause.to_string());
                let why = format!("its file [{}] is damaged: {what}", path.display());
                Error::Unavailable { index: meta.name.clone(), why }
            }
            other => other,
        })?;
        if !index.has_identity {
            self.keep_identity(&index, meta);
        }
        open.insert(&meta.uuid, Arc::clone(&index));
        Ok(index)
    }

    pub(crate) fn forget(&self, uuid: &str) -> Option<Arc<Index>> {
        self.inner.open.lock().unwrap_or_else(PoisonError::into_inner).remove(uuid)
    }

    /// The indices that an expression means.
    ///
    /// # Errors
    /// When one of them is missing.
    pub fn resolve(&self, expression: &str, expand: Expand) -> Result<Vec<Target>> {
        self.state().resolve(expression, expand)
    }
}

/// A catalog that cannot be read is never replaced by an empty one.
fn damaged_catalog(folder: &Path, error: &Error) -> Error {
    let cause = std::error::Error::source(error).map_or_else(String::new, |cause| format!(": {cause}"));
    Error::Corrupt(format!(
        "the catalog [{}] cannot be read ({error}{cause}). Nothing was changed. Look at it with `auspex check`; if there is no \
         backup of the folder, move catalog.db, catalog.db-wal and catalog.db-shm away and start again: the catalog is then made \
         anew from what the files of the indices say of themselves (templates and stored settings are lost)",
        folder.join("catalog.db").display()
    ))
}

/// A random id of 22 characters that are safe in URLs.
pub(crate) fn unique_id() -> String {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    // Each `RandomState` has keys of its own, drawn from the system's randomness.
    let mut bits = RandomState::new().build_hasher().finish();
    let mut more = RandomState::new().build_hasher().finish();
    let mut id = String::with_capacity(22);
    for place in 0..22 {
        let from = if place < 11 { &mut bits } else { &mut more };
        id.push(char::from(ALPHABET[(*from % 62) as usize]));
        *from /= 62;
    }
    id
}
