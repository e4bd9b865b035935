//! The time of a record, as the job's `time_format` says.

use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use serde_json::Value;
use types::Invalid;

/// How times are written.
#[derive(Clone, Debug)]
pub(crate) enum TimeFormat {
    /// Seconds since 1970, also with a fraction, also as text.
    Epoch,
    /// Milliseconds since 1970, also as text.
    EpochMs,
    /// A date pattern, put into the words of `strptime`; without a zone in it, times are UTC.
    Pattern(String),
}

impl TimeFormat {
    /// # Errors
    /// When the pattern has letters that cannot be read.
    pub(crate) fn new(format: &str) -> Result<Self, Invalid> {
        match format {
            "epoch" => Ok(Self::Epoch),
            "epoch_ms" => Ok(Self::EpochMs),
            pattern => strptime(pattern)
                .map(Self::Pattern)
                .ok_or_else(|| Invalid::argument(format!("Invalid Time format string '{pattern}'"))),
        }
    }

    /// Milliseconds since 1970; `None` when it cannot be read.
    pub(crate) fn read(&self, value: &Value) -> Option<i64> {
        match self {
            Self::EpochMs => match value {
                Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(whole)),
                Value::String(text) => {
                    let text = text.trim();
                    text.parse().ok().or_else(|| text.parse().ok().and_then(whole))
                }
                _ => None,
            },
            Self::Epoch => match value {
                Value::Number(number) => seconds(number.as_i64(), number.as_f64()),
                Value::String(text) => seconds(text.trim().parse().ok(), text.trim().parse().ok()),
                _ => None,
            },
            Self::Pattern(pattern) => {
                let parsed = strtime::parse(pattern, value.as_str()?).ok()?;
                let timestamp = parsed.to_timestamp().ok().or_else(|| {
                    let date = parsed.to_datetime().or_else(|_| parsed.to_date().map(Into::into)).ok()?;
                    TimeZone::UTC.to_timestamp(date).ok()
                })?;
                Some(timestamp.as_millisecond())
            }
        }
    }
}

fn whole(value: f64) -> Option<i64> {
    (value.is_finite() && value.abs() < 9.0e15).then_some(value as i64)
}

fn seconds(integer: Option<i64>, float: Option<f64>) -> Option<i64> {
    match integer {
        Some(seconds) => seconds.checked_mul(1000),
        None => float.and_then(|seconds| whole((seconds * 1000.0).round())),
    }
}

/// A pattern of letters (`yyyy-MM-dd'T'HH:mm:ssX`) in the words of `strptime`.
fn strptime(pattern: &str) -> Option<String> {
    let mut out = String::new();
    let letters: Vec<char> = pattern.chars().collect();
    let mut at = 0;
    while at < letters.len() {
        let letter = letters[at];
        if letter == '\'' {
            let close = (at + 1..letters.len()).find(|at| letters[*at] == '\'')?;
            out.extend(if close == at + 1 { vec!['\''] } else { letters[at + 1..close].to_vec() });
            at = close + 1;
            continue;
        }
        let length = letters[at..].iter().take_while(|other| **other == letter).count();
        at += length;
        let word = match (letter, length) {
            ('y' | 'u', 2) => "%y",
            ('y' | 'u', _) => "%Y",
            ('M' | 'L', 1 | 2) => "%m",
            ('M' | 'L', 3) => "%b",
            ('M' | 'L', _) => "%B",
            ('d', _) => "%d",
            ('D', _) => "%j",
            ('E', 4) => "%A",
            ('E', _) => "%a",
            ('a', _) => "%p",
            ('H' | 'k', _) => "%H",
            ('h' | 'K', _) => "%I",
            ('m', _) => "%M",
            ('s', _) => "%S",
            ('S' | 'n' | 'N' | 'A', _) => {
                // The dot or comma before a fraction belongs to the fraction in `%.f`.
                if out.ends_with('.') {
                    out.pop();
                    "%.f"
                } else {
                    "%f"
                }
            }
            ('X' | 'x', 3..) => "%:z",
            ('X' | 'x' | 'Z', _) => "%z",
            ('z' | 'V' | 'O', _) => "%Q",
            ('G', _) => return None,
            ('%', _) => "%%",
            (other, count) if !other.is_ascii_alphabetic() => {
                out.extend(std::iter::repeat_n(other, count));
                continue;
            }
            _ => return None,
        };
        out.push_str(word);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_are_read_in_every_format() {
        for (format, value, expected) in [
            ("epoch", json!(1_403_481_600), Some(1_403_481_600_000)),
            ("epoch", json!("1403481600"), Some(1_403_481_600_000)),
            ("epoch", json!(1.5), Some(1500)),
            ("epoch", json!("x"), None),
            ("epoch_ms", json!("1403481600000"), Some(1_403_481_600_000)),
            ("epoch_ms", json!(null), None),
            ("yyyy-MM-dd HH:mm:ss", json!("2014-06-23 00:00:01"), Some(1_403_481_601_000)),
            ("yyyy-MM-dd'T'HH:mm:ssX", json!("2014-06-23T02:00:00+0200"), Some(1_403_481_600_000)),
            ("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", json!("2014-06-23T02:00:00.250+02:00"), Some(1_403_481_600_250)),
            ("yyyy-MM-dd", json!("2014-06-23"), Some(1_403_481_600_000)),
            ("yyyy-MM-dd", json!("23.6.2014"), None),
        ] {
            assert_eq!(TimeFormat::new(format).unwrap().read(&value), expected, "{format} {value}");
        }
        assert!(TimeFormat::new("yyyy-QQ").is_err());
    }
}
