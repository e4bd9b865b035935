//! The handle of an index, which everybody holds.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use rusqlite::Connection;
use serde_json::{Map, Value};

use super::apply::{WriteOp, Written};
use super::reader::Reader;
use super::writer::{self, Command};
use super::{auto_id, checked_vfs, file};
use crate::error::{Error, Result};
use crate::mapping::Mapping;

/// So many requests may wait for the writer before callers are held back.
const QUEUE: usize = 64;

/// An open index.
#[derive(Debug)]
pub struct Index {
    /// The index's name.
    pub name: String,
    /// Its unique id.
    pub uuid: String,
    path: PathBuf,
    /// Do its pages have checksums?
    checked: bool,
    /// Did the file say what it is when it was opened?
    pub(crate) has_identity: bool,
    shared: Arc<Shared>,
    commands: SyncSender<Command>,
    thread: Mutex<Option<JoinHandle<()>>>,
    pub(super) readers: Mutex<Vec<Connection>>,
}

/// What the writer and everybody else share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) name: String,
    pub(super) salt: u64,
    mapping: RwLock<Arc<Mapping>>,
    count: AtomicI64,
}

impl Shared {
    pub(super) fn mapping(&self) -> Arc<Mapping> {
        Arc::clone(&self.mapping.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn publish(&self, mapping: Arc<Mapping>, count: i64) {
        *self.mapping.write().unwrap_or_else(PoisonError::into_inner) = mapping;
        self.count.store(count, Ordering::Release);
    }
}

impl Index {
    /// Creates the file of a new index, whose pages have checksums, and starts its writer.
    ///
    /// # Errors
    /// When it is there already, or SQLite fails.
    pub fn create(path: &Path, name: &str, uuid: &str, durable: bool) -> Result<Arc<Self>> {
        Self::over(file::create(path, durable)?, path, name, uuid, true)
    }

    /// Opens the index's file, and starts its writer. `checked`: do its pages have checksums?
    ///
    /// # Errors
    /// When the file is missing, cannot be opened, or is damaged.
    pub fn open(path: &Path, name: &str, uuid: &str, durable: bool, checked: bool) -> Result<Arc<Self>> {
        Self::over(file::open_writer(path, durable, checked)?, path, name, uuid, checked)
    }

    fn over(connection: Connection, path: &Path, name: &str, uuid: &str, checked: bool) -> Result<Arc<Self>> {
        let has_identity = file::identity(&connection)?.is_some();
        let mapping = file::load_mapping(&connection, name)?;
        let count = file::number(&connection, "count")?.unwrap_or(0);
        let salt = uuid.bytes().fold(0, |salt, byte| auto_id::mix(salt ^ u64::from(byte)));
        let shared = Arc::new(Shared {
            name: name.to_owned(),
            salt,
            mapping: RwLock::new(mapping),
            count: count.into(),
        });
        let (commands, queue) = sync_channel(QUEUE);
        let for_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name(format!("index-{name}"))
            .spawn(move || writer::run(connection, &for_thread, &queue))?;
        Ok(Arc::new(Self {
            name: name.to_owned(),
            uuid: uuid.to_owned(),
            path: path.to_owned(),
            checked,
            has_identity,
            shared,
            commands,
            thread: Mutex::new(Some(thread)),
            readers: Mutex::new(Vec::new()),
        }))
    }

    /// The mapping as it was last committed.
    pub fn mapping(&self) -> Arc<Mapping> {
        self.shared.mapping()
    }

    /// The number of documents.
    pub fn count(&self) -> i64 {
        self.shared.count.load(Ordering::Acquire)
    }

    /// What made-up ids are made with.
    pub fn salt(&self) -> u64 {
        self.shared.salt
    }

    /// The bytes of its files.
    pub fn size_bytes(&self) -> u64 {
        let size = |suffix: &str| {
            let mut path = self.path.clone().into_os_string();
            path.push(suffix);
            std::fs::metadata(path).map_or(0, |meta| meta.len())
        };
        size("") + size("-wal")
    }

    /// A snapshot of the index.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(self: &Arc<Self>) -> Result<Reader> {
        Reader::new(Arc::clone(self))
    }

    pub(super) fn connect(&self) -> Result<Connection> {
        let pooled = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        pooled.map_or_else(|| file::open_reader(&self.path, self.checked), Ok)
    }

    /// Writes documents, and returns once they are on the disk. Each operation has an outcome of its own.
    ///
    /// # Errors
    /// When the machine fails: then nothing was written.
    pub fn write(&self, ops: Vec<WriteOp>) -> Result<Vec<Result<Written>>> {
        if ops.is_empty() {
            return Ok(Vec::new());
        }
        self.ask(|reply| Command::Write { ops, reply })
    }

    /// Adds to the mapping.
    ///
    /// # Errors
    /// When the additions contradict the mapping, or there would be more than `limit` fields.
    pub fn merge_mapping(&self, body: Map<String, Value>, limit: usize) -> Result<Arc<Mapping>> {
        self.ask(|reply| Command::Merge { body, limit, reply })
    }

    /// Writes the catalog's entry into the file.
    ///
    /// # Errors
    /// When the machine fails.
    pub fn set_identity(&self, entry: String) -> Result<()> {
        self.ask(|reply| Command::Identity { entry, reply })
    }

    /// Where its file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sees to it that a column has an index.
    ///
    /// # Errors
    /// When the machine fails.
    pub fn ensure_index(&self, column: u32) -> Result<()> {
        self.ask(|reply| Command::EnsureIndex { column, reply: Some(reply) })
    }

    /// The same without waiting for it; does nothing if the writer is busy.
    pub fn request_index(&self, column: u32) {
        // A full queue means that the writer has better things to do.
        drop(self.commands.try_send(Command::EnsureIndex { column, reply: None }));
    }

    fn ask<T>(&self, command: impl FnOnce(Sender<Result<T>>) -> Command) -> Result<T> {
        let (reply, answer) = channel();
        let gone = || Error::IndexNotFound { index: self.name.clone() };
        self.commands.send(command(reply)).map_err(|_| gone())?;
        answer.recv().map_err(|_| gone())?
    }

    /// Stops the writer, after all that waits has been written.
    pub fn close(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // The writer may have ended already.
            drop(self.commands.send(Command::Stop));
            drop(thread.join());
        }
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Stops the writer and removes the files.
    ///
    /// # Errors
    /// When the files cannot be removed.
    pub fn remove(&self) -> Result<()> {
        self.close();
        remove_files(&self.path)
    }
}

/// Removes an index's files, and forgets what was wrong with them.
///
/// # Errors
/// When they cannot be removed.
pub fn remove_files(path: &Path) -> Result<()> {
    checked_vfs::forget_damage(path);
    for suffix in ["", "-wal", "-shm"] {
        let mut path = path.to_owned().into_os_string();
        path.push(suffix);
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

impl Drop for Index {
    fn drop(&mut self) {
        self.close();
    }
}
