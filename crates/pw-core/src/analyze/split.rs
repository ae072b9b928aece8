//! A portfolio of ways to split a repository; which one fits is for the back-test to say.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::owners::refine;
use super::random::Rng;
use super::search::Training;
use super::tree::{Owner, Split};

/// How often the search begins anew from each start; it ends elsewhere every time.
const TRIES: usize = 2;

/// How often it begins anew when it is asked for what is best possible.
const MANY: usize = 6;

/// How many passes over all nodes show which tries are worth more of them.
const FIRST: usize = 1;

/// How many tries are searched to their end.
const FINALISTS: usize = 2;

/// Most passes over all nodes.
const SWEEPS: usize = 8;

/// One way to find a split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// The folders at the top, the heaviest first to the worker with the least.
    TopFolders,
    /// The same with folders in them.
    SubFolders,
    /// Files that change together grow into groups.
    Communities,
    /// All of these and even cuts of the tree, each made better by the search: the best of them.
    Search,
}

/// All ways, the simplest first.
pub(super) const WAYS: [Way; 4] = [Way::TopFolders, Way::SubFolders, Way::Communities, Way::Search];

/// Returns what each of [`WAYS`] makes of the past.
pub(super) fn ways(training: &Training<'_>, workers: usize) -> [Split; WAYS.len()] {
    let starts = starts(training, workers);
    let ends = ends(training, workers, &starts, (TRIES, FINALISTS)).into_iter();
    let best = ends.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, owners)| owners);
    let [top, sub, communities, _] = starts;
    [top, sub, communities, best.unwrap_or_default()].map(|owners| training.split(owners, workers))
}

/// Returns every end of a longer search, for who knows the changes to come and can say which is best.
pub(super) fn thorough(training: &Training<'_>, workers: usize) -> Vec<Split> {
    let starts = starts(training, workers);
    let ends = ends(training, workers, &starts, (MANY, MANY * starts.len())).into_iter();
    ends.map(|(_, owners)| training.split(owners, workers)).collect()
}

fn starts(training: &Training<'_>, workers: usize) -> [Vec<Owner>; 4] {
    [
        folders(training, 1, workers),
        folders(training, 2, workers),
        communities(training, workers),
        cuts(training, workers),
    ]
}

/// Begins at every start so many times, searches the best of these to the end, and returns what they cost
/// and are.
fn ends(
    training: &Training<'_>,
    workers: usize,
    starts: &[Vec<Owner>],
    (tries, finalists): (usize, usize),
) -> Vec<(f64, Vec<Owner>)> {
    let mut rng = Rng::new(1);
    let tries = starts.iter().flat_map(|start| std::iter::repeat_n(start, tries));
    let tries = tries.map(|start| refine(training, start.clone(), workers, FIRST, &mut rng));
    let mut tries: Vec<(f64, Vec<Owner>)> = tries.collect();
    tries.sort_by(|a, b| a.0.total_cmp(&b.0));
    let ends = tries.into_iter().take(finalists);
    ends.map(|(_, owners)| refine(training, owners, workers, SWEEPS, &mut rng)).collect()
}

/// Gives units the heaviest first to the worker with the least.
fn share_out(weights: &[f64], workers: usize) -> Vec<Owner> {
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by(|a, b| weights[*b].total_cmp(&weights[*a]).then(a.cmp(b)));
    let mut load = vec![0.0; workers];
    let mut owners = vec![0; weights.len()];
    for unit in order {
        let least = (0..workers).min_by(|a, b| f64::total_cmp(&load[*a], &load[*b])).unwrap_or(0);
        load[least] += weights[unit];
        owners[unit] = owner(least);
    }
    owners
}

/// Shares out the folders at this depth; a folder above them keeps what lies directly in it.
fn folders(training: &Training<'_>, depth: usize, workers: usize) -> Vec<Owner> {
    let weights = training.weights();
    let (mut unit, mut deep) = (vec![0; weights.len()], vec![0; weights.len()]);
    for place in 1..weights.len() {
        let folder = training.parent(place);
        deep[place] = deep[folder] + 1;
        let is_file = training.tree.is_file(training.walk[place]);
        let opens = deep[place] <= depth && (!is_file || folder == 0);
        unit[place] = if opens { place } else { unit[folder] };
    }
    let mut own = vec![0.0; weights.len()];
    for place in 0..weights.len() {
        own[unit[place]] += weights[place];
        if place > 0 {
            own[unit[training.parent(place)]] -= weights[place];
        }
    }
    let shared = share_out(&own, workers);
    unit.into_iter().map(|unit| shared[unit]).collect()
}

