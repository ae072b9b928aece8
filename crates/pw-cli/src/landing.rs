//! Is it in already? One judge for the result and for each worker's branch, whether the user merged,
//! squashed, rebased or picked it, and whatever was changed on the base branch since.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use pw_core::facts::Facts;
use pw_core::history::{Change, Commit, History, Stretch};
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

/// Returns the tips, of workers and of the integration branch, that the base branch has by content
/// alone, each with the oldest commit there that has it.
///
/// Git is asked only where the base branch has moved.
pub(crate) fn by_content(workflow: &Workflow, facts: &Facts) -> Result<BTreeMap<Oid, Oid>> {
    let Workflow { repo, record, .. } = workflow;
    let mut landed = BTreeMap::new();
    let Some(base_tip) = facts.base_tip.as_ref().filter(|tip| **tip != record.base) else {
        return Ok(landed);
    };
    let is_open = |tip: &&Oid| !facts.history.contains(base_tip, tip);
    let mut wanted: Vec<Oid> = finished(workflow, facts).filter(is_open).cloned().collect();
    if let Some(tip) = facts.integration_tip.as_ref().filter(is_open) {
        let finished = record.finished.as_ref().filter(|_| record.landed.as_ref() == Some(tip));
        match finished.filter(|commit| facts.history.contains(base_tip, commit)) {
            // Noted when it was found out before.
            Some(commit) => drop(landed.insert(tip.clone(), commit.clone())),
            None => wanted.push(tip.clone()),
        }
    }
    if wanted.is_empty() {
        return Ok(landed);
    }
    let chain = Chain::of(repo, &facts.history, base_tip)?;
    for (tip, paths) in changed_paths(repo, &record.base, wanted)? {
        let Some(at) = chain.first_with(repo, &tip, &paths)? else { continue };
        if !is_newer(workflow, facts, &chain, &at, &tip)? {
            landed.insert(tip, at);
        }
    }
    Ok(landed)
}

/// Returns what workers have finished, and what of theirs was merged or forked from and is no longer
/// on their branches.
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

/// Returns whether a tip has something newer than what landed of it before, and the commit `at` which
/// seems to have it has not: to a merge from before, what takes landed work back is no change.
fn is_newer(
    workflow: &Workflow,
    facts: &Facts,
    chain: &Chain,
    at: &Oid,
    tip: &Oid,
) -> Result<bool> {
    let merged = |id: &WorkerId| workflow.record.merged.get(id).map(|(tip, _)| tip);
    let worker = facts.workers.iter().find(|(_, known)| known.tip.as_ref() == Some(tip));
    let before = match worker.and_then(|(id, _)| merged(id)).filter(|before| *before != tip) {
        Some(before) => Some(before.clone()),
        None => landed_before(workflow, facts, chain, tip)?,
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
    chain: &Chain,
    result: &Oid,
) -> Result<Option<Oid>> {
    if facts.integration_tip.as_ref() != Some(result) {
        return Ok(None);
    }
    let merges = facts.history.chain(result).skip(1).filter(|commit| commit.parents.len() > 1);
    let merges = merges.take(TRIED).map(|commit| commit.oid.clone()).collect();
    for (merge, paths) in changed_paths(&workflow.repo, &workflow.record.base, merges)? {
        if chain.first_with(&workflow.repo, &merge, &paths)?.is_some() {
            return Ok(Some(merge));
        }
    }
    Ok(None)
}

/// Returns what a landing of the result is to be compared with: the newest merge below it that the
/// base branch has by content. Git's own merge base would be from before that landing.
pub(crate) fn merge_base(
    workflow: &Workflow,
    facts: &Facts,
    base_tip: &Oid,
    result: &Oid,
) -> Result<Option<Oid>> {
    let chain = Chain::of(&workflow.repo, &facts.history, base_tip)?;
    landed_before(workflow, facts, &chain, result)
}

/// Returns whether a branch has everything of `tip`, as commits or by content.
pub(crate) fn is_in(workflow: &Workflow, facts: &Facts, branch: &Oid, tip: &Oid) -> Result<bool> {
    let Workflow { repo, record, .. } = workflow;
    if repo.is_ancestor(tip, branch)? {
        return Ok(true);
    }
    let chain = Chain::of(repo, &facts.history, branch)?;
    for (tip, paths) in changed_paths(repo, &record.base, vec![tip.clone()])? {
        if chain.first_with(repo, &tip, &paths)?.is_some() {
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
    let questions: Vec<Stretch> = tips.iter().map(|tip| Stretch::between(base, tip)).collect();
    let paths = |changes: Vec<Change>| changes.into_iter().map(|change| change.path).collect();
    let answers = repo.changes(&questions)?.into_iter().map(paths);
    let with = tips.into_iter().zip(answers);
    Ok(with.filter(|(_, paths): &(Oid, BTreeSet<RepoPath>)| !paths.is_empty()).collect())
}

/// What a branch went through since the base, the oldest first.
struct Chain {
    steps: Vec<(Oid, BTreeMap<RepoPath, Change>)>,
}

impl Chain {
    fn of(repo: &Repo, history: &History, tip: &Oid) -> Result<Self> {
        let commits: Vec<&Commit> = history.chain(tip).take(SEARCHED).collect();
        let step = |commit: &&Commit| Some(Stretch::between(commit.parents.first()?, &commit.oid));
        let steps: Vec<Stretch> = commits.iter().rev().filter_map(step).collect();
        let changes = repo.changes(&steps)?.into_iter();
        let changes = changes.map(|all| all.into_iter().map(|c| (c.path.clone(), c)).collect());
        Ok(Self { steps: steps.into_iter().map(|step| step.newest).zip(changes).collect() })
    }

    /// Returns the oldest commit to which a merge of `tip` would add nothing: the one that squashed
    /// it, the last that was picked of it, whatever was changed there later, unless all was taken back.
    /// Where others changed the same lines in between, each of its commits must have been picked.
    fn first_with(
        &self,
        repo: &Repo,
        tip: &Oid,
        paths: &BTreeSet<RepoPath>,
    ) -> Result<Option<Oid>> {
        let mut open = paths.clone();
        let mut tries: Vec<(usize, Oid)> = Vec::new();
        for (at, (commit, changes)) in self.steps.iter().enumerate() {
            open.retain(|path| !changes.contains_key(path));
            if open.is_empty() && changes.keys().any(|path| paths.contains(path)) {
                tries.push((at, commit.clone()));
            }
        }
        let found = tries.len();
        tries.retain(|(at, _)| !paths.iter().all(|path| self.is_taken_back(path, *at)));
        let was_taken_back = tries.len() < found;
        tries.truncate(TRIED);
        let Some((last, _)) = self.steps.last().filter(|_| !tries.is_empty()) else {
            return Ok(None);
        };
        let commits: Vec<Oid> = tries.into_iter().map(|(_, commit)| commit).collect();
        if let Some(first) = repo.first_with(&commits, tip)? {
            return Ok(Some(first));
        }
        let is_applied = !was_taken_back && repo.is_applied(last, tip)?;
        Ok(is_applied.then(|| last.clone()))
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
