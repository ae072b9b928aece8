//! `pw-setup join`: gives a worker that was created in another clone its worktree in this one, with
//! hooks and launcher, at the tip that the plan's remote has.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use pw_core::channel::{Tip, TipFrom};
use pw_core::details::NotCreated;
use pw_core::failure::{Code, Failure};
use pw_core::id::WorkerId;
use pw_core::next::{CommandLine, Next};
use pw_core::plan::{Plan, Worker};
use pw_git::Transaction;

use super::create::{answer, attach};
use super::plan_file::PlanFile;
use super::preflight::PlannedWorkflow;
use super::prepare;
use crate::remote;
use crate::repair;
use crate::shell::{Answer, Context};
use crate::workflow::Workflow;

/// Makes the worktree, or brings the one that is here forward. Nothing is recorded: other
/// clones need not know where a worker works.
pub(super) fn join(context: &Context, id: &WorkerId, name: Option<&str>) -> Result<Answer> {
    remote::fetch(context, name)?.map_err(Failure::from)?;
    let (workflow, _lock) = Workflow::open_alone(&context.without_fetch(), name)?;
    let worker = workflow.worker(id)?.clone();
    let tip = workflow.tip_from(&worker).filter(|_| workflow.record.is_made(id));
    let tip = tip.cloned().ok_or_else(|| not_created(&workflow, &worker))?;
    require_one_way(&worker, &tip)?;
    move_branch(&workflow, &worker, &tip)?;

    let text = workflow.plan_text.clone();
    let file = PlanFile { plan: Plan::parse(&text)?, text };
    let mut planned = PlannedWorkflow::survey(context, file)?;
    planned.repo.exclude(&planned.plan.worktrees)?;
    let mut made = BTreeSet::new();
    let port = planned.record.placements.get(id).and_then(|placement| placement.port);
    if !repair::is_in_place(&planned.repo, &planned.plan, &worker) {
        context.progress(&format!("making {}", worker.label()));
        attach(&planned, &worker)?;
        planned.repo.refresh()?;
        made.insert(id.clone());
        let files = prepare::files_to_copy(&planned.repo, &planned.plan)?;
        prepare::copy(&planned.repo, &planned.worktree(&worker), &files)?;
        prepare::run_setup(&planned, &worker, port)?;
    }
    repair::write(&planned.repo, &planned.plan, &[(&worker, port)])?;
    answer(&planned, &made, Vec::new(), None)
}

fn not_created(workflow: &Workflow, worker: &Worker) -> Failure {
    let remote = workflow.plan.remote.as_deref().unwrap_or("any remote");
    let message = format!("{} has no branch on {remote}", worker.id);
    Failure::new(Code::NotCreated, message)
        .hint("create or advance the workflow in the clone that leads it, then join again")
        .next(Next::Status(&workflow.plan.workflow))
        .details(NotCreated { worker: worker.id.clone(), after: worker.after.clone() })
}

/// Refuses to begin on one of two tips that went different ways.
fn require_one_way(worker: &Worker, tip: &Tip) -> Result<(), Failure> {
    let Some(other) = &tip.other else { return Ok(()) };
    let (id, here, there) = (&worker.id, tip.commit.short(), other.short());
    let message = format!("the branch of {id} went two ways: {here} here, {there} on the remote");
    Err(Failure::new(Code::RemoteMoved, message)
        .hint("the user merges the one into the other, or keeps one under another name; then join again")
        .next(CommandLine::of("git log --oneline --graph").word(&tip.commit).word(other)))
}

/// Moves the branch here forward to the tip of the remote, and a worktree that is here with it.
fn move_branch(workflow: &Workflow, worker: &Worker, tip: &Tip) -> Result<()> {
    let Workflow { repo, .. } = workflow;
    let own = workflow.own_tip(worker);
    if tip.from != TipFrom::Remote || own == Some(&tip.commit) {
        return Ok(());
    }
    let branch = worker.branch();
    match (own, repo.checkout_of(&branch)) {
        (Some(own), Some(checkout)) => {
            let moved = repo.fast_forward(&checkout.path, own, &tip.commit);
            moved.with_context(|| format!("bringing {branch} forward"))
        }
        _ => {
            let name = branch.full();
            Transaction::default().set(&name, &tip.commit, own).publish(repo)
        }
    }
}
