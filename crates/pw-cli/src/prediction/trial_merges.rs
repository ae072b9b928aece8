//! Trial merges, in an object folder of their own. What one came to is remembered, so that the same
//! question can be asked again.

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use pw_core::conflict::FileConflict;
use pw_core::conflict_markers::{MARKER_SIZE, hunks};
use pw_core::id::Oid;
use pw_git::{Author, CommitWriter, MergeOutcome, Pair, Repo, Scratch};

pub(crate) struct TrialMerges {
    repo: Repo,
    scratch: Scratch,
    /// Begun with the first commit.
    commits: Option<CommitWriter>,
    /// By the two commits.
    known: HashMap<[Oid; 2], MergeOutcome>,
}

impl TrialMerges {
    pub(crate) fn new(repo: &Repo) -> Result<Self> {
        let (repo, scratch) = (repo.clone(), Scratch::new()?);
        Ok(Self { repo, scratch, commits: None, known: HashMap::new() })
    }

    /// Where the objects of trials are.
    pub(super) fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// Writes a commit for trial merges to start from.
    pub(super) fn commit(&mut self, tree: &Oid, parents: &[&Oid]) -> Result<Oid> {
        let commits = match &mut self.commits {
            Some(commits) => commits,
            none => none.insert(self.repo.commit_writer(Author::fixed(), Some(&self.scratch))?),
        };
        commits.write(tree, parents, "trial\n")
    }

    /// Returns the tree that a merge without conflicts comes to.
    pub(super) fn merged_tree(&self, outcome: &MergeOutcome) -> Result<Oid> {
        self.repo.merged_tree(outcome, Some(&self.scratch))
    }

    /// Returns the result of merging each pair. New pairs are merged all in one process; another
    /// one reads the conflicted files.
    pub(super) fn merge(&mut self, pairs: &[Pair]) -> Result<Vec<MergeOutcome>> {
        let key = |pair: &Pair| [pair.ours.clone(), pair.theirs.clone()];
        let new: Vec<Pair> =
            pairs.iter().filter(|pair| !self.known.contains_key(&key(pair))).cloned().collect();
        let mut outcomes = self.repo.merge_pairs(&new, Some(&self.scratch))?;
        self.quote(&new, &mut outcomes)?;
        self.known.extend(new.iter().map(key).zip(outcomes));
        let known =
            |pair| self.known.get(&key(pair)).cloned().context("a merge without an outcome");
        pairs.iter().map(known).collect()
    }

    /// Adds the first lines of what collides.
    fn quote(&self, pairs: &[Pair], outcomes: &mut [MergeOutcome]) -> Result<()> {
        let mut marked: Vec<(&mut FileConflict, &Pair)> = Vec::new();
        let mut files = Vec::new();
        for (outcome, pair) in outcomes.iter_mut().zip(pairs) {
            for finding in outcome.conflicts.iter_mut().filter(|known| known.kind.has_markers()) {
                files.push((outcome.marked.clone(), finding.path.clone()));
                marked.push((finding, pair));
            }
        }
        let texts = self.repo.files(&files, Some(&self.scratch))?;
        for ((finding, Pair { ours, theirs, .. }), text) in marked.into_iter().zip(texts) {
            let text = text.unwrap_or_default();
            let (hunks, _) = hunks(&text, MARKER_SIZE, [ours.as_str(), theirs.as_str()]);
            finding.hunk = hunks.into_iter().next();
        }
        Ok(())
    }
}
