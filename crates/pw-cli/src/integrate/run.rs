//! `pw-integrate run` and `continue`: merge the workers that are left, test the result, publish it in
//! one transaction; or stop at the first conflict, or when a gate fails.

use anyhow::Result;
use pw_core::failure::{Code, Failure};
use pw_core::gate::GateMode;
use pw_core::gate_report::GateReport;
use pw_core::history::CommitRange;
use pw_core::id::WorkerId;
use pw_core::integration::{self, ByOthers, Integrated, Merged};
use pw_core::next::{CommandLine, Next, NextStep, Way};
use pw_core::path::RepoPath;
use pw_core::record::{Event, Proof, Refs, RunOptions, Stopped};
use pw_core::status::{ReasonKind, State, WorkerStatus, taken_back};
use pw_git::Transaction;

use super::chain::MergeChain;
use super::gate::Gatekeeper;
use super::mergiraf::{self, Mergiraf};
use super::{culprits, resume, stopping};
use crate::moved_edits;
use crate::shell::{Answer, Context};
use crate::view;
use crate::workflow::{Workflow, read_refs};

/// Merges all workers that are not merged yet, or goes on from a resolution that is taken in.
pub(super) fn run(context: &Context, name: Option<&str>, options: RunOptions) -> Result<Answer> {
    let (workflow, _lock) = Workflow::open_alone(context, name)?;
    match &workflow.record.stopped {
        Some(Stopped { resolution: Some(_), options: begun, .. }) => {
            let options = begun.and(&options);
            from_resolution(context, workflow, options)
        }
        Some(stopped) => Err(stopping::stay_stopped(&workflow, context, stopped)?.into()),
        None => MergeChain::anew(&workflow, context, options)?.carry_out(),
    }
}

/// Takes the resolution in and goes on with the workers that are left; after a red gate, merges and
/// tests anew. `adds`: files without markers are added to the resolution first.
pub(super) fn go_on(
    context: &Context,
    name: Option<&str>,
    options: &RunOptions,
    adds: bool,
) -> Result<Answer> {
    let (workflow, _lock) = Workflow::open_alone(context, name)?;
    if let Some(red) = &workflow.record.red {
        return MergeChain::anew(&workflow, context, red.options.and(options))?.carry_out();
    }
    let options = stopping::stopped(&workflow)?.options.and(options);
    if adds {
        resume::add_resolved(&workflow)?;
    }
    from_resolution(context, workflow, options)
}

fn from_resolution(context: &Context, workflow: Workflow, options: RunOptions) -> Result<Answer> {
    let resumed = resume::resume(context, workflow, &options)?;
    let chain = MergeChain::new(&resumed.workflow, context, options, resumed.commit.clone());
    chain.map_err(|error| resumed.waiting(error))?.carry_out()
}

