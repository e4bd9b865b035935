//! The description of the interface, made from the route table.

use axum::Json;
use serde_json::{Map, Value, json};

use super::route::{Route, RouteLine, route, route_lines};

pub(super) fn routes() -> Vec<Route> {
    vec![route("GET", "/api-specs/openapi.json", "This description", &[], || async { Json(openapi()) })]
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
                            under /_xpack/ml.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths,
        "components": { "schemas": { "Error": error_schema() } },
    })
}

fn operation(line: &RouteLine) -> Value {
    let in_path = line.path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    let text = json!({ "type": "string" });
    let mut parameters: Vec<Value> =
        in_path.map(|name| json!({ "name": name, "in": "path", "required": true, "schema": text })).collect();
    parameters.extend(line.params.iter().map(|name| json!({ "name": name, "in": "query", "schema": text })));
    let failure = json!({
        "description": "A failure",
        "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } },
    });
    json!({
        "summary": line.summary,
        "parameters": parameters,
        "responses": { "200": { "description": "Done" }, "default": failure },
    })
}

fn error_schema() -> Value {
    json!({
        "type": "object",
        "required": ["error", "status"],
        "properties": {
            "error": {
                "oneOf": [
                    { "type": "string" },
                    {
                        "type": "object",
                        "required": ["type", "reason", "root_cause"],
                        "properties": {
                            "type": { "type": "string" },
                            "reason": { "type": "string" },
                            "root_cause": { "type": "array", "items": { "type": "object" } },
                            "caused_by": { "type": "object" },
                        },
                    },
                ],
            },
            "status": { "type": "integer" },
        },
    })
}
