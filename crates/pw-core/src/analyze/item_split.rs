//! A split driven by work items: who does which, in what order, what that brings; or "don't".

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::advise::{Advised, LISTED, MOST_CROSSING, WORTH_IT, name, round};
use super::backtest::{PRACTICE, Past};
use super::coupling::{self, Pair};
use super::item_scopes::{self, Owned};
use super::item_words::{self, Expected, Parts};
use super::items::{ItemFile, WorkItem};
use super::kinds::Kind;
use super::log::{PathId, share};
use super::report::{Advice, Part, Recommendation, Timing};
use super::schedule::{Duty, Schedule, Work};
use super::scopes::slug;
use crate::path::RepoPath;
use crate::scope::Scope;
use crate::text::counted;

/// Fewer items than this are for one session.
const FEWEST: usize = 3;

/// Returns the same answer for these items: workers that do them, and whether that is worth it.
pub fn with_items(
    mut advised: Advised,
    past: &Past<'_>,
    files: &[PathId],
    (items, expected): (Vec<WorkItem>, &Expected),
    wanted: Option<usize>,
) -> Advised {
    let pairs = pairs(past, files);
    let made_for_them = Parts::of(&items, expected, &advised);
    let work = work(&items, &pairs, made_for_them.as_ref());
    let schedule = work.schedule(made_for_them.as_ref().map(Parts::number).or(wanted));
    let duties = &schedule.duties;
    let analysis = &mut advised.analysis;
    let owned = match &made_for_them {
        Some(parts) => parts.owned(duties),
        None => item_scopes::owned(duties, &pairs).unwrap_or_else(|_| {
            let note = "the items' files cannot be said in scopes that are apart";
            analysis.notes.push(note.to_owned());
            Vec::new()
        }),
    };
    let crossing = crossing(past, duties, &owned, files);
    let names = names(duties);
    let unplaced = (0..items.len()).filter(|at| work.files[*at].is_empty());
    let timing = Timing {
        speedup: round(schedule.speedup),
        critical_path: schedule.critical.iter().map(|at| names[*at].clone()).collect(),
        crossing: crossing.map(round),
        unplaced: unplaced.map(|at| items[at].id.clone()).collect(),
    };
    analysis.verdict = verdict(&items, &work, &schedule, &timing);
    if owned.is_empty() && analysis.verdict.advice == Advice::Split {
        analysis.verdict.advice = Advice::OneSession;
    }
    analysis.workers = parts(&items, duties, &owned, &names, files, past);
    analysis.coupled = torn(&pairs, &owned);
    analysis.hubs = Vec::new();
    analysis.schedule = Some(timing);
    advised.globs = owned.iter().map(|owned| owned.globs.clone()).collect();
    advised.taken = owned.into_iter().map(|owned| owned.taken).collect();
    advised.analysis.items = items;
    advised
}

/// Returns the pairs of files of today that change together, the surest first.
fn pairs(past: &Past<'_>, files: &[PathId]) -> Vec<Pair> {
    let known = past.changes.until(past.changes.entries.len(), PRACTICE);
    let today: HashSet<PathId> = files.iter().copied().collect();
    let is_today = |path: &PathId| today.contains(path) && !past.is_shared(*path);
    let ties = coupling::ties(&known.changes);
    let ties = ties.iter().filter(|tie| is_today(&tie.from) && is_today(&tie.to));
    ties.map(|tie| tie.named(|path| name(past, *path))).collect()
}

/// Returns what is to be shared out: lock files and changelogs belong to every worker. Where a split was made
/// for the items, an item changes a part of it.
fn work<'a>(items: &'a [WorkItem], pairs: &[Pair], made_for_them: Option<&Parts>) -> Work<'a> {
    let is_own = |file: &ItemFile| !Kind::of(file.path.as_bytes()).is_shared();
    let files: Vec<BTreeSet<ItemFile>> = match made_for_them {
        Some(parts) => parts.marks().map(|mark| mark.into_iter().collect()).collect(),
        None => items.iter().map(|item| item_words::files(item).filter(is_own).collect()).collect(),
    };
    let mut users: BTreeMap<&RepoPath, Vec<usize>> = BTreeMap::new();
    for (at, file) in
        files.iter().enumerate().flat_map(|(at, own)| own.iter().map(move |f| (at, f)))
    {
        users.entry(&file.path).or_default().push(at);
    }
    let mut together = BTreeSet::new();
    for pair in pairs {
        let users = |path| users.get(path).into_iter().flatten().copied();
        for a in users(&pair.path) {
            together.extend(users(&pair.with).filter(|b| *b != a).map(|b| (a.min(b), a.max(b))));
        }
    }
    Work { items, files, together }
}

