//! Claude's cloud, and environments that an organisation hosts for it: a session for each worker,
//! begun by the client. The client begins one only in a terminal, so the commands are shown and the
//! user runs them; what such a session does is told by what it pushes.

use super::interface::{Ask, Deployment, Engine, Polled, Said, Submission};
use crate::next::CommandLine;
use crate::plan::Worker;
use crate::session::JobState;

/// The cloud, for the workers of a plan.
pub(super) struct Cloud<'a>(pub(super) Deployment<'a>);

impl Engine for Cloud<'_> {
    fn program(&self) -> &'static str {
        "claude"
    }

    fn submissions(&self, workers: &[&Worker]) -> Vec<Submission> {
        let environment = &self.0.plan.engine.environment;
        let submission = |worker: &&Worker| {
            let (workflow, label) = (&self.0.plan.workflow, worker.label());
            let prepare = self.0.plan.engine.prepare.as_ref();
            let prepare = prepare.map(|command| format!("First run {command}. "));
            let words = format!(
                "{}Run pw-setup join {id} --workflow {workflow}. Go into worktrees/{label} and work there alone, as \
                 worker {id}: use the skill parallel-workflows:parallel-worker, and begin with pw-worker brief.",
                prepare.unwrap_or_default(),
                id = worker.id,
            );
            let mut submission = Submission::of(&["claude", "--cloud", &words, "--name", &label]);
            if let Some(environment) = environment {
                submission.command.extend(["--environment".to_owned(), environment.clone()]);
            }
            submission
        };
        workers.iter().map(submission).collect()
    }

    fn ids(&self, _submission: usize, _workers: &[&Worker], _said: &Said) -> Option<Vec<String>> {
        None
    }

    fn poll(&self, _ids: &[&str], _ask: Ask<'_>) -> Polled {
        Polled::nothing("the client does not list sessions of the cloud")
    }

    fn cancel(&self, id: &str) -> CommandLine {
        CommandLine::of("claude --cloud").word(id)
    }

    fn look(&self, id: &str, _state: Option<JobState>) -> CommandLine {
        CommandLine::of("claude --cloud").word(id)
    }
}
