//! From a predicate to a condition in SQL.

use std::fmt::Write as _;
use std::ops::Bound;

use rusqlite::types::Value as SqlValue;

use crate::index::auto_id;
use crate::mapping::Mapping;
use crate::query::{Field, FieldKind, Predicate, Test};

/// SQLite allows 32,766 parameters in a statement; some are needed for other things.
const MAX_PARAMS: usize = 20_000;

/// A condition that every document fulfils which the predicate accepts.
#[derive(Clone, Debug)]
pub struct Condition {
    /// The condition; never NULL.
    pub sql: String,
    /// Its parameters.
    pub params: Vec<SqlValue>,
    /// What must still be asked of each document that fulfils it; nothing if it says the same as the predicate.
    pub residual: Option<Predicate>,
    /// The columns on which it would gain from an index.
    pub wants_index: Vec<u32>,
}

/// Compiles a predicate.
pub fn compile(predicate: &Predicate, mapping: &Mapping, salt: u64) -> Condition {
    let mut compiler = Compiler { mapping, salt, params: Vec::new(), wants_index: Vec::new() };
    let parts = match predicate {
        Predicate::And(parts) => parts.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut sql = Vec::new();
    let mut residual = Vec::new();
    for part in parts {
        let (condition, exact) = compiler.node(part, true);
        if condition != "1" {
            sql.push(condition);
        }
        if !exact {
            residual.push(part.clone());
        }
    }
    if compiler.params.len() > MAX_PARAMS {
        return Condition {
            sql: "1".into(),
            params: Vec::new(),
            residual: Some(predicate.clone()),
            wants_index: Vec::new(),
        };
    }
    let sql = if sql.is_empty() { "1".to_owned() } else { sql.join(" AND ") };
    let residual = match Predicate::and(residual) {
        Predicate::All => None,
        rest => Some(rest),
    };
    Condition { sql, params: compiler.params, residual, wants_index: compiler.wants_index }
}

/// Ids in one statement; it may have 32,766 parameters in all.
const IDS_MAX: usize = 10_000;

/// Conditions joined so that no way through the parentheses is long: SQLite takes trees of a limited depth only.
fn balanced(conditions: &[String], with: &str) -> String {
    match conditions {
        [] => "()".to_owned(),
        [one] => format!("({one})"),
        many => {
            let (left, right) = many.split_at(many.len() / 2);
            format!("({}{with}{})", balanced(left, with), balanced(right, with))
        }
    }
}

struct Compiler<'m> {
    mapping: &'m Mapping,
    salt: u64,
    params: Vec<SqlValue>,
    wants_index: Vec<u32>,
}

