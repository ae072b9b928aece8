//! A stop at a conflicted merge: recorded, tried again in a temporary object directory, explained,
//! with a worktree in which to resolve it.

use std::collections::BTreeMap;

use anyhow::Result;
use pw_core::conflict::{ConflictKind, FileConflict};
use pw_core::conflict_markers;
use pw_core::facts::Facts;
use pw_core::failure::{Code, Failure};
use pw_core::history::History;
use pw_core::id::Oid;
use pw_core::integration::{ByOthers, merges_since};
use pw_core::next::Next;
use pw_core::path::RepoPath;
use pw_core::record::{Event, Refs, Stopped};
use pw_core::stop::{self, Sides, Stop, StoppedFile};
use pw_core::text::counted;
use pw_git::{MergeOutcome, Repo, Scratch, Transaction, Unmerged};

use super::gate::Gatekeeper;
use super::mergiraf::{self, Mergiraf};
use super::resolution::{Progress, Resolution};
use crate::facts::Worktrees;
use crate::shell::Context;
use crate::workflow::Workflow;

/// The most files whose hunks are read.
const MAX_FILES: usize = 50;

/// Records the stop once the folder for its worktree is free, then makes that; returns the refusal.
pub(super) fn stop(
    workflow: &Workflow,
    facts: &Facts,
    stopped: Stopped,
    keeper: &mut Gatekeeper,
) -> Result<Failure> {
    let resolution = Resolution::of(workflow, &stopped)?;
    let kept = resolution.make_room(workflow, &stopped, &mut keeper.journal)?;
    let name = Refs(&workflow.plan.workflow).candidate();
    let candidate = keeper.candidate.as_ref();
    let transaction = Transaction::default().set(&name, &stopped.onto, candidate);
    keeper.record(&Event::Stopped(stopped.clone()), transaction)?;
    to_resolve(workflow, facts, &stopped, &resolution, kept)
}

/// Makes the resolution's worktree if it is not there, and returns the refusal again.
pub(super) fn stay_stopped(
    workflow: &Workflow,
    context: &Context,
    stopped: &Stopped,
) -> Result<Failure> {
    let resolution = Resolution::of(workflow, stopped)?;
    let kept = resolution.make_room(workflow, stopped, &mut workflow.journal()?)?;
    let facts = workflow.facts(context.now, Worktrees::None)?;
    to_resolve(workflow, &facts, stopped, &resolution, kept)
}

fn to_resolve(
    workflow: &Workflow,
    facts: &Facts,
    stopped: &Stopped,
    resolution: &Resolution,
    kept: Option<String>,
) -> Result<Failure> {
    let merge = StoppedMerge::read(workflow, stopped)?;
    prepare(resolution, workflow, stopped, &merge)?;
    let conflicts = &merge.outcome.conflicts;
    let details = merge.details(workflow, facts, stopped, resolution, conflicts)?;
    let kept =
        kept.map(|name| format!("; what stood there before is kept as {name}")).unwrap_or_default();
    let remembered = match details.conflicts.iter().filter(|file| file.remembered).count() {
        0 => String::new(),
        n => format!("; {} as resolved before: look at them first", counted(n, "file")),
    };
    let hint = format!(
        "resolve the files in {}, then continue with --add{remembered}{kept}",
        resolution.shown
    );
    let files = counted(conflicts.len(), "file");
    Ok(Failure::new(
        Code::MergeConflict,
        format!("{} does not merge: conflicts in {files}", stopped.worker),
    )
    .hint(hint)
    .next(Next::Continue { workflow: &workflow.plan.workflow, add: true, retest: false })
    .details(details))
}

/// Returns the merge that is stopped.
pub(super) fn stopped(workflow: &Workflow) -> Result<&Stopped> {
    let nothing = || {
        Failure::new(Code::NothingStopped, "no integration is stopped")
            .hint("start one")
            .next(Next::run(&workflow.plan.workflow))
    };
    Ok(workflow.record.stopped.as_ref().ok_or_else(nothing)?)
}

/// Makes the worktree where there is room and starts the merge, unless that is done.
fn prepare(
    resolution: &Resolution,
    workflow: &Workflow,
    stopped: &Stopped,
    merge: &StoppedMerge,
) -> Result<()> {
    let repo = &workflow.repo;
    match resolution.progress(repo, stopped)? {
        Progress::Merging | Progress::Concluded => return Ok(()),
        Progress::Begun => {}
        Progress::Absent | Progress::Other => {
            repo.forget_missing_worktree(&resolution.path)?;
            let reason = format!("pw {} integration", workflow.plan.workflow);
            repo.add_detached(&resolution.path, &stopped.onto, &reason)?;
        }
    }
    start(resolution, repo, stopped, merge)
}

