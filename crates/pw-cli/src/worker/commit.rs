//! `checkpoint`, `blocked` and `needs`: a worker's own files, in any state git knows, with a marker
//! that counts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use pw_core::checkpoint::{self, Selection};
use pw_core::details::LeftFiles;
use pw_core::facts::TreeState;
use pw_core::failure::{Code, Failure};
use pw_core::hollow_entries::{self, Hollow, HollowReason, WorktreeEntry};
use pw_core::next::{Next, NextStep};
use pw_core::path::RepoPath;
use pw_core::signal::Signal;
use pw_core::unstageable::{self, Unstageable};
use pw_core::worker;

use super::own_worktree::{Finished, OwnWorktree, is_signal};
use crate::shell::Answer;
use crate::workflow::Workflow;

/// What to commit besides everything changed that the worker owns.
#[derive(Debug, Args)]
pub(super) struct CommitArgs {
    /// A line for the body of the commit message; may be repeated
    #[arg(long, value_name = "LINE")]
    pub(super) detail: Vec<String>,
    /// Commit only these files, relative to the worktree; else everything changed that I own
    #[arg(long = "path", value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
}

/// What a commit's own `.gitmodules` is called.
const MODULES: &str = ".gitmodules";

pub(super) fn commit(
    own: &OwnWorktree<'_>,
    signal: &Signal,
    text: &str,
    more: &CommitArgs,
) -> Result<Answer> {
    let message = own.message(signal, text, &more.detail)?;
    let path = own.workflow.worktree(own.worker);
    let tree = own.tree()?;
    checkpoint::require_branch(own.worker, &tree, || own.branch())?;
    if signal.gets_out() && more.paths.is_empty() && tree.uncommitted().is_empty() {
        // Said already, and nothing is new: a second commit would add nothing.
        let head = own.workflow.repo.read_head(&path)?;
        if head.message.trim_end() == message.trim_end() {
            return own.committed(&path, head, signal, Vec::new(), Vec::new(), Vec::new());
        }
    }
    // Asked before the commit, which is the newer signal.
    let standing = match signal {
        Signal::Checkpoint => own.status()?.as_ref().and_then(worker::withdrawn),
        Signal::Blocked { .. } | Signal::Needs { .. } | Signal::Complete => None,
    };
    let named = own.named(&path, &tree, &more.paths)?;
    let draft = Draft { own, signal, path: &path, named: &named };
    let mut notes = match draft.save(tree, &message) {
        Ok(mut notes) => {
            let head = own.workflow.repo.read_head(&path)?;
            if signal.gets_out() && !is_signal(&head, signal) {
                signal_alone(own, &path, signal, &message)?;
                notes.push(format!(
                    "a hook changed the message of {}: the signal is a commit of its own",
                    head.oid.short()
                ));
            }
            notes
        }
        Err(error) if signal.gets_out() && !is_about(&error, &named) => {
            signal_alone(own, &path, signal, &message)?;
            vec![format!("no file is committed, the signal alone: {}", words(&error))]
        }
        Err(error) => return Err(own.explained(error)),
    };
    // Read anew: reports the files that are left, not those that were meant to be.
    let tree = own.tree()?;
    let (note, again) = standing.unzip();
    notes.extend(note);
    let is_undoable = !checkpoint::undoable(&own.workflow.plan, own.worker, &tree).is_empty();
    let undo = is_undoable.then(|| NextStep::new("undo", Next::Undo));
    // What it asks for can be there already, and it can be in what was taken in that it is not.
    let mut sync = None;
    if let Signal::Needs { worker: other, .. } = signal {
        match own.finished_by(other)? {
            Some(Finished::TakenIn) => notes.push(worker::has_to_go_on(other)),
            Some(Finished::ToTakeIn) => sync = Some(NextStep::new("take in", Next::Sync)),
            None => {}
        }
    }
    let steps = again.into_iter().chain(undo).chain(sync).collect();
    own.announce(&path, signal, &message, tree.uncommitted(), notes, steps)
}

