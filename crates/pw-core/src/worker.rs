//! What a worker is told, and what its commands answer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::branch::Branch;
use crate::details::Provided;
use crate::failure::{Code, Failure};
use crate::gap::Gap;
use crate::gate::Gate;
use crate::id::{GateName, Oid, Slug, WorkerId};
use crate::next::{CommandLine, Next, NextStep};
use crate::path::RepoPath;
use crate::plan::{Plan, Worker};
use crate::record::Record;
use crate::remote::Pushed;
use crate::report::{Report, cut, is_nothing, leave_out, list, requires_nothing};
use crate::status::{self, Asked, NearMiss, SignalReport, State, WaitsFor, WorkerStatus};
use crate::time::Seconds;

/// The answer of `pw-worker brief`: the assignment, and what changed around it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = requires_nothing)]
pub struct Brief {
    /// The workflow's name.
    pub workflow: Slug,
    /// What all workers together are asked for, in the user's words.
    pub goal: String,
    /// The worker's id.
    pub worker: WorkerId,
    /// Id and name, `task-1-users`.
    pub label: String,
    /// The branch its work is committed on.
    pub branch: Branch,
    /// Its worktree, relative to the repository.
    pub worktree: String,
    /// Where it stands, by its signals and by git.
    pub state: State,
    /// Its newest signal; `null` when it gave none.
    pub signal: Option<SignalReport>,
    /// What it waits for, while `state` is `waiting`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<WaitsFor>,
    /// Subjects of its own that look like signals and do not count.
    pub near_misses: Vec<NearMiss>,
    /// Workers it builds upon.
    pub after: Vec<WorkerId>,
    /// The commit it started from; `null` when it was never created.
    pub fork: Option<Oid>,
    /// Globs of the files this worker owns; no other worker changes them.
    pub owns: Vec<String>,
    /// Globs of the files every worker may change.
    pub shared: Vec<String>,
    /// Those of them in which merges keep what both sides add: files that only grow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub union: Vec<String>,
    /// What its worktree has of the repository; absent where that is every file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkout: Option<PartialCheckout>,
    /// What to do, in the user's words.
    pub tasks: Vec<String>,
    /// What the planner wants to see finished on the way.
    pub checkpoints: Vec<String>,
    /// Texts of the checkpoints it committed, the oldest first.
    pub finished: Vec<String>,
    /// The planned checkpoints that none of those names.
    pub remaining: Vec<String>,
    /// What other workers may ask it for.
    pub provides: Vec<String>,
    /// Free text for the worker; empty when there is none.
    pub notes: String,
    /// What the subjects of its commits are, `{text}` being what it says in a command; absent where
    /// a marker begins them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_subject: Option<String>,
    /// The commands that say whether the whole result is good; empty when the plan has none.
    pub verify: Vec<Gate>,
    /// Own changes, committed or not, outside its scope.
    pub out_of_scope: Vec<RepoPath>,
    /// Files that are changed or untracked in its worktree.
    pub uncommitted: Vec<RepoPath>,
    /// Why its git hooks do not hold its commits to its scope, or its launcher does not start it;
    /// absent while they do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
    /// What others asked of it and do not have; absent when nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<Asked>,
    /// Every other worker, in the order of the plan.
    pub others: Vec<OtherWorker>,
    /// How many of them are left out; absent when none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more_others: Option<usize>,
    /// How many of its changed paths are left out; absent when none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlisted: Option<usize>,
    /// What to do next, the usual thing first.
    pub next: Vec<NextStep>,
}

/// A worktree that the plan's `reads` made of some folders.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PartialCheckout {
    /// These folders are there, with the files beside them and those at the top.
    pub folders: Vec<RepoPath>,
    /// The shell command that brings another folder, named in place of `FOLDER`.
    pub more: String,
}

impl PartialCheckout {
    fn of(folders: Vec<RepoPath>) -> Self {
        Self { folders, more: "git sparse-checkout add FOLDER".to_owned() }
    }
}

impl Report for Brief {
    const SCHEMA: &'static str = "pw-worker.brief/1";

