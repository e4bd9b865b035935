//! The real binary: how it starts, stops, and what is left when it is killed.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

const HOSTS: usize = 3;
const BUCKETS: i64 = 240;
const START_MS: i64 = 1_735_689_600_000;
const RESULTS: [&str; 4] = ["bucket", "bucket_influencer", "record", "influencer"];

/// A server of its own, killed when it is dropped.
struct Process {
    child: Child,
    stdout: BufReader<ChildStdout>,
    base: String,
    client: reqwest::Client,
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_auspex"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

impl Process {
    fn start(data: &Path) -> Self {
        let mut command = command(&["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()]);
        // Often enough that a run of this test meets several checkpoints.
        command.env("AUSPEX_CHECKPOINT_RECORDS", "9000");
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let base = line
            .trim_end()
            .strip_prefix("listening on ")
            .expect("the server says where it listens")
            .to_owned();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { child, stdout, base, client }
    }

    async fn call(&self, method: &str, path: &str, body: String) -> Value {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if !body.is_empty() {
            request = request.header("content-type", "application/json").body(body);
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }

    async fn get(&self, path: &str) -> Value {
        self.call("GET", path, String::new()).await
    }

    /// Processed records, and whether datafeed and job have come to their end.
    async fn progress(&self) -> (u64, bool) {
        let feed = self.get("/_ml/datafeeds/f/_stats").await;
        let job = self.get("/_ml/anomaly_detectors/j/_stats").await;
        let job = &job["jobs"][0];
        assert_ne!(job["state"], "failed", "{job}");
        let done = feed["datafeeds"][0]["state"] == "stopped" && job["state"] == "closed";
        (job["data_counts"]["processed_record_count"].as_u64().unwrap(), done)
    }

    async fn wait(&self, enough: impl Fn(u64) -> bool) -> bool {
        let waiting = async {
            loop {
                let (processed, done) = self.progress().await;
                if done || enough(processed) {
                    return done;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(120), waiting).await.expect("the datafeed makes progress")
    }

    /// All result documents by id, without what depends on the clock.
    async fn results(&self) -> BTreeMap<String, Value> {
        let body = json!({"size": 10_000, "query": {"terms": {"result_type": RESULTS}}}).to_string();
        let found = self.call("POST", "/.ml-anomalies-*/_search?expand_wildcards=all", body).await;
        let hits = found["hits"]["hits"].as_array().unwrap();
        assert_eq!(found["hits"]["total"]["value"], hits.len());
        hits.iter()
            .map(|hit| {
                let mut source = hit["_source"].clone();
                for name in ["processing_time_ms", "log_time"] {
                    source.as_object_mut().unwrap().shift_remove(name);
                }
                (hit["_id"].as_str().unwrap().to_owned(), source)
            })
            .collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Documents every minute for each host, with outliers now and then.
async fn fill(server: &Process) {
    let mapping = json!({"mappings": {"properties": {"time": {"type": "date"}, "host": {"type": "keyword"}, "v": {"type": "double"}}}});
    server.call("PUT", "/series", mapping.to_string()).await;
    let mut lines = String::new();
    for minute in 0..BUCKETS * 60 {
        for host in 0..HOSTS {
            let calm = 20.0 + ((minute * 31 + host as i64 * 17) % 13) as f64;
            let v = if minute % 4001 > 3990 && host == 1 { calm * 40.0 } else { calm };
            let document = json!({"time": START_MS + minute * 60_000, "host": format!("h{host}"), "v": v});
            lines.push_str(&format!("{{\"index\":{{}}}}\n{document}\n"));
        }
    }
    let answer = server.call("POST", "/series/_bulk?filter_path=errors", lines).await;
    assert_eq!(answer["errors"], false);
    let job = json!({"analysis_config": {"bucket_span": "1h", "influencers": ["host"], "detectors": [
        {"function": "mean", "field_name": "v", "partition_field_name": "host"}]}, "data_description": {"time_field": "time"}});
    server.call("PUT", "/_ml/anomaly_detectors/j", job.to_string()).await;
    server.call("PUT", "/_ml/datafeeds/f", json!({"job_id": "j", "indices": ["series"]}).to_string()).await;
}

async fn start_feed(server: &Process) {
    server.call("POST", "/_ml/anomaly_detectors/j/_open", String::new()).await;
    let end = START_MS + BUCKETS * 3_600_000;
    server.call("POST", &format!("/_ml/datafeeds/f/_start?start={START_MS}&end={end}"), String::new()).await;
}

fn terminate(server: &mut Process) -> std::process::ExitStatus {
    let pid = server.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    server.child.wait().unwrap()
}

#[tokio::test]
async fn killing_the_server_at_any_point_changes_no_result() {
    let folder = tempfile::tempdir().unwrap();
    let filled = folder.path().join("filled");
    let mut server = Process::start(&filled);
    fill(&server).await;
    assert!(terminate(&mut server).success());
    drop(server);

    let calm_folder = folder.path().join("calm");
    copy_folder(&filled, &calm_folder);
    let calm = Process::start(&calm_folder);
    start_feed(&calm).await;
    calm.wait(|_| false).await;
    let expected = calm.results().await;
    let (total, _) = calm.progress().await;
    assert_eq!(total, BUCKETS as u64 * 60 * HOSTS as u64);
    assert!(
        expected.values().any(|document| document["result_type"] == "record"),
        "there is something to compare"
    );
    drop(calm);

    let mut interrupted = 0;
    for (number, fraction) in [0.0, 0.2, 0.45, 0.7].into_iter().enumerate() {
        let data = folder.path().join(format!("killed-{number}"));
        copy_folder(&filled, &data);
        let server = Process::start(&data);
        start_feed(&server).await;
        let enough = (total as f64 * fraction) as u64;
        let done = server.wait(|processed| processed >= enough).await;
        interrupted += usize::from(!done);
        drop(server);

        let server = Process::start(&data);
        server.wait(|_| false).await;
        let found = server.results().await;
        let differing: Vec<&String> =
            expected.keys().chain(found.keys()).filter(|id| expected.get(*id) != found.get(*id)).collect();
        assert!(differing.is_empty(), "killed after {enough} of {total} records: {differing:?}");
        assert_eq!(server.progress().await.0, total, "records are counted once");
    }
    assert!(interrupted >= 2, "the datafeed was faster than the test");
}

#[tokio::test]
async fn the_server_says_one_line_and_stops_when_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Process::start(folder.path());
    assert_eq!(server.get("/").await["tagline"], "You Know, for Search");
    assert!(terminate(&mut server).success());
    let mut rest = String::new();
    server.stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
}

#[test]
fn a_wrong_configuration_is_refused_with_all_that_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let output = command(&["serve", "--listen", "0.0.0.0:0", "--data", data])
        .env("AUSPEX_BODY_LIMIT", "much")
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text.contains("allow_remote") && text.contains("body_limit"), "{text}");
}
