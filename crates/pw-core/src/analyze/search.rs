//! What the search for a split learns from: past changes, as uses of places in a walk over the tree of folders.
//! The search is in [`super::owners`].

use super::log::{Known, PathId, share};
use super::tree::{Node, Owner, ROOT, Split, Tree};

/// After how many changes one counts half.
const HALF_LIFE: f64 = 500.0;

/// The price of one folder or file that is its folder's owner's no more, as a share of all changes.
const BOUNDARY: f64 = 0.004;

/// So many changes it costs at least: in a short history each is a large share, and a few of them prove
/// nothing.
const PROOF: f64 = 1.5;

/// How many consecutive changes are treated as one: no worker should be idle in any of
/// them.
const BATCH: usize = 30;

/// What items that are known weigh together, in weights of the whole past.
const EXPECTED: f64 = 4.0;

/// Changes of the past that are like what is to be done, by place among [`Known::changes`], each with its weight.
pub(super) type Alike = Vec<(usize, f64)>;

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
    /// How many changes are past; those that are expected come behind them, and are one batch.
    past: usize,
}

impl<'a> Training<'a> {
    /// Prepares what was known, the newest change weighing most; `ignored` files belong to no worker. For who
    /// knows what is to be done, past changes like each item are expected once more, and all items at once,
    /// so that no worker is idle then.
    pub fn expecting(
        tree: &'a Tree,
        known: &Known,
        ignored: &dyn Fn(PathId) -> bool,
        items: &[Alike],
    ) -> Self {
        let age =
            |at: usize| 0.5_f64.powf(f64::from(u32::try_from(at).unwrap_or(u32::MAX)) / HALF_LIFE);
        let nodes = |files: &Vec<PathId>| -> Vec<Node> {
            files.iter().filter(|file| !ignored(**file)).map(|file| tree.node(*file)).collect()
        };
        let mut changes: Vec<(f64, Vec<Node>)> = known
            .changes
            .iter()
            .enumerate()
            .map(|(at, files)| (age(at), nodes(files)))
            .filter(|(_, files)| !files.is_empty())
            .collect();
        // Folders at the top that no change touched lately have an owner all the same.
        let tops = known.files.iter().map(|file| tree.at_depth(tree.node(*file), 1));
        let total: f64 = changes.iter().map(|(weight, _)| weight).sum();
        let past = changes.len();
        let each = EXPECTED * total / share(items.len().max(1), 1);
        for alike in items {
            let sum: f64 = alike.iter().map(|(_, weight)| weight).sum();
            let again = alike
                .iter()
                .map(|(at, weight)| (each * weight / sum, nodes(&known.changes[*at])))
                .filter(|(_, files)| !files.is_empty());
            changes.extend(again);
        }
        let batches = (f64::max(BOUNDARY, PROOF / total.max(1.0)), BATCH);
        Self { past, ..Self::prepare(tree, &changes, tops, batches) }
    }

    /// Prepares changes that all weigh the same, for a search that knows the future: then no split
    /// is too complicated. So many consecutive ones are a window.
    pub fn of_future(tree: &'a Tree, changes: &[Vec<Node>], window: usize) -> Self {
        let changes: Vec<(f64, Vec<Node>)> =
            changes.iter().map(|files| (1.0, files.clone())).collect();
        Self::prepare(tree, &changes, std::iter::empty(), (0.0, window.max(1)))
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
        Self {
            tree,
            walk,
            parent,
            end,
            first_use,
            uses,
            weight,
            boundary,
            batch,
            past: changes.len(),
        }
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

    /// Returns which change touched the file at a place, for a range of places, place after place.
    pub fn uses(&self, places: std::ops::Range<usize>) -> &[(usize, usize)] {
        &self.uses[self.first_use[places.start]..self.first_use[places.end]]
    }

    /// Returns the share of a change in the weight of all.
    pub fn weight(&self, change: usize) -> f64 {
        self.weight[change]
    }

    /// Returns the price of one folder or file that is its folder's owner's no more.
    pub fn boundary(&self) -> f64 {
        self.boundary
    }

    /// Returns the batch that a change is in.
    pub fn batch_of(&self, change: usize) -> usize {
        if change < self.past { change / self.batch } else { self.past.div_ceil(self.batch) }
    }

    pub fn batches(&self) -> usize {
        self.past.div_ceil(self.batch) + usize::from(self.past < self.changes())
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

    /// Returns whether a change touched what lies at or below a place.
    pub fn is_used(&self, place: usize) -> bool {
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
