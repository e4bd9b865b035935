//! Compact forms of the tables that `make quality` prints: calibration on clean series, alarms a month, and the answers to
//! events of graded size.

#[path = "../../examples/quality/clean.rs"]
mod clean;
#[path = "../../examples/quality/reaction.rs"]
mod reaction;
#[path = "../../examples/quality/siblings.rs"]
mod siblings;
#[path = "../../examples/quality/simulate.rs"]
mod simulate;

use clean::calibrate;
use reaction::{Event, Reaction, react};
use siblings::{ALIKE, Kind, NEWCOMERS, Nursery, OTHERS, SPIKES};
use simulate::FAMILIES;

const SERIES: u64 = 4;

/// Largest distance from uniform, by family: where values are few and whole, or the model learns a pattern, it errs on the side
/// of being too quiet.
fn distance_allowed(name: &str) -> f64 {
    match name {
        "Poisson, mean 0.05" => 0.45,
        "two modes" | "daily pattern" | "daily and weekly counts" | "noise by the hour" => 0.25,
        _ => 0.1,
    }
}

#[test]
fn probabilities_of_clean_series_are_uniform_and_their_tails_true() {
    let mut critical = 0.0;
    for family in &FAMILIES {
        let c = calibrate(family, SERIES, 39);
        let name = family.name;
        assert!(c.distance <= distance_allowed(name), "{name}: distance {}", c.distance);
        let [p2, p3, p4] = c.tails;
        assert!(p2 <= 0.025 && p3 <= 0.004 && p4 <= 0.001, "{name}: {:?}", c.tails);
        assert!(p2 >= 0.0005, "{name}: too quiet, {p2}");
        assert!(c.alarms[0] <= 6.0, "{name}: {} alarms a month", c.alarms[0]);
        critical += c.alarms[1] / FAMILIES.len() as f64;
    }
    assert!(critical <= 0.5, "{critical} critical buckets for each series and month");
}

fn assert_seen_at_once(r: &Reaction, what: &str) {
    assert_eq!(r.found, r.series, "{what}: {r:?}");
    assert!(r.median_delay().is_some_and(|delay| delay <= 1), "{what}: {r:?}");
}

#[test]
fn short_events_raise_one_alarm_and_are_not_learnt() {
    for (event, size) in [(Event::Spike, 8.0), (Event::Spike, 20.0), (Event::Dip, 8.0), (Event::Silence, 1.0)]
    {
        let r = react(event, size, SERIES);
        assert_seen_at_once(&r, &format!("{event:?} {size}"));
        assert!(r.mean_alarms() <= 2.0, "{event:?} {size}: {r:?}");
        assert!(r.slowest_h().is_some_and(|hours| hours <= 3.0), "{event:?} {size}: {r:?}");
    }
    let small = react(Event::Spike, 2.0, SERIES);
    assert!(small.mean_alarms() <= 0.5, "{small:?}");
}

#[test]
fn lasting_changes_are_announced_and_adapted_to() {
    for (event, size, hours) in
        [(Event::LevelShift, 8.0, 24.0), (Event::LevelShift, 20.0, 24.0), (Event::ClockChange, 30.0, 24.0)]
    {
        let r = react(event, size, SERIES);
        assert_seen_at_once(&r, &format!("{event:?} {size}"));
        assert_eq!(r.announced, r.series, "{event:?} {size}: {r:?}");
        assert!(r.mean_alarms() <= 2.0, "{event:?} {size}: {r:?}");
        assert!(r.slowest_h().is_some_and(|slowest| slowest <= hours), "{event:?} {size}: {r:?}");
    }
    let trend = react(Event::Trend, 6.0, SERIES);
    assert!(trend.found == trend.series && trend.announced == trend.series, "{trend:?}");
    assert!(trend.mean_alarms() <= 7.0 && trend.slowest_h().is_some_and(|h| h <= 9.0 * 24.0), "{trend:?}");
    let season = react(Event::NewSeason, 4.0, SERIES);
    assert!(season.found == season.series && season.announced == season.series, "{season:?}");
    assert!(season.mean_alarms() <= 5.0 && season.slowest_h().is_some_and(|h| h <= 96.0), "{season:?}");
}

#[test]
fn a_change_of_variance_is_announced() {
    let more = react(Event::Variance, 3.0, SERIES);
    assert!(more.found == more.series && more.announced == more.series, "{more:?}");
    assert!(more.mean_alarms() <= 12.0, "{more:?}");
    let less = react(Event::Variance, 0.3, SERIES);
    assert!(less.announced == less.series && less.mean_alarms() <= 0.5, "{less:?}");
    let hardly = react(Event::Variance, 1.1, SERIES);
    assert!(hardly.announced == 0 && hardly.mean_alarms() <= 1.0, "{hardly:?}");
}

#[test]
fn gaps_and_births_are_no_anomalies_and_silence_is_one_event() {
    for hours in [1.0, 24.0, 72.0] {
        let gap = react(Event::Gap, hours, SERIES);
        assert!(gap.found == 0 && gap.mean_alarms() <= 0.5, "{hours}: {gap:?}");
    }
    let silence = react(Event::Silence, 24.0, SERIES);
    assert_seen_at_once(&silence, "silence of a day");
    assert!(silence.mean_alarms() <= 3.0 && silence.slowest_h().is_some_and(|h| h <= 72.0), "{silence:?}");
    let born = react(Event::BornLate, 120.0, SERIES);
    assert_seen_at_once(&born, "born late");
    assert!(born.mean_alarms() <= 1.5, "{born:?}");
}

#[test]
fn newcomers_are_judged_by_what_their_siblings_have_in_common() {
    let strangers = Nursery::new(Kind::Mixed, 1);
    let (mut with, mut without) = (0, 0);
    for kind in ALIKE {
        let nursery = Nursery::new(kind, 1);
        with += nursery.births(kind, None).alarms;
        without += strangers.births(kind, None).alarms;
        let found = SPIKES.map(|spike| nursery.births(kind, Some(spike)).found);
        // Twelve deviations after six, twelve and 24 hours.
        assert!(
            found[5..].iter().all(|found| *found as u64 * 10 >= NEWCOMERS * 8),
            "{}: {found:?}",
            kind.name()
        );
    }
    assert!(with <= without + 1, "{with} alarms, {without} without siblings");
    assert_eq!(strangers.births(Kind::Daily, Some((12.0, 6.0))).found, 0);
}

#[test]
fn newcomers_of_another_kind_alarm_no_more_than_without_siblings() {
    let (strangers, siblings) = (Nursery::new(Kind::Mixed, 2), Nursery::new(Kind::Daily, 2));
    let (mut with, mut without) = (0, 0);
    for kind in OTHERS {
        with += siblings.births(kind, None).alarms;
        without += strangers.births(kind, None).alarms;
    }
    assert!(with <= without + 2, "{with} alarms, {without} without siblings");
}
