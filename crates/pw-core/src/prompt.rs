//! What a worker's session is started with.

use crate::plan::{Plan, Worker};
use crate::report::shell_word;

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
