//! The work of a run in pieces, and how long it takes when its files have other owners.
//!
//! A piece is what a worker did between two commits that changed files; its time is the busy time in between.
//! The worker that owns its files does it; of files of several workers, one does it and the others stand still. Each
//! worker begins when those that it comes `after` are done, and takes its pieces in the order in which the run had
//! them. A piece waits for what it was built upon: all that the workers which its own came `after`, or had waited for,
//! had done by then.

use std::collections::{BTreeMap, BTreeSet};

use super::lane::Course;
use super::{Lane, TimeKind};
use crate::id::{Oid, WorkerId};
use crate::path::RepoPath;
use crate::plan::Plan;
use crate::time::Seconds;

/// Workers are counted in the order of the plan, files in that of their bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Work {
    /// What the run changed, without what the plan shares.
    pub(super) files: Vec<RepoPath>,
    /// In the order in which they ended.
    pub(super) pieces: Vec<Piece>,
    /// By worker: those that it comes after, directly or not.
    pub(super) before: Vec<Vec<usize>>,
}

/// What one worker did from one commit that changed files to the next.
#[derive(Clone, Debug, Default)]
pub(super) struct Piece {
    pub(super) worker: usize,
    pub(super) seconds: Seconds,
    pub(super) files: Vec<usize>,
    pub(super) commit: Option<Oid>,
    /// Workers whose pieces so far it is built upon.
    pub(super) after: Vec<usize>,
    pub(super) until: Seconds,
}

/// How the run goes with certain owners.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Replay {
    /// Until the last piece is done.
    pub(super) seconds: Seconds,
    /// By worker: how long it works or stands still for a piece of several workers.
    pub(super) loads: Vec<Seconds>,
}

impl Work {
    /// Cuts the run into pieces; `changed` are the files of each commit.
    pub(super) fn of(
        plan: &Plan,
        courses: &[&Course],
        lanes: &[Lane],
        changed: &BTreeMap<Oid, Vec<RepoPath>>,
    ) -> Self {
        let own = |path: &&RepoPath| !plan.shared.owns(path);
        let files: BTreeSet<&RepoPath> = courses
            .iter()
            .flat_map(|course| &course.signs)
            .filter_map(|sign| changed.get(&sign.commit))
            .flat_map(|paths| paths.iter().filter(own))
            .collect();
        let files: Vec<RepoPath> = files.into_iter().cloned().collect();
        let place = |oid: &Oid| -> Vec<usize> {
            let paths = changed.get(oid).into_iter().flatten();
            paths.filter_map(|path| files.binary_search(path).ok()).collect()
        };
        let parts = courses.iter().zip(lanes).enumerate();
        let mut pieces: Vec<Piece> =
            parts.flat_map(|(at, (course, lane))| pieces(plan, at, course, lane, &place)).collect();
        pieces.sort_by_key(|piece| (piece.until, piece.worker));
        let index = |id: &WorkerId| plan.ids().position(|known| known == id);
        let before = plan.ids().map(|id| plan.dependencies(id));
        let before = before.map(|all| all.into_iter().filter_map(index).collect()).collect();
        Self { files, pieces, before }
    }

    /// Returns the owner of each file that the run itself had: who worked longest on it.
    pub(super) fn owners(&self) -> Vec<usize> {
        let mut spent: Vec<BTreeMap<usize, Seconds>> = vec![BTreeMap::new(); self.files.len()];
        for piece in &self.pieces {
            for file in &piece.files {
                *spent[*file].entry(piece.worker).or_default() += piece.seconds + 1;
            }
        }
        let longest = |spent: BTreeMap<usize, Seconds>| {
            let most =
                spent.into_iter().max_by_key(|(worker, spent)| (*spent, usize::MAX - worker));
            most.map_or(0, |(worker, _)| worker)
        };
        spent.into_iter().map(longest).collect()
    }

