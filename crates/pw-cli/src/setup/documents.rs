//! Documents with work items, as text; what cannot be read of one is said, and the rest is used.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use pw_core::failure::{Code, Failure};

use crate::shell::Context;

/// Bytes of one document that are read: more than anybody reads before work begins.
const MAX_DOCUMENT: u64 = 1 << 20;

/// How many documents are read.
const MAX_DOCUMENTS: usize = 20;

/// What was read.
pub(super) struct Documents {
    /// Names as they were given, and texts.
    pub(super) texts: Vec<(String, String)>,
    /// What was left out.
    pub(super) notes: Vec<String>,
}

pub(super) fn read(context: &Context, paths: &[PathBuf]) -> Result<Documents> {
    let mut documents = Documents { texts: Vec::new(), notes: Vec::new() };
    if paths.len() > MAX_DOCUMENTS {
        let note = format!("of {} documents the first {MAX_DOCUMENTS} were read", paths.len());
        documents.notes.push(note);
    }
    for path in paths.iter().take(MAX_DOCUMENTS) {
        let bytes = bytes(&context.directory.join(path), path)?;
        let name = path.to_string_lossy().into_owned();
        let is_cut = bytes.len() as u64 > MAX_DOCUMENT;
        let end = match is_cut {
            true => bytes.iter().take(1 << 20).rposition(|byte| *byte == b'\n').unwrap_or(1 << 20),
            false => bytes.len(),
        };
        let bytes = &bytes[..end];
        if is_cut {
            documents.notes.push(format!("of {name} the first MiB was read"));
        }
        if bytes.contains(&0) {
            documents.notes.push(format!("{name} is no text: nothing of it was read"));
            continue;
        }
        let text = String::from_utf8_lossy(bytes);
        if text.contains('\u{fffd}') {
            documents
                .notes
                .push(format!("{name} is not UTF-8 throughout: names in it may be wrong"));
        }
        documents.texts.push((name, text.into_owned()));
    }
    Ok(documents)
}

/// Returns the beginning of a file, one byte more than is read of it when there is more.
fn bytes(full: &Path, shown: &Path) -> Result<Vec<u8>> {
    let unreadable = |error: &dyn std::fmt::Display| {
        Failure::new(Code::Usage, format!("{}: {error}", shown.display()))
            .hint("name Markdown files that exist")
    };
    let about = std::fs::metadata(full).map_err(|error| unreadable(&error))?;
    // A pipe or a device might never end.
    if !about.is_file() {
        return Err(unreadable(&"it is no file").into());
    }
    let mut bytes = Vec::new();
    let file = File::open(full).map_err(|error| unreadable(&error))?;
    file.take(MAX_DOCUMENT + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
    Ok(bytes)
}
