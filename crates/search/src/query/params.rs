//! The parameters of one query or aggregation: read by name, and refused when nobody asked for them.

use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// The parameters of one object. Reading marks a name as known; [`Params::finish`] refuses the rest.
pub(crate) struct Params<'a> {
    name: &'a str,
    map: &'a Map<String, Value>,
    known: Vec<&'a str>,
}

impl<'a> Params<'a> {
    /// The parameters in `value` of the query or aggregation `name`.
    pub(crate) fn new(name: &'a str, value: &'a Value) -> Result<Self> {
        let map = value.as_object().ok_or_else(|| {
            Error::parsing(format!("[{name}] query malformed, no start_object after query name"))
        })?;
        Ok(Self { name, map, known: Vec::new() })
    }

    pub(crate) fn name(&self) -> &'a str {
        self.name
    }

    /// The parameter as it is; `null` is as good as absent.
    pub(crate) fn value(&mut self, key: &'a str) -> Option<&'a Value> {
        self.known.push(key);
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// The first of several names that is there.
    pub(crate) fn either(&mut self, keys: &[&'a str]) -> Option<&'a Value> {
        keys.iter().map(|key| self.value(key)).fold(None, Option::or)
    }

    /// A required parameter.
    pub(crate) fn required(&mut self, key: &'a str) -> Result<&'a Value> {
        let name = self.name;
        self.value(key).ok_or_else(|| Error::illegal(format!("Required [{key}] for [{name}]")))
    }

    /// A string; numbers and booleans are taken as their text.
    pub(crate) fn text(&mut self, key: &'a str) -> Result<Option<String>> {
        self.value(key).map(|value| scalar_text(value).ok_or_else(|| self.wrong(key, value))).transpose()
    }

    pub(crate) fn flag(&mut self, key: &'a str, default: bool) -> Result<bool> {
        match self.value(key) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(Value::String(text)) if text == "true" || text == "false" => Ok(text == "true"),
            Some(other) => Err(Error::illegal(format!(
                "Failed to parse value [{}] as only [true] or [false] are allowed.",
                plain(other)
            ))),
        }
    }

    pub(crate) fn number(&mut self, key: &'a str) -> Result<Option<f64>> {
        self.value(key)
            .map(|value| {
                let number = match value {
                    Value::Number(number) => number.as_f64(),
                    Value::String(text) => text.trim().parse().ok(),
                    _ => None,
                };
                number.filter(|n| n.is_finite()).ok_or_else(|| self.wrong(key, value))
            })
            .transpose()
    }

    /// A whole number that is not negative.
    pub(crate) fn count(&mut self, key: &'a str) -> Result<Option<usize>> {
        match self.number(key)? {
            None => Ok(None),
            Some(number) if number >= 0.0 && number.fract() == 0.0 && number < 9e15 => {
                Ok(Some(number as usize))
            }
            Some(number) => Err(Error::illegal(format!(
                "[{key}] must be greater than or equal to 0. Found [{number}] in [{}]",
                self.name
            ))),
        }
    }

    /// A list of strings, or one of them.
    pub(crate) fn texts(&mut self, key: &'a str) -> Result<Option<Vec<String>>> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| scalar_text(item).ok_or_else(|| self.wrong(key, item)))
                .collect::<Result<_>>()
                .map(Some),
            Some(value) => Ok(Some(vec![scalar_text(value).ok_or_else(|| self.wrong(key, value))?])),
        }
    }

    /// Names that are accepted and change nothing here.
    pub(crate) fn ignore(&mut self, keys: &[&'a str]) {
        self.known.extend(keys);
    }

    /// The names that nobody has asked for.
    pub(crate) fn unknown(&self) -> Option<&'a String> {
        self.map.keys().find(|key| !self.known.contains(&key.as_str()))
    }

    /// Refuses what nobody has asked for, as queries do.
    pub(crate) fn finish(self) -> Result<()> {
        match self.unknown() {
            None => Ok(()),
            Some(key) => Err(Error::parsing(format!("[{}] query does not support [{key}]", self.name))),
        }
    }

    /// Refuses what nobody has asked for, as aggregations do.
    pub(crate) fn finish_strictly(self) -> Result<()> {
        match self.unknown() {
            None => Ok(()),
            Some(key) => Err(Error::x_content(format!("[{}] unknown field [{key}]", self.name))),
        }
    }

    fn wrong(&self, key: &str, value: &Value) -> Error {
        Error::x_content(format!(
            "[{}] failed to parse field [{key}]: unexpected value [{}]",
            self.name,
            plain(value)
        ))
    }
}

/// The text of a string, number or boolean.
pub(crate) fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

/// A value as messages show it: strings without quotes.
pub(crate) fn plain(value: &Value) -> String {
    scalar_text(value).unwrap_or_else(|| value.to_string())
}
