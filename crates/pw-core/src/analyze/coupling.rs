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

/// How many of the newest changes of a file must agree: what belonged together once may not now.
const NEWEST: usize = 10;

/// Of these, the share that must touch the other, so that one file is named because of another: what
/// is wrong as often as right is not read.
const SURE: f64 = 0.8;

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
    /// Of the newest ten changes of `path`, those that touch `with`, too.
    #[serde(default)]
    pub lately: usize,
    /// How many times more often than if the two had nothing to do with each other.
    pub lift: f64,
}

impl Pair {
    /// Returns the share of the changes of `path` that touch `with`; 0 to 1.
    pub fn confidence(&self) -> f64 {
        share(self.together, self.of)
    }

    /// Returns whether it is said to users when only `path` is changed.
    pub fn is_sure(&self) -> bool {
        is_sure(self.lately, self.of)
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
    /// Of the newest ten changes of `from`, those that touch both.
    pub lately: usize,
    /// How many times more often than if the two were independent.
    pub lift: f64,
}

impl<F> Tie<F> {
    /// Returns the share of the changes of `from` that touch `to`; 0 to 1.
    pub fn confidence(&self) -> f64 {
        share(self.together, self.of)
    }

    /// Returns whether it is said to users when only `from` is changed.
    pub fn is_sure(&self) -> bool {
        is_sure(self.lately, self.of)
    }

    /// Returns the same with paths; `lift` rounded to one decimal.
    pub fn named(&self, name: impl Fn(&F) -> RepoPath) -> Pair {
        Pair {
            path: name(&self.from),
            with: name(&self.to),
            together: self.together,
            of: self.of,
            lately: self.lately,
            lift: (self.lift * 10.0).round() / 10.0,
        }
    }
}

fn is_sure(lately: usize, of: usize) -> bool {
    share(lately, of.min(NEWEST)) >= SURE
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
/// among those in which the second is more likely than not. The newest change comes first.
pub fn ties<F: Copy + Ord + Hash>(changes: &[Vec<F>]) -> Vec<Tie<F>> {
    let counts = counts(changes);
    let mut pairs: HashMap<(F, F), Common> = HashMap::new();
    let mut seen: HashMap<F, usize> = HashMap::new();
    for files in plain(changes) {
        let often: Vec<(F, bool)> = files
            .iter()
            .filter(|file| counts[file] >= FEWEST)
            .map(|file| {
                let seen = seen.entry(*file).or_default();
                *seen += 1;
                (*file, *seen <= NEWEST)
            })
            .collect();
        for (at, (a, a_is_new)) in often.iter().enumerate() {
            for (b, b_is_new) in &often[at + 1..] {
                let (lower, higher) =
                    if a < b { (a_is_new, b_is_new) } else { (b_is_new, a_is_new) };
                let common = pairs.entry((*a.min(b), *a.max(b))).or_default();
                common.together += 1;
                common.lately.0 += usize::from(*lower);
                common.lately.1 += usize::from(*higher);
            }
        }
    }
    let all = plain(changes).count();
    let tie = |(from, to, together, lately): (F, F, usize, usize)| Tie {
        from,
        to,
        together,
        of: counts[&from],
        lately,
        lift: share(together * all, counts[&from] * counts[&to]),
    };
    let both = pairs.into_iter().filter(|(_, common)| common.together >= FEWEST);
    let both = both.flat_map(|((a, b), Common { together, lately })| {
        [(a, b, together, lately.0), (b, a, together, lately.1)]
    });
    let sure = |tie: &Tie<F>| tie.confidence() >= CONFIDENT && tie.lift >= LIFT;
    let mut ties: Vec<Tie<F>> = both.map(tie).filter(sure).collect();
    ties.sort_by(|a, b| {
        let weight = |tie: &Tie<F>| tie.confidence() * share(tie.together, 1);
        weight(b).total_cmp(&weight(a)).then_with(|| (a.from, a.to).cmp(&(b.from, b.to)))
    });
    ties
}

/// What two files have in common: changes, and those among the newest of each.
#[derive(Clone, Copy, Default)]
struct Common {
    together: usize,
    lately: (usize, usize),
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

    #[test]
    fn what_belonged_together_once_is_said_no_more() {
        let mut changes = vec![vec!["users"]; 6];
        changes.extend(vec![vec!["docs", "users"]; 9]);
        changes.extend(vec![vec!["log"]; 30]);
        let tie = |from| ties(&changes).into_iter().find(|tie| tie.from == from).unwrap();
        assert_eq!((tie("users").lately, tie("users").is_sure()), (4, false));
        assert_eq!((tie("docs").lately, tie("docs").is_sure()), (9, true));
    }
}
