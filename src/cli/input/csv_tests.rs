//! Tests of the CSV parser through the reader, with sources that give a few bytes at a time.

use std::io::Read;

use engine::FieldValue;
use proptest::prelude::*;

use crate::cli::input::{InputFormat, RecordReader, RecordSchema, TimeFormat};

/// Gives at most a few bytes per call.
struct Trickle {
    data: Vec<u8>,
    at: usize,
    step: usize,
}

impl Read for Trickle {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let n = self.step.min(out.len()).min(self.data.len() - self.at);
        out[..n].copy_from_slice(&self.data[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

type Row = (i64, Vec<Option<String>>);

fn read(data: &str, step: usize, fields: &[&str]) -> Result<Vec<Row>, String> {
    let schema = RecordSchema {
        time_field: "time".to_owned(),
        time_format: TimeFormat::EpochMs,
        fields: fields.iter().map(|f| (*f).to_owned()).collect(),
    };
    let source = Trickle { data: data.as_bytes().to_vec(), at: 0, step };
    let mut reader = RecordReader::new(Box::new(source), InputFormat::Csv { delimiter: b',' }, schema);
    let mut rows = Vec::new();
    while let Some(batch) = reader.next_batch().map_err(|e| e.to_string())? {
        for (time, values) in batch.rows() {
            let text = |v: &FieldValue<'_>| match v {
                FieldValue::Str(text) => Some((*text).to_owned()),
                FieldValue::Num(number) => Some(number.to_string()),
                FieldValue::Missing => None,
            };
            rows.push((time, values.iter().map(text).collect()));
        }
    }
    Ok(rows)
}

fn check(data: &str, fields: &[&str], expected: &[(i64, &[&str])]) {
    for step in [1, 3, 1 << 16] {
        let rows = read(data, step, fields).unwrap();
        let shown: Vec<(i64, Vec<&str>)> =
            rows.iter().map(|(t, v)| (*t, v.iter().map(|v| v.as_deref().unwrap_or("-")).collect())).collect();
        let expected: Vec<(i64, Vec<&str>)> = expected.iter().map(|(t, v)| (*t, v.to_vec())).collect();
        assert_eq!(shown, expected, "step {step}");
    }
}

#[test]
fn rows_are_read_whatever_their_quotes_and_line_ends() {
    check("time,host,v\n1,a,2\n2,b,3\n", &["v", "host"], &[(1, &["2", "a"]), (2, &["3", "b"])]);
    check("host,time\r\na,1\r\n\r\nb,2", &["host"], &[(1, &["a"]), (2, &["b"])]);
    check(
        "time,x\n1,\"a,\"\"b\"\"\nc\"\n2,\"\"\n3,\n",
        &["x"],
        &[(1, &["a,\"b\"\nc"]), (2, &["-"]), (3, &["-"])],
    );
    check("\u{feff}time,x\n1,é\"y\n", &["x", "x"], &[(1, &["é\"y", "é\"y"])]);
    check("time,x\n1,\"q\"\r\n2,\"r\"\r", &["x"], &[(1, &["q"]), (2, &["r"])]);
    check("\"time\",\"a \"\"b\"\"\"\n5,x\n", &["a \"b\""], &[(5, &["x"])]);
    check("time\n1\n2\n", &[], &[(1, &[]), (2, &[])]);
    check("time,x\n", &["x"], &[]);
}

#[test]
fn bad_rows_are_named_by_their_line() {
    let check = |data: &str, expected: &str| {
        for step in [1, 1 << 16] {
            assert_eq!(read(data, step, &["x"]).unwrap_err(), expected);
        }
    };
    check("", "the input has no header row");
    check("time,y\n1,2\n", "the input has no column [x]; its columns are [time, y]");
    check("time,x\n1,\"a\nb\"\n2\n", "line 4: 1 columns where the header has 2");
    check("time,x\n1,a\nsoon,b\n", "line 3: cannot read [soon] as a time of format [epoch_ms]");
    check("time,x\n\n1,\"a\"b\n", "line 3: text after a closing quote");
    check("time,x\n1,\"a\n", "line 2: a quote is not closed");
}

#[test]
fn rows_before_a_bad_one_are_given() {
    let schema = RecordSchema {
        time_field: "time".to_owned(),
        time_format: TimeFormat::Epoch,
        fields: vec!["x".to_owned()],
    };
    let source = std::io::Cursor::new("time,x\n1,a\n2,b\n3\n4,d\n");
    let mut reader = RecordReader::new(Box::new(source), InputFormat::Csv { delimiter: b',' }, schema);
    assert_eq!(reader.next_batch().unwrap().map(|b| b.rows().count()), Some(2));
    assert!(reader.next_batch().is_err());
    assert!(reader.next_batch().unwrap().is_none());
}

#[test]
fn invalid_utf8_is_named_by_its_line() {
    let schema =
        RecordSchema { time_field: "time".to_owned(), time_format: TimeFormat::Epoch, fields: vec![] };
    let source = std::io::Cursor::new(b"time,x\n1,a\n2,\xff\n".to_vec());
    let mut reader = RecordReader::new(Box::new(source), InputFormat::Csv { delimiter: b',' }, schema);
    assert_eq!(reader.next_batch().unwrap_err().to_string(), "line 3: not valid UTF-8");
}

fn quoted(cell: &str) -> String {
    format!("\"{}\"", cell.replace('"', "\"\""))
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        cells in proptest::collection::vec(("[ -~é\\n]{0,12}", "[a-z\"é,]{0,6}", any::<i32>()), 1..20), step in 1usize..40,
    ) {
        let mut data = String::from("a,time,b\n");
        for (a, b, time) in &cells {
            data.push_str(&format!("{},{time},{}\n", quoted(a), quoted(b)));
        }
        let some = |text: &String| (!text.is_empty()).then(|| text.clone());
        let expected: Vec<Row> = cells.iter().map(|(a, b, t)| (i64::from(*t), vec![some(b), some(a)])).collect();
        prop_assert_eq!(read(&data, step, &["b", "a"]).unwrap(), expected);
    }

    #[test]
    fn any_text_is_read_or_refused(data in "[a,\"\\r\\n1é]{0,60}", step in 1usize..9) {
        let whole = read(&format!("time,a\n{data}"), 1 << 16, &["a"]);
        prop_assert_eq!(read(&format!("time,a\n{data}"), step, &["a"]), whole);
    }
}
