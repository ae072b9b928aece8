//! The critical path: how long the run had to take, whatever the number of workers.

use std::collections::{HashMap, HashSet};

use super::{CriticalPath, Lane, Step, TimeKind};
use crate::plan::Plan;
use crate::time::Seconds;

/// When a worker could have been where it was at a certain time, had no worker ever been blocked,
/// idle or late.
#[derive(Clone, Debug, Default)]
struct Reached {
    seconds: Seconds,
    /// The steps that lead there: each a worker, by its index, and its time.
    steps: Vec<(usize, Seconds)>,
}

struct Run<'a> {
    /// The workers that each one builds upon.
    after: Vec<Vec<usize>>,
    lanes: &'a [Lane],
    /// The index of the worker that a waiting stretch waits for.
    index: HashMap<&'a str, usize>,
    known: HashMap<(usize, Seconds), Reached>,
    /// What is being asked: workers that wait for each other are not followed in circles.
    asked: HashSet<(usize, Seconds)>,
}

/// Returns the longest chain of busy stretches in which each needed the one before: the same
/// worker's, that of a worker it builds upon, or that of one it waited for and took something from.
pub(super) fn critical_path(plan: &Plan, lanes: &[Lane]) -> Option<CriticalPath> {
    let index: HashMap<&str, usize> =
        plan.ids().enumerate().map(|(at, id)| (id.as_str(), at)).collect();
    let place = |id: &crate::id::WorkerId| index.get(id.as_str()).copied();
    let after = |worker: &crate::plan::Worker| worker.after.iter().filter_map(place).collect();
    let after = plan.workers.iter().map(after).collect();
    let (known, asked) = (HashMap::new(), HashSet::new());
    let mut run = Run { after, lanes, index, known, asked };
    let ends = (0..lanes.len()).map(|at| run.reach(at, Seconds::MAX));
    let longest = ends.reduce(|a, b| if b.seconds > a.seconds { b } else { a })?;
    let step = |(at, seconds): &(usize, Seconds)| Step {
        worker: plan.workers[*at].id.clone(),
        seconds: *seconds,
    };
    let steps = longest.steps.iter().map(step).collect();
    (longest.seconds > 0).then_some(CriticalPath { seconds: longest.seconds, steps })
}

impl Run<'_> {
    /// Returns the shortest way to what a worker had done by `until`.
    fn reach(&mut self, worker: usize, until: Seconds) -> Reached {
        if let Some(known) = self.known.get(&(worker, until)) {
            return known.clone();
        }
        if !self.asked.insert((worker, until)) {
            return Reached::default();
        }
        let lane = &self.lanes[worker];
        let mut reached = Reached::default();
        let began = lane.began().unwrap_or(Seconds::MAX).min(until);
        for before in self.after[worker].clone() {
            reached.wait_for(self.reach(before, began));
        }
        for segment in lane.segments.iter().take_while(|segment| segment.from < until) {
            let end = segment.until.min(until);
            let other = segment.needs.as_ref().and_then(|(id, _)| self.index.get(id.as_str()));
            match (segment.kind, other.copied()) {
                (TimeKind::Busy, _) => reached.work(worker, end - segment.from),
                (TimeKind::Waiting, Some(other)) if !segment.is_open && other != worker => {
                    reached.wait_for(self.reach(other, end));
                }
                _ => {}
            }
        }
        self.asked.remove(&(worker, until));
        self.known.insert((worker, until), reached.clone());
        reached
    }
}

impl Reached {
    fn wait_for(&mut self, other: Self) {
        if other.seconds > self.seconds {
            *self = other;
        }
    }

    fn work(&mut self, worker: usize, seconds: Seconds) {
        self.seconds += seconds;
        match self.steps.last_mut() {
            Some((last, sum)) if *last == worker => *sum += seconds,
            _ => self.steps.push((worker, seconds)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Segment;
    use super::*;

    fn plan(after: &str) -> Plan {
        let text = format!(
            "workflow: w\ngoal: g\nworkers:\n\
             \x20 - {{id: a, name: a, owns: [a]}}\n\
             \x20 - {{id: b, name: b, owns: [b], after: [{after}]}}\n\
             \x20 - {{id: c, name: c, owns: [c]}}\n"
        );
        Plan::parse(&text).unwrap()
    }

    /// `kind from until`, and whom a waiting stretch waits for.
    fn lane(stretches: &[(TimeKind, Seconds, Seconds, &str)]) -> Lane {
        let segment = |(kind, from, until, needs): &(TimeKind, Seconds, Seconds, &str)| Segment {
            kind: *kind,
            from: *from,
            until: *until,
            commit: None,
            needs: needs.parse().ok().map(|id| (id, "X".to_owned())),
            is_open: false,
        };
        Lane { segments: stretches.iter().map(segment).collect(), completed: None }
    }

    fn path(plan: &Plan, lanes: &[Lane]) -> (Seconds, Vec<(String, Seconds)>) {
        let path = critical_path(plan, lanes).unwrap();
        let steps = path.steps.into_iter().map(|step| (step.worker.to_string(), step.seconds));
        (path.seconds, steps.collect())
    }

    #[test]
    fn the_longest_chain_of_work_counts_and_nothing_between() {
        use TimeKind::{Blocked, Busy, Idle, Waiting};
        let lanes = [
            lane(&[(Busy, 0, 100, ""), (Blocked, 100, 300, ""), (Busy, 300, 350, "")]),
            lane(&[(Idle, 400, 450, ""), (Busy, 450, 550, "")]),
            lane(&[(Busy, 0, 120, "")]),
        ];
        let steps = |steps: &[(&str, Seconds)]| -> Vec<(String, Seconds)> {
            steps.iter().map(|(id, seconds)| ((*id).to_owned(), *seconds)).collect()
        };
        assert_eq!(path(&plan("a"), &lanes), (250, steps(&[("a", 150), ("b", 100)])));
        assert_eq!(path(&plan(""), &lanes), (150, steps(&[("a", 150)])));
        // c needs what a has done by 100; what a did later is nothing to c.
        let lanes = [
            lanes[0].clone(),
            lane(&[]),
            lane(&[(Busy, 0, 30, ""), (Waiting, 30, 110, "a"), (Busy, 110, 200, "")]),
        ];
        assert_eq!(path(&plan(""), &lanes), (190, steps(&[("a", 100), ("c", 90)])));
    }

    #[test]
    fn workers_that_wait_for_each_other_end_somewhere() {
        use TimeKind::{Busy, Waiting};
        let lanes = [
            lane(&[(Busy, 0, 10, ""), (Waiting, 10, 50, "b"), (Busy, 50, 60, "")]),
            lane(&[(Busy, 0, 10, ""), (Waiting, 10, 50, "a"), (Busy, 50, 70, "")]),
            lane(&[]),
        ];
        assert!(path(&plan(""), &lanes).0 <= 70);
        assert_eq!(critical_path(&plan(""), &[lane(&[]), lane(&[]), lane(&[])]), None);
    }
}
