//! Time zones: fixed offsets and names of the time zone database.

use jiff::Timestamp;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use types::Invalid;

use crate::Result;

/// A time zone.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone {
    zone: TimeZone,
    /// Set when the offset never changes, in milliseconds: arithmetic then does without the database.
    fixed_ms: Option<i64>,
}

/// What a local time is in a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LocalTime {
    /// One moment.
    Once(i64),
    /// Two moments, the earlier one first: clocks were put back.
    Twice(i64, i64),
    /// None: clocks were put forward over it, at `at`; `after` is the moment as far behind the jump as the local time is
    /// behind its beginning.
    Never { at: i64, after: i64 },
}

impl Default for Zone {
    fn default() -> Self {
        Self::utc()
    }
}

impl Zone {
    /// Coordinated universal time.
    pub fn utc() -> Self {
        Self { zone: TimeZone::UTC, fixed_ms: Some(0) }
    }

    /// Reads `Z`, `UTC`, `+01:00`, `-0530`, `UTC+1`, `Europe/Paris`.
    ///
    /// # Errors
    /// When there is no such zone.
    pub fn parse(text: &str) -> Result<Self> {
        if matches!(text, "Z" | "UTC" | "GMT" | "UT" | "Etc/UTC") {
            return Ok(Self::utc());
        }
        let unprefixed = ["UTC", "GMT", "UT"].iter().find_map(|p| text.strip_prefix(p)).unwrap_or(text);
        if unprefixed.starts_with(['+', '-']) {
            return parse_offset(unprefixed)
                .filter(|(_, rest)| rest.is_empty())
                .and_then(|(seconds, _)| Self::fixed(seconds))
                .ok_or_else(|| unknown(text));
        }
        let zone = TimeZone::get(text).map_err(|_| unknown(text))?;
        Ok(Self { fixed_ms: zone.to_fixed_offset().ok().map(|o| i64::from(o.seconds()) * 1000), zone })
    }

    /// A zone that is always `seconds` ahead of UTC; at most 18 hours, as Java has it.
    pub(super) fn fixed(seconds: i32) -> Option<Self> {
        if seconds.abs() > 18 * 3600 {
            return None;
        }
        let offset = Offset::from_seconds(seconds).ok()?;
        Some(Self { zone: TimeZone::fixed(offset), fixed_ms: Some(i64::from(seconds) * 1000) })
    }

    /// The offset in milliseconds, when it is the same for ever.
    pub fn fixed_offset_ms(&self) -> Option<i64> {
        self.fixed_ms
    }

    /// How far local clocks are ahead of UTC at `ms`, in milliseconds.
    pub fn offset_ms(&self, ms: i64) -> i64 {
        self.fixed_ms.unwrap_or_else(|| i64::from(self.zone.to_offset(timestamp(ms)).seconds()) * 1000)
    }

    /// The span around `ms` in which the offset stays the same, `from..to`, and that offset.
    pub(super) fn steady_span(&self, ms: i64) -> (i64, i64, i64) {
        if let Some(fixed) = self.fixed_ms {
            return (i64::MIN, i64::MAX, fixed);
        }
        let after = timestamp(ms.saturating_add(1));
        let from = self.zone.preceding(after).next().map_or(i64::MIN, |t| t.timestamp().as_millisecond());
        let to =
            self.zone.following(timestamp(ms)).next().map_or(i64::MAX, |t| t.timestamp().as_millisecond());
        (from, to, self.offset_ms(ms))
    }

    /// The moments at which local clocks show `local_ms` (milliseconds since 1970-01-01T00:00 on those clocks).
    pub(super) fn local(&self, local_ms: i64) -> LocalTime {
        if let Some(fixed) = self.fixed_ms {
            return LocalTime::Once(local_ms.saturating_sub(fixed));
        }
        let civil = Offset::UTC.to_datetime(timestamp(local_ms));
        let at = |offset: Offset| local_ms.saturating_sub(i64::from(offset.seconds()) * 1000);
        match self.zone.to_ambiguous_timestamp(civil).offset() {
            AmbiguousOffset::Unambiguous { offset } => LocalTime::Once(at(offset)),
            AmbiguousOffset::Fold { before, after } => LocalTime::Twice(at(before), at(after)),
            AmbiguousOffset::Gap { before, .. } => {
                let after = at(before);
                let (jump, ..) = self.steady_span(after);
                LocalTime::Never { at: jump, after }
            }
        }
    }

