//! Sizes in bytes as Elasticsearch writes them.

use serde::{Deserialize, Serialize};

use crate::Invalid;

const MIB: u64 = 1024 * 1024;
const UNITS: [(&str, u64); 6] = [
    ("pb", MIB * MIB / 1024 * 1024),
    ("tb", MIB * MIB),
    ("gb", MIB * 1024),
    ("mb", MIB),
    ("kb", 1024),
    ("b", 1),
];

/// A memory limit in whole mebibytes: a bare number means mebibytes, smaller units are rounded down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "RawSize", into = "String")]
pub struct ByteSize {
    mebibytes: u64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawSize {
    Text(String),
    Number(i64),
}

impl ByteSize {
    /// A size of whole mebibytes.
    pub const fn from_mebibytes(mebibytes: u64) -> Self {
        Self { mebibytes }
    }

    /// In mebibytes.
    pub fn mebibytes(self) -> u64 {
        self.mebibytes
    }

    /// In bytes, saturating.
    pub fn bytes(self) -> u64 {
        self.mebibytes.saturating_mul(MIB)
    }

    /// Reads `8g`, `512mb`, `10000000b` or a bare number of mebibytes.
    ///
    /// # Errors
    /// When the number or the unit cannot be read, or it is negative.
    pub fn parse(text: &str, setting: &str) -> Result<Self, Invalid> {
        parse_bytes(text, setting).map(|bytes| Self { mebibytes: bytes / MIB })
    }
}

/// Reads a size with a unit into bytes; a bare number means mebibytes.
///
/// # Errors
/// When the number or the unit cannot be read, or it is negative.
pub fn parse_bytes(text: &str, setting: &str) -> Result<u64, Invalid> {
    let unreadable = || {
        Invalid::argument(format!(
            "failed to parse setting [{setting}] with value [{text}] as a size in bytes"
        ))
    };
    let lower = text.trim().to_ascii_lowercase();
    if let Ok(mebibytes) = lower.parse::<u64>() {
        return mebibytes.checked_mul(MIB).ok_or_else(unreadable);
    }
    let single = [("p", "pb"), ("t", "tb"), ("g", "gb"), ("m", "mb"), ("k", "kb")];
    let spelled = single
        .iter()
        .find_map(|(short, long)| lower.strip_suffix(short).map(|number| format!("{number}{long}")))
        .unwrap_or(lower);
    for (suffix, factor) in UNITS {
        let Some(number) = spelled.strip_suffix(suffix) else { continue };
        let number = number.trim().parse::<f64>().map_err(|_| unreadable())?;
        if !number.is_finite() || number < 0.0 {
            return Err(unreadable());
        }
        return Ok((number * factor as f64) as u64);
    }
    Err(unreadable())
}

impl std::fmt::Display for ByteSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}mb", self.mebibytes)
    }
}

impl TryFrom<RawSize> for ByteSize {
    type Error = Invalid;
    fn try_from(raw: RawSize) -> Result<Self, Invalid> {
        match raw {
            RawSize::Text(text) => Self::parse(&text, "model_memory_limit"),
            RawSize::Number(number) => u64::try_from(number).map(Self::from_mebibytes).map_err(|_| {
                Invalid::argument(format!("model_memory_limit must be at least 1 MiB. Value = {number}"))
            }),
        }
    }
}

impl From<ByteSize> for String {
    fn from(size: ByteSize) -> Self {
        size.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_normalised_to_whole_mebibytes() {
        for (text, shown) in [
            ("8g", "8192mb"),
            ("3000g", "3072000mb"),
            ("10000000b", "9mb"),
            ("30", "30mb"),
            ("2048KB", "2mb"),
        ] {
            assert_eq!(ByteSize::parse(text, "x").unwrap().to_string(), shown);
        }
        for bad in ["", "x", "-1mb", "1zb", "NaNmb", "infgb"] {
            assert!(ByteSize::parse(bad, "x").is_err(), "{bad}");
        }
    }
}
