//! The merges of an integration, one upon the other: in the object database, seen by no other
//! process until they are published.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use pw_core::branch::Branch;
use pw_core::facts::Facts;
use pw_core::failure::{Code, Failure};
use pw_core::id::{Oid, WorkerId};
use pw_core::integration::{self, ByOthers, Merged};
use pw_core::merge_order::Turn;
use pw_core::next::CommandLine;
use pw_core::plan::Problems;
use pw_core::record::{RunOptions, beside};
use pw_core::status::{ReasonKind, WorkerStatus};
use pw_git::{Merges, unshallow};

use crate::facts::Worktrees;
use crate::shell::Context;
use crate::workflow::Workflow;

/// A chain of merges that no ref shows until it is whole.
pub(super) struct MergeChain<'a> {
    pub(super) workflow: &'a Workflow,
    pub(super) context: &'a Context,
    pub(super) options: RunOptions,
    pub(super) facts: Facts,
    pub(super) states: Vec<WorkerStatus>,
    /// The signals of each worker since it was merged before.
    signals: BTreeMap<WorkerId, Vec<String>>,
    pub(super) turns: Vec<Turn>,
    pub(super) merges: Merges<'a>,
    pub(super) merged: Vec<Merged>,
}

impl<'a> MergeChain<'a> {
    /// Begins at `commit`; refuses when the integration branch is not ours to move, or when a
    /// worker to be merged is not ready.
    pub(super) fn new(
        workflow: &'a Workflow,
        context: &'a Context,
        options: RunOptions,
        commit: Oid,
    ) -> Result<Self> {
        require_own_branch(workflow)?;
        let allow = options.allow_out_of_scope;
        let chain = Self::begin(workflow, context, options, commit)?;
        let (order, made) = (chain.order(), &chain.merged);
        let ready = integration::require_ready(&workflow.plan, &chain.states, &order, made, allow);
        let is_cut = workflow.repo.is_shallow() && chain.is_rewritten();
        ready.map_err(|failure| if is_cut { unshallow(failure) } else { failure })?;
        Ok(chain)
    }

    /// Begins where the integration branch is, or with the merges of a candidate that was red, as
    /// far as they are those to be made now: the user may have resolved conflicts in them.
    pub(super) fn anew(
        workflow: &'a Workflow,
        context: &'a Context,
        options: RunOptions,
    ) -> Result<Self> {
        let start = workflow.integration().unwrap_or(&workflow.record.base);
        let chain = Self::new(workflow, context, options.clone(), start.clone())?;
        let Some(red) = &workflow.record.red else { return Ok(chain) };
        let history = &chain.facts.history;
        let known = integration::merges_since(history, &red.candidate, start);
        let known = integration::still_wanted(known, &chain.order(), &chain.states, history, start);
        match known.last() {
            Some(merged) => Self::begin(workflow, context, options, merged.commit.clone()),
            None => Ok(chain),
        }
    }

    /// Begins at `commit`, without asking which workers are ready.
    pub(super) fn begin(
        workflow: &'a Workflow,
        context: &'a Context,
        options: RunOptions,
        commit: Oid,
    ) -> Result<Self> {
        for id in &options.without {
            workflow.worker(id)?;
        }
        let facts = workflow.facts(context.now, Worktrees::All)?;
        let board = workflow.board(&facts);
        let turns = board.turns(&options.without);
        let since = |id: &WorkerId| workflow.record.merged.get(id).map(|(tip, _)| tip);
        let (signals, states) = (board.signals(since), board.states);
        let bases = facts.history.merge_bases(&workflow.record.base, [&commit]);
        let author = workflow.repo.author()?;
        let start = workflow.integration().unwrap_or(&workflow.record.base);
        let merged = integration::merges_since(&facts.history, &commit, start);
        let merges = workflow.repo.merges(author, commit, bases, None)?;
        let merges = merges.with_attributes_that_change(facts.changes_attributes());
        Ok(Self { workflow, context, options, facts, states, signals, turns, merges, merged })
    }

    pub(super) fn order(&self) -> Vec<WorkerId> {
        let is_merged = |id: &WorkerId| self.merged.iter().any(|merged| merged.worker == *id);
        let order = self.turns.iter().map(|turn| &turn.worker);
        order.filter(|id| !is_merged(id)).cloned().collect()
    }

