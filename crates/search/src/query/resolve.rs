//! Ties a query to a mapping: joins, fields, existence, nesting. Terms and texts have files of their own.

use super::ast::{BoolQuery, Node, Query};
use super::field::{Field, FieldTypes, nested_around};
use super::minimum::minimum_should_match;
use super::predicate::{Predicate, Test};
use crate::error::{Error, Result};

/// More clauses in one query are refused (`indices.query.bool.max_clause_count`).
pub const MAX_CLAUSES: usize = 1024;

impl Query {
    /// What the query asks of documents with this mapping, `now_ms` being the present.
    ///
    /// # Errors
    /// When a field cannot hold a value that is asked for, when a date or pattern cannot be read, when there are too many
    /// clauses.
    pub fn resolve(&self, fields: &dyn FieldTypes, now_ms: i64) -> Result<Predicate> {
        self.resolve_in(fields, now_ms, "")
    }

    /// The same for the nested objects at `path`, whose fields alone are seen.
    ///
    /// # Errors
    /// As [`Query::resolve`].
    pub fn resolve_in(&self, fields: &dyn FieldTypes, now_ms: i64, path: &str) -> Result<Predicate> {
        let mut resolver = Resolver { fields, now_ms, scope: path.to_owned(), clauses: 0 };
        resolver.query(self)
    }
}

/// The state of one resolution.
pub(super) struct Resolver<'a> {
    pub(super) fields: &'a dyn FieldTypes,
    pub(super) now_ms: i64,
    /// The nested path whose objects are looked at; empty for documents.
    scope: String,
    clauses: usize,
}

