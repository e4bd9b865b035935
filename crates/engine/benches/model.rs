//! Cost of one step of the series model: seasonal five-minute series, many series in turn as a job sees them.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use engine::model::{ModelConfig, Sample, SeriesModel, Side, ValueKind};
use std::hint::black_box;

const SERIES: usize = 100;
const BUCKETS: usize = 2000;

/// A daily pattern with noise that repeats after 1009 values.
fn value(series: usize, bucket: usize) -> f64 {
    let noise = ((series * 31 + bucket * 7919) % 1009) as f64 / 1009.0
        + ((series + bucket * 104_729) % 997) as f64 / 997.0;
    let phase = bucket as f64 / 288.0 * std::f64::consts::TAU;
    100.0 + 20.0 * phase.sin() + 4.0 * noise
}

fn run(cfg: &ModelConfig, models: &mut [SeriesModel], from: usize, to: usize) -> f64 {
    let mut sum = 0.0;
    for bucket in from..to {
        for (i, model) in models.iter_mut().enumerate() {
            sum += model.step(cfg, &Sample::new(bucket as i64 * 300, value(i, bucket))).score;
        }
    }
    sum
}

fn steps(c: &mut Criterion) {
    let mut group = c.benchmark_group("model");
    group.sample_size(10);
    for (name, kind) in [("metric", ValueKind::Metric), ("count", ValueKind::Count)] {
        let cfg = ModelConfig::new(300.0, kind, Side::Both);
        let mut grown = vec![SeriesModel::new(&cfg); SERIES];
        black_box(run(&cfg, &mut grown, 0, BUCKETS));
        group.throughput(Throughput::Elements((SERIES * 100) as u64));
        group.bench_function(format!("{name}_step"), |b| {
            b.iter_batched_ref(
                || grown.clone(),
                |models| run(&cfg, models, BUCKETS, BUCKETS + 100),
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, steps);
criterion_main!(benches);
