//! Tries a fresh worktree of the base before any worker starts: what its tests lack there, each worker
//! would find out alone.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use pw_core::details::Ended;
use pw_core::failure::{Code, Failure};
use pw_core::gate::{End, Gate};
use pw_core::path::RepoPath;
use pw_core::plan::Plan;
use pw_core::time::Seconds;
use pw_core::trial::{self, OddLink, Outcome, Trial};
use pw_git::Repo;

use super::prepare;
use crate::command;
use crate::integrate::gate_worktree::GateWorktree;
use crate::output::Output;
use crate::shell::Context;
use crate::workflow::Workflow;

/// How long one command may take, and all of it: an agent waits for the answer of create.
const LIMIT: Seconds = 60;
const ALL: Duration = Duration::from_secs(100);

/// Returns whether the last trial of this workflow did not pass, or was cut short: what it lacked may be there
/// by now.
pub(super) fn did_not_pass(repo: &Repo, plan: &Plan) -> bool {
    mark(repo, plan).exists()
}

/// What says so between two commands.
fn mark(repo: &Repo, plan: &Plan) -> PathBuf {
    repo.common().join("pw").join(plan.workflow.as_str()).join("trial-not-passed")
}

/// Tries the plan's `smoke`, or its gates; nothing where the plan has neither. Returns the links of
/// the fresh worktree that are odd, too.
pub(super) fn tried(context: &Context, name: &str) -> Result<(Option<Trial>, Vec<OddLink>)> {
    let mut workflow = Workflow::open(context, Some(name))?;
    let plan = &workflow.plan;
    let smoke = plan.smoke.as_ref().and_then(Gate::only);
    let gates: Vec<Gate> = smoke.map_or_else(|| plan.verify.clone(), |smoke| vec![smoke]);
    if gates.is_empty() {
        return Ok((None, Vec::new()));
    }
    let mark = mark(&workflow.repo, &workflow.plan);
    std::fs::write(&mark, "").with_context(|| format!("writing {}", mark.display()))?;
    let worktree = GateWorktree::open(&workflow)?;
    let (copied, began) = (Vec::new(), Instant::now());
    let mut fresh =
        Fresh { workflow: &workflow, context, worktree, copied, began, odd: Vec::new() };
    let trial = fresh.examine(&gates);
    let odd = std::mem::take(&mut fresh.odd);
    drop(fresh);
    // What was copied for a try must not stay for the gates.
    workflow.repo.refresh()?;
    GateWorktree::remove(&workflow)?;
    let trial = trial?;
    if trial.as_ref().is_none_or(|trial| trial.outcome == Outcome::Passed) {
        std::fs::remove_file(&mark).with_context(|| format!("removing {}", mark.display()))?;
    }
    Ok((trial, odd))
}

/// A worktree of the base that no worker has changed.
struct Fresh<'a> {
    workflow: &'a Workflow,
    context: &'a Context,
    worktree: GateWorktree,
    /// The files that were copied there last.
    copied: Vec<RepoPath>,
    began: Instant,
    odd: Vec<OddLink>,
}

