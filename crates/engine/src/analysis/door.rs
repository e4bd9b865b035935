//! The door: records come in, results go out.

use types::stats::{CategorizerStats, DataCounts, ModelSizeStats};
use types::{Job, TimestampMs};

use super::forecast::{Forecast, ForecastRequest};
use super::pipeline::{Pipeline, Surroundings};
use super::plan::Plan;
use crate::calendar::Calendar;
use crate::score::Scale;
use crate::{Context, Error, FieldValue, ForecastError, Group, Output, snapshot};

/// More threads than any machine has use for.
const THREADS_MAX: usize = 256;

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It was analysed.
    Processed,
    /// Its bucket is closed already.
    OutOfOrder,
}

/// The analysis of one job: pure state, driven by its owner.
///
/// Initial scores are on a fixed scale that was calibrated on labelled series. Current scores are those, lowered where the job has had
/// more events as strong than the scale promises, within `renormalization_window_days`: results come with the score that they have by
/// what was before, and [`Output::rescored`] tells what becomes of earlier ones.
#[derive(Debug)]
pub struct Analysis {
    plan: Plan,
    context: Context,
    calendar: Calendar,
    scale: Scale,
    pipeline: Pipeline,
    threads: usize,
}

impl Analysis {
    /// A new analysis.
    ///
    /// # Errors
    /// When the job uses something that the engine does not have.
    pub fn new(job: &Job, context: Context) -> Result<Self, Error> {
        let plan = Plan::new(job);
        let pipeline = Pipeline::new(job, &plan)?;
        Ok(Self::assemble(plan, context, pipeline))
    }

    /// Goes on from a saved state.
    ///
    /// # Errors
    /// When the state is damaged, of another version, or of a job with other detectors.
    pub fn restore(job: &Job, context: Context, state: &[u8]) -> Result<Self, Error> {
        let plan = Plan::new(job);
        let mut pipeline: Pipeline = snapshot::unpack(state)?;
        pipeline.set_up(&plan)?;
        Ok(Self::assemble(plan, context, pipeline))
    }

    fn assemble(plan: Plan, context: Context, pipeline: Pipeline) -> Self {
        let calendar = Calendar::new(context.events.clone());
        let scale = Scale::new(plan.span_s);
        Self { plan, context, calendar, scale, pipeline, threads: 1 }
    }

    /// The state, to be restored by the same version; bit for bit the same for the same records.
    pub fn snapshot(&self) -> Vec<u8> {
        snapshot::pack(&self.pipeline)
    }

    /// The analysed fields, in the order in which [`Analysis::push`] takes their values.
    pub fn fields(&self) -> &[String] {
        &self.plan.fields
    }

    /// Takes one record. Buckets that are final by its time (and the job's latency) are closed first, and their
    /// results are appended to `out`. Fields without a value in `values` count as missing.
    pub fn push(&mut self, time_ms: i64, values: &[FieldValue<'_>], out: &mut Output) -> Disposition {
        // Before the record is admitted, since a gap before it counts as one only while nothing is at its end.
        let horizon_ms = self.pipeline.clock.horizon_ms(time_ms);
        if self.pipeline.clock.is_due(horizon_ms) {
            self.close_until(horizon_ms, out);
        }
        let Some(bucket_s) = self.pipeline.clock.admit(time_ms) else {
            self.pipeline.counts_mut().out_of_order_timestamp_count += 1;
            return Disposition::OutOfOrder;
        };
        self.pipeline.take(&self.plan, time_ms, bucket_s, values);
        Disposition::Processed
    }

    /// Takes many records of one bucket at once, of which only the sums are known: the same as [`Analysis::push`] for each of
    /// them, but for the rounding of sums and means. Whatever counts records counts each of them. Only for jobs that have a
    /// [`Grouping`](crate::Grouping), whose values come as it says.
    pub fn push_group(&mut self, group: &Group<'_>, out: &mut Output) -> Disposition {
        let horizon_ms = self.pipeline.clock.horizon_ms(group.last_ms);
        if self.pipeline.clock.is_due(horizon_ms) {
            self.close_until(horizon_ms, out);
        }
        let Some(bucket_s) = self.pipeline.clock.admit(group.last_ms) else {
            self.pipeline.counts_mut().out_of_order_timestamp_count += group.records;
            return Disposition::OutOfOrder;
        };
        self.pipeline.take_group(&self.plan, bucket_s, group);
        Disposition::Processed
    }

    /// Closes at most `buckets_max` of the buckets that a record at `time_ms` makes final, as [`Analysis::push`] would close all of
    /// them; says whether there are more. For callers who write results before all of a long gap are there.
    pub fn close_some(&mut self, time_ms: i64, buckets_max: usize, out: &mut Output) -> bool {
        let horizon_ms = self.pipeline.clock.horizon_ms(time_ms);
        self.pipeline.clock.open_ms().is_some() && self.close_at_most(horizon_ms, buckets_max, out)
    }

    /// The same for [`Analysis::advance`], which is to be called when there are no more.
    pub fn advance_some(&mut self, time_ms: i64, buckets_max: usize, out: &mut Output) -> bool {
        self.close_at_most(time_ms, buckets_max, out)
    }

    /// The last gap of which the rest was skipped, since it was too long: from and to, in milliseconds. It is told once.
    pub fn take_skipped(&mut self) -> Option<(i64, i64)> {
        self.pipeline.clock.take_skipped()
    }

    /// Closes every bucket that ends at or before `time_ms`, also empty ones; later records of them are out of order.
    pub fn advance(&mut self, time_ms: i64, out: &mut Output) {
        self.close_until(time_ms, out);
        self.pipeline.clock.jump(time_ms);
        self.pipeline.write_categories(&self.plan, out);
    }

    /// Goes to the bucket of `time_ms` without results and without learning; open buckets before it are forgotten.
    pub fn skip(&mut self, time_ms: i64) {
        self.pipeline.clock.jump(time_ms);
        self.pipeline.drop_before(self.pipeline.clock.bucket_of(time_ms));
    }

    /// Forgets what the open buckets between two times have gathered, so that their records can be sent again. Buckets
    /// that are final stay as they are.
    pub fn reset(&mut self, start_ms: i64, end_ms: i64) {
        let first_s = self.pipeline.clock.bucket_of(start_ms);
        let last_s = self.pipeline.clock.bucket_of(end_ms.saturating_sub(1));
        self.pipeline.drop_between(first_s, last_s.saturating_add(1));
    }

    /// The end of the input: all buckets up to that of the newest record become final.
    pub fn finish(&mut self, out: &mut Output) {
        if let Some(newest) = self.pipeline.clock.open_buckets().last() {
            self.advance((newest + self.plan.span_s).saturating_mul(1000), out);
        }
        self.pipeline.write_categories(&self.plan, out);
    }

    /// The categories that changed since they were last written, as they are now, also in the open buckets.
    pub fn categories(&mut self, out: &mut Output) {
        self.pipeline.write_categories(&self.plan, out);
    }

    /// Results of the open buckets, marked as interim. Changes nothing.
    pub fn interim(&self, out: &mut Output) {
        self.pipeline.interim(self.surroundings(), out);
    }

    /// The scores of all results that may still change, as they were last told: for documents of which some may have been written by
    /// an analysis that went on from here and whose later state is lost.
    pub fn restate(&self, out: &mut Output) {
        self.pipeline.restate(self.surroundings(), out);
    }

    /// What the models expect from the end of the newest final bucket on; changes nothing. Series come one after the
    /// other, their points are computed when they are asked for.
    ///
    /// # Errors
    /// For populations and functions without a forecast, before anything was learnt, when the duration is not between
    /// one second and ten years, and when there would be more points than the request allows.
    pub fn forecast(&self, request: ForecastRequest) -> Result<Forecast<'_>, ForecastError> {
        Forecast::new(&self.plan, &self.pipeline, request)
    }

