//! What creating a workflow needs, and what prevents it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::analyze::neighbours::Neighbour;
use crate::failure::{Code, Failure};
use crate::history::Commit;
use crate::id::{Oid, Slug, WorkerId};
use crate::next::{CommandLine, Next, NextStep};
use crate::path::RepoPath;
use crate::plan::{Plan, Problem, ProblemCode, Problems, Size, Worker};
use crate::record::Record;
use crate::report::Report;
use crate::scope::Scope;
use crate::status::Base;

/// Where workers' ports lie: above well-known services, below what systems give to clients.
const PORTS: Range<u16> = 20_000..40_000;

/// The answer of `pw-setup check`: what `create` would do.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    #[serde(flatten)]
    pub setup: Setup,
    /// Files that changed most often lately, and who owns them.
    pub hot_files: Vec<HotFile>,
    /// Files outside a scope that changed with those inside.
    pub neighbours: Vec<Neighbour>,
    /// Things that are allowed and usually not meant.
    pub warnings: Vec<String>,
}

impl Report for Check {
    const SCHEMA: &'static str = "pw-setup.check/1";
}

/// The answer of `pw-setup create` and `advance`: every worker, and how to start it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Setup {
    pub workflow: Slug,
    pub base: Base,
    /// Workers that may run at once, wave after wave.
    pub waves: Vec<Vec<WorkerId>>,
    pub workers: Vec<WorkerSetup>,
    pub next: Vec<NextStep>,
}

/// The answer of `pw-setup create` and `advance`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Created {
    #[serde(flatten)]
    pub setup: Setup,
    /// What of a changed plan was done for workers that exist, and what was not; absent when
    /// nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Report for Created {
    const SCHEMA: &'static str = "pw-setup.create/1";
}

/// One worker as it is set up.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct WorkerSetup {
    pub id: WorkerId,
    pub label: String,
    pub branch: String,
    /// Relative to the repository.
    pub worktree: String,
    pub launch: LaunchCommand,
    pub status: SetupStatus,
    /// Its own TCP port, `PW_PORT` in its session; absent while it is not created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    pub owns: Vec<String>,
    pub after: Vec<WorkerId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<Size>,
}

/// How to start a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LaunchCommand {
    /// The launcher script, relative to the repository where it lies in it.
    pub script: String,
    /// A shell command that runs it from any folder.
    pub command: CommandLine,
}

/// What was done for a worker; in `check`, what `create` would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SetupStatus {
    /// Branch and worktree were made now.
    Created,
    /// They were there already.
    Exists,
    /// Its wave has not come: the workers in `after` must be complete first.
    Waiting,
}

/// A file that changes often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HotFile {
    pub path: RepoPath,
    /// How many of the newest commits changed it.
    pub commits: usize,
    /// `null` when no worker owns it.
    pub owner: Option<WorkerId>,
    /// Whether the plan shares it.
    pub shared: bool,
}

/// The answer of `pw-setup list`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct List {
    pub workflows: Vec<WorkflowLine>,
}

impl Report for List {
    const SCHEMA: &'static str = "pw-setup.list/1";
}

/// One workflow of the repository.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct WorkflowLine {
    pub workflow: Slug,
    pub goal: String,
    pub workers: usize,
    /// How many of them are in the integration branch.
    pub integrated: usize,
    /// RFC 3339.
    pub started_at: String,
}

/// Returns the files that changed most often, with their owners, at most `limit`.
pub fn hot_files(plan: &Plan, commits: &[Commit], limit: usize) -> Vec<HotFile> {
    let mut counts: BTreeMap<&RepoPath, usize> = BTreeMap::new();
    for change in commits.iter().flat_map(|commit| &commit.changes) {
        *counts.entry(&change.path).or_default() += 1;
    }
    let mut hot: Vec<(usize, &RepoPath)> = counts.into_iter().map(|(path, n)| (n, path)).collect();
    hot.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    let owner = |path: &RepoPath| plan.workers.iter().find(|worker| worker.owns.owns(path));
    hot.into_iter()
        .take_while(|(commits, _)| *commits > 1)
        .take(limit)
        .map(|(commits, path)| HotFile {
            path: path.clone(),
            commits,
            owner: owner(path).map(|worker| worker.id.clone()),
            shared: plan.shared.owns(path),
        })
        .collect()
}

