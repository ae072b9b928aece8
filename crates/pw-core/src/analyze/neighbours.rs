//! Files that history says change with a worker's: those that it may not change, before the work;
//! those that no worker has changed so far, during it.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::coupling::{Pair, Tie, ties};
use super::log::{Known, Log, PathId};
use crate::id::WorkerId;
use crate::path::RepoPath;
use crate::plan::{Plan, Worker};

/// A file outside a scope that changes with one inside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Neighbour {
    /// The worker that owns `path`, or has changed it.
    pub worker: WorkerId,
    /// The two files: `path` inside the scope, `with` outside it.
    #[serde(flatten)]
    pub pair: Pair,
    /// Who owns `with`; `null` when no worker does.
    pub owner: Option<WorkerId>,
}

/// Returns for each worker the files outside its scope that changed with its own, the surest first,
/// at most `limit`; each file once for each worker.
pub fn neighbours(plan: &Plan, log: &Log, known: &Known, limit: usize) -> Vec<Neighbour> {
    let mut seen = BTreeSet::new();
    let neighbour = |tie: Tie<PathId>| {
        let (from, to) = (&log.paths[tie.from as usize], &log.paths[tie.to as usize]);
        let worker = owner(plan, from)?;
        let is_new = !plan.allows(worker, to) && seen.insert((worker.id.clone(), tie.to));
        is_new.then(|| told(plan, log, worker, &tie))
    };
    sure(known).filter_map(neighbour).take(limit).collect()
}

/// Returns the files that no worker has changed, although past changes of what workers `changed` did,
/// the surest first, at most `limit`; each file once.
pub fn left_behind(
    plan: &Plan,
    log: &Log,
    known: &Known,
    changed: &BTreeMap<WorkerId, BTreeSet<RepoPath>>,
    limit: usize,
) -> Vec<Neighbour> {
    let all: HashSet<&RepoPath> = changed.values().flatten().collect();
    let mut seen = BTreeSet::new();
    let left = |tie: Tie<PathId>| {
        let (from, to) = (&log.paths[tie.from as usize], &log.paths[tie.to as usize]);
        let worker = plan
            .workers
            .iter()
            .find(|worker| changed.get(&worker.id).is_some_and(|changed| changed.contains(from)))?;
        let is_left = !all.contains(to) && !plan.shared.owns(to) && seen.insert(tie.to);
        is_left.then(|| told(plan, log, worker, &tie))
    };
    sure(known).filter_map(left).take(limit).collect()
}

fn sure(known: &Known) -> impl Iterator<Item = Tie<PathId>> {
    ties(&known.changes).into_iter().filter(Tie::is_sure)
}

fn told(plan: &Plan, log: &Log, worker: &Worker, tie: &Tie<PathId>) -> Neighbour {
    let pair = tie.named(|path| log.paths[*path as usize].clone());
    let owner = owner(plan, &pair.with).map(|other| other.id.clone());
    Neighbour { worker: worker.id.clone(), owner, pair }
}

fn owner<'a>(plan: &'a Plan, path: &RepoPath) -> Option<&'a Worker> {
    plan.workers.iter().find(|worker| worker.owns.owns(path))
}
