//! The plan: who does what, in which files, after whom.
//!
//! [`Plan::parse`] reports every problem at once, each with a code, the one thing to change, the
//! line and the workers it concerns. A plan that parses keeps all promises of `DESIGN` §3.

mod decode;
mod rules;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::decode::Draft;
use crate::failure::{Code, Failure};
use crate::gate::Gate;
use crate::id::{Slug, WorkerId};
use crate::path::RepoPath;
use crate::scope::Scope;
use crate::time::Seconds;
use crate::yaml;

/// What `permissions` must say, word for word, to do without permission checks.
pub const SKIP_PERMISSIONS: &str = "dangerously-skip-permissions";

/// What `merge_driver` may say.
pub const MERGIRAF: &str = "mergiraf";

/// Where worktrees are made unless the plan says otherwise.
pub const DEFAULT_WORKTREES: &str = "worktrees";

/// A valid plan.
#[derive(Clone, Debug)]
pub struct Plan {
    pub workflow: Slug,
    /// What was asked, in the user's words.
    pub goal: String,
    /// The branch to fork from; the one checked out when absent.
    pub base: Option<String>,
    /// The commands that say whether the result is good, in the order they run.
    pub verify: Vec<Gate>,
    /// The command run once in each new worktree.
    pub setup: Option<String>,
    /// Ignored files carried over into each new worktree.
    pub copy: Scope,
    /// What everybody may touch.
    pub shared: Scope,
    /// Ignored content that may be deleted with a worktree, whatever folder it is in.
    pub disposable: Scope,
    /// The folder for worktrees, relative to the repository.
    pub worktrees: String,
    /// Whether git hooks in each worktree refuse commits outside the scope.
    pub git_hooks: bool,
    /// Whether `verify` must pass before a worker may say that it is complete.
    pub verify_on_complete: bool,
    /// Where every signal is pushed to; nowhere when absent.
    pub remote: Option<String>,
    /// The command of `pw-setup launch --with custom`.
    pub launch: Option<String>,
    /// How long a worker may show nothing before it counts as stalled.
    pub stall_after: Option<Seconds>,
    /// Whether mergiraf is asked about what git cannot merge.
    pub uses_mergiraf: bool,
    /// Whether the user wrote, in words, that sessions skip every permission check.
    pub skips_permissions: bool,
    pub workers: Vec<Worker>,
}

/// One worker of a plan.
#[derive(Clone, Debug)]
pub struct Worker {
    pub id: WorkerId,
    pub name: WorkerId,
    pub owns: Scope,
    /// Workers that must be complete before this one starts.
    pub after: Vec<WorkerId>,
    /// What others may name in `[NEEDS:id/item]`.
    pub provides: Vec<String>,
    pub size: Option<Size>,
    pub tasks: Vec<String>,
    pub checkpoints: Vec<String>,
    pub notes: String,
}

/// A worker's estimated amount of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Size {
    S,
    M,
    L,
    #[serde(rename = "XL")]
    Xl,
}

impl Plan {
    /// Reads a plan, or says everything that is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        Self::read(text, rules::check)
    }

    /// Reads a plan that was good when it was recorded: what holds between its workers is not
    /// proved again, which takes longer than all else.
    pub fn recorded(text: &str) -> Result<Self, Failure> {
        Self::read(text, |_, _| {})
    }

    fn read(text: &str, check: fn(&Draft, &mut Vec<Problem>)) -> Result<Self, Failure> {
        let root = yaml::read(text).map_err(|error| {
            let at = error.line.map(|line| format!("line {line}: ")).unwrap_or_default();
            let problem = Problem {
                line: error.line,
                ..Problem::new(ProblemCode::Yaml, &error.message, error.hint)
            };
            Failure::new(Code::PlanUnreadable, format!("{at}{}", error.message))
                .hint(error.hint)
                .details(Problems { problems: vec![problem] })
        })?;
        let mut problems = Vec::new();
        let draft = decode::draft(&root, &mut problems);
        check(&draft, &mut problems);
        match draft.finish() {
            Some(plan) if problems.is_empty() => Ok(plan),
            _ => Err(refused(problems)),
        }
    }

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
    pub fn integration_branch(&self) -> String {
        format!("integration/{}", self.workflow)
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

    /// Returns whether as many checkpoints as were planned, or just those, were said; without a
    /// plan of them nobody can tell.
    pub fn has_said_all(&self, said: &[String]) -> bool {
        let all = said.len() >= self.checkpoints.len() || self.remaining(said).is_empty();
        all && !self.checkpoints.is_empty()
    }

    /// Returns the worker's branch, without `refs/heads/`.
    pub fn branch(&self) -> String {
        format!("work/{}", self.label())
    }
}

/// One thing that is wrong with a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    pub code: ProblemCode,
    pub message: String,
    pub hint: String,
    /// The workers concerned; empty when it is about the plan as a whole.
    pub workers: Vec<String>,
    /// A path that shows the problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<RepoPath>,
    /// The line of the plan, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

/// `details` of a refused plan.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Problems {
    pub problems: Vec<Problem>,
}

/// The kinds of problems a plan can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProblemCode {
    Yaml,
    Tag,
    UnknownKey,
    DuplicateKey,
    MissingKey,
    WrongType,
    BadName,
    BadGlob,
    BadPath,
    NoWorkers,
    DuplicateId,
    OwnsNothing,
    ScopeOverlap,
    UnknownWorker,
    Cycle,
    UnknownBase,
    /// Another workflow has a worker of the same id and name.
    LabelTaken,
    BranchExists,
    BranchMissing,
    FolderExists,
}

impl Problem {
    pub fn new(code: ProblemCode, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: hint.into(),
            workers: Vec::new(),
            path: None,
            line: None,
        }
    }

    #[must_use]
    pub fn at(mut self, line: u32) -> Self {
        self.line = Some(line);
        self
    }

    #[must_use]
    pub fn workers<T: ToString>(mut self, workers: impl IntoIterator<Item = T>) -> Self {
        self.workers = workers.into_iter().map(|worker| worker.to_string()).collect();
        self
    }

    #[must_use]
    pub fn path(mut self, path: RepoPath) -> Self {
        self.path = Some(path);
        self
    }
}

/// Returns the refusal of a plan: the first problem in the message, all of them in the details.
pub fn refused(mut problems: Vec<Problem>) -> Failure {
    problems.sort_by_key(|problem| problem.line.unwrap_or(u32::MAX));
    let first = problems.first().map(|problem| problem.message.clone()).unwrap_or_default();
    let more = match problems.len() {
        0 | 1 => String::new(),
        n => format!(" (and {} more)", n - 1),
    };
    Failure::new(Code::PlanInvalid, format!("{first}{more}"))
        .hint("correct every entry of details.problems, then check the plan again")
        .details(Problems { problems })
}
