//! The SQL executor answers as the brute-force matcher does, on random documents and queries.

use std::collections::BTreeSet;

use proptest::prelude::*;
use search::query::{FieldTypes, Query};
use search::{BulkParams, Search, SearchParams};
use serde_json::{Value, json};

use crate::store;

const NOW_MS: i64 = 1_700_000_000_000;

fn mapping() -> Value {
    json!({"properties": {
        "k": {"type": "keyword", "ignore_above": 3}, "lower": {"type": "keyword", "normalizer": "lowercase", "null_value": "NIL"},
        "l": {"type": "long", "ignore_malformed": true}, "d": {"type": "double"}, "t": {"type": "date"},
        "b": {"type": "boolean"}, "ip": {"type": "ip"}, "g": {"type": "geo_point"},
        "m": {"type": "text", "fields": {"raw": {"type": "keyword"}}, "copy_to": "all"}, "all": {"type": "text"},
        "o": {"properties": {"x": {"type": "keyword"}, "y": {"type": "long"}}},
        "n": {"type": "nested", "properties": {"a": {"type": "keyword"}, "v": {"type": "long"}}}}})
}

fn word() -> impl Strategy<Value = Value> {
    prop::sample::select(vec!["a", "b", "ab", "abc", "abcd", "A", "é", ""]).prop_map(|text| json!(text))
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![(-3_i64..4).prop_map(|n| json!(n)), Just(json!(1.5)), Just(json!("2"))]
}

/// Usually one value, sometimes none or several.
fn some(values: impl Strategy<Value = Value> + Clone + 'static) -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => values.clone(),
        1 => Just(Value::Null),
        2 => prop::collection::vec(values, 0..4).prop_map(Value::Array),
    ]
}

fn document() -> impl Strategy<Value = Value> {
    let date = prop::sample::select(vec![
        json!("2026-01-01"),
        json!("2026-01-02T03:00:00Z"),
        json!(1_700_000_000_000_i64),
    ]);
    let ip = prop::sample::select(vec![json!("10.0.0.1"), json!("10.1.0.1"), json!("::1")]);
    let geo = prop::sample::select(vec![json!([13.4, 52.5]), json!("48.8,2.3"), json!({"lat": 0, "lon": 0})]);
    let text = prop::sample::select(vec![json!("a quick b"), json!("Quick A"), json!("b")]);
    let nested = (some(word().boxed()), some(number().boxed())).prop_map(|(a, v)| json!({"a": a, "v": v}));
    let flag = prop_oneof![Just(json!(true)), Just(json!("false"))];
    let parts = (
        some(word().boxed()),
        some(number().boxed()),
        some(number().boxed()),
        some(date.boxed()),
        some(flag.boxed()),
        some(ip.boxed()),
        some(geo.boxed()),
        some(text.boxed()),
        some(word().boxed()),
        prop::collection::vec(nested, 0..3),
        prop::collection::vec(any::<bool>(), 10),
    );
    parts.prop_map(|(k, l, d, t, b, ip, g, m, x, n, kept)| {
        let all = [
            ("k", k.clone()),
            ("lower", k),
            ("l", l),
            ("d", d),
            ("t", t),
            ("b", b),
            ("ip", ip),
            ("g", g),
            ("m", m),
        ];
        let mut document = json!({"o.x": x, "o": {"y": 1}, "n": n});
        for ((name, value), kept) in all.into_iter().zip(kept) {
            if kept || name == "k" {
                document[name] = value;
            }
        }
        document
    })
}

fn leaf() -> impl Strategy<Value = Value> {
    let bound = prop::sample::select(vec!["gt", "gte", "lt", "lte"]);
    let keyword = prop::sample::select(vec!["k", "lower", "o.x", "m.raw"]);
    let numeric = prop::sample::select(vec!["l", "d", "o.y", "b"]);
    let any_field = prop::sample::select(vec![
        "k", "lower", "l", "d", "t", "b", "ip", "g", "m", "all", "o", "o.x", "n", "zz",
    ]);
    prop_oneof![
        (keyword.clone(), word()).prop_map(|(f, v)| json!({"term": {f: v}})),
        (keyword.clone(), prop::collection::vec(word(), 0..4)).prop_map(|(f, v)| json!({"terms": {f: v}})),
        (keyword.clone(), word()).prop_map(|(f, v)| json!({"prefix": {f: {"value": v}}})),
        (keyword.clone(), bound.clone(), word()).prop_map(|(f, b, v)| json!({"range": {f: {b: v}}})),
        keyword.clone().prop_map(|f| json!({"wildcard": {f: {"value": "*b*"}}})),
        keyword.prop_map(|f| json!({"term": {f: {"value": "AB", "case_insensitive": true}}})),
        (numeric.clone().prop_filter("booleans have no ranges", |f| *f != "b"), bound.clone(), -3..4_i64)
            .prop_map(|(f, b, v)| json!({"range": {f: {b: v}}})),
        (prop::sample::select(vec!["l", "d", "o.y"]), -3..4_i64).prop_map(|(f, v)| json!({"term": {f: v}})),
        any::<bool>().prop_map(|v| json!({"term": {"b": v}})),
        bound.prop_map(|b| json!({"range": {"t": {b: "2026-01-01||+1d/d"}}})),
        any_field.prop_map(|f| json!({"exists": {"field": f}})),
        Just(json!({"term": {"ip": "10.0.0.0/16"}})),
        Just(json!({"match": {"m": "quick"}})),
        Just(json!({"match_phrase": {"all": "a quick"}})),
        prop::collection::vec(0..40_usize, 0..5).prop_map(
            |ids| json!({"ids": {"values": ids.iter().map(ToString::to_string).collect::<Vec<_>>()}})
        ),
        Just(
            json!({"nested": {"path": "n", "query": {"bool": {"must": [{"term": {"n.a": "a"}}, {"range": {"n.v": {"gt": 0}}}]}}}})
        ),
        Just(json!({"geo_distance": {"distance": "100km", "g": {"lat": 52.5, "lon": 13.4}}})),
        Just(json!({"match_all": {}})),
    ]
}

