//! What was found out.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::Format;

/// The answer, with the names of the interface.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "named as in the API")]
pub struct Structure {
    pub num_lines_analyzed: usize,
    pub num_messages_analyzed: usize,
    pub sample_start: String,
    pub charset: String,
    pub has_byte_order_marker: bool,
    pub format: Format,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multiline_start_pattern: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclude_lines_pattern: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column_names: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_header_row: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quote: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub should_trim_fields: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grok_pattern: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ecs_compatibility: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp_field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joda_timestamp_formats: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub java_timestamp_formats: Option<Vec<String>>,
    pub need_client_timezone: bool,
    pub mappings: Value,
    pub ingest_pipeline: Value,
    pub field_stats: Map<String, Value>,
    /// How it was found out; shown if asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub explanation: Vec<String>,
}

impl Structure {
    /// An answer that says nothing yet but the format and the beginning of the text.
    pub(crate) fn new(format: Format, lines: usize, messages: usize, sample_start: String) -> Self {
        Self {
            num_lines_analyzed: lines,
            num_messages_analyzed: messages,
            sample_start,
            charset: "UTF-8".to_owned(),
            has_byte_order_marker: false,
            format,
            multiline_start_pattern: None,
            exclude_lines_pattern: None,
            column_names: None,
            has_header_row: None,
            delimiter: None,
            quote: None,
            should_trim_fields: None,
            grok_pattern: None,
            ecs_compatibility: None,
            timestamp_field: None,
            joda_timestamp_formats: None,
            java_timestamp_formats: None,
            need_client_timezone: false,
            mappings: Value::Null,
            ingest_pipeline: Value::Null,
            field_stats: Map::new(),
            explanation: Vec::new(),
        }
    }

    /// Takes the time's format over.
    pub(crate) fn with_time(&mut self, field: &str, time: &crate::timestamp::Found) {
        self.timestamp_field = Some(field.to_owned());
        self.java_timestamp_formats = Some(time.java.clone());
        self.joda_timestamp_formats = Some(time.java.iter().map(|format| joda(format)).collect());
        self.need_client_timezone = !time.has_zone;
    }
}

/// The same format in the letters of an older library.
fn joda(java: &str) -> String {
    java.replace("XXX", "ZZ").replace("XX", "Z").replace(['u', 'y'], "Y")
}

/// Steps of an ingest pipeline, described.
pub(crate) fn pipeline(processors: Vec<Value>) -> Value {
    serde_json::json!({
        "description": "Ingest pipeline created by text structure finder",
        "processors": processors,
    })
}

/// The step that reads the time.
pub(crate) fn date_processor(field: &str, time: &crate::timestamp::Found) -> Value {
    let mut date = serde_json::json!({ "field": field, "formats": time.java });
    if !time.has_zone {
        date["timezone"] = Value::from("{{ event.timezone }}");
    }
    serde_json::json!({ "date": date })
}

/// The steps that turn text into numbers and switches.
pub(crate) fn convert_processors(mappings: &Value, fields: &[String]) -> Vec<Value> {
    let kinds = fields.iter().filter_map(|field| {
        let kind = mappings.get("properties")?.get(field)?.get("type")?.as_str()?;
        matches!(kind, "long" | "double" | "boolean").then_some((field, kind))
    });
    kinds
        .map(|(field, kind)| {
            serde_json::json!({ "convert": { "field": field, "type": kind, "ignore_missing": true } })
        })
        .collect()
}
