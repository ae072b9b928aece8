//! Whose work is it: the commits and changes of each worker itself, told from what it took over.

use std::collections::{HashMap, HashSet};

use crate::facts::{Change, Commit, Facts, net_changes};
use crate::id::{Oid, WorkerId};
use crate::plan::{Plan, Worker};
use crate::record::Record;

/// What one worker did itself.
#[derive(Clone, Debug, Default)]
pub struct Work<'a> {
    /// The newest first: its first-parent chain since the fork, without what it took over by
    /// fast-forward from the base, the integration branch, the workers it builds upon, or another
    /// worker.
    pub commits: Vec<&'a Commit>,
    /// What they come to.
    pub changes: Vec<Change>,
    /// Whether some of the commits could as well be another worker's.
    pub contested: bool,
}

/// Returns the work of every worker, in the order of the plan.
pub fn own_work<'a>(plan: &Plan, record: &Record, facts: &'a Facts) -> Vec<Work<'a>> {
    let chains = Chains::of(plan, record, facts);
    let own = |(at, worker)| {
        let (commits, contested) = chains.own(at, worker);
        Work { changes: net_changes(&commits), commits, contested }
    };
    plan.workers.iter().enumerate().map(own).collect()
}

/// The first-parent chains of everybody.
struct Chains<'a, 'p> {
    plan: &'p Plan,
    record: &'p Record,
    facts: &'a Facts,
    /// In the order of the plan.
    chains: Vec<Vec<&'a Commit>>,
    /// On how many of them a commit is.
    count: HashMap<&'a Oid, usize>,
    /// What the base branch and the integration branch went through.
    trunk: HashSet<&'a Oid>,
}

impl<'a, 'p> Chains<'a, 'p> {
    fn of(plan: &'p Plan, record: &'p Record, facts: &'a Facts) -> Self {
        let chain = |worker: &Worker| {
            // A branch that was cleaned up still has its merged tip.
            let tip = facts.tip(&worker.id).or_else(|| merged(record, &worker.id));
            tip.map(|tip| facts.history.chain(tip).collect()).unwrap_or_default()
        };
        let chains: Vec<Vec<&Commit>> = plan.workers.iter().map(chain).collect();
        let mut count = HashMap::new();
        for commit in chains.iter().flatten() {
            *count.entry(&commit.oid).or_default() += 1;
        }
        Self { plan, record, facts, chains, count, trunk: facts.trunk() }
    }

    /// Returns a worker's own commits, and whether some of them could as well be another's.
    fn own(&self, at: usize, worker: &Worker) -> (Vec<&'a Commit>, bool) {
        let foreign = self.foreign(worker);
        let is_own = |oid: &Oid| !self.trunk.contains(oid) && !foreign.contains(oid);
        let mut own = self.chains[at].clone();
        own.retain(|commit| is_own(&commit.oid));
        let mut contested = false;
        for (their_at, other) in self.plan.workers.iter().enumerate() {
            let is_shared = own.iter().any(|commit| self.count[&commit.oid] > 1);
            if their_at == at || !is_shared {
                continue;
            }
            let theirs: HashSet<&Oid> = self.chains[their_at].iter().map(|c| &c.oid).collect();
            let common: Vec<&Commit> =
                own.iter().copied().filter(|commit| theirs.contains(&commit.oid)).collect();
            match owner(self.plan, worker, other, &common) {
                Some(true) => {}
                Some(false) => own.retain(|commit| !theirs.contains(&commit.oid)),
                None => {
                    contested |= !common.is_empty()
                        && !self.plan.dependencies(&other.id).contains(&&worker.id);
                }
            }
        }
        (own, contested)
    }

    /// Returns what a worker began from, and what those have that it builds upon.
    fn foreign(&self, worker: &Worker) -> HashSet<&'a Oid> {
        let Self { plan, record, facts, .. } = self;
        let fork = record.placements.get(&worker.id).map(|placement| &placement.fork);
        let theirs = plan.dependencies(&worker.id).into_iter();
        let tips = theirs.flat_map(|id| facts.tip(id).into_iter().chain(merged(record, id)));
        fork.into_iter().chain(tips).flat_map(|tip| facts.history.ancestors(tip)).collect()
    }
}

fn merged<'r>(record: &'r Record, id: &WorkerId) -> Option<&'r Oid> {
    record.merged.get(id).map(|(tip, _)| tip)
}

/// Returns whose commits those are that two workers have on their chains, when one was moved onto
/// the other: ours if the scope of the other could not have made them, theirs if ours could not.
fn owner(plan: &Plan, worker: &Worker, other: &Worker, common: &[&Commit]) -> Option<bool> {
    let paths = || common.iter().flat_map(|commit| &commit.changes).map(|change| &change.path);
    let only = |ours: &Worker, theirs: &Worker| {
        paths().any(|path| plan.allows(ours, path) && !plan.allows(theirs, path))
    };
    let (only_ours, only_theirs) = (only(worker, other), only(other, worker));
    (only_ours != only_theirs).then_some(only_ours)
}
