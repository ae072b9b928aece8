//! Decides about the change of a file by where the file lies and which worker owns it.

use super::surroundings::{Surroundings, Target};
use crate::path::RepoPath;
use crate::plan::{Plan, Worker};
use crate::scope::{Scope, overlaps};

/// What a command does to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Writes it.
    Content,
    /// Makes a link there.
    Link,
    /// Removes it, with all that is below.
    Removal,
    /// Changes it, or all that is below.
    Deep,
    /// Makes a folder, which git does not see.
    Folder,
    /// Writes files into a folder, and only a run would tell which.
    Within,
    /// Removes such files.
    RemovalWithin,
}

/// Returns why a worker may not change what lies there, if it may not.
pub(super) fn change(
    plan: &Plan,
    worker: &Worker,
    around: &dyn Surroundings,
    change: Change,
    target: &Target,
) -> Option<String> {
    let path = match target {
        Target::Inside(path) => path,
        Target::Git => return Some("git's own folder is changed by git alone".to_owned()),
        Target::Elsewhere(shown) => {
            return Some(format!(
                "{shown} is not in your worktree: change the file of the same name in your own worktree, if you own it"
            ));
        }
        Target::Unclear(shown) => {
            return Some(format!("where {shown} lies cannot be told; name the file another way"));
        }
        Target::Temporary | Target::Outside(_) => return None,
    };
    let is_own = match change {
        Change::Folder => true,
        Change::Within => reaches(plan, worker, path),
        Change::RemovalWithin => {
            reaches(plan, worker, path) || !around.exists(path) || !around.is_tracked(path)
        }
        Change::Content | Change::Link => plan.allows(worker, path),
        // Removing what is not there changes nothing; an untracked file is no other worker's.
        Change::Removal => {
            plan.allows(worker, path)
                || covers(plan, worker, path)
                || !around.exists(path)
                || !around.is_tracked(path)
        }
        Change::Deep => plan.allows(worker, path) || covers(plan, worker, path),
    };
    let is_within = matches!(change, Change::Within | Change::RemovalWithin);
    // `target/` is ignored as a folder, which may not be there yet.
    let scratch = if is_within { entry(path, "any") } else { path.clone() };
    if is_own || is_scratch(plan, around, &scratch) {
        return None;
    }
    if path.as_bytes().is_empty() {
        return Some("this changes the files of all workers: name your own files".to_owned());
    }
    let is_folder = matches!(change, Change::Deep | Change::Removal)
        && owner(plan, path).is_none()
        && around.is_folder(&format!("{}/{path}", around.worktree()));
    Some(match is_folder {
        true if reaches(plan, worker, path) => {
            format!("not all that is in {path} is yours: name your own files")
        }
        true => format!("nothing in {path} is yours: name your own files"),
        false => foreign(plan, worker, path),
    })
}

/// Returns whether a path in the worker's worktree is in its scope.
pub(super) fn is_own(plan: &Plan, worker: &Worker, around: &dyn Surroundings, path: &str) -> bool {
    match around.target(path) {
        Target::Inside(path) => plan.allows(worker, &path),
        _ => false,
    }
}

/// Returns whether a path names one tracked file of the worker's worktree.
pub(super) fn is_tracked_file(around: &dyn Surroundings, path: &str) -> bool {
    match around.target(path) {
        Target::Inside(inside) => around.is_tracked(&inside) && !around.is_folder(path),
        _ => false,
    }
}

/// Returns whether a worker owns any of what could be in a folder.
fn reaches(plan: &Plan, worker: &Worker, folder: &RepoPath) -> bool {
    // What means something to a glob may be any letter here: better let pass than read as a class.
    let letter = |c: char| if "*?[]{}!\\".contains(c) || c.is_control() { '?' } else { c };
    let spelled: String = folder.to_string().chars().map(letter).collect();
    let glob = if spelled.is_empty() { "**".to_owned() } else { format!("{spelled}/**") };
    let Ok(below) = Scope::parse(&[glob]) else { return true };
    [&worker.owns, &plan.shared].iter().any(|scope| !overlaps(&[scope, &below]).is_empty())
}

/// Returns whether a worker owns all that could be in a folder.
fn covers(plan: &Plan, worker: &Worker, folder: &RepoPath) -> bool {
    ["any", "any/any"].iter().all(|name| plan.allows(worker, &entry(folder, name)))
}

fn entry(folder: &RepoPath, name: &str) -> RepoPath {
    let mut path = folder.as_bytes().to_vec();
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name.as_bytes());
    RepoPath::new(path)
}

/// Returns whether a path is ignored and no worker owns it: no commit will ever hold it.
pub(super) fn is_scratch(plan: &Plan, around: &dyn Surroundings, path: &RepoPath) -> bool {
    owner(plan, path).is_none() && !path.as_bytes().is_empty() && around.is_ignored(path)
}

fn owner<'a>(plan: &'a Plan, path: &RepoPath) -> Option<&'a Worker> {
    plan.workers.iter().find(|other| other.owns.owns(path))
}

/// Says whose file it is and what to do instead of changing it.
pub(super) fn foreign(plan: &Plan, worker: &Worker, path: &RepoPath) -> String {
    match owner(plan, path) {
        Some(owner) => format!(
            "{path} is owned by {owner}, not by {me}. Do not change it; if you need something in it, run \
             `pw-worker needs {owner} ITEM \"what for\"`, which commits [NEEDS:{owner}/ITEM]",
            owner = owner.id,
            me = worker.id,
        ),
        None => format!(
            "{path} is in no worker's scope, so not in that of {}. If the work needs it, run \
             `pw-worker blocked \"needs {path}\"` and tell the user",
            worker.id
        ),
    }
}
