//! Making branches and worktrees so that a kill at any moment leaves nothing that the same command
//! cannot finish: what is about to be made is recorded first, and only a worker that was never
//! handed over, as the record says, is ever rolled back.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Error, Result};
use pw_core::failure::Failure;
use pw_core::id::{Oid, WorkerId};
use pw_core::next::{Next, NextStep};
use pw_core::plan::{Plan, Problem, ProblemCode, Worker};
use pw_core::prerequisites::Prerequisites;
use pw_core::record::{Event, Placement};
use pw_core::setup::obstacles::in_the_way;
use pw_core::setup::{Created, SetupStatus};
use pw_core::text::counted;
use pw_core::time::{Seconds, rfc3339};
use pw_core::trial::OddLink;
use pw_git::{Journal, Lock, Repo, Transaction, Whereabouts, all};

use super::plan_file::PlanFile;
use super::preflight::PlannedWorkflow;
use super::{prepare, prerequisites, trial};
use crate::launcher;
use crate::remote;
use crate::repair;
use crate::shell::{Answer, Context};
use crate::view;

/// Makes the first wave, and finishes later workers that were begun. A new plan is tried in a fresh
/// worktree, unless the user wants none of that.
pub(super) fn create(context: &Context, path: &Path, is_tried: bool) -> Result<Answer> {
    let file = PlanFile::read(context, path)?;
    if context.fetch {
        remote::fetch_plan(context, &file.plan)?.map_err(Failure::from)?;
    }
    let planned = PlannedWorkflow::survey(context, file)?;
    let is_new = planned.record_tip.is_none()
        || planned.is_replanned()?
        || trial::did_not_pass(&planned.repo, &planned.plan);
    let _lock = Lock::take(planned.repo.common(), &context.command, &rfc3339(context.now))?;
    let base = planned.record.base.clone();
    let first_wave = planned.plan.workers.iter().filter(|worker| worker.after.is_empty());
    let wanted = first_wave.map(|worker| (worker.id.clone(), base.clone())).collect();
    let (planned, made, notes) = make(context, planned, wanted)?;
    let prerequisites = is_new.then(|| look(context, &planned, is_tried)).transpose()?;
    answer(&planned, &made, notes, prerequisites)
}

/// Looks at what workers would stumble over. They are made by now, so what cannot be tried is said.
fn look(context: &Context, planned: &PlannedWorkflow, is_tried: bool) -> Result<Prerequisites> {
    let (mut trial, mut notes) = (None, Vec::new());
    if is_tried {
        match trial::tried(context, planned.plan.workflow.as_str()) {
            Ok((tried, odd)) => {
                trial = tried;
                notes.extend(odd.iter().map(OddLink::warning));
            }
            Err(error) => notes.push(format!("a fresh worktree could not be tried: {error:#}")),
        }
    }
    prerequisites::look(planned, is_tried, trial, notes)
}

