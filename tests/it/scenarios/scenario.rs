//! A scenario file: documents that each hold one named list of steps.

use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Debug, Default)]
pub(super) struct Scenario {
    pub(super) setup: Vec<Step>,
    pub(super) teardown: Vec<Step>,
    pub(super) tests: Vec<(String, Vec<Step>)>,
}

/// One step: its kind and what is said about it.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) kind: String,
    pub(super) body: Value,
}

impl Scenario {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut scenario = Self::default();
        for document in serde_yaml_ng::Deserializer::from_str(text) {
            let sections = Map::deserialize(document).map_err(|error| error.to_string())?;
            for (name, steps) in sections {
                let steps = steps_of(&name, steps)?;
                match name.as_str() {
                    "setup" => scenario.setup = steps,
                    "teardown" => scenario.teardown = steps,
                    _ => scenario.tests.push((name, steps)),
                }
            }
        }
        Ok(scenario)
    }
}

fn steps_of(name: &str, steps: Value) -> Result<Vec<Step>, String> {
    let Value::Array(steps) = steps else { return Err(format!("[{name}] is not a list of steps")) };
    let steps = steps.into_iter().map(|step| match step {
        Value::Object(step) if step.len() == 1 => {
            let (kind, body) = step.into_iter().next().ok_or("an empty step")?;
            Ok(Step { kind, body })
        }
        other => Err(format!("[{name}] has a step that is not one kind with its body: {other}")),
    });
    steps.collect()
}

#[test]
fn files_are_read_as_named_lists_of_steps() {
    let text = "---\nsetup:\n  - do: {info: {}}\n---\n\"A test\":\n  - match: {a.b: 1}\n  - is_true: a\n";
    let scenario = Scenario::parse(text).unwrap();
    assert_eq!((scenario.setup.len(), scenario.teardown.len()), (1, 0));
    let (title, steps) = &scenario.tests[0];
    assert_eq!(
        (title.as_str(), steps[0].kind.as_str(), steps[1].body.as_str()),
        ("A test", "match", Some("a"))
    );
    assert!(Scenario::parse("\"t\":\n  - {do: 1, match: 2}\n").is_err());
}
