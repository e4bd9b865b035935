//! The search request, read and checked.

use serde_json::{Value, json};

use super::sort::SortKey;
use super::source_filter::SourceFilter;
use crate::catalog::Expand;
use crate::error::{Error, Result};
use crate::query::Query;

/// More slices are refused (`index.max_slices_per_scroll`).
const SLICES_MAX: u64 = 1024;

/// What a search takes from the URL.
#[derive(Clone, Debug, Default)]
pub struct SearchParams {
    /// How the index expression is understood.
    pub expand: Expand,
    /// A query string.
    pub q: Option<String>,
    /// Its default field.
    pub df: Option<String>,
    /// Its default operator.
    pub default_operator: Option<String>,
    /// `f:desc,g`.
    pub sort: Option<String>,
    /// The first hit.
    pub from: Option<u64>,
    /// The number of hits.
    pub size: Option<u64>,
    /// `_source`: `false`, or paths.
    pub source: Option<String>,
    /// `_source_includes`.
    pub source_includes: Option<String>,
    /// `_source_excludes`.
    pub source_excludes: Option<String>,
    /// `docvalue_fields`.
    pub docvalue_fields: Option<String>,
    /// `track_total_hits`: `true`, `false` or a number.
    pub track_total_hits: Option<String>,
    /// How long a scroll is kept, in milliseconds; none for a search without one.
    pub scroll_ms: Option<i64>,
    /// Do names of aggregations carry their type?
    pub typed_keys: bool,
    /// Is the total a plain number?
    pub total_as_int: bool,
    /// `timeout`, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// Does the failure of one index fail the whole (`allow_partial_search_results=false`)?
    pub all_or_nothing: bool,
}

/// How far the total is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrackTotal {
    /// Not at all.
    Off,
    /// Up to a limit.
    UpTo(u64),
    /// To the end.
    Exact,
}

/// `timeout` of a body: a time, or `-1` for no limit.
fn timeout(value: &Value) -> Result<Option<u64>> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if text == "-1" {
        return Ok(None);
    }
    let ms = dates::interval::duration_ms(&text, "timeout")?;
    Ok(u64::try_from(ms).ok())
}

/// A field to be given back, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedField {
    /// A name, with `*`.
    pub name: String,
    /// How dates are printed.
    pub format: Option<String>,
}

/// A search.
#[derive(Clone, Debug)]
pub struct SearchRequest {
    /// What hits must match.
    pub query: Query,
    /// What hits, but not aggregations, must match.
    pub post_filter: Option<Query>,
    /// The first hit.
    pub from: u64,
    /// The number of hits.
    pub size: u64,
    /// The sort keys; empty for the order of the score.
    pub sort: Vec<SortKey>,
    /// The values of the last hit seen.
    pub search_after: Option<Vec<Value>>,
    /// How far the total is counted.
    pub track_total: TrackTotal,
    /// Which part of the documents is given back.
    pub source: SourceFilter,
    /// Fields as the documents have them.
    pub fields: Vec<WantedField>,
    /// Fields as they are indexed.
    pub docvalue_fields: Vec<WantedField>,
    /// The aggregations as they were asked.
    pub aggregations: Option<Value>,
    /// Which share of the documents is wanted.
    pub slice: Option<Query>,
    /// So many documents of each index are looked at, at most.
    pub terminate_after: Option<u64>,
    /// Is each hit's score explained?
    pub explain: bool,
    /// At most one hit for each value of this field.
    pub collapse: Option<String>,
    /// Is `_version` given back?
    pub version: bool,
    /// Are `_seq_no` and `_primary_term` given back?
    pub seq_no: bool,
    /// Are hits scored although they are sorted?
    pub track_scores: bool,
    /// Hits with a lower score are left out.
    pub min_score: Option<f64>,
    /// The point in time and how much longer it is kept (`1m`).
    pub pit: Option<(String, Option<String>)>,
    /// Do names of aggregations carry their type?
    pub typed_keys: bool,
    /// Is the total a plain number?
    pub total_as_int: bool,
    /// After so many milliseconds the answer has what was found until then.
    pub timeout_ms: Option<u64>,
}

impl SearchRequest {
    /// Reads a request; what the URL says wins.
    ///
    /// # Errors
    /// When something is unknown, malformed or not supported.
    pub fn parse(body: &Value, params: &SearchParams) -> Result<Self> {
        let mut request = Self::with_defaults(params);
        match body {
            Value::Null => {}
            Value::Object(map) => {
                for (key, value) in map {
                    request.read(key, value)?;
                }
            }
            _ => return Err(Error::parsing("Expected [START_OBJECT] but found another token")),
        }
        request.read_params(params)?;
        Ok(request)
    }

    fn with_defaults(params: &SearchParams) -> Self {
        Self {
            query: Query::match_all(),
            post_filter: None,
            from: 0,
            size: 10,
            sort: Vec::new(),
            search_after: None,
            track_total: TrackTotal::UpTo(10_000),
            source: SourceFilter::default(),
            fields: Vec::new(),
            docvalue_fields: Vec::new(),
            aggregations: None,
            slice: None,
            terminate_after: None,
            explain: false,
            collapse: None,
            version: false,
            seq_no: false,
            track_scores: false,
            min_score: None,
            pit: None,
            typed_keys: params.typed_keys,
            total_as_int: params.total_as_int,
            timeout_ms: params.timeout_ms,
        }
    }

