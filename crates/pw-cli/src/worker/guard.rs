//! Entry points of hooks: the client's, which speak JSON on stdin and stdout, and git's, which
//! speak exit codes.
//!
//! Outside a worker's worktree every one of them says nothing, and finds that out without git.

use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use pw_core::guard::{self, Decision, Target};
use pw_core::path::RepoPath;
use pw_core::plan::Worker;
use pw_core::prompt;
use serde_json::{Value, json};

use crate::shell::{Answer, Context as Shell};
use crate::workflow::{Look, Workflow};

/// The hook that asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Event {
    PreToolUse,
    SessionStart,
    Stop,
    PreCommit,
    CommitMsg,
}

const SILENT: Answer = Answer::Hook { stdout: String::new(), refusal: None };

pub(super) fn run(shell: &Shell, event: Event, arguments: &[PathBuf]) -> Result<Answer> {
    let is_git = matches!(event, Event::PreCommit | Event::CommitMsg);
    if !is_git {
        return client_hook(shell, event);
    }
    // A check that cannot be made refuses: git shows stderr, nobody reads a document here.
    let refusal =
        git_hook(shell, event, arguments).unwrap_or_else(|error| Some(format!("{error:#}")));
    let refusal = refusal.map(|reason| format!("parallel-workflows: {reason}"));
    Ok(Answer::Hook { stdout: String::new(), refusal })
}

fn client_hook(shell: &Shell, event: Event) -> Result<Answer> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("reading the hook's input")?;
    let input: Value = serde_json::from_str(&text).context("reading the hook's input as JSON")?;
    let cwd = input["cwd"].as_str().map_or_else(|| shell.directory.clone(), PathBuf::from);
    if !may_be_worker(&cwd) {
        return Ok(SILENT);
    }
    let Ok((workflow, id)) = Workflow::open_here(&shell.at(&cwd)) else { return Ok(SILENT) };
    let worker = workflow.worker(&id)?;
    let said = match event {
        Event::PreToolUse => tool_use(&workflow, worker, &cwd, &input),
        Event::SessionStart => session_start(shell, &workflow, worker)?,
        _ => stop(shell, &workflow, worker, &input)?,
    };
    Ok(Answer::Hook {
        stdout: said.map(|said| format!("{said}\n")).unwrap_or_default(),
        refusal: None,
    })
}

/// Returns whether `dir` lies in a linked worktree of a repository that has workflows.
fn may_be_worker(dir: &Path) -> bool {
    let Some(marker) = dir.ancestors().map(|dir| dir.join(".git")).find(|git| git.exists()) else {
        return false;
    };
    let Ok(text) = std::fs::read_to_string(&marker) else { return false };
    let Some(own) = text.strip_prefix("gitdir: ") else { return false };
    let own = marker.with_file_name(own.trim_end());
    own.ancestors().nth(2).is_some_and(|common| common.join("pw").is_dir())
}

fn tool_use(workflow: &Workflow, worker: &Worker, cwd: &Path, input: &Value) -> Option<Value> {
    let tool = input["tool_name"].as_str().unwrap_or_default();
    let asked = &input["tool_input"];
    let decision = if tool == "Bash" {
        let command = asked["command"].as_str().unwrap_or_default();
        redirected(workflow, worker, cwd, command).unwrap_or_else(|| guard::shell(worker, command))
    } else {
        let path = ["file_path", "notebook_path"].iter().find_map(|key| asked[*key].as_str());
        match path.filter(|path| !path.is_empty()) {
            Some(path) => {
                guard::write(&workflow.plan, worker, &target(workflow, worker, &cwd.join(path)))
            }
            None => Decision::Deny("the guard does not know which file this writes".to_owned()),
        }
    };
    let (word, reason) = match decision {
        Decision::Silent => return None,
        Decision::Allow(reason) => ("allow", reason),
        Decision::Deny(reason) => ("deny", reason),
    };
    Some(json!({ "hookSpecificOutput": {
        "hookEventName": "PreToolUse",
        "permissionDecision": word,
        "permissionDecisionReason": reason,
    }}))
}

/// Refuses a redirection into what others own. What lies outside is left to the client.
fn redirected(workflow: &Workflow, worker: &Worker, cwd: &Path, command: &str) -> Option<Decision> {
    guard::redirections(command).iter().find_map(|file| {
        match target(workflow, worker, &cwd.join(file)) {
            Target::Outside(_) | Target::Temporary => None,
            target => Some(guard::write(&workflow.plan, worker, &target)),
        }
        .filter(|decision| matches!(decision, Decision::Deny(_)))
    })
}

