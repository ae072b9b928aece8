//! A stopped integration: recorded, resolved by somebody, gone on with or given up.

use anyhow::Result;
use pw_core::conflict::{ConflictKind, FileConflict};
use pw_core::facts::WorktreeFacts;
use pw_core::failure::{Code, Failure};
use pw_core::history::{Change, Stretch};
use pw_core::hollow;
use pw_core::id::Oid;
use pw_core::integration::{Aborted, Readiness};
use pw_core::path::RepoPath;
use pw_core::record::{Choice, Event, Refs, Stopped};
use pw_core::report::counted;
use pw_core::snapshot::RESOLUTIONS;
use pw_core::stop::Stop;
use pw_git::Transaction;

use super::bench::Bench;
use super::gate::Gatekeeper;
use super::merge::{self, Chain};
use super::place::{Place, Standing};
use super::stop::Trial;
use crate::shell::{Answer, Context};
use crate::snapshot::{Keeping, restore_command};
use crate::view;
use crate::workflow::Workflow;

/// Records the stop, when there is room for a worktree to resolve it in, then makes that; returns
/// what to tell the agent.
pub(super) fn stop(
    workflow: &Workflow,
    context: &Context,
    stopped: Stopped,
    keeper: &mut Gatekeeper,
) -> Result<Failure> {
    let place = Place::of(workflow, &stopped)?;
    let kept = place.make_room(workflow, &stopped, &mut keeper.writer)?;
    let name = Refs(&workflow.plan.workflow).candidate();
    let candidate = keeper.candidate.as_ref();
    let transaction = Transaction::default().set(&name, &stopped.onto, candidate);
    keeper.record(&Event::Stopped(stopped.clone()), transaction)?;
    to_resolve(workflow, context, &stopped, &place, kept)
}

/// Makes the resolution's worktree if it is not there, and says what to resolve.
pub(super) fn stand_still(
    workflow: &Workflow,
    context: &Context,
    stopped: &Stopped,
) -> Result<Failure> {
    let place = Place::of(workflow, stopped)?;
    let kept = place.make_room(workflow, stopped, &mut workflow.writer()?)?;
    to_resolve(workflow, context, stopped, &place, kept)
}

fn to_resolve(
    workflow: &Workflow,
    context: &Context,
    stopped: &Stopped,
    place: &Place,
    kept: Option<String>,
) -> Result<Failure> {
    let trial = Trial::of(workflow, stopped)?;
    place.prepare(workflow, stopped, &trial)?;
    let conflicts = &trial.outcome.conflicts;
    let details = trial.details(workflow, context, stopped, place, conflicts)?;
    let kept =
        kept.map(|name| format!("; what stood there before is kept as {name}")).unwrap_or_default();
    let remembered = match details.conflicts.iter().filter(|file| file.remembered).count() {
        0 => String::new(),
        n => format!("; {} as resolved before: look before you add", counted(n, "file")),
    };
    let hint = format!(
        "resolve the files in {}, git add them there, then continue{remembered}{kept}",
        place.shown
    );
    let files = counted(conflicts.len(), "file");
    Ok(Failure::new(
        Code::MergeConflict,
        format!("{} does not merge: conflicts in {files}", stopped.worker),
    )
    .hint(hint)
    .next(format!("pw-integrate continue {}", workflow.plan.workflow))
    .details(details))
}

pub(super) fn raced() -> Failure {
    Failure::new(Code::Locked, "the record changed while this ran").hint("run the command again")
}

fn stopped(workflow: &Workflow) -> Result<&Stopped> {
    let nothing = || {
        Failure::new(Code::NothingStopped, "no integration is stopped")
            .hint("start one")
            .next(format!("pw-integrate run {}", workflow.plan.workflow))
    };
    Ok(workflow.record.stopped.as_ref().ok_or_else(nothing)?)
}

/// Takes the resolution in and goes on with who is left.
pub(super) fn go_on(context: &Context, name: Option<&str>, choice: &Choice) -> Result<Answer> {
    let (workflow, _lock) = Workflow::open_alone(context, name)?;
    if let Some(red) = &workflow.record.red {
        return Chain::anew(&workflow, context, red.choice.and(choice))?.finish();
    }
    let choice = stopped(&workflow)?.choice.and(choice);
    resume(context, workflow, choice)
}