    /// A field without anything in it is left out, and so is what only people read.
    fn shorten(data: &mut Value) {
        leave_out(data, &["branch", "worktree"]);
        if is_nothing(&data["finished"]) {
            leave_out(data, &["remaining"]);
        } else {
            leave_out(data, &["checkpoints"]);
        }
        let related = related(data);
        let others = data.get_mut("others").and_then(Value::as_array_mut);
        let left = others.map(|others| shorten_others(others, &related));
        if let Some(left) = left.filter(|left| *left > 0) {
            data["more_others"] = left.into();
        }
        let left: usize =
            ["uncommitted", "out_of_scope"].map(|name| cut(data, name, PATHS)).iter().sum();
        if left > 0 {
            data["unlisted"] = left.into();
        }
        if let Some(signal) = data.get_mut("signal") {
            leave_out(signal, &["at"]);
        }
        list(data, "verify").iter_mut().for_each(|gate| leave_out(gate, &["timeout_seconds"]));
        if let Some(fields) = data.as_object_mut() {
            fields.retain(|name, value| matches!(&**name, "owns" | "next") || !is_nothing(value));
        }
    }
}

/// How many of the others a worker is told of, those it has to do with first.
const OTHERS: usize = 8;
/// How many of its changed paths it is told.
const PATHS: usize = 20;

/// Returns the workers that the one of this brief builds upon or waits for.
fn related(brief: &Value) -> Vec<Value> {
    let after = brief["after"].as_array().cloned().unwrap_or_default();
    let waits_for = brief["waits_for"].get("worker").cloned();
    let asked =
        brief["asked"].as_array().into_iter().flatten().map(|asked| asked["worker"].clone());
    after.into_iter().chain(waits_for).chain(asked).collect()
}

/// Cuts the list of others, each to what this worker needs; returns how many that leaves out.
fn shorten_others(others: &mut Vec<Value>, related: &[Value]) -> usize {
    others.sort_by_key(|other| !related.contains(&other["worker"]));
    let left = others.len().saturating_sub(OTHERS);
    others.truncate(OTHERS);
    for other in others {
        // Whose a file is the guard says, and a commit that leaves it out.
        leave_out(other, &["branch", "owns"]);
        if is_nothing(&other["provides"]) {
            leave_out(other, &["provides"]);
        }
    }
    left
}

/// Another worker, as far as this one needs to know.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = requires_nothing)]
pub struct OtherWorker {
    /// Its id.
    pub worker: WorkerId,
    /// Its name in the plan.
    pub name: WorkerId,
    /// Its branch, to read from.
    pub branch: Branch,
    /// Where it stands.
    pub state: State,
    /// Globs of the files it owns; told with `--verbose`.
    pub owns: Vec<String>,
    /// What it may be asked for.
    pub provides: Vec<String>,
}

/// The answer of `pw-worker checkpoint`, `blocked`, `needs` and `complete`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Committed {
    /// Who committed.
    pub worker: WorkerId,
    /// The new commit.
    pub commit: Oid,
    /// Its subject, marker included.
    pub subject: String,
    /// What the commit holds.
    pub paths: Vec<RepoPath>,
    /// Changed files that stay uncommitted: not owned, or not named.
    pub left: Vec<RepoPath>,
    /// How many of them are left out; absent when none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlisted: Option<usize>,
    /// What the worker should know about files that are left, or about how it was committed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What of its git hooks and launcher was not as it was made, and is again; absent when
    /// nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repaired: Vec<Gap>,
    /// What of them still is not; absent when nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
    /// Absent when the plan names no remote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pushed: Option<Pushed>,
    /// What to do next, the usual thing first.
    pub next: Vec<NextStep>,
}

impl Report for Committed {
    const SCHEMA: &'static str = "pw-worker.commit/1";

    fn shorten(data: &mut Value) {
        let left = cut(data, "left", PATHS);
        if left > 0 {
            data["unlisted"] = left.into();
        }
    }
}

/// The answer of `pw-worker undo`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Undone {
    /// Whose worktree it is.
    pub worker: WorkerId,
    /// How many files outside its scope are as they were committed again.
    pub files: usize,
    /// The first of them.
    pub undone: Vec<RepoPath>,
    /// Files outside the scope that stay as they are: new ones, submodules.
    pub left: Vec<RepoPath>,
    /// Brings back what was undone; absent when nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore: Option<CommandLine>,
    /// What to do next, the usual thing first.
    pub next: Vec<NextStep>,
}

