//! Small statistics that the series model is built of: robust scales, histograms of standardised residuals with a
//! tail beyond the largest value seen, and the tails of count distributions.

mod count_tail;
mod histogram;
mod logarithm;
mod prefetch;
mod scale;

pub use count_tail::{CountTail, negative_binomial_tail};
pub use histogram::{BIN_WIDTH, BINS, Histograms, TailTable, log_position};
pub use logarithm::fast_ln;
pub(crate) use prefetch::{prefetch, prefetch_value};
pub use scale::RobustScale;

/// Tail of a distribution near Student's t with four degrees of freedom, as a function of `|z|`: the chance that a
/// standardised residual is at least that large before a series has shown its own habits.
/// `(1 + z²/2.88)^-2`, which keeps within a factor of two of the exact two-sided tail for `|z| < 30`.
#[must_use]
pub fn prior_tail(z: f64) -> f64 {
    let a = 1.0 + z * z / 2.88;
    1.0 / (a * a)
}

#[cfg(test)]
mod tests {
    use statrs::distribution::{ContinuousCDF, StudentsT};

    #[test]
    fn prior_tail_follows_student_t() {
        let t = StudentsT::new(0.0, 1.0, 4.0).unwrap();
        for z in [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0] {
            let ratio = super::prior_tail(z) / (2.0 * t.sf(z));
            assert!((0.4..2.5).contains(&ratio), "z {z}: ratio {ratio}");
        }
    }
}
