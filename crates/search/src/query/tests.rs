//! Queries against documents, the laws of logic, and what must be refused.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::agg::tests::Mapping;
use crate::error::Error;

/// 2026-01-01T12:00:00Z.
const NOW: i64 = 1_767_268_800_000;

fn resolve(query: &Value) -> Result<Predicate, Error> {
    Query::parse(query)?.resolve(&Mapping, NOW)
}

fn matching(query: &Value) -> String {
    let documents = [
        (
            "1",
            json!({"time": "2026-01-01T00:10:00Z", "host": "web-1", "value": 1.5, "count": 1, "up": true,
            "text": "The quick brown fox", "inner": [{"name": "x", "score": 1}, {"name": "y", "score": 9}]}),
        ),
        (
            "2",
            json!({"time": "2026-01-01T23:00:00Z", "host": ["web-2", "db"], "value": -3, "count": 5, "up": false,
            "text": "quick lazy dog", "inner": {"name": "x", "score": 9}}),
        ),
        ("3", json!({"time": "2026-01-02T00:00:00Z", "host": "Web-1", "place": {"lat": 52.5, "lon": 13.4}})),
    ];
    let predicate = resolve(query).unwrap_or_else(|error| panic!("{query}: {error}"));
    documents.iter().filter(|(id, source)| predicate.matches(id, source)).map(|(id, _)| *id).collect()
}

fn check(expected: &str, queries: &[Value]) {
    for query in queries {
        assert_eq!(matching(query), expected, "{query}");
    }
}

#[test]
fn terms_and_values() {
    check(
        "123",
        &[
            json!({"match_all": {}}),
            json!({"exists": {"field": "time"}}),
            json!({"exists": {"field": "_id"}}),
        ],
    );
    check(
        "",
        &[json!({"match_none": {}}), json!({"term": {"nothing": 1}}), json!({"exists": {"field": "inner"}})],
    );
    check(
        "1",
        &[
            json!({"term": {"host": "web-1"}}),
            json!({"term": {"value": "1.5"}}),
            json!({"term": {"up": true}}),
            json!({"terms": {"count": [1, 2, 3.5]}}),
            json!({"ids": {"values": ["1", "9"]}}),
            json!({"term": {"_id": {"value": "1"}}}),
            json!({"range": {"count": {"gt": 0.5, "lt": 5}}}),
            json!({"range": {"host": {"gte": "web", "lt": "web-2"}}}),
        ],
    );
    check(
        "12",
        &[
            json!({"term": {"time": "2026-01-01"}}),
            json!({"range": {"time": {"lte": "2026-01-01"}}}),
            json!({"range": {"time": {"gte": "now/d", "lt": "now+1d/d"}}}),
            json!({"range": {"time": {"lt": "02/01/2026", "format": "dd/MM/yyyy"}}}),
            json!({"wildcard": {"host": "web-?"}}),
            json!({"regexp": {"host": "web-[0-9]+|x"}}),
            json!({"prefix": {"host": {"value": "web"}}}),
            json!({"fuzzy": {"host": "web-9"}}),
            json!({"range": {"value": {}}}),
        ],
    );
    check("13", &[json!({"term": {"host": {"value": "WEB-1", "case_insensitive": true}}})]);
    check(
        "3",
        &[
            json!({"range": {"time": {"gt": "2026-01-01"}}}),
            json!({"range": {"time": {"gte": "2026-01-02T01:00", "time_zone": "+01:00"}}}),
            json!({"geo_distance": {"distance": "10km", "place": [13.4, 52.52]}}),
            json!({"geo_bounding_box": {"place": {"top_left": [13, 53], "bottom_right": [14, 52]}}}),
        ],
    );
}

#[test]
fn texts() {
    check(
        "12",
        &[
            json!({"match": {"text": "QUICK cat"}}),
            json!({"match": {"text": {"query": "quick brown fox cat", "minimum_should_match": "25%"}}}),
            json!({"multi_match": {"query": "quick", "fields": ["te*", "host^3"]}}),
            json!({"match": {"text": {"query": "quikc", "fuzziness": "AUTO"}}}),
            json!({"query_string": {"query": "text:(quick -cat)"}}),
            json!({"simple_query_string": {"query": "fox | dog", "fields": ["text"]}}),
            json!({"query_string": {"query": "host:web-? OR _exists_:nothing"}}),
        ],
    );
    check(
        "1",
        &[
            json!({"match": {"text": {"query": "quick fox", "operator": "and"}}}),
            json!({"match_phrase": {"text": "quick brown"}}),
            json!({"match_phrase_prefix": {"text": "quick bro"}}),
            json!({"match_bool_prefix": {"text": {"query": "brown fo", "operator": "and"}}}),
            json!({"query_string": {"query": "brown AND value:>1 AND NOT up:false"}}),
            json!({"query_string": {"query": "text:\"brown fox\" AND time:[2026-01-01 TO 2026-01-01]"}}),
            json!({"simple_query_string": {"query": "\"brown fox\" + quick", "default_operator": "and"}}),
            json!({"match": {"host": "web-1"}}),
        ],
    );
    check("", &[json!({"match": {"text": ""}}), json!({"match_phrase": {"text": "brown quick"}})]);
    check("123", &[json!({"query_string": {"query": "*"}}), json!({"query_string": {"query": "NOT cat"}})]);
}

