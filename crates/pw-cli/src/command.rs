//! Runs commands that the plan names, their output kept in a file.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

/// Runs a shell command in a folder; returns its exit code, `None` when a signal ended it.
///
/// It sees nothing of the git that may have started us: a hook's `GIT_DIR` would lead it astray.
#[expect(clippy::disallowed_methods, reason = "the one place that starts the plan's commands")]
pub(crate) fn run(
    command: &str,
    folder: &Path,
    log: &Path,
    variables: &[(&str, &str)],
) -> Result<Option<i32>> {
    let home = log.parent().context("a log has a folder")?;
    std::fs::create_dir_all(home).with_context(|| format!("making {}", home.display()))?;
    let output =
        std::fs::File::create(log).with_context(|| format!("writing {}", log.display()))?;
    let mut shell = Command::new("sh");
    for (name, _) in
        std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GIT_"))
    {
        shell.env_remove(name);
    }
    let status = shell
        .args(["-c", command])
        .envs(variables.iter().copied())
        .current_dir(folder)
        .stdin(Stdio::null())
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
