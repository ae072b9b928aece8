//! Machines that one reaches over ssh: each worker in a tmux session of its own, round robin over
//! the plan's hosts.

use std::collections::{BTreeMap, BTreeSet};

use super::interface::{Ask, Deployment, Engine, Polled, Said, Submission};
use super::machine::{call, folder, worker_function};
use crate::failure::{Code, Failure};
use crate::next::{CommandLine, Next};
use crate::plan::Worker;
use crate::session::JobState;
use crate::shell_word::shell_word;

/// Never ask a person: a helper has no terminal.
const OPTIONS: [&str; 5] = ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=5"];

/// The hosts of a plan.
pub(super) struct Ssh<'a>(pub(super) Deployment<'a>);

impl Ssh<'_> {
    fn host(&self, number: usize) -> &str {
        let hosts = &self.0.plan.engine.hosts;
        hosts.get(number % hosts.len().max(1)).map(String::as_str).unwrap_or_default()
    }

    /// The session of a worker; tmux reads `.` and `:` in names as its own.
    fn session(&self, worker: &Worker) -> String {
        format!("pw-{}-{}", self.0.plan.workflow, worker.label())
    }

    /// The file there with what a session prints, which outlives it; a word of a shell.
    fn log(&self, session: &str) -> String {
        format!("{}/log/{session}.log", folder(self.0.plan))
    }
}

fn command(host: &str, remote: String) -> Vec<String> {
    let words = OPTIONS.map(str::to_owned).into_iter();
    words.chain(["--".to_owned(), host.to_owned(), remote]).collect()
}

/// Takes a job's name apart: the host, and the session there.
fn parts(id: &str) -> (&str, &str) {
    id.rsplit_once('/').unwrap_or((id, ""))
}

impl Engine for Ssh<'_> {
    fn program(&self) -> &'static str {
        "ssh"
    }

    fn require(&self) -> Result<(), Failure> {
        match self.0.plan.engine.hosts.is_empty() {
            false => Ok(()),
            true => Err(Failure::new(Code::Usage, "the plan names no machines")
                .hint("add `engine: {hosts: [one, two]}` to the plan and create again")
                .next(Next::Help { helper: "pw-setup", verb: Some("launch") })),
        }
    }

    fn submissions(&self, workers: &[&Worker]) -> Vec<Submission> {
        let function = worker_function(self.0.plan, &shell_word(self.0.url));
        let submission = |(number, worker): (usize, &&Worker)| {
            let name = self.session(worker);
            let log = self.log(&name);
            // The script is a file there, so that no shell reads it twice. One that is at work already
            // was started by a helper that was killed before it could write that down.
            let start = format!(
                "set -eu; umask 077; \
                 command -v tmux >/dev/null || {{ echo 'tmux is not on PATH there' >&2; exit 127; }}; \
                 tmux has-session -t ={name} 2>/dev/null && exit 0; \
                 log={log}; mkdir -p \"${{log%/*}}\"; run=$(mktemp -d); cat >\"$run/run.sh\"; \
                 tmux new-session -d -s {name} sh \"$run/run.sh\" \"$log\""
            );
            let remote = format!("sh -c {}", shell_word(&start));
            let input = format!("#!/bin/sh\n{function}({}) >>\"$1\" 2>&1\n", call(worker));
            Submission { command: command(self.host(number), remote), input }
        };
        workers.iter().enumerate().map(submission).collect()
    }

    fn ids(&self, submission: usize, workers: &[&Worker], _said: &Said) -> Option<Vec<String>> {
        let worker = workers.get(submission)?;
        Some(vec![format!("{}/{}", self.host(submission), self.session(worker))])
    }

    /// One question for each host.
    fn poll(&self, ids: &[&str], ask: Ask<'_>) -> Polled {
        let mut hosts: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        ids.iter().for_each(|id| hosts.entry(parts(id).0).or_default().push(*id));
        // Without a session there is no server, and tmux fails.
        let remote = "tmux list-sessions -F '#{session_name}' 2>/dev/null; echo asked";
        let question = |host: &&str| Submission {
            command: command(host, remote.to_owned()),
            input: String::new(),
        };
        let answers = ask(&hosts.keys().map(question).collect::<Vec<_>>());
        let mut polled = Polled::default();
        for ((host, ids), said) in hosts.into_iter().zip(answers) {
            let lines: BTreeSet<&str> = said.stdout.lines().map(str::trim).collect();
            if said.code != Some(0) || !lines.contains("asked") {
                polled.trouble.get_or_insert(format!("{host}: {}", said.trouble()));
                continue;
            }
            for id in ids {
                match lines.contains(parts(id).1) {
                    true => polled.tell(id, JobState::Running, ""),
                    false => polled.tell(id, JobState::Ended, "its tmux session is closed"),
                }
            }
        }
        polled
    }

    fn cancel(&self, id: &str) -> CommandLine {
        let (host, session) = parts(id);
        CommandLine::of("ssh").word(host).and("tmux kill-session -t").word(format!("={session}"))
    }

    fn look(&self, id: &str, _state: Option<JobState>) -> CommandLine {
        let (host, session) = parts(id);
        let show = format!("tail -n 100 {}", self.log(session));
        CommandLine::of("ssh").word(host).word(show)
    }
}
