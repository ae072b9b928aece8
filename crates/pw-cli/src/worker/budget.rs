//! Whether the session of a worker has used up its budget: asked at every use of a tool, counted once a
//! minute, since transcripts are long.

use pw_core::plan::Worker;
use pw_core::session::Usage;
use pw_core::status::budget::used;
use pw_core::status::{BudgetLevel, BudgetUse};
use pw_core::time::Seconds;
use serde::{Deserialize, Serialize};

use super::ground::Ground;
use crate::{launcher, session};

/// How long a count holds, in seconds.
const HOLDS: Seconds = 60;

/// A count, as it is kept beside the launcher.
#[derive(Deserialize, Serialize)]
struct Count {
    at: Seconds,
    /// The newest commit of the record: the user may have raised the budget.
    plan: String,
    used: Option<BudgetUse>,
}

/// What is over, and whether it was counted just now.
pub(super) struct Over {
    pub(super) used: BudgetUse,
    pub(super) is_news: bool,
}

/// Returns the budget that the session has used up, its own or that of all workers together.
pub(super) fn over(ground: &Ground, now: Seconds) -> Option<Over> {
    if ground.worker.budget.is_none() && ground.plan.budget.is_none() {
        return None;
    }
    let file = launcher::folder(&ground.repo, &ground.plan, &ground.worker).join("budget.json");
    let plan = ground.record_tip.to_string();
    let known = std::fs::read_to_string(&file).ok();
    let known: Option<Count> = known.and_then(|text| serde_json::from_str(&text).ok());
    let known = known.filter(|known| known.plan == plan && (0..HOLDS).contains(&(now - known.at)));
    let is_news = known.is_none();
    let used = match known {
        Some(known) => known.used,
        None => {
            let count = Count { at: now, plan, used: counted(ground) };
            let text = serde_json::to_string(&count).unwrap_or_default();
            // It is counted again next time.
            let _ = launcher::replace(&file, &text);
            count.used
        }
    };
    used.filter(|used| used.level >= BudgetLevel::Over).map(|used| Over { used, is_news })
}

fn counted(ground: &Ground) -> Option<BudgetUse> {
    let Ground { repo, plan, record, worker, .. } = ground;
    let usage = |worker: &Worker| {
        let began = record.placements.get(&worker.id).map_or(0, |placement| placement.at);
        session::usage(&repo.root().join(plan.worktree(worker)), began)
    };
    let own = worker.budget.as_ref().and_then(|budget| used(budget, &usage(worker)?));
    let all = plan
        .budget
        .as_ref()
        .and_then(|budget| used(budget, &Usage::sum(plan.workers.iter().filter_map(usage))?));
    let all = all.map(|mut all| {
        all.message = format!("{} of all workers together", all.message);
        all
    });
    own.into_iter().chain(all).max_by_key(|used| used.percent)
}
