//! A data folder looked at from its first page to its last, while nobody uses it.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::ownership::Ownership;
use crate::catalog::{Catalog, IndexMeta};
use crate::error::{Error, Result};
use crate::index::{checked_vfs, file};

/// What was found in a folder.
#[derive(Debug, Serialize)]
pub struct Report {
    /// What is wrong with the catalog, if something is.
    pub catalog: Option<String>,
    /// The files of indices, by name of index, and those that belong to none at the end.
    pub files: Vec<FileReport>,
}

/// What was found in one file.
#[derive(Debug, Serialize)]
pub struct FileReport {
    /// The file's name within the folder `indices`.
    pub file: String,
    /// The index, as the catalog or the file itself names it; none when neither does.
    pub index: Option<String>,
    /// Does the catalog know it?
    pub in_catalog: bool,
    /// Do its pages have checksums? Without them, damage is found only where SQLite's own rules are broken.
    pub checked: bool,
    /// Documents that can be read.
    pub documents: u64,
    /// What is wrong with it, in the order in which it was found; empty for a sound file.
    pub problems: Vec<String>,
}

impl Report {
    /// Is everything as it should be?
    pub fn is_sound(&self) -> bool {
        self.catalog.is_none() && self.files.iter().all(|file| file.in_catalog && file.problems.is_empty())
    }
}

/// Looks at every page and every document of a folder, and changes nothing.
///
/// # Errors
/// When there is no such folder, or a server uses it.
pub fn verify(folder: &Path) -> Result<Report> {
    let indices = folder.join("indices");
    if !indices.is_dir() {
        return Err(Error::illegal(format!(
            "[{}] is no data folder: it has no folder [indices]",
            folder.display()
        )));
    }
    let _owned = Ownership::take(folder)?;
    let catalog = folder.join("catalog.db");
    let opened = if file::is_there(&catalog) {
        Catalog::open(&catalog, true).map_err(|error| described(&error))
    } else {
        Err("it is missing or empty".to_owned())
    };
    let (known, wrong) = match opened {
        Ok(catalog) => (catalog.state().indices.values().map(|meta| IndexMeta::clone(meta)).collect(), None),
        Err(error) => (Vec::new(), Some(error)),
    };
    let mut files: Vec<FileReport> = known.iter().map(|meta| of_index(&indices, meta)).collect();
    for entry in std::fs::read_dir(&indices)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let is_known = known.iter().any(|meta| name.strip_suffix(".db") == Some(&meta.uuid));
        if name.ends_with(".db") && !is_known {
            files.push(of_nobody(&path, name));
        }
    }
    Ok(Report { catalog: wrong, files })
}

fn described(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

fn of_index(indices: &Path, meta: &IndexMeta) -> FileReport {
    let name = format!("{}.db", meta.uuid);
    let path = indices.join(&name);
    let mut report = FileReport {
        file: name,
        index: Some(meta.name.clone()),
        in_catalog: true,
        checked: meta.checked,
        documents: 0,
        problems: Vec::new(),
    };
    if file::is_there(&path) {
        read_through(&path, &mut report);
    } else {
        report.problems.push("the file is missing or empty".to_owned());
    }
    report
}

fn of_nobody(path: &Path, name: &str) -> FileReport {
    let mut report = FileReport {
        file: name.to_owned(),
        index: None,
        in_catalog: false,
        checked: false,
        documents: 0,
        problems: Vec::new(),
    };
    match file::peek(path) {
        Ok(peek) => {
            report.checked = peek.checked;
            let identity = peek.identity.and_then(|text| serde_json::from_str::<IndexMeta>(&text).ok());
            report.index = identity.map(|meta| meta.name);
            read_through(path, &mut report);
        }
        Err(error) => report.problems.push(format!("the file cannot be read: {}", described(&error))),
    }
    report
}

/// Reads all pages by SQLite's own check, and all documents.
fn read_through(path: &Path, report: &mut FileReport) {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if let Err(error) = try_read_through(&path, report) {
        let what = checked_vfs::damage_of(&path).unwrap_or_else(|| described(&error));
        report.problems.push(what);
    }
}

fn try_read_through(path: &Path, report: &mut FileReport) -> Result<()> {
    let connection = file::open_reader(path, report.checked)?;
    let mut check = connection.prepare("PRAGMA integrity_check(10)")?;
    let found = check.query_map([], |row| row.get::<_, String>(0))?;
    for line in found {
        let line = line?;
        if line != "ok" {
            report.problems.push(line);
        }
    }
    let mut documents = connection.prepare("SELECT source FROM docs")?;
    let mut rows = documents.query([])?;
    let mut broken = 0_u64;
    while let Some(row) = rows.next()? {
        let source = row.get_ref(0)?.as_str().ok();
        match source.and_then(|text| serde_json::from_str::<Value>(text).ok()) {
            Some(_) => report.documents += 1,
            None => broken += 1,
        }
    }
    if broken > 0 {
        report.problems.push(format!("{broken} documents cannot be read"));
    }
    let counted = file::number(&connection, "count")?.unwrap_or(0);
    if u64::try_from(counted).ok() != Some(report.documents + broken) {
        report
            .problems
            .push(format!("it should have {counted} documents, and has {}", report.documents + broken));
    }
    Ok(())
}
