//! Documents in and out, one by one and in bulk.

use search::{BulkParams, Expand, SearchParams, SourceFilter, WriteParams};
use serde_json::{Value, json};

use crate::store;

#[test]
fn documents_are_written_read_updated_and_deleted() {
    let (_folder, search) = store();
    let plain = WriteParams::default();
    let made = search.index_document("i", Some("1"), br#"{"a":1,"t":"Hello World"}"#, &plain).unwrap();
    assert_eq!(made.status(), 201);
    assert_eq!(
        made.to_json(),
        json!({"_index":"i","_id":"1","_version":1,"result":"created",
            "_shards":{"total":2,"successful":1,"failed":0},"_seq_no":0,"_primary_term":1})
    );
    let create = WriteParams { create: true, ..plain.clone() };
    let error = search.index_document("i", Some("1"), b"{}", &create).unwrap_err();
    assert_eq!(error.to_string(), "[1]: version conflict, document already exists (current version [1])");
    let (updated, source) =
        search.update_document("i", "1", &json!({"doc": {"b": {"c": 2}}}), None, false).unwrap();
    assert_eq!((updated.written.version, source["b"]["c"].clone()), (2, json!(2)));
    let (noop, _) = search.update_document("i", "1", &json!({"doc": {"a": 1}}), None, false).unwrap();
    assert_eq!(noop.to_json()["result"], "noop");
    let error = search.update_document("i", "9", &json!({"doc": {}}), None, false).unwrap_err();
    assert_eq!((error.status(), error.to_string().as_str()), (404, "[9]: document missing"));
    let stale = WriteParams { if_seq_no: Some((0, 1)), ..plain.clone() };
    assert_eq!(search.index_document("i", Some("1"), b"{}", &stale).unwrap_err().status(), 409);
    let found = search.get_document("i", "1", &SourceFilter::default()).unwrap();
    assert_eq!(found["_source"], json!({"a":1,"t":"Hello World","b":{"c":2}}));
    let gone = search.delete_document("i", "1", &plain).unwrap();
    assert_eq!((gone.written.version, gone.status()), (3, 200));
    assert_eq!(search.delete_document("i", "1", &plain).unwrap().status(), 404);
    assert_eq!(search.get_document("i", "1", &SourceFilter::default()).unwrap()["found"], false);
    let auto = search.index_document("i", None, b"{\"a\":5}", &plain).unwrap();
    let id = auto.written.id;
    assert_eq!(search.get_document("i", &id, &SourceFilter::default()).unwrap()["_source"]["a"], 5);
    let again = search.index_document("i", Some(&id), b"{\"a\":6}", &plain).unwrap();
    assert_eq!(again.to_json()["result"], "updated");
    assert_eq!(search.count("i", &SearchParams::default(), &Value::Null).unwrap()["count"], 1);
}

#[test]
fn bulk_tells_each_operation_its_fate() {
    let (_folder, search) = store();
    let body = concat!(
        "{\"index\":{\"_id\":\"1\"}}\n{\"a\":1}\n",
        "{\"create\":{\"_id\":\"1\"}}\n{\"a\":2}\n",
        "{\"update\":{\"_id\":\"1\"}}\n{\"doc\":{\"b\":true}}\n",
        "{\"delete\":{\"_id\":\"9\"}}\n",
        "{\"index\":{\"_id\":\"2\"}}\n{\"a\":\"x\"}\n",
        "{\"index\":{}}\n{\"a\":7}\n",
    );
    let answer = search.bulk(Some("i"), body.as_bytes(), &BulkParams::default()).unwrap();
    let statuses: Vec<u16> = answer.items.iter().map(|item| item.status()).collect();
    assert_eq!(statuses, [201, 409, 200, 404, 400, 201]);
    let json = answer.to_json();
    assert_eq!(json["errors"], true);
    assert_eq!(json["items"][1]["create"]["error"]["type"], "version_conflict_engine_exception");
    assert_eq!(json["items"][4]["index"]["error"]["type"], "document_parsing_exception");
    assert!(search.bulk(Some("i"), b"{\"index\":{}}\n{}", &BulkParams::default()).is_err());
    assert!(search.bulk(Some("i"), b"{\"index\":{}}\n{}\n{\"what\":{}}\n", &BulkParams::default()).is_err());
    assert_eq!(search.count("i", &SearchParams::default(), &Value::Null).unwrap()["count"], 2);
}

#[test]
fn mappings_grow_and_templates_apply() {
    let (_folder, search) = store();
    search
        .put_template(
            search::catalog::state::Kind::IndexTemplate,
            "t",
            &json!({"index_patterns": ["logs-*"], "template": {"settings": {"number_of_replicas": 0},
                "mappings": {"properties": {"@timestamp": {"type": "date"}, "host": {"type": "keyword"}}}, "aliases": {"logs": {}}}}),
        )
        .unwrap();
    let params = WriteParams::default();
    search
        .index_document("logs-1", None, br#"{"@timestamp":"2026-01-01","host":"a","n":1.5}"#, &params)
        .unwrap();
    let index = search.get_index("logs", Expand::default()).unwrap();
    assert_eq!(index["logs-1"]["mappings"]["properties"]["n"], json!({"type": "float"}));
    assert_eq!(index["logs-1"]["mappings"]["properties"]["host"], json!({"type": "keyword"}));
    assert_eq!(index["logs-1"]["settings"]["index"]["number_of_replicas"], "0");
    assert_eq!(index["logs-1"]["aliases"], json!({"logs": {}}));
    let error =
        search.put_mapping("logs-1", &json!({"properties": {"host": {"type": "long"}}}), Expand::default());
    assert_eq!(
        error.unwrap_err().to_string(),
        "mapper [host] cannot be changed from type [keyword] to [long]"
    );
    let caps = search.field_caps("logs", &["*".into()], false, Expand::default()).unwrap();
    assert_eq!(caps["fields"]["host"]["keyword"]["aggregatable"], true);
    assert!(search.create_index("Bad", &json!({})).is_err());
    assert_eq!(
        search.create_index("logs-1", &json!({})).unwrap_err().exception(),
        "resource_already_exists_exception"
    );
    search.delete_index("logs-1", Expand::default()).unwrap();
    assert!(!search.index_exists("logs-1", Expand::default()).unwrap());
}

#[test]
fn a_second_opening_is_refused() {
    let (folder, search) = store();
    let error = search::Search::open(folder.path(), std::sync::Arc::new(|| 0), search::Options::default());
    assert!(error.unwrap_err().to_string().contains("in use by another process"));
    search.index_document("i", Some("1"), br#"{"a":[1,2]}"#, &WriteParams::default()).unwrap();
    drop(search);
    let again =
        search::Search::open(folder.path(), std::sync::Arc::new(|| 0), search::Options::default()).unwrap();
    assert_eq!(
        again.get_document("i", "1", &SourceFilter::default()).unwrap()["_source"],
        json!({"a": [1, 2]})
    );
}
