//! The sort of one index: which columns it needs, and its form in SQL.

use rusqlite::types::Value as SqlValue;

use super::sort::{By, KeyValue, Missing, NestedSort, SortKey};
use crate::error::{Error, Result};
use crate::index::Reader;
use crate::mapping::Leaf;
use crate::query::{FieldKind, FieldTypes, Predicate};

/// One sort key tied to a mapping.
#[derive(Clone, Debug)]
pub struct PlannedKey {
    /// The key.
    pub key: SortKey,
    /// The field; none for what is not a field, and for unmapped fields.
    pub leaf: Option<Leaf>,
    /// The nested fields in which its values are looked for, outermost first.
    pub nested: Vec<NestedLevel>,
}

/// A nested field, and which of its objects count.
#[derive(Clone, Debug)]
pub struct NestedLevel {
    /// Its path.
    pub path: String,
    /// What its objects must match.
    pub filter: Predicate,
    /// The first so many of a document count.
    pub max_children: usize,
}

impl PlannedKey {
    /// The kind of the field.
    pub fn kind(&self) -> Option<&FieldKind> {
        self.leaf.as_ref().map(|leaf| &leaf.field.kind)
    }

    fn column(&self) -> Option<u32> {
        self.leaf.as_ref().and_then(|leaf| leaf.column)
    }
}

/// Ties sort keys to a mapping.
///
/// # Errors
/// When a field is unmapped, or cannot be sorted by.
pub fn plan(keys: &[SortKey], reader: &Reader, now_ms: i64) -> Result<Vec<PlannedKey>> {
    keys.iter()
        .map(|key| {
            let nested = nested_levels(key.nested.as_ref(), reader, now_ms)?;
            let By::Field(name) = &key.by else { return Ok(PlannedKey { key: key.clone(), leaf: None, nested }) };
            let leaf = reader.mapping().leaf(name).cloned();
            match &leaf {
                None if key.unmapped_type.is_none() => {
                    return Err(Error::query_shard(format!("No mapping found for [{name}] in order to sort on")));
                }
                Some(leaf) if matches!(leaf.field.kind, FieldKind::Text { .. }) => {
                    return Err(Error::illegal(fielddata_disabled(name)));
                }
                Some(leaf) if !leaf.field.aggregatable => {
                    return Err(Error::illegal(format!(
                        "Can't load fielddata on [{name}] because fielddata is unsupported on fields of type [{}]. Use doc values instead.",
                        leaf.type_name
                    )));
                }
                _ => {}
            }
            Ok(PlannedKey { key: key.clone(), leaf, nested })
        })
        .collect()
}

fn nested_levels(nested: Option<&NestedSort>, reader: &Reader, now_ms: i64) -> Result<Vec<NestedLevel>> {
    let mut levels = Vec::new();
    let mut next = nested;
    while let Some(nested) = next {
        let mapping = reader.mapping().as_ref();
        if !mapping.is_nested(&nested.path) {
            let reason = format!("[nested] failed to find nested object under path [{}]", nested.path);
            return Err(Error::query_shard(reason));
        }
        let filter = match &nested.filter {
            Some(query) => query.resolve_in(mapping, now_ms, &nested.path)?,
            None => Predicate::All,
        };
        levels.push(NestedLevel { path: nested.path.clone(), filter, max_children: nested.max_children });
        next = nested.inner.as_deref();
    }
    Ok(levels)
}

/// What is said of text fields that are asked for doc values.
pub fn fielddata_disabled(name: &str) -> String {
    format!(
        "Fielddata is disabled on [{name}] in [_all]. Text fields are not optimised for operations that require per-document \
         field data like aggregations and sorting, so these operations are disabled by default. Please use a keyword field \
         instead. Alternatively, set fielddata=true on [{name}] in order to load field data by uninverting the inverted index. \
         Note that this can use significant memory."
    )
}

