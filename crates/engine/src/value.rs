//! The value of one field of a record, and records of which only the sums are known.

/// A field's value as it comes from a record; text is borrowed from the record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FieldValue<'a> {
    /// The record has no such field, or `null`.
    Missing,
    /// Text, also numbers that were sent as text.
    Str(&'a str),
    /// A number.
    Num(f64),
}

/// Records of one bucket that agree in every field but those whose numbers were added up: what an aggregation tells of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Group<'a> {
    /// How many records there are, at least 1.
    pub records: u64,
    /// Time of the oldest, epoch milliseconds.
    pub first_ms: i64,
    /// Time of the newest, epoch milliseconds; in the same bucket.
    pub last_ms: i64,
    /// One entry for each analysed field.
    pub values: &'a [GroupValue<'a>],
}

/// What the records of a group have in a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GroupValue<'a> {
    /// All the same.
    Same(FieldValue<'a>),
    /// Numbers, or nothing.
    Numbers(Numbers),
}

impl<'a> GroupValue<'a> {
    /// What all have; nothing where they differ.
    pub(crate) fn same(&self) -> FieldValue<'a> {
        match self {
            Self::Same(value) => *value,
            Self::Numbers(_) => FieldValue::Missing,
        }
    }
}

/// Numbers that were added up. Without any, `sum` is 0 and `min` and `max` have no meaning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Numbers {
    /// Records that have one.
    pub count: u64,
    /// Their sum, finite.
    pub sum: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}
