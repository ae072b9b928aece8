//! A stopped integration: a worktree of our own in which somebody resolves one merge.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use pw_core::conflict::{ConflictKind, FileConflict};
use pw_core::facts::{History, WorktreeFacts};
use pw_core::failure::{Code, Failure};
use pw_core::id::{Oid, WorkerId};
use pw_core::integration::{Aborted, Stop, merges_since};
use pw_core::path::RepoPath;
use pw_core::record::{Choice, Event, Refs, Stopped};
use pw_core::report::{counted, shell_word};
use pw_core::time::rfc3339;
use pw_git::{Lock, Repo, Scratch, Transaction};

use super::merge::Chain;
use crate::shell::{Answer, Context};
use crate::view;
use crate::workflow::Workflow;

/// Records the stop, then makes the worktree to resolve it in; returns what to tell the agent.
pub(super) fn stop(workflow: &Workflow, stopped: Stopped) -> Result<Failure> {
    let names = Refs(&workflow.plan.workflow);
    let mut writer = workflow.writer()?;
    writer.add(&workflow.repo, &Event::Stopped(stopped.clone()))?;
    let candidate = workflow.refs.get(&names.candidate());
    let transaction = Transaction::default().set(&names.candidate(), &stopped.onto, candidate);
    if !writer.publish(&workflow.repo, transaction)? {
        return Ok(raced());
    }
    stand_still(workflow, &stopped)
}

/// Makes the resolution's worktree if it is not there, and says what to resolve.
pub(super) fn stand_still(workflow: &Workflow, stopped: &Stopped) -> Result<Failure> {
    let place = Place::of(workflow, stopped)?;
    let kept = place.prepare(workflow, stopped)?;
    let scratch = Scratch::new()?;
    let conflicts = workflow.repo.merge(&stopped.onto, &stopped.tip, Some(&scratch))?.conflicts;
    let files = counted(conflicts.len(), "file");
    let kept =
        kept.map(|name| format!("; what stood there before is kept as {name}")).unwrap_or_default();
    let hint =
        format!("resolve the files in {}, git add them there, then continue{kept}", place.shown);
    Ok(Failure::new(
        Code::MergeConflict,
        format!("{} does not merge: conflicts in {files}", stopped.worker),
    )
    .hint(hint)
    .next(format!("pw-integrate continue {}", workflow.plan.workflow))
    .details(place.details(workflow, stopped, conflicts)?))
}

/// Where a merge is resolved: one folder for each worker, so that a new stop never finds an old
/// one's files.
struct Place {
    /// Relative to the repository.
    shown: String,
    path: PathBuf,
}

impl Place {
    fn of(workflow: &Workflow, stopped: &Stopped) -> Result<Self> {
        let label = workflow.worker(&stopped.worker)?.label();
        let shown = format!("{}/_integration-{label}", workflow.plan.worktrees);
        Ok(Self { path: workflow.repo.root().join(&shown), shown })
    }

    fn details(
        &self,
        workflow: &Workflow,
        stopped: &Stopped,
        conflicts: Vec<FileConflict>,
    ) -> Result<Stop> {
        let Workflow { repo, record, .. } = workflow;
        let before = History::new(repo.history([&stopped.onto], &record.base)?);
        let start = workflow.integration().unwrap_or(&record.base);
        let merged = merges_since(&before, &stopped.onto, start);
        Ok(Stop {
            worker: stopped.worker.clone(),
            worktree: self.shown.clone(),
            conflicts,
            merged: merged.into_iter().map(|merged| merged.worker).collect(),
        })
    }

    /// Makes the worktree and starts the merge, unless that is done. What an attempt that was given
    /// up left there is kept under a ref first, whose name is returned.
    fn prepare(&self, workflow: &Workflow, stopped: &Stopped) -> Result<Option<String>> {
        let repo = &workflow.repo;
        let mut kept = None;
        match self.standing(repo, stopped)? {
            Standing::Merging | Standing::Concluded => return Ok(None),
            Standing::Begun => {
                repo.start_merge(&self.path, &stopped.tip)?;
                return Ok(None);
            }
            Standing::Absent => repo.forget_missing_worktree(&self.path)?,
            Standing::Other => {
                let (transaction, name) = self.keep(workflow, &stopped.worker)?;
                if !transaction.commit(repo)? {
                    return Err(raced().into());
                }
                kept = name;
                repo.roll_back_worktree(&self.path, None)?;
            }
        }
        let reason = format!("pw {} integration", workflow.plan.workflow);
        repo.add_detached(&self.path, &stopped.onto, &reason)?;
        repo.start_merge(&self.path, &stopped.tip)?;
        Ok(kept)
    }

