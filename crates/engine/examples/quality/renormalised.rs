//! Current scores against initial ones: what a job's own history makes of the alarms on clean series, in noise that grows, and in a
//! labelled series.

use super::clean::LEARNING_DAYS;
use super::simulate::{DAY, FAMILIES, Family, Noise, SPAN_S, daily};
use engine::model::ValueKind;
use engine::{Analysis, Context, FieldValue, Output, RescoredKind};
use std::collections::BTreeMap;
use std::error::Error;
use types::{JobBody, JobId, TimestampMs};

/// Alarms within this time are one, seconds.
const ONE_ALARM_S: i64 = 6 * 3600;
/// Day on which the noise grows; it stays for as long.
const GROWTH_DAY: i64 = 21;
/// Labelled windows of NAB's `nyc_taxi`, epoch seconds.
const TAXI_WINDOWS: [(i64, i64); 5] = [
    (1_414_683_000, 1_415_053_800),
    (1_416_916_800, 1_417_287_600),
    (1_419_334_200, 1_419_705_000),
    (1_419_888_600, 1_420_259_400),
    (1_422_131_400, 1_422_502_200),
];

/// Initial and current score of a bucket.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scores {
    pub(crate) initial: f64,
    pub(crate) current: f64,
}

/// Scores of a job's buckets by their start, in epoch seconds.
pub(crate) type Buckets = BTreeMap<i64, Scores>;

/// Numbers for initial and for current scores.
pub(crate) type Both = [f64; 2];

/// Runs a job with one series: `mean(value)`, or a count that comes as its number.
pub(crate) fn buckets(
    kind: ValueKind,
    span_s: i64,
    values: impl Iterator<Item = (i64, f64)>,
) -> Result<Buckets, Box<dyn Error>> {
    let config = match kind {
        ValueKind::Count => r#"{"function":"count"}],"summary_count_field_name":"value""#,
        ValueKind::Metric | ValueKind::Sum => r#"{"function":"mean","field_name":"value"}]"#,
    };
    let body = format!(
        r#"{{"analysis_config":{{"bucket_span":"{span_s}s","detectors":[{config}}},"data_description":{{}}}}"#
    );
    let body: JobBody = serde_json::from_str(&body)?;
    let job = body.into_job(JobId::try_from("one".to_owned())?, TimestampMs(0))?;
    let mut analysis = Analysis::new(&job, Context::default())?;
    let (mut out, mut found) = (Output::default(), Buckets::new());
    for (time_s, value) in values {
        analysis.push(time_s * 1000, &[FieldValue::Num(value)], &mut out);
    }
    analysis.finish(&mut out);
    let mut starts = BTreeMap::new();
    for bucket in &out.buckets {
        let start_s = bucket.timestamp.0 / 1000;
        starts.insert(bucket.doc_id(), start_s);
        found
            .insert(start_s, Scores { initial: bucket.initial_anomaly_score, current: bucket.anomaly_score });
    }
    for rescored in out.rescored.iter().filter(|one| one.kind == RescoredKind::Bucket) {
        if let Some(scores) = starts.get(&rescored.doc_id).and_then(|start| found.get_mut(start)) {
            scores.current = rescored.score;
        }
    }
    Ok(found)
}

/// How many scores are at least `least`, initially and now.
fn count<'a>(scores: impl Iterator<Item = &'a Scores>, least: f64) -> Both {
    let mut counts = [0.0; 2];
    for one in scores {
        counts[0] += f64::from(u8::from(one.initial >= least));
        counts[1] += f64::from(u8::from(one.current >= least));
    }
    counts
}

