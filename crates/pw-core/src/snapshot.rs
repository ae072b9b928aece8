//! Snapshots: everything a worktree held at one moment, kept as a commit until it is forgotten.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::branch::Branch;
use crate::id::{BadName, Oid, Slug, WorkerId};
use crate::next::NextStep;
use crate::operation::Operation;
use crate::path::RepoPath;
use crate::report::Report;
use crate::text::counted;
use crate::time::{Seconds, rfc3339};

/// How many paths a report names of each kind; the count is always whole.
const MAX_PATHS: usize = 20;

/// Whose resolution of a merge was given up, where that is kept.
pub const RESOLUTIONS: &str = "integration";

/// Names a snapshot: whose it is, and its number, as in `task-1/2`.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub struct SnapshotId {
    /// A worker, or `integration` for a resolution that was given up.
    pub of: WorkerId,
    /// Counted from 1.
    pub number: u32,
}

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.of, self.number)
    }
}

impl FromStr for SnapshotId {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let (of, number) = text.split_once('/').ok_or(BadName)?;
        let id = Self { of: of.parse()?, number: number.parse().map_err(|_| BadName)? };
        // `+1` and `01` are numbers, too, and would name another ref.
        if id.to_string() == text { Ok(id) } else { Err(BadName) }
    }
}

impl TryFrom<String> for SnapshotId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map_err(|_: BadName| format!("`{text}` names no snapshot, as `task-1/2` does"))
    }
}

impl From<SnapshotId> for String {
    fn from(id: SnapshotId) -> Self {
        id.to_string()
    }
}

/// What is in a worktree and in no commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The index differs from HEAD.
    pub staged: Vec<RepoPath>,
    /// The file differs from the index.
    pub changed: Vec<RepoPath>,
    /// The file is gone, the index has it.
    pub deleted: Vec<RepoPath>,
    /// A merge left both sides.
    pub unmerged: Vec<RepoPath>,
    /// Files that git neither tracks nor ignores.
    pub untracked: Vec<RepoPath>,
    /// Ignored files and folders, without what the plan calls disposable.
    pub ignored: Vec<RepoPath>,
    /// Edits that git was told to overlook: `assume-unchanged` and `skip-worktree`.
    pub hidden: Vec<RepoPath>,
    /// Repositories inside the worktree; no commit can hold them.
    pub nested: Vec<RepoPath>,
}

impl Changes {
    fn lists(&mut self) -> [(&'static str, &mut Vec<RepoPath>); 8] {
        [
            ("staged", &mut self.staged),
            ("changed", &mut self.changed),
            ("deleted", &mut self.deleted),
            ("unmerged", &mut self.unmerged),
            ("untracked", &mut self.untracked),
            ("ignored", &mut self.ignored),
            ("hidden", &mut self.hidden),
            ("nested", &mut self.nested),
        ]
    }

    /// Returns the lists as `kind path` records, each ended by NUL.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut all = self.clone();
        let record =
            |kind: &str, path: &RepoPath| [kind.as_bytes(), b" ", path.as_bytes(), b"\0"].concat();
        let lists = all.lists().into_iter();
        lists
            .flat_map(|(kind, paths)| {
                paths.iter().flat_map(|path| record(kind, path)).collect::<Vec<u8>>()
            })
            .collect()
    }

    /// Reads what [`Self::to_bytes`] returns; kinds of a newer version are skipped.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut changes = Self::default();
        for record in bytes.split(|byte| *byte == 0) {
            let Some(at) = record.iter().position(|byte| *byte == b' ') else { continue };
            let (kind, path) = (&record[..at], RepoPath::new(&record[at + 1..]));
            let list = changes.lists().into_iter().find(|(name, _)| name.as_bytes() == kind);
            if let Some((_, paths)) = list {
                paths.push(path);
            }
        }
        changes
    }

    /// Returns whether anything is there that a commit could take in.
    pub fn is_dirty(&self) -> bool {
        [&self.staged, &self.changed, &self.deleted, &self.unmerged, &self.untracked, &self.hidden]
            .iter()
            .any(|paths| !paths.is_empty())
    }
}

/// A snapshot as git keeps it.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Its name, `<worker>/<number>`.
    pub id: SnapshotId,
    /// The commit of the snapshot.
    pub commit: Oid,
    /// When it was taken.
    pub at: Seconds,
    /// Whose it is and why it was taken; one line.
    pub title: String,
    /// What HEAD was; `None` before a first commit.
    pub head: Option<Oid>,
    /// The branch HEAD was on; `None` when it was detached.
    pub branch: Option<Branch>,
    /// The git operation that was under way; `None` when there was none.
    pub operation: Option<Operation>,
    /// The newest of the commits that nothing but the worktree knew.
    pub commits: Vec<Oid>,
    /// What of it was in no commit, in lists.
    pub changes: Changes,
}

/// The answer of `pw-integrate restore`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Restore {
    /// The workflow whose snapshots these are.
    pub workflow: Slug,
    /// Every snapshot, or the one that was brought back.
    pub snapshots: Vec<Snapshot>,
    /// Absent when snapshots were only listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restored: Option<Restored>,
    /// Absent unless it was pushed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed: Option<PushedSnapshot>,
    /// What to do next.
    pub next: Vec<NextStep>,
}

impl Report for Restore {
    const SCHEMA: &'static str = "pw-integrate.restore/1";
}

/// A snapshot that the plan's remote has.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PushedSnapshot {
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// The remote of the plan.
    pub remote: String,
    /// The ref that it has there; another clone fetches it under the same name.
    #[serde(rename = "ref")]
    pub name: String,
}

