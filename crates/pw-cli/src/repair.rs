//! What a worker has besides its branch: a worktree that git finds, hooks that hold its commits to
//! its scope, a launcher. Checks whether all that is as it was made, and repairs it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use pw_core::branch::Branch;
use pw_core::gap::Gap;
use pw_core::next::Next;
use pw_core::plan::{Plan, Worker};
use pw_core::shell_word::shell_word;
use pw_git::{Entry, HookFolder, Repo, Whereabouts, Worktree};

use crate::identity;
use crate::launcher;
use crate::workflow::Workflow;

fn hooks(repo: &Repo, plan: &Plan, worker: &Worker) -> HookFolder {
    let worktree = repo.root().join(plan.worktree(worker));
    HookFolder { worktree, folder: launcher::folder(repo, plan, worker) }
}

/// Returns what is not as it was made, for each of these workers; an empty list where there is no
/// worktree.
pub(crate) fn gaps(workflow: &Workflow, workers: &[&Worker]) -> Result<Vec<Vec<Gap>>> {
    let Workflow { repo, plan, record, .. } = workflow;
    let is_there = |worker: &Worker| {
        record.is_made(&worker.id)
            && workflow.entry(worker).is_some()
            && repo.is_worktree_of_its_own(&workflow.worktree(worker))
    };
    let there: Vec<&Worker> = workers.iter().copied().filter(|worker| is_there(worker)).collect();
    let places: Vec<HookFolder> = match plan.git_hooks {
        true => there.iter().map(|worker| hooks(repo, plan, worker)).collect(),
        false => Vec::new(),
    };
    let mut found = repo.hook_gaps(&places)?.into_iter();
    let mut of = |worker: &Worker| {
        let port = record.placements.get(&worker.id).and_then(|placement| placement.port);
        let mut gaps = found.next().unwrap_or_default();
        gaps.extend(launcher::gaps(repo, plan, worker, port));
        gaps
    };
    let is_there = |worker: &Worker| there.iter().any(|known| known.id == worker.id);
    Ok(workers
        .iter()
        .map(|worker| if is_there(worker) { of(worker) } else { Vec::new() })
        .collect())
}

/// Makes the hooks and launchers of workers as they have to be; each has its port beside it.
pub(crate) fn write(repo: &Repo, plan: &Plan, workers: &[(&Worker, Option<u16>)]) -> Result<()> {
    for (worker, port) in workers {
        launcher::write(repo, plan, worker, *port)?;
    }
    if !plan.git_hooks {
        return Ok(());
    }
    let places: Vec<HookFolder> =
        workers.iter().map(|(worker, _)| hooks(repo, plan, worker)).collect();
    for place in &places {
        repo.write_hooks(place)?;
    }
    repo.use_hooks(&places)
}

/// Returns where a worker's worktree is that git does not find at its recorded path.
pub(crate) fn whereabouts(repo: &Repo, plan: &Plan, worker: &Worker) -> Whereabouts {
    let place = repo.root().join(plan.worktree(worker));
    repo.whereabouts(&place, &plan.lock_reason(worker), &worker.branch())
}

/// Returns whether a worker's worktree is at its path; git may list another worker's worktree
/// there.
pub(crate) fn is_in_place(repo: &Repo, plan: &Plan, worker: &Worker) -> bool {
    let place = repo.root().join(plan.worktree(worker));
    let locked = repo.own_git_dir(&place).and_then(|own| identity::locked(&own));
    let mut entries = repo.worktrees().iter().filter(|worktree| worktree.path == place);
    repo.is_worktree_of_its_own(&place)
        && !entries.any(|entry| identity::is_users(repo, entry, &worker.branch()))
        && locked.is_none_or(|(workflow, id)| workflow == plan.workflow && id == worker.id)
}

/// Moves worktrees that are at each other's paths aside, so that each path is free for its own.
/// After a kill the next repair finds them where they are.
pub(crate) fn make_room(workflow: &Workflow, workers: &[Worker]) -> Result<()> {
    let Workflow { repo, plan, .. } = workflow;
    let places: Vec<PathBuf> = workers.iter().map(|worker| workflow.worktree(worker)).collect();
    for worker in workers {
        let place = workflow.worktree(worker);
        if is_in_place(repo, plan, worker) {
            continue;
        }
        let Whereabouts::At(found, _) = whereabouts(repo, plan, worker) else { continue };
        let is_taken = |place: &PathBuf| {
            !place.is_symlink() && place.canonicalize().is_ok_and(|place| place == found)
        };
        if places.iter().any(is_taken) {
            let aside = place.with_file_name(format!(".{}.moved", worker.label()));
            std::fs::rename(&found, &aside)
                .with_context(|| format!("moving {} to {}", found.display(), aside.display()))?;
        }
    }
    Ok(())
}

