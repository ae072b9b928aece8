//! Who broke a gate: the smallest sets of workers that fail together, found in few runs.
//!
//! Workers are numbered in merge order. Whether a set of them passes is asked, never assumed to
//! follow from other sets, except that the search expects few culprits.

use std::collections::{BTreeMap, BTreeSet};

/// Workers by their index in the merge order.
pub type Set = BTreeSet<usize>;

/// What there is to say about a set of workers, merged upon the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateOutcome {
    /// Every gate that was asked passes.
    Passes,
    /// This gate fails.
    Fails(usize),
    /// They do not merge without the workers left out.
    Unknown,
}

/// A set of workers that a gate fails with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The gate, by its index in the plan.
    pub gate: usize,
    /// In merge order; the gate fails with them and those they build upon.
    pub workers: Vec<usize>,
    /// Whether each of several workers passes the gate when merged alone.
    pub alone: bool,
    /// Whether the set could be told apart from its neighbours: otherwise some of it may be
    /// innocent.
    pub certain: bool,
}

/// What a search came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Culprits {
    /// What was found, in the order it was found; each with those before it left out.
    pub faults: Vec<Fault>,
    /// The gate that fails with no worker merged at all, so that no worker is at fault.
    pub start: Option<usize>,
    /// The workers to leave out so that the rest is known to pass.
    pub without: Option<Set>,
}

/// What is known before a search, as numbers of workers in merge order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// With so many first workers every gate passes.
    pub passes: Option<usize>,
    /// With so many the gate fails.
    pub fails: usize,
}

/// Completes what each worker brings along: with a worker come those that come with that one.
pub fn closed(mut after: Vec<Set>) -> Vec<Set> {
    loop {
        let further = |(at, set): (usize, &Set)| {
            let mut all: Set =
                set.iter().flat_map(|other| &after[*other]).chain(set).copied().collect();
            all.remove(&at);
            all
        };
        let next: Vec<Set> = after.iter().enumerate().map(further).collect();
        if next == after {
            return after;
        }
        after = next;
    }
}

/// Searches for the workers at fault for `gate`.
///
/// `after` holds for each worker all it builds upon. `ask` says what one gate, or all of them, say
/// about a set that is closed under `after`; a question is asked once, or, with `true`, until the
/// gate passes or has failed twice. No worker is at fault for a single failure, since the gate may
/// be flaky: a fault has failed twice, or as part of another set, too.
pub fn find_culprits<E>(
    after: &[Set],
    gate: usize,
    seen: Seen,
    ask: impl FnMut(&Set, Option<usize>, bool) -> Result<GateOutcome, E>,
) -> Result<Culprits, E> {
    let mut search = Search { after, ask, known: BTreeMap::new(), is_careful: false };
    let mut found = Culprits::default();
    let mut members: Vec<usize> = (0..after.len()).collect();
    let (mut gate, mut seen) = (gate, seen);
    let mut left_out = Set::new();
    loop {
        let start = Set::new();
        if seen.passes.is_none()
            && search.fails(&start, gate)? == Some(true)
            && search.fails_again(&start, gate)?
        {
            found.start = Some(gate);
            return Ok(found);
        }
        let fault = loop {
            let fault = search.blame(&members[..seen.fails], gate, seen.passes.unwrap_or(0))?;
            if let Some(fault) = fault {
                break fault;
            }
        };
        let fault = search.with_inseparable(fault);
        left_out.extend(search.cheapest(&fault.workers, &members));
        found.faults.push(fault);
        members.retain(|worker| !left_out.contains(worker));
        if members.is_empty() {
            return Ok(found);
        }
        match search.says(&members.iter().copied().collect(), None)? {
            GateOutcome::Passes => {
                found.without = Some(left_out);
                return Ok(found);
            }
            GateOutcome::Fails(other) => {
                (gate, seen) = (other, Seen { passes: None, fails: members.len() });
            }
            GateOutcome::Unknown => return Ok(found),
        }
    }
}

/// Searches for a small set of workers that `gate` fails with, when it passes with the first `passes` of them.
/// `None` when it does not fail with all of them, or when that cannot be said.
pub fn find_fault<E>(
    after: &[Set],
    gate: usize,
    passes: usize,
    ask: impl FnMut(&Set, Option<usize>, bool) -> Result<GateOutcome, E>,
) -> Result<Option<Fault>, E> {
    let mut search = Search { after, ask, known: BTreeMap::new(), is_careful: false };
    let members: Vec<usize> = (0..after.len()).collect();
    if search.fails(&members.iter().copied().collect(), gate)? != Some(true) {
        return Ok(None);
    }
    let fault = search.blame(&members, gate, passes)?;
    Ok(fault.map(|fault| search.with_inseparable(fault)))
}

