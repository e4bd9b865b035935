//! The server's configuration: one TOML file, then `AUSPEX_…` variables, then flags; later ones win. All that is wrong is
//! said at once.

mod cluster;
mod hosts;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use types::{ByteSize, TimeSpan};

pub use self::hosts::AllowedHosts;

const LISTEN_DEFAULT: &str = "127.0.0.1:9280";
const DATA_DEFAULT: &str = "./auspex-data";
const BODY_LIMIT_DEFAULT: &str = "100mb";
const REQUEST_TIMEOUT_DEFAULT: &str = "30m";
const SEARCH_TIMEOUT_DEFAULT: &str = "2m";
const SHUTDOWN_TIMEOUT_DEFAULT: &str = "30s";
const CONCURRENCY_MAX_DEFAULT: usize = 1024;
const CHECKPOINT_RECORDS_DEFAULT: u64 = 2_000_000;
const PREFIX: &str = "AUSPEX_";

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for whoever must send it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// What one source says; what is absent is left to the source before it, and at last to the default.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Address and port to listen on; port 0 takes a free one. Default `127.0.0.1:9280`.
    pub listen: Option<String>,
    /// May the address be other than loopback? Nobody is asked for a password. Default `false`.
    pub allow_remote: Option<bool>,
    /// Names by which clients call the server, besides `localhost` and its addresses; a port matters for pages of other origins
    /// only, and `*` permits every name. Requests for other names are answered 421 (docs/security.md). As a variable separated by
    /// commas. Default: none.
    pub allowed_hosts: Option<Vec<String>>,
    /// Folder of the embedded store. Default `./auspex-data`.
    pub data: Option<PathBuf>,
    /// Address of an Elasticsearch or OpenSearch cluster, with user and password if it wants them; several nodes are
    /// separated by commas. Default: the embedded store.
    pub store: Option<Secret>,
    /// API key for the cluster, in place of user and password: `id:key` in base64.
    pub store_api_key: Option<Secret>,
    /// PEM file with a certificate that is trusted when the cluster is asked, besides those of the system.
    pub store_ca_certificate: Option<PathBuf>,
    /// Bearer token for the cluster, in place of user and password.
    pub store_bearer_token: Option<Secret>,
    /// What stands before the names of the service's own indices in the cluster. Default: nothing.
    pub store_index_prefix: Option<String>,
    /// Is the document and search API passed on to the cluster? Default `true`.
    pub store_gateway: Option<bool>,
    /// Parts of paths that are passed on to the cluster though they are not of the document and search API; `*` for all.
    pub store_gateway_allow: Option<Vec<String>>,
    /// Are the documents of datafeeds put together by the store, where that gives the same and is cheaper? Default: `true` with
    /// a cluster, `false` with the embedded store.
    pub store_push_down: Option<bool>,
    /// Name of the cluster in answers. Default `auspex`.
    pub cluster_name: Option<String>,
    /// Name of this server in answers. Default `node-1`.
    pub node_name: Option<String>,
    /// Longest body, after decompression. Default `100mb`.
    pub body_limit: Option<String>,
    /// Longest time for an answer. Default `30m`.
    pub request_timeout: Option<String>,
    /// How long a search may take; `-1` for no limit.
    pub search_timeout: Option<String>,
    /// Longest time to end what is going on when the server stops. Default `30s`.
    pub shutdown_timeout: Option<String>,
    /// Requests served at a time; more are answered 429. Default 1024.
    pub concurrency_max: Option<usize>,
    /// Highest memory limit that a job may have. Default: none.
    pub max_model_memory_limit: Option<String>,
    /// Records that a job takes between two checkpoints, at most. Default 2000000.
    pub checkpoint_records: Option<u64>,
    /// Which log lines are written, for example `info,jobs=debug`. Default `info`.
    pub log: Option<String>,
    /// `text` or `json`. Default `text`.
    pub log_format: Option<String>,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// A configuration that is complete and valid.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are those of `Settings`")]
pub struct Config {
    pub listen: SocketAddr,
    pub allowed_hosts: AllowedHosts,
    pub data: PathBuf,
    pub store: Option<store::Config>,
    pub store_gateway: bool,
    /// What else is passed on to it.
    pub store_gateway_allow: Vec<String>,
    pub store_push_down: bool,
    pub cluster_name: String,
    pub node_name: String,
    pub body_limit_bytes: usize,
    pub request_timeout: Duration,
    /// How long a search may take, unless it asks for less.
    pub search_timeout: Option<Duration>,
    pub shutdown_timeout: Duration,
    pub concurrency_max: usize,
    pub max_model_memory_limit: Option<ByteSize>,
    pub checkpoint_records: u64,
    pub log: String,
    pub log_format: LogFormat,
}

