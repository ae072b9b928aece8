//! Whether work is in the base branch already: one judge for the result and for each worker's
//! branch, whether the user merged, squashed, rebased or cherry-picked it, also when the base
//! branch changed the same files since.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use pw_core::facts::{Facts, Reverted};
use pw_core::history::{Change, Commit, CommitRange, History};
use pw_core::id::{Oid, WorkerId};
use pw_core::path::RepoPath;
use pw_core::record::Record;
use pw_core::signal::{self, Signal, Subject};
use pw_git::{Pair, Repo, Scratch};

use crate::workflow::Workflow;

/// How many of the newest commits of a branch are searched for work that landed there.
const SEARCHED: usize = 500;
/// How many of these are tried.
const TRIED: usize = 50;

/// How tips landed on the base branch that it does not contain as commits.
#[derive(Default)]
pub(crate) struct Landings {
    /// The oldest commit there that has all of a tip.
    pub(crate) landed_as: BTreeMap<Oid, Oid>,
    pub(crate) reverted: BTreeMap<Oid, Reverted>,
}

/// Returns the tips, of workers and of the integration branch, that the base branch has by content
/// alone, and those it had and has no longer.
///
/// Git is asked only where the base branch has moved.
pub(crate) fn by_content(workflow: &Workflow, facts: &Facts) -> Result<Landings> {
    let Workflow { repo, record, .. } = workflow;
    let mut landings = Landings::default();
    let Some(base_tip) = facts.base_tip.as_ref().filter(|tip| **tip != record.base) else {
        return Ok(landings);
    };
    let is_open = |tip: &&Oid| !facts.history.contains(base_tip, tip);
    let mut wanted: Vec<Oid> = finished(workflow, facts).filter(is_open).cloned().collect();
    if let Some(tip) = facts.integration_tip.as_ref().filter(is_open) {
        let finished = record.finished.as_ref().filter(|_| record.landed.as_ref() == Some(tip));
        match finished.filter(|commit| facts.history.contains(base_tip, commit)) {
            // Recorded by an earlier run.
            Some(commit) => drop(landings.landed_as.insert(tip.clone(), commit.clone())),
            None => wanted.push(tip.clone()),
        }
    }
    if wanted.is_empty() {
        return Ok(landings);
    }
    let steps = Steps::read(repo, &facts.history, base_tip)?;
    for (tip, paths) in changed_paths(repo, &record.base, wanted)? {
        if let Some(at) = steps.first_with(repo, &tip, &paths)? {
            if !is_newer(workflow, facts, &steps, &at, &tip)? {
                landings.landed_as.insert(tip, at);
            }
        } else if let Some(reverted) = steps.reverted(repo, facts, &tip, &paths)? {
            landings.reverted.insert(tip, reverted);
        }
    }
    Ok(landings)
}

/// Returns what workers have finished, and what of theirs was merged or forked from and is no
/// longer on their branches.
fn finished<'a>(workflow: &'a Workflow, facts: &'a Facts) -> impl Iterator<Item = &'a Oid> {
    let Record { merged, placements, .. } = &workflow.record;
    facts.workers.iter().flat_map(move |(id, known)| {
        let tip = known.tip.as_ref();
        let complete = tip.filter(|tip| is_complete(&facts.history, tip));
        let merged = merged.get(id).map(|(tip, _)| tip);
        let fork = placements.get(id).map(|placement| &placement.fork);
        let lost = merged
            .into_iter()
            .chain(fork)
            .filter(move |known| tip.is_some_and(|tip| !facts.history.contains(tip, known)));
        complete.into_iter().chain(lost)
    })
}

