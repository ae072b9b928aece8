//! After a red gate: which workers are at fault, found by testing some of them without the rest.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use pw_core::culprits::{
    Culprits, Fault, GateOutcome, Seen, Set, closed, find_culprits, find_fault,
};
use pw_core::failure::Failure;
use pw_core::gate_report::{Cause, GateFault, GateStop, Rest};
use pw_core::id::{Oid, WorkerId};
use pw_core::integration::{self, ByOthers, Merged};
use pw_core::record::{Event, Red, RunOptions};
use pw_git::Transaction;

use super::chain::MergeChain;
use super::gate::{Gatekeeper, Judgement};

/// Records that the merges so far do not pass, searches for the workers at fault, and returns the
/// refusal. After a kill the same command runs only the gates that have no recorded result.
pub(super) fn red(
    chain: &MergeChain,
    keeper: &mut Gatekeeper,
    judgement: Judgement,
) -> Result<Failure> {
    let index = judgement.red.context("no gate is red")?;
    let result = judgement.gates.last().cloned().context("a red gate without a result")?;
    let members = chain.members();
    let known = chain.workflow.record.red.as_ref();
    let mut red = Red {
        candidate: judgement.commit.clone(),
        gate: result.name.clone(),
        workers: Vec::new(),
        options: RunOptions { retest: false, ..chain.options.clone() },
    };
    if known.is_none_or(|known| *known != Red { workers: known.workers.clone(), ..red.clone() }) {
        keeper.record(&Event::Red(red.clone()), Transaction::default())?;
    }
    let parts = Parts { chain, start: chain.start(), merged: &chain.merged, members: &members };
    let seen = Seen { passes: parts.passed(keeper), fails: chain.merged.len() };
    let found = find_culprits(&parts.after(), index, seen, |set, gate, retry| {
        parts.say(keeper, set, gate, retry)
    })?;
    let rest = parts.rest(&found)?;
    let faults = found.faults.iter().map(|fault| parts.told(keeper, fault));
    let faults: Vec<GateFault> = faults.collect::<Result<_>>()?;
    red.workers = in_merge_order(&parts, &faults);
    let workers = red.workers.clone();
    if !workers.is_empty() && known != Some(&red) {
        keeper.record(&Event::Red(red), Transaction::default())?;
    }
    let cause = match &faults[..] {
        [] => Cause::Start,
        [first, ..] if first.workers.len() == 1 => Cause::Worker,
        _ => Cause::Interaction,
    };
    let stop = keeper.stop(judgement).context("a red gate without a result")?;
    let stop = GateStop { cause: Some(cause), workers, faults, rest, ..stop };
    Ok(stop.failure(&chain.workflow.plan.workflow, &chain.options))
}

/// Returns all workers in faults: those that were integrated before, then the others as they are merged.
fn in_merge_order(parts: &Parts<'_>, faults: &[GateFault]) -> Vec<WorkerId> {
    let named: BTreeSet<&WorkerId> = faults.iter().flat_map(|fault| &fault.workers).collect();
    let is_member = |id: &&WorkerId| parts.members.iter().any(|(known, _)| known == *id);
    let (mut members, before): (Vec<&WorkerId>, Vec<&WorkerId>) =
        named.into_iter().partition(is_member);
    members.sort_by_key(|id| parts.members.iter().position(|(known, _)| known == *id));
    before.into_iter().chain(members).cloned().collect()
}

/// Merges some of the workers of an integration without the rest.
struct Parts<'a> {
    chain: &'a MergeChain<'a>,
    /// What they are merged upon.
    start: &'a Oid,
    /// The merges that were made, of the first of `members`.
    merged: &'a [Merged],
    /// In merge order, with the tips.
    members: &'a [(WorkerId, Oid)],
}