/// All that is wrong with a configuration, one line each.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the configuration is not valid:\n  {}", .0.join("\n  "))]
pub struct ConfigErrors(pub Vec<String>);

impl Config {
    /// Reads the file and merges the three sources.
    ///
    /// # Errors
    /// All that is wrong in any of them.
    pub fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
        flags: Settings,
    ) -> Result<Self, ConfigErrors> {
        let mut problems = Vec::new();
        let from_file = file.map_or_else(Settings::default, |path| read_file(path, &mut problems));
        let from_environment = read_environment(environment, &mut problems);
        let settings = flags.or(from_environment).or(from_file);
        match Self::validated(settings, &mut problems) {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(ConfigErrors(problems)),
        }
    }

    /// The defaults, with the embedded store in `data` and any free port; for tests and tools.
    pub fn local(data: impl Into<PathBuf>) -> Self {
        let settings = Settings {
            data: Some(data.into()),
            listen: Some("127.0.0.1:0".to_owned()),
            ..Settings::default()
        };
        Self::validated(settings, &mut Vec::new()).expect("the defaults are valid")
    }

    fn validated(settings: Settings, problems: &mut Vec<String>) -> Option<Self> {
        let listen_text = settings.listen.as_deref().unwrap_or(LISTEN_DEFAULT);
        let listen = match listen_text.parse::<SocketAddr>() {
            Ok(address) => Some(address),
            Err(_) => {
                problems.push(format!(
                    "listen: [{listen_text}] is not an address and a port, such as 127.0.0.1:9280"
                ));
                None
            }
        };
        if listen.is_some_and(|address| !address.ip().is_loopback()) && settings.allow_remote != Some(true) {
            problems.push(format!(
                "listen: [{listen_text}] can be reached from other machines, and nobody is asked for a password; say \
                 allow_remote (--allow-remote) if that is meant"
            ));
        }
        let allowed_hosts = hosts::allowed_hosts(&settings, problems);
        let store = cluster::cluster(&settings, problems);
        let body_limit =
            bytes("body_limit", settings.body_limit.as_deref().unwrap_or(BODY_LIMIT_DEFAULT), problems);
        let request_timeout = duration(
            "request_timeout",
            settings.request_timeout.as_deref().unwrap_or(REQUEST_TIMEOUT_DEFAULT),
            problems,
        );
        let search_timeout = match settings.search_timeout.as_deref().unwrap_or(SEARCH_TIMEOUT_DEFAULT) {
            "-1" => Some(None),
            text => duration("search_timeout", text, problems).map(Some),
        };
        let shutdown_timeout = duration(
            "shutdown_timeout",
            settings.shutdown_timeout.as_deref().unwrap_or(SHUTDOWN_TIMEOUT_DEFAULT),
            problems,
        );
        let concurrency_max = settings.concurrency_max.unwrap_or(CONCURRENCY_MAX_DEFAULT);
        if concurrency_max == 0 {
            problems.push("concurrency_max: must be at least 1".to_owned());
        }
        let checkpoint_records = settings.checkpoint_records.unwrap_or(CHECKPOINT_RECORDS_DEFAULT);
        if checkpoint_records == 0 {
            problems.push("checkpoint_records: must be at least 1".to_owned());
        }
        let max_model_memory_limit = settings.max_model_memory_limit.as_deref().and_then(|text| {
            ByteSize::parse(text, "max_model_memory_limit")
                .map_err(|error| problems.push(format!("max_model_memory_limit: {error}")))
                .ok()
        });
        let log_format = match settings.log_format.as_deref().unwrap_or("text") {
            "text" => Some(LogFormat::Text),
            "json" => Some(LogFormat::Json),
            other => {
                problems.push(format!("log_format: [{other}] is neither text nor json"));
                None
            }
        };
        Some(Self {
            listen: listen?,
            allowed_hosts,
            data: settings.data.unwrap_or_else(|| PathBuf::from(DATA_DEFAULT)),
            store_push_down: settings
                .store_push_down
                .unwrap_or(matches!(store, Some(store::Config::Cluster(_)))),
            store,
            store_gateway: settings.store_gateway.unwrap_or(true),
            store_gateway_allow: settings.store_gateway_allow.clone().unwrap_or_default(),
            cluster_name: settings.cluster_name.unwrap_or_else(|| "auspex".to_owned()),
            node_name: settings.node_name.unwrap_or_else(|| "node-1".to_owned()),
            body_limit_bytes: body_limit?,
            request_timeout: request_timeout?,
            search_timeout: search_timeout?,
            shutdown_timeout: shutdown_timeout?,
            concurrency_max,
            max_model_memory_limit,
            checkpoint_records,
            log: settings.log.unwrap_or_else(|| "info".to_owned()),
            log_format: log_format?,
        })
    }
}

