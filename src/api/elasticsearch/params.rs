//! Query parameters that many routes of the document API share.

use ::search::catalog::Expand;
use ::search::document::WriteParams;
use ::search::search::SourceFilter;
use serde_json::{Value, json};

use crate::api::error::ApiError;
use crate::api::extract::Params;

/// What an index expression means.
pub(super) const EXPAND: &str = "ignore_unavailable allow_no_indices expand_wildcards ignore_throttled";
/// How long to wait; nothing here makes anybody wait.
pub(super) const WAIT: &str = "timeout master_timeout local wait_for_active_shards";
/// How a document is written.
pub(super) const WRITE: &str =
    "refresh routing version version_type if_seq_no if_primary_term pipeline require_alias";
/// Which parts of a document are shown.
pub(super) const SOURCE: &str = "_source _source_includes _source_excludes";

pub(super) fn expand(params: &Params) -> Result<Expand, ApiError> {
    expand_with(params, Expand::default())
}

/// The same with defaults of the route's own.
pub(super) fn expand_with(params: &Params, default: Expand) -> Result<Expand, ApiError> {
    let mut expand = default;
    expand.ignore_unavailable = params.flag("ignore_unavailable", expand.ignore_unavailable)?;
    expand.allow_no_indices = params.flag("allow_no_indices", expand.allow_no_indices)?;
    match params.text("expand_wildcards") {
        Some(words) => Ok(expand.with_wildcards(words)?),
        None => Ok(expand),
    }
}

pub(super) fn write(params: &Params) -> Result<WriteParams, ApiError> {
    refuse_pipeline(params)?;
    refresh(params)?;
    let version: Option<i64> = params.number("version")?;
    let kind = params.text("version_type").unwrap_or("internal").to_owned();
    if !matches!(kind.as_str(), "internal" | "external" | "external_gt" | "external_gte") {
        return Err(ApiError::argument(format!("No version type match [{kind}]")));
    }
    if version.is_none() && kind != "internal" {
        return Err(ApiError::validation(&format!("a version is needed for version_type [{kind}]")));
    }
    Ok(WriteParams {
        create: false,
        if_seq_no: if_seq_no(params)?,
        version: version.map(|version| (version, kind)),
        require_alias: params.flag("require_alias", false)?,
    })
}

/// `if_seq_no` and `if_primary_term`, which only make sense together.
pub(super) fn if_seq_no(params: &Params) -> Result<Option<(i64, i64)>, ApiError> {
    match (params.number("if_seq_no")?, params.number("if_primary_term")?) {
        (Some(seq), Some(term)) => Ok(Some((seq, term))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(ApiError::validation("ifSeqNo is set, but primary term is [0]")),
        (None, Some(term)) => {
            Err(ApiError::validation(&format!("ifSeqNo is unassigned, but primary term is [{term}]")))
        }
    }
}

/// Was a refresh asked for? Writes are visible at once, so there is nothing to do but to say so.
pub(super) fn refresh(params: &Params) -> Result<bool, ApiError> {
    match params.text("refresh") {
        Some("" | "true") => Ok(true),
        None | Some("false" | "wait_for") => Ok(false),
        Some(other) => Err(ApiError::argument(format!("Unknown value for refresh: [{other}]."))),
    }
}

/// There are no ingest pipelines: a document that needs one must not be stored without it.
pub(super) fn refuse_pipeline(params: &Params) -> Result<(), ApiError> {
    match params.text("pipeline") {
        None | Some("" | "_none") => Ok(()),
        Some(name) => Err(ApiError::argument(format!("pipeline with id [{name}] does not exist"))),
    }
}

/// `_source`, `_source_includes`, `_source_excludes` as the body writes them; `None` when the query says nothing.
pub(super) fn source_value(params: &Params) -> Option<Value> {
    let includes = params.text("_source_includes");
    let excludes = params.text("_source_excludes");
    match params.text("_source") {
        Some("" | "true") if includes.is_none() && excludes.is_none() => Some(json!(true)),
        Some("false") => Some(json!(false)),
        chosen if chosen.is_some() || includes.is_some() || excludes.is_some() => {
            let chosen = chosen.filter(|text| !matches!(*text, "" | "true"));
            let includes = includes.or(chosen).map(words).unwrap_or_default();
            Some(json!({ "includes": includes, "excludes": excludes.map(words).unwrap_or_default() }))
        }
        _ => None,
    }
}

fn words(list: &str) -> Vec<&str> {
    list.split(',').map(str::trim).collect()
}

pub(super) fn source_filter(params: &Params) -> Result<SourceFilter, ApiError> {
    Ok(SourceFilter::parse(&source_value(params).unwrap_or(Value::Bool(true)))?)
}
