//! What an executor hands to the aggregations: batches of documents, column by column.
//!
//! ```text
//! let request = Aggregations::parse(&body)?;                      // syntax
//! let mut collector = Collector::new(&request, &context)?;        // mapping
//! let mut batch = collector.new_batch();
//! for document in matching {                                      // scope 0: the documents themselves
//!     for (number, wanted) in collector.scopes()[0].columns …     //   every value: column.push_…, then column.end_row()
//!     for filter in collector.scopes()[0].filters …               //   masks[number].push(does the document match?)
//!     batch.scopes[0].end_row(address);
//! }
//! collector.push(Population::Query, &batch)?; batch.clear();      // again and again, for every index
//! let answer = collector.finish(typed_keys, &mut fetcher)?;
//! ```
//!
//! A scope above 0 has one row for each nested object at its path, with the row of the object (or document) around it in
//! `parents`, in ascending order. Rows of the documents that the query does not match are pushed as
//! [`Population::All`] in a second pass, and only if `Collector::needs_all` says so.

use ahash::AHashMap;

use crate::query::value::{Native, print_ip};
use crate::query::{Field, FieldKind, Query};

/// Which documents a batch holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Population {
    /// The documents that the query matches.
    Query,
    /// All documents of the indices: what `global` sees.
    All,
}

/// The documents themselves, or the nested objects at a path.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The nested objects' path; empty for the documents.
    pub path: String,
    /// The scope around it; itself for the documents.
    pub parent: usize,
    /// The columns that are wanted, in this order.
    pub columns: Vec<ColumnSpec>,
    /// The filters of which the masks are wanted, in this order. Each index resolves them with its own mapping (in the
    /// scope's path), since they may mention fields that only some indices have.
    pub filters: Vec<Query>,
}

/// A wanted column.
#[derive(Clone, Debug)]
pub struct ColumnSpec {
    /// The field whose values are wanted.
    pub field: Field,
    /// How they are wanted.
    pub kind: ColumnKind,
}

/// How values are held in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// Whole numbers, dates in milliseconds, booleans as 0 and 1.
    Int,
    /// Floating-point numbers.
    Double,
    /// Strings, as numbers of the collector's dictionary (`Collector::intern`).
    Term,
    /// Points in degrees.
    Geo,
}

impl ColumnKind {
    /// How the values of a field are held.
    pub fn of(kind: &FieldKind) -> Self {
        match kind {
            FieldKind::Integer { .. } | FieldKind::Date { .. } | FieldKind::Boolean => Self::Int,
            FieldKind::Double { .. } => Self::Double,
            FieldKind::Keyword { .. } | FieldKind::Text { .. } | FieldKind::Ip => Self::Term,
            FieldKind::GeoPoint => Self::Geo,
        }
    }
}

/// The values of a column, rows one after the other.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// See [`ColumnKind::Int`].
    Int(Vec<i64>),
    /// See [`ColumnKind::Double`].
    Double(Vec<f64>),
    /// See [`ColumnKind::Term`].
    Term(Vec<u32>),
    /// See [`ColumnKind::Geo`]: latitude, longitude.
    Geo(Vec<(f64, f64)>),
}

impl Values {
    fn len(&self) -> usize {
        match self {
            Self::Int(values) => values.len(),
            Self::Double(values) => values.len(),
            Self::Term(values) => values.len(),
            Self::Geo(values) => values.len(),
        }
    }
}

/// One field's values in a batch: none, one or several for each row.
#[derive(Clone, Debug)]
pub struct Column {
    values: Values,
    /// Where each row's values end; absent as long as every row has exactly one value, which is the usual, fast case.
    ends: Option<Vec<u32>>,
    rows: usize,
}

impl Column {
    /// An empty column.
    pub fn new(kind: ColumnKind) -> Self {
        let values = match kind {
            ColumnKind::Int => Values::Int(Vec::new()),
            ColumnKind::Double => Values::Double(Vec::new()),
            ColumnKind::Term => Values::Term(Vec::new()),
            ColumnKind::Geo => Values::Geo(Vec::new()),
        };
        Self { values, ends: None, rows: 0 }
    }

