//! From facts to the numbers of a run, finished or not.

use std::collections::BTreeMap;

use super::advice::{Block, Lapses, advice};
use super::clock::{Believed, believe};
use super::counterfactual::counterfactuals;
use super::critical::critical_path;
use super::files::{Heat, heat, overlaps};
use super::grade::{Marks, grade};
use super::hindsight::{Closer, hindsight};
use super::lane::{Course, Sign, lane};
use super::merges::{allowed, gates, stops};
use super::pieces::Work;
use super::sizes::{against_estimates, balance, ratio, rounded, sizes};
use super::timeline::timeline;
use super::{
    Grade, Handover, Lane, Missing, MissingKind, Moment, Retro, TimeKind, Times, WorkerRetro,
    WrongClock,
};
use crate::conflict::Conflict;
use crate::facts::Facts;
use crate::history::Commit;
use crate::id::WorkerId;
use crate::own_commits::OwnCommits;
use crate::plan::{Plan, Worker};
use crate::record::{Event, Record};
use crate::session::Usage;
use crate::signal::{self, Signal, Subject};
use crate::status::{State, WorkerStatus};
use crate::text::{bounded, counted};
use crate::time::{Seconds, about, rfc3339};

/// The numbers of a run, and what a picture of it needs besides.
#[derive(Clone, Debug)]
pub struct Review {
    /// The numbers.
    pub retro: Retro,
    /// In the order of the plan, as are the columns of `heat`.
    pub lanes: Vec<Lane>,
    /// Everything that happened, the oldest first.
    pub moments: Vec<Moment>,
    /// Who changed which files.
    pub heat: Heat,
    /// When the run began, and when it ended or now.
    pub span: (Seconds, Seconds),
}

/// What was read of one worker.
struct Part<'a> {
    worker: &'a Worker,
    work: &'a OwnCommits<'a>,
    status: &'a WorkerStatus,
    believed: Believed,
    course: Course,
    lane: Lane,
    times: Times,
}

/// Returns whether a run has landed, or every worker of it is done.
pub fn is_over(record: &Record, states: &[WorkerStatus]) -> bool {
    record.finished.is_some() || states.iter().all(|status| status.state.is_done())
}

/// Measures a run, finished or not; without a `closer` look, hindsight is left out.
pub fn measure(
    plan: &Plan,
    record: &Record,
    facts: &Facts,
    work: &[OwnCommits<'_>],
    states: &[WorkerStatus],
    conflicts: Vec<Conflict>,
    closer: &Closer,
) -> Review {
    let parts: Vec<Part<'_>> = plan
        .workers
        .iter()
        .zip(work)
        .zip(states)
        .map(|((worker, work), status)| part(record, facts.now, worker, work, status))
        .collect();
    let lanes: Vec<Lane> = parts.iter().map(|part| part.lane.clone()).collect();
    let times: Vec<Times> = parts.iter().map(|part| part.times).collect();
    let critical_path = critical_path(plan, &lanes);
    let run = Run::of(record, &parts);
    let sum: Times = times.iter().copied().sum();
    let efficiency = critical_path.as_ref().and_then(|path| ratio(path.seconds, run.seconds()));
    let efficiency = efficiency.map(|efficiency| rounded(efficiency.min(1.0)));
    let against = against_estimates(plan, &times);
    let workers: Vec<WorkerRetro> = parts
        .iter()
        .zip(against)
        .map(|(part, against)| worker_retro(record, part, against))
        .collect();
    let mut retro = Retro {
        workflow: plan.workflow.clone(),
        goal: plan.goal.clone(),
        headline: String::new(),
        started_at: rfc3339(run.from),
        ended_at: run.ended.map(rfc3339),
        elapsed_seconds: run.ended.map_or(0, |ended| ended.saturating_sub(run.from).max(0)),
        worked_seconds: workers.iter().filter_map(|worker| worker.duration_seconds).sum(),
        parallelism: ratio(sum.busy_seconds, run.seconds()).map(rounded),
        integrated: states.iter().all(|status| status.state == State::Integrated),
        interim: !is_over(record, states),
        times: sum,
        critical_path,
        efficiency,
        balance: balance(&times),
        grade: Grade { letter: None, points: 0.0, of: 0.0, parts: Vec::new() },
        sizes: sizes(plan, &times),
        handovers: handovers(plan, &parts),
        overlaps: overlaps(plan, work),
        conflicts,
        stops: stops(record, facts.now),
        gates: gates(record),
        allowed: allowed(record),
        clocks: parts.iter().flat_map(|part| wrong_clocks(record, part)).collect(),
        missing: missing(record, &parts),
        counterfactuals: Vec::new(),
        hindsight: None,
        recommendations: Vec::new(),
        usage: Usage::sum(workers.iter().filter_map(|worker| worker.usage)),
        more: BTreeMap::new(),
        written: Vec::new(),
        timeline: None,
        workers,
    };
    if !retro.interim {
        retro.counterfactuals = counterfactuals(plan, &lanes, &times, retro.elapsed_seconds);
        let courses: Vec<&Course> = parts.iter().map(|part| &part.course).collect();
        let work = Work::of(plan, &courses, &lanes, &closer.changed);
        retro.hindsight = hindsight(plan, &work, &closer.log, retro.elapsed_seconds);
    }
    retro.grade = grade(&marks(&parts, &retro));
    retro.recommendations = advice(plan, &retro, &blocks(&parts), &lapses(&parts));
    retro.headline = headline(&retro, run.seconds());
    let courses: Vec<Course> = parts.into_iter().map(|part| part.course).collect();
    let moments = timeline(plan, record, work, &courses, &lanes);
    Review { retro, moments, heat: heat(plan, work), span: (run.from, run.until), lanes }
}

impl Part<'_> {
    /// Returns whether the worker is still at it, as far as is known.
    fn is_open(&self) -> bool {
        self.course.open_until.is_some()
    }
}

