//! What a worker's session is started with.

use crate::plan::{Plan, Worker};
use crate::report::{counted, shell_word};
use crate::status::WorkerStatus;

/// Returns the first prompt of a worker's session.
///
/// What people wrote in the plan stands between quote marks, line by line, as the task to do.
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

/// Returns the launcher script: constants of ours and quoted absolute paths, nothing else.
pub fn launcher(worker: &Worker, worktree: &str, prompt: &str) -> String {
    format!(
        "#!/bin/sh\n\
         # Starts worker {label} in its worktree. Made by pw-setup; arguments go to claude.\n\
         set -eu\n\
         cd {worktree}\n\
         exec claude \"$@\" -- \"$(cat {prompt})\"\n",
        label = worker.label(),
        worktree = shell_word(worktree),
        prompt = shell_word(prompt),
    )
}

/// Returns the git hook that stands under every hook name in a worker's worktree. `guard` is the
/// absolute path of `pw-worker`.
pub fn hook(guard: &str) -> String {
    format!(
        r#"#!/bin/sh
# Asks the guard of parallel-workflows, then runs the repository's own hook of this name.
hook=${{0##*/}}
case $hook in
  pre-commit | commit-msg)
    guard={guard}
    [ -x "$guard" ] || guard=$(command -v pw-worker) || {{
      echo 'parallel-workflows: pw-worker is gone, so the scope of this commit cannot be checked;' >&2
      echo 'run pw-setup create with the plan again' >&2
      exit 1
    }}
    "$guard" guard "$hook" "$@" || exit 1 ;;
esac
own=$(git config --local --path --get core.hooksPath || git config --global --path --get core.hooksPath ||
  git config --system --path --get core.hooksPath) || own=$(git rev-parse --git-common-dir)/hooks
[ -x "$own/$hook" ] || exit 0
exec "$own/$hook" "$@"
"#,
        guard = shell_word(guard),
    )
}

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
    for other in others.iter().filter(|other| other.id != worker.id) {
        text += &format!("\n- {} is {}", other.label, other.state.word());
    }
    text + "\n"
}
