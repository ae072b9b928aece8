//! What must hold between the workers of a plan: ids, dependencies, and scopes that never meet.

use super::decode::{Draft, DraftWorker};
use super::{Problem, ProblemCode};
use crate::graph;
use crate::scope::{self, Meeting};

/// Adds every problem between workers.
pub(super) fn check(draft: &Draft, problems: &mut Vec<Problem>) {
    let workers = &draft.workers;
    duplicate_ids(workers, problems);
    duplicate_labels(workers, problems);
    owners(workers, problems);
    dependencies(workers, problems);
    overlaps(workers, problems);
}

fn duplicate_ids(workers: &[DraftWorker], problems: &mut Vec<Problem>) {
    for (index, worker) in workers.iter().enumerate() {
        let Some(id) = &worker.id else { continue };
        let earlier = workers[..index].iter().find(|other| other.id.as_ref() == Some(id));
        if let Some(earlier) = earlier {
            let message = format!("the id {id} is used twice, first on line {}", earlier.line);
            let problem =
                Problem::new(ProblemCode::DuplicateId, message, "give each worker its own id");
            problems.push(problem.at(worker.line).workers([id]));
        }
    }
}

/// `a` named `b-c` and `a-b` named `c` would be one branch and one folder.
fn duplicate_labels(workers: &[DraftWorker], problems: &mut Vec<Problem>) {
    for (index, worker) in workers.iter().enumerate() {
        let twin = |other: &&DraftWorker| {
            other.branch_label() == worker.branch_label() && other.id != worker.id
        };
        if let Some(earlier) =
            workers[..index].iter().find(twin).filter(|_| worker.branch_label().is_some())
        {
            let message = format!(
                "{} and {} would share one branch and one folder",
                earlier.label, worker.label
            );
            let problem =
                Problem::new(ProblemCode::DuplicateId, message, "give one of them another name");
            problems.push(problem.at(worker.line).workers([&earlier.label, &worker.label]));
        }
    }
}

fn owners(workers: &[DraftWorker], problems: &mut Vec<Problem>) {
    for worker in workers.iter().filter(|worker| worker.owns.is_empty()) {
        let excluded_only = worker.owns.globs().next().is_some();
        if excluded_only || worker.owns_lines.is_empty() {
            let message = format!("worker {} owns nothing", worker.label);
            let problem =
                Problem::new(ProblemCode::OwnsNothing, message, "list the paths it may change");
            problems.push(problem.at(worker.line).workers([&worker.label]));
        }
    }
}

fn dependencies(workers: &[DraftWorker], problems: &mut Vec<Problem>) {
    let index = |id: &str| workers.iter().position(|worker| worker.label == id);
    for worker in workers {
        for (id, line) in worker.after.iter().filter(|(id, _)| index(id).is_none()) {
            let message = format!("worker {} comes after {id:?}, which is no worker", worker.label);
            let known: Vec<&str> = workers.iter().map(|worker| worker.label.as_str()).collect();
            let hint = format!("name one of: {}", known.join(", "));
            let problem = Problem::new(ProblemCode::UnknownWorker, message, hint);
            problems.push(problem.at(*line).workers([&worker.label]));
        }
    }
    let edges: Vec<Vec<usize>> = workers
        .iter()
        .map(|worker| worker.after.iter().filter_map(|(id, _)| index(id)).collect())
        .collect();
    for cycle in graph::cycles(&edges) {
        let ids: Vec<&str> = cycle.iter().map(|at| workers[*at].label.as_str()).collect();
        let message = format!("{} wait for each other", ids.join(", "));
        let problem = Problem::new(ProblemCode::Cycle, message, "remove one `after` of the circle");
        problems.push(problem.at(workers[cycle[0]].line).workers(ids));
    }
}

/// How many pairs of workers with a common path are looked for. A plan of a thousand workers who all
/// meet has half a million, which take a minute.
const MAX_OVERLAPS: usize = 10_000;

fn overlaps(workers: &[DraftWorker], problems: &mut Vec<Problem>) {
    let scopes: Vec<_> = workers.iter().map(|worker| &worker.owns).collect();
    let meetings = scope::first_overlaps(&scopes, MAX_OVERLAPS);
    if meetings.len() == MAX_OVERLAPS {
        let message = format!("{MAX_OVERLAPS} pairs of workers own common paths, and more may do");
        let hint = "give each worker files of its own, then check again";
        problems.push(Problem::new(ProblemCode::ScopeOverlap, message, hint).at(1));
    }
    for meeting in meetings {
        let (first, second) = (&workers[meeting.scopes.0], &workers[meeting.scopes.1]);
        let line_of = |worker: &DraftWorker, glob: &str| {
            worker
                .owns_lines
                .iter()
                .find(|(text, _)| text == glob)
                .map_or(worker.line, |(_, line)| *line)
        };
        let line = line_of(second, &meeting.globs.1).max(line_of(first, &meeting.globs.0));
        let (message, hint) = words(&meeting, &first.label, &second.label);
        let problem = Problem::new(ProblemCode::ScopeOverlap, message, hint);
        problems
            .push(problem.at(line).workers([&first.label, &second.label]).path(meeting.witness));
    }
}

fn words(meeting: &Meeting, first: &str, second: &str) -> (String, String) {
    let (a, b) = &meeting.globs;
    let path = &meeting.witness;
    if meeting.undecided {
        let message =
            format!("{first} `{a}` and {second} `{b}` have too many exclusions to be told apart");
        return (message, "write the scopes without `!`".to_owned());
    }
    let message = match meeting.folded {
        false => format!("{first} and {second} both own `{path}` (`{a}` and `{b}`)"),
        true => format!(
            "{first} `{a}` and {second} `{b}` own names that differ in letter case or Unicode form \
             only, like `{path}`: one file on macOS and Windows"
        ),
    };
    (message, format!("give `{path}` to one of them, or list it under `shared`"))
}
