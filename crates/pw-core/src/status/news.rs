//! News: what the user or an agent must act on now. Work that merely goes on, such as a checkpoint,
//! is none.
//!
//! The mark of one piece of news is made of what it is about (a commit, a set of files), not of
//! when it was seen: it keeps its mark for as long as it lasts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Outlook, SignalKind, SignalReport, State, Status, Waiting, WorkerStatus};
use crate::id::{Slug, WorkerId};
use crate::next::{CommandLine, NextStep};
use crate::path::RepoPath;
use crate::time::Seconds;

/// Something that the user or an agent must act on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NewsItem {
    /// What kind of thing it is.
    pub kind: NewsKind,
    /// Absent when it is not about one worker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<WorkerId>,
    /// The worker's state at the previous poll; absent when it was not seen then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<State>,
    /// The worker's state now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<State>,
    /// One sentence for a person; may quote a worker.
    pub text: String,
    /// What to run, when a command is the way to act on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandLine>,
}

/// The kinds of things that the user or an agent must act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NewsKind {
    /// The integration waits for a resolution.
    Stopped,
    /// Workers wait for each other.
    Deadlock,
    /// A worker said `[COMPLETE]`.
    Completed,
    /// It said so, and something keeps it from being merged.
    NotReady,
    /// It committed after `[COMPLETE]`.
    Reopened,
    /// It said `[BLOCKED:…]`.
    Blocked,
    /// It said `[NEEDS:…]`, and the other worker is not complete.
    Needs,
    /// What it said it needs is there.
    Satisfied,
    /// It meant to say something that does not count.
    NearMiss,
    /// Its branch or worktree is gone.
    Missing,
    /// It does not move any more.
    Stalled,
    /// Most of its budget, or all of it, is used.
    Budget,
    /// The work of two workers, or of several together, does not merge.
    Conflict,
    /// Workers whose turn has come can be created.
    Advance,
    /// Every worker is ready to be merged.
    Ready,
    /// Every worker is merged.
    Integrated,
}

/// Returns all news at the time of `status`, each with its mark.
pub(super) fn current_news(status: &Status, now: Seconds) -> Vec<(u32, NewsItem)> {
    let mut list = News { status, found: Vec::new() };
    if let Some(worker) = &status.integration.stopped_at {
        let text = format!("the integration waits at {worker} for its resolution");
        list.add(NewsKind::Stopped, "resolve", (worker, &status.integration.commit), text);
    }
    for group in &status.deadlocks {
        let members = status.workers.iter().filter(|worker| group.contains(&worker.id));
        let said: Vec<_> = members.map(|worker| (&worker.id, commit(worker))).collect();
        let names: Vec<&str> = group.iter().map(WorkerId::as_str).collect();
        let text = format!("{} wait for each other", names.join(", "));
        list.add(NewsKind::Deadlock, "decide", said, text);
    }
    for worker in &status.workers {
        list.add_state(worker);
        if !worker.state.is_done() {
            list.add_near_misses(worker);
        }
        if let Some(stall) = &worker.stall {
            // Since when, not for how long: the same stall, however often it is looked at.
            let since = stall.since_seconds.map(|seconds| now - seconds);
            let text = format!("is stalled: {}", stall.message);
            list.add_of(worker, NewsKind::Stalled, (stall.cause, since, &worker.tip), &text);
            if let Some((_, change)) = list.found.last_mut() {
                change.command = Some(stall.remedy.clone());
            }
        }
    }
    list.add_budgets();
    list.add_conflicts();
    list.add_whole();
    list.found
}

/// Returns the mark of all that is told of a worker, ages and numbers of files apart.
pub(super) fn worker_mark(workflow: &Slug, worker: &WorkerStatus) -> u32 {
    let kinds: Vec<_> = worker.reasons.iter().map(|reason| reason.kind).collect();
    let stall = worker.stall.as_ref().map(|stall| stall.cause);
    let asked = (&worker.out_of_scope, &worker.near_misses, &worker.gaps, &worker.waits_for);
    let budget = worker.budget.as_ref().map(|used| used.level);
    let seen = (&worker.tip, worker.state, worker.ready, budget);
    checksum(&(workflow, &worker.id, seen, kinds, stall, asked))
}

