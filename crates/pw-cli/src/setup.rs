//! `pw-setup`: from a plan to branches, worktrees and launchers.

mod advance;
mod analyze;
mod check;
mod create;
mod doctor;
mod documents;
mod explain;
mod join;
mod launch;
mod list;
mod message_hooks;
mod odd_links;
mod plan_file;
mod preflight;
pub(crate) mod prepare;
mod prerequisites;
mod repair;
mod submit;
mod tmux;
mod trial;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};
use pw_core::id::WorkerId;
use pw_core::session::LaunchMode;

use crate::session;
use crate::shell::{About, Answer, Cli, Context, Globals};

/// Checks plans, and makes a branch, a worktree and a launcher for every worker.
#[derive(Debug, Parser)]
#[command(name = "pw-setup", version, max_term_width = 100)]
pub struct Setup {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Says everything that is wrong with a plan, and what create would do; changes nothing
    Check {
        /// The plan, a YAML file
        plan: PathBuf,
    },
    /// Makes branch, worktree and launcher of each worker of the first wave; again, what is missing
    Create {
        /// The plan, a YAML file
        plan: PathBuf,
        /// Try neither `smoke` or `verify` in a fresh worktree, nor the repository's message hooks
        #[arg(long)]
        no_trial: bool,
    },
    /// Opens the workers whose dependencies are complete, from their results
    Advance {
        /// The workflow; needed only when there are several
        workflow: Option<String>,
        /// Start those that it opens as well, as launch does; then the answer is that of launch
        #[arg(long = "with", value_name = "HOW")]
        how: Option<LaunchMode>,
    },
    /// Makes the worktree of a worker in this clone that was created in another one, and brings it
    /// forward to what the plan's remote has
    Join {
        /// The worker
        worker: WorkerId,
        /// The workflow; needed only when there are several
        #[arg(long)]
        workflow: Option<String>,
    },
    /// Starts sessions of workers that have none, or says how
    Launch {
        /// The workers; all that are neither done nor running when none is named
        workers: Vec<WorkerId>,
        /// The workflow; needed only when there are several
        #[arg(long)]
        workflow: Option<String>,
        /// How: print the commands, tmux, background, custom (the plan's `launch`), or on other
        /// machines: ssh, slurm, github, kubernetes, cloud
        #[arg(long = "with", value_name = "HOW", default_value = "print")]
        how: LaunchMode,
        /// Their sessions, which cannot be seen from here, are over: you looked where they ran
        #[arg(long, requires = "workers")]
        ended: bool,
        /// Only say what would be submitted to the engine
        #[arg(long)]
        dry_run: bool,
    },
    /// Makes worktrees, git hooks and launchers whole again where they were moved, replaced or lost
    Repair {
        /// The workflow; needed only when there are several
        workflow: Option<String>,
    },
    /// Says which split the history speaks for, what it would bring, or to do it in one session
    Analyze(analyze::Options),
    /// Says what this machine, this repository and the client lack, each with what helps
    Doctor(doctor::Options),
    /// Lists the workflows of this repository
    List,
    /// Says what a code, a state or the kind of a reason means, and what to do about it
    Explain {
        /// The word, as it stands in an answer
        word: String,
    },
    #[command(flatten)]
    About(About),
}

impl Command {
    /// Returns whether it changes what belongs to all workers. A worker's own launcher and hooks
    /// may be repaired by its own session, which is told to.
    fn is_for_all(&self) -> bool {
        match self {
            Self::Create { .. } | Self::Advance { .. } | Self::Join { .. } => true,
            Self::Launch { how, ended, dry_run, .. } => {
                !dry_run && (*how != LaunchMode::Print || *ended)
            }
            Self::Doctor(options) => options.fix_permissions,
            Self::Check { .. }
            | Self::Repair { .. }
            | Self::Analyze(_)
            | Self::List
            | Self::Explain { .. }
            | Self::About(_) => false,
        }
    }
}

impl Cli for Setup {
    fn globals(&self) -> &Globals {
        &self.globals
    }

    fn run(&self, context: &Context) -> Result<Answer> {
        if self.command.is_for_all() {
            session::own().require_none(&context.command)?;
        }
        match &self.command {
            Command::Check { plan } => check::check(context, plan),
            Command::Create { plan, no_trial } => create::create(context, plan, !no_trial),
            Command::Advance { workflow, how } => {
                advance::advance(context, workflow.as_deref(), *how)
            }
            Command::Join { worker, workflow } => join::join(context, worker, workflow.as_deref()),
            Command::Launch { workers, workflow, how, ended, dry_run } => {
                let (workflow, how, ended, dry_run) = (workflow.as_deref(), *how, *ended, *dry_run);
                submit::start(context, &submit::Wanted { workers, workflow, how, ended, dry_run })
            }
            Command::Repair { workflow } => repair::repair(context, workflow.as_deref()),
            Command::Analyze(options) => analyze::analyze(context, options),
            Command::Doctor(options) => doctor::doctor(context, options),
            Command::List => list::list(context),
            Command::Explain { word } => explain::explain(word),
            Command::About(about) => about.tell::<Self>(),
        }
    }
}
