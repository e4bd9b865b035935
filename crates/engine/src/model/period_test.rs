//! Is there a period in a window of equally spaced values? The autocorrelation proposes, folding at the period confirms.
//!
//! Vlachos, Yu & Castelli 2005 let the periodogram propose and the autocorrelation confirm, since the periodogram is blurred at long
//! periods. Here a window is short and looked at again at twice the spacing, so that every period comes to lie where the
//! autocorrelation is sharp: it proposes alone, and sees the harmonics of a pulse as well as a sine. What confirms is the
//! variance explained by folding (Stellingwerf 1978), by the Bayesian information criterion (Schwarz 1978) against red noise,
//! autoregressive of first order: noise that wanders has humps at all distances (Slutsky 1937).

/// Values of a window.
pub(super) const SLOTS: usize = 128;

/// A value that is not there.
pub(super) const MISSING: i8 = i8::MIN;

/// Shortest period, values.
const SHORTEST: usize = 4;

/// Share of the values that must be there.
const PRESENT: f32 = 0.75;

/// Repeats that a window must hold, unless the pattern is strong.
const REPEATS: usize = 3;

/// Least autocorrelation at the period, its least rise from the trough before, and its least share at twice the period.
const CORRELATION: f32 = 0.35;
const RISE: f32 = 0.3;
const AGAIN: f32 = 0.6;

/// The same for a period of which only two repeats were seen.
const STRONG_CORRELATION: f32 = 0.8;
const STRONG_RISE: f32 = 1.2;

/// A peak of this share of the highest at a shorter lag is the period, and the highest one of its multiples.
const FIRST: f32 = 0.85;

/// Least share of the variance that folding explains, corrected for its parameters.
const EXPLAINED: f32 = 0.4;

/// Least gain of the criterion.
const GAIN: f32 = 12.0;

/// Bins of the coarse fold: a smooth pattern has few parameters.
const COARSE: usize = 8;

/// Most bins of the fine fold.
const FINE: usize = 40;

/// Harmonics by which a smooth and a sharp pattern are measured.
const COARSE_HARMONICS: usize = 2;
const FINE_HARMONICS: usize = 8;

/// Periods that are tried around the proposed one, on each side.
const NEIGHBOURS: usize = 6;

/// A period that passed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// The period, and how far it may be off, in units of the spacing.
    pub(super) period: f64,
    pub(super) tolerance: f64,
}

/// A fold at the best period near one.
#[derive(Clone, Copy, Debug)]
struct Folded {
    period: f32,
    gain: f32,
    /// Share of the variance that is left.
    left: f32,
}

impl Folded {
    /// Two standard errors of the period of a wave in noise, `P²/2π · √(12 · noise/signal / n³)` (Rife & Boorstyn 1974).
    fn tolerance(&self, count: usize) -> f64 {
        let (n, left, period) = (count as f64, f64::from(self.left), f64::from(self.period));
        let noise = left.max(0.01) / (1.0 - left).max(0.01);
        2.0 * period * period / std::f64::consts::TAU * (12.0 * noise / (n * n * n)).sqrt()
    }
}

/// A window without the parabola through it, as a slow pattern or a trend looks like in a part; what is missing is zero.
#[derive(Clone, Debug)]
pub(super) struct Detrended {
    values: [f32; SLOTS],
    count: usize,
}

