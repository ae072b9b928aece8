//! What of a status is told by default: all that the user or an agent must know of, and of the rest how much
//! it is.
//!
//! Up to ten workers are told of with every field of the contract. Of more, those with whom
//! nothing is wrong are told in short: 64 workers at work are 16 KiB, not 70.

use schemars::Schema;
use serde_json::{Value, json};

use crate::next;
use crate::report::{IN_FULL, is_nothing, keep, leave_out, list};
use crate::text::bounded;

/// How much of what a healthy worker said is told, in characters.
const SAID: usize = 80;

pub(super) fn shorten(status: &mut Value) {
    next::one_for_many_launches(status);
    let are_many = list(status, "workers").len() > IN_FULL;
    let mut in_short = 0;
    for worker in list(status, "workers") {
        if are_many && is_as_it_should_be(worker) {
            shorten_worker(worker);
            in_short += 1;
            continue;
        }
        leave_out(worker, &["tip", "checkpoints", "usage"]);
        // These are in the worker's own two lists.
        let listed = |reason: &&mut Value| {
            ["out_of_scope", "dirty_tree"].map(Value::from).contains(&reason["kind"])
        };
        let listed = list(worker, "reasons").iter_mut().filter(listed);
        listed.for_each(|reason| leave_out(reason, &["paths"]));
    }
    shorten_conflicts(status);
    if in_short > 0 {
        status["in_short"] = json!(in_short);
        if let Some(trial) = status.get_mut("trial") {
            leave_out(trial, &["order"]);
        }
        // Who comes after workers that are at work waits as it should.
        let waiting = status.get_mut("waiting").and_then(Value::as_array_mut);
        waiting.into_iter().for_each(|list| list.retain(|wait| wait["outlook"] != "moving"));
    }
}

/// Takes out what only the integration reads: which lines collide. That whole files do in their
/// content is what `paths` says.
fn shorten_conflicts(status: &mut Value) {
    for conflict in list(status, "conflicts") {
        if list(conflict, "findings").iter().all(|finding| finding["kind"] == "content") {
            leave_out(conflict, &["findings"]);
        }
        list(conflict, "findings").iter_mut().for_each(|finding| leave_out(finding, &["hunk"]));
    }
    let Some(trial) = status.get_mut("trial") else { return };
    for stop in list(trial, "stops") {
        list(stop, "findings").iter_mut().for_each(|finding| leave_out(finding, &["hunk"]));
    }
}

/// Returns whether neither the user nor an agent has to do anything about a worker.
fn is_as_it_should_be(worker: &Value) -> bool {
    let state = worker["state"].as_str().unwrap_or_default();
    let is_well = match state {
        "planned" | "starting" | "in_progress" | "integrated" => true,
        "complete" => worker["ready"] == true,
        _ => false,
    };
    let reasons = worker["reasons"].as_array().map(Vec::as_slice).unwrap_or_default();
    let odd = ["out_of_scope", "near_misses", "stall", "gaps", "reverted", "holds", "budget"];
    is_well
        && reasons.iter().all(|reason| reason["kind"] == "not_complete")
        && odd.iter().all(|name| is_nothing(&worker[*name]))
        && worker["changes_nothing"] != true
}

fn shorten_worker(worker: &mut Value) {
    keep(worker, &["id", "label", "state", "ready", "commits", "signal"]);
    if let Some(signal) = worker.get_mut("signal") {
        keep(signal, &["kind", "text", "age_seconds"]);
        if let Some(text) = signal["text"].as_str() {
            signal["text"] = json!(bounded(text, SAID));
        }
    }
}

/// Of a worker or a signal told in short, only these are there.
pub(super) fn requires_what_is_always_told(schema: &mut Schema) {
    const ALWAYS: [&str; 7] = ["id", "label", "state", "ready", "commits", "kind", "text"];
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|name| name.as_str().is_some_and(|name| ALWAYS.contains(&name)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(nth: usize) -> Value {
        json!({
            "id": format!("task-{nth}"), "label": format!("task-{nth}-x"), "branch": "b",
            "worktree": "w", "tip": "0", "state": "in_progress", "ready": false,
            "reasons": [{ "kind": "not_complete", "message": "" }],
            "signal": { "kind": "checkpoint", "text": "x".repeat(200), "commit": "0", "at": "", "age_seconds": 1 },
            "commits": 1, "out_of_scope": [], "uncommitted": ["a"], "near_misses": [],
            "checkpoints": ["x"], "session": null, "stall": null,
        })
    }

    fn shortened(workers: Vec<Value>) -> Value {
        let mut status = json!({ "workflow": "w", "workers": workers, "waiting": [], "next": [] });
        shorten(&mut status);
        status
    }

    #[test]
    fn a_few_workers_keep_every_field_of_the_contract() {
        let status = shortened((0..10).map(worker).collect());
        for field in ["branch", "worktree", "reasons", "out_of_scope", "near_misses", "stall"] {
            assert!(status["workers"][0].get(field).is_some(), "{field}");
        }
        assert_eq!(status.get("in_short"), None);
    }

    #[test]
    fn of_many_workers_only_the_healthy_ones_are_told_in_short() {
        let odd = [
            ("stall", json!({ "cause": "gone" })),
            ("near_misses", json!([{}])),
            ("out_of_scope", json!(["x"])),
            ("gaps", json!([{}])),
            ("holds", json!(["task-2"])),
            ("budget", json!({ "level": "near" })),
            ("reverted", json!({ "commit": "0" })),
            ("changes_nothing", json!(true)),
            ("state", json!("blocked")),
            ("state", json!("waiting")),
            ("state", json!("reopened")),
            ("state", json!("missing")),
            ("state", json!("complete")),
            ("reasons", json!([{ "kind": "wrong_branch" }])),
        ];
        let count = odd.len();
        let with = |(nth, (field, value)): (usize, (&str, Value))| {
            let mut worker = worker(nth);
            worker[field] = value;
            worker
        };
        let mut workers: Vec<Value> = odd.into_iter().enumerate().map(with).collect();
        workers.extend((count..20).map(worker));
        let status = shortened(workers);
        assert_eq!(status["in_short"], 20 - count);
        for (nth, worker) in status["workers"].as_array().unwrap().iter().enumerate() {
            assert_eq!(worker.get("worktree").is_some(), nth < count, "{worker:#}");
        }
        let last = &status["workers"][19];
        assert_eq!(last["signal"]["text"].as_str().unwrap().chars().count(), SAID + 1);
    }
}
