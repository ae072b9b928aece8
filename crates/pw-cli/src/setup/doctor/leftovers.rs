//! What earlier work left in a repository: locks, workflows that are over, worktrees and branches
//! that no record knows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::Result;
use pw_core::branch::Branch;
use pw_core::diagnosis::leftovers::{self, Condition, Held, LockFile, Recorded, Stray};
use pw_core::diagnosis::{About, Diagnosis};
use pw_core::id::{Oid, Slug};
use pw_core::lock::Holder;
use pw_core::time::{Seconds, parse_rfc3339};
use pw_git::Repo;

use crate::command::program;
use crate::identity;
use crate::shell::Context;
use crate::workflow::{Workflow, is_closed, recorded};

/// Where git puts locks, in the folder that all worktrees share and in that of each.
const LOCKS: [&str; 7] = [
    "index.lock",
    "HEAD.lock",
    "config.lock",
    "config.worktree.lock",
    "packed-refs.lock",
    "shallow.lock",
    "reftable/tables.list.lock",
];
/// How many folders of refs are looked through for locks.
const MAX_FOLDERS: usize = 2_000;

pub(super) fn locks(context: &Context, repo: &Repo) -> Vec<Diagnosis> {
    let linked = std::fs::read_dir(repo.common().join("worktrees")).into_iter().flatten().flatten();
    let folders = linked.map(|entry| entry.path()).chain([repo.common().to_owned()]);
    let named = folders.flat_map(|folder| LOCKS.map(|name| folder.join(name)));
    let all = named.chain(of_refs(&repo.common().join("refs")));
    let mut found: Vec<LockFile> = all.filter_map(|path| lock_file(context, path)).collect();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    leftovers::locks(&found, held(context, repo).as_ref())
}

fn lock_file(context: &Context, path: PathBuf) -> Option<LockFile> {
    let modified = path.symlink_metadata().ok()?.modified().ok()?;
    let modified = modified.duration_since(UNIX_EPOCH).ok()?.as_secs();
    let age = context.now - Seconds::try_from(modified).ok()?;
    Some(LockFile { path, age: age.max(0) })
}

/// Returns the locks of single refs.
fn of_refs(refs: &Path) -> Vec<PathBuf> {
    let (mut folders, mut found, mut looked) = (vec![refs.to_owned()], Vec::new(), 0);
    while let Some(folder) = folders.pop().filter(|_| looked < MAX_FOLDERS) {
        looked += 1;
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(path),
                _ if path.extension().is_some_and(|ext| ext == "lock") => found.push(path),
                _ => {}
            }
        }
    }
    found
}

/// Returns who holds our lock. It is not tried: a helper that came at that moment would be refused.
/// What a helper wrote there stays when it ends, so its process is looked for.
fn held(context: &Context, repo: &Repo) -> Option<Held> {
    let text = std::fs::read_to_string(repo.common().join("pw/lock")).ok()?;
    let holder = Holder::parse(&text);
    let process = holder.process?.to_string();
    let listed = program("ps").args(["-o", "args=", "-p", &process]).output().ok()?;
    let is_ours = String::from_utf8_lossy(&listed.stdout).contains("pw-");
    let since = parse_rfc3339(holder.since.as_deref()?)?;
    is_ours.then(|| Held { holder, age: (context.now - since).max(0) })
}

pub(super) fn of_workflows(
    context: &Context,
    repo: &Repo,
    refs: &BTreeMap<String, Oid>,
) -> Result<Vec<Diagnosis>> {
    let opened: Vec<(Slug, Result<(Workflow, Condition)>)> = recorded(refs)
        .into_iter()
        .map(|(name, tip)| (name, open(context, repo, refs, tip)))
        .collect();
    let known: Vec<Recorded> = opened
        .iter()
        .map(|(name, opened)| Recorded {
            workflow: name.clone(),
            condition: match opened {
                Ok((_, condition)) => Ok(*condition),
                Err(error) => Err(format!("{error:#}")),
            },
        })
        .collect();
    let mut found = leftovers::workflows(&known);
    // Whose branches those of an unreadable record are cannot be told.
    let readable: Option<Vec<&Workflow>> =
        opened.iter().map(|(_, opened)| Some(&opened.as_ref().ok()?.0)).collect();
    match readable {
        Some(workflows) => {
            let branches = unclaimed(&workflows, refs);
            found.extend(leftovers::worktrees(&strays(repo, &workflows), &branches));
        }
        None => found.push(About::Worktrees.note("which worktrees are left over is not known")),
    }
    Ok(found)
}

fn open(
    context: &Context,
    repo: &Repo,
    refs: &BTreeMap<String, Oid>,
    tip: Oid,
) -> Result<(Workflow, Condition)> {
    let workflow = Workflow::load(repo.clone(), refs.clone(), tip)?;
    let condition = if is_closed(refs, &workflow.plan.workflow, &workflow.record_tip) {
        Condition::Closed
    } else if workflow.committed(context.now)?.landed().is_some() {
        Condition::Landed
    } else {
        Condition::Open
    };
    Ok((workflow, condition))
}

/// Returns worktrees that are locked as a worker's, or as another one of a workflow, which no record
/// has.
fn strays(repo: &Repo, workflows: &[&Workflow]) -> Vec<Stray> {
    let is_stray = |stray: &Stray| {
        let of = workflows.iter().find(|known| known.plan.workflow == stray.workflow);
        of.is_none_or(|known| {
            known.plan.worker(&stray.worker).is_some() && !known.record.has(&stray.worker)
        })
    };
    let owned = repo.worktrees().iter().filter_map(|worktree| {
        let (workflow, worker) = identity::owner(worktree)?;
        Some(Stray { path: worktree.path.clone(), workflow, worker })
    });
    owned.filter(is_stray).collect()
}

/// Returns branches that are called as ours are, and are of no recorded workflow.
fn unclaimed(workflows: &[&Workflow], refs: &BTreeMap<String, Oid>) -> Vec<String> {
    let branches = |workflow: &&Workflow| {
        let plan = &workflow.plan;
        let workers: Vec<Branch> = plan.workers.iter().map(|worker| worker.branch()).collect();
        workers.into_iter().chain([plan.integration_branch()])
    };
    let known: BTreeSet<Branch> = workflows.iter().flat_map(branches).collect();
    let ours =
        refs.keys().filter_map(|name| Branch::of_ref(name)).filter(Branch::is_called_as_ours);
    ours.filter(|branch| !known.contains(branch)).map(String::from).collect()
}
