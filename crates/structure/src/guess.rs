//! Guesses a grok expression that fits all messages: kinds of values that every message has in the same order, and between
//! them what all messages have in common.
//!
//! The categorizer of `crates/engine` has a table of its own for the gaps between the constant words of one category: it has
//! times, which are found by their formats before here, and neither levels, which are constant within a category, nor
//! quoted texts, which its tokens do not keep together.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use crate::grok::ecs_name;
use crate::{Options, Result};

/// Values that an expression names; what follows them is anything. A line is as long as its sender likes.
const VALUES_MAX: usize = 64;

/// Begin and end of a value in its text.
type Span = (usize, usize);

/// Kinds of values: name in the grok library, name of the field, what they look like. The most telling are looked for first.
#[rustfmt::skip]
const KINDS: &[(&str, &str, &str)] = &[
    ("LOGLEVEL", "loglevel", r"(?:ALERT|TRACE|DEBUG|NOTICE|INFO|WARN(?:ING)?|ERR(?:OR)?|CRIT(?:ICAL)?|FATAL|SEVERE|EMERG|[Tt]race|[Dd]ebug|[Nn]otice|[Ii]nfo|[Ww]arn(?:ing)?|[Ee]rror|[Cc]ritical|[Ff]atal|[Ss]evere)"),
    ("UUID", "uuid", r"[A-Fa-f0-9]{8}-(?:[A-Fa-f0-9]{4}-){3}[A-Fa-f0-9]{12}"),
    ("URI", "uri", r"[A-Za-z][A-Za-z0-9+.-]+://[A-Za-z0-9][A-Za-z0-9.:-]*(?:/[A-Za-z0-9$.+!*'(),~:;=@#%&_/-]*)?"),
    ("EMAILADDRESS", "email", r"[A-Za-z0-9][A-Za-z0-9._%+-]*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"),
    ("MAC", "macaddress", r"(?:[A-Fa-f0-9]{2}:){5}[A-Fa-f0-9]{2}"),
    ("IP", "ipaddress", r"(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"),
    ("PATH", "path", r"(?:/[\w.@:+~-]+){2,}/?"),
    ("QUOTEDSTRING", "field", r#""(?:\\.|[^\\"])*""#),
    ("NUMBER", "field", r"[+-]?\d+\.\d+"),
    ("INT", "field", r"[+-]?\d+"),
];

static COMPILED: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    KINDS.iter().map(|(_, _, pattern)| Regex::new(pattern).expect("the table is constant")).collect()
});

/// The expression for texts that all have the time at the given place.
pub(crate) fn expression(
    messages: &[&str],
    spans: &[(usize, usize)],
    time: Option<(&str, &str)>,
    options: &Options,
) -> Result<String> {
    let mut guess = Guess { names: BTreeMap::new(), values: 0, options };
    let before: Vec<&str> = messages.iter().zip(spans).map(|(text, (start, _))| &text[..*start]).collect();
    let after: Vec<&str> = messages.iter().zip(spans).map(|(text, (_, end))| &text[*end..]).collect();
    let mut pattern = String::new();
    if let Some((grok, field)) = time {
        guess.names.insert(field.to_owned(), 1);
        pattern.push_str(&guess.between(&before, 0)?);
        pattern.push_str(&format!("%{{{grok}:{field}}}"));
        pattern.push_str(&guess.rest(&after)?);
    } else {
        pattern.push_str(&guess.rest(messages)?);
    }
    Ok(pattern)
}

struct Guess<'o> {
    /// How often a name of a field has been used.
    names: BTreeMap<String, usize>,
    /// Values that the expression has so far.
    values: usize,
    options: &'o Options,
}