    fn standing(&self, repo: &Repo, stopped: &Stopped) -> Result<Standing> {
        if self.path.symlink_metadata().is_err() {
            return Ok(Standing::Absent);
        }
        let WorktreeFacts::Present(tree) = repo.tree_state(&self.path)? else {
            return Ok(Standing::Other);
        };
        let head = repo.read_head(&self.path)?;
        let merging = repo.merge_head(&self.path)?;
        let idle = tree.operation.is_none();
        let has = |commit: &Oid| repo.is_ancestor(commit, &head.oid);
        Ok(if head.oid == stopped.onto && merging.as_ref() == Some(&stopped.tip) {
            Standing::Merging
        } else if idle && has(&stopped.onto)? && has(&stopped.tip)? {
            Standing::Concluded
        } else if head.oid == stopped.onto && idle && tree.uncommitted().is_empty() {
            Standing::Begun
        } else {
            Standing::Other
        })
    }

    /// Keeps everything in the worktree as a snapshot; returns the change of refs that makes it
    /// stay, and the ref's name.
    fn keep(
        &self,
        workflow: &Workflow,
        worker: &WorkerId,
    ) -> Result<(Transaction, Option<String>)> {
        let repo = &workflow.repo;
        if !matches!(repo.tree_state(&self.path)?, WorktreeFacts::Present(_)) {
            return Ok((Transaction::default(), None));
        }
        let names = Refs(&workflow.plan.workflow);
        let message = format!("Resolution of {worker}, given up\n");
        let commit = repo.snapshot(&self.path, &workflow.plan.disposable, &message)?;
        let number =
            (1..).find(|n| !workflow.refs.contains_key(&names.snapshot("integration", *n)));
        let name = names.snapshot("integration", number.context("no number left")?);
        Ok((Transaction::default().set(&name, &commit, None), Some(name)))
    }

    fn git(&self, words: &str, paths: &[RepoPath]) -> String {
        let paths: Vec<String> = paths.iter().map(|path| shell_word(&path.to_string())).collect();
        format!("git -C {} {words} {}", shell_word(&self.path.to_string_lossy()), paths.join(" "))
    }
}

/// How far a resolution has come.
enum Standing {
    /// There is no folder.
    Absent,
    /// The worktree was made, the merge not yet started.
    Begun,
    /// The merge is started and not committed.
    Merging,
    /// Somebody committed the merge by hand.
    Concluded,
    /// Anything else, for example left over from another attempt.
    Other,
}

fn raced() -> Failure {
    Failure::new(Code::Locked, "the record changed while this ran").hint("run the command again")
}

fn stopped(workflow: &Workflow) -> Result<&Stopped> {
    let nothing = || {
        Failure::new(Code::NothingStopped, "no integration is stopped")
            .hint("start one")
            .next(format!("pw-integrate run {}", workflow.plan.workflow))
    };
    Ok(workflow.record.stopped.as_ref().ok_or_else(nothing)?)
}

/// Takes the resolution in and goes on with who is left.
pub(super) fn go_on(context: &Context, name: Option<&str>, choice: &Choice) -> Result<Answer> {
    let workflow = Workflow::open(context, name)?;
    let _lock = Lock::take(workflow.repo.common(), &context.command, &rfc3339(context.now))?;
    let stopped = stopped(&workflow)?;
    let place = Place::of(&workflow, stopped)?;
    if !matches!(place.standing(&workflow.repo, stopped)?, Standing::Merging | Standing::Concluded)
    {
        return Err(stand_still(&workflow, stopped)?.into());
    }
    let tree = resolution(&workflow, stopped, &place)?;
    let choice = stopped.choice.and(choice);
    let mut chain = Chain::new(&workflow, context, choice, stopped.onto.clone())?;
    chain.take(&stopped.worker, &stopped.tip, &tree)?;
    let resolved = chain.commit().clone();
    let answer = chain.finish();
    let is_conflict = |error: &anyhow::Error| {
        error.downcast_ref::<Failure>().is_some_and(|failure| failure.code == Code::MergeConflict)
    };
    // Published, or the next stop is recorded upon it: the resolution is safe in a commit.
    if answer.as_ref().err().is_none_or(is_conflict) {
        workflow.repo.conclude_merge(&place.path, &resolved)?;
        workflow.repo.remove_worktree(&place.path)?;
    }
    answer
}

