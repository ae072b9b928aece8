//! The client's own permissions for a worker's session, made from its scope.

use serde_json::{Value, json};

use crate::plan::{Plan, Worker};
use crate::prompt;

/// Commands that read, that are the worker's own way to commit, or that take a change back.
const COMMANDS: &[&str] = &[
    "pw-worker brief",
    "pw-worker checkpoint *",
    "pw-worker blocked *",
    "pw-worker needs *",
    "pw-worker complete",
    "pw-worker complete *",
    "pw-worker sync",
    "pw-worker sync *",
    "pw-setup repair",
    "pw-setup repair *",
    "pw-monitor status",
    "pw-monitor status *",
    "git status",
    "git status *",
    "git diff",
    "git diff *",
    "git log",
    "git log *",
    "git show *",
    "git restore *",
    "git rm *",
];

/// Commands that reach other workers or remotes.
const DENIED: &[&str] = &[
    "git push",
    "git push *",
    "git stash",
    "git stash *",
    "git worktree *",
    "git gc",
    "git gc *",
    "git prune *",
];

/// Returns the settings file of a worker's session.
///
/// `root` is the main checkout, `worktree` the worker's; both absolute. File rules are absolute,
/// because a pattern without a slash would match at any depth.
pub fn settings(
    plan: &Plan,
    worker: &Worker,
    root: &str,
    worktree: &str,
    port: Option<u16>,
) -> Value {
    let edit = |folder: &str, glob: &str| format!("Edit(/{folder}/{glob})");
    let (mut owned, excluded) = worker.owns.spelled_out();
    let (shared, unshared) = plan.shared.spelled_out();
    owned.extend(shared);
    let bash = |command: &&str| format!("Bash({command})");
    let mut allow: Vec<String> = owned.iter().map(|glob| edit(worktree, glob)).collect();
    allow.extend(COMMANDS.iter().map(bash));
    allow.extend(
        plan.verify
            .iter()
            .filter(|gate| !gate.command.contains('\n'))
            .map(|gate| bash(&gate.command.as_str())),
    );
    let mut deny: Vec<String> = DENIED.iter().map(bash).collect();
    deny.extend(excluded.iter().chain(&unshared).map(|glob| edit(worktree, glob)));
    let others = plan.workers.iter().filter(|other| other.id != worker.id);
    deny.extend(others.map(|other| edit(root, &format!("{}/**", plan.worktree(other)))));
    let environment = prompt::environment(plan, worker, port);
    json!({ "permissions": { "allow": allow, "deny": deny }, "env": environment })
}
