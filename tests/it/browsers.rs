//! Requests that pages of other sites make a browser send, and those of programs that are no browsers.

use axum::body::Body;
use axum::http::{HeaderMap, Request};
use tower::ServiceExt;

use crate::server::Server;

const OLD_BROWSER: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36";
const JSON: (&str, &str) = ("content-type", "application/json");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const FORM_JSON: (&str, &str) = ("content-type", "text/plain; charset=UTF-8");

/// A server with a job and an index, which nothing below may lose or change.
async fn server() -> Server {
    let server = Server::start().await;
    assert_eq!(server.call("PUT", "/_ml/anomaly_detectors/j", crate::jobs::JOB).await.status, 200);
    assert_eq!(server.call("PUT", "/i/_doc/1", r#"{"a":1}"#).await.status, 201);
    server
}

async fn status(server: &Server, method: &str, uri: &str, headers: &[(&str, &str)], body: &str) -> u16 {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = server.send(request.body(Body::from(body.to_owned())).unwrap()).await;
    let allowed: Vec<_> =
        answer.headers.keys().filter(|name| name.as_str().starts_with("access-control-")).collect();
    assert!(allowed.is_empty(), "{method} {uri}: {allowed:?}");
    assert_eq!(answer.headers["cross-origin-resource-policy"], "same-origin", "{method} {uri}");
    assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{method} {uri}");
    answer.status.as_u16()
}

#[tokio::test]
async fn pages_of_other_sites_change_nothing() {
    let server = server().await;
    let senders: [&[(&str, &str)]; 9] = [
        &[("origin", "http://evil.example")],
        &[("origin", "null"), ("sec-fetch-site", "same-origin")],
        &[("origin", "http://localhost:8000"), ("host", "localhost:9280"), ("sec-fetch-site", "same-site")],
        &[("origin", "https://localhost:9280.evil.example"), ("host", "localhost:9280")],
        &[("origin", "chrome-extension://abcdef"), ("sec-fetch-site", "none")],
        &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")],
        &[("sec-fetch-site", "same-site")],
        &[("referer", "http://evil.example/"), ("user-agent", OLD_BROWSER)],
        &[("user-agent", OLD_BROWSER)],
    ];
    for sender in senders {
        for (method, uri) in [
            ("DELETE", "/i"),
            ("DELETE", "/i/_doc/1"),
            ("POST", "/i/_close"),
            ("POST", "/i/_delete_by_query?q=a:1"),
            ("POST", "/_ml/anomaly_detectors/j/_open"),
            ("POST", "/_xpack/ml/anomaly_detectors/j/_open/"),
            ("POST", "/_ml/set_upgrade_mode?enabled=true"),
            ("GET", "/_refresh"),
            ("GET", "/i/_flush/"),
            ("GET", "/i/%5fflush"),
            ("HEAD", "/_forcemerge"),
            ("GET", "/_cache/clear"),
            ("GET", "/i/_search?scroll=1m"),
            ("GET", "/_search/scroll?scroll_id=x"),
        ] {
            assert_eq!(status(&server, method, uri, sender, "").await, 403, "{method} {uri} {sender:?}");
        }
        // With a body, whatever type it has.
        let with = |kind| [sender, &[kind]].concat();
        for kind in [FORM, FORM_JSON, ("content-type", "multipart/form-data; boundary=x")] {
            let refused = status(&server, "POST", "/i/_doc", &with(kind), r#"{"a":2}"#).await;
            assert!([403, 406].contains(&refused), "{kind:?} {sender:?}: {refused}");
        }
        let refused = status(&server, "POST", "/_bulk", sender, "{\"index\":{\"_index\":\"i\"}}\n{}\n").await;
        assert!([403, 406].contains(&refused), "{sender:?}");
        if sender.len() > 1 && sender[0].0 == "origin" {
            assert_eq!(status(&server, "POST", "/i/_doc", &with(JSON), "{}").await, 403, "{sender:?}");
        }
    }
    assert_eq!(server.get("/i/_count").await.json()["count"], 1);
    let stats = server.get("/_ml/anomaly_detectors/j/_stats").await.json();
    assert_eq!(stats["jobs"][0]["state"], "closed");
}

#[tokio::test]
async fn forms_are_refused_even_when_the_browser_says_nothing() {
    let server = server().await;
    for kind in [FORM, FORM_JSON, ("content-type", "Multipart/Form-Data; boundary=x")] {
        for (method, uri, body) in [
            ("POST", "/i/_doc", r#"{"a":2}"#),
            ("POST", "/_bulk", "{\"index\":{\"_index\":\"i\"}}\n{}\n"),
            ("POST", "/_ml/anomaly_detectors/j/_data", "{}"),
            ("POST", "/_ml/anomaly_detectors/j/_open", "a=b"),
            // A form without fields.
            ("POST", "/_ml/anomaly_detectors/j/_open", ""),
        ] {
            assert_eq!(status(&server, method, uri, &[kind], body).await, 406, "{uri} {kind:?}");
        }
    }
    let request = Request::post("/i/_doc").header("content-type", "text/plain;charset=UTF-8");
    let refused = server.send(request.body(Body::from("{}")).unwrap()).await.failure();
    assert_eq!(refused, "406 Content-Type header [text/plain;charset=UTF-8] is not supported");
    // A text whose structure is asked for is one.
    let lines = "a,b\n1,2\n3,4\n5,6\n";
    let find = "/_text_structure/find_structure?format=delimited";
    assert_eq!(status(&server, "POST", find, &[("content-type", "text/plain")], lines).await, 200);
    let browser = [("content-type", "text/plain"), ("user-agent", OLD_BROWSER)];
    assert_ne!(status(&server, "POST", find, &browser, lines).await, 200);
}

#[tokio::test]
async fn programs_and_own_pages_do_everything() {
    let server = server().await;
    let senders: [&[(&str, &str)]; 11] = [
        &[],
        &[("user-agent", "curl/8.5.0"), ("accept", "*/*")],
        // `curl -d ''`, and a library that always names a type.
        &[("user-agent", "curl/8.5.0"), FORM],
        &[("user-agent", "python-requests/2.32"), ("accept", "*/*")],
        &[("user-agent", "node"), ("sec-fetch-mode", "cors")],
        &[("user-agent", "Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.26100")],
        &[("user-agent", OLD_BROWSER), JSON],
        &[("user-agent", OLD_BROWSER), ("kbn-xsrf", "true")],
        &[
            ("user-agent", OLD_BROWSER),
            ("host", "localhost:9280"),
            ("referer", "http://localhost:9280/api-specs"),
        ],
        &[("host", "localhost:9280"), ("origin", "http://localhost:9280"), ("sec-fetch-site", "same-origin")],
        &[("host", "LOCALHOST:80"), ("origin", "http://localhost")],
    ];
    for sender in senders {
        for (method, uri) in [
            ("POST", "/_ml/anomaly_detectors/j/_open"),
            ("POST", "/_ml/anomaly_detectors/j/_close"),
            ("POST", "/i/_close"),
            ("POST", "/i/_open"),
            ("GET", "/_refresh"),
            ("DELETE", "/_ml/_delete_expired_data"),
        ] {
            assert_eq!(status(&server, method, uri, sender, "").await, 200, "{method} {uri} {sender:?}");
        }
    }
    // Reading is not refused: a page does not see what comes.
    let foreign = [("origin", "http://evil.example"), ("sec-fetch-site", "cross-site")];
    assert_eq!(status(&server, "GET", "/_cat/indices", &foreign, "").await, 200);
    let preflight = [foreign[0], ("access-control-request-method", "DELETE")];
    assert_eq!(status(&server, "OPTIONS", "/i", &preflight, "").await, 200);
}

#[tokio::test]
async fn only_own_names_are_answered() {
    let server = server().await;
    let asked = |host: &'static str, origin: &'static str| {
        let request = Request::delete("/i").header("host", host).header("origin", origin);
        server.send(request.header("sec-fetch-site", "same-origin").body(Body::empty()).unwrap())
    };
    let refused = asked("evil.example:9280", "http://evil.example:9280").await;
    assert_eq!(refused.status, 421);
    assert!(refused.failure().contains("allowed_hosts"), "{}", refused.text);
    assert_eq!(refused.headers["x-elastic-product"], "Elasticsearch");
    let without = Request::get("/").body(Body::empty()).unwrap();
    assert_eq!(server.app.router().oneshot(without).await.unwrap().status(), 400);
    assert_eq!(server.get("/i/_count").await.json()["count"], 1);
}

#[tokio::test]
async fn a_page_behind_a_proxy_is_named_in_the_settings() {
    let server = Server::with(|config| {
        let variables = [("AUSPEX_ALLOWED_HOSTS".to_owned(), "ml.example".to_owned())];
        let read = auspex::config::Config::load(None, variables.into_iter(), Default::default()).unwrap();
        config.allowed_hosts = read.allowed_hosts;
    });
    let server = server.await;
    // The proxy keeps the name, or puts the address of the server in its place.
    for host in ["ml.example", "127.0.0.1:9280"] {
        for (origin, expected) in [
            ("https://ml.example", 200),
            ("http://ml.example", 200),
            ("https://ml.example:8443", 403),
            ("https://evil.example", 403),
        ] {
            let headers = [("host", host), ("origin", origin)];
            assert_eq!(status(&server, "POST", "/_refresh", &headers, "").await, expected, "{host} {origin}");
        }
    }
}

#[tokio::test]
async fn the_page_may_do_only_what_it_says() {
    let server = server().await;
    let page = server.get("/api-specs").await;
    let header = |headers: &HeaderMap, name: &str| headers[name].to_str().unwrap().to_owned();
    let policy = header(&page.headers, "content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(policy.matches("'sha256-").count(), 2, "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(header(&page.headers, "x-frame-options"), "DENY");
    assert_eq!(header(&page.headers, "referrer-policy"), "no-referrer");
    // What the policy does not cover would not run.
    assert_eq!(page.text.matches("<script").count(), page.text.matches("<script>").count());
    assert!(!regex::Regex::new(r#"<[^>]*\s(on[a-z]+|style)="#).unwrap().is_match(&page.text));
    let answer = server.get("/_cat/indices").await;
    assert!(header(&answer.headers, "content-security-policy").starts_with("default-src 'none'"));
}
