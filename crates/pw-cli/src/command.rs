//! Starts programs other than git.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use pw_core::prompt::NESTED;

/// Returns a program about to be started, without what git hooks and the client tell their own: a
/// hook's `GIT_DIR` would lead it to another repository.
#[expect(clippy::disallowed_methods, reason = "the one place that starts programs other than git")]
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("GIT_") || NESTED.contains(&&*text) {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// Runs a command of the plan in a folder, its output kept in a file; returns its exit code,
/// `None` when a signal ended it.
pub(crate) fn run(
    command: &str,
    folder: &Path,
    log: &Path,
    environment: impl IntoIterator<Item = (&'static str, String)>,
) -> Result<Option<i32>> {
    let home = log.parent().context("a log has a folder")?;
    std::fs::create_dir_all(home).with_context(|| format!("making {}", home.display()))?;
    let output =
        std::fs::File::create(log).with_context(|| format!("writing {}", log.display()))?;
    let status = program("sh")
        .args(["-c", command])
        .envs(environment)
        .current_dir(folder)
        .stderr(output.try_clone().context("sharing the log")?)
        .stdout(output)
        .status()
        .with_context(|| format!("starting sh for `{command}`"))?;
    Ok(status.code())
}

/// Returns the end of a log, for an answer.
pub(crate) fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