/// Returns the resolved tree, or refuses with what is left to do.
fn resolution(workflow: &Workflow, stopped: &Stopped, place: &Place) -> Result<Oid> {
    let repo = &workflow.repo;
    let WorktreeFacts::Present(tree) = repo.tree_state(&place.path)? else {
        return Err(stand_still(workflow, stopped)?.into());
    };
    let scratch = Scratch::new()?;
    let conflicts = repo.merge(&stopped.onto, &stopped.tip, Some(&scratch))?.conflicts;
    let asked: Vec<RepoPath> = conflicts.iter().map(|conflict| conflict.path.clone()).collect();
    let marked = repo.with_markers(&place.path, &asked);
    let mut not_added = repo.unstaged(&place.path)?;
    not_added.extend(tree.untracked);
    let sided: Vec<RepoPath> = repo
        .staged(&place.path, "HEAD", None)?
        .into_iter()
        .filter(|path| path.without_side().is_some())
        .collect();
    let edited = |path: &RepoPath| {
        let kind = conflicts.iter().find(|known| known.path == *path).map(|known| known.kind);
        matches!(kind, Some(ConflictKind::Content | ConflictKind::AddAdd))
    };
    let (edited, decided): (Vec<RepoPath>, Vec<RepoPath>) =
        tree.unmerged.into_iter().partition(edited);
    let steps = [
        (
            marked,
            "still has conflict markers",
            "edit the file until no markers are left",
            "diff --",
        ),
        (
            decided,
            "is not decided",
            "git wrote one side or both: look at both, then git add what shall stay and git rm what shall not",
            "status --",
        ),
        (
            sided,
            "is a name git made up for one side",
            "rename it with git mv, or remove it with git rm",
            "status --",
        ),
        (edited, "is not marked as resolved", "add what you resolved", "add --"),
        (not_added, "was changed and is not added", "add it, or undo the change", "add --all --"),
    ];
    for (paths, what, hint, command) in steps {
        let Some(first) = paths.first() else { continue };
        let kind =
            |path: &RepoPath| conflicts.iter().find(|known| known.path == *path).map(|c| c.kind);
        let left = paths.iter().map(|path| FileConflict {
            path: path.clone(),
            kind: kind(path).unwrap_or(ConflictKind::Other),
        });
        return Err(Failure::new(Code::Unresolved, format!("`{first}` {what}"))
            .hint(hint)
            .next(place.git(command, &paths))
            .details(place.details(workflow, stopped, left.collect())?)
            .into());
    }
    repo.index_tree(&place.path)
}

/// Gives the stopped integration up; what was in the worktree stays under a ref.
pub(super) fn abort(context: &Context, name: Option<&str>) -> Result<Answer> {
    let workflow = Workflow::open(context, name)?;
    let _lock = Lock::take(workflow.repo.common(), &context.command, &rfc3339(context.now))?;
    let stopped = stopped(&workflow)?;
    let place = Place::of(&workflow, stopped)?;
    let Workflow { repo, plan, refs, .. } = &workflow;
    let names = Refs(&plan.workflow);
    let (mut transaction, snapshot) = place.keep(&workflow, &stopped.worker)?;
    if let Some(candidate) = refs.get(&names.candidate()) {
        transaction = transaction.delete(&names.candidate(), candidate);
    }
    let mut writer = workflow.writer()?;
    writer.add(repo, &Event::Aborted { worker: stopped.worker.clone() })?;
    if !writer.publish(repo, transaction)? {
        return Err(raced().into());
    }
    match place.path.symlink_metadata().is_ok() {
        true => repo.roll_back_worktree(&place.path, None)?,
        false => repo.forget_missing_worktree(&place.path)?,
    }
    let restore =
        snapshot.as_ref().map(|name| format!("git branch {}-resolution {name}", plan.workflow));
    let aborted = Aborted {
        workflow: plan.workflow.clone(),
        worker: stopped.worker.clone(),
        snapshot,
        restore,
    };
    Answer::of(&aborted, view::aborted)
}
