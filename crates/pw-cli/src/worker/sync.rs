//! Taking in what another worker finished: tried in the object database first, so that a conflict
//! leaves nothing half-merged.

use anyhow::{Context as _, Result};
use pw_core::checkpoint;
use pw_core::details::{DependencyConflicts, Files};
use pw_core::failure::{Code, Failure};
use pw_core::id::WorkerId;
use pw_core::integration::{Readiness, Unready};
use pw_core::next::{CommandLine, Next, NextStep};
use pw_core::signal::{self, Signal, Subject};
use pw_core::status::{Board, WorkerStatus};
use pw_core::time::rfc3339;
use pw_core::worker::Synced;
use pw_git::Scratch;

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
    let Workflow { repo, record, plan, .. } = own.workflow;
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
    let status = board.state(&own.worker.id);
    let waits = status.and_then(|status| status.waits_for.as_ref());
    if let Some(waits) = waits.filter(|waits| waits.reopen && waits.worker == provider.id) {
        let message = format!(
            "you had all of {}'s work when you asked for {}: it has to go on",
            provider.id, waits.item
        );
        return Err(Failure::new(Code::NotReady, message)
            .hint("its brief says so, and so does pw-monitor; tell the user to start it again")
            .next(Next::Brief)
            .details(Unready { workers: vec![Readiness::from(provider)] })
            .into());
    }
    let tip = provider
        .tip
        .clone()
        .or_else(|| record.merged.get(&provider.id).map(|(tip, _)| tip.clone()));
    let tip = tip.context("a finished worker has a tip")?;

    let head = repo.read_head(&path)?.oid;
    let tried = repo.merge(&head, &tip, Some(&Scratch::new()?))?;
    if let Some(first) = tried.conflicts.first() {
        // Of a worker in another clone, this one has the commits and no branch.
        let is_here = own.workflow.worker(&provider.id).map(|it| own.workflow.own_tip(it));
        let here = if is_here? == Some(&tip) { provider.branch.as_str() } else { tip.as_str() };
        let message = format!("{} changed `{}` in another way than you", provider.id, first.path);
        return Err(Failure::new(Code::DependencyConflict, message)
            .hint("nothing was changed: take their version of the file, commit, sync, then add yours to it again")
            .next(
                CommandLine::of("git restore --source")
                    .word(here)
                    .and("--")
                    .word(&first.path),
            )
            .details(DependencyConflicts {
                worker: own.worker.id.clone(),
                from: Some(provider.id.clone()),
                after: None,
                conflicts: tried.conflicts,
            })
            .into());
    }
    let hidden = repo.ignored_in_the_way(&path, &head, &tip)?;
    if let Some(first) = hidden.first() {
        return Err(Failure::new(
            Code::InTheWay,
            format!("`{first}`, which is in no commit, would be overwritten"),
        )
        .hint("move it away, then sync again")
        .details(Files { paths: hidden })
        .into());
    }
    let item = needed.filter(|(id, _)| *id == provider.id).map(|(_, item)| format!(": {item}"));
    let item = item.unwrap_or_default();
    let text = format!("took in {}{item}", provider.id);
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
