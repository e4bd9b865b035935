//! The columns of an index's table: one for each leaf field that has doc values.

use serde::{Deserialize, Serialize};

/// One column; its number is its place in the layout, and never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnInfo {
    /// The field's path.
    pub path: String,
    /// Has any document more than one value? Such documents keep a list where others keep the value.
    #[serde(default)]
    pub multi: bool,
    /// Is there an index on it?
    #[serde(default)]
    pub indexed: bool,
}

/// All columns of an index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// The columns, in the order in which they were added.
    pub columns: Vec<ColumnInfo>,
}

impl Layout {
    /// The column's number for the field at `path`, which is added if there is none yet.
    pub fn column(&mut self, path: &str) -> u32 {
        let found = self.columns.iter().position(|column| column.path == path);
        let number = found.unwrap_or_else(|| {
            self.columns.push(ColumnInfo { path: path.to_owned(), multi: false, indexed: false });
            self.columns.len() - 1
        });
        u32::try_from(number).expect("the limit on fields keeps the number of columns small")
    }

    /// What is known of a column.
    pub fn get(&self, column: u32) -> Option<&ColumnInfo> {
        self.columns.get(column as usize)
    }

    /// May documents have several values in this column?
    pub fn is_multi(&self, column: u32) -> bool {
        self.get(column).is_some_and(|info| info.multi)
    }

    /// Is there an index on this column?
    pub fn is_indexed(&self, column: u32) -> bool {
        self.get(column).is_some_and(|info| info.indexed)
    }
}
