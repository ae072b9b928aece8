//! What a worker's session is started with.

use crate::plan::{Plan, Worker};
use crate::status::WorkerStatus;
use crate::text::counted;

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

    fn plan() -> Plan {
        let text = "workflow: w\nworkers:\n  - {id: task-1, name: users, owns: [a]";
        Plan::parse(&format!("{text}, notes: \"{}\"}}\n", "é".repeat(80_000))).unwrap()
    }

    #[test]
    fn a_prompt_fits_in_one_argument() {
        let plan = plan();
        let text = kickoff(&plan, &plan.workers[0]);
        assert!(text.len() < 128 << 10 && text.ends_with("prints it all.\n"));
    }
}
