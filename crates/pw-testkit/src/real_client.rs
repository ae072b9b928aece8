//! Drives the real Claude Code client against a [`ScriptedApi`], in a HOME of its own.
//!
//! The client gets a cleared environment (PATH and what cargo needs remain), a key that is none,
//! and no reason to leave loopback. Everything lies in one temporary folder that goes with the
//! [`RealClient`].

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::scripted_api::{ScriptedApi, bounded, first_json};

mod install;
mod run;

pub use install::Plugin;
pub use run::{HookRun, Run, ToolCall};

/// Ample for a scripted conversation, whose time is the helpers' own.
const TIME_LIMIT: Duration = Duration::from_secs(300);

/// The user, and leave to clone from and work in folders of this machine.
const GIT_CONFIG: &str = "\
[user]
 name = User
 email = user@example.com
[init]
 defaultBranch = main
[protocol \"file\"]
 allow = always
[safe]
 directory = *
";

/// The client with its own HOME, project folder and plugins.
pub struct RealClient<'a> {
    bin: PathBuf,
    api: &'a ScriptedApi,
    folder: TempDir,
    /// The folder of programs that is all of PATH, when some are left out.
    programs: Option<PathBuf>,
}

/// A session that runs beside the test; it is killed when dropped.
pub struct Begun {
    child: Child,
}

