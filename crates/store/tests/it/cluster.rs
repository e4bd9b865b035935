//! The cluster adapter and what goes wrong between it and a cluster: a scripted server on a socket of its own.

use std::sync::{Arc, Mutex};

use reqwest::Method;
use serde_json::{Value, json};
use store::{
    BulkOp, ClusterConfig, Config, Error, Forward, ForwardBody, Gateway, IndicesOptions, ScanRequest, Secret,
    Store, open,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use types::time::SystemClock;

/// What the server does with the next request.
enum Play {
    /// Answers.
    Answer(u16, Value),
    /// Takes the request and hangs up.
    HangUp,
    /// Sends the asker elsewhere.
    Redirect(String),
}

/// Requests as they came: first line, headers and body.
type Heard = Arc<Mutex<Vec<String>>>;

/// A server that does what the script says, one request after the other.
async fn server(script: Vec<Play>) -> (String, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let heard = Heard::default();
    let told = Arc::clone(&heard);
    tokio::spawn(async move {
        for play in script {
            let (mut stream, _) = listener.accept().await.unwrap();
            let text = request(&mut stream).await;
            told.lock().unwrap().push(text);
            let (status, body, more) = match play {
                Play::Answer(status, body) => (status, body.to_string(), String::new()),
                Play::Redirect(to) => (302, String::new(), format!("location: {to}\r\n")),
                Play::HangUp => continue,
            };
            let head = format!(
                "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{more}connection: close\r\n\r\n",
                body.len()
            );
            stream.write_all((head + &body).as_bytes()).await.unwrap();
        }
    });
    (url, heard)
}

async fn request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let mut part = [0; 4096];
        let read = stream.read(&mut part).await.unwrap();
        bytes.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        if read == 0 || body.len() >= length.unwrap_or(0) {
            return text;
        }
    }
}

fn hello() -> Play {
    Play::Answer(200, json!({"version": {"number": "8.19.0"}}))
}

async fn opened(config: ClusterConfig) -> store::Result<Arc<dyn Store>> {
    open(&Config::Cluster(config), Arc::new(SystemClock)).await
}

async fn one(script: Vec<Play>) -> (Arc<dyn Store>, Heard) {
    let (url, heard) = server([hello()].into_iter().chain(script).collect()).await;
    (opened(ClusterConfig::new(vec![url])).await.unwrap(), heard)
}

#[tokio::test]
async fn another_host_is_asked_when_one_is_away() {
    let away = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let found = Play::Answer(
        200,
        json!({"_index": "i", "_id": "1", "_seq_no": 1, "_primary_term": 1, "_source": {"x": 1}}),
    );
    let (url, _) = server(vec![hello(), found]).await;
    let store = opened(ClusterConfig::new(vec![format!("http://{away}"), url])).await.unwrap();
    assert_eq!(store.get("i", "1").await.unwrap().unwrap().source, json!({"x": 1}));
    let nobody = opened(ClusterConfig::new(vec![format!("http://{away}")])).await.unwrap_err();
    assert!(nobody.is_transient() && nobody.to_string().contains("refused"), "{nobody}");
}