fn part<'a>(
    record: &Record,
    now: Seconds,
    worker: &'a Worker,
    work: &'a OwnCommits<'a>,
    status: &'a WorkerStatus,
) -> Part<'a> {
    let said: Vec<Seconds> = work.commits.iter().rev().map(|commit| commit.time).collect();
    let created = record.placements.get(&worker.id).map(|placement| placement.at);
    let believed = believe(created, &said, now);
    let sign = |(commit, at): (&&Commit, &Seconds)| Sign {
        at: *at,
        commit: commit.oid.clone(),
        signal: match signal::read(&commit.message) {
            Subject::Signal { signal, .. } => Some(signal),
            Subject::NearMiss { .. } | Subject::Plain => None,
        },
    };
    let signs: Vec<Sign> = work.commits.iter().rev().zip(&believed.commits).map(sign).collect();
    let is_open = match status.state {
        State::Starting | State::InProgress | State::Blocked | State::Waiting | State::Reopened => {
            record.finished.is_none()
        }
        State::Planned | State::Complete | State::Integrated | State::Missing => false,
    };
    let last = signs.last().map(|sign| sign.at);
    let from = believed.created.or(signs.first().map(|sign| sign.at));
    let newest = last.or(from).unwrap_or(now);
    let open_until = is_open.then(|| now.max(newest));
    let launched = record.events.iter().find_map(|(event, at)| {
        matches!(event, Event::Launched { worker: whose, .. } if *whose == worker.id).then_some(*at)
    });
    let course = Course { from, launched, signs, open_until };
    let lane = lane(&course);
    Part { worker, work, status, times: lane.times(), believed, course, lane }
}

/// From when to when the run is.
struct Run {
    from: Seconds,
    /// The newest commit of any worker, or the last merge.
    ended: Option<Seconds>,
    /// The same, or now while it goes on.
    until: Seconds,
}

impl Run {
    fn of(record: &Record, parts: &[Part<'_>]) -> Self {
        let signs = parts.iter().filter_map(|part| part.course.signs.last());
        let merged = record.merged.values().map(|(_, at)| *at);
        let ended = signs.map(|sign| sign.at).chain(merged).max();
        // Where commits refute the record's times, the first of them begins the run.
        let refuted = parts.iter().filter(|part| part.is_record_refuted(record));
        let earliest = refuted.filter_map(|part| part.lane.began()).min();
        let from = earliest.map_or(record.started, |at| at.min(record.started)).max(0);
        let open = parts.iter().filter_map(|part| part.course.open_until).max();
        let until = ended.into_iter().chain(open).max().unwrap_or(from).max(from);
        Self { from, ended, until }
    }

    fn seconds(&self) -> Seconds {
        self.until - self.from
    }
}

impl Part<'_> {
    fn is_record_refuted(&self, record: &Record) -> bool {
        record.placements.contains_key(&self.worker.id) && self.believed.created.is_none()
    }
}

