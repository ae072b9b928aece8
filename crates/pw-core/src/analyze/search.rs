//! Finds a split that would have made past changes fast: local search over the owners of folders
//! and files.
//!
//! What is made small, all as shares of the weight of all changes: the load of the busiest worker,
//! plus the changes that cross workers (no other worker works meanwhile), plus a price for every
//! folder or file whose owner is not its folder's: a split that is simple to say is one that holds.

use super::log::{Known, PathId};
use super::random::Rng;
use super::tree::{Node, Owner, ROOT, Split, Tree};

/// After how many changes one counts half.
const HALF_LIFE: f64 = 500.0;

/// The price of one folder or file that is its folder's owner's no more.
const BOUNDARY: f64 = 0.004;

/// How much an even load is worth beside the load of the busiest.
const EVENNESS: f64 = 0.05;

/// How many consecutive changes are treated as one: no worker should be idle in any of
/// them.
const BATCH: usize = 30;

/// Past changes, prepared for the search: nodes in the order of a walk, so that what lies below a
/// folder is one range.
#[derive(Clone, Debug)]
pub struct Training<'a> {
    pub tree: &'a Tree,
    /// The node of each place of the walk.
    pub walk: Vec<Node>,
    /// By place: the place of the folder, and where its range ends.
    parent: Vec<usize>,
    end: Vec<usize>,
    /// By place: where its uses begin; those of a range are one range, too.
    first_use: Vec<usize>,
    /// Which change touched the file at a place, place after place.
    uses: Vec<(usize, usize)>,
    weight: Vec<f64>,
    boundary: f64,
    /// How many consecutive changes are treated as one.
    batch: usize,
}

impl<'a> Training<'a> {
    /// Prepares what was known, the newest change weighing most; `ignored` files belong to no worker.
    pub fn new(tree: &'a Tree, known: &Known, ignored: &dyn Fn(PathId) -> bool) -> Self {
        let age =
            |at: usize| 0.5_f64.powf(f64::from(u32::try_from(at).unwrap_or(u32::MAX)) / HALF_LIFE);
        let nodes = |files: &Vec<PathId>| -> Vec<Node> {
            files.iter().filter(|file| !ignored(**file)).map(|file| tree.node(*file)).collect()
        };
        let changes: Vec<(f64, Vec<Node>)> = known
            .changes
            .iter()
            .enumerate()
            .map(|(at, files)| (age(at), nodes(files)))
            .filter(|(_, files)| !files.is_empty())
            .collect();
        // Folders at the top that no change touched lately have an owner all the same.
        let tops = known.files.iter().map(|file| tree.at_depth(tree.node(*file), 1));
        Self::prepare(tree, &changes, tops, (BOUNDARY, BATCH))
    }

    /// Prepares changes that all weigh the same, for a search that knows the future: then no split
    /// is too complicated.
    pub fn of_future(tree: &'a Tree, changes: &[Vec<Node>]) -> Self {
        let changes: Vec<(f64, Vec<Node>)> =
            changes.iter().map(|files| (1.0, files.clone())).collect();
        Self::prepare(tree, &changes, std::iter::empty(), (0.0, usize::MAX))
    }

    fn prepare(
        tree: &'a Tree,
        changes: &[(f64, Vec<Node>)],
        more: impl Iterator<Item = Node>,
        (boundary, batch): (f64, usize),
    ) -> Self {
        let total: f64 = changes.iter().map(|(weight, _)| weight).sum();
        let mut uses: Vec<(Node, usize)> = Vec::new();
        for (at, (_, files)) in changes.iter().enumerate() {
            uses.extend(files.iter().map(|file| (*file, at)));
        }
        let nodes = uses.iter().map(|(node, _)| *node).chain(more);
        let (walk, parent, end) = walk(tree, nodes);
        let mut place = vec![usize::MAX; tree.size()];
        walk.iter().enumerate().for_each(|(at, node)| place[*node] = at);
        let mut uses: Vec<(usize, usize)> =
            uses.into_iter().map(|(node, change)| (place[node], change)).collect();
        uses.sort_unstable();
        let first_use =
            (0..=walk.len()).map(|at| uses.partition_point(|(place, _)| *place < at)).collect();
        let weight = changes.iter().map(|(weight, _)| weight / total).collect();
        Self { tree, walk, parent, end, first_use, uses, weight, boundary, batch }
    }

    pub fn changes(&self) -> usize {
        self.weight.len()
    }

    /// Returns the weight of the changes below a place; one that touches several files counts once
    /// for each, shared out.
    pub fn weights(&self) -> Vec<f64> {
        let mut files = vec![0.0; self.weight.len()];
        self.uses.iter().for_each(|(_, change)| files[*change] += 1.0);
        let mut weights = vec![0.0; self.walk.len()];
        for (place, change) in &self.uses {
            weights[*place] += self.weight[*change] / files[*change];
        }
        for place in (1..self.walk.len()).rev() {
            weights[self.parent[place]] += weights[place];
        }
        weights
    }

