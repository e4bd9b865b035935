//! Memory of the model against the job's limit.

use serde::{Deserialize, Serialize};
use types::stats::MemoryStatus;

/// Share of the limit from which on idle entities are forgotten sooner.
const SOFT_SHARE: f64 = 0.8;
/// New entities are made again below this share.
const EASE_SHARE: f64 = 0.95;
/// Sizes are reported again after growing by this factor.
const REPORT_GROWTH: f64 = 1.1;
/// What a job takes without any entity.
const BASE_BYTES: u64 = 64 << 10;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_met_in_turn_and_left_again() {
        let mut memory = Memory::default();
        let limit = 1 << 20;
        memory.update(100, limit);
        assert_eq!(memory.status, MemoryStatus::Ok);
        memory.update(900_000, limit);
        assert_eq!(memory.status, MemoryStatus::SoftLimit);
        memory.update(1_000_000, limit);
        assert!(!memory.may_grow() && memory.exceeded(limit) > 0);
        memory.refuse();
        memory.update(940_000, limit);
        assert_eq!((memory.status, memory.failures), (MemoryStatus::HardLimit, 1));
        memory.update(100, limit);
        assert!(memory.may_grow());
    }
}
