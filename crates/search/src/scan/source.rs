//! One index, page by page along its time index. Each page begins where the last one ended, so that none costs more than
//! another.

use std::fmt::Write as _;

use rusqlite::types::{Value as SqlValue, ValueRef};
use serde_json::Value;

use super::batch::{ScanBatch, ScanColumn, ScanValue};
use super::pick::Picker;
use crate::error::{Error, Result};
use crate::index::cell::{self, Scalar};
use crate::mapping::Mapping;
use crate::query::value::{Native, natives, print_ip};
use crate::query::{Field, FieldKind, Query};
use crate::search::execute::View;
use crate::sql::Filter;
use crate::sql::filter::parse_source;

/// Where a field's values come from.
#[derive(Debug)]
enum From {
    /// The place among the columns that are read.
    Column(usize, FieldKind),
    /// A column that usually holds the text too, and the document where it does not.
    ColumnOrSource(usize, Field),
    /// The document.
    Source(Field),
    Index,
    Id,
    Nowhere,
}

/// The rest of one index.
#[derive(Debug)]
pub(super) struct Source {
    view: View,
    filter: Filter,
    sql: String,
    params: Vec<SqlValue>,
    from: Vec<From>,
    picker: Picker,
    end_ms: i64,
    batch_size: usize,
    /// The time and number of the last document that was read.
    last: (i64, i64),
    done: bool,
    pub(super) batch: ScanBatch,
    /// The next row of the batch.
    pub(super) at: usize,
}

/// What stands before the wanted columns: number, id, source, time.
const FIXED: usize = 4;

/// What is read of each index.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) query: &'a Query,
    pub(super) time_field: &'a str,
    pub(super) fields: &'a [String],
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
    pub(super) batch_size: usize,
    pub(super) now_ms: i64,
}

/// The column of the time field.
pub(super) fn time_column(mapping: &Mapping, time_field: &str) -> Result<u32> {
    let leaf = mapping.leaf(time_field).ok_or_else(|| {
        Error::query_shard(format!("No mapping found for [{time_field}] in order to sort on"))
            .on_index(&mapping.index)
    })?;
    match (&leaf.field.kind, leaf.column) {
        (FieldKind::Date { .. } | FieldKind::Integer { .. }, Some(column)) => Ok(column),
        _ => Err(Error::illegal(format!(
            "field [{time_field}] of type [{}] cannot be the time of documents",
            leaf.type_name
        ))
        .on_index(&mapping.index)),
    }
}

impl Source {
    pub(super) fn new(view: View, plan: &Plan<'_>) -> Result<Self> {
        let filter = view.filter(&[plan.query], plan.now_ms)?;
        let mapping = view.reader.mapping();
        let time = time_column(mapping, plan.time_field)?;
        let (mut columns, mut paths) = (Vec::new(), Vec::new());
        let from: Vec<From> =
            plan.fields.iter().map(|field| origin(mapping, field, &mut columns, &mut paths)).collect();
        let picker = Picker::new(paths);
        let (condition, mut params) = filter.sql();
        let source = if filter.is_exact() && picker.is_empty() { "NULL" } else { "source" };
        let (when, hint) = if mapping.layout.is_multi(time) {
            // Of several times the first one counts; no index knows it.
            let lists = format!(
                "CASE typeof(c{time}) WHEN 'blob' THEN (SELECT min(value) FROM json_each(CAST(c{time} AS TEXT))) ELSE c{time} END"
            );
            (lists, String::new())
        } else if mapping.layout.is_indexed(time) {
            // Pages by any other index would have to be sorted anew each time.
            (format!("c{time}"), format!(" INDEXED BY docs_c{time}"))
        } else {
            (format!("c{time}"), String::new())
        };
        let mut sql = format!("SELECT seq, id, {source}, {when} AS t");
        for column in &columns {
            let _ = write!(sql, ", c{column}");
        }
        let next = params.len() + 1;
        let _ = write!(
            sql,
            " FROM docs{hint} WHERE {when} >= ?{next} AND {when} < ?{} AND ({when} > ?{next} OR seq > ?{}) AND ({condition}) \
             ORDER BY t, seq LIMIT {}",
            next + 1,
            next + 2,
            plan.batch_size
        );
        params.extend([SqlValue::Null, SqlValue::Null, SqlValue::Null]);
        Ok(Self {
            view,
            filter,
            sql,
            params,
            from,
            picker,
            end_ms: plan.end_ms,
            batch_size: plan.batch_size,
            last: (plan.start_ms, -1),
            done: false,
            batch: ScanBatch::new(plan.fields.len()),
            at: 0,
        })
    }

