//! Who did what when: a lane for each worker, one below for what integrating did.

use std::collections::HashSet;

use maud::{Markup, html};
use pw_core::id::WorkerId;
use pw_core::retro::{Lane, Moment, MomentKind, Retro, Review, Segment, TimeKind};
use pw_core::time::{Seconds, about};

use super::parts::{said, wide};

const LEFT: f64 = 168.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 30.0;
const ROW: f64 = 26.0;
/// What a lane's bar takes of its row.
const BAR: f64 = 14.0;
const WIDTH: f64 = 1080.0;

/// From times to places.
struct Scale {
    from: Seconds,
    until: Seconds,
}

impl Scale {
    #[expect(clippy::cast_precision_loss, reason = "seconds of a run are far below 2^52")]
    fn x(&self, at: Seconds) -> f64 {
        let whole = (self.until - self.from).max(1) as f64;
        let part = (at.clamp(self.from, self.until) - self.from) as f64 / whole;
        place(LEFT + part * (WIDTH - LEFT - RIGHT))
    }

    /// Returns round times, at most eight of them.
    fn ticks(&self) -> Vec<Seconds> {
        const STEPS: [Seconds; 14] = [
            60, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400, 172_800, 604_800,
            2_592_000, 31_536_000,
        ];
        let length = self.until - self.from;
        let step = STEPS.into_iter().find(|step| length / step <= 8).unwrap_or(length.max(1));
        (0..=length / step).map(|number| number * step).collect()
    }
}

/// One decimal is finer than anything that is seen.
fn place(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[expect(clippy::cast_precision_loss, reason = "a number of workers")]
fn row(at: usize) -> f64 {
    TOP + at as f64 * ROW
}

pub(super) fn section(review: &Review) -> Markup {
    html! {
        section aria-labelledby="lanes" {
            h2 id="lanes" { "Who did what when" }
            (legend())
            (wide("Lanes of all workers over time", &picture(review)))
            (wide("Times of all workers", &times(&review.retro)))
        }
    }
}

fn picture(review: &Review) -> Markup {
    let (from, until) = review.span;
    let scale = Scale { from, until };
    let workers = &review.retro.workers;
    let height = row(workers.len() + 1) + 12.0;
    let name = |id: &WorkerId| workers.iter().position(|worker| worker.id == *id);
    html! {
        svg viewBox={ "0 0 " (WIDTH) " " (height) } width=(WIDTH) height=(height) role="img" aria-labelledby="lanes-title lanes-text" {
            title id="lanes-title" { "Lanes of the workers" }
            desc id="lanes-text" { "The table below has the same times as numbers, and the timeline every mark." }
            defs {
                pattern id="blocked" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                    line.hatch x1="0" y1="0" x2="0" y2="6" {}
                }
                pattern id="waiting" width="6" height="6" patternUnits="userSpaceOnUse" {
                    circle.dots cx="2" cy="2" r="1.4" {}
                    circle.dots cx="5" cy="5" r="1.4" {}
                }
            }
            @for tick in scale.ticks() {
                @let x = scale.x(from + tick);
                line.grid x1=(x) x2=(x) y1=(TOP - 6.0) y2=(height - 8.0) {}
                text.axis x=(x) y=(TOP - 12.0) text-anchor="middle" { @if tick == 0 { "0" } @else { (about(tick)) } }
            }
            @for (at, (worker, lane)) in workers.iter().zip(&review.lanes).enumerate() {
                (lane_of(&scale, row(at), &worker.label, lane, is_critical(&review.retro, &worker.id)))
                (marks(&scale, row(at), review, Some(&worker.id)))
            }
            text x="8" y=(row(workers.len()) + 12.0) { "integration" }
            (marks(&scale, row(workers.len()), review, None))
            (gives(&scale, review, &name))
        }
    }
}

fn is_critical(retro: &Retro, worker: &WorkerId) -> bool {
    let mut steps = retro.critical_path.iter().flat_map(|path| &path.steps);
    steps.any(|step| step.worker == *worker)
}

