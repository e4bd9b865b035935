//! The forms of bodies and answers: JSON, YAML, CBOR, SMILE. Inside everything is JSON; the others are turned into it when a
//! request comes in and made of it when its answer goes out.

use axum::body::Bytes;
use axum::http::{HeaderMap, header};
use serde_json::Value;

use super::error::ApiError;
use super::extract::Params;
use super::yaml;

/// What stands before the name of a form in the media types of the official clients.
pub(super) const VENDOR: &str = "application/vnd.elasticsearch+";

/// A form of structured values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Media {
    Json,
    Yaml,
    Cbor,
    Smile,
}

impl Media {
    const ALL: [Self; 4] = [Self::Json, Self::Yaml, Self::Cbor, Self::Smile];

    /// As in `?format=` and behind the vendor's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Yaml => "yaml",
            Self::Cbor => "cbor",
            Self::Smile => "smile",
        }
    }

    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Yaml => "application/yaml",
            Self::Cbor => "application/cbor",
            Self::Smile => "application/smile",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|media| media.name().eq_ignore_ascii_case(name))
    }

    /// Reads a media type, without its parameters. Lines of JSON are answered in JSON.
    pub(super) fn of_type(media_type: &str) -> Option<Self> {
        let name = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let short = name.strip_prefix(VENDOR).or_else(|| name.strip_prefix("application/"))?;
        match short {
            "x-ndjson" => Some(Self::Json),
            "x-yaml" => Some(Self::Yaml),
            short => Self::named(short),
        }
    }

    /// The form in which a client wants its answer: as `format` says, then `Accept`, then as the request itself came.
    pub(super) fn wanted(params: &Params, headers: &HeaderMap) -> Self {
        if let Some(media) = params.text("format").and_then(Self::named) {
            return media;
        }
        for name in [header::ACCEPT, header::CONTENT_TYPE] {
            let Some(text) = headers.get(&name).and_then(|value| value.to_str().ok()) else { continue };
            if let Some(media) = text.split(',').find_map(Self::of_type) {
                return media;
            }
        }
        Self::Json
    }

    /// A body of this form as JSON.
    ///
    /// # Errors
    /// When it is not of this form, or holds what JSON cannot.
    pub(super) fn to_json(self, bytes: Bytes) -> Result<Bytes, ApiError> {
        let broken =
            |error: String| ApiError::x_content(format!("[1:1] the body is not {}: {error}", self.name()));
        let value: Value = match self {
            Self::Json => return Ok(bytes),
            Self::Yaml => serde_yaml_ng::from_slice(&bytes).map_err(|error| broken(error.to_string()))?,
            Self::Cbor => ciborium::from_reader(bytes.as_ref()).map_err(|error| broken(error.to_string()))?,
            Self::Smile => serde_smile::from_slice(&bytes).map_err(|error| broken(error.to_string()))?,
        };
        Ok(Bytes::from(value.to_string()))
    }

    /// An answer in this form. `None` when it cannot be printed, which is a bug.
    pub(super) fn print(self, value: &Value, pretty: bool) -> Option<Vec<u8>> {
        match self {
            Self::Json if pretty => {
                let mut text = serde_json::to_vec_pretty(value).ok()?;
                text.push(b'\n');
                Some(text)
            }
            Self::Json => serde_json::to_vec(value).ok(),
            Self::Yaml => Some(yaml::print(value).into_bytes()),
            Self::Cbor => {
                let mut bytes = Vec::new();
                ciborium::into_writer(value, &mut bytes).ok()?;
                Some(bytes)
            }
            Self::Smile => serde_smile::to_vec(value).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let value =
            json!({"a": [1, -2, 1.5, "ü", null, true], "o": {"n": u64::MAX, "m": i64::MIN, "e": 1e300}});
        for media in Media::ALL {
            let bytes = Bytes::from(media.print(&value, false).unwrap());
            let read: Value = serde_json::from_slice(&media.to_json(bytes).unwrap()).unwrap();
            assert_eq!(read, value, "{media:?}");
        }
    }

    #[test]
    fn forms_are_chosen_by_parameter_then_header_then_body() {
        let wanted = |query: &str, accept: &str, body: &str| {
            let params = Params::of(&format!("/x?{query}").parse().unwrap()).unwrap();
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            headers.insert(header::CONTENT_TYPE, body.parse().unwrap());
            Media::wanted(&params, &headers)
        };
        assert_eq!(wanted("format=cbor", "application/yaml", "application/json"), Media::Cbor);
        assert_eq!(wanted("", "text/html, application/yaml", "application/json"), Media::Yaml);
        assert_eq!(wanted("", "*/*", "application/smile"), Media::Smile);
        assert_eq!(
            wanted("", "application/vnd.elasticsearch+cbor; compatible-with=8", "application/json"),
            Media::Cbor
        );
        assert_eq!(wanted("format=xml", "*/*", "application/x-ndjson"), Media::Json);
    }

    proptest! {
        #[test]
        fn no_body_breaks_the_reading(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            for media in Media::ALL {
                let _ = media.to_json(Bytes::from(bytes.clone()));
            }
        }
    }
}
