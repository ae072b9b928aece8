//! `pw-retro remember`, `compare` and `forget`: finished runs, kept for the next plan.

use anyhow::Result;
use pw_core::failure::{Code, Failure};
use pw_core::id::{Oid, Slug};
use pw_core::next::Next;
use pw_core::retro::past::{Forgot, HISTORY, Past, PastRun, Remembered, compare as side_by_side};
use pw_core::time::rfc3339;
use pw_git::Repo;

use super::report::{Look, review};
use crate::shell::{Answer, Context};
use crate::view;
use crate::workflow::Workflow;

/// Keeps the numbers of a finished run.
pub(super) fn remember(context: &Context, name: Option<&str>) -> Result<Answer> {
    let (workflow, _lock) = Workflow::open_alone(context, name)?;
    let slug = workflow.plan.workflow.clone();
    let retro = review(context, &workflow, Look::Numbers)?.retro;
    if retro.interim {
        return Err(Failure::new(Code::NotReady, retro.headline)
            .hint("remember it when every worker is complete, or its result has landed")
            .next(Next::Status(&slug))
            .into());
    }
    let old = workflow.refs.get(HISTORY);
    let before = past(&workflow.repo, old)?;
    let mut after = before.clone();
    after.add(PastRun::of(&retro));
    let changed = after != before;
    if changed {
        keep(&workflow.repo, &after, old)?;
    }
    let forget = Next::ForgetRun(&slug).into();
    let (runs, reference) = (after.runs.len(), HISTORY.to_owned());
    let answer = Remembered { workflow: slug, changed, runs, reference, forget };
    Answer::of(&answer, view::remembered)
}

/// Lays the runs that are kept side by side.
pub(super) fn compare(context: &Context) -> Result<Answer> {
    let (repo, refs) = Repo::open_with_refs(&context.directory, &[HISTORY])?;
    Answer::of(&side_by_side(past(&repo, refs.get(HISTORY))?), view::comparison)
}

/// Drops the runs of a workflow, or all.
pub(super) fn forget(context: &Context, workflow: Option<&Slug>) -> Result<Answer> {
    let (directory, now) = (&context.directory, rfc3339(context.now));
    let (repo, refs, _lock) = Repo::open_alone(directory, &[HISTORY], &context.command, &now)?;
    let old = refs.get(HISTORY);
    let mut kept = past(&repo, old)?;
    let all = kept.runs.len();
    let forgotten = match workflow {
        Some(workflow) => kept.forget(workflow),
        None => {
            kept = Past::default();
            all
        }
    };
    if forgotten > 0 || workflow.is_none() {
        keep(&repo, &kept, old)?;
    }
    Answer::of(&Forgot { forgotten, runs: kept.runs.len() }, view::forgot)
}

fn past(repo: &Repo, commit: Option<&Oid>) -> Result<Past> {
    commit.map_or_else(|| Ok(Past::default()), |commit| repo.past(commit))
}

/// Publishes what is kept; a workflow of that name leaves no room for it.
fn keep(repo: &Repo, past: &Past, old: Option<&Oid>) -> Result<()> {
    let below = format!("{HISTORY}/");
    if repo.refs(&[HISTORY])?.keys().any(|name| name.starts_with(&below)) {
        let message = format!("a workflow called history has its refs below {HISTORY}");
        return Err(Failure::new(Code::InTheWay, message)
            .hint("finished runs can be kept when that workflow is closed")
            .into());
    }
    repo.set_past(past, old)
}
