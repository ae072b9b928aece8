//! What git's own hooks ask: whose session this is, which files and which message it commits.
//!
//! `--no-verify` skips some of them: an exception for the user, which the monitor sees.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use pw_core::branch::Branch;
use pw_core::details::Misplaced;
use pw_core::failure::{Code, Failure};
use pw_core::guard::{self, Followed, Halted, Store, Transaction};
use pw_core::id::{Slug, WorkerId};
use pw_core::path::RepoPath;
use pw_core::plan::Worker;
use pw_git::{RefFiles, Repo};

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
    PostCheckout,
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
        Event::PostCheckout => head(shell, arguments),
        _ => whose(shell, event),
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

fn whose(shell: &Shell, event: Event) -> Result<Option<String>> {
    let Some((workflow, worker)) = owner(shell)? else { return Ok(None) };
    let Err(failure) = session::own().require(&workflow, &worker) else { return Ok(None) };
    // Before it rebases, git has at most put changes aside, and puts them back itself.
    let back = match event {
        Event::PreRebase => String::new(),
        _ => halted(shell, &[]).way_back(&shell.directory.to_string_lossy()),
    };
    Ok(Some(format!("{failure}; {}{back}", failure.hint)))
}

fn refs(shell: &Shell, arguments: &[PathBuf]) -> Result<Option<String>> {
    let Some((workflow, worker)) = owner(shell)? else { return Ok(None) };
    let branch = branch(arguments)?;
    let mut bytes = Vec::new();
    std::io::stdin().take(MAX_REFS).read_to_end(&mut bytes).context("reading which refs move")?;
    let action = std::env::var("GIT_REFLOG_ACTION").unwrap_or_default();
    let lines = String::from_utf8_lossy(&bytes);
    let files = ref_files(shell);
    let has = |name: &str, value: &str, store: Store| {
        files.as_ref().is_some_and(|files| match store {
            Store::Loose => files.is_loose(name, value),
            Store::Packed => files.is_packed(name, value),
            Store::PackedAlone => files.is_packed_alone(name, value),
        })
    };
    let is_detached = files.as_ref().is_some_and(|files| head_branch(shell, files).is_none());
    let (lines, action, branch) = (&*lines, &*action, &branch);
    let transaction = Transaction { lines, action, branch, is_detached, has: &has };
    let refused = guard::refs(&session::own(), &workflow, &worker, transaction);
    Ok(refused.map(|reason| {
        let to: Vec<&str> = guard::destinations(lines).collect();
        reason + &halted(shell, &to).way_back(&shell.directory.to_string_lossy())
    }))
}

/// Refuses a HEAD that `git checkout` and its like led away from the worker's branch: for another
/// worker's session, and for its own unless git leads it back at the end of what is under way.
fn head(shell: &Shell, arguments: &[PathBuf]) -> Result<Option<String>> {
    let Some((workflow, worker)) = owner(shell)? else { return Ok(None) };
    let branch = branch(arguments)?;
    let on = ref_files(shell).and_then(|files| head_branch(shell, &files));
    if on.as_ref() == Some(&branch) {
        return Ok(None);
    }
    let halted = halted(shell, &[]);
    let refused = session::own().require(&workflow, &worker).err();
    // A rebase goes on, and is refused at its first commit, where git can abort it as a whole.
    let is_rebase = matches!(halted.verb(), Some(("rebase", _)));
    if is_rebase || (refused.is_none() && on.is_none() && halted.leads_back()) {
        return Ok(None);
    }
    let reason = refused.map(|failure| format!("{failure}; {}", failure.hint));
    Ok(Some(guard::left(reason, &shell.directory.to_string_lossy(), &branch)))
}

/// Returns the branch of the worker whose hook it is; the hook names the label.
fn branch(arguments: &[PathBuf]) -> Result<Branch> {
    let label = arguments.first().and_then(|label| label.to_str()).context("no label is named")?;
    Ok(Branch::of_worker(label))
}

/// Returns git's own folder of the worktree in which it works.
fn git_dir(shell: &Shell) -> Option<PathBuf> {
    Some(shell.directory.join(std::env::var_os("GIT_DIR")?))
}

fn ref_files(shell: &Shell) -> Option<RefFiles> {
    git_dir(shell).map(|dir| RefFiles::of(&dir))
}

/// Returns the branch that HEAD names. Where refs are a table, its file names none, and git is asked.
fn head_branch(shell: &Shell, files: &RefFiles) -> Option<Branch> {
    let named = files.head_branch()?;
    if named.as_str() != ".invalid" {
        return Some(named);
    }
    let repo = Repo::open(&shell.directory).ok()?;
    repo.worktree_at(&shell.directory)?.branch.clone()
}

/// Returns what git did before it asked, as far as that can be told; `to` are the commits to which
/// it would move HEAD or a branch.
fn halted(shell: &Shell, to: &[&str]) -> Halted {
    let (here, dir) = (&shell.directory, git_dir(shell).unwrap_or_default());
    Halted {
        command: session::git_command().unwrap_or_default(),
        under_way: pw_git::under_way(here, &dir, guard::UNDER_WAY),
        followed: to.iter().find_map(|commit| followed(here, commit).ok().flatten()),
    }
}

/// Returns whether index and files were brought to a commit to which HEAD is not to go.
fn followed(top: &Path, commit: &str) -> Result<Option<Followed>> {
    let repo = Repo::open(top)?;
    let [head, there] = ["HEAD", commit].map(|other| repo.staged(top, other, None));
    let (head, there) = (head?, there?);
    // Of a file in which the two differ, the index holds the one or the other.
    let mut changed = head.iter().filter(|path| !there.contains(path)).peekable();
    let is_left = there.iter().any(|path| !head.contains(path));
    if is_left || changed.peek().is_none() {
        return Ok(None);
    }
    let unlike = repo.unlike_index(top)?;
    let with_files = !changed.any(|path| unlike.contains(path));
    Ok(Some(Followed { commit: commit.to_owned(), with_files }))
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
