//! Searches and scans over the documents in memory.

use std::cmp::Ordering;

use serde_json::{Value, json};

use super::matcher::{compare, lookup, matches, number};
use super::state::State;
use crate::{Column, Error, IndicesOptions, Page, Result, ScanRequest};

const SIZE_DEFAULT: u64 = 10;

pub(super) struct Hit<'a> {
    pub(super) index: &'a str,
    pub(super) id: &'a str,
    pub(super) source: &'a Value,
    seq_no: u64,
    arrival: u64,
}

pub(super) fn matching<'a>(
    state: &'a State,
    indices: &str,
    query: Option<&Value>,
    options: &IndicesOptions,
) -> Result<Vec<Hit<'a>>> {
    let mut hits = Vec::new();
    for target in state.resolve(indices, options)? {
        for (id, stored) in target.documents {
            let wanted = [target.filter, query];
            let mut all = true;
            for query in wanted.into_iter().flatten() {
                let source = if state.is_opaque(target.name) { &Value::Null } else { &stored.source };
                all = all && matches(query, id, source)?;
            }
            if all {
                hits.push(Hit {
                    index: target.name,
                    id,
                    source: &stored.source,
                    seq_no: stored.seq_no,
                    arrival: stored.arrival,
                });
            }
        }
    }
    hits.sort_by_key(|hit| hit.arrival);
    Ok(hits)
}

pub(super) fn search(state: &State, indices: &str, body: &Value, options: &IndicesOptions) -> Result<Value> {
    if let Some(unknown) =
        ["aggs", "aggregations", "collapse", "post_filter"].iter().find(|key| body.get(**key).is_some())
    {
        return Err(Error::refused(
            "parsing_exception",
            format!("[{unknown}] is not known to the store in memory"),
        ));
    }
    let mut hits = matching(state, indices, body.get("query"), options)?;
    let total = hits.len();
    let sorts = sorts(body.get("sort"));
    hits.sort_by(|left, right| order(&sorts, &keys(&sorts, left), &keys(&sorts, right)));
    if let Some(after) = body.get("search_after").and_then(Value::as_array) {
        hits.retain(|hit| order(&sorts, &keys(&sorts, hit), after) == Ordering::Greater);
    }
    let number = |key: &str, default| body.get(key).and_then(Value::as_u64).unwrap_or(default) as usize;
    let shown: Vec<Value> = hits
        .iter()
        .skip(number("from", 0))
        .take(number("size", SIZE_DEFAULT))
        .map(|hit| {
            let mut shown = json!({"_index": hit.index, "_id": hit.id, "_score": null, "_source": hit.source,
                "_seq_no": hit.seq_no, "_primary_term": 1});
            if !sorts.is_empty() {
                shown["sort"] = Value::Array(keys(&sorts, hit));
            }
            shown
        })
        .collect();
    Ok(json!({
        "took": 0, "timed_out": false, "_shards": {"total": 1, "successful": 1, "skipped": 0, "failed": 0},
        "hits": {"total": {"value": total, "relation": "eq"}, "max_score": null, "hits": shown}
    }))
}

fn sorts(sort: Option<&Value>) -> Vec<(String, bool)> {
    let items = match sort {
        None => return Vec::new(),
        Some(Value::Array(items)) => items.clone(),
        Some(one) => vec![one.clone()],
    };
    items
        .iter()
        .filter_map(|item| match item {
            Value::String(field) => Some((field.clone(), field == "_score")),
            Value::Object(object) => {
                let (field, options) = object.iter().next()?;
                let order = options.get("order").unwrap_or(options);
                Some((field.clone(), order == "desc"))
            }
            _ => None,
        })
        .collect()
}

fn keys(sorts: &[(String, bool)], hit: &Hit<'_>) -> Vec<Value> {
    let key = |field: &String| match field.as_str() {
        "_id" => json!(hit.id),
        "_doc" | "_shard_doc" | "_seq_no" => json!(hit.arrival),
        field => {
            let value = lookup(hit.source, field).cloned().unwrap_or(Value::Null);
            match (&value, number(&value)) {
                (Value::String(_), Some(ms)) => json!(ms as i64),
                _ => value,
            }
        }
    };
    sorts.iter().map(|(field, _)| key(field)).collect()
}

/// Missing values come last in either direction, as in Elasticsearch.
fn order(sorts: &[(String, bool)], left: &[Value], right: &[Value]) -> Ordering {
    for ((_, descending), (left, right)) in sorts.iter().zip(left.iter().zip(right)) {
        let order = match (left.is_null(), right.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            _ if *descending => compare(right, left),
            _ => compare(left, right),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

pub(super) fn scan(state: &State, request: &ScanRequest) -> Result<Vec<Page>> {
    let mut rows: Vec<(i64, &Value)> = Vec::new();
    for hit in matching(state, &request.indices.join(","), Some(&request.query), &request.options)? {
        let time = lookup(hit.source, &request.time_field).and_then(number);
        let Some(time) = time else { continue };
        let time_ms = time as i64;
        if (request.start_ms..request.end_ms).contains(&time_ms) {
            rows.push((time_ms, hit.source));
        }
    }
    rows.sort_by_key(|(time_ms, _)| *time_ms);
    Ok(rows
        .chunks(request.page_size.max(1))
        .map(|rows| {
            let mut page = Page { times_ms: rows.iter().map(|(time, _)| *time).collect(), ..Page::default() };
            for field in &request.fields {
                let mut column = Column::default();
                for (_, source) in rows {
                    column.push_json(lookup(source, field));
                }
                page.columns.push(column);
            }
            page
        })
        .collect())
}
