//! What to do next, as commands, and the summary in one sentence.

use std::path::PathBuf;

use super::{Integration, ReasonKind, State, Status, WorkerStatus};
use crate::conflict::Conflict;
use crate::id::WorkerId;
use crate::next::{CommandLine, Next, NextStep, Options};
use crate::plan::{Plan, Worker};
use crate::text::counted;

/// Where things are on this machine, for commands that run from any folder.
pub trait Places {
    /// The command that starts a worker.
    fn launch(&self, worker: &Worker) -> CommandLine;
    /// The absolute folder of a worker's worktree.
    fn worktree(&self, worker: &Worker) -> PathBuf;
}

/// Returns the next steps, the most urgent first.
pub(super) fn steps(plan: &Plan, status: &Status, places: &dyn Places) -> Vec<NextStep> {
    let workflow = &status.workflow;
    if status.integration.stopped_at.is_some() {
        return vec![step("resolve", None, Next::go_on(workflow))];
    }
    let mut steps = Vec::new();
    if status.integration.red.is_some() {
        steps.push(step("correct", None, Next::go_on(workflow)));
    }
    let is_lost = |worker: &WorkerStatus| {
        [ReasonKind::WorktreeMoved, ReasonKind::WorktreeBroken]
            .iter()
            .any(|kind| has(worker, *kind))
    };
    if status.workers.iter().any(|worker| !worker.gaps.is_empty() || is_lost(worker)) {
        steps.push(step("repair", None, Next::Repair(Some(workflow))));
    }
    for worker in &status.workers {
        let Some(planned) = plan.worker(&worker.id) else { continue };
        let start = || places.launch(planned);
        // Is refused, and says where its session is.
        let ask = || Next::Launch { worker: &worker.id, workflow, how: None }.into();
        if let Some(stall) = &worker.stall {
            steps.push(step(stall.cause.action(), Some(worker), stall.remedy.clone()));
        }
        let has_to_go_on =
            super::asked(&status.workers, &worker.id).iter().any(|asked| asked.reopen);
        if has_to_go_on && worker.tip.is_some() {
            let command = living(worker).unwrap_or_else(start);
            steps.push(step("reopen", Some(worker), command));
        }
        let (action, command) = match worker.state {
            _ if worker.stall.is_none() && is_unasked(worker) => continue,
            State::Starting if worker.stall.is_none() && is_unseen(worker) => ("look", ask()),
            State::Starting if worker.stall.is_none() && !is_alive(worker) => ("launch", start()),
            State::Blocked | State::Reopened => ("read", read(worker)),
            State::Waiting if is_satisfied(worker) => match living(worker) {
                Some(command) => ("attach", command),
                None if is_alive(worker) || is_unseen(worker) => ("look", ask()),
                None => ("resume", start()),
            },
            State::Missing if is_lost(worker) => continue,
            // HEAD of its worktree has the work, under another name or none.
            State::Missing if has(worker, ReasonKind::WrongBranch) => {
                let again = CommandLine::git(&places.worktree(planned), "switch -c");
                ("rename", again.word(&worker.branch))
            }
            State::Missing if worker.tip.is_some() => ("advance", Next::Advance(workflow).into()),
            State::Complete if worker.reasons.iter().any(|r| r.kind.is_about_scope()) => {
                let since = status.base.commit.short();
                let range = format!("{since}..{}", worker.branch);
                ("look", CommandLine::of("git log --graph --stat --oneline").word(range))
            }
            // What it has that the result has not: nothing, where only messages were changed.
            State::Complete if has(worker, ReasonKind::HistoryRewritten) => {
                let Integration { branch, commit, .. } = &status.integration;
                let result =
                    commit.as_ref().map_or(status.base.commit.as_str(), |_| branch.as_str());
                let compare = format!("{result}...{}", worker.branch);
                let log = "git log --oneline --no-merges --cherry-pick --right-only";
                ("look", CommandLine::of(log).word(compare))
            }
            State::Complete if !worker.ready => {
                ("look", CommandLine::git(&places.worktree(planned), "status"))
            }
            _ => continue,
        };
        steps.push(step(action, Some(worker), command));
    }
    // Its engine tells when it is asked.
    if status.engines.is_empty() && status.workers.iter().any(is_unasked) {
        steps.push(step("watch", None, Next::FetchedStatus(workflow)));
    }
    for group in &status.deadlocks {
        // One that is only planned has said nothing.
        let has_said = |worker: &&WorkerStatus| worker.tip.is_some() && group.contains(&worker.id);
        let members = status.workers.iter().filter(has_said);
        steps.extend(members.map(|worker| step("decide", Some(worker), read(worker))));
    }
    let is_apart = |worker: &&Worker| !has_conflict(&status.conflicts, &worker.after);
    let (open, apart): (Vec<&Worker>, Vec<&Worker>) =
        openable(plan, &status.workers).into_iter().partition(is_apart);
    if !open.is_empty() {
        steps.push(step("advance", None, Next::Advance(workflow)));
    }
    // Resolved once, where they are integrated, their conflict is none for who comes after them.
    if let Some(worker) = apart.first() {
        let others = status.workers.iter().filter(|other| other.state != State::Integrated);
        let others = others.filter(|other| !worker.after.contains(&other.id));
        let without: Vec<WorkerId> = others.map(|other| other.id.clone()).collect();
        let options = Options { without: &without, ..Options::default() };
        steps.push(step("integrate", None, Next::Run { workflow, options }));
    }
    let all = |test: fn(&WorkerStatus) -> bool| status.workers.iter().all(test);
    if all(|worker| worker.state == State::Integrated) {
        steps.push(step("look back", None, Next::Report(workflow)));
        let is_rewritten = status.drift.as_ref().is_some_and(|drift| drift.rewritten);
        // From a detached HEAD, or where the user rewrote the base, there is nowhere to land by
        // ourselves.
        if !status.integration.landed && status.base.branch.is_some() {
            let by_hand =
                CommandLine::of("git log --first-parent").word(&status.integration.branch);
            steps.push(match is_rewritten {
                true => step("land by hand", None, by_hand),
                false => step("land", None, Next::Finish { workflow, way: None }),
            });
        }
        if status.workers.iter().any(|worker| worker.tip.is_some()) {
            let (workers, dry_run, snapshot) = (&[], true, false);
            let look = Next::Cleanup { workflow, workers, dry_run, snapshot };
            steps.push(step("clean up", None, look));
        }
    } else if status.integration.red.is_none() && all(WorkerStatus::is_usable) {
        steps.push(step("integrate", None, Next::run(workflow)));
    }
    steps
}

