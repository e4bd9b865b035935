//! Dense ids for texts and for pairs of ids. The tables are only looked up in, never walked in their own order, so that
//! no result depends on hashing.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Stands for a split that a detector does not have, and for a value that could not be given an id.
pub(crate) const NONE: u32 = u32::MAX;

/// Open addressing with linear probing: positions hold `id + 1`, 0 is free.
#[derive(Clone, Debug, Default)]
struct Probe {
    slots: Vec<u32>,
    used: usize,
}

impl Probe {
    fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        if self.slots.is_empty() {
            return None;
        }
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            match self.slots[at] {
                0 => return None,
                id if is_it(id - 1) => return Some(id - 1),
                _ => at = (at + 1) & mask,
            }
        }
    }

    fn insert(&mut self, hash: u64, id: u32, hash_of: impl Fn(u32) -> u64) {
        if (self.used + 1) * 2 > self.slots.len() {
            let old = std::mem::take(&mut self.slots);
            self.slots = vec![0; (old.len() * 2).max(16)];
            for slot in old.into_iter().filter(|slot| *slot != 0) {
                self.place(hash_of(slot - 1), slot);
            }
        }
        self.place(hash, id + 1);
        self.used += 1;
    }

    fn place(&mut self, hash: u64, slot: u32) {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        while self.slots[at] != 0 {
            at = (at + 1) & mask;
        }
        self.slots[at] = slot;
    }

    fn clear(&mut self) {
        self.slots.fill(0);
        self.used = 0;
    }
}

/// Texts ↔ ids. Ids of forgotten texts are given again.
#[derive(Clone, Debug)]
pub(crate) struct Interner {
    /// All texts, one after the other: a new one seldom needs an allocation.
    text: String,
    places: Vec<Place>,
    hashes: Vec<u64>,
    free: Vec<u32>,
    probe: Probe,
    hasher: ahash::RandomState,
    /// The id after the one found last: texts mostly come in the order in which they came before, and then neither a
    /// hash nor a random place in memory is needed.
    next: u32,
}

/// Where a text lies.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    start: u32,
    length: u32,
}

/// Bytes for each text beside the text itself: its place, its hash, and its share of the probe.
const NAME_BYTES: usize = size_of::<Place>() + 8 + 16;

impl Default for Interner {
    fn default() -> Self {
        Self {
            text: String::new(),
            places: Vec::new(),
            hashes: Vec::new(),
            free: Vec::new(),
            probe: Probe::default(),
            hasher: ahash::RandomState::with_seeds(0x1405, 0x7b1d, 0x51f0, 0x2c3b),
            next: 0,
        }
    }
}

impl Interner {
    #[cfg(test)]
    fn get(&self, name: &str) -> Option<u32> {
        self.find(self.hasher.hash_one(name), name)
    }

    /// The id of a text, a new one when it is not known and `may_grow`.
    pub(crate) fn resolve(&mut self, name: &str, may_grow: bool) -> Option<u32> {
        // A forgotten text is empty.
        if !name.is_empty() && self.name(self.next) == name {
            self.next += 1;
            return Some(self.next - 1);
        }
        let hash = self.hasher.hash_one(name);
        let known = self.find(hash, name);
        if let Some(id) = known {
            self.next = id + 1;
        }
        if known.is_some() || !may_grow {
            return known;
        }
        let place = self.store(name)?;
        let id = match self.free.pop() {
            Some(id) => {
                self.places[id as usize] = place;
                self.hashes[id as usize] = hash;
                id
            }
            None => {
                self.places.push(place);
                self.hashes.push(hash);
                self.places.len() as u32 - 1
            }
        };
        let hashes = &self.hashes;
        self.probe.insert(hash, id, |id| hashes[id as usize]);
        Some(id)
    }

    /// `None` when there are 4 GiB of text.
    fn store(&mut self, name: &str) -> Option<Place> {
        let start = u32::try_from(self.text.len()).ok()?;
        let length = u32::try_from(name.len()).ok()?;
        self.text.push_str(name);
        Some(Place { start, length })
    }

    fn find(&self, hash: u64, name: &str) -> Option<u32> {
        self.probe.find(hash, |id| self.hashes[id as usize] == hash && self.name(id) == name)
    }

    /// The text; empty for [`NONE`].
    pub(crate) fn name(&self, id: u32) -> &str {
        self.places.get(id as usize).map_or("", |place| {
            &self.text[place.start as usize..place.start as usize + place.length as usize]
        })
    }

