//! Landing: the checkout of a branch, and moving it forward; remotes.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use pw_core::id::Oid;

use crate::{Repo, Worktree};

impl Repo {
    /// Returns the worktree that has a branch checked out, or is in the middle of rebasing or
    /// bisecting it.
    pub fn checkout_of(&self, branch: &str) -> Option<&Worktree> {
        let full = format!("refs/heads/{branch}");
        let has = |worktree: &&Worktree| {
            worktree.branch.as_deref() == Some(branch)
                || self
                    .own_git_dir(&worktree.path)
                    .is_some_and(|own| is_at_work_on(&own, branch, &full))
        };
        self.worktrees().iter().find(has)
    }

    /// Moves the branch that is checked out in a worktree forward to `commit`, and its files along;
    /// git refuses where anything uncommitted or ignored would be overwritten.
    pub fn fast_forward(&self, worktree: &Path, commit: &Oid) -> Result<()> {
        let options = [
            "merge",
            "--ff-only",
            "--quiet",
            "--no-stat",
            "--no-autostash",
            "--no-verify-signatures",
            "--no-overwrite-ignore",
        ];
        let args = options.into_iter().chain([commit.as_str()]);
        self.git.at(worktree).user(args).run()?;
        let head = self.read_head(worktree)?.oid;
        if head != *commit {
            bail!("git merge --ff-only {commit} left HEAD of {} at {head}", worktree.display());
        }
        Ok(())
    }

    /// Returns the names of the remotes.
    pub fn remotes(&self) -> Result<Vec<String>> {
        let answer = self.git.user(["remote"]).reader().bytes()?;
        Ok(String::from_utf8_lossy(&answer).lines().map(str::to_owned).collect())
    }
}

/// Returns whether a rebase or bisection of the branch goes on, while HEAD is detached.
fn is_at_work_on(git_dir: &Path, branch: &str, full: &str) -> bool {
    let says = |file: &str, name: &str| {
        let path: PathBuf = git_dir.join(file);
        std::fs::read_to_string(path).is_ok_and(|text| text.trim_end() == name)
    };
    says("rebase-merge/head-name", full)
        || says("rebase-apply/head-name", full)
        || says("BISECT_START", branch)
}