/// A checksum of JSON, which the next process, and the next version, makes the same.
fn checksum(about: &impl Serialize) -> u32 {
    crc32fast::hash(&serde_json::to_vec(about).unwrap_or_default())
}

struct News<'a> {
    status: &'a Status,
    found: Vec<(u32, NewsItem)>,
}

impl News<'_> {
    /// Adds what is about several workers; `action` is the next step that deals with it.
    fn add(&mut self, kind: NewsKind, action: &str, about: impl Serialize, text: String) {
        let command = self.command(|step| step.action == action);
        let change = NewsItem { kind, worker: None, from: None, to: None, text, command };
        self.found.push((self.mark(kind, about), change));
    }

    fn add_of(&mut self, worker: &WorkerStatus, kind: NewsKind, about: impl Serialize, text: &str) {
        let command = self.command(|step| step.worker.as_ref() == Some(&worker.id));
        let text = format!("{} {text}", worker.id);
        let (id, to) = (Some(worker.id.clone()), Some(worker.state));
        let change = NewsItem { kind, worker: id, from: None, to, text, command };
        self.found.push((self.mark(kind, (&worker.id, about)), change));
    }

    fn command(&self, is_its: impl Fn(&NextStep) -> bool) -> Option<CommandLine> {
        self.status.next.iter().find(|step| is_its(step)).map(|step| step.command.clone())
    }

    fn mark(&self, kind: NewsKind, about: impl Serialize) -> u32 {
        checksum(&(&self.status.workflow, kind, about))
    }

    fn add_state(&mut self, worker: &WorkerStatus) {
        let (commit, said) = (commit(worker), said(worker));
        let is_satisfied = worker.waits_for.as_ref().is_some_and(|waits| waits.satisfied);
        let kind_and_text = match worker.state {
            State::Complete => (NewsKind::Completed, format!("is complete{said}")),
            State::Reopened => (NewsKind::Reopened, "went on after it was complete".to_owned()),
            State::Blocked => (NewsKind::Blocked, format!("is blocked{said}")),
            State::Waiting if is_satisfied => {
                (NewsKind::Satisfied, format!("can go on, what it needs is there{said}"))
            }
            State::Waiting => {
                let reopen = worker.waits_for.as_ref().filter(|waits| waits.reopen);
                let end =
                    reopen.map(|waits| format!("; {} is complete and has to go on", waits.worker));
                (NewsKind::Needs, format!("waits{said}{}", end.unwrap_or_default()))
            }
            State::Missing => {
                let text = format!("is missing: {}", reasons(worker));
                return self.add_of(worker, NewsKind::Missing, &worker.tip, &text);
            }
            State::Planned | State::Starting | State::InProgress | State::Integrated => return,
        };
        let (kind, text) = kind_and_text;
        self.add_of(worker, kind, commit, &text);
        if worker.state == State::Complete && !worker.ready {
            let kinds: Vec<_> = worker.reasons.iter().map(|reason| reason.kind).collect();
            let text = format!("cannot be merged yet: {}", reasons(worker));
            self.add_of(worker, NewsKind::NotReady, (commit, kinds), &text);
        }
    }

    fn add_near_misses(&mut self, worker: &WorkerStatus) {
        for miss in &worker.near_misses {
            let text = format!("wrote \"{}\", which counts only as \"{}\"", miss.subject, miss.fix);
            self.add_of(worker, NewsKind::NearMiss, &miss.commit, &text);
        }
    }

    fn add_budgets(&mut self) {
        // Each level is told once, whatever it is a percentage of by then.
        for worker in &self.status.workers {
            let Some(used) = &worker.budget else { continue };
            let text = format!("has used {}", used.message);
            self.add_of(worker, NewsKind::Budget, used.level, &text);
        }
        if let Some(used) = &self.status.budget {
            let text = format!("all workers together have used {}", used.message);
            self.add(NewsKind::Budget, "", used.level, text);
        }
    }

    fn add_conflicts(&mut self) {
        for conflict in &self.status.conflicts {
            let [first, second] = &conflict.workers;
            // Uncommitted files come and go; they are told once.
            let lasting = Some(&conflict.paths).filter(|_| !conflict.uncommitted);
            let when = if conflict.uncommitted { "will not merge" } else { "do not merge" };
            let text = format!("{first} and {second} {when}: {}", listed(&conflict.paths));
            self.add(NewsKind::Conflict, "", (&conflict.workers, lasting), text);
        }
        for stop in self.status.trial.beyond(&self.status.conflicts) {
            let paths: Vec<RepoPath> = stop.findings.iter().map(|f| f.path.clone()).collect();
            let (worker, after) = (&stop.worker, stop.after());
            let text = format!("{worker} does not merge after {after}: {}", listed(&paths));
            self.add(NewsKind::Conflict, "", (&stop.worker, &stop.with, paths), text);
        }
    }

    /// Adds what is about all workers together.
    fn add_whole(&mut self) {
        let workers = &self.status.workers;
        let all = |test: fn(&WorkerStatus) -> bool| workers.iter().all(test);
        let tips: Vec<_> = workers.iter().map(|worker| &worker.tip).collect();
        let can_open = |wait: &&Waiting| wait.item.is_none() && wait.outlook == Outlook::Satisfied;
        let opening: Vec<_> =
            self.status.waiting.iter().filter(can_open).map(|wait| &wait.worker).collect();
        // Where what they build upon does not merge, that is integrated first, and then it is news again.
        let names =
            |ids: &[&WorkerId]| ids.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(", ");
        let is_offered = |action: &str| self.status.next.iter().any(|step| step.action == action);
        if !opening.is_empty() && is_offered("advance") {
            let text = format!("it is the turn of {}", names(&opening));
            self.add(NewsKind::Advance, "advance", opening, text);
        } else if !opening.is_empty() {
            let text = format!(
                "what {} builds upon does not merge: it is integrated first",
                names(&opening)
            );
            self.add(NewsKind::Advance, "integrate", (opening, "first"), text);
        }
        if all(|worker| worker.state == State::Integrated) {
            let text = "every worker is merged".to_owned();
            self.add(NewsKind::Integrated, "look back", tips, text);
        } else if all(WorkerStatus::is_usable) {
            let text = "every worker is ready to be merged".to_owned();
            self.add(NewsKind::Ready, "integrate", tips, text);
        }
    }
}

