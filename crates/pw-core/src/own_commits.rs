//! Whose work is it: the commits and changes of each worker itself, told from what it took over.

use std::collections::{HashMap, HashSet};

use crate::facts::Facts;
use crate::history::{Ancestors, Change, Commit, History, net_changes};
use crate::id::{Oid, WorkerId};
use crate::path::RepoPath;
use crate::plan::{Plan, Worker};
use crate::record::Record;
use crate::signal::{self, Subject};

/// What one worker did itself, and what else its branch holds.
#[derive(Clone, Debug, Default)]
pub struct OwnCommits<'a> {
    /// The newest first: its first-parent chain since the fork, without what it took over by
    /// fast-forward from the base, the integration branch, the workers it builds upon, or another
    /// worker.
    pub commits: Vec<&'a Commit>,
    /// What they changed together.
    pub changes: Vec<Change>,
    /// Whether some of the commits could as well be another worker's.
    pub contested: bool,
    /// The other workers of whose commits the branch holds some that the trunk does not have.
    pub holds: Vec<WorkerId>,
    /// What the branch holds and no worker made, the trunk neither: the worker it was taken from
    /// has dropped it since, or it came from a branch that is not the workflow's.
    pub unclaimed: Vec<&'a Commit>,
    /// The files outside the scope that these bring, and no other branch does.
    pub unclaimed_paths: Vec<RepoPath>,
    /// Those that another branch has in another version.
    pub outdated_paths: Vec<RepoPath>,
}

/// Returns the work of every worker, in the order of the plan.
pub(crate) fn own_commits<'a>(
    plan: &Plan,
    record: &Record,
    facts: &'a Facts,
) -> Vec<OwnCommits<'a>> {
    let chains = Chains::new(plan, record, facts);
    let own = |(at, worker)| {
        let (commits, contested) = chains.own(at, worker);
        OwnCommits { changes: net_changes(&commits), commits, contested, ..OwnCommits::default() }
    };
    let mut work: Vec<OwnCommits<'a>> = plan.workers.iter().enumerate().map(own).collect();
    let trunk = facts.trunk();
    let beyond =
        |worker: &Worker| facts.history.ancestors(tip(record, facts, &worker.id)).without(&trunk);
    let beyond: Vec<Ancestors<'a>> = plan.workers.iter().map(beyond).collect();
    let claimed: HashSet<&Oid> =
        work.iter().flat_map(|work| &work.commits).map(|commit| &commit.oid).collect();
    for (at, worker) in plan.workers.iter().enumerate() {
        let others = plan.ids().zip(&work).enumerate().filter(|(other, _)| *other != at);
        let held = others.filter(|(_, (_, work))| {
            work.commits.iter().any(|commit| beyond[at].contains(&commit.oid))
        });
        let holds = held.map(|(_, (id, _))| id.clone()).collect();
        let unclaimed = unclaimed(record, &facts.history, &beyond[at], &claimed);
        let paths = unclaimed_paths(plan, facts, worker, &unclaimed);
        (work[at].unclaimed_paths, work[at].outdated_paths) = paths;
        (work[at].holds, work[at].unclaimed) = (holds, unclaimed);
    }
    work
}

/// Returns the commits of the trunk for whose changes [`own_commits`] asks one by one: on the chain
/// of a worker whose branch became the trunk by fast-forward, which a signal among them tells.
pub fn perhaps_handed_over<'a>(
    record: &Record,
    history: &'a History,
    trunk: &HashSet<&Oid>,
    worker: &WorkerId,
    tip: &Oid,
) -> Vec<&'a Commit> {
    let fork = record.placements.get(worker).map(|placement| &placement.fork);
    let began = history.ancestors(fork);
    let chain = history.chain(tip).take_while(|commit| !began.contains(&commit.oid));
    let on_trunk: Vec<&Commit> = chain.filter(|commit| trunk.contains(&commit.oid)).collect();
    let has_signal = on_trunk.iter().any(|commit| is_signal(commit));
    if has_signal { on_trunk } else { Vec::new() }
}

fn is_signal(commit: &Commit) -> bool {
    matches!(signal::read(&commit.message), Subject::Signal { .. })
}

/// Returns the tip of a worker; a branch that was cleaned up still has its merged tip.
fn tip<'t>(record: &'t Record, facts: &'t Facts, id: &WorkerId) -> Option<&'t Oid> {
    facts.tip(id).or_else(|| merged(record, id))
}

/// Returns the commits that a branch has beyond the trunk and no worker claims. A merge that joins
/// several workers' results as the fork of a later worker is ours, and is left out.
fn unclaimed<'a>(
    record: &Record,
    history: &'a History,
    beyond: &Ancestors<'a>,
    claimed: &HashSet<&Oid>,
) -> Vec<&'a Commit> {
    let is_joint = |commit: &&Commit| {
        let mut forks = record.placements.values().map(|placement| &placement.fork);
        commit.parents.len() > 1 && forks.any(|fork| *fork == commit.oid)
    };
    let loose = beyond.commits().filter(|oid| !claimed.contains(oid));
    loose.filter_map(|oid| history.commit(oid)).filter(|commit| !is_joint(commit)).collect()
}