impl Settings {
    fn or(self, earlier: Self) -> Self {
        Self {
            listen: self.listen.or(earlier.listen),
            allow_remote: self.allow_remote.or(earlier.allow_remote),
            allowed_hosts: self.allowed_hosts.or(earlier.allowed_hosts),
            data: self.data.or(earlier.data),
            store: self.store.or(earlier.store),
            store_api_key: self.store_api_key.or(earlier.store_api_key),
            store_ca_certificate: self.store_ca_certificate.or(earlier.store_ca_certificate),
            store_bearer_token: self.store_bearer_token.or(earlier.store_bearer_token),
            store_index_prefix: self.store_index_prefix.or(earlier.store_index_prefix),
            store_gateway: self.store_gateway.or(earlier.store_gateway),
            store_gateway_allow: self.store_gateway_allow.or(earlier.store_gateway_allow),
            store_push_down: self.store_push_down.or(earlier.store_push_down),
            cluster_name: self.cluster_name.or(earlier.cluster_name),
            node_name: self.node_name.or(earlier.node_name),
            body_limit: self.body_limit.or(earlier.body_limit),
            request_timeout: self.request_timeout.or(earlier.request_timeout),
            search_timeout: self.search_timeout.or(earlier.search_timeout),
            shutdown_timeout: self.shutdown_timeout.or(earlier.shutdown_timeout),
            concurrency_max: self.concurrency_max.or(earlier.concurrency_max),
            max_model_memory_limit: self.max_model_memory_limit.or(earlier.max_model_memory_limit),
            checkpoint_records: self.checkpoint_records.or(earlier.checkpoint_records),
            log: self.log.or(earlier.log),
            log_format: self.log_format.or(earlier.log_format),
        }
    }
}

fn read_file(path: &Path, problems: &mut Vec<String>) -> Settings {
    let read = std::fs::read_to_string(path)
        .map_err(|error| format!("{}: {error}", path.display()))
        // A parse error quotes the line, which may hold a password: only the message and the place are shown.
        .and_then(|text| toml::from_str(&text).map_err(|error| file_error(path, &text, &error)));
    read.unwrap_or_else(|problem| {
        problems.push(problem);
        Settings::default()
    })
}

fn file_error(path: &Path, text: &str, error: &toml::de::Error) -> String {
    let line =
        error.span().map_or(1, |span| text.bytes().take(span.start).filter(|b| *b == b'\n').count() + 1);
    format!("{} line {line}: {}", path.display(), error.message().lines().next().unwrap_or_default())
}

fn read_environment(
    variables: impl Iterator<Item = (String, String)>,
    problems: &mut Vec<String>,
) -> Settings {
    let mut settings = Settings::default();
    for (name, value) in variables {
        let Some(key) = name.strip_prefix(PREFIX) else { continue };
        let text = Some(value.clone());
        match key.to_ascii_lowercase().as_str() {
            // Read by the command line.
            "config" => {}
            "listen" => settings.listen = text,
            "allowed_hosts" => settings.allowed_hosts = Some(listed(&value)),
            "data" => settings.data = text.map(PathBuf::from),
            "store" => settings.store = text.map(Secret),
            "store_api_key" => settings.store_api_key = text.map(Secret),
            "store_ca_certificate" => settings.store_ca_certificate = text.map(PathBuf::from),
            "store_bearer_token" => settings.store_bearer_token = text.map(Secret),
            "store_index_prefix" => settings.store_index_prefix = text,
            "cluster_name" => settings.cluster_name = text,
            "node_name" => settings.node_name = text,
            "body_limit" => settings.body_limit = text,
            "request_timeout" => settings.request_timeout = text,
            "search_timeout" => settings.search_timeout = text,
            "shutdown_timeout" => settings.shutdown_timeout = text,
            "max_model_memory_limit" => settings.max_model_memory_limit = text,
            "log" => settings.log = text,
            "log_format" => settings.log_format = text,
            "allow_remote" => match value.parse() {
                Ok(flag) => settings.allow_remote = Some(flag),
                Err(_) => problems.push(format!("{name}: [{value}] is neither true nor false")),
            },
            "store_gateway_allow" => settings.store_gateway_allow = Some(listed(&value)),
            "store_gateway" => match value.parse() {
                Ok(flag) => settings.store_gateway = Some(flag),
                Err(_) => problems.push(format!("{name}: [{value}] is neither true nor false")),
            },
            "store_push_down" => match value.parse() {
                Ok(flag) => settings.store_push_down = Some(flag),
                Err(_) => problems.push(format!("{name}: [{value}] is neither true nor false")),
            },
            "concurrency_max" => match value.parse() {
                Ok(number) => settings.concurrency_max = Some(number),
                Err(_) => problems.push(format!("{name}: [{value}] is not a whole number")),
            },
            "checkpoint_records" => match value.parse() {
                Ok(number) => settings.checkpoint_records = Some(number),
                Err(_) => problems.push(format!("{name}: [{value}] is not a whole number")),
            },
            _ => problems.push(format!("{name}: there is no such setting")),
        }
    }
    settings
}

