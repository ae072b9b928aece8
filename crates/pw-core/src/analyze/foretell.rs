//! How well history foretells which other files a change needs, measured on changes held out.
//!
//! As Zimmermann and others measured ROSE: each file of a held-out change of several files is asked
//! for the others, and what is answered is compared with them. Rules are learned only from
//! changes before the window that a change lies in.

use std::collections::{BTreeMap, HashMap, HashSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::backtest::{Moment, Past};
use super::coupling;
use super::log::{Known, PathId, share};

/// Of the weight of a file's changes, the share that must touch another one to be in an answer.
const LIKELY: f64 = 0.1;

/// After how many changes of a file one weighs half.
const HALF_LIFE: f64 = 10.0;

/// How many files an answer has.
const ANSWER: usize = 10;

/// How many of them are looked at first.
const TOP: usize = 3;

/// What was foretold, and what came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Foretold {
    /// How often a file of a held-out change was asked for the others.
    pub queries: usize,
    /// The share of these that had an answer: up to ten files.
    pub answered: f64,
    /// Of the other files of the change, the share that was in the answer; no answer has none.
    pub recall: f64,
    /// Of the files in an answer, the share that did change.
    pub precision: f64,
    /// Of the answers, the share with a right file among the first three.
    pub top_three: f64,
    /// Of the files that `pw-setup check` would have named, the share that did change; absent when
    /// it would have named none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sure: Option<f64>,
}

/// Sums over queries.
#[derive(Default)]
struct Sums {
    queries: usize,
    answered: usize,
    recall: f64,
    precision: f64,
    top: usize,
    named: usize,
    right: usize,
}

/// Asks the changes of these windows; `None` when none of them touches several known files.
pub fn foretell(past: &Past<'_>, moments: &[Moment<'_>]) -> Option<Foretold> {
    let mut sums = Sums::default();
    for moment in moments {
        let rules = Rules::of(&moment.known);
        for at in &moment.window {
            let written = past.changes.entries[*at].written();
            let files: HashSet<PathId> = written.filter(|path| !past.is_shared(*path)).collect();
            if files.len() > 1 {
                files.iter().for_each(|file| sums.ask(&rules, *file, &files));
            }
        }
    }
    (sums.queries > 0).then(|| sums.told())
}

impl Sums {
    fn ask(&mut self, rules: &Rules<'_>, file: PathId, changed: &HashSet<PathId>) {
        self.queries += 1;
        let is_right = |other: &PathId| changed.contains(other);
        let sure = rules.sure.get(&file).map(Vec::as_slice).unwrap_or_default();
        self.named += sure.len();
        self.right += sure.iter().filter(|other| is_right(other)).count();
        let answer = rules.answer(file);
        if answer.is_empty() {
            return;
        }
        self.answered += 1;
        let right = answer.iter().filter(|other| is_right(other)).count();
        self.recall += share(right, changed.len() - 1);
        self.precision += share(right, answer.len());
        self.top += usize::from(answer.iter().take(TOP).any(is_right));
    }

    fn told(&self) -> Foretold {
        let round = |number: f64| (number * 100.0).round() / 100.0;
        let mean = |sum: f64, number: usize| round(sum / share(number.max(1), 1));
        Foretold {
            queries: self.queries,
            answered: round(share(self.answered, self.queries)),
            recall: mean(self.recall, self.queries),
            precision: mean(self.precision, self.answered),
            top_three: round(share(self.top, self.answered)),
            sure: (self.named > 0).then(|| round(share(self.right, self.named))),
        }
    }
}

/// What was known before a window, by file.
struct Rules<'a> {
    known: &'a Known,
    changes: HashMap<PathId, Vec<usize>>,
    sure: HashMap<PathId, Vec<PathId>>,
}

impl<'a> Rules<'a> {
    fn of(known: &'a Known) -> Self {
        let mut changes: HashMap<PathId, Vec<usize>> = HashMap::new();
        for (at, files) in known.changes.iter().enumerate() {
            files.iter().for_each(|file| changes.entry(*file).or_default().push(at));
        }
        let mut sure: HashMap<PathId, Vec<PathId>> = HashMap::new();
        for tie in coupling::ties(&known.changes) {
            if tie.is_sure() {
                sure.entry(tie.from).or_default().push(tie.to);
            }
        }
        Self { known, changes, sure }
    }

    /// Returns the files that changed most often with one, its newer changes weighing more.
    fn answer(&self, file: PathId) -> Vec<PathId> {
        let changes = self.changes.get(&file).map(Vec::as_slice).unwrap_or_default();
        let mut together: BTreeMap<PathId, f64> = BTreeMap::new();
        let (mut weight, mut all) = (1.0, 0.0);
        for at in changes {
            for other in self.known.changes[*at].iter().filter(|other| **other != file) {
                *together.entry(*other).or_default() += weight;
            }
            all += weight;
            weight *= 0.5_f64.powf(1.0 / HALF_LIFE);
        }
        let mut found: Vec<(PathId, f64)> =
            together.into_iter().filter(|(_, weight)| *weight >= LIKELY * all).collect();
        found.sort_by(|a, b| b.1.total_cmp(&a.1));
        found.into_iter().take(ANSWER).map(|(path, _)| path).collect()
    }
}