/// Makes the wanted workers and finishes those that were begun; what exists stays as it is.
pub(super) fn make(
    context: &Context,
    mut planned: PlannedWorkflow,
    wanted: Vec<(WorkerId, Oid)>,
) -> Result<(PlannedWorkflow, BTreeSet<WorkerId>, Vec<String>)> {
    let mut journal = open_journal(&planned)?;
    // Before the new plan is recorded: the same command does it again if this one is killed.
    let mut notes = carry_over(&planned)?;
    let begun = planned.record.placements.iter().filter(|(_, placement)| !placement.created);
    let mut todo: Vec<(WorkerId, Oid)> =
        begun.map(|(id, placement)| (id.clone(), placement.fork.clone())).collect();
    todo.extend(wanted.into_iter().filter(|(id, _)| !planned.record.placements.contains_key(id)));
    refuse_lost_branches(&planned)?;
    refuse_moved_worktrees(&planned)?;

    for worker in planned.plan.workers.iter().filter(|worker| planned.record.has(&worker.id)) {
        if let Some(tip) = planned.branch(worker) {
            journal.bring(&worker.branch(), tip);
        }
    }
    let known = planned.record.placements.clone();
    for (worker, fork) in todo.iter().filter(|(id, _)| !known.contains_key(id)) {
        if let Some(worker) = planned.plan.worker(worker) {
            journal.bring(&worker.branch(), fork);
        }
        let event = Event::Creating { worker: worker.clone(), fork: fork.clone() };
        note(&mut journal, &mut planned, event, context.now)?;
    }
    publish(&mut journal, &planned.repo)?;
    planned.repo.exclude(&planned.plan.worktrees)?;

    let made = make_each(context, &mut planned, &mut journal, &todo);
    // Workers made before a failure are handed over all the same.
    let mut there = Vec::new();
    for worker in &planned.plan.workers {
        let placement = planned.record.placements.get(&worker.id).filter(|p| p.created);
        if let Some(placement) = placement.filter(|_| planned.record.has(&worker.id)) {
            reattach(&planned, worker)?;
            // A worker that was merged and cleaned up needs no hooks and no launcher any more.
            if repair::is_in_place(&planned.repo, &planned.plan, worker) {
                there.push((worker, placement.port));
            }
        }
    }
    repair::write(&planned.repo, &planned.plan, &there)?;
    // A file that was named later is carried over to workers that are there.
    let files = prepare::files_to_copy(&planned.repo, &planned.plan)?;
    let is_replanned = planned.is_replanned()?;
    for (worker, _) in there {
        if is_replanned {
            widen(&planned, worker)?;
        }
        prepare::copy(&planned.repo, &planned.worktree(worker), &files)?;
    }
    planned.verify(&todo)?;
    publish(&mut journal, &planned.repo)?;
    let made = made?;
    notes.extend(prepare::settle(&planned, &made)?);
    notes.extend(journal.notes());
    Ok((planned, made, notes))
}

/// Makes one worker after the other, their files side by side; stops at the first that cannot be
/// made.
fn make_each(
    context: &Context,
    planned: &mut PlannedWorkflow,
    journal: &mut Journal,
    todo: &[(WorkerId, Oid)],
) -> Result<BTreeSet<WorkerId>> {
    let files = if todo.is_empty() {
        Vec::new()
    } else {
        prepare::files_to_copy(&planned.repo, &planned.plan)?
    };
    let lost = |worker: &&Worker| planned.is_detached(worker);
    let mut made: BTreeSet<WorkerId> =
        planned.plan.workers.iter().filter(lost).map(|worker| worker.id.clone()).collect();
    let (placed, trouble) = place_each(context, planned, todo);
    let filled = all(&placed, |(worker, fork)| fill(planned, worker, fork));
    for ((worker, fork), filled) in placed.into_iter().zip(filled) {
        filled?;
        widen(planned, &worker)?;
        prepare::copy(&planned.repo, &planned.worktree(&worker), &files)?;
        let port = prepare::free_port(planned, &worker);
        prepare::run_setup(planned, &worker, port)?;
        let event = Event::Created { worker: worker.id.clone(), fork, port };
        note(journal, planned, event, context.now)?;
        made.insert(worker.id);
    }
    trouble.map_or(Ok(made), Err)
}

/// Makes worktrees up to the first that cannot be made, and returns why that is.
fn place_each(
    context: &Context,
    planned: &PlannedWorkflow,
    todo: &[(WorkerId, Oid)],
) -> (Vec<(Worker, Oid)>, Option<Error>) {
    let mut placed = Vec::new();
    for (id, fork) in todo {
        let Some(worker) = planned.plan.worker(id) else { continue };
        context.progress(&format!("creating {}", worker.label()));
        match place(planned, worker, fork) {
            Ok(()) => placed.push((worker.clone(), fork.clone())),
            Err(error) => return (placed, Some(error)),
        }
    }
    (placed, None)
}

