//! What a worker's session may do: the same scope that the plan was checked with.
//!
//! A guard rail, not a sandbox: it keeps an agent from harming other workers by accident. The
//! monitor sees what slips past, and `check` vetoes it before the merge.
//!
//! Where only running the command would tell which file it writes, the known part of the name
//! decides: a file named `b/$X` lies in `b`, and is refused when nothing there can be the worker's;
//! `$X` alone tells nothing, and is allowed. A git command of which neither verb nor folder can be
//! told is refused.

mod archives;
mod arguments;
mod arrays;
mod awk;
mod builtin;
mod call;
mod code;
mod decide;
mod expansion;
mod files;
mod find;
mod forge;
mod functions;
mod git;
mod heads;
mod helper;
mod judge;
mod lists;
mod narrowed;
mod options;
mod patch;
mod refs;
mod script;
mod sed;
mod session;
mod surroundings;
#[cfg(test)]
mod tests;
mod undo;
mod verbs;

use self::decide::{Change, foreign};
use self::judge::{Judge, Rules};
pub use self::refs::{Store, Transaction, destinations, refs};
pub use self::surroundings::{Surroundings, Target};
pub use self::undo::{Followed, Halted, UNDER_WAY, left};
use crate::path::RepoPath;
use crate::plan::{Plan, Worker};
use crate::signal::{self, Subject};
use crate::status::{State, WorkerStatus};

/// What to say to the client about a tool call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing: the client's own permissions decide.
    Silent,
    /// Run it without a question.
    Allow(String),
    /// Refuse it; the text says what to do instead.
    Deny(String),
}

/// Decides about a file that a tool would write.
pub fn write(plan: &Plan, worker: &Worker, path: &str, around: &dyn Surroundings) -> Decision {
    let target = around.target(path);
    if let Some(reason) = decide::change(plan, worker, around, Change::Content, &target) {
        return Decision::Deny(reason);
    }
    match target {
        // The client guards its own settings; the plan does not lift that.
        Target::Inside(path) if path.segments().any(|segment| segment == b".claude") => {
            Decision::Silent
        }
        Target::Inside(path) if plan.allows(worker, &path) => {
            Decision::Allow(format!("{path} is in the scope of {}", worker.id))
        }
        Target::Outside(shown) => Decision::Deny(format!(
            "{shown} is outside the repository: put scratch files into a temporary folder"
        )),
        _ => Decision::Silent,
    }
}

/// Decides about a shell command.
pub fn shell(plan: &Plan, worker: &Worker, command: &str, around: &dyn Surroundings) -> Decision {
    let rules = Rules { script: script::judge, call: script::call, command: builtin::judge };
    let judge = Judge::new(plan, worker, around, rules);
    if let Some(reason) = helper::needs_no_question(&judge, command) {
        return Decision::Allow(reason.to_owned());
    }
    let narrowed = narrowed::needs_no_question(&judge, command);
    match (judge.read(command), narrowed) {
        (Some(reason), _) => Decision::Deny(reason),
        (None, Some(reason)) => Decision::Allow(reason.to_owned()),
        (None, None) => Decision::Silent,
    }
}

/// Returns why a session must not end yet, if it must not.
pub fn stop(plan: &Plan, worker: &Worker, status: &WorkerStatus) -> Option<String> {
    let own: Vec<String> = status
        .uncommitted
        .iter()
        .filter(|path| plan.allows(worker, path))
        .take(5)
        .map(ToString::to_string)
        .collect();
    let mut reason = match status.state {
        State::Starting | State::InProgress | State::Reopened => format!(
            "The newest commit of {} does not say where the work stands. If all of it is done, run \
             `pw-worker complete \"what was done\"`; if something is missing, \
             `pw-worker blocked REASON \"details\"` or `pw-worker needs WORKER ITEM \"what for\"`.",
            worker.id
        ),
        _ if own.is_empty() => return None,
        _ => String::new(),
    };
    if !own.is_empty() {
        reason = format!(
            "These files are not committed: {}. Run `pw-worker checkpoint \"what was done\"` first. {reason}",
            own.join(", ")
        );
    }
    Some(reason.trim_end().to_owned())
}

/// Returns why a commit is refused: the files in it that are neither owned nor undone.
pub fn commit(plan: &Plan, worker: &Worker, staged: &[RepoPath]) -> Option<String> {
    let outside: Vec<&RepoPath> = staged.iter().filter(|path| !plan.allows(worker, path)).collect();
    let first = outside.first()?;
    let list: String = outside.iter().map(|path| format!("  {path}\n")).collect();
    Some(format!(
        "this commit holds files outside the scope of {}:\n{list}{}.\n\
         Take them out with `git restore --staged FILE`, or commit with `pw-worker checkpoint`, which takes your files alone.",
        worker.id,
        foreign(plan, worker, first),
    ))
}

/// What the guard says of a line of a message that is a near miss.
pub const NEAR_MISS: &str = "looks like a signal and would not count";

/// Returns why a commit message is refused: it is a near miss of a signal, or it needs an item that
/// no worker provides.
pub fn message(plan: &Plan, worker: &Worker, message: &str) -> Option<String> {
    match signal::read(message) {
        Subject::NearMiss { line, fix } => Some(format!("`{line}` {NEAR_MISS}; write\n  {fix}")),
        Subject::Signal { signal: signal::Signal::Needs { worker: provider, .. }, .. } => {
            let known = provider != worker.id && plan.worker(&provider).is_some();
            let others: Vec<&str> =
                plan.ids().filter(|id| **id != worker.id).map(|id| id.as_str()).collect();
            (!known).then(|| {
                format!(
                    "[NEEDS:{provider}/…] names no other worker; name one of: {}",
                    others.join(", ")
                )
            })
        }
        _ => None,
    }
}
