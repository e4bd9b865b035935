//! `lat_long`: the usual places of each series, learnt as clusters on the sphere.

use serde::{Deserialize, Serialize};
use types::results::{Explanation, GeoResults};

use super::entities::Entities;
use super::finding::{Finding, Sink, View};
use super::gatherer::Gather;
use super::plan::DetectorPlan;
use crate::stats::prior_tail;

const EARTH_KM: f64 = 6371.0;
const PLACES_MAX: usize = 16;
/// Buckets before which nothing is said.
const LEARNING: f64 = 20.0;
/// Places are never smaller than this.
const RADIUS_MIN_KM: f64 = 1.0;
/// A position belongs to a place within so many of its radii, or this far.
const RADII: f64 = 6.0;
const NEAR_KM: f64 = 25.0;
/// New places that the past is taken to have had beside those that were seen.
const NEW_PRIOR: f64 = 0.25;
const MEMORY: f64 = 2000.0;

/// The places of all series of one detector.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Geo {
    pub(crate) entities: Entities,
    atlases: Vec<Atlas>,
    /// Places of all series.
    places: usize,
}

/// The usual places of one series.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Atlas {
    places: Vec<Place>,
    buckets: f64,
    new_places: f64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Place {
    /// Unit vector.
    at: [f64; 3],
    weight: f64,
    /// Mean squared distance of its positions, km².
    spread: f64,
}

impl Geo {
    pub(crate) fn new(detector: &DetectorPlan) -> Self {
        Self { entities: Entities::new(detector.over.is_some()), atlases: Vec::new(), places: 0 }
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.atlases.len() <= self.entities.ids() as usize
            && self.places == self.atlases.iter().map(|atlas| atlas.places.len()).sum::<usize>()
    }

    pub(crate) fn close(&mut self, view: &View<'_>, gather: &Gather, sink: &mut Sink) {
        gather.entities.iter().for_each(|entity| self.entities.note(*entity));
        self.interim(view, gather, sink);
        if view.scheduled.skip_model_update {
            return;
        }
        self.atlases.resize(self.entities.ids() as usize, Atlas::default());
        for (slot, entity) in gather.entities.iter().enumerate() {
            let split = self.entities.split(*entity);
            if view.detector.has_learning_rules && view.actions(split, None, None).skip_model_update {
                continue;
            }
            if let Some(at) = gather.extra(slot).and_then(|extra| extra.position()) {
                let atlas = &mut self.atlases[*entity as usize];
                let before = atlas.places.len();
                atlas.learn(at);
                self.places = self.places + atlas.places.len() - before;
            }
        }
    }

    pub(crate) fn interim(&self, view: &View<'_>, gather: &Gather, sink: &mut Sink) {
        if view.scheduled.skip_result {
            return;
        }
        for (slot, entity) in gather.entities.iter().enumerate() {
            let Some(at) = gather.extra(slot).and_then(|extra| extra.position()) else { continue };
            let known = self.atlases.get(*entity as usize).filter(|atlas| atlas.buckets >= LEARNING);
            let Some((atlas, (place, km))) = known.and_then(|atlas| Some((atlas, atlas.nearest(at)?))) else {
                sink.joint.add_quiet(1);
                continue;
            };
            let p = atlas.chance(place, km);
            let surprise = view.scale.rare_surprise(p);
            let split = self.entities.split(*entity);
            if view.scale.is_worth_a_record(surprise) && view.actions(split, None, None).skip_result {
                continue;
            }
            sink.judge(view, surprise, p, || {
                let (actual, typical) = (degrees(at), degrees(atlas.places[place].at));
                Finding {
                    detector: view.detector.index,
                    split,
                    slot: Some(slot),
                    surprise,
                    probability: p,
                    actual: actual.to_vec(),
                    typical: typical.to_vec(),
                    description: None,
                    multi_bucket_impact: -5.0,
                    explanation: Explanation {
                        single_bucket_impact: Some((-p.log10()).round() as i32),
                        ..Explanation::default()
                    },
                    geo: Some(GeoResults {
                        actual_point: format!("{},{}", actual[0], actual[1]),
                        typical_point: format!("{},{}", typical[0], typical[1]),
                    }),
                    causes: Vec::new(),
                }
            });
        }
    }

    /// Takes the places of forgotten series away.
    pub(crate) fn forget(&mut self, idle: &[u32]) {
        for entity in idle {
            if let Some(atlas) = self.atlases.get_mut(*entity as usize) {
                self.places -= atlas.places.len();
                *atlas = Atlas::default();
            }
        }
    }

    /// Bytes of a series with so many places.
    pub(crate) fn series_bytes(places: usize) -> u64 {
        (Entities::BYTES + size_of::<Atlas>() + places * size_of::<Place>()) as u64
    }

