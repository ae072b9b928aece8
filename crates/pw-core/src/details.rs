//! What a refusal tells besides its words. What a rule tells of its own stands beside that rule.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::branch::Branch;
use crate::conflict::FileConflict;
use crate::failure::{Code, Details};
use crate::id::{GateName, Oid, Slug, WorkerId};
use crate::next::CommandLine;
use crate::path::RepoPath;
use crate::remote::RemoteTrouble;

/// The files that are the reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Files {
    /// The files, by path in the repository.
    pub paths: Vec<RepoPath>,
}

impl Details for Files {
    const CODES: &'static [Code] = &[Code::DirtyTree, Code::InTheWay, Code::HollowEntry];
}

impl<'a> FromIterator<&'a RepoPath> for Files {
    fn from_iter<I: IntoIterator<Item = &'a RepoPath>>(paths: I) -> Self {
        Self { paths: paths.into_iter().cloned().collect() }
    }
}

/// Uncommitted files of the user's checkout, where the result would land.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unclean {
    /// The files, by path in the repository.
    pub paths: Vec<RepoPath>,
    /// Commands that put them away, land and bring them back; empty in an unfinished merge.
    pub commands: Vec<CommandLine>,
}

impl Details for Unclean {
    const CODES: &'static [Code] = &[Code::DirtyTree];
}

/// What a worker provides, where another one asked for something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Provided {
    /// The worker that was asked.
    pub worker: WorkerId,
    /// The items it may be asked for.
    pub provides: Vec<String>,
}

impl Details for Provided {
    const CODES: &'static [Code] = &[Code::UnknownItem];
}

/// Files outside a worker's scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ForeignFiles {
    /// The files, by path in the repository.
    pub paths: Vec<RepoPath>,
    /// Whose the first is; `null` when no worker owns it.
    pub owner: Option<WorkerId>,
}

impl Details for ForeignFiles {
    const CODES: &'static [Code] = &[Code::OutOfScope];
}

/// Files that a worker could commit only in another way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeftFiles {
    /// The files that stay as they are.
    pub left: Vec<RepoPath>,
}

impl Details for LeftFiles {
    const CODES: &'static [Code] = &[Code::NothingToCommit];
}

/// What does not merge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Conflicts {
    /// Path by path.
    pub conflicts: Vec<FileConflict>,
    /// What brings both together: a worktree, the merge in it, the commit once it is resolved, and the
    /// worktree's removal.
    #[serde(default)]
    pub commands: Vec<CommandLine>,
}

impl Details for Conflicts {
    const CODES: &'static [Code] = &[Code::BaseConflict];
}

/// What does not merge of the work that a worker builds upon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DependencyConflicts {
    /// The worker.
    pub worker: WorkerId,
    /// Whose work it takes in; absent while the worker is created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<WorkerId>,
    /// Whose work it is created from; absent later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Vec<WorkerId>>,
    /// Path by path.
    pub conflicts: Vec<FileConflict>,
}

impl Details for DependencyConflicts {
    const CODES: &'static [Code] = &[Code::DependencyConflict];
}

/// How a program of the user's ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ended {
    /// Whose worktree it ran in; absent outside of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<WorkerId>,
    /// The gate it is; absent for other programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateName>,
    /// As the plan says it; absent for a program of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// `null` when it did not exit by itself.
    pub exit_code: Option<i32>,
    /// The file with all it printed; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// The last lines it printed.
    pub output_tail: String,
    /// The first line that tells of a failure, where it stands before these; absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_failure: Option<String>,
}

impl Details for Ended {
    const CODES: &'static [Code] =
        &[Code::SetupFailed, Code::LaunchFailed, Code::VerifyFailed, Code::CommandFailed];
}

/// What git said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GitSaid {
    /// Its words.
    pub git: String,
}

impl Details for GitSaid {
    const CODES: &'static [Code] = &[
        Code::CannotWrite,
        Code::ProgramFailed,
        Code::NoIdentity,
        Code::ObjectsMissing,
        Code::NotARepository,
        Code::UnsafeRepository,
        Code::NoMergeBase,
    ];
}

/// A call of git that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GitCall {
    /// What it said.
    pub git: String,
    /// The call.
    pub command: String,
    /// How it ended.
    pub exit_code: i32,
}

impl Details for GitCall {
    const CODES: &'static [Code] = &[Code::GitFailed, Code::ProgramMissing];
}

/// What a git hook of the user's said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HookSaid {
    /// Its name.
    pub hook: String,
    /// Its words.
    pub output: String,
    /// The same.
    pub git: String,
}

impl Details for HookSaid {
    const CODES: &'static [Code] = &[Code::HookRefused];
}

/// What the wrapper in `bin/` says of its build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Build {
    /// The file with all the build printed.
    pub log: String,
    /// Its last lines; absent while it is built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_tail: Option<String>,
}

impl Details for Build {
    const CODES: &'static [Code] = &[Code::HelperNotBuilt, Code::HelperBuilding];
}

/// How the helper is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// What the command line takes, as its help says.
    pub usage: String,
}

impl Details for Usage {
    const CODES: &'static [Code] = &[Code::Usage];
}

/// The workflows there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Workflows {
    /// Their names, sorted.
    pub workflows: Vec<Slug>,
}

impl Details for Workflows {
    const CODES: &'static [Code] = &[Code::AmbiguousWorkflow];
}

/// The worker whose worktree is not where it was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Misplaced {
    /// Its workflow.
    pub workflow: Slug,
    /// The worker.
    pub worker: WorkerId,
    /// Where it was made.
    pub place: String,
}

impl Details for Misplaced {
    const CODES: &'static [Code] = &[Code::NotAWorker];
}

/// A worker that is not created, and whom it waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotCreated {
    /// The worker.
    pub worker: WorkerId,
    /// Whom it builds upon.
    pub after: Vec<WorkerId>,
}

impl Details for NotCreated {
    const CODES: &'static [Code] = &[Code::NotCreated];
}

/// What a changed plan says of workers that exist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Contradictions {
    /// One for each.
    pub contradictions: Vec<String>,
}

impl Details for Contradictions {
    const CODES: &'static [Code] = &[Code::PlanChanged];
}

/// How all of the work has come onto the base branch already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Present {
    /// The base branch.
    pub base: Branch,
    /// The first commit of it that has everything.
    pub commit: Oid,
    /// The workers with newer commits; absent without any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub newer: Vec<WorkerId>,
}

impl Details for Present {
    const CODES: &'static [Code] = &[Code::NothingToLand];
}

/// What a remote or a forge said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RemoteSaid {
    /// Its words.
    pub said: String,
    /// Why it did not do what was asked; absent when only the words are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<RemoteTrouble>,
}

impl Details for RemoteSaid {
    const CODES: &'static [Code] = &[Code::PushFailed, Code::RemoteFailed];
}

/// A commit whose subject a hook has changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LostSignal {
    /// The commit that was made.
    pub commit: Oid,
    /// The subject it was made with.
    pub wanted: String,
}

impl Details for LostSignal {
    const CODES: &'static [Code] = &[Code::SignalLost];
}
