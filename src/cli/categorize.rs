//! `auspex categorize`: sorts the messages of a file into categories.

use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use engine::categorize::{Categorizer, CategorizerConfig, Definition};
use serde::Serialize;

use super::CliError;
use super::input::{InputError, LineReader, Progress, open};

/// Sort log messages into categories: one message a line in, `line,category_id` out.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// File with one message a line; `-` for standard input
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// CSV file to write: `line,category_id`, both from 1; the id is empty where a line has nothing to categorise
    #[arg(long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// Also write the categories, one JSON object a line
    #[arg(long, value_name = "FILE")]
    definitions: Option<PathBuf>,
    /// Write ids at once and as given at the time; otherwise they are written at the end, when categories that turned
    /// out to be one have one id
    #[arg(long)]
    online: bool,
    /// Regular expression taken out of every message first (may be repeated)
    #[arg(long, value_name = "REGEX")]
    filter: Vec<String>,
    /// Examples kept for each category
    #[arg(long, value_name = "COUNT", default_value_t = 4)]
    examples: usize,
}

/// # Errors
/// When a file cannot be read or written, or a filter is no regular expression.
pub(crate) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let config =
        CategorizerConfig { filters: args.filter.clone(), examples_limit: args.examples, analyzer: None };
    let mut categorizer = Categorizer::new(&config).map_err(|e| CliError::Option(e.to_string()))?;
    let (source, progress) = open(&args.input)?;
    let output = Output::create(&args.output)?;
    let definitions = args.definitions.as_deref().map(Output::create).transpose()?;
    let lines = categorize(&mut categorizer, LineReader::new(source), output, args.online, &progress)?;
    if let Some(definitions) = definitions {
        write_definitions(&categorizer, definitions, args.online)?;
    }
    progress.finish();
    if std::io::stderr().is_terminal() {
        eprintln!("{}", summary(lines, &categorizer));
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the number of lines.
fn categorize(
    categorizer: &mut Categorizer,
    mut lines: LineReader,
    mut output: Output,
    online: bool,
    progress: &Progress,
) -> Result<u64, CliError> {
    output.write("line,category_id\n")?;
    // Ids of the lines so far, 0 for none; four bytes a line.
    let mut ids: Vec<u32> = Vec::new();
    let mut line = 0;
    while let Some(message) = lines.next_line().map_err(InputError::Read)? {
        let id = categorizer.categorize(message);
        line += 1;
        if online {
            output.row(line, id)?;
        } else {
            ids.push(id.unwrap_or(0));
        }
    }
    progress.finish();
    let current: Vec<u32> = (0..=categorizer.category_count()).map(|id| categorizer.current_id(id)).collect();
    for (line, &id) in (1..).zip(&ids) {
        output.row(line, (id > 0).then(|| current[id as usize]))?;
    }
    output.finish()?;
    Ok(line)
}

fn summary(lines: u64, categorizer: &Categorizer) -> String {
    let stats = categorizer.stats();
    let alive = stats.total_category_count - stats.dead_category_count;
    let failed = match stats.failed_category_count {
        0 => String::new(),
        failed => format!(", {failed} without a category because there are too many"),
    };
    format!("{lines} lines, {alive} categories{failed}")
}

/// A category as written to the definitions file.
#[derive(Serialize)]
struct DefinitionLine<'a> {
    category_id: u32,
    num_matches: u64,
    template: &'a str,
    terms: &'a str,
    regex: &'a str,
    grok_pattern: &'a str,
    max_matching_length: u64,
    examples: &'a [String],
    preferred_to_categories: &'a [u32],
    #[serde(skip_serializing_if = "Option::is_none")]
    superseded_by: Option<u32>,
}

/// Online, all categories are written with the number of lines that got their id; otherwise those that are left.
fn write_definitions(categorizer: &Categorizer, mut output: Output, online: bool) -> Result<(), CliError> {
    for id in 1..=categorizer.category_count() {
        let Some(definition) = categorizer.definition(id) else { continue };
        if !online && definition.superseded_by.is_some() {
            continue;
        }
        let line = definition_line(categorizer, &definition, online);
        let json = serde_json::to_string(&line).map_err(|e| output.failed(e.into()))?;
        output.write(&json)?;
        output.write("\n")?;
    }
    output.finish()
}

fn definition_line<'a>(
    categorizer: &Categorizer,
    definition: &'a Definition,
    online: bool,
) -> DefinitionLine<'a> {
    let matches = |id: &u32| categorizer.definition(*id).map_or(0, |d| d.num_matches);
    let of_merged: u64 = definition.preferred_to_categories.iter().map(matches).sum();
    DefinitionLine {
        category_id: definition.category_id,
        num_matches: definition.num_matches + if online { 0 } else { of_merged },
        template: &definition.template,
        terms: &definition.terms,
        regex: &definition.regex,
        grok_pattern: &definition.grok_pattern,
        max_matching_length: definition.max_matching_length,
        examples: &definition.examples,
        preferred_to_categories: &definition.preferred_to_categories,
        superseded_by: definition.superseded_by,
    }
}

