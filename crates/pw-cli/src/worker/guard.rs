//! Entry points of hooks: the client's, which speak JSON on stdin and stdout, and git's, which
//! speak exit codes.
//!
//! In a session that is no worker's, each of them prints nothing, and finds that out without git;
//! the agent that merges is refused edits anywhere but where a merge is resolved.
//! In a worker's session, what cannot be judged is refused.

use std::cell::OnceCell;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use pw_core::guard::{self, Decision};
use pw_core::id::{Slug, WorkerId};
use pw_core::plan::Worker;
use pw_core::prompt;
use pw_core::report::{self, Report as _};
use pw_core::session::environment::SessionOf;
use pw_core::status::{BudgetLevel, budget as spent};
use pw_core::worker::Brief;
use serde::Deserialize;
use serde_json::{Value, json};

use super::brief;
use super::budget;
use super::ground::Ground;
use super::hook::{self, Event, is_outside};
use super::own_worktree::OwnWorktree;
use super::surroundings::Around;
use crate::facts::Worktrees;
use crate::integrate::resolution::FOLDER;
use crate::session;
use crate::shell::{Answer, Context as Shell};
use crate::workflow::Workflow;

const SILENT: Answer = Answer::Hook { stdout: String::new(), refusal: None };

/// The longest input that is read; what is longer cannot be judged.
const MAX_INPUT: u64 = 32 << 20;

/// Why a worker's session runs nothing there: no file that it writes could be told.
const NO_POWERSHELL: &str = "the guard reads what Bash runs, not PowerShell: use Bash";

/// How the client calls the agent that merges, after the plugin's name.
const INTEGRATE: &str = ":parallel-integrate";

/// How long judging may take. The client waits ten seconds, then refuses without a reason.
const PATIENCE: Duration = Duration::from_secs(7);

