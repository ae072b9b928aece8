//! The commits since the base: who contains what, and where two branches part.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use fixedbitset::FixedBitSet;

use crate::blob::Blob;
use crate::id::Oid;
use crate::path::RepoPath;
use crate::time::Seconds;

/// One commit.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Its full object id.
    pub oid: Oid,
    /// The first parent first.
    pub parents: Vec<Oid>,
    /// Committer time.
    pub time: Seconds,
    /// Subject and body, without the trailing newline.
    pub message: String,
    /// Against the parent; for a merge, against git's own merge of its parents. Where only
    /// [ranges](CommitRange) were asked about, the newest commit of each has the changes of all.
    pub changes: Vec<Change>,
}

/// One changed path; contents are told apart by mode and object id, `None` is "not there".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The path, after a rename the new one.
    pub path: RepoPath,
    /// What it held before.
    pub old: Option<Content>,
    /// What it holds after.
    pub new: Option<Content>,
}

/// What a path holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    /// In a commit.
    Committed(Blob),
    /// In a worktree; what it says was not read.
    Unread,
}

impl Content {
    /// Returns what of it is in a commit.
    pub fn blob(&self) -> Option<&Blob> {
        match self {
            Self::Committed(blob) => Some(blob),
            Self::Unread => None,
        }
    }

    /// Returns a file's content that is told from others by a few letters.
    #[cfg(test)]
    pub(crate) fn named(name: &str) -> Self {
        let hex: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
        let oid = format!("{hex:0>40}").parse().unwrap();
        Self::Committed(Blob { oid, mode: crate::blob::FileMode::FILE })
    }
}

/// Consecutive commits of a branch that no rule has to tell apart: one diff of all of them will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitRange {
    /// The range ends with this commit.
    pub newest: Oid,
    /// What the oldest began from: none for a first commit, several for a merge, which is alone.
    pub parents: Vec<Oid>,
}

impl CommitRange {
    /// Returns one commit by itself.
    pub fn one(commit: &Commit) -> Self {
        Self { newest: commit.oid.clone(), parents: commit.parents.clone() }
    }

    /// Returns the question how the trees of two commits differ.
    pub fn between(old: &Oid, new: &Oid) -> Self {
        Self { newest: new.clone(), parents: vec![old.clone()] }
    }
}

/// All commits since the base that any branch of the workflow has; changes only where a worker's
/// own chain has them.
#[derive(Clone, Debug, Default)]
pub struct History {
    commits: Vec<Commit>,
    graph: Arc<Graph>,
}

impl History {
    /// Takes the commits as git lists them: the newest first.
    pub fn new(commits: impl IntoIterator<Item = Commit>) -> Self {
        let commits: Vec<Commit> = commits.into_iter().collect();
        let graph = Arc::new(Graph::new(&commits));
        Self { commits, graph }
    }

    /// Returns a commit that git listed; `None` for the base and what lies below it.
    pub fn commit(&self, oid: &Oid) -> Option<&Commit> {
        self.commits.get(*self.graph.nodes.get(oid)?)
    }