#[test]
fn joins() {
    check(
        "1",
        &[
            json!({"bool": {"must": {"match": {"text": "quick"}}, "must_not": [{"term": {"host": "db"}}]}}),
            json!({"bool": {"should": [{"term": {"count": 1}}, {"term": {"up": true}}], "minimum_should_match": 2}}),
            json!({"constant_score": {"filter": {"term": {"count": 1}}}}),
            json!({"dis_max": {"queries": [{"term": {"count": 1}}]}}),
            json!({"nested": {"path": "inner", "query": {"term": {"inner.name": "y"}}}}),
        ],
    );
    // Both conditions must hold in the same nested object.
    let both = json!([{"term": {"inner.name": "x"}}, {"range": {"inner.score": {"gt": 5}}}]);
    check("2", &[json!({"nested": {"path": "inner", "query": {"bool": {"must": both}}}})]);
    check(
        "",
        &[
            json!({"term": {"inner.name": "x"}}),
            json!({"nested": {"path": "host", "query": {"match_all": {}}, "ignore_unmapped": true}}),
        ],
    );
    check(
        "123",
        &[
            json!({"bool": {}}),
            json!({"bool": {"must": {"match_all": {}}, "should": {"term": {"count": 1}}}}),
        ],
    );
}

#[test]
fn values_that_a_field_cannot_have_are_refused() {
    for (query, reason) in [
        (json!({"term": {"count": "abc"}}), "failed to create query: For input string: \"abc\""),
        (json!({"range": {"time": {"gte": "yesterday"}}}), "failed to parse date field [yesterday]"),
        (
            json!({"prefix": {"count": "1"}}),
            "Can only use prefix queries on keyword, text and wildcard fields",
        ),
        (json!({"regexp": {"host": "a&b"}}), "intersection"),
        (json!({"query_string": {"query": "a AND ("}}), "Failed to parse query [a AND (]"),
        (
            json!({"nested": {"path": "host", "query": {"match_all": {}}}}),
            "[nested] failed to find nested object under path [host]",
        ),
        (json!({"term": {"up": "maybe"}}), "Can't parse boolean value [maybe]"),
    ] {
        let error = resolve(&query).unwrap_err();
        assert!(error.to_string().contains(reason), "{query}: {error}");
        assert_eq!(error.status(), 400);
    }
    let many: Vec<Value> = (0..1025).map(|n| json!({"term": {"count": n}})).collect();
    assert_eq!(
        resolve(&json!({"bool": {"should": many}})).unwrap_err().exception(),
        "too_many_nested_clauses"
    );
    assert!(resolve(&json!({"bool": {"should": many[..1024]}})).is_ok());
    let terms: Vec<u32> = (0..65_537).collect();
    assert!(
        resolve(&json!({"terms": {"count": terms}}))
            .unwrap_err()
            .to_string()
            .contains("index.max_terms_count")
    );
}

fn any_query() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        "[a-c]".prop_map(|host| json!({"term": {"host": host}})),
        (-5_i64..5, 0_i64..5)
            .prop_map(|(from, width)| json!({"range": {"count": {"gte": from, "lt": from + width}}})),
        Just(json!({"exists": {"field": "value"}})),
        "[ab]*".prop_map(|prefix| json!({"prefix": {"host": prefix}})),
        Just(json!({"match_all": {}})),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        (prop::collection::vec(inner.clone(), 0..3), prop::collection::vec(inner.clone(), 0..3), prop::collection::vec(inner, 0..3))
            .prop_map(|(must, should, must_not)| json!({"bool": {"must": must, "should": should, "must_not": must_not}}))
    })
}

fn any_document() -> impl Strategy<Value = Value> {
    (prop::collection::vec("[a-c]{1,2}", 0..3), prop::option::of(-5_i64..5), any::<bool>()).prop_map(
        |(host, count, value)| {
            let mut document = json!({"host": host, "count": count});
            if value {
                document["value"] = json!(1);
            }
            document
        },
    )
}

proptest! {
    #[test]
    fn the_laws_of_logic_hold(a in any_query(), b in any_query(), document in any_document()) {
        let is = |query: &Value| resolve(query).unwrap().matches("1", &document);
        let (x, y) = (is(&a), is(&b));
        let not = |query: &Value| json!({"bool": {"must_not": [query]}});
        prop_assert_eq!(is(&not(&a)), !x);
        prop_assert_eq!(is(&not(&not(&a))), x);
        prop_assert_eq!(is(&json!({"bool": {"must": [a, b]}})), x && y);
        prop_assert_eq!(is(&json!({"bool": {"should": [a, b]}})), x || y);
        prop_assert_eq!(is(&json!({"dis_max": {"queries": [a, b]}})), x || y);
        prop_assert_eq!(is(&json!({"bool": {"should": [a, b], "minimum_should_match": 2}})), x && y);
        // De Morgan.
        prop_assert_eq!(is(&not(&json!({"bool": {"should": [a, b]}}))), is(&json!({"bool": {"must_not": [a, b]}})));
        prop_assert_eq!(is(&not(&json!({"bool": {"filter": [a, b]}}))), is(&json!({"bool": {"should": [not(&a), not(&b)]}})));
    }

    #[test]
    fn whole_numbers_lie_between_their_bounds(value in -4_i64..4, lower in -9_i32..9, upper in -9_i32..9, closed: (bool, bool)) {
        let (low, high) = (f64::from(lower) / 2.0, f64::from(upper) / 2.0);
        let range = json!({"range": {"count": {
            if closed.0 { "gte" } else { "gt" }: low, if closed.1 { "lte" } else { "lt" }: high}}});
        let number = value as f64;
        let expected = (if closed.0 { number >= low } else { number > low }) && (if closed.1 { number <= high } else { number < high });
        prop_assert_eq!(resolve(&range).unwrap().matches("1", &json!({"count": value})), expected);
    }
}
