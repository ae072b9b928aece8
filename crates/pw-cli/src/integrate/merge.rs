//! The merge itself: in the object database, published in one transaction or not at all.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use pw_core::facts::Facts;
use pw_core::failure::{Code, Failure};
use pw_core::gate::Mode;
use pw_core::gate_report::GateReport;
use pw_core::history::Stretch;
use pw_core::id::{Oid, WorkerId};
use pw_core::integration::{self, Integrated, Merged};
use pw_core::path::RepoPath;
use pw_core::record::{Choice, Event, Proof, Refs, Stopped};
use pw_core::report::NextStep;
use pw_core::status::{ReasonKind, State, WorkerStatus, signal_lines, worker_states};
use pw_core::turn::{Turn, turns};
use pw_core::work::own_work;
use pw_git::{Merges, Transaction, unshallow};

use super::gate::Gatekeeper;
use super::mergiraf::{self, Mergiraf};
use super::{blame, resolve};
use crate::facts::Look;
use crate::shell::{Answer, Context};
use crate::view;
use crate::workflow::{Workflow, read_refs};

/// Merges everybody who is still to be merged.
pub(super) fn run(context: &Context, name: Option<&str>, choice: Choice) -> Result<Answer> {
    let (workflow, _lock) = Workflow::open_alone(context, name)?;
    match &workflow.record.stopped {
        Some(Stopped { resolution: Some(_), choice: begun, .. }) => {
            let choice = begun.and(&choice);
            return resolve::resume(context, workflow, choice);
        }
        Some(stopped) => return Err(resolve::stand_still(&workflow, context, stopped)?.into()),
        None => {}
    }
    Chain::anew(&workflow, context, choice)?.finish()
}

/// A chain of merges that nobody sees until it is whole.
pub(super) struct Chain<'a> {
    pub(super) workflow: &'a Workflow,
    pub(super) context: &'a Context,
    pub(super) choice: Choice,
    pub(super) facts: Facts,
    pub(super) states: Vec<WorkerStatus>,
    /// What each worker said since it was merged before.
    signals: BTreeMap<WorkerId, Vec<String>>,
    turns: Vec<Turn>,
    merges: Merges<'a>,
    pub(super) merged: Vec<Merged>,
}

impl<'a> Chain<'a> {
    /// Begins at `commit`; refuses when the integration branch is not ours to move, or when
    /// anybody to be merged is not ready.
    pub(super) fn new(
        workflow: &'a Workflow,
        context: &'a Context,
        choice: Choice,
        commit: Oid,
    ) -> Result<Self> {
        require_own_branch(workflow)?;
        let allow = choice.allow_out_of_scope;
        let chain = Self::begin(workflow, context, choice, commit)?;
        let ready =
            integration::require_ready(&workflow.plan, &chain.states, &chain.order(), allow);
        let is_cut = workflow.repo.is_shallow() && chain.is_rewritten();
        ready.map_err(|failure| if is_cut { unshallow(failure) } else { failure })?;
        Ok(chain)
    }

    /// Begins where the integration branch is, or with the merges of a candidate that was red, as
    /// far as they are those to be made now: somebody may have resolved conflicts in them.
    pub(super) fn anew(
        workflow: &'a Workflow,
        context: &'a Context,
        choice: Choice,
    ) -> Result<Self> {
        let start = workflow.integration().unwrap_or(&workflow.record.base);
        let chain = Self::new(workflow, context, choice.clone(), start.clone())?;
        let Some(red) = &workflow.record.red else { return Ok(chain) };
        let history = &chain.facts.history;
        let known = integration::merges_since(history, &red.candidate, start);
        let known = integration::still_wanted(known, &chain.order(), &chain.states, history, start);
        match known.last() {
            Some(merged) => Self::begin(workflow, context, choice, merged.commit.clone()),
            None => Ok(chain),
        }
    }

    /// Begins at `commit`, whoever is ready.
    pub(super) fn begin(
        workflow: &'a Workflow,
        context: &'a Context,
        choice: Choice,
        commit: Oid,
    ) -> Result<Self> {
        for id in &choice.without {
            workflow.worker(id)?;
        }
        let facts = workflow.facts(context.now, Look::Into)?;
        let Workflow { plan, record, .. } = workflow;
        let work = own_work(plan, record, &facts);
        let states = worker_states(plan, record, &facts, &work);
        let turns = turns(plan, &facts, &states, &choice.without);
        let since = |id: &WorkerId| record.merged.get(id).map(|(tip, _)| tip);
        let signals = signal_lines(plan, &facts, &work, since);
        let bases = facts.history.merge_bases(&workflow.record.base, [&commit]);
        let author = workflow.repo.author()?;
        let start = workflow.integration().unwrap_or(&workflow.record.base);
        let merged = integration::merges_since(&facts.history, &commit, start);
        let merges = workflow.repo.merges(author, commit, bases, None)?;
        Ok(Self { workflow, context, choice, facts, states, signals, turns, merges, merged })
    }

