//! Which names an index or an alias may have.

use crate::error::{Error, Result};

/// Longer names are refused.
const MAX_BYTES: usize = 255;

/// Checks the name of an index that is to be created.
///
/// # Errors
/// When the name breaks a rule; the message names it.
pub fn check(name: &str) -> Result<()> {
    let refuse = |why: String| Err(Error::InvalidIndexName { index: name.to_owned(), why });
    if name.is_empty() {
        return refuse("must not be empty".into());
    }
    if name.contains(['\\', '/', '*', '?', '"', '<', '>', '|', ' ', ',']) {
        return refuse(
            "must not contain the following characters ['\\','/','*','?','\"','<','>','|',' ',',']".into(),
        );
    }
    if name.contains('#') {
        return refuse("must not contain '#'".into());
    }
    if name.contains(':') {
        return refuse("must not contain ':'".into());
    }
    if name.starts_with(['_', '-', '+']) {
        return refuse("must not start with '_', '-', or '+'".into());
    }
    if name == "." || name == ".." {
        return refuse("must not be '.' or '..'".into());
    }
    if name.len() > MAX_BYTES {
        return refuse(format!("index name is too long, ({} > {MAX_BYTES})", name.len()));
    }
    if name.to_lowercase() != name {
        return refuse("must be lowercase".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_for_names() {
        for good in ["a", ".ml-config", "logs-2026.01.01", "é"] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["", "A", "a b", "_a", "-a", "+a", ".", "..", "a*", "a/b", "a#", "a:b", "a,b"] {
            assert!(check(bad).is_err(), "{bad}");
        }
        assert!(check(&"x".repeat(256)).is_err());
        assert_eq!(check("X").unwrap_err().to_string(), "Invalid index name [X], must be lowercase");
    }
}
