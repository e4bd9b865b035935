//! Options of searches: each has an effect, or is refused by its name.

use std::collections::BTreeSet;

use search::{BulkParams, Search, SearchParams};
use serde_json::{Value, json};

use crate::store;

pub(crate) fn filled(
    index: &str,
    documents: &[(&str, Value)],
    mappings: &Value,
) -> (tempfile::TempDir, Search) {
    let (folder, search) = store();
    search.create_index(index, &json!({ "mappings": mappings })).unwrap();
    write(&search, index, documents);
    (folder, search)
}

pub(crate) fn write(search: &Search, index: &str, documents: &[(&str, Value)]) {
    let mut body = String::new();
    for (id, document) in documents {
        // An empty id is one that the store makes up.
        let action = if id.is_empty() { json!({"index": {}}) } else { json!({"index": {"_id": id}}) };
        body.push_str(&format!("{action}\n{document}\n"));
    }
    assert!(!search.bulk(Some(index), body.as_bytes(), &BulkParams::default()).unwrap().has_errors());
}

pub(crate) fn ask(search: &Search, expression: &str, body: &Value) -> Value {
    search.search(expression, &SearchParams::default(), body).unwrap()
}

pub(crate) fn ids(answer: &Value) -> Vec<String> {
    let hits = answer["hits"]["hits"].as_array().unwrap();
    hits.iter()
        .map(|hit| format!("{}/{}", hit["_index"].as_str().unwrap(), hit["_id"].as_str().unwrap()))
        .collect()
}

/// All documents in pages of seven.
fn pages(search: &Search, expression: &str, sort: &Value) -> Vec<String> {
    let mut all = Vec::new();
    let mut body = json!({"size": 7, "sort": sort});
    loop {
        let answer = ask(search, expression, &body);
        let Some(last) = answer["hits"]["hits"].as_array().unwrap().last() else { return all };
        body["search_after"] = last["sort"].clone();
        all.extend(ids(&answer));
    }
}

#[test]
fn metadata_fields_sort_and_break_ties() {
    let documents: Vec<(String, Value)> = (0..60)
        .map(|n| (if n % 2 == 0 { format!("d{n:02}") } else { String::new() }, json!({"n": n % 3})))
        .collect();
    let documents: Vec<(&str, Value)> =
        documents.iter().map(|(id, doc)| (id.as_str(), doc.clone())).collect();
    let (_folder, search) = filled("a", &documents, &json!({}));
    write(&search, "b", &documents[..20]);
    for sort in [
        json!([{"n": "asc"}, {"_index": "desc"}, {"_id": "asc"}]),
        json!([{"n": "desc"}, {"_index": "asc"}, {"_id": "desc"}]),
        json!(["_index", "_id"]),
        json!([{"n": "asc"}, {"_index": "asc"}, {"_seq_no": "asc"}]),
        json!([{"_version": "asc"}, {"_index": "asc"}, {"_seq_no": "desc"}]),
    ] {
        let all = pages(&search, "a,b", &sort);
        assert_eq!(all.len(), 80, "{sort}");
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 80, "{sort}");
    }
    let sorted = pages(&search, "a", &json!([{"_id": "asc"}]));
    assert!(sorted.is_sorted(), "{sorted:?}");
    write(&search, "a", &[("d00", json!({"n": 0})), ("d00", json!({"n": 1}))]);
    let first = ask(&search, "a", &json!({"size": 1, "sort": [{"_version": "desc"}]}));
    assert_eq!((ids(&first)[0].as_str(), &first["hits"]["hits"][0]["sort"]), ("a/d00", &json!([3])));
    let unknown = search.search("a", &SearchParams::default(), &json!({"sort": "_nope"})).unwrap_err();
    assert!(unknown.root().to_string().contains("No mapping found for [_nope]"), "{unknown}");
}

#[test]
fn slices_divide_the_documents() {
    let documents: Vec<(String, Value)> = (0..90).map(|n| (format!("{n}"), json!({"n": n}))).collect();
    let documents: Vec<(&str, Value)> =
        documents.iter().map(|(id, doc)| (id.as_str(), doc.clone())).collect();
    let (_folder, search) = filled("a", &documents, &json!({}));
    let scroll = SearchParams { scroll_ms: Some(60_000), ..SearchParams::default() };
    for field in [json!("_id"), json!("n")] {
        let mut all = Vec::new();
        for number in 0..4 {
            let slice = json!({"id": number, "max": 4, "field": field});
            let body = json!({"slice": slice, "size": 100, "aggs": {"c": {"value_count": {"field": "n"}}}});
            let answer = search.search("a", &scroll, &body).unwrap();
            let found = ids(&answer);
            assert_eq!(answer["hits"]["total"]["value"], found.len());
            assert_eq!(answer["aggregations"]["c"]["value"], found.len());
            assert!(found.len() < 45, "{}", found.len());
            all.extend(found);
        }
        assert_eq!((all.len(), all.iter().collect::<BTreeSet<_>>().len()), (90, 90));
    }
    let pit = search.open_pit("a", None, search::Expand::default()).unwrap();
    let body = json!({"pit": {"id": pit["id"]}, "slice": {"id": 0, "max": 2}, "size": 100});
    assert!(ids(&ask(&search, "", &body)).len() < 90);
    for (slice, scrolls) in [
        (json!({"id": 0, "max": 2}), false),
        (json!({"id": 2, "max": 2}), true),
        (json!({"id": 0, "max": 1}), true),
        (json!({"id": -1, "max": 2}), true),
        (json!({"id": 0}), true),
        (json!({"id": 0, "max": 2000}), true),
        (json!({"id": 0, "max": 2, "x": 1}), true),
    ] {
        let params = if scrolls { scroll.clone() } else { SearchParams::default() };
        let refused = search.search("a", &params, &json!({"slice": slice, "size": 1})).unwrap_err();
        assert_eq!(refused.status(), 400, "{slice}");
    }
}

