//! Clients that ask too much, send too much, are slow, or go away.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::listening::Listening;
use crate::server::Server;

/// A request whose body has been announced and not sent.
const ANNOUNCED: &str = "POST /i/_doc HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 12\r\nconnection: close\r\n\r\n";

async fn connect(server: &Listening) -> TcpStream {
    TcpStream::connect(server.address).await.unwrap()
}

/// Sends text and reads until the answer has come and the server has nothing more to say.
async fn ask(server: &Listening, text: &str) -> String {
    let mut stream = connect(server).await;
    stream.write_all(text.as_bytes()).await.unwrap();
    rest(stream).await
}

async fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    // A connection that is cut off is an end as well.
    let reading = stream.read_to_end(&mut bytes);
    let _ = tokio::time::timeout(Duration::from_secs(30), reading).await.expect("the server answers");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
}

/// The JSON of an answer.
fn body(answer: &str) -> Value {
    let start = answer.find('{').unwrap_or_else(|| panic!("no JSON in {answer:?}"));
    let end = answer.rfind('}').unwrap();
    serde_json::from_str(&answer[start..=end]).unwrap()
}

#[tokio::test]
async fn what_is_too_much_at_once_is_refused_and_served_later() {
    let server = Listening::with(|config| config.concurrency_max = 1).await;
    let mut slow = connect(&server).await;
    slow.write_all(ANNOUNCED.as_bytes()).await.unwrap();
    // The first request counts from when its head has been read, which nobody tells.
    let refused = async {
        loop {
            let answer = ask(&server, &get("/")).await;
            if answer.starts_with("HTTP/1.1 429 ") {
                return answer;
            }
        }
    };
    let answer = tokio::time::timeout(Duration::from_secs(30), refused).await.expect("the limit is kept");
    assert_eq!(body(&answer)["error"]["type"], "es_rejected_execution_exception");
    assert!(answer.contains("x-elastic-product: Elasticsearch"), "{answer}");

    slow.write_all(br#"{"a": "1234"#).await.unwrap();
    slow.write_all(b" ").await.unwrap();
    let answer = rest(slow).await;
    assert!(
        answer.starts_with("HTTP/1.1 400 "),
        "twelve bytes that end within a string are no JSON: {answer}"
    );
    assert!(ask(&server, &get("/")).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_client_that_does_not_send_what_it_announced_is_told_that_time_is_up() {
    let server = Listening::with(|config| config.request_timeout = Duration::from_millis(100)).await;
    let answer = ask(&server, ANNOUNCED).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert_eq!(body(&answer)["error"]["type"], "timeout_exception");
    assert!(ask(&server, &get("/_count")).await.starts_with("HTTP/1.1 200 "));
    let count = server.server.get("/_count").await.json();
    assert_eq!(count["count"], 0, "nothing was written");
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_no_trace() {
    let server = Listening::with(|config| config.concurrency_max = 2).await;
    for _ in 0..20 {
        let mut stream = connect(&server).await;
        stream.write_all(ANNOUNCED.as_bytes()).await.unwrap();
        stream.write_all(b"{\"a\"").await.unwrap();
        drop(stream);
    }
    // Requests of clients that are gone give their places back.
    let served = async { while !ask(&server, &get("/")).await.starts_with("HTTP/1.1 200 ") {} };
    tokio::time::timeout(Duration::from_secs(30), served).await.expect("there is room again");
    assert_eq!(server.server.get("/_count").await.json()["count"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_one_of_many_clients_gets_an_answer() {
    let server = std::sync::Arc::new(Listening::with(|config| config.concurrency_max = 4).await);
    let clients: Vec<_> = (0..64)
        .map(|_| {
            let server = std::sync::Arc::clone(&server);
            tokio::spawn(async move {
                let mut statuses = Vec::new();
                for _ in 0..5 {
                    let answer = ask(&server, &get("/_search?q=a:1")).await;
                    statuses.push(answer.get(9..12).unwrap_or_default().to_owned());
                }
                statuses
            })
        })
        .collect();
    let mut served = 0;
    for client in clients {
        for status in client.await.unwrap() {
            assert!(["200", "429"].contains(&status.as_str()), "{status:?}");
            served += usize::from(status == "200");
        }
    }
    assert!(served > 0);
    let metrics = server.server.get("/metrics").await.text;
    assert!(metrics.contains("auspex_http_answers_total{class=\"5xx\"} 0\n"), "{metrics}");
}

#[tokio::test]
async fn a_body_of_unknown_length_is_cut_off_at_the_limit() {
    let server = Listening::with(|config| config.body_limit_bytes = 1000).await;
    let head = "POST /i/_bulk HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
    let chunk = format!("200\r\n{}\r\n", "x".repeat(0x200));
    let answer = ask(&server, &format!("{head}{chunk}{chunk}{chunk}0\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert_eq!(body(&answer)["error"]["type"], "content_too_long_exception");
}

#[tokio::test]
async fn a_small_body_that_unpacks_to_a_large_one_is_refused() {
    let server = Server::with(|config| config.body_limit_bytes = 1 << 20).await;
    let mut gzip = Command::new("gzip").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = gzip.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&vec![b' '; 16 << 20]));
    let packed = gzip.wait_with_output().unwrap().stdout;
    writer.join().unwrap().unwrap();
    assert!(packed.len() < 1 << 17);
    let request = Request::post("/i/_bulk")
        .header("content-type", "application/x-ndjson")
        .header("content-encoding", "gzip");
    let answer = server.send(request.body(Body::from(packed)).unwrap()).await;
    assert_eq!(answer.status, 413, "{}", answer.text);
}

#[tokio::test]
async fn what_is_no_http_is_refused_and_the_server_goes_on() {
    let server = Listening::start().await;
    let long = format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "a".repeat(1 << 20));
    for text in ["\0\u{1}\u{2}\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", long.as_str()] {
        let answer = ask(&server, text).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    assert!(ask(&server, &get("/")).await.starts_with("HTTP/1.1 200 "));
}

/// Reads one answer and leaves the connection open: its head, and the body that it announces.
async fn one_answer(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&answer).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let announced = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= announced.map_or(0, |length| length.parse().unwrap()) {
                return text;
            }
        }
        let read = stream.read(&mut piece).await.unwrap();
        assert!(read > 0, "the connection ended in the middle of {text:?}");
        answer.extend_from_slice(&piece[..read]);
    }
}

#[tokio::test]
async fn an_answer_before_the_body_is_read_leaves_the_connection_as_it_is() {
    let server = Listening::start().await;
    let mut stream = connect(&server).await;
    for (path, length) in [
        ("/_search?nonsense=1", 300_000),
        ("/nowhere/x/y/z", 100_000),
        ("/_ml/anomaly_detectors/nobody/_data", 300_000),
    ]
    .into_iter()
    .cycle()
    .take(30)
    {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&vec![b' '; length]).await.unwrap();
        let answer = one_answer(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{path}: {answer}");
        assert!(!answer.to_ascii_lowercase().contains("connection: close"), "{path}: {answer}");
    }
}

#[tokio::test]
async fn an_answer_without_a_body_takes_every_form() {
    let server = Server::start().await;
    server.call("PUT", "/src/_doc/1?refresh=true", r#"{"n":1}"#).await;
    for path in [
        "/?pretty",
        "/src?filter_path=*",
        "/src?pretty",
        "/src/_doc/1?filter_path=a",
        "/src?format=yaml",
        "/_ml/anomaly_detectors?human",
        "/src?error_trace=true",
        "/nowhere?pretty",
    ] {
        let status = server.call("HEAD", path, "").await.status;
        assert!(status.as_u16() < 500, "{path}: {status}");
    }
}

#[tokio::test]
async fn scrolls_are_bounded_and_all_of_them_can_be_ended() {
    let server = Server::start().await;
    server.call("PUT", "/src/_doc/1?refresh=true", r#"{"n":1}"#).await;
    for _ in 0..500 {
        assert_eq!(server.call("POST", "/src/_search?scroll=1m", "").await.status, 200);
    }
    let refused = server.call("POST", "/src/_search?scroll=1m", "").await;
    assert_eq!(refused.status, 429, "{}", refused.text);
    let long = server.call("POST", "/src/_search?scroll=25h", "").await;
    assert!(long.status.as_u16() == 400 && long.text.contains("search.max_keep_alive"), "{}", long.text);
    assert_eq!(server.call("DELETE", "/_search/scroll/_all", "").await.json()["num_freed"], 500);
    assert_eq!(server.call("DELETE", "/_search/scroll/_all", "").await.status, 200);
    assert_eq!(server.call("POST", "/src/_search?scroll=1m", "").await.status, 200);
}
