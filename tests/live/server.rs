//! Real servers, started by `server/start.sh` for as long as a test lasts.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

/// A running server; dropping it ends it and removes its data.
#[derive(Debug)]
pub(crate) struct Server {
    kind: &'static str,
    pub(crate) url: String,
    port: u16,
    folder: PathBuf,
    process: i32,
    /// Is a test over when it is dropped?
    is_counted: bool,
}

/// Tests that came to their end, and those that were skipped.
static PASSED: AtomicU32 = AtomicU32::new(0);
static SKIPPED: AtomicU32 = AtomicU32::new(0);

/// Words of `start.sh` that say that something is not installed here, and not that a server is broken.
const NOT_HERE: [&str; 4] = ["no Java", "mvn is not installed", "Maven could not fetch", "a JDK (javac"];

/// Reasons that are nobody's fault even when nothing may be skipped.
const EXCUSED: [&str; 3] = ["Maven could not fetch", "LIVE_TESTS is not set", "the server cannot"];

impl Server {
    /// Starts a server, or says why that cannot be done here.
    pub(crate) fn start(kind: &'static str) -> Result<Self, String> {
        if std::env::var_os("LIVE_TESTS").is_none_or(|value| value == "0") {
            return Err("LIVE_TESTS is not set; `make live` sets it".to_owned());
        }
        let folder = tempfile::tempdir().unwrap().keep();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let url = format!("http://127.0.0.1:{port}");
        let mut server = Self { kind, url, port, folder, process: 0, is_counted: false };
        server.launch()?;
        Ok(server)
    }

    fn launch(&mut self) -> Result<(), String> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/live/server/start.sh");
        let mut command = Command::new(script);
        command.arg(self.kind).arg(self.port.to_string()).arg(&self.folder);
        let output = command.env("SEARCH_CDS", "0").env("SEARCH_HEAP", "768m").output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if !output.status.success() {
            assert!(
                NOT_HERE.iter().any(|words| errors.contains(words)),
                "{} did not start: {errors}",
                self.kind
            );
            return Err(errors);
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let process = text.lines().find_map(|line| line.strip_prefix("pid=")).unwrap();
        self.process = process.parse().unwrap();
        Ok(())
    }

    /// Ends the server's process without a warning.
    pub(crate) async fn kill(&mut self) {
        let killed = Command::new("kill").args(["-9", &self.process.to_string()]).status();
        assert!(killed.is_ok_and(|status| status.success()), "the server was gone already");
        while Path::new(&format!("/proc/{}/stat", self.process)).exists() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Starts it again on the same data and the same port.
    pub(crate) fn restart(&mut self) {
        self.launch().unwrap();
    }

    /// Removes all that tests have written.
    pub(crate) async fn wipe(&self) {
        let client = reqwest::Client::new();
        let names = client.get(format!("{}/_cat/indices?h=index&expand_wildcards=all", self.url));
        let names = names.send().await.unwrap().text().await.unwrap();
        for name in names.split_whitespace() {
            client.delete(format!("{}/{name}", self.url)).send().await.unwrap();
        }
    }

    /// Asks the server itself.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        ask(&self.url, method, path, body).await
    }
}

/// One request; an answer that is not JSON is a text.
pub(crate) async fn ask(base: &str, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = reqwest::Client::new().request(method, format!("{base}{path}"));
    if let Some(body) = body {
        request = match body {
            Value::String(lines) => {
                request.header("content-type", "application/x-ndjson").body(lines.clone())
            }
            json => request.json(json),
        };
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.process > 0 {
            let _ = Command::new("kill").args(["-9", &self.process.to_string()]).status();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
        if self.is_counted && !std::thread::panicking() {
            PASSED.fetch_add(1, Ordering::Relaxed);
            tell_counts();
        }
    }
}

/// Says something that the test harness does not hold back.
pub(crate) fn say(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Starts a server, or says why the test is skipped.
pub(crate) fn start_or_skip(kind: &'static str) -> Option<Server> {
    match Server::start(kind) {
        Ok(mut server) => {
            server.is_counted = true;
            Some(server)
        }
        Err(reason) => {
            skipped(kind, &reason);
            None
        }
    }
}

/// Counts and tells something that cannot be tried here. With `LIVE_REQUIRED=1` it is a failure, unless jars could not be
/// fetched or the tests were not asked for.
pub(crate) fn skipped(what: &str, reason: &str) {
    say(&format!("live: {what} is skipped: {reason}"));
    SKIPPED.fetch_add(1, Ordering::Relaxed);
    tell_counts();
    let is_required = std::env::var("LIVE_REQUIRED").is_ok_and(|value| value == "1");
    assert!(
        !is_required || EXCUSED.iter().any(|words| reason.contains(words)),
        "{what} must not be skipped with LIVE_REQUIRED=1: {reason}"
    );
}

/// The last one is that of all.
fn tell_counts() {
    let (passed, skipped) = (PASSED.load(Ordering::Relaxed), SKIPPED.load(Ordering::Relaxed));
    say(&format!("live: {passed} passed, {skipped} skipped so far"));
}
