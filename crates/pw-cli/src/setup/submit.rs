//! `pw-setup launch` with an engine: workers that run on other machines, each only once.

use anyhow::{Context as _, Result};
use pw_core::details::{Ended, NotCreated};
use pw_core::engine::{Submission, require_no_password};
use pw_core::failure::{Code, Failure};
use pw_core::id::WorkerId;
use pw_core::launch::{
    LaunchStatus, Launched, LiveSession, Skipped, WorkerLaunch, refuse_live_sessions, skip,
};
use pw_core::next::{Next, NextStep};
use pw_core::plan::Worker;
use pw_core::record::Event;
use pw_core::session::LaunchMode;
use pw_core::shell_word::shell_word;

use crate::engines::{self, Engine, Said};
use crate::facts::Worktrees;
use crate::remote;
use crate::shell::{Answer, Context};
use crate::view;
use crate::workflow::Workflow;

/// What the user asked for.
pub(super) struct Wanted<'a> {
    pub(super) workers: &'a [WorkerId],
    pub(super) workflow: Option<&'a str>,
    pub(super) how: LaunchMode,
    /// Their jobs, of which the engine does not tell, are over.
    pub(super) ended: bool,
    pub(super) dry_run: bool,
}

/// Submits the named workers, or all that need a session; with `dry_run`, says what would be.
pub(super) fn submit(context: &Context, wanted: &Wanted<'_>) -> Result<Answer> {
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
    let engine =
        engines::of(wanted.how, &workflow.plan, &url).context("an engine runs elsewhere")?;
    if !wanted.dry_run {
        engine.require()?;
    }
    let (workers, skipped) = choose(context, &workflow, wanted, &url)?;
    let submissions = match workers.is_empty() {
        true => Vec::new(),
        false => engine.submissions(&workers),
    };
    let mut notes = Vec::new();
    let launches = match wanted.dry_run {
        true => workers.iter().map(|worker| line(&workflow, worker, wanted.how, None)).collect(),
        false => {
            carry_out(context, &workflow, &*engine, &workers, &submissions, wanted, &mut notes)?
        }
    };
    let status = NextStep::new("watch", Next::FetchedStatus(&workflow.plan.workflow));
    let about = launches.iter().filter_map(|launch| Some((&launch.worker, launch.id.as_ref()?)));
    let steps = about.flat_map(|(worker, id)| {
        [
            NextStep::of(worker, "look", engine.logs(id)),
            NextStep::of(worker, "cancel", engine.cancel(id)),
        ]
    });
    let launched = Launched {
        next: steps.chain([status]).collect(),
        workflow: workflow.plan.workflow.clone(),
        workers: launches,
        skipped,
        // Said before it is done; afterwards, a script for each worker would be much to read.
        submissions: if wanted.dry_run { submissions } else { Vec::new() },
        attach: None,
        notes,
    };
    Answer::of(&launched, view::launched)
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

/// Takes the named workers, of whom each must be able to start, or all that need a session.
fn choose<'a>(
    context: &Context,
    workflow: &'a Workflow,
    wanted: &Wanted<'_>,
    url: &str,
) -> Result<(Vec<&'a Worker>, Vec<Skipped>)> {
    wanted.workers.iter().try_for_each(|id| workflow.worker(id).map(drop))?;
    let is_asked =
        |worker: &&Worker| wanted.workers.is_empty() || wanted.workers.contains(&worker.id);
    let facts = workflow.facts(context.now, Worktrees::None)?;
    let board = workflow.board(&facts);
    let (mut chosen, mut skipped) = (Vec::new(), Vec::new());
    for worker in workflow.plan.workers.iter().filter(is_asked) {
        let state = board.state(&worker.id).map(|status| status.state);
        let is_made = workflow.record.is_made(&worker.id) && workflow.tip(worker).is_some();
        let living = if wanted.ended { None } else { living(workflow, worker, url) };
        if wanted.workers.is_empty() {
            match skip(worker, state, is_made, living.as_ref()) {
                Some(skip) => skipped.push(skip),
                None => chosen.push(worker),
            }
            continue;
        }
        if !is_made {
            return Err(Failure::new(Code::NotCreated, format!("{} has no branch", worker.id))
                .hint("create it when the workers in its `after` are complete")
                .next(Next::Advance(&workflow.plan.workflow))
                .details(NotCreated { worker: worker.id.clone(), after: worker.after.clone() })
                .into());
        }
        refuse_live_sessions(living.as_slice())?;
        chosen.push(worker);
    }
    Ok((chosen, skipped))
}

/// Returns the job of a worker that waits or runs, or of which its engine does not tell.
fn living(workflow: &Workflow, worker: &Worker, url: &str) -> Option<LiveSession> {
    let launch = workflow.record.launches.get(&worker.id)?;
    let (engine, id) = (engines::of(launch.how, &workflow.plan, url)?, launch.id.as_ref()?);
    let alive = engine.is_alive(id);
    (alive != Some(false)).then(|| LiveSession {
        worker: worker.id.clone(),
        pid: None,
        elsewhere: Some(format!("{} {id}", launch.how.word())),
        is_unseen: alive.is_none(),
        id: Some(id.clone()),
        attach: alive.map(|_| engine.logs(id)),
    })
}

fn line(workflow: &Workflow, worker: &Worker, how: LaunchMode, id: Option<String>) -> WorkerLaunch {
    let workflow = &workflow.plan.workflow;
    let status = if id.is_some() { LaunchStatus::Started } else { LaunchStatus::Printed };
    let command = Next::Join { worker: &worker.id, workflow }.to_string();
    WorkerLaunch { worker: worker.id.clone(), how, command, status, id, snapshot: None }
}

/// Submits, and records each worker that was taken, at once.
fn carry_out(
    context: &Context,
    workflow: &Workflow,
    engine: &dyn Engine,
    workers: &[&Worker],
    submissions: &[Submission],
    wanted: &Wanted<'_>,
    notes: &mut Vec<String>,
) -> Result<Vec<WorkerLaunch>> {
    let mut journal = workflow.journal()?;
    let mut launches = Vec::new();
    for (number, submission) in submissions.iter().enumerate() {
        context.progress(&format!("submitting to {}", wanted.how.word()));
        let said = engines::submit(submission)?;
        let ids = engine.ids(number, workers, &said.stdout).filter(|_| said.code == Some(0));
        let ids = ids.ok_or_else(|| refused(workers.get(launches.len()), submission, said))?;
        for id in ids {
            let Some(worker) = workers.get(launches.len()) else { break };
            let (name, how) = (worker.id.clone(), wanted.how);
            let event = Event::Launched { worker: name, how, id: Some(id.clone()) };
            journal.append(&workflow.repo, &event)?;
            launches.push(line(workflow, worker, wanted.how, Some(id)));
        }
    }
    notes.extend(journal.notes());
    Ok(launches)
}

fn refused(worker: Option<&&Worker>, submission: &Submission, said: Said) -> Failure {
    let program = submission.command.first().map(String::as_str).unwrap_or_default();
    let words: Vec<String> = submission.command.iter().map(|word| shell_word(word)).collect();
    let whom = worker.map_or("a worker", |worker| worker.id.as_str());
    Failure::new(Code::LaunchFailed, format!("{program} did not take {whom}"))
        .hint("read details.output_tail; once the cause is gone, launch again: those before it run")
        .details(Ended {
            worker: worker.map(|worker| worker.id.clone()),
            command: Some(words.join(" ")),
            exit_code: said.code,
            output_tail: said.stderr,
            ..Ended::default()
        })
}
