//! What a helper answers when it cannot do what was asked: a code from a closed set, the one next
//! action, and a command that can be run as it is.

use crate::next::CommandLine;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Why a helper did not do what was asked. Agents branch on this, never on the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// A defect of ours, or an unexpected I/O error.
    Internal,
    /// A git command failed for a reason we have no name for.
    GitFailed,
    /// The disk is full, or the repository may not be written.
    CannotWrite,
    /// A program of the user's that git runs does not work: a filter, such as git-lfs, or the one
    /// that signs commits.
    ProgramFailed,
    /// Git does not know who commits, here or in this worktree.
    NoIdentity,
    /// A git hook of the user's refused the commit.
    HookRefused,
    /// This clone has not the content of some files; we never use the network.
    ObjectsMissing,
    /// The wrapper in `bin/` could not build the helper.
    HelperNotBuilt,
    /// The wrapper in `bin/` is still building the helper.
    HelperBuilding,
    /// The command line is wrong.
    Usage,
    /// The client's settings cannot be read as what they should be.
    SettingsUnreadable,
    /// The plan cannot be read as YAML.
    PlanUnreadable,
    /// The plan breaks at least one rule; every problem is in `details.problems`.
    PlanInvalid,
    /// The working directory is in no git repository.
    NotARepository,
    /// The repository has no main checkout.
    BareRepository,
    /// The repository has no commit to start from.
    NoCommit,
    /// git refuses the repository because another user owns it.
    UnsafeRepository,
    /// What is recorded of the workflow was written by another release, or by another program.
    RecordUnreadable,
    /// No such workflow, or none at all.
    UnknownWorkflow,
    /// Several workflows, and none was named.
    AmbiguousWorkflow,
    /// No such worker in the plan.
    UnknownWorker,
    /// The other worker neither provides nor owns what it is asked for.
    UnknownItem,
    /// The working directory is not the worktree of a worker.
    NotAWorker,
    /// The session is a worker's, and the worktree another's.
    OtherWorker,
    /// Another helper is changing this repository right now.
    Locked,
    /// A branch, folder or ref has the name of one that we would make.
    InTheWay,
    /// The changed plan contradicts what was already created from it.
    PlanChanged,
    /// At least one worker is not ready to be merged.
    NotReady,
    /// Workers this one builds upon contradict each other.
    DependencyConflict,
    /// The commits to merge have nothing in common, or a shallow clone cuts off what they have.
    NoMergeBase,
    /// Two branches change the same lines; the merge waits for a resolution.
    MergeConflict,
    /// The resolution is not finished: markers or unmerged files are left.
    Unresolved,
    /// A resolution is taken in, and who comes after it is not ready.
    WaitingForWorkers,
    /// The result of the merges did not pass a gate; nothing was published.
    GateFailed,
    /// There is no stopped integration to continue or abort.
    NothingStopped,
    /// The integration branch is checked out, or was moved by the user or another process.
    IntegrationMoved,
    /// The workflow has no base branch to land on: it is gone, was rewritten, or there never was
    /// one.
    NoBase,
    /// The base branch has commits of its own, so that only a merge commit can land the work.
    BaseMoved,
    /// The integration branch does not merge into the base branch.
    BaseConflict,
    /// No worker is integrated yet.
    NothingToLand,
    /// The remote did not take the branch, or the forge not the pull request.
    PushFailed,
    /// The plan's remote is down, slow, not there or not to be written: nothing was changed here.
    RemoteFailed,
    /// Another clone wrote the record first: take what it wrote, then run the same command again.
    RemoteMoved,
    /// No such snapshot; numbers that were forgotten are not used again.
    UnknownSnapshot,
    /// Files outside the worker's scope would be committed.
    OutOfScope,
    /// What an entry of the commit would name is in no commit: a repository inside the worktree, a
    /// link that leads out of it.
    HollowEntry,
    /// git does not take a file of the worker's as it is: its content, its name, or a setting.
    FileRefused,
    /// Uncommitted changes stand against what was asked.
    DirtyTree,
    /// There is nothing to commit.
    NothingToCommit,
    /// HEAD is not on the worker's branch, or an operation is in progress.
    WrongBranch,
    /// The commit was made, but a hook took its marker away.
    SignalLost,
    /// The plan's setup command failed in a new worktree.
    SetupFailed,
    /// The worker has no branch and worktree to be started in.
    NotCreated,
    /// A session could not be started; those before it run.
    LaunchFailed,
    /// The repository lacks the file that an engine is started from, or has another one.
    EngineFileMissing,
    /// A command of the plan's `verify` failed.
    VerifyFailed,
    /// A command that a worker ran in the queue failed; the exit status is the command's own.
    CommandFailed,
    /// A program that is asked for is not installed, or could not be started.
    ProgramMissing,
    /// The worker has a session already.
    SessionAlive,
}

