//! Printing by a pattern.

use std::fmt::Write as _;

use super::civil::{DAY_MS, civil_from_days, days_from_civil, iso_week, weekday};
use super::pattern::{Item, MONTHS, Pattern, WEEKDAYS};

/// A moment on local clocks.
pub(super) struct Local {
    days: i64,
    year: i64,
    month: i64,
    day: i64,
    milli_of_day: i64,
    offset_s: i64,
}

impl Local {
    /// The moment `ms` on clocks that are `offset_ms` ahead of UTC.
    pub(super) fn new(ms: i64, offset_ms: i64) -> Self {
        let local = ms.saturating_add(offset_ms);
        let days = local.div_euclid(DAY_MS);
        let (year, month, day) = civil_from_days(days);
        Self { days, year, month, day, milli_of_day: local.rem_euclid(DAY_MS), offset_s: offset_ms / 1000 }
    }

    /// `2026-01-31T12:00:00.000Z`.
    pub(super) fn iso(&self, out: &mut String) {
        self.year_padded(out, 4);
        let (hour, minute, second, milli) = self.time();
        let _ =
            write!(out, "-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}", self.month, self.day);
        self.offset(out, true, true, true);
    }

    fn time(&self) -> (i64, i64, i64, i64) {
        let t = self.milli_of_day;
        (t / 3_600_000, t / 60_000 % 60, t / 1000 % 60, t % 1000)
    }

    fn year_padded(&self, out: &mut String, width: usize) {
        let _ = match self.year {
            year if year > 9999 && width == 4 => write!(out, "+{year}"),
            year if year < 0 => write!(out, "-{:0width$}", -year),
            year => write!(out, "{year:0width$}"),
        };
    }

    fn offset(&self, out: &mut String, z: bool, colon: bool, minutes_always: bool) {
        if z && self.offset_s == 0 {
            out.push('Z');
            return;
        }
        let minutes = self.offset_s.abs() / 60;
        let _ = write!(out, "{}{:02}", if self.offset_s < 0 { '-' } else { '+' }, minutes / 60);
        if minutes_always || minutes % 60 != 0 {
            let _ = write!(out, "{}{:02}", if colon { ":" } else { "" }, minutes % 60);
        }
    }
}

impl Pattern {
    /// Prints a moment. `zone_name` is what zone letters show.
    pub(super) fn print(&self, local: &Local, zone_name: &str, out: &mut String) {
        print_items(&self.items, local, zone_name, out);
    }
}

fn print_items(items: &[Item], local: &Local, zone_name: &str, out: &mut String) {
    for item in items {
        match item {
            Item::Literal(text) => out.push_str(text),
            Item::Optional(inner) => print_items(inner, local, zone_name, out),
            Item::Field(letter, count) => print_field(*letter, *count, local, zone_name, out),
        }
    }
}

fn print_field(letter: char, count: usize, local: &Local, zone_name: &str, out: &mut String) {
    let (hour, minute, second, milli) = local.time();
    let padded = |out: &mut String, value: i64| {
        let _ = write!(out, "{value:0count$}");
    };
    match letter {
        'y' | 'u' if count == 2 => padded(out, local.year.rem_euclid(100)),
        'y' | 'u' => local.year_padded(out, count),
        'Y' => padded(out, iso_week(local.days).0),
        'w' => padded(out, iso_week(local.days).1),
        'M' | 'L' if count >= 3 => out.push_str(short_or_long(MONTHS[index(local.month)], count)),
        'M' | 'L' => padded(out, local.month),
        'd' => padded(out, local.day),
        'D' => padded(out, local.days - days_from_civil(local.year, 1, 1) + 1),
        'E' => out.push_str(short_or_long(WEEKDAYS[index(weekday(local.days))], count)),
        'e' if count >= 3 => out.push_str(short_or_long(WEEKDAYS[index(weekday(local.days))], count)),
        'e' => padded(out, weekday(local.days)),
        'H' => padded(out, hour),
        'k' => padded(out, if hour == 0 { 24 } else { hour }),
        'K' => padded(out, hour % 12),
        'h' => padded(out, if hour % 12 == 0 { 12 } else { hour % 12 }),
        'm' => padded(out, minute),
        's' => padded(out, second),
        'S' => {
            let nanos = format!("{:09}", milli * 1_000_000);
            out.push_str(&nanos[..count.min(9)]);
        }
        'n' => padded(out, milli * 1_000_000),
        'A' => padded(out, local.milli_of_day),
        'a' => out.push_str(if hour < 12 { "AM" } else { "PM" }),
        'X' => local.offset(out, true, count == 3 || count == 5, count > 1),
        'x' => local.offset(out, false, count == 3 || count == 5, count > 1),
        'Z' if count == 5 => local.offset(out, true, true, true),
        'Z' => local.offset(out, false, false, true),
        _ => out.push_str(zone_name),
    }
}

/// Months and weekdays count from one.
fn index(value: i64) -> usize {
    usize::try_from(value - 1).expect("months and weekdays count from one")
}

fn short_or_long(name: &'static str, count: usize) -> &'static str {
    match count {
        4 => name,
        5 => &name[..1],
        _ => &name[..3],
    }
}
