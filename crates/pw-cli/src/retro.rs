//! `pw-retro`: the numbers of a run. Reads only.

use anyhow::Result;
use clap::{Parser, Subcommand};
use pw_core::own_commits::own_commits;
use pw_core::retro;
use pw_core::status::worker_states;

use crate::facts::Worktrees;
use crate::radar::{Radar, TrialMerges};
use crate::shell::{Answer, Cli, Context, Globals};
use crate::view;
use crate::workflow::Workflow;

/// Measures a run: who did how much, how long it took, what it waited for, where it collided.
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
    Report {
        /// The workflow; needed only when there are several
        workflow: Option<String>,
    },
    /// The JSON Schema of every answer
    Schema,
}

impl Cli for RetroCli {
    fn globals(&self) -> &Globals {
        &self.globals
    }

    fn run(&self, context: &Context) -> Result<Answer> {
        match &self.command {
            Command::Report { workflow } => {
                let workflow = Workflow::open(context, workflow.as_deref())?;
                let facts = workflow.facts(context.now, Worktrees::None)?;
                let Workflow { plan, record, .. } = &workflow;
                let work = own_commits(plan, record, &facts);
                let states = worker_states(plan, record, &facts, &work);
                let mut trials = TrialMerges::new(&workflow.repo)?;
                let mut radar = Radar::new(&workflow, &facts, &states, &mut trials)?;
                let conflicts = radar.conflicts(&|_| true)?;
                let retro = retro::measure(plan, record, &work, &states, conflicts);
                Answer::of(&retro, view::retro)
            }
            Command::Schema => Answer::schema::<Self>(),
        }
    }
}