/// A part of the rows, all of which come before those of the next part.
#[derive(Clone, Debug, Default)]
pub struct Segment {
    /// Its condition.
    pub sql: String,
    /// The condition's parameters, numbered from where the filter's end.
    pub params: Vec<SqlValue>,
}

/// The sort in SQL.
#[derive(Clone, Debug)]
pub struct SqlSort {
    /// The parts, in order.
    pub segments: Vec<Segment>,
    /// What stands behind `ORDER BY`.
    pub order_by: String,
}

/// Can SQLite sort so? Only by columns that hold one value each.
pub fn is_sql(keys: &[PlannedKey], reader: &Reader) -> bool {
    keys.iter().all(|planned| match (&planned.key.by, planned.column()) {
        // The column does not hold the ids that the store has made up.
        (By::Id, _) => false,
        _ if !planned.nested.is_empty() || planned.key.numeric_type.is_some() => false,
        (By::Field(_), Some(column)) => {
            !reader.mapping().layout.is_multi(column) && !matches!(planned.key.missing, Missing::At(_))
        }
        (By::Field(_), None) => planned.leaf.is_none() && !matches!(planned.key.missing, Missing::At(_)),
        _ => true,
    })
}

/// The sort in SQL, behind the hit whose values are `after`. `first_param` is the number of the first free parameter,
/// `index_base` what `_shard_doc` adds to the numbers of this index.
pub fn sql_sort(
    keys: &[PlannedKey],
    after: Option<&[KeyValue]>,
    first_param: usize,
    index_base: i64,
    index_name: &str,
) -> SqlSort {
    let mut order_by = Vec::new();
    let mut has_seq = false;
    // Only the first key that tells rows apart can be served by an index.
    let leading =
        keys.iter().position(|planned| planned.key.by != By::Score).filter(|p| keys[*p].column().is_some());
    for (place, planned) in keys.iter().enumerate() {
        let direction = if planned.key.descending { "DESC" } else { "ASC" };
        match (&planned.key.by, planned.column()) {
            // Within a segment the leading column is NULL for all or for none.
            (By::Field(_), Some(column)) if leading == Some(place) => {
                order_by.push(format!("c{column} {direction}"))
            }
            (By::Field(_), Some(column)) => {
                let nulls = if planned.key.missing == Missing::First { "FIRST" } else { "LAST" };
                order_by.push(format!("c{column} {direction} NULLS {nulls}"));
            }
            (By::Version, _) => order_by.push(format!("version {direction}")),
            (By::Doc | By::ShardDoc | By::SeqNo, _) if !has_seq => {
                has_seq = true;
                order_by.push(format!("seq {direction}"));
            }
            _ => {}
        }
    }
    if !has_seq {
        order_by.push("seq ASC".into());
    }
    let builder = Builder { keys, after, first_param, index_base, index_name };
    let segments = match leading {
        None => vec![builder.segment("1", 0)],
        Some(place) => builder.split(place),
    };
    SqlSort { segments, order_by: order_by.join(", ") }
}

struct Builder<'a> {
    keys: &'a [PlannedKey],
    after: Option<&'a [KeyValue]>,
    first_param: usize,
    index_base: i64,
    index_name: &'a str,
}

