//! The record of a workflow: a chain of commits whose subjects are events.
//!
//! It holds only what git cannot know: where workers were forked, which tips were merged, what an
//! integration stopped at. Everything else is derived from branches and worktrees.

use std::collections::BTreeMap;
use std::fmt;

use crate::id::{Oid, Slug, WorkerId};
use crate::launch::How;
use crate::time::Seconds;

/// One line of the record, the subject of one of its commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The workflow exists; it forks from this branch (none: a detached HEAD) and commit.
    Planned { branch: Option<String>, base: Oid },
    /// The plan in the record's tree was replaced.
    Replanned,
    /// A branch and worktree are about to be made. Written before, so that a kill can be undone.
    Creating { worker: WorkerId, fork: Oid },
    /// They are there, ready to be handed to an agent, with a port of its own.
    Created { worker: WorkerId, fork: Oid, port: Option<u16> },
    /// A session was started for the worker; the client or tmux may have given it an id.
    Launched { worker: WorkerId, how: How, id: Option<String> },
    /// This tip of the worker is in the integration branch.
    Merged { worker: WorkerId, tip: Oid },
    /// The integration branch was moved here, by us.
    Integrated { commit: Oid },
    /// Merging this tip onto that commit needs a resolution.
    Stopped(Stopped),
    /// That merge was resolved as this commit; who comes after it is still to be merged.
    Resolved { worker: WorkerId, commit: Oid },
    /// The stopped integration was given up.
    Aborted { worker: WorkerId },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Planned { branch: Some(branch), base } => write!(f, "planned {base} {branch}"),
            Self::Planned { branch: None, base } => write!(f, "planned {base}"),
            Self::Replanned => f.write_str("replanned"),
            Self::Creating { worker, fork } => write!(f, "creating {worker} {fork}"),
            Self::Created { worker, fork, port: None } => write!(f, "created {worker} {fork}"),
            Self::Created { worker, fork, port: Some(port) } => {
                write!(f, "created {worker} {fork} {port}")
            }
            Self::Launched { worker, how, id: None } => {
                write!(f, "launched {worker} {}", how.word())
            }
            Self::Launched { worker, how, id: Some(id) } => {
                write!(f, "launched {worker} {} {id}", how.word())
            }
            Self::Merged { worker, tip } => write!(f, "merged {worker} {tip}"),
            Self::Integrated { commit } => write!(f, "integrated {commit}"),
            Self::Stopped(Stopped { worker, tip, onto, choice, resolution: _ }) => {
                write!(f, "stopped {worker} {tip} {onto}{choice}")
            }
            Self::Resolved { worker, commit } => write!(f, "resolved {worker} {commit}"),
            Self::Aborted { worker } => write!(f, "aborted {worker}"),
        }
    }
}

impl Event {
    /// Reads a subject; nothing for a line of a newer version, which is then skipped.
    pub fn parse(subject: &str) -> Option<Self> {
        let words: Vec<&str> = subject.split(' ').collect();
        let event = match words.as_slice() {
            ["planned", base, branch @ ..] => Self::Planned {
                base: base.parse().ok()?,
                branch: branch.first().map(|branch| (*branch).to_owned()),
            },
            ["replanned"] => Self::Replanned,
            ["creating", worker, fork] => {
                Self::Creating { worker: worker.parse().ok()?, fork: fork.parse().ok()? }
            }
            ["created", worker, fork, port @ ..] => Self::Created {
                worker: worker.parse().ok()?,
                fork: fork.parse().ok()?,
                port: port.first().and_then(|port| port.parse().ok()),
            },
            ["launched", worker, how, id @ ..] => Self::Launched {
                worker: worker.parse().ok()?,
                how: how.parse().ok()?,
                id: id.first().map(|id| (*id).to_owned()),
            },
            ["merged", worker, tip] => {
                Self::Merged { worker: worker.parse().ok()?, tip: tip.parse().ok()? }
            }
            ["integrated", commit] => Self::Integrated { commit: commit.parse().ok()? },
            ["stopped", worker, tip, onto, choice @ ..] => Self::Stopped(Stopped {
                worker: worker.parse().ok()?,
                tip: tip.parse().ok()?,
                onto: onto.parse().ok()?,
                choice: Choice::parse(choice)?,
                resolution: None,
            }),
            ["resolved", worker, commit] => {
                Self::Resolved { worker: worker.parse().ok()?, commit: commit.parse().ok()? }
            }
            ["aborted", worker] => Self::Aborted { worker: worker.parse().ok()? },
            _ => return None,
        };
        Some(event)
    }
}

