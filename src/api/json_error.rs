//! Says what is wrong with a JSON body in Elasticsearch's words: place, object, field.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::ApiError;

/// Reads a typed body. `object` is Elasticsearch's name of the outermost object, shown in errors.
///
/// # Errors
/// `x_content_parse_exception`, with the place and the innermost object.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8], object: &str) -> Result<T, ApiError> {
    serde_json::from_slice(bytes).map_err(|error| explain(bytes, object, &error))
}

/// As [`read`], of a form that is an object and has `fields` that are objects or absent: a structure would also be read from
/// a list of its fields' values.
///
/// # Errors
/// As those of [`read`], and when something is valid JSON but no object.
pub(crate) fn read_object<T: DeserializeOwned>(
    bytes: &[u8],
    object: &str,
    fields: &[&str],
) -> Result<T, ApiError> {
    let read_value = read(bytes, object)?;
    let value: Value = read(bytes, object)?;
    let wrong = |name: &str| {
        ApiError::x_content(format!("[1:1] [{name}] Expected START_OBJECT but was another value"))
    };
    if !value.is_object() {
        return Err(wrong(object));
    }
    match fields.iter().find(|field| value.get(field).is_some_and(Value::is_array)) {
        Some(field) => Err(wrong(field)),
        None => Ok(read_value),
    }
}

/// The error that a client reads for `error`, which came up in `bytes`.
pub(crate) fn explain(bytes: &[u8], object: &str, error: &serde_json::Error) -> ApiError {
    let (line, column) = (error.line(), error.column());
    let whole = error.to_string();
    let message = whole.split(" at line ").next().unwrap_or(&whole);
    if error.is_eof() {
        return ApiError::x_content(format!("[{line}:{column}] Unexpected end-of-input: {message}"));
    }
    let offset = offset_of(bytes, line, column);
    if error.is_syntax() || error.is_io() {
        let what = match std::str::from_utf8(&bytes[offset.saturating_sub(1).min(bytes.len())..]) {
            Ok(rest) => rest.chars().next().map_or_else(String::new, |c| {
                format!("Unexpected character ('{}' (code {})): ", c.escape_debug(), u32::from(c))
            }),
            Err(_) => "Invalid UTF-8: ".to_owned(),
        };
        return ApiError::x_content(format!("[{line}:{column}] {what}{message}"));
    }
    // The place of an error in the last value of all may be the end of the text, where nothing is open any more.
    let end = bytes.iter().rposition(|byte| !byte.is_ascii_whitespace()).unwrap_or(0);
    let place = Place::at(bytes, offset.min(end), object);
    if let Some((field, known)) = unknown_field(message) {
        let hint = nearest(field, &known).map_or_else(String::new, |near| format!(" did you mean [{near}]?"));
        return ApiError::x_content(format!(
            "[{line}:{column}] [{}] unknown field [{field}]{hint}",
            place.object
        ));
    }
    if let Some(field) = message.strip_prefix("duplicate field `") {
        return ApiError::x_content(format!(
            "[{line}:{column}] Duplicate field '{}'",
            field.trim_end_matches('`')
        ));
    }
    if let Some(field) = message.strip_prefix("missing field `") {
        let field = field.trim_end_matches('`');
        return ApiError::x_content(format!("[{line}:{column}] [{}] Required [{field}]", place.object));
    }
    let field = place.field.unwrap_or_else(|| object.to_owned());
    ApiError::x_content_because(
        format!("[{line}:{column}] [{}] failed to parse field [{field}]", place.object),
        message,
    )
}

fn unknown_field(message: &str) -> Option<(&str, Vec<&str>)> {
    let (field, rest) = message.strip_prefix("unknown field `")?.split_once('`')?;
    Some((field, rest.split('`').skip(1).step_by(2).collect()))
}

/// The known name that is at most two edits away.
pub(super) fn nearest<'a>(field: &str, known: &[&'a str]) -> Option<&'a str> {
    let best = known.iter().map(|name| (edits(field, name), *name)).min()?;
    (best.0 <= 2 && best.0 < field.len()).then_some(best.1)
}

/// Levenshtein distance.
fn edits(a: &str, b: &str) -> usize {
    // A client chooses the length of the field: what is far longer than any name is near none.
    if a.len() > 128 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// Bytes before the place; `line` and `column` count from 1.
fn offset_of(bytes: &[u8], line: usize, column: usize) -> usize {
    let start = match line {
        0 | 1 => 0,
        _ => bytes
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'\n')
            .nth(line - 2)
            .map_or(bytes.len(), |(index, _)| index + 1),
    };
    start.saturating_add(column).min(bytes.len())
}

