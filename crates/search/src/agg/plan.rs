//! Ties aggregations to a mapping: fields to columns, filters to masks, requests to aggregators. Buckets and pipelines have
//! files of their own.

use std::sync::Arc;

use dates::{DateFormat, Zone};
use serde_json::Value;

use super::batch::{ColumnKind, ColumnSpec, Dictionary, Scope};
use super::metric::{MomentsAggregator, Shape, WeightedAggregator};
use super::node::{Aggregator, Child, Children};
use super::order::Order;
use super::quantile::{CardinalityAggregator, QuantileAggregator, Question};
use super::request::{Aggregations, PIPELINES, Request};
use super::source::{Print, Source};
use super::top::{GeoAggregator, SortBy, TopAggregator};
use crate::error::{Error, Result};
use crate::query::field::nested_around;
use crate::query::params::{Params, plain};
use crate::query::{Field, FieldKind, FieldTypes, Query};

/// The state of one tying.
pub(super) struct Planner<'a> {
    pub(super) fields: &'a dyn FieldTypes,
    pub(super) now_ms: i64,
    pub(super) scopes: Vec<Scope>,
    pub(super) dictionary: Dictionary,
}

/// A field as an aggregation uses it.
pub(super) struct Used {
    pub(super) source: Source,
    pub(super) kind: ColumnKind,
    pub(super) field: Option<Field>,
}

impl<'a> Planner<'a> {
    pub(super) fn new(fields: &'a dyn FieldTypes, now_ms: i64) -> Self {
        let documents = Scope { path: String::new(), parent: 0, columns: Vec::new(), filters: Vec::new() };
        Self { fields, now_ms, scopes: vec![documents], dictionary: Dictionary::default() }
    }

    pub(super) fn finish(self) -> (Vec<Scope>, Dictionary) {
        (self.scopes, self.dictionary)
    }

    pub(super) fn children(&mut self, request: &Aggregations, scope: usize) -> Result<Children> {
        let mut children = Children::default();
        for item in &request.items {
            if PIPELINES.contains(&item.kind) {
                children.pipelines.push(super::plan_pipelines::pipeline(item)?);
                continue;
            }
            let (kind, aggregator) = self.aggregator(item, scope)?;
            let (name, meta) = (item.name.clone(), item.meta.clone());
            children.items.push(Child { name, kind, meta, aggregator });
        }
        Ok(children)
    }

    fn aggregator(&mut self, item: &Request, scope: usize) -> Result<(&'static str, Box<dyn Aggregator>)> {
        let mut params = Params::new(item.kind, &item.body)?;
        let shape = match item.kind {
            "min" => Some(Shape::Min),
            "max" => Some(Shape::Max),
            "avg" => Some(Shape::Avg),
            "sum" => Some(Shape::Sum),
            "value_count" => Some(Shape::Count),
            "stats" => Some(Shape::Stats),
            "extended_stats" => Some(Shape::Extended(params.number("sigma")?.unwrap_or(2.0))),
            _ => None,
        };
        let built: (&'static str, Box<dyn Aggregator>) = match (item.kind, shape) {
            (kind, Some(shape)) => {
                let used = self.used(&mut params, scope, shape != Shape::Count)?;
                (kind, Box::new(MomentsAggregator { source: used.source, shape, owners: Vec::new() }))
            }
            ("cardinality", _) => {
                params.ignore(&["precision_threshold", "rehash", "execution_hint"]);
                let used = self.used(&mut params, scope, false)?;
                (item.kind, Box::new(CardinalityAggregator { source: used.source, owners: Vec::new() }))
            }
            ("percentiles" | "percentile_ranks" | "median_absolute_deviation", _) => {
                self.quantiles(&mut params, scope)?
            }
            ("weighted_avg", _) => (item.kind, Box::new(self.weighted(&mut params, scope)?)),
            ("top_hits" | "top_metrics", _) => {
                (item.kind, Box::new(self.top(&mut params, &item.body, scope)?))
            }
            ("geo_centroid" | "geo_bounds", _) => {
                let wrap_longitude = params.flag("wrap_longitude", true)?;
                let used = self.used(&mut params, scope, false)?;
                if used.field.is_some() && used.kind != ColumnKind::Geo {
                    return Err(self.wrong_type(&used, item.kind));
                }
                let centroid = item.kind == "geo_centroid";
                let source = used.source;
                (item.kind, Box::new(GeoAggregator { source, centroid, wrap_longitude, owners: Vec::new() }))
            }
            _ => return self.bucket(item, params, scope),
        };
        params.finish_strictly()?;
        Ok(built)
    }

