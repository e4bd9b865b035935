//! `auspex detect`, as a process: the same file gives the same bytes, and what is wrong is said in one line.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

const JOB: &str = r#"{
  "analysis_config": {
    "bucket_span": "10m",
    "detectors": [{"function": "mean", "field_name": "value", "partition_field_name": "host"}],
    "influencers": ["host"]
  },
  "data_description": {"time_field": "time", "time_format": "epoch"},
  "model_plot_config": {"enabled": true}
}"#;
const BUCKETS: i64 = 600;
const SPAN_S: i64 = 600;
/// 2026-01-01.
const START_S: i64 = 1_767_225_600;
/// The bucket in which host b is far off.
const FAULT: i64 = 550;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        std::fs::write(folder.path("job.json"), JOB).unwrap();
        std::fs::write(folder.path("in.csv"), series()).unwrap();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn detect(&self, job: &str, input: &str, output: &Path) -> Output {
        Command::new(env!("CARGO_BIN_EXE_auspex"))
            .args(["detect", "--job"])
            .arg(self.path(job))
            .arg("--input")
            .arg(self.path(input))
            .arg("--output")
            .arg(output)
            .output()
            .unwrap()
    }
}

/// Two hosts, each a daily wave with a little noise, and one bucket in which host b is far off.
fn series() -> String {
    let mut text = "time,host,value\n".to_owned();
    for bucket in 0..BUCKETS {
        let wave = ((bucket % 144) as f64 / 144.0 * std::f64::consts::TAU).sin() * 10.0;
        for (host, offset) in [("a", 100.0), ("b", 300.0)] {
            let noise = ((bucket * 7919 + offset as i64) % 13) as f64 / 6.0;
            let value = if host == "b" && bucket == FAULT { 900.0 } else { offset + wave + noise };
            text.push_str(&format!("{},{host},{value}\n", START_S + bucket * SPAN_S));
        }
    }
    text
}

#[test]
fn the_same_file_gives_the_same_bytes() {
    let folder = Folder::new();
    for name in ["first", "second"] {
        let done = folder.detect("job.json", "in.csv", &folder.path(name));
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    let read = |name: &str| std::fs::read_to_string(folder.path(name)).unwrap();
    assert!(read("first") == read("second"), "two runs differ");
    let documents: Vec<Value> =
        read("first").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let buckets: Vec<&Value> = documents.iter().filter(|one| one["result_type"] == "bucket").collect();
    assert_eq!(buckets.len(), BUCKETS as usize);
    assert!(buckets.iter().all(|bucket| bucket["processing_time_ms"] == 0 && bucket["event_count"] == 2));
    let of_kind = |kind: &str| documents.iter().filter(|one| one["result_type"] == kind).count();
    assert!(of_kind("model_size_stats") >= 1);
    assert_eq!(of_kind("model_plot"), 2 * BUCKETS as usize);
    let found = documents.iter().any(|one| {
        one["result_type"] == "record"
            && one["partition_field_value"] == "b"
            && one["timestamp"] == (START_S + FAULT * SPAN_S) * 1000
            && one["record_score"].as_f64().unwrap() >= 50.0
    });
    assert!(found, "the bucket in which host b is far off");
    assert!(documents.iter().all(|one| one["job_id"] == "detect"));
}

#[test]
fn results_go_to_standard_output_and_the_summary_beside_them() {
    let folder = Folder::new();
    let done = folder.detect("job.json", "in.csv", Path::new("-"));
    let text = String::from_utf8(done.stdout).unwrap();
    assert!(text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
    assert!(text.lines().count() > BUCKETS as usize);
    let summary = String::from_utf8(done.stderr).unwrap();
    assert!(summary.starts_with(&format!("{} records, {BUCKETS} buckets, ", BUCKETS * 2)), "{summary}");
}

#[test]
fn what_is_wrong_is_said_in_one_line() {
    let folder = Folder::new();
    let write = |name: &str, text: &str| std::fs::write(folder.path(name), text).unwrap();
    write("no-function.json", &JOB.replace("mean", "median of"));
    write("no-detectors.json", r#"{"analysis_config": {"detectors": []}, "data_description": {}}"#);
    write("not.json", "{");
    write("no-column.csv", "time,value\n1,2\n");
    write("bad-time.csv", "time,host,value\n1767225600,a,1\nyesterday,a,2\n");
    write("in.dat", "time,host,value\n");
    for (job, input, expected) in [
        ("no-function.json", "in.csv", "no-function.json]: "),
        ("no-detectors.json", "in.csv", "No detectors configured"),
        ("not.json", "in.csv", "not.json]: "),
        ("absent.json", "in.csv", "absent.json]: "),
        ("job.json", "absent.csv", "cannot open ["),
        ("job.json", "no-column.csv", "no column [host]"),
        ("job.json", "bad-time.csv", "line 3: cannot read [yesterday] as a time"),
        ("job.json", "in.dat", "say --format csv or ndjson"),
    ] {
        let failed = folder.detect(job, input, &folder.path("out"));
        let said = String::from_utf8(failed.stderr).unwrap();
        assert_eq!(failed.status.code(), Some(2), "{job} {input}: {said}");
        assert!(said.starts_with("auspex: ") && said.contains(expected), "{job} {input}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn a_demo_that_does_not_exist_is_refused() {
    let failed = Command::new(env!("CARGO_BIN_EXE_auspex"))
        .args(["demo", "--once", "--only", "tea"])
        .output()
        .unwrap();
    assert_eq!(failed.status.code(), Some(2));
    let said = String::from_utf8(failed.stderr).unwrap();
    assert_eq!(said, "auspex: there is no demo [tea]; there are taxi, taxi-zones, access-log, dbms-log\n");
}
