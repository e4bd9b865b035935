//! The analysis and what belongs to it; used on threads for computing, never on those that serve requests.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Instant;

use engine::{Analysis, FieldValue, ForecastError, ForecastRequest, Output};
use store::{BulkOp, Cell, Page};
use types::stats::{CategorizationStatus, DataCounts, MemoryStatus, ModelSizeStats, TimingStats};
use types::{Job, TimestampMs};

use super::checkpoint::FeedPosition;
use super::documents;
use super::handle::ForecastBasis;
use crate::annotations::{Annotation, Event};
use crate::ingest::InputCounts;
use crate::notifications::Level;

/// What a time and a number count for in `input_bytes` when they come from a datafeed, which has no text of them.
pub(super) const TIME_BYTES: u64 = 13;
pub(super) const NUMBER_BYTES: usize = 8;

/// Buckets of a gap whose results are held at a time.
pub(super) const GAP_BUCKETS: usize = 256;
/// How far ahead of the present, and of all records before it, a record may be: a later time is a mistake, and would make all
/// that comes after it too late.
const AHEAD_MS: i64 = 10 * 365 * 86_400_000;

/// An analysis with its counts and the documents that it has yet to write.
pub(super) struct Worker {
    pub(super) job: Job,
    pub(super) model: Analysis,
    pub(super) timing: TimingStats,
    /// Documents to be written.
    pub(super) pending: Vec<BulkOp>,
    /// Is there a final bucket among the documents?
    pub(super) pending_final: bool,
    /// Messages to be told.
    pub(super) notes: Vec<(Level, String)>,
    memory_status: MemoryStatus,
    categorization_status: CategorizationStatus,
    /// Has the size of the model changed since it was last written?
    pub(super) size_changed: bool,
    /// Where the datafeed begins again after a crash.
    pub(super) feed_position: Option<FeedPosition>,
    /// Newest entry of the log that the analysis has seen.
    pub(super) data_seq: u64,
    /// Records since the last checkpoint.
    pub(super) records_since: u64,
    pub(super) output: Output,
    /// Was it told that a record had a time that cannot be?
    has_told_impossible: bool,
    index: String,
    bucket_began: Instant,
}

/// When a page is put down before its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) checkpoint_records: u64,
    pub(super) write_batch: usize,
}

impl Worker {
    pub(super) fn new(job: Job, model: Analysis, timing: TimingStats, index: String) -> Self {
        let sizes = model.size_stats(TimestampMs(0));
        Self {
            job,
            model,
            timing,
            pending: Vec::new(),
            pending_final: false,
            notes: Vec::new(),
            memory_status: sizes.memory_status,
            categorization_status: sizes.categorization_status,
            size_changed: true,
            feed_position: None,
            data_seq: 0,
            records_since: 0,
            output: Output::default(),
            has_told_impossible: false,
            index,
            bucket_began: Instant::now(),
        }
    }

    /// Is a checkpoint due?
    pub(super) fn checkpoint_due(&self, limits: Limits) -> bool {
        self.records_since >= limits.checkpoint_records
    }

    /// Takes rows of a datafeed as [`Worker::push`] does, and counts them as input: row by row, so that rows which come
    /// again after a crash are counted once.
    pub(super) fn push_fed(
        &mut self,
        page: &Page,
        positions: &[i64],
        rows: Range<usize>,
        limits: Limits,
        now: TimestampMs,
    ) -> usize {
        let mut input = InputCounts::default();
        let next = self.push_counted(page, Some(positions), rows, limits, now, &mut input);
        self.count(input, now);
        next
    }

    /// Takes rows of a page whose input was counted before.
    pub(super) fn push(&mut self, page: &Page, from: usize, limits: Limits, now: TimestampMs) -> usize {
        let mut input = InputCounts::default();
        let next = self.push_counted(page, None, from..page.times_ms.len(), limits, now, &mut input);
        self.model.counts_mut().invalid_date_count += input.invalid_dates;
        next
    }

