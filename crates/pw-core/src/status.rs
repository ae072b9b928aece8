//! The state of every worker, what vetoes merging it, and what to do next.

mod board;
pub mod budget;
mod derive;
mod news;
mod next;
mod short;
mod stall;
#[cfg(test)]
mod tests;
mod wait_cursor;
mod wait_graph;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use board::Board;
pub use budget::{BudgetLevel, BudgetUse};
pub use news::{NewsItem, NewsKind};
pub use next::{Places, openable};
pub use stall::{DEFAULT_STALL_AFTER, Stall, StallCause};
pub use wait_cursor::{Awaited, Cursor, Waited, news, since};
pub use wait_graph::{Outlook, Waiting};

use crate::analyze::neighbours::Neighbour;
use crate::branch::Branch;
use crate::channel::{Channel, TipFrom};
use crate::conflict::{Conflict, TrialMerge};
use crate::facts::Reverted;
use crate::gap::Gap;
use crate::id::{GateName, Oid, Slug, WorkerId};
use crate::next::{CommandLine, NextStep};
use crate::path::RepoPath;
use crate::report::Report;
use crate::session::{Activity, EngineAnswer, EngineJob, Launch, Usage};
use crate::time::Seconds;

/// The whole picture of one workflow.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// The workflow's name.
    pub workflow: Slug,
    /// One sentence for a person.
    pub summary: String,
    /// What it forked from.
    pub base: Base,
    /// The result so far.
    pub integration: Integration,
    /// How the plan's remote stands to this clone; absent when the plan names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<Channel>,
    /// How the engines answered that run workers on other machines; absent when none was asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub engines: Vec<EngineAnswer>,
    /// In the order of the plan.
    pub workers: Vec<WorkerStatus>,
    /// How many of them are told in short, since there are many and nothing is wrong with these:
    /// `--verbose` tells all. Absent when none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_short: Option<usize>,
    /// With `--since`: how many are left out, since nothing about them changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unchanged: Option<usize>,
    /// With `--since`: what the user or an agent must act on and was not told before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<Vec<NewsItem>>,
    /// Everything told so far: give it to `--since` of the next look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
    /// Pairs of workers whose work cannot be merged as it is now, committed or not.
    pub conflicts: Vec<Conflict>,
    /// The result of merging all workers, in merge order.
    pub trial: TrialMerge,
    /// What the base branch did meanwhile; absent when it has not moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
    /// Who waits, for whom, and whether that can end by itself.
    pub waiting: Vec<Waiting>,
    /// Groups of workers that wait for each other.
    pub deadlocks: Vec<Vec<WorkerId>>,
    /// Files that are changed and not committed in the user's own checkout: no worker sees them.
    /// Absent when that was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unseen: Option<Vec<RepoPath>>,
    /// With `--history`: files that no worker has changed, although in most past changes of what
    /// workers changed they were changed, too. Absent when that was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_behind: Option<Vec<Neighbour>>,
    /// How many entries `unseen` and `conflicts` leave out; absent when none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlisted: Option<usize>,
    /// What all workers used together; absent when nothing is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// How far the budget of all together is used; absent below 80 %, and when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<BudgetUse>,
    /// What to do next, the most urgent first.
    pub next: Vec<NextStep>,
}

impl Report for Status {
    const SCHEMA: &'static str = "pw-monitor.status/1";

    fn shorten(data: &mut serde_json::Value) {
        short::shorten(data);
    }
}

/// What the workflow forked from.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Base {
    /// Absent when the workflow began on a detached HEAD.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<Branch>,
    /// The commit workers of the first wave were forked from.
    pub commit: Oid,
    /// Whether the branch has moved since.
    pub moved: bool,
}

/// What happened on the base branch since the workflow forked from it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Drift {
    /// Where the base branch is now.
    pub tip: Oid,
    /// How many commits are new.
    pub commits: usize,
    /// Whether the branch no longer contains the commit the workflow forked from.
    pub rewritten: bool,
    /// Files changed there that a worker owns.
    pub touches: Vec<Touch>,
}

/// Files of one worker.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Touch {
    /// Who owns them.
    pub worker: WorkerId,
    /// The files that changed there.
    pub paths: Vec<RepoPath>,
}

/// The integration branch and what it contains.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Integration {
    /// Its full name is `refs/heads/` and this.
    pub branch: Branch,
    /// `null` before the first integration.
    pub commit: Option<Oid>,
    /// Whether the base branch has it.
    pub landed: bool,
    /// The base branch had it and took it back: landed, it comes back. Absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverted: Option<Reverted>,
    /// The worker whose merge waits for a resolution.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<WorkerId>,
    /// Where that merge is resolved; absent when none is stopped, or its worktree is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unresolved: Option<Unresolved>,
    /// The gate that the result of the merges did not pass, while nothing was done about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub red: Option<RedGate>,
}

