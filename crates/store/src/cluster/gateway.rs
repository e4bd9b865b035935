//! Requests of others, passed on to the cluster as they come and answered as it answers.

use std::fmt;
use std::pin::Pin;

use bytes::Bytes;
use futures::Stream;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap,
    HeaderName, HeaderValue, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use reqwest::{Method, StatusCode, Url};

use super::hosts::{self, Turn};
use crate::config::ClusterConfig;
use crate::{Error, Result};

/// A body in pieces.
pub type Pieces = Pin<Box<dyn Stream<Item = std::result::Result<Bytes, std::io::Error>> + Send>>;

/// Headers that concern one connection only, or that are written anew.
const OWN_HEADERS: [HeaderName; 8] =
    [CONNECTION, CONTENT_LENGTH, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, ACCEPT_ENCODING];
const VENDOR: &str = "application/vnd.elasticsearch+";

/// A request to pass on.
pub struct Forward {
    /// Its method.
    pub method: Method,
    /// Path and query as they were asked.
    pub path_and_query: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: ForwardBody,
}

/// The body of a request to pass on.
pub enum ForwardBody {
    /// All of it: the request can be sent to another host when one is away.
    Whole(Bytes),
    /// As it comes.
    Pieces(Pieces),
}

/// The cluster's answer.
pub struct Forwarded {
    /// Its status.
    pub status: StatusCode,
    /// Its headers without those of the connection.
    pub headers: HeaderMap,
    /// Its body, as it comes.
    pub body: Pieces,
}

impl fmt::Debug for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forward").field("method", &self.method).field("to", &self.path_and_query).finish()
    }
}

impl fmt::Debug for ForwardBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Whole(_) => "Whole",
            Self::Pieces(_) => "Pieces",
        })
    }
}

impl fmt::Debug for Forwarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forwarded").field("status", &self.status).finish()
    }
}

/// Passes requests on to a cluster.
#[derive(Debug)]
pub struct Gateway {
    hosts: Vec<Url>,
    turn: Turn,
    client: reqwest::Client,
    authorization: Option<HeaderValue>,
}

impl Gateway {
    /// A gateway to a cluster; nothing is asked yet.
    ///
    /// # Errors
    /// When an address, a certificate or the credentials cannot be used.
    pub fn new(config: &ClusterConfig) -> Result<Self> {
        Ok(Self {
            hosts: hosts::addresses(config)?,
            turn: Turn::default(),
            client: hosts::plain_client(config)?,
            authorization: hosts::authorization(config)?,
        })
    }

    /// Passes a request on. A request with its own `Authorization` keeps it; one without is sent with the service's
    /// credentials. Media types of Elasticsearch's newer clients become plain ones, which every server reads.
    ///
    /// # Errors
    /// When no host can be reached.
    pub async fn forward(&self, request: Forward) -> Result<Forwarded> {
        let Forward { method, path_and_query, headers, body } = request;
        let headers = self.outgoing(&headers);
        let send = |host: usize, body: reqwest::Body| {
            let url = hosts::target(&self.hosts[host], &path_and_query)?;
            Ok::<_, Error>(
                self.client.request(method.clone(), url).headers(headers.clone()).body(body).send(),
            )
        };
        let hosts = self.hosts.len();
        match body {
            ForwardBody::Pieces(pieces) => {
                let host = self.turn.current(hosts);
                let sent = send(host, reqwest::Body::wrap_stream(pieces))?.await;
                self.answer(host, sent)
            }
            ForwardBody::Whole(bytes) => {
                let mut tried = 0;
                loop {
                    let host = self.turn.current(hosts);
                    let sent = send(host, reqwest::Body::from(bytes.clone()))?.await;
                    tried += 1;
                    let unsent = sent.as_ref().is_err_and(reqwest::Error::is_connect);
                    let answer = self.answer(host, sent);
                    if !unsent || tried >= hosts {
                        return answer;
                    }
                }
            }
        }
    }

    fn answer(
        &self,
        host: usize,
        sent: std::result::Result<reqwest::Response, reqwest::Error>,
    ) -> Result<Forwarded> {
        let response = sent.map_err(|error| {
            if error.is_connect() || error.is_timeout() {
                self.turn.pass(host, self.hosts.len());
            }
            Error::Unavailable(error.without_url().to_string())
        })?;
        let status = response.status();
        let mut headers = response.headers().clone();
        for name in &OWN_HEADERS {
            headers.remove(name);
        }
        let body = futures::TryStreamExt::map_err(response.bytes_stream(), std::io::Error::other);
        Ok(Forwarded { status, headers, body: Box::pin(body) })
    }

    fn outgoing(&self, headers: &HeaderMap) -> HeaderMap {
        let mut out = headers.clone();
        for name in &OWN_HEADERS {
            out.remove(name);
        }
        for name in [ACCEPT, CONTENT_TYPE] {
            let plain = out.get(&name).and_then(|value| value.to_str().ok()).and_then(plain_media_type);
            if let Some(plain) = plain {
                out.insert(name, HeaderValue::from_static(plain));
            }
        }
        if !out.contains_key(AUTHORIZATION)
            && let Some(own) = &self.authorization
        {
            out.insert(AUTHORIZATION, own.clone());
        }
        out
    }
}

/// The plain media type for a vendor's one; `None` leaves the header as it is.
fn plain_media_type(value: &str) -> Option<&'static str> {
    let vendor = value.split(',').find_map(|part| part.trim().strip_prefix(VENDOR))?;
    match vendor.split(';').next().unwrap_or_default().trim() {
        "x-ndjson" => Some("application/x-ndjson"),
        "json" => Some("application/json"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vendor_media_types_become_plain() {
        for (value, expected) in [
            ("application/vnd.elasticsearch+json; compatible-with=8", Some("application/json")),
            ("application/vnd.elasticsearch+x-ndjson;compatible-with=9", Some("application/x-ndjson")),
            ("application/json", None),
            ("text/plain, application/vnd.elasticsearch+json;compatible-with=8", Some("application/json")),
            ("application/vnd.elasticsearch+cbor;compatible-with=8", None),
        ] {
            assert_eq!(plain_media_type(value), expected, "{value}");
        }
    }

    #[test]
    fn callers_keep_their_own_credentials() {
        let mut config = ClusterConfig::new(vec!["http://h:1".to_owned()]);
        config.api_key = Some(crate::Secret::new("own"));
        let gateway = Gateway::new(&config).unwrap();
        assert_eq!(gateway.outgoing(&HeaderMap::new())[AUTHORIZATION], "ApiKey own");
        let mut theirs = HeaderMap::new();
        theirs.insert(AUTHORIZATION, HeaderValue::from_static("Basic x"));
        theirs.insert(CONNECTION, HeaderValue::from_static("close"));
        let out = gateway.outgoing(&theirs);
        assert_eq!(out[AUTHORIZATION], "Basic x");
        assert!(!out.contains_key(CONNECTION));
    }
}
