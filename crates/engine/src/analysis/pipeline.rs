//! The way of a record through the stages, and of a bucket to its results.

use serde::{Deserialize, Serialize};
use types::results::Split;
use types::stats::DataCounts;
use types::{Job, TimestampMs};

use super::categories::Categories;
use super::clock::BucketClock;
use super::detector::DetectorState;
use super::entities::SplitIds;
use super::finding::{Sink, View};
use super::gatherer::OpenBucket;
use super::memory::Memory;
use super::plan::{DetectorPlan, Plan};
use super::reading::Reading;
use super::renormalization::{self, Written};
use super::results::{Results, Surprises};
use super::splitter::{Columns, RecordIds, number_of};
use crate::calendar::Calendar;
use crate::score::{CrowdHistory, Normalizer, Scale};
use crate::{Annotation, Context, Error, FieldValue, Group, GroupValue, Output};

/// A bucket is sparse with less than this share of the usual records.
const SPARSE_SHARE: f64 = 0.05;
/// Buckets over which the usual number of records is averaged.
const USUAL_MEMORY: f64 = 50.0;

/// Bytes of an entity's name in the tables of names, roughly.
pub(super) const NAME_ROUGHLY: u64 = 50;

/// All that is saved.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Pipeline {
    pub(crate) clock: BucketClock,
    pub(super) counts: SavedCounts,
    pub(super) columns: Columns,
    pub(super) detectors: Vec<DetectorState>,
    /// Open buckets with records, by start.
    pub(super) open: Vec<OpenBucket>,
    pub(super) categories: Categories,
    crowd: CrowdHistory,
    /// Strong results of the past, whose scores may still change.
    pub(super) normalizer: Normalizer,
    pub(super) memory: Memory,
    usual_events: f64,
    /// End of the newest closed bucket: calendar events that start before it have shifted the models' clock.
    shifted_until_ms: Option<i64>,
    #[serde(skip)]
    scratch: Scratch,
}

/// Room that is used again and again.
#[derive(Debug, Default)]
struct Scratch {
    record: RecordIds,
    text: String,
    influencers: Vec<u32>,
    loose: Vec<u32>,
    sink: Sink,
    spare: Vec<OpenBucket>,
}

/// What the stages need to know and do not own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) context: &'a Context,
    pub(crate) calendar: &'a Calendar,
    pub(crate) scale: &'a Scale,
    pub(crate) threads: usize,
}

/// Counts are saved as JSON: they leave out what they do not have, which the format of snapshots cannot express.
#[derive(Debug)]
pub(crate) struct SavedCounts(pub(super) DataCounts);

