//! What a run was: who did how much, where time went, where it collided, what would have helped.
//!
//! Here stand the words of the answer; the rules that fill them are in the files below.

mod advice;
mod clock;
mod counterfactual;
mod critical;
mod files;
mod grade;
pub mod hindsight;
mod lane;
mod measure;
pub mod memory;
mod merges;
mod moment;
pub mod past;
mod pieces;
mod short;
mod sizes;
#[cfg(test)]
mod tests;
mod timeline;
mod units;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use counterfactual::Counterfactual;
pub use files::{Heat, HeatRow};
pub use hindsight::{Closer, Hindsight};
pub use measure::{Review, is_over, measure};
pub use moment::{Moment, MomentKind};

use crate::conflict::Conflict;
use crate::id::{GateName, Oid, Slug, WorkerId};
use crate::path::RepoPath;
use crate::plan::Size;
use crate::report::{Report, requires_nothing};
use crate::session::Usage;
use crate::status::State;
use crate::time::Seconds;

/// The answer of `pw-retro report`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = requires_nothing)]
pub struct Retro {
    /// The workflow that was measured.
    pub workflow: Slug,
    /// What was asked, in the user's words; told with `--verbose`, like `sizes` and the times of what happened.
    pub goal: String,
    /// The run in one sentence.
    pub headline: String,
    /// RFC 3339.
    pub started_at: String,
    /// The newest commit of any worker, or the last merge; `null` before the first.
    pub ended_at: Option<String>,
    /// From the first to the last of these.
    pub elapsed_seconds: Seconds,
    /// The workers' own times added up.
    pub worked_seconds: Seconds,
    /// How many workers were busy on average: the busy time of all by the time of the run, which of
    /// an unfinished one lasts until now. Blocked, waiting and idle time is none of it. `null` when
    /// nothing took any time.
    pub parallelism: Option<f64>,
    /// Whether every worker is integrated.
    pub integrated: bool,
    /// Whether some worker is not done: what follows is true until now, and not the last word.
    pub interim: bool,
    /// Where the lifetimes of all workers went.
    pub times: Times,
    /// The longest chain of work in which each step needed the one before: no more workers could
    /// have made the run shorter. `null` while nothing was worked.
    pub critical_path: Option<CriticalPath>,
    /// `critical_path.seconds` by the time of the run; 1 is the best there is.
    pub efficiency: Option<f64>,
    /// The mean busy time of a worker by the longest; 1 when all had the same.
    pub balance: Option<f64>,
    /// How good it was, by a stated rubric.
    pub grade: Grade,
    /// In the order of the plan.
    pub workers: Vec<WorkerRetro>,
    /// Estimates against busy time, by size; sizes that no worker has are absent.
    pub sizes: Vec<SizeRetro>,
    /// What workers waited for each other for.
    pub handovers: Vec<Handover>,
    /// Paths that more than one worker changed.
    pub overlaps: Vec<Overlap>,
    /// Pairs whose branches did not merge as they were.
    pub conflicts: Vec<Conflict>,
    /// Merges that stopped for a resolution, the oldest first.
    pub stops: Vec<StopRetro>,
    /// What gates cost and found.
    pub gates: Gates,
    /// What the user decided to do without, or let pass.
    pub allowed: Vec<Allowed>,
    /// Commits and entries of the record whose time cannot be; it is not used.
    pub clocks: Vec<WrongClock>,
    /// What is not known, and so not in the numbers.
    pub missing: Vec<Missing>,
    /// The run with one worker fewer, and with one more; absent while it is not over, and where that cannot be
    /// told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counterfactuals: Vec<Counterfactual>,
    /// The run with other owners of its folders and files; absent while it is not over, and where that cannot be
    /// told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hindsight: Option<Hindsight>,
    /// At most five, the weightiest first.
    pub recommendations: Vec<Recommendation>,
    /// What all sessions used; absent when no transcript is here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// How many entries of a list are left out by default, by its name; absent when none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub more: BTreeMap<String, usize>,
    /// The files that were written; absent when none was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub written: Vec<String>,
    /// Everything that happened, the oldest first; absent unless asked for with `--verbose`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeline: Option<Vec<Moment>>,
}

impl Report for Retro {
    const SCHEMA: &'static str = "pw-retro.report/1";

    fn shorten(data: &mut Value) {
        short::shorten(data);
    }
}

