//! The door of the model: a young series that only lists its samples, a full or compact model, or a sketch.

use super::body::Body;
use super::config::{ModelConfig, ValueKind};
use super::crowd::{self, Crowd};
use super::form::Form;
use super::nursery::Nursery;
use super::outcome::{Outcome, Prediction, Sample};
use super::sketch::Sketch;
use crate::stats::{Histograms, prefetch, prefetch_value};
use serde::{Deserialize, Serialize};

/// Samples after which a series gets a full model, by replaying them.
const YOUNG: usize = 24;

/// Room for samples of a young series is made in steps of so many.
const SEEN_STEP: usize = 4;

/// Values beyond this are cut off, so that squares and 32-bit profiles stay finite.
const LARGEST: f64 = 1e30;

/// A sample of a young series.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Seen {
    value: f64,
    /// Seconds since the first sample.
    after_s: u32,
    weight: f32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum State {
    Young { first_s: i64, seen: Vec<Seen> },
    Grown(Box<Body>),
    Sketch(Box<Sketch>),
}

/// The model of one univariate series. Its state is bit for bit the same after serialising and restoring.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SeriesModel {
    state: State,
    /// The first days among siblings.
    nursery: Option<Box<Nursery>>,
}

impl SeriesModel {
    /// An empty model.
    #[must_use]
    pub fn new(_cfg: &ModelConfig) -> Self {
        Self { state: State::Young { first_s: 0, seen: Vec::new() }, nursery: None }
    }

    /// Judges a sample by what was known before it, then learns it (unless the sample says otherwise). Samples come
    /// in the order of time, at most one for each bucket.
    pub fn step(&mut self, cfg: &ModelConfig, sample: &Sample) -> Outcome {
        self.step_as(cfg, sample, Form::Full)
    }

    /// As [`Self::step`]; a young series that has enough samples grows into this form.
    pub fn step_as(&mut self, cfg: &ModelConfig, sample: &Sample, form: Form) -> Outcome {
        if !sample.learn {
            return self.evaluate(cfg, sample);
        }
        let Some(sample) = clean(cfg, sample) else {
            return Outcome::quiet(self.peek(cfg, sample.time_s));
        };
        let verdict = self.nurse(cfg, &sample);
        let outcome = self.step_alone(cfg, &sample, form);
        if self.nursery.is_some() {
            self.leave_nursery(cfg);
        }
        verdict.map_or(outcome, |verdict| Outcome { change: outcome.change, ..verdict })
    }

    /// The verdict of the nursery, if the series is in one and its word counts.
    fn nurse(&mut self, cfg: &ModelConfig, sample: &Sample) -> Option<Outcome> {
        let crowd = cfg.crowd.as_deref()?;
        if matches!(&self.state, State::Young { seen, .. } if seen.is_empty()) {
            self.nursery = Some(Box::new(Nursery::new(crowd, sample)));
        }
        self.nursery.as_mut()?.step(cfg, crowd, sample)
    }

    fn leave_nursery(&mut self, cfg: &ModelConfig) {
        let (has_season, is_small) = match &self.state {
            State::Grown(body) => (body.has_season(), false),
            State::Young { .. } => (false, false),
            State::Sketch(_) => (false, true),
        };
        let is_over = |nursery: &Nursery, crowd: &Crowd| is_small || nursery.is_over(cfg, crowd, has_season);
        if self.nursery.as_deref().zip(cfg.crowd.as_deref()).is_none_or(|(n, crowd)| is_over(n, crowd)) {
            self.nursery = None;
        }
    }

    /// What the nursery expects, if its word counts.
    fn expected_of_siblings(&self, cfg: &ModelConfig, time_s: i64) -> Option<Prediction> {
        self.nursery.as_ref()?.predict(cfg, cfg.crowd.as_deref()?, time_s)
    }

    /// As if there were no siblings.
    fn step_alone(&mut self, cfg: &ModelConfig, sample: &Sample, form: Form) -> Outcome {
        match &mut self.state {
            State::Grown(body) => body.step(cfg, sample),
            State::Sketch(sketch) => {
                let outcome = sketch.step(cfg, sample);
                if let Some(body) = sketch.take_ripe_heir() {
                    self.state = State::Grown(body);
                }
                outcome
            }
            State::Young { first_s, seen } => {
                if seen.is_empty() {
                    *first_s = sample.time_s;
                }
                if seen.len() + 1 < YOUNG {
                    let outcome = young_outcome(seen, cfg, sample);
                    let after_s = sample.time_s.saturating_sub(*first_s).clamp(0, i64::from(u32::MAX)) as u32;
                    if seen.len() == seen.capacity() {
                        seen.reserve_exact(SEEN_STEP);
                    }
                    seen.push(Seen { value: sample.value, after_s, weight: sample.weight as f32 });
                    return outcome;
                }
                let (state, outcome) = grow(cfg, *first_s, seen, sample, form);
                self.state = state;
                outcome
            }
        }
    }

