//! `pw-setup`: from a plan to branches, worktrees and launchers.

mod advance;
mod analyze;
mod check;
mod create;
mod documents;
mod explain;
mod launch;
mod list;
mod message_hooks;
mod plan_file;
mod preflight;
pub(crate) mod prepare;
mod prerequisites;
mod repair;
mod tmux;
mod trial;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};
use pw_core::id::WorkerId;
use pw_core::session::LaunchMode;

use crate::session;
use crate::shell::{Answer, Cli, Context, Globals};

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
    /// Makes what the plan's first wave needs; again when part of it is there
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
    },
    /// Starts sessions of workers that have none, or says how
    Launch {
        /// The workers; all that are neither done nor running when none is named
        workers: Vec<WorkerId>,
        /// The workflow; needed only when there are several
        #[arg(long)]
        workflow: Option<String>,
        /// How: print the commands, tmux, background, or custom (the plan's `launch`)
        #[arg(long = "with", value_name = "HOW", default_value = "print")]
        how: LaunchMode,
        /// Their sessions, which cannot be seen from here, are over: you looked where they ran
        #[arg(long, requires = "workers")]
        ended: bool,
    },
    /// Makes worktrees, git hooks and launchers whole again where they were moved, replaced or lost
    Repair {
        /// The workflow; needed only when there are several
        workflow: Option<String>,
    },
    /// Says which split the history speaks for, what it would bring, or to do it in one session
    Analyze(analyze::Options),
    /// Lists the workflows of this repository
    List,
    /// Says what a code, a state or the kind of a reason means, and what to do about it
    Explain {
        /// The word, as it stands in an answer
        word: String,
    },
    /// The JSON Schema of every answer
    Schema,
}

impl Command {
    /// Returns whether it changes what belongs to all workers. A worker's own launcher and hooks
    /// may be repaired by its own session, which is told to.
    fn is_for_all(&self) -> bool {
        match self {
            Self::Create { .. } | Self::Advance { .. } => true,
            Self::Launch { how, ended, .. } => *how != LaunchMode::Print || *ended,
            Self::Check { .. }
            | Self::Repair { .. }
            | Self::Analyze(_)
            | Self::List
            | Self::Explain { .. }
            | Self::Schema => false,
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
            Command::Advance { workflow } => advance::advance(context, workflow.as_deref()),
            Command::Launch { workers, workflow, how, ended } => {
                launch::launch(context, workers, workflow.as_deref(), *how, *ended)
            }
            Command::Repair { workflow } => repair::repair(context, workflow.as_deref()),
            Command::Analyze(options) => analyze::analyze(context, options),
            Command::List => list::list(context),
            Command::Explain { word } => explain::explain(word),
            Command::Schema => Answer::schema::<Self>(),
        }
    }
}
