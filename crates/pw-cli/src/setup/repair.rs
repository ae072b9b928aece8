//! `pw-setup repair`: restores worktrees, hooks and launchers that were moved, replaced or lost.

use anyhow::Result;
use pw_core::gap::{Left, Repaired, WorkerRepair};
use pw_core::next::{Next, NextStep};
use pw_core::plan::Worker;

use crate::repair;
use crate::session;
use crate::shell::{Answer, Context};
use crate::view;
use crate::workflow::Workflow;

/// Repairs every worker that was handed over and still has its branch; does nothing when run twice.
pub(super) fn repair(context: &Context, name: Option<&str>) -> Result<Answer> {
    let (mut workflow, _lock) = Workflow::open_alone(context, name)?;
    session::own().require_workflow(&workflow.plan.workflow, &context.command)?;
    let workers = handed_over(&workflow);
    let mut linked = Vec::new();
    repair::make_room(&workflow, &workers)?;
    for worker in &workers {
        linked.push(repair::relink(&workflow.repo, &workflow.plan, worker)?);
    }
    repair::relink_resolutions(&workflow.repo, &workflow.plan)?;
    workflow.repo.refresh()?;

    let workers: Vec<&Worker> = workers.iter().collect();
    let before = repair::gaps(&workflow, &workers)?;
    let (mut repaired, mut left) = (Vec::new(), Vec::new());
    for ((worker, worktree), gaps) in workers.iter().zip(linked).zip(before) {
        let Workflow { repo, plan, record, .. } = &workflow;
        let port = record.placements.get(&worker.id).and_then(|placement| placement.port);
        if !repair::is_in_place(repo, plan, worker) {
            // A merged worker's worktree may have been removed on purpose.
            if record.merged.contains_key(&worker.id) {
                continue;
            }
            left.push(Left {
                worker: worker.id.clone(),
                message: repair::what_remains(&workflow, worker),
            });
            continue;
        }
        // Where this worker's files cannot be written, the other workers are still repaired.
        let written =
            if gaps.is_empty() { Ok(()) } else { repair::write(repo, plan, &[(worker, port)]) };
        if let Err(error) = written {
            left.push(Left { worker: worker.id.clone(), message: format!("{error:#}") });
            continue;
        }
        if !gaps.is_empty() || worktree.is_some() {
            repaired.push(WorkerRepair { worker: worker.id.clone(), worktree, gaps });
        }
    }
    for (worker, gaps) in workers.iter().zip(repair::gaps(&workflow, &workers)?) {
        let message = |gap: pw_core::gap::Gap| gap.message;
        left.extend(gaps.into_iter().map(message).map(|message| {
            repaired.retain(|done| done.worker != worker.id);
            Left { worker: worker.id.clone(), message }
        }));
    }
    let next = vec![NextStep::new("watch", Next::Status(&workflow.plan.workflow))];
    let workflow = workflow.plan.workflow.clone();
    Answer::of(&Repaired { workflow, workers: repaired, left, next }, view::repaired)
}

fn handed_over(workflow: &Workflow) -> Vec<Worker> {
    let Workflow { plan, record, .. } = workflow;
    let is_one =
        |worker: &&Worker| record.is_made(&worker.id) && workflow.own_tip(worker).is_some();
    plan.workers.iter().filter(is_one).cloned().collect()
}
