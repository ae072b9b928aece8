//! The record of a workflow: a chain of commits whose subjects are events.
//!
//! It holds only what git cannot know: where workers were forked, which tips were merged, what an
//! integration stopped at. Everything else is derived from branches and worktrees.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::gate::{End, Mode, Verdict};
use crate::id::{GateName, Oid, Slug, WorkerId};
use crate::launch::How;
use crate::report::shell_word;
use crate::snapshot::SnapshotId;
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
    /// The integration branch was moved here, by us, after this proof.
    Integrated { commit: Oid, proof: Proof },
    /// A gate ran on this tree; `terms` is the blob of all else that its verdict depends on.
    Gated { tree: Oid, terms: Oid, end: End, seconds: Seconds },
    /// The result of all merges did not pass.
    Red(Red),
    /// Merging this tip onto that commit needs a resolution.
    Stopped(Stopped),
    /// That merge was resolved as this commit; who comes after it is still to be merged.
    Resolved { worker: WorkerId, commit: Oid },
    /// The stopped integration was given up; a worker when it had stopped at one.
    Aborted { worker: Option<WorkerId> },
    /// The integration branch is in the base branch, which is at this commit.
    Finished { commit: Oid },
    /// What a worktree held is kept under this name.
    Snapshot { id: SnapshotId, commit: Oid },
    /// That is kept no longer, on request.
    Forgot { id: SnapshotId },
    /// A worker's worktree and branch are about to be removed; its work is kept elsewhere.
    Cleaning { worker: WorkerId },
    /// That was given up: both are there, and whoever works in them goes on.
    Stayed { worker: WorkerId },
    /// They are gone.
    Cleaned { worker: WorkerId },
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
            Self::Integrated { commit, proof } => {
                write!(f, "integrated {commit} {}", proof.word())
            }
            Self::Gated { tree, terms, end, seconds } => {
                write!(f, "gated {tree} {terms} {end} {seconds}")
            }
            Self::Red(Red { candidate, gate, workers, choice }) => {
                write!(f, "red {candidate} {gate}")?;
                workers.iter().try_for_each(|id| write!(f, " worker={id}"))?;
                write!(f, "{choice}")
            }
            Self::Stopped(Stopped { worker, tip, onto, choice, resolution: _ }) => {
                write!(f, "stopped {worker} {tip} {onto}{choice}")
            }
            Self::Resolved { worker, commit } => write!(f, "resolved {worker} {commit}"),
            Self::Aborted { worker: Some(worker) } => write!(f, "aborted {worker}"),
            Self::Aborted { worker: None } => f.write_str("aborted"),
            Self::Finished { commit } => write!(f, "finished {commit}"),
            Self::Snapshot { id, commit } => write!(f, "snapshot {id} {commit}"),
            Self::Forgot { id } => write!(f, "forgot {id}"),
            Self::Cleaning { worker } => write!(f, "cleaning {worker}"),
            Self::Stayed { worker } => write!(f, "stayed {worker}"),
            Self::Cleaned { worker } => write!(f, "cleaned {worker}"),
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
            ["integrated", commit, proof @ ..] => Self::Integrated {
                commit: commit.parse().ok()?,
                proof: proof.first().and_then(|word| Proof::parse(word)).unwrap_or_default(),
            },
            ["gated", tree, terms, end, seconds] => Self::Gated {
                tree: tree.parse().ok()?,
                terms: terms.parse().ok()?,
                end: End::parse(end)?,
                seconds: seconds.parse().ok()?,
            },
            ["red", candidate, gate, words @ ..] => {
                let worker = |word: &&str| word.strip_prefix("worker=")?.parse().ok();
                let workers: Vec<WorkerId> = words.iter().map_while(worker).collect();
                Self::Red(Red {
                    candidate: candidate.parse().ok()?,
                    gate: gate.parse().ok()?,
                    choice: Choice::parse(&words[workers.len()..])?,
                    workers,
                })
            }
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
            ["aborted"] => Self::Aborted { worker: None },
            ["aborted", worker] => Self::Aborted { worker: Some(worker.parse().ok()?) },
            ["finished", commit] => Self::Finished { commit: commit.parse().ok()? },
            ["snapshot", id, commit] => {
                Self::Snapshot { id: id.parse().ok()?, commit: commit.parse().ok()? }
            }
            ["forgot", id] => Self::Forgot { id: id.parse().ok()? },
            ["cleaning", worker] => Self::Cleaning { worker: worker.parse().ok()? },
            ["stayed", worker] => Self::Stayed { worker: worker.parse().ok()? },
            ["cleaned", worker] => Self::Cleaned { worker: worker.parse().ok()? },
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

