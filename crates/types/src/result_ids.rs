//! Ids of result documents. They depend on what a result is about alone, so that writing twice is the same as writing once, and so
//! that a score can be written again long after its result.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{JobId, TimestampMs};

/// Hash (FNV-1a, 64 bits: stable across versions and machines) and length of the values that tell results of one bucket apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ValueId {
    /// Of the values, each with its end.
    pub hash: u64,
    /// Of the values together, in bytes.
    pub length: u32,
}

impl ValueId {
    /// Of several values; which of them are empty matters.
    pub fn of_each(values: &[&str]) -> Self {
        let mut hash = Fnv::default();
        for value in values {
            hash.add(value.as_bytes());
            hash.add(&[0xff]);
        }
        Self { hash: hash.0, length: total(values) }
    }

    /// Of one value.
    pub fn of(value: &str) -> Self {
        let mut hash = Fnv::default();
        hash.add(value.as_bytes());
        Self { hash: hash.0, length: total(&[value]) }
    }
}

fn total(values: &[&str]) -> u32 {
    u32::try_from(values.iter().map(|value| value.len()).sum::<usize>()).unwrap_or(u32::MAX)
}

/// `<hash>_<length>`: opaque, but the same for the same values.
impl fmt::Display for ValueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.hash, self.length)
    }
}

struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}

/// Job and bucket of a result: what every id begins with.
#[derive(Clone, Copy, Debug)]
pub struct ResultPlace<'a> {
    /// The job.
    pub job_id: &'a JobId,
    /// Start of the bucket.
    pub timestamp: TimestampMs,
    /// Length in seconds.
    pub bucket_span: i64,
}

impl ResultPlace<'_> {
    fn id(&self, kind: &str) -> String {
        format!("{}_{kind}_{}_{}", self.job_id, self.timestamp, self.bucket_span)
    }

    /// Of the bucket.
    pub fn bucket(&self) -> String {
        self.id("bucket")
    }

    /// Of the bucket's influencer of a field.
    pub fn bucket_influencer(&self, field: &str) -> String {
        format!("{}_{field}", self.id("bucket_influencer"))
    }

    /// Of a value of an influencer field.
    pub fn influencer(&self, field: &str, value: ValueId) -> String {
        format!("{}_{field}_{value}", self.id("influencer"))
    }

    /// Of a record. `metric` makes up to three records for one series: the feature tells them apart.
    pub fn record(&self, detector: usize, split: ValueId, feature: Option<&str>) -> String {
        let feature = feature.map_or_else(String::new, |feature| format!("_{feature}"));
        format!("{}_{detector}_{split}{feature}", self.id("record"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_what_they_always_were() {
        let job_id = JobId::try_from("j".to_owned()).unwrap();
        let place =
            ResultPlace { job_id: &job_id, timestamp: TimestampMs(1_600_000_000_000), bucket_span: 300 };
        assert_eq!(place.bucket(), "j_bucket_1600000000000_300");
        assert_eq!(place.bucket_influencer("host"), "j_bucket_influencer_1600000000000_300_host");
        let one = place.influencer("host", ValueId::of("a"));
        assert_eq!(one, "j_influencer_1600000000000_300_host_12638187200555641996_1");
        let split = ValueId { hash: 7, length: 2 };
        assert_eq!(place.record(0, split, Some("max")), "j_record_1600000000000_300_0_7_2_max");
    }

    #[test]
    fn values_are_told_apart() {
        assert_ne!(ValueId::of_each(&["ab", "c", ""]), ValueId::of_each(&["a", "bc", ""]));
        assert_ne!(ValueId::of_each(&["a", "", ""]), ValueId::of_each(&["", "a", ""]));
        assert_eq!(ValueId::of_each(&["", "", ""]).length, 0);
    }
}
