//! The split that hindsight suggests: which folders and files should have been another worker's.
//!
//! Beginning with who worked on what, one folder or file after the other is given to the worker with whom the run
//! would have been fastest, as [`Work::replay`] plays it: a few moves, each of which can be told, in place of a
//! new split. The search of `analyze` is not used: it knows no order and no waiting, and says nothing of single
//! moves. What history says belongs together is torn apart only where that gains a lot.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pieces::{Replay, Work};
use super::units::{Touching, Unit, touching, units};
use crate::analyze::log::{Log, share};
use crate::analyze::random::Rng;
use crate::id::{Oid, WorkerId};
use crate::path::RepoPath;
use crate::plan::Plan;
use crate::scope::{Scope, overlaps};
use crate::text::counted;
use crate::time::{Seconds, about};

/// More moves would be another split, not a better one.
const MOST_MOVES: usize = 6;
/// What makes the run faster by less is no move.
const GAIN: f64 = 0.01;
/// What all moves together make it faster by, at least, to be told.
const CLEARLY: f64 = 0.05;
/// How much an even load is worth beside the time of the run: else of two equally long workers neither is relieved.
const EVENNESS: f64 = 0.05;
/// What a split costs that tears apart all past changes, as a share of all work: half of what it costs when the next
/// run does one piece after the other, since the run itself says as much.
const PAST: f64 = 0.5;
/// How many past changes are looked at.
pub const PAST_CHANGES: usize = 1_000;
/// How often the run is played with other times.
const DRAWS: usize = 100;
/// Workers whose work is offered to others in one step, the most loaded first; and what of it.
const SOURCES: usize = 3;
const UNITS: usize = 32;
/// Workers to which it is offered, the least loaded first.
const TARGETS: usize = 2;
/// Pieces of several workers whose files are offered, the longest first.
const CROSSING: usize = 32;

/// What a retrospective reads of a finished run besides the facts; nothing of a run that goes on.
#[derive(Clone, Debug, Default)]
pub struct Closer {
    /// The files that each commit of a worker changed, without merges.
    pub changed: BTreeMap<Oid, Vec<RepoPath>>,
    /// The history below the base.
    pub log: Log,
}

/// The run with other owners of its files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::report::requires_nothing)]
pub struct Hindsight {
    /// How many workers.
    pub workers: usize,
    /// What the run's own split would have taken without any pause.
    pub own_seconds: Seconds,
    /// At best: the same with the moves.
    pub least_seconds: Seconds,
    /// At worst: with as much lost around the work as in this run.
    pub most_seconds: Seconds,
    /// Share of trials in which the moves make the run faster, when each piece of work takes half to twice as long; 0
    /// to 1.
    pub sure: f64,
    /// What other workers should have owned, the best first; empty when nothing would have made it clearly faster.
    pub moves: Vec<Move>,
    /// The same as changes of the plan; absent where globs cannot say them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owns: Vec<NewGlobs>,
    /// What past changes say to it; absent when none touches several of these files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub past: Option<PastChanges>,
    /// The same in one sentence.
    pub text: String,
}

/// A folder or file that another worker should have owned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Move {
    /// The folder or file, as a glob.
    pub glob: String,
    /// How many files of it the run changed.
    pub files: usize,
    /// Who worked on it.
    pub from: WorkerId,
    /// Who should have.
    pub to: WorkerId,
    /// How long the pieces of work took that touched it.
    pub seconds: Seconds,
    /// Commits of these pieces, at most five.
    pub commits: Vec<Oid>,
}

/// What to add to `owns` of a worker; with `!` what is taken away from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NewGlobs {
    /// Whose `owns`.
    pub worker: WorkerId,
    /// In this order, after what is there.
    pub add: Vec<String>,
}

/// Past changes that touch several of the run's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PastChanges {
    /// How many there are among the newest thousand.
    pub changes: usize,
    /// How many need several workers of the run as it was.
    pub crossing: usize,
    /// How many need several with the moves.
    pub would_cross: usize,
}