fn worker_retro(record: &Record, part: &Part<'_>, against: Option<f64>) -> WorkerRetro {
    let Part { worker, work, status, course, times, .. } = part;
    let last = course.signs.last().map(|sign| sign.at);
    let is_checkpoint = |sign: &&Sign| sign.signal == Some(Signal::Checkpoint);
    WorkerRetro {
        id: worker.id.clone(),
        label: worker.label(),
        state: status.state,
        size: worker.size,
        commits: work.commits.len(),
        checkpoints: course.signs.iter().filter(is_checkpoint).count(),
        files: work.changes.len(),
        duration_seconds: course.from.zip(last).map(|(from, to)| to - from),
        lifetime_seconds: times.lifetime_seconds,
        busy_seconds: times.busy_seconds,
        blocked_seconds: times.blocked_seconds,
        waiting_seconds: times.waiting_seconds,
        idle_seconds: times.idle_seconds,
        against_estimate: against,
        out_of_scope: status.out_of_scope.clone(),
        near_misses: status.near_misses.len(),
        stops: record.stops.get(&worker.id).copied().unwrap_or_default(),
        usage: status.usage,
    }
}

/// Returns what workers waited for each other for, the oldest first.
fn handovers(plan: &Plan, parts: &[Part<'_>]) -> Vec<Handover> {
    let completed = |id: &WorkerId| {
        parts.iter().find(|part| part.worker.id == *id).and_then(|part| part.lane.completed)
    };
    let mut found = Vec::new();
    for part in parts {
        for segment in &part.lane.segments {
            let known = segment.needs.as_ref().zip(segment.commit.as_ref());
            let Some(((from, item), commit)) =
                known.filter(|((id, _), _)| plan.worker(id).is_some())
            else {
                continue;
            };
            // What was said too late to be taken was not provided for this wait.
            let provided = completed(from).filter(|at| segment.is_open || *at <= segment.until);
            let unnoticed = provided.map_or(0, |at| segment.until - at.max(segment.from));
            let handover = Handover {
                from: from.clone(),
                to: part.worker.id.clone(),
                item: item.clone(),
                commit: commit.clone(),
                needed_at: rfc3339(segment.from),
                provided_at: provided.map(rfc3339),
                taken_at: (!segment.is_open).then(|| rfc3339(segment.until)),
                waited_seconds: segment.seconds(),
                unnoticed_seconds: unnoticed,
            };
            found.push((segment.from, handover));
        }
    }
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, handover)| handover).collect()
}

fn wrong_clocks(record: &Record, part: &Part<'_>) -> Vec<WrongClock> {
    let worker = &part.worker.id;
    let created = record.placements.get(worker).filter(|_| part.is_record_refuted(record));
    let created = created.map(|placement| WrongClock {
        worker: worker.clone(),
        commit: None,
        says: rfc3339(placement.at),
        used: rfc3339(part.lane.began().or(part.course.from).unwrap_or(placement.at)),
    });
    let commits: Vec<&&Commit> = part.work.commits.iter().rev().collect();
    let doubted = part.believed.doubted.iter().map(|at| WrongClock {
        worker: worker.clone(),
        commit: Some(commits[*at].oid.clone()),
        says: rfc3339(commits[*at].time),
        used: rfc3339(part.believed.commits[*at]),
    });
    created.into_iter().chain(doubted).collect()
}

