//! Ids of jobs, datafeeds, calendars, filters and groups: a value that exists is valid.

use serde::{Deserialize, Serialize};

use crate::Invalid;

const ID_LENGTH_MAX: usize = 64;

/// Lowercase alphanumerics, `-`, `_` and `.`, starting and ending with an alphanumeric.
pub fn is_valid_id(id: &str) -> bool {
    let alphanumeric = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = id.as_bytes();
    let ends = bytes.first().is_some_and(alphanumeric) && bytes.last().is_some_and(alphanumeric);
    ends && bytes.iter().all(|b| alphanumeric(b) || matches!(b, b'-' | b'_' | b'.'))
}

fn checked(id: String, property: &str, too_long: &str) -> Result<String, Invalid> {
    if !is_valid_id(&id) {
        return Err(Invalid::argument(format!(
            "Invalid {property}; '{id}' can contain lowercase alphanumeric (a-z and 0-9), hyphens or \
             underscores; must start and end with alphanumeric"
        )));
    }
    if id.len() > ID_LENGTH_MAX {
        return Err(Invalid::argument(format!(
            "The {too_long} cannot contain more than {ID_LENGTH_MAX} characters."
        )));
    }
    Ok(id)
}

/// Checks a group name; groups share the namespace of job ids.
///
/// # Errors
/// When the name is empty or has characters that are not allowed.
pub fn checked_group(group: &str) -> Result<(), Invalid> {
    if is_valid_id(group) {
        return Ok(());
    }
    Err(Invalid::argument(format!(
        "Invalid group id '{group}'; must be non-empty string and may contain lowercase alphanumeric (a-z and \
         0-9), hyphens or underscores; must start and end with alphanumeric"
    )))
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, $property:literal, $noun:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = Invalid;
            fn try_from(id: String) -> Result<Self, Invalid> {
                checked(id, $property, $noun).map(Self)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = Invalid;
            fn try_from(id: &str) -> Result<Self, Invalid> {
                Self::try_from(id.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::ops::Deref for $name {
            type Target = str;
            fn deref(&self) -> &str {
                &self.0
            }
        }
    };
}

id_type!(
    /// Names an anomaly detection job.
    JobId, "job_id", "job id"
);
id_type!(
    /// Names a datafeed.
    DatafeedId, "datafeed_id", "datafeed id"
);
id_type!(
    /// Names a calendar.
    CalendarId, "calendar_id", "calendar id"
);
id_type!(
    /// Names a filter list.
    FilterId, "filter_id", "filter id"
);
id_type!(
    /// Names a model snapshot.
    SnapshotId, "snapshot_id", "snapshot id"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_the_rules() {
        for good in ["a", "job-1", "a_b", "a.b", "0"] {
            assert!(JobId::try_from(good).is_ok(), "{good}");
        }
        for bad in ["", "_", "A", "a-", "-a", "a b", "é"] {
            assert!(JobId::try_from(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn messages_name_the_kind_and_the_length() {
        let message = JobId::try_from("_").unwrap_err().to_string();
        assert!(message.starts_with("Invalid job_id; '_' can contain lowercase alphanumeric"), "{message}");
        let long = DatafeedId::try_from("a".repeat(65)).unwrap_err().to_string();
        assert_eq!(long, "The datafeed id cannot contain more than 64 characters.");
    }
}