/// A unit, by its index, and who is to own it.
type Step = (usize, usize);

struct Search<'a> {
    work: &'a Work,
    /// Past changes of several files of the run.
    past: Vec<Vec<usize>>,
    /// How many past changes touch any of them.
    known: usize,
    units: Vec<Unit>,
    /// By file: the pieces that touch it, and the past changes.
    touching: Vec<Touching>,
    /// What the run's own split takes.
    own: Replay,
}

/// Returns what other owners would have made of a run that took `elapsed`; `None` where nothing can be told.
pub(super) fn hindsight(
    plan: &Plan,
    work: &Work,
    log: &Log,
    elapsed: Seconds,
) -> Option<Hindsight> {
    let before = work.owners();
    let search = Search::new(work, log, &before);
    let workers = search.own.loads.iter().filter(|load| **load > 0).count();
    if workers < 2 || elapsed <= 0 {
        return None;
    }
    let steps = search.steps(&before);
    let after = search.taken(&before, &steps);
    let (own, best) = (search.own.seconds, search.replay(&after).seconds);
    let is_better = !steps.is_empty() && number(best) <= number(own) * (1.0 - CLEARLY);
    let (steps, after) = if is_better { (steps, after) } else { (Vec::new(), before.clone()) };
    let best = if is_better { best } else { own };
    // What was lost around the work in this run: waiting, merging, pauses. A run that took less than its own split
    // by this measure did at once what the measure has one after the other.
    let around = |seconds: Seconds| seconds.saturating_mul(elapsed) / own.max(1);
    let moves = search.moves(plan, &before, &steps);
    let mut found = Hindsight {
        workers,
        own_seconds: own,
        least_seconds: best.min(around(best)),
        most_seconds: best.max(around(best)),
        sure: search.sure(&before, &after),
        owns: globs(plan, work, &search.units, &after, &steps).unwrap_or_default(),
        moves,
        past: search.past(&before, &after),
        text: String::new(),
    };
    found.text = text(&found, elapsed);
    Some(found)
}

impl<'a> Search<'a> {
    fn new(work: &'a Work, log: &Log, before: &[usize]) -> Self {
        let place: HashMap<&RepoPath, usize> =
            work.files.iter().enumerate().map(|(at, path)| (path, at)).collect();
        let file = |path: &u32| place.get(&log.paths[*path as usize]).copied();
        let known = log.today(PAST_CHANGES).changes;
        let past = known.iter().map(|files| files.iter().filter_map(file).collect::<Vec<_>>());
        let mut past: Vec<Vec<usize>> = past.filter(|files| !files.is_empty()).collect();
        let known = past.len();
        past.retain(|files| files.len() > 1);
        let touching = touching(work, &past);
        let own = work.replay(before, |at| work.pieces[at].seconds);
        Self { work, past, known, units: units(work), touching, own }
    }

    fn replay(&self, owners: &[usize]) -> Replay {
        self.work.replay(owners, |at| self.work.pieces[at].seconds)
    }

    /// Returns the owners after these steps.
    fn taken(&self, before: &[usize], steps: &[Step]) -> Vec<usize> {
        let mut owners = before.to_vec();
        for (unit, to) in steps {
            owners[self.units[*unit].files.clone()].fill(*to);
        }
        owners
    }

    /// Returns how many past changes need several of these owners.
    fn crossing(&self, owners: &[usize]) -> usize {
        (0..self.past.len()).filter(|at| self.crosses(*at, owners)).count()
    }

    fn crosses(&self, past: usize, owners: &[usize]) -> bool {
        let files = &self.past[past];
        files.iter().any(|at| owners[*at] != owners[files[0]])
    }

    /// What is to be made small.
    fn cost(&self, owners: &[usize]) -> f64 {
        self.cost_of(self.crossing(owners), &self.replay(owners))
    }

    fn cost_of(&self, crossing: usize, Replay { seconds, loads }: &Replay) -> f64 {
        let sum: f64 = loads.iter().map(|load| number(*load)).sum();
        let square: f64 = loads.iter().map(|load| number(*load) * number(*load)).sum();
        let torn = share(crossing, self.known);
        number(*seconds) + EVENNESS * square / sum.max(1.0) + PAST * torn * sum
    }

