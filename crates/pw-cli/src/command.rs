//! Starts programs other than git.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use pw_core::gate::{End, Gate};
use pw_core::launcher::NESTED;
use pw_core::session::environment::ENVIRONMENT;
use pw_core::time::Seconds;
use pw_git::{is_stopped, process_id};
use rustix::process::{Signal, kill_process_group};

/// What asks programs not to colour what they print, which is kept in a file.
const PLAIN: [(&str, &str); 5] = [
    ("NO_COLOR", "1"),
    ("CLICOLOR", "0"),
    ("CARGO_TERM_COLOR", "never"),
    ("PY_COLORS", "0"),
    ("TERM", "dumb"),
];
/// What asks for colours, whatever its value, for many programs `0` too; some complain when it is
/// set beside `NO_COLOR`.
const COLOURED: [&str; 2] = ["FORCE_COLOR", "CLICOLOR_FORCE"];

/// Returns a program about to be started, without the variables that git hooks, the client and we
/// ourselves set: a hook's `GIT_DIR` would lead it to another repository.
#[expect(clippy::disallowed_methods, reason = "the one place that starts programs other than git")]
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("GIT_") || NESTED.contains(&&*text) || ENVIRONMENT.contains(&&*text) {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// Runs a command of the plan in a folder, its output kept in a file; returns its exit code,
/// `None` when a signal ended it. What it started and left running goes on when it has ended well,
/// such as a database that the worktree needs.
pub(crate) fn run(
    command: &str,
    folder: &Path,
    log: &Path,
    environment: impl IntoIterator<Item = (&'static str, String)>,
) -> Result<Option<i32>> {
    let (mut shell, _) = shell(command, folder, log, environment)?;
    let starting = || format!("starting sh for `{command}`");
    let leash = ProcessGroup::new().with_context(starting)?;
    let mut child = shell.process_group(leash.group()?).spawn().with_context(starting)?;
    match watched(&mut child, None, &mut || ())? {
        Watched::Ended(status) if status.success() => leash.release(),
        Watched::Ended(_) | Watched::Late => drop(leash),
        Watched::Stopped => {
            drop(leash);
            tell_of_terminal(log)?;
        }
    }
    Ok(child.wait()?.code())
}

/// Opens a file in the user's editor, a shell command, and waits until that is closed; returns
/// whether it ended well.
pub(crate) fn edit(editor: &str, file: &Path) -> Result<bool> {
    let mut shell = program("sh");
    shell.args(["-c", &format!("{editor} \"$1\""), "editor"]).arg(file).stdin(Stdio::inherit());
    Ok(shell.status().with_context(|| format!("starting the editor `{editor}`"))?.success())
}

/// Runs a gate on a leash: when its time is over, when it ends, or when we are killed, everything
/// it started is ended. `hold` is kept open by all of it, as a stdin that reads as empty; `follow`
/// gets the lines it prints while it runs. Returns how it ended, and how long that took.
pub(crate) fn run_gate(
    gate: &Gate,
    folder: &Path,
    log: &Path,
    environment: impl IntoIterator<Item = (&'static str, String)>,
    hold: Option<&File>,
    follow: &mut dyn FnMut(&str),
) -> Result<(End, Seconds)> {
    let (mut shell, mut output) = shell(&gate.command, folder, log, environment)?;
    let limit = Duration::from_secs(gate.timeout_seconds.unsigned_abs());
    if let Some(hold) = hold {
        shell.stdin(hold.try_clone().context("sharing the lock")?);
    }
    let began = Instant::now();
    let starting = || format!("starting sh for `{}`", gate.command);
    let leash = ProcessGroup::new().with_context(starting)?;
    let mut child = shell.process_group(leash.group()?).spawn().with_context(starting)?;
    let mut unfinished = Vec::new();
    let mut tell = || follow_lines(&mut output, &mut unfinished, follow);
    let watched = watched(&mut child, Some(limit), &mut tell)?;
    drop(leash);
    let status = child.wait()?;
    let end = match watched {
        Watched::Ended(status) => status.code().map_or(End::Signal, End::Exit),
        Watched::Late => End::Timeout,
        Watched::Stopped => {
            tell_of_terminal(log)?;
            status.code().map_or(End::Signal, End::Exit)
        }
    };
    Ok((end, Seconds::try_from(began.elapsed().as_secs()).unwrap_or(Seconds::MAX)))
}

/// What a program that runs came to.
enum Watched {
    Ended(ExitStatus),
    /// It asks at the terminal, and would wait there for ever.
    Stopped,
    /// Its time is over.
    Late,
}

/// Waits until a program ends, or has to be ended; `tell` is called now and then.
fn watched(child: &mut Child, limit: Option<Duration>, tell: &mut dyn FnMut()) -> Result<Watched> {
    let (began, mut pause) = (Instant::now(), Duration::from_millis(1));
    loop {
        let ended = child.try_wait()?;
        tell();
        if let Some(status) = ended {
            return Ok(Watched::Ended(status));
        } else if process_id(child).is_some_and(is_stopped) {
            return Ok(Watched::Stopped);
        } else if limit.is_some_and(|limit| began.elapsed() >= limit) {
            return Ok(Watched::Late);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

fn tell_of_terminal(log: &Path) -> Result<()> {
    let mut log = File::options().append(true).open(log).context("writing the log")?;
    writeln!(log, "ended: it asks at the terminal, where nothing may be asked")?;
    Ok(())
}

/// Returns a shell about to be run with its output in a file, and that file for reading.
fn shell(
    command: &str,
    folder: &Path,
    log: &Path,
    environment: impl IntoIterator<Item = (&'static str, String)>,
) -> Result<(Command, File)> {
    let home = log.parent().context("a log has a folder")?;
    std::fs::create_dir_all(home).with_context(|| format!("making {}", home.display()))?;
    let output = File::create(log).with_context(|| format!("writing {}", log.display()))?;
    let mut shell = program("sh");
    for name in COLOURED {
        shell.env_remove(name);
    }
    shell.args(["-c", command]).envs(PLAIN).envs(environment).current_dir(folder);
    shell.stderr(output.try_clone().context("sharing the log")?).stdout(output);
    Ok((shell, File::open(log).with_context(|| format!("reading {}", log.display()))?))
}

/// Passes on the whole lines that were printed since the last call.
fn follow_lines(output: &mut File, unfinished: &mut Vec<u8>, follow: &mut dyn FnMut(&str)) {
    if output.read_to_end(unfinished).is_err() {
        return;
    }
    let Some(end) = unfinished.iter().rposition(|byte| *byte == b'\n') else { return };
    let rest = unfinished.split_off(end + 1);
    String::from_utf8_lossy(unfinished).lines().for_each(&mut *follow);
    *unfinished = rest;
}

/// The first process of a group, which ends the whole group once our end of its pipe is closed:
/// when this is dropped, or when we are killed.
struct ProcessGroup {
    keeper: Child,
    /// It was told to let the others go on.
    is_released: bool,
}

impl ProcessGroup {
    /// A process group of its own: a Ctrl-C at the terminal ends this helper, which then ends the
    /// programs it started.
    fn new() -> std::io::Result<Self> {
        let mut keeper = program("sh");
        keeper.args(["-c", "trap '' HUP INT TERM; read -r _ || kill -s KILL 0"]);
        keeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self { keeper: keeper.process_group(0).spawn()?, is_released: false })
    }

    /// Lets the others of the group go on.
    fn release(mut self) {
        if let Some(pipe) = &mut self.keeper.stdin {
            self.is_released = pipe.write_all(b"\n").is_ok();
        }
    }

    fn group(&self) -> Result<i32> {
        self.keeper.id().try_into().context("a process number above all there are")
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // The kernel stops a whole group of which one reads from the terminal: also the process
        // that is to end it.
        if let Some(group) = process_id(&self.keeper).filter(|_| !self.is_released) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.keeper.wait();
    }
}