/// Writes a worker's files, unless they are there. Where that fails, nothing is left of it.
fn fill(planned: &PlannedWorkflow, worker: &Worker, fork: &Oid) -> Result<()> {
    let (repo, path) = (&planned.repo, planned.worktree(worker));
    if repo.is_checked_out(&path) {
        return Ok(());
    }
    repo.fill_worktree(&path, fork).inspect_err(|_| {
        // If this fails, the same command rolls it back when it runs again.
        let _ = repo.roll_back_worktree(&path, Some((&worker.branch(), fork)));
    })
}

/// Opens the record to append events, with `planned` or `replanned` first.
fn open_journal(planned: &PlannedWorkflow) -> Result<Journal> {
    let PlannedWorkflow { repo, plan, plan_text, record, record_tip, .. } = planned;
    let journal =
        Journal::new(repo, repo.author()?, &plan.workflow, record_tip.clone(), plan_text)?;
    let mut journal = journal.through(remote::channel(plan));
    if record_tip.is_none() {
        let (branch, base) = (record.base_branch.clone(), record.base.clone());
        journal.add(repo, &Event::Planned { branch, base })?;
    } else if planned.is_replanned()? {
        journal.add(repo, &Event::Replanned)?;
    }
    Ok(journal)
}

/// Copies the ignored files that only the changed plan names into the worktrees that exist; returns
/// what was done for them, and what was not.
fn carry_over(planned: &PlannedWorkflow) -> Result<Vec<String>> {
    let PlannedWorkflow { repo, plan, record, record_tip, .. } = planned;
    let Some(tip) = record_tip.as_ref().filter(|_| !record.placements.is_empty()) else {
        return Ok(Vec::new());
    };
    let old = Plan::recorded(&repo.plan_text(tip)?)?;
    let mut notes = Vec::new();
    if old.setup != plan.setup {
        let note = "worktrees that exist are as the old `setup` made them: run the new one there, if it matters";
        notes.push(note.to_owned());
    }
    if old.copy.globs().eq(plan.copy.globs()) {
        return Ok(notes);
    }
    let mut files = prepare::files_to_copy(repo, plan)?;
    files.retain(|path| plan.copy.owns(path) && !old.copy.owns(path));
    let is_there =
        |worker: &&Worker| record.is_made(&worker.id) && repair::is_in_place(repo, plan, worker);
    let there: Vec<&Worker> = plan.workers.iter().filter(is_there).collect();
    for worker in &there {
        prepare::copy(repo, &planned.worktree(worker), &files)?;
    }
    if let Some(first) = files.first().filter(|_| !there.is_empty()) {
        let ids: Vec<&str> = there.iter().map(|worker| worker.id.as_str()).collect();
        let count = counted(files.len(), "ignored file");
        notes.push(format!(
            "carried over to {}: {count}, `{first}` first; what was there stayed",
            ids.join(", ")
        ));
    }
    Ok(notes)
}

fn note(
    journal: &mut Journal,
    planned: &mut PlannedWorkflow,
    event: Event,
    now: Seconds,
) -> Result<()> {
    journal.add(&planned.repo, &event)?;
    planned.record.apply(event, now);
    Ok(())
}

/// Publishes what was noted, if anything was.
fn publish(journal: &mut Journal, repo: &Repo) -> Result<()> {
    match journal.is_published() {
        true => Ok(()),
        false => journal.publish(repo, Transaction::default()),
    }
}

impl PlannedWorkflow {
    fn is_replanned(&self) -> Result<bool> {
        match &self.record_tip {
            Some(tip) => Ok(self.repo.plan_text(tip)? != self.plan_text),
            None => Ok(false),
        }
    }
}

