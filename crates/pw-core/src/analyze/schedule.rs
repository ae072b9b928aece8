//! Items shared out over workers: who does what, who waits for whom, and how long that takes.
//!
//! Items that meet in a file go to one worker; or the file goes to a worker of its own that comes
//! last, when that makes the whole faster. An item that comes after another's makes its worker come
//! after the other's: workers in circles are made one.

use std::collections::{BTreeMap, BTreeSet};

use super::items::{ItemFile, WorkItem};
use crate::graph;
use crate::plan::Size;

/// How many workers are tried when no number is asked for.
const NUMBERS: std::ops::RangeInclusive<usize> = 2..=5;

/// How much faster one more worker, or one that comes last, must make the whole.
const ONE_MORE: f64 = 1.08;

/// Files of several items that are tried for a worker of their own.
const MAX_JOINTS: usize = 6;

/// What two items whose files change together cost when they have two workers, in hours.
const APART: f64 = 0.5;

/// Most units of which each two are tried in each other's place.
const MAX_SWAPPED: usize = 40;

/// Passes of the search over all units.
const SWEEPS: usize = 6;

/// Returns the hours that a size stands for; an item of unknown size counts as an M.
pub fn hours(size: Option<Size>) -> f64 {
    match size {
        Some(Size::S) => 0.5,
        Some(Size::M) | None => 1.5,
        Some(Size::L) => 4.0,
        Some(Size::Xl) => 8.0,
    }
}

/// What one worker does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Duty {
    /// Places among the items.
    pub items: Vec<usize>,
    /// What its items change, the files of a later worker left out.
    pub files: BTreeSet<ItemFile>,
    /// Workers that it comes after.
    pub after: Vec<usize>,
    /// Hours of its own work.
    pub hours: f64,
    /// Whether it does what several items need in files of them all.
    pub is_joint: bool,
}

/// All workers, in an order in which each comes after those it waits for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schedule {
    /// Who does what.
    pub duties: Vec<Duty>,
    /// Hours of all work, divided by the hours until the last worker is done; 1 is one session.
    pub speedup: f64,
    /// The workers that make it take so long, the first one first.
    pub critical: Vec<usize>,
}

/// What is to be shared out.
pub struct Work<'a> {
    /// All items.
    pub items: &'a [WorkItem],
    /// By item: what it changes of what one worker must own; items without such files are left out.
    pub files: Vec<BTreeSet<ItemFile>>,
    /// Pairs of items, the lower place first, whose files change together.
    pub together: BTreeSet<(usize, usize)>,
}

/// Items that one worker must do.
struct Unit {
    items: Vec<usize>,
    hours: f64,
}

