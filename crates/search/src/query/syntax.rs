//! What a query string says, whichever syntax it is written in.

/// A parsed query string.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    /// Clauses joined.
    Clauses(Vec<(Occur, Expr)>),
    /// One condition, on a named field or on the default ones.
    Leaf(Option<String>, Leaf),
}

/// How a clause counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occur {
    Must,
    Should,
    MustNot,
}

/// One condition.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Leaf {
    /// Every document, or every document that has the field.
    All,
    /// Words, cut by the field's analyzer.
    Text(String),
    /// A term that may differ.
    Fuzzy(String, Option<u8>),
    /// Words in a row.
    Phrase(String, u32),
    /// A term that begins with this text.
    Prefix(String),
    /// A pattern with `*` and `?`, escapes kept.
    Wildcard(String),
    /// A regular expression.
    Regexp(String),
    /// Between bounds; `true` where the bound is inside.
    Range(Option<(String, bool)>, Option<(String, bool)>),
}

/// Deeper parentheses are refused, before they exhaust the stack.
pub(super) const MAX_DEPTH: usize = 50;
