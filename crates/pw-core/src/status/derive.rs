//! From facts to states. The order of commits is git's topology; dates are only shown.

use std::collections::BTreeMap;

use super::budget;
use super::next::{self, Places};
use super::{
    Base, Drift, Integration, NearMiss, Reason, ReasonKind, RedGate, Session, SignalKind,
    SignalReport, State, Status, Touch, WaitsFor, WorkerStatus, stall, wait_graph,
};
use crate::branch::Branch;
use crate::conflict::{Conflict, TrialMerge};
use crate::facts::{Facts, Reverted, TreeState, WorkerFacts, WorktreeFacts};
use crate::history::{Change, Commit};
use crate::hollow_entries;
use crate::id::{Oid, WorkerId};
use crate::own_commits::OwnCommits;
use crate::path::RepoPath;
use crate::plan::{Plan, Worker};
use crate::record::Record;
use crate::session::{SessionFacts, Usage};
use crate::signal::{self, Signal, Subject};
use crate::text::{self, counted};
use crate::time;

/// Longest text of a worker that a report repeats, in characters.
const MAX_TEXT: usize = 500;

/// Returns the state of every worker and what to do next.
///
/// `workers` are their states, `conflicts` and `trial` what trial merges found.
pub(super) fn derive(
    plan: &Plan,
    record: &Record,
    facts: &Facts,
    mut workers: Vec<WorkerStatus>,
    conflicts: Vec<Conflict>,
    trial: TrialMerge,
    places: &dyn Places,
) -> Status {
    for (status, worker) in workers.iter_mut().zip(&plan.workers) {
        status.stall = stall::stall(plan, record, facts, worker, status, places);
    }
    let (waiting, deadlocks) = wait_graph::waiting(plan, &workers);
    let mut status = Status {
        workflow: plan.workflow.clone(),
        summary: String::new(),
        base: Base {
            branch: record.base_branch.clone(),
            commit: record.base.clone(),
            moved: facts.base_tip.as_ref().is_some_and(|tip| *tip != record.base),
        },
        integration: Integration {
            branch: plan.integration_branch(),
            commit: facts.integration_tip.clone(),
            // Without the branch, only we know that it landed.
            landed: match facts.integration_tip {
                Some(_) => facts.landed().is_some(),
                None => record.finished.is_some(),
            },
            reverted: reverted(facts, facts.integration_tip.as_ref()),
            stopped_at: record.stopped.as_ref().map(|stopped| stopped.worker.clone()),
            unresolved: None,
            red: record.red.as_ref().map(|red| RedGate {
                gate: red.gate.clone(),
                workers: red.workers.clone(),
                output_tail: String::new(),
            }),
        },
        remote: facts.channel.clone(),
        engines: facts.engines.clone(),
        drift: drift(plan, record, facts),
        waiting,
        deadlocks,
        left_behind: None,
        unseen: facts.checkout.as_ref().map(TreeState::uncommitted),
        unlisted: None,
        workers,
        in_short: None,
        unchanged: None,
        changes: None,
        cursor: None,
        conflicts,
        trial,
        usage: None,
        budget: None,
        next: Vec::new(),
    };
    status.usage = Usage::sum(status.workers.iter().filter_map(|worker| worker.usage));
    let is_spending = status.workers.iter().any(|worker| budget::is_spending(worker.state));
    let limits = plan.budget.as_ref().zip(status.usage.as_ref()).filter(|_| is_spending);
    status.budget = limits.and_then(|(limits, usage)| budget::used(limits, usage));
    status.next = next::steps(plan, &status, places);
    status.summary = next::summary(&status);
    status
}

/// Returns what the base branch did meanwhile; `None` while it is where it was, or where our result
/// landed.
fn drift(plan: &Plan, record: &Record, facts: &Facts) -> Option<Drift> {
    let tip = facts.base_tip.as_ref().filter(|tip| **tip != record.base)?;
    let landed = facts.landed();
    if landed == Some(tip) {
        return None;
    }
    let known = facts.history.ancestors(landed);
    let touch = |worker: &Worker| {
        let owned = facts.base_changes.iter().filter(|path| worker.owns.owns(path));
        let paths: Vec<RepoPath> = owned.cloned().collect();
        (!paths.is_empty()).then(|| Touch { worker: worker.id.clone(), paths })
    };
    Some(Drift {
        tip: tip.clone(),
        commits: facts.history.ancestors([tip]).without(&known).commits().count(),
        rewritten: !facts.history.contains(tip, &record.base),
        touches: plan.workers.iter().filter_map(touch).collect(),
    })
}

