//! Mergiraf merges by syntax: it is run on files where git's merge conflicts, when the plan allows
//! it. Each file is merged by itself in a temporary folder; nothing else can change.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use pw_core::blob::Blob;
use pw_core::conflict::{ConflictKind, FileConflict, Stages};
use pw_core::conflict_markers;
use pw_core::gate::{End, Gate};
use pw_core::id::{Oid, WorkerId};
use pw_core::path::RepoPath;
use pw_core::shell_word::shell_word;
use pw_git::{MergeOutcome, Scratch};
use tempfile::TempDir;

use crate::command;
use crate::workflow::Workflow;

/// How long it may take for one file, in seconds.
const LIMIT: i64 = 60;

/// What to say when the plan wants it and it is not there.
pub(super) const MISSING: &str = "mergiraf is not installed: git merged alone";

/// A file it merged.
pub(super) type Merged = (RepoPath, Blob);

/// Mergiraf, if the plan wants it.
pub(super) enum Mergiraf<'a> {
    Unwanted,
    Missing,
    Here(&'a Workflow, PathBuf),
}

impl<'a> Mergiraf<'a> {
    pub(super) fn new(workflow: &'a Workflow) -> Self {
        match which::which("mergiraf") {
            _ if !workflow.plan.uses_mergiraf => Self::Unwanted,
            Ok(program) => Self::Here(workflow, program),
            Err(_) => Self::Missing,
        }
    }

    /// Returns the files of a merge of `worker` that it could merge where git could not; `scratch`
    /// is where that merge was tried.
    pub(super) fn merge(
        &self,
        worker: &WorkerId,
        outcome: &MergeOutcome,
        tips: [&Oid; 2],
        scratch: Option<&Scratch>,
    ) -> Result<Vec<Merged>> {
        let Self::Here(workflow, program) = self else { return Ok(Vec::new()) };
        let owner = workflow.worker(worker)?;
        // A conflict in a file outside the worker's scope is left to the user.
        let fits = |conflict: &&FileConflict| {
            conflict.kind == ConflictKind::Content && workflow.plan.allows(owner, &conflict.path)
        };
        let paths: Vec<RepoPath> =
            outcome.conflicts.iter().filter(fits).map(|conflict| conflict.path.clone()).collect();
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let repo = &workflow.repo;
        // A `merge` attribute of the repository overrides the plan.
        let drivers = repo.attributes(repo.place(), "merge", &paths)?;
        let sizes = repo.marker_sizes(repo.place(), &paths)?;
        let mut merged = Vec::new();
        for ((path, driver), size) in paths.into_iter().zip(drivers).zip(sizes) {
            let Some(stages) = outcome.stages.get(&path).filter(|_| driver.is_none()) else {
                continue;
            };
            let Stages { base: Some(base), ours: Some(ours), theirs: Some(theirs) } = stages else {
                continue;
            };
            if [base, ours, theirs].iter().any(|blob| !blob.mode.is_file()) {
                continue;
            }
            let ids = [base, ours, theirs].map(|blob| blob.oid.clone());
            let sides = repo.contents(&ids, scratch)?;
            if let Some(content) = merge_file(program, &path, &sides, size, tips)? {
                let mode = Blob::merged_mode(Some(base), ours, theirs);
                let blob = Blob { oid: repo.write_blob(&content, None)?, mode };
                merged.push((path, blob));
            }
        }
        Ok(merged)
    }
}

/// Merges base, ours and theirs as git starts a merge driver; `None` when that leaves a conflict,
/// or fails in any way.
fn merge_file(
    program: &Path,
    path: &RepoPath,
    sides: &[Vec<u8>],
    size: usize,
    tips: [&Oid; 2],
) -> Result<Option<Vec<u8>>> {
    let folder = TempDir::with_prefix("pw-mergiraf-").context("making a temporary folder")?;
    for (name, content) in ["base", "ours", "theirs"].into_iter().zip(sides) {
        std::fs::write(folder.path().join(name), content).context("writing a side of a merge")?;
    }
    let Ok(shown) = std::str::from_utf8(path.as_bytes()).map(shell_word) else { return Ok(None) };
    let length =
        if size == conflict_markers::MARKER_SIZE { String::new() } else { format!(" -l {size}") };
    let command = format!(
        "{} merge --git base ours theirs -s base -x {} -y {} -p {shown}{length}",
        shell_word(&program.to_string_lossy()),
        tips[0],
        tips[1],
    );
    let Some(gate) = Gate::only(command).map(|gate| Gate { timeout_seconds: LIMIT, ..gate }) else {
        return Ok(None);
    };
    let log = folder.path().join("log");
    let (end, _) = command::run_gate(&gate, folder.path(), &log, [], None, &mut |_| {})?;
    let merged = std::fs::read(folder.path().join("ours")).unwrap_or_default();
    let sides: Vec<&[u8]> = sides.iter().map(Vec::as_slice).collect();
    let is_merged = end == End::Exit(0) && !conflict_markers::is_left_over(&merged, size, &sides);
    Ok(is_merged.then_some(merged))
}
