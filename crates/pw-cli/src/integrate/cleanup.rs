//! Removing worktrees and branches that are merged, and nothing without a snapshot.
//!
//! A worktree is first put aside, where no session writes any more, then surveyed again, and
//! discarded only when it still is what the snapshot holds.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use pw_core::cleanup::{Cleanup, Findings, KeepKind, KeepReason, KeptWorker, Removed, reasons};
use pw_core::facts::Facts;
use pw_core::failure::Failure;
use pw_core::id::{Oid, WorkerId};
use pw_core::next::{Next, NextStep};
use pw_core::path::RepoPath;
use pw_core::plan::Worker;
use pw_core::record::{Event, Refs};
use pw_core::session::LaunchMode;
use pw_core::status::{State, WorkerStatus};
use pw_core::text::counted;
use pw_core::time::Seconds;
use pw_git::{Journal, Survey, Transaction, all};

use super::closing::{Closing, close};
use super::gate_worktree::GateWorktree;
use crate::facts::Worktrees;
use crate::landed;
use crate::launcher;
use crate::processes;
use crate::session;
use crate::shell::{Answer, Context};
use crate::snapshot::{KeptSnapshot, restore_command};
use crate::view;
use crate::workflow::Workflow;

/// How a cleanup was asked for.
#[derive(Clone, Copy)]
pub(super) struct Options {
    pub(super) dry_run: bool,
    /// Uncommitted files alone are no reason to keep a worker: the snapshot holds them.
    pub(super) snapshot: bool,
}

/// Removes worktrees and branches of the named workers, or of all, where that is safe.
pub(super) fn cleanup(
    context: &Context,
    name: Option<&str>,
    ids: &[WorkerId],
    options: Options,
) -> Result<Answer> {
    let (mut workflow, _lock) = match options.dry_run {
        true => (Workflow::open(context, name)?, None),
        false => {
            Workflow::open_alone(context, name).map(|(workflow, lock)| (workflow, Some(lock)))?
        }
    };
    ids.iter().try_for_each(|id| workflow.worker(id).map(drop))?;
    let mut journal = if options.dry_run { None } else { Some(workflow.journal()?) };
    if let Some(journal) = &mut journal {
        take_up(&mut workflow, journal, context.now)?;
        workflow.repo.refresh()?;
    }
    let facts = workflow.facts(context.now, Worktrees::None)?;
    if let Some(journal) = &mut journal {
        note_landing(&mut workflow, journal, &facts)?;
    }
    let board = workflow.board(&facts);
    let asked = |worker: &&Worker| ids.is_empty() || ids.contains(&worker.id);
    let (workers, others): (Vec<&Worker>, Vec<&Worker>) =
        workflow.plan.workers.iter().partition(asked);
    let others_stay = others.into_iter().any(|worker| is_there(&workflow, worker));
    let (living, mut notes) =
        session::live_sessions(&workflow, &workers, LaunchMode::Print, context.now);
    let there: Vec<(&Worker, &WorkerStatus)> = workers
        .into_iter()
        .filter(|worker| is_there(&workflow, worker))
        .filter_map(|worker| Some((worker, board.state(&worker.id)?)))
        .collect();
    context.progress(&format!("looking at {}", counted(there.len(), "worker")));
    let examined = all(&there, |(worker, status)| {
        let mut candidate = CleanupCandidate::new(&workflow, worker, status, &facts);
        if living.iter().any(|living| living.worker == worker.id) {
            candidate.keep(KeepKind::SessionAlive, "its session is alive");
        }
        candidate.examine(ids.contains(&worker.id), options.snapshot).map(|()| candidate)
    });
    let mut candidates = examined.into_iter().collect::<Result<Vec<CleanupCandidate<'_>>>>()?;
    if let Some(journal) = &mut journal {
        remove_all(&workflow, journal, &mut candidates)?;
    }
    notes.extend(candidates.iter_mut().filter_map(|candidate| candidate.note.take()));
    let (removed, kept): (Vec<CleanupCandidate<'_>>, Vec<CleanupCandidate<'_>>) =
        candidates.into_iter().partition(|candidate| candidate.reasons.is_empty());
    let removed: Vec<Removed> = removed.iter().map(CleanupCandidate::removed).collect();
    let kept: Vec<KeptWorker> = kept
        .into_iter()
        .map(|it| KeptWorker { worker: it.worker.id.clone(), reasons: it.reasons })
        .collect();
    let all_gone = kept.is_empty() && !others_stay;
    let mut closing = Closing::default();
    if let Some(journal) = &mut journal {
        notes.extend(sweep(&mut workflow, all_gone)?);
        if all_gone {
            closing = close(&workflow, journal, &facts)?;
        }
        notes.extend(journal.notes());
    }
    let slug = &workflow.plan.workflow;
    let first = if options.dry_run && !removed.is_empty() {
        let (workflow, snapshot) = (slug, options.snapshot);
        let again = Next::Cleanup { workflow, workers: ids, dry_run: false, snapshot };
        NextStep::new("clean up", again)
    } else if kept.is_empty() {
        NextStep::new("look back", Next::Report(slug))
    } else if kept
        .iter()
        .flat_map(|kept| &kept.reasons)
        .all(|reason| reason.kind.is_kept_by_snapshot())
    {
        // What is kept is shown first; then it is the user's word.
        let (workflow, dry_run, snapshot) = (slug, false, true);
        let again = Next::Cleanup { workflow, workers: ids, dry_run, snapshot };
        NextStep::new("keep and clean up", again)
    } else {
        NextStep::new("watch", Next::Status(slug))
    };
    // Numbers only, kept on the user's word: `pw-retro report` still has all of it.
    let remember = closing.closed.then(|| NextStep::new("remember", Next::Remember(slug)));
    let answer = Cleanup {
        workflow: slug.clone(),
        dry_run: options.dry_run,
        removed,
        kept,
        restore: Next::Snapshots(slug).into(),
        notes,
        closed: closing.closed,
        stays: closing.stays,
        next: std::iter::once(first).chain(remember).collect(),
    };
    Answer::of(&answer, view::cleanup)
}

