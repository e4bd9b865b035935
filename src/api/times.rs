//! Points in time as clients write them.

use dates::{DateFormat, DateMath, Missing, Zone, parse_date_math};
use serde_json::Value;
use types::TimestampMs;

use super::error::ApiError;

/// Numbers with fewer digits are seconds.
const MILLIS_DIGITS_MIN: usize = 11;

/// Reads epoch milliseconds (or seconds, when there are ten digits or fewer), ISO 8601, or date maths from `now`.
pub(super) fn parse(text: &str, name: &str, now: TimestampMs) -> Result<TimestampMs, ApiError> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        let factor = if digits.len() < MILLIS_DIGITS_MIN { 1000 } else { 1 };
        let number: Option<i64> = text.parse().ok();
        return number
            .and_then(|number| number.checked_mul(factor))
            .map(TimestampMs)
            .ok_or_else(|| unreadable(name, text));
    }
    let context = DateMath {
        format: &DateFormat::default_format(),
        zone: &Zone::utc(),
        now_ms: now.0,
        missing: Missing::Earliest,
    };
    parse_date_math(text, context).map(TimestampMs).map_err(|_| unreadable(name, text))
}

/// The same for a time in a body, which is text or a number.
pub(super) fn parse_value(value: &Value, name: &str, now: TimestampMs) -> Result<TimestampMs, ApiError> {
    match value {
        Value::String(text) => parse(text, name, now),
        // A number in a body is milliseconds, however small it is.
        Value::Number(number) => {
            number.as_i64().map(TimestampMs).ok_or_else(|| unreadable(name, &number.to_string()))
        }
        other => Err(unreadable(name, &other.to_string())),
    }
}

fn unreadable(name: &str, text: &str) -> ApiError {
    ApiError::new(
        types::ErrorKind::Parse,
        format!(
            "Query param [{name}] with value [{text}] cannot be parsed as a date or converted to a number (epoch)."
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_form() {
        let now = TimestampMs(86_400_000);
        for (text, ms) in [
            ("1403481600000", 1_403_481_600_000),
            ("1403481600", 1_403_481_600_000),
            ("2014-06-23T00:00:00Z", 1_403_481_600_000),
            ("2014-06-23T02:00:00+02:00", 1_403_481_600_000),
            ("2014-06-23", 1_403_481_600_000),
            ("now", 86_400_000),
            ("now-1d", 0),
        ] {
            assert_eq!(parse(text, "start", now).unwrap(), TimestampMs(ms), "{text}");
        }
        for bad in ["not a date", "-", "2014-13-01", "99999999999999999999", "NaN"] {
            let error = parse(bad, "start", now).unwrap_err();
            assert_eq!(error.error()["type"], "parse_exception", "{bad}");
        }
    }
}
