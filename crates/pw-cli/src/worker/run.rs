//! `run`: a heavy command, or the plan's gates, when it is its turn.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;
use pw_core::details::Ended;
use pw_core::failure::{Code, Failure};
use pw_core::gate::{End, Gate, MAX_TIMEOUT};
use pw_core::id::GateName;
use pw_core::lock::Holder;
use pw_core::session::environment::environment;
use pw_core::shell_word::shell_word;
use pw_core::time::{Seconds, rfc3339};
use pw_core::worker::{Passed, Ran};

use super::own_worktree::OwnWorktree;
use crate::heavy;
use crate::output::Output;
use crate::shell::Answer;
use crate::workflow::Workflow;
use crate::{command, launcher, view};

pub(super) fn run(
    own: &OwnWorktree<'_>,
    gate: Option<&GateName>,
    words: &[String],
) -> Result<Answer> {
    let worktree = own.workflow.worktree(own.worker);
    let (gates, folder) = match words {
        [] => (planned(own, gate)?, &worktree),
        words => (Vec::from_iter(alone(words)), &own.shell.directory),
    };
    let Turn { mut passed, waited, failed } = in_turn(own, &gates, folder)?;
    if !words.is_empty() {
        passed.iter_mut().for_each(|passed| passed.gate = None);
    }
    if let Some(failed) = failed {
        let exit = exit(failed.end);
        let hint = "correct what the output shows; all of it is in the log";
        let mut ended = failed.told(own);
        ended.gate = ended.gate.filter(|_| words.is_empty());
        let failure = Failure::new(Code::CommandFailed, failed.message()).hint(hint).details(ended);
        return Ok(Answer::Failed { failure, exit });
    }
    let ran = Ran { worker: own.worker.id.clone(), passed, waited_seconds: waited };
    Answer::of(&ran, view::ran)
}

/// What commands came to when it was their turn.
pub(super) struct Turn {
    passed: Vec<Passed>,
    waited: Seconds,
    /// The first that failed; those after it were not run.
    pub(super) failed: Option<Failed>,
}

/// A command that failed.
pub(super) struct Failed {
    gate: Gate,
    end: End,
    log: PathBuf,
}

impl Failed {
    /// Returns what to say of it.
    pub(super) fn message(&self) -> String {
        format!("`{}` {}", self.gate.command, self.end.words())
    }

    /// Returns the details of a refusal because of it.
    pub(super) fn told(&self, own: &OwnWorktree<'_>) -> Ended {
        let output = Output::of(&self.log);
        Ended {
            worker: Some(own.worker.id.clone()),
            gate: Some(self.gate.name.clone()),
            command: Some(self.gate.command.clone()),
            exit_code: self.end.code(),
            log: Some(self.log.to_string_lossy().into_owned()),
            output_tail: output.tail,
            first_failure: output.first_failure,
        }
    }
}

/// Waits for a place in the queue of heavy commands, and runs these there, up to the first that fails.
pub(super) fn in_turn(own: &OwnWorktree<'_>, gates: &[Gate], folder: &Path) -> Result<Turn> {
    let Workflow { repo, plan, record, .. } = own.workflow;
    let commands: Vec<&str> = gates.iter().map(|gate| gate.command.as_str()).collect();
    let said = view::plain(&format!("{}: {}", own.worker.label(), commands.join(", ")));
    let holder = Holder::new(&said, std::process::id(), &rfc3339(own.shell.now));
    let asked = Instant::now();
    let slot = heavy::take(repo.common(), plan.heavy, None, &holder, &|text| own.shell.say(text))?;
    let waited = Seconds::try_from(asked.elapsed().as_secs()).unwrap_or(Seconds::MAX);
    let port = record.placements.get(&own.worker.id).and_then(|placement| placement.port);
    let mut variables = environment(plan, own.worker, port);
    variables.insert(heavy::WITHIN.0, heavy::WITHIN.1.to_owned());
    let mut turn = Turn { passed: Vec::new(), waited, failed: None };
    for gate in gates {
        let log = format!("run-{}-{}.log", slot.number, gate.name);
        let log = launcher::folder(repo, plan, own.worker).join(log);
        let follow = &mut |line: &str| own.shell.progress(line);
        let (end, seconds) =
            command::run_gate(gate, folder, &log, variables.clone(), None, follow)?;
        if !end.passed() {
            turn.failed = Some(Failed { gate: gate.clone(), end, log });
            break;
        }
        turn.passed.push(Passed {
            gate: Some(gate.name.clone()),
            command: gate.command.clone(),
            seconds,
            log: log.to_string_lossy().into_owned(),
        });
    }
    Ok(turn)
}

/// Returns the plan's gates, or the named one of them.
fn planned(own: &OwnWorktree<'_>, name: Option<&GateName>) -> Result<Vec<Gate>> {
    let gates = &own.workflow.plan.verify;
    let is_asked = |gate: &&Gate| name.is_none_or(|name| gate.name == *name);
    let asked: Vec<Gate> = gates.iter().filter(is_asked).cloned().collect();
    if !asked.is_empty() {
        return Ok(asked);
    }
    let message = match name {
        Some(name) => format!("the plan has no gate {name}"),
        None => "the plan has no `verify`, so there is nothing to run".to_owned(),
    };
    let known: Vec<&str> = gates.iter().map(|gate| gate.name.as_str()).collect();
    let hint = match known.is_empty() {
        true => "name a command: pw-worker run -- COMMAND".to_owned(),
        false => format!("name one of: {}", known.join(", ")),
    };
    Err(Failure::new(Code::Usage, message).hint(hint).into())
}

/// Returns a command line as a gate: one word is a script, several are what they are.
fn alone(words: &[String]) -> Option<Gate> {
    let script = match words {
        [script] => script.clone(),
        words => words.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" "),
    };
    Gate::only(script).map(|gate| Gate { timeout_seconds: MAX_TIMEOUT, ..gate })
}

/// Returns the exit status of a command as `timeout` and shells tell it.
fn exit(end: End) -> u8 {
    match end {
        End::Exit(code) => u8::try_from(code).unwrap_or(u8::MAX),
        End::Timeout => 124,
        End::Signal => 137,
    }
}
