//! The forms of a detector's models, and the bytes that they take.

use std::cmp::Reverse;

use super::{Entities, FORGOTTEN_BYTES, Individual, TABLE_BYTES};
use crate::analysis::memory::Room;
use crate::model::{Form, SeriesModel};

impl Individual {
    /// Makes the models of new entities, and accounts for them as young ones with all the samples that they may list.
    pub(crate) fn make_room(&mut self) {
        let features = self.setup.features.len();
        let known = self.models.len();
        for at in 0..known {
            // A place that was given again: its model is new, too.
            if self.sizes[at] == FORGOTTEN_BYTES && self.entities.is_live((at / features) as u32) {
                self.set_size(at, self.setup.young_bytes);
                self.has_newcomers = true;
            }
        }
        for at in known..self.entities.ids() as usize * features {
            self.models.push(SeriesModel::new(&self.setup.configs[at % features]));
            self.sizes.push(self.setup.young_bytes);
            self.total_bytes += u64::from(self.setup.young_bytes);
            self.forms[Form::Young as usize] += 1;
            self.has_newcomers = true;
        }
    }

    /// The form for which there is room, given what other models of this bucket grow by.
    pub(super) fn form_to_grow(&self, feature: usize, room: Room, planned_bytes: &mut u64) -> Form {
        let bytes = self.setup.grown_bytes[feature];
        let (full, compact) = (bytes[Form::Full as usize], bytes[Form::Compact as usize]);
        let (form, bytes) = if *planned_bytes + full <= room.full {
            (Form::Full, full)
        } else if *planned_bytes + compact <= room.compact {
            (Form::Compact, compact)
        } else {
            (Form::Sketch, bytes[Form::Sketch as usize])
        };
        *planned_bytes += bytes.saturating_sub(u64::from(self.setup.young_bytes));
        form
    }

    pub(super) fn count_form(&mut self, from: Form, to: Form) {
        self.forms[from as usize] -= 1;
        self.forms[to as usize] += 1;
    }

    /// Keeps the accounts of a model. Young ones are accounted for in full from the beginning.
    pub(super) fn measure(&mut self, at: usize) {
        let model = &self.models[at];
        let form = model.form();
        let size = match form {
            Form::Young => self.setup.young_bytes,
            _ => model.memory_bytes() as u32,
        };
        self.set_size(at, size);
    }

    pub(super) fn set_size(&mut self, at: usize, size: u32) {
        if size != self.sizes[at] {
            self.total_bytes = self.total_bytes + u64::from(size) - u64::from(self.sizes[at]);
            self.sizes[at] = size;
        }
    }

    /// Changes the form of models while they free, or come to take, no more than `bytes` in all (the last one that frees may
    /// free more). The youngest series shrink first, and the oldest grow first, since they know most.
    pub(crate) fn change_forms(&mut self, from: Form, to: Form, bytes: u64) {
        if self.forms[from as usize] == 0 || bytes == 0 {
            return;
        }
        let (features, shrinks) = (self.setup.features.len(), to > from);
        let entity = |at: usize| (at / features) as u32;
        let mut due: Vec<(i64, u32)> = (0..self.models.len())
            .filter(|at| self.models[*at].form() == from && self.entities.is_live(entity(*at)))
            .map(|at| (self.entities.first_seen(entity(at)), at as u32))
            .collect();
        if shrinks {
            due.sort_unstable_by_key(|due| Reverse(*due));
        } else {
            due.sort_unstable();
        }
        let mut changed = 0;
        for (_, at) in due {
            let at = at as usize;
            let grown = self.setup.grown_bytes[at % features];
            // It comes to its full size in the course of time, and has the room for that from now on.
            let growth = grown[to as usize].saturating_sub(grown[from as usize]);
            if changed >= bytes || (!shrinks && changed + growth > bytes) {
                break;
            }
            let before = self.sizes[at];
            self.models[at].change_form(to);
            let form = self.models[at].form();
            if form != from {
                self.count_form(from, form);
                self.measure(at);
                changed += if shrinks { u64::from(before.saturating_sub(self.sizes[at])) } else { growth };
            }
        }
    }

    /// Models by [`Form`].
    pub(crate) fn forms(&self) -> [u64; Form::COUNT] {
        self.forms
    }

    /// What is still to come until all grown models have the full size of their form; an estimate.
    pub(crate) fn growth_bytes(&self) -> u64 {
        let features = self.setup.grown_bytes.len().max(1) as u64;
        let mean = |form: Form| {
            self.setup.grown_bytes.iter().map(|of_feature| of_feature[form as usize]).sum::<u64>() / features
        };
        let grown =
            [Form::Full, Form::Compact, Form::Sketch].map(|form| self.forms[form as usize] * mean(form));
        let young = self.forms[Form::Young as usize] * u64::from(self.setup.young_bytes);
        (grown.iter().sum::<u64>() + young).saturating_sub(self.total_bytes)
    }

    /// What a new entity takes.
    pub(crate) fn entity_bytes(&self) -> u64 {
        let features = self.setup.features.len() as u64;
        features * u64::from(self.setup.young_bytes) + TABLE_BYTES + Entities::BYTES as u64
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.total_bytes
            + self.siblings.bytes()
            + self.entities.bytes() as u64
            + u64::from(self.entities.ids()) * TABLE_BYTES
    }

