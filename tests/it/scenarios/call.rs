//! A `do` step: the request that it describes, the failure and the warnings that it expects.

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Client, Method};
use serde_json::{Map, Value};

use super::assertion;
use super::endpoints::{self, Address};
use super::path::Stash;
use super::scenario::Step;
use crate::server::Server;

/// A client of a server, the last answer, and what was stashed.
#[derive(Debug)]
pub(super) struct Session {
    client: Client,
    base: String,
    served: tokio::task::JoinHandle<()>,
    stash: Stash,
    answer: Value,
}

/// Warnings that pushed data bring about; only `post_data.yml` asks for them.
const USUAL: [&str; 2] = ["Posting data directly to", "Forcing any buffered data"];

/// The keys of a `do` step that are no API.
const MANNERS: [&str; 6] =
    ["catch", "headers", "warnings", "allowed_warnings", "allowed_warnings_regex", "warnings_regex"];

impl Session {
    pub(super) async fn open(server: &Server) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let router = server.app.router();
        let served = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { client: Client::new(), base, served, stash: Stash::default(), answer: Value::Null }
    }

    pub(super) async fn close(self) {
        drop(self.client);
        self.served.abort();
        let _ = self.served.await;
    }

    pub(super) async fn take(&mut self, step: &Step) -> Result<(), String> {
        match step.kind.as_str() {
            "do" => self.call(&step.body).await,
            // Tests for other versions or features are left to whoever keeps the file.
            "skip" | "requires" => Ok(()),
            "set" => self.set(&step.body),
            "transform_and_set" => Err("[transform_and_set] is not known".to_owned()),
            kind => assertion::check(kind, &step.body, &self.answer, &self.stash),
        }
    }

    fn set(&mut self, body: &Value) -> Result<(), String> {
        for (path, name) in body.as_object().ok_or("[set] needs paths and names")? {
            let part = self.stash.part(&self.answer, path)?;
            let part = part.ok_or_else(|| format!("[set: {path}] found nothing in {}", self.answer))?;
            self.stash.keep(name.as_str().ok_or("[set] needs a name")?, part);
        }
        Ok(())
    }

    async fn call(&mut self, body: &Value) -> Result<(), String> {
        let entries = body.as_object().ok_or("[do] needs an API")?;
        let is_api = |name: &&String| !MANNERS.contains(&name.as_str());
        let mut apis = entries.keys().filter(is_api);
        let (Some(name), None) = (apis.next(), apis.next()) else {
            return Err(format!("[do] needs one API: {body}"));
        };
        let empty = Map::new();
        let arguments = self.stash.filled_in(&entries[name])?;
        let arguments = arguments.as_object().unwrap_or(&empty);
        let address = endpoints::address(name, arguments)?;
        let (status, warnings, answer) = self.send(&address, entries.get("headers")).await?;
        let said = format!("{name} {} {}", address.method, address.path);
        self.answer = answer;
        self.judge(status, entries.get("catch"), &address).map_err(|why| format!("{said}: {why}"))?;
        judge_warnings(entries, &warnings).map_err(|why| format!("{said}: {why}"))
    }

    async fn send(
        &self,
        address: &Address,
        headers: Option<&Value>,
    ) -> Result<(u16, Vec<String>, Value), String> {
        let method = Method::from_bytes(address.method.as_bytes()).map_err(|error| error.to_string())?;
        let mut request = self.client.request(method.clone(), format!("{}{}", self.base, address.path));
        request = request.query(&address.query);
        if !address.cat {
            request = request.header(ACCEPT, "application/json");
        }
        if let Some(body) = &address.body {
            let kind = if address.lines { "application/x-ndjson" } else { "application/json" };
            request = request.header(CONTENT_TYPE, kind).body(body.clone());
        }
        for (name, value) in headers.and_then(Value::as_object).into_iter().flatten() {
            let name = HeaderName::try_from(name.as_str()).map_err(|error| error.to_string())?;
            let value =
                HeaderValue::try_from(value.as_str().unwrap_or_default()).map_err(|e| e.to_string())?;
            request = request.header(name, value);
        }
        let response = request.send().await.map_err(|error| error.to_string())?;
        let status = response.status().as_u16();
        let product = response.headers().get("x-elastic-product").cloned();
        if product.as_ref().map(HeaderValue::as_bytes) != Some(b"Elasticsearch") {
            return Err(format!("the product header is {product:?}"));
        }
        let warnings = response.headers().get_all("warning").iter();
        let warnings = warnings.map(|value| warning_text(value.to_str().unwrap_or_default())).collect();
        let text = response.text().await.map_err(|error| error.to_string())?;
        if method == Method::HEAD {
            return Ok((status, warnings, Value::Bool(status == 200)));
        }
        Ok((status, warnings, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    fn judge(&self, status: u16, expected: Option<&Value>, address: &Address) -> Result<(), String> {
        let failed = status >= 400 && address.method != "HEAD";
        let Some(expected) = expected.and_then(Value::as_str) else {
            let ignored = address.ignore.contains(&u64::from(status));
            return if failed && !ignored { Err(format!("{status} {}", self.answer)) } else { Ok(()) };
        };
        let met = match expected {
            "bad_request" => status == 400,
            "unauthorized" => status == 401,
            "forbidden" => status == 403,
            "missing" => status == 404,
            "request_timeout" => status == 408,
            "conflict" => status == 409,
            "unavailable" => status == 503,
            "request" => failed,
            pattern => {
                let pattern =
                    assertion::pattern(pattern).ok_or_else(|| format!("[catch: {pattern}] is not known"))?;
                failed && pattern?.is_match(&self.answer.to_string())
            }
        };
        if met { Ok(()) } else { Err(format!("expected [{expected}], got {status} {}", self.answer)) }
    }
}

/// The text of a `Warning` header, which is its first quoted part.
fn warning_text(header: &str) -> String {
    header
        .split_once('"')
        .and_then(|(_, rest)| rest.rsplit_once('"'))
        .map_or(header, |(text, _)| text)
        .replace("\\\"", "\"")
}

fn judge_warnings(entries: &Map<String, Value>, found: &[String]) -> Result<(), String> {
    let texts = |name: &str| -> Vec<&str> {
        entries.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    };
    let (wanted, allowed) = (texts("warnings"), texts("allowed_warnings"));
    if let Some(missing) = wanted.iter().find(|wanted| !found.iter().any(|found| found == *wanted)) {
        return Err(format!("the warning [{missing}] is missing; found {found:?}"));
    }
    let known = |found: &&String| {
        let expected = wanted.contains(&found.as_str()) || allowed.contains(&found.as_str());
        expected || USUAL.iter().any(|usual| found.starts_with(usual))
    };
    match found.iter().find(|found| !known(found)) {
        Some(unexpected) => Err(format!("unexpected warning [{unexpected}]")),
        None => Ok(()),
    }
}