/// A merge that waits for its resolution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unresolved {
    /// Its worktree, relative to the repository.
    pub worktree: String,
    /// The files that are not resolved yet.
    pub paths: Vec<RepoPath>,
}

/// A gate that stopped an integration.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RedGate {
    /// The gate's name in the plan.
    pub gate: GateName,
    /// Who is at fault, in merge order; empty when that is not known.
    pub workers: Vec<WorkerId>,
    /// The last lines that it printed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub output_tail: String,
}

/// One worker.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = short::requires_what_is_always_told)]
pub struct WorkerStatus {
    /// The worker's id.
    pub id: WorkerId,
    /// Id and name, `task-1-users`.
    pub label: String,
    /// The worker's branch.
    pub branch: Branch,
    /// Relative to the repository.
    pub worktree: String,
    /// The branch's newest commit; `null` when there is no branch.
    pub tip: Option<Oid>,
    /// Where that commit is; absent when the plan names no remote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tip_from: Option<TipFrom>,
    /// The other tip, of two that diverged; absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_tip: Option<Oid>,
    /// Where it stands, by its signals and by git.
    pub state: State,
    /// Complete, and nothing in `reasons`.
    pub ready: bool,
    /// Everything that keeps it from being ready.
    pub reasons: Vec<Reason>,
    /// The newest signal; `null` when there is none.
    pub signal: Option<SignalReport>,
    /// What it waits for, while `state` is `waiting`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<WaitsFor>,
    /// How many commits are the worker's own.
    pub commits: usize,
    /// Whether these change no file at all; absent when they do, and while there is none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub changes_nothing: bool,
    /// The workers of whose commits its branch holds some that are not integrated; absent when
    /// none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<WorkerId>,
    /// The base branch had its work and took it back: merged, it comes back. Absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverted: Option<Reverted>,
    /// Own changes, committed or not, outside its scope.
    pub out_of_scope: Vec<RepoPath>,
    /// Changed or untracked files in the worktree.
    pub uncommitted: Vec<RepoPath>,
    /// How many paths the two lists leave out together; absent when none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlisted: Option<usize>,
    /// Own subjects after its newest signal that look like signals and are none.
    pub near_misses: Vec<NearMiss>,
    /// Why its git hooks do not hold its commits to its scope, or its launcher does not start it;
    /// absent while they do. `pw-setup repair` makes them whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
    /// Texts of its checkpoints, the oldest first.
    #[serde(default)]
    pub checkpoints: Vec<String>,
    /// `null` when nothing is known of one.
    #[serde(default)]
    pub session: Option<Session>,
    /// Why it does not move; `null` while it does, or need not.
    pub stall: Option<Stall>,
    /// What its sessions used; absent when no transcript is here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// How far its budget is used; absent below 80 %, when it has none, and when its work is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<BudgetUse>,
}

impl WorkerStatus {
    /// Returns whether later workers can build upon its work.
    pub fn is_usable(&self) -> bool {
        self.ready || self.state == State::Integrated
    }

    /// Returns whether it works in another clone, as far as is known.
    pub fn is_elsewhere(&self, launch: Option<&Launch>) -> bool {
        self.tip_from == Some(TipFrom::Remote)
            || launch.is_some_and(|launch| launch.how.is_elsewhere())
    }
}

/// The session of a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Session {
    /// `null` when no trace tells.
    pub alive: Option<bool>,
    /// What it is doing; `null` when it is not alive, or does not tell.
    pub activity: Option<Activity>,
    /// The process of a living one; absent when that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Where it was started, when its process is not seen from here; absent when that is here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<String>,
    /// A command that shows it in this terminal; absent when it has a terminal of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attach: Option<CommandLine>,
    /// The job that runs it on another machine; absent when none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<EngineJob>,
}

/// Where a worker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Not created yet: its wave has not come.
    Planned,
    /// Created, no commit of its own.
    Starting,
    /// It has commits of its own, and its newest signal asks for nothing.
    InProgress,
    /// Said `[BLOCKED:…]`; stays so until the next signal.
    Blocked,
    /// Said `[NEEDS:…]`; stays so until the next signal.
    Waiting,
    /// `[COMPLETE]` is its newest commit.
    Complete,
    /// It committed after `[COMPLETE]`.
    Reopened,
    /// Its work is in the integration branch.
    Integrated,
    /// Its branch or worktree is gone.
    Missing,
}

impl State {
    /// Returns the word used in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Starting => "starting",
            Self::InProgress => "in_progress",
            Self::Blocked => "blocked",
            Self::Waiting => "waiting",
            Self::Complete => "complete",
            Self::Reopened => "reopened",
            Self::Integrated => "integrated",
            Self::Missing => "missing",
        }
    }

    /// Returns whether the worker's work is done for workers that wait for it.
    pub fn is_done(self) -> bool {
        matches!(self, Self::Complete | Self::Integrated)
    }
}

