//! Numbers from bytes, exactly as the standard library reads them but faster in the common case.

/// Powers of ten that an `f64` holds exactly.
const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// Digits that always fit a mantissa of 53 bits.
const EXACT_DIGITS: usize = 15;

/// Reads a decimal number. Up to 15 digits, mantissa and power of ten are exact, and so is their quotient rounded
/// once (Clinger 1990); the rest goes to the standard library.
pub(super) fn parse_f64(text: &[u8]) -> Option<f64> {
    short_f64(text).or_else(|| std::str::from_utf8(text).ok()?.parse().ok())
}

#[inline]
fn short_f64(text: &[u8]) -> Option<f64> {
    let (negative, digits) = match text.split_first()? {
        (b'-', rest) => (true, rest),
        _ => (false, text),
    };
    if digits.is_empty() || digits.len() > EXACT_DIGITS + 1 {
        return None;
    }
    let (mut mantissa, mut count, mut point) = (0u64, 0, None);
    for &b in digits {
        match b {
            b'0'..=b'9' => {
                mantissa = mantissa * 10 + u64::from(b - b'0');
                count += 1;
            }
            b'.' if point.is_none() && count > 0 => point = Some(count),
            _ => return None,
        }
    }
    if count == 0 || count > EXACT_DIGITS || point == Some(count) {
        return None;
    }
    let value = mantissa as f64 / EXACT_POWERS[point.map_or(0, |p| count - p)];
    Some(if negative { -value } else { value })
}

/// Reads an integer of at most 18 digits.
#[inline]
pub(super) fn parse_i64(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.split_first()? {
        (b'-', rest) => (true, rest),
        _ => (false, text),
    };
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let mut value = 0i64;
    for &b in digits {
        if !b.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i64::from(b - b'0');
    }
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn short_and_long_numbers_are_read_as_by_the_standard_library(text in "-?[0-9]{0,18}(\\.[0-9]{0,18})?(e-?[0-9]{1,3})?") {
            let expected: Option<f64> = text.parse().ok();
            let read = parse_f64(text.as_bytes());
            prop_assert_eq!(read.map(f64::to_bits), expected.map(f64::to_bits), "{}", text);
        }

        #[test]
        fn integers_are_read(number in -999_999_999_999_999_999i64..=999_999_999_999_999_999) {
            prop_assert_eq!(parse_i64(number.to_string().as_bytes()), Some(number));
        }
    }

    #[test]
    fn other_texts_are_no_integers() {
        for text in ["", "-", "1.0", "1 ", "+1", "1234567890123456789"] {
            assert_eq!(parse_i64(text.as_bytes()), None, "{text}");
        }
    }
}