    fn quantiles(
        &mut self,
        params: &mut Params<'_>,
        scope: usize,
    ) -> Result<(&'static str, Box<dyn Aggregator>)> {
        let numbers = |params: &mut Params<'_>, key: &'static str| -> Result<Option<Vec<f64>>> {
            let Some(texts) = params.texts(key)? else { return Ok(None) };
            let bad = || Error::x_content(format!("[{key}] must be numbers"));
            texts.iter().map(|text| text.parse().map_err(|_| bad())).collect::<Result<_>>().map(Some)
        };
        let (kind, question) = match params.name() {
            "percentiles" => {
                let percents = numbers(params, "percents")?
                    .unwrap_or_else(|| vec![1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0]);
                if let Some(bad) = percents.iter().find(|percent| !(0.0..=100.0).contains(*percent)) {
                    return Err(Error::illegal(format!("percent must be in [0,100], got [{bad}]")));
                }
                ("tdigest_percentiles", Question::Percentiles(percents))
            }
            "percentile_ranks" => {
                let values = numbers(params, "values")?.filter(|values| !values.is_empty());
                let values = values.ok_or_else(|| Error::illegal("[values] must not be an empty array"))?;
                ("tdigest_percentile_ranks", Question::Ranks(values))
            }
            _ => ("median_absolute_deviation", Question::MedianDeviation),
        };
        params.ignore(&["tdigest", "hdr", "compression", "execution_hint"]);
        let keyed = params.flag("keyed", true)?;
        let source = self.used(params, scope, true)?.source;
        Ok((kind, Box::new(QuantileAggregator { source, question, keyed, owners: Vec::new(), held: 0 })))
    }

