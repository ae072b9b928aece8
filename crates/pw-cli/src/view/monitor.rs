//! Where every worker is.

use pw_core::analyze::neighbours::Neighbour;
use pw_core::channel::Channel;
use pw_core::id::WorkerId;
use pw_core::path::RepoPath;
use pw_core::session::{EngineAnswer, Usage};
use pw_core::status::{
    Drift, Integration, Outlook, State, Status, Unresolved, Waited, Waiting, WorkerStatus,
};
use pw_core::text::counted;
use pw_core::time::human;

use super::condition::{age, condition, said};
use super::table::{RED, YELLOW, cell, count, drawn, next, paths, plain, prose, table, toned};

pub(crate) fn status(status: &Status) -> String {
    let mut head =
        vec!["worker", "state", "last signal", "age", "commits", "open", "outside", "clash"];
    if status.usage.is_some() {
        head.extend(["tokens", "cost"]);
    }
    let mut rows = table(&head);
    for worker in &status.workers {
        let (word, tone) = condition(worker);
        let signal = worker.signal.as_ref();
        let clashes = status.conflicts.iter().filter(|pair| pair.workers.contains(&worker.id));
        let mut row = vec![
            cell(&worker.label),
            toned(&word, tone),
            cell(signal.map(said).unwrap_or_default()),
            cell(signal.map(|signal| age(signal.age_seconds)).unwrap_or_default()),
            count(worker.commits),
            count(worker.uncommitted.len()),
            count(worker.out_of_scope.len()).fg(RED),
            count(clashes.count()).fg(YELLOW),
        ];
        if status.usage.is_some() {
            row.extend(used(worker.usage.as_ref()).map(cell));
        }
        rows.add_row(row);
    }
    if let Some(all) = status.usage.as_ref().filter(|_| status.workers.len() > 1) {
        let [tokens, cost] = used(Some(all)).map(cell);
        rows.add_row(
            [["all"; 1].map(cell).as_slice(), &[""; 7].map(cell), &[tokens, cost]].concat(),
        );
    }
    let summary = prose(&format!("{}: {}", status.workflow, status.summary));
    let mut out = format!("{summary}\n\n{}", drawn(&rows));
    out += &integration(&status.integration);
    for worker in &status.workers {
        out += &remarks(worker);
    }
    for conflict in &status.conflicts {
        let [first, second] = &conflict.workers;
        let open = if conflict.uncommitted { ", not committed yet" } else { "" };
        out += &format!("  {first} and {second} conflict in {}{open}\n", paths(&conflict.paths));
    }
    for stop in status.trial.beyond(&status.conflicts) {
        let files: Vec<RepoPath> = stop.findings.iter().map(|known| known.path.clone()).collect();
        let (worker, after) = (&stop.worker, stop.after());
        out += &format!("  {worker} will not merge after {after}: {}\n", paths(&files));
    }
    for edit in &status.trial.moved_edits {
        out += &(prose(&format!("  {}", plain(&edit.words()))) + "\n");
    }
    if let Some(used) = &status.budget {
        out += &format!("  all together have used {}\n", used.message);
    }
    for group in &status.deadlocks {
        out += &format!("  {} wait for each other\n", ids(group));
    }
    out.extend(status.waiting.iter().map(wait));
    out.extend(status.drift.iter().map(drift));
    let note = status.remote.as_ref().and_then(Channel::note);
    let notes = note.into_iter().chain(status.engines.iter().filter_map(EngineAnswer::note));
    out.extend(notes.map(|note| prose(&format!("  {}", plain(&note))) + "\n"));
    if let Some(unseen) = status.unseen.as_ref().filter(|unseen| !unseen.is_empty()) {
        out += &format!("  not committed here, so no worker sees it: {}\n", paths(unseen));
    }
    let left = status.left_behind.iter().flatten();
    for Neighbour { worker, pair, owner } in left {
        let owner = owner.as_ref().map_or("no worker".to_owned(), ToString::to_string);
        let (path, with) = (plain(&pair.path.to_string()), plain(&pair.with.to_string()));
        out += &format!(
            "  {worker} changed {path}; in {:.0} % of history {with}, owned by {owner}, changes with it\n",
            pair.confidence() * 100.0
        );
    }
    out + &next(&status.next)
}

/// What keeps an integration from going on.
fn integration(integration: &Integration) -> String {
    let mut out = String::new();
    if let Some(worker) = &integration.stopped_at {
        out += &format!("  the merge of {worker} is stopped");
        out += &match &integration.unresolved {
            Some(Unresolved { worktree, paths }) if paths.is_empty() => {
                format!(" in {}: no file is unmerged any more\n", plain(worktree))
            }
            Some(Unresolved { worktree, paths: files }) => {
                format!(" in {}: resolve {}\n", plain(worktree), paths(files))
            }
            None => ": its worktree is gone\n".to_owned(),
        };
    }
    if let Some(red) = &integration.red {
        let of = if red.workers.is_empty() {
            String::new()
        } else {
            format!(", because of {}", ids(&red.workers))
        };
        out += &format!("  the gate {} does not pass{of}\n", red.gate);
        out.extend(red.output_tail.lines().map(|line| format!("    | {}\n", plain(line))));
    }
    out
}

