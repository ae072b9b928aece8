//! Sessions of workers, which are programs other than git: starting them, and whether they live.

mod files;

use std::ffi::OsStr;
use std::fs::{File, TryLockError};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result};
use pw_core::failure::{Code, Failure};
use pw_core::launch::LiveSession;
use pw_core::launcher::{ALIVE, INSTALL};
use pw_core::next::CommandLine;
use pw_core::plan::Worker;
use pw_core::session::environment::SessionOf;
use pw_core::session::{
    Agent, Launch, LaunchMode, PidDomain, Process, Processes, Registered, SessionFacts, Traces,
    Usage, Visibility,
};
use pw_core::time::Seconds;
use pw_git::all;

use self::files::ClientFiles;
use crate::command::program;
use crate::launcher;
use crate::workflow::Workflow;

/// How long the client may take to list its sessions.
const LIST_LIMIT: Duration = Duration::from_secs(20);

/// Returns the client: the one we were called from, or `claude` on the search path.
pub(crate) fn client() -> Option<PathBuf> {
    let calling = std::env::var_os("CLAUDE_CODE_EXECPATH").and_then(|path| which::which(path).ok());
    calling.or_else(|| which::which("claude").ok())
}

/// Returns the client's folder.
pub(crate) fn client_home() -> Option<PathBuf> {
    ClientFiles::find().map(|files| files.root().to_owned())
}

/// Returns the file of this name that the client keeps beside its folder, or in it where the user
/// names another folder.
pub(crate) fn client_file(name: &str) -> Option<PathBuf> {
    let named = std::env::var_os("CLAUDE_CONFIG_DIR").filter(|folder| !folder.is_empty());
    named.map(PathBuf::from).or_else(std::env::home_dir).map(|folder| folder.join(name))
}

/// Returns the folder in which the client says what its sessions are doing.
pub(crate) fn registry() -> Option<PathBuf> {
    ClientFiles::find().map(|files| files.registry())
}

/// Refuses when the client is missing.
pub(crate) fn require_client() -> Result<PathBuf, Failure> {
    let missing = || Failure::new(Code::ProgramMissing, "claude is not on PATH").hint(INSTALL);
    client().ok_or_else(missing)
}

/// Waits for a program, at most this long; `None` when it is still running.
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

/// Returns what is known of the session of each of these workers, in their order.
///
/// Only files are read, and the system is asked once for all processes; for workers that were never
/// started, nothing is read at all.
pub(crate) fn facts(workflow: &Workflow, workers: &[&Worker], now: Seconds) -> Vec<SessionFacts> {
    let files = ClientFiles::find();
    let registered = files.as_ref().map(ClientFiles::registered).unwrap_or_default();
    let folders: Vec<PathBuf> = workers.iter().map(|worker| workflow.worktree(worker)).collect();
    let cwds: Vec<Vec<PathBuf>> = registered.iter().map(working_folders).collect();
    let here = |folder: &Path| -> Vec<&Registered> {
        let real = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let is_in = |cwd: &PathBuf| cwd.starts_with(folder) || cwd.starts_with(&real);
        let entries = registered.iter().zip(&cwds);
        entries.filter(|(_, cwds)| cwds.iter().any(is_in)).map(|(entry, _)| entry).collect()
    };
    let entries: Vec<Vec<&Registered>> = folders.iter().map(|folder| here(folder)).collect();
    let notes: Vec<Option<Note>> = workers.iter().map(|worker| note(workflow, worker)).collect();
    let noted = entries.iter().flatten().map(|entry| entry.pid);
    let running = processes(noted.chain(notes.iter().flatten().map(|note| note.process.pid)));
    let domain = domain();
    let traces = |index: usize| {
        let note = notes[index].as_ref().map(|note| (note, note.is_alive(&domain, &running)));
        let is_alive = |entry: &Registered| {
            let is_ours = entry.domain.as_deref().is_none_or(|text| is_seen(text, &domain));
            let noted = note.filter(|(note, _)| note.is_of(entry));
            match noted {
                _ if is_ours => running.is_alive(&entry.process()),
                Some((_, alive)) => alive,
                None => said_ended(workflow, workers[index], entry.started).then_some(false),
            }
        };
        let placement = workflow.record.placements.get(&workers[index].id);
        let began = placement.map_or(0, |placement| placement.at);
        // Another workflow's worker may have lived in the folder before.
        let entries = entries[index].iter().map(|entry| ((*entry).clone(), is_alive(entry)));
        let is_here =
            |entry: &Registered| entry.domain.as_deref().is_none_or(|text| is_seen(text, &domain));
        let is_since = |entry: &Registered| entry.started.is_none_or(|started| started >= began);
        let entries = entries.filter(|(entry, alive)| *alive != Some(false) || is_since(entry));
        let entries: Vec<(Registered, Option<bool>)> = entries.collect();
        let launch = workflow.record.launches.get(&workers[index].id);
        let mut unsure = entries.iter().filter(|(_, alive)| *alive != Some(false));
        let unseen = unsure.any(|(entry, _)| !is_here(entry) && is_since(entry));
        let unseen = unseen.then(|| "another container or machine".to_owned());
        let elsewhere = note.and_then(|(note, alive)| note.elsewhere(&domain, alive)).or(unseen);
        let mut traces = Traces {
            elsewhere,
            has_registry: files.as_ref().is_some_and(ClientFiles::has_registry),
            registered: entries,
            launcher: note.map(|(note, alive)| (note.process.pid, alive)),
            // One on another machine is in no registry of this one.
            launched: launch
                .filter(|launch| !launch.how.is_elsewhere())
                .map(|launch| (launch.at, background(launch))),
            ..Traces::default()
        };
        if let Some(files) = &files {
            read_files(files, &folders[index], began, &mut traces);
        }
        traces.conclude(now)
    };
    // Transcripts can be long.
    let indices: Vec<usize> = (0..workers.len()).collect();
    all(&indices, |index| traces(*index))
}

