//! What the workers of items own: the files that their items name, files that change with those,
//! and folders in which no other worker has anything.

use std::collections::BTreeSet;

use super::coupling::Pair;
use super::items::ItemFile;
use super::schedule::Duty;
use super::scopes::{Unsaid, glob, prove};
use crate::path::RepoPath;

/// How many files a worker gets because they change with its own.
const MAX_TAKEN: usize = 12;

/// What one worker owns.
#[derive(Clone, Debug, Default)]
pub(super) struct Owned {
    pub globs: Vec<String>,
    /// Files that no item names, with the one of the worker's that they change with.
    pub taken: Vec<Pair>,
}

/// Returns what each duty's worker owns; `pairs` are those of the history, the surest first.
pub(super) fn owned(duties: &[Duty], pairs: &[Pair]) -> Result<Vec<Owned>, Unsaid> {
    let mut files: Vec<BTreeSet<ItemFile>> = duties.iter().map(|duty| duty.files.clone()).collect();
    let mut owned = vec![Owned::default(); duties.len()];
    let sure = pairs.iter().filter(|pair| pair.is_sure());
    for pair in sure {
        let has = |path: &RepoPath| {
            files.iter().position(|files| files.iter().any(|file| file.covers(path)))
        };
        let Some(worker) = has(&pair.path).filter(|_| has(&pair.with).is_none()) else { continue };
        // What comes last does one thing in files of all; what changes with those is not its.
        if owned[worker].taken.len() < MAX_TAKEN && !duties[worker].is_joint {
            let file = ItemFile { path: pair.with.clone(), is_new: false, is_folder: false };
            files[worker].insert(file);
            owned[worker].taken.push(pair.clone());
        }
    }
    for (worker, owned) in owned.iter_mut().enumerate() {
        owned.globs = globs(&files, worker, duties[worker].is_joint)?;
    }
    let all: Vec<Vec<String>> = owned.iter().map(|owned| owned.globs.clone()).collect();
    prove(&all)?;
    Ok(owned)
}

/// Returns a worker's globs: where no other worker has anything in a file's folder, the folder, so
/// that new files have an owner.
fn globs(
    files: &[BTreeSet<ItemFile>],
    worker: usize,
    is_joint: bool,
) -> Result<Vec<String>, Unsaid> {
    let mut folders: BTreeSet<RepoPath> = BTreeSet::new();
    let mut single: BTreeSet<RepoPath> = BTreeSet::new();
    for file in &files[worker] {
        if file.is_folder {
            folders.insert(file.path.clone());
            continue;
        }
        let folder = file.path.ancestors().next().map(RepoPath::new);
        let is_free = |folder: &RepoPath| {
            let mut others = (0..files.len()).filter(|other| *other != worker);
            !others.any(|other| {
                files[other].iter().any(|file| {
                    folder.contains(&file.path) || *folder == file.path || file.covers(folder)
                })
            })
        };
        match folder.filter(|folder| !is_joint && is_free(folder)) {
            Some(folder) => folders.insert(folder),
            None => single.insert(file.path.clone()),
        };
    }
    let is_inner = |path: &RepoPath| folders.iter().any(|folder| folder.contains(path));
    let outer = folders.iter().filter(|folder| !is_inner(folder)).map(|path| (path, false));
    let single = single.iter().filter(|path| !is_inner(path)).map(|path| (path, true));
    let globs = outer.chain(single).map(|(path, is_file)| glob(path.as_bytes(), is_file));
    globs.collect::<Option<Vec<String>>>().ok_or(Unsaid::TooMany)
}
