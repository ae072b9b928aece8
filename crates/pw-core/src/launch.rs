//! Starting workers: how, and what came of it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::engine::{RepositoryFile, Submission};
use crate::failure::{Code, Details, Failure};
use crate::id::{Slug, WorkerId};
use crate::next::{CommandLine, Next, NextStep};
use crate::plan::Worker;
use crate::report::Report;
use crate::session::LaunchMode;
use crate::snapshot::SnapshotId;
use crate::status::State;

/// The answer of `pw-setup launch`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Launched {
    /// The workflow whose workers were started.
    pub workflow: Slug,
    /// Those that were started, or whose commands are printed.
    pub workers: Vec<WorkerLaunch>,
    /// Workers that the user did not name and that need no session now.
    pub skipped: Vec<Skipped>,
    /// With an engine and `--dry-run`: what would be given to it; absent otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub submissions: Vec<Submission>,
    /// With an engine and `--dry-run`: the file that the repository must have first; absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<RepositoryFile>,
    /// A command that shows the sessions in this terminal; absent unless they are in tmux.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attach: Option<CommandLine>,
    /// What could not be found out.
    pub notes: Vec<String>,
    /// What to do next, the usual thing first.
    pub next: Vec<NextStep>,
}

impl Report for Launched {
    const SCHEMA: &'static str = "pw-setup.launch/1";
}

/// One worker that was started, or that the command starts.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct WorkerLaunch {
    /// Who was started.
    pub worker: WorkerId,
    /// In which way.
    pub how: LaunchMode,
    /// The shell command that starts its session, from any folder.
    pub command: String,
    /// Whether it runs now.
    pub status: LaunchStatus,
    /// What the client or tmux calls the session; absent when it has no name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What keeps the files its worktree held uncommitted; absent when there were none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotId>,
}

/// What was done for a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LaunchStatus {
    /// Not started: the command is printed for the user to run.
    Printed,
    /// A session was started.
    Started,
    /// Its window was there already.
    Exists,
}

impl LaunchStatus {
    /// Returns the word used in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Printed => "printed",
            Self::Started => "started",
            Self::Exists => "exists",
        }
    }
}

/// A worker that is skipped.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Skipped {
    /// Who is skipped.
    pub worker: WorkerId,
    /// Why, for an agent.
    pub reason: SkipReason,
    /// Why, for a person.
    pub message: String,
}

/// Why a worker needs no session now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// It has no branch and worktree, or lost them.
    NotCreated,
    /// Its work is done, and not merged yet.
    Complete,
    /// Its work is in the integration branch.
    Integrated,
    /// A session is at work in its worktree.
    SessionAlive,
}

/// Returns why a worker that the user did not name is skipped; `None` when it needs a session.
pub fn skip(
    worker: &Worker,
    state: Option<State>,
    is_created: bool,
    living: Option<&LiveSession>,
) -> Option<Skipped> {
    let id = &worker.id;
    let (reason, message) = match (state, living) {
        (Some(State::Integrated), _) => (SkipReason::Integrated, format!("{id} is integrated")),
        (Some(State::Complete), _) => (SkipReason::Complete, format!("{id} is complete")),
        _ if !is_created => (SkipReason::NotCreated, format!("{id} has no worktree")),
        (_, Some(living)) => (SkipReason::SessionAlive, living.to_string()),
        _ => return None,
    };
    Some(Skipped { worker: id.clone(), reason, message })
}

/// A session that is alive, as `details.sessions` of `session_alive` tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LiveSession {
    /// Whose session it is.
    pub worker: WorkerId,
    /// Absent for a background session, and where its process is not seen from here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Where it was started; absent when that is here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<String>,
    /// Its process cannot be seen from here, so that it may be dead.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_unseen: bool,
    /// Absent unless the client or tmux gave it one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// A command that shows it in this terminal; absent when it has a terminal of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attach: Option<CommandLine>,
}

/// The sessions that are alive.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Sessions {
    /// Each with how to get to it.
    pub sessions: Vec<LiveSession>,
}

impl Details for Sessions {
    const CODES: &'static [Code] = &[Code::SessionAlive];
}

impl fmt::Display for LiveSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.elsewhere, self.is_unseen) {
            (Some(place), true) => {
                return write!(
                    f,
                    "{} has a session in {place}; whether it lives cannot be told from here",
                    self.worker
                );
            }
            (Some(place), false) => {
                return write!(f, "{} has a living session in {place}", self.worker);
            }
            (None, _) => {}
        }
        match (self.pid, &self.id) {
            (Some(pid), Some(id)) => {
                write!(f, "{} has a living session, process {pid} in {id}", self.worker)
            }
            (Some(pid), None) => write!(f, "{} has a living session, process {pid}", self.worker),
            (None, id) => {
                write!(f, "{} has a living session, {}", self.worker, id.as_deref().unwrap_or("?"))
            }
        }
    }
}

/// Refuses to start a second session in one worktree.
///
/// # Errors
///
/// `session_alive`, with the living sessions.
pub fn refuse_live_sessions(living: &[LiveSession]) -> Result<(), Failure> {
    let Some(first) = living.first() else { return Ok(()) };
    let failure = Failure::new(Code::SessionAlive, first.to_string())
        .details(Sessions { sessions: living.to_vec() });
    Err(match &first.attach {
        Some(command) => failure.hint(format!("attach to it with {command}")).next(command.clone()),
        None if first.is_unseen => failure.hint(format!(
            "go on there, or end it there; only when you saw that it is over, say so: {}",
            Next::Ended(&first.worker)
        )),
        None => failure.hint("go on in the terminal it runs in, or end it there first"),
    })
}

/// Finds the id in `backgrounded · <id> · <name>`, which `claude --bg` prints.
pub fn background_id(output: &str) -> Option<&str> {
    let line = output.lines().find_map(|line| line.trim().strip_prefix("backgrounded · "))?;
    let id = line.split(" · ").next()?.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    ((1..=64).contains(&id.len()) && id.chars().all(plain)).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_tells_the_id_of_a_background_session() {
        let output =
            "Starting background service…\nbackgrounded · 134cae30 · w1\n  claude agents\n";
        assert_eq!(background_id(output), Some("134cae30"));
        for bad in ["", "backgrounded", "backgrounded · $(id) · w1", "backgrounded ·  · w1"] {
            assert_eq!(background_id(bad), None, "{bad}");
        }
    }
}
