//! What is on disk below a folder, as it is: git's own listing leaves out what it does not want to
//! see.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use pw_core::blob::FileMode;
use pw_core::path::RepoPath;

/// One file on disk, with the stat data that a write to it would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileEntry {
    pub(crate) mode: FileMode,
    /// Who may read, write and run it, as the system has it.
    permissions: u32,
    pub(crate) size: u64,
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// A walk over everything in a worktree.
#[derive(Default)]
pub(crate) struct Walk<'a> {
    pub(crate) submodules: BTreeSet<&'a RepoPath>,
    pub(crate) is_disposable: Option<&'a dyn Fn(&RepoPath) -> bool>,
    pub(crate) files: BTreeMap<RepoPath, FileEntry>,
    pub(crate) nested: Vec<RepoPath>,
}

impl Walk<'_> {
    pub(crate) fn folder(&mut self, folder: &Path, prefix: &RepoPath) -> Result<()> {
        let failed = || format!("reading {}", folder.display());
        let mut entries = std::fs::read_dir(folder)
            .and_then(Iterator::collect::<std::io::Result<Vec<_>>>)
            .with_context(failed)?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        let at_top = prefix.as_bytes().is_empty();
        for entry in entries {
            let name = entry.file_name();
            if at_top && name == ".git" {
                continue;
            }
            let path = if at_top {
                RepoPath::new(name.as_bytes())
            } else {
                RepoPath::new([prefix.as_bytes(), b"/", name.as_bytes()].concat())
            };
            if name.eq_ignore_ascii_case(".git") {
                // No commit can hold this name.
                self.nested.push(if at_top { path } else { prefix.clone() });
                continue;
            }
            if self.is_disposable.is_some_and(|is_disposable| is_disposable(&path)) {
                continue;
            }
            let place = entry.path();
            let about = place.symlink_metadata().with_context(failed)?;
            if about.is_dir() {
                let is_checked_out = self.submodules.contains(&path)
                    && place.join(".git").symlink_metadata().is_ok();
                if is_checked_out {
                    self.nested.push(path);
                } else {
                    self.folder(&place, &path)?;
                }
            } else if about.is_symlink() || about.is_file() {
                self.files.insert(path, FileEntry::of(&about));
            }
            // Sockets and pipes hold nothing.
        }
        Ok(())
    }
}

impl FileEntry {
    /// Returns the permissions that a checkout would not give it; `None` for usual ones.
    pub(crate) fn own_permissions(&self) -> Option<u32> {
        let is_usual = matches!(self.permissions, 0o644 | 0o664 | 0o755 | 0o775);
        (self.mode != FileMode::LINK && !is_usual).then_some(self.permissions)
    }

    pub(crate) fn of(about: &std::fs::Metadata) -> Self {
        let mode = match about.mode() {
            _ if about.is_symlink() => FileMode::LINK,
            mode if mode & 0o100 != 0 => FileMode::PROGRAM,
            _ => FileMode::FILE,
        };
        Self {
            mode,
            permissions: about.mode() & 0o777,
            size: about.size(),
            inode: about.ino(),
            modified: (about.mtime(), about.mtime_nsec()),
            changed: (about.ctime(), about.ctime_nsec()),
        }
    }
}

/// Returns whether a file has this path or lies below it.
pub(crate) fn is_there(files: &BTreeMap<RepoPath, FileEntry>, path: &RepoPath) -> bool {
    below(files, path).next().is_some()
}

/// Returns the files that have this path or lie below it.
pub(crate) fn below<'a>(
    files: &'a BTreeMap<RepoPath, FileEntry>,
    path: &'a RepoPath,
) -> impl Iterator<Item = &'a RepoPath> {
    let folder = RepoPath::new([path.as_bytes(), b"/"].concat());
    let inside = files.range(folder..).map(|(file, _)| file).take_while(|file| path.contains(file));
    files.get_key_value(path).into_iter().map(|(file, _)| file).chain(inside)
}

/// Returns whether a file, or where a link leads, is the same below two folders.
pub(crate) fn is_same(path: &RepoPath, folders: [&Path; 2]) -> bool {
    let [one, other] = folders.map(|folder| folder.join(path.to_path()));
    let (Ok(about), Ok(others)) = (one.symlink_metadata(), other.symlink_metadata()) else {
        return false;
    };
    if about.is_symlink() {
        return fs::read_link(one).is_ok_and(|to| fs::read_link(other).is_ok_and(|too| to == too));
    }
    let may_be = about.is_file() && others.is_file() && about.len() == others.len();
    may_be && fs::read(one).is_ok_and(|text| fs::read(other).is_ok_and(|too| text == too))
}
