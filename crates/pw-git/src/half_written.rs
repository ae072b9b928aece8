//! Files of a checkout that git was writing when it was killed, or failed: put back, so that the
//! next attempt finds what the first one found.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use pw_core::blob::{Blob, FileMode};
use pw_core::history::{Change, CommitRange, Content};
use pw_core::id::Oid;
use pw_core::lock;
use pw_core::path::RepoPath;

use crate::changes::joined;
use crate::{Lock, Repo, survey};

/// A file that is another one in a later commit.
pub(crate) struct Changed {
    /// What it is in the earlier commit, and in the later one.
    pub(crate) sides: [Option<Blob>; 2],
    pub(crate) path: RepoPath,
}

impl Repo {
    /// Keeps two helpers from bringing other commits into one worktree, and waits for the git of one
    /// that was killed.
    ///
    /// # Errors
    ///
    /// `locked`, with what the holder wrote there.
    pub fn hold_worktree(&self, worktree: &Path, command: &str, now: &str) -> Result<Lock> {
        Lock::take(&self.require_git_dir(worktree)?, command, now)
    }

    fn require_git_dir(&self, worktree: &Path) -> Result<PathBuf> {
        let own = self.own_git_dir(worktree);
        own.with_context(|| format!("{} is no worktree", worktree.display()))
    }

    /// Puts back what a killed helper's git wrote, for a command that brings nothing in.
    ///
    /// # Errors
    ///
    /// `locked` while another helper does.
    pub fn recover_worktree(&self, worktree: &Path, command: &str, now: &str) -> Result<()> {
        let is_begun = |own: PathBuf| mark(&own).is_file();
        if !self.own_git_dir(worktree).is_some_and(is_begun) {
            return Ok(());
        }
        let _held = self.hold_worktree(worktree, command, now)?;
        self.put_back_written(worktree)
    }

    /// Runs `write`, by which git takes `commit` into a worktree whose HEAD is `before`. Where it fails
    /// what it wrote is put back; where it is killed [`Self::put_back_written`] does that.
    ///
    /// # Errors
    ///
    /// `locked` while another git holds the index.
    pub(crate) fn writing<T>(
        &self,
        worktree: &Path,
        before: &Oid,
        commit: &Oid,
        write: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        self.require_free_index(worktree)?;
        let own = self.require_git_dir(worktree)?;
        let mark = mark(&own);
        std::fs::create_dir_all(own.join("pw"))
            .and_then(|()| std::fs::write(&mark, format!("{before} {commit}")))
            .with_context(|| format!("writing {}", mark.display()))?;
        let written = write();
        // Where that does not work, the next run does it.
        let _ = match &written {
            Ok(_) => std::fs::remove_file(&mark).map_err(Into::into),
            Err(_) => self.put_back_written(worktree),
        };
        written
    }

    /// Refuses while another git holds the index, or a killed one left its lock: git merge says only that
    /// it cannot write.
    ///
    /// # Errors
    ///
    /// `locked`, with the file.
    pub(crate) fn require_free_index(&self, worktree: &Path) -> Result<()> {
        let lock = self.require_git_dir(worktree)?.join("index.lock");
        match lock.symlink_metadata() {
            Ok(_) => Err(lock::taken(lock.display().to_string()).into()),
            Err(_) => Ok(()),
        }
    }

    /// Puts the files of a worktree back as they were before git was cut short, and did not move
    /// HEAD: those that are gone, or as far as they are what git was to write.
    pub fn put_back_written(&self, worktree: &Path) -> Result<()> {
        let Some(own) = self.own_git_dir(worktree) else { return Ok(()) };
        let mark = mark(&own);
        let Ok(begun) = std::fs::read_to_string(&mark) else { return Ok(()) };
        let mut oids = begun.split(' ').map(str::parse::<Oid>);
        if let (Some(Ok(before)), Some(Ok(commit))) = (oids.next(), oids.next())
            && self.read_head(worktree)?.oid == before
            // All files are merged then, and the worktree's session may conclude it.
            && self.merge_head(worktree)?.is_none()
        {
            self.unwrite(worktree, self.to_write(&before, &commit)?)?;
        }
        std::fs::remove_file(&mark).with_context(|| format!("removing {}", mark.display()))
    }

    /// Returns the files that git takes from `commit` as they are when it is merged into `before`.
    fn to_write(&self, before: &Oid, commit: &Oid) -> Result<Vec<Changed>> {
        let mut changes = self.changed_files(before, commit)?;
        let Some(base) = self.merge_base(before, commit)? else { return Ok(Vec::new()) };
        if base != *before {
            let theirs = self.changed_files(&base, commit)?;
            let theirs: BTreeMap<_, _> =
                theirs.iter().map(|change| (&change.path, &change.sides)).collect();
            changes.retain(|change| theirs.get(&change.path) == Some(&&change.sides));
        }
        Ok(changes)
    }

