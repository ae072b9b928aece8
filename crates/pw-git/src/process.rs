//! Starts git: one place for its environment, its configuration and its failures.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::{JoinHandle, ScopedJoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result};
use pw_core::branch::Branch;
use pw_core::failure::{Code, Failure};
use pw_core::text::bounded;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::overrides;

/// The git program, and the folder it is asked about.
#[derive(Clone, Debug)]
pub(crate) struct Git {
    program: PathBuf,
    dir: PathBuf,
    /// A setting besides those that all calls have.
    setting: Option<&'static str>,
    /// Whether a partial clone may ask its remote for content that it lacks.
    may_fetch: bool,
    /// Whether calls that see the user's configuration run the user's hooks.
    has_hooks: bool,
    /// Whether the repository was found under the user's own settings: from then on a bare one is
    /// taken by its folder, which `safe.bareRepository=explicit`, the default of git 3.0, refuses.
    is_found: bool,
}

/// Whose configuration a call sees.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Profile {
    /// The user's: ignore rules, LFS filters, hooks, identity.
    User,
    /// Ours alone: no global or system file, merges that mean the same everywhere.
    Plumbing,
}

/// How much of a command an error repeats, in characters: some name thousands of files.
const MAX_SHOWN: usize = 1_000;

/// Environment variables that say who the user is and how to reach remotes. All other `GIT_*` go:
/// a hook's `GIT_DIR` or `GIT_INDEX_FILE` would make git answer for another repository.
const KEPT: &[&str] = &[
    "GIT_AUTHOR_NAME",
    "GIT_AUTHOR_EMAIL",
    "GIT_COMMITTER_NAME",
    "GIT_COMMITTER_EMAIL",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_ASKPASS",
    "GIT_EXEC_PATH",
    "GIT_CEILING_DIRECTORIES",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
];

/// What to do without a git that understands us.
pub const INSTALL: &str = "install git 2.39 or newer, then run the same command again";

impl Git {
    /// Finds git on the search path once, to ask it about `dir`.
    pub(crate) fn find(dir: &Path) -> Result<Self> {
        let program = which::which("git").map_err(|_| {
            Failure::new(Code::ProgramMissing, "git is not installed, or not on the search path")
                .hint(INSTALL)
        })?;
        Ok(Self {
            program,
            dir: dir.to_owned(),
            setting: None,
            may_fetch: false,
            has_hooks: true,
            is_found: false,
        })
    }

    /// Returns the same git, asked about another folder.
    pub(crate) fn at(&self, dir: &Path) -> Self {
        Self { dir: dir.to_owned(), ..self.clone() }
    }

    /// Returns the same git with one more setting, `name=value`.
    pub(crate) fn with(&self, setting: &'static str) -> Self {
        Self { setting: Some(setting), ..self.clone() }
    }

    /// Returns the same git, which may ask the remote of a partial clone for content.
    pub(crate) fn fetching(&self) -> Self {
        Self { may_fetch: true, ..self.clone() }
    }

    /// Returns the same git for a repository that was found.
    pub(crate) fn of_found(&self, place: &Path) -> Self {
        Self { is_found: true, ..self.at(place) }
    }

    /// Returns the same git, which runs none of the user's hooks.
    pub(crate) fn without_hooks(&self) -> Self {
        Self { has_hooks: false, ..self.clone() }
    }

    /// The folder it is asked about.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Begins a call that sees the user's configuration.
    pub(crate) fn user<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Call {
        self.call(Profile::User, args)
    }

    /// Begins a call that means the same on every machine.
    ///
    /// It trusts the repository's owner: [`crate::Repo::open`] asked with the user's settings.
    pub(crate) fn plumbing<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Call {
        self.call(Profile::Plumbing, args)
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that starts git")]
    fn call<S: AsRef<OsStr>>(&self, profile: Profile, args: impl IntoIterator<Item = S>) -> Call {
        let args: Vec<OsString> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        let mut command = Command::new(&self.program);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("GIT_") && !KEPT.contains(&text.as_ref()) || text == "LANGUAGE" {
                command.env_remove(&name);
            }
        }
        command
            .env("LC_ALL", "C.UTF-8")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_EDITOR", "true")
            .env("GIT_SEQUENCE_EDITOR", "true")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_LITERAL_PATHSPECS", "1")
            .arg("--no-pager")
            .arg("-C")
            .arg(&self.dir);
        if !self.may_fetch {
            command.env("GIT_NO_LAZY_FETCH", "1");
        }
        let is_plumbing = profile == Profile::Plumbing;
        let overrides = overrides::of(is_plumbing, self.has_hooks, self.is_found);
        for setting in overrides.chain(self.setting) {
            command.arg("-c").arg(setting);
        }
        if is_plumbing {
            command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        }
        command
            .args(&args)
            .stdin(crate::lock::stdin())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // Its own group: children that git starts end with it, and a Ctrl-C at the terminal does
        // not leave a half-written worktree behind a helper that is about to clean up.
        command.process_group(0);
        Call { command, args, input: None, accepted: &[0], touches: true, limit: None }
    }
}

