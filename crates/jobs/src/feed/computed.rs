//! Fields that the store computes when it reads: scripts and runtime fields. They are kept as they are and passed on.

use serde_json::{Map, Value};
use types::Invalid;
use types::datafeed::Datafeed;

use crate::Result;

const RUNTIME_TYPES: [&str; 9] =
    ["boolean", "composite", "date", "double", "geo_point", "ip", "keyword", "long", "lookup"];

/// Checks the form of a datafeed's computed fields; what the scripts say is for the store to judge.
///
/// # Errors
/// The first rule that is broken.
pub(crate) fn check(feed: &Datafeed) -> Result<()> {
    for (name, field) in fields("script_fields", feed.script_fields.as_ref())? {
        let script = field.get("script").filter(|script| script.is_object() || script.is_string());
        if script.is_none() {
            return Err(refused("script_fields", &format!("script field [{name}] has no [script]")));
        }
    }
    for (name, field) in fields("runtime_mappings", feed.runtime_mappings.as_ref())? {
        let Some(field) = field.as_object() else {
            return Err(refused(
                "runtime_mappings",
                &format!("Expected map for runtime field [{name}] definition"),
            ));
        };
        match field.get("type").and_then(Value::as_str) {
            None => {
                return Err(refused(
                    "runtime_mappings",
                    &format!("No type specified for runtime field [{name}]"),
                ));
            }
            Some(kind) if !RUNTIME_TYPES.contains(&kind) => {
                return Err(refused(
                    "runtime_mappings",
                    &format!("The mapper type [{kind}] declared on runtime field [{name}] does not exist."),
                ));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn fields<'a>(what: &str, value: Option<&'a Value>) -> Result<impl Iterator<Item = (&'a String, &'a Value)>> {
    let fields = match value {
        None => None,
        Some(value) => Some(value.as_object().ok_or_else(|| refused(what, "an object was expected"))?),
    };
    Ok(fields.into_iter().flat_map(Map::iter))
}

fn refused(what: &str, why: &str) -> crate::Error {
    Invalid::x_content(format!("[datafeed_config] failed to parse field [{what}]: {why}")).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use types::DatafeedId;
    use types::datafeed::DatafeedBody;

    fn refusal(body: Value) -> String {
        let body: DatafeedBody = serde_json::from_value(body).unwrap();
        let feed = body.into_datafeed(DatafeedId::try_from("f").unwrap()).unwrap();
        check(&feed).map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn computed_fields_have_a_script_or_a_type() {
        let scripts =
            |fields: Value| refusal(json!({"job_id": "j", "indices": "i", "script_fields": fields}));
        assert_eq!(scripts(json!({"a": {"script": {"source": "1"}}, "b": {"script": "2"}})), "");
        assert!(scripts(json!({"a": {"scrip": "1"}})).ends_with("script field [a] has no [script]"));
        assert!(scripts(json!([1])).contains("[script_fields]: an object was expected"));
        let runtime =
            |fields: Value| refusal(json!({"job_id": "j", "indices": "i", "runtime_mappings": fields}));
        assert_eq!(runtime(json!({"a": {"type": "long", "script": "emit(1)"}})), "");
        assert!(runtime(json!({"a": {"type": "wide"}})).contains("The mapper type [wide]"));
        assert!(runtime(json!({"a": {}})).ends_with("No type specified for runtime field [a]"));
        assert!(runtime(json!({"a": "long"})).contains("Expected map"));
    }
}
