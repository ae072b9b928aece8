//! The worktree that has the base checked out: what keeps the base from being moved there.

use anyhow::Result;
use pw_core::branch::Branch;
use pw_core::checkpoint;
use pw_core::details::{Files, Unclean};
use pw_core::facts::WorktreeFacts;
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
        let Self { repo, base, at: checkout } = *self;
        let refuse = |code, message: String, hint: &str| {
            Failure::new(code, message).hint(hint).next(CommandLine::git(&checkout.path, "status"))
        };
        let WorktreeFacts::Present(tree) = repo.tree_state(&checkout.path)? else {
            let message = format!(
                "{}, which has {} checked out, cannot be read",
                checkout.path.display(),
                base
            );
            return Err(refuse(Code::WrongBranch, message, "repair or remove that worktree").into());
        };
        let shown = checkout.path.display();
        // One whose folder is gone has no files to stay behind.
        let also = |other: &&Worktree| {
            let is_other = other.branch.as_ref() == Some(base) && other.path != checkout.path;
            is_other && repo.own_git_dir(&other.path).is_some()
        };
        if let Some(other) = repo.worktrees().iter().find(also) {
            let message = format!(
                "{} is checked out in {shown} and in {}: the files of one would stay behind",
                base,
                other.path.display()
            );
            let hint = "the user frees one of them first, and finishes again";
            return Err(Failure::new(Code::WrongBranch, message)
                .hint(hint)
                .next(CommandLine::git(&other.path, "switch --detach"))
                .into());
        }
        if let Some(operation) = tree.operation {
            let message = format!("{} on {} in {shown}", operation.in_progress(), base);
            let hint = format!("finish it there first, or give it up with {}", operation.abort());
            return Err(refuse(Code::WrongBranch, message, &hint).into());
        }
        if tree.branch.as_ref() != Some(base) {
            let message = format!("{} is being rebased or bisected in {shown}", base);
            return Err(refuse(Code::WrongBranch, message, "finish or abort it there first").into());
        }
        let changed: Vec<_> = tree.changed.iter().chain(&tree.unmerged).collect();
        if let Some(first) = changed.first() {
            let message = format!(
                "{shown} has {} with uncommitted changes, `{first}` among them",
                counted(changed.len(), "file")
            );
            // A conflict cannot be put away.
            let commands = match tree.unmerged.is_empty() {
                true => way_out(),
                false => Vec::new(),
            };
            let shown: Vec<String> =
                commands.iter().map(|command| format!("`{command}`")).collect();
            let hint = match shown.is_empty() {
                true => "finish the merge there first".to_owned(),
                false => format!(
                    "the user commits them, or puts them away and brings them back: {}",
                    shown.join(", ")
                ),
            };
            return Err(refuse(Code::DirtyTree, message, &hint)
                .details(Unclean { paths: changed.into_iter().cloned().collect(), commands })
                .into());
        }
        Ok(())
    }

    /// Refuses where a file that git does not track, or was told to overlook, would be overwritten by what
    /// `commit` has and the base has not.
    pub(super) fn require_room(&self, before: &Oid, commit: &Oid) -> Result<()> {
        let Self { repo, at: checkout, .. } = *self;
        let shown = checkout.path.display();
        let in_the_way = repo.ignored_in_the_way(&checkout.path, before, commit)?;
        if let Some(first) = in_the_way.first() {
            let message = format!("`{first}` in {shown} is not tracked, and would be overwritten");
            return Err(Failure::new(Code::InTheWay, message)
                .hint("move the files named out of the way first")
                .next(CommandLine::git(&checkout.path, "status"))
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