fn commit(worker: &WorkerStatus) -> Option<&crate::id::Oid> {
    worker.signal.as_ref().map(|signal| &signal.commit)
}

/// Returns what the worker's newest signal says, to stand behind its state.
fn said(worker: &WorkerStatus) -> String {
    let Some(SignalReport { kind, text, reason, worker, item, .. }) = &worker.signal else {
        return String::new();
    };
    let what = match kind {
        SignalKind::Blocked => reason.clone(),
        SignalKind::Needs => {
            worker.as_ref().zip(item.as_ref()).map(|(w, item)| format!("{item} of {w}"))
        }
        SignalKind::Checkpoint | SignalKind::Complete => None,
    };
    let text = Some(text).filter(|text| !text.is_empty()).cloned();
    let words: Vec<String> = what.into_iter().chain(text).collect();
    if words.is_empty() { String::new() } else { format!(": {}", words.join(": ")) }
}

fn reasons(worker: &WorkerStatus) -> String {
    let messages: Vec<&str> = worker.reasons.iter().map(|reason| reason.message.as_str()).collect();
    messages.join("; ")
}

fn listed(paths: &[RepoPath]) -> String {
    let shown: Vec<String> = paths.iter().take(3).map(ToString::to_string).collect();
    let more = paths.len().saturating_sub(3);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}
