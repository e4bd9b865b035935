//! Planted anomalies among many series, as a job sees them: the scores of the records of the planted ones, and the alarms
//! elsewhere. Reads what `scripts/score/gen_metrics.py metrics` writes.

use engine::{Analysis, Context, FieldValue, Output};
use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use types::{JobBody, JobId, TimestampMs};

/// Records of a planted series within this time of its beginning belong to it, seconds: the longest lasts an hour, and the
/// windows look back over two.
const BELONGS_S: i64 = 10_800;

/// What the job said.
pub(crate) struct Planted {
    /// Kind and best record score of each planted anomaly.
    pub(crate) scores: Vec<(String, f64)>,
    /// Records elsewhere of at least 50 and 75.
    pub(crate) elsewhere: [usize; 2],
    /// The highest of them.
    pub(crate) highest: f64,
}

/// Runs the job `mean(value)` partitioned by host over a file and its labels.
pub(crate) fn judge(csv: &str) -> Result<Planted, Box<dyn Error>> {
    let labels = fs::read_to_string(format!("{csv}.labels.csv"))?;
    let mut planted: BTreeMap<String, (i64, String, f64)> = BTreeMap::new();
    for line in labels.lines().skip(1) {
        if let [time, host, kind] = line.split(',').collect::<Vec<_>>()[..] {
            planted.insert(host.to_owned(), (time.parse()?, kind.to_owned(), 0.0));
        }
    }
    let body = r#"{"analysis_config":{"bucket_span":"5m","detectors":[{"function":"mean","field_name":"value",
        "partition_field_name":"host"}]},"data_description":{},"analysis_limits":{"model_memory_limit":"4gb"}}"#;
    let body: JobBody = serde_json::from_str(body)?;
    let job = body.into_job(JobId::try_from("planted".to_owned())?, TimestampMs(0))?;
    let mut analysis = Analysis::new(&job, Context::default())?;
    let (mut out, mut elsewhere, mut highest) = (Output::default(), [0, 0], 0.0f64);
    let text = fs::read_to_string(csv)?;
    // Initial scores are not looked at: those count that the records end with.
    let mut records: BTreeMap<String, (i64, String, f64)> = BTreeMap::new();
    let mut keep = |out: &mut Output| {
        for record in &out.records {
            let host = record.split.partition_field_value.clone().unwrap_or_default();
            records.insert(record.doc_id(), (record.timestamp.0 / 1000, host, record.record_score));
        }
        for rescored in &out.rescored {
            if let Some((_, _, score)) = records.get_mut(&rescored.doc_id) {
                *score = rescored.score;
            }
        }
        out.clear();
    };
    for line in text.lines().skip(1) {
        let mut cells = line.split(',');
        let (Some(time), Some(host), Some(value)) = (cells.next(), cells.next(), cells.next()) else {
            continue;
        };
        let values = [FieldValue::Num(value.parse()?), FieldValue::Str(host)];
        analysis.push(time.parse::<i64>()? * 1000, &values, &mut out);
        if out.records.len() > 1000 {
            keep(&mut out);
        }
    }
    analysis.finish(&mut out);
    keep(&mut out);
    for (time, host, score) in records.into_values() {
        match planted.get_mut(&host) {
            Some((at, _, best)) if (*at - 600..*at + BELONGS_S).contains(&time) => *best = best.max(score),
            // What follows a lasting change of the series is neither.
            Some((at, _, _)) if time >= *at => {}
            _ => {
                highest = highest.max(score);
                for (count, least) in elsewhere.iter_mut().zip([50.0, 75.0]) {
                    *count += usize::from(score >= least);
                }
            }
        }
    }
    let scores = planted.into_values().map(|(_, kind, best)| (kind, best)).collect();
    Ok(Planted { scores, elsewhere, highest })
}
