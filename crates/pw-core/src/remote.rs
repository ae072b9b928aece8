//! What can become of asking a git remote, or of pushing to it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::branch::Branch;
use crate::id::Oid;
use crate::lock;

/// Why a remote did not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RemoteTrouble {
    /// It is not there, or does not let us in.
    Unreachable,
    /// It did not answer in the time that `remote_limit` of the plan gives it.
    TimedOut,
    /// It answered, and did not take what was pushed.
    Refused,
    /// It has commits of the branch, or a record, that are not here: pushing would take them away.
    Moved,
    /// A file locks a ref, there or in this clone: another git is at work, or was killed with its machine.
    Locked,
}

impl RemoteTrouble {
    /// Returns what it means, after the name of the remote.
    pub fn words(self) -> &'static str {
        match self {
            Self::Unreachable => "cannot be reached",
            Self::TimedOut => "did not answer in time",
            Self::Refused => "does not take what is pushed",
            Self::Moved => "has commits that are not here",
            Self::Locked => {
                "is held up by a lock that another git holds, or left when it was killed"
            }
        }
    }
}

/// What became of pushing a worker's branch.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Pushed {
    /// The remote of the plan.
    pub remote: String,
    /// Whether the remote has the branch's tip now.
    pub ok: bool,
    /// What git and the remote said.
    pub message: String,
    /// Why it has not; absent when it has. The commits are kept, and the next signal pushes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<RemoteTrouble>,
}

impl Pushed {
    /// Returns a sentence for the worker about a push that failed.
    pub fn note(&self, branch: &Branch) -> Option<String> {
        let remote = &self.remote;
        let note = match self.trouble? {
            RemoteTrouble::Moved => format!(
                "{remote} has commits of {branch} that are not here, from another clone: nothing was overwritten; tell the user, who decides with git log {branch}...FETCH_HEAD after git fetch {remote} {branch}"
            ),
            RemoteTrouble::Locked => format!(
                "{remote} {}: the commit is kept here, and the next signal pushes it. Where it stays so while no git is at work there, the user removes that file{}",
                RemoteTrouble::Locked.words(),
                lock::of_git(&self.message).map(|file| format!(": {file}")).unwrap_or_default()
            ),
            trouble => format!(
                "{remote} {}: the commit is kept here, and the next signal pushes it",
                trouble.words()
            ),
        };
        Some(note)
    }
}

/// A change of one ref, on a remote or here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefChange {
    /// Its full name.
    pub name: String,
    /// What it is to be; `None` deletes it.
    pub new: Option<Oid>,
    /// What it is before; `None` when it must not be there.
    pub old: Option<Oid>,
}
