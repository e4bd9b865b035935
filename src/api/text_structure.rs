//! `/_text_structure`: how a text is built, and trying grok patterns.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value, json};
use structure::{Format, Grok, Options as Known};
use types::{Classify, ErrorKind, TimeSpan};

use super::error::ApiError;
use super::extract::{AnyJson, Params, RawBody};
use super::route::{Route, route};
use crate::app::App;

const COMMON: &str = "column_names delimiter quote has_header_row should_trim_fields should_parse_recursively \
                      grok_pattern ecs_compatibility timestamp_field timestamp_format timeout explain format";
/// Documents that are looked at when the client does not say.
const DOCUMENTS_DEFAULT: usize = 1000;
const DOCUMENTS_MAX: usize = 10_000;
/// How long a search may take when the client does not say.
const TIMEOUT_DEFAULT: TimeSpan = TimeSpan::from_millis(25_000);

pub(super) fn routes() -> Vec<Route> {
    const TEXT: &[&str] = &[COMMON, "charset lines_to_sample line_merge_size_limit"];
    const FIELD: &[&str] = &[COMMON, "index field documents_to_sample"];
    vec![
        route("POST", "/_text_structure/find_structure", "How a text is built", TEXT, find),
        route("POST", "/_ml/find_file_structure", "How a text is built, under its old name", TEXT, find),
        route(
            "GET POST",
            "/_text_structure/find_message_structure",
            "How messages are built",
            &[COMMON],
            find_message,
        ),
        route(
            "GET",
            "/_text_structure/find_field_structure",
            "How the values of a field are built",
            FIELD,
            find_field,
        ),
        route(
            "GET POST",
            "/_text_structure/test_grok_pattern",
            "What a grok pattern takes of texts",
            &["ecs_compatibility"],
            test_grok,
        ),
    ]
}

impl From<structure::Error> for ApiError {
    fn from(error: structure::Error) -> Self {
        Self::new(error.kind(), error.to_string())
    }
}

fn one_letter(params: &Params, name: &str) -> Result<Option<char>, ApiError> {
    let Some(text) = params.text(name).filter(|text| !text.is_empty()) else { return Ok(None) };
    let text = if text == "\\t" { "\t" } else { text };
    let mut letters = text.chars();
    match (letters.next(), letters.next()) {
        (Some(letter), None) => Ok(Some(letter)),
        _ => Err(ApiError::argument(format!("[{name}] must be a single character"))),
    }
}

/// What the client knows already.
fn known(params: &Params) -> Result<Known, ApiError> {
    let text = |name: &str| params.text(name).filter(|text| !text.is_empty()).map(str::to_owned);
    let flag = |name: &str| params.text(name).map(|_| params.flag(name, false)).transpose();
    let format = match params.text("format").filter(|format| !format.is_empty()) {
        None => None,
        Some(name) => Some(Format::parse(name).ok_or_else(|| {
            ApiError::argument(format!(
                "No enum constant for format [{name}]; it must be one of [ndjson, xml, delimited, semi_structured_text]"
            ))
        })?),
    };
    let timestamp_format = text("timestamp_format").map(|format| (format != "null").then_some(format));
    let mut known = Known {
        format,
        column_names: text("column_names").map(|list| list.split(',').map(str::to_owned).collect()),
        delimiter: one_letter(params, "delimiter")?,
        quote: one_letter(params, "quote")?,
        has_header_row: flag("has_header_row")?,
        should_trim_fields: flag("should_trim_fields")?,
        should_parse_recursively: params.flag("should_parse_recursively", false)?,
        grok_pattern: text("grok_pattern"),
        timestamp_field: text("timestamp_field"),
        timestamp_format,
        ecs: ecs(params)?,
        ..Known::default()
    };
    if let Some(lines) = params.number("lines_to_sample")? {
        known.lines_to_sample = lines;
    }
    if let Some(limit) = params.number("line_merge_size_limit")? {
        known.line_merge_size_limit = limit;
    }
    Ok(known)
}

