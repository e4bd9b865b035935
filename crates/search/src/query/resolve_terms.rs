//! Ties the queries on terms and values to a field: every kind of field reads values in its own way.

use std::ops::Bound;

use dates::{DateFormat, DateMath, Missing, Zone, parse_date_math};
use serde_json::Value;

use super::ast::{Bounds, Fuzziness, PatternKind};
use super::field::{Field, FieldKind, Rounding};
use super::params::plain;
use super::predicate::{Predicate, Test};
use super::regexp;
use super::resolve::Resolver;
use super::value::ip;
use crate::error::{Error, Result};

/// More terms are refused (`index.max_terms_count`).
const MAX_TERMS: usize = 65_536;

impl Resolver<'_> {
    pub(super) fn terms(&mut self, field: &Field, values: &[Value]) -> Result<Predicate> {
        if values.len() > MAX_TERMS {
            return Err(Error::query_shard(format!(
                "The number of terms [{}] used in the Terms Query request has exceeded the allowed maximum of \
                 [{MAX_TERMS}]. This maximum can be set by changing the [index.max_terms_count] index level setting.",
                values.len()
            )));
        }
        let tests = values.iter().map(|value| self.exactly(field, value)).collect::<Result<Vec<_>>>()?;
        Ok(one_of(field, tests.into_iter().flatten().collect()))
    }

    /// The test for one value; `None` when no value of the field can be equal to it.
    pub(super) fn exactly(&self, field: &Field, value: &Value) -> Result<Option<Test>> {
        if let FieldKind::Date { format } = &field.kind {
            return self.same_date(format, value, &Zone::utc()).map(Some);
        }
        exactly(field, value)
    }

    /// A date without a time of day means the whole day.
    fn same_date(&self, format: &DateFormat, value: &Value, zone: &Zone) -> Result<Test> {
        let text = plain(value);
        let at = |missing| {
            parse_date_math(&text, DateMath { format, zone, now_ms: self.now_ms, missing })
                .map_err(date_error)
        };
        Ok(Test::IntBetween(at(Missing::Earliest)?, at(Missing::Latest)?))
    }

    pub(super) fn range(&mut self, field: &Field, bounds: &Bounds) -> Result<Predicate> {
        let test = match &field.kind {
            FieldKind::Date { format } => self.date_range(format, bounds)?,
            FieldKind::Integer { .. } | FieldKind::Boolean => int_range(field, bounds)?,
            FieldKind::Double { rounding, .. } => {
                // A bound between two multiples excludes the lower one, or the upper one: it is not rounded.
                let rounding = if let Rounding::Scaled(_) = rounding { Rounding::None } else { *rounding };
                let read = |bound: &Option<(Value, bool)>| -> Result<Option<(f64, bool)>> {
                    bound.as_ref().map(|(value, closed)| Ok((number(value, rounding)?, *closed))).transpose()
                };
                Test::DoubleBetween(bound(read(&bounds.lower)?), bound(read(&bounds.upper)?))
            }
            FieldKind::Keyword { .. } | FieldKind::Text { .. } => {
                let read = |bound: &Option<(Value, bool)>| {
                    bound.as_ref().map(|(value, closed)| (normal(field, &plain(value)), *closed))
                };
                Test::TermBetween(bound(read(&bounds.lower)), bound(read(&bounds.upper)))
            }
            FieldKind::Ip => ip_range(bounds)?,
            FieldKind::GeoPoint => {
                return Err(Error::query_shard(format!(
                    "Field [{}] of type [geo_point] does not support range queries",
                    field.path
                )));
            }
        };
        Ok(match test {
            Test::IntBetween(lower, upper) if lower > upper => Predicate::None,
            // A range without bounds asks whether there is a value at all.
            Test::DoubleBetween(Bound::Unbounded, Bound::Unbounded)
            | Test::TermBetween(Bound::Unbounded, Bound::Unbounded)
            | Test::IntBetween(i64::MIN, i64::MAX) => Predicate::value(field, Test::Exists),
            test => Predicate::value(field, test),
        })
    }

    /// `gte` and `lt` take the beginning of what a date leaves open, `gt` and `lte` its end.
    fn date_range(&self, own: &DateFormat, bounds: &Bounds) -> Result<Test> {
        let given = bounds.format.as_deref().map(DateFormat::new).transpose()?;
        let zone = bounds.time_zone.as_deref().map_or_else(|| Ok(Zone::utc()), Zone::parse)?;
        let at = |value: &Value, missing| {
            // Numbers are milliseconds, unless a format says something else.
            if let (Some(ms), None) = (value.as_i64(), &given)
                && own.source().contains("epoch_millis")
            {
                return Ok(ms);
            }
            let context =
                DateMath { format: given.as_ref().unwrap_or(own), zone: &zone, now_ms: self.now_ms, missing };
            parse_date_math(&plain(value), context).map_err(date_error)
        };
        let lower = match &bounds.lower {
            None => i64::MIN,
            Some((value, true)) => at(value, Missing::Earliest)?,
            Some((value, false)) => at(value, Missing::Latest)?.saturating_add(1),
        };
        let upper = match &bounds.upper {
            None => i64::MAX,
            Some((value, true)) => at(value, Missing::Latest)?,
            Some((value, false)) => at(value, Missing::Earliest)?.saturating_sub(1),
        };
        Ok(Test::IntBetween(lower, upper))
    }

    /// A `term` query.
    pub(super) fn term(&mut self, field: &Field, value: &Value, case_insensitive: bool) -> Result<Predicate> {
        if case_insensitive && matches!(field.kind, FieldKind::Keyword { .. } | FieldKind::Text { .. }) {
            return Ok(Predicate::value(field, Test::TermPattern(regexp::exactly(&plain(value))?)));
        }
        Ok(one_of(field, self.exactly(field, value)?.into_iter().collect()))
    }
}