    pub(crate) fn bytes(&self) -> u64 {
        let places = self.places * size_of::<Place>();
        (self.entities.bytes() + places + self.atlases.len() * size_of::<Atlas>()) as u64
    }
}

/// Reads `lat,lon`; `None` when it is no position.
pub(crate) fn position_of(text: &str) -> Option<(f64, f64)> {
    let (latitude, longitude) = text.split_once(',')?;
    let (latitude, longitude): (f64, f64) = (latitude.trim().parse().ok()?, longitude.trim().parse().ok()?);
    ((-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude))
        .then_some((latitude, longitude))
}

fn kilometres(a: [f64; 3], b: [f64; 3]) -> f64 {
    let chord = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt();
    2.0 * EARTH_KM * (chord / 2.0).min(1.0).asin()
}

fn degrees(at: [f64; 3]) -> [f64; 2] {
    let round = |angle: f64| (angle.to_degrees() * 1e6).round() / 1e6;
    [round(at[2].clamp(-1.0, 1.0).asin()), round(at[1].atan2(at[0]))]
}

impl Atlas {
    fn nearest(&self, at: [f64; 3]) -> Option<(usize, f64)> {
        let distances =
            self.places.iter().enumerate().map(|(place, known)| (place, kilometres(known.at, at)));
        distances.min_by(|a, b| a.1.total_cmp(&b.1))
    }

    fn belongs(&self, place: usize, km: f64) -> bool {
        km <= (RADII * self.places[place].radius()).max(NEAR_KM)
    }

    /// Chance of a position so far from a place, or of a new place.
    fn chance(&self, place: usize, km: f64) -> f64 {
        let near = prior_tail(km / self.places[place].radius());
        if self.belongs(place, km) {
            return near.max((NEW_PRIOR + self.places[place].weight) / (self.buckets + 1.0)).min(1.0);
        }
        let new = (self.new_places + NEW_PRIOR) / (self.buckets + 1.0);
        (new * near.powf(0.25)).clamp(f64::MIN_POSITIVE, 1.0)
    }

    fn learn(&mut self, at: [f64; 3]) {
        self.buckets += 1.0;
        match self.nearest(at) {
            Some((place, km)) if self.belongs(place, km) => {
                let known = &mut self.places[place];
                known.weight += 1.0;
                let gain = 1.0 / known.weight.min(MEMORY);
                known.spread += gain * (km * km - known.spread);
                let moved: [f64; 3] = std::array::from_fn(|i| known.at[i] + gain * (at[i] - known.at[i]));
                let length = moved.iter().map(|v| v * v).sum::<f64>().sqrt();
                if length > 1e-9 {
                    known.at = moved.map(|v| v / length);
                }
            }
            _ => {
                if self.buckets > LEARNING {
                    self.new_places += 1.0;
                }
                if self.places.len() >= PLACES_MAX {
                    let lightest = (0..self.places.len())
                        .min_by(|a, b| self.places[*a].weight.total_cmp(&self.places[*b].weight));
                    lightest.map(|lightest| self.places.swap_remove(lightest));
                }
                self.places.push(Place { at, weight: 1.0, spread: 0.0 });
            }
        }
        if self.buckets > MEMORY {
            self.buckets *= 0.5;
            self.new_places *= 0.5;
            self.places.iter_mut().for_each(|place| place.weight *= 0.5);
        }
    }
}

impl Place {
    fn radius(&self) -> f64 {
        self.spread.sqrt().max(RADIUS_MIN_KM)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::Extra;
    use types::BaseFunction;

    fn at(latitude: f64, longitude: f64) -> [f64; 3] {
        let mut extra = Extra::new(BaseFunction::LatLong);
        extra.add_point(latitude, longitude);
        extra.position().unwrap()
    }

    #[test]
    fn a_far_place_is_unlikely_and_a_known_one_is_not() {
        let mut atlas = Atlas::default();
        for i in 0..200 {
            atlas.learn(if i % 3 == 0 {
                at(52.52, 13.4)
            } else {
                at(48.85, 2.35 + 0.001 * f64::from(i % 5))
            });
        }
        let (place, km) = atlas.nearest(at(35.68, 139.69)).unwrap();
        assert!(atlas.chance(place, km) < 1e-3, "{}", atlas.chance(place, km));
        assert_eq!(degrees(atlas.places[place].at)[0], 52.52);
        let (place, km) = atlas.nearest(at(48.85, 2.35)).unwrap();
        assert!(atlas.chance(place, km) > 0.3);
        assert_eq!(atlas.places.len(), 2);
    }

    #[test]
    fn positions_are_read() {
        assert_eq!(position_of("52.5, -13.4"), Some((52.5, -13.4)));
        assert_eq!(position_of("91,0"), None);
        assert_eq!(position_of("x,0"), None);
        assert!((kilometres(at(0.0, 179.9), at(0.0, -179.9)) - 22.2).abs() < 0.2);
    }
}