impl Resolver<'_> {
    pub(super) fn query(&mut self, query: &Query) -> Result<Predicate> {
        match &query.node {
            Node::MatchAll => Ok(Predicate::All),
            Node::MatchNone => Ok(Predicate::None),
            Node::Ids(ids) => {
                self.count_clause()?;
                let mut ids = ids.clone();
                ids.sort_unstable();
                ids.dedup();
                Ok(if ids.is_empty() { Predicate::None } else { Predicate::Ids(ids) })
            }
            Node::Exists { field } => self.exists(field),
            Node::Term { field, value, case_insensitive } => {
                self.with_field(field, |r, field| r.term(field, value, *case_insensitive))
            }
            Node::Terms { field, values } => self.with_field(field, |r, field| r.terms(field, values)),
            Node::Range { field, bounds } => self.with_field(field, |r, field| r.range(field, bounds)),
            Node::Pattern { field, kind, pattern, case_insensitive } => self.with_field(field, |_, field| {
                super::resolve_terms::pattern(field, *kind, pattern, *case_insensitive)
            }),
            Node::Fuzzy { field, value, fuzziness } => {
                self.with_field(field, |_, field| super::resolve_terms::fuzzy(field, value, *fuzziness))
            }
            Node::Match(text) => {
                let name = text.field.clone();
                self.with_field(&name, |r, field| r.match_field(field, text))
            }
            Node::MultiMatch { text, fields, cross_fields } => self.multi_match(text, fields, *cross_fields),
            Node::QueryString(text) => self.string_query(text),
            Node::Bool(query) => self.boolean(query),
            Node::DisMax(queries) => {
                let parts = queries.iter().map(|query| self.query(query)).collect::<Result<Vec<_>>>()?;
                Ok(Predicate::or(parts))
            }
            Node::ConstantScore(inner) | Node::Boosting(inner) => self.query(inner),
            Node::Nested { path, query, ignore_unmapped } => self.nested(path, query, *ignore_unmapped),
            Node::Slice { number, of, field } => {
                let field = field.as_deref().and_then(|name| self.field(name)).map(Box::new);
                Ok(Predicate::Slice { number: *number, of: *of, field })
            }
            Node::GeoBox { field, corners } => {
                self.with_field(field, |_, field| super::resolve_terms::geo(field, Test::GeoBox(*corners)))
            }
            Node::GeoDistance { field, centre, metres } => {
                let test = Test::GeoDistance { centre: *centre, metres: *metres };
                self.with_field(field, |_, field| super::resolve_terms::geo(field, test))
            }
        }
    }

    fn boolean(&mut self, query: &BoolQuery) -> Result<Predicate> {
        let mut all = Vec::new();
        for part in query.must.iter().chain(&query.filter) {
            all.push(self.query(part)?);
        }
        let mut some = Vec::new();
        for part in &query.should {
            some.push(self.query(part)?);
        }
        let required = match &query.minimum_should_match {
            Some(text) => minimum_should_match(text, some.len())?,
            None => usize::from(!some.is_empty() && query.must.is_empty() && query.filter.is_empty()),
        };
        all.push(Predicate::at_least(required, some));
        for part in &query.must_not {
            all.push(self.query(part)?.negated());
        }
        Ok(Predicate::and(all))
    }

    fn nested(&mut self, path: &str, query: &Query, ignore_unmapped: bool) -> Result<Predicate> {
        if !self.fields.is_nested(path) {
            if ignore_unmapped {
                return Ok(Predicate::None);
            }
            let why = if self.fields.is_object(path) {
                "path is not of nested type"
            } else {
                "failed to find nested object under path"
            };
            return Err(Error::QueryShard {
                reason: format!("[nested] {why} [{path}]"),
                cause: "illegal_state_exception",
            });
        }
        let outer = std::mem::replace(&mut self.scope, path.to_owned());
        let inner = self.query(query);
        self.scope = outer;
        Ok(match inner? {
            Predicate::None => Predicate::None,
            inner => Predicate::Nested { path: path.to_owned(), inner: Box::new(inner) },
        })
    }

    pub(super) fn exists(&mut self, name: &str) -> Result<Predicate> {
        self.count_clause()?;
        if matches!(name, "_id" | "_index" | "_source" | "_seq_no" | "_version") {
            return Ok(Predicate::All);
        }
        if self.fields.is_object(name) {
            let leaves = self.fields.expand(&format!("{name}.*"));
            let parts: Vec<_> = leaves.iter().filter_map(|leaf| self.field(leaf)).collect();
            return Ok(Predicate::or(parts.iter().map(|field| Predicate::value(field, Test::Exists))));
        }
        if name.contains('*') {
            let parts: Vec<_> = self.fields.expand(name).iter().filter_map(|leaf| self.field(leaf)).collect();
            return Ok(Predicate::or(parts.iter().map(|field| Predicate::value(field, Test::Exists))));
        }
        Ok(self.field(name).map_or(Predicate::None, |field| Predicate::value(&field, Test::Exists)))
    }

    /// The field, if it is mapped and lies in the objects that are looked at: a nested object's fields are not seen from
    /// outside, unless its mapping says so, nor a document's fields from inside.
    pub(super) fn field(&self, name: &str) -> Option<Field> {
        let field = self.fields.field(name)?;
        if matches!(field.path.as_str(), "_id" | "_index") {
            return Some(field);
        }
        let nested = nested_around(self.fields, &field.source_path);
        self.fields.is_seen_from(nested, &self.scope).then_some(field)
    }

    /// Runs `resolve` on a field; an unmapped one matches nothing. `_index` is the same for all documents, so it is decided
    /// here.
    pub(super) fn with_field(
        &mut self,
        name: &str,
        resolve: impl FnOnce(&mut Self, &Field) -> Result<Predicate>,
    ) -> Result<Predicate> {
        self.count_clause()?;
        let Some(field) = self.field(name) else { return Ok(Predicate::None) };
        if !field.searchable {
            return Err(Error::query_shard(format!(
                "Cannot search on field [{name}] since it is not indexed."
            )));
        }
        match resolve(self, &field)? {
            Predicate::Value { field, test } if field.path == "_index" => {
                Ok(if test.accepts_term(self.fields.index_name()) { Predicate::All } else { Predicate::None })
            }
            other => Ok(other),
        }
    }

    pub(super) fn count_clause(&mut self) -> Result<()> {
        self.clauses += 1;
        if self.clauses > MAX_CLAUSES {
            return Err(Error::TooManyClauses { max: MAX_CLAUSES });
        }
        Ok(())
    }
}
