//! `auspex detect`: the service's engine over a file, without the service.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use engine::{Analysis, Context, Disposition, Output};
use serde::Serialize;
use types::{Job, JobBody, JobId, TimestampMs};

use super::CliError;
use super::input::{InputFormat, RecordReader, RecordSchema, TimeFormat, open};

/// Find the anomalies in a file of records that are sorted by time.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The job: the JSON body that would create it, with or without `job_id`
    #[arg(long, value_name = "JOB.json")]
    job: PathBuf,
    /// Records; `-` for standard input
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// Format of the records; told by the file's name when absent
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Results, one JSON object a line, as the service first stores them, with the scores of the time; `-` for standard output
    #[arg(long, value_name = "OUT.ndjson", default_value = "-")]
    output: PathBuf,
    /// Threads that compute the series of a bucket; the results are the same for any number
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// Comma-separated values with a header line
    Csv,
    /// One JSON object a line
    Ndjson,
}

/// # Errors
/// When the job or a record is wrong, or a file cannot be read or written.
pub(crate) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let job = read_job(&args.job)?;
    let mut analysis =
        Analysis::new(&job, Context::default()).map_err(|error| CliError::Option(error.to_string()))?;
    analysis.set_threads(usize::from(args.threads));
    let format = match args.format {
        Some(Format::Csv) => InputFormat::Csv { delimiter: b',' },
        Some(Format::Ndjson) => InputFormat::Ndjson,
        None => InputFormat::of_file(&args.input).ok_or_else(|| {
            CliError::Option(format!(
                "cannot tell the format of [{}]: say --format csv or ndjson",
                args.input.display()
            ))
        })?,
    };
    let schema = RecordSchema {
        time_field: job.data_description.time_field.clone(),
        time_format: TimeFormat::new(&job.data_description.time_format)?,
        fields: analysis.fields().to_vec(),
    };
    let (source, progress) = open(&args.input)?;
    let mut writer = Writer::create(&args.output)?;
    let mut reader = RecordReader::new(source, format, schema);
    let mut found = Output::default();
    let mut late: u64 = 0;
    while let Some(batch) = reader.next_batch()? {
        for (time_ms, values) in batch.rows() {
            late += u64::from(analysis.push(time_ms, values, &mut found) == Disposition::OutOfOrder);
            if found.buckets.len() >= BUCKETS_PER_WRITE {
                writer.write(&mut found)?;
            }
        }
    }
    analysis.finish(&mut found);
    writer.write(&mut found)?;
    // The model's size at the end, under the data's own time: two runs over the same file give the same bytes.
    let end = TimestampMs(analysis.latest_record_ms().unwrap_or(0));
    writer.line(&analysis.size_stats(end))?;
    writer.finish()?;
    progress.finish();
    report(&analysis, late, &writer);
    Ok(ExitCode::SUCCESS)
}

const BUCKETS_PER_WRITE: usize = 64;

fn report(analysis: &Analysis, late: u64, writer: &Writer) {
    let counts = analysis.counts();
    eprintln!(
        "{} records, {} buckets, {} anomaly records",
        counts.processed_record_count, counts.bucket_count, writer.records
    );
    if late > 0 {
        eprintln!("{late} records were out of order by more than the job's latency and were left out");
    }
}

fn read_job(path: &Path) -> Result<Job, CliError> {
    let wrong =
        |reason: String| CliError::Option(format!("cannot use the job [{}]: {reason}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let body: JobBody = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let id = body.job_id.clone().unwrap_or_else(|| "detect".to_owned());
    let id = JobId::try_from(id).map_err(|error| wrong(error.to_string()))?;
    body.into_job(id, TimestampMs(0)).map_err(|error| wrong(error.to_string()))
}

/// Writes results as they come.
struct Writer {
    path: String,
    file: BufWriter<Box<dyn Write>>,
    records: u64,
}

impl Writer {
    fn create(path: &Path) -> Result<Self, CliError> {
        let name = path.display().to_string();
        let file: Box<dyn Write> = if path == Path::new("-") {
            Box::new(std::io::stdout())
        } else {
            Box::new(File::create(path).map_err(|source| CliError::Output { path: name.clone(), source })?)
        };
        Ok(Self { path: name, file: BufWriter::with_capacity(1 << 20, file), records: 0 })
    }

    /// Writes everything found and empties it.
    fn write(&mut self, found: &mut Output) -> Result<(), CliError> {
        self.records += found.records.len() as u64;
        self.lines(&found.categories)?;
        self.lines(&found.records)?;
        self.lines(&found.influencers)?;
        self.lines(&found.bucket_influencers)?;
        self.lines(&found.model_plots)?;
        self.lines(&found.size_stats)?;
        self.lines(&found.buckets)?;
        found.clear();
        Ok(())
    }

    fn lines<T: Serialize>(&mut self, documents: &[T]) -> Result<(), CliError> {
        documents.iter().try_for_each(|document| self.line(document))
    }

    fn line<T: Serialize>(&mut self, document: &T) -> Result<(), CliError> {
        serde_json::to_writer(&mut self.file, document)
            .map_err(std::io::Error::from)
            .and_then(|()| self.file.write_all(b"\n"))
            .map_err(|source| CliError::Output { path: self.path.clone(), source })
    }

    fn finish(&mut self) -> Result<(), CliError> {
        self.file.flush().map_err(|source| CliError::Output { path: self.path.clone(), source })
    }
}
