//! What has lately been as strong: the events of one level, and how high a score they leave.
//!
//! An event is what lies close together in time, however many results it has: it counts once, with its peak. The `k`-th strongest
//! event of a month keeps a score of at most `200/k`, so that two in a month are critical at most and four are major.

use serde::{Deserialize, Serialize};

/// Scores below this are not looked at, and no score is lowered below it.
pub(crate) const STRONG: f64 = 25.0;
/// So many events of a month keep their scores.
const FREE_EVENTS: f64 = 2.0;
/// What is missing to 100 becomes at most so many times as large: no history shows that a deviation far beyond it is an ordinary one.
const MISSING_MAX: f64 = 4.0;
/// Rates are for so many seconds.
const MONTH_S: f64 = 30.0 * 86_400.0;
/// Results within so many seconds, or so many buckets, of the one before belong to one event.
const GAP_S: i64 = 6 * 3600;
const GAP_BUCKETS: i64 = 5;
/// An event that lasts longer than this counts again.
const EVENT_S: i64 = 86_400;
const EVENT_BUCKETS: i64 = 10;

/// How far back events count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// Length in seconds.
    pub(crate) length_s: i64,
    /// Bucket span in seconds.
    pub(crate) span_s: i64,
}

impl Window {
    /// What one event of the window is for a month. Shorter windows are taken for a month: what they have not seen did not happen.
    fn rate(self) -> f64 {
        MONTH_S / MONTH_S.max(self.length_s as f64)
    }
}

/// Something strong, in time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Event {
    start_s: i64,
    last_s: i64,
    peak: f64,
}

/// The events of one level inside the window, by time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct History {
    events: Vec<Event>,
}

impl History {
    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    /// Takes a strong surprise of the bucket that begins at `start_s`; buckets come in the order of time.
    pub(crate) fn learn(&mut self, window: Window, start_s: i64, surprise: f64) {
        let gap_s = GAP_S.max(GAP_BUCKETS.saturating_mul(window.span_s));
        let event_s = EVENT_S.max(EVENT_BUCKETS.saturating_mul(window.span_s));
        match self.events.last_mut() {
            Some(event)
                if start_s.saturating_sub(event.last_s) <= gap_s
                    && start_s.saturating_sub(event.start_s) < event_s =>
            {
                event.last_s = start_s;
                event.peak = event.peak.max(surprise);
            }
            _ => self.events.push(Event { start_s, last_s: start_s, peak: surprise }),
        }
    }

    /// Forgets events that ended before; says whether there were any.
    pub(crate) fn forget(&mut self, before_s: i64) -> bool {
        let known = self.events.len();
        self.events.retain(|event| event.last_s >= before_s);
        self.events.len() < known
    }

    /// The highest scores, as the events are now.
    pub(crate) fn budget(&self, window: Window) -> Budget {
        let mut peaks: Vec<f64> = self.events.iter().map(|event| event.peak).collect();
        peaks.sort_unstable_by(|a, b| b.total_cmp(a));
        let mut ranks: Vec<(f64, f64)> = Vec::new();
        let mut stronger = 0.0;
        for equals in peaks.chunk_by(|a, b| a == b) {
            let count = equals.len() as f64;
            // Equals share the middle of their ranks.
            let rank = stronger + (count + 1.0) / 2.0;
            ranks.push((equals[0], 1.0 + (rank - 1.0) * window.rate()));
            stronger += count;
        }
        Budget { ranks }
    }
}

/// How high a score may be at most, by surprise.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    /// Surprise of an event and its rank, the strongest first.
    ranks: Vec<(f64, f64)>,
}

impl Budget {
    /// The rank of a surprise among the events of a month, from 1; between two events it runs straight from the one to the other,
    /// so that no two results of nearly the same surprise are far apart.
    fn rank(&self, surprise: f64) -> f64 {
        let weaker = self.ranks.partition_point(|(peak, _)| *peak > surprise);
        match (weaker.checked_sub(1).map(|at| self.ranks[at]), self.ranks.get(weaker).copied()) {
            (None, Some((_, rank))) | (Some((_, rank)), None) => rank.max(1.0),
            (None, None) => 1.0,
            (Some((above, strong)), Some((below, weak))) => {
                weak + (strong - weak) * (surprise - below) / (above - below)
            }
        }
    }