    /// Returns the workers that own a piece's files, each once.
    pub(super) fn holders(&self, piece: &Piece, owners: &[usize]) -> BTreeSet<usize> {
        piece.files.iter().map(|file| owners[*file]).collect()
    }

    /// Plays the run with these owners; `seconds` says how long each piece takes.
    pub(super) fn replay(&self, owners: &[usize], seconds: impl Fn(usize) -> Seconds) -> Replay {
        let workers = self.before.len();
        let (mut free, mut done, mut loads) =
            (vec![0; workers], vec![0; workers], vec![0; workers]);
        let (mut seen, mut holders) = (vec![usize::MAX; workers], Vec::new());
        for at in self.order(owners) {
            let piece = &self.pieces[at];
            holders.clear();
            for owner in piece.files.iter().map(|file| owners[*file]) {
                if std::mem::replace(&mut seen[owner], at) != at {
                    holders.push(owner);
                }
            }
            let others = holders.iter().flat_map(|holder| &self.before[*holder]);
            let ready = holders.iter().chain(others).map(|worker| free[*worker]);
            let begin = ready.chain(piece.after.iter().map(|worker| done[*worker])).max();
            let takes = seconds(at);
            let end = begin.unwrap_or_default() + takes;
            for holder in &holders {
                free[*holder] = end;
                loads[*holder] += takes;
            }
            done[piece.worker] = done[piece.worker].max(end);
        }
        Replay { seconds: free.into_iter().max().unwrap_or_default(), loads }
    }

    /// Returns the pieces as they are begun: those of a worker after those of all that it comes after, of which
    /// there are always more than of any of these.
    fn order(&self, owners: &[usize]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.pieces.len()).collect();
        if self.before.iter().any(|before| !before.is_empty()) {
            let level = |file: &usize| self.before[owners[*file]].len();
            order.sort_by_cached_key(|at| self.pieces[*at].files.iter().map(level).max());
        }
        order
    }
}

/// Cuts the work of one worker: what it did before a commit without files belongs to the next one with some, what
/// it did after the last to that.
fn pieces(
    plan: &Plan,
    worker: usize,
    course: &Course,
    lane: &Lane,
    files: &impl Fn(&Oid) -> Vec<usize>,
) -> Vec<Piece> {
    let place = |id: &WorkerId| plan.ids().position(|known| known == id);
    let mut pieces: Vec<Piece> = Vec::new();
    let after = plan.workers[worker].after.iter().filter_map(place).collect();
    let mut open = Piece { worker, after, ..Piece::default() };
    let mut since = course.from.unwrap_or_default();
    for sign in &course.signs {
        open.seconds += busy(lane, since, sign.at);
        open.after.extend(waited_for(lane, since, sign.at).filter_map(place));
        since = sign.at;
        open.files = files(&sign.commit);
        if !open.files.is_empty() {
            (open.until, open.commit) = (sign.at, Some(sign.commit.clone()));
            pieces.push(std::mem::replace(&mut open, Piece { worker, ..Piece::default() }));
        }
    }
    if let Some(last) = pieces.last_mut() {
        last.seconds += open.seconds;
    }
    pieces
}

/// Returns the busy time between two moments.
fn busy(lane: &Lane, from: Seconds, until: Seconds) -> Seconds {
    let busy = lane.segments.iter().filter(|segment| segment.kind == TimeKind::Busy);
    busy.map(|segment| (segment.until.min(until) - segment.from.max(from)).max(0)).sum()
}

/// Returns the workers for which the wait ended between two moments.
fn waited_for(lane: &Lane, from: Seconds, until: Seconds) -> impl Iterator<Item = &WorkerId> {
    let ended = move |segment: &&super::Segment| {
        !segment.is_open && from < segment.until && segment.until <= until
    };
    let needs = lane.segments.iter().filter(ended).filter_map(|segment| segment.needs.as_ref());
    needs.map(|(worker, _)| worker)
}
