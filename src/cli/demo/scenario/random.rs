//! The numbers that the generators draw: deterministic, and the same on every system.
//!
//! Only `+ - * /` on 64-bit numbers is used: the last bits of `exp`, `ln` and `cos` differ between maths libraries,
//! and with them the documents would differ between systems.

/// A stream of random numbers that depends on its seed alone.
///
/// SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014, figure 17).
#[derive(Clone, Debug)]
pub(super) struct Random {
    state: u64,
}

impl Random {
    pub(super) fn seeded(seed: u64) -> Self {
        Self { state: seed }
    }

    /// 64 random bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Uniform in [0, 1).
    pub(super) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in `low..high`; `low` where that is empty.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = u128::try_from(high - low).unwrap_or(0);
        low + ((u128::from(self.bits()) * width) >> 64) as i64
    }

    /// True with this probability.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of the values, each equally likely. There must be one.
    pub(super) fn choice<'a, T>(&mut self, values: &'a [T]) -> &'a T {
        &values[self.between(0, values.len() as i64) as usize]
    }

    /// An index of `weights`, each as likely as its weight says. There must be one.
    pub(super) fn weighted(&mut self, weights: &[f64]) -> usize {
        let mut left = self.unit() * weights.iter().sum::<f64>();
        for (index, weight) in weights.iter().enumerate() {
            left -= weight;
            if left < 0.0 {
                return index;
            }
        }
        weights.len() - 1
    }

    /// Mean 0, variance 1, nearly normal: the sum of twelve uniform numbers (Irwin–Hall), which needs no logarithm.
    pub(super) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// A positive number with this median; `sigma` is the standard deviation of its logarithm.
    pub(super) fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        median * exp(sigma * self.normal())
    }

    /// A Poisson number (Knuth, "Seminumerical Algorithms", section 3.4.1); 0 for a mean of 0 or less.
    pub(super) fn poisson(&mut self, mean: f64) -> u32 {
        // The sum of Poisson numbers is one, and the product of many uniform numbers would lose its bits.
        const PART_MAX: f64 = 16.0;
        let mut left = mean;
        let mut total = 0;
        while left > 0.0 {
            let limit = exp(-left.min(PART_MAX));
            left -= PART_MAX;
            let mut product = self.unit();
            while product > limit {
                total += 1;
                product *= self.unit();
            }
        }
        total
    }
}

/// e to the power of x for |x| up to about 100, to 12 digits or more: Taylor's series of a small part, then squared.
fn exp(x: f64) -> f64 {
    const HALVINGS: u32 = 10;
    let part = x / f64::from(1u32 << HALVINGS);
    let mut sum = 1.0;
    let mut term = 1.0;
    for n in 1..=8 {
        term *= part / f64::from(n);
        sum += term;
    }
    for _ in 0..HALVINGS {
        sum *= sum;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(mut draw: impl FnMut() -> f64) -> (f64, f64) {
        let values: Vec<f64> = (0..20_000).map(|_| draw()).collect();
        let mean = values.iter().sum::<f64>() / 20_000.0;
        (mean, values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / 20_000.0)
    }

    #[test]
    fn bits_are_those_of_the_paper() {
        // The first outputs of the published C code for the seed 1234567.
        let mut random = Random::seeded(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| random.bits()).collect();
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn exp_agrees_with_the_maths_library() {
        for x in [-40.0, -16.0, -1.0, -0.1, 0.0, 0.5, 2.0, 6.0] {
            assert!((exp(x) / f64::exp(x) - 1.0).abs() < 1e-11, "{x}");
        }
    }

    #[test]
    fn distributions_have_their_moments() {
        let mut random = Random::seeded(7);
        for mean in [0.3, 5.0, 60.0] {
            let (found, variance) = moments(|| f64::from(random.poisson(mean)));
            assert!((found / mean - 1.0).abs() < 0.04, "{mean}: {found}");
            assert!((variance / mean - 1.0).abs() < 0.06, "{mean}: {variance}");
        }
        let (mean, variance) = moments(|| random.normal());
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.04, "{mean} {variance}");
        let (mean, _) = moments(|| random.unit());
        assert!((mean - 0.5).abs() < 0.01, "{mean}");
    }

    #[test]
    fn choices_stay_within_their_bounds() {
        let mut random = Random::seeded(3);
        let mut seen = [0u32; 3];
        for _ in 0..3000 {
            assert!((-2..5).contains(&random.between(-2, 5)));
            seen[random.weighted(&[1.0, 0.0, 3.0])] += 1;
        }
        assert_eq!(seen[1], 0);
        assert!((600..900).contains(&seen[0]), "{seen:?}");
        assert_eq!(random.between(4, 4), 4);
        assert_eq!(random.poisson(0.0), 0);
    }
}
