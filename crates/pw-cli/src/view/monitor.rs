//! Where every worker is.

use comfy_table::Color;
use pw_core::status::{SignalReport, State, Status, WorkerStatus};
use pw_core::time::human;

use super::{cell, count, drawn, next, paths, plain, state, table};

pub(crate) fn status(status: &Status) -> String {
    let mut rows = table(&["worker", "state", "last signal", "age", "commits", "open", "outside"]);
    for worker in &status.workers {
        rows.add_row([
            cell(&worker.label),
            state(worker.state),
            cell(worker.signal.as_ref().map(signal).unwrap_or_default()),
            cell(
                worker.signal.as_ref().map(|signal| human(signal.age_seconds)).unwrap_or_default(),
            ),
            cell(worker.commits),
            count(worker.uncommitted.len()),
            count(worker.out_of_scope.len()).fg(Color::Red),
        ]);
    }
    let mut out = format!("{}: {}\n\n{}", status.workflow, status.summary, drawn(&rows));
    for worker in &status.workers {
        out += &remarks(worker);
    }
    for conflict in &status.conflicts {
        let [first, second] = &conflict.workers;
        out += &format!("  {first} and {second} collide in {}\n", paths(&conflict.paths));
    }
    for group in &status.deadlocks {
        let names: Vec<&str> = group.iter().map(|id| id.as_str()).collect();
        out += &format!("  {} wait for each other\n", names.join(", "));
    }
    if status.base.moved {
        out += "  the base branch has moved since the start\n";
    }
    out + &next(&status.next)
}

fn signal(signal: &SignalReport) -> String {
    match (&signal.reason, &signal.worker, &signal.item) {
        (Some(reason), ..) => format!("blocked: {reason}"),
        (_, Some(worker), Some(item)) => format!("needs {worker}/{item}"),
        _ => signal.text.clone(),
    }
}

fn remarks(worker: &WorkerStatus) -> String {
    let mut out = String::new();
    if worker.state == State::Complete {
        for reason in &worker.reasons {
            out += &format!("  {} is not ready: {}\n", worker.id, plain(&reason.message));
        }
    }
    if !worker.out_of_scope.is_empty() {
        out += &format!(
            "  {} changed outside its scope: {}\n",
            worker.id,
            paths(&worker.out_of_scope)
        );
    }
    if worker.waits_for.as_ref().is_some_and(|waits| waits.satisfied) {
        out += &format!("  {} can go on: what it needs is there\n", worker.id);
    }
    for miss in &worker.near_misses {
        out += &format!(
            "  {} wrote \"{}\"; write \"{}\"\n",
            worker.id,
            plain(&miss.subject),
            plain(&miss.fix)
        );
    }
    out
}
