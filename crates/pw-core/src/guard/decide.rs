//! What a change of a file comes to, by where the file lies and whose it is.

use super::surroundings::{Surroundings, Target};
use crate::path::RepoPath;
use crate::plan::{Plan, Worker};

/// What a command does to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Writes it.
    Content,
    /// Removes it, with all that is below.
    Removal,
    /// Changes it, or all that is below.
    Deep,
    /// Makes a folder, or writes files into one that nobody can tell.
    Folder,
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
            return Some(format!("nobody can tell where {shown} lies; name the file another way"));
        }
        Target::Temporary | Target::Outside(_) => return None,
    };
    let is_own = match change {
        Change::Folder => true,
        Change::Content => plan.allows(worker, path),
        // What is not there stays away; what git does not know of is in nobody's way.
        Change::Removal => {
            plan.allows(worker, path)
                || covers(plan, worker, path)
                || !around.exists(path)
                || !around.is_tracked(path)
        }
        Change::Deep => plan.allows(worker, path) || covers(plan, worker, path),
    };
    if is_own || is_scratch(plan, around, path) {
        return None;
    }
    Some(match path.as_bytes().is_empty() {
        true => "this changes the files of all workers: name your own files".to_owned(),
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

/// Returns whether a worker owns all that could be in a folder.
fn covers(plan: &Plan, worker: &Worker, folder: &RepoPath) -> bool {
    let mut path = folder.as_bytes().to_vec();
    ["any", "any/any"].iter().all(|name| {
        path.truncate(folder.as_bytes().len());
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name.as_bytes());
        plan.allows(worker, &RepoPath::new(path.clone()))
    })
}

/// Returns whether no commit will ever hold what is written there, and nobody owns it.
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
            "{path} is in nobody's scope, so not in that of {}. If the work needs it, run \
             `pw-worker blocked \"needs {path}\"` and tell the user",
            worker.id
        ),
    }
}