/// Makes git and a worker's worktree find each other again, and returns what was done; `None` when
/// they do, or when that is for the user to do.
pub(crate) fn relink(repo: &Repo, plan: &Plan, worker: &Worker) -> Result<Option<String>> {
    let place = repo.root().join(plan.worktree(worker));
    if is_in_place(repo, plan, worker) {
        return Ok(None);
    }
    let branch = worker.branch();
    let moved_back = |from: &Path| format!("moved back from {}", from.display());
    match whereabouts(repo, plan, worker) {
        Whereabouts::Unlinked(entry) => {
            repo.relink(&place, &entry, Some(&branch))?;
            if is_elsewhere(repo, &entry) {
                // The noted session is that of the original repository.
                let _ = std::fs::remove_file(launcher::folder(repo, plan, worker).join("session"));
            }
            Ok(Some("linked to this repository again".to_owned()))
        }
        Whereabouts::At(from, entry) => {
            let is_back = repo.bring_back(&from, &place, &entry, &branch)?;
            Ok(is_back.then(|| moved_back(&from)))
        }
        Whereabouts::Unregistered(from) => {
            if elsewhere(repo, &branch).is_some()
                || !repo.register(&from, &place, &branch, &plan.lock_reason(worker))?
            {
                return Ok(None);
            }
            let anew = "git's entry of it was gone and is made anew: all files are as they were, \
                        and nothing is staged";
            Ok(Some(match from == place {
                true => anew.to_owned(),
                false => format!("{}; {anew}", moved_back(&from)),
            }))
        }
        Whereabouts::Occupied | Whereabouts::Unknown => Ok(None),
    }
}

/// Returns the worktree that has a branch checked out, as git lists it.
fn elsewhere<'a>(repo: &'a Repo, branch: &Branch) -> Option<&'a Worktree> {
    repo.worktrees().iter().find(|worktree| worktree.branch.as_ref() == Some(branch))
}

/// Says what the user has to do about a worktree that [`relink`] left as it is.
pub(crate) fn what_remains(workflow: &Workflow, worker: &Worker) -> String {
    let Workflow { repo, plan, .. } = workflow;
    let (place, repair) = (workflow.worktree(worker), Next::Repair(Some(&plan.workflow)));
    let word = |path: &Path| shell_word(&path.to_string_lossy());
    let (shown, branch) = (place.display(), worker.branch());
    let free = || match place.symlink_metadata() {
        Err(_) => String::new(),
        Ok(about) if about.is_symlink() => format!("rm {} && ", word(&place)),
        Ok(_) => format!("mv {0} {0}.other && ", word(&place)),
    };
    let found = whereabouts(repo, plan, worker);
    match found {
        Whereabouts::Unregistered(_) if let Some(other) = elsewhere(repo, &branch) => format!(
            "git's entry of its worktree is gone, and {branch} is checked out in {}: switch that to \
             another branch, then {repair}",
            other.path.display()
        ),
        Whereabouts::At(from, _) | Whereabouts::Unregistered(from) if from != place => format!(
            "its worktree is at {}, and did not go back to {shown}: {}mv {} {} && {repair}",
            from.display(),
            free(),
            word(&from),
            word(&place)
        ),
        Whereabouts::Unknown => format!(
            "its worktree was not found: move it back to {shown}, or let pw-setup advance {} make it anew from its branch",
            plan.workflow
        ),
        _ => {
            format!("{shown} is not its worktree: move it away, {}{repair}", free())
        }
    }
}

/// Returns whether git's entry leads to another worktree, since the repository is a copy.
fn is_elsewhere(repo: &Repo, entry: &Entry) -> bool {
    entry.path.is_dir() && repo.linked(&entry.path).is_none()
}

/// The same for a worktree in which a merge is resolved.
pub(crate) fn relink_resolutions(repo: &Repo, plan: &Plan) -> Result<()> {
    let reason = format!("pw {} integration", plan.workflow);
    for entry in repo.entries(|known| known == reason) {
        let Some(name) = entry.path.file_name() else { continue };
        let place = repo.root().join(&plan.worktrees).join(name);
        if place.is_dir() && !repo.is_worktree_of_its_own(&place) {
            repo.relink(&place, &entry, None)?;
        }
    }
    Ok(())
}