/// Returns whether what two of these committed does not merge.
fn has_conflict(conflicts: &[Conflict], workers: &[WorkerId]) -> bool {
    let committed = conflicts.iter().filter(|conflict| !conflict.uncommitted);
    committed.into_iter().any(|conflict| conflict.workers.iter().all(|id| workers.contains(id)))
}

fn has(worker: &WorkerStatus, kind: ReasonKind) -> bool {
    worker.reasons.iter().any(|reason| reason.kind == kind)
}

/// Returns whether it has a session whose process cannot be seen from here.
fn is_unseen(worker: &WorkerStatus) -> bool {
    let session = worker.session.as_ref();
    session.is_some_and(|session| session.alive.is_none() && session.elsewhere.is_some())
}

/// Returns whether it works where only an engine tells of it, which did not.
fn is_unasked(worker: &WorkerStatus) -> bool {
    let job = worker.session.as_ref().and_then(|session| session.job.as_ref());
    worker.state == State::Starting && job.is_some_and(|job| job.state.is_none())
}

fn is_alive(worker: &WorkerStatus) -> bool {
    worker.session.as_ref().is_some_and(|session| session.alive == Some(true))
}

/// Returns a command that leads to a worker's living session, where the user can type to it.
fn living(worker: &WorkerStatus) -> Option<CommandLine> {
    let session = worker.session.as_ref().filter(|session| session.alive == Some(true))?;
    session.attach.clone().or_else(|| session.pid.map(terminal))
}

/// Returns a command that shows in which terminal a session runs that has no way to attach to it.
pub(super) fn terminal(pid: u32) -> CommandLine {
    CommandLine::of("ps -o pid,tty,lstart,args -p").word(pid)
}

/// Shows what the worker said in full.
fn read(worker: &WorkerStatus) -> CommandLine {
    let commit = worker.signal.as_ref().map(|signal| signal.commit.to_string());
    let commit = commit.unwrap_or_else(|| worker.branch.to_string());
    CommandLine::of("git log -1 --format=%B").word(commit)
}

/// Returns the planned workers all of whose dependencies are ready or integrated.
pub fn openable<'a>(plan: &'a Plan, workers: &[WorkerStatus]) -> Vec<&'a Worker> {
    let find = |id: &WorkerId| workers.iter().find(|worker| worker.id == *id);
    let done = |id: &WorkerId| find(id).is_some_and(WorkerStatus::is_usable);
    let planned = |worker: &&Worker| find(&worker.id).is_some_and(|w| w.state == State::Planned);
    plan.workers.iter().filter(planned).filter(|worker| worker.after.iter().all(done)).collect()
}

fn is_satisfied(worker: &WorkerStatus) -> bool {
    worker.waits_for.as_ref().is_some_and(|waits| waits.satisfied)
}

fn step(action: &str, worker: Option<&WorkerStatus>, command: impl Into<CommandLine>) -> NextStep {
    NextStep { worker: worker.map(|worker| worker.id.clone()), ..NextStep::new(action, command) }
}

/// Returns `3 workers: 1 complete, 1 in progress, 1 blocked; 1 conflict predicted.`
pub(super) fn summary(status: &Status) -> String {
    const ORDER: [State; 9] = [
        State::Integrated,
        State::Complete,
        State::InProgress,
        State::Starting,
        State::Waiting,
        State::Blocked,
        State::Reopened,
        State::Missing,
        State::Planned,
    ];
    let count = |state: State| status.workers.iter().filter(|worker| worker.state == state).count();
    let words = |state: State| format!("{} {}", count(state), state.word().replace('_', " "));
    let states: Vec<String> =
        ORDER.into_iter().filter(|state| count(*state) > 0).map(words).collect();
    let mut out = format!("{}: {}", counted(status.workers.len(), "worker"), states.join(", "));
    let is_empty =
        |worker: &&WorkerStatus| worker.state == State::Complete && worker.changes_nothing;
    let empty: Vec<&str> =
        status.workers.iter().filter(is_empty).map(|worker| worker.id.as_str()).collect();
    if !empty.is_empty() {
        out += &format!("; complete without a change: {}", empty.join(", "));
    }
    let conflicts = status.conflicts.len() + status.trial.beyond(&status.conflicts).count();
    if conflicts > 0 {
        out += &format!("; {} predicted", counted(conflicts, "conflict"));
    }
    let stalled = status.workers.iter().filter(|worker| worker.stall.is_some()).count();
    if stalled > 0 {
        out += &format!("; {stalled} stalled");
    }
    if !status.deadlocks.is_empty() {
        out += &format!("; {}", counted(status.deadlocks.len(), "deadlock"));
    }
    if status.workers.len() == count(State::Integrated) && !status.integration.landed {
        out += "; not landed";
    }
    if let Some(red) = &status.integration.red {
        out += &format!("; the gate {} does not pass", red.gate);
    }
    out + "."
}
