//! What runs workers on other machines: asked about jobs, all those of an engine at once.

mod call;

use std::collections::BTreeMap;

use pw_core::engine::{Deployment, Engine, Polled};
use pw_core::failure::{Code, Failure};
use pw_core::id::WorkerId;
use pw_core::launch::LiveSession;
use pw_core::next::CommandLine;
use pw_core::plan::Worker;
use pw_core::session::{EngineAnswer, EngineJob, LaunchMode};

pub(crate) use self::call::submit;
use crate::workflow::Workflow;

/// A worker's job, and a command that shows what it does.
pub(crate) type Watched = (EngineJob, CommandLine);

/// Refuses when the program of an engine is missing.
pub(crate) fn require_program(engine: &dyn Engine) -> Result<(), Failure> {
    let program = engine.program();
    let missing = |_| {
        Failure::new(Code::ProgramMissing, format!("{program} is not on PATH")).hint(
            "run this where that engine is told things, or look with --dry-run at what it would be told",
        )
    };
    which::which(program).map(drop).map_err(missing)
}

/// Returns the jobs of these workers that wait or run, or of which their engines do not tell.
pub(crate) fn living(workflow: &Workflow, workers: &[&Worker]) -> Vec<LiveSession> {
    let (jobs, _) = jobs(workflow, workers, true);
    let living = |(worker, (job, look)): (WorkerId, Watched)| {
        let alive = job.is_alive();
        (alive != Some(false)).then(|| LiveSession {
            worker,
            pid: None,
            elsewhere: Some(job.place()),
            is_unseen: alive.is_none(),
            attach: alive.map(|_| look),
            id: Some(job.id),
        })
    };
    jobs.into_iter().filter_map(living).collect()
}

/// Returns the jobs of these workers, and how the engines answered; not merged work is asked for
/// only when `asks`.
pub(crate) fn jobs(
    workflow: &Workflow,
    workers: &[&Worker],
    asks: bool,
) -> (BTreeMap<WorkerId, Watched>, Vec<EngineAnswer>) {
    let mut by_engine: BTreeMap<&str, (LaunchMode, BTreeMap<&WorkerId, &str>)> = BTreeMap::new();
    for worker in workers {
        let Some(launch) = workflow.record.launches.get(&worker.id) else { continue };
        let id = launch.id.as_deref().filter(|_| launch.how.is_elsewhere());
        let is_open = !workflow.record.merged.contains_key(&worker.id);
        if let Some(id) = id.filter(|_| is_open && workflow.record.has(&worker.id)) {
            let engine = by_engine.entry(launch.how.word());
            engine.or_insert((launch.how, BTreeMap::new())).1.insert(&worker.id, id);
        }
    }
    let (mut found, mut answers) = (BTreeMap::new(), Vec::new());
    for (how, jobs) in by_engine.into_values() {
        let deployment = Deployment { plan: &workflow.plan, url: "", token: "" };
        let Some(engine) = pw_core::engine::of(how, deployment) else { continue };
        let ids: Vec<&str> = jobs.values().copied().collect();
        let polled = match asks {
            true => engine.poll(&ids, &call::ask_all),
            false => Polled::default(),
        };
        if asks {
            answers.push(EngineAnswer { engine: how, jobs: ids.len(), trouble: polled.trouble });
        }
        for (worker, id) in jobs {
            let report = polled.jobs.get(id);
            let state = report.map(|report| report.state);
            let said = report.map(|report| report.said.clone()).filter(|said| !said.is_empty());
            let cancel = engine.cancel(id);
            let job = EngineJob { engine: how, id: id.to_owned(), state, said, cancel };
            found.insert(worker.clone(), (job, engine.look(id, state)));
        }
    }
    (found, answers)
}
