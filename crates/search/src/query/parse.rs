//! From JSON to [`Query`]: which query is which, and the queries that join others.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value};

use super::ast::{BoolQuery, Node, Query};
use super::params::{Params, plain};
use super::{parse_geo, parse_terms, parse_text};
use crate::error::{Error, Result};

/// Deeper queries are refused (`indices.query.bool.max_nested_depth`).
const MAX_DEPTH: usize = 30;

/// The names of all queries that are answered.
const NAMES: [&str; 27] = [
    "match_all",
    "match_none",
    "term",
    "terms",
    "range",
    "exists",
    "prefix",
    "wildcard",
    "regexp",
    "fuzzy",
    "ids",
    "bool",
    "constant_score",
    "dis_max",
    "boosting",
    "match",
    "match_phrase",
    "match_phrase_prefix",
    "match_bool_prefix",
    "multi_match",
    "query_string",
    "simple_query_string",
    "nested",
    "function_score",
    "geo_bounding_box",
    "geo_distance",
    "wrapper",
];

impl Query {
    /// Reads a query: `{"term": {"host": "a"}}`.
    ///
    /// # Errors
    /// For an unknown query, an unknown parameter, a malformed or too deep query.
    pub fn parse(value: &Value) -> Result<Self> {
        parse(value, 0)
    }
}

pub(super) fn parse(value: &Value, depth: usize) -> Result<Query> {
    if depth > MAX_DEPTH {
        return Err(Error::illegal(format!(
            "The nested depth of the query exceeds the maximum nested depth for queries set in \
             [indices.query.bool.max_nested_depth] ({MAX_DEPTH})"
        )));
    }
    let Some(map) = value.as_object() else {
        return Err(Error::parsing("[_na] query malformed, must start with start_object"));
    };
    let mut entries = map.iter();
    let Some((name, body)) = entries.next() else {
        return Err(Error::illegal("query malformed, empty clause found"));
    };
    if !NAMES.contains(&name.as_str()) {
        return Err(Error::parsing(unknown(name)));
    }
    if !body.is_object() {
        return Err(Error::parsing(format!("[{name}] query malformed, no start_object after query name")));
    }
    if let Some((second, _)) = entries.next() {
        return Err(Error::parsing(format!(
            "[{name}] malformed query, expected [END_OBJECT] but found [FIELD_NAME] [{second}]"
        )));
    }
    parse_named(name, body, depth)
}

fn parse_named(name: &str, body: &Value, depth: usize) -> Result<Query> {
    match name {
        "match_all" | "match_none" => {
            let mut params = Params::new(name, body)?;
            let frame = Frame::read(&mut params)?;
            params.finish()?;
            Ok(frame.around(if name == "match_all" { Node::MatchAll } else { Node::MatchNone }))
        }
        "term" | "terms" | "range" | "exists" | "prefix" | "wildcard" | "regexp" | "fuzzy" | "ids" => {
            parse_terms::parse(name, body)
        }
        "match"
        | "match_phrase"
        | "match_phrase_prefix"
        | "match_bool_prefix"
        | "multi_match"
        | "query_string"
        | "simple_query_string" => parse_text::parse(name, body),
        "geo_bounding_box" | "geo_distance" => parse_geo::parse(name, body),
        "bool" => parse_bool(body, depth),
        "wrapper" => parse_wrapper(body, depth),
        _ => parse_joining(name, body, depth),
    }
}

/// A query as text in base64, as some client libraries send what was handed to them as text.
fn parse_wrapper(body: &Value, depth: usize) -> Result<Query> {
    let mut params = Params::new("wrapper", body)?;
    let frame = Frame::read(&mut params)?;
    let text = params.text("query")?.ok_or_else(|| Error::parsing("[wrapper] query malformed, no query"))?;
    params.finish()?;
    let refuse = |why: String| Error::parsing(format!("[wrapper] query malformed: {why}"));
    let bytes = BASE64.decode(text.trim()).map_err(|error| refuse(error.to_string()))?;
    let inner: Value = serde_json::from_slice(&bytes).map_err(|error| refuse(error.to_string()))?;
    let inner = parse(&inner, depth + 1)?;
    Ok(frame.around(Node::ConstantScore(Box::new(inner))))
}

