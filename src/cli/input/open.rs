//! Opens inputs, and shows how far they have been read.

use std::fs::File;
use std::io::{IsTerminal, Read};
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};

use super::error::InputError;

/// A progress bar on standard error, when that is a terminal and the input is not typed in.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    fn new(bytes: Option<u64>) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self { bar: ProgressBar::hidden() };
        }
        let (bar, template) = match bytes {
            Some(bytes) => {
                (ProgressBar::new(bytes), "{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta} left {msg}")
            }
            None => (ProgressBar::new_spinner(), "{spinner} {bytes} {bytes_per_sec} {msg}"),
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { bar }
    }

    /// Takes the bar off the terminal.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Opens a file, or standard input for `-`.
///
/// # Errors
/// When the file cannot be opened.
pub(crate) fn open(path: &Path) -> Result<(Box<dyn Read + Send>, Progress), InputError> {
    if path == Path::new("-") {
        let stdin = std::io::stdin();
        let progress =
            if stdin.is_terminal() { Progress { bar: ProgressBar::hidden() } } else { Progress::new(None) };
        return Ok((Box::new(Counted { source: stdin, progress: progress.clone() }), progress));
    }
    let failed = |source| InputError::Open { path: path.display().to_string(), source };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(failed(std::io::Error::from(std::io::ErrorKind::IsADirectory)));
    }
    let progress = Progress::new(metadata.is_file().then_some(metadata.len()));
    Ok((Box::new(Counted { source: file, progress: progress.clone() }), progress))
}

/// Tells the progress bar of what is read.
struct Counted<R> {
    source: R,
    progress: Progress,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let bytes = self.source.read(out)?;
        self.progress.bar.inc(bytes as u64);
        Ok(bytes)
    }
}