/// The numbers of one worker.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = requires_nothing)]
pub struct WorkerRetro {
    /// The worker's id.
    pub id: WorkerId,
    /// Id and name, `task-1-users`.
    pub label: String,
    /// Where it stands now.
    pub state: State,
    /// What the plan says; absent when it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<Size>,
    /// How many commits are its own.
    pub commits: usize,
    /// How many of these are checkpoints.
    pub checkpoints: usize,
    /// How many files differ in the end.
    pub files: usize,
    /// From its creation to its newest commit; `null` while there is none.
    pub duration_seconds: Option<Seconds>,
    /// From its creation to its newest commit, or until now while it is not done. The next four are
    /// its parts.
    pub lifetime_seconds: Seconds,
    /// At work, as far as commits tell.
    pub busy_seconds: Seconds,
    /// How much of that it was blocked.
    pub blocked_seconds: Seconds,
    /// How much of that it waited for another worker.
    pub waiting_seconds: Seconds,
    /// Not yet launched, complete, or silent for longer than two hours.
    pub idle_seconds: Seconds,
    /// Busy time by what its size promised, measured by all sized workers of this run; absent
    /// without a size, `null` when no time is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against_estimate: Option<f64>,
    /// Own changes outside its scope; absent by default when there are none, like the next two.
    #[serde(default)]
    pub out_of_scope: Vec<RepoPath>,
    /// How many subjects after its newest signal look like signals and are none.
    #[serde(default)]
    pub near_misses: usize,
    /// How often merging it needed a resolution.
    #[serde(default)]
    pub stops: u32,
    /// What its sessions used; absent when no transcript is here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// A path that several workers changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Overlap {
    /// The path.
    pub path: RepoPath,
    /// Who changed it, in the order of the plan.
    pub workers: Vec<WorkerId>,
    /// Whether it is not `shared`, so that at most one of them may; absent when it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unshared: bool,
}

/// What a worker does.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum TimeKind {
    /// Between commits that tell of work.
    Busy,
    /// From `[BLOCKED:…]` to the next signal.
    Blocked,
    /// From `[NEEDS:…]` to the next signal.
    Waiting,
    /// Before its launch, after `[COMPLETE]`, and what a silence has beyond two hours.
    Idle,
}

impl TimeKind {
    /// All kinds, in the order in which they are told.
    pub const ALL: [Self; 4] = [Self::Busy, Self::Blocked, Self::Waiting, Self::Idle];

    /// Returns the word used in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Blocked => "blocked",
            Self::Waiting => "waiting",
            Self::Idle => "idle",
        }
    }
}

/// The parts of a lifetime; they add up to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Times {
    /// From creation to the newest commit, or until now.
    pub lifetime_seconds: Seconds,
    /// At work, as far as commits tell.
    pub busy_seconds: Seconds,
    /// After `[BLOCKED:…]`.
    pub blocked_seconds: Seconds,
    /// After `[NEEDS:…]`.
    pub waiting_seconds: Seconds,
    /// Not at work, and not asking for anything.
    pub idle_seconds: Seconds,
}

impl Times {
    /// Returns the part of one kind.
    pub fn of(self, kind: TimeKind) -> Seconds {
        match kind {
            TimeKind::Busy => self.busy_seconds,
            TimeKind::Blocked => self.blocked_seconds,
            TimeKind::Waiting => self.waiting_seconds,
            TimeKind::Idle => self.idle_seconds,
        }
    }
}

/// One stretch of a worker's lifetime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// What the worker did.
    pub kind: TimeKind,
    /// When it began.
    pub from: Seconds,
    /// When it ended.
    pub until: Seconds,
    /// What it began with, where a commit says so.
    pub commit: Option<Oid>,
    /// With `Waiting`.
    pub needs: Option<(WorkerId, String)>,
    /// Whether it goes on: `until` is only now.
    pub is_open: bool,
}

impl Segment {
    /// Returns how long it took.
    pub fn seconds(&self) -> Seconds {
        self.until - self.from
    }
}

/// The lifetime of one worker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lane {
    /// In order, without gaps.
    pub segments: Vec<Segment>,
    /// When it was complete for the first time.
    pub completed: Option<Seconds>,
}

impl Lane {
    /// Returns when the lifetime began.
    pub fn began(&self) -> Option<Seconds> {
        self.segments.first().map(|segment| segment.from)
    }

    /// Returns when it ended, or now.
    pub fn ended(&self) -> Option<Seconds> {
        self.segments.last().map(|segment| segment.until)
    }
}

/// The longest chain of work that had to be done one step after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CriticalPath {
    /// How long the run would have taken, had no worker been blocked, idle or late.
    pub seconds: Seconds,
    /// In their order.
    pub steps: Vec<Step>,
}

/// A worker's part of the critical path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// Who worked.
    pub worker: WorkerId,
    /// How long, before the next step.
    pub seconds: Seconds,
}

/// Workers of one size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SizeRetro {
    /// The size.
    pub size: Size,
    /// How many were at work.
    pub workers: usize,
    /// The shortest busy time.
    pub least_seconds: Seconds,
    /// The middle of the busy times.
    pub median_seconds: Seconds,
    /// The longest busy time.
    pub most_seconds: Seconds,
}

