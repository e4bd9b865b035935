//! Memory of the model against the job's limit.
//!
//! Bytes are counted as they are taken. As they come near the limit, models become smaller in steps (see [`Form`])
//! before the first entity is refused:
//!
//! | share of the limit | |
//! | --- | --- |
//! | 60 % | soft limit: idle entities are forgotten in half the time |
//! | 70 % | young series grow into compact models |
//! | 75 % | full models become compact, until 70 % |
//! | 85 % | young series grow into sketches |
//! | 90 % | compact models become sketches, until 85 %; then members, values and places are forgotten, until 85 % |
//! | 100 % | hard limit: new entities are refused and counted, until 95 % |
//!
//! Sketches become compact models again, and those full ones, as long as all series have room below 50 % at the size to which
//! they come.

use serde::{Deserialize, Serialize};
use types::stats::MemoryStatus;

use super::detector::DetectorState;
use crate::model::Form;

/// Share of the limit from which on idle entities are forgotten sooner.
const SOFT_SHARE: f64 = 0.6;
/// Full models grow, and are kept, up to this share.
const FULL_SHARE: f64 = 0.7;
/// Compact models grow, and are kept, up to this share.
const COMPACT_SHARE: f64 = 0.85;
/// Models shrink once the share they may have is exceeded by this.
const SLACK_SHARE: f64 = 0.05;
/// New entities are made again below this share.
const EASE_SHARE: f64 = 0.95;
/// Models become larger again below this share.
const AGAIN_SHARE: f64 = 0.5;
/// Sizes are reported again after growing by this factor.
const REPORT_GROWTH: f64 = 1.1;
/// What a job takes without any entity.
pub(crate) const BASE_BYTES: u64 = 64 << 10;

/// Bytes by which models may grow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// As full models.
    pub(crate) full: u64,
    /// As compact ones.
    pub(crate) compact: u64,
}

/// What is accounted for, without the flat rate of a job.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sizes {
    pub(crate) total: u64,
    /// Part of it that waits for new entities.
    pub(crate) reusable: u64,
}

/// The accounts.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Memory {
    pub(crate) bytes: u64,
    pub(crate) peak_bytes: u64,
    pub(crate) status: MemoryStatus,
    /// Buckets in which an entity was refused.
    pub(crate) failures: u64,
    /// Was an entity refused in the present bucket?
    refused: bool,
    reported_bytes: u64,
    /// Is the limit reached within the present bucket?
    is_full: bool,
    /// Members, values and places that were forgotten for want of memory.
    pub(crate) evicted: u64,
    /// Compact models, sketches and forgotten ones when that was last announced.
    announced: [u64; 3],
}

impl Memory {
    /// May new entities be made?
    pub(crate) fn may_grow(&self) -> bool {
        self.status != MemoryStatus::HardLimit && !self.is_full
    }

    /// Notes that an entity was refused.
    pub(crate) fn refuse(&mut self) {
        self.refused = true;
    }

    /// Notes a new entity inside a bucket, so that one bucket cannot go far beyond the limit.
    pub(crate) fn grow(&mut self, entity_bytes: u64, limit_bytes: u64) {
        self.bytes += entity_bytes;
        self.is_full = self.bytes >= limit_bytes;
    }

    /// Takes over what a detector's models have grown by.
    pub(crate) fn settle(&mut self, before: u64, after: u64) {
        self.bytes = (self.bytes + after).saturating_sub(before);
    }

    /// What is left to grow into.
    pub(crate) fn room(&self, limit_bytes: u64) -> Room {
        let left = |share: f64| ((share * limit_bytes as f64) as u64).saturating_sub(self.bytes);
        Room { full: left(FULL_SHARE), compact: left(COMPACT_SHARE) }
    }

    /// Makes models smaller as far as needed, or larger where there is room again. Returns the total as it is afterwards.
    pub(crate) fn fit(&self, detectors: &mut [DetectorState], sizes: Sizes, limit_bytes: u64) -> u64 {
        let of_limit = |share: f64| (share * limit_bytes as f64) as u64;
        let mut total = sizes.total;
        let steps = [(Form::Full, Form::Compact, FULL_SHARE), (Form::Compact, Form::Sketch, COMPACT_SHARE)];
        for (from, to, share) in steps {
            if total + BASE_BYTES > of_limit(share + SLACK_SHARE) {
                let wanted = (total + BASE_BYTES).saturating_sub(of_limit(share));
                total = change(detectors, from, to, wanted, total);
            }
        }
        for (from, to) in [(Form::Sketch, Form::Compact), (Form::Compact, Form::Full)] {
            let to_come: u64 = detectors.iter().map(DetectorState::growth_bytes).sum();
            let spare = of_limit(AGAIN_SHARE).saturating_sub(total + BASE_BYTES + to_come);
            total = change(detectors, from, to, spare, total);
        }
        total
    }

