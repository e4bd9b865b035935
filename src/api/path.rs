//! Paths as they are meant: their `%` escapes undone.

/// A path or a part of it with its escapes undone once; what is no text becomes a replacement character.
pub(super) fn decoded(path: &str) -> String {
    percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned()
}