/// One call of git, about to be made.
pub(crate) struct Call {
    command: Command,
    args: Vec<OsString>,
    input: Option<Vec<u8>>,
    accepted: &'static [i32],
    /// Whether it may give files a new time.
    touches: bool,
    /// How long it may take, with all that it starts.
    limit: Option<Duration>,
}

/// What becomes of the rest of what git prints.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// It is read to its end, and git's exit code tells whether that was all.
    Read,
    /// What was read is enough.
    Left,
}

/// What a call that succeeded printed.
pub(crate) struct Output {
    /// -1 when a signal ended it, as at the end of its time.
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl Call {
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Leaves out the options that the user set for merges into this branch alone: with `--squash`
    /// or `-s ours` there would be no merge, or nothing in it.
    pub(crate) fn without_merge_options(self, branch: Option<&Branch>) -> Self {
        let Some(branch) = branch else { return self };
        // By the environment: `-c` would end the name at a `=` in it.
        self.env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", format!("branch.{branch}.mergeOptions"))
            .env("GIT_CONFIG_VALUE_0", "")
    }

    /// Takes a variable out of its environment.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    pub(crate) fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Some(bytes.into());
        self
    }

    /// Ends git, and what it started, when that takes longer: a remote may never answer.
    pub(crate) fn bounded(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Takes no optional lock and refreshes no index: reading disturbs no other git process.
    pub(crate) fn reader(self) -> Self {
        self.env("GIT_OPTIONAL_LOCKS", "0")
    }

    /// Leaves the times of all files as they are, see [`crate::keep_mtimes`].
    pub(crate) fn touching_nothing(mut self) -> Self {
        self.touches = false;
        self
    }

    /// Lists the exit codes that are answers; any other is an error.
    pub(crate) fn codes(mut self, accepted: &'static [i32]) -> Self {
        self.accepted = accepted;
        self
    }

    /// Accepts every exit code: the caller verifies the effect instead.
    pub(crate) fn any_code(mut self) -> Self {
        self.accepted = &[];
        self
    }

    pub(crate) fn run(self) -> Result<Output> {
        let ((), output) = self.stream(|_| Ok(()))?;
        Ok(output)
    }

    /// Runs git while `read` takes what it prints; what `read` leaves is in the output.
    pub(crate) fn stream<T>(
        self,
        read: impl FnOnce(&mut BufReader<ChildStdout>) -> Result<T>,
    ) -> Result<(T, Output)> {
        self.stream_until(|stdout| Ok((read(stdout)?, Rest::Read)))
    }

    /// The same; where `read` says that it has enough, git ends at its next word, and how it ended tells
    /// nothing.
    pub(crate) fn stream_until<T>(
        mut self,
        read: impl FnOnce(&mut BufReader<ChildStdout>) -> Result<(T, Rest)>,
    ) -> Result<(T, Output)> {
        let shown = self.shown();
        if self.input.is_some() {
            self.command.stdin(Stdio::piped());
        }
        let mut child = self.start(&shown)?;
        let guard = self.limit.map(|limit| end_after(&child, limit));
        let terminal = has_terminal().then(|| end_when_stopped(&child));
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let mut stdout = BufReader::new(stdout.context("git has no stdout")?);
        let mut stderr = stderr.context("git has no stderr")?;
        // All three at once: any pipe may fill before another is drained. A broken pipe means that
        // git stopped reading; its exit code tells why.
        let (given, said) = std::thread::scope(|scope| {
            if let Some((bytes, mut stdin)) = self.input.take().zip(child.stdin.take()) {
                scope.spawn(move || stdin.write_all(&bytes).ok());
            }
            let said = scope.spawn(move || {
                let mut said = Vec::new();
                stderr.read_to_end(&mut said).ok();
                said
            });
            let given = read(&mut stdout).and_then(|(given, wanted)| {
                let mut rest = Vec::new();
                if wanted == Rest::Read {
                    stdout
                        .read_to_end(&mut rest)
                        .with_context(|| format!("reading from git {shown}"))?;
                }
                Ok((given, wanted, rest))
            });
            // A git that still prints has no reader any more, and ends.
            drop(stdout);
            (given, said.join().unwrap_or_default())
        });
        let status = child.wait().with_context(|| format!("waiting for git {shown}"))?;
        drop(guard);
        let was_stopped = terminal.is_some_and(Stopped::told);
        let (given, wanted, rest) = given?;
        let code = status.code().unwrap_or(-1);
        let is_answer = wanted == Rest::Left || self.accepted.contains(&code);
        if !is_answer && !self.accepted.is_empty() {
            let mut stderr = String::from_utf8_lossy(&said).trim_end().to_owned();
            if was_stopped {
                stderr = format!("{WANTED_TERMINAL}\n{stderr}").trim_end().to_owned();
            }
            return Err(GitError { command: shown, code, stderr }.into());
        }
        Ok((given, Output { code, stdout: rest, stderr: said }))
    }

    /// Starts a command that answers each line of its input with a line, and leaves it running.
    pub(crate) fn dialogue(mut self) -> Result<Dialogue> {
        let shown = self.shown();
        self.command.stdin(Stdio::piped());
        let mut child = self.start(&shown)?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().map(BufReader::new));
        let stderr = child.stderr.take().map(|mut pipe| {
            // Drained at once: git would wait for ever with a full pipe.
            std::thread::spawn(move || {
                let mut said = Vec::new();
                pipe.read_to_end(&mut said).ok();
                said
            })
        });
        Ok(Dialogue { child, stdin, stdout, stderr, shown })
    }

