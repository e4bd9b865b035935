//! Clients' requests through the service's port, passed on to the server.

use serde_json::{Value, json};

use crate::server::Server;
use crate::service::Service;

/// The media types that clients of a version send, and that their answers must have.
async fn as_client(
    service: &Service,
    version: Option<u8>,
    method: &str,
    path: &str,
    body: &str,
) -> (u16, Value) {
    let kind = if path.contains("_bulk") { "x-ndjson" } else { "json" };
    let (sent, accepted) = match version {
        None => (format!("application/{kind}"), "application/json".to_owned()),
        Some(version) => (
            format!("application/vnd.elasticsearch+{kind}; compatible-with={version}"),
            format!("application/vnd.elasticsearch+json; compatible-with={version}"),
        ),
    };
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let mut request =
        reqwest::Client::new().request(method, format!("{}{path}", service.base)).header("accept", accepted);
    if !body.is_empty() {
        request = request.header("content-type", sent).body(body.to_owned());
    }
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["x-elastic-product"], "Elasticsearch", "{path}");
    if let Some(version) = version {
        let media_type = answer.headers()["content-type"].to_str().unwrap();
        let expected = format!("application/vnd.elasticsearch+json;compatible-with={version}");
        assert_eq!(media_type, expected, "{path}");
    }
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
}

/// What clients of all versions do.
pub(crate) async fn is_open(server: &Server) {
    let service = Service::start(&["--store", &server.url], &[]);
    for version in [None, Some(7), Some(8), Some(9)] {
        let index = format!("door-{}", version.unwrap_or(0));
        let (status, info) = as_client(&service, version, "GET", "/", "").await;
        assert_eq!((status, &info["tagline"]), (200, &json!("You Know, for Search")));
        let mapping = r#"{"mappings":{"properties":{"t":{"type":"date"},"v":{"type":"long"}}}}"#;
        assert_eq!(as_client(&service, version, "PUT", &format!("/{index}"), mapping).await.0, 200);
        let lines: String =
            (0..50).map(|n| format!("{{\"index\":{{\"_id\":\"{n}\"}}}}\n{{\"v\":{n}}}\n")).collect();
        let (_, answer) =
            as_client(&service, version, "POST", &format!("/{index}/_bulk?refresh=true"), &lines).await;
        assert_eq!(
            (answer["errors"].as_bool(), answer["items"].as_array().unwrap().len()),
            (Some(false), 50)
        );
        let query = r#"{"size":3,"query":{"range":{"v":{"gte":10}}},"sort":[{"v":"desc"}]}"#;
        let (_, answer) = as_client(&service, version, "POST", &format!("/{index}/_search"), query).await;
        assert_eq!(
            (&answer["hits"]["total"]["value"], &answer["hits"]["hits"][0]["_id"]),
            (&json!(40), &json!("49"))
        );
        let (status, answer) = as_client(&service, version, "GET", &format!("/{index}/_doc/none"), "").await;
        assert_eq!((status, &answer["found"]), (404, &json!(false)));
        let filtered = format!("/{index}/_doc/7?filter_path=_source&pretty");
        assert_eq!(as_client(&service, version, "GET", &filtered, "").await.1, json!({"_source": {"v": 7}}));
        let (status, answer) = as_client(&service, version, "POST", "/door-none/_search", "{}").await;
        assert_eq!((status, &answer["error"]["type"]), (404, &json!("index_not_found_exception")));
        assert_eq!(as_client(&service, version, "GET", "/_ml/info", "").await.0, 200);
        assert_eq!(as_client(&service, version, "GET", "/_ml/none", "").await.0, 400);
    }
    long_bodies_are_streamed(&service).await;
    drop(service);
    let closed = Service::start(&["--store", &server.url], &[("AUSPEX_STORE_GATEWAY", "false")]);
    let (status, answer) = closed.ask("POST", "/door-7/_search", Some(&json!({}))).await;
    assert_eq!(status, 400, "{answer}");
    assert_eq!(closed.ask("GET", "/_ml/info", None).await.0, 200);
}

async fn long_bodies_are_streamed(service: &Service) {
    let text = "x".repeat(1000);
    let lines: String =
        (0..5_000).map(|n| format!("{{\"index\":{{}}}}\n{{\"n\":{n},\"text\":\"{text}\"}}\n")).collect();
    let lines = Value::String(lines);
    let answer = service.done("POST", "/door-long/_bulk?refresh=true&filter_path=errors", Some(&lines)).await;
    assert_eq!(answer["errors"], false);
    let body = json!({"size": 5_000, "query": {"match_all": {}}});
    let answer = service.done("POST", "/door-long/_search", Some(&body)).await;
    assert_eq!(answer["hits"]["hits"].as_array().unwrap().len(), 5_000);
}
