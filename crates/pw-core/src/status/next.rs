//! What to do next, as commands, and the summary in one sentence.

use super::{State, Status, WorkerStatus};
use crate::id::WorkerId;
use crate::plan::{Plan, Worker};
use crate::report::{NextStep, shell_word};

/// Returns the next steps, the most urgent first.
pub(super) fn steps(
    plan: &Plan,
    status: &Status,
    launch: &dyn Fn(&Worker) -> String,
) -> Vec<NextStep> {
    let mut steps = Vec::new();
    if status.integration.stopped_at.is_some() {
        steps.push(step("resolve", None, format!("pw-integrate continue {}", status.workflow)));
    }
    for worker in &status.workers {
        let start = || plan.worker(&worker.id).map(launch).unwrap_or_default();
        let read = || format!("git log -1 --format=%B {}", shell_word(&worker.branch));
        let (action, command) = match worker.state {
            State::Starting => ("launch", start()),
            State::Blocked | State::Reopened => ("read", read()),
            State::Waiting if is_satisfied(worker) => ("resume", start()),
            State::Missing => ("create", format!("pw-setup advance {}", status.workflow)),
            State::Complete if !worker.ready => {
                ("look", format!("git -C {} status", shell_word(&worker.worktree)))
            }
            _ => continue,
        };
        steps.push(step(action, Some(worker), command));
    }
    if !openable(plan, &status.workers).is_empty() {
        steps.push(step("advance", None, format!("pw-setup advance {}", status.workflow)));
    }
    let all = |test: fn(&WorkerStatus) -> bool| status.workers.iter().all(test);
    if all(|worker| worker.state == State::Integrated) {
        steps.push(step("review", None, format!("pw-retro report {}", status.workflow)));
    } else if all(|worker| worker.ready || worker.state == State::Integrated) {
        steps.push(step("integrate", None, format!("pw-integrate run {}", status.workflow)));
    }
    steps
}

/// Returns the planned workers all of whose dependencies are ready or integrated.
pub fn openable<'a>(plan: &'a Plan, workers: &[WorkerStatus]) -> Vec<&'a Worker> {
    let find = |id: &WorkerId| workers.iter().find(|worker| worker.id == *id);
    let done = |id: &WorkerId| find(id).is_some_and(|w| w.ready || w.state == State::Integrated);
    let planned = |worker: &&Worker| find(&worker.id).is_some_and(|w| w.state == State::Planned);
    plan.workers.iter().filter(planned).filter(|worker| worker.after.iter().all(done)).collect()
}

fn is_satisfied(worker: &WorkerStatus) -> bool {
    worker.waits_for.as_ref().is_some_and(|waits| waits.satisfied)
}

fn step(action: &str, worker: Option<&WorkerStatus>, command: String) -> NextStep {
    NextStep { action: action.to_owned(), worker: worker.map(|worker| worker.id.clone()), command }
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
    if !status.conflicts.is_empty() {
        out += &format!("; {} predicted", counted(status.conflicts.len(), "conflict"));
    }
    if !status.deadlocks.is_empty() {
        out += &format!("; {}", counted(status.deadlocks.len(), "deadlock"));
    }
    out + "."
}

fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
