//! Points in time, and the shape of a day.

pub(super) const SECOND_MS: i64 = 1_000;
pub(super) const MINUTE_MS: i64 = 60 * SECOND_MS;
pub(super) const HOUR_MS: i64 = 60 * MINUTE_MS;
pub(super) const DAY_MS: i64 = 24 * HOUR_MS;

/// Milliseconds since the epoch of a time in UTC.
///
/// Days are counted as in Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`.
pub(super) const fn utc(year: i64, month: i64, day: i64, hour: i64, minute: i64) -> i64 {
    // Years start in March, so that the leap day is the last.
    let year_of_march = if month <= 2 { year - 1 } else { year };
    let era = year_of_march.div_euclid(400);
    let year_of_era = year_of_march.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era - 719_468) * DAY_MS + hour * HOUR_MS + minute * MINUTE_MS
}

/// Days since the last Monday.
pub(super) fn weekday(time_ms: i64) -> i64 {
    // 1970-01-01 was a Thursday.
    (time_ms.div_euclid(DAY_MS) + 3).rem_euclid(7)
}

/// The value of a daily curve, given for each full hour, with straight lines between.
pub(super) fn daily(hours: &[f64; 24], time_ms: i64) -> f64 {
    let in_day = time_ms.rem_euclid(DAY_MS);
    let hour = (in_day / HOUR_MS) as usize;
    let share = (in_day % HOUR_MS) as f64 / HOUR_MS as f64;
    hours[hour] * (1.0 - share) + hours[(hour + 1) % 24] * share
}

/// Is the time in this range, end excluded?
pub(super) fn within(time_ms: i64, (from, to): (i64, i64)) -> bool {
    time_ms >= from && time_ms < to
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_agree_with_the_calendar() {
        for (time, text) in [
            (utc(1970, 1, 1, 0, 0), "1970-01-01T00:00:00.000Z"),
            (utc(2014, 7, 1, 0, 30), "2014-07-01T00:30:00.000Z"),
            (utc(2024, 2, 29, 23, 59), "2024-02-29T23:59:00.000Z"),
            (utc(2025, 12, 31, 12, 0), "2025-12-31T12:00:00.000Z"),
        ] {
            assert_eq!(types::TimestampMs(time).to_iso(), text);
        }
        assert_eq!(weekday(utc(2025, 3, 3, 23, 0)), 0);
        assert_eq!(weekday(utc(2025, 3, 9, 0, 0)), 6);
    }

    #[test]
    fn a_curve_goes_through_its_hours_and_is_straight_between() {
        let mut hours = [0.0; 24];
        hours[0] = 2.0;
        assert_eq!(daily(&hours, utc(2025, 1, 1, 0, 0)), 2.0);
        assert_eq!(daily(&hours, utc(2025, 1, 1, 0, 30)), 1.0);
        assert_eq!(daily(&hours, utc(2025, 1, 1, 23, 45)), 1.5);
    }
}