    /// The time of the next document; nothing at the end.
    pub(super) fn head(&mut self) -> Result<Option<i64>> {
        while self.at == self.batch.len() && !self.done {
            self.read_page()?;
        }
        Ok(self.batch.times_ms.get(self.at).copied())
    }

    fn read_page(&mut self) -> Result<()> {
        let columns = self.batch.columns.len();
        self.batch = ScanBatch::new(columns);
        self.at = 0;
        let free = self.params.len() - 3;
        self.params[free] = self.last.0.into();
        self.params[free + 1] = self.end_ms.into();
        self.params[free + 2] = self.last.1.into();
        let reader = &self.view.reader;
        let mut statement = reader.connection().prepare_cached(&self.sql)?;
        let mut rows = statement.query(rusqlite::params_from_iter(&self.params))?;
        let mut read = 0;
        let mut scratch = String::new();
        while let Some(row) = rows.next()? {
            read += 1;
            let (seq, time): (i64, i64) = (row.get(0)?, row.get(3)?);
            self.last = (time, seq);
            if !self.filter.is_exact() {
                let id = row.get_ref(1)?.as_str_or_null().map_err(rusqlite::Error::from)?;
                let source = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
                if !self.filter.accepts(reader.mapping(), &reader.id(seq, id), source)? {
                    continue;
                }
            }
            self.batch.times_ms.push(time);
            let mut document = None;
            for (from, column) in self.from.iter().zip(&mut self.batch.columns) {
                self.view.push(from, &self.picker, row, seq, &mut document, &mut scratch, column)?;
            }
        }
        self.done = read < self.batch_size;
        Ok(())
    }
}

/// Where a field's values come from; adds what must be read for it.
fn origin(mapping: &Mapping, field: &str, columns: &mut Vec<u32>, paths: &mut Vec<String>) -> From {
    match field {
        "_index" => return From::Index,
        "_id" => return From::Id,
        _ => {}
    }
    let Some(leaf) = mapping.leaf(field) else { return From::Nowhere };
    let mut read = |column| {
        columns.push(column);
        columns.len() - 1
    };
    if let Some(column) = leaf.column {
        return From::Column(read(column), leaf.field.kind.clone());
    }
    paths.push(leaf.field.source_path.clone());
    // A multi-field without normalizer holds the same text, unless it is too long.
    let twin = mapping.leaves.iter().find(|other| {
        other.field.source_path == leaf.field.source_path
            && other.column.is_some_and(|column| !mapping.layout.is_multi(column))
            && matches!(other.field.kind, FieldKind::Keyword { lowercase: false })
            && other.field.null_value.is_none()
    });
    match twin.and_then(|twin| twin.column) {
        Some(column) => From::ColumnOrSource(read(column), leaf.field.clone()),
        None => From::Source(leaf.field.clone()),
    }
}

impl View {
    #[allow(clippy::too_many_arguments)]
    fn push(
        &self,
        from: &From,
        picker: &Picker,
        row: &rusqlite::Row<'_>,
        seq: i64,
        document: &mut Option<Value>,
        scratch: &mut String,
        column: &mut ScanColumn,
    ) -> Result<()> {
        match from {
            From::Nowhere => column.push(ScanValue::Missing),
            From::Index => column.push(ScanValue::Str(&self.reader.index().name)),
            From::Id => {
                let id = row.get_ref(1)?.as_str_or_null().map_err(rusqlite::Error::from)?;
                column.push(ScanValue::Str(&self.reader.id(seq, id)));
            }
            From::Column(place, kind) => push_column(kind, row.get_ref(FIXED + place)?, scratch, column),
            From::ColumnOrSource(place, field) => match row.get_ref(FIXED + place)? {
                ValueRef::Text(_) => {
                    push_column(&FieldKind::keyword(), row.get_ref(FIXED + place)?, scratch, column)
                }
                _ => self.push_source(field, picker, row, document, scratch, column)?,
            },
            From::Source(field) => self.push_source(field, picker, row, document, scratch, column)?,
        }
        Ok(())
    }