    /// Takes a changed configuration (rules, model plot, limits, the window of renormalisation) from now on. Detectors must be the same.
    pub fn update_job(&mut self, job: &Job) {
        let plan = Plan::new(job);
        if plan.detectors.len() == self.plan.detectors.len() && plan.fields == self.plan.fields {
            self.plan = plan;
        }
    }

    /// Takes changed filters and events from now on.
    pub fn set_context(&mut self, context: Context) {
        self.calendar = Calendar::new(context.events.clone());
        self.context = context;
    }

    /// Lets the series of a bucket be computed on so many threads, one unless this is called. The results and the state
    /// are the same for any number.
    pub fn set_threads(&mut self, threads: usize) {
        self.threads = threads.clamp(1, THREADS_MAX);
    }

    /// What became of the records: processed, missing, out of order, and the buckets.
    pub fn counts(&self) -> &DataCounts {
        self.pipeline.counts()
    }

    /// For what only the caller can count: bytes, input fields and records, invalid dates.
    pub fn counts_mut(&mut self) -> &mut DataCounts {
        self.pipeline.counts_mut()
    }

    /// Size of the model.
    pub fn size_stats(&self, log_time: TimestampMs) -> ModelSizeStats {
        self.pipeline.size_stats(&self.plan, log_time)
    }

    /// Categories in numbers: of the partitions that are wanted, or, with `None`, of the whole job.
    pub fn categorizer_stats(&self, wanted: impl Fn(Option<&str>) -> bool) -> Vec<CategorizerStats> {
        let clock = &self.pipeline.clock;
        let span_ms = self.plan.span_s * 1000;
        let Some(until_ms) = clock.closed_until_ms().or_else(|| clock.open_ms()) else { return Vec::new() };
        let start_ms = if clock.closed_until_ms().is_some() { until_ms - span_ms } else { until_ms };
        self.pipeline.categories.numbers(&self.plan, wanted, TimestampMs(start_ms), TimestampMs(until_ms))
    }

    /// End of the newest final bucket; `None` before the first record.
    pub fn last_finalized_bucket_end_ms(&self) -> Option<i64> {
        self.pipeline.clock.closed_until_ms()
    }

    /// Where a flush has come to: as [`Analysis::last_finalized_bucket_end_ms`], but the start of the open bucket also
    /// while no bucket is final.
    pub fn flushed_until_ms(&self) -> Option<i64> {
        self.pipeline.clock.open_ms()
    }

    /// Time of the newest record.
    pub fn latest_record_ms(&self) -> Option<i64> {
        self.pipeline.clock.latest_ms()
    }

    fn surroundings(&self) -> Surroundings<'_> {
        Surroundings {
            plan: &self.plan,
            context: &self.context,
            calendar: &self.calendar,
            scale: &self.scale,
            threads: self.threads,
        }
    }

    fn close_until(&mut self, time_ms: i64, out: &mut Output) {
        self.close_at_most(time_ms, usize::MAX, out);
    }

    fn close_at_most(&mut self, time_ms: i64, buckets_max: usize, out: &mut Output) -> bool {
        let around = Surroundings {
            plan: &self.plan,
            context: &self.context,
            calendar: &self.calendar,
            scale: &self.scale,
            threads: self.threads,
        };
        self.pipeline.close_until(around, time_ms, buckets_max, out)
    }
}
