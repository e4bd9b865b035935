//! What is kept of one category besides its shapes: the words common to its messages, examples, counts.

use serde::{Deserialize, Serialize};

use super::token::Token;

/// A word that all messages of a category have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Word {
    pub(super) hash: u64,
    pub(super) text: Box<str>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Category {
    /// Words common to all messages, in their order.
    pub(super) words: Vec<Word>,
    /// Different messages in the order in which they were first seen.
    pub(super) examples: Vec<Box<str>>,
    /// Characters of the longest message.
    pub(super) longest: usize,
    pub(super) matches: u64,
    /// Ids of the categories that this one took over.
    pub(super) preferred_to: Vec<u32>,
    /// The category that took this one over; no message gets this id again.
    pub(super) superseded_by: Option<u32>,
    /// The definition changed since it was last taken.
    pub(super) is_changed: bool,
    /// `matches` changed since it was last taken.
    pub(super) is_counted: bool,
}

impl Category {
    pub(super) fn new(text: &str, tokens: &[Token]) -> Self {
        let word = |t: &Token| Word { hash: t.hash, text: t.text(text).into() };
        Self {
            words: tokens.iter().filter(|t| !t.is_value()).map(word).collect(),
            examples: Vec::new(),
            longest: 0,
            matches: 0,
            preferred_to: Vec::new(),
            superseded_by: None,
            is_changed: false,
            is_counted: false,
        }
    }

    /// Keeps the words that `other` has in the same order. Returns whether some were lost.
    pub(super) fn keep_common(&mut self, other: &[u64]) -> bool {
        let keep = common_subsequence(&self.words, other);
        let before = self.words.len();
        let mut flags = keep.into_iter();
        self.words.retain(|_| flags.next().unwrap_or(false));
        self.words.len() < before
    }

    pub(super) fn bytes(&self) -> usize {
        let words: usize = self.words.iter().map(|w| w.text.len() + size_of::<Word>()).sum();
        let examples: usize = self.examples.iter().map(|e| e.len() + size_of::<Box<str>>()).sum();
        size_of::<Self>() + words + examples + self.preferred_to.len() * size_of::<u32>()
    }
}

/// Which of `words` belong to a longest common subsequence with `other` (dynamic programming; both are at most
/// as long as the limit of tokens).
fn common_subsequence(words: &[Word], other: &[u64]) -> Vec<bool> {
    let (n, m) = (words.len(), other.len());
    let at = |i: usize, j: usize| i * (m + 1) + j;
    let mut best = vec![0u16; (n + 1) * (m + 1)];
    for i in (0..n).rev() {
        for j in (0..m).rev() {
            best[at(i, j)] = if words[i].hash == other[j] {
                best[at(i + 1, j + 1)] + 1
            } else {
                best[at(i + 1, j)].max(best[at(i, j + 1)])
            };
        }
    }
    let mut keep = vec![false; n];
    let (mut i, mut j) = (0, 0);
    while i < n && j < m {
        if words[i].hash == other[j] {
            keep[i] = true;
            (i, j) = (i + 1, j + 1);
        } else if best[at(i + 1, j)] >= best[at(i, j + 1)] {
            i += 1;
        } else {
            j += 1;
        }
    }
    keep
}

#[cfg(test)]
mod tests {
    use super::super::scan::tokenize;
    use super::*;

    #[test]
    fn common_words_keep_their_order() {
        let category = |text: &str| {
            let mut tokens = Vec::new();
            tokenize(text, &mut tokens);
            Category::new(text, &tokens)
        };
        let check = |a: &str, b: &str, expected: &str| {
            let (mut a, b) = (category(a), category(b));
            let hashes: Vec<u64> = b.words.iter().map(|w| w.hash).collect();
            a.keep_common(&hashes);
            let words: Vec<&str> = a.words.iter().map(|w| &*w.text).collect();
            assert_eq!(words.join(" "), expected);
        };
        check("user anna logged in", "user bert logged in", "user logged in");
        check("a b c d", "d a b", "a b");
        check("one two", "three", "");
        check("same same", "same same", "same same");
    }
}
