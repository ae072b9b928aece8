//! The repository's own merge drivers. git gives a driver its own stdin and stdout, through which
//! `git merge-tree --stdin` talks with us: what a driver prints would be read as an answer, and
//! what it reads would be a question lost.

use std::path::Path;

use anyhow::Result;

use crate::Repo;
use crate::process::{Call, records};

impl Repo {
    /// Cuts the merge drivers that a call may start off from git's stdin and stdout.
    pub(crate) fn hush_drivers(&self, mut call: Call) -> Result<Call> {
        let drivers = self.drivers()?;
        for (at, (key, command)) in drivers.iter().enumerate() {
            // On lines of its own: the command may end in a comment.
            let hushed = format!("{{\n{command}\n}} </dev/null >/dev/null 2>&1");
            call = call
                .env(&format!("GIT_CONFIG_KEY_{at}"), key)
                .env(&format!("GIT_CONFIG_VALUE_{at}"), hushed);
        }
        Ok(call.env("GIT_CONFIG_COUNT", drivers.len().to_string()))
    }

    /// Returns the settings that name drivers, with their commands. Git is asked only where there
    /// may be one.
    fn drivers(&self) -> Result<Vec<(String, String)>> {
        let files = ["config", "config.worktree"].map(|name| self.common().join(name));
        if !files.iter().any(|file| may_name_driver(file)) {
            return Ok(Vec::new());
        }
        let args = ["config", "--null", "--get-regexp", r"^merge\..*\.driver$"];
        let answer = self.git.plumbing(args).reader().codes(&[0, 1]).bytes()?;
        let driver = |record: &[u8]| {
            let text = String::from_utf8_lossy(record).into_owned();
            text.split_once('\n').map(|(key, command)| (key.to_owned(), command.to_owned()))
        };
        Ok(records(&answer).filter_map(driver).collect())
    }
}

fn may_name_driver(file: &Path) -> bool {
    let text = std::fs::read(file).unwrap_or_default().to_ascii_lowercase();
    let text = String::from_utf8_lossy(&text);
    text.contains("driver") || text.contains("include")
}