    fn start(&mut self, shown: &str) -> Result<Child> {
        let child = match self.touches {
            true => self.command.spawn(),
            false => crate::keep_mtimes::spawn(&mut self.command),
        };
        child.with_context(|| format!("starting git {shown}"))
    }

    fn shown(&self) -> String {
        let words: Vec<_> = self.args.iter().map(|arg| arg.to_string_lossy()).collect();
        bounded(&words.join(" "), MAX_SHOWN)
    }

    pub(crate) fn bytes(self) -> Result<Vec<u8>> {
        Ok(self.run()?.stdout)
    }

    /// Returns the output as text without its last newline.
    pub(crate) fn line(self) -> Result<String> {
        let bytes = self.bytes()?;
        let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        String::from_utf8(line.to_vec()).context("git printed bytes that are not UTF-8")
    }
}

/// Ends a git and its children after a time, unless what is returned was dropped before.
fn end_after(child: &Child, limit: Duration) -> Sender<()> {
    let (done, ended) = channel();
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    std::thread::spawn(move || {
        if ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout)
            && let Some(group) = group
        {
            // It may have ended this moment.
            let _ = kill_process_group(group, Signal::KILL);
        }
    });
    done
}

/// What is said of a git that was ended since a program it had started, a hook or a filter, asked
/// something at the terminal.
const WANTED_TERMINAL: &str = "it asks at the terminal, where helpers let nothing be asked";

/// How often it is looked whether a git was stopped.
const LOOK: Duration = Duration::from_millis(200);

/// Returns whether there is a terminal that children could ask at, whatever stdin is.
fn has_terminal() -> bool {
    static KNOWN: OnceLock<bool> = OnceLock::new();
    *KNOWN.get_or_init(|| std::fs::File::open("/dev/tty").is_ok())
}

/// Returns the id of a child as the system has it.
pub fn process_id(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

/// Returns whether a child was stopped: the kernel does that to who is in the background and reads
/// from the terminal, and it would wait for ever.
pub fn is_stopped(child: Pid) -> bool {
    let look = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    matches!(waitid(WaitId::Pid(child), look), Ok(Some(_)))
}

/// Tells whether a git was stopped, and ends the look-out.
struct Stopped {
    done: Sender<()>,
    was: Arc<AtomicBool>,
}

impl Stopped {
    fn told(self) -> bool {
        drop(self.done);
        self.was.load(Ordering::Relaxed)
    }
}

/// Ends a git and its children once they were stopped.
fn end_when_stopped(child: &Child) -> Stopped {
    let (done, ended) = channel::<()>();
    let was = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&was);
    let Some(group) = process_id(child) else { return Stopped { done, was } };
    std::thread::spawn(move || {
        while ended.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
            if is_stopped(group) {
                told.store(true, Ordering::Relaxed);
                let _ = kill_process_group(group, Signal::KILL);
                return;
            }
        }
    });
    Stopped { done, was }
}

