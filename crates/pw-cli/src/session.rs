//! Sessions of workers, which are programs other than git: starting them, and whether they live.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use pw_core::failure::{Code, Failure};
use pw_core::launch::{Agent, How, Living, Process};
use pw_core::plan::Worker;
use pw_core::prompt::INSTALL;

use crate::command::program;
use crate::launch;
use crate::workflow::Workflow;

/// How long the client may take to list its sessions.
const LIST_LIMIT: Duration = Duration::from_secs(20);

/// Returns the client: the one we were called from, or `claude` on the search path.
pub(crate) fn client() -> Option<PathBuf> {
    let calling = std::env::var_os("CLAUDE_CODE_EXECPATH").and_then(|path| which::which(path).ok());
    calling.or_else(|| which::which("claude").ok())
}

/// Refuses when the client is missing.
pub(crate) fn require_client() -> Result<PathBuf, Failure> {
    let missing = || Failure::new(Code::ProgramMissing, "claude is not on PATH").hint(INSTALL);
    client().ok_or_else(missing)
}

/// Waits for a program, at most this long; nothing when it goes on.
pub(crate) fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let end = Instant::now() + limit;
    let mut pause = Duration::from_millis(1);
    while Instant::now() < end {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(100));
    }
    Ok(None)
}

/// Returns the workers whose sessions are alive, and what could not be found out about others.
///
/// The client is asked only when it may know: it costs a second or so.
pub(crate) fn living(
    workflow: &Workflow,
    workers: &[&Worker],
    how: How,
) -> (Vec<Living>, Vec<String>) {
    let recorded = |worker: &Worker| workflow.record.launches.get(&worker.id);
    let in_background =
        |worker: &&Worker| recorded(worker).is_some_and(|l| l.how == How::Background);
    let mut notes = Vec::new();
    let mut agents = Vec::new();
    if (how == How::Background || workers.iter().any(in_background))
        && let Some(client) = client()
    {
        agents = list(&client, workflow.repo.root()).unwrap_or_else(|| {
            notes.push("claude agents did not answer: background sessions may be alive".to_owned());
            Vec::new()
        });
    }
    let mut living = Vec::new();
    for worker in workers {
        match process(workflow, worker) {
            Some((pid, Some(true))) => living.push(in_terminal(workflow, worker, pid)),
            Some((pid, None)) => {
                notes.push(format!("process {pid} may be a living session of {}", worker.id));
            }
            _ => living.extend(listed(workflow, worker, &agents)),
        }
    }
    (living, notes)
}

/// Returns the process that a worker's launcher became, and whether it is alive.
fn process(workflow: &Workflow, worker: &Worker) -> Option<(u32, Option<bool>)> {
    let folder = launch::folder(&workflow.repo, &workflow.plan, worker);
    let process = Process::parse(&std::fs::read_to_string(folder.join("session")).ok()?)?;
    let mut ps = program("ps");
    ps.args(["-o", "stat=", "-o", "lstart=", "-p", &process.pid.to_string()]);
    let now = ps.env("TZ", "UTC0").env("LC_ALL", "C").output().ok();
    let is_alive = now.and_then(|now| process.is_alive(&String::from_utf8_lossy(&now.stdout)));
    Some((process.pid, is_alive))
}

fn in_terminal(workflow: &Workflow, worker: &Worker, pid: u32) -> Living {
    let launch = workflow.record.launches.get(&worker.id).filter(|launch| launch.how == How::Tmux);
    let id = launch.and_then(|launch| launch.id.clone());
    let attach = id.as_ref().map(|window| format!("tmux attach -t {window}"));
    Living { worker: worker.id.clone(), pid: Some(pid), id, attach }
}

fn listed(workflow: &Workflow, worker: &Worker, agents: &[Agent]) -> Option<Living> {
    let launch = workflow.record.launches.get(&worker.id);
    let recorded = launch.filter(|launch| launch.how == How::Background);
    let recorded = recorded.and_then(|launch| launch.id.as_deref());
    let worktree = workflow.worktree(worker);
    let is_its = |agent: &&Agent| agent.is_alive_for(worker, &worktree.to_string_lossy(), recorded);
    let id = agents.iter().find(is_its)?.id.clone();
    let attach = Some(format!("claude attach {id}"));
    Some(Living { worker: worker.id.clone(), pid: None, id: Some(id), attach })
}

/// Asks the client for its sessions.
fn list(client: &Path, folder: &Path) -> Option<Vec<Agent>> {
    let mut command = program(client);
    command.args(["agents", "--json", "--all"]).current_dir(folder);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    let mut stdout = child.stdout.take()?;
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let mut text = Vec::new();
        let _ =
            stdout.read_to_end(&mut text).and_then(|_| send.send(text).map_err(io::Error::other));
    });
    let text = receive.recv_timeout(LIST_LIMIT).ok();
    if text.is_none() {
        child.kill().ok()?;
    }
    let status = child.wait().ok()?;
    Agent::parse_all(&text.filter(|_| status.success())?)
}
