//! Finds a split that would have made past changes fast: local search over who owns which place of a walk, by
//! what one move would change of the cost.
//!
//! What is made small, all as shares of the weight of all changes: the load of the busiest worker, half
//! of it as if the load were even (what one stretch of the past made uneven the next one may not), plus
//! the changes that cross workers (no other worker works meanwhile), plus a price for every folder or
//! file whose owner is not its folder's: a split that is simple to say is one that holds.

use std::ops::Range;

use super::random::Rng;
use super::search::Training;
use super::tree::Owner;

/// How much of a stretch's time is that of its busiest worker; the rest is the mean square of loads, which
/// says of every worker how far it is from even, and holds better in changes that are still to come.
const BUSIEST: f64 = 0.5;

/// A pass over all places that gains less is the last.
const ENOUGH: f64 = 1e-4;

/// Less than this is no gain.
const GAIN: f64 = 1e-9;

/// Makes owners better, folder by folder and file by file, until nothing helps any more or all were looked at
/// `sweeps` times; returns them with what is left to make small.
pub(super) fn refine(
    training: &Training<'_>,
    owners: Vec<Owner>,
    workers: usize,
    sweeps: usize,
    rng: &mut Rng,
) -> (f64, Vec<Owner>) {
    let mut order: Vec<usize> =
        (1..owners.len()).filter(|place| training.is_used(*place)).collect();
    let mut owners = Owners::new(training, owners, workers);
    for _ in 0..sweeps {
        let before = owners.cost();
        for at in 0..order.len() {
            let other = at + rng.below(order.len() - at);
            order.swap(at, other);
            owners.improve(order[at]);
        }
        if before - owners.cost() < ENOUGH {
            break;
        }
    }
    (owners.cost(), owners.of)
}

/// Owners, and what they cost.
struct Owners<'t> {
    training: &'t Training<'t>,
    workers: usize,
    /// By place.
    of: Vec<Owner>,
    /// By change and worker: how many of its files are the worker's.
    counts: Vec<u16>,
    /// By batch of changes and worker: the weight of what runs at the worker.
    load: Vec<f64>,
    /// The time of all batches, without what crosses.
    time: f64,
    crossing: f64,
    boundaries: f64,
    /// What is told of one move; kept, so that no move needs memory of its own.
    touched: Touched,
}

/// One move: what lies at and below a place goes to a worker, or the part of it with the place's owner.
#[derive(Clone, Copy)]
struct Move {
    to: Owner,
    whole: bool,
}

/// The changes that a move could touch, and room to try it.
#[derive(Default)]
struct Touched {
    changes: Vec<TouchedChange>,
    /// By change: its place above and one more; 0 for none.
    slot: Vec<usize>,
    /// By touched change and worker: how many of the worker's files lie below the place.
    below: Vec<u16>,
    /// [`Owners::load`] as a move would make it; as it is between moves.
    load: Vec<f64>,
    /// Batches in which it differs.
    batches: Vec<usize>,
}

/// One change, by the workers that have files of it; a bit for each.
#[derive(Clone, Copy)]
struct TouchedChange {
    change: usize,
    all: u64,
    /// Those with files outside of what moves: when all below the place does, and when a part does.
    outside: [u64; 2],
    /// Whether that part has files of it.
    is_in_part: bool,
}

impl<'t> Owners<'t> {
    fn new(training: &'t Training<'t>, of: Vec<Owner>, workers: usize) -> Self {
        let (changes, batches) = (training.changes(), training.batches());
        let mut owners = Self {
            training,
            workers,
            of,
            counts: vec![0; changes * workers],
            load: vec![0.0; batches * workers],
            time: 0.0,
            crossing: 0.0,
            boundaries: 0.0,
            touched: Touched { slot: vec![0; changes], ..Touched::default() },
        };
        for (place, change) in training.uses(0..owners.of.len()) {
            owners.counts[change * workers + usize::from(owners.of[*place])] += 1;
        }
        (0..changes).for_each(|change| owners.count(change, 1.0));
        owners.boundaries = owners.boundaries_in(0..owners.of.len());
        owners.touched.load.clone_from(&owners.load);
        owners
    }

    fn cost(&self) -> f64 {
        self.time + self.crossing + self.training.boundary() * self.boundaries
    }

    /// Gives what lies at and below a place, or the part of it that has the place's owner, to the worker
    /// with whom it costs least.
    fn improve(&mut self, place: usize) {
        let (old, range) = (self.of[place], self.training.below(place));
        let is_mixed = self.of[range.clone()].iter().any(|owner| *owner != old);
        self.touch(&range, old);
        let inner = if is_mixed { self.inner_boundaries(&range, old) } else { Vec::new() };
        let mut best = (-GAIN, None);
        for to in 0..self.workers {
            let to = Owner::try_from(to).unwrap_or(Owner::MAX);
            for whole in [true, false] {
                let is_a_move = if whole { to != old || is_mixed } else { to != old && is_mixed };
                if is_a_move {
                    let tried = Move { to, whole };
                    let more = self.more_time(tried)
                        + self.training.boundary() * self.more_boundaries(place, tried, &inner);
                    if more < best.0 {
                        best = (more, Some(tried));
                    }
                }
            }
        }
        if let Some(tried) = best.1 {
            self.apply(range, old, tried);
        }
    }

