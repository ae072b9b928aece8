//! The numbers of a run.

use pw_core::retro::Retro;
use pw_core::time::human;

use super::table::{cell, count, drawn, plain, state, table};

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
        retro.parallelism.map(|n| format!(", on average {n} busy at once")).unwrap_or_default();
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
