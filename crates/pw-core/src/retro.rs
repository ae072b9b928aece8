//! The numbers of a run: who did how much, how long it took, what it waited for, where it collided.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::conflict::Conflict;
use crate::history::{Change, Commit};
use crate::id::{Slug, WorkerId};
use crate::own_commits::OwnCommits;
use crate::path::RepoPath;
use crate::plan::{Plan, Size, Worker};
use crate::record::Record;
use crate::report::Report;
use crate::signal::{self, Signal, Subject};
use crate::status::{State, WorkerStatus};
use crate::time::{Seconds, rfc3339};

/// The answer of `pw-retro report`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Retro {
    /// The workflow that was measured.
    pub workflow: Slug,
    /// What was asked, in the user's words.
    pub goal: String,
    /// RFC 3339.
    pub started_at: String,
    /// The newest commit of any worker, or the last merge; `null` before the first.
    pub ended_at: Option<String>,
    /// From the first to the last of these.
    pub elapsed_seconds: Seconds,
    /// The workers' own times added up.
    pub worked_seconds: Seconds,
    /// `worked_seconds` by `elapsed_seconds`: how many workers were busy on average. `null` when
    /// nothing took any time.
    pub parallelism: Option<f64>,
    /// Whether every worker is integrated.
    pub integrated: bool,
    /// In the order of the plan.
    pub workers: Vec<WorkerRetro>,
    /// Paths that more than one worker changed.
    pub overlaps: Vec<Overlap>,
    /// Pairs whose branches did not merge as they were.
    pub conflicts: Vec<Conflict>,
}

impl Report for Retro {
    const SCHEMA: &'static str = "pw-retro.report/1";
}

/// The numbers of one worker.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
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
    /// How much of that it was blocked.
    pub blocked_seconds: Seconds,
    /// How much of that it waited for another worker.
    pub waiting_seconds: Seconds,
    /// Own changes outside its scope.
    pub out_of_scope: Vec<RepoPath>,
    /// How many subjects after its newest signal look like signals and are none.
    pub near_misses: usize,
    /// How often merging it needed a resolution.
    pub stops: u32,
}

/// A path that several workers changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Overlap {
    /// The path.
    pub path: RepoPath,
    /// Who changed it, in the order of the plan.
    pub workers: Vec<WorkerId>,
}

/// Measures a run, finished or not.
pub fn measure(
    plan: &Plan,
    record: &Record,
    work: &[OwnCommits<'_>],
    states: &[WorkerStatus],
    conflicts: Vec<Conflict>,
) -> Retro {
    let workers: Vec<WorkerRetro> = plan
        .workers
        .iter()
        .zip(work)
        .zip(states)
        .map(|((worker, OwnCommits { commits: own, changes, .. }), status)| {
            let (blocked, waiting) = idle(own);
            let created = record.placements.get(&worker.id).map(|placement| placement.at);
            let started = created.or(own.last().map(|commit| commit.time));
            let ended = own.first().map(|commit| commit.time);
            WorkerRetro {
                id: worker.id.clone(),
                label: worker.label(),
                state: status.state,
                size: worker.size,
                commits: own.len(),
                checkpoints: checkpoints(own),
                files: changes.len(),
                duration_seconds: started
                    .zip(ended)
                    .map(|(from, to)| to.saturating_sub(from).max(0)),
                blocked_seconds: blocked,
                waiting_seconds: waiting,
                out_of_scope: status.out_of_scope.clone(),
                near_misses: status.near_misses.len(),
                stops: record.stops.get(&worker.id).copied().unwrap_or_default(),
            }
        })
        .collect();
    let newest = work.iter().filter_map(|work| work.commits.first()).map(|commit| commit.time);
    let ended = newest.chain(record.merged.values().map(|(_, at)| *at)).max();
    let elapsed = ended.map_or(0, |ended| ended.saturating_sub(record.started).max(0));
    let worked: Seconds = workers.iter().filter_map(|worker| worker.duration_seconds).sum();
    Retro {
        workflow: plan.workflow.clone(),
        goal: plan.goal.clone(),
        started_at: rfc3339(record.started),
        ended_at: ended.map(rfc3339),
        elapsed_seconds: elapsed,
        worked_seconds: worked,
        parallelism: ratio(worked, elapsed),
        integrated: states.iter().all(|status| status.state == State::Integrated),
        overlaps: overlaps(&plan.workers, work),
        workers,
        conflicts,
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds of a run are far below 2^52")]
fn ratio(worked: Seconds, elapsed: Seconds) -> Option<f64> {
    (elapsed > 0 && worked > 0).then(|| (worked as f64 / elapsed as f64 * 100.0).round() / 100.0)
}

fn checkpoints(own: &[&Commit]) -> usize {
    let is_checkpoint = |commit: &&&Commit| {
        matches!(signal::read(&commit.message), Subject::Signal { signal: Signal::Checkpoint, .. })
    };
    own.iter().filter(is_checkpoint).count()
}

/// Returns the seconds between `[BLOCKED:…]`, `[NEEDS:…]` and the next signal.
fn idle(own: &[&Commit]) -> (Seconds, Seconds) {
    let (mut blocked, mut waiting) = (0, 0);
    let mut since: Option<(bool, Seconds)> = None;
    for commit in own.iter().rev() {
        let Subject::Signal { signal, .. } = signal::read(&commit.message) else { continue };
        if let Some((is_blocked, from)) = since.take() {
            let total = if is_blocked { &mut blocked } else { &mut waiting };
            *total += commit.time.saturating_sub(from).max(0);
        }
        since = match signal {
            Signal::Blocked { .. } => Some((true, commit.time)),
            Signal::Needs { .. } => Some((false, commit.time)),
            Signal::Checkpoint | Signal::Complete => None,
        };
    }
    (blocked, waiting)
}

fn overlaps(workers: &[Worker], work: &[OwnCommits<'_>]) -> Vec<Overlap> {
    let mut touched: std::collections::BTreeMap<RepoPath, Vec<WorkerId>> = Default::default();
    for (worker, work) in workers.iter().zip(work) {
        for Change { path, .. } in &work.changes {
            touched.entry(path.clone()).or_default().push(worker.id.clone());
        }
    }
    let shared = touched.into_iter().filter(|(_, workers)| workers.len() > 1);
    shared.map(|(path, workers)| Overlap { path, workers }).collect()
}
