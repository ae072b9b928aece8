//! What git knows, as plain data, and the questions the rules ask of it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::gap::Gap;
use crate::id::{Oid, WorkerId};
use crate::path::RepoPath;
use crate::session::SessionFacts;
use crate::time::Seconds;

/// One commit.
#[derive(Clone, Debug)]
pub struct Commit {
    pub oid: Oid,
    pub parents: Vec<Oid>,
    /// Committer time.
    pub time: Seconds,
    pub message: String,
    /// Against the parent; for a merge, against what merging its parents comes to. Where only
    /// [stretches](Stretch) were asked about, the newest commit of each has the changes of all.
    pub changes: Vec<Change>,
}

/// Commits of a branch in a row that nobody has to tell apart: what they changed together is one
/// question to git, however many they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    pub newest: Oid,
    /// What the oldest began from: none for a first commit, several for a merge, which is alone.
    pub parents: Vec<Oid>,
}

impl Stretch {
    /// Returns one commit by itself.
    pub fn of(commit: &Commit) -> Self {
        Self { newest: commit.oid.clone(), parents: commit.parents.clone() }
    }
}

/// One changed path; contents are told apart by mode and object id, `None` is "not there".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub path: RepoPath,
    pub old: Option<String>,
    pub new: Option<String>,
}

/// All commits since the base that any branch of the workflow has; changes only where a worker's
/// own chain has them.
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

    /// Cuts the first-parent chains of `tips` into stretches, without the commits in `except`.
    ///
    /// Whatever branches off, is merged, or is named in `ends` ends one. So whoever contains a
    /// commit of a stretch contains all of it, and sums of changes come out the same.
    pub fn stretches<'a>(
        &'a self,
        tips: &[&'a Oid],
        ends: impl IntoIterator<Item = &'a Oid>,
        except: &HashSet<&Oid>,
    ) -> Vec<Stretch> {
        let mut ends: HashSet<&Oid> = ends.into_iter().chain(tips.iter().copied()).collect();
        let mut seen = HashSet::new();
        for commit in self.commits.values() {
            let is_merge = commit.parents.len() > 1;
            ends.extend(commit.parents.iter().filter(|parent| !seen.insert(*parent) || is_merge));
        }
        let parent = |commit: &Commit| {
            let parent = commit.parents.first().and_then(|parent| self.commits.get(parent));
            parent.filter(|parent| !except.contains(&parent.oid))
        };
        let is_plain = |commit: &Commit| commit.parents.len() == 1;
        let next = |commit: &&'a Commit| {
            let parent = parent(commit).filter(|_| is_plain(commit));
            parent.filter(|parent| is_plain(parent) && !ends.contains(&parent.oid))
        };
        let (mut stretches, mut known) = (Vec::new(), HashSet::new());
        for tip in tips {
            let mut begin = self.commits.get(*tip).filter(|tip| !except.contains(&tip.oid));
            while let Some(newest) = begin.filter(|newest| known.insert(&newest.oid)) {
                let oldest = std::iter::successors(Some(newest), next).last().unwrap_or(newest);
                let parents = oldest.parents.clone();
                stretches.push(Stretch { newest: newest.oid.clone(), parents });
                begin = parent(oldest);
            }
        }
        stretches
    }

    /// Says what a stretch changed.
    pub fn set_changes(&mut self, newest: &Oid, changes: Vec<Change>) {
        if let Some(commit) = self.commits.get_mut(newest) {
            commit.changes = changes;
        }
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

    /// Returns every commit on the first-parent chains of `tips`.
    pub fn on_chains<'a>(&'a self, tips: impl IntoIterator<Item = &'a Oid>) -> HashSet<&'a Oid> {
        tips.into_iter().flat_map(|tip| self.chain(tip)).map(|commit| &commit.oid).collect()
    }

    /// Returns the commit of the integration branch, if the base branch contains it.
    pub fn landed<'a>(&self, base: Option<&Oid>, integration: Option<&'a Oid>) -> Option<&'a Oid> {
        integration.filter(|head| base.is_some_and(|tip| self.contains(tip, head)))
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
    /// What of its hooks and launcher is not as it was made; empty when nobody looked.
    pub gaps: Vec<Gap>,
}

