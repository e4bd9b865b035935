//! Reads JSON as Elasticsearch's parsers do: a structure only from an object (serde's own reading takes a list of its fields'
//! values too), a list also from a single value, a switch or a number also from text.

use std::cell::RefCell;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, MapAccess,
    SeqAccess, Visitor,
};

/// Reads one JSON value that fills the whole text.
///
/// # Errors
/// When it is no JSON or not of the form of `T`, with the path to what is wrong.
pub(super) fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, (serde_json::Error, Vec<Step>)> {
    let track = Track::default();
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = T::deserialize(Lenient(&mut reader, &track)).and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| (error, track.0.into_inner()))
}

/// One step from a value to a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Item(usize),
}

/// The way to what is being read. A step is taken back when its part has been read, so that an error leaves the way to it.
#[derive(Debug, Default)]
struct Track(RefCell<Vec<Step>>);

impl Track {
    fn enter(&self, step: Step) {
        self.0.borrow_mut().push(step);
    }

    fn leave(&self) {
        self.0.borrow_mut().pop();
    }
}

/// A deserializer, or a seed, or a visitor, or an access to parts, inside which everything is read leniently.
struct Lenient<'t, D>(D, &'t Track);

macro_rules! forwarded {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.0.$method(Lenient(visitor, self.1))
        }
    )*};
}

macro_rules! numbers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.0.deserialize_any(Number(visitor))
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Lenient<'_, D> {
    type Error = D::Error;

    forwarded!(deserialize_any deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf
        deserialize_option deserialize_unit deserialize_map deserialize_identifier deserialize_ignored_any);

    numbers!(deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16 deserialize_u32
        deserialize_u64 deserialize_f32 deserialize_f64);

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(Switch(visitor))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(OneOrMany(visitor, self.1))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(Lenient(visitor, self.1))
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_unit_struct(name, Lenient(visitor, self.1))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_newtype_struct(name, Lenient(visitor, self.1))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_tuple(length, Lenient(visitor, self.1))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_tuple_struct(name, length, Lenient(visitor, self.1))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_enum(name, variants, Lenient(visitor, self.1))
    }
}

macro_rules! scalars {
    ($($method:ident($kind:ty))*) => {$(
        fn $method<E: Error>(self, value: $kind) -> Result<V::Value, E> {
            self.0.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Lenient<'_, V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(formatter)
    }

    scalars!(visit_bool(bool) visit_i64(i64) visit_u64(u64) visit_f64(f64) visit_str(&str) visit_borrowed_str(&'de str)
        visit_string(String) visit_bytes(&[u8]) visit_borrowed_bytes(&'de [u8]) visit_byte_buf(Vec<u8>));

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.0.visit_some(Lenient(inner, self.1))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.0.visit_newtype_struct(Lenient(inner, self.1))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, parts: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Items { parts, count: 0, track: self.1 })
    }

    fn visit_map<A: MapAccess<'de>>(self, parts: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Lenient(parts, self.1))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, parts: A) -> Result<V::Value, A::Error> {
        self.0.visit_enum(parts)
    }
}

/// The items of a list.
struct Items<'t, A> {
    parts: A,
    count: usize,
    track: &'t Track,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Items<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.track.enter(Step::Item(self.count));
        let item = self.parts.next_element_seed(Lenient(seed, self.track))?;
        self.track.leave();
        self.count += 1;
        Ok(item)
    }

    fn size_hint(&self) -> Option<usize> {
        self.parts.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Lenient<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_key_seed(Key(seed, self.1))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let value = self.0.next_value_seed(Lenient(seed, self.1))?;
        self.1.leave();
        Ok(value)
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Lenient<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Lenient(inner, self.1))
    }
}

/// A seed, or the deserializer or the visitor, of a key, which is noted before anything judges it.
struct Key<'t, S>(S, &'t Track);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Key<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Key(inner, self.1))
    }
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Key<'_, D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(Key(visitor, self.1))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Key<'_, V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(formatter)
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<V::Value, E> {
        self.1.enter(Step::Key(key.to_owned()));
        self.0.visit_str(key)
    }

    fn visit_borrowed_str<E: Error>(self, key: &'de str) -> Result<V::Value, E> {
        self.1.enter(Step::Key(key.to_owned()));
        self.0.visit_borrowed_str(key)
    }
}

/// A list; a text or an object alone is a list of it.
struct OneOrMany<'t, V>(V, &'t Track);

impl<'de, V: Visitor<'de>> Visitor<'de> for OneOrMany<'_, V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(formatter)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, parts: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Items { parts, count: 0, track: self.1 })
    }

    fn visit_str<E: Error>(self, one: &str) -> Result<V::Value, E> {
        let one: <&str as IntoDeserializer<'_, E>>::Deserializer = one.into_deserializer();
        self.0.visit_seq(Items { parts: SeqDeserializer::new(std::iter::once(one)), count: 0, track: self.1 })
    }

    fn visit_map<A: MapAccess<'de>>(self, one: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(OneObject(Some(one), self.1))
    }
}

/// A list of the one object that is given.
struct OneObject<'t, A>(Option<A>, &'t Track);