    /// What is left of the initial score of a surprise.
    pub(crate) fn score(&self, surprise: f64, initial: f64) -> f64 {
        if initial < STRONG {
            return initial;
        }
        let trusted = 100.0 - MISSING_MAX * (100.0 - initial);
        initial.min((100.0 * FREE_EVENTS / self.rank(surprise)).max(STRONG).max(trusted))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY_S: i64 = 86_400;
    const WINDOW: Window = Window { length_s: 30 * DAY_S, span_s: 900 };

    fn history(peaks: &[f64]) -> History {
        let mut history = History::default();
        for (day, peak) in peaks.iter().enumerate() {
            history.learn(WINDOW, day as i64 * DAY_S, *peak);
        }
        history
    }

    #[test]
    fn two_in_a_month_are_critical_and_four_major() {
        let budget = history(&[12.0, 11.0, 10.0, 9.0, 8.0]).budget(WINDOW);
        let scores: Vec<f64> =
            [12.0, 11.0, 10.0, 9.0, 8.0].iter().map(|s| budget.score(*s, 80.0).round()).collect();
        assert_eq!(scores, [80.0, 80.0, 67.0, 50.0, 40.0]);
        assert_eq!(budget.score(9.5, 80.0).round(), 57.0);
        // What is beyond doubt stays critical, however often it comes.
        assert_eq!(budget.score(8.0, 96.0), 84.0);
        assert_eq!(budget.score(10.0, 24.9), 24.9);
        // A window of ninety days has room for three times as many.
        let wide = Window { length_s: 90 * DAY_S, ..WINDOW };
        assert_eq!(history(&[12.0, 11.0, 10.0, 9.0]).budget(wide).score(9.0, 80.0), 80.0);
    }

    #[test]
    fn equals_share_a_rank_and_nothing_falls_below_the_floor() {
        let budget = history(&[9.0; 9]).budget(WINDOW);
        assert_eq!(budget.score(9.0, 80.0), 40.0);
        let budget = history(&[9.0; 40]).budget(WINDOW);
        assert_eq!(budget.score(9.0, 80.0), STRONG);
    }

    #[test]
    fn what_lies_together_is_one_event() {
        let mut history = History::default();
        for hour in 0..24 {
            history.learn(WINDOW, hour * 3600, 8.0);
        }
        assert_eq!(history.len(), 1);
        history.learn(WINDOW, 24 * 3600, 8.0);
        assert_eq!(history.len(), 2);
        history.learn(WINDOW, 31 * 3600, 8.0);
        assert_eq!(history.len(), 3);
        assert!(history.forget(24 * 3600));
        assert!(!history.forget(24 * 3600));
        assert_eq!(history.len(), 2);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_mapping_is_monotone_and_spares_the_greatest(
            peaks in prop::collection::vec(prop_oneof![5.5..20.0f64, (6..12u8).prop_map(f64::from)], 1..60),
            mut surprises in prop::collection::vec(0.0..25.0f64, 2..40),
            days in 1..400i64,
        ) {
            let window = Window { length_s: days * DAY_S, span_s: 900 };
            let mut history = History::default();
            for (at, peak) in peaks.iter().enumerate() {
                history.learn(window, at as i64 * 40_000, *peak);
            }
            let budget = history.budget(window);
            surprises.extend(&peaks);
            surprises.sort_by(f64::total_cmp);
            let initial = |surprise: f64| 100.0 * (1.0 - (-surprise / 6.5).exp2());
            let scores: Vec<f64> = surprises.iter().map(|s| budget.score(*s, initial(*s))).collect();
            for (pair, surprises) in scores.windows(2).zip(surprises.windows(2)) {
                prop_assert!(pair[0] <= pair[1] + 1e-9, "{surprises:?} {pair:?}");
            }
            for (score, surprise) in scores.iter().zip(&surprises) {
                prop_assert!(*score <= initial(*surprise) && (*score >= STRONG || *score == initial(*surprise)));
            }
            let most = peaks.iter().copied().fold(0.0, f64::max);
            if peaks.iter().filter(|peak| **peak == most).count() <= 3 {
                prop_assert_eq!(budget.score(most, initial(most)), initial(most));
            }
        }
    }
}
