//! `complete`: all work is done, and all of it is in commits that can be merged.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use pw_core::blob::{Blob, FileMode};
use pw_core::checkpoint;
use pw_core::details::Files;
use pw_core::facts::TreeState;
use pw_core::failure::{Code, Failure};
use pw_core::history::{Change, Content};
use pw_core::hollow_entries;
use pw_core::next::{CommandLine, Next};
use pw_core::path::RepoPath;
use pw_core::signal::Signal;
use pw_core::status::{ReasonKind, State};
use pw_core::text::counted;

use super::own_worktree::{OwnWorktree, is_signal};
use super::run;
use crate::facts::Worktrees;
use crate::shell::Answer;
use crate::workflow::Workflow;

/// `is_tested` runs the plan's gates first, as the plan's `verify_on_complete` always does.
pub(super) fn complete(
    own: &OwnWorktree<'_>,
    text: &str,
    detail: &[String],
    is_tested: bool,
) -> Result<Answer> {
    let message = own.message(&Signal::Complete, text, detail)?;
    let path = own.workflow.worktree(own.worker);
    let tree = own.tree()?;
    checkpoint::require_own_branch(own.worker, &tree, || own.branch())?;
    require_committed(own, &path, &tree)?;
    let mut notes = require_mergeable(own)?;
    notes.extend(own.unseen()?.1);
    if is_tested || own.workflow.plan.verify_on_complete {
        verify(own, &path)?;
    }
    // HEAD is a `[COMPLETE]` already: a second one would add nothing.
    let repo = &own.workflow.repo;
    let head = repo.read_head(&path)?;
    if is_signal(&head, &Signal::Complete) {
        return own.committed(&path, head, &Signal::Complete, Vec::new(), notes, Vec::new());
    }
    own.repair();
    repo.commit(&path, &message, None).map_err(|error| own.explained(error))?;
    notes.extend(own.take_out_foreign(&path, &BTreeSet::new(), &BTreeSet::new(), true)?);
    own.announce(&path, &Signal::Complete, &message, Vec::new(), notes, Vec::new())
}

/// Refuses while any file is not committed, owned or not, also one that git was told to overlook.
fn require_committed(own: &OwnWorktree<'_>, path: &Path, tree: &TreeState) -> Result<()> {
    if tree.operation.is_some() {
        return Err(Failure::new(Code::DirtyTree, "a merge is not committed")
            .hint("conclude it first")
            .next(Next::Checkpoint("what was taken in"))
            .into());
    }
    let Workflow { repo, plan, .. } = own.workflow;
    let open = tree.uncommitted();
    let Some(first) = open.first() else {
        let overlooked = own.overlooked()?;
        let Some(first) = overlooked.first() else { return Ok(()) };
        return Err(Failure::new(Code::DirtyTree, checkpoint::overlooked(first))
            .hint("then commit it with pw-worker checkpoint, or undo it with git restore")
            .next(Next::Brief)
            .details(Files { paths: overlooked })
            .into());
    };
    let worker = own.worker;
    let own = open.iter().filter(|path| plan.allows(worker, path)).cloned();
    let held = repo.held(path, tree, &own.clone().collect())?;
    let modules = repo.modules(path, None)?;
    if let Some(failure) = hollow_entries::refusal(&hollow_entries::among(tree, &held, &modules)) {
        return Err(failure.into());
    }
    let failure = Failure::new(
        Code::DirtyTree,
        format!("{} not committed, `{first}` first", counted(open.len(), "file")),
    );
    let failure = match own.count() {
        0 => failure
            .hint(format!(
                "not yours: pw-worker undo takes changes back, a new file you remove; if the work \
                 needs it, run pw-worker blocked \"needs {first}\" and tell the user"
            ))
            .next(match checkpoint::undoable(plan, worker, tree).is_empty() {
                true => CommandLine::of("git status"),
                false => Next::Undo.into(),
            }),
        _ => failure.hint("commit them first").next(Next::Checkpoint("what was done")),
    };
    Err(failure.details(Files { paths: open }).into())
}

/// Refuses to call work complete that could not be merged; returns notes about it.
fn require_mergeable(own: &OwnWorktree<'_>) -> Result<Vec<String>> {
    let Workflow { plan, .. } = own.workflow;
    let facts = own.workflow.facts(own.shell.now, Worktrees::None)?;
    let board = own.workflow.board(&facts);
    let Some(status) = board.state(&own.worker.id) else {
        return Ok(Vec::new());
    };
    let outside: Vec<&RepoPath> = status.out_of_scope.iter().collect();
    if let Some(first) = outside.first() {
        return Err(checkpoint::out_of_scope(plan, first, &outside).into());
    }
    let is_empty = status.changes_nothing || status.state == State::Starting;
    let brought = facts.workers.get(&own.worker.id).and_then(|known| known.brought.as_ref());
    let changes = brought.map(|brought| &brought.changes[..]).unwrap_or_default();
    let mut notes = unpublished(own, changes)?;
    notes.extend(is_empty.then(nothing_changed));
    match status.reasons.iter().find(|reason| reason.kind == ReasonKind::HollowEntry) {
        Some(reason) => Err(Failure::new(Code::HollowEntry, reason.message.clone())
            .hint(
                "take it out of the branch: git rm -f --cached it, then checkpoint what is to stay",
            )
            .next(Next::Brief)
            .details(reason.paths.iter().collect::<Files>())
            .into()),
        None => Ok(notes),
    }
}

/// Returns notes on submodules at commits that no other clone can fetch.
fn unpublished(own: &OwnWorktree<'_>, changes: &[Change]) -> Result<Vec<String>> {
    let worktree = own.workflow.worktree(own.worker);
    let mut notes = Vec::new();
    for change in changes {
        let blob = change.new.as_ref().and_then(Content::blob);
        let Some(Blob { oid, .. }) = blob.filter(|b| b.mode == FileMode::SUBMODULE) else {
            continue;
        };
        let path = &change.path;
        if !own.workflow.repo.is_published(&worktree.join(path.to_path()), oid.as_str())? {
            notes.push(hollow_entries::unpublished(path));
        }
    }
    Ok(notes)
}

fn nothing_changed() -> String {
    "no commit of yours changes a file: nothing of this worker will land".to_owned()
}

/// Runs the plan's gates, if it has any.
fn verify(own: &OwnWorktree<'_>, path: &Path) -> Result<()> {
    let Workflow { plan, .. } = own.workflow;
    if plan.verify.is_empty() {
        return Ok(());
    }
    let Some(failed) = run::in_turn(own, &plan.verify, path)?.failed else { return Ok(()) };
    Err(Failure::new(Code::VerifyFailed, failed.message())
        .hint("correct what the output shows, commit, then complete again")
        .details(failed.told(own))
        .into())
}
