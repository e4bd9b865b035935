//! Points on the earth, in all the ways in which documents and queries write them.

use serde_json::Value;

/// The letters of a geohash: five bits each, in this order (G. Niemeyer, 2008).
const GEOHASH: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
/// Longer geohashes say no more than a point in double precision.
const GEOHASH_CHARS_MAX: usize = 12;

/// Latitude and longitude in degrees of `{"lat", "lon"}`, `{"geohash"}`, `"lat,lon"`, `[lon, lat]`, GeoJSON points, `POINT (lon lat)`,
/// and geohashes.
pub(super) fn point(value: &Value) -> Option<(f64, f64)> {
    let (lat, lon) = match value {
        Value::Object(map) if map.contains_key("coordinates") => return point(map.get("coordinates")?),
        Value::Object(map) if map.contains_key("geohash") => geohash(map.get("geohash")?.as_str()?)?,
        Value::Object(map) => (degrees(map.get("lat")?)?, degrees(map.get("lon")?)?),
        Value::Array(pair) => match pair.as_slice() {
            [lon, lat, ..] => (degrees(lat)?, degrees(lon)?),
            _ => return None,
        },
        Value::String(text) => of_text(text.trim())?,
        _ => return None,
    };
    ((-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon)).then_some((lat, lon))
}

fn degrees(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn of_text(text: &str) -> Option<(f64, f64)> {
    if let Some((lat, lon)) = text.split_once(',') {
        return Some((lat.trim().parse().ok()?, lon.trim().parse().ok()?));
    }
    match text.get(..5) {
        Some(word) if word.eq_ignore_ascii_case("point") => {
            let inside = text[5..].trim().strip_prefix('(')?.strip_suffix(')')?;
            let mut numbers = inside.split_ascii_whitespace().map(|number| number.parse().ok());
            let (lon, lat) = (numbers.next()??, numbers.next()??);
            Some((lat, lon))
        }
        _ => geohash(text),
    }
}

/// The south-western corner of a geohash's cell, as a point is read from one.
fn geohash(text: &str) -> Option<(f64, f64)> {
    if text.is_empty() || text.len() > GEOHASH_CHARS_MAX {
        return None;
    }
    let (mut lat, mut lon) = ((-90.0, 90.0), (-180.0, 180.0));
    let mut of_lon = true;
    for letter in text.bytes() {
        let bits = GEOHASH.iter().position(|known| *known == letter.to_ascii_lowercase())?;
        for bit in (0..5).rev() {
            let side: &mut (f64, f64) = if of_lon { &mut lon } else { &mut lat };
            let middle = (side.0 + side.1) / 2.0;
            if bits >> bit & 1 == 1 {
                side.0 = middle;
            } else {
                side.1 = middle;
            }
            of_lon = !of_lon;
        }
    }
    Some((lat.0, lon.0))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn points_are_read_in_every_form() {
        for (value, expected) in [
            (json!("48.8,2.3"), Some((48.8, 2.3))),
            (json!([2.3, 48.8]), Some((48.8, 2.3))),
            (json!({"lat": "48.8", "lon": 2.3}), Some((48.8, 2.3))),
            (json!({"type": "Point", "coordinates": [2.3, 48.8]}), Some((48.8, 2.3))),
            (json!("POINT (2.3 48.8)"), Some((48.8, 2.3))),
            (json!("point(2.3 48.8)"), Some((48.8, 2.3))),
            (json!("s"), Some((0.0, 0.0))),
            (json!("POINT (2.3)"), None),
            (json!("POLYGON ((1 2))"), None),
            (json!("91,0"), None),
            (json!("a"), None),
            (json!(5), None),
        ] {
            assert_eq!(point(&value), expected, "{value}");
        }
        // Berlin, as published tables have it.
        let (lat, lon) = point(&json!("u33dc")).unwrap();
        assert!((lat - 52.5).abs() < 0.05 && (lon - 13.36).abs() < 0.05, "{lat} {lon}");
        assert_eq!(point(&json!({"geohash": "u33dc"})), Some((lat, lon)));
    }
}
