//! The worktree of our own in which somebody resolves a merge.

use std::path::PathBuf;

use anyhow::Result;
use pw_core::facts::WorktreeFacts;
use pw_core::failure::{Code, Failure};
use pw_core::id::{Oid, WorkerId};
use pw_core::path::RepoPath;
use pw_core::record::Stopped;
use pw_core::report::shell_word;
use pw_core::snapshot::{Changes, RESOLUTIONS};
use pw_git::{RecordWriter, Repo, Transaction};

use super::resolve::raced;
use super::stop::Trial;
use crate::snapshot::Keeping;
use crate::workflow::Workflow;

/// Where a merge is resolved: one folder for each worker, so that a new stop never finds an old
/// one's files.
pub(super) struct Place {
    /// Relative to the repository.
    pub(super) shown: String,
    pub(super) path: PathBuf,
}

impl Place {
    pub(super) fn of(workflow: &Workflow, stopped: &Stopped) -> Result<Self> {
        let label = workflow.worker(&stopped.worker)?.label();
        let shown = format!("{}/_integration-{label}", workflow.plan.worktrees);
        Ok(Self { path: workflow.repo.root().join(&shown), shown })
    }

    /// Makes the worktree and starts the merge, unless that is done. What an attempt that was given
    /// up left there is kept under a ref first, whose name is returned.
    pub(super) fn prepare(
        &self,
        workflow: &Workflow,
        stopped: &Stopped,
        trial: &Trial,
    ) -> Result<Option<String>> {
        let repo = &workflow.repo;
        let mut kept = None;
        match self.standing(repo, stopped)? {
            Standing::Merging | Standing::Concluded => return Ok(None),
            Standing::Begun => {
                self.start(repo, stopped, trial)?;
                return Ok(None);
            }
            Standing::Absent => repo.forget_missing_worktree(&self.path)?,
            Standing::Other => kept = self.clear(workflow, &stopped.worker)?,
        }
        let reason = format!("pw {} integration", workflow.plan.workflow);
        repo.add_detached(&self.path, &stopped.onto, &reason)?;
        self.start(repo, stopped, trial)?;
        Ok(kept)
    }

    /// Starts the merge, and writes what is remembered. Git still calls those files unmerged, so
    /// that nothing is taken which nobody looked at.
    fn start(&self, repo: &Repo, stopped: &Stopped, trial: &Trial) -> Result<()> {
        repo.start_merge(&self.path, &stopped.tip)?;
        for (path, blob) in &trial.by_mergiraf {
            repo.settle(&self.path, path, blob)?;
        }
        for (path, content) in &trial.recalled {
            repo.write_checked_out(&self.path, path, content)?;
        }
        Ok(())
    }

    /// Keeps what is in the worktree as a snapshot, whose name is returned, and removes it.
    fn clear(&self, workflow: &Workflow, worker: &WorkerId) -> Result<Option<String>> {
        let mut writer = workflow.writer()?;
        let (transaction, keeping) = self.keep(workflow, worker, &mut writer)?;
        if !writer.publish(&workflow.repo, transaction)? {
            return Err(raced().into());
        }
        workflow.repo.roll_back_worktree(&self.path, None)?;
        Ok(keeping.map(|keeping| keeping.id.to_string()))
    }

    /// Removes the worktree once its resolution is the commit `resolved`. What else is in it is kept
    /// as a snapshot; returns whether that was so, and the record has gone on.
    pub(super) fn leave(
        &self,
        workflow: &Workflow,
        stopped: &Stopped,
        resolved: &Oid,
    ) -> Result<bool> {
        let Workflow { repo, plan, .. } = workflow;
        let is_resolved = match self.standing(repo, stopped)? {
            Standing::Absent => {
                repo.forget_missing_worktree(&self.path)?;
                return Ok(false);
            }
            Standing::Merging | Standing::Concluded => {
                repo.index_tree(&self.path).ok() == Some(repo.tree_of(resolved)?)
            }
            Standing::Begun | Standing::Other => false,
        };
        if is_resolved {
            repo.conclude_merge(&self.path, resolved)?;
            if repo.survey(&self.path, &plan.disposable)?.changes == Changes::default() {
                repo.remove_worktree(&self.path)?;
                return Ok(false);
            }
        }
        self.clear(workflow, &stopped.worker)?;
        Ok(true)
    }

    pub(super) fn standing(&self, repo: &Repo, stopped: &Stopped) -> Result<Standing> {
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

    /// Keeps everything in the worktree; returns the change of refs that makes it stay, and the
    /// snapshot.
    pub(super) fn keep(
        &self,
        workflow: &Workflow,
        worker: &WorkerId,
        writer: &mut RecordWriter,
    ) -> Result<(Transaction, Option<Keeping>)> {
        let Workflow { repo, plan, .. } = workflow;
        if !matches!(repo.tree_state(&self.path)?, WorktreeFacts::Present(_)) {
            return Ok((Transaction::default(), None));
        }
        let survey = repo.survey(&self.path, &plan.disposable)?;
        if let Some(nested) = survey.changes.nested.first() {
            let message = format!("`{nested}` in {} is a repository of its own", self.shown);
            return Err(Failure::new(Code::DirtyTree, message)
                .hint("no snapshot can hold it: move it out of there, then run the command again")
                .details(serde_json::json!({ "paths": survey.changes.nested }))
                .into());
        }
        let why = format!("resolution of {worker}, given up");
        let keeping =
            Keeping::of_worktree(workflow, &RESOLUTIONS.parse()?, &self.path, &survey, &why)?;
        let transaction = keeping.join(workflow, writer, Transaction::default())?;
        Ok((transaction, Some(keeping)))
    }

    pub(super) fn git(&self, words: &str, paths: &[RepoPath]) -> String {
        let paths: Vec<String> = paths.iter().map(|path| shell_word(&path.to_string())).collect();
        format!("git -C {} {words} {}", shell_word(&self.path.to_string_lossy()), paths.join(" "))
    }
}

/// How far a resolution has come.
pub(super) enum Standing {
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
