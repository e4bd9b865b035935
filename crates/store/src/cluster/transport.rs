//! One request to the cluster, again when it is worth it, at another host when one is away.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use elasticsearch::Elasticsearch;
use elasticsearch::http::Method;
use elasticsearch::http::headers::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::Value;

use super::answer::failure;
use super::hosts::{self, Turn};
use crate::config::ClusterConfig;
use reqwest::Url;

use crate::{Error, Result};

const ATTEMPTS_MAX: u32 = 5;
/// Longer answers are not read: they are none to what the service asks.
const ANSWER_BYTES_MAX: u64 = 512 << 20;
const DELAY_FIRST_MS: u64 = 200;
const DELAY_MAX_MS: u64 = 10_000;

/// What came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answered {
    /// An answer with a status.
    Status(u16),
    /// There was no connection, so nothing was carried out.
    NotSent,
    /// The connection broke; nobody knows whether the request was carried out.
    Broken,
}

/// May a request be carried out twice?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Twice is the same as once, or the caller sorts it out.
    Always,
    /// Only when the first one was not carried out.
    Unsent,
}

/// Is the request sent again?
fn again(answered: Answered, repeat: Repeat) -> bool {
    match answered {
        Answered::Status(429) | Answered::NotSent => true,
        _ => uncertain(answered) && repeat == Repeat::Always,
    }
}

/// Is it open whether the request was carried out? A proxy answers 502 to 504 also when the cluster behind it was only slow,
/// and a cluster 503 when a part of it did not confirm.
fn uncertain(answered: Answered) -> bool {
    matches!(answered, Answered::Status(502..=504) | Answered::Broken)
}

/// Does another host have better prospects? A cluster that refuses for being busy refuses everywhere.
fn elsewhere(answered: Answered) -> bool {
    uncertain(answered) || answered == Answered::NotSent
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

/// What the cluster said in the end.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Bytes,
    /// Was an answer lost before this one or none that says what happened, so that the request may have been carried out twice?
    pub(super) repeated: bool,
}

/// A request without its host.
#[derive(Debug)]
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) query: &'a [(&'a str, &'a str)],
    pub(super) body: Option<Bytes>,
    pub(super) content_type: &'static str,
    pub(super) repeat: Repeat,
}

/// Sends requests.
#[derive(Debug)]
pub(super) struct Transport {
    clients: Vec<Elasticsearch>,
    addresses: Vec<Url>,
    turn: Turn,
    seed: AtomicU64,
}

impl Transport {
    pub(super) fn new(config: &ClusterConfig) -> Result<Self> {
        Ok(Self {
            clients: hosts::clients(config)?,
            addresses: hosts::addresses(config)?,
            turn: Turn::default(),
            seed: AtomicU64::new(0),
        })
    }

