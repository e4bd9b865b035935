//! Sort keys, their values and order.

use std::cmp::Ordering;

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::query::{FieldKind, Query};

/// What is sorted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// `_score`, which is the same for all hits of a search.
    Score,
    /// `_doc`: the order of writing.
    Doc,
    /// `_shard_doc`: the same, with the index in front; unique.
    ShardDoc,
    /// `_id`.
    Id,
    /// `_index`: the name of the index.
    Index,
    /// `_seq_no`: the number of the write, within its index.
    SeqNo,
    /// `_version`.
    Version,
    /// A field.
    Field(String),
}

/// Which of several values counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// Their sum.
    Sum,
    /// Their mean.
    Avg,
    /// Their median.
    Median,
}

/// Where documents without a value go.
#[derive(Clone, Debug, PartialEq)]
pub enum Missing {
    /// To the end.
    Last,
    /// To the beginning.
    First,
    /// Where this value is.
    At(Value),
}

/// As what kind of number a field is compared, so that indices which map it differently sort alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumericType {
    /// As whole numbers, or as times: both are whole here.
    Whole,
    /// As floating-point numbers.
    Double,
}

/// Which objects of a nested field count.
#[derive(Clone, Debug, PartialEq)]
pub struct NestedSort {
    /// The path of the nested field.
    pub path: String,
    /// What its objects must match.
    pub filter: Option<Query>,
    /// The first so many objects of a document count.
    pub max_children: usize,
    /// A nested field inside it.
    pub inner: Option<Box<NestedSort>>,
}

impl NestedSort {
    fn parse(value: &Value) -> Result<Self> {
        let Value::Object(params) = value else {
            return Err(Error::parsing("[nested] of a sort must be an object"));
        };
        let mut nested = Self { path: String::new(), filter: None, max_children: usize::MAX, inner: None };
        for (param, value) in params {
            match param.as_str() {
                "path" => nested.path = value.as_str().unwrap_or_default().to_owned(),
                "filter" => nested.filter = Some(Query::parse(value)?),
                "max_children" => {
                    let refuse =
                        || Error::illegal(format!("[max_children] must be a number, found [{value}]"));
                    let most = value.as_u64().ok_or_else(refuse)?;
                    nested.max_children = usize::try_from(most).unwrap_or(usize::MAX);
                }
                "nested" => nested.inner = Some(Box::new(Self::parse(value)?)),
                other => {
                    return Err(Error::parsing(format!(
                        "malformed nested sort format, unknown field [{other}]"
                    )));
                }
            }
        }
        if nested.path.is_empty() {
            return Err(Error::parsing("malformed nested sort format, [path] is required"));
        }
        Ok(nested)
    }
}

/// One sort key.
#[derive(Clone, Debug, PartialEq)]
pub struct SortKey {
    /// What is sorted by.
    pub by: By,
    /// Greatest first?
    pub descending: bool,
    /// Which of several values counts.
    pub mode: Mode,
    /// Where documents without a value go.
    pub missing: Missing,
    /// Is an unmapped field no error?
    pub unmapped_type: Option<String>,
    /// How dates are printed in `sort`.
    pub format: Option<String>,
    /// As what kind of number the field is compared.
    pub numeric_type: Option<NumericType>,
    /// Which objects of a nested field count.
    pub nested: Option<NestedSort>,
}

impl SortKey {
    /// A key with nothing unusual about it.
    pub fn new(name: &str, descending: Option<bool>) -> Self {
        let by = match name {
            "_score" => By::Score,
            "_doc" => By::Doc,
            "_shard_doc" => By::ShardDoc,
            "_id" => By::Id,
            "_index" => By::Index,
            "_seq_no" => By::SeqNo,
            "_version" => By::Version,
            field => By::Field(field.to_owned()),
        };
        let descending = descending.unwrap_or(by == By::Score);
        let mode = if descending { Mode::Max } else { Mode::Min };
        Self {
            by,
            descending,
            mode,
            missing: Missing::Last,
            unmapped_type: None,
            format: None,
            numeric_type: None,
            nested: None,
        }
    }

    /// Reads `sort` of a body.
    ///
    /// # Errors
    /// When it is malformed.
    pub fn parse_all(value: &Value) -> Result<Vec<Self>> {
        match value {
            Value::Array(items) => {
                items.iter().map(Self::parse_all).collect::<Result<Vec<_>>>().map(|keys| keys.concat())
            }
            Value::String(name) => Ok(vec![Self::new(name, None)]),
            Value::Object(map) => map.iter().map(|(name, params)| Self::parse(name, params)).collect(),
            _ => Err(Error::illegal(
                "malformed sort format, either start array, start object, or an actual string are allowed",
            )),
        }
    }

