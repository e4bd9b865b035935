//! The indices that are open: as many as the process has files and threads for. The others are opened when somebody uses them.

use std::sync::Arc;

use ahash::AHashMap;

use crate::index::Index;

/// Open indices, by their ids.
#[derive(Debug)]
pub(super) struct OpenIndices {
    most: usize,
    /// Counts the uses, so that the one that was not used for the longest time is known.
    uses: u64,
    open: AHashMap<String, (u64, Arc<Index>)>,
}

impl OpenIndices {
    pub(super) fn new(most: usize) -> Self {
        Self { most: most.max(1), uses: 0, open: AHashMap::new() }
    }

    /// The index, if it is open.
    pub(super) fn get(&mut self, uuid: &str) -> Option<Arc<Index>> {
        self.uses += 1;
        let (last, index) = self.open.get_mut(uuid)?;
        *last = self.uses;
        let index = Arc::clone(index);
        // A search over more indices than may be open has left some.
        self.close_until(self.most);
        Some(index)
    }

    /// Keeps an index open, and closes those that nobody uses and that were not used for the longest time.
    pub(super) fn insert(&mut self, uuid: &str, index: Arc<Index>) {
        self.close_until(self.most - 1);
        self.uses += 1;
        self.open.insert(uuid.to_owned(), (self.uses, index));
    }

    /// Closes the oldest of those that nobody uses until no more than so many are open.
    fn close_until(&mut self, most: usize) {
        while self.open.len() > most {
            // Whoever reads or writes an index holds it.
            let idle = self.open.iter().filter(|(_, (_, index))| Arc::strong_count(index) == 1);
            let Some(oldest) = idle.min_by_key(|(_, (last, _))| *last).map(|(uuid, _)| uuid.clone()) else {
                break;
            };
            // Closed here, so that nobody opens it anew before all is written.
            self.open.remove(&oldest);
        }
    }

    /// Takes an index away, so that it is not found any more.
    pub(super) fn remove(&mut self, uuid: &str) -> Option<Arc<Index>> {
        self.open.remove(uuid).map(|(_, index)| index)
    }
}
