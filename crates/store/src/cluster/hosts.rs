//! The addresses of a cluster, and how they are spoken to: certificates, credentials, and which one is asked next.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use elasticsearch::Elasticsearch;
use elasticsearch::auth::Credentials;
use elasticsearch::cert::{Certificate, CertificateValidation};
use elasticsearch::http::Url;
use elasticsearch::http::transport::{SingleNodeConnectionPool, TransportBuilder};
use reqwest::header::HeaderValue;

use crate::config::{ClusterConfig, Secret};
use crate::{Error, Result};

const TIMEOUT: Duration = Duration::from_secs(120);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Which of several hosts is asked: the same one until it fails.
#[derive(Debug, Default)]
pub(super) struct Turn(AtomicUsize);

impl Turn {
    /// The host to ask, of `hosts`.
    pub(super) fn current(&self, hosts: usize) -> usize {
        self.0.load(Ordering::Relaxed) % hosts.max(1)
    }

    /// Goes on to the next host, unless somebody else has done so since `failed` was chosen.
    pub(super) fn pass(&self, failed: usize, hosts: usize) {
        let now = self.0.load(Ordering::Relaxed);
        if now % hosts.max(1) == failed {
            let _ = self.0.compare_exchange(now, now.wrapping_add(1), Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

/// The addresses, each with a slash at its end so that paths can be joined to it.
///
/// # Errors
/// When there is none, or one cannot be read.
pub(super) fn addresses(config: &ClusterConfig) -> Result<Vec<Url>> {
    if config.urls.is_empty() {
        return Err(Error::Config("the cluster has no address".to_owned()));
    }
    let read = |text: &String| {
        let mut url: Url = text.parse().map_err(|error| {
            Error::Config(format!("the address of the cluster [{text}] cannot be read: {error}"))
        })?;
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(url)
    };
    config.urls.iter().map(read).collect()
}

/// Where a request of somebody else goes: always to `host` and below its path, whatever the request asks for. It bears the
/// service's credentials, so it must not choose another server, or another service behind the same proxy.
///
/// # Errors
/// When the path leaves that of the host.
pub(super) fn target(host: &Url, path_and_query: &str) -> Result<Url> {
    let (path, query) = match path_and_query.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path_and_query, None),
    };
    let mut url = host.clone();
    // Joined it could be taken for an address of its own: `/http://elsewhere/` or `/far:logs-*/_search`.
    url.set_path(&format!(
        "{}/{}",
        host.path().trim_end_matches('/'),
        path.strip_prefix('/').unwrap_or(path)
    ));
    url.set_query(query);
    if url.path().starts_with(host.path()) {
        return Ok(url);
    }
    Err(Error::refused("illegal_argument_exception", format!("the path [{path}] leaves that of the cluster")))
}

/// One client for each address.
///
/// # Errors
/// When the certificate cannot be read or the credentials cannot be sent.
pub(super) fn clients(config: &ClusterConfig) -> Result<Vec<Elasticsearch>> {
    let credentials = credentials(config)?;
    let pem = certificate(config)?;
    let build = |url: Url| {
        let mut builder = TransportBuilder::new(SingleNodeConnectionPool::new(url)).timeout(TIMEOUT);
        if let Some(credentials) = &credentials {
            builder = builder.auth(credentials.clone());
        }
        if !config.verify_certificates {
            builder = builder.cert_validation(CertificateValidation::None);
        } else if let Some(pem) = &pem {
            let certificate = Certificate::from_pem(pem).map_err(|error| Error::Config(error.to_string()))?;
            builder = builder.cert_validation(CertificateValidation::Full(certificate));
        }
        let transport = builder.build().map_err(|error| Error::Config(error.to_string()))?;
        Ok(Elasticsearch::new(transport))
    };
    addresses(config)?.into_iter().map(build).collect()
}

/// A client for requests of others, whose bodies are passed on while they come.
pub(super) fn plain_client(config: &ClusterConfig) -> Result<reqwest::Client> {
    let unusable = |error: reqwest::Error| Error::Config(error.to_string());
    // Whoever asked is told of a redirection; followed, it would carry the request and its credentials elsewhere.
    let mut builder = reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .no_gzip();
    if !config.verify_certificates {
        builder = builder.danger_accept_invalid_certs(true);
    } else if let Some(pem) = certificate(config)? {
        for certificate in reqwest::Certificate::from_pem_bundle(&pem).map_err(unusable)? {
            builder = builder.add_root_certificate(certificate);
        }
    }
    builder.build().map_err(unusable)
}

/// The header that the service's own requests carry.
pub(super) fn authorization(config: &ClusterConfig) -> Result<Option<HeaderValue>> {
    let text = match credentials(config)? {
        None => return Ok(None),
        Some(Credentials::EncodedApiKey(key)) => format!("ApiKey {key}"),
        Some(Credentials::Bearer(token)) => format!("Bearer {token}"),
        Some(Credentials::Basic(user, password)) => {
            // The client library writes the header itself; a request built for the purpose shows it.
            let request = reqwest::Client::new().get("http://localhost/").basic_auth(user, Some(password));
            let request = request.build().map_err(|error| Error::Config(error.to_string()))?;
            return Ok(request.headers().get(reqwest::header::AUTHORIZATION).cloned());
        }
        Some(_) => return Err(Error::Config("these credentials have no header".to_owned())),
    };
    let mut value = HeaderValue::from_str(&text).map_err(|error| Error::Config(error.to_string()))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn credentials(config: &ClusterConfig) -> Result<Option<Credentials>> {
    let sendable = |what: &str, secret: &Secret| {
        let text = secret.reveal();
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Ok(text.to_owned());
        }
        Err(Error::Config(format!("the {what} for the cluster has characters that cannot be sent")))
    };
    if let Some(key) = &config.api_key {
        return Ok(Some(Credentials::EncodedApiKey(sendable("API key", key)?)));
    }
    if let Some(token) = &config.bearer_token {
        return Ok(Some(Credentials::Bearer(sendable("bearer token", token)?)));
    }
    Ok(config
        .username
        .as_ref()
        .zip(config.password.as_ref())
        .map(|(user, password)| Credentials::Basic(user.clone(), password.reveal().to_owned())))
}

fn certificate(config: &ClusterConfig) -> Result<Option<Vec<u8>>> {
    let read = |path: &std::path::PathBuf| {
        std::fs::read(path).map_err(|error| {
            Error::Config(format!("the certificate [{}] cannot be read: {error}", path.display()))
        })
    };
    config.ca_certificate.as_ref().map(read).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(urls: &[&str]) -> ClusterConfig {
        ClusterConfig::new(urls.iter().map(|url| (*url).to_owned()).collect())
    }

    #[test]
    fn hosts_change_only_when_the_current_one_failed() {
        let turn = Turn::default();
        turn.pass(1, 3);
        assert_eq!(turn.current(3), 0);
        turn.pass(0, 3);
        turn.pass(0, 3);
        assert_eq!(turn.current(3), 1);
        turn.pass(1, 3);
        turn.pass(2, 3);
        assert_eq!(turn.current(3), 0);
    }

    #[test]
    fn paths_of_addresses_are_kept() {
        let urls = addresses(&config(&["http://a:1", "http://b/es"])).unwrap();
        assert_eq!(urls[1].join("_bulk").unwrap().as_str(), "http://b/es/_bulk");
        assert!(addresses(&config(&[])).is_err() && addresses(&config(&["::"])).is_err());
    }

    #[test]
    fn requests_of_others_stay_with_the_cluster() {
        let [plain, based] =
            ["http://a:1", "http://b/es"].map(|url| addresses(&config(&[url])).unwrap().remove(0));
        for (path, expected) in [
            ("/http://evil/x", "http://a:1/http://evil/x"),
            ("//evil/x?q=a%20b&y", "http://a:1//evil/x?q=a%20b&y"),
            ("/far:logs-*/_search?q=x:1/2?", "http://a:1/far:logs-*/_search?q=x:1/2?"),
            ("/i/_doc/a%2Fb%23c", "http://a:1/i/_doc/a%2Fb%23c"),
            ("/../_ml", "http://a:1/_ml"),
        ] {
            assert_eq!(target(&plain, path).unwrap().as_str(), expected, "{path}");
        }
        assert_eq!(target(&based, "/far:i/_search").unwrap().as_str(), "http://b/es/far:i/_search");
        assert_eq!(target(&based, "/").unwrap().as_str(), "http://b/es/");
        for path in ["/../x", "/a/../../x", "/%2e%2e/x", "/..\\x", "/..", "/../es-other/x"] {
            assert!(target(&based, path).is_err(), "{path}");
        }
    }

    #[test]
    fn credentials_become_headers_or_are_refused() {
        let mut wanted = config(&["http://a:1"]);
        assert_eq!(authorization(&wanted).unwrap(), None);
        (wanted.username, wanted.password) = (Some("u".to_owned()), Some(Secret::new("p")));
        assert_eq!(authorization(&wanted).unwrap().unwrap(), "Basic dTpw");
        wanted.bearer_token = Some(Secret::new("t0"));
        assert_eq!(authorization(&wanted).unwrap().unwrap(), "Bearer t0");
        wanted.api_key = Some(Secret::new("a\nb"));
        assert!(clients(&wanted).is_err());
    }
}