/// A file or standard output, with its name for errors.
struct Output {
    path: String,
    writer: BufWriter<Box<dyn Write>>,
}

impl Output {
    fn create(path: &Path) -> Result<Self, CliError> {
        let name = path.display().to_string();
        let writer: Box<dyn Write> = if path == Path::new("-") {
            Box::new(std::io::stdout())
        } else {
            let failed = |source| CliError::Output { path: name.clone(), source };
            Box::new(File::create(path).map_err(failed)?)
        };
        Ok(Self { path: name, writer: BufWriter::with_capacity(64 << 10, writer) })
    }

    fn failed(&self, source: std::io::Error) -> CliError {
        CliError::Output { path: self.path.clone(), source }
    }

    fn write(&mut self, text: &str) -> Result<(), CliError> {
        self.writer.write_all(text.as_bytes()).map_err(|e| self.failed(e))
    }

    fn row(&mut self, line: u64, id: Option<u32>) -> Result<(), CliError> {
        // Two numbers, a comma and a line end, written from the right: the formatting machinery takes as long as
        // the categorisation itself.
        let mut row = [0; 48];
        let mut at = row.len() - 1;
        row[at] = b'\n';
        if let Some(id) = id {
            at = write_digits(&mut row, at, u64::from(id));
        }
        at -= 1;
        row[at] = b',';
        at = write_digits(&mut row, at, line);
        self.writer.write_all(&row[at..]).map_err(|e| self.failed(e))
    }

    fn finish(mut self) -> Result<(), CliError> {
        self.writer.flush().map_err(|e| self.failed(e))
    }
}

/// Writes a number before `end`, and gives where it begins.
fn write_digits(out: &mut [u8], end: usize, mut number: u64) -> usize {
    let mut at = end;
    loop {
        at -= 1;
        out[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "session of anna ended after timeout\nsession of bert ended after timeout\n\n\
                       session of carl ended after timeout\nsession of dora ended after timeout\n\
                       disk 7 is full\r\nsession of emil ended after timeout\n";

    fn run_on(log: &[u8], online: bool) -> (String, Vec<serde_json::Value>) {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("in"), log).unwrap();
        let args = Args {
            input: path("in"),
            output: path("out"),
            definitions: Some(path("definitions")),
            online,
            filter: Vec::new(),
            examples: 2,
        };
        run(&args).unwrap();
        let definitions = std::fs::read_to_string(path("definitions")).unwrap();
        let definitions = definitions.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        (std::fs::read_to_string(path("out")).unwrap(), definitions)
    }

    #[test]
    fn ids_are_those_after_the_last_merge() {
        let (rows, definitions) = run_on(LOG.as_bytes(), false);
        assert_eq!(rows, "line,category_id\n1,1\n2,1\n3,\n4,1\n5,1\n6,5\n7,1\n");
        assert_eq!(definitions.len(), 2);
        assert_eq!(definitions[0]["num_matches"], 5);
        assert_eq!(definitions[0]["template"], "session of *** ended after timeout");
        assert_eq!(definitions[0]["examples"].as_array().unwrap().len(), 2);
        assert_eq!(definitions[1]["template"], "disk *** is full");
    }

    #[test]
    fn online_ids_are_those_at_arrival() {
        let (rows, definitions) = run_on(LOG.as_bytes(), true);
        assert_eq!(rows, "line,category_id\n1,1\n2,2\n3,\n4,3\n5,4\n6,5\n7,1\n");
        assert_eq!(definitions.len(), 5);
        assert_eq!(definitions[1]["superseded_by"], 1);
    }

    #[test]
    fn odd_bytes_are_categorised() {
        let (rows, _) = run_on(b"\xff\xfe broken\n\0\n---\nlast", false);
        assert_eq!(rows.lines().count(), 5);
    }

    #[test]
    fn a_missing_file_and_a_bad_filter_are_named() {
        let mut args = Args {
            input: PathBuf::from("/nonexistent/messages"),
            output: PathBuf::from("-"),
            definitions: None,
            online: false,
            filter: Vec::new(),
            examples: 4,
        };
        let error = run(&args).unwrap_err();
        assert!(error.to_string().starts_with("cannot open [/nonexistent/messages]: "), "{error}");
        args.filter.push("(".to_owned());
        let error = run(&args).unwrap_err().to_string();
        assert!(
            error.starts_with("[categorization_filters] has an invalid regular expression [(]"),
            "{error}"
        );
    }
}
