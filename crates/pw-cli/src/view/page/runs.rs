//! The finished runs of the repository beside this one: where their workers' time went, as bars and as numbers.

use maud::{Markup, html};
use pw_core::retro::TimeKind;
use pw_core::retro::past::PastRun;
use pw_core::time::about;

use super::parts::{percent, said, wide};

/// How many runs are shown, the newest.
const MOST: usize = 12;
const LEFT: f64 = 168.0;
const BAR: f64 = 540.0;
const WIDTH: f64 = 1080.0;
const ROW: f64 = 24.0;

/// `runs` are in the order in which they began, this one among them; of one alone nothing is shown.
pub(super) fn section(runs: &[PastRun]) -> Markup {
    let shown = &runs[runs.len().saturating_sub(MOST)..];
    html! {
        @if shown.len() > 1 {
            section aria-labelledby="runs" {
                h2 id="runs" { "Runs of this repository" }
                p.soft {
                    "A bar is all time of a run's workers, cut into busy, blocked, waiting and idle as above; the oldest run \
                     stands first."
                    @if shown.len() < runs.len() { " " (runs.len() - shown.len()) " older ones are left out." }
                }
                (wide("Bars of finished runs", &picture(shown)))
                (wide("Numbers of finished runs", &table(shown)))
            }
        }
    }
}

fn shares(run: &PastRun) -> [f64; 4] {
    let whole = run.times.lifetime_seconds.max(1);
    TimeKind::ALL.map(|kind| ratio(run.times.of(kind), whole))
}

#[expect(clippy::cast_precision_loss, reason = "seconds of a run are far below 2^52")]
fn ratio(part: i64, whole: i64) -> f64 {
    part as f64 / whole as f64
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| value.to_string())
}

fn grade(run: &PastRun) -> String {
    run.letter.map_or_else(|| "–".to_owned(), String::from)
}

/// One decimal is finer than anything that is seen.
fn place(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[expect(clippy::cast_precision_loss, reason = "a number of runs")]
fn picture(runs: &[PastRun]) -> Markup {
    let height = runs.len() as f64 * ROW + 12.0;
    html! {
        svg viewBox={ "0 0 " (WIDTH) " " (height) } width=(WIDTH) height=(height) role="img" aria-label="Where the time of each run went; the table below has the same numbers" {
            @for (at, run) in runs.iter().enumerate() {
                @let y = at as f64 * ROW + 8.0;
                text x="8" y=(y + 12.0) { (pw_core::text::bounded(run.workflow.as_str(), 23)) }
                @for (kind, from, share) in stretches(run) {
                    rect class=(kind.word()) x=(place(LEFT + from * BAR)) y=(y) width=(place(share * BAR)) height="14" {
                        title { (kind.word()) " " (percent(share)) }
                    }
                }
                text x=(LEFT + BAR + 8.0) y=(y + 12.0) {
                    (run.workers) " workers, " (about(run.elapsed_seconds)) ", " (number(run.parallelism)) " busy at once, " (grade(run))
                }
            }
        }
    }
}

/// Returns the parts of a bar with where they begin, as shares of it.
fn stretches(run: &PastRun) -> Vec<(TimeKind, f64, f64)> {
    let mut from = 0.0;
    let parts = TimeKind::ALL.into_iter().zip(shares(run));
    let parts = parts.map(|(kind, share)| {
        from += share;
        (kind, from - share, share)
    });
    parts.filter(|(_, _, share)| *share > 0.0).collect()
}

fn table(runs: &[PastRun]) -> Markup {
    html! {
        table {
            caption { "Finished runs" }
            thead { tr {
                th scope="col" { "workflow" } th scope="col" { "began" }
                @for name in ["took", "workers", "busy", "blocked", "waiting", "idle", "busy at once", "of its path", "stops", "red gates"] {
                    th.n scope="col" { (name) }
                }
                th scope="col" { "grade" }
            } }
            tbody {
                @for run in runs {
                    tr {
                        th scope="row" { (said(run.workflow.as_str())) }
                        td { (run.started_at.split('T').next().unwrap_or_default()) }
                        td.n { (about(run.elapsed_seconds)) } td.n { (run.workers) }
                        @for share in shares(run) { td.n { (percent(share)) } }
                        td.n { (number(run.parallelism)) } td.n { (run.efficiency.map_or_else(|| "–".to_owned(), percent)) }
                        td.n { (run.stops) } td.n { (run.gates_failed) }
                        td { (grade(run)) }
                    }
                }
            }
        }
    }
}
