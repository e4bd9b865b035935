//! A search over all its indices.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::fetch::{Shown, hit_json};
use super::hits::{self, Hit, Wanted, compare, kind_of};
use super::plan::{PlannedKey, fielddata_disabled, plan};
use super::request::{SearchRequest, TrackTotal};
use super::sort::{By, KeyValue, SortKey};
use crate::error::{Error, Result};
use crate::index::Reader;
use crate::mapping::Leaf;
use crate::query::{FieldKind, Predicate, Query};
use crate::sql::Filter;

/// A snapshot of an index with what an alias lets see of it.
#[derive(Debug)]
pub struct View {
    /// The snapshot.
    pub reader: Reader,
    /// What documents must match besides the request's query.
    pub alias_filter: Option<Query>,
}

impl View {
    /// The documents that match `query`.
    ///
    /// # Errors
    /// When the query does not fit the mapping.
    pub fn filter(&self, queries: &[&Query], now_ms: i64) -> Result<Filter> {
        let all: Vec<&Query> = queries.iter().copied().chain(&self.alias_filter).collect();
        Filter::new(&self.reader, &all, now_ms).map_err(|error| error.on_index(&self.reader.index().name))
    }
}

/// What a search has found.
#[derive(Debug)]
pub struct Found {
    /// The hits, in order.
    pub hits: Vec<Hit>,
    /// The total, and whether it is exact.
    pub total: Option<(u64, bool)>,
    /// The sort keys, for each index.
    pub plans: Vec<Vec<PlannedKey>>,
    /// The score of all hits.
    pub score: f64,
    /// Were documents left out because of `terminate_after`?
    pub terminated_early: bool,
    /// Was the time over before all documents were looked at?
    pub timed_out: bool,
    /// The object under `aggregations`.
    pub aggregations: Option<Map<String, Value>>,
}

/// Runs a search. `limit` is the most hits to be gathered.
///
/// # Errors
/// When the request does not fit the mappings, or the machine fails.
pub fn run(
    views: &[View],
    request: &SearchRequest,
    limit: usize,
    now_ms: i64,
    max_buckets: usize,
) -> Result<Found> {
    let score = request.query.constant_score();
    let mut keys = request.sort.clone();
    if keys.is_empty() {
        keys.push(SortKey::new("_score", None));
    } else if request.pit.is_some() && !keys.iter().any(|key| key.by == By::ShardDoc) {
        keys.push(SortKey::new("_shard_doc", None));
    }
    let mut plans = Vec::with_capacity(views.len());
    let mut filters = Vec::with_capacity(views.len());
    let too_low = request.min_score.is_some_and(|least| score < least);
    for view in views {
        let name = &view.reader.index().name;
        plans.push(plan(&keys, &view.reader, now_ms).map_err(|error| error.on_index(name))?);
        let queries: Vec<&Query> =
            std::iter::once(&request.query).chain(&request.slice).chain(&request.post_filter).collect();
        filters.push(if too_low {
            Filter::of(&view.reader, Predicate::None)
        } else {
            view.filter(&queries, now_ms)?
        });
    }
    let mut terminated_early = false;
    if let Some(most) = request.terminate_after {
        for (view, filter) in views.iter().zip(&mut filters) {
            terminated_early |= filter.stop_after(&view.reader, most)?;
        }
    }
    let after = after(request, &keys, &plans)?;
    let mut timed_out = false;
    let mut found = Vec::new();
    for (target, view) in views.iter().enumerate() {
        let name = &view.reader.index().name;
        let collapse = request.collapse.as_deref().map(|field| collapse_leaf(view, field)).transpose();
        let collapse = collapse.map_err(|error| error.on_index(name))?.flatten();
        let wanted = Wanted {
            target,
            keys: &plans[target],
            after: after.as_deref(),
            limit,
            collapse: collapse.as_ref(),
            score,
        };
        match hits::best(&view.reader, &filters[target], &wanted) {
            Err(Error::TimedOut) => {
                timed_out = true;
                break;
            }
            best => found.extend(best?),
        }
    }
    if let Some(any) = plans.first() {
        let tied = |a: &Hit, b: &Hit| (a.target, a.seq).cmp(&(b.target, b.seq));
        found.sort_by(|a, b| compare(any, &a.keys, &b.keys).then_with(|| tied(a, b)));
    }
    hits::collapse(&mut found);
    found.truncate(limit);
    let seen = found.len() as u64;
    let total = in_time(&mut timed_out, || total(views, &filters, request.track_total))?;
    let total = total.unwrap_or_else(|| (request.track_total != TrackTotal::Off).then_some((seen, false)));
    let aggregations = match &request.aggregations {
        Some(body) => {
            in_time(&mut timed_out, || super::aggregate::run(views, request, body, now_ms, max_buckets))?
        }
        None => None,
    };
    if timed_out {
        // What was found in time is still to be shown.
        crate::guard::allow(SHOWING);
    }
    Ok(Found { hits: found, total, plans, score, terminated_early, timed_out, aggregations })
}