fn lane_of(scale: &Scale, y: f64, label: &str, lane: &Lane, is_critical: bool) -> Markup {
    html! {
        text x="8" y=(y + 12.0) { (bounded(label)) }
        @for segment in &lane.segments {
            (bar(scale, y, segment))
            @if is_critical && segment.kind == TimeKind::Busy {
                @let (x, end) = (scale.x(segment.from), scale.x(segment.until));
                rect.path x=(x) y=(place(y + BAR + 2.5)) width=(place(end - x)) height="2" {}
            }
        }
    }
}

fn bounded(label: &str) -> String {
    pw_core::text::bounded(label, 23)
}

fn bar(scale: &Scale, y: f64, segment: &Segment) -> Markup {
    let (x, end) = (scale.x(segment.from), scale.x(segment.until));
    let width = place((end - x).max(0.5));
    // Kinds differ in height and pattern, not in colour alone.
    let (top, height) = match segment.kind {
        TimeKind::Idle => (y + 5.5, 3.0),
        TimeKind::Busy => (y, BAR),
        TimeKind::Blocked | TimeKind::Waiting => (y + 1.5, BAR - 3.0),
    };
    let needs = segment.needs.as_ref().map(|(id, item)| format!(" for {item} of {id}"));
    let open = if segment.is_open { ", until now" } else { "" };
    let word = segment.kind.word();
    html! {
        rect class=(word) x=(x) y=(place(top)) width=(width) height=(height) {
            title { (word) (said(&needs.unwrap_or_default())) ", " (about(segment.seconds())) (open) }
        }
    }
}