/// Returns where a session works: as its entry says, with links followed; of a folder that was
/// moved since, as the system says.
fn working_folders(entry: &Registered) -> Vec<PathBuf> {
    let told = PathBuf::from(&entry.cwd);
    let now = || std::fs::read_link(format!("/proc/{}/cwd", entry.pid)).ok();
    let real = told.canonicalize().ok().or_else(now);
    std::iter::once(told).chain(real).collect()
}

fn read_files(files: &ClientFiles, folder: &Path, began: Seconds, traces: &mut Traces) {
    let entry = traces.entry().map(|(entry, _)| entry);
    let id = entry.and_then(|entry| entry.job.clone());
    let id = id.or_else(|| traces.launched.as_ref().and_then(|(_, id)| id.clone()));
    let since = Duration::from_secs(began.try_into().unwrap_or_default());
    let transcripts = files.transcripts(folder, SystemTime::UNIX_EPOCH + since);
    let session = entry.and_then(|entry| entry.session.as_deref());
    let is_its = |path: &&PathBuf| {
        path.file_stem().is_some_and(|stem| Some(stem) == session.map(OsStr::new))
    };
    let newest = transcripts.iter().find(is_its).or(transcripts.last());
    traces.tail = newest.and_then(|path| files::tail(path));
    traces.usage = files::usage(&transcripts);
    traces.job = id.and_then(|id| files.job(&id));
}

/// Returns what all sessions in a worker's worktree used since it was made; `None` where no transcript
/// tells.
pub(crate) fn usage(worktree: &Path, began: Seconds) -> Option<Usage> {
    let since = Duration::from_secs(began.try_into().unwrap_or_default());
    files::usage(&ClientFiles::find()?.transcripts(worktree, SystemTime::UNIX_EPOCH + since))
}

/// Returns the id that the client gave a session in the background.
fn background(launch: &Launch) -> Option<String> {
    launch.id.clone().filter(|_| launch.how == LaunchMode::Background)
}

/// What a launcher wrote down of the process that it became.
struct Note {
    process: Process,
    /// The machine and container it runs in; empty in the notes of older releases.
    domain: Option<PidDomain>,
    /// The file it holds a lock on.
    lock: PathBuf,
}

/// Reads the note about a worker's session.
fn note(workflow: &Workflow, worker: &Worker) -> Option<Note> {
    let folder = launcher::folder(&workflow.repo, &workflow.plan, worker);
    let text = std::fs::read_to_string(folder.join("session")).ok()?;
    let (process, domain) = (Process::parse(&text)?, PidDomain::parse(&text));
    Some(Note { process, domain, lock: folder.join(ALIVE) })
}

