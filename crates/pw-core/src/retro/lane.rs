//! Where a worker's lifetime went: busy, blocked, waiting, idle, without gap or overlap.

use super::{Lane, Segment, TimeKind, Times};
use crate::id::{Oid, WorkerId};
use crate::signal::Signal;
use crate::time::Seconds;

/// How long a worker that commits nothing counts as busy. People and laptops sleep; sessions seldom
/// work this long without a word.
pub(super) const SILENCE: Seconds = 2 * 60 * 60;

/// What is known of one worker, with times that are believed.
#[derive(Debug, Default)]
pub(super) struct Course {
    /// When its lifetime begins: with its creation, or its first commit; `None` before both.
    pub(super) from: Option<Seconds>,
    /// When its first session was started, if that was recorded.
    pub(super) launched: Option<Seconds>,
    /// In their order on the branch; times never fall.
    pub(super) signs: Vec<Sign>,
    /// Until when it lasts, while it is not done.
    pub(super) open_until: Option<Seconds>,
}

/// One commit of a worker.
#[derive(Clone, Debug)]
pub(super) struct Sign {
    pub(super) at: Seconds,
    pub(super) commit: Oid,
    /// `None` for a commit without one.
    pub(super) signal: Option<Signal>,
}

/// What a worker does from one sign to the next.
struct Doing {
    kind: TimeKind,
    commit: Option<Oid>,
    needs: Option<(WorkerId, String)>,
}

impl Doing {
    fn new(kind: TimeKind, commit: Option<&Oid>) -> Self {
        Self { kind, commit: commit.cloned(), needs: None }
    }

    /// Returns what a commit begins; `None` if all goes on as before.
    fn after(&self, sign: &Sign, is_complete: bool) -> Option<Self> {
        let begin = |kind| Some(Self::new(kind, Some(&sign.commit)));
        match &sign.signal {
            Some(Signal::Checkpoint) => begin(TimeKind::Busy),
            Some(Signal::Complete) => begin(TimeKind::Idle),
            Some(Signal::Blocked { .. }) => begin(TimeKind::Blocked),
            Some(Signal::Needs { worker, item }) => Some(Self {
                needs: Some((worker.clone(), item.clone())),
                ..Self::new(TimeKind::Waiting, Some(&sign.commit))
            }),
            // Blocked and waiting last until the next signal; complete, until the next commit.
            None => (is_complete || self.kind == TimeKind::Busy)
                .then(|| Self::new(TimeKind::Busy, Some(&sign.commit))),
        }
    }
}

/// Cuts a worker's lifetime into stretches of one kind each.
pub(super) fn lane(course: &Course) -> Lane {
    let Some(from) = course.from else { return Lane::default() };
    let mut lane = Lane::default();
    let first = course.signs.first().map(|sign| sign.at).or(course.open_until);
    let launched =
        course.launched.filter(|at| *at > from && first.is_some_and(|first| *at <= first));
    let (mut since, mut doing) = (from, Doing::new(TimeKind::Busy, None));
    if let Some(launched) = launched {
        lane.add(&Doing::new(TimeKind::Idle, None), from, launched, false);
        since = launched;
    }
    let mut is_complete = false;
    for sign in &course.signs {
        if let Some(next) = doing.after(sign, is_complete) {
            lane.add(&doing, since, sign.at, false);
            (since, doing) = (sign.at, next);
            is_complete = sign.signal == Some(Signal::Complete);
        }
        if is_complete {
            lane.completed.get_or_insert(sign.at);
        }
    }
    if let Some(until) = course.open_until {
        lane.add(&doing, since, until, true);
    }
    lane
}

impl Lane {
    fn add(&mut self, doing: &Doing, from: Seconds, until: Seconds, is_open: bool) {
        let mut push = |kind, from: Seconds, until: Seconds| {
            if until > from {
                let Doing { commit, needs, .. } = doing;
                let (commit, needs) = (commit.clone(), needs.clone());
                self.segments.push(Segment { kind, from, until, commit, needs, is_open });
            }
        };
        let silent = from.saturating_add(SILENCE).min(until);
        match doing.kind {
            TimeKind::Busy => {
                push(TimeKind::Busy, from, silent);
                push(TimeKind::Idle, silent, until);
            }
            kind => push(kind, from, until),
        }
    }

