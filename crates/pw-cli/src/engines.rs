//! What runs workers on other machines: each engine is a file that renders what its command is
//! given, calls it, and asks it what became of a job. None of them schedules or retries: the engine
//! does.

mod call;
mod slurm;
mod ssh;

use pw_core::plan::Plan;
use pw_core::session::LaunchMode;

pub(crate) use self::call::{Engine, Said, submit};

/// Returns the engine of a way to start workers; `None` when they run here.
pub(crate) fn of<'a>(
    how: LaunchMode,
    plan: &'a Plan,
    url: &'a str,
) -> Option<Box<dyn Engine + 'a>> {
    match how {
        LaunchMode::Ssh => Some(Box::new(ssh::Ssh { plan, url })),
        LaunchMode::Slurm => Some(Box::new(slurm::Slurm { plan, url })),
        LaunchMode::Print | LaunchMode::Tmux | LaunchMode::Background | LaunchMode::Custom => None,
    }
}
