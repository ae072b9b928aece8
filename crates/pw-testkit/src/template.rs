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
    File(Vec<u8>, Permissions),
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
                    Entry::File(fs::read(&path).unwrap(), about.permissions())
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
        let (from, to) = (self.folder.as_os_str().as_bytes(), folder.as_os_str().as_bytes());
        assert_eq!(from.len(), to.len(), "git's index holds the path with its length");
        for (path, entry) in &self.entries {
            let place = folder.join(path);
            match entry {
                Entry::Folder => fs::create_dir(place).unwrap(),
                Entry::Link(target) => symlink(target, place).unwrap(),
                Entry::File(content, permissions) => {
                    let mut content = content.clone();
                    if replace(&mut content, from, to) && path.ends_with("index") {
                        sign(&mut content);
                    }
                    fs::write(&place, content).unwrap();
                    fs::set_permissions(place, permissions.clone()).unwrap();
                }
            }
        }
    }
}

/// Replaces each occurrence; returns whether there was one.
fn replace(text: &mut [u8], from: &[u8], to: &[u8]) -> bool {
    let mut found = false;
    let mut at = 0;
    while let Some(next) =
        text.get(at..).and_then(|rest| rest.windows(from.len()).position(|part| part == from))
    {
        text[at + next..at + next + from.len()].copy_from_slice(to);
        (found, at) = (true, at + next + from.len());
    }
    found
}

/// Git's index ends with the hash of all before it.
fn sign(index: &mut [u8]) {
    let (content, hash) = index.split_at_mut(index.len() - 20);
    hash.copy_from_slice(&Sha1::digest(content));
}
