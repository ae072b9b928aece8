//! Files of which the plan says that they only grow: where git's merge of one conflicts, the lines
//! that both sides added are kept. Every merge of ours is looked at, the trials as the real ones.

use anyhow::Result;
use pw_core::blob::{Blob, FileMode};
use pw_core::conflict::{ConflictKind, FileConflict, Stages};
use pw_core::id::Oid;
use pw_core::path::RepoPath;
use pw_core::scope::Scope;
use pw_core::union::united;

use crate::{MergeOutcome, Repo, Scratch};

/// A file with the lines that both sides added; not written yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct United {
    /// Which file.
    pub path: RepoPath,
    mode: FileMode,
    content: Vec<u8>,
}

/// The three blobs of a conflict that may be no more than added lines; no base where both sides
/// added the file.
struct Question {
    outcome: usize,
    path: RepoPath,
    mode: FileMode,
    base: Option<Oid>,
    sides: [Oid; 2],
}

impl Question {
    fn new(outcome: usize, path: &RepoPath, stages: &Stages) -> Option<Self> {
        let (ours, theirs) = (stages.ours.as_ref()?, stages.theirs.as_ref()?);
        let blobs = [stages.base.as_ref(), Some(ours), Some(theirs)];
        if !blobs.into_iter().flatten().all(|blob| blob.mode.is_file()) {
            return None;
        }
        Some(Self {
            outcome,
            path: path.clone(),
            mode: Blob::merged_mode(stages.base.as_ref(), ours, theirs),
            base: stages.base.as_ref().map(|base| base.oid.clone()),
            sides: [ours.oid.clone(), theirs.oid.clone()],
        })
    }
}

impl Repo {
    /// Merges these files as files that only grow, from now on.
    #[must_use]
    pub fn uniting(mut self, union: Scope) -> Self {
        self.union = union;
        self
    }

    /// Takes out the conflicts of files that only grew on both sides; one process reads them all.
    pub(crate) fn unite(
        &self,
        outcomes: &mut [MergeOutcome],
        scratch: Option<&Scratch>,
    ) -> Result<()> {
        if self.union.is_empty() {
            return Ok(());
        }
        let by_line = |conflict: &&FileConflict| {
            matches!(conflict.kind, ConflictKind::Content | ConflictKind::AddAdd)
                && self.union.owns(&conflict.path)
        };
        let mut questions = Vec::new();
        for (at, outcome) in outcomes.iter().enumerate() {
            for conflict in outcome.conflicts.iter().filter(by_line) {
                let stages = outcome.stages.get(&conflict.path);
                questions.extend(stages.and_then(|it| Question::new(at, &conflict.path, it)));
            }
        }
        let ids = questions.iter().flat_map(|asked| asked.base.iter().chain(&asked.sides));
        let mut ids: Vec<Oid> = ids.cloned().collect();
        ids.sort_unstable();
        ids.dedup();
        let contents = self.contents(&ids, scratch)?;
        let content = |id: &Oid| match ids.binary_search(id) {
            Ok(at) => contents[at].as_slice(),
            Err(_) => &[],
        };
        for Question { outcome, path, mode, base, sides } in questions {
            let [ours, theirs] = sides.each_ref().map(content);
            let base = base.as_ref().map(content).unwrap_or_default();
            if let Some(content) = united(base, ours, theirs) {
                outcomes[outcome].conflicts.retain(|conflict| conflict.path != path);
                outcomes[outcome].united.push(United { path, mode, content });
            }
        }
        Ok(())
    }

    /// Writes the files of a merge that were united.
    pub fn united_blobs(&self, outcome: &MergeOutcome) -> Result<Vec<(RepoPath, Blob)>> {
        self.write_united(outcome, None)
    }

    fn write_united(
        &self,
        outcome: &MergeOutcome,
        scratch: Option<&Scratch>,
    ) -> Result<Vec<(RepoPath, Blob)>> {
        let write = |United { path, mode, content }: &United| {
            let oid = self.write_blob(content, scratch)?;
            Ok((path.clone(), Blob { oid, mode: *mode }))
        };
        outcome.united.iter().map(write).collect()
    }

    /// Returns the tree that a merge without conflicts comes to.
    pub fn merged_tree(&self, outcome: &MergeOutcome, scratch: Option<&Scratch>) -> Result<Oid> {
        match self.write_united(outcome, scratch)? {
            none if none.is_empty() => Ok(outcome.marked.clone()),
            blobs => self.with_blobs(&outcome.marked, &blobs, scratch),
        }
    }
}