    fn order(&self) -> Vec<WorkerId> {
        let is_merged = |id: &WorkerId| self.merged.iter().any(|merged| merged.worker == *id);
        let order = self.turns.iter().map(|turn| &turn.worker);
        order.filter(|id| !is_merged(id)).cloned().collect()
    }

    /// Takes in a merge that somebody resolved.
    pub(super) fn take(
        &mut self,
        worker: &WorkerId,
        tip: &Oid,
        tree: &Oid,
        by_mergiraf: Vec<RepoPath>,
    ) -> Result<()> {
        let message = self.message(worker, tip, &by_mergiraf)?;
        let commit = self.merges.take(tip, tree, &message)?;
        let (worker, tip) = (worker.clone(), tip.clone());
        self.merged.push(Merged { worker, commit, tip, by_mergiraf });
        Ok(())
    }

    /// Returns what the merge of a worker says.
    pub(super) fn message(
        &self,
        worker: &WorkerId,
        tip: &Oid,
        by_mergiraf: &[RepoPath],
    ) -> Result<String> {
        let (plan, worker_plan) = (&self.workflow.plan, self.workflow.worker(worker)?);
        let status = self.states.iter().find(|status| status.id == *worker);
        let status = status.context("a worker without a state")?;
        let signals = self.signals.get(worker).map(Vec::as_slice).unwrap_or_default();
        Ok(integration::merge_message(plan, worker_plan, status, signals, tip, by_mergiraf))
    }

    /// Returns whether somebody to be merged no longer contains what it began at.
    fn is_rewritten(&self) -> bool {
        let order = self.order();
        let mut rewritten = self.states.iter().filter(|status| {
            status.reasons.iter().any(|reason| reason.kind == ReasonKind::HistoryRewritten)
        });
        rewritten.any(|status| order.contains(&status.id))
    }

    /// Returns the tip to merge of a worker.
    fn tip(&self, worker: &WorkerId) -> Option<Oid> {
        self.states.iter().find(|status| status.id == *worker)?.tip.clone()
    }

    /// Returns everybody whom this integration merges, with the tips, in merge order.
    pub(super) fn everybody(&self) -> Vec<(WorkerId, Oid)> {
        let done = self.merged.iter().map(|merged| (merged.worker.clone(), merged.tip.clone()));
        let open = self.order().into_iter().filter_map(|id| Some((id.clone(), self.tip(&id)?)));
        done.chain(open).collect()
    }

    /// Returns where the merges begin.
    pub(super) fn start(&self) -> &Oid {
        self.workflow.integration().unwrap_or(&self.workflow.record.base)
    }

    pub(super) fn commit(&self) -> &Oid {
        self.merges.head()
    }

