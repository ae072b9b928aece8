//! Starting workers, each only once: a worker with a living session is skipped.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use pw_core::details;
use pw_core::details::NotCreated;
use pw_core::failure::{Code, Failure};
use pw_core::id::{Slug, WorkerId};
use pw_core::launch::{
    LaunchStatus, Launched, Skipped, WorkerLaunch, background_id, refuse_live_sessions, skip,
};
use pw_core::next::{CommandLine, Next, NextStep};
use pw_core::plan::Worker;
use pw_core::record::Event;
use pw_core::session::LaunchMode;
use pw_core::snapshot::SnapshotId;
use pw_core::template::fill;
use pw_git::{Journal, Transaction};

use super::tmux::{self, Tmux};
use crate::command::program;
use crate::engines;
use crate::facts::Worktrees;
use crate::launcher;
use crate::output::Output;
use crate::repair;
use crate::session;
use crate::shell::{Answer, Context as Call};
use crate::snapshot::KeptSnapshot;
use crate::view;
use crate::workflow::Workflow;

/// How long a background session may take to begin.
const BACKGROUND_LIMIT: Duration = Duration::from_secs(120);
/// How long the plan's command is waited for; a terminal that stays is fine.
const CUSTOM_LIMIT: Duration = Duration::from_secs(10);

/// Starts the named workers here, or all that need a session; with `print`, says how.
pub(super) fn launch(
    call: &Call,
    ids: &[WorkerId],
    name: Option<&str>,
    how: LaunchMode,
    ended: bool,
) -> Result<Answer> {
    // Held until all launches are recorded. The workflow is read under the lock, so that the record
    // does not move.
    let (workflow, _lock) = match how {
        LaunchMode::Print => (Workflow::open(call, name)?, None),
        _ => Workflow::open_alone(call, name).map(|(workflow, lock)| (workflow, Some(lock)))?,
    };
    if ended {
        for id in ids {
            session::note_ended(&workflow, workflow.worker(id)?, call.now)?;
        }
    }
    let Selection { workers, skipped, mut notes } = choose(call, &workflow, ids, how, ended)?;
    let commands = commands(&workflow, &workers, how)?;
    let workers = match how {
        LaunchMode::Print => {
            commands.into_iter().map(|(worker, command)| printed(worker, command)).collect()
        }
        _ => start(call, &workflow, commands, how, &mut notes)?,
    };
    let attach = CommandLine::of("tmux attach -t").word(tmux::name(&workflow.plan.workflow));
    let launched = Launched {
        next: next(&workflow, &workers),
        workflow: workflow.plan.workflow,
        attach: (how == LaunchMode::Tmux && !workers.is_empty()).then_some(attach),
        workers,
        skipped,
        notes,
        submissions: Vec::new(),
        file: None,
    };
    Answer::of(&launched, view::launched)
}

/// Which workers to start, which not, and what could not be found out.
struct Selection<'a> {
    workers: Vec<&'a Worker>,
    skipped: Vec<Skipped>,
    notes: Vec<String>,
}

/// Takes the named workers, of whom each must be able to start, or all that need a session.
fn choose<'a>(
    call: &Call,
    workflow: &'a Workflow,
    ids: &[WorkerId],
    how: LaunchMode,
    ended: bool,
) -> Result<Selection<'a>> {
    ids.iter().try_for_each(|id| workflow.worker(id).map(drop))?;
    let is_asked = |worker: &&Worker| ids.is_empty() || ids.contains(&worker.id);
    let asked: Vec<&Worker> = workflow.plan.workers.iter().filter(is_asked).collect();
    let is_created = |worker: &Worker| {
        let placement = workflow.record.placements.get(&worker.id);
        placement.is_some_and(|placement| placement.created)
            && workflow.entry(worker).is_some()
            && repair::is_in_place(&workflow.repo, &workflow.plan, worker)
    };
    let (mut living, notes) = session::live_sessions(workflow, &asked, how, call.now);
    // What runs on another machine is a session, too.
    if !ended {
        living.extend(engines::living(workflow, &asked));
    }
    if !ids.is_empty() {
        let missing = asked.iter().find(|worker| !is_created(worker));
        missing.map_or(Ok(()), |worker| Err(not_created(&workflow.plan.workflow, worker)))?;
        refuse_live_sessions(&living)?;
        return Ok(Selection { workers: asked, skipped: Vec::new(), notes });
    }
    let facts = workflow.facts(call.now, Worktrees::None)?;
    let board = workflow.board(&facts);
    let mut selection = Selection { workers: Vec::new(), skipped: Vec::new(), notes };
    for worker in asked {
        let state = board.state(&worker.id).map(|status| status.state);
        let living = living.iter().find(|living| living.worker == worker.id);
        match skip(worker, state, is_created(worker), living) {
            Some(skipped) => selection.skipped.push(skipped),
            None => selection.workers.push(worker),
        }
    }
    Ok(selection)
}

