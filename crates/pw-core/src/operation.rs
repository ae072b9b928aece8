//! A git operation that stops half-way and waits: its name, and the command that gives it up.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::BadName;

/// A git command that keeps its progress in files of the worktree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// `git am`.
    Am,
    /// `git bisect`.
    Bisect,
    /// `git cherry-pick`, of one commit or of many.
    CherryPick,
    /// `git merge`, also that of `git pull`.
    Merge,
    /// `git rebase`, whichever its backend.
    Rebase,
    /// `git revert`.
    Revert,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 6] =
        [Self::Am, Self::Bisect, Self::CherryPick, Self::Merge, Self::Rebase, Self::Revert];

    /// Returns the name of its git command.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Am => "am",
            Self::Bisect => "bisect",
            Self::CherryPick => "cherry-pick",
            Self::Merge => "merge",
            Self::Rebase => "rebase",
            Self::Revert => "revert",
        }
    }

    /// Returns the command that gives it up and goes back to where it began.
    pub fn abort(self) -> String {
        match self {
            Self::Bisect => "git bisect reset".to_owned(),
            other => format!("git {other} --abort"),
        }
    }

    /// Returns that it waits, as a clause.
    pub fn in_progress(self) -> String {
        let article = if self == Self::Am { "an" } else { "a" };
        format!("{article} {self} is in progress")
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Operation {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        Self::ALL.into_iter().find(|operation| operation.as_str() == text).ok_or(BadName)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_read_as_it_is_written() {
        for operation in Operation::ALL {
            assert_eq!(operation.as_str().parse(), Ok(operation));
            let json = serde_json::to_value(operation).unwrap();
            assert_eq!(json, operation.as_str());
        }
        assert_eq!("stash".parse::<Operation>(), Err(BadName));
    }

    #[test]
    fn a_bisect_is_given_up_by_a_word_of_its_own() {
        assert_eq!(Operation::Bisect.abort(), "git bisect reset");
        assert_eq!(Operation::CherryPick.abort(), "git cherry-pick --abort");
        assert_eq!(Operation::Am.in_progress(), "an am is in progress");
    }
}
