//! What can be wrong with a plan, and the refusal that names all of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::failure::{Code, Details, Failure};
use crate::path::RepoPath;

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

impl Details for Problems {
    const CODES: &'static [Code] = &[Code::PlanUnreadable, Code::PlanInvalid, Code::InTheWay];
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