/// One worker to remove: what exists of it, and the reasons to keep it.
struct CleanupCandidate<'a> {
    workflow: &'a Workflow,
    worker: &'a Worker,
    status: &'a WorkerStatus,
    facts: &'a Facts,
    path: PathBuf,
    /// The branch's newest tip, here or on the plan's remote, as it was read, once.
    tip: Option<Oid>,
    /// The branch here.
    own_tip: Option<Oid>,
    survey: Option<Survey>,
    /// What holds all of it, once that is written.
    snapshot: Option<KeptSnapshot>,
    reasons: Vec<KeepReason>,
    /// What could not be looked at.
    note: Option<String>,
}

impl<'a> CleanupCandidate<'a> {
    fn new(
        workflow: &'a Workflow,
        worker: &'a Worker,
        status: &'a WorkerStatus,
        facts: &'a Facts,
    ) -> Self {
        let tip = workflow.tip(worker).cloned();
        let own_tip = workflow.own_tip(worker).cloned();
        let path = workflow.worktree(worker);
        let (survey, snapshot, note) = (None, None, None);
        let reasons = Vec::new();
        Self {
            workflow,
            worker,
            status,
            facts,
            path,
            tip,
            own_tip,
            survey,
            snapshot,
            reasons,
            note,
        }
    }

    fn keep(&mut self, kind: KeepKind, message: impl Into<String>) {
        self.reasons.push(KeepReason::new(kind, message));
    }

    fn removed(&self) -> Removed {
        let snapshot = self.snapshot.as_ref().map(|snapshot| snapshot.id.clone());
        Removed {
            worker: self.worker.id.clone(),
            branch: self.worker.branch(),
            worktree: self.workflow.plan.worktree(self.worker),
            restore: snapshot.as_ref().map(|id| restore_command(self.workflow, id)),
            snapshot,
        }
    }

