//! What does not merge: which pairs of workers could collide at all, and what a trial finds.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::facts::Change;
use crate::id::{Oid, WorkerId};
use crate::path::RepoPath;

/// Two workers whose committed work collides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Conflict {
    pub workers: [WorkerId; 2],
    pub paths: Vec<RepoPath>,
}

/// One path that does not merge.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct FileConflict {
    pub path: RepoPath,
    pub kind: ConflictKind,
}

/// A file's content and mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Blob {
    pub oid: Oid,
    /// As git writes it: `100644`, `100755`, `120000` for a link, `160000` for a submodule.
    pub mode: String,
}

/// What a path held before both sides began, and what it holds on each; `null` where it is not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stages {
    pub base: Option<Blob>,
    pub ours: Option<Blob>,
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
    Binary,
    Submodule,
    Other,
}

/// Returns the pairs of workers whose changes could collide; all others merge in any order.
///
/// A common path, a file where the other has a folder, or a file added to a folder from which the
/// other took files away (a renamed folder) can collide; nothing else can.
pub fn pairs_that_can_meet(changes: &[(WorkerId, Vec<Change>)]) -> Vec<(WorkerId, WorkerId)> {
    let prints: Vec<Footprint<'_>> =
        changes.iter().map(|(_, changes)| Footprint::of(changes)).collect();
    let mut pairs = Vec::new();
    for second in 0..changes.len() {
        for first in 0..second {
            if prints[first].can_meet(&prints[second]) {
                pairs.push((changes[first].0.clone(), changes[second].0.clone()));
            }
        }
    }
    pairs
}

/// What of a worker's changes matters for collisions.
struct Footprint<'a> {
    paths: BTreeSet<&'a [u8]>,
    /// Folders above every path.
    above: BTreeSet<&'a [u8]>,
    /// Folders above every removed path: these may have been renamed.
    emptied: BTreeSet<&'a [u8]>,
    /// Folders above every added path.
    filled: BTreeSet<&'a [u8]>,
}

impl<'a> Footprint<'a> {
    fn of(changes: &'a [Change]) -> Self {
        let above = |wanted: &dyn Fn(&Change) -> bool| {
            changes
                .iter()
                .filter(|change| wanted(change))
                .flat_map(|change| change.path.ancestors())
                .collect()
        };
        Self {
            paths: changes.iter().map(|change| change.path.as_bytes()).collect(),
            above: above(&|_| true),
            emptied: above(&|change| change.new.is_none()),
            filled: above(&|change| change.old.is_none()),
        }
    }

    fn can_meet(&self, other: &Self) -> bool {
        let meet = |a: &BTreeSet<&[u8]>, b: &BTreeSet<&[u8]>| !a.is_disjoint(b);
        meet(&self.paths, &other.paths)
            || meet(&self.paths, &other.above)
            || meet(&self.above, &other.paths)
            || meet(&self.emptied, &other.filled)
            || meet(&self.filled, &other.emptied)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(path: &str, old: Option<&str>, new: Option<&str>) -> Change {
        Change { path: path.into(), old: old.map(Into::into), new: new.map(Into::into) }
    }

    #[test]
    fn only_pairs_that_can_collide_are_tried() {
        let worker = |id: &str, changes: Vec<Change>| (id.parse().unwrap(), changes);
        let pairs = pairs_that_can_meet(&[
            worker("edits", vec![change("src/a.rs", Some("1"), Some("2"))]),
            worker("also", vec![change("src/a.rs", Some("1"), Some("3"))]),
            worker("alone", vec![change("docs/a.md", None, Some("4"))]),
            worker(
                "renames",
                vec![change("lib/x.rs", Some("5"), None), change("new/x.rs", None, Some("5"))],
            ),
            worker("adds", vec![change("lib/y.rs", None, Some("6"))]),
            worker("file", vec![change("docs", None, Some("7"))]),
        ]);
        let names: Vec<String> = pairs.iter().map(|(a, b)| format!("{a}-{b}")).collect();
        assert_eq!(names, ["edits-also", "renames-adds", "alone-file"]);
    }
}
