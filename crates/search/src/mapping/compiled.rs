//! A mapping made ready: fields by path, and a tree for documents to walk down.

use std::sync::Arc;

use ahash::AHashMap;
use serde_json::{Map, Value};

use super::dynamic::DynamicRules;
use super::layout::Layout;
use super::leaf::{self, Leaf, STORED_ONLY, flag};
use super::parameters;
use super::wildcard::wildcard_matches;
use crate::error::{Error, Result};
use crate::query::field::nested_around;
use crate::query::{Field, FieldKind, FieldTypes};
use crate::search::source_filter::SourceFilter;

/// The mapping of one index at one moment. It is never changed, only replaced.
#[derive(Debug)]
pub struct Mapping {
    /// The index's name.
    pub index: String,
    /// The mapping as clients read it: `{"properties": …}`.
    pub body: Map<String, Value>,
    /// Grows with every change.
    pub generation: i64,
    /// Where values are kept.
    pub layout: Layout,
    /// All leaf fields, in mapping order, multi-fields behind their parent.
    pub leaves: Vec<Leaf>,
    /// Does any field copy its values to another?
    pub copies: bool,
    /// Which part of a document is stored (`_source` of the mapping).
    pub kept: SourceFilter,
    pub(super) root: ObjectNode,
    pub(super) rules: DynamicRules,
    by_path: AHashMap<String, usize>,
    objects: AHashMap<String, bool>,
    /// Nested objects whose values are seen from outside too, with whether from the document or from the object around them.
    included: AHashMap<String, Included>,
    aliases: AHashMap<String, String>,
}

/// From where, beside the nested object itself, its values are seen.
#[derive(Clone, Copy, Debug, Default)]
struct Included {
    in_root: bool,
    in_parent: bool,
}

/// What happens to fields that are not mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dynamic {
    /// They are mapped.
    True,
    /// They stay in the source, unmapped.
    False,
    /// The document is refused.
    Strict,
}

/// An object of the mapping.
#[derive(Debug)]
pub(super) struct ObjectNode {
    pub(super) path: String,
    pub(super) dynamic: Dynamic,
    pub(super) nested: bool,
    pub(super) children: AHashMap<String, Child>,
}

/// What an object's key leads to.
#[derive(Debug)]
pub(super) enum Child {
    Object(ObjectNode),
    /// A leaf and its multi-fields.
    Leaf(Vec<usize>),
    /// Kept in the source only.
    Ignored,
}

impl Mapping {
    /// Compiles a mapping. Fields without a column get one in `layout`.
    ///
    /// # Errors
    /// When the mapping is malformed or has more than `limit` fields.
    pub fn compile(
        index: &str,
        body: Map<String, Value>,
        layout: Layout,
        generation: i64,
        limit: usize,
    ) -> Result<Arc<Self>> {
        let rules = DynamicRules::parse(&body)?;
        let kept = parameters::kept_source(&body)?;
        let dynamic = dynamic(&body, Dynamic::True)?;
        let mut compiler = Compiler { layout, kept: kept.clone(), ..Compiler::default() };
        let root = compiler.object(String::new(), &body, dynamic, false, false)?;
        if compiler.fields > limit {
            return Err(Error::illegal(format!(
                "Limit of total fields [{limit}] has been exceeded while adding new fields [{}]",
                compiler.fields - limit
            )));
        }
        let by_path =
            compiler.leaves.iter().enumerate().map(|(n, leaf)| (leaf.field.path.clone(), n)).collect();
        let copies = compiler.leaves.iter().any(|leaf| !leaf.copy_to.is_empty());
        Ok(Arc::new(Self {
            index: index.to_owned(),
            body,
            generation,
            layout: compiler.layout,
            leaves: compiler.leaves,
            copies,
            kept,
            root,
            rules,
            by_path,
            objects: compiler.objects,
            included: compiler.included,
            aliases: compiler.aliases,
        }))
    }

    /// The leaf at `path`, aliases resolved.
    pub fn leaf(&self, path: &str) -> Option<&Leaf> {
        let path = self.aliases.get(path).map_or(path, String::as_str);
        self.by_path.get(path).map(|number| &self.leaves[*number])
    }

    /// The objects of the mapping, with whether they are nested.
    pub fn objects(&self) -> impl Iterator<Item = (&str, bool)> {
        self.objects.iter().map(|(path, nested)| (path.as_str(), *nested))
    }

    /// The field aliases and the paths that they stand for.
    pub fn field_aliases(&self) -> impl Iterator<Item = (&str, &str)> {
        self.aliases.iter().map(|(alias, path)| (alias.as_str(), path.as_str()))
    }

    /// The mapping as clients read it: an object without `properties` is shown without.
    pub fn to_json(&self) -> Value {
        Value::Object(self.body.clone())
    }
}

#[derive(Default)]
struct Compiler {
    layout: Layout,
    kept: SourceFilter,
    leaves: Vec<Leaf>,
    objects: AHashMap<String, bool>,
    included: AHashMap<String, Included>,
    aliases: AHashMap<String, String>,
    fields: usize,
}

