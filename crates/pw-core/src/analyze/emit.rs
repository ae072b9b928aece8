//! A split as a plan that `pw-setup check` accepts, the reasons as comments.

use std::fmt::Write as _;

use super::advise::Advised;
use super::coupling::Pair;
use super::items::WorkItem;
use super::probable::ProbableFile;
use super::report::{Analysis, Part};

/// Returns the plan; what the user must still say is in it as a comment.
pub fn plan(advised: &Advised) -> String {
    let Advised { analysis, globs, taken } = advised;
    let first = match analysis.items.is_empty() {
        true => "Say what each worker shall do, then:",
        false => "Answer what is to be asked, correct what is wrong, then:",
    };
    let mut out = format!("# Written by pw-setup analyze. {first}\n");
    out += "# pw-setup check on this file, pw-setup create.\n#\n";
    for line in reasons(analysis) {
        out += &format!("# {}\n", comment(&line));
    }
    out += "workflow: split\ngoal: |\n  what was asked, in the user's words\n";
    if !analysis.shared.is_empty() {
        out += "# Lock files and changelogs: conflicts in them are put together when merging.\nshared:\n";
        let is_plain = |path: &String| {
            let path = path.strip_suffix("/**").unwrap_or(path);
            !path.contains(['*', '?', '[', ']', '{', '}', '"', '!'])
        };
        for path in analysis.shared.iter().map(ToString::to_string).filter(is_plain) {
            let _ = writeln!(out, "  - {}", quoted(&path));
        }
    }
    out += "workers:\n";
    for (at, (part, globs)) in analysis.workers.iter().zip(globs).enumerate() {
        let taken = taken.get(at).map(Vec::as_slice).unwrap_or_default();
        out += &worker(at + 1, part, globs, taken, analysis);
    }
    out + &unplaced(analysis)
}

fn worker(
    number: usize,
    part: &Part,
    globs: &[String],
    taken: &[Pair],
    analysis: &Analysis,
) -> String {
    let Part { name, share, files, items, after, .. } = part;
    let work = if items.is_empty() { "work of past changes" } else { "hours of all items" };
    let mut lines = vec![format!("{files} files, {:.0} % of the {work}", share * 100.0)];
    lines.extend(analysis.hubs.iter().filter(|hub| hub.owner == *name).map(|hub| {
        let (path, crossing, of) = (&hub.path, hub.crossing, hub.of);
        format!("{path}: {crossing} of {of} changes need other workers' files, too")
    }));
    lines.extend(taken.iter().map(|pair| {
        let Pair { path, with, together, of, .. } = pair;
        format!("{with}: changed with {path} in {together} of {of} changes")
    }));
    let mut out: String = lines.iter().map(|line| format!("  # {}\n", comment(line))).collect();
    let _ = writeln!(out, "  - id: task-{number}\n    name: {name}\n    owns:");
    for glob in globs {
        let _ = writeln!(out, "      - {}", quoted(glob));
    }
    let id = |name: &String| analysis.workers.iter().position(|part| part.name == *name);
    let after: Vec<String> =
        after.iter().filter_map(id).map(|at| format!("task-{}", at + 1)).collect();
    if !after.is_empty() {
        let _ = writeln!(out, "    after: [{}]", after.join(", "));
    }
    out + &tasks(part, analysis)
}

/// Returns the items of a worker as its tasks; of one that comes last only what they need there.
fn tasks(part: &Part, analysis: &Analysis) -> String {
    let own = |item: &&WorkItem| part.items.contains(&item.id);
    let is_done_before = |item: &WorkItem| {
        let others = analysis.workers.iter().take_while(|other| other.name != part.name);
        others.flat_map(|other| &other.items).any(|id| *id == item.id)
    };
    let mut out = String::new();
    for item in analysis.items.iter().filter(own) {
        let head = if out.is_empty() { "    tasks:\n" } else { "" };
        let before = if is_done_before(item) { "the part in these files of: " } else { "" };
        let task = quoted(&format!("{before}{}", comment(&item.action)));
        let _ = writeln!(out, "{head}      - {task} # {}", place(item));
        if !item.probable_files.is_empty() {
            let _ = writeln!(out, "      # {}", comment(&probably(item)));
        }
        for unclear in &item.needs_clarification {
            let _ = writeln!(out, "      # ask: {}", comment(unclear));
        }
    }
    out
}

/// Returns the files of an item as its words alone tell them.
fn probably(item: &WorkItem) -> String {
    let file = |file: &ProbableFile| format!("{} ({:.0} %)", file.path, file.share * 100.0);
    let files: Vec<String> = item.probable_files.iter().map(file).collect();
    format!("probably, by words of past changes: {}", files.join(", "))
}

fn place(item: &WorkItem) -> String {
    comment(&format!("{}, {}:{}", item.id, item.document, item.line))
}

/// Returns the items that no worker does, as comments.
fn unplaced(analysis: &Analysis) -> String {
    let none = &Vec::new();
    let unplaced = analysis.schedule.as_ref().map_or(none, |schedule| &schedule.unplaced);
    let mut out = String::new();
    for item in analysis.items.iter().filter(|item| unplaced.contains(&item.id)) {
        let head =
            if out.is_empty() { "# Of no worker yet, since they name no file:\n" } else { "" };
        let _ = writeln!(out, "{head}# - {} ({})", comment(&item.action), place(item));
    }
    out
}

fn reasons(analysis: &Analysis) -> Vec<String> {
    let mut lines = vec![analysis.verdict.reason.clone()];
    if let Some(schedule) = &analysis.schedule {
        lines.push(format!("the longest way: {}", schedule.critical_path.join(", then ")));
    }
    if let Some(backtest) = &analysis.backtest {
        lines.push(format!(
            "{} windows of {} changes: folders {:.2}, random {:.2}, this {:.2} ({:.2} to {:.2}), the best possible {:.2}",
            backtest.windows, backtest.changes_per_window, backtest.folders.speedup,
            backtest.random.speedup, backtest.speedup.mean, backtest.speedup.low,
            backtest.speedup.high, backtest.best_possible.speedup
        ));
    }
    lines.extend(analysis.notes.iter().cloned());
    lines
}

/// File names are data: no line of theirs may leave the comment.
fn comment(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Returns a YAML string in double quotes; globs hold no control characters.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
