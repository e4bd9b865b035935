//! Tokens and their hashes. A token is a word, kept by the hash of its text, or a value, which all look alike.

/// A token and its place in the analysed text (bytes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// [`VALUE`], or the hash of the word.
    pub(super) hash: u64,
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Token {
    pub(super) fn new(hash: u64, start: usize, end: usize) -> Self {
        // Texts are cut at `MAX_TEXT_BYTES` before they are tokenised, so that the places fit.
        Self { hash, start: start as u32, end: end as u32 }
    }

    pub(super) fn is_value(&self) -> bool {
        self.hash == VALUE
    }

    pub(super) fn text<'a>(&self, text: &'a str) -> &'a str {
        text.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// The hash of every value: numbers, addresses, paths, ids.
pub(super) const VALUE: u64 = 1;

/// Bit of a word's hash: the word is upper case (a state, an enumerator).
pub(super) const UPPER_CASE: u64 = 8;

/// A word glued to `=` is another token than the bare word.
pub(super) const KEY: u64 = 0x00F0_0F00_0000_0000;

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Folded 128-bit multiplication: every bit of the input reaches every bit of the result.
#[inline]
fn mix(h: u64, w: u64) -> u64 {
    let m = u128::from(h ^ w).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    (m as u64) ^ ((m >> 64) as u64)
}

/// Hash of a word; never one of the small reserved numbers, and without the [`UPPER_CASE`] bit.
#[inline]
pub(super) fn hash_word(word: &[u8]) -> u64 {
    let mut h = 0x517C_C1B7_2722_0A95 ^ word.len() as u64;
    let mut chunks = word.chunks_exact(8);
    for c in &mut chunks {
        h = mix(h, u64::from_le_bytes([c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]]));
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        let mut last = [0u8; 8];
        last[..rest.len()].copy_from_slice(rest);
        h = mix(h, u64::from_le_bytes(last));
    }
    (mix(h, 0xA076_1D64_78BD_642F) | 16) & !UPPER_CASE
}

/// What a token adds to the hash of a shape when it stands at `position`.
#[inline]
pub(super) fn term(token: u64, position: usize) -> u64 {
    mix(token.rotate_left(23), (position as u64 + 1).wrapping_mul(GOLDEN))
}

/// Hash of a shape: its length plus one term for each position. Being a sum, one position is exchanged in O(1).
#[inline]
pub(super) fn shape_hash(tokens: &[Token]) -> u64 {
    tokens.iter().enumerate().fold(tokens.len() as u64, |h, (i, t)| h.wrapping_add(term(t.hash, i)))
}

/// The hash of the shape with a value at `position`, where `token` stood.
#[inline]
pub(super) fn with_value(shape: u64, token: u64, position: usize) -> u64 {
    shape.wrapping_sub(term(token, position)).wrapping_add(term(VALUE, position))
}

/// Whether the word is two or more letters without a lower-case one.
pub(super) fn is_upper_case(word: &[u8]) -> bool {
    word.len() >= 2 && word[0].is_ascii_uppercase() && !word.iter().any(u8::is_ascii_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exchanging_a_position_equals_hashing_anew() {
        let word = |w: &str| Token::new(hash_word(w.as_bytes()), 0, 0);
        let before = [word("user"), word("anna"), word("left")];
        let after = [word("user"), Token::new(VALUE, 0, 0), word("left")];
        assert_eq!(with_value(shape_hash(&before), before[1].hash, 1), shape_hash(&after));
    }

    #[test]
    fn words_of_different_lengths_with_equal_padding_differ() {
        assert_ne!(hash_word(b"a"), hash_word(b"a\0"));
        assert_ne!(hash_word(b""), VALUE);
    }
}
