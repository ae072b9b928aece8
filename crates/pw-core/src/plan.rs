//! The plan: who does what, in which files, after whom.
//!
//! [`Plan::parse`] reports every problem at once, each with a code, the one thing to change, the
//! line and the workers it concerns. A plan that parses keeps all promises of `DESIGN` §3.

mod decode;
mod machines;
mod problem;
mod read;
mod reads;
mod rules;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::machines::EngineSettings;
pub use self::problem::{Problem, ProblemCode, Problems, refused};
use crate::branch::Branch;
use crate::gate::Gate;
use crate::id::{Slug, WorkerId};
use crate::path::RepoPath;
use crate::scope::Scope;
use crate::signal::Carrier;
use crate::time::Seconds;

/// What `permissions` must say, word for word, to do without permission checks.
pub const SKIP_PERMISSIONS: &str = "dangerously-skip-permissions";

/// What `merge_driver` may say.
pub const MERGIRAF: &str = "mergiraf";

/// What `notify` is told of an event, in this order: its kind, the worker it is about (empty when it is about
/// several), one sentence, and the workflow.
pub const NOTIFY: [&str; 4] = ["kind", "worker", "text", "workflow"];

/// The most heavy commands that a plan lets run at once.
pub const MAX_HEAVY: u16 = 64;

/// Where worktrees are made unless the plan says otherwise.
pub const DEFAULT_WORKTREES: &str = "worktrees";

/// A valid plan.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The workflow's name: it is part of branches, refs and folders.
    pub workflow: Slug,
    /// What was asked, in the user's words.
    pub goal: String,
    /// The branch to fork from; the one checked out when absent.
    pub base: Option<String>,
    /// The commands that say whether the result is good, in the order they run.
    pub verify: Vec<Gate>,
    /// The quick command that says whether a fresh worktree works at all, tried before any worker
    /// starts; the gates where it is absent.
    pub smoke: Option<String>,
    /// The command run once in each new worktree.
    pub setup: Option<String>,
    /// Ignored files carried over into each new worktree.
    pub copy: Scope,
    /// Paths that every worker may change.
    pub shared: Scope,
    /// Files that only grow, shared as well: where both sides added lines, a merge keeps both.
    pub union: Scope,
    /// What all workers read besides their scopes: their worktrees are sparse, and have these folders
    /// too. The whole checkout when absent.
    pub reads: Option<Scope>,
    /// Ignored content, in any folder, that may be deleted with a worktree.
    pub disposable: Scope,
    /// The folder for worktrees, relative to the repository.
    pub worktrees: String,
    /// Whether git hooks in each worktree refuse commits outside the scope.
    pub git_hooks: bool,
    /// Whether `verify` must pass before a worker may say that it is complete.
    pub verify_on_complete: bool,
    /// Where commits carry signals.
    pub carrier: Carrier,
    /// The git remote through which clones work together: signals and the record are pushed there.
    /// Nothing is pushed when absent.
    pub remote: Option<String>,
    /// How long one question to it may take.
    pub remote_limit: Option<Seconds>,
    /// About the machines of engines.
    pub engine: EngineSettings,
    /// The command of `pw-setup launch --with custom`.
    pub launch: Option<String>,
    /// The command that is run once for each event that the user or an agent must act on, with the
    /// placeholders of [`NOTIFY`].
    pub notify: Option<String>,
    /// How many heavy commands may run at once in the repository; by the cores of the machine when
    /// absent.
    pub heavy: Option<u16>,
    /// How long a worker may show nothing before it counts as stalled.
    pub stall_after: Option<Seconds>,
    /// Whether mergiraf is asked about what git cannot merge.
    pub uses_mergiraf: bool,
    /// Whether the user wrote, in words, that sessions skip every permission check.
    pub skips_permissions: bool,
    /// What all workers together may use.
    pub budget: Option<Budget>,
    /// In the order of the file, which is the order of reports.
    pub workers: Vec<Worker>,
}

