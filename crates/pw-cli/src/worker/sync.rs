//! Taking in what another worker finished: tried in the object database first, so that a conflict
//! leaves nothing half-merged.

use anyhow::{Context as _, Result};
use pw_core::checkpoint;
use pw_core::details::{DependencyConflicts, Files};
use pw_core::failure::{Code, Failure};
use pw_core::id::{Oid, WorkerId};
use pw_core::integration::{Readiness, Unready};
use pw_core::next::{CommandLine, Next, NextStep};
use pw_core::path::RepoPath;
use pw_core::signal::{self, Signal, Subject};
use pw_core::status::{Board, WorkerStatus};
use pw_core::time::rfc3339;
use pw_core::worker::Synced;
use pw_git::{MergeOutcome, Scratch};

use super::own_worktree::OwnWorktree;
use crate::facts::Worktrees;
use crate::shell::Answer;
use crate::view;
use crate::workflow::Workflow;

/// `unasked` says why the plan's remote could not be asked before.
pub(super) fn sync(
    own: &OwnWorktree<'_>,
    named: Option<&WorkerId>,
    unasked: Option<String>,
) -> Result<Answer> {
    let Workflow { repo, plan, .. } = own.workflow;
    let path = own.workflow.worktree(own.worker);
    let held = repo.hold_worktree(&path, &own.shell.command, &rfc3339(own.shell.now))?;
    repo.put_back_written(&path)?;
    let tree = own.tree()?;
    checkpoint::require_own_branch(own.worker, &tree, || own.branch())?;
    checkpoint::require_committed(plan, own.worker, &tree)?;
    let facts = own.workflow.facts(own.shell.now, Worktrees::None)?;
    let board = own.workflow.board(&facts);
    let needed = newest_need(own, &board);
    let provider = provider(own, &board, named.or(needed.as_ref().map(|(id, _)| id)))?;
    require_more_than_before(own, &board, provider)?;
    let tip = tip(own, provider)?;

    let head = repo.read_head(&path)?.oid;
    let tried = repo.merge(&head, &tip, Some(&Scratch::new()?))?;
    require_merged(own, provider, &tip, &tried)?;
    require_room(repo.untracked_in_the_way(&path, &head, &tip)?)?;
    let item = needed.filter(|(id, _)| *id == provider.id).map(|(_, item)| format!(": {item}"));
    let text = format!("took in {}{}", provider.id, item.unwrap_or_default());
    let message = own.message(&Signal::Checkpoint, &text, &[])?;
    let commit = repo.take_in(&path, &head, &tip, &message, &tried);
    let commit = commit.map_err(|error| own.explained(error))?;
    drop(held);
    let (pushed, note) = own.push(&path)?;
    let synced = Synced {
        worker: own.worker.id.clone(),
        from: provider.id.clone(),
        files: repo.stat(&head, &commit)?,
        by_union: tried.by_union(),
        commit,
        notes: unasked.into_iter().chain(note).collect(),
        pushed,
        next: vec![NextStep::new("go on", Next::Brief)],
    };
    Answer::of(&synced, view::synced)
}

/// Refuses where the worker had all of the provider's work already when it asked for more.
fn require_more_than_before(
    own: &OwnWorktree<'_>,
    board: &Board<'_>,
    provider: &WorkerStatus,
) -> Result<(), Failure> {
    let waits = board.state(&own.worker.id).and_then(|status| status.waits_for.as_ref());
    let Some(waits) = waits.filter(|waits| waits.reopen && waits.worker == provider.id) else {
        return Ok(());
    };
    let message = format!(
        "you had all of {}'s work when you asked for {}: it has to go on",
        provider.id, waits.item
    );
    Err(Failure::new(Code::NotReady, message)
        .hint("its brief says so, and so does pw-monitor; tell the user to start it again")
        .next(Next::Brief)
        .details(Unready { workers: vec![Readiness::from(provider)] }))
}

/// Returns the commit to take in: the tip of a finished worker's branch, or where it was merged.
fn tip(own: &OwnWorktree<'_>, provider: &WorkerStatus) -> Result<Oid> {
    let merged = || own.workflow.record.merged.get(&provider.id).map(|(tip, _)| tip.clone());
    provider.tip.clone().or_else(merged).context("a finished worker has a tip")
}

/// Refuses a conflict: one worker's session does not decide about another's work.
fn require_merged(
    own: &OwnWorktree<'_>,
    provider: &WorkerStatus,
    tip: &Oid,
    tried: &MergeOutcome,
) -> Result<()> {
    let Some(first) = tried.conflicts.first() else { return Ok(()) };
    // Of a worker in another clone, this one has the commits and no branch.
    let is_here = own.workflow.worker(&provider.id).map(|it| own.workflow.own_tip(it));
    let here = if is_here? == Some(tip) { provider.branch.as_str() } else { tip.as_str() };
    let message = format!("{} changed `{}` in another way than you", provider.id, first.path);
    Err(Failure::new(Code::DependencyConflict, message)
        .hint("nothing was changed: take their version of the file, commit, sync, then add yours to it again")
        .next(CommandLine::of("git restore --source").word(here).and("--").file(&first.path))
        .details(DependencyConflicts {
            worker: own.worker.id.clone(),
            from: Some(provider.id.clone()),
            after: None,
            conflicts: tried.conflicts.clone(),
        })
        .into())
}

/// Refuses where files that git does not track would be overwritten.
fn require_room(paths: Vec<RepoPath>) -> Result<(), Failure> {
    let Some(first) = paths.first() else { return Ok(()) };
    let message = format!("`{first}`, which is in no commit, would be overwritten");
    Err(Failure::new(Code::InTheWay, message)
        .hint("move it away, then sync again")
        .details(Files { paths }))
}

/// Returns what the newest `[NEEDS:…]` names, also when a checkpoint came after it.
fn newest_need(own: &OwnWorktree<'_>, board: &Board<'_>) -> Option<(WorkerId, String)> {
    let mut commits = board.work(&own.worker.id)?.commits.iter();
    commits.find_map(|commit| match signal::read(&commit.message) {
        Subject::Signal { signal: Signal::Needs { worker, item }, .. } => Some((worker, item)),
        _ => None,
    })
}

/// Returns the worker to take in, which must be complete.
fn provider<'a>(
    own: &OwnWorktree<'_>,
    board: &'a Board<'_>,
    wanted: Option<&WorkerId>,
) -> Result<&'a WorkerStatus> {
    let id = wanted.cloned().ok_or_else(|| {
        Failure::new(Code::Usage, "you wait for no worker")
            .hint("name the worker to take in")
            .next(Next::Brief)
    })?;
    own.require_other(&id)?;
    let provider = board.state(&id).context("the worker has no state")?;
    if provider.state.is_done() {
        return Ok(provider);
    }
    Err(Failure::new(Code::NotReady, format!("{id} is {}, not complete", provider.state.word()))
        .hint("go on with what does not depend on it; sync when it is complete")
        .next(Next::Brief)
        .details(Unready { workers: vec![Readiness::from(provider)] })
        .into())
}