impl Note {
    fn sight(&self, here: &PidDomain) -> Visibility {
        self.domain.as_ref().map_or(Visibility::Process, |domain| domain.seen_from(here))
    }

    fn is_alive(&self, here: &PidDomain, running: &Processes) -> Option<bool> {
        match self.sight(here) {
            Visibility::Process => running.is_alive(&self.process),
            Visibility::Gone => Some(false),
            Visibility::Locks => is_locked(&self.lock),
            // The kernels of some machines share their locks on a common disk.
            Visibility::Nothing => is_locked(&self.lock).filter(|is_locked| *is_locked),
        }
    }

    /// Returns where the session is, unless that is here or it is over.
    fn elsewhere(&self, here: &PidDomain, alive: Option<bool>) -> Option<String> {
        let host = self.domain.as_ref().map_or("", |domain| &domain.host);
        match self.sight(here) {
            _ if alive == Some(false) => None,
            Visibility::Process | Visibility::Gone => None,
            Visibility::Locks => Some(format!("another container of this machine, {host}")),
            Visibility::Nothing => Some(format!("another container or machine, {host}")),
        }
    }

    /// Returns whether the client's entry is about the same process.
    fn is_of(&self, entry: &Registered) -> bool {
        let space = self.domain.as_ref().map_or("", |domain| &domain.space);
        let is_there = || entry.domain.as_ref().is_some_and(|text| text.contains(space));
        entry.pid == self.process.pid && !space.is_empty() && is_there()
    }
}

/// Returns whether a process holds the lock on a file, wherever on this kernel it runs.
fn is_locked(path: &Path) -> Option<bool> {
    let file = File::open(path).ok()?;
    match file.try_lock_shared() {
        Ok(()) => Some(false),
        Err(TryLockError::WouldBlock) => Some(true),
        Err(TryLockError::Error(_)) => None,
    }
}

/// The name of the file that says when the user saw that a worker's sessions elsewhere are over.
const ENDED: &str = "ended";

/// Notes that sessions which cannot be seen from here are over, as the user says; a session that is
/// known to live is still refused.
pub(crate) fn note_ended(workflow: &Workflow, worker: &Worker, now: Seconds) -> Result<()> {
    let is_unseen = |facts: &SessionFacts| facts.alive.is_none() && facts.elsewhere.is_some();
    if !facts(workflow, &[worker], now).iter().any(is_unseen) {
        return Ok(());
    }
    let folder = launcher::folder(&workflow.repo, &workflow.plan, worker);
    launcher::replace(&folder.join(ENDED), &format!("{now}\n"))?;
    match std::fs::remove_file(folder.join("session")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).context("removing the note about a session")
        }
        _ => Ok(()),
    }
}

/// Returns whether the user said that what was started at that time is over.
fn said_ended(workflow: &Workflow, worker: &Worker, started: Option<Seconds>) -> bool {
    let folder = launcher::folder(&workflow.repo, &workflow.plan, worker);
    let ended = std::fs::read_to_string(folder.join(ENDED)).ok();
    let ended: Option<Seconds> = ended.and_then(|text| text.trim().parse().ok());
    ended.is_some_and(|ended| started.is_none_or(|started| started <= ended))
}

/// Asks for processes, all at once; not at all when there is none to ask for.
fn processes(ids: impl Iterator<Item = u32>) -> Processes {
    let ids: Vec<String> = ids.map(|id| id.to_string()).collect();
    if ids.is_empty() {
        return Processes::default();
    }
    let own = std::process::id();
    let mut ps = program("ps");
    let list = format!("{own},{}", ids.join(","));
    ps.args(["-o", "pid=", "-o", "stat=", "-o", "lstart=", "-p", &list]);
    match ps.env("TZ", "UTC0").env("LC_ALL", "C").output() {
        Ok(now) => Processes::parse(&String::from_utf8_lossy(&now.stdout), own),
        Err(_) => Processes::default(),
    }
}

/// Returns when a process began, as `ps` says it; empty when it does not.
pub(crate) fn start_of(pid: u32) -> String {
    let mut ps = program("ps");
    ps.args(["-o", "lstart=", "-p", &pid.to_string()]).env("TZ", "UTC0").env("LC_ALL", "C");
    let said = ps.output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&said).trim().to_owned()
}

