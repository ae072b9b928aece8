//! How a session knows which worker it was started as: its environment, set by the launcher.

use std::collections::BTreeMap;

use crate::failure::{Code, Failure};
use crate::id::{Slug, WorkerId};
use crate::next::Next;
use crate::plan::{Plan, Worker};

/// Environment variables that tell a session which worker it is; other sessions have none of them.
pub const ENVIRONMENT: [&str; 3] = ["PW_PORT", "PW_WORKER", "PW_WORKFLOW"];

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
    /// `PW_WORKFLOW`; `None` when it is not set.
    pub workflow: Option<String>,
    /// `PW_WORKER`, an id; `None` when it is not set.
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

    /// Refuses what is done to all workers: it is for the user's own session.
    ///
    /// # Errors
    ///
    /// `other_worker`.
    pub fn require_none(&self, command: &str) -> Result<(), Failure> {
        let Some(session) = self.worker.as_deref().or(self.workflow.as_deref()) else {
            return Ok(());
        };
        Err(Failure::new(
            Code::OtherWorker,
            format!("this session is that of {session}, and `{command}` is done to all workers"),
        )
        .hint("go on with your own work; to have this done, say so with pw-worker blocked, which the user sees")
        .next(Next::Brief))
    }

    /// Refuses what is done to another workflow than that of the session.
    ///
    /// # Errors
    ///
    /// `other_worker`.
    pub fn require_workflow(&self, workflow: &Slug, command: &str) -> Result<(), Failure> {
        match &self.workflow {
            Some(own) if own != workflow.as_str() => self.require_none(command),
            _ => Ok(()),
        }
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
        .next(Next::Brief))
    }
}
