//! The gate: the plan's `verify`, run on exactly one commit; the integration branch moves only to
//! what passed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::Result;
use pw_core::gate::{Gate, GateMode, Verdict};
use pw_core::gate_report::{GateReport, GateResult, GateStop, asked_for, terms};
use pw_core::id::{GateName, Oid};
use pw_core::lock::Holder;
use pw_core::record::{Event, Refs, RunOptions};
use pw_core::time::rfc3339;
use pw_git::{Journal, Transaction};

use super::gate_worktree::GateWorktree;
use crate::output::Output;
use crate::shell::Context;
use crate::workflow::Workflow;
use crate::{command, heavy, view};

/// Tests commits, and remembers every verdict in the record, so that no tree is tested twice.
pub(super) struct Gatekeeper<'a> {
    workflow: &'a Workflow,
    context: &'a Context,
    mode: GateMode,
    /// Each with the id of its terms.
    gates: Vec<(Gate, Oid)>,
    verdicts: BTreeMap<(Oid, Oid), Verdict>,
    /// The gates that this command has run.
    fresh: BTreeSet<(Oid, Oid)>,
    /// Made when the first gate has to run.
    worktree: Option<GateWorktree>,
    pub(super) journal: Journal,
    /// The commit of the candidate ref, which keeps what is tested reachable.
    pub(super) candidate: Option<Oid>,
    /// The commit that passed last.
    pub(super) passed: Option<Oid>,
    /// How often a gate's command was started.
    pub(super) runs: u32,
    /// What the user should know about how it was tested.
    pub(super) notes: Vec<String>,
}

/// What the gates said about one commit.
pub(super) struct Judgement {
    pub(super) commit: Oid,
    pub(super) tree: Oid,
    /// Up to the first that failed.
    pub(super) gates: Vec<GateResult>,
    /// The index of the gate that failed.
    pub(super) red: Option<usize>,
}

impl<'a> Gatekeeper<'a> {
    /// Reads which gates were asked for; a retest ignores recorded results.
    pub(super) fn new(
        workflow: &'a Workflow,
        context: &'a Context,
        options: &RunOptions,
    ) -> Result<Self> {
        let Workflow { repo, plan, record, refs, .. } = workflow;
        let with_terms = |gate: Gate| Ok((gate.clone(), repo.blob_id(&terms(&gate, plan))?));
        let gates: Result<Vec<_>> = asked_for(plan, options).into_iter().map(with_terms).collect();
        Ok(Self {
            workflow,
            context,
            mode: options.gate.unwrap_or_default(),
            gates: gates?,
            verdicts: if options.retest { BTreeMap::new() } else { record.verdicts.clone() },
            fresh: BTreeSet::new(),
            worktree: None,
            journal: workflow.journal()?,
            candidate: refs.get(&Refs(&plan.workflow).candidate()).cloned(),
            passed: None,
            runs: 0,
            notes: Vec::new(),
        })
    }

    /// Whether there is nothing to run: every commit may pass, and nothing is known about it.
    pub(super) fn is_absent(&self) -> bool {
        self.gates.is_empty()
    }

    /// Runs every gate on a commit, up to the first that fails twice. One that fails and then
    /// passes is flaky, and has passed.
    pub(super) fn judge(&mut self, commit: &Oid) -> Result<Judgement> {
        let tree = self.workflow.repo.tree_of(commit)?;
        let mut judgement =
            Judgement { commit: commit.clone(), tree, gates: Vec::new(), red: None };
        for index in 0..self.gates.len() {
            let result = self.ask(index, commit, &judgement.tree, true)?;
            let passed = result.passed;
            judgement.gates.push(result);
            if !passed {
                judgement.red = Some(index);
                return Ok(judgement);
            }
        }
        self.passed = Some(commit.clone());
        Ok(judgement)
    }

    /// Returns whether a commit passes one gate, which is asked once, or, with `retry`, again when
    /// it fails.
    pub(super) fn passes(&mut self, index: usize, commit: &Oid, retry: bool) -> Result<bool> {
        let tree = self.workflow.repo.tree_of(commit)?;
        Ok(self.ask(index, commit, &tree, retry)?.passed)
    }

    /// Returns what a gate is called.
    pub(super) fn name(&self, index: usize) -> GateName {
        self.gates[index].0.name.clone()
    }

    /// Whether to test after every merge.
    pub(super) fn tests_each(&self) -> bool {
        self.mode == GateMode::Each && !self.gates.is_empty()
    }

