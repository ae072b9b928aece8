//! Looks at what a workflow will run and at what the repository and the machine lack for it; writes
//! nothing.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use pw_core::configured_hooks::ConfiguredHooks;
use pw_core::diagnosis::Hooks;
use pw_core::diagnosis::settings::signs_commits;
use pw_core::facts::WorktreeFacts;
use pw_core::id::Oid;
use pw_core::path::RepoPath;
use pw_core::prerequisites::{self, Found, Prerequisites};
use pw_core::text::bounded;
use pw_core::trial::Trial;
use pw_git::Repo;

use super::preflight::PlannedWorkflow;
use super::{message_hooks, prepare};

/// How much of what a signer said is repeated, in characters.
const MAX_SAID: usize = 200;

/// The hooks of the user's that run in a worker's worktree.
const HOOKS: [&str; 8] = [
    "pre-commit",
    "prepare-commit-msg",
    "commit-msg",
    "post-commit",
    "post-checkout",
    "pre-merge-commit",
    "post-merge",
    "pre-push",
];

/// Returns all of it, with the trial of a fresh worktree and other warnings. Without `is_tried`,
/// the message hooks are not run.
pub(super) fn look(
    planned: &PlannedWorkflow,
    is_tried: bool,
    trial: Option<Trial>,
    mut more: Vec<String>,
) -> Result<Prerequisites> {
    let found = found(planned)?;
    let mut hooks = None;
    if is_tried {
        let configured = ConfiguredHooks { settings: &found.settings, git: found.git };
        match message_hooks::tried(&planned.repo, &planned.plan, &planned.record.base, configured) {
            Ok(tried) => hooks = tried,
            Err(error) => more.push(format!("the message hooks could not be tried: {error:#}")),
        }
        more.extend(unsigned(planned, &found)?);
    }
    Ok(prerequisites::report(&planned.plan, &found, hooks, trial, more))
}

/// Warns where the user wants commits signed, and the signer signs none without the user at a terminal.
fn unsigned(planned: &PlannedWorkflow, found: &Found) -> Result<Option<String>> {
    if !signs_commits(&found.settings) {
        return Ok(None);
    }
    let said = planned.repo.tried_to_sign(&planned.record.base)?;
    Ok(said.map(|said| {
        let said = if said.is_empty() { "the signer did not end".to_owned() } else { said.replace('\n', "; ") };
        let said = bounded(&said, MAX_SAID);
        format!(
            "commit.gpgSign is set and no commit can be signed here, so that no worker's checkpoint passes: {said}; unlock \
             the key first, or git config commit.gpgSign false"
        )
    }))
}

fn found(planned: &PlannedWorkflow) -> Result<Found> {
    let PlannedWorkflow { repo, plan, record, .. } = planned;
    let uncommitted = match repo.checkout().map(|checkout| repo.tree_state(&checkout.path)) {
        Some(Ok(WorktreeFacts::Present(tree))) => tree.uncommitted(),
        _ => Vec::new(),
    };
    let behind =
        record.base_branch.as_ref().map(|branch| repo.behind_remote(branch)).transpose()?;
    // `setup` of workers that are there already may have made the folder of the hooks.
    let made = plan.workers.iter().filter(|worker| record.is_made(&worker.id));
    let made: Vec<PathBuf> = made.map(|worker| planned.worktree(worker)).collect();
    // One worktree stands for all: they have the same configuration, and branches named alike.
    let mut has_identity = repo.knows_author(repo.place())?;
    if let Some(worktree) = made.iter().find(|worktree| worktree.is_dir()) {
        has_identity &= repo.knows_author(worktree)?;
    }
    let new = plan.workers.iter().filter(|worker| planned.is_new(worker)).count();
    let (settings, git) = (repo.settings()?, repo.git_version()?);
    let configured = ConfiguredHooks { settings: &settings, git };
    Ok(Found {
        copies: prepare::files_to_copy(repo, plan)?,
        ignored: if plan.copy.is_empty() { Vec::new() } else { repo.ignored()? },
        uncommitted,
        behind: behind.flatten(),
        submodules: submodules(repo, &record.base)?,
        hooks: hooks(repo, &record.base, &made, configured)?,
        git,
        has_identity,
        settings,
        worktrees: new + 1,
        space: space(repo, &record.base, &plan.worktrees, new + 1)?,
    })
}

/// Returns the submodules that a commit names.
pub(super) fn submodules(repo: &Repo, base: &Oid) -> Result<Vec<RepoPath>> {
    let modules = repo.modules(repo.place(), Some(&format!("{base}:.gitmodules")))?;
    Ok(modules.into_iter().collect())
}

/// Returns the user's own hooks, and whether their folder will be there in fresh worktrees; in those
/// that are `made`, it may be by now.
pub(super) fn hooks(
    repo: &Repo,
    base: &Oid,
    made: &[PathBuf],
    configured: ConfiguredHooks<'_>,
) -> Result<Hooks> {
    let folder = repo.hooks_folder()?;
    let place = repo.place().join(&folder);
    let is_program = |path: &Path| {
        path.metadata()
            .is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
    };
    let is_in_folder = |name: &str| is_program(&place.join(name));
    let names =
        HOOKS.iter().filter(|name| is_in_folder(name) || !configured.commands(name).is_empty());
    let names: Vec<String> = names.map(|name| (*name).to_owned()).collect();
    let has_folder = folder.is_relative() && names.iter().any(|name| is_in_folder(name));
    let inside = folder.to_str().filter(|_| has_folder);
    let missing = match inside {
        Some(inside) if !repo.is_tracked(base, inside)? => {
            let is_there =
                !made.is_empty() && made.iter().all(|worktree| worktree.join(inside).is_dir());
            (!is_there).then(|| inside.to_owned())
        }
        _ => None,
    };
    Ok(Hooks { names, missing })
}

/// Returns how many bytes so many worktrees of a commit take in a folder, and how many are free.
pub(super) fn space(
    repo: &Repo,
    base: &Oid,
    folder: &str,
    worktrees: usize,
) -> Result<Option<[u64; 2]>> {
    let Some(size) = repo.size_of(base)? else { return Ok(None) };
    let needed = size.saturating_mul(u64::try_from(worktrees).unwrap_or(u64::MAX));
    let places = [repo.root().join(folder), repo.root().to_owned()];
    let free = |place: &PathBuf| {
        let about = rustix::fs::statvfs(place).ok()?;
        Some(about.f_bavail.saturating_mul(about.f_frsize))
    };
    Ok(places.iter().find_map(free).map(|free| [needed, free]))
}