fn date_error(error: types::Invalid) -> Error {
    Error::QueryShard { reason: error.to_string(), cause: "parse_exception" }
}

/// The tests of several single values as few tests.
fn one_of(field: &Field, tests: Vec<Test>) -> Predicate {
    let mut ints = Vec::new();
    let mut doubles = Vec::new();
    let mut terms = Vec::new();
    let mut blocks = Vec::new();
    let mut others = Vec::new();
    for test in tests {
        match test {
            Test::IntIn(values) => ints.extend(values),
            Test::DoubleIn(values) => doubles.extend(values),
            Test::TermIn(values) => terms.extend(values),
            Test::IpIn(values) => blocks.extend(values),
            other => others.push(Predicate::value(field, other)),
        }
    }
    if !ints.is_empty() {
        ints.sort_unstable();
        ints.dedup();
        others.push(Predicate::value(field, Test::IntIn(ints)));
    }
    if !doubles.is_empty() {
        doubles.sort_unstable_by(f64::total_cmp);
        doubles.dedup();
        others.push(Predicate::value(field, Test::DoubleIn(doubles)));
    }
    if !terms.is_empty() {
        terms.sort_unstable();
        terms.dedup();
        others.push(match field.path.as_str() {
            "_id" => Predicate::Ids(terms),
            _ => Predicate::value(field, Test::TermIn(terms)),
        });
    }
    if !blocks.is_empty() {
        others.push(Predicate::value(field, Test::IpIn(blocks)));
    }
    Predicate::or(others)
}