/// Cuts the walk over all files where the parts weigh the same.
fn cuts(training: &Training<'_>, workers: usize) -> Vec<Owner> {
    let weights = training.weights();
    let part = weights.first().copied().unwrap_or_default() / count(workers);
    let (mut passed, mut at) = (0.0, 0);
    let mut owners = vec![0; weights.len()];
    for place in 0..weights.len() {
        if passed >= part * count(at + 1) && at + 1 < workers {
            at += 1;
        }
        owners[place] = owner(at);
        if training.is_leaf(place) {
            passed += weights[place];
        }
    }
    owners
}

/// Lets files that change together grow into groups not much heavier than a fair part, the
/// strongest tie first; then shares the groups out, and gives each folder to the worker with the most in it.
fn communities(training: &Training<'_>, workers: usize) -> Vec<Owner> {
    let weights = training.weights();
    let cap = 1.2 / count(workers);
    let mut heavy = weights.clone();
    let folders = (0..heavy.len()).filter(|at| !training.is_leaf(*at));
    folders.for_each(|at| heavy[at] = 0.0);
    let mut group: Vec<usize> = (0..heavy.len()).collect();
    for (a, b) in ties(training, &weights) {
        let (a, b) = (representative(&mut group, a), representative(&mut group, b));
        if a != b && heavy[a] + heavy[b] <= cap {
            group[b] = a;
            heavy[a] += std::mem::take(&mut heavy[b]);
        }
    }
    let shared = share_out(&heavy, workers);
    let mut owners = vec![0; weights.len()];
    for (place, owner) in owners.iter_mut().enumerate() {
        *owner = shared[representative(&mut group, place)];
    }
    settle(training, &weights, &mut owners, workers);
    owners
}

/// Returns the pairs of files that change together, and each file with its folder: neighbours
/// belong together where nothing else is known. The strongest first, as a share of the rarer one.
fn ties(training: &Training<'_>, weights: &[f64]) -> Vec<(usize, usize)> {
    let mut ties: Vec<((usize, usize), f64)> = Vec::new();
    for (weight, files) in training.sets() {
        let each = weight / count(files.len());
        for (at, a) in files.iter().enumerate() {
            ties.extend(files[at + 1..].iter().map(|b| ((*a, *b), each)));
            ties.push(((training.parent(*a), *a), each / 2.0));
        }
    }
    // Stable, so that sums are the same on every machine.
    ties.sort_by_key(|(pair, _)| *pair);
    ties.dedup_by(|later, first| {
        let is_same = later.0 == first.0;
        first.1 += if is_same { later.1 } else { 0.0 };
        is_same
    });
    let weight = |at: usize| if training.is_leaf(at) { weights[at] } else { f64::MAX };
    for ((a, b), tie) in &mut ties {
        *tie /= weight(*a).min(weight(*b)).max(1e-9);
    }
    ties.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    ties.into_iter().map(|(pair, _)| pair).collect()
}

fn representative(group: &mut [usize], mut at: usize) -> usize {
    while group[at] != at {
        group[at] = group[group[at]];
        at = group[at];
    }
    at
}

/// Gives each folder to the worker with the most of what lies in it.
fn settle(training: &Training<'_>, weights: &[f64], owners: &mut [Owner], workers: usize) {
    let mut held = vec![0.0; owners.len() * workers];
    for place in (0..owners.len()).rev() {
        let mine = place * workers..(place + 1) * workers;
        if training.is_leaf(place) {
            held[mine.start + usize::from(owners[place])] += weights[place];
        } else {
            let most = mine.clone().max_by(|a, b| f64::total_cmp(&held[*a], &held[*b]));
            owners[place] = owner(most.unwrap_or(mine.start) - mine.start);
        }
        let folder = training.parent(place) * workers;
        for worker in (0..workers).filter(|_| place > 0) {
            held[folder + worker] += held[mine.start + worker];
        }
    }
}

fn owner(worker: usize) -> Owner {
    Owner::try_from(worker).unwrap_or(0)
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number.max(1)).unwrap_or(u32::MAX))
}