/// Returns what starts each worker, as a shell command; refuses when something it needs is missing.
fn commands<'a>(
    workflow: &Workflow,
    workers: &[&'a Worker],
    how: LaunchMode,
) -> Result<Vec<(&'a Worker, String)>> {
    if matches!(how, LaunchMode::Tmux | LaunchMode::Background) {
        session::require_client()?;
    }
    if how == LaunchMode::Tmux {
        Tmux::require()?;
    }
    let command = |worker: &Worker| -> Result<String> {
        let plain = launcher::command(&workflow.repo, &workflow.plan, worker).command;
        Ok(match how {
            LaunchMode::Print | LaunchMode::Tmux => plain.to_string(),
            LaunchMode::Background => format!("{plain} {}", arguments(workflow, worker).join(" ")),
            LaunchMode::Custom => custom(workflow, worker)?,
            // These are submitted, see `submit`.
            LaunchMode::Ssh
            | LaunchMode::Slurm
            | LaunchMode::Github
            | LaunchMode::Kubernetes
            | LaunchMode::Cloud => plain.to_string(),
        })
    };
    workers.iter().map(|worker| Ok((*worker, command(worker)?))).collect()
}

/// Returns what a launcher is told so that the session runs in the background, where no user can
/// answer a question.
fn arguments(workflow: &Workflow, worker: &Worker) -> Vec<String> {
    let mut words = vec!["--bg".to_owned(), "-n".to_owned(), worker.label()];
    if !workflow.plan.skips_permissions {
        words.extend(["--permission-mode", "dontAsk"].map(str::to_owned));
    }
    words
}

fn custom(workflow: &Workflow, worker: &Worker) -> Result<String> {
    let template = workflow.plan.launch.as_deref().ok_or_else(|| {
        Failure::new(Code::Usage, "the plan has no `launch` command")
            .hint("add `launch:` to the plan and create again, or launch in another way")
            .next(Next::Help { helper: "pw-setup", verb: Some("launch") })
    })?;
    let script = script(workflow, worker);
    let worktree = workflow.worktree(worker);
    let placement = workflow.record.placements.get(&worker.id);
    let port = placement.and_then(|placement| placement.port).map(|port| port.to_string());
    let values = [
        ("script", &*script.to_string_lossy()),
        ("worktree", &*worktree.to_string_lossy()),
        ("label", &worker.label()),
        ("port", port.as_deref().unwrap_or_default()),
    ];
    fill("launch", template, &values)
        .map_err(|bad| Failure::new(Code::Usage, bad.message).hint(bad.hint).into())
}

fn script(workflow: &Workflow, worker: &Worker) -> PathBuf {
    launcher::folder(&workflow.repo, &workflow.plan, worker).join("launch.sh")
}

fn not_created(workflow: &Slug, worker: &Worker) -> Failure {
    Failure::new(Code::NotCreated, format!("{} has no worktree", worker.id))
        .hint("create it when the workers in its `after` are complete")
        .next(Next::Advance(workflow))
        .details(NotCreated { worker: worker.id.clone(), after: worker.after.clone() })
}

fn printed(worker: &Worker, command: String) -> WorkerLaunch {
    let (how, status) = (LaunchMode::Print, LaunchStatus::Printed);
    WorkerLaunch { worker: worker.id.clone(), how, command, status, id: None, snapshot: None }
}

/// Starts one after the other, and records each at once.
fn start(
    call: &Call,
    workflow: &Workflow,
    commands: Vec<(&Worker, String)>,
    how: LaunchMode,
    notes: &mut Vec<String>,
) -> Result<Vec<WorkerLaunch>> {
    let Workflow { repo, plan, record, .. } = workflow;
    let mut journal = workflow.journal()?;
    let mut tmux = match how {
        LaunchMode::Tmux if !commands.is_empty() => Some(Tmux::open(&plan.workflow, repo.root())?),
        _ => None,
    };
    let mut started = Vec::new();
    for (worker, command) in commands {
        call.progress(&format!("starting {}", worker.label()));
        let snapshot = keep(workflow, worker, &mut journal)?;
        let port = record.placements.get(&worker.id).and_then(|placement| placement.port);
        launcher::write(repo, plan, worker, port)?;
        let (status, id) = match (&mut tmux, how) {
            (Some(tmux), _) => window(tmux, workflow, worker)?,
            (None, LaunchMode::Background) => {
                (LaunchStatus::Started, Some(background(workflow, worker)?))
            }
            _ => (LaunchStatus::Started, run_custom(workflow, worker, &command)?),
        };
        if status == LaunchStatus::Started {
            let event = Event::Launched { worker: worker.id.clone(), how, id: id.clone() };
            journal.append(repo, &event)?;
        }
        started.push(WorkerLaunch {
            worker: worker.id.clone(),
            how,
            command,
            status,
            id,
            snapshot,
        });
    }
    notes.extend(journal.notes());
    Ok(started)
}

