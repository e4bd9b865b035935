//! `minimum_should_match`: `2`, `-1`, `75%`, `-25%`, `2<75% 9<-3`.

use crate::error::{Error, Result};

/// How many of `clauses` optional clauses must match.
///
/// # Errors
/// When the text is none of the forms.
pub(super) fn minimum_should_match(text: &str, clauses: usize) -> Result<usize> {
    let text = text.trim();
    let bad = || Error::illegal(format!("failed to parse minimum_should_match [{text}]"));
    if !text.contains('<') {
        return single(text, clauses).ok_or_else(bad);
    }
    let mut result = clauses;
    for condition in text.split_whitespace() {
        let (limit, value) = condition.split_once('<').ok_or_else(bad)?;
        let limit: usize = limit.trim().parse().map_err(|_| bad())?;
        if clauses <= limit {
            return Ok(result);
        }
        result = single(value, clauses).ok_or_else(bad)?;
    }
    Ok(result)
}

fn single(text: &str, clauses: usize) -> Option<usize> {
    let all = i64::try_from(clauses).ok()?;
    let wanted = match text.strip_suffix('%') {
        Some(percent) => {
            let percent: i64 = percent.trim().parse().ok()?;
            // Integer division cuts towards zero, as Java's cast does.
            let part = all.checked_mul(percent)? / 100;
            if percent < 0 { all + part } else { part }
        }
        None => {
            let number: i64 = text.parse().ok()?;
            if number < 0 { all.saturating_add(number) } else { number }
        }
    };
    usize::try_from(wanted.max(0)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for (text, clauses, expected) in [
            ("2", 3, 2),
            ("-1", 3, 2),
            ("-5", 3, 0),
            ("75%", 4, 3),
            ("75%", 3, 2),
            ("-25%", 4, 3),
            ("2<75%", 2, 2),
            ("2<75%", 4, 3),
            ("2<-25% 9<-3", 12, 9),
            ("5", 3, 5),
        ] {
            assert_eq!(minimum_should_match(text, clauses).unwrap(), expected, "{text} of {clauses}");
        }
        for bad in ["", "x", "2<", "%", "1.5"] {
            assert!(minimum_should_match(bad, 3).is_err(), "{bad}");
        }
    }
}
