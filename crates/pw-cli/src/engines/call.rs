//! What every engine is asked, and how its command is called: in bounded time, and without secrets.

use std::io::{Read, Write as _};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use pw_core::engine::Submission;
use pw_core::failure::Failure;
use pw_core::next::CommandLine;
use pw_core::plan::Worker;

use crate::command::program;

/// How long an engine may take to answer.
const LIMIT: Duration = Duration::from_secs(60);
/// How often a program that has not ended is looked at.
const TICK: Duration = Duration::from_millis(5);
/// Parts of the names of variables that hold secrets: no engine's command gets them, since it may
/// hand its environment on to the job.
const SECRET: [&str; 5] = ["KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL"];

/// An engine, with what the plan says about it.
pub(crate) trait Engine {
    /// Refuses when its command is missing, or a setting.
    fn require(&self) -> Result<(), Failure>;

    /// Renders what starts these workers: one submission for all, or one for each, in this order.
    fn submissions(&self, workers: &[&Worker]) -> Vec<Submission>;

    /// Returns the name of each worker's job, from what the command of a submission printed.
    fn ids(&self, submission: usize, workers: &[&Worker], said: &str) -> Option<Vec<String>>;

    /// Returns whether a job waits or runs; `None` when the engine does not tell.
    fn is_alive(&self, id: &str) -> Option<bool>;

    /// A command that ends a job.
    fn cancel(&self, id: &str) -> CommandLine;

    /// A command that shows what a job prints.
    fn logs(&self, id: &str) -> CommandLine;
}

/// What a command of an engine's said.
pub(crate) struct Said {
    /// `None` when it had not ended after its time, or a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Carries out a submission.
pub(crate) fn submit(submission: &Submission) -> Result<Said> {
    ask(&submission.command, &submission.input)
}

/// Runs a command of an engine's to its end, or that of its time.
pub(super) fn ask(words: &[String], input: &str) -> Result<Said> {
    let (name, rest) = words.split_first().context("a command has a name")?;
    let mut command = program(name);
    without_secrets(&mut command);
    command.args(rest).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("starting {name}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        let input = input.to_owned();
        // It may end without reading all.
        thread::spawn(move || stdin.write_all(input.as_bytes()).ok());
    }
    let (stdout, stderr) = (child.stdout.take().map(read), child.stderr.take().map(read));
    let end = Instant::now() + LIMIT;
    let code = loop {
        match child.try_wait().with_context(|| format!("waiting for {name}"))? {
            Some(status) => break status.code(),
            None if Instant::now() < end => thread::sleep(TICK),
            None => {
                child
                    .kill()
                    .and_then(|()| child.wait())
                    .with_context(|| format!("ending {name}"))?;
                return Ok(Said { code: None, stdout: String::new(), stderr: String::new() });
            }
        }
    };
    let text = |reading: Option<thread::JoinHandle<String>>| {
        reading.and_then(|thread| thread.join().ok()).unwrap_or_default()
    };
    Ok(Said { code, stdout: text(stdout), stderr: text(stderr) })
}

fn read(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn without_secrets(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy().to_uppercase();
        if SECRET.iter().any(|part| text.contains(part)) {
            command.env_remove(name);
        }
    }
}
