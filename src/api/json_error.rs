//! Says what is wrong with a JSON body in Elasticsearch's words: place, object, field.

use serde::de::DeserializeOwned;

use super::error::ApiError;
use super::json_place::Place;
use super::lenient::{self, Step};

/// Reads a typed body. `object` is Elasticsearch's name of the outermost object, shown in errors.
///
/// # Errors
/// `x_content_parse_exception`, with the place and the chain of objects that it lies in.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8], object: &str) -> Result<T, ApiError> {
    lenient::from_slice(bytes).map_err(|(error, path)| explain(bytes, object, &error, &path))
}

/// The error that a client reads for `error`, which came up in `bytes` at the end of `path`.
fn explain(bytes: &[u8], object: &str, error: &serde_json::Error, path: &[Step]) -> ApiError {
    let whole = error.to_string();
    let message = whole.split(" at line ").next().unwrap_or(&whole);
    if error.is_eof() || error.is_syntax() || error.is_io() {
        return not_json(bytes, message, error);
    }
    if let Some((field, known)) = unknown_field(message) {
        let place = Place::of_key(bytes, path, object);
        let hint = nearest(field, &known).map_or_else(String::new, |near| format!(" did you mean [{near}]?"));
        return place.failed(&format!("[{}] unknown field [{field}]{hint}", place.object()));
    }
    if let Some(field) = message.strip_prefix("duplicate field `") {
        let position = Place::of_key(bytes, path, object).position();
        return ApiError::x_content(format!("{position} Duplicate field '{}'", field.trim_end_matches('`')));
    }
    if let Some(field) = message.strip_prefix("missing field `") {
        return Place::of_object(bytes, path, object).lacks(field.trim_end_matches('`'));
    }
    let place = Place::of_value(bytes, path, object);
    match message.strip_prefix("invalid type: ").and_then(token) {
        Some(token) => place.has_wrong_type(token),
        None => place.has_wrong_value(message),
    }
}

fn not_json(bytes: &[u8], message: &str, error: &serde_json::Error) -> ApiError {
    let (line, column) = (error.line(), error.column());
    let offset = offset_of(bytes, line, column);
    if error.is_eof() {
        return ApiError::x_content(format!("[{line}:{column}] Unexpected end-of-input: {message}"));
    }
    let what = match std::str::from_utf8(&bytes[offset.saturating_sub(1).min(bytes.len())..]) {
        Ok(rest) => rest.chars().next().map_or_else(String::new, |c| {
            format!("Unexpected character ('{}' (code {})): ", c.escape_debug(), u32::from(c))
        }),
        Err(_) => "Invalid UTF-8: ".to_owned(),
    };
    ApiError::x_content(format!("[{line}:{column}] {what}{message}"))
}

/// Elasticsearch's name for the kind of a value that serde calls `found`.
fn token(found: &str) -> Option<&'static str> {
    let kinds = [
        ("sequence", "START_ARRAY"),
        ("map", "START_OBJECT"),
        ("string", "VALUE_STRING"),
        ("integer", "VALUE_NUMBER"),
        ("floating point", "VALUE_NUMBER"),
        ("number", "VALUE_NUMBER"),
        ("boolean", "VALUE_BOOLEAN"),
        ("null", "VALUE_NULL"),
        ("unit value", "VALUE_NULL"),
    ];
    kinds.iter().find(|(kind, _)| found.starts_with(kind)).map(|(_, token)| *token)
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use types::JobBody;

    fn reason(body: &str) -> String {
        let error = read::<JobBody>(body.as_bytes(), "job_details").unwrap_err();
        error.error()["reason"].as_str().unwrap().to_owned()
    }

    /// The reasons from the outermost to the innermost, and the type and reason of the root cause.
    fn chain(body: &str) -> (Vec<String>, String) {
        let error = read::<JobBody>(body.as_bytes(), "job_details").unwrap_err();
        let mut reasons = Vec::new();
        let mut link = Some(error.error());
        while let Some(cause) = link {
            reasons.push(format!(
                "{}: {}",
                cause["type"].as_str().unwrap().split('_').next().unwrap(),
                cause["reason"].as_str().unwrap()
            ));
            link = cause.get("caused_by");
        }
        (reasons, error.error()["root_cause"][0]["reason"].as_str().unwrap().to_owned())
    }

    #[test]
    fn unknown_fields_are_placed_in_their_object() {
        assert_eq!(
            reason(r#"{"descripton":"a"}"#),
            "[1:2] [job_details] unknown field [descripton] did you mean [description]?"
        );
        let (reasons, root) =
            chain("{\"analysis_config\":{\n\"detectors\":[{\"function\":\"count\",\"zzz\":1}]}}");
        assert_eq!(
            reasons,
            [
                "x: [2:34] [job_details] failed to parse field [analysis_config]",
                "x: [2:34] [analysis_config] failed to parse field [detectors]",
                "x: [2:34] [detector] unknown field [zzz]",
            ]
        );
        assert_eq!(root, "[2:34] [detector] unknown field [zzz]");
    }

    #[test]
    fn values_that_cannot_be_name_their_field_and_the_cause() {
        let (reasons, root) = chain(r#"{"analysis_config":{"bucket_span":"15","detectors":[]}}"#);
        assert_eq!(reasons[0], "x: [1:35] [job_details] failed to parse field [analysis_config]");
        assert_eq!(reasons[1], "x: [1:35] [analysis_config] failed to parse field [bucket_span]");
        assert!(reasons[2].starts_with("illegal: failed to parse setting"), "{reasons:?}");
        assert_eq!(root, "[1:35] [analysis_config] failed to parse field [bucket_span]");
    }

    #[test]
    fn values_of_other_types_are_named_as_tokens() {
        for (body, last) in [
            (r#"["a"]"#, "x: [1:1] [job_details] Expected START_OBJECT but was: START_ARRAY"),
            (r#""a""#, "x: [1:1] [job_details] Expected START_OBJECT but was: VALUE_STRING"),
            (
                r#"{"analysis_config":["15m"]}"#,
                "x: [1:20] [job_details] analysis_config doesn't support values of type: START_ARRAY",
            ),
            (
                r#"{"description":{"a":1}}"#,
                "x: [1:16] [job_details] description doesn't support values of type: START_OBJECT",
            ),
            (
                r#"{"description": 7}"#,
                "x: [1:17] [job_details] description doesn't support values of type: VALUE_NUMBER",
            ),
            (
                r#"{"analysis_limits":{"categorization_examples_limit":true}}"#,
                "x: [1:53] [analysis_limits] categorization_examples_limit doesn't support values of type: VALUE_BOOLEAN",
            ),
        ] {
            assert_eq!(chain(body).0.last().unwrap(), last, "{body}");
        }
    }

    #[test]
    fn what_is_missing_is_told_of_its_object() {
        let (reasons, root) = chain(
            r#"{"analysis_config":{"detectors":[{"custom_rules":[{"conditions":[{"applies_to":"time"}]}]}]}}"#,
        );
        assert_eq!(reasons.len(), 5, "{reasons:?}");
        assert!(reasons[3].ends_with("[detection_rule] failed to parse field [conditions]"), "{reasons:?}");
        assert_eq!(reasons[4], "illegal: Required [operator]");
        assert!(root.ends_with("failed to parse field [conditions]"), "{root}");
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