/// Where in a document something is.
struct Place {
    object: String,
    field: Option<String>,
}

/// An open object or array, and the key that was read last in it.
struct Level {
    is_object: bool,
    /// The value of the key has begun.
    in_value: bool,
    key: Option<String>,
}

impl Place {
    /// Follows well-formed JSON up to `offset`.
    fn at(bytes: &[u8], offset: usize, outermost: &str) -> Self {
        let mut open: Vec<Level> = Vec::new();
        let mut index = 0;
        while index < offset {
            match bytes[index] {
                b'{' | b'[' => {
                    open.push(Level { is_object: bytes[index] == b'{', in_value: false, key: None });
                }
                // The place of an error in a value may be the end of the value: its own level still counts as left.
                b'}' | b']' => {
                    open.pop();
                }
                b':' => {
                    if let Some(level) = open.last_mut() {
                        level.in_value = true;
                    }
                }
                b',' => {
                    if let Some(level) = open.last_mut() {
                        level.in_value = false;
                    }
                }
                b'"' => {
                    let end = string_end(bytes, index);
                    if let Some(level) = open.last_mut().filter(|level| level.is_object && !level.in_value) {
                        let text = bytes.get(index + 1..end.saturating_sub(1)).unwrap_or_default();
                        level.key = Some(String::from_utf8_lossy(text).into_owned());
                    }
                    index = end - 1;
                }
                _ => {}
            }
            index += 1;
        }
        Self::of(&open, outermost)
    }

    fn of(open: &[Level], outermost: &str) -> Self {
        let objects: Vec<&Level> = open.iter().filter(|level| level.is_object).collect();
        let field = objects.last().and_then(|level| level.key.clone());
        let parent = objects.len().checked_sub(2).and_then(|index| objects[index].key.as_deref());
        let object = match parent {
            None => outermost,
            Some("detectors") => "detector",
            Some("custom_rules") => "detection_rule",
            Some("conditions") => "rule_condition",
            Some("scope") => "filter_ref",
            Some(key) => key,
        };
        Self { object: object.to_owned(), field }
    }
}

/// The index after the string that begins at `start`.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut index = start + 1;
    while index < bytes.len() {
        match bytes[index] {
            b'\\' => index += 1,
            b'"' => return index + 1,
            _ => {}
        }
        index += 1;
    }
    bytes.len().max(start + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use types::JobBody;

    fn reason(body: &str) -> String {
        let error = read::<JobBody>(body.as_bytes(), "job_details").unwrap_err();
        error.error()["reason"].as_str().unwrap().to_owned()
    }

    #[test]
    fn unknown_fields_are_placed_in_their_object() {
        assert_eq!(
            reason(r#"{"descripton":"a"}"#),
            "[1:13] [job_details] unknown field [descripton] did you mean [description]?"
        );
        assert_eq!(
            reason("{\"analysis_config\":{\n\"detectors\":[{\"function\":\"count\",\"zzz\":1}]}}"),
            "[2:38] [detector] unknown field [zzz]"
        );
    }

    #[test]
    fn values_that_cannot_be_name_their_field_and_the_cause() {
        let body = r#"{"analysis_config":{"bucket_span":"15","detectors":[]}}"#;
        let error = read::<JobBody>(body.as_bytes(), "job_details").unwrap_err();
        assert!(
            reason(body).contains("[analysis_config] failed to parse field [bucket_span]"),
            "{}",
            reason(body)
        );
        let cause = error.error()["caused_by"]["reason"].as_str().unwrap();
        assert!(cause.contains("unit is missing or unrecognized"), "{cause}");
    }

    #[test]
    fn broken_json_says_where() {
        assert!(reason(r#"{"a"#).starts_with("[1:3] Unexpected end-of-input"), "{}", reason(r#"{"a"#));
        assert!(
            reason("{\n a}").starts_with("[2:2] Unexpected character ('a' (code 97))"),
            "{}",
            reason("{\n a}")
        );
        assert!(
            reason(r#"{"description":"a","description":"b"}"#).ends_with("Duplicate field 'description'")
        );
    }

    proptest! {
        #[test]
        fn no_body_breaks_the_explanation(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = read::<JobBody>(&bytes, "job_details");
        }

        #[test]
        fn no_json_breaks_the_explanation(body in r#"[\{\}\[\]":,a-c1\\\n ]{0,40}"#) {
            let _ = read::<JobBody>(body.as_bytes(), "job_details");
        }
    }
}
