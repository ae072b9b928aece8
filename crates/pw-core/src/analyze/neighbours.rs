//! Files that history says change with a worker's, and that the worker may not change.

use std::collections::{BTreeSet, HashMap};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::coupling::{Pair, ties};
use crate::history::Commit;
use crate::id::WorkerId;
use crate::path::RepoPath;
use crate::plan::Plan;

/// Of the commits that changed a worker's file, the share that must have changed the other: what is
/// said less often than not is not read.
const SURE: f64 = 0.6;

/// A file outside a scope that changes with one inside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Neighbour {
    /// The worker that owns `path`.
    pub worker: WorkerId,
    /// The two files: `path` inside the scope, `with` outside it.
    #[serde(flatten)]
    pub pair: Pair,
    /// Who owns `with`; `null` when no worker does.
    pub owner: Option<WorkerId>,
}

/// Returns for each worker the files outside its scope that changed with its own, the surest first,
/// at most `limit`; each file once for each worker.
pub fn neighbours(plan: &Plan, commits: &[Commit], limit: usize) -> Vec<Neighbour> {
    let gone = gone(commits);
    let stays = |path: &&RepoPath| !gone.contains(path);
    let files = |commit| paths(commit).filter(stays).collect();
    let changes: Vec<Vec<&RepoPath>> = commits.iter().map(files).collect();
    let owner = |path: &RepoPath| plan.workers.iter().find(|worker| worker.owns.owns(path));
    let mut seen = BTreeSet::new();
    let sure = ties(&changes).into_iter().filter(|tie| tie.confidence() >= SURE);
    let neighbour = |tie: super::coupling::Tie<&RepoPath>| {
        let worker = owner(tie.from)?;
        let is_new =
            !plan.allows(worker, tie.to) && seen.insert((worker.id.clone(), tie.to.clone()));
        is_new.then(|| Neighbour {
            worker: worker.id.clone(),
            owner: owner(tie.to).map(|other| other.id.clone()),
            pair: tie.named(|path| (*path).clone()),
        })
    };
    sure.filter_map(neighbour).take(limit).collect()
}

/// Returns the paths whose newest change removed them; the newest commit comes first.
fn gone(commits: &[Commit]) -> BTreeSet<&RepoPath> {
    let mut newest: HashMap<&RepoPath, bool> = HashMap::new();
    for change in commits.iter().flat_map(|commit| &commit.changes) {
        newest.entry(&change.path).or_insert(change.new.is_none());
    }
    newest.into_iter().filter(|(_, is_gone)| *is_gone).map(|(path, _)| path).collect()
}

fn paths(commit: &Commit) -> impl Iterator<Item = &RepoPath> {
    commit.changes.iter().map(|change| &change.path)
}