#[tokio::test]
async fn a_busy_cluster_is_asked_again() {
    let busy =
        || Play::Answer(503, json!({"error": {"type": "unavailable", "reason": "later"}, "status": 503}));
    let (store, heard) = one(vec![busy(), Play::Answer(200, json!({"count": 3}))]).await;
    assert_eq!(store.count("i", &json!({"match_all": {}})).await.unwrap(), 3);
    assert_eq!(heard.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_not_a_conflict_with_itself() {
    let conflict = || {
        let error = json!({"type": "version_conflict_engine_exception", "reason": "there already"});
        Play::Answer(
            200,
            json!({"errors": true, "items": [{"create": {"_id": "1", "status": 409, "error": error}}]}),
        )
    };
    let stored = |source: Value| {
        Play::Answer(
            200,
            json!({"_index": "i", "_id": "1", "_seq_no": 7, "_primary_term": 2, "_source": source}),
        )
    };
    let late = || Play::Answer(504, json!("too slow"));
    for (lost, source, ours) in [
        (Play::HangUp, json!({"x": 1}), true),
        (late(), json!({"x": 1}), true),
        (late(), json!({"x": 2}), false),
    ] {
        let (store, _) = one(vec![lost, conflict(), stored(source)]).await;
        let outcomes = store.bulk(vec![BulkOp::create("i", "1", r#"{"x":1}"#.to_owned())]).await.unwrap();
        assert_eq!(outcomes[0].error.is_none(), ours);
        assert_eq!(outcomes[0].version.is_some_and(|version| version.seq_no == 7), ours);
    }
    let (store, _) = one(vec![conflict()]).await;
    let outcomes = store.bulk(vec![BulkOp::create("i", "1", "{}".to_owned())]).await.unwrap();
    assert!(
        matches!(outcomes[0].error, Some(Error::VersionConflict(_))),
        "nothing was lost, so it is not ours"
    );
}

fn no_points() -> Play {
    Play::Answer(405, json!({"error": "no handler found", "status": 405}))
}

fn page(id: &str) -> Play {
    let hit = json!({"fields": {"t": ["5"]}, "sort": [5, 0, 1]});
    let id_name = if id == "s" { "_scroll_id" } else { "pit_id" };
    Play::Answer(200, json!({id_name: id, "hits": {"hits": [hit]}}))
}

fn all_of(indices: &str) -> ScanRequest {
    ScanRequest {
        indices: vec![indices.to_owned()],
        query: json!({"match_all": {}}),
        runtime_mappings: None,
        script_fields: None,
        time_field: "t".to_owned(),
        start_ms: 0,
        end_ms: 9,
        fields: Vec::new(),
        page_size: 1,
        options: IndicesOptions::default(),
    }
}

#[tokio::test]
async fn a_page_of_a_scroll_that_was_lost_ends_the_scan() {
    let late = Play::Answer(504, json!("too slow"));
    for lost in [Play::HangUp, late] {
        let (store, heard) = one(vec![no_points(), no_points(), page("s"), lost]).await;
        let mut scan = store.scan(all_of("far:logs-*")).await.unwrap();
        assert_eq!(scan.next().await.unwrap().unwrap().times_ms, [5]);
        assert!(scan.next().await.unwrap_err().is_transient());
        assert!(scan.next().await.unwrap().is_none());
        let heard = heard.lock().unwrap();
        assert!(heard[3].starts_with("POST /far%3Alogs-*/_search?"), "{}", heard[3]);
        assert!(heard[3].contains(r#"{"_seq_no":{"order":"asc"}}"#));
        assert_eq!(heard.len(), 5, "the lost page was not asked for twice");
    }
}

#[tokio::test]
async fn a_refusal_for_another_reason_does_not_end_points_in_time_for_good() {
    let closed = || {
        let error = json!({"type": "index_closed_exception", "reason": "closed"});
        Play::Answer(400, json!({"error": error, "status": 400}))
    };
    let opened = || Play::Answer(200, json!({"id": "p"}));
    let script = vec![closed(), closed(), closed(), opened(), page("p"), page("p")];
    let (store, heard) = one(script).await;
    let mut first = store.scan(all_of("logs")).await.unwrap();
    assert!(first.next().await.is_err());
    let mut second = store.scan(all_of("logs")).await.unwrap();
    assert_eq!(second.next().await.unwrap().unwrap().times_ms, [5]);
    let heard = heard.lock().unwrap();
    assert!(heard[4].starts_with("POST /logs/_pit?"), "{}", heard[4]);
    assert!(heard[6].contains("_shard_doc"), "{}", heard[6]);
}

#[tokio::test]
async fn a_first_scan_that_meets_an_error_says_so() {
    let broken = Play::Answer(500, json!({"error": {"type": "x", "reason": "out of memory"}, "status": 500}));
    let script = vec![Play::Answer(200, json!({"id": "p"})), broken, Play::Answer(200, json!({}))];
    let (store, _) = one(script).await;
    let error = store.scan(all_of("logs")).await.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("out of memory"), "{error}");
}

#[tokio::test]
async fn long_removals_are_many_short_requests() {
    let removed = |deleted: u64, version_conflicts: u64| {
        let body = json!({"deleted": deleted, "version_conflicts": version_conflicts, "failures": []});
        Play::Answer(200, body)
    };
    let refreshed = Play::Answer(200, json!({}));
    let (store, heard) = one(vec![refreshed, removed(20_000, 0), removed(19_999, 1), removed(5, 0)]).await;
    assert_eq!(store.delete_by_query("i", &json!({"match_all": {}})).await.unwrap(), 40_004);
    let heard = heard.lock().unwrap();
    assert!(heard[2..].iter().all(|request| request.contains("max_docs=20000")), "{heard:?}");
}

#[tokio::test]
async fn indices_whose_mappings_are_old_get_the_new_ones() {
    let templates = store::indices::templates();
    let (name, body) = templates.into_iter().find(|(name, _)| *name == ".ml-anomalies-").unwrap();
    let now = body["template"]["mappings"].clone();
    let same_version = json!({"_meta": {"version": now["_meta"]["version"]}});
    let found =
        json!({".ml-anomalies-new": {"mappings": now}, ".ml-anomalies-old": {"mappings": same_version}});
    let ok = || Play::Answer(200, json!({"acknowledged": true}));
    let (store, heard) = one(vec![ok(), Play::Answer(200, found), ok()]).await;
    store.put_index_template(name, &body).await.unwrap();
    let heard = heard.lock().unwrap();
    assert!(heard[2].starts_with("GET /.ml-anomalies-*/_mapping?"), "{}", heard[2]);
    assert!(heard[3].starts_with("PUT /.ml-anomalies-old/_mapping"), "{}", heard[3]);
    assert_eq!(heard.len(), 4);
}

#[tokio::test]
async fn requests_that_are_passed_on_go_nowhere_else() {
    let (elsewhere, stolen) = server(vec![Play::Answer(200, json!({}))]).await;
    let (url, heard) = server(vec![Play::Answer(404, json!({})), Play::Redirect(elsewhere.clone())]).await;
    let mut config = ClusterConfig::new(vec![url]);
    config.api_key = Some(Secret::new("own"));
    let gateway = Gateway::new(&config).unwrap();
    let forward = |path: String| {
        let body = ForwardBody::Whole(Vec::new().into());
        gateway.forward(Forward {
            method: Method::GET,
            path_and_query: path,
            headers: Default::default(),
            body,
        })
    };
    assert_eq!(forward(format!("/{elsewhere}/x")).await.unwrap().status, 404);
    let redirected = forward("/far:logs-*/_search".to_owned()).await.unwrap();
    assert_eq!(
        (redirected.status.as_u16(), &redirected.headers["location"]),
        (302, &elsewhere.parse().unwrap())
    );
    let heard = heard.lock().unwrap();
    assert!(heard[0].starts_with(&format!("GET /{elsewhere}/x HTTP")), "{}", heard[0]);
    assert!(heard[1].starts_with("GET /far:logs-*/_search HTTP"), "{}", heard[1]);
    assert!(stolen.lock().unwrap().is_empty(), "credentials stay with the cluster");
}

#[tokio::test]
async fn credentials_go_with_every_request() {
    for (set, expected) in [
        (
            Box::new(|c: &mut ClusterConfig| c.bearer_token = Some(Secret::new("tok")))
                as Box<dyn Fn(&mut _)>,
            "Bearer tok",
        ),
        (Box::new(|c: &mut ClusterConfig| c.api_key = Some(Secret::new("a2V5"))), "ApiKey a2V5"),
        (
            Box::new(|c: &mut ClusterConfig| {
                (c.username, c.password) = (Some("u".to_owned()), Some(Secret::new("p")));
            }),
            "Basic dTpw",
        ),
    ] {
        let (url, heard) = server(vec![hello()]).await;
        let mut config = ClusterConfig::new(vec![url]);
        set(&mut config);
        opened(config).await.unwrap();
        assert!(heard.lock().unwrap()[0].contains(&format!("authorization: {expected}")));
    }
}

#[tokio::test]
async fn what_is_no_cluster_is_refused() {
    let (url, _) = server(vec![Play::Answer(200, json!({"hello": "world"}))]).await;
    let error = opened(ClusterConfig::new(vec![url])).await.unwrap_err();
    assert!(error.to_string().contains("neither Elasticsearch nor OpenSearch"), "{error}");
}
