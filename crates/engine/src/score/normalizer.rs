//! Scores in the light of what came later. Initial scores lie on a fixed scale; the job's own history shows how often that scale
//! has called something strong, and lowers what came too often (`docs/adr/0004-current-scores-renormalised-by-events.md`).
//!
//! The state is bounded: strong results inside the window with their surprise and what their id is made of, and the events that
//! they belong to. When there are too many, the oldest are let go before the window ends, and counted.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use types::result_ids::ValueId;

use super::history::{Budget, History, STRONG, Window};
use super::scale::Scale;

/// Scores are written again when one of them has moved by so much.
const NOTICEABLE: f64 = 1.0;
/// Results leave the window in so many steps.
const STEPS_PER_WINDOW: i64 = 32;
/// Share of the results that are let go when there are too many.
const THINNED: f64 = 0.1;
/// Bytes of a level, roughly.
const LEVEL_BYTES: u64 = 160;
const EVENT_BYTES: u64 = 24;
/// Of a result that is kept.
pub(crate) const KEPT_BYTES: u64 = 56;
const PART_BYTES: u64 = 24;

/// What is compared with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Level {
    /// Buckets.
    Bucket,
    /// Values of an influencer field.
    Influencer(u32),
    /// Records of one thing that a detector judges by its own history.
    Record {
        /// Which detector.
        detector: u32,
        /// Of the thing's values.
        series: u64,
    },
}

/// What is needed, besides level and time, to name a result's document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Identity {
    /// A bucket with its influencers.
    Bucket(Box<[Part]>),
    /// A value of an influencer.
    Influencer(ValueId),
    /// A record, with the number of its feature.
    Record(ValueId, u8),
}

/// A part of a bucket that has a score of its own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// Number of the influencer.
    pub(crate) influencer: u32,
    pub(crate) surprise: f64,
    /// As it was written last.
    pub(crate) score: f64,
}

/// A strong result.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Strong {
    pub(crate) level: Level,
    pub(crate) surprise: f64,
    pub(crate) identity: Identity,
}

/// A strong result that was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) start_s: i64,
    pub(crate) surprise: f64,
    /// As it was written last.
    pub(crate) score: f64,
    pub(crate) identity: Identity,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Known {
    history: History,
    /// By time.
    results: Vec<Kept>,
}

/// What the normaliser goes by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms<'a> {
    pub(crate) scale: &'a Scale,
    pub(crate) window: Window,
    /// Results and events that may be kept.
    pub(crate) room: usize,
}

/// The history of a job's strong results.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Normalizer {
    levels: BTreeMap<Level, Known>,
    /// Nothing begins before this.
    oldest_s: Option<i64>,
    bytes: u64,
    dropped: u64,
}

impl Normalizer {
    /// Is a score one of those that are kept?
    pub(crate) fn is_strong(score: f64) -> bool {
        score >= STRONG
    }

    /// Takes the strong results of the bucket that begins at `start_s`. Returns how high each of their levels lets scores be;
    /// results of earlier buckets whose scores have moved go to `moved`.
    pub(crate) fn learn(
        &mut self,
        terms: Terms<'_>,
        start_s: i64,
        strong: Vec<Strong>,
        moved: &mut dyn FnMut(Level, &Kept),
    ) -> BTreeMap<Level, Budget> {
        let mut touched = self.leave(terms.window, start_s);
        if touched.is_empty() && strong.is_empty() {
            return BTreeMap::new();
        }
        for one in &strong {
            let known = self.levels.entry(one.level).or_default();
            known.history.learn(terms.window, start_s, one.surprise);
            touched.insert(one.level);
        }
        let mut budgets = BTreeMap::new();
        for level in touched {
            let Some(known) = self.levels.get_mut(&level) else { continue };
            let budget = known.history.budget(terms.window);
            rescore(terms.scale, level, &mut known.results, &budget, moved);
            budgets.insert(level, budget);
        }
        for one in strong {
            let Some(known) = self.levels.get_mut(&one.level) else { continue };
            let mut kept = Kept { start_s, surprise: one.surprise, score: 0.0, identity: one.identity };
            kept.judge(terms.scale, &budgets[&one.level]);
            known.results.push(kept);
            self.oldest_s = Some(self.oldest_s.map_or(start_s, |oldest| oldest.min(start_s)));
        }
        self.thin(terms.room);
        self.account();
        budgets
    }

    /// All results that are kept, with the scores that they were last written with.
    pub(crate) fn each(&self) -> impl Iterator<Item = (Level, &Kept)> {
        self.levels.iter().flat_map(|(level, known)| known.results.iter().map(|kept| (*level, kept)))
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self { dropped: self.dropped, ..Self::default() };
    }

