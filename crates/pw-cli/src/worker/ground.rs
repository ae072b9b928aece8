//! What a tool call is judged by: the worker, the plan, and where all worktrees are.
//!
//! It is asked at every use of a tool, and to start git would be most of the time. A record never changes
//! below its newest commit: what it holds is kept beside the worker's launcher, with that commit, and
//! counts as long as git's files say plainly that the record is still there. Else git is asked.

use std::path::Path;

use anyhow::Result;
use pw_core::id::{Oid, WorkerId};
use pw_core::plan::{Plan, Worker};
use pw_core::record::{Record, Refs};
use pw_git::{Glance, RecordText, RefFiles, Repo};
use serde::{Deserialize, Serialize};

use crate::identity;
use crate::launcher;
use crate::shell::Context as Shell;
use crate::whole_file;
use crate::workflow::Workflow;

/// The name of the file beside the launcher.
const KEPT: &str = "record.json";

/// What a tool call of one worker's session is judged by.
pub(super) struct Ground {
    pub(super) repo: Repo,
    pub(super) plan: Plan,
    pub(super) record: Record,
    pub(super) record_tip: Oid,
    pub(super) worker: Worker,
}

impl Ground {
    /// Reads it in the worktree of the worker.
    ///
    /// # Errors
    ///
    /// As [`Workflow::open_here`].
    pub(super) fn read(shell: &Shell) -> Result<Self> {
        let glance = Glance::at(&shell.directory).filter(|_| !shell.fetch);
        let known = glance.clone().and_then(Self::known);
        if let Some(known) = known {
            return Ok(known);
        }
        let (workflow, id) = Workflow::open_here(shell)?;
        let ground = Self::of(&workflow, &id)?;
        if glance.is_some() {
            // Where that fails, git is asked again at the next use.
            let _ = ground.keep();
        }
        Ok(ground)
    }

    /// Returns the same of a workflow that is open.
    ///
    /// # Errors
    ///
    /// `unknown_worker`.
    pub(super) fn of(workflow: &Workflow, worker: &WorkerId) -> Result<Self> {
        let worker = workflow.worker(worker)?.clone();
        let Workflow { repo, plan, record, record_tip, .. } = workflow;
        let (repo, plan, record) = (repo.clone(), plan.clone(), record.clone());
        Ok(Self { repo, plan, record, record_tip: record_tip.clone(), worker })
    }

    /// Reads it without git; `None` where it is not kept, or not certain to be as git would say.
    fn known(glance: Glance) -> Option<Self> {
        let Glance { mut repo, worktree, own } = glance;
        let (workflow, id) = identity::owner(&worktree)?;
        let record_tip = RefFiles::of(&own).tip(&Refs(&workflow).record())?;
        // The folder has the worker's label; whether that is so, the plan tells below.
        let beside = repo.common().join("pw").join(workflow.as_str());
        let beside = beside.join(worktree.path.file_name()?);
        let text = Kept::read(&beside, &record_tip)?;
        let (plan, record) = (Plan::recorded(&text.plan).ok()?, text.replay().ok()?);
        let worker = plan.worker(&id)?.clone();
        let is_its = repo.root().join(plan.worktree(&worker)) == worktree.path;
        if plan.workflow != workflow || !record.has(&id) || !is_its {
            return None;
        }
        if plan.remote.is_some() {
            repo.fetch_what_lacks();
        }
        Some(Self { repo, plan, record, record_tip, worker })
    }

    fn keep(&self) -> Result<()> {
        let folder = launcher::folder(&self.repo, &self.plan, &self.worker);
        // Once the worker is cleaned up, it is gone.
        if !folder.is_dir() || Kept::read(&folder, &self.record_tip).is_some() {
            return Ok(());
        }
        let RecordText { plan, events } = self.repo.record_text(&self.record_tip)?;
        let mut kept = Kept { record: self.record_tip.to_string(), sum: 0, plan, events };
        kept.sum = kept.count();
        whole_file::write(&folder.join(KEPT), &serde_json::to_string(&kept)?, 0o600)
    }
}

/// A record's text, as it is kept.
#[derive(Deserialize, Serialize)]
struct Kept {
    /// The newest commit of the record.
    record: String,
    /// Of the rest: a disk may bring back something else.
    sum: u32,
    plan: String,
    events: Vec<(String, i64)>,
}

impl Kept {
    fn read(folder: &Path, tip: &Oid) -> Option<RecordText> {
        let kept: Self = serde_json::from_slice(&std::fs::read(folder.join(KEPT)).ok()?).ok()?;
        let is_it = kept.record == tip.as_str() && kept.sum == kept.count();
        is_it.then_some(RecordText { plan: kept.plan, events: kept.events })
    }

    fn count(&self) -> u32 {
        let mut sum = crc32fast::Hasher::new();
        sum.update(self.record.as_bytes());
        sum.update(self.plan.as_bytes());
        for (subject, at) in &self.events {
            sum.update(subject.as_bytes());
            sum.update(&at.to_le_bytes());
        }
        sum.finalize()
    }
}