    /// Adds up what each kind took.
    pub(super) fn times(&self) -> Times {
        let of = |kind| {
            let segments = self.segments.iter().filter(|segment| segment.kind == kind);
            segments.map(Segment::seconds).sum()
        };
        let [busy_seconds, blocked_seconds, waiting_seconds, idle_seconds] = TimeKind::ALL.map(of);
        let lifetime_seconds = match (self.began(), self.ended()) {
            (Some(from), Some(until)) => until - from,
            _ => 0,
        };
        Times { lifetime_seconds, busy_seconds, blocked_seconds, waiting_seconds, idle_seconds }
    }
}

impl std::iter::Sum for Times {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, next| Self {
            lifetime_seconds: sum.lifetime_seconds + next.lifetime_seconds,
            busy_seconds: sum.busy_seconds + next.busy_seconds,
            blocked_seconds: sum.blocked_seconds + next.blocked_seconds,
            waiting_seconds: sum.waiting_seconds + next.waiting_seconds,
            idle_seconds: sum.idle_seconds + next.idle_seconds,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const M: Seconds = 60;

    fn course(words: &[(Seconds, &str)], open_until: Option<Seconds>) -> Course {
        let sign = |(at, word): &(Seconds, &str)| Sign {
            at: *at,
            commit: "a".repeat(40).parse().unwrap(),
            signal: match *word {
                "checkpoint" => Some(Signal::Checkpoint),
                "blocked" => Some(Signal::Blocked { reason: "key".to_owned() }),
                "needs" => {
                    Some(Signal::Needs { worker: "b".parse().unwrap(), item: "X".to_owned() })
                }
                "complete" => Some(Signal::Complete),
                _ => None,
            },
        };
        let signs = words.iter().map(sign).collect();
        Course { from: Some(0), launched: None, signs, open_until }
    }

    /// Busy, blocked, waiting and idle minutes.
    fn minutes(course: &Course) -> [Seconds; 4] {
        let times = lane(course).times();
        let parts = TimeKind::ALL.map(|kind| times.of(kind));
        assert_eq!(parts.iter().sum::<Seconds>(), times.lifetime_seconds);
        parts.map(|seconds| seconds / M)
    }

    #[test]
    fn each_minute_is_of_one_kind() {
        for (words, open_until, expected) in [
            (&[(10 * M, "checkpoint"), (30 * M, "complete")][..], None, [30, 0, 0, 0]),
            // Blocked until the next signal, whatever is committed meanwhile.
            (
                &[(10 * M, "blocked"), (15 * M, ""), (40 * M, "checkpoint"), (50 * M, "complete")],
                None,
                [20, 30, 0, 0],
            ),
            (&[(10 * M, "needs"), (25 * M, "blocked"), (30 * M, "complete")], None, [10, 5, 15, 0]),
            // Complete, and reopened by any commit.
            (&[(10 * M, "complete"), (40 * M, ""), (50 * M, "complete")], None, [20, 0, 0, 30]),
            // What goes on goes on until now.
            (&[(10 * M, "blocked")], Some(90 * M), [10, 80, 0, 0]),
            (&[], Some(90 * M), [90, 0, 0, 0]),
            (&[], None, [0, 0, 0, 0]),
            // A night between two commits is no work.
            (&[(10 * M, "checkpoint"), (610 * M, "complete")], None, [130, 0, 0, 480]),
            (&[(600 * M, ""), (601 * M, "complete")], None, [121, 0, 0, 480]),
        ] {
            assert_eq!(minutes(&course(words, open_until)), expected, "{words:?}");
        }
    }

    #[test]
    fn nobody_works_before_the_launch() {
        let mut launched = course(&[(30 * M, "complete")], None);
        launched.launched = Some(20 * M);
        assert_eq!(minutes(&launched), [10, 0, 0, 20]);
        // A second session says nothing about the time before it.
        launched.launched = Some(40 * M);
        assert_eq!(minutes(&launched), [30, 0, 0, 0]);
    }
}
