//! `pw-setup check`: what would be made, and what is odd about the plan; changes nothing.

use std::path::Path;

use anyhow::Result;
use pw_core::analyze::neighbours::neighbours;
use pw_core::id::{Oid, Slug, WorkerId};
use pw_core::ignored_own_files;
use pw_core::next::{Next, NextStep};
use pw_core::path::RepoPath;
use pw_core::plan::{Plan, Worker};
use pw_core::retro::memory::{self, Memory};
use pw_core::retro::past::HISTORY;
use pw_core::setup::{self, Check, SetupStatus};
use pw_git::Repo;

use super::plan_file::PlanFile;
use super::preflight::PlannedWorkflow;
use super::prerequisites;
use crate::shell::{Answer, Context};
use crate::view;
use crate::workflow::{is_closed, recorded};

/// How many of the newest commits `check` looks at for files that change together.
const COMMITS: usize = 3_000;
/// How many of the newest changes it looks at for hot files.
const HOT_CHANGES: usize = 500;
/// How many hot files it lists.
const HOT_FILES: usize = 10;
/// How many other workflows are held against the plan.
const OTHERS: usize = 20;
/// How many files outside of scopes that change with those inside.
const NEIGHBOURS: usize = 6;

pub(super) fn check(context: &Context, path: &Path) -> Result<Answer> {
    let planned = PlannedWorkflow::survey(context, PlanFile::read(context, path)?)?;
    let status = |worker: &Worker| match (planned.is_new(worker), worker.after.is_empty()) {
        (false, _) if planned.is_removed(worker) => SetupStatus::Removed,
        (false, _) => SetupStatus::Exists,
        (true, true) => SetupStatus::Created,
        (true, false) => SetupStatus::Waiting,
    };
    let next = vec![NextStep::new("create", Next::Create(path))];
    let log = planned.repo.log(&planned.record.base, COMMITS)?;
    let known = log.today(COMMITS);
    let mut warnings = setup::warnings(&planned.plan, &planned.repo.paths(&planned.record.base)?);
    let examples = ignored_own_files::examples(&planned.plan);
    let paths: Vec<RepoPath> = examples.iter().map(|example| example.path.clone()).collect();
    warnings.extend(ignored_own_files::warnings(&examples, &planned.repo.ignored_by(&paths)?));
    warnings.extend(claims(&planned));
    warnings.extend(base_warning(&planned).filter(|_| planned.record_tip.is_none()));
    let past = past(&planned.repo, planned.refs.get(HISTORY), Some(&planned.plan));
    warnings.extend(past.iter().flat_map(|past| memory::warnings(past, &planned.plan)));
    let check = Check {
        setup: planned.report(&status, next),
        hot_files: setup::hot_files(&planned.plan, &log, &known, HOT_CHANGES, HOT_FILES),
        neighbours: neighbours(&planned.plan, &log, &known, NEIGHBOURS),
        past,
        prerequisites: prerequisites::look(&planned, true, None, warnings)?,
    };
    Answer::of(&check, view::check)
}

/// Returns what finished runs say to a plan. A plan can be made without them.
pub(super) fn past(repo: &Repo, kept: Option<&Oid>, plan: Option<&Plan>) -> Option<Memory> {
    memory::memory(repo.past(kept?).ok()?, plan)
}

/// Says which workers of other open workflows could change what a new worker owns.
fn claims(planned: &PlannedWorkflow) -> Vec<String> {
    let PlannedWorkflow { repo, plan, refs, .. } = planned;
    let mine: Vec<&Worker> = plan.workers.iter().filter(|w| planned.is_new(w)).collect();
    let is_other = |(name, tip): &(Slug, Oid)| {
        *name != plan.workflow && !is_closed(refs, name, tip) && !mine.is_empty()
    };
    let mut warnings = Vec::new();
    for (name, tip) in recorded(refs).into_iter().filter(is_other).take(OTHERS) {
        let Ok((text, record)) = repo.record(&tip) else { continue };
        let Ok(other) = Plan::recorded(&text) else { continue };
        // What is merged has not landed yet: the base may still change under the new workers.
        let base = &planned.record.base;
        let has_landed = record.landed.is_some()
            || record.integration.as_ref().is_some_and(|tip| {
                !record.merged.is_empty() && repo.is_ancestor(tip, base).unwrap_or(false)
            });
        let is_over = |id: &WorkerId| {
            record.cleaned.contains(id) || (has_landed && record.merged.contains_key(id))
        };
        let theirs: Vec<&Worker> =
            other.workers.iter().filter(|worker| !is_over(&worker.id)).collect();
        let claims = |workers, shared| setup::Claims { workers, shared };
        warnings.extend(setup::claims(
            claims(&mine, &plan.shared),
            &name,
            claims(&theirs, &other.shared),
        ));
    }
    warnings
}

/// Says what is not to be expected of the base, since nothing in the plan names it.
fn base_warning(planned: &PlannedWorkflow) -> Option<String> {
    let PlannedWorkflow { repo, plan, record, .. } = planned;
    let Some(base) = &record.base_branch else {
        return Some(
            "HEAD is on no branch, so that pw-integrate finish will have none to land on; name one \
             with `base:`"
                .to_owned(),
        );
    };
    let (main, here) = (repo.worktrees().first()?, repo.checkout()?);
    let on_main = main.branch.as_ref().filter(|_| !main.bare && main.path != here.path);
    on_main.filter(|_| plan.base.is_none()).map(|on_main| {
        format!(
            "it forks from {base}, the branch of the worktree {}, and will land there; the main \
             checkout is on {on_main}",
            here.path.display()
        )
    })
}
