//! Files of indices that the catalog does not know, as they are found at the start.
//!
//! A file is removed only when the catalog says that its index was deleted, or when it is the beginning of an index that was never
//! told to anybody: one without an entry of its own and without documents. Every other file says what it is, and becomes an index
//! again, or is left alone and named.

use std::path::Path;
use std::sync::Arc;

use crate::catalog::{Catalog, IndexMeta, Kind};
use crate::error::Result;
use crate::index::file::{self, Peek};
use crate::index::handle::remove_files;

/// Settles what becomes of each file in the folder; says which ones are left alone, and why.
///
/// # Errors
/// When the folder cannot be read, or the catalog not be written.
pub(super) fn settle(catalog: &Catalog, indices: &Path) -> Result<Vec<String>> {
    let state = catalog.state();
    let known: ahash::AHashSet<&str> = state.indices.values().map(|meta| meta.uuid.as_str()).collect();
    let mut left_alone = Vec::new();
    let mut imported: Vec<IndexMeta> = Vec::new();
    for entry in std::fs::read_dir(indices)? {
        let path = entry?.path();
        let Some(uuid) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".db")) else {
            continue;
        };
        if known.contains(uuid) {
            continue;
        }
        if state.things.contains_key(&(Kind::Deleted, uuid.to_owned())) {
            remove_files(&path)?;
            continue;
        }
        let is_free = |name: &str| {
            !state.indices.contains_key(name)
                && state.behind_alias(name).is_empty()
                && !imported.iter().any(|other| other.name == name)
        };
        match verdict(uuid, &path, is_free) {
            Verdict::Unfinished => remove_files(&path)?,
            Verdict::Index(meta) => imported.push(*meta),
            Verdict::LeftAlone(why) => {
                tracing::error!(file = %path.display(), why, "a file of an index is not in the catalog and is left alone");
                left_alone.push(format!(
                    "the file [{}] is not in the catalog and is left alone: {why}",
                    path.display()
                ));
            }
        }
    }
    let is_over = |kind: &Kind| *kind == Kind::Deleted;
    if !imported.is_empty() || state.things.keys().any(|(kind, _)| is_over(kind)) {
        catalog.change(|state| {
            state.things.retain(|(kind, _), _| !is_over(kind));
            for meta in imported {
                tracing::warn!(index = meta.name, "an index that the catalog did not know is there again");
                state.indices.insert(meta.name.clone(), Arc::new(meta));
            }
            Ok(())
        })?;
    }
    Ok(left_alone)
}

enum Verdict {
    /// The beginning of an index of which nobody was told.
    Unfinished,
    /// An index that can be used again.
    Index(Box<IndexMeta>),
    /// Something else, and why it is left alone.
    LeftAlone(String),
}

fn verdict(uuid: &str, path: &Path, is_free: impl Fn(&str) -> bool) -> Verdict {
    let peek = match file::peek(path) {
        Ok(peek) => peek,
        // Nothing was ever written to it.
        Err(_) if !file::is_there(path) => return Verdict::Unfinished,
        Err(error) => {
            let cause =
                std::error::Error::source(&error).map_or_else(String::new, |cause| format!(": {cause}"));
            return Verdict::LeftAlone(format!("it cannot be read ({error}{cause})"));
        }
    };
    let Peek { identity, documents, checked } = peek;
    let Some(identity) = identity else {
        return if documents == 0 {
            Verdict::Unfinished
        } else {
            Verdict::LeftAlone(format!("it has {documents} documents and does not say which index it is"))
        };
    };
    match serde_json::from_str::<IndexMeta>(&identity) {
        Ok(meta) if meta.uuid != uuid => {
            Verdict::LeftAlone(format!("it says that it is the file [{}.db]", meta.uuid))
        }
        Ok(meta) if !is_free(&meta.name) => Verdict::LeftAlone(format!(
            "it is an index [{}], and there is another one of that name",
            meta.name
        )),
        Ok(meta) => Verdict::Index(Box::new(IndexMeta { checked, ..meta })),
        Err(error) => Verdict::LeftAlone(format!("what it says of itself cannot be read ({error})")),
    }
}
