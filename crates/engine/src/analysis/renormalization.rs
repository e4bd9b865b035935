//! A bucket's results get their current scores, and results written before new ones, by what the job's history shows.

use types::TimestampMs;
use types::result_ids::{ResultPlace, ValueId};
use types::results::{BucketInfluencer, Record, ResultType};

use super::plan::Plan;
use super::results::{BUCKET_TIME, Surprises};
use crate::score::{Identity, KEPT_BYTES, Kept, Level, Normalizer, Part, Scale, Strong, Terms};
use crate::{Output, Rescored, RescoredKind};

/// Stands for the bucket as a whole among the numbers of influencers.
const WHOLE: u32 = u32::MAX;
/// What tells the records of `metric` apart, by number; nothing for other functions.
const FEATURES: [&str; 4] = ["", "min", "max", "mean"];
/// Strong results and events that a job keeps, as a share of its memory.
const MEMORY_SHARE: u64 = 100;
const KEPT_MIN: u64 = 500;
const KEPT_MAX: u64 = 20_000;

/// How many results there are already.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    bucket_influencers: usize,
    records: usize,
    influencers: usize,
}

impl Written {
    pub(super) fn of(out: &Output) -> Self {
        Self {
            bucket_influencers: out.bucket_influencers.len(),
            records: out.records.len(),
            influencers: out.influencers.len(),
        }
    }
}

/// Gives the results of a final bucket, those after `before`, their current scores, and tells which earlier ones have others now.
pub(super) fn renormalize(
    normalizer: &mut Normalizer,
    plan: &Plan,
    scale: &Scale,
    before: Written,
    surprises: &Surprises,
    out: &mut Output,
) {
    let Some(window) = plan.window else {
        normalizer.clear();
        return;
    };
    let Some(start) = out.buckets.last().map(|bucket| bucket.timestamp) else { return };
    let strong = strong_results(plan, before, surprises, out);
    let room = (plan.limit_bytes / MEMORY_SHARE / KEPT_BYTES).clamp(KEPT_MIN, KEPT_MAX) as usize;
    let terms = Terms { scale, window, room };
    let mut rescored = std::mem::take(&mut out.rescored);
    let budgets = normalizer.learn(terms, start.0.div_euclid(1000), strong, &mut |level, kept| {
        tell(plan, scale, level, kept, &mut rescored);
    });
    out.rescored = rescored;
    if let (Some(budget), Some(bucket)) = (budgets.get(&Level::Bucket), out.buckets.last_mut()) {
        bucket.anomaly_score = budget.score(surprises.bucket, bucket.initial_anomaly_score);
        let alone = out.bucket_influencers[before.bucket_influencers..].iter_mut();
        for part in bucket.bucket_influencers.iter_mut().chain(alone) {
            part.anomaly_score = budget.score(part.raw_anomaly_score, part.initial_anomaly_score);
        }
    }
    for (record, surprise) in out.records[before.records..].iter_mut().zip(&surprises.records) {
        if let Some(budget) = record_level(record).and_then(|level| budgets.get(&level)) {
            record.record_score = budget.score(*surprise, record.initial_record_score);
        }
    }
    let influencers = out.influencers[before.influencers..].iter_mut().zip(&surprises.influencers);
    for (influencer, (number, surprise)) in influencers {
        if let Some(budget) = budgets.get(&Level::Influencer(*number as u32)) {
            influencer.influencer_score = budget.score(*surprise, influencer.initial_influencer_score);
        }
    }
}

/// Tells the scores of all results that are kept as they were last written, for documents that may have others.
pub(super) fn restate(normalizer: &Normalizer, plan: &Plan, scale: &Scale, out: &mut Output) {
    normalizer.each().for_each(|(level, kept)| tell(plan, scale, level, kept, &mut out.rescored));
}

