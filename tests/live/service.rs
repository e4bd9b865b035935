//! The real binary beside a server.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::server::ask;

/// What depends on the clock or on the machine in a result.
const VOLATILE: [&str; 3] = ["log_time", "processing_time_ms", "last_data_time"];

/// A running `auspex serve`, killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Service {
    child: Child,
    pub(crate) base: String,
}

/// A command of the binary.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_auspex"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

impl Service {
    /// Starts it with further arguments and variables.
    pub(crate) fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = command(&["serve", "--listen", "127.0.0.1:0"]);
        let mut child = command.args(arguments).envs(variables.iter().copied()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let base =
            line.trim_end().strip_prefix("listening on ").expect("it says where it listens").to_owned();
        Self { child, base }
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        ask(&self.base, method, path, body).await
    }

    /// The same for a request that has to succeed.
    pub(crate) async fn done(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let (status, answer) = self.ask(method, path, body).await;
        assert!(status < 300, "{method} {path}: {status} {answer}");
        answer
    }

    /// Processed records of a job, and whether its datafeed and itself have come to their end. `None` while the store is
    /// away.
    pub(crate) async fn progress(&self, job_id: &str) -> Option<(u64, bool)> {
        let (feed_status, feed) =
            self.ask("GET", &format!("/_ml/datafeeds/datafeed-{job_id}/_stats"), None).await;
        let (job_status, job) =
            self.ask("GET", &format!("/_ml/anomaly_detectors/{job_id}/_stats"), None).await;
        if feed_status >= 500 || job_status >= 500 {
            return None;
        }
        let job = &job["jobs"][0];
        assert_ne!(job["state"], "failed", "{job}");
        let done = feed["datafeeds"][0]["state"] == "stopped" && job["state"] == "closed";
        Some((job["data_counts"]["processed_record_count"].as_u64()?, done))
    }

    /// Waits until enough records are processed, or all; says whether it was all.
    pub(crate) async fn wait(&self, job_id: &str, enough: impl Fn(u64) -> bool) -> bool {
        let waiting = async {
            loop {
                if let Some((processed, done)) = self.progress(job_id).await
                    && (done || enough(processed))
                {
                    return done;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(240), waiting).await.expect("the datafeed makes progress")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All documents about results in the indices that match, by id, without what depends on the clock. Durations are not among
/// them, nor are model snapshots and sizes of models, which are named after the clock.
pub(crate) async fn results(base: &str, indices: &str) -> BTreeMap<String, Value> {
    ask(base, "POST", &format!("/{indices}/_refresh?expand_wildcards=all"), None).await;
    let clocked = ["timing_stats", "datafeed_timing_stats", "model_size_stats"];
    let query = json!({"bool": {"must_not": [{"terms": {"result_type": clocked}},
        {"exists": {"field": "snapshot_doc_count"}}, {"exists": {"field": "quantiles"}}]}});
    let body = json!({"size": 5_000, "query": query, "sort": ["_doc"]});
    let path = format!("/{indices}/_search?expand_wildcards=all&scroll=2m");
    let (status, mut page) = ask(base, "POST", &path, Some(&body)).await;
    let mut found = BTreeMap::new();
    loop {
        assert_eq!(status, 200, "{page}");
        let hits = page["hits"]["hits"].as_array().unwrap();
        if hits.is_empty() {
            return found;
        }
        for hit in hits {
            let mut source = hit["_source"].clone();
            for name in VOLATILE {
                source.as_object_mut().unwrap().shift_remove(name);
            }
            found.insert(hit["_id"].as_str().unwrap().to_owned(), source);
        }
        let next = json!({"scroll": "2m", "scroll_id": page["_scroll_id"]});
        page = ask(base, "POST", "/_search/scroll", Some(&next)).await.1;
    }
}

/// Fails with some of the differences, if there are any.
pub(crate) fn assert_same(expected: &BTreeMap<String, Value>, found: &BTreeMap<String, Value>, what: &str) {
    let ids = expected.keys().chain(found.keys().filter(|id| !expected.contains_key(*id)));
    let differing: Vec<&String> = ids.filter(|id| expected.get(*id) != found.get(*id)).collect();
    if let Some(first) = differing.first() {
        panic!(
            "{what}: {} of {} documents differ, for example {first}:\n{:?}\n{:?}",
            differing.len(),
            expected.len(),
            expected.get(*first),
            found.get(*first)
        );
    }
}
