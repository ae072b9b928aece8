//! What a worker has besides its branch: a worktree that git finds, hooks that hold its commits to
//! its scope, a launcher. Looks whether all that is as it was made, and makes it so again.

use anyhow::Result;
use pw_core::gap::Gap;
use pw_core::plan::{Plan, Worker};
use pw_git::{Entry, HookPlace, Repo, Whereabouts};

use crate::launch;
use crate::workflow::Workflow;

fn hooks(repo: &Repo, plan: &Plan, worker: &Worker) -> HookPlace {
    let worktree = repo.root().join(plan.worktree(worker));
    HookPlace { worktree, folder: launch::folder(repo, plan, worker) }
}

/// Returns what is not as it was made, for each of these workers; nothing where there is no worktree.
pub(crate) fn gaps(workflow: &Workflow, workers: &[&Worker]) -> Result<Vec<Vec<Gap>>> {
    let Workflow { repo, plan, record, .. } = workflow;
    let is_there = |worker: &Worker| {
        record.is_made(&worker.id)
            && workflow.entry(worker).is_some()
            && repo.is_worktree_of_its_own(&workflow.worktree(worker))
    };
    let there: Vec<&Worker> = workers.iter().copied().filter(|worker| is_there(worker)).collect();
    let places: Vec<HookPlace> = match plan.git_hooks {
        true => there.iter().map(|worker| hooks(repo, plan, worker)).collect(),
        false => Vec::new(),
    };
    let mut found = repo.hook_gaps(&places)?.into_iter();
    let mut of = |worker: &Worker| {
        let port = record.placements.get(&worker.id).and_then(|placement| placement.port);
        let mut gaps = found.next().unwrap_or_default();
        gaps.extend(launch::gaps(repo, plan, worker, port));
        gaps
    };
    let is_there = |worker: &Worker| there.iter().any(|known| known.id == worker.id);
    Ok(workers
        .iter()
        .map(|worker| if is_there(worker) { of(worker) } else { Vec::new() })
        .collect())
}

/// Makes a worker's hooks and launcher as they have to be.
pub(crate) fn write(repo: &Repo, plan: &Plan, worker: &Worker, port: Option<u16>) -> Result<()> {
    launch::write(repo, plan, worker, port)?;
    if !plan.git_hooks {
        return Ok(());
    }
    let place = hooks(repo, plan, worker);
    repo.write_hooks(&place)?;
    repo.use_hooks(&place)
}

/// Makes git and a worker's worktree find each other again, and returns what was done; `None` when
/// they do, or when there is nothing to find.
pub(crate) fn relink(repo: &Repo, plan: &Plan, worker: &Worker) -> Result<Option<String>> {
    let place = repo.root().join(plan.worktree(worker));
    if repo.is_worktree_of_its_own(&place) {
        return Ok(None);
    }
    match repo.whereabouts(&place, &plan.lock_reason(worker), &worker.branch()) {
        Whereabouts::Unlinked(entry) => {
            repo.relink(&place, &entry)?;
            if is_elsewhere(&entry) {
                // The session that is noted here is the original's.
                let _ = std::fs::remove_file(launch::folder(repo, plan, worker).join("session"));
            }
            Ok(Some("linked to this repository again".to_owned()))
        }
        Whereabouts::At(from, entry) => {
            repo.bring_back(&from, &place, &entry)?;
            Ok(Some(format!("moved back from {}", from.display())))
        }
        Whereabouts::Unknown => Ok(None),
    }
}

/// Returns whether what git took for this worktree is another one, since the repository is a copy.
fn is_elsewhere(entry: &Entry) -> bool {
    entry.path.is_dir()
}

/// The same for a worktree in which a merge is resolved.
pub(crate) fn relink_resolutions(repo: &Repo, plan: &Plan) -> Result<()> {
    let reason = format!("pw {} integration", plan.workflow);
    for entry in repo.entries(|known| known == reason) {
        let Some(name) = entry.path.file_name() else { continue };
        let place = repo.root().join(&plan.worktrees).join(name);
        if place.is_dir() && !repo.is_worktree_of_its_own(&place) {
            repo.relink(&place, &entry)?;
        }
    }
    Ok(())
}
