//! The page of a retrospective: one file that needs nothing else, the same bytes for the same run.
//!
//! Every text of a worker's stands where only text can: maud escapes it, [`parts::said`] takes away what
//! would turn it around.

mod bars;
mod lanes;
mod otherwise;
mod parts;
mod runs;
mod tables;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use pw_core::retro::past::PastRun;
use pw_core::retro::{Recommendation, Retro, Review};
use pw_core::text::bounded;
use pw_core::time::about;

use self::parts::{percent, said};

/// What the first lines of a page of ours hold: such a file may be written anew.
pub(crate) const GENERATOR: &str = "parallel-workflows pw-retro";

/// Nothing is loaded and nothing runs, whatever a text holds.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// Returns the page of a run; `runs` are the finished ones of the repository, this one among them.
pub(crate) fn page(review: &Review, runs: &[PastRun]) -> String {
    let retro = &review.retro;
    let title = format!("Retrospective of {}", retro.workflow);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="generator" content=(GENERATOR);
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(include_str!("page/page.css"))) }
            }
            body {
                header {
                    h1 { (title) }
                    p.headline { (said(&retro.headline)) }
                    @if retro.interim {
                        p.note { "The run goes on: these are the numbers until now." }
                    }
                    p.goal { (said(&bounded(retro.goal.trim(), 600))) }
                    (facts(retro))
                }
                main {
                    (help(&retro.recommendations))
                    (otherwise::section(retro))
                    (lanes::section(review))
                    (tables::meetings(review))
                    (bars::section(retro))
                    (tables::waits(retro))
                    (tables::integration(retro))
                    (tables::grade(retro))
                    (runs::section(runs))
                    (tables::timeline(review))
                    (tables::unknown(retro))
                }
                (foot())
            }
        }
    };
    page.into_string()
}

fn facts(retro: &Retro) -> Markup {
    let known = |value: Option<String>| value.unwrap_or_else(|| "not known".to_owned());
    let grade = retro.grade.letter.map(|letter| letter.to_string());
    let facts = [
        ("Grade", known(grade)),
        ("Duration", about(retro.elapsed_seconds)),
        ("Work of all", about(retro.times.busy_seconds)),
        ("Busy at once", known(retro.parallelism.map(|n| n.to_string()))),
        ("Critical path", known(retro.critical_path.as_ref().map(|path| about(path.seconds)))),
        ("Its share of the run", known(retro.efficiency.map(percent))),
        ("Balance", known(retro.balance.map(percent))),
        ("Stopped merges", retro.stops.len().to_string()),
    ];
    let usage = retro.usage.map(|usage| ("Tokens", usage.tokens().to_string()));
    let cost = retro.usage.and_then(|usage| usage.cost_usd);
    let cost = cost.map(|cost| ("Cost", format!("${cost:.2}")));
    html! {
        dl.facts {
            @for (name, value) in facts.into_iter().chain(usage).chain(cost) {
                div { dt { (name) } dd { (value) } }
            }
        }
    }
}

fn help(recommendations: &[Recommendation]) -> Markup {
    html! {
        section aria-labelledby="help" {
            h2 id="help" { "What would have helped" }
            @if recommendations.is_empty() {
                p { "Nothing stands out." }
            } @else {
                ol.help {
                    @for one in recommendations {
                        li {
                            strong { (said(&one.change)) }
                            @if one.key == "habit" { "A habit. " } @else { "In the plan: " code { (one.key) } ". " }
                            (said(&ended(&one.evidence)))
                            @if !one.commits.is_empty() {
                                span.soft {
                                    " Seen in "
                                    @for (at, commit) in one.commits.iter().take(5).enumerate() {
                                        @if at > 0 { ", " }
                                        code { (commit.short()) }
                                    }
                                    "."
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Returns a sentence with a full stop, unless it ends with another mark: what a worker asked may.
fn ended(text: &str) -> String {
    let is_ended = text.ends_with(['.', '?', '!']);
    if is_ended { text.to_owned() } else { format!("{text}.") }
}

fn foot() -> Markup {
    html! {
        footer {
            p {
                "Times are between commits: they hold pauses, and tell nothing of effort. A worker counts as busy until \
                 two hours without a commit have passed; as blocked or waiting from the signal to the next one; as \
                 idle before its launch and after it was complete. What one session would have needed is the busy \
                 time of all, without merges and without what a session knows from its own earlier work: take it \
                 as a rough guess."
            }
            p { "Written by pw-retro. The page loads nothing and runs nothing." }
        }
    }
}
