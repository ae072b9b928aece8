//! From the played past to an answer: how many workers, what it brings, or "don't".

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::backtest::{Bounds, Outcome, Past, Played, choose, chosen, interval, mean};
use super::coupling::{self, Pair};
use super::imagined;
use super::items_known::ItemsKnown;
use super::kinds;
use super::log::{Known, PathId, share};
use super::report::{
    Advice, Analysis, Backtest, Coverage, Estimate, Hub, OtherCount, Part, Recommendation, Score,
};
use super::scopes::{self, Unsaid};
use super::search::Alike;
use super::split::{self, WAYS, Way};
use super::tree::{Node, Split};
use crate::path::RepoPath;
use crate::text::counted;

/// Below this speed-up a split costs more than it brings: sessions to start, watch and merge.
pub const WORTH_IT: f64 = 1.3;

/// More crossing changes than this share, and workers wait for each other most of the time.
pub const MOST_CROSSING: f64 = 0.5;

/// How much faster one more worker must make the whole to be worth a person's attention.
const ONE_MORE: f64 = 1.08;

/// How many globs of a worker, hubs and pairs an answer lists.
pub(super) const LISTED: usize = 6;

/// A number of workers, and how the windows went with it.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// How many workers the split has.
    pub workers: usize,
    /// Each window, split with what was known before it and played; empty when the history is too
    /// short.
    pub played: Vec<Played>,
    /// Window by window; empty for a number of workers that is not taken.
    pub bounds: Vec<Bounds>,
    /// What one split that knew all windows would have made of them, where that was asked for.
    pub hindsight: Option<Outcome>,
    /// What splits made for the items to come would have, where that was asked for.
    pub items_known: Option<ItemsKnown>,
}

impl Evaluation {
    fn outcome(&self) -> Outcome {
        mean(chosen(&self.played))
    }
}

/// Returns the number of workers to take: the next one only while it makes the whole clearly
/// faster.
pub fn best(trials: &[Evaluation]) -> Option<&Evaluation> {
    let mut best = trials.first()?;
    for trial in &trials[1..] {
        if trial.outcome().speedup > best.outcome().speedup * ONE_MORE {
            best = trial;
        }
    }
    Some(best)
}

/// The whole answer, with what is too long for it.
#[derive(Clone, Debug)]
pub struct Advised {
    /// What `pw-setup analyze` answers.
    pub analysis: Analysis,
    /// The globs of each worker, all of them.
    pub globs: Vec<Vec<String>>,
    /// By worker: files of its own that it has since they change with those that its items name.
    pub taken: Vec<Vec<Pair>>,
}

/// Answers from a past, the files of today, and the numbers of workers that were tried; `wanted` is
/// the number to split for, `items` what is to be done where its words say more than the past alone.
pub fn advise(
    past: &Past<'_>,
    files: &[PathId],
    trials: &[Evaluation],
    wanted: usize,
    items: &[Alike],
) -> Advised {
    let mut notes = notes(past);
    let trial = trials.iter().find(|trial| trial.workers == wanted);
    let mut known = past.changes.until(past.changes.entries.len(), super::backtest::PRACTICE);
    known.files = files.to_vec();
    let way = WAYS[choose(trial.map_or(&[], |trial| &trial.played), known.changes.len())];
    let backtest = trial.filter(|t| !t.played.is_empty()).map(|trial| backtest(trial, trials, way));
    let mut verdict = verdict(past, files, backtest.as_ref());
    let way = if items.is_empty() { way } else { Way::Search };
    let (split, globs) = match files.len() {
        0 | 1 => (None, Vec::new()),
        _ => match say(past, &known, (way, items), wanted) {
            Ok((split, globs)) => (Some(split), globs),
            Err(why) => {
                notes.push(why);
                verdict.advice = Advice::OneSession;
                (None, Vec::new())
            }
        },
    };
    let workers: Vec<Part> =
        split.iter().flat_map(|split| parts(past, &known, split, &globs)).collect();
    let hubs = split.iter().flat_map(|split| hubs(past, &known, split, &workers)).collect();
    let shared = files.iter().filter(|path| past.is_shared(**path));
    let shared: BTreeSet<RepoPath> =
        shared.map(|path| kinds::shared_as(&name(past, *path))).collect();
    let today: HashSet<PathId> = files.iter().copied().collect();
    let is_today = |path: &PathId| today.contains(path) && !past.is_shared(*path);
    let ties = coupling::ties(&known.changes);
    let ties = ties.iter().filter(|tie| is_today(&tie.from) && is_today(&tie.to));
    let coupled = one_way(ties).take(LISTED).map(|tie| tie.named(|path| name(past, *path)));
    let analysis = Analysis {
        verdict,
        history: coverage(past),
        backtest,
        workers,
        items: Vec::new(),
        schedule: None,
        shared: shared.into_iter().collect(),
        hubs,
        foretold: None,
        coupled: coupled.collect(),
        plan: None,
        past: None,
        notes,
        next: Vec::new(),
    };
    Advised { analysis, globs, taken: Vec::new() }
}

