//! Jobs, records and noise for the tests.

use engine::{Analysis, Context, Disposition, FieldValue, Output};
use serde_json::Value;
use types::{Job, JobBody, JobId, TimestampMs};

/// A job with this `analysis_config`; other properties may stand beside it under their own names.
pub(crate) fn job(config: Value) -> Job {
    let mut body = serde_json::json!({ "data_description": {} });
    let mut config = config;
    for name in ["model_plot_config", "analysis_limits", "renormalization_window_days"] {
        if let Some(value) = config.as_object_mut().unwrap().remove(name) {
            body[name] = value;
        }
    }
    body["analysis_config"] = config;
    let body: JobBody = serde_json::from_value(body).unwrap();
    body.into_job(JobId::try_from("test".to_owned()).unwrap(), TimestampMs(0)).unwrap()
}

/// A value of a record that owns its text.
#[derive(Clone, Debug)]
pub(crate) enum Cell {
    None,
    Text(String),
    Number(f64),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<f64> for Cell {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl Cell {
    pub(crate) fn value(&self) -> FieldValue<'_> {
        match self {
            Self::None => FieldValue::Missing,
            Self::Text(text) => FieldValue::Str(text),
            Self::Number(number) => FieldValue::Num(*number),
        }
    }
}

/// An analysis and everything that it said.
pub(crate) struct Run {
    pub(crate) analysis: Analysis,
    pub(crate) out: Output,
}

impl Run {
    pub(crate) fn new(config: Value) -> Self {
        Self::with_context(config, Context::default())
    }

    pub(crate) fn with_context(config: Value, context: Context) -> Self {
        Self { analysis: Analysis::new(&job(config), context).unwrap(), out: Output::default() }
    }

    /// Pushes a record; cells are in the order of `analysis.fields()`.
    pub(crate) fn push(&mut self, time_s: i64, cells: &[Cell]) -> Disposition {
        let values: Vec<FieldValue<'_>> = cells.iter().map(Cell::value).collect();
        self.analysis.push(time_s * 1000, &values, &mut self.out)
    }

    pub(crate) fn finish(mut self) -> Output {
        self.analysis.finish(&mut self.out);
        self.out
    }
}

/// Records with at least this score.
pub(crate) fn strong(out: &Output, score: f64) -> Vec<&types::results::Record> {
    out.records.iter().filter(|record| record.record_score >= score).collect()
}

/// Repeatable noise (xorshift64*, Vigna 2016).
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// In (0, 1).
    pub(crate) fn uniform(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((self.uniform() * n as f64) as usize).min(n - 1)
    }

    pub(crate) fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
}
