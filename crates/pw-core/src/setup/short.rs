//! What `check` and `create` tell by default: of many workers what is made for them, and not what the
//! plan says, which the reader has.

use schemars::Schema;
use serde_json::{Value, json};

use crate::next;
use crate::report::{IN_FULL, keep, list};

/// What is told of every worker, however many there are.
const ALWAYS: [&str; 6] = ["id", "label", "branch", "worktree", "launch", "status"];

pub(super) fn shorten(setup: &mut Value) {
    next::one_for_many_launches(setup);
    let workers = list(setup, "workers");
    if workers.len() > IN_FULL {
        workers.iter_mut().for_each(|worker| keep(worker, &ALWAYS));
        setup["in_short"] = json!(workers.len());
    }
}

/// Of a worker told in short, only these are there.
pub(super) fn requires_what_is_always_told(schema: &mut Schema) {
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|name| name.as_str().is_some_and(|name| ALWAYS.contains(&name)));
    }
}
