//! The door: records come in, results go out.

use serde::{Deserialize, Serialize};
use types::results::{Bucket, ResultType};
use types::stats::{DataCounts, ModelSizeStats};
use types::{Job, TimestampMs};

use super::clock::BucketClock;
use crate::calendar::Calendar;
use crate::{Context, Error, FieldValue, Output, snapshot};

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It was analysed.
    Processed,
    /// Its bucket is closed already.
    OutOfOrder,
}

/// The analysis of one job: pure state, driven by its owner.
#[derive(Debug)]
pub struct Analysis {
    job: Job,
    fields: Vec<String>,
    calendar: Calendar,
    state: State,
}

#[derive(Debug, Serialize, Deserialize)]
struct State {
    clock: BucketClock,
    counts: SavedCounts,
    /// Records of the open buckets, by start of the bucket.
    open: std::collections::BTreeMap<i64, u64>,
}

/// Counts are saved as JSON: they leave out what they do not have, which the format of snapshots cannot express.
#[derive(Debug)]
struct SavedCounts(DataCounts);

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

impl Analysis {
    /// A new analysis.
    ///
    /// # Errors
    /// When the job uses something that the engine does not have.
    pub fn new(job: &Job, context: Context) -> Result<Self, Error> {
        let config = &job.analysis_config;
        let latency_s = config.latency.map_or(0, |latency| latency.as_secs());
        Ok(Self {
            job: job.clone(),
            fields: config.analysed_fields(),
            calendar: Calendar::new(context.events),
            state: State {
                clock: BucketClock::new(config.bucket_span_s(), latency_s),
                counts: SavedCounts(DataCounts::new(&job.job_id)),
                open: std::collections::BTreeMap::new(),
            },
        })
    }

    /// Goes on from a saved state.
    ///
    /// # Errors
    /// When the state is damaged, of another version, or of a job with other detectors.
    pub fn restore(job: &Job, context: Context, state: &[u8]) -> Result<Self, Error> {
        let mut analysis = Self::new(job, context)?;
        analysis.state = snapshot::unpack(state)?;
        Ok(analysis)
    }

    /// The state, to be restored by the same version; bit for bit the same for the same records.
    pub fn snapshot(&self) -> Vec<u8> {
        snapshot::pack(&self.state)
    }

    /// The analysed fields, in the order in which [`Analysis::push`] takes their values.
    pub fn fields(&self) -> &[String] {
        &self.fields
    }

    /// Takes one record. Buckets that are final by its time (and the job's latency) are closed first, and their
    /// results are appended to `out`.
    pub fn push(&mut self, time_ms: i64, values: &[FieldValue<'_>], out: &mut Output) -> Disposition {
        let Some(bucket) = self.state.clock.admit(time_ms) else {
            self.state.counts.0.out_of_order_timestamp_count += 1;
            return Disposition::OutOfOrder;
        };
        self.close_until(self.state.clock.horizon_ms(time_ms), out);
        let counts = &mut self.state.counts.0;
        counts.processed_record_count += 1;
        let missing = values.iter().filter(|value| matches!(value, FieldValue::Missing)).count() as u64;
        counts.missing_field_count += missing;
        counts.processed_field_count += values.len() as u64 - missing;
        let earliest = counts.earliest_record_timestamp.map_or(time_ms, |earliest| earliest.0.min(time_ms));
        counts.earliest_record_timestamp = Some(TimestampMs(earliest));
        counts.latest_record_timestamp = self.state.clock.latest_ms().map(TimestampMs);
        *self.state.open.entry(bucket).or_default() += 1;
        Disposition::Processed
    }

    /// Closes every bucket that ends at or before `time_ms`, also empty ones.
    pub fn advance(&mut self, time_ms: i64, out: &mut Output) {
        self.close_until(time_ms, out);
        self.state.clock.jump(time_ms);
    }

    /// Goes to the bucket of `time_ms` without results and without learning; open buckets are forgotten.
    pub fn skip(&mut self, time_ms: i64) {
        self.state.clock.jump(time_ms);
        let bucket = self.state.clock.bucket_of(time_ms);
        self.state.open.retain(|start, _| *start >= bucket);
    }

    /// The end of the input: all buckets up to the newest record become final.
    pub fn finish(&mut self, out: &mut Output) {
        if let Some(newest) = self.state.clock.open_buckets().last() {
            self.advance((newest + self.state.clock.span_s()).saturating_mul(1000), out);
        }
    }

    /// Results of the open buckets, marked as interim. Changes nothing.
    pub fn interim(&self, out: &mut Output) {
        for start in self.state.clock.open_buckets() {
            let events = self.state.open.get(&start).copied().unwrap_or(0);
            out.buckets.push(self.bucket(start, events, true));
        }
    }

    /// Takes a changed configuration (rules, model plot, limits) from now on.
    pub fn update_job(&mut self, job: &Job) {
        self.job = job.clone();
    }

    /// Takes changed filters and events from now on.
    pub fn set_context(&mut self, context: Context) {
        self.calendar = Calendar::new(context.events);
    }

    /// What became of the records.
    pub fn counts(&self) -> &DataCounts {
        &self.state.counts.0
    }

    /// For what only the caller can count: bytes, input fields and records, invalid dates.
    pub fn counts_mut(&mut self) -> &mut DataCounts {
        &mut self.state.counts.0
    }

    /// Size of the model.
    pub fn size_stats(&self, log_time: TimestampMs) -> ModelSizeStats {
        ModelSizeStats::empty(&self.job.job_id, self.job.model_memory_limit_bytes(), log_time)
    }

    /// End of the newest final bucket; `None` before the first record.
    pub fn last_finalized_bucket_end_ms(&self) -> Option<i64> {
        self.state.clock.closed_until_ms()
    }

    /// Time of the newest record.
    pub fn latest_record_ms(&self) -> Option<i64> {
        self.state.clock.latest_ms()
    }

    fn close_until(&mut self, time_ms: i64, out: &mut Output) {
        let has_data = |open: &std::collections::BTreeMap<i64, u64>, bucket: i64| open.contains_key(&bucket);
        loop {
            let State { clock, open, .. } = &mut self.state;
            let Some(start) = clock.close_next(time_ms, |bucket| has_data(open, bucket)) else { return };
            let events = open.remove(&start).unwrap_or(0);
            out.buckets.push(self.bucket(start, events, false));
            self.state.counts.0.bucket_count += 1;
        }
    }

    fn bucket(&self, start_s: i64, event_count: u64, is_interim: bool) -> Bucket {
        let span_s = self.state.clock.span_s();
        let scheduled = self.calendar.scheduled(start_s * 1000, (start_s + span_s) * 1000);
        Bucket {
            job_id: self.job.job_id.clone(),
            timestamp: TimestampMs(start_s * 1000),
            anomaly_score: 0.0,
            bucket_span: span_s,
            initial_anomaly_score: 0.0,
            event_count,
            is_interim,
            bucket_influencers: Vec::new(),
            processing_time_ms: 0,
            scheduled_events: scheduled.descriptions,
            result_type: ResultType::Bucket,
        }
    }
}