impl Serialize for SavedCounts {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::to_string(&self.0).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SavedCounts {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        serde_json::from_str(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

impl Pipeline {
    /// # Errors
    /// When the job's categorization cannot be set up.
    pub(crate) fn new(job: &Job, plan: &Plan) -> Result<Self, Error> {
        let latency_s = job.analysis_config.latency.map_or(0, |latency| latency.as_secs());
        Ok(Self {
            clock: BucketClock::new(plan.span_s, latency_s),
            counts: SavedCounts(DataCounts::new(&job.job_id)),
            columns: Columns::new(plan),
            detectors: plan.detectors.iter().map(|detector| DetectorState::new(plan, detector)).collect(),
            open: Vec::new(),
            categories: Categories::new(job, plan)?,
            crowd: CrowdHistory::default(),
            normalizer: Normalizer::default(),
            memory: Memory::default(),
            usual_events: 0.0,
            shifted_until_ms: None,
            scratch: Scratch::default(),
        })
    }

    /// Ties a restored state to its job.
    ///
    /// # Errors
    /// When it is the state of another job.
    pub(crate) fn set_up(&mut self, plan: &Plan) -> Result<(), Error> {
        if self.detectors.len() != plan.detectors.len() {
            return Err(Error::OtherJob("it has another number of detectors"));
        }
        if !self.columns.fits(plan) || self.open.iter().any(|bucket| !bucket.fits(plan)) {
            return Err(Error::OtherJob("it has other fields"));
        }
        if self.clock.span_s() != plan.span_s {
            return Err(Error::OtherJob("it has another bucket span"));
        }
        if !self.normalizer.fits(plan.detectors.len(), plan.influencers.len()) {
            return Err(Error::OtherJob("it has other influencers"));
        }
        if !self.categories.fits(plan) {
            return Err(Error::OtherJob("it has another categorization"));
        }
        for (state, detector) in self.detectors.iter_mut().zip(&plan.detectors) {
            state.set_up(plan, detector);
            if !state.is_sound(plan, detector) {
                return Err(Error::OtherJob("it has other detectors"));
            }
        }
        Ok(())
    }

    pub(crate) fn counts(&self) -> &DataCounts {
        &self.counts.0
    }

    pub(crate) fn counts_mut(&mut self) -> &mut DataCounts {
        &mut self.counts.0
    }

    pub(crate) fn detectors(&self) -> &[DetectorState] {
        &self.detectors
    }

    pub(crate) fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Takes a record whose bucket is open.
    pub(crate) fn take(&mut self, plan: &Plan, time_ms: i64, bucket_s: i64, values: &[FieldValue<'_>]) {
        self.count(time_ms, values);
        let bucket = bucket_at(&mut self.open, &mut self.scratch.spare, plan, bucket_s);
        bucket.event_count += 1;
        let weight = match plan.summary.map(|column| values.get(column).copied().and_then(number_of)) {
            None => 1.0,
            Some(Some(weight)) if weight > 0.0 => weight.min(1e15),
            Some(_) => return,
        };
        let since_start_s = time_ms as f64 / 1000.0 - bucket_s as f64;
        let reading = |detector: &DetectorPlan| Reading::of(detector, values, since_start_s);
        self.gather(plan, bucket_s, values, weight, reading);
    }

    /// Takes records of an open bucket of which only the sums are known.
    pub(crate) fn take_group(&mut self, plan: &Plan, bucket_s: i64, group: &Group<'_>) {
        let values: Vec<FieldValue<'_>> = group.values.iter().map(GroupValue::same).collect();
        self.count_group(group);
        let bucket = bucket_at(&mut self.open, &mut self.scratch.spare, plan, bucket_s);
        bucket.event_count += group.records;
        let reading = |detector: &DetectorPlan| Reading::of_group(detector, group);
        self.gather(plan, bucket_s, &values, group.records as f64, reading);
    }

    /// Adds what detectors read off `values` to what they have gathered. `weight` is the number of records, unless the
    /// reading counts them itself.
    fn gather<'v>(
        &mut self,
        plan: &Plan,
        bucket_s: i64,
        values: &[FieldValue<'_>],
        weight: f64,
        reading: impl Fn(&DetectorPlan) -> Option<Reading<'v>>,
    ) {
        let bucket = bucket_at(&mut self.open, &mut self.scratch.spare, plan, bucket_s);
        let may_grow = self.memory.may_grow();
        let Scratch { record, text, influencers, loose, .. } = &mut self.scratch;
        let category = self.categories.categorize(plan, values);
        self.columns.resolve(plan, values, category, may_grow, record);
        if record.refused {
            self.memory.refuse();
        }
        if !plan.influencers.is_empty() {
            bucket.influencer_values(plan, values, record, text, influencers);
        }
        let number = bucket_s.div_euclid(plan.span_s);
        for (state, detector) in self.detectors.iter_mut().zip(&plan.detectors) {
            let Some(value) = reading(detector) else { continue };
            let columns = &mut self.columns;
            let split = (
                detector.split_id(detector.partition, columns, record, may_grow),
                detector.split_id(detector.by, columns, record, may_grow),
                detector.split_id(detector.over, columns, record, may_grow),
            );
            let (Some(partition), Some(by), Some(over)) = split else { continue };
            let gather = &mut bucket.gathers[detector.index];
            let split = SplitIds { partition, by, over };
            let known = state.places_taken();
            let may_grow = may_grow && self.memory.may_grow();
            let Some(slot) = state.slot(split, number, may_grow, gather, detector) else {
                self.memory.refuse();
                continue;
            };
            if state.places_taken() > known {
                self.memory.grow(state.entity_bytes(detector) + NAME_ROUGHLY, plan.limit_bytes);
            }
            let part = gather.add(slot, value, weight, text);
            if !detector.loose_influencers.is_empty() {
                loose.clear();
                loose.extend(detector.loose_influencers.iter().map(|at| influencers[*at]));
                gather.influence(slot, loose, &part);
            }
        }
    }

    fn count(&mut self, time_ms: i64, values: &[FieldValue<'_>]) {
        let counts = &mut self.counts.0;
        counts.processed_record_count += 1;
        let missing = values.iter().filter(|value| matches!(value, FieldValue::Missing)).count() as u64;
        counts.missing_field_count += missing;
        counts.processed_field_count += values.len() as u64 - missing;
        let earliest = counts.earliest_record_timestamp.map_or(time_ms, |earliest| earliest.0.min(time_ms));
        counts.earliest_record_timestamp = Some(TimestampMs(earliest));
        counts.latest_record_timestamp = self.clock.latest_ms().map(TimestampMs);
    }

    /// Counts the records of a group as if they had come one after the other.
    fn count_group(&mut self, group: &Group<'_>) {
        let counts = &mut self.counts.0;
        counts.processed_record_count += group.records;
        for value in group.values {
            let found = match value {
                GroupValue::Same(FieldValue::Missing) => 0,
                GroupValue::Same(_) => group.records,
                GroupValue::Numbers(numbers) => numbers.count.min(group.records),
            };
            counts.processed_field_count += found;
            counts.missing_field_count += group.records - found;
        }
        let earliest = counts.earliest_record_timestamp.map_or(group.first_ms, |ms| ms.0.min(group.first_ms));
        counts.earliest_record_timestamp = Some(TimestampMs(earliest));
        counts.latest_record_timestamp = self.clock.latest_ms().map(TimestampMs);
    }

    /// Closes every bucket that ends at or before `time_ms`.
    /// Says whether there are more than `buckets_max`.
    pub(crate) fn close_until(
        &mut self,
        around: Surroundings<'_>,
        time_ms: i64,
        buckets_max: usize,
        out: &mut Output,
    ) -> bool {
        for _ in 0..buckets_max {
            let open = &self.open;
            let has_data = |bucket: i64| open.iter().any(|open| open.start_s == bucket);
            let Some(start_s) = self.clock.close_next(time_ms, has_data) else { return false };
            let at = self.open.iter().position(|bucket| bucket.start_s == start_s);
            let mut bucket = at.map_or_else(
                || self.scratch.spare.pop().unwrap_or_else(|| OpenBucket::new(around.plan)),
                |at| self.open.remove(at),
            );
            if at.is_none() {
                bucket.reset(start_s);
            }
            self.close(around, &bucket, out);
            bucket.reset(start_s);
            self.scratch.spare.push(bucket);
        }
        self.clock.is_due(time_ms)
    }

    fn close(&mut self, around: Surroundings<'_>, bucket: &OpenBucket, out: &mut Output) {
        let Surroundings { plan, context, calendar, scale, threads } = around;
        let (start_ms, span_ms) = (bucket.start_s.saturating_mul(1000), plan.span_s * 1000);
        let end_ms = start_ms.saturating_add(span_ms);
        let scheduled = calendar.scheduled(start_ms, end_ms);
        let mut sink = std::mem::take(&mut self.scratch.sink);
        sink.clear();
        let shift_s = calendar.time_shift_s(self.shifted_until_ms.unwrap_or(start_ms), end_ms);
        self.shifted_until_ms = Some(end_ms);
        if shift_s != 0 {
            self.shift_time(plan, bucket.start_s, shift_s, &mut sink);
        }
        for (state, detector) in self.detectors.iter_mut().zip(&plan.detectors) {
            let view = View {
                plan,
                detector,
                columns: &self.columns,
                context,
                scheduled: &scheduled,
                scale,
                start_s: bucket.start_s,
                room: self.memory.room(plan.limit_bytes),
                threads,
                is_interim: false,
            };
            // Before the sizes are compared: what new entities take was accounted for when they came.
            state.make_room();
            let before = state.series_bytes();
            state.close(&view, view.gather(&bucket.gathers), &mut sink);
            self.memory.settle(before, state.series_bytes());
        }
        let crowds: Vec<usize> = self.detectors.iter().map(DetectorState::crowd).collect();
        let results = Results {
            plan,
            columns: &self.columns,
            scale,
            crowd: &self.crowd,
            bucket,
            crowds: &crowds,
            scheduled,
            is_interim: false,
        };
        let (written, mut surprises) = (Written::of(out), Surprises::default());
        results.write(&mut sink, &mut surprises, out);
        renormalization::renormalize(&mut self.normalizer, plan, scale, written, &surprises, out);
        self.crowd.learn(&sink.joint);
        self.scratch.sink = sink;
        self.count_bucket(bucket);
        self.categories.take_changed(plan, false, &mut out.categories);
        self.tidy(plan, bucket.start_s, out);
    }

    fn shift_time(&mut self, plan: &Plan, start_s: i64, seconds: i64, sink: &mut Sink) {
        for (state, detector) in self.detectors.iter_mut().zip(&plan.detectors) {
            if state.shift_time(seconds) && plan.annotations {
                let text =
                    format!("Model shifted in time by {seconds} seconds, as a calendar event asks for");
                sink.annotations.push(note(plan, start_s, detector.index, text));
            }
        }
    }

    fn count_bucket(&mut self, bucket: &OpenBucket) {
        let counts = &mut self.counts.0;
        let start = Some(TimestampMs(bucket.start_s.saturating_mul(1000)));
        counts.bucket_count += 1;
        counts.latest_bucket_timestamp = start;
        let events = bucket.event_count as f64;
        if bucket.event_count == 0 {
            counts.empty_bucket_count += 1;
            counts.latest_empty_bucket_timestamp = start;
        } else if events < SPARSE_SHARE * self.usual_events {
            counts.sparse_bucket_count += 1;
            counts.latest_sparse_bucket_timestamp = start;
        }
        let gain = 1.0 / (counts.bucket_count as f64).min(USUAL_MEMORY);
        self.usual_events += gain * (events - self.usual_events);
    }

    /// Results of the open buckets; changes nothing.
    pub(crate) fn interim(&self, around: Surroundings<'_>, out: &mut Output) {
        let Surroundings { plan, context, calendar, scale, threads } = around;
        let crowds: Vec<usize> = self.detectors.iter().map(DetectorState::crowd).collect();
        for start_s in self.clock.open_buckets() {
            let Some(bucket) = self.open.iter().find(|bucket| bucket.start_s == start_s) else { continue };
            let (start_ms, span_ms) = (start_s.saturating_mul(1000), plan.span_s * 1000);
            let scheduled = calendar.scheduled(start_ms, start_ms.saturating_add(span_ms));
            let mut sink = Sink::default();
            for (state, detector) in self.detectors.iter().zip(&plan.detectors) {
                let view = View {
                    plan,
                    detector,
                    columns: &self.columns,
                    context,
                    scheduled: &scheduled,
                    scale,
                    start_s,
                    room: self.memory.room(plan.limit_bytes),
                    threads,
                    is_interim: true,
                };
                state.interim(&view, view.gather(&bucket.gathers), &mut sink);
            }
            let results = Results {
                plan,
                columns: &self.columns,
                scale,
                crowd: &self.crowd,
                bucket,
                crowds: &crowds,
                scheduled,
                is_interim: true,
            };
            results.write(&mut sink, &mut Surprises::default(), out);
        }
    }

    /// Scores of earlier results as they were last written.
    pub(crate) fn restate(&self, around: Surroundings<'_>, out: &mut Output) {
        renormalization::restate(&self.normalizer, around.plan, around.scale, out);
    }

    /// Forgets open buckets that begin before `start_s`.
    pub(crate) fn drop_before(&mut self, start_s: i64) {
        self.open.retain(|bucket| bucket.start_s >= start_s);
    }

    /// Forgets open buckets that begin from `start_s` on and before `end_s`.
    pub(crate) fn drop_between(&mut self, start_s: i64, end_s: i64) {
        self.open.retain(|bucket| bucket.start_s < start_s || bucket.start_s >= end_s);
    }

    /// Definitions of all categories that changed, counts included.
    pub(crate) fn write_categories(&mut self, plan: &Plan, out: &mut Output) {
        self.categories.take_changed(plan, true, &mut out.categories);
    }
}

/// An annotation of all series of a detector.
pub(super) fn note(plan: &Plan, start_s: i64, detector_index: usize, text: String) -> Annotation {
    Annotation {
        time: TimestampMs(start_s.saturating_mul(1000)),
        end: TimestampMs(start_s.saturating_add(plan.span_s).saturating_mul(1000)),
        detector_index,
        split: Split::default(),
        text,
    }
}

/// The open bucket at `start_s`, made when there is none yet.
fn bucket_at<'b>(
    open: &'b mut Vec<OpenBucket>,
    spare: &mut Vec<OpenBucket>,
    plan: &Plan,
    start_s: i64,
) -> &'b mut OpenBucket {
    // Nearly always the last one.
    let at = match open.last() {
        Some(last) if last.start_s == start_s => open.len() - 1,
        _ => match open.binary_search_by_key(&start_s, |bucket| bucket.start_s) {
            Ok(at) => at,
            Err(at) => {
                let mut bucket = spare.pop().unwrap_or_else(|| OpenBucket::new(plan));
                bucket.reset(start_s);
                open.insert(at, bucket);
                at
            }
        },
    };
    &mut open[at]
}
