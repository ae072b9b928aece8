//! `pw-worker brief`: what the worker is to do, and what it has done.

use anyhow::{Context as _, Result};
use pw_core::worker::{self as rules, Brief};

use super::own_worktree::OwnWorktree;
use crate::facts::Worktrees;
use crate::repair;
use crate::shell::Answer;
use crate::view;
use crate::workflow::Workflow;

pub(super) fn brief(own: &OwnWorktree<'_>) -> Result<Answer> {
    Answer::of(&read(own)?, view::brief)
}

/// Returns where the worker stands.
pub(super) fn read(own: &OwnWorktree<'_>) -> Result<Brief> {
    let Workflow { plan, record, .. } = own.workflow;
    let mut facts = own.workflow.facts(own.shell.now, Worktrees::Of(&own.worker.id))?;
    let gaps = repair::gaps(own.workflow, &[own.worker])?.into_iter().flatten().collect();
    facts.workers.entry(own.worker.id.clone()).or_default().gaps = gaps;
    let states = own.workflow.board(&facts).states;
    rules::brief(plan, record, own.worker, &states).context("the worker has no state")
}