    /// Returns the files of each change by place, with its weight.
    pub fn sets(&self) -> Vec<(f64, Vec<usize>)> {
        let mut sets: Vec<(f64, Vec<usize>)> =
            self.weight.iter().map(|weight| (*weight, Vec::new())).collect();
        self.uses.iter().for_each(|(place, change)| sets[*change].1.push(*place));
        sets
    }

    pub fn parent(&self, place: usize) -> usize {
        self.parent[place]
    }

    /// Returns the places below a folder, the folder included.
    pub fn below(&self, place: usize) -> std::ops::Range<usize> {
        place..self.end[place]
    }

    pub fn is_leaf(&self, place: usize) -> bool {
        self.below(place).len() == 1
    }

    /// Returns the split that these owners of places are, as scopes can say it: who lost a folder
    /// to another worker has no part of that folder, and what lies at the top in files only has the
    /// owner of most of them.
    pub fn split(&self, mut owners: Vec<Owner>, workers: usize) -> Split {
        let mut lost = vec![0_u64; owners.len()];
        for place in 1..owners.len() {
            let folder = self.parent[place];
            let (own, above) = (owners[place], owners[folder]);
            if folder != 0 && own != above {
                match lost[folder] & (1 << own) == 0 {
                    true => lost[place] = lost[folder] | (1 << above),
                    false => (owners[place], lost[place]) = (above, lost[folder]),
                }
            } else {
                lost[place] = lost[folder];
            }
        }
        let at_top = |at: &usize| self.parent[*at] == 0 && self.tree.is_file(self.walk[*at]);
        let mut files = vec![0; workers];
        (1..owners.len()).filter(at_top).for_each(|at| files[usize::from(owners[at])] += 1);
        let most = (0..workers).max_by_key(|worker| (files[*worker], workers - worker));
        owners[0] = most.and_then(|most| Owner::try_from(most).ok()).unwrap_or(0);
        let mut owner = vec![None; self.tree.size()];
        self.walk.iter().zip(owners).for_each(|(node, of)| owner[*node] = Some(of));
        Split { workers, owner }
    }

    /// Makes owners better, folder by folder and file by file, until nothing helps any more
    /// or all were looked at `sweeps` times; returns them with what is left to make small.
    pub fn refine(
        &self,
        owners: Vec<Owner>,
        workers: usize,
        sweeps: usize,
        rng: &mut Rng,
    ) -> (f64, Vec<Owner>) {
        let mut state = State::new(self, owners, workers);
        let mut order: Vec<usize> = (1..self.walk.len()).filter(|at| self.is_used(*at)).collect();
        for _ in 0..sweeps {
            let before = state.cost();
            for at in 0..order.len() {
                let other = at + rng.below(order.len() - at);
                order.swap(at, other);
                state.improve(order[at]);
            }
            if before - state.cost() < 1e-4 {
                break;
            }
        }
        (state.cost(), state.owners)
    }

    fn is_used(&self, place: usize) -> bool {
        self.first_use[place] < self.first_use[self.end[place]]
    }
}

/// Returns the nodes and all folders above them in the order of a walk, the place of each one's
/// folder, and where what lies below it ends.
fn walk(tree: &Tree, nodes: impl Iterator<Item = Node>) -> (Vec<Node>, Vec<usize>, Vec<usize>) {
    let mut is_in = vec![false; tree.size()];
    is_in[ROOT] = true;
    for node in nodes {
        for above in tree.upward(node) {
            if std::mem::replace(&mut is_in[above], true) {
                break;
            }
        }
    }
    let mut children: Vec<Vec<Node>> = vec![Vec::new(); tree.size()];
    // Backwards, so that a stack gives them back in order.
    for node in (1..tree.size()).rev().filter(|node| is_in[*node]) {
        children[tree.parent(node)].push(node);
    }
    let (mut order, mut parent, mut stack) = (Vec::new(), Vec::new(), vec![(ROOT, 0)]);
    while let Some((node, above)) = stack.pop() {
        let at = order.len();
        order.push(node);
        parent.push(above);
        stack.extend(children[node].iter().map(|child| (*child, at)));
    }
    let mut end: Vec<usize> = (1..=order.len()).collect();
    for at in (1..order.len()).rev() {
        end[parent[at]] = end[parent[at]].max(end[at]);
    }
    (order, parent, end)
}