#[test]
fn a_sort_looks_at_the_nested_objects_that_are_asked_for() {
    let mappings = json!({"properties": {"u": {"type": "nested", "properties": {"f": {"type": "keyword"}, "n": {"type": "long"}}}}});
    let documents = [
        ("1", json!({"u": [{"f": "a", "n": 9}, {"f": "c", "n": 1}]})),
        ("2", json!({"u": [{"f": "c", "n": 2}]})),
        ("3", json!({"u": [{"f": "a", "n": 5}]})),
    ];
    let (_folder, search) = filled("a", &documents, &mappings);
    let sorted = |nested: Value| {
        let sort = json!([{"u.n": {"order": "desc", "nested": nested}}]);
        ids(&ask(&search, "a", &json!({"sort": sort})))
    };
    assert_eq!(sorted(json!({"path": "u", "filter": {"term": {"u.f": "c"}}})), ["a/2", "a/1", "a/3"]);
    assert_eq!(sorted(json!({"path": "u"})), ["a/1", "a/3", "a/2"]);
    for sort in [
        json!([{"u.n": {"nested": {"path": "x"}}}]),
        json!([{"u.n": {"nested": {"filter": {"match_all": {}}}}}]),
        json!([{"u.n": {"nested_path": "u"}}]),
        json!([{"u.n": {"numeric_type": "text"}}]),
    ] {
        let refused = search.search("a", &SearchParams::default(), &json!({"sort": sort})).unwrap_err();
        assert_eq!(refused.status(), 400, "{sort}");
    }
}

#[test]
fn searches_of_many_search_the_indices_of_their_headers() {
    let (_folder, search) = filled("a", &[("1", json!({"n": 1}))], &json!({}));
    write(&search, "b", &[("1", json!({"n": 1})), ("2", json!({"n": 2}))]);
    let mut lines = String::new();
    for header in [
        json!({"indices": ["a"]}),
        json!({"index": ["a", "b"]}),
        json!({"index": "a,c", "ignoreUnavailable": true}),
        json!({"indexes": "a"}),
    ] {
        lines.push_str(&format!("{header}\n{{\"size\":0}}\n"));
    }
    let answer = search.multi_search("", &SearchParams::default(), lines.as_bytes()).unwrap();
    let totals: Vec<&Value> =
        answer["responses"].as_array().unwrap().iter().map(|one| &one["hits"]["total"]["value"]).collect();
    assert_eq!(totals, [&json!(1), &json!(3), &json!(1), &Value::Null]);
    assert_eq!(answer["responses"][3]["status"], 400);
}

#[test]
fn a_search_stops_after_so_many_documents() {
    let documents: Vec<(String, Value)> = (0..30).map(|n| (format!("{n}"), json!({"n": n}))).collect();
    let documents: Vec<(&str, Value)> =
        documents.iter().map(|(id, doc)| (id.as_str(), doc.clone())).collect();
    let (_folder, search) = filled("a", &documents, &json!({}));
    let body = json!({"terminate_after": 12, "size": 100, "query": {"range": {"n": {"gte": 5}}}, "sort": [{"n": "desc"}],
        "aggs": {"m": {"max": {"field": "n"}}}});
    let answer = ask(&search, "a", &body);
    assert_eq!(ids(&answer).len(), 12);
    assert_eq!((&answer["hits"]["total"]["value"], &answer["terminated_early"]), (&json!(12), &json!(true)));
    assert_eq!(answer["aggregations"]["m"]["value"], 16.0);
    let all = ask(&search, "a", &json!({"terminate_after": 30}));
    assert_eq!((&all["hits"]["total"]["value"], &all["terminated_early"]), (&json!(30), &json!(false)));
}

#[test]
fn what_has_no_effect_is_refused() {
    let (_folder, search) = filled("a", &[("1", json!({"n": 1}))], &json!({}));
    for key in ["script_fields", "runtime_mappings", "suggest", "rescore", "knn", "indices_boost", "ext"] {
        let refused = search.search("a", &SearchParams::default(), &json!({ key: {"x": 1} })).unwrap_err();
        assert!(refused.to_string().contains(key), "{refused}");
        assert!(search.search("a", &SearchParams::default(), &json!({ key: {} })).is_ok());
    }
    assert!(search.search("a", &SearchParams::default(), &json!({"profile": true})).is_err());
    let explained = ask(&search, "a", &json!({"explain": true, "query": {"term": {"n": 1}}}));
    assert_eq!(explained["hits"]["hits"][0]["_explanation"]["value"], 1.0);
    let wrapped = json!({"query": {"wrapper": {"query": "eyJ0ZXJtIjp7Im4iOjF9fQ=="}}});
    assert_eq!(ids(&ask(&search, "a", &wrapped)), ["a/1"]);
}

