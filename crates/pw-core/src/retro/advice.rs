//! What would have helped: each with what was seen, and the key of the plan to change.

use std::collections::BTreeMap;

use super::hindsight::Move;
use super::sizes::median;
use super::{Handover, Recommendation, Retro, Segment};
use crate::id::{GateName, Oid, WorkerId};
use crate::plan::Plan;
use crate::text::{bounded, counted};
use crate::time::{Seconds, about};

/// More would not be read.
const MOST: usize = 5;
/// Of one kind.
const MOST_ALIKE: usize = 2;
/// How many workers a sentence names.
const NAMED: usize = 4;
/// What cost less is no finding.
const LITTLE: Seconds = 5 * 60;

/// One worker's blocked stretch, with what it said.
#[derive(Clone, Debug)]
pub(super) struct Block<'a> {
    pub(super) worker: &'a WorkerId,
    pub(super) segment: &'a Segment,
    pub(super) reason: String,
}

/// Commits that show where workers left their scope, and signals that were not understood.
#[derive(Clone, Debug, Default)]
pub(super) struct Lapses {
    pub(super) near_misses: Vec<(WorkerId, Oid)>,
    pub(super) silent: Vec<WorkerId>,
    /// Of each worker, the newest commit.
    pub(super) tips: BTreeMap<WorkerId, Oid>,
}