fn verdict(
    items: &[WorkItem],
    work: &Work<'_>,
    schedule: &Schedule,
    timing: &Timing,
) -> Recommendation {
    let say = |advice: Advice, reason: String| Recommendation { advice, reason };
    let one = |reason: String| say(Advice::OneSession, reason);
    if items.len() < FEWEST {
        return one(format!(
            "{} to be done: a split is for three or more",
            counted(items.len(), "item")
        ));
    }
    let unplaced = timing.unplaced.len();
    if unplaced * 2 > items.len() {
        let reason = format!(
            "{unplaced} of {} name no file: find out first which files they change",
            counted(items.len(), "item")
        );
        return say(Advice::Unknown, reason);
    }
    let all: BTreeSet<&ItemFile> = work.files.iter().flatten().collect();
    if all.len() == 1 && !all.iter().any(|file| file.is_folder) {
        return one(format!(
            "all of it is in one file, {}",
            all.first().map_or_else(String::new, |file| file.path.to_string())
        ));
    }
    let guessed =
        items.iter().zip(&work.files).filter(|(item, of)| item.files.is_empty() && !of.is_empty());
    let guessed = match guessed.count() {
        0 => String::new(),
        number => format!(" (the files of {number} guessed by words of past changes)"),
    };
    let numbers = format!(
        "{}{guessed} for {} would be done {:.2} times as fast as in one session",
        counted(items.len() - unplaced, "item"),
        counted(schedule.duties.len(), "worker"),
        timing.speedup
    );
    let crossing = timing.crossing.unwrap_or_default();
    if timing.speedup < WORTH_IT {
        let has_order = work.items.iter().any(|item| !item.after.is_empty());
        let why =
            if has_order { "they come one after the other" } else { "they meet in the same files" };
        return one(format!(
            "{numbers}: {why}; below {WORTH_IT} a split costs more than it brings"
        ));
    }
    if crossing > MOST_CROSSING {
        return one(format!(
            "{numbers}, but {:.0} % of the past changes of their files need several of these workers",
            crossing * 100.0
        ));
    }
    let past = timing.crossing.map(|crossing| {
        format!(
            ", and {:.0} % of the past changes of their files stay inside one worker",
            (1.0 - crossing) * 100.0
        )
    });
    say(Advice::Split, numbers + &past.unwrap_or_default())
}

/// Returns of the past changes of these workers' files the share that needs several of them; what
/// one does last is no reason to wait.
fn crossing(past: &Past<'_>, duties: &[Duty], owned: &[Owned], files: &[PathId]) -> Option<f64> {
    let scopes: Vec<Option<Scope>> = owned
        .iter()
        .zip(duties)
        .map(|(owned, duty)| Scope::parse(&owned.globs).ok().filter(|_| !duty.is_joint))
        .collect();
    let owner = |path: PathId| {
        let path = name(past, path);
        scopes.iter().position(|scope| scope.as_ref().is_some_and(|scope| scope.owns(&path)))
    };
    let owners: BTreeMap<PathId, usize> =
        files.iter().filter_map(|path| Some((*path, owner(*path)?))).collect();
    let known = past.changes.until(past.changes.entries.len(), PRACTICE);
    let workers = |files: &Vec<PathId>| -> BTreeSet<usize> {
        files.iter().filter_map(|path| owners.get(path).copied()).collect()
    };
    let touching: Vec<BTreeSet<usize>> =
        known.changes.iter().map(workers).filter(|workers| !workers.is_empty()).collect();
    let several = touching.iter().filter(|workers| workers.len() > 1).count();
    (!touching.is_empty()).then(|| share(several, touching.len()))
}

/// Names each worker after the folder that all its files lie in, or after its first file.
fn names(duties: &[Duty]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (at, duty) in duties.iter().enumerate() {
        let paths: Vec<&RepoPath> = duty.files.iter().map(|file| &file.path).collect();
        let common = paths.first().and_then(|first| {
            let mut folders = std::iter::once(first.as_bytes()).chain(first.ancestors());
            folders.find(|folder| {
                let folder = RepoPath::new(*folder);
                paths.iter().all(|path| folder == **path || folder.contains(path))
            })
        });
        let first = paths.first().map(|path| path.as_bytes());
        let name = slug(common.or(first).unwrap_or_default());
        let name = if name.is_empty() { format!("part-{}", at + 1) } else { name };
        let is_taken = names.contains(&name);
        names.push(if is_taken { format!("{name}-{}", at + 1) } else { name });
    }
    names
}

fn parts(
    items: &[WorkItem],
    duties: &[Duty],
    owned: &[Owned],
    names: &[String],
    files: &[PathId],
    past: &Past<'_>,
) -> Vec<Part> {
    let hours: f64 = duties.iter().map(|duty| duty.hours).sum();
    let part = |(at, owned): (usize, &Owned)| {
        let scope = Scope::parse(&owned.globs).unwrap_or_default();
        Part {
            name: names[at].clone(),
            owns: owned.globs.iter().take(LISTED).cloned().collect(),
            more: Some(owned.globs.len().saturating_sub(LISTED)).filter(|more| *more > 0),
            files: files.iter().filter(|path| scope.owns(&name(past, **path))).count(),
            share: round(duties[at].hours / hours.max(f64::MIN_POSITIVE)),
            items: duties[at].items.iter().map(|item| items[*item].id.clone()).collect(),
            after: duties[at].after.iter().map(|other| names[*other].clone()).collect(),
        }
    };
    owned.iter().enumerate().map(part).collect()
}

/// Returns the pairs of which one file is a worker's and the other is not.
fn torn(pairs: &[Pair], owned: &[Owned]) -> Vec<Pair> {
    let scopes: Vec<Scope> =
        owned.iter().map(|owned| Scope::parse(&owned.globs).unwrap_or_default()).collect();
    let owner = |path: &RepoPath| scopes.iter().position(|scope| scope.owns(path));
    let is_torn = |pair: &&Pair| {
        let (from, to) = (owner(&pair.path), owner(&pair.with));
        from.is_some() && from != to
    };
    pairs.iter().filter(is_torn).take(LISTED).cloned().collect()
}
