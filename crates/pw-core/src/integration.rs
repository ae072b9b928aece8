//! Who can be merged, in which order, and what a merge came to.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::branch::Branch;
use crate::conflict::{ConflictKind, FileConflict};
use crate::failure::{Code, Details, Failure};
use crate::gate_report::{self, GateReport};
use crate::history::{Commit, History};
use crate::id::{Oid, Slug, WorkerId};
use crate::merge_order::Turn;
use crate::moved_edit::MovedEdit;
use crate::next::{CommandLine, Next, NextStep};
use crate::path::RepoPath;
use crate::plan::{Plan, Worker};
use crate::report::{Report, leave_out, list, requires_nothing};
use crate::status::{Reason, ReasonKind, SignalReport, State, WorkerStatus};

/// The answer of `pw-integrate check`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// The workflow that was checked.
    pub workflow: Slug,
    /// Whether `run` would merge every worker.
    pub ready: bool,
    /// The workers still to be merged, in merge order.
    pub order: Vec<WorkerId>,
    /// Why in this order.
    pub turns: Vec<Turn>,
    /// Every worker of the plan, in its order.
    pub workers: Vec<Readiness>,
    /// What to do next, the usual thing first.
    pub next: Vec<NextStep>,
}

impl Report for Check {
    const SCHEMA: &'static str = "pw-integrate.check/1";
}

/// Whether one worker can be merged.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Readiness {
    /// Who it is.
    pub worker: WorkerId,
    /// Where it stands.
    pub state: State,
    /// Complete, and no reason stands against merging it.
    pub ready: bool,
    /// Everything that keeps it from being ready.
    pub reasons: Vec<Reason>,
}

/// Workers that are not ready.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Unready {
    /// What stands against each.
    pub workers: Vec<Readiness>,
}

impl Details for Unready {
    const CODES: &'static [Code] = &[Code::NotReady, Code::OutOfScope];
}

/// A worker whose merge would bring back older versions of other workers' files.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Returned {
    /// That worker, and what stands against it.
    pub workers: Vec<Readiness>,
    /// The files.
    pub paths: Vec<RepoPath>,
}

impl Details for Returned {
    const CODES: &'static [Code] = &[Code::OutOfScope];
}

impl From<&WorkerStatus> for Readiness {
    fn from(status: &WorkerStatus) -> Self {
        Self {
            worker: status.id.clone(),
            state: status.state,
            ready: status.ready,
            reasons: status.reasons.clone(),
        }
    }
}

/// The answer of `pw-integrate preview`: the whole merge, nothing written.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Preview {
    /// The workflow that was previewed.
    pub workflow: Slug,
    /// The integration branch, which `run` would move.
    pub branch: Branch,
    /// Whether every branch would merge.
    pub clean: bool,
    /// One step for each worker with commits, in merge order; a conflict is left out of what the
    /// next steps build upon.
    pub steps: Vec<PreviewStep>,
    /// Changes that come to stand in another file than they were made in, since another worker
    /// moved it: worth a look. Absent when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moved_edits: Vec<MovedEdit>,
    /// Why in this order.
    pub turns: Vec<Turn>,
    /// Workers without a branch to merge, or already integrated.
    pub skipped: Vec<Skipped>,
    /// What to do next, the usual thing first.
    pub next: Vec<NextStep>,
}

impl Report for Preview {
    const SCHEMA: &'static str = "pw-integrate.preview/1";
}

/// The predicted result of merging one worker.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PreviewStep {
    /// Whose branch it is.
    pub worker: WorkerId,
    /// The commit that would be merged.
    pub tip: Oid,
    /// Whether `run` would merge it now.
    pub ready: bool,
    /// The workers whose commits come along with it; absent when none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<WorkerId>,
    /// Empty when it merges.
    pub conflicts: Vec<FileConflict>,
    /// Files that merge because the plan names them in `union`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_union: Vec<RepoPath>,
}

/// A worker that is not merged, and why.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Skipped {
    /// Who is not merged.
    pub worker: WorkerId,
    /// Its state tells why.
    pub state: State,
}