/// One thing that keeps a worker from being merged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reason {
    /// What kind of reason it is.
    pub kind: ReasonKind,
    /// One clause, with the values in it.
    pub message: String,
    /// The files concerned; absent when it is not about files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<RepoPath>,
}

/// The kinds of reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReasonKind {
    /// It has not said `[COMPLETE]`, or committed after it.
    NotComplete,
    /// Files are changed or untracked in its worktree.
    DirtyTree,
    /// A merge left both sides of files.
    Unmerged,
    /// It changed files outside its scope.
    OutOfScope,
    /// A merge, rebase or the like was begun in its worktree and not ended.
    OperationInProgress,
    /// Its worktree is on another branch, or on none.
    WrongBranch,
    /// Its branch is gone.
    BranchMissing,
    /// The worktree is not where it was made.
    WorktreeMissing,
    /// What is in the worktree's place is another folder, or not linked to git.
    WorktreeBroken,
    /// The worktree, or the repository with it, was moved or copied.
    WorktreeMoved,
    /// Its branch no longer contains the commit it was made from or merged at.
    HistoryRewritten,
    /// Two branches hold the same commits, and nothing tells whose they are.
    Contested,
    /// The branch holds commits that no worker has, and files outside the scope would land with
    /// them.
    UnclaimedCommits,
    /// The same, with other versions of files than the worker has now whose they are.
    OutdatedCommits,
    /// What an entry of the branch names is in no commit.
    HollowEntry,
    /// The branch here and the one on the plan's remote each have commits that the other lacks, or
    /// the remote took some away.
    Diverged,
}

impl ReasonKind {
    /// Returns whether it is only about whose files a branch changes, which the user may allow.
    pub fn is_about_scope(self) -> bool {
        matches!(self, Self::OutOfScope | Self::UnclaimedCommits | Self::OutdatedCommits)
    }
}

/// The newest signal of a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = short::requires_what_is_always_told)]
pub struct SignalReport {
    /// What the worker said.
    pub kind: SignalKind,
    /// The text behind the marker, as the worker wrote it, bounded.
    pub text: String,
    /// With `blocked`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// With `needs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<WorkerId>,
    /// With `needs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// The commit with that subject.
    pub commit: Oid,
    /// RFC 3339.
    pub at: String,
    /// How long ago it was committed.
    pub age_seconds: Seconds,
}

/// What a signal says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignalKind {
    /// `[CHECKPOINT]`: a step is finished, more follow.
    Checkpoint,
    /// `[BLOCKED:reason]`: it cannot go on by itself.
    Blocked,
    /// `[NEEDS:worker/item]`: it waits for another worker.
    Needs,
    /// `[COMPLETE]`: its work is done.
    Complete,
}

/// An item of another worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WaitsFor {
    /// The other worker, as the signal names it; it may not be in the plan.
    pub worker: WorkerId,
    /// One of its `provides`, or any other words.
    pub item: String,
    /// The other worker is complete: the item can be taken in.
    pub satisfied: bool,
    /// The other worker is complete, and this one had all of its work when it asked: the other one
    /// has to go on. Absent otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reopen: bool,
}

/// What another worker asked of this one, and does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Asked {
    /// Who asked.
    pub worker: WorkerId,
    /// The item it named.
    pub item: String,
    /// What for.
    pub text: String,
    /// This one is complete, and the other had all of its work when it asked: it has to go on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reopen: bool,
}

/// Returns what other workers asked of this one, and do not have.
pub fn asked(workers: &[WorkerStatus], provider: &WorkerId) -> Vec<Asked> {
    let asks = |worker: &WorkerStatus| {
        let waits = worker.waits_for.as_ref()?;
        let text = worker.signal.as_ref().map(|signal| signal.text.clone()).unwrap_or_default();
        let WaitsFor { item, reopen, .. } = waits.clone();
        let is_asked = waits.worker == *provider && !waits.satisfied;
        is_asked.then(|| Asked { worker: worker.id.clone(), item, text, reopen })
    };
    workers.iter().filter_map(asks).collect()
}

/// A subject that looks like a signal and does not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NearMiss {
    /// The commit with that subject.
    pub commit: Oid,
    /// The subject, as it is.
    pub subject: String,
    /// The subject that would have counted.
    pub fix: String,
}

/// Returns what there is to say of those workers whose work was in and was taken back.
pub fn taken_back(states: &[WorkerStatus], is_in: impl Fn(&WorkerId) -> bool) -> Vec<String> {
    states
        .iter()
        // Also by a merge of the user's.
        .filter(|status| is_in(&status.id) || status.state == State::Integrated)
        .filter_map(|status| {
            let reverted = status.reverted.as_ref()?;
            Some(reverted.note(&format!("what {} did", status.id)))
        })
        .collect()
}
