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
//! | 90 % | compact models become sketches, until 85 % |
//! | 100 % | hard limit: new entities are refused and counted, until 95 % |
//!
//! Below 50 %, compact models may become full again.

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
/// Compact models become full again below this share.
const FULL_AGAIN_SHARE: f64 = 0.5;
/// Sizes are reported again after growing by this factor.
const REPORT_GROWTH: f64 = 1.1;
/// What a job takes without any entity.
const BASE_BYTES: u64 = 64 << 10;

/// Bytes by which models may grow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// As full models.
    pub(crate) full: u64,
    /// As compact ones.
    pub(crate) compact: u64,
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
    /// Compact models and sketches when that was last announced.
    announced: [u64; 2],
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

    /// Makes models smaller as far as needed, or larger where there is room again. `bytes` is the size of everything;
    /// returns it as it is afterwards.
    pub(crate) fn fit(&self, detectors: &mut [DetectorState], bytes: u64, limit_bytes: u64) -> u64 {
        let of_limit = |share: f64| (share * limit_bytes as f64) as u64;
        let (mut bytes, of_base) = (bytes, BASE_BYTES);
        let steps = [(Form::Full, Form::Compact, FULL_SHARE), (Form::Compact, Form::Sketch, COMPACT_SHARE)];
        for (from, to, share) in steps {
            if bytes + of_base > of_limit(share + SLACK_SHARE) {
                let wanted = (bytes + of_base).saturating_sub(of_limit(share));
                bytes -= change(detectors, from, to, wanted);
            }
        }
        // A compact model grows to its full size in the course of time: half of the room is kept for that.
        let spare = of_limit(FULL_AGAIN_SHARE).saturating_sub(bytes + of_base) / 2;
        let compact: u64 = detectors.iter().map(|state| state.forms()[Form::Compact as usize]).sum();
        if compact > 0 && spare > compact * 4096 {
            bytes += change(detectors, Form::Compact, Form::Full, spare);
        }
        bytes
    }

    /// The numbers of compact models and sketches, when they are to be announced: the first time, and when they have
    /// doubled.
    pub(crate) fn announce(&mut self, detectors: &[DetectorState]) -> Option<[u64; 2]> {
        let [_, _, compact, sketches] = forms(detectors);
        let now = [compact, sketches];
        let is_news = now.iter().zip(&self.announced).any(|(now, then)| *now > 2 * then);
        is_news.then(|| {
            self.announced = now;
            now
        })
    }

    /// Takes the size at the end of a bucket; says whether it should be reported.
    pub(crate) fn update(&mut self, model_bytes: u64, limit_bytes: u64) -> bool {
        self.bytes = BASE_BYTES + model_bytes;
        self.peak_bytes = self.peak_bytes.max(self.bytes);
        self.is_full = false;
        self.failures += u64::from(std::mem::take(&mut self.refused));
        let share = self.bytes as f64 / limit_bytes.max(1) as f64;
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

fn change(detectors: &mut [DetectorState], from: Form, to: Form, bytes: u64) -> u64 {
    let mut changed = 0;
    for state in detectors {
        if changed < bytes {
            changed += state.change_forms(from, to, bytes - changed);
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_met_in_turn_and_left_again() {
        let mut memory = Memory::default();
        let limit = 1 << 20;
        memory.update(100, limit);
        assert_eq!(memory.status, MemoryStatus::Ok);
        assert!(memory.room(limit).full < memory.room(limit).compact);
        memory.update(800_000, limit);
        assert_eq!(memory.status, MemoryStatus::SoftLimit);
        assert!(memory.room(limit).full == 0 && memory.room(limit).compact > 0);
        memory.update(1_000_000, limit);
        assert!(!memory.may_grow() && memory.exceeded(limit) > 0);
        memory.refuse();
        memory.update(940_000, limit);
        assert_eq!((memory.status, memory.failures), (MemoryStatus::HardLimit, 1));
        memory.update(100, limit);
        assert!(memory.may_grow());
    }
}