    /// Takes the best step again and again, then leaves out those that are not worth it.
    fn steps(&self, before: &[usize]) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        while steps.len() < MOST_MOVES {
            let owners = self.taken(before, &steps);
            let Some(step) = self.best(&owners) else { break };
            steps.push(step);
        }
        let mut at = 0;
        while at < steps.len() {
            let mut rest = steps.clone();
            rest.remove(at);
            let cost = |steps: &[Step]| self.cost(&self.taken(before, steps));
            match cost(&rest) <= cost(&steps) * (1.0 + GAIN) {
                true => steps = rest,
                false => at += 1,
            }
        }
        steps
    }

    /// Returns the step that helps most; `None` when none helps.
    ///
    /// To play the run is what takes the time: it is not done for a step that could not help if all
    /// went on without a wait.
    fn best(&self, owners: &[usize]) -> Option<Step> {
        let (now, crossing) = (self.replay(owners), self.crossing(owners));
        let mut tried = owners.to_vec();
        let mut best = (self.cost_of(crossing, &now) * (1.0 - GAIN), None);
        for (unit, to) in self.candidates(owners, &now) {
            let files = self.units[unit].files.clone();
            tried[files.clone()].fill(to);
            let crossing = self.crossing_with(crossing, unit, owners, &tried);
            let mut replay = self.without_waits(&now, unit, owners, &tried);
            // A worker without work would be another number of workers.
            if is_busy(&replay, &now) && self.cost_of(crossing, &replay) < best.0 {
                replay.seconds = self.replay(&tried).seconds;
                let cost = self.cost_of(crossing, &replay);
                if cost < best.0 {
                    best = (cost, Some((unit, to)));
                }
            }
            tried[files.clone()].copy_from_slice(&owners[files]);
        }
        best.1
    }

    /// Returns how many past changes need several owners once a unit has another one.
    fn crossing_with(&self, now: usize, unit: usize, old: &[usize], new: &[usize]) -> usize {
        let touched = self.touched(unit, |touching| &touching.past);
        let count = |owners| touched.iter().filter(|at| self.crosses(**at, owners)).count();
        now + count(new) - count(old)
    }

    /// Returns the loads once a unit has another owner, and the least that the run can take with them.
    fn without_waits(&self, now: &Replay, unit: usize, old: &[usize], new: &[usize]) -> Replay {
        let mut loads = now.loads.clone();
        for at in self.touched(unit, |touching| &touching.pieces) {
            let piece = &self.work.pieces[at];
            self.work.holders(piece, old).into_iter().for_each(|it| loads[it] -= piece.seconds);
            self.work.holders(piece, new).into_iter().for_each(|it| loads[it] += piece.seconds);
        }
        Replay { seconds: loads.iter().copied().max().unwrap_or_default(), loads }
    }

    /// Returns what touches any file of a unit, each once.
    fn touched(&self, unit: usize, of: impl Fn(&Touching) -> &Vec<usize>) -> Vec<usize> {
        let files = &self.touching[self.units[unit].files.clone()];
        let mut all: Vec<usize> = files.iter().flat_map(of).copied().collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Returns what may help: parts of the work of the most loaded for the least loaded, and files of pieces that
    /// need several workers for one of these.
    fn candidates(&self, owners: &[usize], now: &Replay) -> BTreeSet<Step> {
        let mut loaded: Vec<usize> = (0..now.loads.len()).filter(|at| now.loads[*at] > 0).collect();
        loaded.sort_by_key(|at| (Seconds::MAX - now.loads[*at], *at));
        let mut all = BTreeSet::new();
        for from in loaded.iter().take(SOURCES) {
            let mut units = self.units_of(*from, owners);
            units.sort_by_key(|at| (Seconds::MAX - self.units[*at].seconds, *at));
            let targets = loaded.iter().rev().filter(|to| *to != from).take(TARGETS);
            let pairs = targets.flat_map(|to| units.iter().take(UNITS).map(|unit| (*unit, *to)));
            all.extend(pairs);
        }
        let holders = |at: &usize| self.work.holders(&self.work.pieces[*at], owners);
        let mut crossing: Vec<usize> =
            (0..self.work.pieces.len()).filter(|at| holders(at).len() > 1).collect();
        crossing.sort_by_key(|at| (Seconds::MAX - self.work.pieces[*at].seconds, *at));
        for at in crossing.into_iter().take(CROSSING) {
            let holders = holders(&at);
            let files = &self.work.pieces[at].files;
            let touched = |unit: &&Unit| files.iter().any(|file| unit.files.contains(file));
            let units = self.units.iter().enumerate().filter(|(_, unit)| touched(unit));
            for (unit, from) in
                units.take(UNITS).filter_map(|(at, _)| Some((at, self.owner(at, owners)?)))
            {
                all.extend(holders.iter().filter(|to| **to != from).map(|to| (unit, *to)));
            }
        }
        all
    }

    fn units_of(&self, worker: usize, owners: &[usize]) -> Vec<usize> {
        (0..self.units.len()).filter(|at| self.owner(*at, owners) == Some(worker)).collect()
    }

    /// Returns who owns all of a unit.
    fn owner(&self, unit: usize, owners: &[usize]) -> Option<usize> {
        let owners = &owners[self.units[unit].files.clone()];
        let first = owners.first().copied();
        first.filter(|first| owners.iter().all(|owner| owner == first))
    }

    /// Returns in which share of trials with other times the second split is faster.
    fn sure(&self, before: &[usize], after: &[usize]) -> f64 {
        if before == after {
            return 0.0;
        }
        let mut rng = Rng::new(3);
        let faster = (0..DRAWS).filter(|_| {
            let mut draw = |piece: &super::pieces::Piece| {
                let power = share(rng.below(2_001), 1_000) - 1.0;
                stretched(piece.seconds, power)
            };
            let times: Vec<Seconds> = self.work.pieces.iter().map(&mut draw).collect();
            let takes = |owners| self.work.replay(owners, |at| times[at]).seconds;
            takes(after) < takes(before)
        });
        share(faster.count(), DRAWS)
    }

    fn past(&self, before: &[usize], after: &[usize]) -> Option<PastChanges> {
        let (crossing, would_cross) = (self.crossing(before), self.crossing(after));
        let past = PastChanges { changes: self.past.len(), crossing, would_cross };
        (past.changes > 0).then_some(past)
    }

    fn moves(&self, plan: &Plan, before: &[usize], steps: &[Step]) -> Vec<Move> {
        let mut owners = before.to_vec();
        let mut moves = Vec::new();
        for (unit, to) in steps {
            let unit = &self.units[*unit];
            let touches = |piece: &&super::pieces::Piece| {
                piece.files.iter().any(|file| unit.files.contains(file))
            };
            let pieces = self.work.pieces.iter().filter(touches);
            let id = |worker: usize| plan.workers[worker].id.clone();
            moves.push(Move {
                glob: unit.glob.clone(),
                files: unit.files.len(),
                from: id(owners[unit.files.start]),
                to: id(*to),
                seconds: unit.seconds,
                commits: pieces.filter_map(|piece| piece.commit.clone()).take(5).collect(),
            });
            owners[unit.files.clone()].fill(*to);
        }
        moves
    }
}