    /// Forgets the texts for which `is_used` is false.
    pub(crate) fn retain(&mut self, is_used: impl Fn(u32) -> bool) {
        let mut is_free = vec![false; self.places.len()];
        self.free.iter().for_each(|id| is_free[*id as usize] = true);
        let old = std::mem::take(&mut self.text);
        for (id, is_free) in is_free.into_iter().enumerate() {
            let Place { start, length } = std::mem::take(&mut self.places[id]);
            if is_free {
                continue;
            }
            if is_used(id as u32) {
                self.places[id] = Place { start: self.text.len() as u32, length };
                self.text.push_str(&old[start as usize..start as usize + length as usize]);
            } else {
                self.free.push(id as u32);
            }
        }
        self.rebuild();
    }

    /// Forgets everything, keeping the room.
    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.places.clear();
        self.hashes.clear();
        self.free.clear();
        self.probe.clear();
    }

    pub(crate) fn live(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.text.len() + self.places.len() * NAME_BYTES
    }

    /// Those of them that wait for new texts.
    pub(crate) fn reusable_bytes(&self) -> usize {
        self.free.len() * NAME_BYTES
    }

    fn rebuild(&mut self) {
        let mut is_free = vec![false; self.places.len()];
        self.free.iter().for_each(|id| is_free[*id as usize] = true);
        self.probe = Probe::default();
        let hash = |id: usize| self.hasher.hash_one(self.name(id as u32));
        self.hashes = (0..self.places.len()).map(hash).collect();
        let hashes = &self.hashes;
        for id in (0..self.places.len()).filter(|id| !is_free[*id]) {
            self.probe.insert(hashes[id], id as u32, |id| hashes[id as usize]);
        }
    }
}

impl Serialize for Interner {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let names: Vec<&str> = (0..self.places.len()).map(|id| self.name(id as u32)).collect();
        (names, &self.free).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Interner {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (names, free): (Vec<Box<str>>, Vec<u32>) = Deserialize::deserialize(deserializer)?;
        if free.iter().any(|id| *id as usize >= names.len()) {
            return Err(de::Error::custom("free ids of texts are out of range"));
        }
        let mut interner = Self { free, ..Self::default() };
        interner.text.reserve_exact(names.iter().map(|name| name.len()).sum());
        interner.places.reserve_exact(names.len());
        for name in names {
            let place = interner.store(&name).ok_or_else(|| de::Error::custom("there is too much text"))?;
            interner.places.push(place);
        }
        interner.rebuild();
        Ok(interner)
    }
}

/// Pairs of ids ↔ ids. Ids of forgotten pairs are given again.
#[derive(Clone, Debug, Default)]
pub(crate) struct PairTable {
    keys: Vec<u64>,
    free: Vec<u32>,
    probe: Probe,
    /// The id after the one found last in order.
    next: u32,
}

/// Bytes for each pair.
pub(crate) const PAIR_BYTES: usize = 8 + 8;

/// Not a pair that occurs: ids are below [`NONE`] in at least one half.
const FREE_KEY: u64 = u64::MAX - 1;

fn key_of(a: u32, b: u32) -> u64 {
    u64::from(a) << 32 | u64::from(b)
}