fn query() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(3, 16, 4, |inner| {
        let list = || prop::collection::vec(inner.clone(), 0..4);
        (list(), list(), list(), 0..3_usize).prop_map(|(must, should, must_not, least)| {
            let mut body = json!({"filter": must, "should": should, "must_not": must_not});
            if least > 0 {
                body["minimum_should_match"] = json!(least);
            }
            json!({ "bool": body })
        })
    })
}

fn fill(search: &Search, documents: &[Value]) {
    search.create_index("i", &json!({ "mappings": mapping() })).unwrap();
    let mut body = String::new();
    for (id, document) in documents.iter().enumerate() {
        body.push_str(&format!("{{\"index\":{{\"_id\":\"{id}\"}}}}\n{document}\n"));
    }
    if !documents.is_empty() {
        let answer = search.bulk(Some("i"), body.as_bytes(), &BulkParams::default()).unwrap();
        assert!(!answer.has_errors(), "{}", answer.to_json());
    }
}

fn found(search: &Search, query: &Value) -> BTreeSet<String> {
    let body = json!({"size": 1000, "query": query, "_source": false});
    let answer = search.search("i", &SearchParams::default(), &body).unwrap();
    let hits = answer["hits"]["hits"].as_array().unwrap();
    assert_eq!(answer["hits"]["total"]["value"], hits.len(), "the count agrees with the hits: {query}");
    hits.iter().map(|hit| hit["_id"].as_str().unwrap().to_owned()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn sql_agrees_with_the_matcher(
        documents in prop::collection::vec(document(), 0..25),
        queries in prop::collection::vec(query(), 12),
    ) {
        let (_folder, search) = store();
        fill(&search, &documents);
        let mapping = search.mapping_of("i").unwrap();
        let fields: &dyn FieldTypes = mapping.as_ref();
        for body in &queries {
            let predicate = Query::parse(body).unwrap().resolve(fields, NOW_MS).unwrap();
            let expected: BTreeSet<String> = documents
                .iter()
                .enumerate()
                .filter(|(id, document)| predicate.matches(&id.to_string(), &mapping.augmented(document)))
                .map(|(id, _)| id.to_string())
                .collect();
            prop_assert_eq!(found(&search, body), expected, "{}", body);
        }
    }

    #[test]
    fn pages_agree_with_one_large_page(
        documents in prop::collection::vec(document(), 1..25),
        fields in prop::collection::vec((prop::sample::select(vec!["k", "l", "d", "t", "ip", "o.y"]), any::<bool>(), any::<bool>()), 1..3),
        size in 1..6_usize,
    ) {
        let (_folder, search) = store();
        fill(&search, &documents);
        let mut sort: Vec<Value> = fields
            .iter()
            .map(|(field, descending, first)| json!({*field: {"order": if *descending { "desc" } else { "asc" },
                "missing": if *first { "_first" } else { "_last" }}}))
            .collect();
        sort.push(json!({"_doc": "asc"}));
        let ask = |size: usize, after: Option<Value>| {
            let mut body = json!({"size": size, "sort": sort, "_source": false});
            if let Some(after) = after {
                body["search_after"] = after;
            }
            search.search("i", &SearchParams::default(), &body).unwrap()["hits"]["hits"].as_array().unwrap().clone()
        };
        let whole = ask(1000, None);
        prop_assert_eq!(whole.len(), documents.len());
        let mut paged: Vec<Value> = Vec::new();
        loop {
            let page = ask(size, paged.last().map(|hit| hit["sort"].clone()));
            if page.is_empty() {
                break;
            }
            paged.extend(page);
            prop_assert!(paged.len() <= documents.len());
        }
        prop_assert_eq!(paged, whole);
    }
}
