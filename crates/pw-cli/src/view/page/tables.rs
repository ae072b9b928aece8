//! What is told in tables: who met whom in which file, waits, merges, the grade, the timeline.

use maud::{Markup, html};
use pw_core::retro::{AllowedKind, HeatRow, MissingKind, Outcome, Retro, Review, StopRetro};
use pw_core::time::about;

use super::parts::{said, wide};

/// How many moments the page tells.
const MOST_MOMENTS: usize = 1_000;
/// How many times that cannot be it tells, one by one.
const MOST_CLOCKS: usize = 10;

pub(super) fn meetings(review: &Review) -> Markup {
    let (retro, heat) = (&review.retro, &review.heat);
    html! {
        section aria-labelledby="files" {
            h2 id="files" { "Which files they changed" }
            @if heat.rows.is_empty() {
                p { "No worker has changed a file." }
            } @else {
                p.soft {
                    "Files of several workers or outside a scope stand first, the others by folder. A number is how many \
                     files; an exclamation mark says that they are outside the worker's scope."
                }
                (wide("Workers and the files they changed", &html! {
                    table.heat {
                        thead { tr {
                            th scope="col" { "file or folder" }
                            @for worker in &retro.workers { th scope="col" { span.up { (worker.id) } } }
                        } }
                        tbody { @for row in &heat.rows { (heat_row(row)) } }
                    }
                }))
                @if heat.left > 0 { p.soft { (heat.left) " further rows are left out." } }
            }
            @if !retro.conflicts.is_empty() {
                h3 { "Branches that did not merge as they were" }
                ul {
                    @for conflict in &retro.conflicts {
                        li {
                            (conflict.workers[0]) " and " (conflict.workers[1]) ": "
                            @for (at, path) in conflict.paths.iter().take(5).enumerate() {
                                @if at > 0 { ", " }
                                code { (said(&path.to_string())) }
                            }
                            @if conflict.paths.len() > 5 { " and " (conflict.paths.len() - 5) " more" }
                        }
                    }
                }
            }
        }
    }
}

fn heat_row(row: &HeatRow) -> Markup {
    let path = row.path.to_string();
    let name = match (row.is_folder, path.is_empty()) {
        (true, true) => "./ (the others)".to_owned(),
        (true, false) => format!("{path}/"),
        (false, _) => path,
    };
    let class = |files: usize, foreign: usize| match (foreign, files) {
        (1.., _) => "foreign",
        (0, 0) => "",
        (0, 1) => "h1",
        (0, 2..=5) => "h2",
        _ => "h3",
    };
    html! {
        tr {
            th scope="row" { code { (said(&name)) } }
            @for (files, foreign) in &row.cells {
                td class=[Some(class(*files, *foreign)).filter(|class| !class.is_empty())] {
                    @if *files > 0 { (files) }
                    @if *foreign > 0 { "!" }
                }
            }
        }
    }
}

pub(super) fn waits(retro: &Retro) -> Markup {
    let or_not = |at: &Option<String>| at.clone().unwrap_or_else(|| "not yet".to_owned());
    html! {
        section aria-labelledby="waits" {
            h2 id="waits" { "Hand-overs" }
            @if retro.handovers.is_empty() {
                p { "No worker said that it waits for another one." }
            } @else {
                (wide("Hand-overs between workers", &html! {
                    table {
                        thead { tr {
                            @for name in ["from", "to", "item"] { th scope="col" { (name) } }
                            @for name in ["waited", "of it, unnoticed"] { th.n scope="col" { (name) } }
                            @for name in ["needed", "there", "taken", "commit"] { th scope="col" { (name) } }
                        } }
                        tbody {
                            @for one in &retro.handovers {
                                tr {
                                    td { (one.from) } td { (one.to) } td { (said(&one.item)) }
                                    td.n { (about(one.waited_seconds)) } td.n { (about(one.unnoticed_seconds)) }
                                    td { (one.needed_at) } td { (or_not(&one.provided_at)) } td { (or_not(&one.taken_at)) }
                                    td { code { (one.commit.short()) } }
                                }
                            }
                        }
                    }
                }))
            }
        }
    }
}