/// Returns whether an error is about files that the worker named, and has to correct.
fn is_about(error: &anyhow::Error, named: &[RepoPath]) -> bool {
    let code = error.downcast_ref::<Failure>().map(|failure| failure.code);
    !named.is_empty() && matches!(code, Some(Code::Usage | Code::OutOfScope))
}

fn words(error: &anyhow::Error) -> String {
    match error.downcast_ref::<Failure>() {
        Some(failure) => format!("{}; {}", failure.message, failure.hint),
        None => format!("{error:#}"),
    }
}

/// Commits the signal, unless the step that failed came after that commit.
fn signal_alone(own: &OwnWorktree<'_>, path: &Path, signal: &Signal, message: &str) -> Result<()> {
    let Workflow { repo, .. } = own.workflow;
    let branch = own.worker.branch();
    let head = repo.read_head(path)?;
    if own.workflow.branch(&branch) != Some(&head.oid) && is_signal(&head, signal) {
        return Ok(());
    }
    repo.commit_message(path, &branch, message)
}

/// A commit about to be made.
struct Draft<'a> {
    own: &'a OwnWorktree<'a>,
    signal: &'a Signal,
    path: &'a Path,
    named: &'a [RepoPath],
}

/// What it takes in, and how.
struct Chosen {
    take: BTreeSet<RepoPath>,
    leave: BTreeSet<RepoPath>,
    held: BTreeMap<RepoPath, WorktreeEntry>,
    /// Whether the index holds something else that is not to be committed.
    is_part: bool,
    notes: Vec<String>,
}

