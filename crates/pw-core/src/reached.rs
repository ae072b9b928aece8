//! What a growing chain of merges contains, so that no next merge has to search for its base.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::facts::Facts;
use crate::id::Oid;

/// The commits above the workflow's base that a chain of merges contains.
#[derive(Clone, Debug)]
pub struct Reached {
    parents: Arc<HashMap<Oid, Vec<Oid>>>,
    base: Oid,
    commits: HashSet<Oid>,
    /// Whether the chain contains the base: then it contains every commit not in `parents`.
    has_base: bool,
}

impl Reached {
    /// Returns what `start` contains: the base itself, a commit of the integration branch, or a
    /// merge of an integration that stopped.
    pub fn of(facts: &Facts, base: &Oid, start: &Oid) -> Self {
        let parents = facts.history.parents();
        let parents = parents.map(|(oid, parents)| (oid.clone(), parents.to_vec())).collect();
        let parents = Arc::new(parents);
        let known = Self { parents, base: base.clone(), commits: HashSet::new(), has_base: false };
        known.anew(start)
    }

    /// Returns what another chain of the same history contains, which begins at `start`.
    pub fn anew(&self, start: &Oid) -> Self {
        let (parents, base) = (Arc::clone(&self.parents), self.base.clone());
        let mut reached = Self { parents, base, commits: HashSet::new(), has_base: false };
        let (commits, met) = reached.walk(start);
        (reached.commits, reached.has_base) = (commits, met.contains(&self.base));
        reached
    }

    /// Returns the merge base with `tip`, when it is certain and there is but one.
    pub fn merge_base(&self, tip: &Oid) -> Option<Oid> {
        let mut met = self.walk(tip).1.into_iter();
        let only = met.next()?;
        (self.has_base && met.next().is_none()).then_some(only)
    }

    /// Takes in a merge of `tip`.
    pub fn add(&mut self, merge: &Oid, tip: &Oid) {
        let (commits, _) = self.walk(tip);
        self.commits.extend(commits);
        self.commits.insert(merge.clone());
    }

    /// Returns the commits that `tip` contains and the chain does not, and where they meet the
    /// chain, or the base and what is below it.
    fn walk(&self, tip: &Oid) -> (HashSet<Oid>, HashSet<Oid>) {
        let (mut new, mut met) = (HashSet::new(), HashSet::new());
        let mut stack = vec![tip];
        while let Some(oid) = stack.pop() {
            match self.parents.get(oid).filter(|_| !self.commits.contains(oid)) {
                Some(parents) if new.insert(oid.clone()) => stack.extend(parents),
                Some(_) => {}
                None => drop(met.insert(oid.clone())),
            }
        }
        (new, met)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Commit, History};

    fn oid(name: &str) -> Oid {
        format!("{name:0>40}").parse().unwrap()
    }

    fn history(commits: &[(&str, &[&str])]) -> History {
        History::new(commits.iter().map(|(name, parents)| Commit {
            oid: oid(name),
            parents: parents.iter().map(|name| oid(name)).collect(),
            time: 0,
            message: String::new(),
            changes: Vec::new(),
        }))
    }

    #[test]
    fn a_base_is_given_only_when_it_is_the_only_one() {
        // c took in a1; e forked below the base, and took it in later; f and c took in each other.
        let upon = |trunk: &[&str]| Facts {
            history: history(&[
                ("a1", &["0"]),
                ("a2", &["a1"]),
                ("b1", &["0"]),
                ("c1", &["0", "a1"]),
                ("e1", &["0e"]),
                ("e2", &["e1", "0"]),
                ("f1", &["0"]),
                ("f2", &["f1", "a2", "b1"]),
                ("d1", trunk),
            ]),
            ..Facts::default()
        };
        let mut reached = Reached::of(&upon(&["0"]), &oid("0"), &oid("d1"));
        assert_eq!(reached.merge_base(&oid("a2")), Some(oid("0")));
        reached.add(&oid("d2"), &oid("a2"));
        assert_eq!(reached.merge_base(&oid("a1")), Some(oid("a1")), "contained");
        // The base lies below a1, but only git can say so.
        assert_eq!(reached.merge_base(&oid("c1")), None);
        assert_eq!(reached.merge_base(&oid("e1")), Some(oid("0e")));
        assert_eq!(reached.merge_base(&oid("e2")), None);
        assert_eq!(reached.merge_base(&oid("d1")), Some(oid("d1")));
        assert_eq!(reached.merge_base(&oid("b1")), Some(oid("0")));
        // Somebody put the branch elsewhere: nothing is certain.
        let reached = Reached::of(&upon(&["0e"]), &oid("0"), &oid("d1"));
        assert_eq!(reached.merge_base(&oid("a2")), None);
    }
}