/// What is read of a hook's input. Everything else in it is ignored, even when it is malformed.
#[derive(Debug, Default, Deserialize)]
struct Input {
    cwd: Option<PathBuf>,
    /// In an agent's session, which one it is, with the plugin before it.
    agent_type: Option<String>,
    tool_name: Option<String>,
    tool_input: Option<ToolInput>,
    stop_hook_active: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
struct ToolInput {
    command: Option<String>,
    file_path: Option<String>,
    notebook_path: Option<String>,
}

impl ToolInput {
    /// Returns the file that is written, if it names one.
    fn file(&self) -> Option<&str> {
        let mut paths = [&self.file_path, &self.notebook_path].into_iter().flatten();
        paths.find(|path| !path.is_empty()).map(String::as_str)
    }
}

pub(super) fn run(shell: &Shell, event: Event, arguments: &[PathBuf]) -> Result<Answer> {
    if matches!(event, Event::PreToolUse | Event::SessionStart | Event::Stop) {
        return Ok(client_hook(shell, event));
    }
    // A check that cannot be made refuses: git shows stderr to the user, and no reader expects a
    // document here.
    let refusal =
        hook::run(shell, event, arguments).unwrap_or_else(|error| Some(format!("{error:#}")));
    let refusal = refusal.map(|reason| format!("parallel-workflows: {reason}"));
    Ok(Answer::Hook { stdout: String::new(), refusal })
}

/// Answers the client. Judging runs in a thread, so that neither a panic nor an endless search
/// prevents an answer.
fn client_hook(shell: &Shell, event: Event) -> Answer {
    let input = read_input();
    let cwd = match &input {
        Ok(Input { cwd: Some(cwd), .. }) => shell.directory.join(cwd),
        _ => shell.directory.clone(),
    };
    if let (Event::PreToolUse, Ok(input)) = (event, &input)
        && let Some(reason) = astray(input, &cwd)
    {
        let said = tool_decision("deny", &reason);
        return Answer::Hook { stdout: format!("{said}\n"), refusal: None };
    }
    let session = session::own();
    let worktree = worktree_above(&cwd);
    if worktree.is_none() && !session.is_worker() {
        return SILENT;
    }
    // A worktree of the user's own is never refused anything, even when a check fails.
    let is_held = session.is_worker() || worktree.is_some_and(|worktree| is_ours(&worktree));
    let (sender, receiver) = std::sync::mpsc::channel();
    let shell = shell.at(&cwd);
    let judge = move || {
        let said = answer(&shell, &session, event, input);
        // The receiver gave up waiting, and has answered.
        let _ = sender.send(said);
    };
    // Recursion goes as deep as what is judged; the parser's limits keep it far from this.
    let started = std::thread::Builder::new().stack_size(64 << 20).spawn(judge);
    let said = started.context("starting to judge").and_then(|_| {
        receiver.recv_timeout(PATIENCE).context("judging it failed or took too long")?
    });
    let said = match (said, event) {
        (Ok(said), _) => said,
        (Err(error), Event::PreToolUse) if is_held => {
            Some(tool_decision("deny", &format!("the guard cannot judge this: {error:#}")))
        }
        // Neither needs a refusal: session-start only tells, stop only reminds.
        (Err(_), _) => None,
    };
    let stdout = said.map(|said| format!("{said}\n")).unwrap_or_default();
    Answer::Hook { stdout, refusal: None }
}

/// Returns why the agent that merges must not write a file: it resolves conflicts, where they were
/// left for that, and changes nothing in the user's checkout. No git is asked.
fn astray(input: &Input, cwd: &Path) -> Option<String> {
    input.agent_type.as_ref().filter(|agent| agent.ends_with(INTEGRATE))?;
    let file = cwd.join(input.tool_input.as_ref()?.file()?);
    let is_plain = !file.components().any(|part| part == Component::ParentDir);
    // What a link leads to is what is written.
    let real = file.ancestors().find_map(|above| above.canonicalize().ok())?;
    let worktree = real.ancestors().find(|folder| is_linked(folder)).and_then(Path::file_name);
    let is_resolved_there = worktree
        .is_some_and(|name| name.as_encoded_bytes().starts_with(FOLDER.as_bytes()))
        && file.file_name() != Some(".git".as_ref());
    (!is_plain || !is_resolved_there).then(|| {
        format!(
            "{} is not in the worktree in which a merge is resolved, .error.details.worktree: edit only conflicted \
             files there, and report what else is wrong",
            file.display()
        )
    })
}

fn read_input() -> Result<Input> {
    let mut bytes = Vec::new();
    let mut stdin = std::io::stdin().take(MAX_INPUT + 1);
    stdin.read_to_end(&mut bytes).context("reading the hook's input")?;
    if bytes.len() as u64 > MAX_INPUT {
        bail!("the hook's input is longer than {} MiB", MAX_INPUT >> 20);
    }
    serde_json::from_slice(&bytes).context("reading the hook's input as JSON")
}

/// Returns the answer to the client; `None` in a worktree of the user's own.
fn answer(
    shell: &Shell,
    session: &SessionOf,
    event: Event,
    input: Result<Input>,
) -> Result<Option<Value>> {
    if event == Event::PreToolUse {
        let open = |shell: &Shell| {
            let ground = Ground::read(shell)?;
            let of = (ground.plan.workflow.clone(), ground.worker.id.clone());
            Ok((ground, of))
        };
        let Some((ground, _)) = attribute(shell, session, open)? else { return Ok(None) };
        return tool_use(shell, &ground, &input?);
    }
    let open = |shell: &Shell| {
        let (workflow, worker) = Workflow::open_here(shell)?;
        let of = (workflow.plan.workflow.clone(), worker);
        Ok((workflow, of))
    };
    let Some((workflow, (_, id))) = attribute(shell, session, open)? else { return Ok(None) };
    let (worker, input) = (workflow.worker(&id)?, input?);
    match event {
        Event::SessionStart => session_start(shell, &workflow, worker),
        _ => stop(shell, &workflow, worker, &input),
    }
}

/// Returns the worker whose session it is: the one it was started as, in any folder; else the one
/// in whose worktree it is.
fn attribute<T>(
    shell: &Shell,
    session: &SessionOf,
    open: impl Fn(&Shell) -> Result<(T, (Slug, WorkerId))>,
) -> Result<Option<(T, (Slug, WorkerId))>> {
    let project = std::env::var_os("CLAUDE_PROJECT_DIR").filter(|_| session.is_worker());
    for dir in [Some(shell.directory.clone()), project.map(PathBuf::from)].into_iter().flatten() {
        let Some(worktree) = worktree_above(&dir) else { continue };
        let (found, (workflow, worker)) = match open(&shell.at(&worktree)) {
            Ok(found) => found,
            Err(error) if is_outside(&error) => continue,
            Err(error) => return Err(error),
        };
        if session.may_be(&workflow, &worker) {
            return Ok(Some((found, (workflow, worker))));
        }
    }
    if !session.is_worker() {
        return Ok(None);
    }
    bail!(
        "this is a session of {}, and it is not in that worker's worktree: begin it there",
        session.worker.as_deref().unwrap_or("a worker"),
    )
}

/// Returns the nearest folder above that is a linked worktree of a repository with workflows. A
/// repository or a submodule inside of it is no way out.
fn worktree_above(dir: &Path) -> Option<PathBuf> {
    let of_folder = |dir: &Path| dir.ancestors().find(|dir| is_linked(dir)).map(Path::to_owned);
    of_folder(dir).or_else(|| of_folder(&dir.canonicalize().ok()?))
}

fn is_linked(dir: &Path) -> bool {
    git_dir(dir).is_some_and(|own| own.ancestors().nth(2).is_some_and(|c| c.join("pw").is_dir()))
}

/// Returns whether `pw-setup create` made a worktree: it locks each with a reason of its own.
fn is_ours(worktree: &Path) -> bool {
    let reason = git_dir(worktree).and_then(|own| small_file(&own.join("locked")));
    reason.is_some_and(|reason| reason.starts_with(b"pw "))
}

/// Returns git's folder of a linked worktree, if this is one.
fn git_dir(dir: &Path) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt as _;
    let text = small_file(&dir.join(".git"))?;
    let own = text.strip_prefix(b"gitdir: ")?;
    Some(dir.join(std::ffi::OsStr::from_bytes(own.trim_ascii_end())))
}

