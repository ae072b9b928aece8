//! `pw-worker`: a worker's hands. Commits only its own files, on its own branch, with a marker
//! that counts.

mod guard;
mod surroundings;
mod sync;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand};
use pw_core::facts::{Commit, Stretch, TreeState, WorktreeFacts};
use pw_core::failure::{Code, Failure};
use pw_core::id::WorkerId;
use pw_core::path::RepoPath;
use pw_core::plan::Worker;
use pw_core::prompt::{self, SessionOf};
use pw_core::report::{NextStep, counted};
use pw_core::signal::{self, Signal, Subject};
use pw_core::worker::{self as rules, Committed, Pushed};

use crate::command;
use crate::launch;
use crate::schema;
use crate::shell::{Answer, Cli, Context as Shell, Globals};
use crate::view;
use crate::workflow::{Look, Workflow};

/// A worker's commands; run them in the worker's worktree.
#[derive(Debug, Parser)]
#[command(name = "pw-worker", version, max_term_width = 100)]
pub struct WorkerCli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// My assignment, my scope, and what changed around me
    Brief,
    /// Commits a finished step
    Checkpoint {
        /// What was done, one line
        text: String,
        #[command(flatten)]
        more: More,
    },
    /// Commits what there is and says that I cannot go on
    Blocked {
        /// Why, in a few words
        reason: String,
        /// What I tried, and what would help
        text: Option<String>,
        #[command(flatten)]
        more: More,
    },
    /// Commits what there is and says what I need from another worker
    Needs {
        /// The worker that provides it
        worker: WorkerId,
        /// What I need
        item: String,
        /// What for
        text: Option<String>,
        #[command(flatten)]
        more: More,
    },
    /// Says that all my work is done and committed
    Complete {
        /// What was done, one line
        text: Option<String>,
        /// A line for the body of the commit message; may be repeated
        #[arg(long, value_name = "LINE")]
        detail: Vec<String>,
    },
    /// Takes in the complete work of another worker, or says why not; a conflict changes nothing
    Sync {
        /// The worker to take in; else the one that the newest [NEEDS:…] names
        worker: Option<WorkerId>,
    },
    /// Hook entry points; they speak the protocol of the hook, not JSON documents
    #[command(hide = true)]
    Guard {
        event: guard::Event,
        /// What git hands to the hook
        arguments: Vec<PathBuf>,
    },
    /// The JSON Schema of every answer
    Schema,
}

#[derive(Debug, Args)]
struct More {
    /// A line for the body of the commit message; may be repeated
    #[arg(long, value_name = "LINE")]
    detail: Vec<String>,
    /// Commit only these files, relative to the worktree; else everything changed that I own
    #[arg(long = "path", value_name = "PATH")]
    paths: Vec<String>,
}

impl Cli for WorkerCli {
    fn globals(&self) -> &Globals {
        &self.globals
    }

    fn run(&self, shell: &Shell) -> Result<Answer> {
        match &self.command {
            Command::Schema => return schema::answer::<Self>(),
            Command::Guard { event, arguments } => return guard::run(shell, *event, arguments),
            _ => {}
        }
        let (workflow, id) = Workflow::open_here(shell)?;
        let worker = workflow.worker(&id)?;
        let line = |text: &Option<String>| text.as_deref().map(one_line).unwrap_or_default();
        let desk = Desk { workflow: &workflow, worker, shell };
        if !matches!(self.command, Command::Brief) {
            session_of().require(&workflow.plan, worker)?;
        }
        match &self.command {
            Command::Brief | Command::Guard { .. } | Command::Schema => desk.brief(),
            Command::Checkpoint { text, more } => {
                desk.commit(&Signal::Checkpoint, &one_line(text), more)
            }
            Command::Blocked { reason, text, more } => {
                let signal = Signal::Blocked { reason: argument("reason", reason)? };
                desk.commit(&signal, &line(text), more)
            }
            Command::Needs { worker: provider, item, text, more } => {
                desk.require_other(provider)?;
                let signal =
                    Signal::Needs { worker: provider.clone(), item: argument("item", item)? };
                desk.commit(&signal, &line(text), more)
            }
            Command::Complete { text, detail } => desk.complete(&line(text), detail),
            Command::Sync { worker } => sync::sync(&desk, worker.as_ref()),
        }
    }
}

