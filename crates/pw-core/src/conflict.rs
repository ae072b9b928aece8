//! What does not merge: which pairs of workers could collide at all, and what a trial finds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::blob::Blob;
use crate::conflict_markers::Hunk;
use crate::id::WorkerId;
use crate::moved_edit::MovedEdit;
use crate::path::RepoPath;
use crate::report::requires_nothing;

/// Two workers whose work collides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = requires_nothing)]
pub struct Conflict {
    /// The two, in the order of the plan.
    pub workers: [WorkerId; 2],
    /// The paths that do not merge, sorted.
    pub paths: Vec<RepoPath>,
    /// Why, path by path.
    pub findings: Vec<FileConflict>,
    /// Whether they collide only with what is not committed yet.
    pub uncommitted: bool,
}

/// The result of merging all workers, one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TrialMerge {
    /// The workers not yet integrated that have something to merge, in merge order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<WorkerId>,
    /// Those that would not merge; they are left out of what the next build upon.
    pub stops: Vec<TrialStop>,
    /// Changes that come to stand in another file than they were made in, since another worker
    /// moved it: worth a look. Absent when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moved_edits: Vec<MovedEdit>,
    /// Workers whose uncommitted files could not be read, or are in the middle of a git operation:
    /// only their commits were tried.
    pub commits_only: Vec<WorkerId>,
}

impl TrialMerge {
    /// Returns the stops that no pair tells of.
    pub fn beyond<'a>(&'a self, pairs: &'a [Conflict]) -> impl Iterator<Item = &'a TrialStop> {
        let is_pair = |stop: &TrialStop, pair: &Conflict| {
            let other = |id: &WorkerId| *id == stop.worker || stop.with.contains(id);
            pair.workers.contains(&stop.worker) && pair.workers.iter().all(other)
        };
        self.stops.iter().filter(move |stop| !pairs.iter().any(|pair| is_pair(stop, pair)))
    }
}

/// A worker that would not merge after those before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TrialStop {
    /// Whose merge would stop.
    pub worker: WorkerId,
    /// The workers before it that changed the same files; empty when the other side is a commit
    /// that the user made on the integration branch.
    pub with: Vec<WorkerId>,
    /// Why, path by path.
    pub findings: Vec<FileConflict>,
}

impl TrialStop {
    /// Returns what it does not merge after, in words.
    pub fn after(&self) -> String {
        match self.with.is_empty() {
            true => "what is on the integration branch".to_owned(),
            false => self.with.iter().map(WorkerId::as_str).collect::<Vec<_>>().join(", "),
        }
    }
}

/// One path that does not merge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileConflict {
    /// The path, as git names the conflict.
    pub path: RepoPath,
    /// What kind of conflict it is.
    pub kind: ConflictKind,
    /// The first lines that both sides changed differently; absent where there are none to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hunk: Option<Hunk>,
}

impl FileConflict {
    /// Returns a conflict without a hunk.
    pub fn new(path: RepoPath, kind: ConflictKind) -> Self {
        Self { path, kind, hunk: None }
    }
}

/// What a path held before both sides began, and what it holds on each; `null` where it is not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = requires_nothing)]
pub struct Stages {
    /// What the merge base has.
    #[serde(default)]
    pub base: Option<Blob>,
    /// What the branch merged into has: the merges before.
    #[serde(default)]
    pub ours: Option<Blob>,
    /// What the merged branch has: the worker.
    #[serde(default)]
    pub theirs: Option<Blob>,
}

/// Why a path does not merge, in git's terms.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ConflictKind {
    /// Both sides changed the same lines.
    Content,
    /// Both sides added the file.
    AddAdd,
    /// One side changed what the other deleted.
    ModifyDelete,
    /// Both sides renamed the file, or one renamed what the other deleted.
    Rename,
    /// A file here is a folder there.
    FileDirectory,
    /// A file was put into a folder that the other side renamed.
    DirectoryRename,
    /// Both sides changed a file that git cannot merge line by line.
    Binary,
    /// Each side has another commit of the submodule.
    Submodule,
    /// What the entry names is in no commit: a repository inside the worktree, a link out of it.
    HollowEntry,
    /// A conflict of a kind that has no name here.
    Other,
}

impl ConflictKind {
    /// Returns what it is called for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Content => "content",
            Self::AddAdd => "add add",
            Self::ModifyDelete => "modify delete",
            Self::Rename => "rename",
            Self::FileDirectory => "file directory",
            Self::DirectoryRename => "directory rename",
            Self::Binary => "binary",
            Self::Submodule => "submodule",
            Self::HollowEntry => "hollow entry",
            Self::Other => "other",
        }
    }

    /// Returns whether the merged file has both sides in it, between markers.
    pub fn has_markers(self) -> bool {
        matches!(self, Self::Content | Self::AddAdd | Self::Rename | Self::DirectoryRename)
    }
}
