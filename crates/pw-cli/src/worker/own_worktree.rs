//! The worktree of the worker that a verb of `pw-worker` runs for: what it holds, what keeps it to
//! its scope, and what to report of a commit in it.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use anyhow::Result;
use pw_core::checkpoint::{self, OwnBranch};
use pw_core::details::HookSaid;
use pw_core::details::LostSignal;
use pw_core::facts::{TreeState, WorktreeFacts};
use pw_core::failure::{Code, Failure};
use pw_core::gap::Gap;
use pw_core::guard;
use pw_core::history::{Commit, CommitRange};
use pw_core::id::WorkerId;
use pw_core::ignored_own_files::{self, Unseen};
use pw_core::next::{CommandLine, Next, NextStep};
use pw_core::path::RepoPath;
use pw_core::plan::{Plan, Worker};
use pw_core::remote::Pushed;
use pw_core::signal::{self, Carrier, Signal, Subject};
use pw_core::status::WorkerStatus;
use pw_core::text::counted;
use pw_core::worker::Committed;

use super::surroundings;
use crate::facts::Worktrees;
use crate::remote;
use crate::repair;
use crate::shell::{Answer, Context as Shell};
use crate::view;
use crate::workflow::Workflow;

/// Hooks and launcher files that were not as they were made: repaired, or still not.
#[derive(Default)]
pub(super) struct Repairs {
    pub(super) repaired: Vec<Gap>,
    pub(super) gaps: Vec<Gap>,
}

/// One worker in its worktree.
pub(super) struct OwnWorktree<'a> {
    pub(super) workflow: &'a Workflow,
    pub(super) worker: &'a Worker,
    pub(super) shell: &'a Shell,
    pub(super) repairs: OnceCell<Repairs>,
}

/// What another worker finished, as seen from a worker's branch.
pub(super) enum Finished {
    /// The branch has all of it.
    TakenIn,
    /// It can be taken in.
    ToTakeIn,
}

