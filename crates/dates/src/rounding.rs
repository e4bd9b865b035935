//! The bucket of a time: fixed and calendar intervals, offsets, time zones.
//!
//! Rounding happens on local clocks. Where clocks are put back, a bucket that has begun goes on through the repeated hour;
//! where they are put forward over a boundary, the bucket begins at the jump.

use super::civil::{DAY_MS, civil_from_days, days_from_civil, weekday};
use super::interval::{CalendarUnit, Interval};
use super::zone::{LocalTime, Zone};

/// Rounds times down to the beginnings of their buckets. Remembers the last bucket, since documents mostly come in order of
/// time.
#[derive(Clone, Debug)]
pub struct Rounding {
    interval: Interval,
    offset_ms: i64,
    zone: Zone,
    /// The bucket found last, `from..to`.
    last: (i64, i64),
}

impl Rounding {
    /// Buckets of `interval` in `zone`, moved by `offset_ms`.
    pub fn new(interval: Interval, zone: Zone, offset_ms: i64) -> Self {
        Self { interval, offset_ms, zone, last: (0, 0) }
    }

    /// The beginning of the bucket of `ms`.
    pub fn round(&mut self, ms: i64) -> i64 {
        if let (Interval::Fixed(length), Some(zone_ms)) = (self.interval, self.zone.fixed_offset_ms()) {
            let shift = self.offset_ms - zone_ms;
            return (ms.saturating_sub(shift))
                .div_euclid(length)
                .saturating_mul(length)
                .saturating_add(shift);
        }
        if self.last.0 <= ms && ms < self.last.1 {
            return self.last.0;
        }
        let from = start(ms.saturating_sub(self.offset_ms), self.interval, &self.zone);
        let to = next(from, self.interval, &self.zone);
        self.last = (from.saturating_add(self.offset_ms), to.saturating_add(self.offset_ms));
        self.last.0
    }

    /// The beginning of the bucket after the one that begins at `key`.
    pub fn next(&self, key: i64) -> i64 {
        next(key.saturating_sub(self.offset_ms), self.interval, &self.zone).saturating_add(self.offset_ms)
    }

    /// The time zone.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }
}

fn start(ms: i64, interval: Interval, zone: &Zone) -> i64 {
    match interval {
        Interval::Calendar(unit) => calendar_start(ms, unit, zone),
        Interval::Fixed(length) => boundary_before(ms, zone, |local| local.div_euclid(length) * length),
    }
}

fn next(start_ms: i64, interval: Interval, zone: &Zone) -> i64 {
    match interval {
        Interval::Calendar(unit) => calendar_next(start_ms, unit, zone),
        Interval::Fixed(length) => {
            // A bucket over the repeated hour is longer than its interval.
            (1..=4)
                .map(|n| start(start_ms.saturating_add(length.saturating_mul(n)), interval, zone))
                .find(|candidate| *candidate > start_ms)
                .unwrap_or_else(|| start_ms.saturating_add(DAY_MS.max(length)))
        }
    }
}

/// The last moment not after `ms` at which local clocks show `floor` of what they show at `ms`; the moment of the jump, if
/// clocks jump over it.
fn boundary_before(ms: i64, zone: &Zone, floor: impl Fn(i64) -> i64) -> i64 {
    let local = floor(ms.saturating_add(zone.offset_ms(ms)));
    match zone.local(local) {
        LocalTime::Once(at) if at <= ms => at,
        LocalTime::Twice(first, second) => {
            if second <= ms {
                second
            } else {
                first.min(ms)
            }
        }
        LocalTime::Never { at, .. } => at,
        // Local clocks went back past the boundary since: the change itself is the boundary.
        LocalTime::Once(_) => zone.steady_span(ms).0,
    }
}

/// The beginning of the calendar unit that holds `ms`.
pub(super) fn calendar_start(ms: i64, unit: CalendarUnit, zone: &Zone) -> i64 {
    match unit {
        CalendarUnit::Second => boundary_before(ms, zone, |local| local.div_euclid(1000) * 1000),
        CalendarUnit::Minute => boundary_before(ms, zone, |local| local.div_euclid(60_000) * 60_000),
        CalendarUnit::Hour => boundary_before(ms, zone, |local| local.div_euclid(3_600_000) * 3_600_000),
        _ => {
            let days = ms.saturating_add(zone.offset_ms(ms)).div_euclid(DAY_MS);
            first_moment(first_day(days, unit), zone)
        }
    }
}

/// The beginning of the calendar unit after the one that begins at `start_ms`.
pub(super) fn calendar_next(start_ms: i64, unit: CalendarUnit, zone: &Zone) -> i64 {
    let length = match unit {
        CalendarUnit::Second => return next(start_ms, Interval::Fixed(1000), zone),
        CalendarUnit::Minute => return next(start_ms, Interval::Fixed(60_000), zone),
        CalendarUnit::Hour => return next(start_ms, Interval::Fixed(3_600_000), zone),
        CalendarUnit::Day => 1,
        CalendarUnit::Week => 7,
        CalendarUnit::Month => 31,
        CalendarUnit::Quarter => 92,
        CalendarUnit::Year => 366,
    };
    // A day's first moment can lie up to a jump behind its midnight, never before it.
    let days = start_ms.saturating_add(zone.offset_ms(start_ms)).div_euclid(DAY_MS);
    first_moment(first_day(first_day(days, unit) + length, unit), zone)
}

