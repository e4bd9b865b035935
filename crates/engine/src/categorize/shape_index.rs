//! Shapes and the categories they belong to.
//!
//! A *shape* is a sequence of words and values. A message is found by (1) the hash of its own shape, (2) the
//! templates of its length: one probe for each known set of wildcard positions (tuple space search, as packet
//! classifiers do). Only a new shape does more: it becomes a node and is entered in its stars (`stars`), where
//! shapes turn into templates. Nothing scans the categories. Nodes that belong together are joined in a union-find
//! forest; the oldest node is the root, and the root is the category.

use serde::{Deserialize, Serialize};

use super::cache::ShapeCache;
use super::hash_map::{HashTable, entry_bytes};
use super::lexicon::ANNOUNCING;
use super::scan::MAX_TOKENS;
use super::stars::Star;
use super::token::{Token, VALUE, hash_word, shape_hash, with_value};

/// Nodes are made up to this number; later shapes that no template takes find no category.
pub(super) const MAX_NODES: usize = 1 << 16;

/// Sets of wildcard positions kept for each length.
pub(super) const MAX_MASKS: usize = 64;

/// A shape or a template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Node {
    pub(super) tokens: Box<[u64]>,
    /// Values of this node are wildcards: other words match them.
    pub(super) is_template: bool,
}

/// What [`ShapeIndex::insert`] did.
#[derive(Debug)]
pub(super) struct Inserted {
    pub(super) node: u32,
    /// Roots that stopped being roots, in order.
    pub(super) gone: Vec<u32>,
}

#[derive(Clone, Debug)]
pub(super) struct ShapeIndex {
    pub(super) nodes: Vec<Node>,
    /// Union-find forest over `nodes`; a root is its own parent.
    pub(super) parents: Vec<u32>,
    pub(super) shapes: HashTable<u32>,
    /// Sets of wildcard positions by length, fewest wildcards first.
    pub(super) masks: Vec<Vec<u64>>,
    pub(super) stars: HashTable<Star>,
    pub(super) pairs: HashTable<Star>,
    /// Shapes less the word glued to a value.
    pub(super) absorbed: HashTable<u32>,
    cache: ShapeCache,
    pub(super) announcing: Vec<u64>,
    /// Roots that were joined to others during the current insertion.
    pub(super) gone: Vec<u32>,
    /// Tokens of all nodes, members of all stars: for `bytes`.
    pub(super) token_count: usize,
    pub(super) member_count: usize,
}

impl ShapeIndex {
    pub(super) fn new() -> Self {
        let mut announcing: Vec<u64> = ANNOUNCING.iter().map(|w| hash_word(w.as_bytes())).collect();
        announcing.sort_unstable();
        Self {
            nodes: Vec::new(),
            parents: Vec::new(),
            shapes: HashTable::default(),
            masks: vec![Vec::new(); MAX_TOKENS + 1],
            stars: HashTable::default(),
            pairs: HashTable::default(),
            absorbed: HashTable::default(),
            cache: ShapeCache::new(0),
            announcing,
            gone: Vec::new(),
            token_count: 0,
            member_count: 0,
        }
    }

    /// The node that takes the message, if there is one.
    #[inline]
    pub(super) fn find_shape(&mut self, tokens: &[Token]) -> Option<u32> {
        let shape = shape_hash(tokens);
        if let Some(node) = self.cache.get(shape) {
            return Some(node);
        }
        let node = match self.shapes.get(&shape) {
            Some(&node) => node,
            None => self.find_template(tokens, shape)?,
        };
        self.cache.put(shape, node);
        Some(node)
    }

    fn find_template(&self, tokens: &[Token], shape: u64) -> Option<u32> {
        for &mask in self.masks.get(tokens.len())? {
            let (mut key, mut left) = (shape, mask);
            while left != 0 {
                let position = left.trailing_zeros() as usize;
                key = with_value(key, tokens[position].hash, position);
                left &= left - 1;
            }
            if let Some(&node) = self.shapes.get(&key)
                && self.nodes[node as usize].is_template
            {
                return Some(node);
            }
        }
        None
    }