    /// Cuts the first-parent chains of `tips` into ranges, without the commits in `except`.
    ///
    /// A range ends at each commit where a branch forks, that was merged, or that is in `ends`.
    /// So a branch that contains one commit of a range contains all of it, and sums of changes
    /// come out the same.
    pub fn ranges<'a>(
        &'a self,
        tips: &[&'a Oid],
        ends: impl IntoIterator<Item = &'a Oid>,
        except: &HashSet<&Oid>,
    ) -> Vec<CommitRange> {
        let mut ends: HashSet<&Oid> = ends.into_iter().chain(tips.iter().copied()).collect();
        let mut seen = HashSet::new();
        for commit in &self.commits {
            let is_merge = commit.parents.len() > 1;
            ends.extend(commit.parents.iter().filter(|parent| !seen.insert(*parent) || is_merge));
        }
        let parent = |commit: &Commit| {
            let parent = commit.parents.first().and_then(|parent| self.commit(parent));
            parent.filter(|parent| !except.contains(&parent.oid))
        };
        let is_plain = |commit: &Commit| commit.parents.len() == 1;
        let next = |commit: &&'a Commit| {
            let parent = parent(commit).filter(|_| is_plain(commit));
            parent.filter(|parent| is_plain(parent) && !ends.contains(&parent.oid))
        };
        let (mut ranges, mut known) = (Vec::new(), HashSet::new());
        for tip in tips {
            let mut begin = self.commit(tip).filter(|tip| !except.contains(&tip.oid));
            while let Some(newest) = begin.filter(|newest| known.insert(&newest.oid)) {
                let oldest = std::iter::successors(Some(newest), next).last().unwrap_or(newest);
                let parents = oldest.parents.clone();
                ranges.push(CommitRange { newest: newest.oid.clone(), parents });
                begin = parent(oldest);
            }
        }
        ranges
    }

    /// Sets what a range changed.
    pub fn set_changes(&mut self, newest: &Oid, changes: Vec<Change>) {
        let at = self.graph.nodes.get(newest).copied();
        if let Some(commit) = at.and_then(|at| self.commits.get_mut(at)) {
            commit.changes = changes;
        }
    }

    /// Returns the first-parent chain from `tip` down to the base, the newest first.
    pub fn chain(&self, tip: &Oid) -> impl Iterator<Item = &Commit> {
        let parent = |commit: &&Commit| commit.parents.first().and_then(|oid| self.commit(oid));
        std::iter::successors(self.commit(tip), parent)
    }

    /// Returns every commit on the first-parent chains of `tips`.
    pub fn on_chains<'a>(&'a self, tips: impl IntoIterator<Item = &'a Oid>) -> HashSet<&'a Oid> {
        tips.into_iter().flat_map(|tip| self.chain(tip)).map(|commit| &commit.oid).collect()
    }

    /// Returns the heads of what `tips` merged from no chain of theirs, and `trunk` does not have.
    pub fn side_tips(&self, tips: &[&Oid], trunk: &Ancestors) -> Vec<&Oid> {
        let chains = self.on_chains(tips.iter().copied());
        let merged = self.ancestors(tips.iter().copied());
        let merges = merged.commits().filter(|oid| !trunk.contains(oid));
        let merges = merges.filter_map(|oid| self.commit(oid));
        let parents = merges.flat_map(|commit| commit.parents.iter().skip(1));
        let side = |oid: &&Oid| !trunk.contains(oid) && !chains.contains(oid);
        parents.filter_map(|oid| self.commit(oid)).map(|commit| &commit.oid).filter(side).collect()
    }

    /// Sorts commits so that each comes after those it contains, and drops repeated ones.
    pub fn sort(&self, commits: &mut Vec<Oid>) {
        let place = |oid: &Oid| {
            let node = self.graph.nodes.get(oid);
            node.map_or(0, |node| self.graph.ancestors(*node).count_ones(..))
        };
        commits.sort_by_cached_key(|oid| (place(oid), oid.clone()));
        commits.dedup();
    }

    /// Returns everything that `tips` contain, themselves included, as far down as the base.
    pub fn ancestors<'o>(&self, tips: impl IntoIterator<Item = &'o Oid>) -> Ancestors<'_> {
        let mut bits = FixedBitSet::with_capacity(self.graph.names.len());
        for node in tips.into_iter().filter_map(|tip| self.graph.nodes.get(tip)) {
            bits.union_with(&self.graph.ancestors(*node));
        }
        Ancestors { graph: &self.graph, bits }
    }

    /// Returns whether `tip` contains `ancestor`, which may also be the base itself.
    pub fn contains(&self, tip: &Oid, ancestor: &Oid) -> bool {
        let nodes = &self.graph.nodes;
        let pair = nodes.get(tip).zip(nodes.get(ancestor));
        tip == ancestor
            || pair.is_some_and(|(tip, ancestor)| self.graph.ancestors(*tip).contains(*ancestor))
    }

    /// Returns what `starts` contain, for finding merge bases with further tips. `base` is the
    /// workflow's.
    pub fn merge_bases<'o>(
        &self,
        base: &Oid,
        starts: impl IntoIterator<Item = &'o Oid>,
    ) -> MergeBases {
        let graph = Arc::clone(&self.graph);
        let contained = FixedBitSet::with_capacity(graph.names.len());
        let mut bases = MergeBases { graph, contained, has_base: false };
        for start in starts {
            bases.has_base |= start == base;
            bases.contain(start);
        }
        let node = bases.graph.nodes.get(base);
        bases.has_base |= node.is_some_and(|node| bases.contained.contains(*node));
        bases
    }
}

/// Commits by number: those that git listed first, then parents of theirs that lie at the base or
/// below, of which nothing more is known.
#[derive(Default)]
struct Graph {
    nodes: HashMap<Oid, usize>,
    names: Vec<Oid>,
    /// Of the commits that git listed.
    parents: Vec<Vec<usize>>,
    /// What was asked about before.
    known: Mutex<HashMap<usize, Arc<FixedBitSet>>>,
}

