//! Everything that happened, in one order: the workers' commits and the entries of the record.

use super::lane::Course;
use super::{Lane, Moment, MomentKind, TimeKind};
use crate::branch::Branch;
use crate::history::Commit;
use crate::id::{GateName, Oid, WorkerId};
use crate::own_commits::OwnCommits;
use crate::plan::Plan;
use crate::record::{Event, Record, Red, Stopped};
use crate::signal::{self, Signal, Subject};
use crate::text::bounded;
use crate::time::{Seconds, human, rfc3339};

/// Longest text of a worker that a moment repeats, in characters.
const MAX_TEXT: usize = 200;

/// Returns all moments, the oldest first. `courses` and `lanes` are in the order of the plan, as is
/// `work`.
pub(super) fn timeline(
    plan: &Plan,
    record: &Record,
    work: &[OwnCommits<'_>],
    courses: &[Course],
    lanes: &[Lane],
) -> Vec<Moment> {
    let mut moments = recorded(record);
    for (((worker, work), course), lane) in plan.ids().zip(work).zip(courses).zip(lanes) {
        moments.extend(committed(worker, work, course, lane));
    }
    // What has one time keeps its order: first the record's, then the workers' in plan order.
    moments.sort_by_key(|moment| moment.seconds);
    moments
}

fn moment(
    at: Seconds,
    kind: MomentKind,
    worker: Option<&WorkerId>,
    text: impl Into<String>,
    commit: Option<&Oid>,
) -> Moment {
    let (worker, commit) = (worker.cloned(), commit.cloned());
    Moment { at: rfc3339(at), seconds: at, kind, worker, text: text.into(), commit }
}

fn committed(
    worker: &WorkerId,
    work: &OwnCommits<'_>,
    course: &Course,
    lane: &Lane,
) -> Vec<Moment> {
    let mut moments = Vec::new();
    let mut is_complete = false;
    for (commit, sign) in work.commits.iter().rev().zip(&course.signs) {
        let kind = kind(commit, sign.signal.as_ref());
        let mut add = |kind, text: String| {
            moments.push(moment(sign.at, kind, Some(worker), text, Some(&commit.oid)));
        };
        if sign.signal.is_some() {
            let ended = lane.segments.iter().find(|segment| {
                segment.until == sign.at && segment.commit.as_ref() != Some(&sign.commit)
            });
            match ended.map(|segment| (segment.kind, human(segment.seconds()))) {
                Some((TimeKind::Blocked, time)) => {
                    add(MomentKind::Unblocked, format!("after {time}"))
                }
                Some((TimeKind::Waiting, time)) => {
                    add(MomentKind::TakenIn, format!("after {time}"))
                }
                _ => {}
            }
        }
        if is_complete && sign.signal.is_none() {
            add(MomentKind::Reopened, subject(commit));
        } else {
            add(kind, subject(commit));
        }
        is_complete = kind == MomentKind::Complete;
    }
    moments
}

fn kind(commit: &Commit, signal: Option<&Signal>) -> MomentKind {
    match signal {
        Some(Signal::Checkpoint) => MomentKind::Checkpoint,
        Some(Signal::Blocked { .. }) => MomentKind::Blocked,
        Some(Signal::Needs { .. }) => MomentKind::Needs,
        Some(Signal::Complete) => MomentKind::Complete,
        None => match signal::read(&commit.message) {
            Subject::NearMiss { .. } => MomentKind::NearMiss,
            _ => MomentKind::Commit,
        },
    }
}

fn subject(commit: &Commit) -> String {
    let line = commit.message.lines().find(|line| !line.trim().is_empty());
    bounded(line.unwrap_or_default().trim(), MAX_TEXT)
}

fn recorded(record: &Record) -> Vec<Moment> {
    let mut launched: Vec<&WorkerId> = Vec::new();
    let mut moments = Vec::new();
    for (event, at) in &record.events {
        let mut add = |kind, worker: Option<&WorkerId>, text: String, commit: Option<&Oid>| {
            moments.push(moment(*at, kind, worker, text, commit));
        };
        match event {
            Event::Planned { branch, base } => {
                let from = branch.as_ref().map_or("a detached HEAD", Branch::as_str);
                add(MomentKind::Planned, None, format!("from {from}"), Some(base));
            }
            Event::Created { worker, fork, .. } => {
                add(MomentKind::Created, Some(worker), String::new(), Some(fork));
            }
            Event::Launched { worker, how, .. } => {
                let kind = match launched.contains(&worker) {
                    true => MomentKind::Relaunched,
                    false => MomentKind::Launched,
                };
                launched.push(worker);
                add(kind, Some(worker), format!("with {}", how.word()), None);
            }
            Event::Merged { worker, tip } => {
                add(MomentKind::Merged, Some(worker), String::new(), Some(tip));
            }
            Event::Integrated { commit, .. } => {
                add(MomentKind::Integrated, None, String::new(), Some(commit));
            }
            Event::Gated { tree, end, seconds, gate, .. } => {
                let kind =
                    if end.passed() { MomentKind::GatePassed } else { MomentKind::GateFailed };
                let name = gate.as_ref().map_or("it", GateName::as_str);
                let text = format!("{name} {} after {}", end.words(), human(*seconds));
                add(kind, None, text, Some(tree));
            }
            Event::Red(Red { candidate, gate, workers, .. }) => {
                let names: Vec<&str> = workers.iter().map(WorkerId::as_str).collect();
                let whose = match names.is_empty() {
                    true => "whose fault is not known".to_owned(),
                    false => names.join(", "),
                };
                add(MomentKind::Red, None, format!("{gate}: {whose}"), Some(candidate));
            }
            Event::Stopped(Stopped { worker, tip, .. }) => {
                add(MomentKind::Stopped, Some(worker), String::new(), Some(tip));
            }
            Event::Resolved { worker, commit } => {
                add(MomentKind::Resolved, Some(worker), String::new(), Some(commit));
            }
            Event::Aborted { worker } => {
                add(MomentKind::Aborted, worker.as_ref(), String::new(), None);
            }
            Event::Finished { commit } => {
                add(MomentKind::Finished, None, String::new(), Some(commit));
            }
            Event::Snapshot { id, commit } => {
                add(MomentKind::Snapshot, None, id.to_string(), Some(commit));
            }
            Event::Cleaned { worker } => {
                add(MomentKind::Cleaned, Some(worker), String::new(), None);
            }
            Event::Replanned
            | Event::Creating { .. }
            | Event::Forgot { .. }
            | Event::Cleaning { .. }
            | Event::Stayed { .. } => {}
        }
    }
    moments
}
