//! The tables of `_cat`: padded text for people, objects for programs.

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use super::error::ApiError;
use super::extract::Params;
use super::media::Media;
use crate::app::App;

/// Parameters that all tables take.
pub(super) const CAT_PARAMS: &str = "h s v help bytes time local master_timeout";

/// A column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    /// Shorter names, separated by spaces.
    pub(super) aliases: &'static str,
    /// Numbers are aligned to the right.
    pub(super) is_number: bool,
    /// Shown when the client does not choose.
    pub(super) is_default: bool,
}

impl Column {
    /// A column of text that is shown.
    pub(super) const fn text(name: &'static str, aliases: &'static str) -> Self {
        Self { name, aliases, is_number: false, is_default: true }
    }

    /// A column of numbers that is shown.
    pub(super) const fn number(name: &'static str, aliases: &'static str) -> Self {
        Self { name, aliases, is_number: true, is_default: true }
    }

    /// The same column, aligned to the right.
    pub(super) const fn to_the_right(self) -> Self {
        Self { is_number: true, ..self }
    }

    /// The same column, shown only when asked for.
    pub(super) const fn hidden(self) -> Self {
        Self { is_default: false, ..self }
    }

    fn is_called(&self, name: &str) -> bool {
        self.name == name
            || self.camel_case() == name
            || (!name.is_empty() && self.aliases.split(' ').any(|alias| alias == name))
    }

    /// `modelBytes` of `model.bytes`
    fn camel_case(&self) -> String {
        let mut parts = self.name.split(['.', '_']);
        let mut whole = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let mut letters = part.chars();
            whole.extend(letters.next().map(|first| first.to_ascii_uppercase()));
            whole.push_str(letters.as_str());
        }
        whole
    }
}

/// How the client wants its table.
#[derive(Debug)]
pub(super) struct CatRequest {
    columns: Option<String>,
    sort: Option<String>,
    headings: bool,
    help: bool,
    /// As objects for programs, not as text for people.
    objects: bool,
    /// Bytes of the unit in which sizes are shown, without a fraction; each in its own when there is none.
    unit: Option<u64>,
}

impl FromRequestParts<App> for CatRequest {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        let params = Params::of(&parts.uri)?;
        let accept = parts.headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        // In which form they are printed is decided when the answer goes out.
        let objects = match params.text("format").filter(|format| !format.is_empty()) {
            None => {
                !accept.contains("text/plain") && accept.split(',').any(|part| Media::of_type(part).is_some())
            }
            Some("text" | "txt") => false,
            Some(name) if Media::named(name).is_some() => true,
            Some(other) => return Err(ApiError::argument(format!("format [{other}] is not supported here"))),
        };
        Ok(Self {
            columns: params.text("h").map(str::to_owned),
            sort: params.text("s").map(str::to_owned),
            headings: params.flag("v", false)?,
            help: params.flag("help", false)?,
            objects,
            unit: params.text("bytes").filter(|name| !name.is_empty()).map(unit).transpose()?,
        })
    }
}

impl CatRequest {
    /// A size as the client wants it.
    pub(super) fn size(&self, bytes: u64) -> String {
        self.unit.map_or_else(|| readable(bytes), |unit| (bytes / unit).to_string())
    }

    /// The answer. Each row has one cell for each column, in order.
    pub(super) fn answer(
        &self,
        columns: &[Column],
        mut rows: Vec<Vec<Option<String>>>,
    ) -> Result<Response, ApiError> {
        if self.help {
            let lines = columns.iter().map(|c| format!("{} | {} \n", c.name, c.aliases.replace(' ', ",")));
            return Ok(plain(lines.collect()));
        }
        for key in self.sort.iter().flat_map(|list| list.split(',')).rev().filter(|key| !key.is_empty()) {
            sort_rows(columns, &mut rows, key)?;
        }
        let shown = self.shown(columns);
        if self.objects {
            let objects = rows.into_iter().map(|row| {
                let cells = shown.iter().map(|&(index, heading)| {
                    let cell = row.get(index).cloned().flatten();
                    (heading.to_owned(), cell.map_or(Value::Null, Value::String))
                });
                Value::Object(cells.collect::<Map<_, _>>())
            });
            return Ok(Json(Value::Array(objects.collect())).into_response());
        }
        Ok(plain(self.text(columns, &shown, &rows)))
    }

