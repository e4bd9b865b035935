//! The cluster adapter and what goes wrong between it and a cluster: a scripted server on a socket of its own.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use store::{BulkOp, ClusterConfig, Config, Error, IndicesOptions, ScanRequest, Secret, Store, open};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use types::time::SystemClock;

/// What the server does with the next request.
enum Play {
    /// Answers.
    Answer(u16, Value),
    /// Takes the request and hangs up.
    HangUp,
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
            if let Play::Answer(status, body) = play {
                let body = body.to_string();
                let head = format!(
                    "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                stream.write_all((head + &body).as_bytes()).await.unwrap();
            }
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
    for (source, ours) in [(json!({"x": 1}), true), (json!({"x": 2}), false)] {
        let (store, _) = one(vec![Play::HangUp, conflict(), stored(source)]).await;
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

#[tokio::test]
async fn a_page_of_a_scroll_that_was_lost_ends_the_scan() {
    let no_points = || Play::Answer(405, json!({"error": "no handler found", "status": 405}));
    let hit = json!({"fields": {"t": ["5"]}, "sort": [5, 0]});
    let first = Play::Answer(200, json!({"_scroll_id": "s", "hits": {"hits": [hit]}}));
    let (store, heard) = one(vec![no_points(), no_points(), first, Play::HangUp]).await;
    let request = ScanRequest {
        indices: vec!["far:logs-*".to_owned()],
        query: json!({"match_all": {}}),
        runtime_mappings: None,
        script_fields: None,
        time_field: "t".to_owned(),
        start_ms: 0,
        end_ms: 9,
        fields: Vec::new(),
        page_size: 1,
        options: IndicesOptions::default(),
    };
    let mut scan = store.scan(request).await.unwrap();
    assert_eq!(scan.next().await.unwrap().unwrap().times_ms, [5]);
    assert!(scan.next().await.unwrap_err().is_transient());
    assert!(scan.next().await.unwrap().is_none());
    let heard = heard.lock().unwrap();
    assert!(heard[3].starts_with("POST /far%3Alogs-*/_search?"), "{}", heard[3]);
    assert!(heard[3].contains(r#"{"_seq_no":{"order":"asc"}}"#));
    assert_eq!(heard.len(), 5, "the lost page was not asked for twice");
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
