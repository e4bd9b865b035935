//! Intervals and offsets of histograms: `30s`, `1M`, `month`, `+6h`.

use types::Invalid;

use crate::Result;

/// The length of a date histogram's buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interval {
    /// Always the same number of milliseconds, at least 1.
    Fixed(i64),
    /// As the calendar has it.
    Calendar(CalendarUnit),
}

/// A unit of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CalendarUnit {
    /// 1s; in date maths only.
    Second,
    /// 1m.
    Minute,
    /// 1h.
    Hour,
    /// 1d: midnight to midnight, 23 to 25 hours.
    Day,
    /// 1w: from Monday.
    Week,
    /// 1M.
    Month,
    /// 1q: from January, April, July, October.
    Quarter,
    /// 1y.
    Year,
}

impl Interval {
    /// Reads `calendar_interval`.
    ///
    /// # Errors
    /// When it is not one unit of the calendar.
    pub fn calendar(text: &str) -> Result<Self> {
        calendar_unit(text).map(Self::Calendar).ok_or_else(|| {
            Invalid::argument(format!(
                "The supplied interval [{text}] could not be parsed as a calendar interval."
            ))
        })
    }

    /// Reads `fixed_interval`.
    ///
    /// # Errors
    /// When it is not a whole number of milliseconds up to days, or not positive.
    pub fn fixed(text: &str) -> Result<Self> {
        match duration_ms(text, "date_histogram.fixedInterval")? {
            ms if ms > 0 => Ok(Self::Fixed(ms)),
            _ => Err(Invalid::argument("[interval] must be 1 or greater for aggregation [date_histogram]")),
        }
    }

    /// Reads `interval` of old requests: a unit of the calendar if it is one, else a fixed interval.
    ///
    /// # Errors
    /// As [`Interval::fixed`].
    pub fn legacy(text: &str) -> Result<Self> {
        calendar_unit(text).map_or_else(|| Self::fixed(text), |unit| Ok(Self::Calendar(unit)))
    }
}

fn calendar_unit(text: &str) -> Option<CalendarUnit> {
    Some(match text {
        "second" | "1s" => CalendarUnit::Second,
        "minute" | "1m" => CalendarUnit::Minute,
        "hour" | "1h" => CalendarUnit::Hour,
        "day" | "1d" => CalendarUnit::Day,
        "week" | "1w" => CalendarUnit::Week,
        "month" | "1M" => CalendarUnit::Month,
        "quarter" | "1q" => CalendarUnit::Quarter,
        "year" | "1y" => CalendarUnit::Year,
        _ => return None,
    })
}

/// Milliseconds of `30s`, `1.5h` and the like; `setting` is named in the message. Less than a millisecond is cut off.
///
/// # Errors
/// When there is no number, no unit, or a negative number.
pub fn duration_ms(text: &str, setting: &str) -> Result<i64> {
    let failed = |why: &str| {
        Invalid::argument(format!(
            "failed to parse setting [{setting}] with value [{text}] as a time value{why}"
        ))
    };
    let trimmed = text.trim();
    let split = trimmed.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(split);
    if number.trim() == "0" && unit.is_empty() {
        return Ok(0);
    }
    let nanos: i128 = match unit {
        "nanos" => 1,
        "micros" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" | "H" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        _ => return Err(failed(": unit is missing or unrecognized")),
    };
    let number: i128 = number.trim().parse::<i64>().map_err(|_| failed(""))?.into();
    if number < 0 {
        return Err(failed(": negative durations are not supported"));
    }
    i64::try_from(number * nanos / 1_000_000).map_err(|_| failed(""))
}

/// Milliseconds of an offset: a duration with or without a sign.
///
/// # Errors
/// As [`duration_ms`].
pub fn offset_ms(text: &str, setting: &str) -> Result<i64> {
    match text.as_bytes().first() {
        Some(b'-') => duration_ms(&text[1..], setting).map(|ms| -ms),
        Some(b'+') => duration_ms(&text[1..], setting),
        _ => duration_ms(text, setting),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_read() {
        assert_eq!(Interval::fixed("90s").unwrap(), Interval::Fixed(90_000));
        assert_eq!(Interval::calendar("1M").unwrap(), Interval::Calendar(CalendarUnit::Month));
        assert_eq!(Interval::legacy("day").unwrap(), Interval::Calendar(CalendarUnit::Day));
        assert_eq!(Interval::legacy("5m").unwrap(), Interval::Fixed(300_000));
        assert_eq!(offset_ms("-1d", "x").unwrap(), -86_400_000);
        assert_eq!(offset_ms("+6h", "x").unwrap(), 21_600_000);
    }

    #[test]
    fn wrong_intervals_are_refused() {
        assert_eq!(
            Interval::calendar("2d").unwrap_err().to_string(),
            "The supplied interval [2d] could not be parsed as a calendar interval."
        );
        for bad in ["1M", "0s", "x", "", "5", "-5s", "1.5h", "99999999999999999999d", "9223372036854775807d"]
        {
            assert!(Interval::fixed(bad).is_err(), "{bad}");
        }
    }
}