/// Keeps what a worker left uncommitted: the new session knows nothing of it.
fn keep(workflow: &Workflow, worker: &Worker, journal: &mut Journal) -> Result<Option<SnapshotId>> {
    let Workflow { repo, plan, .. } = workflow;
    let worktree = workflow.worktree(worker);
    let survey = repo.survey(&worktree, &plan.disposable)?;
    if !survey.changes.is_dirty() {
        return Ok(None);
    }
    let keeping =
        KeptSnapshot::of_worktree(workflow, &worker.id, &worktree, &survey, "before a launch")?;
    let transaction = keeping.join(workflow, journal, Transaction::default())?;
    journal.publish(repo, transaction)?;
    Ok(Some(keeping.id))
}

fn window(
    tmux: &mut Tmux,
    workflow: &Workflow,
    worker: &Worker,
) -> Result<(LaunchStatus, Option<String>)> {
    let label = worker.label();
    let id = Some(format!("{}:{label}", tmux::name(&workflow.plan.workflow)));
    if tmux.has(&label) {
        return Ok((LaunchStatus::Exists, id));
    }
    let command = [OsString::from("sh"), script(workflow, worker).into()];
    tmux.window(&label, command.into_iter(), workflow.repo.root())?;
    Ok((LaunchStatus::Started, id))
}

/// Starts a background session, and returns its id.
fn background(workflow: &Workflow, worker: &Worker) -> Result<String> {
    let mut shell = program("sh");
    shell.arg(script(workflow, worker)).args(arguments(workflow, worker));
    let ended = run(workflow, worker, shell, BACKGROUND_LIMIT, OnLimit::Kill)?;
    let id = background_id(&ended.said).filter(|_| ended.code == Some(0));
    id.map(str::to_owned).ok_or_else(|| {
        let hint = "read details.output_tail; when the workspace is not trusted, run `claude` once \
                    in the repository, accept the trust question, and launch again";
        ended.failure(worker, hint).into()
    })
}

/// Runs the plan's command, which may stay as long as the session.
fn run_custom(workflow: &Workflow, worker: &Worker, command: &str) -> Result<Option<String>> {
    let mut shell = program("sh");
    shell.args(["-c", command]);
    let ended = run(workflow, worker, shell, CUSTOM_LIMIT, OnLimit::Leave)?;
    if matches!(ended.code, Some(0) | None) {
        return Ok(None);
    }
    let hint = "read details.output_tail, correct `launch` in the plan or what it needs, and create and \
                launch again";
    Err(ended.failure(worker, hint).into())
}

/// How a starting program ended.
struct Ended {
    /// `None` when it had not ended after its time.
    code: Option<i32>,
    /// The end of what it printed.
    said: String,
    log: PathBuf,
}

impl Ended {
    fn failure(&self, worker: &Worker, hint: &str) -> Failure {
        Failure::new(Code::LaunchFailed, format!("{} could not be started", worker.id))
            .hint(hint)
            .details(details::Ended {
                worker: Some(worker.id.clone()),
                exit_code: self.code,
                log: Some(self.log.to_string_lossy().into_owned()),
                output_tail: self.said.clone(),
                ..details::Ended::default()
            })
    }
}

/// What to do with a program that goes on after its time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OnLimit {
    Kill,
    Leave,
}

/// Runs a program in the worktree, its output kept beside the launcher.
fn run(
    workflow: &Workflow,
    worker: &Worker,
    mut program: Command,
    limit: Duration,
    on_limit: OnLimit,
) -> Result<Ended> {
    let log = launcher::folder(&workflow.repo, &workflow.plan, worker).join("launch.log");
    let output = File::create(&log).with_context(|| format!("writing {}", log.display()))?;
    let mut child = program
        // A terminal it opens outlives us, and an interrupt meant for us.
        .process_group(0)
        .current_dir(workflow.worktree(worker))
        .stderr(output.try_clone().context("sharing the log")?)
        .stdout(output)
        .spawn()
        .context("starting sh")?;
    let status = session::wait(&mut child, limit).context("waiting for a launcher")?;
    if status.is_none() && on_limit == OnLimit::Kill {
        child.kill().and_then(|()| child.wait()).context("ending a launcher")?;
    }
    // A signal is a failure, too, and has no code.
    let code = status.map(|status| status.code().unwrap_or(-1));
    Ok(Ended { code, said: Output::of(&log).tail, log })
}

fn next(workflow: &Workflow, workers: &[WorkerLaunch]) -> Vec<NextStep> {
    let attach =
        workers.iter().filter(|launch| launch.how == LaunchMode::Background).filter_map(|launch| {
            let command = CommandLine::of("claude attach").word(launch.id.as_ref()?);
            Some(NextStep::of(&launch.worker, "attach", command))
        });
    let status = Next::Status(&workflow.plan.workflow);
    attach.chain([NextStep::new("watch", status)]).collect()
}