fn parse_bool(body: &Value, depth: usize) -> Result<Query> {
    let mut params = Params::new("bool", body)?;
    let frame = Frame::read(&mut params)?;
    let mut clauses = |key| -> Result<Vec<Query>> {
        match params.value(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => items.iter().map(|item| parse(item, depth + 1)).collect(),
            Some(Value::Object(map)) if map.is_empty() => Ok(Vec::new()),
            Some(one) => Ok(vec![parse(one, depth + 1)?]),
        }
    };
    let query = BoolQuery {
        must: clauses("must")?,
        filter: clauses("filter")?,
        should: clauses("should")?,
        must_not: [clauses("must_not")?, clauses("mustNot")?].concat(),
        minimum_should_match: None,
    };
    let minimum_should_match = params.text("minimum_should_match")?;
    params.ignore(&["adjust_pure_negative"]);
    if let Some(key) = params.unknown() {
        return Err(Error::x_content(format!("[bool] unknown field [{key}]")));
    }
    Ok(frame.around(Node::Bool(Box::new(BoolQuery { minimum_should_match, ..query }))))
}

/// The queries around one other query, or around a few.
fn parse_joining(name: &str, body: &Value, depth: usize) -> Result<Query> {
    let mut params = Params::new(name, body)?;
    let frame = Frame::read(&mut params)?;
    let missing = |key: &str| Error::parsing(format!("[{name}] requires '{key}' field"));
    let node = match name {
        "constant_score" => {
            let inner = params
                .value("filter")
                .ok_or_else(|| Error::parsing("[constant_score] requires a 'filter' element"))?;
            Node::ConstantScore(Box::new(parse(inner, depth + 1)?))
        }
        "dis_max" => {
            params.number("tie_breaker")?;
            let queries = params.value("queries").ok_or_else(|| missing("queries"))?;
            let queries = match queries {
                Value::Array(items) => {
                    items.iter().map(|item| parse(item, depth + 1)).collect::<Result<Vec<_>>>()?
                }
                one => vec![parse(one, depth + 1)?],
            };
            if queries.is_empty() {
                return Err(Error::parsing("[dis_max] requires 'queries' field with at least one clause"));
            }
            Node::DisMax(queries)
        }
        "boosting" => {
            let positive = parse(params.value("positive").ok_or_else(|| missing("positive"))?, depth + 1)?;
            parse(params.value("negative").ok_or_else(|| missing("negative"))?, depth + 1)?;
            params.number("negative_boost")?.ok_or_else(|| missing("negative_boost"))?;
            Node::Boosting(Box::new(positive))
        }
        "nested" => {
            let path = params.text("path")?.ok_or_else(|| missing("path"))?;
            let query = parse(params.value("query").ok_or_else(|| missing("query"))?, depth + 1)?;
            let mode = params.text("score_mode")?;
            if mode.as_deref().is_some_and(|m| !matches!(m, "avg" | "sum" | "min" | "max" | "none")) {
                return Err(Error::illegal(format!(
                    "No score mode for child query [{}] found",
                    mode.unwrap_or_default()
                )));
            }
            let ignore_unmapped = params.flag("ignore_unmapped", false)?;
            if params.value("inner_hits").is_some() {
                return Err(Error::illegal("[inner_hits] is not supported by the embedded store"));
            }
            Node::Nested { path, query: Box::new(query), ignore_unmapped }
        }
        // Functions change scores, which are not computed; they filter only through `min_score`.
        "function_score" => {
            let inner =
                params.value("query").map_or(Ok(Query::match_all()), |query| parse(query, depth + 1))?;
            if params.value("min_score").is_some() {
                return Err(Error::illegal(
                    "[min_score] of [function_score] is not supported by the embedded store",
                ));
            }
            params.ignore(&[
                "functions",
                "score_mode",
                "boost_mode",
                "max_boost",
                "script_score",
                "random_score",
                "field_value_factor",
                "weight",
                "gauss",
                "linear",
                "exp",
            ]);
            Node::Boosting(Box::new(inner))
        }
        _ => return Err(Error::parsing(unknown(name))),
    };
    params.finish()?;
    Ok(frame.around(node))
}

/// What every query may have.
pub(super) struct Frame {
    boost: f64,
    name: Option<String>,
}

impl Frame {
    pub(super) fn read(params: &mut Params<'_>) -> Result<Self> {
        let boost = params.number("boost")?.unwrap_or(1.0);
        if boost < 0.0 {
            return Err(Error::illegal(format!(
                "negative [boost] are not allowed in [{}], use a value between 0 and 1 to deboost",
                boost
            )));
        }
        Ok(Self { boost, name: params.text("_name")? })
    }

    pub(super) fn around(self, node: Node) -> Query {
        Query { node, boost: self.boost, name: self.name }
    }
}

