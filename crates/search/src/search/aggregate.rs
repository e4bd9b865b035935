//! Feeding the aggregations: columns where there are columns, documents where there are none.

use serde_json::{Map, Value, json};

use super::execute::{MergedFields, View};
use super::fetch::{Shown, hit_json};
use super::request::{SearchParams, SearchRequest};
use crate::agg::batch::{Batch, ColumnSpec, DocAddress, Population, Scope};
use crate::agg::{Aggregations, Collector, Hit, HitSource};
use crate::error::Result;
use crate::index::cell::{self, Scalar};
use crate::query::value::{natives, print_ip, visit};
use crate::query::{Field, FieldTypes, Predicate, Query};
use crate::sql::rows::{self, Row};
use crate::sql::{Filter, Reading};

/// Documents in a batch.
const BATCH: usize = 4096;

/// The object under `aggregations`.
///
/// # Errors
/// When the request is malformed or does not fit the mappings, or the machine fails.
pub fn run(
    views: &[View],
    request: &SearchRequest,
    body: &Value,
    now_ms: i64,
    max_buckets: usize,
) -> Result<Map<String, Value>> {
    let aggregations = Aggregations::parse(body)?;
    let name = views.first().map_or("", |view| view.reader.index().name.as_str());
    let merged = MergedFields(views.iter().map(|view| view.reader.mapping().clone()).collect());
    let mut collector = Collector::new(&aggregations, &merged, now_ms)
        .map_err(|error| error.on_index(name))?
        .with_max_buckets(max_buckets);
    for (target, view) in views.iter().enumerate() {
        let queries: Vec<&Query> = std::iter::once(&request.query).chain(&request.slice).collect();
        let mut filter = view.filter(&queries, now_ms)?;
        if let Some(most) = request.terminate_after {
            filter.stop_after(&view.reader, most)?;
        }
        feed(&mut collector, view, target, &filter, Population::Query, now_ms)?;
    }
    if collector.needs_all() {
        for (target, view) in views.iter().enumerate() {
            let filter = view.filter(&[], now_ms)?;
            feed(&mut collector, view, target, &filter, Population::All, now_ms)?;
        }
    }
    let mut loader = Loader { views };
    collector.finish(request.typed_keys, &mut loader).map_err(|error| error.on_index(name))
}

/// Where a column's values come from.
enum From {
    /// The place among the columns that are read.
    Column(usize),
    /// The document.
    Source,
    Index,
    Id,
    /// This index does not have the field.
    Nowhere,
}

struct Feeder<'a> {
    view: &'a View,
    scopes: Vec<Scope>,
    from: Vec<From>,
    /// The fields as this index maps them, for each scope.
    fields: Vec<Vec<Option<Field>>>,
    masks: Vec<Vec<Predicate>>,
}

fn feed(
    collector: &mut Collector,
    view: &View,
    target: usize,
    filter: &Filter,
    population: Population,
    now_ms: i64,
) -> Result<()> {
    let (feeder, columns) = Feeder::new(collector.scopes(), view, now_ms)?;
    let with_source = feeder.scopes.len() > 1
        || feeder.masks.iter().any(|masks| !masks.is_empty())
        || feeder.from.iter().any(|from| matches!(from, From::Source));
    let reading = Reading { columns: &columns, with_source, ..Reading::default() };
    let mut batch = collector.new_batch();
    rows::for_each(&view.reader, filter, reading, &mut |row| {
        feeder.document(collector, &mut batch, row)?;
        let address = DocAddress { index: target as u32, seq: row.seq };
        batch.scopes[0].end_row(address);
        if let (true, Some(source)) = (feeder.scopes.len() > 1, row.source()) {
            feeder.nested(collector, &mut batch, row, source)?;
        }
        if batch.documents() >= BATCH {
            collector.push(population, &batch)?;
            batch.clear();
        }
        Ok(true)
    })?;
    collector.push(population, &batch)
}

impl<'a> Feeder<'a> {
    fn new(scopes: &[Scope], view: &'a View, now_ms: i64) -> Result<(Self, Vec<u32>)> {
        let mapping = view.reader.mapping();
        let mut columns = Vec::new();
        let from = scopes[0].columns.iter().map(|spec| match spec.field.path.as_str() {
            "_index" => From::Index,
            "_id" => From::Id,
            path => match mapping.leaf(path) {
                None => From::Nowhere,
                Some(leaf) => match leaf.column {
                    Some(column) => {
                        columns.push(column);
                        From::Column(columns.len() - 1)
                    }
                    None => From::Source,
                },
            },
        });
        let from = from.collect();
        let own = |spec: &ColumnSpec| mapping.leaf(&spec.field.path).map(|leaf| leaf.field.clone());
        let fields = scopes.iter().map(|scope| scope.columns.iter().map(own).collect()).collect();
        let mut masks = Vec::new();
        for scope in scopes {
            let resolve = |query: &Query| query.resolve_in(mapping.as_ref(), now_ms, &scope.path);
            let resolved = scope.filters.iter().map(resolve).collect::<Result<Vec<_>>>();
            masks.push(resolved.map_err(|error| error.on_index(&view.reader.index().name))?);
        }
        Ok((Self { view, scopes: scopes.to_vec(), from, fields, masks }, columns))
    }

