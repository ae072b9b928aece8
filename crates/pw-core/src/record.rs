//! The record of a workflow: a chain of commits whose subjects are events.
//!
//! It holds only what git cannot know: where workers were forked, which tips were merged, what an
//! integration stopped at. Everything else is derived from branches and worktrees.

mod event;
mod refs;
mod run_options;

use std::collections::{BTreeMap, BTreeSet};

pub use self::event::{Event, Proof, Red, Stopped};
pub use self::refs::{Refs, beside};
pub use self::run_options::RunOptions;
use crate::branch::Branch;
use crate::gate::Verdict;
use crate::id::{Oid, WorkerId};
use crate::session::Launch;
use crate::snapshot::SnapshotId;
use crate::time::Seconds;

/// Where a worker was forked, and whether it was ever handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The commit its branch began at.
    pub fork: Oid,
    /// False between `creating` and `created`: no session was told of it, so it may be rolled back.
    pub created: bool,
    /// The port that is the worker's own; `None` before it was created.
    pub port: Option<u16>,
    /// When that was recorded.
    pub at: Seconds,
}

/// The record, read from its first event to its last.
#[derive(Clone, Debug)]
pub struct Record {
    /// The branch the workflow forked from; `None` when HEAD was detached.
    pub base_branch: Option<Branch>,
    /// The commit the workflow forked from.
    pub base: Oid,
    /// By worker: where it was created, those that were cleaned up included.
    pub placements: BTreeMap<WorkerId, Placement>,
    /// By worker: how its newest session was started.
    pub launches: BTreeMap<WorkerId, Launch>,
    /// The newest tip of each worker that is in the integration branch, and since when.
    pub merged: BTreeMap<WorkerId, (Oid, Seconds)>,
    /// Where we last put the integration branch.
    pub integration: Option<Oid>,
    /// The merge that waits for a resolution; `None` when none does.
    pub stopped: Option<Stopped>,
    /// The integration that did not pass its gate, when that was the last thing to happen.
    pub red: Option<Red>,
    /// What gates said about trees, by tree and terms.
    pub verdicts: BTreeMap<(Oid, Oid), Verdict>,
    /// Where the base branch was when the work landed there.
    pub finished: Option<Oid>,
    /// What landed then: where we had put the integration branch.
    pub landed: Option<Oid>,
    /// How often an integration stopped at a worker.
    pub stops: BTreeMap<WorkerId, u32>,
    /// The number of the newest snapshot of each name, forgotten or not: numbers only count up.
    pub snapshots: BTreeMap<WorkerId, u32>,
    /// Workers whose removal was begun.
    pub cleaning: BTreeSet<WorkerId>,
    /// Workers whose worktree and branch were removed: what bears these names now is not theirs.
    pub cleaned: BTreeSet<WorkerId>,
    /// When the workflow was planned.
    pub started: Seconds,
    /// Everything that was recorded, the oldest first, each with the time it was written.
    pub events: Vec<(Event, Seconds)>,
}

impl Record {
    /// Returns the record of a workflow that was just planned.
    pub fn new(base_branch: Option<Branch>, base: Oid, started: Seconds) -> Self {
        Self {
            base_branch,
            base,
            placements: BTreeMap::new(),
            launches: BTreeMap::new(),
            merged: BTreeMap::new(),
            integration: None,
            stopped: None,
            red: None,
            verdicts: BTreeMap::new(),
            finished: None,
            landed: None,
            stops: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            cleaning: BTreeSet::new(),
            cleaned: BTreeSet::new(),
            started,
            events: Vec::new(),
        }
    }

    /// Returns whether the worker's branch and worktree are, or were last, made by this workflow.
    /// Anything else of these names belongs to another workflow, or to the user.
    pub fn has(&self, worker: &WorkerId) -> bool {
        self.placements.contains_key(worker) && !self.cleaned.contains(worker)
    }

