//! `pw-integrate forget`: drops snapshots.

use anyhow::Result;
use pw_core::next::{Next, NextStep};
use pw_core::record::{Event, Refs};
use pw_core::snapshot::{Forgotten, SnapshotId};
use pw_git::Transaction;

use crate::shell::{Answer, Context};
use crate::snapshot::{described, require, snapshots};
use crate::view;
use crate::workflow::Workflow;

/// Drops snapshots; their commits stay only until git collects them.
pub(super) fn forget(context: &Context, name: Option<&str>, ids: &[SnapshotId]) -> Result<Answer> {
    let (workflow, _lock) = Workflow::open_alone(context, name)?;
    let mut named = snapshots(&workflow);
    for id in ids {
        let newest = workflow.record.snapshots.get(&id.of).copied().unwrap_or_default();
        // A number up to the newest was forgotten before; a higher one was never given.
        if id.number > newest {
            require(&workflow, id)?;
        }
    }
    let all = named.len();
    named.retain(|(id, _)| ids.is_empty() || ids.contains(id));
    let kept = workflow.repo.snapshots(&named)?;
    let forgotten = described(context, &workflow, &kept);
    if !named.is_empty() {
        let names = Refs(&workflow.plan.workflow);
        let (mut journal, mut transaction) = (workflow.journal()?, Transaction::default());
        for (id, commit) in &named {
            journal.add(&workflow.repo, &Event::Forgot { id: id.clone() })?;
            transaction = transaction.delete(&names.snapshot(id), commit);
        }
        if let Some(tip) = journal.tip().filter(|_| workflow.is_closed()) {
            // This is no reason to open it again.
            transaction = transaction.set(&names.closed(), tip, Some(&workflow.record_tip));
        }
        journal.publish(&workflow.repo, transaction)?;
    }
    let list = Next::Snapshots(&workflow.plan.workflow);
    let answer = Forgotten {
        workflow: workflow.plan.workflow.clone(),
        left: all - named.len(),
        forgotten,
        next: vec![NextStep::new("list", list)],
    };
    Answer::of(&answer, view::forgotten)
}
