//! `pw-integrate`: from the workers' branches to one integration branch.

mod abort;
mod base_checkout;
mod chain;
mod check;
mod cleanup;
mod closing;
mod culprits;
mod finish;
mod forget;
mod gate;
pub(crate) mod gate_worktree;
mod mergiraf;
mod preview;
mod pull_request;
pub(crate) mod resolution;
mod restore;
mod resume;
mod run;
mod squash;
mod stopping;

use std::path::PathBuf;

use anyhow::Result;
use clap::{ArgGroup, Args, Parser, Subcommand};
use pw_core::branch::Branch;
use pw_core::finish::LandingMode;
use pw_core::gate::{GateMode, does_something};
use pw_core::id::WorkerId;
use pw_core::record::RunOptions;
use pw_core::snapshot::SnapshotId;

use self::restore::Target;
use crate::session;
use crate::shell::{About, Answer, Cli, Context, Globals};

/// Merges the workers' branches into integration/<workflow>, without touching any checkout.
#[derive(Debug, Parser)]
#[command(name = "pw-integrate", version, max_term_width = 100)]
pub struct Integrate {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Says who is ready, and why others are not; changes nothing
    Check {
        /// The workflow; needed only when there are several
        workflow: Option<String>,
    },
    /// Tries the whole merge, in order; changes nothing
    Preview {
        /// The workflow; needed only when there are several
        workflow: Option<String>,
    },
    /// Merges all workers and tests the result; stops at the first conflict, or when a gate fails
    Run {
        /// The workflow; needed only when there are several
        workflow: Option<String>,
        #[command(flatten)]
        options: RunArgs,
    },
    /// Goes on after the conflict is resolved, or tests again after a gate failed
    Continue {
        /// The workflow; needed only when there are several
        workflow: Option<String>,
        /// Add what is resolved: conflicted files in which git wrote markers and none is left
        #[arg(long)]
        add: bool,
        #[command(flatten)]
        options: RunArgs,
    },
    /// Aborts a stopped integration; the resolution so far is kept
    Abort {
        /// The workflow; needed only when there are several
        workflow: Option<String>,
    },
    /// Lands the integration branch on the base branch, or proposes that as a pull request
    Finish {
        /// The workflow; needed only when there are several
        workflow: Option<String>,
        #[command(flatten)]
        landing: LandingArgs,
    },
    /// Removes worktrees and branches whose work is merged and where nothing would be lost
    Cleanup {
        /// The workflow; needed only when there are several
        workflow: Option<String>,
        /// The workers; all of them when none is named
        workers: Vec<WorkerId>,
        /// Only say what would be removed
        #[arg(long)]
        dry_run: bool,
        /// Remove a merged worker in spite of uncommitted, untracked or ignored files: a snapshot
        /// keeps them
        #[arg(long)]
        snapshot: bool,
    },
    /// Lists what was kept before anything was removed or started anew, or brings one back
    Restore {
        /// The workflow; needed only when there are several
        workflow: Option<String>,
        /// The snapshot, as in task-1/2
        #[arg(long, value_name = "NAME")]
        snapshot: Option<SnapshotId>,
        /// Bring it back into a new worktree in this folder, with its index
        #[arg(long, value_name = "FOLDER", requires = "snapshot")]
        into: Option<PathBuf>,
        /// Bring it back as one commit on a new branch of this name
        #[arg(long, value_name = "BRANCH", requires = "snapshot", conflicts_with = "into")]
        branch: Option<Branch>,
        /// Push it to the plan's remote instead, where other clones find it
        #[arg(long, requires = "snapshot", conflicts_with_all = ["into", "branch"])]
        push: bool,
        /// Push it although it holds ignored files: keys and passwords are often such
        #[arg(long, requires = "push")]
        with_ignored: bool,
    },
    /// Drops snapshots, for good
    #[command(group = ArgGroup::new("dropped").required(true))]
    Forget {
        /// The workflow; needed only when there are several
        workflow: Option<String>,
        /// A snapshot, as in task-1/2; may be repeated
        #[arg(long, value_name = "NAME", group = "dropped")]
        snapshot: Vec<SnapshotId>,
        /// All snapshots of the workflow
        #[arg(long, group = "dropped")]
        all: bool,
    },
    #[command(flatten)]
    About(About),
}

/// Whom to merge.
#[derive(Clone, Debug, Args)]
struct RunArgs {
    /// Leave this worker out; may be repeated
    #[arg(long, value_delimiter = ',', value_name = "WORKER")]
    without: Vec<WorkerId>,
    /// Merge changes outside a worker's scope, too; the merge commit lists them
    #[arg(long)]
    allow_out_of_scope: bool,
    /// When to test: the result of all merges, or after each; default final
    #[arg(long, value_name = "WHEN", value_parser = ["final", "each"])]
    gate: Option<String>,
    /// Test with this command instead of the plan's gates
    #[arg(long, value_name = "COMMAND", value_parser = gate_command)]
    verify: Option<String>,
    /// Publish without any test; the record says so
    #[arg(long, conflicts_with_all = ["gate", "verify", "retest"])]
    no_gate: bool,
    /// Test again what was tested before
    #[arg(long)]
    retest: bool,
}