impl Work<'_> {
    /// Returns the best schedule, of this many workers where a number is asked for.
    pub fn schedule(&self, workers: Option<usize>) -> Schedule {
        let mut joints = BTreeSet::new();
        let mut best = self.with_joints(&joints, workers);
        for file in self.meeting_points() {
            let mut more = joints.clone();
            more.insert(file);
            let tried = self.with_joints(&more, workers);
            let is_asked = workers.is_none_or(|wanted| tried.duties.len() <= wanted);
            if tried.speedup > best.speedup * ONE_MORE && is_asked {
                (best, joints) = (tried, more);
            }
        }
        best
    }

    /// Returns files that several items change, each of which changes another one, too; those of
    /// most items first.
    fn meeting_points(&self) -> Vec<ItemFile> {
        let mut users: BTreeMap<&ItemFile, usize> = BTreeMap::new();
        self.files.iter().flatten().for_each(|file| *users.entry(file).or_default() += 1);
        let only = |file: &ItemFile| {
            self.files.iter().any(|files| files.contains(file) && files.len() == 1)
        };
        let is_point =
            |(file, number): &(&ItemFile, usize)| *number > 1 && !file.is_folder && !only(file);
        let mut points: Vec<(&ItemFile, usize)> = users.into_iter().filter(is_point).collect();
        points.sort_by_key(|(file, number)| (std::cmp::Reverse(*number), *file));
        points.into_iter().take(MAX_JOINTS).map(|(file, _)| file.clone()).collect()
    }

    fn with_joints(&self, joints: &BTreeSet<ItemFile>, workers: Option<usize>) -> Schedule {
        let units = self.units(joints);
        // The worker that comes last is one of those that are asked for.
        let rest = |wanted: usize| wanted.saturating_sub(usize::from(!joints.is_empty())).max(1);
        let numbers: Vec<usize> = workers.map_or(NUMBERS.collect(), |wanted| vec![rest(wanted)]);
        let mut best: Option<Schedule> = None;
        for number in numbers.into_iter().filter(|number| *number <= units.len().max(2)) {
            let owners = self.share_out(&units, number);
            let tried = self.drawn_up(&units, &owners, joints);
            if best.as_ref().is_none_or(|best| tried.speedup > best.speedup * ONE_MORE) {
                best = Some(tried);
            }
        }
        best.unwrap_or_default()
    }

    fn units(&self, joints: &BTreeSet<ItemFile>) -> Vec<Unit> {
        let placed: Vec<usize> =
            (0..self.items.len()).filter(|at| !self.files[*at].is_empty()).collect();
        let own = |at: usize| self.files[at].iter().filter(|file| !joints.contains(file));
        let mut pairs: Vec<(usize, usize)> = placed.iter().map(|at| (*at, *at)).collect();
        for (place, a) in placed.iter().enumerate() {
            for b in &placed[place + 1..] {
                if own(*a).any(|file| own(*b).any(|other| file.meets(other))) {
                    pairs.push((*a, *b));
                }
            }
        }
        let hours = |items: &[usize]| items.iter().map(|at| hours(self.items[*at].size)).sum();
        let mut groups = graph::groups(&pairs);
        groups.sort();
        groups.into_iter().map(|items| Unit { hours: hours(&items), items }).collect()
    }

    /// Returns the place of an item by its id.
    fn place(&self, id: &str) -> Option<usize> {
        self.items.iter().position(|item| item.id == id)
    }

    /// Returns for each unit the units it comes after.
    fn order(&self, units: &[Unit]) -> Vec<BTreeSet<usize>> {
        let unit = |item: usize| units.iter().position(|unit| unit.items.contains(&item));
        let before = |unit_at: usize| {
            let after = units[unit_at].items.iter().flat_map(|at| &self.items[*at].after);
            let units = after.filter_map(|id| self.place(id)).filter_map(unit);
            units.filter(|other| *other != unit_at).collect()
        };
        (0..units.len()).map(before).collect()
    }

    /// Gives units the largest first to the worker who has least, then moves them while that helps.
    fn share_out(&self, units: &[Unit], workers: usize) -> Vec<usize> {
        let order = self.order(units);
        let mut apart: Vec<(usize, usize)> = Vec::new();
        for (a, b) in &self.together {
            let unit = |item: &usize| units.iter().position(|unit| unit.items.contains(item));
            apart.extend(unit(a).zip(unit(b)).filter(|(a, b)| a != b));
        }
        let cost = |owners: &[usize]| cost(units, &order, &apart, owners, workers);
        let mut largest: Vec<usize> = (0..units.len()).collect();
        largest.sort_by(|a, b| units[*b].hours.total_cmp(&units[*a].hours).then(a.cmp(b)));
        let mut load = vec![0.0; workers];
        let mut owners = vec![0; units.len()];
        for unit in &largest {
            let least = (0..workers).min_by(|a, b| f64::total_cmp(&load[*a], &load[*b]));
            owners[*unit] = least.unwrap_or(0);
            load[owners[*unit]] += units[*unit].hours;
        }
        let mut least = cost(&owners);
        for _ in 0..SWEEPS {
            let before = least;
            for unit in &largest {
                for to in 0..workers {
                    let from = std::mem::replace(&mut owners[*unit], to);
                    let now = cost(&owners);
                    if now < least - 1e-9 {
                        least = now;
                    } else {
                        owners[*unit] = from;
                    }
                }
                for other in largest.iter().filter(|_| units.len() <= MAX_SWAPPED) {
                    owners.swap(*unit, *other);
                    let now = cost(&owners);
                    if now < least - 1e-9 {
                        least = now;
                    } else {
                        owners.swap(*unit, *other);
                    }
                }
            }
            if before - least < 1e-9 {
                break;
            }
        }
        owners
    }

    /// Makes a schedule of who owns which unit: circles made one, empty workers left out, and the
    /// files of several workers given to one that comes last.
    fn drawn_up(&self, units: &[Unit], owners: &[usize], joints: &BTreeSet<ItemFile>) -> Schedule {
        let mut owners = owners.to_vec();
        let order = self.order(units);
        let number = owners.iter().max().map_or(0, |most| most + 1);
        while let Some(circle) = circles(&order, &owners, number).into_iter().next() {
            owners.iter_mut().filter(|owner| circle.contains(owner)).for_each(|o| *o = circle[0]);
        }
        let after = waits(&order, &owners, number);
        let mut duties: Vec<Duty> = Vec::new();
        let mut place: Vec<Option<usize>> = vec![None; number];
        let mut left: Vec<usize> = (0..number).filter(|worker| owners.contains(worker)).collect();
        while !left.is_empty() {
            let is_free =
                |worker: &usize| after[*worker].iter().all(|other| place[*other].is_some());
            let Some(at) = left.iter().position(is_free) else { break };
            let worker = left.remove(at);
            let own = units.iter().zip(&owners).filter(|(_, owner)| **owner == worker);
            let mut items: Vec<usize> = own.flat_map(|(unit, _)| unit.items.clone()).collect();
            items.sort_unstable();
            let files = items.iter().flat_map(|at| &self.files[*at]);
            place[worker] = Some(duties.len());
            duties.push(Duty {
                files: files.filter(|file| !joints.contains(file)).cloned().collect(),
                after: after[worker].iter().filter_map(|other| place[*other]).collect(),
                hours: items.iter().map(|at| hours(self.items[*at].size)).sum(),
                is_joint: false,
                items,
            });
        }
        if !joints.is_empty() {
            duties.push(self.joint(&duties, joints));
        }
        timed(duties)
    }

    /// Returns the worker who does last what several items need in the same files.
    fn joint(&self, duties: &[Duty], joints: &BTreeSet<ItemFile>) -> Duty {
        let needs = |at: &usize| self.files[*at].iter().any(|file| joints.contains(file));
        let items: Vec<usize> =
            duties.iter().flat_map(|duty| &duty.items).copied().filter(needs).collect();
        let waits = |duty: &Duty| duty.items.iter().any(|at| items.contains(at));
        Duty {
            after: (0..duties.len()).filter(|at| waits(&duties[*at])).collect(),
            hours: items.iter().map(|_| hours(Some(Size::S)) / 2.0).sum(),
            files: joints.clone(),
            is_joint: true,
            items,
        }
    }
}