    /// Merges who is left, tests, publishes, and answers; or stops at the first conflict, or when a
    /// gate fails.
    pub(super) fn finish(mut self) -> Result<Answer> {
        let mut keeper = Gatekeeper::new(self.workflow, self.context, &self.choice)?;
        let mergiraf = Mergiraf::of(self.workflow);
        if matches!(mergiraf, Mergiraf::Missing) {
            keeper.notes.push(mergiraf::MISSING.to_owned());
        }
        keeper.notes.extend(comes_back(&self.states, &self.order()));
        for id in self.order() {
            let Some(tip) = self.tip(&id) else { continue };
            self.context.progress(&format!("merging {id}"));
            let mut outcome = self.merges.merge(&tip)?;
            let merged = mergiraf.merge(&id, &outcome, [self.commit(), &tip], None)?;
            if !merged.is_empty() && merged.len() == outcome.conflicts.len() {
                outcome.tree = self.workflow.repo.with_blobs(&outcome.tree, &merged)?;
                outcome.conflicts.clear();
            }
            if !outcome.conflicts.is_empty() {
                let (onto, choice) = (self.commit().clone(), self.choice);
                let stopped = Stopped { worker: id, tip, onto, choice, resolution: None };
                return Err(
                    resolve::stop(self.workflow, self.context, stopped, &mut keeper)?.into()
                );
            }
            let by_mergiraf = merged.into_iter().map(|(path, _)| path).collect();
            self.take(&id, &tip, &outcome.tree, by_mergiraf)?;
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
        if self.choice.allow_out_of_scope {
            return Ok(());
        }
        let before = self.merged.iter().rev().nth(1).map_or(self.start(), |merged| &merged.commit);
        let changes = self.workflow.repo.changes(&[Stretch::between(before, self.commit())])?;
        let changed: Vec<RepoPath> =
            changes.into_iter().flatten().map(|change| change.path).collect();
        Ok(integration::require_no_return(&self.workflow.plan, status, &changed)?)
    }

    /// Runs the gates on the result; nothing when there are none, or nothing to test.
    fn test(&self, keeper: &mut Gatekeeper) -> Result<Option<GateReport>> {
        if self.merged.is_empty() && self.workflow.integration().is_none() {
            return Ok(None);
        }
        if keeper.is_absent() {
            let note = match self.choice.gate {
                Some(Mode::None) => "nothing was tested: --no-gate",
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
            Some(_) => Err(blame::red(self, keeper, judgement)?.into()),
        }
    }

    /// Moves the integration branch, remembers the merged tips and records it, all or nothing.
    fn publish(&self, keeper: &mut Gatekeeper, passed: bool) -> Result<()> {
        let Workflow { repo, plan, refs, record, .. } = self.workflow;
        if self.merged.is_empty() && record.stopped.is_none() {
            return Ok(());
        }
        let names = Refs(&plan.workflow);
        let writer = &mut keeper.writer;
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
            writer.add(repo, &Event::Merged { worker: worker.clone(), tip: tip.clone() })?;
        }
        let proof = match self.choice.gate {
            _ if passed => Proof::Passed,
            Some(Mode::None) => Proof::NoGate,
            _ => Proof::NoVerify,
        };
        writer.add(repo, &Event::Integrated { commit: self.commit().clone(), proof })?;
        if let Some(candidate) = &keeper.candidate {
            transaction = transaction.delete(&names.candidate(), candidate);
        }
        if writer.publish(repo, transaction)? {
            return Ok(());
        }
        Err(Failure::new(
            Code::IntegrationMoved,
            format!("{} moved while this ran", plan.integration_branch()),
        )
        .hint("nothing was changed; run the command again")
        .next(format!("pw-integrate run {}", plan.workflow))
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
        // Gates take their time: somebody may have gone on meanwhile.
        let now = if keeper.runs > 0 { read_refs(repo)? } else { refs.clone() };
        for Merged { worker, tip, .. } in &self.merged {
            let branch = format!("refs/heads/{}", self.workflow.worker(worker)?.branch());
            if now.get(&branch).is_some_and(|now| now != tip) {
                newer.push(worker.clone());
            }
        }
        let review = NextStep {
            action: "review".to_owned(),
            worker: None,
            command: format!(
                "git log --first-parent {}..{}",
                record.base.short(),
                plan.integration_branch()
            ),
        };
        let retro = NextStep {
            action: "look back".to_owned(),
            worker: None,
            command: format!("pw-retro report {}", plan.workflow),
        };
        let answer = Integrated {
            workflow: plan.workflow.clone(),
            branch: plan.integration_branch(),
            commit: self.commit().clone(),
            merged: self.merged,
            turns: self.turns,
            without: self.choice.without,
            newer,
            gate,
            notes: keeper.notes,
            next: vec![review, retro],
        };
        Answer::of(&answer, view::integrated)
    }
}

/// Refuses when the integration branch is checked out or is not where we left it.
pub(super) fn require_own_branch(workflow: &Workflow) -> Result<()> {
    let branch = workflow.plan.integration_branch();
    let checked_out =
        workflow.repo.worktrees().iter().find(|w| w.branch.as_deref() == Some(&branch));
    if let Some(worktree) = checked_out {
        let message = format!("{branch} is checked out in {}", worktree.path.display());
        return Err(Failure::new(Code::IntegrationMoved, message)
            .hint("switch that checkout to another branch; moving the branch under it would confuse it")
            .next(format!("git -C {} switch --detach", pw_core::report::shell_word(&worktree.path.to_string_lossy())))
            .into());
    }
    own_result(workflow).map(drop)
}

/// Returns where the integration branch is, if we put it there or somebody added commits to our
/// result: they stay, and what is next comes on top.
pub(super) fn own_result(workflow: &Workflow) -> Result<Option<Oid>> {
    let branch = workflow.plan.integration_branch();
    match (&workflow.record.integration, workflow.integration()) {
        (ours, now) if ours.as_ref() == now => Ok(now.cloned()),
        (Some(ours), Some(now)) if workflow.repo.is_ancestor(ours, now)? => Ok(Some(now.clone())),
        (Some(ours), None) => {
            Err(Failure::new(Code::IntegrationMoved, format!("{branch} was deleted"))
                .hint("bring it back where it was")
                .next(format!("git branch {branch} {ours}"))
                .into())
        }
        _ => Err(Failure::new(
            Code::IntegrationMoved,
            format!("{branch} was moved by somebody else"),
        )
        .hint("keep those commits under another name, then run again to put the branch back")
        .next(format!("git branch -m {branch} {branch}-by-hand"))
        .into()),
    }
}

/// Returns what there is to say of the workers whose work the base branch had and took back.
pub(super) fn comes_back(states: &[WorkerStatus], order: &[WorkerId]) -> Vec<String> {
    let wanted = states.iter().filter(|status| order.contains(&status.id));
    wanted
        .filter_map(|status| {
            let reverted = status.reverted.as_ref()?;
            Some(reverted.note(&format!("what {} did", status.id)))
        })
        .collect()
}
