//! Hosts with their ports, as the `Host` header, `Origin` and the settings name them.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// A host and perhaps a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    host: Host,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    /// In lower case, without the dot at its end.
    Name(String),
    Address(IpAddr),
}

impl Authority {
    /// Reads `name`, `name:port`, `1.2.3.4:port` or `[::1]:port`; `None` when it is none of them.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']')?;
                (Host::Address(canonical(address.parse::<Ipv6Addr>().ok()?.into())), port)
            }
            None => {
                let end = text.find(':').unwrap_or(text.len());
                (named(&text[..end])?, &text[end..])
            }
        };
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => None,
            None => return None,
            // Browsers leave the port out, some programs only the number.
            Some("") => None,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(digits.parse().ok()?),
            Some(_) => return None,
        };
        Some(Self { host, port })
    }

    /// Reads `http://name:port` or `https://name:port`, with a path or without; the port is then known.
    pub(crate) fn of_url(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let default = match scheme.to_ascii_lowercase().as_str() {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let read = Self::parse(&rest[..end])?;
        Some(Self { port: Some(read.port.unwrap_or(default)), ..read })
    }

    /// Is it this machine, in any writing of it?
    pub(crate) fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Name(name) => name == "localhost",
            Host::Address(address) => address.is_loopback(),
        }
    }

    /// The address, if the host is not a name.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        match self.host {
            Host::Name(_) => None,
            Host::Address(address) => Some(address),
        }
    }

    /// The same host, whatever the port?
    pub(crate) fn has_host_of(&self, other: &Self) -> bool {
        self.host == other.host
    }

    /// Is a page of the address `page`, whose port is known, one of this host and port? What has no port stands for the usual
    /// ones, since behind a proxy nobody tells the scheme.
    pub(crate) fn serves(&self, page: &Self) -> bool {
        let is_port = |port: u16| match self.port {
            Some(own) => own == port,
            None => matches!(port, 80 | 443),
        };
        self.host == page.host && page.port.is_some_and(is_port)
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Name(name) => f.write_str(name)?,
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
            Host::Address(address) => write!(f, "{address}")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

fn named(text: &str) -> Option<Host> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(Host::Address(canonical(address)));
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    name.split('.').all(is_part).then(|| Host::Name(name.to_ascii_lowercase()))
}

/// IPv4 that is written as IPv6 is IPv4.
fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_in_every_writing() {
        for (text, expected) in [
            ("LocalHost", Some("localhost")),
            ("localhost.:9280", Some("localhost:9280")),
            ("localhost:", Some("localhost")),
            ("127.0.0.1:1", Some("127.0.0.1:1")),
            ("[::1]:9280", Some("[::1]:9280")),
            ("[::ffff:127.0.0.1]", Some("127.0.0.1")),
            ("my_service.example", Some("my_service.example")),
            ("", None),
            (".", None),
            ("a..b", None),
            ("a:b", None),
            ("a:99999", None),
            ("a:+1", None),
            ("user@localhost", None),
            ("::1", None),
            ("[::1]x", None),
            ("[::1", None),
            ("[fe80::1%25eth0]", None),
            ("localhost/x", None),
            ("localhost localhost", None),
            ("ä.example", None),
        ] {
            let read = Authority::parse(text).map(|authority| authority.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
        for text in ["localhost.", "127.0.0.1", "127.9.9.9:1", "[::1]", "[::ffff:127.0.0.1]:80"] {
            assert!(Authority::parse(text).unwrap().is_loopback(), "{text}");
        }
        for text in ["localhost.example", "127.0.0.1.example", "0.0.0.0", "[::]", "a.localhost"] {
            assert!(!Authority::parse(text).unwrap().is_loopback(), "{text}");
        }
    }

    #[test]
    fn pages_are_served_by_their_own_host_and_port() {
        for (host, page, expected) in [
            ("localhost:9280", "http://localhost:9280", true),
            ("LOCALHOST:9280", "http://localhost:9280/api-specs?x#y", true),
            ("localhost:9280", "http://localhost:9281", false),
            ("localhost:9280", "http://127.0.0.1:9280", false),
            ("localhost:9280", "http://localhost", false),
            ("auspex.example", "https://auspex.example", true),
            ("auspex.example:443", "https://auspex.example", true),
            ("auspex.example", "https://auspex.example:8443", false),
            ("[::1]:80", "http://[::1]", true),
        ] {
            let (host, page) = (Authority::parse(host).unwrap(), Authority::of_url(page).unwrap());
            assert_eq!(host.serves(&page), expected, "{host} {page}");
        }
        for page in
            ["null", "", "file://", "chrome-extension://abc", "http://", "http://a@b", "localhost:9280"]
        {
            assert!(Authority::of_url(page).is_none(), "{page}");
        }
    }
}