    /// Takes in a merge; `others` are the files that git did not merge itself.
    pub(super) fn take(
        &mut self,
        worker: &WorkerId,
        tip: &Oid,
        tree: &Oid,
        others: ByOthers,
    ) -> Result<()> {
        let message = self.message(worker, tip, &others)?;
        let commit = self.merges.take(tip, tree, &message)?;
        let (worker, tip) = (worker.clone(), tip.clone());
        let ByOthers { mergiraf: by_mergiraf, union: by_union } = others;
        self.merged.push(Merged { worker, commit, tip, by_mergiraf, by_union });
        Ok(())
    }

    /// Returns the message of a worker's merge commit.
    pub(super) fn message(
        &self,
        worker: &WorkerId,
        tip: &Oid,
        others: &ByOthers,
    ) -> Result<String> {
        let (plan, worker_plan) = (&self.workflow.plan, self.workflow.worker(worker)?);
        let status = self.states.iter().find(|status| status.id == *worker);
        let status = status.context("a worker without a state")?;
        let signals = self.signals.get(worker).map(Vec::as_slice).unwrap_or_default();
        Ok(integration::merge_message(plan, worker_plan, status, signals, tip, others))
    }

    /// Returns whether a worker to be merged no longer contains its fork.
    fn is_rewritten(&self) -> bool {
        let order = self.order();
        let mut rewritten = self.states.iter().filter(|status| {
            status.reasons.iter().any(|reason| reason.kind == ReasonKind::HistoryRewritten)
        });
        rewritten.any(|status| order.contains(&status.id))
    }

    /// Returns the tip to merge of a worker.
    pub(super) fn tip(&self, worker: &WorkerId) -> Option<Oid> {
        self.states.iter().find(|status| status.id == *worker)?.tip.clone()
    }

    /// Returns all workers that this integration merges, with their tips, in merge order.
    pub(super) fn members(&self) -> Vec<(WorkerId, Oid)> {
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
}

/// Refuses when the integration branch is checked out or is not where we left it.
pub(super) fn require_own_branch(workflow: &Workflow) -> Result<()> {
    let branch = workflow.plan.integration_branch();
    let checked_out = workflow.repo.worktrees().iter().find(|w| w.branch.as_ref() == Some(&branch));
    if let Some(worktree) = checked_out {
        let message = format!("{branch} is checked out in {}", worktree.path.display());
        return Err(Failure::new(Code::IntegrationMoved, message)
            .hint("switch that checkout to another branch; moving the branch under it would confuse it")
            .next(CommandLine::git(&worktree.path, "switch --detach"))
            .into());
    }
    if let Some(found) = beside(&workflow.refs, &branch.full()).and_then(Branch::of_ref) {
        let message = format!("the branch {found} is there, so git cannot have {branch}");
        return Err(Failure::new(Code::InTheWay, message)
            .hint(format!("rename {found}, or delete it if the user agrees, then run again"))
            .next(
                CommandLine::of("git branch -m")
                    .word(&found)
                    .word(format!("{}-by-hand", found.as_str().replace('/', "-"))),
            )
            .details(Problems { problems: Vec::new() })
            .into());
    }
    own_result(workflow).map(drop)
}

/// Returns where the integration branch is, if we put it there or the user added commits to our
/// result: they stay, and the next merge comes on top.
pub(super) fn own_result(workflow: &Workflow) -> Result<Option<Oid>> {
    let branch = workflow.plan.integration_branch();
    match (&workflow.record.integration, workflow.integration()) {
        (ours, now) if ours.as_ref() == now => Ok(now.cloned()),
        (Some(ours), Some(now)) if workflow.repo.is_ancestor(ours, now)? => Ok(Some(now.clone())),
        (Some(ours), None) => {
            Err(Failure::new(Code::IntegrationMoved, format!("{branch} is not in this repository"))
                .hint("bring it back where it was, or fetch it from where it was made")
                .next(CommandLine::of("git branch").word(&branch).word(ours))
                .into())
        }
        // Without a commit of the user's there is nothing to keep.
        (Some(ours), Some(now)) if workflow.repo.is_ancestor(now, ours)? => {
            let message = format!("{branch} was moved back to {}", now.short());
            Err(Failure::new(Code::IntegrationMoved, message)
                .hint("bring it back where it was")
                .next(CommandLine::of("git branch -f").word(&branch).word(ours))
                .into())
        }
        _ => Err(Failure::new(
            Code::IntegrationMoved,
            format!("{branch} was moved by the user or another process"),
        )
        .hint("keep those commits under another name, then run again to put the branch back")
        .next(CommandLine::of("git branch -m").word(&branch).word(format!("{branch}-by-hand")))
        .into()),
    }
}
