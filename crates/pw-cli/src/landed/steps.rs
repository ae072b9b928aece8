//! The commits of a branch, one upon the other: which of them has work, and which took it back.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;

use anyhow::Result;
use pw_core::facts::{Facts, Part, Reverted};
use pw_core::history::{Change, Commit, CommitRange, Content, History};
use pw_core::id::Oid;
use pw_core::path::RepoPath;
use pw_git::Repo;

/// Of a branch with more commits than these, only those are compared that touch the files in
/// question.
const COMPARED: usize = 500;
/// How many of these are tried.
pub(super) const TRIED: usize = 50;

/// What a commit or a branch changed, by path.
pub(super) type Files = BTreeMap<RepoPath, Change>;

/// The commits of a branch since the base with their changes, the oldest first.
pub(super) struct Steps {
    steps: Vec<(Oid, Files)>,
}

impl Steps {
    /// Reads the steps of a branch that matter for these tips, with the files each changes.
    pub(super) fn read(
        repo: &Repo,
        history: &History,
        branch: &Oid,
        tips: &[(Oid, Files)],
    ) -> Result<Self> {
        let mut commits: Vec<&Commit> = history.chain(branch).collect();
        if commits.len() > COMPARED {
            let known: HashSet<&Oid> = tips.iter().map(|(tip, _)| tip).collect();
            let paths: BTreeSet<&RepoPath> = tips.iter().flat_map(|(_, all)| all.keys()).collect();
            let base = commits.last().and_then(|oldest| oldest.parents.first());
            let touching = repo.touching(base.unwrap_or(branch), branch, paths)?;
            let matters = |commit: &&Commit| {
                // A merge that dropped what it merged touches none of its files.
                commit.parents.len() > 1
                    || touching.contains(&commit.oid)
                    || known.contains(&commit.oid)
            };
            commits.retain(matters);
        }
        let step =
            |commit: &&Commit| Some(CommitRange::between(commit.parents.first()?, &commit.oid));
        let steps: Vec<CommitRange> = commits.iter().rev().filter_map(step).collect();
        let changes = repo.changes(&steps)?.into_iter();
        let changes = changes.map(|all| all.into_iter().map(|c| (c.path.clone(), c)).collect());
        Ok(Self { steps: steps.into_iter().map(|step| step.newest).zip(changes).collect() })
    }

    /// Returns the oldest commit whose tree a merge of `tip` would leave as it is: the one that
    /// squashed it, or the last that was picked of it. Later changes do not matter, unless they
    /// revert all of it. Where other commits changed the same lines in between, each of its commits
    /// must have been picked.
    pub(super) fn first_with(&self, repo: &Repo, tip: &Oid, files: &Files) -> Result<Option<Oid>> {
        let (tries, taken_back) = self.tries(files);
        let Some((last, _)) = self.steps.last().filter(|_| !tries.is_empty()) else {
            return Ok(None);
        };
        let commits: Vec<Oid> = tries.iter().map(|at| self.steps[*at].0.clone()).collect();
        if let Some(first) = repo.first_with(&commits, tip)? {
            return Ok(Some(first));
        }
        let is_applied = taken_back.is_empty() && repo.is_applied(last, tip)?;
        Ok(is_applied.then(|| last.clone()))
    }

    /// Returns the commit at which the branch had all of `tip`, and the one that reverted it.
    ///
    /// A change that the user made and reverted before the worker made its commit does not count.
    pub(super) fn reverted(
        &self,
        repo: &Repo,
        facts: &Facts,
        tip: &Oid,
        files: &Files,
    ) -> Result<Option<Reverted>> {
        let time = |oid: &Oid| facts.history.commit(oid).map(|commit| commit.time);
        let made = time(tip).filter(|_| facts.integration_tip.as_ref() != Some(tip));
        let is_later = |at: &usize| time(&self.steps[*at].0) >= made;
        let tries = self.tries(files).1.into_iter().filter(is_later);
        let commits: Vec<Oid> = tries.map(|at| self.steps[at].0.clone()).collect();
        if commits.is_empty() {
            return Ok(None);
        }
        let Some(landed) = repo.first_with(&commits, tip)? else { return Ok(None) };
        let touches = |(_, changes): &&(Oid, _)| touches_any(changes, files);
        let by = self.steps.iter().rev().find(touches).map(|(commit, _)| commit.clone());
        Ok(by.map(|by| Reverted { landed, by, contained: false, partly: None }))
    }

