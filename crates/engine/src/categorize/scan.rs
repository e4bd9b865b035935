//! The tokeniser: one pass over the bytes of a text. Words stay; whatever looks like a value becomes one; values
//! that follow one another become one value, so that lists of any length have one shape.

use super::lexicon::{is_date_word, is_host, is_level, is_literal, is_unit};
use super::mask::{bracket_end, hex_groups, right_side};
use super::token::{KEY, Token, UPPER_CASE, VALUE, hash_word, is_upper_case};

/// Tokens after this one are ignored. At most 64, since sets of positions are bit masks.
pub(super) const MAX_TOKENS: usize = 48;

const SEPARATOR: u8 = 0;
/// Letters, `_`, bytes above 127.
const WORD: u8 = 1;
const DIGIT: u8 = 2;
/// Inside an atom: `. - / \ @ $ % + * ~ &`.
const JOINER: u8 = 3;
const SPACE: u8 = 4;

static CLASS: [u8; 256] = {
    let mut table = [SEPARATOR; 256];
    let mut i = 0;
    while i < 256 {
        let b = i as u8;
        table[i] = if b.is_ascii_alphabetic() || b == b'_' || b >= 128 {
            WORD
        } else if b.is_ascii_digit() {
            DIGIT
        } else if matches!(b, b'.' | b'-' | b'/' | b'\\' | b'@' | b'$' | b'%' | b'+' | b'*' | b'~' | b'&') {
            JOINER
        } else if matches!(b, b' ' | b'\t' | b'\r' | b'\n') {
            SPACE
        } else {
            SEPARATOR
        };
        i += 1;
    }
    table
};

#[inline]
fn class(b: u8) -> u8 {
    CLASS[b as usize]
}

/// Fills `out` with the first [`MAX_TOKENS`] tokens of `text`.
pub(super) fn tokenize(text: &str, out: &mut Vec<Token>) {
    out.clear();
    let mut scanner = Scanner { s: text.as_bytes(), i: 0, in_record: false, out };
    while scanner.i < scanner.s.len() && scanner.out.len() < MAX_TOKENS {
        if matches!(class(scanner.s[scanner.i]), SEPARATOR | SPACE) {
            scanner.separator();
        } else {
            scanner.atom();
        }
    }
}

struct Scanner<'a> {
    s: &'a [u8],
    i: usize,
    /// A value followed by a separator has been seen (`k=v, k=v`): right sides are values from here on.
    in_record: bool,
    out: &'a mut Vec<Token>,
}

/// What the bytes of an atom tell.
#[derive(Clone, Copy)]
struct Atom {
    start: usize,
    digit: bool,
    word: bool,
    at_sign: bool,
    /// All letters are hex digits.
    hex: bool,
}

