//! Finding the structure of texts that a scenario cannot hold: very long lines, other character sets, searches that take long.

use axum::body::Body;
use axum::http::Request;

use crate::server::{Answer, Server};

async fn found(server: &Server, query: &str, text: impl Into<Body>) -> Answer {
    let uri = format!("/_text_structure/find_structure?{query}");
    let request = Request::post(uri).header("content-type", "text/plain").body(text.into()).unwrap();
    server.send(request).await
}

#[tokio::test]
async fn lines_of_thousands_of_values_are_answered() {
    let server = Server::start().await;
    let line = "1 ".repeat(25_000);
    let answer = found(&server, "format=semi_structured_text", format!("{line}\n{line}\n")).await;
    let pattern = answer.json()["grok_pattern"].as_str().unwrap_or_default().to_owned();
    assert!(pattern.starts_with("%{INT") && pattern.ends_with(".*"), "{}", answer.text);
}

#[tokio::test]
async fn a_search_ends_with_its_timeout() {
    let server = Server::start().await;
    let line = format!("{}\n", "alpha 1 beta ".repeat(300));
    let answer = found(&server, "timeout=0s", line.repeat(1000)).await;
    let reason = "Aborting structure analysis as it has taken longer than the timeout of [0s]";
    assert_eq!(answer.failure(), format!("429 timeout_exception: {reason}"));
}

#[tokio::test]
async fn character_sets_and_marks_are_told() {
    let server = Server::start().await;
    let text = "alpha 1\nbeta 2\n";
    let little = |mark: bool| -> Vec<u8> {
        let mark = if mark { "\u{feff}" } else { "" };
        format!("{mark}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
    };
    for (query, body, charset, has_mark) in [
        ("explain", text.as_bytes().to_vec(), "UTF-8", false),
        ("explain", little(true), "UTF-16LE", true),
        ("explain&charset=UTF-16", little(true), "UTF-16LE", true),
        ("explain&charset=UTF-16LE", little(false), "UTF-16LE", false),
    ] {
        let answer = found(&server, query, body).await.json();
        assert_eq!(answer["charset"], charset, "{query}: {answer}");
        assert_eq!(answer["has_byte_order_marker"], has_mark, "{query}: {answer}");
        assert_eq!(answer["explanation"][0], format!("Using character encoding [{charset}]"));
        assert_eq!(answer["sample_start"], text, "{query}: {answer}");
    }
}