    /// Adds a whole number to the row; as a floating-point number to a column of those.
    pub fn push_int(&mut self, value: i64) {
        match &mut self.values {
            Values::Int(values) => values.push(value),
            Values::Double(values) => values.push(value as f64),
            Values::Term(_) | Values::Geo(_) => {}
        }
    }

    /// Adds a floating-point number to the row; cut to a whole number in a column of those.
    pub fn push_double(&mut self, value: f64) {
        match &mut self.values {
            Values::Double(values) => values.push(value),
            Values::Int(values) => values.push(value as i64),
            Values::Term(_) | Values::Geo(_) => {}
        }
    }

    /// Adds a string, by its number in the dictionary, to the row.
    pub fn push_term(&mut self, term: u32) {
        if let Values::Term(values) = &mut self.values {
            values.push(term);
        }
    }

    /// Adds a point to the row.
    pub fn push_geo(&mut self, lat: f64, lon: f64) {
        if let Values::Geo(values) = &mut self.values {
            values.push((lat, lon));
        }
    }

    /// Adds a value as the mapping read it.
    pub fn push_native(&mut self, value: &Native, dictionary: &mut Dictionary) {
        match value {
            Native::Int(value) => self.push_int(*value),
            Native::Double(value) => self.push_double(*value),
            Native::Text(text) => self.push_term(dictionary.intern(text)),
            Native::Ip(bits) => self.push_term(dictionary.intern(&print_ip(*bits))),
            Native::Geo(lat, lon) => self.push_geo(*lat, *lon),
        }
    }

    /// Ends a row, with the values pushed since the last one.
    pub fn end_row(&mut self) {
        let start = self.ends.as_ref().map_or(self.rows, |ends| ends.last().map_or(0, |end| *end as usize));
        let end = self.values.len();
        if end - start != 1 && self.ends.is_none() {
            self.ends = Some((1..=self.rows as u32).collect());
        }
        if end - start > 1 {
            match &mut self.values {
                Values::Int(values) => values[start..].sort_unstable(),
                Values::Double(values) => values[start..].sort_unstable_by(f64::total_cmp),
                Values::Term(values) => {
                    values[start..].sort_unstable();
                    // A document counts once for a term, however often it has it.
                    let mut kept = start;
                    for at in start..end {
                        if at == start || values[at] != values[kept - 1] {
                            values[kept] = values[at];
                            kept += 1;
                        }
                    }
                    values.truncate(kept);
                }
                Values::Geo(_) => {}
            }
        }
        if let Some(ends) = &mut self.ends {
            ends.push(self.values.len() as u32);
        }
        self.rows += 1;
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// All values.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// Does every row have exactly one value?
    pub fn is_single(&self) -> bool {
        self.ends.is_none()
    }

    /// Where the values of a row are.
    pub fn range(&self, row: u32) -> std::ops::Range<usize> {
        let row = row as usize;
        match &self.ends {
            None => row..row + 1,
            Some(ends) => {
                let start = if row == 0 { 0 } else { ends[row - 1] as usize };
                start..ends[row] as usize
            }
        }
    }

    /// Empties the column, keeping its memory.
    pub fn clear(&mut self) {
        match &mut self.values {
            Values::Int(values) => values.clear(),
            Values::Double(values) => values.clear(),
            Values::Term(values) => values.clear(),
            Values::Geo(values) => values.clear(),
        }
        self.ends = None;
        self.rows = 0;
    }
}

/// Where a document is: what `top_hits` hands back to the executor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocAddress {
    /// Which of the searched indices, in the executor's own numbering.
    pub index: u32,
    /// Which document of the index.
    pub seq: i64,
}

/// The rows of one scope.
#[derive(Clone, Debug)]
pub struct ScopeBatch {
    /// The columns, as the scope wants them.
    pub columns: Vec<Column>,
    /// For each filter of the scope, whether each row matches it.
    pub masks: Vec<Vec<bool>>,
    /// For each row of a nested scope, the row of the scope around it; ascending. Empty in scope 0.
    pub parents: Vec<u32>,
    /// For each row of scope 0, the document. Empty in nested scopes.
    pub documents: Vec<DocAddress>,
    rows: usize,
}

