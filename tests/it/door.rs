//! What is answered here and what is passed on, when the documents are kept in a cluster. Another server of ours, with an
//! embedded store, stands for the cluster.

use auspex::config::Config;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use store::config::ClusterConfig;

use crate::server::Server;

/// A server before a cluster, and the cluster.
async fn pair() -> (Server, Server) {
    pair_allowing(&["_cluster"]).await
}

async fn pair_allowing(allow: &[&str]) -> (Server, Server) {
    let cluster = Server::start().await;
    let answer = || async { Json(json!({ "completed": true, "from": "cluster" })) };
    let router = Router::new()
        .route("/_tasks/{task_id}", get(answer))
        .route("/_watcher/stats", get(answer))
        .fallback_service(cluster.app.router());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let server = Server::with(|config: &mut Config| {
        config.store = Some(store::Config::Cluster(ClusterConfig::new(vec![address])));
        config.store_gateway = true;
        config.store_gateway_allow = allow.iter().map(|name| (*name).to_owned()).collect();
    });
    (server.await, cluster)
}

async fn settings(server: &Server) -> Value {
    server.get("/_cluster/settings").await.json()["persistent"].clone()
}

#[tokio::test]
async fn what_concerns_the_cluster_is_passed_on_and_the_rest_is_not() {
    let (server, cluster) = pair().await;
    // Tasks of another node, and what this service does not have.
    assert_eq!(server.get("/_tasks/other:7").await.json()["from"], "cluster");
    assert_eq!(server.get("/_watcher/stats").await.json()["from"], "cluster");
    let own = server.get("/_tasks/embedded:7").await;
    assert_eq!(
        own.failure(),
        "404 resource_not_found_exception: task [embedded:7] isn't running and hasn't stored its results"
    );

    // Settings of this service change it, and not the cluster.
    let limit = r#"{"persistent":{"xpack":{"ml":{"max_model_memory_limit":"9gb"}}}}"#;
    let changed = server.call("PUT", "/_cluster/settings", limit).await;
    assert_eq!(changed.json()["acknowledged"], true, "{}", changed.text);
    assert_eq!(server.get("/_ml/info").await.json()["limits"]["max_model_memory_limit"], "9gb");
    assert_eq!(settings(&cluster).await, json!({}));

    // All others change the cluster.
    let logger = r#"{"persistent":{"logger.org.elasticsearch":"debug"}}"#;
    let changed = server.call("PUT", "/_cluster/settings", logger).await;
    assert_eq!(changed.json()["acknowledged"], true, "{}", changed.text);
    assert_eq!(settings(&cluster).await["logger"]["org"]["elasticsearch"], "debug");
    assert_eq!(settings(&server).await, settings(&cluster).await);
    let both = r#"{"transient":{"logger.a":"debug","xpack.ml.max_model_memory_limit":"8gb"}}"#;
    let refused = server.call("PUT", "/_cluster/settings", both).await.failure();
    assert!(refused.contains("[xpack.ml.max_model_memory_limit] and of the cluster [logger.a]"), "{refused}");

    // The features' state is this service's, so that a reset takes its jobs and nothing of the cluster.
    let job = r#"{"analysis_config":{"detectors":[{"function":"count"}]},"data_description":{}}"#;
    assert_eq!(server.call("PUT", "/_ml/anomaly_detectors/a", job).await.status, 200);
    assert_eq!(server.call("POST", "/_features/_reset", "").await.status, 200);
    assert_eq!(server.get("/_ml/anomaly_detectors").await.json()["count"], 0);
    server.app.shutdown().await;
}

#[tokio::test]
async fn a_step_up_in_a_path_never_reaches_the_cluster() {
    let (server, cluster) = pair_allowing(&["*"]).await;
    cluster.call("PUT", "/src/_doc/1?refresh=true", r#"{"n":1}"#).await;
    for path in ["/src/_doc/%2e%2e", "/src/_doc/.%2E", "/src/_doc/%252e%252e", "/src/_doc/..%2f..%2fsrc"] {
        let refused = server.call("DELETE", path, "").await;
        assert_eq!(refused.status, 400, "{path}: {}", refused.text);
    }
    assert_eq!(cluster.get("/src/_count").await.json()["count"], 1);
    assert_eq!(server.get("/src/_count").await.json()["count"], 1);
}

#[tokio::test]
async fn what_rules_the_cluster_is_refused_unless_it_is_named() {
    let (server, cluster) = pair_allowing(&["_ilm"]).await;
    for (method, path) in [
        ("GET", "/_security/user"),
        ("PUT", "/_snapshot/r"),
        ("PUT", "/_cluster/settings"),
        ("POST", "/_cluster/reroute"),
        ("GET", "/_nodes/hot_threads"),
        ("PUT", "/_scripts/x"),
    ] {
        let body = r#"{"persistent":{"logger.org.elasticsearch":"debug"}}"#;
        let refused = server.call(method, path, if method == "GET" { "" } else { body }).await;
        assert_eq!(refused.status, 403, "{path}: {}", refused.text);
        assert!(refused.text.contains("store_gateway_allow"), "{path}: {}", refused.text);
    }
    assert_eq!(settings(&cluster).await, json!({}));
    // What is named is asked of the cluster, whatever it says to it.
    assert_ne!(server.call("PUT", "/_ilm/policy/p", "{}").await.status, 403);
    let remote = r#"{"source":{"remote":{"host":"http://x"},"index":"a"},"dest":{"index":"b"}}"#;
    assert_eq!(server.call("POST", "/_reindex", remote).await.status, 403);
}