/// Returns the state of every worker, in the order of the plan.
pub(super) fn worker_states(
    plan: &Plan,
    record: &Record,
    facts: &Facts,
    work: &[OwnCommits<'_>],
) -> Vec<WorkerStatus> {
    let status = |(worker, work)| worker_status(plan, record, facts, worker, work);
    let mut workers: Vec<WorkerStatus> = plan.workers.iter().zip(work).map(status).collect();
    satisfy(&mut workers, record, facts);
    workers
}

/// Returns the signals that each worker gave, the oldest first, each as its subject has it; only
/// those that `since` does not contain.
pub(super) fn signal_lines<'r>(
    plan: &Plan,
    facts: &Facts,
    work: &[OwnCommits<'_>],
    since: impl Fn(&WorkerId) -> Option<&'r Oid>,
) -> BTreeMap<WorkerId, Vec<String>> {
    let line = |(_, signal, text): &Announced<'_>| bounded(&format!("{} {text}", signal.marker()));
    let lines = |(id, work): (&WorkerId, &OwnCommits<'_>)| {
        let before = facts.history.ancestors(since(id));
        let mut own = work.commits.clone();
        own.retain(|commit| !before.contains(&commit.oid));
        (id.clone(), read_subjects(&own).0.iter().rev().map(line).collect())
    };
    plan.ids().zip(work).map(lines).collect()
}

fn worker_status(
    plan: &Plan,
    record: &Record,
    facts: &Facts,
    worker: &Worker,
    work: &OwnCommits<'_>,
) -> WorkerStatus {
    let unknown = WorkerFacts::default();
    let known = facts.workers.get(&worker.id).unwrap_or(&unknown);
    let own = &work.commits;
    let (signals, near_misses) = read_subjects(own);
    let newest = signals.first();
    let state = state(record, facts, worker, known, work, newest.map(|(_, signal, _)| signal));
    let uncommitted = match &known.worktree {
        WorktreeFacts::Present(tree) => tree.uncommitted(),
        _ => Vec::new(),
    };
    let out_of_scope = out_of_scope(plan, worker, &work.changes, &uncommitted);
    let mut reasons = match state {
        State::Integrated | State::Planned => Vec::new(),
        _ => reasons(record, facts, worker, known, state, &uncommitted, &out_of_scope),
    };
    if state != State::Integrated {
        reasons.extend(hollow(facts, known));
        reasons.extend(doubts(work));
    }
    WorkerStatus {
        id: worker.id.clone(),
        label: worker.label(),
        branch: worker.branch(),
        worktree: plan.worktree(worker),
        tip: known.tip.clone(),
        tip_from: known.tip_from.as_ref().map(|tip| tip.from),
        other_tip: known.tip_from.as_ref().and_then(|tip| tip.other.clone()),
        ready: state == State::Complete && reasons.is_empty(),
        state,
        reasons,
        waits_for: newest
            .filter(|_| state == State::Waiting)
            .and_then(|(_, signal, _)| waits_for(signal)),
        signal: newest.map(|(commit, signal, text)| report(commit, signal, text, facts)),
        commits: own.len(),
        changes_nothing: !own.is_empty() && work.changes.is_empty(),
        holds: work.holds.clone(),
        // What was merged of it before counts too, when it has gone on since.
        reverted: reverted(facts, known.tip.as_ref())
            .or_else(|| reverted(facts, record.merged.get(&worker.id).map(|(tip, _)| tip))),
        out_of_scope,
        uncommitted,
        unlisted: None,
        near_misses,
        gaps: match state {
            State::Integrated | State::Planned | State::Missing => Vec::new(),
            _ => known.gaps.clone(),
        },
        checkpoints: checkpoints(&signals),
        session: session(record, worker, &known.session),
        stall: None,
        usage: known.session.usage,
        budget: worker
            .budget
            .as_ref()
            .zip(known.session.usage.as_ref())
            .filter(|_| budget::is_spending(state))
            .and_then(|(limits, usage)| budget::used(limits, usage)),
    }
}

fn reverted(facts: &Facts, tip: Option<&Oid>) -> Option<Reverted> {
    facts.reverted.get(tip?).cloned()
}

/// Returns the entries of a branch whose content is in no commit.
fn hollow(facts: &Facts, known: &WorkerFacts) -> Option<Reason> {
    let (tip, brought) = known.tip.as_ref().zip(known.brought.as_ref())?;
    let hollow = hollow_entries::committed(&brought.changes, tip, &facts.special_entries);
    (!hollow.is_empty()).then(|| Reason {
        kind: ReasonKind::HollowEntry,
        message: hollow_entries::reason(&hollow),
        paths: hollow.into_iter().map(|hollow| hollow.path).collect(),
    })
}

/// Returns what speaks against merging a branch for the commits it holds.
fn doubts(work: &OwnCommits<'_>) -> Vec<Reason> {
    let mut doubts = Vec::new();
    if work.contested {
        let message = "its commits are on another worker's branch, too, and the scopes do not tell whose they are";
        let (kind, message) = (ReasonKind::Contested, message.to_owned());
        doubts.push(Reason { kind, message, paths: Vec::new() });
    }
    let Some(first) = work.unclaimed.first() else { return doubts };
    let subject = bounded(first.message.lines().next().unwrap_or_default());
    let held = format!(
        "it holds {} that no worker has now, {} {subject:?} first",
        counted(work.unclaimed.len(), "commit"),
        first.oid.short(),
    );
    let mut add = |kind, paths: &[RepoPath], what: &str| {
        let message = format!("{held}: {} {what}", counted(paths.len(), "file"));
        if !paths.is_empty() {
            doubts.push(Reason { kind, message, paths: paths.to_vec() });
        }
    };
    let (unclaimed, outdated) = (&work.unclaimed_paths, &work.outdated_paths);
    add(ReasonKind::UnclaimedCommits, unclaimed, "outside the scope would land with it");
    add(ReasonKind::OutdatedCommits, outdated, "of others would come back in an older version");
    doubts
}

fn out_of_scope(
    plan: &Plan,
    worker: &Worker,
    changes: &[Change],
    uncommitted: &[RepoPath],
) -> Vec<RepoPath> {
    let all = changes.iter().map(|change| &change.path).chain(uncommitted);
    let mut paths: Vec<RepoPath> = all.filter(|path| !plan.allows(worker, path)).cloned().collect();
    paths.sort();
    paths.dedup();
    paths
}

type Announced<'a> = (&'a Commit, Signal, String);

