//! Generated workloads: records per CPU second, false alarms, bytes per series.
//!
//! `cargo run --release -p engine --example workload [metrics|many|quiet|count|population|rare] [scale]`
#![allow(clippy::print_stdout, clippy::disallowed_types, reason = "a measuring tool")]

use std::time::Instant;

use engine::{Analysis, Context, FieldValue, Output};
use types::{JobBody, JobId, TimestampMs};

const SPAN: i64 = 300;

struct Noise(u64);

impl Noise {
    fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    fn below(&mut self, n: usize) -> usize {
        (self.uniform() * n as f64) as usize
    }
}

/// Seconds of CPU time of this process, or of wall time where that is not known.
fn cpu_seconds(start: Instant) -> f64 {
    let ticks = std::fs::read_to_string("/proc/self/stat").ok().and_then(|stat| {
        let fields: Vec<f64> =
            stat.rsplit(')').next()?.split_whitespace().filter_map(|field| field.parse().ok()).collect();
        Some(fields.get(10)? + fields.get(11)?)
    });
    ticks.map_or_else(|| start.elapsed().as_secs_f64(), |ticks| ticks / 100.0)
}

/// Largest resident size of this process so far.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let which = arguments.get(1).map_or("all", |which| which);
    let scale: f64 = arguments.get(2).and_then(|scale| scale.parse().ok()).unwrap_or(1.0);
    let times = |n: f64| (n * scale) as i64;
    let names = |n: usize| (0..n).map(|i| format!("name-{i}")).collect::<Vec<_>>();
    let (thousand, many) = (names(1000), names(20_000));
    let daily = |i: usize, bucket: i64| {
        let phase = ((bucket + 37 * i as i64) % 288) as f64 / 288.0;
        // A parabola in each half of the day costs less than a sine and has the same shape.
        let x = 4.0 * phase - 2.0;
        x * (2.0 - x.abs())
    };
    let normals: Vec<f64> = {
        let mut noise = Noise(0x9e37_79b9);
        (0..8192).map(|_| noise.normal()).collect()
    };
    let seasonal = |noise: &mut Noise, bucket: i64, i: usize| {
        50.0 + 10.0 * daily(i, bucket) + 2.5 * normals[noise.below(normals.len())]
    };
    let mean = r#"{"bucket_span":"5m","detectors":[{"function":"mean","field_name":"v","partition_field_name":"k"}]}"#;
    if which == "all" || which == "metrics" {
        run("metrics: 1000 series", mean, times(2000.0), 1000, |noise, bucket, i, cells| {
            cells.extend([FieldValue::Num(seasonal(noise, bucket, i)), FieldValue::Str(&thousand[i])]);
        });
    }
    if which == "all" || which == "many" {
        run("many: 10000 series", mean, times(300.0), 10_000, |noise, bucket, i, cells| {
            cells.extend([FieldValue::Num(seasonal(noise, bucket, i)), FieldValue::Str(&many[i])]);
        });
    }
    if which == "quiet" {
        let names = names(1_000_000);
        run("quiet: 1000000 series", mean, times(20.0), 1_000_000, |noise, bucket, i, cells| {
            cells.extend([FieldValue::Num(seasonal(noise, bucket, i)), FieldValue::Str(&names[i])]);
        });
    }
    if which == "all" || which == "count" {
        let config = r#"{"bucket_span":"5m","detectors":[{"function":"count","partition_field_name":"k"}]}"#;
        run("count: 1000 series, Poisson", config, times(500.0), 5000, |noise, _, _, cells| {
            cells.push(FieldValue::Str(&thousand[noise.below(1000)]));
        });
    }
    if which == "all" || which == "population" {
        let config = r#"{"bucket_span":"5m","detectors":[{"function":"high_sum","field_name":"v","over_field_name":"k"}]}"#;
        run("population: 20000 members", config, times(500.0), 20_000, |noise, _, i, cells| {
            cells.extend([FieldValue::Num((3.0 + noise.normal()).exp()), FieldValue::Str(&many[i])]);
        });
    }
    if which == "all" || which == "rare" {
        let config = r#"{"bucket_span":"5m","detectors":[{"function":"rare","by_field_name":"k"}]}"#;
        run("rare: values by Zipf's law", config, times(2000.0), 1000, |noise, _, _, cells| {
            let value = (noise.uniform().powi(-1) as usize).min(19_999);
            cells.push(FieldValue::Str(&many[value]));
        });
    }
}

fn run<'n>(
    name: &str,
    config: &str,
    buckets: i64,
    per_bucket: usize,
    record: impl Fn(&mut Noise, i64, usize, &mut Vec<FieldValue<'n>>),
) {
    let body = format!(
        r#"{{"analysis_config":{config},"data_description":{{}},"analysis_limits":{{"model_memory_limit":"8gb"}}}}"#
    );
    let body: JobBody = serde_json::from_str(&body).expect("the configuration is valid JSON");
    let id = JobId::try_from("workload".to_owned()).expect("the id is valid");
    let job = body.into_job(id, TimestampMs(0)).expect("the job is valid");
    let mut analysis = Analysis::new(&job, Context::default()).expect("the job can be analysed");
    let (mut noise, mut out, mut cells) = (Noise(0x1234_5678), Output::default(), Vec::new());
    let (start, mut major, mut minor, mut records, mut loud) = (Instant::now(), 0, 0, 0, 0);
    let before = cpu_seconds(start);
    for bucket in 0..buckets {
        for i in 0..per_bucket {
            cells.clear();
            record(&mut noise, bucket, i, &mut cells);
            analysis.push(bucket * SPAN * 1000, &cells, &mut out);
        }
        records += out.records.len();
        major += out.records.iter().filter(|record| record.record_score >= 50.0).count();
        minor += out.records.iter().filter(|record| record.record_score >= 25.0).count();
        loud += out.buckets.iter().filter(|bucket| bucket.anomaly_score >= 50.0).count();
        out.clear();
    }
    let seconds = cpu_seconds(start) - before;
    let total = buckets as f64 * per_bucket as f64;
    let stats = analysis.size_stats(TimestampMs(0));
    let peak_mib = peak_kib().unwrap_or(0) / 1024;
    println!(
        "{name}: {total} records, {:.0} per CPU second, peak {peak_mib} MiB; results {records}, ≥ 25: {minor}, ≥ 50: {major}; \
         buckets ≥ 50: {loud} of {buckets}; model {} KiB, snapshot {} KiB",
        total / seconds,
        stats.model_bytes / 1024,
        analysis.snapshot().len() / 1024
    );
}
