//! One request to the cluster, again when it is worth it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use elasticsearch::Elasticsearch;
use elasticsearch::auth::Credentials;
use elasticsearch::cert::{Certificate, CertificateValidation};
use elasticsearch::http::Method;
use elasticsearch::http::headers::{CONTENT_TYPE, HeaderMap, HeaderValue};
use elasticsearch::http::transport::{MultiNodeConnectionPool, TransportBuilder};
use serde_json::Value;

use super::answer::failure;
use crate::config::ClusterConfig;
use crate::{Error, Result};

const ATTEMPTS_MAX: u32 = 5;
const DELAY_FIRST_MS: u64 = 200;
const DELAY_MAX_MS: u64 = 10_000;
const TIMEOUT: Duration = Duration::from_secs(120);

/// What came back: a status, or none where the connection broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answered {
    Status(u16),
    Broken,
}

/// Is the request sent again? A broken connection leaves open whether it was carried out: only requests that may be
/// carried out twice are repeated then.
fn again(answered: Answered, repeatable: bool) -> bool {
    match answered {
        Answered::Status(429 | 502 | 503 | 504) => true,
        Answered::Status(_) => false,
        Answered::Broken => repeatable,
    }
}

/// How long to wait before attempt `attempt` (from 1), in milliseconds: doubled each time, and spread over its upper half
/// by `seed`, so that many clients do not come back at once.
fn delay_ms(attempt: u32, seed: u64) -> u64 {
    let full = DELAY_FIRST_MS.saturating_mul(1 << attempt.min(16).saturating_sub(1)).min(DELAY_MAX_MS);
    // SplitMix64, so that neighbouring seeds are spread.
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    full / 2 + (mixed ^ (mixed >> 31)) % (full / 2 + 1)
}

/// Sends requests.
#[derive(Debug)]
pub(super) struct Transport {
    client: Elasticsearch,
    seed: AtomicU64,
}

impl Transport {
    pub(super) fn new(config: &ClusterConfig) -> Result<Self> {
        let wrong = |why: String| Error::Config(why);
        let urls: Result<Vec<_>, _> = config.urls.iter().map(|url| url.parse()).collect();
        let urls =
            urls.map_err(|error| wrong(format!("an address of the cluster cannot be read: {error}")))?;
        if config.urls.is_empty() {
            return Err(wrong("the cluster has no address".to_owned()));
        }
        let mut builder =
            TransportBuilder::new(MultiNodeConnectionPool::round_robin(urls, None)).timeout(TIMEOUT);
        if let Some(key) = &config.api_key {
            builder = builder.auth(Credentials::EncodedApiKey(key.reveal().to_owned()));
        } else if let (Some(user), Some(password)) = (&config.username, &config.password) {
            builder = builder.auth(Credentials::Basic(user.clone(), password.reveal().to_owned()));
        }
        if !config.verify_certificates {
            builder = builder.cert_validation(CertificateValidation::None);
        } else if let Some(path) = &config.ca_certificate {
            let unreadable = |error: &dyn std::fmt::Display| {
                wrong(format!("the certificate [{}] cannot be read: {error}", path.display()))
            };
            let pem = std::fs::read(path).map_err(|error| unreadable(&error))?;
            let certificate = Certificate::from_pem(&pem).map_err(|error| unreadable(&error))?;
            builder = builder.cert_validation(CertificateValidation::Full(certificate));
        }
        let transport = builder.build().map_err(|error| wrong(error.to_string()))?;
        Ok(Self { client: Elasticsearch::new(transport), seed: AtomicU64::new(0) })
    }

    /// Sends a request and reads its answer; a refusal is an error.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Value> {
        let text = body.map(Value::to_string);
        let repeatable = !path.ends_with("/_pit");
        let (status, answer) = self.send(method, path, query, text, "application/json", repeatable).await?;
        failure(status, &answer).map_or(Ok(answer), Err)
    }

    /// Sends a request of lines.
    pub(super) async fn call_lines(&self, path: &str, lines: String, repeatable: bool) -> Result<Value> {
        let kind = "application/x-ndjson";
        let (status, answer) = self.send(Method::Post, path, &[], Some(lines), kind, repeatable).await?;
        failure(status, &answer).map_or(Ok(answer), Err)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<String>,
        content_type: &'static str,
        repeatable: bool,
    ) -> Result<(u16, Value)> {
        let mut attempt = 1;
        loop {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
            let sent = self.client.send(method, path, headers, Some(query), body.clone(), None).await;
            let (answered, outcome) = match sent {
                Err(error) => (Answered::Broken, Err(Error::Unavailable(error.to_string()))),
                Ok(response) => {
                    let status = response.status_code().as_u16();
                    match response.text().await {
                        Err(error) => (Answered::Broken, Err(Error::Unavailable(error.to_string()))),
                        Ok(text) => (Answered::Status(status), read(status, &text)),
                    }
                }
            };
            if attempt >= ATTEMPTS_MAX || !again(answered, repeatable) {
                return outcome;
            }
            let pause = delay_ms(attempt, self.seed.fetch_add(1, Ordering::Relaxed));
            tracing::warn!(path, attempt, pause, ?answered, "the cluster is asked again");
            tokio::time::sleep(Duration::from_millis(pause)).await;
            attempt += 1;
        }
    }
}

fn read(status: u16, text: &str) -> Result<(u16, Value)> {
    if text.is_empty() {
        return Ok((status, Value::Null));
    }
    match serde_json::from_str(text) {
        Ok(value) => Ok((status, value)),
        // Proxies answer in HTML when the cluster behind them is away.
        Err(_) if status >= 400 => Ok((status, Value::String(text.chars().take(200).collect()))),
        Err(error) => Err(Error::Answer(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_is_sent_again() {
        for (answered, repeatable, expected) in [
            (Answered::Status(200), true, false),
            (Answered::Status(400), true, false),
            (Answered::Status(429), false, true),
            (Answered::Status(503), false, true),
            (Answered::Status(500), true, false),
            (Answered::Broken, true, true),
            (Answered::Broken, false, false),
        ] {
            assert_eq!(again(answered, repeatable), expected, "{answered:?} {repeatable}");
        }
    }

    #[test]
    fn pauses_grow_and_are_spread() {
        for attempt in 1..10 {
            let full = (DELAY_FIRST_MS << (attempt - 1)).min(DELAY_MAX_MS);
            let pauses: Vec<u64> = (0..50).map(|seed| delay_ms(attempt, seed)).collect();
            assert!(pauses.iter().all(|pause| (full / 2..=full).contains(pause)), "{attempt}");
            assert!(pauses.iter().collect::<std::collections::BTreeSet<_>>().len() > 20);
        }
    }
}
