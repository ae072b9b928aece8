//! The gates of an integration: how each ended, and which workers are at fault.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::failure::{Code, Details, Failure};
use crate::gate::{Gate, GateMode};
use crate::id::{GateName, Oid, Slug, WorkerId};
use crate::next::Next;
use crate::plan::Plan;
use crate::record::RunOptions;
use crate::report::{leave_out, list};
use crate::time::Seconds;

/// Returns the gates of one integration: those of the plan, unless the user named others.
pub fn asked_for(plan: &Plan, options: &RunOptions) -> Vec<Gate> {
    match (options.gate, &options.verify) {
        (Some(GateMode::None), _) => Vec::new(),
        (_, Some(command)) => Gate::only(command).into_iter().collect(),
        (_, None) => plan.verify.clone(),
    }
}

/// Returns what a gate's verdict on a tree depends on besides the tree: a verdict under other terms
/// is another one.
pub fn terms(gate: &Gate, plan: &Plan) -> String {
    format!("{}\0{}\0{}", gate.command, gate.timeout_seconds, plan.preparation())
}

/// `data.gate`: a commit that passed every gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GateReport {
    /// The commit that was tested.
    pub commit: Oid,
    /// Its tree: verdicts belong to trees, so the same tree is not tested again.
    pub tree: Oid,
    /// When the gates ran.
    pub mode: GateMode,
    /// How often a gate's command was started for this answer, for any tree; what was tested
    /// before is not tested again.
    pub runs: u32,
    /// Every gate, in the order of the plan.
    pub gates: Vec<GateResult>,
}

/// What one gate said about a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GateResult {
    /// The gate's name in the plan.
    pub name: GateName,
    /// The shell command.
    pub command: String,
    /// Whether it exited with 0.
    pub passed: bool,
    /// Absent when it did not exit by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Whether it was ended for taking longer than `timeout_seconds` of the plan.
    pub timed_out: bool,
    /// How long the run took that decided.
    pub seconds: Seconds,
    /// Whether this is the verdict of an earlier run on the same tree.
    pub cached: bool,
    /// Whether it failed on the same tree before it passed.
    pub flaky: bool,
    /// The last lines it printed; absent when the log is gone. Of one that passed only on request.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub output_tail: String,
    /// Where it first said what is wrong, when that is not in these lines; absent when it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_failure: Option<String>,
    /// The file with all it printed. Of one that passed only on request.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub log: String,
}

/// Takes out of an answer with a `gate` what those that passed printed.
pub fn shorten(answer: &mut Value) {
    let Some(report) = answer.get_mut("gate") else { return };
    for gate in list(report, "gates").iter_mut().filter(|gate| gate["passed"] == true) {
        leave_out(gate, &["output_tail", "first_failure", "log"]);
    }
}

/// `details` of `gate_failed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GateStop {
    /// Absent when no search was made: what lands is more than the workers' own changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// All workers in `faults`, in merge order; empty when it fails without any of them.
    pub workers: Vec<WorkerId>,
    /// What was found out, one fault after the other was left out.
    pub faults: Vec<GateFault>,
    /// The workers not at fault, when they are known to pass every gate; `null` when that is not
    /// known.
    pub rest: Option<Rest>,
    /// The gate that failed.
    pub gate: GateName,
    /// The shell command of that gate.
    pub command: String,
    /// Absent when it did not exit by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Whether it was ended for taking too long.
    pub timed_out: bool,
    /// The last lines it printed; empty when the log is gone.
    pub output_tail: String,
    /// Where it first said what is wrong, when that is not in these lines; absent when it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_failure: Option<String>,
    /// The file with all it printed.
    pub log: String,
    /// What was tested.
    pub commit: Oid,
    /// The tree of `commit`.
    pub tree: Oid,
    /// How often a gate's command was started for this answer.
    pub runs: u32,
    /// What else there is to know about how it was tested.
    pub notes: Vec<String>,
}

impl Details for GateStop {
    const CODES: &'static [Code] = &[Code::GateFailed];
}

/// Why a gate fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// It fails with this worker merged alone.
    Worker,
    /// It fails with several workers together.
    Interaction,
    /// It fails without any of them, where the merges begin.
    Start,
}

/// A set of workers that a gate fails with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GateFault {
    /// The gate that fails.
    pub gate: GateName,
    /// In merge order, those first that were integrated before; those they build upon are merged with
    /// them.
    pub workers: Vec<WorkerId>,
    /// Whether each of several workers passes alone.
    pub alone: bool,
    /// Whether each of them is needed for the failure; otherwise some of the sets to test do not
    /// merge.
    pub certain: bool,
}

impl GateFault {
    fn words(&self) -> String {
        let workers: Vec<&str> = self.workers.iter().map(WorkerId::as_str).collect();
        let gate = &self.gate;
        match &workers[..] {
            [worker] => format!("the gate {gate} fails with {worker}"),
            _ if !self.certain => {
                format!("the gate {gate} fails with some of {}", workers.join(", "))
            }
            [others @ .., last] => {
                let alone = if self.alone { "; each passes alone" } else { "" };
                format!(
                    "the gate {gate} fails with {} and {last} together{alone}",
                    others.join(", ")
                )
            }
            [] => format!("the gate {gate} fails"),
        }
    }
}

/// Who can be integrated without those at fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rest {
    /// Whom to leave out.
    pub without: Vec<WorkerId>,
    /// The others, whose merge passed every gate.
    pub workers: Vec<WorkerId>,
    /// The tree of the other workers' merge, which passed every gate.
    pub tree: Oid,
}

impl GateStop {
    /// Returns the refusal of an integration that was asked for with these options.
    pub fn failure(self, workflow: &Slug, options: &RunOptions) -> Failure {
        let faults: Vec<String> = self.faults.iter().map(GateFault::words).collect();
        let message = match self.cause {
            None => format!("the gate {} fails", self.gate),
            Some(Cause::Start) => {
                format!("the gate {} fails without any worker of this integration, too", self.gate)
            }
            Some(Cause::Worker | Cause::Interaction) => faults.join("; without that, "),
        };
        let mut options = options.clone();
        let (hint, next) = match (&self.rest, self.cause) {
            (Some(rest), _) => {
                options.without.extend(rest.without.iter().cloned());
                (
                    "have it corrected and continue; or, if the user agrees, integrate the others, which pass",
                    Next::Run { workflow, options: options.options() },
                )
            }
            (None, Some(Cause::Start)) => (
                "correct what the output shows in the plan's `verify`, in what it needs or in the base, then test again",
                Next::Continue { workflow, add: false, retest: true },
            ),
            (None, _) => ("have it corrected, then continue", Next::go_on(workflow)),
        };
        Failure::new(Code::GateFailed, format!("{message}; nothing was published"))
            .hint(hint)
            .next(next)
            .details(self)
    }
}
