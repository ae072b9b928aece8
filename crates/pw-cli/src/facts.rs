//! Reads what git knows of a workflow into plain facts.

use std::collections::HashSet;
use std::path::PathBuf;

use anyhow::Result;
use pw_core::facts::{Brought, Facts, TreeState, WorkerFacts, WorktreeFacts};
use pw_core::history::{Change, CommitRange, History};
use pw_core::id::{Oid, WorkerId};
use pw_core::own_commits::perhaps_handed_over;
use pw_core::path::RepoPath;
use pw_core::plan::Worker;
use pw_core::record::{Record, Stopped};
use pw_core::status::Board;
use pw_core::time::Seconds;
use pw_git::{Whereabouts, both};

use crate::landed;
use crate::repair;
use crate::workflow::Workflow;

/// Which worktrees to look into, which costs one git process each.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Worktrees<'a> {
    All,
    /// Into that of one worker.
    Of(&'a WorkerId),
    None,
}

impl Worktrees<'_> {
    fn includes(self, worker: &Worker) -> bool {
        match self {
            Self::All => true,
            Self::Of(id) => worker.id == *id,
            Self::None => false,
        }
    }
}

impl Workflow {
    /// Reads everything the rules need, in a number of git processes that does not grow with the
    /// history: those of the commits, and one for each worktree that is looked into.
    pub(crate) fn facts(&self, now: Seconds, which: Worktrees<'_>) -> Result<Facts> {
        let (mut facts, worktrees) = both(|| self.committed(now), || self.worktree_facts(which))?;
        self.add_worktrees(&mut facts, worktrees);
        Ok(facts)
    }

    /// Returns the facts about all commits, as if there were no worktrees.
    pub(crate) fn committed(&self, now: Seconds) -> Result<Facts> {
        let worker = |worker: &Worker| {
            let tip = self.tip(worker).cloned();
            let tip_from = self.tip_from(worker).cloned();
            (worker.id.clone(), WorkerFacts { tip, tip_from, ..WorkerFacts::default() })
        };
        let mut facts = Facts {
            now,
            workers: self.plan.workers.iter().map(worker).collect(),
            base_tip: self.base_tip().cloned(),
            integration_tip: self.integration().cloned(),
            channel: self.channel.clone(),
            ..Facts::default()
        };
        self.read_history(&mut facts)?;
        let behind = {
            let known = facts.workers.values();
            let tips = known.filter_map(|known| known.tip.as_ref().zip(known.brought.as_ref()));
            self.repo.special_entries(tips.map(|(tip, brought)| (tip, &brought.changes[..])))?
        };
        facts.special_entries = behind;
        let landings = landed::landings(self, &facts)?;
        (facts.landed_as, facts.reverted) = (landings.landed_as, landings.reverted);
        let landed = facts.integration_tip.as_ref().and_then(|tip| facts.landed_as.get(tip));
        if let Some((since, tip)) = landed.zip(facts.base_tip.as_ref()) {
            let changes = self.repo.changes(&[CommitRange::between(since, tip)])?;
            facts.base_changes = paths(changes.iter().flatten());
        }
        Ok(facts)
    }

    pub(crate) fn add_worktrees(&self, facts: &mut Facts, worktrees: Vec<WorktreeFacts>) {
        for (id, worktree) in self.plan.ids().zip(worktrees) {
            facts.workers.entry(id.clone()).or_default().worktree = worktree;
        }
    }

