//! Ties aggregations with buckets to a mapping.

use std::sync::Arc;

use dates::interval::offset_ms;
use dates::{DateFormat, DateMath, Interval, Missing, Rounding, Zone, parse_date_math};
use serde_json::{Map, Value, json};

use super::batch::{ColumnKind, Scope};
use super::composite::{CompositeAggregator, KeyGrid, KeySource};
use super::histogram::{Grid, HistogramAggregator};
use super::node::{Aggregator, Cells, Children, Counts};
use super::order::{By, Order};
use super::plan::{Planner, Used};
use super::request::Request;
use super::single::{FixedAggregator, Gate, Gates, SingleAggregator, range_head};
use super::source::Print;
use super::terms::{Choice, TermsAggregator};
use crate::error::{Error, Result};
use crate::query::params::{Params, plain};
use crate::query::{FieldKind, Query, regexp};

type Built = (&'static str, Box<dyn Aggregator>);

impl Planner<'_> {
    pub(super) fn bucket(&mut self, item: &Request, mut params: Params<'_>, scope: usize) -> Result<Built> {
        let params = &mut params;
        let built = match item.kind {
            "terms" => self.terms(item, params, scope)?,
            "date_histogram" => self.date_histogram(item, params, scope)?,
            "histogram" => self.histogram(item, params, scope)?,
            "range" | "date_range" => self.ranges(item, params, scope)?,
            "filters" => self.filters(item, params, scope)?,
            "composite" => self.composite(item, params, scope)?,
            // The body of a filter is a query.
            "filter" => {
                let mask = self.mask(Query::parse(&item.body)?, scope)?;
                return self.single(item, Gate::Mask { scope, mask }, scope);
            }
            _ => {
                let (gate, inner) = self.gate(params, scope)?;
                self.single(item, gate, inner)?
            }
        };
        match params.unknown() {
            None => Ok(built),
            Some(key) => Err(Error::x_content(format!("[{}] unknown field [{key}]", item.kind))),
        }
    }

    fn single(&mut self, item: &Request, gate: Gate, inner: usize) -> Result<Built> {
        let children = self.children(&item.subs, inner)?;
        Ok((item.kind, Box::new(SingleAggregator { gate, children, counts: Counts::default() })))
    }

    /// The gate of a single bucket, and the scope below it.
    fn gate(&mut self, params: &mut Params<'_>, scope: usize) -> Result<(Gate, usize)> {
        match params.name() {
            "missing" => Ok((Gate::Missing(self.used(params, scope, false)?.source), scope)),
            "nested" => {
                let path = params
                    .text("path")?
                    .ok_or_else(|| Error::illegal("Missing required field [path] for [nested]"))?;
                if !self.fields.is_nested(&path) {
                    return Ok((Gate::Never, scope));
                }
                let inner = self.scopes.iter().position(|known| known.path == path && known.parent == scope);
                let inner = inner.unwrap_or_else(|| {
                    self.scopes.push(Scope { path, parent: scope, columns: Vec::new(), filters: Vec::new() });
                    self.scopes.len() - 1
                });
                Ok((Gate::Nested { scope: inner }, inner))
            }
            "reverse_nested" => {
                if scope == 0 {
                    return Err(Error::illegal(
                        "Reverse nested aggregation cannot be used outside a [nested] aggregation",
                    ));
                }
                let path = params.text("path")?.unwrap_or_default();
                let around = |planner: &Self| {
                    std::iter::successors(Some(scope), |s| Some(planner.scopes[*s].parent))
                        .take(planner.scopes.len() + 1)
                        .find(|s| planner.scopes[*s].path == path)
                };
                let target = around(self).ok_or_else(|| {
                    Error::illegal(format!(
                        "[reverse_nested] nested path [{path}] is not around this aggregation"
                    ))
                })?;
                Ok((Gate::Reverse { scopes: self.way(scope, target) }, target))
            }
            // `sampler`: with one shard and no scores, the sample is everything.
            _ => {
                params.ignore(&["shard_size"]);
                Ok((Gate::All, scope))
            }
        }
    }

    fn terms(&mut self, item: &Request, params: &mut Params<'_>, scope: usize) -> Result<Built> {
        let used = self.used(params, scope, false)?;
        if used.kind == ColumnKind::Geo {
            return Err(self.wrong_type(&used, "terms"));
        }
        let missing = match (params.value("missing"), used.kind) {
            (None, _) => None,
            (Some(value), ColumnKind::Term) => Some(u64::from(self.dictionary.intern(&plain(value)))),
            (Some(_), ColumnKind::Int) => used.source.missing.map(|number| (number as i64).cast_unsigned()),
            (Some(_), _) => used.source.missing.map(f64::to_bits),
        };
        let size = params.count("size")?.unwrap_or(10);
        if size == 0 {
            return Err(Error::illegal("[size] must be greater than 0. Found [0] in [terms]"));
        }
        let include = params.value("include").map(choice).transpose()?;
        let exclude = params.value("exclude").map(choice).transpose()?;
        params.ignore(&["shard_size", "shard_min_doc_count", "execution_hint", "collect_mode"]);
        let children = self.children(&item.subs, scope)?;
        let mut order = self.order(params.value("order"), &children)?;
        if order.is_empty() {
            order.push(Order { by: By::Count, descending: true });
        }
        let name = match (&used.field, used.kind) {
            (None, _) => "umterms",
            (_, ColumnKind::Int) => "lterms",
            (_, ColumnKind::Double) => "dterms",
            _ => "sterms",
        };
        let aggregator = TermsAggregator {
            source: used.source,
            kind: used.kind,
            size,
            min_doc_count: params.count("min_doc_count")?.unwrap_or(1) as u64,
            order,
            include,
            exclude,
            missing,
            show_error: params.flag("show_term_doc_count_error", false)?,
            children,
            cells: Cells::new(),
            chosen: Vec::new(),
        };
        Ok((name, Box::new(aggregator)))
    }

    fn date_histogram(&mut self, item: &Request, params: &mut Params<'_>, scope: usize) -> Result<Built> {
        let used = self.used(params, scope, true)?;
        let zone = zone(params)?;
        let (interval, offset) = interval(params)?;
        let bounds = |params: &mut Params<'_>, key: &'static str| -> Result<Option<(f64, f64)>> {
            let Some(value) = params.value(key) else { return Ok(None) };
            let at = |side: &str, missing| -> Result<Option<f64>> {
                value
                    .get(side)
                    .filter(|v| !v.is_null())
                    .map(|v| self.date(v, &used, &zone, missing))
                    .transpose()
            };
            let both = (at("min", Missing::Earliest)?, at("max", Missing::Earliest)?);
            checked_bounds(key, both)
        };
        let extended = bounds(params, "extended_bounds")?;
        let hard = bounds(params, "hard_bounds")?;
        let mut source = used.source;
        // Without a date field, times are printed all the same.
        if source.print == Print::Plain {
            let format = params.text("format")?.map_or_else(
                || Ok(DateFormat::default_format()),
                |text| DateFormat::new(&text).map(Arc::new),
            )?;
            source.print = Print::Date(format, zone.clone());
        }
        let grid = Grid::Date(Rounding::new(interval, zone, offset));
        self.histogram_of(item, params, scope, HistogramParts { source, grid, extended, hard })
    }

    fn histogram(&mut self, item: &Request, params: &mut Params<'_>, scope: usize) -> Result<Built> {
        let used = self.used(params, scope, true)?;
        let interval = params.number("interval")?.filter(|interval| *interval > 0.0);
        let interval = interval
            .ok_or_else(|| Error::illegal("[interval] must be >0 for histogram aggregation [histogram]"))?;
        let offset = params.number("offset")?.unwrap_or(0.0);
        let bounds = |params: &mut Params<'_>, key: &'static str| {
            let Some(value) = params.value(key) else { return Ok(None) };
            let side = |name: &str| value.get(name).and_then(Value::as_f64);
            checked_bounds(key, (side("min"), side("max")))
        };
        let extended = bounds(params, "extended_bounds")?;
        let hard = bounds(params, "hard_bounds")?;
        let grid = Grid::Number { interval, offset: offset.rem_euclid(interval) };
        self.histogram_of(item, params, scope, HistogramParts { source: used.source, grid, extended, hard })
    }

    fn histogram_of(
        &mut self,
        item: &Request,
        params: &mut Params<'_>,
        scope: usize,
        parts: HistogramParts,
    ) -> Result<Built> {
        let children = self.children(&item.subs, scope)?;
        let aggregator = HistogramAggregator {
            source: parts.source,
            grid: parts.grid,
            keyed: params.flag("keyed", false)?,
            min_doc_count: params.count("min_doc_count")?.unwrap_or(0) as u64,
            order: self.order(params.value("order"), &children)?,
            extended: parts.extended,
            hard: parts.hard,
            children,
            cells: Cells::new(),
        };
        Ok((item.kind, Box::new(aggregator)))
    }

    /// A date of a bound, with date maths.
    fn date(&self, value: &Value, used: &Used, zone: &Zone, missing: Missing) -> Result<f64> {
        if let Some(ms) = value.as_i64() {
            return Ok(ms as f64);
        }
        let default = DateFormat::default_format();
        let own = match used.field.as_ref().map(|field| &field.kind) {
            Some(FieldKind::Date { format }) => format,
            _ => &default,
        };
        let context = |format| DateMath { format, zone, now_ms: self.now_ms, missing };
        let text = plain(value);
        // Bounds may be written in the aggregation's format or in the field's own.
        let first = match &used.source.print {
            Print::Date(format, _) => parse_date_math(&text, context(&**format)),
            _ => parse_date_math(&text, context(&**own)),
        };
        Ok(first.or_else(|_| parse_date_math(&text, context(&**own)))? as f64)
    }

    fn ranges(&mut self, item: &Request, params: &mut Params<'_>, scope: usize) -> Result<Built> {
        let used = self.used(params, scope, true)?;
        let zone = zone(params)?;
        let keyed = params.flag("keyed", false)?;
        let wanted = params.value("ranges").and_then(Value::as_array).filter(|ranges| !ranges.is_empty());
        let wanted = wanted.ok_or_else(|| {
            Error::illegal(format!("No [ranges] specified for the [{}] aggregation", item.name))
        })?;
        let mut ranges = Vec::with_capacity(wanted.len());
        for range in wanted {
            let mut inner = Params::new(item.kind, range)?;
            let key = inner.text("key")?;
            let mut bound = |side: &'static str, open: f64| -> Result<f64> {
                match inner.value(side) {
                    None => Ok(open),
                    Some(value) if item.kind == "date_range" => {
                        self.date(value, &used, &zone, Missing::Earliest)
                    }
                    Some(_) => Ok(inner.number(side)?.unwrap_or(open)),
                }
            };
            let sides = (bound("from", f64::NEG_INFINITY)?, bound("to", f64::INFINITY)?);
            inner.finish_strictly()?;
            ranges.push((key, sides));
        }
        ranges.sort_by(|(_, a), (_, b)| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let source = used.source;
        let heads =
            ranges.iter().map(|(key, sides)| range_head(key.clone(), *sides, &source, keyed)).collect();
        let gates = Gates::Ranges(source, ranges.into_iter().map(|(_, sides)| sides).collect());
        let children = self.children(&item.subs, scope)?;
        Ok((
            item.kind,
            Box::new(FixedAggregator { gates, heads, keyed, children, counts: Counts::default() }),
        ))
    }

    fn filters(&mut self, item: &Request, params: &mut Params<'_>, scope: usize) -> Result<Built> {
        let (queries, keyed): (Vec<(String, &Value)>, bool) = match params.value("filters") {
            Some(Value::Object(map)) => {
                (map.iter().map(|(name, query)| (name.clone(), query)).collect(), true)
            }
            Some(Value::Array(list)) => (list.iter().map(|query| (String::new(), query)).collect(), false),
            _ => return Err(Error::illegal("[filters] cannot be empty")),
        };
        if queries.is_empty() {
            return Err(Error::illegal("[filters] cannot be empty"));
        }
        let other_key = params.text("other_bucket_key")?;
        let other = params.flag("other_bucket", other_key.is_some())?;
        let keyed = params.flag("keyed", true)? && keyed;
        let mut masks = Vec::with_capacity(queries.len());
        let mut heads: Vec<(String, Map<String, Value>)> = Vec::with_capacity(queries.len() + 1);
        for (name, query) in queries {
            masks.push(self.mask(Query::parse(query)?, scope)?);
            heads.push((name, Map::new()));
        }
        if other {
            heads.push((other_key.unwrap_or_else(|| "_other_".to_owned()), Map::new()));
        }
        let children = self.children(&item.subs, scope)?;
        let gates = Gates::Masks { scope, masks, other };
        Ok((
            item.kind,
            Box::new(FixedAggregator { gates, heads, keyed, children, counts: Counts::default() }),
        ))
    }

    fn composite(&mut self, item: &Request, params: &mut Params<'_>, scope: usize) -> Result<Built> {
        let wanted = match params.value("sources") {
            Some(Value::Array(list)) if !list.is_empty() => list.clone(),
            Some(one @ Value::Object(_)) => vec![one.clone()],
            _ => return Err(Error::illegal("Composite [sources] cannot be null or empty")),
        };
        let mut sources: Vec<KeySource> = Vec::with_capacity(wanted.len());
        for source in &wanted {
            let source = self.key_source(source, scope)?;
            if sources.iter().any(|known| known.name == source.name) {
                return Err(Error::illegal(format!(
                    "Composite source names must be unique, found duplicates: [{}]",
                    source.name
                )));
            }
            sources.push(source);
        }
        let size = params.count("size")?.unwrap_or(10);
        if size == 0 {
            return Err(Error::illegal("[size] must be a positive integer"));
        }
        let after = params.value("after").map(|after| self.after(after, &sources)).transpose()?;
        let children: Children = self.children(&item.subs, scope)?;
        let numbers = ahash::AHashMap::new();
        Ok((
            item.kind,
            Box::new(CompositeAggregator { sources, size, after, children, numbers, cells: Vec::new() }),
        ))
    }

    fn key_source(&mut self, source: &Value, scope: usize) -> Result<KeySource> {
        let bad = || Error::parsing(format!("[composite] malformed source [{source}]"));
        let only = |value: &Value| -> Option<(String, Value)> {
            let map = value.as_object().filter(|map| map.len() == 1)?;
            map.iter().next().map(|(key, value)| (key.clone(), value.clone()))
        };
        let (name, inner) = only(source).ok_or_else(bad)?;
        let (kind, body) = only(&inner).ok_or_else(bad)?;
        let mut params = Params::new(&kind, &body)?;
        let formatted = params.value("format").is_some();
        let used = self.used(&mut params, scope, kind != "terms")?;
        let grid = match kind.as_str() {
            "terms" => KeyGrid::Terms,
            "histogram" => {
                let interval = params.number("interval")?.filter(|interval| *interval > 0.0);
                KeyGrid::Number(interval.ok_or_else(|| {
                    Error::illegal("[interval] must be greater than 0 for [histogram] source")
                })?)
            }
            "date_histogram" => {
                let zone = zone(&mut params)?;
                let (interval, offset) = interval(&mut params)?;
                KeyGrid::Date(Rounding::new(interval, zone, offset))
            }
            other => {
                return Err(Error::parsing(format!("Unknown value source type [{other}] in [composite]")));
            }
        };
        let descending = match params.text("order")?.as_deref() {
            None | Some("asc") => false,
            Some("desc") => true,
            Some(other) => return Err(Error::illegal(format!("Unknown SortOrder [{other}]"))),
        };
        let missing_first = match params.text("missing_order")?.as_deref() {
            None | Some("default") => None,
            Some("first") => Some(true),
            Some("last") => Some(false),
            Some(other) => return Err(Error::illegal(format!("Unknown missing_order [{other}]"))),
        };
        let missing_bucket = params.flag("missing_bucket", false)?;
        params.finish_strictly()?;
        Ok(KeySource {
            name,
            source: used.source,
            kind: used.kind,
            grid,
            descending,
            missing_bucket,
            missing_first,
            formatted,
        })
    }

    fn after(&self, after: &Value, sources: &[KeySource]) -> Result<Vec<Value>> {
        let names: Vec<&String> = after.as_object().map(|map| map.keys().collect()).unwrap_or_default();
        if names.len() != sources.len() {
            return Err(Error::illegal(format!(
                "[after] has {} value(s) but [sources] has {}",
                names.len(),
                sources.len()
            )));
        }
        sources
            .iter()
            .map(|source| {
                let value = after
                    .get(&source.name)
                    .ok_or_else(|| Error::illegal(format!("Missing value for [after.{}]", source.name)))?;
                match (&source.source.print, value) {
                    (Print::Date(format, zone), Value::String(text)) if source.kind == ColumnKind::Int => {
                        Ok(json!(format.parse(text, zone, Missing::Earliest)?))
                    }
                    _ => Ok(value.clone()),
                }
            })
            .collect()
    }
}

