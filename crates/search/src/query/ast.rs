//! The query language as it was asked: parsed, but not yet tied to a mapping.

use serde_json::Value;

/// A query with what every query may have.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The query itself.
    pub node: Node,
    /// Multiplies the score; 1.0 unless asked for.
    pub boost: f64,
    /// `_name`.
    pub name: Option<String>,
}

impl From<Node> for Query {
    fn from(node: Node) -> Self {
        Self { node, boost: 1.0, name: None }
    }
}

impl Query {
    /// `match_all`.
    pub fn match_all() -> Self {
        Node::MatchAll.into()
    }

    /// The score of every hit. Relevance is not computed: a query that only filters scores 0, a constant score is its
    /// boost, everything else is 1 times its boost.
    pub fn constant_score(&self) -> f64 {
        match &self.node {
            Node::Bool(query) if query.must.is_empty() && query.should.is_empty() => 0.0,
            _ => self.boost,
        }
    }
}

/// The kinds of queries.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// Every document.
    MatchAll,
    /// No document.
    MatchNone,
    /// Documents with these ids.
    Ids(Vec<String>),
    /// A field has a value.
    Exists {
        /// A field or an object.
        field: String,
    },
    /// A field has exactly this value.
    Term {
        /// The field.
        field: String,
        /// The value.
        value: Value,
        /// Are upper and lower case the same?
        case_insensitive: bool,
    },
    /// A field has one of these values.
    Terms {
        /// The field.
        field: String,
        /// The values.
        values: Vec<Value>,
    },
    /// A field has a value between two bounds.
    Range {
        /// The field.
        field: String,
        /// The bounds and how they are read.
        bounds: Box<Bounds>,
    },
    /// A field has a term that fits a pattern.
    Pattern {
        /// The field.
        field: String,
        /// The kind of pattern.
        kind: PatternKind,
        /// The pattern.
        pattern: String,
        /// Are upper and lower case the same?
        case_insensitive: bool,
    },
    /// A field has a term that differs from this one by a few characters.
    Fuzzy {
        /// The field.
        field: String,
        /// The term.
        value: String,
        /// How much it may differ.
        fuzziness: Fuzziness,
    },
    /// A field's text has these words.
    Match(Box<MatchText>),
    /// Several fields together have these words.
    MultiMatch {
        /// The words; `field` is empty.
        text: Box<MatchText>,
        /// The fields, with wildcards; empty for the index's default fields.
        fields: Vec<String>,
        /// Must all words stand in the same field (`best_fields`), or may they be spread (`cross_fields`)?
        cross_fields: bool,
    },
    /// A text in the syntax of Lucene, or in the simple syntax.
    QueryString(Box<StringQuery>),
    /// Clauses joined.
    Bool(Box<BoolQuery>),
    /// Any of several queries.
    DisMax(Vec<Query>),
    /// A query whose own score does not count.
    ConstantScore(Box<Query>),
    /// The documents of a query; those of the other one count less.
    Boosting(Box<Query>),
    /// An object of an array of nested objects fits a query.
    Nested {
        /// The nested object's path.
        path: String,
        /// What one object must fit.
        query: Box<Query>,
        /// Is an unmapped path no error?
        ignore_unmapped: bool,
    },
    /// A share of the documents, for readers that divide the work: `number` of `of`.
    Slice {
        /// Which share, from 0.
        number: u64,
        /// How many shares there are.
        of: u64,
        /// The field whose value decides; the document's id if there is none.
        field: Option<String>,
    },
    /// A point lies in a box.
    GeoBox {
        /// The field.
        field: String,
        /// Degrees: top, left, bottom, right.
        corners: [f64; 4],
    },
    /// A point lies within a distance of another.
    GeoDistance {
        /// The field.
        field: String,
        /// Degrees: latitude, longitude.
        centre: (f64, f64),
        /// Metres.
        metres: f64,
    },
}

/// The kinds of term patterns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatternKind {
    /// The term begins with it.
    Prefix,
    /// `*` and `?`.
    Wildcard,
    /// Lucene's regular expressions.
    Regexp,
}

/// The bounds of a range, and how they are read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bounds {
    /// The lower bound and whether it is inside.
    pub lower: Option<(Value, bool)>,
    /// The upper bound and whether it is inside.
    pub upper: Option<(Value, bool)>,
    /// The format of dates, in place of the field's own.
    pub format: Option<String>,
    /// The zone of dates without an offset.
    pub time_zone: Option<String>,
}

/// How much a term may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fuzziness {
    /// The number of edits; `None` lets the term's length decide (`AUTO`).
    pub edits: Option<u8>,
    /// The first so many characters must be the same.
    pub prefix_length: usize,
}

/// Words to be found in a text.
#[derive(Clone, Debug, PartialEq)]
pub struct MatchText {
    /// The field.
    pub field: String,
    /// The text, or a number, a boolean.
    pub query: Value,
    /// How the words must stand.
    pub form: MatchForm,
    /// Must all words be there?
    pub all: bool,
    /// How many words must be there.
    pub minimum_should_match: Option<String>,
    /// In place of the field's own analyzer.
    pub analyzer: Option<String>,
    /// May words differ?
    pub fuzziness: Option<Fuzziness>,
    /// Does a value that the field cannot have match nothing, rather than being an error?
    pub lenient: bool,
    /// Does a text without words match everything?
    pub zero_terms_all: bool,
}

/// How words must stand in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchForm {
    /// Anywhere.
    Words,
    /// Anywhere, the last one as a prefix.
    BoolPrefix,
    /// In a row, with so many moves allowed.
    Phrase {
        /// The moves.
        slop: u32,
    },
    /// In a row, the last one as a prefix.
    PhrasePrefix {
        /// The moves.
        slop: u32,
    },
}

/// `query_string` and `simple_query_string`.
#[derive(Clone, Debug, PartialEq)]
pub struct StringQuery {
    /// The text.
    pub query: String,
    /// Is it the simple syntax?
    pub simple: bool,
    /// The fields of words without a field, with wildcards; empty for the index's default fields.
    pub fields: Vec<String>,
    /// Are clauses joined by AND unless something else stands between them?
    pub all: bool,
    /// Are the characters of the syntax taken as text?
    pub escape: bool,
    /// Does a value that a field cannot have match nothing? `None`: only when all fields are asked.
    pub lenient: Option<bool>,
    /// In place of the fields' own analyzer.
    pub analyzer: Option<String>,
    /// How many of the optional clauses must match.
    pub minimum_should_match: Option<String>,
    /// The zone of dates without an offset.
    pub time_zone: Option<String>,
}

/// Clauses joined.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BoolQuery {
    /// All of these.
    pub must: Vec<Query>,
    /// All of these, without a score.
    pub filter: Vec<Query>,
    /// Some of these.
    pub should: Vec<Query>,
    /// None of these.
    pub must_not: Vec<Query>,
    /// How many of `should`.
    pub minimum_should_match: Option<String>,
}
