//! The document and search API through the router.

use crate::server::Server;
use serde_json::json;

#[tokio::test]
async fn a_document_is_written_read_changed_and_deleted() {
    let server = Server::start().await;
    let answer = server.call("PUT", "/logs/_doc/1?refresh=true", r#"{"host":"a","n":1}"#).await;
    insta::assert_json_snapshot!(answer.shown(), @r#"
    {
      "status": 201,
      "body": {
        "_index": "logs",
        "_id": "1",
        "_version": 1,
        "result": "created",
        "_shards": {
          "total": 2,
          "successful": 1,
          "failed": 0
        },
        "_seq_no": 0,
        "_primary_term": 1,
        "forced_refresh": true
      }
    }
    "#);
    assert_eq!(server.get("/logs/_doc/1").await.json()["_source"], json!({"host": "a", "n": 1}));
    assert_eq!(server.get("/logs/_source/1?_source=n").await.json(), json!({"n": 1}));
    assert_eq!(server.call("HEAD", "/logs/_doc/1", "").await.status, 200);
    let answer = server.call("POST", "/logs/_update/1?_source=true", r#"{"doc":{"n":2}}"#).await.json();
    assert_eq!((&answer["result"], &answer["get"]["_source"]["n"]), (&json!("updated"), &json!(2)));
    let conflict = server.call("PUT", "/logs/_create/1", "{}").await;
    assert!(conflict.failure().starts_with("409 version_conflict_engine_exception: [1]: version conflict"));
    let stale = server.call("PUT", "/logs/_doc/1?if_seq_no=0&if_primary_term=1", "{}").await;
    assert_eq!(stale.status, 409);
    assert_eq!(server.call("DELETE", "/logs/_doc/1", "").await.json()["result"], "deleted");
    let gone = server.get("/logs/_doc/1").await;
    assert_eq!(
        (gone.status.as_u16(), gone.json()),
        (404, json!({"_index": "logs", "_id": "1", "found": false}))
    );
    assert_eq!(server.call("HEAD", "/logs/_doc/1", "").await.status, 404);
    assert_eq!(server.call("DELETE", "/logs/_doc/1", "").await.status, 404);
}

async fn filled() -> Server {
    let server = Server::start().await;
    let lines: String = (0..5)
        .map(|n| {
            format!(
                "{{\"index\":{{\"_id\":\"{n}\"}}}}\n{{\"@timestamp\":{},\"host\":\"h{}\",\"n\":{n}}}\n",
                1_767_225_600_000_i64 + n * 60_000,
                n % 2
            )
        })
        .collect();
    let request = axum::http::Request::post("/logs/_bulk?refresh=wait_for")
        .header("content-type", "application/vnd.elasticsearch+x-ndjson; compatible-with=8")
        .body(axum::body::Body::from(lines))
        .unwrap();
    let answer = server.send(request).await;
    assert_eq!(answer.json()["errors"], false, "{}", answer.text);
    assert_eq!(answer.headers["content-type"], "application/vnd.elasticsearch+json;compatible-with=8");
    server
}

#[tokio::test]
async fn searches_page_sort_and_aggregate() {
    let server = filled().await;
    let body = r#"{"size":2,"sort":[{"n":"desc"}],"query":{"range":{"n":{"lt":4}}},"aggs":{"h":{"terms":{"field":"host.keyword"},"aggs":{"m":{"max":{"field":"n"}}}}}}"#;
    let answer =
        server.call("POST", "/logs/_search?filter_path=hits.total,hits.hits._id,aggregations", body).await;
    insta::assert_snapshot!(answer.text, @r#"{"hits":{"total":{"value":4,"relation":"eq"},"hits":[{"_id":"3"},{"_id":"2"}]},"aggregations":{"h":{"doc_count_error_upper_bound":0,"sum_other_doc_count":0,"buckets":[{"key":"h0","doc_count":2,"m":{"value":2.0}},{"key":"h1","doc_count":2,"m":{"value":3.0}}]}}}"#);
    let typed = server
        .call("POST", "/logs/_search?typed_keys&size=0", r#"{"aggs":{"m":{"max":{"field":"n"}}}}"#)
        .await;
    assert_eq!(typed.json()["aggregations"]["max#m"]["value"], 4.0);
    assert_eq!(server.get("/logs/_search?q=host:h1&rest_total_hits_as_int").await.json()["hits"]["total"], 2);
    assert_eq!(server.get("/logs/_count?q=n:%3E2").await.json()["count"], 2);
    assert_eq!(server.get("/nothing-*/_search").await.json()["hits"]["total"]["value"], 0);
}

#[tokio::test]
async fn scrolls_and_points_in_time_go_through_all_hits() {
    let server = filled().await;
    let first = server.call("POST", "/logs/_search?scroll=1m", r#"{"size":3,"sort":"n"}"#).await.json();
    let id = first["_scroll_id"].as_str().unwrap().to_owned();
    let body = json!({"scroll": "1m", "scroll_id": id}).to_string();
    let second = server.call("POST", "/_search/scroll", &body).await.json();
    assert_eq!(second["hits"]["hits"].as_array().unwrap().len(), 2);
    let body = json!({"scroll_id": [id]}).to_string();
    assert_eq!(server.call("DELETE", "/_search/scroll", &body).await.json()["num_freed"], 1);
    let gone = server.call("POST", "/_search/scroll", &json!({"scroll_id": id}).to_string()).await;
    assert_eq!(gone.status, 404);

    let pit = server.call("POST", "/logs/_pit?keep_alive=1m", "").await.json()["id"].clone();
    server.call("DELETE", "/logs/_doc/0", "").await;
    let body = json!({"pit": {"id": pit}, "size": 10}).to_string();
    assert_eq!(server.call("POST", "/_search", &body).await.json()["hits"]["total"]["value"], 5);
    assert_eq!(server.call("DELETE", "/_pit", &json!({"id": pit}).to_string()).await.json()["num_freed"], 1);
}

#[tokio::test]
async fn many_documents_and_many_searches_go_in_one_request() {
    let server = filled().await;
    let docs = server.call("POST", "/logs/_mget", r#"{"ids":["1","9"]}"#).await.json();
    assert_eq!((&docs["docs"][0]["found"], &docs["docs"][1]["found"]), (&json!(true), &json!(false)));
    let lines = "{}\n{\"size\":0}\n{\"index\":\"gone\"}\n{\"size\":0}\n";
    let answers = server.call("POST", "/logs/_msearch", lines).await.json();
    assert_eq!(
        (&answers["responses"][0]["status"], &answers["responses"][1]["status"]),
        (&json!(200), &json!(404))
    );
    let deleted = server
        .call("POST", "/logs/_delete_by_query", r#"{"query":{"term":{"host.keyword":"h1"}}}"#)
        .await
        .json();
    assert_eq!((&deleted["deleted"], &deleted["total"]), (&json!(2), &json!(2)));
    let updated = server.call("POST", "/logs/_update_by_query?conflicts=proceed", "").await.json();
    assert_eq!(updated["updated"], 3);
}

#[tokio::test]
async fn indices_have_mappings_settings_aliases_and_templates() {
    let server = Server::start().await;
    let template =
        r#"{"index_patterns":["m-*"],"template":{"mappings":{"properties":{"v":{"type":"double"}}}}}"#;
    assert_eq!(
        server.call("PUT", "/_index_template/t", template).await.json(),
        json!({"acknowledged": true})
    );
    assert_eq!(server.get("/_index_template/t").await.json()["index_templates"][0]["name"], "t");
    let created = server.call("PUT", "/m-1", r#"{"aliases":{"m":{}}}"#).await;
    assert_eq!(created.json(), json!({"acknowledged": true, "shards_acknowledged": true, "index": "m-1"}));
    assert_eq!(
        server.get("/m/_mapping").await.json()["m-1"]["mappings"]["properties"]["v"]["type"],
        "double"
    );
    server.call("PUT", "/m-1/_mapping", r#"{"properties":{"w":{"type":"keyword"}}}"#).await;
    let caps = server.get("/m-1/_field_caps?fields=*").await.json();
    assert_eq!(caps["fields"]["w"]["keyword"]["aggregatable"], true);
    assert_eq!(
        server.get("/m-1/_settings").await.json()["m-1"]["settings"]["index"]["number_of_shards"],
        "1"
    );
    assert_eq!(server.get("/_alias/m").await.json(), json!({"m-1": {"aliases": {"m": {}}}}));
    let missing = server.get("/_alias/zzz").await;
    assert_eq!((missing.status.as_u16(), &missing.json()["error"]), (404, &json!("alias [zzz] missing")));
    assert_eq!(server.call("HEAD", "/m-1", "").await.status, 200);
    assert_eq!(server.call("HEAD", "/m-2", "").await.status, 404);
    assert_eq!(server.get("/_cat/count/m-1?h=count").await.text, "0\n");
    assert_eq!(server.get("/_cat/aliases/m?h=alias,index").await.text, "m m-1\n");
    assert_eq!(
        server.get("/_cat/indices/m-*?format=json&h=index,health").await.json(),
        json!([{"index": "m-1", "health": "green"}])
    );
    assert_eq!(server.get("/_cluster/health").await.json()["status"], "green");
    assert_eq!(server.call("POST", "/m-1/_refresh", "").await.json()["_shards"]["failed"], 0);
    assert_eq!(server.call("DELETE", "/m-1", "").await.json(), json!({"acknowledged": true}));
}

#[tokio::test]
async fn bad_requests_are_refused_and_change_nothing() {
    let server = filled().await;
    let long_id = format!("/logs/_doc/{}", "x".repeat(600));
    for (method, uri, body, failure) in [
        ("GET", "/gone/_search", "", "404 index_not_found_exception: no such index [gone]"),
        ("GET", "/gone/_doc/1", "", "404 index_not_found_exception: no such index [gone]"),
        (
            "PUT",
            "/UPPER",
            "",
            "400 invalid_index_name_exception: Invalid index name [UPPER], must be lowercase",
        ),
        ("POST", "/logs/_search", r#"{"query":{"foo":{}}}"#, "400 parsing_exception: unknown query [foo]"),
        (
            "POST",
            "/logs/_search",
            r#"{"nosuch":{}}"#,
            "400 parsing_exception: Unknown key for a START_OBJECT in [nosuch].",
        ),
        (
            "POST",
            "/logs/_search?size=-1",
            "",
            "400 illegal_argument_exception: [size] parameter cannot be negative, found [-1]",
        ),
        (
            "POST",
            "/logs/_search?size=abc",
            "",
            "400 illegal_argument_exception: Failed to parse int parameter [size] with value [abc]",
        ),
        (
            "PUT",
            "/logs/_doc/1",
            "",
            "400 action_request_validation_exception: Validation Failed: 1: source is missing;",
        ),
        (
            "PUT",
            "/logs/_doc/1?refresh=maybe",
            "{}",
            "400 illegal_argument_exception: Unknown value for refresh: [maybe].",
        ),
        (
            "PUT",
            "/logs/_doc/1?pipeline=p",
            "{}",
            "400 illegal_argument_exception: pipeline with id [p] does not exist",
        ),
        (
            "POST",
            "/logs/_delete_by_query",
            "",
            "400 action_request_validation_exception: Validation Failed: 1: query is missing;",
        ),
        (
            "DELETE",
            "/_all",
            "",
            "400 illegal_argument_exception: Wildcard expressions or all indices are not allowed",
        ),
        ("POST", "/logs/_bulk", "{\"nosuch\":{}}\n{}\n", "400 "),
        (
            "POST",
            "/logs/_bulk",
            "{\"index\":{}}\n{}",
            "400 illegal_argument_exception: The bulk request must be terminated by a newline [\\n]",
        ),
        ("PUT", "/logs/_doc/1", "{\"n\":1e400}", "400 "),
        ("PUT", "/logs/_doc/1", "{\"n\":NaN}", "400 "),
        ("PUT", "/logs/_doc/1", "[1]", "400 "),
        ("PUT", "/logs/_doc/1", "{\"n\":\"many\"}", "400 document_parsing_exception: "),
        ("PUT", long_id.as_str(), "{}", "400 "),
        ("POST", "/_search/scroll", r#"{"scroll_id":"zzz"}"#, "404 search_phase_execution_exception: "),
    ] {
        let answer = server.call(method, uri, body).await;
        assert!(answer.failure().starts_with(failure), "{method} {uri} {body}: {}", answer.failure());
    }
    assert_eq!(server.get("/logs/_count").await.json()["count"], 5);
    assert_eq!(server.get("/logs/_doc/1").await.json()["_version"], 1);
}

#[tokio::test]
async fn documents_of_a_disabled_mapping_are_kept_and_not_looked_at() {
    let server = Server::start().await;
    server.call("PUT", "/blobs", r#"{"mappings":{"enabled":false}}"#).await;
    for (id, body) in [("1", r#"{"a":"text"}"#), ("2", r#"{"a":{"b":1}}"#)] {
        assert_eq!(server.call("PUT", &format!("/blobs/_doc/{id}"), body).await.status, 201);
    }
    assert_eq!(server.get("/blobs/_source/2").await.json(), json!({"a": {"b": 1}}));
    assert_eq!(server.get("/blobs/_mapping").await.json()["blobs"]["mappings"], json!({"enabled": false}));
}

#[tokio::test]
async fn long_bulks_are_answered_whole_and_charged_to_a_budget() {
    let server = Server::start().await;
    let lines =
        "{\"index\":{\"_index\":\"long\"}}\n{\"n\":1}\n{\"delete\":{\"_index\":\"long\",\"_id\":\"x\"}}\n"
            .repeat(12_000);
    let answer = server.call("POST", "/_bulk?refresh=true", &lines).await.json();
    let items = answer["items"].as_array().unwrap();
    assert_eq!((items.len(), &answer["errors"]), (24_000, &json!(false)));
    assert_eq!(
        (&items[0]["index"]["status"], &items[23_999]["delete"]["status"]),
        (&json!(201), &json!(404))
    );
    assert_eq!(server.get("/long/_count").await.json()["count"], 12_000);
    let short = server
        .call("POST", "/_bulk?filter_path=errors,items.*.status", &lines[..lines.len() / 12_000])
        .await
        .json();
    assert_eq!(short["items"][0]["index"], json!({"status": 201}));
}

/// The guard of the request that has opened a snapshot must not end those that come after it.
#[tokio::test]
async fn snapshots_outlive_the_requests_that_opened_them() {
    let server = Server::start().await;
    let lines: String =
        (0..20_000).map(|n| format!("{{\"index\":{{}}}}\n{{\"n\":{n},\"k\":\"k{n}\"}}\n")).collect();
    server.call("POST", "/many/_bulk", &lines).await;
    let first = server.call("POST", "/many/_search?scroll=1m&size=9000", "").await.json();
    let mut seen = first["hits"]["hits"].as_array().unwrap().len();
    for _ in 0..3 {
        let body = json!({"scroll": "1m", "scroll_id": first["_scroll_id"]}).to_string();
        let page = server.call("POST", "/_search/scroll", &body).await;
        assert_eq!(page.status, 200, "{}", page.text);
        seen += page.json()["hits"]["hits"].as_array().unwrap().len();
    }
    assert_eq!(seen, 20_000);
    let pit = server.call("POST", "/many/_pit?keep_alive=1m", "").await.json();
    for _ in 0..3 {
        let body = json!({"pit": {"id": pit["id"]}, "size": 0, "track_total_hits": true,
            "query": {"wildcard": {"k.keyword": "*9*"}}, "aggs": {"s": {"sum": {"field": "n"}}}});
        let answer = server.call("POST", "/_search", &body.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.json()["_shards"]["failed"], 0);
    }
}