/// Starts the merge, and writes recorded resolutions into the files. These stay unmerged in the
/// index, so that no resolution is taken unseen.
fn start(
    resolution: &Resolution,
    repo: &Repo,
    stopped: &Stopped,
    merge: &StoppedMerge,
) -> Result<()> {
    repo.start_merge(&resolution.path, &stopped.tip)?;
    for (path, blob) in merge.by_mergiraf.iter().chain(&repo.united_blobs(&merge.outcome)?) {
        repo.settle(&resolution.path, path, blob)?;
    }
    for (path, content) in &merge.recalled {
        repo.write_checked_out(&resolution.path, path, content)?;
    }
    Ok(())
}

/// The merge that stopped, tried again.
pub(super) struct StoppedMerge {
    pub(super) outcome: MergeOutcome,
    /// The files that git merged line by line and could not finish.
    unmerged: BTreeMap<RepoPath, Unmerged>,
    /// Recorded resolutions of the same hunks (rerere).
    pub(super) recalled: BTreeMap<RepoPath, Vec<u8>>,
    /// What mergiraf could merge; no conflict any more.
    pub(super) by_mergiraf: Vec<mergiraf::Merged>,
    notes: Vec<String>,
}

impl StoppedMerge {
    pub(super) fn read(workflow: &Workflow, stopped: &Stopped) -> Result<Self> {
        let repo = &workflow.repo;
        let scratch = Scratch::new()?;
        let mut outcome = repo.merge(&stopped.onto, &stopped.tip, Some(&scratch))?;
        let mergiraf = Mergiraf::new(workflow);
        let tips = [&stopped.onto, &stopped.tip];
        let by_mergiraf = mergiraf.merge(&stopped.worker, &outcome, tips, Some(&scratch))?;
        outcome.conflicts.retain(|conflict| by_mergiraf.iter().all(|(p, _)| *p != conflict.path));
        let missing = matches!(mergiraf, Mergiraf::Missing);
        let notes = missing.then(|| mergiraf::MISSING.to_owned()).into_iter().collect();
        let by_line = |conflict: &&FileConflict| {
            matches!(conflict.kind, ConflictKind::Content | ConflictKind::AddAdd)
        };
        let paths = outcome.conflicts.iter().filter(by_line).take(MAX_FILES);
        let paths: Vec<RepoPath> = paths.map(|conflict| conflict.path.clone()).collect();
        let mut unmerged = BTreeMap::new();
        if !paths.is_empty() {
            let sizes = repo.marker_sizes(repo.place(), &paths)?;
            let blobs = repo.blobs_at(&outcome.marked, &paths, Some(&scratch))?;
            let ids: Vec<Oid> = paths.iter().filter_map(|path| blobs.get(path).cloned()).collect();
            let mut contents = repo.contents(&ids, Some(&scratch))?.into_iter();
            for (path, size) in paths.into_iter().zip(sizes).filter(|(p, _)| blobs.contains_key(p))
            {
                let side = outcome.stages.get(&path).and_then(|stages| stages.ours.clone());
                if let (Some(marked), Some(side)) = (contents.next(), side) {
                    unmerged.insert(path, Unmerged { marked, size, side: side.oid });
                }
            }
        }
        let recalled = recall(workflow, &unmerged)?;
        Ok(Self { outcome, unmerged, recalled, by_mergiraf, notes })
    }

    pub(super) fn by_others(&self) -> ByOthers {
        let mergiraf = self.by_mergiraf.iter().map(|(path, _)| path.clone()).collect();
        ByOthers { mergiraf, union: self.outcome.by_union() }
    }

    /// Returns the length of a file's conflict markers.
    fn size(&self, path: &RepoPath) -> usize {
        self.unmerged.get(path).map_or(conflict_markers::MARKER_SIZE, |file| file.size)
    }

    /// Returns whether git wrote markers into a file, so that a user or a session took them out when none is left.
    pub(super) fn had_markers(&self, path: &RepoPath) -> bool {
        let is_marked =
            |file: &Unmerged| conflict_markers::is_left_over(&file.marked, file.size, &[]);
        self.unmerged.get(path).is_some_and(is_marked)
    }

    /// Returns whether `content` is no resolution of a file: a marker of the merge is left in it.
    pub(super) fn is_marked(
        &self,
        workflow: &Workflow,
        path: &RepoPath,
        content: &[u8],
    ) -> Result<bool> {
        let size = self.size(path);
        if !conflict_markers::is_left_over(content, size, &[]) {
            return Ok(false);
        }
        let stages = self.outcome.stages.get(path).cloned().unwrap_or_default();
        let sides: Vec<Oid> =
            stages.ours.into_iter().chain(stages.theirs).map(|blob| blob.oid).collect();
        let sides = workflow.repo.contents(&sides, None)?;
        let sides: Vec<&[u8]> = sides.iter().map(Vec::as_slice).collect();
        Ok(conflict_markers::is_left_over(content, size, &sides))
    }

