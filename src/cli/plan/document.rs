//! Configurations as files: YAML or JSON, one or several documents a file, each with a `kind` and an `id`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::PlanError;

/// What a document describes. The order is the one in which things are created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Filter,
    Calendar,
    Job,
    ModelSnapshot,
    Datafeed,
    Watch,
}

impl Kind {
    const ALL: [Self; 6] =
        [Self::Filter, Self::Calendar, Self::Job, Self::ModelSnapshot, Self::Datafeed, Self::Watch];

    /// As it stands in files.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::Calendar => "calendar",
            Self::Job => "job",
            Self::ModelSnapshot => "model_snapshot",
            Self::Datafeed => "datafeed",
            Self::Watch => "watch",
        }
    }

    /// The field in which the API's own bodies carry the id.
    const fn id_field(self) -> &'static str {
        match self {
            Self::Filter => "filter_id",
            Self::Calendar => "calendar_id",
            Self::Job => "job_id",
            Self::ModelSnapshot => "snapshot_id",
            Self::Datafeed => "datafeed_id",
            Self::Watch => "watch_id",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One thing that shall exist: the body of its PUT request, with its kind and id beside it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Document {
    pub(super) kind: Kind,
    pub(super) id: String,
    pub(super) body: Map<String, Value>,
    /// The file, for messages.
    pub(super) source: String,
}

impl Document {
    /// An error about this document.
    pub(super) fn wrong(&self, reason: impl fmt::Display) -> PlanError {
        PlanError::Document {
            source_name: self.source.clone(),
            what: format!("{} [{}]", self.kind, self.id),
            reason: reason.to_string(),
        }
    }
}

/// All documents of the files and folders, sorted by kind and id.
///
/// # Errors
/// When a file cannot be read, a document has no kind or id, or two describe the same thing.
pub(super) fn read_all(paths: &[PathBuf]) -> Result<Vec<Document>, PlanError> {
    let mut files = Vec::new();
    for path in paths {
        collect_files(path, true, &mut files)?;
    }
    let mut documents: BTreeMap<(Kind, String), Document> = BTreeMap::new();
    for file in &files {
        let text = std::fs::read_to_string(file).map_err(|error| unreadable(file, &error))?;
        let is_json = file.extension().is_some_and(|extension| extension == "json");
        for document in read_text(&file.display().to_string(), &text, is_json)? {
            let key = (document.kind, key_of(&document));
            if let Some(earlier) = documents.get(&key) {
                return Err(document.wrong(format!("stands in [{}] already", earlier.source)));
            }
            documents.insert(key, document);
        }
    }
    Ok(documents.into_values().collect())
}

/// Snapshots of different jobs may have the same id.
fn key_of(document: &Document) -> String {
    match document.kind {
        Kind::ModelSnapshot => {
            let job = document.body.get("job_id").and_then(Value::as_str).unwrap_or_default();
            format!("{job}/{}", document.id)
        }
        _ => document.id.clone(),
    }
}

fn unreadable(path: &Path, error: &impl fmt::Display) -> PlanError {
    PlanError::File { path: path.display().to_string(), reason: error.to_string() }
}

/// Files in folders are taken when their names end like YAML or JSON; files that are named are always taken.
fn collect_files(path: &Path, named: bool, files: &mut Vec<PathBuf>) -> Result<(), PlanError> {
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if metadata.is_dir() {
        let entries = std::fs::read_dir(path).map_err(|error| unreadable(path, &error))?;
        let mut inside: Vec<PathBuf> = entries
            .map(|entry| entry.map(|entry| entry.path()).map_err(|error| unreadable(path, &error)))
            .collect::<Result<_, _>>()?;
        inside.sort();
        return inside.iter().try_for_each(|path| collect_files(path, false, files));
    }
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    if named || matches!(extension, "yaml" | "yml" | "json") {
        files.push(path.to_owned());
    }
    Ok(())
}

/// The documents of one file; a list counts as its members, and a datafeed inside a job as a document of its own.
fn read_text(name: &str, text: &str, is_json: bool) -> Result<Vec<Document>, PlanError> {
    let wrong =
        |reason: &dyn fmt::Display| PlanError::File { path: name.to_owned(), reason: reason.to_string() };
    let mut values: Vec<Value> = Vec::new();
    if is_json {
        for value in serde_json::Deserializer::from_str(text).into_iter() {
            values.push(value.map_err(|error| wrong(&error))?);
        }
    } else {
        for document in serde_yaml_ng::Deserializer::from_str(text) {
            values.push(Value::deserialize(document).map_err(|error| wrong(&error))?);
        }
    }
    let mut documents = Vec::new();
    for value in values {
        let members = match value {
            Value::Null => continue,
            Value::Array(members) => members,
            other => vec![other],
        };
        for member in members {
            let document = read_document(name, member)?;
            documents.extend(embedded_feed(&document)?);
            documents.push(without_feed(document));
        }
    }
    Ok(documents)
}

fn read_document(name: &str, value: Value) -> Result<Document, PlanError> {
    let wrong = |reason: String| PlanError::File { path: name.to_owned(), reason };
    let Value::Object(mut body) = value else {
        return Err(wrong("a document must be an object with [kind] and [id]".to_owned()));
    };
    let names = || Kind::ALL.map(Kind::name).join(", ");
    let kind = match body.shift_remove("kind") {
        Some(Value::String(text)) => Kind::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| wrong(format!("kind [{text}] is none of [{}]", names())))?,
        _ => return Err(wrong(format!("a document has no [kind]; it is one of [{}]", names()))),
    };
    let header = body.shift_remove("id");
    let own = body.shift_remove(kind.id_field());
    let id = match (header, own) {
        (Some(header), Some(own)) if header != own => {
            return Err(wrong(format!("{kind}: [id] is {header} but [{}] is {own}", kind.id_field())));
        }
        (Some(id), _) | (None, Some(id)) => id,
        (None, None) => return Err(wrong(format!("a {kind} has no [id]"))),
    };
    let Value::String(id) = id else {
        return Err(wrong(format!("{kind}: [id] must be text, but is {id}")));
    };
    Ok(Document { kind, id, body, source: name.to_owned() })
}