/// How long the hits of a search whose time is over may take to be loaded.
const SHOWING: std::time::Duration = std::time::Duration::from_secs(10);

/// A part of a search; nothing when the time is over, before it or during it.
fn in_time<T>(timed_out: &mut bool, part: impl FnOnce() -> Result<T>) -> Result<Option<T>> {
    if *timed_out {
        return Ok(None);
    }
    match part() {
        Err(Error::TimedOut) => {
            *timed_out = true;
            Ok(None)
        }
        other => other.map(Some),
    }
}

/// Leaves out the views to which the request does not fit, while there are others.
///
/// # Errors
/// What `note` makes of their failures.
pub fn keep_fitting(
    views: &mut Vec<View>,
    request: &SearchRequest,
    now_ms: i64,
    mut note: impl FnMut(&str, Error) -> Result<()>,
) -> Result<()> {
    if views.len() < 2 {
        return Ok(());
    }
    let fits = |view: &View| -> Result<()> {
        let name = &view.reader.index().name;
        plan(&request.sort, &view.reader, now_ms).map_err(|error| error.on_index(name))?;
        let queries: Vec<&Query> = std::iter::once(&request.query).chain(&request.post_filter).collect();
        view.filter(&queries, now_ms).map(drop)
    };
    let mut failed = Vec::new();
    views.retain(|view| match fits(view) {
        Ok(()) => true,
        Err(error) => {
            failed.push((view.reader.index().name.clone(), error));
            false
        }
    });
    failed.into_iter().try_for_each(|(index, error)| note(&index, error))
}

fn total(views: &[View], filters: &[Filter], track: TrackTotal) -> Result<Option<(u64, bool)>> {
    let limit = match track {
        TrackTotal::Off => return Ok(None),
        TrackTotal::UpTo(limit) => Some(limit),
        TrackTotal::Exact => None,
    };
    let mut sum = 0;
    for (view, filter) in views.iter().zip(filters) {
        let rest = limit.map(|limit| limit.saturating_add(1).saturating_sub(sum));
        if rest == Some(0) {
            break;
        }
        sum += filter.count(&view.reader, rest)?;
    }
    Ok(Some(match limit {
        Some(limit) if sum > limit => (limit, false),
        _ => (sum, true),
    }))
}

fn after(
    request: &SearchRequest,
    keys: &[SortKey],
    plans: &[Vec<PlannedKey>],
) -> Result<Option<Vec<KeyValue>>> {
    let Some(values) = &request.search_after else { return Ok(None) };
    if request.sort.is_empty() {
        return Err(Error::illegal("Sort must contain at least one field when using search_after."));
    }
    // The key that a point in time adds may be left out.
    if values.len() != keys.len() && values.len() != request.sort.len() {
        return Err(Error::illegal(format!(
            "search_after has {} value(s) but sort has {}.",
            values.len(),
            request.sort.len()
        )));
    }
    let mut after = Vec::with_capacity(keys.len());
    for (place, key) in keys.iter().enumerate() {
        let kind = if plans.is_empty() { None } else { kind_of(plans, place) };
        after.push(match values.get(place) {
            Some(value) => KeyValue::parse_after(value, key, kind)?,
            None => KeyValue::Int(i64::MAX),
        });
    }
    Ok(Some(after))
}

