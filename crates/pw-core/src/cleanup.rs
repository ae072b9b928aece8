//! What may be removed after an integration, and what stays, with every reason why.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::branch::Branch;
use crate::cache;
use crate::id::{Slug, WorkerId};
use crate::next::{CommandLine, NextStep};
use crate::operation::Operation;
use crate::path::RepoPath;
use crate::plan::Worker;
use crate::report::{Report, leave_out, list};
use crate::scope::Scope;
use crate::snapshot::{Changes, SnapshotId};

/// The answer of `pw-integrate cleanup`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Cleanup {
    /// The workflow that was cleaned up.
    pub workflow: Slug,
    /// Nothing was changed: `removed` is what would be.
    pub dry_run: bool,
    /// Workers whose branch and worktree are gone; in a dry run, those that would be.
    pub removed: Vec<Removed>,
    /// Workers that stay, with every reason.
    pub kept: Vec<KeptWorker>,
    /// A command that lists what was kept of everything removed.
    pub restore: CommandLine,
    /// What could not be found out, or stays beside the workers.
    pub notes: Vec<String>,
    /// All of it has landed and nothing of it is at work: commands that name no workflow mean
    /// others.
    #[serde(default)]
    pub closed: bool,
    /// What of the workflow is still in the repository, beside workers that are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stays: Vec<Stays>,
    /// The one thing to do next.
    pub next: Vec<NextStep>,
}

impl Report for Cleanup {
    const SCHEMA: &'static str = "pw-integrate.cleanup/1";

    /// The command of all brings back each.
    fn shorten(data: &mut Value) {
        let removed = list(data, "removed");
        if removed.len() > 1 {
            removed.iter_mut().for_each(|worker| leave_out(worker, &["restore"]));
        }
    }
}

/// Something of a workflow that a cleanup leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stays {
    /// A ref, a folder or a setting.
    pub what: String,
    /// The reason, with the command that takes it away where there is one.
    pub why: String,
}

impl Stays {
    /// Something that stays, and the reason.
    pub fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into() }
    }
}

/// A worker whose branch and worktree are gone.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Removed {
    /// Whose they were.
    pub worker: WorkerId,
    /// The branch that was removed.
    pub branch: Branch,
    /// Relative to the repository.
    pub worktree: String,
    /// What keeps all that was there; absent in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotId>,
    /// A command that brings it back; absent in a dry run, and by default where several were removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore: Option<CommandLine>,
}

/// A worker that stays.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct KeptWorker {
    /// Who stays.
    pub worker: WorkerId,
    /// Everything that stands against removing it, files first.
    pub reasons: Vec<KeepReason>,
}

/// One thing that would be lost, or one process or session that would be disturbed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeepReason {
    /// What kind of reason it is.
    pub kind: KeepKind,
    /// One clause, with the first of the paths.
    pub message: String,
    /// The files concerned; absent when it is not about files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<RepoPath>,
}

impl KeepReason {
    /// Returns a reason that is about no files.
    pub fn new(kind: KeepKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), paths: Vec::new() }
    }
}

/// The kinds of reasons to keep a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeepKind {
    /// Commits that neither the integration branch nor the base has.
    NotMerged,
    /// It is in the middle of its work, or asks for something, even if the user merged what there
    /// is.
    NotComplete,
    /// It has not committed anything; it is removed when it is named.
    NotBegun,
    /// Changes to tracked files.
    DirtyTree,
    /// Files that git neither tracks nor ignores.
    Untracked,
    /// Ignored files that the plan does not call disposable.
    Ignored,
    /// Edits git was told to overlook.
    Hidden,
    /// Paths with several stages in the index: a merge left both sides.
    Unmerged,
    /// A repository or submodule inside, which no snapshot can hold.
    NestedRepository,
    /// A merge, rebase or the like was begun there and not ended.
    OperationInProgress,
    /// HEAD is on another branch than the worker's, or on none.
    WrongBranch,
    /// The branch is checked out in another worktree, for example since this one was moved.
    BranchElsewhere,
    /// git knows the worktree, and its folder is not there.
    WorktreeMissing,
    /// The worktree's folder holds something else.
    Foreign,
    /// Its state could not be read.
    Unreadable,
    /// The user locked the worktree, or a git process holds its `index.lock`.
    Locked,
    /// A program runs there.
    InUse,
    /// The worker's session is alive, or may be.
    SessionAlive,
    /// An integration stopped at it.
    IntegrationStopped,
    /// Something in it changed while it was being removed.
    ChangedMeanwhile,
}

impl KeepKind {
    /// Returns whether a snapshot, asked for, is enough to remove it all the same.
    pub fn is_kept_by_snapshot(self) -> bool {
        matches!(self, Self::DirtyTree | Self::Untracked | Self::Ignored | Self::Hidden)
    }
}

/// What the file `CACHEDIR.TAG` of a folder begins with whose program makes all of it again at will, as cargo,
/// pytest, mypy and ruff do: <https://bford.info/cachedir/>.
pub const CACHE_TAG: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55";

