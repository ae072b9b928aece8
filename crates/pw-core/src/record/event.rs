//! The events of the record: each is the subject of one of its commits.

use std::fmt;

use super::run_options::RunOptions;
use crate::branch::Branch;
use crate::gate::End;
use crate::id::{GateName, Oid, WorkerId};
use crate::session::LaunchMode;
use crate::snapshot::SnapshotId;
use crate::time::Seconds;

/// One line of the record, the subject of one of its commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The workflow exists.
    Planned {
        /// The branch it forks from; `None` when HEAD was detached.
        branch: Option<Branch>,
        /// The commit it forks from.
        base: Oid,
    },
    /// The plan in the record's tree was replaced.
    Replanned,
    /// A branch and worktree are about to be made. Written before, so that a kill can be undone.
    Creating {
        /// Whose they are.
        worker: WorkerId,
        /// The commit the branch begins at.
        fork: Oid,
    },
    /// They are there, ready to be handed to an agent.
    Created {
        /// Whose they are.
        worker: WorkerId,
        /// The commit the branch begins at.
        fork: Oid,
        /// The worker's own TCP port; `None` when none was free.
        port: Option<u16>,
    },
    /// A session was started for the worker.
    Launched {
        /// Whose session it is.
        worker: WorkerId,
        /// In which way.
        how: LaunchMode,
        /// What the client or tmux calls it; `None` when it has no name.
        id: Option<String>,
    },
    /// A tip of the worker is in the integration branch.
    Merged {
        /// Who was merged.
        worker: WorkerId,
        /// The commit of its branch that was merged.
        tip: Oid,
    },
    /// The integration branch was moved, by us.
    Integrated {
        /// Where it is now.
        commit: Oid,
        /// What was known of that commit.
        proof: Proof,
    },
    /// A gate ran.
    Gated {
        /// The tree it ran on.
        tree: Oid,
        /// The blob of all else that its verdict depends on.
        terms: Oid,
        /// How its command ended.
        end: End,
        /// How long that took.
        seconds: Seconds,
        /// What the gate was called; older versions did not say.
        gate: Option<GateName>,
    },
    /// The result of all merges did not pass.
    Red(Red),
    /// Merging this tip onto that commit needs a resolution.
    Stopped(Stopped),
    /// That merge was resolved; who comes after it is still to be merged.
    Resolved {
        /// Whose merge it was.
        worker: WorkerId,
        /// The merge commit.
        commit: Oid,
    },
    /// The stopped or red integration was given up.
    Aborted {
        /// At whom it had stopped; `None` when it was red.
        worker: Option<WorkerId>,
    },
    /// The integration branch is in the base branch.
    Finished {
        /// Where the base branch is.
        commit: Oid,
    },
    /// What a worktree held is kept.
    Snapshot {
        /// The name it is kept under.
        id: SnapshotId,
        /// The commit that holds it.
        commit: Oid,
    },
    /// A snapshot is kept no longer, on request.
    Forgot {
        /// Its name.
        id: SnapshotId,
    },
    /// A worker's worktree and branch are about to be removed; its work is kept elsewhere.
    Cleaning {
        /// Whose they are.
        worker: WorkerId,
    },
    /// That was given up: both are there, and a session in them goes on.
    Stayed {
        /// Whose they are.
        worker: WorkerId,
    },
    /// They are gone.
    Cleaned {
        /// Whose they were.
        worker: WorkerId,
    },
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
            Self::Gated { tree, terms, end, seconds, gate } => {
                write!(f, "gated {tree} {terms} {end} {seconds}")?;
                gate.iter().try_for_each(|gate| write!(f, " {gate}"))
            }
            Self::Red(Red { candidate, gate, workers, options }) => {
                write!(f, "red {candidate} {gate}")?;
                workers.iter().try_for_each(|id| write!(f, " worker={id}"))?;
                write!(f, "{options}")
            }
            Self::Stopped(Stopped { worker, tip, onto, options, resolution: _ }) => {
                write!(f, "stopped {worker} {tip} {onto}{options}")
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
    /// Returns whether it can stand in the record only where it was written: what two clones did
    /// about the result at once cannot be put one after the other. All else is about one worker,
    /// and true whatever another clone wrote.
    pub fn is_exclusive(&self) -> bool {
        match self {
            Self::Planned { .. }
            | Self::Replanned
            | Self::Integrated { .. }
            | Self::Red(_)
            | Self::Stopped(_)
            | Self::Resolved { .. }
            | Self::Aborted { .. } => true,
            Self::Creating { .. }
            | Self::Created { .. }
            | Self::Launched { .. }
            | Self::Merged { .. }
            | Self::Gated { .. }
            | Self::Finished { .. }
            | Self::Snapshot { .. }
            | Self::Forgot { .. }
            | Self::Cleaning { .. }
            | Self::Stayed { .. }
            | Self::Cleaned { .. } => false,
        }
    }

    /// Reads a subject; nothing for a line of a newer version, which is then skipped.
    pub fn parse(subject: &str) -> Option<Self> {
        let words: Vec<&str> = subject.split(' ').collect();
        let event = match words.as_slice() {
            ["planned", base, branch @ ..] => Self::Planned {
                base: base.parse().ok()?,
                branch: branch.first().map(|branch| Branch::from(*branch)),
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
            ["gated", tree, terms, end, seconds, gate @ ..] => Self::Gated {
                tree: tree.parse().ok()?,
                terms: terms.parse().ok()?,
                end: End::parse(end)?,
                seconds: seconds.parse().ok()?,
                gate: gate.first().and_then(|gate| gate.parse().ok()),
            },
            ["red", candidate, gate, words @ ..] => {
                let worker = |word: &&str| word.strip_prefix("worker=")?.parse().ok();
                let workers: Vec<WorkerId> = words.iter().map_while(worker).collect();
                Self::Red(Red {
                    candidate: candidate.parse().ok()?,
                    gate: gate.parse().ok()?,
                    options: RunOptions::parse(&words[workers.len()..])?,
                    workers,
                })
            }
            ["stopped", worker, tip, onto, options @ ..] => Self::Stopped(Stopped {
                worker: worker.parse().ok()?,
                tip: tip.parse().ok()?,
                onto: onto.parse().ok()?,
                options: RunOptions::parse(options)?,
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

/// A merge that waits for a resolution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Whose merge it is.
    pub worker: WorkerId,
    /// The worker's tip that is being merged.
    pub tip: Oid,
    /// The merges before it.
    pub onto: Oid,
    /// What was asked for when it began; going on keeps to it.
    pub options: RunOptions,
    /// The merge as it was resolved, while further workers are still to be merged.
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
    /// The gate that failed.
    pub gate: GateName,
    /// Who is at fault, in merge order; empty when that is not known.
    pub workers: Vec<WorkerId>,
    /// What was asked for when it began; going on keeps to it.
    pub options: RunOptions,
}

/// What was known of a commit when the integration branch moved to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proof {
    /// Every gate passed on its tree.
    Passed,
    /// No gate: the user decided to do without.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::GateMode;

    #[test]
    fn events_read_back_as_they_were_written() {
        let oid: Oid = "a".repeat(40).parse().unwrap();
        let worker: WorkerId = "task-1".parse().unwrap();
        let (snapshot, commit) = (SnapshotId { of: worker.clone(), number: 2 }, oid.clone());
        let gated = |end, name: Option<&str>| Event::Gated {
            tree: oid.clone(),
            terms: oid.clone(),
            end,
            seconds: 9,
            gate: name.map(|name| name.parse().unwrap()),
        };
        for event in [
            Event::Planned { branch: Some("main".into()), base: oid.clone() },
            Event::Planned { branch: None, base: oid.clone() },
            Event::Replanned,
            Event::Creating { worker: worker.clone(), fork: oid.clone() },
            Event::Created { worker: worker.clone(), fork: oid.clone(), port: None },
            Event::Created { worker: worker.clone(), fork: oid.clone(), port: Some(20_000) },
            Event::Launched { worker: worker.clone(), how: LaunchMode::Custom, id: None },
            Event::Launched {
                worker: worker.clone(),
                how: LaunchMode::Background,
                id: Some("ab".into()),
            },
            Event::Merged { worker: worker.clone(), tip: oid.clone() },
            Event::Integrated { commit: oid.clone(), proof: Proof::Passed },
            Event::Integrated { commit: oid.clone(), proof: Proof::NoGate },
            gated(End::Exit(1), Some("lint")),
            gated(End::Timeout, Some("verify")),
            gated(End::Signal, None),
            Event::Red(Red {
                candidate: oid.clone(),
                gate: "lint".parse().unwrap(),
                workers: vec![worker.clone(), worker.clone()],
                options: RunOptions {
                    gate: Some(GateMode::Each),
                    verify: Some("test  -f \"a b\"\n\\u0020".to_owned()),
                    ..RunOptions::default()
                },
            }),
            Event::Stopped(Stopped {
                worker: worker.clone(),
                tip: oid.clone(),
                onto: oid.clone(),
                options: RunOptions::default(),
                resolution: None,
            }),
            Event::Stopped(Stopped {
                worker: worker.clone(),
                tip: oid.clone(),
                onto: oid.clone(),
                options: RunOptions {
                    without: vec![worker.clone()],
                    allow_out_of_scope: true,
                    ..RunOptions::default()
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
}
