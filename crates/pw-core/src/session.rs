//! What is known about the session of a worker: whether it lives, what it does, what it used.
//!
//! The client keeps files about its sessions, and a launcher leaves a note of the process it
//! became. Here are the parsers of both, and the rule that makes one answer of all traces. What no
//! trace tells is unknown, never healthy.

pub mod environment;
mod job;
mod pid_domain;
mod process;
mod registry;
mod start;
mod transcript;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use job::{EngineAnswer, EngineJob, JobReport, JobState};
pub use pid_domain::{PidDomain, Visibility};
pub use process::{Process, Processes};
pub use registry::{Agent, Job, Registered, folder_name};
pub use start::{Launch, LaunchMode, UnknownLaunchMode};
pub use transcript::{ApiError, ErrorKind, Ledger, Tail, Usage};

use crate::next::CommandLine;
use crate::time::Seconds;

/// How long a session may take from its start until it is in the client's registry.
const BEGINNING: Seconds = 120;

/// What a session is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// It works on something.
    Busy,
    /// Its turn is over.
    Idle,
    /// It asks whether it may use a tool.
    AsksPermission,
    /// It asks something else.
    AsksAnswer,
}

/// The session of a worker, as one answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SessionFacts {
    /// `None` when no trace tells.
    pub alive: Option<bool>,
    /// Its process; `None` when no trace names a living one.
    pub pid: Option<u32>,
    /// Where it was started, when its process is not seen from here. Whether it lives may be told
    /// all the same.
    pub elsewhere: Option<String>,
    /// What the client calls it, when it runs in the background.
    pub id: Option<String>,
    /// What it does; `None` when it does not tell.
    pub activity: Option<Activity>,
    /// What it asks for, in the client's words.
    pub needs: Option<String>,
    /// The error that its last turn ended with.
    pub error: Option<ApiError>,
    /// Its turn ended with words, so that nothing goes on by itself.
    pub turn_ended: bool,
    /// Its newest sign of life.
    pub last: Option<Seconds>,
    /// The job that runs it on another machine.
    pub job: Option<EngineJob>,
    /// A command that shows what that job does.
    pub look: Option<CommandLine>,
    /// What all sessions in this worktree used; `None` without a transcript.
    pub usage: Option<Usage>,
}

impl SessionFacts {
    /// Returns the same of a worker that was started on another machine, unless it lives here after
    /// all.
    #[must_use]
    pub fn by(self, job: EngineJob, look: CommandLine) -> Self {
        if self.alive == Some(true) {
            return self;
        }
        let elsewhere = Some(job.place());
        Self {
            alive: job.is_alive(),
            elsewhere,
            look: Some(look),
            job: Some(job),
            usage: self.usage,
            ..Self::default()
        }
    }

    /// Returns a command that shows the living session in this terminal; `None` when it has a
    /// terminal of its own.
    pub fn attach(&self, launch: Option<&Launch>) -> Option<CommandLine> {
        if let Some(look) = &self.look {
            return Some(look.clone());
        }
        let window = launch.filter(|launch| launch.how == LaunchMode::Tmux);
        let window = window.and_then(|launch| launch.id.as_deref());
        match (self.alive?, &self.id, window) {
            (false, ..) | (true, None, None) => None,
            (true, Some(id), _) => Some(CommandLine::of("claude attach").word(id)),
            (true, None, Some(window)) => Some(CommandLine::of("tmux attach -t").word(window)),
        }
    }
}

/// Everything that was found about the sessions in one worktree.
#[derive(Clone, Debug, Default)]
pub struct Traces {
    /// Whether the client keeps a registry here, so that what is not in it has ended.
    pub has_registry: bool,
    /// The entries for this worktree, each with whether its process is the same still.
    pub registered: Vec<(Registered, Option<bool>)>,
    /// The process that our launcher became, and whether it is the same still.
    pub launcher: Option<(u32, Option<bool>)>,
    /// Where a session was started that is alive, or may be, when its process cannot be seen from
    /// here.
    pub elsewhere: Option<String>,
    /// When we started the newest session, and its id if that was in the background.
    pub launched: Option<(Seconds, Option<String>)>,
    /// What the client notes about a background session; `None` of others.
    pub job: Option<Job>,
    /// The end of the newest transcript.
    pub tail: Option<Tail>,
    /// What all transcripts here add up to.
    pub usage: Option<Usage>,
}

impl Traces {
    /// Returns the entry that counts: living before unknown before dead, then the newest.
    pub fn entry(&self) -> Option<&(Registered, Option<bool>)> {
        let rank = |alive: Option<bool>| match alive {
            Some(true) => 2,
            None => 1,
            Some(false) => 0,
        };
        self.registered.iter().max_by_key(|(entry, alive)| (rank(*alive), entry.started))
    }

