//! The description of the interface that is kept in the repository.

use std::collections::BTreeSet;

use serde_json::Value;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/api-specs/openapi.json");

/// `UPDATE_OPENAPI=1` writes the file anew.
#[test]
fn the_description_lists_every_route_and_no_other() {
    let current = auspex::api::openapi();
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(PATH, printed(&current)).unwrap();
    }
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(PATH).unwrap()).unwrap();
    let described: BTreeSet<(String, String, String)> = kept["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, operations)| {
            operations.as_object().unwrap().iter().map(move |(method, operation)| {
                (path.clone(), method.clone(), operation["summary"].as_str().unwrap().to_owned())
            })
        })
        .collect();
    let routed: BTreeSet<(String, String, String)> = auspex::api::route_lines()
        .into_iter()
        .map(|line| (line.path.to_owned(), line.method, line.summary.to_owned()))
        .collect();
    let only = |a: &BTreeSet<_>, b: &BTreeSet<_>| {
        a.difference(b).cloned().collect::<Vec<(String, String, String)>>()
    };
    assert_eq!(only(&described, &routed), [], "described, but not routed");
    assert_eq!(only(&routed, &described), [], "routed, but not described");
    assert_eq!(kept, current, "set UPDATE_OPENAPI=1 to write the file anew");
}

/// One operation a line, so that changes can be read.
fn printed(description: &Value) -> String {
    let block = |entries: Vec<String>, indent: &str| format!("{{\n{}\n{indent}}}", entries.join(",\n"));
    let members = description.as_object().unwrap().iter().map(|(name, member)| {
        if name != "paths" {
            return format!("  {name:?}: {member}");
        }
        let paths = member.as_object().unwrap().iter().map(|(path, operations)| {
            let operations = operations.as_object().unwrap().iter();
            let lines =
                operations.map(|(method, operation)| format!("      {method:?}: {operation}")).collect();
            format!("    {path:?}: {}", block(lines, "    "))
        });
        format!("  {name:?}: {}", block(paths.collect(), "  "))
    });
    format!("{}\n", block(members.collect(), ""))
}
