//! The calls: `_search`, `_count`, `_msearch`, scrolls, points in time.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};

use super::contexts::{Context, Scroll};
use super::execute::{self, View, shards};
use super::partial::{self, Failures};
use super::request::{SearchParams, SearchRequest, TrackTotal, url_query};
use crate::catalog::{Expand, Target};
use crate::cluster::Search;
use crate::error::{Error, Result};
use crate::guard;
use crate::query::Query;

/// What the line before a search of `_msearch` may say. Of one node and one copy of each index, all but the indices, how
/// their names are understood, and what concerns missing ones is about how a cluster works, and has no effect on the answer.
const HEADER_KEYS: [&str; 15] = [
    "index",
    "indices",
    "ignore_unavailable",
    "ignoreUnavailable",
    "allow_no_indices",
    "allowNoIndices",
    "expand_wildcards",
    "expandWildcards",
    "search_type",
    "preference",
    "routing",
    "request_cache",
    "allow_partial_search_results",
    "ccs_minimize_roundtrips",
    "max_concurrent_shard_requests",
];

/// How long a point in time is kept when nobody says so.
const KEEP_MS: i64 = 300_000;

impl Search {
    /// Snapshots of the indices that an expression means.
    pub(crate) fn views(&self, expression: &str, expand: Expand) -> Result<Vec<View>> {
        self.resolve(expression, expand)?.iter().map(|target| self.view(target)).collect()
    }

    pub(crate) fn view(&self, target: &Target) -> Result<View> {
        let reader = self.index_of(&target.meta)?.read()?;
        let alias_filter = match target.filters.as_slice() {
            [] => None,
            [one] => Some(Query::parse(one)?),
            many => Some(Query::parse(&json!({ "bool": { "should": many } }))?),
        };
        Ok(View { reader, alias_filter })
    }

    /// `POST /{index}/_search`.
    ///
    /// # Errors
    /// When the request is malformed or not supported, an index is missing, or the machine fails.
    pub fn search(&self, expression: &str, params: &SearchParams, body: &Value) -> Result<Value> {
        let started = self.now_ms();
        let request = SearchRequest::parse(body, params)?;
        if let Some(ms) = request.timeout_ms {
            guard::limit_time(std::time::Duration::from_millis(ms));
        }
        if let Some((id, keep)) = &request.pit {
            if !expression.is_empty() {
                return Err(Error::RequestValidation("1: [indices] cannot be used with point in time. Do not specify any index with point in time.;".into()));
            }
            return self.search_pit(&request, id, keep.as_deref(), started);
        }
        if request.slice.is_some() && params.scroll_ms.is_none() {
            let reason = "1: [slice] can only be used with [scroll] or [point-in-time] requests;";
            return Err(Error::RequestValidation(reason.into()));
        }
        let targets = self.resolve(expression, params.expand)?;
        if params.scroll_ms.is_none() {
            let window = targets.iter().map(|target| target.meta.result_window()).min().unwrap_or(10_000);
            request.check_window(window).map_err(|error| error.on_index(first_name(&targets)))?;
        }
        let mut failures = Failures::default();
        let whole = params.all_or_nothing;
        let mut views = self.views_of(&targets, &mut failures, whole)?;
        execute::keep_fitting(&mut views, &request, started, |index, error| {
            failures.note(index, error, whole)
        })?;
        failures.check(views.len())?;
        match params.scroll_ms {
            Some(keep_ms) => self.open_scroll(views, request, keep_ms, started, &failures),
            None => {
                let mut answer = partial::without_damaged(&mut views, &mut failures, whole, |views| {
                    self.search_views(views, &request, started)
                })?;
                failures.tell(&mut answer, views.len());
                Ok(Value::Object(answer))
            }
        }
    }

    /// The views of those indices whose files can be used.
    fn views_of(&self, targets: &[Target], failures: &mut Failures, whole: bool) -> Result<Vec<View>> {
        let mut views = Vec::with_capacity(targets.len());
        for target in targets {
            match self.view(target) {
                Ok(view) => views.push(view),
                Err(error) => failures.note(&target.meta.name, error, whole)?,
            }
        }
        failures.check(views.len())?;
        Ok(views)
    }

    fn search_views(
        &self,
        views: &[View],
        request: &SearchRequest,
        started: i64,
    ) -> Result<Map<String, Value>> {
        let (from, size) = (index(request.from), index(request.size));
        let limit = from.saturating_add(size);
        let limit = if size == 0 { 0 } else { limit };
        let found = execute::run(views, request, limit, started, self.inner.options.max_buckets)?;
        execute::answer(views, request, &found, from..limit.max(from), self.took(started))
    }