/// The only field of a query such as `{"term": {"host": …}}`, with what stands there. `boost` and `_name` may stand beside.
pub(super) fn single_field<'v>(
    name: &str,
    map: &'v Map<String, Value>,
    beside: &[&str],
) -> Result<(&'v String, &'v Value)> {
    let mut fields = map.iter().filter(|(key, _)| !beside.contains(&key.as_str()));
    let Some(first) = fields.next() else {
        return Err(Error::illegal("field name is null or empty"));
    };
    match fields.next() {
        None => Ok(first),
        Some((second, _)) => Err(Error::parsing(format!(
            "[{name}] query doesn't support multiple fields, found [{}] and [{second}]",
            first.0
        ))),
    }
}

/// Refuses an array where one value is expected.
pub(super) fn refuse_array(name: &str, value: &Value) -> Result<()> {
    if value.is_array() {
        return Err(Error::parsing(format!(
            "[{name}] query does not support array of values: [{}]",
            plain(value)
        )));
    }
    Ok(())
}

/// `unknown query [tern] did you mean [term]?`: names whose share of equal letters is above one half.
fn unknown(name: &str) -> String {
    let mut similar: Vec<(f64, &str)> = NAMES
        .iter()
        .map(|known| {
            let longest = known.len().max(name.chars().count()) as f64;
            (1.0 - distance(known, name) as f64 / longest, *known)
        })
        .filter(|(similarity, _)| *similarity > 0.5)
        .collect();
    similar.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let names: Vec<&str> = similar.into_iter().map(|(_, known)| known).collect();
    match names.as_slice() {
        [] => format!("unknown query [{name}]"),
        [one] => format!("unknown query [{name}] did you mean [{one}]?"),
        many => format!("unknown query [{name}] did you mean any of [{}]?", many.join(", ")),
    }
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(query: Value) -> String {
        let error = Query::parse(&query).unwrap_err();
        format!("{}: {error}", error.exception())
    }

    #[test]
    fn unknown_and_malformed_queries_are_refused() {
        for (query, message) in [
            (json!({"foo": {}}), "parsing_exception: unknown query [foo]"),
            (
                json!({"tern": {"a": 1}}),
                "parsing_exception: unknown query [tern] did you mean any of [term, terms]?",
            ),
            (json!({"has_child": {}}), "parsing_exception: unknown query [has_child]"),
            (json!({}), "illegal_argument_exception: query malformed, empty clause found"),
            (json!([]), "parsing_exception: [_na] query malformed, must start with start_object"),
            (
                json!({"term": "x"}),
                "parsing_exception: [term] query malformed, no start_object after query name",
            ),
            (
                json!({"term": {"a": 1, "b": 2}}),
                "parsing_exception: [term] query doesn't support multiple fields, found [a] and [b]",
            ),
            (json!({"range": {"a": {"gtt": 1}}}), "parsing_exception: [range] query does not support [gtt]"),
            (json!({"bool": {"musts": []}}), "x_content_parse_exception: [bool] unknown field [musts]"),
            (
                json!({"match_all": {}, "term": {}}),
                "parsing_exception: [match_all] malformed query, expected [END_OBJECT] but found [FIELD_NAME] [term]",
            ),
            (json!({"bool": {"must": {"foo": {}}}}), "parsing_exception: unknown query [foo]"),
        ] {
            assert_eq!(refused(query.clone()), message, "{query}");
        }
    }

    #[test]
    fn every_listed_query_has_a_parser() {
        for name in NAMES {
            if let Err(error) = Query::parse(&json!({ name: {} })) {
                assert!(!error.to_string().contains("unknown query"), "{name}: {error}");
            }
        }
    }

    #[test]
    fn queries_may_be_thirty_deep() {
        let nest = |depth: usize| {
            (0..depth).fold(json!({"match_all": {}}), |inner, _| json!({"bool": {"must": [inner]}}))
        };
        assert!(Query::parse(&nest(30)).is_ok());
        assert!(Query::parse(&nest(31)).unwrap_err().to_string().contains("max_nested_depth"));
    }

    #[test]
    fn scores_are_constant() {
        let score = |query| Query::parse(&query).unwrap().constant_score();
        assert_eq!(score(json!({"bool": {"filter": {"match_all": {}}}})), 0.0);
        assert_eq!(score(json!({"match_all": {"boost": 2.5}})), 2.5);
        assert_eq!(score(json!({"constant_score": {"filter": {"match_all": {}}, "boost": 3}})), 3.0);
    }
}