    /// Returns the commit with which the branch took in `tip`, which it contains, and the one that
    /// reverted its changes of these files, or of some; `None` while all of them are there.
    pub(super) fn reverted_since(
        &self,
        history: &History,
        tip: &Oid,
        files: &Files,
    ) -> Option<Reverted> {
        let at = self.steps.iter().position(|(commit, _)| history.contains(commit, tip))?;
        let landed = &self.steps[at].0;
        // Where the branch was moved forward to the tip, each commit below it is a step of its own.
        let from = if landed == tip { 0 } else { at };
        let brought: BTreeSet<RepoPath> =
            self.steps[from..=at].iter().flat_map(|(_, all)| all.keys()).cloned().collect();
        let (own, dropped): (Vec<_>, Vec<_>) =
            files.iter().partition(|(path, _)| brought.contains(*path));
        let is_back = |path: &&RepoPath| {
            let before = self.changes(from..at + 1, path).next().map(|(_, change)| &change.old);
            let is_kept = |moved: &RepoPath| !brought.contains(moved);
            self.last_change(path, at, is_kept).is_some_and(|last| Some(&last.new) == before)
        };
        // Also under another name, where the branch had renamed its folder.
        let came: HashSet<&Option<Content>> = self.steps[from..=at]
            .iter()
            .flat_map(|(_, all)| all.values())
            .map(|c| &c.new)
            .collect();
        let never_came = |(path, change): &(&RepoPath, &Change)| {
            let mut steps = self.changes(0..self.steps.len(), path);
            !came.contains(&change.new) && steps.all(|(_, step)| step.new == change.old)
        };
        let own: Vec<&RepoPath> = own.into_iter().map(|(path, _)| path).collect();
        let back: BTreeSet<&RepoPath> = own.iter().copied().filter(is_back).collect();
        let never_came: BTreeSet<&RepoPath> =
            dropped.into_iter().filter(never_came).map(|(path, _)| path).collect();
        let missing: BTreeSet<&RepoPath> = &back | &never_came;
        if missing.is_empty() {
            return None;
        }
        let touches = |(_, step): &&(Oid, Files)| step.keys().any(|path| missing.contains(path));
        let by = self.steps[at + 1..].iter().rev().find(touches).map_or(landed, |(by, _)| by);
        let is_all = back.len() == own.len() && (!own.is_empty() || missing.len() == files.len());
        let partly = (!is_all).then(|| Part::of(missing.into_iter()));
        Some(Reverted { landed: landed.clone(), by: by.clone(), contained: true, partly })
    }

    /// Returns the steps after which all these files had been changed, and apart from these those
    /// after which all was taken back.
    fn tries(&self, files: &Files) -> (Vec<usize>, Vec<usize>) {
        let mut open: BTreeSet<&RepoPath> = files.keys().collect();
        let mut tries: Vec<usize> = Vec::new();
        for (at, (_, changes)) in self.steps.iter().enumerate() {
            open.retain(|path| !changes.contains_key(*path));
            if open.is_empty() && touches_any(changes, files) {
                tries.push(at);
            }
        }
        let is_back = |at: &usize| files.keys().all(|path| self.is_taken_back(path, *at));
        let (mut taken_back, mut tries): (Vec<usize>, Vec<usize>) =
            tries.into_iter().partition(is_back);
        tries.truncate(TRIED);
        taken_back.truncate(TRIED);
        (tries, taken_back)
    }

    /// Returns whether a file is again as it was before one of the changes up to this step, and was
    /// not only renamed.
    fn is_taken_back(&self, path: &RepoPath, at: usize) -> bool {
        let Some(last) = self.last_change(path, at, |_| true) else { return false };
        self.changes(0..at + 1, path).any(|(_, change)| change.old == last.new)
    }

    /// Returns the newest change of a file after a step, unless that one renamed it to a place where
    /// its content `is_kept`: a revert of a rename is a rename, too.
    fn last_change(
        &self,
        path: &RepoPath,
        at: usize,
        is_kept: impl Fn(&RepoPath) -> bool,
    ) -> Option<&Change> {
        let (all, last) = self.changes(at + 1..self.steps.len(), path).next_back()?;
        let is_target = |other: &&Change| other.old.is_none() && other.new == last.old;
        let target = all.values().find(is_target).filter(|_| last.new.is_none());
        let is_moved = target.is_some_and(|other| is_kept(&other.path));
        (!is_moved).then_some(last)
    }

    /// Returns the changes of one file in some steps, each with all changes of its step.
    fn changes(
        &self,
        steps: Range<usize>,
        path: &RepoPath,
    ) -> impl DoubleEndedIterator<Item = (&Files, &Change)> {
        self.steps[steps].iter().filter_map(move |(_, all)| Some((all, all.get(path)?)))
    }
}

fn touches_any(changes: &Files, files: &Files) -> bool {
    changes.keys().any(|path| files.contains_key(path))
}
