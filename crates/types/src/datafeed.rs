//! Where a job's data come from.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{DatafeedId, Invalid, JobId, TimeSpan};

const SCROLL_SIZE_DEFAULT: u32 = 1000;
const SCROLL_SIZE_MAX: u32 = 10_000;
const CHUNK_INTERVALS: i64 = 1000;

/// The body of a request that creates, updates or previews a datafeed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of `Datafeed`")]
pub struct DatafeedBody {
    pub datafeed_id: Option<String>,
    pub job_id: Option<String>,
    #[serde(alias = "indexes", default, deserialize_with = "one_or_many")]
    pub indices: Option<Vec<String>>,
    pub query: Option<Value>,
    #[serde(alias = "aggs")]
    pub aggregations: Option<Value>,
    pub chunking_config: Option<ChunkingConfig>,
    pub delayed_data_check_config: Option<DelayedDataCheckConfig>,
    pub frequency: Option<TimeSpan>,
    pub query_delay: Option<TimeSpan>,
    pub scroll_size: Option<i64>,
    pub script_fields: Option<Value>,
    pub runtime_mappings: Option<Value>,
    pub indices_options: Option<Value>,
    pub max_empty_searches: Option<i64>,
    /// Accepted, never stored: secrets do not belong in a configuration.
    pub headers: Option<Value>,
    /// Accepted, never stored: indices had types once.
    #[serde(skip_serializing)]
    pub types: Option<Value>,
}

fn one_or_many<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(Option::<OneOrMany>::deserialize(deserializer)?.map(|value| match value {
        OneOrMany::One(one) => vec![one],
        OneOrMany::Many(many) => many,
    }))
}

/// A complete, valid datafeed configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Datafeed {
    /// Its name.
    pub datafeed_id: DatafeedId,
    /// The job that it feeds.
    pub job_id: JobId,
    /// How far behind the present it reads.
    pub query_delay: TimeSpan,
    /// How often it reads in real time; derived from the bucket span when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency: Option<TimeSpan>,
    /// What it reads.
    pub indices: Vec<String>,
    /// Which documents it reads; the user's own words, passed on as they are.
    pub query: Value,
    /// Lets the store do the reducing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregations: Option<Value>,
    /// Fields computed by scripts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script_fields: Option<Value>,
    /// Fields computed when read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_mappings: Option<Value>,
    /// Documents per page.
    pub scroll_size: u32,
    /// How history is cut into pieces.
    pub chunking_config: ChunkingConfig,
    /// Are late documents looked for?
    pub delayed_data_check_config: DelayedDataCheckConfig,
    /// Stops a feed that never saw data after so many empty searches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_empty_searches: Option<u32>,
    /// What missing and hidden indices mean.
    pub indices_options: Value,
}

/// How history is cut into pieces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChunkingConfig {
    /// Who decides.
    pub mode: ChunkingMode,
    /// Length of a piece, in manual mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_span: Option<TimeSpan>,
}

/// Who decides on the length of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChunkingMode {
    /// The datafeed.
    Auto,
    /// The user.
    Manual,
    /// One piece.
    Off,
}

/// Are late documents looked for?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DelayedDataCheckConfig {
    /// Is it on?
    pub enabled: bool,
    /// How far back; default max(2 h, 8 buckets).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_window: Option<TimeSpan>,
}

