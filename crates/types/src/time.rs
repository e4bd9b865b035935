//! Points in time, spans of time as Elasticsearch writes them, and the clock that tests can own.

use serde::{Deserialize, Serialize};

use crate::Invalid;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TimestampMs(pub i64);

impl TimestampMs {
    /// Whole seconds since the epoch, rounded towards the past.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The last millisecond of the year 9999, the last that dates in four digits can say.
    pub const MAX: Self = Self(253_402_300_799_999);

    /// Can something have happened then: from 1970 to the end of the year 9999? Whatever is outside is a mistake, such as
    /// microseconds taken for milliseconds.
    pub fn is_possible(self) -> bool {
        (0..=Self::MAX.0).contains(&self.0)
    }

    /// `2026-01-31T12:00:00.000Z`; a time outside the calendar is printed as its number.
    pub fn to_iso(self) -> String {
        jiff::Timestamp::from_millisecond(self.0)
            .map_or_else(|_| self.0.to_string(), |t| t.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())
    }
}

impl std::fmt::Display for TimestampMs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Where the present comes from. Tests own it; nothing else asks the operating system.
pub trait Clock: std::fmt::Debug + Send + Sync {
    /// The present.
    fn now(&self) -> TimestampMs;
}

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the present enters")]
    fn now(&self) -> TimestampMs {
        let since_epoch =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        TimestampMs(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}

/// A span of time as Elasticsearch writes it (`15m`), printed in the unit in which it was given.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(try_from = "RawSpan", into = "String")]
pub struct TimeSpan {
    amount: i64,
    unit: Unit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Nanos,
    Micros,
    Millis,
    Seconds,
    Minutes,
    Hours,
    Days,
}

/// Durations come as text, and bare `0` and `-1` also as numbers.
#[derive(Deserialize)]
#[serde(untagged)]
enum RawSpan {
    Text(String),
    Number(i64),
}

const UNITS: [(&str, Unit, i64); 7] = [
    ("nanos", Unit::Nanos, 1),
    ("micros", Unit::Micros, 1_000),
    ("ms", Unit::Millis, 1_000_000),
    ("s", Unit::Seconds, 1_000_000_000),
    ("m", Unit::Minutes, 60_000_000_000),
    ("h", Unit::Hours, 3_600_000_000_000),
    ("d", Unit::Days, 86_400_000_000_000),
];

impl TimeSpan {
    /// A span of whole seconds, in the largest unit that divides it.
    pub const fn from_secs(seconds: i64) -> Self {
        let (amount, unit) = if seconds != 0 && seconds % 86_400 == 0 {
            (seconds / 86_400, Unit::Days)
        } else if seconds != 0 && seconds % 3_600 == 0 {
            (seconds / 3_600, Unit::Hours)
        } else if seconds != 0 && seconds % 60 == 0 {
            (seconds / 60, Unit::Minutes)
        } else {
            (seconds, Unit::Seconds)
        };
        Self { amount, unit }
    }

    /// A span of milliseconds.
    pub const fn from_millis(millis: i64) -> Self {
        if millis % 1000 == 0 {
            Self::from_secs(millis / 1000)
        } else {
            Self { amount: millis, unit: Unit::Millis }
        }
    }

    /// A span that is printed in milliseconds, however long it is.
    pub const fn in_millis(millis: i64) -> Self {
        Self { amount: millis, unit: Unit::Millis }
    }

    fn nanos(self) -> i128 {
        let factor = UNITS.iter().find(|(_, unit, _)| *unit == self.unit).map_or(1, |(_, _, nanos)| *nanos);
        i128::from(self.amount) * i128::from(factor)
    }

    /// Milliseconds, rounded towards zero, saturating.
    pub fn as_millis(self) -> i64 {
        i64::try_from(self.nanos() / 1_000_000).unwrap_or(if self.amount < 0 { i64::MIN } else { i64::MAX })
    }

    /// Whole seconds, rounded towards zero.
    pub fn as_secs(self) -> i64 {
        self.as_millis() / 1000
    }

    /// Is it a whole number of seconds?
    pub fn is_whole_seconds(self) -> bool {
        self.nanos() % 1_000_000_000 == 0
    }

    /// Reads `15m`, `0` or `-1`; `setting` is named in the error.
    ///
    /// # Errors
    /// When there is no unit, an unknown unit, a fraction or an amount that does not fit.
    pub fn parse(text: &str, setting: &str) -> Result<Self, Invalid> {
        let trimmed = text.trim();
        if trimmed == "0" || trimmed == "-1" {
            let amount = if trimmed == "0" { 0 } else { -1 };
            return Ok(Self { amount, unit: Unit::Millis });
        }
        let lower = trimmed.to_ascii_lowercase();
        // `nanos` and `micros` end in `s` as well: the longest suffix is looked for first, and `ms` before `m` and `s`.
        for (suffix, unit, factor) in UNITS {
            let Some(number) = lower.strip_suffix(suffix) else { continue };
            let number = number.trim();
            if !number.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
                continue;
            }
            return match number.parse::<i64>() {
                Ok(amount) if amount < 0 => Err(Invalid::argument(format!(
                    "failed to parse setting [{setting}] with value [{text}] as a time value: negative durations \
                     are not supported"
                ))),
                Ok(amount) if i128::from(amount) * i128::from(factor) <= i128::from(i64::MAX) => {
                    Ok(Self { amount, unit })
                }
                _ => Err(Invalid::argument(format!(
                    "failed to parse setting [{setting}] with value [{text}] as a time value"
                ))),
            };
        }
        Err(Invalid::argument(format!(
            "failed to parse setting [{setting}] with value [{text}] as a time value: unit is missing or unrecognized"
        )))
    }
}