impl<'de, A: MapAccess<'de>> SeqAccess<'de> for OneObject<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        let Some(one) = self.0.take() else { return Ok(None) };
        seed.deserialize(Lenient(MapAccessDeserializer::new(one), self.1)).map(Some)
    }
}

/// A switch; `"true"` and `"false"` are switches too.
struct Switch<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for Switch<V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(formatter)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<V::Value, E> {
        self.0.visit_bool(value)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<V::Value, E> {
        match text {
            "true" => self.0.visit_bool(true),
            "false" => self.0.visit_bool(false),
            other => Err(E::custom(format_args!(
                "Failed to parse value [{other}] as only [true] or [false] are allowed."
            ))),
        }
    }
}

/// A number; text that is one is a number too.
struct Number<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for Number<V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(formatter)
    }

    scalars!(visit_i64(i64) visit_u64(u64) visit_f64(f64));

    fn visit_str<E: Error>(self, text: &str) -> Result<V::Value, E> {
        if let Ok(number) = text.parse::<u64>() {
            return self.0.visit_u64(number);
        }
        if let Ok(number) = text.parse::<i64>() {
            return self.0.visit_i64(number);
        }
        match text.parse::<f64>().ok().filter(|number| number.is_finite()) {
            Some(number) => self.0.visit_f64(number),
            None => Err(E::custom(format_args!("For input string: \"{text}\""))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use types::JobBody;

    fn read(value: &Value) -> Result<JobBody, (serde_json::Error, Vec<Step>)> {
        from_slice(value.to_string().as_bytes())
    }

    #[test]
    fn structures_are_read_from_objects_alone() {
        let rule = json!({ "conditions": [{ "applies_to": "actual", "operator": "gt", "value": 1 }] });
        let detector = json!({ "function": "count", "custom_rules": [rule] });
        let whole = json!({ "analysis_config": { "detectors": [detector] } });
        assert!(read(&whole).is_ok());
        for (place, list) in [
            ("/analysis_config", json!(["15m"])),
            ("/analysis_config/detectors/0", json!(["a", "count"])),
            ("/analysis_config/detectors/0/custom_rules/0", json!([["skip_result"]])),
            ("/analysis_config/detectors/0/custom_rules/0/conditions/0", json!(["actual", "gt", 1])),
        ] {
            let mut body = whole.clone();
            *body.pointer_mut(place).unwrap() = list;
            assert!(read(&body).is_err(), "{place}");
        }
        assert!(read(&json!(["a"])).is_err());
    }

    #[test]
    fn single_values_are_lists_and_texts_are_numbers_and_switches() {
        let body = json!({
            "groups": "g",
            "allow_lazy_open": "true",
            "results_retention_days": "7",
            "analysis_config": {
                "influencers": "host",
                "detectors": {
                    "function": "count",
                    "custom_rules": { "conditions": { "applies_to": "actual", "operator": "gt", "value": "1.5" } }
                }
            }
        });
        let read = read(&body).unwrap();
        assert_eq!(read.groups.as_deref(), Some(["g".to_owned()].as_slice()));
        assert_eq!((read.allow_lazy_open, read.results_retention_days), (Some(true), Some(7)));
        let config = read.analysis_config.unwrap();
        assert_eq!(config.influencers, ["host"]);
        let condition = &config.detectors[0].custom_rules[0].conditions[0];
        assert!((condition.value - 1.5).abs() < f64::EPSILON);
    }

    #[test]
    fn an_error_leaves_the_way_to_it() {
        let way = |body: &Value| {
            let steps = read(body).unwrap_err().1.into_iter().map(|step| match step {
                Step::Key(key) => key,
                Step::Item(number) => number.to_string(),
            });
            steps.collect::<Vec<String>>().join(".")
        };
        let config = |config: Value| json!({ "description": "a", "analysis_config": config });
        assert_eq!(
            way(&config(json!({ "detectors": [{ "function": "count" }, { "function": "nope" }] }))),
            "analysis_config.detectors.1.function"
        );
        assert_eq!(
            way(&config(json!({ "detectors": { "nonsense": 1 } }))),
            "analysis_config.detectors.nonsense"
        );
        assert_eq!(way(&config(json!({ "bucket_span": "15" }))), "analysis_config.bucket_span");
        assert_eq!(way(&config(json!([]))), "analysis_config");
        assert_eq!(
            way(&json!({ "analysis_limits": { "model_memory_limit": "x" } })),
            "analysis_limits.model_memory_limit"
        );
        assert_eq!(way(&json!({ "analysis_config": {}, "groups": [1] })), "groups.0");
        assert_eq!(way(&json!([])), "");
    }

    #[test]
    fn other_values_are_refused() {
        for body in [
            json!({ "groups": 7 }),
            json!({ "allow_lazy_open": "yes" }),
            json!({ "allow_lazy_open": 1 }),
            json!({ "results_retention_days": "x" }),
            json!({ "results_retention_days": true }),
            json!({ "description": {} }),
        ] {
            assert!(read(&body).is_err(), "{body}");
        }
        assert!(from_slice::<Value>(b"{} x").is_err());
    }
}
