//! KeptSnapshot what a worktree holds before anything is done to it.

use std::path::Path;

use anyhow::Result;
use pw_core::branch::Branch;
use pw_core::failure::{Code, Failure};
use pw_core::id::{Oid, WorkerId};
use pw_core::next::{CommandLine, Next};
use pw_core::record::{Event, Refs};
use pw_core::snapshot::{Kept, Snapshot, SnapshotId};
use pw_git::{Journal, Survey, Transaction};

use crate::shell::Context;
use crate::workflow::Workflow;

/// A snapshot, new or the newest one if that holds the same.
pub(crate) struct KeptSnapshot {
    pub(crate) id: SnapshotId,
    commit: Oid,
    is_new: bool,
}

impl KeptSnapshot {
    /// Keeps everything in a worktree.
    pub(crate) fn of_worktree(
        workflow: &Workflow,
        of: &WorkerId,
        worktree: &Path,
        survey: &Survey,
        why: &str,
    ) -> Result<Self> {
        let commit = workflow.repo.snapshot(worktree, survey, &title(of, why))?;
        Self::choose(workflow, of, commit)
    }

    /// Keeps a commit, of which there is no worktree.
    pub(crate) fn of_commit(
        workflow: &Workflow,
        of: &WorkerId,
        commit: &Oid,
        branch: Option<&Branch>,
        why: &str,
    ) -> Result<Self> {
        let commit = workflow.repo.snapshot_of_commit(commit, branch, &title(of, why))?;
        Self::choose(workflow, of, commit)
    }

    /// Returns the newest snapshot there is.
    pub(crate) fn newest(workflow: &Workflow, of: &WorkerId) -> Option<Self> {
        let (id, commit) = snapshots(workflow).into_iter().rfind(|(id, _)| id.of == *of)?;
        Some(Self { id, commit, is_new: false })
    }

    fn choose(workflow: &Workflow, of: &WorkerId, commit: Oid) -> Result<Self> {
        let newest = snapshots(workflow).into_iter().rfind(|(id, _)| id.of == *of);
        // A snapshot that the record does not know was written by another process; its number is
        // taken all the same.
        let taken = newest.as_ref().map(|(id, _)| id.number).unwrap_or_default();
        if let Some((id, known)) = newest
            && workflow.repo.is_same_snapshot(&known, &commit)?
        {
            return Ok(Self { id, commit: known, is_new: false });
        }
        let given = workflow.record.snapshots.get(of).copied().unwrap_or_default();
        let number = given.max(taken) + 1;
        Ok(Self { id: SnapshotId { of: of.clone(), number }, commit, is_new: true })
    }

    /// Adds the ref and the event to one transaction: both are published, or neither.
    pub(crate) fn join(
        &self,
        workflow: &Workflow,
        journal: &mut Journal,
        transaction: Transaction,
    ) -> Result<Transaction> {
        if !self.is_new {
            return Ok(transaction);
        }
        let event = Event::Snapshot { id: self.id.clone(), commit: self.commit.clone() };
        journal.add(&workflow.repo, &event)?;
        Ok(transaction.set(&self.name(workflow), &self.commit, None))
    }

    pub(crate) fn commit(&self) -> &Oid {
        &self.commit
    }

    /// The full name of the ref.
    pub(crate) fn name(&self, workflow: &Workflow) -> String {
        Refs(&workflow.plan.workflow).snapshot(&self.id)
    }
}

fn title(of: &WorkerId, why: &str) -> String {
    format!("Snapshot of {of}: {why}")
}

/// Returns the snapshots of a workflow with their commits, sorted by name and number.
pub(crate) fn snapshots(workflow: &Workflow) -> Vec<(SnapshotId, Oid)> {
    let prefix = Refs(&workflow.plan.workflow).snapshots();
    let id = |name: &str| name.strip_prefix(&prefix)?.parse().ok();
    let mut found: Vec<(SnapshotId, Oid)> =
        workflow.refs.iter().filter_map(|(name, oid)| Some((id(name)?, oid.clone()))).collect();
    found.sort();
    found
}

/// Returns a command that brings a snapshot back beside the workers, from any folder.
pub(crate) fn restore_command(workflow: &Workflow, id: &SnapshotId) -> CommandLine {
    let place = format!("{}/_restored-{}-{}", workflow.plan.worktrees, id.of, id.number);
    let into = &workflow.repo.root().join(place);
    Next::Restore { workflow: &workflow.plan.workflow, snapshot: &id.to_string(), into }.into()
}

/// Describes snapshots for an answer.
pub(crate) fn described(context: &Context, workflow: &Workflow, kept: &[Kept]) -> Vec<Snapshot> {
    let names = Refs(&workflow.plan.workflow);
    kept.iter().map(|kept| Snapshot::of(kept, names.snapshot(&kept.id), context.now)).collect()
}

/// Returns the commit of a snapshot.
pub(crate) fn require(workflow: &Workflow, id: &SnapshotId) -> Result<Oid> {
    let name = Refs(&workflow.plan.workflow).snapshot(id);
    let unknown = || {
        Failure::new(Code::UnknownSnapshot, format!("there is no snapshot {id}"))
            .hint("take a name from the list")
            .next(Next::Snapshots(&workflow.plan.workflow))
    };
    Ok(workflow.refs.get(&name).cloned().ok_or_else(unknown)?)
}
