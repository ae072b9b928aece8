//! Whether work is in the base branch already: one judge for the result and for each worker's
//! branch, whether the user merged, squashed, rebased or cherry-picked it, also when the base
//! branch changed the same files since.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use pw_core::facts::{Facts, Reverted};
use pw_core::history::{Change, Commit, CommitRange, History};
use pw_core::id::{Oid, WorkerId};
use pw_core::record::Record;
use pw_core::signal::{self, Signal, Subject};
use pw_git::{Pair, Repo, Scratch};

use crate::landed::steps::{Files, Steps, TRIED};
use crate::workflow::Workflow;

mod steps;

/// How tips landed on the base branch that it does not contain as commits.
#[derive(Default)]
pub(crate) struct Landings {
    /// The oldest commit there that has all of a tip.
    pub(crate) landed_as: BTreeMap<Oid, Oid>,
    pub(crate) reverted: BTreeMap<Oid, Reverted>,
}

/// Returns the tips, of workers and of the integration branch, that the base branch has by content
/// alone, and those whose changes were there and were taken back.
///
/// Git is asked only where the base branch has moved, or the user has committed on top of us.
pub(crate) fn landings(workflow: &Workflow, facts: &Facts) -> Result<Landings> {
    let mut landings = by_content(workflow, facts)?;
    let is_in = |branch: &Option<Oid>, tip: &Oid| {
        branch.as_ref().is_some_and(|branch| facts.history.contains(branch, tip))
    };
    let merged = workflow.record.merged.values().map(|(tip, _)| tip);
    let tips = finished(workflow, facts).chain(merged).chain(&facts.integration_tip).cloned();
    let (landed, others): (Vec<Oid>, _) = tips.partition(|tip| is_in(&facts.base_tip, tip));
    let merged = others.into_iter().filter(|tip| is_in(&facts.integration_tip, tip)).collect();
    for (branch, tips) in [(&facts.base_tip, landed), (&facts.integration_tip, merged)] {
        if let Some(branch) = branch {
            landings.reverted.extend(taken_back(workflow, &facts.history, branch, tips)?);
        }
    }
    // A part of the result is told of the worker that made it.
    let is_part = |tip: &Oid, reverted: &Reverted| {
        reverted.partly.is_some() && facts.integration_tip.as_ref() == Some(tip)
    };
    landings.reverted.retain(|tip, reverted| !is_part(tip, reverted));
    Ok(landings)
}

/// Returns those of the tips, which a branch contains, whose changes it took back.
fn taken_back(
    workflow: &Workflow,
    history: &History,
    branch: &Oid,
    tips: Vec<Oid>,
) -> Result<BTreeMap<Oid, Reverted>> {
    let Workflow { repo, record, .. } = workflow;
    if tips.is_empty() || is_made_by_us(record, history, branch) {
        return Ok(BTreeMap::new());
    }
    let tips = changed_files(repo, &record.base, tips)?;
    let steps = Steps::read(repo, history, branch, &tips)?;
    let reverted = tips.into_iter().filter_map(|(tip, files)| {
        let reverted = steps.reverted_since(history, &tip, &files)?;
        Some((tip, reverted))
    });
    Ok(reverted.collect())
}

/// Returns whether all that a branch has beyond the base are merges of ours: then no commit can have
/// reverted any of them.
fn is_made_by_us(record: &Record, history: &History, branch: &Oid) -> bool {
    let merged = |tip: &Oid| record.merged.values().any(|(merged, _)| merged == tip);
    let is_ours = |commit: &Commit| {
        commit.parents.get(1).is_some_and(merged) || record.finished.as_ref() == Some(&commit.oid)
    };
    history.chain(branch).take_while(|commit| commit.oid != record.base).all(is_ours)
}

fn by_content(workflow: &Workflow, facts: &Facts) -> Result<Landings> {
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
    let wanted = changed_files(repo, &record.base, wanted)?;
    let steps = Steps::read(repo, &facts.history, base_tip, &wanted)?;
    for (tip, files) in wanted {
        if let Some(at) = steps.first_with(repo, &tip, &files)? {
            if !is_newer(workflow, facts, &steps, &at, &tip)? {
                landings.landed_as.insert(tip, at);
            }
        } else if let Some(reverted) = steps.reverted(repo, facts, &tip, &files)? {
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
    let pair = Pair { base: Some(before), ..Pair::new(at, tip) };
    let scratch = Scratch::new()?;
    let merged = workflow.repo.merge_pairs(&[pair], Some(&scratch))?;
    let merged = merged.first().context("a merge without an outcome")?;
    let adds_nothing = || {
        let tree = workflow.repo.merged_tree(merged, Some(&scratch))?;
        anyhow::Ok(tree == workflow.repo.tree_of(at)?)
    };
    Ok(!merged.conflicts.is_empty() || !adds_nothing()?)
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
    for (merge, files) in changed_files(&workflow.repo, &workflow.record.base, merges)? {
        if steps.first_with(&workflow.repo, &merge, &files)?.is_some() {
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
    let Workflow { repo, record, .. } = workflow;
    let known = changed_files(repo, &record.base, vec![result.clone()])?;
    let steps = Steps::read(repo, &facts.history, base_tip, &known)?;
    landed_before(workflow, facts, &steps, result)
}

/// Returns whether a branch has everything of `tip`, as commits or by content.
pub(crate) fn is_in(workflow: &Workflow, facts: &Facts, branch: &Oid, tip: &Oid) -> Result<bool> {
    let Workflow { repo, record, .. } = workflow;
    if repo.is_ancestor(tip, branch)? {
        return Ok(true);
    }
    let known = changed_files(repo, &record.base, vec![tip.clone()])?;
    let steps = Steps::read(repo, &facts.history, branch, &known)?;
    for (tip, files) in &known {
        if steps.first_with(repo, tip, files)?.is_some() {
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
fn changed_files(repo: &Repo, base: &Oid, tips: Vec<Oid>) -> Result<Vec<(Oid, Files)>> {
    let questions: Vec<CommitRange> =
        tips.iter().map(|tip| CommitRange::between(base, tip)).collect();
    let files = |changes: Vec<Change>| changes.into_iter().map(|c| (c.path.clone(), c)).collect();
    let answers = repo.changes(&questions)?.into_iter().map(files);
    let with = tips.into_iter().zip(answers);
    Ok(with.filter(|(_, files): &(Oid, Files)| !files.is_empty()).collect())
}
