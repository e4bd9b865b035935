//! Guesses a grok pattern from the examples of a category: literal words, and between them the kinds of value that
//! all examples have there.
//!
//! `crates/structure` has a table of its own for whole lines of a file: it names levels, quoted texts and whole numbers,
//! because its lines were not sorted into categories before, and has no times, which it finds by its own formats. Here the
//! words around a gap are constant already, and a time is one value among others.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use super::definition::{Gaps, escape};

/// Values looked for in one gap.
const VALUES_PER_GAP: usize = 3;

/// A kind of value: its name in grok, the name of the field, and what it looks like. The kinds are tried in this
/// order: the most telling first.
struct Kind {
    grok: &'static str,
    field: &'static str,
    regex: Regex,
}

const KINDS: &[(&str, &str, &str)] = &[
    (
        "TIMESTAMP_ISO8601",
        "timestamp",
        r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?",
    ),
    ("SYSLOGTIMESTAMP", "timestamp", r"[A-Z][a-z]{2} +\d{1,2} \d{2}:\d{2}:\d{2}"),
    ("UUID", "uuid", r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"),
    ("URI", "uri", r"[A-Za-z][A-Za-z0-9+]*://[A-Za-z0-9][-.A-Za-z0-9]*(?::\d+)?(?:/[-\w./~%+]*)?"),
    ("EMAILADDRESS", "email", r"[A-Za-z][-.+\w]*@[A-Za-z0-9][-.A-Za-z0-9]*[A-Za-z0-9]"),
    ("MAC", "macaddress", r"(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}"),
    ("IP", "ipaddress", r"(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}"),
    ("PATH", "path", r"/[-\w.]+(?:/[-\w.]*)+"),
    ("BASE16NUM", "field", r"0x[0-9A-Fa-f]+"),
    ("NUMBER", "field", r"[+-]?\d+(?:\.\d+)?"),
];

static COMPILED: LazyLock<Vec<Kind>> = LazyLock::new(|| {
    let compile = |&(grok, field, pattern): &(&'static str, &'static str, &str)| Kind {
        grok,
        field,
        regex: Regex::new(pattern).expect("the patterns above are checked by a test"),
    };
    KINDS.iter().map(compile).collect()
});

/// A pattern that matches all examples; `None` when no kind of value is known, or when the guess does not match (then
/// the plain regex does).
pub(super) fn grok_pattern(words: &[&str], examples: &[Gaps<'_>], messages: &[Box<str>]) -> Option<String> {
    if examples.is_empty() {
        return None;
    }
    let mut fields = BTreeMap::new();
    // The same pattern twice: for grok, and as a regular expression to try it on the examples.
    let (mut grok, mut regex) = (String::new(), String::from("(?s)"));
    for gap in 0..=words.len() {
        let texts: Vec<&str> = examples.iter().filter_map(|e| e.texts.get(gap).copied()).collect();
        let kinds = kinds_in(&texts);
        let is_last = gap == words.len();
        let literal = if is_last { String::new() } else { escape(words[gap]) };
        let filler = match gap {
            0 => ".*?",
            _ if is_last => ".*",
            _ => ".+?",
        };
        if kinds.is_empty() {
            grok.push_str(filler);
            regex.push_str(filler);
        } else {
            for kind in kinds {
                grok.push_str(&format!(".*?%{{{}:{}}}", kind.grok, field_name(&mut fields, kind.field)));
                regex.push_str(&format!(".*?(?:{})", kind.regex.as_str()));
            }
            let tail = if is_last { ".*" } else { ".*?" };
            grok.push_str(tail);
            regex.push_str(tail);
        }
        grok.push_str(&literal);
        regex.push_str(&literal);
    }
    if fields.is_empty() {
        return None; // spares compiling a pattern for every category of free text
    }
    let check = Regex::new(&regex).ok()?;
    messages.iter().all(|m| check.is_match(m)).then_some(grok)
}

/// The kinds of value that all texts have, in the order in which they stand.
fn kinds_in(texts: &[&str]) -> Vec<&'static Kind> {
    let mut rest: Vec<&str> = texts.to_vec();
    let mut kinds: Vec<&'static Kind> = Vec::new();
    while kinds.len() < VALUES_PER_GAP {
        let next = COMPILED.iter().find_map(|kind| {
            let ends: Option<Vec<usize>> = rest.iter().map(|text| value_end(&kind.regex, text)).collect();
            ends.map(|ends| (kind, ends))
        });
        let Some((kind, ends)) = next else { break };
        kinds.push(kind);
        for (text, end) in rest.iter_mut().zip(ends) {
            *text = &text[end..];
        }
    }
    kinds
}

/// End of the first match that stands free, not within a longer word or number.
fn value_end(regex: &Regex, text: &str) -> Option<usize> {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    regex
        .find_iter(text)
        .find(|m| !is_part(text[..m.start()].chars().next_back()) && !is_part(text[m.end()..].chars().next()))
        .map(|m| m.end())
}

fn field_name(used: &mut BTreeMap<&'static str, u32>, field: &'static str) -> String {
    let count = used.entry(field).or_default();
    *count += 1;
    if *count == 1 { field.to_owned() } else { format!("{field}{count}") }
}

#[cfg(test)]
mod tests {
    use super::super::{Categorizer, CategorizerConfig};

    fn check(messages: &[&str], expected: &str) {
        let mut categorizer = Categorizer::new(&CategorizerConfig::default()).unwrap();
        for message in messages {
            categorizer.categorize(message);
        }
        assert_eq!(categorizer.definition(1).unwrap().grok_pattern, expected);
    }

    #[test]
    fn kinds_of_value_are_named() {
        check(
            &["Connection from 10.0.0.1 port 22", "Connection from 10.0.0.17 port 4022"],
            ".*?Connection.+?from.*?%{IP:ipaddress}.*?port.*?%{NUMBER:field}.*",
        );
        check(
            &["2026-01-02T03:04:05.678Z started in 12 ms", "2026-01-02T03:04:06Z started in 9.5 ms"],
            ".*?%{TIMESTAMP_ISO8601:timestamp}.*?started.+?in.*?%{NUMBER:field}.*",
        );
        check(&["mail from anna@example.org dropped"], ".*?mail.+?from.*?%{EMAILADDRESS:email}.*?dropped.*");
    }

    #[test]
    fn kinds_that_differ_are_left_open() {
        check(&["key is 12 here", "key is /usr/lib/x here"], ".*?key.+?is.+?here.*");
    }

    #[test]
    fn several_values_in_one_gap_are_named_in_turn() {
        check(&["moved 10.0.0.1, 17"], ".*?moved.*?%{IP:ipaddress}.*?%{NUMBER:field}.*");
        check(&["moved 1, 2"], ".*?moved.*?%{NUMBER:field}.*?%{NUMBER:field2}.*");
    }
}
