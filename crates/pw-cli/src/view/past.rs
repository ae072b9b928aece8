//! Finished runs side by side.

use pw_core::retro::past::{Comparison, Forgot, Remembered};
use pw_core::text::counted;
use pw_core::time::about;

use super::table::{cell, drawn, plain, table};

pub(crate) fn comparison(found: &Comparison) -> String {
    if found.runs.is_empty() {
        return "No run is kept: pw-retro remember keeps one.\n".to_owned();
    }
    let mut rows = table(&[
        "workflow",
        "began",
        "took",
        "workers",
        "busy at once",
        "of its path",
        "blocked",
        "waiting",
        "stops",
        "grade",
    ]);
    let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    for run in &found.runs {
        rows.add_row([
            cell(&run.workflow),
            cell(run.started_at.split('T').next().unwrap_or_default()),
            cell(about(run.elapsed_seconds)),
            cell(run.workers),
            cell(number(run.parallelism)),
            cell(number(run.efficiency)),
            cell(about(run.times.blocked_seconds)),
            cell(about(run.times.waiting_seconds)),
            cell(run.stops),
            cell(run.letter.map(String::from).unwrap_or_default()),
        ]);
    }
    let mut out = drawn(&rows);
    for one in &found.sizes {
        let (least, most) = (about(one.least_seconds), about(one.most_seconds));
        let workers = counted(one.workers, "worker");
        let median = about(one.median_seconds);
        out +=
            &format!("  size {:?}: {median} as a rule, {least} to {most}, {workers}\n", one.size);
    }
    for one in &found.paths {
        out += &format!("  {} hurt in {} runs\n", plain(&one.path.to_string()), one.runs);
    }
    out
}

pub(crate) fn remembered(answer: &Remembered) -> String {
    let word = if answer.changed { "is kept" } else { "was kept already" };
    let runs = counted(answer.runs, "run");
    format!("{} {word}: {runs} in {}\n", answer.workflow, answer.reference)
}

pub(crate) fn forgot(answer: &Forgot) -> String {
    format!("{} forgotten, {} kept\n", counted(answer.forgotten, "run"), answer.runs)
}
