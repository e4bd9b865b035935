//! Cost of one step of the series model: seasonal five-minute series, many series in turn as a job sees them; and of
//! what a step is made of.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use engine::model::{Form, ModelConfig, Sample, SeriesModel, Side, ValueKind};
use engine::stats::{Histograms, TailTable, fast_ln, log_position, negative_binomial_tail};
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

fn run(cfg: &ModelConfig, models: &mut [SeriesModel], form: Form, from: usize, to: usize) -> f64 {
    let mut sum = 0.0;
    for bucket in from..to {
        for (i, model) in models.iter_mut().enumerate() {
            let sample = Sample::new(bucket as i64 * 300, value(i, bucket));
            sum += model.step_as(cfg, &sample, form).score;
        }
    }
    sum
}

fn steps(c: &mut Criterion) {
    let mut group = c.benchmark_group("model");
    group.sample_size(10);
    let forms = [
        ("metric", ValueKind::Metric, Form::Full),
        ("count", ValueKind::Count, Form::Full),
        ("compact", ValueKind::Metric, Form::Compact),
        ("sketch", ValueKind::Metric, Form::Sketch),
    ];
    for (name, kind, form) in forms {
        let cfg = ModelConfig::new(300.0, kind, Side::Both);
        let mut grown = vec![SeriesModel::new(&cfg); SERIES];
        black_box(run(&cfg, &mut grown, form, 0, BUCKETS));
        group.throughput(Throughput::Elements((SERIES * 100) as u64));
        group.bench_function(format!("{name}_step"), |b| {
            b.iter_batched_ref(
                || grown.clone(),
                |models| run(&cfg, models, form, BUCKETS, BUCKETS + 100),
                BatchSize::LargeInput,
            );
        });
    }
    let cfg = ModelConfig::new(300.0, ValueKind::Metric, Side::Both);
    group.throughput(Throughput::Elements((SERIES * 23) as u64));
    group.bench_function("young_step", |b| {
        b.iter_batched_ref(
            || vec![SeriesModel::new(&cfg); SERIES],
            |models| run(&cfg, models, Form::Full, 0, 23),
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

fn kernels(c: &mut Criterion) {
    let mut group = c.benchmark_group("kernel");
    let mut histograms = Histograms::new(7);
    for i in 0..20_000 {
        histograms.add(i % 7, i % 3 == 0, log_position((i % 1000) as f64 / 250.0));
    }
    let table = TailTable::new(5.0);
    group.bench_function("histogram_tail", |b| {
        b.iter(|| histograms.tail(&table, black_box(3), false, black_box(13.3), 0.5));
    });
    group.bench_function("fast_ln", |b| b.iter(|| fast_ln(black_box(3.7))));
    for mean in [0.1, 5.0] {
        group.bench_with_input(BenchmarkId::new("negative_binomial_tail", mean), &mean, |b, mean| {
            b.iter(|| negative_binomial_tail(black_box(12.0), *mean, 2.0 * mean));
        });
    }
    group.finish();
}

criterion_group!(benches, steps, kernels);
criterion_main!(benches);
