//! A stopped integration as an agent sees it: what does not merge, who changed it, and why.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::conflict::{ConflictKind, Stages};
use crate::conflict_markers::Hunk;
use crate::failure::{Code, Details};
use crate::history::{Commit, History};
use crate::id::{Oid, WorkerId};
use crate::integration::{Readiness, merged_worker};
use crate::own_commits::OwnCommits;
use crate::path::RepoPath;
use crate::plan::{Plan, Worker};
use crate::record::Stopped;
use crate::report::{Report, leave_out, list, requires_nothing};
use crate::status::WorkerStatus;
use crate::text::bounded;

/// Longest text of the plan or of a worker that is repeated, in characters.
const MAX_TEXT: usize = 500;
/// How many tasks of a worker are repeated.
const MAX_TASKS: usize = 20;

/// `details` of `merge_conflict`, `unresolved` and `waiting_for_workers`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = requires_nothing)]
pub struct Stop {
    /// Whose merge stopped.
    pub worker: WorkerId,
    /// Where to resolve, relative to the repository.
    pub worktree: String,
    /// What is to be resolved; with `unresolved`, what is left of it.
    pub conflicts: Vec<StoppedFile>,
    /// Workers merged before it; they need no second look.
    pub merged: Vec<WorkerId>,
    /// What those who changed the conflicted files were asked to do, and last said; absent by default
    /// where all of them are `remembered`.
    #[serde(default)]
    pub intents: Vec<Intent>,
    /// Conflicted files that mergiraf merged; they are added already, and worth a look.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_mergiraf: Vec<RepoPath>,
    /// Files in which both sides' added lines were kept, as the plan's `union` says; added already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_union: Vec<RepoPath>,
    /// What else there is to know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// With `waiting_for_workers`, who is not ready.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workers: Vec<Readiness>,
}

impl Details for Stop {
    const CODES: &'static [Code] =
        &[Code::MergeConflict, Code::Unresolved, Code::WaitingForWorkers];
}

/// No answer of its own: its schema is printed with those of the answers.
impl Report for Stop {
    const SCHEMA: &'static str = "pw-integrate.stop/1";
}

/// Takes out of the details of a refusal what git alone reads; of a file that has its recorded resolution,
/// what told how to resolve it, too.
pub fn shorten(details: &mut Value) {
    // The first obstacle is the refusal itself, which tells its details.
    if let Some(first) = list(details, "obstacles").first_mut() {
        first["details"] = serde_json::json!({});
    }
    for file in list(details, "conflicts") {
        leave_out(file, &["base", "ours", "theirs"]);
        if file["remembered"] == true {
            leave_out(file, &["changed_by", "hunks"]);
        }
    }
    let files = details["conflicts"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !files.is_empty() && files.iter().all(|file| file["remembered"] == true) {
        leave_out(details, &["intents"]);
    }
}

/// One path that does not merge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = requires_nothing)]
pub struct StoppedFile {
    /// The path that does not merge, in the worktree to resolve it in.
    pub path: RepoPath,
    /// What kind of conflict it is.
    pub kind: ConflictKind,
    /// Mode and object id of the merge base and both sides; told with `--verbose`.
    #[serde(flatten)]
    pub stages: Stages,
    /// Who changed it, the merges before first; each with its newest commit that did.
    /// Absent by default where `remembered`, like `hunks`.
    #[serde(default)]
    pub changed_by: Vec<ChangedBy>,
    /// The first hunks, as git wrote them; empty where a file cannot be merged line by line.
    #[serde(default)]
    pub hunks: Vec<Hunk>,
    /// How many hunks there are in all.
    pub hunk_count: usize,
    /// Whether the file in the worktree has the recorded resolution of the same hunks (rerere). It
    /// stays unmerged until the user or a session checks and adds it.
    pub remembered: bool,
}

/// A change of a conflicted path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChangedBy {
    /// On which side it was changed.
    pub side: Side,
    /// Absent for a commit that no worker made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<WorkerId>,
    /// The newest commit there that did.
    pub commit: Oid,
    /// Its subject, bounded.
    pub subject: String,
}