    fn read(&mut self, key: &str, value: &Value) -> Result<()> {
        match key {
            "query" => self.query = Query::parse(value)?,
            "post_filter" => self.post_filter = Some(Query::parse(value)?),
            "from" => self.from = natural(key, value)?,
            "size" => self.size = natural(key, value)?,
            "sort" => self.sort = SortKey::parse_all(value)?,
            "search_after" => {
                let values = value
                    .as_array()
                    .ok_or_else(|| Error::parsing("Expected [START_ARRAY] for [search_after]"))?;
                self.search_after = Some(values.clone());
            }
            "track_total_hits" => self.track_total = track_total(value)?,
            "_source" => self.source = SourceFilter::parse(value)?,
            "fields" => self.fields = wanted_fields(key, value)?,
            "docvalue_fields" => self.docvalue_fields = wanted_fields(key, value)?,
            "stored_fields" => {
                // Nothing is stored apart from the source, which stored fields switch off.
                self.source = SourceFilter::none();
            }
            "aggs" | "aggregations" => {
                if value.as_object().is_some_and(|map| !map.is_empty()) {
                    self.aggregations = Some(value.clone());
                }
            }
            "collapse" => {
                if value.get("inner_hits").is_some() {
                    return Err(Error::illegal("[inner_hits] of [collapse] is not supported"));
                }
                let field = value.get("field").and_then(Value::as_str);
                self.collapse =
                    Some(field.ok_or_else(|| Error::illegal("Required [field] of [collapse]"))?.to_owned());
            }
            "version" => self.version = flag(key, value)?,
            "seq_no_primary_term" => self.seq_no = flag(key, value)?,
            "track_scores" => self.track_scores = flag(key, value)?,
            "min_score" => {
                let refuse = || Error::illegal(format!("[min_score] must be a number, found [{value}]"));
                self.min_score = Some(value.as_f64().ok_or_else(refuse)?);
            }
            "pit" => {
                let id = value
                    .get("id")
                    .and_then(Value::as_str)
                    .ok_or_else(|| Error::illegal("[pit] requires [id]"))?;
                let keep = value.get("keep_alive").and_then(Value::as_str).map(str::to_owned);
                self.pit = Some((id.to_owned(), keep));
            }
            "slice" => self.slice = Some(slice(value)?),
            "terminate_after" => self.terminate_after = Some(natural(key, value)?).filter(|most| *most > 0),
            "explain" => self.explain = flag(key, value)?,
            "script_fields" | "runtime_mappings" | "suggest" | "rescore" | "knn" | "indices_boost"
            | "ext" | "profile" => {
                let is_empty = match value {
                    Value::Object(map) => map.is_empty(),
                    Value::Array(items) => items.is_empty(),
                    other => matches!(other, Value::Null | Value::Bool(false)),
                };
                if is_empty {
                    return Ok(());
                }
                return Err(Error::illegal(format!("[{key}] is not supported by the embedded store")));
            }
            // Groups under which a cluster counts searches: no answer shows them.
            "stats" => {}
            "timeout" => self.timeout_ms = timeout(value)?.or(self.timeout_ms),
            "highlight" => {}
            other => {
                let kind = match value {
                    Value::Object(_) => "START_OBJECT",
                    Value::Array(_) => "START_ARRAY",
                    Value::String(_) => "VALUE_STRING",
                    Value::Number(_) => "VALUE_NUMBER",
                    Value::Bool(_) => "VALUE_BOOLEAN",
                    Value::Null => "VALUE_NULL",
                };
                return Err(Error::parsing(format!("Unknown key for a {kind} in [{other}].")));
            }
        }
        Ok(())
    }

    fn read_params(&mut self, params: &SearchParams) -> Result<()> {
        if let Some(query) = url_query(params)? {
            self.query = query;
        }
        if let Some(sort) = &params.sort {
            self.sort = SortKey::parse_text(sort)?;
        }
        self.from = params.from.unwrap_or(self.from);
        self.size = params.size.unwrap_or(self.size);
        let list = |text: &String| -> Vec<String> { text.split(',').map(str::to_owned).collect() };
        match params.source.as_deref() {
            Some("false") => self.source = SourceFilter::none(),
            Some("true") | None => {}
            Some(paths) => {
                self.source = SourceFilter { includes: list(&paths.to_owned()), ..SourceFilter::default() }
            }
        }
        if let Some(paths) = &params.source_includes {
            self.source.includes = list(paths);
        }
        if let Some(paths) = &params.source_excludes {
            self.source.excludes = list(paths);
        }
        if let Some(fields) = &params.docvalue_fields {
            self.docvalue_fields =
                list(fields).into_iter().map(|name| WantedField { name, format: None }).collect();
        }
        if let Some(text) = &params.track_total_hits {
            let value = serde_json::from_str(text).unwrap_or_else(|_| json!(text));
            self.track_total = track_total(&value)?;
        }
        if self.total_as_int && self.track_total != TrackTotal::Off {
            self.track_total = TrackTotal::Exact;
        }
        Ok(())
    }

