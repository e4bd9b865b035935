//! Date formats: named ones, Java patterns, and `||` between alternatives.

use std::sync::{Arc, LazyLock};

use serde_json::Value;

use super::optional_time;
use super::pattern::{Leniency, Missing, Pattern};
use super::pattern_print::Local;
use super::zone::Zone;
use super::{named, zone};
use types::Invalid;

use crate::Result;

/// How the date strings of a field are read and printed: with the first alternative that fits, and with the first one.
#[derive(Clone, Debug, PartialEq)]
pub struct DateFormat {
    source: String,
    alternatives: Vec<Alternative>,
}

#[derive(Clone, Debug, PartialEq)]
enum Alternative {
    OptionalTime { strict: bool, nanos: bool },
    EpochMillis,
    EpochSecond,
    Pattern(Pattern),
}

/// The format of date fields that name none.
pub const DEFAULT: &str = "strict_date_optional_time||epoch_millis";

impl DateFormat {
    /// Reads a format such as `yyyy-MM-dd HH:mm:ss||epoch_second`.
    ///
    /// # Errors
    /// When an alternative is neither a known name nor a pattern.
    pub fn new(source: &str) -> Result<Self> {
        let trimmed =
            source.strip_prefix('8').filter(|rest| rest.contains(['y', 'u', '_'])).unwrap_or(source);
        let alternatives = trimmed
            .split("||")
            .map(|part| {
                Alternative::new(part.trim())
                    .map_err(|why| Invalid::argument(format!("Invalid format: [{source}]: {why}")))
            })
            .collect::<Result<_>>()?;
        Ok(Self { source: source.to_owned(), alternatives })
    }

    /// `strict_date_optional_time||epoch_millis`.
    pub fn default_format() -> Arc<Self> {
        static FORMAT: LazyLock<Arc<DateFormat>> =
            LazyLock::new(|| Arc::new(DateFormat::new(DEFAULT).expect("the default format is valid")));
        Arc::clone(&FORMAT)
    }

    /// The format as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Reads a date string; one without an offset of its own is in `zone`.
    ///
    /// # Errors
    /// When no alternative fits.
    pub fn parse(&self, text: &str, zone: &Zone, missing: Missing) -> Result<i64> {
        self.alternatives.iter().find_map(|alternative| alternative.parse(text, zone, missing)).ok_or_else(
            || Invalid::parse(format!("failed to parse date field [{text}] with format [{}]", self.source)),
        )
    }

    /// Reads the value of a document: a string, or a number, which is read as its digits.
    ///
    /// # Errors
    /// When it is neither, or no alternative fits.
    pub fn parse_value(&self, value: &Value) -> Result<i64> {
        match value {
            Value::String(text) => self.parse(text, &Zone::utc(), Missing::Earliest),
            Value::Number(number) => {
                // Most numbers are epoch milliseconds; spare them the way through text where the result is the same.
                if let (Some(ms @ 100_000..), true) = (number.as_i64(), self.source == DEFAULT) {
                    return Ok(ms);
                }
                self.parse(&number.to_string(), &Zone::utc(), Missing::Earliest)
            }
            other => Err(Invalid::parse(format!(
                "failed to parse date field [{other}] with format [{}]",
                self.source
            ))),
        }
    }

    /// Prints `ms` in `zone` with the first alternative.
    pub fn print(&self, ms: i64, zone: &Zone) -> String {
        let mut out = String::with_capacity(24);
        let local = || Local::new(ms, zone.offset_ms(ms));
        match &self.alternatives[0] {
            Alternative::OptionalTime { .. } => local().iso(&mut out),
            Alternative::EpochMillis => out = ms.to_string(),
            Alternative::EpochSecond if ms % 1000 == 0 => out = (ms / 1000).to_string(),
            Alternative::EpochSecond => {
                let fraction = format!("{:03}", ms.unsigned_abs() % 1000);
                let sign = if ms < 0 { "-" } else { "" };
                out = format!("{sign}{}.{}", ms.unsigned_abs() / 1000, fraction.trim_end_matches('0'));
            }
            Alternative::Pattern(pattern) => pattern.print(&local(), &zone.to_string(), &mut out),
        }
        out
    }
}