impl Parts<'_> {
    /// Returns for each worker all workers it builds upon, and all whose commits its branch
    /// contains.
    fn after(&self) -> Vec<Set> {
        let MergeChain { workflow, states, .. } = self.chain;
        let index = |id: &WorkerId| self.members.iter().position(|(known, _)| known == id);
        let before = |(id, _): &(WorkerId, Oid)| {
            let status = states.iter().find(|status| status.id == *id);
            let holds = status.into_iter().flat_map(|status| &status.holds);
            workflow.plan.dependencies(id).into_iter().chain(holds).filter_map(index).collect()
        };
        closed(self.members.iter().map(before).collect())
    }

    /// Names the workers of a fault. Where the integration branch holds workers already, the gate may fail
    /// with one of these and not without: then they are merged anew, from the base on, to see with whom.
    fn told(&self, keeper: &mut Gatekeeper, fault: &Fault) -> Result<GateFault> {
        let MergeChain { workflow, facts, .. } = self.chain;
        let (named, gate) = (self.names(&fault.workers.iter().copied().collect()), fault.gate);
        let told = |workers, fault: &Fault, keeper: &Gatekeeper| GateFault {
            gate: keeper.name(gate),
            workers,
            alone: fault.alone,
            certain: fault.certain,
        };
        let (history, base) = (&facts.history, &workflow.record.base);
        let before = integration::merges_since(history, self.start, base);
        if before.is_empty() {
            return Ok(told(named, fault, keeper));
        }
        let built_upon = self.after();
        let theirs: Set = fault.workers.iter().flat_map(|at| &built_upon[*at]).copied().collect();
        let theirs: Set = theirs.into_iter().chain(fault.workers.iter().copied()).collect();
        let earlier = before.iter().map(|merged| (merged.worker.clone(), merged.tip.clone()));
        let newer = theirs.iter().map(|at| self.members[*at].clone());
        let all: Vec<(WorkerId, Oid)> = earlier.chain(newer).collect();
        // Only what a tip holds counts here: a worker is in there with an older tip, too.
        let holds = |(_, tip): &(WorkerId, Oid)| {
            let is_held = |at: &usize| all[*at].1 != *tip && history.contains(tip, &all[*at].1);
            (0..all.len()).filter(is_held).collect()
        };
        let after = closed(all.iter().map(holds).collect());
        let whole = Parts { chain: self.chain, start: base, merged: &before, members: &all };
        let wider = find_fault(&after, gate, before.len(), |set, gate, retry| {
            whole.say(keeper, set, gate, retry)
        })?;
        let Some(wider) = wider else { return Ok(told(named, fault, keeper)) };
        let mut workers = Vec::new();
        for (id, _) in wider.workers.iter().map(|at| &all[*at]) {
            if !workers.contains(id) {
                workers.push(id.clone());
            }
        }
        // One worker that was integrated without what it has now is not several.
        let wider = Fault { alone: wider.alone && workers.len() > 1, ..wider };
        Ok(told(workers, &wider, keeper))
    }

    /// Returns how many of the first workers passed when they were tested on the way.
    fn passed(&self, keeper: &Gatekeeper) -> Option<usize> {
        let mut merged = self.chain.merged.iter();
        let index = merged.rposition(|merged| Some(&merged.commit) == keeper.passed.as_ref())?;
        Some(index + 1)
    }

    fn names(&self, workers: &Set) -> Vec<WorkerId> {
        workers.iter().map(|at| self.members[*at].0.clone()).collect()
    }

    fn say(
        &self,
        keeper: &mut Gatekeeper,
        set: &Set,
        gate: Option<usize>,
        retry: bool,
    ) -> Result<GateOutcome> {
        let Some(commit) = self.merge(set)? else { return Ok(GateOutcome::Unknown) };
        let names: Vec<String> = self.names(set).iter().map(ToString::to_string).collect();
        let who = if names.is_empty() { "no worker".to_owned() } else { names.join(", ") };
        self.chain.context.progress(&format!("who is at fault? testing with {who}"));
        Ok(match gate {
            Some(gate) if keeper.passes(gate, &commit, retry)? => GateOutcome::Passes,
            Some(gate) => GateOutcome::Fails(gate),
            None => keeper.judge(&commit)?.red.map_or(GateOutcome::Passes, GateOutcome::Fails),
        })
    }

    /// Returns a commit with these workers alone; `None` when they do not merge.
    fn merge(&self, set: &Set) -> Result<Option<Oid>> {
        let MergeChain { workflow, facts, .. } = self.chain;
        let known = (0..self.merged.len()).take_while(|index| set.contains(index)).count();
        let before = known.checked_sub(1).map(|last| &self.merged[last].commit);
        let commit = before.unwrap_or(self.start).clone();
        if set.len() == known {
            return Ok(Some(commit));
        }
        let bases = facts.history.merge_bases(&workflow.record.base, [&commit]);
        let merges = workflow.repo.merges(workflow.repo.author()?, commit, bases, None)?;
        let mut merges = merges.with_attributes_that_change(facts.changes_attributes());
        for index in set.iter().skip(known) {
            let (worker, tip) = &self.members[*index];
            let outcome = merges.merge(tip)?;
            if !outcome.conflicts.is_empty() {
                return Ok(None);
            }
            let tree = merges.merged_tree(&outcome)?;
            let others = ByOthers { union: outcome.by_union(), ..ByOthers::default() };
            merges.take(tip, &tree, &self.chain.message(worker, tip, &others)?)?;
        }
        Ok(Some(merges.head().clone()))
    }

    /// Returns the workers that can be integrated without those at fault.
    fn rest(&self, found: &Culprits) -> Result<Option<Rest>> {
        let Some(without) = &found.without else { return Ok(None) };
        let others: Set = (0..self.members.len()).filter(|w| !without.contains(w)).collect();
        let commit = self.merge(&others)?.context("the others do not merge any more")?;
        Ok(Some(Rest {
            without: self.names(without),
            workers: self.names(&others),
            tree: self.chain.workflow.repo.tree_of(&commit)?,
        }))
    }
}