struct Search<'a, F> {
    after: &'a [Set],
    ask: F,
    known: BTreeMap<(Set, Option<usize>), GateOutcome>,
    /// Whether the gate has failed once where it does not fail again: from then on one failure
    /// tells nothing.
    is_careful: bool,
}

impl<E, F: FnMut(&Set, Option<usize>, bool) -> Result<GateOutcome, E>> Search<'_, F> {
    fn says(&mut self, set: &Set, gate: Option<usize>) -> Result<GateOutcome, E> {
        let key = (set.clone(), gate);
        if let Some(known) = self.known.get(&key) {
            return Ok(*known);
        }
        let said = (self.ask)(set, gate, self.is_careful)?;
        self.known.insert(key, said);
        Ok(said)
    }

    /// Returns whether a gate that has failed with a set fails again. When it does not, no failure
    /// seen so far counts.
    fn fails_again(&mut self, set: &Set, gate: usize) -> Result<bool, E> {
        let said = (self.ask)(set, Some(gate), true)?;
        if said == GateOutcome::Passes {
            self.is_careful = true;
            self.known.retain(|_, said| !matches!(said, GateOutcome::Fails(_)));
        }
        self.known.insert((set.clone(), Some(gate)), said);
        Ok(said != GateOutcome::Passes)
    }

    /// Returns whether a gate fails with a set; `None` when that cannot be known.
    fn fails(&mut self, set: &Set, gate: usize) -> Result<Option<bool>, E> {
        Ok(match self.says(set, Some(gate))? {
            GateOutcome::Passes => Some(false),
            GateOutcome::Fails(_) => Some(true),
            GateOutcome::Unknown => None,
        })
    }

    /// Finds a small set of workers that the gate fails with. It fails with all `members`, and
    /// passes with the first `passes` of them.
    ///
    /// The first worker whose merge makes it fail is one of them. As long as the set found so far
    /// passes, a worker merged earlier belongs to it, too: the first one with which it fails.
    /// `None` when a failure that this rests on did not happen again.
    fn blame(&mut self, members: &[usize], gate: usize, passes: usize) -> Result<Option<Fault>, E> {
        let (before, until) = self.first_failing(&Set::new(), members, passes, gate)?;
        let mut core: Vec<usize> = members[before..until].to_vec();
        let mut earlier: Vec<usize> = members[..before].to_vec();
        let mut certain = core.len() == 1;
        loop {
            let closed = self.closed(&core);
            earlier.retain(|worker| !closed.contains(worker));
            // With all of `earlier` it is known to fail; with none of them left, this is that set.
            let is_new = !self.known.contains_key(&(closed.clone(), Some(gate)));
            if earlier.is_empty() || self.fails(&closed, gate)? == Some(true) {
                if (earlier.is_empty() || !is_new) && !self.fails_again(&closed, gate)? {
                    return Ok(None);
                }
                break;
            }
            let (before, until) = self.first_failing(&closed, &earlier, 0, gate)?;
            certain &= until - before == 1;
            core.extend(&earlier[before..until]);
            earlier.truncate(before);
        }
        core.sort_unstable();
        if !certain {
            certain = self.shrink(&mut core, gate)?;
        }
        self.alone(core, gate, certain).map(Some)
    }

    /// Drops workers that are not needed for a set to fail; returns whether all that are left are.
    ///
    /// Tries the last merged first: a worker cannot be left out while one that builds upon it
    /// stays, and goes unnamed only when that one is known to be needed.
    fn shrink(&mut self, core: &mut Vec<usize>, gate: usize) -> Result<bool, E> {
        let mut certain = true;
        for worker in core.clone().into_iter().rev() {
            if core.iter().any(|other| self.after[*other].contains(&worker)) {
                core.retain(|other| !certain || *other != worker);
                continue;
            }
            let mut others = core.clone();
            others.retain(|other| *other != worker);
            let closed = self.closed(&others);
            match self.fails(&closed, gate)? {
                Some(true) if self.fails_again(&closed, gate)? => *core = others,
                Some(_) => {}
                None => certain = false,
            }
        }
        Ok(certain)
    }

    /// Says of each worker whether it fails alone; one that does is the fault by itself.
    fn alone(&mut self, workers: Vec<usize>, gate: usize, certain: bool) -> Result<Fault, E> {
        let mut alone = workers.len() > 1;
        for worker in workers.iter().filter(|_| workers.len() > 1) {
            let closed = self.closed(&[*worker]);
            match self.fails(&closed, gate)? {
                Some(true) if self.fails_again(&closed, gate)? => {
                    return Ok(Fault { gate, workers: vec![*worker], alone: false, certain: true });
                }
                Some(_) => {}
                None => alone = false,
            }
        }
        Ok(Fault { gate, workers, alone, certain })
    }

    /// Adds the workers that hold commits of a named one and whose commits that one holds: neither
    /// is ever merged without the other, so no run tells which of them it is.
    fn with_inseparable(&self, fault: Fault) -> Fault {
        let is_mutual = |worker: usize, other: usize| self.after[other].contains(&worker);
        let mut all: Set = fault.workers.iter().copied().collect();
        for worker in &fault.workers {
            let others = self.after[*worker].iter().copied();
            all.extend(others.filter(|other| is_mutual(*worker, *other)));
        }
        if all.len() == fault.workers.len() {
            return fault;
        }
        Fault { workers: all.into_iter().collect(), alone: false, certain: false, ..fault }
    }

    /// Bisects `added` for the first worker with which the gate fails, when it and those before it
    /// are added to `to`. It fails with all of them, and passes with the first `low`. Returns how
    /// many of `added` pass and how many fail: one more, unless the sets in between do not merge.
    fn first_failing(
        &mut self,
        to: &Set,
        added: &[usize],
        low: usize,
        gate: usize,
    ) -> Result<(usize, usize), E> {
        let (mut low, mut high) = (low, added.len());
        'narrowed: while high - low > 1 {
            let middle = usize::midpoint(low, high);
            let mut tries: Vec<usize> = (low + 1..high).collect();
            tries.sort_by_key(|count| count.abs_diff(middle));
            for count in tries {
                let set =
                    self.closed(&to.iter().chain(&added[..count]).copied().collect::<Vec<_>>());
                match self.fails(&set, gate)? {
                    Some(true) => high = count,
                    Some(false) => low = count,
                    None => continue,
                }
                continue 'narrowed;
            }
            break;
        }
        Ok((low, high))
    }

    /// Returns workers together with all they build upon.
    fn closed(&self, workers: &[usize]) -> Set {
        workers.iter().flat_map(|worker| &self.after[*worker]).chain(workers).copied().collect()
    }

    /// Returns one of the workers with all that build upon it: the one with the fewest, the latest
    /// merged of several.
    fn cheapest(&self, workers: &[usize], members: &[usize]) -> Set {
        let cost = |worker: usize| -> Set {
            let builds = |other: &usize| *other == worker || self.after[*other].contains(&worker);
            members.iter().copied().filter(builds).collect()
        };
        workers
            .iter()
            .rev()
            .map(|worker| cost(*worker))
            .min_by_key(BTreeSet::len)
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn log2(n: usize) -> usize {
        n.next_power_of_two().trailing_zeros() as usize
    }

    /// Searches with an oracle; returns the result and how many sets were asked about, for any
    /// gate, since there is but one. Every set must be closed.
    fn search(after: &[Set], said: &dyn Fn(&Set) -> GateOutcome) -> (Culprits, usize) {
        let mut asked = BTreeSet::new();
        let found = find_culprits::<Infallible>(
            after,
            0,
            Seen { passes: None, fails: after.len() },
            |set, _, _| {
                assert!(
                    set.iter().all(|worker| after[*worker].is_subset(set)),
                    "{set:?} is not closed"
                );
                asked.insert(set.clone());
                Ok(said(set))
            },
        );
        (found.unwrap(), asked.len())
    }

    fn fails_with(culprits: &Set) -> impl Fn(&Set) -> GateOutcome {
        move |set| if culprits.is_subset(set) { GateOutcome::Fails(0) } else { GateOutcome::Passes }
    }

    fn independent(n: usize) -> Vec<Set> {
        vec![Set::new(); n]
    }

    #[test]
    fn nobody_is_named_for_certain_whose_absence_could_not_be_tried() {
        // The second and the fourth fail together, and do not merge without all others; the third
        // builds upon the first two.
        let after = [Set::new(), Set::new(), Set::from([0, 1]), Set::new()];
        let said = |set: &Set| match [1, 3].iter().all(|culprit| set.contains(culprit)) {
            true if set.len() == 4 => GateOutcome::Fails(0),
            true => GateOutcome::Unknown,
            false => GateOutcome::Passes,
        };
        let (found, _) = search(&after, &said);
        let fault = &found.faults[0];
        assert!(!fault.certain && [1, 3].iter().all(|culprit| fault.workers.contains(culprit)));

        // Where it could be, those it builds upon are not named beside it.
        let said = |set: &Set| match [2, 3].iter().all(|culprit| set.contains(culprit)) {
            true => GateOutcome::Fails(0),
            false if set.len() > 2 && set.contains(&3) => GateOutcome::Unknown,
            false => GateOutcome::Passes,
        };
        let (found, _) = search(&after, &said);
        assert_eq!((&found.faults[0].workers[..], found.faults[0].certain), (&[2, 3][..], true));
    }

    #[test]
    fn every_single_culprit_is_named() {
        for n in 1..=16 {
            for culprit in 0..n {
                let culprits = Set::from([culprit]);
                let (found, asked) = search(&independent(n), &fails_with(&culprits));
                let [fault] = &found.faults[..] else { panic!("{found:?}") };
                assert_eq!((&fault.workers[..], fault.certain), (&[culprit][..], true));
                assert_eq!(found.without, (n > 1).then_some(culprits));
                // The start, the bisection, the culprit alone, the others.
                assert!(asked <= 3 + log2(n), "{asked} of {n} for {culprit}");
            }
        }
    }

    #[test]
    fn every_pair_that_fails_only_together_is_named() {
        for n in 2..=8 {
            for (first, second) in (0..n).flat_map(|a| (a + 1..n).map(move |b| (a, b))) {
                let (found, asked) =
                    search(&independent(n), &fails_with(&Set::from([first, second])));
                let fault =
                    Fault { gate: 0, workers: vec![first, second], alone: true, certain: true };
                assert_eq!(found.faults, [fault]);
                assert_eq!(found.without, (n > 1).then_some(Set::from([second])));
                // The second bisection is among those before; then the pair, the first alone.
                let bound = 5 + log2(n) + log2(second);
                assert!(asked <= bound, "{asked} of {n} for {first} and {second}");
            }
        }
    }

    #[test]
    fn larger_groups_and_several_faults_are_named() {
        for bits in 1_u32..1 << 7 {
            let culprits: Set = (0..7).filter(|worker| bits >> worker & 1 == 1).collect();
            let (found, _) = search(&independent(7), &fails_with(&culprits));
            let workers: Vec<usize> = culprits.iter().copied().collect();
            assert_eq!(found.faults.len(), 1);
            assert_eq!((&found.faults[0].workers, found.faults[0].certain), (&workers, true));
        }
        let either = |set: &Set| {
            let pair = Set::from([0, 5]);
            if set.contains(&3) || pair.is_subset(set) {
                GateOutcome::Fails(0)
            } else {
                GateOutcome::Passes
            }
        };
        let (found, _) = search(&independent(8), &either);
        let workers: Vec<&[usize]> = found.faults.iter().map(|fault| &fault.workers[..]).collect();
        assert_eq!(workers, [&[3][..], &[0, 5]]);
        assert_eq!(found.without, Some(Set::from([3, 5])));
    }

    #[test]
    fn dependencies_stay_together() {
        // 2 builds upon 0, and 4 upon both.
        let mut after = independent(6);
        after[2] = Set::from([0]);
        after[4] = Set::from([0, 2]);
        for (first, second) in (0..6).flat_map(|a| (a..6).map(move |b| (a, b))) {
            let (found, _) = search(&after, &fails_with(&Set::from([first, second])));
            let blamed = &found.faults[0].workers;
            let mut closed: Set = blamed.iter().flat_map(|worker| after[*worker].clone()).collect();
            closed.extend(blamed);
            assert!(closed.is_superset(&Set::from([first, second])), "{first} {second}: {found:?}");
            assert!(blamed.iter().all(|worker| [first, second].contains(worker)));
            let without = found.without.unwrap();
            assert!(after.iter().enumerate().all(|(worker, after)| {
                without.contains(&worker) || after.is_disjoint(&without)
            }));
        }
    }

    #[test]
    fn who_cannot_be_merged_without_the_other_is_never_named_alone() {
        // Each holds the commits of the other, or all three do; the last is merged by itself.
        let pair = [Set::from([1]), Set::from([0]), Set::new()];
        let ring = [Set::from([1]), Set::from([2]), Set::from([0]), Set::new()];
        for (after, together) in [(&pair[..], &[0, 1][..]), (&ring, &[0, 1, 2])] {
            let after = closed(after.to_vec());
            for culprit in together {
                let (found, _) = search(&after, &fails_with(&Set::from([*culprit])));
                let fault =
                    Fault { gate: 0, workers: together.to_vec(), alone: false, certain: false };
                assert_eq!(found.faults, [fault]);
                assert_eq!(found.without, Some(together.iter().copied().collect()));
            }
        }
    }

    #[test]
    fn nobody_is_blamed_for_a_red_start() {
        let (found, asked) = search(&independent(8), &|_| GateOutcome::Fails(0));
        assert_eq!((found.start, found.faults.len(), asked), (Some(0), 0, 1));
    }

    #[test]
    fn after_each_merge_the_last_one_is_the_trigger_at_once() {
        let mut asked = Vec::new();
        let seen = Seen { passes: Some(2), fails: 3 };
        let found = find_culprits::<Infallible>(&independent(5), 1, seen, |set, gate, _| {
            asked.push((set.clone(), gate));
            Ok(if set.contains(&2) { GateOutcome::Fails(1) } else { GateOutcome::Passes })
        });
        assert_eq!(found.unwrap().faults[0].workers, [2]);
        assert_eq!(asked, [(Set::from([2]), Some(1)), (Set::from([0, 1, 3, 4]), None)]);
    }

    /// A gate that fails once where it should not: tried for every culprit and every moment.
    #[test]
    fn a_whim_of_the_gate_blames_nobody() {
        for (first, second) in (0..7).flat_map(|a| (a..7).map(move |b| (a, b))) {
            let culprits = Set::from([first, second]);
            let truth = fails_with(&culprits);
            for whim in 0..20 {
                let (mut asked, mut failed) = (0, BTreeSet::new());
                let seen = Seen { passes: None, fails: 7 };
                let found =
                    find_culprits::<Infallible>(&independent(7), 0, seen, |set, gate, again| {
                        asked += 1;
                        // All gates together are asked twice anyway.
                        let is_whim = asked == whim + 1 && gate.is_some() && !again;
                        failed.extend(is_whim.then(|| set.clone()));
                        Ok(if is_whim { GateOutcome::Fails(0) } else { truth(set) })
                    });
                let faults = found.unwrap().faults;
                let [fault] = &faults[..] else { panic!("{failed:?}: {faults:?}") };
                let is_innocent = |worker: &usize| !culprits.contains(worker);
                assert!(!fault.workers.iter().any(is_innocent), "{failed:?}: {fault:?}");
            }
        }
    }

    /// Every oracle there is for three workers: nothing is claimed that it did not say.
    #[test]
    fn nothing_is_claimed_that_nobody_said() {
        let sets: Vec<Set> = (0..8_u32)
            .map(|bits| (0..3).filter(|worker| bits >> worker & 1 == 1).collect())
            .collect();
        for mut code in 0..3_usize.pow(7) {
            let mut said = BTreeMap::from([(sets[7].clone(), GateOutcome::Fails(0))]);
            for set in &sets[..7] {
                let answer =
                    [GateOutcome::Passes, GateOutcome::Fails(0), GateOutcome::Unknown][code % 3];
                said.insert(set.clone(), answer);
                code /= 3;
            }
            let (found, asked) = search(&independent(3), &|set| said[set]);
            assert!(asked <= 8);
            for fault in &found.faults {
                let set: Set = fault.workers.iter().copied().collect();
                assert_eq!(said[&set], GateOutcome::Fails(0), "{said:?} {found:?}");
                if fault.alone {
                    assert!(
                        set.iter().all(|worker| said[&Set::from([*worker])] == GateOutcome::Passes)
                    );
                }
            }
            if let Some(without) = &found.without {
                let rest: Set = (0..3).filter(|worker| !without.contains(worker)).collect();
                assert_eq!(said[&rest], GateOutcome::Passes);
            }
            assert_eq!(found.start.is_some(), said[&sets[0]] == GateOutcome::Fails(0));
        }
    }
}
