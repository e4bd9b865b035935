//! A query made ready for one snapshot of an index.

use rusqlite::types::Value as SqlValue;
use serde_json::Value;

use super::compile::{Condition, compile};
use crate::error::{Error, Result};
use crate::index::Reader;
use crate::mapping::Mapping;
use crate::query::{FieldTypes, Predicate, Query};

/// Below this size a scan is as good as an index.
const WORTH_AN_INDEX: i64 = 20_000;

/// Which documents are wanted.
#[derive(Clone, Debug)]
pub struct Filter {
    /// The condition that narrows the rows down.
    pub condition: Condition,
    /// The whole predicate.
    pub predicate: Predicate,
    /// The last row that is looked at.
    up_to: Option<i64>,
}

impl Filter {
    /// Ties queries, all of which must match, to the snapshot.
    ///
    /// # Errors
    /// When a query does not fit the mapping.
    pub fn new(reader: &Reader, queries: &[&Query], now_ms: i64) -> Result<Self> {
        let mapping: &dyn FieldTypes = reader.mapping().as_ref();
        let parts = queries.iter().map(|query| query.resolve(mapping, now_ms)).collect::<Result<Vec<_>>>()?;
        Ok(Self::of(reader, Predicate::and(parts)))
    }

    /// The same for a predicate that is tied already.
    pub fn of(reader: &Reader, predicate: Predicate) -> Self {
        let condition = compile(&predicate, reader.mapping(), reader.index().salt());
        let filter = Self { condition, predicate, up_to: None };
        if reader.index().count() >= WORTH_AN_INDEX {
            for column in &filter.condition.wants_index {
                if !reader.mapping().layout.is_indexed(*column) {
                    reader.index().request_index(*column);
                }
            }
        }
        filter
    }

    /// Does SQL alone decide?
    pub fn is_exact(&self) -> bool {
        self.condition.residual.is_none()
    }

    /// The condition and its parameters, to which others may be added behind.
    pub fn sql(&self) -> (String, Vec<SqlValue>) {
        let condition = &self.condition.sql;
        let sql = match self.up_to {
            Some(seq) => format!("({condition}) AND seq <= {seq}"),
            None => condition.clone(),
        };
        (sql, self.condition.params.clone())
    }

    /// Leaves out all but the first `most` documents that match, in the order of writing. Says whether there were more.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn stop_after(&mut self, reader: &Reader, most: u64) -> Result<bool> {
        let (mut seen, mut last) = (0, None);
        super::rows::for_each(reader, self, super::Reading::default(), &mut |row| {
            seen += 1;
            if seen <= most {
                last = Some(row.seq);
            }
            Ok(seen <= most)
        })?;
        if seen > most {
            self.up_to = last;
        }
        Ok(seen > most)
    }

    /// Does a row that fulfils the condition match?
    ///
    /// # Errors
    /// When its source is damaged.
    pub fn accepts(&self, mapping: &Mapping, id: &str, source: &str) -> Result<bool> {
        match &self.condition.residual {
            None => Ok(true),
            Some(residual) => Ok(residual.matches(id, &parse_source(mapping, source)?)),
        }
    }

    /// How many documents match; counting stops at `limit`.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn count(&self, reader: &Reader, limit: Option<u64>) -> Result<u64> {
        if matches!(self.predicate, Predicate::None) {
            return Ok(0);
        }
        if matches!(self.predicate, Predicate::All) && self.up_to.is_none() {
            let count = crate::index::file::number(reader.connection(), "count")?.unwrap_or(0).unsigned_abs();
            return Ok(limit.map_or(count, |limit| count.min(limit)));
        }
        if !self.is_exact() {
            let mut count = 0;
            super::rows::for_each(reader, self, super::Reading::default(), &mut |_| {
                count += 1;
                Ok(limit.is_none_or(|limit| count < limit))
            })?;
            return Ok(count);
        }
        let (sql, params) = self.sql();
        let sql = match limit {
            Some(limit) => format!("SELECT count(*) FROM (SELECT 1 FROM docs WHERE {sql} LIMIT {limit})"),
            None => format!("SELECT count(*) FROM docs WHERE {sql}"),
        };
        let mut statement = reader.connection().prepare_cached(&sql)?;
        let count: i64 = statement.query_row(rusqlite::params_from_iter(params), |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }
}

/// A document as queries see it, copies included.
///
/// # Errors
/// When the source is damaged.
pub fn parse_source(mapping: &Mapping, source: &str) -> Result<Value> {
    let value: Value = serde_json::from_str(source)
        .map_err(|error| Error::Corrupt(format!("a document's source is damaged: {error}")))?;
    Ok(if mapping.copies { mapping.augmented(&value) } else { value })
}
