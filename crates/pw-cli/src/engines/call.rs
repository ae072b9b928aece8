//! How the commands of engines are called: in bounded time, and without secrets.

use std::io::{Read, Write as _};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use pw_core::engine::{Said, Submission};

use crate::command::program;

/// How long an engine may take to accept a job.
const SUBMIT_LIMIT: Duration = Duration::from_secs(60);
/// How long it may take to tell of jobs, which a status waits for.
const ASK_LIMIT: Duration = Duration::from_secs(10);
/// How often a program that has not ended is looked at.
const TICK: Duration = Duration::from_millis(5);
/// Parts of the names of variables that hold secrets: no engine's command gets them, since it may
/// hand its environment on to the job.
const SECRET: [&str; 5] = ["KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL"];
/// What signs `gh` in, and nothing else.
const OWN: [&str; 4] =
    ["GH_TOKEN", "GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"];

/// Carries out a submission.
pub(crate) fn submit(submission: &Submission) -> Said {
    call(submission, SUBMIT_LIMIT)
}

/// Asks all at once.
pub(super) fn ask_all(questions: &[Submission]) -> Vec<Said> {
    // Each waits for another machine, so that more processors do not matter.
    thread::scope(|scope| {
        let ask = |question| scope.spawn(move || call(question, ASK_LIMIT));
        let asked: Vec<_> = questions.iter().map(ask).collect();
        asked.into_iter().map(|thread| thread.join().unwrap_or_default()).collect()
    })
}

/// Runs a command of an engine's to its end, or that of its time.
fn call(submission: &Submission, limit: Duration) -> Said {
    let Some((name, words)) = submission.command.split_first() else { return Said::default() };
    run(name, words, &submission.input, limit)
        .unwrap_or_else(|error| Said { stderr: format!("{name}: {error}"), ..Said::default() })
}

fn run(name: &str, words: &[String], input: &str, limit: Duration) -> std::io::Result<Said> {
    let mut command = program(name);
    without_secrets(&mut command, name);
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        let input = input.to_owned();
        // It may end without reading all.
        thread::spawn(move || stdin.write_all(input.as_bytes()).ok());
    }
    let (stdout, stderr) = (child.stdout.take().map(read), child.stderr.take().map(read));
    let end = Instant::now() + limit;
    let code = loop {
        match child.try_wait()? {
            Some(status) => break status.code(),
            None if Instant::now() < end => thread::sleep(TICK),
            None => {
                child.kill().and_then(|()| child.wait())?;
                return Ok(Said::default());
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

fn without_secrets(command: &mut Command, program: &str) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy().to_uppercase();
        if program == "gh" && OWN.contains(&&*text) {
            continue;
        }
        if SECRET.iter().any(|part| text.contains(part)) {
            command.env_remove(name);
        }
    }
}