    /// Reads what every branch has since the base, and what its commits changed: two git processes,
    /// and one more where there are merges.
    fn read_history(&self, facts: &mut Facts) -> Result<()> {
        let merged = |worker: &Worker| self.record.merged.get(&worker.id).map(|(tip, _)| tip);
        let tip = |worker: &Worker| self.tip(worker).or(merged(worker));
        let tips: Vec<Option<&Oid>> = self.plan.workers.iter().map(tip).collect();
        let mut history = self.commits(facts, &tips)?;
        let mut questions = Questions::default();
        let ranges = questions.ask_all(self.ranges(facts, &history, &tips));
        let since = self.since(facts, &history, &tips);
        let between = |(since, tip): (&Option<Oid>, &Option<&Oid>)| {
            Some(CommitRange::between(since.as_ref()?, (*tip)?))
        };
        let brought: Vec<Option<usize>> = since
            .iter()
            .zip(&tips)
            .map(|pair| between(pair).map(|range| questions.ask(range)))
            .collect();
        let base = &self.record.base;
        let mut steps: Vec<Oid> = since.iter().flatten().filter(|s| *s != base).cloned().collect();
        history.sort(&mut steps);
        let before = std::iter::once(base).chain(&steps);
        let between = before.zip(&steps).map(|(old, new)| CommitRange::between(old, new));
        let between = questions.ask_all(between.collect());
        let moved = facts.base_tip.as_ref().filter(|tip| *tip != base);
        let integration = facts.integration_tip.as_ref();
        let landed = moved.and_then(|tip| integration.filter(|head| history.contains(tip, head)));
        let drift =
            moved.map(|tip| questions.ask(CommitRange::between(landed.unwrap_or(base), tip)));

        let answers = self.repo.changes(&questions.ranges)?;
        for (newest, at) in &ranges {
            history.set_changes(newest, answers[*at].clone());
        }
        facts.base_changes = drift.map(|at| paths(answers[at].iter())).unwrap_or_default();
        let between = between.into_iter().map(|(step, at)| (step, answers[at].clone()));
        facts.trunk_steps = between.collect();
        for ((id, since), at) in self.plan.ids().zip(since).zip(brought) {
            let brought =
                since.zip(at).map(|(since, at)| Brought { since, changes: answers[at].clone() });
            facts.workers.entry(id.clone()).or_default().brought = brought;
        }
        facts.history = history;
        Ok(())
    }

    /// Reads the commits of every branch, and of the candidate of a stopped or red integration.
    fn commits(&self, facts: &Facts, tips: &[Option<&Oid>]) -> Result<History> {
        let Record { base, merged, stopped, red, .. } = &self.record;
        let begun = stopped.iter().map(Stopped::commit).chain(red.iter().map(|red| &red.candidate));
        let merged = merged.values().map(|(tip, _)| tip);
        let trunk = facts.base_tip.iter().chain(&facts.integration_tip);
        let all = tips.iter().flatten().copied().chain(merged).chain(trunk).chain(begun);
        Ok(History::new(self.repo.history(all, base)?))
    }

    /// Returns the ranges of commits whose changes tell which worker made them: on the workers'
    /// branches, on branches they merged, and on the trunk where it may have a worker's commits.
    fn ranges(&self, facts: &Facts, history: &History, tips: &[Option<&Oid>]) -> Vec<CommitRange> {
        let Record { merged, placements, .. } = &self.record;
        let trunk: Vec<&Oid> = facts.base_tip.iter().chain(&facts.integration_tip).collect();
        let mut except = history.on_chains(trunk.iter().copied());
        let workers = self.plan.ids().zip(tips).filter_map(|(id, tip)| Some((id, (*tip)?)));
        let handed_over: HashSet<&Oid> = workers
            .flat_map(|(id, tip)| perhaps_handed_over(&self.record, history, &except, id, tip))
            .map(|commit| &commit.oid)
            .collect();
        except.retain(|oid| !handed_over.contains(oid));
        let merged = merged.values().map(|(tip, _)| tip);
        let known: Vec<&Oid> = tips.iter().flatten().copied().chain(merged).collect();
        let aside = history.side_tips(&known, &history.ancestors(trunk.iter().copied()));
        let chains: Vec<&Oid> =
            known.iter().copied().chain(aside).chain(handed_over.iter().copied()).collect();
        let forks = placements.values().map(|placement| &placement.fork);
        history.ranges(&chains, forks.chain(trunk).chain(handed_over), &except)
    }

