//! What keeps a worker's git hooks from holding its commits to its scope, or its launcher from
//! starting it: found by comparing with what `pw-setup create` makes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{Slug, WorkerId};
use crate::next::NextStep;
use crate::report::Report;

/// One thing that is not as `pw-setup create` made it; `pw-setup repair` makes it so again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// What kind of gap it is.
    pub kind: GapKind,
    /// What is wrong, with the path or setting.
    pub message: String,
}

/// The kinds of gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GapKind {
    /// A hook of ours is gone, or its link leads nowhere.
    HookMissing,
    /// Another file has replaced a hook of ours.
    HookReplaced,
    /// Git ignores a hook that is no program.
    HookNotExecutable,
    /// The worktree's `core.hooksPath` is gone, names another folder, or is not the last word.
    HooksPath,
    /// `extensions.worktreeConfig` is off, so that git does not read the worktree's settings.
    WorktreeConfig,
    /// The link to `pw-worker` is gone, or leads nowhere or to another program.
    HelperGone,
    /// The launcher or its settings are gone, lack what they need, or were made for another place.
    Launcher,
}

impl Gap {
    /// Returns a gap.
    pub fn new(kind: GapKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// The answer of `pw-setup repair`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Repaired {
    /// The workflow that was repaired.
    pub workflow: Slug,
    /// Those of whom something was put right.
    pub workers: Vec<WorkerRepair>,
    /// Those of whom something could not be.
    pub left: Vec<Left>,
    /// What to do next.
    pub next: Vec<NextStep>,
}

impl Report for Repaired {
    const SCHEMA: &'static str = "pw-setup.repair/1";
}

/// One worker that is as it was made again.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct WorkerRepair {
    /// Who was repaired.
    pub worker: WorkerId,
    /// What became of its worktree; absent when that was where git looks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worktree: Option<String>,
    /// What of its hooks and launcher is as it was made again.
    pub gaps: Vec<Gap>,
}

/// One worker that needs something else.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Left {
    /// Who needs it.
    pub worker: WorkerId,
    /// What the user has to do.
    pub message: String,
}
