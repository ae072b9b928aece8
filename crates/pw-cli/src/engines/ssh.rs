//! Machines that one reaches over ssh: each worker in a tmux session of its own, round robin over
//! the plan's hosts.

use pw_core::engine::{Submission, call, worker_function};
use pw_core::failure::{Code, Failure};
use pw_core::next::{CommandLine, Next};
use pw_core::plan::{Plan, Worker};
use pw_core::shell_word::shell_word;

use super::call::{Engine, ask};

/// Never ask a person: a helper has no terminal.
const OPTIONS: [&str; 5] = ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"];

/// The hosts of a plan.
pub(super) struct Ssh<'a> {
    pub(super) plan: &'a Plan,
    pub(super) url: &'a str,
}

impl Ssh<'_> {
    fn host(&self, number: usize) -> &str {
        let hosts = &self.plan.engine.hosts;
        hosts.get(number % hosts.len().max(1)).map(String::as_str).unwrap_or_default()
    }

    /// The session of a worker; tmux reads `.` and `:` in names as its own.
    fn session(&self, worker: &Worker) -> String {
        format!("pw-{}-{}", self.plan.workflow, worker.label())
    }
}

fn words(host: &str, remote: String) -> Vec<String> {
    let words = OPTIONS.map(str::to_owned).into_iter();
    words.chain(["--".to_owned(), host.to_owned(), remote]).collect()
}

/// Takes a job's name apart: the host, and the session there.
fn parts(id: &str) -> (&str, &str) {
    id.rsplit_once('/').unwrap_or((id, ""))
}

impl Engine for Ssh<'_> {
    fn require(&self) -> Result<(), Failure> {
        if self.plan.engine.hosts.is_empty() {
            return Err(Failure::new(Code::Usage, "the plan names no machines")
                .hint("add `engine: {hosts: [one, two]}` to the plan and create again")
                .next(Next::Help { helper: "pw-setup", verb: Some("launch") }));
        }
        let missing = |_| {
            Failure::new(Code::ProgramMissing, "ssh is not on PATH").hint("install an ssh client")
        };
        which::which("ssh").map(drop).map_err(missing)
    }

    fn submissions(&self, workers: &[&Worker]) -> Vec<Submission> {
        let function = worker_function(self.plan, self.url);
        let submission = |(number, worker): (usize, &&Worker)| {
            let name = self.session(worker);
            // The script is a file there, so that no shell reads it twice.
            let start = format!(
                "set -eu; umask 077; run=$(mktemp -d); cat >\"$run/run.sh\"; \
                 command -v tmux >/dev/null || {{ echo 'tmux is not on PATH there' >&2; exit 127; }}; \
                 tmux new-session -d -s {name} sh \"$run/run.sh\" \"$run\""
            );
            let remote = format!("sh -c {}", shell_word(&start));
            let input = format!("#!/bin/sh\n{function}({}) >\"$1/log\" 2>&1\n", call(worker));
            Submission { command: words(self.host(number), remote), input }
        };
        workers.iter().enumerate().map(submission).collect()
    }

    fn ids(&self, submission: usize, workers: &[&Worker], _said: &str) -> Option<Vec<String>> {
        let worker = workers.get(submission)?;
        Some(vec![format!("{}/{}", self.host(submission), self.session(worker))])
    }

    fn is_alive(&self, id: &str) -> Option<bool> {
        let (host, session) = parts(id);
        let remote =
            format!("tmux has-session -t ={session} 2>/dev/null && echo alive || echo gone");
        let said = ask(&words(host, remote), "").ok()?;
        match (said.code?, said.stdout.trim()) {
            (0, "alive") => Some(true),
            (0, "gone") => Some(false),
            _ => None,
        }
    }

    fn cancel(&self, id: &str) -> CommandLine {
        let (host, session) = parts(id);
        CommandLine::of("ssh").word(host).and("tmux kill-session -t").word(format!("={session}"))
    }

    fn logs(&self, id: &str) -> CommandLine {
        let (host, session) = parts(id);
        CommandLine::of("ssh -t").word(host).and("tmux attach -t").word(format!("={session}"))
    }
}