/// Returns the signals, the newest first, and what only looks like one: since the newest signal,
/// which settles what was meant before.
fn read_subjects<'a>(own: &[&'a Commit]) -> (Vec<Announced<'a>>, Vec<NearMiss>) {
    let (mut signals, mut near_misses) = (Vec::new(), Vec::new());
    for commit in own {
        match signal::read(&commit.message) {
            Subject::Signal { signal, text } => signals.push((*commit, signal, text)),
            Subject::NearMiss { line, fix } if signals.is_empty() => near_misses.push(NearMiss {
                commit: commit.oid.clone(),
                subject: bounded(&line),
                fix: bounded(&fix),
            }),
            Subject::NearMiss { .. } | Subject::Plain => {}
        }
    }
    (signals, near_misses)
}

fn checkpoints(signals: &[Announced<'_>]) -> Vec<String> {
    let said =
        |(_, signal, text): &Announced<'_>| (*signal == Signal::Checkpoint).then(|| bounded(text));
    signals.iter().rev().filter_map(said).collect()
}

fn session(record: &Record, worker: &Worker, known: &SessionFacts) -> Option<Session> {
    let SessionFacts { alive, activity, .. } = *known;
    let attach = known.attach(record.launches.get(&worker.id));
    let pid = known.pid.filter(|_| alive == Some(true));
    let elsewhere = known.elsewhere.clone();
    (alive.is_some() || attach.is_some() || elsewhere.is_some()).then_some(Session {
        alive,
        activity,
        pid,
        elsewhere,
        attach,
        job: known.job.clone(),
    })
}

fn bounded(text: &str) -> String {
    text::bounded(text, MAX_TEXT)
}

fn state(
    record: &Record,
    facts: &Facts,
    worker: &Worker,
    known: &WorkerFacts,
    work: &OwnCommits<'_>,
    newest: Option<&Signal>,
) -> State {
    let merged = record.merged.get(&worker.id).map(|(tip, _)| tip);
    let placement = record.placements.get(&worker.id);
    if placement.is_some_and(|placement| !placement.created) {
        // Begun and not handed over: no session works there yet.
        return State::Planned;
    }
    let Some(tip) = &known.tip else {
        return match (merged, placement) {
            (Some(_), _) => State::Integrated,
            (None, Some(_)) => State::Missing,
            (None, None) => State::Planned,
        };
    };
    let last = work.commits.first().map(|commit| signal::read(&commit.message));
    let says_complete = matches!(last, Some(Subject::Signal { signal: Signal::Complete, .. }));
    // What the user merged by hand is finished only when the worker has said so itself.
    let is_there = facts.is_in_trunk(tip);
    // The user may have put the integration branch back to before the merge.
    let was_merged = merged == Some(tip) && (is_there || facts.integration_tip.is_none());
    if was_merged || says_complete && !work.contested && is_there {
        return State::Integrated;
    }
    use WorktreeFacts::{InAnotherClone, Present, Unread};
    if !matches!(known.worktree, Present(_) | Unread | InAnotherClone) {
        return State::Missing;
    }
    match newest {
        _ if work.commits.is_empty() => State::Starting,
        None | Some(Signal::Checkpoint) => State::InProgress,
        Some(Signal::Blocked { .. }) => State::Blocked,
        Some(Signal::Needs { .. }) => State::Waiting,
        Some(Signal::Complete) if says_complete => State::Complete,
        Some(Signal::Complete) => State::Reopened,
    }
}

fn reasons(
    record: &Record,
    facts: &Facts,
    worker: &Worker,
    known: &WorkerFacts,
    state: State,
    uncommitted: &[RepoPath],
    out_of_scope: &[RepoPath],
) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let mut add = |kind, message: String, paths: &[RepoPath]| {
        reasons.push(Reason { kind, message, paths: paths.to_vec() });
    };
    if !state.is_done() {
        add(ReasonKind::NotComplete, format!("{} is {}", worker.id, state.word()), &[]);
    }
    if known.tip.is_none() {
        add(ReasonKind::BranchMissing, format!("the branch {} is gone", worker.branch()), &[]);
    }
    match &known.worktree {
        WorktreeFacts::Missing => {
            add(
                ReasonKind::WorktreeMissing,
                "the worktree is not where it was made".to_owned(),
                &[],
            );
        }
        WorktreeFacts::Broken => {
            add(
                ReasonKind::WorktreeBroken,
                "the folder of the worktree holds something else, or is not linked to git"
                    .to_owned(),
                &[],
            );
        }
        WorktreeFacts::Unlinked => {
            let message = "the repository or the worktree was moved or copied: git does not find one from the other";
            add(ReasonKind::WorktreeMoved, message.to_owned(), &[]);
        }
        WorktreeFacts::Unregistered => {
            let message = "git's entry of the worktree is gone; its folder is there".to_owned();
            add(ReasonKind::WorktreeBroken, message, &[]);
        }
        WorktreeFacts::At(folder) => {
            add(ReasonKind::WorktreeMoved, format!("the worktree was moved to {folder}"), &[]);
        }
        WorktreeFacts::Unread | WorktreeFacts::InAnotherClone => {}
        WorktreeFacts::Present(tree) => {
            if !tree.unmerged.is_empty() {
                let message = counted(tree.unmerged.len(), "unmerged file");
                add(ReasonKind::Unmerged, message, &tree.unmerged);
            } else if !uncommitted.is_empty() {
                add(
                    ReasonKind::DirtyTree,
                    counted(uncommitted.len(), "uncommitted file"),
                    uncommitted,
                );
            }
            if let Some(operation) = tree.operation {
                add(ReasonKind::OperationInProgress, operation.in_progress(), &[]);
            }
            if tree.branch.as_ref() != Some(&worker.branch()) {
                let head = tree.branch.as_ref().map_or("no branch", Branch::as_str);
                add(
                    ReasonKind::WrongBranch,
                    format!("HEAD is on {head}, not on {}", worker.branch()),
                    &[],
                );
            }
        }
    }
    if !out_of_scope.is_empty() {
        let message = format!("{} outside the scope", counted(out_of_scope.len(), "file"));
        add(ReasonKind::OutOfScope, message, out_of_scope);
    }
    if let Some(other) = known.tip_from.as_ref().and_then(|tip| tip.other.as_ref()) {
        let message = format!(
            "the branch here and on the remote went different ways: {} is not in it",
            other.short()
        );
        add(ReasonKind::Diverged, message, &[]);
    }
    if is_rewritten(record, facts, worker, known) {
        let message =
            "the branch no longer contains the commit it was made from or merged at".to_owned();
        add(ReasonKind::HistoryRewritten, message, &[]);
    }
    reasons
}