impl Alternative {
    fn new(text: &str) -> std::result::Result<Self, String> {
        let (strict, name) = match text.strip_prefix("strict_") {
            Some(name) => (true, name),
            None => (false, text),
        };
        match name {
            "" => return Err("No date pattern provided".to_owned()),
            "date_optional_time" | "date_optional_time_nanos" | "iso8601" | "rfc3339_lenient" => {
                let strict = strict || !name.starts_with("date");
                return Ok(Self::OptionalTime { strict, nanos: name.ends_with("nanos") });
            }
            "epoch_millis" if !strict => return Ok(Self::EpochMillis),
            "epoch_second" if !strict => return Ok(Self::EpochSecond),
            _ => {}
        }
        match named::pattern(name) {
            Some(pattern) => {
                let leniency = if strict { Leniency::NamedStrict } else { Leniency::Named };
                Pattern::compile(pattern, leniency).map(Self::Pattern)
            }
            None => Pattern::compile(text, Leniency::Pattern).map(Self::Pattern),
        }
    }

    fn parse(&self, text: &str, zone: &Zone, missing: Missing) -> Option<i64> {
        match self {
            Self::OptionalTime { strict, .. } => optional_time::parse(text, *strict)?.resolve(zone, missing),
            Self::EpochMillis => epoch(text, 1, 0),
            Self::EpochSecond => epoch(text, 1000, if missing == Missing::Latest { 999 } else { 0 }),
            Self::Pattern(pattern) => pattern.parse(text)?.resolve(zone, missing),
        }
    }
}

/// A number of units of `factor` milliseconds, with or without decimals; `rest` milliseconds are added when there are none.
fn epoch(text: &str, factor: i64, rest: i64) -> Option<i64> {
    let (negative, unsigned) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, decimals) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(decimals) || unsigned.ends_with('.') {
        return None;
    }
    let whole = whole.parse::<i64>().ok()?.checked_mul(factor)?;
    let part = match (factor, decimals.is_empty()) {
        (1, _) => 0,
        (_, true) if negative => 0,
        (_, true) => rest,
        (_, false) => format!("{decimals:0<3}").get(..3)?.parse().ok()?,
    };
    let magnitude = whole.checked_add(part)?;
    Some(if negative { -magnitude } else { magnitude })
}

