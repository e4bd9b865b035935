//! Searches: queries, sorts, pages, scrolls, points in time, aggregations.

use search::{BulkParams, Expand, Search, SearchParams};
use serde_json::{Value, json};

use crate::store;

fn filled() -> (tempfile::TempDir, Search) {
    let (folder, search) = store();
    let mappings = json!({"properties": {"time": {"type": "date"}, "host": {"type": "keyword"}, "value": {"type": "double"},
        "message": {"type": "text"}, "tags": {"type": "keyword"}, "n": {"type": "nested", "properties": {"x": {"type": "long"}}}}});
    search.create_index("i", &json!({ "mappings": mappings })).unwrap();
    let mut body = String::new();
    for n in 0..100 {
        let doc = json!({"time": 1_000_000 + n * 1000, "host": format!("h{}", n % 3), "value": f64::from(n) / 2.0,
            "message": format!("Request {n} took long"), "tags": if n % 10 == 0 { json!(["a", "b"]) } else { json!("c") },
            "n": [{"x": n}, {"x": n + 1}]});
        body.push_str(&format!("{{\"index\":{{\"_id\":\"{n}\"}}}}\n{doc}\n"));
    }
    assert!(!search.bulk(Some("i"), body.as_bytes(), &BulkParams::default()).unwrap().has_errors());
    (folder, search)
}

fn ids(answer: &Value) -> Vec<String> {
    let hits = answer["hits"]["hits"].as_array().unwrap();
    hits.iter().map(|hit| hit["_id"].as_str().unwrap().to_owned()).collect()
}

fn ask(search: &Search, body: Value) -> Value {
    search.search("i", &SearchParams::default(), &body).unwrap()
}

#[test]
fn queries_and_sorts() {
    let (_folder, search) = filled();
    let answer = ask(
        &search,
        json!({"size": 3, "sort": [{"time": "desc"}], "query": {"bool": {"filter": [{"term": {"host": "h1"}},
            {"range": {"time": {"lt": 1_050_000}}}]}}}),
    );
    assert_eq!(ids(&answer), ["49", "46", "43"]);
    assert_eq!(answer["hits"]["total"], json!({"value": 17, "relation": "eq"}));
    assert_eq!(answer["hits"]["hits"][0]["sort"], json!([1_049_000]));
    let answer = ask(&search, json!({"query": {"match": {"message": "REQUEST 42"}}, "size": 0}));
    assert_eq!(answer["hits"]["total"]["value"], 100);
    let answer =
        ask(&search, json!({"query": {"match": {"message": {"query": "request 42", "operator": "and"}}}}));
    assert_eq!(ids(&answer), ["42"]);
    let answer =
        ask(&search, json!({"query": {"term": {"tags": "b"}}, "sort": {"tags": "desc"}, "_source": "host"}));
    assert_eq!(answer["hits"]["total"]["value"], 10);
    assert_eq!(answer["hits"]["hits"][0]["_source"], json!({"host": "h0"}));
    let answer = ask(&search, json!({"query": {"nested": {"path": "n", "query": {"term": {"n.x": 7}}}}}));
    assert_eq!(ids(&answer), ["6", "7"]);
    let unsorted = search.search("i", &SearchParams::default(), &json!({"sort": "nope"})).unwrap_err();
    assert_eq!(
        unsorted.root().to_string(),
        "failed to create query: No mapping found for [nope] in order to sort on"
    );
    assert!(search.search("i", &SearchParams::default(), &json!({"sort": "message"})).is_err());
    assert!(search.search("i", &SearchParams::default(), &json!({"size": 10_001})).is_err());
    assert_eq!(
        search.search("none*", &SearchParams::default(), &json!({})).unwrap()["hits"]["total"]["value"],
        0
    );
    assert!(search.search("none", &SearchParams::default(), &json!({})).is_err());
}