/// Goes on with a workflow that is stopped.
pub(super) fn resume(context: &Context, workflow: Workflow, choice: Choice) -> Result<Answer> {
    let stopped = stopped(&workflow)?.clone();
    merge::require_own_branch(&workflow)?;
    require_nothing_beside(&workflow, &stopped)?;
    let place = Place::of(&workflow, &stopped)?;
    let resolved = match &stopped.resolution {
        Some(commit) => commit.clone(),
        None => match place.standing(&workflow.repo, &stopped)? {
            Standing::Merging | Standing::Concluded => {
                take(&workflow, context, &stopped, &place, &choice)?
            }
            _ => return Err(stand_still(&workflow, context, &stopped)?.into()),
        },
    };
    // From here on the resolution is a commit of the candidate, whatever becomes of the rest.
    let name = workflow.plan.workflow.to_string();
    let mut workflow = Workflow::open(context, Some(&name))?;
    if place.clear(&workflow, &stopped, Some(&resolved), &mut workflow.writer()?)?.is_some() {
        workflow = Workflow::open(context, Some(&name))?;
    }
    let chain = Chain::new(&workflow, context, choice, resolved);
    chain.map_err(|error| waiting(error, &stopped, &place))?.finish()
}

/// Refuses when the integration branch has commits that the stopped merge does not build upon:
/// publishing it would leave them behind.
fn require_nothing_beside(workflow: &Workflow, stopped: &Stopped) -> Result<()> {
    let Some(now) = workflow.integration() else { return Ok(()) };
    if workflow.repo.is_ancestor(now, &stopped.onto)? {
        return Ok(());
    }
    let message = format!(
        "{} has got commits since the merge of {} stopped",
        workflow.plan.integration_branch(),
        stopped.worker
    );
    Err(Failure::new(Code::IntegrationMoved, message)
        .hint("give the stopped merge up and run again on top of them; what is resolved and added is remembered")
        .next(format!("pw-integrate abort {}", workflow.plan.workflow))
        .into())
}

/// Writes the resolution as a commit of the candidate and records it; returns the commit.
fn take(
    workflow: &Workflow,
    context: &Context,
    stopped: &Stopped,
    place: &Place,
    choice: &Choice,
) -> Result<Oid> {
    let trial = Trial::of(workflow, stopped)?;
    let tree = resolution(workflow, context, stopped, place, &trial)?;
    let mut chain = Chain::begin(workflow, context, choice.clone(), stopped.onto.clone())?;
    chain.take(&stopped.worker, &stopped.tip, &tree, trial.paths_by_mergiraf())?;
    let resolved = chain.commit().clone();
    require_content(workflow, stopped, place, &resolved)?;
    let names = Refs(&workflow.plan.workflow);
    let mut writer = workflow.writer()?;
    let event = Event::Resolved { worker: stopped.worker.clone(), commit: resolved.clone() };
    writer.add(&workflow.repo, &event)?;
    let candidate = workflow.refs.get(&names.candidate());
    let mut transaction = Transaction::default().set(&names.candidate(), &resolved, candidate);
    if let Some(memory) = trial.memorize(workflow, place)? {
        transaction = remember(workflow, transaction, &memory);
    }
    match writer.publish(&workflow.repo, transaction)? {
        true => Ok(resolved),
        false => Err(raced().into()),
    }
}

/// Refuses a resolution in which an entry of neither side is hollow: it would land unseen.
fn require_content(
    workflow: &Workflow,
    stopped: &Stopped,
    place: &Place,
    resolved: &Oid,
) -> Result<()> {
    let Workflow { repo, plan, .. } = workflow;
    let parents = vec![stopped.onto.clone(), stopped.tip.clone()];
    let merge = Stretch { newest: resolved.clone(), parents };
    let changes: Vec<Change> = repo.changes(&[merge])?.into_iter().flatten().collect();
    let behind = repo.behind(std::iter::once((resolved, &changes[..])))?;
    let hollow = hollow::committed(&changes, resolved, &behind);
    let Some(failure) = hollow::refusal(&hollow) else { return Ok(()) };
    Err(failure
        .hint(format!("take it out of the resolution in {}, then continue", place.shown))
        .next(format!("pw-integrate continue {}", plan.workflow))
        .into())
}