impl Guess<'_> {
    fn field(&mut self, name: &str) -> String {
        let name = if self.options.ecs { ecs_name(name) } else { name };
        let count = self.names.entry(name.to_owned()).or_default();
        *count += 1;
        if *count == 1 { name.to_owned() } else { format!("{name}{count}") }
    }

    /// What follows the last known value, up to the end.
    fn rest(&mut self, texts: &[&str]) -> Result<String> {
        let mut pattern = String::new();
        let texts = self.values_of(texts, 0, &mut pattern)?;
        if texts.iter().any(|text| !text.is_empty()) {
            pattern.push_str(&leading(&texts));
            pattern.push_str(".*");
        }
        Ok(pattern)
    }

    /// What stands between two values. Kinds before `from` were looked for already.
    fn between(&mut self, texts: &[&str], from: usize) -> Result<String> {
        let mut pattern = String::new();
        let texts = self.values_of(texts, from, &mut pattern)?;
        pattern.push_str(&literals(&texts));
        Ok(pattern)
    }

    /// Writes the values that all texts have, with what stands before each; what follows the last of them.
    fn values_of<'t>(
        &mut self,
        texts: &[&'t str],
        from: usize,
        pattern: &mut String,
    ) -> Result<Vec<&'t str>> {
        let mut texts = texts.to_vec();
        while self.values < VALUES_MAX
            && let Some((kind, spans)) = self.kind_in_all(&texts, from)?
        {
            self.values += 1;
            let (before, after) = split(&texts, &spans);
            // Only other kinds are looked for before a value: it goes no deeper than there are kinds.
            pattern.push_str(&self.between(&before, kind + 1)?);
            let name = self.named(kind, &before);
            pattern.push_str(&format!("%{{{}:{name}}}", KINDS[kind].0));
            texts = after;
        }
        Ok(texts)
    }

    /// A value after `key=` is named by its key.
    fn named(&mut self, kind: usize, before: &[&str]) -> String {
        let key = |text: &&str| -> Option<String> {
            let text = text.strip_suffix(['=', ':'])?;
            let start = text.rfind(|c: char| !(c.is_alphanumeric() || c == '_')).map_or(0, |at| at + 1);
            let start = if text.is_char_boundary(start) { start } else { return None };
            let key = &text[start..];
            (!key.is_empty() && !key.starts_with(|c: char| c.is_ascii_digit())).then(|| key.to_owned())
        };
        let first = before.first().and_then(key).filter(|_| KINDS[kind].1 == "field");
        match first.filter(|first| before.iter().all(|text| key(text).as_ref() == Some(first))) {
            Some(key) => self.field(&key),
            None => self.field(KINDS[kind].1),
        }
    }

    /// The first kind that occurs in all texts, and where.
    fn kind_in_all(&self, texts: &[&str], from: usize) -> Result<Option<(usize, Vec<Span>)>> {
        for kind in from..KINDS.len() {
            self.options.stop.check()?;
            let spans: Option<Vec<Span>> = texts.iter().map(|text| occurrence(kind, text)).collect();
            if let Some(spans) = spans.filter(|spans| !spans.is_empty()) {
                return Ok(Some((kind, spans)));
            }
        }
        Ok(None)
    }
}

/// Where a kind of value stands alone, not as a part of a word.
fn occurrence(kind: usize, text: &str) -> Option<(usize, usize)> {
    let plain = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '.' && c != '-');
    COMPILED[kind].find_iter(text).find_map(|found| {
        let before = text[..found.start()].chars().next_back();
        let mut after = text[found.end()..].chars();
        let next = after.next();
        // A full stop after a number ends a sentence.
        let ends = plain(next) || (next == Some('.') && after.next().is_none_or(char::is_whitespace));
        (plain(before) && ends).then(|| (found.start(), found.end()))
    })
}

fn split<'t>(texts: &[&'t str], spans: &[(usize, usize)]) -> (Vec<&'t str>, Vec<&'t str>) {
    texts.iter().zip(spans).map(|(text, (start, end))| (&text[..*start], &text[*end..])).unzip()
}