impl Builder<'_> {
    /// The rows that fulfil `condition` and come behind, the keys before `from` being equal.
    fn segment(&self, condition: &str, from: usize) -> Segment {
        let mut segment = Segment { sql: condition.to_owned(), params: Vec::new() };
        if let Some(after) = self.after {
            let behind = self.behind(after, from, &mut segment.params);
            segment.sql = format!("{condition} AND ({behind})");
        }
        segment
    }

    /// Rows with and without a value in the leading column.
    fn split(&self, place: usize) -> Vec<Segment> {
        let planned = &self.keys[place];
        let column = planned.column().map_or_else(String::new, |column| format!("c{column}"));
        let first = planned.key.missing == Missing::First;
        let (some, none) = (format!("{column} IS NOT NULL"), format!("{column} IS NULL"));
        let all = |condition: &str| Segment { sql: condition.to_owned(), params: Vec::new() };
        match self.after.map(|after| &after[place]) {
            None if first => vec![all(&none), all(&some)],
            None => vec![all(&some), all(&none)],
            Some(KeyValue::Missing) if first => vec![self.segment(&none, place + 1), all(&some)],
            Some(KeyValue::Missing) => vec![self.segment(&none, place + 1)],
            Some(value) => {
                let mut segment = self.segment(&some, place);
                let bound = self.param(value, &mut segment.params);
                let comparison = if planned.key.descending { "<=" } else { ">=" };
                segment.sql = format!("{column} {comparison} {bound} AND {}", segment.sql);
                if first { vec![segment] } else { vec![segment, all(&none)] }
            }
        }
    }

    fn param(&self, value: &KeyValue, params: &mut Vec<SqlValue>) -> String {
        params.push(match value {
            KeyValue::Missing => SqlValue::Null,
            KeyValue::Int(value) => SqlValue::Integer(*value),
            KeyValue::Double(value) => SqlValue::Real(*value),
            KeyValue::Text(text) => SqlValue::Text(text.clone()),
        });
        format!("?{}", self.first_param + params.len() - 1)
    }

    /// The condition of rows that come behind, the keys before `from` being equal.
    fn behind(&self, after: &[KeyValue], from: usize, params: &mut Vec<SqlValue>) -> String {
        let Some(planned) = self.keys.get(from) else { return "0".into() };
        let value = &after[from];
        let sign = if planned.key.descending { "<" } else { ">" };
        match (&planned.key.by, planned.column()) {
            // The score is the same for all, and a sort by id is not made into SQL.
            (By::Score | By::Id, _) => self.behind(after, from + 1, params),
            (By::Version, _) => {
                let rest = self.behind(after, from + 1, params);
                let param = self.param(value, params);
                format!("(version {sign} {param} OR (version = {param} AND ({rest})))")
            }
            (By::Index, _) => {
                let own = KeyValue::Text(self.index_name.to_owned());
                match planned.key.compare(&own, value) {
                    std::cmp::Ordering::Less => "0".into(),
                    std::cmp::Ordering::Greater => "1".into(),
                    std::cmp::Ordering::Equal => self.behind(after, from + 1, params),
                }
            }
            (By::SeqNo, _) => match value {
                KeyValue::Int(seq) => {
                    let rest = self.behind(after, from + 1, params);
                    format!("(seq {sign} {seq} OR (seq = {seq} AND ({rest})))")
                }
                _ => "1".into(),
            },
            (By::Doc | By::ShardDoc, _) => {
                let base = if planned.key.by == By::ShardDoc { self.index_base } else { 0 };
                match value {
                    KeyValue::Int(seq) => format!("seq {sign} {}", seq.saturating_sub(base)),
                    _ => "1".into(),
                }
            }
            (By::Field(_), None) => match planned.key.compare(&KeyValue::Missing, value) {
                std::cmp::Ordering::Less => "0".into(),
                std::cmp::Ordering::Greater => "1".into(),
                std::cmp::Ordering::Equal => self.behind(after, from + 1, params),
            },
            (By::Field(_), Some(column)) => {
                let first = planned.key.missing == Missing::First;
                let rest = self.behind(after, from + 1, params);
                let param = self.param(value, params);
                let strictly = match (value, first) {
                    (KeyValue::Missing, true) => format!("c{column} IS NOT NULL"),
                    (KeyValue::Missing, false) => "0".into(),
                    (_, true) => format!("c{column} {sign} {param}"),
                    (_, false) => format!("c{column} {sign} {param} OR c{column} IS NULL"),
                };
                format!("({strictly} OR (c{column} IS {param} AND ({rest})))")
            }
        }
    }
}
