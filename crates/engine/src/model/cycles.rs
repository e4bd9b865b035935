//! The periodic components of a series beside its day and week, and the search for them.
//!
//! A component is proposed by the search, tried on what comes next, and used when it makes the error smaller by a fifth there: values
//! that proposed it do not speak for it. What level, day and week learn is the value without the components in use.

use super::config::ModelConfig;
use super::cycle::{Cycle, Verdict};
use super::outcome::Change;
use super::period_search::{PeriodSearch, Proposal};
use super::predict::Lesson;
use crate::stats::prefetch_value;
use serde::{Deserialize, Serialize};

const DAY_S: f64 = 86_400.0;
const WEEK_S: f64 = 7.0 * DAY_S;

/// Components at a time, those on trial included.
const PLACES: usize = 2;

/// Periods that differ by less than this share are the same, when nothing better is known.
const SAME: f64 = 0.05;

/// Which component began or ceased to predict, and by which factor the errors change.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    pub(super) change: Option<Change>,
    pub(super) factor: f64,
    /// The day's profile has the component too, and its error did not change.
    pub(super) is_within_day: bool,
}

impl Turn {
    const NONE: Self = Self { change: None, factor: 1.0, is_within_day: false };
}

/// The components of one series.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Cycles {
    places: [Option<Box<Cycle>>; PLACES],
    search: Option<Box<PeriodSearch>>,
    /// Period of the season that they are on top of.
    season_s: i64,
}

impl Cycles {
    /// Bytes of the search.
    pub(super) const SEARCH_BYTES: usize = size_of::<PeriodSearch>();

    fn used(&self) -> impl Iterator<Item = &Cycle> {
        self.places.iter().flatten().map(|c| &**c).filter(|c| c.is_used)
    }

    /// Sum of the components in use.
    pub(super) fn predict(&self, time_s: i64) -> f64 {
        self.used().map(|c| c.predict(time_s)).sum()
    }

    /// The same without those that the day's profile learns as well.
    pub(super) fn beside_day(&self, time_s: i64) -> f64 {
        self.used().filter(|c| !c.is_within_day).map(|c| c.predict(time_s)).sum()
    }

    /// The error with the components in use as a share of that without, and the longest period, seconds; 1 and 0 without.
    pub(super) fn in_use(&self) -> (f64, i64) {
        self.used().fold((1.0, 0), |(ratio, longest), c| (ratio * c.error_ratio(), longest.max(c.period_s())))
    }

    /// Learns a value: components what the rest of the prediction leaves, clipped at `clip`, the search what all leave.
    pub(super) fn learn(
        &mut self,
        cfg: &ModelConfig,
        lesson: &Lesson<'_>,
        clip: f64,
        may_search: bool,
    ) -> Turn {
        let e = lesson.expected;
        if e.period_s != self.season_s {
            self.season_s = e.period_s;
            self.restart_search();
            self.places.iter_mut().flatten().for_each(|c| c.judge_anew(lesson.time_s));
            return if e.period_s == 0 { Turn::NONE } else { self.drop_within_day() };
        }
        let mut turn = Turn::NONE;
        for place in 0..PLACES {
            let Some(cycle) = self.places[place].as_deref_mut() else { continue };
            let own = if cycle.is_used { cycle.predict(lesson.time_s) } else { 0.0 };
            let target = lesson.x - (e.slow - own);
            let verdict = cycle.learn(cfg, lesson.time_s, target, clip, lesson.scale);
            if verdict != Verdict::Same && turn.change.is_none() {
                turn = self.turn(place, verdict);
            }
        }
        if turn.change.is_some() {
            self.restart_search();
        } else if may_search {
            self.search(cfg, lesson);
        }
        turn
    }

    fn turn(&mut self, place: usize, verdict: Verdict) -> Turn {
        let Some(mut cycle) = self.places[place].take() else { return Turn::NONE };
        let (ratio, period_s, is_within_day) = (cycle.error_ratio(), cycle.period_s(), cycle.is_within_day);
        let ratio = if ratio.is_finite() { ratio.clamp(0.01, 10.0) } else { 1.0 };
        if verdict == Verdict::Found {
            cycle.is_used = true;
            self.places[place] = Some(cycle);
            return Turn { change: Some(Change::SeasonFound { period_s }), factor: ratio, is_within_day };
        }
        if !cycle.is_used {
            return Turn::NONE;
        }
        Turn { change: Some(Change::SeasonLost { period_s }), factor: 1.0 / ratio, is_within_day }
    }

    /// The day has come to predict what components did that its profile has as well.
    fn drop_within_day(&mut self) -> Turn {
        let mut turn = Turn { is_within_day: true, ..Turn::NONE };
        for place in &mut self.places {
            if let Some(cycle) = place.take_if(|c| c.is_within_day)
                && cycle.is_used
            {
                turn.factor /= cycle.error_ratio().clamp(0.01, 10.0);
            }
        }
        turn
    }

    fn search(&mut self, cfg: &ModelConfig, lesson: &Lesson<'_>) {
        let Some(free) = self.places.iter().position(Option::is_none) else {
            self.search = None;
            return;
        };
        let looks = self.places.iter().flatten().all(|c| c.is_used);
        let e = lesson.expected;
        let search = self.search.get_or_insert_with(|| Box::new(PeriodSearch::new(cfg)));
        let seen = search.learn(cfg, lesson.time_s, (lesson.x - e.slow, e.anchor), lesson.scale, looks);
        if let Some(proposal) = seen
            && self.is_new(cfg, &proposal)
        {
            let day_may_come = self.season_s == 0 && cfg.day.is_some();
            self.places[free] = Some(Box::new(Cycle::new(cfg, lesson.time_s, &proposal, day_may_come)));
        }
    }

    /// Whether the period is none that is known, or will be by the day or the week.
    fn is_new(&self, cfg: &ModelConfig, proposal: &Proposal) -> bool {
        let period = proposal.period_s;
        let is = |other: f64| (period - other).abs() < proposal.tolerance_s.max(SAME * period);
        if self.used().any(|c| is(c.period_s() as f64)) || (cfg.day.is_some() && is(DAY_S)) {
            return false;
        }
        let is_of_week = period > DAY_S && (is(2.0 * WEEK_S) || (1..7).any(|k| is(WEEK_S / f64::from(k))));
        cfg.week.is_none() || !is_of_week
    }

    pub(super) fn shift_level(&mut self, amount: f64) {
        if let Some(search) = &mut self.search {
            search.shift_level(amount);
        }
    }

    pub(super) fn multiply(&mut self, factor: f64) {
        self.places.iter_mut().flatten().for_each(|c| c.multiply(factor));
        self.restart_search();
    }

    pub(super) fn shift_time(&mut self, seconds: i64) {
        self.places.iter_mut().flatten().for_each(|c| c.shift_time(seconds));
    }

    /// What was gathered is worth nothing, since what predicts has changed.
    pub(super) fn restart_search(&mut self) {
        if let Some(search) = &mut self.search {
            search.restart();
        }
    }

    /// Gives the search up, and what is on trial.
    pub(super) fn stop_search(&mut self) {
        self.search = None;
        for place in &mut self.places {
            place.take_if(|c| !c.is_used);
        }
    }

    pub(super) fn prefetch(&self) {
        self.search.iter().for_each(|s| s.prefetch());
        self.places.iter().flatten().for_each(|c| prefetch_value(&**c));
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let search = if self.search.is_some() { Self::SEARCH_BYTES } else { 0 };
        search + self.places.iter().flatten().map(|c| c.memory_bytes()).sum::<usize>()
    }
}
