//! Where in a JSON text something is, and the errors that name the objects around it.

use super::error::ApiError;
use super::lenient::Step;

/// A place in a text, with the objects that it lies in.
#[derive(Debug)]
pub(super) struct Place {
    /// Elasticsearch's name of each object, from the outermost, and the key that leads on.
    objects: Vec<(String, Option<String>)>,
    line: usize,
    /// In bytes, from 1: where the token begins.
    column: usize,
}

impl Place {
    /// The place of a key: `path` ends with it.
    pub(super) fn of_key(bytes: &[u8], path: &[Step], outermost: &str) -> Self {
        let object = start_of(bytes, &path[..path.len().saturating_sub(1)]);
        let token = match path.last() {
            Some(Step::Key(key)) => key_in(bytes, object, key).unwrap_or(object),
            _ => object,
        };
        Self::of(bytes, token, objects(path, outermost))
    }

    /// The place of a value.
    pub(super) fn of_value(bytes: &[u8], path: &[Step], outermost: &str) -> Self {
        Self::of(bytes, start_of(bytes, path), objects(path, outermost))
    }

    /// The place of an object of which something is wrong as a whole.
    pub(super) fn of_object(bytes: &[u8], path: &[Step], outermost: &str) -> Self {
        // The key of a part that it might have had ends the list of its objects with itself.
        let inside: Vec<Step> = path.iter().cloned().chain([Step::Key(String::new())]).collect();
        Self::of(bytes, start_of(bytes, path), objects(&inside, outermost))
    }

    fn of(bytes: &[u8], token: usize, objects: Vec<(String, Option<String>)>) -> Self {
        let before = &bytes[..token.min(bytes.len())];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |index| index + 1);
        Self { objects, line, column: before.len() - start + 1 }
    }

    /// `[line:column]`
    pub(super) fn position(&self) -> String {
        format!("[{}:{}]", self.line, self.column)
    }

    /// The innermost object.
    pub(super) fn object(&self) -> &str {
        self.objects.last().map_or("", |(name, _)| name)
    }

    /// The reasons of the objects around the innermost one, which failed because one of their fields did.
    fn around(&self, count: usize) -> Vec<String> {
        let reason = |(name, key): &(String, Option<String>)| {
            let field = key.as_deref().unwrap_or(name);
            format!("{} [{name}] failed to parse field [{field}]", self.position())
        };
        self.objects.iter().take(count).map(reason).collect()
    }

    /// `what` is wrong in the innermost object.
    pub(super) fn failed(&self, what: &str) -> ApiError {
        let mut reasons = self.around(self.objects.len() - 1);
        reasons.push(format!("{} {what}", self.position()));
        ApiError::x_content_chain(reasons, None)
    }

    /// The innermost object needs `field`.
    pub(super) fn lacks(&self, field: &str) -> ApiError {
        ApiError::x_content_chain(self.around(self.objects.len() - 1), Some(&format!("Required [{field}]")))
    }

    /// The value is of a kind that its field does not take.
    pub(super) fn has_wrong_type(&self, token: &str) -> ApiError {
        match self.objects.last() {
            Some((name, Some(key))) => {
                self.failed(&format!("[{name}] {key} doesn't support values of type: {token}"))
            }
            _ => self.failed(&format!("[{}] Expected START_OBJECT but was: {token}", self.object())),
        }
    }

    /// The value is not allowed, because of `cause`.
    pub(super) fn has_wrong_value(&self, cause: &str) -> ApiError {
        ApiError::x_content_chain(self.around(self.objects.len()), Some(cause))
    }
}

/// The objects on a way, by Elasticsearch's names, each with the key that leads on from it.
fn objects(path: &[Step], outermost: &str) -> Vec<(String, Option<String>)> {
    let keys: Vec<&str> = path
        .iter()
        .filter_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Item(_) => None,
        })
        .collect();
    let mut objects = Vec::new();
    for (index, key) in keys.iter().enumerate() {
        let parent = index.checked_sub(1).map(|parent| keys[parent]);
        let before = index.checked_sub(2).map(|before| keys[before]);
        let name = match (before, parent) {
            (_, None) => outermost,
            // The keys of a scope are names of fields: it is no object of its own.
            (_, Some("scope")) => continue,
            (Some("scope"), _) => "filter_ref",
            (_, Some("detectors")) => "detector",
            (_, Some("custom_rules")) => "detection_rule",
            (_, Some("conditions")) => "rule_condition",
            (_, Some(key)) => key,
        };
        objects.push((name.to_owned(), Some((*key).to_owned())));
    }
    if objects.is_empty() {
        objects.push((outermost.to_owned(), None));
    }
    objects
}

/// Where the value begins to which `path` leads, in JSON that is well formed up to there.
fn start_of(bytes: &[u8], path: &[Step]) -> usize {
    let mut at = skip_space(bytes, 0);
    for step in path {
        match step {
            Step::Key(key) => {
                let Some(start) = key_in(bytes, at, key) else { return at };
                let colon = skip_space(bytes, string_end(bytes, start));
                at = skip_space(bytes, colon + 1);
            }
            // A value alone may stand for a list of it.
            Step::Item(number) if bytes.get(at) == Some(&b'[') => {
                at = skip_space(bytes, at + 1);
                for _ in 0..*number {
                    let comma = skip_space(bytes, value_end(bytes, at));
                    at = skip_space(bytes, comma + 1);
                }
            }
            Step::Item(_) => {}
        }
    }
    at.min(bytes.len())
}

/// Where the last key of this name begins in the object that begins at `object`.
fn key_in(bytes: &[u8], object: usize, key: &str) -> Option<usize> {
    let quoted = serde_json::Value::from(key).to_string();
    let (mut at, mut found) = (skip_space(bytes, object + 1), None);
    while bytes.get(at) == Some(&b'"') {
        let end = string_end(bytes, at);
        let text = &bytes[at..end.min(bytes.len())];
        let same = text == quoted.as_bytes()
            || (text.contains(&b'\\')
                && serde_json::from_slice::<String>(text).is_ok_and(|text| text == key));
        if same {
            found = Some(at);
        }
        let colon = skip_space(bytes, end);
        let value = skip_space(bytes, colon + 1);
        let comma = skip_space(bytes, value_end(bytes, value));
        at = skip_space(bytes, comma + 1);
    }
    found
}

fn skip_space(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    from + rest.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(rest.len())
}

/// The index after the value that begins at `start`.
fn value_end(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => return at,
            b'}' | b']' if depth == 1 => return at + 1,
            b'}' | b']' => depth -= 1,
            b',' if depth == 0 => return at,
            b'"' => at = string_end(bytes, at) - 1,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// The index after the string that begins at `start`.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut index = start + 1;
    while index < bytes.len() {
        match bytes[index] {
            b'\\' => index += 1,
            b'"' => return index + 1,
            _ => {}
        }
        index += 1;
    }
    bytes.len().max(start + 1)
}
