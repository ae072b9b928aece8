//! A worktree's folder under another name, so that no session writes into it between the last
//! survey and its removal.
//!
//! After a kill at any point the next run goes on: a folder that was only put aside is put back and
//! surveyed anew; the content of one that was discarded is kept elsewhere, and its removal is
//! finished.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::Repo;
use crate::process::all;

/// A worktree's folder under another name; dropping this without [`PendingRemoval::discard`] moves
/// it back.
#[derive(Debug)]
pub struct PendingRemoval {
    repo: Repo,
    original: PathBuf,
    is_over: bool,
}

impl Repo {
    /// Moves a worktree's folder to a name of its own; returns `None` if there is no folder.
    pub fn begin_removal(&self, path: &Path) -> Result<Option<PendingRemoval>> {
        self.recover_removal(path)?;
        if path.symlink_metadata().is_err() {
            return Ok(None);
        }
        let aside = pending_path(path);
        ensure!(
            aside.symlink_metadata().is_err(),
            "{} is in the way of {}",
            aside.display(),
            path.display()
        );
        std::fs::rename(path, &aside)
            .with_context(|| format!("moving {} aside", path.display()))?;
        let (repo, original) = (self.clone(), path.to_owned());
        Ok(Some(PendingRemoval { repo, original, is_over: false }))
    }

    /// Finishes what a killed run began with a folder: moves it back, or removes it if it was
    /// discarded.
    pub fn recover_removal(&self, path: &Path) -> Result<()> {
        if discarded_path(path).symlink_metadata().is_ok() {
            self.remove_discarded(&[path])?;
        }
        if pending_path(path).symlink_metadata().is_ok() {
            self.put_back(path)?;
        }
        Ok(())
    }

    fn put_back(&self, path: &Path) -> Result<()> {
        ensure!(path.symlink_metadata().is_err(), "{} is there again", path.display());
        let aside = pending_path(path);
        std::fs::rename(&aside, path)
            .with_context(|| format!("moving {} back", aside.display()))?;
        // git may have recorded the other path.
        match self.own_git_dir(path) {
            Some(_) => self.repair_worktree(path),
            None => Ok(()),
        }
    }

    /// Removes discarded folders, several at a time. Their registrations go first: after a kill in
    /// between, a folder is still there for the next run to find.
    pub fn remove_discarded(&self, worktrees: &[&Path]) -> Result<()> {
        let waiting: Vec<PathBuf> = worktrees.iter().map(|path| pending_path(path)).collect();
        let places = worktrees.iter().copied().chain(waiting.iter().map(PathBuf::as_path));
        let gone: Vec<&Path> = places.filter(|path| path.symlink_metadata().is_err()).collect();
        self.forget_missing_worktrees(&gone)?;
        let remove = |path: &&Path| {
            let over = discarded_path(path);
            std::fs::remove_dir_all(&over).with_context(|| format!("removing {}", over.display()))
        };
        all(worktrees, remove).into_iter().collect()
    }
}

impl PendingRemoval {
    /// Returns where the folder is while it is put aside.
    pub fn path(&self) -> PathBuf {
        pending_path(&self.original)
    }

    /// Puts the folder back where it was.
    pub fn put_back(mut self) -> Result<()> {
        self.is_over = true;
        self.repo.put_back(&self.original)
    }

    /// Removes the folder, whose content is kept elsewhere, and its registration as a worktree.
    pub fn discard(self) -> Result<()> {
        let (repo, original) = (self.repo.clone(), self.original.clone());
        self.give_up()?;
        repo.remove_discarded(&[&original])
    }

    /// Says that the folder's content is kept elsewhere. [`Repo::remove_discarded`] removes it, or the
    /// next run does.
    pub fn give_up(mut self) -> Result<()> {
        let (path, over) = (self.path(), discarded_path(&self.original));
        std::fs::rename(&path, over).with_context(|| format!("removing {}", path.display()))?;
        self.is_over = true;
        Ok(())
    }
}

impl Drop for PendingRemoval {
    fn drop(&mut self) {
        if !self.is_over {
            // Where it cannot be moved back, the next run finds it.
            let _ = self.repo.put_back(&self.original);
        }
    }
}

/// The name of a folder that is put aside and surveyed for the last time.
fn pending_path(path: &Path) -> PathBuf {
    named(".removing-", path)
}

/// The name of a discarded folder, whose content is kept elsewhere.
fn discarded_path(path: &Path) -> PathBuf {
    named(".removed-", path)
}

fn named(prefix: &str, path: &Path) -> PathBuf {
    let mut name = OsString::from(prefix);
    name.push(path.file_name().unwrap_or_default());
    path.with_file_name(name)
}
