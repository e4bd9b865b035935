//! Which hosts a request may name. A page of another site can have its name resolved to this machine ("DNS rebinding"); its
//! browser then takes this server for that site and hides nothing from the page. The name in the request gives it away.

use axum::extract::Request;
use axum::http::{HeaderMap, Version, header};

use super::error::ApiError;
use crate::authority::Authority;
use crate::config::{AllowedHosts, Config};

/// The host that a request is for, if it is one of this server's. `None` when the request names none, as HTTP/1.0 permits.
///
/// # Errors
/// 400 when the host cannot be read or is named twice in different ways, 421 when it is another one.
pub(super) fn asked_host(request: &Request, config: &Config) -> Result<Option<Authority>, ApiError> {
    let in_target = request.uri().authority().map(|authority| read(authority.as_str())).transpose()?;
    let in_header = in_header(request.headers())?;
    let asked = match (in_target, in_header) {
        (Some(target), Some(header)) if target != header => {
            return Err(ApiError::argument(format!(
                "the request is for the host [{target}] and its header [Host] says [{header}]"
            )));
        }
        (Some(host), _) | (None, Some(host)) => host,
        (None, None) if request.version() == Version::HTTP_11 => {
            return Err(ApiError::argument("the request has no header [Host]"));
        }
        (None, None) => return Ok(None),
    };
    if is_ours(&asked, config) {
        return Ok(Some(asked));
    }
    Err(ApiError::misdirected(format!(
        "this server is not known as [{asked}]: it answers to [localhost], to its address and to the names in the setting \
         [allowed_hosts]; if that is its name, put it there (or into AUSPEX_ALLOWED_HOSTS)"
    )))
}

fn in_header(headers: &HeaderMap) -> Result<Option<Authority>, ApiError> {
    let mut found = headers.get_all(header::HOST).iter();
    let Some(value) = found.next() else { return Ok(None) };
    if found.next().is_some() {
        return Err(ApiError::argument("the request has several headers [Host]"));
    }
    read(value.to_str().unwrap_or_default()).map(Some)
}

fn read(text: &str) -> Result<Authority, ApiError> {
    Authority::parse(text).ok_or_else(|| ApiError::argument(format!("[{text}] is not a host and a port")))
}

/// Ports are not compared: they differ where a port is passed on (containers, tunnels), and no page can choose the host by them.
fn is_ours(asked: &Authority, config: &Config) -> bool {
    let listens = config.listen.ip();
    // An address cannot be resolved to another one, so that it is enough to tell this machine from the rest.
    let is_address = match asked.address() {
        Some(address) => !listens.is_loopback() || address == listens,
        None => false,
    };
    let is_named = match &config.allowed_hosts {
        AllowedHosts::Any => true,
        AllowedHosts::These(names) => names.iter().any(|name| name.has_host_of(asked)),
    };
    asked.is_loopback() || is_address || is_named
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn status(config: &Config, target: &str, host: Option<&str>, version: Version) -> u16 {
        let mut request = Request::builder().uri(target).version(version);
        if let Some(host) = host {
            request = request.header(header::HOST, host);
        }
        let request = request.body(Body::empty()).unwrap();
        asked_host(&request, config).map_or_else(|error| error.status(), |_| 200)
    }

    #[test]
    fn only_own_names_are_answered() {
        let mut config = Config::local("x");
        config.allowed_hosts = AllowedHosts::These(vec![Authority::parse("auspex").unwrap()]);
        let mut remote = config.clone();
        remote.listen = "0.0.0.0:9280".parse().unwrap();
        for (host, local_status, remote_status) in [
            ("localhost:9280", 200, 200),
            ("LOCALHOST.", 200, 200),
            ("127.0.0.1:1", 200, 200),
            ("[::1]:9280", 200, 200),
            ("Auspex:9280", 200, 200),
            ("10.0.0.7:9280", 421, 200),
            ("0.0.0.0:9280", 421, 200),
            ("evil.example:9280", 421, 421),
            ("localhost.evil.example", 421, 421),
            ("auspex.evil.example", 421, 421),
            ("127.0.0.1.evil.example", 421, 421),
            ("127.1", 421, 421),
            ("local host", 400, 400),
            ("", 400, 400),
        ] {
            assert_eq!(status(&config, "/", Some(host), Version::HTTP_11), local_status, "{host}");
            assert_eq!(status(&remote, "/", Some(host), Version::HTTP_11), remote_status, "{host}");
        }
    }

    #[test]
    fn the_host_may_stand_in_the_target() {
        let config = Config::local("x");
        let local = Some("localhost:9280");
        for (target, host, version, expected) in [
            ("http://localhost:9280/", local, Version::HTTP_11, 200),
            ("http://localhost:9280/", None, Version::HTTP_2, 200),
            ("http://evil.example/", None, Version::HTTP_2, 421),
            ("http://evil.example/", local, Version::HTTP_11, 400),
            ("http://localhost:9281/", local, Version::HTTP_11, 400),
            ("http://me@localhost/", None, Version::HTTP_2, 400),
            ("/", None, Version::HTTP_10, 200),
            ("/", None, Version::HTTP_11, 400),
        ] {
            assert_eq!(status(&config, target, host, version), expected, "{target} {host:?}");
        }
        let twice = Request::get("/").header("host", "localhost").header("host", "localhost");
        assert_eq!(asked_host(&twice.body(Body::empty()).unwrap(), &config).unwrap_err().status(), 400);
    }

    #[test]
    fn any_name_is_answered_only_when_that_is_set() {
        let mut config = Config::local("x");
        config.allowed_hosts = AllowedHosts::Any;
        assert_eq!(status(&config, "/", Some("evil.example"), Version::HTTP_11), 200);
    }
}