    /// The moment at which local clocks show `local_ms`: the earlier of two, and behind a jump by as much as the local time
    /// is behind its beginning.
    pub fn to_utc(&self, local_ms: i64) -> i64 {
        match self.local(local_ms) {
            LocalTime::Once(ms) | LocalTime::Twice(ms, _) => ms,
            LocalTime::Never { after, .. } => after,
        }
    }
}

fn unknown(text: &str) -> Invalid {
    Invalid::argument(format!("Unknown time-zone ID: {text}"))
}

/// The name under which the zone was asked for; for a fixed offset, the offset.
pub(super) fn name(zone: &Zone) -> String {
    match (zone.zone.iana_name(), zone.fixed_ms) {
        (Some(name), _) if name != "UTC" => name.to_owned(),
        (_, Some(0)) => "Z".to_owned(),
        (_, Some(ms)) => {
            let minutes = ms.abs() / 60_000;
            format!("{}{:02}:{:02}", if ms < 0 { '-' } else { '+' }, minutes / 60, minutes % 60)
        }
        (name, None) => name.unwrap_or("Z").to_owned(),
    }
}

/// Times beyond the calendar (years ±9999) are treated as its end: no zone has rules there.
fn timestamp(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(if ms < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// Reads `Z`, `+01`, `+0100`, `+01:00` or `+01:00:30` at the beginning of a text: seconds ahead of UTC, and the rest.
pub(super) fn parse_offset(text: &str) -> Option<(i32, &str)> {
    if let Some(rest) = text.strip_prefix('Z') {
        return Some((0, rest));
    }
    let (sign, mut rest) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let mut seconds = 0;
    let mut colon = false;
    for (place, factor) in [3600, 60, 1].into_iter().enumerate() {
        let after_colon = rest.strip_prefix(':');
        let from = match (place, after_colon) {
            (0, None) => rest,
            (0, Some(_)) => return None,
            (1, Some(after)) => {
                colon = true;
                after
            }
            (1, None) => rest,
            (_, Some(after)) if colon => after,
            (_, None) if !colon => rest,
            _ => break,
        };
        let digits = from.bytes().take(2).take_while(u8::is_ascii_digit).count();
        if digits == 2 || (place == 0 && digits == 1) {
            let number: i32 = from[..digits].parse().ok()?;
            if place > 0 && number > 59 {
                return None;
            }
            seconds += number * factor;
            rest = &from[digits..];
        } else if place == 0 || after_colon.is_some() {
            return None;
        } else {
            break;
        }
    }
    Some((sign * seconds, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_read() {
        for (text, offset) in [
            ("Z", 0),
            ("+01:00", 3600),
            ("-0530", -19_800),
            ("+2", 7200),
            ("UTC+1", 3600),
            ("Asia/Tokyo", 32_400),
        ] {
            assert_eq!(Zone::parse(text).unwrap().offset_ms(0), offset * 1000, "{text}");
        }
        for bad in ["Mars/Base", "+25:00", "+", "+01:", "+01:75", "", "+01x"] {
            assert!(Zone::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn local_times_around_the_changes_of_2026_in_paris() {
        let paris = Zone::parse("Europe/Paris").unwrap();
        // 2026-03-29T02:30 does not exist: at 01:00Z clocks go from 02:00 to 03:00.
        let jump = 1_774_746_000_000;
        assert_eq!(
            paris.local(jump + 3_600_000 + 1_800_000),
            LocalTime::Never { at: jump, after: jump + 1_800_000 }
        );
        // 2026-10-25T02:30 happens twice: at 01:00Z clocks go from 03:00 back to 02:00.
        let back = 1_792_890_000_000;
        assert_eq!(
            paris.local(back + 3_600_000 + 1_800_000),
            LocalTime::Twice(back - 1_800_000, back + 1_800_000)
        );
    }
}