/// The first day of the unit that holds a day.
fn first_day(days: i64, unit: CalendarUnit) -> i64 {
    let (year, month, _) = civil_from_days(days);
    match unit {
        CalendarUnit::Week => days - (weekday(days) - 1),
        CalendarUnit::Month => days_from_civil(year, month, 1),
        CalendarUnit::Quarter => days_from_civil(year, (month - 1) / 3 * 3 + 1, 1),
        CalendarUnit::Year => days_from_civil(year, 1, 1),
        CalendarUnit::Second | CalendarUnit::Minute | CalendarUnit::Hour | CalendarUnit::Day => days,
    }
}

/// The first moment of a local day.
fn first_moment(days: i64, zone: &Zone) -> i64 {
    match zone.local(days.saturating_mul(DAY_MS)) {
        LocalTime::Once(at) | LocalTime::Twice(at, _) | LocalTime::Never { at, .. } => at,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{DateFormat, Missing};

    fn ms(text: &str) -> i64 {
        DateFormat::default_format().parse(text, &Zone::utc(), Missing::Earliest).unwrap()
    }

    fn check(interval: Interval, zone: &str, offset_ms: i64, time: &str, from: &str, to: &str) {
        let mut rounding = Rounding::new(interval, Zone::parse(zone).unwrap(), offset_ms);
        let start = rounding.round(ms(time));
        let format = DateFormat::default_format();
        let print = |ms| format.print(ms, &Zone::utc());
        assert_eq!(
            (print(start), print(rounding.next(start))),
            (print(ms(from)), print(ms(to))),
            "{time} {zone}"
        );
    }

    #[test]
    fn buckets_in_utc() {
        use CalendarUnit::{Month, Quarter, Week, Year};
        let calendar = Interval::Calendar;
        check(
            Interval::Fixed(3_600_000),
            "UTC",
            0,
            "2026-11-26T10:20",
            "2026-11-26T10:00",
            "2026-11-26T11:00",
        );
        check(
            Interval::Fixed(86_400_000),
            "UTC",
            21_600_000,
            "2026-11-26T05:00",
            "2026-11-25T06:00",
            "2026-11-26T06:00",
        );
        check(calendar(Week), "UTC", 0, "2026-11-26", "2026-11-23", "2026-11-30");
        check(calendar(Month), "UTC", 0, "2026-02-26", "2026-02-01", "2026-03-01");
        check(calendar(Month), "UTC", 86_400_000, "2026-03-01", "2026-02-02", "2026-03-02");
        check(calendar(Quarter), "UTC", 0, "2026-11-26", "2026-10-01", "2027-01-01");
        check(calendar(Year), "UTC", 0, "2024-12-31T23:59", "2024-01-01", "2025-01-01");
        check(Interval::Fixed(1000), "UTC", 0, "1969-12-31T23:59:59.5", "1969-12-31T23:59:59", "1970-01-01");
    }

    #[test]
    fn buckets_over_the_change_of_clocks() {
        let paris = "Europe/Paris";
        let day = Interval::Calendar(CalendarUnit::Day);
        // 23 hours, then 25.
        check(day, paris, 0, "2026-03-29T12:00", "2026-03-28T23:00", "2026-03-29T22:00");
        check(day, paris, 0, "2026-10-25T12:00", "2026-10-24T22:00", "2026-10-25T23:00");
        let hour = Interval::Calendar(CalendarUnit::Hour);
        // The repeated hour is a bucket of its own.
        check(hour, paris, 0, "2026-10-25T00:30", "2026-10-25T00:00", "2026-10-25T01:00");
        check(hour, paris, 0, "2026-10-25T01:30", "2026-10-25T01:00", "2026-10-25T02:00");
        check(hour, paris, 0, "2026-03-29T00:30", "2026-03-29T00:00", "2026-03-29T01:00");
        // Six hours on local clocks: seven and five real ones.
        let six = Interval::Fixed(21_600_000);
        check(six, paris, 0, "2026-10-25T02:00", "2026-10-24T22:00", "2026-10-25T05:00");
        check(six, paris, 0, "2026-03-29T02:00", "2026-03-28T23:00", "2026-03-29T04:00");
        // A day that begins at 01:00, because midnight was jumped over.
        check(day, "America/Sao_Paulo", 0, "2018-11-04T12:00", "2018-11-04T03:00", "2018-11-05T02:00");
    }

    fn any_interval() -> impl Strategy<Value = Interval> {
        prop_oneof![
            (1_i64..400).prop_map(|n| Interval::Fixed(n * 300_000)),
            prop_oneof![
                Just(CalendarUnit::Minute),
                Just(CalendarUnit::Hour),
                Just(CalendarUnit::Day),
                Just(CalendarUnit::Week),
                Just(CalendarUnit::Month),
                Just(CalendarUnit::Quarter),
                Just(CalendarUnit::Year),
            ]
            .prop_map(Interval::Calendar),
        ]
    }

    proptest! {
        #[test]
        fn a_bucket_holds_its_times_and_no_others(
            ms in -1_000_000_000_000_i64..4_000_000_000_000,
            interval in any_interval(),
            zone in prop_oneof![Just("UTC"), Just("Europe/Paris"), Just("America/St_Johns"), Just("Australia/Lord_Howe"), Just("+05:30")],
            offset in -100_i64..100,
        ) {
            let mut rounding = Rounding::new(interval, Zone::parse(zone).unwrap(), offset * 60_000);
            let start = rounding.round(ms);
            let end = rounding.next(start);
            prop_assert!(start <= ms && ms < end, "{start} {ms} {end}");
            let mut fresh = Rounding::new(interval, Zone::parse(zone).unwrap(), offset * 60_000);
            prop_assert_eq!(fresh.round(start), start);
            prop_assert_eq!(fresh.round(end - 1), start);
            prop_assert_eq!(fresh.round(end), end);
        }
    }
}