impl Compiler {
    fn object(
        &mut self,
        path: String,
        body: &Map<String, Value>,
        dynamic_above: Dynamic,
        nested: bool,
        inside_nested: bool,
    ) -> Result<ObjectNode> {
        let dynamic = dynamic(body, dynamic_above)?;
        let mut children = AHashMap::new();
        let properties = match body.get("properties") {
            None => None,
            Some(Value::Object(properties)) => Some(properties),
            Some(_) => {
                return Err(Error::MapperParsing(format!(
                    "Failed to parse mapping: Expected map for property [properties] on field [{path}] but got a different value"
                )));
            }
        };
        for (name, params) in properties.into_iter().flatten() {
            let child_path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let Value::Object(params) = params else {
                return Err(Error::MapperParsing(format!(
                    "Failed to parse mapping: Expected map for property [fields] on field [{child_path}] but got a different value"
                )));
            };
            if name.is_empty() || name.split('.').any(str::is_empty) {
                return Err(Error::MapperParsing(
                    "Failed to parse mapping: field name cannot be an empty string".into(),
                ));
            }
            let child = self.child(child_path, params, dynamic, inside_nested || nested)?;
            children.insert(name.clone(), child);
        }
        Ok(ObjectNode { path, dynamic, nested, children })
    }

    fn child(
        &mut self,
        path: String,
        params: &Map<String, Value>,
        dynamic: Dynamic,
        inside_nested: bool,
    ) -> Result<Child> {
        self.fields += 1;
        let type_name = params.get("type").and_then(Value::as_str);
        match type_name {
            None if !params.contains_key("properties")
                && !params.is_empty()
                && !has_object_params(params) =>
            {
                Err(Error::MapperParsing(format!(
                    "Failed to parse mapping: No type specified for field [{}]",
                    path.rsplit('.').next().unwrap_or(&path)
                )))
            }
            None | Some("object" | "nested") => {
                if !flag(params, "enabled", true) {
                    return Ok(Child::Ignored);
                }
                let nested = type_name == Some("nested");
                self.objects.insert(path.clone(), nested);
                let included = Included {
                    in_root: nested && flag(params, "include_in_root", false),
                    in_parent: nested && flag(params, "include_in_parent", false),
                };
                self.included.insert(path.clone(), included);
                self.object(path, params, dynamic, nested, inside_nested).map(Child::Object)
            }
            Some("alias") => {
                let target = params.get("path").and_then(Value::as_str).ok_or_else(|| {
                    Error::MapperParsing(format!(
                        "Failed to parse mapping: The [path] property must be specified for field [{path}]."
                    ))
                })?;
                self.aliases.insert(path, target.to_owned());
                Ok(Child::Ignored)
            }
            Some(name) if STORED_ONLY.contains(&name) => Ok(Child::Ignored),
            Some(_) => self.leaf(&path, params, inside_nested).map(Child::Leaf),
        }
    }

    fn leaf(&mut self, path: &str, params: &Map<String, Value>, inside_nested: bool) -> Result<Vec<usize>> {
        let mut numbers = vec![self.add(leaf::parse(path, path, params)?, inside_nested)];
        if let Some(Value::Object(fields)) = params.get("fields") {
            for (name, params) in fields {
                let Value::Object(params) = params else {
                    return Err(Error::MapperParsing(format!(
                        "Failed to parse mapping: illegal field [{name}], only fields can be specified inside fields"
                    )));
                };
                self.fields += 1;
                let leaf = leaf::parse(&format!("{path}.{name}"), path, params)?;
                numbers.push(self.add(leaf, inside_nested));
            }
        }
        Ok(numbers)
    }

    fn add(&mut self, mut leaf: Leaf, inside_nested: bool) -> usize {
        if !inside_nested && !matches!(leaf.field.kind, FieldKind::Text { .. }) {
            leaf.column = Some(self.layout.column(&leaf.field.path));
        }
        if leaf.column.is_none() && !self.kept.keeps(&leaf.field.source_path) {
            // Such values are looked up in the source, and there they are not.
            leaf.field.searchable = false;
            leaf.field.aggregatable = false;
        }
        self.leaves.push(leaf);
        self.leaves.len() - 1
    }
}

fn has_object_params(params: &Map<String, Value>) -> bool {
    params.keys().all(|key| matches!(key.as_str(), "dynamic" | "enabled" | "subobjects" | "properties"))
}

fn dynamic(body: &Map<String, Value>, above: Dynamic) -> Result<Dynamic> {
    match body.get("dynamic") {
        None => Ok(above),
        Some(value) => match value.as_str().map_or_else(|| value.to_string(), str::to_owned).as_str() {
            "true" => Ok(Dynamic::True),
            "false" | "runtime" => Ok(Dynamic::False),
            "strict" => Ok(Dynamic::Strict),
            other => Err(Error::MapperParsing(format!(
                "Failed to parse mapping: Could not convert [dynamic] to boolean: [{other}]"
            ))),
        },
    }
}

impl FieldTypes for Mapping {
    fn field(&self, path: &str) -> Option<Field> {
        match path {
            "_id" | "_index" => Some(Field::plain(path, FieldKind::keyword())),
            _ => self.leaf(path).map(|leaf| leaf.field.clone()),
        }
    }

    fn expand(&self, pattern: &str) -> Vec<String> {
        let mut found: Vec<String> = self
            .leaves
            .iter()
            .map(|leaf| &leaf.field.path)
            .filter(|path| wildcard_matches(pattern, path))
            .cloned()
            .collect();
        found.extend(self.aliases.keys().filter(|alias| *alias == pattern).cloned());
        found
    }

    fn is_nested(&self, path: &str) -> bool {
        self.objects.get(path).copied().unwrap_or(false)
    }

    fn is_seen_from(&self, nested: &str, scope: &str) -> bool {
        let mut at = nested;
        while at != scope {
            let included = self.included.get(at).copied().unwrap_or_default();
            if scope.is_empty() && included.in_root {
                return true;
            }
            if !included.in_parent {
                return false;
            }
            at = nested_around(self, at);
        }
        true
    }

    fn is_object(&self, path: &str) -> bool {
        self.objects.contains_key(path)
    }

    fn index_name(&self) -> &str {
        &self.index
    }
}
