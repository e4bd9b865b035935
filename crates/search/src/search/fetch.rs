//! From documents to hits in JSON.

use dates::{DateFormat, Zone};
use serde_json::{Map, Value, json};

use super::plan::fielddata_disabled;
use super::request::{SearchRequest, WantedField};
use super::source_filter::SourceFilter;
use crate::error::{Error, Result};
use crate::index::Reader;
use crate::mapping::{Leaf, Mapping};
use crate::query::value::{Native, natives, print_ip};
use crate::query::{FieldKind, FieldTypes};
use crate::sql::filter::parse_source;

/// What a hit shows of its document.
#[derive(Clone, Debug)]
pub struct Shown<'a> {
    /// Which part of the source.
    pub source: &'a SourceFilter,
    /// Fields as the documents have them.
    pub fields: &'a [WantedField],
    /// Fields as they are indexed.
    pub docvalue_fields: &'a [WantedField],
    /// `_version`.
    pub version: bool,
    /// `_seq_no` and `_primary_term`.
    pub seq_no: bool,
}

impl<'a> From<&'a SearchRequest> for Shown<'a> {
    fn from(request: &'a SearchRequest) -> Self {
        Self {
            source: &request.source,
            fields: &request.fields,
            docvalue_fields: &request.docvalue_fields,
            version: request.version,
            seq_no: request.seq_no,
        }
    }
}

/// The hit of a document, without its score and sort values.
///
/// # Errors
/// When the document is gone or damaged, or a field cannot be shown.
pub fn hit_json(reader: &Reader, seq: i64, score: Value, shown: &Shown<'_>) -> Result<Map<String, Value>> {
    let stored = reader
        .fetch(seq)?
        .ok_or_else(|| Error::Corrupt(format!("document [{seq}] has vanished from a snapshot")))?;
    crate::guard::check()?;
    // A tree of values takes several times the text.
    crate::guard::hold(stored.source.len() * 4 + 400, "<hits>")?;
    let mut hit = Map::new();
    hit.insert("_index".into(), json!(reader.index().name));
    hit.insert("_id".into(), json!(stored.id));
    if shown.version {
        hit.insert("_version".into(), json!(stored.version));
    }
    if shown.seq_no {
        hit.insert("_seq_no".into(), json!(stored.seq));
        hit.insert("_primary_term".into(), json!(1));
    }
    hit.insert("_score".into(), score);
    if reader.mapping().kept.enabled
        && let Some(source) = shown.source.apply_text(&stored.source)?
    {
        hit.insert("_source".into(), source);
    }
    if !shown.fields.is_empty() || !shown.docvalue_fields.is_empty() {
        let document = parse_source(reader.mapping(), &stored.source)?;
        let fields = fields_json(reader.mapping(), &document, &stored.id, shown)?;
        if !fields.is_empty() {
            hit.insert("fields".into(), Value::Object(fields));
        }
    }
    Ok(hit)
}

fn fields_json(
    mapping: &Mapping,
    document: &Value,
    id: &str,
    shown: &Shown<'_>,
) -> Result<Map<String, Value>> {
    let mut found = Map::new();
    for (wanted, indexed) in
        shown.docvalue_fields.iter().map(|w| (w, true)).chain(shown.fields.iter().map(|w| (w, false)))
    {
        let format = match wanted.format.as_deref() {
            Some(format) => Some(DateFormat::new(format)?),
            None => None,
        };
        if wanted.name == "_id" {
            found.insert("_id".into(), json!([id]));
        }
        for name in mapping.expand(&wanted.name) {
            let Some(leaf) = mapping.leaf(&name) else { continue };
            if indexed && matches!(leaf.field.kind, FieldKind::Text { .. }) {
                if wanted.name.contains('*') {
                    continue;
                }
                return Err(Error::illegal(fielddata_disabled(&name)));
            }
            let values = printed(leaf, document, indexed, format.as_ref());
            if !values.is_empty() {
                found.insert(name, Value::Array(values));
            }
        }
    }
    Ok(found)
}

/// The values of a field; sorted, and keywords once, as doc values are.
fn printed(leaf: &Leaf, document: &Value, indexed: bool, format: Option<&DateFormat>) -> Vec<Value> {
    let mut values = natives(&leaf.field, document, "");
    if indexed {
        values.sort_by(|a, b| match (a, b) {
            (Native::Int(a), Native::Int(b)) => a.cmp(b),
            (Native::Double(a), Native::Double(b)) => a.total_cmp(b),
            (Native::Text(a), Native::Text(b)) => a.cmp(b),
            (Native::Ip(a), Native::Ip(b)) => a.cmp(b),
            _ => std::cmp::Ordering::Equal,
        });
        if matches!(leaf.field.kind, FieldKind::Keyword { .. } | FieldKind::Ip) {
            values.dedup();
        }
    }
    values
        .into_iter()
        .map(|native| match (native, &leaf.field.kind) {
            (Native::Int(ms), FieldKind::Date { format: own }) => {
                json!(format.unwrap_or(own).print(ms, &Zone::utc()))
            }
            (Native::Int(value), FieldKind::Boolean) => json!(value != 0),
            (Native::Int(value), _) => json!(value),
            (Native::Double(value), _) => json!(value),
            (Native::Text(text), _) => json!(text),
            (Native::Ip(bits), _) => json!(print_ip(bits)),
            (Native::Geo(lat, lon), _) => json!({ "type": "Point", "coordinates": [lon, lat] }),
        })
        .collect()
}
