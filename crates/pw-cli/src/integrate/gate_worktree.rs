//! Where gates run: one worktree of our own for each workflow, used again and again, so that what
//! a build leaves behind speeds up the next one.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use pw_core::details::Ended;
use pw_core::facts::WorktreeFacts;
use pw_core::failure::{Code, Failure};
use pw_core::gate::Gate;
use pw_core::id::Oid;
use pw_core::lock::LockFile;
use pw_core::path::RepoPath;

use crate::command;
use crate::output::Output;
use crate::setup::prepare;
use crate::shell::Context;
use crate::workflow::Workflow;

/// What git says of a worktree while it makes it.
const INITIALIZING: &str = "initializing";
/// How long, in steps of 20 milliseconds, a gate that was just killed may take to be gone.
const PATIENCE: u32 = 50;

pub(crate) struct GateWorktree {
    pub(crate) path: PathBuf,
    /// Held by us and by everything a gate starts: where a process of an earlier gate still runs,
    /// no other begins.
    pub(crate) lock: File,
    /// Whether we have made it or found it to be ours.
    made: bool,
}

impl GateWorktree {
    /// Returns our folder about it, which holds logs and whether it is prepared.
    pub(crate) fn folder(workflow: &Workflow) -> PathBuf {
        workflow.repo.common().join("pw").join(workflow.plan.workflow.as_str()).join("gate")
    }

    fn place(workflow: &Workflow) -> PathBuf {
        workflow.repo.common().join("pw/gate").join(workflow.plan.workflow.as_str())
    }

    /// Reserves it; waits a moment for a gate that was just killed.
    pub(crate) fn open(workflow: &Workflow) -> Result<Self> {
        let lock = lock(&Self::folder(workflow))?;
        Ok(Self { path: Self::place(workflow), lock, made: false })
    }

    /// Puts it on exactly this commit, made and prepared like a worker's worktree when it is not
    /// there. Returns a tracked file that differs all the same, as filters can make it.
    pub(crate) fn show(
        &mut self,
        workflow: &Workflow,
        context: &Context,
        commit: &Oid,
    ) -> Result<Option<RepoPath>> {
        let usable = self.made || self.is_usable(workflow)?;
        let prepared = Self::folder(workflow).join("prepared");
        if !usable || !workflow.repo.reset_worktree(&self.path, commit)? {
            forget(&prepared)?;
            context.progress("making the gate's worktree");
            self.make(workflow, commit)?;
        }
        self.made = true;
        let setup = &workflow.plan.preparation();
        if std::fs::read_to_string(&prepared).ok().as_ref() != Some(setup) {
            let files = prepare::files_to_copy(&workflow.repo, &workflow.plan)?;
            prepare::copy(&workflow.repo, &self.path, &files)?;
            self.set_up(workflow, context)?;
            std::fs::write(&prepared, setup)
                .with_context(|| format!("writing {}", prepared.display()))?;
            workflow.repo.reset_worktree(&self.path, commit)?;
        }
        self.traces(workflow, commit)
    }

    /// Returns whether our worktree is there; refuses when anything else is.
    fn is_usable(&self, workflow: &Workflow) -> Result<bool> {
        let Ok(about) = self.path.symlink_metadata() else { return Ok(false) };
        let registered = workflow.repo.worktrees().iter().find(|w| w.path == self.path);
        let locked = registered.and_then(|worktree| worktree.locked.as_deref());
        let is_ours = match locked {
            Some(reason) => reason == reason_of(workflow) || reason == INITIALIZING,
            // The rest of a killed removal has no `.git` file.
            None => registered.is_none() && self.path.join(".git").symlink_metadata().is_err(),
        };
        if about.is_dir() && is_ours {
            return Ok(locked == Some(&reason_of(workflow)));
        }
        let message = format!("{} is not the worktree we made for gates", self.path.display());
        Err(Failure::new(Code::InTheWay, message)
            .hint("see what it is, move it away, then run the same command again")
            .into())
    }

    fn make(&self, workflow: &Workflow, commit: &Oid) -> Result<()> {
        let repo = &workflow.repo;
        match self.path.symlink_metadata().is_ok() {
            true => repo.roll_back_worktree(&self.path, None)?,
            false => repo.forget_missing_worktree(&self.path)?,
        }
        let home = self.path.parent().context("a worktree has a folder")?;
        std::fs::create_dir_all(home).with_context(|| format!("making {}", home.display()))?;
        repo.add_detached(&self.path, commit, &reason_of(workflow))
    }

    fn set_up(&self, workflow: &Workflow, context: &Context) -> Result<()> {
        let Some(gate) = workflow.plan.setup.clone().and_then(Gate::only) else { return Ok(()) };
        let log = Self::folder(workflow).join("setup.log");
        let environment = [("PW_WORKFLOW", workflow.plan.workflow.to_string())];
        let environment = environment.into_iter().chain(prepare::checkout(&workflow.repo));
        let follow = &mut |line: &str| context.progress(&format!("  | {line}"));
        let run = command::run_gate(&gate, &self.path, &log, environment, Some(&self.lock), follow);
        let (end, _) = run?;
        if end.passed() {
            return Ok(());
        }
        let message = format!("the setup command {} in the gate's worktree", end.words());
        Err(Failure::new(Code::SetupFailed, message)
            .hint("correct `setup` in the plan or what it needs, then run the same command again")
            .details(Ended {
                command: Some(gate.command),
                exit_code: end.code(),
                log: Some(log.to_string_lossy().into_owned()),
                output_tail: Output::of(&log).tail,
                ..Ended::default()
            })
            .into())
    }

    /// Returns what a gate left changed: `HEAD`, or a file that is not ignored.
    pub(crate) fn traces(&self, workflow: &Workflow, commit: &Oid) -> Result<Option<RepoPath>> {
        let changed = match workflow.repo.tree_state(&self.path)? {
            WorktreeFacts::Present(tree) => tree.uncommitted().into_iter().next(),
            _ => Some(RepoPath::from(".git")),
        };
        if changed.is_none() && workflow.repo.read_head(&self.path)?.oid != *commit {
            return Ok(Some(RepoPath::from("HEAD")));
        }
        Ok(changed)
    }

    /// Removes it, when it is ours; no worker works in it.
    pub(crate) fn remove(workflow: &Workflow) -> Result<()> {
        let path = Self::place(workflow);
        if path.symlink_metadata().is_err() {
            return workflow.repo.forget_missing_worktree(&path);
        }
        let worktree = Self::open(workflow)?;
        worktree.is_usable(workflow)?;
        forget(&Self::folder(workflow).join("prepared"))?;
        workflow.repo.roll_back_worktree(&worktree.path, None)
    }
}

fn reason_of(workflow: &Workflow) -> String {
    format!("pw {} gate", workflow.plan.workflow)
}

fn forget(prepared: &Path) -> Result<()> {
    match std::fs::remove_file(prepared) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", prepared.display()))
        }
        _ => Ok(()),
    }
}

/// Takes the lock that every process of a gate keeps, or refuses while one of an earlier gate runs.
fn lock(folder: &Path) -> Result<File> {
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let path = folder.join("lock");
    let open = || File::options().read(true).append(true).create(true).open(&path);
    let file = open().with_context(|| format!("opening {}", path.display()))?;
    for _ in 0..PATIENCE {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(20)),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("locking {}", path.display()));
            }
        }
    }
    Err(Failure::new(Code::Locked, "a process that an earlier gate started is still running")
        .hint("wait until it has ended, or end it, then run the same command again")
        .details(LockFile { lock: path.to_string_lossy().into_owned() })
        .into())
}