/// Buckets of at least 50 and 75 of clean series of a family, for each series and month.
pub(crate) fn clean(family: &Family, series: u64, days: i64) -> Result<[Both; 2], Box<dyn Error>> {
    let mut sums = [[0.0; 2]; 2];
    for seed in 0..series {
        let values = family.values(seed, days * DAY);
        let timed = values.into_iter().enumerate().map(|(bucket, value)| (bucket as i64 * SPAN_S, value));
        let buckets = buckets(family.kind, SPAN_S, timed)?;
        for (sum, least) in sums.iter_mut().zip([50.0, 75.0]) {
            let counts = count(buckets.range(LEARNING_DAYS * 86_400..).map(|(_, scores)| scores), least);
            sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
    }
    let months = series as f64 * (days - LEARNING_DAYS) as f64 / 30.0;
    Ok(sums.map(|sum| sum.map(|count| count / months)))
}

/// Alarms of at least 50 and 75 of each series in the three weeks after its noise has grown.
pub(crate) fn growing(factor: f64, series: u64) -> Result<[Both; 2], Box<dyn Error>> {
    let mut sums = [[0.0; 2]; 2];
    for seed in 0..series {
        let mut noise = Noise::new(1000 + seed);
        let values = (0..2 * GROWTH_DAY * DAY).map(|bucket| {
            let sigma = if bucket >= GROWTH_DAY * DAY { 2.0 * factor } else { 2.0 };
            (bucket * SPAN_S, 100.0 + 20.0 * daily(bucket) + sigma * noise.normal())
        });
        let buckets = buckets(ValueKind::Metric, SPAN_S, values)?;
        for (sum, least) in sums.iter_mut().zip([50.0, 75.0]) {
            sum[0] += alarms(&buckets, |scores| scores.initial >= least) / series as f64;
            sum[1] += alarms(&buckets, |scores| scores.current >= least) / series as f64;
        }
    }
    Ok(sums)
}

fn alarms(buckets: &Buckets, is_alarm: impl Fn(&Scores) -> bool) -> f64 {
    let (mut count, mut last_s) = (0, i64::MIN);
    for (start_s, _) in buckets.range(GROWTH_DAY * 86_400..).filter(|(_, scores)| is_alarm(scores)) {
        count += i64::from(*start_s - last_s.max(0) > ONE_ALARM_S || last_s == i64::MIN);
        last_s = *start_s;
    }
    count as f64
}

/// Best scores in each window of the taxi series, and the other days with 50 and 75 or more after three weeks.
pub(crate) fn taxi(rows: &[(i64, f64)]) -> Result<(Vec<Scores>, [Both; 2]), Box<dyn Error>> {
    let buckets = buckets(ValueKind::Metric, 1800, rows.iter().copied())?;
    let best = TAXI_WINDOWS.iter().map(|(from, to)| {
        let scores = buckets.range(*from..*to).map(|(_, scores)| scores);
        scores.fold(Scores::default(), |best, one| Scores {
            initial: best.initial.max(one.initial),
            current: best.current.max(one.current),
        })
    });
    let mut days: BTreeMap<i64, Scores> = BTreeMap::new();
    let first_s = rows.first().map_or(0, |row| row.0) + 21 * 86_400;
    for (start_s, scores) in buckets.range(first_s..) {
        if TAXI_WINDOWS.iter().any(|(from, to)| (*from..*to).contains(start_s)) {
            continue;
        }
        let day = days.entry(start_s.div_euclid(86_400)).or_default();
        day.initial = day.initial.max(scores.initial);
        day.current = day.current.max(scores.current);
    }
    Ok((best.collect(), [50.0, 75.0].map(|least| count(days.values(), least))))
}

/// Prints all of it.
pub(crate) fn print(taxi_rows: Option<&[(i64, f64)]>, series: u64) -> Result<(), Box<dyn Error>> {
    println!(
        "| for each series and month | ≥ 50 initially | now | ≥ 75 initially | now |\n|---|---|---|---|---|"
    );
    for family in &FAMILIES {
        let [major, critical] = clean(family, series, 60)?;
        row(family.name, major, critical);
    }
    println!(
        "| alarms in three weeks | ≥ 50 initially | now | ≥ 75 initially | now |\n|---|---|---|---|---|"
    );
    for factor in [1.5, 2.0, 3.0, 5.0] {
        let [major, critical] = growing(factor, series.min(20))?;
        row(&format!("noise times {factor}"), major, critical);
    }
    if let Some(rows) = taxi_rows {
        let (best, [major, critical]) = taxi(rows)?;
        let shown = |of: fn(&Scores) -> f64| -> String {
            best.iter().map(|one| format!("{:.0}", of(one))).collect::<Vec<_>>().join(", ")
        };
        println!(
            "taxi windows initially {}; now {}; other days ≥ 50: {} initially, {} now; ≥ 75: {}, {}",
            shown(|one| one.initial),
            shown(|one| one.current),
            major[0],
            major[1],
            critical[0],
            critical[1]
        );
    }
    Ok(())
}

fn row(name: &str, major: Both, critical: Both) {
    println!("| {name} | {:.2} | {:.2} | {:.2} | {:.2} |", major[0], major[1], critical[0], critical[1]);
}
