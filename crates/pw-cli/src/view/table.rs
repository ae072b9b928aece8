//! What every answer for people is made of: cells, tables, lists of paths and next steps.

use comfy_table::presets::NOTHING;
use comfy_table::{
    Attribute, Cell, Color, ColumnConstraint, ContentArrangement, Row, Table, Width,
};
use pw_core::next::NextStep;
use pw_core::path::RepoPath;
use pw_core::status::State;
use textwrap::core::display_width;
use textwrap::{Options, WordSplitter, fill};

use super::condition::{Tone, tone};

// The first eight colours: a terminal's theme makes them readable on its background, light or dark.
// What a colour says is said in words, too.
pub(super) const RED: Color = Color::DarkRed;
pub(super) const YELLOW: Color = Color::DarkYellow;
const GREEN: Color = Color::DarkGreen;

/// How wide a terminal is taken to be that does not tell.
const USUAL_WIDTH: u16 = 80;

/// Returns text as one line: without control characters, and without those that turn around what
/// follows. The name of a file may hold a newline, and would forge a line of ours.
pub(crate) fn plain(text: &str) -> String {
    text.trim_end_matches('\n').chars().map(|c| if c == '\n' { ' ' } else { shown(c) }).collect()
}

/// The same, except that lines stay lines: for what the user has written.
pub(crate) fn plain_lines(text: &str) -> String {
    text.chars().map(|c| if c == '\n' { c } else { shown(c) }).collect()
}

fn shown(c: char) -> char {
    let turns = matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if turns || c.is_control() { '\u{fffd}' } else { c }
}

pub(super) fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(head.iter().map(|text| Cell::new(text).add_attribute(Attribute::Bold)));
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if let Some(width) = width() {
        table.set_width(width);
    }
    if is_set("NO_COLOR") || std::env::var_os("TERM").is_none_or(|term| term == "dumb") {
        table.force_no_tty();
    }
    table
}

/// Returns how wide the terminal is; nothing when stdout is none.
fn width() -> Option<u16> {
    // One that does not tell says 0.
    Table::new().width().map(|width| if width == 0 { USUAL_WIDTH } else { width })
}

/// Returns a sentence as lines that the terminal has room for, which would break it within words. Not for
/// commands: they stay on one line, to be copied.
pub(super) fn prose(text: &str) -> String {
    let Some(width) = width() else { return text.to_owned() };
    folded(text, usize::from(width))
}

fn folded(text: &str, width: usize) -> String {
    let indent = text.len() - text.trim_start_matches(' ').len();
    let deeper = " ".repeat(indent + 2);
    let options = Options::new(width).break_words(false).subsequent_indent(&deeper);
    fill(text, options.word_splitter(WordSplitter::NoHyphenation))
}

pub(super) fn cell(text: impl ToString) -> Cell {
    Cell::new(plain(&text.to_string()))
}

/// Returns a table without the columns that are empty. Where the terminal is too narrow for its
/// longest words, each row is a list instead, since nothing may break a name.
pub(super) fn drawn(table: &Table) -> String {
    let mut table = table.clone();
    let head: Vec<String> =
        table.header().into_iter().flat_map(Row::cell_iter).map(Cell::content).collect();
    let rows: Vec<Vec<String>> =
        table.row_iter().map(|row| row.cell_iter().map(Cell::content).collect()).collect();
    let columns = (0..head.len()).map(|at| {
        let cells = || rows.iter().filter_map(|row| row.get(at)).map(String::as_str);
        let is_empty = cells().all(str::is_empty);
        (!is_empty).then(|| Column::of(cells().chain([head[at].as_str()])))
    });
    let columns: Vec<Option<Column>> = columns.collect();
    let widths = match table.width() {
        Some(width) => match arranged(&columns, usize::from(width)) {
            Some(widths) => widths.into_iter().map(Some).collect(),
            None => return listed(&head, &rows, usize::from(width)),
        },
        None => vec![None; columns.len()],
    };
    for ((column, shown), width) in table.column_iter_mut().zip(&columns).zip(widths) {
        match (shown, width) {
            (None, _) => drop(column.set_constraint(ColumnConstraint::Hidden)),
            (Some(_), Some(width)) => {
                let width = u16::try_from(width).unwrap_or(u16::MAX);
                column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width)));
            }
            (Some(_), None) => {}
        }
    }
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// How wide a column has to be at least, and would be best, with the space around it.
#[derive(Clone, Copy)]
struct Column {
    least: usize,
    best: usize,
}

impl Column {
    fn of<'a>(cells: impl Iterator<Item = &'a str> + Clone) -> Self {
        let widest = |parts: &mut dyn Iterator<Item = &'a str>| {
            2 + parts.map(display_width).max().unwrap_or_default()
        };
        Self {
            least: widest(&mut cells.clone().flat_map(str::split_whitespace)),
            best: widest(&mut cells.flat_map(str::lines)),
        }
    }
}

/// Returns how wide each column is, so that only long texts are broken, between words; nothing when
/// they do not fit side by side.
fn arranged(columns: &[Option<Column>], width: usize) -> Option<Vec<usize>> {
    let mut widths: Vec<usize> =
        columns.iter().map(|column| column.map_or(0, |column| column.least)).collect();
    let mut left = width.checked_sub(widths.iter().sum())?;
    let mut order: Vec<(usize, usize)> = columns
        .iter()
        .enumerate()
        .filter_map(|(at, column)| column.map(|column| (column.best - column.least, at)))
        .collect();
    order.sort_unstable();
    for (wanted, at) in order {
        let more = wanted.min(left);
        widths[at] += more;
        left -= more;
    }
    Some(widths)
}

/// Returns each row as a list of what it has.
fn listed(head: &[String], rows: &[Vec<String>], width: usize) -> String {
    let options = Options::new(width).break_words(false).subsequent_indent("    ");
    let options = options.word_splitter(WordSplitter::NoHyphenation);
    let mut out = String::new();
    for row in rows {
        for (at, text) in row.iter().enumerate().filter(|(_, text)| !text.is_empty()) {
            let line = if at == 0 { text.clone() } else { format!("  {}: {text}", head[at]) };
            out += &(fill(&line, &options) + "\n");
        }
    }
    out
}

/// Returns the cell of a state.
pub(super) fn state(state: State) -> Cell {
    toned(&state.word().replace('_', " "), tone(state))
}

pub(super) fn toned(word: &str, tone: Tone) -> Cell {
    let cell = cell(word);
    match tone {
        Tone::Needs => cell.fg(RED),
        Tone::Waits => cell.fg(YELLOW),
        Tone::Done => cell.fg(GREEN),
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

#[cfg(test)]
mod tests {
    use super::folded;

    #[test]
    fn a_sentence_is_folded_between_words() {
        let told = "  workers: Split into fewer workers, or run pw-setup check";
        let lines = "  workers: Split into fewer\n    workers, or run pw-setup\n    check";
        assert_eq!(folded(told, 28), lines);
        let path = "task-1 owns a-very-long/path/that-has-no-room/at-all";
        assert_eq!(folded(path, 20), "task-1 owns\n  a-very-long/path/that-has-no-room/at-all");
    }
}