/// The state of a worker's worktree.
#[derive(Clone, Debug, Default)]
pub enum WorktreeFacts {
    /// Nothing registered at its place.
    #[default]
    Missing,
    /// Registered, but the folder is gone, foreign or not readable as this worktree.
    Broken,
    /// The folder is in its place, and the links between it and git lead elsewhere: the repository
    /// was moved or copied.
    Unlinked,
    /// In another folder.
    At(String),
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
        let [added, untracked, removed] = [&self.added, &self.untracked, &self.removed]
            .map(|paths| paths.iter().collect::<HashSet<_>>());
        let content = |there: bool| there.then(String::new);
        let change = |path: &RepoPath| Change {
            path: path.clone(),
            old: content(!added.contains(path) && !untracked.contains(path)),
            new: content(!removed.contains(path)),
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
    /// What the workers, the base branch and the integration branch have since the base.
    pub history: History,
    pub workers: BTreeMap<WorkerId, WorkerFacts>,
    /// Where the base branch is now; `None` when it is gone or there was none.
    pub base_tip: Option<Oid>,
    /// What differs between the commit the workflow forked from, or what of it landed, and
    /// `base_tip`.
    pub base_changes: Vec<RepoPath>,
    pub integration_tip: Option<Oid>,
    /// What is not committed in the user's own checkout; `None` when nobody looked.
    pub checkout: Option<TreeState>,
}

impl Facts {
    pub fn tip(&self, worker: &WorkerId) -> Option<&Oid> {
        self.workers.get(worker)?.tip.as_ref()
    }

    /// Returns the commit of the integration branch, if the base branch contains it.
    pub fn landed(&self) -> Option<&Oid> {
        self.history.landed(self.base_tip.as_ref(), self.integration_tip.as_ref())
    }

    /// Returns what the base branch and the integration branch went through since the base.
    pub fn trunk(&self) -> HashSet<&Oid> {
        self.history.on_chains(self.base_tip.iter().chain(&self.integration_tip))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn oid(name: &str) -> Oid {
        format!("{name:0>40}").parse().unwrap()
    }

    fn stretches(history: &History, tips: &[&str], end: &str, except: &str) -> Vec<String> {
        let tips: Vec<Oid> = tips.iter().map(|name| oid(name)).collect();
        let (end, except) = (oid(end), oid(except));
        let tips: Vec<&Oid> = tips.iter().collect();
        let short = |oid: &Oid| oid.as_str().trim_start_matches('0').to_owned();
        let found = history.stretches(&tips, [&end], &HashSet::from([&except]));
        let line = |stretch: Stretch| {
            let parents: Vec<String> = stretch.parents.iter().map(short).collect();
            format!("{} {}", short(&stretch.newest), parents.join(" "))
        };
        found.into_iter().map(line).collect()
    }

    #[test]
    fn a_stretch_ends_wherever_somebody_could_contain_half_of_it() {
        let commit = |line: &&str| {
            let mut ids = line.split(' ').map(oid);
            let (oid, parents) = (ids.next().unwrap(), ids.collect());
            Commit { oid, parents, time: 0, message: String::new(), changes: Vec::new() }
        };
        // c branches off at a3, takes in b2, and goes on; d began anew.
        let lines = [
            "a1 f", "a2 a1", "a3 a2", "a4 a3", "a5 a4", "b1 f", "b2 b1", "b3 b2", "c1 a3", "c2 c1",
            "c3 c2 b2", "c4 c3", "c5 c4", "d1", "d2 d1", "d3 d2",
        ];

        let history = History::new(lines.iter().map(commit));
        assert_eq!(stretches(&history, &["a5"], "99", "98"), ["a5 a3", "a3 f"]);
        assert_eq!(stretches(&history, &["a5", "a3"], "a1", "98"), ["a5 a3", "a3 a1", "a1 f"]);
        assert_eq!(stretches(&history, &["a5"], "99", "a2"), ["a5 a3", "a3 a2"]);
        assert_eq!(
            stretches(&history, &["c5", "b3"], "99", "98"),
            ["c5 c3", "c3 c2 b2", "c2 a3", "a3 f", "b3 b2", "b2 f"]
        );
        assert_eq!(stretches(&history, &["d3"], "99", "98"), ["d3 d1", "d1 "]);
    }
}
