//! A buffer over a source that keeps what has not been used yet.

use std::io::Read;

use super::error::InputError;

/// Small enough that a buffer and the values found in it stay in the processor's cache.
const CHUNK_BYTES: usize = 128 << 10;

/// No row may be longer.
pub(super) const MAX_ROW_BYTES: usize = 64 << 20;

pub(super) struct Chunk {
    source: Box<dyn Read + Send>,
    data: Vec<u8>,
    start: usize,
    end: usize,
    at_end: bool,
}

impl std::fmt::Debug for Chunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chunk")
            .field("unused", &(self.end - self.start))
            .field("at_end", &self.at_end)
            .finish()
    }
}

impl Chunk {
    pub(super) fn new(source: Box<dyn Read + Send>) -> Self {
        Self { source, data: vec![0; CHUNK_BYTES], start: 0, end: 0, at_end: false }
    }

    /// Nothing will come after what is there.
    pub(super) fn at_end(&self) -> bool {
        self.at_end
    }

    /// What was read and not used yet.
    pub(super) fn unused_mut(&mut self) -> &mut [u8] {
        &mut self.data[self.start..self.end]
    }

    /// Takes bytes off the front; they stay in place until the next [`fill`](Self::fill).
    pub(super) fn use_up(&mut self, bytes: usize) -> &[u8] {
        let from = self.start;
        self.start = (from + bytes).min(self.end);
        &self.data[from..self.start]
    }

    /// Reads more behind what is unused. `line` is where the unused bytes begin, for the error.
    pub(super) fn fill(&mut self, line: u64) -> Result<(), InputError> {
        self.data.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.data.len() {
            if self.data.len() >= MAX_ROW_BYTES {
                return Err(InputError::TooLong { line, limit: MAX_ROW_BYTES });
            }
            self.data.resize(self.data.len() * 2, 0);
        }
        while self.end < self.data.len() {
            match self.source.read(&mut self.data[self.end..]) {
                Ok(0) => {
                    self.at_end = true;
                    break;
                }
                Ok(bytes) => {
                    self.end += bytes;
                    // A whole line is enough: a pipe must not wait for a full buffer.
                    if memchr::memrchr(b'\n', &self.data[self.end - bytes..self.end]).is_some() {
                        break;
                    }
                }
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }
}