/// A running git that is asked line by line; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Dialogue {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Option<BufReader<ChildStdout>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
    shown: String,
}

impl Dialogue {
    /// Sends one line and returns the answer, both without their newline.
    pub(crate) fn ask(&mut self, line: &OsStr) -> Result<String> {
        let mut answer = String::new();
        if let (Some(stdin), Some(stdout)) = (&mut self.stdin, &mut self.stdout) {
            // A broken pipe means git ended; what it said tells why.
            let _ = stdin.write_all(&[line.as_bytes(), b"\n"].concat());
            stdout.read_line(&mut answer).with_context(|| format!("reading git {}", self.shown))?;
        }
        match answer.strip_suffix('\n') {
            Some(answer) => Ok(answer.to_owned()),
            None => Err(self.failed()?.into()),
        }
    }

    /// Sends text; a broken pipe means that git ended, which shows in what it answers.
    pub(crate) fn say(&mut self, text: &str) {
        if let Some(stdin) = &mut self.stdin {
            let _ = stdin.write_all(text.as_bytes());
        }
    }

    /// Passes on what git prints from now on, as it comes.
    pub(crate) fn listen(&mut self) -> Result<Receiver<Vec<u8>>> {
        let mut stdout = self.stdout.take().context("the output of git is read already")?;
        let (send, receive) = channel();
        std::thread::spawn(move || {
            while let Ok(bytes) = stdout.fill_buf().map(<[u8]>::to_vec) {
                stdout.consume(bytes.len());
                if bytes.is_empty() || send.send(bytes).is_err() {
                    return;
                }
            }
        });
        Ok(receive)
    }

    fn failed(&mut self) -> Result<GitError> {
        self.stdin = None;
        let code = self.child.wait()?.code().unwrap_or(-1);
        let said = self.stderr.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        let stderr = String::from_utf8_lossy(&said).trim_end().to_owned();
        Ok(GitError { command: self.shown.clone(), code, stderr })
    }
}

impl Drop for Dialogue {
    fn drop(&mut self) {
        self.stdin = None;
        let _ = self.child.wait();
    }
}

/// A git command that failed with an exit code that is no answer.
#[derive(Debug)]
pub struct GitError {
    /// The command without `git`, as it is shown to the user.
    pub command: String,
    /// The exit code; -1 when a signal ended it.
    pub code: i32,
    /// What git printed to stderr, without the last newline.
    pub stderr: String,
}

impl GitError {
    /// Returns whether git did not understand the question: it is older than what we ask.
    pub fn is_too_old(&self) -> bool {
        self.code == 129
    }
}

impl std::fmt::Display for GitError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let first = self.stderr.lines().next().unwrap_or("no message");
        match self.code {
            -1 => write!(f, "git {} was killed: {first}", self.command),
            code => write!(f, "git {} failed with code {code}: {first}", self.command),
        }
    }
}

impl std::error::Error for GitError {}

/// Splits NUL-terminated records.
pub(crate) fn records(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .strip_suffix(b"\0")
        .unwrap_or(bytes)
        .split(|byte| *byte == 0)
        .filter(|_| !bytes.is_empty())
}

/// Asks two questions at once: each costs a process or more, and most of that is waiting.
pub fn both<A: Send, B>(
    first: impl FnOnce() -> Result<A> + Send,
    second: impl FnOnce() -> Result<B>,
) -> Result<(A, B)> {
    std::thread::scope(|scope| {
        let first = scope.spawn(first);
        let second = second();
        let first = first.join().map_err(|_| anyhow::anyhow!("asking git panicked"))?;
        Ok((first?, second?))
    })
}

/// How many processes keep the machine busy.
pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// Asks the same about everything in a list, as many at a time as there are processors.
pub fn all<T: Sync, A: Send>(list: &[T], ask: impl Fn(&T) -> A + Sync) -> Vec<A> {
    let next = AtomicUsize::new(0);
    let take = || {
        let at = next.fetch_add(1, Ordering::Relaxed);
        list.get(at).map(|item| (at, ask(item)))
    };
    let work = || std::iter::from_fn(take).collect::<Vec<_>>();
    let mut answers = std::thread::scope(|scope| {
        let others: Vec<_> = (1..processors()).map(|_| scope.spawn(work)).collect();
        let own = work();
        let join = |thread: ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        own.into_iter().chain(others.into_iter().flat_map(join)).collect::<Vec<_>>()
    });
    answers.sort_by_key(|(at, _)| *at);
    answers.into_iter().map(|(_, answer)| answer).collect()
}