/// The answer of `pw-integrate run` and `continue`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = requires_nothing)]
pub struct Integrated {
    /// The workflow that was integrated.
    pub workflow: Slug,
    /// The integration branch.
    pub branch: Branch,
    /// The tip of that branch now.
    pub commit: Oid,
    /// The workers this run merged, in order; empty when all were merged before.
    pub merged: Vec<Merged>,
    /// Changes that come to stand in another file than they were made in, since another worker
    /// moved it: worth a look. Absent when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moved_edits: Vec<MovedEdit>,
    /// Why in this order; told with `--verbose`.
    #[serde(default)]
    pub turns: Vec<Turn>,
    /// Workers left out on request.
    pub without: Vec<WorkerId>,
    /// Workers with commits newer than what was merged.
    pub newer: Vec<WorkerId>,
    /// How the result was tested; `null` when nothing was, and `notes` says why.
    pub gate: Option<GateReport>,
    /// What the user should know about how it was tested.
    pub notes: Vec<String>,
    /// What to do next, the usual thing first.
    pub next: Vec<NextStep>,
}

impl Report for Integrated {
    const SCHEMA: &'static str = "pw-integrate.run/1";

    fn shorten(data: &mut serde_json::Value) {
        gate_report::shorten(data);
        // Where nothing stopped, why the order was this one is of no use.
        leave_out(data, &["turns"]);
        list(data, "merged").iter_mut().for_each(|merged| leave_out(merged, &["tip"]));
    }
}

/// One merged worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = requires_nothing)]
pub struct Merged {
    /// Who was merged.
    pub worker: WorkerId,
    /// The merge commit.
    pub commit: Oid,
    /// The worker's commit that was merged; told with `--verbose`.
    pub tip: Oid,
    /// Files that git could not merge and mergiraf did: worth a look.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_mergiraf: Vec<RepoPath>,
    /// Files that the plan names in `union`, where git could not merge and both sides' added lines
    /// were kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_union: Vec<RepoPath>,
}

/// The answer of `pw-integrate abort`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Aborted {
    /// The workflow whose integration was given up.
    pub workflow: Slug,
    /// Whose merge was to be resolved; absent when the result had not passed a gate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<WorkerId>,
    /// The ref that keeps what was in the resolution's worktree; absent when that was gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// A command that brings it back into a new worktree; absent like `snapshot`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore: Option<CommandLine>,
}

impl Report for Aborted {
    const SCHEMA: &'static str = "pw-integrate.abort/1";
}

/// Refuses unless every worker to be merged is ready. `made` are merges that are made already, and
/// not published yet.
///
/// With `allow_out_of_scope`, changes outside the scope are no obstacle; the merge records them.
///
/// # Errors
///
/// `out_of_scope` when all that is left to object to is a scope, else `not_ready`.
pub fn require_ready(
    plan: &Plan,
    workers: &[WorkerStatus],
    order: &[WorkerId],
    made: &[Merged],
    allow_out_of_scope: bool,
) -> Result<(), Failure> {
    // Whether older versions come back is seen when they are merged: most often they conflict.
    let counts = |reason: &Reason| {
        reason.kind != ReasonKind::OutdatedCommits
            && !(allow_out_of_scope && reason.kind.is_about_scope())
    };
    let stands_in_the_way = |worker: &&WorkerStatus| {
        let vetoed = worker.reasons.iter().any(counts);
        order.contains(&worker.id) && (vetoed || worker.state != State::Complete)
    };
    let waiting: Vec<Readiness> =
        workers.iter().filter(stands_in_the_way).map(Readiness::from).collect();
    let Some(first) = waiting.first() else {
        return require_dependencies(plan, workers, order, made);
    };
    let why: Vec<&str> = first.reasons.iter().map(|reason| reason.message.as_str()).collect();
    let why = if why.is_empty() { first.state.word().to_owned() } else { why.join(", ") };
    let more = match waiting.len() {
        1 => String::new(),
        n => format!(" ({} more not ready)", n - 1),
    };
    let only_scope = waiting
        .iter()
        .all(|w| w.state == State::Complete && w.reasons.iter().all(|r| r.kind.is_about_scope()));
    let (code, hint) = if only_scope {
        let hint =
            "give the files back to their owner, or, if the user agrees, use --allow-out-of-scope";
        (Code::OutOfScope, hint)
    } else {
        (Code::NotReady, "wait for these workers, or leave them out with --without")
    };
    Err(Failure::new(code, format!("{} is not ready: {why}{more}", first.worker))
        .hint(hint)
        .next(Next::Status(&plan.workflow))
        .details(Unready { workers: waiting }))
}

