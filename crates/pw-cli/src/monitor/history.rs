//! `pw-monitor status --history`: what past changes of the same files changed besides.

use std::collections::BTreeMap;

use anyhow::Result;
use pw_core::analyze::neighbours::left_behind;
use pw_core::status::Status;
use pw_core::time::Seconds;

use crate::facts::Worktrees;
use crate::workflow::Workflow;

/// How many of the newest commits are read.
const COMMITS: usize = 3_000;

/// How many files are told.
const LISTED: usize = 10;

/// Returns the whole picture, with what no worker has changed although history says that it changes
/// with what they did: one more git process, whatever the number of workers.
pub(super) fn status(workflow: &Workflow, now: Seconds, look: Worktrees<'_>) -> Result<Status> {
    let (mut status, facts) = workflow.picture(now, look)?;
    let board = workflow.board(&facts);
    let mut changed = BTreeMap::new();
    for worker in &status.workers {
        let own = board.work(&worker.id).into_iter().flat_map(|work| &work.changes);
        let own = own.map(|change| change.path.clone()).chain(worker.uncommitted.iter().cloned());
        changed.insert(worker.id.clone(), own.collect());
    }
    let log = workflow.repo.log(&workflow.record.base, COMMITS)?;
    let known = log.today(COMMITS);
    status.left_behind = Some(left_behind(&workflow.plan, &log, &known, &changed, LISTED));
    Ok(status)
}