/// Returns what is allowed and usually not meant. `folders` are the folders of the base commit.
pub fn warnings(plan: &Plan, folders: &BTreeSet<RepoPath>) -> Vec<String> {
    let mut warnings = Vec::new();
    for worker in &plan.workers {
        for glob in worker.owns.shallow() {
            let alone = Scope::parse(&[glob]).unwrap_or_default();
            if folders.iter().any(|folder| alone.owns(folder)) {
                warnings.push(format!(
                    "{} owns `{glob}`, which matches folders but nothing in them; write `{glob}/**`",
                    worker.id
                ));
            }
        }
    }
    if plan.verify.is_empty() {
        warnings
            .push("the plan has no `verify` command, so nothing will test the result".to_owned());
    }
    warnings
}

/// Returns a port for a worker, the same again for the same repository and label while it is free.
pub fn port(root: &[u8], label: &str, is_free: &dyn Fn(u16) -> bool) -> Option<u16> {
    // FNV-1a: unlike the standard library's hash, it is the same in every release.
    let hash =
        root.iter().chain(b"\0").chain(label.as_bytes()).fold(0xcbf2_9ce4_8422_2325, |h, b| {
            (h ^ u64::from(*b)).wrapping_mul(0x0000_0100_0000_01b3)
        });
    let first = u16::try_from(hash % PORTS.len() as u64).ok()?;
    let first = PORTS.start + first;
    (first..PORTS.end).chain(PORTS.start..first).find(|port| is_free(*port))
}

/// The names that are taken in a repository.
pub struct Taken<'a> {
    /// All branches and refs of ours, by full name.
    pub refs: &'a BTreeMap<String, Oid>,
    /// Whether a folder of the repository exists and is not empty.
    pub folder: &'a dyn Fn(&str) -> bool,
    /// The other workflow that has a worker of this label.
    pub label: &'a dyn Fn(&str) -> Option<Slug>,
}

impl Taken<'_> {
    fn is_free(&self, plan: &Plan, worker: &Worker) -> bool {
        branch_in_the_way(self.refs, &worker.branch()).is_none()
            && !(self.folder)(&plan.worktree(worker))
            && (self.label)(&worker.label()).is_none()
    }

    /// Returns what to do about a name that is taken.
    fn rename(&self, plan: &Plan, worker: &Worker) -> String {
        let other = |number: usize| {
            let name = format!("{}-{number}", worker.name).parse().ok()?;
            Some(Worker { name, ..worker.clone() })
        };
        let free = (2..100).filter_map(other).find(|worker| self.is_free(plan, worker));
        match free {
            Some(Worker { name, .. }) => format!("the name {name} is free: `name: {name}`"),
            None => "give the worker another id or name".to_owned(),
        }
    }
}