/// Returns the foreign files of unclaimed commits that the tip has as no other branch has them:
/// those of no other branch, and those that another one has in another version.
fn unclaimed_paths(
    plan: &Plan,
    facts: &Facts,
    worker: &Worker,
    unclaimed: &[&Commit],
) -> (Vec<RepoPath>, Vec<RepoPath>) {
    let brought = |id: &WorkerId| facts.workers.get(id).and_then(|known| known.brought.as_ref());
    let Some(own) = brought(&worker.id).filter(|_| !unclaimed.is_empty()) else {
        return (Vec::new(), Vec::new());
    };
    let touched: HashSet<&RepoPath> =
        unclaimed.iter().flat_map(|commit| &commit.changes).map(|change| &change.path).collect();
    let others = plan.ids().filter(|id| **id != worker.id).filter_map(brought);
    let others: Vec<&Change> = others.flat_map(|brought| &brought.changes).collect();
    let versions: HashSet<_> = others.iter().map(|other| (&other.path, &other.new)).collect();
    let known: HashSet<&RepoPath> = others.iter().map(|other| &other.path).collect();
    let is_loose = |change: &&Change| {
        touched.contains(&change.path)
            && !plan.allows(worker, &change.path)
            && !versions.contains(&(&change.path, &change.new))
    };
    let loose = own.changes.iter().filter(is_loose).map(|change| change.path.clone());
    loose.partition(|path| !known.contains(path))
}

/// The first-parent chains of all workers.
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
    fn new(plan: &'p Plan, record: &'p Record, facts: &'a Facts) -> Self {
        let chain = |worker: &Worker| {
            let tip = tip(record, facts, &worker.id);
            tip.map(|tip| facts.history.chain(tip).collect()).unwrap_or_default()
        };
        let chains: Vec<Vec<&Commit>> = plan.workers.iter().map(chain).collect();
        let mut count = HashMap::new();
        for commit in chains.iter().flatten() {
            *count.entry(&commit.oid).or_default() += 1;
        }
        Self { plan, record, facts, chains, count, trunk: facts.trunk_chain() }
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
        let (handed_over, uncertain) = self.handed_over(worker, &foreign);
        if !handed_over.is_empty() {
            let known: HashSet<&Oid> =
                own.iter().chain(&handed_over).map(|commit| &commit.oid).collect();
            let is_known = |commit: &&&Commit| known.contains(&commit.oid);
            own = self.chains[at].iter().filter(is_known).copied().collect();
        }
        (own, contested || uncertain)
    }

    /// Returns a worker's own commits among those that became the trunk's when the user went
    /// forward to them, and whether they could as well be another's.
    ///
    /// What a commit changed tells whose it is; one without changes, as signals often are, goes
    /// with the one before it. One that changed files of no worker may be the user's, or landed
    /// from another workflow, also with a signal: it is this worker's only above one that surely is.
    fn handed_over(&self, worker: &Worker, foreign: &Ancestors<'a>) -> (Vec<&'a Commit>, bool) {
        let Some(tip) = tip(self.record, self.facts, &worker.id) else {
            return (Vec::new(), false);
        };
        let history = &self.facts.history;
        let perhaps = perhaps_handed_over(self.record, history, &self.trunk, &worker.id, tip);
        let (mut own, mut before, mut uncertain) = (Vec::new(), None, false);
        for commit in perhaps.into_iter().rev().filter(|commit| !foreign.contains(&commit.oid)) {
            let made_by = Maker::guess(self.plan, worker, commit);
            before = made_by.or(before);
            let is_shared = self.count.get(&commit.oid).is_some_and(|count| *count > 1);
            let has_begun = own.iter().any(|(_, is_sure)| *is_sure);
            let may_be = match before {
                Some(Maker::Itself) | None => true,
                Some(Maker::Unknown) => has_begun && (made_by.is_none() || is_signal(commit)),
                Some(Maker::Other) => false,
            };
            if may_be {
                let is_sure = matches!(made_by, Some(Maker::Itself));
                let is_guessed = !matches!(before, Some(Maker::Itself));
                uncertain |= is_guessed && is_shared && is_signal(commit);
                own.push((commit, is_sure));
            }
        }
        if !own.iter().any(|(commit, _)| is_signal(commit)) {
            return (Vec::new(), false);
        }
        // Above the newest signal, what could as well be the user's is.
        let newest = own.iter().rposition(|(commit, is_sure)| *is_sure || is_signal(commit));
        own.truncate(newest.map_or(0, |at| at + 1));
        (own.into_iter().rev().map(|(commit, _)| commit).collect(), uncertain)
    }

    /// Returns what a worker began from, and what those have that it builds upon.
    fn foreign(&self, worker: &Worker) -> Ancestors<'a> {
        let Self { plan, record, facts, .. } = self;
        let fork = record.placements.get(&worker.id).map(|placement| &placement.fork);
        let theirs = plan.dependencies(&worker.id).into_iter();
        let tips = theirs.flat_map(|id| facts.tip(id).into_iter().chain(merged(record, id)));
        facts.history.ancestors(fork.into_iter().chain(tips))
    }
}

/// Which workers can have made a commit, judged by its changes.
#[derive(Clone, Copy)]
enum Maker {
    Itself,
    Other,
    Unknown,
}

impl Maker {
    /// Returns nothing for a commit without changes, or of shared files alone.
    fn guess(plan: &Plan, worker: &Worker, commit: &Commit) -> Option<Self> {
        let paths = || commit.changes.iter().map(|change| &change.path);
        let mut others = plan.workers.iter().filter(|other| other.id != worker.id);
        if others.any(|other| paths().any(|path| other.owns.owns(path))) {
            Some(Self::Other)
        } else if paths().any(|path| worker.owns.owns(path)) {
            Some(Self::Itself)
        } else if paths().any(|path| !plan.allows(worker, path)) {
            Some(Self::Unknown)
        } else {
            None
        }
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
