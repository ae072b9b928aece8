//! Edits that a merge puts elsewhere: one branch moved a file, another changed it, and git carries
//! the change over. Nothing conflicts, and a file is changed by one whose it is not.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::history::{Change, CommitRange};
use crate::id::{Oid, WorkerId};
use crate::path::RepoPath;

/// An edit that follows a file which another branch moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MovedEdit {
    /// The file under its old name.
    pub path: RepoPath,
    /// Where the edit comes to stand.
    pub to: RepoPath,
    /// Who moved the file; absent for the base branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_by: Option<WorkerId>,
    /// Who changed it; absent for the base branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_by: Option<WorkerId>,
}

impl MovedEdit {
    /// Returns it as a sentence.
    pub fn words(&self) -> String {
        let who = |worker: &Option<WorkerId>| {
            worker.as_ref().map_or_else(|| "the base branch".to_owned(), ToString::to_string)
        };
        self.told(&who(&self.moved_by), &who(&self.changed_by))
    }

    /// The same with other names of the two.
    pub fn told(&self, moved: &str, changed: &str) -> String {
        let Self { path, to, .. } = self;
        format!("{moved} moved `{path}`: what {changed} changed in it comes to stand in `{to}`")
    }
}

/// One side of a merge.
#[derive(Clone, Debug)]
pub struct Moving<'a> {
    /// Whose it is; `None` for the base branch.
    pub worker: Option<&'a WorkerId>,
    /// What it began from, and its tip.
    pub range: CommitRange,
    /// What it changed in between.
    pub changes: Vec<&'a Change>,
}

impl<'a> Moving<'a> {
    /// Returns the side of a worker, or of the base branch.
    pub fn new(
        worker: Option<&'a WorkerId>,
        since: &Oid,
        tip: &Oid,
        changes: impl IntoIterator<Item = &'a Change>,
    ) -> Self {
        let range = CommitRange::between(since, tip);
        Self { worker, range, changes: changes.into_iter().collect() }
    }

    /// Returns the files that are no more here and that `other` changed. Where both merge, git has
    /// found where these were moved.
    pub fn moved_under(&self, other: &Self) -> Vec<&'a RepoPath> {
        let gone = self.changes.iter().filter(|change| change.new.is_none());
        let is_edited = |path: &RepoPath| {
            let mut edits =
                other.changes.iter().filter(|edit| edit.old.is_some() && edit.new.is_some());
            edits.any(|edit| edit.path == *path)
        };
        gone.map(|change| &change.path).filter(|path| is_edited(path)).collect()
    }
}