impl Report for Undone {
    const SCHEMA: &'static str = "pw-worker.undo/1";

    fn shorten(data: &mut Value) {
        cut(data, "undone", EXAMPLES);
        cut(data, "left", PATHS);
    }
}

/// How many of many undone files are named.
const EXAMPLES: usize = 5;

/// The answer of `pw-worker run`, when all of it passed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = requires_nothing)]
pub struct Ran {
    /// Whose commands they were.
    pub worker: WorkerId,
    /// In the order they ran.
    pub passed: Vec<Passed>,
    /// How long it was not their turn; absent by default when it was at once.
    #[serde(default)]
    pub waited_seconds: Seconds,
}

impl Report for Ran {
    const SCHEMA: &'static str = "pw-worker.run/1";

    /// What passed has nothing to read.
    fn shorten(data: &mut Value) {
        list(data, "passed").iter_mut().for_each(|passed| leave_out(passed, &["log"]));
        if data["waited_seconds"] == 0 {
            leave_out(data, &["waited_seconds"]);
        }
    }
}

/// A command that passed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = requires_nothing)]
pub struct Passed {
    /// The gate of the plan it is; absent for another command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateName>,
    /// As the shell got it.
    pub command: String,
    /// How long it ran.
    pub seconds: Seconds,
    /// The file with all it printed; told with `--verbose`.
    #[serde(default)]
    pub log: String,
}

/// The answer of `pw-worker sync`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Synced {
    /// Who took it in.
    pub worker: WorkerId,
    /// The worker whose work was taken in.
    pub from: WorkerId,
    /// The merge; the branch's tip when there was nothing to take in.
    pub commit: Oid,
    /// What the merge changed, sorted by path.
    pub files: Vec<FileStat>,
    /// Files in which both sides' added lines were kept, as the plan's `union` says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_union: Vec<RepoPath>,
    /// What the worker should know about the plan's remote; absent when nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Absent when the plan names no remote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed: Option<Pushed>,
    /// What to do next, the usual thing first.
    pub next: Vec<NextStep>,
}

impl Report for Synced {
    const SCHEMA: &'static str = "pw-worker.sync/1";
}

/// One file of a diff.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileStat {
    /// The path, after a rename the new one.
    pub path: RepoPath,
    /// Lines; `null` for a binary file.
    pub added: Option<u64>,
    /// Lines; `null` for a binary file.
    pub deleted: Option<u64>,
}

/// Returns the assignment of `worker`.
pub fn brief(
    plan: &Plan,
    record: &Record,
    worker: &Worker,
    statuses: &[WorkerStatus],
) -> Option<Brief> {
    let status = statuses.iter().find(|status| status.id == worker.id)?;
    let globs = |scope: &crate::scope::Scope| scope.globs().map(str::to_owned).collect::<Vec<_>>();
    let others = plan.workers.iter().filter(|other| other.id != worker.id);
    let other = |other: &Worker| {
        let state = statuses.iter().find(|status| status.id == other.id)?.state;
        Some(OtherWorker {
            worker: other.id.clone(),
            name: other.name.clone(),
            branch: other.branch(),
            state,
            owns: globs(&other.owns),
            provides: other.provides.clone(),
        })
    };
    Some(Brief {
        workflow: plan.workflow.clone(),
        goal: plan.goal.clone(),
        worker: worker.id.clone(),
        label: worker.label(),
        branch: worker.branch(),
        worktree: plan.worktree(worker),
        state: status.state,
        signal: status.signal.clone(),
        waits_for: status.waits_for.clone(),
        near_misses: status.near_misses.clone(),
        after: worker.after.clone(),
        fork: record.placements.get(&worker.id).map(|placement| placement.fork.clone()),
        owns: globs(&worker.owns),
        shared: globs(&plan.shared),
        union: globs(&plan.union),
        checkout: plan.folders_of(worker).map(PartialCheckout::of),
        tasks: worker.tasks.clone(),
        checkpoints: worker.checkpoints.clone(),
        finished: status.checkpoints.clone(),
        remaining: worker.remaining(&status.checkpoints),
        provides: worker.provides.clone(),
        notes: worker.notes.clone(),
        commit_subject: plan.carrier.template().map(|template| template.as_str().to_owned()),
        verify: plan.verify.clone(),
        out_of_scope: status.out_of_scope.clone(),
        uncommitted: status.uncommitted.clone(),
        gaps: status.gaps.clone(),
        asked: status::asked(statuses, &worker.id),
        others: others.filter_map(other).collect(),
        more_others: None,
        unlisted: None,
        next: next(plan, worker, status, &status::asked(statuses, &worker.id)),
    })
}