fn hash_of_key(key: u64) -> u64 {
    let mixed = (key ^ (key >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}

impl PairTable {
    pub(crate) fn get(&self, a: u32, b: u32) -> Option<u32> {
        let key = key_of(a, b);
        self.probe.find(hash_of_key(key), |id| self.keys[id as usize] == key)
    }

    /// As [`Self::get`], for pairs that mostly come in the order in which they came before.
    pub(crate) fn get_in_order(&mut self, a: u32, b: u32) -> Option<u32> {
        let found = match self.keys.get(self.next as usize) {
            Some(key) if *key == key_of(a, b) => Some(self.next),
            _ => self.get(a, b),
        };
        if let Some(id) = found {
            self.next = id + 1;
        }
        found
    }

    /// A new id for a pair that is not known.
    pub(crate) fn insert(&mut self, a: u32, b: u32) -> u32 {
        let key = key_of(a, b);
        let id = match self.free.pop() {
            Some(id) => {
                self.keys[id as usize] = key;
                id
            }
            None => {
                self.keys.push(key);
                self.keys.len() as u32 - 1
            }
        };
        let keys = &self.keys;
        self.probe.insert(hash_of_key(key), id, |id| hash_of_key(keys[id as usize]));
        id
    }

    /// The pair of an id.
    pub(crate) fn pair(&self, id: u32) -> (u32, u32) {
        let key = self.keys[id as usize];
        ((key >> 32) as u32, key as u32)
    }

    pub(crate) fn is_live(&self, id: u32) -> bool {
        self.keys.get(id as usize).is_some_and(|key| *key != FREE_KEY)
    }

    /// Ids given so far, free ones included.
    pub(crate) fn ids(&self) -> u32 {
        self.keys.len() as u32
    }

    pub(crate) fn live(&self) -> usize {
        self.keys.len() - self.free.len()
    }

    pub(crate) fn clear(&mut self) {
        self.keys.clear();
        self.free.clear();
        self.probe.clear();
    }

    /// Forgets the pairs for which `is_used` is false.
    pub(crate) fn retain(&mut self, is_used: impl Fn(u32) -> bool) {
        for id in 0..self.ids() {
            if self.is_live(id) && !is_used(id) {
                self.keys[id as usize] = FREE_KEY;
                self.free.push(id);
            }
        }
        self.rebuild();
    }

    fn rebuild(&mut self) {
        self.probe = Probe::default();
        let keys = &self.keys;
        for id in (0..keys.len() as u32).filter(|id| keys[*id as usize] != FREE_KEY) {
            let hash = hash_of_key(keys[id as usize]);
            self.probe.insert(hash, id, |id| hash_of_key(keys[id as usize]));
        }
    }
}

impl Serialize for PairTable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.keys, &self.free).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PairTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (keys, free): (Vec<u64>, Vec<u32>) = Deserialize::deserialize(deserializer)?;
        if free.iter().any(|id| *id as usize >= keys.len()) {
            return Err(de::Error::custom("free ids of pairs are out of range"));
        }
        let mut table = Self { keys, free, ..Self::default() };
        table.rebuild();
        Ok(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgotten_ids_are_given_again() {
        let mut names = Interner::default();
        for i in 0..100 {
            assert_eq!(names.resolve(&format!("n{i}"), true), Some(i));
        }
        assert_eq!(names.resolve("n7", false), Some(7));
        assert_eq!(names.resolve("new", false), None);
        names.retain(|id| id != 7);
        let mut names: Interner = postcard::from_bytes(&postcard::to_allocvec(&names).unwrap()).unwrap();
        assert_eq!((names.get("n7"), names.get("n8"), names.live()), (None, Some(8), 99));
        assert_eq!(names.resolve("new", true), Some(7));
        assert_eq!(names.name(7), "new");
    }

    #[test]
    fn texts_in_order_and_out_of_order_have_the_same_ids() {
        let mut names = Interner::default();
        let name = |i: u32| if i == 5 { String::new() } else { format!("n{i}") };
        (0..10).for_each(|i| assert_eq!(names.resolve(&name(i), true), Some(i)));
        for i in [0, 1, 2, 9, 3, 4, 5, 6, 6, 7, 0] {
            assert_eq!(names.resolve(&name(i), false), Some(i));
        }
        names.retain(|id| id != 3);
        assert_eq!(names.resolve("n2", false), Some(2));
        // The next one is forgotten, and its text is empty.
        assert_eq!(names.resolve("", false), Some(5));
        assert_eq!(names.resolve("n2", false), Some(2));
        assert_eq!(names.resolve("n3", false), None);
    }

    #[test]
    fn pairs_in_order_and_out_of_order_have_the_same_ids() {
        let mut pairs = PairTable::default();
        (0..10).for_each(|i| assert_eq!(pairs.insert(i, NONE), i));
        for i in [0, 1, 2, 9, 3, 4, 4, 5, 8, 9, 0] {
            assert_eq!(pairs.get_in_order(i, NONE), Some(i));
        }
        pairs.retain(|id| id != 1);
        assert_eq!((pairs.get_in_order(0, NONE), pairs.get_in_order(1, NONE)), (Some(0), None));
        assert_eq!(pairs.get_in_order(2, NONE), Some(2));
    }

    #[test]
    fn pairs_are_found_after_growth_and_forgetting() {
        let mut pairs = PairTable::default();
        for i in 0..1000 {
            assert_eq!(pairs.insert(i / 10, if i % 10 == 0 { NONE } else { i % 10 }), i);
        }
        assert_eq!(pairs.get(99, 9), Some(999));
        assert_eq!(pairs.pair(990), (99, NONE));
        pairs.retain(|id| id % 2 == 0);
        let pairs: PairTable = postcard::from_bytes(&postcard::to_allocvec(&pairs).unwrap()).unwrap();
        assert_eq!((pairs.get(99, 9), pairs.get(99, 8), pairs.live()), (None, Some(998), 500));
    }
}
