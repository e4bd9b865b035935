//! Times in records: epoch numbers and ISO 8601 by hand, all other patterns as Elasticsearch reads them.

use dates::{DateFormat, Missing, Zone};

use super::error::InputError;
use super::number::{parse_f64, parse_i64};

/// Integers from here on are taken for milliseconds when the format is to be guessed: as seconds it would be the
/// year 5138, as milliseconds 1973.
const FIRST_GUESSED_MILLIS: i64 = 100_000_000_000;

const MS_PER_DAY: i64 = 86_400_000;

/// How the time of a record is written. A time without a zone is in UTC.
#[derive(Clone, Debug)]
pub(crate) enum TimeFormat {
    /// Guess for each value: seconds, milliseconds, or ISO 8601.
    Auto,
    /// Seconds since 1970, with or without a fraction.
    Epoch,
    /// Milliseconds since 1970.
    EpochMs,
    /// `yyyy-MM-dd HH:mm:ss` and its variants: `T` or a space, seconds, fraction and zone or not.
    Iso { name: String },
    /// A Java date pattern, or a date format of Elasticsearch.
    Pattern(DateFormat),
}

impl TimeFormat {
    /// `auto`, `epoch`, `epoch_ms`, the name of a date format, or a date pattern.
    ///
    /// # Errors
    /// When it is none of these.
    pub(crate) fn new(format: &str) -> Result<Self, InputError> {
        Ok(match format {
            "" | "auto" => Self::Auto,
            "epoch" | "epoch_second" => Self::Epoch,
            "epoch_ms" | "epoch_millis" => Self::EpochMs,
            iso if is_iso(iso) => Self::Iso { name: iso.to_owned() },
            _ => match DateFormat::new(format) {
                Ok(pattern) => Self::Pattern(pattern),
                Err(_) => return Err(InputError::TimeFormat(format.to_owned())),
            },
        })
    }

    pub(super) fn name(&self) -> &str {
        match self {
            Self::Auto => "auto",
            Self::Epoch => "epoch",
            Self::EpochMs => "epoch_ms",
            Self::Iso { name } => name,
            Self::Pattern(pattern) => pattern.source(),
        }
    }

    /// Milliseconds since the epoch.
    #[inline]
    pub(super) fn parse(&self, text: &[u8]) -> Option<i64> {
        match self {
            Self::Auto => match parse_i64(text) {
                Some(ms) if ms.abs() >= FIRST_GUESSED_MILLIS => Some(ms),
                Some(seconds) => seconds.checked_mul(1000),
                None => parse_iso(text).or_else(|| parse_seconds(text)),
            },
            Self::Epoch => match parse_i64(text) {
                Some(seconds) => seconds.checked_mul(1000),
                None => parse_seconds(text),
            },
            Self::EpochMs => parse_i64(text).or_else(|| whole(parse_f64(text)?)),
            Self::Iso { .. } => parse_iso(text),
            Self::Pattern(pattern) => {
                pattern.parse(std::str::from_utf8(text).ok()?, &Zone::utc(), Missing::Earliest).ok()
            }
        }
    }
}

/// Patterns whose every text [`parse_iso`] reads right.
fn is_iso(format: &str) -> bool {
    let plain = format.replace("'T'", " ").replace(',', ".");
    let (date_time, zone) = match plain.find(['X', 'Z']) {
        Some(at) => plain.split_at(at),
        None => (plain.as_str(), ""),
    };
    let fraction =
        |f: &str| f.is_empty() || (f.starts_with('.') && f.len() > 1 && f[1..].bytes().all(|b| b == b'S'));
    let time = ["yyyy-MM-dd HH:mm:ss", "yyyy-MM-dd HH:mm", "yyyy-MM-dd"];
    let known_zone = matches!(zone, "" | "X" | "XX" | "XXX" | "Z" | "ZZ" | "ZZZ");
    known_zone && time.iter().any(|t| date_time.strip_prefix(t).is_some_and(fraction))
}

fn parse_seconds(text: &[u8]) -> Option<i64> {
    whole(parse_f64(text)? * 1000.0)
}

fn whole(ms: f64) -> Option<i64> {
    let rounded = ms.round();
    (rounded.abs() < i64::MAX as f64).then_some(rounded as i64)
}

/// `yyyy-MM-dd`, then `T` or a space and `HH:mm`, then `:ss`, a fraction, and `Z` or an offset; UTC without one.
#[inline]
fn parse_iso(text: &[u8]) -> Option<i64> {
    let date = text.get(..10)?;
    if date[4] != b'-' || date[7] != b'-' {
        return None;
    }
    let year = i64::from(two(&date[..2])? * 100 + two(&date[2..4])?);
    let (month, day) = (two(&date[5..7])?, two(&date[8..10])?);
    if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    let midnight = days_from_epoch(year, i64::from(month), i64::from(day)) * MS_PER_DAY;
    match text.get(10) {
        None => Some(midnight),
        Some(b'T' | b't' | b' ') => time_of_day(&text[11..]).map(|ms| midnight + ms),
        Some(_) => None,
    }
}

