//! How many different values there were: exactly while they are few, then by a sketch.

use serde::{Deserialize, Serialize};

/// Hashes kept before the sketch takes over.
const EXACT: usize = 256;
/// The sketch has `2^PRECISION` registers; its relative error is 1.04 / √(2^PRECISION) = 1.6 %.
const PRECISION: u32 = 12;

/// A set of hashes, or HyperLogLog registers (Flajolet et al. 2007; linear counting for small numbers as in Heule et
/// al. 2013, section 4). The hash has 64 bits, so that large numbers need no correction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Distinct {
    Exact(Vec<u64>),
    Sketch(Vec<u8>),
}

impl Default for Distinct {
    fn default() -> Self {
        Self::Exact(Vec::new())
    }
}

/// A hash that is the same on every machine, since it is stored: FNV-1a, finished as in MurmurHash3.
pub(crate) fn stable_hash(text: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

impl Distinct {
    /// Adds a value; says whether it is certainly new.
    pub(crate) fn add(&mut self, hash: u64) -> bool {
        match self {
            Self::Sketch(registers) => {
                register(registers, hash);
                false
            }
            Self::Exact(hashes) => {
                let Err(at) = hashes.binary_search(&hash) else { return false };
                hashes.insert(at, hash);
                if hashes.len() > EXACT {
                    let mut registers = vec![0; 1 << PRECISION];
                    hashes.iter().for_each(|hash| register(&mut registers, *hash));
                    *self = Self::Sketch(registers);
                }
                true
            }
        }
    }

    /// The number of different values, estimated when there are many.
    pub(crate) fn count(&self) -> f64 {
        let registers = match self {
            Self::Exact(hashes) => return hashes.len() as f64,
            Self::Sketch(registers) => registers,
        };
        let m = registers.len() as f64;
        let sum: f64 = registers.iter().map(|register| (-f64::from(*register)).exp2()).sum();
        let estimate = 0.7213 / (1.0 + 1.079 / m) * m * m / sum;
        let empty = registers.iter().filter(|register| **register == 0).count() as f64;
        let counted = if estimate <= 2.5 * m && empty > 0.0 { m * (m / empty).ln() } else { estimate };
        counted.round()
    }

    /// Empties the set, keeping its room.
    pub(crate) fn clear(&mut self) {
        match self {
            Self::Exact(hashes) => hashes.clear(),
            Self::Sketch(_) => *self = Self::default(),
        }
    }
}

fn register(registers: &mut [u8], hash: u64) {
    let at = (hash >> (64 - PRECISION)) as usize;
    let rank = ((hash << PRECISION) | 1 << (PRECISION - 1)).leading_zeros() as u8 + 1;
    registers[at] = registers[at].max(rank);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_exact_then_near() {
        let mut distinct = Distinct::default();
        for n in 1..=100_000u32 {
            distinct.add(stable_hash(&n.to_string()));
            distinct.add(stable_hash(&n.to_string()));
            let exact = n <= EXACT as u32;
            if exact || [1000, 10_000, 100_000].contains(&n) {
                let error = (distinct.count() / f64::from(n) - 1.0).abs();
                assert!(error <= if exact { 0.0 } else { 0.05 }, "{n}: {error}");
            }
        }
    }
}
