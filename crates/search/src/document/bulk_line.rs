//! The lines of a bulk request.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use crate::error::{Error, Result};

/// What a line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Create or replace.
    Index,
    /// Create.
    Create,
    /// Change a part.
    Update,
    /// Delete.
    Delete,
}

impl Action {
    /// As the line names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// What stands beside the action.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target<'a> {
    #[serde(borrow, default)]
    pub(super) _index: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) _id: Option<Value>,
    #[serde(default)]
    pub(super) if_seq_no: Option<i64>,
    #[serde(default)]
    pub(super) if_primary_term: Option<i64>,
    #[serde(default)]
    pub(super) version: Option<i64>,
    #[serde(default)]
    pub(super) version_type: Option<String>,
    #[serde(default)]
    pub(super) op_type: Option<String>,
    #[serde(default)]
    pub(super) require_alias: Option<bool>,
    #[serde(default)]
    pub(super) pipeline: Option<String>,
    // Taken and of no meaning here: there is one shard, and there are no types.
    #[serde(default, rename = "routing")]
    _routing: Option<Value>,
    #[serde(default, rename = "_routing")]
    _old_routing: Option<Value>,
    #[serde(default, rename = "_type")]
    _type: Option<Value>,
    #[serde(default, rename = "retry_on_conflict")]
    _retry_on_conflict: Option<Value>,
    #[serde(default, rename = "dynamic_templates")]
    _dynamic_templates: Option<Value>,
    #[serde(default, rename = "list_executed_pipelines")]
    _list_executed_pipelines: Option<Value>,
    #[serde(default, rename = "require_data_stream")]
    _require_data_stream: Option<Value>,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    index: Option<Target<'a>>,
    #[serde(borrow)]
    create: Option<Target<'a>>,
    #[serde(borrow)]
    update: Option<Target<'a>>,
    #[serde(borrow)]
    delete: Option<Target<'a>>,
}

/// Reads an action line; `number` counts from 1.
///
/// # Errors
/// When the line is malformed, which makes the whole request malformed.
pub fn parse(line: &[u8], number: usize) -> Result<(Action, Target<'_>)> {
    let malformed = |why: String| Error::illegal(format!("Malformed action/metadata line [{number}], {why}"));
    let read: Line<'_> = serde_json::from_slice(line).map_err(|error| {
        let text = String::from_utf8_lossy(line);
        let text = text.trim();
        if text.starts_with('{') {
            malformed(format!("expected a known action with known parameters: {error}"))
        } else {
            malformed("expected START_OBJECT but found something else".into())
        }
    })?;
    let found = [
        (Action::Index, read.index),
        (Action::Create, read.create),
        (Action::Update, read.update),
        (Action::Delete, read.delete),
    ];
    let mut found = found.into_iter().filter_map(|(action, target)| Some((action, target?)));
    match (found.next(), found.next()) {
        (Some((Action::Index, target)), None) if target.op_type.as_deref() == Some("create") => {
            Ok((Action::Create, target))
        }
        (Some(one), None) => Ok(one),
        _ => Err(malformed("expected field [create], [delete], [index] or [update]".into())),
    }
}

/// The lines of a body, each with its newline taken off.
///
/// # Errors
/// When the last line does not end.
pub fn lines(body: &[u8]) -> Result<impl Iterator<Item = &[u8]>> {
    if body.last() != Some(&b'\n') {
        return Err(Error::illegal("The bulk request must be terminated by a newline [\\n]"));
    }
    let mut start = 0;
    Ok(memchr::memchr_iter(b'\n', body).map(move |end| {
        let line = &body[start..end];
        start = end + 1;
        line.strip_suffix(b"\r").unwrap_or(line)
    }))
}
