//! What the history says about a split.

use pw_core::analyze::probable::ProbableFile;
use pw_core::analyze::report::{Advice, Analysis, Backtest, Score};
use pw_core::text::bounded;

use super::table::{cell, drawn, next, plain, table};

pub(crate) fn analysis(analysis: &Analysis) -> String {
    let word = match analysis.verdict.advice {
        Advice::Split => "Split",
        Advice::OneSession => "Do it in one session",
        Advice::Unknown => "Not known",
    };
    let mut out = format!("{word}: {}\n", plain(&analysis.verdict.reason));
    if let Some(backtest) = &analysis.backtest {
        out += &format!("\n{}", scores(backtest));
    }
    if let Some(schedule) = &analysis.schedule {
        out += &format!("\nthe longest way: {}\n", plain(&schedule.critical_path.join(", then ")));
        out += &format!("\n{}", items(analysis));
    }
    if !analysis.workers.is_empty() {
        let mut rows = table(&["worker", "files", "work", "owns"]);
        for part in &analysis.workers {
            let more = part.more.map(|more| format!(" and {more} more")).unwrap_or_default();
            let work = format!("{:.0} %", part.share * 100.0);
            let owns = part.owns.join(" ") + &more;
            rows.add_row([cell(&part.name), cell(part.files), cell(work), cell(owns)]);
        }
        out += &format!("\n{}", drawn(&rows));
    }
    let hubs = analysis
        .hubs
        .iter()
        .map(|hub| format!("{}: {} of {} changes cross workers", hub.path, hub.crossing, hub.of));
    out += &list("Files that make changes cross", hubs);
    let pairs = analysis.coupled.iter().map(|pair| {
        format!(
            "{} changed with {} in {} of {} changes",
            pair.with, pair.path, pair.together, pair.of
        )
    });
    out += &list("Files that change together", pairs);
    out += &list("Notes", analysis.notes.iter().cloned());
    out + &next(&analysis.next)
}

fn items(analysis: &Analysis) -> String {
    let mut rows = table(&["item", "what", "files", "after", "to be asked"]);
    for item in &analysis.items {
        let named = item.files.iter().map(|file| file.path.to_string());
        let guess = |file: &ProbableFile| format!("{}? ({:.0} %)", file.path, file.share * 100.0);
        let probable = item.probable_files.iter().map(guess);
        let files: Vec<String> = named.chain(probable).collect();
        let (after, unclear) = (item.after.join(" "), item.needs_clarification.join("; "));
        let what = bounded(&item.action, 60);
        rows.add_row([
            cell(&item.id),
            cell(what),
            cell(files.join(" ")),
            cell(after),
            cell(unclear),
        ]);
    }
    drawn(&rows)
}

fn scores(backtest: &Backtest) -> String {
    let mut rows = table(&["split", "speed-up", "inside one worker"]);
    let mut row = |name: &str, speedup: f64, inside: f64| {
        let inside = format!("{:.0} %", inside * 100.0);
        rows.add_row([cell(name), cell(format!("{speedup:.2}")), cell(inside)]);
    };
    row("this", backtest.speedup.mean, backtest.inside.mean);
    row("folders", backtest.folders.speedup, backtest.folders.inside);
    row("random", backtest.random.speedup, backtest.random.inside);
    row("best possible", backtest.best_possible.speedup, backtest.best_possible.inside);
    drawn(&rows)
}

fn list(title: &str, lines: impl Iterator<Item = String>) -> String {
    let lines: String = lines.map(|line| format!("  {}\n", plain(&line))).collect();
    if lines.is_empty() { lines } else { format!("\n{title}\n{lines}") }
}

/// One row of each of the tables that `scripts/backtest` makes: the split, what was foretold, and what items
/// bring that are known by their words.
pub(crate) fn row(analysis: &Analysis) -> String {
    split_row(analysis) + &foretold_row(analysis) + &items_row(analysis)
}

fn foretold_row(analysis: &Analysis) -> String {
    let Some(foretold) = &analysis.foretold else {
        return "| - | - | - | - | - | - |\n".to_owned();
    };
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    format!(
        "| {} | {} | {} | {} | {} | {} |\n",
        foretold.queries,
        percent(foretold.answered),
        percent(foretold.recall),
        percent(foretold.precision),
        percent(foretold.top_three),
        foretold.sure.map_or_else(|| "-".to_owned(), percent),
    )
}

fn items_row(analysis: &Analysis) -> String {
    let backtest = analysis.backtest.as_ref();
    let Some((backtest, known)) = backtest.and_then(|b| Some((b, b.items_known.as_ref()?))) else {
        return "| - | - | - | - | - | - | - | - | - | - | - |\n".to_owned();
    };
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    format!(
        "| {:.2} | {:.2} | {:.2}/{:.2} | {:.0} % | {:.0} % | {} | {} | {} ({}) | {} | {} | {} |\n",
        backtest.folders.speedup,
        backtest.speedup.mean,
        known.speedup,
        known.inside,
        closed(backtest, backtest.speedup.mean, backtest.best_possible),
        closed(backtest, known.speedup, backtest.best_possible),
        known.items,
        percent(known.first),
        percent(known.top_three),
        percent(known.by_chance),
        percent(known.precision),
        percent(known.recall),
        known.sure.map_or_else(|| "-".to_owned(), percent),
    )
}

/// Returns how much of the way from folders to the best a speed-up is, in per cent.
fn closed(backtest: &Backtest, speedup: f64, best: Score) -> f64 {
    let folders = backtest.folders.speedup;
    (speedup - folders) / (best.speedup - folders).max(0.01) * 100.0
}

fn split_row(analysis: &Analysis) -> String {
    let Some(backtest) = &analysis.backtest else {
        return "| - | - | - | - | - | - | - | - | - | - |\n".to_owned();
    };
    let Backtest { windows, speedup, inside, folders, random, best_possible, .. } = backtest;
    let single = backtest.best_single.unwrap_or(*best_possible);
    let advice = match analysis.verdict.advice {
        Advice::Split => "split",
        Advice::OneSession => "one session",
        Advice::Unknown => "not known",
    };
    format!(
        "| {windows} | {:.2}/{:.2} | {:.2}/{:.2} | {:.2} ({:.2} to {:.2})/{:.2} | {:.2}/{:.2} | {:.2}/{:.2} | {:+.0} % | {:.0} % | {:.0} % | {advice} |\n",
        random.speedup,
        random.inside,
        folders.speedup,
        folders.inside,
        speedup.mean,
        speedup.low,
        speedup.high,
        inside.mean,
        single.speedup,
        single.inside,
        best_possible.speedup,
        best_possible.inside,
        (speedup.mean / folders.speedup - 1.0) * 100.0,
        closed(backtest, speedup.mean, single),
        closed(backtest, speedup.mean, *best_possible),
    )
}
