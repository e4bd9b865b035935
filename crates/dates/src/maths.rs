//! Date maths: `now-1d/d`, `2026-01-01||+1M/d`.

use super::civil::{DAY_MS, civil_from_days, days_from_civil, days_in_month};
use super::format::DateFormat;
use super::interval::CalendarUnit;
use super::pattern::Missing;
use super::rounding;
use super::zone::Zone;
use types::Invalid;

use crate::Result;

/// What date maths reckons with.
#[derive(Clone, Copy, Debug)]
pub struct DateMath<'a> {
    /// How the date before `||` is read.
    pub format: &'a DateFormat,
    /// The zone of dates without an offset, and of rounding.
    pub zone: &'a Zone,
    /// The present.
    pub now_ms: i64,
    /// Whether `/d` rounds to the beginning of the day or to its last millisecond, and what missing parts of a date are.
    pub missing: Missing,
}

/// The moment that `text` means.
///
/// # Errors
/// When the date does not fit the format, or the maths cannot be understood or leaves the calendar.
pub fn parse_date_math(text: &str, context: DateMath<'_>) -> Result<i64> {
    if let Some(maths) = text.strip_prefix("now") {
        return apply(context.now_ms, maths, text, context);
    }
    match text.split_once("||") {
        None => context.format.parse(text, context.zone, context.missing),
        Some((date, maths)) => {
            let missing = if maths.is_empty() { context.missing } else { Missing::Earliest };
            apply(context.format.parse(date, context.zone, missing)?, maths, text, context)
        }
    }
}

fn apply(start_ms: i64, maths: &str, whole: &str, context: DateMath<'_>) -> Result<i64> {
    let fail = |why: String| Invalid::parse(format!("{why} on date math [{whole}]"));
    let mut ms = start_ms;
    let mut rest = maths;
    while let Some(operator) = rest.chars().next() {
        rest = &rest[operator.len_utf8()..];
        if !matches!(operator, '/' | '+' | '-') {
            return Err(fail(format!("operator not supported for date math [{rest}]")));
        }
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let amount = match &rest[..digits] {
            "" => 1,
            number => number.parse::<i64>().map_err(|_| fail(format!("amount [{number}] is too large")))?,
        };
        if operator == '/' && amount != 1 {
            return Err(fail(format!("rounding `/` can only be used on single unit types [{maths}]")));
        }
        rest = &rest[digits..];
        let Some(letter) = rest.chars().next() else {
            return Err(fail(format!("truncated date math [{maths}]")));
        };
        let unit =
            unit(letter).ok_or_else(|| fail(format!("unit [{letter}] not supported for date math")))?;
        rest = &rest[letter.len_utf8()..];
        let result = match operator {
            '/' => Some(round(ms, unit, context)),
            '-' => add(ms, unit, -amount, context.zone),
            _ => add(ms, unit, amount, context.zone),
        };
        ms = result.ok_or_else(|| fail("the result is outside the calendar".to_owned()))?;
    }
    Ok(ms)
}

fn unit(letter: char) -> Option<CalendarUnit> {
    Some(match letter {
        'y' => CalendarUnit::Year,
        'M' => CalendarUnit::Month,
        'w' => CalendarUnit::Week,
        'd' => CalendarUnit::Day,
        'h' | 'H' => CalendarUnit::Hour,
        'm' => CalendarUnit::Minute,
        's' => CalendarUnit::Second,
        _ => return None,
    })
}

fn round(ms: i64, unit: CalendarUnit, context: DateMath<'_>) -> i64 {
    let start = rounding::calendar_start(ms, unit, context.zone);
    match context.missing {
        Missing::Earliest => start,
        Missing::Latest => rounding::calendar_next(start, unit, context.zone) - 1,
    }
}

/// Years beyond this one are refused, so that no later sum can overflow.
const YEAR_MAX: i64 = 200_000_000;

