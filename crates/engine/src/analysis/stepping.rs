//! The steps of many models in one bucket, on one thread or several.
//!
//! Series know nothing of each other, so that each may be stepped anywhere; what is made of the outcomes is done
//! afterwards in the order of the series, and memory is given out before. The results are the same for any number of
//! threads.

use crate::model::{Form, ModelConfig, Outcome, Prediction, Sample, SeriesModel};

/// Models whose memory is on its way while one is computed.
const AHEAD: usize = 3;
/// Steps that are worth a thread: starting one costs as much as about twenty steps.
const STEPS_MIN: usize = 256;
/// Steps planned at a time: few for one thread, so that they stay in its cache.
const BLOCK: usize = 32;
/// The same for each of several threads.
const BLOCK_OF_THREAD: usize = 4096;

/// What one model has to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// Position of the model.
    pub(crate) at: usize,
    pub(crate) sample: Sample,
    /// What a young series becomes that is due to grow.
    pub(crate) form: Option<Form>,
    pub(crate) outcome: Outcome,
}

impl Step {
    pub(crate) fn new(at: usize, sample: Sample, form: Option<Form>) -> Self {
        Self { at, sample, form, outcome: Outcome::quiet(Prediction::default()) }
    }
}

/// Entities whose steps are planned at a time.
pub(crate) fn block_of(threads: usize, entities: usize) -> usize {
    if threads > 1 && entities >= 2 * STEPS_MIN { threads * BLOCK_OF_THREAD } else { BLOCK }
}

/// Steps the models; `steps` are in the order of their positions, `configs` are by feature.
pub(crate) fn step_all(
    models: &mut [SeriesModel],
    configs: &[ModelConfig],
    steps: &mut [Step],
    threads: usize,
) {
    let threads = threads.min(steps.len() / STEPS_MIN);
    if threads <= 1 {
        return step_part(models, 0, configs, steps);
    }
    let share = steps.len().div_ceil(threads);
    std::thread::scope(|scope| {
        let (mut rest, mut from) = (models, 0);
        for part in steps.chunks_mut(share) {
            let end = part.last().map_or(from, |step| step.at + 1);
            let (own, others) = std::mem::take(&mut rest).split_at_mut(end - from);
            scope.spawn(move || step_part(own, from, configs, part));
            (rest, from) = (others, end);
        }
    });
}

/// Steps the models of one thread, the first of which has the position `from`.
fn step_part(models: &mut [SeriesModel], from: usize, configs: &[ModelConfig], steps: &mut [Step]) {
    for position in 0..steps.len() {
        for depth in 0..AHEAD {
            if let Some(Step { at, sample, .. }) = steps.get(position + AHEAD - depth) {
                models[at - from].prefetch(&configs[at % configs.len()], sample.time_s, depth);
            }
        }
        let Step { at, sample, form, outcome } = &mut steps[position];
        *outcome =
            models[*at - from].step_as(&configs[*at % configs.len()], sample, form.unwrap_or(Form::Full));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Side, ValueKind};

    #[test]
    fn threads_change_nothing() {
        let configs =
            [ValueKind::Metric, ValueKind::Count].map(|kind| ModelConfig::new(300.0, kind, Side::Both));
        let play = |threads: usize| {
            let mut models: Vec<SeriesModel> =
                (0..3000).map(|at| SeriesModel::new(&configs[at % 2])).collect();
            let mut outcomes = Vec::new();
            for bucket in 0..60i64 {
                // Not all models have something to do.
                let due = (0..models.len()).filter(|at| !(at * 7 + bucket as usize).is_multiple_of(5));
                let mut steps: Vec<Step> = due
                    .map(|at| {
                        let value = ((at as i64 * 31 + bucket * 17) % 23) as f64;
                        Step::new(at, Sample::new(bucket * 300, value), None)
                    })
                    .collect();
                step_all(&mut models, &configs, &mut steps, threads);
                outcomes.extend(steps.iter().map(|step| step.outcome));
            }
            (outcomes, postcard::to_allocvec(&models).unwrap())
        };
        let one = play(1);
        assert!(one == play(2) && one == play(8));
    }
}
