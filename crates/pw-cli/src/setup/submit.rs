//! `pw-setup launch` with an engine: workers that run on other machines, each only once.

use anyhow::{Context as _, Result};
use pw_core::details::{Ended, NotCreated};
use pw_core::engine::{self, Deployment, Engine, Said, Submission, require_no_password};
use pw_core::failure::{Code, Failure};
use pw_core::id::WorkerId;
use pw_core::launch::{
    LaunchStatus, Launched, LiveSession, Skipped, WorkerLaunch, refuse_live_sessions, skip,
};
use pw_core::next::{Next, NextStep};
use pw_core::path::RepoPath;
use pw_core::plan::Worker;
use pw_core::record::Event;
use pw_core::session::LaunchMode;

use super::launch::launch;
use crate::engines;
use crate::facts::Worktrees;
use crate::remote;
use crate::session;
use crate::shell::{Answer, Context};
use crate::view;
use crate::workflow::Workflow;

/// What the user asked for.
pub(super) struct Wanted<'a> {
    pub(super) workers: &'a [WorkerId],
    pub(super) workflow: Option<&'a str>,
    pub(super) how: LaunchMode,
    /// Their sessions, of which nothing tells, are over.
    pub(super) ended: bool,
    pub(super) dry_run: bool,
}

/// Starts the named workers, or all that need a session, here or on other machines.
pub(super) fn start(context: &Context, wanted: &Wanted<'_>) -> Result<Answer> {
    let Wanted { workers, workflow, how, ended, dry_run } = *wanted;
    match how.is_elsewhere() {
        true => submit(context, wanted),
        // What is printed is what would be run.
        false if dry_run => launch(context, workers, workflow, LaunchMode::Print, ended),
        false => launch(context, workers, workflow, how, ended),
    }
}

/// Submits the named workers, or all that need a session; with `dry_run`, says what would be.
fn submit(context: &Context, wanted: &Wanted<'_>) -> Result<Answer> {
    let name = wanted.workflow;
    let (workflow, _lock) = match wanted.dry_run {
        true => (Workflow::open(context, name)?, None),
        false => {
            // What other machines have done decides who needs a session.
            remote::fetch(context, name)?.map_err(Failure::from)?;
            let (workflow, lock) = Workflow::open_alone(&context.without_fetch(), name)?;
            (workflow, Some(lock))
        }
    };
    let url = address(&workflow)?;
    let Choice { workers, skipped, running, mut notes } = choose(context, &workflow, wanted)?;
    let token = engine::token(&workflow.record, &workers);
    let deployment = Deployment { plan: &workflow.plan, url: &url, token: &token };
    let engine = engine::of(wanted.how, deployment).context("an engine runs elsewhere")?;
    engine.require()?;
    if !wanted.dry_run {
        engines::require_program(&*engine)?;
        require_terminal(wanted.how)?;
        require_file(&workflow, &*engine)?;
    }
    let submissions = match workers.is_empty() {
        true => Vec::new(),
        false => engine.submissions(&workers),
    };
    let call = Call { context, workflow: &workflow, engine: &*engine, how: wanted.how };
    let launches = match wanted.dry_run {
        true => workers.iter().map(|worker| line(&workflow, worker, wanted.how, None)).collect(),
        false => call.carry_out(&workers, &submissions, &mut notes)?,
    };
    let jobs = launches.iter().filter_map(|launch| launch.id.as_deref());
    let jobs: Vec<&str> = jobs.chain(running.iter().map(String::as_str)).collect();
    let follow = call.follow(&workers, if wanted.dry_run { &["JOB"] } else { &jobs });
    if let (Some(follow), false) = (&follow, wanted.dry_run) {
        notes.push(call.submit_next_wave(follow));
    }
    let launched = Launched {
        next: steps(&workflow, &*engine, &launches),
        workflow: workflow.plan.workflow.clone(),
        workers: launches,
        skipped,
        file: engine.file().filter(|_| wanted.dry_run),
        // Said before it is done; afterwards, a script for each worker would be much to read.
        submissions: match wanted.dry_run {
            true => submissions.into_iter().chain(follow).collect(),
            false => Vec::new(),
        },
        attach: None,
        notes,
    };
    Answer::of(&launched, view::launched)
}

/// How many workers an answer names the commands for their jobs of.
const NAMED: usize = 10;

fn steps(workflow: &Workflow, engine: &dyn Engine, launches: &[WorkerLaunch]) -> Vec<NextStep> {
    let about = launches.iter().filter_map(|launch| Some((&launch.worker, launch.id.as_ref()?)));
    let about = about.take(NAMED).flat_map(|(worker, id)| {
        [
            NextStep::of(worker, "look", engine.look(id, None)),
            NextStep::of(worker, "cancel", engine.cancel(id)),
        ]
    });
    let status = NextStep::new("watch", Next::FetchedStatus(&workflow.plan.workflow));
    about.chain([status]).collect()
}