/// Adds units; days and longer on local clocks, so that the time of day stays.
fn add(ms: i64, unit: CalendarUnit, amount: i64, zone: &Zone) -> Option<i64> {
    let step_ms = match unit {
        CalendarUnit::Second => 1000,
        CalendarUnit::Minute => 60_000,
        CalendarUnit::Hour => 3_600_000,
        _ => 0,
    };
    if step_ms > 0 {
        return within_calendar(ms.checked_add(amount.checked_mul(step_ms)?)?);
    }
    let local = ms.checked_add(zone.offset_ms(ms))?;
    let (days, time) = (local.div_euclid(DAY_MS), local.rem_euclid(DAY_MS));
    let moved = match unit {
        CalendarUnit::Day => days.checked_add(amount)?,
        CalendarUnit::Week => days.checked_add(amount.checked_mul(7)?)?,
        _ => {
            let months = amount.checked_mul(if unit == CalendarUnit::Year { 12 } else { 1 })?;
            let (year, month, day) = civil_from_days(days);
            let index = (year * 12 + month - 1).checked_add(months)?;
            let (year, month) = (index.div_euclid(12), index.rem_euclid(12) + 1);
            if year.abs() > YEAR_MAX {
                return None;
            }
            days_from_civil(year, month, day.min(days_in_month(year, month)))
        }
    };
    let local = within_calendar(moved.checked_mul(DAY_MS)?.checked_add(time)?)?;
    Some(zone.to_utc(local))
}

fn within_calendar(ms: i64) -> Option<i64> {
    (ms.abs() < YEAR_MAX * 366 * DAY_MS).then_some(ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, zone: &str, missing: Missing, expected: &str) {
        let format = DateFormat::default_format();
        let zone = Zone::parse(zone).unwrap();
        // 2026-11-26T10:20:30.400Z, a Thursday.
        let context = DateMath { format: &format, zone: &zone, now_ms: 1_795_688_430_400, missing };
        let found = parse_date_math(text, context).unwrap();
        assert_eq!(format.print(found, &Zone::utc()), expected, "{text}");
    }

    #[test]
    fn sums_and_roundings() {
        use Missing::{Earliest, Latest};
        check("now", "UTC", Earliest, "2026-11-26T10:20:30.400Z");
        check("now-1d/d", "UTC", Earliest, "2026-11-25T00:00:00.000Z");
        check("now/d", "UTC", Latest, "2026-11-26T23:59:59.999Z");
        check("now/w", "UTC", Earliest, "2026-11-23T00:00:00.000Z");
        check("now/M", "UTC", Latest, "2026-11-30T23:59:59.999Z");
        check("now+1h-m", "UTC", Earliest, "2026-11-26T11:19:30.400Z");
        check("2026-01-31||+1M/d", "UTC", Earliest, "2026-02-28T00:00:00.000Z");
        check("2024-02-29||-1y", "UTC", Latest, "2023-02-28T00:00:00.000Z");
        check("2026-01-31", "UTC", Latest, "2026-01-31T23:59:59.999Z");
        check("2026-01-31||", "UTC", Latest, "2026-01-31T23:59:59.999Z");
        check("2026-01-31||/M", "UTC", Latest, "2026-01-31T23:59:59.999Z");
        // Zones: the day begins at 23:00Z in Paris in winter; `now` itself is not moved.
        check("now/d", "Europe/Paris", Earliest, "2026-11-25T23:00:00.000Z");
        check("now", "Europe/Paris", Earliest, "2026-11-26T10:20:30.400Z");
        check("2026-07-01", "Europe/Paris", Earliest, "2026-06-30T22:00:00.000Z");
        // A day over the change of March has 23 hours.
        check("2026-03-28T12:00||+1d", "Europe/Paris", Earliest, "2026-03-29T10:00:00.000Z");
    }

    #[test]
    fn broken_maths_is_refused() {
        let format = DateFormat::default_format();
        let zone = Zone::utc();
        let context = DateMath { format: &format, zone: &zone, now_ms: 0, missing: Missing::Earliest };
        for bad in [
            "now*2",
            "now-",
            "now-1",
            "now-1x",
            "now/2d",
            "yesterday",
            "now+99999999999y",
            "now+999999999999999999999d",
            "nowé",
        ] {
            assert!(parse_date_math(bad, context).is_err(), "{bad}");
        }
    }
}
