//! The job that runs a worker on another machine, and what its engine says of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::start::LaunchMode;
use crate::next::CommandLine;

/// Where a job is, in words that all engines share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// It waits for a place on a machine, and gets one by itself.
    Queued,
    /// It waits, since a limit of the user's account, group or namespace is reached.
    Quota,
    /// It waits for a person: held, to be approved, or asking for what there is not.
    Held,
    /// It runs.
    Running,
    /// It is over; the engine does not say that anything failed.
    Ended,
    /// Its command failed.
    Failed,
    /// The user or an administrator ended it.
    Cancelled,
    /// It had to make room, and was not queued again.
    Preempted,
    /// Its machine went away, and it was not queued again.
    NodeLost,
    /// Its time was over.
    TimeLimit,
}

impl JobState {
    /// Returns whether nothing of it runs, or will without being submitted again.
    pub fn is_over(self) -> bool {
        match self {
            Self::Queued | Self::Quota | Self::Held | Self::Running => false,
            Self::Ended
            | Self::Failed
            | Self::Cancelled
            | Self::Preempted
            | Self::NodeLost
            | Self::TimeLimit => true,
        }
    }

    /// Returns what became of it, after its name.
    pub fn words(self) -> &'static str {
        match self {
            Self::Queued => "waits for a place",
            Self::Quota => "waits for a limit",
            Self::Held => "is held",
            Self::Running => "runs",
            Self::Ended => "is over",
            Self::Failed => "failed",
            Self::Cancelled => "was cancelled",
            Self::Preempted => "was preempted",
            Self::NodeLost => "lost its machine",
            Self::TimeLimit => "used up its time",
        }
    }
}

/// What an engine told of one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobReport {
    /// Where it is.
    pub state: JobState,
    /// The engine's own words.
    pub said: String,
}

/// A worker's job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EngineJob {
    /// What runs it.
    pub engine: LaunchMode,
    /// What the engine calls it.
    pub id: String,
    /// `null` when the engine was not asked, or did not tell.
    pub state: Option<JobState>,
    /// The engine's own words; absent without any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
    /// A command that ends it.
    pub cancel: CommandLine,
}

impl EngineJob {
    /// Returns whether it waits or runs; `None` when nothing tells.
    pub fn is_alive(&self) -> Option<bool> {
        self.state.map(|state| !state.is_over())
    }

    /// Returns the engine and its name for the job.
    pub fn place(&self) -> String {
        format!("{} {}", self.engine.word(), self.id)
    }
}

/// How an engine answered when it was asked for its jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EngineAnswer {
    /// Which one.
    pub engine: LaunchMode,
    /// How many jobs it was asked for.
    pub jobs: usize,
    /// Why it told nothing of some or all: whether their workers move is then judged by their last
    /// push alone. Absent when it told of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

impl EngineAnswer {
    /// Returns a sentence about an engine that did not tell.
    pub fn note(&self) -> Option<String> {
        let trouble = self.trouble.as_ref()?;
        let engine = self.engine.word();
        Some(format!(
            "{engine} does not tell of its jobs ({trouble}): workers there are judged by their last push"
        ))
    }
}