#[test]
fn a_search_ends_when_nobody_waits_when_its_time_is_over_and_when_it_holds_too_much() {
    use std::time::Duration;

    use search::guard::Guard;
    use types::breaker::Breaker;
    let documents: Vec<(String, Value)> = (0..3000)
        .map(|n| {
            (format!("{n}"), json!({"n": n, "k": format!("k{n}"), "t": "a b c d e f g h i j ".repeat(5)}))
        })
        .collect();
    let documents: Vec<(&str, Value)> =
        documents.iter().map(|(id, doc)| (id.as_str(), doc.clone())).collect();
    let (_folder, search) = filled("a", &documents, &json!({}));
    // The ways to place the words of this phrase are more than anybody can wait for.
    let slow = json!({"query": {"match_phrase": {"t": {"query": "j i h g f e d c b a j i h g f e d c b x", "slop": 100}}}});
    let asked = |guard: &std::sync::Arc<Guard>, body: &Value| {
        guard.run(|| search.search("a", &SearchParams::default(), body))
    };
    let cancelled = Guard::new(None, None);
    let other = std::sync::Arc::clone(&cancelled);
    let waiter = std::thread::spawn(move || other.cancel());
    assert_eq!(asked(&cancelled, &slow).unwrap_err().exception(), "task_cancelled_exception");
    waiter.join().unwrap();
    // A time of the request's own, and one that it has anyway: what was found until then is told.
    let mut timed = slow.clone();
    timed["timeout"] = json!("50ms");
    for (guard, body) in
        [(Guard::new(None, None), &timed), (Guard::new(Some(Duration::from_millis(50)), None), &slow)]
    {
        let answer = asked(&guard, body).unwrap();
        assert_eq!(answer["timed_out"], true);
    }
    let breaker = Breaker::new("request", 200_000, None);
    let many = json!({"size": 0, "aggs": {"k": {"terms": {"field": "k.keyword", "size": 3000}}}});
    let refused = asked(&Guard::new(None, Some(&breaker)), &many).unwrap_err().to_body();
    assert_eq!(
        (&refused["status"], &refused["error"]["root_cause"][0]["type"]),
        (&json!(429), &json!("circuit_breaking_exception"))
    );
    assert!(refused["error"]["root_cause"][0]["bytes_limit"].is_u64(), "{refused}");
    assert_eq!((breaker.used_bytes(), breaker.tripped()), (0, 1));
    assert_eq!(ask(&search, "a", &many)["aggregations"]["k"]["buckets"].as_array().unwrap().len(), 3000);
}

#[test]
fn long_lists_and_deep_trees_are_no_errors_of_the_store() {
    let (_folder, search) =
        filled("a", &[("1", json!({"n": 1, "t": "word"})), ("2", json!({"n": 2}))], &json!({}));
    let clauses: Vec<Value> =
        (0..1000).map(|n| json!({"wildcard": {"t.keyword": format!("*{n}*")}})).collect();
    for (query, expected) in [
        (json!({"bool": {"should": clauses}}), 0),
        (json!({"bool": {"must_not": clauses}}), 2),
        (json!({"ids": {"values": (0..100_000).map(|n| n.to_string()).collect::<Vec<_>>()}}), 2),
        (json!({"terms": {"n": (0..60_000).collect::<Vec<_>>()}}), 2),
        (json!({"terms": {"_id": (0..60_000).map(|n| n.to_string()).collect::<Vec<_>>()}}), 2),
        (json!({"fuzzy": {"t": {"value": "w".repeat(10_000), "fuzziness": 2}}}), 0),
        (json!({"fuzzy": {"t": {"value": "wort", "fuzziness": 2}}}), 1),
    ] {
        let answer = ask(&search, "a", &json!({"query": query}));
        let shown: String = query.to_string().chars().take(60).collect();
        assert_eq!(answer["hits"]["total"]["value"], expected, "{shown}");
    }
    // A document with as many fields as an index may have, and one more.
    let wide: serde_json::Map<String, Value> = (0..2000).map(|n| (format!("f{n}"), json!(n))).collect();
    let settings = json!({"settings": {"index.mapping.total_fields.limit": 5000}});
    search.create_index("wide", &settings).unwrap();
    for count in [1999, 2000] {
        let some: serde_json::Map<String, Value> = wide.clone().into_iter().take(count).collect();
        let line = format!("{{\"index\":{{}}}}\n{}\n", Value::Object(some));
        let answer = search.bulk(Some("wide"), line.as_bytes(), &BulkParams::default());
        let status = answer.map_or_else(|error| error.status(), |answer| answer.items[0].status());
        assert!(status < 500, "{count} fields: {status}");
    }
}
