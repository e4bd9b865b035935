//! What queries and aggregations need to know of a mapping.

use std::sync::Arc;

use dates::DateFormat;
use serde_json::Value;

use crate::analysis::Analyzer;

/// A mapping, as queries and aggregations see it. The mapping layer implements it.
pub trait FieldTypes {
    /// The leaf field at `path`: its aliases resolved, multi-fields (`message.keyword`) and the metadata fields `_id` and
    /// `_index` included. `None` for an unmapped path and for an object.
    fn field(&self, path: &str) -> Option<Field>;

    /// The leaf fields whose path matches `pattern` (`*` stands for any characters), in mapping order, metadata fields
    /// not included. A pattern without `*` gives the field itself, if it is mapped.
    fn expand(&self, pattern: &str) -> Vec<String>;

    /// Is the object at `path` mapped as `nested`?
    fn is_nested(&self, path: &str) -> bool;

    /// Are the values of the nested object at `nested` seen from the object at `scope` (the document, when it is empty)?
    /// `include_in_root` and `include_in_parent` say so; an object sees its own.
    fn is_seen_from(&self, nested: &str, scope: &str) -> bool;

    /// Does `path` name an object (nested or not) that has mapped fields below it?
    fn is_object(&self, path: &str) -> bool;

    /// The index's name: what the field `_index` holds, and what messages name.
    fn index_name(&self) -> &str;

    /// The fields that a query without fields looks at (`index.query.default_field`).
    fn default_fields(&self) -> Vec<String> {
        vec!["*".to_owned()]
    }
}

/// The innermost nested object around `path`; empty when there is none.
pub fn nested_around<'p>(fields: &(impl FieldTypes + ?Sized), path: &'p str) -> &'p str {
    path.rmatch_indices('.').map(|(dot, _)| &path[..dot]).find(|outer| fields.is_nested(outer)).unwrap_or("")
}

/// One leaf field of a mapping.
#[derive(Clone, Debug)]
pub struct Field {
    /// The field's own path, behind any alias: `message.keyword`.
    pub path: String,
    /// Where its values stand in a document: the parent's path for a multi-field (`message`).
    pub source_path: String,
    /// What kind of values it holds.
    pub kind: FieldKind,
    /// Stands for an explicit `null`.
    pub null_value: Option<Value>,
    /// Longer strings, counted in characters, are not indexed.
    pub ignore_above: Option<usize>,
    /// May queries use it (`index`, or doc values)?
    pub searchable: bool,
    /// May aggregations and sorts use it (doc values)?
    pub aggregatable: bool,
}

impl Field {
    /// A field of one's own with nothing unusual about it.
    pub fn plain(path: &str, kind: FieldKind) -> Self {
        let aggregatable = !matches!(kind, FieldKind::Text { .. });
        Self {
            path: path.to_owned(),
            source_path: path.to_owned(),
            kind,
            null_value: None,
            ignore_above: None,
            searchable: true,
            aggregatable,
        }
    }
}

/// The kind of a field, with what is needed to read its values.
#[derive(Clone, Debug)]
pub enum FieldKind {
    /// `keyword`, `flattened` leaf, `constant_keyword`; also `_id` and `_index`.
    Keyword {
        /// Are values and query terms lowercased (the `lowercase` normaliser)?
        lowercase: bool,
    },
    /// `text`.
    Text {
        /// How text is cut into terms.
        analyzer: Analyzer,
    },
    /// `long`, `integer`, `short`, `byte`: whole numbers within `min..=max`.
    Integer {
        /// The smallest value of the type.
        min: i64,
        /// The largest value of the type.
        max: i64,
        /// The mapping type's name, for messages: `long`.
        name: &'static str,
    },
    /// `double`, `float`, `half_float`, `scaled_float`, `unsigned_long`.
    Double {
        /// How values are rounded before they are kept.
        rounding: Rounding,
        /// The mapping type's name, for messages: `double`.
        name: &'static str,
    },
    /// `date`, `date_nanos`: milliseconds since the epoch.
    Date {
        /// How values are read and printed.
        format: Arc<DateFormat>,
    },
    /// `boolean`.
    Boolean,
    /// `ip`.
    Ip,
    /// `geo_point`.
    GeoPoint,
}

/// How a number is rounded to what its field can hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rounding {
    /// Not at all.
    None,
    /// To single precision: `float`, `half_float`.
    Single,
    /// To whole multiples of one by this factor: `scaled_float`.
    Scaled(f64),
}

impl Rounding {
    /// The number as the field holds it.
    pub fn apply(self, number: f64) -> f64 {
        match self {
            Self::None => number,
            Self::Single => f64::from(number as f32),
            // Halves go upwards, as in the original, where the whole number is what is kept.
            Self::Scaled(factor) => (number * factor + 0.5).floor() / factor,
        }
    }
}

impl FieldKind {
    /// The mapping type's name, for messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Keyword { .. } => "keyword",
            Self::Text { .. } => "text",
            Self::Integer { name, .. } | Self::Double { name, .. } => name,
            Self::Date { .. } => "date",
            Self::Boolean => "boolean",
            Self::Ip => "ip",
            Self::GeoPoint => "geo_point",
        }
    }

    /// `long`.
    pub fn long() -> Self {
        Self::Integer { min: i64::MIN, max: i64::MAX, name: "long" }
    }

    /// `double`.
    pub fn double() -> Self {
        Self::Double { rounding: Rounding::None, name: "double" }
    }

    /// `keyword` without a normaliser.
    pub fn keyword() -> Self {
        Self::Keyword { lowercase: false }
    }
}
