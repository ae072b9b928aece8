//! `undo`: what a formatter or a generator did to files outside the scope goes back to what is
//! committed. Own files stay as they are unless they are named, and files that are new stay always.

use std::path::PathBuf;

use anyhow::Result;
use pw_core::checkpoint;
use pw_core::next::{CommandLine, Next, NextStep};
use pw_core::path::RepoPath;
use pw_core::worker::Undone;

use super::own_worktree::OwnWorktree;
use crate::launcher;
use crate::shell::Answer;
use crate::view;
use crate::workflow::Workflow;

pub(super) fn undo(own: &OwnWorktree<'_>, names: &[PathBuf]) -> Result<Answer> {
    let Workflow { repo, plan, .. } = own.workflow;
    let path = own.workflow.worktree(own.worker);
    let tree = own.tree()?;
    checkpoint::require_own_branch(own.worker, &tree, || own.branch())?;
    let named = own.named(&path, &tree, names)?;
    let paths = checkpoint::to_undo(plan, own.worker, &tree, &named)?;
    let mut restore = None;
    if !paths.is_empty() {
        let folder = launcher::folder(repo, plan, own.worker);
        let patch = repo.undo_changes(&path, &paths, &folder)?;
        restore = Some(CommandLine::of("git apply").path(&patch));
    }
    // Read anew: what git says is undone, and nothing else.
    let left = own.tree()?.uncommitted();
    let undone: Vec<RepoPath> = paths.into_iter().filter(|path| !left.contains(path)).collect();
    let is_foreign = |path: &RepoPath| !plan.allows(own.worker, path);
    let (left, open): (Vec<RepoPath>, Vec<RepoPath>) = left.into_iter().partition(is_foreign);
    let save = (!open.is_empty()).then(|| NextStep::new("save", Next::Checkpoint("what was done")));
    let answer = Undone {
        worker: own.worker.id.clone(),
        files: undone.len(),
        undone,
        left,
        restore,
        next: save.into_iter().collect(),
    };
    Answer::of(&answer, view::undone)
}
