//! `pw-integrate check`: which workers are ready, and why the rest is not.

use anyhow::Result;
use pw_core::id::WorkerId;
use pw_core::integration::{self, Check, Readiness};
use pw_core::next::{Next, NextStep};

use crate::facts::Worktrees;
use crate::shell::{Answer, Context};
use crate::view;
use crate::workflow::Workflow;

pub(super) fn check(context: &Context, name: Option<&str>) -> Result<Answer> {
    let workflow = Workflow::open(context, name)?;
    let facts = workflow.facts(context.now, Worktrees::All)?;
    let board = workflow.board(&facts);
    let turns = board.turns(&[]);
    let order: Vec<WorkerId> = turns.iter().map(|turn| turn.worker.clone()).collect();
    let ready = !order.is_empty()
        && integration::require_ready(&workflow.plan, &board.states, &order, &[], false).is_ok();
    let command = match ready {
        true => Next::Preview(&workflow.plan.workflow),
        false => Next::Status(&workflow.plan.workflow),
    };
    let action = if ready { "preview" } else { "watch" };
    let next = match order.is_empty() {
        true => NextStep::new("look back", Next::Report(&workflow.plan.workflow)),
        false => NextStep::new(action, command),
    };
    let check = Check {
        workflow: workflow.plan.workflow.clone(),
        ready,
        order,
        turns,
        workers: board.states.iter().map(Readiness::from).collect(),
        next: vec![next],
    };
    Answer::of(&check, view::readiness)
}
