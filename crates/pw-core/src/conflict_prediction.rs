//! Which branches could collide at all: only these are merged to find out.

use std::collections::BTreeSet;

use crate::facts::Facts;
use crate::history::{Ancestors, Change};
use crate::id::Oid;
use crate::path::RepoPath;

/// What a branch to be merged has and the trunk has not: the part that can collide with other branches.
#[derive(Debug)]
pub struct Divergence<'a> {
    /// The branch's newest commit.
    pub tip: &'a Oid,
    /// The commit of the trunk it is compared with.
    pub since: &'a Oid,
    /// What of its changes can conflict with another branch.
    pub footprint: Footprint<'a>,
}

impl<'a> Divergence<'a> {
    /// Returns the branch with the footprint of these changes since `since`.
    pub fn new(
        tip: &'a Oid,
        since: &'a Oid,
        changes: impl IntoIterator<Item = &'a Change> + Clone,
    ) -> Self {
        Self { tip, since, footprint: Footprint::of(changes) }
    }
}

/// Returns the pairs, by index, that could collide; all other pairs merge in any order.
///
/// What git compares with their merge base is more than their own work where one has newer commits
/// of the trunk than the other. Of pairs that [share commits](sharing), nothing is known here.
pub fn possible_conflicts(facts: &Facts, branches: &[Divergence<'_>]) -> Vec<(usize, usize)> {
    let steps: Vec<Footprint<'_>> =
        facts.trunk_steps.iter().map(|(_, changes)| Footprint::of(changes)).collect();
    // The base comes before the first step.
    let place = |since: &Oid| {
        facts.trunk_steps.iter().position(|(commit, _)| commit == since).map_or(0, |at| at + 1)
    };
    let can_conflict = |(first, second): &(usize, usize)| {
        let (some, other) = (&branches[*first], &branches[*second]);
        if some.footprint.can_conflict(&other.footprint) {
            return true;
        }
        let (older, newer) =
            if place(some.since) <= place(other.since) { (some, other) } else { (other, some) };
        let between = &steps[place(older.since)..place(newer.since)];
        // On branches of the trunk itself, their merge base is another commit.
        !between.is_empty()
            && (!facts.history.contains(newer.since, older.since)
                || between.iter().any(|step| step.can_conflict(&older.footprint)))
    };
    pairs(branches.len()).filter(can_conflict).collect()
}

/// Returns the pairs, by index, that both have commits which the trunk does not have: their merge
/// base is one of these, and what lies between it and the trunk may have been taken back on one
/// side.
pub fn sharing(facts: &Facts, branches: &[Divergence<'_>]) -> Vec<(usize, usize)> {
    let trunk = facts.trunk();
    let beyond = |branch: &Divergence<'_>| facts.history.ancestors([branch.tip]).without(&trunk);
    let beyond: Vec<Ancestors<'_>> = branches.iter().map(beyond).collect();
    pairs(branches.len()).filter(|(first, second)| beyond[*first].meets(&beyond[*second])).collect()
}

fn pairs(number: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..number).flat_map(|second| (0..second).map(move |first| (first, second)))
}

/// Returns whether changes touch a path, or something above or below it.
pub fn touches<'a>(changes: impl IntoIterator<Item = &'a Change>, path: &RepoPath) -> bool {
    changes.into_iter().any(|change| {
        change.path == *path || change.path.contains(path) || path.contains(&change.path)
    })
}

/// What of a branch's changes matters for collisions: a common path, a file where the other has a
/// folder, or a file added to a folder from which the other took files away (a renamed folder) can
/// collide; nothing else can.
#[derive(Debug)]
pub struct Footprint<'a> {
    paths: BTreeSet<&'a [u8]>,
    /// Folders above every path.
    above: BTreeSet<&'a [u8]>,
    /// Folders above every removed path: these may have been renamed.
    emptied: BTreeSet<&'a [u8]>,
    /// Folders above every added path.
    filled: BTreeSet<&'a [u8]>,
}

impl<'a> Footprint<'a> {
    /// Returns the footprint of a branch's changes.
    pub fn of(changes: impl IntoIterator<Item = &'a Change> + Clone) -> Self {
        let above = |wanted: fn(&Change) -> bool| {
            let mut folders = BTreeSet::new();
            for change in changes.clone().into_iter().filter(|change| wanted(change)) {
                // Above a folder that is known, all are.
                let mut above = change.path.ancestors();
                while above.next().is_some_and(|folder| folders.insert(folder)) {}
            }
            folders
        };
        Self {
            paths: changes.clone().into_iter().map(|change| change.path.as_bytes()).collect(),
            above: above(|_| true),
            emptied: above(|change| change.new.is_none()),
            filled: above(|change| change.old.is_none()),
        }
    }

    /// Returns whether the two could collide.
    pub fn can_conflict(&self, other: &Self) -> bool {
        let meet = |a: &BTreeSet<&[u8]>, b: &BTreeSet<&[u8]>| !a.is_disjoint(b);
        meet(&self.paths, &other.paths)
            || meet(&self.paths, &other.above)
            || meet(&self.above, &other.paths)
            || meet(&self.emptied, &other.filled)
            || meet(&self.filled, &other.emptied)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Content;

    fn change(path: &str, old: Option<&str>, new: Option<&str>) -> Change {
        Change { path: path.into(), old: old.map(Content::named), new: new.map(Content::named) }
    }

    #[test]
    fn only_pairs_that_can_collide_are_tried() {
        let changes = [
            vec![change("src/a.rs", Some("1"), Some("2"))],
            vec![change("src/a.rs", Some("1"), Some("3"))],
            vec![change("docs/a.md", None, Some("4"))],
            vec![change("lib/x.rs", Some("5"), None), change("new/x.rs", None, Some("5"))],
            vec![change("lib/y.rs", None, Some("6"))],
            vec![change("docs", None, Some("7"))],
        ];
        let prints: Vec<Footprint<'_>> = changes.iter().map(Footprint::of).collect();
        let meet = pairs(6).filter(|(first, second)| prints[*first].can_conflict(&prints[*second]));
        assert_eq!(meet.collect::<Vec<_>>(), [(0, 1), (3, 4), (2, 5)]);
    }
}
