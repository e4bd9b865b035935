//! What is done after each bucket: idle entities are forgotten, memory is kept within its limit, sizes are reported.

use types::TimestampMs;
use types::results::ResultType;
use types::stats::ModelSizeStats;

use super::detector::DetectorState;
use super::memory::{self, Sizes};
use super::pipeline::{NAME_ROUGHLY, Pipeline, note};
use super::plan::{DetectorPlan, Plan};
use super::table::NONE;
use crate::Output;

/// Idle entities are looked for so many times in the prune window.
const PRUNES_PER_WINDOW: i64 = 8;

/// Members, values and places that take no more than this share of the limit are not forgotten for want of memory.
const KEPT_SHARE: f64 = 0.1;

impl Pipeline {
    /// Forgets what is idle, and keeps the accounts.
    pub(super) fn tidy(&mut self, plan: &Plan, start_s: i64, out: &mut Output) {
        let number = start_s.div_euclid(plan.span_s);
        let is_soft = self.memory.status != types::stats::MemoryStatus::Ok;
        let window = if is_soft { (plan.prune_buckets / 2).max(1) } else { plan.prune_buckets };
        if number.rem_euclid((window / PRUNES_PER_WINDOW).max(1)) == 0 {
            self.detectors.iter_mut().for_each(|state| state.prune(number.saturating_sub(window)));
            self.forget_values(plan);
        }
        let mut sizes = self.sizes(plan);
        sizes.total = self.memory.fit(&mut self.detectors, sizes, plan.limit_bytes);
        if self.evict(plan, sizes, number) {
            sizes = self.sizes(plan);
        }
        let should_report = self.memory.update(sizes, plan.limit_bytes);
        self.announce_forms(plan, start_s, out);
        self.categories.set_may_grow(self.memory.may_grow());
        if should_report {
            let end_s = start_s.saturating_add(plan.span_s);
            let stats = self.size_stats(plan, TimestampMs(end_s.saturating_mul(1000)));
            out.size_stats.push(stats);
        }
    }

    /// What is accounted for.
    fn sizes(&self, plan: &Plan) -> Sizes {
        let detectors = self.detectors.iter().zip(&plan.detectors);
        let models: u64 = detectors.map(|(state, detector)| state.bytes(detector)).sum();
        let waiting: u64 = self.detectors.iter().map(DetectorState::reusable_bytes).sum();
        Sizes {
            total: models + self.columns.bytes() as u64 + self.categories.bytes() + self.normalizer.bytes(),
            reusable: waiting + self.columns.reusable_bytes() as u64,
        }
    }

    /// Forgets members, values and places before any new one has to be refused; says whether it did.
    fn evict(&mut self, plan: &Plan, sizes: Sizes, number: i64) -> bool {
        let wanted = self.memory.to_evict(sizes, plan.limit_bytes);
        if wanted == 0 {
            return false;
        }
        // Where series take nearly everything, forgetting the rest would give little and leave these detectors nothing.
        let kept = (KEPT_SHARE * plan.limit_bytes as f64) as u64;
        let detectors = self.detectors.iter().zip(&plan.detectors);
        let evictable = detectors.filter(|(state, _)| !matches!(state, DetectorState::Individual(_)));
        let size: u64 = evictable
            .map(|(state, detector)| {
                let names = state.entities().live() as u64 * NAME_ROUGHLY;
                (state.bytes(detector) + names).saturating_sub(state.reusable_bytes())
            })
            .sum();
        let share = wanted.min(size.saturating_sub(kept)) as f64 / size.max(1) as f64;
        if share <= 0.0 {
            return false;
        }
        let evicted: u64 = self.detectors.iter_mut().map(|state| state.evict(share, number)).sum();
        if evicted > 0 {
            self.memory.evicted += evicted;
            self.forget_values(plan);
        }
        evicted > 0
    }

