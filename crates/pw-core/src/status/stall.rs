//! Who does not move any more, why, and the command that helps.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::State;
use super::next::Places;
use crate::facts::{Facts, WorktreeFacts};
use crate::id::Slug;
use crate::plan::{Plan, Worker};
use crate::record::Record;
use crate::report::shell_word;
use crate::time::{Seconds, human};

/// How long a worker may show nothing, unless the plan or the caller says otherwise.
pub const DEFAULT_STALL_AFTER: Seconds = 30 * 60;

/// A worker that needs somebody to move again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stall {
    pub cause: StallCause,
    /// One sentence for a person.
    pub message: String,
    /// Since its last sign of life; `null` when there is none.
    pub since_seconds: Option<Seconds>,
    /// A command that runs as it is.
    pub remedy: String,
}

/// Why a worker does not move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StallCause {
    /// Its session asks whether it may use a tool.
    WaitingForPermission,
    /// Its session asked something and waits for the answer.
    WaitingForAnswer,
    /// The account of its session is not accepted.
    Login,
    /// Its session was refused for now: too many requests, or too much used.
    RateLimit,
    /// The service failed its session for another reason.
    ApiError,
    /// No session, and work in the worktree that is not committed.
    GoneWithWork,
    /// No session, and nothing pending.
    Gone,
    /// Its session runs and shows nothing.
    Silent,
    /// A merge, rebase or the like was begun and is not ended.
    Wedged,
    /// It seems to have done everything and did not say `[COMPLETE]`.
    FinishedWithoutComplete,
    /// Created, and no session was ever seen.
    NeverStarted,
    /// Nothing is known of a session.
    Unknown,
}

/// Returns why a worker does not move; nothing while it does, or need not.
pub(super) fn stall(
    plan: &Plan,
    record: &Record,
    facts: &Facts,
    worker: &Worker,
    state: State,
    places: &dyn Places,
) -> Option<Stall> {
    if !matches!(state, State::Starting | State::InProgress | State::Reopened) {
        return None;
    }
    let known = facts.workers.get(&worker.id)?;
    let commit = known.tip.as_ref().and_then(|tip| facts.history.commit(tip));
    let created = record.placements.get(&worker.id).map(|placement| placement.at);
    let launched = record.launches.get(&worker.id).map(|launch| launch.at);
    let newest = commit.map(|commit| commit.time).into_iter().chain(created).chain(launched).max();
    let since_seconds = newest.map(|at| facts.now.saturating_sub(at).max(0));
    if since_seconds.is_some_and(|since| since < DEFAULT_STALL_AFTER) {
        return None;
    }
    let operation = match &known.worktree {
        WorktreeFacts::Present(tree) => tree.operation.as_deref(),
        _ => None,
    };
    let age = since_seconds.map(|since| format!(" for {}", human(since))).unwrap_or_default();
    let (cause, message, remedy) = match (operation, state, launched) {
        (Some(operation), ..) => {
            let folder = shell_word(&places.worktree(worker));
            let message = format!("a {operation} is in progress, nothing happened{age}");
            (StallCause::Wedged, message, format!("git -C {folder} status"))
        }
        (None, State::Starting, None) => {
            let message = format!("no session was ever seen; created{age}");
            (StallCause::NeverStarted, message, launch(&plan.workflow, worker))
        }
        _ => {
            let message = format!("nothing happened{age}, and nothing is known of its session");
            (StallCause::Unknown, message, launch(&plan.workflow, worker))
        }
    };
    Some(Stall { cause, message, since_seconds, remedy })
}

/// Starts a session again, unless one is alive after all.
fn launch(workflow: &Slug, worker: &Worker) -> String {
    format!("pw-setup launch {} --workflow {workflow}", worker.id)
}
