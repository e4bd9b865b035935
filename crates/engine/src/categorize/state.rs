//! Saving and restoring a categorizer: bit for bit, and refused when the state is inconsistent.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use serde_json::Value;

use super::categorizer::{Categorizer, Tally};
use super::category::Category;
use super::config::CategorizerConfig;
use super::hash_map::sorted;
use super::scan::MAX_TOKENS;
use super::shape_index::{MAX_MASKS, MAX_NODES, Node, ShapeIndex};
use super::stars::Star;

const VERSION: u32 = 1;

/// The saved form. Tables are sorted by key, so that equal categorizers are saved as equal bytes.
#[derive(Serialize, Deserialize)]
struct State {
    version: u32,
    filters: Vec<String>,
    examples_limit: u64,
    /// The analyzer as JSON text, since the format of snapshots does not describe itself.
    analyzer: Option<String>,
    nodes: Vec<Node>,
    /// Roots, not parents: paths are compressed while looking up, which must not be visible.
    roots: Vec<u32>,
    shapes: Vec<(u64, u32)>,
    masks: BTreeMap<u32, Vec<u64>>,
    stars: Vec<(u64, Star)>,
    pairs: Vec<(u64, Star)>,
    absorbed: Vec<(u64, u32)>,
    category_ids: Vec<u32>,
    categories: Vec<Category>,
    changed: Vec<u32>,
    counted: Vec<u32>,
    tally: Tally,
    may_grow: bool,
}

impl Serialize for Categorizer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let analyzer = self.config.analyzer.as_ref().map(serde_json::to_string).transpose();
        let masks = self.index.masks.iter().enumerate().filter(|(_, m)| !m.is_empty());
        State {
            version: VERSION,
            filters: self.config.filters.clone(),
            examples_limit: self.config.examples_limit as u64,
            analyzer: analyzer.map_err(ser::Error::custom)?,
            nodes: self.index.nodes.clone(),
            roots: self.index.roots(),
            shapes: sorted(&self.index.shapes),
            masks: masks.map(|(length, m)| (length as u32, m.clone())).collect(),
            stars: sorted(&self.index.stars),
            pairs: sorted(&self.index.pairs),
            absorbed: sorted(&self.index.absorbed),
            category_ids: self.category_ids.clone(),
            categories: self.categories.clone(),
            changed: self.changed.clone(),
            counted: self.counted.clone(),
            tally: self.tally,
            may_grow: self.may_grow,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Categorizer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let state = State::deserialize(deserializer)?;
        state.check().map_err(de::Error::custom)?;
        state.restore().map_err(de::Error::custom)
    }
}

impl State {
    /// Every index must point at something: a damaged state is refused here and not met later as a panic.
    fn check(&self) -> Result<(), &'static str> {
        if self.version != VERSION {
            return Err("the categorizer state has another version");
        }
        let nodes = self.nodes.len();
        let is_node = |n: &u32| (*n as usize) < nodes;
        let are_members = |stars: &[(u64, Star)]| stars.iter().all(|(_, s)| s.members.iter().all(is_node));
        let is_category = |id: &u32| (1..=self.categories.len()).contains(&(*id as usize));
        let root_has_id = |(node, root): (usize, &u32)| {
            *root as usize <= node && self.category_ids.get(*root as usize).is_some_and(is_category)
        };
        let ok = nodes <= MAX_NODES * 2
            && self.nodes.iter().all(|n| n.tokens.len() <= MAX_TOKENS)
            && self.roots.len() == nodes
            && self.roots.iter().enumerate().all(root_has_id)
            && self.roots.iter().all(|r| self.roots[*r as usize] == *r)
            && self.shapes.iter().all(|(_, n)| is_node(n))
            && self.absorbed.iter().all(|(_, n)| is_node(n))
            && are_members(&self.stars)
            && are_members(&self.pairs)
            && self.masks.iter().all(|(length, m)| *length as usize <= MAX_TOKENS && m.len() <= MAX_MASKS)
            && self.masks.iter().all(|(length, m)| m.iter().all(|mask| mask >> length == 0))
            && self.category_ids.len() == nodes
            && self.category_ids.iter().all(|id| *id == 0 || is_category(id))
            && self.changed.iter().chain(&self.counted).all(is_category)
            && self.categories.iter().enumerate().all(|(i, c)| {
                c.superseded_by.is_none_or(|by| is_category(&by) && by as usize <= i) // only older ones take over
            });
        if ok { Ok(()) } else { Err("the categorizer state is inconsistent") }
    }

    fn restore(self) -> Result<Categorizer, String> {
        let analyzer: Option<Value> =
            self.analyzer.as_deref().map(serde_json::from_str).transpose().map_err(|e| e.to_string())?;
        let config = CategorizerConfig {
            filters: self.filters,
            examples_limit: usize::try_from(self.examples_limit).unwrap_or(usize::MAX),
            analyzer,
        };
        let mut categorizer = Categorizer::new(&config).map_err(|e| e.to_string())?;
        let mut index = ShapeIndex::new();
        index.nodes = self.nodes;
        index.parents = self.roots;
        index.shapes.extend(self.shapes);
        for (length, masks) in self.masks {
            index.masks[length as usize] = masks;
        }
        index.stars.extend(self.stars);
        index.pairs.extend(self.pairs);
        index.absorbed.extend(self.absorbed);
        index.rebuild();
        categorizer.index = index;
        categorizer.category_ids = self.category_ids;
        categorizer.categories = self.categories;
        categorizer.changed = self.changed;
        categorizer.counted = self.counted;
        categorizer.tally = self.tally;
        categorizer.may_grow = self.may_grow;
        Ok(categorizer)
    }
}