/// Refuses when the branch of a worker that was handed over is gone: making it anew would hide
/// that its commits are.
fn refuse_lost_branches(planned: &PlannedWorkflow) -> Result<()> {
    let lost = |worker: &&Worker| {
        let placed =
            planned.record.placements.get(&worker.id).is_some_and(|placement| placement.created);
        placed
            && !planned.record.merged.contains_key(&worker.id)
            && planned.branch(worker).is_none()
            && !planned.is_elsewhere(worker)
    };
    let problems: Vec<Problem> = planned
        .plan
        .workers
        .iter()
        .filter(lost)
        .map(|worker| {
            let fork = planned
                .record
                .placements
                .get(&worker.id)
                .map(|Placement { fork, .. }| fork.to_string());
            let message = format!("the branch {} of {} is gone", worker.branch(), worker.id);
            let hint = format!(
                "bring it back: git branch {} <its last commit>; it began at {}",
                worker.branch(),
                fork.unwrap_or_default()
            );
            Problem::new(ProblemCode::BranchMissing, message, hint).workers([&worker.id])
        })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(in_the_way(problems).into()) }
}

/// Refuses when git does not find a worktree that was handed over and that is there, or finds
/// something else at its path: made anew, the old one would be cut off, with what is not committed
/// in it.
fn refuse_moved_worktrees(planned: &PlannedWorkflow) -> Result<()> {
    let PlannedWorkflow { repo, plan, record, .. } = planned;
    let lost = |worker: &Worker| -> Option<String> {
        if !record.is_made(&worker.id)
            || planned.branch(worker).is_none()
            || repair::is_in_place(repo, plan, worker)
        {
            return None;
        }
        let id = &worker.id;
        match repair::whereabouts(repo, plan, worker) {
            Whereabouts::Unlinked(_) | Whereabouts::At(..) => {
                Some(format!("the worktree of {id} was moved, or the repository with it"))
            }
            Whereabouts::Unregistered(_) => {
                Some(format!("git's entry of the worktree of {id} is gone; its folder is there"))
            }
            Whereabouts::Occupied if !record.merged.contains_key(id) => {
                Some(format!("the folder of {id} is not its worktree"))
            }
            Whereabouts::Occupied | Whereabouts::Unknown => None,
        }
    };
    let found = plan.workers.iter().find_map(|worker| Some((worker, lost(worker)?)));
    let Some((worker, message)) = found else { return Ok(()) };
    let hint = "run pw-setup repair, then the same command again";
    let folder = plan.worktree(worker).as_str().into();
    let problem = Problem::new(ProblemCode::FolderExists, message, hint).workers([&worker.id]);
    Err(in_the_way(vec![problem.path(folder)]).next(Next::Repair(Some(&plan.workflow))).into())
}

/// Makes branch and worktree, the files of a new branch left out. What an earlier run finished
/// before it was killed stays, with what a session did there since; only a checkout that never got
/// whole is rolled back.
fn place(planned: &PlannedWorkflow, worker: &Worker, fork: &Oid) -> Result<()> {
    let PlannedWorkflow { repo, plan, .. } = planned;
    let (path, branch) = (planned.worktree(worker), worker.branch());
    let there = path.symlink_metadata().is_ok();
    if there && repo.is_checked_out(&path) {
        return Ok(());
    }
    if !there && planned.branch(worker).is_some_and(|tip| tip != fork) {
        repo.forget_missing_worktree(&path)?;
        let folders = plan.folders_of(worker);
        return repo.attach_worktree(&path, &branch, folders.as_deref(), &plan.lock_reason(worker));
    }
    if path.is_dir()
        && let Some(file) = repo.foreign_file(&path, fork)?
    {
        let message = format!("{} holds `{file}`, which is not ours", path.display());
        let hint = "move it away, then run the command again";
        let problem = Problem::new(ProblemCode::FolderExists, message, hint).workers([&worker.id]);
        return Err(in_the_way(vec![problem]).into());
    }
    if there || planned.branch(worker).is_some() {
        repo.roll_back_worktree(&path, Some((&branch, fork)))?;
    }
    repo.add_empty_worktree(&path, &branch, fork, &plan.lock_reason(worker))?;
    match plan.folders_of(worker) {
        Some(folders) => repo.narrow(&path, &folders),
        None => Ok(()),
    }
}