impl MergeChain<'_> {
    /// Merges the workers that are left, tests, publishes, and answers; or stops at the first
    /// conflict, or when a gate fails.
    fn carry_out(mut self) -> Result<Answer> {
        let mut keeper = Gatekeeper::new(self.workflow, self.context, &self.options)?;
        let mergiraf = Mergiraf::new(self.workflow);
        if matches!(mergiraf, Mergiraf::Missing) {
            keeper.notes.push(mergiraf::MISSING.to_owned());
        }
        let (order, merged) = (self.order(), &self.workflow.record.merged);
        keeper
            .notes
            .extend(taken_back(&self.states, |id| order.contains(id) || merged.contains_key(id)));
        for id in self.order() {
            let Some(tip) = self.tip(&id) else { continue };
            self.context.progress(&format!("merging {id}"));
            let outcome = self.merges.merge(&tip)?;
            let merged = mergiraf.merge(&id, &outcome, [self.commit(), &tip], None)?;
            if merged.len() < outcome.conflicts.len() {
                let (onto, options) = (self.commit().clone(), self.options);
                let stopped = Stopped { worker: id, tip, onto, options, resolution: None };
                return Err(
                    stopping::stop(self.workflow, &self.facts, stopped, &mut keeper)?.into()
                );
            }
            let mut tree = self.merges.merged_tree(&outcome)?;
            if !merged.is_empty() {
                tree = self.workflow.repo.with_blobs(&tree, &merged, None)?;
            }
            let by_mergiraf = merged.into_iter().map(|(path, _)| path).collect();
            let others = ByOthers { mergiraf: by_mergiraf, union: outcome.by_union() };
            self.take(&id, &tip, &tree, others)?;
            self.require_no_return(&id)?;
            if keeper.tests_each() {
                self.test(&mut keeper)?;
            }
        }
        let gate = self.test(&mut keeper)?;
        self.publish(&mut keeper, gate.is_some())?;
        self.answer(gate, keeper)
    }

    /// Refuses when the newest merge brought back what another worker has rewritten.
    fn require_no_return(&self, id: &WorkerId) -> Result<()> {
        let status = self.states.iter().find(|status| status.id == *id);
        let is_outdated = |status: &&WorkerStatus| {
            status.reasons.iter().any(|reason| reason.kind == ReasonKind::OutdatedCommits)
        };
        let Some(status) = status.filter(is_outdated) else { return Ok(()) };
        if self.options.allow_out_of_scope {
            return Ok(());
        }
        let before = self.merged.iter().rev().nth(1).map_or(self.start(), |merged| &merged.commit);
        let changes = self.workflow.repo.changes(&[CommitRange::between(before, self.commit())])?;
        let changed: Vec<RepoPath> =
            changes.into_iter().flatten().map(|change| change.path).collect();
        Ok(integration::require_no_return(&self.workflow.plan, status, &changed)?)
    }

    /// Runs the gates on the result; `None` when there are none, or nothing to test.
    fn test(&self, keeper: &mut Gatekeeper) -> Result<Option<GateReport>> {
        if self.merged.is_empty() && self.workflow.integration().is_none() {
            return Ok(None);
        }
        if keeper.is_absent() {
            let note = match self.options.gate {
                Some(GateMode::None) => "nothing was tested: --no-gate",
                _ => "nothing was tested: the plan has no `verify`",
            };
            keeper.notes.push(note.to_owned());
            return Ok(None);
        }
        let commit = self.commit().clone();
        if !self.merged.is_empty() {
            keeper.keep(&commit)?;
        }
        let judgement = keeper.judge(&commit)?;
        match judgement.red {
            None => Ok(Some(keeper.report(judgement))),
            Some(_) => Err(culprits::red(self, keeper, judgement)?.into()),
        }
    }

    /// Moves the integration branch and the refs of merged tips, and records it, all or nothing.
    fn publish(&self, keeper: &mut Gatekeeper, passed: bool) -> Result<()> {
        let Workflow { repo, plan, refs, record, .. } = self.workflow;
        if self.merged.is_empty() && record.stopped.is_none() {
            return Ok(());
        }
        let names = Refs(&plan.workflow);
        let journal = &mut keeper.journal;
        let mut transaction = Transaction::default().set(
            &names.integration(),
            self.commit(),
            self.workflow.integration(),
        );
        let kept = names.integrated();
        transaction = transaction.set(&kept, self.commit(), refs.get(&kept));
        for Merged { worker, tip, .. } in &self.merged {
            let name = names.merged(worker);
            transaction = transaction.set(&name, tip, refs.get(&name));
            journal.add(repo, &Event::Merged { worker: worker.clone(), tip: tip.clone() })?;
        }
        let proof = match self.options.gate {
            _ if passed => Proof::Passed,
            Some(GateMode::None) => Proof::NoGate,
            _ => Proof::NoVerify,
        };
        journal.add(repo, &Event::Integrated { commit: self.commit().clone(), proof })?;
        if let Some(candidate) = &keeper.candidate {
            transaction = transaction.delete(&names.candidate(), candidate);
        }
        if journal.try_publish(repo, transaction)? {
            return Ok(());
        }
        Err(Failure::new(
            Code::IntegrationMoved,
            format!("{} moved while this ran", plan.integration_branch()),
        )
        .hint("nothing was changed; run the command again")
        .next(Next::run(&plan.workflow))
        .into())
    }

    fn answer(self, gate: Option<GateReport>, keeper: Gatekeeper) -> Result<Answer> {
        let Workflow { repo, plan, record, refs, .. } = self.workflow;
        let is_newer = |status: &&WorkerStatus| {
            let merged = self.merged.iter().any(|merged| merged.worker == status.id);
            !merged && record.merged.contains_key(&status.id) && status.state != State::Integrated
        };
        let mut newer: Vec<WorkerId> =
            self.states.iter().filter(is_newer).map(|status| status.id.clone()).collect();
        // Gates take their time: a worker may have committed meanwhile.
        let now = if keeper.runs > 0 { read_refs(repo)? } else { refs.clone() };
        for Merged { worker, tip, .. } in &self.merged {
            let branch = self.workflow.worker(worker)?.branch().full();
            let known = refs.get(&branch);
            if now.get(&branch).is_some_and(|now| now != tip && Some(now) != known) {
                newer.push(worker.clone());
            }
        }
        let (base, branch) = (record.base.short(), plan.integration_branch());
        let review = CommandLine::of("git log --first-parent").word(format!("{base}..{branch}"));
        let review = NextStep::new("review", review);
        let workflow = &plan.workflow;
        let before = record.merged.keys();
        let is_merged = |id: &WorkerId| {
            record.merged.contains_key(id) || self.merged.iter().any(|merged| merged.worker == *id)
        };
        let is_open = |status: &&WorkerStatus| {
            let after = plan.worker(&status.id).map(|worker| &worker.after[..]).unwrap_or_default();
            status.state == State::Planned && after.iter().all(is_merged)
        };
        let advance = self.states.iter().find(is_open);
        let advance = advance.map(|_| NextStep::new("advance", Next::Advance(workflow)));
        // From a detached HEAD, or where the user rewrote the base, there is nowhere to land by
        // ourselves; `finish` says how the user does it.
        let land = match &record.base_branch {
            Some(base) => {
                let tip = refs.get(&base.full()).filter(|tip| **tip != record.base);
                let is_ahead = tip.map_or(Ok(true), |tip| repo.is_ancestor(tip, self.commit()))?;
                let contains = |tip| repo.is_ancestor(&record.base, tip);
                let is_rewritten = !is_ahead && !tip.map_or(Ok(true), contains)?;
                Some(match is_rewritten {
                    true => NextStep::new(
                        "land by hand",
                        CommandLine::of("git log --first-parent").word(&branch),
                    ),
                    false => {
                        let way = (!is_ahead).then_some(Way::Merge);
                        NextStep::new("land", Next::Finish { workflow, way })
                    }
                })
            }
            None => None,
        };
        let retro = NextStep::new("look back", Next::Report(workflow));
        // Before the next wave neither is at hand.
        let last = land.into_iter().chain([retro]).filter(|_| advance.is_none());
        let last: Vec<NextStep> = last.collect();
        let merged = self.merged.iter().map(|merged| &merged.worker);
        let moved_edits = moved_edits::among(repo, &self.facts, before.chain(merged))?;
        let answer = Integrated {
            moved_edits,
            workflow: plan.workflow.clone(),
            branch: plan.integration_branch(),
            commit: self.commit().clone(),
            merged: self.merged,
            turns: self.turns,
            without: self.options.without,
            newer,
            gate,
            notes: keeper.notes.into_iter().chain(keeper.journal.notes()).collect(),
            next: advance.into_iter().chain([review]).chain(last).collect(),
        };
        Answer::of(&answer, view::integrated)
    }
}