impl Fresh<'_> {
    /// Returns nothing where trying could change the user's checkout.
    fn examine(&mut self, gates: &[Gate]) -> Result<Option<Trial>> {
        let Workflow { repo, plan, record, .. } = self.workflow;
        self.context.progress("trying a fresh worktree of the base");
        if let Err(error) = self.worktree.show(self.workflow, self.context, &record.base) {
            return setup_failed(error).map(Some);
        }
        self.odd = super::odd_links::odd_links(&self.worktree.path, prepare::source(repo));
        if self.odd.iter().any(OddLink::may_change_checkout) {
            return Ok(None);
        }
        let mut trial = self.run(gates)?;
        let Some(checkout) = repo.checkout().filter(|_| trial.outcome == Outcome::Failed) else {
            return Ok(Some(trial));
        };
        let there = |folder: &Path, path: &RepoPath| {
            folder.join(path.without_slash().to_path()).symlink_metadata().ok()
        };
        let size = |path: &RepoPath| {
            there(&checkout.path, path).filter(|about| !about.is_dir()).map(|about| about.len())
        };
        let mut found = trial::candidates(plan, &repo.ignored()?, &size);
        let is_missing = |path: &RepoPath| there(&self.worktree.path, path).is_none();
        found.files.retain(is_missing);
        found.made.retain(is_missing);
        trial.made = found.made;
        let output = trial.output_tail.clone().unwrap_or_default();
        let named = trial::named_in(&output, &found.files);
        for files in [named, found.files] {
            if !files.is_empty() && self.passes_with(gates, &files)? {
                trial.copy = self.fewer(gates, files)?;
                trial.outcome = Outcome::LacksFiles;
                break;
            }
        }
        Ok(Some(trial))
    }

    /// Runs the gates up to the first that does not pass.
    fn run(&self, gates: &[Gate]) -> Result<Trial> {
        let log = GateWorktree::folder(self.workflow).join("trial.log");
        let mut last = Trial::of("", End::Exit(0), String::new());
        for gate in gates {
            let left = ALL.saturating_sub(self.began.elapsed()).as_secs().max(1);
            let limit = Seconds::try_from(left).unwrap_or(LIMIT).min(LIMIT);
            let timeout_seconds = gate.timeout_seconds.min(limit);
            let gate = Gate { timeout_seconds, ..gate.clone() };
            let environment = [
                ("PW_WORKFLOW", self.workflow.plan.workflow.to_string()),
                ("PW_GATE", gate.name.to_string()),
                ("PW_COMMIT", self.workflow.record.base.to_string()),
            ];
            let follow = &mut |line: &str| self.context.progress(&format!("  | {line}"));
            let GateWorktree { path, lock, .. } = &self.worktree;
            let run = command::run_gate(&gate, path, &log, environment, Some(lock), follow);
            let (end, _) = run?;
            last = Trial::of(&gate.command, end, Output::of(&log).tail);
            if !end.passed() {
                break;
            }
        }
        Ok(last)
    }

    /// Returns whether the gates pass with these files of the user's checkout, and with none that
    /// was tried before. What takes too long does not.
    fn passes_with(&mut self, gates: &[Gate], files: &[RepoPath]) -> Result<bool> {
        if self.began.elapsed() >= ALL {
            return Ok(false);
        }
        let Workflow { repo, record, .. } = self.workflow;
        for path in std::mem::take(&mut self.copied) {
            let file = self.worktree.path.join(path.to_path());
            std::fs::remove_file(&file).with_context(|| format!("removing {}", file.display()))?;
        }
        self.worktree.show(self.workflow, self.context, &record.base)?;
        self.copied = files.to_vec();
        prepare::copy(repo, &self.worktree.path, files)?;
        Ok(self.run(gates)?.outcome == Outcome::Passed)
    }

    /// Leaves out files that the gates do not need, half of them at a time.
    fn fewer(&mut self, gates: &[Gate], mut files: Vec<RepoPath>) -> Result<Vec<RepoPath>> {
        while files.len() > 1 {
            let half = files.split_off(files.len() / 2);
            if self.passes_with(gates, &files)? {
                continue;
            }
            if self.passes_with(gates, &half)? {
                files = half;
                continue;
            }
            files.extend(half);
            break;
        }
        Ok(files)
    }
}

fn setup_failed(error: anyhow::Error) -> Result<Trial> {
    let failure = error.downcast_ref::<Failure>().filter(|f| f.code == Code::SetupFailed);
    let Some(failure) = failure else { return Err(error).context("making a fresh worktree") };
    let ended = failure.told::<Ended>().unwrap_or_default();
    let end = ended.exit_code.map_or(End::Signal, End::Exit);
    let trial = Trial::of(&ended.command.unwrap_or_default(), end, ended.output_tail);
    Ok(Trial { outcome: Outcome::SetupFailed, ..trial })
}