fn is_rewritten(record: &Record, facts: &Facts, worker: &Worker, known: &WorkerFacts) -> bool {
    let fork = record.placements.get(&worker.id).map(|placement| &placement.fork);
    let merged = record.merged.get(&worker.id).map(|(tip, _)| tip);
    let Some(tip) = &known.tip else { return false };
    // What the base branch has by content is there for a branch that has that commit of the base.
    let contains = |known: &Oid| {
        let landed = facts.landed_as.get(known);
        facts.history.contains(tip, known)
            || landed.is_some_and(|landed| facts.history.contains(tip, landed))
    };
    fork.into_iter().chain(merged).any(|known| !contains(known))
}

fn waits_for(signal: &Signal) -> Option<WaitsFor> {
    match signal {
        Signal::Needs { worker, item } => {
            let (worker, item) = (worker.clone(), bounded(item));
            Some(WaitsFor { worker, item, satisfied: false, reopen: false })
        }
        _ => None,
    }
}

fn report(commit: &Commit, signal: &Signal, text: &str, facts: &Facts) -> SignalReport {
    let (kind, reason, worker, item) = match signal {
        Signal::Checkpoint => (SignalKind::Checkpoint, None, None, None),
        Signal::Complete => (SignalKind::Complete, None, None, None),
        Signal::Blocked { reason } => (SignalKind::Blocked, Some(bounded(reason)), None, None),
        Signal::Needs { worker, item } => {
            (SignalKind::Needs, None, Some(worker.clone()), Some(bounded(item)))
        }
    };
    SignalReport {
        kind,
        text: bounded(text),
        reason,
        worker,
        item,
        commit: commit.oid.clone(),
        at: time::rfc3339(commit.time),
        // A clock that runs ahead must not make a signal come from the future.
        age_seconds: facts.now.saturating_sub(commit.time).max(0),
    }
}

/// Marks the waits whose provider is done. They stay waits: only the worker clears its signal. Who
/// had all of the provider's work when it asked, cannot find there what it lacks.
fn satisfy(workers: &mut [WorkerStatus], record: &Record, facts: &Facts) {
    let done = workers.iter().filter(|worker| worker.state.is_done());
    let tip = |worker: &WorkerStatus| {
        let merged = || record.merged.get(&worker.id).map(|(tip, _)| tip.clone());
        worker.tip.clone().or_else(merged)
    };
    let done: BTreeMap<WorkerId, Option<Oid>> =
        done.map(|worker| (worker.id.clone(), tip(worker))).collect();
    for worker in workers {
        let Some(waits) = &mut worker.waits_for else { continue };
        let Some(tip) = done.get(&waits.worker) else { continue };
        let asked = worker.signal.as_ref().map(|signal| &signal.commit);
        let had = asked.zip(tip.as_ref()).is_some_and(|(at, tip)| facts.history.contains(at, tip));
        (waits.satisfied, waits.reopen) = (!had, had);
    }
}