    /// Takes rows of a page; says which row comes next. It stops early where documents should be written or a checkpoint
    /// is due.
    fn push_counted(
        &mut self,
        page: &Page,
        positions: Option<&[i64]>,
        rows: Range<usize>,
        limits: Limits,
        now: TimestampMs,
        input: &mut InputCounts,
    ) -> usize {
        let mut values: Vec<FieldValue<'_>> = Vec::with_capacity(page.columns.len());
        let mut row = rows.start;
        while let Some(time_ms) = page.times_ms.get(row).filter(|_| row < rows.end) {
            let is_possible = self.is_possible(*time_ms, now);
            if is_possible && self.model.close_some(*time_ms, GAP_BUCKETS, &mut self.output) {
                // The row comes again, when what its gap has brought is written.
                self.collect();
                return row;
            }
            values.clear();
            for column in &page.columns {
                let (value, bytes) = match column.get(row) {
                    Cell::Missing => (FieldValue::Missing, 0),
                    Cell::Str(text) => (FieldValue::Str(text), text.len()),
                    Cell::Num(number) => (FieldValue::Num(number), NUMBER_BYTES),
                };
                input.fields += u64::from(bytes > 0);
                input.bytes += bytes as u64;
                values.push(value);
            }
            input.records += 1;
            input.bytes += TIME_BYTES;
            if is_possible {
                self.model.push(*time_ms, &values, &mut self.output);
            } else {
                input.invalid_dates += 1;
            }
            if let Some(ms) = positions.and_then(|positions| positions.get(row)).copied() {
                let seen = self
                    .feed_position
                    .filter(|position| position.ms == ms)
                    .map_or(0, |position| position.seen);
                self.feed_position = Some(FeedPosition { ms, seen: seen + 1 });
            }
            self.records_since += 1;
            row += 1;
            if positions.is_some() && self.checkpoint_due(limits) {
                self.collect();
                return row;
            }
            if !self.output.is_empty() {
                self.collect();
                if self.pending.len() >= limits.write_batch {
                    return row;
                }
            }
        }
        row
    }

    /// Counts what came in, before it is analysed.
    pub(super) fn count(&mut self, input: InputCounts, now: TimestampMs) {
        let counts = self.model.counts_mut();
        counts.input_bytes += input.bytes;
        counts.input_record_count += input.records;
        counts.input_field_count += input.fields;
        counts.invalid_date_count += input.invalid_dates;
        counts.last_data_time = Some(now);
    }

    /// Can a record have this time? It is told once why not; each such record counts as one with an invalid date.
    pub(super) fn is_possible(&mut self, time_ms: i64, now: TimestampMs) -> bool {
        let latest = self.model.latest_record_ms();
        let why = if !TimestampMs(time_ms).is_possible() {
            "a time is between 1970 and the end of the year 9999".to_owned()
        } else if latest.is_some_and(|latest| time_ms > latest.max(now.0).saturating_add(AHEAD_MS)) {
            format!(
                "it is more than {} years ahead of the present and of all records before",
                AHEAD_MS / (365 * 86_400_000)
            )
        } else {
            return true;
        };
        if !std::mem::replace(&mut self.has_told_impossible, true) {
            self.notes.push((
                Level::Warning,
                format!(
                    "A record with the time [{time_ms}] ({}) is left out: {why}. Such records are counted in \
                     [invalid_date_count]; a time field in another unit than [time_format] says is the usual reason",
                    TimestampMs(time_ms).to_iso()
                ),
            ));
        }
        false
    }

    /// Moves time on by as many buckets as are written at once; says whether there are more.
    pub(super) fn advance_some(&mut self, to_ms: i64) -> bool {
        let more = self.model.advance_some(to_ms, GAP_BUCKETS, &mut self.output);
        if !more {
            self.model.advance(to_ms, &mut self.output);
        }
        self.collect();
        more
    }

    /// Moves time on, within a bucket or two.
    pub(super) fn advance(&mut self, to_ms: i64) {
        self.model.advance(to_ms, &mut self.output);
        self.collect();
    }

    /// Writes the categories as they are now.
    pub(super) fn write_categories(&mut self) {
        self.model.categories(&mut self.output);
        self.collect();
    }

    /// Makes the bucket of the newest record final if it ends at or before `until_ms`.
    pub(super) fn complete(&mut self, until_ms: i64) {
        let span_ms = self.job.analysis_config.bucket_span.as_millis().max(1);
        let Some(TimestampMs(latest_ms)) = self.model.counts().latest_record_timestamp else { return };
        let end_ms = (latest_ms.div_euclid(span_ms) + 1).saturating_mul(span_ms);
        let known = self.model.last_finalized_bucket_end_ms().is_some_and(|known| known >= end_ms);
        if end_ms <= until_ms && !known {
            self.advance(end_ms);
        }
    }

    /// Jumps.
    pub(super) fn skip(&mut self, to_ms: i64) {
        self.model.skip(to_ms);
    }

    /// Interim results as documents, for buckets in a range.
    pub(super) fn interim(&self, start_ms: Option<i64>, end_ms: Option<i64>) -> Vec<BulkOp> {
        let mut output = Output::default();
        self.model.interim(&mut output);
        let span_ms = self.job.analysis_config.bucket_span.as_millis();
        // A bucket counts that contains the start, or begins before the end.
        let wanted = |ms: i64| {
            start_ms.is_none_or(|start| ms.saturating_add(span_ms) > start)
                && end_ms.is_none_or(|end| ms < end)
        };
        // Plots and new scores are for final buckets only.
        output.buckets.retain(|d| wanted(d.timestamp.0));
        output.bucket_influencers.retain(|d| wanted(d.timestamp.0));
        output.records.retain(|d| wanted(d.timestamp.0));
        output.influencers.retain(|d| wanted(d.timestamp.0));
        output.model_plots.clear();
        output.rescored.clear();
        let mut ops = Vec::new();
        documents::write_ops(&self.index, &mut output, &mut ops);
        ops
    }

