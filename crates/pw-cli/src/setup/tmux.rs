//! One tmux session for a workflow: a window for each worker, and one for the monitor.
//!
//! Commands go to tmux as several arguments, which it runs as they are; one it would hand to a
//! shell. No folder is passed, since tmux would expand `#(…)` in its name.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context as _, Result};
use pw_core::details::Ended;
use pw_core::failure::{Code, Failure};
use pw_core::id::Slug;

use crate::command::program;

const MONITOR: &str = "monitor";
/// Shows the workflow live, and leaves a shell when that is quit.
const SHOW: &str = "\"$1\" watch \"$2\"; exec \"${SHELL:-sh}\"";

/// Returns the name of a workflow's tmux session.
pub(super) fn name(workflow: &Slug) -> String {
    format!("pw-{workflow}")
}

/// A workflow's tmux session.
pub(super) struct Tmux {
    name: String,
    windows: Vec<String>,
}

impl Tmux {
    /// Refuses when tmux is missing.
    pub(super) fn require() -> Result<(), Failure> {
        let missing = |_| {
            Failure::new(Code::ProgramMissing, "tmux is not on PATH")
                .hint("install tmux, or take the commands of --with print to terminals of your own")
        };
        which::which("tmux").map(drop).map_err(missing)
    }

    /// Finds the session of a workflow, or makes it in this folder with the monitor in it.
    pub(super) fn open(workflow: &Slug, folder: &Path) -> Result<Self> {
        let name = name(workflow);
        let list = ["list-windows", "-t", &format!("={name}"), "-F", "#{window_name}"];
        let known = program("tmux").args(list).output().context("starting tmux")?;
        let text = String::from_utf8_lossy(&known.stdout).into_owned();
        let windows: Vec<String> = text.lines().map(str::to_owned).collect();
        let helper = std::env::current_exe().ok().map(|path| path.with_file_name("pw-monitor"));
        let helper = helper.filter(|path| path.is_file()).unwrap_or_else(|| "pw-monitor".into());
        let words = ["sh", "-c", SHOW, "sh"].map(OsString::from).into_iter();
        let show = words.chain([helper.into(), workflow.as_str().into()]);
        let mut tmux = Self { name, windows };
        if !known.status.success() {
            let new =
                ["new-session", "-d", "-x", "200", "-y", "50", "-s", &tmux.name, "-n", MONITOR];
            run(&new, show, folder)?;
        } else if !tmux.has(MONITOR) {
            tmux.window(MONITOR, show, folder)?;
        }
        tmux.windows.push(MONITOR.to_owned());
        Ok(tmux)
    }

    pub(super) fn has(&self, window: &str) -> bool {
        self.windows.iter().any(|name| name == window)
    }

    /// Makes a window in which a command runs.
    pub(super) fn window(
        &mut self,
        name: &str,
        command: impl Iterator<Item = OsString>,
        folder: &Path,
    ) -> Result<()> {
        let target = format!("={}:", self.name);
        run(&["new-window", "-d", "-t", &target, "-n", name], command, folder)?;
        self.windows.push(name.to_owned());
        Ok(())
    }
}

/// Runs tmux, and in it a command that sees our search path and not that of a tmux server which was
/// started long ago.
fn run(args: &[&str], command: impl Iterator<Item = OsString>, folder: &Path) -> Result<()> {
    let given = ["PATH", "CLAUDE_CODE_EXECPATH"].into_iter().filter_map(|name| {
        let mut word = OsString::from(format!("{name}="));
        word.push(std::env::var_os(name)?);
        Some(word)
    });
    let mut tmux = program("tmux");
    tmux.args(args).arg("env").args(given).args(command).current_dir(folder);
    let output = tmux.output().context("starting tmux")?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    Err(Failure::new(Code::LaunchFailed, "tmux made no window")
        .hint("read details.output_tail, correct what it says, and run the same command again")
        .details(Ended { exit_code: output.status.code(), output_tail: said, ..Ended::default() })
        .into())
}
