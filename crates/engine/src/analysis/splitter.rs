//! The splitter: values of fields to dense ids, one interner for each field that splits.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::plan::{DetectorPlan, Plan};
use super::table::{Interner, NONE};
use crate::FieldValue;

/// Interners by column: the analysed fields, then the category.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Columns {
    interners: Vec<Interner>,
}

/// The ids of the record at hand, by column; kept from record to record for its room.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecordIds {
    ids: Vec<u32>,
    text: String,
    /// Was a new value refused for want of memory?
    pub(crate) refused: bool,
}

impl Columns {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self { interners: vec![Interner::default(); plan.fields.len() + 1] }
    }

    pub(crate) fn fits(&self, plan: &Plan) -> bool {
        self.interners.len() == plan.fields.len() + 1
    }

    /// Resolves the lasting columns of a record.
    pub(crate) fn resolve(
        &mut self,
        plan: &Plan,
        values: &[FieldValue<'_>],
        category: Option<u32>,
        may_grow: bool,
        record: &mut RecordIds,
    ) {
        record.ids.clear();
        record.ids.resize(plan.fields.len() + 1, NONE);
        record.refused = false;
        for (column, value) in values.iter().enumerate().take(plan.fields.len()) {
            if plan.lasting[column] {
                let text = text_of(*value, &mut record.text);
                record.ids[column] = match text.map(|text| self.interners[column].resolve(text, may_grow)) {
                    Some(Some(id)) => id,
                    Some(None) => {
                        record.refused = true;
                        NONE
                    }
                    None => NONE,
                };
            }
        }
        if let Some(category) = category {
            let column = plan.category_column();
            record.text.clear();
            let _ = write!(record.text, "{category}");
            record.ids[column] = self.interners[column].resolve(&record.text, may_grow).unwrap_or(NONE);
        }
    }

    /// The id of the empty value of a column, under which missing values are kept with `use_null`.
    pub(crate) fn empty_id(&mut self, column: usize, may_grow: bool) -> Option<u32> {
        self.interners[column].resolve("", may_grow)
    }

    pub(crate) fn name(&self, column: usize, id: u32) -> &str {
        self.interners[column].name(id)
    }

    pub(crate) fn live(&self, column: usize) -> usize {
        self.interners[column].live()
    }

    /// Forgets the values of a column for which `is_used` is false.
    pub(crate) fn retain(&mut self, column: usize, is_used: impl Fn(u32) -> bool) {
        self.interners[column].retain(is_used);
    }

    pub(crate) fn bytes(&self) -> usize {
        self.interners.iter().map(Interner::bytes).sum()
    }

    /// Bytes of places that wait for new values.
    pub(crate) fn reusable_bytes(&self) -> usize {
        self.interners.iter().map(Interner::reusable_bytes).sum()
    }
}

impl RecordIds {
    /// The id of the record's value in a lasting column.
    pub(crate) fn id(&self, column: usize) -> u32 {
        self.ids[column]
    }
}

impl DetectorPlan {
    /// The id in a split column: [`NONE`] when the detector has no such split, `None` when the record has no value
    /// and the detector leaves such records out.
    pub(crate) fn split_id(
        &self,
        column: Option<usize>,
        columns: &mut Columns,
        record: &RecordIds,
        may_grow: bool,
    ) -> Option<u32> {
        let Some(column) = column else { return Some(NONE) };
        match record.id(column) {
            NONE if self.use_null && !record.refused => columns.empty_id(column, may_grow),
            NONE => None,
            id => Some(id),
        }
    }
}

/// The text of a value; an empty text is a missing value. Whole numbers are written without a point.
pub(crate) fn text_of<'a>(value: FieldValue<'a>, buffer: &'a mut String) -> Option<&'a str> {
    match value {
        FieldValue::Missing => None,
        FieldValue::Str(text) => (!text.is_empty()).then_some(text),
        FieldValue::Num(number) => {
            buffer.clear();
            let _ = write!(buffer, "{number}");
            Some(buffer)
        }
    }
}

/// The number of a value, if it is a finite one.
pub(crate) fn number_of(value: FieldValue<'_>) -> Option<f64> {
    let number = match value {
        FieldValue::Missing => return None,
        FieldValue::Num(number) => number,
        FieldValue::Str(text) => text.trim().parse().ok()?,
    };
    number.is_finite().then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_texts_of_the_same_value_are_one() {
        let mut buffer = String::new();
        assert_eq!(text_of(FieldValue::Num(200.0), &mut buffer), Some("200"));
        assert_eq!(text_of(FieldValue::Num(0.5), &mut buffer), Some("0.5"));
        assert_eq!(text_of(FieldValue::Str(""), &mut buffer), None);
        assert_eq!(number_of(FieldValue::Str(" 1e3 ")), Some(1000.0));
        assert_eq!(number_of(FieldValue::Str("abc")), None);
        assert_eq!(number_of(FieldValue::Num(f64::NAN)), None);
        assert_eq!(number_of(FieldValue::Str("inf")), None);
    }
}
