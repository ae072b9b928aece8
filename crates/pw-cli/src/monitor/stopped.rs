//! What a stopped integration waits for: the files of its merge, or the end of what its gate
//! printed. Reads what the stop left behind.

use std::path::PathBuf;

use anyhow::Result;
use pw_core::facts::WorktreeFacts;
use pw_core::status::{Integration, Unresolved};

use crate::integrate::gate_worktree::GateWorktree;
use crate::integrate::resolution::Resolution;
use crate::output::Output;
use crate::workflow::Workflow;

/// How many lines of a gate's output a status tells.
const LINES: usize = 10;

/// Completes what a status says of an integration. One git process where a merge is stopped, none
/// elsewhere.
pub(super) fn complete(workflow: &Workflow, integration: &mut Integration) -> Result<()> {
    if let Some(stopped) = &workflow.record.stopped {
        let place = Resolution::of(workflow, stopped)?;
        if let WorktreeFacts::Present(tree) = workflow.repo.tree_state(&place.path)? {
            let (worktree, paths) = (place.shown, tree.unmerged);
            integration.unresolved = Some(Unresolved { worktree, paths });
        }
    }
    if let Some(red) = &mut integration.red {
        let ending = format!("-{}.log", red.gate);
        let logs = std::fs::read_dir(GateWorktree::folder(workflow)).into_iter().flatten();
        let logs = logs.flatten().map(|entry| entry.path());
        let is_its = |log: &PathBuf| {
            log.file_name().is_some_and(|name| name.to_string_lossy().ends_with(&ending))
        };
        let newest = logs
            .filter(is_its)
            .max_by_key(|log| log.metadata().and_then(|about| about.modified()).ok());
        let tail = newest.map(|log| Output::of(&log).tail).unwrap_or_default();
        let lines: Vec<&str> = tail.lines().collect();
        red.output_tail = lines[lines.len().saturating_sub(LINES)..].join("\n");
    }
    Ok(())
}
