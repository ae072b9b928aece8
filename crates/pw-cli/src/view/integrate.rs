//! Merging, and what prevents it.

use pw_core::conflict::FileConflict;
use pw_core::finish::{Finished, Landed};
use pw_core::integration::{Aborted, Check, Integrated, Preview};
use pw_core::merge_order::Turn;
use pw_core::path::RepoPath;

use super::table::{cell, drawn, next, paths, plain, state, table};

pub(crate) fn readiness(check: &Check) -> String {
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
    drawn(&rows) + &turns(&check.turns) + &next(&check.next)
}

/// The merge order, with the reason for each position.
fn turns(turns: &[Turn]) -> String {
    let line = |(turn, number): (&Turn, usize)| {
        format!("  {number}. {}: {}\n", turn.worker, plain(&turn.because))
    };
    turns.iter().zip(1..).map(line).collect()
}

pub(crate) fn preview(preview: &Preview) -> String {
    let mut out = format!("into {}\n", preview.branch);
    for step in &preview.steps {
        let verdict = match step.conflicts.is_empty() {
            true if step.by_union.is_empty() => "merges".to_owned(),
            true => format!("merges, with both sides' lines in {}", paths(&step.by_union)),
            false => conflicts(&step.conflicts),
        };
        out += &format!("  {}: {verdict}\n", step.worker);
    }
    for edit in &preview.moved_edits {
        out += &format!("  {}\n", plain(&edit.words()));
    }
    out += &turns(&preview.turns);
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
    for merged in integrated.merged.iter().filter(|merged| !merged.by_mergiraf.is_empty()) {
        out += &format!("  mergiraf merged {}\n", paths(&merged.by_mergiraf));
    }
    for merged in integrated.merged.iter().filter(|merged| !merged.by_union.is_empty()) {
        out += &format!("  both sides' lines are kept in {}\n", paths(&merged.by_union));
    }
    for edit in &integrated.moved_edits {
        out += &format!("  {}\n", plain(&edit.words()));
    }
    if integrated.merged.is_empty() {
        out += "  every worker was merged before\n";
    }
    for worker in &integrated.without {
        out += &format!("  left out {worker}\n");
    }
    for worker in &integrated.newer {
        out += &format!("  {worker} has newer commits\n");
    }
    for gate in integrated.gate.iter().flat_map(|report| &report.gates) {
        let how = match (gate.cached, gate.flaky) {
            (_, true) => " at the second attempt: it is flaky",
            (true, false) => ", as known from an earlier run",
            (false, false) => "",
        };
        out += &format!("  gate {} passed{how}\n", gate.name);
    }
    for note in &integrated.notes {
        out += &format!("  {}\n", plain(note));
    }
    out + &next(&integrated.next)
}

pub(crate) fn aborted(aborted: &Aborted) -> String {
    let kept =
        aborted.restore.as_ref().map(|command| format!("  what was resolved is kept: {command}\n"));
    let what = aborted.worker.as_ref().map(|worker| format!(" of {worker}")).unwrap_or_default();
    format!("the integration{what} is aborted\n{}", kept.unwrap_or_default())
}

pub(crate) fn finished(finished: &Finished) -> String {
    let (base, at) = (&finished.base, finished.commit.short());
    let mut out = match finished.landed {
        Landed::FastForward => format!("{base} went on to {at}\n"),
        Landed::Merge => format!("{base} is at the merge {at}\n"),
        Landed::Squash => format!("{base} has it all as one commit, {at}\n"),
        Landed::Already => format!("{base} has it all, at {at}\n"),
        Landed::PullRequest => format!("{base} stays at {at}\n"),
    };
    if let Some(request) = &finished.pull_request {
        out += &match &request.url {
            Some(url) => format!("  proposed: {}\n", plain(url)),
            None => "  gh is not installed: push and propose as below\n".to_owned(),
        };
    }
    if let Some(checkout) = &finished.checkout {
        out += &format!("  the files in {} went along\n", plain(checkout));
    }
    for worker in &finished.without {
        out += &format!("  left out {worker}\n");
    }
    for worker in &finished.newer {
        out += &format!("  {worker} has newer commits\n");
    }
    out + &next(&finished.next)
}
