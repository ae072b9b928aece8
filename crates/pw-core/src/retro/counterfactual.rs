//! What one worker fewer or more would have given: the run's own work, scheduled anew.
//!
//! A worker's part is its busy time. Told is a range: at best all goes on without a pause, at worst as much
//! is lost around the work as in the run itself, and of a part that is cut in two nothing is gained.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Lane, TimeKind, Times};
use crate::id::WorkerId;
use crate::plan::Plan;
use crate::text::counted;
use crate::time::{Seconds, about};

/// The run with another number of workers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counterfactual {
    /// How many would have worked.
    pub workers: usize,
    /// At best.
    pub least_seconds: Seconds,
    /// At worst.
    pub most_seconds: Seconds,
    /// The same in one sentence, with what would have been done otherwise.
    pub text: String,
}

/// A part of the work: how long it takes, and the parts before it.
#[derive(Clone, Debug)]
struct Part {
    seconds: Seconds,
    after: Vec<usize>,
}

/// Returns the run with one worker fewer and one more, as far as that can be told of a run that took
/// `elapsed`.
pub(super) fn counterfactuals(
    plan: &Plan,
    lanes: &[Lane],
    times: &[Times],
    elapsed: Seconds,
) -> Vec<Counterfactual> {
    let place = |id: &WorkerId| plan.ids().position(|known| known == id);
    let part = |(worker, times): (&crate::plan::Worker, &Times)| Part {
        seconds: times.busy_seconds,
        after: worker.after.iter().filter_map(place).collect(),
    };
    let parts: Vec<Part> = plan.workers.iter().zip(times).map(part).collect();
    let count = parts.iter().filter(|part| part.seconds > 0).count();
    let best = duration(&parts, count);
    if count < 2 || best == 0 || elapsed < best {
        return Vec::new();
    }
    let told = |workers, least: Seconds, most: Seconds, what: &str| {
        let (from, to) = (about(least), about(most));
        let count = counted(workers, "worker");
        let text = format!("with {count} ({what}) {from} to {to} instead of {}", about(elapsed));
        Counterfactual { workers, least_seconds: least, most_seconds: most, text }
    };
    let fewer = duration(&parts, count - 1);
    // What was lost around the work in this run: waiting, merging, pauses.
    let most = fewer.saturating_mul(elapsed) / best;
    let mut all = vec![told(count - 1, fewer, most, "two parts one after the other")];
    let longest = (0..parts.len()).max_by_key(|at| parts[*at].seconds).unwrap_or_default();
    if let Some(halves) = halves(&parts, longest, &lanes[longest]) {
        let what = format!("the part of {} cut in two at a checkpoint", plan.workers[longest].id);
        all.push(told(count + 1, duration(&halves, count + 1), elapsed, &what));
    }
    all
}

/// Returns the parts with one of them cut in two, at the commit nearest to its middle; `None` where it has
/// none.
fn halves(parts: &[Part], longest: usize, lane: &Lane) -> Option<Vec<Part>> {
    let whole = parts[longest].seconds;
    let busy = lane.segments.iter().filter(|segment| segment.kind == TimeKind::Busy);
    let mut done = 0;
    let cuts = busy.map(|segment| {
        done += segment.seconds();
        done
    });
    let cuts = cuts.filter(|at| (1..whole).contains(at));
    let first = cuts.min_by_key(|at| (whole - 2 * at).abs())?;
    let mut parts = parts.to_vec();
    let second = parts.len();
    let rest = Part { seconds: whole - first, after: parts[longest].after.clone() };
    parts[longest].seconds = first;
    for part in &mut parts {
        if part.after.contains(&longest) {
            part.after.push(second);
        }
    }
    parts.push(rest);
    Some(parts)
}

