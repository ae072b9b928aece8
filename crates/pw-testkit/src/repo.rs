//! A throw-away repository in an environment of its own, and the helpers run in it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use rustix::fs::{StatVfs, StatVfsMountFlags, statvfs};
use serde_json::Value;
use tempfile::TempDir;

use crate::labels;
use crate::template::Template;

/// When the first commit of every test repository was made; each later one is a minute younger.
pub const START: i64 = 1_750_000_000;

/// A repository on branch `main` with one commit, without any user's configuration.
pub struct TestRepo {
    folder: TempDir,
    name: String,
    helpers: PathBuf,
    clock: Cell<i64>,
    shim: Option<PathBuf>,
}

/// How a helper ended.
#[derive(Debug)]
pub struct Answer {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Answer {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Answer {
    /// Returns the one document on stdout.
    pub fn json(&self) -> Value {
        let parsed = serde_json::from_str(&self.stdout);
        parsed.unwrap_or_else(|error| panic!("no JSON document ({error}): {self:?}"))
    }

    /// Returns `data` of an answer that succeeded.
    pub fn data(&self) -> Value {
        let document = self.json();
        assert_eq!((self.code, &document["ok"]), (Some(0), &Value::Bool(true)), "{document:#}");
        labels::hold(&document["data"]["next"]);
        document["data"].clone()
    }

    /// Returns `error` of an answer with this exit code and error code.
    pub fn error(&self, exit: i32, code: &str) -> Value {
        let document = self.json();
        assert_eq!(self.code, Some(exit), "{document:#}");
        assert_eq!(document["error"]["code"], code, "{document:#}");
        document["error"].clone()
    }
}

/// The file of git's settings for all repositories of a test, beside them: git starts no maintenance.
const SETTINGS: &str = "gitconfig";

/// What was made, by the name of the folder and the plan that was created in it.
static TEMPLATES: Mutex<BTreeMap<(String, String), Arc<Template>>> = Mutex::new(BTreeMap::new());

/// What Linux keeps in memory for programs that share it.
const MEMORY: &str = "/dev/shm";

/// Makes the folder of one test: in memory, where there is enough and programs may run from it, since tests write
/// hundreds of thousands of small files. `TMPDIR` says otherwise.
fn folder() -> TempDir {
    let is_fit = |about: StatVfs| {
        let room = about.f_bavail.saturating_mul(about.f_frsize);
        room >= 2 << 30 && !about.f_flag.contains(StatVfsMountFlags::NOEXEC)
    };
    let said = std::env::var_os("TMPDIR").is_some();
    let in_memory = !said && statvfs(MEMORY).is_ok_and(is_fit);
    let parent = if in_memory { PathBuf::from(MEMORY) } else { std::env::temp_dir() };
    TempDir::with_prefix_in("pw-test-", parent).unwrap()
}

impl TestRepo {
    /// Makes a repository; `helpers` is the folder of the compiled helpers.
    pub fn new(helpers: &Path) -> Self {
        Self::named(helpers, "repo")
    }

    /// Makes a repository in a folder of this name.
    pub fn named(helpers: &Path, name: &str) -> Self {
        Self::made(helpers, name, "", |repo| {
            std::fs::create_dir(repo.root()).unwrap();
            write(&repo.beside(SETTINGS), "[maintenance]\n\tauto = false\n");
            repo.git(&["init", "-q", "-b", "main"]);
            std::fs::remove_dir_all(repo.root().join(".git/hooks")).unwrap();
            std::fs::create_dir(repo.root().join(".git/hooks")).unwrap();
            repo.write("README.md", "a project\n");
            repo.commit("first");
        })
    }

    /// Makes a repository in which this plan, in `plan.yaml` and not committed, was created.
    pub fn created(helpers: &Path, plan: &str) -> Self {
        Self::made(helpers, "repo", plan, |repo| {
            Template::of(Self::new(helpers).folder.path()).write(repo.folder.path());
            repo.write("plan.yaml", plan);
            repo.pw("pw-setup create plan.yaml").data();
        })
    }

    /// Makes a repository, or writes one that was made so before.
    fn made(helpers: &Path, name: &str, plan: &str, make: impl FnOnce(&Self)) -> Self {
        let (name, helpers) = (name.to_owned(), helpers.to_owned());
        let key = (name.clone(), plan.to_owned());
        let repo = Self { folder: folder(), name, helpers, clock: Cell::new(START), shim: None };
        let known = TEMPLATES.lock().unwrap().get(&key).cloned();
        match known.filter(|template| template.is_fresh()) {
            Some(template) => template.write(repo.folder.path()),
            None => {
                make(&repo);
                let template = Arc::new(Template::of(repo.folder.path()));
                TEMPLATES.lock().unwrap().insert(key, template);
            }
        }
        repo.clock.set(START + 180);
        repo
    }

    pub fn root(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(&self.name)
    }

    /// A folder beside the repository, for files that a test needs.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    /// Puts a script named `git` before the real one on the helpers' search path. In the script,
    /// `$GIT` is the real git.
    pub fn shim_git(&mut self, script: &str) {
        self.shim("git", &format!("GIT={}\n{script}", real_git().display()));
    }

    /// Puts a script of this name first on the search path.
    pub fn shim(&mut self, name: &str, script: &str) {
        let folder = self.beside("shim");
        std::fs::create_dir_all(&folder).unwrap();
        write_program(&folder.join(name), &format!("#!/bin/sh\n{script}\n"));
        self.shim = Some(folder);
    }

    /// Takes the shim away again.
    pub fn unshim_git(&mut self) {
        self.shim = None;
    }

    /// Writes a file, with its folders.
    pub fn write(&self, path: &str, text: &str) {
        write(&self.root().join(path), text);
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.root().join(path)).unwrap()
    }