/// Returns whether a tip has something newer than what landed of it before, and `at` does not have
/// it: with git's own merge base, which is older, a commit of the tip that reverts landed work
/// looks like no change.
fn is_newer(
    workflow: &Workflow,
    facts: &Facts,
    steps: &Steps,
    at: &Oid,
    tip: &Oid,
) -> Result<bool> {
    let merged = |id: &WorkerId| workflow.record.merged.get(id).map(|(tip, _)| tip);
    let worker = facts.workers.iter().find(|(_, known)| known.tip.as_ref() == Some(tip));
    let before = match worker.and_then(|(id, _)| merged(id)).filter(|before| *before != tip) {
        Some(before) => Some(before.clone()),
        None => landed_before(workflow, facts, steps, tip)?,
    };
    let Some(before) = before else { return Ok(false) };
    let pair = Pair { ours: at.clone(), theirs: tip.clone(), base: Some(before) };
    let merged = workflow.repo.merge_pairs(&[pair], Some(&Scratch::new()?))?;
    let tree = workflow.repo.tree_of(at)?;
    Ok(merged.iter().any(|merge| !merge.conflicts.is_empty() || merge.tree != tree))
}

/// Returns the newest merge below the result that the base branch has by content.
fn landed_before(
    workflow: &Workflow,
    facts: &Facts,
    steps: &Steps,
    result: &Oid,
) -> Result<Option<Oid>> {
    if facts.integration_tip.as_ref() != Some(result) {
        return Ok(None);
    }
    let merges = facts.history.chain(result).skip(1).filter(|commit| commit.parents.len() > 1);
    let merges = merges.take(TRIED).map(|commit| commit.oid.clone()).collect();
    for (merge, paths) in changed_paths(&workflow.repo, &workflow.record.base, merges)? {
        if steps.first_with(&workflow.repo, &merge, &paths)?.is_some() {
            return Ok(Some(merge));
        }
    }
    Ok(None)
}

/// Returns the merge base for landing the result: the newest merge below it that the base branch
/// has by content. Git's own merge base would be older than that landing.
pub(crate) fn merge_base(
    workflow: &Workflow,
    facts: &Facts,
    base_tip: &Oid,
    result: &Oid,
) -> Result<Option<Oid>> {
    let steps = Steps::read(&workflow.repo, &facts.history, base_tip)?;
    landed_before(workflow, facts, &steps, result)
}

