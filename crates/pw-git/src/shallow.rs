//! Shallow clones: history ends where it was cut off, and git takes that for its beginning.

use anyhow::Result;
use pw_core::failure::{Code, Failure};
use pw_core::id::Oid;
use pw_core::next::CommandLine;

use crate::{Repo, Scratch};

/// Adds the hint to fetch the whole history: a shallow clone may not know what a branch contains.
pub fn unshallow(failure: Failure) -> Failure {
    let hint =
        "this clone is shallow: fetch the rest of the history, then run the same command again";
    failure.hint(hint).next(CommandLine::of("git fetch --unshallow"))
}

impl Repo {
    /// Returns whether part of the history is cut off.
    pub fn is_shallow(&self) -> bool {
        self.common().join("shallow").is_file()
    }

    /// Refuses to merge two commits where history was cut off between them and their merge base:
    /// git may find another merge base then, and silently bring back what one side deleted.
    pub(crate) fn require_whole_history(
        &self,
        ours: &Oid,
        theirs: &Oid,
        scratch: Option<&Scratch>,
    ) -> Result<()> {
        if !self.is_shallow() {
            return Ok(());
        }
        let git = |args: &[&str]| self.within(scratch, self.git.plumbing(args).reader());
        let (ours, theirs) = (ours.as_str(), theirs.as_str());
        let bases = git(&["merge-base", "--all", ours, theirs]).codes(&[0, 1]).line()?;
        // What has no parent here had one before it was cut off.
        let mut roots = vec!["rev-list", "--max-parents=0", "--max-count=1", ours, theirs, "--not"];
        roots.extend(bases.lines());
        if !bases.is_empty() && git(&roots).line()?.is_empty() {
            return Ok(());
        }
        let message = "where the commits to merge parted may be cut off";
        Err(unshallow(Failure::new(Code::NoMergeBase, message)).into())
    }
}
