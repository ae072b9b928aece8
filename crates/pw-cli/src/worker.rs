//! `pw-worker`: a worker's hands. Commits only its own files, on its own branch, with a marker
//! that counts.

mod begin;
mod brief;
mod budget;
mod commit;
mod complete;
mod ground;
mod guard;
mod hook;
mod own_worktree;
mod run;
mod surroundings;
mod sync;
mod undo;

use std::cell::OnceCell;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};
use pw_core::failure::{Code, Failure};
use pw_core::id::{GateName, WorkerId};
use pw_core::next::Next;
use pw_core::signal::{self, Signal};
use pw_core::time::rfc3339;
use pw_core::worker as rules;

use self::commit::CommitArgs;
use self::own_worktree::{OwnWorktree, one_line};
use crate::remote;
use crate::session;
use crate::shell::{About, Answer, Cli, Context as Shell, Globals};
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
        more: CommitArgs,
    },
    /// Commits what there is and says that I cannot go on
    Blocked {
        /// Why, in a few words
        reason: String,
        /// What I tried, and what would help
        text: Option<String>,
        #[command(flatten)]
        more: CommitArgs,
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
        more: CommitArgs,
    },
    /// Says that all my work is done and committed
    Complete {
        /// What was done, one line
        text: Option<String>,
        /// A line for the body of the commit message; may be repeated
        #[arg(long, value_name = "LINE")]
        detail: Vec<String>,
        /// Run the plan's `verify` first, when it is its turn; refuse when it fails
        #[arg(long)]
        run: bool,
    },
    /// Takes back what is changed and not committed outside my scope; nothing of mine, nothing new
    Undo {
        /// Take back only these, also a file of mine; else everything outside my scope
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,
    },
    /// Takes in the complete work of another worker, or says why not; a conflict changes nothing
    Sync {
        /// The worker to take in; else the one that the newest [NEEDS:…] names
        worker: Option<WorkerId>,
    },
    /// Runs a heavy command, or the plan's `verify`, when it is its turn; prints what failed
    Run {
        /// The gate of `verify` to run; else all of them
        #[arg(long, value_name = "GATE", conflicts_with = "command")]
        gate: Option<GateName>,
        /// The command, behind `--`; one word alone is a script for sh
        #[arg(last = true)]
        command: Vec<String>,
    },
    /// Hook entry points; they speak the protocol of the hook, not JSON documents
    #[command(hide = true)]
    Guard {
        event: hook::Event,
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
    #[command(flatten)]
    About(About),
}

impl Cli for WorkerCli {
    fn globals(&self) -> &Globals {
        &self.globals
    }

    fn run(&self, shell: &Shell) -> Result<Answer> {
        match &self.command {
            Command::About(about) => return about.tell::<Self>(),
            Command::Guard { event, arguments } => return guard::run(shell, *event, arguments),
            Command::Begin { worker, pid } => return Ok(begin::begin(shell, worker, *pid)),
            _ => {}
        }
        let (mut workflow, id) = Workflow::open_here(shell)?;
        let mut unasked = None;
        if matches!(self.command, Command::Sync { .. }) && workflow.plan.remote.is_some() {
            let name = workflow.plan.workflow.as_str();
            unasked = remote::fetch(shell, Some(name))?.err().map(|error| error.sentence());
            workflow = Workflow::open_here(&shell.without_fetch())?.0;
        }
        let worker = workflow.worker(&id)?;
        let line = |text: &Option<String>| text.as_deref().map(one_line).unwrap_or_default();
        let own = OwnWorktree { workflow: &workflow, worker, shell, repairs: OnceCell::new() };
        if !matches!(self.command, Command::Brief) {
            session::own().require(&workflow.plan.workflow, &worker.id)?;
        }
        if !matches!(self.command, Command::Brief | Command::Run { .. } | Command::Sync { .. }) {
            let now = rfc3339(shell.now);
            workflow.repo.recover_worktree(&workflow.worktree(worker), &shell.command, &now)?;
        }
        match &self.command {
            Command::Brief | Command::Guard { .. } | Command::Begin { .. } | Command::About(_) => {
                brief::brief(&own)
            }
            Command::Checkpoint { text, more } => {
                commit::commit(&own, &Signal::Checkpoint, &one_line(text), more)
            }
            Command::Blocked { reason, text, more } => {
                let signal = Signal::Blocked { reason: argument("reason", reason)? };
                commit::commit(&own, &signal, &line(text), more)
            }
            Command::Needs { worker: provider, item, text, more } => {
                own.require_other(provider)?;
                rules::require_item(workflow.worker(provider)?, &one_line(item))?;
                let signal =
                    Signal::Needs { worker: provider.clone(), item: argument("item", item)? };
                commit::commit(&own, &signal, &line(text), more)
            }
            Command::Complete { text, detail, run } => {
                complete::complete(&own, &line(text), detail, *run)
            }
            Command::Run { gate, command } => run::run(&own, gate.as_ref(), command),
            Command::Undo { paths } => undo::undo(&own, paths),
            Command::Sync { worker } => sync::sync(&own, worker.as_ref(), unasked),
        }
    }
}

/// Refuses what cannot stand inside a marker.
fn argument(name: &str, text: &str) -> Result<String> {
    let text = one_line(text);
    if signal::is_item(&text) {
        return Ok(text);
    }
    Err(Failure::new(Code::Usage, format!("the {name} {text:?} cannot stand in a marker"))
        .hint("use 1 to 200 characters without ]")
        .next(Next::Help { helper: "pw-worker", verb: None })
        .into())
}
