//! The syntax of `query_string`: Lucene's classic query parser, which does not split text at whitespace.

use super::syntax::{Expr, Leaf, MAX_DEPTH, Occur};

/// Reads a query string; the error says what was not understood. `all`: clauses are joined by AND by default.
pub(super) fn parse(text: &str, all: bool) -> Result<Expr, String> {
    let mut parser = Parser { chars: text.chars().collect(), at: 0, all, depth: 0 };
    let clauses = parser.clauses(None)?;
    match parser.peek() {
        None => Ok(clauses),
        Some(c) => Err(format!("Encountered \"{c}\" at column {}", parser.at)),
    }
}

struct Parser {
    chars: Vec<char>,
    at: usize,
    all: bool,
    depth: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Conjunction {
    None,
    And,
    Or,
}

/// A word as it stands in the text.
struct Word {
    /// Without escapes.
    plain: String,
    /// With escapes, as patterns need it.
    raw: String,
    pattern: bool,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn take(&mut self, text: &str) -> bool {
        let found = text.chars().enumerate().all(|(i, c)| self.chars.get(self.at + i) == Some(&c));
        if found {
            self.at += text.chars().count();
        }
        found
    }

    /// A keyword that stands alone.
    fn take_keyword(&mut self, keyword: &str) -> bool {
        let before = self.at;
        if self.take(keyword) && self.peek().is_none_or(|c| c.is_whitespace() || "()\"".contains(c)) {
            return true;
        }
        self.at = before;
        false
    }

    fn error<T>(&self, what: &str) -> Result<T, String> {
        Err(format!("{what} at column {}", self.at))
    }

    /// Clauses up to the end or a closing parenthesis, joined as the classic parser joins them: AND makes both neighbours
    /// required, OR leaves them optional.
    fn clauses(&mut self, field: Option<&str>) -> Result<Expr, String> {
        let mut clauses: Vec<(Occur, Expr)> = Vec::new();
        loop {
            self.skip_space();
            if self.peek().is_none_or(|c| c == ')') {
                break;
            }
            let conjunction = if self.take_keyword("AND") || self.take("&&") {
                Conjunction::And
            } else if self.take_keyword("OR") || self.take("||") {
                Conjunction::Or
            } else {
                Conjunction::None
            };
            if conjunction != Conjunction::None && clauses.is_empty() {
                return self.error("Encountered an operator without a clause before it");
            }
            self.skip_space();
            let (not, plus) = if self.take_keyword("NOT") || self.take("!") || self.take("-") {
                (true, false)
            } else {
                (false, self.take("+"))
            };
            self.skip_space();
            if self.peek().is_none_or(|c| c == ')') {
                return self.error("Encountered the end where a clause was expected");
            }
            let expr = self.clause(field, !not && !plus)?;
            if let Some((occur @ (Occur::Must | Occur::Should), _)) = clauses.last_mut() {
                match conjunction {
                    Conjunction::And => *occur = Occur::Must,
                    Conjunction::Or if self.all => *occur = Occur::Should,
                    _ => {}
                }
            }
            let required = if self.all {
                conjunction != Conjunction::Or
            } else {
                plus || conjunction == Conjunction::And
            };
            let occur = match (not, required) {
                (true, _) => Occur::MustNot,
                (false, true) => Occur::Must,
                (false, false) => Occur::Should,
            };
            clauses.push((occur, expr));
        }
        if let [(Occur::Must | Occur::Should, _)] = clauses.as_slice() {
            return Ok(clauses.remove(0).1);
        }
        Ok(Expr::Clauses(clauses))
    }

    /// One clause. `run`: further plain words belong to it, since whitespace is no operator.
    fn clause(&mut self, field: Option<&str>, run: bool) -> Result<Expr, String> {
        if self.peek() == Some('(') {
            return self.group(field);
        }
        let start = self.at;
        if let Some(word) = self.word()? {
            if self.peek() == Some(':') {
                self.at += 1;
                self.skip_space();
                return self.fielded(&word);
            }
            self.at = start;
        }
        let leaf = self.leaf(run)?;
        Ok(Expr::Leaf(field.map(str::to_owned), leaf))
    }

