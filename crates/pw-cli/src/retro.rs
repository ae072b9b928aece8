//! `pw-retro`: looks back on runs, and keeps the numbers of finished ones.

mod past;
mod report;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use pw_core::id::Slug;

use crate::session;
use crate::shell::{About, Answer, Cli, Context, Globals};

/// Measures a run: who did how much, where time went, where it collided, what would have helped.
#[derive(Debug, Parser)]
#[command(name = "pw-retro", version, max_term_width = 100)]
pub struct RetroCli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The numbers, finished run or not
    Report(report::Report),
    /// Keeps the numbers of a finished run in this repository, for the next plan
    Remember {
        /// The workflow; needed only when there are several
        workflow: Option<String>,
    },
    /// Lays the runs that were kept side by side
    Compare,
    /// Drops what was kept
    Forget(Forget),
    #[command(flatten)]
    About(About),
}

/// One of the two must be said: there is no way back.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Forget {
    /// The workflow whose runs are dropped
    workflow: Option<Slug>,
    /// Drops the runs of all workflows
    #[arg(long)]
    all: bool,
}

impl Cli for RetroCli {
    fn globals(&self) -> &Globals {
        &self.globals
    }

    fn run(&self, context: &Context) -> Result<Answer> {
        if matches!(self.command, Command::Remember { .. } | Command::Forget(_)) {
            session::own().require_none(&context.command)?;
        }
        match &self.command {
            Command::Report(report) => report.run(context),
            Command::Remember { workflow } => past::remember(context, workflow.as_deref()),
            Command::Compare => past::compare(context),
            Command::Forget(Forget { workflow, .. }) => past::forget(context, workflow.as_ref()),
            Command::About(about) => about.tell::<Self>(),
        }
    }
}