fn remember(workflow: &Workflow, transaction: Transaction, memory: &Oid) -> Transaction {
    let name = Refs(&workflow.plan.workflow).memory();
    transaction.set(&name, memory, workflow.refs.get(&name))
}

/// Says who is missing, now that the resolution is kept.
fn waiting(error: anyhow::Error, stopped: &Stopped, place: &Place) -> anyhow::Error {
    let Some(failure) = error.downcast_ref::<Failure>() else { return error };
    if !matches!(failure.code, Code::NotReady | Code::OutOfScope) {
        return error;
    }
    let workers = failure.details.get("workers").cloned().unwrap_or_default();
    let workers: Vec<Readiness> = serde_json::from_value(workers).unwrap_or_default();
    let details = Stop {
        worker: stopped.worker.clone(),
        worktree: place.shown.clone(),
        conflicts: Vec::new(),
        merged: vec![stopped.worker.clone()],
        intents: Vec::new(),
        by_mergiraf: Vec::new(),
        notes: Vec::new(),
        workers,
    };
    let message =
        format!("{} is resolved, and the resolution is kept; {}", stopped.worker, failure.message);
    let mut waiting = Failure::new(Code::WaitingForWorkers, message)
        .hint(format!("{}; then continue", failure.hint))
        .details(details);
    waiting.next.clone_from(&failure.next);
    waiting.into()
}

/// Returns the resolved tree, or refuses with what is left to do.
fn resolution(
    workflow: &Workflow,
    context: &Context,
    stopped: &Stopped,
    place: &Place,
    trial: &Trial,
) -> Result<Oid> {
    let repo = &workflow.repo;
    let WorktreeFacts::Present(tree) = repo.tree_state(&place.path)? else {
        return Err(stand_still(workflow, context, stopped)?.into());
    };
    let conflicts = &trial.outcome.conflicts;
    let kind = |path: &RepoPath| conflicts.iter().find(|known| known.path == *path).map(|c| c.kind);
    let changed = repo.staged(&place.path, stopped.onto.as_str(), None)?;
    let marked = marked(workflow, stopped, place, trial, &changed)?;
    let mut not_added = repo.unstaged(&place.path)?;
    not_added.extend(tree.untracked);
    let sided: Vec<RepoPath> =
        changed.into_iter().filter(|path| path.without_side().is_some()).collect();
    let edited =
        |path: &RepoPath| matches!(kind(path), Some(ConflictKind::Content | ConflictKind::AddAdd));
    let (edited, decided): (Vec<RepoPath>, Vec<RepoPath>) =
        tree.unmerged.into_iter().partition(edited);
    let (submodules, decided): (Vec<RepoPath>, Vec<RepoPath>) =
        decided.into_iter().partition(|path| kind(path) == Some(ConflictKind::Submodule));
    let steps = [
        (
            submodules,
            "is a submodule, of which each side has another commit",
            "decide on one, then git update-index --cacheinfo 160000,COMMIT,PATH there",
            "status --",
        ),
        (
            marked,
            "still has conflict markers",
            "edit the file until no markers are left",
            "diff --",
        ),
        (
            decided,
            "is not decided",
            "git wrote one side or both: look at both, then git add what shall stay and git rm what shall not",
            "status --",
        ),
        (
            sided,
            "is a name git made up for one side",
            "rename it with git mv, or remove it with git rm",
            "status --",
        ),
        (edited, "is not marked as resolved", "add what you resolved", "add --"),
        (not_added, "was changed and is not added", "add it, or undo the change", "add --all --"),
    ];
    for (paths, what, hint, command) in steps {
        let Some(first) = paths.first() else { continue };
        let left = paths
            .iter()
            .map(|path| FileConflict::new(path.clone(), kind(path).unwrap_or(ConflictKind::Other)));
        let left: Vec<FileConflict> = left.collect();
        return Err(Failure::new(Code::Unresolved, format!("`{first}` {what}"))
            .hint(hint)
            .next(place.git(command, &paths))
            .details(trial.details(workflow, context, stopped, place, &left)?)
            .into());
    }
    repo.index_tree(&place.path)
}