    fn group(&mut self, field: Option<&str>) -> Result<Expr, String> {
        self.at += 1;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.error("Too many nested parentheses");
        }
        let inner = self.clauses(field)?;
        self.depth -= 1;
        if !self.take(")") {
            return self.error("Encountered the end where \")\" was expected");
        }
        self.boost()?;
        Ok(inner)
    }

    fn fielded(&mut self, name: &Word) -> Result<Expr, String> {
        if name.plain == "_exists_" {
            return match self.word()? {
                Some(field) => Ok(Expr::Leaf(Some(field.plain), Leaf::All)),
                None => self.error("Encountered no field behind _exists_:"),
            };
        }
        // `*:*` is every document.
        if name.raw == "*" && self.take("*") {
            return Ok(Expr::Leaf(None, Leaf::All));
        }
        if self.peek() == Some('(') {
            return self.group(Some(&name.plain));
        }
        for (operator, upper, inside) in
            [(">=", false, true), (">", false, false), ("<=", true, true), ("<", true, false)]
        {
            if self.take(operator) {
                self.skip_space();
                let value = match self.quoted()? {
                    Some(text) => text,
                    None => self
                        .word()?
                        .map(|word| word.plain)
                        .ok_or_else(|| "Encountered no bound".to_owned())?,
                };
                let bound = Some((value, inside));
                let leaf = if upper { Leaf::Range(None, bound) } else { Leaf::Range(bound, None) };
                return Ok(Expr::Leaf(Some(name.plain.clone()), leaf));
            }
        }
        let leaf = self.leaf(false)?;
        Ok(Expr::Leaf(Some(name.plain.clone()), leaf))
    }

    fn leaf(&mut self, run: bool) -> Result<Leaf, String> {
        let leaf = match self.peek() {
            Some('"') => {
                let text = self.quoted()?.unwrap_or_default();
                let slop = self.suffix('~')?.map_or(0, |number| number as u32);
                Leaf::Phrase(text, slop)
            }
            Some('[' | '{') => self.range()?,
            Some('/') => {
                self.at += 1;
                let mut expression = String::new();
                loop {
                    match self.peek() {
                        None => return self.error("Encountered a regular expression without an end"),
                        Some('/') => break,
                        Some('\\') if self.chars.get(self.at + 1) == Some(&'/') => {
                            expression.push('/');
                            self.at += 2;
                            continue;
                        }
                        Some(c) => expression.push(c),
                    }
                    self.at += 1;
                }
                self.at += 1;
                Leaf::Regexp(expression)
            }
            _ => {
                let Some(mut word) = self.word()? else {
                    return self.error(&format!("Encountered \"{}\"", self.peek().unwrap_or(' ')));
                };
                if run && !word.pattern {
                    self.more_words(&mut word)?;
                }
                match self.suffix('~')? {
                    Some(edits) if !word.pattern => {
                        let edits = (edits.is_finite() && edits >= 1.0).then_some(edits.min(2.0) as u8);
                        Leaf::Fuzzy(word.plain, edits)
                    }
                    _ if word.raw == "*" => Leaf::All,
                    _ if word.pattern => Leaf::Wildcard(word.raw),
                    _ => Leaf::Text(word.plain),
                }
            }
        };
        self.boost()?;
        Ok(leaf)
    }

    /// Adds the plain words that follow, each of which must itself be followed by a word or the end.
    fn more_words(&mut self, word: &mut Word) -> Result<(), String> {
        if self.peek().is_some_and(|c| "~^:".contains(c)) {
            return Ok(());
        }
        loop {
            let before = self.at;
            self.skip_space();
            let keyword = ["AND", "OR", "NOT"].iter().any(|keyword| {
                let start = self.at;
                let found = self.take_keyword(keyword);
                self.at = start;
                found
            });
            let operator = self.peek().is_none_or(|c| "+-!()[]{}\"~^:/".contains(c));
            let doubled = (self.peek() == Some('&') || self.peek() == Some('|'))
                && self.chars.get(self.at + 1) == self.chars.get(self.at);
            if keyword || operator || doubled {
                // A word before AND or OR is a clause of its own; it was taken as one already if it was the first.
                self.at = before;
                return Ok(());
            }
            let next = self.word()?;
            let after = self.at;
            self.skip_space();
            let joined =
                self.take_keyword("AND") || self.take_keyword("OR") || self.take("&&") || self.take("||");
            self.at = after;
            match next {
                Some(next) if !next.pattern && !joined && !self.peek().is_some_and(|c| "~^:".contains(c)) => {
                    word.plain.push(' ');
                    word.plain.push_str(&next.plain);
                }
                _ => {
                    self.at = before;
                    return Ok(());
                }
            }
        }
    }