/// Gives `to` what had any owner, or what had `old`.
fn given(before: &[Owner], old: Owner, (to, whole): (Owner, bool), tried: &mut [Owner]) {
    for (tried, before) in tried.iter_mut().zip(before) {
        *tried = if whole || *before == old { to } else { *before };
    }
}

/// Owners, and what they cost.
struct State<'t> {
    training: &'t Training<'t>,
    workers: usize,
    owners: Vec<Owner>,
    /// By change and worker: how many of its files are the worker's.
    counts: Vec<u16>,
    /// By batch of changes and worker: the weight of what runs at the worker.
    load: Vec<f64>,
    /// The busiest worker's load, over all batches.
    most: f64,
    crossing: f64,
    boundaries: f64,
}

impl<'t> State<'t> {
    fn new(training: &'t Training<'t>, owners: Vec<Owner>, workers: usize) -> Self {
        let counts = vec![0; training.changes() * workers];
        let batches = training.changes().div_ceil(training.batch);
        let load = vec![0.0; batches * workers];
        let mut state = Self {
            training,
            workers,
            owners,
            counts,
            load,
            most: 0.0,
            crossing: 0.0,
            boundaries: 0.0,
        };
        for (place, change) in &training.uses {
            state.counts[change * workers + usize::from(state.owners[*place])] += 1;
        }
        (0..training.changes()).for_each(|change| state.count(change, 1.0));
        state.boundaries = state.boundaries_in(0..state.owners.len());
        state
    }

    /// Adds or takes away what one change costs.
    fn count(&mut self, change: usize, sign: f64) {
        let weight = self.training.weight[change] * sign;
        let counts = &self.counts[change * self.workers..(change + 1) * self.workers];
        let mut owners = counts.iter().enumerate().filter(|(_, files)| **files > 0);
        match (owners.next(), owners.next()) {
            (Some((owner, _)), None) => {
                let first = change / self.training.batch * self.workers;
                let load = &mut self.load[first..first + self.workers];
                let before = Self::busiest(load);
                load[owner] += weight;
                self.most += Self::busiest(load) - before;
            }
            _ => self.crossing += weight,
        }
    }

    fn busiest(load: &[f64]) -> f64 {
        let most = load.iter().copied().fold(0.0, f64::max);
        let sum: f64 = load.iter().sum();
        let square: f64 = load.iter().map(|load| load * load).sum();
        most + EVENNESS * square / sum.max(1e-12)
    }

    fn cost(&self) -> f64 {
        self.most + self.crossing + self.training.boundary * self.boundaries
    }

    /// Returns how many places have another owner than their folder. What lies at the top is not
    /// said any simpler when its owner is that of the top.
    fn boundaries_in(&self, places: std::ops::Range<usize>) -> f64 {
        let differs = |at: &usize| {
            let folder = self.training.parent[*at];
            folder != 0 && self.owners[*at] != self.owners[folder]
        };
        places.filter(differs).map(|_| 1.0).sum()
    }

    /// Gives what lies at and below a place, or the part of it that has the place's owner, to the
    /// worker with whom it costs least.
    fn improve(&mut self, place: usize) {
        let old = self.owners[place];
        let range = self.training.below(place);
        let before: Vec<Owner> = self.owners[range.clone()].to_vec();
        let is_mixed = before.iter().any(|owner| *owner != old);
        let mut best = (self.cost() - 1e-9, None);
        let mut tried = before.clone();
        for to in 0..self.workers {
            let to = u8::try_from(to).unwrap_or(Owner::MAX);
            for whole in [true, false] {
                if (whole && to == old && !is_mixed) || (!whole && (to == old || !is_mixed)) {
                    continue;
                }
                given(&before, old, (to, whole), &mut tried);
                // From one trial to the next: to go back between them would cost as much again.
                self.set(range.clone(), &tried);
                if self.cost() < best.0 {
                    best = (self.cost(), Some((to, whole)));
                }
            }
        }
        match best.1 {
            Some(way) => given(&before, old, way, &mut tried),
            None => tried.copy_from_slice(&before),
        }
        self.set(range, &tried);
    }

    fn set(&mut self, range: std::ops::Range<usize>, owners: &[Owner]) {
        self.boundaries -= self.boundaries_in(range.clone());
        let training = self.training;
        let uses = training.first_use[range.start]..training.first_use[range.end];
        for (place, change) in &training.uses[uses] {
            let (from, to) = (self.owners[*place], owners[place - range.start]);
            if from != to {
                self.count(*change, -1.0);
                self.counts[change * self.workers + usize::from(from)] -= 1;
                self.counts[change * self.workers + usize::from(to)] += 1;
                self.count(*change, 1.0);
            }
        }
        self.owners[range.clone()].copy_from_slice(owners);
        self.boundaries += self.boundaries_in(range);
    }
}
