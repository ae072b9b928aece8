//! What knowing the items to come brings: a window's changes are taken for items, known by their
//! subjects alone, and the split is made for them. A subject is written after the change, so it is a
//! proxy for what a person writes before.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::backtest::{Moment, Outcome, Past, mean};
use super::imagined;
use super::log::{PathId, share};
use super::probable::{Subjects, told};
use super::search::Alike;

/// How many files are looked at first.
const TOP: usize = 3;

/// From which share on a file is mostly right.
const SURE: f64 = 0.5;

/// What splits made for known items came to, and how well the items' files were found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ItemsKnown {
    /// How many times faster than one session.
    pub speedup: f64,
    /// Share of the changes of several files that stay inside one worker; 0 to 1.
    pub inside: f64,
    /// How many items were asked for their files.
    pub items: usize,
    /// The share of these whose first file was right.
    pub first: f64,
    /// The share with a right file among the first three.
    pub top_three: f64,
    /// The same for the three files that changed most of late, whatever the item.
    pub by_chance: f64,
    /// Of the files that are told, the share that did change.
    pub precision: f64,
    /// Of the files of an item, the share that is told.
    pub recall: f64,
    /// Of the files that are told with a share of a half and more, the share that did change; absent when there are
    /// none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sure: Option<f64>,
}

/// Sums over items.
#[derive(Default)]
struct Sums {
    items: usize,
    first: usize,
    top: usize,
    by_chance: usize,
    told: usize,
    right: usize,
    recall: f64,
    sure: usize,
    surely_right: usize,
}

impl ItemsKnown {
    /// Splits every window for its own items, and plays it.
    pub fn of(past: &Past<'_>, moments: &[Moment<'_>], workers: usize) -> Self {
        let (mut sums, mut played) = (Sums::default(), Vec::new());
        for moment in moments {
            let subjects = Subjects::new(past, &moment.known);
            played.push(play(past, moment, &subjects, workers));
            sums.ask(past, moment, &subjects);
        }
        sums.told(mean(played))
    }
}

fn play(past: &Past<'_>, moment: &Moment<'_>, subjects: &Subjects<'_>, workers: usize) -> Outcome {
    let subject = |at: &usize| past.changes.entries[*at].subject.as_str();
    let items: Vec<Alike> = moment.window.iter().map(|at| subjects.alike(subject(at))).collect();
    let training = past.expecting(&moment.known, &items);
    let best = imagined::best(past, &moment.known, &training, &items, workers);
    best.map(|split| past.outcome(&split, &moment.written)).unwrap_or_default()
}

impl Sums {
    /// Asks for the files of each of a window's changes that were there when it began.
    fn ask(&mut self, past: &Past<'_>, moment: &Moment<'_>, subjects: &Subjects<'_>) {
        let existed: HashSet<PathId> = moment.known.files.iter().copied().collect();
        let popular = subjects.popular();
        for entry in moment.window.iter().map(|at| past.changes.entries[*at]) {
            let is_asked = |path: &PathId| existed.contains(path) && !past.is_shared(*path);
            let files: HashSet<PathId> = entry.written().filter(is_asked).collect();
            if files.is_empty() {
                continue;
            }
            let likely = subjects.likely(&entry.subject);
            let is_right = |path: &PathId| files.contains(path);
            self.items += 1;
            self.first += usize::from(likely.first().is_some_and(|of| is_right(&of.path)));
            self.top += usize::from(likely.iter().take(TOP).any(|of| is_right(&of.path)));
            self.by_chance += usize::from(popular.iter().any(is_right));
            let right = told(&likely).filter(|of| is_right(&of.path)).count();
            self.told += told(&likely).count();
            self.right += right;
            self.recall += share(right, files.len());
            let sure = told(&likely).filter(|of| of.share >= SURE);
            self.surely_right += sure.clone().filter(|of| is_right(&of.path)).count();
            self.sure += sure.count();
        }
    }

    fn told(&self, Outcome { speedup, inside, .. }: Outcome) -> ItemsKnown {
        let round = |number: f64| (number * 100.0).round() / 100.0;
        let of = |part: usize| round(share(part, self.items));
        ItemsKnown {
            speedup: round(speedup),
            inside: round(inside),
            items: self.items,
            first: of(self.first),
            top_three: of(self.top),
            by_chance: of(self.by_chance),
            precision: round(share(self.right, self.told)),
            recall: round(self.recall / share(self.items.max(1), 1)),
            sure: (self.sure > 0).then(|| round(share(self.surely_right, self.sure))),
        }
    }
}
