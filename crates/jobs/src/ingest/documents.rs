//! Pushed JSON documents, back to back, one per line or in an array, as rows of the analysed fields.

use serde_json::{Map, Value};
use store::{Column, Page};
use types::{Invalid, Job};

use super::TimeFormat;

/// A piece of the body that is logged, and applied, as one.
const PIECE_BYTES: usize = 4 * 1024 * 1024;

/// What was in the input before anything was analysed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct InputCounts {
    pub(crate) bytes: u64,
    pub(crate) records: u64,
    pub(crate) fields: u64,
    pub(crate) invalid_dates: u64,
}

/// A piece of a body.
#[derive(Debug, Default)]
pub(crate) struct Piece {
    /// The text, as it was sent.
    pub(crate) raw: String,
    /// The rows whose time could be read, in the order in which they were sent.
    pub(crate) page: Page,
    pub(crate) counts: InputCounts,
}

/// Reads documents for one job.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    time_field: String,
    time_format: TimeFormat,
    fields: Vec<String>,
}

impl Reader {
    /// # Errors
    /// When the job's time format cannot be read.
    pub(crate) fn new(job: &Job, fields: Vec<String>) -> Result<Self, Invalid> {
        Ok(Self {
            time_field: job.data_description.time_field.clone(),
            time_format: TimeFormat::new(&job.data_description.time_format)?,
            fields,
        })
    }

    /// The documents of a body.
    ///
    /// # Errors
    /// When it is not JSON, or something in it is not an object. Nothing of the body is used then.
    pub(crate) fn read(&self, body: &str) -> Result<Vec<Piece>, Invalid> {
        let mut pieces = Vec::new();
        let mut piece = self.blank();
        let mut piece_start = 0;
        let mut documents = serde_json::Deserializer::from_str(body).into_iter::<Value>();
        let mut end = 0;
        while let Some(document) = documents.next() {
            let document = document.map_err(|error| {
                Invalid::parse(format!(
                    "The JSON record {} could not be parsed: {error}",
                    piece.counts.records + 1
                ))
            })?;
            match document {
                Value::Object(object) => self.add(&object, &mut piece),
                Value::Array(items) => {
                    for item in items {
                        let object = item.as_object().ok_or_else(not_an_object)?;
                        self.add(object, &mut piece);
                    }
                }
                _ => return Err(not_an_object()),
            }
            end = documents.byte_offset();
            if end - piece_start >= PIECE_BYTES {
                let full = std::mem::replace(&mut piece, self.blank());
                pieces.push(with_raw(full, &body[piece_start..end]));
                piece_start = end;
            }
        }
        if piece.counts.records > 0 {
            pieces.push(with_raw(piece, &body[piece_start..end]));
        }
        Ok(pieces)
    }

    fn blank(&self) -> Piece {
        let columns = self.fields.iter().map(|_| Column::default()).collect();
        Piece { page: Page { columns, ..Page::default() }, ..Piece::default() }
    }

    fn add(&self, object: &Map<String, Value>, piece: &mut Piece) {
        piece.counts.records += 1;
        let time = leaf(object, &self.time_field);
        piece.counts.fields += leaves(object).saturating_sub(u64::from(time.is_some()));
        let Some(time_ms) = time.and_then(|time| self.time_format.read(time)) else {
            piece.counts.invalid_dates += 1;
            return;
        };
        piece.page.times_ms.push(time_ms);
        for (field, column) in self.fields.iter().zip(&mut piece.page.columns) {
            column.push_json(leaf(object, field));
        }
    }
}

fn with_raw(mut piece: Piece, raw: &str) -> Piece {
    piece.counts.bytes = raw.len() as u64;
    piece.raw = raw.to_owned();
    piece
}

fn not_an_object() -> Invalid {
    Invalid::parse("Every record must be a JSON object")
}

fn leaves(object: &Map<String, Value>) -> u64 {
    object.values().map(|value| value.as_object().map_or(1, leaves)).sum()
}

/// The value of a field: under its whole name, or along the path that its dots make.
fn leaf<'a>(object: &'a Map<String, Value>, field: &str) -> Option<&'a Value> {
    object.get(field).or_else(|| {
        field
            .match_indices('.')
            .find_map(|(at, _)| leaf(object.get(&field[..at])?.as_object()?, &field[at + 1..]))
    })
}

#[cfg(test)]
mod tests {
    use store::Cell;
    use types::{JobBody, JobId, TimestampMs};

    use super::*;

    fn reader() -> Reader {
        let body: JobBody = serde_json::from_str(
            r#"{"analysis_config":{"detectors":[{"function":"mean","field_name":"a.v","by_field_name":"h"}]},
                "data_description":{"time_format":"epoch"}}"#,
        )
        .unwrap();
        let job = body.into_job(JobId::try_from("j").unwrap(), TimestampMs(0)).unwrap();
        Reader::new(&job, job.analysis_config.analysed_fields()).unwrap()
    }

    #[test]
    fn documents_come_in_three_forms() {
        let back_to_back = r#"{"time":1,"a":{"v":2},"h":"x"} {"time":"2","a.v":"3"}{"time":"never","h":1}"#;
        let lines = back_to_back.replace('}', "}\n").replace("}\n,", "},");
        let array = r#"[{"time":1,"a":{"v":2},"h":"x"},{"time":"2","a.v":"3"},{"time":"never","h":1}]"#;
        for body in [back_to_back, &lines, array] {
            let pieces = reader().read(body).unwrap();
            let piece = &pieces[0];
            assert_eq!((pieces.len(), piece.page.times_ms.as_slice()), (1, &[1000, 2000][..]), "{body}");
            assert_eq!((piece.counts.records, piece.counts.fields, piece.counts.invalid_dates), (3, 4, 1));
            assert_eq!(piece.page.columns[0].get(0), Cell::Num(2.0));
            assert_eq!(piece.page.columns[0].get(1), Cell::Str("3"));
            assert_eq!(piece.page.columns[1].get(1), Cell::Missing);
        }
    }

    #[test]
    fn broken_bodies_are_refused_whole() {
        for bad in [r#"{"time":1} {"#, "[1]", "7", "{\"time\":1}\nx"] {
            assert!(reader().read(bad).is_err(), "{bad}");
        }
        assert!(reader().read(" \n").unwrap().is_empty());
    }

    #[test]
    fn large_bodies_are_cut_between_documents() {
        let document = format!("{{\"time\":1,\"h\":\"{}\"}}\n", "x".repeat(1_000_000));
        let pieces = reader().read(&document.repeat(10)).unwrap();
        assert!(pieces.len() > 1);
        let again: usize =
            pieces.iter().map(|piece| reader().read(&piece.raw).unwrap()[0].page.times_ms.len()).sum();
        assert_eq!(again, 10);
    }
}
