//! `auspex plan`, `apply` and `export`: the real commands against a server that listens.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::listening::Listening;
use crate::server::Answer;

const START_MS: i64 = 1_735_689_600_000;
const HOUR_MS: i64 = 3_600_000;
const RESULTS: [&str; 4] = ["bucket", "bucket_influencer", "record", "influencer"];

/// What a command ended with.
#[derive(Debug)]
struct Ended {
    code: i32,
    out: String,
    err: String,
}

impl Listening {
    async fn auspex(&self, arguments: &[&str]) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_auspex"));
        command.args(arguments).env("AUSPEX_URL", self.url()).env("NO_PROXY", "127.0.0.1");
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ended { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }

    async fn ok(&self, method: &str, uri: &str, body: Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer: Answer = self.server.call(method, uri, &body).await;
        assert!(answer.status.is_success(), "{method} {uri}: {}", answer.text);
        answer.json()
    }

    async fn get(&self, uri: &str) -> Value {
        self.ok("GET", uri, Value::Null).await
    }

    /// Three days of two hosts, with a burst near the end of each day.
    async fn fill(&self) {
        let properties =
            json!({"time": {"type": "date"}, "host": {"type": "keyword"}, "v": {"type": "double"}});
        self.ok("PUT", "/series", json!({"mappings": {"properties": properties}})).await;
        let mut lines = String::new();
        for step in 0..3 * 24 * 12_i64 {
            for host in 0..2_i64 {
                let calm = 20.0 + ((step * 31 + host * 17) % 13) as f64;
                let v = if step % 288 > 280 && host == 1 { calm * 30.0 } else { calm };
                let document = json!({"time": START_MS + step * 300_000, "host": format!("h{host}"), "v": v});
                lines.push_str(&format!("{{\"index\":{{}}}}\n{document}\n"));
            }
        }
        let answer = self.server.call("POST", "/series/_bulk?refresh=true&filter_path=errors", &lines).await;
        assert_eq!(answer.json()["errors"], false);
    }

    /// Opens the job and lets its datafeed run up to an hour.
    async fn run(&self, job: &str, feed: &str, end_hour: i64) {
        self.ok("POST", &format!("/_ml/anomaly_detectors/{job}/_open"), Value::Null).await;
        let end = START_MS + end_hour * HOUR_MS;
        self.ok("POST", &format!("/_ml/datafeeds/{feed}/_start?end={end}"), Value::Null).await;
        self.ended(job).await;
    }

    /// Waits until the job's datafeed has come to its end and closed the job.
    async fn ended(&self, job: &str) {
        let waiting = async {
            while self.get(&format!("/_ml/anomaly_detectors/{job}/_stats")).await["jobs"][0]["state"]
                != "closed"
            {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), waiting).await.expect("the datafeed ends");
    }

    /// Results from an hour on by id, without what depends on the clock.
    async fn results(&self, job: &str, from_hour: i64) -> BTreeMap<String, Value> {
        let body = json!({"size": 10_000, "query": {"bool": {"filter": [{"terms": {"result_type": RESULTS}},
            {"range": {"timestamp": {"gte": START_MS + from_hour * HOUR_MS}}}]}}});
        let found = self.ok("POST", &format!("/.ml-anomalies-{job}/_search"), body).await;
        let hits = found["hits"]["hits"].as_array().unwrap();
        hits.iter()
            .map(|hit| {
                let mut source = hit["_source"].clone();
                source.as_object_mut().unwrap().shift_remove("processing_time_ms");
                (hit["_id"].as_str().unwrap().to_owned(), source)
            })
            .collect()
    }
}

