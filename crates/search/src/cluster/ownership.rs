//! Who owns a data folder: one process, as long as the folder is the one that it opened.

use std::fs::{DirBuilder, File, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The right to write in a folder, until it is dropped.
#[derive(Debug)]
pub(super) struct Ownership {
    path: PathBuf,
    /// The folder itself is locked, so that the lock holds when a file in it is removed.
    folder: File,
    /// Locked too, for earlier versions, which know this file only.
    _file: File,
}

impl Ownership {
    /// Creates the folder if it is not there, for its owner only, and locks it.
    ///
    /// # Errors
    /// When another process has it, or the file system fails.
    pub(super) fn take(path: &Path) -> Result<Self> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path.join("indices"))?;
        close_to_others(path)?;
        close_to_others(&path.join("indices"))?;
        let folder = File::open(path)?;
        lock(&folder, path)?;
        let file = File::create(path.join("lock"))?;
        lock(&file, path)?;
        Ok(Self { path: path.to_owned(), folder, _file: file })
    }

    /// Is the folder still the one that was locked?
    ///
    /// # Errors
    /// When it was removed, or another one stands in its place: whatever were written would be lost.
    pub(super) fn check(&self) -> Result<()> {
        let gone = || Error::Unavailable {
            index: "_all".to_owned(),
            why: format!(
                "the data folder [{}] was removed or replaced while the server runs; nothing more is written. Put it back or \
                 start the server again",
                self.path.display()
            ),
        };
        let there = std::fs::metadata(&self.path).map_err(|_| gone())?;
        let own = self.folder.metadata()?;
        if is_same(&there, &own) { Ok(()) } else { Err(gone()) }
    }
}

fn lock(file: &File, path: &Path) -> Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            Err(Error::illegal(format!("the store in [{}] is in use by another process", path.display())))
        }
        Err(TryLockError::Error(error)) => Err(Error::Io(error)),
    }
}

#[cfg(unix)]
fn is_same(left: &std::fs::Metadata, right: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (left.dev(), left.ino()) == (right.dev(), right.ino())
}

#[cfg(not(unix))]
fn is_same(_: &std::fs::Metadata, _: &std::fs::Metadata) -> bool {
    true
}

/// What is in the store is nobody else's business; a folder that was made by an earlier version, or by hand, is closed as well.
#[cfg(unix)]
fn close_to_others(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path)?.permissions().mode();
    if mode & 0o077 != 0
        && let Err(error) = std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode & !0o077))
    {
        // A volume of a container may belong to somebody else.
        tracing::warn!(folder = %path.display(), %error, "other users may read the data folder");
    }
    Ok(())
}

#[cfg(not(unix))]
fn close_to_others(_: &Path) -> Result<()> {
    Ok(())
}
