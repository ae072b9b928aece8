//! Plays the past again: a split made from what was known then, and the changes that came.
//!
//! * *window*: [`WINDOW`] changes one after the other; fewer in a young repository. Bulk changes are
//!   left out.
//! * *inside*: of the changes that touched several files, the share whose files all belong to one
//!   worker; 0 to 1. A file made after the split counts when it falls under a scope, and is left
//!   out when it falls under none; files that a plan shares belong to every worker.
//! * *crossing*: of all changes, the share that needs files of several workers, or of none.
//! * *speed-up*: the window's changes, one unit of time each, divided by the time they take when
//!   each runs at its worker and those that cross workers run alone; 1 is one session. A change of
//!   shared files only runs wherever there is time.
//!
//! The way is chosen window by window from the windows before it, as a user would have had to.

use std::collections::HashSet;

use super::log::{Changes, Known, PathId, share};
use super::random::Rng;
use super::search::{Alike, Training};
use super::split::{self, WAYS};
use super::tree::{Node, Owner, Split, Tree};

/// How many changes a window has.
pub const WINDOW: usize = 60;

/// How many changes before a split it is made from.
pub const PRACTICE: usize = 2_000;

/// Fewer changes than this are no history to learn from.
pub const FEWEST: usize = 20;

/// How many random splits make the random baseline.
const THROWS: u64 = 5;

/// Of fewer changes than this the search learns nothing that holds: in seven windows of five repositories it was
/// 9 % slower than folders. In larger histories it is faster.
const TAUGHT: usize = 100;

/// How much faster than another way the one that is believed in is before any window is played, as a logarithm: the
/// search was in 40 repositories.
const LEAD: f64 = 0.1;

/// As many windows are as sure as that: those of one repository differ twice as much as repositories do, so that a
/// few of them are noise.
const AS_SURE: f64 = 5.0;

/// What a split made of a window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Share of the changes of several files that stay inside one worker; 0 to 1.
    pub inside: f64,
    /// Share of all changes that need files of several workers, or of none; 0 to 1.
    pub crossing: f64,
    /// How many times faster than one session; 1 is one session.
    pub speedup: f64,
}

/// One window, and what every way made of it.
#[derive(Clone, Debug)]
pub struct Played {
    /// How many changes the window has.
    pub changes: usize,
    /// How many changes before it the split was made from.
    pub known: usize,
    /// In the order of [`WAYS`].
    pub ways: [Outcome; WAYS.len()],
}

/// What to compare with in one window.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The mean of random splits.
    pub random: Outcome,
    /// The best split of the window's own files that a search finds which knows the future.
    pub oracle: Outcome,
}

/// A file that a change wrote, and whether it existed when the window began.
type Written = (Node, bool);

/// What a change wrote, shared files left out, and how many files it touched with them.
#[derive(Clone, Debug)]
pub(super) struct PastChange {
    written: Vec<Written>,
    files: usize,
}

impl PastChange {
    /// A change of files that are there.
    pub(super) fn of(past: &Past<'_>, files: &[PathId]) -> Self {
        let own = files.iter().filter(|path| !past.is_shared(**path));
        let written = own.map(|path| (past.tree.node(*path), true)).collect();
        Self { written, files: files.len() }
    }

    fn nodes(&self) -> Vec<Node> {
        self.written.iter().map(|(node, _)| *node).collect()
    }
}

/// A window, with what was known when it began: prepared once for every number of workers.
#[derive(Clone, Debug)]
pub struct Moment<'p> {
    /// The window's changes, as indexes.
    pub window: Vec<usize>,
    /// What was known.
    pub known: Known,
    training: Training<'p>,
    pub(super) written: Vec<PastChange>,
}

/// The past, ready to be played.
#[derive(Clone, Debug)]
pub struct Past<'a> {
    /// The changes that are played, the oldest first.
    pub changes: Changes<'a>,
    /// The paths of all of them as a tree.
    pub tree: Tree,
    /// By path: whether every worker may touch it.
    shared: Vec<bool>,
}

/// Returns how many changes so many windows need, with those that the first one's split is made from.
pub fn needed(windows: usize) -> usize {
    windows.max(1).saturating_mul(WINDOW).saturating_add(PRACTICE)
}

impl<'a> Past<'a> {
    /// Prepares a log for playing; `shared` says which paths every worker may touch.
    pub fn new(changes: Changes<'a>, shared: impl Fn(&[u8]) -> bool) -> Self {
        let tree = Tree::of(changes.log);
        let shared = changes.log.paths.iter().map(|path| shared(path.as_bytes())).collect();
        Self { changes, tree, shared }
    }

