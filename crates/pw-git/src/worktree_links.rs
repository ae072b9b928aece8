//! A worktree and its entry in git's folder lead to each other by paths. Moving or copying either
//! breaks that; here is how it is seen, and made whole again.
//!
//! `git worktree repair` is not used where the repository may be a copy: it goes where the old
//! paths lead, and would take the worktrees away from the original.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::{Repo, Worktree};
use pw_core::branch::Branch;

/// How many folders are looked into for a worktree that is not in its place.
const MAX_FOLDERS: usize = 5_000;

/// What git keeps of one worktree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Git's folder for it.
    folder: PathBuf,
    /// Where git takes the worktree to be; empty when git cannot tell.
    pub path: PathBuf,
}

impl Entry {
    fn locked(&self) -> Option<String> {
        Some(fs::read_to_string(self.folder.join("locked")).ok()?.trim_end().to_owned())
    }
}

/// Where a worktree is that git does not find at its recorded path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// At its recorded path; the links lead elsewhere, or git cannot read its entry.
    Unlinked(Entry),
    /// In another folder.
    At(PathBuf, Entry),
    /// In this folder, and git's entry of it is gone.
    Unregistered(PathBuf),
    /// Not found, and its folder is occupied by something else.
    Occupied,
    /// Not found.
    Unknown,
}