/// Refuses a merge that brought back older versions of other workers' files without a conflict.
/// `changed`: what the merge changed.
///
/// # Errors
///
/// `out_of_scope`, with these files.
pub fn require_no_return(
    plan: &Plan,
    status: &WorkerStatus,
    changed: &[RepoPath],
) -> Result<(), Failure> {
    let outdated = status.reasons.iter().find(|r| r.kind == ReasonKind::OutdatedCommits);
    let paths = outdated.into_iter().flat_map(|reason| &reason.paths);
    let paths: Vec<RepoPath> = paths.filter(|path| changed.contains(path)).cloned().collect();
    let Some((reason, first)) = outdated.zip(paths.first()) else { return Ok(()) };
    let message = format!("{} would bring `{first}` back: {}", status.id, reason.message);
    Err(Failure::new(Code::OutOfScope, message)
        .hint("have it take in what the owner has now, or, if the user agrees, use --allow-out-of-scope")
        .next(Next::Status(&plan.workflow))
        .details(Returned { workers: vec![Readiness::from(status)], paths }))
}

/// Refuses to merge a worker without those it builds upon, and without those whose commits its
/// branch contains: these would be merged with it.
///
/// # Errors
///
/// `not_ready`, with the first such pair, and in the hint all workers that cannot be merged so.
fn require_dependencies(
    plan: &Plan,
    workers: &[WorkerStatus],
    order: &[WorkerId],
    made: &[Merged],
) -> Result<(), Failure> {
    let merged = |id: &WorkerId| {
        made.iter().any(|merge| merge.worker == *id)
            || workers.iter().any(|w| w.id == *id && w.state == State::Integrated)
    };
    let mut left: Vec<&WorkerId> = order.iter().collect();
    let mut out: Vec<(&WorkerId, String)> = Vec::new();
    let lacks = |id: &WorkerId, left: &[&WorkerId]| {
        let lacking = |other: &&WorkerId| !left.contains(other) && !merged(other);
        if let Some(other) = plan.dependencies(id).into_iter().find(lacking) {
            return Some(format!("{id} builds upon {other}, which is left out"));
        }
        let mut held = workers.iter().filter(|w| w.id == *id).flat_map(|w| &w.holds);
        let other = held.find(lacking)?;
        Some(format!("{id} holds commits of {other}, which is left out"))
    };
    // Each that goes may take others along.
    while let Some((at, why)) =
        left.iter().enumerate().find_map(|(at, id)| Some((at, lacks(id, &left)?)))
    {
        out.push((left.remove(at), why));
    }
    let Some((_, first)) = out.first() else { return Ok(()) };
    let whom: Vec<String> = out.iter().map(|(id, _)| format!("--without {id}")).collect();
    let whom = whom.join(" ");
    let hint = format!("what they hold would land with them: leave out, too: {whom}");
    Err(Failure::new(Code::NotReady, first.clone()).hint(hint))
}

/// Returns what a preview finds in a worker by itself: entries whose content no commit holds.
pub fn findings(status: &WorkerStatus) -> impl Iterator<Item = FileConflict> {
    let reasons = status.reasons.iter().filter(|reason| reason.kind == ReasonKind::HollowEntry);
    let paths = reasons.flat_map(|reason| &reason.paths);
    paths.map(|path| FileConflict::new(path.clone(), ConflictKind::HollowEntry))
}

/// How many of a worker's signals a merge message repeats.
const MAX_SIGNALS: usize = 20;