    /// Texts keep the order of the document.
    fn push_source(
        &self,
        field: &Field,
        picker: &Picker,
        row: &rusqlite::Row<'_>,
        document: &mut Option<Value>,
        scratch: &mut String,
        column: &mut ScanColumn,
    ) -> Result<()> {
        if document.is_none() {
            let text = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
            let mapping = self.reader.mapping();
            *document =
                Some(if mapping.copies { parse_source(mapping, text)? } else { picker.pick(text)? });
        }
        let values = document.as_ref().map(|document| natives(field, document, "")).unwrap_or_default();
        push_values(&field.kind, &values, scratch, column);
        Ok(())
    }
}

fn push_column(kind: &FieldKind, value: ValueRef<'_>, scratch: &mut String, column: &mut ScanColumn) {
    match (value, kind) {
        (ValueRef::Null, _) => column.push(ScanValue::Missing),
        (ValueRef::Integer(value), FieldKind::Boolean) => {
            column.push(ScanValue::Str(if value != 0 { "true" } else { "false" }));
        }
        (ValueRef::Integer(value), _) => column.push(ScanValue::Num(value as f64)),
        (ValueRef::Real(value), _) => column.push(ScanValue::Num(value)),
        (ValueRef::Text(bytes), FieldKind::Keyword { .. }) => match std::str::from_utf8(bytes) {
            Ok(text) => column.push(ScanValue::Str(text)),
            Err(_) => column.push(ScanValue::Missing),
        },
        (value, kind) => {
            let mut values = Vec::new();
            cell::for_each(kind, value, &mut |scalar: Scalar<'_>| values.push(scalar.to_native()));
            // As doc values are: sorted, each once.
            values.sort_by(order);
            values.dedup();
            push_values(kind, &values, scratch, column);
        }
    }
}

fn order(a: &Native, b: &Native) -> std::cmp::Ordering {
    match (a, b) {
        (Native::Int(a), Native::Int(b)) => a.cmp(b),
        (Native::Double(a), Native::Double(b)) => a.total_cmp(b),
        (Native::Text(a), Native::Text(b)) => a.cmp(b),
        (Native::Ip(a), Native::Ip(b)) => a.cmp(b),
        _ => std::cmp::Ordering::Equal,
    }
}

fn push_values(kind: &FieldKind, values: &[Native], scratch: &mut String, column: &mut ScanColumn) {
    match values {
        [] => column.push(ScanValue::Missing),
        [Native::Int(value)] if !matches!(kind, FieldKind::Boolean) => {
            column.push(ScanValue::Num(*value as f64))
        }
        [Native::Double(value)] => column.push(ScanValue::Num(*value)),
        [Native::Text(text)] => column.push(ScanValue::Str(text)),
        values => {
            scratch.clear();
            for (number, value) in values.iter().enumerate() {
                if number > 0 {
                    scratch.push(',');
                }
                // Writing to a string cannot fail.
                let _ = match (value, kind) {
                    (Native::Int(value), FieldKind::Boolean) => write!(scratch, "{}", *value != 0),
                    (Native::Int(value), _) => write!(scratch, "{value}"),
                    (Native::Double(value), _) => write!(scratch, "{value}"),
                    (Native::Text(text), _) => write!(scratch, "{text}"),
                    (Native::Ip(bits), _) => write!(scratch, "{}", print_ip(*bits)),
                    (Native::Geo(lat, lon), _) => write!(scratch, "{lat},{lon}"),
                };
            }
            column.push(ScanValue::Str(scratch));
        }
    }
}
