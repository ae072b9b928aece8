//! A split as a plan that `pw-setup check` accepts, the reasons as comments.

use super::advise::Advised;
use super::report::{Analysis, Part};
use std::fmt::Write as _;

/// Returns the plan; what the user must still say is in it as a comment.
pub fn plan(advised: &Advised) -> String {
    let Advised { analysis, globs } = advised;
    let mut out =
        String::from("# Written by pw-setup analyze. Say what each worker shall do, then:\n");
    out += "# pw-setup check on this file, pw-setup create.\n#\n";
    for line in reasons(analysis) {
        out += &format!("# {}\n", comment(&line));
    }
    out += "workflow: split\ngoal: |\n  what was asked, in the user's words\n";
    if !analysis.shared.is_empty() {
        out += "# Lock files and changelogs: conflicts in them are put together when merging.\nshared:\n";
        let plain = analysis.shared.iter().map(|path| path.to_string());
        for path in plain.filter(|path| !path.contains(['*', '?', '[', ']', '{', '}', '"', '!'])) {
            let _ = writeln!(out, "  - {}", quoted(&path));
        }
    }
    out += "workers:\n";
    for (at, (part, globs)) in analysis.workers.iter().zip(globs).enumerate() {
        out += &worker(at + 1, part, globs, analysis);
    }
    out
}

fn worker(number: usize, part: &Part, globs: &[String], analysis: &Analysis) -> String {
    let Part { name, share, files, .. } = part;
    let mut out =
        format!("  # {files} files, {:.0} % of the work of past changes\n", share * 100.0);
    for hub in analysis.hubs.iter().filter(|hub| hub.owner == *name) {
        let line = format!(
            "{}: {} of {} changes need other workers' files, too",
            hub.path, hub.crossing, hub.of
        );
        out += &format!("  # {}\n", comment(&line));
    }
    out += &format!("  - id: task-{number}\n    name: {name}\n    owns:\n");
    for glob in globs {
        let _ = writeln!(out, "      - {}", quoted(glob));
    }
    out
}

fn reasons(analysis: &Analysis) -> Vec<String> {
    let mut lines = vec![analysis.verdict.reason.clone()];
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
