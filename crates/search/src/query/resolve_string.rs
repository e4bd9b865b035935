//! Ties query strings to fields.

use serde_json::Value;

use super::ast::{Bounds, Fuzziness, MatchForm, MatchText, PatternKind, StringQuery};
use super::field::{Field, FieldKind};
use super::minimum::minimum_should_match;
use super::predicate::{Predicate, Test};
use super::resolve::Resolver;
use super::resolve_terms;
use super::resolve_text::words_of;
use super::syntax::{Expr, Leaf, Occur};
use super::{lucene_syntax, simple_syntax};
use crate::error::{Error, Result};

impl Resolver<'_> {
    pub(super) fn string_query(&mut self, query: &StringQuery) -> Result<Predicate> {
        let expr = if query.simple {
            simple_syntax::parse(&query.query, query.all)
        } else {
            let escaped = query.escape.then(|| escape(&query.query));
            let text = escaped.as_deref().unwrap_or(&query.query);
            lucene_syntax::parse(text, query.all).map_err(|why| Error::QueryShard {
                reason: format!("Failed to parse query [{}]: {why}", query.query),
                cause: "parse_exception",
            })?
        };
        self.expr(&expr, query, query.minimum_should_match.as_deref())
    }

    fn expr(&mut self, expr: &Expr, query: &StringQuery, minimum: Option<&str>) -> Result<Predicate> {
        match expr {
            Expr::Leaf(field, leaf) => self.leaf(field.as_deref(), leaf, query, minimum),
            Expr::Clauses(clauses) => {
                let mut all = Vec::new();
                let mut some = Vec::new();
                for (occur, inner) in clauses {
                    let part = self.expr(inner, query, None)?;
                    match occur {
                        Occur::Must => all.push(part),
                        Occur::Should => some.push(part),
                        Occur::MustNot => all.push(part.negated()),
                    }
                }
                if clauses.is_empty() {
                    return Ok(Predicate::None);
                }
                let must = clauses.iter().any(|(occur, _)| *occur == Occur::Must);
                let required = match minimum {
                    Some(text) => minimum_should_match(text, some.len())?,
                    None => usize::from(!some.is_empty() && !must),
                };
                all.push(Predicate::at_least(required, some));
                Ok(Predicate::and(all))
            }
        }
    }

    fn leaf(
        &mut self,
        field: Option<&str>,
        leaf: &Leaf,
        query: &StringQuery,
        minimum: Option<&str>,
    ) -> Result<Predicate> {
        match (field, leaf) {
            (Some(name), Leaf::All) => return self.exists(name),
            (None, Leaf::All) if query.fields.is_empty() => return Ok(Predicate::All),
            _ => {}
        }
        let named = field.map(|name| vec![name.to_owned()]);
        let (fields, _) = self.text_fields(named.as_deref().unwrap_or(&query.fields));
        // A query string that is asked of all fields is lenient in the fields that it names itself too.
        let lenient = query.lenient.unwrap_or_else(|| self.means_all_fields(&query.fields));
        let mut parts = Vec::new();
        for field in &fields {
            self.count_clause()?;
            match self.leaf_in(field, leaf, query, minimum) {
                // Too many clauses are too many, whatever a field can hold.
                Err(error @ Error::TooManyClauses { .. }) => return Err(error),
                Err(_) if lenient => {}
                part => parts.push(self.constant(part?)),
            }
        }
        Ok(Predicate::or(parts))
    }

    /// `_index` is the same for all documents.
    fn constant(&self, predicate: Predicate) -> Predicate {
        match predicate {
            Predicate::Value { field, test } if field.path == "_index" => {
                if test.accepts_term(self.fields.index_name()) { Predicate::All } else { Predicate::None }
            }
            other => other,
        }
    }

    fn leaf_in(
        &mut self,
        field: &Field,
        leaf: &Leaf,
        query: &StringQuery,
        minimum: Option<&str>,
    ) -> Result<Predicate> {
        let words = |text: &str, form| MatchText {
            form,
            minimum_should_match: minimum.map(str::to_owned),
            ..words_of(text, query.all, query.analyzer.clone())
        };
        match leaf {
            Leaf::All => Ok(Predicate::value(field, Test::Exists)),
            Leaf::Text(text) => self.match_field(field, &words(text, MatchForm::Words)),
            Leaf::Phrase(text, slop) => {
                self.match_field(field, &words(text, MatchForm::Phrase { slop: *slop }))
            }
            Leaf::Fuzzy(text, edits) => {
                resolve_terms::fuzzy(field, text, Fuzziness { edits: *edits, prefix_length: 0 })
            }
            Leaf::Prefix(prefix) => {
                let prefix = normal(field, prefix);
                resolve_terms::pattern(field, PatternKind::Prefix, &prefix, false)
            }
            Leaf::Wildcard(pattern) => {
                let pattern = normal(field, pattern);
                resolve_terms::pattern(field, PatternKind::Wildcard, &pattern, false)
            }
            Leaf::Regexp(pattern) => resolve_terms::pattern(field, PatternKind::Regexp, pattern, false),
            Leaf::Range(lower, upper) => {
                let bound = |given: &Option<(String, bool)>| {
                    given.as_ref().map(|(text, inside)| (Value::String(text.clone()), *inside))
                };
                let time_zone = query.time_zone.clone();
                self.range(
                    field,
                    &Bounds { lower: bound(lower), upper: bound(upper), format: None, time_zone },
                )
            }
        }
    }
}

/// Patterns on text are compared with analysed terms, and so are lowercased as those are.
fn normal(field: &Field, text: &str) -> String {
    match &field.kind {
        FieldKind::Text { analyzer } => analyzer.normalize(text),
        _ => text.to_owned(),
    }
}

/// The text with every character of the syntax escaped.
fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len() + 8), |mut out, c| {
        if "\\+-!():^[]\"{}~*?|&/".contains(c) {
            out.push('\\');
        }
        out.push(c);
        out
    })
}
