//! One operation on a document, within the writer's transaction.

use rusqlite::{Connection, OptionalExtension};

use super::{auto_id, cell};
use crate::error::{Error, Result};
use crate::mapping::Cell;

/// What must be true of a document's present state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expected {
    /// Anything.
    #[default]
    Any,
    /// It must not exist (`op_type=create`).
    Absent,
    /// `if_seq_no` and `if_primary_term`.
    At {
        /// The sequence number.
        seq: i64,
        /// The primary term, which is always 1 here.
        term: i64,
    },
    /// `version_type=external`: the new version, which must be greater than the present one, or equal if allowed.
    External {
        /// The version that the document gets.
        version: i64,
        /// `external_gte`.
        or_equal: bool,
    },
}

/// An operation on one document.
#[derive(Clone, Debug)]
pub enum WriteOp {
    /// Creates or replaces a document.
    Index {
        /// The id; none to have one made up.
        id: Option<String>,
        /// What must be true before.
        expected: Expected,
        /// The source, as it was sent.
        source: String,
        /// The columns.
        cells: Vec<Cell>,
    },
    /// Deletes a document.
    Delete {
        /// The id.
        id: String,
        /// What must be true before.
        expected: Expected,
    },
}

/// What became of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The document is new.
    Created,
    /// The document was replaced.
    Updated,
    /// The document is gone.
    Deleted,
    /// There was no document to delete.
    NotFound,
    /// An update changed nothing.
    Noop,
}

impl Outcome {
    /// As `result` says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
            Self::NotFound => "not_found",
            Self::Noop => "noop",
        }
    }
}

/// What a write has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The document's id.
    pub id: String,
    /// Its sequence number.
    pub seq: i64,
    /// Its version.
    pub version: i64,
    /// What became of the operation.
    pub outcome: Outcome,
}

/// Where a document is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) seq: i64,
    pub(super) version: i64,
}

/// Applies operations; lives for one transaction.
#[allow(missing_debug_implementations)]
pub(super) struct Applier<'c> {
    connection: &'c Connection,
    salt: u64,
    insert: rusqlite::CachedStatement<'c>,
    columns: usize,
    pub(super) next_seq: i64,
    pub(super) count: i64,
}

impl<'c> Applier<'c> {
    pub(super) fn new(
        connection: &'c Connection,
        salt: u64,
        columns: usize,
        next_seq: i64,
        count: i64,
    ) -> Result<Self> {
        let insert = connection.prepare_cached(&insert_sql(columns))?;
        Ok(Self { connection, salt, insert, columns, next_seq, count })
    }

    pub(super) fn apply(&mut self, op: WriteOp) -> Result<Written> {
        match op {
            WriteOp::Index { id: None, source, cells, .. } => {
                let seq = self.take_seq();
                self.insert(seq, None, 1, &source, &cells)?;
                self.count += 1;
                Ok(Written {
                    id: auto_id::encode(self.salt, seq),
                    seq,
                    version: 1,
                    outcome: Outcome::Created,
                })
            }
            WriteOp::Index { id: Some(id), expected, source, cells } => {
                let found = find(self.connection, self.salt, &id)?;
                let version = check(&id, found, expected)?;
                if let Some(found) = found {
                    self.delete_row(found.seq)?;
                }
                let seq = self.take_seq();
                self.insert(seq, Some(&id), version, &source, &cells)?;
                self.count += i64::from(found.is_none());
                let outcome = if found.is_some() { Outcome::Updated } else { Outcome::Created };
                Ok(Written { id, seq, version, outcome })
            }
            WriteOp::Delete { id, expected } => {
                let found = find(self.connection, self.salt, &id)?;
                let version = check(&id, found, expected)?;
                let seq = self.take_seq();
                let outcome = match found {
                    Some(found) => {
                        self.delete_row(found.seq)?;
                        self.count -= 1;
                        Outcome::Deleted
                    }
                    None => Outcome::NotFound,
                };
                Ok(Written { id, seq, version, outcome })
            }
        }
    }

    fn take_seq(&mut self) -> i64 {
        let seq = self.next_seq;
        self.next_seq += 1;
        seq
    }

    fn delete_row(&self, seq: i64) -> Result<()> {
        self.connection.prepare_cached("DELETE FROM docs WHERE seq = ?")?.execute([seq])?;
        Ok(())
    }

    fn insert(
        &mut self,
        seq: i64,
        id: Option<&str>,
        version: i64,
        source: &str,
        cells: &[Cell],
    ) -> Result<()> {
        let statement = &mut self.insert;
        statement.clear_bindings();
        statement.raw_bind_parameter(1, seq)?;
        if let Some(id) = id {
            statement.raw_bind_parameter(2, id)?;
        }
        statement.raw_bind_parameter(3, version)?;
        statement.raw_bind_parameter(4, source)?;
        for (number, value) in cells.iter().enumerate().take(self.columns) {
            if *value != Cell::Null {
                cell::bind(statement, 5 + number, value)?;
            }
        }
        statement.raw_execute()?;
        Ok(())
    }
}

fn insert_sql(columns: usize) -> String {
    let mut sql = String::from("INSERT INTO docs(seq, id, version, source");
    for number in 0..columns {
        sql.push_str(&format!(", c{number}"));
    }
    sql.push_str(") VALUES(?, ?, ?, ?");
    for _ in 0..columns {
        sql.push_str(", ?");
    }
    sql.push(')');
    sql
}

/// Where the document with this id is.
pub(super) fn find(connection: &Connection, salt: u64, id: &str) -> Result<Option<Found>> {
    let read = |row: &rusqlite::Row<'_>| Ok(Found { seq: row.get(0)?, version: row.get(1)? });
    let found = connection
        .prepare_cached("SELECT seq, version FROM docs WHERE id = ?")?
        .query_row([id], read)
        .optional()?;
    match (found, auto_id::decode(salt, id)) {
        (None, Some(seq)) => Ok(connection
            .prepare_cached("SELECT seq, version FROM docs WHERE seq = ? AND id IS NULL")?
            .query_row([seq], read)
            .optional()?),
        (found, _) => Ok(found),
    }
}

/// The version that the write gives the document.
fn check(id: &str, found: Option<Found>, expected: Expected) -> Result<i64> {
    let conflict = |why: String| Err(Error::VersionConflict { id: id.to_owned(), why });
    let next = found.map_or(1, |found| found.version + 1);
    match (expected, found) {
        (Expected::Absent, Some(found)) => {
            conflict(format!("document already exists (current version [{}])", found.version))
        }
        (Expected::At { seq, term }, None) => {
            conflict(format!("required seqNo [{seq}], primary term [{term}]. but no document was found"))
        }
        (Expected::At { seq, term }, Some(found)) if found.seq != seq || term != 1 => conflict(format!(
            "required seqNo [{seq}], primary term [{term}]. current document has seqNo [{}] and primary term [1]",
            found.seq
        )),
        (Expected::External { version, or_equal }, found) => match found {
            Some(found) if found.version > version || (found.version == version && !or_equal) => {
                conflict(format!(
                    "current version [{}] is higher {}than the one provided [{version}]",
                    found.version,
                    if or_equal { "" } else { "or equal " }
                ))
            }
            _ => Ok(version),
        },
        _ => Ok(next),
    }
}