    /// Bytes of places that wait for new entities.
    pub(crate) fn reusable_bytes(&self) -> u64 {
        let models = self.setup.features.len() as u64 * u64::from(FORGOTTEN_BYTES);
        self.entities.free() as u64 * (Entities::BYTES as u64 + TABLE_BYTES + models)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use types::{JobBody, JobId, TimestampMs};

    use super::*;
    use crate::analysis::detector::DetectorState;
    use crate::analysis::entities::SplitIds;
    use crate::analysis::memory::{BASE_BYTES, Memory, Sizes, forms};
    use crate::analysis::plan::Plan;
    use crate::analysis::table::NONE;
    use crate::model::Sample;

    fn split(by: u32) -> SplitIds {
        SplitIds { partition: NONE, by, over: NONE }
    }

    /// Full models, each first seen a bucket after the one before.
    fn full(series: u32) -> Individual {
        let detector = json!({ "function": "mean", "field_name": "v", "by_field_name": "host" });
        let config = json!({ "bucket_span": "5m", "detectors": [detector] });
        let body: JobBody =
            serde_json::from_value(json!({ "analysis_config": config, "data_description": {} })).unwrap();
        let job = body.into_job(JobId::try_from("test".to_owned()).unwrap(), TimestampMs(0)).unwrap();
        let plan = Plan::new(&job);
        let mut individual = Individual::new(&plan, &plan.detectors[0]);
        for id in 0..series {
            individual.entities.resolve(split(id), i64::from(id), true);
        }
        individual.make_room();
        (0..series as usize).for_each(|at| grow(&mut individual, at));
        individual
    }

    fn grow(individual: &mut Individual, at: usize) {
        // Two days: the profile of the week has begun.
        for bucket in 0..576 {
            let value = bucket * bucket * bucket % 1009 % 23;
            let sample = Sample::new(bucket * 300, value as f64);
            individual.models[at].step_as(&individual.setup.configs[0], &sample, Form::Full);
        }
        individual.count_form(Form::Young, Form::Full);
        individual.measure(at);
    }

    #[test]
    fn the_youngest_shrink_first_and_the_oldest_grow_first() {
        let mut individual = full(10);
        // The first place is given to the youngest series.
        individual.entities.forget(&[0]);
        individual.forget(&[0]);
        assert_eq!(individual.entities.resolve(split(77), 100, true), Some(0));
        let bytes = individual.bytes();
        individual.make_room();
        assert_eq!(individual.bytes(), bytes + u64::from(individual.setup.young_bytes - FORGOTTEN_BYTES));
        grow(&mut individual, 0);
        let compact = |individual: &Individual| -> Vec<usize> {
            (0..10).filter(|at| individual.models[*at].form() == Form::Compact).collect()
        };
        individual.change_forms(Form::Full, Form::Compact, 1);
        assert_eq!(compact(&individual), [0]);
        individual.change_forms(Form::Full, Form::Compact, 1);
        individual.change_forms(Form::Full, Form::Compact, 1);
        assert_eq!(compact(&individual), [0, 8, 9]);
        let [_, full, compact_bytes, _] = individual.setup.grown_bytes[0];
        individual.change_forms(Form::Compact, Form::Full, full - compact_bytes - 1);
        assert_eq!(compact(&individual), [0, 8, 9]);
        individual.change_forms(Form::Compact, Form::Full, full - compact_bytes);
        assert_eq!(compact(&individual), [0, 9]);
    }

    #[test]
    fn detectors_shrink_in_proportion_to_their_series() {
        let mut detectors = [100, 300].map(|series| DetectorState::Individual(full(series)));
        let total: u64 = detectors.iter().map(DetectorState::series_bytes).sum();
        let limit = (total as f64 / 0.76) as u64;
        let after = Memory::default().fit(&mut detectors, Sizes { total, reusable: 0 }, limit);
        assert_eq!(after, detectors.iter().map(DetectorState::series_bytes).sum::<u64>());
        let compact = [0, 1].map(|at| forms(&detectors[at..=at])[Form::Compact as usize]);
        assert!(compact[0] > 5 && compact[0] < 90, "{compact:?}");
        assert!(compact[1].abs_diff(3 * compact[0]) <= 3, "{compact:?}");
    }

    #[test]
    fn growing_back_keeps_room_for_what_is_still_to_come() {
        let mut detectors = [DetectorState::Individual(full(100))];
        let size = |detectors: &[DetectorState]| detectors[0].series_bytes();
        detectors[0].change_forms(Form::Full, Form::Compact, u64::MAX);
        let grown = size(&detectors) + detectors[0].growth_bytes();
        // Room for all of them compact and for half of what they would come to be.
        let DetectorState::Individual(individual) = &detectors[0] else { panic!("it is one") };
        let [_, full, compact, _] = individual.setup.grown_bytes[0];
        let limit = 2 * (grown + 50 * (full - compact) + BASE_BYTES);
        for _ in 0..5 {
            // A second look finds the room taken, although the models have not grown yet.
            let sizes = Sizes { total: size(&detectors), reusable: 0 };
            Memory::default().fit(&mut detectors, sizes, limit);
            assert!(
                detectors[0].forms()[Form::Full as usize].abs_diff(50) <= 1,
                "{:?}",
                detectors[0].forms()
            );
        }
    }
}
