//! Budgets of bytes: whatever a client can make large is charged before it is held, and refused when it would be too much.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A budget that many share. What is charged to it is charged to the one above it as well.
#[derive(Debug)]
pub struct Breaker {
    name: &'static str,
    limit_bytes: u64,
    used_bytes: AtomicU64,
    tripped: AtomicU64,
    above: Option<Arc<Breaker>>,
}

/// More was wanted than a budget has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "[{breaker}] Data too large, data for [{what}] would be [{wanted_bytes}/{}], which is larger than the limit of [{limit_bytes}/{}]",
    readable(*.wanted_bytes),
    readable(*.limit_bytes)
)]
pub struct DataTooLarge {
    /// The budget.
    pub breaker: &'static str,
    /// What was to be held.
    pub what: String,
    /// The bytes that would be held in all.
    pub wanted_bytes: u64,
    /// The bytes that may be.
    pub limit_bytes: u64,
}

impl Breaker {
    /// A budget of so many bytes within the one `above`.
    pub fn new(name: &'static str, limit_bytes: u64, above: Option<Arc<Breaker>>) -> Arc<Self> {
        Arc::new(Self { name, limit_bytes, used_bytes: AtomicU64::new(0), tripped: AtomicU64::new(0), above })
    }

    /// Takes bytes out of the budget; they go back when the charge is dropped.
    ///
    /// # Errors
    /// When that would be more than the budget, or one above it, has. Nothing is charged then.
    pub fn charge(self: &Arc<Self>, bytes: u64, what: &str) -> Result<Charge, DataTooLarge> {
        let mut charge = Charge { breaker: Arc::clone(self), bytes: 0 };
        charge.grow(bytes, what)?;
        Ok(charge)
    }

    fn take(&self, bytes: u64, what: &str) -> Result<(), DataTooLarge> {
        let before = self.used_bytes.fetch_add(bytes, Ordering::Relaxed);
        let wanted_bytes = before.saturating_add(bytes);
        let inside = if wanted_bytes > self.limit_bytes {
            self.tripped.fetch_add(1, Ordering::Relaxed);
            Err(DataTooLarge {
                breaker: self.name,
                what: what.to_owned(),
                wanted_bytes,
                limit_bytes: self.limit_bytes,
            })
        } else {
            self.above.as_ref().map_or(Ok(()), |above| above.take(bytes, what))
        };
        if inside.is_err() {
            self.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        inside
    }

    fn give_back(&self, bytes: u64) {
        self.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(above) = &self.above {
            above.give_back(bytes);
        }
    }

    /// Its name in answers.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The bytes that it has in all.
    pub fn limit_bytes(&self) -> u64 {
        self.limit_bytes
    }

    /// The bytes that are taken at present.
    pub fn used_bytes(&self) -> u64 {
        self.used_bytes.load(Ordering::Relaxed)
    }

    /// How often it has refused something.
    pub fn tripped(&self) -> u64 {
        self.tripped.load(Ordering::Relaxed)
    }
}

/// Bytes that are taken out of a budget until this is dropped.
#[derive(Debug)]
pub struct Charge {
    breaker: Arc<Breaker>,
    bytes: u64,
}

impl Charge {
    /// Takes more bytes.
    ///
    /// # Errors
    /// When that would be more than the budget has. What was charged before stays charged.
    pub fn grow(&mut self, bytes: u64, what: &str) -> Result<(), DataTooLarge> {
        self.breaker.take(bytes, what)?;
        self.bytes += bytes;
        Ok(())
    }

    /// The bytes that are taken.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.breaker.give_back(self.bytes);
    }
}

/// The budgets of a process.
#[derive(Clone, Debug)]
pub struct Breakers {
    /// All that is charged.
    pub parent: Arc<Breaker>,
    /// What searches hold: buckets, hits, answers.
    pub request: Arc<Breaker>,
    /// Bodies of requests that are being carried out.
    pub in_flight: Arc<Breaker>,
}

impl Breakers {
    /// Budgets for a process that may use so many bytes; half of what is meant when nobody knows how many. All together may take
    /// half of it, searches three tenths, bodies a quarter: models, caches and what is not counted need the rest.
    pub fn for_memory(bytes: u64) -> Self {
        let bytes = if bytes == 0 { MEMORY_UNKNOWN_BYTES } else { bytes };
        let parent = Breaker::new("parent", bytes / 2, None);
        let below = |name, bytes| Breaker::new(name, bytes, Some(Arc::clone(&parent)));
        let (request, in_flight) = (below("request", bytes / 10 * 3), below("in_flight_requests", bytes / 4));
        Self { parent, request, in_flight }
    }

    /// All of them, the one above the others last.
    pub fn all(&self) -> [&Arc<Breaker>; 3] {
        [&self.request, &self.in_flight, &self.parent]
    }
}

impl Default for Breakers {
    fn default() -> Self {
        Self::for_memory(0)
    }
}

/// What a process is taken to have when nobody knows.
const MEMORY_UNKNOWN_BYTES: u64 = 4 << 30;

/// `1.5kb`, as Elasticsearch prints sizes beside their numbers.
fn readable(bytes: u64) -> String {
    let units = [("gb", 1_u64 << 30), ("mb", 1 << 20), ("kb", 1 << 10)];
    match units.into_iter().find(|(_, unit)| bytes >= *unit) {
        None => format!("{bytes}b"),
        Some((name, unit)) => {
            let tenths = u128::from(bytes) * 10 / u128::from(unit);
            match tenths % 10 {
                0 => format!("{}{name}", tenths / 10),
                rest => format!("{}.{rest}{name}", tenths / 10),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_is_refused_with_both_numbers_and_charges_nothing() {
        let parent = Breaker::new("parent", 3000, None);
        let request = Breaker::new("request", 2048, Some(Arc::clone(&parent)));
        let mut held = request.charge(1500, "buckets").unwrap();
        let refused = request.charge(1000, "hits").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "[request] Data too large, data for [hits] would be [2500/2.4kb], which is larger than the limit of [2048/2kb]"
        );
        assert_eq!((request.used_bytes(), parent.used_bytes(), request.tripped()), (1500, 1500, 1));
        let beside = parent.charge(1400, "bodies").unwrap();
        assert_eq!(held.grow(200, "buckets").unwrap_err().breaker, "parent");
        assert_eq!((request.used_bytes(), parent.used_bytes(), held.bytes()), (1500, 2900, 1500));
        drop((held, beside));
        assert_eq!((request.used_bytes(), parent.used_bytes()), (0, 0));
    }
}
