//! Patterns of terms as anchored regular expressions: wildcards, and Lucene's dialect as far as it is a regular expression
//! of the usual kind. Lucene's complement `~` and intersection `&` are refused.

use regex::{Regex, RegexBuilder};

use crate::error::{Error, Result};

/// Longer expressions are refused (`index.max_regex_length`).
const MAX_REGEX_LENGTH: usize = 1000;

/// Compiled expressions may take so many bytes.
const MAX_COMPILED: usize = 4 << 20;

/// `*` stands for any characters, `?` for one, `\` takes the next one literally.
pub(crate) fn wildcard(pattern: &str, case_insensitive: bool) -> Result<Regex> {
    let mut expression = String::with_capacity(pattern.len() + 8);
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' => expression.push_str(".*"),
            '?' => expression.push('.'),
            '\\' => literal(&mut expression, chars.next().unwrap_or('\\')),
            c => literal(&mut expression, c),
        }
    }
    compile(&expression, case_insensitive, pattern)
}

/// The term itself, without regard to case.
pub(crate) fn exactly(term: &str) -> Result<Regex> {
    compile(&regex::escape(term), true, term)
}

/// Everything that begins with `prefix`, without regard to case.
pub(crate) fn prefix_ignoring_case(prefix: &str) -> Result<Regex> {
    compile(&format!("{}.*", regex::escape(prefix)), true, prefix)
}

/// Lucene's regular expression.
pub(crate) fn lucene(pattern: &str, case_insensitive: bool) -> Result<Regex> {
    let length = pattern.chars().count();
    if length > MAX_REGEX_LENGTH {
        return Err(Error::illegal(format!(
            "The length of regex [{length}] used in the Regexp Query request has exceeded the allowed maximum of \
             [{MAX_REGEX_LENGTH}]. This maximum can be set by changing the [index.max_regex_length] index level setting."
        )));
    }
    compile(&translate(pattern)?, case_insensitive, pattern)
}

fn compile(expression: &str, case_insensitive: bool, pattern: &str) -> Result<Regex> {
    RegexBuilder::new(&format!("^(?:{expression})$"))
        .case_insensitive(case_insensitive)
        .dot_matches_new_line(true)
        .size_limit(MAX_COMPILED)
        .build()
        .map_err(|_| {
            Error::illegal(format!("failed to parse regexp [{pattern}] due to a syntax error or its size"))
        })
}

fn literal(expression: &mut String, c: char) {
    if regex_syntax(c) {
        expression.push('\\');
    }
    expression.push(c);
}

fn regex_syntax(c: char) -> bool {
    r"\.+*?()|[]{}^$#&-~/".contains(c)
}

fn translate(pattern: &str) -> Result<String> {
    let unsupported = |what: &str| {
        Error::illegal(format!(
            "failed to parse regexp [{pattern}]: {what} is not supported by the embedded store"
        ))
    };
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '.' | '?' | '+' | '*' | '|' | '(' | ')' => out.push(c),
            '{' => {
                let mut count = String::new();
                for c in chars.by_ref() {
                    if c == '}' {
                        break;
                    }
                    count.push(c);
                }
                if count.is_empty() || !count.chars().all(|c| c.is_ascii_digit() || c == ',') {
                    return Err(Error::illegal(format!(
                        "failed to parse regexp [{pattern}]: illegal repetition"
                    )));
                }
                out.push_str(&format!("{{{count}}}"));
            }
            '[' => class(&mut chars, &mut out)
                .ok_or_else(|| Error::illegal(format!("failed to parse regexp [{pattern}]: expected ']'")))?,
            '"' => {
                out.push_str("(?:");
                let mut closed = false;
                for c in chars.by_ref() {
                    if c == '"' {
                        closed = true;
                        break;
                    }
                    literal(&mut out, c);
                }
                if !closed {
                    return Err(Error::illegal(format!("failed to parse regexp [{pattern}]: expected '\"'")));
                }
                out.push(')');
            }
            '@' => out.push_str("(?:.*)"),
            '#' => out.push_str(r"(?:[^\s\S])"),
            '~' => return Err(unsupported("the complement [~]")),
            '&' => return Err(unsupported("the intersection [&]")),
            '<' => return Err(unsupported("the interval [<>]")),
            '\\' => escaped(chars.next(), &mut out).ok_or_else(|| {
                Error::illegal(format!("failed to parse regexp [{pattern}]: end-of-string"))
            })?,
            c => literal(&mut out, c),
        }
    }
    Ok(out)
}

fn escaped(c: Option<char>, out: &mut String) -> Option<()> {
    match c? {
        c @ ('d' | 'D' | 's' | 'S' | 'w' | 'W') => {
            // Lucene knows the ASCII classes only.
            out.push_str(match c {
                'd' => "[0-9]",
                'D' => "[^0-9]",
                's' => "[ \\t\\n\\r]",
                'S' => "[^ \\t\\n\\r]",
                'w' => "[0-9A-Za-z_]",
                _ => "[^0-9A-Za-z_]",
            });
        }
        c => literal(out, c),
    }
    Some(())
}

fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, out: &mut String) -> Option<()> {
    out.push('[');
    if chars.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    let mut first = true;
    loop {
        match chars.next()? {
            ']' if !first => break,
            '\\' => match chars.next()? {
                c @ ('d' | 'D' | 's' | 'S' | 'w' | 'W') => escaped(Some(c), out)?,
                c => literal(out, c),
            },
            // Between two characters it is a range.
            '-' if !first && chars.peek().is_some_and(|next| *next != ']') => out.push('-'),
            c => literal(out, c),
        }
        first = false;
    }
    out.push(']');
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, fits: &[&str], fails: &[&str]) {
        let regex = lucene(pattern, false).unwrap();
        for text in fits {
            assert!(regex.is_match(text), "{pattern} should match {text}");
        }
        for text in fails {
            assert!(!regex.is_match(text), "{pattern} should not match {text}");
        }
    }

    #[test]
    fn lucene_expressions() {
        check("ab.*", &["ab", "abc", "ab\nc"], &["xab", "a"]);
        check("a^b$", &["a^b$"], &["ab"]);
        check(r#""a.b"+"#, &["a.b", "a.ba.b"], &["axb"]);
        check("a@", &["a", "axyz"], &["b"]);
        check("[a-c^&]{2,3}", &["ab", "a^&"], &["a", "d", "abca"]);
        check("[^0-9]x|y#?", &["ax", "y"], &["1x"]);
        check(r"\d+\.\w", &["12.a"], &["12a", "x.a"]);
        check("[]a]", &["]", "a"], &["b"]);
        check("[a-]", &["a", "-"], &["b"]);
    }

    #[test]
    fn what_is_no_regular_expression_is_refused() {
        for bad in ["~a", "a&b", "<1-5>", "(a", "[a", "a{x}", "\"a", "a\\", "(a{1000}){1000}"] {
            assert!(lucene(bad, false).is_err(), "{bad}");
        }
        assert!(lucene(&"a".repeat(1001), false).unwrap_err().to_string().contains("max_regex_length"));
    }

    #[test]
    fn wildcards() {
        let regex = wildcard("a*b?.\\*", true).unwrap();
        assert!(regex.is_match("AxxBy.*") && !regex.is_match("axxby.x"));
    }
}
