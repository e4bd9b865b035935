//! What every adapter of the port must do; `store_contract!` makes one test of each.

use std::sync::Arc;

use serde_json::{Value, json};
use store::{BulkOp, Cell, Error, IndicesOptions, ScanRequest, Store, check_all};

/// Calls another macro with its arguments and the names of all promises.
macro_rules! each_promise {
    ($then:ident, $arguments:tt) => {
        $then!($arguments; documents_are_read_back, conflicts_are_told_item_by_item,
            searches_filter_sort_and_page, missing_indices_follow_the_options, removal_by_query_counts,
            aliases_filter_and_write, scans_yield_columns_in_order_of_time, rows_of_one_time_keep_their_order,
            own_indices_can_be_made, unknown_queries_are_refused);
    };
}

/// Makes a test of every promise, for the store that the expression opens.
#[allow(unused_macros, reason = "tests against real servers have one test for all promises")]
macro_rules! store_contract {
    ($open:expr) => {
        each_promise!(promise_tests, ($open));
    };
}

#[allow(unused_macros, reason = "as above")]
macro_rules! promise_tests {
    (($open:expr); $($name:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $name() {
                $crate::contract::$name($open).await;
            }
        )*
    };
}

async fn index(store: &Arc<dyn Store>, index: &str, documents: &[(&str, Value)]) {
    let ops = documents.iter().map(|(id, doc)| BulkOp::index(index, *id, doc.to_string())).collect();
    check_all(store.bulk(ops).await.unwrap()).unwrap();
    store.refresh(index).await.unwrap();
}

fn ids(answer: &Value) -> Vec<String> {
    let hits = answer["hits"]["hits"].as_array().unwrap();
    hits.iter().map(|hit| hit["_id"].as_str().unwrap().to_owned()).collect()
}

pub(crate) async fn documents_are_read_back(store: Arc<dyn Store>) {
    assert!(store.ensure_index("a", &json!({})).await.unwrap());
    assert!(!store.ensure_index("a", &json!({})).await.unwrap());
    index(&store, "a", &[("1", json!({"x": 1.25, "nested": {"y": ["p", "q"]}}))]).await;
    let document = store.get("a", "1").await.unwrap().unwrap();
    assert_eq!(document.source, json!({"x": 1.25, "nested": {"y": ["p", "q"]}}));
    assert_eq!(store.get("a", "2").await.unwrap(), None);
    assert_eq!(store.get("nowhere", "2").await.unwrap(), None);
    assert!(store.exists("a").await.unwrap() && !store.exists("b").await.unwrap());
    store.delete_index("a").await.unwrap();
    assert!(!store.exists("a").await.unwrap());
}

