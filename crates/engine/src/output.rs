//! What an analysis hands out.

use types::TimestampMs;
use types::results::{Bucket, BucketInfluencer, CategoryDefinition, Influencer, ModelPlot, Record, Split};
use types::stats::ModelSizeStats;

/// Results since the caller last took them. Every result has a document id that depends on its content only, so that
/// writing it twice is harmless.
#[derive(Clone, Debug, Default)]
pub struct Output {
    /// One for each closed bucket, also quiet and empty ones.
    pub buckets: Vec<Bucket>,
    /// Those inside `buckets` once more, as documents of their own.
    pub bucket_influencers: Vec<BucketInfluencer>,
    /// Anomalies.
    pub records: Vec<Record>,
    /// Influencer values that took part in anomalies.
    pub influencers: Vec<Influencer>,
    /// Model bounds, when they are configured.
    pub model_plots: Vec<ModelPlot>,
    /// New and changed categories.
    pub categories: Vec<CategoryDefinition>,
    /// Sizes, when they changed noticeably.
    pub size_stats: Vec<ModelSizeStats>,
    /// Lasting changes that a model accepted.
    pub annotations: Vec<Annotation>,
    /// New scores of results written before, in the order in which they are to be written, after the results above.
    pub rescored: Vec<Rescored>,
}

/// A lasting change of one series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// Start of the bucket in which the change was accepted.
    pub time: TimestampMs,
    /// End of that bucket.
    pub end: TimestampMs,
    /// Which detector.
    pub detector_index: usize,
    /// Which series.
    pub split: Split,
    /// For people.
    pub text: String,
}

/// The level of a result whose score changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RescoredKind {
    /// `anomaly_score` of a bucket.
    Bucket,
    /// `anomaly_score` of a bucket influencer.
    BucketInfluencer,
    /// `record_score`.
    Record,
    /// `influencer_score`.
    Influencer,
}

/// A new score of a result.
#[derive(Clone, Debug, PartialEq)]
pub struct Rescored {
    /// Its document.
    pub doc_id: String,
    /// Its level.
    pub kind: RescoredKind,
    /// 0–100, at most the initial score.
    pub score: f64,
    /// Of a bucket: its influencers, all of them, with their scores as they are now. Empty for other results.
    pub bucket_influencers: Vec<BucketInfluencer>,
}

impl Output {
    /// Takes everything out, keeping the room.
    pub fn clear(&mut self) {
        self.buckets.clear();
        self.bucket_influencers.clear();
        self.records.clear();
        self.influencers.clear();
        self.model_plots.clear();
        self.categories.clear();
        self.size_stats.clear();
        self.annotations.clear();
        self.rescored.clear();
    }

    /// Is there nothing in it?
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
            && self.bucket_influencers.is_empty()
            && self.records.is_empty()
            && self.influencers.is_empty()
            && self.model_plots.is_empty()
            && self.categories.is_empty()
            && self.size_stats.is_empty()
            && self.annotations.is_empty()
            && self.rescored.is_empty()
    }
}