/// An integration that did not pass its gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Red {
    /// What was tested.
    pub candidate: Oid,
    pub gate: GateName,
    /// Who is at fault, in merge order; empty when that is not known.
    pub workers: Vec<WorkerId>,
    /// What was asked for when it began; going on keeps to it.
    pub choice: Choice,
}

/// What was known of a commit when the integration branch moved to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proof {
    /// Every gate passed on its tree.
    Passed,
    /// Nothing: somebody decided to do without the gate.
    NoGate,
    /// Nothing: the plan has no `verify`.
    #[default]
    NoVerify,
}

impl Proof {
    fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::NoGate => "no-gate",
            Self::NoVerify => "no-verify",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Passed, Self::NoGate, Self::NoVerify].into_iter().find(|proof| proof.word() == word)
    }
}

/// Whom an integration merges, beyond everybody who is ready, and how it is tested.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Workers left out.
    pub without: Vec<WorkerId>,
    /// Whether changes outside a scope are merged, too.
    pub allow_out_of_scope: bool,
    /// When the gates run, if it was said.
    pub gate: Option<Mode>,
    /// The command that takes the place of the plan's gates.
    pub verify: Option<String>,
    /// Whether what gates said before is forgotten; for one run alone, so it is not recorded.
    pub retest: bool,
}

impl Choice {
    fn parse(words: &[&str]) -> Option<Self> {
        let mut choice = Self::default();
        for word in words {
            match word.split_once('=') {
                Some(("without", id)) => choice.without.push(id.parse().ok()?),
                Some(("gate", mode)) => choice.gate = Some(Mode::parse(mode)?),
                Some(("verify", json)) => choice.verify = Some(serde_json::from_str(json).ok()?),
                None if *word == "out-of-scope" => choice.allow_out_of_scope = true,
                _ => return None,
            }
        }
        Some(choice)
    }

    /// Returns the words that ask for it again, each after a space.
    pub fn options(&self) -> String {
        let without = self.without.iter().map(|id| format!(" --without {id}"));
        let gate = match self.gate {
            Some(Mode::None) => Some(" --no-gate".to_owned()),
            mode => mode.map(|mode| format!(" --gate {}", mode.word())),
        };
        let scope = self.allow_out_of_scope.then(|| " --allow-out-of-scope".to_owned());
        let verify =
            self.verify.as_ref().map(|command| format!(" --verify {}", shell_word(command)));
        without.chain(scope).chain(gate).chain(verify).collect()
    }

