//! From JSON to [`Query`]: the queries on text.

use serde_json::{Value, json};

use super::ast::{Fuzziness, MatchForm, MatchText, Node, Query, StringQuery};
use super::params::{Params, plain};
use super::parse::{Frame, refuse_array, single_field};
use super::parse_terms::fuzziness;
use crate::error::{Error, Result};

pub(super) fn parse(name: &str, body: &Value) -> Result<Query> {
    match name {
        "multi_match" => parse_multi_match(body),
        "query_string" => parse_query_string(body),
        "simple_query_string" => parse_simple_query_string(body),
        _ => parse_match(name, body),
    }
}

fn parse_match(name: &str, body: &Value) -> Result<Query> {
    let map = body.as_object().ok_or_else(|| Error::parsing(format!("[{name}] query malformed")))?;
    let (field, value) = single_field(name, map, &["boost", "_name"])?;
    refuse_array(name, value)?;
    let short = json!({ "query": value });
    let mut params = Params::new(name, if value.is_object() { value } else { &short })?;
    let frame = Frame::read(&mut params)?;
    let form = match name {
        "match" => MatchForm::Words,
        "match_bool_prefix" => MatchForm::BoolPrefix,
        _ => {
            let slop = slop(&mut params)?;
            if name == "match_phrase" { MatchForm::Phrase { slop } } else { MatchForm::PhrasePrefix { slop } }
        }
    };
    let mut text = match_text(&mut params, form)?;
    text.field.clone_from(field);
    params.finish()?;
    Ok(frame.around(Node::Match(Box::new(text))))
}

fn slop(params: &mut Params<'_>) -> Result<u32> {
    let slop = params.count("slop")?.unwrap_or(0);
    u32::try_from(slop).map_err(|_| Error::illegal("No negative slop allowed."))
}

/// The parameters that `match` and `multi_match` share.
fn match_text(params: &mut Params<'_>, form: MatchForm) -> Result<MatchText> {
    let query = params.value("query").ok_or_else(|| Error::parsing("No text specified for text query"))?;
    if query.is_array() || query.is_object() {
        return Err(Error::parsing(format!(
            "[{}] unknown token [{}] after [query]",
            params.name(),
            plain(query)
        )));
    }
    let fuzzy = params.text("fuzziness")?.map(|text| fuzziness(&text)).transpose()?;
    let prefix_length = params.count("prefix_length")?.unwrap_or(0);
    let zero_terms = params.text("zero_terms_query")?.unwrap_or_default().to_ascii_lowercase();
    if !matches!(zero_terms.as_str(), "" | "none" | "all") {
        return Err(Error::parsing(format!("Unsupported zero_terms_query value [{zero_terms}]")));
    }
    let text = MatchText {
        field: String::new(),
        query: query.clone(),
        form,
        all: operator(params, "operator")?,
        minimum_should_match: params.text("minimum_should_match")?,
        analyzer: params.text("analyzer")?,
        fuzziness: fuzzy.map(|edits| Fuzziness { edits, prefix_length }),
        lenient: params.flag("lenient", false)?,
        zero_terms_all: zero_terms == "all",
    };
    params.ignore(&[
        "max_expansions",
        "fuzzy_transpositions",
        "fuzzy_rewrite",
        "auto_generate_synonyms_phrase_query",
        "cutoff_frequency",
        "rewrite",
    ]);
    Ok(text)
}

fn operator(params: &mut Params<'_>, key: &'static str) -> Result<bool> {
    match params.text(key)?.map(|text| text.to_ascii_lowercase()).as_deref() {
        None | Some("or") => Ok(false),
        Some("and") => Ok(true),
        Some(other) => Err(Error::illegal(format!(
            "No enum constant org.elasticsearch.index.query.Operator.{}",
            other.to_uppercase()
        ))),
    }
}