/// Returns how long so many workers take for these parts: a worker that is free begins the part that most is
/// still waiting for.
fn duration(parts: &[Part], workers: usize) -> Seconds {
    let tails: Vec<Seconds> = (0..parts.len()).map(|at| tail(parts, at, parts.len())).collect();
    let mut ends: Vec<Option<Seconds>> = vec![None; parts.len()];
    let mut free = vec![0; workers.max(1)];
    for _ in 0..parts.len() {
        let ready = |at: &usize| {
            ends[*at].is_none() && parts[*at].after.iter().all(|before| ends[*before].is_some())
        };
        let since = |at: usize| {
            parts[at].after.iter().filter_map(|before| ends[*before]).max().unwrap_or_default()
        };
        let Some(hand) = (0..free.len()).min_by_key(|hand| free[*hand]) else { break };
        // Of what can begin soonest, what most is still waiting for.
        let next = (0..parts.len())
            .filter(ready)
            .min_by_key(|at| (since(*at).max(free[hand]), -tails[*at]));
        let Some(next) = next else { break };
        let begin = since(next).max(free[hand]);
        free[hand] = begin + parts[next].seconds;
        ends[next] = Some(free[hand]);
    }
    ends.into_iter().flatten().max().unwrap_or_default()
}

/// Returns the longest chain of work that begins with a part; `depth` ends a circle.
fn tail(parts: &[Part], at: usize, depth: usize) -> Seconds {
    let later = (0..parts.len()).filter(|other| depth > 0 && parts[*other].after.contains(&at));
    let longest = later.map(|other| tail(parts, other, depth - 1)).max().unwrap_or_default();
    parts[at].seconds + longest
}

#[cfg(test)]
mod tests {
    use super::super::Segment;
    use super::*;

    fn parts(all: &[(Seconds, &[usize])]) -> Vec<Part> {
        let part = |(seconds, after): &(Seconds, &[usize])| Part {
            seconds: *seconds,
            after: after.to_vec(),
        };
        all.iter().map(part).collect()
    }

    #[test]
    fn work_is_scheduled_as_workers_become_free() {
        let three = parts(&[(60, &[]), (40, &[]), (30, &[])]);
        assert_eq!([1, 2, 3, 4].map(|workers| duration(&three, workers)), [130, 70, 60, 60]);
        let chain = parts(&[(60, &[]), (40, &[0]), (30, &[])]);
        assert_eq!([1, 2, 3].map(|workers| duration(&chain, workers)), [130, 100, 100]);
        // The part that another waits for begins first, though it is the shorter one.
        let early = parts(&[(50, &[]), (20, &[]), (40, &[1])]);
        assert_eq!(duration(&early, 2), 60);
        assert_eq!(duration(&parts(&[(5, &[1]), (5, &[0])]), 2), 0);
    }

    #[test]
    fn one_fewer_and_one_more_are_ranges_around_the_run() {
        let text = "workflow: w\nworkers:\n  - {id: a, name: a, owns: [a]}\n  - {id: b, name: b, owns: [b]}\n";
        let plan = Plan::parse(text).unwrap();
        let lane = |stretches: &[(Seconds, Seconds)]| Lane {
            segments: stretches
                .iter()
                .map(|(from, until)| Segment {
                    kind: TimeKind::Busy,
                    from: *from,
                    until: *until,
                    commit: None,
                    needs: None,
                    is_open: false,
                })
                .collect(),
            completed: None,
        };
        let busy = |seconds| Times { busy_seconds: seconds, ..Times::default() };
        let lanes = [lane(&[(0, 900), (900, 3600)]), lane(&[(0, 1200)])];
        let told = counterfactuals(&plan, &lanes, &[busy(3600), busy(1200)], 5400);
        let ranges: Vec<_> =
            told.iter().map(|one| (one.workers, one.least_seconds, one.most_seconds)).collect();
        assert_eq!(ranges, [(1, 4800, 7200), (3, 2700, 5400)]);
        assert!(told[1].text.contains("the part of a cut in two"), "{}", told[1].text);
        // A part of one piece cannot be cut; of one worker alone nothing is told.
        let lanes = [lane(&[(0, 3600)]), lane(&[(0, 1200)])];
        assert_eq!(counterfactuals(&plan, &lanes, &[busy(3600), busy(1200)], 5400).len(), 1);
        assert_eq!(counterfactuals(&plan, &lanes, &[busy(3600), busy(0)], 5400), []);
        assert_eq!(counterfactuals(&plan, &lanes, &[busy(3600), busy(1200)], 0), []);
    }
}
