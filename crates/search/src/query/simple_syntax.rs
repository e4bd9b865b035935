//! The syntax of `simple_query_string`: `+ | - " * ( ) ~`. Whatever is not understood is taken as text; nothing is an error.

use super::syntax::{Expr, Leaf, MAX_DEPTH, Occur};

/// Reads a query string. `all`: words are joined by AND by default.
pub(super) fn parse(text: &str, all: bool) -> Expr {
    let mut parser = Parser { chars: text.chars().collect(), at: 0, all };
    parser.clauses(0)
}

struct Parser {
    chars: Vec<char>,
    at: usize,
    all: bool,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn clauses(&mut self, depth: usize) -> Expr {
        let mut result: Option<Expr> = None;
        let mut and = self.all;
        let mut not = false;
        while let Some(c) = self.peek() {
            match c {
                ')' if depth > 0 => break,
                '+' | '|' => {
                    and = c == '+';
                    self.at += 1;
                }
                '-' => {
                    not = !not;
                    self.at += 1;
                }
                c if c.is_whitespace() || c == ')' => self.at += 1,
                _ => {
                    let expr = if c == '(' && depth < MAX_DEPTH {
                        self.at += 1;
                        let inner = self.clauses(depth + 1);
                        self.at += 1;
                        inner
                    } else {
                        Expr::Leaf(None, self.leaf())
                    };
                    let expr = if not { Expr::Clauses(vec![(Occur::MustNot, expr)]) } else { expr };
                    result = Some(match result {
                        None => expr,
                        Some(before) => joined(before, expr, and),
                    });
                    (and, not) = (self.all, false);
                }
            }
        }
        result.unwrap_or(Expr::Clauses(Vec::new()))
    }

    fn leaf(&mut self) -> Leaf {
        if self.peek() == Some('"')
            && let Some(length) = self.chars[self.at + 1..].iter().position(|c| *c == '"')
        {
            let text = self.chars[self.at + 1..self.at + 1 + length].iter().collect();
            self.at += length + 2;
            return Leaf::Phrase(text, self.number().unwrap_or(0));
        }
        let mut word = String::new();
        let mut prefix = false;
        while let Some(c) = self.peek() {
            let ends = c.is_whitespace() || "+|()\"".contains(c) || c == '~';
            match c {
                '\\' if self.at + 1 < self.chars.len() => {
                    word.push(self.chars[self.at + 1]);
                    self.at += 1;
                }
                // A sign that nothing else has taken is text, so that every round gets on.
                _ if ends && !word.is_empty() => break,
                c => word.push(c),
            }
            self.at += 1;
        }
        if self.peek() == Some('~') {
            let edits = self.number();
            return Leaf::Fuzzy(word, edits.map(|n| n.min(2) as u8));
        }
        if word.len() > 1 && word.ends_with('*') && self.chars.get(self.at.wrapping_sub(2)) != Some(&'\\') {
            word.pop();
            prefix = true;
        }
        match (word.as_str(), prefix) {
            ("*", _) => Leaf::All,
            (_, true) => Leaf::Prefix(word),
            _ => Leaf::Text(word),
        }
    }

    /// The number behind `~`.
    fn number(&mut self) -> Option<u32> {
        if self.peek() != Some('~') {
            return None;
        }
        self.at += 1;
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
        self.chars[start..self.at].iter().collect::<String>().parse().ok()
    }
}

/// Joins a clause to those before it; a row of the same operator stays one list.
fn joined(before: Expr, expr: Expr, and: bool) -> Expr {
    let wanted = if and { Occur::Must } else { Occur::Should };
    match before {
        Expr::Clauses(mut clauses)
            if !clauses.is_empty() && clauses.iter().all(|(occur, _)| *occur == wanted) =>
        {
            clauses.push((wanted, expr));
            Expr::Clauses(clauses)
        }
        before => Expr::Clauses(vec![(wanted, before), (wanted, expr)]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(word: &str) -> Expr {
        Expr::Leaf(None, Leaf::Text(word.to_owned()))
    }

    #[test]
    fn operators() {
        use Occur::{Must, MustNot, Should};
        let or = parse("a b -c", false);
        let not_c = Expr::Clauses(vec![(MustNot, text("c"))]);
        assert_eq!(
            or,
            Expr::Clauses(vec![(Should, text("a")), (Should, text("b")), (Should, not_c.clone())])
        );
        assert_eq!(parse("a + b", false), Expr::Clauses(vec![(Must, text("a")), (Must, text("b"))]));
        assert_eq!(parse("a-b", false), text("a-b"));
        assert_eq!(parse("-c", true), not_c);
        assert_eq!(parse("\"a b\"~2", false), Expr::Leaf(None, Leaf::Phrase("a b".into(), 2)));
        assert_eq!(parse("ab*", false), Expr::Leaf(None, Leaf::Prefix("ab".into())));
        assert_eq!(parse("ab~1", false), Expr::Leaf(None, Leaf::Fuzzy("ab".into(), Some(1))));
        let group = Expr::Clauses(vec![(Should, text("b")), (Should, text("c"))]);
        assert_eq!(parse("a + (b | c)", false), Expr::Clauses(vec![(Must, text("a")), (Must, group)]));
    }

    proptest! {
        #[test]
        fn every_text_is_understood(query in "[a-c +|\"*()~1\\\\-]{0,24}", all: bool) {
            parse(&query, all);
        }
    }
}