    /// Returns what a gate says about a commit; asks it only when that is not known, and, with
    /// `retry`, once more before it is taken to have failed.
    fn ask(&mut self, index: usize, commit: &Oid, tree: &Oid, retry: bool) -> Result<GateResult> {
        let (gate, terms) = self.gates[index].clone();
        let key = (tree.clone(), terms);
        let verdict = loop {
            match self.verdicts.get(&key) {
                Some(known) if known.passed() || known.is_confirmed() || !retry => break *known,
                _ => self.run(&gate, commit, &key)?,
            }
        };
        let log = self.log(&gate, tree);
        let output = Output::of(&log);
        Ok(GateResult {
            passed: verdict.passed(),
            exit_code: verdict.end.code(),
            timed_out: verdict.end.timed_out(),
            seconds: verdict.seconds,
            cached: !self.fresh.contains(&key),
            flaky: verdict.is_flaky(),
            output_tail: output.tail,
            first_failure: output.first_failure,
            log: log.to_string_lossy().into_owned(),
            name: gate.name,
            command: gate.command,
        })
    }

    fn run(&mut self, gate: &Gate, commit: &Oid, key: &(Oid, Oid)) -> Result<()> {
        let Self { workflow, context, .. } = *self;
        let again = if self.verdicts.contains_key(key) { ", once more, to be certain" } else { "" };
        context.progress(&format!("gate {} on {}{again}", gate.name, commit.short()));
        let log = self.log(gate, &key.0);
        let mut worktree = match self.worktree.take() {
            Some(worktree) => worktree,
            None => GateWorktree::open(workflow)?,
        };
        let odd = worktree.show(workflow, context, commit)?;
        let environment = [
            ("PW_WORKFLOW", workflow.plan.workflow.to_string()),
            ("PW_GATE", gate.name.to_string()),
            ("PW_COMMIT", commit.to_string()),
        ];
        self.runs += 1;
        let _place = self.place(gate)?;
        let environment =
            environment.into_iter().chain([(heavy::WITHIN.0, heavy::WITHIN.1.to_owned())]);
        let follow = &mut |line: &str| context.progress(&format!("  | {line}"));
        let run = command::run_gate(
            gate,
            &worktree.path,
            &log,
            environment,
            Some(&worktree.lock),
            follow,
        );
        let (end, seconds) = run?;
        let note = match odd {
            Some(path) => Some(format!("`{path}` differs right after it is checked out")),
            None => worktree.traces(workflow, commit)?.map(|path| {
                format!("the gate {} changed `{path}`; the verdict is about the commit", gate.name)
            }),
        };
        self.notes.extend(note.filter(|note| !self.notes.contains(note)));
        self.worktree = Some(worktree);
        let verdict = Verdict::after(self.verdicts.get(key).copied(), end, seconds);
        self.verdicts.insert(key.clone(), verdict);
        self.fresh.insert(key.clone());
        let (tree, terms) = key.clone();
        let gate = Some(gate.name.clone());
        self.record(&Event::Gated { tree, terms, end, seconds, gate }, Transaction::default())
    }

    /// Waits until it is the gate's turn among the heavy commands of workers.
    fn place(&self, gate: &Gate) -> Result<heavy::Slot> {
        let Workflow { repo, plan, .. } = self.workflow;
        let what = view::plain(&format!("gate {} of {}", gate.name, plan.workflow));
        let who = Holder::new(&what, std::process::id(), &rfc3339(self.context.now));
        let say = |text: &str| self.context.say(text);
        heavy::take(repo.common(), plan.heavy, Some(heavy::PATIENCE), &who, &say)
    }

    /// Adds an event to the record, with a change of refs.
    pub(super) fn record(&mut self, event: &Event, transaction: Transaction) -> Result<()> {
        self.journal.add(&self.workflow.repo, event)?;
        self.journal.publish(&self.workflow.repo, transaction)
    }

    /// Keeps a commit reachable while it is tested.
    pub(super) fn keep(&mut self, commit: &Oid) -> Result<()> {
        if self.candidate.as_ref() == Some(commit) {
            return Ok(());
        }
        let name = Refs(&self.workflow.plan.workflow).candidate();
        let transaction = Transaction::default().set(&name, commit, self.candidate.as_ref());
        transaction.publish(&self.workflow.repo)?;
        self.candidate = Some(commit.clone());
        Ok(())
    }

    /// Returns the report about a commit that passed.
    pub(super) fn report(&self, judgement: Judgement) -> GateReport {
        GateReport {
            commit: judgement.commit,
            tree: judgement.tree,
            mode: self.mode,
            runs: self.runs,
            gates: judgement.gates,
        }
    }

    /// Returns the details of a refusal of a commit that did not pass.
    pub(super) fn stop(&self, judgement: Judgement) -> Option<GateStop> {
        let result = judgement.gates.into_iter().nth(judgement.red?)?;
        Some(GateStop {
            cause: None,
            workers: Vec::new(),
            faults: Vec::new(),
            rest: None,
            gate: result.name,
            command: result.command,
            exit_code: result.exit_code,
            timed_out: result.timed_out,
            output_tail: result.output_tail,
            first_failure: result.first_failure,
            log: result.log,
            commit: judgement.commit,
            tree: judgement.tree,
            runs: self.runs,
            notes: self.notes.clone(),
        })
    }

    fn log(&self, gate: &Gate, tree: &Oid) -> PathBuf {
        GateWorktree::folder(self.workflow).join(format!("{}-{}.log", tree.short(), gate.name))
    }
}