/// Draws what happened in one lane; marks that would hide each other are drawn once.
fn marks(scale: &Scale, y: f64, review: &Review, worker: Option<&WorkerId>) -> Markup {
    let mut seen = HashSet::new();
    let mut shown: Vec<(&Moment, Mark)> = Vec::new();
    for moment in &review.moments {
        let Some((mark, lane)) = Mark::of(moment) else { continue };
        let is_here = match worker {
            Some(id) => lane == Where::Worker && moment.worker.as_ref() == Some(id),
            None => lane == Where::Integration,
        };
        let x = scale.x(moment.seconds);
        if is_here && seen.insert(((x / 3.0).round().to_bits(), mark)) {
            shown.push((moment, mark));
        }
    }
    // What matters more lies on top.
    shown.sort_by_key(|(_, mark)| *mark);
    html! {
        @for (moment, mark) in shown {
            (mark.draw(scale.x(moment.seconds), y + BAR / 2.0, moment))
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Where {
    Worker,
    Integration,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Mark {
    Commit,
    Step,
    Begun,
    Done,
    Bad,
}

impl Mark {
    fn of(moment: &Moment) -> Option<(Self, Where)> {
        use MomentKind as K;
        Some(match moment.kind {
            K::Commit | K::NearMiss | K::Reopened => (Self::Commit, Where::Worker),
            K::Checkpoint => (Self::Step, Where::Worker),
            K::Launched | K::Relaunched => (Self::Begun, Where::Worker),
            K::Complete => (Self::Done, Where::Worker),
            K::GatePassed | K::Integrated | K::Finished => (Self::Done, Where::Integration),
            K::Merged | K::Resolved => (Self::Step, Where::Integration),
            K::Stopped | K::GateFailed | K::Red | K::Aborted => (Self::Bad, Where::Integration),
            _ => return None,
        })
    }

    fn draw(self, x: f64, y: f64, moment: &Moment) -> Markup {
        let at = |dx: f64, dy: f64| format!("{},{}", place(x + dx), place(y + dy));
        let diamond = [at(0.0, -5.5), at(5.5, 0.0), at(0.0, 5.5), at(-5.5, 0.0)].join(" ");
        let flag = [at(-2.0, -6.0), at(5.0, 0.0), at(-2.0, 6.0)].join(" ");
        let cross =
            format!("M{}L{}M{}L{}", at(-4.5, -4.5), at(4.5, 4.5), at(4.5, -4.5), at(-4.5, 4.5));
        html! {
            g {
                title {
                    @if let Some(worker) = &moment.worker { (worker) ": " }
                    (moment.kind.words())
                    @if !moment.text.is_empty() { ", " (said(&moment.text)) }
                }
                @match self {
                    Self::Commit => line.commit x1=(x) x2=(x) y1=(place(y - 5.0)) y2=(place(y + 5.0)) {},
                    Self::Step => circle.mark cx=(x) cy=(y) r="4" {},
                    Self::Begun => polygon.mark points=(flag) {},
                    Self::Done => polygon.done points=(diamond) {},
                    Self::Bad => path.bad d=(cross) {},
                }
            }
        }
    }
}

/// Draws what one worker took from another: from when it was there to when it was taken.
fn gives(scale: &Scale, review: &Review, name: &impl Fn(&WorkerId) -> Option<usize>) -> Markup {
    let waits = |lane: &Lane| -> Vec<Segment> {
        let taken = |segment: &&Segment| segment.needs.is_some() && !segment.is_open;
        lane.segments.iter().filter(taken).cloned().collect()
    };
    let all = review.lanes.iter().enumerate().flat_map(|(to, lane)| {
        waits(lane).into_iter().filter_map(move |wait| {
            let from = name(&wait.needs.as_ref()?.0).filter(|from| *from != to)?;
            let done = review.lanes[from].completed.filter(|done| *done <= wait.until)?;
            Some((from, done, to, wait.until))
        })
    });
    html! {
        @for (from, done, to, taken) in all {
            @let (x1, y1) = (scale.x(done), row(from) + BAR / 2.0);
            @let (x2, y2) = (scale.x(taken), row(to) + BAR / 2.0);
            @let tip = if y2 > y1 { -6.0 } else { 6.0 };
            path.give d=(format!("M{x1},{y1}L{x2},{}", place(y2 + tip))) {}
            polygon.tip points=(format!("{x2},{y2} {},{} {},{}", place(x2 - 4.0), place(y2 + tip), place(x2 + 4.0), place(y2 + tip))) {}
        }
    }
}

fn legend() -> Markup {
    let kinds = [("busy", "busy"), ("blocked", "blocked"), ("waiting", "waiting for a worker")];
    let icon =
        |content: &Markup| html! { svg width="22" height="14" aria-hidden="true" { (content) } };
    html! {
        ul.legend {
            @for (class, words) in kinds {
                li { (icon(&html! { rect class=(class) x="1" y="1" width="20" height="12" {} })) (words) }
            }
            li { (icon(&html! { rect.idle x="0" y="5" width="22" height="3" {} })) "idle" }
            li { (icon(&html! { rect.path x="0" y="6" width="22" height="2" {} })) "on the critical path" }
            li { (icon(&html! { rect.busy x="0" y="0" width="22" height="14" {} line.commit x1="11" x2="11" y1="2" y2="12" {} })) "commit" }
            li { (icon(&html! { circle.mark cx="11" cy="7" r="4" {} })) "checkpoint, or merge" }
            li { (icon(&html! { polygon.mark points="9,1 16,7 9,13" {} })) "launch" }
            li { (icon(&html! { polygon.done points="11,1.5 16.5,7 11,12.5 5.5,7" {} })) "complete, or passed" }
            li { (icon(&html! { path.bad d="M6.5,2.5L15.5,11.5M15.5,2.5L6.5,11.5" {} })) "stopped, or failed" }
            li { (icon(&html! { path.give d="M0,7L16,7" {} polygon.tip points="22,7 16,3 16,11" {} })) "hand-over" }
        }
    }
}

fn times(retro: &Retro) -> Markup {
    html! {
        table {
            caption { "From " (retro.started_at) @if let Some(ended) = &retro.ended_at { " to " (ended) } ". The parts add up to each lifetime." }
            thead { tr {
                th scope="col" { "worker" } th scope="col" { "state" }
                @for name in ["lifetime", "busy", "blocked", "waiting", "idle", "commits", "checkpoints", "files"] {
                    th.n scope="col" { (name) }
                }
            } }
            tbody {
                @for worker in &retro.workers {
                    @let parts = [worker.lifetime_seconds, worker.busy_seconds, worker.blocked_seconds, worker.waiting_seconds, worker.idle_seconds];
                    tr {
                        th scope="row" { (worker.label) }
                        td { (worker.state.word().replace('_', " ")) }
                        @for part in parts { td.n { @if part > 0 { (about(part)) } @else { "–" } } }
                        @for count in [worker.commits, worker.checkpoints, worker.files] { td.n { (count) } }
                    }
                }
            }
        }
    }
}
