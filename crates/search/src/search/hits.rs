//! The best documents of one index.

use ahash::AHashSet;
use serde_json::Value;

use super::plan::{NestedLevel, PlannedKey, is_sql, sql_sort};
use super::sort::{By, KeyValue, Missing, Mode, NumericType};
use crate::error::Result;
use crate::index::Reader;
use crate::index::cell::{self, Scalar};
use crate::mapping::{Cell, Leaf};
use crate::query::FieldKind;
use crate::query::value::{Native, natives, visit};
use crate::sql::rows::{self, Row};
use crate::sql::{Filter, Reading};

/// What `_shard_doc` adds for each index before.
const INDEX_BASE: i64 = 1 << 42;
/// What a hit takes with the values it is sorted by, roughly.
const HIT_BYTES: usize = 160;
/// Hits that are charged at a time.
const HITS_STEP: usize = 1024;

/// A document that may become a hit.
#[derive(Clone, Debug)]
pub struct Hit {
    /// Which of the searched indices.
    pub target: usize,
    /// Which document.
    pub seq: i64,
    /// The values of the sort keys.
    pub keys: Vec<KeyValue>,
    /// The value that it is collapsed by.
    pub group: Option<KeyValue>,
}

/// What is wanted of one index.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// Which of the searched indices it is.
    pub target: usize,
    /// The sort keys.
    pub keys: &'a [PlannedKey],
    /// The values behind which the hits begin.
    pub after: Option<&'a [KeyValue]>,
    /// The most hits.
    pub limit: usize,
    /// The field of which each value is wanted once.
    pub collapse: Option<&'a Leaf>,
    /// The score of all hits.
    pub score: f64,
}

/// The best documents, in order.
///
/// # Errors
/// When SQLite fails.
pub fn best(reader: &Reader, filter: &Filter, wanted: &Wanted<'_>) -> Result<Vec<Hit>> {
    let mut collector = Collector::new(reader, wanted);
    if wanted.limit == 0 {
        return Ok(Vec::new());
    }
    let base = wanted.target as i64 * INDEX_BASE;
    if is_sql(wanted.keys, reader) {
        let (_, params) = filter.sql();
        let sort = sql_sort(wanted.keys, wanted.after, params.len() + 1, base, &reader.index().name);
        let mut seen = AHashSet::new();
        for segment in &sort.segments {
            let reading = Reading {
                columns: &collector.columns,
                with_source: collector.needs_source,
                condition: Some((&segment.sql, &segment.params)),
                order_by: Some(&sort.order_by),
            };
            let mut hits = std::mem::take(&mut collector.hits);
            rows::for_each(reader, filter, reading, &mut |row| {
                let hit = collector.hit(row, base)?;
                crate::guard::hold(HIT_BYTES, "<hits>")?;
                if hit.group.as_ref().is_none_or(|group| seen.insert(format!("{group:?}"))) {
                    hits.push(hit);
                }
                Ok(hits.len() < wanted.limit)
            })?;
            collector.hits = hits;
            if collector.hits.len() >= wanted.limit {
                break;
            }
        }
        return Ok(collector.hits);
    }
    let columns = collector.columns.clone();
    let reading =
        Reading { columns: &columns, with_source: collector.needs_source, condition: None, order_by: None };
    rows::for_each(reader, filter, reading, &mut |row| {
        let hit = collector.hit(row, base)?;
        if wanted.after.is_none_or(|after| compare(wanted.keys, &hit.keys, after).is_gt()) {
            // Held for as long as the search runs, though worse hits give way: at most twice what is wanted.
            if collector.hits.len() >= collector.most {
                collector.most += HITS_STEP;
                crate::guard::hold(HITS_STEP * HIT_BYTES, "<hits>")?;
            }
            collector.offer(hit);
        }
        Ok(true)
    })?;
    collector.shrink();
    Ok(collector.hits)
}

