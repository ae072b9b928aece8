//! Estimates against time, a bar for each worker.

use maud::{Markup, html};
use pw_core::plan::Size;
use pw_core::retro::{Retro, WorkerRetro};
use pw_core::time::{Seconds, about};

use super::parts::wide;

const LEFT: f64 = 168.0;
const WIDTH: f64 = 1080.0;
const ROW: f64 = 24.0;

pub(super) fn size(size: Size) -> &'static str {
    match size {
        Size::S => "S",
        Size::M => "M",
        Size::L => "L",
        Size::Xl => "XL",
    }
}

pub(super) fn section(retro: &Retro) -> Markup {
    let busy: Vec<&WorkerRetro> =
        retro.workers.iter().filter(|worker| worker.busy_seconds > 0).collect();
    html! {
        section aria-labelledby="estimates" {
            h2 id="estimates" { "Estimate against time" }
            @if busy.is_empty() {
                p { "No time is known." }
            } @else {
                p.soft { "A bar is what a worker was busy; the line across it is what its size promised, measured by all sized workers of this run: M is two S, L two M, XL two L." }
                (wide("Bars of all workers", &picture(&busy)))
                (sizes(retro))
            }
        }
    }
}

/// Returns what a worker's size promised.
#[expect(clippy::cast_precision_loss, reason = "seconds of a run are far below 2^52")]
fn promised(worker: &WorkerRetro) -> Option<f64> {
    worker.against_estimate.map(|against| worker.busy_seconds as f64 / against)
}

#[expect(clippy::cast_precision_loss, reason = "seconds and workers of a run are far below 2^52")]
fn picture(busy: &[&WorkerRetro]) -> Markup {
    let promises = busy.iter().filter_map(|worker| promised(worker));
    let longest = busy.iter().map(|worker| worker.busy_seconds as f64).chain(promises);
    let longest = longest.fold(1.0, f64::max);
    let width = |seconds: f64| (seconds / longest * (WIDTH - LEFT - 150.0) * 10.0).round() / 10.0;
    let height = busy.len() as f64 * ROW + 12.0;
    html! {
        svg viewBox={ "0 0 " (WIDTH) " " (height) } width=(WIDTH) height=(height) role="img" aria-label="Busy time of each worker, and what its size promised; the tables have the same numbers" {
            @for (at, worker) in busy.iter().enumerate() {
                @let y = at as f64 * ROW + 8.0;
                @let bar = width(worker.busy_seconds as f64);
                @let promise = promised(worker).map(width);
                text x="8" y=(y + 12.0) { (pw_core::text::bounded(&worker.label, 23)) }
                rect.busy x=(LEFT) y=(y) width=(bar.max(1.0)) height="14" {}
                @if let Some(promise) = promise {
                    @let x = ((LEFT + promise) * 10.0).round() / 10.0;
                    line.promise x1=(x) x2=(x) y1=(y - 3.0) y2=(y + 17.0) {}
                }
                @let end = bar.max(promise.unwrap_or_default());
                text x=(((LEFT + end + 8.0) * 10.0).round() / 10.0) y=(y + 12.0) { (words(worker)) }
            }
        }
    }
}

fn words(worker: &WorkerRetro) -> String {
    let size = worker.size.map(|known| format!(", {}", size(known))).unwrap_or_default();
    let against = worker.against_estimate.map(|against| format!(" × {against}"));
    format!("{}{size}{}", about(worker.busy_seconds), against.unwrap_or_default())
}

fn sizes(retro: &Retro) -> Markup {
    let time = |seconds: Seconds| html! { td.n { (about(seconds)) } };
    html! {
        @if !retro.sizes.is_empty() {
            (wide("Busy times by size", &html! {
                table {
                    caption { "Busy time by size" }
                    thead { tr {
                        th scope="col" { "size" } th.n scope="col" { "workers" }
                        th.n scope="col" { "least" } th.n scope="col" { "median" } th.n scope="col" { "most" }
                    } }
                    tbody {
                        @for one in &retro.sizes {
                            tr {
                                th scope="row" { (size(one.size)) } td.n { (one.workers) }
                                (time(one.least_seconds)) (time(one.median_seconds)) (time(one.most_seconds))
                            }
                        }
                    }
                }
            }))
        }
    }
}
