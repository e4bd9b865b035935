//! Random documents and requests, from a seed.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Map, Value, json};

pub(crate) const START_MS: i64 = 1_700_000_000_000;
const DAY_MS: i64 = 86_400_000;
const WORDS: [&str; 8] = ["alpha", "beta", "gamma", "delta", "fatal", "error", "disk", "full"];
const KINDS: [&str; 5] = ["a", "b", "c", "dd", "e f"];

/// Draws documents, queries and aggregations.
#[derive(Debug)]
pub(crate) struct Draw(StdRng);

/// The mapping of all drawn documents.
pub(crate) fn mapping() -> Value {
    json!({"settings": {"index": {"number_of_shards": 1, "number_of_replicas": 0}}, "mappings": {"properties": {
        "id": {"type": "keyword"}, "k": {"type": "keyword"}, "k2": {"type": "keyword"}, "n": {"type": "long"},
        "d": {"type": "double"}, "t": {"type": "date"}, "b": {"type": "boolean"}, "ip": {"type": "ip"},
        "txt": {"type": "text", "fields": {"raw": {"type": "keyword"}}}, "geo": {"type": "geo_point"},
        "items": {"type": "nested", "properties": {"name": {"type": "keyword"}, "qty": {"type": "long"}}}}}})
}

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        *of.choose(&mut self.0).expect("never empty")
    }

    fn chance(&mut self, p: f64) -> bool {
        self.0.random_bool(p)
    }

    fn between(&mut self, from: i64, to: i64) -> i64 {
        self.0.random_range(from..=to)
    }

    fn kind(&mut self) -> &'static str {
        self.one(&KINDS)
    }

    /// A tenth of the fields is missing.
    pub(crate) fn document(&mut self, number: usize) -> Value {
        let mut document = Map::new();
        document.insert("id".to_owned(), json!(format!("{number:05}")));
        for field in ["k", "k2", "n", "d", "t", "b", "ip", "txt", "geo", "items"] {
            if self.chance(0.9) {
                let value = self.value(field);
                document.insert(field.to_owned(), value);
            }
        }
        Value::Object(document)
    }

    fn value(&mut self, field: &str) -> Value {
        match field {
            "k" if self.chance(0.2) => json!([self.kind(), self.kind()]),
            "k" | "k2" => json!(self.kind()),
            "n" if self.chance(0.1) => json!([self.between(-5, 30), self.between(-5, 30)]),
            "n" => json!(self.between(-5, 30)),
            "d" => json!(self.between(-4000, 4000) as f64 / 16.0),
            "t" => json!(START_MS + self.between(0, 40 * DAY_MS / 60_000) * 60_000),
            "b" => json!(self.chance(0.5)),
            "ip" => json!(format!("10.0.{}.{}", self.between(0, 2), self.between(0, 5))),
            "txt" => {
                let words = self.between(1, 5);
                let words: Vec<&str> = (0..words).map(|_| self.one(&WORDS)).collect();
                json!(words.join(" "))
            }
            "geo" => json!({"lat": self.between(-80, 80), "lon": self.between(-170, 170)}),
            _ => {
                let items = self.between(1, 3);
                let item = |draw: &mut Self| json!({"name": draw.kind(), "qty": draw.between(0, 9)});
                Value::Array((0..items).map(|_| item(self)).collect())
            }
        }
    }

    pub(crate) fn query(&mut self, depth: u32) -> Value {
        let kinds = if depth == 0 { 17 } else { 21 };
        match self.between(0, kinds - 1) {
            0 => json!({"match_all": {}}),
            1 => json!({"term": {"k": self.kind()}}),
            2 => json!({"terms": {"k2": [self.kind(), self.kind()]}}),
            3 => json!({"range": {"n": {"gte": self.between(-5, 10), "lt": self.between(5, 31)}}}),
            4 => json!({"range": {"d": {"gt": self.between(-250, 0), "lte": self.between(0, 250)}}}),
            5 => {
                let day = START_MS + self.between(0, 30) * DAY_MS;
                json!({"range": {"t": {"gte": day, "lt": day + 10 * DAY_MS, "format": "epoch_millis"}}})
            }
            6 => {
                json!({"range": {"t": {"gte": format!("2023-11-{}||/d", self.between(15, 29)), "lte": "2023-12-10||/d"}}})
            }
            7 => {
                json!({"exists": {"field": self.one(&["k", "n", "txt", "geo", "b", "items", "items.name"])}})
            }
            8 => json!({"prefix": {"k": self.one(&["d", "e", "e f", "x"])}}),
            9 => json!({"wildcard": {"txt.raw": {"value": self.one(&["*a*", "disk*", "?rror*", "fatal"])}}}),
            10 => json!({"match": {"txt": {"query": format!("{} {}", self.one(&WORDS), self.one(&WORDS)),
                "operator": self.one(&["or", "and"])}}}),
            11 => json!({"match_phrase": {"txt": format!("{} {}", self.one(&WORDS), self.one(&WORDS))}}),
            12 => json!({"term": {"b": self.chance(0.5)}}),
            13 => json!({"term": {"ip": self.one(&["10.0.1.0/24", "10.0.0.3", "10.0.2.0/30"])}}),
            14 => json!({"query_string": {"query": self.one(&["txt:disk AND k:a", "fatal OR error",
                "n:[3 TO 9]", "NOT k2:b", "txt:\"disk full\"", "k:(a OR b) AND n:>5"])}}),
            15 => json!({"regexp": {"k": {"value": self.one(&["d+", "[a-c]", "e.*", "a|b"])}}}),
            16 => json!({"fuzzy": {"txt": {"value": self.one(&["eror", "dsk", "alfa"]), "fuzziness": 1}}}),
            17 => json!({"nested": {"path": "items", "query": {"bool": {"filter": [
                {"term": {"items.name": self.kind()}}, {"range": {"items.qty": {"gte": self.between(0, 9)}}}]}}}}),
            18 => json!({"constant_score": {"filter": self.query(depth - 1)}}),
            19 => {
                json!({"bool": {"should": [self.query(depth - 1), self.query(depth - 1), self.query(depth - 1)],
                "minimum_should_match": self.between(1, 2)}})
            }
            _ => json!({"bool": {"must": [self.query(depth - 1)], "filter": [self.query(depth - 1)],
                "must_not": [self.query(depth - 1)]}}),
        }
    }

    /// Always total: the last key is the document's own.
    pub(crate) fn sort(&mut self) -> Value {
        let order = self.one(&["asc", "desc"]);
        let missing = self.one(&["_first", "_last"]);
        let field = self.one(&["n", "d", "t", "k", "k2", "b"]);
        let mut key = json!({"order": order, "missing": missing});
        if field == "n" {
            key["mode"] = json!(self.one(&["min", "max"]));
        }
        json!([{field: key}, {"id": "asc"}])
    }

    /// An aggregation that divides, with others inside.
    pub(crate) fn buckets(&mut self, depth: u32) -> Value {
        let size = self.between(1, 8);
        let order = self.one(&["asc", "desc"]);
        let mut aggregation = match self.between(0, 15) {
            0 => json!({"terms": {"field": self.one(&["k", "k2", "txt.raw"]), "size": size,
                "order": [{"_count": order}, {"_key": "asc"}]}}),
            1 => json!({"terms": {"field": self.one(&["n", "b"]), "size": size, "order": {"_key": order}}}),
            2 => json!({"terms": {"field": "k", "missing": "none", "min_doc_count": self.between(1, 20),
                "order": {"_key": order}}}),
            3 => json!({"date_histogram": {"field": "t", "fixed_interval": self.one(&["12h", "1d", "100h"]),
                "min_doc_count": self.between(0, 1)}}),
            4 => {
                json!({"date_histogram": {"field": "t", "calendar_interval": self.one(&["day", "week", "month"]),
                "time_zone": self.one(&["UTC", "Europe/Berlin", "America/New_York", "+05:30"])}})
            }
            5 => {
                json!({"date_histogram": {"field": "t", "fixed_interval": "1d", "offset": self.one(&["+6h", "-3h"]),
                "format": "yyyy-MM-dd HH:mm"}})
            }
            6 => {
                json!({"histogram": {"field": self.one(&["n", "d"]), "interval": self.one(&[5.0, 7.5, 50.0]),
                "min_doc_count": self.between(0, 1), "offset": self.one(&[0.0, 2.0])}})
            }
            7 => {
                json!({"range": {"field": "d", "ranges": [{"to": -50}, {"from": -50, "to": 50}, {"from": 20},
                {"key": "all"}], "keyed": self.chance(0.3)}})
            }
            8 => json!({"date_range": {"field": "t", "ranges": [{"to": "2023-11-25"},
                {"from": "2023-11-20", "to": "2023-12-05"}, {"key": "late", "from": "2023-12-05"}]}}),
            9 => json!({"filter": self.query(0)}),
            10 => json!({"filters": {"filters": {"one": self.query(0), "two": self.query(0)},
                "other_bucket": self.chance(0.5)}}),
            11 => json!({"missing": {"field": self.one(&["k", "n", "t", "geo"])}}),
            12 => {
                return json!({"nested": {"path": "items"}, "aggs": {
                "names": {"terms": {"field": "items.name", "order": {"_key": "asc"}}, "aggs": {
                    "qty": {"sum": {"field": "items.qty"}},
                    "back": {"reverse_nested": {}, "aggs": {"d": {"max": {"field": "d"}}}}}}}});
            }
            13 => json!({"composite": {"size": self.between(3, 40), "sources": [
                {"day": {"date_histogram": {"field": "t", "fixed_interval": "10d", "order": order}}},
                {"k": {"terms": {"field": "k", "missing_bucket": self.chance(0.5)}}},
                {"d": {"histogram": {"field": "d", "interval": 100}}}]}}),
            14 => {
                json!({"terms": {"field": "k2", "include": self.one(&["[a-d].*", "e.*"]), "order": {"_key": order}}})
            }
            _ => {
                json!({"terms": {"field": "ip", "size": size, "order": [{"_count": "desc"}, {"_key": "asc"}]}})
            }
        };
        let mut inner = Map::new();
        for name in ["x", "y"] {
            let metric = self.metric();
            inner.insert(name.to_owned(), metric);
        }
        if depth > 0 && self.chance(0.5) {
            let deeper = self.buckets(depth - 1);
            inner.insert("z".to_owned(), deeper);
        }
        aggregation["aggs"] = Value::Object(inner);
        aggregation
    }

    pub(crate) fn metric(&mut self) -> Value {
        let field = self.one(&["n", "d"]);
        match self.between(0, 15) {
            0 => json!({"min": {"field": field}}),
            1 => json!({"max": {"field": self.one(&["n", "d", "t"])}}),
            2 => json!({"avg": {"field": field}}),
            3 => json!({"sum": {"field": field}}),
            4 => json!({"value_count": {"field": self.one(&["n", "k", "t", "b"])}}),
            5 => json!({"stats": {"field": field}}),
            6 => json!({"extended_stats": {"field": field, "sigma": 3.0}}),
            7 | 8 => json!({"cardinality": {"field": self.one(&["n", "k", "t", "b", "ip", "d"])}}),
            9 => json!({"percentiles": {"field": field, "percents": [0.0, 50.0, 100.0]}}),
            10 => json!({"weighted_avg": {"value": {"field": "d"}, "weight": {"field": "w", "missing": 2}}}),
            11 => json!({"top_hits": {"size": 2, "sort": [{"id": "asc"}], "_source": ["id", "k"]}}),
            12 => json!({"avg": {"field": field, "missing": 7}}),
            13 => json!({"geo_bounds": {"field": "geo"}}),
            14 => json!({"geo_centroid": {"field": "geo"}}),
            _ => json!({"percentile_ranks": {"field": "d", "values": [-300.0, 300.0]}}),
        }
    }

    /// A histogram with everything that is computed from its buckets.
    pub(crate) fn pipelines(&mut self) -> Value {
        let interval = self.one(&["1d", "3d", "10d"]);
        json!({
            "days": {"date_histogram": {"field": "t", "fixed_interval": interval}, "aggs": {
                "s": {"sum": {"field": "n"}}, "m": {"max": {"field": "d"}},
                "diff": {"derivative": {"buckets_path": "s"}},
                "total": {"cumulative_sum": {"buckets_path": "s"}},
                "lag": {"serial_diff": {"buckets_path": "s", "lag": 2}},
                "ratio": {"bucket_script": {"buckets_path": {"a": "s", "c": "_count"}, "script": "params.a / params.c"}}}},
            "mean": {"avg_bucket": {"buckets_path": "days>s"}}, "all": {"sum_bucket": {"buckets_path": "days>s"}},
            "least": {"min_bucket": {"buckets_path": "days>s"}}, "most": {"max_bucket": {"buckets_path": "days>s"}},
            "shape": {"stats_bucket": {"buckets_path": "days>s"}},
            "parts": {"percentiles_bucket": {"buckets_path": "days>s", "percents": [25.0, 75.0]}},
            "few": {"terms": {"field": "k", "order": {"_key": "asc"}}, "aggs": {"s": {"sum": {"field": "d"}},
                "keep": {"bucket_selector": {"buckets_path": {"c": "_count"}, "script": "params.c > 20"}},
                "best": {"bucket_sort": {"sort": [{"s": {"order": "desc"}}], "size": 2}}}}
        })
    }
}