/// How to land.
#[derive(Clone, Debug, Args)]
struct LandingArgs {
    /// Only by fast-forward; the default, where that is possible
    #[arg(long, conflicts_with_all = ["merge", "pr"])]
    ff_only: bool,
    /// With a merge commit, also when the base branch has moved
    #[arg(long, conflicts_with = "pr")]
    merge: bool,
    /// As one commit with a message of your own, also when the base branch has moved
    #[arg(long, conflicts_with_all = ["ff_only", "merge", "pr"])]
    squash: bool,
    /// A paragraph of that message; may be repeated. Without it an editor asks, on a terminal
    #[arg(short, long, value_name = "TEXT", requires = "squash")]
    message: Vec<String>,
    /// Push the integration branch and open a pull request; the base branch stays
    #[arg(long)]
    pr: bool,
    /// Land without any test of what lands
    #[arg(long)]
    no_gate: bool,
    /// Land without this worker's work, which was never merged; may be repeated
    #[arg(long, value_delimiter = ',', value_name = "WORKER")]
    without: Vec<WorkerId>,
}

/// A gate that runs nothing would always pass.
fn gate_command(text: &str) -> Result<String, &'static str> {
    match does_something(text) {
        true => Ok(text.to_owned()),
        false => Err("it holds no command; --no-gate tests nothing, and says so"),
    }
}

impl From<&LandingArgs> for finish::Options {
    fn from(args: &LandingArgs) -> Self {
        let mode = match (args.ff_only, args.merge, args.squash) {
            (true, ..) => LandingMode::FastForward,
            (_, true, _) => LandingMode::Merge,
            (.., true) => LandingMode::Squash,
            _ => LandingMode::Unsaid,
        };
        Self {
            mode,
            message: args.message.clone(),
            pull_request: args.pr,
            no_gate: args.no_gate,
            without: args.without.clone(),
        }
    }
}

impl From<&RunArgs> for RunOptions {
    fn from(args: &RunArgs) -> Self {
        let asked = args
            .gate
            .as_deref()
            .map(|when| if when == "each" { GateMode::Each } else { GateMode::Final });
        Self {
            without: args.without.clone(),
            allow_out_of_scope: args.allow_out_of_scope,
            gate: if args.no_gate { Some(GateMode::None) } else { asked },
            verify: args.verify.clone(),
            retest: args.retest,
        }
    }
}

impl Command {
    /// Returns whether it changes what belongs to all workers.
    fn is_for_all(&self) -> bool {
        match self {
            Self::Check { .. } | Self::Preview { .. } | Self::About(_) => false,
            Self::Cleanup { dry_run, .. } => !dry_run,
            Self::Restore { into, branch, .. } => into.is_some() || branch.is_some(),
            Self::Run { .. }
            | Self::Continue { .. }
            | Self::Abort { .. }
            | Self::Finish { .. }
            | Self::Forget { .. } => true,
        }
    }
}

impl Cli for Integrate {
    fn globals(&self) -> &Globals {
        &self.globals
    }

    fn run(&self, context: &Context) -> Result<Answer> {
        if self.command.is_for_all() {
            session::own().require_none(&context.command)?;
        }
        match &self.command {
            Command::Check { workflow } => check::check(context, workflow.as_deref()),
            Command::Preview { workflow } => preview::preview(context, workflow.as_deref()),
            Command::Run { workflow, options } => {
                run::run(context, workflow.as_deref(), options.into())
            }
            Command::Continue { workflow, add, options } => {
                run::go_on(context, workflow.as_deref(), &options.into(), *add)
            }
            Command::Abort { workflow } => abort::abort(context, workflow.as_deref()),
            Command::Finish { workflow, landing } => {
                finish::finish(context, workflow.as_deref(), landing.into())
            }
            Command::Cleanup { workflow, workers, dry_run, snapshot } => {
                let options = cleanup::Options { dry_run: *dry_run, snapshot: *snapshot };
                cleanup::cleanup(context, workflow.as_deref(), workers, options)
            }
            Command::Restore { workflow, snapshot, into, branch, push, with_ignored } => {
                let workflow = workflow.as_deref();
                let target = match (into, branch) {
                    (Some(path), _) => Some(Target::Worktree(path)),
                    (None, Some(branch)) => Some(Target::Branch(branch)),
                    (None, None) if *push => Some(Target::Remote { with_ignored: *with_ignored }),
                    (None, None) => None,
                };
                match (snapshot, target) {
                    (Some(id), Some(target)) => restore::restore(context, workflow, id, &target),
                    _ => restore::list(context, workflow, snapshot.as_ref()),
                }
            }
            Command::Forget { workflow, snapshot, .. } => {
                forget::forget(context, workflow.as_deref(), snapshot)
            }
            Command::About(about) => about.tell::<Self>(),
        }
    }
}