/// Returns the command line of the git process that called the hook which called us.
pub(crate) fn git_command() -> Option<String> {
    let pid: u32 = std::env::var("PW_GIT_PROCESS").ok()?.parse().ok()?;
    let mut ps = program("ps");
    ps.args(["-ww", "-o", "args=", "-p", &pid.to_string()]);
    let said = ps.output().ok()?.stdout;
    Some(String::from_utf8_lossy(&said).trim().to_owned())
}

/// Returns the machine and the container whose process ids we see.
pub(crate) fn domain() -> PidDomain {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let space = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    PidDomain {
        system: std::env::consts::OS.to_owned(),
        boot: read("/proc/sys/kernel/random/boot_id"),
        space: space.to_string_lossy().into_owned(),
        machine: read("/etc/machine-id"),
        host: read("/proc/sys/kernel/hostname"),
    }
}

/// Returns whether a process id means the same here, in the client's words for where it is; where
/// we cannot tell, it does.
fn is_seen(told: &str, here: &PidDomain) -> bool {
    let parts = [&here.space, &here.machine];
    !told.starts_with("linux:") || parts.into_iter().all(|part| told.contains(part))
}

/// Returns the workers whose sessions are alive, and notes about those of which that is unknown.
///
/// The client is asked only when it may know more than its files: it costs a second or so.
pub(crate) fn live_sessions(
    workflow: &Workflow,
    workers: &[&Worker],
    how: LaunchMode,
    now: Seconds,
) -> (Vec<LiveSession>, Vec<String>) {
    let facts = facts(workflow, workers, now);
    let launch = |worker: &Worker| workflow.record.launches.get(&worker.id);
    let may_be_listed = |worker: &Worker| {
        how == LaunchMode::Background
            || launch(worker).is_some_and(|l| l.how == LaunchMode::Background)
    };
    let mut quiet = workers.iter().zip(&facts).filter(|(_, session)| session.alive != Some(true));
    let mut notes = Vec::new();
    let mut agents = Vec::new();
    if quiet.any(|(worker, _)| may_be_listed(worker))
        && let Some(client) = client()
    {
        agents = list(&client, workflow.repo.root()).unwrap_or_else(|| {
            notes.push("claude agents did not answer: background sessions may be alive".to_owned());
            Vec::new()
        });
    }
    let mut living = Vec::new();
    for (worker, session) in workers.iter().zip(&facts) {
        match (session.alive, session.pid) {
            (Some(true), pid) => {
                let window = launch(worker).filter(|launch| launch.how == LaunchMode::Tmux);
                let window = window.and_then(|launch| launch.id.clone());
                let (id, attach) = (session.id.clone().or(window), session.attach(launch(worker)));
                let elsewhere = session.elsewhere.clone();
                let worker = worker.id.clone();
                living.push(LiveSession { worker, pid, elsewhere, is_unseen: false, id, attach });
            }
            (None, _) if session.elsewhere.is_some() => living.push(LiveSession {
                worker: worker.id.clone(),
                pid: None,
                elsewhere: session.elsewhere.clone(),
                is_unseen: true,
                id: None,
                attach: None,
            }),
            (None, Some(pid)) => {
                notes.push(format!("process {pid} may be a living session of {}", worker.id));
            }
            _ => living.extend(listed(workflow, worker, &agents, now)),
        }
    }
    (living, notes)
}

fn listed(
    workflow: &Workflow,
    worker: &Worker,
    agents: &[Agent],
    now: Seconds,
) -> Option<LiveSession> {
    let launch = workflow.record.launches.get(&worker.id);
    let recorded = launch.and_then(background);
    let worktree = workflow.worktree(worker);
    let is_its = |agent: &&Agent| {
        agent.is_alive_for(worker, &worktree.to_string_lossy(), recorded.as_deref(), now)
    };
    let id = agents.iter().find(is_its)?.id.clone();
    let attach = Some(CommandLine::of("claude attach").word(&id));
    let worker = worker.id.clone();
    Some(LiveSession { worker, pid: None, elsewhere: None, is_unseen: false, id: Some(id), attach })
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

/// Returns the worker whose session runs this helper, as its launcher and its settings say.
pub(crate) fn own() -> SessionOf {
    SessionOf::read(|name| std::env::var(name).ok())
}