    /// Returns whether they were made whole and handed over to the worker.
    pub fn is_made(&self, worker: &WorkerId) -> bool {
        self.has(worker) && self.placements.get(worker).is_some_and(|placement| placement.created)
    }

    /// Reads events, the oldest first, each with the time it was written. `None` when the first one
    /// does not say what the workflow forked from.
    pub fn replay(events: impl IntoIterator<Item = (Event, Seconds)>) -> Option<Self> {
        let mut events = events.into_iter();
        let (first, at) = events.next()?;
        let Event::Planned { branch, base } = &first else { return None };
        let mut record = Self::new(branch.clone(), base.clone(), at);
        record.apply(first, at);
        events.for_each(|(event, at)| record.apply(event, at));
        Some(record)
    }

    /// Takes one more event in.
    pub fn apply(&mut self, event: Event, at: Seconds) {
        self.events.push((event.clone(), at));
        match event {
            Event::Planned { .. } | Event::Replanned => {}
            Event::Creating { worker, fork } => {
                self.cleaned.remove(&worker);
                self.placements.insert(worker, Placement { fork, created: false, port: None, at });
            }
            Event::Created { worker, fork, port } => {
                self.placements.insert(worker, Placement { fork, created: true, port, at });
            }
            Event::Launched { worker, how, id } => {
                self.launches.insert(worker, Launch { how, id, at });
            }
            Event::Merged { worker, tip } => {
                self.merged.insert(worker, (tip, at));
            }
            Event::Integrated { commit, .. } => {
                self.integration = Some(commit);
                (self.stopped, self.red) = (None, None);
            }
            Event::Gated { tree, terms, end, seconds, .. } => {
                let key = (tree, terms);
                let verdict = Verdict::after(self.verdicts.get(&key).copied(), end, seconds);
                self.verdicts.insert(key, verdict);
            }
            Event::Red(red) => {
                self.stopped = None;
                self.red = Some(red);
            }
            Event::Stopped(stopped) => {
                self.red = None;
                *self.stops.entry(stopped.worker.clone()).or_default() += 1;
                self.stopped = Some(stopped);
            }
            Event::Resolved { commit, .. } => {
                if let Some(stopped) = &mut self.stopped {
                    stopped.resolution = Some(commit);
                }
            }
            Event::Aborted { .. } => (self.stopped, self.red) = (None, None),
            Event::Finished { commit } => {
                self.finished = Some(commit);
                self.landed.clone_from(&self.integration);
            }
            Event::Snapshot { id: SnapshotId { of, number }, .. } => {
                let newest = self.snapshots.entry(of).or_default();
                *newest = number.max(*newest);
            }
            Event::Forgot { .. } => {}
            Event::Cleaning { worker } => {
                self.cleaning.insert(worker);
            }
            Event::Stayed { worker } => {
                self.cleaning.remove(&worker);
            }
            Event::Cleaned { worker } => {
                self.cleaning.remove(&worker);
                self.cleaned.insert(worker.clone());
                // A worker that had nothing to merge may be created again.
                if !self.merged.contains_key(&worker) {
                    self.placements.remove(&worker);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::LaunchMode;

    #[test]
    fn the_newest_launch_of_a_worker_counts() {
        let oid: Oid = "a".repeat(40).parse().unwrap();
        let worker: WorkerId = "task-1".parse().unwrap();
        let launched = |how, id: Option<&str>| Event::Launched {
            worker: worker.clone(),
            how,
            id: id.map(str::to_owned),
        };
        let events = [
            (Event::Planned { branch: None, base: oid }, 1),
            (launched(LaunchMode::Background, Some("ab")), 2),
            (launched(LaunchMode::Tmux, None), 3),
        ];
        let record = Record::replay(events).unwrap();
        assert_eq!(record.launches[&worker], Launch { how: LaunchMode::Tmux, id: None, at: 3 });
    }
}
