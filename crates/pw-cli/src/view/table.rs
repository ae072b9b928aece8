//! What every answer for people is made of: cells, tables, lists of paths and next steps.

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table};
use pw_core::next::NextStep;
use pw_core::path::RepoPath;
use pw_core::status::State;

use super::condition::{Tone, tone};

/// Returns text without control characters, except that lines stay lines.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

pub(super) fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    if std::env::var_os("NO_COLOR").is_some() {
        table.force_no_tty();
    }
    table.set_header(head.iter().map(|text| Cell::new(text).add_attribute(Attribute::Bold)));
    table
}

pub(super) fn cell(text: impl ToString) -> Cell {
    Cell::new(plain(&text.to_string()))
}

pub(super) fn drawn(table: &Table) -> String {
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// Returns the cell of a state.
pub(super) fn state(state: State) -> Cell {
    toned(&state.word().replace('_', " "), tone(state))
}

pub(super) fn toned(word: &str, tone: Tone) -> Cell {
    let cell = cell(word);
    match tone {
        Tone::Needs => cell.fg(Color::Red),
        Tone::Waits => cell.fg(Color::Yellow),
        Tone::Done => cell.fg(Color::Green),
        Tone::Works => cell,
    }
}

pub(super) fn paths(paths: &[RepoPath]) -> String {
    let shown: Vec<String> = paths.iter().take(3).map(|path| plain(&path.to_string())).collect();
    let more = paths.len().saturating_sub(3);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

pub(super) fn next(steps: &[NextStep]) -> String {
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

pub(super) fn count(number: usize) -> Cell {
    if number == 0 { Cell::new("") } else { Cell::new(number) }
}