/// Compares the values of two documents.
pub fn compare(keys: &[PlannedKey], a: &[KeyValue], b: &[KeyValue]) -> std::cmp::Ordering {
    keys.iter()
        .zip(a.iter().zip(b))
        .map(|(planned, (a, b))| planned.key.compare(a, b))
        .find(|order| order.is_ne())
        .unwrap_or(std::cmp::Ordering::Equal)
}

struct Collector<'w> {
    reader: &'w Reader,
    wanted: &'w Wanted<'w>,
    columns: Vec<u32>,
    needs_source: bool,
    needs_id: bool,
    hits: Vec<Hit>,
    /// Hits for which there is room in the budget.
    most: usize,
}

impl<'w> Collector<'w> {
    fn new(reader: &'w Reader, wanted: &'w Wanted<'w>) -> Self {
        let leaves = wanted.keys.iter().filter_map(|planned| planned.leaf.as_ref()).chain(wanted.collapse);
        let (mut columns, mut needs_source) = (Vec::new(), false);
        for leaf in leaves {
            match leaf.column {
                Some(column) => columns.push(column),
                None => needs_source = true,
            }
        }
        let is_nested = wanted.keys.iter().any(|planned| !planned.nested.is_empty());
        needs_source |= is_nested;
        let needs_id = is_nested || wanted.keys.iter().any(|planned| planned.key.by == By::Id);
        Self { reader, wanted, columns, needs_source, needs_id, hits: Vec::new(), most: 0 }
    }

    fn hit(&self, row: &Row<'_, '_>, base: i64) -> Result<Hit> {
        let id = if self.needs_id { self.reader.id(row.seq, row.id()?) } else { String::new() };
        let mut place = 0;
        let mut values = |leaf: &Leaf| -> Vec<Native> {
            let mut found = Vec::new();
            match (leaf.column, row.source()) {
                (Some(_), _) => {
                    let kind = &leaf.field.kind;
                    cell::for_each(kind, row.column(place), &mut |scalar: Scalar<'_>| {
                        found.push(scalar.to_native())
                    });
                    place += 1;
                }
                (None, Some(source)) => found = natives(&leaf.field, source, ""),
                (None, None) => {}
            }
            found
        };
        let keys = self
            .wanted
            .keys
            .iter()
            .map(|planned| match (&planned.key.by, &planned.leaf) {
                (By::Score, _) => KeyValue::Double(self.wanted.score),
                (By::Doc, _) => KeyValue::Int(row.seq),
                (By::ShardDoc, _) => KeyValue::Int(base + row.seq),
                (By::Id, _) => KeyValue::Text(id.clone()),
                (By::Index, _) => KeyValue::Text(self.reader.index().name.clone()),
                (By::SeqNo, _) => KeyValue::Int(row.seq),
                (By::Version, _) => KeyValue::Int(row.version),
                (By::Field(_), None) => missing(planned),
                (By::Field(_), Some(leaf)) => {
                    // The column of a nested field comes first among the row's, also when it is not used.
                    let all = values(leaf);
                    let all = if planned.nested.is_empty() {
                        all
                    } else {
                        nested_values(leaf, &planned.nested, &id, row.source())
                    };
                    let value = reduce(all, planned.key.mode).unwrap_or_else(|| missing(planned));
                    match planned.key.numeric_type {
                        Some(kind) => as_number(value, kind),
                        None => value,
                    }
                }
            })
            .collect();
        let group =
            self.wanted.collapse.map(|leaf| reduce(values(leaf), Mode::Min).unwrap_or(KeyValue::Missing));
        Ok(Hit { target: self.wanted.target, seq: row.seq, keys, group })
    }

    fn offer(&mut self, hit: Hit) {
        self.hits.push(hit);
        if self.hits.len() >= self.wanted.limit.saturating_mul(2).saturating_add(1024) {
            self.shrink();
        }
    }

    /// Keeps the best, and of each group the best only.
    fn shrink(&mut self) {
        let keys = self.wanted.keys;
        self.hits.sort_by(|a, b| compare(keys, &a.keys, &b.keys).then(a.seq.cmp(&b.seq)));
        collapse(&mut self.hits);
        self.hits.truncate(self.wanted.limit);
    }
}