fn embedded_feed(job: &Document) -> Result<Option<Document>, PlanError> {
    if job.kind != Kind::Job {
        return Ok(None);
    }
    match job.body.get("datafeed_config") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(feed)) => {
            let mut body = feed.clone();
            let id = match body.shift_remove("datafeed_id") {
                Some(Value::String(id)) => id,
                _ => job.id.clone(),
            };
            body.entry("job_id").or_insert_with(|| Value::String(job.id.clone()));
            Ok(Some(Document { kind: Kind::Datafeed, id, body, source: job.source.clone() }))
        }
        Some(_) => Err(job.wrong("[datafeed_config] must be an object")),
    }
}

fn without_feed(mut document: Document) -> Document {
    if document.kind == Kind::Job {
        document.body.shift_remove("datafeed_config");
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_hold_one_or_several_documents_in_yaml_or_json() {
        let yaml = "kind: filter\nid: f\nitems: [a]\n---\n- {kind: calendar, id: c}\n- kind: job\n  job_id: j\n  datafeed_config: {indices: [i]}\n---\n";
        let found = read_text("x.yaml", yaml, false).unwrap();
        let named: Vec<(Kind, &str)> = found.iter().map(|one| (one.kind, one.id.as_str())).collect();
        assert_eq!(
            named,
            [(Kind::Filter, "f"), (Kind::Calendar, "c"), (Kind::Datafeed, "j"), (Kind::Job, "j")]
        );
        assert_eq!(found[2].body["job_id"], "j");
        assert!(!found[3].body.contains_key("datafeed_config"));
        let json = r#"{"kind":"filter","id":"f"} [{"kind":"watch","id":"w"}]"#;
        assert_eq!(read_text("x.json", json, true).unwrap().len(), 2);
    }

    #[test]
    fn what_is_wrong_with_a_document_is_said() {
        let reason = |text: &str| read_text("x.yaml", text, false).unwrap_err().to_string();
        assert!(reason("kind: jobb\nid: j").contains("[jobb]"));
        assert!(reason("id: j").contains("no [kind]"));
        assert!(reason("kind: job").contains("no [id]"));
        assert!(reason("kind: job\nid: a\njob_id: b").contains("but [job_id] is"));
        assert!(reason("kind: job\nid: 3").contains("must be text"));
        assert!(reason("3").contains("must be an object"));
        assert!(reason("kind: [").contains("x.yaml"));
    }
}