pub(crate) async fn conflicts_are_told_item_by_item(store: Arc<dyn Store>) {
    index(&store, "a", &[("1", json!({"x": 1}))]).await;
    let version = store.get("a", "1").await.unwrap().unwrap().version;
    let outcomes = store
        .bulk(vec![
            BulkOp::create("a", "1", "{}".to_owned()),
            BulkOp::create("a", "2", "{}".to_owned()),
            BulkOp::index("a", "1", r#"{"x":2}"#.to_owned()).expecting(version),
            BulkOp::index("a", "1", r#"{"x":3}"#.to_owned()).expecting(version),
            BulkOp::update("a", "1", r#"{"y":4}"#.to_owned()),
            BulkOp::update("a", "nine", r#"{"y":4}"#.to_owned()),
            BulkOp::delete("a", "nine"),
            BulkOp::delete("a", "2"),
        ])
        .await
        .unwrap();
    let statuses: Vec<u16> = outcomes.iter().map(|outcome| outcome.status).collect();
    assert_eq!(statuses, [409, 201, 200, 409, 200, 404, 404, 200]);
    assert!(matches!(outcomes[0].error, Some(Error::VersionConflict(_))), "{:?}", outcomes[0]);
    assert!(outcomes[5].error.is_some() && outcomes[6].error.is_none());
    assert_eq!(store.get("a", "1").await.unwrap().unwrap().source, json!({"x": 2, "y": 4}));
}

pub(crate) async fn searches_filter_sort_and_page(store: Arc<dyn Store>) {
    let document = |n: i64, kind: &str| json!({"t": 1_500_000_000_000_i64 + n, "n": n, "kind": kind});
    let mapping = json!({"mappings": {"properties": {"t": {"type": "date"}, "n": {"type": "long"},
        "kind": {"type": "keyword"}}}});
    store.ensure_index("a", &mapping).await.unwrap();
    let all: Vec<(&str, Value)> = vec![
        ("a", document(3, "p")),
        ("b", document(1, "p")),
        ("c", document(2, "q")),
        ("d", document(4, "p")),
    ];
    index(&store, "a", &all).await;
    let lenient = IndicesOptions::lenient();
    let query = json!({"bool": {"filter": [{"term": {"kind": "p"}}, {"range": {"n": {"gte": 1, "lt": 4}}}]}});
    let answer =
        store.search("a", &json!({"query": query, "sort": [{"n": "desc"}]}), &lenient).await.unwrap();
    assert_eq!(
        (ids(&answer), answer["hits"]["total"]["value"].as_u64()),
        (vec!["a".into(), "b".into()], Some(2))
    );
    let body = json!({"sort": [{"t": {"order": "asc"}}], "from": 1, "size": 2});
    let answer = store.search("a", &body, &lenient).await.unwrap();
    assert_eq!(ids(&answer), ["c", "a"]);
    let after = answer["hits"]["hits"][1]["sort"].clone();
    let body = json!({"sort": [{"t": {"order": "asc"}}], "search_after": after});
    assert_eq!(ids(&store.search("a", &body, &lenient).await.unwrap()), ["d"]);
    let query = json!({"bool": {"must_not": [{"terms": {"kind": ["q", "r"]}}], "filter": [{"exists": {"field": "n"}}]}});
    assert_eq!(store.count("a", &query).await.unwrap(), 3);
}

pub(crate) async fn missing_indices_follow_the_options(store: Arc<dyn Store>) {
    let body = json!({"query": {"match_all": {}}});
    let error = store.search("nowhere", &body, &IndicesOptions::default()).await.unwrap_err();
    assert!(matches!(&error, Error::IndexNotFound(name) if name == "nowhere"), "{error:?}");
    assert_eq!(error.to_string(), "no such index [nowhere]");
    let answer = store.search("nowhere,no*", &body, &IndicesOptions::lenient()).await.unwrap();
    assert!(ids(&answer).is_empty());
    assert_eq!(store.count("nowhere", &json!({"match_all": {}})).await.unwrap(), 0);
    assert_eq!(store.delete_by_query("nowhere", &json!({"match_all": {}})).await.unwrap(), 0);
}

pub(crate) async fn removal_by_query_counts(store: Arc<dyn Store>) {
    let mapping = json!({"mappings": {"properties": {"n": {"type": "long"}}}});
    store.ensure_index("a", &mapping).await.unwrap();
    let documents: Vec<(String, Value)> = (0..30).map(|n| (n.to_string(), json!({"n": n}))).collect();
    let borrowed: Vec<(&str, Value)> = documents.iter().map(|(id, doc)| (id.as_str(), doc.clone())).collect();
    index(&store, "a", &borrowed).await;
    assert_eq!(store.delete_by_query("a", &json!({"range": {"n": {"gte": 10}}})).await.unwrap(), 20);
    assert_eq!(store.count("a", &json!({"match_all": {}})).await.unwrap(), 10);
}

pub(crate) async fn aliases_filter_and_write(store: Arc<dyn Store>) {
    let mapping = json!({"mappings": {"properties": {"job_id": {"type": "keyword"}}}});
    store.ensure_index("shared", &mapping).await.unwrap();
    for job in ["one", "two"] {
        store
            .update_aliases(&json!({"actions": [
                {"add": {"index": "shared", "alias": format!("read-{job}"),
                         "filter": {"term": {"job_id": {"value": job}}}}},
                {"add": {"index": "shared", "alias": format!("write-{job}")}}]}))
            .await
            .unwrap();
        index(&store, &format!("write-{job}"), &[(job, json!({"job_id": job}))]).await;
    }
    let lenient = IndicesOptions::lenient();
    assert_eq!(ids(&store.search("read-two", &json!({}), &lenient).await.unwrap()), ["two"]);
    assert_eq!(store.count("shared", &json!({"match_all": {}})).await.unwrap(), 2);
    assert!(store.get("read-one", "one").await.unwrap().is_some());
    let aliases = store.get_aliases("read-*").await.unwrap();
    assert_eq!(aliases["shared"]["aliases"].as_object().unwrap().len(), 2);
    let removal = json!({"actions": [{"remove": {"index": "shared", "alias": "read-two"}}]});
    store.update_aliases(&removal).await.unwrap();
    assert!(!store.exists("read-two").await.unwrap());
}

pub(crate) async fn scans_yield_columns_in_order_of_time(store: Arc<dyn Store>) {
    let mapping = json!({"mappings": {"properties": {"t": {"type": "date"}, "v": {"type": "double"},
        "host": {"type": "keyword"}}}});
    store.ensure_index("logs", &mapping).await.unwrap();
    let documents: Vec<(String, Value)> = (0..25_i64)
        .map(|n| {
            let mut document = json!({"t": 1_000_000 + (24 - n) * 1000, "host": format!("h{n}"), "v": n});
            if n == 3 {
                document = json!({"t": 1_000_000 + (24 - n) * 1000, "host": ["x", "y"]});
            }
            (n.to_string(), document)
        })
        .collect();
    let borrowed: Vec<(&str, Value)> = documents.iter().map(|(id, doc)| (id.as_str(), doc.clone())).collect();
    index(&store, "logs", &borrowed).await;
    let request = ScanRequest {
        indices: vec!["logs".to_owned()],
        query: json!({"match_all": {}}),
        runtime_mappings: None,
        script_fields: None,
        time_field: "t".to_owned(),
        start_ms: 1_001_000,
        end_ms: 1_024_000,
        fields: vec!["host".to_owned(), "v".to_owned()],
        page_size: 7,
        options: IndicesOptions::default(),
    };
    let mut scan = store.scan(request).await.unwrap();
    let (mut times, mut hosts, mut missing) = (Vec::new(), Vec::new(), 0);
    while let Some(page) = scan.next().await.unwrap() {
        for row in 0..page.times_ms.len() {
            if let Cell::Str(host) = page.columns[0].get(row) {
                hosts.push(host.to_owned());
            }
            missing += u32::from(page.columns[1].get(row) == Cell::Missing);
        }
        times.extend(page.times_ms);
    }
    assert_eq!(times, (1..24).map(|n| 1_000_000 + n * 1000).collect::<Vec<i64>>());
    assert_eq!((hosts[0].as_str(), hosts[20].as_str(), hosts.len(), missing), ("h23", "x,y", 23, 1));
}

pub(crate) async fn rows_of_one_time_keep_their_order(store: Arc<dyn Store>) {
    let mapping = json!({"mappings": {"properties": {"t": {"type": "date"}, "v": {"type": "long"}}}});
    store.ensure_index("logs", &mapping).await.unwrap();
    let document = |n: i64| {
        (format!("{:03}", (n * 37) % 120), json!({"t": 1_600_000_000_000_i64 + 1_000 * (n / 60), "v": n}))
    };
    let documents: Vec<(String, Value)> = (0..120).map(document).collect();
    // Several requests, so that there are several segments.
    for part in documents.chunks(17) {
        let borrowed: Vec<(&str, Value)> = part.iter().map(|(id, doc)| (id.as_str(), doc.clone())).collect();
        index(&store, "logs", &borrowed).await;
    }
    let request = ScanRequest {
        indices: vec!["logs".to_owned()],
        query: json!({"match_all": {}}),
        runtime_mappings: None,
        script_fields: None,
        time_field: "t".to_owned(),
        start_ms: 1_600_000_000_000,
        end_ms: 1_600_000_010_000,
        fields: vec!["v".to_owned()],
        page_size: 25,
        options: IndicesOptions::default(),
    };
    let mut scan = store.scan(request).await.unwrap();
    let mut values = Vec::new();
    while let Some(page) = scan.next().await.unwrap() {
        for row in 0..page.times_ms.len() {
            let Cell::Num(value) = page.columns[0].get(row) else { panic!("a number was written") };
            values.push(value as i64);
        }
    }
    assert_eq!(values, (0..120).collect::<Vec<i64>>());
}

pub(crate) async fn own_indices_can_be_made(store: Arc<dyn Store>) {
    for (name, body) in store::indices::templates() {
        store.put_index_template(name, &body).await.unwrap();
    }
    for (name, body) in store::indices::fixed() {
        store.ensure_index(name, &body).await.unwrap();
        assert!(!store.ensure_index(name, &body).await.unwrap(), "{name}");
    }
    let results = store::indices::results_index("shared");
    store.ensure_index(&results, &store::indices::results_body()).await.unwrap();
    store.update_aliases(&store::indices::results_alias_actions(&results, "j")).await.unwrap();
    let record = json!({"job_id": "j", "result_type": "record", "timestamp": 1_600_000_000_000_i64, "record_score": 12.5,
        "actual": [1.0], "causes": [{"actual": [2.0]}], "by_field_value": "x"});
    let write = store::indices::results_write_alias("j");
    index(&store, &write, &[("j_record_1", record.clone()), ("k_1", json!({"job_id": "k"}))]).await;
    let read = store::indices::results_read_alias("j");
    let found = store.search(&read, &json!({}), &IndicesOptions::default()).await.unwrap();
    assert_eq!(ids(&found), ["j_record_1"]);
    assert_eq!(found["hits"]["hits"][0]["_source"], record);
    store.bulk(vec![BulkOp::index(store::indices::STATE_WRITE, "s#1", "{}".to_owned())]).await.unwrap();
    let state = store.get(store::indices::STATE_WRITE, "s#1").await.unwrap();
    assert_eq!(state.map(|state| state.source), Some(json!({})));
}

pub(crate) async fn unknown_queries_are_refused(store: Arc<dyn Store>) {
    index(&store, "a", &[("1", json!({"x": 1}))]).await;
    let body = json!({"query": {"no_such_query": {}}});
    let error = store.search("a", &body, &IndicesOptions::lenient()).await.unwrap_err();
    assert!(error.to_string().contains("no_such_query"), "{error}");
}
