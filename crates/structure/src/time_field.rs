//! Which field of a text's records holds their time, and in which format.

use crate::fields::Columns;
use crate::timestamp::Found;
use crate::{Error, Options, Result};

/// The time among the fields, as asked for or as found.
pub(crate) fn time_of(columns: &Columns, options: &Options) -> Result<Option<(String, Found)>> {
    let format = match &options.timestamp_format {
        Some(None) => return Ok(None),
        Some(Some(format)) => Some(format.as_str()),
        None => None,
    };
    let wanted = options.timestamp_field.as_deref();
    if let Some(wanted) = wanted.filter(|wanted| columns.values(wanted).is_empty()) {
        return Err(Error::Contradiction(format!(
            "Specified timestamp field [{wanted}] is not present in record"
        )));
    }
    let found = columns.time(wanted, format, &options.stop)?;
    match (found, wanted, format) {
        (None, _, Some(format)) => Err(Error::Contradiction(format!(
            "Specified timestamp format [{format}] does not match for any record"
        ))),
        (None, Some(wanted), None) => Err(Error::Contradiction(format!(
            "Specified timestamp field [{wanted}] has no known timestamp format"
        ))),
        (found, ..) => Ok(found),
    }
}
