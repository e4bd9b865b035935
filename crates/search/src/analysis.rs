//! Text analysis: how text becomes terms, for documents and for queries alike.

use crate::error::{Error, Result};

/// A built-in analyzer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Analyzer {
    /// Words of letters, digits and `_`, with `.`, `'`, `:` or `,` between letters or digits kept as Unicode's word
    /// segmentation keeps them; lowercased.
    #[default]
    Standard,
    /// Runs of letters, lowercased.
    Simple,
    /// Runs of anything but whitespace, as they are.
    Whitespace,
    /// The whole text as one term.
    Keyword,
}

/// Longer runs are cut, as the standard tokenizer cuts them.
const MAX_TOKEN_CHARS: usize = 255;

impl Analyzer {
    /// The analyzer with this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn by_name(name: &str) -> Result<Self> {
        match name {
            "standard" | "default" => Ok(Self::Standard),
            "simple" => Ok(Self::Simple),
            "whitespace" => Ok(Self::Whitespace),
            "keyword" => Ok(Self::Keyword),
            _ => Err(Error::illegal(format!("analyzer [{name}] has not been configured in mappings"))),
        }
    }

    /// The name under which mappings know it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Simple => "simple",
            Self::Whitespace => "whitespace",
            Self::Keyword => "keyword",
        }
    }

    /// The terms of `text`, in order; a term's position is its place in the list.
    pub fn terms(self, text: &str) -> Vec<String> {
        match self {
            Self::Keyword => vec![text.to_owned()],
            Self::Whitespace => text.split_whitespace().map(str::to_owned).collect(),
            Self::Simple => text
                .split(|c: char| !c.is_alphabetic())
                .filter(|word| !word.is_empty())
                .map(str::to_lowercase)
                .collect(),
            Self::Standard => standard_terms(text),
        }
    }

    /// What happens to a single term that is not cut into words: a prefix, a wildcard pattern, the bound of a range.
    pub fn normalize(self, term: &str) -> String {
        match self {
            Self::Standard | Self::Simple => term.to_lowercase(),
            Self::Whitespace | Self::Keyword => term.to_owned(),
        }
    }
}

/// What a character is to word segmentation (UAX #29, the classes that matter to logs and identifiers).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Digit,
    /// `_`: joins letters and digits, and belongs to the word.
    Connector,
    /// `.` and `'`: stay inside a word between two letters, and between two digits.
    MidBoth,
    /// `:`: stays between two letters.
    MidLetter,
    /// `,` and `;`: stay between two digits.
    MidDigit,
    /// Han, Hiragana and the like: a word of one character each.
    Ideograph,
    Other,
}

fn class(c: char) -> Class {
    match c {
        '_' | '\u{203f}' => Class::Connector,
        '.' | '\'' | '\u{2019}' | '\u{2024}' | '\u{fe52}' | '\u{ff07}' | '\u{ff0e}' => Class::MidBoth,
        ':' | '\u{b7}' | '\u{387}' | '\u{5f4}' | '\u{2027}' => Class::MidLetter,
        ',' | ';' | '\u{37e}' | '\u{589}' => Class::MidDigit,
        '\u{3040}'..='\u{309f}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' => Class::Ideograph,
        c if c.is_alphabetic() => Class::Letter,
        c if c.is_numeric() => Class::Digit,
        '\u{300}'..='\u{36f}' => Class::Letter,
        _ => Class::Other,
    }
}

fn standard_terms(text: &str) -> Vec<String> {
    let mut terms = Vec::new();
    let mut word = String::new();
    let mut chars = 0;
    let mut previous = Class::Other;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let own = class(c);
        let next = rest.peek().map_or(Class::Other, |n| class(*n));
        let inside = match own {
            Class::Letter | Class::Digit | Class::Connector => true,
            Class::MidBoth => previous == next && matches!(next, Class::Letter | Class::Digit),
            Class::MidLetter => previous == Class::Letter && next == Class::Letter,
            Class::MidDigit => previous == Class::Digit && next == Class::Digit,
            Class::Ideograph | Class::Other => false,
        };
        if inside && chars < MAX_TOKEN_CHARS {
            word.extend(c.to_lowercase());
            chars += 1;
        } else {
            finish(&mut word, &mut terms);
            chars = 0;
            if inside {
                word.extend(c.to_lowercase());
                chars = 1;
            } else if own == Class::Ideograph {
                terms.push(c.to_string());
            }
        }
        previous = own;
    }
    finish(&mut word, &mut terms);
    terms
}

/// Takes the word over; a word of connectors alone is none.
fn finish(word: &mut String, terms: &mut Vec<String>) {
    if word.chars().any(|c| class(c) != Class::Connector) {
        terms.push(std::mem::take(word));
    }
    word.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(analyzer: Analyzer, text: &str, terms: &[&str]) {
        assert_eq!(analyzer.terms(text), terms, "{text}");
    }

    #[test]
    fn standard_follows_word_boundaries() {
        check(
            Analyzer::Standard,
            "The 2 QUICK Brown-Foxes jumped over the lazy dog's bone.",
            &["the", "2", "quick", "brown", "foxes", "jumped", "over", "the", "lazy", "dog's", "bone"],
        );
        check(
            Analyzer::Standard,
            "host_1 10.0.0.1 1,000 a.b.c x:y /var/log 3.x",
            &["host_1", "10.0.0.1", "1,000", "a.b.c", "x:y", "var", "log", "3", "x"],
        );
        check(Analyzer::Standard, "__ 日本 é", &["日", "本", "é"]);
    }

    #[test]
    fn other_analyzers() {
        check(Analyzer::Simple, "A1b C", &["a", "b", "c"]);
        check(Analyzer::Whitespace, " A-b  C ", &["A-b", "C"]);
        check(Analyzer::Keyword, " A b", &[" A b"]);
        assert!(Analyzer::by_name("klingon").is_err());
    }

    #[test]
    fn long_runs_are_cut() {
        let terms = Analyzer::Standard.terms(&"x".repeat(300));
        assert_eq!(terms.iter().map(String::len).collect::<Vec<_>>(), [255, 45]);
    }
}