fn time_of_day(text: &[u8]) -> Option<i64> {
    let hours_minutes = text.get(..5)?;
    let (hour, minute) = (two(&hours_minutes[..2])?, two(&hours_minutes[3..])?);
    if hours_minutes[2] != b':' || hour > 23 || minute > 59 {
        return None;
    }
    let mut ms = i64::from(hour * 3600 + minute * 60) * 1000;
    let mut rest = &text[5..];
    if let [b':', seconds @ ..] = rest {
        let second = two(seconds.get(..2)?)?;
        if second > 59 {
            return None;
        }
        ms += i64::from(second) * 1000;
        rest = &seconds[2..];
        if let [b'.' | b',', fraction @ ..] = rest {
            let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
            if digits == 0 {
                return None;
            }
            let millis =
                (0..3).fold(0, |ms, i| ms * 10 + if i < digits { i64::from(fraction[i] - b'0') } else { 0 });
            ms += millis;
            rest = &fraction[digits..];
        }
    }
    offset_ms(rest).map(|offset| ms - offset)
}

/// Nothing, `Z`, `+02`, `+0200`, `+02:00`.
fn offset_ms(text: &[u8]) -> Option<i64> {
    let (sign, digits) = match text {
        [] | [b'Z' | b'z'] => return Some(0),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let hours = two(digits.get(..2)?)?;
    let minutes = match &digits[2..] {
        [] => 0,
        [b':', minutes @ ..] | minutes if minutes.len() == 2 => two(minutes)?,
        _ => return None,
    };
    (hours <= 18 && minutes <= 59).then(|| sign * i64::from(hours * 60 + minutes) * 60_000)
}

#[inline]
fn two(digits: &[u8]) -> Option<u32> {
    match *digits {
        [a @ b'0'..=b'9', b @ b'0'..=b'9'] => Some(u32::from(a - b'0') * 10 + u32::from(b - b'0')),
        _ => None,
    }
}

fn days_in(year: i64, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the Gregorian calendar (Hinnant, "chrono-compatible low-level date algorithms").
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(format: &str, text: &str) -> Option<i64> {
        TimeFormat::new(format).unwrap().parse(text.as_bytes())
    }

    #[test]
    fn times_are_read_in_their_format() {
        let check =
            |format: &str, text: &str, ms: i64| assert_eq!(parse(format, text), Some(ms), "{format} {text}");
        check("epoch", "1403481600", 1_403_481_600_000);
        check("epoch", "1403481600.5", 1_403_481_600_500);
        check("epoch", "-1", -1000);
        check("epoch_ms", "1403481600123", 1_403_481_600_123);
        check("epoch_ms", "1.403481600123E12", 1_403_481_600_123);
        check("auto", "1403481600", 1_403_481_600_000);
        check("auto", "1403481600123", 1_403_481_600_123);
        check("auto", "2014-06-23T00:00:00Z", 1_403_481_600_000);
        check("auto", "2014-06-23 00:00:00", 1_403_481_600_000);
        check("yyyy-MM-dd HH:mm:ss", "2014-06-23 00:00:01", 1_403_481_601_000);
        check("yyyy-MM-dd'T'HH:mm:ss.SSSX", "2014-06-23T02:00:00.250+02", 1_403_481_600_250);
        check("yyyy-MM-dd'T'HH:mm:ssXXX", "2014-06-22T22:30:00-01:30", 1_403_481_600_000);
        check("dd/MM/yyyy HH:mm", "23/06/2014 00:00", 1_403_481_600_000);
        check("strict_date_optional_time", "2014-06-23T00:00:00.000Z", 1_403_481_600_000);
    }

    #[test]
    fn other_texts_are_no_times() {
        for text in [
            "",
            "x",
            "2014-02-29",
            "2014-13-01",
            "2014-06-23T24:00:00",
            "2014-06-23 00:00:00 ",
            "2014-06-23T00:00:00+2",
        ] {
            assert_eq!(parse("auto", text), None, "{text}");
        }
        assert_eq!(parse("epoch", "1e300"), None);
        assert_eq!(parse("epoch", "NaN"), None);
        assert!(TimeFormat::new("no pattern").is_err());
    }

    proptest! {
        #[test]
        fn iso_times_are_read_as_printed(ms in -60_000_000_000_000i64..250_000_000_000_000) {
            let text = jiff::Timestamp::from_millisecond(ms).unwrap().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
            prop_assert_eq!(parse_iso(text.as_bytes()), Some(ms), "{}", text);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40), tail in "[-+:.0-9TZ ]{0,30}") {
            let _ = TimeFormat::Auto.parse(&bytes);
            let _ = parse_iso(format!("2014-06-23{tail}").as_bytes());
        }
    }
}
