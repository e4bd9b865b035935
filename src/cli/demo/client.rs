//! Asks the service over HTTP, as any client would.

use serde_json::Value;

use crate::cli::CliError;

/// A client of one service.
#[derive(Clone, Debug)]
pub(super) struct Client {
    base: String,
    http: reqwest::Client,
}

impl Client {
    pub(super) fn new(base: &str) -> Self {
        Self { base: base.to_owned(), http: reqwest::Client::new() }
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, CliError> {
        self.answer(path, self.http.get(self.url(path))).await
    }

    pub(super) async fn put(&self, path: &str, body: &Value) -> Result<Value, CliError> {
        self.answer(path, self.http.put(self.url(path)).json(body)).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, CliError> {
        self.answer(path, self.http.post(self.url(path)).json(body)).await
    }

    /// Sends lines of JSON.
    pub(super) async fn post_lines(&self, path: &str, lines: String) -> Result<Value, CliError> {
        let request =
            self.http.post(self.url(path)).header("content-type", "application/x-ndjson").body(lines);
        self.answer(path, request).await
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    async fn answer(&self, path: &str, request: reqwest::RequestBuilder) -> Result<Value, CliError> {
        let failed = |reason: String| CliError::Serve(format!("the request to {path} failed: {reason}"));
        let answer = request.send().await.map_err(|e| failed(e.to_string()))?;
        let status = answer.status();
        let text = answer.text().await.map_err(|e| failed(e.to_string()))?;
        let body: Value = serde_json::from_str(&text).map_err(|e| failed(format!("{status}: {e}")))?;
        if status.is_success() {
            return Ok(body);
        }
        let reason = body.pointer("/error/reason").and_then(Value::as_str).unwrap_or(&text);
        Err(failed(format!("{status}: {reason}")))
    }
}