impl ScopeBatch {
    /// Ends a row of scope 0. Every column's row must have been ended and every mask must have been given a value.
    pub fn end_row(&mut self, document: DocAddress) {
        self.documents.push(document);
        self.rows += 1;
        self.check();
    }

    /// Ends a row of a nested scope, which belongs to the row `parent` of the scope around it.
    pub fn end_nested_row(&mut self, parent: u32) {
        self.parents.push(parent);
        self.rows += 1;
        self.check();
    }

    fn check(&self) {
        debug_assert!(self.columns.iter().all(|column| column.rows == self.rows), "a column lacks a row");
        debug_assert!(self.masks.iter().all(|mask| mask.len() == self.rows), "a mask lacks a row");
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }
}

/// A batch of documents. Some thousands of rows are a good size.
#[derive(Clone, Debug)]
pub struct Batch {
    /// One for each scope of the collector, in the same order.
    pub scopes: Vec<ScopeBatch>,
}

impl Batch {
    /// An empty batch for these scopes.
    pub fn new(scopes: &[Scope]) -> Self {
        let scopes = scopes
            .iter()
            .map(|scope| ScopeBatch {
                columns: scope.columns.iter().map(|spec| Column::new(spec.kind)).collect(),
                masks: vec![Vec::new(); scope.filters.len()],
                parents: Vec::new(),
                documents: Vec::new(),
                rows: 0,
            })
            .collect();
        Self { scopes }
    }

    /// The number of documents.
    pub fn documents(&self) -> usize {
        self.scopes[0].rows
    }

    /// Empties the batch, keeping its memory.
    pub fn clear(&mut self) {
        for scope in &mut self.scopes {
            scope.columns.iter_mut().for_each(Column::clear);
            scope.masks.iter_mut().for_each(Vec::clear);
            scope.parents.clear();
            scope.documents.clear();
            scope.rows = 0;
        }
    }
}

/// The strings of the columns, numbered in the order in which they were met.
#[derive(Clone, Debug, Default)]
pub struct Dictionary {
    numbers: AHashMap<Box<str>, u32>,
    terms: Vec<Box<str>>,
    /// Documents in a row often have the same string.
    last: u32,
}

impl Dictionary {
    /// The string's number.
    pub fn intern(&mut self, text: &str) -> u32 {
        if self.terms.get(self.last as usize).is_some_and(|last| **last == *text) {
            return self.last;
        }
        self.last = match self.numbers.get(text) {
            Some(number) => *number,
            None => {
                let number = u32::try_from(self.terms.len()).unwrap_or(u32::MAX);
                self.terms.push(text.into());
                self.numbers.insert(text.into(), number);
                number
            }
        };
        self.last
    }

    /// The string with this number.
    pub fn term(&self, number: u32) -> &str {
        self.terms.get(number as usize).map_or("", |term| term)
    }

    /// How many strings there are.
    pub fn len(&self) -> usize {
        self.terms.len()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_their_values_sorted_and_terms_once() {
        let mut column = Column::new(ColumnKind::Int);
        column.push_int(5);
        column.end_row();
        assert!(column.is_single());
        column.end_row();
        column.push_int(9);
        column.push_int(7);
        column.end_row();
        assert_eq!([0, 1, 2].map(|row| column.range(row)), [0..1, 1..1, 1..3]);
        assert_eq!(column.values(), &Values::Int(vec![5, 7, 9]));
        let mut terms = Column::new(ColumnKind::Term);
        for term in [3, 1, 3] {
            terms.push_term(term);
        }
        terms.end_row();
        assert_eq!((terms.range(0), terms.values()), (0..2, &Values::Term(vec![1, 3])));
    }

    #[test]
    fn strings_are_numbered_once() {
        let mut dictionary = Dictionary::default();
        assert_eq!(["a", "b", "a", "a", "b"].map(|text| dictionary.intern(text)), [0, 1, 0, 0, 1]);
        assert_eq!((dictionary.term(1), dictionary.len()), ("b", 2));
    }
}
