//! The split for items that are known by their words: of many that a search finds, the one that makes windows fastest as
//! they may come. In such a window each item changes the files of one of the past changes that are like it.

use super::backtest::{Past, PastChange, mean};
use super::log::Known;
use super::random::Rng;
use super::search::{Alike, Training};
use super::split;
use super::tree::Split;

/// How many windows are imagined.
const WINDOWS: usize = 20;

/// The parts of a whole in which chances are drawn.
const PARTS: usize = 1 << 20;

/// Returns the best of all ends of a long search in what these items may do; `training` expects them.
pub(super) fn best(
    past: &Past<'_>,
    known: &Known,
    training: &Training<'_>,
    items: &[Alike],
    workers: usize,
) -> Option<Split> {
    let mut rng = Rng::new(11);
    let windows: Vec<Vec<PastChange>> = (0..WINDOWS)
        .map(|_| {
            let drawn = items.iter().filter_map(|alike| draw(alike, &mut rng));
            drawn.map(|at| PastChange::of(past, &known.changes[at])).collect()
        })
        .collect();
    let speedup =
        |split: &Split| mean(windows.iter().map(|window| past.outcome(split, window))).speedup;
    let ends = split::thorough(training, workers).into_iter();
    let ends = ends.map(|split| (speedup(&split), split));
    ends.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, split)| split)
}

/// Returns one of the past changes, the heavier the likelier.
fn draw(alike: &Alike, rng: &mut Rng) -> Option<usize> {
    let all: f64 = alike.iter().map(|(_, weight)| weight).sum();
    let mut left = super::log::share(rng.below(PARTS), PARTS) * all;
    let found = alike.iter().find(|(_, weight)| {
        left -= weight;
        left < 0.0
    });
    found.or(alike.last()).map(|(at, _)| *at)
}
