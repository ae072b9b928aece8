//! Closing a workflow that has landed, when its workers are gone: what only they needed goes, what
//! stays is named.

use std::path::Path;

use anyhow::{Context as _, Result};
use pw_core::branch::Branch;
use pw_core::cleanup::Stays;
use pw_core::facts::Facts;
use pw_core::id::Oid;
use pw_core::next::{CommandLine, Next};
use pw_core::record::Refs;
use pw_git::{Journal, Transaction};

use crate::workflow::Workflow;

/// What became of it.
#[derive(Default)]
pub(super) struct Closing {
    pub(super) closed: bool,
    pub(super) stays: Vec<Stays>,
}

/// Closes the workflow, or says why it stays open. `journal` is the record as it is now.
pub(super) fn close(workflow: &Workflow, journal: &mut Journal, facts: &Facts) -> Result<Closing> {
    let branch = workflow.plan.integration_branch();
    if let Some(why) = still_open(workflow, facts) {
        let is_there = workflow.refs.contains_key(&Refs(&workflow.plan.workflow).integration());
        let stays = is_there.then(|| Stays::new(branch, why)).into_iter().collect();
        return Ok(Closing { closed: false, stays });
    }
    let mut stays = refs(workflow, journal)?;
    stays.extend(files(workflow)?);
    let settings = workflow.repo.forget_own_settings()?;
    stays.extend(settings.map(|why| Stays::new("extensions.worktreeConfig", why)));
    Ok(Closing { closed: true, stays })
}

/// Returns why the workflow is not over.
fn still_open(workflow: &Workflow, facts: &Facts) -> Option<String> {
    let Workflow { plan, record, .. } = workflow;
    let name = &plan.workflow;
    if record.stopped.is_some() || record.red.is_some() {
        let on = CommandLine::from(Next::go_on(name));
        return Some(format!("an integration is stopped: {on}"));
    }
    if facts.landed().is_none() {
        let base = record.base_branch.as_ref().map_or("the base", Branch::as_str);
        let land = CommandLine::from(Next::Finish { workflow: name, way: None });
        return Some(format!("{base} does not have it: {land}"));
    }
    let to_come = plan.ids().find(|id| {
        !record.placements.contains_key(id)
            && !record.merged.contains_key(id)
            && !record.cleaned.contains(id)
    });
    to_come.map(|id| {
        let advance = CommandLine::from(Next::Advance(name));
        format!("{id} is still to come: {advance}, or take it out of the plan")
    })
}

/// Deletes what no command of a closed workflow reads, and marks it as closed.
fn refs(workflow: &Workflow, journal: &mut Journal) -> Result<Vec<Stays>> {
    let Workflow { repo, plan, record, refs, .. } = workflow;
    let names = Refs(&plan.workflow);
    let mut stays = Vec::new();
    let mut transaction = Transaction::default();
    for name in [names.candidate(), names.memory()] {
        if let Some(commit) = refs.get(&name) {
            transaction = transaction.delete(&name, commit);
        }
    }
    let branch = plan.integration_branch();
    if let Some(commit) = refs.get(&names.integration()) {
        if let Some(checkout) = repo.checkout_of(&branch) {
            let why = format!("it is checked out in {}", checkout.path.display());
            stays.push(Stays::new(branch, why));
        } else if (record.integration.as_ref() != Some(commit)
            || refs.get(&names.integrated()) != Some(commit))
            && !is_in_base(workflow, commit)?
        {
            stays.push(Stays::new(branch, "it was moved since we put it there"));
        } else {
            transaction = transaction.delete(&names.integration(), commit);
        }
    }
    let tip = journal.tip().context("a record has a tip")?;
    transaction = transaction.set(&names.closed(), tip, refs.get(&names.closed()));
    journal.publish(repo, transaction)?;
    let what = format!("refs/pw/{}", plan.workflow);
    let snapshots = refs.keys().any(|name| name.starts_with(&names.snapshots()))
        || !record.snapshots.is_empty();
    let kept = match snapshots {
        true => format!(
            "the record and what was merged, for pw-retro; snapshots, until pw-integrate forget {} --all",
            plan.workflow
        ),
        false => "the record and what was merged, for pw-retro".to_owned(),
    };
    stays.push(Stays::new(what, kept));
    Ok(stays)
}

/// Returns whether the base branch has all of a commit, so that nothing is lost with a branch at it.
fn is_in_base(workflow: &Workflow, commit: &Oid) -> Result<bool> {
    let Workflow { repo, record, refs, .. } = workflow;
    let base = record.base_branch.as_ref().and_then(|base| refs.get(&base.full()));
    base.map_or(Ok(false), |base| repo.is_ancestor(commit, base))
}

/// Removes our files about the workflow: logs of gates, and folders that are empty then.
fn files(workflow: &Workflow) -> Result<Vec<Stays>> {
    let home = workflow.repo.common().join("pw");
    let folder = home.join(workflow.plan.workflow.as_str());
    let remove = |path: &Path| match path.is_dir() {
        true => std::fs::remove_dir_all(path),
        false if path.symlink_metadata().is_ok() => std::fs::remove_file(path),
        false => Ok(()),
    };
    let names = ["gate", "pull-request.md", "COMMIT_EDITMSG", "seen.json", "notified"]
        .map(|name| folder.join(name));
    let logs = std::fs::read_dir(&folder).into_iter().flatten().flatten();
    let logs = logs.filter(|entry| entry.file_name().to_string_lossy().starts_with("notify-"));
    for path in names.into_iter().chain(logs.map(|entry| entry.path())) {
        remove(&path).with_context(|| format!("removing {}", path.display()))?;
    }
    // Only what is empty goes.
    let _ = std::fs::remove_dir(home.join("gate"));
    let _ = std::fs::remove_dir(&folder);
    let left = std::fs::read_dir(&folder).into_iter().flatten().flatten().next();
    Ok(left
        .map(|left| {
            let what = format!(".git/pw/{}", workflow.plan.workflow);
            Stays::new(
                what,
                format!("it holds {}, which is not ours to remove", left.path().display()),
            )
        })
        .into_iter()
        .collect())
}