/// Returns whether a branch has everything of `tip`, as commits or by content.
pub(crate) fn is_in(workflow: &Workflow, facts: &Facts, branch: &Oid, tip: &Oid) -> Result<bool> {
    let Workflow { repo, record, .. } = workflow;
    if repo.is_ancestor(tip, branch)? {
        return Ok(true);
    }
    let steps = Steps::read(repo, &facts.history, branch)?;
    for (tip, paths) in changed_paths(repo, &record.base, vec![tip.clone()])? {
        if steps.first_with(repo, &tip, &paths)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_complete(history: &History, tip: &Oid) -> bool {
    let said = history.commit(tip).map(|commit| signal::read(&commit.message));
    matches!(said, Some(Subject::Signal { signal: Signal::Complete, .. }))
}

/// Returns each tip with the files it changes since the base, those without any left out.
fn changed_paths(
    repo: &Repo,
    base: &Oid,
    tips: Vec<Oid>,
) -> Result<Vec<(Oid, BTreeSet<RepoPath>)>> {
    let questions: Vec<CommitRange> =
        tips.iter().map(|tip| CommitRange::between(base, tip)).collect();
    let paths = |changes: Vec<Change>| changes.into_iter().map(|change| change.path).collect();
    let answers = repo.changes(&questions)?.into_iter().map(paths);
    let with = tips.into_iter().zip(answers);
    Ok(with.filter(|(_, paths): &(Oid, BTreeSet<RepoPath>)| !paths.is_empty()).collect())
}

/// The commits of a branch since the base with their changes, the oldest first.
struct Steps {
    steps: Vec<(Oid, BTreeMap<RepoPath, Change>)>,
}

impl Steps {
    fn read(repo: &Repo, history: &History, tip: &Oid) -> Result<Self> {
        let commits: Vec<&Commit> = history.chain(tip).take(SEARCHED).collect();
        let step =
            |commit: &&Commit| Some(CommitRange::between(commit.parents.first()?, &commit.oid));
        let steps: Vec<CommitRange> = commits.iter().rev().filter_map(step).collect();
        let changes = repo.changes(&steps)?.into_iter();
        let changes = changes.map(|all| all.into_iter().map(|c| (c.path.clone(), c)).collect());
        Ok(Self { steps: steps.into_iter().map(|step| step.newest).zip(changes).collect() })
    }

    /// Returns the oldest commit whose tree a merge of `tip` would leave as it is: the one that
    /// squashed it, or the last that was picked of it. Later changes do not matter, unless they
    /// revert all of it. Where other commits changed the same lines in between, each of its commits
    /// must have been picked.
    fn first_with(
        &self,
        repo: &Repo,
        tip: &Oid,
        paths: &BTreeSet<RepoPath>,
    ) -> Result<Option<Oid>> {
        let (tries, taken_back) = self.tries(paths);
        let Some((last, _)) = self.steps.last().filter(|_| !tries.is_empty()) else {
            return Ok(None);
        };
        let commits: Vec<Oid> = tries.iter().map(|at| self.steps[*at].0.clone()).collect();
        if let Some(first) = repo.first_with(&commits, tip)? {
            return Ok(Some(first));
        }
        let is_applied = taken_back.is_empty() && repo.is_applied(last, tip)?;
        Ok(is_applied.then(|| last.clone()))
    }

    /// Returns the commit at which the branch had all of `tip`, and the one that reverted it.
    ///
    /// A change that the user made and reverted before the worker made its commit does not count.
    fn reverted(
        &self,
        repo: &Repo,
        facts: &Facts,
        tip: &Oid,
        paths: &BTreeSet<RepoPath>,
    ) -> Result<Option<Reverted>> {
        let time = |oid: &Oid| facts.history.commit(oid).map(|commit| commit.time);
        let made = time(tip).filter(|_| facts.integration_tip.as_ref() != Some(tip));
        let is_later = |at: &usize| time(&self.steps[*at].0) >= made;
        let tries = self.tries(paths).1.into_iter().filter(is_later);
        let commits: Vec<Oid> = tries.map(|at| self.steps[at].0.clone()).collect();
        if commits.is_empty() {
            return Ok(None);
        }
        let Some(landed) = repo.first_with(&commits, tip)? else { return Ok(None) };
        let touches = |(_, changes): &&(Oid, _)| touches_any(changes, paths);
        let by = self.steps.iter().rev().find(touches).map(|(commit, _)| commit.clone());
        Ok(by.map(|by| Reverted { landed, by }))
    }

    /// Returns the steps after which all these files had been changed, and apart from these those
    /// after which all was taken back.
    fn tries(&self, paths: &BTreeSet<RepoPath>) -> (Vec<usize>, Vec<usize>) {
        let mut open = paths.clone();
        let mut tries: Vec<usize> = Vec::new();
        for (at, (_, changes)) in self.steps.iter().enumerate() {
            open.retain(|path| !changes.contains_key(path));
            if open.is_empty() && touches_any(changes, paths) {
                tries.push(at);
            }
        }
        let is_back = |at: &usize| paths.iter().all(|path| self.is_taken_back(path, *at));
        let (mut taken_back, mut tries): (Vec<usize>, Vec<usize>) =
            tries.into_iter().partition(is_back);
        tries.truncate(TRIED);
        taken_back.truncate(TRIED);
        (tries, taken_back)
    }

    /// Returns whether a file is again as it was before one of the changes up to this step, and was
    /// not only renamed.
    fn is_taken_back(&self, path: &RepoPath, at: usize) -> bool {
        let changes = |steps: std::ops::Range<usize>| {
            self.steps[steps].iter().filter_map(|(_, all)| Some((all, all.get(path)?)))
        };
        let Some((all, now)) = changes(at + 1..self.steps.len()).next_back() else { return false };
        let is_moved = now.new.is_none()
            && all.values().any(|other| other.old.is_none() && other.new == now.old);
        !is_moved && changes(0..at + 1).any(|(_, change)| change.old == now.new)
    }
}

fn touches_any(changes: &BTreeMap<RepoPath, Change>, paths: &BTreeSet<RepoPath>) -> bool {
    changes.keys().any(|path| paths.contains(path))
}