pub(super) fn name(past: &Past<'_>, path: PathId) -> RepoPath {
    past.changes.log.paths[path as usize].clone()
}

/// Leaves out of ties the second direction of each pair, which says nothing new.
fn one_way<'a>(
    ties: impl Iterator<Item = &'a coupling::Tie<PathId>>,
) -> impl Iterator<Item = &'a coupling::Tie<PathId>> {
    let mut seen = HashSet::new();
    ties.filter(move |tie| seen.insert((tie.from.min(tie.to), tie.from.max(tie.to))))
}

fn coverage(past: &Past<'_>) -> Coverage {
    let changes = &past.changes;
    let log = changes.log;
    let bulk = changes.entries.iter().filter(|entry| entry.is_bulk()).count();
    Coverage {
        commits: log.entries.len(),
        changes: changes.entries.len(),
        bulk,
        by_merges: changes.are_merges,
        shallow: log.is_shallow,
        cut: log.is_cut,
    }
}

fn notes(past: &Past<'_>) -> Vec<String> {
    let Coverage { changes, bulk, shallow, .. } = coverage(past);
    let mut notes = Vec::new();
    if shallow {
        notes.push("the clone is shallow, so older changes are not known; git fetch --unshallow brings them".to_owned());
    }
    if bulk > 0 && bulk * 2 >= changes {
        notes.push(format!(
            "{bulk} of {} touch more than 30 files and count nothing",
            counted(changes, "change")
        ));
    }
    if past.windows(1).is_empty() {
        notes.push(format!(
            "{} are too few to play again; the split below rests on folders and is not tested",
            counted(changes - bulk, "change")
        ));
    }
    notes
}

fn backtest(trial: &Evaluation, trials: &[Evaluation], chosen_way: Way) -> Backtest {
    let outcomes = chosen(&trial.played);
    let outcome = mean(outcomes.iter().copied());
    let estimate = |mean: f64, of: &dyn Fn(&Outcome) -> f64| {
        let (low, high) = interval(&outcomes.iter().map(of).collect::<Vec<_>>());
        Estimate { mean: round(mean), low: round(low), high: round(high) }
    };
    let way = |at: usize| score(trial.played.iter().map(|played| played.ways[at]));
    let (top, sub) = (way(0), way(1));
    let others = trials.iter().filter(|other| other.workers != trial.workers).map(|other| {
        let Outcome { speedup, crossing, .. } = other.outcome();
        OtherCount { workers: other.workers, speedup: round(speedup), crossing: round(crossing) }
    });
    Backtest {
        windows: trial.played.len(),
        changes_per_window: trial.played.first().map_or(0, |played| played.changes),
        way: chosen_way,
        speedup: estimate(outcome.speedup, &|outcome| outcome.speedup),
        inside: estimate(outcome.inside, &|outcome| outcome.inside),
        crossing: round(outcome.crossing),
        folders: if top.speedup > sub.speedup { top } else { sub },
        random: score(trial.bounds.iter().map(|bounds| bounds.random)),
        best_possible: score(trial.bounds.iter().map(|bounds| bounds.oracle)),
        best_single: trial.hindsight.map(|outcome| score([outcome].into_iter())),
        items_known: trial.items_known.clone(),
        others: others.collect(),
    }
}

fn score(outcomes: impl Iterator<Item = Outcome>) -> Score {
    let Outcome { speedup, inside, .. } = mean(outcomes);
    Score { speedup: round(speedup), inside: round(inside) }
}

fn verdict(past: &Past<'_>, files: &[PathId], backtest: Option<&Backtest>) -> Recommendation {
    let one = |reason: String| Recommendation { advice: Advice::OneSession, reason };
    if files.len() < 2 {
        return one(format!(
            "there is nothing to split: the repository has {}",
            counted(files.len(), "file")
        ));
    }
    let Some(Backtest { speedup, crossing, folders, best_possible, .. }) = backtest else {
        let changes = counted(past.changes.plain().len(), "change");
        let reason = format!("{changes} say too little about what belongs together");
        return Recommendation { advice: Advice::Unknown, reason };
    };
    let numbers = format!(
        "past changes would have run {:.2} times as fast as in one session (top folders {:.2}, best possible {:.2}), {:.0} % of them alone because they cross workers",
        speedup.mean,
        folders.speedup,
        best_possible.speedup,
        crossing * 100.0
    );
    if speedup.mean < WORTH_IT {
        one(format!("{numbers}; below {WORTH_IT} a split costs more than it brings"))
    } else if *crossing > MOST_CROSSING {
        one(format!("{numbers}; most changes need several parts at once"))
    } else {
        Recommendation { advice: Advice::Split, reason: numbers }
    }
}

