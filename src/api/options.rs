//! Parameters that may come in the query or in the body. A body that is not empty replaces the query.

use axum::extract::{FromRequest, Request};
use jobs::results::Paging;
use serde_json::{Map, Value};
use types::{Clock, TimeSpan, TimestampMs};

use super::error::ApiError;
use super::extract::{Params, RawBody, parse_flag, parse_number};
use super::json_error;
use super::times;
use crate::app::App;

/// Items that can be reached by paging.
const WINDOW_MAX: i64 = 10_000;

/// Parameters from the body or the query, not yet checked for unknown names.
#[derive(Debug, Default)]
pub(super) struct Options {
    values: Map<String, Value>,
    from_body: bool,
}

impl FromRequest<App> for Options {
    type Rejection = ApiError;
    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let params = Params::of(request.uri())?;
        let RawBody(body) = RawBody::from_request(request, app).await?;
        if body.iter().all(u8::is_ascii_whitespace) {
            let pairs =
                params.pairs().map(|(name, value)| (name.to_owned(), Value::String(value.to_owned())));
            return Ok(Self { values: pairs.collect(), from_body: false });
        }
        let values: Map<String, Value> = json_error::read(&body, "request")?;
        Ok(Self { values, from_body: true })
    }
}

impl Options {
    /// Refuses fields of a body that are not among `known`; query parameters are checked by the route table.
    pub(super) fn known(&self, object: &str, known: &[&str]) -> Result<(), ApiError> {
        match self.values.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) if self.from_body => {
                Err(ApiError::x_content(format!("[1:1] [{object}] unknown field [{name}]")))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn is_set(&self, name: &str) -> bool {
        self.values.get(name).is_some_and(|value| !value.is_null())
    }

    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.values.get(name).filter(|value| !value.is_null())
    }

    /// Text as it stands, and numbers and switches as they are printed.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(Value::Bool(flag)) => Ok(Some(flag.to_string())),
            Some(_) => Err(ApiError::x_content_because(
                format!("[1:1] failed to parse field [{name}]"),
                "a single value was expected",
            )),
        }
    }

    pub(super) fn flag(&self, name: &str, default: bool) -> Result<bool, ApiError> {
        self.text(name)?.map_or(Ok(default), |text| parse_flag(&text))
    }

    pub(super) fn optional_flag(&self, name: &str) -> Result<Option<bool>, ApiError> {
        self.text(name)?.map(|text| parse_flag(&text)).transpose()
    }

    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, ApiError> {
        self.text(name)?.map(|text| parse_number(name, &text)).transpose()
    }

    /// A score; what is not finite is refused.
    pub(super) fn score(&self, name: &str) -> Result<Option<f64>, ApiError> {
        let score: Option<f64> = self.number(name)?;
        match score.filter(|score| !score.is_finite()) {
            Some(score) => {
                Err(ApiError::argument(format!("[{name}] must be a finite number, found [{score}]")))
            }
            None => Ok(score),
        }
    }

    pub(super) fn span(&self, name: &str) -> Result<Option<TimeSpan>, ApiError> {
        Ok(self.text(name)?.map(|text| TimeSpan::parse(&text, name)).transpose()?)
    }

    /// A point in time; `-1` and an empty text mean that none is set.
    pub(super) fn time(&self, name: &str, clock: &dyn Clock) -> Result<Option<TimestampMs>, ApiError> {
        match self.text(name)?.as_deref() {
            None | Some("" | "-1") => Ok(None),
            Some(text) => times::parse(text, name, clock.now()).map(Some),
        }
    }

    /// `from` and `size`, in the query or in the body's `page`; their range is checked by whoever uses them.
    pub(super) fn paging(&self, size_default: i64) -> Result<Paging, ApiError> {
        let page = self.value("page");
        if let Some(page) = page {
            let object =
                page.as_object().ok_or_else(|| ApiError::x_content("[1:1] [page] must be an object"))?;
            if let Some(name) = object.keys().find(|name| *name != "from" && *name != "size") {
                return Err(ApiError::x_content(format!("[1:1] [page] unknown field [{name}]")));
            }
        }
        let number = |name: &str| match page.and_then(|page| page.get(name)) {
            Some(value) => value.as_i64().map(Some).ok_or_else(|| {
                ApiError::argument(format!("Failed to parse int parameter [{name}] with value [{value}]"))
            }),
            None => self.number(name),
        };
        let from = number("from")?.unwrap_or(0);
        // What the client did not ask for is never too much.
        let room = (WINDOW_MAX - from).clamp(0, WINDOW_MAX);
        Ok(Paging { from, size: number("size")?.unwrap_or_else(|| size_default.min(room)) })
    }

    /// The same, if the client asks for a part at all.
    pub(super) fn optional_paging(&self, size_default: i64) -> Result<Option<Paging>, ApiError> {
        let asked = ["from", "size", "page"].iter().any(|name| self.is_set(name));
        asked.then(|| self.paging(size_default)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(json: &str) -> Options {
        Options { values: serde_json::from_str(json).unwrap(), from_body: true }
    }

    #[test]
    fn pages_come_from_the_query_or_from_page() {
        let paging = |json: &str| body(json).paging(100).map(|paging| (paging.from, paging.size));
        assert_eq!(paging(r#"{"page":{"from":5,"size":7}}"#).unwrap(), (5, 7));
        assert_eq!(paging(r#"{"from":"5"}"#).unwrap(), (5, 100));
        assert!(body("{}").optional_paging(100).unwrap().is_none());
        for bad in [r#"{"from":"x"}"#, r#"{"page":{"sise":1}}"#, r#"{"page":3}"#, r#"{"page":{"size":1.5}}"#]
        {
            assert!(paging(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn values_are_read_from_text_and_from_json() {
        let options = body(r#"{"a":"true","b":false,"c":"7","d":7,"e":[1],"f":null}"#);
        assert!(options.flag("a", false).unwrap() && !options.flag("b", true).unwrap());
        assert_eq!(
            (options.number::<u32>("c").unwrap(), options.number::<u32>("d").unwrap()),
            (Some(7), Some(7))
        );
        assert!(options.text("e").is_err());
        assert!(!options.is_set("f") && options.flag("f", true).unwrap());
        assert!(
            options.known("x", &["a", "b"]).unwrap_err().error()["reason"].as_str().unwrap().contains("[c]")
        );
        assert!(body(r#"{"s":"NaN"}"#).score("s").is_err());
    }
}
