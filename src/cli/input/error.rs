//! Why an input could not be read.

/// What is wrong with the input, and where. Lines count from 1.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    #[error("cannot open [{path}]: {source}")]
    Open { path: String, source: std::io::Error },
    #[error("cannot read the input: {0}")]
    Read(#[from] std::io::Error),
    #[error("the input has no header row")]
    NoHeader,
    #[error("the input has no column [{column}]; its columns are [{columns}]")]
    NoColumn { column: String, columns: String },
    #[error("line {line}: {found} columns where the header has {expected}")]
    Columns { line: u64, found: usize, expected: usize },
    #[error("line {line}: {problem}")]
    Malformed { line: u64, problem: &'static str },
    #[error("line {line}: no time in field [{field}]")]
    NoTime { line: u64, field: String },
    #[error("line {line}: cannot read [{value}] as a time of format [{format}]")]
    Time { line: u64, value: String, format: String },
    #[error("line {line}: not valid UTF-8")]
    Encoding { line: u64 },
    #[error("line {line}: longer than {limit} bytes")]
    TooLong { line: u64, limit: usize },
    #[error("[{0}] is no time format: use epoch, epoch_ms, or a date pattern such as yyyy-MM-dd HH:mm:ss")]
    TimeFormat(String),
}
