//! The repository that a plan is to be set up in, and everything there that prevents it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use pw_core::branch::Branch;
use pw_core::channel::tracking;
use pw_core::failure::{Code, Failure};
use pw_core::graph;
use pw_core::id::{Oid, Slug};
use pw_core::next::NextStep;
use pw_core::plan::{Plan, Problem, ProblemCode, Problems, Worker, refused};
use pw_core::record::{Record, Refs};
use pw_core::setup::obstacles::{Taken, in_the_way, obstacles, require_compatible};
use pw_core::setup::{self, SetupStatus, WorkerSetup};
use pw_core::status::Base;
use pw_git::Repo;

use super::plan_file::PlanFile;
use crate::identity;
use crate::launcher;
use crate::shell::Context;
use crate::workflow::{read_record, read_refs};

/// A plan, and the repository it is to be set up in.
pub(super) struct PlannedWorkflow {
    pub(super) repo: Repo,
    pub(super) plan: Plan,
    pub(super) plan_text: String,
    pub(super) refs: BTreeMap<String, Oid>,
    pub(super) record: Record,
    /// The record's newest commit; `None` while the workflow is new.
    pub(super) record_tip: Option<Oid>,
}

impl PlannedWorkflow {
    /// Reads the repository, and refuses when anything there prevents the plan.
    pub(super) fn survey(context: &Context, file: PlanFile) -> Result<Self> {
        let PlanFile { text, plan } = file;
        let mut repo = Repo::open(&context.directory)?;
        if plan.remote.is_some() {
            repo.fetch_what_lacks();
        }
        if repo.root().to_str().is_none() {
            return Err(Failure::new(Code::InTheWay, "the path of the repository is not UTF-8")
                .hint("move the repository to a folder whose name is; launchers could not find it")
                .details(Problems { problems: Vec::new() })
                .into());
        }
        let refs = read_refs(&repo)?;
        let record_tip = refs.get(&Refs(&plan.workflow).record()).cloned();
        let record = match &record_tip {
            Some(tip) => {
                let (old_text, mut record, old) = read_record(&repo, &refs, tip)?;
                identity::follow_base(&repo, &mut record, &refs)?;
                if old_text != text {
                    require_compatible(&old, &plan, &record)?;
                }
                record
            }
            None => {
                let (branch, base) = base(&repo, &plan)?;
                Record::new(branch, base, context.now)
            }
        };
        let planned = Self { repo, plan, plan_text: text, refs, record, record_tip };
        let new: Vec<&Worker> =
            planned.plan.workers.iter().filter(|worker| planned.is_new(worker)).collect();
        let root = planned.repo.root();
        let occupied = |folder: &str| {
            let path = root.join(folder);
            let entries = std::fs::read_dir(&path).map(|mut entries| entries.next().is_some());
            entries.unwrap_or_else(|_| path.symlink_metadata().is_ok())
        };
        let is_new = planned.record_tip.is_none();
        if is_new {
            planned.require_free_folder()?;
        }
        let held = |label: &str| planned.other_with(label);
        let taken = Taken { refs: &planned.refs, folder: &occupied, label: &held };
        let problems = obstacles(&planned.plan, &new, is_new, &taken);
        if problems.is_empty() { Ok(planned) } else { Err(in_the_way(problems).into()) }
    }

    /// Refuses a folder for worktrees that holds files of the repository: kept out of `git status`,
    /// new ones among them would never be committed.
    pub(super) fn require_free_folder(&self) -> Result<()> {
        let folder = &self.plan.worktrees;
        // Also one above it: the worktrees would be where that leads.
        let root = self.repo.root();
        let mut above = Path::new(folder).ancestors().filter(|path| *path != Path::new(""));
        let is_link = above.any(|path| root.join(path).is_symlink());
        if !is_link && !self.repo.is_tracked(&self.record.base, folder)? {
            return Ok(());
        }
        let what = if is_link { "is a link" } else { "holds files of the repository" };
        let message = format!("the folder {folder} for worktrees {what}");
        let hint = "name another one with `worktrees:` in the plan";
        Err(in_the_way(vec![Problem::new(ProblemCode::FolderExists, message, hint)]).into())
    }