/// The parts of a list that is separated by commas.
fn listed(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn bytes(name: &str, text: &str, problems: &mut Vec<String>) -> Option<usize> {
    match types::bytes::parse_bytes(text, name).map(usize::try_from) {
        Ok(Ok(bytes)) if bytes > 0 => Some(bytes),
        Ok(_) => {
            problems.push(format!("{name}: [{text}] is out of range"));
            None
        }
        Err(error) => {
            problems.push(format!("{name}: {error}"));
            None
        }
    }
}

fn duration(name: &str, text: &str, problems: &mut Vec<String>) -> Option<Duration> {
    match TimeSpan::parse(text, name).map(|span| u64::try_from(span.as_millis())) {
        Ok(Ok(millis)) if millis > 0 => Some(Duration::from_millis(millis)),
        Ok(_) => {
            problems.push(format!("{name}: [{text}] must be positive"));
            None
        }
        Err(error) => {
            problems.push(format!("{name}: {error}"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: &str, environment: &[(&str, &str)], flags: Settings) -> Result<Config, ConfigErrors> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("auspex.toml");
        std::fs::write(&path, file).unwrap();
        let variables = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load(Some(&path), variables, flags)
    }

    #[test]
    fn flags_win_over_variables_and_those_over_the_file() {
        let flags = Settings { listen: Some("127.0.0.1:3".to_owned()), ..Settings::default() };
        let file = "listen = '127.0.0.1:1'\nnode_name = 'file'\ncluster_name = 'file'";
        let config = load(
            file,
            &[("AUSPEX_LISTEN", "127.0.0.1:2"), ("AUSPEX_NODE_NAME", "env"), ("HOME", "/")],
            flags,
        )
        .unwrap();
        assert_eq!(config.listen.port(), 3);
        assert_eq!((config.node_name.as_str(), config.cluster_name.as_str()), ("env", "file"));
        assert_eq!((config.body_limit_bytes, config.request_timeout.as_secs()), (100 << 20, 1800));
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let file = "listen = '0.0.0.0:80'\nbody_limit = '5 parsecs'\nlog_format = 'xml'\nconcurrency_max = 0";
        let problems = load(file, &[("AUSPEX_LISTN", "x"), ("AUSPEX_STORE", "ftp://h")], Settings::default())
            .unwrap_err()
            .0;
        for (name, count) in [
            ("listen:", 1),
            ("body_limit:", 1),
            ("log_format:", 1),
            ("concurrency_max:", 1),
            ("AUSPEX_LISTN:", 1),
            ("store:", 1),
        ] {
            assert_eq!(
                problems.iter().filter(|line| line.starts_with(name)).count(),
                count,
                "{name} in {problems:?}"
            );
        }
    }

    #[test]
    fn unknown_keys_are_refused_and_secrets_stay_hidden() {
        let problems =
            load("store = 'http://u:hunter2@h'\nlisen = 'x'", &[], Settings::default()).unwrap_err();
        assert!(problems.to_string().contains("unknown field `lisen`"), "{problems}");
        assert!(!problems.to_string().contains("hunter2"));
        let config = load("store = 'http://u:hunter2@h'", &[], Settings::default()).unwrap();
        assert!(!format!("{config:?}").contains("hunter2"));
        let broken = load("store = 'http://u:hunter2@h' oops", &[], Settings::default()).unwrap_err();
        assert!(!broken.to_string().contains("hunter2"), "{broken}");
    }

    #[test]
    fn remote_addresses_need_a_switch() {
        assert!(load("listen = '0.0.0.0:1'\nallow_remote = true", &[], Settings::default()).is_ok());
        assert!(load("listen = '[::1]:1'", &[], Settings::default()).is_ok());
    }
}