    /// Bytes that are accounted for.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Results that were let go before the window ended.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Do all results belong to a job with so many detectors and influencers?
    pub(crate) fn fits(&self, detectors: usize, influencers: usize) -> bool {
        self.levels.keys().all(|level| match level {
            Level::Bucket => true,
            Level::Influencer(influencer) => (*influencer as usize) < influencers,
            Level::Record { detector, .. } => (*detector as usize) < detectors,
        })
    }

    /// Lets go what has left the window; says which levels have other events now.
    fn leave(&mut self, window: Window, start_s: i64) -> BTreeSet<Level> {
        let step_s = (window.length_s / STEPS_PER_WINDOW).max(1);
        let before_s = start_s.saturating_sub(window.length_s).div_euclid(step_s).saturating_mul(step_s);
        if self.oldest_s.is_none_or(|oldest| oldest >= before_s) {
            return BTreeSet::new();
        }
        let changed = self.forget(before_s).0;
        self.account();
        changed
    }

    /// Forgets what was before; says which levels have other events now, and how many results went.
    fn forget(&mut self, before_s: i64) -> (BTreeSet<Level>, u64) {
        let (mut changed, mut gone) = (BTreeSet::new(), 0);
        for (level, known) in &mut self.levels {
            let count = known.results.len();
            known.results.retain(|kept| kept.start_s >= before_s);
            gone += (count - known.results.len()) as u64;
            if known.history.forget(before_s) {
                changed.insert(*level);
            }
        }
        self.levels.retain(|_, known| known.history.len() > 0);
        // An event may have begun earlier, but what is left of it is later.
        self.oldest_s = (!self.levels.is_empty()).then_some(before_s);
        (changed, gone)
    }

    /// Makes room: as if the window were shorter for once.
    fn thin(&mut self, room: usize) {
        let events: usize = self.levels.values().map(|known| known.history.len()).sum();
        let results: usize = self.levels.values().map(|known| known.results.len()).sum();
        if events + results <= room {
            return;
        }
        let mut starts: Vec<i64> =
            self.levels.values().flat_map(|known| &known.results).map(|kept| kept.start_s).collect();
        starts.sort_unstable();
        let at =
            ((results as f64 * THINNED) as usize).max(events + results - room).min(results.saturating_sub(1));
        let Some(last_s) = starts.get(at) else { return };
        let gone = self.forget(*last_s).1;
        // Where all are of one bucket, all of them go.
        let gone = if gone == 0 { self.forget(last_s.saturating_add(1)).1 } else { gone };
        self.dropped += gone;
    }

    fn account(&mut self) {
        let of_level = |known: &Known| {
            let parts: usize = known.results.iter().map(|kept| kept.identity.parts()).sum();
            LEVEL_BYTES
                + known.history.len() as u64 * EVENT_BYTES
                + known.results.len() as u64 * KEPT_BYTES
                + parts as u64 * PART_BYTES
        };
        self.bytes = self.levels.values().map(of_level).sum();
    }
}

impl Identity {
    fn parts(&self) -> usize {
        match self {
            Self::Bucket(parts) => parts.len(),
            _ => 0,
        }
    }
}

impl Kept {
    /// Gives all scores that they have under a budget; returns by how much the one that moved most did.
    fn judge(&mut self, scale: &Scale, budget: &Budget) -> f64 {
        let mut most: f64 = 0.0;
        let mut set = |score: &mut f64, surprise: f64| {
            let before = std::mem::replace(score, budget.score(surprise, scale.score(surprise)));
            most = most.max((*score - before).abs());
        };
        set(&mut self.score, self.surprise);
        if let Identity::Bucket(parts) = &mut self.identity {
            parts.iter_mut().for_each(|part| set(&mut part.score, part.surprise));
        }
        most
    }
}

/// Tells the results of a level whose scores are others now, when one of them has moved noticeably: then all of them, so that their
/// order is that of their surprises.
fn rescore(
    scale: &Scale,
    level: Level,
    results: &mut [Kept],
    budget: &Budget,
    moved: &mut dyn FnMut(Level, &Kept),
) {
    let is_noticeable = |kept: &Kept| kept.clone().judge(scale, budget) >= NOTICEABLE;
    if !results.iter().any(is_noticeable) {
        return;
    }
    for kept in results {
        if kept.judge(scale, budget) > 0.0 {
            moved(level, kept);
        }
    }
}