    /// Sends a request that may be carried out twice and reads its answer; a refusal is an error.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Value> {
        let body = body.map(|body| Bytes::from(body.to_string()));
        let ask = Ask { method, path, query, body, content_type: "application/json", repeat: Repeat::Always };
        read(&self.send(ask).await?)
    }

    /// Sends a request, again and elsewhere as long as that makes sense.
    ///
    /// # Errors
    /// When no answer came at all. Refusals are answers.
    pub(super) async fn send(&self, ask: Ask<'_>) -> Result<Reply> {
        let hosts = self.clients.len();
        let (mut attempt, mut untried, mut repeated) = (1, hosts.saturating_sub(1), false);
        loop {
            let host = self.turn.current(hosts);
            let (answered, outcome) = self.send_once(host, &ask, repeated).await;
            if elsewhere(answered) {
                self.turn.pass(host, hosts);
            }
            if !again(answered, ask.repeat) {
                return outcome;
            }
            repeated |= uncertain(answered);
            if elsewhere(answered) && untried > 0 {
                untried -= 1;
                continue;
            }
            if attempt >= ATTEMPTS_MAX {
                return outcome;
            }
            let pause = delay_ms(attempt, self.seed.fetch_add(1, Ordering::Relaxed));
            tracing::warn!(path = ask.path, attempt, pause, ?answered, "the cluster is asked again");
            tokio::time::sleep(Duration::from_millis(pause)).await;
            attempt += 1;
        }
    }

    async fn send_once(&self, host: usize, ask: &Ask<'_>, repeated: bool) -> (Answered, Result<Reply>) {
        let client = &self.clients[host];
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(ask.content_type));
        let sent = client.send(ask.method, ask.path, headers, Some(ask.query), ask.body.clone(), None).await;
        let response = match sent {
            Ok(response) => response,
            Err(error) => {
                let answered = if never_sent(&error) { Answered::NotSent } else { Answered::Broken };
                return (answered, Err(Error::Unavailable(causes(&error))));
            }
        };
        // The client follows redirections by itself. An answer of somebody else is none of the cluster's.
        if response.url().origin() != self.addresses[host].origin() {
            let why = format!(
                "[{}] redirects to [{}], which is not followed; give the address of the cluster itself",
                self.addresses[host].origin().ascii_serialization(),
                response.url().origin().ascii_serialization()
            );
            return (Answered::Status(400), Err(Error::Config(why)));
        }
        let status = response.status_code().as_u16();
        match whole(response).await {
            Err(error) => (Answered::Broken, Err(error)),
            Ok(body) => (Answered::Status(status), Ok(Reply { status, body, repeated })),
        }
    }
}

/// The body of an answer, which must be one that fits into memory.
async fn whole(response: elasticsearch::http::response::Response) -> Result<Bytes> {
    if response.content_length().is_some_and(|bytes| bytes > ANSWER_BYTES_MAX) {
        return Err(Error::Answer(format!("it has more than {ANSWER_BYTES_MAX} bytes")));
    }
    response.bytes().await.map_err(|error| Error::Unavailable(causes(&error)))
}

fn never_sent(error: &elasticsearch::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<reqwest::Error>());
    cause.is_some_and(|cause| cause.is_connect() || cause.is_builder())
}

/// An error with what caused it: the outermost text alone does not say why a connection failed.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

/// A reply as JSON.
///
/// # Errors
/// When the reply is a refusal or makes no sense.
pub(super) fn read(reply: &Reply) -> Result<Value> {
    let body = json(reply)?;
    failure(reply.status, &body).map_or(Ok(body), Err)
}

fn json(reply: &Reply) -> Result<Value> {
    if reply.body.is_empty() {
        return Ok(Value::Null);
    }
    match serde_json::from_slice(&reply.body) {
        Ok(value) => Ok(value),
        // Proxies answer in HTML when the cluster behind them is away.
        Err(_) if reply.status >= 400 => {
            Ok(Value::String(String::from_utf8_lossy(&reply.body).chars().take(200).collect()))
        }
        Err(error) => Err(Error::Answer(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_is_sent_again() {
        for (answered, repeat, expected) in [
            (Answered::Status(200), Repeat::Always, false),
            (Answered::Status(400), Repeat::Always, false),
            (Answered::Status(429), Repeat::Unsent, true),
            (Answered::Status(503), Repeat::Always, true),
            (Answered::Status(502), Repeat::Unsent, false),
            (Answered::Status(503), Repeat::Unsent, false),
            (Answered::Status(504), Repeat::Unsent, false),
            (Answered::Status(500), Repeat::Always, false),
            (Answered::NotSent, Repeat::Unsent, true),
            (Answered::Broken, Repeat::Always, true),
            (Answered::Broken, Repeat::Unsent, false),
        ] {
            assert_eq!(again(answered, repeat), expected, "{answered:?} {repeat:?}");
        }
        assert!(!elsewhere(Answered::Status(429)) && elsewhere(Answered::Status(503)));
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