fn missing(record: &Record, parts: &[Part<'_>]) -> Vec<Missing> {
    let (mut missing, mut unmerged) = (Vec::new(), Vec::new());
    for part in parts {
        let (id, was_cleaned) = (&part.worker.id, record.cleaned.contains(&part.worker.id));
        let mut add = |kind, message: String| {
            missing.push(Missing { kind, worker: Some(id.clone()), message });
        };
        match part.status.state {
            State::Planned if was_cleaned => {
                add(
                    MissingKind::BranchGone,
                    format!(
                        "{id} was removed before it was merged: what it did is in its snapshot"
                    ),
                );
            }
            State::Planned => add(MissingKind::NotCreated, format!("{id} never began")),
            State::Missing if part.work.commits.is_empty() => {
                add(
                    MissingKind::BranchGone,
                    format!("the branch or worktree of {id} is gone: what it did is not known"),
                );
            }
            State::Missing => {
                add(
                    MissingKind::NotDone,
                    format!("{id} is not complete, and its worktree is gone"),
                );
            }
            State::Complete => unmerged.push(id.as_str()),
            State::Integrated => {}
            _ if part.is_open() => {
                add(
                    MissingKind::NotDone,
                    format!("{id} is not complete: its times go on until now"),
                );
            }
            _ => add(MissingKind::NotDone, format!("{id} was not complete when the run ended")),
        }
        if !part.believed.doubted.is_empty() || part.is_record_refuted(record) {
            add(
                MissingKind::Clock,
                format!("a clock of {id} was wrong: its parts are less certain"),
            );
        }
    }
    if !unmerged.is_empty() {
        let message = format!("not merged yet: {}", unmerged.join(", "));
        missing.push(Missing { kind: MissingKind::NotIntegrated, worker: None, message });
    }
    missing
}

/// Returns what each blocked stretch was about.
fn blocks<'a>(parts: &'a [Part<'_>]) -> Vec<Block<'a>> {
    let of = |part: &'a Part<'_>| {
        let blocked = |segment: &&super::Segment| segment.kind == TimeKind::Blocked;
        part.lane.segments.iter().filter(blocked).map(|segment| {
            let began =
                part.course.signs.iter().find(|sign| Some(&sign.commit) == segment.commit.as_ref());
            let reason = match began.and_then(|sign| sign.signal.as_ref()) {
                Some(Signal::Blocked { reason }) => bounded(reason, 100),
                _ => String::new(),
            };
            Block { worker: &part.worker.id, segment, reason }
        })
    };
    parts.iter().flat_map(of).collect()
}

fn lapses(parts: &[Part<'_>]) -> Lapses {
    let mut lapses = Lapses::default();
    for part in parts {
        let id = &part.worker.id;
        lapses
            .near_misses
            .extend(part.near_misses().map(|commit| (id.clone(), commit.oid.clone())));
        if !part.work.commits.is_empty() && !part.has_said_all() {
            lapses.silent.push(id.clone());
        }
        if let Some(newest) = part.work.commits.first() {
            lapses.tips.insert(id.clone(), newest.oid.clone());
        }
    }
    lapses
}

impl Part<'_> {
    /// Returns every commit whose subject only looks like a signal, settled since or not.
    fn near_misses(&self) -> impl Iterator<Item = &Commit> {
        let is_near =
            |commit: &&Commit| matches!(signal::read(&commit.message), Subject::NearMiss { .. });
        self.work.commits.iter().copied().filter(is_near)
    }

    /// Returns whether a worker that is done has said what the plan wanted to hear.
    fn has_said_all(&self) -> bool {
        self.worker.checkpoints.is_empty()
            || self.is_open()
            || self.worker.has_said_all(&self.status.checkpoints)
    }
}

fn marks(parts: &[Part<'_>], retro: &Retro) -> Marks {
    let began = || parts.iter().filter(|part| !part.work.commits.is_empty());
    let collides = |part: &&Part<'_>| {
        let id = &part.worker.id;
        retro.conflicts.iter().any(|conflict| conflict.workers.contains(id))
            || retro.stops.iter().any(|stop| stop.worker == *id)
    };
    let held = |part: &Part<'_>| {
        let is_done = part.status.state.is_done() || part.is_open();
        let near = part.near_misses().next().is_none();
        [near, part.status.out_of_scope.is_empty(), part.has_said_all(), is_done]
    };
    Marks {
        workers: parts.len(),
        complete: parts.iter().filter(|part| part.status.state.is_done()).count(),
        times: retro.times,
        merging: began().count(),
        colliding: began().filter(collides).count(),
        agreed: began().count() * 4,
        held: began().flat_map(held).filter(|held| *held).count(),
        efficiency: retro.efficiency,
    }
}

/// Returns the run in one sentence.
fn headline(retro: &Retro, seconds: Seconds) -> String {
    let Times { lifetime_seconds, busy_seconds, blocked_seconds, waiting_seconds, .. } =
        retro.times;
    let workers = counted(retro.workers.len(), "worker");
    let done = retro.workers.iter().filter(|worker| worker.state.is_done()).count();
    let grade = retro.grade.letter.map(|letter| format!(" Grade {letter}.")).unwrap_or_default();
    if busy_seconds == 0 {
        return format!("{}: {done} of {workers} complete, and no time is known.", retro.workflow);
    }
    let stood = ratio(blocked_seconds + waiting_seconds, lifetime_seconds).unwrap_or_default();
    let stood = match stood * 100.0 {
        percent if percent < 0.5 => String::new(),
        percent => format!(" {percent:.0} % of the workers' time was blocked or waiting."),
    };
    let took = about(seconds);
    let alone = about(busy_seconds);
    let begin = match (retro.interim, done == retro.workers.len()) {
        (true, _) => format!(
            "not over: {done} of {workers} complete after {took}, with {alone} of work so far."
        ),
        (false, false) => format!("{done} of {workers} complete in {took}, with {alone} of work."),
        (false, true) if busy_seconds > seconds => {
            format!("{workers} took {took}; one session would have needed about {alone}.")
        }
        (false, true) => format!(
            "{workers} took {took} for {alone} of work: one session might have been as quick."
        ),
    };
    format!("{}: {begin}{stood}{grade}", retro.workflow)
}