/// Refuses what the client does only in a terminal, which a helper is not.
fn require_terminal(how: LaunchMode) -> Result<(), Failure> {
    if how != LaunchMode::Cloud {
        return Ok(());
    }
    let help = Submission {
        command: vec!["claude".to_owned(), "--help".to_owned()],
        ..Submission::default()
    };
    let (message, hint) = match engines::submit(&help).stdout.contains("--cloud") {
        true => (
            "claude begins a session in the cloud only in a terminal",
            "let the user run, in a terminal each, the commands that --dry-run shows",
        ),
        false => ("this claude has no --cloud", "update the client, or launch in another way"),
    };
    Err(Failure::new(Code::Usage, message)
        .hint(hint)
        .next(Next::Help { helper: "pw-setup", verb: Some("launch") }))
}

/// Refuses while the base branch lacks the file that the engine is started from, or has another
/// one: it was made for other settings.
fn require_file(workflow: &Workflow, engine: &dyn Engine) -> Result<()> {
    let Some(file) = engine.file() else { return Ok(()) };
    let base = workflow.base_tip().unwrap_or(&workflow.record.base);
    let path = RepoPath::from(file.path.as_str());
    let there = workflow.repo.blobs_at(base, std::slice::from_ref(&path), None)?;
    let message = match there.get(&path) {
        Some(there) if *there == workflow.repo.blob_id(&file.content)? => return Ok(()),
        Some(_) => format!("{} is not as the plan's `engine` needs it", file.path),
        None => format!("the base branch has no {}", file.path),
    };
    let hint = "write details.content there, commit it on the base branch and the default branch, push, then launch again";
    Err(Failure::new(Code::EngineFileMissing, message).hint(hint).details(file).into())
}

/// Returns the address of the plan's remote, which the machines clone.
fn address(workflow: &Workflow) -> Result<String> {
    let Some(remote) = remote::of(&workflow.plan) else {
        return Err(Failure::new(
            Code::Usage,
            "the plan names no remote, and other machines need one",
        )
        .hint("put `remote: origin` into the plan and create again")
        .next(Next::Help { helper: "pw-setup", verb: Some("launch") })
        .into());
    };
    let url = workflow.repo.address(&remote.name)?;
    require_no_password(&remote.name, &url)?;
    Ok(url)
}

/// Whom to start, and who has a job.
struct Choice<'a> {
    workers: Vec<&'a Worker>,
    skipped: Vec<Skipped>,
    /// The engine's names of jobs that wait or run.
    running: Vec<String>,
    /// What could not be found out.
    notes: Vec<String>,
}

/// Takes the named workers, of whom each must be able to start, or all that need a session.
fn choose<'a>(
    context: &Context,
    workflow: &'a Workflow,
    wanted: &Wanted<'_>,
) -> Result<Choice<'a>> {
    wanted.workers.iter().try_for_each(|id| workflow.worker(id).map(drop))?;
    let facts = workflow.facts(context.now, Worktrees::None)?;
    let board = workflow.board(&facts);
    let all: Vec<&Worker> = workflow.plan.workers.iter().collect();
    // A session here is one, too.
    let (mut living, notes) = match wanted.ended {
        true => (Vec::new(), Vec::new()),
        false => session::live_sessions(workflow, &all, wanted.how, context.now),
    };
    let jobs = engines::living(workflow, &all);
    let is_running =
        |job: &&LiveSession| !job.is_unseen && workflow.is_launched(&job.worker, wanted.how);
    let running = jobs.iter().filter(is_running).filter_map(|job| job.id.clone()).collect();
    living.extend(jobs.into_iter().filter(|_| !wanted.ended));
    let mut choice = Choice { workers: Vec::new(), skipped: Vec::new(), running, notes };
    for worker in all {
        let state = board.state(&worker.id).map(|status| status.state);
        let is_made = workflow.record.is_made(&worker.id) && workflow.tip(worker).is_some();
        let living = living.iter().find(|living| living.worker == worker.id);
        if wanted.workers.is_empty() {
            match skip(worker, state, is_made, living) {
                Some(skip) => choice.skipped.push(skip),
                None => choice.workers.push(worker),
            }
        } else if wanted.workers.contains(&worker.id) {
            if !is_made {
                return Err(not_created(workflow, worker).into());
            }
            refuse_live_sessions(living.map(std::slice::from_ref).unwrap_or_default())?;
            choice.workers.push(worker);
        }
    }
    Ok(choice)
}

fn not_created(workflow: &Workflow, worker: &Worker) -> Failure {
    Failure::new(Code::NotCreated, format!("{} has no branch", worker.id))
        .hint("create it when the workers in its `after` are complete")
        .next(Next::Advance(&workflow.plan.workflow))
        .details(NotCreated { worker: worker.id.clone(), after: worker.after.clone() })
}

