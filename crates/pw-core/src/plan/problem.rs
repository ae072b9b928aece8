//! What can be wrong with a plan, and the refusal that names all of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::failure::{Code, Details, Failure};
use crate::path::RepoPath;

/// One thing that is wrong with a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// What kind of problem it is.
    pub code: ProblemCode,
    /// What is wrong, with the values that make it so.
    pub message: String,
    /// What to change.
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
    /// At least one, in the order of the file.
    pub problems: Vec<Problem>,
}

impl Details for Problems {
    const CODES: &'static [Code] = &[Code::PlanUnreadable, Code::PlanInvalid, Code::InTheWay];
}

/// The kinds of problems a plan can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProblemCode {
    /// It is not YAML.
    Yaml,
    /// A YAML tag, which no plan needs.
    Tag,
    /// A key that no plan has.
    UnknownKey,
    /// A key is there twice.
    DuplicateKey,
    /// A required key is not there.
    MissingKey,
    /// A value is of another type than its key takes.
    WrongType,
    /// An id, name or workflow that cannot be part of a branch.
    BadName,
    /// A glob that cannot be read.
    BadGlob,
    /// A path that is absolute, leaves the repository, or the like.
    BadPath,
    /// `workers` is empty.
    NoWorkers,
    /// Two workers have the same id.
    DuplicateId,
    /// A worker has no `owns`.
    OwnsNothing,
    /// Two workers own the same path.
    ScopeOverlap,
    /// `after` names a worker that the plan does not have.
    UnknownWorker,
    /// Workers come after each other in a circle.
    Cycle,
    /// `base` names nothing in this repository.
    UnknownBase,
    /// Another workflow has a worker of the same id and name.
    LabelTaken,
    /// A branch has the name that one of ours needs, or makes it impossible.
    BranchExists,
    /// The branch of a worker that was created is gone.
    BranchMissing,
    /// A folder or link is where a worktree, or all of them, would be.
    FolderExists,
}

impl Problem {
    /// Returns a problem that names no worker, path or line.
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

    /// Sets the line of the plan, from 1.
    #[must_use]
    pub fn at(mut self, line: u32) -> Self {
        self.line = Some(line);
        self
    }

    /// Sets the workers concerned.
    #[must_use]
    pub fn workers<T: ToString>(mut self, workers: impl IntoIterator<Item = T>) -> Self {
        self.workers = workers.into_iter().map(|worker| worker.to_string()).collect();
        self
    }

    /// Sets a path that shows the problem.
    #[must_use]
    pub fn path(mut self, path: RepoPath) -> Self {
        self.path = Some(path);
        self
    }
}

/// Returns the refusal of a plan, `plan_invalid`: the first problem in the message, all of them in
/// the details.
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