/// One worker of a plan.
#[derive(Clone, Debug)]
pub struct Worker {
    /// Unique in the plan, `task-1`.
    pub id: WorkerId,
    /// A word for people; with the id it makes the label, `task-1-users`.
    pub name: WorkerId,
    /// The paths that this worker alone may change.
    pub owns: Scope,
    /// What this worker reads besides, as [`Plan::reads`].
    pub reads: Option<Scope>,
    /// Workers that must be complete before this one starts.
    pub after: Vec<WorkerId>,
    /// What other workers may name in `[NEEDS:id/item]`.
    pub provides: Vec<String>,
    /// How much work the planner thinks it is; nothing is derived from it.
    pub size: Option<Size>,
    /// What to do, in the user's words.
    pub tasks: Vec<String>,
    /// What the planner wants to see finished on the way, one text each.
    pub checkpoints: Vec<String>,
    /// Free text for the worker; empty when there is none.
    pub notes: String,
    /// What this worker may use.
    pub budget: Option<Budget>,
}

/// What a worker, or all of them together, may use.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Budget {
    /// Minutes in which its sessions do something.
    pub minutes: Option<u64>,
    /// Tokens, those of caches included.
    pub tokens: Option<u64>,
    /// US dollars, as far as the client tells.
    pub cost: Option<f64>,
}

/// A worker's estimated amount of work.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Size {
    /// Under half an hour.
    S,
    /// One to two hours.
    M,
    /// Half a day.
    L,
    /// More: to be split.
    #[serde(rename = "XL")]
    Xl,
}

impl Plan {
    /// Returns what a new worktree is prepared with, as one text.
    pub fn preparation(&self) -> String {
        let copied: String = self.copy.globs().map(|glob| format!("\0{glob}")).collect();
        self.setup.clone().unwrap_or_default() + &copied
    }

    /// Returns the worker of this id.
    pub fn worker(&self, id: &WorkerId) -> Option<&Worker> {
        self.workers.iter().find(|worker| worker.id == *id)
    }

    /// Returns the workers in the order of the plan.
    pub fn ids(&self) -> impl Iterator<Item = &WorkerId> {
        self.workers.iter().map(|worker| &worker.id)
    }

    /// Returns whether `worker` may change `path`.
    pub fn allows(&self, worker: &Worker, path: &RepoPath) -> bool {
        worker.owns.owns(path) || self.shared.owns(path)
    }

    /// Returns the workers that `id` builds upon, directly or not, in the order of the plan.
    pub fn dependencies(&self, id: &WorkerId) -> Vec<&WorkerId> {
        let mut found: Vec<&WorkerId> = Vec::new();
        let mut queue: Vec<&WorkerId> =
            self.worker(id).into_iter().flat_map(|w| &w.after).collect();
        while let Some(next) = queue.pop() {
            if !found.contains(&next) {
                found.push(next);
                queue.extend(self.worker(next).into_iter().flat_map(|w| &w.after));
            }
        }
        self.ids().filter(|id| found.contains(id)).collect()
    }

    /// Returns the folder of a worker's worktree, relative to the repository.
    pub fn worktree(&self, worker: &Worker) -> String {
        format!("{}/{}", self.worktrees, worker.label())
    }

    /// Returns why a worker's worktree is locked, which also says whose it is.
    pub fn lock_reason(&self, worker: &Worker) -> String {
        format!("pw {} {}", self.workflow, worker.id)
    }

    /// Returns the branch on which the workers' results come together.
    pub fn integration_branch(&self) -> Branch {
        Branch::integration(&self.workflow)
    }
}

impl Worker {
    /// Returns `task-1-users` for worker `task-1` named `users`.
    pub fn label(&self) -> String {
        format!("{}-{}", self.id, self.name)
    }

    /// Returns the planned checkpoints that none of these texts names.
    pub fn remaining(&self, said: &[String]) -> Vec<String> {
        let said: Vec<String> = said.iter().map(|text| text.to_lowercase()).collect();
        let is_said = |planned: &&String| {
            let planned = planned.to_lowercase();
            said.iter().any(|text| text.contains(planned.trim()))
        };
        self.checkpoints.iter().filter(|planned| !is_said(planned)).cloned().collect()
    }

    /// Returns whether all planned checkpoints were said, by name or by count; false when none were
    /// planned.
    pub fn has_said_all(&self, said: &[String]) -> bool {
        let all = said.len() >= self.checkpoints.len() || self.remaining(said).is_empty();
        all && !self.checkpoints.is_empty()
    }

    /// Returns the worker's branch.
    pub fn branch(&self) -> Branch {
        Branch::of_worker(&self.label())
    }
}