fn line(workflow: &Workflow, worker: &Worker, how: LaunchMode, id: Option<String>) -> WorkerLaunch {
    let workflow = &workflow.plan.workflow;
    let status = if id.is_some() { LaunchStatus::Started } else { LaunchStatus::Printed };
    let command = Next::Join { worker: &worker.id, workflow }.to_string();
    WorkerLaunch { worker: worker.id.clone(), how, command, status, id, snapshot: None }
}

/// Giving workers to an engine.
struct Call<'a> {
    context: &'a Context,
    workflow: &'a Workflow,
    engine: &'a dyn Engine,
    how: LaunchMode,
}

impl Call<'_> {
    /// Submits, and records those that were taken, at once.
    fn carry_out(
        &self,
        workers: &[&Worker],
        submissions: &[Submission],
        notes: &mut Vec<String>,
    ) -> Result<Vec<WorkerLaunch>> {
        let (workflow, how) = (self.workflow, self.how);
        let mut journal = workflow.journal()?;
        let mut launches = Vec::new();
        for (number, submission) in submissions.iter().enumerate() {
            self.context.progress(&format!("submitting to {}", how.word()));
            let ids = match self.found(number, workers, notes) {
                Some(ids) => ids,
                None => {
                    let said = engines::submit(submission);
                    let ids = self.engine.ids(number, workers, &said);
                    let ids = ids.filter(|_| said.code == Some(0));
                    ids.ok_or_else(|| refused(workers.get(launches.len()), submission, said))?
                }
            };
            let started = workers.iter().skip(launches.len()).zip(ids);
            let started: Vec<(&Worker, String)> =
                started.map(|(worker, id)| (*worker, id)).collect();
            let event = |(worker, id): &(&Worker, String)| Event::Launched {
                worker: worker.id.clone(),
                how,
                id: Some(id.clone()),
            };
            journal.append_all(&workflow.repo, &started.iter().map(event).collect::<Vec<_>>())?;
            let line = |(worker, id)| line(workflow, worker, how, Some(id));
            launches.extend(started.into_iter().map(line));
        }
        notes.extend(journal.notes());
        Ok(launches)
    }

    /// Returns the jobs that a helper submitted that was killed before it could write them down, or
    /// whose engine answered too late.
    fn found(
        &self,
        number: usize,
        workers: &[&Worker],
        notes: &mut Vec<String>,
    ) -> Option<Vec<String>> {
        let said = engines::submit(&self.engine.find()?);
        let is_there = said.code == Some(0) && !said.stdout.trim().is_empty();
        let ids = is_there.then(|| self.engine.ids(number, workers, &said)).flatten()?;
        notes.push("they were submitted before, and that was not written down".to_owned());
        Some(ids)
    }

    /// Returns what opens the next wave, while there is one, and the plan does not forbid it.
    fn follow(&self, workers: &[&Worker], jobs: &[&str]) -> Option<Submission> {
        let Workflow { plan, record, .. } = self.workflow;
        let is_later = |worker: &Worker| !record.is_made(&worker.id) && !worker.after.is_empty();
        let is_wanted = !workers.is_empty() && plan.engine.advance.unwrap_or(true);
        let has_more = is_wanted && plan.workers.iter().any(is_later);
        has_more.then(|| self.engine.follow(jobs)).flatten()
    }

    fn submit_next_wave(&self, follow: &Submission) -> String {
        let said = engines::submit(follow);
        let none: [&Worker; 0] = [];
        let is_taken = said.code == Some(0) && self.engine.ids(0, &none, &said).is_some();
        match is_taken {
            true => format!(
                "job {} opens the next wave when these are over, and starts it",
                said.stdout.trim()
            ),
            false => format!(
                "the job that opens the next wave was not taken ({}): open it yourself when these are over: {} --fetch",
                said.trouble(),
                Next::Advance(&self.workflow.plan.workflow)
            ),
        }
    }
}

fn refused(worker: Option<&&Worker>, submission: &Submission, said: Said) -> Failure {
    let program = submission.command.first().map(String::as_str).unwrap_or_default();
    let whom = worker.map_or("a worker", |worker| worker.id.as_str());
    let (message, hint) = match said.code {
        Some(0) => (
            format!("what {program} said of {whom} cannot be read"),
            "read details.output_tail; launch again: what was submitted is found, and not submitted twice",
        ),
        Some(_) => (
            format!("{program} did not take {whom}"),
            "read details.output_tail; once the cause is gone, launch again: those before it run",
        ),
        None => (
            format!("{program} did not answer about {whom}"),
            "it may have been taken: launch again in a while; what was submitted is found, and not submitted twice",
        ),
    };
    let output_tail = if said.stderr.trim().is_empty() { said.stdout } else { said.stderr };
    Failure::new(Code::LaunchFailed, message).hint(hint).details(Ended {
        worker: worker.map(|worker| worker.id.clone()),
        command: Some(submission.words()),
        exit_code: said.code,
        output_tail,
        ..Ended::default()
    })
}