    /// Finds the changes with files in a range of places, and who else has files of them.
    fn touch(&mut self, range: &Range<usize>, old: Owner) {
        let workers = self.workers;
        let Touched { changes, slot, below, .. } = &mut self.touched;
        changes.iter().for_each(|touched| slot[touched.change] = 0);
        changes.clear();
        below.clear();
        for (place, change) in self.training.uses(range.clone()) {
            if slot[*change] == 0 {
                let none =
                    TouchedChange { change: *change, all: 0, outside: [0; 2], is_in_part: false };
                changes.push(none);
                below.resize(below.len() + workers, 0);
                slot[*change] = changes.len();
            }
            below[(slot[*change] - 1) * workers + usize::from(self.of[*place])] += 1;
        }
        for (touched, below) in changes.iter_mut().zip(below.chunks(workers)) {
            let counts = &self.counts[touched.change * workers..][..workers];
            for (worker, (all, below)) in counts.iter().zip(below).enumerate() {
                let bit = |has: bool| u64::from(has) << worker;
                let is_old = worker == usize::from(old);
                touched.all |= bit(*all > 0);
                touched.outside[0] |= bit(all > below);
                touched.outside[1] |= bit(if is_old { all > below } else { *all > 0 });
                touched.is_in_part |= is_old && *below > 0;
            }
        }
    }

    /// Returns how much longer everything takes after a move of what was touched.
    fn more_time(&mut self, Move { to, whole }: Move) -> f64 {
        let workers = self.workers;
        let Touched { changes, load, batches, .. } = &mut self.touched;
        batches.clear();
        let mut more = 0.0;
        for touched in changes.iter().filter(|touched| whole || touched.is_in_part) {
            let after = touched.outside[usize::from(!whole)] | (1 << to);
            if after == touched.all {
                continue;
            }
            let weight = self.training.weight(touched.change);
            let first = self.training.batch_of(touched.change) * workers;
            let mut is_other = false;
            for (workers, weight) in [(touched.all, -weight), (after, weight)] {
                if workers.is_power_of_two() {
                    load[first + workers.trailing_zeros() as usize] += weight;
                    is_other = true;
                } else {
                    more += weight;
                }
            }
            if is_other && batches.last() != Some(&first) {
                batches.push(first);
            }
        }
        batches.sort_unstable();
        batches.dedup();
        for first in batches.iter() {
            let range = *first..first + workers;
            more += time(&load[range.clone()]) - time(&self.load[range.clone()]);
            load[range.clone()].copy_from_slice(&self.load[range]);
        }
        more
    }

    /// Returns by worker how many boundaries below a place are between it and the place's owner, and in
    /// the last place how many there are in all.
    fn inner_boundaries(&self, range: &Range<usize>, old: Owner) -> Vec<f64> {
        let mut inner = vec![0.0; self.workers + 1];
        for at in range.start + 1..range.end {
            let (own, above) = (self.of[at], self.of[self.training.parent(at)]);
            if own != above {
                inner[self.workers] += 1.0;
                let other = if own == old { above } else { own };
                inner[usize::from(other)] += f64::from(u8::from(own == old || above == old));
            }
        }
        inner
    }

    /// Returns how many more places have another owner than their folder after a move. What lies at the
    /// top is not said any simpler when its owner is that of the top.
    fn more_boundaries(&self, place: usize, Move { to, whole }: Move, inner: &[f64]) -> f64 {
        let folder = self.training.parent(place);
        let differs = |owner: Owner| f64::from(u8::from(folder != 0 && owner != self.of[folder]));
        let fewer = inner.get(if whole { self.workers } else { usize::from(to) });
        differs(to) - differs(self.of[place]) - fewer.copied().unwrap_or_default()
    }

    fn apply(&mut self, range: Range<usize>, old: Owner, Move { to, whole }: Move) {
        self.boundaries -= self.boundaries_in(range.clone());
        let training = self.training;
        for (place, change) in training.uses(range.clone()) {
            let from = self.of[*place];
            if from != to && (whole || from == old) {
                self.count(*change, -1.0);
                self.counts[change * self.workers + usize::from(from)] -= 1;
                self.counts[change * self.workers + usize::from(to)] += 1;
                self.count(*change, 1.0);
            }
        }
        let moves = |owner: &&mut Owner| whole || **owner == old;
        self.of[range.clone()].iter_mut().filter(moves).for_each(|owner| *owner = to);
        self.boundaries += self.boundaries_in(range);
        self.touched.load.copy_from_slice(&self.load);
    }

    /// Adds or takes away what one change costs.
    fn count(&mut self, change: usize, sign: f64) {
        let weight = self.training.weight(change) * sign;
        let counts = &self.counts[change * self.workers..][..self.workers];
        let mut owners = counts.iter().enumerate().filter(|(_, files)| **files > 0);
        match (owners.next(), owners.next()) {
            (Some((owner, _)), None) => {
                let first = self.training.batch_of(change) * self.workers;
                let load = &mut self.load[first..first + self.workers];
                let before = time(load);
                load[owner] += weight;
                self.time += time(load) - before;
            }
            _ => self.crossing += weight,
        }
    }

    fn boundaries_in(&self, places: Range<usize>) -> f64 {
        let differs = |at: &usize| {
            let folder = self.training.parent(*at);
            folder != 0 && self.of[*at] != self.of[folder]
        };
        places.filter(differs).map(|_| 1.0).sum()
    }
}

/// Returns what a stretch takes in which each worker has this load.
fn time(load: &[f64]) -> f64 {
    let (mut most, mut sum, mut square) = (0.0, 0.0, 0.0);
    for load in load {
        most = f64::max(most, *load);
        sum += load;
        square += load * load;
    }
    BUSIEST * most + (1.0 - BUSIEST) * square / f64::max(sum, 1e-12)
}