    /// Returns both choices together; what `other` says of the gates counts.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut without = self.without.clone();
        without.extend(other.without.iter().filter(|id| !self.without.contains(id)).cloned());
        Self {
            without,
            allow_out_of_scope: self.allow_out_of_scope || other.allow_out_of_scope,
            gate: other.gate.or(self.gate),
            verify: other.verify.clone().or_else(|| self.verify.clone()),
            retest: self.retest || other.retest,
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.allow_out_of_scope {
            f.write_str(" out-of-scope")?;
        }
        self.without.iter().try_for_each(|id| write!(f, " without={id}"))?;
        if let Some(mode) = self.gate {
            write!(f, " gate={}", mode.word())?;
        }
        // One word on one line, whatever the command is.
        let json = self.verify.as_ref().map(|command| serde_json::json!(command).to_string());
        json.map_or(Ok(()), |json| write!(f, " verify={}", json.replace(' ', "\\u0020")))
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
    /// The integration that did not pass its gate, when that was the last thing to happen.
    pub red: Option<Red>,
    /// What gates said about trees, by tree and terms.
    pub verdicts: BTreeMap<(Oid, Oid), Verdict>,
    /// Where the base branch was when the work landed there.
    pub finished: Option<Oid>,
    /// What landed then: where we had put the integration branch.
    pub landed: Option<Oid>,
    /// How often an integration stopped at a worker.
    pub stops: BTreeMap<WorkerId, u32>,
    /// The number of the newest snapshot of each name, forgotten or not: numbers only count up.
    pub snapshots: BTreeMap<WorkerId, u32>,
    /// Workers whose removal was begun.
    pub cleaning: BTreeSet<WorkerId>,
    /// Workers whose worktree and branch were removed: what bears these names now is not theirs.
    pub cleaned: BTreeSet<WorkerId>,
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
            red: None,
            verdicts: BTreeMap::new(),
            finished: None,
            landed: None,
            stops: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            cleaning: BTreeSet::new(),
            cleaned: BTreeSet::new(),
            started,
        }
    }

    /// Returns whether the worker's branch and worktree are, or were last, made by this workflow.
    /// Anything else of these names belongs to another workflow, or to the user.
    pub fn has(&self, worker: &WorkerId) -> bool {
        self.placements.contains_key(worker) && !self.cleaned.contains(worker)
    }

    /// Returns whether they were made whole and handed over to the worker.
    pub fn is_made(&self, worker: &WorkerId) -> bool {
        self.has(worker) && self.placements.get(worker).is_some_and(|placement| placement.created)
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
                self.cleaned.remove(&worker);
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
            Event::Integrated { commit, .. } => {
                self.integration = Some(commit);
                (self.stopped, self.red) = (None, None);
            }
            Event::Gated { tree, terms, end, seconds } => {
                let key = (tree, terms);
                let verdict = Verdict::after(self.verdicts.get(&key).copied(), end, seconds);
                self.verdicts.insert(key, verdict);
            }
            Event::Red(red) => {
                self.stopped = None;
                self.red = Some(red);
            }
            Event::Stopped(stopped) => {
                self.red = None;
                *self.stops.entry(stopped.worker.clone()).or_default() += 1;
                self.stopped = Some(stopped);
            }
            Event::Resolved { commit, .. } => {
                if let Some(stopped) = &mut self.stopped {
                    stopped.resolution = Some(commit);
                }
            }
            Event::Aborted { .. } => (self.stopped, self.red) = (None, None),
            Event::Finished { commit } => {
                self.finished = Some(commit);
                self.landed.clone_from(&self.integration);
            }
            Event::Snapshot { id: SnapshotId { of, number }, .. } => {
                let newest = self.snapshots.entry(of).or_default();
                *newest = number.max(*newest);
            }
            Event::Forgot { .. } => {}
            Event::Cleaning { worker } => {
                self.cleaning.insert(worker);
            }
            Event::Stayed { worker } => {
                self.cleaning.remove(&worker);
            }
            Event::Cleaned { worker } => {
                self.cleaning.remove(&worker);
                self.cleaned.insert(worker.clone());
                // Whoever had nothing to merge may be created again.
                if !self.merged.contains_key(&worker) {
                    self.placements.remove(&worker);
                }
            }
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

    /// The merges made before an integration stopped, and what is being tested.
    pub fn candidate(&self) -> String {
        format!("refs/pw/{}/candidate", self.0)
    }

    /// What git remembers of resolutions, for the next time the same hunks meet.
    pub fn memory(&self) -> String {
        format!("refs/pw/{}/rerere", self.0)
    }

    /// Where we last put the integration branch, kept reachable whoever moves it.
    pub fn integrated(&self) -> String {
        format!("refs/pw/{}/integrated", self.0)
    }

    pub fn snapshot(&self, id: &SnapshotId) -> String {
        format!("{}{id}", self.snapshots())
    }

    /// What the names of all snapshots begin with.
    pub fn snapshots(&self) -> String {
        format!("refs/pw/{}/snapshot/", self.0)
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
        let (snapshot, commit) = (SnapshotId { of: worker.clone(), number: 2 }, oid.clone());
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
            Event::Integrated { commit: oid.clone(), proof: Proof::Passed },
            Event::Integrated { commit: oid.clone(), proof: Proof::NoGate },
            Event::Gated { tree: oid.clone(), terms: oid.clone(), end: End::Exit(1), seconds: 9 },
            Event::Gated { tree: oid.clone(), terms: oid.clone(), end: End::Timeout, seconds: 9 },
            Event::Gated { tree: oid.clone(), terms: oid.clone(), end: End::Signal, seconds: 0 },
            Event::Red(Red {
                candidate: oid.clone(),
                gate: "lint".parse().unwrap(),
                workers: vec![worker.clone(), worker.clone()],
                choice: Choice {
                    gate: Some(Mode::Each),
                    verify: Some("test  -f \"a b\"\n\\u0020".to_owned()),
                    ..Choice::default()
                },
            }),
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
                choice: Choice {
                    without: vec![worker.clone()],
                    allow_out_of_scope: true,
                    ..Choice::default()
                },
                resolution: None,
            }),
            Event::Resolved { worker: worker.clone(), commit: oid.clone() },
            Event::Finished { commit: oid },
            Event::Aborted { worker: Some(worker.clone()) },
            Event::Aborted { worker: None },
            Event::Snapshot { id: snapshot.clone(), commit },
            Event::Forgot { id: snapshot },
            Event::Cleaning { worker: worker.clone() },
            Event::Stayed { worker: worker.clone() },
            Event::Cleaned { worker },
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
