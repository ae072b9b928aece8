//! Which files change together, counted.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::log::{BULK, share};
use crate::path::RepoPath;

/// Fewer common changes than this are chance.
const FEWEST: usize = 4;

/// Of the changes of a file, the share that must touch the other.
const CONFIDENT: f64 = 0.5;

/// How many times more often than by chance.
const LIFT: f64 = 2.0;

/// Two files that change together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Pair {
    /// When this file changed,
    pub path: RepoPath,
    /// this one did, too,
    pub with: RepoPath,
    /// in so many changes
    pub together: usize,
    /// of so many.
    pub of: usize,
    /// How many times more often than if the two had nothing to do with each other.
    pub lift: f64,
}

impl Pair {
    /// Returns the share of the changes of `path` that touch `with`; 0 to 1.
    pub fn confidence(&self) -> f64 {
        share(self.together, self.of)
    }
}

/// A pair of any names of files.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tie<F> {
    /// The file that changed.
    pub from: F,
    /// The file that changed with it.
    pub to: F,
    /// How many changes touch both.
    pub together: usize,
    /// How many changes touch `from`.
    pub of: usize,
    /// How many times more often than if the two were independent.
    pub lift: f64,
}

impl<F> Tie<F> {
    /// Returns the share of the changes of `from` that touch `to`; 0 to 1.
    pub fn confidence(&self) -> f64 {
        share(self.together, self.of)
    }

    /// Returns the same with paths; `lift` rounded to one decimal.
    pub fn named(&self, name: impl Fn(&F) -> RepoPath) -> Pair {
        Pair {
            path: name(&self.from),
            with: name(&self.to),
            together: self.together,
            of: self.of,
            lift: (self.lift * 10.0).round() / 10.0,
        }
    }
}

/// Returns how many changes touch each file; bulk changes count nothing.
pub fn counts<F: Copy + Ord + Hash>(changes: &[Vec<F>]) -> BTreeMap<F, usize> {
    let mut counts = BTreeMap::new();
    for file in plain(changes).flatten() {
        *counts.entry(*file).or_default() += 1;
    }
    counts
}

/// Returns who changes with whom, in both directions, the surest first: the most common changes
/// among those in which the second is more likely than not.
pub fn ties<F: Copy + Ord + Hash>(changes: &[Vec<F>]) -> Vec<Tie<F>> {
    let counts = counts(changes);
    let mut pairs: HashMap<(F, F), usize> = HashMap::new();
    for files in plain(changes) {
        let often: Vec<F> = files.iter().copied().filter(|f| counts[f] >= FEWEST).collect();
        for (at, from) in often.iter().enumerate() {
            for to in often[at + 1..].iter() {
                *pairs.entry((*from.min(to), *from.max(to))).or_default() += 1;
            }
        }
    }
    let all = plain(changes).count();
    let tie = |(from, to, together): (F, F, usize)| Tie {
        from,
        to,
        together,
        of: counts[&from],
        lift: share(together * all, counts[&from] * counts[&to]),
    };
    let both = pairs.into_iter().filter(|(_, together)| *together >= FEWEST);
    let both = both.flat_map(|((a, b), together)| [(a, b, together), (b, a, together)]);
    let sure = |tie: &Tie<F>| tie.confidence() >= CONFIDENT && tie.lift >= LIFT;
    let mut ties: Vec<Tie<F>> = both.map(tie).filter(sure).collect();
    ties.sort_by(|a, b| {
        let weight = |tie: &Tie<F>| tie.confidence() * share(tie.together, 1);
        weight(b).total_cmp(&weight(a)).then_with(|| (a.from, a.to).cmp(&(b.from, b.to)))
    });
    ties
}

fn plain<F>(changes: &[Vec<F>]) -> impl Iterator<Item = &Vec<F>> {
    changes.iter().filter(|files| !files.is_empty() && files.len() <= BULK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_changes_with_its_source_is_a_tie_and_a_file_of_every_change_is_none() {
        let mut changes = vec![vec!["log", "users", "users_test"]; 6];
        changes.extend(vec![vec!["log", "posts"]; 14]);
        changes.push((0..BULK + 1).map(|_| "everything").collect());
        let ties = ties(&changes);
        let pairs: Vec<_> = ties.iter().map(|tie| (tie.from, tie.to, tie.together)).collect();
        assert_eq!(pairs, [("users", "users_test", 6), ("users_test", "users", 6)]);
        assert!((ties[0].lift - 20.0 / 6.0).abs() < 1e-9);
        assert_eq!(counts(&changes).get("everything"), None);
    }
}
