//! `pw-integrate abort`: gives a stopped integration up; what was in the worktree stays under a
//! ref.

use anyhow::Result;
use pw_core::integration::Aborted;
use pw_core::record::{Event, Refs};
use pw_core::snapshot::RESOLUTIONS;
use pw_git::Transaction;

use super::gate_worktree::GateWorktree;
use super::resolution::{Progress, Resolution};
use super::stopping::{StoppedMerge, stopped};
use crate::shell::{Answer, Context};
use crate::snapshot::{KeptSnapshot, restore_command};
use crate::view;
use crate::workflow::Workflow;

/// Gives the stopped integration up; what was in the worktree stays under a ref.
pub(super) fn abort(context: &Context, name: Option<&str>) -> Result<Answer> {
    let (mut workflow, _lock) = Workflow::open_alone(context, name)?;
    if workflow.record.red.is_some() {
        return abort_red(&workflow);
    }
    let stopped = &stopped(&workflow)?.clone();
    let resolution = Resolution::of(&workflow, stopped)?;
    if let Some(commit) = &stopped.resolution
        && resolution.clear(&workflow, stopped, Some(commit), &mut workflow.journal()?)?.is_some()
    {
        let name = workflow.plan.workflow.to_string();
        workflow = Workflow::open(context, Some(&name))?;
    }
    let Workflow { repo, plan, refs, .. } = &workflow;
    let names = Refs(&plan.workflow);
    let mut journal = workflow.journal()?;
    let mut transaction = Transaction::default();
    if stopped.resolution.is_none()
        && matches!(resolution.progress(repo, stopped)?, Progress::Merging | Progress::Concluded)
    {
        transaction = StoppedMerge::read(&workflow, stopped)?.remember(
            &workflow,
            &resolution,
            transaction,
        )?;
    }
    let (aside, keeping) = match &stopped.resolution {
        Some(commit) => {
            let why = format!("resolution of {}, aborted", stopped.worker);
            let of = RESOLUTIONS.parse()?;
            (None, Some(KeptSnapshot::of_commit(&workflow, &of, commit, None, &why)?))
        }
        None => match resolution.keep(&workflow, stopped)? {
            Some((aside, keeping)) => (Some(aside), keeping),
            None => (None, None),
        },
    };
    if let Some(keeping) = &keeping {
        transaction = keeping.join(&workflow, &mut journal, transaction)?;
    }
    if let Some(candidate) = refs.get(&names.candidate()) {
        transaction = transaction.delete(&names.candidate(), candidate);
    }
    journal.add(repo, &Event::Aborted { worker: Some(stopped.worker.clone()) })?;
    journal.publish(repo, transaction)?;
    aside.map_or(Ok(()), pw_git::PendingRemoval::discard)?;
    let aborted = Aborted {
        workflow: plan.workflow.clone(),
        worker: Some(stopped.worker.clone()),
        snapshot: keeping.as_ref().map(|keeping| keeping.name(&workflow)),
        restore: keeping.as_ref().map(|keeping| restore_command(&workflow, &keeping.id)),
    };
    Answer::of(&aborted, view::aborted)
}

/// Gives an integration up whose result did not pass a gate; resolutions stay in the rerere ref.
fn abort_red(workflow: &Workflow) -> Result<Answer> {
    let Workflow { repo, plan, refs, .. } = workflow;
    let name = Refs(&plan.workflow).candidate();
    let mut transaction = Transaction::default();
    if let Some(candidate) = refs.get(&name) {
        transaction = transaction.delete(&name, candidate);
    }
    GateWorktree::remove(workflow)?;
    let mut journal = workflow.journal()?;
    journal.add(repo, &Event::Aborted { worker: None })?;
    journal.publish(repo, transaction)?;
    let workflow = plan.workflow.clone();
    Answer::of(&Aborted { workflow, worker: None, snapshot: None, restore: None }, view::aborted)
}
