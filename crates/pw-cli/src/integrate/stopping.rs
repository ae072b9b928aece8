//! Stopping at a conflicted merge: recorded, with a worktree in which to resolve it.

use anyhow::Result;
use pw_core::failure::{Code, Failure};
use pw_core::next::Next;
use pw_core::record::{Event, Refs, Stopped};
use pw_core::text::counted;
use pw_git::{Repo, Transaction};

use super::gate::Gatekeeper;
use super::resolution::{Progress, Resolution};
use super::stopped_merge::StoppedMerge;
use crate::shell::Context;
use crate::workflow::Workflow;

/// Records the stop once the folder for its worktree is free, then makes that; returns the refusal.
pub(super) fn stop(
    workflow: &Workflow,
    context: &Context,
    stopped: Stopped,
    keeper: &mut Gatekeeper,
) -> Result<Failure> {
    let resolution = Resolution::of(workflow, &stopped)?;
    let kept = resolution.make_room(workflow, &stopped, &mut keeper.journal)?;
    let name = Refs(&workflow.plan.workflow).candidate();
    let candidate = keeper.candidate.as_ref();
    let transaction = Transaction::default().set(&name, &stopped.onto, candidate);
    keeper.record(&Event::Stopped(stopped.clone()), transaction)?;
    to_resolve(workflow, context, &stopped, &resolution, kept)
}

/// Makes the resolution's worktree if it is not there, and returns the refusal again.
pub(super) fn stay_stopped(
    workflow: &Workflow,
    context: &Context,
    stopped: &Stopped,
) -> Result<Failure> {
    let resolution = Resolution::of(workflow, stopped)?;
    let kept = resolution.make_room(workflow, stopped, &mut workflow.journal()?)?;
    to_resolve(workflow, context, stopped, &resolution, kept)
}

fn to_resolve(
    workflow: &Workflow,
    context: &Context,
    stopped: &Stopped,
    resolution: &Resolution,
    kept: Option<String>,
) -> Result<Failure> {
    let merge = StoppedMerge::read(workflow, stopped)?;
    prepare(resolution, workflow, stopped, &merge)?;
    let conflicts = &merge.outcome.conflicts;
    let details = merge.details(workflow, context, stopped, resolution, conflicts)?;
    let kept =
        kept.map(|name| format!("; what stood there before is kept as {name}")).unwrap_or_default();
    let remembered = match details.conflicts.iter().filter(|file| file.remembered).count() {
        0 => String::new(),
        n => format!("; {} as resolved before: look before you add", counted(n, "file")),
    };
    let hint = format!(
        "resolve the files in {}, git add them there, then continue{remembered}{kept}",
        resolution.shown
    );
    let files = counted(conflicts.len(), "file");
    Ok(Failure::new(
        Code::MergeConflict,
        format!("{} does not merge: conflicts in {files}", stopped.worker),
    )
    .hint(hint)
    .next(Next::go_on(&workflow.plan.workflow))
    .details(details))
}

/// Returns the merge that is stopped.
pub(super) fn stopped(workflow: &Workflow) -> Result<&Stopped> {
    let nothing = || {
        Failure::new(Code::NothingStopped, "no integration is stopped")
            .hint("start one")
            .next(Next::run(&workflow.plan.workflow))
    };
    Ok(workflow.record.stopped.as_ref().ok_or_else(nothing)?)
}

/// Makes the worktree where there is room and starts the merge, unless that is done.
fn prepare(
    resolution: &Resolution,
    workflow: &Workflow,
    stopped: &Stopped,
    merge: &StoppedMerge,
) -> Result<()> {
    let repo = &workflow.repo;
    match resolution.progress(repo, stopped)? {
        Progress::Merging | Progress::Concluded => return Ok(()),
        Progress::Begun => {}
        Progress::Absent | Progress::Other => {
            repo.forget_missing_worktree(&resolution.path)?;
            let reason = format!("pw {} integration", workflow.plan.workflow);
            repo.add_detached(&resolution.path, &stopped.onto, &reason)?;
        }
    }
    start(resolution, repo, stopped, merge)
}

/// Starts the merge, and writes recorded resolutions into the files. These stay unmerged in the
/// index, so that no resolution is taken unseen.
fn start(
    resolution: &Resolution,
    repo: &Repo,
    stopped: &Stopped,
    merge: &StoppedMerge,
) -> Result<()> {
    repo.start_merge(&resolution.path, &stopped.tip)?;
    for (path, blob) in &merge.by_mergiraf {
        repo.settle(&resolution.path, path, blob)?;
    }
    for (path, content) in &merge.recalled {
        repo.write_checked_out(&resolution.path, path, content)?;
    }
    Ok(())
}