/// What both kinds of histograms come to.
struct HistogramParts {
    source: super::source::Source,
    grid: Grid,
    extended: Option<(f64, f64)>,
    hard: Option<(f64, f64)>,
}

fn zone(params: &mut Params<'_>) -> Result<Zone> {
    params.text("time_zone")?.map_or_else(|| Ok(Zone::utc()), |text| Ok(Zone::parse(&text)?))
}

/// The interval, whichever way it is given, and the offset in milliseconds.
fn interval(params: &mut Params<'_>) -> Result<(Interval, i64)> {
    let name = params.name();
    let given = (params.text("fixed_interval")?, params.text("calendar_interval")?, params.text("interval")?);
    let interval = match given {
        (Some(fixed), None, None) => Interval::fixed(&fixed)?,
        (None, Some(calendar), None) => Interval::calendar(&calendar)?,
        // Old requests may give milliseconds as a number.
        (None, None, Some(old)) if old.parse::<i64>().is_ok_and(|ms| ms > 0) => {
            Interval::fixed(&format!("{old}ms"))?
        }
        (None, None, Some(old)) => Interval::legacy(&old)?,
        (None, None, None) => {
            return Err(Error::illegal(format!(
                "Invalid interval specified, must be non-null and non-empty in [{name}]"
            )));
        }
        _ => {
            return Err(Error::illegal(
                "Cannot use [fixed_interval] with [calendar_interval] configuration option.",
            ));
        }
    };
    let offset = params.text("offset")?.map(|text| match text.parse::<i64>() {
        Ok(ms) => Ok(ms),
        Err(_) => offset_ms(&text, "offset"),
    });
    Ok((interval, offset.transpose()?.unwrap_or(0)))
}

