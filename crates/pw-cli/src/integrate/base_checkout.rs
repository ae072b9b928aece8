//! The worktree that has the base checked out: what keeps the base from being moved there.

use anyhow::Result;
use pw_core::branch::Branch;
use pw_core::checkpoint;
use pw_core::details::{Files, Unclean};
use pw_core::facts::{TreeState, WorktreeFacts};
use pw_core::failure::{Code, Failure};
use pw_core::id::Oid;
use pw_core::next::CommandLine;
use pw_core::text::counted;
use pw_git::{Repo, Worktree};

/// A worktree, and the branch that it has checked out.
#[derive(Clone, Copy)]
pub(super) struct BaseCheckout<'a> {
    pub(super) repo: &'a Repo,
    pub(super) base: &'a Branch,
    pub(super) at: &'a Worktree,
}

impl BaseCheckout<'_> {
    /// Refuses where files are uncommitted, an operation is in progress, or another worktree has the
    /// branch, too. `way_out` tells the commands that put the files away, land, and bring them back.
    pub(super) fn require_quiet(&self, way_out: impl FnOnce() -> Vec<CommandLine>) -> Result<()> {
        let WorktreeFacts::Present(tree) = self.repo.tree_state(&self.at.path)? else {
            let (shown, base) = (self.at.path.display(), self.base);
            let message = format!("{shown}, which has {base} checked out, cannot be read");
            return Err(Failure::new(Code::WrongBranch, message)
                .hint("repair or remove that worktree")
                .next(CommandLine::of("git worktree list"))
                .into());
        };
        self.require_alone()?;
        self.require_branch(&tree)?;
        Ok(self.require_unchanged(&tree, way_out)?)
    }

    fn require_alone(&self) -> Result<(), Failure> {
        let Self { repo, base, at } = *self;
        // One whose folder is gone has no files to stay behind.
        let also = |other: &&Worktree| {
            let is_other = other.branch.as_ref() == Some(base) && other.path != at.path;
            is_other && repo.own_git_dir(&other.path).is_some()
        };
        let Some(other) = repo.worktrees().iter().find(also) else { return Ok(()) };
        let message = format!(
            "{base} is checked out in {} and in {}: the files of one would stay behind",
            at.path.display(),
            other.path.display()
        );
        Err(Failure::new(Code::WrongBranch, message)
            .hint("the user frees one of them first, and finishes again")
            .next(CommandLine::git(&other.path, "switch --detach")))
    }

    fn require_branch(&self, tree: &TreeState) -> Result<(), Failure> {
        let (shown, base) = (self.at.path.display(), self.base);
        let (message, hint) = match tree.operation {
            Some(operation) => (
                format!("{} on {base} in {shown}", operation.in_progress()),
                format!("finish it there first, or give it up with {}", operation.abort()),
            ),
            None if tree.branch.as_ref() == Some(base) => return Ok(()),
            None => (
                format!("{base} is being rebased or bisected in {shown}"),
                "finish or abort it there first".to_owned(),
            ),
        };
        Err(self.refuse(Code::WrongBranch, message, &hint))
    }

    fn require_unchanged(
        &self,
        tree: &TreeState,
        way_out: impl FnOnce() -> Vec<CommandLine>,
    ) -> Result<(), Failure> {
        let changed: Vec<_> = tree.changed.iter().chain(&tree.unmerged).cloned().collect();
        let Some(first) = changed.first() else { return Ok(()) };
        let message = format!(
            "{} has {} with uncommitted changes, `{first}` among them",
            self.at.path.display(),
            counted(changed.len(), "file")
        );
        // A conflict cannot be put away.
        let commands = if tree.unmerged.is_empty() { way_out() } else { Vec::new() };
        let shown: Vec<String> = commands.iter().map(|command| format!("`{command}`")).collect();
        let hint = match shown.is_empty() {
            true => "finish the merge there first".to_owned(),
            false => format!(
                "the user commits them, or puts them away and brings them back: {}",
                shown.join(", ")
            ),
        };
        Err(self
            .refuse(Code::DirtyTree, message, &hint)
            .details(Unclean { paths: changed, commands }))
    }

    fn refuse(&self, code: Code, message: String, hint: &str) -> Failure {
        Failure::new(code, message).hint(hint).next(CommandLine::git(&self.at.path, "status"))
    }

    /// Refuses where a file that git does not track, or was told to overlook, would be overwritten by what
    /// `commit` has and the base has not.
    pub(super) fn require_room(&self, before: &Oid, commit: &Oid) -> Result<()> {
        let Self { repo, at: checkout, .. } = *self;
        // One whose folder is gone holds nothing; that it is gone is refused before.
        if repo.own_git_dir(&checkout.path).is_none() {
            return Ok(());
        }
        let shown = checkout.path.display();
        let in_the_way = repo.untracked_in_the_way(&checkout.path, before, commit)?;
        if let Some(first) = in_the_way.first() {
            let message = format!("`{first}` in {shown} is not tracked, and would be overwritten");
            return Err(self
                .refuse(Code::InTheWay, message, "move the files named out of the way first")
                .details(Files { paths: in_the_way })
                .into());
        }
        let mut overlooked = repo.overlooked(&checkout.path)?;
        if !overlooked.is_empty() {
            let written = repo.stat(before, commit)?;
            overlooked.retain(|path| written.iter().any(|file| file.path == *path));
        }
        if let Some(first) = overlooked.first() {
            let message = format!("in {shown}, {}", checkpoint::overlooked(first));
            let list = CommandLine::git(&checkout.path, "ls-files -v --").file(first);
            return Err(Failure::new(Code::DirtyTree, message)
                .hint("the user takes that back, commits the change or puts it away, and finishes again")
                .next(list)
                .details(Files { paths: overlooked })
                .into());
        }
        Ok(())
    }
}