pub(super) fn integration(retro: &Retro) -> Markup {
    let gates = &retro.gates;
    html! {
        section aria-labelledby="merges" {
            h2 id="merges" { "Merges and gates" }
            @if retro.stops.is_empty() {
                p { "No merge stopped." }
            } @else {
                (wide("Merges that stopped", &stops(&retro.stops)))
            }
            @if gates.runs == 0 {
                p { "No gate ran." }
            } @else {
                p {
                    "Gates ran " (gates.runs) " times and took " (about(gates.seconds)) " together; " (gates.failed) " runs failed"
                    @if !gates.flaky.is_empty() { ", on " (gates.flaky.len()) " trees before they passed" }
                    @for (at, name) in gates.flaky_names.iter().enumerate() { @if at == 0 { ": " } @else { ", " } (name) }
                    "."
                }
            }
            @for red in &gates.red {
                p {
                    "At " (red.at) " the gate " (red.gate) " did not pass on " code { (red.commit.short()) } ": "
                    @if red.workers.is_empty() { "no worker alone was found to be at fault." }
                    @for (at, worker) in red.workers.iter().enumerate() { @if at > 0 { ", " } (worker) }
                }
            }
            @if !retro.allowed.is_empty() {
                h3 { "What the user let pass" }
                ul {
                    @for one in &retro.allowed {
                        li {
                            (match one.kind {
                                AllowedKind::OutOfScope => "changes outside a scope",
                                AllowedKind::Without => "an integration without",
                                AllowedKind::NoGate => "an integration without its gates",
                            })
                            @for worker in &one.workers { " " (worker) }
                            ", " (one.at)
                        }
                    }
                }
            }
        }
    }
}

fn stops(stops: &[StopRetro]) -> Markup {
    let outcome = |stop: &StopRetro| match stop.outcome {
        Outcome::Resolved => "resolved",
        Outcome::Aborted => "given up",
        Outcome::Open => "still waits",
    };
    html! {
        table {
            caption { "Merges that stopped" }
            thead { tr {
                th scope="col" { "worker" } th scope="col" { "at" } th.n scope="col" { "took" }
                th scope="col" { "outcome" } th scope="col" { "commit" } th scope="col" { "resolution" }
            } }
            tbody {
                @for stop in stops {
                    tr {
                        th scope="row" { (stop.worker) } td { (stop.at) } td.n { (about(stop.seconds)) }
                        td { (outcome(stop)) } td { code { (stop.commit.short()) } }
                        td { @if let Some(commit) = &stop.resolution { code { (commit.short()) } } @else { "–" } }
                    }
                }
            }
        }
    }
}

pub(super) fn grade(retro: &Retro) -> Markup {
    let grade = &retro.grade;
    html! {
        section aria-labelledby="grade" {
            h2 id="grade" { "The grade" }
            p {
                @match grade.letter {
                    Some(letter) => { strong { (letter) } ": " (grade.points) " of " (grade.of) " points." },
                    None => "Nothing can be said yet.",
                }
                " A from 90 of 100, B from 80, C from 70, D from 60. What is not known is not counted."
            }
            (wide("The grade by its parts", &html! {
                table {
                    thead { tr { th scope="col" { "part" } th.n scope="col" { "points" } th.n scope="col" { "of" } th scope="col" { "why" } } }
                    tbody {
                        @for part in &grade.parts {
                            tr {
                                th scope="row" { (part.name.word()) }
                                td.n { @if let Some(points) = part.points { (points) } @else { "–" } }
                                td.n { (part.of) } td.t { (part.verdict) }
                            }
                        }
                    }
                }
            }))
        }
    }
}

pub(super) fn timeline(review: &Review) -> Markup {
    let moments = &review.moments;
    let left = moments.len().saturating_sub(MOST_MOMENTS);
    html! {
        section aria-labelledby="timeline" {
            h2 id="timeline" { "Timeline" }
            details {
                summary { (moments.len()) " moments, the oldest first" }
                (wide("Everything that happened", &html! {
                    table {
                        thead { tr { @for name in ["at", "worker", "what", "text", "commit"] { th scope="col" { (name) } } } }
                        tbody {
                            @for moment in moments.iter().take(MOST_MOMENTS) {
                                tr {
                                    td.n { (moment.at) }
                                    td { @if let Some(worker) = &moment.worker { (worker) } @else { "–" } }
                                    td { (moment.kind.words()) } td.t { (said(&moment.text)) }
                                    td { @if let Some(commit) = &moment.commit { code { (commit.short()) } } @else { "–" } }
                                }
                            }
                        }
                    }
                }))
                @if left > 0 { p.soft { "The newest " (left) " are left out." } }
            }
        }
    }
}

pub(super) fn unknown(retro: &Retro) -> Markup {
    html! {
        @if !retro.missing.is_empty() || !retro.clocks.is_empty() {
            section aria-labelledby="unknown" {
                h2 id="unknown" { "What is not known" }
                ul {
                    // Wrong clocks stand below, each with what it says.
                    @for one in retro.missing.iter().filter(|one| one.kind != MissingKind::Clock) { li { (one.message) } }
                    @for clock in retro.clocks.iter().take(MOST_CLOCKS) {
                        li {
                            @match &clock.commit {
                                Some(commit) => { "commit " code { (commit.short()) } " of " (clock.worker) },
                                None => { "the record of the creation of " (clock.worker) },
                            }
                            " says " (clock.says) ", which cannot be; " (clock.used) " is used"
                        }
                    }
                    @if retro.clocks.len() > MOST_CLOCKS {
                        li { (retro.clocks.len() - MOST_CLOCKS) " more times cannot be" }
                    }
                }
            }
        }
    }
}