/// One side alone leaves the other open, which only hard bounds can be.
fn checked_bounds(key: &str, (min, max): (Option<f64>, Option<f64>)) -> Result<Option<(f64, f64)>> {
    match (min, max) {
        (None, None) => Ok(None),
        (Some(min), Some(max)) if min > max => {
            Err(Error::illegal(format!("[{key}.min][{min}] cannot be greater than [{key}.max][{max}]")))
        }
        (Some(min), Some(max)) => Ok(Some((min, max))),
        (min, max) if key == "hard_bounds" => {
            Ok(Some((min.unwrap_or(f64::NEG_INFINITY), max.unwrap_or(f64::INFINITY))))
        }
        (one, other) => Ok(one.or(other).map(|side| (side, side))),
    }
}

/// `include` and `exclude` of `terms`.
fn choice(value: &Value) -> Result<Choice> {
    match value {
        Value::String(pattern) => regexp::lucene(pattern, false).map(Choice::Pattern),
        Value::Array(items) => Ok(Choice::List(items.iter().map(plain).collect())),
        Value::Object(map) => {
            let side = |key: &str| map.get(key).and_then(Value::as_u64);
            match (side("partition"), side("num_partitions")) {
                (Some(partition), Some(of)) if of > 0 && partition < of => {
                    Ok(Choice::Partition(partition, of))
                }
                _ => Err(Error::illegal("[include] needs a [partition] below [num_partitions]")),
            }
        }
        _ => Err(Error::parsing("Unrecognized token in an include instruction")),
    }
}