/// Returns the worker whose session runs this helper, as its launcher and its settings say.
fn session_of() -> SessionOf {
    SessionOf::read(|name| std::env::var(name).ok())
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Refuses what cannot stand inside a marker.
fn argument(name: &str, text: &str) -> Result<String> {
    let text = one_line(text);
    if signal::is_item(&text) {
        return Ok(text);
    }
    Err(Failure::new(Code::Usage, format!("the {name} {text:?} cannot stand in a marker"))
        .hint("use 1 to 200 characters without ]")
        .next("pw-worker --help")
        .into())
}

/// One worker at its place.
struct Desk<'a> {
    workflow: &'a Workflow,
    worker: &'a Worker,
    shell: &'a Shell,
}

impl Desk<'_> {
    fn brief(&self) -> Result<Answer> {
        let Workflow { plan, record, .. } = self.workflow;
        let facts = self.workflow.facts(self.shell.now, Look::At(&self.worker.id))?;
        let states = self.workflow.states(&facts);
        let brief =
            rules::brief(plan, record, self.worker, &states).context("the worker has no state")?;
        Answer::of(&brief, view::brief)
    }

    fn require_other(&self, provider: &WorkerId) -> Result<()> {
        if *provider == self.worker.id {
            let message = format!("{provider} is this worker itself");
            return Err(Failure::new(Code::Usage, message)
                .hint("name the worker that provides the item")
                .into());
        }
        self.workflow.worker(provider).map(drop)
    }

    fn tree(&self) -> Result<TreeState> {
        let path = self.workflow.worktree(self.worker);
        match self.workflow.repo.tree_state(&path)? {
            WorktreeFacts::Present(tree) => Ok(tree),
            _ => Err(Failure::new(
                Code::NotAWorker,
                format!("{} is no worktree any more", path.display()),
            )
            .hint("ask the user to run pw-setup create with the plan again")
            .next("pw-setup list")
            .into()),
        }
    }

    fn commit(&self, signal: &Signal, text: &str, more: &More) -> Result<Answer> {
        let (repo, plan) = (&self.workflow.repo, &self.workflow.plan);
        let subject = subject(signal, text)?;
        let path = self.workflow.worktree(self.worker);
        let tree = self.tree()?;
        rules::require_own_branch(self.worker, &tree)?;
        let differing = self.differing(&path, &tree)?;
        self.require_staged_in_scope(&path, &tree, &differing)?;
        let named: Vec<RepoPath> =
            more.paths.iter().map(|name| self.named(&path, name)).collect::<Result<_>>()?;
        let mut selection = rules::select(plan, self.worker, &tree, &named, &differing)?;
        let merging = tree.operation.is_some();
        if merging {
            // The other side's files are in the index, so the merge commit holds them.
            let unstaged = repo.unstaged(&path)?;
            selection.leave.retain(|path| unstaged.contains(path) || tree.untracked.contains(path));
        }
        if selection.take.is_empty() && *signal == Signal::Checkpoint && !merging {
            return Err(Failure::new(
                Code::NothingToCommit,
                "nothing you own has changed since the last commit",
            )
            .hint("go on working, or finish with pw-worker complete")
            .next("pw-worker brief")
            .details(serde_json::json!({ "left": selection.leave }))
            .into());
        }
        if !selection.take.is_empty() {
            repo.stage(&path, &selection.take)?;
        }
        let only = if named.is_empty() || merging { Vec::new() } else { selection.take };
        self.announce(&path, signal, subject, &more.detail, &only, selection.leave)
    }

    /// Returns a file named on the command line as the repository knows it.
    fn named(&self, worktree: &Path, name: &str) -> Result<RepoPath> {
        let full = surroundings::real_path(&self.shell.directory.join(name)).unwrap_or_default();
        let inside = full.strip_prefix(worktree.canonicalize()?).map_err(|_| {
            Failure::new(Code::Usage, format!("{name} is not in your worktree"))
                .hint("name files of your own worktree")
        })?;
        Ok(RepoPath::new(inside.as_os_str().as_encoded_bytes()))
    }

    /// Returns the files that are not as they were at the fork; asked only when it matters.
    fn differing(&self, path: &Path, tree: &TreeState) -> Result<Vec<RepoPath>> {
        let Workflow { repo, plan, record, .. } = self.workflow;
        let foreign = tree.changed.iter().any(|path| !plan.allows(self.worker, path));
        match record.placements.get(&self.worker.id).filter(|_| foreign) {
            Some(placement) => repo.differing(path, &placement.fork),
            None => Ok(Vec::new()),
        }
    }

    /// What is in the index already would be committed, too. A merge puts others' files there.
    fn require_staged_in_scope(
        &self,
        path: &Path,
        tree: &TreeState,
        differing: &[RepoPath],
    ) -> Result<()> {
        let (repo, plan) = (&self.workflow.repo, &self.workflow.plan);
        if tree.operation.is_some() || tree.changed.is_empty() {
            return Ok(());
        }
        let staged = repo.staged(path, "HEAD", None)?;
        let foreign =
            |path: &&RepoPath| !plan.allows(self.worker, path) && differing.contains(path);
        let outside: Vec<&RepoPath> = staged.iter().filter(foreign).collect();
        match outside.first() {
            Some(first) => Err(rules::out_of_scope(plan, first, &outside).into()),
            None => Ok(()),
        }
    }

    fn complete(&self, text: &str, detail: &[String]) -> Result<Answer> {
        let subject = subject(&Signal::Complete, text)?;
        let path = self.workflow.worktree(self.worker);
        let tree = self.tree()?;
        rules::require_own_branch(self.worker, &tree)?;
        if tree.operation.is_some() {
            return Err(Failure::new(Code::DirtyTree, "a merge is not committed")
                .hint("conclude it first")
                .next("pw-worker checkpoint \"what was taken in\"")
                .into());
        }
        let open = tree.uncommitted();
        if let Some(first) = open.first() {
            let owned = open.iter().any(|path| self.workflow.plan.allows(self.worker, path));
            let failure = Failure::new(
                Code::DirtyTree,
                format!("{} not committed, `{first}` first", counted(open.len(), "file")),
            );
            let failure = if owned {
                failure.hint("commit them first").next("pw-worker checkpoint \"what was done\"")
            } else {
                failure
                    .hint("they are not yours: remove them or undo the change")
                    .next("git status")
            };
            return Err(failure.details(serde_json::json!({ "paths": open })).into());
        }
        self.require_scope_kept()?;
        self.verify(&path)?;
        // Said already, and nothing happened since: saying it again would only reopen it later.
        let head = self.workflow.repo.read_head(&path)?;
        if matches!(signal::read(&head.message), Subject::Signal { signal: Signal::Complete, .. }) {
            return self.committed(&path, head, &Signal::Complete, Vec::new());
        }
        self.announce(&path, &Signal::Complete, subject, detail, &[], Vec::new())
    }

    /// Runs the plan's gates, when the plan wants that before a worker is complete.
    fn verify(&self, path: &Path) -> Result<()> {
        let Workflow { repo, plan, record, .. } = self.workflow;
        let port = record.placements.get(&self.worker.id).and_then(|placement| placement.port);
        let environment = prompt::environment(plan, self.worker, port);
        for gate in plan.verify.iter().filter(|_| plan.verify_on_complete) {
            let folder = launch::folder(repo, plan, self.worker);
            let log = folder.join(format!("gate-{}.log", gate.name));
            let follow = &mut |line: &str| self.shell.progress(line);
            let run = command::run_gate(gate, path, &log, environment.clone(), None, follow);
            let (end, _) = run?;
            if !end.passed() {
                let message = format!("`{}` {}", gate.command, end.words());
                return Err(Failure::new(Code::VerifyFailed, message)
                    .hint("correct what the output shows, commit, then complete again")
                    .details(serde_json::json!({
                        "worker": self.worker.id,
                        "gate": gate.name,
                        "command": gate.command,
                        "exit_code": end.code(),
                        "log": log.to_string_lossy(),
                        "output_tail": command::tail(&log),
                    }))
                    .into());
            }
        }
        Ok(())
    }

    /// Pushes the branch, when the plan names a remote. A remote that is away keeps nobody from
    /// working, so that is told, not refused.
    fn push(&self, path: &Path) -> Result<Option<Pushed>> {
        let Workflow { repo, plan, .. } = self.workflow;
        let Some(remote) = &plan.remote else { return Ok(None) };
        let (ok, message) = repo.push(path, remote, &self.worker.branch())?;
        Ok(Some(Pushed { remote: remote.clone(), ok, message }))
    }

    /// Refuses to call work complete that nobody could merge.
    fn require_scope_kept(&self) -> Result<()> {
        let Workflow { plan, .. } = self.workflow;
        let facts = self.workflow.facts(self.shell.now, Look::Past)?;
        let states = self.workflow.states(&facts);
        let status = states.iter().find(|status| status.id == self.worker.id);
        let outside: Vec<&RepoPath> =
            status.iter().flat_map(|status| &status.out_of_scope).collect();
        match outside.first() {
            Some(first) => Err(rules::out_of_scope(plan, first, &outside).into()),
            None => Ok(()),
        }
    }

    /// Commits the index with the marker, and looks whether the commit says so.
    fn announce(
        &self,
        path: &Path,
        signal: &Signal,
        subject: String,
        detail: &[String],
        only: &[RepoPath],
        left: Vec<RepoPath>,
    ) -> Result<Answer> {
        let repo = &self.workflow.repo;
        let body: String = detail.iter().map(|line| format!("- {}\n", one_line(line))).collect();
        let message =
            if body.is_empty() { format!("{subject}\n") } else { format!("{subject}\n\n{body}") };
        repo.commit(path, &message, only)?;
        let commit = repo.read_head(path)?;
        match signal::read(&commit.message) {
            Subject::Signal { signal: found, .. } if found == *signal => {}
            _ => {
                let made = commit.message.lines().next().unwrap_or_default();
                return Err(Failure::new(
                    Code::SignalLost,
                    format!("a hook changed the subject to {made:?}"),
                )
                .hint(
                    "make the repository's commit-msg hook leave subjects that begin with [ alone",
                )
                .next("git log -1")
                .details(serde_json::json!({ "commit": commit.oid, "wanted": subject }))
                .into());
            }
        }
        self.committed(path, commit, signal, left)
    }

    fn committed(
        &self,
        path: &Path,
        commit: Commit,
        signal: &Signal,
        left: Vec<RepoPath>,
    ) -> Result<Answer> {
        let changes = self.workflow.repo.changes(&[Stretch::of(&commit)])?;
        let committed = Committed {
            worker: self.worker.id.clone(),
            subject: commit.message.lines().next().unwrap_or_default().to_owned(),
            commit: commit.oid,
            paths: changes.into_iter().flatten().map(|change| change.path).collect(),
            left,
            pushed: self.push(path)?,
            next: next(signal),
        };
        Answer::of(&committed, view::committed)
    }
}

/// Returns the subject, or refuses a text that would make it something else.
fn subject(signal: &Signal, text: &str) -> Result<String> {
    let subject = format!("{} {text}", signal.marker()).trim_end().to_owned();
    match signal::read(&subject) {
        Subject::Signal { .. } => Ok(subject),
        _ => Err(Failure::new(Code::Usage, format!("{text:?} begins with a second marker"))
            .hint("write the text without a marker; the command adds it")
            .into()),
    }
}

fn next(signal: &Signal) -> Vec<NextStep> {
    let step = |action: &str, command: &str| NextStep {
        action: action.to_owned(),
        worker: None,
        command: command.to_owned(),
    };
    match signal {
        Signal::Checkpoint => vec![step("finish", "pw-worker complete \"what was done\"")],
        Signal::Blocked { .. } | Signal::Needs { .. } | Signal::Complete => Vec::new(),
    }
}
