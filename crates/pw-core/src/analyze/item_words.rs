//! Items that name no file, known by their words: the files that they probably change, and, where most items
//! are such, which part of a split that was made for them does which.

use super::advise::Advised;
use super::backtest::{PRACTICE, Past};
use super::item_scopes::Owned;
use super::items::{ItemFile, WorkItem};
use super::log::PathId;
use super::probable::Subjects;
use super::schedule::Duty;
use super::search::Alike;
use crate::path::RepoPath;
use crate::scope::Scope;

/// What a file that is named weighs beside all that are probable.
const NAMED: f64 = 2.0;

/// What the words of items tell.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// Where most items name no file, the past changes that are like each; a split is to be made for these.
    pub alike: Vec<Alike>,
    /// By item: the files it may change, and of all that speaks for any the share that speaks for each.
    likely: Vec<Vec<(RepoPath, f64)>>,
}

/// Finds the files that items probably change which name none.
pub fn find(past: &Past<'_>, files: &[PathId], items: &mut [WorkItem]) -> Expected {
    let mut known = past.changes.until(past.changes.entries.len(), PRACTICE);
    known.files = files.to_vec();
    let subjects = Subjects::new(past, &known);
    for item in items.iter_mut().filter(|item| item.files.is_empty()) {
        item.probable_files = subjects.probable(&item.action);
    }
    if !are_mostly_words(items) {
        return Expected::default();
    }
    let alike = items.iter().map(|item| subjects.alike(&item.action));
    Expected {
        alike: alike.filter(|alike| !alike.is_empty()).collect(),
        likely: items.iter().map(|item| subjects.shares(&item.action)).collect(),
    }
}

/// Returns whether more than half of the items name no file, and something is known of them all the same.
fn are_mostly_words(items: &[WorkItem]) -> bool {
    let unnamed = items.iter().filter(|item| item.files.is_empty());
    unnamed.clone().count() * 2 > items.len()
        && unnamed.into_iter().any(|item| !item.probable_files.is_empty())
}

/// Returns the files by which an item is given to a worker: those that it names, or else those that it
/// probably changes.
pub(super) fn files(item: &WorkItem) -> impl Iterator<Item = ItemFile> {
    let file = |path: &RepoPath| ItemFile { path: path.clone(), is_new: false, is_folder: false };
    let probable = item.probable_files.iter().filter(|_| item.files.is_empty());
    item.files.iter().cloned().chain(probable.map(move |probable| file(&probable.path)))
}

/// A split that was made for items, and which part of it each item belongs to.
pub(super) struct Parts {
    names: Vec<String>,
    globs: Vec<Vec<String>>,
    /// By item.
    of: Vec<Option<usize>>,
}

impl Parts {
    /// Returns the parts of an answer that was made for these items; `None` where most of them name their files.
    pub(super) fn of(items: &[WorkItem], expected: &Expected, advised: &Advised) -> Option<Self> {
        let globs = Some(advised.globs.clone()).filter(|globs| globs.len() > 1)?;
        let scopes: Vec<Scope> =
            globs.iter().map(|globs| Scope::parse(globs).ok()).collect::<Option<_>>()?;
        let names = advised.analysis.workers.iter().map(|part| part.name.clone()).collect();
        let both = items.iter().zip(&expected.likely);
        let of: Vec<_> = both.map(|(item, likely)| part(item, likely, &scopes)).collect();
        (!of.is_empty()).then_some(Self { names, globs, of })
    }

    pub(super) fn number(&self) -> usize {
        self.globs.len()
    }

    /// Returns what an item changes: one part, as if that were a folder.
    pub(super) fn marks(&self) -> impl Iterator<Item = Option<ItemFile>> {
        self.of.iter().map(|part| part.map(|part| self.mark(part)))
    }

    /// Returns what the worker of each duty owns: its parts.
    pub(super) fn owned(&self, duties: &[Duty]) -> Vec<Owned> {
        let own = |duty: &Duty| {
            let parts = (0..self.number()).filter(|part| duty.files.contains(&self.mark(*part)));
            parts.flat_map(|part| self.globs[part].clone()).collect()
        };
        duties.iter().map(|duty| Owned { globs: own(duty), taken: Vec::new() }).collect()
    }

    fn mark(&self, part: usize) -> ItemFile {
        let path = RepoPath::from(self.names[part].as_str());
        ItemFile { path, is_new: false, is_folder: true }
    }
}

/// Returns the part that owns most of what an item names and may change, too little for a file to be told, too:
/// the area may be plain where the file is not.
fn part(item: &WorkItem, likely: &[(RepoPath, f64)], scopes: &[Scope]) -> Option<usize> {
    let mut weights = vec![0.0; scopes.len()];
    let mut add = |path: &RepoPath, weight: f64| {
        let owner = scopes.iter().position(|scope| scope.owns(path));
        owner.into_iter().for_each(|owner| weights[owner] += weight);
    };
    for file in &item.files {
        let inner = RepoPath::new([file.path.as_bytes(), b"/new"].concat());
        add(if file.is_folder { &inner } else { &file.path }, NAMED);
    }
    likely.iter().for_each(|(path, share)| add(path, *share));
    let most = (0..weights.len()).rev().max_by(|a, b| weights[*a].total_cmp(&weights[*b]))?;
    Some(most).filter(|most| weights[*most] > 0.0)
}
