//! Landing: the checkout of a branch, and moving it forward; remotes.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::process::ChildStdout;

use anyhow::{Context as _, Result, bail};
use pw_core::blob::{Blob, FileMode};
use pw_core::branch::Branch;
use pw_core::history::{Change, CommitRange, Content};
use pw_core::id::Oid;
use pw_core::path::RepoPath;

use crate::changes::joined;
use crate::hook_trace;
use crate::overrides;
use crate::refs::note_change;
use crate::survey::parse_index;
use crate::{Repo, Worktree};

/// A file that is another one in a later commit.
struct Changed {
    /// What it is in the earlier commit, and in the later one.
    sides: [Option<Blob>; 2],
    path: RepoPath,
}

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
        let mark = self.landing_mark();
        let steps = format!("{before} {commit} ");
        std::fs::write(&mark, [steps.as_bytes(), worktree.as_os_str().as_bytes()].concat())
            .with_context(|| format!("writing {}", mark.display()))?;
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
        if let Err(error) = hook_trace::run(self, merge) {
            // Where that does not work either, the next run tries again.
            let _ = self.take_landing_back(worktree);
            return Err(error);
        }
        let head = self.read_head(worktree)?.oid;
        if head != *commit {
            bail!("git merge --ff-only {commit} left HEAD of {} at {head}", worktree.display());
        }
        note_change();
        std::fs::remove_file(&mark).with_context(|| format!("removing {}", mark.display()))
    }

    fn landing_mark(&self) -> PathBuf {
        self.common().join("pw/landing")
    }

    /// Puts the files of a checkout back as they were before a landing that was cut short, and did
    /// not move the branch: those that are gone, or as far as they are what git was to write.
    pub fn take_landing_back(&self, worktree: &Path) -> Result<()> {
        let mark = self.landing_mark();
        let Ok(begun) = std::fs::read(&mark) else { return Ok(()) };
        let mut words = begun.splitn(3, |byte| *byte == b' ');
        let mut oid = || std::str::from_utf8(words.next()?).ok()?.parse::<Oid>().ok();
        if let (Some(before), Some(commit)) = (oid(), oid())
            && words.next() == Some(worktree.as_os_str().as_bytes())
            && self.read_head(worktree)?.oid == before
        {
            self.unwrite(worktree, &before, &commit)?;
        }
        std::fs::remove_file(&mark).with_context(|| format!("removing {}", mark.display()))
    }

    fn unwrite(&self, worktree: &Path, before: &Oid, commit: &Oid) -> Result<()> {
        let mut lost = Vec::new();
        let changes = self.changed_files(before, commit)?;
        self.unstage(worktree, &changes)?;
        for change in changes {
            let place = worktree.join(change.path.to_path());
            let found = match std::fs::read_link(&place) {
                Ok(target) => Some(target.into_os_string().into_vec()),
                Err(_) if place.is_dir() => continue,
                Err(_) => std::fs::read(&place).ok(),
            };
            let [old, new] = &change.sides;
            match (found, old) {
                (None, None) => {}
                (None, Some(_)) => lost.push(change.path),
                (Some(found), None) => {
                    if self.is_begin_of(&found, worktree, new.as_ref(), &change.path)? {
                        std::fs::remove_file(&place)
                            .with_context(|| format!("removing {}", place.display()))?;
                    }
                }
                // The old content, too, may have been written in part: by the attempt before.
                (Some(found), old) => {
                    if self.is_begin_of(&found, worktree, new.as_ref(), &change.path)?
                        || self.is_begin_of(&found, worktree, old.as_ref(), &change.path)?
                    {
                        lost.push(change.path);
                    }
                }
            }
        }
        if lost.is_empty() {
            return Ok(());
        }
        let paths = joined(&lost);
        let call = self.git.at(worktree).user(["checkout-index", "--force", "-z", "--stdin"]);
        call.input(paths).run().map(drop)
    }

    /// Puts the index back where git had got as far as to write it, and then could not move the branch.
    fn unstage(&self, worktree: &Path, changes: &[Changed]) -> Result<()> {
        let git = self.git.at(worktree);
        let listed = git.user(["ls-files", "-z", "-v", "--stage"]).reader().bytes()?;
        let index = parse_index(&listed)?;
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
    fn changed_files(&self, from: &Oid, to: &Oid) -> Result<Vec<Changed>> {
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
