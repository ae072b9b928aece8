//! Going on after a stop: takes the resolution in, as a commit of the candidate.

use anyhow::Result;
use pw_core::conflict::{ConflictKind, FileConflict};
use pw_core::facts::WorktreeFacts;
use pw_core::failure::{Code, Failure};
use pw_core::history::{Change, CommitRange};
use pw_core::hollow_entries;
use pw_core::id::Oid;
use pw_core::integration::Unready;
use pw_core::next::Next;
use pw_core::path::RepoPath;
use pw_core::record::{Event, Refs, RunOptions, Stopped};
use pw_core::stop::Stop;
use pw_git::Transaction;

use super::chain::{MergeChain, require_own_branch};
use super::resolution::{Progress, Resolution};
use super::stopping::{StoppedMerge, stay_stopped, stopped};
use crate::facts::Worktrees;
use crate::shell::Context;
use crate::workflow::Workflow;

/// A workflow whose stopped merge is resolved.
pub(super) struct Resumed {
    pub(super) workflow: Workflow,
    stopped: Stopped,
    resolution: Resolution,
    /// The resolved merge, on which the next ones build.
    pub(super) commit: Oid,
}

impl Resumed {
    /// Adds to a refusal that the resolution is kept meanwhile.
    pub(super) fn waiting(&self, error: anyhow::Error) -> anyhow::Error {
        let Self { stopped, resolution, .. } = self;
        let Some(failure) = error.downcast_ref::<Failure>() else { return error };
        if !matches!(failure.code, Code::NotReady | Code::OutOfScope) {
            return error;
        }
        let workers = failure.told::<Unready>().map(|unready| unready.workers).unwrap_or_default();
        let details = Stop {
            worker: stopped.worker.clone(),
            worktree: resolution.shown.clone(),
            conflicts: Vec::new(),
            merged: vec![stopped.worker.clone()],
            intents: Vec::new(),
            by_mergiraf: Vec::new(),
            by_union: Vec::new(),
            notes: Vec::new(),
            workers,
        };
        let message = format!(
            "{} is resolved, and the resolution is kept; {}",
            stopped.worker, failure.message
        );
        let mut waiting = Failure::new(Code::WaitingForWorkers, message)
            .hint(format!("{}; then continue", failure.hint))
            .details(details);
        waiting.next.clone_from(&failure.next);
        waiting.into()
    }
}

/// Takes in the resolution of a workflow that is stopped, unless that is done.
pub(super) fn resume(
    context: &Context,
    workflow: Workflow,
    options: &RunOptions,
) -> Result<Resumed> {
    let stopped = stopped(&workflow)?.clone();
    require_own_branch(&workflow)?;
    require_nothing_beside(&workflow, &stopped)?;
    let resolution = Resolution::of(&workflow, &stopped)?;
    let commit = match &stopped.resolution {
        Some(known) => known.clone(),
        None => match resolution.progress(&workflow.repo, &stopped)? {
            Progress::Merging | Progress::Concluded => {
                take(&workflow, context, &stopped, &resolution, options)?
            }
            _ => return Err(stay_stopped(&workflow, context, &stopped)?.into()),
        },
    };
    // From here on the resolution is a commit of the candidate, even if a later merge or gate
    // fails.
    let name = workflow.plan.workflow.to_string();
    let mut workflow = Workflow::open(context, Some(&name))?;
    if resolution.clear(&workflow, &stopped, Some(&commit), &mut workflow.journal()?)?.is_some() {
        workflow = Workflow::open(context, Some(&name))?;
    }
    Ok(Resumed { workflow, stopped, resolution, commit })
}

/// Refuses when the integration branch has commits that the stopped merge does not build upon:
/// publishing it would leave them behind.
fn require_nothing_beside(workflow: &Workflow, stopped: &Stopped) -> Result<()> {
    let Some(now) = workflow.integration() else { return Ok(()) };
    if workflow.repo.is_ancestor(now, &stopped.onto)? {
        return Ok(());
    }
    let message = format!(
        "{} has new commits since the merge of {} stopped",
        workflow.plan.integration_branch(),
        stopped.worker
    );
    Err(Failure::new(Code::IntegrationMoved, message)
        .hint("abort the stopped merge and run again on top of them; what is resolved and added is remembered")
        .next(Next::Abort(&workflow.plan.workflow))
        .into())
}