/// Returns the files in which markers of this merge are left: conflicted ones with any marker that
/// neither side had, others (a file may have been renamed to resolve it) with the one that names
/// the worker's commit.
fn marked(
    workflow: &Workflow,
    stopped: &Stopped,
    place: &Place,
    trial: &Trial,
    changed: &[RepoPath],
) -> Result<Vec<RepoPath>> {
    let content = |path: &RepoPath| std::fs::read(place.path.join(path.to_path())).ok();
    let mut marked = Vec::new();
    for FileConflict { path, .. } in &trial.outcome.conflicts {
        if let Some(content) = content(path)
            && trial.is_marked(workflow, path, &content)?
        {
            marked.push(path.clone());
        }
    }
    let ours = format!("> {}", stopped.tip);
    let names_tip = |line: &[u8]| line.starts_with(b">>>") && line.ends_with(ours.as_bytes());
    let moved = changed.iter().filter(|path| {
        content(path).is_some_and(|text| text.split(|byte| *byte == b'\n').any(names_tip))
    });
    marked.extend(moved.cloned());
    marked.sort();
    marked.dedup();
    Ok(marked)
}

/// Gives the stopped integration up; what was in the worktree stays under a ref.
pub(super) fn abort(context: &Context, name: Option<&str>) -> Result<Answer> {
    let (mut workflow, _lock) = Workflow::open_alone(context, name)?;
    if workflow.record.red.is_some() {
        return abort_red(&workflow);
    }
    let stopped = &stopped(&workflow)?.clone();
    let place = Place::of(&workflow, stopped)?;
    if let Some(commit) = &stopped.resolution
        && place.clear(&workflow, stopped, Some(commit), &mut workflow.writer()?)?.is_some()
    {
        let name = workflow.plan.workflow.to_string();
        workflow = Workflow::open(context, Some(&name))?;
    }
    let Workflow { repo, plan, refs, .. } = &workflow;
    let names = Refs(&plan.workflow);
    let mut writer = workflow.writer()?;
    let mut memory = None;
    if stopped.resolution.is_none()
        && matches!(place.standing(repo, stopped)?, Standing::Merging | Standing::Concluded)
    {
        memory = Trial::of(&workflow, stopped)?.memorize(&workflow, &place)?;
    }
    let (aside, keeping) = match &stopped.resolution {
        Some(commit) => {
            let why = format!("resolution of {}, given up", stopped.worker);
            let of = RESOLUTIONS.parse()?;
            (None, Some(Keeping::of_commit(&workflow, &of, commit, None, &why)?))
        }
        None => match place.keep(&workflow, stopped)? {
            Some((aside, keeping)) => (Some(aside), keeping),
            None => (None, None),
        },
    };
    let mut transaction = Transaction::default();
    if let Some(keeping) = &keeping {
        transaction = keeping.join(&workflow, &mut writer, transaction)?;
    }
    if let Some(memory) = memory {
        transaction = remember(&workflow, transaction, &memory);
    }
    if let Some(candidate) = refs.get(&names.candidate()) {
        transaction = transaction.delete(&names.candidate(), candidate);
    }
    writer.add(repo, &Event::Aborted { worker: Some(stopped.worker.clone()) })?;
    if !writer.publish(repo, transaction)? {
        return Err(raced().into());
    }
    aside.map_or(Ok(()), pw_git::Aside::discard)?;
    let aborted = Aborted {
        workflow: plan.workflow.clone(),
        worker: Some(stopped.worker.clone()),
        snapshot: keeping.as_ref().map(|keeping| keeping.name(&workflow)),
        restore: keeping.as_ref().map(|keeping| restore_command(&workflow, &keeping.id)),
    };
    Answer::of(&aborted, view::aborted)
}

/// Gives an integration up whose result did not pass a gate; what was resolved is remembered.
fn abort_red(workflow: &Workflow) -> Result<Answer> {
    let Workflow { repo, plan, refs, .. } = workflow;
    let name = Refs(&plan.workflow).candidate();
    let mut transaction = Transaction::default();
    if let Some(candidate) = refs.get(&name) {
        transaction = transaction.delete(&name, candidate);
    }
    Bench::remove(workflow)?;
    let mut writer = workflow.writer()?;
    writer.add(repo, &Event::Aborted { worker: None })?;
    if !writer.publish(repo, transaction)? {
        return Err(raced().into());
    }
    let workflow = plan.workflow.clone();
    Answer::of(&Aborted { workflow, worker: None, snapshot: None, restore: None }, view::aborted)
}