    /// The scores that the analysis knows, for documents that may have others.
    pub(super) fn restated(&self) -> Vec<BulkOp> {
        let (mut output, mut ops) = (Output::default(), Vec::new());
        self.model.restate(&mut output);
        documents::write_ops(&self.index, &mut output, &mut ops);
        ops
    }

    /// A copy of the model with what a forecast of it would be.
    pub(super) fn forecast_basis(&self, request: ForecastRequest) -> Result<ForecastBasis, ForecastError> {
        let forecast = self.model.forecast(request)?;
        let status = self.model.size_stats(TimestampMs(0)).memory_status;
        Ok(ForecastBasis {
            start: forecast.start(),
            end: forecast.end(),
            model_bytes: forecast.model_bytes(),
            too_young: forecast.too_young_count(),
            at_memory_limit: status == MemoryStatus::HardLimit,
            state: self.model.snapshot(),
        })
    }

    /// Turns output into documents, with the time that its buckets took.
    pub(super) fn collect(&mut self) {
        if let Some((from_ms, to_ms)) = self.model.take_skipped() {
            self.notes.push((
                Level::Warning,
                format!(
                    "There are no records from {} to {}: the empty buckets of so long a time are skipped, and have no results",
                    TimestampMs(from_ms).to_iso(),
                    TimestampMs(to_ms).to_iso()
                ),
            ));
        }
        if self.output.is_empty() {
            return;
        }
        let buckets = self.output.buckets.len();
        if buckets > 0 {
            let each_ms = self.bucket_began.elapsed().as_secs_f64() * 1000.0 / buckets as f64;
            let span_s = self.job.analysis_config.bucket_span_s();
            for bucket in &mut self.output.buckets {
                bucket.processing_time_ms = each_ms.round() as u64;
                self.timing.add(each_ms, span_s);
            }
            self.bucket_began = Instant::now();
            self.pending_final = true;
        }
        self.size_changed |= !self.output.size_stats.is_empty();
        for sizes in std::mem::take(&mut self.output.size_stats) {
            self.note_sizes(&sizes);
        }
        documents::annotation_ops(&self.job.job_id, &mut self.output, &mut self.pending);
        let counted: BTreeSet<Option<&str>> =
            self.output.categories.iter().map(|category| category.partition_field_value.as_deref()).collect();
        if !counted.is_empty() {
            let stats = self.model.categorizer_stats(|partition| counted.contains(&partition));
            documents::categorizer_ops(&self.index, &stats, &mut self.pending);
        }
        documents::write_ops(&self.index, &mut self.output, &mut self.pending);
    }

    /// Tells when the memory's or the categories' state has changed.
    fn note_sizes(&mut self, sizes: &ModelSizeStats) {
        if std::mem::replace(&mut self.memory_status, sizes.memory_status) != sizes.memory_status {
            let bytes = sizes.model_bytes;
            self.notes.push(match sizes.memory_status {
                MemoryStatus::Ok => {
                    (Level::Info, format!("Job memory status changed to ok at {bytes} bytes"))
                }
                MemoryStatus::SoftLimit => (
                    Level::Warning,
                    format!(
                        "Job memory status changed to soft_limit at {bytes} bytes; model pruning will occur"
                    ),
                ),
                MemoryStatus::HardLimit => (
                    Level::Error,
                    format!(
                        "Job memory status changed to hard_limit at {bytes} bytes; adjust the \
                         analysis_limits.model_memory_limit setting to ensure all data is analyzed"
                    ),
                ),
            });
        }
        let status = sizes.categorization_status;
        if std::mem::replace(&mut self.categorization_status, status) == status {
            return;
        }
        let (level, word) = match status {
            CategorizationStatus::Ok => (Level::Info, "ok"),
            CategorizationStatus::Warn => (Level::Warning, "warn"),
        };
        let text = format!("Categorization status changed to '{word}'");
        self.notes.push((level, text.clone()));
        let at = sizes.timestamp.unwrap_or(sizes.log_time);
        let id = format!("{}_annotation_categorization_{at}", sizes.job_id);
        let annotation =
            Annotation::new(&sizes.job_id, Event::CategorizationStatusChange, text, at).at(at, at).named(id);
        self.pending.extend(annotation.op().ok());
    }

    pub(super) fn counts(&self) -> DataCounts {
        self.model.counts().clone()
    }
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("job_id", &self.job.job_id).finish_non_exhaustive()
    }
}
