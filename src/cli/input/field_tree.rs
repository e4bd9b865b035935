//! The wanted fields of JSON records as a tree of keys. `a.b` is found as `{"a": {"b": …}}` and as `{"a.b": …}`.

/// Names with more dots are only looked for as nested objects and as one key: each dot doubles the ways.
const MAX_FREE_DOTS: usize = 6;

#[derive(Clone, Debug, Default)]
pub(super) struct FieldTree {
    keys: Vec<Key>,
}

#[derive(Clone, Debug)]
pub(super) struct Key {
    name: Box<[u8]>,
    /// Which wanted field the value is.
    pub(super) slot: Option<usize>,
    /// Where to look if the value is an object.
    pub(super) inner: FieldTree,
}

impl FieldTree {
    /// A tree of distinct names; `slot` is a name's place in the list.
    pub(super) fn new(names: &[String]) -> Self {
        let mut tree = Self::default();
        for (slot, name) in names.iter().enumerate() {
            let dots = name.matches('.').count();
            tree.add(name, slot, dots <= MAX_FREE_DOTS);
        }
        tree
    }

    fn add(&mut self, path: &str, slot: usize, free: bool) {
        self.key(path).slot = Some(slot);
        let cuts = path.match_indices('.').map(|(at, _)| at);
        for cut in cuts.take(if free { usize::MAX } else { 1 }) {
            let (first, rest) = (&path[..cut], &path[cut + 1..]);
            self.key(first).inner.add(rest, slot, free);
        }
    }

    fn key(&mut self, name: &str) -> &mut Key {
        let place = self.keys.iter().position(|k| *k.name == *name.as_bytes()).unwrap_or_else(|| {
            self.keys.push(Key { name: name.as_bytes().into(), slot: None, inner: Self::default() });
            self.keys.len() - 1
        });
        &mut self.keys[place]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    #[inline]
    pub(super) fn get(&self, name: &[u8]) -> Option<&Key> {
        self.keys.iter().find(|k| *k.name == *name)
    }
}
