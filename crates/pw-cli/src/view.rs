//! Answers for people: tables, and colours that mean something.
//!
//! Everything a worker wrote passes [`plain`], so that nobody's text reaches a terminal as a command.

mod analyze;
mod condition;
mod integrate;
mod monitor;
mod retro;
mod setup;
mod snapshot;
mod watch;
mod worker;

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table};
use pw_core::failure::Failure;
use pw_core::path::RepoPath;
use pw_core::report::NextStep;
use pw_core::status::State;

pub(crate) use self::analyze::{analysis, row};
use self::condition::{Tone, tone};
pub(crate) use self::integrate::{aborted, finished, integrated, preview, readiness};
pub(crate) use self::monitor::{status, waited};
pub(crate) use self::retro::retro;
pub(crate) use self::setup::{check, created, launched, list, repaired};
pub(crate) use self::snapshot::{cleanup, forgotten, restore};
pub use self::watch::{Picture, Step, Watch};
pub(crate) use self::worker::{brief, committed, synced};

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

fn state(state: State) -> Cell {
    toned(&state.word().replace('_', " "), tone(state))
}

fn toned(word: &str, tone: Tone) -> Cell {
    let cell = cell(word);
    match tone {
        Tone::Needs => cell.fg(Color::Red),
        Tone::Waits => cell.fg(Color::Yellow),
        Tone::Done => cell.fg(Color::Green),
        Tone::Works => cell,
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

fn count(number: usize) -> Cell {
    if number == 0 { Cell::new("") } else { Cell::new(number) }
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
    let output = failure.details.get("output_tail").and_then(|output| output.as_str());
    for line in output.into_iter().flat_map(str::lines) {
        out += &format!("  | {}\n", plain(line));
    }
    if !failure.hint.is_empty() {
        out += &format!("hint: {}\n", plain(&failure.hint));
    }
    if let Some(next) = &failure.next {
        out += &format!("next: {}\n", plain(next));
    }
    out
}