impl DatafeedBody {
    /// Checks the body and fills in every default.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn into_datafeed(self, datafeed_id: DatafeedId) -> Result<Datafeed, Invalid> {
        let job_id = self.job_id.clone().ok_or_else(|| Invalid::argument("[job_id] must not be null"))?;
        let indices = self.indices.clone().unwrap_or_default();
        let blank = Datafeed {
            query_delay: default_query_delay(&datafeed_id),
            datafeed_id,
            job_id: JobId::try_from(job_id)?,
            frequency: None,
            indices,
            query: json!({"match_all": {"boost": 1.0}}),
            aggregations: None,
            script_fields: None,
            runtime_mappings: None,
            scroll_size: SCROLL_SIZE_DEFAULT,
            chunking_config: ChunkingConfig { mode: ChunkingMode::Auto, time_span: None },
            delayed_data_check_config: DelayedDataCheckConfig { enabled: true, check_window: None },
            max_empty_searches: None,
            indices_options: indices_options(None)?,
        };
        self.applied_to(&blank)
    }

    /// The datafeed with the changes of this body.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn applied_to(self, feed: &Datafeed) -> Result<Datafeed, Invalid> {
        let mut feed = feed.clone();
        if self.job_id.as_ref().is_some_and(|job_id| job_id.as_str() != feed.job_id.as_str()) {
            return Err(Invalid::argument("Datafeed's job_id cannot be changed"));
        }
        let chosen_chunks = self.chunking_config.is_some();
        feed.indices = self.indices.unwrap_or(feed.indices);
        feed.query = self.query.unwrap_or(feed.query);
        feed.aggregations = self.aggregations.filter(|aggs| !aggs.is_null()).or(feed.aggregations);
        feed.script_fields = self.script_fields.or(feed.script_fields);
        feed.runtime_mappings = self.runtime_mappings.or(feed.runtime_mappings);
        feed.frequency = self.frequency.or(feed.frequency);
        feed.query_delay = self.query_delay.unwrap_or(feed.query_delay);
        feed.chunking_config = self.chunking_config.unwrap_or(feed.chunking_config);
        feed.delayed_data_check_config =
            self.delayed_data_check_config.unwrap_or(feed.delayed_data_check_config);
        if let Some(size) = self.scroll_size {
            feed.scroll_size = u32::try_from(size)
                .ok()
                .filter(|size| (1..=SCROLL_SIZE_MAX).contains(size))
                .ok_or_else(|| {
                Invalid::argument(format!("Invalid scroll_size value '{size}' in datafeed configuration"))
            })?;
        }
        match self.max_empty_searches {
            None => {}
            Some(-1) => feed.max_empty_searches = None,
            Some(count) => {
                feed.max_empty_searches =
                    Some(u32::try_from(count).ok().filter(|count| *count > 0).ok_or_else(|| {
                        Invalid::argument(format!(
                            "Invalid max_empty_searches value '{count}' in datafeed configuration"
                        ))
                    })?);
            }
        }
        if self.indices_options.is_some() {
            feed.indices_options = indices_options(self.indices_options)?;
        }
        if feed.aggregations.is_some() && !chosen_chunks && feed.chunking_config.mode == ChunkingMode::Auto {
            let span = histogram_interval_ms(feed.aggregations.as_ref())
                .map(|ms| TimeSpan::in_millis(ms.saturating_mul(CHUNK_INTERVALS)));
            feed.chunking_config = ChunkingConfig {
                mode: ChunkingMode::Manual,
                time_span: Some(span.unwrap_or(TimeSpan::from_secs(10_800))),
            };
        }
        feed.checked()
    }
}

impl Datafeed {
    fn checked(self) -> Result<Self, Invalid> {
        if self.indices.is_empty() || self.indices.iter().any(String::is_empty) {
            return Err(Invalid::argument(format!(
                "Invalid indices value '{:?}' in datafeed configuration",
                self.indices
            )));
        }
        if self.aggregations.is_some() && self.script_fields.is_some() {
            return Err(Invalid::argument("script_fields cannot be used in combination with aggregations"));
        }
        if let Some(frequency) = self.frequency.filter(|frequency| frequency.as_millis() <= 0) {
            return Err(Invalid::argument(format!(
                "frequency cannot be less or equal than 0. Value = {frequency}"
            )));
        }
        if self.query_delay.as_millis() < 0 {
            return Err(Invalid::argument(format!(
                "query_delay cannot be less than 0. Value = {}",
                self.query_delay
            )));
        }
        match (self.chunking_config.mode, self.chunking_config.time_span) {
            (ChunkingMode::Manual, None) => {
                Err(Invalid::argument("when chunk mode is manual time_span is required"))
            }
            (ChunkingMode::Manual, Some(span)) if span.as_millis() <= 0 => {
                Err(Invalid::argument(format!("time_span cannot be less or equal than 0. Value = {span}")))
            }
            (ChunkingMode::Auto | ChunkingMode::Off, Some(_)) => {
                Err(Invalid::argument("chunk time_span may only be set when mode is manual"))
            }
            _ => Ok(self),
        }
    }

    /// How often it reads in real time, derived from the bucket span where it was not given, in milliseconds.
    pub fn frequency_ms(&self, bucket_span_s: i64) -> i64 {
        let chosen =
            self.frequency.map_or_else(|| default_frequency_s(bucket_span_s) * 1000, TimeSpan::as_millis);
        match histogram_interval_ms(self.aggregations.as_ref()) {
            Some(interval) if interval > 0 => (chosen / interval).max(1) * interval,
            _ => chosen,
        }
    }

    /// How far back late documents are looked for, in milliseconds.
    pub fn delayed_check_window_ms(&self, bucket_span_s: i64) -> i64 {
        self.delayed_data_check_config
            .check_window
            .map_or_else(|| 7_200_000.max(bucket_span_s * 8_000), TimeSpan::as_millis)
    }
}

fn default_frequency_s(bucket_span_s: i64) -> i64 {
    match bucket_span_s {
        ..=120 => bucket_span_s.max(1),
        121..=1200 => bucket_span_s / 2,
        1201..=43_200 => 600,
        _ => 3600,
    }
}

/// Between 60 and 120 seconds, so that many feeds do not ask at once; the same feed always has the same delay.
fn default_query_delay(datafeed_id: &str) -> TimeSpan {
    let hash = datafeed_id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    TimeSpan::from_millis(60_000 + i64::try_from(hash % 60_000).unwrap_or(0))
}