/// What stands at `.git` of a folder.
enum Link {
    None,
    /// What the file names, whether that is there or not.
    To(PathBuf),
    /// A file that names no folder.
    Garbage,
    /// A repository of its own.
    Repository,
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
        folders.map(|folder| folder.path()).filter(|path| path.is_dir()).map(Entry::read).collect()
    }

    /// Returns git's entry of the worktree of a branch that was made at `place` and locked with
    /// this reason. A user who moves one with git's own command has to unlock it first.
    fn entry_of(&self, place: &Path, reason: &str, branch: &Branch) -> Option<Entry> {
        let entries = self.all_entries();
        let is_free = |entry: &&Entry| !entry.locked().is_some_and(|text| text.starts_with("pw "));
        let locked = entries.iter().find(|entry| entry.locked().as_deref() == Some(reason));
        let on_branch = || {
            let has_it = |entry: &&Entry| {
                let listed = self.worktrees().iter().find(|worktree| worktree.path == entry.path);
                listed.is_some_and(|worktree| worktree.branch.as_ref() == Some(branch))
                    || entry.head() == Some(format!("ref: {}", branch.full()))
            };
            entries.iter().filter(is_free).find(has_it)
        };
        let unreadable = || {
            let is_it = |entry: &&Entry| entry.path == place && !self.is_readable(&entry.folder);
            entries.iter().filter(is_free).find(is_it)
        };
        locked.or_else(on_branch).or_else(unreadable).cloned()
    }

    /// Finds a worktree that git does not find in its place.
    pub fn whereabouts(&self, place: &Path, reason: &str, branch: &Branch) -> Whereabouts {
        let entry = self.entry_of(place, reason, branch);
        if let Some(entry) = &entry
            && is_folder(place)
            && matches!(link(place), Link::To(named) if is_named_alike(&named, entry))
        {
            return Whereabouts::Unlinked(entry.clone());
        }
        // One that was begun by [`Self::register`] and not brought to its folder is none.
        let Some(entry) = entry.filter(|entry| !entry.path.starts_with(self.begun())) else {
            return self.unregistered(place);
        };
        let known = [place, &entry.path].map(|path| path.canonicalize().ok());
        let near = || self.search(place, |folder| leads_to(folder, &entry));
        let found = known.into_iter().flatten().find(|folder| leads_to(folder, &entry));
        match found.or_else(near) {
            Some(found) => Whereabouts::At(found, entry),
            None if is_folder(place) && entry.path == place && has_no_link(place) => {
                Whereabouts::Unlinked(entry)
            }
            None => nowhere(place),
        }
    }

    /// Finds the folder of a worktree of which git has no entry: its link still names that.
    fn unregistered(&self, place: &Path) -> Whereabouts {
        let of_this_name = |folder: &Path| lost_entry(folder).as_deref() == place.file_name();
        let here = place.canonicalize().ok().filter(|real| lost_entry(real).is_some());
        match here.or_else(|| self.search(place, of_this_name)) {
            Some(found) => Whereabouts::Unregistered(found),
            None => nowhere(place),
        }
    }

    /// Looks for a worktree that was moved by hand: near its place, and near the repository.
    fn search(&self, place: &Path, is_it: impl Fn(&Path) -> bool) -> Option<PathBuf> {
        let near = [place.parent(), Some(self.root()), self.root().parent()];
        let near = near.into_iter().flatten().map(Path::to_owned);
        let below = |folder: PathBuf| {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            let is_folder = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|t| t.is_dir());
            entries.filter(is_folder).map(|entry| entry.path())
        };
        let first: Vec<PathBuf> = near.flat_map(below).take(MAX_FOLDERS).collect();
        let second = first.clone().into_iter().flat_map(below);
        first.into_iter().chain(second).take(MAX_FOLDERS).find(|folder| is_it(folder))
    }

    /// Returns the nearest folder at or above `dir` whose link names an entry of ours, and that
    /// entry as git lists it, or would list it if it could.
    pub fn linked(&self, dir: &Path) -> Option<(PathBuf, Worktree)> {
        let dir = dir.canonicalize().ok()?;
        let top = dir.ancestors().find(|dir| dir.join(".git").is_file())?;
        let entry = Entry::read(self.own_git_dir(top)?);
        let listed = self.worktrees().iter().find(|worktree| worktree.path == entry.path);
        Some((top.to_owned(), listed.cloned().unwrap_or_else(|| entry.as_listed())))
    }

    /// Returns whether two folders are linked to the same entry of git's: one is a copy.
    pub fn is_copy(&self, folder: &Path, of: &Path) -> bool {
        let own = self.own_git_dir(of);
        own.is_some() && own == self.own_git_dir(folder) && !is_same(folder, of)
    }

    /// Returns whether git can read an entry: where HEAD is, and which repository it belongs to.
    pub(crate) fn is_readable(&self, entry: &Path) -> bool {
        let common = fs::read(entry.join("commondir")).ok();
        let common = common.map(|text| entry.join(path_of(&text)));
        common.is_some_and(|common| is_same(&common, self.common())) && has_head(entry)
    }

    /// Makes a folder and an entry lead to each other again, and git able to read the entry; no
    /// file of the worktree is touched. Where HEAD cannot be read, it is put on `branch`.
    pub fn relink(&self, place: &Path, entry: &Entry, branch: Option<&Branch>) -> Result<()> {
        let common = self.common().canonicalize().context("finding git's folder")?;
        let name = entry.folder.file_name().context("an entry has a name")?;
        let own = common.join("worktrees").join(name);
        if !has_head(&own)
            && let Some(branch) = branch
        {
            // Where refs are in tables, HEAD is there, too, and the file says nothing.
            let is_in_tables = common.join("reftable").is_dir();
            let invalid = Branch::from(".invalid");
            let head = if is_in_tables { &invalid } else { branch };
            replace(&own.join("HEAD"), format!("ref: {}\n", head.full()).as_bytes())?;
        }
        if !self.is_readable(&own) {
            replace(&own.join("commondir"), b"../..\n")?;
        }
        let marker = place.join(".git");
        replace(&marker, &[b"gitdir: ", own.as_os_str().as_bytes(), b"\n"].concat())?;
        replace(&own.join("gitdir"), &[marker.as_os_str().as_bytes(), b"\n"].concat())?;
        ensure!(
            self.is_worktree_of_its_own(place),
            "{} does not lead to its repository",
            place.display()
        );
        if branch.is_none() || own.join("index").is_file() {
            return Ok(());
        }
        // Without an index, git takes every file for a deleted one.
        let words = ["reset", "--quiet", "--mixed"];
        self.git.at(place).without_hooks().user(words).any_code().run()?;
        ensure!(own.join("index").is_file(), "git wrote no index for {}", place.display());
        Ok(())
    }

    /// Moves a worktree back to its place, which is free, or a link to where it is. Returns whether
    /// that worked: it does not from another disk.
    pub fn bring_back(
        &self,
        from: &Path,
        place: &Path,
        entry: &Entry,
        branch: &Branch,
    ) -> Result<bool> {
        Ok(carry(from, place)? && self.relink(place, entry, Some(branch)).map(|()| true)?)
    }

    /// Makes git's entry anew of a worktree whose folder is there, and moves that to its place.
    /// Every file stays as it is; the index went with the old entry, so that nothing is staged.
    /// Returns whether it could be moved.
    pub fn register(
        &self,
        from: &Path,
        place: &Path,
        branch: &Branch,
        reason: &str,
    ) -> Result<bool> {
        if from != place && !carry(from, place)? {
            return Ok(false);
        }
        // Git makes it, in its own way, for an empty folder of the same name.
        let begun = self.begun().join(place.file_name().context("a worktree has a name")?);
        self.roll_back_worktree(&begun, None)?;
        self.add_without_files(&begun, branch, reason)?;
        let own = self.own_git_dir(&begun).context("git made no entry")?;
        self.relink(place, &Entry::read(own), Some(branch))?;
        fs::remove_dir_all(self.begun()).context("removing what the entry was made for")?;
        Ok(true)
    }

    /// The folder in which worktrees are begun whose files are elsewhere.
    fn begun(&self) -> PathBuf {
        self.common().join("pw/register")
    }
}

