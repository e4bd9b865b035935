//! One field of a mapping: its parameters read and checked.

use std::sync::Arc;

use dates::DateFormat;
use serde_json::{Map, Value};

use crate::analysis::Analyzer;
use crate::error::{Error, Result};
use crate::query::{Field, FieldKind, Rounding};

/// A leaf field with what only the mapping layer needs to know of it.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// What queries and aggregations know of it.
    pub field: Field,
    /// The type as the mapping names it: `scaled_float`, `date_nanos`.
    pub type_name: String,
    /// The column with its values; none for text and for fields of nested objects, which are read from the source.
    pub column: Option<u32>,
    /// Are values that it cannot hold left out, rather than refused?
    pub ignore_malformed: bool,
    /// Are strings taken for numbers?
    pub coerce: bool,
    /// The fields that get its values too.
    pub copy_to: Vec<String>,
}

/// Types that are kept in the source, but not indexed.
pub(super) const STORED_ONLY: [&str; 2] = ["binary", "flattened"];

/// Reads the parameters of the field at `path`, whose values stand at `source_path`.
///
/// # Errors
/// For an unknown type, or parameters that the type cannot have.
pub fn parse(path: &str, source_path: &str, params: &Map<String, Value>) -> Result<Leaf> {
    let type_name = params.get("type").and_then(Value::as_str).unwrap_or("object").to_owned();
    let kind = kind(path, &type_name, params)?;
    let mut field = Field::plain(path, kind);
    source_path.clone_into(&mut field.source_path);
    field.null_value = params.get("null_value").filter(|value| !value.is_null()).cloned();
    field.ignore_above =
        params.get("ignore_above").and_then(number).map(|most| usize::try_from(most).unwrap_or(usize::MAX));
    let doc_values = flag(params, "doc_values", true);
    let index = flag(params, "index", true);
    field.searchable = index || (doc_values && !matches!(field.kind, FieldKind::Text { .. }));
    field.aggregatable = field.aggregatable && doc_values;
    let copy_to = match params.get("copy_to") {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    Ok(Leaf {
        field,
        type_name,
        column: None,
        ignore_malformed: flag(params, "ignore_malformed", false),
        coerce: flag(params, "coerce", true),
        copy_to,
    })
}

fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

/// A boolean parameter, which may be written as a string.
pub(super) fn flag(params: &Map<String, Value>, name: &str, otherwise: bool) -> bool {
    match params.get(name) {
        Some(Value::Bool(value)) => *value,
        Some(Value::String(text)) => text == "true",
        _ => otherwise,
    }
}

fn kind(path: &str, type_name: &str, params: &Map<String, Value>) -> Result<FieldKind> {
    let integer = |min, max, name| FieldKind::Integer { min, max, name };
    Ok(match type_name {
        "keyword" | "constant_keyword" | "wildcard" | "version" => {
            let normalizer = params.get("normalizer").and_then(Value::as_str);
            if let Some(unknown) = normalizer.filter(|name| *name != "lowercase") {
                return Err(Error::MapperParsing(format!(
                    "Failed to parse mapping: normalizer [{unknown}] not found for field [{path}]"
                )));
            }
            FieldKind::Keyword { lowercase: normalizer.is_some() }
        }
        "text" | "match_only_text" | "annotated_text" | "search_as_you_type" => {
            let name = params.get("analyzer").and_then(Value::as_str).unwrap_or("standard");
            let analyzer = Analyzer::by_name(name)
                .map_err(|error| Error::MapperParsing(format!("Failed to parse mapping: {error}")))?;
            FieldKind::Text { analyzer }
        }
        "long" => FieldKind::long(),
        "integer" => integer(i64::from(i32::MIN), i64::from(i32::MAX), "integer"),
        "short" => integer(i64::from(i16::MIN), i64::from(i16::MAX), "short"),
        "byte" => integer(i64::from(i8::MIN), i64::from(i8::MAX), "byte"),
        "double" => FieldKind::double(),
        "float" => FieldKind::Double { rounding: Rounding::Single, name: "float" },
        "half_float" => FieldKind::Double { rounding: Rounding::Single, name: "half_float" },
        "scaled_float" => {
            FieldKind::Double { rounding: scaling(params).unwrap_or(Rounding::None), name: "scaled_float" }
        }
        "unsigned_long" => FieldKind::Double { rounding: Rounding::None, name: "unsigned_long" },
        "date" | "date_nanos" => FieldKind::Date { format: date_format(path, params)? },
        "boolean" => FieldKind::Boolean,
        "ip" => FieldKind::Ip,
        "geo_point" => FieldKind::GeoPoint,
        unknown => {
            return Err(Error::MapperParsing(format!(
                "Failed to parse mapping: No handler for type [{unknown}] declared on field [{}]",
                path.rsplit('.').next().unwrap_or(path)
            )));
        }
    })
}

/// How a `scaled_float` is rounded. Mappings of earlier times may lack the factor.
fn scaling(params: &Map<String, Value>) -> Option<Rounding> {
    let value = params.get("scaling_factor")?;
    let factor = value.as_f64().or_else(|| value.as_str()?.parse().ok())?;
    (factor > 0.0 && factor.is_finite()).then_some(Rounding::Scaled(factor))
}

fn date_format(path: &str, params: &Map<String, Value>) -> Result<Arc<DateFormat>> {
    match params.get("format") {
        None => Ok(DateFormat::default_format()),
        Some(Value::String(text)) => DateFormat::new(text).map(Arc::new).map_err(|error| {
            Error::MapperParsing(format!(
                "Failed to parse mapping: Error parsing [format] on field [{path}]: {error}"
            ))
        }),
        Some(_) => Err(Error::MapperParsing(format!(
            "Failed to parse mapping: [format] of field [{path}] must be a string"
        ))),
    }
}
