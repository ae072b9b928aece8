//! `pw-monitor`: where every worker is. Reads only, and runs the plan's `notify` when asked to wait or
//! watch.

mod history;
mod notice;
mod notification;
mod stopped;
mod wait;
mod watch;

use anyhow::Result;
use clap::{Parser, Subcommand};
use pw_core::status::{self, Cursor, Status};
use pw_core::time::{Seconds, parse_human};

use crate::facts::Worktrees;
use crate::shell::{About, Answer, Cli, Context, Globals};
use crate::view;
use crate::workflow::Workflow;

/// Says where every worker is, what stands in the way and what to run next; changes nothing.
#[derive(Debug, Parser)]
#[command(name = "pw-monitor", version, max_term_width = 100)]
pub struct Monitor {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The whole picture
    Status {
        /// The workflow; needed only when there are several
        workflow: Option<String>,
        /// Look only at branches, not into worktrees
        #[arg(long)]
        no_worktrees: bool,
        /// How long a worker may show nothing, such as 10m; else as the plan says, or 30m
        #[arg(long, value_name = "DURATION", value_parser = parse_human)]
        stall_after: Option<Seconds>,
        /// The cursor of an answer before: only what changed since is told
        #[arg(long, value_name = "CURSOR")]
        since: Option<Cursor>,
        /// Tell also files that past changes of what workers changed touched, and that no worker has
        #[arg(long)]
        history: bool,
    },
    Wait(wait::Wait),
    /// A live view for a terminal
    Watch {
        /// The workflow; needed only when there are several
        workflow: Option<String>,
    },
    #[command(flatten)]
    About(About),
}

impl Cli for Monitor {
    fn globals(&self) -> &Globals {
        &self.globals
    }

    fn run(&self, context: &Context) -> Result<Answer> {
        match &self.command {
            Command::Status { workflow, no_worktrees, stall_after, since, history } => {
                let look = if *no_worktrees { Worktrees::None } else { Worktrees::All };
                let mut workflow = Workflow::open_to_look(context, workflow.as_deref())?;
                workflow.plan.stall_after = stall_after.or(workflow.plan.stall_after);
                let mut status: Status = match history {
                    true => history::status(&workflow, context.now, look)?,
                    false => workflow.status(context.now, look)?,
                };
                stopped::complete(&workflow, &mut status.integration)?;
                let view = view::status(&status);
                Answer::of(&status::since(status, since.as_ref(), context.now), |_| view)
            }
            Command::Wait(wait) => wait.run(context),
            Command::Watch { workflow } => watch::run(context, workflow.as_deref()),
            Command::About(about) => about.tell::<Self>(),
        }
    }
}