/// An item that one worker waited for and another one made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = requires_nothing)]
pub struct Handover {
    /// Who made it.
    pub from: WorkerId,
    /// Who waited.
    pub to: WorkerId,
    /// What was waited for.
    pub item: String,
    /// The commit that said `[NEEDS:…]`.
    pub commit: Oid,
    /// RFC 3339.
    pub needed_at: String,
    /// When the other worker was complete; `null` when it is not.
    pub provided_at: Option<String>,
    /// When the one that waited gave its next signal; `null` while it waits.
    pub taken_at: Option<String>,
    /// From the one signal to the next.
    pub waited_seconds: Seconds,
    /// How much of that the item had been there already.
    pub unnoticed_seconds: Seconds,
}

/// A merge that stopped for a resolution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = requires_nothing)]
pub struct StopRetro {
    /// Whose merge stopped.
    pub worker: WorkerId,
    /// The worker's commit that was being merged.
    pub commit: Oid,
    /// RFC 3339.
    pub at: String,
    /// Until it was resolved or given up, or until now.
    pub seconds: Seconds,
    /// How it ended.
    pub outcome: Outcome,
    /// The commit that resolved it; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Oid>,
}

/// How a stopped merge ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The user resolved it.
    Resolved,
    /// Given up.
    Aborted,
    /// It still waits.
    Open,
}

/// What gates cost and found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gates {
    /// How often a gate ran.
    pub runs: usize,
    /// How often it failed.
    pub failed: usize,
    /// How long all runs took together.
    pub seconds: Seconds,
    /// Trees on which a gate failed and then passed.
    pub flaky: Vec<Oid>,
    /// The gates that did; absent where they are not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flaky_names: Vec<GateName>,
    /// Results that did not pass.
    pub red: Vec<RedRetro>,
}

/// A result that did not pass a gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RedRetro {
    /// The gate.
    pub gate: GateName,
    /// What was tested.
    pub commit: Oid,
    /// RFC 3339.
    pub at: String,
    /// Who was at fault; empty when that was not found.
    pub workers: Vec<WorkerId>,
}

/// A decision of the user that let something pass, or out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = requires_nothing)]
pub struct Allowed {
    /// What was decided.
    pub kind: AllowedKind,
    /// RFC 3339.
    pub at: String,
    /// Whom it concerns; empty when it is about all.
    pub workers: Vec<WorkerId>,
}

/// The kinds of decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AllowedKind {
    /// Changes outside a scope.
    OutOfScope,
    /// An integration without these workers.
    Without,
    /// An integration without its gates.
    NoGate,
}

/// A time that contradicts those around it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WrongClock {
    /// Whose it is.
    pub worker: WorkerId,
    /// The commit; `null` when it is the record's time of the worker's creation.
    pub commit: Option<Oid>,
    /// What it says, RFC 3339.
    pub says: String,
    /// What is used instead: the time of what came before, RFC 3339.
    pub used: String,
}

/// Something that is not known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Missing {
    /// What is not known.
    pub kind: MissingKind,
    /// Absent when it is about the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<WorkerId>,
    /// The same in words.
    pub message: String,
}

/// The kinds of what is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MissingKind {
    /// The worker never began.
    NotCreated,
    /// It is not done: its last stretch ends now.
    NotDone,
    /// Its branch is gone, and no merge of it is known.
    BranchGone,
    /// Merges are still to come.
    NotIntegrated,
    /// A time was not believed.
    Clock,
}

/// How good the run was, by a stated rubric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Grade {
    /// A from 90 of 100, B from 80, C from 70, D from 60, else F; `null` when nothing can be said.
    pub letter: Option<char>,
    /// What was reached, of what is known.
    pub points: f64,
    /// What could have been reached: less than 100 when parts are not known.
    pub of: f64,
    /// In the order of the rubric.
    pub parts: Vec<GradePart>,
}

/// One part of the grade.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GradePart {
    /// The part.
    pub name: GradeName,
    /// `null` when it is not known.
    pub points: Option<f64>,
    /// The most there is.
    pub of: f64,
    /// What that comes from, in words.
    pub verdict: String,
}

/// The parts of the grade, each with the most there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GradeName {
    /// 30: workers that are complete.
    Completion,
    /// 20: time that was blocked.
    Blocks,
    /// 20: workers that conflicted with nothing.
    Conflicts,
    /// 15: signals, scopes and checkpoints as agreed.
    Conventions,
    /// 15: how near the run came to its critical path.
    Timing,
}

impl GradeName {
    /// Returns the word used in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Completion => "completion",
            Self::Blocks => "blocks",
            Self::Conflicts => "conflicts",
            Self::Conventions => "conventions",
            Self::Timing => "timing",
        }
    }
}

/// A change of the next plan, or of a habit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Recommendation {
    /// Whom it concerns; empty when it is about the run.
    pub workers: Vec<WorkerId>,
    /// What was seen.
    pub evidence: String,
    /// Commits that show it.
    pub commits: Vec<Oid>,
    /// The key of the plan to change: `after`, `shared`, `owns`, …; `habit` when it is none.
    pub key: String,
    /// What to write there, or to do.
    pub change: String,
    /// What it cost here.
    pub cost_seconds: Seconds,
}