fn next(plan: &Plan, worker: &Worker, status: &WorkerStatus, asked: &[Asked]) -> Vec<NextStep> {
    let repair = NextStep::new("repair", Next::Repair(Some(&plan.workflow)));
    let mut steps = Vec::from_iter((!status.gaps.is_empty()).then_some(repair));
    if asked.iter().any(|asked| asked.reopen) {
        steps.push(NextStep::new("reopen", Next::Checkpoint("what was asked for")));
    }
    if status.uncommitted.iter().any(|path| plan.allows(worker, path)) {
        steps.push(NextStep::new("save", Next::Checkpoint("what was done")));
    } else if matches!(status.state, State::InProgress | State::Reopened) {
        steps.push(NextStep::new("finish", Next::Complete));
    }
    steps.extend(taken_in(status));
    steps
}

/// Returns how a worker takes in what it waits for, once that is there.
pub fn taken_in(status: &WorkerStatus) -> Option<NextStep> {
    let waits_for = status.waits_for.as_ref().filter(|waits| waits.satisfied);
    waits_for.map(|_| NextStep::new("take in", Next::Sync))
}

/// Says of what was asked for that it is not in the other worker's finished work, all of which is here.
pub fn has_to_go_on(provider: &WorkerId) -> String {
    format!("you have all of {provider}'s work: it has to go on and complete again; tell the user")
}

/// Refuses to ask a worker for what it neither provides nor owns; one that lists nothing may be
/// asked for anything.
///
/// # Errors
///
/// `unknown_item`, with what it provides.
pub fn require_item(provider: &Worker, item: &str) -> Result<(), Failure> {
    let provides = &provider.provides;
    let is_known = provides.iter().any(|name| name == item);
    if provides.is_empty() || is_known || provider.owns.owns(&RepoPath::from(item)) {
        return Ok(());
    }
    let listed = provides.join(", ");
    let message = format!("{} provides no {item:?}; it provides {listed}", provider.id);
    let near = provides.iter().find(|name| name.eq_ignore_ascii_case(item)).unwrap_or(&provides[0]);
    Err(Failure::new(Code::UnknownItem, message)
        .hint("ask for one of these, or for a file it owns; what is missing in the plan, ask for with pw-worker blocked")
        .next(Next::Needs { worker: &provider.id, item: near })
        .details(Provided { worker: provider.id.clone(), provides: provides.clone() }))
}

/// Says that a checkpoint takes the worker's standing question back, and how to ask it anew;
/// nothing when it has none.
pub fn withdrawn(status: &WorkerStatus) -> Option<(String, NextStep)> {
    let signal = status.signal.as_ref()?;
    let (what, command) = match (status.state, &status.waits_for) {
        (State::Blocked, _) => {
            let reason = signal.reason.as_deref().unwrap_or_default();
            (format!("[BLOCKED:{reason}]"), Next::Blocked { reason })
        }
        (State::Waiting, Some(WaitsFor { worker, item, satisfied: false, .. })) => {
            (format!("[NEEDS:{worker}/{item}]"), Next::Needs { worker, item })
        }
        _ => return None,
    };
    let command = CommandLine::from(command);
    let command = match signal.text.is_empty() {
        true => command,
        false => command.word(&signal.text),
    };
    let note = format!("this takes back {what}; if it still holds, say it again");
    Some((note, NextStep::new("say again", command)))
}