/// Where a snapshot was brought back to: a worktree or a branch.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Restored {
    /// The snapshot that was brought back.
    pub snapshot: SnapshotId,
    /// The absolute folder of the new worktree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worktree: Option<String>,
    /// The branch it was brought back as; absent when it was a worktree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<Branch>,
    /// What HEAD of the worktree, or the branch, is.
    pub commit: Oid,
    /// How many files there are.
    pub files: usize,
}

/// The answer of `pw-integrate forget`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Forgotten {
    /// The workflow whose snapshots these were.
    pub workflow: Slug,
    /// What is kept no longer. Until git collects it, `git branch NAME COMMIT` still brings it
    /// back.
    pub forgotten: Vec<Snapshot>,
    /// How many snapshots the workflow still has.
    pub left: usize,
    /// What to do next.
    pub next: Vec<NextStep>,
}

impl Report for Forgotten {
    const SCHEMA: &'static str = "pw-integrate.forget/1";
}

/// One snapshot.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Snapshot {
    /// Its name, `<worker>/<number>`: what `restore` and `forget` take.
    pub snapshot: SnapshotId,
    /// The worker, or `integration` for a resolution that was given up.
    pub worker: WorkerId,
    /// Counts up for each worker and is never used twice.
    pub number: u32,
    /// The full name of the ref that keeps it.
    #[serde(rename = "ref")]
    pub name: String,
    /// A commit of all files, ignored ones too, exactly as they were on disk.
    pub commit: Oid,
    /// RFC 3339.
    pub at: String,
    /// How long ago it was taken.
    pub age_seconds: Seconds,
    /// Why it was taken.
    pub message: String,
    /// Absent before a first commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<Oid>,
    /// Absent when HEAD was detached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<Branch>,
    /// The git operation that was under way; absent when there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub operation: Option<Operation>,
    /// Files whose index entry differed from HEAD.
    pub staged: Listed,
    /// Files that differed from the index.
    pub changed: Listed,
    /// Files the index has and the disk had not.
    pub deleted: Listed,
    /// Paths that a merge left both sides of.
    pub unmerged: Listed,
    /// Files git neither tracked nor ignored.
    pub untracked: Listed,
    /// Without what the plan calls disposable.
    pub ignored: Listed,
    /// Edits git was told to overlook.
    pub hidden: Listed,
    /// Repositories inside the worktree: these it does not hold.
    pub nested: Listed,
    /// The newest of the commits that nothing but the worktree knew, at most 20.
    pub commits: Vec<Oid>,
}

/// Some of many paths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Listed {
    /// How many there are in all.
    pub count: usize,
    /// At most 20.
    pub paths: Vec<RepoPath>,
}

impl Listed {
    fn of(paths: &[RepoPath]) -> Self {
        Self { count: paths.len(), paths: paths.iter().take(MAX_PATHS).cloned().collect() }
    }
}

impl Snapshot {
    /// Describes a snapshot that the ref `name` keeps.
    pub fn of(kept: &Kept, name: String, now: Seconds) -> Self {
        let Kept { id, changes, .. } = kept;
        Self {
            snapshot: id.clone(),
            worker: id.of.clone(),
            number: id.number,
            name,
            commit: kept.commit.clone(),
            at: rfc3339(kept.at),
            age_seconds: now.saturating_sub(kept.at).max(0),
            message: kept.title.clone(),
            head: kept.head.clone(),
            branch: kept.branch.clone(),
            operation: kept.operation,
            staged: Listed::of(&changes.staged),
            changed: Listed::of(&changes.changed),
            deleted: Listed::of(&changes.deleted),
            unmerged: Listed::of(&changes.unmerged),
            untracked: Listed::of(&changes.untracked),
            ignored: Listed::of(&changes.ignored),
            hidden: Listed::of(&changes.hidden),
            nested: Listed::of(&changes.nested),
            commits: kept.commits.iter().take(MAX_PATHS).cloned().collect(),
        }
    }

    /// Returns what it holds besides commits, in words.
    pub fn content(&self) -> String {
        let lists = [
            (&self.staged, "staged"),
            (&self.changed, "changed"),
            (&self.deleted, "deleted"),
            (&self.unmerged, "unmerged"),
            (&self.untracked, "untracked"),
            (&self.ignored, "ignored"),
            (&self.hidden, "hidden"),
        ];
        let mut parts: Vec<String> = lists
            .iter()
            .filter(|(list, _)| list.count > 0)
            .map(|(list, word)| format!("{} {word}", list.count))
            .collect();
        if !self.commits.is_empty() {
            parts.push(counted(self.commits.len(), "lost commit"));
        }
        if parts.is_empty() { "nothing uncommitted".to_owned() } else { parts.join(", ") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_has_one_name() {
        let id: SnapshotId = "task-1/12".parse().unwrap();
        assert_eq!((id.of.as_str(), id.number), ("task-1", 12));
        for bad in ["task-1", "task-1/", "task-1/x", "task-1/01", "task-1/+1", "a/b/1", "/1"] {
            assert!(bad.parse::<SnapshotId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn changes_read_back_whatever_the_names() {
        let changes = Changes {
            staged: vec!["a b".into()],
            untracked: vec![RepoPath::new(b"caf\xe9\n \"x".to_vec()), "staged".into()],
            nested: vec!["vendor/lib".into()],
            ..Changes::default()
        };
        assert_eq!(Changes::parse(&changes.to_bytes()), changes);
        assert_eq!(Changes::parse(b"newer x\0"), Changes::default());
    }
}
