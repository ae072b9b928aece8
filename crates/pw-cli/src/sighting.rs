//! What this clone saw of workers on other machines, in a file beside their launchers: since when it
//! is as it is, by this machine's clock.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use pw_core::facts::Facts;
use pw_core::sighting::{Sightings, sightings};

use crate::whole_file;
use crate::workflow::Workflow;

/// Adds to the facts since when what is seen of each worker is as it is. Only where the remote was
/// asked is it written down: that alone can show anything new.
pub(crate) fn add(workflow: &Workflow, facts: &mut Facts) -> Result<()> {
    if workflow.plan.remote.is_none() {
        return Ok(());
    }
    let path = file(workflow);
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    // One that cannot be read is as good as none: it is written anew.
    let before: Sightings = serde_json::from_str(&text).unwrap_or_default();
    let marks: BTreeMap<_, _> = facts
        .workers
        .iter()
        .filter_map(|(id, known)| {
            let job = workflow.record.launches.get(id).and_then(|launch| launch.id.as_deref());
            Some((id.clone(), format!("{} {}", known.tip.as_ref()?, job.unwrap_or("-"))))
        })
        .collect();
    let seen = sightings(&before, marks, facts.now);
    for (id, known) in &mut facts.workers {
        let sighting = seen.get(id).filter(|sighting| before.get(id) == Some(sighting));
        known.seen = sighting.map(|sighting| sighting.since);
    }
    if workflow.has_fetched() && seen != before {
        let text = serde_json::to_string(&seen).context("writing down what was seen")?;
        whole_file::write(&path, &text, 0o644)?;
    }
    Ok(())
}

fn file(workflow: &Workflow) -> PathBuf {
    workflow.repo.common().join("pw").join(workflow.plan.workflow.as_str()).join("seen.json")
}