/// What all texts begin with, if it is no part of a word.
fn leading(texts: &[&str]) -> String {
    let Some(first) = texts.first() else { return String::new() };
    let common = first.chars().take_while(|c| !c.is_alphanumeric()).count();
    let prefix: Vec<char> = first.chars().take(common).collect();
    let shared = texts.iter().fold(prefix.len(), |shared, text| {
        prefix.iter().zip(text.chars()).take(shared).take_while(|(a, b)| **a == *b).count()
    });
    escaped(&prefix[..shared].iter().collect::<String>())
}

/// The texts if they are the same, or else the signs that all of them begin and end with, and anything between.
fn literals(texts: &[&str]) -> String {
    let Some(first) = texts.first() else { return String::new() };
    if texts.iter().all(|text| text == first) {
        return escaped(first);
    }
    let sign = |c: &char| !c.is_alphanumeric();
    let begins = leading(texts);
    let prefix_length = leading_length(texts);
    let tails: Vec<Vec<char>> =
        texts.iter().map(|text| text.chars().skip(prefix_length).collect::<Vec<char>>()).collect();
    let suffix: Vec<char> = tails[0].iter().rev().copied().take_while(sign).collect();
    let shared = tails.iter().fold(suffix.len(), |shared, tail| {
        suffix.iter().zip(tail.iter().rev()).take(shared).take_while(|(a, b)| a == b).count()
    });
    let ends: String = suffix[..shared].iter().rev().collect();
    format!("{begins}.*?{}", escaped(&ends))
}

fn leading_length(texts: &[&str]) -> usize {
    let prefix: Vec<char> = texts[0].chars().take_while(|c| !c.is_alphanumeric()).collect();
    texts.iter().fold(prefix.len(), |shared, text| {
        prefix.iter().zip(text.chars()).take(shared).take_while(|(a, b)| **a == *b).count()
    })
}

/// The signs of expressions lose their meaning.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '\\' | '.' | '+' | '*' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '^' | '$' | '|' => {
                escaped.push('\\');
                escaped.push(letter);
            }
            '\n' => escaped.push_str("\\n"),
            '\t' => escaped.push_str("\\t"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Grok;

    fn guessed(messages: &[&str]) -> String {
        let spans = vec![(0, 0); messages.len()];
        let pattern = expression(messages, &spans, None, &Options::default()).unwrap();
        let grok = Grok::new(&pattern, false).unwrap();
        for message in messages {
            assert!(grok.matches_all(message), "{pattern} does not match {message}");
        }
        pattern
    }

    #[test]
    fn values_that_all_messages_have_become_fields() {
        assert_eq!(
            guessed(&["[INFO ][o.e.n] took 12 from 10.0.0.1 x", "[DEBUG][o.e.p] took 7 from 10.0.0.2 yy"]),
            r"\[%{LOGLEVEL:loglevel}.*? %{INT:field} from %{IP:ipaddress} .*"
        );
        assert_eq!(guessed(&["user=1 took=2.5", "user=22 took=0.1"]), "user=%{INT:user} took=%{NUMBER:took}");
    }

    #[test]
    fn lines_of_very_many_values_end_in_anything() {
        let line = "1 ".repeat(25_000);
        let pattern = guessed(&[&line, &line]);
        assert_eq!(pattern.matches("%{INT:").count(), VALUES_MAX);
        assert!(pattern.ends_with(" .*"), "{pattern}");
        // The same before a time.
        let timed = format!("{line}2018-06-27 11:59:06");
        let (span, time) = ((line.len(), timed.len()), Some(("TIMESTAMP_ISO8601", "timestamp")));
        let pattern = expression(&[&timed, &timed], &[span; 2], time, &Options::default()).unwrap();
        assert_eq!(pattern.matches("%{INT:").count(), VALUES_MAX);
        assert!(pattern.ends_with("%{TIMESTAMP_ISO8601:timestamp}"));
    }

    #[test]
    fn words_that_differ_are_anything() {
        assert_eq!(guessed(&["(a) b", "(c) dd"]), r"\(.*");
    }
}
