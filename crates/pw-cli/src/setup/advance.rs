//! `pw-setup advance`: opens the workers whose turn has come.

use anyhow::Result;
use pw_core::conflict::FileConflict;
use pw_core::details::DependencyConflicts;
use pw_core::facts::Facts;
use pw_core::failure::{Code, Failure};
use pw_core::id::{Oid, Slug, WorkerId};
use pw_core::integration::by_union;
use pw_core::next::{Next, Options};
use pw_core::path::RepoPath;
use pw_core::plan::{Plan, Worker};
use pw_core::session::LaunchMode;
use pw_core::status::openable;

use super::create::{answer, make};
use super::plan_file::PlanFile;
use super::preflight::PlannedWorkflow;
use super::submit::{Wanted, start};
use crate::facts::Worktrees;
use crate::shell::{Answer, Context};
use crate::workflow::Workflow;

/// Opens the workers whose dependencies are ready or integrated; starts those in a way, if that is
/// asked for: no other worker is started, since what is blocked would be blocked again.
pub(super) fn advance(
    context: &Context,
    name: Option<&str>,
    how: Option<LaunchMode>,
) -> Result<Answer> {
    let (opened, workflow, answer) = open(context, name)?;
    match how {
        Some(how) if !opened.is_empty() => {
            let (workers, workflow) = (&opened[..], Some(workflow.as_str()));
            let wanted = Wanted { workers, workflow, how, ended: false, dry_run: false };
            start(&context.without_fetch(), &wanted)
        }
        _ => Ok(answer),
    }
}

/// Opens the workers whose dependencies are ready or integrated, forked from those results.
fn open(context: &Context, name: Option<&str>) -> Result<(Vec<WorkerId>, Slug, Answer)> {
    let (workflow, _lock) = Workflow::open_alone(context, name)?;
    let facts = workflow.facts(context.now, Worktrees::All)?;
    let states = workflow.board(&facts).states;
    let (mut wanted, mut refused, mut united) = (Vec::new(), None, Vec::new());
    for worker in openable(&workflow.plan, &states) {
        match fork(&workflow, &facts, worker, &mut united)? {
            Ok(fork) => wanted.push((worker.id.clone(), fork)),
            Err(failure) => refused = refused.or(Some(failure)),
        }
    }
    // Who does not wait for these is opened all the same.
    if let Some(failure) = refused.take_if(|_| wanted.is_empty()) {
        return Err(failure.into());
    }
    let told = refused.map(|failure| {
        let next = failure.next.map(|next| format!(": {next}")).unwrap_or_default();
        format!("{}; {}{next}", failure.message, failure.hint)
    });
    let file =
        PlanFile { text: workflow.plan_text.clone(), plan: Plan::parse(&workflow.plan_text)? };
    let planned = PlannedWorkflow::survey(context, file)?;
    let (planned, made, mut notes) = make(context, planned, wanted)?;
    united.sort_unstable();
    united.dedup();
    notes.extend(told.into_iter().chain(by_union(&united)));
    let opened = made.iter().cloned().collect();
    Ok((opened, workflow.plan.workflow.clone(), answer(&planned, &made, notes, None)?))
}

/// Returns the fork of a later worker: the results of those it comes after, merged. Where the base
/// branch has them all, it is the base branch, with what the user changed there since; where these
/// are integrated, their conflicts are resolved for this worker, too. `united` grows by the files
/// that the plan names in `union`, where git could not merge.
fn fork(
    workflow: &Workflow,
    facts: &Facts,
    worker: &Worker,
    united: &mut Vec<RepoPath>,
) -> Result<Result<Oid, Failure>> {
    let Workflow { repo, record, plan, .. } = workflow;
    let merged = |id: &WorkerId| record.merged.get(id).map(|(tip, _)| tip);
    let branch = |id: &WorkerId| plan.worker(id).and_then(|worker| workflow.tip(worker));
    let base = facts.base_tip.as_ref().filter(|tip| facts.history.contains(tip, &record.base));
    let has_landed = |id: &WorkerId| {
        branch(id).or_else(|| merged(id)).is_some_and(|tip| facts.landing(tip).is_some())
    };
    if let Some(base) = base
        && !worker.after.is_empty()
        && worker.after.iter().all(has_landed)
    {
        return Ok(Ok(base.clone()));
    }
    let is_integrated =
        |id: &WorkerId| merged(id).is_some_and(|tip| branch(id).is_none_or(|now| now == tip));
    if let Some(integration) = workflow.integration()
        && !worker.after.is_empty()
        && worker.after.iter().all(is_integrated)
    {
        return Ok(Ok(integration.clone()));
    }
    let mut fork: Option<Oid> = None;
    for id in &worker.after {
        let Some(tip) = branch(id).or_else(|| merged(id)) else { continue };
        fork = Some(match fork {
            None => tip.clone(),
            Some(fork) => {
                let outcome = repo.merge(&fork, tip, None)?;
                if !outcome.conflicts.is_empty() {
                    return Ok(Err(contradiction(workflow, worker, outcome.conflicts)));
                }
                let message = format!("Start {} from what it builds upon\n", worker.label());
                united.extend(outcome.by_union());
                let tree = repo.merged_tree(&outcome, None)?;
                repo.write_commit(&repo.author()?, &tree, &[&fork, tip], &message)?
            }
        });
    }
    Ok(Ok(fork.unwrap_or_else(|| record.base.clone())))
}

/// Those it comes after have to be merged first: their conflict is resolved there, once, and this
/// worker begins with the result.
fn contradiction(workflow: &Workflow, worker: &Worker, conflicts: Vec<FileConflict>) -> Failure {
    let Workflow { plan, record, .. } = workflow;
    let paths: Vec<String> =
        conflicts.iter().take(3).map(|found| format!("`{}`", found.path)).collect();
    let after: Vec<&str> = worker.after.iter().map(WorkerId::as_str).collect();
    let message = format!(
        "{} comes after {}, which do not merge: {}",
        worker.id,
        after.join(", "),
        paths.join(", ")
    );
    let others =
        plan.ids().filter(|id| !worker.after.contains(id) && !record.merged.contains_key(*id));
    let without: Vec<WorkerId> = others.cloned().collect();
    let options = Options { without: &without, ..Options::default() };
    Failure::new(Code::DependencyConflict, message)
        .hint("integrate these, which stops where they differ; resolve it there, continue, then advance")
        .next(Next::Run { workflow: &plan.workflow, options })
        .details(DependencyConflicts {
            worker: worker.id.clone(),
            from: None,
            after: Some(worker.after.clone()),
            conflicts,
        })
}
