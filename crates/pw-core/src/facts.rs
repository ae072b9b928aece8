//! What git knows, as plain data, and the questions the rules ask of it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::id::{Oid, WorkerId};
use crate::path::RepoPath;
use crate::session::SessionFacts;
use crate::time::Seconds;

/// One commit, with what it changed by itself.
#[derive(Clone, Debug)]
pub struct Commit {
    pub oid: Oid,
    pub parents: Vec<Oid>,
    /// Committer time.
    pub time: Seconds,
    pub message: String,
    /// Against the parent; for a merge, against what merging its parents comes to.
    pub changes: Vec<Change>,
}

/// One changed path; contents are told apart by mode and object id, `None` is "not there".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub path: RepoPath,
    pub old: Option<String>,
    pub new: Option<String>,
}

/// All commits since the base that any branch of the workflow has.
#[derive(Clone, Debug, Default)]
pub struct History {
    commits: HashMap<Oid, Commit>,
}

impl History {
    pub fn new(commits: impl IntoIterator<Item = Commit>) -> Self {
        Self { commits: commits.into_iter().map(|commit| (commit.oid.clone(), commit)).collect() }
    }

    pub fn commit(&self, oid: &Oid) -> Option<&Commit> {
        self.commits.get(oid)
    }

    /// Returns every commit with its parents.
    pub fn parents(&self) -> impl Iterator<Item = (&Oid, &[Oid])> {
        self.commits.iter().map(|(oid, commit)| (oid, commit.parents.as_slice()))
    }

    /// Returns the first-parent chain from `tip` down to the base, the newest first.
    pub fn chain(&self, tip: &Oid) -> impl Iterator<Item = &Commit> {
        let parent =
            |commit: &&Commit| commit.parents.first().and_then(|oid| self.commits.get(oid));
        std::iter::successors(self.commits.get(tip), parent)
    }

    /// Returns every commit since the base that `tip` contains, itself included.
    pub fn ancestors<'a>(&'a self, tip: &Oid) -> HashSet<&'a Oid> {
        let mut seen = HashSet::new();
        let mut stack: Vec<&Commit> = self.commits.get(tip).into_iter().collect();
        while let Some(commit) = stack.pop() {
            if seen.insert(&commit.oid) {
                stack.extend(commit.parents.iter().filter_map(|oid| self.commits.get(oid)));
            }
        }
        seen
    }

    /// Returns whether `tip` contains `ancestor`, which may also be the base itself.
    pub fn contains(&self, tip: &Oid, ancestor: &Oid) -> bool {
        let parents = |oid: &Oid| self.commits.get(oid).map(|commit| &commit.parents);
        tip == ancestor
            || self.ancestors(tip).iter().any(|oid| {
                *oid == ancestor || parents(oid).is_some_and(|parents| parents.contains(ancestor))
            })
    }
}

/// What is known about one worker besides the plan and the record.
#[derive(Clone, Debug, Default)]
pub struct WorkerFacts {
    /// The branch's tip; `None` when there is no such branch.
    pub tip: Option<Oid>,
    pub worktree: WorktreeFacts,
    pub session: SessionFacts,
}

/// The state of a worker's worktree.
#[derive(Clone, Debug, Default)]
pub enum WorktreeFacts {
    /// Nothing registered at its place.
    #[default]
    Missing,
    /// Registered, but the folder is gone, foreign or not readable as this worktree.
    Broken,
    /// There, but not looked into.
    Unread,
    Present(TreeState),
}

/// What `git status` and the worktree's own files say.
#[derive(Clone, Debug, Default)]
pub struct TreeState {
    /// The branch HEAD is on; `None` when detached.
    pub branch: Option<String>,
    pub changed: Vec<RepoPath>,
    pub untracked: Vec<RepoPath>,
    pub unmerged: Vec<RepoPath>,
    /// Those of `changed` that HEAD does not have.
    pub added: Vec<RepoPath>,
    /// Those of `changed` that are no longer there.
    pub removed: Vec<RepoPath>,
    /// A git operation that is under way, `rebase` for example.
    pub operation: Option<String>,
    /// When the newest of those files was changed; `None` when there is none.
    pub touched: Option<Seconds>,
}

impl TreeState {
    /// Returns everything that is not committed, sorted.
    pub fn uncommitted(&self) -> Vec<RepoPath> {
        let all = self.changed.iter().chain(&self.untracked).chain(&self.unmerged);
        all.cloned().collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Returns the files that a commit of everything would change; their contents are not known.
    pub fn changes(&self) -> Vec<Change> {
        let content = |there: bool| there.then(String::new);
        let change = |path: &RepoPath| Change {
            path: path.clone(),
            old: content(!self.added.contains(path) && !self.untracked.contains(path)),
            new: content(!self.removed.contains(path)),
        };
        // A folder here is a repository of its own: no file that could be committed.
        let is_file = |path: &&RepoPath| !path.as_bytes().ends_with(b"/");
        self.changed.iter().chain(&self.untracked).filter(is_file).map(change).collect()
    }
}

/// Everything the rules need about a workflow at one moment.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub now: Seconds,
    /// What workers have.
    pub history: History,
    /// What the base branch and the integration branch have, without messages and changes.
    pub trunk: History,
    pub workers: BTreeMap<WorkerId, WorkerFacts>,
    /// Where the base branch is now; `None` when it is gone or there was none.
    pub base_tip: Option<Oid>,
    /// What differs between the commit the workflow forked from and `base_tip`.
    pub base_changes: Vec<RepoPath>,
    pub integration_tip: Option<Oid>,
    /// What is not committed in the user's own checkout; `None` when nobody looked.
    pub checkout: Option<TreeState>,
}

impl Facts {
    pub fn tip(&self, worker: &WorkerId) -> Option<&Oid> {
        self.workers.get(worker)?.tip.as_ref()
    }
}

/// Returns what commits changed in the end, path by path: a file added and removed again is not
/// among them. `commits` are the newest first.
pub fn net_changes(commits: &[&Commit]) -> Vec<Change> {
    let mut net: BTreeMap<&RepoPath, Change> = BTreeMap::new();
    for change in commits.iter().rev().flat_map(|commit| &commit.changes) {
        net.entry(&change.path)
            .and_modify(|known| known.new.clone_from(&change.new))
            .or_insert_with(|| change.clone());
    }
    net.into_values().filter(|change| change.old != change.new).collect()
}
