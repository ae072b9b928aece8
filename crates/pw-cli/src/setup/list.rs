//! `pw-setup list`: the workflows of a repository.

use anyhow::Result;
use pw_core::failure::Failure;
use pw_core::plan::Plan;
use pw_core::setup::{List, WorkflowLine};
use pw_core::time::rfc3339;
use pw_git::Repo;

use crate::remote;
use crate::shell::{Answer, Context};
use crate::view;
use crate::workflow::{is_closed, read_refs, recorded};

pub(super) fn list(context: &Context) -> Result<Answer> {
    if context.fetch {
        remote::fetch_all(context)?.map_err(Failure::from)?;
    }
    let repo = Repo::open(&context.directory)?;
    let refs = read_refs(&repo)?;
    let mut workflows = Vec::new();
    for (workflow, tip) in recorded(&refs) {
        let closed = is_closed(&refs, &workflow, &tip);
        let Ok((text, record)) = repo.record(&tip) else { continue };
        let Ok(plan) = Plan::recorded(&text) else { continue };
        workflows.push(WorkflowLine {
            workflow,
            goal: plan.goal.clone(),
            workers: plan.workers.len(),
            integrated: record.merged.len(),
            started_at: rfc3339(record.started),
            closed,
        });
    }
    Answer::of(&List { workflows }, view::list)
}