/// The values of a field in those nested objects that count.
fn nested_values(leaf: &Leaf, levels: &[NestedLevel], id: &str, source: Option<&Value>) -> Vec<Native> {
    let mut objects: Vec<&Value> = source.into_iter().collect();
    let mut above = "";
    for level in levels {
        let below = level.path.strip_prefix(above).unwrap_or(&level.path).trim_start_matches('.');
        let mut found = Vec::new();
        for object in objects {
            visit(object, below, false, &mut |inner| {
                if inner.is_object() && level.filter.matches_in(id, inner, &level.path) {
                    found.push(inner);
                }
            });
        }
        found.truncate(level.max_children);
        objects = found;
        above = &level.path;
    }
    objects.into_iter().flat_map(|object| natives(&leaf.field, object, above)).collect()
}

fn as_number(value: KeyValue, kind: NumericType) -> KeyValue {
    match (value, kind) {
        (KeyValue::Int(value), NumericType::Double) => KeyValue::Double(value as f64),
        (KeyValue::Double(value), NumericType::Whole) => KeyValue::Int(value as i64),
        (value, _) => value,
    }
}

/// Keeps the first hit of each group.
pub fn collapse(hits: &mut Vec<Hit>) {
    let mut seen = AHashSet::new();
    hits.retain(|hit| hit.group.as_ref().is_none_or(|group| seen.insert(format!("{group:?}"))));
}

/// The value that stands for a missing one.
fn missing(planned: &PlannedKey) -> KeyValue {
    match (&planned.key.missing, &planned.leaf) {
        (Missing::At(value), Some(leaf)) => match crate::query::value::read(&leaf.field, value) {
            Ok(Some(native)) => key_value(native),
            _ => KeyValue::Missing,
        },
        _ => KeyValue::Missing,
    }
}

fn key_value(native: Native) -> KeyValue {
    match Cell::from(native) {
        Cell::Int(value) => KeyValue::Int(value),
        Cell::Double(value) => KeyValue::Double(value),
        Cell::Text(text) => KeyValue::Text(text),
        Cell::Null | Cell::Many(_) => KeyValue::Missing,
    }
}

/// One value out of several.
fn reduce(values: Vec<Native>, mode: Mode) -> Option<KeyValue> {
    if values.len() <= 1 {
        return values.into_iter().next().map(key_value);
    }
    let mut keys: Vec<KeyValue> = values.into_iter().map(key_value).collect();
    let ascending = super::sort::SortKey::new("_doc", Some(false));
    keys.sort_by(|a, b| ascending.compare(a, b));
    let numbers: Vec<f64> = keys
        .iter()
        .filter_map(|key| match key {
            KeyValue::Int(value) => Some(*value as f64),
            KeyValue::Double(value) => Some(*value),
            _ => None,
        })
        .collect();
    let whole = keys.iter().all(|key| matches!(key, KeyValue::Int(_)));
    let number =
        |value: f64| Some(if whole { KeyValue::Int(value.round() as i64) } else { KeyValue::Double(value) });
    let middle = numbers.len() / 2;
    match mode {
        Mode::Max => keys.pop(),
        Mode::Sum if !numbers.is_empty() => number(numbers.iter().sum()),
        Mode::Avg if !numbers.is_empty() => number(numbers.iter().sum::<f64>() / numbers.len() as f64),
        Mode::Median if numbers.len() % 2 == 1 => number(numbers[middle]),
        Mode::Median if !numbers.is_empty() => number(f64::midpoint(numbers[middle - 1], numbers[middle])),
        _ => keys.into_iter().next(),
    }
}

/// The kind of a key's field in any of the indices that have it.
pub fn kind_of(plans: &[Vec<PlannedKey>], place: usize) -> Option<&FieldKind> {
    plans.iter().find_map(|plan| plan[place].kind())
}