    fn range(&mut self) -> Result<Leaf, String> {
        let lower_inside = self.peek() == Some('[');
        self.at += 1;
        let lower = self.bound()?;
        self.skip_space();
        if !self.take_keyword("TO") {
            return self.error("Encountered no TO in a range");
        }
        let upper = self.bound()?;
        self.skip_space();
        let upper_inside = match self.peek() {
            Some(']') => true,
            Some('}') => false,
            _ => return self.error("Encountered no end of a range"),
        };
        self.at += 1;
        let open = |bound: String, quoted: bool| (bound != "*" || quoted).then_some(bound);
        Ok(Leaf::Range(
            open(lower.0, lower.1).map(|bound| (bound, lower_inside)),
            open(upper.0, upper.1).map(|bound| (bound, upper_inside)),
        ))
    }

    /// A bound, and whether it was quoted.
    fn bound(&mut self) -> Result<(String, bool), String> {
        self.skip_space();
        if let Some(text) = self.quoted()? {
            return Ok((text, true));
        }
        let mut text = String::new();
        while let Some(c) = self.peek().filter(|c| !c.is_whitespace() && !matches!(c, ']' | '}')) {
            self.at += 1;
            match (c, self.peek()) {
                ('\\', Some(next)) => {
                    text.push(next);
                    self.at += 1;
                }
                _ => text.push(c),
            }
        }
        if text.is_empty() { self.error("Encountered no bound of a range") } else { Ok((text, false)) }
    }

    fn quoted(&mut self) -> Result<Option<String>, String> {
        if !self.take("\"") {
            return Ok(None);
        }
        let mut text = String::new();
        loop {
            match self.peek() {
                None => return self.error("Encountered a quotation without an end"),
                Some('"') => break,
                Some('\\') if self.at + 1 < self.chars.len() => {
                    text.push(self.chars[self.at + 1]);
                    self.at += 1;
                }
                Some(c) => text.push(c),
            }
            self.at += 1;
        }
        self.at += 1;
        Ok(Some(text))
    }

    fn word(&mut self) -> Result<Option<Word>, String> {
        let mut word = Word { plain: String::new(), raw: String::new(), pattern: false };
        while let Some(c) = self.peek() {
            match c {
                '\\' => {
                    let Some(next) = self.chars.get(self.at + 1) else {
                        return self.error("Term can not end with escape character");
                    };
                    word.plain.push(*next);
                    word.raw.extend(['\\', *next]);
                    self.at += 1;
                }
                '*' | '?' => {
                    word.pattern = true;
                    word.plain.push(c);
                    word.raw.push(c);
                }
                '+' | '-' if !word.raw.is_empty() => {
                    word.plain.push(c);
                    word.raw.push(c);
                }
                c if c.is_whitespace() || "+-!():^[]\"{}~/".contains(c) => break,
                c => {
                    word.plain.push(c);
                    word.raw.push(c);
                }
            }
            self.at += 1;
        }
        Ok((!word.raw.is_empty()).then_some(word))
    }

    /// `~2`, `^1.5`: the number, infinite when there is none behind the sign.
    fn suffix(&mut self, sign: char) -> Result<Option<f64>, String> {
        if self.peek() != Some(sign) {
            return Ok(None);
        }
        self.at += 1;
        let mut number = String::new();
        while let Some(c) = self.peek().filter(|c| c.is_ascii_digit() || *c == '.') {
            number.push(c);
            self.at += 1;
        }
        if number.is_empty() {
            return Ok(Some(f64::INFINITY));
        }
        number.parse().map(Some).or_else(|_| self.error("Encountered a number that is none"))
    }

