//! What a worker's session is started with.

use std::collections::BTreeMap;

use crate::failure::{Code, Failure};
use crate::id::{Slug, WorkerId};
use crate::plan::{Plan, Worker};
use crate::report::{counted, shell_word};
use crate::status::WorkerStatus;

/// How long a prompt can be: Linux passes at most 128 KiB in one argument.
const MAX_BYTES: usize = 100_000;

/// Returns the first prompt of a worker's session.
///
/// The user's words from the plan are quoted, line by line, as the task to do.
pub fn kickoff(plan: &Plan, worker: &Worker) -> String {
    let mut text = format!(
        "You are worker {id} ({name}) of the workflow {workflow}, in your own git worktree on the branch {branch}.\n\
         Use the skill parallel-workflows:parallel-worker. Begin with `pw-worker brief`: it prints your assignment,\n\
         your scope and what changed around you. You are asked to commit: save each finished step with\n\
         `pw-worker checkpoint`, and end with `pw-worker complete`, `pw-worker blocked` or `pw-worker needs`.\n\
         Change only files in your scope. Do not push, and do not switch branches.\n",
        id = worker.id,
        name = worker.name,
        workflow = plan.workflow,
        branch = worker.branch(),
    );
    text += &format!("\nThe goal of all workers together:\n{}", quoted(&plan.goal));
    text += &listed("Your tasks", &worker.tasks);
    text += &listed("Your checkpoints", &worker.checkpoints);
    text += &listed("You own", &worker.owns.globs().map(str::to_owned).collect::<Vec<_>>());
    if !worker.notes.is_empty() {
        text += &format!("\nNotes:\n{}", quoted(&worker.notes));
    }
    if text.len() > MAX_BYTES {
        let starts = text.char_indices().map(|(at, _)| at);
        let end = starts.take_while(|at| *at <= MAX_BYTES).last().unwrap_or_default();
        text.truncate(end);
        text += "\n\nThe rest is too long for a prompt; `pw-worker brief` prints it all.\n";
    }
    text
}

fn quoted(text: &str) -> String {
    text.lines().map(|line| format!("> {}\n", plain(line))).collect()
}

fn listed(title: &str, items: &[String]) -> String {
    if items.is_empty() {
        return String::new();
    }
    let lines: String = items.iter().map(|item| format!("> - {}\n", plain(item))).collect();
    format!("\n{title}:\n{lines}")
}

/// Returns one line without control characters, which a terminal might obey.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

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

/// Environment variables that tell a session which worker it is; other sessions have none of them.
pub const ENVIRONMENT: [&str; 3] = ["PW_PORT", "PW_WORKER", "PW_WORKFLOW"];

/// What to do when there is no client.
pub const INSTALL: &str = "install Claude Code, the npm package @anthropic-ai/claude-code";

/// Returns what a worker's session finds in its environment.
///
/// Settings must say it, too, as their `env`: all background sessions of the client come from one
/// daemon, which keeps the environment of whichever was started first.
pub fn environment(
    plan: &Plan,
    worker: &Worker,
    port: Option<u16>,
) -> BTreeMap<&'static str, String> {
    let port = port.map(|port| ("PW_PORT", port.to_string()));
    let names = [("PW_WORKFLOW", plan.workflow.to_string()), ("PW_WORKER", worker.id.to_string())];
    names.into_iter().chain(port).collect()
}

/// The worker that a session was started as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionOf {
    pub workflow: Option<String>,
    pub worker: Option<String>,
}

impl SessionOf {
    /// Reads what [`environment`] puts there; an empty value says nothing.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let named = |name| variable(name).filter(|value| !value.is_empty());
        Self { workflow: named("PW_WORKFLOW"), worker: named("PW_WORKER") }
    }

    /// Returns whether it was started as a worker at all.
    pub fn is_worker(&self) -> bool {
        self.worker.is_some() || self.workflow.is_some()
    }

    /// Returns whether it may work as this worker: it is this worker's session, or no worker's.
    pub fn may_be(&self, workflow: &Slug, worker: &WorkerId) -> bool {
        let is =
            |said: &Option<String>, name: &str| said.as_deref().is_none_or(|said| said == name);
        is(&self.workflow, workflow.as_str()) && is(&self.worker, worker.as_str())
    }

    /// Refuses unless it may work as this worker.
    ///
    /// # Errors
    ///
    /// `other_worker`, which names both.
    pub fn require(&self, workflow: &Slug, worker: &WorkerId) -> Result<(), Failure> {
        if self.may_be(workflow, worker) {
            return Ok(());
        }
        let of = |workflow: &str, worker: &str| format!("{worker} of the workflow {workflow}");
        let said = of(
            self.workflow.as_deref().unwrap_or(workflow.as_str()),
            self.worker.as_deref().unwrap_or("a worker"),
        );
        let there = of(workflow.as_str(), worker.as_str());
        Err(Failure::new(
            Code::OtherWorker,
            format!("this session is that of {said}, and the worktree that of {there}"),
        )
        .hint("go back to your own worktree; what you need of another worker, ask for with pw-worker needs")
        .next("pw-worker brief"))
    }
}

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