/// Where a worker was forked, and whether it was ever handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    pub fork: Oid,
    /// False between `creating` and `created`: nobody was told of it, so it may be rolled back.
    pub created: bool,
    /// The port that is the worker's own; `None` before it was created.
    pub port: Option<u16>,
    /// When that was recorded.
    pub at: Seconds,
}

/// How a worker's newest session was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    pub how: How,
    pub id: Option<String>,
    pub at: Seconds,
}

/// A merge that waits for a resolution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    pub worker: WorkerId,
    /// The worker's tip that is being merged.
    pub tip: Oid,
    /// The merges before it.
    pub onto: Oid,
    /// What was asked for when it began; going on keeps to it.
    pub choice: Choice,
    /// The merge as somebody resolved it, once that is done and others are still to be merged.
    pub resolution: Option<Oid>,
}

impl Stopped {
    /// Returns the newest merge: what is to be merged next comes on top of it.
    pub fn commit(&self) -> &Oid {
        self.resolution.as_ref().unwrap_or(&self.onto)
    }
}

/// Whom an integration merges, beyond everybody who is ready.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Workers left out.
    pub without: Vec<WorkerId>,
    /// Whether changes outside a scope are merged, too.
    pub allow_out_of_scope: bool,
}

impl Choice {
    fn parse(words: &[&str]) -> Option<Self> {
        let mut choice = Self::default();
        for word in words {
            match word.split_once('=') {
                Some(("without", id)) => choice.without.push(id.parse().ok()?),
                None if *word == "out-of-scope" => choice.allow_out_of_scope = true,
                _ => return None,
            }
        }
        Some(choice)
    }

    /// Returns both choices together.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut without = self.without.clone();
        without.extend(other.without.iter().filter(|id| !self.without.contains(id)).cloned());
        Self { without, allow_out_of_scope: self.allow_out_of_scope || other.allow_out_of_scope }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.allow_out_of_scope {
            f.write_str(" out-of-scope")?;
        }
        self.without.iter().try_for_each(|id| write!(f, " without={id}"))
    }
}

/// The record, read from its first event to its last.
#[derive(Clone, Debug)]
pub struct Record {
    /// The branch the workflow forked from; `None` when HEAD was detached.
    pub base_branch: Option<String>,
    pub base: Oid,
    pub placements: BTreeMap<WorkerId, Placement>,
    pub launches: BTreeMap<WorkerId, Launch>,
    /// The newest tip of each worker that is in the integration branch, and since when.
    pub merged: BTreeMap<WorkerId, (Oid, Seconds)>,
    /// Where we last put the integration branch.
    pub integration: Option<Oid>,
    pub stopped: Option<Stopped>,
    /// How often an integration stopped at a worker.
    pub stops: BTreeMap<WorkerId, u32>,
    pub started: Seconds,
}

impl Record {
    /// Returns the record of a workflow that was just planned.
    pub fn new(base_branch: Option<String>, base: Oid, started: Seconds) -> Self {
        Self {
            base_branch,
            base,
            placements: BTreeMap::new(),
            launches: BTreeMap::new(),
            merged: BTreeMap::new(),
            integration: None,
            stopped: None,
            stops: BTreeMap::new(),
            started,
        }
    }

    /// Reads events, the oldest first, each with the time it was written. Nothing when the first
    /// one does not say what the workflow forked from.
    pub fn replay(events: impl IntoIterator<Item = (Event, Seconds)>) -> Option<Self> {
        let mut events = events.into_iter();
        let (Event::Planned { branch, base }, at) = events.next()? else { return None };
        let mut record = Self::new(branch, base, at);
        events.for_each(|(event, at)| record.apply(event, at));
        Some(record)
    }

