//! A server in process, with a folder and a clock of its own.

use std::sync::Arc;

use auspex::app::App;
use auspex::config::Config;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use serde_json::Value;
use tempfile::TempDir;
use testkit::MockClock;
use tower::ServiceExt;

/// 2026-01-01T00:00:00Z.
pub(crate) const NOW_MS: i64 = 1_767_225_600_000;

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) app: App,
    /// Stands still until the test moves it.
    pub(crate) clock: Arc<MockClock>,
    _folder: TempDir,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// Status and body in one value, for snapshots.
    pub(crate) fn shown(&self) -> Value {
        serde_json::json!({ "status": self.status.as_u16(), "body": self.json() })
    }

    /// Status, exception type and reason of a failure.
    pub(crate) fn failure(&self) -> String {
        let body = self.json();
        let error = &body["error"];
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        match error.as_str() {
            Some(alone) => format!("{} {alone}", self.status.as_u16()),
            None => format!("{} {}: {}", self.status.as_u16(), text("type"), text("reason")),
        }
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// With a clock that follows the time of a paused runtime.
    pub(crate) async fn following() -> Self {
        Self::under(MockClock::following(NOW_MS), |_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::under(MockClock::at(NOW_MS), change).await
    }

    async fn under(clock: MockClock, change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::local(folder.path());
        change(&mut config);
        let clock = Arc::new(clock);
        let app = App::open(config, clock.clone()).await.unwrap();
        Self { app, clock, _folder: folder }
    }

    pub(crate) async fn send(&self, mut request: Request<Body>) -> Answer {
        // What clients do by themselves.
        request.headers_mut().entry(header::HOST).or_insert(HeaderValue::from_static("localhost"));
        let response = self.app.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    /// Sends a JSON body, or none when it is empty.
    pub(crate) async fn call(&self, method: &str, uri: &str, body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(uri);
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    pub(crate) async fn get(&self, uri: &str) -> Answer {
        self.call("GET", uri, "").await
    }
}