    /// The columns and masks of one document.
    fn document(&self, collector: &mut Collector, batch: &mut Batch, row: &Row<'_, '_>) -> Result<()> {
        let scope = &mut batch.scopes[0];
        for (number, from) in self.from.iter().enumerate() {
            let column = &mut scope.columns[number];
            match (from, &self.fields[0][number]) {
                (From::Column(place), Some(field)) => {
                    let dictionary = collector.dictionary();
                    cell::for_each(&field.kind, row.column(*place), &mut |scalar| match scalar {
                        Scalar::Int(value) => column.push_int(value),
                        Scalar::Double(value) => column.push_double(value),
                        Scalar::Text(text) => column.push_term(dictionary.intern(text)),
                        Scalar::Ip(bits) => column.push_term(dictionary.intern(&print_ip(bits))),
                        Scalar::Geo(lat, lon) => column.push_geo(lat, lon),
                    });
                }
                (From::Source, Some(field)) => {
                    let source = row.source().unwrap_or(&Value::Null);
                    for native in natives(field, source, "") {
                        column.push_native(&native, collector.dictionary());
                    }
                }
                (From::Index, _) => column.push_term(collector.intern(&self.view.reader.index().name)),
                (From::Id, _) => {
                    let id = self.view.reader.id(row.seq, row.id()?);
                    column.push_term(collector.intern(&id));
                }
                _ => {}
            }
            column.end_row();
        }
        if !self.masks[0].is_empty() {
            let id = self.view.reader.id(row.seq, row.id()?);
            let source = row.source().unwrap_or(&Value::Null);
            for (mask, predicate) in scope.masks.iter_mut().zip(&self.masks[0]) {
                mask.push(predicate.matches(&id, source));
            }
        }
        Ok(())
    }

    /// The rows of the nested scopes that belong to the document whose row was just ended.
    fn nested(
        &self,
        collector: &mut Collector,
        batch: &mut Batch,
        row: &Row<'_, '_>,
        source: &Value,
    ) -> Result<()> {
        let id = self.view.reader.id(row.seq, row.id()?);
        let document = batch.scopes[0].rows() as u32 - 1;
        let mut objects: Vec<Vec<(&Value, u32)>> = vec![vec![(source, document)]];
        for (number, scope) in self.scopes.iter().enumerate().skip(1) {
            let above = &self.scopes[scope.parent].path;
            let below =
                scope.path.strip_prefix(above.as_str()).unwrap_or(&scope.path).trim_start_matches('.');
            let mut found = Vec::new();
            for (object, parent) in &objects[scope.parent] {
                visit(object, below, false, &mut |inner| {
                    if inner.is_object() {
                        found.push((inner, *parent));
                    }
                });
            }
            let mut own = Vec::with_capacity(found.len());
            for (object, parent) in found {
                let rows = &mut batch.scopes[number];
                for (column, field) in rows.columns.iter_mut().zip(&self.fields[number]) {
                    if let Some(field) = field {
                        for native in natives(field, object, &scope.path) {
                            column.push_native(&native, collector.dictionary());
                        }
                    }
                    column.end_row();
                }
                for (mask, predicate) in rows.masks.iter_mut().zip(&self.masks[number]) {
                    mask.push(predicate.matches_in(&id, object, &scope.path));
                }
                own.push((object, rows.rows() as u32));
                rows.end_nested_row(parent);
            }
            objects.push(own);
        }
        Ok(())
    }
}

/// Loads the documents of `top_hits`.
struct Loader<'v> {
    views: &'v [View],
}

impl HitSource for Loader<'_> {
    fn load(&mut self, body: &Value, hits: &[Hit]) -> Result<Vec<Value>> {
        let mut body = body.clone();
        let scored = match body.as_object_mut() {
            Some(map) => {
                let sorted = map.remove("sort").is_some();
                for handled in ["from", "size", "highlight"] {
                    map.remove(handled);
                }
                !sorted || map.get("track_scores").and_then(Value::as_bool).unwrap_or(false)
            }
            None => true,
        };
        let request = SearchRequest::parse(&body, &SearchParams::default())?;
        let shown = Shown::from(&request);
        hits.iter()
            .map(|hit| {
                let reader = &self.views[hit.address.index as usize].reader;
                let score = if scored { json!(1.0) } else { Value::Null };
                let mut loaded = hit_json(reader, hit.address.seq, score, &shown)?;
                if !hit.sort.is_empty() {
                    loaded.insert("sort".into(), Value::Array(hit.sort.clone()));
                }
                Ok(Value::Object(loaded))
            })
            .collect()
    }
}

impl FieldTypes for MergedFields {
    fn field(&self, path: &str) -> Option<Field> {
        self.0.iter().find_map(|mapping| mapping.field(path))
    }

    fn expand(&self, pattern: &str) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for mapping in &self.0 {
            for path in mapping.expand(pattern) {
                if !found.contains(&path) {
                    found.push(path);
                }
            }
        }
        found
    }

    fn is_nested(&self, path: &str) -> bool {
        self.0.iter().any(|mapping| mapping.is_nested(path))
    }

    fn is_seen_from(&self, nested: &str, scope: &str) -> bool {
        nested == scope || self.0.iter().any(|mapping| mapping.is_seen_from(nested, scope))
    }

    fn is_object(&self, path: &str) -> bool {
        self.0.iter().any(|mapping| mapping.is_object(path))
    }

    fn index_name(&self) -> &str {
        self.0.first().map_or("", |mapping| mapping.index_name())
    }
}