/// Returns whether each worker that has work keeps some.
fn is_busy(after: &Replay, before: &Replay) -> bool {
    let mut pairs = after.loads.iter().zip(&before.loads);
    pairs.all(|(after, before)| *after > 0 || *before == 0)
}

/// Returns what the steps add to `owns` of each worker, proved: the files of the run have the owners that they should,
/// and no path has more owners than before.
fn globs(
    plan: &Plan,
    work: &Work,
    units: &[Unit],
    after: &[usize],
    steps: &[Step],
) -> Option<Vec<NewGlobs>> {
    if steps.is_empty() {
        return Some(Vec::new());
    }
    let mut owns: Vec<Vec<String>> = plan
        .workers
        .iter()
        .map(|worker| worker.owns.globs().map(str::to_owned).collect())
        .collect();
    let had: Vec<usize> = owns.iter().map(Vec::len).collect();
    for (unit, to) in steps {
        let glob = &units[*unit].glob;
        let moved = Scope::parse(&[glob]).ok()?;
        for (at, globs) in owns.iter_mut().enumerate() {
            let meets = !overlaps(&[&Scope::parse(globs).ok()?, &moved]).is_empty();
            match at == *to {
                true => globs.push(glob.clone()),
                false if meets => globs.push(format!("!{glob}")),
                false => {}
            }
        }
    }
    let scopes: Option<Vec<Scope>> = owns.iter().map(|globs| Scope::parse(globs).ok()).collect();
    let (scopes, old): (Vec<Scope>, Vec<&Scope>) =
        (scopes?, plan.workers.iter().map(|worker| &worker.owns).collect());
    let mut moved = steps.iter().flat_map(|(unit, _)| units[*unit].files.clone());
    let is_said = moved.all(|file| scopes[after[file]].owns(&work.files[file]))
        && overlaps(&scopes.iter().collect::<Vec<_>>()).len() <= overlaps(&old).len();
    let all = plan.workers.iter().zip(owns).zip(had);
    let added = all.map(|((worker, mut globs), had)| NewGlobs {
        worker: worker.id.clone(),
        add: globs.split_off(had),
    });
    is_said.then(|| added.filter(|new| !new.add.is_empty()).collect())
}