impl std::fmt::Display for Zone {
    /// The zone's name; for a fixed offset, the offset.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&zone::name(self))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(format: &str, text: &str) -> Option<String> {
        let format = DateFormat::new(format).unwrap();
        let ms = format.parse(text, &Zone::utc(), Missing::Earliest).ok()?;
        Some(DateFormat::default_format().print(ms, &Zone::utc()))
    }

    #[test]
    fn default_format_takes_iso_dates_and_millis() {
        for (text, iso) in [
            ("2026-01-31", "2026-01-31T00:00:00.000Z"),
            ("2026", "2026-01-01T00:00:00.000Z"),
            ("2026-02", "2026-02-01T00:00:00.000Z"),
            ("2026-01-31T12", "2026-01-31T12:00:00.000Z"),
            ("2026-01-31T12:30:05.123456789+01:00", "2026-01-31T11:30:05.123Z"),
            ("2026-01-31T12:30:05-0530", "2026-01-31T18:00:05.000Z"),
            ("2026-01-31T12:30Z", "2026-01-31T12:30:00.000Z"),
            ("1769817600000", "2026-01-31T00:00:00.000Z"),
            ("-1", "1969-12-31T23:59:59.999Z"),
            ("0", "1970-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(read(DEFAULT, text).as_deref(), Some(iso), "{text}");
        }
        for bad in [
            "2026-1-31",
            "2026-02-30",
            "2026-01-31 12:00",
            "2026-01-31T25",
            "x",
            "",
            "2026-13-01",
            "26-01-01",
        ] {
            assert_eq!(read(DEFAULT, bad), None, "{bad}");
        }
    }

    #[test]
    fn named_formats_and_patterns() {
        for (format, text, iso) in [
            ("yyyy-MM-dd HH:mm:ss", "2026-01-31 12:30:05", "2026-01-31T12:30:05.000Z"),
            ("basic_date", "20260131", "2026-01-31T00:00:00.000Z"),
            ("basic_date_time", "20260131T123005.5Z", "2026-01-31T12:30:05.500Z"),
            ("date_time_no_millis", "2026-01-31T12:30:05+02:00", "2026-01-31T10:30:05.000Z"),
            ("strict_date_hour_minute_second", "2026-01-31T12:30:05", "2026-01-31T12:30:05.000Z"),
            ("date", "2026-1-5", "2026-01-05T00:00:00.000Z"),
            ("epoch_second", "1769817600.25", "2026-01-31T00:00:00.250Z"),
            ("dd/MMM/yyyy:HH:mm:ss Z", "31/Jan/2026:12:30:05 +0100", "2026-01-31T11:30:05.000Z"),
            ("yyyyMMddHHmmssSSS", "20260131123005123", "2026-01-31T12:30:05.123Z"),
            ("h:mm a, d MMMM uuuu", "1:05 PM, 3 July 2026", "2026-07-03T13:05:00.000Z"),
            ("yyyy-MM-dd['T'HH:mm]", "2026-01-31", "2026-01-31T00:00:00.000Z"),
            ("yyyy-MM-dd['T'HH:mm]", "2026-01-31T09:08", "2026-01-31T09:08:00.000Z"),
            ("week_date", "2026-W48-4", "2026-11-26T00:00:00.000Z"),
            ("ordinal_date", "2026-032", "2026-02-01T00:00:00.000Z"),
            ("yyyy/MM/dd||epoch_millis", "1769817600000", "2026-01-31T00:00:00.000Z"),
            ("yyyy-MM-dd VV", "2026-07-01 Europe/Paris", "2026-06-30T22:00:00.000Z"),
        ] {
            assert_eq!(read(format, text).as_deref(), Some(iso), "{format} {text}");
        }
        assert_eq!(read("strict_date", "2026-1-5"), None);
        for bad in ["", "yyyy||", "q", "yyyy 'x", "yyyy]", "[yyyy", "strict_epoch_millis"] {
            assert!(DateFormat::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn missing_time_is_the_end_of_the_day_when_rounded_up() {
        let format = DateFormat::default_format();
        let last = format.parse("2026-01-31", &Zone::utc(), Missing::Latest).unwrap();
        assert_eq!(format.print(last, &Zone::utc()), "2026-01-31T23:59:59.999Z");
        let hour = format.parse("2026-01-31T05", &Zone::utc(), Missing::Latest).unwrap();
        assert_eq!(format.print(hour, &Zone::utc()), "2026-01-31T05:59:59.999Z");
    }

    #[test]
    fn values_of_documents() {
        let format = DateFormat::default_format();
        assert_eq!(format.parse_value(&serde_json::json!(1_769_817_600_000_i64)).unwrap(), 1_769_817_600_000);
        assert_eq!(format.parse_value(&serde_json::json!(2014)).unwrap(), 1_388_534_400_000);
        assert!(format.parse_value(&serde_json::json!(true)).is_err());
    }

    #[test]
    fn printing_in_a_zone() {
        let paris = Zone::parse("Europe/Paris").unwrap();
        let format = DateFormat::default_format();
        assert_eq!(format.print(1_769_817_600_000, &paris), "2026-01-31T01:00:00.000+01:00");
        assert_eq!(DateFormat::new("E, d MMM yy").unwrap().print(0, &Zone::utc()), "Thu, 1 Jan 70");
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(ms in -62_000_000_000_000_i64..250_000_000_000_000, which in 0_usize..7) {
            let (format, unit) = [
                (DEFAULT, 1), ("epoch_millis", 1), ("epoch_second", 1),
                ("yyyy-MM-dd HH:mm:ss", 1000), ("basic_date_time", 1), ("week_date_time", 1), ("yyyyDDDA", 1),
            ][which];
            let format = DateFormat::new(format).unwrap();
            let zone = Zone::parse("America/New_York").unwrap();
            let ms = ms.div_euclid(unit) * unit;
            let printed = format.print(ms, &Zone::utc());
            prop_assert_eq!(format.parse(&printed, &Zone::utc(), Missing::Earliest).unwrap(), ms, "{}", printed);
            if which == 0 {
                let printed = format.print(ms.max(0), &zone);
                prop_assert_eq!(format.parse(&printed, &Zone::utc(), Missing::Earliest).unwrap(), ms.max(0));
            }
        }

        #[test]
        fn no_text_breaks_the_reader(text in "[-+0-9T:.Zz/ a-c]{0,24}", pattern in "[yMdHmsSaEXZ'\\[\\] -]{0,12}") {
            if let Ok(format) = DateFormat::new(&pattern) {
                let _ = format.parse(&text, &Zone::utc(), Missing::Latest);
                format.print(1_769_817_600_123, &Zone::utc());
            }
            let _ = DateFormat::default_format().parse(&text, &Zone::utc(), Missing::Latest);
        }
    }
}
