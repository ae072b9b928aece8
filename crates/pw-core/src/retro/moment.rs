//! Things that happen in a run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{Oid, WorkerId};
use crate::time::Seconds;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Moment {
    /// RFC 3339.
    pub at: String,
    /// The same in seconds since 1970.
    #[serde(skip)]
    pub seconds: Seconds,
    /// What happened.
    pub kind: MomentKind,
    /// Absent when it is about the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<WorkerId>,
    /// A subject, or what else there is to say; may be empty.
    pub text: String,
    /// The commit or tree it is about; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Oid>,
}

/// The kinds of moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MomentKind {
    /// The workflow was planned.
    Planned,
    /// A worker's branch and worktree were made.
    Created,
    /// A session was started.
    Launched,
    /// A session was started for a worker that had one before.
    Relaunched,
    /// A commit without a signal.
    Commit,
    /// `[CHECKPOINT]`
    Checkpoint,
    /// `[BLOCKED:…]`
    Blocked,
    /// The first signal after `blocked`.
    Unblocked,
    /// `[NEEDS:…]`
    Needs,
    /// The first signal after `needs`.
    TakenIn,
    /// `[COMPLETE]`
    Complete,
    /// The first commit after `complete`.
    Reopened,
    /// A subject that looks like a signal and is none.
    NearMiss,
    /// A merge stopped for a resolution.
    Stopped,
    /// It was resolved.
    Resolved,
    /// An integration was given up.
    Aborted,
    /// A gate passed.
    GatePassed,
    /// A gate failed.
    GateFailed,
    /// An integration did not pass its gates.
    Red,
    /// A worker's work came into the integration branch.
    Merged,
    /// The integration branch moved.
    Integrated,
    /// The integration branch landed on the base branch.
    Finished,
    /// What a worktree held was kept.
    Snapshot,
    /// A worktree and branch were removed.
    Cleaned,
}

impl MomentKind {
    /// Returns the words for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Created => "created",
            Self::Launched => "launched",
            Self::Relaunched => "launched again",
            Self::Commit => "commit",
            Self::Checkpoint => "checkpoint",
            Self::Blocked => "blocked",
            Self::Unblocked => "unblocked",
            Self::Needs => "needs",
            Self::TakenIn => "taken in",
            Self::Complete => "complete",
            Self::Reopened => "reopened",
            Self::NearMiss => "near miss",
            Self::Stopped => "merge stopped",
            Self::Resolved => "resolved",
            Self::Aborted => "given up",
            Self::GatePassed => "gate passed",
            Self::GateFailed => "gate failed",
            Self::Red => "red",
            Self::Merged => "merged",
            Self::Integrated => "integrated",
            Self::Finished => "landed",
            Self::Snapshot => "snapshot",
            Self::Cleaned => "cleaned up",
        }
    }
}