    /// Adds the worktree's resolutions to the rerere ref in a transaction, for the next conflict of
    /// the same hunks.
    pub(super) fn remember(
        &self,
        workflow: &Workflow,
        resolution: &Resolution,
        transaction: Transaction,
    ) -> Result<Transaction> {
        let Some(memory) = self.memorize(workflow, resolution)? else { return Ok(transaction) };
        let name = Refs(&workflow.plan.workflow).memory();
        Ok(transaction.set(&name, &memory, workflow.refs.get(&name)))
    }

    /// Writes the worktree's resolutions as a commit on top of the rerere ref; returns the commit,
    /// or `None` when no file is resolved.
    fn memorize(&self, workflow: &Workflow, resolution: &Resolution) -> Result<Option<Oid>> {
        let repo = &workflow.repo;
        let paths: Vec<RepoPath> = self.unmerged.keys().cloned().collect();
        let added = repo.index_blobs(&resolution.path, &paths)?;
        let ids: Vec<Oid> = added.values().cloned().collect();
        let (mut files, mut resolutions) = (Vec::new(), Vec::new());
        for (path, content) in added.keys().zip(repo.contents(&ids, None)?) {
            if let Some(file) = self.unmerged.get(path)
                && !self.is_marked(workflow, path, &content)?
            {
                files.push(file.clone());
                resolutions.push(content);
            }
        }
        if files.is_empty() {
            return Ok(None);
        }
        let memory = workflow.refs.get(&Refs(&workflow.plan.workflow).memory());
        repo.memorize(memory, &files, &resolutions).map(Some)
    }

    /// Explains the stop; `left` is what is still to be resolved.
    pub(super) fn details(
        &self,
        workflow: &Workflow,
        facts: &Facts,
        stopped: &Stopped,
        resolution: &Resolution,
        left: &[FileConflict],
    ) -> Result<Stop> {
        let Workflow { repo, plan, record, .. } = workflow;
        let board = workflow.board(facts);
        let tips = [&stopped.onto, &stopped.tip];
        let history = History::new(repo.history_with_changes(tips, &record.base)?);
        let start = workflow.integration().unwrap_or(&record.base);
        let merged = merges_since(&history, &stopped.onto, start);
        let sides = Sides::new(plan, &board.work, &history, stopped);
        let labels = [stopped.onto.as_str(), stopped.tip.as_str()];
        let file = |FileConflict { path, kind, .. }: &FileConflict| {
            let hunks = self.unmerged.get(path);
            let hunks = hunks.map(|file| conflict_markers::hunks(&file.marked, file.size, labels));
            let (hunks, hunk_count) = hunks.unwrap_or_default();
            Ok(StoppedFile {
                path: path.clone(),
                kind: *kind,
                stages: self.outcome.stages.get(path).cloned().unwrap_or_default(),
                changed_by: sides.changed_by(path),
                hunks,
                hunk_count,
                remembered: self.is_remembered(workflow, resolution, path)?,
            })
        };
        let conflicts: Vec<StoppedFile> = left.iter().map(file).collect::<Result<_>>()?;
        let others = self.by_others();
        Ok(Stop {
            worker: stopped.worker.clone(),
            worktree: resolution.shown.clone(),
            intents: stop::intents(plan, &board.states, &conflicts),
            conflicts,
            merged: merged.into_iter().map(|merged| merged.worker).collect(),
            by_mergiraf: others.mergiraf,
            by_union: others.union,
            notes: self.notes.clone(),
            workers: Vec::new(),
        })
    }

    fn is_remembered(
        &self,
        workflow: &Workflow,
        resolution: &Resolution,
        path: &RepoPath,
    ) -> Result<bool> {
        let Some(content) = self.recalled.get(path) else { return Ok(false) };
        let content = workflow.repo.checked_out(&resolution.path, path, content)?;
        Ok(std::fs::read(resolution.path.join(path.to_path())).is_ok_and(|now| now == content))
    }
}

fn recall(
    workflow: &Workflow,
    unmerged: &BTreeMap<RepoPath, Unmerged>,
) -> Result<BTreeMap<RepoPath, Vec<u8>>> {
    let memory = workflow.refs.get(&Refs(&workflow.plan.workflow).memory());
    let Some(memory) = memory.filter(|_| !unmerged.is_empty()) else { return Ok(BTreeMap::new()) };
    let files: Vec<Unmerged> = unmerged.values().cloned().collect();
    let known = workflow.repo.recall(memory, &files)?;
    let known = unmerged.keys().zip(known);
    Ok(known.filter_map(|(path, content)| Some((path.clone(), content?))).collect())
}
