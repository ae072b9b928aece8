//! What prevents `pw-setup create`: names that are taken, and a plan that contradicts what exists.

use std::collections::BTreeMap;

use crate::branch::Branch;
use crate::details::Contradictions;
use crate::failure::{Code, Failure};
use crate::id::{Oid, Slug};
use crate::next::Next;
use crate::plan::{Plan, Problem, ProblemCode, Problems, Worker};
use crate::record::{Record, beside};

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
fn branch_in_the_way(refs: &BTreeMap<String, Oid>, branch: &Branch) -> Option<Branch> {
    let wanted = branch.full();
    let same = refs.get_key_value(&wanted).map(|(name, _)| name.as_str());
    same.or_else(|| beside(refs, &wanted)).and_then(Branch::of_ref)
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
        .details(Contradictions { contradictions }))
}