impl Code {
    /// Every code, in the order of the documentation.
    pub const ALL: &[Self] = &[
        Self::Internal,
        Self::GitFailed,
        Self::CannotWrite,
        Self::ProgramFailed,
        Self::NoIdentity,
        Self::HookRefused,
        Self::ObjectsMissing,
        Self::HelperNotBuilt,
        Self::HelperBuilding,
        Self::Usage,
        Self::SettingsUnreadable,
        Self::PlanUnreadable,
        Self::PlanInvalid,
        Self::NotARepository,
        Self::BareRepository,
        Self::NoCommit,
        Self::UnsafeRepository,
        Self::RecordUnreadable,
        Self::UnknownWorkflow,
        Self::AmbiguousWorkflow,
        Self::UnknownWorker,
        Self::UnknownItem,
        Self::NotAWorker,
        Self::OtherWorker,
        Self::Locked,
        Self::InTheWay,
        Self::PlanChanged,
        Self::NotReady,
        Self::DependencyConflict,
        Self::NoMergeBase,
        Self::MergeConflict,
        Self::Unresolved,
        Self::WaitingForWorkers,
        Self::GateFailed,
        Self::NothingStopped,
        Self::IntegrationMoved,
        Self::NoBase,
        Self::BaseMoved,
        Self::BaseConflict,
        Self::NothingToLand,
        Self::PushFailed,
        Self::RemoteFailed,
        Self::RemoteMoved,
        Self::UnknownSnapshot,
        Self::OutOfScope,
        Self::HollowEntry,
        Self::FileRefused,
        Self::DirtyTree,
        Self::NothingToCommit,
        Self::WrongBranch,
        Self::SignalLost,
        Self::SetupFailed,
        Self::NotCreated,
        Self::LaunchFailed,
        Self::EngineFileMissing,
        Self::VerifyFailed,
        Self::CommandFailed,
        Self::ProgramMissing,
        Self::SessionAlive,
    ];

    /// Returns the process exit status: 1 failed, 2 usage, 3 refused, 4 stopped half-way.
    pub fn exit(self) -> u8 {
        match self {
            Self::Internal
            | Self::GitFailed
            | Self::CannotWrite
            | Self::ProgramFailed
            | Self::NoIdentity
            | Self::HookRefused
            | Self::ObjectsMissing
            | Self::HelperNotBuilt
            | Self::HelperBuilding
            | Self::CommandFailed => 1,
            Self::Usage | Self::SettingsUnreadable | Self::PlanUnreadable => 2,
            Self::MergeConflict
            | Self::Unresolved
            | Self::WaitingForWorkers
            | Self::GateFailed
            | Self::PushFailed
            | Self::SignalLost
            | Self::SetupFailed
            | Self::LaunchFailed => 4,
            _ => 3,
        }
    }
}

/// A refusal or a stop, as an agent sees it (`error` of `pw.error/1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// What kind of refusal it is: agents branch on this alone.
    pub code: Code,
    /// What is wrong, with the values that make it so.
    pub message: String,
    /// The one next action, in words.
    pub hint: String,
    /// A command that can be run as it is; absent when only a person can decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<CommandLine>,
    /// What the code promises: the schema of `pw.error/1` says it of each.
    details: serde_json::Value,
}

/// What a refusal tells besides its words: with which codes, and in which fields.
pub trait Details: Serialize + DeserializeOwned + JsonSchema {
    /// The refusals that tell it.
    const CODES: &'static [Code];
}

/// Everything that stands in the way of a command, beside what the first refusal tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Obstacles {
    /// The first is the refusal itself.
    pub obstacles: Vec<Failure>,
}

impl Details for Obstacles {
    const CODES: &'static [Code] = &[
        Code::Usage,
        Code::NotReady,
        Code::NothingStopped,
        Code::IntegrationMoved,
        Code::NoBase,
        Code::BaseMoved,
        Code::BaseConflict,
        Code::NothingToLand,
        Code::DirtyTree,
        Code::InTheWay,
        Code::WrongBranch,
    ];
}

impl Failure {
    /// Returns a failure without a hint, next command or details.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: String::new(),
            next: None,
            details: serde_json::json!({}),
        }
    }

    /// Sets the one next action, in words.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// Sets the command to run next.
    #[must_use]
    pub fn next(mut self, command: impl Into<CommandLine>) -> Self {
        self.next = Some(command.into());
        self
    }

    /// Attaches `details`; a value that cannot be JSON becomes null, which a test would show.
    #[must_use]
    pub fn details<D: Details>(mut self, details: D) -> Self {
        debug_assert!(D::CODES.contains(&self.code), "{:?} promises other details", self.code);
        self.details = serde_json::to_value(details).unwrap_or_default();
        self
    }

    /// Adds `obstacles` to the details: everything that stands in the way, this failure too.
    #[must_use]
    pub fn beside(mut self, obstacles: &[Self]) -> Self {
        if let Some(details) = self.details.as_object_mut() {
            let all = serde_json::to_value(obstacles).unwrap_or_default();
            details.insert("obstacles".to_owned(), all);
        }
        self
    }

    /// Returns the details if they are these.
    pub fn told<D: Details>(&self) -> Option<D> {
        let is_told = D::CODES.contains(&self.code);
        is_told.then(|| serde_json::from_value(self.details.clone()).ok()).flatten()
    }

    /// Returns whether it tells nothing besides its words.
    pub fn has_no_details(&self) -> bool {
        self.details.as_object().is_none_or(serde_json::Map::is_empty)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
