//! What git's own trace tells of the hooks that a command ran.

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use pw_core::details::HookSaid;
use pw_core::failure::{Code, Failure};
use pw_core::next::Next;
use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Call, GitError};

/// How much of what a hook printed an answer repeats, in bytes: the end, where it says why.
const MAX_OUTPUT: usize = 4000;

/// Runs a command that runs hooks of the user's.
///
/// # Errors
///
/// `hook_refused`, which says which hook it was.
pub(crate) fn run(call: Call) -> Result<()> {
    let folder = TempDir::with_prefix("pw-trace-").context("making a temporary folder")?;
    let trace = folder.path().join("trace");
    // The user's hooks may rely on pathspec globs.
    let call = call.env("GIT_LITERAL_PATHSPECS", "0").env("GIT_TRACE2_EVENT", &trace);
    let Err(error) = call.run() else { return Ok(()) };
    let trace = std::fs::read(&trace).unwrap_or_default();
    match (error.downcast_ref::<GitError>(), failed_hook(&trace)) {
        (Some(git), Some(hook)) => Err(refused(&hook, &git.stderr).into()),
        _ => Err(error),
    }
}

/// Returns the hook that failed, told from git's own trace; what the hook started is not of it.
fn failed_hook(trace: &[u8]) -> Option<String> {
    let mut hooks = HashMap::new();
    let events = trace.split(|byte| *byte == b'\n');
    for event in events.filter_map(|line| serde_json::from_slice::<Value>(line).ok()) {
        let is_inner = event["sid"].as_str().is_none_or(|id| id.contains('/'));
        match event["event"].as_str() {
            _ if is_inner => {}
            Some("child_start") if event["child_class"] == "hook" => {
                let name = event["hook_name"].as_str().unwrap_or("commit");
                hooks.insert(event["child_id"].as_i64(), name.to_owned());
            }
            Some("child_exit") if event["code"] != 0 => {
                if let Some(name) = hooks.remove(&event["child_id"].as_i64()) {
                    return Some(name);
                }
            }
            _ => {}
        }
    }
    None
}

/// Returns the refusal of a hook, with what it said: `hook_refused`.
pub(crate) fn refused(hook: &str, said: &str) -> Failure {
    let from = said.len().saturating_sub(MAX_OUTPUT);
    let from = (from..said.len()).find(|at| said.is_char_boundary(*at)).unwrap_or(said.len());
    let output = said[from..].trim();
    let first = output.lines().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    Failure::new(Code::HookRefused, format!("the hook {hook} refused the commit: {first}"))
        .hint("do what details.output asks for, then run the same command again; if that is not yours to do, say so")
        .next(Next::BlockedByHook(hook))
        .details(HookSaid {
            hook: hook.to_owned(),
            output: output.to_owned(),
            git: output.to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hook_that_failed_is_named_and_not_what_it_started() {
        let line = |sid: &str, rest: &str| format!("{{\"sid\":\"{sid}\",{rest}}}\n");
        let start = |id: u8, name: &str| {
            format!(
                "\"event\":\"child_start\",\"child_id\":{id},\"child_class\":\"hook\",\"hook_name\":\"{name}\""
            )
        };
        let exit = |id: u8, code: u8| {
            format!("\"event\":\"child_exit\",\"child_id\":{id},\"code\":{code}")
        };
        let trace = [
            line("a", &start(0, "pre-commit")),
            line("a/b", &start(0, "post-checkout")),
            line("a/b", &exit(0, 1)),
            line("a", &exit(0, 0)),
            line("a", &start(1, "commit-msg")),
            "half a li".to_owned(),
            "\n".to_owned(),
            line("a", &exit(1, 1)),
        ];
        assert_eq!(failed_hook(trace.concat().as_bytes()).as_deref(), Some("commit-msg"));
        assert_eq!(failed_hook(trace[..4].concat().as_bytes()), None);
    }
}