fn collapse_leaf(view: &View, field: &str) -> Result<Option<Leaf>> {
    let leaf = view.reader.mapping().leaf(field).cloned();
    if let Some(leaf) = &leaf {
        match leaf.field.kind {
            FieldKind::Text { .. } => return Err(Error::illegal(fielddata_disabled(field))),
            FieldKind::GeoPoint => {
                return Err(Error::illegal(format!(
                    "collapse is not supported for the field [{field}] of the type [geo_point]"
                )));
            }
            _ => {}
        }
    }
    Ok(leaf)
}

/// The body of the answer, with the hits of `range`.
///
/// # Errors
/// When a document cannot be loaded.
pub fn answer(
    views: &[View],
    request: &SearchRequest,
    found: &Found,
    range: std::ops::Range<usize>,
    took_ms: i64,
) -> Result<Map<String, Value>> {
    let range = range.start.min(found.hits.len())..range.end.min(found.hits.len());
    let scored =
        request.sort.is_empty() || request.track_scores || request.sort.iter().any(|key| key.by == By::Score);
    let score = if scored { json!(found.score) } else { Value::Null };
    let shown = Shown::from(request);
    let mut hits = Vec::with_capacity(range.len());
    for hit in &found.hits[range] {
        let reader = &views[hit.target].reader;
        let mut body = hit_json(reader, hit.seq, score.clone(), &shown)?;
        if let (Some(field), Some(group)) = (&request.collapse, &hit.group) {
            let kind = reader.mapping().leaf(field).map(|leaf| leaf.field.kind.clone());
            let value = group.to_json(&SortKey::new(field, None), kind.as_ref());
            let fields = body.entry("fields").or_insert_with(|| json!({}));
            fields[field.as_str()] = json!([value]);
        }
        if !request.sort.is_empty() {
            let sort: Vec<Value> = found.plans[hit.target]
                .iter()
                .zip(&hit.keys)
                .enumerate()
                .map(|(place, (planned, value))| value.to_json(&planned.key, kind_of(&found.plans, place)))
                .collect();
            body.insert("sort".into(), Value::Array(sort));
        }
        if request.explain {
            let details =
                "relevance is not computed: every hit of a query has the query's boost for its score";
            let explanation = json!({ "value": found.score, "description": details, "details": [] });
            body.insert("_explanation".into(), explanation);
        }
        hits.push(Value::Object(body));
    }
    let mut inner = Map::new();
    match found.total {
        None => {}
        Some((total, _)) if request.total_as_int => {
            inner.insert("total".into(), json!(total));
        }
        Some((total, exact)) => {
            let relation = if exact { "eq" } else { "gte" };
            inner.insert("total".into(), json!({ "value": total, "relation": relation }));
        }
    }
    let max_score = if hits.is_empty() || !scored { Value::Null } else { json!(found.score) };
    inner.insert("max_score".into(), max_score);
    inner.insert("hits".into(), Value::Array(hits));
    let mut answer = Map::new();
    answer.insert("took".into(), json!(took_ms));
    answer.insert("timed_out".into(), json!(found.timed_out));
    if request.terminate_after.is_some() {
        answer.insert("terminated_early".into(), json!(found.terminated_early));
    }
    answer.insert("_shards".into(), shards(views.len()));
    answer.insert("hits".into(), Value::Object(inner));
    if let Some(aggregations) = &found.aggregations {
        answer.insert("aggregations".into(), Value::Object(aggregations.clone()));
    }
    Ok(answer)
}

/// `_shards` of an answer.
pub fn shards(count: usize) -> Value {
    json!({ "total": count, "successful": count, "skipped": 0, "failed": 0 })
}

/// The mappings of all indices seen as one: what the first one that has a field says of it.
#[derive(Debug)]
pub struct MergedFields(pub Vec<Arc<crate::mapping::Mapping>>);