impl Scanner<'_> {
    #[inline]
    fn separator(&mut self) {
        if self.s[self.i] == b'='
            && let Some(right) = right_side(self.s, self.i)
        {
            self.in_record |= right.in_record;
            if self.in_record {
                self.value(right.start, right.end);
                self.i = right.end;
                return;
            }
        }
        if self.s[self.i] == b'['
            && let Some(end) = self.thread_name_end()
        {
            self.value(self.i, end);
            self.i = end;
            return;
        }
        self.i += 1;
    }

    /// End of `[thread name]` in the head of a log line: right after the level, or between time and level.
    fn thread_name_end(&self) -> Option<usize> {
        let last = self.out.last()?;
        let is_blank = |from: usize, to: usize| self.s[from..to].iter().all(|&b| class(b) == SPACE);
        if !is_blank(last.end as usize, self.i) {
            return None;
        }
        let end = bracket_end(self.s, self.i)?;
        if last.is_value() {
            let rest = self.s[end..].trim_ascii_start();
            let word = rest.iter().position(|b| !b.is_ascii_alphabetic()).map_or(rest, |n| &rest[..n]);
            is_level(word).then_some(end)
        } else {
            is_level(&self.s[last.start as usize..last.end as usize]).then_some(end)
        }
    }

    /// Letters, digits and joining punctuation up to the next separator.
    #[inline]
    fn read_atom(&mut self) -> Atom {
        let (s, start) = (self.s, self.i);
        let mut atom = Atom { start, digit: false, word: false, at_sign: false, hex: true };
        while self.i < s.len() {
            let b = s[self.i];
            match class(b) {
                DIGIT => atom.digit = true,
                WORD => {
                    atom.word = true;
                    atom.hex &= b.is_ascii_hexdigit();
                }
                JOINER => {
                    atom.at_sign |= b == b'@';
                    let leader = b == b'.' && s.get(self.i + 1) == Some(&b'.');
                    if leader && s[start] != b'.' && s[start] != b'/' {
                        break; // a leader of dots separates
                    }
                }
                _ => break,
            }
            self.i += 1;
        }
        atom
    }

    #[inline]
    fn atom(&mut self) {
        let atom = self.read_atom();
        let next = self.next_byte();
        if self.compound_value(atom, next) {
            return;
        }
        if !atom.digit && !atom.word {
            if self.i - atom.start == 1 && self.s[atom.start] == b'/' {
                self.value(atom.start, self.i);
            }
            return; // punctuation only
        }
        if self.s[self.i..].starts_with(b"://") {
            while self.i < self.s.len() && class(self.s[self.i]) != SPACE {
                self.i += 1;
            }
            self.value(atom.start, self.i);
            return;
        }
        let (mut start, mut end) = (atom.start, self.i);
        let is_path = self.is_path(start, end);
        if is_path {
            end = self.path_end();
        }
        while end > start && matches!(self.s[end - 1], b'.' | b'-' | b'\\' | b'*' | b'~' | b'&') {
            end -= 1;
        }
        if !is_path {
            while start < end && matches!(self.s[start], b'.' | b'-' | b'*' | b'&' | b'+') {
                start += 1;
            }
        }
        if start < end {
            self.word_or_value(Atom { start, ..atom }, end, next, is_path);
        }
    }

    #[inline]
    fn next_byte(&self) -> u8 {
        self.s.get(self.i).copied().unwrap_or(b' ')
    }

    /// Values that go on after the atom, or are told by what stands before it.
    #[inline]
    fn compound_value(&mut self, atom: Atom, next: u8) -> bool {
        let length = self.i - atom.start;
        if next == b':'
            && atom.hex
            && length <= 4
            && let Some(end) = hex_groups(self.s, atom.start)
        {
            self.i = end;
        } else if next == b'{'
            && atom.word
            && let Some(end) = bracket_end(self.s, self.i)
        {
            self.i = end; // Name{...}: an object written out
        } else {
            // ::ffff:10.0.0.1
            let in_address = atom.hex && !atom.digit && length <= 4;
            if !in_address || !self.s[..atom.start].ends_with(b"::") {
                return false;
            }
        }
        self.value(atom.start, self.i);
        true
    }

    #[inline]
    fn is_path(&self, start: usize, end: usize) -> bool {
        match self.s[start] {
            b'/' | b'\\' => true,
            b'~' => end > start + 1 && self.s[start + 1] == b'/',
            drive => end - start == 1 && drive.is_ascii_alphabetic() && self.s[end..].starts_with(b":\\"),
        }
    }

    /// A path runs to white space, a quote, a comma or a bracket: its query string belongs to it.
    fn path_end(&mut self) -> usize {
        let stops = |b: u8| {
            class(b) == SPACE
                || matches!(b, b'"' | b'\'' | b',' | b';' | b')' | b']' | b'}' | b'>' | b'<' | b'(' | b'[')
        };
        while self.i < self.s.len() && !stops(self.s[self.i]) {
            self.i += 1;
        }
        let mut end = self.i;
        while end > 0 && matches!(self.s[end - 1], b':' | b'!' | b'?') {
            end -= 1;
        }
        end
    }

    #[inline]
    fn word_or_value(&mut self, atom: Atom, end: usize, next: u8, is_path: bool) {
        let start = atom.start;
        let word = &self.s[start..end];
        if atom.digit && next == b'=' && !is_path && word[0].is_ascii_alphabetic() {
            // A key keeps its letters: r24= and r25= are one key.
            let digits = word.iter().rev().take_while(|b| b.is_ascii_digit()).count();
            let letters = &word[..word.len() - digits];
            self.out.push(Token::new(hash_word(letters), start, start + letters.len()));
            return;
        }
        let port = next == b':' && self.s.get(self.i + 1).is_some_and(u8::is_ascii_digit);
        let is_value = atom.digit
            || is_path
            || atom.at_sign
            || is_literal(word)
            || (atom.hex && word.len() >= 8)
            || (word.contains(&b'.') && (port || is_host(word)));
        if is_value {
            self.value(start, end);
        } else if !self.joins_as_unit(start, end) {
            let mut hash = hash_word(word);
            if next == b'=' {
                hash ^= KEY;
            }
            if is_upper_case(word) {
                hash |= UPPER_CASE;
            }
            self.out.push(Token::new(hash, start, end));
        }
    }

    /// A unit right after a number becomes part of it.
    #[inline]
    fn joins_as_unit(&mut self, start: usize, end: usize) -> bool {
        let Some(last) = self.out.last_mut() else { return false };
        let joins = last.is_value()
            && end - start <= 7
            && start - last.end as usize <= 1
            && self.s[last.end as usize - 1].is_ascii_digit()
            && is_unit(&self.s[start..end]);
        if joins {
            last.end = end as u32;
        }
        joins
    }

    #[inline]
    fn value(&mut self, start: usize, end: usize) {
        // Names of days and months before a value are part of a date.
        while let Some(last) = self.out.last()
            && !last.is_value()
            && last.end - last.start == 3
            && is_date_word(&self.s[last.start as usize..last.end as usize])
        {
            self.out.pop();
        }
        match self.out.last_mut() {
            Some(last) if last.is_value() => last.end = end as u32,
            _ => self.out.push(Token::new(VALUE, start, end)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values as `<>`, words as they stand.
    fn shape(text: &str) -> String {
        let mut tokens = Vec::new();
        tokenize(text, &mut tokens);
        let show = |t: &Token| if t.is_value() { "<>" } else { t.text(text) };
        tokens.iter().map(show).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn values_are_masked() {
        let check = |text: &str, expected: &str| assert_eq!(shape(text), expected, "{text}");
        check(
            "Received block blk_-160 of size 67108864 from /10.251.42.84",
            "Received block <> of size <> from <>",
        );
        check("1190 bytes (1.16 KB) sent", "<> sent");
        check("0 bytes sent", "<> sent");
        check("open through proxy proxy.cse.cuhk.edu.hk:5070 HTTPS", "open through proxy <> HTTPS");
        check("GET /v2/servers?limit=1&marker=x y", "GET <> y");
        check("see https://example.org/a?b=c now", "see <> now");
        check("at Mon Jun 20 03:40:59 2005", "at <>");
        check("mail from anna@example.org rejected", "mail from <> rejected");
        check("C:\\Windows\\x.dll loaded", "<> loaded");
        check("ssh from ::ffff:10.0.0.1 port 22", "ssh from <> port <>");
        check("flag true and null", "flag <> and <>");
        check("dead deadbeef", "dead <>");
        check("space.......0", "space <>");
    }

    #[test]
    fn records_mask_their_right_sides() {
        let check = |text: &str, expected: &str| assert_eq!(shape(text), expected, "{text}");
        check("a=x, b=y, c=z", "a <> b <> c <>");
        check("uid=0 user=root", "uid <> user root");
        check("got Foo{a=b, c=d} back", "got <> back");
        check("r24=ff r25=aa", "r ff r aa");
    }

    #[test]
    fn thread_names_are_values_in_the_head_of_a_line() {
        let check = |text: &str, expected: &str| assert_eq!(shape(text), expected, "{text}");
        check(
            "2015-10-18 18:01:47,978 INFO [IPC Server] a.B: Started [all] of it",
            "<> INFO <> a.B Started all of it",
        );
        check("10:15:30.123 [main] WARN  a.B - Gone", "<> WARN a.B Gone");
        check("12 [main] WARNINGS", "<> main WARNINGS");
        check("[main] WARN gone", "main WARN gone");
        check("ERROR: [x] gone", "ERROR x gone");
        check("10:15:30 [main", "<> main");
    }

    #[test]
    fn odd_texts_give_no_tokens_or_few() {
        for text in ["", " ", "...", "-", "=", "\u{7f}", "&.*~", "://"] {
            assert_eq!(shape(text), "", "{text:?}");
        }
        assert_eq!(shape("/"), "<>");
        assert_eq!(shape("~"), "");
        assert_eq!(shape("é ü"), "é ü");
    }

    #[test]
    fn no_more_than_the_limit_of_tokens() {
        let text = "ab cd ".repeat(MAX_TOKENS);
        let mut tokens = Vec::new();
        tokenize(&text, &mut tokens);
        assert_eq!(tokens.len(), MAX_TOKENS);
    }
}
