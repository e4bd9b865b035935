//! The description of all routes, and the routes that serve it.

use std::sync::LazyLock;

use axum::body::Bytes;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::Html;
use serde_json::{Map, Value, json};

use super::super::browsers::page_policy;
use super::super::route::{Route, RouteLine, route, route_lines};
use super::operations::{self, Form, Operation};
use super::parameters;

/// The forms of bodies and answers by name.
static SCHEMAS: LazyLock<Map<String, Value>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("schemas.json")).expect("a test reads the schemas of this build")
});

/// The description as it is sent: it is the same as long as the service runs.
static PRINTED: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(openapi().to_string()));

const PAGE: &str = include_str!("page.html");

static PAGE_POLICY: LazyLock<HeaderValue> = LazyLock::new(|| page_policy(PAGE));

pub(in crate::api) fn routes() -> Vec<Route> {
    vec![
        route("GET", "/api-specs/openapi.json", "This description", &[], || async {
            ([(CONTENT_TYPE, "application/json")], PRINTED.clone())
        }),
        route("GET", "/api-specs", "The page to try the interface", &[], || async {
            ([(CONTENT_SECURITY_POLICY, PAGE_POLICY.clone())], Html(PAGE))
        }),
    ]
}

/// The description of all routes, in the form of OpenAPI 3.1.
pub fn openapi() -> Value {
    let mut paths = Map::new();
    for line in route_lines() {
        let operations = paths.entry(line.path).or_insert_with(|| json!({}));
        operations[line.method.as_str()] = operation(&line);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Auspex",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Anomaly detection with the interface of X-Pack machine learning, and Elasticsearch's \
                            document and search API over the embedded store. Every path under /_ml is also answered \
                            under /_xpack/ml. Every operation also takes `pretty`, `human`, `error_trace` and \
                            `filter_path`, which leaves out all of the answer that it does not name. Requests and \
                            answers may have the media types application/json, application/yaml, application/cbor and \
                            application/smile, and application/vnd.elasticsearch+json, +yaml, +cbor and +smile; \
                            compatible-with=7, 8 or 9. Answers also take `format`: json, yaml, cbor or smile, and \
                            text in tables.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths,
        "components": { "schemas": *SCHEMAS },
    })
}

fn operation(line: &RouteLine) -> Value {
    let known = operations::find(&line.method, line.path);
    let in_path = line.path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    let mut parameters: Vec<Value> = in_path.map(|name| in_path_parameter(&line.method, name)).collect();
    parameters.extend(line.params.iter().map(|name| parameters::described(name)));
    let mut operation = json!({
        "operationId": operation_id(line),
        "tags": [tag(line.path)],
        "summary": line.summary,
        "parameters": parameters,
    });
    if let Some(body) = known.and_then(|known| request_body(known.body)) {
        operation["requestBody"] = body;
    }
    operation["responses"] = responses(line, known);
    operation
}

/// Nothing is named as an example of what to delete.
fn in_path_parameter(method: &str, name: &str) -> Value {
    const EXAMPLES: [(&str, &str); 8] = [
        ("job_id", "responsetimes"),
        ("datafeed_id", "datafeed-responsetimes"),
        ("calendar_id", "releases"),
        ("filter_id", "quiet"),
        ("index", "requests"),
        ("id", "1"),
        ("timestamp", "1767225600000"),
        ("category_id", "1"),
    ];
    let mut schema = json!({ "type": "string", "minLength": 1 });
    let example = EXAMPLES.iter().find(|(known, _)| *known == name).filter(|_| method != "delete");
    if let Some((_, example)) = example {
        schema["examples"] = json!([example]);
    }
    json!({ "name": name, "in": "path", "required": true, "schema": schema })
}

/// `get_ml_anomaly_detectors_by_job_id_stats`
fn operation_id(line: &RouteLine) -> String {
    let path = line.path.replace('{', "by_");
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    std::iter::once(line.method.as_str()).chain(words).collect::<Vec<&str>>().join("_")
}

