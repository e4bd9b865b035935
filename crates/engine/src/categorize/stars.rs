//! How shapes become templates.
//!
//! A *star* holds the shapes that are equal but for the word at one position. A star with enough different words
//! becomes a template with a wildcard there, and its members one category. Two positions whose words never repeat
//! fill no star; they are counted in pairs. A word glued to a value (`LOCAL(0)`) may belong to the value.

use serde::{Deserialize, Serialize};

use super::hash_map::HashTable;
use super::shape_index::ShapeIndex;
use super::token::{Token, UPPER_CASE, VALUE, term, with_value};

/// Different words that make a position a wildcard.
const WORDS: usize = 5;
/// The same where a value has been seen in that position.
const WORDS_BESIDE_VALUE: usize = 1;
/// The same after a word that announces a value.
const WORDS_ANNOUNCED: usize = 2;
/// Different words needed in each of two positions that vary together.
const WORDS_OF_PAIR: usize = 8;
/// Factors of `WORDS`: for the first position, when at most two other words remain, for upper-case words.
const FACTOR_FIRST: usize = 2;
const FACTOR_SHORT: usize = 2;
const FACTOR_UPPER_CASE: usize = 2;

const MAX_MEMBERS: usize = 64;
const MAX_PAIR_MEMBERS: usize = 32;
const PAIR_POSITIONS: usize = 16;
/// Stars of either kind; those with the fewest members go first.
pub(super) const MAX_STARS: usize = 1 << 18;

/// Shapes that differ in one position (or two).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Star {
    pub(super) members: Vec<u32>,
    /// Became a template.
    pub(super) closed: bool,
}

impl ShapeIndex {
    /// Enters a new shape in its stars; a full star becomes a template, which is itself a shape with stars.
    pub(super) fn grow(&mut self, node: u32, shape: u64) {
        let tokens = self.nodes[node as usize].tokens.clone();
        let words = count_words(&tokens);
        if let Some(star) = self.stars.get(&shape)
            && !star.closed
            && star.members.len() >= needed_beside_value(words + 1)
        {
            // This shape has a value where the members have words.
            let members = star.members.clone();
            self.close_star(shape, node, &members);
        }
        for (position, &token) in tokens.iter().enumerate() {
            if token != VALUE {
                self.enter(node, &tokens, words, with_value(shape, token, position), position);
            }
        }
    }

    /// Enters a shape in the star `key` of one position.
    fn enter(&mut self, node: u32, tokens: &[u64], words: usize, key: u64, position: usize) {
        let star = self.stars.entry(key).or_default();
        if star.closed {
            return;
        }
        if star.members.len() < MAX_MEMBERS {
            star.members.push(node);
            self.member_count += 1;
        }
        let count = star.members.len();
        let with_value_there = self.shapes.get(&key).copied();
        let beside_value = with_value_there.is_some() && count >= needed_beside_value(words);
        if !beside_value && count < self.needed(tokens, words, position) {
            return;
        }
        let members = self.stars[&key].members.clone();
        match with_value_there {
            Some(template) => self.close_star(key, template, &members),
            None => {
                let mut wildcard: Box<[u64]> = tokens.into();
                wildcard[position] = VALUE;
                let template = self.add_node(wildcard, key);
                self.close_star(key, template, &members);
                self.grow(template, key);
            }
        }
    }

    /// Different words needed at `position` of a shape with `words` words.
    fn needed(&self, tokens: &[u64], words: usize, position: usize) -> usize {
        if words <= 1 {
            return usize::MAX; // nothing would be left
        }
        let announced = position > 0 && words >= 3 && self.announcing.contains(&tokens[position - 1]);
        let mut needed = if announced {
            WORDS_ANNOUNCED
        } else {
            let first = if position == 0 { FACTOR_FIRST } else { 1 };
            let short = if words <= 3 { FACTOR_SHORT } else { 1 };
            WORDS * first * short
        };
        if tokens[position] & UPPER_CASE != 0 {
            needed *= FACTOR_UPPER_CASE;
        }
        needed
    }

    fn close_star(&mut self, key: u64, template: u32, members: &[u32]) {
        self.member_count -= empty(&mut self.stars, key);
        self.close(template, members);
    }

    fn close(&mut self, template: u32, members: &[u32]) {
        self.make_template(template);
        for &member in members {
            self.join(template, member);
        }
    }

