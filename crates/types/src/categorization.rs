//! The analyzer that categorises text when a job does not choose one.

use serde_json::{Value, json};

/// Days, months and zones say nothing about the kind of a message.
#[rustfmt::skip]
pub const STOP_WORDS: &[&str] = &[
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
    "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun",
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    "GMT", "UTC",
];

const TOKENIZER: &str = "ml_standard";

/// The default analyzer, as the interface describes it.
pub fn default_analyzer() -> Value {
    analyzer(&[json!("first_line_with_letters")])
}

/// The analyzer that does what `categorization_filters` did: what they match is taken away first.
pub fn analyzer_of_filters(filters: &[String]) -> Value {
    let mut char_filters = vec![json!("first_non_blank_line")];
    char_filters.extend(filters.iter().map(|filter| json!({ "type": "pattern_replace", "pattern": filter })));
    analyzer(&char_filters)
}

fn analyzer(char_filters: &[Value]) -> Value {
    json!({
        "char_filter": char_filters,
        "tokenizer": TOKENIZER,
        "filter": [
            { "type": "stop", "stopwords": STOP_WORDS },
            { "type": "limit", "max_token_count": "100" },
        ],
    })
}

/// Was an analyzer made by [`analyzer_of_filters`]?
pub fn is_of_filters(analyzer: &Value) -> bool {
    let patterns: Option<Vec<String>> = analyzer["char_filter"].as_array().and_then(|parts| {
        let pattern = |part: &Value| part.get("pattern")?.as_str().map(str::to_owned);
        parts.get(1..)?.iter().map(pattern).collect()
    });
    patterns.is_some_and(|patterns| analyzer_of_filters(&patterns) == *analyzer)
}

#[test]
fn analyzers_made_of_filters_are_recognised() {
    assert!(is_of_filters(&analyzer_of_filters(&["a.*".to_owned()])));
    assert!(!is_of_filters(&default_analyzer()));
    assert!(!is_of_filters(&json!("standard")));
}