    /// Index of each column and its heading, which is the name by which the client asked.
    fn shown<'a>(&'a self, columns: &'a [Column]) -> Vec<(usize, &'a str)> {
        let Some(list) = &self.columns else {
            return columns
                .iter()
                .enumerate()
                .filter(|(_, c)| c.is_default)
                .map(|(i, c)| (i, c.name))
                .collect();
        };
        let named = |name: &'a str| -> Vec<(usize, &'a str)> {
            if name == "*" {
                return columns.iter().enumerate().map(|(index, column)| (index, column.name)).collect();
            }
            columns
                .iter()
                .position(|column| column.is_called(name))
                .map(|index| (index, name))
                .into_iter()
                .collect()
        };
        list.split(',').map(str::trim).flat_map(named).collect()
    }

    fn text(&self, columns: &[Column], shown: &[(usize, &str)], rows: &[Vec<Option<String>>]) -> String {
        let mut lines: Vec<Vec<&str>> = Vec::new();
        if self.headings {
            lines.push(shown.iter().map(|(_, heading)| *heading).collect());
        }
        for row in rows {
            let cell = |&(index, _): &(usize, &str)| row.get(index).and_then(Option::as_deref).unwrap_or("");
            lines.push(shown.iter().map(cell).collect());
        }
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..shown.len()).map(width).collect();
        let mut text = String::new();
        for line in lines {
            for (position, cell) in line.iter().enumerate() {
                let (width, last) = (widths[position], position + 1 == line.len());
                let padded = if columns[shown[position].0].is_number {
                    format!("{cell:>width$}")
                } else if last {
                    (*cell).to_owned()
                } else {
                    format!("{cell:<width$}")
                };
                text.push_str(&padded);
                text.push_str(if last { "\n" } else { " " });
            }
        }
        text
    }
}

/// `5.1kb`
pub(super) fn readable(bytes: u64) -> String {
    let mut amount = bytes as f64;
    for unit in ["b", "kb", "mb", "gb", "tb"] {
        if amount < 1024.0 || unit == "tb" {
            let tenths = (amount * 10.0).floor() / 10.0;
            return format!("{tenths}{unit}");
        }
        amount /= 1024.0;
    }
    unreachable!("the last unit takes every amount")
}

/// Bytes of a unit.
fn unit(name: &str) -> Result<u64, ApiError> {
    let names = [["b", ""], ["k", "kb"], ["m", "mb"], ["g", "gb"], ["t", "tb"], ["p", "pb"]];
    let power = names.iter().position(|names| names.contains(&name));
    let power = power.and_then(|power| u32::try_from(power).ok()).ok_or_else(|| {
        ApiError::argument(format!(
            "[bytes] must be one of [b, k, kb, m, mb, g, gb, t, tb, p, pb], found [{name}]"
        ))
    })?;
    Ok(1024_u64.pow(power))
}

fn sort_rows(columns: &[Column], rows: &mut [Vec<Option<String>>], key: &str) -> Result<(), ApiError> {
    let (name, descending) = match key.rsplit_once(':') {
        Some((name, "desc")) => (name, true),
        Some((name, "asc")) => (name, false),
        _ => (key, false),
    };
    let index = columns
        .iter()
        .position(|column| column.is_called(name))
        .ok_or_else(|| ApiError::argument(format!("Unable to sort by unknown sort key `{name}`")))?;
    rows.sort_by(|a, b| {
        let (a, b) = (a.get(index).cloned().flatten(), b.get(index).cloned().flatten());
        let number = |cell: &Option<String>| cell.as_deref().and_then(|text| text.parse::<f64>().ok());
        let order = match (number(&a), number(&b)) {
            (Some(x), Some(y)) => x.total_cmp(&y),
            _ => a.cmp(&b),
        };
        if descending { order.reverse() } else { order }
    });
    Ok(())
}

pub(super) fn plain(text: String) -> Response {
    ([(CONTENT_TYPE, "text/plain; charset=UTF-8")], text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [
        Column::text("index", "i"),
        Column::number("docs.count", "dc docsCount"),
        Column::text("uuid", "").hidden(),
    ];

    fn rows() -> Vec<Vec<Option<String>>> {
        let row = |name: &str, count: &str| vec![Some(name.to_owned()), Some(count.to_owned()), None];
        vec![row("logs", "9"), row("a", "10")]
    }

    fn request(columns: Option<&str>, sort: Option<&str>) -> CatRequest {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        CatRequest {
            columns: owned(columns),
            sort: owned(sort),
            headings: true,
            help: false,
            objects: false,
            unit: None,
        }
    }

    #[test]
    fn numbers_are_aligned_to_the_right_and_sorted_as_numbers() {
        let request = request(None, Some("dc:desc"));
        let mut rows = rows();
        sort_rows(&COLUMNS, &mut rows, "dc:desc").unwrap();
        let text = request.text(&COLUMNS, &request.shown(&COLUMNS), &rows);
        assert_eq!(text, "index docs.count\na             10\nlogs           9\n");
        assert!(sort_rows(&COLUMNS, &mut rows, "zzz").is_err());
    }

    #[test]
    fn sizes_are_shown_in_the_unit_that_is_asked_for() {
        let shown = |name: &str| {
            let request = CatRequest { unit: Some(unit(name).unwrap()), ..request(None, None) };
            request.size(5_242_881)
        };
        assert_eq!(["b", "k", "kb", "mb", "g"].map(shown), ["5242881", "5120", "5120", "5", "0"]);
        assert_eq!(request(None, None).size(5_242_881), "5mb");
        assert!(unit("x").is_err());
    }

    #[test]
    fn columns_keep_the_name_by_which_they_were_asked_for() {
        let request = request(Some("dc,zzz,uuid"), None);
        assert_eq!(request.shown(&COLUMNS), [(1, "dc"), (2, "uuid")]);
        assert!(Column::text("model.by_fields", "mbf").is_called("modelByFields"));
    }
}
