//! The board: which commits each worker has of its own, what state it is in, and who is merged
//! when; assembled once from the facts, and passed down.

use std::collections::BTreeMap;

use super::derive::{derive, signal_lines, worker_states};
use super::next::Places;
use super::{Status, WorkerStatus};
use crate::conflict::{Conflict, TrialMerge};
use crate::facts::Facts;
use crate::id::{Oid, WorkerId};
use crate::merge_order::{Turn, merge_order};
use crate::own_commits::{OwnCommits, own_commits};
use crate::plan::Plan;
use crate::record::Record;

/// Every worker of a workflow at one moment.
#[derive(Debug)]
pub struct Board<'a> {
    plan: &'a Plan,
    record: &'a Record,
    facts: &'a Facts,
    /// Each worker's own commits, in the order of the plan.
    pub work: Vec<OwnCommits<'a>>,
    /// Each worker's state, in the order of the plan.
    pub states: Vec<WorkerStatus>,
}

impl<'a> Board<'a> {
    /// Assembles it.
    pub fn new(plan: &'a Plan, record: &'a Record, facts: &'a Facts) -> Self {
        let work = own_commits(plan, record, facts);
        let states = worker_states(plan, record, facts, &work);
        Self { plan, record, facts, work, states }
    }

    /// Returns the state of a worker of the plan.
    pub fn state(&self, id: &WorkerId) -> Option<&WorkerStatus> {
        self.states.iter().find(|status| status.id == *id)
    }

    /// Returns the own commits of a worker of the plan.
    pub fn work(&self, id: &WorkerId) -> Option<&OwnCommits<'a>> {
        self.plan.ids().zip(&self.work).find(|(known, _)| *known == id).map(|(_, work)| work)
    }

    /// Returns who is merged when, of those not left out.
    pub fn turns(&self, without: &[WorkerId]) -> Vec<Turn> {
        merge_order(self.plan, self.facts, &self.states, without)
    }

    /// Returns the order of these turns.
    pub fn order(&self) -> Vec<WorkerId> {
        self.turns(&[]).into_iter().map(|turn| turn.worker).collect()
    }

    /// Returns the signals that each worker gave, the oldest first, each as its subject has it;
    /// only those that `since` does not contain.
    pub fn signals<'r>(
        &self,
        since: impl Fn(&WorkerId) -> Option<&'r Oid>,
    ) -> BTreeMap<WorkerId, Vec<String>> {
        signal_lines(self.plan, self.facts, &self.work, since)
    }

    /// Returns the whole picture; `conflicts` and `trial` are what trial merges found.
    pub fn status(
        self,
        conflicts: Vec<Conflict>,
        trial: TrialMerge,
        places: &dyn Places,
    ) -> Status {
        derive(self.plan, self.record, self.facts, self.states, conflicts, trial, places)
    }
}