    /// Judges a sample without learning anything (interim results).
    #[must_use]
    pub fn evaluate(&self, cfg: &ModelConfig, sample: &Sample) -> Outcome {
        let Some(sample) = clean(cfg, sample) else {
            return Outcome::quiet(self.peek(cfg, sample.time_s));
        };
        if let Some((nursery, crowd)) = self.nursery.as_deref().zip(cfg.crowd.as_deref())
            && let Some(verdict) = nursery.clone().step(cfg, crowd, &sample)
        {
            return verdict;
        }
        match &self.state {
            State::Young { seen, .. } => young_outcome(seen, cfg, &sample),
            State::Grown(body) => {
                let mut outcome = body.clone().step(cfg, &sample);
                outcome.change = None;
                outcome
            }
            State::Sketch(sketch) => sketch.clone().step(cfg, &sample),
        }
    }

    /// What is expected of the next bucket, which starts at `time_s`.
    #[must_use]
    pub fn peek(&self, cfg: &ModelConfig, time_s: i64) -> Prediction {
        if let Some(expected) = self.expected_of_siblings(cfg, time_s) {
            return expected;
        }
        match &self.state {
            State::Young { seen, .. } => young_prediction(seen, cfg),
            State::Grown(body) => body.predict(cfg, time_s),
            State::Sketch(sketch) => sketch.predict(cfg),
        }
    }

    /// What is expected of a bucket further ahead: trend and season, with an interval that widens.
    #[must_use]
    pub fn forecast(&self, cfg: &ModelConfig, time_s: i64) -> Prediction {
        if let Some(expected) = self.expected_of_siblings(cfg, time_s) {
            return expected;
        }
        match &self.state {
            State::Young { seen, .. } => young_prediction(seen, cfg),
            State::Grown(body) => body.forecast(cfg, time_s),
            State::Sketch(sketch) => sketch.predict(cfg),
        }
    }

    /// Sets the model's clock forward by `seconds`: what used to come at `t + seconds` is expected at `t`. A young series
    /// has no season that could move.
    pub fn shift_time(&mut self, cfg: &ModelConfig, seconds: i64) {
        self.nursery = None;
        match &mut self.state {
            State::Grown(body) => body.shift_time(cfg, seconds),
            State::Sketch(sketch) => sketch.shift_time(cfg, seconds),
            State::Young { .. } => {}
        }
    }

    /// The form that it has.
    #[must_use]
    pub fn form(&self) -> Form {
        match &self.state {
            State::Young { .. } => Form::Young,
            State::Grown(body) if body.is_compact() => Form::Compact,
            State::Grown(_) => Form::Full,
            State::Sketch(sketch) if sketch.has_heir() => Form::Compact,
            State::Sketch(_) => Form::Sketch,
        }
    }

    /// Does the next sample make a young series grow?
    #[must_use]
    pub fn is_due_to_grow(&self) -> bool {
        matches!(&self.state, State::Young { seen, .. } if seen.len() + 1 >= YOUNG)
    }

    /// Makes a grown model smaller, a compact one full again, or a sketch compact. A sketch has forgotten what it was: it
    /// goes on judging while the compact model learns from now on, which is its form from here. Nothing else changes a
    /// form: young series grow by samples, and a sketch becomes full by way of compact.
    pub fn change_form(&mut self, form: Form) {
        match (&mut self.state, form) {
            (State::Grown(body), Form::Full | Form::Compact) => body.set_compact(form == Form::Compact),
            (State::Grown(body), Form::Sketch) => {
                let sketch = Sketch::of(body.essence());
                self.state = State::Sketch(Box::new(sketch));
            }
            (State::Sketch(sketch), Form::Compact) => sketch.raise_heir(),
            (State::Sketch(sketch), Form::Sketch) => sketch.drop_heir(),
            (State::Young { .. } | State::Grown(_) | State::Sketch(_), _) => {}
        }
    }

