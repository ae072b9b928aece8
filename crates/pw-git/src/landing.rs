//! Landing: the checkout of a branch, and moving it forward; remotes.

use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ChildStdout;

use anyhow::{Context as _, Result, bail};
use pw_core::blob::Blob;
use pw_core::branch::Branch;
use pw_core::id::Oid;
use pw_core::path::RepoPath;

use crate::hook_trace;
use crate::overrides;
use crate::refs::note_change;
use crate::{Repo, Worktree};

impl Repo {
    /// Returns the worktree that has a branch checked out, or is in the middle of rebasing or
    /// bisecting it.
    pub fn checkout_of(&self, branch: &Branch) -> Option<&Worktree> {
        let has = |worktree: &&Worktree| {
            worktree.branch.as_ref() == Some(branch)
                || self.own_git_dir(&worktree.path).is_some_and(|own| is_at_work_on(&own, branch))
        };
        self.worktrees().iter().find(has)
    }

    /// Returns the branch that one of another name stands for, as `main` may for `master`; any other as
    /// it is.
    pub fn branch_behind(&self, branch: Branch) -> Result<Branch> {
        let ask = self.git.plumbing(["symbolic-ref", "--quiet", &branch.full()]).codes(&[0, 1]);
        let name = ask.reader().run()?.stdout;
        let target = Branch::of_ref(String::from_utf8_lossy(&name).trim_end());
        Ok(target.unwrap_or(branch))
    }

    /// Returns the branch that a worktree had checked out when the repository was opened.
    pub(crate) fn branch_of(&self, worktree: &Path) -> Option<&Branch> {
        self.worktrees().iter().find(|it| it.path == worktree)?.branch.as_ref()
    }

    /// Moves the branch that is checked out in a worktree forward from `before` to `commit`, and
    /// its files along; git refuses where anything uncommitted or ignored would be overwritten.
    ///
    /// What git wrote before it failed is taken back: there is no half of a landing.
    pub fn fast_forward(&self, worktree: &Path, before: &Oid, commit: &Oid) -> Result<()> {
        self.try_filters(worktree, before, commit)?;
        let options = [
            "merge",
            "--ff-only",
            "--quiet",
            "--no-stat",
            "--no-autostash",
            "--no-verify-signatures",
            "--no-overwrite-ignore",
        ];
        let args = overrides::of_merge().chain(options).chain([commit.as_str()]);
        let merge = self.git.at(worktree).user(args);
        let merge = merge.without_merge_options(self.branch_of(worktree));
        self.writing(worktree, before, commit, || hook_trace::run(self, merge))?;
        let head = self.read_head(worktree)?.oid;
        if head != *commit {
            bail!("git merge --ff-only {commit} left HEAD of {} at {head}", worktree.display());
        }
        note_change();
        Ok(())
    }

    /// Fails where a filter fails that a checkout of `commit` needs: git would stop in the middle.
    fn try_filters(&self, worktree: &Path, before: &Oid, commit: &Oid) -> Result<()> {
        let changes = self.changed_files(before, commit)?;
        let paths: Vec<RepoPath> = changes.iter().map(|change| change.path.clone()).collect();
        let filters = self.attributes(worktree, "filter", &paths)?;
        let mut input = Vec::new();
        for (change, filter) in changes.iter().zip(filters) {
            let is_named = filter.is_some_and(|name| name != "unset");
            let [_, Some(Blob { mode, oid })] = &change.sides else { continue };
            if is_named && mode.is_file() && !change.path.as_bytes().contains(&b'\n') {
                let line = [oid.as_str().as_bytes(), b" ", change.path.as_bytes(), b"\n"];
                input.extend(line.concat());
            }
        }
        if input.is_empty() {
            return Ok(());
        }
        let call = self.git.at(worktree).user(["cat-file", "--batch", "--filters"]).reader();
        let discard = |stdout: &mut BufReader<ChildStdout>| {
            std::io::copy(stdout, &mut std::io::sink()).context("reading from git cat-file")
        };
        call.input(input).stream(discard).map(drop)
    }

    /// Returns the names of the remotes.
    pub fn remotes(&self) -> Result<Vec<String>> {
        let answer = self.git.user(["remote"]).reader().bytes()?;
        Ok(String::from_utf8_lossy(&answer).lines().map(str::to_owned).collect())
    }
}

/// Returns whether a rebase or bisection of the branch goes on, while HEAD is detached.
fn is_at_work_on(git_dir: &Path, branch: &Branch) -> bool {
    let says = |file: &str, name: &str| {
        let path: PathBuf = git_dir.join(file);
        std::fs::read_to_string(path).is_ok_and(|text| text.trim_end() == name)
    };
    let full = branch.full();
    says("rebase-merge/head-name", &full)
        || says("rebase-apply/head-name", &full)
        || says("BISECT_START", branch.as_str())
}