fn ecs(params: &Params) -> Result<bool, ApiError> {
    match params.text("ecs_compatibility") {
        None | Some("" | "disabled") => Ok(false),
        Some("v1") => Ok(true),
        Some(other) => Err(ApiError::argument(format!(
            "[ecs_compatibility] must be one of [disabled, v1] if specified, found [{other}]"
        ))),
    }
}

async fn found(text: String, known: Known, params: &Params) -> Result<Json<Value>, ApiError> {
    let explain = params.flag("explain", false)?;
    let timeout = params.span("timeout")?.unwrap_or(TIMEOUT_DEFAULT);
    let duration = Duration::from_millis(u64::try_from(timeout.as_millis()).unwrap_or(0));
    let stop = known.stop.clone();
    // A large sample takes a while, during which other requests go on.
    let work = tokio::task::spawn_blocking(move || structure::find_structure(&text, &known));
    let Ok(ended) = tokio::time::timeout(duration, work).await else {
        // The thread cannot be broken off: it ends at its next look.
        stop.stop();
        return Err(ApiError::took_too_long("structure analysis", timeout));
    };
    let mut found = ended.map_err(|error| {
        tracing::error!(%error, "the search for a structure broke off");
        ApiError::internal()
    })??;
    if !explain {
        found.explanation.clear();
    }
    super::listing::json(found).map(Json)
}

/// `POST /_text_structure/find_structure`
async fn find(params: Params, RawBody(body): RawBody) -> Result<Json<Value>, ApiError> {
    if body.is_empty() {
        return Err(ApiError::new(ErrorKind::Parse, "request body is required"));
    }
    let mut known = known(&params)?;
    let text;
    (text, known.charset) = decoded(&body, params.text("charset"))?;
    found(text, known, &params).await
}

