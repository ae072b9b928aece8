//! Who waits for whom, and whether that can end by itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{State, WorkerStatus};
use crate::graph;
use crate::id::WorkerId;
use crate::plan::Plan;

/// A worker that waits: for an item it asked for, or for its turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Waiting {
    /// Who waits.
    pub worker: WorkerId,
    /// The item it asked for; absent when its wave has not come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// The workers it waits for directly; empty when it waits for none any more.
    pub on: Vec<WorkerId>,
    /// How that can end.
    pub outlook: Outlook,
    /// The workers at the end of the chain that do not move; empty unless `outlook` is `stuck`.
    pub stuck_on: Vec<WorkerId>,
}

/// How a wait can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outlook {
    /// What it waits for is there: it can be resumed, or opened.
    Satisfied,
    /// Whom it waits for is at work.
    Moving,
    /// The chain ends in a worker that does not move by itself.
    Stuck,
    /// It waits in a circle.
    Deadlock,
    /// It waits for a worker that is not in the plan.
    UnknownWorker,
}

/// Who waits for whom, as indices into the list of workers.
struct Graph<'a> {
    plan: &'a Plan,
    workers: &'a [WorkerStatus],
    edges: Vec<Vec<usize>>,
}

/// Returns the workers that wait, in the order of the plan, and the circles among them.
pub(super) fn waiting(plan: &Plan, workers: &[WorkerStatus]) -> (Vec<Waiting>, Vec<Vec<WorkerId>>) {
    let graph = Graph::new(plan, workers);
    let circles = graph::cycles(&graph.edges);
    let waits = (0..workers.len()).filter_map(|at| graph.wait(at, &circles)).collect();
    let name = |group: Vec<usize>| group.into_iter().map(|at| workers[at].id.clone()).collect();
    (waits, circles.into_iter().map(name).collect())
}

impl<'a> Graph<'a> {
    fn new(plan: &'a Plan, workers: &'a [WorkerStatus]) -> Self {
        let index = |id: &WorkerId| workers.iter().position(|worker| worker.id == *id);
        let edges = workers.iter().map(|worker| {
            let needs = worker.waits_for.iter().filter(|waits| !waits.satisfied);
            let needs = needs.filter_map(|waits| index(&waits.worker));
            let planned = plan.worker(&worker.id).filter(|_| worker.state == State::Planned);
            let after = planned.into_iter().flat_map(|worker| &worker.after).filter_map(index);
            needs.chain(after.filter(|at| !workers[*at].is_usable())).collect()
        });
        Self { plan, workers, edges: edges.collect() }
    }

    fn wait(&self, at: usize, circles: &[Vec<usize>]) -> Option<Waiting> {
        let worker = &self.workers[at];
        let needs = worker.waits_for.as_ref();
        if needs.is_none() && worker.state != State::Planned {
            return None;
        }
        let reach = graph::reachable(&self.edges, at);
        let in_circle = |at: usize| circles.iter().any(|circle| circle.contains(&at));
        let stuck_on: Vec<usize> = reach
            .iter()
            .copied()
            .filter(|at| in_circle(*at) || self.edges[*at].is_empty() && self.stands_still(*at))
            .collect();
        let outlook = match needs {
            Some(needs) if self.plan.worker(&needs.worker).is_none() => Outlook::UnknownWorker,
            _ if self.edges[at].is_empty() => Outlook::Satisfied,
            _ if in_circle(at) => Outlook::Deadlock,
            _ if stuck_on.is_empty() => Outlook::Moving,
            _ => Outlook::Stuck,
        };
        let id = |at: usize| self.workers[at].id.clone();
        Some(Waiting {
            worker: worker.id.clone(),
            item: needs.map(|needs| needs.item.clone()),
            on: self.edges[at].iter().copied().map(id).collect(),
            outlook,
            stuck_on: match outlook {
                Outlook::Stuck => stuck_on.into_iter().map(id).collect(),
                _ => Vec::new(),
            },
        })
    }

    /// Returns whether a worker that waits for no other one needs the user all the same.
    fn stands_still(&self, at: usize) -> bool {
        let worker = &self.workers[at];
        match worker.state {
            State::Blocked | State::Missing | State::Waiting | State::Planned => true,
            // Complete, but something vetoes using it.
            State::Complete => !worker.ready,
            State::Starting | State::InProgress | State::Reopened => worker.stall.is_some(),
            State::Integrated => false,
        }
    }
}
