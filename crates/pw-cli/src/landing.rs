//! Is it in already? One judge for the result and for each worker's branch, whether the user merged,
//! squashed, rebased or picked it, and whatever was changed on the base branch since.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use pw_core::facts::Facts;
use pw_core::history::{Commit, History, Stretch};
use pw_core::id::Oid;
use pw_core::path::RepoPath;
use pw_core::signal::{self, Signal, Subject};
use pw_git::Repo;

use crate::workflow::Workflow;

/// How many of the newest commits of a branch are searched for work that landed there.
const SEARCHED: usize = 500;
/// How many of these are tried.
const TRIED: usize = 50;

/// Returns the tips, of finished workers and of the integration branch, that the base branch has by
/// content alone, each with the oldest commit there that has it.
///
/// Git is asked only where the base branch has moved.
pub(crate) fn by_content(workflow: &Workflow, facts: &Facts) -> Result<BTreeMap<Oid, Oid>> {
    let Workflow { repo, record, .. } = workflow;
    let mut landed = BTreeMap::new();
    let Some(base_tip) = facts.base_tip.as_ref().filter(|tip| **tip != record.base) else {
        return Ok(landed);
    };
    let is_open = |tip: &&Oid| !facts.history.contains(base_tip, tip);
    let workers =
        facts.workers.values().filter_map(|known| known.tip.as_ref().zip(known.brought.as_ref()));
    let workers = workers.filter(|(tip, _)| is_open(tip) && is_complete(&facts.history, tip));
    let mut wanted: Vec<(Oid, BTreeSet<RepoPath>)> = workers
        .map(|(tip, brought)| {
            (tip.clone(), brought.changes.iter().map(|c| c.path.clone()).collect())
        })
        .collect();
    if let Some(tip) = facts.integration_tip.as_ref().filter(is_open) {
        let finished = record.finished.as_ref().filter(|_| record.landed.as_ref() == Some(tip));
        match finished.filter(|commit| facts.history.contains(base_tip, commit)) {
            // Noted when it was found out before.
            Some(commit) => drop(landed.insert(tip.clone(), commit.clone())),
            None => wanted.push((tip.clone(), changed_paths(repo, &record.base, tip)?)),
        }
    }
    wanted.retain(|(_, paths)| !paths.is_empty());
    if wanted.is_empty() {
        return Ok(landed);
    }
    let chain = Chain::of(repo, &facts.history, base_tip)?;
    for (tip, paths) in wanted {
        if let Some(at) = chain.first_with(repo, &tip, &paths)? {
            landed.insert(tip, at);
        }
    }
    Ok(landed)
}

/// Returns whether a branch has everything of `tip`, as commits or by content.
pub(crate) fn is_in(workflow: &Workflow, facts: &Facts, branch: &Oid, tip: &Oid) -> Result<bool> {
    let Workflow { repo, record, .. } = workflow;
    if repo.is_ancestor(tip, branch)? {
        return Ok(true);
    }
    let paths = changed_paths(repo, &record.base, tip)?;
    let chain = Chain::of(repo, &facts.history, branch)?;
    Ok(chain.first_with(repo, tip, &paths)?.is_some())
}

fn is_complete(history: &History, tip: &Oid) -> bool {
    let said = history.commit(tip).map(|commit| signal::read(&commit.message));
    matches!(said, Some(Subject::Signal { signal: Signal::Complete, .. }))
}

fn changed_paths(repo: &Repo, from: &Oid, to: &Oid) -> Result<BTreeSet<RepoPath>> {
    let changes = repo.changes(&[Stretch::between(from, to)])?;
    Ok(changes.into_iter().flatten().map(|change| change.path).collect())
}

/// What a branch went through since the base, the oldest first.
struct Chain {
    commits: Vec<(Oid, BTreeSet<RepoPath>)>,
}

impl Chain {
    fn of(repo: &Repo, history: &History, tip: &Oid) -> Result<Self> {
        let commits: Vec<&Commit> = history.chain(tip).take(SEARCHED).collect();
        let step = |commit: &&Commit| Some(Stretch::between(commit.parents.first()?, &commit.oid));
        let steps: Vec<Stretch> = commits.iter().rev().filter_map(step).collect();
        let changes = repo.changes(&steps)?;
        let paths = changes.into_iter().map(|all| all.into_iter().map(|c| c.path).collect());
        Ok(Self { commits: steps.into_iter().map(|step| step.newest).zip(paths).collect() })
    }

    /// Returns the oldest commit to which a merge of `tip` would add nothing: the one that squashed
    /// it, the last that was picked of it, whatever was changed there later. Where others changed the
    /// same lines in between, each of its commits must have been picked.
    fn first_with(
        &self,
        repo: &Repo,
        tip: &Oid,
        paths: &BTreeSet<RepoPath>,
    ) -> Result<Option<Oid>> {
        let mut open = paths.clone();
        let mut tries: Vec<Oid> = Vec::new();
        for (commit, changed) in &self.commits {
            open.retain(|path| !changed.contains(path));
            if open.is_empty() && changed.iter().any(|path| paths.contains(path)) {
                tries.push(commit.clone());
            }
        }
        tries.truncate(TRIED);
        if tries.is_empty() || paths.is_empty() {
            return Ok(None);
        }
        if let Some(first) = repo.first_with(&tries, tip)? {
            return Ok(Some(first));
        }
        let newest = self.commits.last().map(|(commit, _)| commit.clone());
        let picked = match &newest {
            Some(newest) => repo.is_applied(newest, tip)?,
            None => false,
        };
        Ok(newest.filter(|_| picked))
    }
}