fn indices_options(given: Option<Value>) -> Result<Value, Invalid> {
    let mut options = Map::new();
    options.insert("expand_wildcards".to_owned(), json!(["open"]));
    options.insert("ignore_unavailable".to_owned(), json!(false));
    options.insert("allow_no_indices".to_owned(), json!(true));
    options.insert("ignore_throttled".to_owned(), json!(true));
    let Some(given) = given else { return Ok(Value::Object(options)) };
    let given = given.as_object().ok_or_else(|| Invalid::x_content("[indices_options] must be an object"))?;
    for (name, value) in given {
        let value = match name.as_str() {
            "expand_wildcards" => expanded(value)?,
            "ignore_unavailable" | "allow_no_indices" | "ignore_throttled" if value.is_boolean() => {
                value.clone()
            }
            _ => {
                return Err(Invalid::x_content(format!(
                    "could not read indices options. unexpected index option [{name}]"
                )));
            }
        };
        options.insert(name.clone(), value);
    }
    Ok(Value::Object(options))
}

/// `all`, a comma list or an array, in the order open, closed, hidden.
fn expanded(value: &Value) -> Result<Value, Invalid> {
    let words: Vec<String> = match value {
        Value::String(text) => text.split(',').map(|word| word.trim().to_owned()).collect(),
        Value::Array(items) => items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    };
    let known = ["open", "closed", "hidden", "none", "all"];
    if words.is_empty() || words.iter().any(|word| !known.contains(&word.as_str())) {
        return Err(Invalid::argument(format!("No valid expand wildcard value [{value}]")));
    }
    let all = words.iter().any(|word| word == "all");
    let chosen: Vec<&str> =
        known[..3].iter().copied().filter(|word| all || words.iter().any(|given| given == word)).collect();
    Ok(json!(chosen))
}

/// The interval of the date histogram (or of the composite's date source) in an aggregation, in milliseconds.
pub fn histogram_interval_ms(aggregations: Option<&Value>) -> Option<i64> {
    let object = aggregations?.as_object()?;
    for body in object.values() {
        let found = body
            .get("date_histogram")
            .or_else(|| body.get("histogram"))
            .and_then(interval_of)
            .or_else(|| composite_interval(body))
            .or_else(|| histogram_interval_ms(body.get("aggregations").or_else(|| body.get("aggs"))));
        if found.is_some() {
            return found;
        }
    }
    None
}

fn composite_interval(body: &Value) -> Option<i64> {
    let sources = body.get("composite")?.get("sources")?.as_array()?;
    sources
        .iter()
        .filter_map(Value::as_object)
        .flat_map(Map::values)
        .find_map(|source| source.get("date_histogram").and_then(interval_of))
}

fn interval_of(histogram: &Value) -> Option<i64> {
    let interval =
        ["fixed_interval", "calendar_interval", "interval"].iter().find_map(|name| histogram.get(*name))?;
    match interval {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => match text.as_str() {
            "second" => Some(1_000),
            "minute" => Some(60_000),
            "hour" => Some(3_600_000),
            "day" => Some(86_400_000),
            "week" | "1w" => Some(604_800_000),
            other => TimeSpan::parse(other, "interval").ok().map(TimeSpan::as_millis),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(body: &str) -> Result<Datafeed, Invalid> {
        serde_json::from_str::<DatafeedBody>(body).unwrap().into_datafeed(DatafeedId::try_from("f").unwrap())
    }

    #[test]
    fn defaults_are_filled_in() {
        let feed = feed(r#"{"job_id":"j","indexes":"logs"}"#).unwrap();
        assert_eq!((feed.indices.as_slice(), feed.scroll_size), (&["logs".to_owned()][..], 1000));
        assert!((60_000..=120_000).contains(&feed.query_delay.as_millis()));
        assert_eq!(
            (feed.frequency_ms(300), feed.frequency_ms(60), feed.frequency_ms(3600)),
            (150_000, 60_000, 600_000)
        );
    }

    #[test]
    fn aggregations_bring_manual_chunks() {
        let feed = feed(
            r#"{"job_id":"j","indices":["l"],"aggs":{"b":{"date_histogram":{"field":"t","fixed_interval":"5m"},"aggs":{"t":{"max":{"field":"t"}}}}}}"#,
        )
        .unwrap();
        assert_eq!(feed.chunking_config.time_span.unwrap().as_secs(), 300_000);
        assert!(serde_json::to_value(&feed).unwrap().get("aggregations").is_some());
    }

    #[test]
    fn bad_values_are_named() {
        assert!(feed(r#"{"job_id":"j","indices":[]}"#).is_err());
        assert!(feed(r#"{"job_id":"j","indices":["a"],"scroll_size":0}"#).is_err());
        assert!(feed(r#"{"job_id":"j","indices":["a"],"chunking_config":{"mode":"manual"}}"#).is_err());
        assert!(feed(r#"{"indices":["a"]}"#).is_err());
    }
}