    /// Makes one answer of all traces.
    pub fn conclude(self, now: Seconds) -> SessionFacts {
        let alive = self.alive(now);
        let entry = self.entry().filter(|(_, is_alive)| *is_alive == alive).map(|(entry, _)| entry);
        let launcher = self.launcher.filter(|(_, is_alive)| *is_alive == alive).map(|(pid, _)| pid);
        let elsewhere = self.elsewhere.clone().filter(|_| alive != Some(false));
        let id = match entry {
            Some(entry) => entry.job.clone(),
            None => self.launched.as_ref().and_then(|(_, id)| id.clone()),
        };
        let tail = self.tail.clone().unwrap_or_default();
        let since = entry.and_then(|entry| entry.since);
        let job = self.job.as_ref();
        SessionFacts {
            alive,
            pid: entry.map(|entry| entry.pid).or(launcher).filter(|_| elsewhere.is_none()),
            elsewhere,
            id,
            activity: entry.and_then(|entry| entry.activity).filter(|_| alive == Some(true)),
            needs: job.and_then(|job| job.needs.clone()).or(tail.asks),
            error: tail.error,
            turn_ended: tail.turn_ended && job.is_none_or(|job| !job.is_in_flight),
            job: None,
            look: None,
            last: tail.at.into_iter().chain(since).chain(job.and_then(|job| job.updated)).max(),
            usage: self.usage,
        }
    }

    fn alive(&self, now: Seconds) -> Option<bool> {
        let entry = self.entry().map(|(_, alive)| *alive);
        let launcher = self.launcher.map(|(_, alive)| alive);
        let told: Vec<Option<bool>> = entry.into_iter().chain(launcher).collect();
        if told.contains(&Some(true)) {
            return Some(true);
        }
        let started = self.launched.as_ref().map(|(at, _)| *at);
        // Too early for the registry, and an entry from before says nothing of it.
        if told.contains(&None) || started.is_some_and(|at| now.saturating_sub(at) < BEGINNING) {
            return None;
        }
        let was_there = started.is_some() || self.tail.is_some();
        (!told.is_empty() || (self.has_registry && was_there)).then_some(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(json: &str) -> Registered {
        Registered::parse(json.as_bytes()).unwrap()
    }

    const DEAD: &str = r#"{"pid": 1, "cwd": "/w", "startedAt": 1000, "status": "busy"}"#;
    const ASKS: &str = r#"{"pid": 2, "cwd": "/w", "startedAt": 2000, "jobId": "ab",
        "status": "waiting", "waitingFor": "permission prompt", "statusUpdatedAt": 9000}"#;

    #[test]
    fn a_living_session_counts_before_dead_ones_and_silence_proves_nothing() {
        let registered = vec![(entry(DEAD), Some(false)), (entry(ASKS), Some(true))];
        let both = Traces { registered, ..Traces::default() }.conclude(10);
        assert_eq!((both.alive, both.pid, both.id.as_deref()), (Some(true), Some(2), Some("ab")));
        assert_eq!((both.activity, both.last), (Some(Activity::AsksPermission), Some(9)));

        assert_eq!(Traces::default().conclude(10).alive, None);
        let dead = Traces { registered: vec![(entry(DEAD), Some(false))], ..Traces::default() };
        assert_eq!(dead.clone().conclude(10).alive, Some(false));
        // The process could not be asked for.
        let untold = Traces { registered: vec![(entry(DEAD), None)], ..Traces::default() };
        assert_eq!(untold.conclude(10).alive, None);
        // One that was just started is not in the registry yet.
        let launched = Some((1_000, Some("cd".to_owned())));
        let begins = Traces { launched, has_registry: true, ..dead };
        assert_eq!(begins.clone().conclude(1_119).alive, None);
        assert_eq!(begins.conclude(1_120).alive, Some(false));
    }

    #[test]
    fn a_session_that_left_the_registry_has_ended() {
        let tail = Some(Tail::default());
        let left = Traces { tail, has_registry: true, ..Traces::default() };
        assert_eq!(left.clone().conclude(10).alive, Some(false));
        // A client that keeps no registry says nothing by its absence.
        assert_eq!(Traces { has_registry: false, ..left }.conclude(10).alive, None);
        let by_launcher =
            Traces { launcher: Some((7, Some(true))), has_registry: true, ..Traces::default() };
        let facts = by_launcher.conclude(10);
        assert_eq!((facts.alive, facts.pid), (Some(true), Some(7)));
    }
}