/// Returns the split that is made from all that is known, in scopes: in the way that was chosen, or
/// by folders where scopes cannot say that one.
fn say(
    past: &Past<'_>,
    known: &Known,
    (way, items): (Way, &[Alike]),
    workers: usize,
) -> Result<(Split, Vec<Vec<String>>), String> {
    let training = past.expecting(known, items);
    let nodes: Vec<Node> = unshared(past, known);
    let mut last = None;
    let mut splits = split::ways(&training, workers);
    if !items.is_empty()
        && let Some(best) = imagined::best(past, known, &training, items, workers)
    {
        splits[Way::Search as usize] = best;
    }
    for way in [way, Way::SubFolders, Way::TopFolders, Way::Search] {
        let split = splits[way as usize].clone();
        match scopes::globs(&past.tree, &split, &nodes) {
            Ok(globs) if globs.iter().all(|globs| !globs.is_empty()) => return Ok((split, globs)),
            Ok(_) => last = last.or(Some(Unsaid::TooMany)),
            Err(why) => last = Some(why),
        }
    }
    Err(match last {
        Some(Unsaid::Overlap(meeting)) => {
            format!("no split has scopes that are apart: two workers would own {}", meeting.witness)
        }
        _ => format!("the files cannot be shared out over {}", counted(workers, "worker")),
    })
}

/// Returns the files of today that some worker must own.
fn unshared(past: &Past<'_>, known: &Known) -> Vec<Node> {
    let own = known.files.iter().filter(|path| !past.is_shared(**path));
    own.map(|path| past.tree.node(*path)).collect()
}

fn parts(past: &Past<'_>, known: &Known, split: &Split, globs: &[Vec<String>]) -> Vec<Part> {
    let training = past.training(known);
    let weights = training.weights();
    let leaves = (0..weights.len()).filter(|at| training.is_leaf(*at));
    let weights: Vec<(Node, f64)> = leaves.map(|at| (training.walk[at], weights[at])).collect();
    let names = scopes::names(&past.tree, split, &weights);
    let files = scopes::files(&past.tree, split, &unshared(past, known));
    let mut shares = vec![0.0; split.workers];
    for (node, weight) in &weights {
        if let Some(owner) = split.owner(&past.tree, *node) {
            shares[usize::from(owner)] += weight;
        }
    }
    let part = |(at, name): (usize, String)| Part {
        name,
        owns: globs[at].iter().take(LISTED).cloned().collect(),
        more: Some(globs[at].len().saturating_sub(LISTED)).filter(|more| *more > 0),
        files: files[at],
        share: round(shares[at]),
        items: Vec::new(),
        after: Vec::new(),
    };
    names.into_iter().enumerate().map(part).collect()
}

/// Returns the files with the most crossing changes, at least two and a fifth of their own.
fn hubs(past: &Past<'_>, known: &Known, split: &Split, parts: &[Part]) -> Vec<Hub> {
    let owner = |path: &PathId| split.owner(&past.tree, past.tree.node(*path));
    let mut uses: BTreeMap<PathId, (usize, usize)> = BTreeMap::new();
    for files in &known.changes {
        let files: Vec<&PathId> = files.iter().filter(|path| !past.is_shared(**path)).collect();
        let crosses = files.iter().any(|path| owner(path) != owner(files[0]));
        for path in files {
            let (crossing, of) = uses.entry(*path).or_default();
            *crossing += usize::from(crosses);
            *of += 1;
        }
    }
    let is_hub = |(_, (crossing, of)): &(PathId, (usize, usize))| {
        *crossing >= 2 && share(*crossing, *of) >= 0.2
    };
    let mut uses: Vec<(PathId, (usize, usize))> = uses.into_iter().filter(is_hub).collect();
    uses.sort_by_key(|(path, (crossing, _))| (std::cmp::Reverse(*crossing), *path));
    let hub = |(path, (crossing, of)): (PathId, (usize, usize))| {
        let owner = parts.get(usize::from(owner(&path)?))?.name.clone();
        Some(Hub { path: name(past, path), owner, crossing, of })
    };
    uses.into_iter().filter_map(hub).take(LISTED).collect()
}

pub(super) fn round(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}
