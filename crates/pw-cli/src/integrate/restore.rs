//! `pw-integrate restore`: lists snapshots, or brings one back, or gives one to the remote.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use pw_core::branch::Branch;
use pw_core::details::Files;
use pw_core::failure::{Code, Failure};
use pw_core::next::{CommandLine, NextStep};
use pw_core::path::RepoPath;
use pw_core::record::Refs;
use pw_core::remote::RefChange;
use pw_core::snapshot::{Kept, PushedSnapshot, Restore, Restored, SnapshotId};
use pw_core::text::counted;
use pw_git::Transaction;

use crate::remote;
use crate::shell::{Answer, Context};
use crate::snapshot::{described, require, restore_command, snapshots};
use crate::view;
use crate::workflow::Workflow;

/// How many entries of a folder that is in the way are named.
const MAX_NAMED: usize = 20;

/// Where a snapshot is to be brought back to, or given to.
pub(super) enum Target<'a> {
    Worktree(&'a Path),
    Branch(&'a Branch),
    Remote { with_ignored: bool },
}

/// Lists the snapshots, or the named one; changes nothing.
pub(super) fn list(
    context: &Context,
    name: Option<&str>,
    wanted: Option<&SnapshotId>,
) -> Result<Answer> {
    let workflow = Workflow::open(context, name)?;
    let mut named = snapshots(&workflow);
    if let Some(id) = wanted {
        require(&workflow, id)?;
        named.retain(|(known, _)| known == id);
    }
    let kept = workflow.repo.snapshots(&named)?;
    let newest = kept.iter().max_by_key(|kept| kept.at);
    let next = newest.map(|kept| restore_command(&workflow, &kept.id));
    let answer = Restore {
        snapshots: described(context, &workflow, &kept),
        restored: None,
        pushed: None,
        next: next.map(|command| NextStep::new("restore", command)).into_iter().collect(),
        workflow: workflow.plan.workflow,
    };
    Answer::of(&answer, view::restore)
}

/// Brings a snapshot back, never over anything that is there.
pub(super) fn restore(
    context: &Context,
    name: Option<&str>,
    id: &SnapshotId,
    target: &Target<'_>,
) -> Result<Answer> {
    let (workflow, _lock) = Workflow::open_alone(context, name)?;
    let commit = require(&workflow, id)?;
    let kept = workflow.repo.snapshots(&[(id.clone(), commit.clone())])?;
    let known = kept.first().context("a snapshot is there once")?;
    let ((restored, next), pushed) = match target {
        Target::Worktree(path) => (some(into_worktree(context, &workflow, known, path)?), None),
        Target::Branch(branch) => (some(onto_branch(&workflow, known, branch)?), None),
        Target::Remote { with_ignored } => {
            let (pushed, next) = push(&workflow, known, *with_ignored)?;
            ((None, next), Some(pushed))
        }
    };
    let answer = Restore {
        snapshots: described(context, &workflow, &kept),
        restored,
        pushed,
        next: vec![next],
        workflow: workflow.plan.workflow,
    };
    Answer::of(&answer, view::restore)
}

fn some((restored, next): (Restored, NextStep)) -> (Option<Restored>, NextStep) {
    (Some(restored), next)
}

/// Pushes a snapshot, never over another one. What git ignores in the worktree is no one's to see
/// unless the user says so.
fn push(
    workflow: &Workflow,
    kept: &Kept,
    with_ignored: bool,
) -> Result<(PushedSnapshot, NextStep)> {
    let Workflow { repo, plan, .. } = workflow;
    let remote = remote::of(plan).ok_or_else(|| remote::no_remote(&plan.workflow))?;
    let ignored = &kept.changes.ignored;
    if let Some(first) = ignored.first().filter(|_| !with_ignored) {
        let count = counted(ignored.len(), "ignored file or folder");
        let message = format!("{} holds {count}, `{first}` first", kept.id);
        let hint = "who can read the remote could read them, keys and passwords too: on the user's \
                    word, say --with-ignored";
        return Err(Failure::new(Code::Usage, message).hint(hint).into());
    }
    let name = Refs(&plan.workflow).snapshot(&kept.id);
    let there = repo.remote_refs(&remote, std::slice::from_ref(&name))?.map_err(Failure::from)?;
    let old = there.get(&name);
    if let Some(other) = old.filter(|other| **other != kept.commit) {
        let message = format!("{} has another {}: {}", remote.name, kept.id, other.short());
        let hint = "bring this one back with --branch, and push that branch";
        return Err(Failure::new(Code::RemoteMoved, message).hint(hint).into());
    }
    if old.is_none() {
        let new = Some(kept.commit.clone());
        let change = RefChange { name: name.clone(), new, old: None };
        repo.push_refs(&remote, &[change])?.map_err(Failure::from)?;
    }
    let fetch = CommandLine::of("git fetch").word(&remote.name).word(format!("{name}:{name}"));
    let pushed = PushedSnapshot { snapshot: kept.id.clone(), remote: remote.name, name };
    Ok((pushed, NextStep::new("fetch", fetch)))
}

fn into_worktree(
    context: &Context,
    workflow: &Workflow,
    kept: &Kept,
    path: &Path,
) -> Result<(Restored, NextStep)> {
    let repo = &workflow.repo;
    let Some(head) = &kept.head else {
        let message = format!("{} was taken before the first commit of its branch", kept.id);
        return Err(Failure::new(Code::Usage, message)
            .hint("bring it back with --branch instead of --into")
            .into());
    };
    let path = absolute(&context.directory.join(path))?;
    let reason = format!("pw {} restoring {}", workflow.plan.workflow, kept.id);
    let known = repo.worktrees().iter().find(|worktree| worktree.path == path);
    let files = match known {
        // A killed run began it: no answer has named it yet.
        Some(worktree) if worktree.locked.as_ref() == Some(&reason) => {
            require_nothing_else(workflow, &path, kept)?;
            repo.roll_back_worktree(&path, None)?;
            repo.restore_into(&path, &kept.commit, head, &reason)?
        }
        Some(worktree)
            if worktree.head.as_ref() == Some(head) && is_restored(workflow, &path, kept)? =>
        {
            repo.files_of(&kept.commit)?
        }
        _ => {
            require_free(&path)?;
            repo.forget_missing_worktree(&path)?;
            repo.restore_into(&path, &kept.commit, head, &reason)?
        }
    };
    let shown = path.to_string_lossy().into_owned();
    let is_free = |branch: &&Branch| workflow.branch(branch).is_none();
    let next = match kept.branch.as_ref().filter(is_free) {
        Some(branch) => NextStep::new("switch", CommandLine::git(&path, "switch -c").word(branch)),
        None => NextStep::new("look", CommandLine::git(&path, "status")),
    };
    let restored = Restored {
        snapshot: kept.id.clone(),
        worktree: Some(shown),
        branch: None,
        commit: head.clone(),
        files,
    };
    Ok((restored, next))
}

/// Returns whether a worktree is what an earlier run of the same command made of the snapshot.
fn is_restored(workflow: &Workflow, path: &Path, kept: &Kept) -> Result<bool> {
    let Workflow { repo, plan, .. } = workflow;
    let Ok(survey) = repo.survey(path, &plan.disposable) else { return Ok(false) };
    let now = repo.snapshot(path, &survey, "A look")?;
    repo.has_same_files(&now, &kept.commit)
}

fn onto_branch(workflow: &Workflow, kept: &Kept, branch: &Branch) -> Result<(Restored, NextStep)> {
    let repo = &workflow.repo;
    if !repo.is_branch_name(branch.as_str())? {
        let message = format!("{:?} cannot be the name of a branch", branch.as_str());
        return Err(Failure::new(Code::Usage, message).hint("choose another name").into());
    }
    let title = format!("Restore {}", kept.id);
    let commit = repo.commit_of_snapshot(&kept.commit, kept.head.as_ref(), &title)?;
    let there = workflow.branch(branch);
    if there != Some(&commit) {
        let transaction = Transaction::default().set(&branch.full(), &commit, None);
        if there.is_some() || !transaction.commit(repo)? {
            return Err(
                in_the_way(format!("a branch is in the way of {branch}"), Vec::new()).into()
            );
        }
    }
    let command = CommandLine::of("git show --stat").word(branch);
    let restored = Restored {
        snapshot: kept.id.clone(),
        worktree: None,
        branch: Some(branch.to_owned()),
        commit,
        files: repo.files_of(&kept.commit)?,
    };
    Ok((restored, NextStep::new("look", command)))
}

/// Refuses where another process put a file into what a killed run left.
fn require_nothing_else(workflow: &Workflow, path: &Path, kept: &Kept) -> Result<()> {
    if !path.is_dir() {
        return Ok(());
    }
    match workflow.repo.foreign_file(path, &kept.commit)? {
        Some(file) => {
            let message = format!("{} was begun, and is not ours alone any more", path.display());
            Err(in_the_way(message, vec![file]).into())
        }
        None => Ok(()),
    }
}

/// Refuses a path where anything is.
fn require_free(path: &Path) -> Result<()> {
    let Ok(about) = path.symlink_metadata() else { return Ok(()) };
    let name = |name: &OsStr| RepoPath::new(name.as_bytes());
    let mut names: Vec<RepoPath> = if about.is_dir() {
        let entries =
            std::fs::read_dir(path).with_context(|| format!("reading {}", path.display()))?;
        entries.filter_map(|entry| Some(name(&entry.ok()?.file_name()))).collect()
    } else {
        vec![name(path.file_name().unwrap_or_default())]
    };
    if names.is_empty() {
        return Ok(());
    }
    names.sort();
    names.truncate(MAX_NAMED);
    Err(in_the_way(format!("{} is there already", path.display()), names).into())
}

fn in_the_way(message: String, paths: Vec<RepoPath>) -> Failure {
    Failure::new(Code::InTheWay, message)
        .hint("nothing is restored over anything: name a place or a branch that does not exist")
        .details(Files { paths })
}

/// Returns the path as git will list it: links of the folders above resolved.
fn absolute(path: &Path) -> Result<PathBuf> {
    let mut missing = Vec::new();
    let mut there = path;
    loop {
        if let Ok(found) = there.canonicalize() {
            return Ok(missing.iter().rev().fold(found, |path, name| path.join(name)));
        }
        let name = there.file_name();
        missing.push(name.with_context(|| format!("{} has no name", path.display()))?);
        there = there.parent().with_context(|| format!("{} has no folder", path.display()))?;
    }
}