    /// Reads `sort` of a URL: `f:desc,g`.
    ///
    /// # Errors
    /// When a direction is neither.
    pub fn parse_text(text: &str) -> Result<Vec<Self>> {
        text.split(',')
            .filter(|part| !part.is_empty())
            .map(|part| match part.rsplit_once(':') {
                Some((name, order)) => Ok(Self::new(name, Some(direction(order)?))),
                None => Ok(Self::new(part, None)),
            })
            .collect()
    }

    fn parse(name: &str, params: &Value) -> Result<Self> {
        let params = match params {
            Value::String(order) => return Ok(Self::new(name, Some(direction(order)?))),
            Value::Object(params) => params,
            _ => return Err(Error::illegal(format!("malformed sort of [{name}]"))),
        };
        if name == "_geo_distance" || name == "_script" {
            return Err(Error::illegal(format!("sorting by [{name}] is not supported")));
        }
        let order = params.get("order").and_then(Value::as_str).map(direction).transpose()?;
        let mut key = Self::new(name, order);
        for (param, value) in params {
            match (param.as_str(), value.as_str()) {
                ("order", _) => {}
                ("numeric_type", Some("long" | "date" | "date_nanos")) => {
                    key.numeric_type = Some(NumericType::Whole);
                }
                ("numeric_type", Some("double")) => key.numeric_type = Some(NumericType::Double),
                ("numeric_type", _) => {
                    return Err(Error::illegal(format!(
                        "invalid value for [numeric_type], must be [long, double, date, date_nanos], got {value}"
                    )));
                }
                ("nested", _) => key.nested = Some(NestedSort::parse(value)?),
                ("nested_path" | "nested_filter", _) => {
                    return Err(Error::parsing(format!(
                        "[{param}] has been removed in favour of the [nested] parameter"
                    )));
                }
                ("missing", Some("_last")) => key.missing = Missing::Last,
                ("missing", Some("_first")) => key.missing = Missing::First,
                ("missing", _) => key.missing = Missing::At(value.clone()),
                ("unmapped_type", Some(kind)) => key.unmapped_type = Some(kind.to_owned()),
                ("format", Some(format)) => key.format = Some(format.to_owned()),
                ("mode", Some(mode)) => {
                    key.mode = match mode {
                        "min" => Mode::Min,
                        "max" => Mode::Max,
                        "sum" => Mode::Sum,
                        "avg" => Mode::Avg,
                        "median" => Mode::Median,
                        other => return Err(Error::illegal(format!("Unknown SortMode [{other}]"))),
                    };
                }
                (other, _) => return Err(Error::x_content(format!("[field_sort] unknown field [{other}]"))),
            }
        }
        Ok(key)
    }

    /// Compares two values of this key, in the order of the hits.
    pub fn compare(&self, a: &KeyValue, b: &KeyValue) -> Ordering {
        let missing_first = self.missing == Missing::First;
        match (a, b) {
            (KeyValue::Missing, KeyValue::Missing) => Ordering::Equal,
            (KeyValue::Missing, _) if missing_first => Ordering::Less,
            (KeyValue::Missing, _) => Ordering::Greater,
            (_, KeyValue::Missing) if missing_first => Ordering::Greater,
            (_, KeyValue::Missing) => Ordering::Less,
            _ if self.descending => b.order(a),
            _ => a.order(b),
        }
    }
}

fn direction(order: &str) -> Result<bool> {
    match order.to_ascii_lowercase().as_str() {
        "asc" => Ok(false),
        "desc" => Ok(true),
        other => Err(Error::illegal(format!("Unknown SortOrder [{other}]"))),
    }
}

/// The value of a sort key for one document.
#[derive(Clone, Debug, PartialEq)]
pub enum KeyValue {
    /// None.
    Missing,
    /// Whole numbers, dates, booleans.
    Int(i64),
    /// Floating-point numbers.
    Double(f64),
    /// Keywords, and addresses as they are stored.
    Text(String),
}