    /// Finds every reason to keep the worker.
    fn examine(&mut self, named: bool, snapshot: bool) -> Result<()> {
        let Workflow { repo, plan, record, .. } = self.workflow;
        let id = &self.worker.id;
        if record.stopped.as_ref().is_some_and(|stopped| stopped.worker == *id) {
            self.keep(KeepKind::IntegrationStopped, "an integration has stopped at it");
        }
        if self.status.state == State::Starting && !named {
            self.keep(KeepKind::NotBegun, "it has not begun; name it to remove it all the same");
        }
        let state = self.status.state;
        if matches!(state, State::InProgress | State::Blocked | State::Waiting | State::Reopened) {
            let message = format!("it has not said that it is complete: it is {}", state.word());
            self.keep(KeepKind::NotComplete, message);
        }
        let mut is_merged = true;
        for tip in self.tip.iter().chain(&self.own_tip) {
            is_merged &= is_contained(self.workflow, self.facts, tip)?;
        }
        if !is_merged {
            let branch = plan.integration_branch();
            let message =
                format!("{} has commits that {branch} does not have", self.worker.branch());
            self.keep(KeepKind::NotMerged, message);
        }
        let branch = self.worker.branch();
        let is_elsewhere =
            |w: &&pw_git::Worktree| w.branch.as_ref() == Some(&branch) && w.path != self.path;
        if let Some(elsewhere) = repo.worktrees().iter().find(is_elsewhere) {
            let message = format!("{branch} is checked out in {}", elsewhere.path.display());
            self.keep(KeepKind::BranchElsewhere, message);
        }
        let listed = repo.worktrees().iter().find(|worktree| worktree.path == self.path);
        if self.own_tip.is_none() && listed.is_none() && self.path.symlink_metadata().is_err() {
            let message = format!("{branch} is in another clone: clean up there");
            self.keep(KeepKind::BranchElsewhere, message);
            return Ok(());
        }
        let own_lock = plan.lock_reason(self.worker);
        if let Some(reason) = listed.and_then(|w| w.locked.as_ref()).filter(|r| **r != own_lock) {
            self.keep(KeepKind::Locked, format!("the worktree is locked: {reason}"));
        }
        let is_folder = match self.path.symlink_metadata() {
            Err(_) => {
                // A folder that a killed run discarded is off git's list by now: the user moved or
                // removed this one.
                if listed.is_some() {
                    let message = "its folder is gone or was moved; pw-setup repair finds it, or git worktree remove takes it off the list";
                    self.keep(KeepKind::WorktreeMissing, message);
                }
                return Ok(());
            }
            Ok(about) => about.is_dir(),
        };
        if !is_folder || listed.is_none() || !repo.is_worktree_of_its_own(&self.path) {
            let message = "its folder is not the worktree that was made there";
            self.keep(KeepKind::Foreign, message);
            return Ok(());
        }
        match processes::inside(&self.path) {
            Some(ids) if !ids.is_empty() => {
                let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
                self.keep(KeepKind::InUse, format!("processes run in it: {}", ids.join(", ")));
            }
            Some(_) => {}
            None => {
                self.note = Some(format!(
                    "which programs run in the worktree of {branch} is not known: this system does not tell"
                ))
            }
        }
        let mut survey = match repo.survey(&self.path, &plan.disposable) {
            Ok(survey) => survey,
            Err(error) => {
                self.keep(KeepKind::Unreadable, format!("{error:#}"));
                return Ok(());
            }
        };
        let checkout = repo.checkout().map_or(repo.root(), |checkout| &checkout.path);
        let all = survey.changes.clone();
        // What is ignored and the same in the main checkout is not lost: `copy` brought it, as a rule.
        let is_lost = |path: &&RepoPath| !survey.is_same_in(&self.path, checkout, path);
        survey.changes.ignored = all.ignored.iter().filter(is_lost).cloned().collect();
        let found = Findings {
            changes: &survey.changes,
            operation: survey.operation,
            branch: survey.branch.as_ref(),
            has_index_lock: survey.index_lock.is_some(),
        };
        self.reasons.extend(reasons(self.worker, &found, snapshot));
        survey.changes = all;
        self.survey = Some(survey);
        Ok(())
    }

    /// Writes what holds all of it, to which nothing points yet.
    fn write_snapshot(&self) -> Result<Option<KeptSnapshot>> {
        let (id, why) = (&self.worker.id, "before its removal");
        Ok(match (&self.survey, &self.tip) {
            (Some(survey), _) => {
                let of = KeptSnapshot::of_worktree(self.workflow, id, &self.path, survey, why)?;
                Some(of)
            }
            (None, _) if self.workflow.record.cleaning.contains(id) => {
                KeptSnapshot::newest(self.workflow, id)
            }
            (None, Some(tip)) => {
                let branch = self.worker.branch();
                Some(KeptSnapshot::of_commit(self.workflow, id, tip, Some(&branch), why)?)
            }
            (None, None) => None,
        })
    }

