//! Whose worktree is it: a worker's is locked with the names of its workflow and itself when it is
//! made. A folder or branch of the same name says nothing. And which branch is the base by now.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use pw_core::branch::Branch;
use pw_core::id::{Oid, Slug, WorkerId};
use pw_core::record::Record;
use pw_git::{Repo, Worktree};

/// Returns whose worktree a folder lies in, told from the worktree's own link to git, wherever it
/// was moved to.
pub(crate) fn below(folder: &Path) -> Option<(Slug, WorkerId)> {
    let link = folder.ancestors().map(|folder| folder.join(".git")).find(|git| git.is_file())?;
    let text = std::fs::read_to_string(&link).ok()?;
    let own = link.with_file_name(text.strip_prefix("gitdir: ")?.trim_end());
    locked(&own)
}

/// Returns whose a worktree is that has this folder of git's own.
pub(crate) fn locked(git_dir: &Path) -> Option<(Slug, WorkerId)> {
    read(std::fs::read_to_string(git_dir.join("locked")).ok()?.trim_end())
}

/// Returns the workflow and worker that a lock names; see [`pw_core::plan::Plan::lock_reason`].
pub(crate) fn owner(worktree: &Worktree) -> Option<(Slug, WorkerId)> {
    read(worktree.locked.as_deref()?)
}

fn read(lock: &str) -> Option<(Slug, WorkerId)> {
    let (workflow, worker) = lock.strip_prefix("pw ")?.split_once(' ')?;
    Some((workflow.parse().ok()?, worker.parse().ok()?))
}

/// Returns whether a worktree is another worker's. A worktree that the user has unlocked counts as
/// no other worker's.
pub(crate) fn is_others(worktree: &Worktree, workflow: &Slug, worker: &WorkerId) -> bool {
    owner(worktree).is_some_and(|(its, id)| its != *workflow || id != *worker)
}

/// Returns whether a worktree at a worker's place is one that the user made there, after moving the
/// worker's, which has its branch.
pub(crate) fn is_users(repo: &Repo, at_place: &Worktree, branch: &Branch) -> bool {
    let has_branch = |worktree: &Worktree| worktree.branch.as_ref() == Some(branch);
    at_place.locked.is_none() && !has_branch(at_place) && repo.worktrees().iter().any(has_branch)
}

/// Returns whether a worktree is another workflow's.
pub(crate) fn is_of_another(worktree: &Worktree, workflow: &Slug) -> bool {
    owner(worktree).is_some_and(|(its, _)| its != *workflow)
}

/// Returns the workflows that can have made a worktree: the one its lock names, or, where the user
/// has unlocked it, those that keep files about a worker of its branch's or folder's name.
pub(crate) fn candidates(repo: &Repo, worktree: &Worktree) -> Vec<Slug> {
    if let Some((workflow, _)) = owner(worktree) {
        return vec![workflow];
    }
    let branch = worktree.branch.as_ref().and_then(Branch::label);
    let folder = worktree.path.file_name().and_then(|name| name.to_str());
    let mut found: Vec<Slug> =
        [branch, folder].into_iter().flatten().flat_map(|label| holders(repo, label)).collect();
    found.dedup();
    found
}

/// Returns the workflows that keep files about a worker of this label, without asking git: they go
/// when the worker is cleaned up.
pub(crate) fn holders(repo: &Repo, label: &str) -> Vec<Slug> {
    let workflows = std::fs::read_dir(repo.common().join("pw")).into_iter().flatten().flatten();
    let known = workflows.filter(|workflow| workflow.path().join(label).is_dir());
    let mut found: Vec<Slug> =
        known.filter_map(|workflow| workflow.file_name().to_str()?.parse().ok()).collect();
    found.sort();
    found
}

/// Follows the base branch to the name that the user gave it since, as its reflog tells.
pub(crate) fn follow_base(
    repo: &Repo,
    record: &mut Record,
    refs: &BTreeMap<String, Oid>,
) -> Result<()> {
    let is_there = |branch: &Branch| refs.contains_key(&branch.full());
    let Some(old) = record.base_branch.clone().filter(|branch| !is_there(branch)) else {
        return Ok(());
    };
    let branches = refs.keys().filter_map(|name| Branch::of_ref(name));
    for branch in branches.filter(|branch| !branch.is_called_as_ours()) {
        if repo.was_renamed(&old, &branch)? {
            record.base_branch = Some(branch);
            return Ok(());
        }
    }
    Ok(())
}