impl PartialEq for TimeSpan {
    fn eq(&self, other: &Self) -> bool {
        self.nanos() == other.nanos()
    }
}

impl Eq for TimeSpan {}

impl PartialOrd for TimeSpan {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TimeSpan {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.nanos().cmp(&other.nanos())
    }
}

impl std::fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.amount <= 0 && self.unit == Unit::Millis {
            return write!(f, "{}", self.amount);
        }
        let suffix =
            UNITS.iter().find(|(_, unit, _)| *unit == self.unit).map_or("ms", |(suffix, ..)| *suffix);
        write!(f, "{}{suffix}", self.amount)
    }
}

impl TryFrom<RawSpan> for TimeSpan {
    type Error = Invalid;
    fn try_from(raw: RawSpan) -> Result<Self, Invalid> {
        match raw {
            RawSpan::Text(text) => Self::parse(&text, "time_value"),
            RawSpan::Number(number) => Self::parse(&number.to_string(), "time_value"),
        }
    }
}

impl From<TimeSpan> for String {
    fn from(span: TimeSpan) -> Self {
        span.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_printed_in_their_own_unit() {
        for (text, millis) in
            [("15m", 900_000), ("1h", 3_600_000), ("90s", 90_000), ("5ms", 5), ("2d", 172_800_000)]
        {
            let span = TimeSpan::parse(text, "x").unwrap();
            assert_eq!((span.as_millis(), span.to_string().as_str()), (millis, text));
        }
        assert_eq!(TimeSpan::parse("-1", "x").unwrap().to_string(), "-1");
        assert_eq!(TimeSpan::from_secs(5400).to_string(), "90m");
    }

    #[test]
    fn spans_without_a_unit_or_with_a_sign_are_refused() {
        for bad in ["15", "m", "1.5h", "-5m", "10x", "", "99999999999999d"] {
            assert!(TimeSpan::parse(bad, "bucket_span").is_err(), "{bad}");
        }
    }

    #[test]
    fn times_print_as_iso() {
        assert_eq!(TimestampMs(1_403_481_600_000).to_iso(), "2014-06-23T00:00:00.000Z");
    }
}