/// The name of the folder, beside that of a worker's hooks, which keeps what a hook manager put
/// into theirs.
pub const KEPT: &str = "kept";

/// How our dispatcher begins, in every release: it tells our hooks from the user's.
pub const HOOK_BEGINS: &str = "#!/bin/sh\n# Asks the guard of parallel-workflows,";

/// The git hook under every hook name in a worker's own folder of hooks. Like the launcher, it
/// finds everything from where it lies.
///
/// A manager that renames what it finds (`pre-commit.legacy`) and calls that still asks the guard.
pub const HOOK: &str = r#"#!/bin/sh
# Asks the guard of parallel-workflows, then runs every hook of this name that was here before it.
hook=${0##*/}
hook=${hook%%.*}
hooks=${0%/*}
place() { (CDPATH= cd -- "$1" 2>/dev/null && pwd -P); }
refuse() {
  echo "parallel-workflows: $1, so the scope of this commit cannot be checked: run pw-setup repair" >&2
  exit 1
}
ask() {
  guard=$hooks/../pw-worker
  [ -x "$guard" ] || guard=$(command -v pw-worker) || refuse 'pw-worker is gone'
  PW_GIT_PROCESS=$PPID "$guard" guard "$hook" "$@" || exit 1
}
# A worktree that was copied along, and not repaired, would commit to the branch of the original.
here() {
  [ "$(place "$(git rev-parse --git-common-dir)")" = "$(place "$hooks/../../../..")" ] ||
    refuse 'the repository was moved or copied'
}
session=${PW_WORKER-}${PW_WORKFLOW-}
label=${hooks%/*}
label=${label##*/}
case $hook in
  pre-commit | commit-msg)
    here
    ask "$@" ;;
  # Of what git does here without the two above, workers' sessions alone are asked whose they are.
  applypatch-msg | pre-applypatch | pre-merge-commit | prepare-commit-msg | pre-rebase)
    [ -z "$session" ] || { here; ask "$@"; } ;;
  post-checkout)
    # Of files that are checked out git says 0.
    [ -z "$session" ] || [ "$3" = 0 ] || ask "$label" ;;
  reference-transaction)
    # Git runs this one several times for each command: it starts nothing that it need not.
    if [ "$1" = prepared ] && [ -n "$session" ]; then
      said=$(cat)
      case $said in
        *HEAD* | *' refs/heads/'* | *' refs/stash'*)
          printf '%s\n' "$said" | ask "$label" || exit 1 ;;
      esac
      exec <<SAID
$said
SAID
    fi
    [ -e "$hooks/../../../../hooks/$hook" ] || [ -e "$hooks/../kept/$hook" ] || exit 0 ;;
esac
own=$(git config --local --path --get core.hooksPath || git config --global --path --get core.hooksPath ||
  git config --system --path --get core.hooksPath) || own=
# Somebody took our own folder for the repository's.
[ -n "$own" ] && [ "$(place "$own")" != "$(place "$hooks")" ] || own=$(git rev-parse --git-common-dir)/hooks
own=$own/$hook
kept=$hooks/../kept/$hook
if [ -f "$kept" ] && [ -x "$kept" ] && ! cmp -s "$kept" "$own"; then
  [ -x "$own" ] || exec "$kept" "$@"
  case $hook in
    pre-push | post-rewrite | reference-transaction)
      said=$(cat && echo .)
      said=${said%.}
      printf %s "$said" | "$kept" "$@" || exit
      printf %s "$said" | "$own" "$@"
      exit ;;
  esac
  "$kept" "$@" || exit
fi
[ -x "$own" ] || exit 0
exec "$own" "$@"
"#;

/// Returns what a worker's session is told when it starts, resumes or was compacted.
pub fn session(
    plan: &Plan,
    worker: &Worker,
    status: &WorkerStatus,
    others: &[WorkerStatus],
) -> String {
    let mut text = kickoff(plan, worker);
    text += &format!("\nWhere you stand: {}.", status.state.word());
    if let Some(signal) = &status.signal {
        text += &format!(" Your newest signal says: {}", plain(&signal.text));
    }
    if !status.uncommitted.is_empty() {
        text += &format!(" Uncommitted: {}.", counted(status.uncommitted.len(), "file"));
    }
    if status.commits > 0 && !status.state.is_done() {
        text += "\nYou are not the first session here: go on where the last one stopped.\n";
        text += &listed("Checkpoints that are committed", &status.checkpoints);
        text += &listed("Checkpoints that remain", &worker.remaining(&status.checkpoints));
    }
    for other in others.iter().filter(|other| other.id != worker.id) {
        text += &format!("\n- {} is {}", other.label, other.state.word());
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(more: &str) -> Plan {
        let text = "workflow: w\nworkers:\n  - {id: task-1, name: users, owns: [a]";
        Plan::parse(&format!("{text}, notes: \"{}\"}}\n{more}", "é".repeat(80_000))).unwrap()
    }

    #[test]
    fn a_prompt_fits_in_one_argument() {
        let plan = plan("");
        let text = kickoff(&plan, &plan.workers[0]);
        assert!(text.len() < 128 << 10 && text.ends_with("prints it all.\n"));
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
        assert!(HOOK.starts_with(HOOK_BEGINS));
    }
}