    fn search_pit(
        &self,
        request: &SearchRequest,
        id: &str,
        keep: Option<&str>,
        started: i64,
    ) -> Result<Value> {
        let keep_ms = keep.map(|text| dates::interval::duration_ms(text, "keep_alive")).transpose()?;
        request.check_window(10_000).map_err(|error| error.on_index(""))?;
        let context = self.contexts(|contexts| contexts.get(id, started, keep_ms))?;
        let Context::Pit(views) = context else {
            return Err(Error::SearchContextMissing { id: id.to_owned() }.on_index(""));
        };
        let views = views.lock().unwrap_or_else(PoisonError::into_inner);
        let mut answer = self.search_views(&views, request, started)?;
        answer.insert("pit_id".into(), json!(id));
        Ok(Value::Object(answer))
    }

    fn contexts<T>(&self, with: impl FnOnce(&mut super::Contexts) -> Result<T>) -> Result<T> {
        with(&mut self.inner.contexts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn open_scroll(
        &self,
        views: Vec<View>,
        mut request: SearchRequest,
        keep_ms: i64,
        started: i64,
        failures: &Failures,
    ) -> Result<Value> {
        if request.from > 0 || request.search_after.is_some() {
            return Err(Error::RequestValidation(
                "1: using [from] is not allowed in a scroll context;".into(),
            ));
        }
        if request.size == 0 {
            return Err(Error::RequestValidation("1: [size] cannot be [0] in a scroll context;".into()));
        }
        request.track_total = TrackTotal::Off;
        let mut found = execute::run(&views, &request, usize::MAX, started, self.inner.options.max_buckets)?;
        found.total = Some((found.hits.len() as u64, true));
        let given = index(request.size).min(found.hits.len());
        let mut answer = execute::answer(&views, &request, &found, 0..given, self.took(started))?;
        failures.tell(&mut answer, views.len());
        found.aggregations = None;
        let scroll = Scroll { views, request, found, given };
        let context = Context::Scroll(Arc::new(Mutex::new(scroll)));
        let id = self.contexts(|contexts| contexts.add(context, started, keep_ms))?;
        answer.insert("_scroll_id".into(), json!(id));
        Ok(Value::Object(answer))
    }

    /// `POST /_search/scroll`: the next page.
    ///
    /// # Errors
    /// When the scroll is gone.
    pub fn scroll(&self, id: &str, keep_ms: Option<i64>) -> Result<Value> {
        let started = self.now_ms();
        let Context::Scroll(scroll) = self.contexts(|contexts| contexts.get(id, started, keep_ms))? else {
            return Err(Error::SearchContextMissing { id: id.to_owned() }.on_index(""));
        };
        let mut scroll = scroll.lock().unwrap_or_else(PoisonError::into_inner);
        let end = scroll.given.saturating_add(index(scroll.request.size)).min(scroll.found.hits.len());
        let range = scroll.given..end;
        let mut answer =
            execute::answer(&scroll.views, &scroll.request, &scroll.found, range, self.took(started))?;
        scroll.given = end;
        answer.insert("_scroll_id".into(), json!(id));
        Ok(Value::Object(answer))
    }

    /// `DELETE /_search/scroll`; `_all` closes all. Says how many were open.
    ///
    /// # Errors
    /// None; for the form of the other calls.
    pub fn clear_scroll(&self, ids: &[String]) -> Result<usize> {
        self.contexts(|contexts| {
            if ids.iter().any(|id| id == "_all") {
                return Ok(contexts.close_scrolls());
            }
            Ok(ids.iter().filter(|id| contexts.close(id)).count())
        })
    }

    /// `POST /{index}/_pit`.
    ///
    /// # Errors
    /// When an index is missing.
    pub fn open_pit(&self, expression: &str, keep_ms: Option<i64>, expand: Expand) -> Result<Value> {
        let views = self.views(expression, expand)?;
        let count = views.len();
        let context = Context::Pit(Arc::new(Mutex::new(views)));
        let now_ms = self.now_ms();
        let id = self.contexts(|contexts| contexts.add(context, now_ms, keep_ms.unwrap_or(KEEP_MS)))?;
        Ok(json!({ "id": id, "_shards": shards(count) }))
    }

    /// `DELETE /_pit`. Says whether it was open.
    ///
    /// # Errors
    /// None; for the form of the other calls.
    pub fn close_pit(&self, id: &str) -> Result<bool> {
        self.contexts(|contexts| Ok(contexts.close(id)))
    }

    /// `POST /{index}/_count`.
    ///
    /// # Errors
    /// When the query is malformed or does not fit, or an index is missing.
    pub fn count(&self, expression: &str, params: &SearchParams, body: &Value) -> Result<Value> {
        let mut query = Query::match_all();
        for (key, value) in body.as_object().into_iter().flatten() {
            match key.as_str() {
                "query" => query = Query::parse(value)?,
                other => return Err(Error::parsing(format!("request does not support [{other}]"))),
            }
        }
        if let Some(from_url) = url_query(params)? {
            query = from_url;
        }
        let targets = self.resolve(expression, params.expand)?;
        let (mut failures, whole) = (Failures::default(), params.all_or_nothing);
        let mut views = self.views_of(&targets, &mut failures, whole)?;
        let now_ms = self.now_ms();
        let count = partial::without_damaged(&mut views, &mut failures, whole, |views| {
            let mut count = 0;
            for view in views {
                count += view.filter(&[&query], now_ms)?.count(&view.reader, None)?;
            }
            Ok(count)
        })?;
        Ok(json!({ "count": count, "_shards": failures.shards(views.len()) }))
    }

    /// `POST /{index}/_msearch`: a failed search has an error in its place.
    ///
    /// # Errors
    /// When the body is malformed.
    pub fn multi_search(&self, default_index: &str, params: &SearchParams, body: &[u8]) -> Result<Value> {
        let started = self.now_ms();
        let malformed =
            |error: serde_json::Error| Error::x_content(format!("malformed msearch line: {error}"));
        let mut lines = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).peekable();
        let mut responses = Vec::new();
        while let Some(header) = lines.next() {
            if header.is_empty() && lines.peek().is_none() {
                break;
            }
            let header: Value = if header.is_empty() {
                json!({})
            } else {
                serde_json::from_slice(header).map_err(malformed)?
            };
            let Some(line) = lines.next().filter(|line| !line.is_empty()) else {
                return Err(Error::RequestValidation("1: no search after a header;".into()));
            };
            let request: Value = serde_json::from_slice(line).map_err(malformed)?;
            responses.push(match self.one_of_many(default_index, params, &header, &request) {
                Ok(mut answer) => {
                    answer["status"] = json!(200);
                    answer
                }
                Err(error) => error.to_body(),
            });
        }
        if responses.is_empty() {
            return Err(Error::RequestValidation("1: no requests added;".into()));
        }
        Ok(json!({ "took": self.took(started), "responses": responses }))
    }

    fn one_of_many(
        &self,
        default_index: &str,
        params: &SearchParams,
        header: &Value,
        body: &Value,
    ) -> Result<Value> {
        let mut params = params.clone();
        for key in header.as_object().into_iter().flat_map(Map::keys) {
            if !HEADER_KEYS.contains(&key.as_str()) {
                return Err(Error::illegal(format!("key [{key}] is not supported in the metadata section")));
            }
        }
        let named = |name: &str, camel: &str| header.get(name).or_else(|| header.get(camel));
        if let Some(flag) = named("ignore_unavailable", "ignoreUnavailable") {
            params.expand.ignore_unavailable = super::request::flag("ignore_unavailable", flag)?;
        }
        if let Some(flag) = named("allow_no_indices", "allowNoIndices") {
            params.expand.allow_no_indices = super::request::flag("allow_no_indices", flag)?;
        }
        match named("expand_wildcards", "expandWildcards") {
            Some(Value::String(words)) => params.expand = params.expand.with_wildcards(words)?,
            Some(Value::Array(words)) => {
                let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
                params.expand = params.expand.with_wildcards(&words.join(","))?;
            }
            _ => {}
        }
        let index = match header.get("index").or_else(|| header.get("indices")) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
            _ if body.get("pit").is_some() => String::new(),
            _ => default_index.to_owned(),
        };
        self.search(&index, &params, body)
    }

    /// `POST /{index}/_validate/query`: the error that the query has, if any.
    ///
    /// # Errors
    /// When an index is missing.
    pub fn validate_query(&self, expression: &str, body: &Value, expand: Expand) -> Result<Option<Error>> {
        let views = self.views(expression, expand)?;
        let query = match body.get("query").map_or_else(|| Ok(Query::match_all()), Query::parse) {
            Ok(query) => query,
            Err(error) => return Ok(Some(error)),
        };
        Ok(views.iter().find_map(|view| view.filter(&[&query], self.now_ms()).err()))
    }
}

fn first_name(targets: &[Target]) -> &str {
    targets.first().map_or("", |target| target.meta.name.as_str())
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
