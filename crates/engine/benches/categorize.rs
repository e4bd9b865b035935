//! Lines per second of the categorizer: known texts with new values, and text that is always new.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use engine::categorize::{Categorizer, CategorizerConfig};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const LINES: usize = 20_000;

const TEXTS: [&str; 8] = [
    "Received block blk_<n> of size <n> from /10.251.<n>.<n>",
    "PacketResponder <n> for block blk_<n> terminating",
    "session of user u<n> ended after <n> ms",
    "Connection from 10.0.<n>.<n> port <n> closed by peer",
    "GET /api/v1/items/<n>?limit=<n> HTTP/1.1 status: <n> len: <n> time: 0.<n>",
    "worker thread <n> took job <n>, retries=<n>, state=READY",
    "disk /dev/sd<n> is <n> % full",
    "java.io.IOException: connection reset at org.example.Server.run(Server.java:<n>)",
];

fn log_lines() -> Vec<String> {
    let mut rng = StdRng::seed_from_u64(1);
    let mut line = || {
        let mut text = TEXTS[rng.random_range(0..TEXTS.len())].to_owned();
        while text.contains("<n>") {
            text = text.replacen("<n>", &rng.random_range(0..255u32).to_string(), 1);
        }
        text
    };
    (0..LINES).map(|_| line()).collect()
}

fn free_text() -> Vec<String> {
    let mut rng = StdRng::seed_from_u64(2);
    let mut word = || (0..5).map(|_| char::from(b'a' + rng.random_range(0..26u8))).collect::<String>();
    (0..LINES).map(|i| (0..4 + i % 12).map(|_| word()).collect::<Vec<_>>().join(" ")).collect()
}

fn categorize(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("categorize");
    group.throughput(Throughput::Elements(LINES as u64)).sample_size(10);
    for (name, lines) in [("log lines", log_lines()), ("free text", free_text())] {
        let new =
            || Categorizer::new(&CategorizerConfig::default()).expect("the default configuration is valid");
        let run = |mut categorizer: Categorizer| {
            for line in &lines {
                std::hint::black_box(categorizer.categorize(line));
            }
            categorizer
        };
        group.bench_function(name, |bencher| bencher.iter_batched(new, run, BatchSize::LargeInput));
    }
    group.finish();
}

criterion_group!(benches, categorize);
criterion_main!(benches);