    /// Bytes of members, values and places that have to be forgotten, after models have become as small as they can.
    pub(crate) fn to_evict(&self, sizes: Sizes, limit_bytes: u64) -> u64 {
        let of_limit = |share: f64| (share * limit_bytes as f64) as u64;
        let used = BASE_BYTES + sizes.total.saturating_sub(sizes.reusable);
        if used > of_limit(COMPACT_SHARE + SLACK_SHARE) { used - of_limit(COMPACT_SHARE) } else { 0 }
    }

    /// The numbers of compact models, sketches and forgotten entities, when they are to be announced: the first time, and
    /// when they have doubled.
    pub(crate) fn announce(&mut self, detectors: &[DetectorState]) -> Option<[u64; 3]> {
        let [_, _, compact, sketches] = forms(detectors);
        let now = [compact, sketches, self.evicted];
        let is_news = now.iter().zip(&self.announced).any(|(now, then)| *now > 2 * then);
        is_news.then(|| {
            self.announced = now;
            now
        })
    }

    /// Takes the size at the end of a bucket; says whether it should be reported.
    /// The status is that of what is in use: places that wait for new entities keep none away.
    pub(crate) fn update(&mut self, sizes: Sizes, limit_bytes: u64) -> bool {
        self.bytes = BASE_BYTES + sizes.total;
        self.peak_bytes = self.peak_bytes.max(self.bytes);
        self.is_full = false;
        self.failures += u64::from(std::mem::take(&mut self.refused));
        let used = self.bytes.saturating_sub(sizes.reusable);
        let share = used as f64 / limit_bytes.max(1) as f64;
        let was = self.status;
        self.status = match was {
            _ if share >= 1.0 => MemoryStatus::HardLimit,
            MemoryStatus::HardLimit if share >= EASE_SHARE => MemoryStatus::HardLimit,
            _ if share >= SOFT_SHARE => MemoryStatus::SoftLimit,
            _ => MemoryStatus::Ok,
        };
        let should_report =
            self.status != was || self.bytes as f64 > REPORT_GROWTH * self.reported_bytes as f64;
        if should_report {
            self.reported_bytes = self.bytes;
        }
        should_report
    }

    /// Bytes above the limit.
    pub(crate) fn exceeded(&self, limit_bytes: u64) -> u64 {
        self.bytes.saturating_sub(limit_bytes)
    }
}

/// Models of all detectors by form.
pub(crate) fn forms(detectors: &[DetectorState]) -> [u64; Form::COUNT] {
    let mut sum = [0; Form::COUNT];
    for state in detectors {
        sum.iter_mut().zip(state.forms()).for_each(|(sum, of_detector)| *sum += of_detector);
    }
    sum
}

/// Changes the form of models of all detectors, in proportion to how many they have, until that makes up for `bytes`.
/// Returns what `total` becomes by that.
fn change(detectors: &mut [DetectorState], from: Form, to: Form, bytes: u64, total: u64) -> u64 {
    let size = |detectors: &[DetectorState]| detectors.iter().map(DetectorState::series_bytes).sum::<u64>();
    let models = forms(detectors)[from as usize];
    if models == 0 || bytes == 0 {
        return total;
    }
    let before = size(detectors);
    for state in detectors.iter_mut() {
        let share = state.forms()[from as usize] as f64 / models as f64;
        state.change_forms(from, to, (share * bytes as f64) as u64);
    }
    // What some detectors have not enough models for is left to the others.
    if to > from {
        for at in 0..detectors.len() {
            let rest = bytes.saturating_sub(before.saturating_sub(size(detectors)));
            detectors[at].change_forms(from, to, rest);
        }
    }
    (total + size(detectors)).saturating_sub(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_used(total: u64) -> Sizes {
        Sizes { total, reusable: 0 }
    }

    #[test]
    fn places_that_wait_for_new_entities_keep_none_away() {
        let (mut memory, limit) = (Memory::default(), 1 << 20);
        let sizes = Sizes { total: 1_100_000, reusable: 300_000 };
        memory.update(sizes, limit);
        assert!(memory.may_grow() && memory.bytes > limit);
        assert_eq!(memory.to_evict(sizes, limit), 0);
        assert!(memory.to_evict(all_used(1_100_000), limit) > 0);
    }

    #[test]
    fn limits_are_met_in_turn_and_left_again() {
        let mut memory = Memory::default();
        let limit = 1 << 20;
        memory.update(all_used(100), limit);
        assert_eq!(memory.status, MemoryStatus::Ok);
        assert!(memory.room(limit).full < memory.room(limit).compact);
        memory.update(all_used(800_000), limit);
        assert_eq!(memory.status, MemoryStatus::SoftLimit);
        assert!(memory.room(limit).full == 0 && memory.room(limit).compact > 0);
        memory.update(all_used(1_000_000), limit);
        assert!(!memory.may_grow() && memory.exceeded(limit) > 0);
        memory.refuse();
        memory.update(all_used(940_000), limit);
        assert_eq!((memory.status, memory.failures), (MemoryStatus::HardLimit, 1));
        memory.update(all_used(100), limit);
        assert!(memory.may_grow());
    }
}