impl Draft<'_> {
    /// Commits; returns notes about it.
    fn save(&self, tree: TreeState, message: &str) -> Result<Vec<String>> {
        let Workflow { repo, .. } = self.own.workflow;
        let may_be_empty = *self.signal != Signal::Checkpoint || tree.operation.is_some();
        let commit = |chosen: &Chosen| {
            let only = chosen.is_part.then_some(&chosen.take);
            repo.commit(self.path, message, only)
        };
        let chosen = self.prepare(&tree, may_be_empty)?;
        let Err(refused) = commit(&chosen) else {
            return self.committed(chosen, may_be_empty);
        };
        let is_hook = |failure: &Failure| failure.code == Code::HookRefused;
        if !refused.downcast_ref().is_some_and(is_hook) {
            return Err(refused);
        }
        // A hook that put the files right and refused all the same takes them the second time.
        let corrected = repo.unstaged(self.path)?;
        if !corrected.iter().any(|path| chosen.take.contains(path)) {
            return Err(refused);
        }
        let chosen = self.prepare(&self.own.tree()?, may_be_empty)?;
        commit(&chosen)?;
        self.committed(chosen, may_be_empty)
    }

    /// Verifies that the commit holds what was chosen; returns notes about it.
    fn committed(&self, chosen: Chosen, may_be_empty: bool) -> Result<Vec<String>> {
        let Chosen { take, leave, mut notes, .. } = chosen;
        notes.extend(self.own.take_out_foreign(self.path, &take, &leave, may_be_empty)?);
        if *self.signal == Signal::Checkpoint {
            notes.extend(self.own.unseen()?.1);
        }
        notes.extend(self.own.shrunk(self.path, &take)?);
        Ok(notes)
    }

    /// Decides what to commit, and puts it into the index.
    fn prepare(&self, tree: &TreeState, may_be_empty: bool) -> Result<Chosen> {
        let Workflow { repo, .. } = self.own.workflow;
        self.own.repair();
        let chosen = self.choose(tree, &[])?;
        let unstageable = repo.stage(self.path, &chosen.take, &chosen.held)?;
        if !unstageable.is_empty() {
            return self.prepare_without(unstageable);
        }
        let is_new = |path: &RepoPath| !tree.changed.contains(path);
        if may_be_empty || chosen.take.iter().any(is_new) {
            return Ok(chosen);
        }
        // Staged and unstaged changes may cancel out to what HEAD has.
        let staged = repo.staged(self.path, "HEAD", None)?;
        match staged.iter().any(|path| chosen.take.contains(path)) {
            true => Ok(chosen),
            false => {
                let told = checkpoint::still_there(tree).into_iter().chain(self.own.unseen()?.1);
                Err(nothing(&self.own.overlooked()?, told.collect()).into())
            }
        }
    }

    /// Stages the files that git takes, so that `blocked` and `needs` are committed all the same; a
    /// checkpoint refuses.
    fn prepare_without(&self, mut unstageable: Vec<Unstageable>) -> Result<Chosen> {
        // A program that still runs may have removed a file since we looked.
        let tree = self.own.tree()?;
        let there: BTreeSet<RepoPath> =
            tree.uncommitted().iter().map(RepoPath::without_slash).collect();
        unstageable.retain(|unstageable| there.contains(&unstageable.path));
        if let Some(failure) =
            unstageable::refusal(&unstageable).filter(|_| !self.signal.gets_out())
        {
            return Err(failure.into());
        }
        let chosen = self.choose(&tree, &unstageable)?;
        let unstageable = self.own.workflow.repo.stage(self.path, &chosen.take, &chosen.held)?;
        unstageable::refusal(&unstageable).map_or(Ok(chosen), |failure| Err(failure.into()))
    }

    /// Decides what to commit, without what git does not take; nothing is changed.
    fn choose(&self, tree: &TreeState, unstageable: &[Unstageable]) -> Result<Chosen> {
        let Self { own, signal, path, named } = *self;
        let Workflow { repo, plan, .. } = own.workflow;
        checkpoint::require_own_branch(own.worker, tree, || own.branch())?;
        let merging = tree.operation.is_some();
        let differing = own.differing(path, tree)?;
        let staged = match tree.changed.is_empty() {
            true => Vec::new(),
            false => repo.staged(path, "HEAD", None)?,
        };
        let mut selection = checkpoint::select(plan, own.worker, tree, named, &differing)?;
        let mut notes = Vec::new();
        if !merging && named.is_empty() && checkpoint::may_part_moves(tree, &selection) {
            let moved = repo.uncommitted_renames(path, &tree.uncommitted())?;
            notes = checkpoint::leave_moved(plan, signal, &mut selection, &moved)?;
        }
        if !merging && named.is_empty() && !signal.gets_out() {
            // A checkpoint of everything leaves the index with nothing that waits to be committed.
            let is_foreign =
                |path: &&RepoPath| !plan.allows(own.worker, path) && differing.contains(path);
            let outside: Vec<&RepoPath> = staged.iter().filter(is_foreign).collect();
            if let Some(first) = outside.first() {
                return Err(checkpoint::out_of_scope(plan, first, &outside).into());
            }
        }
        let apart = checkpoint::leave_unstageable(&mut selection, unstageable);
        let held = repo.held(path, tree, &selection.take)?;
        let hollow = self.hollow(tree, &selection, &held, merging)?;
        notes.extend(checkpoint::set_apart(signal, &mut selection, &hollow)?);
        notes.extend(apart);
        if let Some(failure) = hollow_entries::refusal(&hollow).filter(|_| merging) {
            // A merge is concluded with everything that is in the index.
            return Err(failure.into());
        }
        notes.extend(checkpoint::still_there(tree));
        notes.extend(self.only_here(&selection.take, &held)?);
        if *signal == Signal::Checkpoint {
            let overlooked = own.overlooked()?;
            if selection.take.is_empty() && !merging {
                let (ignored, notes) = own.unseen()?;
                let left = selection.leave.iter().chain(&overlooked).chain(&ignored);
                return Err(nothing(&overlooked, notes)
                    .details(LeftFiles { left: left.cloned().collect() })
                    .into());
            }
            notes.extend(overlooked.first().map(checkpoint::overlooked));
        }
        let is_part = !merging && staged.iter().any(|path| !selection.take.contains(path));
        let Selection { take, leave } = selection;
        Ok(Chosen { take, leave, held, is_part, notes })
    }

    /// Returns notes on links and submodules of a commit whose target exists in this worktree
    /// alone.
    fn only_here(
        &self,
        take: &BTreeSet<RepoPath>,
        held: &BTreeMap<RepoPath, WorktreeEntry>,
    ) -> Result<Vec<String>> {
        let repo = &self.own.workflow.repo;
        let taken = || held.iter().filter(|(path, _)| take.contains(path));
        let end = |held: &WorktreeEntry| match held {
            WorktreeEntry::Link { end, .. } => end.clone(),
            _ => None,
        };
        let is_there = |path: &RepoPath| self.path.join(path.to_path()).symlink_metadata().is_ok();
        let ends: Vec<RepoPath> =
            taken().filter_map(|(_, held)| end(held)).filter(is_there).collect();
        let ignored = repo.ignored_among(self.path, &ends)?;
        let mut notes = Vec::new();
        for (path, held) in taken() {
            if let Some(end) = end(held).filter(|end| ignored.contains(end)) {
                notes.push(hollow_entries::leads_to_ignored(path, &end));
            }
            let is_repository = matches!(held, WorktreeEntry::Repository { .. });
            if is_repository && !repo.is_published(&self.path.join(path.to_path()), "HEAD")? {
                notes.push(hollow_entries::unpublished(path));
            }
        }
        Ok(notes)
    }

    /// Returns what of a selection would be hollow in the commit.
    fn hollow(
        &self,
        tree: &TreeState,
        selection: &Selection,
        held: &BTreeMap<RepoPath, WorktreeEntry>,
        merging: bool,
    ) -> Result<Vec<Hollow>> {
        let Workflow { repo, .. } = self.own.workflow;
        let is_repository = |held: &WorktreeEntry| matches!(held, WorktreeEntry::Repository { .. });
        let committed = if merging { ":.gitmodules" } else { "HEAD:.gitmodules" };
        let takes_modules = selection.take.contains(&MODULES.into());
        let mut modules = BTreeSet::new();
        if takes_modules || held.values().any(is_repository) {
            let source = (!takes_modules).then_some(committed);
            modules = repo.modules(self.path, source)?;
        }
        let mut hollow = hollow_entries::among(tree, held, &modules);
        if takes_modules {
            // Submodules that `.gitmodules` no longer names and that are still there.
            let lost = repo.modules(self.path, Some(committed))?;
            let lost: Vec<RepoPath> = lost.difference(&modules).cloned().collect();
            let there = repo.index_blobs(self.path, &lost)?;
            let lost = lost
                .into_iter()
                .filter(|path| there.contains_key(path) && !selection.take.contains(path));
            let why = HollowReason::Repository { tracked: true };
            hollow.extend(lost.map(|path| Hollow { path, why: why.clone() }));
        }
        if merging && !hollow.is_empty() {
            // Submodules that a merge brings are the other side's to name.
            let head = repo.merge_head(self.path)?;
            let theirs =
                head.map(|head| repo.staged(self.path, head.as_str(), None)).transpose()?;
            let mut own: BTreeSet<RepoPath> = theirs.unwrap_or_default().into_iter().collect();
            own.extend(repo.unstaged(self.path)?);
            own.extend(tree.untracked.iter().map(RepoPath::without_slash));
            hollow.retain(|hollow| own.contains(&hollow.path));
        }
        Ok(hollow)
    }
}

fn nothing(overlooked: &[RepoPath], unseen: Vec<String>) -> Failure {
    let failure =
        Failure::new(Code::NothingToCommit, "nothing you own has changed since the last commit");
    match overlooked.first().map(checkpoint::overlooked).into_iter().chain(unseen).next() {
        Some(hint) => failure.hint(hint),
        None => failure.hint("go on working, or finish with pw-worker complete").next(Next::Brief),
    }
}
