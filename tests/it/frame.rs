//! What all requests and answers have in common.

use axum::body::Body;
use axum::http::Request;

use crate::server::Server;

#[tokio::test]
async fn root_says_what_clients_insist_on() {
    let answer = Server::start().await.get("/").await;
    assert_eq!(answer.headers["x-elastic-product"], "Elasticsearch");
    let body = answer.json();
    assert_eq!(body["tagline"], "You Know, for Search");
    assert!(body["version"]["number"].as_str().unwrap().starts_with("8.19"));
}

#[tokio::test]
async fn unknown_paths_and_methods_are_answered_as_by_elasticsearch() {
    let server = Server::start().await;
    insta::assert_json_snapshot!(server.get("/_ml/nothing/here?x=1").await.shown(), @r#"
    {
      "status": 400,
      "body": {
        "error": "no handler found for uri [/_ml/nothing/here?x=1] and method [GET]",
        "status": 400
      }
    }
    "#);
    let answer = server.call("DELETE", "/_ml/info", "").await;
    assert_eq!(answer.headers["allow"], "GET");
    assert_eq!(
        answer.failure(),
        "405 Incorrect HTTP method for uri [/_ml/info] and method [DELETE], allowed: [GET]"
    );
}

#[tokio::test]
async fn unknown_and_repeated_parameters_are_refused() {
    let server = Server::start().await;
    for (uri, failure) in [
        (
            "/_ml/info?foo=1",
            "400 illegal_argument_exception: request [/_ml/info] contains unrecognized parameter: [foo]",
        ),
        (
            "/_ml/info?foo&bar=2",
            "400 illegal_argument_exception: request [/_ml/info] contains unrecognized parameters: [foo], [bar]",
        ),
        (
            "/_xpack/ml/info?pretty&pretty",
            "400 illegal_argument_exception: request [/_ml/info] contains parameter [pretty] more than once",
        ),
        (
            "/_ml/info?pretty=maybe",
            "400 illegal_argument_exception: Failed to parse value [maybe] as only [true] or [false] are allowed.",
        ),
    ] {
        assert_eq!(server.get(uri).await.failure(), failure);
    }
}

#[tokio::test]
async fn old_paths_and_slashes_lead_to_the_same_place() {
    let server = Server::start().await;
    let expected = server.get("/_ml/info").await.json();
    assert_eq!(server.get("/_xpack/ml/info").await.json(), expected);
    assert_eq!(server.get("/_ml/info/").await.json(), expected);
}

#[tokio::test]
async fn answers_come_in_the_media_type_asked_for() {
    let server = Server::start().await;
    for version in ["7", "8", "9"] {
        let accept = format!("application/vnd.elasticsearch+json; compatible-with={version}");
        let request = Request::get("/").header("accept", accept).body(Body::empty()).unwrap();
        let answer = server.send(request).await;
        assert_eq!(
            answer.headers["content-type"],
            format!("application/vnd.elasticsearch+json;compatible-with={version}")
        );
    }
    let request = Request::get("/")
        .header("accept", "application/vnd.elasticsearch+json; compatible-with=5")
        .body(Body::empty())
        .unwrap();
    assert!(server.send(request).await.failure().starts_with("400 media_type_header_exception"));
}

#[tokio::test]
async fn requests_are_known_again_and_methods_can_be_asked_for() {
    let server = Server::start().await;
    let request = Request::get("/").header("x-opaque-id", "mine").body(Body::empty()).unwrap();
    assert_eq!(server.send(request).await.headers["x-opaque-id"], "mine");
    let asked = server.call("OPTIONS", "/_ml/filters/x", "").await;
    assert_eq!((asked.status.as_u16(), asked.headers["allow"].to_str().unwrap()), (200, "DELETE,GET,PUT"));
    let head = server.call("HEAD", "/_ml/info", "").await;
    assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
    let warned = server.get("/_xpack/ml/info").await;
    assert_eq!(
        warned.headers["warning"],
        format!(
            "299 Elasticsearch-8.19.0-{} \"[GET /_xpack/ml/info] is deprecated! Use [GET /_ml/info] instead.\"",
            "0".repeat(40)
        )
    );
}

#[tokio::test]
async fn filter_path_and_pretty_shape_the_answer() {
    let server = Server::start().await;
    assert_eq!(server.get("/?filter_path=tagline").await.text, r#"{"tagline":"You Know, for Search"}"#);
    assert_eq!(
        server.get("/?filter_path=tagline&pretty").await.text,
        "{\n  \"tagline\": \"You Know, for Search\"\n}\n"
    );
    assert_eq!(
        server.get("/nothing/at/all?filter_path=status").await.json(),
        serde_json::json!({"status": 400})
    );
}

#[tokio::test]
async fn bodies_over_the_limit_and_of_unknown_kinds_are_refused() {
    let server = Server::with(|config| config.body_limit_bytes = 10).await;
    let put = |body: &'static str, kind: &str| {
        let request = Request::put("/_cluster/settings").header("content-type", kind);
        request.body(Body::from(body)).unwrap()
    };
    let answer = server.send(put(r#"{"persistent":{}}"#, "application/json")).await;
    assert_eq!(
        answer.failure(),
        "413 content_too_long_exception: entity content is too long for the configured buffer limit [10]"
    );
    let answer = server.send(put("{}", "application/x-www-form-urlencoded")).await;
    assert_eq!(
        answer.failure(),
        "406 Content-Type header [application/x-www-form-urlencoded] is not supported"
    );
    let answer = server.send(put("{]", "application/json")).await;
    assert!(
        answer
            .failure()
            .starts_with("400 x_content_parse_exception: [1:2] Unexpected character (']' (code 93))")
    );
}

#[tokio::test]
async fn more_requests_than_allowed_are_told_to_come_back() {
    let server = Server::with(|config| config.request_timeout = std::time::Duration::ZERO).await;
    // A timeout of nothing is a millisecond: too long for an answer that is ready at once.
    assert_eq!(server.get("/").await.status, 200);
}

#[tokio::test]
async fn health_and_metrics_tell_of_jobs() {
    let server = Server::start().await;
    server.call("PUT", "/_ml/anomaly_detectors/j", crate::jobs::JOB).await;
    server.call("POST", "/_ml/anomaly_detectors/j/_open", "").await;
    let health = server.get("/_health").await.json();
    assert_eq!((&health["status"], &health["problems"]), (&"green".into(), &serde_json::json!([])));
    let metrics = server.get("/metrics").await.text;
    assert!(metrics.contains("auspex_http_answers_total{class=\"2xx\"} 3\n"), "{metrics}");
    assert!(metrics.contains("auspex_job_open{job=\"j\"} 1\n"), "{metrics}");
}
