//! Findings become results: records with their influencers, influencers, the bucket.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use types::TimestampMs;
use types::results::{
    Bucket, BucketInfluencer, CAUSES_MAX, Cause, InfluencedBy, Influencer, Record, ResultType,
};

use super::finding::{CauseFinding, Finding, Sink};
use super::gatherer::{Gather, OpenBucket};
use super::plan::{DetectorPlan, Plan};
use super::splitter::Columns;
use super::table::NONE;
use crate::Output;
use crate::calendar::Scheduled;
use crate::score::{CrowdHistory, INFLUENCE_MIN, Scale, Share, influence};

/// The influencer that stands for the bucket as a whole.
pub(super) const BUCKET_TIME: &str = "bucket_time";
/// Values of one influencer that a record names at most.
const VALUES_MAX: usize = 10;
/// Score from which on a record is written.
const RECORD_SCORE_MIN: f64 = 2.0;

/// All that results are made of.
#[derive(Debug)]
pub(crate) struct Results<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) columns: &'a Columns,
    pub(crate) scale: &'a Scale,
    pub(crate) crowd: &'a CrowdHistory,
    pub(crate) bucket: &'a OpenBucket,
    /// Things judged independently, by detector.
    pub(crate) crowds: &'a [usize],
    pub(crate) scheduled: Scheduled,
    pub(crate) is_interim: bool,
}

/// What the scores of a bucket's results were made from, in the order in which the results were written.
#[derive(Debug, Default)]
pub(crate) struct Surprises {
    pub(crate) bucket: f64,
    pub(crate) records: Vec<f64>,
    /// Number of the influencer, and its surprise.
    pub(crate) influencers: Vec<(usize, f64)>,
}

/// (influencer, value) → influence.
type Influences = BTreeMap<(usize, String), f64>;

/// What is known of one influencer value over all records of the bucket.
#[derive(Debug, Default)]
struct Blame {
    surprises: Vec<f64>,
    probability: f64,
}