impl OwnWorktree<'_> {
    pub(super) fn require_other(&self, provider: &WorkerId) -> Result<()> {
        if *provider == self.worker.id {
            let message = format!("{provider} is this worker itself");
            return Err(Failure::new(Code::Usage, message)
                .hint("name the worker that provides the item")
                .into());
        }
        self.workflow.worker(provider).map(drop)
    }

    /// Returns files named on the command line as the repository knows them: by the name that git
    /// reports, though that may be a link or below one, else by where they really lie.
    pub(super) fn named(
        &self,
        worktree: &Path,
        tree: &TreeState,
        names: &[PathBuf],
    ) -> Result<Vec<RepoPath>> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let worktree = worktree.canonicalize()?;
        let folder = self.shell.directory.canonicalize()?;
        let inside = |path: &Path| -> Option<RepoPath> {
            let inside = path.strip_prefix(&worktree).ok()?;
            Some(RepoPath::new(inside.as_os_str().as_encoded_bytes()))
        };
        let changed = tree.uncommitted();
        let is_changed =
            |name: &RepoPath| changed.iter().any(|path| name == path || name.contains(path));
        let named = |name: &PathBuf| {
            let full = folder.join(name);
            let literal = inside(&plain(&full)).filter(is_changed);
            literal.or_else(|| inside(&surroundings::real_path(&full)?)).ok_or_else(|| {
                Failure::new(Code::Usage, format!("{} is not in your worktree", name.display()))
                    .hint("name files of your own worktree")
                    .into()
            })
        };
        names.iter().map(named).collect()
    }

    /// Returns where the worker stands, its worktree not looked into.
    pub(super) fn status(&self) -> Result<Option<WorkerStatus>> {
        let facts = self.workflow.facts(self.shell.now, Worktrees::None)?;
        let states = self.workflow.board(&facts).states;
        Ok(states.into_iter().find(|status| status.id == self.worker.id))
    }

    /// Returns what another worker finished, as seen from here; `None` while it is at work.
    pub(super) fn finished_by(&self, other: &WorkerId) -> Result<Option<Finished>> {
        let facts = self.workflow.facts(self.shell.now, Worktrees::None)?;
        let states = self.workflow.board(&facts).states;
        let done = states.iter().find(|status| status.id == *other && status.state.is_done());
        let Some(done) = done else { return Ok(None) };
        let repo = &self.workflow.repo;
        let head = repo.read_head(&self.workflow.worktree(self.worker))?.oid;
        let is_here = done.tip.as_ref().map_or(Ok(false), |tip| repo.is_ancestor(tip, &head))?;
        Ok(Some(if is_here { Finished::TakenIn } else { Finished::ToTakeIn }))
    }

    /// Returns a note on a file that only grows by the plan, of which the newest commit takes lines out that
    /// the worker began with.
    pub(super) fn shrunk(&self, path: &Path, taken: &BTreeSet<RepoPath>) -> Result<Option<String>> {
        let Workflow { repo, plan, record, .. } = self.workflow;
        if !taken.iter().any(|path| plan.union.owns(path)) {
            return Ok(None);
        }
        let head = repo.read_head(path)?;
        let placement = record.placements.get(&self.worker.id);
        let (Some(before), Some(placement)) = (head.parents.first(), placement) else {
            return Ok(None);
        };
        // Lines of its own a worker may take out again.
        let now = repo.stat(before, &head.oid)?;
        if checkpoint::shrunk(plan, &now).is_none() {
            return Ok(None);
        }
        Ok(checkpoint::shrunk(plan, &repo.stat(&placement.fork, &head.oid)?))
    }

    /// Returns the worker's own files that git was told to overlook and that have changed.
    pub(super) fn overlooked(&self) -> Result<Vec<RepoPath>> {
        let Workflow { repo, plan, .. } = self.workflow;
        let mut found = repo.overlooked(&self.workflow.worktree(self.worker))?;
        found.retain(|path| plan.allows(self.worker, path));
        Ok(found)
    }

    /// Returns ignored files that could be the worker's work, with notes about them and about
    /// folders that git could not read.
    pub(super) fn unseen(&self) -> Result<(Vec<RepoPath>, Vec<String>)> {
        let Workflow { repo, plan, .. } = self.workflow;
        let path = self.workflow.worktree(self.worker);
        let Unseen { ignored, unopened } = repo.unseen(&path)?;
        let mut own = ignored_own_files::own(plan, self.worker, &ignored);
        own.retain(|found| {
            let file = path.join(found.to_path());
            file.symlink_metadata().is_ok() && !file.join("CACHEDIR.TAG").is_file()
        });
        let notes =
            [ignored_own_files::note(&own), ignored_own_files::unopened(self.worker, &unopened)];
        Ok((own, notes.into_iter().flatten().collect()))
    }

    /// Takes files that a hook added to the newest commit, and that are neither this worker's nor
    /// `taken`, out of it again; returns notes about them. `open` is what was not committed before.
    pub(super) fn take_out_foreign(
        &self,
        path: &Path,
        taken: &BTreeSet<RepoPath>,
        open: &BTreeSet<RepoPath>,
        may_be_empty: bool,
    ) -> Result<Option<String>> {
        let Workflow { repo, plan, .. } = self.workflow;
        let commit = repo.read_head(path)?;
        // A merge brings other workers' changes.
        if commit.parents.len() != 1 {
            return Ok(None);
        }
        let changes = repo.changes(&[CommitRange::one(&commit)])?.into_iter().flatten();
        let paths: Vec<RepoPath> = changes.map(|change| change.path).collect();
        if paths.is_empty() && !may_be_empty {
            repo.undo_commit(path, &self.worker.branch(), &commit)?;
            return Err(taken_back().into());
        }
        let is_foreign = |path: &RepoPath| !plan.allows(self.worker, path) && !taken.contains(path);
        let foreign: Vec<RepoPath> = paths.into_iter().filter(is_foreign).collect();
        let Some(first) = foreign.first() else { return Ok(None) };
        repo.take_out(path, &commit, &foreign, open)?;
        Ok(Some(format!(
            "the repository's hook pre-commit added {} outside your scope to the commit, `{first}` first: taken out of it again; git show {} has what it made; if that is to land, ask for it with pw-worker blocked",
            counted(foreign.len(), "file"),
            commit.oid.short()
        )))
    }

    pub(super) fn tree(&self) -> Result<TreeState> {
        let path = self.workflow.worktree(self.worker);
        match self.workflow.repo.tree_state(&path)? {
            WorktreeFacts::Present(tree) => Ok(tree),
            _ => Err(Failure::new(
                Code::NotAWorker,
                format!("{} is no worktree any more", path.display()),
            )
            .hint("ask the user to run pw-setup create with the plan again")
            .next(Next::List)
            .into()),
        }
    }

    /// Looks whether git would let it switch to its branch.
    pub(super) fn branch(&self) -> OwnBranch {
        let Workflow { repo, .. } = self.workflow;
        let path = self.workflow.worktree(self.worker);
        let other = repo.checkout_of(&self.worker.branch()).filter(|other| other.path != path);
        match (self.workflow.own_tip(self.worker), other) {
            (None, _) => OwnBranch::Gone(repo.last_head(&path)),
            (_, Some(other)) => OwnBranch::HeldBy(other.path.display().to_string()),
            (_, None) => OwnBranch::Free,
        }
    }

    /// Returns the files that are not as they were at the fork; asked only when a file outside the
    /// scope has changed.
    pub(super) fn differing(&self, path: &Path, tree: &TreeState) -> Result<Vec<RepoPath>> {
        let Workflow { repo, plan, record, .. } = self.workflow;
        let foreign = tree.changed.iter().any(|path| !plan.allows(self.worker, path));
        match record.placements.get(&self.worker.id).filter(|_| foreign) {
            Some(placement) => repo.differing(path, &placement.fork),
            None => Ok(Vec::new()),
        }
    }

    /// Pushes the branch, when the plan names a remote; returns a note, too, when that failed. A
    /// remote that cannot be reached keeps no worker from working: it is told, not refused, and the
    /// next signal pushes all there is.
    pub(super) fn push(&self, path: &Path) -> Result<(Option<Pushed>, Option<String>)> {
        let Workflow { repo, plan, .. } = self.workflow;
        let Some(remote) = remote::of(plan) else { return Ok((None, None)) };
        let branch = self.worker.branch();
        let pushed = repo.push_branch(path, &remote, &branch)?;
        let note = pushed.note(&branch);
        Ok((Some(pushed), note))
    }

    /// Returns the message, or refuses a text that would make it something else.
    pub(super) fn message(&self, signal: &Signal, text: &str, detail: &[String]) -> Result<String> {
        let Worker { id, name, .. } = self.worker;
        let details: Vec<String> = detail.iter().map(|line| one_line(line)).collect();
        let message = self.workflow.plan.carrier.message(signal, text, [id, name], &details);
        if gives(&message, signal) {
            return Ok(message);
        }
        Err(Failure::new(Code::Usage, format!("{text:?} would be read as another signal"))
            .hint("write the text without a marker; the command adds it")
            .into())
    }

    /// Verifies that the newest commit gives the signal, and reports it.
    pub(super) fn announce(
        &self,
        path: &Path,
        signal: &Signal,
        message: &str,
        left: Vec<RepoPath>,
        notes: Vec<String>,
        again: Vec<NextStep>,
    ) -> Result<Answer> {
        let commit = self.workflow.repo.read_head(path)?;
        if is_signal(&commit, signal) {
            return self.committed(path, commit, signal, left, notes, again);
        }
        let made = commit.message.lines().next().unwrap_or_default();
        let wanted = message.lines().next().unwrap_or_default();
        Err(Failure::new(Code::SignalLost, format!("a hook changed the message to {made:?}"))
            .hint(self.other_carrier())
            .next(CommandLine::of("git log -1"))
            .details(LostSignal { commit: commit.oid, wanted: wanted.to_owned() })
            .into())
    }

    /// Returns what a user may do whose hooks do not leave signals as they are.
    pub(super) fn other_carrier(&self) -> &'static str {
        match self.workflow.plan.carrier {
            Carrier::Subject => {
                "the user may put `signal: trailer` into the plan and run pw-setup create with it: subjects are free then"
            }
            Carrier::Trailer { .. } => {
                "the user may make the repository's message hooks leave trailers alone, or change `signal_subject` in the plan"
            }
        }
    }

    /// Says of a commit that a message hook refused what else helps than another text: the message
    /// was ours.
    pub(super) fn explained(&self, error: anyhow::Error) -> anyhow::Error {
        let refused = error.downcast_ref::<Failure>().filter(|f| f.code == Code::HookRefused);
        let Some(mut failure) = refused.cloned() else { return error };
        let Some(HookSaid { hook, output, .. }) = failure.told() else { return error };
        if !["commit-msg", "prepare-commit-msg"].contains(&hook.as_str()) {
            return error;
        }
        if output.contains(guard::NEAR_MISS) {
            // Our own hook has the last look at what another one made of it.
            let line = output.lines().next().unwrap_or_default();
            failure.message = format!("a hook of the repository changed the message: {line}");
            failure.hint = self.other_carrier().to_owned();
        } else {
            failure.hint =
                format!("{}; if it refuses the marker, {}", failure.hint, self.other_carrier());
        }
        failure.into()
    }

    /// Makes hooks and launcher whole, once, before a commit that the hooks should see. What cannot
    /// be repaired keeps no worker from its work: the helper itself checks the scope, and says what
    /// is missing.
    pub(super) fn repair(&self) -> &Repairs {
        self.repairs.get_or_init(|| {
            let Workflow { repo, plan, record, .. } = self.workflow;
            let look = || {
                let gaps = repair::gaps(self.workflow, &[self.worker]).unwrap_or_default();
                gaps.into_iter().flatten().collect::<Vec<Gap>>()
            };
            let mut repaired = look();
            if repaired.is_empty() {
                return Repairs::default();
            }
            let port = record.placements.get(&self.worker.id).and_then(|placement| placement.port);
            let _ = repair::write(repo, plan, &[(self.worker, port)]);
            let gaps = look();
            repaired.retain(|gap| !gaps.contains(gap));
            Repairs { repaired, gaps }
        })
    }

    pub(super) fn committed(
        &self,
        path: &Path,
        commit: Commit,
        signal: &Signal,
        left: Vec<RepoPath>,
        mut notes: Vec<String>,
        again: Vec<NextStep>,
    ) -> Result<Answer> {
        let repairs = self.repair();
        let (pushed, note) = self.push(path)?;
        notes.extend(note);
        let changes = self.workflow.repo.changes(&[CommitRange::one(&commit)])?;
        let committed = Committed {
            worker: self.worker.id.clone(),
            subject: commit.message.lines().next().unwrap_or_default().to_owned(),
            commit: commit.oid,
            paths: changes.into_iter().flatten().map(|change| change.path).collect(),
            left,
            unlisted: None,
            notes,
            pushed,
            next: again.into_iter().chain(next(&self.workflow.plan, signal, repairs)).collect(),
            repaired: repairs.repaired.clone(),
            gaps: repairs.gaps.clone(),
        };
        Answer::of(&committed, view::committed)
    }
}

fn taken_back() -> Failure {
    let message =
        "the repository's hook pre-commit took the change back: nothing is left to commit";
    Failure::new(Code::NothingToCommit, message)
        .hint("look with git status at what it made of your files, then go on")
        .next(Next::Brief)
}

pub(super) fn is_signal(commit: &Commit, signal: &Signal) -> bool {
    gives(&commit.message, signal)
}

fn gives(message: &str, signal: &Signal) -> bool {
    matches!(signal::read(message), Subject::Signal { signal: found, .. } if found == *signal)
}

fn next(plan: &Plan, signal: &Signal, repairs: &Repairs) -> Vec<NextStep> {
    let repair = Next::Repair(Some(&plan.workflow));
    let repair = (!repairs.gaps.is_empty()).then(|| NextStep::new("repair", repair));
    let finish = match signal {
        Signal::Checkpoint => Some(NextStep::new("finish", Next::Complete)),
        Signal::Blocked { .. } | Signal::Needs { .. } | Signal::Complete => None,
    };
    repair.into_iter().chain(finish).collect()
}

/// Returns a text on one line.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Resolves `.` and `..` by the names alone.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}
