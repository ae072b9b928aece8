//! Which files workers changed: where they met, and who changed what.

use std::collections::{BTreeMap, BTreeSet};

use super::Overlap;
use crate::own_commits::OwnCommits;
use crate::path::RepoPath;
use crate::plan::Plan;

/// Files and folders by workers, for a picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heat {
    /// Files of several workers or outside a scope first, then folders.
    pub rows: Vec<HeatRow>,
    /// How many rows that leaves out.
    pub left: usize,
}

/// One file, or all other files of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeatRow {
    /// The file or folder.
    pub path: RepoPath,
    /// Whether it stands for the other files of a folder.
    pub is_folder: bool,
    /// In the order of the plan: how many files, and how many of these outside the scope.
    pub cells: Vec<(usize, usize)>,
}

impl HeatRow {
    /// Returns how many workers changed something of it.
    pub fn workers(&self) -> usize {
        self.cells.iter().filter(|(files, _)| *files > 0).count()
    }
}

const MOST_FILES: usize = 30;
const MOST_FOLDERS: usize = 20;

/// Who changed each path, as indices into the workers of the plan.
fn touched<'a>(work: &'a [OwnCommits<'_>]) -> BTreeMap<&'a RepoPath, BTreeSet<usize>> {
    let mut touched: BTreeMap<&RepoPath, BTreeSet<usize>> = BTreeMap::new();
    for (at, work) in work.iter().enumerate() {
        for change in &work.changes {
            touched.entry(&change.path).or_default().insert(at);
        }
    }
    touched
}

/// Returns the paths that more than one worker changed.
pub(super) fn overlaps(plan: &Plan, work: &[OwnCommits<'_>]) -> Vec<Overlap> {
    let overlap = |(path, workers): (&RepoPath, BTreeSet<usize>)| Overlap {
        path: path.clone(),
        workers: workers.into_iter().map(|at| plan.workers[at].id.clone()).collect(),
        unshared: !plan.shared.owns(path),
    };
    touched(work).into_iter().filter(|(_, workers)| workers.len() > 1).map(overlap).collect()
}

/// Returns who changed what: each file that several workers changed or one without leave, and all
/// others by folder.
pub(super) fn heat(plan: &Plan, work: &[OwnCommits<'_>]) -> Heat {
    let none = vec![(0, 0); plan.workers.len()];
    let (mut files, mut folders): (Vec<HeatRow>, BTreeMap<RepoPath, HeatRow>) = Default::default();
    for (path, workers) in touched(work) {
        let is_foreign = |at: &usize| !plan.allows(&plan.workers[*at], path);
        if workers.len() > 1 || workers.iter().any(is_foreign) {
            let mut cells = none.clone();
            workers.iter().for_each(|at| cells[*at] = (1, usize::from(is_foreign(at))));
            files.push(HeatRow { path: path.clone(), is_folder: false, cells });
            continue;
        }
        let folder = RepoPath::new(path.ancestors().next().unwrap_or_default());
        let row = folders.entry(folder.clone()).or_insert_with(|| HeatRow {
            path: folder,
            is_folder: true,
            cells: none.clone(),
        });
        workers.iter().for_each(|at| row.cells[*at].0 += 1);
    }
    files.sort_by_key(|row| (usize::MAX - row.workers(), row.path.clone()));
    let weight = |row: &HeatRow| row.cells.iter().map(|(files, _)| files).sum::<usize>();
    let mut folders: Vec<HeatRow> = folders.into_values().collect();
    folders.sort_by_key(|row| (usize::MAX - weight(row), row.path.clone()));
    let left = files.len().saturating_sub(MOST_FILES) + folders.len().saturating_sub(MOST_FOLDERS);
    files.truncate(MOST_FILES);
    folders.truncate(MOST_FOLDERS);
    Heat { rows: [files, folders].concat(), left }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Change, Content};

    fn work(paths: &[&str]) -> OwnCommits<'static> {
        let change = |path: &&str| Change {
            path: (*path).into(),
            old: None,
            new: Some(Content::named("x")),
        };
        OwnCommits { changes: paths.iter().map(change).collect(), ..OwnCommits::default() }
    }

    #[test]
    fn files_of_several_workers_stand_before_folders() {
        let plan = Plan::parse(
            "workflow: w\ngoal: g\nshared: [lock]\nworkers:\n  - {id: a, name: a, owns: [a]}\n  \
             - {id: b, name: b, owns: [b]}\n",
        )
        .unwrap();
        let work = [work(&["a/1", "a/2", "lock", "b/odd"]), work(&["b/1", "lock", "top"])];
        let found = overlaps(&plan, &work);
        assert_eq!(
            (found.len(), found[0].path.to_string(), found[0].unshared),
            (1, "lock".into(), false)
        );
        let rows: Vec<(String, Vec<(usize, usize)>)> = heat(&plan, &work)
            .rows
            .into_iter()
            .map(|row| (row.path.to_string(), row.cells))
            .collect();
        let row = |path: &str, cells: [(usize, usize); 2]| (path.to_owned(), cells.to_vec());
        assert_eq!(
            rows,
            [
                row("lock", [(1, 0), (1, 0)]),
                row("b/odd", [(1, 1), (0, 0)]),
                row("top", [(0, 0), (1, 1)]),
                row("a", [(2, 0), (0, 0)]),
                row("b", [(0, 0), (1, 0)]),
            ]
        );
    }
}