/// Returns for each worker the workers it comes after.
fn waits(order: &[BTreeSet<usize>], owners: &[usize], workers: usize) -> Vec<BTreeSet<usize>> {
    let mut after = vec![BTreeSet::new(); workers];
    for (unit, before) in order.iter().enumerate() {
        let others = before.iter().map(|other| owners[*other]);
        after[owners[unit]].extend(others.filter(|other| *other != owners[unit]));
    }
    after
}

fn circles(order: &[BTreeSet<usize>], owners: &[usize], workers: usize) -> Vec<Vec<usize>> {
    let edges = waits(order, owners, workers);
    graph::cycles(&edges.into_iter().map(|on| on.into_iter().collect()).collect::<Vec<_>>())
}

/// Returns the hours that an assignment takes, what it takes apart, and a little for uneven loads.
fn cost(
    units: &[Unit],
    order: &[BTreeSet<usize>],
    apart: &[(usize, usize)],
    owners: &[usize],
    workers: usize,
) -> f64 {
    let mut load = vec![0.0; workers];
    units.iter().zip(owners).for_each(|(unit, owner)| load[*owner] += unit.hours);
    let after = waits(order, owners, workers);
    let mut ends: Vec<Option<f64>> = vec![None; workers];
    for _ in 0..workers {
        for worker in 0..workers {
            let starts = after[worker].iter().map(|other| ends[*other]);
            let starts: Option<Vec<f64>> = starts.collect();
            let start = starts.map(|starts| starts.into_iter().fold(0.0, f64::max));
            ends[worker] = start.map(|start| start + load[worker]);
        }
    }
    let total: f64 = load.iter().sum();
    // Who waits in a circle never starts: as bad as one after the other.
    let last = ends.iter().map(|end| end.unwrap_or(total * 2.0)).fold(0.0, f64::max);
    let torn = apart.iter().filter(|(a, b)| owners[*a] != owners[*b]).count();
    let uneven: f64 = load.iter().map(|load| load * load).sum::<f64>() / total.max(1e-9);
    last + APART * f64::from(u32::try_from(torn).unwrap_or(u32::MAX)) + 0.01 * uneven
}

