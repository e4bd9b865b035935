//! Ties the queries on text to fields: words are cut by the field's analyzer, other fields take the text as one value.

use serde_json::Value;

use super::ast::{MatchForm, MatchText};
use super::field::{Field, FieldKind};
use super::minimum::minimum_should_match;
use super::params::plain;
use super::predicate::{Predicate, Test};
use super::resolve::Resolver;
use super::resolve_terms::{fuzzy, fuzzy_test};
use crate::analysis::Analyzer;
use crate::error::Result;

impl Resolver<'_> {
    pub(super) fn match_field(&mut self, field: &Field, text: &MatchText) -> Result<Predicate> {
        let named = text.analyzer.as_deref().map(Analyzer::by_name).transpose()?;
        match &field.kind {
            FieldKind::Text { analyzer } => {
                let terms = named.unwrap_or(*analyzer).terms(&plain(&text.query));
                self.words(field, terms, text)
            }
            FieldKind::Keyword { .. } => {
                let whole = plain(&text.query);
                match (text.form, text.fuzziness) {
                    (MatchForm::BoolPrefix | MatchForm::PhrasePrefix { .. }, _) => {
                        Ok(Predicate::value(field, Test::TermPrefix(whole)))
                    }
                    (MatchForm::Words, Some(fuzziness)) => fuzzy(field, &whole, fuzziness),
                    _ => self.term(field, &text.query, false),
                }
            }
            _ => match self.exactly(field, &text.query) {
                Ok(test) => Ok(test.map_or(Predicate::None, |test| Predicate::value(field, test))),
                Err(_) if text.lenient => Ok(Predicate::None),
                Err(error) => Err(error),
            },
        }
    }

    fn words(&mut self, field: &Field, terms: Vec<String>, text: &MatchText) -> Result<Predicate> {
        let Some(last) = terms.len().checked_sub(1) else {
            return Ok(if text.zero_terms_all { Predicate::All } else { Predicate::None });
        };
        if let MatchForm::Phrase { slop } | MatchForm::PhrasePrefix { slop } = text.form {
            let prefix = matches!(text.form, MatchForm::PhrasePrefix { .. });
            let test = match (last, prefix) {
                (0, true) => Test::TermPrefix(terms.into_iter().next().unwrap_or_default()),
                (0, false) => Test::TermIn(terms),
                _ => Test::Phrase { terms, slop, prefix },
            };
            return Ok(Predicate::value(field, test));
        }
        let mut parts = Vec::with_capacity(terms.len());
        for (position, term) in terms.into_iter().enumerate() {
            self.count_clause()?;
            let test = match text.fuzziness {
                _ if position == last && text.form == MatchForm::BoolPrefix => Test::TermPrefix(term),
                Some(fuzziness) => fuzzy_test(&term, fuzziness),
                None => Test::TermIn(vec![term]),
            };
            parts.push(Predicate::value(field, test));
        }
        if text.all {
            return Ok(Predicate::and(parts));
        }
        let required = match &text.minimum_should_match {
            // At least one word must be there, whatever the share comes to.
            Some(minimum) => minimum_should_match(minimum, parts.len())?.max(1),
            None => 1,
        };
        Ok(Predicate::at_least(required, parts))
    }

    pub(super) fn multi_match(
        &mut self,
        text: &MatchText,
        names: &[String],
        cross_fields: bool,
    ) -> Result<Predicate> {
        let (fields, lenient) = self.text_fields(names);
        let text = &MatchText { lenient: text.lenient || lenient, ..text.clone() };
        let analyzers: Option<Vec<Analyzer>> = fields
            .iter()
            .map(|field| match &field.kind {
                FieldKind::Text { analyzer } => Some(*analyzer),
                _ => None,
            })
            .collect();
        if let (true, Some([first, rest @ ..])) = (cross_fields, analyzers.as_deref())
            && rest.iter().all(|other| other == first)
        {
            return self.across(&fields, *first, text);
        }
        let mut parts = Vec::new();
        for field in &fields {
            self.count_clause()?;
            match self.match_field(field, text) {
                Err(_) if text.lenient => {}
                part => parts.push(part?),
            }
        }
        Ok(Predicate::or(parts))
    }

    /// Every word may stand in any of the fields.
    fn across(&mut self, fields: &[Field], analyzer: Analyzer, text: &MatchText) -> Result<Predicate> {
        let terms = analyzer.terms(&plain(&text.query));
        if terms.is_empty() {
            return Ok(if text.zero_terms_all { Predicate::All } else { Predicate::None });
        }
        let mut parts = Vec::with_capacity(terms.len());
        for term in terms {
            self.count_clause()?;
            let anywhere =
                fields.iter().map(|field| Predicate::value(field, Test::TermIn(vec![term.clone()])));
            parts.push(Predicate::or(anywhere));
        }
        if text.all {
            return Ok(Predicate::and(parts));
        }
        let required = match &text.minimum_should_match {
            Some(minimum) => minimum_should_match(minimum, parts.len())?.max(1),
            None => 1,
        };
        Ok(Predicate::at_least(required, parts))
    }

    /// The fields with these names or patterns, the index's default fields when there are none; and whether all fields are
    /// meant, so that what some of them cannot hold is no error.
    pub(super) fn text_fields(&self, names: &[String]) -> (Vec<Field>, bool) {
        let defaults = self.fields.default_fields();
        let names = if names.is_empty() { &defaults } else { names };
        let mut found: Vec<Field> = Vec::new();
        for name in names {
            let leaves = if name.contains('*') { self.fields.expand(name) } else { vec![name.clone()] };
            for field in leaves.iter().filter_map(|leaf| self.field(leaf)) {
                if field.searchable && !found.iter().any(|known| known.path == field.path) {
                    found.push(field);
                }
            }
        }
        (found, self.means_all_fields(names))
    }

    /// Do these names, or the index's default fields when there are none, stand for all fields?
    pub(super) fn means_all_fields(&self, names: &[String]) -> bool {
        let all = |names: &[String]| names.iter().any(|name| name == "*");
        if names.is_empty() { all(&self.fields.default_fields()) } else { all(names) }
    }
}

/// The text of a query as it would be for one field.
pub(super) fn words_of(text: &str, all: bool, analyzer: Option<String>) -> MatchText {
    MatchText {
        field: String::new(),
        query: Value::String(text.to_owned()),
        form: MatchForm::Words,
        all,
        minimum_should_match: None,
        analyzer,
        fuzziness: None,
        lenient: false,
        zero_terms_all: false,
    }
}