impl Detrended {
    /// `None` when too much is missing or nothing varies.
    pub(super) fn new(window: &[i8]) -> Option<Self> {
        let count = window.len().min(SLOTS);
        let mut values = [0.0; SLOTS];
        let present = |i: &usize| window[*i] != MISSING;
        let (mut n, mut t, mut v) = (0.0_f32, 0.0_f32, 0.0_f32);
        for i in (0..count).filter(present) {
            (n, t, v) = (n + 1.0, t + i as f32, v + f32::from(window[i]));
        }
        if n < PRESENT * count as f32 || n < 2.0 * SHORTEST as f32 {
            return None;
        }
        (t, v) = (t / n, v / n);
        let (mut tt, mut tv) = (0.0_f32, 0.0_f32);
        for i in (0..count).filter(present) {
            let (dt, dv) = (i as f32 - t, f32::from(window[i]) - v);
            (tt, tv) = (tt + dt * dt, tv + dt * dv);
        }
        let (slope, bend_mean) = (tv / tt, tt / n);
        let (mut bb, mut bv) = (0.0_f32, 0.0_f32);
        for i in (0..count).filter(present) {
            let dt = i as f32 - t;
            values[i] = f32::from(window[i]) - v - slope * dt;
            let bend = dt * dt - bend_mean;
            (bb, bv) = (bb + bend * bend, bv + bend * values[i]);
        }
        let bend = bv / bb;
        let mut squares = 0.0;
        for i in (0..count).filter(present) {
            let dt = i as f32 - t;
            values[i] -= bend * (dt * dt - bend_mean);
            squares += values[i] * values[i];
        }
        // Less is what rounding to whole units makes of a line.
        (squares > 2.0 * n).then_some(Self { values, count })
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Value at a place between the centres of two slots, by linear interpolation; zero where it is missing.
    pub(super) fn at(&self, place: f64) -> Option<f64> {
        if !(0.0..=(self.count - 1) as f64).contains(&place) {
            return None;
        }
        let i = (place as usize).min(self.count - 2);
        let f = place - i as f64;
        Some(f64::from(self.values[i]) * (1.0 - f) + f64::from(self.values[i + 1]) * f)
    }

    /// The period that the window shows, if it shows one.
    pub(super) fn period(&self) -> Option<Found> {
        let r = self.autocorrelation();
        let lag = strongest(&r, self.count / REPEATS).or_else(|| strong(&r, self.count))?;
        let about = refine(&r, lag);
        // A smooth pattern has few parameters and a flat peak; a pulse has many and a sharp one.
        let bins = (about.round() as usize).clamp(SHORTEST, FINE);
        let coarse = self.folded(self.sharpest(about, COARSE_HARMONICS), COARSE.min(bins));
        let fine = self.folded(self.sharpest(about, FINE_HARMONICS), bins);
        let best = if fine.gain > coarse.gain { fine } else { coarse };
        (best.gain > GAIN)
            .then(|| Found { period: f64::from(best.period), tolerance: best.tolerance(self.count) })
    }

    fn folded(&self, period: f32, bins: usize) -> Folded {
        let all: f32 = self.values[..self.count].iter().map(|v| v * v).sum();
        let left = self.fold(period, bins).1;
        Folded { period, gain: self.gain(period, bins), left: left / all.max(1e-9) }
    }

    /// Autocorrelation up to two thirds of the window, over the pairs that there are. In whole numbers, which the
    /// processor multiplies by the dozen.
    fn autocorrelation(&self) -> Vec<f32> {
        let n = self.count;
        let mut whole = [0_i16; SLOTS];
        for (whole, v) in whole.iter_mut().zip(&self.values) {
            *whole = (v * 16.0).clamp(-4000.0, 4000.0) as i16;
        }
        let product = |lag: usize| -> i32 {
            whole[..n - lag].iter().zip(&whole[lag..n]).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum()
        };
        let variance = product(0) as f32 / n as f32;
        (0..=2 * n / REPEATS).map(|lag| product(lag) as f32 / (n - lag) as f32 / variance.max(1e-9)).collect()
    }

    /// The period near `about` with most power in itself and its harmonics: that of largest likelihood in white noise (Rife &
    /// Boorstyn 1974). Searched by as much as two neighbouring periods of a window can be told apart, or by less for a
    /// sharp pattern, and finer the more harmonics there are.
    fn sharpest(&self, about: f32, harmonics: usize) -> f32 {
        let harmonics = harmonics.min((about / 2.0) as usize).max(1);
        let step = 0.25 * about * about / (self.count * harmonics) as f32;
        let mut power = [0.0_f32; 2 * NEIGHBOURS + 1];
        for (k, power) in power.iter_mut().enumerate() {
            *power = self.power(about + step * (k as f32 - NEIGHBOURS as f32), harmonics);
        }
        let best = (0..power.len()).max_by(|a, b| power[*a].total_cmp(&power[*b])).unwrap_or(NEIGHBOURS);
        let inside = best.clamp(1, 2 * NEIGHBOURS - 1);
        about + step * (inside as f32 + top(&power, inside) - NEIGHBOURS as f32)
    }

    /// Sum of the squared Fourier coefficients of a period and its harmonics.
    fn power(&self, period: f32, harmonics: usize) -> f32 {
        let mut sum = 0.0;
        for harmonic in 1..=harmonics {
            let (turn_im, turn_re) = (std::f32::consts::TAU * harmonic as f32 / period).sin_cos();
            let (mut re, mut im, mut sum_re, mut sum_im) = (1.0_f32, 0.0_f32, 0.0_f32, 0.0_f32);
            for v in &self.values[..self.count] {
                (sum_re, sum_im) = (sum_re + v * re, sum_im + v * im);
                (re, im) = (re * turn_re - im * turn_im, re * turn_im + im * turn_re);
            }
            sum += sum_re * sum_re + sum_im * sum_im;
        }
        sum
    }

    /// What folding leaves, and the sum of its squares.
    fn fold(&self, period: f32, bins: usize) -> ([f32; SLOTS], f32) {
        let (mut sums, mut counts, mut place) = ([0.0_f32; FINE], [0.0_f32; FINE], [0_u8; SLOTS]);
        let per_slot = 1.0 / period;
        for (i, place) in place.iter_mut().enumerate().take(self.count) {
            let phase = i as f32 * per_slot;
            let bin = ((phase - phase.floor()) * bins as f32 + 0.5) as usize % bins;
            *place = bin as u8;
            sums[bin] += self.values[i];
            counts[bin] += 1.0;
        }
        for (sum, count) in sums.iter_mut().zip(counts) {
            *sum /= count.max(1.0);
        }
        let (mut rest, mut squares) = ([0.0_f32; SLOTS], 0.0_f32);
        for i in 0..self.count {
            rest[i] = self.values[i] - sums[usize::from(place[i])];
            squares += rest[i] * rest[i];
        }
        (rest, squares)
    }

    /// Gain of the criterion by folding, both sides with red noise; nothing when folding explains too little.
    fn gain(&self, period: f32, bins: usize) -> f32 {
        let n = self.count as f32;
        let (rest, left) = self.fold(period, bins);
        let all: f32 = self.values[..self.count].iter().map(|v| v * v).sum();
        let parameters = bins as f32 - 1.0;
        if left / (n - parameters) > (1.0 - EXPLAINED) * all / n {
            return f32::MIN;
        }
        // Rounding to whole units leaves a twelfth.
        let quantum = n / 12.0;
        let before = innovations(&self.values[..self.count]) + quantum;
        let after = innovations(&rest[..self.count]) + quantum;
        n * (before / after).ln() - parameters * n.ln()
    }
}

/// Sum of squares of what the value before does not tell.
fn innovations(values: &[f32]) -> f32 {
    let own: f32 = values.iter().map(|v| v * v).sum();
    let next: f32 = values.windows(2).map(|w| w[0] * w[1]).sum();
    own - next * next / own.max(1e-9)
}

/// The lag of the first high peak, up to `longest`.
fn strongest(r: &[f32], longest: usize) -> Option<usize> {
    let is_peak = |l: usize| r[l] >= r[l - 1] && r[l] >= r[l + 1];
    let highest = (SHORTEST..=longest).filter(|l| is_peak(*l)).map(|l| r[l]).fold(0.0, f32::max);
    if highest < CORRELATION {
        return None;
    }
    let lag = (SHORTEST..=longest).find(|l| is_peak(*l) && r[*l] >= FIRST * highest)?;
    let trough = r[1..lag].iter().copied().fold(f32::INFINITY, f32::min);
    let again = r[2 * lag - around(lag)..=(2 * lag + around(lag)).min(r.len() - 1)]
        .iter()
        .copied()
        .fold(f32::MIN, f32::max);
    (r[lag] - trough >= RISE && again >= AGAIN * r[lag]).then_some(lag)
}

/// The lag of the highest peak between a third and half of the window, when it stands out clearly.
fn strong(r: &[f32], count: usize) -> Option<usize> {
    let lag = (count / REPEATS + 1..=count / 2).max_by(|a, b| r[*a].total_cmp(&r[*b]))?;
    let is_peak = r[lag] > r[lag - 1] && r[lag] > r[lag + 1];
    let trough = r[1..lag].iter().copied().fold(f32::INFINITY, f32::min);
    (is_peak && r[lag] >= STRONG_CORRELATION && r[lag] - trough >= STRONG_RISE).then_some(lag)
}

/// The period by the peaks at its multiples, each of which makes the error smaller.
fn refine(r: &[f32], lag: usize) -> f32 {
    let (mut period, mut times) = (lag as f32 + top(r, lag), 1.0);
    loop {
        let about = (period * (times + 1.0)).round() as usize;
        let about = about.saturating_sub(around(lag))..=about + around(lag);
        if *about.end() + 1 >= r.len() {
            return period;
        }
        let Some(peak) = about.max_by(|a, b| r[*a].total_cmp(&r[*b])) else { return period };
        if r[peak] < 0.5 * r[lag] {
            return period;
        }
        times += 1.0;
        period = (peak as f32 + top(r, peak)) / times;
    }
}

/// How far off the multiple of a lag its peak may be.
fn around(lag: usize) -> usize {
    (lag / 10).max(1)
}

/// Where the parabola through a peak and its neighbours has its top, from the peak on.
fn top(r: &[f32], peak: usize) -> f32 {
    let (a, b, c) = (r[peak - 1], r[peak], r[peak + 1]);
    let bend = a - 2.0 * b + c;
    if bend >= -1e-6 { 0.0 } else { (0.5 * (a - c) / bend).clamp(-0.5, 0.5) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng, rngs::StdRng};

    fn normal(r: &mut StdRng) -> f64 {
        let (u, v): (f64, f64) = (r.random::<f64>().max(1e-300), r.random());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }

    fn window(values: impl Iterator<Item = f64>) -> Vec<i8> {
        values.map(|v| (v * 16.0).clamp(-127.0, 127.0) as i8).collect()
    }

    fn period(window: &[i8]) -> Option<Found> {
        Detrended::new(window)?.period()
    }

    #[test]
    fn waves_and_pulses_are_found_with_their_period() {
        let mut missed = 0;
        for seed in 0..50 {
            let mut r = StdRng::seed_from_u64(seed);
            for p in [5.3, 12.0, 17.5, 30.1, 41.0] {
                let noise: Vec<f64> = (0..SLOTS).map(|_| normal(&mut r)).collect();
                let wave = |i: usize| (i as f64 / p * std::f64::consts::TAU).sin();
                let found = period(&window((0..SLOTS).map(|i| 2.0 * wave(i) + noise[i])));
                // A multiple has the period too, when that is short and falls between the values.
                let off = |f: &Found| f.period / p - (f.period / p).round().max(1.0);
                missed += usize::from(!found.is_some_and(|f| off(&f).abs() < 0.03));
            }
            for p in [12, 30] {
                let noise: Vec<f64> = (0..SLOTS).map(|_| normal(&mut r)).collect();
                let pulse = |i: usize| if i % p == 3 { 7.0 } else { 0.0 };
                let found = period(&window((0..SLOTS).map(|i| pulse(i) + noise[i])));
                missed += usize::from(!found.is_some_and(|f| (f.period - p as f64).abs() < 0.1));
            }
        }
        assert!(missed <= 28, "{missed} of 350");
    }

    #[test]
    fn noise_steps_and_lone_spikes_have_no_period() {
        let (mut white, mut red, mut walk) = (0, 0, 0);
        for seed in 0..500 {
            let mut r = StdRng::seed_from_u64(seed);
            let noise: Vec<f64> = (0..SLOTS).map(|_| normal(&mut r)).collect();
            white += usize::from(period(&window(noise.iter().copied())).is_some());
            let mut last = 0.0;
            let wander = |keep: f64| {
                noise.iter().map(move |v| {
                    last = keep * last + v;
                    last
                })
            };
            red += usize::from(period(&window(wander(0.8))).is_some());
            walk += usize::from(period(&window(wander(1.0).map(|v| v / 4.0))).is_some());
            let spikes = |i: usize| if [17, 60, 71].contains(&i) { 6.0 } else { 0.0 };
            assert!(period(&window((0..SLOTS).map(|i| noise[i] + spikes(i)))).is_none());
            let step = |i: usize| if i < 50 { 0.0 } else { 5.0 };
            assert!(period(&window((0..SLOTS).map(|i| 0.2 * noise[i] + step(i)))).is_none());
        }
        assert!(white == 0 && red <= 5 && walk <= 5, "{white} {red} {walk} of 500");
        assert!(period(&[0; SLOTS]).is_none() && period(&[MISSING; SLOTS]).is_none());
    }
}
