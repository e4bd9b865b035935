//! Opening the store, and what all its parts share.

use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ahash::AHashMap;

use crate::catalog::{Catalog, Expand, IndexMeta, State, Target};
use crate::error::{Error, Result};
use crate::index::Index;
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
}

impl Default for Options {
    fn default() -> Self {
        Self { durable: true, auto_create_index: true, max_buckets: 65_536 }
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
    open: Mutex<AHashMap<String, Arc<Index>>>,
    /// Held as long as the store is open.
    _lock: File,
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
        let indices = folder.join("indices");
        std::fs::create_dir_all(&indices)?;
        let lock = File::create(folder.join("lock"))?;
        if let Err(error) = lock.try_lock() {
            return Err(match error {
                std::fs::TryLockError::WouldBlock => Error::illegal(format!(
                    "the store in [{}] is in use by another process",
                    folder.display()
                )),
                std::fs::TryLockError::Error(error) => Error::Io(error),
            });
        }
        let catalog = Catalog::open(&folder.join("catalog.db"), options.durable)?;
        let inner = Inner {
            folder: folder.to_owned(),
            clock,
            options,
            catalog,
            contexts: Mutex::new(Contexts::default()),
            open: Mutex::new(AHashMap::new()),
            _lock: lock,
        };
        let search = Self { inner: Arc::new(inner) };
        search.remove_leftovers(&indices)?;
        Ok(search)
    }

    /// A crash between creating a file and naming it in the catalog, or the other way round, leaves a file without a name.
    fn remove_leftovers(&self, indices: &Path) -> Result<()> {
        let state = self.state();
        let known: Vec<String> = state.indices.values().map(|meta| format!("{}.db", meta.uuid)).collect();
        for entry in std::fs::read_dir(indices)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".db") && !known.contains(&name) {
                crate::index::handle::remove_files(&entry.path())?;
            }
        }
        Ok(())
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
            return Ok(Arc::clone(index));
        }
        // An entry that was read before the index was deleted must not bring its file back.
        if self.state().indices.get(&meta.name).is_none_or(|known| known.uuid != meta.uuid) {
            return Err(Error::IndexNotFound { index: meta.name.clone() });
        }
        let index =
            Index::open(&self.path_of(&meta.uuid), &meta.name, &meta.uuid, self.inner.options.durable)?;
        open.insert(meta.uuid.clone(), Arc::clone(&index));
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