    /// Bytes that the model takes, itself and on the heap. Depends on its state only, not on how it came to be.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + if self.nursery.is_some() { size_of::<Nursery>() } else { 0 }
            + match &self.state {
                State::Young { seen, .. } => seen.len().next_multiple_of(SEEN_STEP) * size_of::<Seen>(),
                State::Grown(body) => body.memory_bytes(),
                State::Sketch(sketch) => sketch.memory_bytes(),
            }
    }

    /// Bytes of a model in this form, fully grown, as far as that can be said beforehand.
    #[must_use]
    pub fn bytes_of(cfg: &ModelConfig, form: Form) -> usize {
        size_of::<Self>()
            + match form {
                Form::Young => {
                    let of_nursery = if cfg.crowd.is_some() { size_of::<Nursery>() } else { 0 };
                    YOUNG.next_multiple_of(SEEN_STEP) * size_of::<Seen>() + of_nursery
                }
                Form::Full | Form::Compact => Body::bytes_of(cfg, form),
                Form::Sketch => size_of::<Sketch>() + Histograms::bytes_with(1, 32),
            }
    }

    /// Tells the processor that a step at `time_s` comes soon. A model hangs together by pointers, so that this takes
    /// three calls, for the `depth` 0 to 2, each some time after the one before. Has no effect but on time.
    pub fn prefetch(&self, cfg: &ModelConfig, time_s: i64, depth: usize) {
        match (&self.state, depth) {
            (State::Young { seen, .. }, 0) => prefetch(seen),
            (State::Grown(body), 0) => prefetch_value(&**body),
            (State::Sketch(sketch), 0) => prefetch_value(&**sketch),
            (State::Grown(body), 1) => body.prefetch(),
            (State::Grown(body), 2) => body.prefetch_bins(cfg, time_s),
            _ => {}
        }
    }

    /// Is it a full or compact model?
    #[must_use]
    pub(crate) fn is_grown(&self) -> bool {
        matches!(self.state, State::Grown(_))
    }

    /// What grown series have in common at `time_s`, for those that come; `None` when that is too little.
    pub fn crowd_of<'a>(
        cfg: &ModelConfig,
        series: impl Iterator<Item = &'a Self>,
        time_s: i64,
    ) -> Option<Crowd> {
        let portrait = |model: &Self| match &model.state {
            State::Grown(body) => body.portrait(cfg, time_s),
            State::Young { .. } | State::Sketch(_) => None,
        };
        Crowd::of(cfg, &series.filter_map(portrait).take(crowd::MOST).collect::<Vec<_>>())
    }

    /// Number of buckets learnt.
    #[must_use]
    pub fn age_buckets(&self) -> u64 {
        match &self.state {
            State::Young { seen, .. } => seen.len() as u64,
            State::Grown(body) => u64::from(body.age()),
            State::Sketch(sketch) => u64::from(sketch.age()),
        }
    }

    /// Start of the last bucket learnt, epoch seconds; `None` before the first.
    #[must_use]
    pub fn last_time_s(&self) -> Option<i64> {
        match &self.state {
            State::Young { first_s, seen } => {
                seen.last().map(|s| first_s.saturating_add(i64::from(s.after_s)))
            }
            State::Grown(body) => Some(body.last_time_s()),
            State::Sketch(sketch) => Some(sketch.last_time_s()),
        }
    }
}

fn clean(cfg: &ModelConfig, sample: &Sample) -> Option<Sample> {
    if !sample.value.is_finite() {
        return None;
    }
    let mut value = sample.value.clamp(-LARGEST, LARGEST);
    if cfg.kind == ValueKind::Count {
        value = value.max(0.0);
    }
    let weight =
        if sample.weight.is_finite() && sample.weight > 0.0 { sample.weight.min(LARGEST) } else { 1.0 };
    Some(Sample { value, weight, ..*sample })
}

/// The model that a young series becomes, and the verdict on the sample that made it grow.
fn grow(cfg: &ModelConfig, first_s: i64, seen: &[Seen], next: &Sample, form: Form) -> (State, Outcome) {
    let at = |s: &Seen| Sample {
        time_s: first_s.saturating_add(i64::from(s.after_s)),
        value: s.value,
        weight: f64::from(s.weight),
        learn: true,
    };
    let first = seen.first().map_or(*next, at);
    if form == Form::Sketch {
        let mut sketch = Box::new(Sketch::new(first.value));
        seen.iter().for_each(|s| {
            sketch.step(cfg, &at(s));
        });
        let outcome = sketch.step(cfg, next);
        return (State::Sketch(sketch), outcome);
    }
    let mut body = Box::new(Body::new(cfg, first.time_s, first.value));
    body.set_compact(form == Form::Compact);
    for s in seen {
        body.step(cfg, &at(s));
    }
    let outcome = body.step(cfg, next);
    (State::Grown(body), outcome)
}

/// Median, and an interval from the median absolute deviation.
fn young_prediction(seen: &[Seen], cfg: &ModelConfig) -> Prediction {
    if seen.is_empty() {
        return Prediction::default();
    }
    let mut values: Vec<f64> = seen.iter().map(|s| s.value).collect();
    let typical = median(&mut values);
    let mut deviations: Vec<f64> = values.iter().map(|v| (v - typical).abs()).collect();
    let mut reach = 2.0 * 1.4826 * median(&mut deviations);
    if cfg.kind == ValueKind::Count {
        reach = reach.max(2.0 * typical.max(0.25).sqrt());
    }
    let lowest = if cfg.kind == ValueKind::Count { 0.0 } else { f64::NEG_INFINITY };
    Prediction { typical, lower: (typical - reach).max(lowest), upper: typical + reach }
}

fn young_outcome(seen: &[Seen], cfg: &ModelConfig, sample: &Sample) -> Outcome {
    let p = if seen.is_empty() {
        Prediction { typical: sample.value, lower: sample.value, upper: sample.value }
    } else {
        young_prediction(seen, cfg)
    };
    Outcome { is_high: sample.value > p.typical, ..Outcome::quiet(p) }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) { 0.5 * (values[middle - 1] + values[middle]) } else { values[middle] }
}
