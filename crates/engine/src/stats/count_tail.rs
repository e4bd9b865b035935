//! Tails of counts: Poisson, negative binomial when the variance exceeds the mean.

use statrs::function::{beta::beta_reg, gamma::gamma_ur};

/// Chances of a count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CountTail {
    /// `P(X ≤ x)`.
    pub at_most: f64,
    /// `P(X ≥ x)`.
    pub at_least: f64,
}

/// Both tails of a count `x` under a negative binomial of mean `mean` and variance `variance`; a Poisson law when the
/// variance does not exceed the mean. `x` is rounded to a whole number; below zero it counts as impossible.
#[must_use]
pub fn negative_binomial_tail(x: f64, mean: f64, variance: f64) -> CountTail {
    let x = x.round();
    if x.is_nan() || x < 0.0 {
        return CountTail { at_most: 0.0, at_least: 1.0 };
    }
    let mean = mean.clamp(1e-6, 1e9);
    let at_most = |k: f64| -> f64 {
        if k < 0.0 {
            return 0.0;
        }
        if variance <= mean * 1.001 {
            // P(X ≤ k) = Q(k + 1, mean), Abramowitz & Stegun 26.4.21.
            return gamma_ur(k + 1.0, mean);
        }
        let p = (mean / variance).clamp(1e-9, 1.0 - 1e-9);
        let r = (mean * p / (1.0 - p)).clamp(1e-6, 1e9);
        // P(X ≤ k) = I_p(r, k + 1), Abramowitz & Stegun 26.5.26.
        beta_reg(r, k + 1.0, p)
    };
    let below = at_most(x - 1.0);
    CountTail { at_most: at_most(x).clamp(0.0, 1.0), at_least: (1.0 - below).clamp(0.0, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use statrs::distribution::{DiscreteCDF, NegativeBinomial, Poisson};

    #[test]
    fn poisson_when_not_overdispersed() {
        let p = Poisson::new(3.0).unwrap();
        for x in 0..12u64 {
            let t = negative_binomial_tail(x as f64, 3.0, 3.0);
            assert!((t.at_most - p.cdf(x)).abs() < 1e-9);
        }
    }

    #[test]
    fn negative_binomial_when_overdispersed() {
        // mean 4, variance 8: p = 0.5, r = 4.
        let d = NegativeBinomial::new(4.0, 0.5).unwrap();
        for x in 1..15u64 {
            let t = negative_binomial_tail(x as f64, 4.0, 8.0);
            assert!((t.at_most - d.cdf(x)).abs() < 1e-9);
            assert!((t.at_least - (1.0 - d.cdf(x - 1))).abs() < 1e-9);
        }
    }

    #[test]
    fn odd_input_stays_in_range() {
        for x in [-5.0, 0.0, 1e15, f64::NAN] {
            for (m, v) in [(0.0, 0.0), (1e12, 1e24), (5.0, 0.0)] {
                let t = negative_binomial_tail(x, m, v);
                assert!((0.0..=1.0).contains(&t.at_most) && (0.0..=1.0).contains(&t.at_least));
            }
        }
    }
}
