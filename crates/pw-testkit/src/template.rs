//! A test's folder as it was once made, kept in memory: writing it again starts no process.

use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sha1::{Digest as _, Sha1};

/// How old a template may become: the record in it has times, and answers tell ages.
const FRESH: Duration = Duration::from_secs(30);

pub(crate) struct Template {
    /// Where it was made. Git's files of a linked worktree, and ours, name this path.
    folder: PathBuf,
    made: Instant,
    /// Parents come before what is in them.
    entries: Vec<(PathBuf, Entry)>,
}

enum Entry {
    Folder,
    /// With the places in it that name the folder.
    File(Vec<u8>, Permissions, Vec<usize>),
    Link(PathBuf),
}

impl Template {
    pub(crate) fn of(folder: &Path) -> Self {
        let mut entries = Vec::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(parent) = folders.pop() {
            for entry in fs::read_dir(&parent).unwrap() {
                let path = entry.unwrap().path();
                let about = path.symlink_metadata().unwrap();
                let kept = if about.is_dir() {
                    folders.push(path.clone());
                    Entry::Folder
                } else if about.is_symlink() {
                    Entry::Link(path.read_link().unwrap())
                } else {
                    let content = fs::read(&path).unwrap();
                    let named = places(&content, folder.as_os_str().as_bytes());
                    Entry::File(content, about.permissions(), named)
                };
                entries.push((path.strip_prefix(folder).unwrap().to_owned(), kept));
            }
        }
        Self { folder: folder.to_owned(), made: Instant::now(), entries }
    }

    pub(crate) fn is_fresh(&self) -> bool {
        self.made.elapsed() < FRESH
    }

    /// Writes it into an empty folder whose path is as long as that of the first.
    pub(crate) fn write(&self, folder: &Path) {
        let to = folder.as_os_str().as_bytes();
        let is_as_long = to.len() == self.folder.as_os_str().len();
        assert!(is_as_long, "git's index holds the path with its length");
        for (path, entry) in &self.entries {
            let place = folder.join(path);
            match entry {
                Entry::Folder => fs::create_dir(place).unwrap(),
                Entry::Link(target) => symlink(target, place).unwrap(),
                Entry::File(content, permissions, named) => {
                    let mut content = content.clone();
                    for at in named {
                        content[*at..at + to.len()].copy_from_slice(to);
                    }
                    if !named.is_empty() && path.ends_with("index") {
                        sign(&mut content);
                    }
                    fs::write(&place, content).unwrap();
                    fs::set_permissions(place, permissions.clone()).unwrap();
                }
            }
        }
    }
}

/// Returns where a text stands in another.
fn places(text: &[u8], sought: &[u8]) -> Vec<usize> {
    let windows = text.windows(sought.len()).enumerate();
    windows.filter(|(_, part)| *part == sought).map(|(at, _)| at).collect()
}

/// Git's index ends with the hash of all before it.
fn sign(index: &mut [u8]) {
    let (content, hash) = index.split_at_mut(index.len() - 20);
    hash.copy_from_slice(&Sha1::digest(content));
}
