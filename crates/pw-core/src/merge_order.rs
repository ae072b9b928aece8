//! Who is merged when, and why.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::conflict_prediction::{Divergence, possible_conflicts};
use crate::facts::Facts;
use crate::history::Change;
use crate::id::WorkerId;
use crate::plan::{Plan, Worker};
use crate::status::{State, WorkerStatus};
use crate::text::counted;

/// A worker's position in the merge order, and the reason for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Turn {
    /// Who is merged at this position.
    pub worker: WorkerId,
    /// Those it builds upon, or whose commits it holds, that are merged before it in the same run.
    pub after: Vec<WorkerId>,
    /// Those of the same run whose changes could conflict with its own.
    pub meets: Vec<WorkerId>,
    /// Both in words.
    pub because: String,
}

/// Returns the turns of the workers still to be merged: dependencies first; of those that could be
/// next, the one that could conflict with the fewest other workers, so that a conflict stops as
/// little as possible; else in the order of the plan.
pub(crate) fn merge_order(
    plan: &Plan,
    facts: &Facts,
    states: &[WorkerStatus],
    without: &[WorkerId],
) -> Vec<Turn> {
    let is_open = |id: &WorkerId| {
        states.iter().any(|w| w.id == *id && w.state != State::Integrated) && !without.contains(id)
    };
    let mut waiting: Vec<Turn> = plan
        .workers
        .iter()
        .filter(|worker| is_open(&worker.id))
        .map(|worker| Turn {
            worker: worker.id.clone(),
            after: builds_upon(worker, states).filter(|id| is_open(id)).cloned().collect(),
            meets: Vec::new(),
            because: String::new(),
        })
        .collect();
    for (first, second) in collisions(facts, &waiting) {
        let [some, other] = [first, second].map(|at| waiting[at].worker.clone());
        waiting[first].meets.push(other);
        waiting[second].meets.push(some);
    }
    let mut turns: Vec<Turn> = Vec::new();
    while !waiting.is_empty() {
        let is_free =
            |turn: &Turn| turn.after.iter().all(|id| turns.iter().any(|t| t.worker == *id));
        let free = waiting.iter().enumerate().filter(|(_, turn)| is_free(turn));
        // Where workers hold each other's commits, the plan's order breaks the circle.
        let next = free.min_by_key(|(at, turn)| (turn.meets.len(), *at)).map_or(0, |(at, _)| at);
        let mut turn = waiting.remove(next);
        turn.because = because(&turn);
        turns.push(turn);
    }
    turns
}

/// Returns whom a worker names in `after`, then whose commits its branch holds besides.
fn builds_upon<'a>(
    worker: &'a Worker,
    states: &'a [WorkerStatus],
) -> impl Iterator<Item = &'a WorkerId> {
    let status = states.iter().find(|status| status.id == worker.id);
    let holds = status.into_iter().flat_map(|status| &status.holds);
    worker.after.iter().chain(holds.filter(|id| !worker.after.contains(id)))
}

