//! `pw-worker`: a worker's hands. Commits only its own files, on its own branch, with a marker
//! that counts.

mod commit;
mod complete;
mod guard;
mod hook;
mod surroundings;
mod sync;

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand};
use pw_core::facts::{TreeState, WorktreeFacts};
use pw_core::failure::{Code, Failure};
use pw_core::gap::{self, Gap};
use pw_core::history::{Commit, Stretch};
use pw_core::id::WorkerId;
use pw_core::path::RepoPath;
use pw_core::plan::{Plan, Worker};
use pw_core::prompt::SessionOf;
use pw_core::report::NextStep;
use pw_core::signal::{self, Signal, Subject};
use pw_core::worker::{self as rules, Committed, Pushed};

use crate::facts::Look;
use crate::repair;
use crate::schema;
use crate::session;
use crate::shell::{Answer, Cli, Context as Shell, Globals};
use crate::view;
use crate::workflow::Workflow;

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
    /// Notes that this process becomes a worker's session; refuses while one lives. For launchers
    #[command(hide = true)]
    Begin {
        /// The worker
        worker: WorkerId,
        /// The process
        pid: u32,
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
    paths: Vec<PathBuf>,
}

impl Cli for WorkerCli {
    fn globals(&self) -> &Globals {
        &self.globals
    }

