//! A plan for people.

use std::fmt::Write;

use serde_json::{Value, json};

use super::change::{Action, Change, Model};
use super::difference::Difference;

/// Values longer than this are cut.
const VALUE_CHARS_MAX: usize = 160;

/// The plan as text.
pub(super) fn text(changes: &[Change]) -> String {
    let mut out = String::new();
    if changes.is_empty() {
        return "no changes: the server is as the files say\n".to_owned();
    }
    for change in changes {
        describe(change, &mut out);
    }
    let counted = |action: Action| changes.iter().filter(|change| change.action == action).count();
    let models = |model: Model| changes.iter().filter(|change| change.model == model).count();
    let _ = writeln!(
        out,
        "plan: {} to create, {} to update, {} to replace, {} to import, {} to delete{}",
        counted(Action::Create),
        counted(Action::Update),
        counted(Action::Replace),
        counted(Action::Import),
        counted(Action::Delete),
        match counted(Action::Unsupported) {
            0 => String::new(),
            count => format!(", {count} that the server cannot do"),
        }
    );
    let _ = writeln!(
        out,
        "models: {} kept, {} rebuilt in the background, {} lost, {} imported",
        models(Model::Kept),
        models(Model::Rebuilt),
        models(Model::Lost),
        models(Model::Imported)
    );
    out
}

/// The plan as JSON.
pub(super) fn to_json(changes: &[Change]) -> Value {
    json!({"changes": changes})
}

/// `update job [x]`
pub(super) fn title(change: &Change) -> String {
    let word = match change.action {
        Action::Create => "create",
        Action::Update => "update",
        Action::Replace => "replace",
        Action::Delete => "delete",
        Action::Import => "import",
        Action::Unsupported => "cannot do",
    };
    format!("{word} {} [{}]", change.kind, change.id)
}

fn describe(change: &Change, out: &mut String) {
    let sign = match change.action {
        Action::Create | Action::Import => "+",
        Action::Update => "~",
        Action::Replace => "-/+",
        Action::Delete => "-",
        Action::Unsupported => "!",
    };
    let model = match change.model {
        Model::None => "",
        Model::Kept => ": the model is kept",
        Model::Rebuilt => ": the model is rebuilt in the background",
        Model::Lost => ": THE MODEL IS LOST",
        Model::Imported => ": the model comes from the file",
    };
    let _ = writeln!(out, "{sign} {}{model}", title(change));
    for difference in &change.differences {
        let _ = writeln!(out, "    {}", line(difference));
    }
    for note in &change.notes {
        let _ = writeln!(out, "    # {note}");
    }
    if let Some(reason) = &change.blocked {
        let _ = writeln!(out, "    # CANNOT BE APPLIED NOW: {reason}");
    }
}

fn line(difference: &Difference) -> String {
    let Difference { path, before, after } = difference;
    match (before, after) {
        (Value::Null, after) => format!("+ {path}: {}", short(after)),
        (before, Value::Null) => format!("- {path}: {}", short(before)),
        (before, after) => format!("~ {path}: {} -> {}", short(before), short(after)),
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= VALUE_CHARS_MAX {
        return text;
    }
    let cut: String = text.chars().take(VALUE_CHARS_MAX).collect();
    format!("{cut}…")
}