/// Returns the message of the merge commit for a worker. `signals` are its own since it was last
/// merged, the oldest first.
pub fn merge_message(
    plan: &Plan,
    worker: &Worker,
    status: &WorkerStatus,
    signals: &[String],
    tip: &Oid,
    others: &ByOthers,
) -> String {
    let said = |signal: &SignalReport| signal.text.lines().next().unwrap_or_default().to_owned();
    let text = status.signal.as_ref().map(said).filter(|text| !text.is_empty());
    let mut message = format!("Merge {} into {}\n", worker.label(), plan.integration_branch());
    if let Some(text) = text {
        message += &format!("\n{text}\n");
    }
    let mut list = |title: &str, lines: &mut dyn Iterator<Item = String>| {
        let lines: String = lines.map(|line| format!("- {}\n", one_line(&line))).collect();
        if !lines.is_empty() {
            message += &format!("\n{title}:\n{lines}");
        }
    };
    list("Tasks", &mut worker.tasks.iter().cloned());
    let older = signals.len().saturating_sub(MAX_SIGNALS);
    let note = (older > 0).then(|| format!("({older} more before these)"));
    list("Signals", &mut note.into_iter().chain(signals[older..].iter().cloned()));
    let doubts = status.reasons.iter().filter(|reason| reason.kind.is_about_scope());
    let strangers: BTreeSet<&RepoPath> = doubts.flat_map(|reason| &reason.paths).collect();
    let mut strangers = strangers.into_iter().map(ToString::to_string);
    list("Merged although outside the scope", &mut strangers);
    message +=
        &format!("\nPw-Workflow: {}\nPw-Worker: {}\nPw-Tip: {tip}\n", plan.workflow, worker.id);
    let trailer = |name: &str, paths: &[RepoPath]| -> String {
        let line = |path: &RepoPath| format!("{name}{}\n", one_line(&path.to_string()));
        paths.iter().map(line).collect()
    };
    message + &trailer(BY_MERGIRAF, &others.mergiraf) + &trailer(BY_UNION, &others.union)
}

const BY_MERGIRAF: &str = "Pw-Mergiraf: ";
const BY_UNION: &str = "Pw-Union: ";

/// The files of a merge that git did not merge itself.
#[derive(Clone, Debug, Default)]
pub struct ByOthers {
    /// Those that mergiraf merged.
    pub mergiraf: Vec<RepoPath>,
    /// Those in which both sides' added lines were kept.
    pub union: Vec<RepoPath>,
}

/// Says which files a merge has because the plan names them in `union`, if any.
pub fn by_union(paths: &[RepoPath]) -> Option<String> {
    let named: Vec<String> = paths.iter().map(|path| format!("`{path}`")).collect();
    let named = named.join(", ");
    (!paths.is_empty()).then(|| format!("merged by union, both sides' added lines kept: {named}"))
}

/// Returns the merges of ours on the first-parent chain of `tip` above `start`, the oldest first:
/// what a stopped integration had merged before it stopped.
pub fn merges_since(history: &History, tip: &Oid, start: &Oid) -> Vec<Merged> {
    let ours = history.chain(tip).take_while(|commit| commit.oid != *start).filter_map(|commit| {
        Some(Merged {
            worker: merged_worker(commit)?,
            commit: commit.oid.clone(),
            tip: commit.parents.get(1)?.clone(),
            by_mergiraf: named(commit, BY_MERGIRAF),
            by_union: named(commit, BY_UNION),
        })
    });
    let mut merged: Vec<Merged> = ours.collect();
    merged.reverse();
    merged
}

/// Returns whom a commit merges, if it is a merge of ours.
pub fn merged_worker(commit: &Commit) -> Option<WorkerId> {
    let trailer = |line: &str| line.strip_prefix("Pw-Worker: ").and_then(|id| id.parse().ok());
    commit.message.lines().rev().find_map(trailer)
}

/// Returns the merges of an earlier candidate that are the ones to be made now, upon `start`, as
/// far as they go: the user may have resolved conflicts in them.
pub fn still_wanted(
    merges: Vec<Merged>,
    order: &[WorkerId],
    workers: &[WorkerStatus],
    history: &History,
    start: &Oid,
) -> Vec<Merged> {
    let tip = |id: &WorkerId| workers.iter().find(|worker| worker.id == *id)?.tip.as_ref();
    let parent = |commit: &Oid| history.commit(commit)?.parents.first();
    let mut head = start;
    let mut wanted = 0;
    for (merged, id) in merges.iter().zip(order) {
        let same = merged.worker == *id && tip(id) == Some(&merged.tip);
        if !same || parent(&merged.commit) != Some(head) {
            break;
        }
        head = &merged.commit;
        wanted += 1;
    }
    merges.into_iter().take(wanted).collect()
}

fn named(commit: &Commit, trailer: &str) -> Vec<RepoPath> {
    let paths = commit.message.lines().filter_map(|line| line.strip_prefix(trailer));
    paths.filter_map(|path| serde_json::from_value(path.into()).ok()).collect()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
