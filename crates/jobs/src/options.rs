//! What the service may be told about how it runs jobs.

use types::ByteSize;

/// Limits and cadences. Results do not depend on any of them.
#[derive(Clone, Debug)]
pub struct Options {
    /// The id of this node, shown in answers.
    pub node_id: String,
    /// The name of this node, shown in messages.
    pub node_name: String,
    /// Its address, shown in answers.
    pub transport_address: String,
    /// Jobs may not ask for more (`xpack.ml.max_model_memory_limit`).
    pub max_model_memory_limit: Option<ByteSize>,
    /// Memory of the machine, shown in answers; zero when it is not known.
    pub memory_bytes: u64,
    /// Records between two checkpoints, at most (more records of the same time may follow).
    pub checkpoint_records: u64,
    /// Milliseconds between two checkpoints of a job that takes data, at most.
    pub checkpoint_interval_ms: i64,
    /// Result documents that are written in one request.
    pub write_batch: usize,
    /// Commands that may wait for a job.
    pub queue_length: usize,
    /// How often a request to a store that is away is repeated before the job fails.
    pub store_attempts: u32,
    /// Documents per page of a datafeed over raw documents, at least; a larger `scroll_size` is honoured.
    pub scan_page_size: usize,
    /// Are documents put together by the store where that gives the same and is cheaper?
    pub push_down: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            node_id: "auspex-node-0000000000".to_owned(),
            node_name: "auspex".to_owned(),
            transport_address: "127.0.0.1:9300".to_owned(),
            max_model_memory_limit: None,
            memory_bytes: 0,
            checkpoint_records: 2_000_000,
            checkpoint_interval_ms: 30_000,
            write_batch: 5_000,
            queue_length: 8,
            store_attempts: 20,
            scan_page_size: 10_000,
            push_down: false,
        }
    }
}