    /// Returns for each tip the newest commit of the trunk that it contains, or the base.
    fn since(&self, facts: &Facts, history: &History, tips: &[Option<&Oid>]) -> Vec<Option<Oid>> {
        let base = &self.record.base;
        let trunk = facts.base_tip.iter().chain(&facts.integration_tip).chain([base]);
        let trunk = history.merge_bases(base, trunk);
        let newest = |tip: &Oid| trunk.merge_base(tip).filter(|newest| newest != tip);
        let since = |tip: &Option<&Oid>| tip.map(|tip| newest(tip).unwrap_or_else(|| base.clone()));
        tips.iter().map(since).collect()
    }

    /// Assembles what each worker did and where it is.
    pub(crate) fn board<'a>(&'a self, facts: &'a Facts) -> Board<'a> {
        Board::new(&self.plan, &self.record, facts)
    }

    /// Returns the state of the user's own checkout, the plan's own file left out.
    pub(crate) fn checkout(&self) -> Result<TreeState> {
        let mut state = self.repo.checkout_state()?;
        let plan = self.plan_text.as_bytes();
        state.untracked.retain(|path| {
            let file = self.repo.place().join(path.to_path());
            let as_long = file.metadata().is_ok_and(|known| known.len() == plan.len() as u64);
            !(as_long && std::fs::read(file).is_ok_and(|text| text == plan))
        });
        Ok(state)
    }

    pub(crate) fn worktree_facts(&self, which: Worktrees<'_>) -> Result<Vec<WorktreeFacts>> {
        let workers = &self.plan.workers;
        let is_there = |worker: &&Worker| {
            self.entry(worker).is_some() && self.repo.is_worktree_of_its_own(&self.worktree(worker))
        };
        let there: Vec<bool> = workers.iter().map(|worker| is_there(&worker)).collect();
        let wanted =
            workers.iter().zip(&there).filter(|(worker, there)| **there && which.includes(worker));
        let wanted: Vec<PathBuf> = wanted.map(|(worker, _)| self.worktree(worker)).collect();
        let mut read = self.repo.tree_states(&wanted)?.into_iter();
        let fact = |(worker, is_there): (&Worker, &bool)| match is_there {
            false => self.lost(worker),
            true if which.includes(worker) => read.next().unwrap_or_default(),
            true => WorktreeFacts::Unread,
        };
        Ok(workers.iter().zip(&there).map(fact).collect())
    }

    /// Returns what became of a worktree that is not where git and the plan have it.
    fn lost(&self, worker: &Worker) -> WorktreeFacts {
        if !self.record.is_made(&worker.id) || self.tip(worker).is_none() {
            return WorktreeFacts::Missing;
        }
        if self.own_tip(worker).is_none() {
            return WorktreeFacts::InAnotherClone;
        }
        match repair::whereabouts(&self.repo, &self.plan, worker) {
            Whereabouts::Unlinked(_) => WorktreeFacts::Unlinked,
            Whereabouts::At(folder, _) => WorktreeFacts::At(folder.to_string_lossy().into_owned()),
            Whereabouts::Unregistered(_) => WorktreeFacts::Unregistered,
            // A merged worker's worktree may have been removed on purpose.
            Whereabouts::Occupied if !self.record.merged.contains_key(&worker.id) => {
                WorktreeFacts::Broken
            }
            Whereabouts::Occupied | Whereabouts::Unknown => WorktreeFacts::Missing,
        }
    }
}

/// Questions to git, each asked once.
#[derive(Default)]
struct Questions {
    ranges: Vec<CommitRange>,
}

impl Questions {
    /// Returns the index of the answer.
    fn ask(&mut self, range: CommitRange) -> usize {
        let known = self.ranges.iter().position(|known| *known == range);
        known.unwrap_or_else(|| {
            self.ranges.push(range);
            self.ranges.len() - 1
        })
    }

    /// Returns the newest commit of each range, with the index of its answer.
    fn ask_all(&mut self, ranges: Vec<CommitRange>) -> Vec<(Oid, usize)> {
        let ask = |range: CommitRange| (range.newest.clone(), self.ask(range));
        ranges.into_iter().map(ask).collect()
    }
}

fn paths<'a>(changes: impl Iterator<Item = &'a Change>) -> Vec<RepoPath> {
    changes.map(|change| change.path.clone()).collect()
}