    fn boost(&mut self) -> Result<(), String> {
        match self.suffix('^')? {
            Some(f64::INFINITY) => self.error("Encountered no number behind ^"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(word: &str) -> Expr {
        Expr::Leaf(None, Leaf::Text(word.to_owned()))
    }

    fn on(field: &str, leaf: Leaf) -> Expr {
        Expr::Leaf(Some(field.to_owned()), leaf)
    }

    #[test]
    fn clauses_are_joined_as_the_classic_parser_joins_them() {
        use Occur::{Must, MustNot, Should};
        let check = |query: &str, expected: &[(Occur, Expr)]| {
            assert_eq!(parse(query, false).unwrap(), Expr::Clauses(expected.to_vec()), "{query}");
        };
        check("a AND b", &[(Must, text("a")), (Must, text("b"))]);
        check("a OR b", &[(Should, text("a")), (Should, text("b"))]);
        check("a && !b", &[(Must, text("a")), (MustNot, text("b"))]);
        check("+a -b c", &[(Must, text("a")), (MustNot, text("b")), (Should, text("c"))]);
        check("a AND b OR c", &[(Must, text("a")), (Must, text("b")), (Should, text("c"))]);
        check("NOT a", &[(MustNot, text("a"))]);
        let group = Expr::Clauses(vec![(Should, text("b")), (Should, text("c"))]);
        check("a AND (b OR c)", &[(Must, text("a")), (Must, group)]);
        assert_eq!(
            parse("a OR b", true).unwrap(),
            Expr::Clauses(vec![(Should, text("a")), (Should, text("b"))])
        );
    }

    #[test]
    fn conditions() {
        let check =
            |query: &str, expected: Expr| assert_eq!(parse(query, false).unwrap(), expected, "{query}");
        check("new york city", text("new york city"));
        check("f:a", on("f", Leaf::Text("a".into())));
        check(r"f\:g\ h", text("f:g h"));
        check("f:\"a b\"~3", on("f", Leaf::Phrase("a b".into(), 3)));
        check("f:[1 TO *}", on("f", Leaf::Range(Some(("1".into(), true)), None)));
        check("f:{a TO b]", on("f", Leaf::Range(Some(("a".into(), false)), Some(("b".into(), true)))));
        check("f:>=10", on("f", Leaf::Range(Some(("10".into(), true)), None)));
        check("f:<now-1d", on("f", Leaf::Range(None, Some(("now-1d".into(), false)))));
        check("_exists_:f.g", on("f.g", Leaf::All));
        check("f:*", on("f", Leaf::All));
        check("*", Expr::Leaf(None, Leaf::All));
        check("*:*", Expr::Leaf(None, Leaf::All));
        check("f:a*b?", on("f", Leaf::Wildcard("a*b?".into())));
        check("f:/a.[b]?/", on("f", Leaf::Regexp("a.[b]?".into())));
    }

    #[test]
    fn suffixes_and_groups() {
        let check =
            |query: &str, expected: Expr| assert_eq!(parse(query, false).unwrap(), expected, "{query}");
        check("roam~1", Expr::Leaf(None, Leaf::Fuzzy("roam".into(), Some(1))));
        check("roam~", Expr::Leaf(None, Leaf::Fuzzy("roam".into(), None)));
        check("a^2.5", text("a"));
        check("f:(a b)", on("f", Leaf::Text("a b".into())));
        check(
            "f:(a OR \"b c\")",
            Expr::Clauses(vec![
                (Occur::Should, on("f", Leaf::Text("a".into()))),
                (Occur::Should, on("f", Leaf::Phrase("b c".into(), 0))),
            ]),
        );
        check(
            "f:a b c",
            Expr::Clauses(vec![
                (Occur::Should, on("f", Leaf::Text("a".into()))),
                (Occur::Should, text("b c")),
            ]),
        );
    }

    #[test]
    fn broken_syntax_is_refused() {
        for bad in
            ["(a", "a)", "a AND", "AND a", "f:[1 TO", "\"a", "a^", "f:", "a\\", "/a", "f:[1 2]", "NOT", "~a"]
        {
            assert!(parse(bad, false).is_err(), "{bad}");
        }
        assert!(parse(&format!("{}a", "(".repeat(100_000)), false).is_err());
        assert_eq!(parse("", false).unwrap(), Expr::Clauses(vec![]));
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_parser(query in "[a-cA-Z :()\\[\\]{}\"~^*?/\\\\+!&|<>=.-]{0,30}", all: bool) {
            let _ = parse(&query, all);
        }
    }
}