/// The text of a body and the name of its character set: UTF-8, UTF-16 with a mark, or Latin-1, which is never wrong. A mark
/// stays in the text: it is told to the client.
fn decoded(body: &[u8], named: Option<&str>) -> Result<(String, String), ApiError> {
    let utf16 = |bytes: &[u8], read: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| read([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    let upper = named.map(str::to_ascii_uppercase);
    match upper.as_deref() {
        Some("ISO-8859-1" | "LATIN1" | "WINDOWS-1252") => {
            return Ok((body.iter().map(|byte| char::from(*byte)).collect(), "ISO-8859-1".to_owned()));
        }
        Some("UTF-16LE") => return Ok((utf16(body, u16::from_le_bytes), "UTF-16LE".to_owned())),
        // Without a mark it is big-endian (RFC 2781, 4.3).
        Some("UTF-16") if body.starts_with(&[0xff, 0xfe]) => {
            return Ok((utf16(body, u16::from_le_bytes), "UTF-16LE".to_owned()));
        }
        Some("UTF-16BE" | "UTF-16") => return Ok((utf16(body, u16::from_be_bytes), "UTF-16BE".to_owned())),
        None | Some("" | "UTF-8" | "UTF8" | "US-ASCII" | "ASCII") => {}
        Some(other) => return Err(ApiError::argument(format!("Unsupported charset [{other}]"))),
    }
    match body {
        [0xff, 0xfe, ..] => Ok((utf16(body, u16::from_le_bytes), "UTF-16LE".to_owned())),
        [0xfe, 0xff, ..] => Ok((utf16(body, u16::from_be_bytes), "UTF-16BE".to_owned())),
        _ => match std::str::from_utf8(body) {
            Ok(text) => Ok((text.to_owned(), "UTF-8".to_owned())),
            Err(error) if upper.is_some() => {
                Err(ApiError::argument(format!("Input is not [UTF-8] after [{}] bytes", error.valid_up_to())))
            }
            Err(_) => Ok((body.iter().map(|byte| char::from(*byte)).collect(), "ISO-8859-1".to_owned())),
        },
    }
}

/// `GET /_text_structure/find_message_structure`
async fn find_message(params: Params, AnyJson(body): AnyJson) -> Result<Json<Value>, ApiError> {
    let body = fields_of(&body, "find_message_structure", &["messages"])?;
    let messages = texts(body, "messages")?;
    found(messages.join("\n"), known(&params)?, &params).await
}

/// `GET /_text_structure/find_field_structure`
async fn find_field(State(app): State<App>, params: Params) -> Result<Json<Value>, ApiError> {
    let needed = |name: &str| {
        let text = params.text(name).filter(|text| !text.is_empty());
        text.ok_or_else(|| ApiError::validation(&format!("{name} must not be empty")))
    };
    let (index, field) = (needed("index")?.to_owned(), needed("field")?.to_owned());
    let size: usize = params.number("documents_to_sample")?.unwrap_or(DOCUMENTS_DEFAULT);
    if !(2..=DOCUMENTS_MAX).contains(&size) {
        return Err(ApiError::argument(format!(
            "[documents_to_sample] must be between [2] and [{DOCUMENTS_MAX}], found [{size}]"
        )));
    }
    let request = json!({ "query": { "exists": { "field": field } }, "size": size, "_source": [field] });
    let store = app.jobs().store();
    let answer =
        store.search(&index, &request, &store::IndicesOptions::default()).await.map_err(jobs::Error::from)?;
    let hits = answer.pointer("/hits/hits").and_then(Value::as_array);
    let messages: Vec<String> =
        hits.into_iter().flatten().filter_map(|hit| value_at(&hit["_source"], &field)).collect();
    found(messages.join("\n"), known(&params)?, &params).await
}

/// The text of a field, which may be nested.
fn value_at(source: &Value, field: &str) -> Option<String> {
    if let Some(value) = source.get(field) {
        return value.as_str().map(str::to_owned);
    }
    let (first, rest) = field.split_once('.')?;
    value_at(source.get(first)?, rest)
}

fn fields_of<'a>(body: &'a Value, object: &str, known: &[&str]) -> Result<&'a Map<String, Value>, ApiError> {
    let fields =
        body.as_object().ok_or_else(|| ApiError::new(ErrorKind::Parse, "request body is required"))?;
    match fields.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(ApiError::x_content(format!("[1:1] [{object}] unknown field [{name}]"))),
        None => Ok(fields),
    }
}

fn texts(body: &Map<String, Value>, name: &str) -> Result<Vec<String>, ApiError> {
    let missing = || ApiError::x_content(format!("[1:1] Required [{name}]"));
    let list: Vec<&Value> = match body.get(name) {
        Some(Value::Array(list)) => list.iter().collect(),
        Some(one @ Value::String(_)) => vec![one],
        _ => return Err(missing()),
    };
    list.into_iter().map(|text| text.as_str().map(str::to_owned).ok_or_else(missing)).collect()
}

/// `GET /_text_structure/test_grok_pattern`
async fn test_grok(params: Params, AnyJson(body): AnyJson) -> Result<Json<Value>, ApiError> {
    let body = fields_of(&body, "test_grok_pattern", &["grok_pattern", "text"])?;
    let pattern = body.get("grok_pattern").and_then(Value::as_str);
    let pattern = pattern.ok_or_else(|| ApiError::x_content("[1:1] Required [grok_pattern]"))?;
    let grok = Grok::new(pattern, ecs(&params)?)?;
    let matches = texts(body, "text")?.into_iter().map(|text| {
        let Some(taken) = grok.fields(&text) else { return json!({ "matched": false }) };
        let mut fields = Map::new();
        for (name, part) in taken {
            let part = json!({ "match": part.text, "offset": part.offset, "length": part.length });
            let parts = fields.entry(name).or_insert_with(|| json!([]));
            parts.as_array_mut().into_iter().for_each(|parts| parts.push(part.clone()));
        }
        json!({ "matched": true, "fields": fields })
    });
    Ok(Json(json!({ "matches": matches.collect::<Vec<Value>>() })))
}
