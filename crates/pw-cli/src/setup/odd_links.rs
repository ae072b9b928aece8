//! Links at the top of a fresh worktree that lead nowhere, or to the sources of the user's checkout.

use std::fs;
use std::path::{Path, PathBuf};

use pw_core::trial::OddLink;

/// The largest file that is read as one that tells of an editable install, in bytes.
const MAX_SIZE: u64 = 1 << 16;

/// Returns what is odd about the links of a worktree. What cannot be read is not odd.
pub(super) fn odd_links(worktree: &Path, checkout: &Path) -> Vec<OddLink> {
    let Ok(checkout) = checkout.canonicalize() else { return Vec::new() };
    entries(worktree).iter().filter_map(|link| odd_link(link, &checkout)).collect()
}

fn odd_link(link: &Path, checkout: &Path) -> Option<OddLink> {
    let target = fs::read_link(link).ok()?;
    let name = link.file_name()?.to_str()?.to_owned();
    let Ok(place) = link.canonicalize() else {
        let is_way = target.starts_with("..");
        let target = target.to_str().filter(|_| is_way)?.to_owned();
        return Some(OddLink::Dangling { name, target });
    };
    let is_lent = place.starts_with(checkout) && place.is_dir();
    let source = is_lent.then(|| lent(&place, checkout)).flatten()?;
    Some(OddLink::Borrowed {
        name,
        source: source.strip_prefix(checkout).ok()?.display().to_string(),
    })
}

/// Returns what of the checkout a folder of installed packages leads to.
fn lent(installed: &Path, checkout: &Path) -> Option<PathBuf> {
    let is_source = |path: &PathBuf| path.starts_with(checkout) && !path.starts_with(installed);
    // Packages of a workspace are links in `node_modules`, those of a scope a folder below.
    let scopes = entries(installed).into_iter().filter(|path| {
        path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"@"))
    });
    let packages = entries(installed).into_iter().chain(scopes.flat_map(|scope| entries(&scope)));
    let linked = packages.filter(|path| path.is_symlink()).filter_map(|p| p.canonicalize().ok());
    if let Some(source) = linked.into_iter().find(is_source) {
        return Some(source);
    }
    // What Python packages say where their sources are.
    let pythons = entries(&installed.join("lib")).into_iter();
    let files = pythons.flat_map(|python| entries(&python.join("site-packages")));
    files.filter(|file| is_editable(file)).find_map(|file| {
        let text = fs::read_to_string(file).ok()?;
        let begin = checkout.to_str()?;
        let named = text.match_indices(begin).map(|(at, _)| {
            let end = |c: char| matches!(c, '\n' | '\r' | '\'' | '"');
            PathBuf::from(text[at..].split(end).next().unwrap_or_default())
        });
        named.into_iter().find(is_source)
    })
}

/// Returns whether a file may tell of an editable install.
fn is_editable(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().as_encoded_bytes();
    (name.ends_with(b".pth") || name.starts_with(b"__editable__"))
        && file.metadata().is_ok_and(|about| about.is_file() && about.len() <= MAX_SIZE)
}

/// Returns what is in a folder; nothing where it cannot be read.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let read = fs::read_dir(folder).into_iter().flatten();
    let mut entries: Vec<PathBuf> = read.filter_map(|entry| Some(entry.ok()?.path())).collect();
    entries.sort();
    entries
}
