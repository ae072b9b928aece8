//! What git's own trace tells of the hooks that a command ran.

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use pw_core::details::HookSaid;
use pw_core::failure::{Code, Failure};
use pw_core::next::Next;
use serde_json::Value;
use tempfile::TempDir;

use crate::Repo;
use crate::process::{Call, GitError};

/// How much of what a hook printed an answer repeats, in bytes: the end, where it says why.
const MAX_OUTPUT: usize = 4000;

/// Runs a command that runs hooks of the user's.
///
/// # Errors
///
/// `hook_refused`, which says which hook it was.
pub(crate) fn run(repo: &Repo, call: Call) -> Result<()> {
    let folder = TempDir::with_prefix("pw-trace-").context("making a temporary folder")?;
    let trace = folder.path().join("trace");
    // The user's hooks may rely on pathspec globs.
    let call = call.env("GIT_LITERAL_PATHSPECS", "0").env("GIT_TRACE2_EVENT", &trace);
    let Err(error) = call.run() else { return Ok(()) };
    let hooks = hooks(&std::fs::read(&trace).unwrap_or_default());
    let Some(git) = error.downcast_ref::<GitError>() else { return Err(error) };
    let is_users = |name: &str| {
        repo.hooks_folder().is_ok_and(|folder| repo.place().join(folder).join(name).exists())
    };
    match at_fault(&hooks, git, &is_users) {
        Some(hook) => Err(refused(&hook, &git.stderr).into()),
        None => Err(error),
    }
}

/// Returns the hook because of which git failed: one that failed itself, waited for a terminal until
/// git was ended, or left nothing of the message. `is_users` says whether the user has a hook of this
/// name: ours are there for every name.
fn at_fault(hooks: &[Hook], git: &GitError, is_users: &dyn Fn(&str) -> bool) -> Option<String> {
    let name = |(name, _): &Hook| name.clone();
    let failed = hooks.iter().find(|(_, code)| code.is_some_and(|code| code != 0));
    let unfinished = || hooks.iter().rev().find(|(_, code)| code.is_none());
    let emptied = || {
        let is_about_message = |(name, _): &&Hook| name.ends_with("commit-msg");
        let is_empty = git.stderr.contains("empty commit message");
        let mut last = hooks.iter().rev().filter(is_about_message).filter(|_| is_empty);
        last.clone().find(|(name, _)| is_users(name)).or_else(|| last.next())
    };
    failed.or_else(unfinished).or_else(emptied).map(name)
}

/// The name of a hook, and its exit code unless git did not see its end.
type Hook = (String, Option<i64>);

/// Returns the hooks that ran, told from git's own trace; what a hook started is not of it.
fn hooks(trace: &[u8]) -> Vec<Hook> {
    let (mut hooks, mut at) = (Vec::new(), HashMap::new());
    let events = trace.split(|byte| *byte == b'\n');
    for event in events.filter_map(|line| serde_json::from_slice::<Value>(line).ok()) {
        let is_inner = event["sid"].as_str().is_none_or(|id| id.contains('/'));
        match event["event"].as_str() {
            _ if is_inner => {}
            Some("child_start") if event["child_class"] == "hook" => {
                let name = event["hook_name"].as_str().unwrap_or("commit");
                at.insert(event["child_id"].as_i64(), hooks.len());
                hooks.push((name.to_owned(), None));
            }
            Some("child_exit") => {
                if let Some(at) = at.remove(&event["child_id"].as_i64()) {
                    hooks[at].1 = event["code"].as_i64();
                }
            }
            _ => {}
        }
    }
    hooks
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
        let fault = |lines: usize, stderr: &str| {
            let git = GitError { command: String::new(), code: 1, stderr: stderr.to_owned() };
            at_fault(&hooks(trace[..lines].concat().as_bytes()), &git, &|_| false)
        };
        assert_eq!(fault(trace.len(), "").as_deref(), Some("commit-msg"));
        assert_eq!(fault(4, ""), None);
        // Git was ended while it ran, and what git says of what it left.
        assert_eq!(fault(1, "").as_deref(), Some("pre-commit"));
        assert_eq!(fault(4, "Aborting commit due to empty commit message."), None);
    }
}
