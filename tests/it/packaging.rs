//! The files that package the service, checked without a container engine: the Compose file against the Compose
//! specification's schema, what refers to what, and that every setting named in them is one of the service's.

use std::collections::BTreeSet;
use std::path::Path;

use auspex::config::{Config, Settings};
use serde_json::{Map, Value};

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

fn compose() -> Value {
    serde_yaml_ng::from_str(&read("docker-compose.yml")).unwrap()
}

/// The keywords of JSON Schema that the Compose specification uses; an unknown one fails, so that nothing is passed over.
fn problem(root: &Value, schema: &Value, value: &Value, at: &str) -> Option<String> {
    let Value::Object(schema) = schema else { return (schema == &Value::Bool(false)).then(|| at.to_owned()) };
    schema.iter().find_map(|(keyword, wanted)| match keyword.as_str() {
        "$ref" => {
            let pointer = wanted.as_str().unwrap().trim_start_matches('#');
            problem(root, root.pointer(pointer).expect("references lead somewhere"), value, at)
        }
        "type" => {
            let kinds = wanted.as_array().cloned().unwrap_or_else(|| vec![wanted.clone()]);
            let fits = kinds.iter().any(|kind| is_of_type(value, kind.as_str().unwrap()));
            (!fits).then(|| format!("{at}: {value} is not {wanted}"))
        }
        "oneOf" => {
            let fitting =
                wanted.as_array().unwrap().iter().filter(|one| problem(root, one, value, at).is_none());
            let fitting = fitting.count();
            (fitting != 1).then(|| format!("{at}: {value} fits {fitting} of the alternatives"))
        }
        "enum" => (!wanted.as_array().unwrap().contains(value))
            .then(|| format!("{at}: {value} is not one of {wanted}")),
        "required" => wanted.as_array().unwrap().iter().find_map(|name| {
            value.get(name.as_str().unwrap()).is_none().then(|| format!("{at}: there is no {name}"))
        }),
        "properties" => members(value)
            .find_map(|(name, member)| problem(root, wanted.get(name)?, member, &format!("{at}/{name}"))),
        "patternProperties" | "additionalProperties" => others(root, schema, keyword, value, at),
        "items" => value.as_array().into_iter().flatten().find_map(|item| problem(root, wanted, item, at)),
        "uniqueItems" => {
            let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
            items
                .iter()
                .enumerate()
                .find(|(n, item)| items[..*n].contains(item))
                .map(|(_, item)| format!("{at}: {item} twice"))
        }
        "pattern" => value.as_str().and_then(|text| {
            (!matches_pattern(wanted.as_str().unwrap(), text))
                .then(|| format!("{at}: {text} does not fit {wanted}"))
        }),
        "minimum" => {
            value.as_f64().filter(|v| *v < wanted.as_f64().unwrap()).map(|v| format!("{at}: {v} is too low"))
        }
        "maximum" => {
            value.as_f64().filter(|v| *v > wanted.as_f64().unwrap()).map(|v| format!("{at}: {v} is too high"))
        }
        "$schema" | "$id" | "title" | "description" | "definitions" | "default" | "deprecated" | "format" => {
            None
        }
        unknown => Some(format!("the schema has the keyword {unknown}, which is not checked")),
    })
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn others(
    root: &Value,
    schema: &Map<String, Value>,
    keyword: &str,
    value: &Value,
    at: &str,
) -> Option<String> {
    let patterns = schema.get("patternProperties").and_then(Value::as_object);
    let pattern =
        |name: &str| patterns.into_iter().flatten().find(|(pattern, _)| matches_pattern(pattern, name));
    members(value).find_map(|(name, member)| {
        let known = schema.get("properties").is_some_and(|properties| properties.get(name).is_some());
        let inner = format!("{at}/{name}");
        match (pattern(name), keyword) {
            (Some((_, wanted)), "patternProperties") => problem(root, wanted, member, &inner),
            (None, "additionalProperties") if !known => problem(root, &schema[keyword], member, &inner),
            _ => None,
        }
    })
}

fn is_of_type(value: &Value, kind: &str) -> bool {
    match kind {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "null" => value.is_null(),
        other => panic!("unknown type {other}"),
    }
}

fn matches_pattern(pattern: &str, text: &str) -> bool {
    regex::Regex::new(pattern).unwrap().is_match(text)
}

/// Settings as the service reads them: an unknown name or a wrong value is an error.
fn settings_are_known(variables: Vec<(String, String)>) {
    assert!(variables.iter().any(|(name, _)| name.starts_with("AUSPEX_")));
    if let Err(errors) = Config::load(None, variables.into_iter(), Settings::default()) {
        panic!("{errors}");
    }
}

#[test]
fn the_compose_file_follows_the_specification() {
    let schema: Value = serde_json::from_str(&read("tests/packaging/compose-spec.json")).unwrap();
    assert_eq!(problem(&schema, &schema, &compose(), ""), None);
    let mut wrong = compose();
    wrong["services"]["auspex"]["restrat"] = Value::Bool(true);
    assert!(problem(&schema, &schema, &wrong, "").is_some(), "the check can fail");
    let mut wrong = compose();
    wrong["services"]["auspex"]["ports"] = Value::from("9280");
    assert!(problem(&schema, &schema, &wrong, "").is_some(), "the check can fail");
}

#[test]
fn services_refer_to_services_that_are_there() {
    let compose = compose();
    let services: BTreeSet<&String> = members(&compose["services"]).map(|(name, _)| name).collect();
    assert_eq!(services.len(), 3);
    let volumes: BTreeSet<&String> = members(&compose["volumes"]).map(|(name, _)| name).collect();
    let address = regex::Regex::new(r"https?://([a-z0-9-]+):(\d+)").unwrap();
    let mut referred = 0;
    for (name, service) in members(&compose["services"]) {
        for (other, how) in members(&service["depends_on"]) {
            assert!(services.contains(other) && other != name, "{name} depends on {other}");
            let health = &compose["services"][other]["healthcheck"];
            assert!(
                how["condition"] != "service_healthy" || health.is_object(),
                "{other} has no health check"
            );
        }
        for (_, value) in members(&service["environment"]) {
            let text = value.as_str().unwrap_or_default();
            for found in address.captures_iter(text) {
                let host = found[1].to_owned();
                assert!(services.contains(&host), "{name} speaks to {host}");
                assert!(service["depends_on"].get(&host).is_some(), "{name} does not wait for {host}");
                let published = compose["services"][&host]["ports"].to_string();
                assert!(
                    published.contains(&format!(":{}\"", &found[2])),
                    "{host} has another port than {}",
                    &found[2]
                );
                referred += 1;
            }
        }
        for port in service["ports"].as_array().into_iter().flatten() {
            assert!(port.as_str().unwrap().starts_with("127.0.0.1:"), "{name} is open to other machines");
        }
        for volume in service["volumes"].as_array().into_iter().flatten() {
            let source = volume.as_str().unwrap().split(':').next().unwrap().to_owned();
            assert!(volumes.contains(&source), "{name} mounts {source}");
        }
    }
    assert_eq!(referred, 2, "Kibana and Auspex speak to Elasticsearch");
}

#[test]
fn settings_in_all_packages_are_known() {
    let compose = compose();
    let of_compose = members(&compose["services"]["auspex"]["environment"]);
    let of_compose: Vec<_> =
        of_compose.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect();
    let dockerfile = read("Dockerfile");
    let variable = regex::Regex::new(r"\b(AUSPEX_[A-Z_]+)=(\S+)").unwrap();
    let pairs = |text: &str| -> Vec<(String, String)> {
        variable.captures_iter(text).map(|found| (found[1].to_owned(), found[2].to_owned())).collect()
    };
    let mut in_container = pairs(&dockerfile);
    in_container.extend(of_compose);
    settings_are_known(in_container);
    settings_are_known(pairs(&read("packaging/auspex.service")));
}

#[test]
fn the_image_is_built_of_what_is_there() {
    let dockerfile = read("Dockerfile");
    let stages: Vec<&str> = dockerfile.lines().filter_map(|line| line.split(" AS ").nth(1)).collect();
    for line in dockerfile.lines().filter(|line| line.starts_with("COPY --from=")) {
        let stage = line.trim_start_matches("COPY --from=").split(' ').next().unwrap();
        assert!(stages.contains(&stage), "{line}");
    }
    let cargo = read("Cargo.toml");
    let version =
        regex::Regex::new("rust-version = \"([0-9.]+)\"").unwrap().captures(&cargo).unwrap()[1].to_owned();
    assert!(dockerfile.contains(&format!("FROM rust:{version}-")), "the image builds with Rust {version}");
    let compose = compose();
    let port =
        compose["services"]["auspex"]["ports"][0].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
    assert!(
        dockerfile.contains(&format!("EXPOSE {port}\n"))
            && dockerfile.contains(&format!("AUSPEX_LISTEN=0.0.0.0:{port}"))
    );
}