/// Returns where a file really lies: `..` resolved, links followed as far as they exist.
fn target(workflow: &Workflow, worker: &Worker, path: &Path) -> Target {
    let real = real_path(path);
    let shown = path.to_string_lossy().into_owned();
    let real_of = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let in_git = |part: Component<'_>| part.as_os_str().eq_ignore_ascii_case(".git");
    if let Ok(inside) = real.strip_prefix(real_of(&workflow.worktree(worker))) {
        if inside.components().any(in_git) {
            return Target::Git;
        }
        use std::os::unix::ffi::OsStrExt as _;
        return Target::Inside(RepoPath::new(inside.as_os_str().as_bytes()));
    }
    let repo = &workflow.repo;
    if real.starts_with(real_of(repo.common())) {
        return Target::Git;
    }
    if repo.worktrees().iter().any(|worktree| real.starts_with(real_of(&worktree.path))) {
        return Target::Elsewhere(shown);
    }
    match real.starts_with(real_of(&std::env::temp_dir())) {
        true => Target::Temporary,
        false => Target::Outside(shown),
    }
}

/// Resolves the deepest folder that exists; the rest of the path is taken as it is.
pub(super) fn real_path(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                // Only of what is resolved: `link/..` is the folder above the link's target.
                plain = plain.canonicalize().unwrap_or(plain);
                plain.pop();
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    let mut rest = PathBuf::new();
    let mut known = plain.as_path();
    loop {
        if let Ok(real) = known.canonicalize() {
            return if rest.as_os_str().is_empty() { real } else { real.join(rest) };
        }
        // A link to nowhere is written through, too.
        if let Ok(linked) = known.read_link() {
            let folder = known.parent().unwrap_or(Path::new("/"));
            return real_path(&folder.join(linked).join(rest));
        }
        let (Some(folder), Some(name)) = (known.parent(), known.file_name()) else { return plain };
        rest = if rest.as_os_str().is_empty() { name.into() } else { Path::new(name).join(rest) };
        known = folder;
    }
}

fn session_start(shell: &Shell, workflow: &Workflow, worker: &Worker) -> Result<Option<Value>> {
    let facts = workflow.facts(shell.now, Look::At(&worker.id))?;
    let states = workflow.states(&facts);
    let own =
        states.iter().find(|status| status.id == worker.id).context("the worker has no state")?;
    let text = prompt::session(&workflow.plan, worker, own, &states);
    Ok(Some(
        json!({ "hookSpecificOutput": { "hookEventName": "SessionStart", "additionalContext": text } }),
    ))
}

fn stop(
    shell: &Shell,
    workflow: &Workflow,
    worker: &Worker,
    input: &Value,
) -> Result<Option<Value>> {
    // Sent back once; a session that still wants to end may.
    if input["stop_hook_active"] == true {
        return Ok(None);
    }
    let facts = workflow.facts(shell.now, Look::At(&worker.id))?;
    let states = workflow.states(&facts);
    let own =
        states.iter().find(|status| status.id == worker.id).context("the worker has no state")?;
    let reason = guard::stop(&workflow.plan, worker, own);
    Ok(reason.map(|reason| json!({ "decision": "block", "reason": reason })))
}

/// `--no-verify` goes past both hooks: a way out for a person, which the monitor sees.
fn git_hook(shell: &Shell, event: Event, arguments: &[PathBuf]) -> Result<Option<String>> {
    let Ok((workflow, id)) = Workflow::open_here(shell) else { return Ok(None) };
    let worker = workflow.worker(&id)?;
    if event == Event::PreCommit {
        return Ok(guard::commit(&workflow.plan, worker, &staged(&workflow, worker)?));
    }
    let file = arguments.first().context("git names no message file")?;
    let bytes = std::fs::read(shell.directory.join(file)).context("reading the commit message")?;
    Ok(guard::message(&workflow.plan, worker, &String::from_utf8_lossy(&bytes)))
}

/// Returns what is about to be committed that is neither HEAD's, nor the other side's of a merge,
/// nor back as it was at the fork.
fn staged(workflow: &Workflow, worker: &Worker) -> Result<Vec<RepoPath>> {
    let (repo, path) = (&workflow.repo, workflow.worktree(worker));
    let index = std::env::var_os("GIT_INDEX_FILE");
    let mut staged = repo.staged(&path, "HEAD", index.as_deref())?;
    let fork = workflow.record.placements.get(&worker.id).map(|placement| &placement.fork);
    for other in [repo.merge_head(&path)?.as_ref(), fork].into_iter().flatten() {
        if staged.iter().all(|path| workflow.plan.allows(worker, path)) {
            break;
        }
        let against = repo.staged(&path, other.as_str(), index.as_deref())?;
        staged.retain(|path| against.contains(path));
    }
    Ok(staged)
}
