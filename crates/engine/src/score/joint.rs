//! From the surprises of all entities of a bucket to one.

use super::{CrowdHistory, Scale};

/// Probabilities from which on an entity counts as mildly unusual, by level.
pub(super) const LEVELS: [f64; 3] = [1e-2, 1e-3, 1e-4];
/// Weight of the number of entities against the most unusual one: 1 would be Šidák's correction, which supposes that
/// all entities are independent.
const CROWD_WEIGHT: f64 = 0.7;
/// A crowd begins here.
const CROWD_MIN: f64 = 4.0;

/// Counts over the entities of one bucket.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Joint {
    entities: f64,
    most: f64,
    beyond: [f64; LEVELS.len()],
}

impl Joint {
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Adds an entity.
    pub(crate) fn add(&mut self, surprise: f64, probability: f64) {
        self.entities += 1.0;
        self.most = self.most.max(surprise);
        for (count, level) in self.beyond.iter_mut().zip(LEVELS) {
            *count += f64::from(u8::from(probability <= level));
        }
    }

    /// Adds `entities` that are not unusual at all.
    pub(crate) fn add_quiet(&mut self, entities: usize) {
        self.entities += entities as f64;
    }

    /// Entities so far.
    pub(crate) fn entities(&self) -> usize {
        self.entities as usize
    }

    /// The shares of entities beyond each level.
    pub(super) fn shares(&self) -> [f64; LEVELS.len()] {
        self.beyond.map(|count| count / self.entities.max(1.0))
    }

    /// Surprise of the bucket: that of its most unusual entity, less what so many entities explain; or that of so many
    /// being mildly unusual at once, whichever is greater.
    pub(crate) fn surprise(&self, scale: &Scale, history: &CrowdHistory) -> f64 {
        if self.entities == 0.0 {
            return 0.0;
        }
        let best = self.most - CROWD_WEIGHT * self.entities.log10();
        let mut crowd = 0.0f64;
        for level in 0..LEVELS.len() {
            if self.beyond[level] >= CROWD_MIN {
                let p = history.tail(level, self.beyond[level], self.entities) * LEVELS.len() as f64;
                crowd = crowd.max(scale.surprise(p.min(1.0)));
            }
        }
        best.max(crowd).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(scale: &Scale, entities: &[(usize, f64)]) -> Joint {
        let mut joint = Joint::default();
        for (count, p) in entities {
            (0..*count).for_each(|_| joint.add(scale.surprise(*p), *p));
        }
        joint
    }

    #[test]
    fn one_overwhelming_entity_or_a_crowd_scores_but_noise_does_not() {
        let scale = Scale::new(300);
        let mut history = CrowdHistory::default();
        let noise = bucket(&scale, &[(9899, 0.5), (90, 0.009), (10, 0.0009), (1, 0.00009)]);
        (0..200).for_each(|_| history.learn(&noise));
        let score = |joint: Joint| scale.score(joint.surprise(&scale, &history));
        assert!(score(noise) < 5.0, "{}", score(noise));
        let one = bucket(&scale, &[(9999, 0.5), (1, 1e-30)]);
        assert!(score(one) > 75.0, "{}", score(one));
        let crowd = bucket(&scale, &[(9400, 0.5), (600, 0.009)]);
        assert!(score(crowd) > 75.0, "{}", score(crowd));
    }
}