impl Compiler<'_> {
    /// A condition, and whether it is exact. `top`: does every row have to fulfil it, so that an index could serve it?
    fn node(&mut self, predicate: &Predicate, top: bool) -> (String, bool) {
        match predicate {
            Predicate::All => ("1".into(), true),
            Predicate::None => ("0".into(), true),
            Predicate::And(parts) => self.joined(parts, " AND ", top),
            Predicate::Or(parts) => self.joined(parts, " OR ", false),
            Predicate::AtLeast { count, of } => {
                let (sum, exact) = self.joined(of, " + ", false);
                (format!("({sum} >= {count})"), exact)
            }
            Predicate::Not(part) => {
                let start = self.params.len();
                match self.node(part, false) {
                    (sql, true) => (format!("(NOT {sql})"), true),
                    // All that can be said of it is a superset, whose complement says nothing.
                    (_, false) => {
                        self.params.truncate(start);
                        ("1".into(), false)
                    }
                }
            }
            // More parameters than a statement may have: each row is asked.
            Predicate::Ids(ids) if ids.len() > IDS_MAX => ("1".into(), false),
            Predicate::Ids(ids) => (self.ids(ids), true),
            Predicate::Value { field, test } => self.value(field, test, top),
            Predicate::Nested { .. } | Predicate::Slice { .. } => ("1".into(), false),
        }
    }

    fn joined(&mut self, parts: &[Predicate], with: &str, top: bool) -> (String, bool) {
        let mut exact = true;
        let conditions: Vec<String> = parts
            .iter()
            .map(|part| {
                let (sql, part_exact) = self.node(part, top);
                exact &= part_exact;
                sql
            })
            .collect();
        (balanced(&conditions, with), exact)
    }

    fn param(&mut self, value: impl Into<SqlValue>) -> String {
        self.params.push(value.into());
        format!("?{}", self.params.len())
    }

    fn ids(&mut self, ids: &[String]) -> String {
        let seqs: Vec<i64> = ids.iter().filter_map(|id| auto_id::decode(self.salt, id)).collect();
        let explicit: Vec<String> = ids.iter().map(|id| self.param(id.clone())).collect();
        let mut sql = format!("(ifnull(id IN ({}), 0)", explicit.join(","));
        if explicit.len() == 1 {
            sql = format!("((id IS NOT NULL AND id = {})", explicit[0]);
        }
        if !seqs.is_empty() {
            let list: Vec<String> = seqs.iter().map(i64::to_string).collect();
            let _ = write!(sql, " OR (id IS NULL AND seq IN ({}))", list.join(","));
        }
        sql.push(')');
        sql
    }

    fn value(&mut self, field: &Field, test: &Test, top: bool) -> (String, bool) {
        if field.path == "_id" {
            return match test {
                Test::TermIn(ids) => (self.ids(ids), true),
                Test::Exists => ("1".into(), true),
                _ => ("1".into(), false),
            };
        }
        let Some(column) = self.mapping.leaf(&field.path).and_then(|leaf| leaf.column) else {
            return ("1".into(), false);
        };
        let name = format!("c{column}");
        if matches!(test, Test::Exists) {
            return (format!("({name} IS NOT NULL)"), true);
        }
        let Some(sql) = self.test(&name, &field.kind, test) else {
            // What has no value passes no test.
            return (format!("({name} IS NOT NULL)"), false);
        };
        if top {
            self.wants_index.push(column);
        }
        if self.mapping.layout.is_multi(column) {
            // Lists are blobs, which are greater than everything else.
            (format!("(ifnull({sql}, 0) OR ifnull({name} >= x'', 0))"), false)
        } else if top {
            (format!("({name} IS NOT NULL AND {sql})"), true)
        } else {
            (format!("ifnull({sql}, 0)"), true)
        }
    }

    /// The test of a column that holds one value, if SQL can say it.
    fn test(&mut self, name: &str, kind: &FieldKind, test: &Test) -> Option<String> {
        Some(match (test, kind) {
            (Test::IntIn(values), _) => one_of(name, values.iter().map(i64::to_string)),
            (Test::IntBetween(lower, upper), _) => format!("({name} BETWEEN {lower} AND {upper})"),
            (Test::DoubleIn(values), _) => {
                let values: Vec<String> = values.iter().map(|value| self.param(*value)).collect();
                one_of(name, values.into_iter())
            }
            (Test::DoubleBetween(lower, upper), _) => {
                let lower = self.bound(name, ">", lower);
                let upper = self.bound(name, "<", upper);
                format!("({lower} AND {upper} AND {name} < '')")
            }
            (Test::TermIn(terms), FieldKind::Keyword { .. }) => {
                let terms: Vec<String> = terms.iter().map(|term| self.param(term.clone())).collect();
                one_of(name, terms.into_iter())
            }
            (Test::TermBetween(lower, upper), FieldKind::Keyword { .. }) => {
                let lower = self.bound(name, ">", lower);
                let upper = self.bound(name, "<", upper);
                format!("({lower} AND {upper} AND {name} < x'')")
            }
            (Test::TermPrefix(prefix), FieldKind::Keyword { .. }) => {
                let chars = prefix.chars().count();
                let prefix = self.param(prefix.clone());
                format!("({name} >= {prefix} AND {name} < x'' AND substr({name}, 1, {chars}) = {prefix})")
            }
            (Test::IpIn(blocks), FieldKind::Ip) => {
                let blocks: Vec<String> = blocks
                    .iter()
                    .map(|(first, last)| format!("{name} BETWEEN '{first:032x}' AND '{last:032x}'"))
                    .collect();
                if blocks.is_empty() { "0".into() } else { format!("({})", blocks.join(" OR ")) }
            }
            _ => return None,
        })
    }

    fn bound<T: Clone + Into<SqlValue>>(&mut self, name: &str, comparison: &str, bound: &Bound<T>) -> String {
        match bound {
            Bound::Included(value) => format!("{name} {comparison}= {}", self.param(value.clone())),
            Bound::Excluded(value) => format!("{name} {comparison} {}", self.param(value.clone())),
            Bound::Unbounded => "1".into(),
        }
    }
}

fn one_of(name: &str, values: impl Iterator<Item = String>) -> String {
    let values: Vec<String> = values.collect();
    match values.as_slice() {
        [] => "0".into(),
        [one] => format!("({name} = {one})"),
        _ => format!("({name} IN ({}))", values.join(",")),
    }
}