#[test]
fn pages_meet_every_document_once() {
    let (_folder, search) = filled();
    let mut seen = Vec::new();
    let mut body = json!({"size": 7, "sort": [{"host": "desc"}, {"value": "asc"}]});
    loop {
        let answer = ask(&search, body.clone());
        let page = ids(&answer);
        let Some(last) = answer["hits"]["hits"].as_array().unwrap().last() else { break };
        body["search_after"] = last["sort"].clone();
        seen.extend(page);
    }
    assert_eq!(seen.len(), 100);
    assert_eq!((seen[0].as_str(), seen[99].as_str()), ("2", "99"));
    let scroll = SearchParams { scroll_ms: Some(60_000), ..SearchParams::default() };
    let mut answer = search.search("i", &scroll, &json!({"size": 30, "sort": "time"})).unwrap();
    let mut scrolled = Vec::new();
    while !ids(&answer).is_empty() {
        scrolled.extend(ids(&answer));
        search.delete_by_query("i", &json!({"query": {"match_all": {}}}), &Default::default()).unwrap();
        answer = search.scroll(answer["_scroll_id"].as_str().unwrap(), Some(60_000)).unwrap();
    }
    assert_eq!(scrolled.len(), 100, "a scroll sees the index as it was");
    assert_eq!(search.clear_scroll(&[answer["_scroll_id"].as_str().unwrap().to_owned()]).unwrap(), 1);
}

#[test]
fn a_point_in_time_is_a_snapshot() {
    let (_folder, search) = filled();
    let pit = search.open_pit("i", None, Expand::default()).unwrap();
    search.delete_by_query("i", &json!({"query": {"term": {"host": "h0"}}}), &Default::default()).unwrap();
    let mut body =
        json!({"size": 40, "sort": [{"host": "asc"}], "pit": {"id": pit["id"], "keep_alive": "1m"}});
    let mut seen = 0;
    loop {
        let answer = search.search("", &SearchParams::default(), &body).unwrap();
        let hits = answer["hits"]["hits"].as_array().unwrap().clone();
        let Some(last) = hits.last() else { break };
        seen += hits.len();
        body["search_after"] = last["sort"].clone();
    }
    assert_eq!(seen, 100);
    assert!(search.close_pit(pit["id"].as_str().unwrap()).unwrap());
    assert_eq!(search.search("", &SearchParams::default(), &body).unwrap_err().status(), 404);
}

#[test]
fn aggregations_see_what_the_query_matches() {
    let (_folder, search) = filled();
    let answer = ask(
        &search,
        json!({"size": 0, "query": {"range": {"time": {"gte": 1_010_000}}}, "aggs": {
            "hosts": {"terms": {"field": "host"}, "aggs": {"mean": {"avg": {"field": "value"}}}},
            "tags": {"terms": {"field": "tags"}}, "all": {"global": {}, "aggs": {"n": {"value_count": {"field": "value"}}}},
            "nested": {"nested": {"path": "n"}, "aggs": {"most": {"max": {"field": "n.x"}}}},
            "some": {"filter": {"term": {"host": "h1"}}}, "top": {"top_hits": {"size": 1, "sort": [{"time": "desc"}]}}}}),
    );
    let aggs = &answer["aggregations"];
    assert_eq!(aggs["hosts"]["buckets"][0], json!({"key": "h0", "doc_count": 30, "mean": {"value": 27.75}}));
    assert_eq!(aggs["tags"]["buckets"][1], json!({"key": "a", "doc_count": 9}));
    assert_eq!(aggs["all"], json!({"doc_count": 100, "n": {"value": 100}}));
    assert_eq!(aggs["nested"], json!({"doc_count": 180, "most": {"value": 100.0}}));
    assert_eq!(aggs["some"]["doc_count"], 30);
    assert_eq!(aggs["top"]["hits"]["hits"][0]["_id"], "99");
}

#[test]
fn aliases_filter_and_collapse_keeps_one_of_each() {
    let (_folder, search) = filled();
    search.put_alias("i", "only-h2", &json!({"filter": {"term": {"host": "h2"}}})).unwrap();
    let count = search.count("only-h2", &SearchParams::default(), &Value::Null).unwrap();
    assert_eq!(count["count"], 33);
    let answer = ask(&search, json!({"collapse": {"field": "host"}, "sort": [{"time": "desc"}]}));
    assert_eq!(ids(&answer), ["99", "98", "97"]);
    assert_eq!(answer["hits"]["hits"][0]["fields"]["host"], json!(["h0"]));
    let body = "{}\n{\"size\":1}\n{\"index\":\"nope\"}\n{}\n";
    let many = search.multi_search("i", &SearchParams::default(), body.as_bytes()).unwrap();
    assert_eq!(
        (&many["responses"][0]["status"], &many["responses"][1]["status"]),
        (&json!(200), &json!(404))
    );
    let answer = ask(
        &search,
        json!({"size": 1, "_source": false, "docvalue_fields": [{"field": "time", "format": "epoch_millis"}, "tags"]}),
    );
    assert_eq!(answer["hits"]["hits"][0]["fields"], json!({"time": ["1000000"], "tags": ["a", "b"]}));
}