impl Graph {
    fn new(commits: &[Commit]) -> Self {
        let mut graph = Self::default();
        for commit in commits {
            graph.number(&commit.oid);
        }
        for commit in commits {
            let parents = commit.parents.iter().map(|parent| graph.number(parent)).collect();
            graph.parents.push(parents);
        }
        graph
    }

    fn number(&mut self, oid: &Oid) -> usize {
        let next = self.names.len();
        let node = *self.nodes.entry(oid.clone()).or_insert(next);
        if node == next {
            self.names.push(oid.clone());
        }
        node
    }

    /// Whether git listed it: its parents are known.
    fn is_inside(&self, node: usize) -> bool {
        node < self.parents.len()
    }

    fn ancestors(&self, tip: usize) -> Arc<FixedBitSet> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(&tip) {
            return Arc::clone(known);
        }
        let mut seen = FixedBitSet::with_capacity(self.names.len());
        let mut stack = vec![tip];
        while let Some(node) = stack.pop() {
            if let Some(known) = known.get(&node) {
                seen.union_with(known);
            } else if !seen.put(node) {
                stack.extend(self.parents.get(node).into_iter().flatten());
            }
        }
        let seen = Arc::new(seen);
        known.insert(tip, Arc::clone(&seen));
        seen
    }
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Graph of {} commits", self.names.len())
    }
}

/// A set of commits that contains with each commit its parents.
#[derive(Clone)]
pub struct Ancestors<'a> {
    graph: &'a Graph,
    bits: FixedBitSet,
}

impl<'a> Ancestors<'a> {
    /// Returns whether the set has a commit.
    pub fn contains(&self, oid: &Oid) -> bool {
        self.graph.nodes.get(oid).is_some_and(|node| self.bits.contains(*node))
    }

    /// Returns those above the base.
    pub fn commits(&self) -> impl Iterator<Item = &'a Oid> {
        let graph = self.graph;
        self.bits.ones().filter(|node| graph.is_inside(*node)).map(|node| &graph.names[node])
    }

    /// Takes away the commits that `others` have.
    #[must_use]
    pub fn without(mut self, others: &Self) -> Self {
        self.bits.difference_with(&others.bits);
        self
    }

    /// Returns whether both have a commit above the base.
    pub fn meets(&self, other: &Self) -> bool {
        self.bits.intersection(&other.bits).any(|node| self.graph.is_inside(node))
    }
}

/// What a growing chain of merges contains, so that no next merge has to search for its base.
#[derive(Clone, Debug)]
pub struct MergeBases {
    graph: Arc<Graph>,
    contained: FixedBitSet,
    /// Whether the chain contains the workflow's base: then it contains all that lies below.
    has_base: bool,
}

impl MergeBases {
    /// Returns the merge base with `tip`, when it is certain and there is but one.
    pub fn merge_base(&self, tip: &Oid) -> Option<Oid> {
        if !self.has_base {
            return None;
        }
        // What git did not list lies at the base or below.
        let Some(tip) = self.graph.nodes.get(tip) else { return Some(tip.clone()) };
        let met = self.meet(*tip);
        // A common ancestor that another one contains is not the best one.
        let is_best = |node: &&usize| {
            let others = met.iter().filter(|other| other != node);
            others.clone().all(|other| !self.graph.ancestors(*other).contains(**node))
        };
        let mut best = met.iter().filter(is_best);
        let only = best.next()?;
        best.next().is_none().then(|| self.graph.names[*only].clone())
    }

    /// Takes in a merge of `tip`.
    pub fn add(&mut self, tip: &Oid) {
        self.contain(tip);
    }

    fn contain(&mut self, tip: &Oid) {
        if let Some(node) = self.graph.nodes.get(tip) {
            self.contained.union_with(&self.graph.ancestors(*node));
        }
    }

    /// Returns where the ways down from `tip` first meet the chain, or leave what git listed.
    fn meet(&self, tip: usize) -> Vec<usize> {
        let mut seen = FixedBitSet::with_capacity(self.graph.names.len());
        let (mut met, mut stack) = (Vec::new(), vec![tip]);
        while let Some(node) = stack.pop() {
            if seen.put(node) {
                continue;
            }
            match self.graph.parents.get(node).filter(|_| !self.contained.contains(node)) {
                Some(parents) => stack.extend(parents),
                None => met.push(node),
            }
        }
        met
    }
}