/// Writes the resolution as a commit of the candidate and records it; returns the commit.
fn take(
    workflow: &Workflow,
    context: &Context,
    stopped: &Stopped,
    resolution: &Resolution,
    options: &RunOptions,
) -> Result<Oid> {
    let merge = StoppedMerge::read(workflow, stopped)?;
    let tree = resolved_tree(workflow, context, stopped, resolution, &merge)?;
    let mut chain = MergeChain::begin(workflow, context, options.clone(), stopped.onto.clone())?;
    chain.take(&stopped.worker, &stopped.tip, &tree, merge.by_others())?;
    let resolved = chain.commit().clone();
    require_content(workflow, stopped, resolution, &resolved)?;
    let names = Refs(&workflow.plan.workflow);
    let mut journal = workflow.journal()?;
    let event = Event::Resolved { worker: stopped.worker.clone(), commit: resolved.clone() };
    journal.add(&workflow.repo, &event)?;
    let candidate = workflow.refs.get(&names.candidate());
    let mut transaction = Transaction::default().set(&names.candidate(), &resolved, candidate);
    transaction = merge.remember(workflow, resolution, transaction)?;
    journal.publish(&workflow.repo, transaction)?;
    Ok(resolved)
}

/// Refuses a resolution in which an entry of neither side is hollow: it would land unseen.
fn require_content(
    workflow: &Workflow,
    stopped: &Stopped,
    resolution: &Resolution,
    resolved: &Oid,
) -> Result<()> {
    let Workflow { repo, plan, .. } = workflow;
    let parents = vec![stopped.onto.clone(), stopped.tip.clone()];
    let merge = CommitRange { newest: resolved.clone(), parents };
    let changes: Vec<Change> = repo.changes(&[merge])?.into_iter().flatten().collect();
    let behind = repo.special_entries(std::iter::once((resolved, &changes[..])))?;
    let hollow = hollow_entries::committed(&changes, resolved, &behind);
    let Some(failure) = hollow_entries::refusal(&hollow) else { return Ok(()) };
    Err(failure
        .hint(format!("take it out of the resolution in {}, then continue", resolution.shown))
        .next(Next::go_on(&plan.workflow))
        .into())
}

/// Adds the conflicted files in which git wrote markers and none is left: they were edited. What else is to
/// be decided, `continue` names.
pub(super) fn add_resolved(workflow: &Workflow) -> Result<()> {
    let stopped = stopped(workflow)?;
    let resolution = Resolution::of(workflow, stopped)?;
    if stopped.resolution.is_some()
        || !matches!(resolution.progress(&workflow.repo, stopped)?, Progress::Merging)
    {
        return Ok(());
    }
    let WorktreeFacts::Present(tree) = workflow.repo.tree_state(&resolution.path)? else {
        return Ok(());
    };
    let merge = StoppedMerge::read(workflow, stopped)?;
    let mut resolved = Vec::new();
    for FileConflict { path, kind, .. } in &merge.outcome.conflicts {
        let is_text = matches!(kind, ConflictKind::Content | ConflictKind::AddAdd);
        if !is_text || !tree.unmerged.contains(path) || !merge.had_markers(path) {
            continue;
        }
        let content = std::fs::read(resolution.path.join(path.to_path()));
        if content.is_ok_and(|text| matches!(merge.is_marked(workflow, path, &text), Ok(false))) {
            resolved.push(path.clone());
        }
    }
    workflow.repo.add_files(&resolution.path, &resolved)
}

/// Returns the resolved tree, or refuses with what is left to do.
fn resolved_tree(
    workflow: &Workflow,
    context: &Context,
    stopped: &Stopped,
    resolution: &Resolution,
    merge: &StoppedMerge,
) -> Result<Oid> {
    let repo = &workflow.repo;
    let WorktreeFacts::Present(tree) = repo.tree_state(&resolution.path)? else {
        return Err(stay_stopped(workflow, context, stopped)?.into());
    };
    let conflicts = &merge.outcome.conflicts;
    let kind = |path: &RepoPath| conflicts.iter().find(|known| known.path == *path).map(|c| c.kind);
    let changed = repo.staged(&resolution.path, stopped.onto.as_str(), None)?;
    let marked = marked(workflow, stopped, resolution, merge, &changed)?;
    let mut not_added = repo.unstaged(&resolution.path)?;
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
            "is the name that git gave to one side",
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
        let facts = workflow.facts(context.now, Worktrees::None)?;
        return Err(Failure::new(Code::Unresolved, format!("`{first}` {what}"))
            .hint(hint)
            .next(resolution.git(command, &paths))
            .details(merge.details(workflow, &facts, stopped, resolution, &left)?)
            .into());
    }
    repo.index_tree(&resolution.path)
}

/// Returns the files in which markers of this merge are left: conflicted files with any marker that
/// neither side had, other files (one may have been renamed to resolve it) with the marker that
/// names the worker's commit.
fn marked(
    workflow: &Workflow,
    stopped: &Stopped,
    resolution: &Resolution,
    merge: &StoppedMerge,
    changed: &[RepoPath],
) -> Result<Vec<RepoPath>> {
    let content = |path: &RepoPath| std::fs::read(resolution.path.join(path.to_path())).ok();
    let mut marked = Vec::new();
    for FileConflict { path, .. } in &merge.outcome.conflicts {
        if let Some(content) = content(path)
            && merge.is_marked(workflow, path, &content)?
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
