//! Going over the rows that match, with only the columns that are wanted.

use rusqlite::types::{Value as SqlValue, ValueRef};
use serde_json::Value;

use super::filter::{Filter, parse_source};
use crate::error::Result;
use crate::guard;
use crate::index::Reader;
use crate::query::Predicate;

/// What is read of each row, and in which order.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reading<'a> {
    /// The wanted columns.
    pub columns: &'a [u32],
    /// Is the document itself wanted?
    pub with_source: bool,
    /// A further condition, whose parameters are numbered from where the filter's end.
    pub condition: Option<(&'a str, &'a [SqlValue])>,
    /// What stands behind `ORDER BY`; the order of writing if nothing does.
    pub order_by: Option<&'a str>,
}

/// A matching row.
#[derive(Debug)]
pub struct Row<'r, 's> {
    row: &'r rusqlite::Row<'s>,
    /// The row's number.
    pub seq: i64,
    /// The document's version.
    pub version: i64,
    source: Option<Value>,
}

/// What stands before the wanted columns.
const FIXED: usize = 4;
/// Rows between two looks at whether the request may go on.
const ROWS_BETWEEN_LOOKS: usize = 32;

impl Row<'_, '_> {
    /// The value of a wanted column.
    pub fn column(&self, place: usize) -> ValueRef<'_> {
        self.row.get_ref(FIXED + place).unwrap_or(ValueRef::Null)
    }

    /// What the column `id` says.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn id(&self) -> Result<Option<&str>> {
        Ok(self.row.get_ref(1)?.as_str_or_null().map_err(rusqlite::Error::from)?)
    }

    /// The document, if the rows were asked for it.
    pub fn source(&self) -> Option<&Value> {
        self.source.as_ref()
    }
}

/// Calls `visit` with each row that matches until it says `false`.
///
/// # Errors
/// When SQLite fails, or `visit` does.
pub fn for_each(
    reader: &Reader,
    filter: &Filter,
    reading: Reading<'_>,
    visit: &mut dyn FnMut(&Row<'_, '_>) -> Result<bool>,
) -> Result<()> {
    if matches!(filter.predicate, Predicate::None) {
        return Ok(());
    }
    let needs_source = reading.with_source || !filter.is_exact();
    let (condition, mut params) = filter.sql();
    let mut sql = String::from("SELECT seq, id, version, ");
    sql.push_str(if needs_source { "source" } else { "NULL" });
    for column in reading.columns {
        sql.push_str(&format!(", c{column}"));
    }
    sql.push_str(" FROM docs WHERE ");
    sql.push_str(&condition);
    if let Some((condition, more)) = reading.condition {
        sql.push_str(" AND ");
        sql.push_str(condition);
        params.extend_from_slice(more);
    }
    sql.push_str(" ORDER BY ");
    sql.push_str(reading.order_by.unwrap_or("seq"));
    let mut statement = reader.connection().prepare_cached(&sql)?;
    let mut rows = statement.query(rusqlite::params_from_iter(params))?;
    let mut looked_at = 0_usize;
    while let Some(row) = rows.next()? {
        if looked_at.is_multiple_of(ROWS_BETWEEN_LOOKS) {
            guard::check()?;
        }
        looked_at += 1;
        let seq: i64 = row.get(0)?;
        let mut source = None;
        if needs_source {
            let text = row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?;
            let parsed = parse_source(reader.mapping(), text)?;
            if let Some(residual) = &filter.condition.residual {
                let id = row.get_ref(1)?.as_str_or_null().map_err(rusqlite::Error::from)?;
                if !residual.matches(&reader.id(seq, id), &parsed) {
                    continue;
                }
            }
            source = Some(parsed);
        }
        if !visit(&Row { row, seq, version: row.get(2)?, source })? {
            break;
        }
    }
    Ok(())
}