/// Which side of a merge, in git's words.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The merges before.
    Ours,
    /// The worker that is being merged.
    Theirs,
}

/// What a worker is there for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Intent {
    /// Who was asked.
    pub worker: WorkerId,
    /// What it was asked to do, bounded.
    pub tasks: Vec<String>,
    /// The plan's notes for it, bounded; empty when there are none.
    pub notes: String,
    /// The text of its newest signal; `null` when it gave none.
    pub said: Option<String>,
}

impl Intent {
    fn of(worker: &Worker, status: Option<&WorkerStatus>) -> Self {
        let said = status.and_then(|status| status.signal.as_ref());
        Self {
            worker: worker.id.clone(),
            tasks: worker
                .tasks
                .iter()
                .take(MAX_TASKS)
                .map(|task| bounded(task, MAX_TEXT))
                .collect(),
            notes: bounded(&worker.notes, MAX_TEXT),
            said: said.map(|signal| signal.text.clone()),
        }
    }
}

/// Returns what the workers were asked to do who changed any of `files`, in the order of the plan.
pub fn intents(plan: &Plan, states: &[WorkerStatus], files: &[StoppedFile]) -> Vec<Intent> {
    let concerned = |worker: &&Worker| {
        let mut changes = files.iter().flat_map(|file| &file.changed_by);
        changes.any(|change| change.worker.as_ref() == Some(&worker.id))
    };
    let intent =
        |worker: &Worker| Intent::of(worker, states.iter().find(|status| status.id == worker.id));
    plan.workers.iter().filter(concerned).map(intent).collect()
}

/// Both sides of a merge: who made which of their commits.
pub struct Sides<'a> {
    /// The newest first; commits of no worker last.
    commits: Vec<(Side, Option<&'a WorkerId>, Vec<&'a Commit>)>,
}

impl<'a> Sides<'a> {
    /// `history` holds what both sides have since the base, with the changes of each commit.
    pub fn new(
        plan: &'a Plan,
        work: &[OwnCommits<'_>],
        history: &'a History,
        stopped: &'a Stopped,
    ) -> Self {
        let ours = history.ancestors([&stopped.onto]);
        let theirs = history.ancestors([&stopped.tip]);
        let mut commits = Vec::new();
        for (worker, work) in plan.workers.iter().zip(work) {
            let side = if worker.id == stopped.worker { Side::Theirs } else { Side::Ours };
            let there = if side == Side::Theirs { &theirs } else { &ours };
            let own = work.commits.iter().filter(|commit| there.contains(&commit.oid));
            let own = own.filter_map(|commit| history.commit(&commit.oid));
            commits.push((side, Some(&worker.id), own.collect()));
        }
        let by_hand = history.chain(&stopped.onto).filter(|c| merged_worker(c).is_none());
        commits.push((Side::Ours, None, by_hand.collect()));
        commits.sort_by_key(|(side, worker, _)| (*side, worker.is_none()));
        Self { commits }
    }

    /// Returns each worker's newest commit that changed `path`, or anything above or below it.
    pub fn changed_by(&self, path: &RepoPath) -> Vec<ChangedBy> {
        let touches = |commit: &&&Commit| {
            let paths = commit.changes.iter().map(|change| &change.path);
            paths.into_iter().any(|p| p == path || p.contains(path) || path.contains(p))
        };
        let newest = |(side, worker, commits): &(Side, Option<&WorkerId>, Vec<&Commit>)| {
            let commit = commits.iter().find(touches)?;
            let subject = commit.message.lines().next().unwrap_or_default();
            Some(ChangedBy {
                side: *side,
                worker: worker.cloned(),
                commit: commit.oid.clone(),
                subject: bounded(subject, MAX_TEXT),
            })
        };
        self.commits.iter().filter_map(newest).collect()
    }
}