    fn run(&self, shell: &Shell) -> Result<Answer> {
        match &self.command {
            Command::Schema => return schema::answer::<Self>(),
            Command::Guard { event, arguments } => return guard::run(shell, *event, arguments),
            Command::Begin { worker, pid } => return Ok(session::begin(shell, worker, *pid)),
            _ => {}
        }
        let (workflow, id) = Workflow::open_here(shell)?;
        let worker = workflow.worker(&id)?;
        let line = |text: &Option<String>| text.as_deref().map(one_line).unwrap_or_default();
        let desk = Desk { workflow: &workflow, worker, shell, mended: OnceCell::new() };
        if !matches!(self.command, Command::Brief) {
            session_of().require(&workflow.plan.workflow, &worker.id)?;
        }
        match &self.command {
            Command::Brief | Command::Guard { .. } | Command::Begin { .. } | Command::Schema => {
                desk.brief()
            }
            Command::Checkpoint { text, more } => {
                commit::commit(&desk, &Signal::Checkpoint, &one_line(text), more)
            }
            Command::Blocked { reason, text, more } => {
                let signal = Signal::Blocked { reason: argument("reason", reason)? };
                commit::commit(&desk, &signal, &line(text), more)
            }
            Command::Needs { worker: provider, item, text, more } => {
                desk.require_other(provider)?;
                let signal =
                    Signal::Needs { worker: provider.clone(), item: argument("item", item)? };
                commit::commit(&desk, &signal, &line(text), more)
            }
            Command::Complete { text, detail } => complete::complete(&desk, &line(text), detail),
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

/// What was not as it was made, and is now, or still is not.
#[derive(Default)]
struct Mended {
    repaired: Vec<Gap>,
    gaps: Vec<Gap>,
}

/// One worker at its place.
struct Desk<'a> {
    workflow: &'a Workflow,
    worker: &'a Worker,
    shell: &'a Shell,
    mended: OnceCell<Mended>,
}

impl Desk<'_> {
    fn brief(&self) -> Result<Answer> {
        let Workflow { plan, record, .. } = self.workflow;
        let mut facts = self.workflow.facts(self.shell.now, Look::At(&self.worker.id))?;
        let gaps = repair::gaps(self.workflow, &[self.worker])?.into_iter().flatten().collect();
        facts.workers.entry(self.worker.id.clone()).or_default().gaps = gaps;
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

    /// Returns what git was told to overlook among the own files, and is not as it was committed.
    fn overlooked(&self) -> Result<Vec<RepoPath>> {
        let Workflow { repo, plan, .. } = self.workflow;
        let mut found = repo.overlooked(&self.workflow.worktree(self.worker))?;
        found.retain(|path| plan.allows(self.worker, path));
        Ok(found)
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

    /// Returns the files that are not as they were at the fork; asked only when it matters.
    fn differing(&self, path: &Path, tree: &TreeState) -> Result<Vec<RepoPath>> {
        let Workflow { repo, plan, record, .. } = self.workflow;
        let foreign = tree.changed.iter().any(|path| !plan.allows(self.worker, path));
        match record.placements.get(&self.worker.id).filter(|_| foreign) {
            Some(placement) => repo.differing(path, &placement.fork),
            None => Ok(Vec::new()),
        }
    }

    /// Pushes the branch, when the plan names a remote. A remote that is away keeps nobody from
    /// working, so that is told, not refused.
    fn push(&self, path: &Path) -> Result<Option<Pushed>> {
        let Workflow { repo, plan, .. } = self.workflow;
        let Some(remote) = &plan.remote else { return Ok(None) };
        let (ok, message) = repo.push(path, remote, &self.worker.branch())?;
        Ok(Some(Pushed { remote: remote.clone(), ok, message }))
    }

    /// Returns the message, or refuses a text that would make it something else.
    fn message(signal: &Signal, text: &str, detail: &[String]) -> Result<String> {
        let subject = format!("{} {text}", signal.marker()).trim_end().to_owned();
        let Subject::Signal { .. } = signal::read(&subject) else {
            let message = format!("{text:?} begins with a second marker");
            return Err(Failure::new(Code::Usage, message)
                .hint("write the text without a marker; the command adds it")
                .into());
        };
        let body: String = detail.iter().map(|line| format!("- {}\n", one_line(line))).collect();
        Ok(if body.is_empty() { format!("{subject}\n") } else { format!("{subject}\n\n{body}") })
    }

    /// Looks whether the newest commit gives the signal, and tells of it.
    fn announce(
        &self,
        path: &Path,
        signal: &Signal,
        message: &str,
        left: Vec<RepoPath>,
        notes: Vec<String>,
    ) -> Result<Answer> {
        let commit = self.workflow.repo.read_head(path)?;
        if is_signal(&commit, signal) {
            return self.committed(path, commit, signal, left, notes);
        }
        let made = commit.message.lines().next().unwrap_or_default();
        let wanted = message.lines().next().unwrap_or_default();
        Err(Failure::new(Code::SignalLost, format!("a hook changed the subject to {made:?}"))
            .hint("make the repository's commit-msg hook leave subjects that begin with [ alone")
            .next("git log -1")
            .details(serde_json::json!({ "commit": commit.oid, "wanted": wanted }))
            .into())
    }

    /// Makes hooks and launcher whole, once, before a commit that the hooks should see. What cannot be
    /// made so keeps no worker from its work: the scope is held by ourselves, and it is said.
    fn mend(&self) -> &Mended {
        self.mended.get_or_init(|| {
            let Workflow { repo, plan, record, .. } = self.workflow;
            let look = || {
                let gaps = repair::gaps(self.workflow, &[self.worker]).unwrap_or_default();
                gaps.into_iter().flatten().collect::<Vec<Gap>>()
            };
            let mut repaired = look();
            if repaired.is_empty() {
                return Mended::default();
            }
            let port = record.placements.get(&self.worker.id).and_then(|placement| placement.port);
            let _ = repair::write(repo, plan, self.worker, port);
            let gaps = look();
            repaired.retain(|gap| !gaps.contains(gap));
            Mended { repaired, gaps }
        })
    }

    fn committed(
        &self,
        path: &Path,
        commit: Commit,
        signal: &Signal,
        left: Vec<RepoPath>,
        notes: Vec<String>,
    ) -> Result<Answer> {
        let mended = self.mend();
        let changes = self.workflow.repo.changes(&[Stretch::of(&commit)])?;
        let committed = Committed {
            worker: self.worker.id.clone(),
            subject: commit.message.lines().next().unwrap_or_default().to_owned(),
            commit: commit.oid,
            paths: changes.into_iter().flatten().map(|change| change.path).collect(),
            left,
            notes,
            pushed: self.push(path)?,
            next: next(&self.workflow.plan, signal, mended),
            repaired: mended.repaired.clone(),
            gaps: mended.gaps.clone(),
        };
        Answer::of(&committed, view::committed)
    }
}

fn is_signal(commit: &Commit, signal: &Signal) -> bool {
    matches!(signal::read(&commit.message), Subject::Signal { signal: found, .. } if found == *signal)
}

fn next(plan: &Plan, signal: &Signal, mended: &Mended) -> Vec<NextStep> {
    let step = |action: &str, command: &str| NextStep {
        action: action.to_owned(),
        worker: None,
        command: command.to_owned(),
    };
    let repair = gap::repair(&plan.workflow);
    let repair = (!mended.gaps.is_empty()).then(|| step("repair", &repair));
    let finish = match signal {
        Signal::Checkpoint => Some(step("finish", "pw-worker complete \"what was done\"")),
        Signal::Blocked { .. } | Signal::Needs { .. } | Signal::Complete => None,
    };
    repair.into_iter().chain(finish).collect()
}