    /// Adds that its removal begins.
    fn begin(&self, journal: &mut Journal, mut transaction: Transaction) -> Result<Transaction> {
        let Workflow { repo, plan, record, refs, .. } = self.workflow;
        let (id, names) = (&self.worker.id, Refs(&plan.workflow));
        if let Some(snapshot) = &self.snapshot {
            transaction = snapshot.join(self.workflow, journal, transaction)?;
        }
        // The user landed it: once the branch is gone, only the record tells that.
        let recorded = record.merged.get(id).map(|(tip, _)| tip);
        let is_begun = self.status.state != State::Starting;
        if let Some(tip) = self.tip.as_ref().filter(|tip| recorded != Some(*tip) && is_begun) {
            let name = names.merged(id);
            transaction = transaction.set(&name, tip, refs.get(&name));
            journal.add(repo, &Event::Merged { worker: id.clone(), tip: tip.clone() })?;
        }
        if !record.cleaning.contains(id) {
            journal.add(repo, &Event::Cleaning { worker: id.clone() })?;
        }
        Ok(transaction)
    }

    /// Puts the worktree aside, surveys it again, and gives it up if nothing has changed. Returns
    /// whether there was a folder, or why it stays.
    fn put_aside(&self) -> Result<Result<bool, KeepReason>> {
        let Workflow { repo, plan, .. } = self.workflow;
        let Some(survey) = &self.survey else { return Ok(Ok(false)) };
        if let Some(aside) = repo.begin_removal(&self.path)? {
            let again = repo.survey(&aside.path(), &plan.disposable);
            let is_quiet = processes::inside(&aside.path()).is_none_or(|ids| ids.is_empty());
            if is_quiet && again.is_ok_and(|again| survey.is_same(&again)) {
                return aside.give_up().map(|()| Ok(true));
            }
            aside.put_back()?;
        }
        let message = "another process changed something in it while it was being removed";
        Ok(Err(KeepReason::new(KeepKind::ChangedMeanwhile, message)))
    }

    /// Adds that it is removed.
    fn end(&self, journal: &mut Journal) -> Result<()> {
        let Workflow { repo, plan, .. } = self.workflow;
        let folder = launcher::folder(repo, plan, self.worker);
        if folder.is_dir() {
            std::fs::remove_dir_all(&folder)
                .with_context(|| format!("removing {}", folder.display()))?;
        }
        if let Some(tip) = &self.tip {
            journal.drop_branch(&self.worker.branch(), tip);
        }
        journal.add(repo, &Event::Cleaned { worker: self.worker.id.clone() })
    }

    /// Adds that its branch goes, if it is where it was.
    fn without_branch(&self, transaction: Transaction) -> Transaction {
        match &self.own_tip {
            Some(tip) => transaction.delete(&self.worker.branch().full(), tip),
            None => transaction,
        }
    }
}

