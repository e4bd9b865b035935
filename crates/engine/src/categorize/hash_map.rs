//! Look-up tables whose keys are hashes already. They are never iterated in their own order: what is saved is
//! sorted by key first.
#![allow(clippy::disallowed_types, reason = "fixed hasher, and no result depends on the order of the table")]

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A table keyed by 64-bit hashes.
pub(super) type HashTable<V> = HashMap<u64, V, BuildHasherDefault<KeyIsHash>>;

/// Bytes that one entry of a table costs, spare room included. A figure by count and not by capacity, so that a
/// restored table costs what the saved one did.
pub(super) const fn entry_bytes<V>() -> usize {
    (size_of::<(u64, V)>() + 1) * 3 / 2
}

/// Takes the key for its own hash.
#[derive(Debug, Default)]
pub(super) struct KeyIsHash(u64);

impl Hasher for KeyIsHash {
    fn write(&mut self, bytes: &[u8]) {
        // Keys are `u64`, so this is not reached; any function of the bytes is right.
        for &b in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(b);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The entries in the order of their keys, for saving.
pub(super) fn sorted<V: Clone>(table: &HashTable<V>) -> Vec<(u64, V)> {
    let mut entries: Vec<_> = table.iter().map(|(&k, v)| (k, v.clone())).collect();
    entries.sort_unstable_by_key(|e| e.0);
    entries
}