    /// Says how many models had to become smaller.
    fn announce_forms(&mut self, plan: &Plan, start_s: i64, out: &mut Output) {
        let Some([compact, sketches, evicted]) = self.memory.announce(&self.detectors) else { return };
        if !plan.annotations {
            return;
        }
        let mut told = Vec::new();
        if compact + sketches > 0 {
            told.push(format!(
                "{compact} series have models without a weekly pattern, {sketches} have sketches without any"
            ));
        }
        if evicted > 0 {
            told.push(format!("{evicted} members, values or places not seen for long were forgotten"));
        }
        let text = format!(
            "Memory is short: {}; raise model_memory_limit to keep all of them in full",
            told.join("; ")
        );
        out.annotations.push(note(plan, start_s, 0, text));
    }

    /// Forgets the values that no entity and no open bucket has.
    fn forget_values(&mut self, plan: &Plan) {
        let mut used: Vec<Vec<u32>> = vec![Vec::new(); plan.fields.len() + 1];
        let mut mark = |column: Option<usize>, id: u32| {
            if let (Some(column), true) = (column, id != NONE) {
                used[column].push(id);
            }
        };
        for (state, detector) in self.detectors.iter().zip(&plan.detectors) {
            state.for_each_split(|split| {
                mark(detector.partition, split.partition);
                mark(detector.by, split.by);
                mark(detector.over, split.over);
            });
            if matches!(state, DetectorState::RarePopulation(_)) {
                for gather in self.open.iter().map(|bucket| &bucket.gathers[detector.index]) {
                    (0..gather.entities.len()).for_each(|slot| mark(detector.over, gather.pair(slot).1));
                }
            }
        }
        for bucket in &self.open {
            bucket.for_each_value(|influencer, id| {
                let column = plan.influencers[influencer].column;
                mark(plan.lasting[column].then_some(column), id);
            });
        }
        for (column, used) in used.iter_mut().enumerate().filter(|(column, _)| plan.lasting[*column]) {
            used.sort_unstable();
            used.dedup();
            if used.len() < self.columns.live(column) {
                self.columns.retain(column, |id| used.binary_search(&id).is_ok());
            }
        }
    }

    pub(crate) fn size_stats(&self, plan: &Plan, log_time: TimestampMs) -> ModelSizeStats {
        let values = |column: fn(&DetectorPlan) -> Option<usize>| -> u64 {
            plan.detectors.iter().filter_map(column).map(|column| self.columns.live(column) as u64).sum()
        };
        let [_, _, compact, sketches] = memory::forms(&self.detectors);
        let mut stats = ModelSizeStats {
            compact_series_count: compact,
            sketched_series_count: sketches,
            evicted_entity_count: self.memory.evicted,
            unrenormalized_result_count: self.normalizer.dropped(),
            result_type: ResultType::ModelSizeStats,
            model_bytes: self.memory.bytes,
            peak_model_bytes: self.memory.peak_bytes,
            model_bytes_exceeded: self.memory.exceeded(plan.limit_bytes),
            total_by_field_count: values(|detector| detector.by),
            total_over_field_count: values(|detector| detector.over),
            total_partition_field_count: values(|detector| detector.partition),
            bucket_allocation_failures_count: self.memory.failures,
            memory_status: self.memory.status,
            timestamp: self.counts.0.latest_bucket_timestamp,
            ..ModelSizeStats::empty(&plan.job_id, plan.limit_bytes, log_time)
        };
        if let Some(categories) = self.categories.stats() {
            stats.categorized_doc_count = categories.categorized_doc_count;
            stats.total_category_count = categories.total_category_count;
            stats.frequent_category_count = categories.frequent_category_count;
            stats.rare_category_count = categories.rare_category_count;
            stats.dead_category_count = categories.dead_category_count;
            stats.failed_category_count = categories.failed_category_count;
            stats.categorization_status = categories.categorization_status;
        }
        stats
    }
}
