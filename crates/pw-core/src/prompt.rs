//! What a worker's session is started with.

use crate::plan::{Plan, Worker};

/// The longest brief that a session is given as it starts, in bytes: the client puts longer texts into a
/// file.
const MAX_BRIEF: usize = 8_000;

/// Returns the first prompt of a worker's session. What there is to do, the brief says: told twice, it
/// would be read twice, and be wrong when the plan changes.
pub fn kickoff(plan: &Plan, worker: &Worker) -> String {
    format!(
        "You are worker {id} ({name}) of the workflow {workflow}, in your own git worktree on the branch {branch}.\n\
         Use the skill parallel-workflows:parallel-worker, do what `pw-worker brief` tells, and commit as it says.\n",
        id = worker.id,
        name = worker.name,
        workflow = plan.workflow,
        branch = worker.branch(),
    )
}

/// Returns what a worker's session is told when it starts, resumes or was compacted; `brief` is the data of
/// its brief.
pub fn session(plan: &Plan, worker: &Worker, brief: &str) -> String {
    let (id, workflow) = (&worker.id, &plan.workflow);
    if brief.len() > MAX_BRIEF {
        return format!(
            "You are worker {id} of the workflow {workflow}. `pw-worker brief` says what to do and where you stand.\n"
        );
    }
    format!(
        "You are worker {id} of the workflow {workflow}. `pw-worker brief` says now, so you need not run it:\n{brief}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_told_its_brief_unless_it_is_long() {
        let text = "workflow: w\nworkers:\n  - {id: task-1, name: users, owns: [a]}\n";
        let plan = Plan::parse(text).unwrap();
        let told = |brief: &str| session(&plan, &plan.workers[0], brief);
        assert!(told("{}").ends_with("so you need not run it:\n{}\n"));
        let long = told(&"x".repeat(MAX_BRIEF + 1));
        assert!(long.len() < 200 && long.contains("pw-worker brief"), "{long}");
    }
}