fn tag(path: &str) -> &'static str {
    const TAGS: [(&str, &str); 12] = [
        ("/_ml/anomaly_detectors/{job_id}/results", "results"),
        ("/_ml/anomaly_detectors/{job_id}/model_snapshots", "model snapshots"),
        ("/_ml/anomaly_detectors", "jobs"),
        ("/_ml/datafeeds", "datafeeds"),
        ("/_ml/calendars", "calendars"),
        ("/_ml/filters", "filters"),
        ("/_ml", "machine learning"),
        ("/_text_structure", "text structure"),
        ("/_watcher", "watches"),
        ("/_cat", "cat"),
        ("/{index}", "indices and documents"),
        ("/api-specs", "server"),
    ];
    let all_indices = ["_search", "_count", "_bulk", "_mget", "_msearch", "_field_caps", "_pit"];
    match TAGS.iter().find(|(prefix, _)| path.starts_with(prefix)) {
        Some((_, tag)) => tag,
        None if all_indices.iter().any(|name| path[1..].starts_with(name)) => "indices and documents",
        None => "server",
    }
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn request_body(form: Form) -> Option<Value> {
    let (required, content) = match form {
        Form::Nothing | Form::Table | Form::Text => return None,
        Form::Json(name) => (true, json!({ "application/json": with_example(name) })),
        Form::OptionalJson(name) => (false, json!({ "application/json": with_example(name) })),
        Form::Lines(name) => (true, json!({ "application/x-ndjson": with_example(name) })),
    };
    Some(json!({ "required": required, "content": content }))
}

fn with_example(name: &str) -> Value {
    let mut media = json!({ "schema": reference(name) });
    if let Some(example) = SCHEMAS.get(name).and_then(|schema| schema.pointer("/examples/0")) {
        media["example"] = example.clone();
    }
    media
}

fn responses(line: &RouteLine, known: Option<&Operation>) -> Value {
    let mut responses = Map::new();
    let is_head = line.method == "head";
    let text = || json!({ "schema": { "type": "string" } });
    let content = match known.map_or(Form::Json("Anything"), |known| known.answer) {
        Form::Nothing => None,
        _ if is_head => None,
        Form::Text => Some(json!({ "text/plain": text(), "text/html": text() })),
        Form::Table => {
            let rows = json!({ "schema": { "type": "array", "items": { "type": "object" } } });
            Some(json!({ "text/plain": text(), "application/json": rows }))
        }
        Form::Json(name) | Form::OptionalJson(name) | Form::Lines(name) => {
            Some(json!({ "application/json": with_example(name) }))
        }
    };
    let product = json!({ "schema": { "const": "Elasticsearch" } });
    let mut answer = json!({ "description": "Done", "headers": { "X-Elastic-Product": product } });
    if let Some(content) = content {
        answer["content"] = content;
    }
    for status in known.map_or(&[200][..], |known| known.statuses) {
        let mut answer = answer.clone();
        if *status >= 400 {
            // What is asked for is not there, or already what it is in is not.
            if let Some(schema) = answer.pointer_mut("/content/application~1json/schema") {
                *schema = json!({ "anyOf": [schema.take(), reference("Error")] });
            }
        }
        responses.insert(status.to_string(), answer);
    }
    for (status, description) in failures(line) {
        let mut failure = json!({ "description": description });
        if !is_head {
            failure["content"] = json!({ "application/json": { "schema": reference("Error") } });
        }
        responses.entry(status.to_string()).or_insert(failure);
    }
    Value::Object(responses)
}

/// What can go wrong with every operation of this kind.
fn failures(line: &RouteLine) -> Vec<(u16, &'static str)> {
    let mut failures = vec![(400, "Something in the request is not valid, or is not allowed as things are")];
    if line.path.contains('{') || !line.params.is_empty() {
        failures.push((404, "What is named does not exist"));
    }
    failures.push((406, "The media type of the body is not read here"));
    if line.method != "get" && line.method != "head" {
        failures.push((409, "The state of what is named, or a version, does not allow it"));
    }
    failures.extend([
        (413, "The body is too long"),
        (429, "More requests are being served than allowed, or there is no room"),
        (500, "A bug; the server's log says more"),
        (503, "The answer took too long, or the store is away"),
    ]);
    failures
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_form_that_is_named_exists_and_every_operation_is_routed() {
        let routed: BTreeSet<(String, &str)> =
            route_lines().into_iter().map(|line| (line.method, line.path)).collect();
        for operation in operations::all() {
            for method in operation.methods.split(' ') {
                let key = (method.to_ascii_lowercase(), operation.path);
                assert!(routed.contains(&key), "{method} {} is described, but not routed", operation.path);
            }
            for form in [operation.body, operation.answer] {
                if let Form::Json(name) | Form::OptionalJson(name) | Form::Lines(name) = form {
                    assert!(SCHEMAS.contains_key(name), "{name} is not among the schemas");
                }
            }
        }
    }

    #[test]
    fn operations_have_names_of_their_own() {
        let lines = route_lines();
        let ids: BTreeSet<String> = lines.iter().map(operation_id).collect();
        assert_eq!(ids.len(), lines.len());
    }

    #[test]
    fn every_reference_leads_to_a_schema() {
        let text = openapi().to_string();
        for part in text.split("#/components/schemas/").skip(1) {
            let name = part.split('"').next().unwrap_or_default();
            assert!(SCHEMAS.contains_key(name), "{name}");
        }
    }
}
