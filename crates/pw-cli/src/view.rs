//! Answers for people: tables, and colours that mean something.
//!
//! Everything a worker wrote passes [`plain`], so that nobody's text reaches a terminal as a command.

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table};
use pw_core::failure::Failure;
use pw_core::integration::{Aborted, Check as Readiness, FileConflict, Integrated, Preview};
use pw_core::launch::Launched;
use pw_core::path::RepoPath;
use pw_core::report::NextStep;
use pw_core::retro::Retro;
use pw_core::setup::{Check, Created, List, Setup, SetupStatus};
use pw_core::status::{SignalReport, State, Status, WorkerStatus};
use pw_core::time::human;
use pw_core::worker::{Brief, Committed, Synced};

/// Returns text without control characters, except that lines stay lines.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    if std::env::var_os("NO_COLOR").is_some() {
        table.force_no_tty();
    }
    table.set_header(head.iter().map(|text| Cell::new(text).add_attribute(Attribute::Bold)));
    table
}

fn cell(text: impl ToString) -> Cell {
    Cell::new(plain(&text.to_string()))
}

fn drawn(table: &Table) -> String {
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// Red needs somebody, yellow waits, green is done.
fn state(state: State) -> Cell {
    let cell = Cell::new(state.word().replace('_', " "));
    match state {
        State::Blocked | State::Missing | State::Reopened => cell.fg(Color::Red),
        State::Waiting | State::Planned | State::Starting => cell.fg(Color::Yellow),
        State::Complete | State::Integrated => cell.fg(Color::Green),
        State::InProgress => cell,
    }
}

fn paths(paths: &[RepoPath]) -> String {
    let shown: Vec<String> = paths.iter().take(3).map(|path| plain(&path.to_string())).collect();
    let more = paths.len().saturating_sub(3);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

fn next(steps: &[NextStep]) -> String {
    let line = |step: &NextStep| {
        let worker = step.worker.as_ref().map(|worker| format!(" {worker}")).unwrap_or_default();
        format!("  {}{worker}: {}\n", step.action, plain(&step.command))
    };
    if steps.is_empty() {
        String::new()
    } else {
        format!("\nNext\n{}", steps.iter().map(line).collect::<String>())
    }
}

pub(crate) fn status(status: &Status) -> String {
    let mut rows = table(&["worker", "state", "last signal", "age", "commits", "open", "outside"]);
    for worker in &status.workers {
        rows.add_row([
            cell(&worker.label),
            state(worker.state),
            cell(worker.signal.as_ref().map(signal).unwrap_or_default()),
            cell(
                worker.signal.as_ref().map(|signal| human(signal.age_seconds)).unwrap_or_default(),
            ),
            cell(worker.commits),
            count(worker.uncommitted.len()),
            count(worker.out_of_scope.len()).fg(Color::Red),
        ]);
    }
    let mut out = format!("{}: {}\n\n{}", status.workflow, status.summary, drawn(&rows));
    for worker in &status.workers {
        out += &remarks(worker);
    }
    for conflict in &status.conflicts {
        let [first, second] = &conflict.workers;
        out += &format!("  {first} and {second} collide in {}\n", paths(&conflict.paths));
    }
    for group in &status.deadlocks {
        let names: Vec<&str> = group.iter().map(|id| id.as_str()).collect();
        out += &format!("  {} wait for each other\n", names.join(", "));
    }
    if status.base.moved {
        out += "  the base branch has moved since the start\n";
    }
    out + &next(&status.next)
}

fn count(number: usize) -> Cell {
    if number == 0 { Cell::new("") } else { Cell::new(number) }
}

fn signal(signal: &SignalReport) -> String {
    match (&signal.reason, &signal.worker, &signal.item) {
        (Some(reason), ..) => format!("blocked: {reason}"),
        (_, Some(worker), Some(item)) => format!("needs {worker}/{item}"),
        _ => signal.text.clone(),
    }
}

fn remarks(worker: &WorkerStatus) -> String {
    let mut out = String::new();
    if worker.state == State::Complete {
        for reason in &worker.reasons {
            out += &format!("  {} is not ready: {}\n", worker.id, plain(&reason.message));
        }
    }
    if !worker.out_of_scope.is_empty() {
        out += &format!(
            "  {} changed outside its scope: {}\n",
            worker.id,
            paths(&worker.out_of_scope)
        );
    }
    if worker.waits_for.as_ref().is_some_and(|waits| waits.satisfied) {
        out += &format!("  {} can go on: what it needs is there\n", worker.id);
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

fn setup(setup: &Setup, done: bool) -> String {
    let mut rows = table(&["worker", "branch", "worktree", "status", "owns"]);
    for worker in &setup.workers {
        let word = match worker.status {
            SetupStatus::Created if done => "created".to_owned(),
            SetupStatus::Created => "new".to_owned(),
            SetupStatus::Exists => "exists".to_owned(),
            SetupStatus::Waiting => {
                let after: Vec<&str> = worker.after.iter().map(|id| id.as_str()).collect();
                format!("after {}", after.join(", "))
            }
        };
        rows.add_row([
            cell(&worker.label),
            cell(&worker.branch),
            cell(&worker.worktree),
            cell(word),
            cell(worker.owns.join(" ")),
        ]);
    }
    format!("{} on {}\n\n{}", setup.workflow, setup.base.commit.short(), drawn(&rows))
}

pub(crate) fn check(check: &Check) -> String {
    let mut out = setup(&check.setup, false);
    if !check.hot_files.is_empty() {
        out += "\nFiles that change often\n";
        for file in &check.hot_files {
            let owner = match (&file.owner, file.shared) {
                (Some(owner), _) => format!("owned by {owner}"),
                (None, true) => "shared".to_owned(),
                (None, false) => "owned by nobody".to_owned(),
            };
            out += &format!(
                "  {} ({} commits): {owner}\n",
                plain(&file.path.to_string()),
                file.commits
            );
        }
    }
    for warning in &check.warnings {
        out += &format!("\nwarning: {}\n", plain(warning));
    }
    out + &next(&check.setup.next)
}

pub(crate) fn created(created: &Created) -> String {
    setup(&created.setup, true) + &next(&created.setup.next)
}

pub(crate) fn launched(launched: &Launched) -> String {
    let mut out = String::new();
    for launch in &launched.workers {
        // Not in a table: a command that is cut cannot be copied.
        let word = launch.status.word();
        out += &format!("{} ({word})\n  {}\n", launch.worker, plain(&launch.command));
    }
    for skipped in &launched.skipped {
        out += &format!("  left alone: {}\n", plain(&skipped.message));
    }
    for note in &launched.notes {
        out += &format!("  note: {}\n", plain(note));
    }
    if let Some(attach) = &launched.attach {
        out += &format!("  to see them: {attach}\n");
    }
    out + &next(&launched.next)
}

pub(crate) fn list(list: &List) -> String {
    if list.workflows.is_empty() {
        return "no workflows\n".to_owned();
    }
    let mut rows = table(&["workflow", "workers", "integrated", "started", "goal"]);
    for line in &list.workflows {
        rows.add_row([
            cell(&line.workflow),
            cell(line.workers),
            cell(line.integrated),
            cell(&line.started_at),
            cell(line.goal.lines().next().unwrap_or_default()),
        ]);
    }
    drawn(&rows)
}

pub(crate) fn readiness(check: &Readiness) -> String {
    let mut rows = table(&["worker", "state", "ready", "reasons"]);
    for worker in &check.workers {
        let reasons: Vec<&str> =
            worker.reasons.iter().map(|reason| reason.message.as_str()).collect();
        rows.add_row([
            cell(&worker.worker),
            state(worker.state),
            cell(if worker.ready { "yes" } else { "" }),
            cell(reasons.join("; ")),
        ]);
    }
    drawn(&rows) + &next(&check.next)
}

pub(crate) fn preview(preview: &Preview) -> String {
    let mut out = format!("into {}\n", preview.branch);
    for step in &preview.steps {
        let verdict = if step.conflicts.is_empty() {
            "merges".to_owned()
        } else {
            conflicts(&step.conflicts)
        };
        out += &format!("  {}: {verdict}\n", step.worker);
    }
    for skipped in &preview.skipped {
        out += &format!("  {}: nothing to merge ({})\n", skipped.worker, skipped.state.word());
    }
    out + &next(&preview.next)
}

fn conflicts(conflicts: &[FileConflict]) -> String {
    let all: Vec<RepoPath> = conflicts.iter().map(|conflict| conflict.path.clone()).collect();
    format!("conflicts in {}", paths(&all))
}

pub(crate) fn integrated(integrated: &Integrated) -> String {
    let mut out = format!("{} is at {}\n", integrated.branch, integrated.commit.short());
    for merged in &integrated.merged {
        out += &format!("  merged {} as {}\n", merged.worker, merged.commit.short());
    }
    if integrated.merged.is_empty() {
        out += "  everybody was merged before\n";
    }
    for worker in &integrated.without {
        out += &format!("  left out {worker}\n");
    }
    for worker in &integrated.newer {
        out += &format!("  {worker} has newer commits\n");
    }
    out + &next(&integrated.next)
}

pub(crate) fn aborted(aborted: &Aborted) -> String {
    let kept =
        aborted.restore.as_ref().map(|command| format!("  what was resolved is kept: {command}\n"));
    format!("the integration of {} is given up\n{}", aborted.worker, kept.unwrap_or_default())
}

pub(crate) fn brief(brief: &Brief) -> String {
    let list = |title: &str, items: &[String]| {
        let lines: String = items.iter().map(|item| format!("  - {}\n", plain(item))).collect();
        if items.is_empty() { String::new() } else { format!("\n{title}\n{lines}") }
    };
    let mut out = format!(
        "{} ({}) of {}: {}\n",
        brief.label,
        brief.branch,
        brief.workflow,
        brief.state.word()
    );
    out += &format!("\nGoal\n  {}\n", plain(&brief.goal).replace('\n', "\n  "));
    out += &list("You own", &brief.owns);
    out += &list("Everybody may touch", &brief.shared);
    out += &list("Tasks", &brief.tasks);
    out += &list("Checkpoints", &brief.checkpoints);
    out += &list("Others need from you", &brief.provides);
    if !brief.notes.is_empty() {
        out += &format!("\nNotes\n  {}\n", plain(&brief.notes).replace('\n', "\n  "));
    }
    if !brief.out_of_scope.is_empty() {
        out += &format!("\nOutside your scope: {}\n", paths(&brief.out_of_scope));
    }
    for other in &brief.others {
        out += &format!(
            "\n{} ({}) is {}; owns {}",
            other.worker,
            other.name,
            other.state.word(),
            plain(&other.owns.join(" "))
        );
    }
    out + "\n" + &next(&brief.next)
}

pub(crate) fn committed(committed: &Committed) -> String {
    let mut out = format!("{} {}\n", committed.commit.short(), plain(&committed.subject));
    out.extend(committed.paths.iter().map(|path| format!("  {}\n", plain(&path.to_string()))));
    if !committed.left.is_empty() {
        out += &format!("left uncommitted: {}\n", paths(&committed.left));
    }
    out + &next(&committed.next)
}

pub(crate) fn synced(synced: &Synced) -> String {
    let mut out = format!("took in {} as {}\n", synced.from, synced.commit.short());
    for file in &synced.files {
        let lines =
            file.added.zip(file.deleted).map_or("binary".to_owned(), |(a, d)| format!("+{a} -{d}"));
        out += &format!("  {} {lines}\n", plain(&file.path.to_string()));
    }
    out + &next(&synced.next)
}

pub(crate) fn retro(retro: &Retro) -> String {
    let mut rows =
        table(&["worker", "state", "commits", "files", "time", "blocked", "waiting", "stops"]);
    for worker in &retro.workers {
        let time = |seconds| if seconds == 0 { String::new() } else { human(seconds) };
        rows.add_row([
            cell(&worker.label),
            state(worker.state),
            cell(worker.commits),
            cell(worker.files),
            cell(worker.duration_seconds.map(human).unwrap_or_default()),
            cell(time(worker.blocked_seconds)),
            cell(time(worker.waiting_seconds)),
            count(worker.stops as usize),
        ]);
    }
    let busy =
        retro.parallelism.map(|n| format!(", {n} workers busy on average")).unwrap_or_default();
    let mut out =
        format!("{}: {}{busy}\n\n{}", retro.workflow, human(retro.elapsed_seconds), drawn(&rows));
    for overlap in &retro.overlaps {
        let names: Vec<&str> = overlap.workers.iter().map(|id| id.as_str()).collect();
        out += &format!(
            "  {} was changed by {}\n",
            plain(&overlap.path.to_string()),
            names.join(", ")
        );
    }
    out
}

pub(crate) fn failure(failure: &Failure) -> String {
    let mut out = format!("error: {}\n", plain(&failure.message));
    let problems = failure.details.get("problems").and_then(|problems| problems.as_array());
    for problem in problems.into_iter().flatten() {
        let text =
            |key: &str| problem.get(key).and_then(|value| value.as_str()).unwrap_or_default();
        let line = problem.get("line").map(|line| format!("line {line}: ")).unwrap_or_default();
        out += &format!("  {line}{}\n    {}\n", plain(text("message")), plain(text("hint")));
    }
    let conflicts = failure.details.get("conflicts").and_then(|conflicts| conflicts.as_array());
    for conflict in conflicts.into_iter().flatten() {
        let text =
            |key: &str| conflict.get(key).and_then(|value| value.as_str()).unwrap_or_default();
        out += &format!("  {} ({})\n", plain(text("path")), text("kind").replace('_', " "));
    }
    if !failure.hint.is_empty() {
        out += &format!("hint: {}\n", plain(&failure.hint));
    }
    if let Some(next) = &failure.next {
        out += &format!("next: {}\n", plain(next));
    }
    out
}
