//! The worktree of our own in which the user or a session resolves a merge.

use std::path::PathBuf;

use anyhow::Result;
use pw_core::details::Files;
use pw_core::facts::WorktreeFacts;
use pw_core::failure::{Code, Failure};
use pw_core::id::Oid;
use pw_core::next::{CommandLine, Next};
use pw_core::path::RepoPath;
use pw_core::record::Stopped;
use pw_core::snapshot::RESOLUTIONS;
use pw_git::{Journal, PendingRemoval, Repo, Transaction};

use crate::snapshot::KeptSnapshot;
use crate::workflow::Workflow;

/// How the names of the folders begin in which merges are resolved; no worker's label begins so.
pub(crate) const FOLDER: &str = "_integration-";

/// Where a merge is resolved: one folder for each worker, so that a new stop never finds an old
/// one's files.
pub(crate) struct Resolution {
    /// Relative to the repository.
    pub(crate) shown: String,
    pub(crate) path: PathBuf,
}

impl Resolution {
    pub(crate) fn of(workflow: &Workflow, stopped: &Stopped) -> Result<Self> {
        let label = workflow.worker(&stopped.worker)?.label();
        let shown = format!("{}/{FOLDER}{label}", workflow.plan.worktrees);
        Ok(Self { path: workflow.repo.root().join(&shown), shown })
    }

    /// Keeps as a snapshot what an attempt that was given up left there; returns its name.
    pub(super) fn make_room(
        &self,
        workflow: &Workflow,
        stopped: &Stopped,
        journal: &mut Journal,
    ) -> Result<Option<String>> {
        match self.progress(&workflow.repo, stopped)? {
            Progress::Other => self.clear(workflow, stopped, None, journal),
            _ => Ok(None),
        }
    }

    /// Removes the worktree; what is in it and not in `known` is kept as a snapshot, whose name is
    /// returned.
    pub(super) fn clear(
        &self,
        workflow: &Workflow,
        stopped: &Stopped,
        known: Option<&Oid>,
        journal: &mut Journal,
    ) -> Result<Option<String>> {
        let repo = &workflow.repo;
        let Some((aside, keeping)) = self.keep(workflow, stopped)? else { return Ok(None) };
        let is_known = |keeping: &KeptSnapshot| match known {
            Some(known) => Ok(repo.tree_of(known)? == repo.tree_of(keeping.commit())?),
            None => anyhow::Ok(false),
        };
        let keeping = match keeping {
            Some(keeping) if !is_known(&keeping)? => keeping,
            _ => return aside.discard().map(|()| None),
        };
        let transaction = keeping.join(workflow, journal, Transaction::default())?;
        journal.publish(repo, transaction)?;
        aside.discard()?;
        Ok(Some(keeping.id.to_string()))
    }

    pub(super) fn progress(&self, repo: &Repo, stopped: &Stopped) -> Result<Progress> {
        repo.recover_removal(&self.path)?;
        if self.path.symlink_metadata().is_err() {
            return Ok(Progress::Absent);
        }
        let WorktreeFacts::Present(tree) = repo.tree_state(&self.path)? else {
            return Ok(Progress::Other);
        };
        let head = repo.read_head(&self.path)?;
        let merging = repo.merge_head(&self.path)?;
        let idle = tree.operation.is_none();
        let has = |commit: &Oid| repo.is_ancestor(commit, &head.oid);
        Ok(if head.oid == stopped.onto && merging.as_ref() == Some(&stopped.tip) {
            Progress::Merging
        } else if idle && has(&stopped.onto)? && has(&stopped.tip)? {
            Progress::Concluded
        } else if head.oid == stopped.onto && idle && tree.uncommitted().is_empty() {
            Progress::Begun
        } else {
            Progress::Other
        })
    }

    /// Puts the worktree aside and writes everything in it as a snapshot, unless it was never made
    /// whole. `None` when there is no folder. Refuses files in a folder that is no worktree: git
    /// makes the `.git` link first, so that they can be a resolution which lost it.
    pub(super) fn keep(
        &self,
        workflow: &Workflow,
        stopped: &Stopped,
    ) -> Result<Option<(PendingRemoval, Option<KeptSnapshot>)>> {
        let Workflow { repo, plan, .. } = workflow;
        let Some(aside) = repo.begin_removal(&self.path)? else {
            repo.forget_missing_worktree(&self.path)?;
            return Ok(None);
        };
        if !matches!(repo.tree_state(&aside.path())?, WorktreeFacts::Present(_)) {
            return match repo.any_file(&aside.path())? {
                Some(file) => Err(self.without_a_link(workflow, &aside, &file).into()),
                None => Ok(Some((aside, None))),
            };
        }
        let survey = repo.survey(&aside.path(), &plan.disposable)?;
        if let Some(nested) = survey.changes.nested.first() {
            let message = format!("`{nested}` in {} is a repository of its own", self.shown);
            return Err(Failure::new(Code::DirtyTree, message)
                .hint("no snapshot can hold it: move it out of there, then run the command again")
                .details(survey.changes.nested.iter().collect::<Files>())
                .into());
        }
        let why = format!("resolution of {}, aborted", stopped.worker);
        let of = RESOLUTIONS.parse()?;
        let keeping = KeptSnapshot::of_worktree(workflow, &of, &aside.path(), &survey, &why)?;
        Ok(Some((aside, Some(keeping))))
    }

    pub(super) fn git(&self, words: &str, paths: &[RepoPath]) -> CommandLine {
        paths.iter().fold(CommandLine::git(&self.path, words), CommandLine::file)
    }

    fn without_a_link(
        &self,
        workflow: &Workflow,
        aside: &PendingRemoval,
        file: &RepoPath,
    ) -> Failure {
        let repo = &workflow.repo;
        let file = self.path.join(file.to_path());
        let message = format!("{} lies in a folder that is no worktree any more", file.display());
        let failure = Failure::new(Code::InTheWay, message);
        let is_known = repo.worktrees().iter().any(|worktree| worktree.path == self.path);
        if !is_known && aside.path().join(".git").symlink_metadata().is_err() {
            return failure.hint("move that file away, then run the command again");
        }
        failure
            .hint("repair the worktree, then run the command again")
            .next(Next::Repair(Some(&workflow.plan.workflow)))
    }
}

/// How far a resolution has come.
pub(super) enum Progress {
    /// There is no folder.
    Absent,
    /// The worktree was made, the merge not yet started.
    Begun,
    /// The merge is started and not committed.
    Merging,
    /// The user or a session committed the merge.
    Concluded,
    /// Anything else, for example left over from another attempt.
    Other,
}
