//! A query tied to a mapping: fields resolved, dates reckoned, texts analysed. Executors compile this; the matcher
//! ([`Predicate::matches`]) evaluates it on a document.

use std::ops::Bound;

use regex::Regex;

use super::field::Field;

/// What a document must fulfil.
#[derive(Clone, Debug)]
pub enum Predicate {
    /// Every document.
    All,
    /// No document.
    None,
    /// All of these; never empty.
    And(Vec<Predicate>),
    /// One of these; never empty.
    Or(Vec<Predicate>),
    /// At least `count` of these, `1 < count < of.len()`.
    AtLeast {
        /// How many.
        count: usize,
        /// Of which.
        of: Vec<Predicate>,
    },
    /// Not this.
    Not(Box<Predicate>),
    /// The document's id is one of these.
    Ids(Vec<String>),
    /// One of the field's values passes the test. A field of text has the terms of all its values for values, except in a
    /// phrase, which must stand within one value.
    Value {
        /// The field.
        field: Box<Field>,
        /// The test.
        test: Test,
    },
    /// The document belongs to a share of all documents, by its id or by the first value of a field.
    Slice {
        /// Which share, from 0.
        number: u64,
        /// How many shares there are.
        of: u64,
        /// The field whose value decides.
        field: Option<Box<Field>>,
    },
    /// One of the nested objects at `path` fulfils the inner predicate. Its fields have whole paths, and all lie in that
    /// object.
    Nested {
        /// The nested object's path.
        path: String,
        /// What one object must fulfil.
        inner: Box<Predicate>,
    },
}

/// What one value must fulfil. Which tests a field can have follows from its kind: whole numbers, dates (milliseconds) and
/// booleans (0, 1) have the `Int` tests; doubles the `Double` tests; keywords and text the tests of terms; addresses `Ip`.
#[derive(Clone, Debug)]
pub enum Test {
    /// There is a value.
    Exists,
    /// One of these; sorted.
    IntIn(Vec<i64>),
    /// Between these, both inside.
    IntBetween(i64, i64),
    /// One of these; sorted.
    DoubleIn(Vec<f64>),
    /// Between these.
    DoubleBetween(Bound<f64>, Bound<f64>),
    /// One of these; sorted.
    TermIn(Vec<String>),
    /// Between these, in the order of their bytes.
    TermBetween(Bound<String>, Bound<String>),
    /// The term begins with this.
    TermPrefix(String),
    /// The whole term fits this (the expression is anchored). Wildcards, regular expressions, terms without regard to case.
    TermPattern(Regex),
    /// The term differs from this one by at most so many edits, behind a prefix that is the same.
    TermFuzzy {
        /// The term.
        term: String,
        /// The number of edits.
        edits: usize,
        /// The length of the prefix, in characters.
        prefix_length: usize,
    },
    /// The terms stand in a row, with at most `slop` moves; the last is a prefix if `prefix`.
    Phrase {
        /// The terms, at least one.
        terms: Vec<String>,
        /// The moves.
        slop: u32,
        /// Is the last term a prefix?
        prefix: bool,
    },
    /// Within one of these blocks of addresses, both ends inside; IPv4 as IPv6 with `::ffff:` before.
    IpIn(Vec<(u128, u128)>),
    /// In this box, in degrees: top, left, bottom, right. Left is greater than right where it crosses the date line.
    GeoBox([f64; 4]),
    /// Within so many metres of a point in degrees.
    GeoDistance {
        /// Latitude, longitude.
        centre: (f64, f64),
        /// Metres.
        metres: f64,
    },
}

impl Predicate {
    /// All of `parts`, simplified.
    pub fn and(parts: impl IntoIterator<Item = Predicate>) -> Self {
        let mut kept = Vec::new();
        for part in parts {
            match part {
                Self::All => {}
                Self::None => return Self::None,
                Self::And(inner) => kept.extend(inner),
                other => kept.push(other),
            }
        }
        match kept.len() {
            0 => Self::All,
            1 => kept.remove(0),
            _ => Self::And(kept),
        }
    }

    /// One of `parts`, simplified.
    pub fn or(parts: impl IntoIterator<Item = Predicate>) -> Self {
        let mut kept = Vec::new();
        for part in parts {
            match part {
                Self::None => {}
                Self::All => return Self::All,
                Self::Or(inner) => kept.extend(inner),
                other => kept.push(other),
            }
        }
        match kept.len() {
            0 => Self::None,
            1 => kept.remove(0),
            _ => Self::Or(kept),
        }
    }

    /// At least `count` of `parts`, simplified.
    pub fn at_least(count: usize, parts: Vec<Predicate>) -> Self {
        if count == 0 {
            Self::All
        } else if count == 1 {
            Self::or(parts)
        } else if count > parts.len() {
            Self::None
        } else if count == parts.len() {
            Self::and(parts)
        } else {
            Self::AtLeast { count, of: parts }
        }
    }

    /// Not `part`, simplified.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Self::All => Self::None,
            Self::None => Self::All,
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }

    /// A test of one field.
    pub fn value(field: &Field, test: Test) -> Self {
        Self::Value { field: Box::new(field.clone()), test }
    }
}