/// Returns what commits changed in the end, path by path: a file added and removed again is not
/// among them. `commits` are the newest first.
pub fn net_changes(commits: &[&Commit]) -> Vec<Change> {
    let mut net: std::collections::BTreeMap<&RepoPath, Change> = std::collections::BTreeMap::new();
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

    /// Reads lines of a commit and its parents.
    fn history(lines: &[&str]) -> History {
        let commit = |line: &&str| {
            let mut ids = line.split(' ').map(oid);
            let (oid, parents) = (ids.next().unwrap(), ids.collect());
            Commit { oid, parents, time: 0, message: String::new(), changes: Vec::new() }
        };
        History::new(lines.iter().map(commit))
    }

    fn ranges(history: &History, tips: &[&str], end: &str, except: &str) -> Vec<String> {
        let tips: Vec<Oid> = tips.iter().map(|name| oid(name)).collect();
        let (end, except) = (oid(end), oid(except));
        let tips: Vec<&Oid> = tips.iter().collect();
        let short = |oid: &Oid| oid.as_str().trim_start_matches('0').to_owned();
        let found = history.ranges(&tips, [&end], &HashSet::from([&except]));
        let line = |range: CommitRange| {
            let parents: Vec<String> = range.parents.iter().map(short).collect();
            format!("{} {}", short(&range.newest), parents.join(" "))
        };
        found.into_iter().map(line).collect()
    }

    #[test]
    fn a_stretch_ends_wherever_somebody_could_contain_half_of_it() {
        // c branches off at a3, takes in b2, and goes on; d began anew.
        let history = history(&[
            "a1 f", "a2 a1", "a3 a2", "a4 a3", "a5 a4", "b1 f", "b2 b1", "b3 b2", "c1 a3", "c2 c1",
            "c3 c2 b2", "c4 c3", "c5 c4", "d1", "d2 d1", "d3 d2",
        ]);
        assert_eq!(ranges(&history, &["a5"], "99", "98"), ["a5 a3", "a3 f"]);
        assert_eq!(ranges(&history, &["a5", "a3"], "a1", "98"), ["a5 a3", "a3 a1", "a1 f"]);
        assert_eq!(ranges(&history, &["a5"], "99", "a2"), ["a5 a3", "a3 a2"]);
        assert_eq!(
            ranges(&history, &["c5", "b3"], "99", "98"),
            ["c5 c3", "c3 c2 b2", "c2 a3", "a3 f", "b3 b2", "b2 f"]
        );
        assert_eq!(ranges(&history, &["d3"], "99", "98"), ["d3 d1", "d1 "]);
    }

    #[test]
    fn a_base_is_given_only_when_it_is_the_only_one() {
        // c took in a1; e forked below the base, and took it in later; f took in a2 and b1.
        let upon = |trunk: &str| {
            history(&[
                "a1 0",
                "a2 a1",
                "b1 0",
                "c1 0 a1",
                "e1 0e",
                "e2 e1 0",
                "f1 0",
                "f2 f1 a2 b1",
                trunk,
            ])
        };
        let all = upon("d1 0");
        let mut bases = all.merge_bases(&oid("0"), [&oid("d1")]);
        assert_eq!(bases.merge_base(&oid("a2")), Some(oid("0")));
        bases.add(&oid("a2"));
        assert_eq!(bases.merge_base(&oid("a1")), Some(oid("a1")), "contained");
        assert_eq!(bases.merge_base(&oid("c1")), Some(oid("a1")), "the base lies below");
        assert_eq!(bases.merge_base(&oid("e1")), Some(oid("0e")));
        assert_eq!(bases.merge_base(&oid("e2")), None, "only git knows how these two lie");
        assert_eq!(bases.merge_base(&oid("d1")), Some(oid("d1")));
        assert_eq!(bases.merge_base(&oid("b1")), Some(oid("0")));
        assert_eq!(bases.merge_base(&oid("f2")), Some(oid("a2")));
        bases.add(&oid("b1"));
        assert_eq!(bases.merge_base(&oid("f2")), None, "a criss-cross has two");
        // The user put the branch elsewhere: nothing is certain.
        let elsewhere = upon("d1 0e");
        let bases = elsewhere.merge_bases(&oid("0"), [&oid("d1")]);
        assert_eq!(bases.merge_base(&oid("a2")), None);
    }
}