impl Entry {
    pub(crate) fn read(folder: PathBuf) -> Self {
        let back = fs::read(folder.join("gitdir")).ok();
        let back = back.and_then(|back| folder.join(path_of(&back)).parent().map(Path::to_owned));
        let path = back.unwrap_or_default();
        Self { folder, path }
    }

    pub(crate) fn as_listed(&self) -> Worktree {
        let head = self.head();
        let branch = head.as_deref().and_then(|head| Branch::of_ref(head.strip_prefix("ref: ")?));
        Worktree { path: self.path.clone(), bare: false, head: None, branch, locked: self.locked() }
    }

    fn head(&self) -> Option<String> {
        Some(fs::read_to_string(self.folder.join("HEAD")).ok()?.trim_end().to_owned())
    }
}

fn nowhere(place: &Path) -> Whereabouts {
    match place.symlink_metadata() {
        Ok(_) => Whereabouts::Occupied,
        Err(_) => Whereabouts::Unknown,
    }
}

/// Moves a folder to where nothing stands, or a link to it. Returns whether it could.
fn carry(from: &Path, place: &Path) -> Result<bool> {
    let folder = place.parent().context("a worktree is in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    if let Ok(to) = fs::read_link(place) {
        if !is_same(from, place) {
            return Ok(false);
        }
        fs::remove_file(place).with_context(|| format!("removing {}", place.display()))?;
        if fs::rename(from, place).is_err() {
            std::os::unix::fs::symlink(to, place).context("putting a link back")?;
            return Ok(false);
        }
        return Ok(true);
    }
    Ok(place.symlink_metadata().is_err() && fs::rename(from, place).is_ok())
}

/// Why git finds no repository where a worktree is.
pub(crate) enum Lost {
    /// The repository is not where the worktree's link leads.
    Repository(PathBuf),
    /// It is there, and its entry of the worktree is gone or cannot be read.
    Entry(PathBuf),
    /// The worktree's `.git` file names no folder.
    Link(PathBuf),
}