impl KeyValue {
    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            (Self::Double(a), Self::Double(b)) => a.total_cmp(b),
            (Self::Int(a), Self::Double(b)) => (*a as f64).total_cmp(b),
            (Self::Double(a), Self::Int(b)) => a.total_cmp(&(*b as f64)),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Text(_), _) => Ordering::Greater,
            (_, Self::Text(_)) => Ordering::Less,
            (Self::Missing, _) | (_, Self::Missing) => Ordering::Equal,
        }
    }

    /// As `sort` of a hit shows it.
    pub fn to_json(&self, key: &SortKey, kind: Option<&FieldKind>) -> Value {
        match self {
            Self::Int(ms) => match (kind, &key.format) {
                (Some(FieldKind::Date { .. }), Some(format)) => dates::DateFormat::new(format)
                    .map_or_else(|_| json!(ms), |format| json!(format.print(*ms, &dates::Zone::utc()))),
                _ => json!(ms),
            },
            Self::Double(value) => json!(value),
            Self::Text(text) => match kind {
                Some(FieldKind::Ip) => u128::from_str_radix(text, 16)
                    .map_or_else(|_| json!(text), |bits| json!(crate::query::value::print_ip(bits))),
                _ => json!(text),
            },
            Self::Missing => match kind {
                Some(FieldKind::Integer { .. } | FieldKind::Date { .. } | FieldKind::Boolean) => {
                    let low = key.descending != (key.missing == Missing::First);
                    json!(if low { i64::MIN } else { i64::MAX })
                }
                Some(FieldKind::Double { .. }) => {
                    let low = key.descending != (key.missing == Missing::First);
                    json!(if low { "-Infinity" } else { "Infinity" })
                }
                _ => Value::Null,
            },
        }
    }

    /// Reads a value of `search_after`.
    ///
    /// # Errors
    /// When the field cannot have it.
    pub fn parse_after(value: &Value, key: &SortKey, kind: Option<&FieldKind>) -> Result<Self> {
        let refuse = || {
            Error::illegal(format!(
                "Failed to parse search_after value for field [{}]: [{value}]",
                match &key.by {
                    By::Field(name) => name,
                    By::Score => "_score",
                    By::Doc => "_doc",
                    By::ShardDoc => "_shard_doc",
                    By::Id => "_id",
                    By::Index => "_index",
                    By::SeqNo => "_seq_no",
                    By::Version => "_version",
                }
            ))
        };
        if matches!(key.by, By::Id | By::Index) {
            return match value {
                Value::Null => Ok(Self::Missing),
                Value::String(text) => Ok(Self::Text(text.clone())),
                Value::Number(number) => Ok(Self::Text(number.to_string())),
                _ => Err(refuse()),
            };
        }
        if let (By::SeqNo | By::Version, Value::String(text)) = (&key.by, value) {
            return text.parse().map(Self::Int).map_err(|_| refuse());
        }
        match (kind, value) {
            (_, Value::Null) => Ok(Self::Missing),
            (Some(FieldKind::Keyword { .. }), Value::String(text)) => Ok(Self::Text(text.clone())),
            (Some(FieldKind::Keyword { .. }), other) => Ok(Self::Text(other.to_string())),
            (Some(FieldKind::Ip), Value::String(text)) => {
                let field = crate::query::Field::plain("", FieldKind::Ip);
                match crate::query::value::read(&field, &json!(text)) {
                    Ok(Some(crate::query::value::Native::Ip(bits))) => Ok(Self::Text(format!("{bits:032x}"))),
                    _ => Err(refuse()),
                }
            }
            (Some(FieldKind::Double { .. }), Value::String(text)) if text.ends_with("Infinity") => {
                Ok(Self::Missing)
            }
            (Some(FieldKind::Double { .. }), Value::Number(number)) => {
                number.as_f64().map(Self::Double).ok_or_else(refuse)
            }
            (Some(FieldKind::Date { format }), Value::String(text)) => {
                let own = key.format.as_deref().map(dates::DateFormat::new).transpose()?;
                let format = own.as_ref().unwrap_or(format);
                format
                    .parse_value(&json!(text))
                    .map(Self::Int)
                    .or_else(|_| text.parse().map(Self::Int).map_err(|_| refuse()))
            }
            (_, Value::Number(number)) => match number.as_i64() {
                Some(i64::MIN | i64::MAX) if kind.is_some() => Ok(Self::Missing),
                Some(whole) => Ok(Self::Int(whole)),
                None => number.as_f64().map(Self::Double).ok_or_else(refuse),
            },
            (Some(FieldKind::Boolean), Value::Bool(flag)) => Ok(Self::Int(i64::from(*flag))),
            (None, Value::String(text)) => Ok(Self::Text(text.clone())),
            _ => Err(refuse()),
        }
    }
}