    fn unwrite(&self, worktree: &Path, changes: Vec<Changed>) -> Result<()> {
        self.unstage(worktree, &changes)?;
        // New files first: one of them may lie in a folder that was a file.
        let (new, old): (Vec<_>, Vec<_>) =
            changes.into_iter().partition(|change| change.sides[0].is_none());
        for change in new {
            self.remove_written(worktree, &change)?;
        }
        let mut lost = Vec::new();
        for change in old {
            if self.is_lost(worktree, &change)? {
                lost.push(change.path);
            }
        }
        if lost.is_empty() {
            return Ok(());
        }
        let paths = joined(&lost);
        let call = self.git.at(worktree).user(["checkout-index", "--force", "-z", "--stdin"]);
        call.input(paths).run().map(drop)
    }

    /// Removes a new file that git wrote, and the folders that it leaves empty.
    fn remove_written(&self, worktree: &Path, change: &Changed) -> Result<()> {
        let Changed { sides: [_, new], path } = change;
        let Some(found) = content(worktree, path) else { return Ok(()) };
        if self.is_begin_of(&found, worktree, new.as_ref(), path)? {
            let place = worktree.join(path.to_path());
            std::fs::remove_file(&place)
                .with_context(|| format!("removing {}", place.display()))?;
            let mut folders =
                path.ancestors().map(|folder| worktree.join(RepoPath::new(folder).to_path()));
            while folders.next().is_some_and(|folder| std::fs::remove_dir(folder).is_ok()) {}
        }
        Ok(())
    }

    /// Returns whether a file that was there is gone, or is no more than what git wrote of it: of the
    /// new content, or of the old one in the attempt before.
    fn is_lost(&self, worktree: &Path, change: &Changed) -> Result<bool> {
        let Changed { sides: [old, new], path } = change;
        let place = worktree.join(path.to_path());
        if place.is_dir() && !place.is_symlink() && std::fs::remove_dir(&place).is_err() {
            return Ok(false);
        }
        let Some(found) = content(worktree, path) else { return Ok(true) };
        Ok(self.is_begin_of(&found, worktree, new.as_ref(), path)?
            || self.is_begin_of(&found, worktree, old.as_ref(), path)?)
    }

    /// Puts the index back where git had got as far as to write it, and then could not move the branch.
    fn unstage(&self, worktree: &Path, changes: &[Changed]) -> Result<()> {
        let git = self.git.at(worktree);
        let index = survey::index(&git)?;
        let index: BTreeMap<&RepoPath, (FileMode, &str)> =
            index.iter().map(|entry| (&entry.path, (entry.mode, &*entry.oid))).collect();
        let mut input = Vec::new();
        for Changed { sides: [old, new], path } in changes {
            let written = new.as_ref().map(|new| (new.mode, new.oid.as_str()));
            if index.get(path).copied() != written {
                continue;
            }
            let line = match old {
                Some(Blob { mode, oid }) => format!("{mode} {oid}\t"),
                None => {
                    format!("0 {}\t", "0".repeat(new.as_ref().map_or(40, |b| b.oid.as_str().len())))
                }
            };
            input.extend([line.as_bytes(), path.as_bytes(), b"\0"].concat());
        }
        if input.is_empty() {
            return Ok(());
        }
        git.user(["update-index", "-z", "--index-info"]).input(input).run().map(drop)
    }

    /// Returns whether a file has only what git would write for one side, as far as it came.
    fn is_begin_of(
        &self,
        found: &[u8],
        worktree: &Path,
        side: Option<&Blob>,
        path: &RepoPath,
    ) -> Result<bool> {
        let Some(Blob { mode, oid }) = side else { return Ok(false) };
        let whole = if *mode == FileMode::LINK {
            self.git.plumbing(["cat-file", "blob", oid.as_str()]).reader().bytes()?
        } else {
            self.filtered(worktree, path, oid)?
        };
        Ok(whole.starts_with(found))
    }

    /// Returns the files that differ between two commits, without submodules.
    pub(crate) fn changed_files(&self, from: &Oid, to: &Oid) -> Result<Vec<Changed>> {
        let whole = CommitRange { newest: to.clone(), parents: vec![from.clone()] };
        let changes = self.changes(&[whole])?.into_iter().flatten();
        let changed = |change: Change| {
            let side = |side: Option<Content>| side.and_then(|side| side.blob().cloned());
            Changed { sides: [side(change.old), side(change.new)], path: change.path }
        };
        let mut changes: Vec<_> = changes.map(changed).collect();
        let is_submodule =
            |side: &Option<Blob>| side.as_ref().is_some_and(|b| b.mode == FileMode::SUBMODULE);
        changes.retain(|change| !change.sides.iter().any(is_submodule));
        Ok(changes)
    }
}

/// Returns what is in a file, or where a link leads; `None` where there is neither, in the worktree
/// itself.
fn content(worktree: &Path, path: &RepoPath) -> Option<Vec<u8>> {
    let is_link = |folder: &[u8]| worktree.join(RepoPath::new(folder).to_path()).is_symlink();
    if path.ancestors().any(is_link) {
        return None;
    }
    let place = worktree.join(path.to_path());
    match std::fs::read_link(&place) {
        Ok(target) => Some(target.into_os_string().into_vec()),
        Err(_) => std::fs::read(&place).ok(),
    }
}

/// The file that says what git is taking in, in a worktree's private git folder.
fn mark(git_dir: &Path) -> PathBuf {
    git_dir.join("pw/written")
}