/// The test for one value of a field that is no date.
fn exactly(field: &Field, value: &Value) -> Result<Option<Test>> {
    Ok(match &field.kind {
        FieldKind::Keyword { .. } => Some(Test::TermIn(vec![normal(field, &plain(value))])),
        // The term of a text field is not analysed: `term` means the term.
        FieldKind::Text { .. } => Some(Test::TermIn(vec![plain(value)])),
        FieldKind::Integer { min, max, .. } => {
            let number = match value.as_i64() {
                Some(whole) => Some(whole),
                None => {
                    let number = number(value, Rounding::None)?;
                    (number.fract() == 0.0 && number.abs() < 9.2e18).then_some(number as i64)
                }
            };
            number.filter(|n| (*min..=*max).contains(n)).map(|n| Test::IntIn(vec![n]))
        }
        FieldKind::Double { rounding, .. } => Some(Test::DoubleIn(vec![number(value, *rounding)?])),
        FieldKind::Boolean => Some(Test::IntIn(vec![boolean(value)?])),
        FieldKind::Ip => Some(Test::IpIn(vec![block(&plain(value))?])),
        FieldKind::Date { .. } | FieldKind::GeoPoint => {
            return Err(Error::query_shard(format!(
                "Field [{}] of type [{}] does not support term queries",
                field.path,
                field.kind.name()
            )));
        }
    })
}

fn number(value: &Value, rounding: Rounding) -> Result<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    match number {
        Some(number) if number.is_finite() => Ok(rounding.apply(number)),
        _ => Err(Error::QueryShard {
            reason: format!("For input string: \"{}\"", plain(value)),
            cause: "number_format_exception",
        }),
    }
}

fn boolean(value: &Value) -> Result<i64> {
    super::value::boolean(value).map(i64::from).ok_or_else(|| {
        Error::query_shard(format!(
            "Can't parse boolean value [{}], expected [true] or [false]",
            plain(value)
        ))
    })
}

fn bound<T>(given: Option<(T, bool)>) -> Bound<T> {
    match given {
        None => Bound::Unbounded,
        Some((value, true)) => Bound::Included(value),
        Some((value, false)) => Bound::Excluded(value),
    }
}

/// Whole numbers between bounds that may have decimals.
fn int_range(field: &Field, bounds: &Bounds) -> Result<Test> {
    let exact = |value: &Value| -> Result<std::result::Result<i64, f64>> {
        if matches!(field.kind, FieldKind::Boolean) {
            return boolean(value).map(Ok);
        }
        let whole = value.as_i64().or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()));
        whole.map_or_else(|| number(value, Rounding::None).map(Err), |whole| Ok(Ok(whole)))
    };
    // `as` saturates: beyond the whole numbers a bound excludes nothing, or everything.
    let lower = match &bounds.lower {
        None => i64::MIN,
        Some((value, closed)) => match exact(value)? {
            Ok(whole) if *closed => whole,
            Ok(i64::MAX) => return Ok(Test::IntIn(Vec::new())),
            Ok(whole) => whole + 1,
            Err(number) if number >= 9.3e18 => return Ok(Test::IntIn(Vec::new())),
            Err(number) if number.fract() == 0.0 && !*closed => (number as i64).saturating_add(1),
            Err(number) => number.ceil() as i64,
        },
    };
    let upper = match &bounds.upper {
        None => i64::MAX,
        Some((value, closed)) => match exact(value)? {
            Ok(whole) if *closed => whole,
            Ok(i64::MIN) => return Ok(Test::IntIn(Vec::new())),
            Ok(whole) => whole - 1,
            Err(number) if number <= -9.3e18 => return Ok(Test::IntIn(Vec::new())),
            Err(number) if number.fract() == 0.0 && !*closed => (number as i64).saturating_sub(1),
            Err(number) => number.floor() as i64,
        },
    };
    Ok(Test::IntBetween(lower, upper))
}

/// One address, or a block such as `10.0.0.0/8`.
fn block(text: &str) -> Result<(u128, u128)> {
    let bad = || Error::query_shard(format!("'{text}' is not an IP string literal."));
    let Some((address, length)) = text.split_once('/') else {
        let address = ip(text).ok_or_else(bad)?;
        return Ok((address, address));
    };
    let bits = ip(address).ok_or_else(bad)?;
    let length: u32 = length.parse().map_err(|_| bad())?;
    // IPv4 addresses stand in the last 32 of 128 bits.
    let length = if address.contains(':') { length } else { length.saturating_add(96) };
    if length > 128 {
        return Err(bad());
    }
    let rest = u128::MAX.checked_shr(length).unwrap_or(0);
    Ok((bits & !rest, bits | rest))
}