fn write(folder: &TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

const FILES: &str = r#"
kind: filter
id: quiet
items: [b, a]
---
kind: calendar
id: releases
job_ids: [load]
events:
  - description: release
    start_time: 2025-01-02T10:00:00Z
    end_time: 2025-01-02T11:00:00Z
---
kind: job
id: load
description: load of each host
groups: [web]
analysis_config:
  bucket_span: 30m
  influencers: [host]
  detectors:
    - function: mean
      field_name: v
      partition_field_name: host
      custom_rules: [{scope: {host: {filter_id: quiet}}}]
analysis_limits: {model_memory_limit: 64mb}
data_description: {time_field: time}
datafeed_config:
  datafeed_id: feed
  indices: series
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_becomes_what_the_files_say_and_the_files_what_the_server_is() {
    let server = Listening::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = write(&folder, "all.yaml", FILES);
    server.fill().await;

    let plan = server.auspex(&["plan", &file]).await;
    assert_eq!(plan.code, 2, "{plan:?}");
    assert!(plan.out.contains("plan: 4 to create, 0 to update"), "{}", plan.out);
    assert!(plan.out.contains("+ create job [load]"), "{}", plan.out);
    let applied = server.auspex(&["apply", &file]).await;
    assert_eq!(applied.code, 0, "{applied:?}");
    let order: Vec<&str> =
        applied.out.lines().filter_map(|line| line.strip_prefix("done: create ")).collect();
    assert_eq!(order, ["filter [quiet]", "calendar [releases]", "job [load]", "datafeed [feed]"]);
    let events = server.get("/_ml/calendars/releases/events").await;
    assert_eq!(events["events"][0]["start_time"], 1_735_812_000_000_i64);

    let again = server.auspex(&["plan", &file]).await;
    assert_eq!((again.code, again.out.as_str()), (0, "no changes: the server is as the files say\n"));

    for format in ["yaml", "json"] {
        let target = folder.path().join(format);
        let exported = server.auspex(&["export", "--to", text(&target), "--format", format]).await;
        assert_eq!((exported.code, exported.out.lines().count()), (0, 4), "{exported:?}");
        let plan = server.auspex(&["plan", "--prune", text(&target)]).await;
        assert_eq!(plan.code, 0, "what was exported changes nothing: {plan:?}");
        let empty = Listening::start().await;
        empty.fill().await;
        assert_eq!(empty.auspex(&["apply", text(&target)]).await.code, 0);
        let of = |answer: Value| {
            let mut job = answer["jobs"][0].clone();
            job.as_object_mut().unwrap().shift_remove("create_time");
            job
        };
        let uri = "/_ml/anomaly_detectors/load";
        assert_eq!(of(empty.get(uri).await), of(server.get(uri).await));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plan_says_what_becomes_of_the_model_and_apply_does_it() {
    let server = Listening::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = write(&folder, "all.yaml", FILES);
    server.fill().await;
    assert_eq!(server.auspex(&["apply", &file]).await.code, 0);
    server.run("load", "feed", 48).await;
    let snapshot = server.get("/_ml/anomaly_detectors/load").await["jobs"][0]["model_snapshot_id"].clone();
    assert!(snapshot.is_string());

    // Kept: an open job with a running datafeed is closed, changed and goes on.
    server.ok("POST", "/_ml/anomaly_detectors/load/_open", Value::Null).await;
    server.ok("POST", "/_ml/datafeeds/feed/_start", Value::Null).await;
    let changed = FILES
        .replace("load of each host", "renamed")
        .replace("64mb", "128mb")
        .replace("items: [b, a]", "items: [a, c]")
        .replace("indices: series", "indices: [series]\n  scroll_size: 500");
    write(&folder, "all.yaml", &changed);
    let plan = server.auspex(&["plan", &file]).await;
    assert_eq!(plan.code, 2);
    for line in [
        "~ update job [load]: the model is kept",
        "    ~ description: \"load of each host\" -> \"renamed\"",
        "    ~ analysis_limits.model_memory_limit: \"64mb\" -> \"128mb\"",
        "    # the job is closed and opened again around it, so that it takes effect",
        "~ update filter [quiet]: the model is kept",
        "    - items: [\"b\"]",
        "    + items: [\"c\"]",
        "~ update datafeed [feed]: the model is kept",
        "    ~ scroll_size: 1000 -> 500",
        "models: 3 kept, 0 rebuilt in the background, 0 lost, 0 imported",
    ] {
        assert!(plan.out.lines().any(|printed| printed == line), "{line}\n{}", plan.out);
    }
    let applied = server.auspex(&["apply", &file]).await;
    assert_eq!(applied.code, 0, "{applied:?}");
    let job = server.get("/_ml/anomaly_detectors/load").await;
    assert_eq!(job["jobs"][0]["analysis_limits"]["model_memory_limit"], "128mb");
    assert_eq!(server.get("/_ml/datafeeds/feed/_stats").await["datafeeds"][0]["state"], "started");
    assert_eq!(server.auspex(&["plan", &file]).await.code, 0);
    server.ok("POST", "/_ml/anomaly_detectors/load/_close", Value::Null).await;

    // Rebuilt: the datafeed reads its data again.
    let other = changed.replace("bucket_span: 30m", "bucket_span: 1h");
    write(&folder, "all.yaml", &other);
    let plan = server.auspex(&["plan", "--json", &file]).await;
    let changes: Value = serde_json::from_str(&plan.out).unwrap();
    let job = changes["changes"].as_array().unwrap().iter().find(|change| change["kind"] == "job").unwrap();
    assert_eq!((&job["action"], &job["model"]), (&json!("replace"), &json!("rebuilt")), "{changes}");
    assert_eq!(job["differences"][0]["path"], "analysis_config.bucket_span");
    let applied = server.auspex(&["apply", "--keep-models", &file]).await;
    assert_eq!(applied.code, 0, "{applied:?}");
    server.ended("load").await;
    let buckets = server.get("/_ml/anomaly_detectors/load/results/buckets?size=1").await;
    assert_eq!(
        (&buckets["buckets"][0]["bucket_span"], &buckets["buckets"][0]["timestamp"]),
        (&json!(3600), &json!(START_MS))
    );
    let calendar = server.get("/_ml/calendars/releases").await;
    assert_eq!(
        calendar["calendars"][0]["job_ids"],
        json!(["load"]),
        "the new job is in the old one's calendar"
    );
    assert_eq!(server.auspex(&["plan", &file]).await.code, 0);

    // Lost: the data are gone.
    server.ok("DELETE", "/series", Value::Null).await;
    write(&folder, "all.yaml", &FILES.replace("indices: series", "indices: [series]\n  scroll_size: 500"));
    let plan = server.auspex(&["plan", &file]).await;
    assert!(plan.out.contains("-/+ replace job [load]: THE MODEL IS LOST"), "{}", plan.out);
    let refused = server.auspex(&["apply", "--keep-models", &file]).await;
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("nothing was changed"), "{}", refused.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_taken_along_goes_on_as_it_would_have_at_home() {
    let (home, away) = (Listening::start().await, Listening::start().await);
    let folder = tempfile::tempdir().unwrap();
    let file = write(&folder, "all.yaml", FILES);
    home.fill().await;
    away.fill().await;
    assert_eq!(home.auspex(&["apply", &file]).await.code, 0);
    home.run("load", "feed", 44).await;
    let files = folder.path().join("exported");
    let exported = home.auspex(&["export", "--state", "--to", text(&files)]).await;
    assert!(exported.out.contains("model_snapshots/load-"), "{exported:?}");

    // Under a prefix that the server does not have there is nothing to read, and nothing is written.
    let nowhere = folder.path().join("nowhere");
    let refused = home.auspex(&["export", "--state", "--index-prefix=x", "--to", text(&nowhere)]).await;
    assert!(refused.code == 1 && refused.err.contains("--index-prefix"), "{refused:?}");
    let refused = away.auspex(&["apply", "--index-prefix=x", text(&files)]).await;
    assert_eq!(refused.code, 1, "{refused:?}");
    assert_eq!(away.get("/_cat/indices/x*?format=json&expand_wildcards=all").await, json!([]));

    let plan = away.auspex(&["plan", text(&files)]).await;
    assert!(plan.out.contains(": the model comes from the file"), "{}", plan.out);
    assert_eq!(away.auspex(&["apply", text(&files)]).await.code, 0);
    assert_eq!(away.auspex(&["plan", text(&files)]).await.code, 0, "a job that has a model gets no other");
    let counts = |stats: Value| stats["jobs"][0]["data_counts"]["processed_record_count"].clone();
    let uri = "/_ml/anomaly_detectors/load/_stats";
    assert_eq!(counts(away.get(uri).await), counts(home.get(uri).await));

    for server in [&home, &away] {
        server.run("load", "feed", 72).await;
    }
    let (expected, found) = (home.results("load", 44).await, away.results("load", 44).await);
    assert!(
        expected.values().any(|result| result["result_type"] == "record"),
        "there is something to compare"
    );
    assert_eq!(expected, found);
    assert_eq!(counts(away.get(uri).await), counts(home.get(uri).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_file_names_is_deleted_only_when_asked_for() {
    let server = Listening::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = write(&folder, "all.yaml", FILES);
    server.fill().await;
    assert_eq!(server.auspex(&["apply", &file]).await.code, 0);
    let rest = write(&folder, "rest.json", r#"{"kind": "calendar", "id": "releases", "job_ids": []}"#);
    assert!(server.auspex(&["plan", &rest]).await.out.contains("0 to delete"));
    let pruned = server.auspex(&["apply", "--prune", &rest]).await;
    assert_eq!(pruned.code, 0, "{pruned:?}");
    assert_eq!(server.get("/_ml/anomaly_detectors").await["count"], 0);
    assert_eq!(server.get("/_ml/filters").await["count"], 0);
    let calendar = server.get("/_ml/calendars").await;
    assert_eq!((&calendar["count"], &calendar["calendars"][0]["job_ids"]), (&json!(1), &json!([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_is_said_and_ends_with_1() {
    let server = Listening::start().await;
    let folder = tempfile::tempdir().unwrap();
    let watch =
        "kind: watch\nid: w\ntrigger: {schedule: {interval: 1h}}\n---\nkind: filter\nid: f\nitems: [x]\n";
    let watch = write(&folder, "watch.yaml", watch);
    let plan = server.auspex(&["plan", &watch]).await;
    if plan.out.contains("cannot do watch [w]") {
        assert!(plan.out.contains("this server has no watches"), "{}", plan.out);
        let applied = server.auspex(&["apply", &watch]).await;
        assert_eq!(applied.code, 1, "{applied:?}");
        assert!(applied.out.contains("done: create filter [f]"), "{applied:?}");
    }
    let cases = [
        ("kind: job\nid: j\nanalysis_config: {detectors: []}\ndata_description: {}", "detectors"),
        ("kind: job\nid: UP\nanalysis_config: {detectors: [{function: count}]}\ndata_description: {}", "UP"),
        ("kind: datafeed\nid: f\njob_id: nowhere\nindices: [a]", "neither in the files nor on the server"),
        ("kind: filter\nid: f\nitem: [a]", "unknown field [item]"),
        ("kind: thing\nid: f", "kind [thing] is none of"),
    ];
    for (document, reason) in cases {
        let file = write(&folder, "wrong.yaml", document);
        for command in ["plan", "apply"] {
            let ended = server.auspex(&[command, &file]).await;
            assert_eq!(ended.code, 1, "{document}: {ended:?}");
            assert!(ended.err.contains(reason), "{document}: {}", ended.err);
        }
    }
    let nobody = server.auspex(&["plan", "--url", "http://127.0.0.1:1", &watch]).await;
    assert_eq!(nobody.code, 1);
    assert_eq!(server.auspex(&["plan"]).await.code, 1, "wrong usage is no change");
}