    /// Makes a node of a shape that was not found; `None` when there are too many already.
    pub(super) fn insert(&mut self, text: &str, tokens: &[Token]) -> Option<Inserted> {
        // One shape makes at most one template per position, and each of these again.
        if self.nodes.len() + MAX_TOKENS >= MAX_NODES {
            return None;
        }
        self.make_room();
        self.gone.clear();
        let shape = shape_hash(tokens);
        let node = self.add_node(tokens.iter().map(|t| t.hash).collect(), shape);
        self.absorb(node, shape, text.as_bytes(), tokens);
        self.grow(node, shape);
        if self.root(node) == node {
            self.grow_pairs(node, shape);
        }
        self.cache.fit(self.nodes.len());
        Some(Inserted { node, gone: std::mem::take(&mut self.gone) })
    }

    pub(super) fn add_node(&mut self, tokens: Box<[u64]>, shape: u64) -> u32 {
        let node = self.nodes.len() as u32;
        self.token_count += tokens.len();
        self.nodes.push(Node { tokens, is_template: false });
        self.parents.push(node);
        self.shapes.insert(shape, node);
        node
    }

    /// The root of the node's tree, which stands for the category.
    #[inline]
    pub(super) fn root(&mut self, mut node: u32) -> u32 {
        loop {
            let parent = self.parents[node as usize];
            if parent == node {
                return node;
            }
            let grandparent = self.parents[parent as usize];
            self.parents[node as usize] = grandparent;
            node = grandparent;
        }
    }

    /// The root of every node, found without compressing paths.
    pub(super) fn roots(&self) -> Vec<u32> {
        let mut roots: Vec<u32> = Vec::with_capacity(self.parents.len());
        for (node, &parent) in self.parents.iter().enumerate() {
            // A parent is older than its child, so that its root is known.
            let root = if parent as usize == node { parent } else { roots[parent as usize] };
            roots.push(root);
        }
        roots
    }

    /// Joins two trees; the older root stays.
    pub(super) fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        if a != b {
            self.parents[a.max(b) as usize] = a.min(b);
            self.gone.push(a.max(b));
        }
    }

    /// Values of the node become wildcards.
    pub(super) fn make_template(&mut self, node: u32) {
        let node = &mut self.nodes[node as usize];
        node.is_template = true;
        let wildcards = node.tokens.iter().enumerate().filter(|(_, t)| **t == VALUE);
        let mask = wildcards.fold(0u64, |m, (position, _)| m | 1 << position);
        let masks = &mut self.masks[node.tokens.len()];
        if !masks.contains(&mask) && masks.len() < MAX_MASKS {
            masks.push(mask);
            masks.sort_by_key(|m| m.count_ones());
        }
        self.cache.clear();
    }

    /// Restores what is not saved.
    pub(super) fn rebuild(&mut self) {
        self.cache = ShapeCache::new(self.nodes.len());
        self.token_count = self.nodes.iter().map(|n| n.tokens.len()).sum();
        self.member_count = self.stars.values().chain(self.pairs.values()).map(|s| s.members.len()).sum();
    }

    /// Memory in bytes, by counts alone.
    pub(super) fn bytes(&self) -> usize {
        let node = size_of::<Node>() + size_of::<u32>();
        self.nodes.len() * node
            + self.token_count * size_of::<u64>()
            + (self.shapes.len() + self.absorbed.len()) * entry_bytes::<u32>()
            + (self.stars.len() + self.pairs.len()) * entry_bytes::<Star>()
            + self.member_count * 2 * size_of::<u32>()
            + self.masks.len() * size_of::<Vec<u64>>()
            + ShapeCache::bytes(self.nodes.len())
    }
}