/// Removes the workers that have no reason to stay; the last look may find one.
///
/// All of them go through each step together. Killed between two steps, the next run takes up what
/// was begun.
fn remove_all(
    workflow: &Workflow,
    journal: &mut Journal,
    candidates: &mut [CleanupCandidate<'_>],
) -> Result<()> {
    let repo = &workflow.repo;
    let is_going = |candidate: &&mut CleanupCandidate<'_>| candidate.reasons.is_empty();
    let mut going: Vec<&mut CleanupCandidate<'_>> =
        candidates.iter_mut().filter(is_going).collect();
    if going.is_empty() {
        return Ok(());
    }
    let mut transaction = Transaction::default();
    let written = all(&going, |candidate| candidate.write_snapshot());
    for (candidate, snapshot) in going.iter_mut().zip(written) {
        candidate.snapshot = snapshot?;
        transaction = candidate.begin(journal, transaction)?;
    }
    journal.publish(repo, transaction)?;
    let (mut gone, mut failed) = (Vec::new(), None);
    let ends = all(&going, |candidate| candidate.put_aside());
    for (candidate, end) in going.into_iter().zip(ends) {
        match end {
            Ok(Ok(had_folder)) => gone.push((candidate, had_folder)),
            // If the record moved meanwhile, the next run writes this event.
            Ok(Err(reason)) => {
                candidate.reasons.push(reason);
                journal.add(repo, &Event::Stayed { worker: candidate.worker.id.clone() })?;
            }
            // The others are brought to an end first.
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    finish_all(workflow, journal, gone)?;
    failed.map_or(Ok(()), Err)
}

/// Removes the folders that were given up, the branches, and what is kept about the workers.
fn finish_all(
    workflow: &Workflow,
    journal: &mut Journal,
    gone: Vec<(&mut CleanupCandidate<'_>, bool)>,
) -> Result<()> {
    let repo = &workflow.repo;
    let of = |is_there: bool| gone.iter().filter(move |(_, had_folder)| *had_folder == is_there);
    let folders: Vec<&Path> = of(true).map(|(candidate, _)| candidate.path.as_path()).collect();
    repo.remove_discarded(&folders)?;
    of(false).try_for_each(|(candidate, _)| repo.forget_missing_worktree(&candidate.path))?;
    gone.iter().try_for_each(|(candidate, _)| candidate.end(journal))?;
    let all_branches = gone.iter().fold(Transaction::default(), |transaction, (candidate, _)| {
        candidate.without_branch(transaction)
    });
    if journal.try_publish(repo, all_branches)? {
        return Ok(());
    }
    // One that moved keeps no other one's branch.
    for (candidate, _) in gone {
        if !journal.try_publish(repo, candidate.without_branch(Transaction::default()))? {
            let branch = candidate.worker.branch();
            let message = format!("{branch} moved, and stays; the worktree is removed");
            candidate.keep(KeepKind::ChangedMeanwhile, message);
        }
    }
    Ok(())
}

/// Returns whether a worker's branch, folder or worktree entry exists.
fn is_there(workflow: &Workflow, worker: &Worker) -> bool {
    let path = workflow.worktree(worker);
    workflow.record.has(&worker.id)
        && (workflow.tip(worker).is_some()
            || path.symlink_metadata().is_ok()
            || workflow.repo.worktrees().iter().any(|worktree| worktree.path == path))
}

/// Takes up what a killed run has left: a folder that is there again must be surveyed anew before
/// it may be removed.
fn take_up(workflow: &mut Workflow, journal: &mut Journal, now: Seconds) -> Result<()> {
    let Workflow { repo, plan, record, .. } = &*workflow;
    let mut stayed = Vec::new();
    for worker in plan.workers.iter().filter(|worker| record.cleaning.contains(&worker.id)) {
        let path = workflow.worktree(worker);
        repo.recover_removal(&path)?;
        if path.symlink_metadata().is_ok() {
            stayed.push(Event::Stayed { worker: worker.id.clone() });
        }
    }
    if stayed.is_empty() {
        return Ok(());
    }
    stayed.iter().try_for_each(|event| journal.add(repo, event))?;
    journal.publish(repo, Transaction::default())?;
    stayed.into_iter().for_each(|event| workflow.record.apply(event, now));
    Ok(())
}

/// Records that the user landed the result by content alone: later, only the record can tell.
fn note_landing(workflow: &mut Workflow, journal: &mut Journal, facts: &Facts) -> Result<()> {
    let result = facts.integration_tip.as_ref().filter(|tip| facts.landed_as.contains_key(*tip));
    let result = result.filter(|tip| workflow.record.landed.as_ref() != Some(*tip));
    let Some((_, base_tip)) = result.zip(facts.base_tip.as_ref()) else { return Ok(()) };
    let event = Event::Finished { commit: base_tip.clone() };
    journal.add(&workflow.repo, &event)?;
    journal.publish(&workflow.repo, Transaction::default())?;
    workflow.record.apply(event, facts.now);
    Ok(())
}

/// Returns whether everything a commit brings is in the integration branch or the base: as commits,
/// or as content, squashed or rebased.
fn is_contained(workflow: &Workflow, facts: &Facts, tip: &Oid) -> Result<bool> {
    let Workflow { repo, record, .. } = workflow;
    if facts.is_in_trunk(tip) || repo.is_ancestor(tip, &record.base)? {
        return Ok(true);
    }
    for branch in workflow.integration().into_iter().chain(workflow.base_tip()) {
        if landed::is_in(workflow, facts, branch, tip)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Removes what no worker needs any more: the gate's worktree, empty folders, our line in the
/// exclude file. Returns what to tell when the first of these stays: the workers are gone by now.
fn sweep(workflow: &mut Workflow, all_gone: bool) -> Result<Option<String>> {
    workflow.repo.refresh()?;
    let mut note = None;
    if all_gone && workflow.record.stopped.is_none() && workflow.record.red.is_none() {
        match GateWorktree::remove(workflow).map_err(anyhow::Error::downcast) {
            Err(Err(error)) => return Err(error),
            Err(Ok(Failure { message, hint, .. })) => {
                note = Some(format!("the gate's worktree stays: {message}; {hint}"));
            }
            Ok(()) => {}
        }
    }
    let Workflow { repo, plan, .. } = &*workflow;
    let folder = repo.root().join(&plan.worktrees);
    // Removes only what is empty.
    let is_gone = std::fs::remove_dir(&folder).is_ok() || folder.symlink_metadata().is_err();
    if is_gone {
        repo.include(&plan.worktrees, &plan.workflow)?;
    }
    Ok(note)
}