/// Reads a file that is one, and short: reading anything else could last for ever.
fn small_file(path: &Path) -> Option<Vec<u8>> {
    let about = path.metadata().ok()?;
    (about.is_file() && about.len() < 64 << 10).then(|| std::fs::read(path).ok()).flatten()
}

fn tool_use(shell: &Shell, ground: &Ground, input: &Input) -> Result<Option<Value>> {
    let Ground { plan, worker, .. } = ground;
    let tool = input.tool_name.as_deref().context("it does not say which tool is used")?;
    let asked = input.tool_input.as_ref().context("it does not say what the tool is given")?;
    let around = Around::new(ground, &shell.directory);
    let decision = match tool {
        // Monitor's commands, too: the client asks for them as Bash.
        "Bash" => {
            let command =
                asked.command.as_deref().context("it does not say which command is run")?;
            guard::shell(plan, worker, command, &around)
        }
        "PowerShell" => Decision::Deny(NO_POWERSHELL.to_owned()),
        _ => {
            let path = asked.file().context("it does not say which file is written")?;
            guard::write(plan, worker, path, &around)
        }
    };
    let over = budget::over(ground, shell.now);
    let asked = over.as_ref().and_then(|over| spent::asked(&worker.id, &over.used));
    let is_saving = tool == "Bash" && matches!(decision, Decision::Allow(_));
    let is_held = over.as_ref().is_some_and(|over| over.used.level == BudgetLevel::Held);
    let mut said = match decision {
        Decision::Deny(reason) => Some(tool_decision("deny", &reason)),
        _ if is_held && !is_saving => asked.as_deref().map(|asked| tool_decision("deny", asked)),
        Decision::Silent => None,
        Decision::Allow(reason) => Some(tool_decision("allow", &reason)),
    };
    // Once for each count: said at every use, it would be a cost of its own.
    if over.is_some_and(|over| over.is_news) {
        let said = said.get_or_insert_with(
            || json!({ "hookSpecificOutput": { "hookEventName": "PreToolUse" } }),
        );
        said["hookSpecificOutput"]["additionalContext"] = json!(asked);
    }
    Ok(said)
}

fn tool_decision(word: &str, reason: &str) -> Value {
    json!({ "hookSpecificOutput": {
        "hookEventName": "PreToolUse",
        "permissionDecision": word,
        "permissionDecisionReason": reason,
    }})
}

fn session_start(shell: &Shell, workflow: &Workflow, worker: &Worker) -> Result<Option<Value>> {
    let own = OwnWorktree { workflow, worker, shell, repairs: OnceCell::new() };
    let mut brief = serde_json::to_value(brief::read(&own)?).context("writing the brief")?;
    Brief::shorten(&mut brief);
    report::bound(&mut brief);
    let mut text = prompt::session(&workflow.plan, worker, &brief.to_string());
    let over = budget::over(&Ground::of(workflow, &worker.id)?, shell.now);
    text.extend(over.and_then(|over| spent::asked(&worker.id, &over.used)));
    Ok(Some(
        json!({ "hookSpecificOutput": { "hookEventName": "SessionStart", "additionalContext": text } }),
    ))
}

fn stop(
    shell: &Shell,
    workflow: &Workflow,
    worker: &Worker,
    input: &Input,
) -> Result<Option<Value>> {
    // The session was reminded once; if it still wants to end, it may.
    if input.stop_hook_active == Some(true) {
        return Ok(None);
    }
    let facts = workflow.facts(shell.now, Worktrees::Of(&worker.id))?;
    let board = workflow.board(&facts);
    let own = board.state(&worker.id).context("the worker has no state")?;
    let over = budget::over(&Ground::of(workflow, &worker.id)?, shell.now);
    let asked = over.and_then(|over| spent::asked(&worker.id, &over.used));
    let reason = guard::stop(&workflow.plan, worker, own);
    // It must not go on for the sake of an end that is not reached.
    let reason = reason.map(|reason| asked.unwrap_or(reason));
    Ok(reason.map(|reason| json!({ "decision": "block", "reason": reason })))
}