    /// Checks what the index allows.
    ///
    /// # Errors
    /// When the hits lie too deep.
    pub fn check_window(&self, window: u64) -> Result<()> {
        if self.search_after.is_some() && self.from > 0 {
            return Err(Error::RequestValidation(
                "1: `from` parameter must be set to 0 when `search_after` is used;".into(),
            ));
        }
        let end = self.from.saturating_add(self.size);
        if end > window {
            return Err(Error::illegal(format!(
                "Result window is too large, from + size must be less than or equal to: [{window}] but was [{end}]. \
                 See the scroll api for a more efficient way to request large data sets. This limit can be set by \
                 changing the [index.max_result_window] index level setting."
            )));
        }
        Ok(())
    }
}

/// The query of `q`, `df` and `default_operator`.
pub(crate) fn url_query(params: &SearchParams) -> Result<Option<Query>> {
    let Some(text) = &params.q else { return Ok(None) };
    let mut body = json!({ "query": text });
    if let Some(field) = &params.df {
        body["default_field"] = json!(field);
    }
    if let Some(operator) = &params.default_operator {
        body["default_operator"] = json!(operator);
    }
    Query::parse(&json!({ "query_string": body })).map(Some)
}

/// Which share of the documents `slice` asks for.
fn slice(value: &Value) -> Result<Query> {
    let Value::Object(params) = value else { return Err(Error::parsing("[slice] must be an object")) };
    let (mut number, mut of, mut field) = (None, None, None);
    for (key, value) in params {
        let whole =
            || value.as_i64().ok_or_else(|| Error::illegal(format!("[slice] failed to parse field [{key}]")));
        match key.as_str() {
            "id" => number = Some(whole()?),
            "max" => of = Some(whole()?),
            "field" => field = value.as_str().map(str::to_owned).filter(|field| field != "_id"),
            other => return Err(Error::x_content(format!("[slice] unknown field [{other}]"))),
        }
    }
    let required = |name: &str| Error::illegal(format!("Required [{name}]"));
    let (number, of) = (number.ok_or_else(|| required("id"))?, of.ok_or_else(|| required("max"))?);
    match (u64::try_from(number), u64::try_from(of)) {
        (Err(_), _) => Err(Error::illegal("id must be greater than or equal to 0")),
        (_, Err(_) | Ok(0 | 1)) => Err(Error::illegal("max must be greater than 1")),
        (Ok(number), Ok(of)) if number >= of => Err(Error::illegal("max must be greater than id")),
        (_, Ok(of)) if of > SLICES_MAX => Err(Error::illegal(format!(
            "The number of slices [{of}] is too large. It must be less than [{SLICES_MAX}]. This limit can be set by \
             changing the [index.max_slices_per_scroll] index level setting."
        ))),
        (Ok(number), Ok(of)) => Ok(Query::from(crate::query::Node::Slice { number, of, field })),
    }
}

pub(super) fn flag(key: &str, value: &Value) -> Result<bool> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::String(text) if text == "true" || text == "false" => Ok(text == "true"),
        other => Err(Error::illegal(format!(
            "Failed to parse value [{}] of [{key}] as only [true] or [false] are allowed.",
            crate::query::params::plain(other)
        ))),
    }
}

fn natural(key: &str, value: &Value) -> Result<u64> {
    match value.as_u64().or_else(|| value.as_str()?.parse().ok()) {
        Some(number) => Ok(number),
        None => Err(Error::illegal(format!("[{key}] parameter cannot be negative, found [{value}]"))),
    }
}

fn track_total(value: &Value) -> Result<TrackTotal> {
    match value {
        Value::Bool(true) => Ok(TrackTotal::Exact),
        Value::Bool(false) => Ok(TrackTotal::Off),
        Value::Number(number) if number.as_i64() == Some(-1) => Ok(TrackTotal::Off),
        other => other.as_u64().map(TrackTotal::UpTo).ok_or_else(|| {
            Error::illegal(format!(
                "[track_total_hits] parameter must be positive or equals to -1, got {other}"
            ))
        }),
    }
}

fn wanted_fields(key: &str, value: &Value) -> Result<Vec<WantedField>> {
    let Value::Array(items) = value else {
        return Err(Error::parsing(format!("Unknown key for a VALUE in [{key}].")));
    };
    items
        .iter()
        .map(|item| match item {
            Value::String(name) => Ok(WantedField { name: name.clone(), format: None }),
            Value::Object(map) => {
                let text = |key: &str| map.get(key).and_then(Value::as_str).map(str::to_owned);
                let name =
                    text("field").ok_or_else(|| Error::illegal(format!("Required [field] of [{key}]")))?;
                Ok(WantedField {
                    name,
                    format: text("format").filter(|format| format != "use_field_mapping"),
                })
            }
            _ => Err(Error::parsing(format!("[{key}] expects names or objects"))),
        })
        .collect()
}
