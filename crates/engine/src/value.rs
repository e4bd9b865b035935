//! The value of one field of a record.

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