    /// Commits everything in the main checkout.
    pub fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
    }

    /// Runs git in the main checkout; it must succeed.
    pub fn git(&self, args: &[&str]) -> String {
        self.git_in(&self.root(), args)
    }

    /// Runs git in a folder; it must succeed.
    pub fn git_in(&self, folder: &Path, args: &[&str]) -> String {
        let output = self.try_git(folder, args);
        assert!(
            output.status.success(),
            "git {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Runs git in a folder; any exit code will do.
    pub fn try_git(&self, folder: &Path, args: &[&str]) -> Output {
        // Every commit a minute after the one before, independent of the machine's clock.
        self.clock.set(self.clock.get() + 60);
        let date = format!("{} +0000", self.clock.get());
        let mut command = self.command(&real_git(), folder);
        command.env("GIT_AUTHOR_DATE", &date).env("GIT_COMMITTER_DATE", &date).args(args);
        command.output().unwrap()
    }

    /// The worker with this label, in its worktree.
    pub fn worker(&self, label: &str) -> Worker<'_> {
        Worker { repo: self, path: self.root().join("worktrees").join(label) }
    }

    /// Runs a helper in the main checkout.
    pub fn pw(&self, words: &str) -> Answer {
        self.pw_in(&self.root(), &words.split(' ').collect::<Vec<_>>())
    }

    /// Runs a helper in a folder.
    pub fn pw_in(&self, folder: &Path, words: &[&str]) -> Answer {
        self.helper(folder, words).output().unwrap().into()
    }

    /// Runs a helper with this text on its stdin.
    pub fn pw_with_input(&self, folder: &Path, words: &[&str], input: &str) -> Answer {
        let mut command = self.helper(folder, words);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap().into()
    }

    /// Returns a helper about to be run, for tests that need more than its answer.
    pub fn helper(&self, folder: &Path, words: &[&str]) -> Command {
        let mut command = self.command(&self.helpers.join(words[0]), folder);
        command.args(&words[1..]);
        command
    }

    /// Returns a shell command about to be run, the helpers on its search path.
    pub fn shell(&self, line: &str) -> Command {
        let mut command = self.command(Path::new("sh"), &self.root());
        command.args(["-c", line]);
        command
    }

    /// Runs a shell script in a folder; it must succeed.
    pub fn sh(&self, folder: &Path, script: &str) {
        let output = self.shell(script).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{script}: {output:?}");
    }

    /// Runs a command that an answer names; it must succeed.
    pub fn follow(&self, command: &Value) -> Output {
        let line = command.as_str().unwrap_or_else(|| panic!("no command: {command}"));
        let output = self.shell(line).output().unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
        output
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that starts programs")]
    pub(crate) fn command(&self, program: &Path, folder: &Path) -> Command {
        let system = std::env::var_os("PATH").unwrap_or_default();
        let folders = self
            .shim
            .iter()
            .cloned()
            .chain([self.helpers.clone()])
            .chain(std::env::split_paths(&system));
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::join_paths(folders).unwrap())
            .env("HOME", self.folder.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", self.folder.path().join(SETTINGS))
            .env("GIT_AUTHOR_NAME", "Worker")
            .env("GIT_AUTHOR_EMAIL", "worker@example.com")
            .env("GIT_COMMITTER_NAME", "Worker")
            .env("GIT_COMMITTER_EMAIL", "worker@example.com")
            .current_dir(folder);
        command
    }

    /// Returns every file below the repository, git's own too, with content and time: two equal
    /// fingerprints mean that no process changed anything.
    pub fn fingerprint(&self) -> BTreeMap<PathBuf, (SystemTime, Vec<u8>)> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.root()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let about = path.symlink_metadata().unwrap();
                if about.is_dir() {
                    folders.push(path.clone());
                }
                let content =
                    if about.is_file() { std::fs::read(&path).unwrap() } else { Vec::new() };
                files.insert(path, (about.modified().unwrap(), content));
            }
        }
        files
    }
}

/// A worker's worktree.
pub struct Worker<'a> {
    repo: &'a TestRepo,
    pub path: PathBuf,
}

impl Worker<'_> {
    /// Writes a file.
    pub fn write(&self, path: &str, text: &str) -> &Self {
        write(&self.path.join(path), text);
        self
    }

    /// Commits everything in the worktree with plain git, past all hooks.
    pub fn commit(&self, message: &str) -> &Self {
        self.git(&["add", "--all"]);
        let no_hooks = ["-c", "core.hooksPath=/dev/null"];
        let commit = ["commit", "-q", "--no-verify", "--allow-empty", "-m", message];
        self.git(&[&no_hooks[..], &commit].concat());
        self
    }

    pub fn git(&self, args: &[&str]) -> String {
        self.repo.git_in(&self.path, args)
    }

    /// Runs `pw-worker` in the worktree.
    pub fn pw(&self, words: &[&str]) -> Answer {
        let words: Vec<&str> = ["pw-worker"].into_iter().chain(words.iter().copied()).collect();
        self.repo.pw_in(&self.path, &words)
    }
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Writes a program that can be run at once.
///
/// Another process writes it: were the file open in this one, a child that another test starts
/// meanwhile would hold it open, too, and running it would fail with "text file busy".
#[expect(clippy::disallowed_methods, reason = "the writer is cat")]
pub fn write_program(path: &Path, text: &str) {
    let line = "cat > \"$0\" && chmod +x \"$0\"";
    let mut writer =
        Command::new("sh").args(["-c", line]).arg(path).stdin(Stdio::piped()).spawn().unwrap();
    writer.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(writer.wait().unwrap().success());
}

pub(crate) fn real_git() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join("git")).find(|git| git.is_file()).unwrap()
}