/// Returns the branches, folders and workers of other workflows that stand where workers would be
/// made.
pub fn obstacles(plan: &Plan, make: &[&Worker], is_new: bool, taken: &Taken<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for worker in make {
        if let Some(workflow) = (taken.label)(&worker.label()) {
            let message =
                format!("{} would be {}, which workflow {workflow} has", worker.id, worker.label());
            let (workflow, workers) = (&workflow, &[]);
            let end = Next::Cleanup { workflow, workers, dry_run: false, snapshot: false };
            let hint = format!("{}; or end that one first: {end}", taken.rename(plan, worker));
            problems
                .push(Problem::new(ProblemCode::LabelTaken, message, hint).workers([&worker.id]));
            continue;
        }
        if let Some(found) = branch_in_the_way(taken.refs, &worker.branch()) {
            let message =
                format!("{} needs the branch {}, but {found} exists", worker.id, worker.branch());
            let hint =
                format!("{}; the branch may hold work of the user's", taken.rename(plan, worker));
            problems
                .push(Problem::new(ProblemCode::BranchExists, message, hint).workers([&worker.id]));
        }
        let folder = plan.worktree(worker);
        if (taken.folder)(&folder) {
            let message = format!("{} needs the folder {folder}, which is not empty", worker.id);
            let hint = "move it away, or set `worktrees:` in the plan";
            let problem =
                Problem::new(ProblemCode::FolderExists, message, hint).workers([&worker.id]);
            problems.push(problem.path(folder.as_str().into()));
        }
    }
    let integration = plan.integration_branch();
    if let Some(found) = branch_in_the_way(taken.refs, &integration).filter(|_| is_new) {
        let message = format!("the result needs the branch {integration}, but {found} exists");
        let hint = format!("rename or delete {found}, or choose another `workflow`");
        problems.push(Problem::new(ProblemCode::BranchExists, message, hint));
    }
    problems
}

/// Returns a branch that is `branch`, or that makes it impossible because one of the two would
/// have to be a file and a folder at once.
fn branch_in_the_way<'a>(refs: &'a BTreeMap<String, Oid>, branch: &str) -> Option<&'a str> {
    let wanted = format!("refs/heads/{branch}");
    let below = |name: &str, folder: &str| {
        name.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
    };
    refs.keys()
        .find(|name| **name == wanted || below(name, &wanted) || below(&wanted, name))
        .and_then(|name| name.strip_prefix("refs/heads/"))
}

/// Returns the refusal for branches, folders and refs in the way: `in_the_way`.
pub fn in_the_way(problems: Vec<Problem>) -> Failure {
    let first = problems.first().map(|problem| problem.message.clone()).unwrap_or_default();
    Failure::new(Code::InTheWay, first)
        .hint("do what each entry of details.problems says, then run the command again")
        .details(Problems { problems })
}

/// Refuses a changed plan that contradicts what was made from the old one.
///
/// # Errors
///
/// `plan_changed`, with every contradiction.
pub fn require_compatible(old: &Plan, new: &Plan, record: &Record) -> Result<(), Failure> {
    let mut contradictions = Vec::new();
    if old.worktrees != new.worktrees {
        contradictions.push("`worktrees` is another folder".to_owned());
    }
    if old.base != new.base {
        contradictions.push("`base` is another one".to_owned());
    }
    for id in record.placements.keys() {
        match (old.worker(id), new.worker(id)) {
            (Some(old), Some(new)) if old.name != new.name => {
                contradictions.push(format!("{id} is called {} instead of {}", new.name, old.name));
            }
            (Some(old), Some(new)) if old.after != new.after => {
                contradictions.push(format!("{id} comes after other workers"));
            }
            (Some(_), None) => contradictions.push(format!("{id} is missing")),
            _ => {}
        }
    }
    if contradictions.is_empty() {
        return Ok(());
    }
    let message =
        format!("workflow {} exists, and in this plan {}", new.workflow, contradictions.join(", "));
    Err(Failure::new(Code::PlanChanged, message)
        .hint("workers that exist keep id, name and `after`; add new ones, or start another `workflow`")
        .details(serde_json::json!({ "contradictions": contradictions })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_stable_and_go_round_until_one_is_free() {
        let all = |_: u16| true;
        let first = port(b"/a", "task-1-users", &all).unwrap();
        assert!(PORTS.contains(&first));
        assert_eq!(port(b"/a", "task-1-users", &all), Some(first));
        assert_ne!(port(b"/a", "task-2-posts", &all), Some(first));
        assert_ne!(port(b"/b", "task-1-users", &all), Some(first));
        assert_eq!(port(b"/a", "task-1-users", &|port| port == first - 1), Some(first - 1));
        assert_eq!(port(b"/a", "task-1-users", &|_| false), None);
    }
}