fn ip_range(bounds: &Bounds) -> Result<Test> {
    let lower = match &bounds.lower {
        None => 0,
        Some((value, closed)) => {
            let address = block(&plain(value))?.0;
            if *closed { address } else { address.saturating_add(1) }
        }
    };
    let upper = match &bounds.upper {
        None => u128::MAX,
        Some((value, closed)) => {
            let address = block(&plain(value))?.1;
            if *closed { address } else { address.saturating_sub(1) }
        }
    };
    Ok(Test::IpIn(if lower <= upper { vec![(lower, upper)] } else { Vec::new() }))
}

/// The term as the field would hold it.
fn normal(field: &Field, term: &str) -> String {
    match &field.kind {
        FieldKind::Keyword { lowercase: true } => term.to_lowercase(),
        FieldKind::Text { analyzer } => analyzer.normalize(term),
        _ => term.to_owned(),
    }
}

/// A `prefix`, `wildcard` or `regexp` query.
pub(super) fn pattern(
    field: &Field,
    kind: PatternKind,
    pattern: &str,
    case_insensitive: bool,
) -> Result<Predicate> {
    if !matches!(field.kind, FieldKind::Keyword { .. } | FieldKind::Text { .. }) {
        let name = match kind {
            PatternKind::Prefix => "prefix",
            PatternKind::Wildcard => "wildcard",
            PatternKind::Regexp => "regexp",
        };
        return Err(Error::query_shard(format!(
            "Can only use {name} queries on keyword, text and wildcard fields - not on [{}] which is of type [{}]",
            field.path,
            field.kind.name()
        )));
    }
    let test = match kind {
        PatternKind::Prefix if case_insensitive => Test::TermPattern(regexp::prefix_ignoring_case(pattern)?),
        PatternKind::Prefix => Test::TermPrefix(normal(field, pattern)),
        PatternKind::Wildcard => {
            let pattern = match &field.kind {
                FieldKind::Keyword { .. } => normal(field, pattern),
                _ => pattern.to_owned(),
            };
            if pattern.chars().all(|c| c == '*') && !pattern.is_empty() {
                Test::Exists
            } else {
                Test::TermPattern(regexp::wildcard(&pattern, case_insensitive)?)
            }
        }
        PatternKind::Regexp => Test::TermPattern(regexp::lucene(pattern, case_insensitive)?),
    };
    Ok(Predicate::value(field, test))
}

/// A `fuzzy` query.
pub(super) fn fuzzy(field: &Field, value: &str, fuzziness: Fuzziness) -> Result<Predicate> {
    if !matches!(field.kind, FieldKind::Keyword { .. } | FieldKind::Text { .. }) {
        return Err(Error::query_shard(format!(
            "Can only use fuzzy queries on keyword and text fields - not on [{}] which is of type [{}]",
            field.path,
            field.kind.name()
        )));
    }
    Ok(Predicate::value(field, fuzzy_test(&normal(field, value), fuzziness)))
}

/// `AUTO`: nothing may differ in one or two characters, one in up to five, two in more.
pub(super) fn fuzzy_test(term: &str, fuzziness: Fuzziness) -> Test {
    let automatic = match term.chars().count() {
        0..=2 => 0,
        3..=5 => 1,
        _ => 2,
    };
    let edits = fuzziness.edits.map_or(automatic, usize::from);
    Test::TermFuzzy { term: term.to_owned(), edits, prefix_length: fuzziness.prefix_length }
}

/// A query on points.
pub(super) fn geo(field: &Field, test: Test) -> Result<Predicate> {
    if matches!(field.kind, FieldKind::GeoPoint) {
        return Ok(Predicate::value(field, test));
    }
    Err(Error::query_shard(format!(
        "Field [{}] is of unsupported type [{}] for a query on points",
        field.path,
        field.kind.name()
    )))
}