    pub(super) fn is_new(&self, worker: &Worker) -> bool {
        !self.record.placements.contains_key(&worker.id)
    }

    /// Returns whether it was merged and cleaned up.
    pub(super) fn is_removed(&self, worker: &Worker) -> bool {
        self.record.cleaned.contains(&worker.id)
    }

    /// Returns the other workflow whose record has a worker of this label.
    pub(super) fn other_with(&self, label: &str) -> Option<Slug> {
        let has = |name: &Slug| {
            let tip = self.refs.get(&Refs(name).record())?;
            let (text, record) = self.repo.record(tip).ok()?;
            let plan = Plan::recorded(&text).ok()?;
            plan.workers.iter().any(|w| w.label() == label && record.has(&w.id)).then_some(())
        };
        let others = identity::holders(&self.repo, label).into_iter();
        others.filter(|name| *name != self.plan.workflow).find(|name| has(name).is_some())
    }

    /// Returns the tip of a worker's branch, unless it was cleaned up: then the name is free.
    pub(super) fn branch(&self, worker: &Worker) -> Option<&Oid> {
        let tip = self.refs.get(&worker.branch().full());
        tip.filter(|_| !self.record.cleaned.contains(&worker.id))
    }

    /// Returns whether the plan's remote has a worker's branch: it was made in another clone.
    pub(super) fn is_elsewhere(&self, worker: &Worker) -> bool {
        self.plan.remote.is_some() && self.refs.contains_key(&tracking(&worker.branch().full()))
    }

    pub(super) fn worktree(&self, worker: &Worker) -> PathBuf {
        self.repo.root().join(self.plan.worktree(worker))
    }

    /// Returns the answer, with what was or would be done for each worker.
    pub(super) fn report(
        &self,
        status: &dyn Fn(&Worker) -> SetupStatus,
        next: Vec<NextStep>,
    ) -> setup::Setup {
        let base_tip =
            self.record.base_branch.as_ref().and_then(|branch| self.refs.get(&branch.full()));
        let workers = self.plan.workers.iter().map(|worker| WorkerSetup {
            id: worker.id.clone(),
            label: worker.label(),
            branch: worker.branch(),
            worktree: self.plan.worktree(worker),
            launch: launcher::command(&self.repo, &self.plan, worker),
            status: status(worker),
            port: self.record.placements.get(&worker.id).and_then(|placement| placement.port),
            owns: worker.owns.globs().map(str::to_owned).collect(),
            after: worker.after.clone(),
            size: worker.size,
        });
        setup::Setup {
            workflow: self.plan.workflow.clone(),
            base: Base {
                branch: self.record.base_branch.clone(),
                commit: self.record.base.clone(),
                moved: base_tip.is_some_and(|tip| *tip != self.record.base),
            },
            waves: graph::waves(&self.plan),
            workers: workers.collect(),
            in_short: None,
            next,
        }
    }
}

/// Returns the branch and commit to fork from.
fn base(repo: &Repo, plan: &Plan) -> Result<(Option<Branch>, Oid)> {
    let head = repo.head()?;
    let Some(name) = &plan.base else { return Ok(head) };
    let unknown = || {
        let message = format!("`base` {name:?} is no branch, tag or commit here");
        refused(vec![Problem::new(
            ProblemCode::UnknownBase,
            message,
            "name a branch that exists, or leave `base` out",
        )])
    };
    let commit = repo.resolve(name)?.ok_or_else(unknown)?;
    // Only a local branch can be landed on later.
    let branch = Branch::from(name.as_str());
    let is_branch = repo.refs(&[&branch.full()])?.contains_key(&branch.full());
    Ok((is_branch.then_some(branch), commit))
}
