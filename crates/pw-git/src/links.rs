//! A worktree and its entry in git's folder lead to each other by paths. Moving or copying either
//! breaks that; here is how it is seen, and made whole again.
//!
//! `git worktree repair` is not used where the repository may be a copy: it goes where the old paths
//! lead, and would take the worktrees away from the original.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::Repo;

/// How many folders are looked into for a worktree that is not in its place.
const MAX_FOLDERS: usize = 5_000;

/// What git keeps of one worktree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Git's folder for it.
    folder: PathBuf,
    /// Where git takes the worktree to be.
    pub path: PathBuf,
}

impl Entry {
    fn locked(&self) -> Option<String> {
        Some(fs::read_to_string(self.folder.join("locked")).ok()?.trim_end().to_owned())
    }
}

/// Where a worktree is that git does not find in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// In its place; the links lead elsewhere.
    Unlinked(Entry),
    /// In another folder.
    At(PathBuf, Entry),
    /// Nowhere, or something else stands in its place.
    Unknown,
}

impl Repo {
    /// Returns what git keeps of the worktrees that were locked with such a reason.
    pub fn entries(&self, is_reason: impl Fn(&str) -> bool) -> Vec<Entry> {
        let mut entries = self.all_entries();
        entries.retain(|entry| entry.locked().is_some_and(|reason| is_reason(&reason)));
        entries
    }

    fn all_entries(&self) -> Vec<Entry> {
        let folders = fs::read_dir(self.common().join("worktrees")).into_iter().flatten().flatten();
        let entry = |folder: PathBuf| {
            let back = link(&fs::read(folder.join("gitdir")).ok()?);
            let path = folder.join(back).parent()?.to_owned();
            Some(Entry { folder, path })
        };
        folders.filter_map(|folder| entry(folder.path())).collect()
    }

    /// Finds the worktree of a branch that was made at `place` and locked with this reason. Who moves
    /// one with git's own command has to unlock it first.
    pub fn whereabouts(&self, place: &Path, reason: &str, branch: &str) -> Whereabouts {
        let head = format!("ref: refs/heads/{branch}");
        let is_it = |entry: &Entry| match entry.locked() {
            Some(locked) => locked == reason,
            None => fs::read_to_string(entry.folder.join("HEAD"))
                .is_ok_and(|text| text.trim_end() == head),
        };
        let Some(entry) = self.all_entries().into_iter().find(is_it) else {
            return Whereabouts::Unknown;
        };
        match place.symlink_metadata() {
            Ok(about) if about.is_dir() && self.may_link(place, &entry) => {
                Whereabouts::Unlinked(entry)
            }
            Ok(_) => Whereabouts::Unknown,
            Err(_) if leads_to(&entry.path, &entry) => Whereabouts::At(entry.path.clone(), entry),
            Err(_) => match self.search(place, &entry) {
                Some(found) => Whereabouts::At(found, entry),
                None => Whereabouts::Unknown,
            },
        }
    }

    /// Returns whether the folder is the worktree of this entry, whose links may be broken: it says
    /// so itself, or git does and nothing in the folder says otherwise.
    fn may_link(&self, folder: &Path, entry: &Entry) -> bool {
        match named(folder) {
            Some(named) => {
                let of_worktree = named.parent().and_then(Path::file_name);
                of_worktree.is_some_and(|name| name == "worktrees")
                    && named.file_name() == entry.folder.file_name()
            }
            None => folder.join(".git").symlink_metadata().is_err() && is_same(&entry.path, folder),
        }
    }

    /// Looks for a worktree that was moved by hand: near its place, and near the repository.
    fn search(&self, place: &Path, entry: &Entry) -> Option<PathBuf> {
        let near = [place.parent(), Some(self.root()), self.root().parent()];
        let near = near.into_iter().flatten().map(Path::to_owned);
        let below = |folder: PathBuf| {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            let is_folder = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|t| t.is_dir());
            entries.filter(is_folder).map(|entry| entry.path())
        };
        let first: Vec<PathBuf> = near.flat_map(below).take(MAX_FOLDERS).collect();
        let second = first.clone().into_iter().flat_map(below);
        first.into_iter().chain(second).take(MAX_FOLDERS).find(|folder| leads_to(folder, entry))
    }

    /// Makes a folder and an entry lead to each other again; touches nothing else.
    pub fn relink(&self, place: &Path, entry: &Entry) -> Result<()> {
        let common = self.common().canonicalize().context("finding git's folder")?;
        let name = entry.folder.file_name().context("an entry has a name")?;
        let own = common.join("worktrees").join(name);
        let marker = place.join(".git");
        replace(&marker, &[b"gitdir: ", own.as_os_str().as_bytes(), b"\n"].concat())?;
        replace(&own.join("gitdir"), &[marker.as_os_str().as_bytes(), b"\n"].concat())?;
        ensure!(
            self.is_worktree_of_its_own(place),
            "{} does not lead to its repository",
            place.display()
        );
        Ok(())
    }

    /// Moves a worktree back to its place.
    pub fn bring_back(&self, from: &Path, place: &Path, entry: &Entry) -> Result<()> {
        ensure!(place.symlink_metadata().is_err(), "{} is there already", place.display());
        let folder = place.parent().context("a worktree is in a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        fs::rename(from, place)
            .with_context(|| format!("moving {} to {}", from.display(), place.display()))?;
        self.relink(place, entry)
    }
}

/// Returns the folder of a repository that a worktree above or at `dir` names and that is not there,
/// and the repository around it, if there is one with such a worktree.
pub(crate) fn lost(dir: &Path) -> Option<(PathBuf, Option<PathBuf>)> {
    let dir = dir.canonicalize().ok()?;
    let top = dir.ancestors().find(|dir| dir.join(".git").symlink_metadata().is_ok())?;
    let named = named(top).filter(|named| !named.is_dir())?;
    let has_it = |root: &&Path| {
        named.file_name().is_some_and(|name| root.join(".git/worktrees").join(name).is_dir())
    };
    let root = top.ancestors().skip(1).find(has_it).map(Path::to_owned);
    Some((named, root))
}

/// Returns what the `.git` file of a worktree names.
fn named(worktree: &Path) -> Option<PathBuf> {
    let text = fs::read(worktree.join(".git")).ok()?;
    Some(worktree.join(link(text.strip_prefix(b"gitdir: ")?)))
}

fn link(text: &[u8]) -> PathBuf {
    PathBuf::from(OsString::from_vec(text.strip_suffix(b"\n").unwrap_or(text).to_vec()))
}

fn leads_to(folder: &Path, entry: &Entry) -> bool {
    named(folder).is_some_and(|named| is_same(&named, &entry.folder))
}

fn is_same(one: &Path, other: &Path) -> bool {
    one.canonicalize().is_ok_and(|one| Some(one) == other.canonicalize().ok())
}

/// Writes a file whole or not at all.
fn replace(path: &Path, text: &[u8]) -> Result<()> {
    let new = path.with_file_name("pw-link.new");
    fs::write(&new, text).with_context(|| format!("writing {}", new.display()))?;
    fs::rename(&new, path).with_context(|| format!("replacing {}", path.display()))
}