/// Returns whether a file or folder may be removed without being kept: git ignores it, itself or with a
/// folder above it, and the plan's `disposable` names it, or it is a cache, tagged or known as one by
/// its name. A tracked or untracked file never is.
pub fn is_disposable(
    disposable: &Scope,
    ignored: &HashSet<&[u8]>,
    path: &RepoPath,
    is_tagged: impl Fn(&RepoPath) -> bool,
) -> bool {
    let is_ignored = || {
        ignored.contains(path.as_bytes()) || path.ancestors().any(|folder| ignored.contains(folder))
    };
    // Only of what git ignores the disk is asked.
    is_ignored() && (disposable.owns(path) || cache::is_cache(path) || is_tagged(path))
}

/// What was found in a worker's worktree.
#[derive(Clone, Debug)]
pub struct Findings<'a> {
    /// What the worktree holds that no commit does.
    pub changes: &'a Changes,
    /// The git operation that is under way; `None` when there is none.
    pub operation: Option<Operation>,
    /// The branch HEAD is on; `None` when detached.
    pub branch: Option<&'a Branch>,
    /// Whether `index.lock` is there.
    pub has_index_lock: bool,
}

/// Returns every reason to keep a worktree for what is in it. With `snapshot`, files alone are
/// none: the snapshot taken before a removal holds them.
pub fn reasons(worker: &Worker, found: &Findings<'_>, snapshot: bool) -> Vec<KeepReason> {
    let Changes { staged, changed, deleted, unmerged, untracked, ignored, hidden, nested } =
        found.changes;
    let mut tracked: Vec<RepoPath> =
        [staged, changed, deleted].into_iter().flatten().cloned().collect();
    tracked.sort();
    tracked.dedup();
    let lists = [
        (KeepKind::DirtyTree, "uncommitted file", &tracked),
        (KeepKind::Unmerged, "unmerged file", unmerged),
        (KeepKind::Untracked, "untracked file", untracked),
        (KeepKind::Ignored, "ignored and not disposable file", ignored),
        (KeepKind::Hidden, "overlooked edit", hidden),
        (KeepKind::NestedRepository, "repository inside", nested),
    ];
    let listed = lists.into_iter().filter(|(_, _, paths)| !paths.is_empty());
    let mut reasons: Vec<KeepReason> = listed
        .map(|(kind, noun, paths)| KeepReason {
            kind,
            message: format!("{}: {}", noun, paths[0]) + &more(paths.len()),
            paths: paths.clone(),
        })
        .collect();
    if let Some(operation) = found.operation {
        let message = operation.in_progress();
        reasons.push(KeepReason::new(KeepKind::OperationInProgress, message));
    }
    if found.branch != Some(&worker.branch()) {
        let head = found.branch.map_or("no branch", Branch::as_str);
        let message = format!("HEAD is on {head}, not on {}", worker.branch());
        reasons.push(KeepReason::new(KeepKind::WrongBranch, message));
    }
    if found.has_index_lock {
        let message = "the lock of its index is held, or was left behind";
        reasons.push(KeepReason::new(KeepKind::Locked, message));
    }
    reasons.retain(|reason| !(snapshot && reason.kind.is_kept_by_snapshot()));
    reasons
}

fn more(number: usize) -> String {
    if number > 1 { format!(" and {} more", number - 1) } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;

    #[test]
    fn only_an_ignored_file_that_the_plan_names_is_disposable() {
        let text =
            "workflow: w\ndisposable: [target, '*.log']\nworkers: [{id: a, name: b, owns: [c]}]\n";
        let plan = Plan::parse(text).unwrap();
        let ignored: HashSet<&[u8]> = [&b"target"[..], b"x.log", b".env", b"old"].into();
        for (path, expected) in [
            ("target/debug/x", true),
            ("x.log", true),
            (".env", false),
            ("y.log", false),
            ("old/.eslintcache", true),
            ("src/target.rs", false),
            ("old/cache", true),
            ("src/cache", false),
            ("old/__pycache__/a.pyc", true),
            ("old/a.pyc", true),
            ("__pycache__/a.pyc", false),
        ] {
            let is_tagged = |path: &RepoPath| path.as_bytes().ends_with(b"cache");
            let found = is_disposable(&plan.disposable, &ignored, &path.into(), is_tagged);
            assert_eq!(found, expected, "{path}");
        }
    }

    #[test]
    fn everything_is_a_reason_and_a_snapshot_lifts_only_what_it_holds() {
        let plan = Plan::parse("workflow: w\nworkers: [{id: a, name: b, owns: [c]}]\n").unwrap();
        let path = || vec!["x".into()];
        let changes = Changes {
            staged: path(),
            changed: path(),
            deleted: path(),
            unmerged: path(),
            untracked: path(),
            ignored: path(),
            hidden: path(),
            nested: path(),
        };
        let found = Findings {
            changes: &changes,
            operation: Some(Operation::Merge),
            branch: None,
            has_index_lock: true,
        };
        let kinds = |snapshot| -> Vec<KeepKind> {
            reasons(&plan.workers[0], &found, snapshot).iter().map(|reason| reason.kind).collect()
        };
        assert_eq!(kinds(false).len(), 9);
        assert_eq!(
            kinds(true),
            [
                KeepKind::Unmerged,
                KeepKind::NestedRepository,
                KeepKind::OperationInProgress,
                KeepKind::WrongBranch,
                KeepKind::Locked
            ]
        );
    }
}
