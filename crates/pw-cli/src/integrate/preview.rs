//! `pw-integrate preview`: the whole merge, tried in order in a temporary object folder.

use anyhow::Result;
use pw_core::id::WorkerId;
use pw_core::integration::{self, Preview, PreviewStep, Skipped};
use pw_core::next::{Next, NextStep};
use pw_core::status::{Reason, ReasonKind, State, WorkerStatus};
use pw_git::{Author, Scratch};

use crate::facts::Worktrees;
use crate::moved_edits;
use crate::shell::{Answer, Context};
use crate::view;
use crate::workflow::Workflow;

/// Merges step upon step in a temporary object folder.
pub(super) fn preview(context: &Context, name: Option<&str>) -> Result<Answer> {
    let workflow = Workflow::open(context, name)?;
    let facts = workflow.facts(context.now, Worktrees::All)?;
    let board = workflow.board(&facts);
    let turns = board.turns(&[]);
    let order: Vec<WorkerId> = turns.iter().map(|turn| turn.worker.clone()).collect();
    let rewritten = |reason: &Reason| reason.kind == ReasonKind::HistoryRewritten;
    let can_merge = |status: &&WorkerStatus| {
        status.commits > 0 && order.contains(&status.id) && !status.reasons.iter().any(rewritten)
    };
    let onto = workflow.integration().unwrap_or(&workflow.record.base).clone();
    let bases = facts.history.merge_bases(&workflow.record.base, [&onto]);
    let scratch = Scratch::new()?;
    let merges = workflow.repo.merges(Author::fixed(), onto, bases, Some(&scratch))?;
    let mut merges = merges.with_attributes_that_change(facts.changes_attributes());
    let mut steps = Vec::new();
    for id in &order {
        let Some(status) = board.states.iter().filter(can_merge).find(|status| status.id == *id)
        else {
            continue;
        };
        let Some(tip) = status.tip.clone() else { continue };
        let outcome = merges.merge(&tip)?;
        if outcome.conflicts.is_empty() {
            merges.take(&tip, &merges.merged_tree(&outcome)?, "trial\n")?;
        }
        let by_union = outcome.by_union();
        let mut conflicts = outcome.conflicts;
        conflicts.extend(integration::findings(status));
        let (worker, holds) = (id.clone(), status.holds.clone());
        steps.push(PreviewStep { worker, tip, ready: status.ready, holds, conflicts, by_union });
    }
    let skipped =
        board.states.iter().filter(|status| !steps.iter().any(|step| step.worker == status.id));
    let skipped: Vec<Skipped> =
        skipped.map(|status| Skipped { worker: status.id.clone(), state: status.state }).collect();
    let all_ready =
        skipped.iter().all(|s| s.state == State::Integrated) && steps.iter().all(|step| step.ready);
    let next = match all_ready {
        true => NextStep::new("integrate", Next::run(&workflow.plan.workflow)),
        false => NextStep::new("watch", Next::Status(&workflow.plan.workflow)),
    };
    let merge = steps.iter().filter(|step| step.conflicts.is_empty()).map(|step| &step.worker);
    let before = workflow.record.merged.keys();
    let moved_edits = moved_edits::among(&workflow.repo, &facts, before.chain(merge))?;
    let preview = Preview {
        moved_edits,
        workflow: workflow.plan.workflow.clone(),
        branch: workflow.plan.integration_branch(),
        clean: steps.iter().all(|step| step.conflicts.is_empty()),
        steps,
        turns,
        skipped,
        next: vec![next],
    };
    Answer::of(&preview, view::preview)
}