fn strong_results(plan: &Plan, before: Written, surprises: &Surprises, out: &Output) -> Vec<Strong> {
    let mut strong = Vec::new();
    if let Some(bucket) = out.buckets.last().filter(|b| Normalizer::is_strong(b.initial_anomaly_score)) {
        let number = |name: &str| {
            let found = plan.influencers.iter().position(|influencer| influencer.name == name);
            found.map_or(WHOLE, |number| number as u32)
        };
        let parts = bucket.bucket_influencers.iter().map(|part| Part {
            influencer: number(&part.influencer_field_name),
            surprise: part.raw_anomaly_score,
            score: part.anomaly_score,
        });
        let identity = Identity::Bucket(parts.collect());
        strong.push(Strong { level: Level::Bucket, surprise: surprises.bucket, identity });
    }
    for (record, surprise) in out.records[before.records..].iter().zip(&surprises.records) {
        if let Some(level) = record_level(record) {
            let feature = record.feature().and_then(|name| FEATURES.iter().position(|known| *known == name));
            let identity = Identity::Record(record.split.value_id(), feature.unwrap_or(0) as u8);
            strong.push(Strong { level, surprise: *surprise, identity });
        }
    }
    let influencers = out.influencers[before.influencers..].iter().zip(&surprises.influencers);
    for (influencer, (number, surprise)) in influencers {
        if Normalizer::is_strong(influencer.initial_influencer_score) {
            let identity = Identity::Influencer(ValueId::of(&influencer.influencer_field_value));
            let level = Level::Influencer(*number as u32);
            strong.push(Strong { level, surprise: *surprise, identity });
        }
    }
    strong
}

/// Records are compared with those of the same detector and the same thing; weak ones with none.
fn record_level(record: &Record) -> Option<Level> {
    Normalizer::is_strong(record.initial_record_score).then(|| Level::Record {
        detector: record.detector_index as u32,
        series: record.split.value_id().hash,
    })
}

/// A result's new score, as an update of its document.
fn tell(plan: &Plan, scale: &Scale, level: Level, kept: &Kept, rescored: &mut Vec<Rescored>) {
    let timestamp = TimestampMs(kept.start_s.saturating_mul(1000));
    let place = ResultPlace { job_id: &plan.job_id, timestamp, bucket_span: plan.span_s };
    let alone = |doc_id: String, kind: RescoredKind, score: f64| Rescored {
        doc_id,
        kind,
        score,
        bucket_influencers: Vec::new(),
    };
    match (&kept.identity, level) {
        (Identity::Bucket(parts), _) => {
            let parts: Vec<BucketInfluencer> =
                parts.iter().filter_map(|part| bucket_influencer(plan, scale, timestamp, part)).collect();
            let of_parts = parts
                .iter()
                .map(|part| alone(part.doc_id(), RescoredKind::BucketInfluencer, part.anomaly_score));
            let of_parts: Vec<Rescored> = of_parts.collect();
            let whole = alone(place.bucket(), RescoredKind::Bucket, kept.score);
            rescored.push(Rescored { bucket_influencers: parts, ..whole });
            rescored.extend(of_parts);
        }
        (Identity::Record(split, feature), Level::Record { detector, .. }) => {
            let feature = FEATURES.get(usize::from(*feature)).copied().filter(|name| !name.is_empty());
            let id = place.record(detector as usize, *split, feature);
            rescored.push(alone(id, RescoredKind::Record, kept.score));
        }
        (Identity::Influencer(value), Level::Influencer(number)) => {
            if let Some(influencer) = plan.influencers.get(number as usize) {
                let id = place.influencer(&influencer.name, *value);
                rescored.push(alone(id, RescoredKind::Influencer, kept.score));
            }
        }
        // No level has results of another kind.
        _ => {}
    }
}

/// A bucket's influencer as it was written, with its present score.
fn bucket_influencer(
    plan: &Plan,
    scale: &Scale,
    timestamp: TimestampMs,
    part: &Part,
) -> Option<BucketInfluencer> {
    let name = match part.influencer {
        WHOLE => BUCKET_TIME,
        number => plan.influencers.get(number as usize)?.name.as_str(),
    };
    Some(BucketInfluencer {
        job_id: plan.job_id.clone(),
        result_type: ResultType::BucketInfluencer,
        influencer_field_name: name.to_owned(),
        initial_anomaly_score: scale.score(part.surprise),
        anomaly_score: part.score,
        raw_anomaly_score: part.surprise,
        probability: scale.probability(part.surprise),
        timestamp,
        bucket_span: plan.span_s,
        is_interim: false,
    })
}
