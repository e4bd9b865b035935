//! Reads requests: path, query parameters, bodies. What cannot be read is refused with Elasticsearch's envelope, where
//! axum's own extractors would answer plain text.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::Value;
use types::TimeSpan;

use super::error::ApiError;
use super::json_error;
use super::media::Media;
use crate::app::App;

/// The parts of the path that the route leaves open, decoded.
#[derive(Debug)]
pub(super) struct UrlPath<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for UrlPath<T> {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &App) -> Result<Self, ApiError> {
        let uri = parts.uri.to_string();
        Path::from_request_parts(parts, state)
            .await
            .map(|Path(value)| Self(value))
            .map_err(|rejection| ApiError::argument(format!("cannot read the path [{uri}]: {rejection}")))
    }
}

/// The query parameters. Those that the route does not know are refused before a handler runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Params {
    pairs: Vec<(String, String)>,
}

impl FromRequestParts<App> for Params {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        Self::of(&parts.uri)
    }
}

impl Params {
    /// # Errors
    /// When a parameter is given twice: nobody could say which one is meant.
    pub(super) fn of(uri: &axum::http::Uri) -> Result<Self, ApiError> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|error| ApiError::argument(format!("cannot read the query of [{uri}]: {error}")))?;
        for (index, (name, _)) in pairs.iter().enumerate() {
            if pairs[..index].iter().any(|(earlier, _)| earlier == name) {
                return Err(ApiError::argument(format!(
                    "request [{}] contains parameter [{name}] more than once",
                    uri.path()
                )));
            }
        }
        Ok(Self { pairs })
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.pairs.iter().map(|(name, _)| name.as_str())
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A switch; a bare name is on.
    pub(super) fn flag(&self, name: &str, default: bool) -> Result<bool, ApiError> {
        self.text(name).map_or(Ok(default), parse_flag)
    }

    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, ApiError> {
        self.text(name).map(|value| parse_number(name, value)).transpose()
    }

    pub(super) fn span(&self, name: &str) -> Result<Option<TimeSpan>, ApiError> {
        Ok(self.text(name).map(|value| TimeSpan::parse(value, name)).transpose()?)
    }
}

/// Reads a switch as Elasticsearch does.
pub(super) fn parse_flag(value: &str) -> Result<bool, ApiError> {
    match value {
        "" | "true" => Ok(true),
        "false" => Ok(false),
        other => Err(ApiError::argument(format!(
            "Failed to parse value [{other}] as only [true] or [false] are allowed."
        ))),
    }
}

/// Reads a whole or a decimal number.
pub(super) fn parse_number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, ApiError> {
    value.parse().map_err(|_| {
        ApiError::argument(format!("Failed to parse int parameter [{name}] with value [{value}]"))
    })
}

/// What the body is said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyKind {
    One(Media),
    Lines,
    Text,
}

/// A body of any kind: a JSON text (made of what came as YAML, CBOR or SMILE), lines of it, or plain text. Empty when there
/// is none.
#[derive(Debug)]
pub(super) struct RawBody(pub(super) Bytes);

impl FromRequest<App> for RawBody {
    type Rejection = ApiError;
    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let kind = body_kind(&request);
        let params = Params::of(request.uri())?;
        let bytes = read_bytes(request.into_body(), app.config().body_limit_bytes).await?;
        if bytes.is_empty() {
            // Clients that cannot send a body with GET put it into the query.
            return Ok(Self(
                params.text("source").map(|source| source.to_owned().into()).unwrap_or_default(),
            ));
        }
        match kind? {
            None => Err(ApiError::content_type("")),
            Some(BodyKind::One(media)) => media.to_json(bytes).map(Self),
            Some(BodyKind::Lines | BodyKind::Text) => Ok(Self(bytes)),
        }
    }
}

fn body_kind(request: &Request) -> Result<Option<BodyKind>, ApiError> {
    let Some(value) = request.headers().get(CONTENT_TYPE) else { return Ok(None) };
    let refused = || ApiError::content_type(&String::from_utf8_lossy(value.as_bytes()));
    let name = value.to_str().map_err(|_| refused())?.split(';').next().unwrap_or_default();
    match name.trim().to_ascii_lowercase().as_str() {
        "application/x-ndjson" | "application/vnd.elasticsearch+x-ndjson" => Ok(Some(BodyKind::Lines)),
        "text/plain" | "application/octet-stream" => Ok(Some(BodyKind::Text)),
        other => Media::of_type(other).map(|media| Some(BodyKind::One(media))).ok_or_else(refused),
    }
}

pub(super) async fn read_bytes(body: Body, limit_bytes: usize) -> Result<Bytes, ApiError> {
    axum::body::to_bytes(body, limit_bytes).await.map_err(|error| {
        // A body that breaks off and a body that is too long both end here.
        let text = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        if text.contains("limit") {
            ApiError::too_large(limit_bytes)
        } else {
            ApiError::x_content(format!("the body cannot be read: {text}"))
        }
    })
}

/// A body that is one JSON value of a known form.
#[derive(Debug)]
pub(super) struct EsJson<T>(pub(super) T);

/// Elasticsearch's name for the outermost object of a body, shown in errors.
pub(super) trait Named {
    const NAME: &'static str;

    /// What else is wrong with the text that a body was read from.
    fn check(&self, _: &[u8]) -> Result<(), ApiError> {
        Ok(())
    }
}

impl<T: DeserializeOwned + Named> FromRequest<App> for EsJson<T> {
    type Rejection = ApiError;
    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let RawBody(bytes) = RawBody::from_request(request, app).await?;
        if bytes.is_empty() {
            return Err(ApiError::new(types::ErrorKind::Parse, "request body is required"));
        }
        let body: T = json_error::read(&bytes, T::NAME)?;
        body.check(&bytes)?;
        Ok(Self(body))
    }
}

/// A body that is an object of any form; `Null` when there is none.
#[derive(Debug)]
pub(super) struct AnyJson(pub(super) Value);

impl FromRequest<App> for AnyJson {
    type Rejection = ApiError;
    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let RawBody(bytes) = RawBody::from_request(request, app).await?;
        if bytes.is_empty() {
            return Ok(Self(Value::Null));
        }
        match json_error::read(&bytes, "request")? {
            value @ Value::Object(_) => Ok(Self(value)),
            _ => Err(ApiError::x_content("[1:1] [request] Expected START_OBJECT but was another value")),
        }
    }
}