/// Says how long duties take that are in order.
fn timed(duties: Vec<Duty>) -> Schedule {
    let mut ends: Vec<(f64, Option<usize>)> = Vec::new();
    for duty in &duties {
        let latest = duty.after.iter().copied().max_by(|a, b| ends[*a].0.total_cmp(&ends[*b].0));
        let start = latest.map_or(0.0, |at| ends[at].0);
        ends.push((start + duty.hours, latest));
    }
    let last = (0..ends.len()).max_by(|a, b| ends[*a].0.total_cmp(&ends[*b].0).then(b.cmp(a)));
    let mut critical: Vec<usize> = std::iter::successors(last, |at| ends[*at].1).collect();
    critical.reverse();
    // What a later worker does for several items would be done with them by one session.
    let work: f64 = duties.iter().map(|duty| duty.hours).sum();
    let takes = last.map_or(0.0, |at| ends[at].0);
    Schedule { duties, speedup: if takes > 0.0 { work / takes } else { 1.0 }, critical }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An item that changes these files and comes after these items.
    fn item(at: usize, files: &[&str], after: &[usize], size: Size) -> WorkItem {
        let file = |path: &&str| ItemFile { path: (*path).into(), is_new: false, is_folder: false };
        WorkItem {
            id: format!("item-{at}"),
            action: String::new(),
            document: String::new(),
            line: at,
            priority: None,
            size: Some(size),
            files: files.iter().map(file).collect(),
            probable_files: Vec::new(),
            after: after.iter().map(|other| format!("item-{other}")).collect(),
            needs_clarification: Vec::new(),
        }
    }

    fn scheduled(items: &[WorkItem], workers: Option<usize>) -> Schedule {
        let files = items.iter().map(|item| item.files.iter().cloned().collect()).collect();
        Work { items, files, together: BTreeSet::new() }.schedule(workers)
    }

    fn shape(schedule: &Schedule) -> Vec<(Vec<usize>, Vec<usize>)> {
        schedule.duties.iter().map(|duty| (duty.items.clone(), duty.after.clone())).collect()
    }

    #[test]
    fn what_is_apart_runs_at_once_and_a_chain_does_not() {
        let m = Size::M;
        let apart = [item(0, &["a"], &[], m), item(1, &["b"], &[], m), item(2, &["c"], &[], m)];
        assert!((scheduled(&apart, None).speedup - 3.0).abs() < 1e-9);
        let chain = [item(0, &["a"], &[], m), item(1, &["b"], &[0], m), item(2, &["c"], &[1], m)];
        assert!(scheduled(&chain, None).speedup < 1.01);
        let first =
            [item(0, &["a"], &[], Size::S), item(1, &["b"], &[0], m), item(2, &["c"], &[0], m)];
        let schedule = scheduled(&first, None);
        assert!(schedule.speedup > 1.7, "{schedule:?}");
        assert_eq!(schedule.critical.len(), 2, "{schedule:?}");
    }

    #[test]
    fn one_file_of_all_goes_to_one_worker_that_comes_last() {
        let all: Vec<WorkItem> = ["a", "b", "c"]
            .iter()
            .enumerate()
            .map(|(at, own)| item(at, &[own, "router"], &[], Size::L))
            .collect();
        let schedule = scheduled(&all, None);
        let last = schedule.duties.last().unwrap();
        assert_eq!(
            (last.is_joint, &last.after, &last.items),
            (true, &vec![0, 1, 2], &vec![0, 1, 2])
        );
        assert_eq!(
            last.files.iter().map(|file| file.path.to_string()).collect::<Vec<_>>(),
            ["router"]
        );
        assert!(schedule.speedup > 2.0, "{schedule:?}");

        let small: Vec<WorkItem> = (0..3).map(|at| item(at, &["router"], &[], Size::S)).collect();
        assert_eq!(shape(&scheduled(&small, None)), [(vec![0, 1, 2], vec![])]);
    }

    #[test]
    fn a_circle_of_workers_is_one_worker() {
        let l = Size::L;
        // `a` before `b` before the rest of `a`: with one worker for each file, both would wait.
        let items = [
            item(0, &["a"], &[], l),
            item(1, &["b"], &[0], l),
            item(2, &["a"], &[1], l),
            item(3, &["c"], &[], l),
        ];
        let schedule = scheduled(&items, Some(3));
        assert!(schedule.duties.iter().any(|duty| duty.items == [0, 1, 2]), "{schedule:?}");
    }
}