fn text(found: &Hindsight, elapsed: Seconds) -> String {
    if found.moves.is_empty() {
        return "no other owner of a folder or file would have made the run clearly faster"
            .to_owned();
    }
    let (from, to) = (about(found.least_seconds), about(found.most_seconds));
    let moved = |one: &Move| format!("{} to {} in place of {}", one.glob, one.to, one.from);
    let moves: Vec<String> = found.moves.iter().map(moved).collect();
    let sure = format!("{:.0} of 100 trials with other times", found.sure * 100.0);
    let past = found.past.map(|PastChanges { changes, crossing, would_cross }| {
        let changes = counted(changes, "past change");
        format!("; of {changes} of several of these files {crossing} crossed workers, {would_cross} would")
    });
    format!(
        "{}: {from} to {to}, not {}; faster in {sure}{}",
        moves.join(", "),
        about(elapsed),
        past.unwrap_or_default()
    )
}

#[expect(clippy::cast_precision_loss, reason = "seconds of a run are far below 2^52")]
fn number(seconds: Seconds) -> f64 {
    seconds as f64
}

/// Returns a time times two to the power.
#[expect(clippy::cast_possible_truncation, reason = "seconds of a run are far below 2^52")]
fn stretched(seconds: Seconds, power: f64) -> Seconds {
    (number(seconds) * power.exp2()).round() as Seconds
}

#[cfg(test)]
mod tests {
    use super::super::pieces::Piece;
    use super::*;

    /// Three workers on six files, a random number of pieces each.
    fn random(rng: &mut Rng) -> Work {
        let files = ["a/1", "a/2", "b/1", "b/2", "c/1", "c/2"].map(RepoPath::from).to_vec();
        let mut pieces = Vec::new();
        for worker in 0..3 {
            let mut until = 0;
            for _ in 0..=rng.below(4) {
                let seconds = 300 + Seconds::try_from(rng.below(2_400)).unwrap();
                until += seconds;
                let first = rng.below(5);
                let files = (first..=first + rng.below(2)).collect();
                let after = if rng.below(5) == 0 { vec![(worker + 1) % 3] } else { Vec::new() };
                pieces.push(Piece { worker, seconds, files, commit: None, after, until });
            }
        }
        pieces.sort_by_key(|piece| (piece.until, piece.worker));
        Work { files, pieces, before: vec![Vec::new(); 3] }
    }