impl Results<'_> {
    /// Writes the results of the bucket. The surprises from which their scores were made go to `surprises`.
    pub(crate) fn write(self, sink: &mut Sink, surprises: &mut Surprises, out: &mut Output) {
        let loose = self.loose_influences(&sink.findings);
        let mut blames: BTreeMap<(usize, String), Blame> = BTreeMap::new();
        for (finding, loose) in sink.findings.iter().zip(loose) {
            let detector = &self.plan.detectors[finding.detector];
            let surprise = finding.surprise - self.scale.crowd_discount(self.crowds[finding.detector]);
            let score = self.scale.score(surprise);
            if score < RECORD_SCORE_MIN {
                continue;
            }
            let influences = self.influences(detector, finding, loose);
            for key in influences.keys() {
                let blame = blames.entry(key.clone()).or_default();
                blame.surprises.push(surprise);
                let p = finding.probability;
                blame.probability = if blame.surprises.len() == 1 { p } else { blame.probability.min(p) };
            }
            surprises.records.push(surprise);
            out.records.push(self.record(detector, finding, score, influences));
        }
        surprises.bucket = self.write_bucket(sink, &blames, out);
        self.write_influencers(blames, surprises, out);
        out.model_plots.append(&mut sink.plots);
        out.annotations.append(&mut sink.annotations);
    }

    fn start(&self) -> TimestampMs {
        TimestampMs(self.bucket.start_s.saturating_mul(1000))
    }

    /// Influences of values that are not those of the detector's own fields, for each finding.
    fn loose_influences(&self, findings: &[Finding]) -> Vec<Influences> {
        let mut all = vec![Influences::new(); findings.len()];
        let mut wanted: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
        for (at, finding) in findings.iter().enumerate() {
            if self.plan.detectors[finding.detector].loose_influencers.is_empty() {
                continue;
            }
            let slots = finding.causes.iter().map(|cause| cause.slot).chain(finding.slot);
            for slot in slots {
                let of_slot = wanted.entry((finding.detector, slot)).or_default();
                if of_slot.last() != Some(&at) {
                    of_slot.push(at);
                }
            }
        }
        let mut detectors: Vec<usize> = wanted.keys().map(|(detector, _)| *detector).collect();
        detectors.dedup();
        for detector in detectors {
            let gather = &self.bucket.gathers[detector];
            for (slot, value, part) in gather.parts() {
                let Some(of_slot) = wanted.get(&(detector, slot as usize)) else { continue };
                let (influencer, id) = self.bucket.influencer_value(value);
                for at in of_slot {
                    let part = Share {
                        records: part.records,
                        weight: part.weight,
                        sum: part.sum,
                        mass: part.mass,
                        min: part.min,
                        max: part.max,
                    };
                    let share = self.influence_of(&findings[*at], gather, slot as usize, part);
                    if share >= INFLUENCE_MIN {
                        let key = (influencer, self.influencer_name(influencer, id).to_owned());
                        let known = all[*at].entry(key).or_insert(0.0);
                        *known = known.max(share);
                    }
                }
            }
        }
        all
    }

    fn influence_of(&self, finding: &Finding, gather: &Gather, slot: usize, part: Share) -> f64 {
        let cause = finding.causes.iter().find(|cause| cause.slot == slot);
        let numbers = cause.map_or((&finding.actual, &finding.typical), |c| (&c.actual, &c.typical));
        let first = |numbers: &[f64]| numbers.first().copied().unwrap_or(0.0);
        let base = self.plan.detectors[finding.detector].base;
        influence(base, &gather.moments[slot], part, first(numbers.0), first(numbers.1))
    }

    fn influencer_name(&self, influencer: usize, id: u32) -> &str {
        let column = self.plan.influencers[influencer].column;
        if self.plan.lasting[column] {
            self.columns.name(column, id)
        } else {
            self.bucket.transient_name(influencer, id)
        }
    }

    /// All influences of a finding: the detector's own fields, then the others.
    fn influences(&self, detector: &DetectorPlan, finding: &Finding, loose: Influences) -> Influences {
        let mut influences = loose;
        for (index, influencer) in self.plan.influencers.iter().enumerate() {
            let column = Some(influencer.column);
            let mut add = |id: u32| {
                let name = self.columns.name(influencer.column, id);
                if id != NONE && !name.is_empty() {
                    influences.insert((index, name.to_owned()), 1.0);
                }
            };
            if column == detector.partition {
                add(finding.split.partition);
            } else if column == detector.over {
                add(finding.split.over);
            } else if column == detector.by {
                add(finding.split.by);
                finding.causes.iter().for_each(|cause| add(cause.split.by));
            }
        }
        influences
    }

    fn record(
        &self,
        detector: &DetectorPlan,
        finding: &Finding,
        score: f64,
        influences: Influences,
    ) -> Record {
        let split = detector.split(self.columns, finding.split);
        let mut copies = Map::new();
        let own = [
            (&split.by_field_name, &split.by_field_value),
            (&split.over_field_name, &split.over_field_value),
            (&split.partition_field_name, &split.partition_field_value),
        ];
        for (name, value) in own {
            if let (Some(name), Some(value)) = (name, value) {
                copies.insert(name.clone(), Value::Array(vec![value.as_str().into()]));
            }
        }
        let influencers = self.named(influences);
        for influencer in &influencers {
            let values = influencer.influencer_field_values.iter().map(|value| value.as_str().into());
            copies.insert(influencer.influencer_field_name.clone(), Value::Array(values.collect()));
        }
        let has_numbers = !finding.actual.is_empty();
        let causes: Vec<Cause> =
            finding.causes.iter().take(CAUSES_MAX).map(|cause| self.cause(detector, cause)).collect();
        Record {
            job_id: self.plan.job_id.clone(),
            result_type: ResultType::Record,
            probability: finding.probability.clamp(f64::MIN_POSITIVE, 1.0),
            multi_bucket_impact: finding.multi_bucket_impact,
            record_score: score,
            initial_record_score: score,
            bucket_span: self.plan.span_s,
            detector_index: detector.index,
            is_interim: self.is_interim,
            timestamp: self.start(),
            split,
            function: detector.detector.function.name(),
            function_description: finding
                .description
                .unwrap_or_else(|| detector.base.description())
                .to_owned(),
            field_name: detector.detector.field_name.clone(),
            typical: has_numbers.then(|| finding.typical.clone()),
            actual: has_numbers.then(|| finding.actual.clone()),
            causes: (!causes.is_empty()).then_some(causes),
            influencers: (!influencers.is_empty()).then_some(influencers),
            geo_results: finding.geo.clone(),
            anomaly_score_explanation: Some(finding.explanation.clone()),
            copies,
        }
    }

    fn named(&self, influences: Influences) -> Vec<InfluencedBy> {
        let mut by_influencer: BTreeMap<usize, Vec<(String, f64)>> = BTreeMap::new();
        for ((influencer, value), share) in influences {
            by_influencer.entry(influencer).or_default().push((value, share));
        }
        let named = by_influencer.into_iter().map(|(influencer, mut values)| {
            values.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            values.truncate(VALUES_MAX);
            InfluencedBy {
                influencer_field_name: self.plan.influencers[influencer].name.clone(),
                influencer_field_values: values.into_iter().map(|(value, _)| value).collect(),
            }
        });
        named.collect()
    }

    fn cause(&self, detector: &DetectorPlan, cause: &CauseFinding) -> Cause {
        Cause {
            probability: cause.probability.clamp(f64::MIN_POSITIVE, 1.0),
            split: detector.split(self.columns, cause.split),
            function: detector.detector.function.name(),
            function_description: detector.base.description().to_owned(),
            typical: Some(cause.typical.clone()),
            actual: Some(cause.actual.clone()),
            field_name: detector.detector.field_name.clone(),
            geo_results: cause.geo.clone(),
        }
    }

    fn write_bucket(&self, sink: &Sink, blames: &BTreeMap<(usize, String), Blame>, out: &mut Output) -> f64 {
        let surprise = sink.joint.surprise(self.scale, self.crowd);
        let score = self.scale.score(surprise);
        let mut influencers = Vec::new();
        if score > 0.0 {
            influencers.push(self.bucket_influencer(BUCKET_TIME, surprise, score));
        }
        let mut of_field: BTreeMap<usize, f64> = BTreeMap::new();
        for ((influencer, _), blame) in blames {
            let most = of_field.entry(*influencer).or_insert(0.0);
            *most = most.max(self.scale.join(&blame.surprises));
        }
        for (influencer, most) in of_field {
            // The bucket's score is the greatest of its influencers'.
            let most = most.min(surprise);
            let name = &self.plan.influencers[influencer].name;
            influencers.push(self.bucket_influencer(name, most, self.scale.score(most)));
        }
        out.bucket_influencers.extend(influencers.iter().cloned());
        out.buckets.push(Bucket {
            job_id: self.plan.job_id.clone(),
            timestamp: self.start(),
            anomaly_score: score,
            bucket_span: self.plan.span_s,
            initial_anomaly_score: score,
            event_count: self.bucket.event_count,
            is_interim: self.is_interim,
            bucket_influencers: influencers,
            processing_time_ms: 0,
            scheduled_events: self.scheduled.descriptions.clone(),
            result_type: ResultType::Bucket,
        });
        surprise
    }

    fn bucket_influencer(&self, name: &str, surprise: f64, score: f64) -> BucketInfluencer {
        BucketInfluencer {
            job_id: self.plan.job_id.clone(),
            result_type: ResultType::BucketInfluencer,
            influencer_field_name: name.to_owned(),
            initial_anomaly_score: score,
            anomaly_score: score,
            raw_anomaly_score: surprise,
            probability: self.scale.probability(surprise),
            timestamp: self.start(),
            bucket_span: self.plan.span_s,
            is_interim: self.is_interim,
        }
    }

    fn write_influencers(
        &self,
        blames: BTreeMap<(usize, String), Blame>,
        surprises: &mut Surprises,
        out: &mut Output,
    ) {
        for ((influencer, value), blame) in blames {
            let name = &self.plan.influencers[influencer].name;
            let surprise = self.scale.join(&blame.surprises);
            let score = self.scale.score(surprise);
            surprises.influencers.push((influencer, surprise));
            out.influencers.push(Influencer {
                job_id: self.plan.job_id.clone(),
                result_type: ResultType::Influencer,
                influencer_field_name: name.clone(),
                influencer_score: score,
                initial_influencer_score: score,
                probability: blame.probability.clamp(f64::MIN_POSITIVE, 1.0),
                bucket_span: self.plan.span_s,
                timestamp: self.start(),
                is_interim: self.is_interim,
                copies: Map::from_iter([(name.clone(), Value::from(value.as_str()))]),
                influencer_field_value: value,
            });
        }
    }
}
