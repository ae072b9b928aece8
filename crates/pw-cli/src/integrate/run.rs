//! `pw-integrate run`: merges all workers, or goes on where it stopped.

use anyhow::Result;
use pw_core::record::{RunOptions, Stopped};

use super::chain::MergeChain;
use super::{resume, stopping};
use crate::shell::{Answer, Context};
use crate::workflow::Workflow;

/// Merges all workers that are not merged yet.
pub(super) fn run(context: &Context, name: Option<&str>, options: RunOptions) -> Result<Answer> {
    let (workflow, _lock) = Workflow::open_alone(context, name)?;
    match &workflow.record.stopped {
        Some(Stopped { resolution: Some(_), options: begun, .. }) => {
            let options = begun.and(&options);
            return resume::resume(context, workflow, options);
        }
        Some(stopped) => return Err(stopping::stay_stopped(&workflow, context, stopped)?.into()),
        None => {}
    }
    MergeChain::anew(&workflow, context, options)?.carry_out()
}
