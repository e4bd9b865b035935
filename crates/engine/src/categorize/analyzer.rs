//! From a message to tokens: character filters, tokeniser, token filters.

use std::borrow::Cow;

use super::analyzer_config::{default_analyzer, parse_analyzer};
use super::char_filter::CharFilter;
use super::config::{CategorizerConfig, ConfigError};
use super::pattern::Pattern;
use super::scan::{MAX_TOKENS, tokenize};
use super::token::{Token, UPPER_CASE, VALUE, hash_word, is_upper_case};
use super::token_filter::TokenFilter;

/// Bytes of a text that are analysed; the rest is ignored. Long lists of values are one token, so that the words
/// behind them are still seen.
const MAX_TEXT_BYTES: usize = 32 << 10;

/// How a text is cut into tokens.
#[derive(Clone, Debug)]
pub(super) enum Tokenizer {
    /// The project's own, which knows values (`ml_standard`, `ml_classic`).
    Masking,
    /// Tokens are the matches.
    Matches(Pattern),
    /// Tokens are what stands between the matches.
    Between(Pattern),
    /// The whole text is one token.
    Whole,
}

#[derive(Clone, Debug)]
pub(super) struct Analyzer {
    pub(super) char_filters: Vec<CharFilter>,
    pub(super) tokenizer: Tokenizer,
    pub(super) token_filters: Vec<TokenFilter>,
}

/// The tokens of a message and the text they lie in; kept between messages to save allocations.
#[derive(Clone, Debug, Default)]
pub(super) struct AnalyzedText {
    pub(super) tokens: Vec<Token>,
    /// The text, where it is not a part of the message.
    buffer: String,
    /// The text, where it is a part of the message.
    part: Option<(usize, usize)>,
}

impl AnalyzedText {
    /// The analysed text; `message` must be the one that was analysed.
    pub(super) fn text<'a>(&'a self, message: &'a str) -> &'a str {
        match self.part {
            Some((start, end)) => message.get(start..end).unwrap_or_default(),
            None => &self.buffer,
        }
    }

    /// Where in the message the text begins, as far as that is known.
    pub(super) fn start(&self) -> usize {
        self.part.map_or(0, |(start, _)| start)
    }
}

impl Analyzer {
    pub(super) fn new(config: &CategorizerConfig) -> Result<Self, ConfigError> {
        match &config.analyzer {
            None => default_analyzer(&config.filters),
            Some(_) if !config.filters.is_empty() => Err(ConfigError::FiltersWithAnalyzer),
            Some(analyzer) => parse_analyzer(analyzer),
        }
    }

    /// Whether words may differ from the message in case.
    pub(super) fn changes_case(&self) -> bool {
        self.token_filters.iter().any(TokenFilter::changes_case)
    }

    pub(super) fn analyze(&self, message: &str, out: &mut AnalyzedText) {
        let mut text = Cow::Borrowed(message);
        for filter in &self.char_filters {
            text = filter.apply(text);
        }
        let end = cut(&text);
        if !matches!(self.tokenizer, Tokenizer::Masking) || !self.token_filters.is_empty() {
            self.rewrite(&text[..end], out);
        } else if let Cow::Borrowed(borrowed) = text
            && let Some(start) = place_within(borrowed, message)
        {
            out.part = Some((start, start + end));
            tokenize(&borrowed[..end], &mut out.tokens);
        } else {
            out.part = None;
            out.buffer.clear();
            out.buffer.push_str(&text[..end]);
            tokenize(&out.buffer, &mut out.tokens);
        }
    }

    /// Writes the tokens that the filters leave as a text of their own.
    fn rewrite(&self, text: &str, out: &mut AnalyzedText) {
        out.part = None;
        out.buffer.clear();
        out.tokens.clear();
        let limits = self.token_filters.iter().filter_map(|f| match f {
            TokenFilter::Limit(n) => Some(*n),
            _ => None,
        });
        let limit = limits.min().unwrap_or(usize::MAX);
        let mut masked = Vec::new();
        match &self.tokenizer {
            Tokenizer::Masking => {
                tokenize(text, &mut masked);
                for token in masked.iter().take(limit) {
                    if token.is_value() {
                        push(out, token.text(text), true);
                    } else {
                        self.push_filtered(out, token.text(text));
                    }
                }
            }
            Tokenizer::Matches(pattern) => {
                pattern.matches(text).take(limit).for_each(|(a, z)| self.push_filtered(out, &text[a..z]));
            }
            Tokenizer::Between(pattern) => {
                let mut from = 0;
                let mut pieces = Vec::new();
                for (start, end) in pattern.matches(text) {
                    pieces.push(&text[from..start]);
                    from = end;
                }
                pieces.push(&text[from..]);
                pieces
                    .into_iter()
                    .filter(|p| !p.is_empty())
                    .take(limit)
                    .for_each(|p| self.push_filtered(out, p));
            }
            Tokenizer::Whole => self.push_filtered(out, text),
        }
    }

    fn push_filtered(&self, out: &mut AnalyzedText, word: &str) {
        let mut word = word.to_owned();
        if self.token_filters.iter().all(|f| f.keeps(&mut word)) && !word.trim().is_empty() {
            let is_value = word.bytes().any(|b| b.is_ascii_digit());
            push(out, &word, is_value);
        }
    }
}

/// Where in the message a text begins that is a slice of it.
fn place_within(text: &str, message: &str) -> Option<usize> {
    let start = (text.as_ptr() as usize).checked_sub(message.as_ptr() as usize)?;
    (start + text.len() <= message.len()).then_some(start)
}

/// Where the analysed part of the text ends: not within a token, where that can be avoided.
fn cut(text: &str) -> usize {
    if text.len() <= MAX_TEXT_BYTES {
        return text.len();
    }
    let end = text.floor_char_boundary(MAX_TEXT_BYTES);
    text[..end].rfind([' ', '\t']).unwrap_or(end)
}

/// Appends a token to the text; values that follow one another become one. Whoever chose the tokeniser, a token
/// with a digit is a value: else every id would be a category.
fn push(out: &mut AnalyzedText, word: &str, is_value: bool) {
    if out.tokens.len() >= MAX_TOKENS {
        return;
    }
    if !out.buffer.is_empty() {
        out.buffer.push(' ');
    }
    let start = out.buffer.len();
    out.buffer.push_str(word);
    let end = out.buffer.len();
    let hash = match word.as_bytes() {
        _ if is_value => VALUE,
        upper if is_upper_case(upper) => hash_word(upper) | UPPER_CASE,
        other => hash_word(other),
    };
    match out.tokens.last_mut() {
        Some(last) if is_value && last.is_value() => last.end = end as u32,
        _ => out.tokens.push(Token::new(hash, start, end)),
    }
}
