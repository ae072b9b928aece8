//! What `check` and `create` tell by default: of many workers, and of those that are created, what is made
//! for them, and not what the plan says, which the reader has; of hot files those that can be a mistake.

use schemars::Schema;
use serde_json::{Value, json};

use crate::next;
use crate::report::{IN_FULL, is_nothing, keep, leave_out, list};

/// What is told of every worker, however many there are.
const ALWAYS: [&str; 6] = ["id", "label", "branch", "worktree", "launch", "status"];

pub(super) fn shorten(setup: &mut Value) {
    next::one_for_many_launches(setup);
    let workers = list(setup, "workers");
    if workers.len() > IN_FULL {
        workers.iter_mut().for_each(|worker| keep(worker, &ALWAYS));
        setup["in_short"] = json!(workers.len());
    }
    // A file that has an owner, or that all share, is as the plan wants it.
    if let Some(files) = setup.get_mut("hot_files").and_then(Value::as_array_mut) {
        files.retain(|file| file["owner"].is_null() && file["shared"] != true);
        files.truncate(HOT);
    }
    if let Some(trial) = setup.get_mut("trial").filter(|trial| !is_nothing(&trial["copy"])) {
        // It passes with these files: what it printed without them is about nothing else.
        leave_out(trial, &["output_tail"]);
    }
    if let Some(run) = setup.get_mut("will_run") {
        list(run, "verify").iter_mut().for_each(|gate| leave_out(gate, &["timeout_seconds"]));
        if run["copied"] == 0 {
            leave_out(run, &["copied"]);
        }
        if let Some(fields) = run.as_object_mut() {
            fields.retain(|_, value| !is_nothing(value));
        }
    }
}

/// What `create` leaves out, too, since it takes what was checked.
pub(super) fn shorten_created(setup: &mut Value) {
    shorten(setup);
    for worker in list(setup, "workers") {
        leave_out(worker, &["owns", "after", "size"]);
    }
}

/// How many hot files without an owner are told of.
const HOT: usize = 5;

/// Of a worker told in short, only these are there.
pub(super) fn requires_what_is_always_told(schema: &mut Schema) {
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|name| name.as_str().is_some_and(|name| ALWAYS.contains(&name)));
    }
}