impl Begun {
    /// Kills it as a crash would: it cannot clean up.
    pub fn kill(&mut self) {
        // Ended by itself, it is dead as well.
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a program left behind.
struct Finished {
    status: ExitStatus,
    timed_out: bool,
    stdout: String,
    stderr: String,
}

impl<'a> RealClient<'a> {
    /// Prepares a HOME in which the client has no first-run questions left.
    pub fn new(bin: impl Into<PathBuf>, api: &'a ScriptedApi) -> Self {
        let folder = TempDir::with_prefix("pw-client-").unwrap();
        let client = Self { bin: bin.into(), api, folder, programs: None };
        fs::create_dir_all(client.home().join(".claude")).unwrap();
        fs::create_dir_all(client.project()).unwrap();
        fs::create_dir_all(client.path("tmp")).unwrap();
        let key = fake_key();
        let known_key = &key[key.len() - 20..];
        let project = client.project().to_str().unwrap().to_owned();
        let answered = json!({
            "hasCompletedOnboarding": true, "theme": "dark", "numStartups": 5,
            "customApiKeyResponses": {"approved": [known_key], "rejected": []},
            "projects": {project: {"hasTrustDialogAccepted": true, "hasCompletedProjectOnboarding": true}},
        });
        fs::write(client.home().join(".claude.json"), answered.to_string()).unwrap();
        fs::write(client.home().join(".gitconfig"), GIT_CONFIG).unwrap();
        client
    }

    /// Takes programs of this machine away: what runs from now on finds all other programs, and no
    /// toolchain.
    pub fn without(&mut self, names: &[&str]) {
        let folder = self.path("programs");
        fs::create_dir(&folder).unwrap();
        for program in std::env::split_paths(&std::env::var_os("PATH").unwrap())
            .filter_map(|folder| fs::read_dir(folder).ok())
            .flat_map(|entries| entries.flatten())
            .filter(|entry| !names.iter().any(|name| entry.file_name() == *name))
        {
            // The first of a name is the one that PATH finds.
            let _ = std::os::unix::fs::symlink(program.path(), folder.join(program.file_name()));
        }
        self.programs = Some(folder);
    }

    /// Returns the folder the client works in, empty at first.
    pub fn project(&self) -> PathBuf {
        self.path("project")
    }

    /// Returns the client's HOME.
    pub fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// Sends one prompt in a session of its own (`args` may say `--resume`) and waits for its end.
    /// Panics with the story so far when the client fails, takes longer than it may, or leaves the
    /// script.
    #[track_caller]
    pub fn prompt(&self, text: &str, args: &[&str]) -> Run {
        self.prompt_in(&self.project(), text, args)
    }

    /// Sends one prompt in a session that works in `folder`, as [`Self::prompt`] does in the
    /// project.
    #[track_caller]
    pub fn prompt_in(&self, folder: &Path, text: &str, args: &[&str]) -> Run {
        let format = ["--output-format", "stream-json", "--verbose", "--include-hook-events"];
        let mut command = self.command(&self.bin);
        command.current_dir(folder);
        command.args(["-p", text]).args(format).arg("--forward-subagent-text").args(args);
        let finished = self.finish(command, TIME_LIMIT);
        let run = Run::read(&finished.stdout);
        assert!(
            finished.status.success() && !finished.timed_out && run.ended_well(),
            "the client failed on {text:?} ({}{})\nstderr: {}\nlast words: {}\n{}",
            finished.status,
            if finished.timed_out { ", ended after its time limit" } else { "" },
            bounded(&finished.stderr, 2000),
            bounded(&finished.stdout, 2000),
            self.api.story()
        );
        self.api.verdict_so_far();
        run
    }

    /// Sends one prompt to a background session that works in `folder`, and waits until it is done.
    /// What it did is in the script's hands; its supervisor ends with the [`RealClient`].
    #[track_caller]
    pub fn prompt_background(&self, folder: &Path, text: &str, args: &[&str]) {
        self.begin_background(folder, text, args);
        let deadline = Instant::now() + TIME_LIMIT;
        loop {
            let sessions: Value =
                serde_json::from_str(&self.claude(&["agents", "--json", "--all"])).unwrap();
            if sessions[0]["state"] == "done" {
                break;
            }
            assert!(Instant::now() < deadline, "{sessions:#}\n{}", self.api.story());
            std::thread::sleep(Duration::from_millis(500));
        }
        self.api.verdict_so_far();
    }

    /// Sends one prompt to a background session that works in `folder`, and leaves it to itself.
    #[track_caller]
    pub fn begin_background(&self, folder: &Path, text: &str, args: &[&str]) {
        let mut command = self.command(&self.bin);
        command.current_dir(folder).arg("--bg").args(args).args(["--", text]);
        self.succeed(command, Duration::from_secs(60));
    }

    /// Ends a background session, as a user does who has no more use for it.
    #[track_caller]
    pub fn end_background(&self, id: &str) {
        self.claude(&["stop", id]);
    }

    /// Runs tmux, whose server ends with the [`RealClient`]; returns what it printed, `None` when it failed.
    pub fn tmux(&self, args: &[&str]) -> Option<String> {
        let mut command = self.command("tmux");
        command.args(args);
        let finished = self.finish(command, Duration::from_secs(10));
        finished.status.success().then_some(finished.stdout)
    }

    /// Sends one prompt in a session that works in `folder` until it is killed.
    pub fn begin(&self, folder: &Path, text: &str, args: &[&str]) -> Begun {
        let mut command = self.command(&self.bin);
        command.current_dir(folder).args(["-p", text]).args(args);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Begun { child: command.spawn().unwrap() }
    }

    /// Runs a program that answers with a JSON document, in the project and in the client's HOME.
    #[track_caller]
    pub fn answer(&self, program: &Path, args: &[&str]) -> Value {
        let mut command = self.command(program);
        command.args(args);
        first_json(&self.succeed(command, Duration::from_secs(60)))
    }

    /// Runs git in the project as the user would, and returns its stdout without the last newline.
    #[track_caller]
    pub fn git<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> String {
        self.git_in(&self.project(), args)
    }

    /// Runs git in `folder`, as [`Self::git`] does in the project.
    #[track_caller]
    pub fn git_in<S: AsRef<OsStr>>(
        &self,
        folder: &Path,
        args: impl IntoIterator<Item = S>,
    ) -> String {
        let mut command = self.command("git");
        command.args(args).current_dir(folder);
        self.succeed(command, Duration::from_secs(60))
    }

    /// Returns whether git succeeds in `folder`.
    pub fn git_succeeds(&self, folder: &Path, args: &[&str]) -> bool {
        let mut command = self.command("git");
        command.args(args).current_dir(folder);
        self.finish(command, Duration::from_secs(60)).status.success()
    }

    fn path(&self, name: &str) -> PathBuf {
        // The client trusts folders by their real path.
        self.folder.path().canonicalize().unwrap().join(name)
    }

    /// Runs the client itself, as `claude ARGS`.
    #[track_caller]
    fn claude(&self, args: &[&str]) -> String {
        let mut command = self.command(&self.bin);
        command.args(args);
        self.succeed(command, Duration::from_secs(120))
    }

    /// Has the client tell what an installed plugin has and costs, as `claude plugin details`.
    pub fn details(&self, plugin: &str) -> String {
        self.claude(&["plugin", "details", plugin])
    }

    /// Has the client read the evals of the plugin in a folder, as `claude plugin eval` with these options;
    /// returns all it printed, whatever the scores are.
    pub fn evals(&self, plugin: &Path, options: &[&str]) -> String {
        let mut command = self.command(&self.bin);
        command.args(["plugin", "eval"]).arg(plugin).args(["--trust-plugin", "--no-publish"]);
        let results = self.path("evals");
        command.arg("--output-dir").arg(results).args(options);
        let Finished { stdout, stderr, .. } = self.finish(command, Duration::from_secs(120));
        stdout + &stderr
    }

    /// The only place that starts a program: in the project, with nothing inherited but what is
    /// named here.
    #[expect(
        clippy::disallowed_methods,
        reason = "test support: the client, its plugin's helpers and git"
    )]
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().current_dir(self.project()).stdin(Stdio::null());
        command.env("PATH", self.path_variable());
        // With another HOME cargo would find neither its toolchain nor its downloads. It is not
        // made offline: the lockfile's crates are there when the tests were built here, and fetched
        // as for a user when not.
        let homes = [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")];
        for (name, folder) in homes.into_iter().filter(|_| self.programs.is_none()) {
            let default = || std::env::home_dir().map(|home| home.join(folder).into_os_string());
            if let Some(home) =
                std::env::var_os(name).or_else(default).filter(|home| Path::new(home).is_dir())
            {
                command.env(name, home);
            }
        }
        let temporary = self.path("tmp");
        command
            .env("HOME", self.home())
            .env("TMPDIR", &temporary)
            .env("CLAUDE_CODE_TMPDIR", &temporary)
            // A server of its own, never the one of this machine's user.
            .env("TMUX_TMPDIR", &temporary);
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_TERMINAL_PROMPT", "0");
        command.env("ANTHROPIC_BASE_URL", self.api.url()).env("ANTHROPIC_API_KEY", fake_key());
        command.envs([
            ("TERM", "dumb"),
            ("LANG", "C.UTF-8"),
            ("SHELL", "/bin/bash"),
            ("DISABLE_TELEMETRY", "1"),
            ("DISABLE_AUTOUPDATER", "1"),
            ("DISABLE_ERROR_REPORTING", "1"),
            ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
            ("CLAUDE_CODE_MAX_RETRIES", "1"),
        ]);
        command
    }