    /// Returns the windows, the oldest first, as indexes of changes; at most `most`, and at least
    /// one window's worth of changes before the first.
    pub fn windows(&self, most: usize) -> Vec<Vec<usize>> {
        let plain = self.changes.plain();
        if plain.len() < FEWEST {
            return Vec::new();
        }
        let size = (plain.len() / 6).clamp(FEWEST / 2, WINDOW);
        let count = (plain.len() / size).saturating_sub(1).min(most);
        plain[plain.len() - count * size..].chunks(size).map(<[usize]>::to_vec).collect()
    }

    /// Returns what a search may learn from what was known at one moment.
    pub fn training(&self, known: &Known) -> Training<'_> {
        self.expecting(known, &[])
    }

    /// Returns the same for who knows what is to be done.
    pub fn expecting(&self, known: &Known, items: &[Alike]) -> Training<'_> {
        Training::expecting(&self.tree, known, &|path| self.is_shared(path), items)
    }

    /// Returns whether every worker may touch a path.
    pub fn is_shared(&self, path: PathId) -> bool {
        self.shared[path as usize]
    }

    /// Prepares a window of changes, by index.
    pub fn moment(&self, window: &[usize]) -> Moment<'_> {
        let known = self.changes.until(window[0], PRACTICE);
        let (training, written) = (self.training(&known), self.written(window));
        Moment { window: window.to_vec(), known, training, written }
    }

    /// Splits as was known when the window began, in every way, and plays it.
    pub fn play(&self, moment: &Moment<'_>, workers: usize) -> Played {
        let ways = split::ways(&moment.training, workers);
        let ways = ways.map(|split| self.outcome(&split, &moment.written));
        Played { changes: moment.window.len(), known: moment.known.changes.len(), ways }
    }

    /// Returns how random splits, and a split made with knowledge of the window's changes, do in it.
    pub fn bounds(&self, moment: &Moment<'_>, workers: usize, played: &Played) -> Bounds {
        let Moment { training, written, .. } = moment;
        let throws = (0..THROWS).map(|seed| {
            let mut rng = Rng::new(seed);
            let owner = |_: &usize| Owner::try_from(rng.below(workers)).unwrap_or(0);
            let owners: Vec<Owner> = training.walk.iter().map(owner).collect();
            self.outcome(&training.split(owners, workers), written)
        });
        Bounds { random: mean(throws), oracle: self.oracle(written, workers, &played.ways) }
    }

    fn oracle(&self, changes: &[PastChange], workers: usize, ways: &[Outcome]) -> Outcome {
        let future: Vec<Vec<Node>> = changes.iter().map(PastChange::nodes).collect();
        let training = Training::of_future(&self.tree, &future, future.len());
        let found = split::thorough(&training, workers).into_iter();
        let found = found.map(|split| self.outcome(&split, changes));
        let all = ways.iter().copied().chain(found);
        all.max_by(|a, b| a.speedup.total_cmp(&b.speedup)).unwrap_or_default()
    }

    /// Returns what the best single split would have made of all windows that a search finds which knows them.
    pub fn hindsight(&self, moments: &[Moment<'_>], workers: usize) -> Outcome {
        let changes = moments.iter().flat_map(|moment| &moment.written);
        let future: Vec<Vec<Node>> = changes.map(PastChange::nodes).collect();
        let window = moments.first().map_or(0, |moment| moment.window.len());
        let training = Training::of_future(&self.tree, &future, window);
        let played =
            |split: Split| mean(moments.iter().map(|moment| self.outcome(&split, &moment.written)));
        let found = split::thorough(&training, workers).into_iter().map(played);
        found.max_by(|a, b| a.speedup.total_cmp(&b.speedup)).unwrap_or_default()
    }

    fn written(&self, window: &[usize]) -> Vec<PastChange> {
        let mut made = HashSet::new();
        let mut changes = Vec::new();
        for entry in window.iter().map(|at| self.changes.entries[*at]) {
            let makes = entry.touches.iter().filter(|touch| touch.how.makes());
            made.extend(makes.map(|touch| touch.path));
            let files = entry.written().filter(|path| !self.is_shared(*path));
            let written = files.map(|path| (self.tree.node(path), !made.contains(&path)));
            changes.push(PastChange { written: written.collect(), files: entry.files });
        }
        changes
    }

    /// Plays changes with a split.
    pub(super) fn outcome(&self, split: &Split, changes: &[PastChange]) -> Outcome {
        let mut load = vec![0; split.workers];
        let (mut several, mut inside, mut crossing) = (0, 0, 0);
        for change in changes {
            let owner = |(node, existed): &Written| {
                let owner = split.owner(&self.tree, *node);
                (owner.is_some() || *existed).then_some(owner)
            };
            let owners: Vec<Option<Owner>> = change.written.iter().filter_map(owner).collect();
            let first = owners.first().copied().flatten();
            let is_one = owners.iter().all(|owner| owner.is_some() && *owner == first);
            several += usize::from(change.files > 1);
            inside += usize::from(change.files > 1 && is_one);
            crossing += usize::from(!is_one);
            first.filter(|_| is_one).into_iter().for_each(|at| load[usize::from(at)] += 1);
        }
        let most = load.iter().copied().max().unwrap_or(0);
        let time = most.max((changes.len() - crossing).div_ceil(split.workers)) + crossing;
        Outcome {
            inside: share(inside, several),
            crossing: share(crossing, changes.len()),
            speedup: share(changes.len(), time),
        }
    }
}