    fn weighted(&mut self, params: &mut Params<'_>, scope: usize) -> Result<WeightedAggregator> {
        let mut part = |key: &'static str| -> Result<Source> {
            let mut inner = Params::new("weighted_avg", params.required(key)?)?;
            let source = self.used(&mut inner, scope, true)?.source;
            inner.finish_strictly()?;
            Ok(source)
        };
        let (value, weight) = (part("value")?, part("weight")?);
        params.ignore(&["format", "value_type"]);
        Ok(WeightedAggregator { value, weight, owners: Vec::new() })
    }

    fn top(&mut self, params: &mut Params<'_>, body: &Value, scope: usize) -> Result<TopAggregator> {
        let hits = params.name() == "top_hits";
        let sort = match params.value("sort") {
            None if hits => Vec::new(),
            None => return Err(Error::illegal("[top_metrics] requires [sort]")),
            Some(Value::Array(items)) => {
                let sorts = items.iter().map(|item| self.sort(item, scope)).collect::<Result<Vec<_>>>()?;
                sorts.into_iter().flatten().collect()
            }
            Some(one) => self.sort(one, scope)?,
        };
        let size = params.count("size")?.unwrap_or(if hits { 3 } else { 1 });
        let from = if hits { params.count("from")?.unwrap_or(0) } else { 0 };
        if hits && from + size > 100 {
            return Err(Error::illegal(format!(
                "Top hits result window is too large, the top hits aggregator's from + size must be less than or equal \
                 to: [100] but was [{}]. This limit can be set by changing the [index.max_inner_result_window] index \
                 level setting.",
                from + size
            )));
        }
        let metrics = if hits {
            params.ignore(&[
                "_source",
                "docvalue_fields",
                "fields",
                "stored_fields",
                "script_fields",
                "track_scores",
                "version",
                "seq_no_primary_term",
                "explain",
                "highlight",
            ]);
            None
        } else {
            let wanted = params.required("metrics")?;
            let items = wanted.as_array().cloned().unwrap_or_else(|| vec![wanted.clone()]);
            let mut metrics = Vec::with_capacity(items.len());
            for item in &items {
                let mut inner = Params::new("top_metrics", item)?;
                let used = self.used(&mut inner, scope, false)?;
                inner.finish_strictly()?;
                metrics.push((item.get("field").map(plain).unwrap_or_default(), used.source));
            }
            Some(metrics)
        };
        let outwards = self.way(scope, 0);
        Ok(TopAggregator { sort, from, size, body: body.clone(), metrics, outwards, owners: Vec::new() })
    }

    fn sort(&mut self, rule: &Value, scope: usize) -> Result<Vec<SortBy>> {
        let map = match rule {
            Value::String(field) => vec![(field.clone(), Value::Null)],
            Value::Object(map) => map.iter().map(|(field, how)| (field.clone(), how.clone())).collect(),
            other => return Err(Error::parsing(format!("malformed sort format, found [{}]", plain(other)))),
        };
        let mut sorts = Vec::with_capacity(map.len());
        for (field, how) in map {
            let direction = match &how {
                Value::String(direction) => Some(direction.as_str()),
                other => other.get("order").and_then(Value::as_str),
            };
            let descending = match direction {
                None => field == "_score",
                Some("asc") => false,
                Some("desc") => true,
                Some(other) => return Err(Error::illegal(format!("Unknown SortOrder [{other}]"))),
            };
            let missing_first = how.get("missing").and_then(Value::as_str) == Some("_first");
            if matches!(field.as_str(), "_score" | "_doc") {
                sorts.push(SortBy { source: None, descending, missing_first });
                continue;
            }
            let used = self.column(&field, scope)?;
            if used.field.is_none() && how.get("unmapped_type").is_none() {
                let reason = format!("No mapping found for [{field}] in order to sort on");
                return Err(Error::query_shard(reason).on_index(self.fields.index_name()));
            }
            sorts.push(SortBy { source: Some(used.source), descending, missing_first });
        }
        Ok(sorts)
    }

    /// The field that `field` names, with `missing` and `format`. `numeric`: only numbers will do.
    pub(super) fn used(&mut self, params: &mut Params<'_>, scope: usize, numeric: bool) -> Result<Used> {
        if params.value("script").is_some() {
            return Err(Error::illegal(format!(
                "[script] in [{}] aggregations is not supported by the embedded store",
                params.name()
            )));
        }
        let name = params.text("field")?.ok_or_else(|| {
            Error::illegal(format!(
                "Required one of fields [field, script], but none were specified for [{}]",
                params.name()
            ))
        })?;
        let mut used = self.column(&name, scope)?;
        params.ignore(&["value_type"]);
        if numeric && used.field.is_some() && matches!(used.kind, ColumnKind::Term | ColumnKind::Geo) {
            return Err(self.wrong_type(&used, params.name()));
        }
        let zone = params.text("time_zone")?.map_or_else(|| Ok(Zone::utc()), |zone| Zone::parse(&zone))?;
        let format = params.text("format")?;
        if let Some(Field { kind: FieldKind::Date { format: own }, .. }) = &used.field {
            let format = format.as_deref().map(DateFormat::new).transpose()?.map(Arc::new);
            used.source.print = Print::Date(format.unwrap_or_else(|| Arc::clone(own)), zone);
        }
        if let Some(missing) = params.value("missing") {
            used.source.missing = Some(match (used.kind, used.field.is_some()) {
                // A term stands for itself: its number in the dictionary.
                (ColumnKind::Term, _) => f64::from(self.dictionary.intern(&plain(missing))),
                (_, false) if !numeric => f64::from(self.dictionary.intern(&plain(missing))),
                (ColumnKind::Geo, _) => {
                    let reason = format!("[missing] is not supported for the points of [{name}]");
                    return Err(Error::illegal(reason));
                }
                _ => self.missing_number(missing, &used)?,
            });
        }
        Ok(used)
    }

    /// The number that stands for a missing value.
    pub(super) fn missing_number(&self, value: &Value, used: &Used) -> Result<f64> {
        let number = match &used.source.print {
            Print::Date(format, _) => format.parse_value(value).ok().map(|ms| ms as f64),
            Print::Boolean => value.as_bool().map(|yes| f64::from(u8::from(yes))),
            Print::Plain => None,
        };
        let text = plain(value);
        number
            .or_else(|| text.parse().ok())
            .filter(|n: &f64| n.is_finite())
            .ok_or_else(|| Error::illegal(format!("failed to parse [missing] value [{text}]")))
    }

    /// The column of a field in a scope; a field of another scope is as good as unmapped.
    pub(super) fn column(&mut self, name: &str, scope: usize) -> Result<Used> {
        let unmapped = Used {
            source: Source { scope, column: None, missing: None, print: Print::Plain },
            kind: ColumnKind::Double,
            field: None,
        };
        let Some(field) = self.fields.field(name) else { return Ok(unmapped) };
        let own_scope = matches!(field.path.as_str(), "_id" | "_index")
            || self.fields.is_seen_from(self.nested_path(&field.source_path), &self.scopes[scope].path);
        if !own_scope {
            return Ok(unmapped);
        }
        if matches!(field.kind, FieldKind::Text { .. }) || !field.aggregatable {
            let reason = format!(
                "Fielddata is disabled on [{name}] in [{}]. Text fields are not optimised for operations that require \
                 per-document field data like aggregations and sorting, so these operations are disabled by default. \
                 Please use a keyword field instead. Alternatively, set fielddata=true on [{name}] in order to load field \
                 data by uninverting the inverted index. Note that this can use significant memory.",
                self.fields.index_name()
            );
            return Err(Error::illegal(reason).on_index(self.fields.index_name()));
        }
        let kind = ColumnKind::of(&field.kind);
        let columns = &mut self.scopes[scope].columns;
        let column = columns.iter().position(|spec| spec.field.path == field.path).unwrap_or_else(|| {
            columns.push(ColumnSpec { field: field.clone(), kind });
            columns.len() - 1
        });
        let print = match &field.kind {
            FieldKind::Date { format } => Print::Date(Arc::clone(format), Zone::utc()),
            FieldKind::Boolean => Print::Boolean,
            _ => Print::Plain,
        };
        let source = Source { scope, column: Some(column), missing: None, print };
        Ok(Used { source, kind, field: Some(field) })
    }

    pub(super) fn wrong_type(&self, used: &Used, aggregation: &str) -> Error {
        let (path, kind) =
            used.field.as_ref().map_or(("", ""), |field| (field.path.as_str(), field.kind.name()));
        Error::illegal(format!(
            "Field [{path}] of type [{kind}] is not supported for aggregation [{aggregation}]"
        ))
        .on_index(self.fields.index_name())
    }

    /// The mask of a filter in a scope.
    pub(super) fn mask(&mut self, query: Query, scope: usize) -> Result<usize> {
        // Errors of the filter are found here, not in the middle of a search.
        query
            .resolve_in(self.fields, self.now_ms, &self.scopes[scope].path)
            .map_err(|error| error.on_index(self.fields.index_name()))?;
        self.scopes[scope].filters.push(query);
        Ok(self.scopes[scope].filters.len() - 1)
    }

    /// The innermost nested object around a path.
    pub(super) fn nested_path<'p>(&self, path: &'p str) -> &'p str {
        nested_around(self.fields, path)
    }

    /// The scopes whose parents lead from one scope out to another.
    pub(super) fn way(&self, from: usize, to: usize) -> Vec<usize> {
        std::iter::successors(Some(from), |scope| Some(self.scopes[*scope].parent))
            .take_while(|scope| *scope != to && *scope != 0)
            .collect()
    }

    /// Refuses an order by something that is not there.
    pub(super) fn order(&self, value: Option<&Value>, children: &Children) -> Result<Vec<Order>> {
        let orders = value.map(Order::parse).transpose()?.unwrap_or_default();
        Order::check(&orders, children).map_err(|error| error.on_index(self.fields.index_name()))?;
        Ok(orders)
    }
}