/// Returns why git finds no repository at or above `dir`, and the repository whose worktree that
/// is.
pub(crate) fn lost(dir: &Path) -> Option<(Lost, Option<PathBuf>)> {
    let dir = dir.canonicalize().ok()?;
    let top = dir.ancestors().find(|dir| dir.join(".git").symlink_metadata().is_ok())?;
    let around = |is_it: &dyn Fn(&Path) -> bool| {
        top.ancestors().skip(1).find(|root| is_it(&root.join(".git/worktrees"))).map(Path::to_owned)
    };
    let named = match link(top) {
        Link::To(named) => named,
        Link::Garbage => {
            return Some((Lost::Link(top.to_owned()), around(&|entries| entries.is_dir())));
        }
        Link::None | Link::Repository => return None,
    };
    if named.parent().and_then(Path::file_name).is_none_or(|name| name != "worktrees") {
        return Some((Lost::Link(top.to_owned()), around(&|entries| entries.is_dir())));
    }
    let common = named.ancestors().nth(2).filter(|common| common.join("objects").is_dir());
    if let Some(common) = common {
        return Some((Lost::Entry(top.to_owned()), common.parent().map(Path::to_owned)));
    }
    let has_it = |entries: &Path| named.file_name().is_some_and(|n| entries.join(n).is_dir());
    Some((Lost::Repository(named.clone()), around(&has_it)))
}

fn link(folder: &Path) -> Link {
    let path = folder.join(".git");
    let Ok(about) = path.symlink_metadata() else { return Link::None };
    if !about.is_file() {
        return Link::Repository;
    }
    let text = fs::read(path).unwrap_or_default();
    match text.strip_prefix(b"gitdir: ") {
        Some(named) => Link::To(folder.join(path_of(named))),
        None => Link::Garbage,
    }
}

/// Returns whether a folder is a checkout of the repository with this folder of git's, or stands for it:
/// not one of its linked worktrees.
pub(crate) fn is_link_to(folder: &Path, common: &Path) -> bool {
    match link(folder) {
        Link::To(named) => is_same(&named, common),
        Link::Repository => is_same(&folder.join(".git"), common),
        Link::None | Link::Garbage => false,
    }
}

pub(crate) fn path_of(text: &[u8]) -> PathBuf {
    PathBuf::from(OsString::from_vec(text.strip_suffix(b"\n").unwrap_or(text).to_vec()))
}

fn is_folder(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|about| about.is_dir())
}

/// Returns whether a folder is linked to nothing that is there.
fn has_no_link(folder: &Path) -> bool {
    match link(folder) {
        Link::None | Link::Garbage => true,
        Link::To(named) => !named.is_dir(),
        Link::Repository => false,
    }
}

/// Returns whether a link names an entry like this one, in this repository or in that which was
/// copied.
fn is_named_alike(named: &Path, entry: &Entry) -> bool {
    let of_worktree = named.parent().and_then(Path::file_name);
    of_worktree.is_some_and(|name| name == "worktrees")
        && named.file_name() == entry.folder.file_name()
}

/// Returns the name of the entry that a folder is linked to and that is gone.
fn lost_entry(folder: &Path) -> Option<OsString> {
    let Link::To(named) = link(folder) else { return None };
    let is_entry = named.parent().and_then(Path::file_name).is_some_and(|n| n == "worktrees");
    let name = named.file_name().filter(|_| is_entry && !named.exists())?;
    Some(name.to_owned())
}

fn leads_to(folder: &Path, entry: &Entry) -> bool {
    matches!(link(folder), Link::To(named) if is_same(&named, &entry.folder))
}

/// Returns whether an entry says where HEAD is: on a branch, or at a commit.
fn has_head(entry: &Path) -> bool {
    let text = fs::read(entry.join("HEAD")).unwrap_or_default();
    let text = text.trim_ascii();
    let is_oid = matches!(text.len(), 40 | 64) && text.iter().all(u8::is_ascii_hexdigit);
    is_oid || text.strip_prefix(b"ref: ").is_some_and(|name| name.starts_with(b"refs/"))
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