/// Makes the worktree of a worker again whose folder was removed while its branch stayed.
fn reattach(planned: &PlannedWorkflow, worker: &Worker) -> Result<()> {
    match planned.is_detached(worker) {
        true => attach(planned, worker),
        false => Ok(()),
    }
}

/// Makes the worktree of a worker whose branch is there.
pub(super) fn attach(planned: &PlannedWorkflow, worker: &Worker) -> Result<()> {
    let PlannedWorkflow { repo, plan, .. } = planned;
    let (path, branch) = (planned.worktree(worker), worker.branch());
    let elsewhere =
        repo.worktrees().iter().find(|w| w.branch.as_ref() == Some(&branch) && w.path != path);
    if let Some(elsewhere) = elsewhere {
        let message = format!("{branch} is checked out in {}", elsewhere.path.display());
        let hint = "switch that checkout to another branch, or move it back with git worktree move";
        let problem = Problem::new(ProblemCode::BranchExists, message, hint).workers([&worker.id]);
        return Err(in_the_way(vec![problem]).into());
    }
    repo.forget_missing_worktree(&path)?;
    let folders = plan.folders_of(worker);
    repo.attach_worktree(&path, &branch, folders.as_deref(), &plan.lock_reason(worker))?;
    widen(planned, worker)
}

/// Sees to it that a worker has its files where its worktree is sparse: the user's own checkout is,
/// or the plan said something else of what it reads when it was made.
fn widen(planned: &PlannedWorkflow, worker: &Worker) -> Result<()> {
    let PlannedWorkflow { repo, plan, .. } = planned;
    let owned = || {
        let folders = worker.owns.folders().zip(plan.shared.folders());
        folders.map(|(owned, shared)| [owned, shared].concat())
    };
    let folders = plan.folders_of(worker).or_else(owned);
    repo.widen(&planned.worktree(worker), folders.as_deref())
}

impl PlannedWorkflow {
    /// Returns whether a worker that was handed over has a branch to go on with and no worktree.
    fn is_detached(&self, worker: &Worker) -> bool {
        let merged = self.record.merged.get(&worker.id).map(|(tip, _)| tip);
        let branch = self.branch(worker);
        self.record.is_made(&worker.id)
            && branch.is_some()
            && branch != merged
            && self.worktree(worker).symlink_metadata().is_err()
    }

    /// Looks whether everything is there: an exit code of git proves nothing.
    fn verify(&mut self, todo: &[(WorkerId, Oid)]) -> Result<()> {
        self.repo.refresh()?;
        for (id, _) in todo {
            let made = self.record.placements.get(id).is_some_and(|placement| placement.created);
            let Some(worker) = self.plan.worker(id).filter(|_| made) else { continue };
            let (path, branch) = (self.worktree(worker), worker.branch());
            let there = |w: &pw_git::Worktree| w.path == path && w.branch.as_ref() == Some(&branch);
            anyhow::ensure!(
                self.repo.worktrees().iter().any(there),
                "the worktree of {id} was not made"
            );
        }
        Ok(())
    }
}

pub(super) fn answer(
    planned: &PlannedWorkflow,
    made: &BTreeSet<WorkerId>,
    notes: Vec<String>,
    prerequisites: Option<Prerequisites>,
) -> Result<Answer> {
    let status = |worker: &Worker| match planned.record.placements.contains_key(&worker.id) {
        _ if made.contains(&worker.id) => SetupStatus::Created,
        true if planned.is_removed(worker) => SetupStatus::Removed,
        true => SetupStatus::Exists,
        false => SetupStatus::Waiting,
    };
    let launches =
        planned.plan.workers.iter().filter(|worker| made.contains(&worker.id)).map(|worker| {
            let launch = launcher::command(&planned.repo, &planned.plan, worker);
            NextStep::of(&worker.id, "launch", launch.command)
        });
    let watch = NextStep::new("watch", Next::Status(&planned.plan.workflow));
    let next = launches.chain([watch]).collect();
    let setup = planned.report(&status, next);
    Answer::of(&Created { setup, notes, prerequisites }, view::created)
}