    fn path_variable(&self) -> OsString {
        let all = || std::env::var_os("PATH").unwrap();
        self.programs.as_ref().map_or_else(all, |folder| folder.clone().into_os_string())
    }

    #[track_caller]
    fn succeed(&self, command: Command, limit: Duration) -> String {
        let story = format!("{command:?}");
        let Finished { status, timed_out, stdout, stderr } = self.finish(command, limit);
        assert!(status.success() && !timed_out, "{story}\n{status}\n{stdout}\n{stderr}");
        stdout.trim_end_matches('\n').to_owned()
    }

    /// Runs a program to its end, or ends it and its process group, which alone is ours to end.
    fn finish(&self, mut command: Command, limit: Duration) -> Finished {
        // Files, not pipes: what the program leaves running may hold a pipe open for ever.
        let outputs = TempDir::new_in(self.path("tmp")).unwrap();
        let (stdout, stderr) = (outputs.path().join("stdout"), outputs.path().join("stderr"));
        command.stdout(File::create(&stdout).unwrap()).stderr(File::create(&stderr).unwrap());
        let mut child =
            command.process_group(0).spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (status, timed_out) = match wait(&mut child, limit) {
            Some(status) => (status, false),
            None => (self.end(&mut child), true),
        };
        let text = |path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        Finished { status, timed_out, stdout: text(stdout), stderr: text(stderr) }
    }

    fn end(&self, child: &mut Child) -> ExitStatus {
        for signal in ["TERM", "KILL"] {
            let group = format!("-{}", child.id());
            // A group that has just gone by itself is no failure.
            let _ = self.command("kill").args(["-s", signal, "--", &group]).status();
            if let Some(status) = wait(child, Duration::from_secs(5)) {
                return status;
            }
        }
        child.wait().unwrap()
    }
}

impl Drop for RealClient<'_> {
    fn drop(&mut self) {
        if self.home().join(".claude/jobs").is_dir() {
            // Nothing of ours to lose when it does not: the supervisor ends when it is idle.
            let mut command = self.command(&self.bin);
            command.args(["daemon", "stop", "--any"]).stdout(Stdio::null()).stderr(Stdio::null());
            let _ = command.status();
        }
        // Fails where no test started it.
        let mut command = self.command("tmux");
        command.arg("kill-server").stdout(Stdio::null()).stderr(Stdio::null());
        let _ = command.status();
    }
}

fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + limit;
    loop {
        match child.try_wait().unwrap() {
            Some(status) => return Some(status),
            None if Instant::now() >= deadline => return None,
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// A key that opens nothing, put together so that no scanner takes it for one that does.
fn fake_key() -> String {
    ["loopback", "only", "not", "a", "secret"].join("-")
}

fn read_json(path: &Path) -> Value {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap()
}

#[cfg(test)]
mod tests;