/// Returns the way to take after these windows, with so many changes known: folders where these teach little, else
/// the search; another where the windows say more against that than all repositories say for it.
pub fn choose(played: &[Played], known: usize) -> usize {
    let lead = |at: usize, over: usize| -> f64 {
        let of = |window: &Played| window.ways[at].speedup / window.ways[over].speedup;
        played.iter().map(|window| of(window).ln()).sum()
    };
    let believed = match known < TAUGHT {
        true => usize::from(lead(0, 1) <= 0.0),
        false => WAYS.len() - 1,
    };
    let better = (0..WAYS.len()).filter(|at| lead(*at, believed) > AS_SURE * LEAD);
    better.max_by(|a, b| lead(*a, believed).total_cmp(&lead(*b, believed))).unwrap_or(believed)
}

/// Returns for each window what the way made of it that the windows before it would have chosen.
pub fn chosen(played: &[Played]) -> Vec<Outcome> {
    let way = |at: usize| choose(&played[..at], played[at].known);
    (0..played.len()).map(|at| played[at].ways[way(at)]).collect()
}

/// Returns the mean of outcomes.
pub fn mean(outcomes: impl IntoIterator<Item = Outcome>) -> Outcome {
    let (mut sum, mut number) = (Outcome::default(), 0.0);
    for outcome in outcomes {
        sum.inside += outcome.inside;
        sum.crossing += outcome.crossing;
        sum.speedup += outcome.speedup;
        number += 1.0;
    }
    let number = f64::max(number, 1.0);
    Outcome {
        inside: sum.inside / number,
        crossing: sum.crossing / number,
        speedup: sum.speedup / number,
    }
}

/// Returns the bounds within which 90 % of the means lie when the windows are drawn again and
/// again, some twice and some not at all.
pub fn interval(values: &[f64]) -> (f64, f64) {
    const DRAWS: usize = 1_000;
    let mut rng = Rng::new(7);
    let mut means: Vec<f64> = (0..DRAWS)
        .map(|_| {
            let drawn = values.iter().map(|_| values[rng.below(values.len())]);
            drawn.sum::<f64>() / share(values.len().max(1), 1)
        })
        .collect();
    means.sort_by(f64::total_cmp);
    (means[DRAWS / 20], means[DRAWS - 1 - DRAWS / 20])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A window in which ways were this fast, after so many changes.
    fn window(known: usize, speedups: [f64; WAYS.len()]) -> Played {
        let outcome = |speedup| Outcome { speedup, ..Outcome::default() };
        Played { changes: WINDOW, known, ways: speedups.map(outcome) }
    }

    #[test]
    fn a_short_history_is_split_by_folders_until_windows_speak_against_them() {
        let (sub, search) = (1, 3);
        assert_eq!((choose(&[], TAUGHT - 1), choose(&[], TAUGHT)), (sub, search));
        assert_eq!(choose(&[window(60, [1.5, 1.4, 1.0, 1.0])], TAUGHT - 1), 0);
        let better = window(60, [1.0, 1.0, 1.0, 2.0]);
        assert_eq!(choose(&[better], TAUGHT - 1), search);
    }

    #[test]
    fn a_few_windows_say_nothing_against_the_search_and_many_do() {
        let (communities, search) = (2, 3);
        let worse = window(200, [1.3, 1.6, 1.7, 1.4]);
        assert_eq!(choose(&vec![worse.clone(); 2], 300), search);
        assert_eq!(choose(&vec![worse.clone(); 3], 300), communities);
        // What is chosen in a window is chosen by those before it.
        let played = [window(60, [1.3, 1.6, 1.7, 1.4]), worse.clone(), worse.clone(), worse];
        let speedups: Vec<f64> = chosen(&played).iter().map(|outcome| outcome.speedup).collect();
        assert_eq!(speedups, [1.6, 1.4, 1.4, 1.7]);
    }
}
