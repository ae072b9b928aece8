//! Which files an item probably changes, when it names none: those of past changes whose subjects have rare
//! words in common with it, and those whose paths have.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::backtest::Past;
use super::log::{Known, PathId, share};
use super::search::Alike;
use super::texts::{self, Texts, Words};
use crate::path::RepoPath;

/// How many past changes an item is compared with, the most alike.
const NEAREST: usize = 16;

/// After how many changes one counts half.
const HALF_LIFE: f64 = 700.0;

/// How many files whose paths have words of an item are in question.
const NAMED: usize = 10;

/// What such a path weighs beside a past change that is as much alike.
const BY_PATH: f64 = 0.5;

/// How many files an item is said to change.
const TOLD: usize = 3;

/// Of what speaks for the first of them, what must speak for another.
const AS_LIKELY: f64 = 0.5;

/// Of what speaks for any file, the share that must speak for one that is told: of the files with less than
/// that three of ten were right.
const LEAST_SHARE: f64 = 0.1;

/// What must speak for it, where an item with the words of one past change that touched one file has 1: with
/// less, only words that all have are the same.
const LEAST: f64 = 0.01;

/// A file that an item probably changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProbableFile {
    /// Where it is.
    pub path: RepoPath,
    /// Of all that speaks for any file, the share that speaks for this one; 0 to 1.
    pub share: f64,
    /// Of the sixteen past changes whose words are most like the item's, so many touched it; 0 when only its path
    /// has such words.
    pub changes: usize,
}

/// A file that an item may change.
#[derive(Clone, Copy, Debug)]
pub(super) struct Likely {
    pub path: PathId,
    /// What speaks for it.
    weight: f64,
    pub share: f64,
    changes: usize,
}

/// What was known at one moment, by its words.
#[derive(Clone, Debug)]
pub struct Subjects<'a> {
    /// By place among [`Known::changes`]: its files that are not every worker's.
    files: Vec<Vec<PathId>>,
    subjects: Texts,
    named: Vec<PathId>,
    paths: Texts,
    past: &'a Past<'a>,
}

impl<'a> Subjects<'a> {
    /// Reads the words of what was known.
    pub fn new(past: &'a Past<'a>, known: &Known) -> Self {
        let is_own = |path: &&PathId| !past.is_shared(**path);
        let own = |files: &Vec<PathId>| files.iter().filter(is_own).copied().collect();
        let subject = |at: &usize| texts::of_subject(&past.changes.entries[*at].subject);
        let named: Vec<PathId> = own(&known.files);
        let path = |at: &PathId| texts::of_path(past.changes.log.paths[*at as usize].as_bytes());
        Self {
            files: known.changes.iter().map(own).collect(),
            subjects: Texts::of(known.places.iter().map(subject)),
            paths: Texts::of(named.iter().map(path)),
            named,
            past,
        }
    }

    /// Returns the past changes that are most like a text, newer ones weighing more.
    pub fn alike(&self, text: &str) -> Alike {
        self.nearest(&texts::of_subject(text))
    }

    fn nearest(&self, words: &Words) -> Alike {
        let alike = self.subjects.alike(words).into_iter().enumerate();
        let known = alike.filter(|(at, alike)| *alike > 0.0 && !self.files[*at].is_empty());
        let weigh = |(at, alike): (usize, f64)| {
            (at, alike * alike * 0.5_f64.powf(share(at, 1) / HALF_LIFE))
        };
        most(known.map(weigh).collect(), NEAREST)
    }

    /// Returns the files that a text probably changes, the likeliest first.
    pub(super) fn likely(&self, text: &str) -> Vec<Likely> {
        let words = texts::of_subject(text);
        let mut found: BTreeMap<PathId, (f64, usize)> = BTreeMap::new();
        for (at, weight) in self.nearest(&words) {
            let files = &self.files[at];
            for file in files {
                let (sum, changes) = found.entry(*file).or_default();
                *sum += weight / share(files.len(), 1).sqrt();
                *changes += 1;
            }
        }
        let paths = self.paths.alike(&words).into_iter().enumerate();
        let paths = paths.filter(|(_, alike)| *alike > 0.0).collect();
        for (at, alike) in most(paths, NAMED) {
            found.entry(self.named[at]).or_default().0 += BY_PATH * alike * alike;
        }
        let all: f64 = found.values().map(|(weight, _)| weight).sum();
        let likely = |(path, (weight, changes)): (PathId, (f64, usize))| Likely {
            path,
            weight,
            share: weight / all,
            changes,
        };
        let mut files: Vec<Likely> = found.into_iter().map(likely).collect();
        files.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        files
    }

    /// Returns what is told of a text.
    pub fn probable(&self, text: &str) -> Vec<ProbableFile> {
        let file = |likely: &Likely| ProbableFile {
            path: self.past.changes.log.paths[likely.path as usize].clone(),
            share: (likely.share * 100.0).round() / 100.0,
            changes: likely.changes,
        };
        told(&self.likely(text)).map(file).collect()
    }

    /// Returns the files that a text may change with the share of each; none where only words are the same that all
    /// have.
    pub(super) fn shares(&self, text: &str) -> Vec<(RepoPath, f64)> {
        let likely = self.likely(text);
        let is_known = likely.first().is_some_and(|first| first.weight >= LEAST);
        let path = |of: &Likely| self.past.changes.log.paths[of.path as usize].clone();
        likely.iter().filter(|_| is_known).map(|of| (path(of), of.share)).collect()
    }

    /// Returns the files that changed most of late: what is right as often by chance.
    pub(super) fn popular(&self) -> Vec<PathId> {
        let mut sums: BTreeMap<PathId, f64> = BTreeMap::new();
        for (at, files) in self.files.iter().enumerate() {
            let weight = 0.5_f64.powf(share(at, 1) / HALF_LIFE);
            files.iter().for_each(|file| *sums.entry(*file).or_default() += weight);
        }
        most(sums.into_iter().collect(), TOLD).into_iter().map(|(path, _)| path).collect()
    }
}

/// Returns those of likely files that are told: a few, none much less likely than the first.
pub(super) fn told(likely: &[Likely]) -> impl Iterator<Item = &Likely> + Clone {
    let first = likely.first().map_or(0.0, |first| first.weight);
    let is_told = move |file: &&Likely| {
        file.weight >= LEAST.max(AS_LIKELY * first) && file.share >= LEAST_SHARE
    };
    likely.iter().take(TOLD).filter(is_told)
}

/// Returns the heaviest, so many at most; of equals those that come first.
fn most<T>(mut all: Vec<(T, f64)>, number: usize) -> Vec<(T, f64)> {
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    all.truncate(number);
    all
}