fn parse_multi_match(body: &Value) -> Result<Query> {
    let mut params = Params::new("multi_match", body)?;
    let frame = Frame::read(&mut params)?;
    let slop = slop(&mut params)?;
    let kind = params.text("type")?.unwrap_or_else(|| "best_fields".to_owned());
    let form = match kind.as_str() {
        "best_fields" | "most_fields" | "cross_fields" => MatchForm::Words,
        "phrase" => MatchForm::Phrase { slop },
        "phrase_prefix" => MatchForm::PhrasePrefix { slop },
        "bool_prefix" => MatchForm::BoolPrefix,
        _ => {
            return Err(Error::parsing(format!(
                "failed to parse [multi_match] query type [{kind}]. unknown type."
            )));
        }
    };
    let fields = unboosted(params.texts("fields")?.unwrap_or_default())?;
    let text = match_text(&mut params, form)?;
    params.number("tie_breaker")?;
    params.finish()?;
    let cross_fields = kind == "cross_fields";
    Ok(frame.around(Node::MultiMatch { text: Box::new(text), fields, cross_fields }))
}

/// Fields without their `^2`: boosts change scores, which are not computed.
fn unboosted(fields: Vec<String>) -> Result<Vec<String>> {
    fields
        .into_iter()
        .map(|field| match field.split_once('^') {
            None => Ok(field),
            Some((name, boost)) if boost.parse::<f64>().is_ok() => Ok(name.to_owned()),
            Some(_) => Err(Error::illegal(format!("field [{field}] has an invalid boost"))),
        })
        .collect()
}

fn parse_query_string(body: &Value) -> Result<Query> {
    let mut params = Params::new("query_string", body)?;
    let frame = Frame::read(&mut params)?;
    let query = params
        .text("query")?
        .ok_or_else(|| Error::parsing("[query_string] must be provided with a [query]"))?;
    let mut fields = params.texts("fields")?.unwrap_or_default();
    let default_field = params.text("default_field")?;
    if !fields.is_empty() && default_field.is_some() {
        return Err(Error::illegal("cannot use [fields] parameter in conjunction with [default_field]"));
    }
    fields.extend(default_field);
    let query = StringQuery {
        query,
        simple: false,
        fields: unboosted(fields)?,
        all: operator(&mut params, "default_operator")?,
        escape: params.flag("escape", false)?,
        lenient: params.value("lenient").is_some().then(|| params.flag("lenient", false)).transpose()?,
        analyzer: params.text("analyzer")?,
        minimum_should_match: params.text("minimum_should_match")?,
        time_zone: params.text("time_zone")?,
    };
    params.ignore(&[
        "allow_leading_wildcard",
        "analyze_wildcard",
        "auto_generate_synonyms_phrase_query",
        "enable_position_increments",
        "fuzziness",
        "fuzzy_max_expansions",
        "fuzzy_prefix_length",
        "fuzzy_rewrite",
        "fuzzy_transpositions",
        "max_determinized_states",
        "phrase_slop",
        "quote_analyzer",
        "quote_field_suffix",
        "rewrite",
        "tie_breaker",
        "type",
    ]);
    params.finish()?;
    Ok(frame.around(Node::QueryString(Box::new(query))))
}

fn parse_simple_query_string(body: &Value) -> Result<Query> {
    let mut params = Params::new("simple_query_string", body)?;
    let frame = Frame::read(&mut params)?;
    let query =
        params.text("query")?.ok_or_else(|| Error::parsing("[simple_query_string] query text missing"))?;
    let query = StringQuery {
        query,
        simple: true,
        fields: unboosted(params.texts("fields")?.unwrap_or_default())?,
        all: operator(&mut params, "default_operator")?,
        escape: false,
        lenient: Some(params.flag("lenient", true)?),
        analyzer: params.text("analyzer")?,
        minimum_should_match: params.text("minimum_should_match")?,
        time_zone: None,
    };
    if params.text("flags")?.is_some_and(|flags| !flags.eq_ignore_ascii_case("ALL")) {
        return Err(Error::illegal(
            "[flags] of [simple_query_string] other than ALL are not supported by the embedded store",
        ));
    }
    params.ignore(&[
        "analyze_wildcard",
        "auto_generate_synonyms_phrase_query",
        "fuzzy_max_expansions",
        "fuzzy_prefix_length",
        "fuzzy_transpositions",
        "quote_field_suffix",
    ]);
    params.finish()?;
    Ok(frame.around(Node::QueryString(Box::new(query))))
}
