//! The shell script that starts a worker's session.

use crate::plan::{Plan, Worker};
use crate::session::environment::environment;
use crate::shell_word::shell_word;

/// Variables that the client sets for its children about the session they run in; a worker's
/// session must not inherit them.
pub const NESTED: [&str; 7] = [
    "CLAUDECODE",
    "CLAUDE_CODE_AGENT",
    "CLAUDE_CODE_CHILD_SESSION",
    "CLAUDE_CODE_SESSION_ID",
    "CLAUDE_EFFORT",
    "CLAUDE_JOB_DIR",
    "CLAUDE_PID",
];

/// What to do when there is no client.
pub const INSTALL: &str = "install Claude Code: the npm package @anthropic-ai/claude-code, or without npm as code.claude.com/docs says";

/// The name of the link to `pw-worker` in the folder of our files about a worker: its hooks and its
/// launcher find the program there, so that they hold no path of a machine.
pub const HELPER: &str = "pw-worker";

/// The name of the file, beside that link, which a session of the launcher's holds a lock on.
pub const ALIVE: &str = "alive";

/// Returns the launcher script. It finds everything from where it lies, so that it starts the
/// worker of the repository it is in, wherever that was moved or copied to.
///
/// `worktree` is the way from the script's folder to the worktree; that folder also holds the
/// prompt and the settings of the session. Before the script becomes the client, it asks the helper
/// whether a session lives there already, and has its own process noted, which is the client's
/// after `exec`.
pub fn launcher(plan: &Plan, worker: &Worker, worktree: &str, port: Option<u16>) -> String {
    let skip = "set -- --dangerously-skip-permissions \"$@\"\n";
    let environment = environment(plan, worker, port);
    let exported: String =
        environment.iter().map(|(name, value)| format!(" {name}={value}")).collect();
    format!(
        r#"#!/bin/sh
# Starts worker {label} in its worktree. Made by pw-setup; arguments go to claude.
set -eu
folder=${{0%/*}}
[ "$folder" != "$0" ] || folder=.
folder=$(CDPATH= cd -- "$folder" && pwd -P)
cd -- "$folder"/{worktree}
helper=$folder/{HELPER}
[ -x "$helper" ] || helper=$(command -v {HELPER}) || {{
  echo '{HELPER} is gone, so whether a session lives here cannot be told: run pw-setup repair {workflow}' >&2
  exit 127
}}
# The lock is held as long as the client runs: a container that cannot see the process sees the lock.
exec 9>>"$folder/{ALIVE}"
"$helper" begin {id} $$ <&9 9>&- || exit 3
# Until git wrote down what it finds, every look reads all files again: they are as young as the index.
git status >/dev/null 2>&1 || :
export{exported}
claude=${{CLAUDE_CODE_EXECPATH:-}}
if ! [ -f "$claude" ] || ! [ -x "$claude" ]; then
  claude=$(command -v claude) || {{
    echo 'claude is not on PATH: {INSTALL}' >&2
    exit 127
  }}
fi
unset {nested}
set -- --settings "$folder/settings.json" "$@"
{skip}exec "$claude" "$@" -- "$(cat "$folder/prompt.md")" 9>&9
"#,
        label = worker.label(),
        id = worker.id,
        workflow = plan.workflow,
        worktree = shell_word(worktree),
        nested = NESTED.join(" "),
        skip = if plan.skips_permissions { skip } else { "" },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(more: &str) -> Plan {
        let text = "workflow: w\nworkers:\n  - {id: task-1, name: users, owns: [a]}\n";
        Plan::parse(&format!("{text}{more}")).unwrap()
    }

    #[test]
    fn permissions_are_skipped_only_when_the_plan_says_so() {
        let script = |plan: &Plan| launcher(plan, &plan.workers[0], "../it's", Some(20_000));
        let checked = script(&plan(""));
        assert!(
            !checked.contains("skip-permissions") && checked.contains(r#""$folder"/'../it'\''s'"#)
        );
        assert!(checked.contains("export PW_PORT=20000 PW_WORKER=task-1 PW_WORKFLOW=w\n"));
        let unchecked = script(&plan("permissions: dangerously-skip-permissions\n"));
        assert!(unchecked.contains("set -- --dangerously-skip-permissions \"$@\"\nexec "));
    }
}
