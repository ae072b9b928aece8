//! How a session is started, and what is known of that afterwards.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::Seconds;

/// How workers are started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LaunchMode {
    /// Not at all: the commands are printed for the user to run.
    Print,
    /// In windows of one detached tmux session.
    Tmux,
    /// As background sessions of the client.
    Background,
    /// By the plan's `launch` command.
    Custom,
    /// On other machines, over ssh.
    Ssh,
    /// On other machines, as an array job of Slurm.
    Slurm,
    /// On runners of GitHub Actions.
    Github,
    /// In a Kubernetes cluster.
    Kubernetes,
    /// In Claude's cloud, or an environment that is hosted for it.
    Cloud,
}

impl LaunchMode {
    const ALL: [Self; 9] = [
        Self::Print,
        Self::Tmux,
        Self::Background,
        Self::Custom,
        Self::Ssh,
        Self::Slurm,
        Self::Github,
        Self::Kubernetes,
        Self::Cloud,
    ];

    /// Returns whether sessions run on other machines, each in a clone of its own.
    pub fn is_elsewhere(self) -> bool {
        match self {
            Self::Ssh | Self::Slurm | Self::Github | Self::Kubernetes | Self::Cloud => true,
            Self::Print | Self::Tmux | Self::Background | Self::Custom => false,
        }
    }

    /// Returns the word of the command line, of JSON and of the record.
    pub fn word(self) -> &'static str {
        match self {
            Self::Print => "print",
            Self::Tmux => "tmux",
            Self::Background => "background",
            Self::Custom => "custom",
            Self::Ssh => "ssh",
            Self::Slurm => "slurm",
            Self::Github => "github",
            Self::Kubernetes => "kubernetes",
            Self::Cloud => "cloud",
        }
    }
}

/// A word that is no way to start workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownLaunchMode;

impl fmt::Display for UnknownLaunchMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("use print, tmux, background, custom, ssh, slurm, github, kubernetes or cloud")
    }
}

impl std::error::Error for UnknownLaunchMode {}

impl FromStr for LaunchMode {
    type Err = UnknownLaunchMode;

    fn from_str(text: &str) -> Result<Self, UnknownLaunchMode> {
        Self::ALL.into_iter().find(|how| how.word() == text).ok_or(UnknownLaunchMode)
    }
}

/// How a worker's newest session was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// In which way.
    pub how: LaunchMode,
    /// What the client or tmux calls it; `None` when it has no name.
    pub id: Option<String>,
    /// When it was started.
    pub at: Seconds,
}
