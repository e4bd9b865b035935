//! Reading results. They are searched for in the results' index every time, since others may write there too.
//!
//! Documents are handed out as JSON, as they are stored, with times as numbers and `is_interim` filled in.

mod buckets;
mod overall;
mod query;
mod records;

pub use buckets::BucketsQuery;
pub use overall::OverallBucketsQuery;
pub(crate) use query::Search;
pub use query::{Paging, with_numeric_times};
pub use records::{CategoriesQuery, InfluencersQuery, RecordsQuery};