    /// Enters a shape that found no category in the stars of two positions.
    pub(super) fn grow_pairs(&mut self, node: u32, shape: u64) {
        let tokens = self.nodes[node as usize].tokens.clone();
        if count_words(&tokens) < 4 {
            return;
        }
        let may_vary = |&p: &usize| tokens[p] != VALUE && tokens[p] & UPPER_CASE == 0;
        let positions: Vec<usize> = (1..tokens.len()).filter(may_vary).take(PAIR_POSITIONS).collect();
        for (i, &p) in positions.iter().enumerate() {
            for &q in &positions[i + 1..] {
                let key = with_value(with_value(shape, tokens[p], p), tokens[q], q);
                if self.enter_pair(node, &tokens, key, [p, q]) {
                    return;
                }
            }
        }
    }

    /// Whether the star of the pair became a template.
    fn enter_pair(&mut self, node: u32, tokens: &[u64], key: u64, pair: [usize; 2]) -> bool {
        let star = self.pairs.entry(key).or_default();
        if star.closed || star.members.len() >= MAX_PAIR_MEMBERS {
            return false;
        }
        star.members.push(node);
        self.member_count += 1;
        let members = &star.members;
        let nodes = &self.nodes;
        let varies = |position: usize| {
            let mut words: Vec<u64> = members.iter().map(|&m| nodes[m as usize].tokens[position]).collect();
            words.sort_unstable();
            words.dedup();
            words.len() >= WORDS_OF_PAIR
        };
        if members.len() < WORDS_OF_PAIR || !pair.into_iter().all(varies) {
            return false;
        }
        let members = members.clone();
        self.member_count -= empty(&mut self.pairs, key);
        let template = match self.shapes.get(&key) {
            Some(&template) => template,
            None => {
                let mut wildcards: Box<[u64]> = tokens.into();
                pair.into_iter().for_each(|position| wildcards[position] = VALUE);
                self.add_node(wildcards, key)
            }
        };
        self.close(template, &members);
        self.grow(template, key);
        true
    }

    /// `LOCAL(0)`, `wpad:80`: a word glued to a value may be part of it. If the shape without the word exists, or
    /// comes later, the two are one category.
    pub(super) fn absorb(&mut self, node: u32, shape: u64, text: &[u8], tokens: &[Token]) {
        if let Some(&other) = self.absorbed.get(&shape) {
            self.join(node, other);
        }
        if tokens.iter().filter(|t| !t.is_value()).count() < 4 {
            return;
        }
        for p in 0..tokens.len() - 1 {
            if tokens[p].is_value() || !tokens[p + 1].is_value() {
                continue;
            }
            let gap = &text[tokens[p].end as usize..tokens[p + 1].start as usize];
            if gap.is_empty() || gap.iter().any(|b| matches!(b, b' ' | b'\t' | b'=')) {
                continue;
            }
            let key = hash_without(tokens, p);
            match self.shapes.get(&key) {
                Some(&other) => self.join(node, other),
                None => {
                    self.absorbed.insert(key, node);
                }
            }
        }
    }

    /// Drops the stars with the fewest members when there are too many.
    pub(super) fn make_room(&mut self) {
        for stars in [&mut self.stars, &mut self.pairs] {
            for least in [2, 3, usize::MAX] {
                if stars.len() <= if least == 2 { MAX_STARS } else { MAX_STARS / 2 } {
                    break;
                }
                stars.retain(|_, star| {
                    let keep = star.closed || star.members.len() >= least;
                    self.member_count -= if keep { 0 } else { star.members.len() };
                    keep
                });
            }
        }
        if self.absorbed.len() > MAX_STARS {
            self.absorbed.clear();
        }
    }
}

fn count_words(tokens: &[u64]) -> usize {
    tokens.iter().filter(|&&t| t != VALUE).count()
}

fn needed_beside_value(words: usize) -> usize {
    match words {
        0 | 1 => usize::MAX,
        2 => WORDS,
        _ => WORDS_BESIDE_VALUE,
    }
}

/// Closes a star, and says how many members it had.
fn empty(stars: &mut HashTable<Star>, key: u64) -> usize {
    let closed = Star { members: Vec::new(), closed: true };
    stars.get_mut(&key).map_or(0, |star| std::mem::replace(star, closed).members.len())
}

/// Hash of the shape without the word at `position`; a value before the word becomes one with the value after it.
fn hash_without(tokens: &[Token], position: usize) -> u64 {
    let after_value = position > 0 && tokens[position - 1].is_value();
    let kept = |&(i, _): &(usize, &Token)| i != position && !(after_value && i == position + 1);
    let (sum, length) = tokens
        .iter()
        .enumerate()
        .filter(kept)
        .fold((0u64, 0usize), |(sum, n), (_, t)| (sum.wrapping_add(term(t.hash, n)), n + 1));
    sum.wrapping_add(length as u64)
}