    /// Takes one more event in.
    pub fn apply(&mut self, event: Event, at: Seconds) {
        match event {
            Event::Planned { .. } | Event::Replanned => {}
            Event::Creating { worker, fork } => {
                self.placements.insert(worker, Placement { fork, created: false, port: None, at });
            }
            Event::Created { worker, fork, port } => {
                self.placements.insert(worker, Placement { fork, created: true, port, at });
            }
            Event::Launched { worker, how, id } => {
                self.launches.insert(worker, Launch { how, id, at });
            }
            Event::Merged { worker, tip } => {
                self.merged.insert(worker, (tip, at));
            }
            Event::Integrated { commit } => {
                self.integration = Some(commit);
                self.stopped = None;
            }
            Event::Stopped(stopped) => {
                *self.stops.entry(stopped.worker.clone()).or_default() += 1;
                self.stopped = Some(stopped);
            }
            Event::Resolved { commit, .. } => {
                if let Some(stopped) = &mut self.stopped {
                    stopped.resolution = Some(commit);
                }
            }
            Event::Aborted { .. } => self.stopped = None,
        }
    }
}

/// The names of a workflow's refs; the record is the only thing kept outside branches.
#[derive(Clone, Debug)]
pub struct Refs<'a>(pub &'a Slug);

impl Refs<'_> {
    pub fn record(&self) -> String {
        format!("refs/pw/{}/record", self.0)
    }

    /// The newest merged tip of a worker, kept reachable.
    pub fn merged(&self, worker: &WorkerId) -> String {
        format!("refs/pw/{}/merged/{worker}", self.0)
    }

    /// The merges made before an integration stopped.
    pub fn candidate(&self) -> String {
        format!("refs/pw/{}/candidate", self.0)
    }

    /// What git remembers of resolutions, for the next time the same hunks meet.
    pub fn memory(&self) -> String {
        format!("refs/pw/{}/rerere", self.0)
    }

    pub fn snapshot(&self, what: &str, number: usize) -> String {
        format!("refs/pw/{}/snapshot/{what}/{number}", self.0)
    }

    pub fn integration(&self) -> String {
        format!("refs/heads/integration/{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_read_back_as_they_were_written() {
        let oid: Oid = "a".repeat(40).parse().unwrap();
        let worker: WorkerId = "task-1".parse().unwrap();
        for event in [
            Event::Planned { branch: Some("main".into()), base: oid.clone() },
            Event::Planned { branch: None, base: oid.clone() },
            Event::Replanned,
            Event::Creating { worker: worker.clone(), fork: oid.clone() },
            Event::Created { worker: worker.clone(), fork: oid.clone(), port: None },
            Event::Created { worker: worker.clone(), fork: oid.clone(), port: Some(20_000) },
            Event::Launched { worker: worker.clone(), how: How::Custom, id: None },
            Event::Launched { worker: worker.clone(), how: How::Background, id: Some("ab".into()) },
            Event::Merged { worker: worker.clone(), tip: oid.clone() },
            Event::Integrated { commit: oid.clone() },
            Event::Stopped(Stopped {
                worker: worker.clone(),
                tip: oid.clone(),
                onto: oid.clone(),
                choice: Choice::default(),
                resolution: None,
            }),
            Event::Stopped(Stopped {
                worker: worker.clone(),
                tip: oid.clone(),
                onto: oid.clone(),
                choice: Choice { without: vec![worker.clone()], allow_out_of_scope: true },
                resolution: None,
            }),
            Event::Resolved { worker: worker.clone(), commit: oid },
            Event::Aborted { worker },
        ] {
            assert_eq!(Event::parse(&event.to_string()), Some(event));
        }
        assert_eq!(Event::parse("something newer"), None);
    }

    #[test]
    fn the_newest_launch_of_a_worker_counts() {
        let oid: Oid = "a".repeat(40).parse().unwrap();
        let worker: WorkerId = "task-1".parse().unwrap();
        let launched = |how, id: Option<&str>| Event::Launched {
            worker: worker.clone(),
            how,
            id: id.map(str::to_owned),
        };
        let events = [
            (Event::Planned { branch: None, base: oid }, 1),
            (launched(How::Background, Some("ab")), 2),
            (launched(How::Tmux, None), 3),
        ];
        let record = Record::replay(events).unwrap();
        assert_eq!(record.launches[&worker], Launch { how: How::Tmux, id: None, at: 3 });
    }
}