fn ids(ids: &[WorkerId]) -> String {
    ids.iter().map(WorkerId::as_str).collect::<Vec<_>>().join(", ")
}

fn wait(wait: &Waiting) -> String {
    let worker = &wait.worker;
    match wait.outlook {
        Outlook::Satisfied if wait.item.is_some() => {
            format!("  {worker} can go on: what it needs is there\n")
        }
        Outlook::Satisfied => format!("  {worker} can be created: its turn has come\n"),
        Outlook::Stuck => {
            format!("  {worker} waits for {}, who cannot go on alone\n", ids(&wait.stuck_on))
        }
        Outlook::UnknownWorker => {
            format!("  {worker} waits for a worker that the plan does not have\n")
        }
        Outlook::Moving | Outlook::Deadlock => String::new(),
    }
}

fn drift(drift: &Drift) -> String {
    let moved = match drift.rewritten {
        true => "was rewritten".to_owned(),
        false => format!("has {}", counted(drift.commits, "new commit")),
    };
    let mut out = format!("  the base branch {moved}\n");
    for touch in &drift.touches {
        out += &format!("    it changed what {} owns: {}\n", touch.worker, paths(&touch.paths));
    }
    out
}

pub(crate) fn waited(waited: &Waited) -> String {
    let mut out = String::new();
    for change in &waited.changes {
        out += &format!("{}\n", plain(&change.text));
        if let Some(command) = &change.command {
            out += &format!("  {}\n", plain(command));
        }
    }
    if !waited.happened {
        out += &format!("Nothing to act on in {}.\n", human(waited.waited_seconds));
    }
    out += &format!("\n{}: {}\n", waited.workflow, waited.summary);
    out.extend(waited.notes.iter().map(|note| format!("note: {}\n", plain(note))));
    let on = waited.next.iter().filter(|step| step.action == "wait").cloned();
    out + &next(&on.collect::<Vec<_>>())
}

/// Tokens, those read from the cache included, and what they cost.
pub(crate) fn used(usage: Option<&Usage>) -> [String; 2] {
    let tokens = |tokens: u64| match tokens {
        0..=999 => tokens.to_string(),
        1_000..=999_999 => format!("{}k", tokens / 1_000),
        _ => format!("{}.{}M", tokens / 1_000_000, tokens / 100_000 % 10),
    };
    let cost = usage.and_then(|usage| usage.cost_usd).map(|cost| format!("${cost:.2}"));
    [usage.map(|usage| tokens(usage.tokens())).unwrap_or_default(), cost.unwrap_or_default()]
}

fn remarks(worker: &WorkerStatus) -> String {
    let mut out = String::new();
    if let Some(stall) = &worker.stall {
        let (message, remedy) = (plain(&stall.message), plain(&stall.remedy));
        out += &format!("  {} does not move: {message}\n    {remedy}\n", worker.id);
    }
    if let Some(used) = &worker.budget {
        out += &format!("  {} has used {}\n", worker.id, used.message);
    }
    if let (State::Blocked, Some(signal)) = (worker.state, &worker.signal) {
        let reason = signal.reason.as_deref().unwrap_or_default();
        let text = if signal.text == reason { "" } else { signal.text.as_str() };
        let asked = [reason, text].into_iter().filter(|part| !part.is_empty());
        let asked: Vec<String> = asked.map(plain).collect();
        out += &format!("  {} asks: {}\n", worker.id, asked.join(" \u{2013} "));
    }
    if worker.state == State::Complete {
        for reason in &worker.reasons {
            out += &format!("  {} is not ready: {}\n", worker.id, plain(&reason.message));
        }
    }
    if let Some(reverted) = &worker.reverted {
        out += &format!("  {}: {}\n", worker.id, reverted.note("it"));
    }
    if !worker.out_of_scope.is_empty() {
        out += &format!(
            "  {} changed outside its scope: {}\n",
            worker.id,
            paths(&worker.out_of_scope)
        );
    }
    for gap in &worker.gaps {
        out += &format!("  {} is not guarded as it was made: {}\n", worker.id, plain(&gap.message));
    }
    for miss in &worker.near_misses {
        out += &format!(
            "  {} wrote \"{}\"; write \"{}\"\n",
            worker.id,
            plain(&miss.subject),
            plain(&miss.fix)
        );
    }
    out
}
