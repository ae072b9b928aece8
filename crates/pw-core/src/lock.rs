//! Who holds the lock of a repository, as it is written into the lock file and told to helpers that
//! wait; and git's own locks.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::failure::{Code, Details, Failure};

/// What helps after what was in the way is gone.
pub(crate) const AGAIN: &str = "then run the same command again: it goes on where it was";

/// Returns the file that locks what git wanted to write, by what it said in the C locale.
pub fn of_git(said: &str) -> Option<String> {
    let between =
        |start: &str, end: &str| Some(said.split_once(start)?.1.split_once(end)?.0.to_owned());
    between("Unable to create '", "': File exists")
        .or_else(|| Some(between("could not lock config file ", ": File exists")? + ".lock"))
}

/// Returns the refusal while one of git's own locks is taken: `locked`.
pub fn taken(lock: String) -> Failure {
    let hint = format!(
        "wait for the git that holds it; if none runs here, a killed one left it: remove that file, {AGAIN}"
    );
    Failure::new(Code::Locked, format!("git's lock {lock} is taken"))
        .hint(hint)
        .details(LockFile { lock })
}

/// A lock that another process holds, or has left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LockFile {
    /// The file.
    pub lock: String,
}

impl Details for LockFile {
    const CODES: &'static [Code] = &[Code::Locked];
}

/// The details of `locked`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Holder {
    /// All of it in one line.
    pub holder: String,
    /// The command that runs; `null` when the lock does not say, as between taking and writing it.
    pub command: Option<String>,
    /// The id of its process; `null` when the lock file does not tell.
    pub process: Option<u32>,
    /// RFC 3339.
    pub since: Option<String>,
}

impl Details for Holder {
    const CODES: &'static [Code] = &[Code::Locked];
}

impl Holder {
    /// Returns what the helper `command` writes into the lock it takes; `since` is RFC 3339.
    pub fn new(command: &str, process: u32, since: &str) -> Self {
        Self::parse(&format!("{command} (process {process}) since {since}"))
    }

    /// Reads what [`Self::new`] displays.
    pub fn parse(text: &str) -> Self {
        let holder = text.trim().to_owned();
        let parts = holder.rsplit_once(") since ").and_then(|(before, since)| {
            let (command, process) = before.rsplit_once(" (process ")?;
            Some((command.to_owned(), process.parse().ok()?, since.to_owned()))
        });
        match parts {
            Some((command, process, since)) => {
                Self { holder, command: Some(command), process: Some(process), since: Some(since) }
            }
            None => Self { holder, command: None, process: None, since: None },
        }
    }

    /// Returns the refusal of a second helper: `locked`.
    pub fn refuse(&self) -> Failure {
        let message = format!("another helper is at work here: {}", self.holder);
        Failure::new(Code::Locked, message)
            .hint("run the command again when it is done")
            .details(self.clone())
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.holder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_is_read_as_it_was_written() {
        let holder = Holder::new("pw-setup create (x).yaml", 17, "2025-06-15T15:06:40Z");
        assert_eq!(holder.command.as_deref(), Some("pw-setup create (x).yaml"));
        assert_eq!(
            (holder.process, holder.since.as_deref()),
            (Some(17), Some("2025-06-15T15:06:40Z"))
        );
        assert_eq!(Holder::parse(&format!("{holder}\n")), holder);
        assert_eq!(Holder::parse("").process, None);
    }
}
