//! What git's own hooks ask: whose session this is, which files and which message it commits.
//!
//! `--no-verify` skips some of them: an exception for the user, which the monitor sees.

use std::io::Read as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use pw_core::details::Misplaced;
use pw_core::failure::{Code, Failure};
use pw_core::guard::{self, Store, Transaction};
use pw_core::id::{Slug, WorkerId};
use pw_core::path::RepoPath;
use pw_core::plan::Worker;
use pw_git::RefFiles;

use crate::identity;
use crate::session;
use crate::shell::Context as Shell;
use crate::workflow::Workflow;

/// The hook that asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Event {
    PreToolUse,
    SessionStart,
    Stop,
    ApplypatchMsg,
    CommitMsg,
    PreApplypatch,
    PreCommit,
    PreMergeCommit,
    PrepareCommitMsg,
    PreRebase,
    ReferenceTransaction,
}

/// The longest list of refs that is read.
const MAX_REFS: u64 = 64 << 20;

/// Returns why git may not go on, if it may not.
pub(super) fn run(shell: &Shell, event: Event, arguments: &[PathBuf]) -> Result<Option<String>> {
    match event {
        Event::PreCommit | Event::CommitMsg => commit(shell, event, arguments),
        Event::ReferenceTransaction => refs(shell, arguments),
        _ => whose(shell),
    }
}

/// Returns the worker in whose worktree git works, without asking git; `None` in any other one.
fn owner(shell: &Shell) -> Result<Option<(Slug, WorkerId)>> {
    let told = match std::env::var_os("GIT_DIR") {
        Some(dir) => identity::locked(&shell.directory.join(dir)),
        None => identity::below(&shell.directory),
    };
    if told.is_some() {
        return Ok(told);
    }
    // A worktree that the user has unlocked.
    match Workflow::open_here(shell) {
        Ok((workflow, worker)) => Ok(Some((workflow.plan.workflow, worker))),
        Err(error) if is_outside(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn whose(shell: &Shell) -> Result<Option<String>> {
    let Some((workflow, worker)) = owner(shell)? else { return Ok(None) };
    let refused = session::own().require(&workflow, &worker).err();
    Ok(refused.map(|failure| format!("{failure}; {}", failure.hint)))
}

fn refs(shell: &Shell, arguments: &[PathBuf]) -> Result<Option<String>> {
    let Some((workflow, worker)) = owner(shell)? else { return Ok(None) };
    let label = arguments.first().and_then(|label| label.to_str()).context("no label is named")?;
    let mut bytes = Vec::new();
    std::io::stdin().take(MAX_REFS).read_to_end(&mut bytes).context("reading which refs move")?;
    let action = std::env::var("GIT_REFLOG_ACTION").unwrap_or_default();
    let branch = format!("work/{label}");
    let lines = String::from_utf8_lossy(&bytes);
    let dir = std::env::var_os("GIT_DIR").map(|dir| shell.directory.join(dir));
    let files = dir.map(|dir| RefFiles::of(&dir));
    let has = |name: &str, value: &str, store: Store| {
        files.as_ref().is_some_and(|files| match store {
            Store::Loose => files.is_loose(name, value),
            Store::Packed => files.is_packed(name, value),
        })
    };
    let transaction = Transaction { lines: &lines, action: &action, branch: &branch, has: &has };
    Ok(guard::refs(&session::own(), &workflow, &worker, transaction))
}

fn commit(shell: &Shell, event: Event, arguments: &[PathBuf]) -> Result<Option<String>> {
    let session = session::own();
    let (workflow, id) = match Workflow::open_here(shell) {
        Ok(found) => found,
        Err(error) if is_outside(&error) && !session.is_worker() => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let worker = workflow.worker(&id)?;
    if let Err(failure) = session.require(&workflow.plan.workflow, &worker.id) {
        return Ok(Some(format!("{failure}; {}", failure.hint)));
    }
    // With another repository in `GIT_DIR`, git commits there, not in this folder's worktree.
    let committed_to =
        std::env::var_os("GIT_DIR").and_then(|dir| identity::locked(&shell.directory.join(dir)));
    if committed_to.is_some_and(|(name, id)| name != workflow.plan.workflow || id != worker.id) {
        return Ok(Some("this commits to another worker's branch; work in your own".to_owned()));
    }
    if event == Event::PreCommit {
        return Ok(guard::commit(&workflow.plan, worker, &staged(&workflow, worker)?));
    }
    let file = arguments.first().context("git names no message file")?;
    let bytes = std::fs::read(shell.directory.join(file)).context("reading the commit message")?;
    Ok(guard::message(&workflow.plan, worker, &String::from_utf8_lossy(&bytes)))
}

/// Returns what is about to be committed that is neither HEAD's, nor the other side's of a merge,
/// nor back as it was at the fork.
fn staged(workflow: &Workflow, worker: &Worker) -> Result<Vec<RepoPath>> {
    let (repo, path) = (&workflow.repo, workflow.worktree(worker));
    let index = std::env::var_os("GIT_INDEX_FILE");
    let mut staged = repo.staged(&path, "HEAD", index.as_deref())?;
    let fork = workflow.record.placements.get(&worker.id).map(|placement| &placement.fork);
    for other in [repo.merge_head(&path)?.as_ref(), fork].into_iter().flatten() {
        if staged.iter().all(|path| workflow.plan.allows(worker, path)) {
            break;
        }
        let against = repo.staged(&path, other.as_str(), index.as_deref())?;
        staged.retain(|path| against.contains(path));
    }
    Ok(staged)
}

/// Returns whether no worker works in a folder; one whose worktree was moved or copied still does.
pub(super) fn is_outside(error: &anyhow::Error) -> bool {
    let failure = error.chain().find_map(|cause| cause.downcast_ref::<Failure>());
    let names_worker = |failure: &Failure| failure.told::<Misplaced>().is_some();
    failure.is_some_and(|failure| failure.code == Code::NotAWorker && !names_worker(failure))
}