/// Returns what would have helped most.
pub(super) fn advice(
    plan: &Plan,
    retro: &Retro,
    blocks: &[Block<'_>],
    lapses: &Lapses,
) -> Vec<Recommendation> {
    let kinds = [
        handovers(retro),
        blocked(blocks),
        collisions(retro, lapses),
        scopes(retro, lapses),
        owners(retro),
        longest(retro, lapses),
        sizes(retro, lapses),
        red_gates(plan, retro),
        flaky_gates(retro),
        split(retro, lapses),
        conventions(lapses),
    ];
    let alike = |mut kind: Vec<Recommendation>| {
        kind.sort_by_key(|one| Seconds::MAX - one.cost_seconds);
        kind.truncate(MOST_ALIKE);
        kind
    };
    let mut all: Vec<Recommendation> = kinds.into_iter().flat_map(alike).collect();
    all.sort_by_key(|one| Seconds::MAX - one.cost_seconds);
    all.truncate(MOST);
    all
}

/// One item that several workers waited for is one finding.
fn handovers(retro: &Retro) -> Vec<Recommendation> {
    let is_unnoticed = |one: &Handover| one.unnoticed_seconds * 2 > one.waited_seconds;
    let mut items: BTreeMap<_, Vec<&Handover>> = BTreeMap::new();
    for one in &retro.handovers {
        items.entry((is_unnoticed(one), &one.from, &one.item)).or_default().push(one);
    }
    let one = |((unnoticed, from, item), all): ((bool, &WorkerId, &String), Vec<&Handover>)| {
        let mut waiting: Vec<WorkerId> = all.iter().map(|one| one.to.clone()).collect();
        waiting.dedup();
        let who = names(&waiting);
        let sum = |of: fn(&Handover) -> Seconds| all.iter().map(|one| of(one)).sum();
        let waited: Seconds = sum(|one| one.waited_seconds);
        let there = about(sum(|one| one.unnoticed_seconds));
        let evidence = format!("{who} waited {} for {item} of {from}", about(waited));
        let (evidence, key, change) = match unnoticed {
            true => (
                format!("{evidence}, which had been there for {there}"),
                "habit",
                "Keep pw-monitor wait running, and resume a worker when its item is there"
                    .to_owned(),
            ),
            false => (
                evidence,
                "after",
                format!("Make {item} a worker of its own, first, and let {who} come after it"),
            ),
        };
        Recommendation {
            workers: std::iter::once(from.clone()).chain(waiting).collect(),
            evidence,
            commits: all.iter().map(|one| one.commit.clone()).take(MOST).collect(),
            key: key.to_owned(),
            change,
            cost_seconds: waited,
        }
    };
    items.into_iter().map(one).filter(|one| one.cost_seconds >= LITTLE).collect()
}

/// One question that several workers had is one finding.
fn blocked(blocks: &[Block<'_>]) -> Vec<Recommendation> {
    let mut reasons: BTreeMap<&str, Vec<&Block<'_>>> = BTreeMap::new();
    for block in blocks {
        reasons.entry(&block.reason).or_default().push(block);
    }
    let one = |(reason, all): (&str, Vec<&Block<'_>>)| {
        let mut workers: Vec<WorkerId> = all.iter().map(|block| block.worker.clone()).collect();
        workers.dedup();
        let (who, cost) = (names(&workers), all.iter().map(|block| block.segment.seconds()).sum());
        Recommendation {
            evidence: format!("{who} blocked for {}: {reason}", about(cost)),
            commits: all
                .iter()
                .filter_map(|block| block.segment.commit.clone())
                .take(MOST)
                .collect(),
            key: "notes".to_owned(),
            change: format!("Answer beforehand in the notes of {who}: {reason}"),
            cost_seconds: cost,
            workers,
        }
    };
    reasons.into_iter().map(one).filter(|one| one.cost_seconds >= LITTLE).collect()
}

fn tips(lapses: &Lapses, workers: &[WorkerId]) -> Vec<Oid> {
    workers.iter().filter_map(|id| lapses.tips.get(id).cloned()).collect()
}

/// Returns the names of workers in words; of many, the first few.
fn names(workers: &[WorkerId]) -> String {
    let shown: Vec<&str> = workers.iter().take(NAMED).map(WorkerId::as_str).collect();
    match workers.len().saturating_sub(NAMED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Files in which workers collided: a file costs what the stops of its workers cost.
fn collisions(retro: &Retro, lapses: &Lapses) -> Vec<Recommendation> {
    let mut files: BTreeMap<_, Vec<WorkerId>> = BTreeMap::new();
    for conflict in &retro.conflicts {
        for path in &conflict.paths {
            let known = files.entry(path).or_default();
            known.extend(
                conflict
                    .workers
                    .iter()
                    .filter(|id| !known.contains(id))
                    .cloned()
                    .collect::<Vec<_>>(),
            );
        }
    }
    let one = |(path, mut workers): (&crate::path::RepoPath, Vec<WorkerId>)| {
        workers.sort();
        let stops = retro.stops.iter().filter(|stop| workers.contains(&stop.worker));
        let (mut commits, cost) = stops.fold((Vec::new(), 0), |(mut commits, cost), stop| {
            commits.push(stop.commit.clone());
            (commits, cost + stop.seconds)
        });
        if commits.is_empty() {
            commits = tips(lapses, &workers);
        }
        let who = names(&workers);
        let is_shared =
            retro.overlaps.iter().any(|overlap| overlap.path == *path && !overlap.unshared);
        let (key, change) = match is_shared {
            true => ("shared", format!("Give {path} to one worker that comes after {who}")),
            false => ("owns", format!("Give {path} to one of {who}")),
        };
        Recommendation {
            evidence: format!("{who} do not merge in {path}"),
            workers,
            commits,
            key: key.to_owned(),
            change,
            cost_seconds: cost.max(LITTLE),
        }
    };
    files.into_iter().map(one).collect()
}

fn scopes(retro: &Retro, lapses: &Lapses) -> Vec<Recommendation> {
    let outside = retro.workers.iter().filter(|worker| !worker.out_of_scope.is_empty());
    let one = |worker: &super::WorkerRetro| {
        let shown: Vec<String> =
            worker.out_of_scope.iter().take(3).map(ToString::to_string).collect();
        let (id, files) = (&worker.id, counted(worker.out_of_scope.len(), "file"));
        Recommendation {
            workers: vec![id.clone()],
            evidence: format!("{id} changed {files} outside its scope"),
            commits: tips(lapses, std::slice::from_ref(id)),
            key: "owns".to_owned(),
            change: bounded(
                &format!("Add to {id}, or name another owner of: {}", shown.join(", ")),
                300,
            ),
            cost_seconds: LITTLE,
        }
    };
    outside.map(one).collect()
}

/// Folders and files that other workers should have owned: one finding, since the moves belong together.
fn owners(retro: &Retro) -> Vec<Recommendation> {
    let Some(found) = retro.hindsight.as_ref().filter(|found| !found.moves.is_empty()) else {
        return Vec::new();
    };
    let moved = |one: &Move| format!("{} to {} in place of {}", one.glob, one.to, one.from);
    let moves: Vec<String> = found.moves.iter().map(moved).collect();
    let mut workers: Vec<WorkerId> =
        found.moves.iter().flat_map(|one| [one.from.clone(), one.to.clone()]).collect();
    workers.sort();
    workers.dedup();
    let (own, least) = (about(found.own_seconds), about(found.least_seconds));
    let sure = found.sure * 100.0;
    let commits = found.moves.iter().flat_map(|one| &one.commits).take(MOST).cloned().collect();
    vec![Recommendation {
        workers,
        evidence: format!("Without pauses the work of the run takes {own}, with these owners {least}; faster in {sure:.0} of 100 trials"),
        commits,
        key: "owns".to_owned(),
        change: bounded(&format!("Give {}", moves.join(", ")), 300),
        cost_seconds: found.own_seconds - found.least_seconds,
    }]
    .into_iter()
    .filter(|one| one.cost_seconds >= LITTLE)
    .collect()
}

fn longest(retro: &Retro, lapses: &Lapses) -> Vec<Recommendation> {
    let mut busy: Vec<Seconds> = retro.workers.iter().map(|worker| worker.busy_seconds).collect();
    busy.retain(|seconds| *seconds > 0);
    busy.sort_unstable();
    let longest = retro.workers.iter().max_by_key(|worker| worker.busy_seconds);
    let (Some(middle), Some(longest)) = (median(&busy), longest) else { return Vec::new() };
    let beyond = longest.busy_seconds - middle;
    if busy.len() < 3 || longest.busy_seconds < middle.saturating_mul(2) || beyond < LITTLE {
        return Vec::new();
    }
    let (id, took) = (&longest.id, about(longest.busy_seconds));
    // Hindsight says better which part of its work to give away.
    let moves = retro.hindsight.iter().flat_map(|found| &found.moves);
    if moves.into_iter().any(|one| one.from == *id) {
        return Vec::new();
    }
    vec![Recommendation {
        workers: vec![id.clone()],
        evidence: format!("{id} took {took}, the others {} as a rule", about(middle)),
        commits: tips(lapses, std::slice::from_ref(id)),
        key: "workers".to_owned(),
        change: format!("Split {id} in two"),
        cost_seconds: beyond,
    }]
}

fn sizes(retro: &Retro, lapses: &Lapses) -> Vec<Recommendation> {
    let off = |worker: &super::WorkerRetro| {
        let against = worker.against_estimate.filter(|against| *against >= 2.0)?;
        let (id, size) = (&worker.id, worker.size?);
        Some(Recommendation {
            workers: vec![id.clone()],
            evidence: format!("{id} took {against} times what {size:?} promised"),
            commits: tips(lapses, std::slice::from_ref(id)),
            key: "size".to_owned(),
            change: format!("Give work like that of {id} the next larger size"),
            cost_seconds: LITTLE,
        })
    };
    retro.workers.iter().filter_map(off).collect()
}

fn red_gates(plan: &Plan, retro: &Retro) -> Vec<Recommendation> {
    let one = |red: &super::RedRetro| {
        let whose =
            if red.workers.is_empty() { "all together".to_owned() } else { names(&red.workers) };
        // Each of several passes alone: a gate before its end would have said nothing.
        let (key, change) = match plan.verify_on_complete || red.workers.len() > 1 {
            true => {
                ("after", format!("Let the parts of {whose} that meet come one after the other"))
            }
            false => (
                "verify_on_complete",
                "Switched on, a worker is complete only when the gate passes".to_owned(),
            ),
        };
        Recommendation {
            workers: red.workers.clone(),
            evidence: format!("the gate {} did not pass: {whose}", red.gate),
            commits: vec![red.commit.clone()],
            key: key.to_owned(),
            change,
            cost_seconds: (retro.gates.seconds
                / Seconds::try_from(retro.gates.red.len()).unwrap_or(1))
            .max(LITTLE),
        }
    };
    let red = &retro.gates.red;
    // Asked once more, the gate said the same of the same commit, or whose it is.
    let is_said_later = |at: usize| {
        red[at + 1..]
            .iter()
            .any(|next| (&next.gate, &next.commit) == (&red[at].gate, &red[at].commit))
    };
    (0..red.len()).filter(|at| !is_said_later(*at)).map(|at| one(&red[at])).collect()
}

fn flaky_gates(retro: &Retro) -> Vec<Recommendation> {
    if retro.gates.flaky.is_empty() {
        return Vec::new();
    }
    let names: Vec<&str> = retro.gates.flaky_names.iter().map(GateName::as_str).collect();
    let which = if names.is_empty() { "a gate".to_owned() } else { names.join(", ") };
    vec![Recommendation {
        workers: Vec::new(),
        evidence: format!(
            "{which} failed and then passed on {}",
            counted(retro.gates.flaky.len(), "tree")
        ),
        commits: retro.gates.flaky.clone(),
        key: "verify".to_owned(),
        change: "Leave the test out that is sometimes red, until it is mended".to_owned(),
        cost_seconds: LITTLE,
    }]
}

fn split(retro: &Retro, lapses: &Lapses) -> Vec<Recommendation> {
    let busy = retro.workers.iter().filter(|worker| worker.busy_seconds > 0).count();
    let little = retro.parallelism.filter(|parallelism| *parallelism < 1.3 && busy > 2);
    let one = |parallelism: f64| Recommendation {
        workers: Vec::new(),
        evidence: format!("of {busy} workers {parallelism} were busy on average"),
        commits: lapses.tips.values().take(MOST).cloned().collect(),
        key: "workers".to_owned(),
        change: "Split into fewer workers, or do it in one session".to_owned(),
        cost_seconds: retro.times.blocked_seconds
            + retro.times.waiting_seconds
            + retro.times.idle_seconds,
    };
    little.map(one).into_iter().collect()
}

fn conventions(lapses: &Lapses) -> Vec<Recommendation> {
    let mut all = Vec::new();
    if let [(worker, _), ..] = &lapses.near_misses[..] {
        let mut workers: Vec<WorkerId> =
            lapses.near_misses.iter().map(|(id, _)| id.clone()).collect();
        workers.dedup();
        all.push(Recommendation {
            evidence: format!(
                "{} only looked like signals, of {worker} first",
                counted(lapses.near_misses.len(), "subject")
            ),
            workers,
            commits: lapses
                .near_misses
                .iter()
                .map(|(_, commit)| commit.clone())
                .take(MOST)
                .collect(),
            key: "habit".to_owned(),
            change: "Let workers signal with pw-worker, not with git commit".to_owned(),
            cost_seconds: 60,
        });
    }
    if !lapses.silent.is_empty() {
        all.push(Recommendation {
            evidence: format!("planned checkpoints were not said: {}", names(&lapses.silent)),
            commits: tips(lapses, &lapses.silent),
            workers: lapses.silent.clone(),
            key: "checkpoints".to_owned(),
            change: "Name fewer of them, each something that is seen when it is done".to_owned(),
            cost_seconds: 60,
        });
    }
    all
}