/// Returns the pairs, by index, of those whose branches could collide. Who contains the other's
/// work merges with it.
fn collisions(facts: &Facts, turns: &[Turn]) -> Vec<(usize, usize)> {
    let branch = |(at, turn): (usize, &Turn)| {
        let (tip, brought) = facts.to_merge(&turn.worker)?;
        // What it has of those before it is there when its turn comes.
        let before = turn.after.iter().filter_map(|id| facts.to_merge(id));
        let before = before.flat_map(|(_, brought)| &brought.changes);
        let there: HashSet<_> = before.map(|change| (&change.path, &change.new)).collect();
        let is_new = |change: &&Change| !there.contains(&(&change.path, &change.new));
        let own: Vec<&Change> = brought.changes.iter().filter(is_new).collect();
        Some((at, Divergence::new(tip, &brought.since, own)))
    };
    let (places, branches): (Vec<usize>, Vec<Divergence<'_>>) =
        turns.iter().enumerate().filter_map(branch).unzip();
    let pairs = possible_conflicts(facts, &branches).into_iter();
    let nested = |first: usize, second: usize| {
        let (first, second) = (branches[first].tip, branches[second].tip);
        facts.history.contains(first, second) || facts.history.contains(second, first)
    };
    let pairs = pairs.filter(|(first, second)| !nested(*first, *second));
    pairs.map(|(first, second)| (places[first], places[second])).collect()
}

fn because(turn: &Turn) -> String {
    let names = |ids: &[WorkerId]| ids.iter().map(WorkerId::as_str).collect::<Vec<_>>().join(", ");
    let meets = match turn.meets.len() {
        0 => "could conflict with no other".to_owned(),
        n => format!("could conflict with {}: {}", counted(n, "other"), names(&turn.meets)),
    };
    match turn.after.is_empty() {
        true => meets,
        false => format!("builds upon {}; {meets}", names(&turn.after)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Brought, WorkerFacts};
    use crate::history::{Commit, Content, History, net_changes};
    use crate::record::{Event, Record};
    use crate::status::Board;

    #[test]
    fn dependencies_come_first_then_who_collides_least_then_the_plan() {
        let text = "workflow: w\ngoal: g\nworkers:\n\
             - {id: a, name: a, owns: [a]}\n- {id: b, name: b, owns: [b]}\n\
             - {id: c, name: c, owns: [c]}\n- {id: d, name: d, owns: [d], after: [b]}\n";
        let plan = Plan::parse(text).unwrap();
        let oid = |name: &str| format!("{name:0>40}").parse::<crate::id::Oid>().unwrap();
        let planned = Event::Planned { branch: None, base: oid("0") };
        let record = Record::replay([(planned, 0)]).unwrap();
        // `a` meets `b` and `c` in one file each.
        let paths: [(&str, &[&str]); 4] =
            [("a", &["x", "y"]), ("b", &["b", "x"]), ("c", &["y"]), ("d", &["d"])];
        let commit = |(name, paths): &(&str, &[&str])| Commit {
            oid: oid(name),
            parents: vec![oid(if *name == "d" { "b" } else { "0" })],
            time: 0,
            message: "work".to_owned(),
            changes: paths
                .iter()
                .map(|path| Change {
                    path: (*path).into(),
                    old: None,
                    new: Some(Content::named(name)),
                })
                .collect(),
        };
        let history = History::new(paths.iter().map(commit));
        let worker = |(name, _): &(&str, &[&str])| {
            let chain: Vec<&Commit> = history.chain(&oid(name)).collect();
            let brought = Brought { since: oid("0"), changes: net_changes(&chain) };
            let tip = Some(oid(name));
            (
                name.parse().unwrap(),
                WorkerFacts { tip, brought: Some(brought), ..WorkerFacts::default() },
            )
        };
        let facts =
            Facts { workers: paths.iter().map(worker).collect(), history, ..Facts::default() };
        let board = Board::new(&plan, &record, &facts);
        let order = |without: &[WorkerId]| -> Vec<(String, String)> {
            board
                .turns(without)
                .into_iter()
                .map(|turn| (turn.worker.to_string(), turn.because))
                .collect()
        };
        let turn = |worker: &str, because: &str| (worker.to_owned(), because.to_owned());
        assert_eq!(
            order(&[]),
            [
                turn("b", "could conflict with 1 other: a"),
                turn("d", "builds upon b; could conflict with no other"),
                turn("c", "could conflict with 1 other: a"),
                turn("a", "could conflict with 2 others: b, c"),
            ]
        );
        let left = order(&["b".parse().unwrap(), "c".parse().unwrap()]);
        assert_eq!(
            left,
            [
                turn("a", "could conflict with 1 other: d"),
                turn("d", "could conflict with 1 other: a"),
            ],
            "what it holds of b comes along"
        );
    }
}