    #[test]
    fn a_few_moves_come_near_the_best_of_all_splits() {
        let plan = "workflow: w\nworkers:\n  - {id: x, name: x, owns: [a]}\n  - {id: y, name: y, owns: [b]}\n  - {id: z, name: z, owns: [c]}\n";
        let plan = Plan::parse(plan).unwrap();
        let mut rng = Rng::new(11);
        let (mut gained, mut possible, mut told) = (0, 0, 0);
        for _ in 0..40 {
            let work = random(&mut rng);
            let takes = |owners: &[usize]| work.replay(owners, |at| work.pieces[at].seconds);
            let own = takes(&work.owners());
            let splits = (0..3_usize.pow(6)).map(|number| -> Vec<usize> {
                (0..6).map(|file| number / 3_usize.pow(file) % 3).collect()
            });
            let same = |replay: &Replay| is_busy(replay, &own);
            let best = splits.map(|owners| takes(&owners)).filter(same).map(|r| r.seconds).min();
            let Some(found) = hindsight(&plan, &work, &Log::default(), own.seconds) else {
                continue;
            };
            let best = best.unwrap();
            assert!(best <= found.least_seconds && found.least_seconds <= own.seconds, "{found:?}");
            assert!(found.moves.is_empty() || found.sure > 0.5, "{found:?}");
            told += usize::from(!found.moves.is_empty());
            gained += own.seconds - found.least_seconds;
            possible += own.seconds - best;
        }
        assert!(told > 10 && gained * 100 >= possible * 65, "{told} told, {gained} of {possible}");
    }

    #[test]
    fn what_a_step_changes_is_told_without_playing_the_run() {
        let mut rng = Rng::new(5);
        for _ in 0..40 {
            let work = random(&mut rng);
            let owners = work.owners();
            let change = |rng: &mut Rng| vec![rng.below(3), rng.below(3) + 3, rng.below(6)];
            let past: Vec<Vec<usize>> = (0..5).map(|_| change(&mut rng)).collect();
            let plain = Search::new(&work, &Log::default(), &owners);
            let search = Search { touching: touching(&work, &past), past, known: 5, ..plain };
            let (now, crossing) = (search.replay(&owners), search.crossing(&owners));
            for (unit, to) in
                (0..search.units.len()).flat_map(|unit| (0..3).map(move |to| (unit, to)))
            {
                let moved = search.taken(&owners, &[(unit, to)]);
                let (told, played) =
                    (search.without_waits(&now, unit, &owners, &moved), search.replay(&moved));
                assert_eq!(told.loads, played.loads);
                assert!(told.seconds <= played.seconds);
                let torn = search.crossing_with(crossing, unit, &owners, &moved);
                assert_eq!(torn, search.crossing(&moved));
            }
        }
    }

    #[test]
    fn what_globs_cannot_say_is_no_change_of_the_plan() {
        let plan = |b: &str| {
            let text = format!(
                "workflow: w\nworkers:\n  - {{id: x, name: x, owns: [src]}}\n  - {{id: y, name: y, owns: [{b}]}}\n"
            );
            Plan::parse(&text).unwrap()
        };
        let piece = Piece { files: vec![0, 1], ..Piece::default() };
        let work = Work {
            pieces: vec![piece.clone(), piece],
            files: vec!["src/a/1".into(), "src/a/2".into()],
            before: vec![Vec::new(); 2],
        };
        let units = units(&work);
        assert_eq!(
            units.iter().map(|unit| unit.glob.as_str()).collect::<Vec<_>>(),
            ["src/**", "src/a/**", "src/a/1", "src/a/2"]
        );
        let added = |b: &str| {
            let found = globs(&plan(b), &work, &units, &[1, 1], &[(1, 1)])?;
            Some(found.into_iter().map(|new| new.add.join(" ")).collect::<Vec<_>>())
        };
        assert_eq!(added("docs"), Some(vec!["!src/a/**".to_owned(), "src/a/**".to_owned()]));
        // An exclusion that the other has holds for whatever is added.
        assert_eq!(added("docs, \"!src/a/1\""), None);
    }
}
