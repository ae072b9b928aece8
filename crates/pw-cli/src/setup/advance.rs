//! `pw-setup advance`: opens the workers whose turn has come.

use anyhow::Result;
use pw_core::conflict::FileConflict;
use pw_core::facts::Facts;
use pw_core::failure::{Code, Failure};
use pw_core::id::{Oid, WorkerId};
use pw_core::plan::{Plan, Worker};
use pw_core::status::openable;

use super::create::{answer, make};
use super::plan_file::PlanFile;
use super::preflight::PlannedWorkflow;
use crate::facts::Worktrees;
use crate::shell::{Answer, Context};
use crate::workflow::Workflow;

/// Opens the workers whose dependencies are ready or integrated, forked from those results.
pub(super) fn advance(context: &Context, name: Option<&str>) -> Result<Answer> {
    let (workflow, _lock) = Workflow::open_alone(context, name)?;
    let facts = workflow.facts(context.now, Worktrees::All)?;
    let states = workflow.states(&facts);
    let mut wanted = Vec::new();
    for worker in openable(&workflow.plan, &states) {
        wanted.push((worker.id.clone(), fork(&workflow, &facts, worker)?));
    }
    let file =
        PlanFile { text: workflow.plan_text.clone(), plan: Plan::parse(&workflow.plan_text)? };
    let planned = PlannedWorkflow::survey(context, file)?;
    let (planned, made) = make(context, planned, wanted)?;
    answer(&planned, &made, None)
}

/// Returns the fork of a later worker: the results of those it comes after, merged. Where the base
/// branch has them all, it is the base branch, with what the user changed there since; where these
/// are integrated, their conflicts are resolved for this worker, too.
fn fork(workflow: &Workflow, facts: &Facts, worker: &Worker) -> Result<Oid> {
    let Workflow { repo, record, plan, .. } = workflow;
    let merged = |id: &WorkerId| record.merged.get(id).map(|(tip, _)| tip);
    let branch = |id: &WorkerId| plan.worker(id).and_then(|worker| workflow.tip(worker));
    let base = facts.base_tip.as_ref().filter(|tip| facts.history.contains(tip, &record.base));
    let has_landed = |id: &WorkerId| {
        branch(id).or_else(|| merged(id)).is_some_and(|tip| facts.landing(tip).is_some())
    };
    if let Some(base) = base
        && !worker.after.is_empty()
        && worker.after.iter().all(has_landed)
    {
        return Ok(base.clone());
    }
    let is_integrated =
        |id: &WorkerId| merged(id).is_some_and(|tip| branch(id).is_none_or(|now| now == tip));
    if let Some(integration) = workflow.integration()
        && !worker.after.is_empty()
        && worker.after.iter().all(is_integrated)
    {
        return Ok(integration.clone());
    }
    let mut fork: Option<Oid> = None;
    for id in &worker.after {
        let Some(tip) = branch(id).or_else(|| merged(id)) else { continue };
        fork = Some(match fork {
            None => tip.clone(),
            Some(fork) => {
                let outcome = repo.merge(&fork, tip, None)?;
                if !outcome.conflicts.is_empty() {
                    return Err(contradiction(worker, id, &outcome.conflicts).into());
                }
                let message = format!("Start {} from what it builds upon\n", worker.label());
                repo.write_commit(&repo.author()?, &outcome.tree, &[&fork, tip], &message)?
            }
        });
    }
    Ok(fork.unwrap_or_else(|| record.base.clone()))
}

fn contradiction(worker: &Worker, id: &WorkerId, conflicts: &[FileConflict]) -> Failure {
    Failure::new(
        Code::DependencyConflict,
        format!("{} builds upon {id} and others that do not merge", worker.id),
    )
    .hint("let one of these workers merge the other's branch, resolve, and complete again")
    .details(
        serde_json::json!({ "worker": worker.id, "after": worker.after, "conflicts": conflicts }),
    )
}
