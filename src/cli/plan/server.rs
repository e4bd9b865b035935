//! Requests to the server whose configuration is planned: Auspex, or any other that speaks the API.

use serde::Serialize;
use serde_json::Value;

use super::PlanError;

/// A request that changes something.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Step {
    pub(super) method: &'static str,
    pub(super) path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<Value>,
    /// Lines for `_bulk`, too long to be shown.
    #[serde(skip)]
    lines: Option<String>,
}

impl Step {
    pub(super) fn new(method: &'static str, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), body: None, lines: None }
    }

    pub(super) fn with(method: &'static str, path: impl Into<String>, body: Value) -> Self {
        Self { method, path: path.into(), body: Some(body), lines: None }
    }

    /// Writes documents to aliases. An item that is refused, or whose alias is not there, makes the step fail.
    pub(super) fn bulk(lines: String) -> Self {
        Self { lines: Some(lines), ..Self::new("POST", "/_bulk?refresh=true&require_alias=true") }
    }
}

/// One server.
#[derive(Clone, Debug)]
pub(super) struct Server {
    base: String,
    api_key: Option<String>,
    /// Stands before the names of the service's own indices.
    index_prefix: String,
    http: reqwest::Client,
}

impl Server {
    /// `base` is the address, with a name and a password in it if the server asks for them.
    pub(super) fn new(base: &str, api_key: Option<&str>, index_prefix: &str) -> Self {
        let base = base.trim_end_matches('/').to_owned();
        let (api_key, index_prefix) = (api_key.map(str::to_owned), index_prefix.to_owned());
        Self { base, api_key, index_prefix, http: reqwest::Client::new() }
    }

    /// The name under which one of the service's own indices is found.
    pub(super) fn index(&self, name: &str) -> String {
        format!("{}{name}", self.index_prefix)
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, PlanError> {
        self.send(&Step::new("GET", path)).await
    }

    /// `None` when it is not there, or when the server has no such resource at all.
    pub(super) async fn find(&self, path: &str) -> Result<Option<Value>, PlanError> {
        match self.get(path).await {
            Ok(answer) => Ok(Some(answer)),
            Err(PlanError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Result<Value, PlanError> {
        self.send(&Step::with("POST", path, body)).await
    }

    pub(super) async fn send(&self, step: &Step) -> Result<Value, PlanError> {
        let mut request = self.request(step.method, &step.path);
        if let Some(body) = &step.body {
            request = request.json(body);
        }
        if let Some(lines) = &step.lines {
            request = request.header("content-type", "application/x-ndjson").body(lines.clone());
        }
        let answer = answer(step.method, &step.path, request).await?;
        if step.lines.is_none() || answer["errors"] == Value::Bool(false) {
            return Ok(answer);
        }
        let items = answer["items"].as_array().into_iter().flatten();
        let reason = items
            .filter_map(|item| item.as_object()?.values().next()?.pointer("/error/reason")?.as_str())
            .next()
            .unwrap_or("a document was refused");
        let path = step.path.clone();
        Err(PlanError::Request { method: step.method, path, reason: reason.to_owned() })
    }

    fn request(&self, method: &'static str, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.base);
        let request = match method {
            "GET" => self.http.get(url),
            "PUT" => self.http.put(url),
            "DELETE" => self.http.delete(url),
            _ => self.http.post(url),
        };
        match &self.api_key {
            Some(key) => request.header("authorization", format!("ApiKey {key}")),
            None => request,
        }
    }
}

async fn answer(
    method: &'static str,
    path: &str,
    request: reqwest::RequestBuilder,
) -> Result<Value, PlanError> {
    let failed = |reason: String| PlanError::Request { method, path: path.to_owned(), reason };
    // The error without its address, which may hold a password.
    let broken = |error: reqwest::Error| failed(with_causes(&error.without_url()));
    let answer = request.send().await.map_err(broken)?;
    let status = answer.status();
    let text = answer.text().await.map_err(broken)?;
    if status.is_success() {
        return serde_json::from_str(&text)
            .map_err(|error| failed(format!("the answer is not JSON: {error}")));
    }
    let body: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
    let reason = body.pointer("/error/reason").or_else(|| body.get("error")).and_then(Value::as_str);
    Err(PlanError::Refused {
        method,
        path: path.to_owned(),
        status: status.as_u16(),
        reason: reason.map_or_else(|| text.chars().take(300).collect(), str::to_owned),
    })
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
